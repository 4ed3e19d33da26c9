/* join.c -- becoming a member: get an ordinal, copy what will be held, be listed (DESIGN 6).
 *
 *     ASKING --JOIN_OK: ring with this node as pending--> MEETING --members connected-->
 *     COPYING one job a PG, some at a time --all copied--> REPORTING --ring lists it--> joined
 *
 *   1 JOIN to the address given, again every second while it lasts: it is also the sign of life
 *   2 the ring is adopted in memory: members connect, and send what is written from now on
 *   3 each PG: pages of READ by a quorum that meets every W, merged into the store with blocks
 *   4 JOINED; the ring that comes back is stored, then this node is a member
 * A restart before that begins anew with the same node id and gets the same ordinal. REFUSED, or
 * nobody who answers within the deadline: it is said, and that is the end.
 */
#include "net/core/job.h"

enum {
    ALIVE_MS = 1000,
    MEET_MS = 1000,
    COPY_RETRY_MS = 500
};
enum state {
    ASKING,
    MEETING,
    COPYING,
    REPORTING
};

struct join {
    struct nwr_job job;
    enum state state;
    nwr_ms heard; /* the last sign that the join goes on */
    nwr_ms met_by;
    nwr_pg next_pg;
    uint32_t copying;
    struct nwr_ring future;
};

struct copy {
    struct nwr_job job;
    nwr_pg pg;
    struct nwr_key after;
    bool more;
    nwr_ms give_up_at;
};

static struct join *of(struct nwr_job *j)
{
    return nwr_container_of(j, struct join, job);
}

static void say(struct nwr_node *n, enum nwr_err err, const char *text)
{
    struct nwr_node_effect *e = nwr_emit(n, NWR_EF_JOINED);
    size_t len = NWR_MIN(strlen(text), sizeof(e->text) - 1);

    e->err = err;
    memcpy(e->text, text, len);
}

static void end_join(struct nwr_node *n, struct join *jn, enum nwr_err err, const char *text)
{
    say(n, err, text);
    nwr_job_end(n, &jn->job, err);
}

/* ---- copying one PG -------------------------------------------------------------------------- */

static void copy_page(struct nwr_node *n, struct copy *c)
{
    struct nwr_request *req = nwr_request_new(NWR_OP_READ, c->pg);
    struct nwr_range *range = nwr_request_range(req);
    uint8_t m = (uint8_t)NWR_MIN(n->ring.n, n->ring.nmember);
    uint8_t meets_w = (uint8_t)(m - nwr_ring_w(&n->ring, 0) + 1);

    range->prefix.len = 2;
    range->prefix.b[0] = (uint8_t)(c->pg >> 8);
    range->prefix.b[1] = (uint8_t)c->pg;
    range->after = c->after;
    req->r = NWR_MAX(meets_w, (uint8_t)(m / 2 + 1));
    nwr_forward_job(n, &c->job, 0, req);
}

static void copy_rows(struct nwr_node *n, struct copy *c, struct nwr_response *res)
{
    struct nwr_batch *b;

    c->more = res->more;
    c->give_up_at = n->now + NWR_DEADLINE_MS;
    if (res->rows.n == 0) {
        nwr_job_end(n, &c->job, NWR_OK);
        return;
    }
    c->after = res->rows.row[res->rows.n - 1].key;
    b = nwr_batch_new(c->pg, NWR_LEVEL_MEMORY);
    b->rows = res->rows;
    res->rows = (struct nwr_rows){0};
    nwr_hlc_seen(n, &b->rows);
    nwr_deliver(n, &c->job, 1, n->ordinal, b, false);
}

static void on_copy_child(struct nwr_node *n, struct nwr_job *j, struct nwr_job *child,
                          enum nwr_err err)
{
    struct copy *c = nwr_container_of(j, struct copy, job);
    bool again = err == NWR_E_TIMEDOUT || err == NWR_E_HOSTDOWN || err == NWR_E_EPOCH;

