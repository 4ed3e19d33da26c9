/* map_build.c -- the next map: edits go down the tree, new nodes come up; see map_tree.h.
 *
 * Each node on the way is read, its items are replaced where edits touch them, and the list is
 * cut into nodes again. A list that got short takes in its right neighbour, so nodes stay at
 * least a quarter full but for those at the edge of an edit. Nodes that no edit touches are shared
 * by name.
 */
#include "fs/core/map_tree.h"

/* ---- edits --------------------------------------------------------------------------------- */

void nwr_map_edits_add(struct nwr_map_edits *l, uint64_t lo, uint64_t hi)
{
    struct nwr_map_edit *last = l->n ? &l->e[l->n - 1] : NULL;

    nwr_assert(!last || last->hi <= lo);
    if (lo >= hi)
        return;
    if (last && last->hi == lo) {
        last->hi = hi;
        return;
    }
    l->e = nwr_grow(l->e, &l->cap, l->n + 1, sizeof(*l->e));
    l->e[l->n++] = (struct nwr_map_edit){lo, hi, l->items.n, 0};
}

void nwr_map_edits_item(struct nwr_map_edits *l, const struct nwr_extent *e)
{
    struct nwr_map_edit *last = &l->e[l->n - 1];

    nwr_assert(l->n > 0 && e->off >= last->lo && nwr_extent_end(e) <= last->hi);
    nwr_items_add(&l->items, e);
    last->n++;
}

void nwr_map_edits_cut(struct nwr_map_edits *l, uint64_t lo)
{
    while (l->n && l->e[l->n - 1].lo >= lo) {
        nwr_assert(l->e[l->n - 1].n == 0);
        l->n--;
    }
    if (l->n && l->e[l->n - 1].hi > lo)
        l->e[l->n - 1].hi = lo;
    nwr_assert(l->items.n == 0 || nwr_extent_end(&l->items.e[l->items.n - 1]) <= lo);
}

void nwr_map_edits_deinit(struct nwr_map_edits *l)
{
    nwr_free(l->e);
    nwr_items_deinit(&l->items);
    *l = (struct nwr_map_edits){0};
}

/* The edits that touch [lo, hi). */
static void edits_of(const struct nwr_map_edits *l, uint64_t lo, uint64_t hi, uint32_t *first,
                     uint32_t *end)
{
    uint32_t a = 0, b = l->n;

    while (a < b) {
        uint32_t mid = a + (b - a) / 2;

        if (l->e[mid].hi <= lo)
            a = mid + 1;
        else
            b = mid;
    }
    *first = a;
    while (a < l->n && l->e[a].lo < hi)
        a++;
    *end = a;
}

/* ---- extents ------------------------------------------------------------------------------- */

static void extent_add(struct nwr_items *out, const struct nwr_extent *e)
{
    struct nwr_extent *last = out->n ? &out->e[out->n - 1] : NULL;

    if (last && nwr_extent_end(last) == e->off && nwr_map_same_id(&last->block, &e->block) &&
        last->block_off + last->len == e->block_off && last->len + e->len <= NWR_BLOCK_MAX) {
        last->len += e->len;
        return;
    }
    nwr_items_add(out, e);
}

/* Copies what of the items lies in [lo, hi); *i is the first that may reach beyond lo. */
static void extents_copy(const struct nwr_extent *item, uint32_t n, uint32_t *i, uint64_t lo,
                         uint64_t hi, struct nwr_items *out)
{
    for (; *i < n && item[*i].off < hi; ++*i) {
        struct nwr_extent e = item[*i];
        uint64_t a = NWR_MAX(e.off, lo), z = NWR_MIN(nwr_extent_end(&e), hi);

        if (a < z) {
            e.block_off += (uint32_t)(a - e.off);
            e.off = a;
            e.len = (uint32_t)(z - a);
            extent_add(out, &e);
        }
        if (nwr_extent_end(&item[*i]) > hi)
            return;
    }
}

/* An item of an edit belongs to the range it starts in, and may reach into the next: that one
 * is cut there by the same edit. */
static void build_extents(struct nwr_map_build *b, const struct nwr_extent *item, uint32_t n,
                          uint64_t lo, uint64_t hi, struct nwr_items *out)
{
    uint32_t i = 0, first, end;
    uint64_t pos = lo;

    edits_of(b->edits, lo, hi, &first, &end);
    for (uint32_t k = first; k < end; k++) {
        const struct nwr_map_edit *e = &b->edits->e[k];

        extents_copy(item, n, &i, pos, e->lo, out);
        for (uint32_t j = e->first; j < e->first + e->n; j++) {
            const struct nwr_extent *x = &b->edits->items.e[j];

            if (x->off >= lo && x->off < hi)
                extent_add(out, x);
        }
        pos = e->hi;
    }
    extents_copy(item, n, &i, pos, hi, out);
}

/* ---- nodes --------------------------------------------------------------------------------- */

/* A new node of these items of depth d, as an item of depth d + 1. */
static void node_make(struct nwr_map_build *b, uint8_t depth, const struct nwr_extent *item,
                      uint32_t n, struct nwr_items *out)
{
    uint64_t bytes = nwr_items_bytes(depth, item, n);
    struct nwr_new_node *node;
    struct nwr_extent up = {.off = item[0].off,
                            .len = (uint32_t)bytes,
                            .block_off = (uint32_t)(bytes >> 32),
                            .block = {b->ino, b->wid, b->number + b->nnode}};

    b->node = nwr_grow(b->node, &b->capnode, b->nnode + 1, sizeof(*b->node));
    node = &b->node[b->nnode++];
    *node = (struct nwr_new_node){.depth = depth};
    for (uint32_t i = 0; i < n; i++)
        nwr_items_add(&node->items, &item[i]);
    nwr_items_add(out, &up);
}

