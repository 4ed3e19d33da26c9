/* handoff.c -- hints of one target, delivered in order; see hints.h for the picture.
 *
 *   1 READING: the next hints, up to NWR_HINT_CHUNK of bytes, grouped by placement group
 *   2 rows of each group as they are now; where one cannot be read, they are read one by one, and
 *     that one is left to scrub: the target gets it by comparison, once it is fetched again
 *   3 DELIVERING each group to the target, or, when it no longer holds it, to those who do
 *   4 DROPPING those that every one of them has on disk
 *   5 RESTING, while there is other work, PAUSES times as long as that took: foreground work is to
 *     keep half of the node, of which others deliver to the same target
 * What failed stays, and the delivery starts again after a pause.
 */
#include "net/core/handoff.h"

#include "net/core/scrub.h"

enum {
    PAUSES = 3, /* as long as the chunk: others deliver to the same target at the same time */
    PAUSE_MAX_MS = 3000
};
enum state {
    READING,
    DELIVERING,
    DROPPING,
    RESTING
};

/* The records of one group; keys are sorted. at: the first that is still to be read. */
struct group {
    nwr_pg pg;
    struct nwr_key *key;
    uint32_t nkey, capkey, at;
    uint16_t to[NWR_LISTS * NWR_REPLICAS_MAX];
    uint32_t nto, out;
    struct nwr_key last;
    bool more, failed, ended;
    bool single; /* a record of it cannot be read: one by one */
};

struct handoff {
    struct nwr_job job;
    uint16_t target;
    enum state state;
    struct nwr_hint after;
    struct nwr_hint *hint;
    uint32_t nhint;
    struct group *group;
    uint32_t ngroup, capgroup;
    bool failed;
    nwr_ms began;
    uint64_t foreground; /* when the chunk began */
};

static struct handoff *of(struct nwr_job *j)
{
    return nwr_container_of(j, struct handoff, job);
}

static void forget_chunk(struct handoff *h)
{
    for (uint32_t i = 0; i < h->nhint; i++)
        nwr_free(h->hint[i].key);
    nwr_free(h->hint);
    for (uint32_t i = 0; i < h->ngroup; i++)
        nwr_free(h->group[i].key);
    h->hint = NULL;
    h->nhint = h->ngroup = 0;
}

static void end(struct nwr_node *n, struct handoff *h, enum nwr_err err)
{
    n->hints.delivering[h->target] = false;
    n->hints.pause_until[h->target] = n->now + (err ? NWR_HINT_PAUSE_MS : NWR_HINT_REST_MS);
    nwr_job_end(n, &h->job, err);
}

/* ---- the next ones --------------------------------------------------------------------------- */

static void read_hints(struct nwr_node *n, struct handoff *h)
{
    struct nwr_lent *l = nwr_lend(n, &h->job, 0, NWR_STORE_HINT_READ, 0);

    forget_chunk(h);
    h->state = READING;
    h->failed = false;
    h->began = n->now;
    h->foreground = nwr_foreground_work(n);
    l->hint = nwr_memdup(&h->after, sizeof(h->after));
    l->op.hint = l->hint;
    l->op.nhint = 1;
    nwr_job_wake(n, &h->job, n->now + NWR_DEADLINE_MS);
    nwr_lend_submit(n, l);
}

static struct group *group_of(struct handoff *h, nwr_pg pg)
{
    for (uint32_t i = 0; i < h->ngroup; i++)
        if (h->group[i].pg == pg)
            return &h->group[i];
    h->group = nwr_grow(h->group, &h->capgroup, h->ngroup + 1, sizeof(*h->group));
    h->group[h->ngroup] = (struct group){.pg = pg};
    return &h->group[h->ngroup++];
}

static void add_key(struct group *g, const struct nwr_key *key)
{
    uint32_t at = 0;

    while (at < g->nkey && nwr_key_cmp(&g->key[at], key) < 0)
        at++;
    if (at < g->nkey && nwr_key_cmp(&g->key[at], key) == 0)
        return;
    g->key = nwr_grow(g->key, &g->capkey, g->nkey + 1, sizeof(*g->key));
    memmove(g->key + at + 1, g->key + at, (g->nkey - at) * sizeof(*g->key));
    g->key[at] = *key;
    g->nkey++;
}

