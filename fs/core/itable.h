/* itable.h -- the kernel's nodes: one per (inode, version it stands for), counted exactly.
 *
 * DESIGN 10: a node stands for one line of versions. While it is clean a descendant of its version
 * keeps the node; a concurrent version that takes the head gets a node of its own, and open files
 * keep the old one. While it is dirty its base is frozen. The first node of an inode has the
 * inode's number, so that a handle finds it again (op_handle.c); further ones are counted from 2,
 * which no inode is numbered by. The generation is always 1. Node 1 is the root and never goes.
 *
 *   free <-- nlookup, opens and pins all 0 --- node --- lookup, create --> node
 *
 * Invariants (nwr_itable_check): every node is in both chains; no node without a reference.
 * Ownership: the table owns nodes; a node its file and its held writes. Thread: the loop.
 */
#ifndef NWR_FS_ITABLE_H
#define NWR_FS_ITABLE_H

#include "fs/core/view.h"

#define NWR_NODE_ROOT 1
#define NWR_SUBDIRS_MANY UINT32_MAX

struct nwr_node {
    uint64_t id, nlookup;
    uint32_t opens;    /* open handles */
    uint32_t pins;     /* transactions and pushes that use it */
    nwr_ino ino, root; /* as last shown (view.h) */
    uint8_t type;
    bool elsewhere;       /* a symbolic link that stands for a directory (view.h) */
    struct nwr_dirs dirs; /* of a directory */
    char *way;            /* the subdirectory that was looked up last; owned; NULL: none */
    bool way_sure;        /* twice in a row */
    uint32_t subdirs;     /* how many it has; NWR_SUBDIRS_MANY: more than are counted */
    uint64_t counted;     /* mark of the attributes they were counted with; 0: not counted */

    struct nwr_seen version; /* base: content it stands for; counter 0: none yet */
    nwr_hlc version_hlc;     /* of it; 0: not known */
    struct nwr_over line;    /* of the base; number: K it was last shown under, 0 bare */
    uint64_t number;
    struct nwr_seen pages; /* content the kernel's pages belong to */
    bool has_pages;
    bool read_cached; /* the kernel asked for pages since somebody opened it */

    struct nwr_policy policy; /* as last shown */
    uint32_t mode, uid, gid;
    nwr_ns touched;      /* directory: newest change of its entries by this mount */
    nwr_hlc touched_hlc; /* after all that had been seen then */
    nwr_ns told;         /* of `touched`, what its attributes say */
    nwr_ms touch_at;     /* when that is written to its attributes; 0: it is */

    struct nwr_file *file;    /* REG, once opened */
    bool loaded;              /* file holds the map of version */
    nwr_ns mtime;             /* of what file holds */
    nwr_ns changed;           /* when they were last written to */
    nwr_ms push_at;           /* when dirty bytes or held writes must go; 0: nothing to send */
    struct nwr_request *held; /* creation not sent yet: writes and guards, birth.h */
    bool tried;               /* held was sent, and nobody knows how that ended */
    bool reading_ahead;
    bool wrote;             /* this mount has pushed something */
    bool reported;          /* its error was given to somebody */
    bool failed;            /* the last push failed, the bytes are kept */
    bool on_disk;           /* the last push went to disk */
    uint32_t twins;         /* other inodes of its name hold the same: they go before it changes */
    struct nwr_dirs within; /* where that was seen */
    bool refused;  /* its base was replaced: it goes to the spool, not to the volume (refuse.c) */
    bool saved;    /* what was refused is there as it is now */
    bool dropped;  /* without a name before it was ever sent: lives on this mount only */
    bool unlinked; /* it has no name: the last went on this mount, or O_TMPFILE */
    bool linkable; /* O_TMPFILE: LINK may give it one */
    bool pushing;
    const struct nwr_txn *barred; /* pushing, but it only keeps pushes from beginning (push.c) */
    uint32_t returned;            /* how often a push failed and what it borrowed was given back */
    uint64_t kept_as;             /* what was refused; 0 */
    uint64_t kept;                /* it stands for this refused content itself; 0 */
    nwr_wid *unsure;              /* content writes whose end is unknown: named by the next one */
    uint32_t nunsure;
    enum nwr_err err;  /* of a push, until flush or fsync has reported it */
    enum nwr_err last; /* how the last push ended */
    uint64_t read_end; /* end of the last READ: sequential readers get readahead */

    struct nwr_node *next_id, *next_root;
};

struct nwr_itable {
    struct nwr_node **by_id, **by_root;
    uint32_t buckets, n;
    uint64_t next;
    struct nwr_node **birth; /* nodes that hold a creation back (birth.h) */
    uint32_t nbirth, capbirth;
};

void nwr_itable_init(struct nwr_itable *it);
void nwr_itable_deinit(struct nwr_itable *it);
struct nwr_node *nwr_itable_find(struct nwr_itable *it, uint64_t id);
/* First node of a root inode; walk on with nwr_itable_next. */
struct nwr_node *nwr_itable_of(struct nwr_itable *it, nwr_ino root);
struct nwr_node *nwr_itable_next(struct nwr_node *n);
struct nwr_node *nwr_itable_add(struct nwr_itable *it, nwr_ino ino, nwr_ino root, uint8_t type);
/* Frees n if nothing refers to it any more and it has nothing to send. */
void nwr_itable_reap(struct nwr_itable *it, struct nwr_node *n);
void nwr_itable_check(const struct nwr_itable *it);
/* Frees what n held back: it was sent, or is not wanted. */
void nwr_itable_unhold(struct nwr_itable *it, struct nwr_node *n);
/* From now on n stands for this content. */
void nwr_node_base(struct nwr_node *n, struct nwr_seen version, nwr_hlc hlc);
/* Dirty bytes or a creation that is not sent. */
bool nwr_node_unsent(const struct nwr_node *n);

#endif
