/* pack.h -- bounded little-endian bytes in and out, for record bodies, keys and disk formats.
 *
 * A reader never runs past its end: it turns `bad`, yields zeros, and the caller checks once.
 * Wire frames are msgpack (net/wire); what is inside them as a binary field is this.
 *
 * Ownership: nwr_out owns its bytes until nwr_out_blob or nwr_out_free; nwr_in borrows.
 */
#ifndef NWR_PACK_H
#define NWR_PACK_H

#include "nwr/blob.h"

struct nwr_out {
    uint8_t *data;
    uint32_t len, cap;
};

void nwr_out_u8(struct nwr_out *o, uint8_t v);
void nwr_out_u16(struct nwr_out *o, uint16_t v);
void nwr_out_u32(struct nwr_out *o, uint32_t v);
void nwr_out_u64(struct nwr_out *o, uint64_t v);
/* LEB128. */
void nwr_out_var(struct nwr_out *o, uint64_t v);
void nwr_out_raw(struct nwr_out *o, const void *data, size_t len);
/* Length (var) and bytes. */
void nwr_out_bytes(struct nwr_out *o, const void *data, size_t len);
/* Gives the bytes as a blob and empties o. */
struct nwr_blob *nwr_out_blob(struct nwr_out *o);
void nwr_out_free(struct nwr_out *o);

struct nwr_in {
    const uint8_t *p, *end;
    bool bad;
};

/* data may be NULL where len is 0. */
static inline struct nwr_in nwr_in_of(const void *data, size_t len)
{
    return (struct nwr_in){data, len ? (const uint8_t *)data + len : data, false};
}

uint8_t nwr_in_u8(struct nwr_in *i);
uint16_t nwr_in_u16(struct nwr_in *i);
uint32_t nwr_in_u32(struct nwr_in *i);
uint64_t nwr_in_u64(struct nwr_in *i);
uint64_t nwr_in_var(struct nwr_in *i);
/* A count of items of at least item_min bytes each: bad if that cannot fit in what is left. */
uint32_t nwr_in_count(struct nwr_in *i, size_t item_min);
/* Borrowed bytes; NULL and bad when there are not enough. */
const uint8_t *nwr_in_raw(struct nwr_in *i, size_t len);
const uint8_t *nwr_in_bytes(struct nwr_in *i, size_t *len);
/* True if nothing was bad and nothing is left. */
bool nwr_in_done(const struct nwr_in *i);

#endif
