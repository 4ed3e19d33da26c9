/* mount.h -- one mounted file system, whole: step(event) -> effects, no kernel, no clock.
 *
 * A request becomes a transaction: a plan function that reads records from the transaction's
 * snapshot and is run again from its start when a record it needed has arrived, so that every
 * operation is straight-line code (txn.h). What it decides is a list of batches, sent in order;
 * then one reply. Files buffer writes and creations and push them later (file.h, push.c).
 *
 *     kernel request --> plan --need--> volume READ --> plan again ... --> volume PUT --> reply
 *
 * Ownership: a request is taken by the step that carries it and given back by its REPLY effect,
 * exactly once (FORGET has no reply). Volume requests are given to the driver, responses are
 * borrowed during the step. Thread: the loop. Node id 1 is the root.
 */
#ifndef NWR_FS_MOUNT_H
#define NWR_FS_MOUNT_H

#include "fs/core/spool.h"
#include "nwr/volume.h"

#include <sys/stat.h>

/* What replicas ask fs (nwr/volume.h); any thread. */
nwr_silent nwr_inode_silent;

enum nwr_fs_op {
    NWR_FS_LOOKUP,
    NWR_FS_FORGET, /* node, count; no reply */
    NWR_FS_GETATTR,
    NWR_FS_SETATTR,
    NWR_FS_READLINK,
    NWR_FS_MKNOD, /* every type but directory and symlink */
    NWR_FS_MKDIR,
    NWR_FS_UNLINK,
    NWR_FS_RMDIR,
    NWR_FS_SYMLINK, /* text in name2 */
    NWR_FS_RENAME,  /* node/name -> node2/name2, flags RENAME_* */
    NWR_FS_LINK,    /* node is the file; new name: node2/name2 */
    NWR_FS_CREATE,  /* flags: open flags, O_EXCL counts */
    NWR_FS_OPEN,
    NWR_FS_READ,
    NWR_FS_WRITE, /* data */
    NWR_FS_FLUSH,
    NWR_FS_FSYNC,
    NWR_FS_RELEASE,
    NWR_FS_OPENDIR,
    NWR_FS_READDIR,
    NWR_FS_READDIRPLUS,
    NWR_FS_RELEASEDIR,
    NWR_FS_STATFS,
    NWR_FS_SETXATTR, /* name, data; flags XATTR_* */
    NWR_FS_GETXATTR, /* name; size 0 asks for the length */
    NWR_FS_LISTXATTR,
    NWR_FS_REMOVEXATTR,
    NWR_FS_FALLOCATE, /* flags: mode */
    NWR_FS_LSEEK,     /* flags: SEEK_HOLE, SEEK_DATA */
    NWR_FS_TMPFILE,   /* node: the directory; flags: with O_EXCL it never gets a name */
    NWR_FS_COPY,      /* node: from, node2: to; off, size; count: offset in the target */
    NWR_FS_HANDLE,    /* a node that may be forgotten, or its parent; flags: NWR_HANDLE_PARENT */
    NWR_FS_OPS
};

#define NWR_HANDLE_PARENT 1
#define NWR_FS_GROUPS 32 /* of a caller; who has more is taken for no member of the rest */

enum nwr_fs_set {
    NWR_SET_MODE = 1,
    NWR_SET_UID = 2,
    NWR_SET_GID = 4,
    NWR_SET_SIZE = 8,
    NWR_SET_ATIME = 16,
    NWR_SET_MTIME = 32,
    NWR_SET_ATIME_NOW = 64,
    NWR_SET_MTIME_NOW = 128,
    NWR_SET_KILL_SUIDGID = 256
};

struct nwr_fs_req {
    enum nwr_fs_op op;
    uint64_t node, node2;
    char *name, *name2; /* owned */
    uint64_t fh;
    uint32_t uid, gid, pid; /* of the caller; pid as the kernel gives it (a thread) */
    uint64_t process;       /* key of the calling process (thread group, start time); 0 unknown */
    uint32_t mode, rdev, umask;
    uint32_t flags;
    bool direct;    /* READ, WRITE: opened with O_DIRECT */
    bool kill_priv; /* WRITE, OPEN, FALLOCATE, COPY: clear setuid/setgid (HANDLE_KILLPRIV_V2) */
    uint32_t group[NWR_FS_GROUPS], ngroup; /* the caller's others, where kill_priv or an ACL asks */
    uint32_t set;                          /* SETATTR: enum nwr_fs_set */
    nwr_ns atime, mtime;
    uint64_t off, size;    /* SETATTR SIZE: size. FALLOCATE: off, size. READ*: off, size */
    uint64_t count;        /* FORGET */
    struct nwr_blob *data; /* WRITE, SETXATTR; owned count */
    bool interrupted;      /* set by the driver: answer E_INTR where undo is safe */
    uint64_t unique;       /* the driver's */
    void *user;            /* the driver's: fuse_req_t */
};

struct nwr_fs_entry {
    uint64_t node; /* 0: negative */
    uint64_t generation;
    struct stat st;           /* st_ino = inode number of what is shown */
    nwr_ms entry_ms, attr_ms; /* kernel timeouts; 0 until leases exist */
};

struct nwr_fs_dirent {
    const char *name;      /* borrowed until the reply is freed */
    struct nwr_fs_entry e; /* READDIR: st_ino and type bits of st_mode only */
    uint64_t cookie;       /* off of the next entry */
};

