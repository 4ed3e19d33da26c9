/* file_run.c -- see file_run.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/fs/file_run.h"

/* ---- a store that counts references -------------------------------------------------------- */

struct stored *store_find(struct store *s, const struct nwr_block_id *id)
{
    struct nwr_lru_entry *e = nwr_lru_find(&s->table, id);

    return e ? nwr_container_of(e, struct stored, lru) : NULL;
}

static void store_ref(struct store *s, const struct nwr_block_id *id, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        struct stored *b = store_find(s, &id[i]);

        assert_non_null(b);
        b->count++;
    }
}

static void store_unref(struct store *s, const struct nwr_block_id *id, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        struct stored *b = store_find(s, &id[i]);

        assert_non_null(b);
        assert_true(b->count > 0);
        if (--b->count > 0)
            continue;
        nwr_lru_remove(&s->table, &b->lru);
        store_unref(s, b->refs, b->nrefs);
        nwr_blob_unref(b->data);
        nwr_free(b->refs);
        nwr_free(b);
    }
}

static void store_add(struct store *s, const struct nwr_push *push)
{
    for (uint32_t i = 0; i < push->nblock; i++) {
        const struct nwr_block *from = &push->block[i];
        struct stored *b = nwr_zalloc(sizeof(*b));

        assert_null(store_find(s, &from->id));
        b->lru.id = from->id;
        b->data = nwr_blob_copy(from->data->data, from->data->len);
        b->refs = from->nrefs ? nwr_memdup(from->refs, from->nrefs * sizeof(*b->refs)) : NULL;
        b->nrefs = from->nrefs;
        nwr_lru_add(&s->table, &b->lru);
    }
    for (uint32_t i = 0; i < push->nblock; i++)
        store_ref(s, push->block[i].refs, push->block[i].nrefs);
    store_ref(s, push->root, push->nroot);
}

/* ---- the model ----------------------------------------------------------------------------- */

void model_init(struct model *m, uint32_t nregion, uint32_t span)
{
    *m = (struct model){.nregion = nregion, .span = span};
    for (uint32_t r = 0; r < nregion; r++) {
        m->byte[r] = nwr_zalloc(span);
        m->used[r] = nwr_zalloc(span);
    }
}

static void model_copy(struct model *dst, const struct model *src)
{
    *dst = *src;
    for (uint32_t r = 0; r < src->nregion; r++) {
        dst->byte[r] = nwr_memdup(src->byte[r], src->span);
        dst->used[r] = nwr_memdup(src->used[r], src->span);
    }
}

static void model_deinit(struct model *m)
{
    for (uint32_t r = 0; r < m->nregion; r++) {
        nwr_free(m->byte[r]);
        nwr_free(m->used[r]);
    }
}

/* The part of [lo, hi) in region r, as offsets in it. */
static bool model_clip(const struct model *m, uint32_t r, uint64_t lo, uint64_t hi, uint32_t *a,
                       uint32_t *z)
{
    uint64_t end = m->base[r] + m->span;

    if (hi <= m->base[r] || lo >= end)
        return false;
    *a = (uint32_t)(NWR_MAX(lo, m->base[r]) - m->base[r]);
    *z = (uint32_t)(NWR_MIN(hi, end) - m->base[r]);
    return *a < *z;
}

void model_hole(struct model *m, uint64_t lo, uint64_t hi)
{
    uint32_t a, z;

    for (uint32_t r = 0; r < m->nregion; r++)
        if (model_clip(m, r, lo, hi, &a, &z)) {
            memset(m->byte[r] + a, 0, z - a);
            memset(m->used[r] + a, 0, z - a);
        }
}

void model_truncate(struct model *m, uint64_t size)
{
    if (size < m->size)
        model_hole(m, size, UINT64_MAX);
    m->size = size;
}

/* What SEEK_DATA and SEEK_HOLE answer. */
uint64_t model_seek(const struct model *m, uint64_t off, bool hole)
{
    uint64_t pos = off;

    for (uint32_t r = 0; r < m->nregion && pos < m->size; r++) {
        uint32_t a, z;

        if (hole && pos < m->base[r])
            return pos;
        if (!model_clip(m, r, pos, m->size, &a, &z))
            continue;
        while (a < z && (m->used[r][a] != 0) != !hole)
            a++;
        pos = m->base[r] + a;
        if (a < z)
            return pos;
    }
    if (off >= m->size || !hole)
        return UINT64_MAX;
    return NWR_MIN(pos, m->size);
}

