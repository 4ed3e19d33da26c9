/* join.c -- becoming a member: get an ordinal, copy what will be held, be listed (DESIGN 6).
 *
 *     ASKING --ring with this node in the list to come--> WAITING --settled--> joined
 *
 *   1 JOIN to the address given, again every second: the answer also tells what became of it
 *   2 the joint ring is stored: members connect, this node is one of those that must acknowledge
 *   3 move.c copies and says so, the members settle the ring (change.c)
 *   4 a ring that lists this node: it is a member
 * A restart on the way goes on from the stored ring. If the change was given up, it begins anew,
 * under another ordinal. REFUSED, or nobody who answers within the deadline: it is said, and that
 * is the end.
 */
#include "net/core/job.h"

enum {
    ALIVE_MS = 1000
};
enum state {
    ASKING,
    WAITING
};

struct join {
    struct nwr_job job;
    enum state state;
    nwr_ms heard; /* the last sign that the join goes on */
};

static struct join *of(struct nwr_job *j)
{
    return nwr_container_of(j, struct join, job);
}

/* what and why are one line. */
static void end_join(struct nwr_node *n, struct join *jn, enum nwr_err err, const char *what,
                     const char *why)
{
    struct nwr_node_effect *e = nwr_emit(n, NWR_EF_JOINED);
    size_t room = sizeof(e->text) - 1, len = NWR_MIN(strlen(what), room);

    e->err = err;
    memcpy(e->text, what, len);
    memcpy(e->text + len, why, NWR_MIN(strlen(why), room - len));
    nwr_job_end(n, &jn->job, err);
}

/* The address given, else any member. */
static bool way_in(const struct nwr_node *n, uint16_t *peer)
{
    *peer = 0;
    for (uint32_t i = 0; i < n->ring.nmember && !n->link_up && *peer == 0; i++)
        if (n->ring.member[i].ordinal != n->ordinal && nwr_is_up(n, n->ring.member[i].ordinal))
            *peer = n->ring.member[i].ordinal;
    return *peer || n->link_up;
}

static void send_join(struct nwr_node *n, struct join *jn)
{
    struct nwr_msg m = {.kind = NWR_MSG_JOIN};
    uint16_t through;

    nwr_job_wake(n, &jn->job, n->now + ALIVE_MS);
    if (!way_in(n, &through))
        return;
    if (jn->state == WAITING) /* an answer to any of them would do */
        nwr_job_forget_calls(n, &jn->job);
    m.u.ring.node = n->id;
    memcpy(m.u.ring.text, n->address, strlen(n->address));
    nwr_call(n, &jn->job, through, 0, &m);
}

/* Under a new ordinal, as the change with the last one was given up. */
static void begin_anew(struct nwr_node *n, struct join *jn)
{
    n->ordinal = 0;
    jn->state = ASKING;
    jn->heard = n->now;
    send_join(n, jn);
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
        return;
    }
    jn->heard = n->now;
    if (self->weight) {
        n->joining = false;
        nwr_emit(n, NWR_EF_CONNECT);
        end_join(n, jn, NWR_OK, "", "");
    } else if (jn->state == ASKING) {
        jn->state = WAITING;
        nwr_ids_start(n);
    }
}

static void on_join_answer(struct nwr_node *n, struct nwr_job *j, const struct nwr_call *c,
                           struct nwr_msg *m)
{
    struct join *jn = of(j);
    struct nwr_ring r;

    (void)c;
    jn->heard = n->now;
    if (m->kind == NWR_MSG_REFUSED && m->err != NWR_E_BUSY && jn->state == ASKING) {
        m->u.ring.text[sizeof(m->u.ring.text) - 1] = '\0';
        end_join(n, jn, m->err ? m->err : NWR_E_PERM, m->u.ring.text, "");
    } else if (m->kind == NWR_MSG_JOIN_OK && m->u.ring.ring &&
               nwr_ring_decode(&r, m->u.ring.ring->data, m->u.ring.ring->len) == NWR_OK) {
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

    if (jn->state == ASKING && n->now >= jn->heard + NWR_DEADLINE_MS)
        end_join(n, jn, NWR_E_TIMEDOUT, "the node to join through did not answer", "");
    else
        send_join(n, jn);
}

static void on_join_changed(struct nwr_node *n, struct nwr_job *j)
{
    struct join *jn = of(j);

    if (n->copy_err) {
        end_join(n, jn, n->copy_err,
                 "copying what this node is to hold failed: ", nwr_err_text(n->copy_err));
        return;
    }
    if (jn->state == ASKING && n->link_up && !j->calls)
        send_join(n, jn);
    look(n, jn);
}

static const struct nwr_job_kind join_kind = {.name = "join",
                                              .answer = on_join_answer,
                                              .lost = on_join_lost,
                                              .wake = on_join_wake,
                                              .changed = on_join_changed};

void nwr_join_start(struct nwr_node *n)
{
    struct join *jn = nwr_job_new(n, &join_kind, sizeof(*jn), NULL, 0);

    jn->heard = n->now;
    jn->state = n->ring.epoch ? WAITING : ASKING;
    send_join(n, jn);
}
