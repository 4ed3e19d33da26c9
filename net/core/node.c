/* node.c -- events in, machines to them; who is up. See node.h. */
#include "net/core/behind.h"
#include "net/core/clocks.h"
#include "net/core/job.h"

#include "net/core/reconcile.h"
#include "net/core/scrub.h"

static void text_copy(char *dst, size_t room, const char *src)
{
    size_t len = src ? NWR_MIN(strlen(src), room - 1) : 0;

    if (len)
        memcpy(dst, src, len);
    dst[len] = '\0';
}

struct nwr_node *nwr_node_create(const struct nwr_node_config *config)
{
    struct nwr_node *n = nwr_zalloc(sizeof(*n));

    nwr_assert(config->ring ? config->ordinal != 0 : config->join != NULL);
    nwr_assert(!config->ring || nwr_ring_find(config->ring, config->ordinal));
    n->id = config->id;
    n->ordinal = config->ordinal;
    n->incarnation = config->incarnation;
    n->joining = !config->ring || !nwr_ring_lists(config->ring, config->ordinal);
    n->only_asked = config->only_asked;
    text_copy(n->address, sizeof(n->address), config->address);
    nwr_rng_init(&n->rng, config->seed);
    if (config->ring)
        nwr_ring_copy(&n->ring, config->ring);
    n->ids.ino_next = n->ids.ino_end = NWR_MAX(config->ino_next, 1);
    n->ids.k_next = n->ids.k_end = config->k_next;
    nwr_hints_init(&n->hints, config->hint_bytes);
    n->dots = nwr_zalloc(NWR_PGS_MAX * sizeof(*n->dots));
    /* Answers to calls of an earlier life must not find a call of this one. */
    n->next_id = ((uint64_t)config->incarnation << 32) + 1;
    return n;
}

void nwr_node_destroy(struct nwr_node *n)
{
    nwr_jobs_free(n);
    for (uint32_t i = 0; i < n->nheld; i++)
        nwr_msg_deinit(&n->held[i].msg);
    nwr_free(n->held);
    nwr_ring_deinit(&n->ring);
    nwr_ring_deinit(&n->storing);
    nwr_ring_deinit(&n->waiting);
    nwr_members_destroy(n->members);
    nwr_register_deinit(&n->reg);
    nwr_hints_deinit(&n->hints);
    nwr_confirms_deinit(n);
    nwr_behind_deinit(n);
    nwr_free(n->dots);
    nwr_free(n);
}

/* ---- peers ---------------------------------------------------------------------------------- */

bool nwr_is_up(const struct nwr_node *n, uint16_t ordinal)
{
    return ordinal == n->ordinal || n->peer[ordinal].up;
}

static nwr_ms maybe_until(const struct nwr_node *n, uint16_t ordinal)
{
    const struct nwr_peer_state *p = &n->peer[ordinal];

    return NWR_MAX(p->known ? p->maybe_until : n->started + NWR_GRACE_MS, p->knock_until);
}

bool nwr_is_maybe(const struct nwr_node *n, uint16_t ordinal)
{
    return !nwr_is_up(n, ordinal) && n->now < maybe_until(n, ordinal);
}

nwr_ms nwr_maybe_until(const struct nwr_node *n, const uint16_t *list, uint32_t m)
{
    nwr_ms until = NWR_NEVER;

    for (uint32_t i = 0; i < m; i++)
        if (nwr_is_maybe(n, list[i]))
            until = NWR_MIN(until, maybe_until(n, list[i]));
    return until;
}

bool nwr_knock(struct nwr_node *n, uint64_t *knocked, const uint16_t *list, uint32_t m)
{
    bool any = false;

    for (uint32_t i = 0; i < m && *knocked != n->ring.epoch; i++) {
        if (nwr_is_up(n, list[i]))
            continue;
        n->peer[list[i]].knock_until = n->now + NWR_KNOCK_MS;
        nwr_emit(n, NWR_EF_CONNECT)->peer = list[i];
        any = true;
    }
    *knocked = n->ring.epoch;
    return any && NWR_RULE(KNOCK);
}

static void peer_up(struct nwr_node *n, uint16_t peer)
{
    if (peer == 0) {
        n->link_up = true;
    } else if (!n->peer[peer].up) {
        n->peer[peer] = (struct nwr_peer_state){.up = true, .known = true};
        if (NWR_RULE(CONFIRM_FORGOTTEN))
            nwr_confirms_forget(n, peer);
        nwr_epoch_tell(n, peer);
        nwr_gossip_link(n, peer, true);
    }
    nwr_jobs_changed(n);
}

