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
 *     guards (deliver.c); at disk level the local sync runs beside that
 *   3 W acknowledgements, the local one included: answer; what is still out goes on by itself
 * Too many refusals: their error. The deadline: E_TIMEDOUT, the write is unconfirmed.
 */
#include "net/core/job.h"

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
    bool counts; /* member of the list as it is now */
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
    uint64_t epoch; /* of the list */
    struct side side[2 * NWR_REPLICAS_MAX];
    uint32_t nside;
    uint8_t w, m;
    struct nwr_batch *batch;
    struct nwr_response res;
    uint32_t supplies;
    nwr_ms deadline;
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

/* Sides of an earlier list stay, but do not count. */
static void place(struct nwr_node *n, struct write *wr)
{
    uint16_t list[NWR_REPLICAS_MAX];

    wr->m = (uint8_t)nwr_ring_place(&n->ring, wr->pg, list);
    wr->w = nwr_ring_w(&n->ring, wr->asked_w);
    wr->epoch = n->ring.epoch;
    for (uint32_t i = 0; i < wr->nside; i++)
        wr->side[i].counts = false;
    for (uint32_t i = 0; i < wr->m; i++) {
        struct side *s = side_find(wr, list[i]);

        if (!s && wr->nside == NWR_COUNT(wr->side))
            continue;
        if (!s) {
            s = &wr->side[wr->nside++];
            *s = (struct side){.ordinal = list[i], .state = SIDE_OUT};
        }
        s->counts = true;
    }
}

static uint8_t count_sides(const struct write *wr, enum side_state state)
{
    uint8_t count = 0;

    for (uint32_t i = 0; i < wr->nside; i++)
        count += wr->side[i].counts && wr->side[i].state == state;
    return count;
}

/* ---- answering ------------------------------------------------------------------------------ */

static void answer(struct nwr_node *n, struct write *wr, enum nwr_err err)
{
    wr->res.err = err;
    wr->res.acks = count_sides(wr, SIDE_HAS);
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
        if (wr->side[i].counts && wr->side[i].state == SIDE_FAILED &&
            weight(wr->side[i].err) > weight(err))
            err = wr->side[i].err;
    return err;
}

static void look(struct nwr_node *n, struct write *wr)
{
    if (count_sides(wr, SIDE_HAS) >= wr->w)
        answer(n, wr, NWR_OK);
    else if (wr->m - count_sides(wr, SIDE_FAILED) < wr->w)
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
    nwr_deliver(n, &wr->job, slot, wr->side[slot].ordinal, wr->batch, true);
}

/* Nobody counts what the joining member gets; what it misses it copies or learns by repair. */
static void deliver_to_pending(struct nwr_node *n, struct write *wr)
{
    uint16_t joining = n->ring.pending.ordinal;
    struct nwr_ring next;

    if (!joining || joining == n->ordinal || !nwr_is_up(n, joining))
        return;
    nwr_ring_future(&next, &n->ring);
    if (nwr_ring_holds(&next, wr->pg, joining)) {
        wr->batch->refs++;
        nwr_deliver(n, NULL, 0, joining, wr->batch, false);
    }
    nwr_ring_deinit(&next);
}

static void send_all(struct nwr_node *n, struct write *wr)
{
    wr->state = SENDING;
    wr->res.round_trips = wr->w > 1;
    deliver_to_pending(n, wr);
    for (uint32_t i = 0; i < wr->nside && !wr->job.ended; i++)
        if (wr->side[i].ordinal != n->ordinal && wr->side[i].counts)
            deliver_to(n, wr, i);
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
    wr->res.hlc = nwr_hlc_next(n);
    dot.actor = (nwr_actor)n->ordinal << 32 | n->incarnation;
    dot.counter = ++n->dots[wr->pg];
    wr->res.dot = dot;
    for (uint32_t i = 0; i < req->nwrite; i++) {
        req->write[i].v.dot = dot;
        req->write[i].v.hlc = wr->res.hlc;
        req->write[i].v.k = wr->res.k;
    }
    return true;
}

