/* map_tree.h -- the extent tree below a map: its nodes, looking things up, making the next map.
 *
 * A node of depth d is a block: format byte, d, items; the items of depth 0 are extents, those
 * of depth d > 0 name nodes of depth d - 1. Item i of a node covers file offsets from its own
 * `off` to that of item i + 1 (the last one: to where the node's own range ends). Nodes never
 * change; the next map shares every node that no edit touches.
 *
 * Ownership: a source owns the nodes it decoded and a count of the blocks it was brought; it
 * borrows the mount's block cache. Thread: the loop.
 */
#ifndef NWR_FS_MAP_TREE_H
#define NWR_FS_MAP_TREE_H

#include "fs/core/file.h"
#include "fs/core/map_lru.h"

struct nwr_items {
    struct nwr_extent *e;
    uint32_t n, cap;
};
void nwr_items_add(struct nwr_items *l, const struct nwr_extent *e);
void nwr_items_deinit(struct nwr_items *l);

static inline uint64_t nwr_extent_end(const struct nwr_extent *e)
{
    return e->off + e->len;
}

/* Bytes that the extents below an item that names a node cover. */
static inline uint64_t nwr_extent_below(const struct nwr_extent *e)
{
    return (uint64_t)e->block_off << 32 | e->len;
}

/* Bytes that n items of a node or map of this depth cover. */
uint64_t nwr_items_bytes(uint8_t depth, const struct nwr_extent *item, uint32_t n);
/* The blocks that items name, sorted, once each; the caller frees *out. Returns how many. */
uint32_t nwr_items_refs(const struct nwr_extent *item, uint32_t n, struct nwr_block_id **out);

struct nwr_blob *nwr_node_encode(uint8_t depth, const struct nwr_extent *item, uint32_t n);
enum nwr_err nwr_node_decode(const struct nwr_blob *b, uint8_t *depth, struct nwr_items *out);

/* ---- where blocks come from ---- */

struct nwr_map_node {
    struct nwr_lru_entry lru;
    uint8_t depth;
    struct nwr_items items; /* at least one */
    uint64_t bytes;         /* covered */
};

struct nwr_map_src {
    struct nwr_block_cache *cache;
    struct nwr_lru held;  /* brought, until the operation that uses them is through */
    struct nwr_lru nodes; /* decoded */
    uint64_t op;
};

void nwr_map_src_deinit(struct nwr_map_src *s);
void nwr_map_src_have(struct nwr_map_src *s, const struct nwr_block_id *id, struct nwr_blob *data);
/* Brackets an operation: what it was given stays until `done`, which is called if it was
 * complete. */
void nwr_map_src_begin(struct nwr_map_src *s);
void nwr_map_src_done(struct nwr_map_src *s);
/* The bytes of an extent's block (borrowed during the operation), or NULL and needs say why. */
struct nwr_blob *nwr_map_src_block(struct nwr_map_src *s, const struct nwr_block_id *id,
                                   struct nwr_needs *needs);
/* The node of this depth that `at` names, whose range ends at hi; else NULL and needs. */
const struct nwr_map_node *nwr_map_src_node(struct nwr_map_src *s, const struct nwr_extent *at,
                                            uint8_t depth, uint64_t hi, struct nwr_needs *needs);

/* ---- looking ---- */

enum nwr_seg_kind {
    NWR_SEG_HOLE,
    NWR_SEG_PIECE,
    NWR_SEG_EXTENT
};

/* A stretch of a file of one kind; the blob is borrowed. */
struct nwr_seg {
    enum nwr_seg_kind kind;
    uint64_t off, len;
    struct nwr_blob *blob;     /* PIECE */
    uint32_t from;             /* in the blob or block */
    struct nwr_block_id block; /* EXTENT */
    bool borrowed;             /* EXTENT: not in the map yet */
};

struct nwr_segs {
    struct nwr_seg *s;
    uint32_t n, cap;
};
/* Appends; neighbouring holes become one. */
void nwr_segs_add(struct nwr_segs *l, const struct nwr_seg *s);

/* Appends what [lo, hi) holds, without gaps unless needs were added. */
void nwr_map_walk(struct nwr_map_src *s, const struct nwr_map *map, uint64_t lo, uint64_t hi,
                  struct nwr_segs *out, struct nwr_needs *needs);
/* First offset in [lo, hi) in a hole, or in data; hi if there is none. False: needs. */
bool nwr_map_seek(struct nwr_map_src *s, const struct nwr_map *map, uint64_t lo, uint64_t hi,
                  bool hole, uint64_t *result, struct nwr_needs *needs);

/* ---- making the next map ---- */

/* [lo, hi) holds these items of `items` now, and holes between them. */
struct nwr_map_edit {
    uint64_t lo, hi;
    uint32_t first, n;
};

/* Sorted, no overlap; items in the same order. */
struct nwr_map_edits {
    struct nwr_map_edit *e;
    uint32_t n, cap;
    struct nwr_items items;
};
/* Appends [lo, hi), joined to the edit that ends where it starts. Items follow by
 * nwr_map_edits_item. */
void nwr_map_edits_add(struct nwr_map_edits *l, uint64_t lo, uint64_t hi);
void nwr_map_edits_item(struct nwr_map_edits *l, const struct nwr_extent *e);
/* Takes back what lies from lo on; there are no items there. */
void nwr_map_edits_cut(struct nwr_map_edits *l, uint64_t lo);
void nwr_map_edits_deinit(struct nwr_map_edits *l);

struct nwr_map_build {
    struct nwr_map_src *src;
    struct nwr_needs *needs;
    const struct nwr_map_edits *edits;
    uint32_t fanout; /* at most NWR_MAP_FANOUT, at least 4 */
    nwr_ino ino;
    nwr_wid wid;
    uint32_t number; /* of the first new node */
    struct nwr_new_node {
        uint8_t depth;
        struct nwr_items items;
    } * node; /* made; children before parents */
    uint32_t nnode, capnode;
    uint64_t old_size;
};

/* The map of `old` with the edits made and of this size. False: needs, *out untouched. */
bool nwr_map_build(struct nwr_map_build *b, const struct nwr_map *old, uint64_t size,
                   struct nwr_map *out);
void nwr_map_build_deinit(struct nwr_map_build *b);

#endif
