/* store_digest_test.c -- digests of placement groups, and their elements (net/core/digest.h), on
 * every implementation. */
#include "tests/contract/store_kit.h"

#include <stdio.h>

static struct nwr_pg_digest digest_of(struct kit *k)
{
    struct nwr_pg_digest d;
    struct batch b;

    batch_init(&b, k, NWR_STORE_DIGESTS);
    assert_int_equal(batch_run(&b), NWR_OK);
    d = b.op.digest[PG];
    batch_deinit(&b);
    return d;
}

/* All elements of PG, page by page; the caller frees. */
static struct nwr_element *list_all(struct kit *k, uint32_t *n, uint32_t *pages)
{
    struct nwr_element *all = NULL;
    struct nwr_key after = {0};
    bool more = true;

    *n = *pages = 0;
    while (more) {
        struct batch b;

        batch_init(&b, k, NWR_STORE_LIST);
        b.op.after = after;
        assert_int_equal(batch_run(&b), NWR_OK);
        all = nwr_realloc(all, (*n + b.op.nelement + 1) * sizeof(*all));
        if (b.op.nelement)
            memcpy(all + *n, b.op.element, b.op.nelement * sizeof(*all));
        *n += b.op.nelement;
        ++*pages;
        after = b.op.last;
        more = b.op.more;
        batch_deinit(&b);
    }
    return all;
}

static struct nwr_pg_digest sum_of(struct kit *k)
{
    struct nwr_pg_digest sum = {0};
    uint32_t n, pages;
    struct nwr_element *all = list_all(k, &n, &pages);

    for (uint32_t i = 0; i < n; i++)
        nwr_digest_add(&sum, &all[i]);
    nwr_free(all);
    return sum;
}

static void assert_equal_digest(struct nwr_pg_digest a, struct nwr_pg_digest b)
{
    assert_true(nwr_digest_equal(&a, &b));
}

static void an_empty_group_has_the_digest_of_nothing(void **state)
{
    assert_equal_digest(digest_of(*state), (struct nwr_pg_digest){0});
}

static void the_digest_is_the_sum_of_the_elements_after_every_change(void **state)
{
    struct kit *k = *state;
    struct nwr_seen seen[8] = {{{0}, 0}};
    struct nwr_pg_digest last = {0};

    for (uint32_t i = 0; i < 40; i++) {
        struct nwr_pg_digest now;

        assert_int_equal(put_one(k, content_key(i % 8), i % 5 ? "x" : NULL, &seen[i % 8]), NWR_OK);
        now = digest_of(k);
        assert_false(nwr_digest_equal(&now, &last));
        assert_equal_digest(now, sum_of(k));
        last = now;
    }
    assert_int_equal(last.records, 8);
    kit_assert_whole(k);
}

static void stores_that_got_the_same_records_in_any_order_have_equal_digests(void **state)
{
    struct kit *k = *state, *other;
    struct nwr_record rec[16];
    struct batch b;

    kit_mem((void **)&other);
    for (uint32_t i = 0; i < 16; i++) {
        batch_init(&b, k, NWR_STORE_APPLY);
        batch_put(&b, content_key(i), 0, "x");
        assert_int_equal(batch_run(&b), NWR_OK);
        nwr_record_copy(&rec[i], &b.op.rows.row[0].rec);
        batch_deinit(&b);
    }
    for (uint32_t i = 16; i-- > 0;) {
        struct nwr_pg_digest mine = digest_of(k), theirs = digest_of(other);

        assert_false(nwr_digest_equal(&mine, &theirs));
        batch_init(&b, other, NWR_STORE_APPLY);
        batch_merge(&b, content_key(i), &rec[i]);
        assert_int_equal(batch_end(&b), NWR_OK);
        nwr_record_deinit(&rec[i]);
    }
    assert_equal_digest(digest_of(k), digest_of(other));
    kit_teardown((void **)&other);
}

static void a_record_that_only_forbids_counts_too(void **state)
{
    struct kit *k = *state;
    struct nwr_seen seen = {{0}, 0};
    struct batch b;

    put_one(k, content_key(1), "x", &seen);
    batch_init(&b, k, NWR_STORE_APPLY);
    batch_discard(&b, content_key(1), seen);
    assert_int_equal(batch_end(&b), NWR_OK);
    assert_int_equal(digest_of(k).records, 1);
    assert_equal_digest(digest_of(k), sum_of(k));
}

