/* write.c -- coordinating PUT and BLOCK_PUT (DESIGN 5).
 *
 *     WAITING --enough replicas up--> APPLYING --ok--> SENDING --W have it--> answered
 *        |                              | ^  \--refused--> answered, or forwarded (disk full)
 *        |                              v |
 *        |                            SUPPLYING: blocks this node lacks, from others
 *        \--known to be down--> E_HOSTDOWN, nothing was applied
 *
 *   1 give dot, hlc and number; apply locally with guards
 *   2 whole containers as they are now go to the other replicas in parallel, with blocks and
 *     guards (deliver.c), as a hint to who answers late (lag.c); at disk level the local sync runs
 *     beside that
 *   3 W acknowledgements, the local one included: answer; what is still out goes on by itself
 * While the ring is joint: W of each list, by its own N and W. An acknowledgement says that the
 * replica has it, whatever the ring was then.
 * Too many refusals: their error. The deadline: E_TIMEDOUT, the write is unconfirmed.
 */
#include "net/core/job.h"

#include "net/core/ancestor.h"
#include "net/core/scrub.h"

enum state {
    WAITING,
    APPLYING,
    SUPPLYING,
    SENDING
};
enum side_state {
    SIDE_OUT,
    SIDE_HAS,
    SIDE_FAILED
};

struct side {
    uint16_t ordinal;
    enum side_state state;
    uint8_t in;        /* bit of each list it is in, as they are now; 0: it does not count */
    bool hinted;       /* a hint for it was taken with the write */
    bool spared;       /* it answers late, and the others do (lag.c) */
    uint16_t hint_for; /* it stands in for this one, and counts in its place; 0: for none */
    enum nwr_err err;
};

struct write {
    struct nwr_job job;
    struct nwr_origin origin;
    enum state state;
    enum nwr_op op;
    nwr_pg pg;
    uint8_t asked_w;
    enum nwr_level level;
    uint64_t epoch, knocked; /* of the lists; see nwr_knock */
    struct side side[2 * NWR_LISTS * NWR_REPLICAS_MAX];
    uint32_t nside;
    uint8_t w[NWR_LISTS], m[NWR_LISTS];
    struct nwr_batch *batch;
    struct nwr_response res;
    uint32_t supplies;
    nwr_ms deadline;
    bool sloppy, spare; /* spare: this node coordinates in place of those of the list */
};

static struct write *of(struct nwr_job *j)
{
    return nwr_container_of(j, struct write, job);
}

/* ---- the list ------------------------------------------------------------------------------- */

static struct side *side_find(struct write *wr, uint16_t ordinal)
{
    for (uint32_t i = 0; i < wr->nside; i++)
        if (wr->side[i].ordinal == ordinal)
            return &wr->side[i];
    return NULL;
}

/* This node holds the group in the list there is. */
static bool is_home(const struct nwr_node *n, struct write *wr)
{
    const struct side *self = side_find(wr, n->ordinal);

    return self && !self->hint_for &&
           (self->in >> NWR_LIST_NOW & 1 || (self->in && !NWR_RULE(HOLDERS_COORDINATE)));
}

/* ---- stand-ins (sloppy) ---------------------------------------------------------------------- */

static struct side *stand_in_of(struct write *wr, uint16_t target)
{
    for (uint32_t i = 0; i < wr->nside; i++)
        if (wr->side[i].hint_for == target)
            return &wr->side[i];
    return NULL;
}

static void stand_in(struct write *wr, uint16_t ordinal, const struct side *away)
{
    uint8_t in = NWR_RULE(STAND_IN_LISTS) ? away->in : 1 << NWR_LIST_NOW;
    uint16_t target = away->ordinal;

    if (wr->nside < NWR_COUNT(wr->side))
        wr->side[wr->nside++] =
            (struct side){.ordinal = ordinal, .state = SIDE_OUT, .in = in, .hint_for = target};
}

/* The first that is up, or this node, and takes no part yet; 0: there is none. */
static uint16_t next_spare(const struct nwr_node *n, struct write *wr)
{
    uint16_t spare[NWR_REPLICAS_MAX];
    uint32_t m = nwr_ring_spares(&n->ring, wr->pg, true, spare);

    for (uint32_t i = 0; i < m; i++)
        if (nwr_is_up(n, spare[i]) && spare[i] != n->ordinal && !side_find(wr, spare[i]))
            return spare[i];
    return 0;
}

