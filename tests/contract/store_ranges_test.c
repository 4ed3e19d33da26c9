/* store_ranges_test.c -- what a READ gives, on every implementation. */
#include "tests/contract/store_kit.h"

#include <stdio.h>

/* Row of key in the rows of a batch that has run. */
static const struct nwr_record *row_of(const struct batch *b, struct nwr_key key)
{
    const struct nwr_row *row = nwr_rows_find(&b->op.rows, &key);

    assert_non_null(row);
    return &row->rec;
}

static void a_range_gives_keys_with_its_prefix_in_order_each_once(void **state)
{
    struct kit *k = *state;
    struct batch b;

    put_one(k, entry_key(2, "b"), "x", NULL);
    put_one(k, entry_key(2, "a"), "x", NULL);
    put_one(k, entry_key(2, "ab"), "x", NULL);
    put_one(k, entry_key(3, "c"), "x", NULL);
    put_one(k, content_key(2), "x", NULL);
    batch_init(&b, k, NWR_STORE_READ);
    batch_range(&b, nwr_key_entries(ino(2)), false, false);
    batch_range(&b, entry_key(2, "ab"), true, false);
    assert_int_equal(batch_run(&b), NWR_OK);
    assert_int_equal(b.op.rows.n, 3);
    assert_false(b.op.more);
    for (uint32_t i = 1; i < b.op.rows.n; i++)
        assert_true(nwr_key_cmp(&b.op.rows.row[i - 1].key, &b.op.rows.row[i].key) < 0);
    row_of(&b, entry_key(2, "a"));
    row_of(&b, entry_key(2, "ab"));
    row_of(&b, entry_key(2, "b"));
    batch_deinit(&b);
}

static void a_range_goes_on_after_a_key_that_need_not_exist(void **state)
{
    struct kit *k = *state;
    struct batch b;

    put_one(k, entry_key(2, "a"), "x", NULL);
    put_one(k, entry_key(2, "c"), "x", NULL);
    put_one(k, entry_key(2, "e"), "x", NULL);
    batch_init(&b, k, NWR_STORE_READ);
    batch_range(&b, nwr_key_entries(ino(2)), false, false);
    b.req->range[0].after = entry_key(2, "c");
    assert_int_equal(batch_run(&b), NWR_OK);
    assert_int_equal(b.op.rows.n, 1);
    row_of(&b, entry_key(2, "e"));
    batch_deinit(&b);
    batch_init(&b, k, NWR_STORE_READ);
    batch_range(&b, nwr_key_entries(ino(2)), false, false);
    b.req->range[0].after = entry_key(2, "b");
    assert_int_equal(batch_run(&b), NWR_OK);
    assert_int_equal(b.op.rows.n, 2);
    batch_deinit(&b);
}

static void an_exact_range_gives_its_key_only(void **state)
{
    struct kit *k = *state;
    struct batch b;

    put_one(k, entry_key(2, "a"), "x", NULL);
    put_one(k, entry_key(2, "ab"), "x", NULL);
    batch_init(&b, k, NWR_STORE_READ);
    batch_range(&b, entry_key(2, "a"), true, false);
    batch_range(&b, entry_key(2, "none"), true, false);
    assert_int_equal(batch_run(&b), NWR_OK);
    assert_int_equal(b.op.rows.n, 1);
    batch_deinit(&b);
}

static void put_many(struct kit *k, uint64_t parent, uint32_t n, bool refs)
{
    struct batch b;

    batch_init(&b, k, NWR_STORE_APPLY);
    for (uint32_t i = 0; i < n; i++) {
        char name[16];

        if (b.req->nwrite == BATCH_MAX) {
            assert_int_equal(batch_end(&b), NWR_OK);
            batch_init(&b, k, NWR_STORE_APPLY);
        }
        snprintf(name, sizeof(name), "%05u", i);
        batch_put(&b, entry_key(parent, name), 0, NULL)->v.ref = refs ? ino(1000 + i) : 0;
    }
    assert_int_equal(batch_end(&b), NWR_OK);
}

