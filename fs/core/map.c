/* map.c -- maps and nodes as bytes; lists of needed blocks; see fs/core/file.h.
 *
 *   map    var size, u8 depth, items
 *   node   u8 1, u8 depth, items
 *   items  count, then for each: u8 flags; var distance from the end of the one before (of a
 *          node: from one behind its start); var len (of a node: bytes below); var block_off;
 *          u64 ino; u64 wid; var number. flags say which of the last are left out: equal to the
 *          item before, or zero.
 */
#include "fs/core/map_tree.h"

enum {
    FORMAT = 1,
    SAME_INO = 1,
    SAME_WID = 2,
    HAS_OFF = 4,
    FLAGS = 7,
    ITEM_MIN = 4
};

/* ---- needs --------------------------------------------------------------------------------- */

void nwr_needs_add(struct nwr_needs *needs, struct nwr_block_id id)
{
    if (needs->n >= NWR_NEEDS_MAX)
        return;
    for (uint32_t i = 0; i < needs->n; i++)
        if (nwr_map_same_id(&needs->id[i], &id))
            return;
    needs->id = nwr_grow(needs->id, &needs->cap, needs->n + 1, sizeof(*needs->id));
    needs->id[needs->n++] = id;
}

void nwr_needs_deinit(struct nwr_needs *needs)
{
    nwr_free(needs->id);
    *needs = (struct nwr_needs){0};
}

/* ---- items --------------------------------------------------------------------------------- */

void nwr_items_add(struct nwr_items *l, const struct nwr_extent *e)
{
    struct nwr_extent copy = *e; /* e may point into the list */

    l->e = nwr_grow(l->e, &l->cap, l->n + 1, sizeof(*l->e));
    l->e[l->n++] = copy;
}

void nwr_items_deinit(struct nwr_items *l)
{
    nwr_free(l->e);
    *l = (struct nwr_items){0};
}

uint64_t nwr_items_bytes(uint8_t depth, const struct nwr_extent *item, uint32_t n)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < n; i++)
        sum += depth == 0 ? item[i].len : nwr_extent_below(&item[i]);
    return sum;
}

static int id_cmp(const struct nwr_block_id *a, const struct nwr_block_id *b)
{
    if (a->ino != b->ino)
        return a->ino < b->ino ? -1 : 1;
    if (a->wid != b->wid)
        return a->wid < b->wid ? -1 : 1;
    return a->number < b->number ? -1 : a->number > b->number;
}

uint32_t nwr_items_refs(const struct nwr_extent *item, uint32_t n, struct nwr_block_id **out)
{
    struct nwr_block_id *id = n ? nwr_alloc(n * sizeof(*id)) : NULL;
    uint32_t count = 0;

    for (uint32_t i = 0; i < n; i++) {
        uint32_t lo = 0, hi = count;

        while (lo < hi) {
            uint32_t mid = lo + (hi - lo) / 2;

            if (id_cmp(&id[mid], &item[i].block) < 0)
                lo = mid + 1;
            else
                hi = mid;
        }
        if (lo < count && nwr_map_same_id(&id[lo], &item[i].block))
            continue;
        memmove(id + lo + 1, id + lo, (count - lo) * sizeof(*id));
        id[lo] = item[i].block;
        count++;
    }
    *out = id;
    return count;
}

/* ---- out ----------------------------------------------------------------------------------- */

static void out_items(struct nwr_out *o, uint8_t depth, const struct nwr_extent *item, uint32_t n)
{
    struct nwr_block_id prev = {0};
    uint64_t pos = 0;

    nwr_out_var(o, n);
    for (uint32_t i = 0; i < n; i++) {
        const struct nwr_extent *e = &item[i];
        bool data_off = depth == 0 && e->block_off > 0;

        nwr_assert(e->off >= pos);
        nwr_out_u8(o,
                   (uint8_t)((e->block.ino == prev.ino ? SAME_INO : 0) |
                             (e->block.wid == prev.wid ? SAME_WID : 0) | (data_off ? HAS_OFF : 0)));
        nwr_out_var(o, e->off - pos);
        nwr_out_var(o, depth == 0 ? e->len : nwr_extent_below(e));
        if (data_off)
            nwr_out_var(o, e->block_off);
        if (e->block.ino != prev.ino)
            nwr_out_u64(o, e->block.ino);
        if (e->block.wid != prev.wid)
            nwr_out_u64(o, e->block.wid);
        nwr_out_var(o, e->block.number);
        pos = depth == 0 ? nwr_extent_end(e) : e->off + 1;
        prev = e->block;
    }
}

void nwr_map_encode(const struct nwr_map *map, struct nwr_out *o)
{
    nwr_assert(map->n <= NWR_MAP_FANOUT);
    nwr_out_var(o, map->size);
    nwr_out_u8(o, map->depth);
    out_items(o, map->depth, map->item, map->n);
}

