/* spool.c -- refused contents as files of a directory, on libuv's worker threads (fs/core/spool.h).
 *
 *   DIR/ID          the bytes: an ordinary file, for a person who looks
 *   DIR/ID.info     what it is (nwr_spool_item_encode)
 *   DIR/ID.draft    being written
 *   DIR/lock        held while in use
 *
 * KEEP: 1 sync the draft, 2 write and sync the info under another name, rename it, 3 rename the
 * draft, 4 sync the directory. A crash before 3 leaves an info without bytes, or with those that
 * were kept before; the first is removed at the next start.
 */
#include "fs/fuse/internal.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct nwr_spool {
    int dir, lock;
    uint64_t volume;
};

struct work {
    uv_work_t req;
    struct nwr_spool *spool;
    struct nwr_spool_op *op;
    void (*done)(void *arg, struct nwr_spool_op *op);
    void *arg;
};

static const char *name_of(char *buf, size_t len, uint64_t id, const char *suffix)
{
    snprintf(buf, len, "%llu%s", (unsigned long long)id, suffix);
    return buf;
}

static enum nwr_err err_of(bool ok)
{
    if (ok)
        return NWR_OK;
    return errno == ENOSPC || errno == EDQUOT ? NWR_E_NOSPC : NWR_E_IO;
}

static bool write_all(int fd, const uint8_t *data, size_t len, uint64_t off)
{
    while (len) {
        ssize_t n = pwrite(fd, data, len, (off_t)off);

        if (n <= 0)
            return false;
        data += n;
        off += (uint64_t)n;
        len -= (size_t)n;
    }
    return true;
}

/* ---- the ops -------------------------------------------------------------------------------- */

static bool do_write(const struct nwr_spool *s, const struct nwr_spool_op *op)
{
    int flags = O_WRONLY | O_CREAT | O_CLOEXEC | (op->off ? 0 : O_TRUNC);
    char name[64];
    int fd = openat(s->dir, name_of(name, sizeof(name), op->item.id, ".draft"), flags, 0600);
    bool ok;

    if (fd < 0)
        return false;
    ok = write_all(fd, op->data->data, op->data->len, op->off);
    return close(fd) == 0 && ok;
}

