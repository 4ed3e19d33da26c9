/* read.c -- coordinating READ: digests, merging, write-back, repair (DESIGN 5).
 *
 *     ASKING --need equal digests--> answered --> LATE: slower replicas compared, then repaired
 *        |                                          by a read for nobody
 *        \--they differ: rows of each kind--> merged --> OBJECTS (those one side did not follow)
 *              ^                                            |
 *              \--a side failed: again --------------------/ \--> WRITING_BACK --> answered
 *
 *   1 this node reads rows, all others that are up are asked for a digest of theirs
 *   2 need answers: R, or max(R, W) when W + R > N, so that what is returned is at W replicas
 *   3 equal: answered; differing: merged, and what fewer than W hold is written back first
 * Asking all at once is the hedge: a silent replica is never waited for while others do. It is
 * also what repairs a replica that was away.
 */
#include "net/core/read.h"

static struct read *of(struct nwr_job *j)
{
    return nwr_container_of(j, struct read, job);
}

/* ---- sides ---------------------------------------------------------------------------------- */

static void side_reset(struct side *s)
{
    nwr_rows_deinit(&s->rows);
    nwr_rows_deinit(&s->extra);
    nwr_free(s->want);
    *s = (struct side){.ordinal = s->ordinal};
}

static bool has_answered(const struct side *s)
{
    return s->state == SIDE_DIGEST || s->state == SIDE_ROWS_ASKED || s->state == SIDE_ROWS;
}

static uint32_t count(const struct read *rd, enum side_state state)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < rd->m; i++)
        n += rd->side[i].state == state;
    return n;
}

static uint32_t count_answered(const struct read *rd)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < rd->m; i++)
        n += has_answered(&rd->side[i]);
    return n;
}

/* A side that sent rows and has this one's digest; NULL: none yet. */
static struct side *rows_of(struct read *rd, const struct side *like)
{
    for (uint32_t i = 0; i < rd->m; i++)
        if (rd->side[i].state == SIDE_ROWS && rd->side[i].digest == like->digest)
            return &rd->side[i];
    return NULL;
}

static uint32_t count_like(const struct read *rd, const struct side *like)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < rd->m; i++)
        n += has_answered(&rd->side[i]) && rd->side[i].digest == like->digest;
    return n;
}

/* ---- asking --------------------------------------------------------------------------------- */

static void fetch(struct nwr_node *n, struct read *rd, uint32_t i, enum phase phase,
                  const struct nwr_range *range, uint32_t nrange)
{
    struct nwr_msg m = {.kind = NWR_MSG_FETCH, .pg = rd->pg};
    struct nwr_lent *l;

    if (rd->side[i].ordinal == n->ordinal) {
        l = nwr_lend(n, &rd->job, rd->round << 8 | (uint32_t)phase, NWR_STORE_READ, rd->pg);
        l->range = nwr_memdup(range, nrange * sizeof(*range));
        l->op.range = l->range;
        l->op.nrange = nrange;
        nwr_lend_submit(n, l);
        return;
    }
    m.u.fetch.range = nwr_memdup(range, nrange * sizeof(*range));
    m.u.fetch.nrange = nrange;
    m.u.fetch.digest = phase == PHASE_DIGEST;
    nwr_call(n, &rd->job, rd->side[i].ordinal, i << 8 | (uint32_t)phase, &m);
}

/* This node sends itself rows: a digest alone would save nothing. */
static void ask_idle(struct nwr_node *n, struct read *rd)
{
    for (uint32_t i = 0; i < rd->m; i++) {
        struct side *s = &rd->side[i];

        if (s->state != SIDE_IDLE || !nwr_is_up(n, s->ordinal))
            continue;
        s->state = SIDE_ASKED;
        fetch(n, rd, i, s->ordinal == n->ordinal ? PHASE_ROWS : PHASE_DIGEST, rd->range,
              rd->nrange);
    }
}

static void ask_rows(struct nwr_node *n, struct read *rd, struct side *like)
{
    for (uint32_t i = 0; i < rd->m; i++)
        if (rd->side[i].state == SIDE_ROWS_ASKED && rd->side[i].digest == like->digest)
            return;
    like->state = SIDE_ROWS_ASKED;
    rd->trips += !rd->rows_asked;
    rd->rows_asked = true;
    fetch(n, rd, (uint32_t)(like - rd->side), PHASE_ROWS, rd->range, rd->nrange);
}

/* ---- answering ------------------------------------------------------------------------------ */

