/* behind.h -- groups of which this node's store refused a write, for want of room say (DESIGN 5).
 *
 *     store refuses a write --> behind --found equal with every other replica--> not any more
 *
 * The write is taken by others, and acknowledged. Where R answers need not meet W writes
 * (W + R <= N) this node would go on answering its own mount alone, which then does not see what it
 * wrote; so while a group is behind, this node's own answer is one more than R, not one of them.
 * If no other answers it counts all the same: reading goes on (read.c).
 *
 * Only in memory: a full store has no room for it. A node that was started again answers with what
 * it has, as any replica may with such W and R.
 *
 * Ownership: the node's. Thread: the node's. Allocates: yes, when the first write is refused.
 */
#ifndef NWR_BEHIND_H
#define NWR_BEHIND_H

#include "net/core/job.h"

/* This node's store has refused a write of the group. */
void nwr_behind_set(struct nwr_node *n, nwr_pg pg);
/* Peer holds the same as this node, as seen since `began` (ms of the node's clock). */
void nwr_behind_met(struct nwr_node *n, nwr_pg pg, uint16_t peer, nwr_ms began);
bool nwr_is_behind(const struct nwr_node *n, nwr_pg pg);
/* Of any group: it then compares itself, and does not wait to be compared with. */
bool nwr_behind_any(const struct nwr_node *n);
void nwr_behind_deinit(struct nwr_node *n);

#endif
