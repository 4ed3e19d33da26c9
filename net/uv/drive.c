/* drive.c -- events into the node, effects out of it (net/core/node.h).
 *
 *  1. Whoever has an event queues it: requests of the mount, messages, completions of the store,
 *     peers up and down, time.
 *  2. After each round of polling, and before the next, the queue is worked off: one step an
 *     event, its effects carried out in order. What they call (a done, a submit) may queue more,
 *     and so does what the store has carried out within submit.
 *     A round ends after ROUND_MS, however much is left: reads that follow each other, each begun
 *     by the answer to the one before, would hold the loop, and with it its clock and timers.
 *  3. Then everything collected for a connection is written at once, and the timer is set to the
 *     node's deadline.
 *
 * A step never runs inside another, and a done never inside its submit.
 */
#include <time.h>

#include "net/uv/inside.h"
#include "net/uv/log.h"

enum {
    STEPS_A_ROUND = 2048,
    ROUND_MS = 20, /* what is carried out within a step may take long: a page of a directory */
    DISK_SAID_MS = 60000
};

static nwr_ns wall(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    return (nwr_ns)ts.tv_sec * 1000000000 + (nwr_ns)ts.tv_nsec;
}

void nwr_drive_event(struct nwr_peer *p, const struct nwr_node_event *ev, const struct nwr_msg *m)
{
    struct nwr_queued *q;

    if (p->head == p->nqueue)
        p->head = p->nqueue = 0;
    p->queue = nwr_grow(p->queue, &p->capqueue, p->nqueue + 1, sizeof(*p->queue));
    q = &p->queue[p->nqueue++];
    q->ev = *ev;
    if (m)
        q->msg = *m;
}

void nwr_drive_submit(struct nwr_volume *v, struct nwr_request *req)
{
    struct nwr_peer *p = nwr_container_of(v, struct nwr_peer, volume);
    struct nwr_node_event ev = {.kind = NWR_EV_REQUEST, .request = req};

    p->own_requests++;
    nwr_drive_event(p, &ev, NULL);
}

/* ---- effects ---- */

static void respond(struct nwr_peer *p, struct nwr_request *req, struct nwr_response *res)
{
    nwr_assert(p->own_requests > 0);
    p->own_requests--;
    req->done(req, res);
    nwr_request_destroy(req);
    nwr_response_deinit(res);
}

/* Names are bytes of users: what would break the line is written as '?'. */
static void log_conflict(const struct nwr_appeared *a)
{
    char name[NWR_NAME_MAX + 1];

    for (uint16_t i = 0; i < a->name_len; i++) {
        char c = a->name[i];

        name[i] = c == '"' || c == '\\' || (unsigned char)c < ' ' || c == 127 ? '?' : c;
    }
    name[a->name_len] = 0;
    nwr_log_warn("event=conflict name=\"%s\" k=%llu node=%u", name, (unsigned long long)a->k,
                 a->node);
}

/* Said once a minute: other nodes may do without this one, so that nobody else would notice. */
static void note_disk(struct nwr_peer *p, const struct nwr_store_op *op)
{
    nwr_ms now = uv_now(p->loop);

    if (!nwr_err_of_disk(op->err))
        return;
    p->disk_errors++;
    if (op->err == p->disk_err && now - p->disk_said_at < DISK_SAID_MS)
        return;
    p->disk_err = op->err;
    p->disk_said_at = now;
    nwr_log_warn("event=disk why=\"%s\" dir=%s", nwr_err_text(op->err), p->dir);
}

static void on_store_done(struct nwr_store_op *op)
{
    struct nwr_peer *p = op->user;
    struct nwr_node_event ev = {.kind = NWR_EV_STORE, .op = op};

    note_disk(p, op);
    p->store_ops--;
    for (uint32_t i = 0; i < op->nappeared; i++)
        log_conflict(&op->appeared[i]);
    if (!p->drained)
        nwr_drive_event(p, &ev, NULL);
}

static void submit_op(struct nwr_peer *p, struct nwr_store_op *op)
{
    op->done = on_store_done;
    op->user = p;
    p->store_ops++;
    p->store->submit(p->store, op);
}

/* What the ring says of the volume: known from the first ring on, and the same ever after. */
void nwr_drive_ring(struct nwr_peer *p)
{
    const struct nwr_ring *r = nwr_node_ring(p->node);

    if (!r)
        return;
    p->volume.info = (struct nwr_volume_info){.id = r->volume,
                                              .pgs = r->pgs,
                                              .n = r->n,
                                              .w = r->w,
                                              .r = r->r,
                                              .uid = r->uid,
                                              .gid = r->gid};
    nwr_mesh_members(p);
}

