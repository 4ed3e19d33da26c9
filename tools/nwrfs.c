/* nwrfs.c -- the program: finds the subcommand and runs it. */
#include "tools/cmd.h"

#include <stdarg.h>
#include <stdio.h>

struct command {
    const char *name, *summary;
    int (*run)(int argc, char **argv);
};

static const struct command commands[] = {
#define NWR_COMMAND_ROW(name, symbol, summary) {name, summary, nwr_cmd_##symbol},
    NWR_COMMANDS(NWR_COMMAND_ROW)
#undef NWR_COMMAND_ROW
};

static void help(void)
{
    printf("usage: nwrfs COMMAND ...\n\nA replicated file system: mount a directory, edit files "
           "with ordinary tools.\n\n");
    for (size_t i = 0; i < NWR_COUNT(commands); i++)
        printf("  %-10s %s%s\n", commands[i].name, commands[i].summary,
               commands[i].run ? "" : " (not in this version)");
    printf("\nnwrfs COMMAND --help says more. Exit status: 0 done, 1 failed, 2 usage.\n");
}

static int run(const char *name, int argc, char **argv)
{
    for (size_t i = 0; i < NWR_COUNT(commands); i++) {
        if (strcmp(commands[i].name, name) != 0)
            continue;
        if (!commands[i].run)
            return nwr_cmd_usage("%s: not in this version", name);
        return commands[i].run(argc, argv);
    }
    return nwr_cmd_usage("%s: no such command; see nwrfs --help", name);
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return nwr_cmd_usage("a command is wanted; see nwrfs --help");
    if (strcmp(argv[1], "--version") == 0) {
        printf("nwrfs %s\n", NWR_VERSION);
        return 0;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        help();
        return 0;
    }
    return run(argv[1], argc - 1, argv + 1);
}
