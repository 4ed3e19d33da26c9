/* behind.c -- see behind.h. */
#include "net/core/behind.h"

struct nwr_behind {
    bool is;
    uint8_t nmet;
    nwr_ms since; /* the last refusal */
    uint16_t met[NWR_LISTS * NWR_REPLICAS_MAX];
};

void nwr_behind_set(struct nwr_node *n, nwr_pg pg)
{
    if (!n->behind)
        n->behind = nwr_zalloc(NWR_PGS_MAX * sizeof(*n->behind));
    n->nbehind += !n->behind[pg].is;
    n->behind[pg] = (struct nwr_behind){.is = true, .since = n->now};
}

static bool has_met(const struct nwr_behind *b, uint16_t peer)
{
    for (uint32_t i = 0; i < b->nmet; i++)
        if (b->met[i] == peer)
            return true;
    return false;
}

static bool has_met_all(const struct nwr_node *n, nwr_pg pg)
{
    struct nwr_sides list;

    nwr_ring_sides(&n->ring, pg, &list);
    for (uint32_t i = 0; i < list.n; i++)
        if (list.side[i].ordinal != n->ordinal && !has_met(&n->behind[pg], list.side[i].ordinal))
            return false;
    return true;
}

void nwr_behind_met(struct nwr_node *n, nwr_pg pg, uint16_t peer, nwr_ms began)
{
    struct nwr_behind *b;

    if (!nwr_is_behind(n, pg) || began <= n->behind[pg].since)
        return;
    b = &n->behind[pg];
    if (!has_met(b, peer)) {
        if (b->nmet == NWR_COUNT(b->met)) /* members came and went */
            b->nmet = 0;
        b->met[b->nmet++] = peer;
    }
    if (!has_met_all(n, pg))
        return;
    b->is = false;
    n->nbehind--;
}

bool nwr_is_behind(const struct nwr_node *n, nwr_pg pg)
{
    return n->nbehind && n->behind[pg].is && NWR_RULE(OWN_BEHIND);
}

bool nwr_behind_any(const struct nwr_node *n)
{
    return n->nbehind > 0;
}

void nwr_behind_deinit(struct nwr_node *n)
{
    nwr_free(n->behind);
    n->behind = NULL;
}
