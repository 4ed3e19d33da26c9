/* fill.h -- messages with every field set at random, from the field lists of net/wire.
 *
 * A field that is added to a list is in the round-trip and fuzz tests without a word here.
 * Ownership: the message is the caller's (nwr_msg_deinit).
 */
#ifndef NWR_FILL_H
#define NWR_FILL_H

#include "net/core/msg.h"

/* kind: 1 .. NWR_FILL_KINDS. blob_max: bytes of the largest blob. */
#define NWR_FILL_KINDS NWR_MSG_REGISTER_OK
void nwr_fill_msg(struct nwr_msg *m, uint64_t kind, struct nwr_rng *rng, uint32_t blob_max);

/* The whole encoded frame without its length prefix, as one blob. */
struct nwr_blob *nwr_fill_payload(const struct nwr_msg *m);

#endif
