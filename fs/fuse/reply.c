/* reply.c -- struct nwr_fs_reply turned into libfuse's replies; exactly one a request. */
#include "fs/fuse/internal.h"

#include <sys/uio.h>

enum {
    IOV_PIECES_MAX = 1000
}; /* below IOV_MAX, with room for libfuse's header */

static const uint8_t zeros[65536];

static struct fuse_entry_param entry_param(const struct nwr_fs_entry *e)
{
    struct fuse_entry_param p;

    memset(&p, 0, sizeof(p));
    p.ino = e->node;
    p.generation = e->generation;
    p.attr = e->st;
    p.attr_timeout = (double)e->attr_ms / 1000;
    p.entry_timeout = (double)e->entry_ms / 1000;
    return p;
}

static struct fuse_file_info file_info(const struct nwr_fs_reply *reply)
{
    struct fuse_file_info fi;

    memset(&fi, 0, sizeof(fi));
    fi.fh = reply->fh;
    fi.keep_cache = reply->keep_cache;
    fi.noflush = reply->noflush;
    fi.direct_io = reply->direct_io;
    return fi;
}

/* Pieces of data as an iovec array, holes as zeros. Returns how many; 0 if there are too many. */
static int gather(const struct nwr_fs_reply *reply, struct iovec *iov)
{
    int n = 0;

    for (uint32_t i = 0; i < reply->nslice; i++) {
        const struct nwr_fs_slice *s = &reply->slice[i];
        uint32_t done = 0;

        while (done < s->len) {
            uint32_t len = s->blob ? s->len : NWR_MIN(s->len - done, (uint32_t)sizeof(zeros));
            const uint8_t *from = s->blob ? s->blob->data + s->off : zeros;

            if (n == IOV_PIECES_MAX)
                return 0;
            iov[n++] = (struct iovec){(void *)(uintptr_t)from, len};
            done += len;
        }
    }
    return n;
}

static int reply_copied(fuse_req_t req, const struct nwr_fs_reply *reply)
{
    struct nwr_out o = {0};
    int err;

    for (uint32_t i = 0; i < reply->nslice; i++) {
        const struct nwr_fs_slice *s = &reply->slice[i];

        if (s->blob)
            nwr_out_raw(&o, s->blob->data + s->off, s->len);
        for (uint32_t done = 0; !s->blob && done < s->len; done += sizeof(zeros))
            nwr_out_raw(&o, zeros, NWR_MIN(s->len - done, (uint32_t)sizeof(zeros)));
    }
    err = fuse_reply_buf(req, (const char *)o.data, o.len);
    nwr_out_free(&o);
    return err;
}

static int reply_data(fuse_req_t req, const struct nwr_fs_reply *reply)
{
    struct iovec iov[IOV_PIECES_MAX];
    int n = gather(reply, iov);

    if (n > 0)
        return fuse_reply_iov(req, iov, n);
    return reply_copied(req, reply);
}

static int reply_bytes(fuse_req_t req, const struct nwr_fs_req *r, const struct nwr_blob *data)
{
    char text[NWR_SYMLINK_MAX + 1];
    uint32_t len = data ? data->len : 0;

    if (r->op != NWR_FS_READLINK)
        return fuse_reply_buf(req, len ? (const char *)data->data : NULL, len);
    nwr_assert(len <= NWR_SYMLINK_MAX);
    memcpy(text, data->data, len);
    text[len] = '\0';
    return fuse_reply_readlink(req, text);
}

static int reply_dirents(fuse_req_t req, const struct nwr_fs_req *r,
                         const struct nwr_fs_reply *reply)
{
    char *buf = nwr_alloc(r->size);
    size_t used = 0;
    int err;

    for (uint32_t i = 0; i < reply->ndirent; i++) {
        const struct nwr_fs_dirent *d = &reply->dirent[i];
        struct fuse_entry_param p = entry_param(&d->e);
        size_t need;

        if (r->op == NWR_FS_READDIRPLUS)
            need = fuse_add_direntry_plus(req, buf + used, r->size - used, d->name, &p,
                                          (off_t)d->cookie);
        else
            need = fuse_add_direntry(req, buf + used, r->size - used, d->name, &p.attr,
                                     (off_t)d->cookie);
        nwr_assert(need <= r->size - used); /* the core counts the same sizes */
        used += need;
    }
    err = fuse_reply_buf(req, buf, used);
    nwr_free(buf);
    return err;
}

static int reply_statfs(fuse_req_t req, const struct nwr_fs_reply *reply)
{
    struct statvfs st;

    memset(&st, 0, sizeof(st));
    st.f_bsize = st.f_frsize = 4096;
    st.f_blocks = reply->bytes_total / 4096;
    st.f_bfree = st.f_bavail = reply->bytes_free / 4096;
    st.f_files = reply->files + reply->bytes_free / 4096;
    st.f_ffree = st.f_favail = reply->bytes_free / 4096;
    st.f_namemax = NWR_NAME_MAX;
    return fuse_reply_statfs(req, &st);
}

static int reply_count(fuse_req_t req, const struct nwr_fs_req *r, uint64_t count)
{
    return r->op == NWR_FS_WRITE || r->op == NWR_FS_COPY ? fuse_reply_write(req, count)
                                                         : fuse_reply_xattr(req, count);
}

static int send_reply(fuse_req_t req, const struct nwr_fs_req *r, const struct nwr_fs_reply *reply)
{
    struct fuse_entry_param entry = entry_param(&reply->entry);
    struct fuse_file_info fi = file_info(reply);

    switch (reply->kind) {
    case NWR_REPLY_ERR: return fuse_reply_err(req, reply->err);
    case NWR_REPLY_ENTRY: return fuse_reply_entry(req, &entry);
    case NWR_REPLY_CREATE: return fuse_reply_create(req, &entry, &fi);
    case NWR_REPLY_ATTR: return fuse_reply_attr(req, &entry.attr, entry.attr_timeout);
    case NWR_REPLY_OPEN: return fuse_reply_open(req, &fi);
    case NWR_REPLY_DATA: return reply_data(req, reply);
    case NWR_REPLY_BYTES: return reply_bytes(req, r, reply->data);
    case NWR_REPLY_COUNT: return reply_count(req, r, reply->count);
    case NWR_REPLY_DIRENTS: return reply_dirents(req, r, reply);
    case NWR_REPLY_STATFS: return reply_statfs(req, reply);
    case NWR_REPLY_OFF: return fuse_reply_lseek(req, (off_t)reply->count);
    }
    nwr_panic(__FILE__, __LINE__, "unknown reply");
}

bool nwr_fuse_reply(struct nwr_fs_req *r, struct nwr_fs_reply *reply)
{
    fuse_req_t req = r->user;
    bool taken;

    fuse_req_interrupt_func(req, NULL, NULL);
    taken = send_reply(req, r, reply) != -ENOENT;
    return taken;
}
