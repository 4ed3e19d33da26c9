/* cmd_scrub.c -- `nwrfs scrub`: a node reads all that it has, and fetches what rotted.
 *
 * The node does it anyway, slowly, once a week, and at once where something did not verify. With
 * --wait it ends 0 only when everything verified in the end.
 */
#include "tools/cmd.h"
#include "tools/run.h"

#include <stdio.h>

enum {
    WIDTH = 30
};

static void show(const json_t *state)
{
    long long all = nwr_run_number(state, "groups"), done = nwr_run_number(state, "groups_done");
    char bar[WIDTH + 1];

    for (int i = 0; i < WIDTH; i++)
        bar[i] = all > 0 && i < done * WIDTH / all ? '#' : '.';
    bar[WIDTH] = 0;
    printf("\r[%s] %lld of %lld groups, %lld MiB, %lld rotten ", bar, done, all,
           nwr_run_number(state, "bytes") >> 20, nwr_run_number(state, "rotten"));
    fflush(stdout);
}

static int say(const char *dir, const json_t *state)
{
    long long lost = nwr_run_number(state, "lost");
    long long doubtful = nwr_run_number(state, "doubtful");

    printf("%lld records and %lld blocks read, %lld MiB; %lld did not verify, %lld repaired, %lld "
           "without a good copy; %lld groups in doubt\n",
           nwr_run_number(state, "records"), nwr_run_number(state, "blocks"),
           nwr_run_number(state, "bytes") >> 20, nwr_run_number(state, "rotten"),
           nwr_run_number(state, "repaired"), lost, doubtful);
    if (lost)
        return nwr_cmd_fail("scrub: %s: %lld have no good copy anywhere; what names them is in %s/"
                            "log",
                            dir, lost, dir);
    if (doubtful || nwr_run_number(state, "left"))
        return nwr_cmd_fail("scrub: %s: not enough replicas are there to repair from; see nwrfs "
                            "status, then scrub again",
                            dir);
    return 0;
}

int nwr_cmd_scrub(int argc, char **argv)
{
    static const struct nwr_run_kind kind = {
        .name = "scrub",
        .poll = "scrubbed",
        .help = "usage: nwrfs scrub [--data DIR | MOUNTPOINT] [--pg G] [--wait]\n\nReads and "
                "verifies everything that a node has, and fetches good copies of what rotted from\n"
                "other replicas. --wait says what was found when it is done; the exit status is "
                "then 0 only\nif nothing is left without a good copy.\n",
        .say = say,
        .show = show};

    return nwr_run_command(argc, argv, &kind);
}