uint64_t model_allocated(const struct model *m)
{
    uint64_t n = 0;

    for (uint32_t r = 0; r < m->nregion; r++)
        for (uint32_t i = 0; i < m->span; i++)
            n += m->used[r][i] != 0;
    return n;
}

/* ---- a run --------------------------------------------------------------------------------- */

uint64_t run_draw(struct run *t, uint64_t bound)
{
    return nwr_rng_below(&t->rng, bound);
}

/* Brings what was asked for; every block a call asks for must be there. */
void run_serve(struct run *t, struct nwr_file *f, struct nwr_needs *needs, uint32_t *rounds)
{
    check(t, needs->err == NWR_OK);
    check(t, needs->n > 0);
    check(t, ++*rounds < 1000);
    for (uint32_t i = 0; i < needs->n; i++) {
        struct stored *b = store_find(&t->store, &needs->id[i]);

        check(t, b != NULL);
        nwr_file_have(f, &needs->id[i], b->data);
        t->fetched++;
    }
    nwr_needs_deinit(needs);
}

void run_read_all(struct run *t, struct nwr_file *f, uint64_t off, uint32_t len,
                  struct nwr_slice_list *out)
{
    struct nwr_needs needs = {0};
    uint32_t rounds = 0;

    *out = (struct nwr_slice_list){0};
    while (!nwr_file_read(f, off, len, out, &needs)) {
        check(t, out->n == 0);
        run_serve(t, f, &needs, &rounds);
    }
    check(t, f->src.held.n == 0); /* what was brought was used, and let go */
    nwr_needs_deinit(&needs);
}

uint64_t run_seek_all(struct run *t, struct nwr_file *f, uint64_t off, bool hole)
{
    struct nwr_needs needs = {0};
    uint32_t rounds = 0;
    uint64_t result = 1;

    while (!nwr_file_seek(f, off, hole, &result, &needs))
        run_serve(t, f, &needs, &rounds);
    check(t, f->src.held.n == 0); /* what was brought was used, and let go */
    nwr_needs_deinit(&needs);
    return result;
}

/* Reads len bytes from offset `at` of region r and compares. */
void run_compare(struct run *t, struct nwr_file *f, const struct model *m, uint32_t r, uint32_t at,
                 uint32_t len)
{
    uint64_t off = m->base[r] + at, left = off < m->size ? m->size - off : 0;
    uint32_t want = (uint32_t)NWR_MIN(left, len), got = 0;
    struct nwr_slice_list out;

    run_read_all(t, f, off, len, &out);
    for (uint32_t i = 0; i < out.n; i++) {
        const struct nwr_slice *s = &out.slice[i];
        const uint8_t *model = m->byte[r] + at + got;

        check(t, s->len > 0 && got + s->len <= want);
        if (s->blob)
            check(t, memcmp(s->blob->data + s->off, model, s->len) == 0);
        for (uint32_t k = 0; !s->blob && k < s->len; k++)
            check(t, model[k] == 0);
        got += s->len;
    }
    check(t, got == want);
    nwr_slices_deinit(&out);
}

void run_compare_all(struct run *t, struct nwr_file *f, const struct model *m)
{
    check(t, nwr_file_size(f) == m->size);
    for (uint32_t r = 0; r < m->nregion; r++)
        for (uint32_t at = 0; at < m->span; at += 1 << 20)
            run_compare(t, f, m, r, at, NWR_MIN(m->span - at, 1 << 20));
}

struct nwr_file *run_file_at(struct run *t, struct nwr_blob *encoded, struct nwr_block_cache *c)
{
    struct nwr_in in = nwr_in_of(encoded->data, encoded->len);
    struct nwr_file *f = nwr_file_create(INO, c);
    struct nwr_map map;

    check(t, nwr_map_decode(&map, &in) == NWR_OK && nwr_in_done(&in));
    f->fanout = t->f->fanout;
    nwr_file_rebase(f, &map);
    nwr_map_deinit(&map);
    return f;
}

/* ---- pushes -------------------------------------------------------------------------------- */

static bool same_ids(const struct nwr_block_id *a, uint32_t na, const struct nwr_block_id *b,
                     uint32_t nb)
{
    for (uint32_t i = 0; i < na && na == nb; i++)
        if (!nwr_map_same_id(&a[i], &b[i]))
            return false;
    return na == nb;
}

