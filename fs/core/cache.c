/* cache.c -- the mount's cache of immutable blocks; see fs/core/file.h. */
#include "fs/core/file.h"
#include "fs/core/map_lru.h"

enum {
    OVERHEAD = 128
}; /* bytes an entry takes beside its data */

struct cached {
    struct nwr_lru_entry lru;
    struct nwr_blob *data;
};

struct nwr_block_cache {
    struct nwr_lru lru;
    size_t bytes_max;
};

static void drop(struct nwr_block_cache *c, struct nwr_lru_entry *e)
{
    struct cached *k = nwr_container_of(e, struct cached, lru);

    nwr_lru_remove(&c->lru, e);
    nwr_blob_unref(k->data);
    nwr_free(k);
}

struct nwr_block_cache *nwr_block_cache_create(size_t bytes_max)
{
    struct nwr_block_cache *c = nwr_zalloc(sizeof(*c));

    c->bytes_max = bytes_max;
    return c;
}

void nwr_block_cache_destroy(struct nwr_block_cache *c)
{
    if (!c)
        return;
    while (c->lru.oldest)
        drop(c, c->lru.oldest);
    nwr_lru_deinit(&c->lru);
    nwr_free(c);
}

struct nwr_blob *nwr_block_cache_get(struct nwr_block_cache *c, const struct nwr_block_id *id)
{
    struct nwr_lru_entry *e = nwr_lru_find(&c->lru, id);

    return e ? nwr_container_of(e, struct cached, lru)->data : NULL;
}

void nwr_block_cache_put(struct nwr_block_cache *c, const struct nwr_block_id *id,
                         struct nwr_blob *data)
{
    struct cached *k;

    if (nwr_lru_find(&c->lru, id)) /* blocks never change */
        return;
    k = nwr_zalloc(sizeof(*k));
    k->lru.id = *id;
    k->lru.bytes = (size_t)data->len + OVERHEAD;
    k->data = nwr_blob_ref(data);
    nwr_lru_add(&c->lru, &k->lru);
    while (c->lru.oldest && c->lru.bytes > c->bytes_max)
        drop(c, c->lru.oldest);
}
