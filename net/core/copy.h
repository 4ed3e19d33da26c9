/* copy.h -- deep copies of what requests and messages own; blobs are shared by count.
 *
 * Ownership: copies are the caller's. Thread: any. Allocates: yes.
 */
#ifndef NWR_COPY_H
#define NWR_COPY_H

#include "net/core/msg.h"

struct nwr_block *nwr_blocks_copy(const struct nwr_block *block, uint32_t n);
void nwr_blocks_free(struct nwr_block *block, uint32_t n);
struct nwr_guard *nwr_guards_copy(const struct nwr_guard *guard, uint32_t n);
void nwr_guards_free(struct nwr_guard *guard, uint32_t n);
/* dst is uninitialised. */
void nwr_rows_copy(struct nwr_rows *dst, const struct nwr_rows *src);

#endif
