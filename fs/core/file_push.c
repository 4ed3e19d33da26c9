/* file_push.c -- what is dirty becomes blocks and a new map; see fs/core/file.h.
 *
 * 1. The plan: every MiB of the file that holds dirty data is looked at as it will be, and cut:
 *    - packed: all of its data in one block, if all of it is new, if the file is small, or if
 *      the MiB is in too many fragments (a few such a push: they must be read first);
 *    - else each dirty run becomes a block of its own beside what is there, and what is
 *      borrowed (file_copy.c) is named.
 *    Dirty holes are edits without items.
 * 2. The edits go down the tree (map_build.c).
 * 3. Blocks are made, the dirty pieces become the pushed ones.
 * Until 3 nothing of the file changes, so a call that needs blocks is simply made again.
 */
#include "fs/core/file_int.h"

enum {
    SMALL_FILE = 64 << 10, /* a file up to this size stays one block */
    REWRITES_MAX = 4       /* MiBs a push rewrites for their fragments */
};

/* A block to be: stretches of the file, one behind the other; holes between them left out. */
struct cut {
    uint32_t first, n; /* of plan.segs */
    uint32_t len;
};

struct plan {
    struct nwr_file *f;
    struct nwr_needs *needs;
    nwr_wid wid;
    struct nwr_segs segs;
    struct cut *cut;
    uint32_t ncut, capcut;
    struct nwr_map_edits edits;
    uint32_t rewrites;
};

static void plan_deinit(struct plan *p)
{
    nwr_free(p->segs.s);
    nwr_free(p->cut);
    nwr_map_edits_deinit(&p->edits);
}

static bool plan_ok(const struct plan *p)
{
    return p->needs->n == 0 && p->needs->err == NWR_OK;
}

static struct cut *cut_new(struct plan *p, uint32_t first)
{
    p->cut = nwr_grow(p->cut, &p->capcut, p->ncut + 1, sizeof(*p->cut));
    p->cut[p->ncut] = (struct cut){.first = first};
    return &p->cut[p->ncut++];
}

/* Adds segs [first, end), which leave no gap, to the cut made last, and names them in the map. */
static void cut_add(struct plan *p, uint32_t first, uint32_t end)
{
    struct cut *c = &p->cut[p->ncut - 1];
    const struct nwr_seg *s = &p->segs.s[first], *last = &p->segs.s[end - 1];
    struct nwr_extent e = {.off = s->off,
                           .len = (uint32_t)(last->off + last->len - s->off),
                           .block_off = c->len,
                           .block = {p->f->ino, p->wid, p->ncut - 1}};

    nwr_map_edits_item(&p->edits, &e);
    c->n = end - c->first;
    c->len += e.len;
    nwr_assert(c->len <= NWR_BLOCK_MAX);
}

/* A hole, as far as the map has something to cut out. */
static void plan_hole(struct plan *p, uint64_t lo, uint64_t hi)
{
    nwr_map_edits_add(&p->edits, lo, NWR_MIN(hi, p->f->map.size));
}

/* ---- a MiB --------------------------------------------------------------------------------- */

struct chunk {
    uint64_t lo, hi;
    uint32_t first, end; /* of plan.segs */
    uint32_t old, runs;  /* extents left; stretches of dirty data */
    uint32_t parts;      /* stretches of data of any kind */
};

static void chunk_count(const struct plan *p, struct chunk *c)
{
    enum nwr_seg_kind before = NWR_SEG_HOLE;

    for (uint32_t i = c->first; i < c->end; i++) {
        enum nwr_seg_kind kind = p->segs.s[i].kind;

        c->old += kind == NWR_SEG_EXTENT;
        c->runs += kind == NWR_SEG_PIECE && before != NWR_SEG_PIECE;
        c->parts += kind != NWR_SEG_HOLE && before == NWR_SEG_HOLE;
        before = kind;
    }
}

static bool chunk_packs(struct plan *p, const struct chunk *c)
{
    uint32_t fragments = c->old + c->runs;

    if (c->old == 0 || p->f->size <= SMALL_FILE)
        return true;
    if (fragments <= NWR_FRAGMENTS_MAX || c->parts > fragments / 2 || p->rewrites >= REWRITES_MAX)
        return false;
    p->rewrites++;
    return true;
}

