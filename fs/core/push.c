/* push.c -- data on its way out: from dirty bytes to an acknowledged version (DESIGN 8).
 *
 *   1  what is dirty becomes blocks and a map (file.h); blocks that this needs are fetched
 *   2  more than may travel with a batch: most blocks go ahead, in pieces
 *   3  one batch: the creation if it is not sent yet, the content with its marks, the last blocks
 *   4  acknowledged: the version is the node's base now, who waited runs again
 *
 * A failure at any step makes the bytes dirty again and leaves its error in the node, for flush or
 * fsync to report. The push is tried again later under a new write_id; a write whose end is not
 * known is named by the next one, so that it cannot come back as a sibling of its own file.
 */
#include "fs/core/ops.h"

enum {
    RETRY_MS = 2000,
    TOUCH_MS = 1000
};

/* ---- when ----------------------------------------------------------------------------------- */

enum nwr_level nwr_push_level(const struct nwr_mount *m, const struct nwr_node *n)
{
    return m->config.sync || n->policy.durability == 2 ? NWR_LEVEL_DISK : NWR_LEVEL_MEMORY;
}

static nwr_ms due_of(const struct nwr_node *n)
{
    nwr_ms push = n->push_at ? n->push_at : UINT64_MAX;

    return NWR_MIN(push, n->touch_at ? n->touch_at : UINT64_MAX);
}

static void due_add(struct nwr_mount *m, struct nwr_node *n)
{
    uint32_t i = 0;

    m->due_at = m->ndue ? NWR_MIN(m->due_at, due_of(n)) : due_of(n);
    while (i < m->ndue && m->due[i] != n)
        i++;
    if (i < m->ndue)
        return;
    m->due = nwr_grow(m->due, &m->capdue, m->ndue + 1, sizeof(struct nwr_node *));
    m->due[m->ndue++] = n;
}

static void due_clean(struct nwr_mount *m)
{
    uint32_t kept = 0;

    m->due_at = UINT64_MAX;
    for (uint32_t i = 0; i < m->ndue; i++) {
        struct nwr_node *n = m->due[i];

        if (due_of(n) == UINT64_MAX)
            continue;
        m->due[kept++] = n;
        if (!n->pushing)
            m->due_at = NWR_MIN(m->due_at, due_of(n));
    }
    m->ndue = kept;
}

void nwr_push_nameless(struct nwr_mount *m, struct nwr_node *n)
{
    if (!n->dropped)
        return;
    n->dropped = false;
    nwr_push_later(m, n);
}

void nwr_push_later(struct nwr_mount *m, struct nwr_node *n)
{
    if (n->dropped && n->file && nwr_file_dirty_bytes(n->file) >= NWR_PUSH_BYTES)
        n->dropped = false; /* memory is not the place for it */
    if (!nwr_node_unsent(n))
        return;
    if (n->push_at == 0)
        n->push_at = m->now + (n->refused ? NWR_REFUSED_MS : NWR_PUSH_MS);
    due_add(m, n);
    if (n->file && !n->refused && nwr_file_dirty_bytes(n->file) >= NWR_PUSH_BYTES)
        nwr_push_start(m, n, nwr_push_level(m, n));
}

/* Nothing of n is to be sent any more. */
void nwr_push_stop(struct nwr_mount *m, struct nwr_node *n)
{
    n->push_at = 0;
    due_clean(m);
    nwr_itable_reap(&m->nodes, n);
}

nwr_ms nwr_push_deadline(const struct nwr_mount *m)
{
    return m->ndue ? m->due_at : UINT64_MAX;
}

void nwr_entry_touch(struct nwr_mount *m, struct nwr_node *dir)
{
    dir->touched = NWR_MAX(m->wall, dir->touched + 1);
    dir->touched_hlc = nwr_mount_hlc(m);
    if (dir->touch_at == 0)
        dir->touch_at = m->now + TOUCH_MS;
    due_add(m, dir);
}

/* ---- a directory's times -------------------------------------------------------------------- */