static void carry_out(struct nwr_peer *p, struct nwr_node_effect *e)
{
    struct nwr_request *req = e->request;
    struct nwr_response res = e->response;

    switch (e->kind) {
    case NWR_EF_SEND: nwr_mesh_send(p, e->peer, e->link, &e->msg, e->later); break;
    case NWR_EF_RESPOND:
        e->request = NULL;
        memset(&e->response, 0, sizeof(e->response));
        respond(p, req, &res);
        break;
    case NWR_EF_STORE: submit_op(p, e->op); break;
    case NWR_EF_CONNECT:
        if (e->peer)
            nwr_mesh_dial(p, e->peer);
        else
            nwr_drive_ring(p);
        break;
    case NWR_EF_JOINED:
        nwr_drive_ring(p);
        nwr_peer_joined(p, e->err, e->text);
        break;
    case NWR_EF_REMOVED: p->removed = true; break;
    case NWR_EF_LOG: nwr_log_info("%s", e->text); break;
    }
}

/* ---- steps ---- */

/* What a driver answers without its node. True: done with. */
static bool answered(struct nwr_peer *p, struct nwr_queued *q)
{
    struct nwr_msg *m = &q->msg, answer;
    struct nwr_response res = {0};

    if (q->ev.kind == NWR_EV_REQUEST) {
        if (p->closing)
            res.err = NWR_E_CANCELED;
        else if (!nwr_status_answer(p, q->ev.request, &res))
            return false;
        respond(p, q->ev.request, &res);
        return true;
    }
    if (q->ev.kind != NWR_EV_MSG || m->kind != NWR_MSG_REQUEST ||
        !nwr_status_answer(p, m->u.request, &res))
        return false;
    answer = (struct nwr_msg){.kind = NWR_MSG_RESPONSE, .id = m->id, .pg = m->pg};
    answer.err = res.err;
    answer.u.response = res;
    nwr_mesh_send(p, q->ev.peer, q->ev.link, &answer, false);
    nwr_msg_deinit(&answer);
    nwr_msg_deinit(m);
    return true;
}

static void step(struct nwr_peer *p, struct nwr_queued *q)
{
    struct nwr_effects out = {0};

    if (answered(p, q))
        return;
    q->ev.now = uv_now(p->loop);
    q->ev.wall = wall();
    q->ev.msg = q->ev.kind == NWR_EV_MSG ? &q->msg : NULL;
    nwr_node_step(p->node, &q->ev, &out);
    for (uint32_t i = 0; i < out.n; i++)
        carry_out(p, &out.e[i]);
    nwr_effects_deinit(&out);
}

static void on_tick(uv_timer_t *t)
{
    struct nwr_peer *p = t->data;
    struct nwr_node_event ev = {.kind = NWR_EV_TICK};

    nwr_drive_event(p, &ev, NULL);
}

static void set_timer(struct nwr_peer *p)
{
    nwr_ms at = nwr_node_deadline(p->node), now = uv_now(p->loop);

    if (at == UINT64_MAX)
        uv_timer_stop(&p->tick);
    else
        uv_timer_start(&p->tick, on_tick, at > now ? at - now : 0, 0);
}

static void on_idle(uv_idle_t *idle)
{
    (void)idle; /* its being active keeps the loop from waiting */
}

/* True: there is an event to step with. */
static bool have_event(struct nwr_peer *p)
{
    if (p->head == p->nqueue)
        p->store->poll(p->store);
    return p->head < p->nqueue;
}

void nwr_drive_run(struct nwr_peer *p)
{
    uint64_t end = uv_hrtime() + (uint64_t)ROUND_MS * 1000000;
    unsigned steps = 0;

    if (p->stepping || p->drained)
        return;
    p->stepping = true;
    for (; steps < STEPS_A_ROUND && uv_hrtime() < end && have_event(p); steps++) {
        struct nwr_queued q = p->queue[p->head++];

        step(p, &q);
    }
    p->stepping = false;
    nwr_mesh_flush(p);
    if (steps)
        set_timer(p);
    if (have_event(p))
        uv_idle_start(&p->idle, on_idle);
    else
        uv_idle_stop(&p->idle);
    nwr_peer_maybe_gone(p);
}

