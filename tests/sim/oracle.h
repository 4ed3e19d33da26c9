/* oracle.h -- what must hold whatever goes wrong; each fails the seed with one line, [name] first.
 *
 *   [lost]      oracle_lost.c      what was acknowledged is there, or something that replaced it:
 *                                  so no sibling is lost either
 *   [invented]  oracle_invented.c  what is there was written so, by nobody who was told that
 *                                  nothing was sent
 *   [returned]  oracle_returned.c  what was replaced is not beside what did that; what was deleted
 *                                  is not there
 *   [differ]    oracle_converge.c  replicas are identical after healing by reads
 *   [block]     oracle_block.c     no block missing, miscounted or leaked
 *   [reply]     oracle_reply.c     each request is answered once, in time
 *
 * That each can fail is shown by defect_test.c, with a broken cluster for each.
 */
#ifndef NWR_ORACLE_H
#define NWR_ORACLE_H

#include "tests/sim/sim_history.h"

/* rows: all that a read of prefix showed; since: when it was asked. */
void oracle_lost(struct sim *s, struct sim_history *h, const struct nwr_key *prefix,
                 const struct nwr_rows *rows, sim_us since);
void oracle_returned(struct sim *s, struct sim_history *h, const struct nwr_key *prefix,
                     const struct nwr_rows *rows, sim_us since);
void oracle_invented(struct sim *s, const struct sim_history *h, const struct nwr_rows *rows);
/* What was shown may not be taken back: lost from here on if it is not there. */
void oracle_note_shown(struct sim *s, struct sim_history *h, const struct nwr_rows *rows,
                       sim_us since);
void oracle_converged(struct sim *s);
/* restarted: no node has a block that it only keeps for a write to come. */
void oracle_blocks(struct sim *s, const struct sim_history *h, bool restarted);
/* The same of the stores alone, but for that of node rots (-1: none): a block that nobody else has
 * stays unreadable there, and others know that it is lost. */
void oracle_stores(struct sim *s, int rots);
void oracle_all_answered(struct sim *s);

#endif
