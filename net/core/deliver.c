/* deliver.c -- bringing one batch to one replica, with the blocks it turns out to lack.
 *
 *     SENDING --ok--> end
 *        |  ^ \--missing blocks--> GETTING --(pull.c)--> GIVING --ok--> GETTING ... --> SENDING
 *        |  |                                              | missing (refs): more to get first
 *      lost, refused for its epoch --> WAITING --> SENDING
 *      spared (lag.c) ----------------/
 *
 * A link that comes back, or a ring that was learned, starts it again from the batch.
 * The replica is a peer, or this node's own store: then a message is a store op. What it lacks is
 * a stack: a block may name others, which must be there before it.
 */
#include "net/core/job.h"

enum {
    ROUNDS_MAX = 1000,
    GIVE_MAX = 1 << 16
};
enum state {
    SENDING,
    GETTING,
    GIVING,
    WAITING
};

struct deliver {
    struct nwr_job job;
    struct nwr_batch *batch;
    uint16_t peer;
    bool guards;
    uint16_t hint_for;
    enum state state;
    struct nwr_block_id *give;
    uint32_t ngive, capgive, giving;
    struct nwr_block *block; /* of the message or op that is out */
    uint32_t nblock;
    uint32_t rounds;
    uint16_t trips;
    uint64_t epoch; /* it was sent under */
    bool needs_ring, in_background;
    bool last; /* WAITING for others to do without it */
    bool lost; /* a block is nowhere */
};

struct nwr_batch *nwr_batch_new(nwr_pg pg, enum nwr_level level)
{
    struct nwr_batch *b = nwr_zalloc(sizeof(*b));

    b->refs = 1;
    b->pg = pg;
    b->level = level;
    return b;
}

void nwr_batch_unref(struct nwr_batch *b)
{
    if (!b || --b->refs)
        return;
    nwr_rows_deinit(&b->rows);
    nwr_guards_free(b->guard, b->nguard);
    nwr_blocks_free(b->block, b->nblock);
    nwr_free(b);
}

static struct deliver *of(struct nwr_job *j)
{
    return nwr_container_of(j, struct deliver, job);
}

/* Whoever was sent a write and did not say that it has it is told later. */
static void end(struct nwr_node *n, struct deliver *d, enum nwr_err err)
{
    bool lost = err == NWR_E_HOSTDOWN || err == NWR_E_TIMEDOUT || err == NWR_E_CANCELED;

    if (lost && NWR_RULE(HINT_LATE) && d->batch->keep && d->trips && !d->hint_for &&
        d->peer != n->ordinal)
        nwr_hint_keep(n, d->peer, d->batch);
    nwr_job_end(n, &d->job, err);
}

static void drop_blocks(struct deliver *d)
{
    nwr_blocks_free(d->block, d->nblock);
    d->block = NULL;
    d->nblock = 0;
}

/* ---- out ------------------------------------------------------------------------------------ */

/* The whole batch: rows, guards, its blocks and those got meanwhile. */
static void fill_message(const struct deliver *d, bool whole, struct nwr_msg *m)
{
    const struct nwr_batch *b = d->batch;
    uint32_t own = whole ? b->nblock : 0;

    m->kind = whole && b->rows.n ? NWR_MSG_REPLICATE : NWR_MSG_BLOCKS;
    m->pg = b->pg;
    m->u.put.hint_for = d->hint_for;
    m->u.put.level = whole ? b->level : NWR_LEVEL_MEMORY;
    if (whole)
        nwr_rows_copy(&m->u.put.rows, &b->rows);
    if (whole && d->guards) {
        m->u.put.guard = nwr_guards_copy(b->guard, b->nguard);
        m->u.put.nguard = b->nguard;
    }
    m->u.put.nblock = own + d->nblock;
    m->u.put.block =
        nwr_realloc(nwr_blocks_copy(b->block, own), m->u.put.nblock * sizeof(*m->u.put.block));
    if (d->nblock)
        memcpy(m->u.put.block + own, d->block, d->nblock * sizeof(*d->block));
    for (uint32_t i = 0; i < d->nblock; i++) {
        struct nwr_block *copy = &m->u.put.block[own + i];

        copy->data = nwr_blob_ref(copy->data);
        copy->refs = nwr_memdup(copy->refs, copy->nrefs * sizeof(*copy->refs));
    }
}

