/* view_slots.h -- the slots behind one name, as view*.c see them.
 *
 * An entry is several records. The one of the name holds slots and voids. Beside it, under the name
 * and a NUL that no name can contain, stands one for each inode whose last slot here was removed,
 * which refers to it: a scan brings that along, and an edit that its removers had not seen comes
 * back from there. A look-up asks for the first, and for those of the others that lead to something
 * that shows: there may be any number of them (silent.c). In a union of directories the entries of
 * all of them count as one.
 *
 * Pure. Ownership: a list owns its array and what its slots read; versions are borrowed.
 */
#ifndef NWR_FS_VIEW_SLOTS_H
#define NWR_FS_VIEW_SLOTS_H

#include "fs/core/conflict.h"
#include "fs/core/state.h"

#define NWR_SIBLING ".conflict."

struct nwr_slot_seen {
    nwr_ino ino, parent;
    uint8_t type;
    struct nwr_seen seen; /* counter 0: restored */
    struct nwr_dot dot;   /* of the slot or, if restored, of the removal */
    nwr_hlc hlc;
    uint32_t deleted_by;
    uint64_t k;
    bool bare; /* and not masked */
    bool restored;
    bool moved;        /* a directory that was made elsewhere */
    bool skipped;      /* like restored, but only its move was not made */
    bool moving;       /* see view.h */
    nwr_wid elsewhere; /* the directory is not here: write_id of the link that says it is */
    struct nwr_versions versions; /* of a regular file */
};

struct nwr_slots {
    struct nwr_slot_seen *e; /* the head first, if there is one; then from the greatest down */
    uint32_t n, cap;
    nwr_wid *mask;
    uint32_t nmask, capmask;
};

/* False: something is missing, all of it has been asked for. */
bool nwr_slots_read(struct nwr_txn *t, const struct nwr_dirs *dir, const char *base, size_t len,
                    struct nwr_slots *out);
void nwr_slots_deinit(struct nwr_slots *s);
/* Something is, or is again, in a directory. False as well if something is missing. */
bool nwr_slots_below(struct nwr_txn *t, nwr_ino dir, bool *missing);

/* From now on the entry x->base of parent leads to an inode that has no slot there (staged).
 * again: also if it does already, for whoever has seen that may be about to end it. */
void nwr_slots_remember(struct nwr_txn *t, const struct nwr_shown *x, nwr_ino parent, nwr_ino ino,
                        bool again);
/* The attributes of an inode are written once more: who condemned it has not seen that (staged). */
void nwr_slots_hold(struct nwr_txn *t, nwr_ino ino);
/* Guards against an inode that is there already being removed while it gets a name (staged). */
void nwr_slots_guard(struct nwr_txn *t, nwr_ino ino);

/* base, suffix, K, cut to 255 bytes: at a UTF-8 boundary, then ~ and 8 digits of a hash. */
uint16_t nwr_numbered_name(char *out, const char *base, size_t len, const char *suffix, uint64_t k);
/* base.conflict.K */
uint16_t nwr_sibling_name(char *out, const char *base, size_t len, uint64_t k);
/* The length of the base if name is one of these; 0 if not. */
size_t nwr_sibling_base(const char *name, size_t len);
bool nwr_sibling_cut(const char *base, size_t len);

#endif
