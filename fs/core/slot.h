/* slot.h -- the body of an entry's version: a slot, or a void that masks slots (DESIGN 9).
 *
 * A slot says that the entry names an inode; a void (flag NWR_V_HIDDEN) was left by whoever took
 * the head off the name, and masks the slots its writer saw by their write_id. The first byte is
 * the format (1).
 *
 * Ownership: a decoded slot owns its mask. Thread: any.
 */
#ifndef NWR_FS_SLOT_H
#define NWR_FS_SLOT_H

#include "fs/core/body.h"

struct nwr_slot {
    bool is_void;
    bool bare;    /* may own the bare name */
    bool moved;   /* a directory that was made elsewhere: it may be there again (place.h) */
    uint8_t type; /* enum nwr_type */
    nwr_ino ino;
    nwr_wid *mask; /* void only */
    uint32_t nmask;
};

struct nwr_blob *nwr_slot_encode(const struct nwr_slot *s);
enum nwr_err nwr_slot_decode(struct nwr_slot *s, const struct nwr_version *v);
void nwr_slot_deinit(struct nwr_slot *s);

#endif