struct nwr_blob *nwr_node_encode(uint8_t depth, const struct nwr_extent *item, uint32_t n)
{
    struct nwr_out o = {0};

    nwr_assert(n > 0);
    nwr_out_u8(&o, FORMAT);
    nwr_out_u8(&o, depth);
    out_items(&o, depth, item, n);
    return nwr_out_blob(&o);
}

/* ---- in ------------------------------------------------------------------------------------ */

static void in_lengths(struct nwr_in *i, uint8_t depth, uint8_t flags, struct nwr_extent *e)
{
    uint64_t len = nwr_in_var(i);
    uint64_t off = flags & HAS_OFF ? nwr_in_var(i) : 0;

    i->bad |= len == 0;
    if (depth == 0)
        i->bad |= len > NWR_BLOCK_MAX || off > NWR_BLOCK_MAX - len;
    else
        i->bad |= (flags & HAS_OFF) != 0;
    e->len = (uint32_t)len;
    e->block_off = depth == 0 ? (uint32_t)off : (uint32_t)(len >> 32);
}

static void in_item(struct nwr_in *i, uint8_t depth, uint64_t *pos, uint64_t end,
                    const struct nwr_block_id *prev, struct nwr_extent *e)
{
    uint8_t flags = nwr_in_u8(i);
    uint64_t gap = nwr_in_var(i), number, bytes;

    *e = (struct nwr_extent){0};
    in_lengths(i, depth, flags, e);
    e->block.ino = flags & SAME_INO ? prev->ino : nwr_in_u64(i);
    e->block.wid = flags & SAME_WID ? prev->wid : nwr_in_u64(i);
    number = nwr_in_var(i);
    i->bad |= (flags & ~FLAGS) != 0 || number > UINT32_MAX || *pos > end || gap > end - *pos;
    if (i->bad)
        return;
    e->block.number = (uint32_t)number;
    e->off = *pos + gap;
    bytes = depth == 0 ? e->len : nwr_extent_below(e);
    i->bad |= bytes > end - e->off;
    *pos = depth == 0 ? nwr_extent_end(e) : e->off + 1;
}

/* Everything within [0, end). */
static void in_items(struct nwr_in *i, uint8_t depth, uint64_t end, struct nwr_items *out)
{
    uint32_t n = nwr_in_count(i, ITEM_MIN);
    struct nwr_block_id prev = {0};
    uint64_t pos = 0;

    i->bad |= n > NWR_MAP_FANOUT || depth > NWR_MAP_DEPTH_MAX || (n == 0 && depth > 0);
    for (uint32_t k = 0; k < n && !i->bad; k++) {
        struct nwr_extent e;

        in_item(i, depth, &pos, end, &prev, &e);
        if (i->bad)
            return;
        if (depth > 0 && k > 0) {
            const struct nwr_extent *before = &out->e[k - 1];

            i->bad |= nwr_extent_below(before) > e.off - before->off;
        }
        nwr_items_add(out, &e);
        prev = e.block;
    }
}

enum nwr_err nwr_map_decode(struct nwr_map *map, struct nwr_in *in)
{
    uint64_t size = nwr_in_var(in);
    uint8_t depth = nwr_in_u8(in);
    struct nwr_items items = {0};

    in->bad |= size > NWR_FILE_MAX;
    if (!in->bad)
        in_items(in, depth, size, &items);
    if (in->bad) {
        nwr_items_deinit(&items);
        return NWR_E_FORMAT;
    }
    *map = (struct nwr_map){size, depth, items.e, items.n};
    return NWR_OK;
}

enum nwr_err nwr_node_decode(const struct nwr_blob *b, uint8_t *depth, struct nwr_items *out)
{
    struct nwr_in in = nwr_in_of(b->data, b->len);
    struct nwr_items items = {0};
    uint8_t format = nwr_in_u8(&in), d = nwr_in_u8(&in);

    in.bad |= format != FORMAT;
    if (!in.bad)
        in_items(&in, d, NWR_FILE_MAX, &items);
    if (!nwr_in_done(&in) || items.n == 0) {
        nwr_items_deinit(&items);
        return NWR_E_FORMAT;
    }
    *depth = d;
    *out = items;
    return NWR_OK;
}

void nwr_map_copy(struct nwr_map *dst, const struct nwr_map *src)
{
    *dst = *src;
    dst->item = src->n ? nwr_memdup(src->item, src->n * sizeof(*src->item)) : NULL;
}

void nwr_map_deinit(struct nwr_map *map)
{
    nwr_free(map->item);
    *map = (struct nwr_map){0};
}