/* For each of the list that is away and does not have it the next node takes it, with a hint. A
 * coordinator that is not of the list is the first of them; where nobody is away it keeps a hint
 * for the first of the list, which does not count. */
static void place_spares(struct nwr_node *n, struct write *wr)
{
    uint32_t of_list = wr->nside;

    for (uint32_t i = 0; i < of_list; i++) {
        struct side *s = &wr->side[i], *standing = stand_in_of(wr, s->ordinal);
        uint16_t spare;

        if (!s->in || s->hint_for)
            continue;
        if (standing && NWR_RULE(STAND_IN_LISTS))
            standing->in = s->in;
        if (standing || s->state == SIDE_HAS || nwr_is_up(n, s->ordinal))
            continue;
        spare = wr->spare && !side_find(wr, n->ordinal) ? n->ordinal : next_spare(n, wr);
        if (spare)
            stand_in(wr, spare, s);
    }
    if (wr->spare && !side_find(wr, n->ordinal) && of_list)
        stand_in(wr, n->ordinal, &(struct side){.ordinal = wr->side[0].ordinal});
    for (enum nwr_list l = NWR_LIST_NOW; l < NWR_LISTS; l++) {
        wr->m[l] = 0;
        for (uint32_t i = 0; i < wr->nside; i++)
            wr->m[l] += wr->side[i].in >> l & 1;
    }
}

/* Sides of earlier lists stay, but do not count: what they got they may give away. */
static void place(struct nwr_node *n, struct write *wr)
{
    struct nwr_sides list;

    nwr_ring_sides(&n->ring, wr->pg, &list);
    wr->epoch = n->ring.epoch;
    for (enum nwr_list l = NWR_LIST_NOW; l < NWR_LISTS; l++) {
        wr->m[l] = list.m[l];
        wr->w[l] = NWR_MIN(nwr_ring_w_in(&n->ring, l, wr->asked_w), list.m[l]);
        if ((l == NWR_LIST_NEXT && !NWR_RULE(JOINT_W)) || !NWR_RULE(W_OF_N))
            wr->w[l] = l == NWR_LIST_NOW;
    }
    for (uint32_t i = 0; i < wr->nside; i++)
        wr->side[i].in = 0;
    for (uint32_t i = 0; i < list.n; i++) {
        struct side *s = side_find(wr, list.side[i].ordinal);

        if (!s && wr->nside == NWR_COUNT(wr->side))
            continue;
        if (!s) {
            s = &wr->side[wr->nside++];
            *s = (struct side){.ordinal = list.side[i].ordinal, .state = SIDE_OUT};
        }
        s->in = list.side[i].in;
    }
    if (!wr->sloppy)
        return;
    wr->spare = !is_home(n, wr) && nwr_ring_is_spare(&n->ring, wr->pg, true, n->ordinal);
    place_spares(n, wr);
}

static uint8_t count_sides(const struct write *wr, enum nwr_list list, enum side_state state)
{
    uint8_t count = 0;

    for (uint32_t i = 0; i < wr->nside; i++)
        count += wr->side[i].in >> list & 1 && wr->side[i].state == state;
    return count;
}

/* ---- answering ------------------------------------------------------------------------------ */

static void answer(struct nwr_node *n, struct write *wr, enum nwr_err err)
{
    if (err == NWR_E_HOSTDOWN && wr->origin.sent) /* nothing was done here, but that is not all */
        err = NWR_E_TIMEDOUT;
    wr->res.err = err;
    wr->res.once = !wr->origin.sent;
    wr->res.acks = count_sides(wr, NWR_LIST_NOW, SIDE_HAS);
    nwr_respond(n, &wr->origin, &wr->res, wr->job.lent > 0);
    nwr_job_end(n, &wr->job, err);
}

/* What a program should hear first when replicas differ in why. */
static int weight(enum nwr_err err)
{
    static const enum nwr_err order[] = {NWR_E_TIMEDOUT, NWR_E_IO,       NWR_E_BLOCKS,
                                         NWR_E_NOSPC,    NWR_E_NOTEMPTY, NWR_E_DEAD};

    for (int i = (int)NWR_COUNT(order) - 1; i >= 0; i--)
        if (order[i] == err)
            return i + 1;
    return err == NWR_E_HOSTDOWN || err == NWR_E_CANCELED ? 0 : 2;
}

static enum nwr_err worst(const struct write *wr)
{
    enum nwr_err err = NWR_E_TIMEDOUT;