/* ---- store ---- */

static void on_store_ready(uv_poll_t *h, int status, int events)
{
    struct nwr_peer *p = h->data;

    (void)status;
    (void)events;
    p->store->poll(p->store);
}

static void on_synced(struct nwr_store_op *op)
{
    struct nwr_peer *p = op->user;

    if (op->err && !p->sync_failed)
        nwr_log_warn("event=sync_failed why=\"%s\"", nwr_err_text(op->err));
    p->sync_failed = op->err != NWR_OK;
    p->syncing = false;
    p->store_ops--;
    nwr_store_op_deinit(op);
    nwr_free(op);
}

/* Twice in NWR_SYNC_MS, so that nothing acknowledged stays off the disk longer, with the time that
 * a sync takes. One that failed (a full disk) is tried again though nothing was written since. */
static void on_sync_time(uv_timer_t *t)
{
    struct nwr_peer *p = t->data;
    struct nwr_store_stat stat = {0};
    struct nwr_store_op *op;

    p->store->stat(p->store, &stat);
    nwr_node_load(p->node, stat.records, stat.block_bytes);
    if (p->syncing || (stat.applies == p->applies_synced && !p->sync_failed))
        return;
    p->applies_synced = stat.applies;
    p->syncing = true;
    p->store_ops++;
    op = nwr_zalloc(sizeof(*op));
    op->kind = NWR_STORE_SYNC;
    op->done = on_synced;
    op->user = p;
    p->store->submit(p->store, op);
}

/* ---- handles ---- */

static void on_prepare(uv_prepare_t *h)
{
    nwr_drive_run(h->data);
}

static void on_check(uv_check_t *h)
{
    nwr_drive_run(h->data);
}

static void on_sweep(uv_timer_t *t)
{
    struct nwr_peer *p = t->data;

    nwr_mesh_sweep(p);
    nwr_peer_maybe_removed(p);
    nwr_peer_maybe_ready(p);
    nwr_peer_maybe_gone(p);
}

void nwr_drive_start(struct nwr_peer *p)
{
    struct nwr_node_event ev = {.kind = NWR_EV_START};
    int fd = p->store->fd(p->store);

    uv_prepare_init(p->loop, &p->prepare);
    uv_check_init(p->loop, &p->check);
    uv_idle_init(p->loop, &p->idle);
    uv_timer_init(p->loop, &p->tick);
    uv_timer_init(p->loop, &p->sweep);
    uv_timer_init(p->loop, &p->sync);
    uv_timer_init(p->loop, &p->later);
    uv_poll_init(p->loop, &p->store_poll, fd);
    nwr_peer_handle(p, &p->prepare);
    nwr_peer_handle(p, &p->check);
    nwr_peer_handle(p, &p->idle);
    nwr_peer_handle(p, &p->tick);
    nwr_peer_handle(p, &p->sweep);
    nwr_peer_handle(p, &p->sync);
    nwr_peer_handle(p, &p->later);
    nwr_peer_handle(p, &p->store_poll);
    uv_prepare_start(&p->prepare, on_prepare);
    uv_check_start(&p->check, on_check);
    uv_timer_start(&p->sweep, on_sweep, 0, NWR_CONN_SWEEP_MS);
    uv_timer_start(&p->sync, on_sync_time, NWR_SYNC_MS / 2, NWR_SYNC_MS / 2);
    uv_poll_start(&p->store_poll, UV_READABLE, on_store_ready);
    nwr_drive_ring(p);
    nwr_drive_event(p, &ev, NULL);
}

static void drop_queue(struct nwr_peer *p)
{
    for (; p->head < p->nqueue; p->head++) {
        struct nwr_queued *q = &p->queue[p->head];

        if (q->ev.kind == NWR_EV_MSG)
            nwr_msg_deinit(&q->msg);
        if (q->ev.kind == NWR_EV_REQUEST) {
            struct nwr_response res = {.err = NWR_E_CANCELED};

            respond(p, q->ev.request, &res);
        }
    }
    nwr_free(p->queue);
    p->queue = NULL;
    p->capqueue = 0;
}

void nwr_drive_stop(struct nwr_peer *p)
{
    p->drained = true;
    drop_queue(p);
    nwr_peer_handle_close(p, &p->store_poll);
    p->store->destroy(p->store);
    p->store = NULL;
    nwr_assert(p->store_ops == 0);
    nwr_node_destroy(p->node);
    p->node = NULL;
}
