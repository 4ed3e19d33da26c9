/* walk.c -- what a thread was just told, for what the same system call asks next.
 *
 * The kernel keeps neither names nor attributes (its timeouts are 0 until leases exist), so one
 * system call on a path is a chain of requests, and most of them ask for what the one before was
 * told: open("d/f", O_CREAT) is GETATTR ., LOOKUP d, GETATTR d (may it be searched?), GETATTR d
 * (and written to?), LOOKUP f, CREATE f, GETATTR f. So the snapshot of a LOOKUP, OPEN or CREATE
 * is kept for the thread that made it and given to the next request of the chain:
 *
 *     LOOKUP p/f -> nothing     CREATE, MKNOD, MKDIR, SYMLINK, LINK of p/f
 *     LOOKUP p/f -> n           UNLINK, RMDIR of p/f; GETATTR n once, of a directory twice;
 *                               and after them OPEN, READLINK, SETATTR, GETXATTR n
 *     OPEN, CREATE -> n         GETATTR, GETXATTR n; SETATTR n after CREATE
 *     GETATTR p                 LOOKUP p/f, if that was read with it (ahead.c)
 *
 * Why this breaks no promise. No other LOOKUP is served, and every system call that names a path
 * makes one for each name of it, after a GETATTR of the directory where it starts. So what
 * follows in the table was read within the same call, with these exceptions, which a program
 * could tell from the truth only if another mount's change was completed, and the thread told of
 * it, in the NWR_WALK_MS after the LOOKUP: fstat, or opening through /proc, of what open(O_PATH) or
 * a refused O_EXCL had just looked up; and fstat and read at the end of a file opened just now,
 * of which close-to-open promises no more than its state at open. (SETATTR of what was created
 * just now names what it saw of it, like any write: a change elsewhere is merged with it.) Changes
 * by this mount end what they touch at once (nwr_walk_changed), and creations it holds back lie
 * over every snapshot.
 */
#include "fs/core/state.h"

enum {
    ROWS_MAX = 64 /* a whole directory is not worth keeping */
};

static struct nwr_walk *walk_of(struct nwr_mount *m, uint32_t pid)
{
    for (uint32_t i = 0; pid && i < NWR_WALKS; i++)
        if (m->walk[i].pid == pid)
            return &m->walk[i];
    return NULL;
}

static void clear(struct nwr_walk *w)
{
    nwr_snapshot_free(&w->snap);
    nwr_free(w->name);
    *w = (struct nwr_walk){0};
}

static bool is_named(const struct nwr_walk *w, uint64_t parent, const char *name)
{
    return w->parent == parent && strcmp(w->name, name) == 0;
}

/* Whether what w holds may serve the request. */
static bool serves(const struct nwr_walk *w, const struct nwr_fs_req *req)
{
    bool looked = w->from == NWR_FS_LOOKUP, about = w->node && w->node == req->node;

    if (w->from == NWR_FS_GETATTR)
        return req->op == NWR_FS_LOOKUP && is_named(w, req->node, req->name);

    switch ((int)req->op) {
    case NWR_FS_GETATTR: return about && (!looked || w->looks < (w->is_dir ? 2 : 1));
    case NWR_FS_GETXATTR:
    case NWR_FS_LISTXATTR: return about;
    case NWR_FS_OPEN:
    case NWR_FS_READLINK: return about && looked;
    case NWR_FS_SETATTR: return about && w->from != NWR_FS_OPEN;
    case NWR_FS_CREATE:
    case NWR_FS_MKNOD:
    case NWR_FS_MKDIR:
    case NWR_FS_SYMLINK:
    case NWR_FS_UNLINK:
    case NWR_FS_RMDIR: return looked && is_named(w, req->node, req->name);
    case NWR_FS_LINK: return looked && is_named(w, req->node2, req->name2);
    default: return false;
    }
}

/* Requests between the others of one system call, and those that come whenever they like. */
static bool passes(const struct nwr_walk *w, const struct nwr_fs_req *req, nwr_ms now)
{
    switch ((int)req->op) {
    case NWR_FS_GETATTR:
        return w->from == NWR_FS_LOOKUP && req->node == w->parent && w->looks == 0 &&
               w->at + NWR_WALK_MS >= now;
    case NWR_FS_READ: return req->node == w->node;
    case NWR_FS_WRITE: return w->from == NWR_FS_CREATE && req->node == w->node;
    case NWR_FS_RELEASE:
    case NWR_FS_RELEASEDIR: return true;
    default: return false;
    }
}

