/* open.c -- a data directory becomes a store, an identity and a ring.
 *
 * META "identity": version(1) node id(8). "ring" and "counters" are the node's; the ring of a
 * new volume is made here. A node whose ring has it only in the list to come has not finished
 * joining. "join": the addresses of --join, a line each, kept before any of them is asked: a start
 * that was killed before it had a ring must not make another volume of the directory.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/uv/inside.h"

enum {
    LOCK_WAIT_MS = 10000,
    IDENTITY_VERSION = 1
};

uint64_t nwr_peer_random(void)
{
    uint64_t v = 0;

    do {
        if (getrandom(&v, sizeof(v), 0) != (ssize_t)sizeof(v))
            nwr_assert(errno == EINTR);
    } while (v == 0);
    return v;
}

static void on_done(struct nwr_store_op *op)
{
    *(bool *)op->user = true;
}

static void run_op(struct nwr_peer *p, struct nwr_store_op *op)
{
    struct pollfd fd = {.fd = p->store->fd(p->store), .events = POLLIN};
    bool done = false;

    op->done = on_done;
    op->user = &done;
    p->store->submit(p->store, op);
    p->store->poll(p->store);
    while (!done) {
        if (fd.fd >= 0)
            poll(&fd, 1, -1);
        p->store->poll(p->store);
    }
}

/* NULL when there is none; otherwise a count of the caller's. */
static enum nwr_err meta_get(struct nwr_peer *p, const char *name, struct nwr_blob **out)
{
    struct nwr_store_op op = {.kind = NWR_STORE_META_GET, .name = name};
    enum nwr_err err;

    run_op(p, &op);
    err = op.err == NWR_E_NOENT ? NWR_OK : op.err;
    *out = err ? NULL : nwr_blob_ref(op.value);
    nwr_store_op_deinit(&op);
    return err;
}

static enum nwr_err meta_put(struct nwr_peer *p, const char *name, struct nwr_out *o)
{
    struct nwr_blob *value = nwr_out_blob(o);
    struct nwr_store_op op = {.kind = NWR_STORE_META_PUT, .name = name, .value = value};
    enum nwr_err err;

    run_op(p, &op);
    err = op.err;
    op.value = NULL; /* borrowed by the store, ours */
    nwr_store_op_deinit(&op);
    nwr_blob_unref(value);
    return err;
}

static enum nwr_err identity(struct nwr_peer *p)
{
    struct nwr_out o = {0};
    struct nwr_blob *b;
    struct nwr_in in;
    uint8_t version;
    enum nwr_err err = meta_get(p, "identity", &b);

    if (err)
        return err;
    if (!b) {
        p->id = nwr_peer_random();
        nwr_out_u8(&o, IDENTITY_VERSION);
        nwr_out_u64(&o, p->id);
        return meta_put(p, "identity", &o);
    }
    in = nwr_in_of(b->data, b->len);
    version = nwr_in_u8(&in);
    p->id = nwr_in_u64(&in);
    if (version != IDENTITY_VERSION)
        err = NWR_E_VERSION;
    else if (!nwr_in_done(&in) || p->id == 0)
        err = NWR_E_FORMAT;
    nwr_blob_unref(b);
    return err;
}

static enum nwr_err counters(struct nwr_peer *p)
{
    struct nwr_blob *b;
    enum nwr_err err = meta_get(p, "counters", &b);

    if (!err)
        err = nwr_counters_decode(b ? b->data : NULL, b ? b->len : 0, &p->ino_next, &p->k_next);
    nwr_blob_unref(b);
    return err;
}

static enum nwr_err old_ring(struct nwr_peer *p)
{
    struct nwr_blob *b;
    enum nwr_err err = meta_get(p, "ring", &b);

    if (err || !b)
        return err;
    err = nwr_ring_decode(&p->ring, b->data, b->len);
    p->has_ring = err == NWR_OK;
    nwr_blob_unref(b);
    return err;
}

