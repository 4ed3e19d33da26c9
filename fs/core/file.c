/* file.c -- reading and changing a file; the push is in file_push.c; see fs/core/file.h. */
#include "fs/core/file_int.h"

struct nwr_file *nwr_file_create(nwr_ino ino, struct nwr_block_cache *cache)
{
    struct nwr_file *f = nwr_zalloc(sizeof(*f));

    nwr_assert(cache);
    f->ino = ino;
    f->fanout = NWR_MAP_FANOUT;
    f->src.cache = cache;
    return f;
}

void nwr_file_destroy(struct nwr_file *f)
{
    if (!f)
        return;
    for (uint32_t i = 0; i < f->nblock; i++)
        nwr_blob_unref(f->block[i].data);
    nwr_free(f->block);
    nwr_map_deinit(&f->next);
    nwr_map_deinit(&f->map);
    nwr_gen_deinit(&f->pushed);
    nwr_gen_deinit(&f->dirty);
    nwr_map_src_deinit(&f->src);
    nwr_free(f);
}

void nwr_file_rebase(struct nwr_file *f, const struct nwr_map *map)
{
    struct nwr_map copy;

    nwr_assert(!nwr_file_dirty(f));
    nwr_map_copy(&copy, map); /* may be the file's own */
    nwr_map_deinit(&f->map);
    f->map = copy;
    f->size = map->size;
}

void nwr_file_drop_map(struct nwr_file *f)
{
    uint64_t size = f->map.size;

    nwr_map_deinit(&f->map);
    f->map.size = size;
}

uint64_t nwr_file_size(const struct nwr_file *f)
{
    return f->size;
}

bool nwr_file_dirty(const struct nwr_file *f)
{
    return f->pushing || f->touched || f->dirty.n > 0 || f->size != f->map.size;
}

uint64_t nwr_file_dirty_bytes(const struct nwr_file *f)
{
    return f->dirty.bytes;
}

/* How many bytes of [lo, hi) a flat map allocates; *k is the first item that may count, and moves
 * on. Of a deeper map all of them: what is there is not in memory. */
static uint64_t allocated(const struct nwr_map *map, uint64_t lo, uint64_t hi, uint32_t *k)
{
    uint64_t sum = 0;

    if (map->depth > 0)
        return lo < map->size ? NWR_MIN(hi, map->size) - lo : 0;
    while (*k < map->n && nwr_extent_end(&map->item[*k]) <= lo)
        ++*k;
    for (uint32_t i = *k; i < map->n && map->item[i].off < hi; i++)
        sum += NWR_MIN(nwr_extent_end(&map->item[i]), hi) - NWR_MAX(map->item[i].off, lo);
    return sum;
}

/* By how many bytes a generation changes what the map allocates. */
static int64_t gen_allocates(const struct nwr_gen *g, const struct nwr_map *map)
{
    int64_t sum = 0;
    uint32_t k = 0;

    for (uint32_t i = 0; i < g->n; i++) {
        const struct nwr_piece *p = &g->p[i];

        sum += nwr_piece_is_hole(p) ? 0 : (int64_t)p->len;
        sum -= (int64_t)allocated(map, p->off, nwr_piece_end(p), &k);
    }
    return sum;
}

uint64_t nwr_file_blocks(const struct nwr_file *f)
{
    int64_t bytes = (int64_t)nwr_items_bytes(f->map.depth, f->map.item, f->map.n);

    bytes += gen_allocates(&f->pushed, &f->map) + gen_allocates(&f->dirty, &f->map);
    if (bytes < (int64_t)f->dirty.bytes)
        bytes = (int64_t)f->dirty.bytes;
    return ((uint64_t)bytes + 511) / 512;
}

void nwr_file_have(struct nwr_file *f, const struct nwr_block_id *id, struct nwr_blob *data)
{
    nwr_map_src_have(&f->src, id, data);
}

/* ---- changes ------------------------------------------------------------------------------- */

