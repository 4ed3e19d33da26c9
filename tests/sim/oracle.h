/* oracle.h -- what must hold whatever goes wrong; each fails the seed with one line.
 *
 *   oracle_write.c     nothing acknowledged is lost, nothing is invented, nothing deleted returns
 *   oracle_converge.c  replicas hold the same after healing by reads
 *   oracle_block.c     no block missing, none miscounted
 * That every request is answered once and in time is watched by sim_cluster.c itself.
 */
#ifndef NWR_ORACLE_H
#define NWR_ORACLE_H

#include "tests/sim/sim_history.h"

/* Every version shown was written so, and by nobody who was told that nothing was sent. */
void oracle_invented(struct sim *s, const struct sim_history *h, const struct nwr_rows *rows);
/* Each write of these keys that was known before `since` is shown, or something that replaced
 * it is: directly, or by what replaced that. So what is deleted is not shown either. */
void oracle_known(struct sim *s, struct sim_history *h, const struct nwr_key *prefix,
                  const struct nwr_rows *rows, sim_us since);
/* What was shown may not be taken back. */
void oracle_note_shown(struct sim *s, struct sim_history *h, const struct nwr_rows *rows);

void oracle_converged(struct sim *s);
void oracle_blocks(struct sim *s);

#endif
