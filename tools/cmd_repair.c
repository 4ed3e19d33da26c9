/* cmd_repair.c -- `nwrfs repair`: a node compares what it holds with its replicas, now.
 *
 * The node does it anyway, every half minute and when a replica came back: this is for whoever
 * wants it now, or wants to know. With --wait it ends 0 only when every replica was compared with
 * and nothing differs any more.
 */
#include "tools/admin.h"
#include "tools/cmd.h"
#include "tools/mounts.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    POLL_MS = 100,
    PG_MAX = 1023
};

struct options {
    const char *dir, *path, *pg;
    bool wait;
    struct nwr_mount_entry mount;
};

static int help(void)
{
    printf("usage: nwrfs repair [--data DIR | MOUNTPOINT] [--pg G] [--wait]\n\nCompares what a "
           "node holds with the other replicas, and makes them equal. --wait says what\nwas found "
           "when it is done; the exit status is then 0 only if nothing differs any more.\n");
    return 0;
}

/* -1: go on. */
static int parse(int argc, char **argv, struct options *o)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0)
            return help();
        if (strcmp(argv[i], "--wait") == 0)
            o->wait = true;
        else if (strcmp(argv[i], "--data") == 0 && i + 1 < argc)
            o->dir = argv[++i];
        else if (strcmp(argv[i], "--pg") == 0 && i + 1 < argc)
            o->pg = argv[++i];
        else if (argv[i][0] != '-' && !o->path)
            o->path = argv[i];
        else
            return nwr_cmd_usage("repair: %s: unexpected; see nwrfs repair --help", argv[i]);
    }
    if (!o->dir == !o->path)
        return nwr_cmd_usage("repair: --data DIR or MOUNTPOINT is wanted");
    if (o->pg) {
        char *end;
        unsigned long pg = strtoul(o->pg, &end, 10);

        if (*end || end == o->pg || o->pg[0] == '-' || pg > PG_MAX)
            return nwr_cmd_usage("repair: --pg %s: a placement group is a number up to %d", o->pg,
                                 PG_MAX);
    }
    return -1;
}

/* NULL after an error was printed. */
static json_t *ask(const char *dir, const char *line)
{
    char *text = nwr_admin_ask(dir, line);
    json_t *answer;

    if (!text) {
        nwr_cmd_fail("repair: %s: no node is running there: %s", dir, strerror(errno));
        return NULL;
    }
    answer = json_loads(text, 0, NULL);
    if (!answer) {
        text[strcspn(text, "\n")] = '\0';
        nwr_cmd_fail("repair: %s: %s", dir, *text ? text : "the node gave no answer");
    }
    nwr_free(text);
    return answer;
}

static long long number(const json_t *state, const char *name)
{
    return json_integer_value(json_object_get(state, name));
}

static int say(const struct options *o, const json_t *state)
{
    long long found = number(state, "found"), repaired = number(state, "repaired");
    long long left = number(state, "left"), silent = number(state, "silent");
    long long peers = number(state, "peers");

    printf("%lld differences found, %lld repaired, %lld left, compared with %lld replicas\n", found,
           repaired, left, peers);
    if (silent)
        return nwr_cmd_fail("repair: %s: %lld replicas could not be compared with; see nwrfs "
                            "status",
                            o->dir, silent);
    if (left)
        return nwr_cmd_fail("repair: %s: %lld groups still differ; is somebody writing? repair "
                            "again",
                            o->dir, left);
    return 0;
}

static int wait_for(const struct options *o, long long run)
{
    struct timespec pause = {.tv_nsec = POLL_MS * 1000000L};
    int status = -1;

    while (status < 0) {
        json_t *state = ask(o->dir, "repaired");

        if (!state)
            return 1;
        if (number(state, "done") >= run)
            status = say(o, state);
        json_decref(state);
        if (status < 0)
            nanosleep(&pause, NULL);
    }
    return status;
}

int nwr_cmd_repair(int argc, char **argv)
{
    struct options o = {0};
    int status = parse(argc, argv, &o);
    json_t *started;
    long long run;
    char line[32];

    if (status >= 0)
        return status;
    if (nwr_mounts_data("repair", o.path, &o.mount, &o.dir))
        return 1;
    snprintf(line, sizeof(line), "repair %s", o.pg ? o.pg : "all");
    started = ask(o.dir, line);
    if (!started)
        return 1;
    run = number(started, "run");
    json_decref(started);
    return o.wait ? wait_for(&o, run) : 0;
}
