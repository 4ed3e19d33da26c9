/* sim_cluster.c -- see sim_cluster.h. */
#include "tests/sim/sim_cluster.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "net/wire/frame.h"

enum {
    SWEEP_US = 20000,    /* connections are looked at */
    NOTICE_US = 1500000, /* a silent connection is given up */
    RESET_US = 2000,     /* that of a process that died ends */
    JOIN_LINK = 1000     /* link ids of joining nodes */
};

enum event_kind {
    MESSAGE,
    STORED,
    TICK,
    SWEEP,
    CALL
};

struct sim_event {
    sim_us at;
    uint64_t seq;
    enum event_kind kind;
    int node, from;
    uint32_t life, generation;
    bool join; /* MESSAGE: over the connection to join through */
    struct nwr_blob *frame;
    struct nwr_store_op *op;
    nwr_ms tick;
    void (*fn)(struct sim *s, void *arg);
    void *arg;
};

_Noreturn void sim_fail(const struct sim *s, const char *format, ...)
{
    va_list args;

    fflush(stdout);
    va_start(args, format);
    fprintf(stderr, "seed %llu at %llu us: ", (unsigned long long)s->seed,
            (unsigned long long)s->now);
    vfprintf(stderr, format, args);
    fprintf(stderr, "\nreplay: build/release/tests/sim/sim --seed %llu\n",
            (unsigned long long)s->seed);
    va_end(args);
    abort();
}

void sim_tell(const struct sim *s, const char *format, ...)
{
    va_list args;

    if (!s->trace)
        return;
    va_start(args, format);
    printf("%10.3f ms ", (double)s->now / 1000);
    vprintf(format, args);
    printf("\n");
    va_end(args);
}

uint64_t sim_below(struct sim *s, uint64_t bound)
{
    return nwr_rng_below(&s->rng, bound);
}

bool sim_chance(struct sim *s, uint32_t of_65536)
{
    return of_65536 && sim_below(s, 65536) < of_65536;
}

/* ---- the queue: a binary heap by (time, sequence) -------------------------------------------- */

static bool before(const struct sim_event *a, const struct sim_event *b)
{
    return a->at != b->at ? a->at < b->at : a->seq < b->seq;
}

static void swap(struct sim_event *a, struct sim_event *b)
{
    struct sim_event t = *a;

    *a = *b;
    *b = t;
}

