/* sim_cluster.c -- nodes of the simulated cluster: steps, effects, stores, lives. See sim_int.h. */
#include "fs/core/mount.h"
#include "tests/sim/oracle.h"
#include "tests/sim/sim_int.h"

enum {
    TICKS_MAX = 1000 /* of a node at one moment */
};

/* ---- effects --------------------------------------------------------------------------------- */

static void on_op_done(struct nwr_store_op *op)
{
    *(bool *)op->user = true;
}

/* NULL: what leaves the store as it is. */
static const char *store_verb(const struct nwr_store_op *op)
{
    switch (op->kind) {
    case NWR_STORE_HINT_PUT: return "keeps a hint";
    case NWR_STORE_HINT_DROP: return "drops hints";
    case NWR_STORE_ERASE: return "erases";
    case NWR_STORE_CHECK: return "verifies";
    case NWR_STORE_DOUBT: return "asks what it doubts";
    case NWR_STORE_CLOCKS: return "takes clocks";
    case NWR_STORE_FOLD: return "folds";
    case NWR_STORE_DIGESTS:
    case NWR_STORE_LIST:
    case NWR_STORE_PICK:
    case NWR_STORE_HINT_READ:
    case NWR_STORE_APPLY: return "applies";
    case NWR_STORE_SYNC: return "syncs";
    case NWR_STORE_BLOCK_PUT: return "keeps blocks";
    case NWR_STORE_META_PUT: return op->name;
    case NWR_STORE_READ:
    case NWR_STORE_BLOCK_GET:
    case NWR_STORE_META_GET: break;
    }
    return NULL;
}

/* What the driver's store does by itself (DESIGN 5: nothing stays off the disk longer than 1 s); a
 * process that is stopped does not. */
static void sync_in_time(struct sim *s, void *arg)
{
    struct sim_node *sn = arg;
    struct nwr_store_op op = {.kind = NWR_STORE_SYNC};
    bool done = false;

    if (!sn->alive || !sn->unsynced_since)
        return;
    if (sn->paused_until > s->now) {
        sim_at(s, sn->paused_until + 1, sync_in_time, sn);
        return;
    }
    if (s->now < sn->unsynced_since + s->sync_us) {
        sim_at(s, sn->unsynced_since + s->sync_us, sync_in_time, sn);
        return;
    }
    op.done = on_op_done;
    op.user = &done;
    if (s->defect != SIM_NEVER_SYNCS)
        sn->store->submit(sn->store, &op);
    sn->store->poll(sn->store);
    sn->unsynced_since = 0;
}

static void note_unsynced(struct sim *s, struct sim_node *sn, const struct nwr_store_op *op)
{
    if (s->sync_us == 0)
        return;
    if (op->kind == NWR_STORE_SYNC || op->kind == NWR_STORE_META_PUT) {
        sn->unsynced_since = 0;
    } else if (store_verb(op) && !sn->unsynced_since) {
        sn->unsynced_since = s->now;
        sim_at(s, s->now + s->sync_us, sync_in_time, sn);
    }
}

/* It takes effect now and completes later. */
static void carry_store(struct sim *s, int i, struct nwr_store_op *op)
{
    struct sim_node *sn = &s->node[i];
    struct sim_event ev = {.kind = SIM_STORED, .node = i, .life = sn->life, .op = op};
    const char *verb = store_verb(op);
    bool done = false;

    sim_defect_store(s, i, op);
    op->done = on_op_done;
    op->user = &done;
    if (op->kind == NWR_STORE_SYNC && s->defect == SIM_NEVER_SYNCS)
        done = true;
    else
        sn->store->submit(sn->store, op);
    sn->store->poll(sn->store);
    nwr_assert(done);
    if (verb && op->err)
        sim_tell(s, "%d %s: %s", i, verb, nwr_err_name(op->err));
    else if (verb)
        sim_tell(s, "%d %s", i, verb);
    sim_fold_all(s, (uint64_t)op->kind, (uint64_t)i, (uint64_t)op->err);
    ev.at = s->now + 20 + sim_below(s, s->faults.store_delay + 1) +
            nwr_store_mem_faults(sn->store)->slow_ms * 1000;
    sim_push(s, ev);
    if (verb && ++s->durable == s->crash_at)
        sn->doomed = true;
    note_unsynced(s, sn, op);
}