static void a_long_range_is_cut_and_says_so_and_followed_rows_do_not_count(void **state)
{
    struct kit *k = *state;
    struct batch b;

    put_many(k, 2, NWR_SCAN_ROWS + 1, true);
    assert_int_equal(put_one(k, content_key(1000), "first", NULL), NWR_OK);
    assert_int_equal(put_one(k, content_key(1000 + NWR_SCAN_ROWS), "cut", NULL), NWR_OK);
    batch_init(&b, k, NWR_STORE_READ);
    batch_range(&b, nwr_key_entries(ino(2)), false, true);
    assert_int_equal(batch_run(&b), NWR_OK);
    assert_int_equal(b.op.rows.n, NWR_SCAN_ROWS + 1);
    assert_true(b.op.more);
    row_of(&b, content_key(1000));
    batch_deinit(&b);
    batch_init(&b, k, NWR_STORE_READ);
    batch_range(&b, nwr_key_entries(ino(2)), false, true);
    b.req->range[0].after = entry_key(2, "01023");
    assert_int_equal(batch_run(&b), NWR_OK);
    assert_int_equal(b.op.rows.n, 2);
    assert_false(b.op.more);
    batch_deinit(&b);
}

/* Sixty entries whose objects hold 120 KiB each. */
static void put_heavy(struct kit *k, uint32_t n)
{
    static char body[60001];
    struct batch b;

    memset(body, 'h', sizeof(body) - 1);
    put_many(k, 2, n, true);
    for (uint32_t i = 0; i < n; i++) {
        batch_init(&b, k, NWR_STORE_APPLY);
        batch_put(&b, content_key(1000 + i), 0, body);
        batch_put(&b, nwr_key_xattr(ino(1000 + i), "user.x", 6), 0, body);
        assert_int_equal(batch_end(&b), NWR_OK);
    }
}

static void a_heavy_range_is_cut_after_the_objects_of_a_row(void **state)
{
    enum {
        N = 60
    };
    struct kit *k = *state;
    struct nwr_key after = {0};
    uint32_t entries = 0, answers = 0;
    bool more = true;

    put_heavy(k, N);
    while (more) {
        uint32_t here = 0;
        struct batch b;

        batch_init(&b, k, NWR_STORE_READ);
        batch_range(&b, nwr_key_entries(ino(2)), false, true);
        b.req->range[0].after = after;
        assert_int_equal(batch_run(&b), NWR_OK);
        for (uint32_t i = 0; i < b.op.rows.n; i++) {
            if (b.op.rows.row[i].key.b[2] != 'E')
                continue;
            after = b.op.rows.row[i].key;
            here++;
        }
        assert_int_equal(b.op.rows.n, 3 * here);
        assert_in_range(here, 1, NWR_READ_BYTES / 120000 + 1);
        entries += here;
        answers++;
        more = b.op.more;
        batch_deinit(&b);
    }
    assert_int_equal(entries, N);
    assert_int_equal(answers, 2);
}

/* What is small on disk is several times larger in memory, and in a message. */
static void an_answer_is_cut_by_its_bytes_in_memory(void **state)
{
    enum {
        VERSIONS = 90
    };
    struct kit *k = *state;
    struct nwr_record rec = {0};
    struct batch b;
    size_t bytes = 0;

    for (uint64_t i = 1; i <= VERSIONS; i++) {
        struct nwr_version v = {.dot = {(nwr_actor)9 << 32 | 1, i}, .wid = i};

        nwr_record_put(&rec, &v, NULL, 0, NULL, 0, NULL);
    }
    for (uint32_t i = 0; i < NWR_SCAN_ROWS; i += BATCH_MAX) {
        batch_init(&b, k, NWR_STORE_APPLY);
        for (uint32_t j = 0; j < BATCH_MAX; j++) {
            char name[16];

            snprintf(name, sizeof(name), "%04u", i + j);
            batch_merge(&b, entry_key(2, name), &rec);
        }
        assert_int_equal(batch_end(&b), NWR_OK);
    }
    batch_init(&b, k, NWR_STORE_READ);
    batch_range(&b, nwr_key_entries(ino(2)), false, false);
    assert_int_equal(batch_run(&b), NWR_OK);
    assert_true(b.op.more);
    for (uint32_t i = 0; i < b.op.rows.n; i++)
        bytes += sizeof(struct nwr_key) + nwr_record_bytes(&b.op.rows.row[i].rec);
    assert_in_range(bytes, NWR_READ_BYTES, NWR_READ_BYTES + 2 * nwr_record_bytes(&rec));
    batch_deinit(&b);
    nwr_record_deinit(&rec);
}

