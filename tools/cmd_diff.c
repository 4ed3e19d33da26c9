/* cmd_diff.c -- `nwrfs diff`: the head of a conflict against a sibling, through diff(1), whose exit
 * status it has: 0 equal, 1 different, 2 trouble. */
#include "tools/cmd.h"
#include "tools/siblings.h"

#include <stdio.h>

static int help(void)
{
    printf(
        "usage: nwrfs diff NAME [K]\n\n"
        "Compares NAME with its sibling NAME.conflict.K, which need not be given if there is\n"
        "only one, through diff -u. Exit status as of diff(1): 0 equal, 1 different, 2 trouble.\n"
        "--base, the common ancestor instead of the head, is not in this version.\n");
    return 0;
}

static int several(const struct nwr_siblings *s)
{
    char text[2000] = "";
    size_t at = 0;

    for (unsigned i = 0; i < s->n && at < sizeof(text) - 30; i++)
        at += (size_t)snprintf(text + at, sizeof(text) - at, " %llu", (unsigned long long)s->k[i]);
    return nwr_cmd_usage("diff: %s: which of its siblings?%s", s->name, text);
}

static int compare(const struct nwr_siblings *s, uint64_t k)
{
    char path[PATH_MAX + 32], left[PATH_MAX + 160], right[PATH_MAX + 160];
    char *argv[] = {"diff",    "-u",  "--label", left,
                    "--label", right, "--",      (char *)(uintptr_t)s->name,
                    path,      NULL};
    int status;

    nwr_sibling_path(s, k, path, sizeof(path));
    nwr_sibling_label(s->name, left, sizeof(left));
    nwr_sibling_label(path, right, sizeof(right));
    status = nwr_run(argv, -1);
    if (status == 127)
        return nwr_cmd_fail("diff: the program diff is not there; install diffutils"), 2;
    return status;
}

int nwr_cmd_diff(int argc, char **argv)
{
    struct nwr_siblings s;
    uint64_t k;
    int status;

    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return help();
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--base") == 0)
            return nwr_cmd_usage(
                "diff: --base: not in this version; replaced versions are not kept");
    if (argc < 2 || argc > 3 || argv[1][0] == '-')
        return nwr_cmd_usage("diff: a NAME is wanted, and its K; see nwrfs diff --help");
    status = nwr_siblings_read(&s, "diff", argv[1]);
    if (status)
        return status;
    if (s.n == 0)
        return nwr_cmd_fail("diff: %s: is not in conflict", argv[1]), 2;
    if (!s.head)
        return nwr_cmd_fail("diff: %s: there is no head to compare with", s.name), 2;
    if (argc == 2 && s.n > 1)
        return several(&s);
    k = argc == 3 ? nwr_sibling_number(&s, argv[2]) : s.k[0];
    if (k == 0)
        return nwr_cmd_fail("diff: %s: has no sibling %s", s.name, argv[2]), 2;
    return compare(&s, k);
}
