/* sim_client.h -- clients that read, write and delete at random, and check what they are told.
 *
 * Two directories a group: entries (their versions refer to inodes whose content registers are
 * written with them), and plain registers. A client replaces what it last read, all or some of
 * it, so there are siblings, lost races and stale contexts.
 *
 * Ownership: clients own what they remember. Thread: one.
 */
#ifndef NWR_SIM_CLIENT_H
#define NWR_SIM_CLIENT_H

#include "tests/sim/oracle.h"

enum {
    SIM_CLIENTS = 6,
    SIM_NAMES = 4,
    SIM_REGISTERS = 3
};

struct sim_load {
    struct sim *s;
    struct sim_history history;
    struct sim_client *client[SIM_CLIENTS];
    uint16_t pgs;
    bool strong;      /* W + R > N: what was read may not vanish */
    bool power_loss;  /* all writes ask for the disk */
    bool low, sloppy; /* some requests ask for W = 1 or R = 1; for stand-ins */
    bool old_disks;   /* inode counters of one node are given again (README.md) */
    bool stopping;
    uint64_t ops, failed;
    uint64_t (*given)[3]; /* inode counters: first, end, ordinal */
    uint32_t ngiven, capgiven;
};

void sim_load_start(struct sim_load *l, struct sim *s, uint16_t pgs, bool strong, bool power_loss);
/* Between the two no client begins anything. */
void sim_load_stop(struct sim_load *l);
void sim_load_go_on(struct sim_load *l);
/* Stopped, and nothing is wrong any more: a put succeeds. */
void sim_load_must_put(struct sim_load *l, int node, nwr_pg pg);
void sim_load_deinit(struct sim_load *l);

/* A scan of everything in a group, with what the entries refer to. */
struct nwr_request *sim_scan(nwr_pg pg);

#endif