static void carry_answer(struct sim *s, int i, struct nwr_node_effect *e)
{
    struct sim_asked a = oracle_answered(s, i, e->request);
    struct sim_event ev = {.kind = SIM_ANSWER, .node = i, .life = s->node[i].life, .done = a.done};

    ev.at = s->now;
    ev.req = e->request;
    ev.res = nwr_memdup(&e->response, sizeof(e->response));
    e->request = NULL;
    memset(&e->response, 0, sizeof(e->response));
    sim_tell(s, "%d answers: %s", i, nwr_err_name(ev.res->err));
    sim_fold_all(s, (uint64_t)ev.req->op, (uint64_t)i, (uint64_t)ev.res->err);
    sim_defect_answer(s, &ev);
    sim_push(s, ev);
}

static void carry_joined(struct sim *s, int i, const struct nwr_node_effect *e)
{
    struct sim_node *sn = &s->node[i];

    sn->joined = e->err == NWR_OK;
    sn->join_err = e->err;
    sim_tell(s, "node %d joined: %s %s, ordinal %u", i, nwr_err_name(e->err), e->text,
             nwr_node_ordinal(sn->node));
    memcpy(sn->join_text, e->text, sizeof(sn->join_text));
}

static void carry_out(struct sim *s, int i, struct nwr_node_effect *e)
{
    switch (e->kind) {
    case NWR_EF_SEND: sim_send(s, i, e); break;
    case NWR_EF_RESPOND: carry_answer(s, i, e); break;
    case NWR_EF_STORE: carry_store(s, i, e->op); break;
    case NWR_EF_CONNECT:
        if (e->peer)
            sim_dial(s, i, e->peer);
        break;
    case NWR_EF_JOINED: carry_joined(s, i, e); break;
    case NWR_EF_REMOVED:
        s->node[i].removed = true;
        s->node[i].joined = false;
        sim_tell(s, "node %d was removed", i);
        s->left_alone |= sim_ring(s, i)->w == 1 && !sim_heard_that_it_leaves(s, i);
        for (uint32_t k = 0; k < s->nheir; k++)
            s->heir[k].fn(s->heir[k].arg, i);
        break;
    case NWR_EF_LOG:
        s->said_lost |= strstr(e->text, "event=records_lost") != NULL;
        if (!s->recording)
            sim_tell(s, "node %d: %s", i, e->text);
        break;
    }
}

/* ---- steps ----------------------------------------------------------------------------------- */

static void schedule_tick(struct sim *s, int i)
{
    struct sim_node *sn = &s->node[i];
    struct sim_event ev = {.kind = SIM_TICK, .node = i, .life = sn->life};
    nwr_ms at = nwr_node_deadline(sn->node);

    if (at == UINT64_MAX || at >= sn->tick)
        return;
    sn->tick = ev.tick = at;
    ev.at = NWR_MAX(s->now, at * 1000);
    sim_push(s, ev);
}

bool sim_heard_that_it_leaves(const struct sim *s, int node)
{
    return s->node[node].leaving + 1 == sim_ring(s, node)->epoch;
}

static void note_leaving(struct sim *s, int i)
{
    const struct nwr_ring *r = sim_ring(s, i);

    if (r && nwr_ring_leaves(r, nwr_node_ordinal(s->node[i].node)))
        s->node[i].leaving = r->epoch;
}

/* A node that dies at one of its writes (crash_at) does nothing of what comes after it. */
void sim_step(struct sim *s, int i, struct nwr_node_event *ev)
{
    struct sim_node *sn = &s->node[i];
    struct nwr_effects out = s->spare;

    nwr_assert(sn->alive && !sn->doomed);
    s->spare = (struct nwr_effects){0};
    ev->now = s->now / 1000;
    ev->wall = (nwr_ns)(1700000000000 + (int64_t)ev->now + sn->clock_skew_ms) * 1000000;
    nwr_node_step(sn->node, ev, &out);
    nwr_node_check(sn->node);
    note_leaving(s, i);
    for (uint32_t k = 0; k < out.n && !sn->doomed; k++)
        carry_out(s, i, &out.e[k]);
    nwr_effects_clear(&out);
    s->spare = out;
    if (sn->doomed)
        sim_crash(s, i, s->crash_power_loss);
    else
        schedule_tick(s, i);
}

/* ---- lives ----------------------------------------------------------------------------------- */