static void send_to_peer(struct nwr_node *n, struct deliver *d, bool whole)
{
    struct nwr_msg m = {.kind = NWR_MSG_REPLICATE};

    fill_message(d, whole, &m);
    drop_blocks(d);
    n->count.replicates += whole;
    d->trips++;
    d->epoch = n->ring.epoch;
    nwr_call(n, &d->job, d->peer, 0, &m);
}

static struct nwr_lent *apply_op(struct nwr_node *n, struct deliver *d)
{
    const struct nwr_batch *b = d->batch;
    struct nwr_lent *l = nwr_lend(n, &d->job, 0, NWR_STORE_APPLY, b->pg);

    l->apply = nwr_zalloc(b->rows.n * sizeof(*l->apply));
    for (uint32_t i = 0; i < b->rows.n; i++) {
        l->apply[i].key = b->rows.row[i].key;
        l->apply[i].rec = &b->rows.row[i].rec;
    }
    l->op.apply = l->apply;
    l->op.napply = b->rows.n;
    l->op.heal = b->heal;
    l->op.peer_floor = &b->rows.floor;
    return l;
}

static void send_to_store(struct nwr_node *n, struct deliver *d, bool whole)
{
    const struct nwr_batch *b = d->batch;
    struct nwr_lent *l;

    if (whole && b->rows.n)
        l = apply_op(n, d);
    else
        l = nwr_lend(n, &d->job, 0, NWR_STORE_BLOCK_PUT, b->pg);
    l->op.block = d->nblock ? d->block : b->block;
    l->op.nblock = d->nblock ? d->nblock : whole ? b->nblock : 0;
    nwr_lend_submit(n, l);
}

static void send(struct nwr_node *n, struct deliver *d, bool whole)
{
    d->state = whole ? SENDING : GIVING;
    if (d->peer == n->ordinal)
        send_to_store(n, d, whole);
    else if (nwr_is_up(n, d->peer))
        send_to_peer(n, d, whole);
    else
        d->state = WAITING;
}

/* From the top of the stack downwards. */
static void get_blocks(struct nwr_node *n, struct deliver *d)
{
    struct nwr_block_id top[64];
    uint32_t take = NWR_MIN(d->ngive, NWR_COUNT(top));

    for (uint32_t i = 0; i < take; i++)
        top[i] = d->give[d->ngive - 1 - i];
    d->state = GETTING;
    nwr_pull(n, &d->job, 0, d->batch->pg, top, take, d->peer == n->ordinal, d->peer,
             NWR_SUPPLY_BYTES);
}

/* The next thing to do: blocks it lacks, or the batch itself, or nothing is left. */
static void proceed(struct nwr_node *n, struct deliver *d)
{
    const struct nwr_batch *b = d->batch;

    nwr_job_wake(n, &d->job, n->now + NWR_DEADLINE_MS);
    if (d->rounds++ > ROUNDS_MAX) {
        end(n, d, NWR_E_BLOCKS);
    } else if (d->ngive) {
        get_blocks(n, d);
    } else if (b->rows.n || b->nblock || b->level == NWR_LEVEL_DISK) {
        send(n, d, true);
    } else {
        end(n, d, NWR_OK);
    }
}

/* ---- in ------------------------------------------------------------------------------------- */

static bool same_id(const struct nwr_block_id *a, const struct nwr_block_id *b)
{
    return a->ino == b->ino && a->wid == b->wid && a->number == b->number;
}

static const struct nwr_block_id *batch_block(const struct nwr_batch *b,
                                              const struct nwr_block_id *id)
{
    for (uint32_t i = 0; i < b->nblock; i++)
        if (same_id(&b->block[i].id, id))
            return id;
    return NULL;
}

