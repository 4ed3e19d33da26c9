/* sim_history.h -- what clients wrote and saw: the material of the oracles.
 *
 * Writes are found by write_id, by key, and from a write those that replaced it: so an oracle
 * costs what a record had writes, not what the run had.
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
    uint32_t *by; /* writes that name it as replaced, oldest first */
    uint32_t nby, capby;
    bool tombstone;
    bool low;  /* with a low W, or sloppy: a read of R may miss it until all is healed */
    bool left; /* and for good: only a member that was removed while it was cut off has it */
    enum sim_fate fate;
    sim_us known_at; /* acknowledged, or shown by a read that may not take it back; 0: neither */
    struct nwr_block_id block;
    bool has_block;
    uint64_t judged,
        judged_over; /* the looks that judged it last: is it there, is it accounted for */
    bool there, over;
};

/* The writes of one key, oldest first. */
struct sim_written {
    struct nwr_key key;
    uint32_t *w;
    uint32_t n, cap;
};

struct sim_history {
    struct sim_write *w;
    uint32_t n, cap;
    struct sim_written **key; /* sorted */
    uint32_t nkey, capkey;
    uint64_t looks;
    bool less; /* some read with a low R: they know of writes before W nodes have them */
};

/* The index of the new write. */
uint32_t sim_history_add(struct sim_history *h, const struct nwr_write *w);
struct sim_write *sim_history_find(const struct sim_history *h, nwr_wid wid);
/* For each key below prefix that was ever written: fn, with its record in rows (NULL: none). */
typedef void (*sim_key_fn)(void *arg, struct sim_history *h, const struct sim_written *list,
                           const struct nwr_record *rec);
void sim_history_walk(struct sim_history *h, const struct nwr_key *prefix,
                      const struct nwr_rows *rows, sim_key_fn fn, void *arg);
/* All is healed: what was written with a low W, or sloppily, is where it belongs, if it has not
 * left. */
void sim_history_healed(struct sim_history *h);
bool sim_history_shown(const struct sim_write *w, const struct nwr_record *rec);
/* Inside fn: w is shown by rec, or something that replaced it is there. */
bool sim_history_there(struct sim_history *h, struct sim_write *w, const struct nwr_record *rec);
/* The same, or it may have been deleted: a delete goes when every replica has it, and does not show
 * what it took away. */
bool sim_history_over(struct sim_history *h, struct sim_write *w, const struct nwr_record *rec);
void sim_history_deinit(struct sim_history *h);
/* What a version of this write holds. */
struct nwr_blob *sim_history_body(nwr_wid wid, const struct nwr_key *key);

#endif