    if (err && again && n->now < c->give_up_at)
        nwr_job_wake(n, j, n->now + COPY_RETRY_MS);
    else if (err)
        nwr_job_end(n, j, err);
    else if (child->slot == 0)
        copy_rows(n, c, nwr_forward_response(child));
    else if (c->more)
        copy_page(n, c);
    else
        nwr_job_end(n, j, NWR_OK);
}

static void on_copy_wake(struct nwr_node *n, struct nwr_job *j)
{
    copy_page(n, nwr_container_of(j, struct copy, job));
}

static const struct nwr_job_kind copy_kind = {
    .name = "copy", .child = on_copy_child, .wake = on_copy_wake};

static void copy_more(struct nwr_node *n, struct join *jn)
{
    while (jn->next_pg < n->ring.pgs && jn->copying < NWR_COPY_PARALLEL && !jn->job.ended) {
        nwr_pg pg = jn->next_pg++;
        struct copy *c;

        if (!nwr_ring_holds(&jn->future, pg, n->ordinal))
            continue;
        jn->copying++;
        c = nwr_job_new(n, &copy_kind, sizeof(*c), &jn->job, 0);
        c->pg = pg;
        c->give_up_at = n->now + NWR_DEADLINE_MS;
        copy_page(n, c);
    }
}

/* ---- talking to the founder ------------------------------------------------------------------ */

/* The founder itself if there is a connection, else the address given, else any member. */
static bool way_in(const struct nwr_node *n, uint16_t *peer)
{
    *peer = n->ring.founder;
    if (*peer && nwr_is_up(n, *peer))
        return true;
    *peer = 0;
    for (uint32_t i = 0; i < n->ring.nmember && !n->link_up && *peer == 0; i++)
        if (nwr_is_up(n, n->ring.member[i].ordinal))
            *peer = n->ring.member[i].ordinal;
    return *peer || n->link_up;
}

static void send_join(struct nwr_node *n, struct join *jn)
{
    struct nwr_msg m = {.kind = jn->state == REPORTING ? NWR_MSG_JOINED : NWR_MSG_JOIN};
    uint16_t through;

    nwr_job_wake(n, &jn->job, n->now + ALIVE_MS);
    if (!way_in(n, &through))
        return;
    nwr_job_forget_calls(n, &jn->job);
    m.u.ring.ordinal = n->ordinal;
    m.u.ring.node = n->id;
    memcpy(m.u.ring.text, n->address, strlen(n->address));
    nwr_call(n, &jn->job, through, 0, &m);
}

static void report(struct nwr_node *n, struct join *jn)
{
    if (jn->state != COPYING || jn->copying || jn->next_pg < n->ring.pgs)
        return;
    jn->state = REPORTING;
    send_join(n, jn);
}

static void start_copying(struct nwr_node *n, struct join *jn)
{
    jn->state = COPYING;
    copy_more(n, jn);
    if (!jn->job.ended)
        report(n, jn);
}

/* What members write while this node copies reaches it only over their connections. */
static void try_copying(struct nwr_node *n, struct join *jn)
{
    bool all = true;

    for (uint32_t i = 0; i < n->ring.nmember; i++)
        all &= nwr_is_up(n, n->ring.member[i].ordinal);
    if (all || n->now >= jn->met_by)
        start_copying(n, jn);
}

/* Under a new ordinal, as the founder gave the last one up. */
static void begin_anew(struct nwr_node *n, struct join *jn)
{
    struct join *again;

    again = nwr_job_new(n, jn->job.kind, sizeof(*again), NULL, 0);
    again->heard = n->now;
    n->ordinal = 0;
    nwr_job_end(n, &jn->job, NWR_E_STALE);
    send_join(n, again);
}

static void pending_ring(struct nwr_node *n, struct join *jn)
{
    nwr_ring_deinit(&jn->future);
    nwr_ring_future(&jn->future, &n->ring);
    n->ordinal = n->ring.pending.ordinal;
    if (jn->state != ASKING)
        return;
    jn->state = MEETING;
    jn->met_by = n->now + MEET_MS;
    nwr_ids_start(n);
    try_copying(n, jn);
}

