/* sim_call.c -- see sim_call.h. */
#include "tests/sim/sim_call.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

enum {
    PIECE = 60000 /* of READ and WRITE */
};

static struct nwr_fs_req *request(enum nwr_fs_op op, uint64_t node, const char *name)
{
    struct nwr_fs_req *req = nwr_fs_req_new(op, node);

    req->name = name ? nwr_strdup(name) : NULL;
    req->umask = 022;
    return req;
}

/* The errno; the rest of the reply goes. */
static int plain(struct sim_program *p, struct nwr_fs_req *req)
{
    struct nwr_fs_reply r = sim_call(p, req);
    int err = r.err;

    nwr_fs_reply_deinit(&r);
    return err;
}

static int entry_of(struct sim_program *p, struct nwr_fs_req *req, struct nwr_fs_entry *e,
                    uint64_t *fh)
{
    struct nwr_fs_reply r = sim_call(p, req);
    int err = r.err;

    *e = r.entry;
    if (fh)
        *fh = r.fh;
    nwr_fs_reply_deinit(&r);
    return err;
}

/* ---- paths ----------------------------------------------------------------------------------- */

/* What was looked up on the way of one call; the kernel gives it back. */
struct way {
    uint64_t node[16];
    uint32_t n;
};

static int look(struct sim_program *p, struct way *w, uint64_t dir, const char *name,
                struct nwr_fs_entry *e)
{
    int err = entry_of(p, request(NWR_FS_LOOKUP, dir, name), e, NULL);

    if (err == 0 && e->node == 0)
        err = ENOENT;
    if (err == 0 && w->n < NWR_COUNT(w->node))
        w->node[w->n++] = e->node;
    return err;
}

static int give_back(struct sim_program *p, struct way *w, int err)
{
    for (uint32_t i = 0; i < w->n && p->m->core; i++) {
        struct nwr_fs_req *req = nwr_fs_req_new(NWR_FS_FORGET, w->node[i]);

        req->count = 1;
        sim_forget(p, req);
    }
    w->n = 0;
    return err;
}

/* The directory that path is in, and its last name. */
static int walk(struct sim_program *p, struct way *w, const char *path, uint64_t *dir, char *name)
{
    struct nwr_fs_entry e;
    const char *slash;

    *dir = 1;
    while ((slash = strchr(path, '/'))) {
        char part[CALL_NAME];
        int err;

        snprintf(part, sizeof(part), "%.*s", (int)(slash - path), path);
        err = look(p, w, *dir, part, &e);
        if (err)
            return err;
        if (!S_ISDIR(e.st.st_mode))
            return ENOTDIR;
        *dir = e.node;
        path = slash + 1;
    }
    snprintf(name, CALL_NAME, "%s", path);
    return 0;
}

static int find(struct sim_program *p, struct way *w, const char *path, uint64_t *dir, char *name,
                struct nwr_fs_entry *e)
{
    int err;

    if (!path[0]) {
        *e = (struct nwr_fs_entry){.node = 1, .st.st_mode = S_IFDIR};
        return 0;
    }
    err = walk(p, w, path, dir, name);
    return err ? err : look(p, w, *dir, name, e);
}

/* ---- files ----------------------------------------------------------------------------------- */

int call_stat(struct sim_program *p, const char *path, struct stat *st)
{
    struct way w = {0};
    char name[CALL_NAME];
    struct nwr_fs_entry e;
    uint64_t dir;
    int err = find(p, &w, path, &dir, name, &e);

    *st = e.st;
    return give_back(p, &w, err);
}

static int open_there(struct sim_program *p, struct nwr_fs_entry *e, uint32_t flags,
                      struct call_file *f)
{
    struct nwr_fs_req *req;
    struct nwr_fs_reply r;
    int err;

    if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
        return EEXIST;
    if (S_ISDIR(e->st.st_mode))
        return EISDIR;
    if (S_ISLNK(e->st.st_mode))
        return ELOOP;
    req = request(NWR_FS_OPEN, e->node, NULL);
    req->flags = flags & ~(uint32_t)(O_CREAT | O_EXCL);
    r = sim_call(p, req);
    err = r.err;
    *f = (struct call_file){e->node, r.fh, e->st};
    nwr_fs_reply_deinit(&r);
    return err;
}

