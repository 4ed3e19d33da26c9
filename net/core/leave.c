/* leave.c -- a group that is here and not held is handed over once more, then erased (DESIGN 6, 7).
 *
 *     IDLE --settled ring, or start--> LOOKING (digests) --a group not held--> HANDING its pages
 *      | ^                                                                      ^  |
 *      | |<------ the next one <--ERASING <--a quorum of its list has all on disk--/
 *      \--the last hint of a group this node stood in for has ended------------/
 *
 * It left this node by a change of the ring, or this node stood in for a replica. What a directory
 * with a low W was content with may be here alone: it is the reads of read.c that bring it to the
 * list, and nothing is sent where digests are equal. Nothing is erased while the ring is joint,
 * since the change may be given up, nor while hints name records of the group, nor when more was
 * stored for a hint since the first page. What cannot be handed over now is tried again, after the
 * other groups.
 * A node that leaves the ring hands over while that is joint, hints or not, to quorums of both
 * lists; the ring settles when it has (change.c). Then its hints have no more to do.
 */
#include "net/core/job.h"

enum {
    LOOK_MS = 60000,
    RETRY_MS = 2000,
    SETTLE_MS = 500
};
enum state {
    IDLE,
    LOOKING,
    HANDING,
    ERASING
};

struct leave {
    struct nwr_job job;
    enum state state;
    uint64_t epoch;     /* that was looked under */
    uint64_t looked;    /* 0: not yet, or in vain */
    nwr_ms pause_until; /* after one that could not be handed over */
    nwr_pg pg;
    struct nwr_key after;
    bool *left; /* of every group: is here and should not be */
};

static struct leave *of(struct nwr_job *j)
{
    return nwr_container_of(j, struct leave, job);
}

static bool departs(const struct nwr_node *n)
{
    return nwr_ring_leaves(&n->ring, n->ordinal);
}

/* This ring has not been looked under, and should be. */
static bool is_due(const struct nwr_node *n, const struct leave *lv)
{
    return lv->looked != n->ring.epoch && (!n->ring.joint || departs(n));
}

static void idle(struct nwr_node *n, struct leave *lv, nwr_ms wait)
{
    lv->state = IDLE;
    if (is_due(n, lv))
        wait = NWR_MIN(wait, SETTLE_MS);
    nwr_job_wake(n, &lv->job, n->now + wait);
}

static void put_off(struct nwr_node *n, struct leave *lv)
{
    lv->left[lv->pg] = true;
    lv->pause_until = n->now + RETRY_MS;
    idle(n, lv, RETRY_MS);
}

static bool may_go(const struct nwr_node *n, nwr_pg pg)
{
    return n->ring.epoch && !n->joining && !n->removed &&
           (departs(n) || (!n->ring.joint && !(n->hints.pg[pg] && NWR_RULE(HINTS_FIRST)))) &&
           !nwr_ring_holds(&n->ring, pg, n->ordinal);
}

static void hand_page(struct nwr_node *n, struct leave *lv)
{
    struct nwr_range range = {.after = lv->after};

    range.prefix.len = 2;
    range.prefix.b[0] = (uint8_t)(lv->pg >> 8);
    range.prefix.b[1] = (uint8_t)lv->pg;
    lv->state = HANDING;
    lv->epoch = n->ring.epoch;
    nwr_read_leave(n, &lv->job, lv->pg, &range);
}

static void handed(struct nwr_node *n, struct leave *lv);

static void erase(struct nwr_node *n, struct leave *lv)
{
    lv->state = ERASING;
    if (!NWR_RULE(ERASED)) {
        handed(n, lv);
        return;
    }
    nwr_free(n->hints.dots); /* see hints.h: what they claim is gone with the records */
    n->hints.dots = NULL;
    nwr_lend_submit(n, nwr_lend(n, &lv->job, 0, NWR_STORE_ERASE, lv->pg));
}

/* False: none can go. */
static bool hand_next(struct nwr_node *n, struct leave *lv)
{
    for (uint32_t i = 1; i <= n->ring.pgs; i++) {
        nwr_pg pg = (nwr_pg)((lv->pg + i) % n->ring.pgs);

        if (!(lv->left[pg] || n->hints.stray[pg]) || !may_go(n, pg))
            continue;
        lv->pg = pg;
        lv->after = (struct nwr_key){.len = 0};
        n->hints.stray[pg] = false;
        nwr_job_wake(n, &lv->job, NWR_NEVER); /* one at a time: idle() sets it again */
        if (NWR_RULE(HAND_OVER))
            hand_page(n, lv);
        else
            erase(n, lv);
        return true;
    }
    return false;
}