static void a_batch_that_was_refused_leaves_the_digest_as_it_was(void **state)
{
    struct kit *k = *state;
    struct nwr_seen seen = {{0}, 0};
    struct nwr_pg_digest before;
    struct batch b;

    put_one(k, content_key(1), "x", &seen);
    before = digest_of(k);
    batch_init(&b, k, NWR_STORE_APPLY);
    b.op.coordinator = true;
    batch_put(&b, content_key(1), 0, "y");
    batch_guard(&b, NWR_GUARD_SEEN, content_key(1));
    assert_int_equal(batch_end(&b), NWR_E_SUPERSEDED);
    batch_init(&b, k, NWR_STORE_APPLY);
    write_names(batch_put(&b, content_key(2), 0, "y"), block_id(77));
    assert_int_equal(batch_end(&b), NWR_E_BLOCKS);
    assert_equal_digest(digest_of(k), before);
}

static void a_record_of_another_group_is_refused(void **state)
{
    struct kit *k = *state;
    struct batch b;

    batch_init(&b, k, NWR_STORE_APPLY);
    batch_put(&b, nwr_key_reg(nwr_ino_make(PG + 1, 1, 5), NWR_REG_CONTENT), 0, "x");
    assert_int_equal(batch_end(&b), NWR_E_INVAL);
}

static void digests_are_there_after_a_restart(void **state)
{
    struct kit *k = *state;
    struct nwr_pg_digest before;
    struct nwr_seen seen = {{0}, 0};

    for (uint32_t i = 0; i < 8; i++)
        put_one(k, content_key(i / 2), "x", &seen);
    before = digest_of(k);
    kit_restart(k);
    assert_equal_digest(digest_of(k), before);
    put_one(k, content_key(9), "x", &seen);
    assert_equal_digest(digest_of(k), sum_of(k));
    kit_assert_whole(k);
}

static void after_a_power_loss_the_digest_is_that_of_what_is_left(void **state)
{
    struct kit *k = *state;
    struct nwr_pg_digest synced;
    struct nwr_seen seen = {{0}, 0};

    if (k->rocks)
        return; /* store_power_test does it to RocksDB, and looks at digests too */
    put_one(k, content_key(1), "x", &seen);
    sync_now(k);
    synced = digest_of(k);
    put_one(k, content_key(2), "x", &seen);
    nwr_store_mem_crash(k->s, true);
    assert_equal_digest(digest_of(k), synced);
    nwr_store_mem_faults(k->s)->torn_batch = 65536;
    for (uint32_t i = 0; i < 50; i++) {
        put_one(k, content_key(i), "x", &seen);
        put_one(k, content_key(i), NULL, &seen);
        nwr_store_mem_crash(k->s, true);
        kit_assert_whole(k);
    }
}

/* ---- elements ------------------------------------------------------------------------------- */

static void fill(struct kit *k, uint32_t n)
{
    for (uint32_t i = 0; i < n; i += 64) {
        struct batch b;

        batch_init(&b, k, NWR_STORE_APPLY);
        for (uint32_t j = i; j < i + 64 && j < n; j++)
            batch_put(&b, content_key(j), 0, "x");
        assert_int_equal(batch_end(&b), NWR_OK);
    }
}

static void elements_come_in_the_order_of_their_keys_in_pages(void **state)
{
    struct kit *k = *state;
    uint32_t n, pages;
    struct nwr_element *all;

    fill(k, 2 * NWR_LIST_MAX + 5);
    all = list_all(k, &n, &pages);
    assert_int_equal(n, 2 * NWR_LIST_MAX + 5);
    assert_int_equal(pages, 3);
    for (uint32_t i = 0; i < n; i++) {
        struct nwr_key key = content_key(i);
        struct nwr_object_id id = nwr_object_id_of(&key);

        assert_int_equal(nwr_object_id_cmp(&all[i].id, &id), 0);
    }
    nwr_free(all);
}

static void a_list_keeps_within_its_bounds(void **state)
{
    struct kit *k = *state;
    struct batch b;

    fill(k, 40);
    batch_init(&b, k, NWR_STORE_LIST);
    b.op.after = content_key(10);
    b.op.until = content_key(20);
    assert_int_equal(batch_run(&b), NWR_OK);
    assert_int_equal(b.op.nelement, 10);
    assert_false(b.op.more);
    assert_int_equal(nwr_key_cmp(&b.op.last, &b.op.until), 0);
    batch_deinit(&b);
}