static struct nwr_blob *meta(struct sim_node *sn, const char *name)
{
    struct nwr_store_op op = {.kind = NWR_STORE_META_GET, .name = name};
    struct nwr_blob *value;
    bool done = false;

    op.done = on_op_done;
    op.user = &done;
    sn->store->submit(sn->store, &op);
    sn->store->poll(sn->store);
    nwr_assert(done);
    value = nwr_blob_ref(op.value);
    nwr_store_op_deinit(&op);
    return value;
}

static void meta_put(struct sim_node *sn, const char *name, struct nwr_blob *value)
{
    struct nwr_store_op op = {.kind = NWR_STORE_META_PUT, .name = name, .value = value};
    bool done = false;

    op.done = on_op_done;
    op.user = &done;
    sn->store->submit(sn->store, &op);
    sn->store->poll(sn->store);
    nwr_assert(done);
    nwr_blob_unref(value);
}

static void start(struct sim *s, int i)
{
    char address[] = "10.0.0.1:1";
    struct sim_node *sn = &s->node[i];
    struct nwr_blob *ring = meta(sn, "ring"), *counters = meta(sn, "counters");
    struct nwr_node_event ev = {.kind = NWR_EV_START};
    struct nwr_node_config config = {.id = sn->id, .address = address, .join = "10.0.0.2:1"};
    struct nwr_ring r = {0};

    nwr_counters_decode(counters ? counters->data : NULL, counters ? counters->len : 0,
                        &config.ino_next, &config.k_next);
    sn->joined = ring != NULL;
    sn->join_err = NWR_OK;
    if (ring)
        nwr_assert(nwr_ring_decode(&r, ring->data, ring->len) == NWR_OK);
    if (ring && !nwr_ring_find_id(&r, sn->id)) {
        sn->removed = true; /* the driver does not start such a node */
        sn->joined = false;
        goto out;
    }
    if (ring) {
        config.ordinal = nwr_ring_find_id(&r, sn->id)->ordinal;
        config.ring = &r;
        sn->joined = nwr_ring_lists(&r, config.ordinal);
    }
    address[7] = (char)('1' + i);
    config.incarnation = (uint32_t)nwr_rng_next(&s->rng);
    if (s->defect == SIM_SAME_ACTOR)
        config.incarnation = 7;
    config.seed = nwr_rng_next(&s->rng);
    config.hint_bytes = s->hint_bytes;
    config.only_asked = s->only_asked;
    sn->node = nwr_node_create(&config);
    sn->alive = true;
    sn->life++;
    sn->tick = UINT64_MAX;
    sim_tell(s, "node %d starts, ordinal %u, incarnation %u", i, config.ordinal,
             config.incarnation);
    sim_fold_all(s, 1, (uint64_t)i, config.incarnation);
    sim_step(s, i, &ev);
out:
    nwr_ring_deinit(&r);
    nwr_blob_unref(ring);
    nwr_blob_unref(counters);
}

static int add_node(struct sim *s, int through)
{
    struct sim_node *sn = &s->node[s->nnode];

    nwr_assert(s->nnode < SIM_NODES);
    sn->exists = true;
    sn->id = nwr_rng_next(&s->rng) | 1;
    sn->store = nwr_store_mem_create(nwr_rng_next(&s->rng));
    sn->store->silent = nwr_inode_silent;
    sn->join_through = through;
    sn->clock_skew_ms = (int64_t)sim_below(s, 2000) - 1000;
    return s->nnode++;
}

int sim_found(struct sim *s, uint16_t pgs, uint8_t n, uint8_t w, uint8_t r)
{
    int i = add_node(s, -1);
    struct nwr_member self = {.id = s->node[i].id, .ordinal = 1, .weight = 256, .address = "a:1"};
    struct nwr_ring ring = {.volume = nwr_rng_next(&s->rng),
                            .epoch = 1,
                            .pgs = pgs,
                            .n = n,
                            .w = w,
                            .r = r,
                            .next_ordinal = 2};
    struct nwr_out o = {0};

    nwr_ring_add(&ring, &self);
    nwr_ring_encode(&ring, &o);
    meta_put(&s->node[i], "ring", nwr_out_blob(&o));
    nwr_ring_deinit(&ring);
    start(s, i);
    return i;
}

int sim_join(struct sim *s, int through)
{
    int i = add_node(s, through);

    start(s, i);
    return i;
}

