/* store_blocks_test.c -- blocks, their counts and their end, on every implementation. */
#include "tests/contract/store_kit.h"

#define LARGE (NWR_BLOCK_SEGMENT + 4711)

static void a_version_is_refused_while_a_block_it_names_is_missing(void **state)
{
    struct kit *k = *state;
    struct nwr_write *w;
    struct batch b;

    assert_int_equal(put_block(k, block_id(1), 1, 100), NWR_OK);
    batch_init(&b, k, NWR_STORE_APPLY);
    w = batch_put(&b, content_key(5), 0, "x");
    write_names(w, block_id(3));
    write_names(w, block_id(1));
    write_names(w, block_id(2));
    write_names(w, block_id(3));
    assert_int_equal(batch_run(&b), NWR_E_BLOCKS);
    assert_int_equal(b.op.nmissing, 2);
    assert_int_equal(b.op.missing[0].wid, 2);
    assert_int_equal(b.op.missing[1].wid, 3);
    batch_deinit(&b);
    assert_int_equal(put_block(k, block_id(2), 2, 100), NWR_OK);
    assert_int_equal(put_block(k, block_id(3), 3, 100), NWR_OK);
    batch_init(&b, k, NWR_STORE_APPLY);
    w = batch_put(&b, content_key(5), 0, "x");
    for (uint64_t i = 1; i <= 3; i++)
        write_names(w, block_id(i));
    assert_int_equal(batch_end(&b), NWR_OK);
    assert_int_equal(get_block(k, block_id(2), 2, 100), NWR_OK);
    kit_assert_whole(k);
    assert_int_equal(kit_verify(k).idle, 0);
}

static void a_merge_waits_for_its_blocks_too(void **state)
{
    struct kit *k = *state;
    struct nwr_block_id id = block_id(8);
    struct nwr_version v = {.dot = {(nwr_actor)2 << 32, 1}, .wid = 5, .blocks = &id, .nblocks = 1};
    struct nwr_record rec = {0};
    struct batch b;

    nwr_record_put(&rec, &v, NULL, 0, NULL, 0, NULL);
    for (int i = 0; i < 2; i++) {
        batch_init(&b, k, NWR_STORE_APPLY);
        b.op.coordinator = false;
        batch_merge(&b, content_key(5), &rec);
        if (i)
            batch_block(&b, id, 8, 10);
        assert_int_equal(batch_end(&b), i ? NWR_OK : NWR_E_BLOCKS);
    }
    nwr_record_deinit(&rec);
    kit_assert_whole(k);
}

static void a_block_is_refused_while_a_block_it_names_is_missing(void **state)
{
    struct kit *k = *state;
    struct batch b;

    batch_init(&b, k, NWR_STORE_BLOCK_PUT);
    batch_block(&b, block_id(1), 1, 100);
    batch_block_ref(&b, block_id(2));
    assert_int_equal(batch_run(&b), NWR_E_BLOCKS);
    assert_int_equal(b.op.nmissing, 1);
    assert_int_equal(b.op.missing[0].wid, 2);
    batch_deinit(&b);
    assert_int_equal(get_block(k, block_id(1), 1, 100), NWR_E_NOENT);
    batch_init(&b, k, NWR_STORE_BLOCK_PUT);
    batch_block(&b, block_id(1), 1, 100);
    batch_block_ref(&b, block_id(2));
    batch_block(&b, block_id(2), 2, 100);
    assert_int_equal(batch_end(&b), NWR_OK);
    assert_int_equal(get_block(k, block_id(1), 1, 100), NWR_OK);
    kit_assert_whole(k);
}