/* Cuts the list in nodes of like size; at the right edge, where files grow, in full ones. */
static void nodes_cut(struct nwr_map_build *b, uint8_t depth, struct nwr_items *list, bool right,
                      struct nwr_items *out)
{
    uint32_t count = (list->n + b->fanout - 1) / b->fanout, pos = 0;

    for (uint32_t i = 0; i < count; i++) {
        uint32_t left = list->n - pos;
        uint32_t n = right ? NWR_MIN(left, b->fanout) : left / (count - i);

        node_make(b, depth, list->e + pos, n, out);
        pos += n;
    }
    nwr_assert(pos == list->n);
    list->n = 0;
}

struct range {
    uint64_t lo, hi;
    bool right; /* nothing lies beyond */
};

static void build_level(struct nwr_map_build *b, uint8_t depth, const struct nwr_extent *item,
                        uint32_t n, struct range r, struct nwr_items *out);

/* Appends the items of a child, edited, to list; nothing if it must be fetched first. */
static void build_child(struct nwr_map_build *b, uint8_t depth, const struct nwr_extent *at,
                        struct range r, struct nwr_items *list)
{
    uint64_t end = NWR_MIN(r.hi, b->old_size);
    const struct nwr_map_node *node;
    uint32_t first, last;

    edits_of(b->edits, r.lo, r.hi, &first, &last);
    if (last == first + 1 && b->edits->e[first].lo <= at->off && b->edits->e[first].hi >= end) {
        build_level(b, depth, NULL, 0, r, list); /* nothing of it is left */
        return;
    }
    node = nwr_map_src_node(b->src, at, depth, end, b->needs);
    if (node)
        build_level(b, depth, node->items.e, node->items.n, r, list);
}

static void build_level(struct nwr_map_build *b, uint8_t depth, const struct nwr_extent *item,
                        uint32_t n, struct range r, struct nwr_items *out)
{
    struct nwr_items list = {0}; /* of depth - 1, not yet in a node */
    uint8_t below = (uint8_t)(depth - 1);

    if (depth == 0) {
        build_extents(b, item, n, r.lo, r.hi, out);
        return;
    }
    if (n == 0)
        build_level(b, below, NULL, 0, r, &list);
    for (uint32_t i = 0; i < n; i++) {
        struct range child = {i ? item[i].off : r.lo, i + 1 < n ? item[i + 1].off : r.hi,
                              r.right && i + 1 == n};
        uint32_t first, end;

        edits_of(b->edits, child.lo, child.hi, &first, &end);
        if (first == end && (list.n == 0 || list.n >= b->fanout / 4)) {
            nodes_cut(b, below, &list, false, out);
            nwr_items_add(out, &item[i]);
            continue;
        }
        build_child(b, below, &item[i], child, &list);
    }
    nodes_cut(b, below, &list, r.right, out);
    nwr_items_deinit(&list);
}

/* A root that names one node takes over what is in it. */
static bool root_collapse(struct nwr_map_build *b, uint8_t *depth, struct nwr_items *root)
{
    const struct nwr_block_id *id = &root->e[0].block;
    const struct nwr_map_node *old;

    --*depth;
    if (id->ino == b->ino && id->wid == b->wid) {
        struct nwr_new_node *last = &b->node[b->nnode - 1];

        nwr_assert(b->nnode > 0 && id->number == b->number + b->nnode - 1);
        nwr_items_deinit(root);
        *root = last->items;
        b->nnode--;
        return true;
    }
    old = nwr_map_src_node(b->src, &root->e[0], *depth, b->old_size, b->needs);
    if (!old)
        return false;
    root->n = 0;
    for (uint32_t i = 0; i < old->items.n; i++)
        nwr_items_add(root, &old->items.e[i]);
    return true;
}

static void root_split(struct nwr_map_build *b, uint8_t *depth, struct nwr_items *root)
{
    struct nwr_items up = {0};

    nodes_cut(b, *depth, root, true, &up);
    nwr_items_deinit(root);
    *root = up;
    ++*depth;
}

bool nwr_map_build(struct nwr_map_build *b, const struct nwr_map *old, uint64_t size,
                   struct nwr_map *out)
{
    struct range all = {0, UINT64_MAX, true};
    struct nwr_items root = {0};
    uint8_t depth = old->depth;

    nwr_assert(b->fanout >= 4 && b->fanout <= NWR_MAP_FANOUT);
    b->old_size = old->size;
    build_level(b, depth, old->item, old->n, all, &root);
    if (b->needs->n || b->needs->err)
        goto fail;
    if (root.n == 0)
        depth = 0;
    while (root.n > b->fanout)
        root_split(b, &depth, &root);
    while (depth > 0 && root.n == 1)
        if (!root_collapse(b, &depth, &root))
            goto fail;
    if (depth > NWR_MAP_DEPTH_MAX) {
        b->needs->err = NWR_E_FBIG;
        goto fail;
    }
    *out = (struct nwr_map){size, depth, root.e, root.n};
    return true;
fail:
    nwr_items_deinit(&root);
    return false;
}

void nwr_map_build_deinit(struct nwr_map_build *b)
{
    for (uint32_t i = 0; i < b->nnode; i++)
        nwr_items_deinit(&b->node[i].items);
    nwr_free(b->node);
    b->node = NULL;
    b->nnode = b->capnode = 0;
}