void sim_members(struct sim *s, int count, uint16_t pgs, uint8_t n, uint8_t w, uint8_t r)
{
    sim_found(s, pgs, n, w, r);
    for (int i = 1; i < count; i++) {
        int node = sim_join(s, (int)sim_below(s, (uint64_t)i));

        for (int ms = 0; ms < 5000 && !s->node[node].joined; ms += 10)
            sim_run(s, 10000);
        if (!s->node[node].joined)
            sim_fail(s, "node %d did not join: %s", node, s->node[node].join_text);
    }
    sim_run(s, 100000);
}

static void note_loss(struct sim *s, int node)
{
    struct sim_node *sn = &s->node[node];

    if (!sn->unsynced_since)
        return;
    s->loss = nwr_grow(s->loss, &s->caploss, s->nloss + 1, sizeof(*s->loss));
    s->loss[s->nloss++] = (struct sim_loss){node, sn->unsynced_since, s->now};
    sn->unsynced_since = 0;
}

int sim_losers(const struct sim *s, sim_us from, sim_us until)
{
    bool lost[SIM_NODES] = {false};
    int n = 0;

    for (uint32_t i = 0; i < s->nloss; i++) {
        const struct sim_loss *l = &s->loss[i];

        if (l->at < from || l->from > until || lost[l->node])
            continue;
        lost[l->node] = true;
        n++;
    }
    return n;
}

void sim_crash(struct sim *s, int node, bool power_loss)
{
    struct sim_node *sn = &s->node[node];

    nwr_assert(sn->alive);
    sim_tell(s, "node %d crashes%s", node, power_loss ? ", loses what was not synced" : "");
    sim_fold_all(s, 2, (uint64_t)node, power_loss);
    sn->alive = sn->doomed = false;
    sn->paused_until = 0;
    nwr_store_mem_crash(sn->store, power_loss);
    if (power_loss)
        note_loss(s, node);
    nwr_node_destroy(sn->node);
    sn->node = NULL;
    oracle_asker_died(s, node);
    for (uint32_t i = 0; i < s->nmourner; i++)
        s->mourner[i].fn(s->mourner[i].arg, node);
}

void sim_on_crash(struct sim *s, void (*fn)(void *arg, int node), void *arg)
{
    nwr_assert(s->nmourner < NWR_COUNT(s->mourner));
    s->mourner[s->nmourner].fn = fn;
    s->mourner[s->nmourner++].arg = arg;
}

void sim_on_removal(struct sim *s, void (*fn)(void *arg, int node), void *arg)
{
    nwr_assert(s->nheir < NWR_COUNT(s->heir));
    s->heir[s->nheir].fn = fn;
    s->heir[s->nheir++].arg = arg;
}

void sim_restart(struct sim *s, int node)
{
    nwr_assert(!s->node[node].alive);
    sim_break(s, node);
    start(s, node);
}

void sim_pause(struct sim *s, int node, sim_us us)
{
    nwr_assert(s->node[node].alive);
    sim_tell(s, "node %d stops for %llu us", node, (unsigned long long)us);
    s->node[node].paused_until = s->node[node].resumed_at = s->now + us;
}

void sim_set_clock(struct sim *s, int node, int64_t skew_ms)
{
    sim_tell(s, "the clock of node %d is %lld ms off", node, (long long)skew_ms);
    s->node[node].clock_skew_ms = skew_ms;
}

void sim_cut(struct sim *s, int from, int to, bool cut)
{
    if (s->cut[from][to] != cut)
        sim_tell(s, "%d -> %d is %s", from, to, cut ? "cut" : "whole");
    s->cut[from][to] = cut;
}

void sim_mend_disk(struct sim *s, int node)
{
    struct nwr_store_faults *f = nwr_store_mem_faults(s->node[node].store);

    if (f->full)
        s->full_at = s->now;
    *f = (struct nwr_store_faults){0};
}

/* Clocks stay as they are: none of them is the right one. */
void sim_change_disk(struct sim *s, int node, struct nwr_store *disk)
{
    if (s->node[node].alive)
        sim_crash(s, node, false);
    s->node[node].store->destroy(s->node[node].store);
    s->node[node].store = disk;
    sim_restart(s, node);
}

void sim_heal(struct sim *s)
{
    memset(s->cut, 0, sizeof(s->cut));
    s->faults = (struct sim_faults){.delay = 2000, .store_delay = 200};
    for (int i = 0; i < s->nnode; i++) {
        sim_mend_disk(s, i);
        if (!s->node[i].alive && !s->node[i].removed)
            sim_restart(s, i);
    }
}