static void exactly_as_many_rows_as_fit_are_not_more(void **state)
{
    struct kit *k = *state;
    struct batch b;

    put_many(k, 2, NWR_SCAN_ROWS, false);
    batch_init(&b, k, NWR_STORE_READ);
    batch_range(&b, nwr_key_entries(ino(2)), false, false);
    assert_int_equal(batch_run(&b), NWR_OK);
    assert_int_equal(b.op.rows.n, NWR_SCAN_ROWS);
    assert_false(b.op.more);
    batch_deinit(&b);
}

static void follow_adds_the_objects_of_all_versions_tombstones_too_each_once(void **state)
{
    struct kit *k = *state;
    struct nwr_write *w;
    struct batch b;

    batch_init(&b, k, NWR_STORE_APPLY);
    batch_put(&b, entry_key(2, "a"), 0, NULL)->v.ref = ino(10);
    batch_put(&b, entry_key(2, "b"), 0, NULL)->v.ref = ino(10);
    w = batch_put(&b, entry_key(2, "gone"), 0, NULL);
    w->v.flags = NWR_V_TOMBSTONE;
    w->v.ref = ino(11);
    batch_put(&b, entry_key(2, "none"), 0, NULL);
    batch_put(&b, nwr_key_reg(ino(10), NWR_REG_ATTR), 0, "attr");
    batch_put(&b, content_key(10), 0, "ten")->v.ref = ino(12);
    batch_put(&b, nwr_key_xattr(ino(10), "user.x", 6), 0, "value");
    batch_put(&b, content_key(11), 0, "eleven");
    batch_put(&b, content_key(12), 0, "not reached");
    assert_int_equal(batch_end(&b), NWR_OK);
    batch_init(&b, k, NWR_STORE_READ);
    batch_range(&b, nwr_key_entries(ino(2)), false, true);
    batch_range(&b, entry_key(2, "a"), true, true);
    assert_int_equal(batch_run(&b), NWR_OK);
    assert_int_equal(b.op.rows.n, 4 + 3 + 1);
    row_of(&b, nwr_key_reg(ino(10), NWR_REG_ATTR));
    row_of(&b, nwr_key_xattr(ino(10), "user.x", 6));
    row_of(&b, content_key(11));
    batch_deinit(&b);
}

static void follow_ignores_inodes_of_other_groups(void **state)
{
    struct kit *k = *state;
    nwr_ino elsewhere = nwr_ino_make(PG + 1, 1, 10);
    struct batch b;

    batch_init(&b, k, NWR_STORE_APPLY);
    batch_put(&b, entry_key(2, "a"), 0, NULL)->v.ref = elsewhere;
    assert_int_equal(batch_end(&b), NWR_OK);
    put_one(k, nwr_key_reg(elsewhere, NWR_REG_ATTR), "x", NULL);
    batch_init(&b, k, NWR_STORE_READ);
    batch_range(&b, nwr_key_entries(ino(2)), false, true);
    assert_int_equal(batch_run(&b), NWR_OK);
    assert_int_equal(b.op.rows.n, 1);
    batch_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_range_gives_keys_with_its_prefix_in_order_each_once),
        cmocka_unit_test(a_range_goes_on_after_a_key_that_need_not_exist),
        cmocka_unit_test(an_exact_range_gives_its_key_only),
        cmocka_unit_test(a_long_range_is_cut_and_says_so_and_followed_rows_do_not_count),
        cmocka_unit_test(a_heavy_range_is_cut_after_the_objects_of_a_row),
        cmocka_unit_test(an_answer_is_cut_by_its_bytes_in_memory),
        cmocka_unit_test(exactly_as_many_rows_as_fit_are_not_more),
        cmocka_unit_test(follow_adds_the_objects_of_all_versions_tombstones_too_each_once),
        cmocka_unit_test(follow_ignores_inodes_of_other_groups),
    };

    return kit_run_all(tests, NWR_COUNT(tests));
}
