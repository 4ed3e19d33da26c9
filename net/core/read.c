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
 *   3 equal: answered; differing: merged, and what fewer than W hold is written back first, if
 *     they have room for it
 *   4 differing, and siblings are to be shown: asked once more, since answers may be of different
 *     times. Say B replaced A, C replaced B, and who coordinated C knows B by name only (DESIGN 3):
 *     A of an answer from before B and C of one from after look concurrent. What the second round
 *     shows that the first did not know of is asked for again, a few times at most. Whatever the
 *     first knew of had replaced what it replaced at W replicas before the second began, and
 *     one of those is among R.
 * Of ranges that leave out what is silent (nwr_range.loud) nothing is merged: where answers differ
 * all begins again, and nothing is left out. A replica may lack what another leaves out, and have
 * an edit that the other has not.
 * While the ring is joint, what is said of R and W holds for each list, by its own N, W and R.
 * While this node is behind (behind.h) its own answer is one more than R.
 * A copy (move.c) is a read whose second list is this node alone: answers of the list there is
 * meet every W of it, and this node holds the result before the copy goes on.
 * All are asked, which is the hedge: a silent replica is never waited for while others answer. It
 * is also what repairs a replica that was away. But not who answers late, while the others do
 * (lag.c). Those beyond the answers needed are asked up to NWR_LATER_MS later, so that on a busy
 * connection several questions, or a question and a write, are one message: they cost the asker and
 * the asked one wake-up.
 */
#include "net/core/read.h"

#include "net/core/scrub.h"

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
    *s = (struct side){.ordinal = s->ordinal, .in = s->in, .spare = s->spare};
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

uint32_t nwr_read_count(const struct read *rd, enum nwr_list list,
                        bool (*has)(const struct side *s))
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < rd->m; i++)
        n += rd->side[i].in >> list & 1 && has(&rd->side[i]);
    return n;
}

static bool enough_answered(const struct read *rd)
{
    for (enum nwr_list l = NWR_LIST_NOW; l < NWR_LISTS; l++)
        if (nwr_read_count(rd, l, has_answered) < rd->need[l])
            return false;
    return true;
}

/* A side that sent rows and has this one's digest; NULL: none yet. */
static struct side *rows_of(struct read *rd, const struct side *like)
{
    for (uint32_t i = 0; i < rd->m; i++)
        if (rd->side[i].state == SIDE_ROWS && rd->side[i].digest == like->digest)
            return &rd->side[i];
    return NULL;
}

