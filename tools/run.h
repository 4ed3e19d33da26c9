/* run.h -- a run that a node is asked for over its placement groups: `nwrfs repair`, `nwrfs scrub`.
 *
 *     asked: "NAME all" or "NAME PG" --> {"run":N}; then, with --wait, "NAME's poll" --> how far
 *     runs are, until the run is done
 */
#ifndef NWR_RUN_H
#define NWR_RUN_H

#include <jansson.h>

struct nwr_run_kind {
    const char *name; /* of the command, and what the node is asked */
    const char *poll;
    const char *help;
    /* The run is done: says what it found, returns the exit status. */
    int (*say)(const char *dir, const json_t *state);
    /* On a terminal, while it goes on; NULL: nothing is shown. */
    void (*show)(const json_t *state);
};

int nwr_run_command(int argc, char **argv, const struct nwr_run_kind *kind);
long long nwr_run_number(const json_t *state, const char *name);

#endif
