/* file_story_test.c -- what a file does, one story each: blocks written, blocks fetched. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/fs/file_run.h"

#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)

/* ---- stories ------------------------------------------------------------------------------- */

/* One region from 0, a cache that holds everything. */
static void story_init(struct run *t, uint32_t span)
{
    *t = (struct run){.seed = 0};
    nwr_rng_init(&t->rng, 1);
    model_init(&t->now, 1, span);
    t->cache = nwr_block_cache_create(64 << 20);
    t->f = nwr_file_create(INO, t->cache);
}

static void small_file_is_one_block(void **state)
{
    struct run t;
    uint32_t blocks;
    uint64_t bytes;

    (void)state;
    story_init(&t, 1 << 20);
    run_write_at(&t, 0, 0, 4096);
    run_push_now(&t, &blocks, &bytes);
    assert_int_equal(blocks, 1);
    assert_int_equal(bytes, 4096);
    run_write_at(&t, 0, 4096, 100);
    run_write_at(&t, 0, 10, 10);
    run_push_now(&t, &blocks, &bytes);
    assert_int_equal(blocks, 1);
    assert_int_equal(bytes, 4196);
    assert_int_equal(t.f->map.n, 1);
    while (t.nheld > 1)
        run_drop_version(&t, 0);
    assert_int_equal(t.store.table.n, 1);
    run_deinit(&t);
}

static void small_file_with_holes_is_one_block_and_keeps_them(void **state)
{
    struct run t;
    uint32_t blocks;
    uint64_t bytes;

    (void)state;
    story_init(&t, 1 << 20);
    run_write_at(&t, 0, 0, 1000);
    run_write_at(&t, 0, 600000, 1000);
    run_push_now(&t, &blocks, &bytes);
    assert_int_equal(blocks, 1);
    assert_int_equal(bytes, 2000);
    assert_int_equal(run_seek_all(&t, t.f, 0, true), 1000);
    assert_int_equal(run_seek_all(&t, t.f, 1000, false), 600000);
    assert_int_equal(nwr_file_blocks(t.f), 4);
    run_deinit(&t);
}

static void shrink_then_grow_reads_zeros(void **state)
{
    struct run t;
    uint32_t blocks;
    uint64_t bytes;

    (void)state;
    story_init(&t, 1 << 20);
    run_write_at(&t, 0, 0, 300000);
    run_push_now(&t, &blocks, &bytes);
    for (unsigned i = 0; i < 2; i++) {
        nwr_file_truncate(t.f, 1000);
        nwr_file_truncate(t.f, 200000);
        model_truncate(&t.now, 1000);
        model_truncate(&t.now, 200000);
        run_compare_all(&t, t.f, &t.now);
        run_push_now(&t, &blocks, &bytes);
        assert_int_equal(blocks, 0);
        run_compare_all(&t, t.f, &t.now);
    }
    assert_int_equal(nwr_file_blocks(t.f), 2);
    run_deinit(&t);
}

static void failed_push_lies_under_what_was_written_since(void **state)
{
    struct run t;

    (void)state;
    story_init(&t, 1 << 20);
    run_write_at(&t, 0, 0, 500000);
    run_push_begin(&t);
    run_write_at(&t, 0, 1000, 1000);
    nwr_file_truncate(t.f, 400000);
    model_truncate(&t.now, 400000);
    run_push_end(&t, false);
    assert_true(nwr_file_dirty(t.f));
    assert_int_equal(nwr_file_dirty_bytes(t.f), 400000);
    run_compare_all(&t, t.f, &t.now);
    run_push_begin(&t);
    run_push_end(&t, true);
    assert_false(nwr_file_dirty(t.f));
    run_compare_all(&t, t.f, &t.now);
    run_deinit(&t);
}

static void appends_of_4_kib_become_whole_blocks(void **state)
{
    struct run t;

    (void)state;
    story_init(&t, 8 << 20);
    for (uint32_t at = 0; at < 8 << 20; at += 4096)
        run_write_at(&t, 0, at, 4096);
    assert_int_equal(t.f->dirty.n, 8);
    run_push_begin(&t);
    assert_int_equal(t.push.nblock, 8);
    for (uint32_t i = 0; i < 8; i++)
        assert_ptr_equal(t.push.block[i].data->data, t.f->pushed.p[i].blob->data);
    run_push_end(&t, true);
    run_compare_all(&t, t.f, &t.now);
    run_deinit(&t);
}