    for (uint32_t i = 0; i < wr->nside; i++)
        if (wr->side[i].in && wr->side[i].state == SIDE_FAILED &&
            weight(wr->side[i].err) > weight(err))
            err = wr->side[i].err;
    return err;
}

static void look(struct nwr_node *n, struct write *wr)
{
    bool enough = true, possible = true;

    for (enum nwr_list l = NWR_LIST_NOW; l < NWR_LISTS; l++) {
        enough &= count_sides(wr, l, SIDE_HAS) >= wr->w[l];
        possible &= wr->m[l] - count_sides(wr, l, SIDE_FAILED) >= wr->w[l];
    }
    if (enough)
        answer(n, wr, NWR_OK);
    else if (!possible)
        answer(n, wr, worst(wr));
}

static void side_done(struct nwr_node *n, struct write *wr, struct side *s, enum nwr_err err)
{
    s->state = err ? SIDE_FAILED : SIDE_HAS;
    s->err = err;
    look(n, wr);
}

/* ---- sending -------------------------------------------------------------------------------- */

static void deliver_to(struct nwr_node *n, struct write *wr, uint32_t slot)
{
    wr->batch->refs++;
    if (wr->side[slot].hint_for)
        nwr_deliver_for(n, &wr->job, slot, wr->side[slot].ordinal, wr->batch,
                        wr->side[slot].hint_for);
    else if (wr->side[slot].spared)
        nwr_deliver_last(n, &wr->job, slot, wr->side[slot].ordinal, wr->batch);
    else
        nwr_deliver(n, &wr->job, slot, wr->side[slot].ordinal, wr->batch, true);
}

/* Who went while the write was being stored has no hint yet. */
static void keep_for(struct nwr_node *n, struct write *wr, const struct side *s)
{
    if (wr->op == NWR_OP_PUT && !s->hinted && !s->hint_for && !nwr_is_up(n, s->ordinal) &&
        !stand_in_of(wr, s->ordinal) && NWR_RULE(HINT_KEPT))
        nwr_hint_keep(n, s->ordinal, wr->batch);
}

static void send_all(struct nwr_node *n, struct write *wr)
{
    wr->state = SENDING;
    wr->res.round_trips = wr->w[NWR_LIST_NOW] > 1 || n->ring.joint;
    if (wr->epoch != n->ring.epoch && NWR_RULE(PLACED_AGAIN))
        place(n, wr);
    for (uint32_t i = 0; i < wr->nside && !wr->job.ended; i++)
        if (wr->side[i].ordinal != n->ordinal && wr->side[i].in) {
            keep_for(n, wr, &wr->side[i]);
            deliver_to(n, wr, i);
        }
}

static void sync_local(struct nwr_node *n, struct write *wr)
{
    nwr_lend_submit(n, nwr_lend(n, &wr->job, 0, NWR_STORE_SYNC, wr->pg));
}

/* ---- the local store ------------------------------------------------------------------------ */

static struct nwr_batch *batch_of(struct write *wr)
{
    const struct nwr_request *req = wr->origin.req;
    struct nwr_batch *b = nwr_batch_new(wr->pg, wr->level);
    struct nwr_msg size = {.kind = NWR_MSG_BLOCKS};

    b->guard = nwr_guards_copy(req->guard, req->nguard);
    b->nguard = req->nguard;
    b->block = nwr_blocks_copy(req->block, req->nblock);
    b->nblock = req->nblock;
    b->keep = wr->op == NWR_OP_PUT;
    size.u.put.block = b->block;
    size.u.put.nblock = b->nblock;
    b->bytes = nwr_msg_bytes(&size);
    return b;
}

static bool stamp(struct nwr_node *n, struct write *wr)
{
    struct nwr_request *req = wr->origin.req;
    struct nwr_dot dot;

    if (!nwr_ids_number(n, &wr->res.k))
        return false;
    nwr_hlc_raise(n, req->hlc);
    wr->res.hlc = nwr_hlc_later(n, req->hlc);
    dot.actor = (nwr_actor)n->ordinal << 32 | n->incarnation;
    if (wr->spare && NWR_RULE(HINT_ACTOR))
        dot = nwr_hint_dot(n, wr->pg);
    else
        dot.counter = ++n->dots[wr->pg];
    wr->res.dot = dot;
    for (uint32_t i = 0; i < req->nwrite; i++) {
        req->write[i].v.dot = dot;
        req->write[i].v.hlc = wr->res.hlc;
        req->write[i].v.k = wr->res.k;
    }
    return true;
}

