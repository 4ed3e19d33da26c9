/* alone.c -- see alone.h.
 *
 *     LISTING --none--> end
 *        \--groups whose clock is above the floor--> SYNCING --on disk--> RISING --> the next ones
 *                                                       ^---------------------------/
 *
 * Both are a settle (settle.c): what the first looked at is on disk when it ends, and that is the
 * floor of the second, which folds what lies below it.
 */
#include "net/core/alone.h"

#include "net/core/clocks.h"

enum {
    CHUNK = 32 /* groups at once */
};
enum state {
    LISTING,
    SYNCING,
    RISING
};

struct alone {
    struct nwr_job job;
    enum state state;
    uint64_t epoch;
    nwr_pg *pg; /* that are due */
    uint32_t npg, at, n;
    struct nwr_both both[CHUNK]; /* clock: what was on disk */
};

static struct alone *of(struct nwr_job *j)
{
    return nwr_container_of(j, struct alone, job);
}

static bool holds_alone(const struct nwr_node *n, nwr_pg pg)
{
    uint16_t list[NWR_REPLICAS_MAX];

    return nwr_ring_place(&n->ring, pg, list) == 1 && list[0] == n->ordinal;
}

bool nwr_alone(const struct nwr_node *n)
{
    uint16_t list[NWR_REPLICAS_MAX];

    return n->ring.epoch && !n->ring.joint && !n->joining && !n->removed &&
           nwr_ring_place(&n->ring, 0, list) == 1;
}

static void forget(struct alone *a)
{
    for (uint32_t i = 0; i < a->n; i++)
        nwr_both_deinit(&a->both[i]);
    memset(a->both, 0, sizeof(a->both));
    a->n = 0;
}

static void next(struct nwr_node *n, struct alone *a)
{
    forget(a);
    while (a->at < a->npg && a->n < CHUNK)
        a->both[a->n++].here.pg = a->pg[a->at++];
    if (a->n == 0) {
        nwr_job_end(n, &a->job, NWR_OK);
        return;
    }
    a->state = SYNCING;
    nwr_settle_start(n, &a->job, 0, a->both, a->n, true);
}

static void rise(struct nwr_node *n, struct alone *a)
{
    for (uint32_t i = 0; i < a->n; i++) {
        struct nwr_both *b = &a->both[i];

        nwr_vv_copy(&b->clock, &b->here.clock);
        b->here.peer_floor = &b->clock;
    }
    a->state = RISING;
    nwr_settle_start(n, &a->job, 0, a->both, a->n, false);
}

static void on_stored(struct nwr_node *n, struct nwr_job *j, struct nwr_lent *l)
{
    struct alone *a = of(j);

    if (l->op.err) {
        nwr_job_end(n, j, l->op.err);
        return;
    }
    a->pg = nwr_alloc(n->ring.pgs * sizeof(*a->pg));
    for (nwr_pg pg = 0; pg < n->ring.pgs; pg++)
        if (l->op.above[pg] && holds_alone(n, pg))
            a->pg[a->npg++] = pg;
    next(n, a);
}

static void on_child(struct nwr_node *n, struct nwr_job *j, struct nwr_job *child, enum nwr_err err)
{
    struct alone *a = of(j);

    (void)child;
    if (err)
        nwr_job_end(n, j, err);
    else if (a->state == SYNCING)
        rise(n, a);
    else
        next(n, a);
}

/* Somebody else is to hold them. */
static void on_changed(struct nwr_node *n, struct nwr_job *j)
{
    if (of(j)->epoch != n->ring.epoch)
        nwr_job_end(n, j, NWR_E_EPOCH);
}

static void on_free(struct nwr_node *n, struct nwr_job *j)
{
    struct alone *a = of(j);

    (void)n;
    forget(a);
    nwr_free(a->pg);
}

static const struct nwr_job_kind alone_kind = {.name = "alone",
                                               .stored = on_stored,
                                               .child = on_child,
                                               .changed = on_changed,
                                               .drop = on_free};

struct nwr_job *nwr_alone_start(struct nwr_node *n, struct nwr_job *parent, uint32_t slot)
{
    struct alone *a = nwr_job_new(n, &alone_kind, sizeof(*a), parent, slot);

    a->epoch = n->ring.epoch;
    nwr_lend_submit(n, nwr_lend(n, &a->job, 0, NWR_STORE_DIGESTS, 0));
    return &a->job;
}
