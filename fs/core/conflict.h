/* conflict.h -- what the records of one inode say about its versions: lines, ranks, removals.
 *
 * The half of the conflict rules (DESIGN 9; tests/model/README.md) that concerns an inode; names
 * are in view.c. A content version is ranked and numbered by its line. Marks (key 'm') only grow:
 *
 *   GONE   a name was taken off by someone who saw version `wid`, and left the names `left`
 *   MOOT   that GONE counts no longer: the version was seen again as a sibling, and stayed
 *   SETTLED  of a directory: the link `wid` can be part of no loop any more (place.h). Until then a
 *          version of the marks that refers to the directory keeps it in the replicas' index
 *   ENDED  a version of the line `wid` that continued it was removed, but not continued: others
 *          of that line show numbers of their own, so that no number ever changes its content
 *
 * Names are told apart by a hash of (parent, name). Everything here is derived from a snapshot
 * and forgotten; nothing is written.
 *
 * Pure. Ownership: a nwr_versions owns its arrays; versions in it are borrowed from the rows.
 */
#ifndef NWR_FS_CONFLICT_H
#define NWR_FS_CONFLICT_H

#include "fs/core/body.h"

enum nwr_mark_kind { /* values are part of the format */
    NWR_MARK_GONE = 1,
    NWR_MARK_MOOT = 2,
    NWR_MARK_ENDED = 3,
    NWR_MARK_SETTLED = 4
};

struct nwr_mark {
    enum nwr_mark_kind kind;
    uint64_t id;    /* GONE: its name, derived; MOOT: of the GONE */
    nwr_wid wid;    /* GONE: the version its remover saw, 0 none; ENDED: the line; SETTLED */
    uint8_t type;   /* GONE: enum nwr_type of the inode */
    bool bare;      /* GONE: it had the bare name, and nothing else of the inode was there */
    nwr_ino parent; /* GONE: the name that was taken off, and where */
    uint8_t len;
    char name[NWR_NAME_MAX];
    nwr_ino back; /* GONE, of a directory: where it came from when it was moved there; 0 */
    uint8_t back_len;
    char back_name[NWR_NAME_MAX];
    uint64_t *left; /* GONE: nwr_name_hash of names that its remover still saw; owned */
    uint32_t nleft;
    nwr_hlc hlc; /* of the version that holds it */
    struct nwr_dot dot;
    uint32_t uid;
    uint64_t k;
};

struct nwr_marks {
    struct nwr_mark *e;
    uint32_t n, cap;
};
struct nwr_mark *nwr_marks_add(struct nwr_marks *m, enum nwr_mark_kind kind);
void nwr_marks_deinit(struct nwr_marks *m);
/* The body of one version of a marks record; reading adds, with what the version knows. */
struct nwr_blob *nwr_marks_encode(const struct nwr_marks *m);
enum nwr_err nwr_marks_decode(struct nwr_marks *m, const struct nwr_version *v);

/* A live content version; those with the same write_id or bytes are one. */
struct nwr_one {
    const struct nwr_version *v; /* NULL: one of the others stands for it */
    struct nwr_line line;        /* as it counts now */
    nwr_wid stored;              /* the line it was written in */
    bool removed;                /* seen by removers at every name they had */
    uint32_t same;               /* index of the one that stands for it, or its own */
};

struct nwr_versions {
    struct nwr_one *e; /* greatest first */
    uint32_t n;
    bool ever; /* the record has had a version */
    struct nwr_marks marks;
    uint64_t *link; /* nwr_name_hash of its names */
    uint32_t nlink;
    const struct nwr_mark *last; /* the latest GONE; NULL */
};
/* Reads what the rows say of an inode. */
void nwr_versions_read(struct nwr_versions *s, const struct nwr_rows *rows, nwr_ino ino);
void nwr_versions_deinit(struct nwr_versions *s);
/* The first that stands for itself and, if unseen is set, was not removed; NULL. Walk on by
 * passing the one before. */
const struct nwr_one *nwr_versions_next(const struct nwr_versions *s, const struct nwr_one *after,
                                        bool unseen);
const struct nwr_one *nwr_versions_find(const struct nwr_versions *s, nwr_wid wid);

uint64_t nwr_name_hash(nwr_ino parent, const char *name, size_t len);
/* The number shown for a sibling, and of a copy of it: same on every node. */
nwr_ino nwr_ino_fork(nwr_ino ino, nwr_wid wid);

#endif
