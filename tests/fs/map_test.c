/* map_test.c -- maps as bytes, what a decoder refuses, the block cache, maps that lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "fs/core/file_int.h"

#define MIB ((uint64_t)1 << 20)

/* ---- bytes --------------------------------------------------------------------------------- */

static void random_map(struct nwr_rng *rng, struct nwr_map *map, uint8_t depth)
{
    struct nwr_items items = {0};
    uint64_t pos = 0, n = nwr_rng_below(rng, NWR_MAP_FANOUT + 1);

    n += n == 0 && depth > 0;
    for (uint64_t i = 0; i < n; i++) {
        struct nwr_extent e = {.block = {1 + nwr_rng_below(rng, 2), nwr_rng_below(rng, 3), 0}};
        uint64_t below;

        e.block.number = (uint32_t)nwr_rng_next(rng);
        e.off = pos + nwr_rng_below(rng, 3) * nwr_rng_below(rng, MIB);
        e.len = 1 + (uint32_t)nwr_rng_below(rng, NWR_BLOCK_MAX);
        if (depth == 0) {
            e.block_off = (uint32_t)nwr_rng_below(rng, NWR_BLOCK_MAX - e.len + 1);
            pos = nwr_extent_end(&e);
        } else {
            below = 1 + nwr_rng_below(rng, 1000 * MIB * MIB);
            e.len = (uint32_t)below;
            e.block_off = (uint32_t)(below >> 32);
            pos = e.off + below;
        }
        nwr_items_add(&items, &e);
    }
    *map = (struct nwr_map){pos + nwr_rng_below(rng, 5), depth, items.e, items.n};
}

static void map_comes_back_from_its_bytes(void **state)
{
    struct nwr_rng rng;

    (void)state;
    nwr_rng_init(&rng, 1);
    for (uint32_t i = 0; i < 2000; i++) {
        struct nwr_map map, back;
        struct nwr_out o = {0};
        struct nwr_in in;

        random_map(&rng, &map, (uint8_t)(i % (NWR_MAP_DEPTH_MAX + 1)));
        nwr_map_encode(&map, &o);
        nwr_out_u8(&o, 99); /* what follows is not the map's */
        in = nwr_in_of(o.data, o.len);
        assert_int_equal(nwr_map_decode(&back, &in), NWR_OK);
        assert_int_equal(nwr_in_u8(&in), 99);
        assert_true(nwr_in_done(&in));
        assert_true(back.size == map.size && back.depth == map.depth && back.n == map.n);
        for (uint32_t k = 0; k < map.n; k++) {
            const struct nwr_extent *a = &map.item[k], *b = &back.item[k];

            assert_true(a->off == b->off && a->len == b->len && a->block_off == b->block_off);
            assert_true(nwr_map_same_id(&a->block, &b->block));
        }
        nwr_map_deinit(&map);
        nwr_map_deinit(&back);
        nwr_out_free(&o);
    }
}

/* Decodes one item of these fields; the block id is (7, 8, 9). */
static enum nwr_err decode_one(uint64_t size, uint8_t depth, uint8_t flags, uint64_t off,
                               uint64_t len, uint64_t block_off)
{
    struct nwr_map map = {.size = 12345};
    struct nwr_out o = {0};
    struct nwr_in in;
    enum nwr_err err;

    nwr_out_var(&o, size);
    nwr_out_u8(&o, depth);
    nwr_out_var(&o, 1);
    nwr_out_u8(&o, flags);
    nwr_out_var(&o, off);
    nwr_out_var(&o, len);
    if (flags & 4)
        nwr_out_var(&o, block_off);
    nwr_out_u64(&o, 7);
    nwr_out_u64(&o, 8);
    nwr_out_var(&o, 9);
    in = nwr_in_of(o.data, o.len);
    err = nwr_map_decode(&map, &in);
    if (err)
        assert_true(map.size == 12345 && map.n == 0); /* untouched */
    else
        nwr_map_deinit(&map);
    nwr_out_free(&o);
    return err;
}

