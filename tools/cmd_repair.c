/* cmd_repair.c -- `nwrfs repair`: a node compares what it holds with its replicas, now.
 *
 * The node does it anyway, every half minute and when a replica came back: this is for whoever
 * wants it now, or wants to know. With --wait it ends 0 only when every replica was compared with
 * and nothing differs any more.
 */
#include "tools/cmd.h"
#include "tools/run.h"

#include <stdio.h>

static int say(const char *dir, const json_t *state)
{
    long long left = nwr_run_number(state, "left"), silent = nwr_run_number(state, "silent");

    printf("%lld differences found, %lld repaired, %lld left, compared with %lld replicas\n",
           nwr_run_number(state, "found"), nwr_run_number(state, "repaired"), left,
           nwr_run_number(state, "peers"));
    if (silent)
        return nwr_cmd_fail("repair: %s: %lld replicas could not be compared with; see nwrfs "
                            "status",
                            dir, silent);
    if (left)
        return nwr_cmd_fail("repair: %s: %lld groups still differ; is somebody writing? repair "
                            "again",
                            dir, left);
    return 0;
}

int nwr_cmd_repair(int argc, char **argv)
{
    static const struct nwr_run_kind kind = {
        .name = "repair",
        .poll = "repaired",
        .help = "usage: nwrfs repair [--data DIR | MOUNTPOINT] [--pg G] [--wait]\n\nCompares what "
                "a node holds with the other replicas, and makes them equal. --wait says what\nwas "
                "found when it is done; the exit status is then 0 only if nothing differs any "
                "more.\n",
        .say = say};

    return nwr_run_command(argc, argv, &kind);
}
