/* apply.c -- one batch: guards, puts, merges, block references; all of it or nothing.
 *
 *   1 load each record once, apply puts and merges to it in memory
 *   2 nothing changed (a retry, a merge of what is here): done, guards are not asked again
 *   3 guards, sibling limit, room on the disk
 *   4 count the references that came and went; a missing block ends it
 *   5 write records, the digest and index of their PG, entries and bytes of blocks as one batch
 */
#include "net/store/engine.h"

#include "net/core/ancestor.h"

/* A record of the batch while it is worked on. */
struct item {
    struct nwr_key key;
    struct nwr_record rec;
    struct nwr_blob *before; /* sealed; NULL: there was none */
    bool healed;             /* it did not verify, and what is merged takes its place */
    struct nwr_blob *after;  /* sealed; NULL: nothing changed */
    uint32_t live_before, hidden_before;
    bool indexed; /* it was in conflict */
    bool place;   /* it was the link of a directory */
    bool was;     /* it said something before */
    bool gone;    /* it says nothing now: it goes */
    bool brought; /* somebody else's kept versions, which were not here */
    struct nwr_element before_element;
};

struct applying {
    struct nwr_engine *e;
    struct nwr_store_op *op;
    struct nwr_txn txn;
    struct nwr_deltas deltas;
    struct item *item;
    uint32_t nitem;
    uint32_t changed;
    bool removes; /* takes away a live version or a reference, or says that something is gone */
    const struct nwr_vv *floor;
};

/* Voids and dead directories: what rm and rmdir write before they free anything. */
static uint32_t hidden(const struct nwr_record *rec)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < rec->n; i++)
        n += rec->v[i].flags & NWR_V_HIDDEN ? 1 : 0;
    return n;
}

static struct nwr_skey record_key(const struct nwr_key *key)
{
    return nwr_skey_of(NWR_SPACE_RECORDS, key->b, key->len);
}

static const struct nwr_key *key_of(const struct nwr_apply *a)
{
    return a->put ? &a->put->key : &a->key;
}

/* ---- loading -------------------------------------------------------------------------------- */

static enum nwr_err load(struct applying *a, struct item *it)
{
    struct nwr_skey key = record_key(&it->key);
    enum nwr_err err = nwr_txn_get(&a->txn, &key, &it->before);

    if (err == NWR_E_NOENT)
        return NWR_OK;
    if (!err)
        err = nwr_unseal_record(&key, it->before->data, it->before->len, &it->rec);
    if (err == NWR_E_CORRUPT && !NWR_RULE(UNKNOWN))
        return NWR_OK;
    /* The blocks it named stay counted, too high, until the recount. */
    if (err == NWR_E_CORRUPT && a->op->heal) {
        it->healed = true;
        return NWR_OK;
    }
    if (!err) {
        it->live_before = nwr_record_live(&it->rec);
        it->hidden_before = hidden(&it->rec);
        it->indexed = nwr_index_wants(&it->key, &it->rec);
        it->place = nwr_index_is_place(&it->key, &it->rec);
        it->was = !nwr_record_says_nothing(&it->rec);
        it->before_element = nwr_element_of(&it->key, &it->rec);
        nwr_deltas_record(&a->deltas, &it->rec, -1);
    }
    return err;
}

static struct item *find_item(struct applying *a, const struct nwr_key *key)
{
    for (uint32_t i = 0; i < a->nitem; i++)
        if (nwr_key_cmp(&a->item[i].key, key) == 0)
            return &a->item[i];
    return NULL;
}

static enum nwr_err load_all(struct applying *a)
{
    struct nwr_store_op *op = a->op;
    enum nwr_err err = NWR_OK;

    a->item = nwr_zalloc(op->napply * sizeof(*a->item));
    for (uint32_t i = 0; i < op->napply && !err; i++) {
        const struct nwr_key *key = key_of(&op->apply[i]);

        if (find_item(a, key))
            continue;
        if (key->len < 2 || nwr_key_pg(key) != op->pg || op->pg >= NWR_PGS_MAX)
            return NWR_E_INVAL;
        a->item[a->nitem].key = *key;
        err = load(a, &a->item[a->nitem++]);
    }
    return err;
}

/* ---- changing ------------------------------------------------------------------------------- */

static bool was_here(const struct nwr_record *rec, nwr_wid wid, struct nwr_dot *dot)
{
    for (uint32_t i = 0; i < rec->n; i++)
        if (rec->v[i].wid == wid) {
            *dot = rec->v[i].dot;
            return true;
        }
    for (uint32_t i = 0; i < rec->nretired; i++)
        if (rec->retired[i] == wid)
            return true;
    return false;
}

