/* clocks.h -- replicas tell each other the clocks and floors of groups (DESIGN 7; floor.h).
 *
 *   settle.c  what this node learned goes into its store, records below a floor are folded, and
 *             all of it is on disk before it is told: a job of its own for both sides
 *   clocks.c  asking a peer, and answering
 *
 *     asks: settle --> COMPARE CLOCKS {pg, digest, clock, floor} --> settle what came
 *              ^           |                                            |
 *              |           v                                            v
 *              |     answers: settle what came, tell the same       all members have confirmed:
 *              \------------ once more, the peer lacks it <--------- the floor rises here
 *
 * A clock is joined only where both digests are equal. Only what is on disk is told, so an answer
 * is a confirmation; it is forgotten when its member goes or the ring changes. The floor rises
 * where the ring is settled.
 *
 * Ownership: the node's. Thread: the node's. Allocates: yes.
 */
#ifndef NWR_CLOCKS_H
#define NWR_CLOCKS_H

#include "net/core/floor.h"
#include "net/core/job.h"

/* A group, here and at a peer. The pointers of `here` go to the rest. */
struct nwr_both {
    struct nwr_group here;
    struct nwr_vv clock, floor; /* the peer's */
    struct nwr_pg_digest digest;
    struct nwr_pg_digest told; /* ours, when the peer was told */
    bool confirmed;            /* the peer has its clock on disk */
};

/* Borrows both until its child ends; `here` is then as it is, on disk if `sync`. */
void nwr_settle_start(struct nwr_node *n, struct nwr_job *parent, uint32_t slot,
                      struct nwr_both *both, uint32_t nboth, bool sync);
/* Frees the vectors of one. */
void nwr_both_deinit(struct nwr_both *b);

/* With peer, about these groups; both sides know of each other what there is when it ends. */
struct nwr_job *nwr_clocks_start(struct nwr_node *n, struct nwr_job *parent, uint32_t slot,
                                 uint16_t peer, const nwr_pg *pg, uint32_t npg);
/* Of one that ended: what there is, and whether a floor rose. */
struct nwr_both *nwr_clocks_result(struct nwr_job *j, uint32_t *n, bool *raised);
void nwr_clocks_message(struct nwr_node *n, uint16_t peer, struct nwr_msg *m);

/* Whether peer is to be asked though it has the same: what is above the floor it has not confirmed.
 */
bool nwr_confirm_due(const struct nwr_node *n, nwr_pg pg, uint16_t peer, uint64_t hash);
/* What members have on disk. */
void nwr_confirms_forget(struct nwr_node *n, uint16_t peer); /* 0: of everybody */
void nwr_confirms_deinit(struct nwr_node *n);

#endif