static void take_join(struct nwr_peer *p, const struct nwr_blob *b)
{
    char *text = nwr_alloc(b->len + 1), *save = NULL;

    memcpy(text, b->data, b->len);
    text[b->len] = '\0';
    for (char *a = strtok_r(text, "\n", &save); a && p->o.njoin < NWR_JOIN_MAX;
         a = strtok_r(NULL, "\n", &save))
        p->join[p->o.njoin++] = nwr_strdup(a);
    p->join_kept = p->o.njoin > 0;
    nwr_free(text);
}

/* What --join says now, or said when a ring was first asked for. */
static enum nwr_err join_of(struct nwr_peer *p)
{
    struct nwr_out o = {0};
    struct nwr_blob *b;
    enum nwr_err err;

    if (p->has_ring)
        return NWR_OK;
    if (p->o.njoin) {
        for (unsigned i = 0; i < p->o.njoin; i++) {
            nwr_out_raw(&o, p->join[i], strlen(p->join[i]));
            nwr_out_u8(&o, '\n');
        }
        return meta_put(p, "join", &o);
    }
    err = meta_get(p, "join", &b);
    if (!err && b)
        take_join(p, b);
    nwr_blob_unref(b);
    return err;
}

enum nwr_err nwr_peer_new_volume(struct nwr_peer *p)
{
    struct nwr_member self = {.id = p->id, .ordinal = 1, .weight = 256};
    struct nwr_out o = {0};

    memcpy(self.address, p->address, sizeof(self.address));
    p->ring = (struct nwr_ring){.volume = nwr_peer_random(),
                                .epoch = 1,
                                .pgs = NWR_PGS_DEFAULT,
                                .n = p->o.n ? p->o.n : 3,
                                .w = p->o.w,
                                .r = p->o.r,
                                .next_ordinal = 2,
                                .uid = getuid(),
                                .gid = getgid()};
    nwr_ring_add(&p->ring, &self);
    nwr_ring_check(&p->ring);
    p->has_ring = true;
    nwr_ring_encode(&p->ring, &o);
    return meta_put(p, "ring", &o);
}

static enum nwr_err make_dir(const char *dir, char *text, size_t n)
{
    if (mkdir(dir, 0700) == 0 || errno == EEXIST)
        return NWR_OK;
    snprintf(text, n, "data: %s: %s; give another --data", dir, strerror(errno));
    return errno == ENOSPC ? NWR_E_NOSPC : NWR_E_ACCESS;
}

/* What a node may find in a directory that no store was made in yet. */
static bool expected(const char *name)
{
    static const char *const names[] = {".",       "..",  "lock", "format",     "format.new",
                                        "address", "log", "pid",  "lost+found", "db"};

    for (size_t i = 0; i < NWR_COUNT(names); i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

/* A home directory given by mistake does not become a volume. */
static enum nwr_err refuse_foreign(const char *dir, char *text, size_t n)
{
    enum nwr_err err = NWR_OK;
    struct dirent *e;
    DIR *d = opendir(dir);

    if (!d) {
        snprintf(text, n, "data: %s: %s; give another --data", dir, strerror(errno));
        return NWR_E_ACCESS;
    }
    if (faccessat(dirfd(d), "format", F_OK, 0) != 0) {
        while (!err && (e = readdir(d)))
            if (!expected(e->d_name))
                err = NWR_E_NOTEMPTY;
        if (err)
            snprintf(text, n, "data: %s: holds other files; give a new or an empty directory", dir);
    }
    closedir(d);
    return err;
}

enum nwr_err nwr_peer_open_store(struct nwr_peer *p, char *text, size_t n)
{
    nwr_ms wait = p->o.lock_wait_ms ? p->o.lock_wait_ms : LOCK_WAIT_MS;
    enum nwr_err err = make_dir(p->dir, text, n);

    if (!err)
        err = refuse_foreign(p->dir, text, n);
    if (!err)
        err = nwr_store_rocks_open(&p->store, p->dir, wait, text, n);
    if (err)
        return err;
    p->store->silent = p->o.silent;
    p->incarnation = (uint32_t)nwr_peer_random() | 1;
    err = identity(p);
    if (!err)
        err = old_ring(p);
    if (!err)
        err = join_of(p);
    if (!err)
        err = counters(p);
    if (err)
        snprintf(text, n, "data: %s: cannot read what this node is: %s", p->dir, nwr_err_text(err));
    return err;
}