/* A removal that changes anything has a dot too: without it all that its context names may be below
 * the floor already, and the record would be folded before others have heard. */
static void discard(struct item *it, const struct nwr_write *w)
{
    struct nwr_record *rec = &it->rec;
    uint32_t before = rec->n + rec->nretired + rec->ctx.dots.n, n = rec->n;

    nwr_record_discard(rec, w->seen, w->nseen, w->retire, w->nretire);
    if (w->v.dot.counter && NWR_RULE(REMOVAL_DOT) &&
        (n != rec->n || before != rec->n + rec->nretired + rec->ctx.dots.n))
        nwr_ctx_event(&rec->ctx, w->v.dot);
}

/* ---- kept ancestors ------------------------------------------------------------------------- */

/* The version with its bases. Without another replica no two can come from one, but by programs
 * that save what they read before somebody else saved; there no floor would ever end what is kept.
 */
static struct nwr_version with_bases(const struct applying *a, const struct item *it,
                                     const struct nwr_write *w)
{
    struct nwr_version v = w->v;

    if (!a->op->alone && !(v.flags & NWR_V_TOMBSTONE) && nwr_keeps_ancestors(&it->key))
        nwr_bases_give(&v, &it->rec, w->seen, w->nseen, a->floor);
    return v;
}

static bool brings_kept(const struct nwr_record *here, const struct nwr_record *from)
{
    for (uint32_t i = 0; i < from->nkept; i++) {
        const struct nwr_version *v = &from->kept[i];
        bool is_here = nwr_record_find(here, v->dot) != NULL;

        for (uint32_t j = 0; j < here->nkept; j++)
            is_here |= nwr_dot_cmp(here->kept[j].dot, v->dot) == 0;
        if (!is_here)
            return true;
    }
    return false;
}

static bool has_block(struct applying *a, const struct nwr_block_id *id)
{
    struct nwr_entry en;

    for (uint32_t i = 0; i < a->op->nblock; i++)
        if (nwr_block_id_cmp(&a->op->block[i].id, id) == 0)
            return true;
    if (nwr_entry_get(&a->txn, id, &en))
        return false;
    nwr_entry_deinit(&en);
    return true;
}

/* A kept version that came without its blocks is left out where replicas need not agree on it: a
 * write never waits for it. In a conflict its blocks are asked for like all others. */
static void leave_out(struct applying *a, struct nwr_record *rec)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < rec->nkept; i++) {
        struct nwr_version *v = &rec->kept[i];
        bool whole = true;

        for (uint32_t j = 0; whole && j < v->nblocks; j++)
            whole = has_block(a, &v->blocks[j]);
        if (whole)
            rec->kept[n++] = *v;
        else
            nwr_version_deinit(v);
    }
    rec->nkept = n;
}

/* On a full disk a base is lost rather than a write refused that frees what it replaces. */
static void spare(struct applying *a)
{
    for (uint32_t i = 0; i < a->nitem; i++) {
        struct item *it = &a->item[i];

        if (it->brought && NWR_RULE(KEPT_WAITS) && !nwr_kept_counts(&it->rec))
            leave_out(a, &it->rec);
        if (it->rec.nkept && a->e->kv->full(a->e->kv))
            nwr_kept_give_up(&it->rec);
    }
}

/* A version that is here under its write_id, or was withdrawn, takes no second dot. */
static void put(struct applying *a, struct item *it, const struct nwr_write *w)
{
    struct nwr_version v = with_bases(a, it, w);
    struct nwr_dot dot = w->v.dot;

    if (w->discard) {
        discard(it, w);
        return;
    }
    if (w->v.wid && was_here(&it->rec, w->v.wid, &dot))
        discard(it, w);
    else
        nwr_record_put(&it->rec, &v, w->seen, w->nseen, w->retire, w->nretire, &dot);
    if (!a->op->dot.counter || nwr_dot_cmp(a->op->dot, w->v.dot) == 0)
        a->op->dot = dot;
}

static void seal_changed(struct applying *a, struct item *it)
{
    struct nwr_skey key = record_key(&it->key);
    struct nwr_out o = {0};
    struct nwr_blob *sealed;

    it->gone = nwr_record_says_nothing(&it->rec);
    if (it->gone) {
        a->changed += it->before != NULL;
        return;
    }
    nwr_record_encode(&it->rec, &o);
    sealed = nwr_seal(&key, o.data, o.len);
    nwr_out_free(&o);
    if (it->before && it->before->len == sealed->len &&
        memcmp(it->before->data, sealed->data, sealed->len) == 0) {
        nwr_blob_unref(sealed);
        return;
    }
    it->after = sealed;
    a->changed++;
}