static void item_out_of_bounds_is_refused(void **state)
{
    (void)state;
    assert_int_equal(decode_one(1000, 0, 0, 900, 100, 0), NWR_OK);
    assert_int_equal(decode_one(1000, 0, 0, 901, 100, 0), NWR_E_FORMAT);
    assert_int_equal(decode_one(1000, 0, 0, 1001, 1, 0), NWR_E_FORMAT);
    assert_int_equal(decode_one(1000, 0, 0, UINT64_MAX, 1, 0), NWR_E_FORMAT);
    assert_int_equal(decode_one(1000, 0, 0, 0, 0, 0), NWR_E_FORMAT);
    assert_int_equal(decode_one(9 * MIB, 0, 0, 0, NWR_BLOCK_MAX, 0), NWR_OK);
    assert_int_equal(decode_one(9 * MIB, 0, 0, 0, NWR_BLOCK_MAX + 1, 0), NWR_E_FORMAT);
    assert_int_equal(decode_one(9 * MIB, 0, 4, 0, 100, NWR_BLOCK_MAX - 100), NWR_OK);
    assert_int_equal(decode_one(9 * MIB, 0, 4, 0, 100, NWR_BLOCK_MAX - 99), NWR_E_FORMAT);
    assert_int_equal(decode_one(9 * MIB, 0, 4, 0, 100, UINT64_MAX - 50), NWR_E_FORMAT);
    assert_int_equal(decode_one(1000, 0, 8, 0, 100, 0), NWR_E_FORMAT);
    assert_int_equal(decode_one(NWR_FILE_MAX, 0, 0, 0, 1, 0), NWR_OK);
    assert_int_equal(decode_one(NWR_FILE_MAX + 1, 0, 0, 0, 1, 0), NWR_E_FORMAT);
}

static void item_that_names_a_node_covers_no_more_than_its_range(void **state)
{
    (void)state;
    assert_int_equal(decode_one(1000, 1, 0, 10, 990, 0), NWR_OK);
    assert_int_equal(decode_one(1000, 1, 0, 10, 991, 0), NWR_E_FORMAT);
    assert_int_equal(decode_one(1000, 1, 0, 10, 0, 0), NWR_E_FORMAT);
    assert_int_equal(decode_one(1000, 1, 4, 10, 900, 1), NWR_E_FORMAT);
    assert_int_equal(decode_one(NWR_FILE_MAX, 4, 0, 0, NWR_FILE_MAX, 0), NWR_OK);
    assert_int_equal(decode_one(NWR_FILE_MAX, 5, 0, 0, 1, 0), NWR_E_FORMAT);
}

static void empty_node_and_too_many_items_are_refused(void **state)
{
    struct nwr_out o = {0};
    struct nwr_map map = {0};
    struct nwr_in in;

    (void)state;
    nwr_out_var(&o, 10000);
    nwr_out_u8(&o, 1);
    nwr_out_var(&o, 0);
    in = nwr_in_of(o.data, o.len);
    assert_int_equal(nwr_map_decode(&map, &in), NWR_E_FORMAT);
    nwr_out_free(&o);
    nwr_out_var(&o, 10000);
    nwr_out_u8(&o, 0);
    nwr_out_var(&o, NWR_MAP_FANOUT + 1);
    for (uint32_t i = 0; i <= NWR_MAP_FANOUT; i++)
        nwr_out_raw(&o, "\3\1\1\0", 4); /* same block 0, one byte, one behind the last */
    in = nwr_in_of(o.data, o.len);
    assert_int_equal(nwr_map_decode(&map, &in), NWR_E_FORMAT);
    nwr_out_free(&o);
}

static void refs_are_sorted_and_once_each(void **state)
{
    struct nwr_extent item[4] = {{.block = {1, 2, 3}}, {.block = {1, 1, 9}}, {.block = {1, 2, 3}}};
    struct nwr_block_id *refs;

    (void)state;
    assert_int_equal(nwr_items_refs(item, 3, &refs), 2);
    assert_true(refs[0].wid == 1 && refs[1].wid == 2);
    nwr_free(refs);
    assert_int_equal(nwr_items_refs(item, 0, &refs), 0);
    assert_null(refs);
}

static void needs_name_a_block_once_and_are_bounded(void **state)
{
    struct nwr_needs needs = {0};

    (void)state;
    for (uint32_t i = 0; i < 3 * NWR_NEEDS_MAX; i++)
        nwr_needs_add(&needs, (struct nwr_block_id){1, 2, i / 2});
    assert_int_equal(needs.n, NWR_NEEDS_MAX);
    assert_int_equal(needs.id[7].number, 7);
    nwr_needs_deinit(&needs);
    assert_int_equal(needs.n, 0);
}

