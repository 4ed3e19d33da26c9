/* place.h -- the one place of each directory, when several sides move it (DESIGN 9).
 *
 * The links of a directory say where its names are; its place is the latest of them (hlc, dot)
 * whose entry is there. Two sides that move one directory leave two: where it is not shows a
 * symbolic link. Two sides may also move A into B and B into A: in such a loop the latest move is
 * not made, and that directory is where an older link says, else where it came from. Links hold
 * that in their bodies, and the entry there leads back to it (a record beside it,
 * view_slots.h). tests/model/tree_model.py has the rules and what each is for.
 *
 * Looking for loops costs a round trip for every directory up to the root. It ends for a move
 * once all replicas have answered that there is none: the link is *settled*, and stays so.
 *
 * Nothing is written here. False means: something is missing, it has been asked for.
 *
 * Pure. Ownership: values; what a link says is borrowed from the snapshot. Thread: the loop.
 */
#ifndef NWR_FS_PLACE_H
#define NWR_FS_PLACE_H

#include "fs/core/state.h"

#define NWR_PLACE_DEPTH 128 /* no loop of more directories is looked for */

/* The body of a link that a rename made. */
struct nwr_came {
    nwr_ino parent; /* of the old name */
    const uint8_t *name;
    size_t len;
    nwr_wid slot;                    /* that was moved; 0: an exchange, which nobody else ends */
    nwr_wid over_slot, over_version; /* what was replaced; 0: nothing was there */
    nwr_ino back;                    /* where it is if the move closes a loop; 0: there is none */
    const uint8_t *back_name;
    size_t back_len;
};

struct nwr_place {
    nwr_ino parent; /* 0: nowhere */
    uint16_t len;
    char name[NWR_NAME_MAX + 1];
    nwr_hlc hlc; /* of the link; 0: it was there before */
    struct nwr_dot dot;
    nwr_wid wid; /* of the link; 0: it was there before */
    struct nwr_came came;
};

enum nwr_place_kind {
    NWR_PLACE_HERE,
    NWR_PLACE_MOVING, /* here, but all replicas have not agreed yet that it stays so */
    NWR_PLACE_LINK,   /* a symbolic link stands for it */
    NWR_PLACE_GONE    /* it was moved away, this replica has not heard of that */
};

struct nwr_blob *nwr_came_encode(const struct nwr_came *c);
/* False: it is not the body of such a link. */
bool nwr_came_decode(const struct nwr_version *v, struct nwr_came *c);
/* What the live link of an inode at parent/name says, parent 0: nothing. The object is there. */
struct nwr_came nwr_came_of(const struct nwr_txn *t, nwr_ino ino, nwr_ino parent, const char *name,
                            size_t len);

/* Where a directory is. */
bool nwr_place_find(struct nwr_txn *t, nwr_ino dir, struct nwr_place *out);
bool nwr_place_is(const struct nwr_place *p, nwr_ino parent, const char *name, size_t len);
/* What the slot of a directory at parent/name shows; *link: write_id of the link, for LINK. */
bool nwr_place_slot(struct nwr_txn *t, nwr_ino dir, const struct nwr_shown *at,
                    enum nwr_place_kind *kind, nwr_wid *link);
struct nwr_place_may {
    bool be, only, linked; /* here; nowhere else; it has a name somewhere */
};
/* Whether a directory without a slot at parent/name may be there all the same. */
bool nwr_place_may_be(struct nwr_txn *t, nwr_ino dir, nwr_ino parent, const char *name, size_t len,
                      struct nwr_place_may *out);
/* The text of a symbolic link in `from` to a directory: a path relative to it. out may be NULL. */
bool nwr_place_text(struct nwr_txn *t, nwr_ino from, nwr_ino dir, struct nwr_out *out);
/* What the node of such a symbolic link shows; out->ino 0: its name is gone. */
bool nwr_place_node(struct nwr_txn *t, const struct nwr_node *node, struct nwr_shown *out);
/* What can be settled of a directory: the link, with its way back. wid 0: nothing. All replicas
 * have answered. */
bool nwr_place_settle(struct nwr_txn *t, nwr_ino dir, struct nwr_place *out);

#endif
