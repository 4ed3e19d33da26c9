/* change.c -- driving a joint ring on to the settled one (DESIGN 6).
 *
 *     joint(A, B) --every node holds what it gains, and a barrier of each old list has stored the
 *         |         joint ring--> settled(B)
 *         \--a node that joins fell silent--> settled(A): the change is given up
 *
 * The barrier, N - min(W, R) + 1 of a group's old list, meets every W and every R of that list:
 * from then on nobody can write or read under the ring before the joint one. A copy asked N - W + 1
 * of them under the joint ring, so it met all that was ever acknowledged under the old list alone.
 * Without votes the founder alone drives.
 */
#include "net/core/job.h"

enum {
    LOOK_MS = 1000
};

struct change {
    struct nwr_job job;
    uint64_t epoch;
    nwr_ms seen; /* when all that join were last there */
};

static bool drives(const struct nwr_node *n)
{
    return n->ring.epoch && n->ring.joint && n->ring.founder == n->ordinal && !n->storing.epoch;
}

static bool group_ready(const struct nwr_node *n, nwr_pg pg)
{
    struct nwr_sides sides;
    uint8_t stored = 0;

    nwr_ring_sides(&n->ring, pg, &sides);
    for (uint32_t i = 0; i < sides.n; i++) {
        uint16_t ordinal = sides.side[i].ordinal;
        bool gains = sides.side[i].in == 1 << NWR_LIST_NEXT;

        if (gains && n->peer[ordinal].copied != n->ring.epoch)
            return false;
        stored += sides.side[i].in >> NWR_LIST_NOW & 1 &&
                  (ordinal == n->ordinal || n->peer[ordinal].epoch >= n->ring.epoch);
    }
    return stored >= nwr_ring_barrier(&n->ring);
}

static void settle(struct nwr_node *n)
{
    struct nwr_ring next;

    if (!drives(n))
        return;
    for (uint32_t pg = 0; pg < n->ring.pgs; pg++)
        if (!group_ready(n, (nwr_pg)pg))
            return;
    nwr_ring_settle(&next, &n->ring);
    nwr_epoch_learn(n, &next);
}

static void give_up(struct nwr_node *n)
{
    struct nwr_ring next;

    nwr_log(n, "level=warn event=join_given_up", "");
    nwr_ring_give_up(&next, &n->ring);
    nwr_epoch_learn(n, &next);
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
    if (epoch == n->ring.epoch)
        settle(n);
}

void nwr_change_copied(struct nwr_node *n, uint16_t peer, uint64_t epoch)
{
    struct nwr_peer_state *p = &n->peer[peer];

    if (epoch == p->copied)
        return;
    p->copied = epoch;
    if (epoch == n->ring.epoch)
        settle(n);
}

static void on_wake(struct nwr_node *n, struct nwr_job *j)
{
    struct change *ch = nwr_container_of(j, struct change, job);

    nwr_job_wake(n, j, n->now + LOOK_MS);
    if (!drives(n))
        return;
    if (ch->epoch != n->ring.epoch || joiners_up(n)) {
        ch->epoch = n->ring.epoch;
        ch->seen = n->now;
    }
    if (n->now >= ch->seen + NWR_DEADLINE_MS)
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