/* Looks at the ring there is now. */
static void look(struct nwr_node *n, struct join *jn)
{
    const struct nwr_member *self = nwr_ring_find_id(&n->ring, n->id);

    if (n->ring.epoch == 0)
        return;
    if (!self) {
        if (jn->state != ASKING)
            begin_anew(n, jn);
    } else if (self == &n->ring.pending) {
        pending_ring(n, jn);
    } else {
        n->ordinal = self->ordinal;
        n->joining = false;
        nwr_emit(n, NWR_EF_CONNECT);
        end_join(n, jn, NWR_OK, "");
    }
}

static void on_join_answer(struct nwr_node *n, struct nwr_job *j, const struct nwr_call *c,
                           struct nwr_msg *m)
{
    struct join *jn = of(j);
    struct nwr_ring r;

    (void)c;
    jn->heard = n->now;
    if (m->kind == NWR_MSG_REFUSED && m->err == NWR_E_STALE) {
        begin_anew(n, jn);
    } else if (m->kind == NWR_MSG_REFUSED && m->err != NWR_E_BUSY && jn->state == ASKING) {
        m->u.ring.text[sizeof(m->u.ring.text) - 1] = '\0';
        end_join(n, jn, m->err ? m->err : NWR_E_PERM, m->u.ring.text);
    } else if (m->kind == NWR_MSG_JOIN_OK && m->u.ring.ring &&
               nwr_ring_decode(&r, m->u.ring.ring->data, m->u.ring.ring->len) == NWR_OK) {
        /* The ordinal must be known when the ring comes, so that one that lists this node is
         * stored. */
        if (n->ordinal == 0)
            n->ordinal = m->u.ring.ordinal;
        nwr_epoch_learn(n, &r);
    }
}

static void on_join_lost(struct nwr_node *n, struct nwr_job *j, const struct nwr_call *c)
{
    (void)n;
    (void)j;
    (void)c;
}

static void on_join_wake(struct nwr_node *n, struct nwr_job *j)
{
    struct join *jn = of(j);

    if (jn->state == ASKING && n->now >= jn->heard + NWR_DEADLINE_MS) {
        end_join(n, jn, NWR_E_TIMEDOUT, "the node to join through did not answer");
        return;
    }
    if (jn->state == MEETING)
        try_copying(n, jn);
    if (!j->ended)
        send_join(n, jn);
}

static void on_join_changed(struct nwr_node *n, struct nwr_job *j)
{
    struct join *jn = of(j);

    if (jn->state == ASKING && n->link_up && !j->calls)
        send_join(n, jn);
    look(n, jn);
    if (!j->ended && jn->state == MEETING)
        try_copying(n, jn);
}

static void on_join_child(struct nwr_node *n, struct nwr_job *j, struct nwr_job *child,
                          enum nwr_err err)
{
    struct join *jn = of(j);

    (void)child;
    jn->copying--;
    if (err) {
        end_join(n, jn, err, "copying failed: not enough members can be reached, or no room here");
        return;
    }
    copy_more(n, jn);
    if (!j->ended)
        report(n, jn);
}

static void on_join_free(struct nwr_node *n, struct nwr_job *j)
{
    (void)n;
    nwr_ring_deinit(&of(j)->future);
}

static const struct nwr_job_kind join_kind = {.name = "join",
                                              .answer = on_join_answer,
                                              .lost = on_join_lost,
                                              .wake = on_join_wake,
                                              .changed = on_join_changed,
                                              .child = on_join_child,
                                              .drop = on_join_free};

void nwr_join_start(struct nwr_node *n)
{
    struct join *jn = nwr_job_new(n, &join_kind, sizeof(*jn), NULL, 0);

    jn->heard = n->now;
    send_join(n, jn);
}
