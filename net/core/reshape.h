/* reshape.h -- what a person may ask of the ring: remove, replace, weight, n (DESIGN 6, 15).
 *
 * Pure: from a settled ring and a wish to the next ring, or to one line that says why not. Joining
 * is asked for by the node that joins (admit.c); a replacement is expected here and joins there.
 */
#ifndef NWR_RESHAPE_H
#define NWR_RESHAPE_H

#include "net/core/ring.h"

#define NWR_RESHAPE_TEXT 160

enum nwr_reshape_kind {
    NWR_RESHAPE_REMOVE,  /* ordinal */
    NWR_RESHAPE_REPLACE, /* ordinal, by the node that joins from address */
    NWR_RESHAPE_WEIGHT,  /* ordinal, value */
    NWR_RESHAPE_N        /* value */
};

struct nwr_reshape {
    enum nwr_reshape_kind kind;
    uint16_t ordinal;
    uint32_t value;
    char address[64];
    bool force; /* REMOVE, REPLACE: what only that node has is given up, nothing waits for it */
};

/* A forced removal may come while the ring is joint: it is how a change that waits for a node that
 * will never come back is freed. */
bool nwr_reshape_amends(const struct nwr_reshape *wish);
/* dst is given: a ring of the next epoch, joint or (REPLACE) settled. r is settled unless the wish
 * amends. */
enum nwr_err nwr_reshape(struct nwr_ring *dst, const struct nwr_ring *r,
                         const struct nwr_reshape *wish, char text[NWR_RESHAPE_TEXT]);
/* The joint ring that lets a node in, in the place of another if it is the one expected. */
void nwr_reshape_admit(struct nwr_ring *dst, const struct nwr_ring *settled, nwr_node_id id,
                       const char *address);

#endif
