/* io.c -- between libfuse and /dev/fuse: patches INIT, and reads flags that libfuse drops.
 *
 * libfuse 3.14 never sends FUSE_PARALLEL_DIROPS (lookups of one directory are then serialised)
 * nor FUSE_HANDLE_KILLPRIV_V2 (every write(2) then costs a GETXATTR of security.capability). The
 * second obliges us to honour the kill flags of WRITE, SETATTR and OPEN, which libfuse hides. It
 * does not know FUSE_TMPFILE either, which is given to it as a CREATE.
 */
#include "fs/fuse/internal.h"

#include <linux/fuse.h>
#include <sys/uio.h>
#include <unistd.h>

void nwr_fuse_peek(struct nwr_session *s, uint8_t *request, size_t len)
{
    struct fuse_in_header h;
    const uint8_t *arg = request + sizeof(h);
    size_t left = len < sizeof(h) ? 0 : len - sizeof(h);

    s->kill_priv = s->tmpfile = false;
    if (len < sizeof(h))
        return;
    memcpy(&h, request, sizeof(h));
    if (h.opcode == FUSE_INIT && left >= 16) {
        struct fuse_init_in in = {0};

        memcpy(&in, arg, NWR_MIN(left, sizeof(in)));
        s->init_unique = h.unique;
        s->init_flags = in.flags;
    } else if (h.opcode == FUSE_WRITE && left >= sizeof(struct fuse_write_in)) {
        struct fuse_write_in in;

        memcpy(&in, arg, sizeof(in));
        s->kill_priv = in.write_flags & FUSE_WRITE_KILL_SUIDGID;
    } else if (h.opcode == FUSE_SETATTR && left >= sizeof(struct fuse_setattr_in)) {
        struct fuse_setattr_in in;

        memcpy(&in, arg, sizeof(in));
        s->kill_priv = in.valid & FATTR_KILL_SUIDGID;
    } else if (h.opcode == FUSE_OPEN && left >= sizeof(struct fuse_open_in)) {
        struct fuse_open_in in;

        memcpy(&in, arg, sizeof(in));
        s->kill_priv = in.open_flags & FUSE_OPEN_KILL_SUIDGID;
    } else if ((h.opcode == FUSE_CREATE || h.opcode == FUSE_TMPFILE) &&
               left >= sizeof(struct fuse_create_in)) {
        struct fuse_create_in in;

        memcpy(&in, arg, sizeof(in));
        s->kill_priv = in.open_flags & FUSE_OPEN_KILL_SUIDGID;
        s->tmpfile = h.opcode == FUSE_TMPFILE;
        h.opcode = FUSE_CREATE; /* the same in and out; libfuse 3.14 does not know the other */
        memcpy(request, &h, sizeof(h));
    }
}

/* The session whose loop is writing: custom_io hands over the session's userdata. */
static ssize_t on_writev(int fd, struct iovec *iov, int count, void *userdata)
{
    struct nwr_session *s = userdata;
    struct fuse_out_header h;

    if (s && s->init_unique && count == 2 && iov[0].iov_len == sizeof(h) &&
        iov[1].iov_len >= offsetof(struct fuse_init_out, max_background)) {
        memcpy(&h, iov[0].iov_base, sizeof(h));
        if (h.unique == s->init_unique && h.error == 0) {
            struct fuse_init_out *out = iov[1].iov_base;

            out->flags |= s->init_flags & (FUSE_PARALLEL_DIROPS | FUSE_HANDLE_KILLPRIV_V2);
            if (s->acl) /* the umask is ours then: a default ACL takes its place */
                out->flags |= s->init_flags & (FUSE_POSIX_ACL | FUSE_DONT_MASK);
            s->init_unique = 0;
        }
    }
    return writev(fd, iov, count);
}

static ssize_t on_read(int fd, void *buf, size_t len, void *userdata)
{
    (void)userdata;
    return read(fd, buf, len);
}

const struct fuse_custom_io nwr_fuse_io = {.writev = on_writev, .read = on_read};
