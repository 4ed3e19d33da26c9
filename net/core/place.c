/* place.c -- which members hold a placement group, and how many make a quorum. See ring.h.
 *
 * Weighted rendezvous: every member draws u in (0, 1] from a hash of (member, PG); the member
 * with the smallest -log2(u) / weight comes first. Adding a member moves only what it takes over.
 * The logarithm is in fixed point, so that every machine and compiler places alike.
 */
#include "net/core/ring.h"
#include "net/core/rules.h"
#include "nwr/volume.h"

enum {
    LOG_BITS = 32
};

/* -log2((x + 1) / 2^64) with LOG_BITS binary places. */
static uint64_t minus_log2(uint64_t x)
{
    uint64_t whole, mantissa, frac = 0;
    unsigned top = 63;

    if (x == UINT64_MAX)
        return 0;
    x++;
    while (!(x >> top))
        top--;
    whole = top;
    /* 1 <= mantissa < 2 with 31 binary places; each squaring yields one more bit of the log. */
    mantissa = top >= 31 ? x >> (top - 31) : x << (31 - top);
    for (int bit = 0; bit < LOG_BITS; bit++) {
        mantissa = mantissa * mantissa >> 31;
        frac <<= 1;
        if (mantissa >> 32) {
            mantissa >>= 1;
            frac |= 1;
        }
    }
    return ((uint64_t)64 << LOG_BITS) - (whole << LOG_BITS | frac);
}

struct draw {
    uint64_t cost; /* -log2(u) */
    uint32_t weight;
    uint16_t ordinal;
};

/* Bounded: cost < 2^39, weight < 2^16. */
static bool draw_before(const struct draw *a, const struct draw *b)
{
    uint64_t x = a->cost * b->weight, y = b->cost * a->weight;

    return x != y ? x < y : a->ordinal < b->ordinal;
}

static uint32_t weight_in(const struct nwr_member *m, enum nwr_list list)
{
    return list == NWR_LIST_NOW ? m->weight : m->next_weight;
}

static uint8_t n_of(const struct nwr_ring *r, enum nwr_list list)
{
    return list == NWR_LIST_NOW ? r->n : r->next.n;
}

uint32_t nwr_ring_size(const struct nwr_ring *r, enum nwr_list list)
{
    uint32_t size = 0;

    for (uint32_t i = 0; i < r->nmember; i++)
        size += weight_in(&r->member[i], list) > 0;
    return size;
}

/* Replicas a group has in a list. */
static uint8_t replicas(const struct nwr_ring *r, enum nwr_list list)
{
    return (uint8_t)NWR_MIN(n_of(r, list), nwr_ring_size(r, list));
}

/* The first `want` of a list; returns how many there are. */
static uint32_t draw_all(const struct nwr_ring *r, enum nwr_list list, nwr_pg pg, uint32_t want,
                         struct draw *best)
{
    uint64_t group =
        nwr_mix64(pg + r->volume + (NWR_RULE(MOVES_LEAST) ? 0 : nwr_ring_size(r, list)));
    uint32_t have = 0;

    for (uint32_t i = 0; i < r->nmember; i++) {
        const struct nwr_member *m = &r->member[i];
        uint64_t hash = nwr_mix64(nwr_mix64(m->seat && NWR_RULE(SEAT) ? m->seat : m->id) ^ group);
        struct draw d = {minus_log2(hash), weight_in(m, list), m->ordinal};
        uint32_t at = have;

        d.weight = NWR_RULE(WEIGHTED) ? d.weight : d.weight > 0;
        while (d.weight && at > 0 && draw_before(&d, &best[at - 1]))
            at--;
        if (!d.weight || at >= want)
            continue;
        have = NWR_MIN(have + 1, want);
        memmove(best + at + 1, best + at, (have - at - 1) * sizeof(best[0]));
        best[at] = d;
    }
    return have;
}

uint32_t nwr_ring_place_in(const struct nwr_ring *r, enum nwr_list list, nwr_pg pg,
                           uint16_t out[NWR_REPLICAS_MAX])
{
    struct draw best[NWR_REPLICAS_MAX];
    uint32_t want = replicas(r, list), have;

    nwr_assert(want <= NWR_REPLICAS_MAX);
    have = draw_all(r, list, pg, want, best);
    for (uint32_t i = 0; i < have; i++)
        out[i] = best[i].ordinal;
    return have;
}

uint32_t nwr_ring_spares(const struct nwr_ring *r, nwr_pg pg, bool writes,
                         uint16_t out[NWR_REPLICAS_MAX])
{
    struct draw best[2 * NWR_REPLICAS_MAX];
    uint32_t m = replicas(r, NWR_LIST_NOW), have, n = 0;

    have = draw_all(r, NWR_LIST_NOW, pg, 2 * m, best);
    for (uint32_t i = m; i < have; i++)
        if (!writes || (NWR_RULE(STANDS_IN) &&
                        (!NWR_RULE(LEAVER_TAKES_NONE) || !nwr_ring_leaves(r, best[i].ordinal))))
            out[n++] = best[i].ordinal;
    return n;
}

bool nwr_ring_is_spare(const struct nwr_ring *r, nwr_pg pg, bool writes, uint16_t ordinal)
{
    uint16_t spare[NWR_REPLICAS_MAX] = {0};
    uint32_t n = nwr_ring_spares(r, pg, writes, spare);

    for (uint32_t i = 0; i < n; i++)
        if (spare[i] == ordinal)
            return true;
    return false;
}

