/* internal.h -- what the files of fs/fuse share: the session and its parts.
 *
 * Thread: the loop's, but for the notifier's own.
 */
#ifndef NWR_FUSE_INTERNAL_H
#define NWR_FUSE_INTERNAL_H

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>

#include "fs/fuse/session.h"

enum {
    NWR_FUSE_REQUESTS_PER_WAKE = 64, /* then the sockets get their turn */
    NWR_FUSE_BUFFER_BYTES = (1 << 20) + 4096,
    NWR_FUSE_BUFFERS_KEPT = 8,
    NWR_FUSE_COPY_BELOW = 65536, /* smaller writes are copied, larger ones keep the buffer */
    NWR_FUSE_HEADERS = 80,       /* in_header and write_in: the payload is then page aligned */
    NWR_NOTIFY_QUEUE_MAX = 65536,
    NWR_NOTIFY_STUCK_MS = 20000,
    NWR_STOP_MS = 5000 /* a stop goes on sending for this long after something was taken */
};

/* ---- request buffers: pooled, so that a WRITE payload can be kept without a copy ---- */
struct nwr_fuse_pool;
struct nwr_fuse_buf {
    struct nwr_fuse_pool *pool;
    struct nwr_fuse_buf *next;
    uint8_t *base, *data; /* data: where the request begins */
};
struct nwr_fuse_pool *nwr_fuse_pool_create(void);
/* Buffers still out are freed when their last blob goes. */
void nwr_fuse_pool_destroy(struct nwr_fuse_pool *p);
struct nwr_fuse_buf *nwr_fuse_pool_get(struct nwr_fuse_pool *p);
void nwr_fuse_pool_put(struct nwr_fuse_buf *b);
/* A blob over [from, from + len) of b; takes b. */
struct nwr_blob *nwr_fuse_buf_blob(struct nwr_fuse_buf *b, const void *from, size_t len);

/* ---- who calls: thread group and its start time, other groups; cached for a moment ---- */
struct nwr_proc {
    uint32_t tid, uid, gid;
    uint64_t key; /* 0: not known */
    uint32_t group[NWR_FS_GROUPS], ngroup;
    nwr_ms read_at;
};
struct nwr_proc_cache {
    struct nwr_proc slot[256];
};
/* Of the caller of r. */
const struct nwr_proc *nwr_proc_of(struct nwr_proc_cache *c, const struct nwr_fs_req *r,
                                   nwr_ms now);

/* ---- notifications ---- */
struct nwr_notifier;
struct nwr_notifier *nwr_notifier_create(uv_loop_t *loop, struct fuse_session *se, unsigned device,
                                         void (*on_inode)(void *arg, uint64_t node), void *arg);
/* size 0: all behind off. */
void nwr_notifier_inode(struct nwr_notifier *n, uint64_t node, uint64_t off, uint64_t size);
void nwr_notifier_entry(struct nwr_notifier *n, uint64_t node, const char *name);
/* Aborts the connection if one notification has been under way for too long. */
void nwr_notifier_watch(struct nwr_notifier *n, nwr_ms now);
/* Stops the thread (the connection must be gone or answering), then on_closed. */
void nwr_notifier_close(struct nwr_notifier *n, void (*on_closed)(void *arg), void *arg);

/* ---- refused contents, in a directory of this machine (spool.c) ---- */
struct nwr_spool;
struct nwr_spool_list {
    struct nwr_spool_item *item; /* the caller's */
    uint32_t n, cap;
};
/* Opens it, made if need be, and lists what it keeps of a volume. NULL: text says why. */
struct nwr_spool *nwr_spool_open(const char *path, uint64_t volume, struct nwr_spool_list *list,
                                 char *text, size_t text_len);
/* Carries op out on a worker thread; done gets it back, on the loop. Ops of one item come one
 * after the other. */
void nwr_spool_submit(struct nwr_spool *s, uv_loop_t *loop, struct nwr_spool_op *op,
                      void (*done)(void *arg, struct nwr_spool_op *op), void *arg);
/* Nothing of it is under way. NULL is ignored. */
void nwr_spool_close(struct nwr_spool *s);

struct nwr_session {
    uv_loop_t *loop;
    struct nwr_volume *volume;
    struct nwr_session_options options;
    char *mountpoint;
    struct fuse_session *se;
    struct nwr_mount *mount;
    struct nwr_fuse_pool *pool;
    struct nwr_fuse_buf *buf; /* the one being read into or decoded */
    bool buf_taken;           /* decoding kept it as a blob */
    bool kill_priv;           /* of the request being decoded: libfuse hides it */
    bool acl;                 /* POSIX ACLs are asked for in INIT */
    bool tmpfile;             /* the CREATE being decoded is a TMPFILE */
    uint64_t init_unique;     /* of the INIT whose reply is patched; 0 none */
    uint32_t init_flags;      /* what the kernel offered */
    struct nwr_proc_cache proc;
    struct nwr_notifier *notifier;
    struct nwr_spool *spool; /* NULL: refused contents are not kept */
    uv_poll_t poll;
    uv_timer_t timer;
    int fd;
    unsigned device;              /* minor: names the connection below /sys/fs/fuse */
    uint32_t volume_pending;      /* volume requests under way, and spool ops */
    uint32_t requests_pending;    /* kernel requests not answered */
    bool stopping, gone, stopped; /* gone: the kernel ended the connection */
    bool unmounted;
    nwr_ms stop_at;   /* nothing more is sent after this; what is under way is waited for */
    uint32_t handles; /* open uv handles */
    void (*on_closed)(void *arg);
    void *closed_arg;
};

/* Runs one event through the core and carries out its effects. */
void nwr_session_event(struct nwr_session *s, struct nwr_fs_event *ev);
/* options.c: the text for libfuse, freed by the caller; finds our own words. */
char *nwr_session_mount_options(const char *options, const char *source,
                                struct nwr_mount_config *config);
/* ops.c */
extern const struct fuse_lowlevel_ops nwr_fuse_ops;
/* reply.c: answers and frees both. False: the kernel had given the request up. */
bool nwr_fuse_reply(struct nwr_fs_req *r, struct nwr_fs_reply *reply);
/* io.c: the functions libfuse reads and writes with, and what it hides. */
extern const struct fuse_custom_io nwr_fuse_io;
void nwr_fuse_peek(struct nwr_session *s, uint8_t *request, size_t len);
/* kernel.c: the mount's device number from mountinfo (no request to ourselves); 0 unknown. */
unsigned nwr_fuse_device(const char *mountpoint);
void nwr_fuse_set_readahead(unsigned device, unsigned kib);
void nwr_fuse_abort(unsigned device);

#endif