static void finish(struct nwr_node *n, struct read *rd, enum nwr_err err)
{
    struct nwr_response res = {.err = err, .round_trips = rd->trips};

    nwr_respond(n, &rd->origin, &res, false);
    nwr_job_end(n, &rd->job, err);
}

/* A record of this node that cannot be read is replaced by what the others agreed on. */
static void heal_here(struct nwr_node *n, const struct read *rd, const struct nwr_rows *rows)
{
    struct nwr_batch *b;

    for (uint32_t i = 0; i < rd->m; i++) {
        const struct side *s = &rd->side[i];

        if (s->ordinal != n->ordinal || s->err != NWR_E_CORRUPT || rows->n == 0)
            continue;
        b = nwr_batch_new(rd->pg, NWR_LEVEL_MEMORY);
        b->heal = true;
        nwr_rows_copy(&b->rows, rows);
        n->count.read_repairs++;
        nwr_deliver(n, NULL, 0, n->ordinal, b, false);
    }
}

static void respond_rows(struct nwr_node *n, struct read *rd, struct nwr_rows *rows, bool more)
{
    struct nwr_response res = {.more = more, .round_trips = rd->trips};

    heal_here(n, rd, rows);
    res.rows = *rows;
    *rows = (struct nwr_rows){0};
    nwr_respond(n, &rd->origin, &res, false);
}

static void late_done(struct nwr_node *n, struct read *rd)
{
    if (count(rd, SIDE_ASKED) && n->now < rd->deadline)
        return;
    if (rd->differs && !rd->repair)
        nwr_read_repair(n, rd->pg, rd->range, rd->nrange);
    nwr_job_end(n, &rd->job, NWR_OK);
}

static void look_late(struct nwr_node *n, struct read *rd)
{
    for (uint32_t i = 0; i < rd->m; i++)
        if (has_answered(&rd->side[i]) && rd->side[i].digest != rd->answered)
            rd->differs = true;
    late_done(n, rd);
}

static void answer_equal(struct nwr_node *n, struct read *rd, struct side *s)
{
    n->count.digests_equal++;
    rd->answered = s->digest;
    respond_rows(n, rd, &s->rows, s->more);
    rd->state = LATE;
    rd->deadline = n->now + NWR_SETTLE_MS;
    nwr_job_wake(n, &rd->job, rd->deadline);
    look_late(n, rd);
}

/* ---- comparing ------------------------------------------------------------------------------ */

static void not_enough(struct nwr_node *n, struct read *rd)
{
    uint32_t could = count_answered(rd) + count(rd, SIDE_ASKED);
    uint16_t list[NWR_REPLICAS_MAX];
    enum nwr_err err = NWR_E_HOSTDOWN;

    for (uint32_t i = 0; i < rd->m; i++) {
        list[i] = rd->side[i].ordinal;
        could += rd->side[i].state == SIDE_IDLE && nwr_is_maybe(n, list[i]);
        could += rd->side[i].state == SIDE_FAILED && rd->side[i].err == NWR_E_EPOCH;
        if (rd->side[i].state == SIDE_FAILED && rd->side[i].err != NWR_E_HOSTDOWN)
            err = rd->side[i].err;
    }
    if (could < rd->need)
        finish(n, rd, err == NWR_E_EPOCH ? NWR_E_HOSTDOWN : err);
    else
        nwr_job_wake(n, &rd->job, NWR_MIN(nwr_maybe_until(n, list, rd->m), rd->deadline));
}

/* True: it is decided which rows agree, or they are being asked for. */
static bool try_equal(struct nwr_node *n, struct read *rd)
{
    for (uint32_t i = 0; i < rd->m; i++) {
        struct side *s = &rd->side[i], *full;

        if (!has_answered(s) || count_like(rd, s) < rd->need)
            continue;
        full = rows_of(rd, s);
        if (full)
            answer_equal(n, rd, full);
        else
            ask_rows(n, rd, s);
        return true;
    }
    return false;
}

static void look_asking(struct nwr_node *n, struct read *rd)
{
    bool waits = false;

    if (count_answered(rd) < rd->need) {
        not_enough(n, rd);
        return;
    }
    nwr_job_wake(n, &rd->job, rd->deadline);
    if (try_equal(n, rd))
        return;
    for (uint32_t i = 0; i < rd->m; i++)
        if (has_answered(&rd->side[i]) && !rows_of(rd, &rd->side[i])) {
            ask_rows(n, rd, &rd->side[i]);
            waits = true;
        }
    if (!waits)
        nwr_read_merge(n, rd);
}