/* What is kept only for the one it stands in for. */
static size_t data_bytes(const struct write *wr)
{
    struct nwr_msg size = {.kind = NWR_MSG_REQUEST};

    size.u.request = wr->origin.req;
    return nwr_msg_bytes(&size);
}

/* Who answers late is left out where W of each of its lists are on time, this node among them. */
static bool can_spare(const struct nwr_node *n, const struct write *wr, const struct side *s)
{
    if (!s->in || s->hint_for || !nwr_is_up(n, s->ordinal) || !nwr_is_spared(n, s->ordinal))
        return false;
    for (enum nwr_list l = NWR_LIST_NOW; l < NWR_LISTS; l++) {
        uint32_t on_time = 0;

        for (uint32_t i = 0; i < wr->nside; i++)
            on_time += wr->side[i].in >> l & 1 && nwr_is_on_time(n, wr->side[i].ordinal);
        if (on_time < wr->w[l])
            return false;
    }
    return true;
}

/* For those that are away now, in the commit of the write itself; first where it stands in, since
 * that is what counts. Who is spared gets it by its hint. */
static void add_hints(struct nwr_node *n, struct write *wr, struct nwr_lent *l)
{
    const struct nwr_request *req = wr->origin.req;
    struct nwr_key *key = nwr_alloc(req->nwrite * sizeof(*key));
    struct side *own = side_find(wr, n->ordinal);

    for (uint32_t i = 0; i < req->nwrite; i++)
        key[i] = req->write[i].key;
    if (own && own->hint_for)
        own->hinted |= nwr_hint_add(n, l, own->hint_for, wr->pg, key, req->nwrite, data_bytes(wr));
    for (uint32_t i = 0; i < wr->nside; i++) {
        struct side *s = &wr->side[i];
        bool late = can_spare(n, wr, s), away = s->in && !nwr_is_up(n, s->ordinal);

        if ((late || away) && !stand_in_of(wr, s->ordinal) && NWR_RULE(HINT_KEPT))
            s->hinted |= nwr_hint_add(n, l, s->ordinal, wr->pg, key, req->nwrite, 0);
        s->spared = late && s->hinted;
    }
    nwr_free(key);
    if (wr->spare)
        nwr_hint_strays(n, wr->pg);
}

static void apply(struct nwr_node *n, struct write *wr)
{
    struct nwr_request *req = wr->origin.req;
    struct nwr_lent *l = nwr_lend(n, &wr->job, 0, NWR_STORE_APPLY, wr->pg);

    add_hints(n, wr, l);
    l->apply = nwr_zalloc(req->nwrite * sizeof(*l->apply));
    for (uint32_t i = 0; i < req->nwrite; i++)
        l->apply[i].put = &req->write[i];
    l->op.apply = l->apply;
    l->op.napply = req->nwrite;
    l->op.guard = req->guard;
    l->op.nguard = req->nguard;
    l->op.coordinator = true;
    l->op.alone = !n->ring.joint && wr->m[NWR_LIST_NOW] == 1;
    l->op.block = req->block;
    l->op.nblock = req->nblock;
    nwr_lend_submit(n, l);
}

static void put_blocks(struct nwr_node *n, struct write *wr)
{
    struct nwr_request *req = wr->origin.req;
    struct nwr_lent *l = nwr_lend(n, &wr->job, 0, NWR_STORE_BLOCK_PUT, wr->pg);

    for (uint32_t i = 0; i < wr->nside; i++) /* it gets them with what names them */
        wr->side[i].spared = can_spare(n, wr, &wr->side[i]);
    l->op.block = req->block;
    l->op.nblock = req->nblock;
    nwr_lend_submit(n, l);
}

/* A dot is given when its batch goes to the store, in order: a second try takes a new one. */
static void apply_local(struct nwr_node *n, struct write *wr)
{
    if (wr->op == NWR_OP_PUT && !stamp(n, wr)) {
        wr->state = WAITING;
        return;
    }
    wr->state = APPLYING;
    if (wr->op == NWR_OP_PUT)
        apply(n, wr);
    else
        put_blocks(n, wr);
}