static int try_open(struct sim_program *p, const char *path, uint32_t flags, struct call_file *f)
{
    struct way w = {0};
    char name[CALL_NAME];
    struct nwr_fs_entry e;
    struct nwr_fs_req *req;
    uint64_t dir;
    int err = find(p, &w, path, &dir, name, &e);

    if (err == 0) {
        err = open_there(p, &e, flags, f);
        w.n -= err == 0;
    } else if (err == ENOENT && flags & O_CREAT && walk(p, &w, path, &dir, name) == 0) {
        req = request(NWR_FS_CREATE, dir, name);
        req->mode = 0644;
        req->flags = flags;
        err = entry_of(p, req, &e, &f->fh);
        f->node = e.node;
        f->st = e.st;
    }
    return give_back(p, &w, err);
}

/* The file's node is kept until it is closed: it is not given back here. What a path led to may be
 * gone for good before it is opened: the kernel looks once more then (LOOKUP_REVAL). */
int call_open(struct sim_program *p, const char *path, uint32_t flags, struct call_file *f)
{
    int err = try_open(p, path, flags, f);

    return err == ESTALE ? try_open(p, path, flags, f) : err;
}

int call_read(struct sim_program *p, const struct call_file *f, char *buf, size_t size, size_t *len)
{
    size_t at = 0, got = 1;

    while (got && at < size) {
        struct nwr_fs_req *req = request(NWR_FS_READ, f->node, NULL);
        struct nwr_fs_reply r;
        int err;

        req->fh = f->fh;
        req->off = at;
        req->size = NWR_MIN(size - at, (size_t)PIECE);
        r = sim_call(p, req);
        got = 0;
        for (uint32_t i = 0; i < r.nslice && !r.err; i++) {
            const struct nwr_fs_slice *s = &r.slice[i];

            nwr_assert(at + s->len <= size);
            memset(buf + at, 0, s->len);
            if (s->blob)
                memcpy(buf + at, s->blob->data + s->off, s->len);
            at += s->len;
            got += s->len;
        }
        err = r.err;
        nwr_fs_reply_deinit(&r);
        if (err)
            return err;
    }
    *len = at;
    return 0;
}

int call_write(struct sim_program *p, const struct call_file *f, uint64_t off, const char *text,
               size_t len)
{
    for (size_t at = 0; at < len;) {
        struct nwr_fs_req *req = request(NWR_FS_WRITE, f->node, NULL);
        size_t n = NWR_MIN(len - at, (size_t)PIECE);
        int err;

        req->fh = f->fh;
        req->off = off + at;
        req->size = n;
        req->data = nwr_blob_copy(text + at, n);
        err = plain(p, req);
        if (err)
            return err;
        at += n;
    }
    return 0;
}

static int on_handle(struct sim_program *p, enum nwr_fs_op op, const struct call_file *f)
{
    struct nwr_fs_req *req = request(op, f->node, NULL);

    req->fh = f->fh;
    return plain(p, req);
}

int call_fallocate(struct sim_program *p, const struct call_file *f, uint32_t mode, uint64_t off,
                   uint64_t len)
{
    struct nwr_fs_req *req = request(NWR_FS_FALLOCATE, f->node, NULL);

    req->fh = f->fh;
    req->flags = mode;
    req->off = off;
    req->size = len;
    return plain(p, req);
}

int call_copy(struct sim_program *p, const struct call_file *from, uint64_t off,
              const struct call_file *to, uint64_t to_off, size_t *len)
{
    struct nwr_fs_req *req = request(NWR_FS_COPY, from->node, NULL);
    struct nwr_fs_reply r;
    int err;

    req->fh = from->fh;
    req->node2 = to->node;
    req->off = off;
    req->count = to_off;
    req->size = *len;
    r = sim_call(p, req);
    err = r.err;
    *len = r.count;
    nwr_fs_reply_deinit(&r);
    return err;
}

