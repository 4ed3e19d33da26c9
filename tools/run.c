/* run.c -- see run.h. */
#include "tools/run.h"

#include "tools/admin.h"
#include "tools/cmd.h"
#include "tools/mounts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
    POLL_MS = 100,
    PG_MAX = 1023
};

struct options {
    const struct nwr_run_kind *kind;
    const char *dir, *path, *pg;
    bool wait;
    struct nwr_mount_entry mount;
};

/* -1: go on. */
static int parse(int argc, char **argv, struct options *o)
{
    const char *name = o->kind->name;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0)
            return printf("%s", o->kind->help) < 0;
        if (strcmp(argv[i], "--wait") == 0)
            o->wait = true;
        else if (strcmp(argv[i], "--data") == 0 && i + 1 < argc)
            o->dir = argv[++i];
        else if (strcmp(argv[i], "--pg") == 0 && i + 1 < argc)
            o->pg = argv[++i];
        else if (argv[i][0] != '-' && !o->path)
            o->path = argv[i];
        else
            return nwr_cmd_usage("%s: %s: unexpected; see nwrfs %s --help", name, argv[i], name);
    }
    if (!o->dir == !o->path)
        return nwr_cmd_usage("%s: --data DIR or MOUNTPOINT is wanted", name);
    if (o->pg) {
        char *end;
        unsigned long pg = strtoul(o->pg, &end, 10);

        if (*end || end == o->pg || o->pg[0] == '-' || pg > PG_MAX)
            return nwr_cmd_usage("%s: --pg %s: a placement group is a number up to %d", name, o->pg,
                                 PG_MAX);
    }
    return -1;
}

/* NULL after an error was printed. */
static json_t *ask(const struct options *o, const char *line)
{
    char *text = nwr_admin_ask(o->dir, line);
    json_t *answer;

    if (!text) {
        nwr_cmd_fail("%s: %s: %s", o->kind->name, o->dir, nwr_admin_why(errno));
        return NULL;
    }
    answer = json_loads(text, 0, NULL);
    if (!answer) {
        text[strcspn(text, "\n")] = '\0';
        nwr_cmd_fail("%s: %s: %s", o->kind->name, o->dir, *text ? text : "the node gave no answer");
    }
    nwr_free(text);
    return answer;
}

long long nwr_run_number(const json_t *state, const char *name)
{
    return json_integer_value(json_object_get(state, name));
}

static int wait_for(const struct options *o, long long run)
{
    struct timespec pause = {.tv_nsec = POLL_MS * 1000000L};
    bool shows = o->kind->show && isatty(STDOUT_FILENO);
    int status = -1;

    while (status < 0) {
        json_t *state = ask(o, o->kind->poll);

        if (!state)
            return 1;
        if (shows)
            o->kind->show(state);
        if (nwr_run_number(state, "done") >= run) {
            if (shows)
                printf("\n");
            status = o->kind->say(o->dir, state);
        }
        json_decref(state);
        if (status < 0)
            nanosleep(&pause, NULL);
    }
    return status;
}

int nwr_run_command(int argc, char **argv, const struct nwr_run_kind *kind)
{
    struct options o = {.kind = kind};
    int status = parse(argc, argv, &o);
    json_t *started;
    long long run;
    char line[64];

    if (status >= 0)
        return status;
    if (nwr_mounts_data(kind->name, o.path, &o.mount, &o.dir))
        return 1;
    snprintf(line, sizeof(line), "%s %s", kind->name, o.pg ? o.pg : "all");
    started = ask(&o, line);
    if (!started)
        return 1;
    run = nwr_run_number(started, "run");
    json_decref(started);
    return o.wait ? wait_for(&o, run) : 0;
}
