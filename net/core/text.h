/* text.h -- JSON written piece by piece into bytes; the caller keeps commas and brackets right.
 *
 * Thread: any. Allocates: through struct nwr_out.
 */
#ifndef NWR_TEXT_H
#define NWR_TEXT_H

#include "nwr/pack.h"

/* As it is. */
void nwr_text(struct nwr_out *o, const char *s);
void nwr_text_u64(struct nwr_out *o, uint64_t v);
/* 16 digits, quoted. */
void nwr_text_hex(struct nwr_out *o, uint64_t v);
/* Quoted and escaped. */
void nwr_text_string(struct nwr_out *o, const char *s);
/* "name":value, with a comma before it unless it is the first in its object. */
void nwr_text_field(struct nwr_out *o, const char *name, uint64_t v);
void nwr_text_field_string(struct nwr_out *o, const char *name, const char *s);
void nwr_text_name(struct nwr_out *o, const char *name);

#endif
