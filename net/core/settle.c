/* settle.c -- clocks and floors that were learned go into the store; see clocks.h.
 *
 *     JOINING --none is due for folding--> LOOKING --> [SYNCING] --> end
 *        |  ^
 *        v  |
 *     FOLDING, page by page, each group
 *
 * What is told was looked at before the sync, so that all of it is on disk.
 */
#include "net/core/clocks.h"

enum state {
    JOINING,
    FOLDING,
    LOOKING,
    SYNCING
};

struct settle {
    struct nwr_job job;
    enum state state;
    struct nwr_both *both;
    uint32_t nboth, at;
    bool sync;
    struct nwr_both *peer;   /* copies of what the store borrows: it may outlive `both` */
    struct nwr_group *group; /* lent */
};

static struct settle *of(struct nwr_job *j)
{
    return nwr_container_of(j, struct settle, job);
}

static void free_groups(struct settle *s)
{
    for (uint32_t i = 0; s->group && i < s->nboth; i++) {
        nwr_vv_deinit(&s->group[i].clock);
        nwr_vv_deinit(&s->group[i].floor);
    }
    for (uint32_t i = 0; s->peer && i < s->nboth; i++)
        nwr_both_deinit(&s->peer[i]);
    nwr_free(s->group);
    nwr_free(s->peer);
    s->peer = NULL;
    s->group = NULL;
}

static void join(struct settle *s, uint32_t i)
{
    const struct nwr_group *here = &s->both[i].here;
    struct nwr_both *peer = &s->peer[i];

    if (here->peer_clock) {
        nwr_vv_copy(&peer->clock, here->peer_clock);
        s->group[i].peer_clock = &peer->clock;
    }
    if (here->peer_floor) {
        nwr_vv_copy(&peer->floor, here->peer_floor);
        s->group[i].peer_floor = &peer->floor;
    }
    if (here->peer_digest) {
        peer->digest = *here->peer_digest;
        s->group[i].peer_digest = &peer->digest;
    }
}

static void lend_clocks(struct nwr_node *n, struct settle *s, enum state state)
{
    struct nwr_lent *l = nwr_lend(n, &s->job, 0, NWR_STORE_CLOCKS, 0);

    s->state = state;
    s->group = nwr_zalloc(s->nboth * sizeof(*s->group));
    s->peer = nwr_zalloc(s->nboth * sizeof(*s->peer));
    for (uint32_t i = 0; i < s->nboth; i++) {
        s->group[i].pg = s->both[i].here.pg;
        if (state == JOINING)
            join(s, i);
    }
    l->op.group = s->group;
    l->op.ngroup = s->nboth;
    nwr_lend_submit(n, l);
}

static void fold(struct nwr_node *n, struct settle *s, const struct nwr_store_op *last)
{
    struct nwr_lent *l = nwr_lend(n, &s->job, 0, NWR_STORE_FOLD, s->both[s->at].here.pg);

    s->state = FOLDING;
    if (last) {
        l->op.after = last->last;
        l->op.mark = last->mark;
    }
    nwr_lend_submit(n, l);
}

static void fold_next(struct nwr_node *n, struct settle *s)
{
    while (s->at < s->nboth && !s->both[s->at].here.folding)
        s->at++;
    if (s->at < s->nboth)
        fold(n, s, NULL);
    else
        lend_clocks(n, s, LOOKING);
}

static void take(struct settle *s)
{
    for (uint32_t i = 0; i < s->nboth; i++) {
        struct nwr_group *here = &s->both[i].here;

        nwr_vv_deinit(&here->clock);
        nwr_vv_deinit(&here->floor);
        here->clock = s->group[i].clock;
        here->floor = s->group[i].floor;
        here->digest = s->group[i].digest;
        here->folding = s->group[i].folding;
        s->group[i].clock = s->group[i].floor = (struct nwr_vv){0};
    }
    free_groups(s);
}

static void folded(struct nwr_node *n, struct settle *s, const struct nwr_store_op *op)
{
    if (op->more) {
        fold(n, s, op);
        return;
    }
    s->at++;
    fold_next(n, s);
}

static void on_stored(struct nwr_node *n, struct nwr_job *j, struct nwr_lent *l)
{
    struct settle *s = of(j);

    if (l->op.err) {
        nwr_job_end(n, j, l->op.err);
        return;
    }
    switch (s->state) {
    case JOINING:
        take(s);
        fold_next(n, s);
        break;
    case FOLDING: folded(n, s, &l->op); break;
    case LOOKING:
        take(s);
        s->state = SYNCING;
        if (s->sync)
            nwr_lend_submit(n, nwr_lend(n, j, 0, NWR_STORE_SYNC, 0));
        else
            nwr_job_end(n, j, NWR_OK);
        break;
    case SYNCING: nwr_job_end(n, j, NWR_OK); break;
    }
}

static void on_free(struct nwr_node *n, struct nwr_job *j)
{
    (void)n;
    free_groups(of(j));
}

static const struct nwr_job_kind settle_kind = {
    .name = "settle", .stored = on_stored, .drop = on_free};

void nwr_settle_start(struct nwr_node *n, struct nwr_job *parent, uint32_t slot,
                      struct nwr_both *both, uint32_t nboth, bool sync)
{
    struct settle *s = nwr_job_new(n, &settle_kind, sizeof(*s), parent, slot);

    s->both = both;
    s->nboth = nboth;
    s->sync = sync;
    lend_clocks(n, s, JOINING);
}

void nwr_both_deinit(struct nwr_both *b)
{
    nwr_vv_deinit(&b->here.clock);
    nwr_vv_deinit(&b->here.floor);
    nwr_vv_deinit(&b->clock);
    nwr_vv_deinit(&b->floor);
}