static enum nwr_plan plan_touch(struct nwr_txn *t)
{
    struct nwr_attr a;
    nwr_ns mtime;

    nwr_txn_policy(t, t->node);
    if (!nwr_txn_object(t, t->node->root))
        return NWR_PLAN_WAIT;
    if (!nwr_attr_merge(t, t->node->root, &a))
        return NWR_PLAN_DONE;
    t->number = (uint64_t)t->node->touched;
    mtime = nwr_attr_touched(&a, t->node);
    if (mtime != (nwr_ns)a.mtime.value) {
        a.mtime = a.ctime = (struct nwr_stamped){(uint64_t)mtime, 0};
        nwr_attr_put(t, t->node->root, &a);
    }
    nwr_attr_deinit(&a);
    return NWR_PLAN_DONE;
}

static void finish_touch(struct nwr_txn *t)
{
    struct nwr_node *dir = t->node;

    if (t->err != NWR_OK || t->eno)
        return;
    dir->told = (nwr_ns)t->number;
    dir->touched_hlc = NWR_MAX(dir->touched_hlc, nwr_mount_hlc(t->m)); /* more came meanwhile */
}

static void start_touch(struct nwr_mount *m, struct nwr_node *dir)
{
    struct nwr_txn *t = nwr_txn_new(m, plan_touch, finish_touch, NULL);

    dir->touch_at = 0;
    nwr_txn_pin(t, dir);
    nwr_txn_run(t);
}

void nwr_push_tick(struct nwr_mount *m, bool everything)
{
    if (!everything && (m->ndue == 0 || m->now < m->due_at))
        return;
    for (uint32_t i = 0; i < m->ndue; i++) {
        struct nwr_node *n = m->due[i];

        if (n->touch_at && (everything || n->touch_at <= m->now))
            start_touch(m, n);
        if (n->push_at && !n->pushing && !nwr_node_unsent(n)) {
            nwr_push_stop(m, n); /* truncated back to what is there, say; n may be gone */
            i = i ? i - 1 : UINT32_MAX;
            continue;
        }
        if (n->push_at && !n->pushing && (everything || n->push_at <= m->now) &&
            !(everything && n->failed && n->push_at > m->now))
            nwr_push_start(m, n, nwr_push_level(m, n));
    }
    due_clean(m);
}

/* ---- the push ------------------------------------------------------------------------------- */

static void stage_block(struct nwr_block *to, struct nwr_block *from)
{
    *to = *from;
    from->data = NULL;
    from->refs = NULL;
    from->nrefs = 0;
}

/* Blocks go ahead in pieces until the rest fits into the batch. */
static void stage_blocks(struct nwr_txn *t)
{
    struct nwr_push *p = &t->push;
    uint64_t left = p->block_bytes, piece = UINT64_MAX;
    struct nwr_request *req = NULL;

    for (uint32_t i = 0; i < p->nblock; i++) {
        uint32_t len = p->block[i].data->len;

        if (left <= NWR_BATCH_BLOCKS_BYTES) {
            stage_block(nwr_txn_block(t), &p->block[i]);
            continue;
        }
        if (piece + len > NWR_BATCH_BLOCKS_BYTES || !req) {
            req = nwr_request_new(NWR_OP_BLOCK_PUT, nwr_ino_pg(t->node->root));
            t->ahead = nwr_realloc(t->ahead, (t->nahead + 1) * sizeof(struct nwr_request *));
            t->ahead[t->nahead++] = req;
            piece = 0;
        }
        stage_block(nwr_request_block(req), &p->block[i]);
        piece += len;
        left -= len;
    }
}

static void guard_alive(struct nwr_txn *t, const struct nwr_node *n)
{
    struct nwr_key key = nwr_key_reg(n->root, NWR_REG_MARKS);

    nwr_txn_guard(t, NWR_GUARD_ALIVE, &key);
}

static enum nwr_plan plan_push(struct nwr_txn *t)
{
    struct nwr_node *n = t->node;

