/* gossip.c -- the node's share in members.h: events in, messages out, news acted upon.
 *
 * Liveness never decides what a request does. It can only make a node look again: who is up by
 * news but has no connection is dialed at once, and requests wait a moment for that before they
 * say E_HOSTDOWN. Every gossip message carries its sender's ring epoch; the one behind is taught.
 */
#include "net/core/job.h"
#include "net/core/members.h"
#include "net/core/text.h"

static void log_life(struct nwr_node *n, uint16_t peer, enum nwr_life life)
{
    static const char *const names[] = {"up", "suspect", "down"};
    struct nwr_out o = {0};

    nwr_text(&o, "event=member peer=");
    nwr_text_u64(&o, peer);
    nwr_text(&o, " state=");
    nwr_text(&o, names[life]);
    nwr_out_u8(&o, 0);
    nwr_log(n, (const char *)o.data, "");
    nwr_out_free(&o);
}

static void on_life(struct nwr_node *n, uint16_t peer, enum nwr_life life)
{
    log_life(n, peer, life);
    if (life != NWR_LIFE_UP || nwr_is_up(n, peer))
        return;
    n->peer[peer].maybe_until = n->now + NWR_GRACE_MS;
    n->peer[peer].known = true;
    nwr_emit(n, NWR_EF_CONNECT)->peer = peer;
    nwr_jobs_changed(n);
}

static void carry_out(struct nwr_node *n)
{
    struct nwr_members_effect e;

    while (nwr_members_take(n->members, &e)) {
        if (e.kind == NWR_MEMBERS_LIFE)
            on_life(n, e.peer, e.life);
        else if (nwr_is_up(n, e.peer))
            nwr_send(n, e.peer, &e.msg);
        nwr_msg_deinit(&e.msg);
    }
}

/* Who is listed follows the ring. */
static void follow_ring(struct nwr_node *n)
{
    uint32_t m = n->ring.nmember;
    uint16_t *list = nwr_alloc(m * sizeof(*list));

    for (uint32_t i = 0; i < m; i++)
        list[i] = n->ring.member[i].ordinal;
    n->listed_epoch = n->ring.epoch;
    nwr_members_list(n->members, list, m, n->now);
    for (uint32_t i = 0; i < m; i++)
        if (list[i] != n->ordinal)
            nwr_members_link(n->members, list[i], n->peer[list[i]].up, n->now);
    nwr_free(list);
}

/* A node whose joining was given up is nobody again: what it had due would never be done. */
static void forget_others(struct nwr_node *n)
{
    nwr_members_destroy(n->members);
    n->members = NULL;
}

void nwr_gossip_tick(struct nwr_node *n)
{
    bool is_listed = n->ordinal && n->ring.epoch;

    if (n->members && (!is_listed || n->members_self != n->ordinal))
        forget_others(n);
    if (!is_listed)
        return;
    if (!n->members) {
        n->members = nwr_members_create(n->ordinal, nwr_rng_next(&n->rng));
        n->members_self = n->ordinal;
        n->listed_epoch = 0;
    }
    if (n->listed_epoch != n->ring.epoch)
        follow_ring(n);
    nwr_members_load(n->members, n->ring.epoch, n->load_records, n->load_bytes);
    nwr_members_tick(n->members, n->now);
    carry_out(n);
}

void nwr_gossip_link(struct nwr_node *n, uint16_t peer, bool up)
{
    if (n->members)
        nwr_members_link(n->members, peer, up, n->now);
}

void nwr_gossip_message(struct nwr_node *n, uint16_t peer, const struct nwr_msg *m)
{
    if (NWR_RULE(GOSSIP_TEACHES) && m->epoch != n->ring.epoch && !n->storing.epoch &&
        n->now >= n->taught_at + NWR_TEACH_MS) {
        n->taught_at = n->now;
        nwr_epoch_tell(n, peer);
    }
    if (n->members)
        nwr_members_message(n->members, peer, m, n->now);
}

nwr_ms nwr_gossip_deadline(const struct nwr_node *n)
{
    return n->members ? nwr_members_deadline(n->members) : NWR_NEVER;
}

const struct nwr_members *nwr_node_members(const struct nwr_node *n)
{
    return n->members;
}

void nwr_node_load(struct nwr_node *n, uint64_t records, uint64_t bytes)
{
    n->load_records = records;
    n->load_bytes = bytes;
}