/* ---- block cache --------------------------------------------------------------------------- */

static void cache_put(struct nwr_block_cache *c, uint32_t number, uint32_t len)
{
    struct nwr_block_id id = {1, 2, number};
    struct nwr_blob *b = nwr_blob_new(len);

    memset(b->data, (int)number, len);
    nwr_block_cache_put(c, &id, b);
    nwr_blob_unref(b);
}

static bool cache_has(struct nwr_block_cache *c, uint32_t number)
{
    struct nwr_block_id id = {1, 2, number};
    struct nwr_blob *b = nwr_block_cache_get(c, &id);

    if (b)
        assert_int_equal(b->data[0], number & 255);
    return b != NULL;
}

static void cache_drops_what_was_used_longest_ago(void **state)
{
    struct nwr_block_cache *c = nwr_block_cache_create(10 * 10128);

    (void)state;
    for (uint32_t i = 0; i < 10; i++)
        cache_put(c, i, 10000);
    assert_true(cache_has(c, 0));
    cache_put(c, 10, 10000);
    assert_true(cache_has(c, 0));
    assert_false(cache_has(c, 1));
    assert_true(cache_has(c, 2));
    cache_put(c, 11, 50000); /* takes the room of five */
    assert_true(cache_has(c, 0) && cache_has(c, 2) && cache_has(c, 11));
    assert_false(cache_has(c, 3) || cache_has(c, 6));
    cache_put(c, 12, 1000000); /* larger than all of it */
    assert_false(cache_has(c, 12) || cache_has(c, 0));
    nwr_block_cache_destroy(c);
}

static void cache_finds_each_of_many(void **state)
{
    struct nwr_block_cache *c = nwr_block_cache_create(64 << 20);

    (void)state;
    for (uint32_t i = 0; i < 20000; i++)
        cache_put(c, i, 1);
    for (uint32_t i = 0; i < 20000; i++)
        assert_true(cache_has(c, i));
    assert_false(cache_has(c, 20000));
    nwr_block_cache_destroy(c);
}

/* ---- maps that lie ------------------------------------------------------------------------- */

struct lie {
    struct nwr_block_cache *cache;
    struct nwr_file *f;
};

/* A file whose root names a node of these items (of this depth) for 8 bytes from offset 4. */
static struct lie lie_of(uint8_t root_depth, uint8_t depth, const struct nwr_extent *item,
                         uint32_t n)
{
    struct lie l = {.cache = nwr_block_cache_create(1 << 20)};
    struct nwr_extent root = {.off = 4, .len = 8, .block = {1, 1, 1}};
    struct nwr_map map = {100, root_depth, &root, 1};
    struct nwr_blob *node = nwr_node_encode(depth, item, n);

    l.f = nwr_file_create(1, l.cache);
    nwr_file_rebase(l.f, &map);
    nwr_file_have(l.f, &root.block, node);
    nwr_blob_unref(node);
    return l;
}

static enum nwr_err lie_told(struct lie *l)
{
    struct nwr_needs needs = {0};
    struct nwr_slice_list out = {0};
    struct nwr_push push = {0};
    struct nwr_blob *b = nwr_blob_copy("new", 3);
    uint64_t at;
    enum nwr_err err;

    assert_false(nwr_file_read(l->f, 0, 50, &out, &needs));
    err = needs.err;
    needs.err = NWR_OK;
    assert_false(nwr_file_seek(l->f, 5, false, &at, &needs));
    assert_int_equal(needs.err, err);
    needs.err = NWR_OK;
    nwr_file_write(l->f, 6, b, 0, 3);
    assert_false(nwr_file_push_begin(l->f, 99, &push, &needs));
    assert_int_equal(needs.err, err);
    assert_int_equal(push.nblock, 0);
    nwr_blob_unref(b);
    nwr_needs_deinit(&needs);
    nwr_file_check(l->f);
    nwr_file_destroy(l->f);
    nwr_block_cache_destroy(l->cache);
    return err;
}