static void apply(struct nwr_node *n, struct write *wr)
{
    struct nwr_request *req = wr->origin.req;
    struct nwr_lent *l = nwr_lend(n, &wr->job, 0, NWR_STORE_APPLY, wr->pg);

    l->apply = nwr_zalloc(req->nwrite * sizeof(*l->apply));
    for (uint32_t i = 0; i < req->nwrite; i++)
        l->apply[i].put = &req->write[i];
    l->op.apply = l->apply;
    l->op.napply = req->nwrite;
    l->op.guard = req->guard;
    l->op.nguard = req->nguard;
    l->op.coordinator = true;
    l->op.block = req->block;
    l->op.nblock = req->nblock;
    nwr_lend_submit(n, l);
}

static void put_blocks(struct nwr_node *n, struct write *wr)
{
    struct nwr_request *req = wr->origin.req;
    struct nwr_lent *l = nwr_lend(n, &wr->job, 0, NWR_STORE_BLOCK_PUT, wr->pg);

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

static void begin(struct nwr_node *n, struct write *wr)
{
    uint16_t list[NWR_REPLICAS_MAX];
    uint32_t up = 0, maybe = 0;

    place(n, wr);
    for (uint32_t i = 0; i < wr->m; i++) {
        list[i] = wr->side[i].ordinal;
        up += nwr_is_up(n, list[i]);
        maybe += nwr_is_maybe(n, list[i]);
    }
    if (!side_find(wr, n->ordinal) || !side_find(wr, n->ordinal)->counts) {
        answer(n, wr, NWR_E_EPOCH);
    } else if (up >= wr->w) {
        nwr_job_wake(n, &wr->job, wr->deadline);
        apply_local(n, wr);
    } else if (up + maybe >= wr->w) {
        nwr_job_wake(n, &wr->job, NWR_MIN(nwr_maybe_until(n, list, wr->m), wr->deadline));
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

static void applied(struct nwr_node *n, struct write *wr, struct nwr_store_op *op)
{
    struct nwr_msg size = {.kind = NWR_MSG_ROWS};

    note_result(wr, op);
    wr->batch = batch_of(wr);
    if (wr->op == NWR_OP_PUT) {
        size.u.rows.rows = op->rows;
        wr->batch->bytes += nwr_msg_bytes(&size);
        wr->batch->rows = op->rows;
        op->rows = (struct nwr_rows){0};
        n->count.puts++;
    } else {
        n->count.block_puts++;
    }
    if (wr->level == NWR_LEVEL_DISK)
        sync_local(n, wr);
    send_all(n, wr);
    if (!wr->job.ended && wr->level == NWR_LEVEL_MEMORY)
        side_done(n, wr, side_find(wr, n->ordinal), NWR_OK);
}

/* This node is the wrong one to coordinate, another may be able to. */
static bool try_elsewhere(struct nwr_node *n, struct write *wr, enum nwr_err err)
{
    struct nwr_origin o = wr->origin;

    if (err != NWR_E_NOSPC && err != NWR_E_IO && err != NWR_E_CORRUPT)
        return false;
    if (o.kind == NWR_FROM_PEER || wr->m < 2)
        return false;
    wr->origin = (struct nwr_origin){0};
    nwr_job_end(n, &wr->job, err);
    nwr_forward_start(n, &o, true);
    return true;
}

static void on_stored(struct nwr_node *n, struct nwr_job *j, struct nwr_lent *l)
{
    struct write *wr = of(j);
    struct nwr_store_op *op = &l->op;

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
    } else if (err == NWR_OK) {
        apply_local(n, wr);
    } else {
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
    else if (wr->state == SENDING && wr->epoch != n->ring.epoch)
        replace_list(n, wr);
}

static void on_wake(struct nwr_node *n, struct nwr_job *j)
{
    struct write *wr = of(j);

    if (n->now >= wr->deadline)
        answer(n, wr, wr->state == WAITING ? NWR_E_HOSTDOWN : worst(wr));
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
    wr->deadline = o->deadline;
    nwr_job_wake(n, &wr->job, wr->deadline);
    begin(n, wr);
}
