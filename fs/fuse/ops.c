/* ops.c -- libfuse's calls turned into struct nwr_fs_req. Nothing is decided here. */
#include "fs/fuse/internal.h"

#include <fcntl.h>

static struct nwr_session *session_of(fuse_req_t req)
{
    return fuse_req_userdata(req);
}

static struct nwr_fs_req *begin(fuse_req_t req, enum nwr_fs_op op, fuse_ino_t node)
{
    const struct fuse_ctx *ctx = fuse_req_ctx(req);
    struct nwr_fs_req *r = nwr_fs_req_new(op, node);

    r->uid = ctx->uid;
    r->gid = ctx->gid;
    r->pid = (uint32_t)ctx->pid;
    r->umask = ctx->umask;
    r->kill_priv = session_of(req)->kill_priv;
    r->user = req;
    return r;
}

static struct nwr_fs_req *begin_named(fuse_req_t req, enum nwr_fs_op op, fuse_ino_t node,
                                      const char *name)
{
    struct nwr_fs_req *r = begin(req, op, node);

    r->name = nwr_strdup(name);
    return r;
}

static struct nwr_fs_req *begin_open(fuse_req_t req, enum nwr_fs_op op, fuse_ino_t node,
                                     const struct fuse_file_info *fi)
{
    struct nwr_fs_req *r = begin(req, op, node);

    r->fh = fi ? fi->fh : 0;
    r->flags = fi ? (uint32_t)fi->flags : 0;
    r->direct = fi && fi->flags & O_DIRECT;
    return r;
}

/* The calls whose base depends on what the calling process has read (DESIGN 9). */
static bool wants_process(enum nwr_fs_op op)
{
    return op == NWR_FS_OPEN || op == NWR_FS_CREATE || op == NWR_FS_RENAME;
}

/* The calls that may leave setgid only where the caller is of the group. */
static bool wants_groups(const struct nwr_fs_req *r)
{
    return r->uid && (r->kill_priv || r->op == NWR_FS_SETXATTR);
}

static void on_interrupt(fuse_req_t req, void *data)
{
    struct nwr_fs_req *r = data;

    (void)req;
    r->interrupted = true;
}

static void submit(fuse_req_t req, struct nwr_fs_req *r)
{
    struct nwr_session *s = session_of(req);
    struct nwr_fs_event ev = {.kind = NWR_FS_EV_REQUEST, .req = r};

    if (wants_process(r->op))
        r->process = nwr_proc_of(&s->proc, r, uv_now(s->loop))->key;
    if (wants_groups(r)) {
        const struct nwr_proc *p = nwr_proc_of(&s->proc, r, uv_now(s->loop));

        memcpy(r->group, p->group, sizeof(r->group));
        r->ngroup = p->ngroup;
    }
    fuse_req_interrupt_func(req, on_interrupt, r);
    s->requests_pending++;
    nwr_session_event(s, &ev);
}

static void ll_init(void *userdata, struct fuse_conn_info *conn)
{
    (void)userdata;
    /* With AUTO_INVAL_DATA each own write followed by a stat drops our own cache. */
    conn->want &= ~(unsigned)FUSE_CAP_AUTO_INVAL_DATA;
    conn->want |= conn->capable & FUSE_CAP_EXPLICIT_INVAL_DATA;
    conn->want |= conn->capable & (FUSE_CAP_READDIRPLUS | FUSE_CAP_READDIRPLUS_AUTO);
    conn->want |= conn->capable & (FUSE_CAP_ASYNC_READ | FUSE_CAP_ATOMIC_O_TRUNC);
    conn->want |= conn->capable & FUSE_CAP_EXPORT_SUPPORT; /* ll_lookup */
    /* Splice costs two system calls a small request; the write-back cache would make the kernel
     * the owner of size and mtime, which remote changes could not correct. */
    conn->want &= ~(unsigned)(FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE);
    conn->want &= ~(unsigned)FUSE_CAP_WRITEBACK_CACHE;
    conn->max_write = 1 << 20;
    conn->max_readahead = 1 << 20;
    /* Readahead stops at the congestion threshold; the defaults are 12 and 9. */
    conn->max_background = 64;
    conn->congestion_threshold = 48;
    conn->time_gran = 1;
}

/* "." and ".." are asked for only where a handle is opened (FUSE_EXPORT_SUPPORT). */
static void ll_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        struct nwr_fs_req *r = begin(req, NWR_FS_HANDLE, parent);

        r->flags = name[1] ? NWR_HANDLE_PARENT : 0;
        submit(req, r);
        return;
    }
    submit(req, begin_named(req, NWR_FS_LOOKUP, parent, name));
}

static void forget_one(struct nwr_session *s, fuse_ino_t ino, uint64_t nlookup)
{
    struct nwr_fs_req *r = nwr_fs_req_new(NWR_FS_FORGET, ino);
    struct nwr_fs_event ev = {.kind = NWR_FS_EV_REQUEST, .req = r};

    r->count = nlookup;
    nwr_session_event(s, &ev);
}

