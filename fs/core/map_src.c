/* map_src.c -- where an operation on a file finds blocks and nodes; see map_tree.h.
 *
 * A call that lacks blocks is made again when they are there. What was brought for it is held
 * until it is through, so that it comes to an end however small the mount's cache is, and however
 * many calls share it.
 */
#include "fs/core/map_tree.h"

enum {
    NODES_KEPT = 64,      /* decoded nodes a file keeps between operations: about 700 KiB */
    HELD_BYTES = 64 << 20 /* brought, but its caller never came back */
};

struct held {
    struct nwr_lru_entry lru;
    struct nwr_blob *data;
    uint64_t op; /* that last used it */
};

static void held_drop(struct nwr_map_src *s, struct nwr_lru_entry *e)
{
    struct held *h = nwr_container_of(e, struct held, lru);

    nwr_lru_remove(&s->held, e);
    nwr_blob_unref(h->data);
    nwr_free(h);
}

static void node_drop(struct nwr_map_src *s, struct nwr_lru_entry *e)
{
    struct nwr_map_node *n = nwr_container_of(e, struct nwr_map_node, lru);

    nwr_lru_remove(&s->nodes, e);
    nwr_items_deinit(&n->items);
    nwr_free(n);
}

void nwr_map_src_deinit(struct nwr_map_src *s)
{
    while (s->held.oldest)
        held_drop(s, s->held.oldest);
    while (s->nodes.oldest)
        node_drop(s, s->nodes.oldest);
    nwr_lru_deinit(&s->held);
    nwr_lru_deinit(&s->nodes);
}

void nwr_map_src_have(struct nwr_map_src *s, const struct nwr_block_id *id, struct nwr_blob *data)
{
    struct held *h;

    nwr_block_cache_put(s->cache, id, data);
    if (nwr_lru_find(&s->held, id))
        return;
    h = nwr_zalloc(sizeof(*h));
    h->lru.id = *id;
    h->lru.bytes = data->len;
    h->data = nwr_blob_ref(data);
    nwr_lru_add(&s->held, &h->lru);
}

void nwr_map_src_begin(struct nwr_map_src *s)
{
    s->op++;
}

void nwr_map_src_done(struct nwr_map_src *s)
{
    while (s->held.newest && nwr_container_of(s->held.newest, struct held, lru)->op == s->op)
        held_drop(s, s->held.newest);
    while (s->held.oldest && s->held.bytes > HELD_BYTES)
        held_drop(s, s->held.oldest);
    while (s->nodes.n > NODES_KEPT)
        node_drop(s, s->nodes.oldest);
}

struct nwr_blob *nwr_map_src_block(struct nwr_map_src *s, const struct nwr_block_id *id,
                                   struct nwr_needs *needs)
{
    struct nwr_lru_entry *e = nwr_lru_find(&s->held, id);
    struct nwr_blob *b = nwr_block_cache_get(s->cache, id); /* a hit in held counts here too */

    if (e) {
        struct held *h = nwr_container_of(e, struct held, lru);

        h->op = s->op;
        return h->data;
    }
    if (!b)
        nwr_needs_add(needs, *id);
    return b;
}

static struct nwr_map_node *node_load(struct nwr_map_src *s, const struct nwr_block_id *id,
                                      struct nwr_needs *needs)
{
    struct nwr_blob *b = nwr_map_src_block(s, id, needs);
    struct nwr_lru_entry *brought;
    struct nwr_items items = {0};
    struct nwr_map_node *n;
    uint8_t depth;

    if (!b)
        return NULL;
    if (nwr_node_decode(b, &depth, &items) != NWR_OK) {
        needs->err = NWR_E_CORRUPT;
        return NULL;
    }
    n = nwr_zalloc(sizeof(*n));
    n->lru.id = *id;
    n->lru.bytes = items.n * sizeof(*items.e);
    n->depth = depth;
    n->items = items;
    n->bytes = nwr_items_bytes(depth, items.e, items.n);
    nwr_lru_add(&s->nodes, &n->lru);
    brought = nwr_lru_find(&s->held, id);
    if (brought) /* the node is kept as long */
        held_drop(s, brought);
    return n;
}

/* A lower bound for nodes of nodes; what is below them is checked in its turn. */
static uint64_t node_end(const struct nwr_map_node *n)
{
    const struct nwr_extent *last = &n->items.e[n->items.n - 1];

    return last->off + (n->depth == 0 ? last->len : nwr_extent_below(last));
}

const struct nwr_map_node *nwr_map_src_node(struct nwr_map_src *s, const struct nwr_extent *at,
                                            uint8_t depth, uint64_t hi, struct nwr_needs *needs)
{
    struct nwr_lru_entry *e = nwr_lru_find(&s->nodes, &at->block);
    struct nwr_map_node *n =
        e ? nwr_container_of(e, struct nwr_map_node, lru) : node_load(s, &at->block, needs);

    if (!n)
        return NULL;
    if (n->depth != depth || n->items.e[0].off != at->off || n->bytes != nwr_extent_below(at) ||
        node_end(n) > hi) {
        needs->err = NWR_E_CORRUPT;
        return NULL;
    }
    return n;
}