/* A link that goes has been put on its way out before (fs/core/batch.c). With another link in the
 * same batch it is a move, which needs room for the new name: it is refused before it has begun. */
static bool says_gone(const struct applying *a)
{
    bool removed = false, left = false, linked = false;

    for (uint32_t i = 0; i < a->nitem; i++) {
        const struct item *it = &a->item[i];
        uint32_t live = nwr_record_live(&it->rec), away = hidden(&it->rec);
        bool link = it->key.b[2] == 'I' && it->key.b[11] == NWR_REG_LINK;

        linked |= link && live > it->live_before;
        left |= link && (live < it->live_before || away != it->hidden_before);
        removed |= !link && (live < it->live_before || away > it->hidden_before);
    }
    return removed || (left && !linked);
}

static void change_all(struct applying *a)
{
    struct nwr_store_op *op = a->op;
    struct nwr_vv below;

    op->dot = (struct nwr_dot){0};
    nwr_vv_copy(&below, a->floor);
    if (op->peer_floor)
        nwr_vv_join(&below, op->peer_floor);
    for (uint32_t i = 0; i < op->napply; i++) {
        struct item *it = find_item(a, key_of(&op->apply[i]));

        if (op->apply[i].put) {
            put(a, it, op->apply[i].put);
            continue;
        }
        it->brought |= brings_kept(&it->rec, op->apply[i].rec);
        nwr_record_sync_under(&it->rec, it->healed || !NWR_RULE(FLOOR_REFUSES) ? NULL : a->floor,
                              op->apply[i].rec, op->peer_floor);
    }
    spare(a);
    for (uint32_t i = 0; i < a->nitem; i++) {
        nwr_record_fold(&a->item[i].rec, &below);
        seal_changed(a, &a->item[i]);
        nwr_deltas_record(&a->deltas, &a->item[i].rec, 1);
    }
    a->removes |= says_gone(a);
    nwr_vv_deinit(&below);
    nwr_deltas_sum(&a->deltas);
    for (uint32_t i = 0; i < a->deltas.n; i++)
        a->removes |= a->deltas.d[i].by < 0;
}

/* ---- guards and limits ---------------------------------------------------------------------- */

static enum nwr_err get_record(struct applying *a, const struct nwr_key *key,
                               struct nwr_record *rec)
{
    struct nwr_skey k = record_key(key);
    struct nwr_blob *sealed;
    enum nwr_err err = nwr_txn_get(&a->txn, &k, &sealed);

    if (err)
        return err;
    err = nwr_unseal_record(&k, sealed->data, sealed->len, rec);
    nwr_blob_unref(sealed);
    return err;
}

/* The batch's own version, left by a first try that came half-way, is no newer one. */
static bool is_named(const struct applying *a, const struct nwr_guard *g,
                     const struct nwr_version *v)
{
    for (uint32_t i = 0; i < g->nseen; i++)
        if (nwr_dot_cmp(g->seen[i].dot, v->dot) == 0 || (v->wid && g->seen[i].wid == v->wid))
            return true;
    for (uint32_t i = 0; i < a->op->napply; i++) {
        const struct nwr_write *w = a->op->apply[i].put;

        if (w && !w->discard && v->wid && w->v.wid == v->wid)
            return true;
    }
    return false;
}

static enum nwr_err guard_seen(struct applying *a, const struct nwr_guard *g)
{
    struct nwr_record rec;
    enum nwr_err err = get_record(a, &g->key, &rec);

    if (err)
        return err == NWR_E_NOENT ? NWR_OK : err;
    for (uint32_t i = 0; i < rec.n; i++) {
        if (rec.v[i].flags & (NWR_V_TOMBSTONE | NWR_V_HIDDEN | NWR_V_MARK))
            continue;
        if (!is_named(a, g, &rec.v[i]))
            err = NWR_E_SUPERSEDED;
    }
    nwr_record_deinit(&rec);
    return err;
}

static enum nwr_err guard_alive(struct applying *a, const struct nwr_guard *g)
{
    struct nwr_record rec;
    enum nwr_err err = get_record(a, &g->key, &rec);

    if (err)
        return err == NWR_E_NOENT ? NWR_OK : err;
    for (uint32_t i = 0; i < rec.n; i++)
        if (rec.v[i].flags & NWR_V_HIDDEN && !is_named(a, g, &rec.v[i]))
            err = NWR_E_DEAD;
    nwr_record_deinit(&rec);
    return err;
}

struct emptiness {
    const struct nwr_guard *guard;
    enum nwr_err err;
};