static void a_block_is_given_with_the_blocks_it_names(void **state)
{
    struct kit *k = *state;
    struct batch b;

    batch_init(&b, k, NWR_STORE_BLOCK_PUT);
    batch_block(&b, block_id(1), 1, 100);
    batch_block_ref(&b, block_id(3));
    batch_block_ref(&b, block_id(2));
    batch_block(&b, block_id(2), 2, 100);
    batch_block(&b, block_id(3), 3, 100);
    assert_int_equal(batch_end(&b), NWR_OK);
    batch_init(&b, k, NWR_STORE_BLOCK_GET);
    batch_block(&b, block_id(1), 1, 100);
    assert_int_equal(batch_run(&b), NWR_OK);
    assert_int_equal(b.op.nrefs, 2);
    assert_int_equal(b.op.refs[0].wid, 3);
    assert_int_equal(b.op.refs[1].wid, 2);
    batch_deinit(&b);
}

static void a_block_stays_while_anything_names_it_and_goes_then(void **state)
{
    struct kit *k = *state;
    const size_t sizes[] = {100, LARGE, NWR_BLOCK_MAX};

    for (size_t i = 0; i < NWR_COUNT(sizes); i++) {
        struct nwr_seen a = {0}, b = {0};
        struct nwr_block_id id = block_id(10 + i);
        uint8_t fill = (uint8_t)id.wid;

        assert_int_equal(put_content(k, 100, id, sizes[i], &a), NWR_OK);
        assert_int_equal(put_content(k, 101, id, 0, &b), NWR_OK);
        assert_int_equal(get_block(k, id, fill, sizes[i]), NWR_OK);
        assert_int_equal(stat_of(k).block_bytes, sizes[i]);
        assert_int_equal(remove_content(k, 100, a), NWR_OK);
        assert_int_equal(get_block(k, id, fill, sizes[i]), NWR_OK);
        assert_int_equal(remove_content(k, 101, b), NWR_OK);
        assert_int_equal(get_block(k, id, fill, sizes[i]), NWR_E_NOENT);
        assert_int_equal(stat_of(k).blocks, 0);
        assert_int_equal(stat_of(k).block_bytes, 0);
    }
    kit_assert_whole(k);
    assert_int_equal(kit_verify(k).blocks, 0);
}

static void a_block_that_changes_its_version_in_one_batch_stays(void **state)
{
    struct kit *k = *state;
    struct nwr_seen seen = {0};

    assert_int_equal(put_content(k, 5, block_id(1), 100, &seen), NWR_OK);
    assert_int_equal(put_content(k, 5, block_id(1), 0, &seen), NWR_OK);
    assert_int_equal(get_block(k, block_id(1), 1, 100), NWR_OK);
    kit_assert_whole(k);
}

static void a_block_that_moves_below_another_in_one_batch_stays(void **state)
{
    struct kit *k = *state;
    struct nwr_seen seen = {0};
    struct nwr_write *w;
    struct batch b;

    assert_int_equal(put_content(k, 5, block_id(1), 100, &seen), NWR_OK);
    batch_init(&b, k, NWR_STORE_APPLY);
    w = batch_put(&b, content_key(5), 0, "deeper");
    nwr_write_seen(w, seen.dot, seen.wid);
    write_names(w, block_id(2));
    batch_block(&b, block_id(2), 2, 100);
    batch_block_ref(&b, block_id(1));
    assert_int_equal(batch_end(&b), NWR_OK);
    assert_int_equal(get_block(k, block_id(1), 1, 100), NWR_OK);
    assert_int_equal(get_block(k, block_id(2), 2, 100), NWR_OK);
    kit_assert_whole(k);
    assert_int_equal(kit_verify(k).idle, 0);
}

static void the_blocks_below_a_block_go_with_it_however_deep(void **state)
{
    enum {
        DEPTH = 5000
    };
    struct kit *k = *state;
    struct nwr_seen seen = {0};
    struct batch b;

    batch_init(&b, k, NWR_STORE_BLOCK_PUT);
    for (uint64_t i = 1; i <= DEPTH; i++) {
        batch_block(&b, block_id(i), (uint8_t)i, 8);
        if (i > 1)
            batch_block_ref(&b, block_id(i - 1));
    }
    assert_int_equal(batch_end(&b), NWR_OK);
    assert_int_equal(put_content(k, 5, block_id(DEPTH), 0, &seen), NWR_OK);
    kit_assert_whole(k);
    assert_int_equal(kit_verify(k).blocks, DEPTH);
    assert_int_equal(remove_content(k, 5, seen), NWR_OK);
    assert_int_equal(kit_verify(k).blocks, 0);
}

