/* gossip_kit.c -- see gossip_kit.h. */
#include "tests/sim/gossip_kit.h"

#include "net/core/probe.h"
#include "net/wire/frame.h"

struct gossip_event {
    nwr_ms at;
    uint64_t seq;
    uint32_t to, from;
    bool tick;
    struct nwr_msg msg;
};

static bool before(const struct gossip_event *a, const struct gossip_event *b)
{
    return a->at != b->at ? a->at < b->at : a->seq < b->seq;
}

static void push(struct gossip *g, struct gossip_event ev)
{
    uint32_t at = g->nqueue;

    ev.seq = g->seq++;
    g->queue = nwr_grow(g->queue, &g->capqueue, g->nqueue + 1, sizeof(*g->queue));
    g->nqueue++;
    for (; at && before(&ev, &g->queue[(at - 1) / 2]); at = (at - 1) / 2)
        g->queue[at] = g->queue[(at - 1) / 2];
    g->queue[at] = ev;
}

static struct gossip_event pop(struct gossip *g)
{
    struct gossip_event top = g->queue[0], last = g->queue[--g->nqueue];
    uint32_t at = 0, kid;

    while ((kid = 2 * at + 1) < g->nqueue) {
        if (kid + 1 < g->nqueue && before(&g->queue[kid + 1], &g->queue[kid]))
            kid++;
        if (!before(&g->queue[kid], &last))
            break;
        g->queue[at] = g->queue[kid];
        at = kid;
    }
    g->queue[at] = last;
    return top;
}

static bool is_cut(const struct gossip *g, uint32_t from, uint32_t to)
{
    return g->cut && g->cut[from * g->n + to];
}

static void send(struct gossip *g, uint32_t from, uint32_t to, struct nwr_msg *msg)
{
    struct gossip_event ev = {.to = to, .from = from, .msg = *msg};
    struct nwr_frame f;

    nwr_assert(nwr_frame_encode(&f, msg) == NWR_OK);
    g->messages++;
    g->bytes += f.len;
    nwr_frame_deinit(&f);
    if (is_cut(g, from, to) || (g->loss && nwr_rng_below(&g->rng, 65536) < g->loss)) {
        nwr_msg_deinit(&ev.msg);
        return;
    }
    ev.at = g->now + 1 + nwr_rng_below(&g->rng, g->delay);
    push(g, ev);
}

static void carry_out(struct gossip *g, uint32_t i)
{
    struct gossip_node *node = &g->node[i];
    struct nwr_members_effect e;
    nwr_ms at;

    while (nwr_members_take(node->m, &e)) {
        if (e.kind == NWR_MEMBERS_SEND)
            send(g, i, e.peer - 1u, &e.msg);
        else if (g->on_life)
            g->on_life(g, i, e.peer - 1u, e.life);
    }
    at = nwr_members_deadline(node->m);
    if (at != UINT64_MAX && at < node->tick) {
        node->tick = at;
        push(g, (struct gossip_event){.at = NWR_MAX(at, g->now), .to = i, .tick = true});
    }
}

static void happen(struct gossip *g, struct gossip_event *ev)
{
    struct gossip_node *node = &g->node[ev->to];

    if (!node->dead && g->now < node->paused_until) {
        ev->at = node->paused_until + !ev->tick; /* timers run before sockets are read */
        push(g, *ev);
        return;
    }
    if (!node->dead && ev->tick) {
        node->tick = UINT64_MAX;
        nwr_members_tick(node->m, g->now);
    } else if (!node->dead) {
        nwr_members_message(node->m, (uint16_t)(ev->from + 1), &ev->msg, g->now);
    }
    nwr_msg_deinit(&ev->msg);
    if (!node->dead)
        carry_out(g, ev->to);
}

void gossip_run(struct gossip *g, nwr_ms ms)
{
    nwr_ms until = g->now + ms;

    while (g->nqueue && g->queue[0].at <= until) {
        struct gossip_event ev = pop(g);

        g->now = NWR_MAX(g->now, ev.at);
        happen(g, &ev);
    }
    g->now = until;
    for (uint32_t i = 0; i < g->n; i++)
        nwr_members_check(g->node[i].m);
}

static void start(struct gossip *g, uint32_t i)
{
    uint16_t *list = nwr_alloc(g->n * sizeof(*list));
    struct gossip_node *node = &g->node[i];

    for (uint32_t k = 0; k < g->n; k++)
        list[k] = (uint16_t)(k + 1);
    node->m = nwr_members_create((uint16_t)(i + 1), nwr_rng_next(&g->rng));
    node->tick = UINT64_MAX;
    nwr_members_load(node->m, 5, 100000 + i, (uint64_t)1 << 40);
    nwr_members_list(node->m, list, g->n, g->now);
    nwr_free(list);
}

/* As after a long quiet time. */
static void acquaint(struct gossip *g, uint32_t i)
{
    struct nwr_members *m = g->node[i].m;

    for (uint32_t k = 0; k < m->n; k++) {
        m->w[k].news.life = NWR_LIFE_UP;
        m->w[k].news.incarnation = 1;
        nwr_members_link(m, m->w[k].news.ordinal, true, g->now);
    }
    carry_out(g, i);
}

struct gossip *gossip_create(uint32_t n, uint64_t seed)
{
    struct gossip *g = nwr_zalloc(sizeof(*g));

    g->n = n;
    g->now = 1000000;
    g->delay = 5;
    nwr_rng_init(&g->rng, seed);
    g->node = nwr_zalloc(n * sizeof(*g->node));
    for (uint32_t i = 0; i < n; i++)
        start(g, i);
    for (uint32_t i = 0; i < n; i++)
        acquaint(g, i);
    return g;
}

void gossip_destroy(struct gossip *g)
{
    for (uint32_t i = 0; i < g->nqueue; i++)
        nwr_msg_deinit(&g->queue[i].msg);
    for (uint32_t i = 0; i < g->n; i++)
        nwr_members_destroy(g->node[i].m);
    nwr_free(g->queue);
    nwr_free(g->node);
    nwr_free(g->cut);
    nwr_free(g);
}

void gossip_die(struct gossip *g, uint32_t i)
{
    g->node[i].dead = true;
}

void gossip_pause(struct gossip *g, uint32_t i, nwr_ms ms)
{
    g->node[i].paused_until = g->now + ms;
}

void gossip_restart(struct gossip *g, uint32_t i)
{
    nwr_members_destroy(g->node[i].m);
    g->node[i].dead = false;
    start(g, i);
    for (uint32_t k = 0; k < g->n; k++)
        if (k != i) {
            gossip_link(g, i, k, false);
            gossip_link(g, i, k, true);
        }
}

void gossip_cut(struct gossip *g, uint32_t from, uint32_t to, bool cut)
{
    if (!g->cut)
        g->cut = nwr_zalloc(g->n * g->n);
    g->cut[from * g->n + to] = cut;
}

void gossip_link(struct gossip *g, uint32_t a, uint32_t b, bool linked)
{
    nwr_members_link(g->node[a].m, (uint16_t)(b + 1), linked, g->now);
    nwr_members_link(g->node[b].m, (uint16_t)(a + 1), linked, g->now);
    carry_out(g, a);
    carry_out(g, b);
}

enum nwr_life gossip_life(const struct gossip *g, uint32_t at, uint32_t of)
{
    return nwr_members_find(g->node[at].m, (uint16_t)(of + 1), NULL)->life;
}

uint32_t gossip_count(const struct gossip *g, uint32_t of, enum nwr_life life)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < g->n; i++)
        n += i != of && !g->node[i].dead && gossip_life(g, i, of) == life;
    return n;
}
