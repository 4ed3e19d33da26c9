/* clocks.c -- asking a peer for clocks and floors, and answering; see clocks.h. */
#include "net/core/clocks.h"

#include "net/core/reconcile.h"

enum {
    CHUNK = 32,    /* groups of one message */
    ROUNDS_MAX = 3 /* of one chunk: told, confirmed, told of the floor that rose */
};
enum state {
    LOOKING,
    ASKING,
    TAKING,
    RISING
};

struct clocks {
    struct nwr_job job;
    uint16_t peer;
    enum state state;
    struct nwr_both *both;
    uint32_t nboth, at, end; /* this chunk */
    uint32_t rounds;
    struct nwr_vv *rise; /* of this chunk */
    bool rose, raised;
};

static struct clocks *of(struct nwr_job *j)
{
    return nwr_container_of(j, struct clocks, job);
}

/* ---- confirmations --------------------------------------------------------------------------- */

void nwr_confirms_forget(struct nwr_node *n, uint16_t peer)
{
    for (uint32_t pg = 0; n->confirms && pg < NWR_PGS_MAX; pg++) {
        struct nwr_confirms *c = &n->confirms[pg];

        for (uint32_t i = c->n; i-- > 0;)
            if (peer == 0 || c->e[i].ordinal == peer) {
                nwr_vv_deinit(&c->e[i].clock);
                c->e[i] = c->e[--c->n];
            }
    }
}

void nwr_confirms_deinit(struct nwr_node *n)
{
    nwr_confirms_forget(n, 0);
    nwr_free(n->confirms);
    n->confirms = NULL;
}

static struct nwr_confirmed *find(const struct nwr_node *n, nwr_pg pg, uint16_t peer)
{
    for (uint32_t i = 0; n->confirms && i < n->confirms[pg].n; i++)
        if (n->confirms[pg].e[i].ordinal == peer)
            return &n->confirms[pg].e[i];
    return NULL;
}

static void confirm(struct nwr_node *n, nwr_pg pg, uint16_t peer, const struct nwr_vv *clock)
{
    struct nwr_confirmed *e;

    if (!n->confirms)
        n->confirms = nwr_zalloc(NWR_PGS_MAX * sizeof(*n->confirms));
    e = find(n, pg, peer);
    if (!e && n->confirms[pg].n == NWR_COUNT(n->confirms[pg].e))
        return;
    if (!e) {
        e = &n->confirms[pg].e[n->confirms[pg].n++];
        *e = (struct nwr_confirmed){.ordinal = peer};
    }
    nwr_vv_deinit(&e->clock);
    nwr_vv_copy(&e->clock, clock);
}

bool nwr_confirm_due(const struct nwr_node *n, nwr_pg pg, uint16_t peer, uint64_t hash)
{
    const struct nwr_confirmed *e = find(n, pg, peer);

    return !e || e->hash != hash;
}

/* The least of all members' clocks, as far as they are known to be on disk; own is. Empty: the
 * floor cannot rise. */
static void least(const struct nwr_node *n, nwr_pg pg, const struct nwr_vv *own, struct nwr_vv *out)
{
    uint16_t list[NWR_REPLICAS_MAX];
    uint32_t m = nwr_ring_place(&n->ring, pg, list);

    *out = (struct nwr_vv){0};
    if ((n->ring.joint && NWR_RULE(FLOOR_SETTLED)) || n->joining)
        return;
    nwr_vv_copy(out, own);
    for (uint32_t i = 0; i < m; i++) {
        const struct nwr_confirmed *e = find(n, pg, list[i]);

        if (list[i] == n->ordinal)
            continue;
        if (!e && (NWR_RULE(FLOOR_OF_ALL) || nwr_is_up(n, list[i])))
            out->n = 0;
        else if (e && NWR_RULE(FLOOR_LEAST))
            nwr_vv_least(out, &e->clock);
    }
}

/* ---- bytes ----------------------------------------------------------------------------------- */

static void group_out(struct nwr_out *o, const struct nwr_group *g)
{
    nwr_out_u16(o, g->pg);
    nwr_digest_out(o, &g->digest);
    nwr_vv_encode(&g->clock, o);
    nwr_vv_encode(&g->floor, o);
}

static bool peer_in(struct nwr_in *in, struct nwr_both *b)
{
    nwr_vv_deinit(&b->clock);
    nwr_vv_deinit(&b->floor);
    nwr_digest_in(in, &b->digest);
    return nwr_vv_decode(&b->clock, in) && nwr_vv_decode(&b->floor, in);
}

static struct nwr_in data_of(const struct nwr_msg *m)
{
    const struct nwr_blob *b = m->u.compare.data;

    return nwr_in_of(b ? b->data : (const uint8_t *)"", b ? b->len : 0);
}

/* ---- asking ---------------------------------------------------------------------------------- */