/* Who is to have it: the target while it holds the group, else all that do. */
static void place(const struct nwr_node *n, const struct handoff *h, struct group *g)
{
    struct nwr_sides sides;
    bool is_one = !NWR_RULE(HINT_FOLLOWS);

    nwr_ring_sides(&n->ring, g->pg, &sides);
    for (uint32_t i = 0; i < sides.n; i++)
        is_one |= sides.side[i].ordinal == h->target;
    for (uint32_t i = 0; i < sides.n; i++)
        if (sides.side[i].ordinal != n->ordinal && (!is_one || sides.side[i].ordinal == h->target))
            g->to[g->nto++] = sides.side[i].ordinal;
}

static void drop_done(struct nwr_node *n, struct handoff *h);

static void look(struct nwr_node *n, struct handoff *h)
{
    if (h->job.ended || h->state != DELIVERING)
        return;
    for (uint32_t i = 0; i < h->ngroup; i++)
        if (!h->group[i].ended)
            return;
    drop_done(n, h);
}

static void end_group(struct nwr_node *n, struct handoff *h, struct group *g, bool failed)
{
    g->failed |= failed;
    g->ended = true;
    h->failed |= failed;
    look(n, h);
}

static void read_rows(struct nwr_node *n, struct handoff *h, uint32_t slot)
{
    struct group *g = &h->group[slot];
    uint32_t nrange = g->single ? NWR_MIN(g->nkey - g->at, 1u) : g->nkey - g->at;
    struct nwr_lent *l;

    if (nrange == 0) {
        end_group(n, h, g, false);
        return;
    }
    l = nwr_lend(n, &h->job, slot, NWR_STORE_READ, g->pg);
    l->range = nwr_zalloc(nrange * sizeof(*l->range));
    for (uint32_t i = 0; i < nrange; i++) {
        l->range[i].prefix = g->key[g->at + i];
        l->range[i].exact = true;
    }
    l->op.range = l->range;
    l->op.nrange = nrange;
    nwr_lend_submit(n, l);
}

static void take_hints(struct nwr_node *n, struct handoff *h, struct nwr_store_op *op)
{
    uint64_t bytes = 0;

    h->hint = op->kept;
    h->nhint = op->nkept;
    op->kept = NULL;
    op->nkept = 0;
    for (uint32_t i = 0; i < h->nhint; i++) {
        bytes += h->hint[i].bytes;
        if (h->hint[i].target == h->target && (i == 0 || bytes <= NWR_HINT_CHUNK))
            continue;
        for (uint32_t k = i; k < h->nhint; k++)
            nwr_free(h->hint[k].key);
        h->nhint = i;
    }
    if (h->nhint == 0) {
        end(n, h, NWR_OK);
        return;
    }
    h->state = DELIVERING;
    for (uint32_t i = 0; i < h->nhint; i++)
        for (uint32_t k = 0; k < h->hint[i].nkey; k++)
            add_key(group_of(h, h->hint[i].pg), &h->hint[i].key[k]);
    for (uint32_t i = 0; i < h->ngroup; i++)
        place(n, h, &h->group[i]);
    for (uint32_t i = 0; i < h->ngroup; i++)
        read_rows(n, h, i);
    look(n, h);
}

/* ---- delivering ------------------------------------------------------------------------------ */

/* A group that this node does not know any more (store/doubt.c) waits until it was fetched. */
static void pass_over(struct nwr_node *n, struct handoff *h, uint32_t slot)
{
    struct group *g = &h->group[slot];

    nwr_scrub_soon(n, g->pg);
    if (g->single)
        g->at++;
    g->single = true;
    read_rows(n, h, slot);
}

static void deliver_rows(struct nwr_node *n, struct handoff *h, uint32_t slot,
                         struct nwr_store_op *op)
{
    struct group *g = &h->group[slot];
    struct nwr_msg size = {.kind = NWR_MSG_ROWS};
    struct nwr_batch *b;

    if (op->err == NWR_E_CORRUPT) {
        pass_over(n, h, slot);
        return;
    }
    if (!op->err && op->rows.n == 0 && g->single) {
        g->at++;
        read_rows(n, h, slot);
        return;
    }
    if (op->err || op->rows.n == 0 || g->nto == 0) {
        end_group(n, h, g, op->err != NWR_OK);
        return;
    }
    b = nwr_batch_new(g->pg, NWR_RULE(HINT_UNTIL_DISK) ? NWR_LEVEL_DISK : NWR_LEVEL_MEMORY);
    b->rows = op->rows;
    op->rows = (struct nwr_rows){0};
    size.u.rows.rows = b->rows;
    b->bytes = nwr_msg_bytes(&size);
    g->more = op->more || g->single;
    g->last = b->rows.row[b->rows.n - 1].key;
    g->out = g->nto;
    for (uint32_t i = 0; i < g->nto; i++) {
        b->refs++;
        nwr_deliver(n, &h->job, slot, g->to[i], b, false);
    }
    nwr_batch_unref(b);
}

