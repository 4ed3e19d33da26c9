/* forward.c -- requests for PGs this node does not hold, or could not coordinate.
 *
 *     ASKING --answer that settles it--> answered
 *       |  ^ \--refused, lost, silent--> the next member of the list gets the same request
 *       v  |
 *     WAITING for a member that may come back
 *
 * A write goes through another coordinator with the same write_ids: it is the same write.
 */
#include "net/core/job.h"

struct forward {
    struct nwr_job job;
    struct nwr_origin origin;
    struct nwr_request *req; /* the origin's, or this job's own */
    uint16_t list[2 * NWR_REPLICAS_MAX];
    bool tried[2 * NWR_REPLICAS_MAX];
    uint32_t m, out;
    uint64_t epoch, knocked; /* knocked: see nwr_knock */
    bool sent;               /* some coordinator may have done it */
    bool once;               /* no more than one was asked */
    enum nwr_err err;        /* why the last one would not */
    enum nwr_err self;       /* why this node could not; OK: it may */
    struct nwr_response res;
    nwr_ms deadline;
};

static struct forward *of(struct nwr_job *j)
{
    return nwr_container_of(j, struct forward, job);
}

static void answer(struct nwr_node *n, struct forward *f)
{
    enum nwr_err err = f->res.err;

    if (f->origin.kind != NWR_FROM_JOB)
        nwr_respond(n, &f->origin, &f->res, false);
    nwr_job_end(n, &f->job, err);
}

static void fail(struct nwr_node *n, struct forward *f, enum nwr_err err)
{
    nwr_response_deinit(&f->res);
    f->res.err = err;
    answer(n, f);
}

static nwr_ms patience(const struct forward *f)
{
    return f->req->op == NWR_OP_READ ? NWR_RETRY_READ_MS : NWR_RETRY_WRITE_MS;
}

static void place(struct nwr_node *n, struct forward *f)
{
    f->m = nwr_ring_place(&n->ring, f->req->pg, f->list);
    if (nwr_is_sloppy(f->req))
        f->m += nwr_ring_spares(&n->ring, f->req->pg, nwr_is_write(f->req), f->list + f->m);
    f->epoch = n->ring.epoch;
    memset(f->tried, 0, sizeof(f->tried));
}

bool nwr_is_write(const struct nwr_request *req)
{
    return req->op != NWR_OP_READ && req->op != NWR_OP_BLOCK_GET;
}

bool nwr_is_sloppy(const struct nwr_request *req)
{
    if (!NWR_RULE(STRICT))
        return true;
    return req->sloppy && req->w != NWR_QUORUM_ALL && req->r != NWR_QUORUM_ALL;
}

/* This node is the first of the next ones that can: it coordinates. */
static void coordinate_here(struct nwr_node *n, struct forward *f)
{
    struct nwr_origin o = f->origin;

    o.sent = f->sent;
    if (f->sent)
        nwr_request_may_repeat(o.req);
    f->origin = (struct nwr_origin){0};
    nwr_job_end(n, &f->job, NWR_OK);
    nwr_request_here(n, &o);
}

static bool may_be_here(const struct nwr_node *n, const struct forward *f, uint32_t i)
{
    return f->list[i] == n->ordinal && f->origin.kind != NWR_FROM_JOB && f->self == NWR_OK &&
           NWR_RULE(STAND_IN_COORDINATES);
}

/* The first of the list that is up and was not tried. False: there is none. */
static bool ask_next(struct nwr_node *n, struct forward *f)
{
    struct nwr_msg m = {.kind = NWR_MSG_REQUEST, .pg = f->req->pg};

    for (uint32_t i = 0; i < f->m; i++) {
        if (f->out == 0 && may_be_here(n, f, i)) {
            coordinate_here(n, f);
            return true;
        }
        if (f->tried[i] || f->list[i] == n->ordinal || !nwr_is_up(n, f->list[i]))
            continue;
        f->tried[i] = true;
        n->count.retries += f->sent;
        f->once = !f->sent;
        f->sent = true;
        f->out++;
        m.u.request = nwr_request_copy(f->req);
        nwr_request_may_repeat(m.u.request);
        for (uint32_t k = 0; !NWR_RULE(SAME_WRITE) && k < f->req->nwrite; k++)
            m.u.request->write[k].v.wid = nwr_rng_next(&n->rng);
        nwr_call(n, &f->job, f->list[i], i, &m);
        nwr_job_wake(n, &f->job, NWR_MIN(n->now + patience(f), f->deadline));
        return true;
    }
    return false;
}

/* That nobody else is there does not hide why this node could not. */
static enum nwr_err why_not(const struct forward *f)
{
    if (f->err != NWR_OK && f->err != NWR_E_HOSTDOWN)
        return f->err;
    return f->self != NWR_OK ? f->self : NWR_E_HOSTDOWN;
}