static void settle(struct nwr_node *n, struct clocks *c, enum state state)
{
    c->state = state;
    nwr_settle_start(n, &c->job, 0, c->both + c->at, c->end - c->at,
                     state == TAKING && NWR_RULE(CONFIRM_DISK));
}

static void chunk(struct nwr_node *n, struct clocks *c)
{
    if (c->at == c->nboth) {
        nwr_job_end(n, &c->job, NWR_OK);
        return;
    }
    c->end = NWR_MIN(c->at + CHUNK, c->nboth);
    c->rounds = 0;
    settle(n, c, LOOKING);
}

static void ask(struct nwr_node *n, struct clocks *c)
{
    struct nwr_msg m = {.kind = NWR_MSG_COMPARE, .pg = c->both[c->at].here.pg};
    struct nwr_out o = {0};

    c->state = ASKING;
    c->rounds++;
    for (uint32_t i = c->at; i < c->end; i++) {
        group_out(&o, &c->both[i].here);
        c->both[i].told = c->both[i].here.digest;
    }
    n->count.compare_digest_bytes += NWR_COMPARE_OVERHEAD + o.len;
    m.u.compare.what = NWR_COMPARE_CLOCKS;
    m.u.compare.data = nwr_out_blob(&o);
    nwr_job_wake(n, &c->job, n->now + NWR_DEADLINE_MS);
    nwr_call(n, &c->job, c->peer, 0, &m);
}

static bool read_answer(struct clocks *c, struct nwr_in *in)
{
    for (uint32_t i = c->at; i < c->end; i++) {
        struct nwr_both *b = &c->both[i];

        if (nwr_in_u16(in) != b->here.pg || !peer_in(in, b))
            return false;
        b->confirmed = nwr_in_u8(in);
        b->here.peer_clock = &b->clock;
        b->here.peer_floor = &b->floor;
        /* What both had when the peer looked: what came here since does not matter. */
        if (!nwr_digest_equal(&b->digest, &b->told) && NWR_RULE(CLOCK_EQUAL))
            b->here.peer_clock = NULL;
    }
    return nwr_in_done(in);
}

static void on_answer(struct nwr_node *n, struct nwr_job *j, const struct nwr_call *call,
                      struct nwr_msg *m)
{
    struct clocks *c = of(j);
    struct nwr_in in = data_of(m);

    (void)call;
    nwr_job_wake(n, j, NWR_NEVER);
    n->count.compare_digest_bytes += NWR_COMPARE_OVERHEAD + (size_t)(in.end - in.p);
    if (m->kind != NWR_MSG_COMPARED || m->err || !read_answer(c, &in))
        nwr_job_end(n, j, m->err ? m->err : NWR_E_FORMAT);
    else
        settle(n, c, TAKING);
}

static bool is_alike(const struct nwr_both *b)
{
    return nwr_floor_hash(&b->clock, &b->floor) == nwr_floor_hash(&b->here.clock, &b->here.floor);
}

/* The peer lacks what came here since it answered. */
static void next(struct nwr_node *n, struct clocks *c)
{
    bool again = c->rose;

    for (uint32_t i = c->at; i < c->end; i++)
        again |=
            !is_alike(&c->both[i]) && nwr_digest_equal(&c->both[i].digest, &c->both[i].here.digest);
    c->rose = false;
    if (again && c->rounds < ROUNDS_MAX) {
        ask(n, c);
        return;
    }
    for (uint32_t i = c->at; i < c->end; i++) {
        const struct nwr_group *here = &c->both[i].here;
        struct nwr_confirmed *e = find(n, here->pg, c->peer);

        if (e && nwr_vv_covers(&e->clock, &here->clock))
            e->hash = nwr_floor_hash(&here->clock, &here->floor);
    }
    c->at = c->end;
    chunk(n, c);
}

static void took(struct nwr_node *n, struct clocks *c)
{
    for (uint32_t i = c->at; i < c->end; i++) {
        struct nwr_both *b = &c->both[i];
        struct nwr_vv *rise = &c->rise[i - c->at];

        b->here.peer_clock = b->here.peer_floor = NULL;
        if (b->confirmed)
            confirm(n, b->here.pg, c->peer, &b->clock);
        nwr_vv_deinit(rise);
        least(n, b->here.pg, &b->here.clock, rise);
        if (nwr_vv_covers(&b->here.floor, rise))
            continue;
        b->here.peer_floor = rise;
        c->rose = c->raised = true;
    }
    if (c->rose)
        settle(n, c, RISING);
    else
        next(n, c);
}

static void on_child(struct nwr_node *n, struct nwr_job *j, struct nwr_job *child, enum nwr_err err)
{
    struct clocks *c = of(j);

    (void)child;
    if (err) {
        nwr_job_end(n, j, err);
        return;
    }
    switch (c->state) {
    case LOOKING: ask(n, c); break;
    case TAKING: took(n, c); break;
    case RISING:
        for (uint32_t i = c->at; i < c->end; i++)
            c->both[i].here.peer_floor = NULL;
        next(n, c);
        break;
    case ASKING: break;
    }
}