/* A peer that never was there gets no grace. */
static void peer_down(struct nwr_node *n, uint16_t peer)
{
    struct nwr_peer_state *p = &n->peer[peer];
    bool news = peer == 0 || p->up || !p->known || p->knock_until;

    if (peer == 0)
        n->link_up = false;
    else if (p->up)
        p->maybe_until = n->now + NWR_GRACE_MS;
    p->up = false;
    p->known = true;
    p->knock_until = 0;
    nwr_gossip_link(n, peer, false);
    nwr_calls_lost(n, peer);
    if (peer && news && NWR_RULE(CONFIRM_FORGOTTEN)) /* it may come back without what it had */
        nwr_confirms_forget(n, peer);
    if (news) /* it is dialed again and again while it is away */
        nwr_jobs_changed(n);
}

/* ---- requests ------------------------------------------------------------------------------- */

static bool keys_in_pg(const struct nwr_request *req)
{
    for (uint32_t i = 0; i < req->nrange; i++)
        if (req->range[i].prefix.len < 2 || nwr_key_pg(&req->range[i].prefix) != req->pg)
            return false;
    for (uint32_t i = 0; i < req->nwrite; i++)
        if (req->write[i].key.len < 2 || nwr_key_pg(&req->write[i].key) != req->pg)
            return false;
    return true;
}

static bool have_bytes(const struct nwr_request *req)
{
    for (uint32_t i = 0; i < req->nblock; i++)
        if (!req->block[i].data)
            return false;
    return true;
}

static bool request_valid(const struct nwr_node *n, const struct nwr_request *req)
{
    switch (req->op) {
    case NWR_OP_READ: return req->pg < n->ring.pgs && req->nrange > 0 && keys_in_pg(req);
    case NWR_OP_PUT:
        return req->pg < n->ring.pgs && req->nwrite > 0 && req->nwrite <= NWR_BATCH_WRITES_MAX &&
               keys_in_pg(req) && have_bytes(req);
    case NWR_OP_BLOCK_PUT: return req->pg < n->ring.pgs && req->nblock > 0 && have_bytes(req);
    case NWR_OP_BLOCK_GET: return req->pg < n->ring.pgs && req->nblock > 0;
    case NWR_OP_WHY: return nwr_key_pg(&req->key) < n->ring.pgs;
    case NWR_OP_IDS:
    case NWR_OP_STATFS:
    case NWR_OP_STATUS: return true;
    }
    return false;
}

uint64_t nwr_foreground_work(const struct nwr_node *n)
{
    return n->count.reads + n->count.puts + n->count.block_puts + n->served;
}

void nwr_request_here(struct nwr_node *n, struct nwr_origin *o)
{
    if (o->req->op == NWR_OP_READ)
        nwr_read_start(n, o);
    else if (o->req->op == NWR_OP_BLOCK_GET)
        nwr_block_get_start(n, o);
    else
        nwr_write_start(n, o);
}

/* A peer that sends a sloppy request has found nobody of the list. */
static void request_route(struct nwr_node *n, struct nwr_origin *o)
{
    bool here = nwr_ring_holds(&n->ring, o->req->pg, n->ordinal);
    bool from_peer = o->kind == NWR_FROM_PEER;

    if (!NWR_RULE(HOLDERS_COORDINATE))
        here |= nwr_ring_gains(&n->ring, o->req->pg, n->ordinal);
    if (!here && from_peer && nwr_is_sloppy(o->req) && NWR_RULE(STAND_IN_COORDINATES))
        here = nwr_ring_is_spare(&n->ring, o->req->pg, nwr_is_write(o->req), n->ordinal);
    if (here)
        nwr_request_here(n, o);
    else if (from_peer)
        nwr_respond_err(n, o, NWR_E_EPOCH, false);
    else
        nwr_forward_start(n, o, NWR_OK);
}

void nwr_request_start(struct nwr_node *n, struct nwr_origin *o)
{
    o->deadline = n->now + NWR_DEADLINE_MS;
    if (n->joining || n->removed) {
        nwr_respond_err(n, o, NWR_E_HOSTDOWN, false);
        return;
    }
    if (!request_valid(n, o->req)) {
        nwr_respond_err(n, o, NWR_E_INVAL, false);
        return;
    }
    switch (o->req->op) {
    case NWR_OP_READ:
    case NWR_OP_PUT:
    case NWR_OP_BLOCK_PUT:
    case NWR_OP_BLOCK_GET: request_route(n, o); break;
    case NWR_OP_IDS: nwr_ids_request(n, o); break;
    case NWR_OP_WHY: nwr_why_start(n, o); break;
    case NWR_OP_STATFS:
    case NWR_OP_STATUS: nwr_respond_err(n, o, NWR_E_NOTSUP, false); break;
    }
}