/* Whether W of each list are up, or may still come up. */
static bool enough_up(const struct nwr_node *n, const struct write *wr, bool maybe)
{
    for (enum nwr_list l = NWR_LIST_NOW; l < NWR_LISTS; l++) {
        uint32_t up = 0;

        for (uint32_t i = 0; i < wr->nside; i++)
            up += wr->side[i].in >> l & 1 && (nwr_is_up(n, wr->side[i].ordinal) ||
                                              (maybe && nwr_is_maybe(n, wr->side[i].ordinal)));
        if (up < wr->w[l])
            return false;
    }
    return true;
}

static void ordinals(const struct write *wr, uint16_t *list)
{
    for (uint32_t i = 0; i < wr->nside; i++)
        list[i] = wr->side[i].ordinal;
}

static nwr_ms maybe_until(const struct nwr_node *n, const struct write *wr)
{
    uint16_t list[NWR_COUNT(wr->side)];

    ordinals(wr, list);
    return NWR_MIN(nwr_maybe_until(n, list, wr->nside), wr->deadline);
}

static bool knock(struct nwr_node *n, struct write *wr)
{
    uint16_t list[NWR_COUNT(wr->side)];

    ordinals(wr, list);
    return nwr_knock(n, &wr->knocked, list, wr->nside);
}

/* Under another ring this node holds the group no longer. */
static void not_here(struct nwr_node *n, struct write *wr)
{
    struct nwr_origin o = wr->origin;

    if (o.kind == NWR_FROM_PEER) {
        answer(n, wr, NWR_E_EPOCH);
        return;
    }
    wr->origin = (struct nwr_origin){0};
    nwr_job_end(n, &wr->job, NWR_E_EPOCH);
    nwr_forward_start(n, &o, NWR_OK);
}

/* A node that stands in has room for its hint. */
static bool room_here(struct nwr_node *n, const struct write *wr)
{
    return !wr->spare || wr->op != NWR_OP_PUT || !NWR_RULE(HINT_ROOM) ||
           nwr_hint_room(n, wr->origin.req->nwrite, data_bytes(wr));
}

/* Only who holds the group already coordinates: guards are judged on what is stored there; unless
 * the write is sloppy and this node is one of the next. */
static void begin(struct nwr_node *n, struct write *wr)
{
    place(n, wr);
    if (!is_home(n, wr) && !wr->spare) {
        not_here(n, wr);
    } else if (!room_here(n, wr)) {
        answer(n, wr, NWR_E_NOSPC);
    } else if (enough_up(n, wr, false)) {
        nwr_job_wake(n, &wr->job, wr->deadline);
        apply_local(n, wr);
    } else if (enough_up(n, wr, true) || knock(n, wr)) {
        nwr_job_wake(n, &wr->job, maybe_until(n, wr));
    } else {
        answer(n, wr, NWR_E_HOSTDOWN);
    }
}

/* ---- events --------------------------------------------------------------------------------- */

/* The dot its first try got, and what came with it. */
static void note_result(struct write *wr, const struct nwr_store_op *op)
{
    if (op->dot.counter == 0 || nwr_dot_cmp(op->dot, wr->res.dot) == 0)
        return;
    wr->res.dot = op->dot;
    for (uint32_t i = 0; i < op->rows.n; i++) {
        const struct nwr_version *v = nwr_record_find(&op->rows.row[i].rec, op->dot);

        if (v) {
            wr->res.hlc = v->hlc;
            wr->res.k = v->k;
        }
    }
}

/* Whoever had what was replaced keeps it by itself, and in a conflict all of it is sent. */
static void strip(struct nwr_rows *rows)
{
    for (uint32_t i = 0; i < rows->n; i++)
        nwr_kept_give_up(&rows->row[i].rec);
}

static void applied(struct nwr_node *n, struct write *wr, struct nwr_store_op *op)
{
    struct nwr_msg size = {.kind = NWR_MSG_ROWS};
    bool disk = wr->level == NWR_LEVEL_DISK && NWR_RULE(LEVEL);

    note_result(wr, op);
    wr->batch = batch_of(wr);
    if (wr->op == NWR_OP_PUT) {
        strip(&op->rows);
        size.u.rows.rows = op->rows;
        wr->batch->bytes += nwr_msg_bytes(&size);
        wr->batch->rows = op->rows;
        op->rows = (struct nwr_rows){0};
        n->count.puts++;
    } else {
        n->count.block_puts++;
    }
    if (disk)
        sync_local(n, wr);
    send_all(n, wr);
    if (!wr->job.ended && !disk)
        side_done(n, wr, side_find(wr, n->ordinal), NWR_OK);
}