static void reader_keeps_its_bytes_while_the_writer_goes_on(void **state)
{
    struct nwr_slice_list out;
    struct run t;
    uint8_t was[3000];

    (void)state;
    story_init(&t, 1 << 20);
    for (uint32_t at = 0; at < 3000; at += 100)
        run_write_at(&t, 0, at, 100);
    memcpy(was, t.now.byte[0], sizeof(was));
    run_read_all(&t, t.f, 0, 3000, &out);
    nwr_file_truncate(t.f, 1000);
    model_truncate(&t.now, 1000);
    run_write_at(&t, 0, 1000, 500);
    run_write_at(&t, 0, 0, 2000);
    run_write_at(&t, 0, 3000, 5000);
    nwr_file_truncate(t.f, 100);
    model_truncate(&t.now, 100);
    run_write_at(&t, 0, 100, 50000);
    assert_int_equal(out.n, 1);
    assert_memory_equal(out.slice[0].blob->data + out.slice[0].off, was, sizeof(was));
    nwr_slices_deinit(&out);
    run_deinit(&t);
}

static void fragmented_mib_is_rewritten_whole(void **state)
{
    struct run t;
    uint32_t blocks;
    uint64_t bytes;

    (void)state;
    story_init(&t, 1 << 20);
    run_write_at(&t, 0, 0, 1 << 20);
    run_push_now(&t, &blocks, &bytes);
    for (uint32_t i = 0; i < 31; i++)
        run_write_at(&t, 0, 100 + i * 30000, 100);
    run_push_now(&t, &blocks, &bytes);
    assert_int_equal(blocks, 31);
    assert_int_equal(bytes, 3100);
    for (uint32_t i = 0; i < 4; i++)
        run_write_at(&t, 0, 10000 + i * 30000, 100);
    run_push_now(&t, &blocks, &bytes);
    assert_int_equal(blocks, 1);
    assert_int_equal(bytes, 1 << 20);
    assert_int_equal(t.f->map.n, 1);
    run_compare_all(&t, t.f, &t.now);
    run_deinit(&t);
}

/* ---- huge files ---------------------------------------------------------------------------- */

/* Writes len bytes at each multiple of stride, pushed every 4096 of them. */
static void huge_init(struct run *t, uint32_t fanout, uint64_t stride, uint32_t count, uint32_t len)
{
    struct nwr_blob *b = nwr_blob_new(len);
    uint32_t blocks;
    uint64_t bytes;

    memset(b->data, 'x', len);
    story_init(t, 1);
    t->f->fanout = fanout;
    for (uint32_t i = 0; i < count; i++) {
        nwr_file_write(t->f, i * stride, b, 0, len);
        if (i % 4096 != 4095 && i + 1 < count)
            continue;
        run_push_now(t, &blocks, &bytes);
        while (t->nheld > 1)
            run_drop_version(t, 0);
    }
    nwr_blob_unref(b);
}

/* Forgets all that is cached. */
static void cold(struct run *t)
{
    struct nwr_file *f = t->f;

    nwr_block_cache_destroy(t->cache);
    t->cache = nwr_block_cache_create(64 << 20);
    t->f = run_file_at(t, t->held[0].map, t->cache);
    nwr_file_destroy(f);
    t->fetched = 0;
}

static void overwrite(struct run *t, uint64_t off, uint32_t len)
{
    struct nwr_blob *b = nwr_blob_new(len);

    memset(b->data, 'y', len);
    nwr_file_write(t->f, off, b, 0, len);
    nwr_blob_unref(b);
}

static void expect_byte(struct run *t, uint64_t off, int want)
{
    struct nwr_slice_list out;

    run_read_all(t, t->f, off, 1, &out);
    assert_int_equal(out.n, 1);
    assert_int_equal(out.slice[0].blob ? out.slice[0].blob->data[out.slice[0].off] : 0, want);
    nwr_slices_deinit(&out);
}