    if (n->policy.reject && !n->held && !n->unlinked) {
        if (!nwr_txn_object(t, n->root))
            return NWR_PLAN_WAIT;
        t->superseded = nwr_refuse_due(t, n);
        if (t->superseded)
            return nwr_txn_fail(t, ESTALE);
        nwr_refuse_guard(t, n);
    }
    if (!t->push_ready && n->file && nwr_file_dirty(n->file)) {
        if (!nwr_file_push_begin(n->file, t->wid, &t->push, &t->blocks))
            return NWR_PLAN_WAIT;
        t->pushed_bytes = true;
    }
    t->push_ready = true;
    if (n->held && !nwr_birth_send(t, n))
        return NWR_PLAN_WAIT;
    nwr_view_write(t, n, t->wid, &t->push, n->mtime);
    if (t->raises && !nwr_view_raise(t, n))
        return NWR_PLAN_WAIT;
    if (!t->raises && !n->held && !n->unlinked)
        guard_alive(t, n);
    stage_blocks(t);
    return NWR_PLAN_DONE;
}

static void note_unsure(struct nwr_node *n, nwr_wid wid)
{
    n->unsure = nwr_realloc(n->unsure, (n->nunsure + 1) * sizeof(*n->unsure));
    n->unsure[n->nunsure++] = wid;
}

bool nwr_push_dead(struct nwr_txn *t)
{
    struct nwr_node *n = t->node;

    if (t->plan != plan_push || t->raises || n->held || n->unlinked)
        return false;
    t->raises = true;
    note_unsure(n, t->wid); /* not every replica need have refused it */
    t->wid = nwr_txn_wid(t);
    if (t->pushed_bytes)
        nwr_file_push_end(n->file, false);
    nwr_push_deinit(&t->push);
    t->push = (struct nwr_push){0};
    t->push_ready = t->pushed_bytes = false;
    return true;
}

static void push_failed(struct nwr_txn *t, enum nwr_err err)
{
    struct nwr_node *n = t->node;

    n->err = err;
    n->failed = true;
    /* Whatever the answer: one replica may have taken what the others had no room for, say. */
    if (t->sent) {
        note_unsure(n, t->wid);
        n->tried = n->held != NULL;
    }
}

static void push_done(struct nwr_txn *t)
{
    struct nwr_node *n = t->node;
    bool pages = n->has_pages && n->pages.wid == n->version.wid;

    nwr_reads_wrote(t->m->reads, t->wid);
    nwr_view_wrote(n, t->wid, t->last.dot, t->last.hlc, t->last.k);
    if (n->held)
        nwr_birth_sent(t->m, n);
    nwr_free(n->unsure);
    n->unsure = NULL;
    n->nunsure = 0;
    n->failed = false;
    n->on_disk = t->level == NWR_LEVEL_DISK;
    n->wrote = true;
    if (pages)
        n->pages = n->version;
    t->m->counters.pushes++;
}

void nwr_push_ended(struct nwr_mount *m, struct nwr_node *n, nwr_ms at)
{
    n->push_at = at;
    if (at)
        due_add(m, n);
    due_clean(m);
    nwr_push_wake(m, n);
}

static void finish_push(struct nwr_txn *t);

/* dead: its directory takes no names, or so the last push was told: it is looked for, without what
 * is only here. */
static void start(struct nwr_mount *m, struct nwr_node *n, enum nwr_level level, bool dead)
{
    struct nwr_txn *t = nwr_txn_new(m, plan_push, finish_push, NULL);

    n->pushing = true;
    n->err = NWR_OK;
    n->reported = false;
    nwr_txn_pin(t, n);
    nwr_txn_policy(t, n);
    t->level = level;
    t->wid = nwr_txn_wid(t);
    t->dead = t->sent_only = dead;
    nwr_txn_run(t);
}

