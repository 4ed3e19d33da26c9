/* birth.c -- creations that this mount has not sent yet (DESIGN 8, "When data leaves the mount").
 *
 * The writes of a creation (link, entry, attributes, an empty content) are held back in its node
 * and lie over every snapshot, under provisional dots, so that all of this mount sees them. They
 * go with the file's data as one batch; the content is then the data's. The real batch names
 * what was seen by write_id only where that was itself provisional.
 */
#include "fs/core/state.h"

enum {
    SENT_MAX = 256
};

bool nwr_is_pending(struct nwr_dot dot)
{
    return dot.actor == NWR_ACTOR_PENDING;
}

struct nwr_node *nwr_birth_of(struct nwr_mount *m, nwr_ino root)
{
    for (uint32_t i = 0; i < m->nodes.nbirth; i++)
        if (m->nodes.birth[i]->root == root)
            return m->nodes.birth[i];
    return NULL;
}

static void give_dot(struct nwr_mount *m, struct nwr_write *w)
{
    w->v.dot = (struct nwr_dot){NWR_ACTOR_PENDING, ++m->next_pending};
    w->v.hlc = nwr_mount_hlc(m);
}

static bool is_content(const struct nwr_key *key)
{
    return key->len == 12 && key->b[2] == 'I' && key->b[11] == NWR_REG_CONTENT;
}

void nwr_birth_hold(struct nwr_txn *t, struct nwr_node *n)
{
    struct nwr_itable *it = &t->m->nodes;

    nwr_assert(t->staged);
    nwr_assert(!n->held);
    n->held = t->staged;
    t->staged = NULL;
    n->held->pg = nwr_ino_pg(n->root);
    n->held->w = t->w;
    for (uint32_t i = 0; i < n->held->nwrite; i++) {
        struct nwr_write *w = &n->held->write[i];

        give_dot(t->m, w);
        nwr_walk_changed(t->m, &w->key, t->id);
        nwr_left_changed(t->m, &w->key);
        if (is_content(&w->key))
            nwr_node_base(n, (struct nwr_seen){w->v.dot, w->v.wid}, 0);
    }
    it->birth = nwr_grow(it->birth, &it->capbirth, it->nbirth + 1, sizeof(struct nwr_node *));
    it->birth[it->nbirth++] = n;
    nwr_push_later(t->m, n);
    nwr_birth_overlay(t);
}

static void copy_write(struct nwr_write *dst, const struct nwr_write *src)
{
    *dst = *src;
    dst->seen = NULL;
    dst->retire = NULL;
    if (src->nseen)
        dst->seen = nwr_memdup(src->seen, src->nseen * sizeof(*src->seen));
    if (src->nretire)
        dst->retire = nwr_memdup(src->retire, src->nretire * sizeof(*src->retire));
    nwr_version_copy(&dst->v, &src->v);
}

/* A push that failed sends them again under the same write_ids, maybe through another coordinator:
 * they may get a second dot, and the first must know that already. */
bool nwr_birth_send(struct nwr_txn *t, struct nwr_node *n)
{
    bool whole = true;

    for (uint32_t i = 0; i < n->held->nwrite; i++)
        if (!is_content(&n->held->write[i].key)) {
            struct nwr_write *w = nwr_txn_write(t, &n->held->write[i].key, NULL, NULL);

            copy_write(w, &n->held->write[i]);
            w->v.dot = (struct nwr_dot){0};
            w->v.hlc = 0;
            w->v.flags &= (uint8_t)~NWR_V_ONCE;
            w->fresh = !n->tried && !t->refused && !t->dead;
        }
    /* Without a name it needs no directory, which may have been removed since. */
    for (uint32_t i = 0; i < n->held->nguard && !n->unlinked; i++) {
        struct nwr_key_parts dir;

        nwr_assert(n->held->guard[i].kind == NWR_GUARD_ALIVE);
        if (nwr_key_parse(&n->held->guard[i].key, &dir))
            whole &= nwr_view_enter(t, dir.ino);
    }
    return whole;
}

static struct nwr_write *held_write(struct nwr_node *n, const struct nwr_key *key)
{
    for (uint32_t i = 0; i < n->held->nwrite; i++)
        if (nwr_key_cmp(&n->held->write[i].key, key) == 0)
            return &n->held->write[i];
    return NULL;
}

/* What was held for the key is not sent at all, unless somebody may have it: then it is named. */
static void absorb_one(struct nwr_mount *m, struct nwr_node *n, struct nwr_write *w)
{
    struct nwr_write *old = held_write(n, &w->key);
    struct nwr_version v;

    if (!old) {
        old = nwr_request_write(n->held);
        copy_write(old, w);
        old->nseen = 0;
        for (uint32_t i = 0; i < w->nseen; i++)
            if (!nwr_is_pending(w->seen[i].dot))
                old->seen[old->nseen++] = w->seen[i];
        give_dot(m, old);
        return;
    }
    if (n->tried)
        nwr_write_retire(old, old->v.wid);
    v = old->v;
    nwr_version_copy(&old->v, &w->v);
    nwr_version_deinit(&v);
    give_dot(m, old);
}