void nwr_file_write(struct nwr_file *f, uint64_t off, struct nwr_blob *data, uint32_t from,
                    uint32_t len)
{
    nwr_assert(off <= NWR_FILE_MAX && len <= NWR_FILE_MAX - off);
    if (len == 0)
        return;
    nwr_gen_write(&f->dirty, off, data, from, len);
    f->size = NWR_MAX(f->size, off + len);
}

/* A hole is kept only over what older layers hold. */
static void make_hole(struct nwr_file *f, uint64_t lo, uint64_t hi)
{
    uint64_t under = f->map.size;

    if (f->pushed.n)
        under = NWR_MAX(under, nwr_piece_end(&f->pushed.p[f->pushed.n - 1]));
    nwr_gen_forget(&f->dirty, lo, hi);
    nwr_gen_hole(&f->dirty, lo, NWR_MIN(hi, under));
}

void nwr_file_truncate(struct nwr_file *f, uint64_t size)
{
    nwr_assert(size <= NWR_FILE_MAX);
    if (size < f->size)
        make_hole(f, size, UINT64_MAX);
    f->size = size;
}

void nwr_file_touch(struct nwr_file *f)
{
    f->touched = true;
}

void nwr_file_punch(struct nwr_file *f, uint64_t off, uint64_t len)
{
    if (off < f->size && len > 0)
        make_hole(f, off, len < f->size - off ? off + len : f->size);
}

/* ---- looking ------------------------------------------------------------------------------- */

static const struct nwr_gen *layer(const struct nwr_file *f, unsigned depth)
{
    nwr_assert(depth < 2);
    return depth == 0 ? &f->dirty : &f->pushed;
}

static void view(struct nwr_file *f, unsigned depth, uint64_t lo, uint64_t hi, struct nwr_segs *out,
                 struct nwr_needs *needs)
{
    const struct nwr_gen *g;
    uint64_t pos = lo;

    if (depth == 2) {
        nwr_map_walk(&f->src, &f->map, lo, hi, out, needs);
        return;
    }
    g = layer(f, depth);
    for (uint32_t i = nwr_gen_lower(g, lo); i < g->n && g->p[i].off < hi; i++) {
        const struct nwr_piece *p = &g->p[i];
        uint64_t a = NWR_MAX(p->off, lo), z = NWR_MIN(nwr_piece_end(p), hi);

        if (pos < a)
            view(f, depth + 1, pos, a, out, needs);
        nwr_segs_add(out, &(struct nwr_seg){.kind = p->blob       ? NWR_SEG_PIECE
                                                    : p->borrowed ? NWR_SEG_EXTENT
                                                                  : NWR_SEG_HOLE,
                                            .block = p->block,
                                            .borrowed = p->borrowed,
                                            .off = a,
                                            .len = z - a,
                                            .blob = p->blob,
                                            .from = p->from + (uint32_t)(a - p->off)});
        pos = z;
    }
    if (pos < hi)
        view(f, depth + 1, pos, hi, out, needs);
}

void nwr_file_view(struct nwr_file *f, uint64_t lo, uint64_t hi, struct nwr_segs *out,
                   struct nwr_needs *needs)
{
    if (lo < hi)
        view(f, 0, lo, hi, out, needs);
}

struct nwr_blob *nwr_file_data(struct nwr_file *f, const struct nwr_seg *seg,
                               struct nwr_needs *needs)
{
    struct nwr_blob *b = nwr_map_src_block(&f->src, &seg->block, needs);

    if (b && (seg->from > b->len || seg->len > b->len - seg->from)) {
        needs->err = NWR_E_CORRUPT;
        return NULL;
    }
    return b;
}

/* ---- reading ------------------------------------------------------------------------------- */

void nwr_slices_deinit(struct nwr_slice_list *list)
{
    for (uint32_t i = 0; i < list->n; i++)
        nwr_blob_unref(list->slice[i].blob);
    nwr_free(list->slice);
    *list = (struct nwr_slice_list){0};
}