static void begin(struct nwr_node *n, struct read *rd)
{
    uint16_t list[NWR_REPLICAS_MAX];
    uint8_t w, r;

    for (uint32_t i = 0; i < rd->m; i++)
        side_reset(&rd->side[i]);
    nwr_job_forget_calls(n, &rd->job);
    nwr_rows_deinit(&rd->merged);
    rd->round++;
    rd->state = ASKING;
    rd->trips = rd->rows_asked = 0;
    rd->epoch = n->ring.epoch;
    rd->m = nwr_ring_place(&n->ring, rd->pg, list);
    w = nwr_ring_w(&n->ring, rd->asked_w);
    r = nwr_ring_r(&n->ring, rd->asked_r);
    rd->w = w + r > (int)rd->m ? w : 0;
    rd->need = NWR_MAX(rd->w, r);
    for (uint32_t i = 0, up = 0; i < rd->m; i++) {
        rd->side[i].ordinal = list[i];
        up += nwr_is_up(n, list[i]);
        if (rd->repair)
            rd->need = NWR_MAX(up, 1);
    }
    rd->trips = rd->need > 1;
    ask_idle(n, rd);
    look_asking(n, rd);
}

void nwr_read_again(struct nwr_node *n, struct read *rd)
{
    n->count.retries++;
    if (rd->tries++ < TRIES_MAX)
        begin(n, rd);
    else
        finish(n, rd, NWR_E_TIMEDOUT);
}

void nwr_read_merged(struct nwr_node *n, struct read *rd)
{
    respond_rows(n, rd, &rd->merged, rd->more);
    nwr_job_end(n, &rd->job, NWR_OK);
}

void nwr_read_failed(struct nwr_node *n, struct read *rd, enum nwr_err err)
{
    finish(n, rd, err);
}

void nwr_read_fetch_objects(struct nwr_node *n, struct read *rd, uint32_t i,
                            const struct nwr_range *range, uint32_t nrange)
{
    fetch(n, rd, i, PHASE_OBJECTS, range, nrange);
}

/* ---- events --------------------------------------------------------------------------------- */

static void side_failed(struct nwr_node *n, struct read *rd, uint32_t i, enum nwr_err err)
{
    struct side *s = &rd->side[i];

    if (rd->state == OBJECTS) {
        nwr_read_again(n, rd);
        return;
    }
    if (rd->state == WRITING_BACK)
        return;
    nwr_rows_deinit(&s->rows);
    s->err = err;
    s->state = err == NWR_E_HOSTDOWN ? SIDE_IDLE : SIDE_FAILED;
    if (rd->state == LATE)
        late_done(n, rd);
    else
        look_asking(n, rd);
}

static void side_rows(struct nwr_node *n, struct read *rd, uint32_t i, enum phase phase,
                      struct nwr_rows *rows, bool more)
{
    struct side *s = &rd->side[i];

    if (phase == PHASE_OBJECTS) {
        if (rd->state == OBJECTS)
            nwr_read_objects(n, rd, i, rows, more);
        return;
    }
    if (rd->state != ASKING && rd->state != LATE)
        return;
    nwr_rows_deinit(&s->rows);
    s->rows = *rows;
    *rows = (struct nwr_rows){0};
    s->more = more;
    s->digest = nwr_rows_digest(&s->rows, more);
    s->state = SIDE_ROWS;
    if (rd->state == LATE)
        look_late(n, rd);
    else
        look_asking(n, rd);
}

static void on_answer(struct nwr_node *n, struct nwr_job *j, const struct nwr_call *c,
                      struct nwr_msg *m)
{
    struct read *rd = of(j);
    uint32_t i = c->slot >> 8;
    enum phase phase = (enum phase)(c->slot & 0xff);

    nwr_assert(i < rd->m);
    if (m->kind != NWR_MSG_ROWS || m->err) {
        side_failed(n, rd, i, m->kind != NWR_MSG_ROWS ? NWR_E_FORMAT : m->err);
    } else if (phase != PHASE_DIGEST) {
        side_rows(n, rd, i, phase, &m->u.rows.rows, m->u.rows.more);
    } else if (rd->state == ASKING || rd->state == LATE) {
        rd->side[i].state = SIDE_DIGEST;
        rd->side[i].digest = m->u.rows.digest;
        if (rd->state == LATE)
            look_late(n, rd);
        else
            look_asking(n, rd);
    }
}