static void on_lost(struct nwr_node *n, struct nwr_job *j, const struct nwr_call *call)
{
    (void)call;
    nwr_job_end(n, j, NWR_E_HOSTDOWN);
}

static void on_wake(struct nwr_node *n, struct nwr_job *j)
{
    nwr_job_end(n, j, NWR_E_TIMEDOUT);
}

static void on_free(struct nwr_node *n, struct nwr_job *j)
{
    struct clocks *c = of(j);

    (void)n;
    for (uint32_t i = 0; i < c->nboth; i++)
        nwr_both_deinit(&c->both[i]);
    for (uint32_t i = 0; i < CHUNK; i++)
        nwr_vv_deinit(&c->rise[i]);
    nwr_free(c->both);
    nwr_free(c->rise);
}

static const struct nwr_job_kind clocks_kind = {.name = "clocks",
                                                .answer = on_answer,
                                                .lost = on_lost,
                                                .wake = on_wake,
                                                .child = on_child,
                                                .drop = on_free};

struct nwr_job *nwr_clocks_start(struct nwr_node *n, struct nwr_job *parent, uint32_t slot,
                                 uint16_t peer, const nwr_pg *pg, uint32_t npg)
{
    struct clocks *c = nwr_job_new(n, &clocks_kind, sizeof(*c), parent, slot);

    nwr_assert(npg > 0);
    c->peer = peer;
    c->both = nwr_zalloc(npg * sizeof(*c->both));
    c->nboth = npg;
    c->rise = nwr_zalloc(CHUNK * sizeof(*c->rise));
    for (uint32_t i = 0; i < npg; i++)
        c->both[i].here.pg = pg[i];
    chunk(n, c);
    return &c->job;
}

struct nwr_both *nwr_clocks_result(struct nwr_job *j, uint32_t *n, bool *raised)
{
    *n = of(j)->nboth;
    *raised = of(j)->raised;
    return of(j)->both;
}

/* ---- answering ------------------------------------------------------------------------------- */

struct answer {
    struct nwr_job job;
    struct nwr_origin from;
    struct nwr_both *both;
    uint32_t nboth;
};

static struct answer *answer_of(struct nwr_job *j)
{
    return nwr_container_of(j, struct answer, job);
}

static void reply(struct nwr_node *n, struct answer *a, enum nwr_err err)
{
    struct nwr_msg m = {.kind = NWR_MSG_COMPARED, .err = err};
    struct nwr_out o = {0};

    for (uint32_t i = 0; i < a->nboth && !err; i++) {
        group_out(&o, &a->both[i].here);
        nwr_out_u8(&o, !n->joining && nwr_ring_holds(&n->ring, a->both[i].here.pg, n->ordinal));
    }
    m.u.compare.what = NWR_COMPARE_CLOCKS;
    if (o.len)
        m.u.compare.data = nwr_out_blob(&o);
    nwr_out_free(&o);
    nwr_reply(n, &a->from, &m);
    nwr_job_end(n, &a->job, err);
}

static void on_answer_child(struct nwr_node *n, struct nwr_job *j, struct nwr_job *child,
                            enum nwr_err err)
{
    (void)child;
    reply(n, answer_of(j), err);
}

static void on_answer_free(struct nwr_node *n, struct nwr_job *j)
{
    struct answer *a = answer_of(j);

    (void)n;
    for (uint32_t i = 0; i < a->nboth; i++)
        nwr_both_deinit(&a->both[i]);
    nwr_free(a->both);
}

static const struct nwr_job_kind answer_kind = {
    .name = "clocks answer", .child = on_answer_child, .drop = on_answer_free};

static bool read_question(const struct nwr_node *n, struct answer *a, uint16_t peer,
                          struct nwr_in *in)
{
    while (in->p < in->end && a->nboth < CHUNK) {
        struct nwr_both *b = &a->both[a->nboth++];

        b->here.pg = nwr_in_u16(in);
        if (!peer_in(in, b) || b->here.pg >= n->ring.pgs || !nwr_pair_shares(n, b->here.pg, peer))
            return false;
        b->here.peer_clock = &b->clock;
        b->here.peer_floor = &b->floor;
        b->here.peer_digest = &b->digest;
    }
    return a->nboth && nwr_in_done(in);
}

void nwr_clocks_message(struct nwr_node *n, uint16_t peer, struct nwr_msg *m)
{
    struct answer *a = nwr_job_new(n, &answer_kind, sizeof(*a), NULL, 0);
    struct nwr_in in = data_of(m);

    a->from = (struct nwr_origin){.kind = NWR_FROM_PEER, .peer = peer, .id = m->id};
    a->both = nwr_zalloc(CHUNK * sizeof(*a->both));
    if (read_question(n, a, peer, &in))
        nwr_settle_start(n, &a->job, 0, a->both, a->nboth, NWR_RULE(CONFIRM_DISK));
    else
        reply(n, a, NWR_E_FORMAT);
}