static void push(struct sim *s, struct sim_event ev)
{
    uint32_t at = s->nqueue;

    ev.seq = s->next_seq++;
    s->queue = nwr_grow(s->queue, &s->capqueue, s->nqueue + 1, sizeof(*s->queue));
    s->queue[s->nqueue++] = ev;
    while (at && before(&s->queue[at], &s->queue[(at - 1) / 2])) {
        swap(&s->queue[at], &s->queue[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
}

static struct sim_event pop(struct sim *s)
{
    struct sim_event top = s->queue[0];
    uint32_t at = 0;

    s->queue[0] = s->queue[--s->nqueue];
    for (;;) {
        uint32_t kid = 2 * at + 1;

        if (kid + 1 < s->nqueue && before(&s->queue[kid + 1], &s->queue[kid]))
            kid++;
        if (kid >= s->nqueue || !before(&s->queue[kid], &s->queue[at]))
            break;
        swap(&s->queue[kid], &s->queue[at]);
        at = kid;
    }
    return top;
}

/* ---- connections ----------------------------------------------------------------------------- */

static struct sim_conn *conn_of(struct sim *s, int a, int b)
{
    return a < b ? &s->conn[a][b] : &s->conn[b][a];
}

/* One of them joined through the other. */
static struct sim_conn *join_conn(struct sim *s, int a, int b)
{
    return &s->join[s->node[a].join_through == b ? a : b];
}

static uint16_t ordinal_at(const struct sim *s, int node, int other)
{
    const struct nwr_ring *ring = sim_ring(s, node);
    const struct nwr_member *m = ring ? nwr_ring_find_id(ring, s->node[other].id) : NULL;

    return m ? m->ordinal : 0;
}

/* ---- steps ----------------------------------------------------------------------------------- */

static void send(struct sim *s, int from, int to, bool join, struct nwr_msg *m);

static int to_ordinal(struct sim *s, int node, uint16_t ordinal)
{
    for (int i = 0; i < s->nnode; i++)
        if (i != node && ordinal_at(s, node, i) == ordinal)
            return i;
    /* One that the ring lists no more is there until its connection goes. */
    for (int i = 0; i < s->nnode; i++)
        if (i != node && conn_of(s, i, node)->up && conn_of(s, i, node)->known[node > i] == ordinal)
            return i;
    return -1;
}

static void carry_send(struct sim *s, int i, struct nwr_node_effect *e)
{
    struct sim_node *sn = &s->node[i];
    int to;

    s->later += e->later;
    if (e->peer) {
        to = to_ordinal(s, i, e->peer);
        if (to >= 0 && conn_of(s, i, to)->up)
            send(s, i, to, false, &e->msg);
    } else if (e->link == 0) {
        if (sn->join_through >= 0 && s->join[i].up)
            send(s, i, sn->join_through, true, &e->msg);
    } else {
        to = (int)(e->link - JOIN_LINK);
        if (to >= 0 && to < s->nnode && s->join[to].up && s->node[to].join_through == i)
            send(s, i, to, true, &e->msg);
    }
}

static void on_op_done(struct nwr_store_op *op)
{
    *(bool *)op->user = true;
}

/* It takes effect now and completes later. */
static void carry_store(struct sim *s, int i, struct nwr_store_op *op)
{
    struct sim_node *sn = &s->node[i];
    struct sim_event ev = {.kind = STORED, .node = i, .life = sn->life, .op = op};
    bool done = false;

    op->done = on_op_done;
    op->user = &done;
    sn->store->submit(sn->store, op);
    sn->store->poll(sn->store);
    nwr_assert(done);
    ev.at = s->now + 20 + sim_below(s, s->faults.store_delay + 1);
    push(s, ev);
}

static void carry_respond(struct sim *s, int i, struct nwr_node_effect *e)
{
    struct nwr_request *req = e->request;
    sim_done done = (sim_done)(void (*)(void))req->done;

    e->request = NULL;
    if (req->token == 0)
        sim_fail(s, "a request was answered twice");
    if (s->now > req->token + (NWR_DEADLINE_MS + 100) * 1000)
        sim_fail(s, "an answer came after its deadline");
    req->token = 0;
    s->node[i].outstanding--;
    done(s, i, req, &e->response);
    nwr_request_destroy(req);
}

static void carry_out(struct sim *s, int i, struct nwr_node_effect *e)
{
    struct sim_node *sn = &s->node[i];

    switch (e->kind) {
    case NWR_EF_SEND: carry_send(s, i, e); break;
    case NWR_EF_RESPOND: carry_respond(s, i, e); break;
    case NWR_EF_STORE: carry_store(s, i, e->op); break;
    case NWR_EF_CONNECT: break;
    case NWR_EF_JOINED:
        sn->joined = e->err == NWR_OK;
        sn->join_err = e->err;
        sim_tell(s, "node %d joined: %s %s, ordinal %u", i, nwr_err_name(e->err), e->text,
                 nwr_node_ordinal(sn->node));
        memcpy(sn->join_text, e->text, sizeof(sn->join_text));
        break;
    case NWR_EF_REMOVED:
        sn->removed = true;
        sn->joined = false;
        sim_tell(s, "node %d was removed", i);
        break;
    case NWR_EF_LOG: sim_tell(s, "node %d: %s", i, e->text); break;
    }
}

static void schedule_tick(struct sim *s, int i)
{
    struct sim_node *sn = &s->node[i];
    struct sim_event ev = {.kind = TICK, .node = i, .life = sn->life};
    nwr_ms at = nwr_node_deadline(sn->node);

    if (at == UINT64_MAX || at >= sn->tick)
        return;
    sn->tick = ev.tick = at;
    ev.at = NWR_MAX(s->now, at * 1000);
    push(s, ev);
}

static void step(struct sim *s, int i, struct nwr_node_event *ev)
{
    struct sim_node *sn = &s->node[i];
    struct nwr_effects out = {0};
    uint32_t life = sn->life;

    nwr_assert(sn->alive);
    ev->now = s->now / 1000;
    ev->wall = (nwr_ns)(1700000000000 + (int64_t)ev->now + sn->clock_skew_ms) * 1000000;
    nwr_node_step(sn->node, ev, &out);
    nwr_node_check(sn->node);
    for (uint32_t k = 0; k < out.n; k++)
        carry_out(s, i, &out.e[k]);
    nwr_effects_deinit(&out);
    nwr_assert(life == sn->life);
    schedule_tick(s, i);
}

void sim_event(struct sim *s, int node, struct nwr_node_event *ev)
{
    step(s, node, ev);
}

static void step_peer(struct sim *s, int i, enum nwr_node_event_kind kind, uint16_t peer)
{
    struct nwr_node_event ev = {.kind = kind, .peer = peer};

    step(s, i, &ev);
}

/* ---- messages -------------------------------------------------------------------------------- */

static struct nwr_blob *encode(struct sim *s, const struct nwr_msg *m)
{
    struct nwr_frame f;
    struct nwr_blob *b;
    size_t at = 0;

    if (nwr_frame_encode(&f, m) != NWR_OK)
        return NULL;
    b = nwr_blob_new(f.len - NWR_FRAME_HEAD);
    for (uint32_t i = 0; i < f.nslice; i++) {
        size_t len, skip;
        const uint8_t *p = nwr_frame_slice(&f, i, &len);

        skip = at < NWR_FRAME_HEAD ? NWR_MIN(NWR_FRAME_HEAD - at, len) : 0;
        if (len > skip)
            memcpy(b->data + at + skip - NWR_FRAME_HEAD, p + skip, len - skip);
        at += len;
    }
    s->wire_bytes += f.len;
    nwr_frame_deinit(&f);
    return b;
}

/* What a peer with another idea of this format could say: the frame itself is sound. */
static void garble(struct sim *s, struct nwr_msg *m)
{
    struct nwr_blob *b = m->u.compare.data;

    if ((m->kind != NWR_MSG_COMPARE && m->kind != NWR_MSG_COMPARED) || !b || !b->len ||
        !sim_chance(s, s->faults.garbled))
        return;
    m->u.compare.data = nwr_blob_copy(b->data, 1 + sim_below(s, b->len));
    nwr_blob_unref(b);
    for (b = m->u.compare.data; sim_below(s, 3);)
        b->data[sim_below(s, b->len)] = (uint8_t)sim_below(s, 256);
}

static void send(struct sim *s, int from, int to, bool join, struct nwr_msg *m)
{
    struct sim_conn *c = join ? join_conn(s, from, to) : conn_of(s, from, to);
    struct sim_event ev = {.kind = MESSAGE, .node = to, .from = from, .join = join};
    sim_us *last = &c->last[from < to];

    s->messages++;
    if (sim_chance(s, s->faults.loss))
        return;
    garble(s, m);
    ev.frame = encode(s, m);
    if (!ev.frame)
        return;
    ev.life = s->node[to].life;
    ev.generation = c->generation;
    ev.at = s->now + 50 + sim_below(s, s->faults.delay + 1);
    if (!sim_chance(s, s->faults.reordered))
        ev.at = NWR_MAX(ev.at, *last);
    *last = NWR_MAX(*last, ev.at);
    /* A request that is doubled could be refused once and done once. */
    if (m->kind != NWR_MSG_REQUEST && sim_chance(s, s->faults.doubled)) {
        struct sim_event twin = ev;

        twin.frame = nwr_blob_ref(ev.frame);
        twin.at += sim_below(s, 1000000);
        push(s, twin);
    }
    push(s, ev);
}

static void deliver(struct sim *s, struct sim_event *q)
{
    bool to_joiner = q->join && s->node[q->node].join_through == q->from;
    struct sim_conn *c = q->join ? join_conn(s, q->from, q->node) : conn_of(s, q->from, q->node);
    struct nwr_node_event ev = {.kind = NWR_EV_MSG};
    char why[NWR_FRAME_WHY_MAX];
    struct nwr_msg m;

    if (!s->node[q->node].alive || q->life != s->node[q->node].life || !c->up ||
        q->generation != c->generation)
        return;
    if (s->cut[q->from][q->node]) {
        /* It waits in the network until the connection is given up. */
        struct sim_event again = *q;

        again.at = s->now + 100000;
        again.frame = nwr_blob_ref(q->frame);
        push(s, again);
        return;
    }
    if (nwr_frame_decode(&m, q->frame, why) != NWR_OK)
        sim_fail(s, "an encoded message does not decode: %s", why);
    if (!q->join)
        ev.peer = ordinal_at(s, q->node, q->from);
    else
        ev.link = to_joiner ? 0 : (uint64_t)(JOIN_LINK + q->from);
    ev.msg = &m;
    if (q->join || ev.peer)
        step(s, q->node, &ev);
    nwr_msg_deinit(&m);
}

/* ---- connections, looked at now and then ----------------------------------------------------- */

static bool can_talk(const struct sim *s, int a, int b)
{
    return s->node[a].alive && s->node[b].alive && !s->cut[a][b] && !s->cut[b][a];
}

static void break_conn(struct sim *s, struct sim_conn *c)
{
    c->up = false;
    c->generation++;
    c->bad_since = 0;
    memset(c->last, 0, sizeof(c->last));
    (void)s;
}

/* True: it is bad, and long enough for somebody to have noticed. */
static bool is_noticed(struct sim *s, struct sim_conn *c, int a, int b)
{
    bool dead = !s->node[a].alive || !s->node[b].alive;

    if (can_talk(s, a, b)) {
        c->bad_since = 0;
        return false;
    }
    if (c->bad_since == 0)
        c->bad_since = s->now;
    return s->now >= c->bad_since + (dead ? RESET_US : NOTICE_US);
}

static void drop_conn(struct sim *s, struct sim_conn *c, int a, int b)
{
    break_conn(s, c);
    if (s->node[a].alive && c->known[0])
        step_peer(s, a, NWR_EV_PEER_DOWN, c->known[0]);
    if (s->node[b].alive && c->known[1])
        step_peer(s, b, NWR_EV_PEER_DOWN, c->known[1]);
}

/* A node that was removed dials those it knows, is nobody to them, and is told (node.h, links). */
static void tell_removed(struct sim *s, int node, int other)
{
    struct nwr_node_event ev = {.kind = NWR_EV_MSG, .peer = ordinal_at(s, node, other)};
    struct nwr_msg m = {.kind = NWR_MSG_RING};
    struct nwr_out o = {0};

    if (sim_ring(s, other)->epoch <= sim_ring(s, node)->epoch)
        return;
    nwr_ring_encode(sim_ring(s, other), &o);
    m.u.ring.ring = nwr_out_blob(&o);
    m.epoch = sim_ring(s, other)->epoch;
    ev.msg = &m;
    step(s, node, &ev);
    nwr_msg_deinit(&m);
}

static void sweep_pair(struct sim *s, int a, int b)
{
    struct sim_conn *c = conn_of(s, a, b);
    uint16_t b_at_a = s->node[a].alive ? ordinal_at(s, a, b) : 0;
    uint16_t a_at_b = s->node[b].alive ? ordinal_at(s, b, a) : 0;

    if (c->up) {
        /* A node that joined again has another ordinal, and a connection of its own for it. */
        bool other = (b_at_a && b_at_a != c->known[0]) || (a_at_b && a_at_b != c->known[1]);

        if (other || is_noticed(s, c, a, b))
            drop_conn(s, c, a, b);
    } else if (can_talk(s, a, b) && b_at_a && a_at_b) {
        c->up = true;
        c->known[0] = b_at_a;
        c->known[1] = a_at_b;
        step_peer(s, a, NWR_EV_PEER_UP, b_at_a);
        step_peer(s, b, NWR_EV_PEER_UP, a_at_b);
    } else if (can_talk(s, a, b) && s->node[a].joined && s->node[b].joined && !b_at_a != !a_at_b) {
        tell_removed(s, b_at_a ? a : b, b_at_a ? b : a);
    } else if (!can_talk(s, a, b)) {
        if (s->node[a].alive && b_at_a)
            step_peer(s, a, NWR_EV_PEER_DOWN, b_at_a);
        if (s->node[b].alive && a_at_b)
            step_peer(s, b, NWR_EV_PEER_DOWN, a_at_b);
    }
}

static void sweep_join(struct sim *s, int i)
{
    struct sim_node *sn = &s->node[i];
    struct sim_conn *c = &s->join[i];

    if (sn->join_through < 0)
        return;
    if (c->up) {
        if (!is_noticed(s, c, i, sn->join_through))
            return;
        break_conn(s, c);
        if (sn->alive)
            step_peer(s, i, NWR_EV_PEER_DOWN, 0);
    } else if (can_talk(s, i, sn->join_through) && !sn->joined) {
        c->up = true;
        step_peer(s, i, NWR_EV_PEER_UP, 0);
    }
}

static void sweep(struct sim *s)
{
    struct sim_event ev = {.at = s->now + SWEEP_US, .kind = SWEEP};

    for (int a = 0; a < s->nnode; a++) {
        sweep_join(s, a);
        for (int b = a + 1; b < s->nnode; b++)
            sweep_pair(s, a, b);
    }
    push(s, ev);
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
    config.seed = nwr_rng_next(&s->rng);
    config.hint_bytes = s->hint_bytes;
    config.only_asked = s->only_asked;
    sn->node = nwr_node_create(&config);
    sn->alive = true;
    sn->life++;
    sn->tick = UINT64_MAX;
    sn->outstanding = 0;
    sim_tell(s, "node %d starts, ordinal %u, incarnation %u", i, config.ordinal,
             config.incarnation);
    step(s, i, &ev);
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

void sim_crash(struct sim *s, int node, bool power_loss)
{
    struct sim_node *sn = &s->node[node];

    nwr_assert(sn->alive);
    sim_tell(s, "node %d crashes%s", node, power_loss ? ", loses what was not synced" : "");
    sn->alive = false;
    nwr_store_mem_crash(sn->store, power_loss);
    nwr_node_destroy(sn->node);
    sn->node = NULL;
}

/* A connection of the life before is broken, even if nobody has noticed. */
void sim_restart(struct sim *s, int node)
{
    nwr_assert(!s->node[node].alive);
    for (int i = 0; i < s->nnode; i++) {
        struct sim_conn *c = conn_of(s, i, node);
        uint16_t ordinal = i != node && s->node[i].alive ? ordinal_at(s, i, node) : 0;

        if (i == node)
            continue;
        if (c->up && ordinal) {
            break_conn(s, c);
            step_peer(s, i, NWR_EV_PEER_DOWN, ordinal);
        } else {
            break_conn(s, c);
        }
        if (s->node[i].join_through == node && s->join[i].up) {
            break_conn(s, &s->join[i]);
            if (s->node[i].alive)
                step_peer(s, i, NWR_EV_PEER_DOWN, 0);
        }
    }
    break_conn(s, &s->join[node]);
    start(s, node);
}

void sim_cut(struct sim *s, int from, int to, bool cut)
{
    if (s->cut[from][to] != cut)
        sim_tell(s, "%d -> %d is %s", from, to, cut ? "cut" : "whole");
    s->cut[from][to] = cut;
}

void sim_heal(struct sim *s)
{
    memset(s->cut, 0, sizeof(s->cut));
    s->faults = (struct sim_faults){.delay = 2000, .store_delay = 200};
    for (int i = 0; i < s->nnode; i++) {
        *nwr_store_mem_faults(s->node[i].store) = (struct nwr_store_faults){0};
        if (!s->node[i].alive && !s->node[i].removed)
            sim_restart(s, i);
    }
}

/* ---- running --------------------------------------------------------------------------------- */

static void happen(struct sim *s, struct sim_event *q)
{
    struct nwr_node_event ev = {0};
    struct sim_node *sn = &s->node[q->node];

    switch (q->kind) {
    case MESSAGE: deliver(s, q); break;
    case STORED:
        ev.kind = NWR_EV_STORE;
        ev.op = q->op;
        if (sn->alive && sn->life == q->life)
            step(s, q->node, &ev);
        break;
    case TICK:
        if (!sn->alive || sn->life != q->life || q->tick != sn->tick)
            break;
        sn->tick = UINT64_MAX;
        ev.kind = NWR_EV_TICK;
        step(s, q->node, &ev);
        break;
    case SWEEP: sweep(s); break;
    case CALL: q->fn(s, q->arg); break;
    }
    nwr_blob_unref(q->frame);
}

void sim_run(struct sim *s, sim_us us)
{
    sim_us until = s->now + us;

    while (s->nqueue && s->queue[0].at <= until) {
        struct sim_event q = pop(s);

        s->now = NWR_MAX(s->now, q.at);
        happen(s, &q);
    }
    s->now = until;
}

static uint32_t outstanding(const struct sim *s)
{
    uint32_t n = 0;

    for (int i = 0; i < s->nnode; i++)
        n += s->node[i].alive ? s->node[i].outstanding : 0;
    return n;
}

bool sim_settle(struct sim *s, sim_us us)
{
    sim_us until = s->now + us;

    while (outstanding(s) && s->now < until)
        sim_run(s, 10000);
    return outstanding(s) == 0;
}

void sim_at(struct sim *s, sim_us at, void (*fn)(struct sim *s, void *arg), void *arg)
{
    push(s, (struct sim_event){.at = at, .kind = CALL, .fn = fn, .arg = arg});
}

void sim_submit(struct sim *s, int node, struct nwr_request *req, sim_done done)
{
    struct nwr_node_event ev = {.kind = NWR_EV_REQUEST, .request = req};

    nwr_assert(s->node[node].alive);
    req->token = s->now + 1;
    req->done = (void (*)(struct nwr_request *, const struct nwr_response *))(void (*)(void))done;
    s->node[node].outstanding++;
    step(s, node, &ev);
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
    push(s, (struct sim_event){.at = s->now, .kind = SWEEP});
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
        nwr_blob_unref(s->queue[i].frame);
    nwr_free(s->queue);
    nwr_free(s);
}
