/* sim_net.c -- connections of the simulated cluster, and what travels on them. See sim_int.h. */
#include "net/wire/frame.h"
#include "tests/sim/sim_int.h"

enum {
    SWEEP_US = 20000,    /* connections are looked at */
    NOTICE_US = 1500000, /* a silent connection is given up */
    RESET_US = 2000,     /* that of a process that died ends */
    TRY_US = 300000      /* one that cannot be made is tried again */
};

/* What stories speak of: requests and what they cause. Gossip and comparing go on all the time. */
static const char *name_of(enum nwr_msg_kind kind)
{
    static const char *const name[] = {
        [NWR_MSG_RING] = "RING",       [NWR_MSG_JOIN] = "JOIN",
        [NWR_MSG_JOIN_OK] = "JOIN_OK", [NWR_MSG_REFUSED] = "REFUSED",
        [NWR_MSG_REQUEST] = "REQUEST", [NWR_MSG_RESPONSE] = "RESPONSE",
        [NWR_MSG_REPLICATE] = "PUT",   [NWR_MSG_ACK] = "ACK",
        [NWR_MSG_FETCH] = "FETCH",     [NWR_MSG_ROWS] = "ROWS",
        [NWR_MSG_BLOCKS] = "BLOCKS",   [NWR_MSG_BLOCK_GET] = "BLOCK_GET",
        [NWR_MSG_BLOCK] = "BLOCK",
    };

    return (size_t)kind < NWR_COUNT(name) ? name[kind] : NULL;
}

static void tell(struct sim *s, int from, int to, enum nwr_msg_kind kind, const char *end)
{
    const char *name = s->trace || s->recording ? name_of(kind) : NULL;

    if (name)
        sim_tell(s, "%d -> %d %s%s", from, to, name, end);
}

static struct sim_conn *conn_of(struct sim *s, int a, int b)
{
    return a < b ? &s->conn[a][b] : &s->conn[b][a];
}

/* One of them joined through the other. */
static struct sim_conn *join_conn(struct sim *s, int a, int b)
{
    return &s->join[s->node[a].join_through == b ? a : b];
}

uint16_t sim_ordinal_at(const struct sim *s, int node, int other)
{
    const struct nwr_ring *ring = sim_ring(s, node);
    const struct nwr_member *m = ring ? nwr_ring_find_id(ring, s->node[other].id) : NULL;

    return m ? m->ordinal : 0;
}

static int to_ordinal(struct sim *s, int node, uint16_t ordinal)
{
    for (int i = 0; i < s->nnode; i++)
        if (i != node && sim_ordinal_at(s, node, i) == ordinal)
            return i;
    /* One that the ring lists no more is there until its connection goes. */
    for (int i = 0; i < s->nnode; i++)
        if (i != node && conn_of(s, i, node)->up && conn_of(s, i, node)->known[node > i] == ordinal)
            return i;
    return -1;
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
    sim_fold(s, b->data, b->len);
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
    for (b = m->u.compare.data; sim_below(s, 3);) {
        uint64_t at = sim_below(s, b->len);

        b->data[at] = (uint8_t)sim_below(s, 256);
    }
}

static void send(struct sim *s, int from, int to, bool join, struct nwr_msg *m)
{
    struct sim_conn *c = join ? join_conn(s, from, to) : conn_of(s, from, to);
    struct sim_event ev = {.kind = SIM_MESSAGE, .node = to, .from = from, .join = join};
    sim_us *last = &c->last[from < to];

    s->messages++;
    if (sim_chance(s, s->faults.loss)) {
        tell(s, from, to, m->kind, " is lost");
        return;
    }
    tell(s, from, to, m->kind, "");
    sim_fold_all(s, (uint64_t)m->kind, (uint64_t)from, (uint64_t)to);
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
        sim_push(s, twin);
    }
    sim_push(s, ev);
}

void sim_send(struct sim *s, int i, struct nwr_node_effect *e)
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
        to = (int)(e->link - SIM_JOIN_LINK);
        if (to >= 0 && to < s->nnode && s->join[to].up && s->node[to].join_through == i)
            send(s, i, to, true, &e->msg);
    }
}

void sim_dial(struct sim *s, int i, uint16_t peer)
{
    int to = to_ordinal(s, i, peer);

    if (to >= 0)
        conn_of(s, i, to)->tried_at = 0;
}

void sim_deliver(struct sim *s, struct sim_event *q)
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
        sim_push(s, again);
        return;
    }
    if (nwr_frame_decode(&m, q->frame, why) != NWR_OK)
        sim_fail(s, "an encoded message does not decode: %s", why);
    if (!q->join)
        ev.peer = sim_ordinal_at(s, q->node, q->from);
    else
        ev.link = to_joiner ? 0 : (uint64_t)(SIM_JOIN_LINK + q->from);
    ev.msg = &m;
    if (q->join || ev.peer)
        sim_step(s, q->node, &ev);
    nwr_msg_deinit(&m);
}

/* ---- connections, looked at now and then ----------------------------------------------------- */