/* This node is the wrong one to coordinate, another may be able to. */
static bool try_elsewhere(struct nwr_node *n, struct write *wr, enum nwr_err err)
{
    struct nwr_origin o = wr->origin;

    if (!nwr_err_of_disk(err) && err != NWR_E_CORRUPT)
        return false;
    if (o.kind == NWR_FROM_PEER || wr->m[NWR_LIST_NOW] < 2)
        return false;
    wr->origin = (struct nwr_origin){0};
    nwr_job_end(n, &wr->job, err);
    nwr_forward_start(n, &o, err);
    return true;
}

static void on_stored(struct nwr_node *n, struct nwr_job *j, struct nwr_lent *l)
{
    struct write *wr = of(j);
    struct nwr_store_op *op = &l->op;

    if (op->err == NWR_E_CORRUPT)
        nwr_scrub_soon(n, wr->pg);
    if (op->kind == NWR_STORE_SYNC) {
        side_done(n, wr, side_find(wr, n->ordinal), op->err);
    } else if (op->err == NWR_OK) {
        applied(n, wr, op);
    } else if (op->err == NWR_E_BLOCKS && op->nmissing && wr->supplies++ < 32) {
        wr->state = SUPPLYING;
        nwr_supply(n, j, UINT32_MAX, n->ordinal, wr->pg, op->missing, op->nmissing);
    } else if (!try_elsewhere(n, wr, op->err)) {
        answer(n, wr, op->err);
    }
}

static void on_child(struct nwr_node *n, struct nwr_job *j, struct nwr_job *child, enum nwr_err err)
{
    struct write *wr = of(j);

    if (child->slot != UINT32_MAX) {
        wr->res.round_trips = NWR_MAX(wr->res.round_trips, nwr_deliver_trips(child));
        side_done(n, wr, &wr->side[child->slot], err);
    } else if (err == NWR_OK && !room_here(n, wr)) {
        answer(n, wr, NWR_E_NOSPC);
    } else if (err == NWR_OK) {
        apply_local(n, wr);
    } else if (!try_elsewhere(n, wr, err)) { /* the blocks it lacks cannot be stored here */
        answer(n, wr, err == NWR_E_NOENT ? NWR_E_BLOCKS : err);
    }
}

static void replace_list(struct nwr_node *n, struct write *wr)
{
    uint32_t before = wr->nside;

    place(n, wr);
    for (uint32_t i = before; i < wr->nside && !wr->job.ended; i++)
        if (wr->side[i].ordinal != n->ordinal)
            deliver_to(n, wr, i);
    if (!wr->job.ended)
        look(n, wr);
}

static void on_changed(struct nwr_node *n, struct nwr_job *j)
{
    struct write *wr = of(j);

    if (wr->state == WAITING)
        begin(n, wr);
    else if (wr->state == SENDING && NWR_RULE(PLACED_AGAIN) &&
             (wr->epoch != n->ring.epoch || wr->sloppy))
        replace_list(n, wr);
}

static void on_wake(struct nwr_node *n, struct nwr_job *j)
{
    struct write *wr = of(j);

    if (n->now >= wr->deadline)
        answer(n, wr, wr->state == WAITING || !NWR_RULE(IN_DOUBT) ? NWR_E_HOSTDOWN : worst(wr));
    else if (wr->state == WAITING)
        begin(n, wr);
}

static void on_free(struct nwr_node *n, struct nwr_job *j)
{
    struct write *wr = of(j);

    (void)n;
    nwr_request_destroy(wr->origin.req);
    nwr_batch_unref(wr->batch);
    nwr_response_deinit(&wr->res);
}

static const struct nwr_job_kind write_kind = {.name = "write",
                                               .stored = on_stored,
                                               .wake = on_wake,
                                               .child = on_child,
                                               .changed = on_changed,
                                               .drop = on_free};

void nwr_write_start(struct nwr_node *n, struct nwr_origin *o)
{
    struct write *wr = nwr_job_new(n, &write_kind, sizeof(*wr), NULL, 0);

    wr->origin = *o;
    wr->op = o->req->op;
    wr->pg = o->req->pg;
    wr->asked_w = o->req->w;
    wr->level = o->req->level;
    wr->sloppy = nwr_is_sloppy(o->req);
    wr->deadline = NWR_RULE(DEADLINE) ? o->deadline : NWR_NEVER - 1;
    nwr_job_wake(n, &wr->job, wr->deadline);
    begin(n, wr);
}