/* ---- messages ------------------------------------------------------------------------------- */

static void on_request_message(struct nwr_node *n, uint16_t peer, uint64_t link, struct nwr_msg *m)
{
    struct nwr_origin o = {.kind = peer ? NWR_FROM_PEER : NWR_FROM_LINK,
                           .peer = peer,
                           .link = link,
                           .id = m->id,
                           .req = m->u.request};

    m->u.request = NULL;
    if (o.req)
        nwr_request_start(n, &o);
}

static void refuse_epoch(struct nwr_node *n, uint16_t peer, struct nwr_msg *m)
{
    struct nwr_origin o = {.kind = NWR_FROM_PEER, .peer = peer, .id = m->id};
    struct nwr_msg answer = {.kind = NWR_MSG_ACK, .err = NWR_E_EPOCH};

    nwr_epoch_tell(n, peer);
    if (m->kind == NWR_MSG_FETCH) {
        answer.kind = NWR_MSG_ROWS;
    } else if (m->kind == NWR_MSG_REQUEST) {
        answer.kind = NWR_MSG_RESPONSE;
        answer.u.response.err = NWR_E_EPOCH;
    } else if (m->kind == NWR_MSG_COMPARE) {
        answer.kind = NWR_MSG_COMPARED;
        answer.u.compare.what = m->u.compare.what;
    }
    nwr_reply(n, &o, &answer);
}

/* Messages that rest on who holds what. */
static void on_placed_message(struct nwr_node *n, uint16_t peer, struct nwr_msg *m)
{
    if (m->epoch < n->ring.epoch && NWR_RULE(OLD_EPOCH))
        refuse_epoch(n, peer, m);
    else if (m->epoch > n->ring.epoch && NWR_RULE(NEW_EPOCH))
        nwr_epoch_hold(n, peer, m);
    else if (m->kind == NWR_MSG_REQUEST)
        on_request_message(n, peer, 0, m);
    else if (m->kind == NWR_MSG_COMPARE)
        nwr_compare_message(n, peer, m);
    else
        nwr_replica_message(n, peer, m);
}

void nwr_peer_message(struct nwr_node *n, uint16_t peer, struct nwr_msg *m)
{
    struct nwr_origin from = {.kind = NWR_FROM_PEER, .peer = peer, .id = m->id};

    nwr_change_seen(n, peer, m->epoch);
    switch (m->kind) {
    case NWR_MSG_REPLICATE:
    case NWR_MSG_FETCH:
    case NWR_MSG_BLOCKS:
    case NWR_MSG_REQUEST:
    case NWR_MSG_COMPARE: on_placed_message(n, peer, m); break;
    case NWR_MSG_BLOCK_GET:
    case NWR_MSG_WHY: nwr_replica_message(n, peer, m); break;
    case NWR_MSG_RING: nwr_epoch_ring(n, peer, m); break;
    case NWR_MSG_JOIN: nwr_admit_message(n, &from, m); break;
    case NWR_MSG_COPIED: nwr_move_heard(n, peer, m); break;
    case NWR_MSG_JOIN_OK:
    case NWR_MSG_REFUSED:
    case NWR_MSG_RESPONSE:
    case NWR_MSG_ACK:
    case NWR_MSG_ROWS:
    case NWR_MSG_BLOCK:
    case NWR_MSG_WHY_OK:
    case NWR_MSG_COMPARED:
    case NWR_MSG_REGISTER_OK: nwr_call_answer(n, peer, m); break;
    case NWR_MSG_PROBE:
    case NWR_MSG_PROBED:
    case NWR_MSG_PROBE_FOR:
    case NWR_MSG_NEWS: nwr_gossip_message(n, peer, m); break;
    case NWR_MSG_REGISTER: nwr_register_message(n, peer, m); break;
    case NWR_MSG_HELLO:
    case NWR_MSG_PING:
    case NWR_MSG_PONG: break;
    }
}

static void link_message(struct nwr_node *n, uint64_t link, struct nwr_msg *m)
{
    struct nwr_origin from = {.kind = NWR_FROM_LINK, .link = link, .id = m->id};

    if (m->kind == NWR_MSG_REQUEST)
        on_request_message(n, 0, link, m);
    else if (m->kind == NWR_MSG_JOIN)
        nwr_admit_message(n, &from, m);
    else if (m->kind == NWR_MSG_RING && link)
        nwr_epoch_ring_link(n, link, m);
    else if (link == 0)
        nwr_call_answer(n, 0, m); /* what the join goes through answers */
}

