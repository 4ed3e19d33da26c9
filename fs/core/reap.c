/* reap.c -- removes the registers of inodes that have lost their last name and holder, and settles
 * where directories are (place.h), which needs all replicas as well.
 *
 * unlink never touches content: somebody may be editing the file on the other side of a cut, and
 * that edit must come back (DESIGN 9). So the space goes later, when a READ of all N replicas
 * shows no name, nothing that a remover had not seen, and nobody here holds the file open. While a
 * replica is missing the inode waits; a mount that ends leaves it to the check of the volume.
 *
 *   waiting --time--> asked --all N agree--> condemned --all N know--> asked --agree--> removed
 *      ^                |                        |                       |
 *      +--not all N-----+------------------------+                       +--not--> pardoned
 *       (twice the wait, up to REAP_MAX_MS)
 *
 * Each look is a READ with R and W of all: what it shows is at every replica before it is answered
 * (DESIGN 5). So nobody finds an older state anywhere later on, of which the settled move of a
 * directory knows nothing, say.
 *
 * What does not fit the queue waits behind it, for as long as a replica is away: nobody else knows
 * that these are to go. What does not fit there either is left to a removed directory, which looks
 * for what it waits for, and to the check of the volume.
 *
 * Twice, because a write may reach a replica behind the first answer of that one, and with w=1
 * nobody else hears of it in time. Once all know that the inode is condemned (view_dead.c), none
 * of them takes anything for it any more, and what they say then is final.
 */
#include "fs/core/state.h"

enum {
    REAP_FIRST_MS = 2000,
    REAP_MAX_MS = 300000,
    REAP_ATONCE = 8,
    REAP_PARDON = 4,           /* looks; by then no plan of another mount goes on any more */
    REAP_QUEUE_MAX = 4096,     /* that are looked at in turn */
    REAP_BEHIND_MAX = 4 << 20, /* that wait for a place among those */
    REAP_CHILDREN = 4096       /* of a directory that are queued at once */
};

static struct nwr_reap *find(struct nwr_mount *m, nwr_ino root)
{
    for (uint32_t i = 0; i < m->nreap; i++)
        if (m->reap[i].root == root)
            return &m->reap[i];
    return NULL;
}

static nwr_ms wait_of(uint32_t tries)
{
    return NWR_MIN((nwr_ms)REAP_FIRST_MS << NWR_MIN(tries, 16u), (nwr_ms)REAP_MAX_MS);
}

static void queue(struct nwr_mount *m, nwr_ino root)
{
    if (find(m, root))
        return;
    m->reap = nwr_grow(m->reap, &m->capreap, m->nreap + 1, sizeof(*m->reap));
    m->reap_at = m->nreap ? NWR_MIN(m->reap_at, m->now + wait_of(0)) : m->now + wait_of(0);
    m->reap[m->nreap++] = (struct nwr_reap){.root = root, .at = m->now + wait_of(0)};
}

bool nwr_reap_held(struct nwr_mount *m, nwr_ino root)
{
    for (struct nwr_node *n = nwr_itable_of(&m->nodes, root); n; n = nwr_itable_next(n))
        if (n->opens || n->pushing || nwr_node_unsent(n))
            return true;
    return false;
}

static bool is_left(const struct nwr_record *link)
{
    for (uint32_t i = 0; i < link->n; i++)
        if (!(link->v[i].flags & NWR_V_TOMBSTONE))
            return nwr_record_live(link) == 0;
    return false;
}

/* Whoever took the name off came no further: links that do not count go. All replicas have
 * answered, for the inode and for the name. False: there are none. */
static bool remove_links(struct nwr_txn *t, nwr_ino root)
{
    struct nwr_key prefix = nwr_key_reg(root, NWR_REG_LINK);
    bool any = false;

    for (uint32_t i = nwr_rows_lower(&t->rows, &prefix);
         i < t->rows.n && nwr_key_has_prefix(&t->rows.row[i].key, &prefix); i++) {
        const struct nwr_row *row = &t->rows.row[i];

        if (!is_left(&row->rec))
            continue;
        nwr_txn_write(t, &row->key, &row->rec, NULL)->v.flags |= NWR_V_TOMBSTONE;
        any = true;
    }
    return any;
}