/* ---- events ---------------------------------------------------------------------------------- */

static void stored(struct sim *s, const struct sim_event *q)
{
    struct nwr_node_event ev = {.kind = NWR_EV_STORE, .op = q->op};

    sim_step(s, q->node, &ev);
}

static void ticked(struct sim *s, const struct sim_event *q)
{
    struct nwr_node_event ev = {.kind = NWR_EV_TICK};

    struct sim_node *sn = &s->node[q->node];

    if (q->tick != sn->tick)
        return;
    sn->tick = UINT64_MAX;
    sn->ticks = sn->ticked_at == s->now ? sn->ticks + 1 : 0;
    sn->ticked_at = s->now;
    if (sn->ticks == TICKS_MAX)
        sim_fail(s, "[live] node %d is due again and again, and does nothing", q->node);
    sim_step(s, q->node, &ev);
}

static void peer_changed(struct sim *s, const struct sim_event *q)
{
    struct nwr_node_event ev = {.kind = q->up ? NWR_EV_PEER_UP : NWR_EV_PEER_DOWN};

    ev.peer = q->peer;
    sim_step(s, q->node, &ev);
}

/* True: this is nothing for the node as it is now. */
static bool is_put_off(struct sim *s, struct sim_event *q)
{
    struct sim_node *sn = &s->node[q->node];

    if (!sn->alive || sn->life != q->life) {
        sim_event_drop(q);
        return true;
    }
    if (sn->paused_until <= s->now)
        return false;
    q->at = sn->paused_until;
    sim_push(s, *q);
    return true;
}

void sim_happen(struct sim *s, struct sim_event *q)
{
    if (q->kind != SIM_SWEEP && q->kind != SIM_CALL && is_put_off(s, q))
        return;
    switch (q->kind) {
    case SIM_MESSAGE: sim_deliver(s, q); break;
    case SIM_STORED: stored(s, q); break;
    case SIM_TICK: ticked(s, q); break;
    case SIM_PEER: peer_changed(s, q); break;
    case SIM_ANSWER: q->done(s, q->node, q->req, q->res); break;
    case SIM_SWEEP: sim_sweep(s); break;
    case SIM_CALL: q->fn(s, q->arg); break;
    }
    sim_event_drop(q);
}

void sim_event(struct sim *s, int node, struct nwr_node_event *ev)
{
    sim_step(s, node, ev);
}

bool sim_settle(struct sim *s, sim_us us)
{
    sim_us until = s->now + us;

    while (s->nasked && s->now < until)
        sim_run(s, 10000);
    return s->nasked == 0;
}

void sim_submit(struct sim *s, int node, struct nwr_request *req, sim_done done)
{
    struct nwr_node_event ev = {.kind = NWR_EV_REQUEST, .request = req};

    nwr_assert(sim_is_awake(s, node));
    oracle_asked(s, node, req, done);
    sim_step(s, node, &ev);
}

bool sim_is_awake(const struct sim *s, int node)
{
    return s->node[node].alive && s->node[node].paused_until <= s->now;
}

const struct nwr_ring *sim_ring(const struct sim *s, int node)
{
    return s->node[node].node ? nwr_node_ring(s->node[node].node) : NULL;
}

struct sim *sim_create(uint64_t seed)
{
    struct sim *s = nwr_zalloc(sizeof(*s));

    s->seed = seed;
    s->now = 1000000;
    nwr_rng_init(&s->rng, seed);
    s->faults = (struct sim_faults){.delay = 500, .store_delay = 100};
    sim_push(s, (struct sim_event){.at = s->now, .kind = SIM_SWEEP});
    return s;
}

void sim_destroy(struct sim *s)
{
    for (int i = 0; i < s->nnode; i++) {
        if (s->node[i].alive)
            nwr_store_mem_crash(s->node[i].store, false);
        if (s->node[i].node)
            nwr_node_destroy(s->node[i].node);
        s->node[i].store->destroy(s->node[i].store);
    }
    for (uint32_t i = 0; i < s->nqueue; i++)
        sim_event_drop(&s->queue[i]);
    nwr_effects_deinit(&s->spare);
    nwr_free(s->queue);
    nwr_free(s->asked);
    nwr_free(s->loss);
    nwr_free(s->story);
    nwr_free(s);
}
