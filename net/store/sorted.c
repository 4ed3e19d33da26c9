/* sorted.c -- see map.h. */
#include "net/store/sorted.h"

struct nwr_skey nwr_skey_of(enum nwr_space space, const void *key, size_t len)
{
    struct nwr_skey k;

    nwr_assert(len <= NWR_KEY_MAX);
    k.space = (uint8_t)space;
    k.len = (uint16_t)len;
    if (len)
        memcpy(k.b, key, len);
    return k;
}

static int cmp(uint8_t aspace, const uint8_t *a, size_t alen, uint8_t bspace, const uint8_t *b,
               size_t blen)
{
    int c;

    if (aspace != bspace)
        return aspace < bspace ? -1 : 1;
    c = memcmp(a, b, NWR_MIN(alen, blen));
    return c ? c : (alen > blen) - (alen < blen);
}

int nwr_skey_cmp(const struct nwr_skey *a, const struct nwr_skey *b)
{
    return cmp(a->space, a->b, a->len, b->space, b->b, b->len);
}

static bool is_before(const struct nwr_sorted_node *n, const struct nwr_skey *key)
{
    return cmp(n->space, n->key, n->key_len, key->space, key->b, key->len) < 0;
}

static bool is_key(const struct nwr_sorted_node *n, const struct nwr_skey *key)
{
    return n && n->space == key->space && n->key_len == key->len &&
           memcmp(n->key, key->b, key->len) == 0;
}

/* Fills prev[l] with the link of level l that leads to the first node >= key. */
static void seek(const struct nwr_sorted *m, const struct nwr_skey *key,
                 struct nwr_sorted_node *const **prev)
{
    struct nwr_sorted_node *const *link = m->head;

    for (int l = NWR_SORTED_LEVELS - 1; l >= 0; l--) {
        while (link[l] && is_before(link[l], key))
            link = link[l]->next;
        prev[l] = &link[l];
    }
}

struct nwr_sorted_node *nwr_sorted_lower(const struct nwr_sorted *m, const struct nwr_skey *key)
{
    struct nwr_sorted_node *const *link = m->head;

    for (int l = NWR_SORTED_LEVELS - 1; l >= 0; l--)
        while (link[l] && is_before(link[l], key))
            link = link[l]->next;
    return link[0];
}

struct nwr_sorted_node *nwr_sorted_find(const struct nwr_sorted *m, const struct nwr_skey *key)
{
    struct nwr_sorted_node *n = nwr_sorted_lower(m, key);

    return is_key(n, key) ? n : NULL;
}

/* One node in four of a level is in the next. */
static uint8_t levels_of(const struct nwr_skey *key)
{
    uint64_t h = nwr_hash64(key->b, key->len, key->space);
    uint8_t levels = 1;

    while (levels < NWR_SORTED_LEVELS && (h & 3) == 0) {
        h >>= 2;
        levels++;
    }
    return levels;
}

static struct nwr_sorted_node *node_create(const struct nwr_skey *key, struct nwr_blob *value)
{
    uint8_t levels = levels_of(key);
    size_t links = levels * sizeof(struct nwr_sorted_node *);
    struct nwr_sorted_node *n = nwr_alloc(sizeof(*n) + links + key->len);

    n->value = value;
    n->key = (uint8_t *)n->next + links;
    n->key_len = key->len;
    n->space = key->space;
    n->levels = levels;
    memcpy(n->key, key->b, key->len);
    return n;
}

void nwr_sorted_put(struct nwr_sorted *m, const struct nwr_skey *key, struct nwr_blob *value)
{
    struct nwr_sorted_node *const *prev[NWR_SORTED_LEVELS];
    struct nwr_sorted_node *n;

    seek(m, key, prev);
    n = *prev[0];
    if (is_key(n, key)) {
        nwr_blob_unref(n->value);
        n->value = value;
        return;
    }
    n = node_create(key, value);
    for (int l = 0; l < n->levels; l++) {
        n->next[l] = *prev[l];
        *(struct nwr_sorted_node **)prev[l] = n;
    }
    m->n++;
}

void nwr_sorted_del(struct nwr_sorted *m, const struct nwr_skey *key)
{
    struct nwr_sorted_node *const *prev[NWR_SORTED_LEVELS];
    struct nwr_sorted_node *n;

    seek(m, key, prev);
    n = *prev[0];
    if (!is_key(n, key))
        return;
    for (int l = 0; l < n->levels; l++)
        *(struct nwr_sorted_node **)prev[l] = n->next[l];
    nwr_blob_unref(n->value);
    nwr_free(n);
    m->n--;
}

void nwr_sorted_deinit(struct nwr_sorted *m)
{
    struct nwr_sorted_node *n = m->head[0];

    while (n) {
        struct nwr_sorted_node *next = n->next[0];

        nwr_blob_unref(n->value);
        nwr_free(n);
        n = next;
    }
    *m = (struct nwr_sorted){0};
}
