/* mp.h -- the part of msgpack that frames are made of: unsigned integers, strings, bytes, arrays
 * and nil, written in their shortest form, read in any form.
 *
 * Readers return false on another type, or when the bytes end; nothing is allocated.
 * Thread: any.
 */
#ifndef NWR_MP_H
#define NWR_MP_H

#include "nwr/pack.h"

void nwr_mp_put_nil(struct nwr_out *o);
void nwr_mp_put_uint(struct nwr_out *o, uint64_t v);
void nwr_mp_put_array(struct nwr_out *o, uint32_t n);
void nwr_mp_put_str(struct nwr_out *o, const char *s, uint32_t len);
/* The head of a bin; the caller adds len bytes. */
void nwr_mp_put_bin(struct nwr_out *o, uint32_t len);

bool nwr_mp_uint(struct nwr_in *in, uint64_t *v);
bool nwr_mp_array(struct nwr_in *in, uint32_t *n);
/* Borrowed from the input. */
bool nwr_mp_str(struct nwr_in *in, const uint8_t **s, uint32_t *len);
bool nwr_mp_bin(struct nwr_in *in, const uint8_t **data, uint32_t *len);
/* Consumes a nil if there is one. */
bool nwr_mp_nil(struct nwr_in *in);

#endif