/* Nobody left to ask and nobody to wait for: the answer is what those asked said. */
static void look(struct nwr_node *n, struct forward *f)
{
    nwr_ms until;

    if (f->job.ended || ask_next(n, f))
        return;
    until = nwr_maybe_until(n, f->list, f->m);
    if (f->out || f->err == NWR_E_TIMEDOUT || f->err == NWR_E_EPOCH)
        until = NWR_NEVER;
    else if (until == NWR_NEVER && nwr_knock(n, &f->knocked, f->list, f->m))
        until = nwr_maybe_until(n, f->list, f->m);
    else if (until == NWR_NEVER) {
        fail(n, f, why_not(f));
        return;
    }
    nwr_job_wake(n, &f->job, NWR_MIN(until, f->deadline));
}

/* Said of the coordinator, not of the request: another one may do better. */
static bool is_refusal(enum nwr_err err)
{
    return err == NWR_E_HOSTDOWN || nwr_err_of_disk(err) || err == NWR_E_CORRUPT ||
           err == NWR_E_EPOCH || err == NWR_E_CANCELED;
}

/* Only these two say that nothing was done there: they must not hide any other. */
static void note_refusal(struct forward *f, enum nwr_err err)
{
    bool nothing = err == NWR_E_HOSTDOWN || err == NWR_E_EPOCH;

    if (!nothing || f->err == NWR_OK || f->err == NWR_E_HOSTDOWN || f->err == NWR_E_EPOCH)
        f->err = err;
}

static void on_answer(struct nwr_node *n, struct nwr_job *j, const struct nwr_call *c,
                      struct nwr_msg *m)
{
    struct forward *f = of(j);

    f->out--;
    if (m->kind != NWR_MSG_RESPONSE) {
        f->err = NWR_E_FORMAT;
    } else if (!is_refusal(m->u.response.err)) {
        f->res = m->u.response;
        memset(&m->u.response, 0, sizeof(m->u.response));
        f->res.round_trips++;
        f->res.once &= f->once;
        answer(n, f);
        return;
    } else {
        note_refusal(f, m->u.response.err);
    }
    if (m->u.response.err == NWR_E_EPOCH && c->slot < f->m && f->epoch != n->ring.epoch)
        place(n, f);
    look(n, f);
}

/* It may have been done there. */
static void on_lost(struct nwr_node *n, struct nwr_job *j, const struct nwr_call *c)
{
    struct forward *f = of(j);

    f->out--;
    if (nwr_is_write(f->req))
        f->err = NWR_E_TIMEDOUT;
    if (c->slot < f->m)
        f->tried[c->slot] = false;
    look(n, f);
}

static void on_changed(struct nwr_node *n, struct nwr_job *j)
{
    struct forward *f = of(j);

    if (f->epoch != n->ring.epoch)
        place(n, f);
    if (f->out == 0)
        look(n, f);
}

static void on_wake(struct nwr_node *n, struct nwr_job *j)
{
    struct forward *f = of(j);

    if (n->now >= f->deadline) {
        fail(n, f, f->sent ? NWR_E_TIMEDOUT : why_not(f));
        return;
    }
    n->count.hedges += f->out > 0;
    if (f->out == 0 || NWR_RULE(NEXT_COORDINATOR))
        look(n, f);
    else
        nwr_job_wake(n, j, f->deadline);
}

static void on_free(struct nwr_node *n, struct nwr_job *j)
{
    struct forward *f = of(j);

    (void)n;
    nwr_request_destroy(f->origin.req);
    if (f->origin.kind == NWR_FROM_JOB)
        nwr_request_destroy(f->req);
    nwr_response_deinit(&f->res);
}

static const struct nwr_job_kind forward_kind = {.name = "forward",
                                                 .answer = on_answer,
                                                 .lost = on_lost,
                                                 .wake = on_wake,
                                                 .changed = on_changed,
                                                 .drop = on_free};

static struct forward *forward_new(struct nwr_node *n, struct nwr_job *parent, uint32_t slot,
                                   struct nwr_request *req, nwr_ms deadline)
{
    struct forward *f = nwr_job_new(n, &forward_kind, sizeof(*f), parent, slot);

    f->req = req;
    f->deadline = deadline;
    nwr_job_wake(n, &f->job, f->deadline);
    place(n, f);
    return f;
}

void nwr_forward_start(struct nwr_node *n, struct nwr_origin *o, enum nwr_err self)
{
    struct forward *f = forward_new(n, NULL, 0, o->req, o->deadline);

    f->origin = *o;
    f->sent = o->sent;
    f->err = o->sent && nwr_is_write(o->req) ? NWR_E_TIMEDOUT : NWR_OK;
    f->self = self;
    n->count.forwarded++;
    look(n, f);
}

struct nwr_job *nwr_forward_job(struct nwr_node *n, struct nwr_job *parent, uint32_t slot,
                                struct nwr_request *req)
{
    struct forward *f = forward_new(n, parent, slot, req, n->now + NWR_DEADLINE_MS);

    f->origin.kind = NWR_FROM_JOB;
    look(n, f);
    return &f->job;
}

struct nwr_response *nwr_forward_response(struct nwr_job *j)
{
    return &of(j)->res;
}