static bool is_paused(const struct sim *s, int i)
{
    return s->node[i].paused_until > s->now;
}

static bool can_talk(const struct sim *s, int a, int b)
{
    return s->node[a].alive && s->node[b].alive && !s->cut[a][b] && !s->cut[b][a] &&
           !is_paused(s, a) && !is_paused(s, b);
}

static void break_conn(struct sim_conn *c)
{
    c->up = false;
    c->generation++;
    c->bad_since = 0;
    c->tried_at = 0;
    memset(c->last, 0, sizeof(c->last));
}

/* A stopped process is told when it goes on. */
static void tell_peer(struct sim *s, int i, bool up, uint16_t peer)
{
    struct sim_event ev = {.kind = SIM_PEER, .node = i, .life = s->node[i].life};

    if (!s->node[i].alive)
        return;
    ev.at = NWR_MAX(s->now, s->node[i].paused_until);
    ev.up = up;
    ev.peer = peer;
    if (is_paused(s, i))
        sim_push(s, ev);
    else
        sim_happen(s, &ev);
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

static void tell_pair(struct sim *s, int a, int b, bool up)
{
    uint16_t b_at_a = s->node[a].alive ? sim_ordinal_at(s, a, b) : 0;
    uint16_t a_at_b = s->node[b].alive ? sim_ordinal_at(s, b, a) : 0;

    if (b_at_a)
        tell_peer(s, a, up, b_at_a);
    if (a_at_b)
        tell_peer(s, b, up, a_at_b);
}

static void drop_conn(struct sim *s, struct sim_conn *c, int a, int b)
{
    break_conn(c);
    c->tried_at = s->now;
    if (c->known[0])
        tell_peer(s, a, false, c->known[0]);
    if (c->known[1])
        tell_peer(s, b, false, c->known[1]);
}

/* A node that was removed dials those it knows, is nobody to them, and is told (node.h, links). */
static void tell_removed(struct sim *s, int node, int other)
{
    struct nwr_node_event ev = {.kind = NWR_EV_MSG, .peer = sim_ordinal_at(s, node, other)};
    struct nwr_msg m = {.kind = NWR_MSG_RING};
    struct nwr_out o = {0};

    if (sim_ring(s, other)->epoch <= sim_ring(s, node)->epoch)
        return;
    nwr_ring_encode(sim_ring(s, other), &o);
    m.u.ring.ring = nwr_out_blob(&o);
    m.epoch = sim_ring(s, other)->epoch;
    ev.msg = &m;
    sim_step(s, node, &ev);
    nwr_msg_deinit(&m);
}

static void sweep_pair(struct sim *s, int a, int b)
{
    struct sim_conn *c = conn_of(s, a, b);
    uint16_t b_at_a = s->node[a].alive ? sim_ordinal_at(s, a, b) : 0;
    uint16_t a_at_b = s->node[b].alive ? sim_ordinal_at(s, b, a) : 0;

    if (c->up) {
        /* A node that joined again has another ordinal, and a connection of its own for it; one
         * that was removed has none (net/uv/mesh.c). */
        bool other = (s->node[a].alive && b_at_a != c->known[0]) ||
                     (s->node[b].alive && a_at_b != c->known[1]);

        if (other || is_noticed(s, c, a, b))
            drop_conn(s, c, a, b);
    } else if (can_talk(s, a, b)) {
        if (s->node[a].joined && s->node[b].joined && !b_at_a != !a_at_b)
            tell_removed(s, b_at_a ? a : b, b_at_a ? b : a);
        if (!b_at_a || !a_at_b)
            return;
        c->up = true;
        c->known[0] = b_at_a;
        c->known[1] = a_at_b;
        tell_pair(s, a, b, true);
    } else if (s->now >= c->tried_at + TRY_US) {
        c->tried_at = s->now;
        tell_pair(s, a, b, false);
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
        break_conn(c);
        tell_peer(s, i, false, 0);
    } else if (can_talk(s, i, sn->join_through) && !sn->joined) {
        c->up = true;
        tell_peer(s, i, true, 0);
    }
}

void sim_sweep(struct sim *s)
{
    struct sim_event ev = {.at = s->now + SWEEP_US, .kind = SIM_SWEEP};

    for (int a = 0; a < s->nnode; a++) {
        sweep_join(s, a);
        for (int b = a + 1; b < s->nnode; b++)
            sweep_pair(s, a, b);
    }
    sim_push(s, ev);
}

void sim_break(struct sim *s, int node)
{
    for (int i = 0; i < s->nnode; i++) {
        struct sim_conn *c = conn_of(s, i, node);
        uint16_t ordinal = i != node && s->node[i].alive ? sim_ordinal_at(s, i, node) : 0;
        bool was = c->up;

        if (i == node)
            continue;
        break_conn(c);
        if (was && ordinal)
            tell_peer(s, i, false, ordinal);
        if (s->node[i].join_through == node && s->join[i].up) {
            break_conn(&s->join[i]);
            tell_peer(s, i, false, 0);
        }
    }
    break_conn(&s->join[node]);
}