static bool leads_anywhere(const struct nwr_record *rec)
{
    for (uint32_t i = 0; i < rec->n; i++)
        if (rec->v[i].flags & NWR_V_HIDDEN && rec->v[i].ref)
            return true;
    return false;
}

static bool on_child(void *arg, const struct nwr_skey *key, const void *value, size_t len)
{
    struct emptiness *em = arg;
    struct nwr_record rec;

    if (key->len < em->guard->key.len || memcmp(key->b, em->guard->key.b, em->guard->key.len) != 0)
        return false;
    em->err = nwr_unseal_record(key, value, len, &rec);
    if (em->err)
        return false;
    if (nwr_record_live(&rec) || (em->guard->kind == NWR_GUARD_BARE && leads_anywhere(&rec)))
        em->err = NWR_E_NOTEMPTY;
    nwr_record_deinit(&rec);
    return em->err == NWR_OK;
}

static enum nwr_err guard_empty(struct applying *a, const struct nwr_guard *g)
{
    struct emptiness em = {g, NWR_OK};
    struct nwr_skey from = record_key(&g->key);
    enum nwr_err err = a->e->kv->scan(a->e->kv, &from, on_child, &em);

    return err ? err : em.err;
}

static enum nwr_err guards(struct applying *a)
{
    struct nwr_store_op *op = a->op;
    enum nwr_err err = NWR_OK;

    for (uint32_t i = 0; i < op->nguard && !err; i++)
        switch (op->guard[i].kind) {
        case NWR_GUARD_SEEN:
            if (op->coordinator)
                err = guard_seen(a, &op->guard[i]);
            break;
        case NWR_GUARD_ALIVE: err = guard_alive(a, &op->guard[i]); break;
        case NWR_GUARD_EMPTY:
        case NWR_GUARD_BARE: err = guard_empty(a, &op->guard[i]); break;
        }
    return err;
}

static enum nwr_err limits(struct applying *a)
{
    for (uint32_t i = 0; a->op->coordinator && i < a->nitem; i++) {
        uint32_t live = nwr_record_live(&a->item[i].rec);

        if (live > NWR_SIBLINGS_MAX && live > a->item[i].live_before)
            return NWR_E_BUSY;
    }
    if ((a->op->nblock || !a->removes) && a->e->kv->full(a->e->kv))
        return NWR_E_NOSPC;
    return NWR_OK;
}

/* ---- the batch ------------------------------------------------------------------------------ */

static enum nwr_err stage_digest(struct applying *a, const struct item *it)
{
    struct nwr_element after = nwr_element_of(&it->key, &it->rec);
    bool is = !nwr_record_says_nothing(&it->rec);

    if (!NWR_RULE(DIGEST_KEPT))
        return NWR_OK;
    return nwr_txn_digest(&a->txn, nwr_key_pg(&it->key), it->was ? &it->before_element : NULL,
                          is ? &after : NULL, it->healed);
}

/* The inode of a record that says, since this batch, something else about its names; 0: none. */
static nwr_ino renamed(const struct item *it)
{
    struct nwr_key_parts p;

    if ((it->live_before > 0) == (nwr_record_live(&it->rec) > 0) && !it->healed)
        return 0;
    if (!nwr_key_parse(&it->key, &p) || p.kind != 'I' ||
        (p.reg != NWR_REG_ATTR && p.reg != NWR_REG_LINK))
        return 0;
    return p.ino;
}

static bool is_made(struct applying *a, nwr_ino ino)
{
    struct nwr_key key = nwr_key_reg(ino, NWR_REG_ATTR);
    const struct item *it = find_item(a, &key);

    return it && !it->before;
}

/* The inode of a record that is or was the link of a directory; 0: it is none. */
static nwr_ino placed(const struct item *it)
{
    struct nwr_key_parts p;

    if ((!it->place && !it->healed && !nwr_index_is_place(&it->key, &it->rec)) ||
        !nwr_key_parse(&it->key, &p) || p.kind != 'I' || p.reg != NWR_REG_LINK)
        return 0;
    return p.ino;
}

static enum nwr_err stage_places(struct applying *a)
{
    enum nwr_err err = NWR_OK;

    for (uint32_t i = 0; i < a->nitem && !err; i++) {
        nwr_ino ino = placed(&a->item[i]);

        if (ino && !nwr_index_is_place(&a->item[i].key, &a->item[i].rec))
            err = nwr_txn_index(&a->txn, &a->item[i].key, false);
        for (uint32_t j = 0; ino && j < i; j++)
            if (placed(&a->item[j]) == ino)
                ino = 0;
        if (!err && ino)
            err = nwr_txn_index_places(&a->txn, ino);
    }
    return err;
}