int call_fsync(struct sim_program *p, const struct call_file *f)
{
    return on_handle(p, NWR_FS_FSYNC, f);
}

int call_close(struct sim_program *p, const struct call_file *f)
{
    struct way w = {.node = {f->node}, .n = 1};
    int err = on_handle(p, NWR_FS_FLUSH, f);

    on_handle(p, NWR_FS_RELEASE, f);
    return give_back(p, &w, err);
}

static int try_set_attr(struct sim_program *p, const char *path, uint32_t set, uint32_t mode,
                        uint64_t size, nwr_ns mtime)
{
    struct way w = {0};
    char name[CALL_NAME];
    struct nwr_fs_entry e;
    struct nwr_fs_req *req;
    uint64_t dir;
    int err = find(p, &w, path, &dir, name, &e);

    if (!err && set == NWR_SET_SIZE && S_ISDIR(e.st.st_mode))
        err = EISDIR;
    if (!err && S_ISLNK(e.st.st_mode))
        err = ELOOP;
    if (err)
        return give_back(p, &w, err);
    req = request(NWR_FS_SETATTR, e.node, NULL);
    req->set = set;
    req->mode = (e.st.st_mode & S_IFMT) | mode;
    req->size = size;
    req->mtime = mtime;
    return give_back(p, &w, plain(p, req));
}

/* What a path led to may be gone for good before its inode is changed: the kernel looks once more
 * (retry_estale). */
static int set_attr(struct sim_program *p, const char *path, uint32_t set, uint32_t mode,
                    uint64_t size, nwr_ns mtime)
{
    int err = try_set_attr(p, path, set, mode, size, mtime);

    return err == ESTALE ? try_set_attr(p, path, set, mode, size, mtime) : err;
}

int call_truncate(struct sim_program *p, const char *path, uint64_t size)
{
    return set_attr(p, path, NWR_SET_SIZE, 0, size, 0);
}

int call_chmod(struct sim_program *p, const char *path, uint32_t mode)
{
    return set_attr(p, path, NWR_SET_MODE, mode, 0, 0);
}

int call_set_mtime(struct sim_program *p, const char *path, nwr_ns mtime)
{
    return set_attr(p, path, NWR_SET_MTIME, 0, 0, mtime);
}

/* text: NULL where there is none. */
static int on_xattr(struct sim_program *p, enum nwr_fs_op op, const char *path, const char *name,
                    const char *text, struct nwr_fs_reply *r)
{
    struct way w = {0};
    char last[CALL_NAME];
    struct nwr_fs_entry e;
    struct nwr_fs_req *req;
    uint64_t dir;
    int err = find(p, &w, path, &dir, last, &e);

    if (!err && S_ISLNK(e.st.st_mode))
        err = ELOOP;
    if (err)
        return give_back(p, &w, err);
    req = request(op, e.node, name);
    req->size = CALL_NAME;
    if (text)
        req->data = nwr_blob_copy(text, strlen(text));
    *r = sim_call(p, req);
    return give_back(p, &w, r->err);
}

int call_setxattr(struct sim_program *p, const char *path, const char *name, const char *text)
{
    struct nwr_fs_reply r = {0};
    int err = on_xattr(p, NWR_FS_SETXATTR, path, name, text, &r);

    nwr_fs_reply_deinit(&r);
    return err;
}

int call_getxattr(struct sim_program *p, const char *path, const char *name, char *text,
                  size_t size)
{
    struct nwr_fs_reply r = {0};
    int err = on_xattr(p, NWR_FS_GETXATTR, path, name, NULL, &r);

    snprintf(text, size, "%.*s", r.data ? (int)r.data->len : 0,
             r.data ? (const char *)r.data->data : "");
    nwr_fs_reply_deinit(&r);
    return err;
}