static void chunk_pack(struct plan *p, const struct chunk *c)
{
    uint32_t i = c->first;

    nwr_map_edits_add(&p->edits, c->lo, c->hi);
    while (p->segs.s[i].kind == NWR_SEG_HOLE) /* there is data, or it would not be looked at */
        i++;
    cut_new(p, i);
    while (i < c->end) {
        uint32_t k = i;

        for (; k < c->end && p->segs.s[k].kind != NWR_SEG_HOLE; k++) {
            struct nwr_seg *s = &p->segs.s[k];

            if (s->kind == NWR_SEG_EXTENT)
                s->blob = nwr_file_data(p->f, s, p->needs);
        }
        if (k > i)
            cut_add(p, i, k);
        i = k + (k == i);
    }
}

static void plan_borrowed(struct plan *p, const struct nwr_seg *s)
{
    struct nwr_extent e = {
        .off = s->off, .len = (uint32_t)s->len, .block_off = s->from, .block = s->block};

    nwr_map_edits_add(&p->edits, s->off, s->off + s->len);
    nwr_map_edits_item(&p->edits, &e);
}

static void chunk_fragments(struct plan *p, const struct chunk *c)
{
    uint32_t i = c->first;

    while (i < c->end) {
        const struct nwr_seg *s = &p->segs.s[i];
        uint32_t k = i;

        while (k < c->end && p->segs.s[k].kind == NWR_SEG_PIECE)
            k++;
        if (s->kind == NWR_SEG_EXTENT && s->borrowed) {
            plan_borrowed(p, s);
        } else if (k > i) {
            nwr_map_edits_add(&p->edits, s->off, p->segs.s[k - 1].off + p->segs.s[k - 1].len);
            cut_new(p, i);
            cut_add(p, i, k);
        } else if (s->kind == NWR_SEG_HOLE) {
            plan_hole(p, s->off, s->off + s->len);
        }
        i = k + (k == i);
    }
}

/* Collected apart: a hole of this chunk must not become one with the last of the chunk before. */
static void chunk_view(struct plan *p, struct chunk *c)
{
    struct nwr_segs part = {0};

    nwr_file_view(p->f, c->lo, c->hi, &part, p->needs);
    c->first = p->segs.n;
    c->end = c->first + part.n;
    p->segs.s = nwr_grow(p->segs.s, &p->segs.cap, c->end, sizeof(*part.s));
    memcpy(p->segs.s + c->first, part.s, part.n * sizeof(*part.s));
    p->segs.n = c->end;
    nwr_free(part.s);
}

static void plan_chunk(struct plan *p, uint64_t lo)
{
    struct chunk c = {.lo = lo, .hi = lo + NWR_BLOCK_MAX};

    chunk_view(p, &c);
    if (!plan_ok(p)) /* nodes are missing; what they say decides which blocks are */
        return;
    chunk_count(p, &c);
    nwr_map_edits_cut(&p->edits, c.lo);
    if (chunk_packs(p, &c))
        chunk_pack(p, &c);
    else
        chunk_fragments(p, &c);
}

static void plan_make(struct plan *p)
{
    const struct nwr_gen *g = &p->f->dirty;
    uint64_t done = 0;

    for (uint32_t i = 0; i < g->n; i++) {
        uint64_t pos = NWR_MAX(g->p[i].off, done), end = nwr_piece_end(&g->p[i]);

        for (; !nwr_piece_is_hole(&g->p[i]) && pos < end; pos = done) {
            plan_chunk(p, pos - pos % NWR_BLOCK_MAX);
            done = pos - pos % NWR_BLOCK_MAX + NWR_BLOCK_MAX;
        }
        if (pos < end && plan_ok(p))
            plan_hole(p, pos, end);
    }
}

/* ---- blocks -------------------------------------------------------------------------------- */

static void unref_blob(void *blob)
{
    nwr_blob_unref(blob);
}

/* The bytes of one piece as a blob, without a copy unless that would keep much more. */
static struct nwr_blob *slice_blob(const struct nwr_seg *s)
{
    struct nwr_blob *b = s->blob;

    if (s->from == 0 && s->len == b->len)
        return nwr_blob_ref(b);
    if (s->len < b->len / 2)
        return nwr_blob_copy(b->data + s->from, (size_t)s->len);
    return nwr_blob_wrap(b->data + s->from, (size_t)s->len, unref_blob, nwr_blob_ref(b));
}

static struct nwr_blob *cut_blob(const struct plan *p, const struct cut *c)
{
    struct nwr_blob *b;
    uint32_t pos = 0;