static bool may_go(const struct nwr_row *row)
{
    struct nwr_key_parts parts;

    return nwr_key_parse(&row->key, &parts) && parts.reg != NWR_REG_MARKS &&
           parts.reg != NWR_REG_LINK && nwr_record_live(&row->rec) > 0;
}

/* Marks stay: they say that the names were taken on purpose. False: all else has gone already. */
static bool remove_registers(struct nwr_txn *t, nwr_ino root)
{
    struct nwr_key object = nwr_key_object(root);
    uint32_t i = nwr_rows_lower(&t->rows, &object);
    bool any = false;

    for (; i < t->rows.n && nwr_key_has_prefix(&t->rows.row[i].key, &object); i++) {
        const struct nwr_row *row = &t->rows.row[i];

        if (!may_go(row))
            continue;
        nwr_txn_write(t, &row->key, &row->rec, NULL)->v.flags |= NWR_V_TOMBSTONE;
        any = true;
    }
    return any;
}

static bool is_dir(const struct nwr_txn *t, nwr_ino ino)
{
    struct nwr_attr a;
    bool dir = nwr_attr_merge(t, ino, &a) && a.type == NWR_TYPE_DIR;

    nwr_attr_deinit(&a);
    return dir;
}

/* A removed directory waits for what was removed from it. Nobody else may see to that: it is more
 * than fits behind the queue, or whose mount has ended. They come before what is behind, where they
 * may be as well: otherwise directories that wait for them could fill the queue. A look that found
 * work was not in vain. */
static bool waits(struct nwr_txn *t)
{
    struct nwr_mount *m = t->m;
    uint32_t n, before = m->nreap;
    struct nwr_reap *item;
    nwr_ino *ino;

    if (!is_dir(t, t->ino))
        return false;
    ino = nwr_alloc(REAP_CHILDREN * sizeof(*ino));
    n = nwr_view_waiting(t, t->ino, ino, REAP_CHILDREN);
    for (uint32_t i = 0; i < n && m->nreap < 2 * REAP_QUEUE_MAX; i++)
        queue(m, ino[i]);
    nwr_free(ino);
    item = find(m, t->ino);
    if (item && m->nreap > before)
        item->tries = 0;
    return n;
}

/* It is in use. Who condemned it will see that, if he is still there. */
static enum nwr_plan keep(struct nwr_txn *t)
{
    const struct nwr_reap *item = find(t->m, t->ino);

    if (waits(t))
        return nwr_txn_fail(t, EBUSY);
    if (!is_dir(t, t->ino) && nwr_view_condemned(t, t->ino, 0)) {
        if (item && item->tries < REAP_PARDON)
            return nwr_txn_fail(t, EBUSY);
        nwr_view_pardon(t, t->ino, 0);
    }
    if (nwr_attr_links(t, t->ino) && !nwr_view_settle(t, t->ino))
        return NWR_PLAN_WAIT;
    remove_links(t, t->ino);
    t->w = 0;
    return NWR_PLAN_DONE;
}

/* Somebody has set an attribute meanwhile, which what was put off does not name. */
static bool is_changed(const struct nwr_txn *t, nwr_ino root)
{
    struct nwr_key key = nwr_key_reg(root, NWR_REG_ATTR);
    const struct nwr_record *rec = nwr_txn_peek(t, &key);
    uint32_t found = 0;

    for (uint32_t i = 0; rec && t->later && i < t->later->nwrite; i++) {
        const struct nwr_write *w = &t->later->write[i];

        for (uint32_t j = 0; j < w->nseen && nwr_key_cmp(&w->key, &key) == 0; j++)
            found += nwr_record_find(rec, w->seen[j].dot) != NULL;
    }
    return rec && found < rec->n;
}

/* The first look: what is to go is decided, and only put off until all know that it will. */
static enum nwr_plan condemn(struct nwr_txn *t)
{
    bool any;