int call_removexattr(struct sim_program *p, const char *path, const char *name)
{
    struct nwr_fs_reply r = {0};
    int err = on_xattr(p, NWR_FS_REMOVEXATTR, path, name, NULL, &r);

    nwr_fs_reply_deinit(&r);
    return err;
}

/* ---- names ----------------------------------------------------------------------------------- */

/* A new name: op with text. */
static int make(struct sim_program *p, const char *path, enum nwr_fs_op op, const char *text)
{
    struct way w = {0};
    char name[CALL_NAME];
    struct nwr_fs_entry e;
    struct nwr_fs_req *req;
    uint64_t dir = 1;
    int err = find(p, &w, path, &dir, name, &e);

    if (err == 0)
        return give_back(p, &w, EEXIST);
    if (err != ENOENT || (err = walk(p, &w, path, &dir, name)))
        return give_back(p, &w, err);
    req = request(op, dir, name);
    req->mode = 0755;
    req->name2 = text ? nwr_strdup(text) : NULL;
    err = entry_of(p, req, &e, NULL);
    if (err == 0 && w.n < NWR_COUNT(w.node))
        w.node[w.n++] = e.node;
    return give_back(p, &w, err);
}

int call_mkdir(struct sim_program *p, const char *path)
{
    return make(p, path, NWR_FS_MKDIR, NULL);
}

int call_symlink(struct sim_program *p, const char *text, const char *path)
{
    return make(p, path, NWR_FS_SYMLINK, text);
}

static int take(struct sim_program *p, const char *path, bool directory)
{
    struct way w = {0};
    char name[CALL_NAME];
    struct nwr_fs_entry e;
    uint64_t dir = 1;
    int err = find(p, &w, path, &dir, name, &e);

    if (!err && directory && !S_ISDIR(e.st.st_mode))
        err = ENOTDIR;
    if (!err && !directory && S_ISDIR(e.st.st_mode))
        err = EISDIR;
    if (!err)
        err = plain(p, request(directory ? NWR_FS_RMDIR : NWR_FS_UNLINK, dir, name));
    return give_back(p, &w, err);
}

int call_rmdir(struct sim_program *p, const char *path)
{
    return take(p, path, true);
}

int call_unlink(struct sim_program *p, const char *path)
{
    return take(p, path, false);
}

int call_link(struct sim_program *p, const char *from, const char *to)
{
    struct way w = {0};
    char name[CALL_NAME], name2[CALL_NAME];
    struct nwr_fs_entry e, there;
    struct nwr_fs_req *req;
    uint64_t dir, dir2 = 1;
    int err = find(p, &w, from, &dir, name, &e);

    if (err)
        return give_back(p, &w, err);
    err = find(p, &w, to, &dir2, name2, &there);
    if (err == 0)
        return give_back(p, &w, EEXIST);
    if (err != ENOENT || (err = walk(p, &w, to, &dir2, name2)))
        return give_back(p, &w, err);
    if (S_ISDIR(e.st.st_mode))
        return give_back(p, &w, EPERM);
    req = request(NWR_FS_LINK, e.node, NULL);
    req->node2 = dir2;
    req->name2 = nwr_strdup(name2);
    err = entry_of(p, req, &there, NULL);
    if (err == 0 && w.n < NWR_COUNT(w.node))
        w.node[w.n++] = there.node;
    return give_back(p, &w, err);
}

int call_readlink(struct sim_program *p, const char *path, char *text, size_t size)
{
    struct way w = {0};
    char name[CALL_NAME];
    struct nwr_fs_entry e;
    struct nwr_fs_reply r;
    uint64_t dir;
    int err = find(p, &w, path, &dir, name, &e);

    if (!err && !S_ISLNK(e.st.st_mode))
        err = EINVAL;
    if (err)
        return give_back(p, &w, err);
    r = sim_call(p, request(NWR_FS_READLINK, e.node, NULL));
    err = r.err;
    snprintf(text, size, "%.*s", r.data ? (int)r.data->len : 0,
             r.data ? (const char *)r.data->data : "");
    nwr_fs_reply_deinit(&r);
    return give_back(p, &w, err);
}

