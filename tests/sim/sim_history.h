/* sim_history.h -- what clients wrote and saw: the material of the oracles.
 *
 * Ownership: the history owns its writes. Thread: one.
 */
#ifndef NWR_SIM_HISTORY_H
#define NWR_SIM_HISTORY_H

#include "tests/sim/sim_cluster.h"

enum sim_fate {
    SIM_OPEN, /* not answered, or answered in doubt */
    SIM_ACKED,
    SIM_REFUSED /* E_HOSTDOWN: nothing was sent, so it must be nowhere */
};

struct sim_write {
    nwr_wid wid;
    struct nwr_key key;
    nwr_wid *seen;
    uint32_t nseen;
    bool tombstone;
    enum sim_fate fate;
    sim_us known_at; /* acknowledged, or shown by a read that may not take it back; 0: neither */
    struct nwr_block_id block;
    bool has_block;
};

struct sim_history {
    struct sim_write *w;
    uint32_t n, cap;
};

/* The index of the new write. */
uint32_t sim_history_add(struct sim_history *h, const struct nwr_write *w);
struct sim_write *sim_history_find(const struct sim_history *h, nwr_wid wid);
void sim_history_deinit(struct sim_history *h);
/* What a version of this write holds. */
struct nwr_blob *sim_history_body(nwr_wid wid, const struct nwr_key *key);

#endif