/* Whether another transaction of this mount has changed what a snapshot holds. */
static bool spoiled(const struct nwr_mount *m, const struct nwr_snapshot *s, uint64_t since,
                    uint64_t txn)
{
    if (m->changed - since > NWR_CHANGES)
        return true;
    for (uint64_t i = since; i < m->changed; i++) {
        const struct nwr_change *c = &m->change[i % NWR_CHANGES];

        if (c->txn != txn && nwr_snapshot_has(s, &c->key))
            return true;
    }
    return false;
}

struct nwr_walk *nwr_walk_new(struct nwr_mount *m, uint32_t pid)
{
    struct nwr_walk *w = walk_of(m, pid);

    if (!w)
        w = &m->walk[m->walk_at++ % NWR_WALKS];
    clear(w);
    w->pid = pid;
    return w;
}

/* Another system call: its first request may tell what comes next. */
static void turn(struct nwr_txn *t, struct nwr_walk *w)
{
    if (w && w->from == NWR_FS_GETATTR)
        nwr_ahead_unused(t->m, w->parent);
    if (w)
        clear(w);
    if (t->req->op == NWR_FS_GETATTR && t->req->pid)
        nwr_ahead_start(t);
}

bool nwr_walk_begin(struct nwr_txn *t)
{
    struct nwr_walk *w = walk_of(t->m, t->req->pid);

    if (w && passes(w, t->req, t->m->now))
        return true;
    if (w && w->ahead && serves(w, t->req)) {
        t->wants_ahead = true;
        return false;
    }
    if (!w || w->at + NWR_WALK_MS < t->m->now || !serves(w, t->req) ||
        spoiled(t->m, &w->snap, w->since, UINT64_MAX)) {
        turn(t, w);
        return true;
    }
    w->looks += t->req->op == NWR_FS_GETATTR || t->req->op == NWR_FS_SETATTR;
    t->walks = true;
    nwr_snapshot_give(t, &w->snap);
    nwr_birth_overlay(t);
    return true;
}

void nwr_walk_have(struct nwr_txn *t, struct nwr_walk *w)
{
    bool good = t->err == NWR_OK && t->eno == 0 && t->rows.n <= ROWS_MAX;

    nwr_snapshot_take(t, &w->snap);
    if (!good || spoiled(t->m, &w->snap, t->since, t->id)) {
        clear(w);
        return;
    }
    w->ahead = 0;
    w->at = t->m->now;
    w->since = t->m->changed;
}

static void start(struct nwr_txn *t)
{
    const struct nwr_fs_req *req = t->req;
    struct nwr_walk *w = walk_of(t->m, req->pid);
    nwr_ms at = req->op == NWR_FS_OPEN && t->walks && w ? w->at : t->m->now;

    w = nwr_walk_new(t->m, req->pid);
    w->at = at;
    w->from = req->op;
    w->parent = req->op == NWR_FS_OPEN ? 0 : req->node;
    w->name = nwr_strdup(t->peek ? t->peek : req->name ? req->name : "");
    w->node = req->op == NWR_FS_OPEN ? req->node : t->reply.entry.node;
    w->is_dir = S_ISDIR(t->reply.entry.st.st_mode);
    w->since = t->m->changed;
    nwr_snapshot_take(t, &w->snap);
}

static bool starts(const struct nwr_txn *t)
{
    switch ((int)t->req->op) {
    case NWR_FS_LOOKUP: return t->reply.err == 0 || t->reply.err == ENOENT;
    case NWR_FS_OPEN:
    case NWR_FS_CREATE: return t->reply.err == 0;
    case NWR_FS_GETATTR: return t->peek && t->reply.err == 0;
    default: return false;
    }
}

void nwr_walk_end(struct nwr_txn *t)
{
    struct nwr_walk *w = walk_of(t->m, t->req->pid);
    struct nwr_snapshot snap = {0};
    bool keep = t->req->pid && t->rows.n <= ROWS_MAX && (t->nknown || t->objects.n);

    if (!keep || !(starts(t) || (t->walks && w)))
        return;
    nwr_snapshot_take(t, &snap);
    keep = !spoiled(t->m, &snap, t->since, t->id);
    nwr_snapshot_give(t, &snap);
    if (!keep)
        return;
    if (starts(t)) {
        start(t);
    } else if (w->snap.rows.n == 0 && w->snap.nknown == 0) {
        nwr_snapshot_take(t, &w->snap);
        w->since = t->m->changed;
    }
}

void nwr_walk_changed(struct nwr_mount *m, const struct nwr_key *key, uint64_t txn)
{
    m->change[m->changed++ % NWR_CHANGES] = (struct nwr_change){*key, txn};
}

void nwr_walk_deinit(struct nwr_mount *m)
{
    for (uint32_t i = 0; i < NWR_WALKS; i++)
        clear(&m->walk[i]);
}