/* What the kernel says before it asks. */
static int may_rename(const struct nwr_fs_entry *from, const struct nwr_fs_entry *to)
{
    if (S_ISDIR(from->st.st_mode) && !S_ISDIR(to->st.st_mode))
        return ENOTDIR;
    if (!S_ISDIR(from->st.st_mode) && S_ISDIR(to->st.st_mode))
        return EISDIR;
    return 0;
}

int call_rename(struct sim_program *p, const char *from, const char *to, uint32_t flags)
{
    struct way w = {0};
    char name[CALL_NAME], name2[CALL_NAME];
    struct nwr_fs_entry e, there = {0};
    struct nwr_fs_req *req;
    uint64_t dir = 1, dir2 = 1;
    size_t len = strlen(from);
    int err = find(p, &w, from, &dir, name, &e);

    if (!err && strncmp(to, from, len) == 0 && to[len] == '/')
        err = EINVAL;
    len = strlen(to);
    if (!err && strncmp(to, from, len) == 0 && from[len] == '/')
        err = flags & NWR_RENAME_EXCHANGE ? EINVAL : ENOTEMPTY;
    if (err)
        return give_back(p, &w, err);
    err = find(p, &w, to, &dir2, name2, &there);
    if (err == ENOENT && !(flags & NWR_RENAME_EXCHANGE))
        err = walk(p, &w, to, &dir2, name2);
    else if (!err && flags & NWR_RENAME_NOREPLACE)
        err = EEXIST;
    else if (!err && there.node == e.node)
        return give_back(p, &w, 0);
    else if (!err && !(flags & NWR_RENAME_EXCHANGE))
        err = may_rename(&e, &there);
    if (err)
        return give_back(p, &w, err);
    req = request(NWR_FS_RENAME, dir, name);
    req->node2 = dir2;
    req->name2 = nwr_strdup(name2);
    req->flags = flags;
    return give_back(p, &w, plain(p, req));
}

/* ---- listings -------------------------------------------------------------------------------- */

static int list_some(struct sim_program *p, struct nwr_fs_req *req, struct call_list *l,
                     uint64_t *off)
{
    struct nwr_fs_reply r = sim_call(p, req);
    int err = r.err;

    for (uint32_t i = 0; i < r.ndirent && !err; i++) {
        const struct nwr_fs_dirent *d = &r.dirent[i];

        *off = d->cookie;
        if (strcmp(d->name, ".") == 0 || strcmp(d->name, "..") == 0 || l->n == CALL_LIST)
            continue;
        snprintf(l->e[l->n].name, CALL_NAME, "%s", d->name);
        l->e[l->n].ino = d->e.st.st_ino;
        l->e[l->n++].type = d->e.st.st_mode & S_IFMT;
    }
    if (r.ndirent == 0)
        *off = UINT64_MAX;
    nwr_fs_reply_deinit(&r);
    return err;
}

int call_list(struct sim_program *p, const char *path, struct call_list *l)
{
    struct way w = {0};
    char name[CALL_NAME];
    struct nwr_fs_entry e;
    struct nwr_fs_reply r;
    uint64_t dir, off = 0;
    struct call_file f;
    int err = find(p, &w, path, &dir, name, &e);

    l->n = 0;
    if (!err && !S_ISDIR(e.st.st_mode))
        err = ENOTDIR;
    if (err)
        return give_back(p, &w, err);
    r = sim_call(p, request(NWR_FS_OPENDIR, e.node, NULL));
    err = r.err;
    f = (struct call_file){.node = e.node, .fh = r.fh};
    nwr_fs_reply_deinit(&r);
    if (err)
        return give_back(p, &w, err);
    while (!err && off != UINT64_MAX) {
        struct nwr_fs_req *req = request(NWR_FS_READDIR, e.node, NULL);

        req->fh = f.fh;
        req->off = off;
        req->size = 4096;
        err = list_some(p, req, l, &off);
    }
    on_handle(p, NWR_FS_RELEASEDIR, &f);
    return give_back(p, &w, err);
}