/* What a node says it refers to is what its items name, and it comes after that. */
static void check_node(struct run *t, const struct nwr_block *b)
{
    struct nwr_items items = {0};
    struct nwr_block_id *refs;
    uint8_t depth;
    uint32_t n;

    check(t, nwr_node_decode(b->data, &depth, &items) == NWR_OK);
    n = nwr_items_refs(items.e, items.n, &refs);
    check(t, same_ids(b->refs, b->nrefs, refs, n));
    for (uint32_t k = 0; k < n; k++)
        check(t, refs[k].wid != t->wid || refs[k].number < b->id.number);
    nwr_free(refs);
    nwr_items_deinit(&items);
}

static void check_push(struct run *t, const struct nwr_push *push)
{
    struct nwr_block_id *refs;
    uint64_t bytes = 0;
    bool nodes = false;
    uint32_t n;

    for (uint32_t i = 0; i < push->nblock; i++) {
        const struct nwr_block *b = &push->block[i];

        check(t, b->id.ino == INO && b->id.wid == t->wid && b->id.number == i);
        check(t, b->data->len > 0 && b->data->len <= NWR_BLOCK_MAX);
        check(t, !nodes || b->nrefs > 0);
        nodes = b->nrefs > 0;
        bytes += b->data->len;
        if (nodes)
            check_node(t, b);
    }
    n = nwr_items_refs(push->map.item, push->map.n, &refs);
    check(t, same_ids(push->root, push->nroot, refs, n));
    nwr_free(refs);
    check(t, bytes == push->block_bytes);
}

void run_drop_version(struct run *t, uint32_t i)
{
    struct version *v = &t->held[i];

    store_unref(&t->store, v->root, v->nroot);
    nwr_blob_unref(v->map);
    nwr_free(v->root);
    model_deinit(&v->at);
    t->nheld--;
    memmove(v, v + 1, (t->nheld - i) * sizeof(*v));
}

static void add_version(struct run *t)
{
    struct nwr_out o = {0};
    struct version *v;

    store_add(&t->store, &t->push); /* before the old one goes: they share blocks */
    if (t->nheld == HELD_MAX)
        run_drop_version(t, (uint32_t)run_draw(t, HELD_MAX));
    v = &t->held[t->nheld++];
    nwr_map_encode(&t->push.map, &o);
    *v = (struct version){.map = nwr_out_blob(&o), .nroot = t->push.nroot};
    if (v->nroot)
        v->root = nwr_memdup(t->push.root, v->nroot * sizeof(*v->root));
    model_copy(&v->at, &t->pushed);
}

void run_push_begin(struct run *t)
{
    struct nwr_needs needs = {0};
    uint32_t rounds = 0;

    t->wid++;
    while (!nwr_file_push_begin(t->f, t->wid, &t->push, &needs))
        run_serve(t, t->f, &needs, &rounds);
    check(t, t->f->src.held.n == 0); /* what was brought was used, and let go */
    nwr_needs_deinit(&needs);
    check(t, nwr_file_dirty_bytes(t->f) == 0);
    check_push(t, &t->push);
    model_copy(&t->pushed, &t->now);
    t->pushing = true;
}

void run_push_end(struct run *t, bool ok)
{
    if (ok)
        add_version(t);
    nwr_file_push_end(t->f, ok);
    nwr_push_deinit(&t->push);
    model_deinit(&t->pushed);
    t->pushing = false;
}

void run_write_at(struct run *t, uint32_t r, uint32_t at, uint32_t len)
{
    uint32_t front = (uint32_t)run_draw(t, 3) * 5, back = (uint32_t)run_draw(t, 2) * 9;
    struct nwr_blob *b = nwr_blob_new((size_t)front + len + back);
    uint64_t pattern = nwr_rng_next(&t->rng);

    for (uint32_t i = 0; i < b->len; i++)
        b->data[i] = (uint8_t)((pattern >> (i % 57)) | 1);
    nwr_file_write(t->f, t->now.base[r] + at, b, front, len);
    memcpy(t->now.byte[r] + at, b->data + front, len);
    memset(t->now.used[r] + at, 1, len);
    if (len > 0)
        t->now.size = NWR_MAX(t->now.size, t->now.base[r] + at + len);
    nwr_blob_unref(b);
}

void run_deinit(struct run *t)
{
    while (t->nheld)
        run_drop_version(t, 0);
    assert_int_equal(t->store.table.n, 0);
    nwr_lru_deinit(&t->store.table);
    nwr_file_destroy(t->f);
    nwr_block_cache_destroy(t->cache);
    model_deinit(&t->now);
}

void run_push_now(struct run *t, uint32_t *blocks, uint64_t *bytes)
{
    run_push_begin(t);
    *blocks = t->push.nblock;
    *bytes = t->push.block_bytes;
    run_push_end(t, true);
}
