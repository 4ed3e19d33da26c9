/* hlc.c -- the hybrid logical clock: orders what people see, decides nothing (DESIGN 3). */
#include "net/core/job.h"

enum {
    CLOCK_LOG_MS = 60000
};

nwr_hlc nwr_hlc_next(struct nwr_node *n)
{
    nwr_hlc wall = n->wall / 1000000 << 16;

    n->hlc = NWR_MAX(wall, n->hlc + 1);
    return n->hlc;
}

/* A write is later than what its writer had seen of what it changes, even where that is so far
 * ahead that the clock did not follow: else it would count as earlier than what it replaces, until
 * that time comes. */
nwr_hlc nwr_hlc_later(struct nwr_node *n, nwr_hlc seen)
{
    nwr_hlc next = nwr_hlc_next(n);

    if (!NWR_RULE(CLOCK_LATER))
        return next;
    return NWR_MAX(next, seen == UINT64_MAX ? seen : seen + 1);
}

void nwr_hlc_raise(struct nwr_node *n, nwr_hlc hlc)
{
    nwr_hlc limit = (n->wall / 1000000 + NWR_AHEAD_MS) << 16;

    if (hlc <= limit || !NWR_RULE(CLOCK_AHEAD)) {
        n->hlc = NWR_MAX(n->hlc, hlc);
    } else if (n->now >= n->clock_logged + CLOCK_LOG_MS || n->clock_logged == 0) {
        n->clock_logged = n->now + 1;
        nwr_log(n, "level=warn event=clock_ahead ",
                "text=\"a write of a peer is dated in the future; its clock is not followed\"");
    }
}

void nwr_hlc_seen(struct nwr_node *n, const struct nwr_rows *rows)
{
    for (uint32_t i = 0; i < rows->n; i++)
        for (uint32_t j = 0; j < rows->row[i].rec.n; j++)
            nwr_hlc_raise(n, rows->row[i].rec.v[j].hlc);
}
