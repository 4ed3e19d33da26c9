/* map_tree.c -- finding extents and holes in the tree below a map; see map_tree.h. */
#include "fs/core/map_tree.h"

/* A node, or the root, while it is looked at. */
struct level {
    uint8_t depth;
    const struct nwr_extent *item;
    uint32_t n;
    uint64_t end; /* of the range it covers */
};

static struct level root_of(const struct nwr_map *map)
{
    return (struct level){map->depth, map->item, map->n, map->size};
}

/* The item whose range holds off, or the first one. */
static uint32_t lower(const struct level *l, uint64_t off)
{
    uint32_t lo = 0, hi = l->n;

    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;

        if (l->item[mid].off <= off)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo ? lo - 1 : 0;
}

/* Where the range of item i ends. */
static uint64_t range_end(const struct level *l, uint32_t i)
{
    return i + 1 < l->n ? l->item[i + 1].off : l->end;
}

static bool child_of(struct nwr_map_src *s, const struct level *l, uint32_t i, struct level *child,
                     struct nwr_needs *needs)
{
    uint64_t end = range_end(l, i);
    uint8_t depth = (uint8_t)(l->depth - 1);
    const struct nwr_map_node *n = nwr_map_src_node(s, &l->item[i], depth, end, needs);

    if (!n)
        return false;
    *child = (struct level){depth, n->items.e, n->items.n, end};
    return true;
}

/* ---- walk ---------------------------------------------------------------------------------- */

void nwr_segs_add(struct nwr_segs *l, const struct nwr_seg *s)
{
    struct nwr_seg *last = l->n ? &l->s[l->n - 1] : NULL;

    if (s->len == 0)
        return;
    if (last && last->kind == NWR_SEG_HOLE && s->kind == NWR_SEG_HOLE &&
        last->off + last->len == s->off) {
        last->len += s->len;
        return;
    }
    l->s = nwr_grow(l->s, &l->cap, l->n + 1, sizeof(*l->s));
    l->s[l->n++] = *s;
}

struct walk {
    struct nwr_map_src *src;
    struct nwr_segs *out;
    struct nwr_needs *needs;
    uint64_t pos, hi; /* what is left */
};

static void walk_hole(struct walk *w, uint64_t end)
{
    if (end <= w->pos)
        return;
    nwr_segs_add(w->out, &(struct nwr_seg){.off = w->pos, .len = end - w->pos});
    w->pos = end;
}

static void walk_extent(struct walk *w, const struct nwr_extent *e)
{
    uint64_t end = NWR_MIN(nwr_extent_end(e), w->hi);

    if (end <= w->pos)
        return;
    walk_hole(w, e->off);
    nwr_segs_add(w->out, &(struct nwr_seg){.kind = NWR_SEG_EXTENT,
                                           .off = w->pos,
                                           .len = end - w->pos,
                                           .from = e->block_off + (uint32_t)(w->pos - e->off),
                                           .block = e->block});
    w->pos = end;
}

/* Goes on beside a node that is missing, to ask for all of them at once. */
static void walk_level(struct walk *w, const struct level *l)
{
    for (uint32_t i = lower(l, w->pos); i < l->n && l->item[i].off < w->hi; i++) {
        struct level child;

        if (l->depth == 0)
            walk_extent(w, &l->item[i]);
        else if (range_end(l, i) > w->pos && child_of(w->src, l, i, &child, w->needs))
            walk_level(w, &child);
    }
}

void nwr_map_walk(struct nwr_map_src *s, const struct nwr_map *map, uint64_t lo, uint64_t hi,
                  struct nwr_segs *out, struct nwr_needs *needs)
{
    struct walk w = {s, out, needs, lo, hi};
    struct level root = root_of(map);

    walk_level(&w, &root);
    walk_hole(&w, hi);
}

/* ---- seek ---------------------------------------------------------------------------------- */

static bool seek_data(struct nwr_map_src *s, const struct level *l, uint64_t lo, uint64_t hi,
                      uint64_t *result, struct nwr_needs *needs)
{
    for (uint32_t i = lower(l, lo); i < l->n && l->item[i].off < hi; i++) {
        uint64_t end = NWR_MIN(range_end(l, i), hi), at;
        struct level child;

        if (l->item[i].off >= lo || (l->depth == 0 && nwr_extent_end(&l->item[i]) > lo)) {
            *result = NWR_MAX(l->item[i].off, lo);
            return true;
        }
        if (l->depth == 0 || end <= lo)
            continue;
        if (!child_of(s, l, i, &child, needs) || !seek_data(s, &child, lo, end, &at, needs))
            return false;
        if (at < end) {
            *result = at;
            return true;
        }
    }
    *result = hi;
    return true;
}

/* True if the extents below item i leave no hole in its range. */
static bool dense(const struct level *l, uint32_t i)
{
    return nwr_extent_below(&l->item[i]) == range_end(l, i) - l->item[i].off;
}

static bool seek_hole(struct nwr_map_src *s, const struct level *l, uint64_t lo, uint64_t hi,
                      uint64_t *result, struct nwr_needs *needs)
{
    uint64_t pos = lo;

    for (uint32_t i = lower(l, lo); i < l->n && l->item[i].off < hi; i++) {
        uint64_t end = NWR_MIN(range_end(l, i), hi), at;
        struct level child;

        if (l->item[i].off > pos)
            break;
        if (l->depth == 0) {
            pos = NWR_MAX(pos, nwr_extent_end(&l->item[i]));
        } else if (dense(l, i)) {
            pos = NWR_MAX(pos, end);
        } else if (end > pos) {
            if (!child_of(s, l, i, &child, needs) || !seek_hole(s, &child, pos, end, &at, needs))
                return false;
            pos = at;
            if (at < end)
                break;
        }
    }
    *result = NWR_MIN(pos, hi);
    return true;
}

bool nwr_map_seek(struct nwr_map_src *s, const struct nwr_map *map, uint64_t lo, uint64_t hi,
                  bool hole, uint64_t *result, struct nwr_needs *needs)
{
    struct level root = root_of(map);

    return hole ? seek_hole(s, &root, lo, hi, result, needs)
                : seek_data(s, &root, lo, hi, result, needs);
}