static void node_that_is_not_what_its_parent_says_is_corrupt(void **state)
{
    struct nwr_extent item[2] = {{.off = 4, .len = 5, .block = {1, 2, 0}},
                                 {.off = 20, .len = 3, .block = {1, 3, 0}}};
    struct lie l;

    (void)state;
    l = lie_of(2, 0, item, 2); /* depth */
    assert_int_equal(lie_told(&l), NWR_E_CORRUPT);
    l = lie_of(1, 1, item, 2);
    assert_int_equal(lie_told(&l), NWR_E_CORRUPT);
    item[1].len = 4; /* bytes */
    l = lie_of(1, 0, item, 2);
    assert_int_equal(lie_told(&l), NWR_E_CORRUPT);
    item[1].len = 3;
    item[1].off = 98; /* end */
    l = lie_of(1, 0, item, 2);
    assert_int_equal(lie_told(&l), NWR_E_CORRUPT);
    item[0].off = 3; /* start */
    item[1].off = 20;
    l = lie_of(1, 0, item, 2);
    assert_int_equal(lie_told(&l), NWR_E_CORRUPT);
}

static void block_shorter_than_its_extent_is_corrupt(void **state)
{
    struct nwr_block_cache *cache = nwr_block_cache_create(1 << 20);
    struct nwr_file *f = nwr_file_create(1, cache);
    struct nwr_extent item = {.off = 0, .len = 100, .block_off = 10, .block = {1, 1, 0}};
    struct nwr_map map = {100, 0, &item, 1};
    struct nwr_blob *data = nwr_blob_new(109);
    struct nwr_slice_list out = {0};
    struct nwr_needs needs = {0};

    (void)state;
    nwr_file_rebase(f, &map);
    assert_false(nwr_file_read(f, 0, 100, &out, &needs));
    assert_true(needs.n == 1 && needs.err == NWR_OK);
    nwr_needs_deinit(&needs);
    nwr_file_have(f, &item.block, data);
    assert_false(nwr_file_read(f, 0, 100, &out, &needs));
    assert_true(needs.n == 0 && needs.err == NWR_E_CORRUPT && out.n == 0);
    nwr_blob_unref(data);
    nwr_file_destroy(f);
    nwr_block_cache_destroy(cache);
}

static void map_that_would_grow_too_deep_is_an_error_and_loses_nothing(void **state)
{
    struct nwr_block_cache *cache = nwr_block_cache_create(1 << 20);
    struct nwr_file *f = nwr_file_create(1, cache);
    struct nwr_blob *b = nwr_blob_copy("x", 1);
    struct nwr_push push = {0};
    struct nwr_needs needs = {0};

    (void)state;
    f->fanout = 4;
    for (uint64_t i = 0; i < 1025; i++) /* one more than four levels and the root hold */
        nwr_file_write(f, i * MIB, b, 0, 1);
    assert_false(nwr_file_push_begin(f, 5, &push, &needs));
    assert_true(needs.err == NWR_E_FBIG && push.nblock == 0);
    needs.err = NWR_OK;
    assert_int_equal(nwr_file_dirty_bytes(f), 1025);
    nwr_file_truncate(f, 1023 * MIB + 1);
    assert_true(nwr_file_push_begin(f, 6, &push, &needs));
    assert_int_equal(push.map.depth, 4);
    nwr_file_push_end(f, true);
    nwr_push_deinit(&push);
    nwr_blob_unref(b);
    nwr_file_destroy(f);
    nwr_block_cache_destroy(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(map_comes_back_from_its_bytes),
        cmocka_unit_test(item_out_of_bounds_is_refused),
        cmocka_unit_test(item_that_names_a_node_covers_no_more_than_its_range),
        cmocka_unit_test(empty_node_and_too_many_items_are_refused),
        cmocka_unit_test(refs_are_sorted_and_once_each),
        cmocka_unit_test(needs_name_a_block_once_and_are_bounded),
        cmocka_unit_test(cache_drops_what_was_used_longest_ago),
        cmocka_unit_test(cache_finds_each_of_many),
        cmocka_unit_test(node_that_is_not_what_its_parent_says_is_corrupt),
        cmocka_unit_test(block_shorter_than_its_extent_is_corrupt),
        cmocka_unit_test(map_that_would_grow_too_deep_is_an_error_and_loses_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