static void on_child(struct nwr_node *n, struct nwr_job *j, struct nwr_job *child, enum nwr_err err)
{
    struct handoff *h = of(j);
    struct group *g = &h->group[child->slot];

    if (h->state != DELIVERING)
        return;
    nwr_job_wake(n, j, n->now + NWR_DEADLINE_MS);
    g->failed |= err != NWR_OK;
    if (--g->out)
        return;
    if (g->failed || !g->more) {
        end_group(n, h, g, g->failed);
        return;
    }
    while (g->at < g->nkey && nwr_key_cmp(&g->key[g->at], &g->last) <= 0)
        g->at++;
    read_rows(n, h, child->slot);
}

/* ---- their end ------------------------------------------------------------------------------- */

static bool is_done(const struct handoff *h, const struct nwr_hint *hint)
{
    for (uint32_t i = 0; i < h->ngroup; i++)
        if (h->group[i].pg == hint->pg)
            return !h->group[i].failed;
    return true;
}

static void drop_done(struct nwr_node *n, struct handoff *h)
{
    struct nwr_lent *l = nwr_lend(n, &h->job, 0, NWR_STORE_HINT_DROP, 0);

    h->state = DROPPING;
    l->hint = nwr_zalloc(h->nhint * sizeof(*l->hint));
    for (uint32_t i = 0; i < h->nhint; i++) {
        struct nwr_hint name = h->hint[i];

        name.key = NULL;
        name.nkey = 0;
        if (is_done(h, &name))
            l->hint[l->op.nhint++] = name;
        h->after = name;
    }
    l->op.hint = l->hint;
    nwr_lend_submit(n, l);
}

static void next_chunk(struct nwr_node *n, struct handoff *h)
{
    nwr_ms took = NWR_MAX(n->now - h->began, 1);

    if (nwr_foreground_work(n) == h->foreground || !NWR_RULE(HINT_PAUSES)) {
        read_hints(n, h);
        return;
    }
    h->state = RESTING;
    nwr_job_wake(n, &h->job, n->now + NWR_MIN(took * PAUSES, PAUSE_MAX_MS));
}

static void on_stored(struct nwr_node *n, struct nwr_job *j, struct nwr_lent *l)
{
    struct handoff *h = of(j);

    if (l->op.kind == NWR_STORE_READ) {
        deliver_rows(n, h, l->slot, &l->op);
    } else if (l->op.err) {
        end(n, h, l->op.err);
    } else if (l->op.kind == NWR_STORE_HINT_READ) {
        take_hints(n, h, &l->op);
    } else if (h->failed) {
        end(n, h, NWR_E_TIMEDOUT);
    } else {
        next_chunk(n, h);
    }
}

static void on_changed(struct nwr_node *n, struct nwr_job *j)
{
    struct handoff *h = of(j);

    if (nwr_ring_find(&n->ring, h->target) && !nwr_is_up(n, h->target))
        end(n, h, NWR_E_HOSTDOWN);
}

static void on_wake(struct nwr_node *n, struct nwr_job *j)
{
    if (of(j)->state == RESTING)
        read_hints(n, of(j));
    else
        end(n, of(j), NWR_E_TIMEDOUT);
}

static void on_free(struct nwr_node *n, struct nwr_job *j)
{
    (void)n;
    forget_chunk(of(j));
    nwr_free(of(j)->group);
}

static const struct nwr_job_kind handoff_kind = {.name = "handoff",
                                                 .stored = on_stored,
                                                 .child = on_child,
                                                 .changed = on_changed,
                                                 .wake = on_wake,
                                                 .drop = on_free};

void nwr_handoff_start(struct nwr_node *n, struct nwr_job *parent, uint16_t target)
{
    struct handoff *h = nwr_job_new(n, &handoff_kind, sizeof(*h), parent, 0);

    h->target = target;
    h->after.target = target;
    read_hints(n, h);
}
