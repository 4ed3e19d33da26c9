/* itable.c -- see itable.h. */
#include "fs/core/itable.h"

static uint32_t bucket(const struct nwr_itable *it, uint64_t key)
{
    return (uint32_t)(nwr_mix64(key) & (it->buckets - 1));
}

static void link_node(struct nwr_itable *it, struct nwr_node *n)
{
    struct nwr_node **id = &it->by_id[bucket(it, n->id)];
    struct nwr_node **root = &it->by_root[bucket(it, n->root)];

    n->next_id = *id;
    *id = n;
    n->next_root = *root;
    *root = n;
}

static void grow(struct nwr_itable *it)
{
    struct nwr_node **old = it->by_id;
    uint32_t buckets = it->buckets;

    nwr_free(it->by_root);
    it->buckets = buckets ? buckets * 2 : 64;
    it->by_id = nwr_zalloc(it->buckets * sizeof(struct nwr_node *));
    it->by_root = nwr_zalloc(it->buckets * sizeof(struct nwr_node *));
    for (uint32_t i = 0; i < buckets; i++)
        for (struct nwr_node *n = old[i], *next; n; n = next) {
            next = n->next_id;
            link_node(it, n);
        }
    nwr_free(old);
}

void nwr_itable_init(struct nwr_itable *it)
{
    struct nwr_node *root;

    *it = (struct nwr_itable){.next = NWR_NODE_ROOT + 1};
    grow(it);
    root = nwr_itable_add(it, NWR_INO_ROOT, NWR_INO_ROOT, NWR_TYPE_DIR);
    root->nlookup = 1;
    nwr_assert(root->id == NWR_NODE_ROOT);
}

static void node_destroy(struct nwr_node *n)
{
    if (n->file)
        nwr_file_destroy(n->file);
    nwr_request_destroy(n->held);
    nwr_free(n->unsure);
    nwr_free(n->way);
    nwr_free(n);
}

void nwr_itable_deinit(struct nwr_itable *it)
{
    for (uint32_t i = 0; i < it->buckets; i++)
        for (struct nwr_node *n = it->by_id[i], *next; n; n = next) {
            next = n->next_id;
            node_destroy(n);
        }
    nwr_free(it->birth);
    nwr_free(it->by_id);
    nwr_free(it->by_root);
    *it = (struct nwr_itable){0};
}

struct nwr_node *nwr_itable_find(struct nwr_itable *it, uint64_t id)
{
    struct nwr_node *n = it->by_id[bucket(it, id)];

    while (n && n->id != id)
        n = n->next_id;
    return n;
}

static struct nwr_node *of_root(struct nwr_node *n, nwr_ino root)
{
    while (n && n->root != root)
        n = n->next_root;
    return n;
}

struct nwr_node *nwr_itable_of(struct nwr_itable *it, nwr_ino root)
{
    return of_root(it->by_root[bucket(it, root)], root);
}

struct nwr_node *nwr_itable_next(struct nwr_node *n)
{
    return of_root(n->next_root, n->root);
}

struct nwr_node *nwr_itable_add(struct nwr_itable *it, nwr_ino ino, nwr_ino root, uint8_t type)
{
    struct nwr_node *n = nwr_zalloc(sizeof(*n));

    if (it->n >= it->buckets)
        grow(it);
    n->id = nwr_itable_find(it, root) ? it->next++ : root;
    n->ino = ino;
    n->root = root;
    n->type = type;
    if (type == NWR_TYPE_DIR)
        n->dirs = (struct nwr_dirs){{root}, 1};
    link_node(it, n);
    it->n++;
    return n;
}

bool nwr_node_unsent(const struct nwr_node *n)
{
    if (n->refused)
        return !n->saved;
    return !n->dropped && (n->held || (n->file && nwr_file_dirty(n->file)));
}

void nwr_node_base(struct nwr_node *n, struct nwr_seen version, nwr_hlc hlc)
{
    n->version = version;
    n->version_hlc = hlc;
}

void nwr_itable_unhold(struct nwr_itable *it, struct nwr_node *n)
{
    nwr_request_destroy(n->held);
    n->held = NULL;
    n->tried = false;
    for (uint32_t i = 0; i < it->nbirth; i++)
        if (it->birth[i] == n)
            it->birth[i--] = it->birth[--it->nbirth];
}

void nwr_itable_reap(struct nwr_itable *it, struct nwr_node *n)
{
    struct nwr_node **p;

    if (n->id == NWR_NODE_ROOT || n->nlookup || n->opens || n->pins || n->pushing || n->touch_at)
        return;
    if (n->push_at)
        return;
    for (p = &it->by_id[bucket(it, n->id)]; *p != n; p = &(*p)->next_id)
        nwr_assert(*p);
    *p = n->next_id;
    for (p = &it->by_root[bucket(it, n->root)]; *p != n; p = &(*p)->next_root)
        nwr_assert(*p);
    *p = n->next_root;
    it->n--;
    if (n->held)
        nwr_itable_unhold(it, n);
    node_destroy(n);
}

void nwr_itable_check(const struct nwr_itable *it)
{
    uint32_t ids = 0, roots = 0;

    for (uint32_t i = 0; i < it->buckets; i++) {
        for (struct nwr_node *n = it->by_id[i]; n; n = n->next_id) {
            nwr_assert(bucket(it, n->id) == i);
            nwr_assert(n->nlookup || n->opens || n->pins || n->pushing || n->touch_at ||
                       n->push_at || n->id == NWR_NODE_ROOT);
            ids++;
        }
        for (struct nwr_node *n = it->by_root[i]; n; n = n->next_root)
            roots++;
    }
    nwr_assert(ids == it->n);
    nwr_assert(roots == it->n);
}