/* False: it asks for what it cannot be given. */
static bool push_missing(struct deliver *d, const struct nwr_block_id *id, uint32_t n)
{
    if (n == 0 || d->ngive + n > GIVE_MAX)
        return false;
    for (uint32_t i = 0; i < n; i++) {
        if (batch_block(d->batch, &id[i]))
            return false;
        d->give = nwr_grow(d->give, &d->capgive, d->ngive + 1, sizeof(*d->give));
        d->give[d->ngive++] = id[i];
    }
    return true;
}

static void on_changed(struct nwr_node *n, struct nwr_job *j)
{
    struct deliver *d = of(j);

    if (d->state != WAITING || d->last || (d->needs_ring && n->ring.epoch == d->epoch))
        return;
    if (!nwr_ring_find(&n->ring, d->peer)) {
        end(n, of(j), NWR_E_HOSTDOWN);
    } else if (nwr_is_up(n, d->peer)) {
        d->needs_ring = false;
        d->ngive = 0;
        drop_blocks(d);
        proceed(n, d);
    }
}

static void replied(struct nwr_node *n, struct deliver *d, enum nwr_err err,
                    const struct nwr_block_id *missing, uint32_t nmissing)
{
    if (err == NWR_E_BLOCKS && NWR_RULE(SUPPLIED) && push_missing(d, missing, nmissing)) {
        proceed(n, d);
    } else if (err == NWR_E_EPOCH) {
        d->state = WAITING;
        d->needs_ring = true;
        on_changed(n, &d->job);
    } else if (err || d->state == SENDING) {
        end(n, d, err);
    } else {
        nwr_assert(d->ngive >= d->giving);
        d->ngive -= d->giving;
        proceed(n, d);
    }
}

static void on_answer(struct nwr_node *n, struct nwr_job *j, const struct nwr_call *c,
                      struct nwr_msg *m)
{
    (void)c;
    if (m->kind == NWR_MSG_ACK)
        replied(n, of(j), m->err, m->u.ack.missing, m->u.ack.nmissing);
    else
        end(n, of(j), NWR_E_FORMAT);
}

static void on_stored(struct nwr_node *n, struct nwr_job *j, struct nwr_lent *l)
{
    struct deliver *d = of(j);

    drop_blocks(d);
    replied(n, d, l->op.err, l->op.missing, l->op.nmissing);
}

/* No replica can read the block on top, and all answered: the record that names it goes with word
 * of that, or replicas would differ for good. Its bytes may yet come, by scrub, from whoever has
 * them. */
static void tell_lost(struct nwr_node *n, struct deliver *d)
{
    d->block = nwr_zalloc(sizeof(*d->block));
    d->block->id = d->give[d->ngive - 1];
    d->nblock = d->giving = 1;
    send(n, d, d->ngive == 1 && d->batch->rows.n > 0);
}

/* The pulled blocks leave the stack when the replica has them: if it lacks what they name, that
 * goes on top. */
static void on_child(struct nwr_node *n, struct nwr_job *j, struct nwr_job *child, enum nwr_err err)
{
    struct deliver *d = of(j);

    if (err) {
        d->lost = err == NWR_E_NOENT || err == NWR_E_CORRUPT;
        if (d->batch->heal && nwr_pull_lost(child) && NWR_RULE(LOST_TOLD))
            tell_lost(n, d);
        else
            end(n, d, err);
        return;
    }
    d->block = nwr_pull_take(child, &d->nblock, NULL);
    d->giving = d->nblock;
    for (uint32_t i = 0; i < d->nblock && d->peer == n->ordinal; i++)
        n->pulled += d->block[i].data->len;
    nwr_assert(d->giving > 0 && d->giving <= d->ngive);
    send(n, d, d->giving == d->ngive && d->batch->rows.n > 0 && d->peer != n->ordinal);
}

