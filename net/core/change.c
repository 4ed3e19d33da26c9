/* change.c -- driving a joint ring on to the settled one (DESIGN 6).
 *
 *     joint(A, B) --every node holds what it gains, who leaves has handed over what it stood in
 *         |         for, and a barrier of each old list has stored the joint ring--> settled(B)
 *         \--a node that joins fell silent--> settled(A): the change is given up
 *
 * The barrier, N - min(W, R) + 1 of a group's old list, meets every W and every R of that list:
 * from then on nobody can write or read under the ring before the joint one. A copy asked N - W + 1
 * of them under the joint ring, so it met all that was ever acknowledged under the old list alone.
 * The lowest ordinal that is up drives, others when it does not for a while: who decides is settled
 * by decide.c, so that two may try at once.
 */
#include "net/core/job.h"
#include "net/core/members.h"

enum {
    LOOK_MS = 1000,
    PATIENCE_MS = 5000 /* of those that are not the first */
};

struct change {
    struct nwr_job job;
    uint64_t epoch;
    nwr_ms since; /* when this epoch was first seen here */
    nwr_ms seen;  /* when all that join were last there */
};

static bool may_drive(const struct nwr_node *n)
{
    return n->ring.joint && nwr_ring_lists(&n->ring, n->ordinal) && !nwr_is_deciding(n);
}

static bool is_first(const struct nwr_node *n)
{
    for (uint32_t i = 0; i < n->ring.nmember; i++)
        if (n->ring.member[i].weight && nwr_is_up(n, n->ring.member[i].ordinal))
            return n->ring.member[i].ordinal == n->ordinal;
    return false;
}

static bool group_ready(const struct nwr_node *n, nwr_pg pg)
{
    struct nwr_sides sides;
    uint8_t stored = 0;

    nwr_ring_sides(&n->ring, pg, &sides);
    for (uint32_t i = 0; i < sides.n; i++) {
        uint16_t ordinal = sides.side[i].ordinal;

        if (NWR_RULE(ALL_COPIED) && nwr_sides_copies(&sides, i) &&
            n->peer[ordinal].copied != n->ring.epoch)
            return false;
        stored += sides.side[i].in >> NWR_LIST_NOW & 1 &&
                  (ordinal == n->ordinal || n->peer[ordinal].epoch >= n->ring.epoch);
    }
    if (sides.lost)
        return stored == sides.m[NWR_LIST_NOW];
    return stored >= nwr_ring_barrier(&n->ring) || !NWR_RULE(BARRIER);
}

/* By what all members say together: it is not enough that this one does not hear of it. */
static bool is_down(const struct nwr_node *n, uint16_t ordinal)
{
    nwr_ms since;
    const struct nwr_news *news = n->members ? nwr_members_find(n->members, ordinal, &since) : NULL;

    return ordinal != n->ordinal && news && news->life == NWR_LIFE_DOWN && NWR_RULE(DEAD_LEAVER);
}

/* A sloppy write may be at those who leave alone; what a dead one has is given up with it. */
static bool leavers_ready(const struct nwr_node *n)
{
    for (uint32_t i = 0; i < n->ring.nmember; i++) {
        uint16_t ordinal = n->ring.member[i].ordinal;

        if (nwr_ring_leaves(&n->ring, ordinal) && n->peer[ordinal].copied != n->ring.epoch &&
            !is_down(n, ordinal))
            return false;
    }
    return true;
}

static void settle(struct nwr_node *n)
{
    struct nwr_ring next;

    if (!may_drive(n) || (NWR_RULE(LEAVER_HANDS_OVER) && !leavers_ready(n)))
        return;
    for (uint32_t pg = 0; pg < n->ring.pgs; pg++)
        if (!group_ready(n, (nwr_pg)pg))
            return;
    nwr_ring_settle(&next, &n->ring);
    nwr_decide(n, &next, false);
}

static void give_up(struct nwr_node *n)
{
    struct nwr_ring next;

    nwr_log(n, "level=warn event=join_given_up", "");
    nwr_ring_give_up(&next, &n->ring);
    nwr_decide(n, &next, false);
}

static bool joiners_up(const struct nwr_node *n)
{
    for (uint32_t i = 0; i < n->ring.nmember; i++)
        if (!n->ring.member[i].weight && !nwr_is_up(n, n->ring.member[i].ordinal))
            return false;
    return true;
}

void nwr_change_seen(struct nwr_node *n, uint16_t peer, uint64_t epoch)
{
    struct nwr_peer_state *p = &n->peer[peer];

    if (epoch <= p->epoch)
        return;
    p->epoch = epoch;
    if (epoch == n->ring.epoch && is_first(n))
        settle(n);
}

void nwr_change_copied(struct nwr_node *n, uint16_t peer, uint64_t epoch)
{
    struct nwr_peer_state *p = &n->peer[peer];

    if (epoch == p->copied)
        return;
    p->copied = epoch;
    if (epoch == n->ring.epoch && is_first(n))
        settle(n);
}

static void on_wake(struct nwr_node *n, struct nwr_job *j)
{
    struct change *ch = nwr_container_of(j, struct change, job);

    nwr_job_wake(n, j, n->now + LOOK_MS);
    if (ch->epoch != n->ring.epoch) {
        ch->epoch = n->ring.epoch;
        ch->seen = ch->since = n->now;
    }
    if (joiners_up(n))
        ch->seen = n->now;
    if (!may_drive(n) || (!is_first(n) && n->now < ch->since + PATIENCE_MS))
        return;
    if (n->now >= ch->seen + NWR_DEADLINE_MS && NWR_RULE(GIVEN_UP))
        give_up(n);
    else
        settle(n);
}

static const struct nwr_job_kind change_kind = {.name = "change", .wake = on_wake};

void nwr_change_start(struct nwr_node *n)
{
    struct change *ch = nwr_job_new(n, &change_kind, sizeof(*ch), NULL, 0);

    nwr_job_wake(n, &ch->job, n->now + LOOK_MS);
}