struct nwr_fs_slice { /* a piece of READ data; blob NULL: zeros */
    struct nwr_blob *blob;
    uint32_t off, len;
};

enum nwr_fs_reply_kind {
    NWR_REPLY_ERR,    /* err; 0 is plain success */
    NWR_REPLY_ENTRY,  /* LOOKUP, MKNOD, MKDIR, SYMLINK, LINK, HANDLE */
    NWR_REPLY_CREATE, /* CREATE, TMPFILE: entry + open */
    NWR_REPLY_ATTR,   /* entry.st, entry.attr_ms */
    NWR_REPLY_OPEN,
    NWR_REPLY_DATA,    /* slices */
    NWR_REPLY_BYTES,   /* data: READLINK text, xattr value or list */
    NWR_REPLY_COUNT,   /* WRITE, COPY; size of an xattr */
    NWR_REPLY_DIRENTS, /* as many as fit in req->size (dirent sizes of the FUSE protocol) */
    NWR_REPLY_STATFS,
    NWR_REPLY_OFF /* LSEEK */
};

struct nwr_fs_reply {
    enum nwr_fs_reply_kind kind;
    int err; /* errno, positive */
    struct nwr_fs_entry entry;
    uint64_t fh;
    bool keep_cache, noflush, direct_io;
    struct nwr_fs_slice *slice;
    uint32_t nslice;
    struct nwr_blob *data;
    uint64_t count;
    struct nwr_fs_dirent *dirent;
    uint32_t ndirent;
    uint64_t bytes_total, bytes_free, files;
    void *memory; /* what the dirents borrow from */
};

enum nwr_fs_effect_kind {
    NWR_FS_REPLY,       /* answer req, then nwr_fs_req_destroy and nwr_fs_reply_deinit */
    NWR_FS_VOLUME,      /* submit vreq; its answer comes back as NWR_FS_EV_VOLUME */
    NWR_FS_SPOOL,       /* carry out spool; it comes back as NWR_FS_EV_SPOOL */
    NWR_FS_INVAL_INODE, /* drop pages of node, size bytes from off (0: the rest); attributes too */
    NWR_FS_INVAL_ENTRY, /* forget node/name */
    NWR_FS_LOG          /* text, "event=...": a warning for operators */
};

struct nwr_fs_effect {
    enum nwr_fs_effect_kind kind;
    struct nwr_fs_req *req;
    struct nwr_fs_reply reply;
    struct nwr_request *vreq;
    struct nwr_spool_op *spool;
    uint64_t node;
    uint64_t off, size;
    char *text; /* name of INVAL_ENTRY, line of LOG; owned */
};

struct nwr_fs_effects {
    struct nwr_fs_effect *e;
    uint32_t n, cap;
};

enum nwr_fs_event_kind {
    NWR_FS_EV_REQUEST, /* req, taken */
    NWR_FS_EV_VOLUME,  /* vreq and res of a VOLUME effect; res->rows may be taken */
    NWR_FS_EV_SPOOL,   /* a spool op is done; taken */
    NWR_FS_EV_INVALED, /* an INVAL_INODE of `node` returned; each does, or replies wait */
    NWR_FS_EV_TICK,    /* nwr_mount_deadline passed */
    NWR_FS_EV_STOP     /* push everything; stopped when nwr_mount_idle */
};

struct nwr_fs_event {
    enum nwr_fs_event_kind kind;
    nwr_ms now;
    nwr_ns wall;
    struct nwr_fs_req *req;
    struct nwr_request *vreq;
    struct nwr_response *res;
    struct nwr_spool_op *spool;
    uint64_t node;
};

struct nwr_mount_config {
    struct nwr_volume_info info;
    uint64_t seed;     /* for write_ids */
    uint32_t uid, gid; /* of the mounting user */
    bool sync;         /* -o sync: every close and write at disk level */
    bool acl;          /* -o acl: the kernel knows of POSIX ACLs (acl.h) */
    bool spool;        /* refused contents can be kept; these are (borrowed) */
    const struct nwr_spool_item *kept;
    uint32_t nkept;
};

struct nwr_mount;
struct nwr_mount *nwr_mount_create(const struct nwr_mount_config *config);
void nwr_mount_destroy(struct nwr_mount *m);
void nwr_mount_step(struct nwr_mount *m, struct nwr_fs_event *ev, struct nwr_fs_effects *out);
nwr_ms nwr_mount_deadline(const struct nwr_mount *m);
/* At the end: a LOG for each file that reached nobody, and whose error was told to nobody. */
void nwr_mount_unsent(struct nwr_mount *m, struct nwr_fs_effects *out);
/* Nothing dirty, nothing under way. */
bool nwr_mount_idle(const struct nwr_mount *m);
void nwr_mount_check(const struct nwr_mount *m);

struct nwr_fs_counters {
    uint64_t requests[NWR_FS_OPS]; /* by op */
    uint64_t volume_reads, volume_puts, volume_blocks, round_trips, replans, pushes;
};
const struct nwr_fs_counters *nwr_mount_counters(const struct nwr_mount *m);

struct nwr_fs_req *nwr_fs_req_new(enum nwr_fs_op op, uint64_t node);
void nwr_fs_req_destroy(struct nwr_fs_req *req);
void nwr_fs_reply_deinit(struct nwr_fs_reply *reply);
void nwr_fs_effects_deinit(struct nwr_fs_effects *out);

#endif
