/* admit.c -- letting nodes in (DESIGN 6): any member that is asked proposes it.
 *
 *     JOIN --settled--> joint ring with the node in the list to come is decided --> JOIN_OK
 *          --joint: another change is under way--> its turn comes, or REFUSED
 *          --no majority of the members is reached--> REFUSED
 *
 * The ordinal is in the decided ring before the node hears of it, so it is never given twice. What
 * then happens to the joint ring is in change.c.
 */
#include "net/core/job.h"
#include "net/core/reshape.h"

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

static void propose(struct nwr_node *n, const struct nwr_msg *m)
{
    struct nwr_ring next;

    nwr_reshape_admit(&next, &n->ring, m->u.ring.node, m->u.ring.text);
    nwr_decide(n, &next, false);
}

static bool address_fits(const struct nwr_msg *m)
{
    const char *end = memchr(m->u.ring.text, 0, sizeof(((struct nwr_member *)0)->address));

    return end != NULL && end != m->u.ring.text && m->u.ring.node != 0;
}

static void look(struct nwr_node *n, struct admit *a)
{
    const struct nwr_member *known = nwr_ring_find_id(&n->ring, a->msg.u.ring.node);

    if (known) {
        accept(n, a, known->ordinal);
    } else if (!address_fits(&a->msg)) {
        refuse(n, a, NWR_E_FORMAT, "the joining node gave no address");
    } else if (n->ring.next_ordinal > NWR_ORDINAL_MAX || n->ring.nmember >= NWR_MEMBERS_MAX) {
        refuse(n, a, NWR_E_NOSPC, "this volume has no ordinal left for another node");
    } else if (!n->ring.joint && !nwr_is_deciding(n)) {
        propose(n, &a->msg);
    }
}

static void on_changed(struct nwr_node *n, struct nwr_job *j)
{
    look(n, of(j));
}

static void on_wake(struct nwr_node *n, struct nwr_job *j)
{
    if (n->ring.joint)
        refuse(n, of(j), NWR_E_BUSY, "the ring is being changed; try again when that is done");
    else
        refuse(n, of(j), NWR_E_HOSTDOWN,
               "a majority of the members must agree, and cannot be reached");
}

static void on_free(struct nwr_node *n, struct nwr_job *j)
{
    (void)n;
    nwr_msg_deinit(&of(j)->msg);
}

static const struct nwr_job_kind admit_kind = {
    .name = "admit", .wake = on_wake, .changed = on_changed, .drop = on_free};

void nwr_admit_message(struct nwr_node *n, struct nwr_origin *o, struct nwr_msg *m)
{
    struct admit *a = nwr_job_new(n, &admit_kind, sizeof(*a), NULL, 0);

    a->from = *o;
    a->msg = *m;
    memset(m, 0, sizeof(*m));
    nwr_job_wake(n, &a->job, n->now + ADMIT_WAIT_MS);
    if (n->joining || n->removed)
        refuse(n, a, NWR_E_HOSTDOWN, "this node is no member itself; ask one");
    else
        look(n, a);
}
