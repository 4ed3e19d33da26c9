/* hints.c -- taking and counting hints; starting deliveries (handoff.c). See hints.h. */
#include "net/core/handoff.h"

struct keeper {
    struct nwr_job job;
    struct nwr_hint after; /* LOADING: the last one read */
    bool loaded;
};

/* ---- counting ------------------------------------------------------------------------------- */

static void count_in(struct nwr_node *n, const struct nwr_hint *h)
{
    struct nwr_kept *k = &n->hints.of[h->target];

    if (k->count++ == 0 || h->seq < k->oldest)
        k->oldest = h->seq;
    k->bytes += h->bytes;
    n->hints.count++;
    n->hints.bytes += h->bytes;
    n->hints.pg[h->pg]++;
}

static void count_out(struct nwr_node *n, const struct nwr_hint *h)
{
    struct nwr_kept *k = &n->hints.of[h->target];

    if (k->count == 0 || n->hints.pg[h->pg] == 0)
        return;
    k->count--;
    n->hints.count--;
    k->bytes -= NWR_MIN(k->bytes, h->bytes);
    n->hints.bytes -= NWR_MIN(n->hints.bytes, h->bytes);
    n->hints.pg[h->pg]--;
    k->oldest = k->count ? NWR_MAX(k->oldest, h->seq) : 0;
}

static void refused(struct nwr_node *n)
{
    n->hints.stat.refused++;
    if (n->hints.logged && n->now < n->hints.logged + NWR_HINT_LOG_MS)
        return;
    n->hints.logged = n->now;
    nwr_log(n, "level=warn event=hint_refused why=\"the room for hints is full\"", "");
}

static size_t bytes_of(uint32_t nkey, size_t data_bytes)
{
    return NWR_HINT_OWN * (size_t)(nkey + 1) + data_bytes;
}

bool nwr_hint_room(struct nwr_node *n, uint32_t nkey, size_t data_bytes)
{
    if (n->hints.bytes + bytes_of(nkey, data_bytes) <= n->hints.bytes_max || !NWR_RULE(HINT_BOUND))
        return true;
    refused(n);
    return false;
}

bool nwr_hint_add(struct nwr_node *n, struct nwr_lent *l, uint16_t target, nwr_pg pg,
                  const struct nwr_key *key, uint32_t nkey, size_t data_bytes)
{
    size_t bytes = bytes_of(nkey, data_bytes);
    struct nwr_hint *h;

    if (target > NWR_ORDINAL_MAX || !nwr_hint_room(n, nkey, data_bytes))
        return false;
    l->hint = nwr_realloc(l->hint, (l->op.nhint + 1) * sizeof(*l->hint));
    h = &l->hint[l->op.nhint++];
    *h = (struct nwr_hint){.target = target,
                           .seq = nwr_hlc_next(n),
                           .incarnation = n->incarnation,
                           .pg = pg,
                           .bytes = (uint32_t)NWR_MIN(bytes, UINT32_MAX),
                           .key = nwr_memdup(key, nkey * sizeof(*key)),
                           .nkey = nkey};
    l->op.hint = l->hint;
    if (!NWR_RULE(HINT_ORDER))
        h->seq = UINT64_MAX - h->seq;
    count_in(n, h);
    return true;
}

/* They were counted when they were made: until then a group could be erased under them. */
void nwr_hints_stored(struct nwr_node *n, struct nwr_lent *l)
{
    bool dropped = l->op.kind == NWR_STORE_HINT_DROP;

    if (l->op.kind == NWR_STORE_HINT_READ)
        return;
    for (uint32_t i = 0; i < l->op.nhint; i++) {
        if (dropped == (l->op.err == NWR_OK))
            count_out(n, &l->hint[i]);
        n->hints.stat.taken += !dropped && l->op.err == NWR_OK;
        n->hints.stat.delivered += dropped && l->op.err == NWR_OK;
    }
}

void nwr_hint_keep(struct nwr_node *n, uint16_t target, const struct nwr_batch *b)
{
    struct nwr_key *key = nwr_alloc(b->rows.n * sizeof(*key));
    struct nwr_lent *l = nwr_lend(n, NULL, 0, NWR_STORE_HINT_PUT, b->pg);

    for (uint32_t i = 0; i < b->rows.n; i++)
        key[i] = b->rows.row[i].key;
    nwr_hint_add(n, l, target, b->pg, key, b->rows.n, 0);
    nwr_free(key);
    nwr_lend_submit(n, l);
}

/* ---- records that are here for hints only ---------------------------------------------------- */

struct nwr_dot nwr_hint_dot(struct nwr_node *n, nwr_pg pg)
{
    struct nwr_hints *hs = &n->hints;

    if (!hs->dots) {
        hs->dots = nwr_zalloc(NWR_PGS_MAX * sizeof(*hs->dots));
        hs->actor = (uint32_t)nwr_rng_next(&n->rng) | 1;
    }
    return (struct nwr_dot){(nwr_actor)n->ordinal << 32 | hs->actor, ++hs->dots[pg]};
}