static void pick_gives_the_rows_of_the_objects_wanted_and_no_others(void **state)
{
    struct kit *k = *state;
    struct nwr_element want[3] = {{{{0}}, 0}};
    struct batch b;

    fill(k, 100);
    for (uint32_t i = 0; i < 3; i++) {
        struct nwr_key key = content_key(i == 2 ? 1000 : 10 + i);

        want[i].id = nwr_object_id_of(&key);
    }
    nwr_elements_sort(want, 3);
    batch_init(&b, k, NWR_STORE_PICK);
    b.op.want = want;
    b.op.nwant = 3;
    assert_int_equal(batch_run(&b), NWR_OK);
    assert_int_equal(b.op.rows.n, 2);
    assert_false(b.op.more);
    for (uint32_t i = 0; i < 2; i++) {
        struct nwr_key key = content_key(10 + i);

        assert_int_equal(nwr_key_cmp(&b.op.rows.row[i].key, &key), 0);
        assert_int_equal(b.op.rows.row[i].rec.n, 1);
    }
    batch_deinit(&b);
}

static void an_erased_group_is_nothing_and_its_blocks_are_gone(void **state)
{
    struct kit *k = *state;
    struct nwr_key other = nwr_key_reg(nwr_ino_make(PG + 1, 1, 5), NWR_REG_CONTENT);
    const struct nwr_pg_digest nothing = {{0}, 0};
    uint32_t calls = 0;
    struct batch b;
    bool more = true;
    char body[16];

    fill(k, 2100);
    assert_int_equal(put_content(k, 9000, block_id(7), 100000, NULL), NWR_OK);
    batch_init(&b, k, NWR_STORE_APPLY);
    b.op.pg = PG + 1;
    batch_put(&b, other, 77, "stays");
    assert_int_equal(batch_end(&b), NWR_OK);
    while (more) {
        batch_init(&b, k, NWR_STORE_ERASE);
        assert_int_equal(batch_run(&b), NWR_OK);
        more = b.op.more;
        calls++;
        batch_deinit(&b);
    }
    assert_int_equal(calls, 3);
    assert_equal_digest(digest_of(k), nothing);
    assert_int_equal(get_block(k, block_id(7), 0, 100000), NWR_E_NOENT);
    assert_int_equal(get_one(k, content_key(5), body, sizeof(body)), 0);
    kit_assert_whole(k);
    kit_restart(k);
    assert_equal_digest(digest_of(k), nothing);
    batch_init(&b, k, NWR_STORE_READ);
    b.op.pg = PG + 1;
    batch_range(&b, other, true, false);
    assert_int_equal(batch_run(&b), NWR_OK);
    assert_int_equal(b.op.rows.n, 1);
    batch_deinit(&b);
}

/* A database only estimates how many keys it has: once removals made it fewer than none, which
 * `status` wrote as 18446744073709551400 and no program could read. */
static void records_are_counted_over_restarts(void **state)
{
    struct kit *k = *state;
    struct batch b;

    for (int i = 0; i < 4; i++) {
        fill(k, 20);
        assert_int_equal(stat_of(k).records, 20);
        kit_restart(k);
        assert_int_equal(stat_of(k).records, 20);
        batch_init(&b, k, NWR_STORE_ERASE);
        assert_int_equal(batch_end(&b), NWR_OK);
        assert_int_equal(stat_of(k).records, 0);
    }
    fill(k, 3);
    kit_restart(k);
    assert_int_equal(stat_of(k).records, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_group_has_the_digest_of_nothing),
        cmocka_unit_test(the_digest_is_the_sum_of_the_elements_after_every_change),
        cmocka_unit_test(stores_that_got_the_same_records_in_any_order_have_equal_digests),
        cmocka_unit_test(a_record_that_only_forbids_counts_too),
        cmocka_unit_test(a_batch_that_was_refused_leaves_the_digest_as_it_was),
        cmocka_unit_test(a_record_of_another_group_is_refused),
        cmocka_unit_test(digests_are_there_after_a_restart),
        cmocka_unit_test(after_a_power_loss_the_digest_is_that_of_what_is_left),
        cmocka_unit_test(elements_come_in_the_order_of_their_keys_in_pages),
        cmocka_unit_test(a_list_keeps_within_its_bounds),
        cmocka_unit_test(pick_gives_the_rows_of_the_objects_wanted_and_no_others),
        cmocka_unit_test(an_erased_group_is_nothing_and_its_blocks_are_gone),
        cmocka_unit_test(records_are_counted_over_restarts),
    };

    return kit_run_all(tests, NWR_COUNT(tests));
}