static void on_lost(struct nwr_node *n, struct nwr_job *j, const struct nwr_call *c)
{
    (void)c;
    of(j)->state = WAITING;
    if (!j->parent)
        end(n, of(j), NWR_E_HOSTDOWN);
}

/* Its writer was answered: it goes on while the peer is there and memory lasts. */
static void on_orphan(struct nwr_node *n, struct nwr_job *j)
{
    struct deliver *d = of(j);

    if (d->state == WAITING || !NWR_RULE(GOES_ON) ||
        n->background + d->batch->bytes > NWR_BACKGROUND_BYTES) {
        end(n, of(j), NWR_E_CANCELED);
        return;
    }
    d->in_background = true;
    n->background += d->batch->bytes;
}

static void on_wake(struct nwr_node *n, struct nwr_job *j)
{
    struct deliver *d = of(j);

    if (d->last) {
        d->last = false;
        proceed(n, d);
    } else {
        end(n, d, NWR_E_TIMEDOUT);
    }
}

static void on_free(struct nwr_node *n, struct nwr_job *j)
{
    struct deliver *d = of(j);

    if (d->in_background)
        n->background -= d->batch->bytes;
    drop_blocks(d);
    nwr_batch_unref(d->batch);
    nwr_free(d->give);
}

static const struct nwr_job_kind deliver_kind = {.name = "deliver",
                                                 .answer = on_answer,
                                                 .lost = on_lost,
                                                 .stored = on_stored,
                                                 .wake = on_wake,
                                                 .child = on_child,
                                                 .changed = on_changed,
                                                 .orphan = on_orphan,
                                                 .drop = on_free};

static struct deliver *deliver_new(struct nwr_node *n, struct nwr_job *parent, uint32_t slot,
                                   uint16_t peer, struct nwr_batch *b)
{
    struct deliver *d = nwr_job_new(n, &deliver_kind, sizeof(*d), parent, slot);

    d->batch = b;
    d->peer = peer;
    nwr_job_wake(n, &d->job, n->now + NWR_DEADLINE_MS);
    return d;
}

struct nwr_job *nwr_deliver(struct nwr_node *n, struct nwr_job *parent, uint32_t slot,
                            uint16_t peer, struct nwr_batch *b, bool guards)
{
    struct deliver *d = deliver_new(n, parent, slot, peer, b);

    nwr_assert(b->rows.n || b->nblock || b->level == NWR_LEVEL_DISK);
    d->guards = guards;
    proceed(n, d);
    return &d->job;
}

struct nwr_job *nwr_deliver_last(struct nwr_node *n, struct nwr_job *parent, uint32_t slot,
                                 uint16_t peer, struct nwr_batch *b)
{
    struct deliver *d = deliver_new(n, parent, slot, peer, b);

    d->guards = true;
    d->last = true;
    d->state = WAITING;
    nwr_job_wake(n, &d->job, n->now + NWR_RETRY_READ_MS);
    return &d->job;
}

struct nwr_job *nwr_deliver_for(struct nwr_node *n, struct nwr_job *parent, uint32_t slot,
                                uint16_t peer, struct nwr_batch *b, uint16_t target)
{
    struct deliver *d = deliver_new(n, parent, slot, peer, b);

    d->guards = true;
    d->hint_for = target;
    proceed(n, d);
    return &d->job;
}

struct nwr_job *nwr_supply(struct nwr_node *n, struct nwr_job *parent, uint32_t slot, uint16_t peer,
                           nwr_pg pg, const struct nwr_block_id *id, uint32_t nid)
{
    struct deliver *d = deliver_new(n, parent, slot, peer, nwr_batch_new(pg, NWR_LEVEL_MEMORY));

    nwr_assert(nid > 0);
    push_missing(d, id, nid);
    proceed(n, d);
    return &d->job;
}

uint16_t nwr_deliver_trips(const struct nwr_job *j)
{
    return nwr_container_of(j, const struct deliver, job)->trips;
}

bool nwr_deliver_lost(const struct nwr_job *j)
{
    return nwr_container_of(j, const struct deliver, job)->lost;
}