static bool write_info(const struct nwr_spool *s, const struct nwr_spool_item *item)
{
    struct nwr_blob *b = nwr_spool_item_encode(item, s->volume);
    char from[64], to[64];
    int fd = openat(s->dir, name_of(from, sizeof(from), item->id, ".info.draft"),
                    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool ok = fd >= 0 && write_all(fd, b->data, b->len, 0) && fsync(fd) == 0;

    if (fd >= 0)
        close(fd);
    nwr_blob_unref(b);
    name_of(to, sizeof(to), item->id, ".info");
    return ok && renameat(s->dir, from, s->dir, to) == 0;
}

static bool do_keep(const struct nwr_spool *s, const struct nwr_spool_item *item)
{
    char from[64], to[64];
    int fd = openat(s->dir, name_of(from, sizeof(from), item->id, ".draft"), O_WRONLY | O_CLOEXEC);
    bool ok = true;

    if (fd >= 0) {
        ok = fsync(fd) == 0;
        close(fd);
    }
    ok = ok && write_info(s, item);
    if (ok && fd >= 0)
        ok = renameat(s->dir, from, s->dir, name_of(to, sizeof(to), item->id, "")) == 0;
    return ok && fsync(s->dir) == 0;
}

static bool do_read(const struct nwr_spool *s, struct nwr_spool_op *op)
{
    char name[64];
    int fd = openat(s->dir, name_of(name, sizeof(name), op->item.id, ""), O_RDONLY | O_CLOEXEC);
    struct nwr_blob *b;
    ssize_t n;

    if (fd < 0)
        return false;
    b = nwr_blob_new(op->len);
    n = pread(fd, b->data, op->len, (off_t)op->off);
    close(fd);
    if (n >= 0)
        op->data = nwr_blob_copy(b->data, (size_t)n);
    nwr_blob_unref(b);
    return n >= 0;
}

/* The info first: bytes without one are nothing. */
static bool do_remove(const struct nwr_spool *s, uint64_t id)
{
    char name[64];

    if (unlinkat(s->dir, name_of(name, sizeof(name), id, ".info"), 0) != 0 && errno != ENOENT)
        return false;
    unlinkat(s->dir, name_of(name, sizeof(name), id, ""), 0);
    unlinkat(s->dir, name_of(name, sizeof(name), id, ".draft"), 0);
    return fsync(s->dir) == 0;
}

static void on_work(uv_work_t *req)
{
    struct work *w = nwr_container_of(req, struct work, req);
    bool ok = false;

    switch (w->op->kind) {
    case NWR_SPOOL_WRITE: ok = do_write(w->spool, w->op); break;
    case NWR_SPOOL_KEEP: ok = do_keep(w->spool, &w->op->item); break;
    case NWR_SPOOL_READ: ok = do_read(w->spool, w->op); break;
    case NWR_SPOOL_REMOVE: ok = do_remove(w->spool, w->op->item.id); break;
    }
    w->op->err = err_of(ok);
}

static void on_worked(uv_work_t *req, int status)
{
    struct work *w = nwr_container_of(req, struct work, req);
    struct work was = *w;

    (void)status;
    nwr_free(w);
    was.done(was.arg, was.op);
}

void nwr_spool_submit(struct nwr_spool *s, uv_loop_t *loop, struct nwr_spool_op *op,
                      void (*done)(void *arg, struct nwr_spool_op *op), void *arg)
{
    struct work *w = nwr_zalloc(sizeof(*w));

    w->spool = s;
    w->op = op;
    w->done = done;
    w->arg = arg;
    nwr_assert(uv_queue_work(loop, &w->req, on_work, on_worked) == 0);
}

/* ---- the start ------------------------------------------------------------------------------ */

static bool read_info(const struct nwr_spool *s, const char *name, struct nwr_spool_item *item)
{
    uint8_t data[1024];
    int fd = openat(s->dir, name, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, data, sizeof(data));

    if (fd >= 0)
        close(fd);
    return n > 0 && nwr_spool_item_decode(item, s->volume, data, (size_t)n) == NWR_OK;
}

/* A draft was never said to be kept. What cannot be read, or is of another volume, stays. */
static void take(const struct nwr_spool *s, const char *name, struct nwr_spool_list *list)
{
    const char *suffix = strchr(name, '.');
    struct nwr_spool_item item;
    struct stat st;
    char bytes[64];

    if (!suffix || suffix == name || name[0] < '0' || name[0] > '9')
        return;
    if (strcmp(suffix, ".draft") == 0 || strcmp(suffix, ".info.draft") == 0) {
        unlinkat(s->dir, name, 0);
        return;
    }
    if (strcmp(suffix, ".info") != 0 || !read_info(s, name, &item))
        return;
    if (fstatat(s->dir, name_of(bytes, sizeof(bytes), item.id, ""), &st, 0) != 0) {
        unlinkat(s->dir, name, 0);
        return;
    }
    item.size = (uint64_t)st.st_size;
    list->item = nwr_grow(list->item, &list->cap, list->n + 1, sizeof(*list->item));
    list->item[list->n++] = item;
}

static bool load(const struct nwr_spool *s, struct nwr_spool_list *list)
{
    int fd = openat(s->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *e;

    while (d && (e = readdir(d)))
        take(s, e->d_name, list);
    if (d)
        closedir(d);
    return d;
}

struct nwr_spool *nwr_spool_open(const char *path, uint64_t volume, struct nwr_spool_list *list,
                                 char *text, size_t text_len)
{
    struct nwr_spool *s = nwr_zalloc(sizeof(*s));

    *s = (struct nwr_spool){.dir = -1, .lock = -1, .volume = volume};
    if (mkdir(path, 0700) == 0 || errno == EEXIST)
        s->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->dir >= 0)
        s->lock = openat(s->dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (s->lock >= 0 && flock(s->lock, LOCK_EX | LOCK_NB) == 0 && load(s, list))
        return s;
    snprintf(text, text_len, "mount: spool %s: %s", path,
             errno == EWOULDBLOCK ? "in use by another mount; choose another directory"
                                  : strerror(errno));
    nwr_spool_close(s);
    return NULL;
}

void nwr_spool_close(struct nwr_spool *s)
{
    if (!s)
        return;
    if (s->lock >= 0)
        close(s->lock);
    if (s->dir >= 0)
        close(s->dir);
    nwr_free(s);
}