uint32_t nwr_ring_place(const struct nwr_ring *r, nwr_pg pg, uint16_t out[NWR_REPLICAS_MAX])
{
    return nwr_ring_place_in(r, NWR_LIST_NOW, pg, out);
}

static bool holds_in(const struct nwr_ring *r, enum nwr_list list, nwr_pg pg, uint16_t ordinal)
{
    uint16_t place[NWR_REPLICAS_MAX];
    uint32_t n = nwr_ring_place_in(r, list, pg, place);

    for (uint32_t i = 0; i < n; i++)
        if (place[i] == ordinal)
            return true;
    return false;
}

bool nwr_ring_holds(const struct nwr_ring *r, nwr_pg pg, uint16_t ordinal)
{
    return holds_in(r, NWR_LIST_NOW, pg, ordinal);
}

bool nwr_ring_gains(const struct nwr_ring *r, nwr_pg pg, uint16_t ordinal)
{
    return r->joint && holds_in(r, NWR_LIST_NEXT, pg, ordinal) && !nwr_ring_holds(r, pg, ordinal);
}

static void sides_add(struct nwr_sides *s, uint16_t ordinal, enum nwr_list list)
{
    uint32_t i = 0;

    while (i < s->n && s->side[i].ordinal != ordinal)
        i++;
    if (i == s->n) {
        nwr_assert(s->n < NWR_COUNT(s->side));
        s->side[s->n].ordinal = ordinal;
        s->side[s->n++].in = 0;
    }
    s->side[i].in |= (uint8_t)(1 << list);
}

void nwr_ring_sides(const struct nwr_ring *r, nwr_pg pg, struct nwr_sides *out)
{
    uint16_t place[NWR_REPLICAS_MAX];

    *out = (struct nwr_sides){.n = 0};
    for (enum nwr_list list = NWR_LIST_NOW; list < NWR_LISTS; list++) {
        uint32_t n = nwr_ring_place_in(r, list, pg, place);

        for (uint32_t i = 0; i < n; i++) {
            if (list == NWR_LIST_NOW && nwr_ring_find(r, place[i])->lost) {
                out->lost = true;
                continue;
            }
            sides_add(out, place[i], list);
            out->m[list]++;
        }
    }
}

bool nwr_sides_copies(const struct nwr_sides *s, uint32_t i)
{
    uint32_t come = 0, leave = 0, first = s->n;

    for (uint32_t k = s->n; k-- > 0;) {
        come += s->side[k].in == 1 << NWR_LIST_NEXT;
        leave += s->side[k].in == 1 << NWR_LIST_NOW;
        if (s->side[k].in >> NWR_LIST_NEXT & 1)
            first = k;
    }
    if (s->m[NWR_LIST_NEXT] == 0)
        return false;
    return s->side[i].in == 1 << NWR_LIST_NEXT || (leave && !come && i == first);
}

bool nwr_ring_copies(const struct nwr_ring *r, nwr_pg pg, uint16_t ordinal)
{
    struct nwr_sides s;

    nwr_ring_sides(r, pg, &s);
    for (uint32_t i = 0; i < s.n; i++)
        if (s.side[i].ordinal == ordinal)
            return nwr_sides_copies(&s, i);
    return false;
}

static uint8_t fit(uint8_t quorum, uint8_t m)
{
    return NWR_RULE(QUORUM_FITS) ? NWR_MIN(quorum, m) : quorum;
}

/* Both quorums of the volume are majorities of N: with fewer members they stay majorities. */
static uint8_t quorum(const struct nwr_ring *r, enum nwr_list list, uint8_t asked, uint8_t volume,
                      uint8_t other)
{
    uint8_t m = replicas(r, list);
    uint8_t majority = (uint8_t)(n_of(r, list) / 2 + 1);

    if (m == 0 || asked == NWR_QUORUM_ALL)
        return m;
    if (asked)
        return fit(asked, m);
    volume = volume ? volume : majority;
    other = other ? other : majority;
    if (volume == majority && other == majority && NWR_RULE(MAJORITY_OF_M))
        return (uint8_t)(m / 2 + 1);
    return fit(volume, m);
}

uint8_t nwr_ring_w_in(const struct nwr_ring *r, enum nwr_list list, uint8_t asked)
{
    bool now = list == NWR_LIST_NOW;

    return quorum(r, list, asked, now ? r->w : r->next.w, now ? r->r : r->next.r);
}

uint8_t nwr_ring_r_in(const struct nwr_ring *r, enum nwr_list list, uint8_t asked)
{
    bool now = list == NWR_LIST_NOW;

    return quorum(r, list, asked, now ? r->r : r->next.r, now ? r->w : r->next.w);
}

uint8_t nwr_ring_w(const struct nwr_ring *r, uint8_t asked)
{
    return nwr_ring_w_in(r, NWR_LIST_NOW, asked);
}

uint8_t nwr_ring_r(const struct nwr_ring *r, uint8_t asked)
{
    return nwr_ring_r_in(r, NWR_LIST_NOW, asked);
}

uint8_t nwr_ring_barrier(const struct nwr_ring *r)
{
    return (uint8_t)(replicas(r, NWR_LIST_NOW) - NWR_MIN(nwr_ring_w(r, 0), nwr_ring_r(r, 0)) + 1);
}
