/* pool.c -- request buffers; a WRITE keeps its buffer as a blob and the loop takes another. */
#include "fs/fuse/internal.h"

#include <pthread.h>
#include <stdlib.h>

/* Blobs may be dropped on a store thread, hence the lock. */
struct nwr_fuse_pool {
    pthread_mutex_t lock;
    struct nwr_fuse_buf *idle;
    uint32_t nidle, out;
    bool closed;
};

struct nwr_fuse_pool *nwr_fuse_pool_create(void)
{
    struct nwr_fuse_pool *p = nwr_zalloc(sizeof(*p));

    pthread_mutex_init(&p->lock, NULL);
    return p;
}

static struct nwr_fuse_buf *buf_new(struct nwr_fuse_pool *p)
{
    struct nwr_fuse_buf *b = nwr_zalloc(sizeof(*b));
    void *mem = NULL;

    nwr_assert(posix_memalign(&mem, 4096, NWR_FUSE_BUFFER_BYTES + 8192) == 0);
    b->pool = p;
    b->base = mem;
    b->data = b->base + 4096 - NWR_FUSE_HEADERS;
    return b;
}

static void buf_free(struct nwr_fuse_buf *b)
{
    free(b->base);
    nwr_free(b);
}

static void pool_free(struct nwr_fuse_pool *p)
{
    while (p->idle) {
        struct nwr_fuse_buf *b = p->idle;

        p->idle = b->next;
        buf_free(b);
    }
    pthread_mutex_destroy(&p->lock);
    nwr_free(p);
}

void nwr_fuse_pool_destroy(struct nwr_fuse_pool *p)
{
    bool last;

    pthread_mutex_lock(&p->lock);
    p->closed = true;
    last = p->out == 0;
    pthread_mutex_unlock(&p->lock);
    if (last)
        pool_free(p);
}

struct nwr_fuse_buf *nwr_fuse_pool_get(struct nwr_fuse_pool *p)
{
    struct nwr_fuse_buf *b;

    pthread_mutex_lock(&p->lock);
    b = p->idle;
    if (b) {
        p->idle = b->next;
        p->nidle--;
    }
    p->out++;
    pthread_mutex_unlock(&p->lock);
    return b ? b : buf_new(p);
}

void nwr_fuse_pool_put(struct nwr_fuse_buf *b)
{
    struct nwr_fuse_pool *p = b->pool;
    bool keep, last;

    pthread_mutex_lock(&p->lock);
    p->out--;
    keep = !p->closed && p->nidle < NWR_FUSE_BUFFERS_KEPT;
    if (keep) {
        b->next = p->idle;
        p->idle = b;
        p->nidle++;
    }
    last = p->closed && p->out == 0;
    pthread_mutex_unlock(&p->lock);
    if (!keep)
        buf_free(b);
    if (last)
        pool_free(p);
}

static void on_blob_free(void *arg)
{
    nwr_fuse_pool_put(arg);
}

struct nwr_blob *nwr_fuse_buf_blob(struct nwr_fuse_buf *b, const void *from, size_t len)
{
    size_t at = (size_t)((const uint8_t *)from - b->base);

    return nwr_blob_wrap(b->base + at, len, on_blob_free, b);
}