static void overwrite_in_10_gib_writes_its_bytes_and_one_path(void **state)
{
    struct run t;
    uint32_t blocks;
    uint64_t bytes;

    (void)state;
    huge_init(&t, NWR_MAP_FANOUT, MIB, 10240,
              1); /* as many extents as 10 GiB of whole blocks have */
    assert_int_equal(t.f->map.depth, 1);
    cold(&t);
    overwrite(&t, 5 * GIB + 8192, 4096);
    run_push_now(&t, &blocks, &bytes);
    assert_in_range(blocks, 2, 3);
    assert_in_range(bytes, 4096, 4096 + 16384);
    assert_in_range(t.fetched, 1, 2);
    expect_byte(&t, 5 * GIB, 'x');
    expect_byte(&t, 5 * GIB + 8192 + 4095, 'y');
    expect_byte(&t, 5 * GIB + 8192 + 4096, 0);
    run_deinit(&t);
}

static void hundred_thousand_extents_stay_shallow(void **state)
{
    struct run t;
    uint32_t blocks;
    uint64_t bytes, size;

    (void)state;
    huge_init(&t, NWR_MAP_FANOUT, 10 * MIB, 100000, 1); /* a TiB */
    size = nwr_file_size(t.f);
    assert_int_equal(t.f->map.depth, 2);
    assert_int_equal(nwr_file_blocks(t.f), (100000 + 511) / 512);
    cold(&t);
    overwrite(&t, 77777 * 10 * MIB + 50, 4096);
    run_push_now(&t, &blocks, &bytes);
    assert_in_range(blocks, 3, 5);
    assert_in_range(bytes, 4096, 4096 + 24576);
    expect_byte(&t, 77777 * 10 * MIB, 'x');
    expect_byte(&t, 77777 * 10 * MIB + 50, 'y');
    assert_int_equal(run_seek_all(&t, t.f, 1, false), 10 * MIB);
    nwr_file_punch(t.f, 3 * MIB, 99990 * 10 * MIB);
    run_push_now(&t, &blocks, &bytes);
    assert_in_range(t.f->map.depth, 0, 1);
    assert_in_range(t.fetched, 1, 30);
    assert_int_equal(nwr_file_size(t.f), size);
    assert_int_equal(run_seek_all(&t, t.f, 1, false), 99991 * 10 * MIB);
    while (t.nheld > 1)
        run_drop_version(&t, 0);
    assert_int_equal(t.store.table.n, 10 + 2);
    run_deinit(&t);
}

static void dense_file_is_searched_for_holes_without_its_nodes(void **state)
{
    struct run t;

    (void)state;
    huge_init(&t, 4, 4096, 40000, 4096);
    assert_in_range(t.f->map.depth, 2, 4);
    cold(&t);
    assert_int_equal(run_seek_all(&t, t.f, 12345, true), 40000 * 4096);
    assert_in_range(t.fetched, 0, 2);
    run_deinit(&t);
}

static void nodes_that_got_thin_are_joined(void **state)
{
    struct run t;
    uint32_t blocks;
    uint64_t bytes;

    (void)state;
    huge_init(&t, 8, MIB, 4096, 1);
    assert_in_range(t.store.table.n, 4096 + 512, 4096 + 1024);
    for (uint64_t i = 0; i < 4096; i += 16) {
        nwr_file_punch(t.f, i * MIB + 1, 15 * MIB + 10);
        run_push_now(&t, &blocks, &bytes);
        run_drop_version(&t, 0);
    }
    assert_in_range(t.store.table.n, 256 + 32, 256 + 224); /* 256 extents are left */
    run_deinit(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_file_is_one_block),
        cmocka_unit_test(small_file_with_holes_is_one_block_and_keeps_them),
        cmocka_unit_test(shrink_then_grow_reads_zeros),
        cmocka_unit_test(failed_push_lies_under_what_was_written_since),
        cmocka_unit_test(appends_of_4_kib_become_whole_blocks),
        cmocka_unit_test(reader_keeps_its_bytes_while_the_writer_goes_on),
        cmocka_unit_test(fragmented_mib_is_rewritten_whole),
        cmocka_unit_test(overwrite_in_10_gib_writes_its_bytes_and_one_path),
        cmocka_unit_test(hundred_thousand_extents_stay_shallow),
        cmocka_unit_test(nodes_that_got_thin_are_joined),
        cmocka_unit_test(dense_file_is_searched_for_holes_without_its_nodes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