static void a_shared_subtree_stays_with_the_other_version(void **state)
{
    struct kit *k = *state;
    struct nwr_seen seen[2];
    struct nwr_write *w;
    struct batch b;

    assert_int_equal(put_block(k, block_id(1), 1, 100), NWR_OK);
    for (uint64_t i = 0; i < 2; i++) {
        batch_init(&b, k, NWR_STORE_APPLY);
        w = batch_put(&b, content_key(5 + i), 0, "x");
        write_names(w, block_id(10 + i));
        batch_block(&b, block_id(10 + i), 1, 50);
        batch_block_ref(&b, block_id(1));
        batch_block_ref(&b, block_id(1));
        seen[i] = (struct nwr_seen){w->v.dot, w->v.wid};
        assert_int_equal(batch_end(&b), NWR_OK);
    }
    assert_int_equal(remove_content(k, 5, seen[0]), NWR_OK);
    assert_int_equal(get_block(k, block_id(1), 1, 100), NWR_OK);
    kit_assert_whole(k);
    assert_int_equal(remove_content(k, 6, seen[1]), NWR_OK);
    assert_int_equal(kit_verify(k).blocks, 0);
}

static void blocks_of_a_batch_that_nothing_names_are_not_kept(void **state)
{
    struct kit *k = *state;
    struct batch b;

    for (int i = 0; i < 2; i++) {
        batch_init(&b, k, NWR_STORE_APPLY);
        batch_put(&b, content_key(5), 0, "x");
        batch_block(&b, block_id(1), 1, i ? LARGE : 100);
        assert_int_equal(batch_end(&b), NWR_OK);
        assert_int_equal(get_block(k, block_id(1), 1, 100), NWR_E_NOENT);
    }
    assert_int_equal(kit_verify(k).blocks, 0);
    kit_assert_whole(k);
}

static void a_block_put_ahead_waits_for_its_version_and_is_gone_at_restart_without(void **state)
{
    struct kit *k = *state;
    struct batch b;

    assert_int_equal(put_block(k, block_id(1), 1, 100), NWR_OK);
    assert_int_equal(put_block(k, block_id(2), 2, LARGE), NWR_OK);
    batch_init(&b, k, NWR_STORE_BLOCK_PUT);
    batch_block(&b, block_id(3), 3, 100);
    batch_block(&b, block_id(4), 4, 100);
    batch_block_ref(&b, block_id(3));
    assert_int_equal(batch_end(&b), NWR_OK);
    assert_int_equal(get_block(k, block_id(1), 1, 100), NWR_OK);
    assert_int_equal(get_block(k, block_id(2), 2, LARGE), NWR_OK);
    assert_int_equal(put_content(k, 5, block_id(1), 0, NULL), NWR_OK);
    assert_int_equal(kit_verify(k).idle, 2);
    kit_restart(k);
    assert_int_equal(get_block(k, block_id(1), 1, 100), NWR_OK);
    assert_int_equal(get_block(k, block_id(2), 2, LARGE), NWR_E_NOENT);
    assert_int_equal(get_block(k, block_id(3), 3, 100), NWR_E_NOENT);
    kit_assert_whole(k);
    assert_int_equal(kit_verify(k).blocks, 1);
    assert_int_equal(stat_of(k).blocks, 1);
}

static void a_block_put_again_is_stored_once(void **state)
{
    struct kit *k = *state;
    struct nwr_seen seen = {0};

    assert_int_equal(put_block(k, block_id(1), 1, LARGE), NWR_OK);
    assert_int_equal(put_block(k, block_id(1), 1, LARGE), NWR_OK);
    assert_int_equal(put_content(k, 5, block_id(1), LARGE, &seen), NWR_OK);
    assert_int_equal(stat_of(k).blocks, 1);
    kit_assert_whole(k);
    assert_int_equal(remove_content(k, 5, seen), NWR_OK);
    assert_int_equal(get_block(k, block_id(1), 1, LARGE), NWR_E_NOENT);
}

