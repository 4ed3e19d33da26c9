/* place.c -- which members hold a placement group, and how many make a quorum. See ring.h.
 *
 * Weighted rendezvous: every member draws u in (0, 1] from a hash of (member, PG); the member
 * with the smallest -log2(u) / weight comes first. Adding a member moves only what it takes over.
 * The logarithm is in fixed point, so that every machine and compiler places alike.
 */
#include "net/core/ring.h"
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
    const struct nwr_member *m;
};

/* Bounded: cost < 2^39, weight < 2^16. */
static bool draw_before(const struct draw *a, const struct draw *b)
{
    uint64_t x = a->cost * b->m->weight, y = b->cost * a->m->weight;

    return x != y ? x < y : a->m->ordinal < b->m->ordinal;
}

uint32_t nwr_ring_place(const struct nwr_ring *r, nwr_pg pg, uint16_t out[NWR_REPLICAS_MAX])
{
    struct draw best[NWR_REPLICAS_MAX];
    uint32_t want = NWR_MIN(r->n, r->nmember), have = 0;

    nwr_assert(want <= NWR_REPLICAS_MAX);
    for (uint32_t i = 0; i < r->nmember; i++) {
        uint64_t hash = nwr_mix64(nwr_mix64(r->member[i].id) ^ nwr_mix64(pg + r->volume));
        struct draw d = {minus_log2(hash), &r->member[i]};
        uint32_t at = have;

        while (at > 0 && draw_before(&d, &best[at - 1]))
            at--;
        if (at >= want)
            continue;
        have = NWR_MIN(have + 1, want);
        memmove(best + at + 1, best + at, (have - at - 1) * sizeof(best[0]));
        best[at] = d;
    }
    for (uint32_t i = 0; i < have; i++)
        out[i] = best[i].m->ordinal;
    return have;
}

bool nwr_ring_holds(const struct nwr_ring *r, nwr_pg pg, uint16_t ordinal)
{
    uint16_t list[NWR_REPLICAS_MAX];
    uint32_t n = nwr_ring_place(r, pg, list);

    for (uint32_t i = 0; i < n; i++)
        if (list[i] == ordinal)
            return true;
    return false;
}

/* Both quorums of the volume are majorities of N: with fewer members they stay majorities. */
static uint8_t quorum(const struct nwr_ring *r, uint8_t asked, uint8_t volume, uint8_t other)
{
    uint8_t m = (uint8_t)NWR_MIN(r->n, r->nmember);
    uint8_t majority = (uint8_t)(r->n / 2 + 1);

    if (asked == NWR_QUORUM_ALL)
        return m;
    if (asked)
        return NWR_MIN(asked, m);
    volume = volume ? volume : majority;
    other = other ? other : majority;
    if (volume == majority && other == majority)
        return (uint8_t)(m / 2 + 1);
    return NWR_MIN(volume, m);
}

uint8_t nwr_ring_w(const struct nwr_ring *r, uint8_t asked)
{
    return quorum(r, asked, r->w, r->r);
}

uint8_t nwr_ring_r(const struct nwr_ring *r, uint8_t asked)
{
    return quorum(r, asked, r->r, r->w);
}