void nwr_birth_absorb(struct nwr_txn *t, struct nwr_node *n)
{
    for (uint32_t i = 0; i < t->staged->nwrite; i++) {
        struct nwr_write *w = &t->staged->write[i];
        struct nwr_row *row = nwr_rows_at(&t->rows, &w->key);

        /* What the snapshot shows of it so far is not there any more. */
        nwr_record_discard(&row->rec, w->seen, w->nseen, NULL, 0);
        absorb_one(t->m, n, w);
        nwr_walk_changed(t->m, &w->key, t->id);
    }
    nwr_request_destroy(t->staged);
    t->staged = NULL;
    nwr_birth_overlay(t);
}

/* Its names are gone before anybody else saw them. Open files keep the rest. */
void nwr_birth_unname(struct nwr_mount *m, struct nwr_node *n)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < n->held->nwrite; i++) {
        struct nwr_write *w = &n->held->write[i];

        if (w->key.b[2] == 'E' || w->key.b[11] == NWR_REG_LINK) {
            nwr_walk_changed(m, &w->key, 0);
            nwr_free(w->seen);
            nwr_free(w->retire);
            nwr_version_deinit(&w->v);
        } else {
            n->held->write[kept++] = *w;
        }
    }
    n->held->nwrite = kept;
    n->dropped = n->unlinked = true;
}

void nwr_birth_forget(struct nwr_mount *m, struct nwr_node *n)
{
    for (uint32_t i = 0; i < n->held->nwrite; i++)
        nwr_walk_changed(m, &n->held->write[i].key, 0);
    nwr_node_base(n, (struct nwr_seen){0}, 0);
    nwr_itable_unhold(&m->nodes, n);
}

/* ---- just sent ------------------------------------------------------------------------------ */

static bool is_asking(const struct nwr_mount *m)
{
    for (const struct nwr_txn *t = m->txns; t; t = t->next)
        if (t->inflight)
            return true;
    return false;
}

/* A READ that was asked before may be answered after, with what was there before: for it the
 * creation is one that was not sent. */
void nwr_birth_sent(struct nwr_mount *m, struct nwr_node *n)
{
    if (is_asking(m) && m->nsent < SENT_MAX) {
        m->sent = nwr_grow(m->sent, &m->capsent, m->nsent + 1, sizeof(*m->sent));
        m->sent[m->nsent++] = (struct nwr_sent){n->held, m->changed};
        n->held = NULL;
    }
    nwr_itable_unhold(&m->nodes, n);
}

void nwr_birth_settle(struct nwr_mount *m)
{
    uint64_t since = m->changed;
    uint32_t kept = 0;

    if (m->nsent == 0)
        return;
    for (const struct nwr_txn *t = m->txns; t; t = t->next)
        since = NWR_MIN(since, t->since);
    for (uint32_t i = 0; i < m->nsent; i++)
        if (m->sent[i].at > since)
            m->sent[kept++] = m->sent[i];
        else
            nwr_request_destroy(m->sent[i].birth);
    m->nsent = kept;
}

static bool has_wid(const struct nwr_record *rec, nwr_wid wid)
{
    for (uint32_t i = 0; i < rec->n; i++)
        if (rec->v[i].wid == wid)
            return true;
    return false;
}

static bool is_empty(const struct nwr_record *rec)
{
    return rec->n == 0 && rec->ctx.vv.n == 0 && rec->ctx.dots.n == 0;
}

/* A replica that knows anything of the inode has all of its creation. */
static void overlay_sent(struct nwr_txn *t, const struct nwr_write *w)
{
    struct nwr_record *rec;

    if (!nwr_txn_knows(t, &w->key))
        return;
    rec = &nwr_rows_at(&t->rows, &w->key)->rec;
    if (w->key.b[2] == 'E' ? has_wid(rec, w->v.wid) : !is_empty(rec))
        return;
    nwr_record_put(rec, &w->v, w->seen, w->nseen, w->retire, w->nretire, NULL);
}

/* ---- snapshots ------------------------------------------------------------------------------ */

/* A push of n that is under way, or of which nobody knows how it ended, may be there already; its
 * content has a write_id of its own. */
static void overlay_write(struct nwr_txn *t, const struct nwr_node *n, const struct nwr_write *w)
{
    struct nwr_record *rec;

    if (!nwr_txn_knows(t, &w->key))
        return;
    if (w->v.ref && !n->tried)
        nwr_txn_born(t, w->v.ref);
    rec = &nwr_rows_at(&t->rows, &w->key)->rec;
    if (!has_wid(rec, w->v.wid) && (!is_content(&w->key) || is_empty(rec)))
        nwr_record_put(rec, &w->v, w->seen, w->nseen, w->retire, w->nretire, NULL);
}

void nwr_birth_overlay(struct nwr_txn *t)
{
    const struct nwr_itable *it = &t->m->nodes;

    if (t->sent_only)
        return;
    /* Twice: the first time over, an entry makes its object known. */
    for (int pass = 0; pass < 2; pass++)
        for (uint32_t i = 0; i < it->nbirth; i++)
            for (uint32_t j = 0; j < it->birth[i]->held->nwrite; j++)
                overlay_write(t, it->birth[i], &it->birth[i]->held->write[j]);
    for (uint32_t i = 0; i < t->m->nsent; i++)
        for (uint32_t j = 0; t->since < t->m->sent[i].at && j < t->m->sent[i].birth->nwrite; j++)
            overlay_sent(t, &t->m->sent[i].birth->write[j]);
}
