/* compact.h -- copies the live blocks of sparse segment files elsewhere, so that they can go.
 *
 * One step looks at a bounded number of entries and copies a bounded number of bytes. A file is
 * removed by a reclaim, once its last block is gone and that is on disk.
 */
#ifndef NWR_STORE_COMPACT_H
#define NWR_STORE_COMPACT_H

#include "net/store/engine.h"

struct nwr_compact {
    uint32_t segment;   /* being copied out; 0: none */
    uint32_t done;      /* files up to this were looked at in this round */
    struct nwr_skey at; /* next entry to look at */
};

/* False: nothing (more) to do in this round. sparse: see nwr_segments_sparse. */
bool nwr_compact_step(struct nwr_compact *c, struct nwr_engine *e,
                      uint32_t (*sparse)(struct nwr_engine *e, uint32_t after));

#endif