static void ll_forget(fuse_req_t req, fuse_ino_t ino, uint64_t nlookup)
{
    forget_one(session_of(req), ino, nlookup);
    fuse_reply_none(req);
}

static void ll_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
    for (size_t i = 0; i < count; i++)
        forget_one(session_of(req), forgets[i].ino, forgets[i].nlookup);
    fuse_reply_none(req);
}

static void ll_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    submit(req, begin_open(req, NWR_FS_GETATTR, ino, fi));
}

static nwr_ns ns_of(struct timespec t)
{
    const time_t most = INT64_MAX / 1000000000 - 1;

    if (t.tv_sec < -most || t.tv_sec > most)
        return (t.tv_sec < 0 ? -most : most) * 1000000000;
    return t.tv_sec * 1000000000 + t.tv_nsec;
}

static void ll_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
                       struct fuse_file_info *fi)
{
    static const struct {
        int fuse;
        enum nwr_fs_set set;
    } bits[] = {{FUSE_SET_ATTR_MODE, NWR_SET_MODE},
                {FUSE_SET_ATTR_UID, NWR_SET_UID},
                {FUSE_SET_ATTR_GID, NWR_SET_GID},
                {FUSE_SET_ATTR_SIZE, NWR_SET_SIZE},
                {FUSE_SET_ATTR_ATIME, NWR_SET_ATIME},
                {FUSE_SET_ATTR_MTIME, NWR_SET_MTIME},
                {FUSE_SET_ATTR_ATIME_NOW, NWR_SET_ATIME_NOW},
                {FUSE_SET_ATTR_MTIME_NOW, NWR_SET_MTIME_NOW}};
    struct nwr_fs_req *r = begin_open(req, NWR_FS_SETATTR, ino, fi);

    for (size_t i = 0; i < NWR_COUNT(bits); i++)
        r->set |= to_set & bits[i].fuse ? bits[i].set : 0u;
    if (r->kill_priv)
        r->set |= NWR_SET_KILL_SUIDGID;
    r->mode = attr->st_mode;
    r->off = (uint64_t)attr->st_size;
    r->size = (uint64_t)attr->st_size;
    r->count = (uint64_t)attr->st_uid << 32 | attr->st_gid;
    r->atime = ns_of(attr->st_atim);
    r->mtime = ns_of(attr->st_mtim);
    submit(req, r);
}

static void ll_readlink(fuse_req_t req, fuse_ino_t ino)
{
    submit(req, begin(req, NWR_FS_READLINK, ino));
}

static void make(fuse_req_t req, enum nwr_fs_op op, fuse_ino_t parent, const char *name,
                 mode_t mode, dev_t rdev)
{
    struct nwr_fs_req *r = begin_named(req, op, parent, name);

    r->mode = mode;
    r->rdev = (uint32_t)rdev;
    submit(req, r);
}

static void ll_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev)
{
    make(req, NWR_FS_MKNOD, parent, name, mode, rdev);
}

static void ll_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
    make(req, NWR_FS_MKDIR, parent, name, mode, 0);
}

static void ll_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    submit(req, begin_named(req, NWR_FS_UNLINK, parent, name));
}

static void ll_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    submit(req, begin_named(req, NWR_FS_RMDIR, parent, name));
}

static void ll_symlink(fuse_req_t req, const char *text, fuse_ino_t parent, const char *name)
{
    struct nwr_fs_req *r = begin_named(req, NWR_FS_SYMLINK, parent, name);

    r->name2 = nwr_strdup(text);
    submit(req, r);
}

static void ll_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t newparent,
                      const char *newname, unsigned int flags)
{
    struct nwr_fs_req *r = begin_named(req, NWR_FS_RENAME, parent, name);

    r->node2 = newparent;
    r->name2 = nwr_strdup(newname);
    r->flags = flags;
    submit(req, r);
}

static void ll_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t newparent, const char *newname)
{
    struct nwr_fs_req *r = begin(req, NWR_FS_LINK, ino);

    r->node2 = newparent;
    r->name2 = nwr_strdup(newname);
    submit(req, r);
}

static void ll_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
                      struct fuse_file_info *fi)
{
    enum nwr_fs_op op = session_of(req)->tmpfile ? NWR_FS_TMPFILE : NWR_FS_CREATE;
    struct nwr_fs_req *r = begin_open(req, op, parent, fi);

    r->name = nwr_strdup(name);
    r->mode = mode;
    submit(req, r);
}

static void ll_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    submit(req, begin_open(req, NWR_FS_OPEN, ino, fi));
}

static void transfer(fuse_req_t req, enum nwr_fs_op op, fuse_ino_t ino, size_t size, off_t off,
                     struct fuse_file_info *fi)
{
    struct nwr_fs_req *r = begin_open(req, op, ino, fi);

    r->off = (uint64_t)off;
    r->size = size;
    submit(req, r);
}

static void ll_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
                    struct fuse_file_info *fi)
{
    transfer(req, NWR_FS_READ, ino, size, off, fi);
}

static void ll_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t off,
                     struct fuse_file_info *fi)
{
    struct nwr_session *s = session_of(req);
    struct nwr_fs_req *r = begin_open(req, NWR_FS_WRITE, ino, fi);

