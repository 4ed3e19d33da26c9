/* store_rocks.h -- where ops of the real store run; for tests and benchmarks.
 *
 * Measured on two shared cores (net/store/README.md): handing a small op to another thread and
 * back costs several times what the op itself does, so it is carried out where it is submitted.
 */
#ifndef NWR_STORE_ROCKS_H
#define NWR_STORE_ROCKS_H

#include "net/store/store.h"

enum nwr_store_mode {
    NWR_STORE_INLINE,  /* small ops in submit when nothing is queued; the default */
    NWR_STORE_THREADED /* everything on the worker */
};

/* With nothing submitted. */
void nwr_store_rocks_mode(struct nwr_store *s, enum nwr_store_mode mode);
/* As nwr_store_rocks_open, with segment files of another size. */
enum nwr_err nwr_store_rocks_open_sized(struct nwr_store **out, const char *dir, nwr_ms wait_ms,
                                        uint64_t segment_bytes, char *text, size_t text_len);

#endif