    if (!nwr_view_forget(t, t->ino))
        return NWR_PLAN_WAIT;
    any = remove_registers(t, t->ino);
    any |= remove_links(t, t->ino);
    if (!any)
        return NWR_PLAN_DONE;
    nwr_txn_put_off(t);
    t->wid = nwr_view_condemn(t, t->ino);
    t->onward = true;
    return NWR_PLAN_DONE;
}

/* t->wid: it was condemned by this plan. */
enum nwr_plan nwr_reap_plan(struct nwr_txn *t)
{
    bool held = nwr_reap_held(t->m, t->ino), spent;

    t->r = t->w = NWR_QUORUM_ALL; /* what is read is at all of them before it is answered */
    if (held && t->wid == 0)
        return nwr_txn_fail(t, EBUSY);
    if (!nwr_txn_object(t, t->ino) || !nwr_view_spent(t, t->ino, &spent))
        return NWR_PLAN_WAIT;
    if (t->wid == 0)
        return spent ? condemn(t) : keep(t);
    t->w = 0;
    t->superseded = held || is_changed(t, t->ino);
    if (t->superseded || !spent || !nwr_view_condemned(t, t->ino, t->wid))
        nwr_view_pardon(t, t->ino, t->wid);
    else
        nwr_txn_take_up(t);
    return NWR_PLAN_DONE;
}

static void finish_reap(struct nwr_txn *t)
{
    struct nwr_mount *m = t->m;
    struct nwr_reap *item = find(m, t->ino);

    nwr_assert(item && item->busy);
    m->nreaping--;
    item->busy = false;
    item->at = m->now + wait_of(++item->tries);
    m->reap_at = NWR_MIN(m->reap_at, item->at);
    if (t->err == NWR_OK && t->eno == 0 && !t->superseded)
        *item = m->reap[--m->nreap];
}

void nwr_reap_later(struct nwr_mount *m, nwr_ino root)
{
    if (m->nbehind == 0 && m->nreap < REAP_QUEUE_MAX) {
        queue(m, root);
    } else if (m->nbehind < REAP_BEHIND_MAX) {
        m->behind = nwr_grow(m->behind, &m->capbehind, m->nbehind + 1, sizeof(*m->behind));
        m->behind[m->nbehind++] = root;
    }
}

/* Half a queue at a time, the oldest first. */
static void take_behind(struct nwr_mount *m)
{
    uint32_t n = 0;

    if (m->nbehind == 0 || m->nreap > REAP_QUEUE_MAX / 2)
        return;
    while (n < m->nbehind && m->nreap < REAP_QUEUE_MAX)
        queue(m, m->behind[n++]);
    m->nbehind -= n;
    memmove(m->behind, m->behind + n, m->nbehind * sizeof(*m->behind));
    if (m->nbehind == 0) {
        nwr_free(m->behind);
        m->behind = NULL;
        m->capbehind = 0;
    }
}

/* The next that is due and not under way; NULL: none, and *next says when to look again. */
static struct nwr_reap *next_due(struct nwr_mount *m, nwr_ms *next)
{
    *next = UINT64_MAX;
    for (uint32_t i = 0; i < m->nreap; i++) {
        struct nwr_reap *item = &m->reap[i];

        if (item->busy)
            continue;
        if (item->at <= m->now) {
            *next = m->now; /* of those behind it nothing is known */
            return item;
        }
        *next = NWR_MIN(*next, item->at);
    }
    return NULL;
}

void nwr_reap_tick(struct nwr_mount *m)
{
    struct nwr_reap *item;

    take_behind(m);
    if (m->stopping || m->now < m->reap_at)
        return;
    while (m->nreaping < REAP_ATONCE && (item = next_due(m, &m->reap_at))) {
        struct nwr_txn *t = nwr_txn_new(m, nwr_reap_plan, finish_reap, NULL);

        t->ino = item->root;
        item->busy = true;
        m->nreaping++;
        nwr_txn_run(t);
    }
}

/* While as many as may are under way, the end of one of them is waited for. */
nwr_ms nwr_reap_deadline(const struct nwr_mount *m)
{
    return m->stopping || m->nreap == 0 || m->nreaping >= REAP_ATONCE ? UINT64_MAX : m->reap_at;
}
