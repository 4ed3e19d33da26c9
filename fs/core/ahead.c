/* ahead.c -- the first name of a path is read while the kernel asks for the directory before it.
 *
 *     GETATTR p --> READ of p ----------> reply --> LOOKUP p/d: served, or waits for the second
 *              \--> READ of p/d and its inode ---------^
 *
 * A system call on a path begins with GETATTR of the directory where the path starts, and goes on
 * with a LOOKUP there. Programs go the same way many times: where the last two LOOKUPs in a
 * directory named the same subdirectory, that one is read beside the next GETATTR, and the walk
 * through it costs one round trip instead of two.
 *
 * And a thread that has just looked a name up may do so again (stat, open, utimensat of one file):
 * that name is read at the same time as the attributes of its directory, by the same replicas.
 *
 * A LOOKUP takes what was read only if the GETATTR is the request of its thread right before it.
 * The kernel asks for that GETATTR in the same system call, so this is no older than the call.
 * Anything else that the thread asks drops it, and the directory is not read ahead of until two
 * LOOKUPs agree again. For the subdirectory, which may be at other nodes, nothing waits but that
 * LOOKUP, which would ask for the same; the name comes with the attributes, and may fail alone.
 */
#include "fs/core/ops.h"

static struct nwr_walk *reading(struct nwr_mount *m, uint64_t txn)
{
    for (uint32_t i = 0; i < NWR_WALKS; i++)
        if (m->walk[i].pid && m->walk[i].ahead == txn)
            return &m->walk[i];
    return NULL;
}

static struct nwr_txn *waiting(struct nwr_mount *m, uint32_t pid)
{
    struct nwr_txn *t = m->txns;

    while (t && !(t->wants_ahead && t->req->pid == pid))
        t = t->next;
    return t;
}

static enum nwr_plan plan_ahead(struct nwr_txn *t)
{
    const struct nwr_walk *w = reading(t->m, t->id);
    size_t len = w ? strlen(w->name) : 0;

    nwr_txn_policy(t, t->node);
    if (!w)
        return NWR_PLAN_DONE;
    if (t->runs == 1)
        nwr_op_guess(t, t->node, w->name, len);
    return nwr_view_find(t, &t->node->dirs, w->name, len, true, &t->x) ? NWR_PLAN_DONE
                                                                       : NWR_PLAN_WAIT;
}

/* Whoever waits runs now, also if its walk has made room for another thread's. */
static void finish_ahead(struct nwr_txn *t)
{
    struct nwr_walk *w = reading(t->m, t->id);
    struct nwr_txn *next = waiting(t->m, (uint32_t)t->number);

    if (w)
        nwr_walk_have(t, w);
    if (!next)
        return;
    next->wants_ahead = false;
    if (w && t->err != NWR_OK)
        nwr_txn_give_up(next, t->err);
    else if (nwr_walk_begin(next))
        nwr_txn_run(next);
}

static struct nwr_last *last_of(struct nwr_mount *m, uint32_t pid)
{
    return &m->last[pid % NWR_WALKS];
}

void nwr_ahead_start(struct nwr_txn *t)
{
    struct nwr_node *dir = nwr_itable_find(&t->m->nodes, t->req->node);
    struct nwr_txn *ahead;
    struct nwr_walk *w;

    if (!dir || dir->type != NWR_TYPE_DIR || nwr_op_listing(t))
        return;
    if (!dir->way || !dir->way_sure) {
        const struct nwr_last *last = last_of(t->m, t->req->pid);

        if (last->pid == t->req->pid && last->parent == dir->id && dir->dirs.n == 1)
            t->peek = nwr_strdup(last->name);
        return;
    }
    ahead = nwr_txn_new(t->m, plan_ahead, finish_ahead, NULL);
    ahead->beside = true;
    ahead->number = t->req->pid;
    nwr_txn_pin(ahead, dir);
    w = nwr_walk_new(t->m, t->req->pid);
    w->from = NWR_FS_GETATTR;
    w->parent = dir->id;
    w->name = nwr_strdup(dir->way);
    w->ahead = ahead->id;
    nwr_txn_run(ahead);
}

void nwr_ahead_unused(struct nwr_mount *m, uint64_t parent)
{
    struct nwr_node *dir = nwr_itable_find(&m->nodes, parent);

    if (dir)
        dir->way_sure = false;
}

void nwr_ahead_ask(struct nwr_txn *t)
{
    uint32_t own = t->nneed;
    struct nwr_shown x;

    if (!t->peek || t->runs > 1)
        return;
    nwr_view_find(t, &t->node->dirs, t->peek, strlen(t->peek), true, &x);
    for (uint32_t i = own; i < t->nneed; i++)
        t->need[i].guess = true; /* it must not fail with them */
}

void nwr_ahead_note(struct nwr_mount *m, struct nwr_node *dir, const struct nwr_fs_req *req,
                    bool is_dir)
{
    const char *name = req->name;
    struct nwr_last *last = last_of(m, req->pid);

    last->pid = req->pid;
    last->parent = dir->id;
    memcpy(last->name, name, strlen(name) + 1);
    if (is_dir && dir->way && strcmp(dir->way, name) == 0) {
        dir->way_sure = true;
        return;
    }
    nwr_free(dir->way);
    dir->way = is_dir ? nwr_strdup(name) : NULL;
    dir->way_sure = false;
}
