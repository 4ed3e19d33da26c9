/* dir.h -- a node's data directory: made, locked, its format known.
 *
 *     DIR/lock      held (flock) by the process that uses it
 *     DIR/format    "nwrfs store 2": what the rest looks like; 1 becomes 2
 *     DIR/db        RocksDB         DIR/segments    large blocks
 */
#ifndef NWR_STORE_DIR_H
#define NWR_STORE_DIR_H

#include "nwr/err.h"
#include "nwr/types.h"

/* Makes dir if need be (its parent must be there), waits for the lock, checks the format, or
 * writes it when dir is new. *lock is the descriptor that holds the lock. */
enum nwr_err nwr_dir_open(const char *dir, nwr_ms wait_ms, int *lock, char *text, size_t text_len);

#endif
