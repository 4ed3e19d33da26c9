/* mark.h -- what the database must at least hold, kept beside it.
 *
 *     DIR/mark           number, length and sum of the manifest; sequence number that was synced
 *     DIR/mark.manifest  a second copy of the manifest, up to that length
 *     DIR/mark.tables    the ends of table files (tails.h)
 *     DIR/mark.values    a second copy of the named values (identity, ring, register, counters)
 *
 * RocksDB ends its log, and its manifest, where a record does not verify: a flipped byte there
 * costs all that stood behind it, without a word. With the mark that is seen: what is recovered
 * reaches less far than what was synced. A manifest that rotted is mended from its copy; the
 * named values must never fall back to older ones (a counter would be given twice).
 *
 * The mark is written after each sync and not synced itself: after a power loss it may be an
 * older one, which asks for less, and never for more than there was.
 *
 * Ownership: the store's. Thread: one at a time.
 */
#ifndef NWR_STORE_MARK_H
#define NWR_STORE_MARK_H

#include "nwr/blob.h"
#include "nwr/err.h"

struct nwr_mark_value {
    char *name;
    struct nwr_blob *value;
};

struct nwr_mark {
    int dir;
    int fd;
    uint64_t sequence;
    uint32_t manifest; /* its number; 0: none was noted */
    uint64_t bytes, sum;
    bool durable; /* DIR/mark is on disk, whatever it says: later it is written in place */
    bool values_known;
    struct nwr_mark_value *value;
    uint32_t nvalue, capvalue;
};

enum nwr_mark_state {
    NWR_MARK_NEW,  /* there is no database yet */
    NWR_MARK_GOOD, /* the manifest is as it was noted, or was mended */
    NWR_MARK_LOST  /* the mark, or what it notes of the manifest, cannot be relied on */
};

/* dir stays the caller's, and open. Mends the manifest where it can. */
enum nwr_mark_state nwr_mark_open(struct nwr_mark *m, int dir);
void nwr_mark_deinit(struct nwr_mark *m);
/* Notes what is synced: up to this sequence number, and the manifest as it is. */
void nwr_mark_note(struct nwr_mark *m, uint64_t sequence);
/* A named value is about to be stored; borrows. */
void nwr_mark_put(struct nwr_mark *m, const char *name, const struct nwr_blob *value);

#endif
