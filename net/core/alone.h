/* alone.h -- the floor of groups that one node holds (DESIGN 7; clocks.h).
 *
 * The floor of a group is the least of its members' clocks on disk: where there is one member, its
 * own, and there is nobody to exchange it with. So it looks at its groups when it would else
 * compare itself with somebody (reconcile.c), and lets those floors rise whose clock has gone on.
 * Only in a settled ring, and where nothing is kept for a member of the group that is away, as in
 * clocks.c: who is to hold the group in a ring to come has no part of it yet.
 *
 * Ownership: the node's. Thread: the node's. Allocates: yes.
 */
#ifndef NWR_ALONE_H
#define NWR_ALONE_H

#include "net/core/job.h"

/* Whether this node is the only one of the list of each group that it holds. */
bool nwr_alone(const struct nwr_node *n);
/* Its child ends when all floors have risen that may. */
struct nwr_job *nwr_alone_start(struct nwr_node *n, struct nwr_job *parent, uint32_t slot);

#endif