/* Whether those with this digest are as many as are needed. */
static bool enough_like(const struct read *rd, const struct side *like)
{
    for (enum nwr_list l = NWR_LIST_NOW; l < NWR_LISTS; l++) {
        uint32_t n = 0;

        for (uint32_t i = 0; i < rd->m; i++) {
            const struct side *s = &rd->side[i];

            n += s->in >> l & 1 && has_answered(s) &&
                 (s->digest == like->digest || !NWR_RULE(ALIKE));
        }
        if (n < rd->need[l])
            return false;
    }
    return true;
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
static void ask(struct nwr_node *n, struct read *rd, uint32_t i)
{
    bool own = rd->side[i].ordinal == n->ordinal;

    rd->side[i].spared = false;
    rd->side[i].state = SIDE_ASKED;
    fetch(n, rd, i, own ? PHASE_ROWS : PHASE_DIGEST, rd->range, rd->nrange);
}

static void ask_idle(struct nwr_node *n, struct read *rd)
{
    bool settled = !rd->copy && !rd->repair && rd->need[NWR_LIST_NEXT] == 0;
    uint32_t asked = 0;

    rd->spared_until = NWR_NEVER;
    for (uint32_t i = 0; i < rd->m; i++) {
        struct side *s = &rd->side[i];

        asked += s->state == SIDE_ASKED || has_answered(s) || s->ordinal == n->ordinal;
        s->spared = nwr_read_can_spare(n, rd, s);
        if (s->spared)
            rd->spared_until = n->now + NWR_RETRY_READ_MS;
    }
    for (uint32_t i = 0; i < rd->m; i++) {
        struct side *s = &rd->side[i];
        bool own = s->ordinal == n->ordinal;
        bool beyond = asked >= rd->need[NWR_LIST_NOW] && settled && !own;

        if (s->state != SIDE_IDLE || s->spared || !nwr_is_up(n, s->ordinal) ||
            (beyond && !NWR_RULE(ASK_ALL)))
            continue;
        ask(n, rd, i);
        if (beyond)
            nwr_send_later(n);
        asked += !own;
    }
}

/* Those who are on time do not do. */
static void ask_spared(struct nwr_node *n, struct read *rd)
{
    rd->spared_until = NWR_NEVER;
    for (uint32_t i = 0; i < rd->m; i++)
        if (rd->side[i].spared && nwr_is_up(n, rd->side[i].ordinal))
            ask(n, rd, i);
}

static void wait_until(struct nwr_node *n, struct read *rd, nwr_ms at)
{
    nwr_job_wake(n, &rd->job, NWR_MIN(at, rd->spared_until));
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

        if (s->ordinal != n->ordinal || s->spare || s->err != NWR_E_CORRUPT || rows->n == 0)
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
    nwr_vv_deinit(&rows->floor);
    rows->silent = 0;
    res.rows = *rows;
    *rows = (struct nwr_rows){0};
    nwr_respond(n, &rd->origin, &res, false);
}

static void late_done(struct nwr_node *n, struct read *rd)
{
    if (count(rd, SIDE_ASKED) && n->now < rd->deadline)
        return;
    if (rd->differs && !rd->repair && NWR_RULE(READ_REPAIR))
        nwr_read_repair(n, rd->pg, rd->range, rd->nrange);
    nwr_job_end(n, &rd->job, NWR_OK);
}

static void look_late(struct nwr_node *n, struct read *rd)
{
    for (uint32_t i = 0; i < rd->m; i++)
        if (has_answered(&rd->side[i]) && rd->side[i].digest != rd->answered)
            rd->differs |= !rd->side[i].spare;
    late_done(n, rd);
}

static void answer_equal(struct nwr_node *n, struct read *rd, struct side *s)
{
    n->count.digests_equal++;
    if (rd->copy) {
        rd->merged = s->rows;
        s->rows = (struct nwr_rows){0};
        rd->more = s->more;
        nwr_job_end(n, &rd->job, NWR_OK);
        return;
    }
    rd->answered = s->digest;
    respond_rows(n, rd, &s->rows, s->more);
    rd->state = LATE;
    rd->deadline = n->now + NWR_SETTLE_MS;
    nwr_job_wake(n, &rd->job, rd->deadline);
    look_late(n, rd);
}

static void begin(struct nwr_node *n, struct read *rd);

/* ---- comparing ------------------------------------------------------------------------------ */

static bool could_answer(const struct nwr_node *n, const struct side *s)
{
    switch (s->state) {
    case SIDE_IDLE: return s->spared || nwr_is_maybe(n, s->ordinal);
    case SIDE_FAILED: return s->err == NWR_E_EPOCH;
    case SIDE_ASKED:
    case SIDE_DIGEST:
    case SIDE_ROWS_ASKED:
    case SIDE_ROWS: return true;
    }
    return false;
}

static bool enough_could(const struct nwr_node *n, const struct read *rd)
{
    for (enum nwr_list l = NWR_LIST_NOW; l < NWR_LISTS; l++) {
        uint32_t could = 0;

        for (uint32_t i = 0; i < rd->m; i++)
            could += rd->side[i].in >> l & 1 && could_answer(n, &rd->side[i]);
        if (could < rd->need[l])
            return false;
    }
    return true;
}

static void not_enough(struct nwr_node *n, struct read *rd)
{
    uint16_t list[NWR_COUNT(rd->side)];
    enum nwr_err err = NWR_E_HOSTDOWN;

    for (uint32_t i = 0; i < rd->m; i++) {
        list[i] = rd->side[i].ordinal;
        if (rd->side[i].state == SIDE_FAILED && rd->side[i].err != NWR_E_HOSTDOWN)
            err = rd->side[i].err;
    }
    if (!enough_could(n, rd) && !nwr_knock(n, &rd->knocked, list, rd->m))
        finish(n, rd, err == NWR_E_EPOCH ? NWR_E_HOSTDOWN : err);
    else
        wait_until(n, rd, NWR_MIN(nwr_maybe_until(n, list, rd->m), rd->deadline));
}

/* Nodes that stand in may know nothing, and agree on that: they decide nothing among themselves
 * while one of the list may still answer, and nothing against what anybody has. */
static bool spares_must_wait(const struct nwr_node *n, const struct read *rd)
{
    bool spare = false, asked = false;

    for (uint32_t i = 0; i < rd->m; i++) {
        spare |= rd->side[i].spare;
        asked |= !rd->side[i].spare && rd->side[i].state == SIDE_ASKED;
    }
    return spare && asked && n->now < rd->patience && NWR_RULE(SPARES_YIELD);
}

static bool spares_disagree(const struct read *rd, const struct side *like)
{
    bool spare = false, differs = false;

    for (uint32_t i = 0; i < rd->m; i++) {
        spare |= rd->side[i].spare;
        differs |= has_answered(&rd->side[i]) && rd->side[i].digest != like->digest;
    }
    return spare && differs && NWR_RULE(SPARES_YIELD);
}

/* True: it is decided which rows agree, or they are being asked for. */
static bool try_equal(struct nwr_node *n, struct read *rd)
{
    for (uint32_t i = 0; i < rd->m; i++) {
        struct side *s = &rd->side[i], *full;

        if (!has_answered(s) || !enough_like(rd, s) || spares_disagree(rd, s))
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

/* What is handed over is in no list: none of their quorums waits for it. */
static bool own_is_missing(struct nwr_node *n, struct read *rd)
{
    const struct side *own = &rd->side[rd->m - 1];

    if (!rd->leave || own->state == SIDE_ROWS)
        return false;
    if (own->state == SIDE_FAILED)
        finish(n, rd, own->err);
    return true;
}

/* Behind, and nobody else answers in time: what is here has to do. False: somebody may yet. */
static bool alone(struct nwr_node *n, struct read *rd)
{
    if (enough_could(n, rd) && n->now < rd->patience) {
        wait_until(n, rd, NWR_MIN(rd->patience, rd->deadline));
        return false;
    }
    for (enum nwr_list l = NWR_LIST_NOW; l < NWR_LISTS; l++)
        rd->need[l] -= rd->behind >> l & 1;
    rd->behind = 0;
    return true;
}

/* From now on nothing is left out; true if something was. */
static bool leave_out_nothing(struct read *rd)
{
    bool loud = false;

    for (uint32_t i = 0; i < rd->nrange && NWR_RULE(LOUD_ALIKE); i++) {
        loud |= rd->range[i].loud;
        rd->range[i].loud = false;
    }
    return loud;
}

/* True: all are asked again. */
static bool ask_whole(struct nwr_node *n, struct read *rd)
{
    bool loud = leave_out_nothing(rd);

    if (loud)
        begin(n, rd);
    return loud;
}

/* Who stands in knows little, and would differ. */
static bool has_spares(const struct read *rd)
{
    for (uint32_t i = 0; i < rd->m; i++)
        if (rd->side[i].spare)
            return true;
    return false;
}

static void look_asking(struct nwr_node *n, struct read *rd)
{
    bool waits = false;

    if (!enough_answered(rd) && rd->behind && !alone(n, rd))
        return;
    if (!enough_answered(rd)) {
        not_enough(n, rd);
        return;
    }
    if (own_is_missing(n, rd))
        return;
    if (spares_must_wait(n, rd)) {
        wait_until(n, rd, NWR_MIN(rd->patience, rd->deadline));
        return;
    }
    wait_until(n, rd, rd->deadline);
    if (!rd->leave && try_equal(n, rd))
        return;
    if (ask_whole(n, rd))
        return;
    for (uint32_t i = 0; i < rd->m; i++)
        if (has_answered(&rd->side[i]) && !rows_of(rd, &rd->side[i])) {
            ask_rows(n, rd, &rd->side[i]);
            waits = true;
        }
    if (!waits)
        nwr_read_merge(n, rd);
}

static uint32_t count_away(const struct nwr_node *n, const struct read *rd)
{
    uint32_t away = 0;

    for (uint32_t i = 0; i < rd->m; i++)
        away += !rd->side[i].spare && !nwr_is_up(n, rd->side[i].ordinal);
    return away;
}

static void begin(struct nwr_node *n, struct read *rd)
{
    for (uint32_t i = 0; i < rd->m; i++)
        side_reset(&rd->side[i]);
    nwr_job_forget_calls(n, &rd->job);
    nwr_rows_deinit(&rd->merged);
    rd->round++;
    rd->state = ASKING;
    rd->rows_asked = false;
    rd->epoch = n->ring.epoch;
    nwr_read_place(n, rd);
    if (has_spares(rd))
        leave_out_nothing(rd);
    rd->away = count_away(n, rd);
    rd->trips += rd->need[NWR_LIST_NOW] > 1;
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

bool nwr_read_once_more(struct nwr_node *n, struct read *rd)
{
    uint64_t siblings = nwr_rows_siblings(&rd->merged);
    bool again = siblings && siblings != rd->siblings && rd->looks < LOOKS_MAX;

    if (!again || rd->repair || rd->copy || rd->leave || !NWR_RULE(SIBLINGS_AGAIN))
        return false;
    rd->siblings = siblings;
    rd->looks++;
    begin(n, rd);
    return true;
}

void nwr_read_merged(struct nwr_node *n, struct read *rd)
{
    if (!rd->copy && !rd->leave)
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
    if (rd->copy && err == NWR_E_CORRUPT && s->in & 1 << NWR_LIST_NOW)
        rd->need[NWR_LIST_NOW] = NWR_MAX(rd->need[NWR_LIST_NOW] - 1, rd->least);
    if (rd->state == LATE) {
        late_done(n, rd);
        return;
    }
    ask_spared(n, rd);
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

    if (l->op.err == NWR_E_CORRUPT)
        nwr_scrub_soon(n, rd->pg);
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

    if (rd->state == WRITING_BACK && child->slot >> 8 == rd->round)
        nwr_read_written(n, rd, child->slot & 0xff, err, nwr_deliver_lost(child));
}

/* Under another ring other replicas hold it: from the start, by whoever holds it. */
static void ring_changed(struct nwr_node *n, struct read *rd)
{
    struct nwr_origin o = rd->origin;

    if (rd->copy || rd->leave) {
        nwr_job_end(n, &rd->job, NWR_E_EPOCH);
        return;
    }
    if (nwr_ring_holds(&n->ring, rd->pg, n->ordinal)) {
        begin(n, rd);
        return;
    }
    rd->origin = (struct nwr_origin){0};
    nwr_job_end(n, &rd->job, NWR_E_EPOCH);
    if (o.kind == NWR_FROM_PEER)
        nwr_respond_err(n, &o, NWR_E_EPOCH, false);
    else if (o.kind != NWR_FROM_NOBODY)
        nwr_forward_start(n, &o, NWR_OK);
}

/* One that was away can be asked now: all are, since what the others said may be older. */
static bool back_again(const struct nwr_node *n, const struct read *rd)
{
    for (uint32_t i = 0; i < rd->m; i++)
        if (rd->side[i].state == SIDE_IDLE && !rd->side[i].spared &&
            nwr_is_up(n, rd->side[i].ordinal))
            return true;
    return false;
}

/* How many it needs, or who stands in, goes by who is up. */
static bool counts_up(const struct read *rd)
{
    return rd->sloppy || rd->copy || rd->repair;
}

static void on_changed(struct nwr_node *n, struct nwr_job *j)
{
    struct read *rd = of(j);

    if (rd->state == LATE)
        return;
    if (rd->epoch != n->ring.epoch) {
        ring_changed(n, rd);
    } else if (rd->state == ASKING &&
               (back_again(n, rd) || (counts_up(rd) && count_away(n, rd) != rd->away))) {
        begin(n, rd);
    } else if (rd->state == ASKING) {
        look_asking(n, rd);
    } else if (rd->state == WRITING_BACK) {
        nwr_read_spread(n, rd);
    }
}

static void on_wake(struct nwr_node *n, struct nwr_job *j)
{
    struct read *rd = of(j);

    bool asking = rd->state == ASKING;

    if (rd->state == LATE) {
        late_done(n, rd);
    } else if (n->now >= rd->deadline) {
        finish(n, rd, NWR_E_TIMEDOUT);
    } else {
        if (asking && n->now >= rd->spared_until)
            ask_spared(n, rd);
        rd->spared_until = asking ? rd->spared_until : NWR_NEVER;
        wait_until(n, rd, rd->deadline);
        if (asking)
            look_asking(n, rd);
    }
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

static struct read *read_new(struct nwr_node *n, struct nwr_job *parent, nwr_pg pg,
                             const struct nwr_range *range, uint32_t nrange, nwr_ms deadline)
{
    struct read *rd = nwr_job_new(n, &read_kind, sizeof(*rd), parent, 0);

    rd->pg = pg;
    rd->range = nwr_memdup(range, nrange * sizeof(*range));
    rd->nrange = nrange;
    rd->deadline = deadline;
    nwr_job_wake(n, &rd->job, rd->deadline);
    return rd;
}

void nwr_read_start(struct nwr_node *n, struct nwr_origin *o)
{
    struct read *rd = read_new(n, NULL, o->req->pg, o->req->range, o->req->nrange, o->deadline);

    n->count.reads++;
    rd->origin = *o;
    rd->asked_w = o->req->w;
    rd->asked_r = o->req->r;
    rd->sloppy = nwr_is_sloppy(o->req);
    begin(n, rd);
}

void nwr_read_repair(struct nwr_node *n, nwr_pg pg, const struct nwr_range *range, uint32_t nrange)
{
    struct read *rd;

    if (n->repairs >= NWR_REPAIRS_MAX)
        return;
    rd = read_new(n, NULL, pg, range, nrange, n->now + NWR_DEADLINE_MS);
    leave_out_nothing(rd);
    rd->repair = true;
    n->repairs++;
    begin(n, rd);
}

void nwr_read_copy(struct nwr_node *n, struct nwr_job *parent, nwr_pg pg,
                   const struct nwr_range *range)
{
    struct read *rd = read_new(n, parent, pg, range, 1, n->now + NWR_DEADLINE_MS);

    nwr_assert(n->ring.joint);
    rd->copy = true;
    begin(n, rd);
}

void nwr_read_leave(struct nwr_node *n, struct nwr_job *parent, nwr_pg pg,
                    const struct nwr_range *range)
{
    struct read *rd = read_new(n, parent, pg, range, 1, n->now + NWR_DEADLINE_MS);

    rd->leave = true;
    begin(n, rd);
}

size_t nwr_read_bytes(const struct nwr_job *j)
{
    struct nwr_msg m = {.kind = NWR_MSG_ROWS};

    m.u.rows.rows = nwr_container_of(j, const struct read, job)->merged;
    return nwr_msg_bytes(&m);
}

bool nwr_read_page(const struct nwr_job *j, struct nwr_key *last)
{
    const struct read *rd = nwr_container_of(j, const struct read, job);

    if (rd->merged.n)
        *last = rd->merged.row[rd->merged.n - 1].key;
    return rd->more && rd->merged.n;
}