static void on_lost(struct nwr_node *n, struct nwr_job *j, const struct nwr_call *c)
{
    side_failed(n, of(j), c->slot >> 8, NWR_E_HOSTDOWN);
}

static void on_stored(struct nwr_node *n, struct nwr_job *j, struct nwr_lent *l)
{
    struct read *rd = of(j);
    uint32_t i = 0;

    if (l->slot >> 8 != rd->round)
        return;
    while (i < rd->m && rd->side[i].ordinal != n->ordinal)
        i++;
    nwr_assert(i < rd->m);
    if (l->op.err)
        side_failed(n, rd, i, l->op.err);
    else
        side_rows(n, rd, i, (enum phase)(l->slot & 0xff), &l->op.rows, l->op.more);
}

static void on_child(struct nwr_node *n, struct nwr_job *j, struct nwr_job *child, enum nwr_err err)
{
    struct read *rd = of(j);

    if (rd->state == WRITING_BACK)
        nwr_read_written(n, rd, child->slot, err);
}

/* Under another ring other replicas hold it: from the start, by whoever holds it. */
static void ring_changed(struct nwr_node *n, struct read *rd)
{
    struct nwr_origin o = rd->origin;

    if (nwr_ring_holds(&n->ring, rd->pg, n->ordinal)) {
        begin(n, rd);
        return;
    }
    rd->origin = (struct nwr_origin){0};
    nwr_job_end(n, &rd->job, NWR_E_EPOCH);
    if (o.kind == NWR_FROM_PEER)
        nwr_respond_err(n, &o, NWR_E_EPOCH, false);
    else if (o.kind != NWR_FROM_NOBODY)
        nwr_forward_start(n, &o, false);
}

static void on_changed(struct nwr_node *n, struct nwr_job *j)
{
    struct read *rd = of(j);

    if (rd->state == LATE)
        return;
    if (rd->epoch != n->ring.epoch) {
        ring_changed(n, rd);
    } else if (rd->state == ASKING) {
        ask_idle(n, rd);
        look_asking(n, rd);
    } else if (rd->state == WRITING_BACK) {
        nwr_read_spread(n, rd);
    }
}

static void on_wake(struct nwr_node *n, struct nwr_job *j)
{
    struct read *rd = of(j);

    if (rd->state == LATE)
        late_done(n, rd);
    else if (n->now >= rd->deadline)
        finish(n, rd, NWR_E_TIMEDOUT);
    else if (rd->state == ASKING)
        look_asking(n, rd);
}

static void on_free(struct nwr_node *n, struct nwr_job *j)
{
    struct read *rd = of(j);

    n->repairs -= rd->repair;
    for (uint32_t i = 0; i < rd->m; i++)
        side_reset(&rd->side[i]);
    nwr_rows_deinit(&rd->merged);
    nwr_request_destroy(rd->origin.req);
    nwr_free(rd->range);
}

static const struct nwr_job_kind read_kind = {.name = "read",
                                              .answer = on_answer,
                                              .lost = on_lost,
                                              .stored = on_stored,
                                              .wake = on_wake,
                                              .child = on_child,
                                              .changed = on_changed,
                                              .drop = on_free};

static struct read *read_new(struct nwr_node *n, nwr_pg pg, const struct nwr_range *range,
                             uint32_t nrange, nwr_ms deadline)
{
    struct read *rd = nwr_job_new(n, &read_kind, sizeof(*rd), NULL, 0);

    rd->pg = pg;
    rd->range = nwr_memdup(range, nrange * sizeof(*range));
    rd->nrange = nrange;
    rd->deadline = deadline;
    nwr_job_wake(n, &rd->job, rd->deadline);
    return rd;
}

void nwr_read_start(struct nwr_node *n, struct nwr_origin *o)
{
    struct read *rd = read_new(n, o->req->pg, o->req->range, o->req->nrange, o->deadline);

    n->count.reads++;
    rd->origin = *o;
    rd->asked_w = o->req->w;
    rd->asked_r = o->req->r;
    begin(n, rd);
}

void nwr_read_repair(struct nwr_node *n, nwr_pg pg, const struct nwr_range *range, uint32_t nrange)
{
    struct read *rd;

    if (n->repairs >= NWR_REPAIRS_MAX)
        return;
    rd = read_new(n, pg, range, nrange, n->now + NWR_DEADLINE_MS);
    rd->repair = true;
    n->repairs++;
    begin(n, rd);
}
