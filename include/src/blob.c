/* blob.c -- see nwr/blob.h. */
#include "nwr/blob.h"

struct nwr_blob *nwr_blob_new(size_t len)
{
    struct nwr_blob *b;

    nwr_assert(len <= UINT32_MAX);
    b = nwr_alloc(sizeof(*b) + len);
    *b = (struct nwr_blob){.refs = 1, .len = (uint32_t)len, .data = (uint8_t *)(b + 1)};
    return b;
}

struct nwr_blob *nwr_blob_copy(const void *data, size_t len)
{
    struct nwr_blob *b = nwr_blob_new(len);

    if (len)
        memcpy(b->data, data, len);
    return b;
}

struct nwr_blob *nwr_blob_wrap(void *data, size_t len, void (*free_data)(void *), void *arg)
{
    struct nwr_blob *b = nwr_blob_new(0);

    nwr_assert(len <= UINT32_MAX);
    b->data = data;
    b->len = (uint32_t)len;
    b->free_data = free_data;
    b->arg = arg;
    return b;
}

struct nwr_blob *nwr_blob_ref(struct nwr_blob *b)
{
    if (b)
        __atomic_add_fetch(&b->refs, 1, __ATOMIC_RELAXED);
    return b;
}

void nwr_blob_unref(struct nwr_blob *b)
{
    if (!b || __atomic_sub_fetch(&b->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    if (b->free_data)
        b->free_data(b->arg);
    nwr_free(b);
}
