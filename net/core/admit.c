/* admit.c -- letting nodes in (DESIGN 6; without votes, so the founder alone decides).
 *
 *     JOIN   at a member --> passed on to the founder, its answer passed back
 *            at the founder: settled --> joint ring with the node in the list to come --> JOIN_OK
 *                            joint: another change is under way --> its turn comes, or REFUSED
 *
 * The ordinal is in the stored ring before the node hears of it, so it is never given twice. What
 * then happens to the joint ring is in change.c.
 */
#include "net/core/job.h"

enum {
    ADMIT_WAIT_MS = 8000
};

struct admit {
    struct nwr_job job;
    struct nwr_origin from;
    struct nwr_msg msg;
};

static struct admit *of(struct nwr_job *j)
{
    return nwr_container_of(j, struct admit, job);
}

static void refuse(struct nwr_node *n, struct admit *a, enum nwr_err err, const char *text)
{
    struct nwr_msg m = {.kind = NWR_MSG_REFUSED, .err = err};
    size_t len = NWR_MIN(strlen(text), sizeof(m.u.ring.text) - 1);

    memcpy(m.u.ring.text, text, len);
    nwr_reply(n, &a->from, &m);
    nwr_job_end(n, &a->job, err);
}

static void accept(struct nwr_node *n, struct admit *a, uint16_t ordinal)
{
    struct nwr_msg m = {.kind = NWR_MSG_JOIN_OK};

    m.u.ring.ring = nwr_epoch_blob(&n->ring);
    m.u.ring.ordinal = ordinal;
    nwr_reply(n, &a->from, &m);
    nwr_job_end(n, &a->job, NWR_OK);
}

/* ---- at the founder -------------------------------------------------------------------------- */

static void propose(struct nwr_node *n, const struct nwr_msg *m)
{
    struct nwr_ring next;

    nwr_ring_open(&next, &n->ring);
    nwr_ring_admit(&next, m->u.ring.node, m->u.ring.text);
    nwr_epoch_learn(n, &next);
}

static bool address_fits(const struct nwr_msg *m)
{
    const char *end = memchr(m->u.ring.text, 0, sizeof(((struct nwr_member *)0)->address));

    return end != NULL && end != m->u.ring.text && m->u.ring.node != 0;
}

static void try_join(struct nwr_node *n, struct admit *a)
{
    const struct nwr_member *known = nwr_ring_find_id(&n->ring, a->msg.u.ring.node);

    if (n->storing.epoch) {
        return; /* its turn comes when that is adopted */
    } else if (known) {
        accept(n, a, known->ordinal);
    } else if (!address_fits(&a->msg)) {
        refuse(n, a, NWR_E_FORMAT, "the joining node gave no address");
    } else if (n->ring.next_ordinal > NWR_ORDINAL_MAX || n->ring.nmember >= NWR_MEMBERS_MAX) {
        refuse(n, a, NWR_E_NOSPC, "this volume has no ordinal left for another node");
    } else if (!n->ring.joint) {
        propose(n, &a->msg);
        if (!a->job.ended && n->storing.epoch == 0)
            refuse(n, a, NWR_E_IO, "the ring could not be stored");
    }
}

/* ---- at another member ----------------------------------------------------------------------- */

static void pass_on(struct nwr_node *n, struct admit *a)
{
    const struct nwr_member *founder = nwr_ring_find(&n->ring, n->ring.founder);
    struct nwr_msg m = {.kind = a->msg.kind};
    char text[160] = "the first node of the volume admits new ones and cannot be reached: ";

    if (a->job.calls)
        return;
    if (nwr_is_up(n, n->ring.founder)) {
        m.u.ring = a->msg.u.ring;
        m.u.ring.ring = NULL;
        nwr_call(n, &a->job, n->ring.founder, 0, &m);
    } else if (!nwr_is_maybe(n, n->ring.founder)) {
        if (founder)
            memcpy(text + strlen(text), founder->address, strlen(founder->address) + 1);
        refuse(n, a, NWR_E_HOSTDOWN, text);
    }
}

static void on_answer(struct nwr_node *n, struct nwr_job *j, const struct nwr_call *c,
                      struct nwr_msg *m)
{
    struct admit *a = of(j);

    (void)c;
    nwr_reply(n, &a->from, m);
    nwr_job_end(n, j, NWR_OK);
}

static void look(struct nwr_node *n, struct admit *a)
{
    if (n->ring.founder == n->ordinal)
        try_join(n, a);
    else
        pass_on(n, a);
}

static void on_lost(struct nwr_node *n, struct nwr_job *j, const struct nwr_call *c)
{
    (void)c;
    look(n, of(j));
}

static void on_changed(struct nwr_node *n, struct nwr_job *j)
{
    look(n, of(j));
}

static void on_wake(struct nwr_node *n, struct nwr_job *j)
{
    struct admit *a = of(j);

    if (n->ring.founder == n->ordinal)
        refuse(n, a, NWR_E_BUSY, "the ring is being changed; try again when that is done");
    else
        refuse(n, a, NWR_E_TIMEDOUT, "the first node of the volume did not answer");
}

static void on_free(struct nwr_node *n, struct nwr_job *j)
{
    (void)n;
    nwr_msg_deinit(&of(j)->msg);
}

static const struct nwr_job_kind admit_kind = {.name = "admit",
                                               .answer = on_answer,
                                               .lost = on_lost,
                                               .wake = on_wake,
                                               .changed = on_changed,
                                               .drop = on_free};

void nwr_admit_message(struct nwr_node *n, struct nwr_origin *o, struct nwr_msg *m)
{
    struct admit *a = nwr_job_new(n, &admit_kind, sizeof(*a), NULL, 0);

    a->from = *o;
    a->msg = *m;
    memset(m, 0, sizeof(*m));
    nwr_job_wake(n, &a->job, n->now + ADMIT_WAIT_MS);
    if (n->joining)
        refuse(n, a, NWR_E_HOSTDOWN, "this node is joining itself; ask a member");
    else
        look(n, a);
}
