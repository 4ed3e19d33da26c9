/* hints.h -- writes kept for a replica that was away, and brought to it when it is back (DESIGN 7;
 * Dynamo 4.6).
 *
 *     taken (same commit as the write) --target is up--> READING the next ones, in order
 *           ^                                              |
 *           |                                              v
 *           |                       rows as they are now --> DELIVERING (deliver.c, disk level)
 *           |                                              |
 *           \------ target gone again, silent, full -------+--acknowledged--> DROPPING --> READING
 *
 *   - A hint names records; the target merges what they hold by then, as with any other write.
 *   - It ends only when the target has it on disk. A crash in between delivers it again.
 *   - Bytes are bounded, of all targets together. At the bound a new hint is refused: a replica
 *     that should have taken it for another refuses the write (E_NOSPC), so it cannot count; where
 *     it would not have counted anyway, it is left to reconciliation. One line is logged.
 *   - A target that is no member any more, or does not hold the group: those who hold it now get
 *     what was kept for it.
 *   - Records of a group this node does not hold are here for hints only: when the last hint of
 *     that group has ended, leave.c hands them over and erases them. That a target has them is not
 *     enough: it may leave the group, or be removed, when that was copied from it already. Dots
 *     given to them are of an actor of their own that ends with them (a vector entry claims all
 *     dots below it, and that knowledge is gone).
 *
 * Ownership: the node's. Thread: the node's. Allocates: yes.
 */
#ifndef NWR_HINTS_H
#define NWR_HINTS_H

#include "net/store/store.h"

enum {
    NWR_HINT_BYTES = 256 << 20, /* of a node, unless it was told otherwise */
    NWR_HINT_OWN = 64,          /* a hint itself, and each name in it */
    NWR_HINT_LOOK_MS = 500,
    NWR_HINT_PAUSE_MS = 1000, /* after a delivery that failed */
    NWR_HINT_REST_MS = 20,    /* after one that left nothing: what is counted may not be there */
    NWR_HINT_PARALLEL = 4,    /* targets at a time */
    NWR_HINT_CHUNK = 1 << 20, /* bytes of one delivery */
    NWR_HINT_LOG_MS = 10000
};

/* What is kept for one target. */
struct nwr_kept {
    uint64_t count, bytes;
    nwr_hlc oldest; /* about: none is older */
};

struct nwr_hints_stat {
    uint64_t taken, delivered, refused;
};

#endif