static enum nwr_err stage_index(struct applying *a)
{
    enum nwr_err err = NWR_OK;

    for (uint32_t i = 0; i < a->nitem && !err; i++) {
        const struct item *it = &a->item[i];
        bool want = nwr_index_wants(&it->key, &it->rec);
        nwr_ino ino = renamed(it);

        if (want != it->indexed || it->healed)
            err = nwr_txn_index(&a->txn, &it->key, want);
        for (uint32_t j = 0; ino && j < i; j++)
            if (renamed(&a->item[j]) == ino)
                ino = 0;
        if (!err && ino)
            err = nwr_txn_index_names(&a->txn, ino, is_made(a, ino));
    }
    return err ? err : stage_places(a);
}

/* The dot of the batch, whatever its writes came to. */
static enum nwr_err given(struct applying *a)
{
    for (uint32_t i = 0; i < a->op->napply; i++)
        if (a->op->apply[i].put)
            return nwr_txn_given(&a->txn, a->op->pg, a->op->apply[i].put->v.dot);
    return NWR_OK;
}

static enum nwr_err stage(struct applying *a)
{
    enum nwr_err err = nwr_blocks_count(&a->txn, &a->deltas, a->op, false);

    if (!err)
        err = given(a);
    for (uint32_t i = 0; i < a->nitem && !err; i++) {
        struct item *it = &a->item[i];
        struct nwr_skey key = record_key(&it->key);

        if (!it->after && !(it->gone && it->before))
            continue;
        err = stage_digest(a, it);
        nwr_sorted_put(&a->txn.changes, &key, it->after);
        it->after = NULL;
        if (it->healed)
            nwr_recount_at_open(&a->txn);
        if (it->healed && !err)
            err = nwr_txn_clock_lost(&a->txn, a->op->pg);
    }
    return err ? err : stage_index(a);
}

static void tell_conflicts(struct applying *a)
{
    struct nwr_store_op *op = a->op;
    uint32_t cap = 0;

    for (uint32_t i = 0; i < a->nitem; i++) {
        const struct item *it = &a->item[i];

        if (it->indexed || it->healed || !nwr_index_counts(&it->key) ||
            !nwr_index_wants(&it->key, &it->rec))
            continue;
        op->appeared = nwr_grow(op->appeared, &cap, op->nappeared + 1, sizeof(*op->appeared));
        nwr_index_tell(a->e, &it->key, &it->rec, &op->appeared[op->nappeared++]);
    }
}

static void give_rows(struct applying *a)
{
    for (uint32_t i = 0; i < a->nitem; i++) {
        struct nwr_row *row = nwr_rows_at(&a->op->rows, &a->item[i].key);

        row->rec = a->item[i].rec;
        a->item[i].rec = (struct nwr_record){0};
    }
}

static void free_items(struct applying *a)
{
    for (uint32_t i = 0; i < a->nitem; i++) {
        nwr_record_deinit(&a->item[i].rec);
        nwr_blob_unref(a->item[i].before);
        nwr_blob_unref(a->item[i].after);
    }
    nwr_free(a->item);
    nwr_free(a->deltas.d);
}

/* A retry that changes nothing still takes its hints. */
static enum nwr_err commit(struct applying *a)
{
    for (uint32_t i = 0; i < a->op->nhint; i++)
        nwr_txn_hint(&a->txn, &a->op->hint[i]);
    return nwr_txn_commit(&a->txn);
}

void nwr_run_apply(struct nwr_engine *e, struct nwr_store_op *op)
{
    struct applying a = {.e = e, .op = op};
    const struct nwr_clock_slot *clock;

    /* What is not there may only not be there any more. */
    if ((op->coordinator || op->nguard) && nwr_engine_doubts(e, op->pg) && NWR_RULE(DOUBT)) {
        op->err = NWR_E_CORRUPT;
        return;
    }
    nwr_txn_init(&a.txn, e);
    op->err = load_all(&a);
    if (!op->err)
        op->err = nwr_clock_load(e, op->pg, &clock);
    if (op->err)
        goto out;
    a.floor = &clock->floor;
    change_all(&a);
    if (a.changed) {
        op->err = guards(&a);
        if (!op->err)
            op->err = limits(&a);
        if (!op->err)
            op->err = stage(&a);
        if (op->err && !NWR_RULE(BATCH_WHOLE) && !stage(&a))
            commit(&a);
    }
    if (!op->err)
        op->err = commit(&a);
    if (!op->err)
        tell_conflicts(&a);
    if (!op->err)
        give_rows(&a);
out:
    nwr_txn_abort(&a.txn);
    free_items(&a);
}
