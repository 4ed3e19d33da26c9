/* tails.h -- the ends of RocksDB's table files, verified before RocksDB sees them.
 *
 * It verifies every block that it reads but for what stands at the end of a file, the properties
 * and the footer: a flipped byte there ends the process in an assertion (7.8). So their sums are
 * kept beside the database, DIR/mark.tables, and a file whose end rotted is set aside first.
 *
 * Thread: one at a time.
 */
#ifndef NWR_STORE_TAILS_H
#define NWR_STORE_TAILS_H

#include <stdbool.h>

/* The ends of the table files that are there now. dir: the data directory. */
void nwr_tails_note(int dir);
/* Moves table files whose end is not as it was noted to DIR/db/lost. */
void nwr_tails_check(int dir);

#endif
