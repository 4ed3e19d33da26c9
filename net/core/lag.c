/* lag.c -- a replica that answers late is spared what it is not needed for (DESIGN 5).
 *
 *     ON TIME --unanswered for NWR_LAG_MS--> LATE --one was answered sooner--> ON TIME
 *
 * One question to each peer is timed at a time. Who is late gets one more when that was answered,
 * and nothing else that others do as well: a read asks those who are on time, a write is kept for
 * it as a hint (read.c, write.c). Else its queue would grow for as long as the others keep the
 * pace, and all it answered would come too late to be of use. What it is needed for it is asked, if
 * those who are on time turn out to be too few, NWR_RETRY_READ_MS later.
 */
#include "net/core/job.h"

void nwr_lag_asked(struct nwr_node *n, uint16_t peer, uint64_t id)
{
    struct nwr_peer_state *p = &n->peer[peer];

    if (p->timed && n->now < p->timed_at + NWR_DEADLINE_MS)
        return;
    p->timed = id;
    p->timed_at = n->now;
}

void nwr_lag_answered(struct nwr_node *n, uint16_t peer, uint64_t id)
{
    struct nwr_peer_state *p = &n->peer[peer];

    if (!id || p->timed != id)
        return;
    p->late = n->now >= p->timed_at + NWR_LAG_MS;
    p->timed = 0;
}

bool nwr_is_spared(const struct nwr_node *n, uint16_t peer)
{
    const struct nwr_peer_state *p = &n->peer[peer];
    nwr_ms since = n->now - p->timed_at;

    if (peer == n->ordinal || !p->timed || since >= NWR_DEADLINE_MS || !NWR_RULE(SPARED))
        return false;
    return p->late || since >= NWR_LAG_MS;
}

bool nwr_is_on_time(const struct nwr_node *n, uint16_t peer)
{
    return nwr_is_up(n, peer) && !nwr_is_spared(n, peer);
}