void nwr_hint_strays(struct nwr_node *n, nwr_pg pg)
{
    n->hints.stray[pg] |= !nwr_ring_holds(&n->ring, pg, n->ordinal);
}

/* ---- the keeper ------------------------------------------------------------------------------ */

static void load(struct nwr_node *n, struct keeper *kp)
{
    struct nwr_lent *l = nwr_lend(n, &kp->job, 0, NWR_STORE_HINT_READ, 0);

    l->hint = nwr_memdup(&kp->after, sizeof(kp->after));
    l->op.hint = l->hint;
    l->op.nhint = 1;
    nwr_lend_submit(n, l);
}

/* Those of this start were counted when they were made. */
static void loaded(struct nwr_node *n, struct keeper *kp, const struct nwr_store_op *op)
{
    for (uint32_t i = 0; i < op->nkept; i++) {
        const struct nwr_hint *h = &op->kept[i];

        kp->after =
            (struct nwr_hint){.target = h->target, .seq = h->seq, .incarnation = h->incarnation};
        if (h->incarnation == n->incarnation || !NWR_RULE(HINT_OUTLIVES) ||
            h->target > NWR_ORDINAL_MAX || h->pg >= NWR_PGS_MAX)
            continue;
        count_in(n, h);
        nwr_hint_strays(n, h->pg);
    }
    kp->loaded = !op->more;
    if (op->more)
        load(n, kp);
}

static void deliver_more(struct nwr_node *n, struct keeper *kp)
{
    uint32_t busy = 0;

    for (uint32_t t = 1; t <= NWR_ORDINAL_MAX; t++)
        busy += n->hints.delivering[t];
    for (uint32_t t = 1; t <= NWR_ORDINAL_MAX && busy < NWR_HINT_PARALLEL; t++) {
        if (n->hints.of[t].count == 0 || n->hints.delivering[t] || t == n->ordinal)
            continue;
        if (n->now < n->hints.pause_until[t] ||
            (nwr_ring_find(&n->ring, (uint16_t)t) && !nwr_is_up(n, t)))
            continue;
        n->hints.delivering[t] = true;
        busy++;
        nwr_handoff_start(n, &kp->job, t);
    }
}

static void look(struct nwr_node *n, struct keeper *kp)
{
    if (!kp->loaded || n->ring.epoch == 0)
        return;
    if (n->hints.count)
        deliver_more(n, kp);
    nwr_leave_strays(n);
}

static void on_stored(struct nwr_node *n, struct nwr_job *j, struct nwr_lent *l)
{
    struct keeper *kp = nwr_container_of(j, struct keeper, job);

    if (l->op.kind == NWR_STORE_HINT_READ && l->op.err == NWR_OK)
        loaded(n, kp, &l->op);
}

static void on_wake(struct nwr_node *n, struct nwr_job *j)
{
    nwr_job_wake(n, j, n->now + NWR_HINT_LOOK_MS);
    look(n, nwr_container_of(j, struct keeper, job));
}

static void on_child(struct nwr_node *n, struct nwr_job *j, struct nwr_job *child, enum nwr_err err)
{
    (void)child;
    if (err == NWR_OK)
        look(n, nwr_container_of(j, struct keeper, job));
}

static void on_changed(struct nwr_node *n, struct nwr_job *j)
{
    look(n, nwr_container_of(j, struct keeper, job));
}

static const struct nwr_job_kind keeper_kind = {.name = "hints",
                                                .stored = on_stored,
                                                .wake = on_wake,
                                                .child = on_child,
                                                .changed = on_changed};

void nwr_hints_start(struct nwr_node *n)
{
    struct keeper *kp = nwr_job_new(n, &keeper_kind, sizeof(*kp), NULL, 0);

    nwr_job_wake(n, &kp->job, n->now + NWR_HINT_LOOK_MS);
    load(n, kp);
}

void nwr_hints_init(struct nwr_hints *hs, uint64_t bytes_max)
{
    hs->bytes_max = bytes_max ? bytes_max : NWR_HINT_BYTES;
    hs->of = nwr_zalloc((NWR_ORDINAL_MAX + 1) * sizeof(*hs->of));
    hs->pause_until = nwr_zalloc((NWR_ORDINAL_MAX + 1) * sizeof(*hs->pause_until));
    hs->delivering = nwr_zalloc((NWR_ORDINAL_MAX + 1) * sizeof(*hs->delivering));
    hs->pg = nwr_zalloc(NWR_PGS_MAX * sizeof(*hs->pg));
    hs->stray = nwr_zalloc(NWR_PGS_MAX * sizeof(*hs->stray));
}

void nwr_hints_deinit(struct nwr_hints *hs)
{
    nwr_free(hs->of);
    nwr_free(hs->pause_until);
    nwr_free(hs->delivering);
    nwr_free(hs->pg);
    nwr_free(hs->stray);
    nwr_free(hs->dots);
}

const struct nwr_kept *nwr_node_hints(const struct nwr_node *n, uint16_t target)
{
    return &n->hints.of[NWR_MIN(target, NWR_ORDINAL_MAX)];
}

const struct nwr_hints_stat *nwr_node_hints_stat(const struct nwr_node *n)
{
    return &n->hints.stat;
}
