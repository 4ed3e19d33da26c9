/* suspect.h -- how long a member may be suspected before it counts as down (Lifeguard,
 * arXiv 1707.00788: one accuser alone may be the one who is in trouble).
 *
 * A suspicion starts long and gets shorter with every other member that says the same, down to
 * the shortest when as many as were wanted have. Where nobody could confirm it (two members) it
 * is the shortest at once.
 *
 * Thread: the owner's. Allocates: no.
 */
#ifndef NWR_SUSPECT_H
#define NWR_SUSPECT_H

#include "nwr/types.h"

enum {
    NWR_CONFIRMERS_MAX = 3,
    NWR_SUSPECT_MS = 2500,   /* the shortest, among up to ten members */
    NWR_SUSPECT_LONGEST = 3, /* times as much without a confirmation */
    NWR_ACCUSERS_MAX = NWR_CONFIRMERS_MAX + 1
};

/* Invariants: nby <= 1 + wanted; the accusers differ; shortest_ms <= longest_ms. */
struct nwr_suspicion {
    nwr_ms since;
    nwr_ms shortest_ms, longest_ms;
    uint16_t by[NWR_ACCUSERS_MAX];
    uint8_t nby, wanted;
};

/* members: of the ring, this node and the suspect included. */
void nwr_suspicion_start(struct nwr_suspicion *s, uint16_t by, uint32_t members, nwr_ms now);
/* True: by had not said so yet, and it made the suspicion shorter. */
bool nwr_suspicion_confirm(struct nwr_suspicion *s, uint16_t by);
nwr_ms nwr_suspicion_ends(const struct nwr_suspicion *s);
void nwr_suspicion_check(const struct nwr_suspicion *s);
/* Decimal digits of n: what times that must let news pass among n members grow with. */
uint32_t nwr_suspicion_digits(uint32_t n);

#endif