static void slice_add(struct nwr_slice_list *out, struct nwr_blob *b, uint32_t off, uint32_t len)
{
    out->slice = nwr_grow(out->slice, &out->cap, out->n + 1, sizeof(*out->slice));
    out->slice[out->n++] = (struct nwr_slice){nwr_blob_ref(b), off, len};
}

static void slices_of(struct nwr_file *f, const struct nwr_segs *segs, struct nwr_slice_list *out,
                      struct nwr_needs *needs)
{
    for (uint32_t i = 0; i < segs->n; i++) {
        const struct nwr_seg *s = &segs->s[i];
        struct nwr_blob *b = s->blob;

        if (s->kind == NWR_SEG_EXTENT)
            b = nwr_file_data(f, s, needs);
        slice_add(out, b, b ? s->from : 0, (uint32_t)s->len);
    }
}

bool nwr_file_read(struct nwr_file *f, uint64_t off, uint32_t len, struct nwr_slice_list *out,
                   struct nwr_needs *needs)
{
    uint64_t end = off < f->size ? NWR_MIN(f->size, off + NWR_MIN(len, f->size - off)) : off;
    struct nwr_segs segs = {0};
    bool ok;

    nwr_map_src_begin(&f->src);
    nwr_file_view(f, off, end, &segs, needs);
    slices_of(f, &segs, out, needs);
    nwr_free(segs.s);
    ok = needs->n == 0 && needs->err == NWR_OK;
    if (ok)
        nwr_map_src_done(&f->src);
    else
        nwr_slices_deinit(out);
    return ok;
}

/* ---- holes and data ------------------------------------------------------------------------ */

struct span {
    enum {
        SPAN_DATA,
        SPAN_HOLE,
        SPAN_MAP
    } kind;
    uint64_t end;
};

/* What lies at pos, in one layer, and how far that goes. */
static struct span span_at(const struct nwr_file *f, uint64_t pos)
{
    struct span s = {SPAN_MAP, f->size};

    for (unsigned depth = 0; depth < 2; depth++) {
        const struct nwr_gen *g = layer(f, depth);
        uint32_t i = nwr_gen_lower(g, pos);

        if (i < g->n && g->p[i].off <= pos) {
            s.kind = nwr_piece_is_hole(&g->p[i]) ? SPAN_HOLE : SPAN_DATA;
            s.end = NWR_MIN(s.end, nwr_piece_end(&g->p[i]));
            return s;
        }
        if (i < g->n)
            s.end = NWR_MIN(s.end, g->p[i].off);
    }
    return s;
}

static bool seek(struct nwr_file *f, uint64_t off, bool hole, uint64_t *result,
                 struct nwr_needs *needs)
{
    uint64_t pos = off;

    while (pos < f->size) {
        struct span s = span_at(f, pos);
        uint64_t at = (s.kind == SPAN_HOLE) == hole ? pos : s.end;

        if (s.kind == SPAN_MAP && !nwr_map_seek(&f->src, &f->map, pos, s.end, hole, &at, needs))
            return false;
        if (at < s.end) {
            *result = at;
            return true;
        }
        pos = s.end;
    }
    *result = hole && off < f->size ? f->size : UINT64_MAX;
    return true;
}

bool nwr_file_seek(struct nwr_file *f, uint64_t off, bool hole, uint64_t *result,
                   struct nwr_needs *needs)
{
    bool ok;

    nwr_map_src_begin(&f->src);
    ok = seek(f, off, hole, result, needs);
    if (ok)
        nwr_map_src_done(&f->src);
    return ok;
}

void nwr_file_check(const struct nwr_file *f)
{
    const struct nwr_piece *last = f->dirty.n ? &f->dirty.p[f->dirty.n - 1] : NULL;

    nwr_gen_check(&f->dirty);
    nwr_gen_check(&f->pushed);
    nwr_assert(f->pushing || f->pushed.n == 0);
    nwr_assert(f->map.n <= NWR_MAP_FANOUT && f->map.depth <= NWR_MAP_DEPTH_MAX);
    nwr_assert(!last || !last->blob || nwr_piece_end(last) <= f->size);
}
