/* suspect.c -- see suspect.h. */
#include "net/core/suspect.h"

#include "net/core/rules.h"

uint32_t nwr_suspicion_digits(uint32_t n)
{
    uint32_t digits = 1;

    while (n > 10) {
        n = (n + 9) / 10;
        digits++;
    }
    return digits;
}

void nwr_suspicion_start(struct nwr_suspicion *s, uint16_t by, uint32_t members, nwr_ms now)
{
    uint32_t others = members > 2 ? members - 2 : 0;

    *s = (struct nwr_suspicion){.since = now, .by = {by}, .nby = 1};
    s->wanted = (uint8_t)NWR_MIN(others, NWR_CONFIRMERS_MAX);
    s->shortest_ms = (nwr_ms)NWR_SUSPECT_MS * nwr_suspicion_digits(members);
    s->longest_ms =
        s->shortest_ms * (s->wanted && NWR_RULE(ACCUSER_ALONE) ? NWR_SUSPECT_LONGEST : 1);
}

bool nwr_suspicion_confirm(struct nwr_suspicion *s, uint16_t by)
{
    if (s->nby > s->wanted)
        return false;
    for (uint32_t i = 0; i < s->nby; i++)
        if (s->by[i] == by)
            return false;
    s->by[s->nby++] = by;
    return true;
}

/* The first confirmations say most: log(c + 1) / log(wanted + 1) of the way, in thousandths. */
nwr_ms nwr_suspicion_ends(const struct nwr_suspicion *s)
{
    static const uint16_t way[NWR_CONFIRMERS_MAX + 1][NWR_CONFIRMERS_MAX + 1] = {
        {1000}, {0, 1000}, {0, 631, 1000}, {0, 500, 792, 1000}};
    nwr_ms span = s->longest_ms - s->shortest_ms;

    nwr_assert(s->nby >= 1 && s->nby <= s->wanted + 1);
    return s->since + s->longest_ms - span * way[s->wanted][s->nby - 1] / 1000;
}

void nwr_suspicion_check(const struct nwr_suspicion *s)
{
    nwr_assert(s->nby >= 1 && s->nby <= s->wanted + 1);
    nwr_assert(s->shortest_ms <= s->longest_ms);
    for (uint32_t i = 0; i < s->nby; i++)
        for (uint32_t j = i + 1; j < s->nby; j++)
            nwr_assert(s->by[i] != s->by[j]);
}
