/* spool.h -- contents that were refused, kept on this mount alone (DESIGN 9, "Optimistic mode").
 *
 * Where on-conflict=reject holds, a write whose base is not the latest any more goes nowhere: its
 * writer gets ESTALE, and the file as it stood for that writer is kept as name.rejected.K beside
 * the name, on this mount only, until somebody removes it. K is the smallest number that is free.
 *
 *   push refused --> WRITE, WRITE, ... --> KEEP --> shown in the listing --> rm: REMOVE
 *
 * The bytes are in the driver's hands: a spool op is an effect, and comes back as an event when it
 * is done. What is kept is listed to the mount when it starts. An ordinary file that appears under
 * such a name has it; what is kept takes the next number. Renaming one away is EXDEV, so mv copies
 * it into an ordinary file and removes it.
 *
 * Pure. Ownership: the mount owns its list; an op is the driver's between effect and event.
 * Thread: the loop.
 */
#ifndef NWR_FS_SPOOL_H
#define NWR_FS_SPOOL_H

#include "nwr/blob.h"
#include "nwr/err.h"
#include "nwr/types.h"

#define NWR_REJECTED ".rejected."
#define NWR_SPOOL_PIECE (1 << 20) /* bytes of one WRITE */

struct nwr_spool_item {
    uint64_t id; /* of its bytes; never given twice on one mount */
    nwr_ino ino; /* st_ino */
    nwr_ino parent;
    char name[NWR_NAME_MAX + 1]; /* the file's: without .rejected.K */
    uint8_t name_len;
    uint32_t number; /* K */
    uint64_t size;
    uint32_t mode, uid, gid;
    nwr_ns mtime;
};

enum nwr_spool_kind {
    NWR_SPOOL_WRITE, /* data at off of the draft of item.id; off 0 begins a new one */
    NWR_SPOOL_KEEP,  /* the draft, if there is one, is the item now, and stays whatever happens */
    NWR_SPOOL_READ,  /* len bytes at off; data is the answer, shorter at the end */
    NWR_SPOOL_REMOVE
};

struct nwr_spool_op {
    enum nwr_spool_kind kind;
    struct nwr_spool_item item;
    uint64_t off;
    uint32_t len;
    struct nwr_blob *data; /* owned count */
    enum nwr_err err;      /* the driver's answer */
    uint64_t token;        /* the core's */
    void *user;            /* the driver's */
};
void nwr_spool_op_destroy(struct nwr_spool_op *op);

/* Whether the bytes of an encoded item say so; size is not among them. */
struct nwr_blob *nwr_spool_item_encode(const struct nwr_spool_item *item, uint64_t volume);
/* NWR_E_VOLUME: of another one; NWR_E_FORMAT. */
enum nwr_err nwr_spool_item_decode(struct nwr_spool_item *item, uint64_t volume, const void *data,
                                   size_t len);

#endif