    if (c->n == 1)
        return slice_blob(&p->segs.s[c->first]);
    b = nwr_blob_new(c->len);
    for (uint32_t i = c->first; i < c->first + c->n; i++) {
        const struct nwr_seg *s = &p->segs.s[i];

        if (s->kind == NWR_SEG_HOLE)
            continue;
        memcpy(b->data + pos, s->blob->data + s->from, (size_t)s->len);
        pos += (uint32_t)s->len;
    }
    nwr_assert(pos == c->len);
    return b;
}

static struct nwr_block *block_new(const struct plan *p, struct nwr_push *push,
                                   struct nwr_blob *data)
{
    struct nwr_block *b;

    push->block = nwr_grow(push->block, &push->cap, push->nblock + 1, sizeof(*push->block));
    b = &push->block[push->nblock];
    *b = (struct nwr_block){.id = {p->f->ino, p->wid, push->nblock}, .data = data};
    push->nblock++;
    push->block_bytes += data->len;
    return b;
}

static void push_fill(const struct plan *p, const struct nwr_map_build *b, struct nwr_push *push)
{
    for (uint32_t i = 0; i < p->ncut; i++)
        block_new(p, push, cut_blob(p, &p->cut[i]));
    for (uint32_t i = 0; i < b->nnode; i++) {
        const struct nwr_items *items = &b->node[i].items;
        struct nwr_blob *data = nwr_node_encode(b->node[i].depth, items->e, items->n);
        struct nwr_block *k = block_new(p, push, data);

        k->nrefs = nwr_items_refs(items->e, items->n, &k->refs);
    }
    push->nroot = nwr_items_refs(push->map.item, push->map.n, &push->root);
}

/* The file keeps the new map and the new blocks until it knows how the push went. */
static void push_keep(struct nwr_file *f, const struct nwr_push *push)
{
    nwr_map_copy(&f->next, &push->map);
    f->nblock = push->nblock;
    f->block = push->nblock ? nwr_zalloc(push->nblock * sizeof(*f->block)) : NULL;
    for (uint32_t i = 0; i < push->nblock; i++) {
        f->block[i].id = push->block[i].id;
        f->block[i].data = nwr_blob_ref(push->block[i].data);
    }
    f->pushed = f->dirty;
    f->dirty = (struct nwr_gen){0};
    f->touched = false;
    f->pushing = true;
}

bool nwr_file_push_begin(struct nwr_file *f, nwr_wid wid, struct nwr_push *push,
                         struct nwr_needs *needs)
{
    struct plan plan = {.f = f, .needs = needs, .wid = wid};
    struct nwr_map_build build = {.src = &f->src,
                                  .needs = needs,
                                  .edits = &plan.edits,
                                  .fanout = f->fanout,
                                  .ino = f->ino,
                                  .wid = wid};
    bool ok;

    nwr_assert(!f->pushing);
    nwr_map_src_begin(&f->src);
    plan_make(&plan);
    build.number = plan.ncut;
    ok = plan_ok(&plan) && nwr_map_build(&build, &f->map, f->size, &push->map);
    if (ok) {
        push_fill(&plan, &build, push);
        push_keep(f, push);
        nwr_map_src_done(&f->src);
    }
    nwr_map_build_deinit(&build);
    plan_deinit(&plan);
    return ok;
}

void nwr_file_push_end(struct nwr_file *f, bool ok)
{
    nwr_assert(f->pushing);
    for (uint32_t i = 0; i < f->nblock; i++) {
        if (ok)
            nwr_block_cache_put(f->src.cache, &f->block[i].id, f->block[i].data);
        nwr_blob_unref(f->block[i].data);
    }
    nwr_free(f->block);
    f->block = NULL;
    f->nblock = 0;
    if (ok) {
        nwr_map_deinit(&f->map);
        f->map = f->next;
        f->next = (struct nwr_map){0};
        nwr_gen_deinit(&f->pushed);
    } else {
        nwr_map_deinit(&f->next);
        nwr_gen_merge(&f->dirty, &f->pushed);
        f->touched = true; /* it was dirty, if only by that */
    }
    f->pushing = false;
}

void nwr_push_deinit(struct nwr_push *push)
{
    for (uint32_t i = 0; i < push->nblock; i++) {
        nwr_blob_unref(push->block[i].data);
        nwr_free(push->block[i].refs);
    }
    nwr_free(push->block);
    nwr_free(push->root);
    nwr_map_deinit(&push->map);
    *push = (struct nwr_push){0};
}