    r->off = (uint64_t)off;
    r->size = size;
    if (size < NWR_FUSE_COPY_BELOW) {
        r->data = nwr_blob_copy(data, size);
    } else {
        r->data = nwr_fuse_buf_blob(s->buf, data, size);
        s->buf_taken = true;
    }
    submit(req, r);
}

static void ll_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    submit(req, begin_open(req, NWR_FS_FLUSH, ino, fi));
}

static void ll_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    submit(req, begin_open(req, NWR_FS_RELEASE, ino, fi));
}

static void ll_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
    (void)datasync;
    submit(req, begin_open(req, NWR_FS_FSYNC, ino, fi));
}

static void ll_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    submit(req, begin_open(req, NWR_FS_OPENDIR, ino, fi));
}

static void ll_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
                       struct fuse_file_info *fi)
{
    transfer(req, NWR_FS_READDIR, ino, size, off, fi);
}

static void ll_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
                           struct fuse_file_info *fi)
{
    transfer(req, NWR_FS_READDIRPLUS, ino, size, off, fi);
}

static void ll_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    submit(req, begin_open(req, NWR_FS_RELEASEDIR, ino, fi));
}

/* Name operations are sent at the call: nothing of a directory waits here. */
static void ll_fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
    (void)datasync;
    submit(req, begin_open(req, NWR_FS_FSYNC, ino, fi));
}

static void ll_statfs(fuse_req_t req, fuse_ino_t ino)
{
    submit(req, begin(req, NWR_FS_STATFS, ino));
}

static void ll_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value,
                        size_t size, int flags)
{
    struct nwr_fs_req *r = begin_named(req, NWR_FS_SETXATTR, ino, name);

    r->data = nwr_blob_copy(value, size);
    r->flags = (uint32_t)flags;
    submit(req, r);
}

static void ll_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
    struct nwr_fs_req *r = begin_named(req, NWR_FS_GETXATTR, ino, name);

    r->size = size;
    submit(req, r);
}

static void ll_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
    struct nwr_fs_req *r = begin(req, NWR_FS_LISTXATTR, ino);

    r->size = size;
    submit(req, r);
}

static void ll_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
    submit(req, begin_named(req, NWR_FS_REMOVEXATTR, ino, name));
}

static void ll_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t off, off_t length,
                         struct fuse_file_info *fi)
{
    struct nwr_fs_req *r = begin_open(req, NWR_FS_FALLOCATE, ino, fi);

    r->kill_priv = r->uid != 0; /* the kernel does not say who may keep setuid here */
    r->flags = (uint32_t)mode;
    r->off = (uint64_t)off;
    r->size = (uint64_t)length;
    submit(req, r);
}

static void ll_copy_file_range(fuse_req_t req, fuse_ino_t ino_in, off_t off_in,
                               struct fuse_file_info *fi_in, fuse_ino_t ino_out, off_t off_out,
                               struct fuse_file_info *fi_out, size_t len, int flags)
{
    struct nwr_fs_req *r = begin_open(req, NWR_FS_COPY, ino_in, fi_in);

    (void)fi_out;
    r->flags = (uint32_t)flags;
    r->kill_priv = r->uid != 0;
    r->node2 = ino_out;
    r->off = (uint64_t)off_in;
    r->count = (uint64_t)off_out;
    r->size = len;
    submit(req, r);
}

static void ll_lseek(fuse_req_t req, fuse_ino_t ino, off_t off, int whence,
                     struct fuse_file_info *fi)
{
    struct nwr_fs_req *r = begin_open(req, NWR_FS_LSEEK, ino, fi);

    r->off = (uint64_t)off;
    r->flags = (uint32_t)whence;
    submit(req, r);
}

/* write, not write_buf: with write_buf libfuse turns splice on for every request. */
const struct fuse_lowlevel_ops nwr_fuse_ops = {
    .init = ll_init,
    .lookup = ll_lookup,
    .forget = ll_forget,
    .forget_multi = ll_forget_multi,
    .getattr = ll_getattr,
    .setattr = ll_setattr,
    .readlink = ll_readlink,
    .mknod = ll_mknod,
    .mkdir = ll_mkdir,
    .unlink = ll_unlink,
    .rmdir = ll_rmdir,
    .symlink = ll_symlink,
    .rename = ll_rename,
    .link = ll_link,
    .create = ll_create,
    .open = ll_open,
    .read = ll_read,
    .write = ll_write,
    .flush = ll_flush,
    .release = ll_release,
    .fsync = ll_fsync,
    .opendir = ll_opendir,
    .readdir = ll_readdir,
    .readdirplus = ll_readdirplus,
    .releasedir = ll_releasedir,
    .fsyncdir = ll_fsyncdir,
    .statfs = ll_statfs,
    .setxattr = ll_setxattr,
    .getxattr = ll_getxattr,
    .listxattr = ll_listxattr,
    .removexattr = ll_removexattr,
    .fallocate = ll_fallocate,
    .lseek = ll_lseek,
    .copy_file_range = ll_copy_file_range,
};
