/* scrub.h -- what a node has is read again, what rotted is fetched from its replicas (DESIGN 7).
 *
 *     IDLE --due, asked for, or met a rotten one--> DOUBTS: which groups may have lost records
 *      ^   --> CHECKING records, then blocks, page by page ------------\
 *      |          | ^ \--blocks--> FETCHING (pull.c) --> HEALING --\   | all is read
 *      |          | \----------------------------------------------/   v
 *      |          \--records rotten, or in doubt--> COMPARING with each replica (pair.c)
 *      |                                              | as many as meet every write
 *      |                                              \--> TRUSTING --> CHECKING all again:
 *      |                                   what is rotten still goes where nobody has it (forget.h)
 *      \----------------------- the next group <---------------------------/
 *
 * A group in doubt is not read here (store/doubt.c) until it was compared with N - W + 1 other
 * replicas, and with all that are up: then whatever this node acknowledged with W - 1 of them is
 * back. Where this node has the only copy, a person must ask: what is lost then is said.
 *
 * All groups are read once a week, slowly; at once those in doubt, and those where a request met
 * what does not verify.
 */
#ifndef NWR_SCRUB_H
#define NWR_SCRUB_H

#include "net/core/job.h"

void nwr_scrub_start(struct nwr_node *n);
/* A person asks for a group, or for all (NWR_PGS_MAX). */
void nwr_scrub_ask(struct nwr_node *n, nwr_pg pg);
/* Something of this group did not verify here: it is looked at soon. */
void nwr_scrub_soon(struct nwr_node *n, nwr_pg pg);
/* Scrub compares replicas: reconciliation waits, a node compares with one at a time. */
bool nwr_scrub_compares(const struct nwr_node *n);
/* This node may have lost acknowledged records of the group: whoever keeps what a replica has
 * (clocks, floors) starts from nothing there. Called before the group is compared. */
void nwr_scrub_lost(struct nwr_node *n, nwr_pg pg);

#endif
