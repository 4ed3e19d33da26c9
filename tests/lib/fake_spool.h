/* fake_spool.h -- a spool in memory (fs/core/spool.h); `fail` makes every op end with an error.
 *
 * Ownership: the spool owns its bytes. Thread: one.
 */
#ifndef NWR_TESTS_FAKE_SPOOL_H
#define NWR_TESTS_FAKE_SPOOL_H

#include "fs/core/spool.h"

#define FAKE_KEPT_MAX 16

struct fake_spool {
    struct nwr_spool_item item[FAKE_KEPT_MAX]; /* id 0: free */
    struct nwr_blob *data[FAKE_KEPT_MAX], *draft[FAKE_KEPT_MAX];
    bool kept[FAKE_KEPT_MAX];
    enum nwr_err fail;
};

void fake_spool_do(struct fake_spool *s, struct nwr_spool_op *op);
/* What a mount that starts is told; how many. */
uint32_t fake_spool_list(const struct fake_spool *s, struct nwr_spool_item *out);
void fake_spool_deinit(struct fake_spool *s);

#endif
