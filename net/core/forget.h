/* forget.h -- records that do not verify here, and that nobody has, are forgotten (DESIGN 7).
 *
 *     ASKING each other replica for a record --all say that it is absent--> DROPPING --> the next
 *        \--one has it, cannot read its own, or does not answer: it stays--------------> the next
 *
 * Others have forgotten it, or it never came to them: it can not be fetched, and while it is here,
 * whoever must ask this replica too reads nothing of what is around it. What it said is lost; who
 * drops it says so. It goes as if it had never come: the clock of this replica starts from nothing
 * (CLOCK_LOST), so that a copy that is on its way still, in a hint say, is taken.
 *
 * While the ring is joint, all of both lists are asked. Where nobody else has the group, nothing
 * is dropped. In a group that is here and not held (leave.c), what one of its list has goes too: it
 * cannot be compared, nor handed over, and the others would stay here with it.
 */
#ifndef NWR_FORGET_H
#define NWR_FORGET_H

#include "net/core/job.h"

struct nwr_forget_result {
    uint32_t dropped;
    uint32_t spare; /* dropped, but not lost: its list has it */
    uint32_t open;  /* whether they are lost is not known yet: one did not answer, or has it */
};

/* Takes keys, of pg. Ends without an error. */
void nwr_forget_start(struct nwr_node *n, struct nwr_job *parent, nwr_pg pg, struct nwr_key *key,
                      uint32_t nkey);
const struct nwr_forget_result *nwr_forget_result(const struct nwr_job *j);

#endif
