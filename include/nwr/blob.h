/* blob.h -- immutable counted bytes; the only shared ownership there is.
 *
 * Whoever holds a pointer owns one count. File contents, record bodies and blocks travel as
 * blobs from the kernel to the socket and the disk without a copy.
 *
 * Thread: counts are atomic, contents never change after nwr_blob_new's caller filled them.
 */
#ifndef NWR_BLOB_H
#define NWR_BLOB_H

#include "nwr/base.h"

struct nwr_blob {
    uint32_t refs;
    uint32_t len;
    uint8_t *data; /* inside the same allocation, or foreign */
    void (*free_data)(void *arg);
    void *arg;
};

/* A blob of len bytes, uninitialised, count 1; the caller fills data before sharing it. */
struct nwr_blob *nwr_blob_new(size_t len);
struct nwr_blob *nwr_blob_copy(const void *data, size_t len);
/* Takes foreign memory; free_data(arg) runs once when the last count goes (any thread). */
struct nwr_blob *nwr_blob_wrap(void *data, size_t len, void (*free_data)(void *), void *arg);
/* Gives one more count; NULL stays NULL. */
struct nwr_blob *nwr_blob_ref(struct nwr_blob *b);
/* Takes one count; NULL is ignored. */
void nwr_blob_unref(struct nwr_blob *b);

#endif