static void finish_push(struct nwr_txn *t)
{
    struct nwr_node *n = t->node;
    enum nwr_err err = t->err == NWR_OK && t->eno ? NWR_E_IO : t->err;

    n->pushing = false;
    n->last = err;
    if (t->pushed_bytes)
        nwr_file_push_end(n->file, err == NWR_OK);
    if (t->superseded || (err == NWR_E_SUPERSEDED && n->policy.reject)) {
        if (t->sent) /* another coordinator may have taken it before */
            note_unsure(n, t->wid);
        nwr_refuse_start(t->m, n);
        return;
    }
    if (err == NWR_OK)
        push_done(t);
    else
        push_failed(t, err);
    if (err == NWR_E_DEAD && n->held && !t->dead) {
        n->failed = false;
        start(t->m, n, t->level, true);
        return;
    }
    if (err && n->file && nwr_file_borrows(n->file)) {
        nwr_file_return(n->file);
        n->returned++;
    }
    if (n->failed && n->opens == 0 && n->reported)
        nwr_node_give_up(t->m, n);
    nwr_push_ended(t->m, n, nwr_node_unsent(n) ? t->m->now + (err ? RETRY_MS : NWR_PUSH_MS) : 0);
}

void nwr_push_start(struct nwr_mount *m, struct nwr_node *n, enum nwr_level level)
{
    if (n->pushing)
        return;
    if (!nwr_node_unsent(n)) {
        n->push_at = 0; /* unlinked meanwhile: due for ever otherwise, at each tick */
        return;
    }
    if (n->refused) {
        nwr_refuse_start(m, n);
        return;
    }
    start(m, n, level, false);
}

/* The list changes while its members run: each is found again, and runs once: what then waits
 * for the next push has its turn after that. */
void nwr_push_wake(struct nwr_mount *m, struct nwr_node *n)
{
    struct nwr_txn *t = m->txns;
    uint64_t turn = ++m->wakes;

    while (t) {
        if (t->wants_push == n && t->inflight == 0 && t->woken < turn) {
            t->wants_push = NULL;
            t->woken = turn;
            nwr_txn_again(t);
            t = m->txns;
        } else {
            t = t->next;
        }
    }
}

/* ---- removals ------------------------------------------------------------------------------- */

/* A version that its remover has not seen is an edit that brings the file back (DESIGN 9): one that
 * this mount itself sends meanwhile is none. Once the file is removed, it is sent as that. */
void nwr_push_bar(struct nwr_txn *t, nwr_ino root)
{
    struct nwr_node *n = nwr_itable_of(&t->m->nodes, root);

    for (; n; n = nwr_itable_next(n)) {
        if (n->pushing || n->refused || n->type != NWR_TYPE_REG)
            continue;
        n->pushing = true;
        n->barred = t;
        n->pins++;
    }
}

static struct nwr_node *barred_by(const struct nwr_txn *t, nwr_ino root)
{
    struct nwr_node *n = root ? nwr_itable_of(&t->m->nodes, root) : NULL;

    while (n && n->barred != t)
        n = nwr_itable_next(n);
    return n;
}

void nwr_push_unbar(struct nwr_txn *t)
{
    const nwr_ino root[] = {t->x.root, t->y.root};
    struct nwr_node *n;

    for (size_t i = 0; i < NWR_COUNT(root); i++)
        while ((n = barred_by(t, root[i]))) {
            n->pushing = false;
            n->barred = NULL;
            nwr_push_ended(t->m, n, n->push_at);
            n->pins--;
            nwr_itable_reap(&t->m->nodes, n);
        }
}

/* The error was reported and nobody holds the file: what could not be sent is given up, and so is
 * its base, which O_TRUNC may have taken from another file of that name. A creation that somebody
 * may have is what the replicas say it is, from now on. */
void nwr_node_give_up(struct nwr_mount *m, struct nwr_node *n)
{
    if (n->held && !n->tried) {
        nwr_birth_unname(m, n);
    } else {
        if (n->held)
            nwr_birth_forget(m, n);
        nwr_file_destroy(n->file);
        n->file = NULL;
        n->loaded = false;
        nwr_node_base(n, (struct nwr_seen){0}, 0);
    }
    n->failed = false;
    n->push_at = 0;
    due_clean(m);
}