static void on_message(struct nwr_node *n, struct nwr_node_event *ev)
{
    struct nwr_msg m = *ev->msg;

    memset(ev->msg, 0, sizeof(*ev->msg));
    if (ev->peer == 0)
        link_message(n, ev->link, &m);
    else if (ev->peer <= NWR_ORDINAL_MAX && ev->peer != n->ordinal)
        nwr_peer_message(n, ev->peer, &m);
    nwr_msg_deinit(&m);
}

/* ---- the step ------------------------------------------------------------------------------- */

static void on_start(struct nwr_node *n)
{
    n->started = n->now;
    nwr_scrub_start(n);
    nwr_reconcile_start(n);
    if (n->ring.epoch) {
        nwr_ids_start(n);
        nwr_emit(n, NWR_EF_CONNECT);
    }
    nwr_register_load(n);
    nwr_move_start(n);
    nwr_leave_start(n);
    nwr_change_start(n);
    nwr_hints_start(n);
    if (n->joining)
        nwr_join_start(n);
}

void nwr_node_step(struct nwr_node *n, struct nwr_node_event *ev, struct nwr_effects *out)
{
    struct nwr_origin own = {.kind = NWR_FROM_OWN};

    nwr_assert(n->out == NULL);
    n->out = out;
    n->now = NWR_MAX(n->now, ev->now);
    n->wall = ev->wall;
    switch (ev->kind) {
    case NWR_EV_START: on_start(n); break;
    case NWR_EV_REQUEST:
        own.req = ev->request;
        ev->request = NULL;
        nwr_request_start(n, &own);
        break;
    case NWR_EV_MSG: on_message(n, ev); break;
    case NWR_EV_PEER_UP:
    case NWR_EV_PEER_DOWN:
        nwr_assert(ev->peer <= NWR_ORDINAL_MAX);
        if (ev->peer && ev->peer == n->ordinal)
            break;
        if (ev->kind == NWR_EV_PEER_UP)
            peer_up(n, ev->peer);
        else
            peer_down(n, ev->peer);
        break;
    case NWR_EV_STORE: nwr_lend_back(n, ev->op); break;
    case NWR_EV_RESHAPE: nwr_wish_start(n, &ev->reshape); break;
    case NWR_EV_REPAIR: nwr_reconcile_ask(n, ev->pg); break;
    case NWR_EV_SCRUB: nwr_scrub_ask(n, ev->pg); break;
    case NWR_EV_TICK: break;
    }
    nwr_gossip_tick(n);
    nwr_jobs_tick(n);
    nwr_jobs_bury(n);
    n->out = NULL;
}

nwr_ms nwr_node_deadline(const struct nwr_node *n)
{
    return NWR_MIN(n->nheap ? n->heap[0]->wake : NWR_NEVER, nwr_gossip_deadline(n));
}

void nwr_node_check(const struct nwr_node *n)
{
    nwr_jobs_check(n);
    if (n->members)
        nwr_members_check(n->members);
    if (n->ring.epoch)
        nwr_ring_check(&n->ring);
    nwr_assert(n->ids.ino_next <= n->ids.ino_end);
    nwr_assert(n->ids.k_next <= n->ids.k_end);
    nwr_assert(n->nheld <= NWR_HELD_MAX);
    nwr_assert(n->waiting.epoch == 0 || n->waiting.epoch > n->storing.epoch);
}

const struct nwr_ring *nwr_node_ring(const struct nwr_node *n)
{
    return n->ring.epoch ? &n->ring : NULL;
}

bool nwr_node_peer_up(const struct nwr_node *n, uint16_t ordinal)
{
    return ordinal <= NWR_ORDINAL_MAX && nwr_is_up(n, ordinal);
}

const struct nwr_wish_state *nwr_node_wish(const struct nwr_node *n)
{
    return &n->wish;
}

bool nwr_node_move(const struct nwr_node *n, struct nwr_move_state *sum, nwr_ms *ms)
{
    *sum = (struct nwr_move_state){.epoch = n->ring.epoch};
    *ms = n->now - n->ring_since;
    for (uint32_t i = 0; i < n->ring.nmember && n->ring.joint; i++) {
        const struct nwr_move_state *m = &n->moved[n->ring.member[i].ordinal];

        if (m->epoch != n->ring.epoch)
            continue;
        sum->groups += m->groups;
        sum->done += m->done;
        sum->bytes += m->bytes;
    }
    return n->ring.joint;
}

const struct nwr_node_counters *nwr_node_counters(const struct nwr_node *n)
{
    return &n->count;
}

const struct nwr_repair_state *nwr_node_repair(const struct nwr_node *n)
{
    return &n->repair;
}

const struct nwr_scrub_state *nwr_node_scrub(const struct nwr_node *n)
{
    return &n->scrub;
}

uint16_t nwr_node_ordinal(const struct nwr_node *n)
{
    return n->ordinal;
}
