/* store_kept_test.c -- kept ancestors: replaced contents and their blocks, counted in the commit
 * that replaces them, dropped by the floor, by the want of room, and never kept where no other
 * replica is to have the file.
 */
#include "tests/contract/store_kit.h"

/* Content 5 is block 1, then block 2. */
static struct nwr_seen replaced(struct kit *k)
{
    struct nwr_seen seen = {0};

    assert_int_equal(put_content(k, 5, block_id(1), 100, &seen), NWR_OK);
    assert_int_equal(put_content(k, 5, block_id(2), 100, &seen), NWR_OK);
    return seen;
}

static struct nwr_record record_of(struct kit *k, struct nwr_key key)
{
    struct nwr_record rec = {0};
    struct batch b;

    batch_init(&b, k, NWR_STORE_READ);
    batch_range(&b, key, true, false);
    assert_int_equal(batch_run(&b), NWR_OK);
    if (b.op.rows.n)
        nwr_record_copy(&rec, &b.op.rows.row[0].rec);
    batch_deinit(&b);
    return rec;
}

static uint32_t kept(struct kit *k)
{
    struct nwr_record rec = record_of(k, content_key(5));
    uint32_t n = rec.nkept;

    nwr_record_deinit(&rec);
    return n;
}

/* All that was given is on the disks of all. */
static void raise_floor(struct kit *k, struct nwr_dot dot)
{
    struct nwr_vv floor = {&dot, 1, 1};
    struct nwr_group group = {.pg = PG, .peer_floor = &floor};
    struct batch b;

    batch_init(&b, k, NWR_STORE_CLOCKS);
    b.op.group = &group;
    b.op.ngroup = 1;
    assert_int_equal(batch_run(&b), NWR_OK);
    batch_deinit(&b);
    assert_true(group.folding);
    nwr_vv_deinit(&group.clock);
    nwr_vv_deinit(&group.floor);
    batch_init(&b, k, NWR_STORE_FOLD);
    assert_int_equal(batch_run(&b), NWR_OK);
    assert_false(b.op.more);
    batch_deinit(&b);
}

static void a_replaced_content_is_kept_with_its_block_until_the_floor_has_passed(void **state)
{
    struct kit *k = *state;
    struct nwr_seen seen = replaced(k);
    struct nwr_record rec;

    assert_int_equal(kept(k), 1);
    assert_int_equal(get_block(k, block_id(1), 1, 100), NWR_OK);
    kit_assert_whole(k);
    kit_restart(k);
    assert_int_equal(kept(k), 1);
    kit_assert_whole(k);
    raise_floor(k, seen.dot);
    assert_int_equal(kept(k), 0);
    assert_int_equal(get_block(k, block_id(1), 1, 100), NWR_E_NOENT);
    assert_int_equal(get_block(k, block_id(2), 2, 100), NWR_OK);
    assert_int_equal(stat_of(k).blocks, 1);
    kit_assert_whole(k);
    rec = record_of(k, content_key(5));
    assert_int_equal(rec.v[0].nbase, 1);
    nwr_record_deinit(&rec);
}

static void a_thousand_overwrites_keep_the_first_alone(void **state)
{
    struct kit *k = *state;
    struct nwr_seen seen = replaced(k);

    for (uint64_t i = 3; i < 1000; i++)
        assert_int_equal(put_content(k, 5, block_id(i), 10, &seen), NWR_OK);
    assert_int_equal(kept(k), 1);
    assert_int_equal(stat_of(k).blocks, 2);
    assert_int_equal(get_block(k, block_id(1), 1, 100), NWR_OK);
    kit_assert_whole(k);
}

static void what_is_removed_keeps_nothing(void **state)
{
    struct kit *k = *state;

    assert_int_equal(remove_content(k, 5, replaced(k)), NWR_OK);
    assert_int_equal(kept(k), 0);
    assert_int_equal(stat_of(k).blocks, 0);
    kit_assert_whole(k);
}

static void without_another_replica_nothing_is_kept(void **state)
{
    struct kit *k = *state;
    struct nwr_seen seen = {0};
    struct nwr_write *w;
    struct batch b;

    assert_int_equal(put_content(k, 5, block_id(1), 100, &seen), NWR_OK);
    batch_init(&b, k, NWR_STORE_APPLY);
    b.op.alone = true;
    w = batch_put(&b, content_key(5), 0, "x");
    nwr_write_seen(w, seen.dot, seen.wid);
    assert_int_equal(batch_end(&b), NWR_OK);
    assert_int_equal(kept(k), 0);
    assert_int_equal(get_block(k, block_id(1), 1, 100), NWR_E_NOENT);
    kit_assert_whole(k);
}

static void only_contents_are_kept(void **state)
{
    struct kit *k = *state;
    struct nwr_key key = entry_key(1, "name");
    struct nwr_seen seen = {0};
    struct nwr_record rec;

    assert_int_equal(put_one(k, key, "x", &seen), NWR_OK);
    assert_int_equal(put_one(k, key, "y", &seen), NWR_OK);
    rec = record_of(k, key);
    assert_int_equal(rec.n, 1);
    assert_int_equal(rec.nkept + rec.v[0].nbase, 0);
    nwr_record_deinit(&rec);
}

/* A merge, as a peer sends it: `text` over the version `from`. */
static void merge_beside(struct kit *k, const struct nwr_version *from)
{
    struct nwr_version v = {
        .dot = {(nwr_actor)9 << 32, 1}, .wid = 99, .nbase = 1, .base = {from->dot}};
    struct nwr_record rec = {0};
    struct batch b;

    nwr_record_put(&rec, &v, NULL, 0, NULL, 0, NULL);
    batch_init(&b, k, NWR_STORE_APPLY);
    b.op.coordinator = false;
    batch_merge(&b, content_key(5), &rec);
    assert_int_equal(batch_end(&b), NWR_OK);
    nwr_record_deinit(&rec);
}

static void a_conflict_keeps_its_base_whatever_the_floor(void **state)
{
    struct kit *k = *state;
    struct nwr_seen seen = replaced(k);
    struct nwr_record rec = record_of(k, content_key(5));
    const struct nwr_version *base;

    merge_beside(k, &rec.kept[0]);
    nwr_record_deinit(&rec);
    raise_floor(k, seen.dot);
    rec = record_of(k, content_key(5));
    assert_int_equal(rec.n, 2);
    base = nwr_record_base(&rec, &rec.v[0], &rec.v[1]);
    assert_non_null(base);
    assert_int_equal(base->blocks[0].wid, 1);
    assert_int_equal(get_block(k, block_id(1), 1, 100), NWR_OK);
    kit_assert_whole(k);
    nwr_record_deinit(&rec);
}

#define ON(f) cmocka_unit_test(f)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON(a_replaced_content_is_kept_with_its_block_until_the_floor_has_passed),
        ON(a_thousand_overwrites_keep_the_first_alone),
        ON(what_is_removed_keeps_nothing),
        ON(without_another_replica_nothing_is_kept),
        ON(only_contents_are_kept),
        ON(a_conflict_keeps_its_base_whatever_the_floor),
    };

    return kit_run_all(tests, NWR_COUNT(tests));
}