static void a_block_put_again_while_named_outlives_that_name(void **state)
{
    struct kit *k = *state;
    struct nwr_seen seen = {0};

    assert_int_equal(put_content(k, 5, block_id(1), 100, &seen), NWR_OK);
    assert_int_equal(put_block(k, block_id(1), 1, 100), NWR_OK);
    assert_int_equal(remove_content(k, 5, seen), NWR_OK);
    assert_int_equal(get_block(k, block_id(1), 1, 100), NWR_OK);
    assert_int_equal(put_content(k, 6, block_id(1), 0, NULL), NWR_OK);
    kit_assert_whole(k);
}

static void an_empty_block_is_a_block(void **state)
{
    struct kit *k = *state;

    assert_int_equal(put_content(k, 5, block_id(1), 0, NULL), NWR_E_BLOCKS);
    assert_int_equal(put_block(k, block_id(1), 1, 0), NWR_OK);
    assert_int_equal(put_content(k, 5, block_id(1), 0, NULL), NWR_OK);
    assert_int_equal(get_block(k, block_id(1), 1, 0), NWR_OK);
}

static void a_block_that_is_not_there_is_e_noent(void **state)
{
    assert_int_equal(get_block(*state, block_id(1), 1, 1), NWR_E_NOENT);
}

static void a_restart_keeps_everything(void **state)
{
    struct kit *k = *state;
    struct nwr_seen seen = {0};
    char body[8];

    assert_int_equal(put_content(k, 5, block_id(1), 100, NULL), NWR_OK);
    assert_int_equal(put_content(k, 6, block_id(2), LARGE, &seen), NWR_OK);
    assert_int_equal(put_one(k, content_key(7), "seven", NULL), NWR_OK);
    kit_restart(k);
    assert_int_equal(get_one(k, content_key(7), body, sizeof(body)), 1);
    assert_string_equal(body, "seven");
    assert_int_equal(get_block(k, block_id(1), 1, 100), NWR_OK);
    assert_int_equal(get_block(k, block_id(2), 2, LARGE), NWR_OK);
    assert_int_equal(stat_of(k).blocks, 2);
    assert_int_equal(stat_of(k).block_bytes, 100 + LARGE);
    assert_int_equal(stat_of(k).records, 3);
    kit_assert_whole(k);
    assert_int_equal(remove_content(k, 6, seen), NWR_OK);
    assert_int_equal(get_block(k, block_id(2), 2, LARGE), NWR_E_NOENT);
    kit_restart(k);
    kit_assert_whole(k);
    assert_int_equal(kit_verify(k).blocks, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_version_is_refused_while_a_block_it_names_is_missing),
        cmocka_unit_test(a_merge_waits_for_its_blocks_too),
        cmocka_unit_test(a_block_is_refused_while_a_block_it_names_is_missing),
        cmocka_unit_test(a_block_is_given_with_the_blocks_it_names),
        cmocka_unit_test(a_block_stays_while_anything_names_it_and_goes_then),
        cmocka_unit_test(a_block_that_changes_its_version_in_one_batch_stays),
        cmocka_unit_test(a_block_that_moves_below_another_in_one_batch_stays),
        cmocka_unit_test(the_blocks_below_a_block_go_with_it_however_deep),
        cmocka_unit_test(a_shared_subtree_stays_with_the_other_version),
        cmocka_unit_test(blocks_of_a_batch_that_nothing_names_are_not_kept),
        cmocka_unit_test(a_block_put_ahead_waits_for_its_version_and_is_gone_at_restart_without),
        cmocka_unit_test(a_block_put_again_is_stored_once),
        cmocka_unit_test(a_block_put_again_while_named_outlives_that_name),
        cmocka_unit_test(an_empty_block_is_a_block),
        cmocka_unit_test(a_block_that_is_not_there_is_e_noent),
        cmocka_unit_test(a_restart_keeps_everything),
    };

    return kit_run_all(tests, NWR_COUNT(tests));
}