static void next_group(struct nwr_node *n, struct leave *lv)
{
    if (!hand_next(n, lv))
        idle(n, lv, LOOK_MS);
}

static void handed(struct nwr_node *n, struct leave *lv)
{
    lv->left[lv->pg] = false;
    next_group(n, lv);
}

static void looked(struct nwr_node *n, struct leave *lv, const struct nwr_store_op *op)
{
    static const struct nwr_pg_digest nothing;

    for (uint32_t pg = 0; pg < NWR_PGS_MAX && !op->err; pg++)
        lv->left[pg] |= memcmp(&op->digest[pg], &nothing, sizeof(nothing)) != 0;
    lv->looked = op->err ? 0 : lv->epoch;
    if (op->err)
        idle(n, lv, LOOK_MS);
    else
        next_group(n, lv);
}

static void on_stored(struct nwr_node *n, struct nwr_job *j, struct nwr_lent *l)
{
    struct leave *lv = of(j);

    if (l->op.kind == NWR_STORE_DIGESTS) {
        looked(n, lv, &l->op);
    } else if (l->op.err) {
        put_off(n, lv);
    } else if (l->op.more && may_go(n, lv->pg) && !n->hints.stray[lv->pg]) {
        erase(n, lv);
    } else {
        lv->left[lv->pg] = l->op.more;
        n->count.pgs_erased += !l->op.more;
        next_group(n, lv);
    }
}

static void on_child(struct nwr_node *n, struct nwr_job *j, struct nwr_job *child, enum nwr_err err)
{
    struct leave *lv = of(j);

    if (err || lv->epoch != n->ring.epoch || !may_go(n, lv->pg) || n->hints.stray[lv->pg])
        put_off(n, lv);
    else if (nwr_read_page(child, &lv->after))
        hand_page(n, lv);
    else if (departs(n))
        handed(n, lv);
    else
        erase(n, lv);
}

static void look(struct nwr_node *n, struct leave *lv)
{
    nwr_job_wake(n, &lv->job, NWR_NEVER);
    if (n->ring.epoch == 0 || (n->ring.joint && !departs(n)) || n->joining || n->removed) {
        idle(n, lv, LOOK_MS);
        return;
    }
    lv->state = LOOKING;
    lv->epoch = n->ring.epoch;
    nwr_lend_submit(n, nwr_lend(n, &lv->job, 0, NWR_STORE_DIGESTS, 0));
}

static void on_wake(struct nwr_node *n, struct nwr_job *j)
{
    look(n, of(j));
}

static void on_changed(struct nwr_node *n, struct nwr_job *j)
{
    struct leave *lv = of(j);

    if (lv->state == IDLE && is_due(n, lv))
        nwr_job_wake(n, j, n->now + SETTLE_MS);
}

static void on_free(struct nwr_node *n, struct nwr_job *j)
{
    (void)n;
    nwr_free(of(j)->left);
}

static const struct nwr_job_kind leave_kind = {.name = "leave",
                                               .stored = on_stored,
                                               .child = on_child,
                                               .wake = on_wake,
                                               .changed = on_changed,
                                               .drop = on_free};

void nwr_leave_strays(struct nwr_node *n)
{
    struct leave *lv = of(n->leaver);

    if (lv->state == IDLE && n->now >= lv->pause_until)
        hand_next(n, lv);
}

bool nwr_leave_done(const struct nwr_node *n)
{
    const struct leave *lv = nwr_container_of(n->leaver, const struct leave, job);

    for (uint32_t pg = 0; departs(n) && pg < n->ring.pgs; pg++)
        if ((lv->left[pg] || n->hints.stray[pg]) && may_go(n, (nwr_pg)pg))
            return false;
    return !departs(n) || (lv->looked == n->ring.epoch && lv->state == IDLE);
}

void nwr_leave_start(struct nwr_node *n)
{
    struct leave *lv = nwr_job_new(n, &leave_kind, sizeof(*lv), NULL, 0);

    n->leaver = &lv->job;
    lv->left = nwr_zalloc(NWR_PGS_MAX * sizeof(*lv->left));
    idle(n, lv, RETRY_MS);
}
