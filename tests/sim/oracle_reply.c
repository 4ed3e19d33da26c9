/* oracle_reply.c -- every request is answered, once, by its deadline; see oracle.h.
 *
 * A process that was stopped answers when it goes on; one that died owes nothing.
 */
#include "tests/sim/oracle.h"
#include "tests/sim/sim_int.h"

enum {
    LATE_US = 100000
};

void oracle_asked(struct sim *s, int node, const struct nwr_request *req, sim_done done)
{
    s->asked = nwr_grow(s->asked, &s->capasked, s->nasked + 1, sizeof(*s->asked));
    s->asked[s->nasked++] = (struct sim_asked){req, node, s->node[node].life, s->now, done};
}

struct sim_asked oracle_answered(struct sim *s, int node, const struct nwr_request *req)
{
    struct sim_asked a;
    uint32_t i = 0;
    sim_us by;

    while (i < s->nasked && (s->asked[i].req != req || s->asked[i].node != node))
        i++;
    if (i == s->nasked)
        sim_fail(s, "[reply] node %d answers a request that it does not owe an answer", node);
    a = s->asked[i];
    by = NWR_MAX(a.at + NWR_DEADLINE_MS * 1000, s->node[node].resumed_at) + LATE_US;
    if (s->now > by)
        sim_fail(s, "[reply] node %d answers %llu us late", node,
                 (unsigned long long)(s->now - by));
    s->asked[i] = s->asked[--s->nasked];
    return a;
}

void oracle_asker_died(struct sim *s, int node)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < s->nasked; i++)
        if (s->asked[i].node != node)
            s->asked[kept++] = s->asked[i];
    s->nasked = kept;
}

void oracle_all_answered(struct sim *s)
{
    if (s->nasked)
        sim_fail(s, "[reply] node %d never answered a request of %llu us", s->asked[0].node,
                 (unsigned long long)s->asked[0].at);
}
