/* verify.h -- is a store whole? For simulation oracles, tests and scrubbing.
 *
 * Looks at everything the store holds, at once: not for the loop thread of a busy node.
 */
#ifndef NWR_STORE_VERIFY_H
#define NWR_STORE_VERIFY_H

#include "net/store/store.h"

/* What was looked at, and what is wrong: missing to index are zero in a whole store. */
struct nwr_verify {
    uint64_t records, blocks;
    uint64_t idle;       /* blocks nothing refers to: pinned, else leaked until the next open */
    uint64_t missing;    /* blocks named by a version or a block and not stored */
    uint64_t miscounted; /* blocks whose count differs from the references to them */
    uint64_t corrupt;    /* records, entries or bytes that do not verify */
    uint64_t lost;       /* of those, blocks that are known to be lost */
    uint64_t stray;      /* bytes that no block owns */
    uint64_t digests;    /* PGs whose digest is not the sum of their records */
    uint64_t index;      /* records that are in the index of conflicts and should not be, or not */
};

/* After everything submitted was polled. E_IO when the store cannot be read. */
enum nwr_err nwr_store_mem_verify(struct nwr_store *s, struct nwr_verify *out);
enum nwr_err nwr_store_rocks_verify(struct nwr_store *s, struct nwr_verify *out);

#endif
