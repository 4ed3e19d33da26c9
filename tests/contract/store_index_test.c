/* store_index_test.c -- the index of conflicts (net/store/index.c), on every implementation. That
 * it is what a scan of all records finds is also asserted by kit_assert_whole everywhere else, and
 * after every part of a random history by store_random_test. */
#include "tests/contract/store_kit.h"

/* What an indexed READ of the group gives, from `after` on. */
static void read_index(struct batch *b, struct kit *k, struct nwr_key after)
{
    struct nwr_key group = {.len = 2, .b = {0, PG}};

    batch_init(b, k, NWR_STORE_READ);
    batch_range(b, group, false, false);
    b->req->range[0].indexed = true;
    b->req->range[0].after = after;
    assert_int_equal(batch_run(b), NWR_OK);
}

static void assert_index(struct kit *k, const struct nwr_key *want, uint32_t n)
{
    struct batch b;

    read_index(&b, k, (struct nwr_key){0});
    assert_int_equal(b.op.rows.n, n);
    assert_false(b.op.more);
    for (uint32_t i = 0; i < n; i++)
        assert_int_equal(nwr_key_cmp(&b.op.rows.row[i].key, &want[i]), 0);
    batch_deinit(&b);
    kit_assert_whole(k);
}

static void assert_empty(struct kit *k)
{
    assert_index(k, NULL, 0);
    assert_int_equal(stat_of(k).conflicts, 0);
}

static void write_as(struct kit *k, struct nwr_key key, uint8_t flags, nwr_ino ref,
                     struct nwr_seen *seen)
{
    struct nwr_write *w;
    struct batch b;

    batch_init(&b, k, NWR_STORE_APPLY);
    w = batch_put(&b, key, 0, "x");
    w->v.flags = flags;
    w->v.ref = ref;
    if (seen->dot.counter)
        nwr_write_seen(w, seen->dot, seen->wid);
    *seen = (struct nwr_seen){w->v.dot, w->v.wid};
    assert_int_equal(batch_end(&b), NWR_OK);
}

static void write_flags(struct kit *k, struct nwr_key key, uint8_t flags, struct nwr_seen *seen)
{
    write_as(k, key, flags, 0, seen);
}

static void write_ref(struct kit *k, struct nwr_key key, nwr_ino ref, struct nwr_seen *seen)
{
    write_as(k, key, 0, ref, seen);
}

static void a_content_is_in_the_index_while_it_has_several_versions(void **state)
{
    struct kit *k = *state;
    struct nwr_seen one = {{0}, 0}, two = {{0}, 0};
    struct nwr_key key = content_key(4);

    write_flags(k, key, 0, &one);
    assert_empty(k);
    write_flags(k, key, 0, &two);
    assert_index(k, &key, 1);
    assert_int_equal(stat_of(k).conflicts, 1);
    write_flags(k, key, 0, &one); /* a sibling is edited */
    assert_index(k, &key, 1);
    write_flags(k, key, NWR_V_TOMBSTONE, &two);
    assert_empty(k);
}

static void a_merge_that_brings_a_second_version_makes_a_conflict(void **state)
{
    struct kit *k = *state, *other;
    struct nwr_seen seen[2] = {{{0}, 0}, {{0}, 0}};
    struct nwr_key key = content_key(4);
    struct batch b, m;

    kit_mem((void **)&other);
    other->counter = 1000;
    write_flags(k, key, 0, &seen[0]);
    batch_init(&b, other, NWR_STORE_APPLY);
    batch_put(&b, key, 0, "y")->v.k = 2001;
    b.req->write[0].v.dot.actor = (nwr_actor)2 << 32 | 5;
    assert_int_equal(batch_run(&b), NWR_OK);
    assert_int_equal(b.op.nappeared, 0);
    batch_init(&m, k, NWR_STORE_APPLY);
    batch_merge(&m, key, &b.op.rows.row[0].rec);
    assert_int_equal(batch_run(&m), NWR_OK);
    assert_int_equal(m.op.nappeared, 1);
    batch_deinit(&m);
    assert_index(k, &key, 1);
    batch_init(&m, k, NWR_STORE_APPLY); /* once more: nothing new */
    batch_merge(&m, key, &b.op.rows.row[0].rec);
    assert_int_equal(batch_run(&m), NWR_OK);
    assert_int_equal(m.op.nappeared, 0);
    batch_deinit(&m);
    batch_deinit(&b);
    kit_teardown((void **)&other);
}

static void an_entry_is_in_the_index_with_two_slots_or_beside_a_void(void **state)
{
    struct kit *k = *state;
    struct nwr_seen one = {{0}, 0}, two = {{0}, 0}, gap = {{0}, 0};
    struct nwr_key key = entry_key(2, "name");

    write_flags(k, key, 0, &one);
    write_flags(k, key, 0, &two);
    assert_index(k, &key, 1);
    write_flags(k, key, NWR_V_TOMBSTONE, &two);
    assert_empty(k);
    write_flags(k, key, NWR_V_HIDDEN, &gap);
    assert_index(k, &key, 1);
    write_flags(k, key, NWR_V_TOMBSTONE, &one);
    assert_empty(k);
}

static void an_inode_is_in_the_index_while_it_has_attributes_and_no_name(void **state)
{
    struct kit *k = *state;
    struct nwr_seen attr = {{0}, 0}, a = {{0}, 0}, b = {{0}, 0};
    struct nwr_key key = nwr_key_reg(ino(5), NWR_REG_ATTR);
    struct nwr_key link_a = nwr_key_link(ino(5), ino(1), "a", 1);
    struct nwr_key link_b = nwr_key_link(ino(5), ino(1), "b", 1);

    write_flags(k, key, 0, &attr);
    assert_index(k, &key, 1);
    assert_int_equal(stat_of(k).conflicts, 0); /* not a conflict */
    write_flags(k, link_a, 0, &a);
    assert_empty(k);
    write_flags(k, link_b, 0, &b);
    write_flags(k, link_a, NWR_V_TOMBSTONE, &a);
    assert_empty(k);
    write_flags(k, link_b, NWR_V_TOMBSTONE, &b);
    assert_index(k, &key, 1);
    write_flags(k, key, NWR_V_TOMBSTONE, &attr);
    assert_empty(k);
}

static void of_the_links_of_a_directory_all_but_the_latest_are_in_the_index(void **state)
{
    struct kit *k = *state;
    struct nwr_seen attr = {{0}, 0}, a = {{0}, 0}, b = {{0}, 0}, c = {{0}, 0};
    struct nwr_key link_a = nwr_key_link(ino(5), ino(1), "a", 1);
    struct nwr_key link_b = nwr_key_link(ino(5), ino(1), "b", 1);
    struct nwr_key link_c = nwr_key_link(ino(5), ino(1), "c", 1), both[2] = {link_b, link_c};

    write_ref(k, link_b, ino(5), &b);
    write_flags(k, nwr_key_reg(ino(5), NWR_REG_ATTR), 0, &attr);
    assert_empty(k);
    write_flags(k, link_a, 0, &a); /* of a file: it may have many */
    assert_empty(k);
    write_ref(k, link_a, ino(5), &a);
    assert_index(k, &link_b, 1);
    assert_int_equal(stat_of(k).conflicts, 1);
    write_ref(k, link_b, ino(5), &b); /* again, later */
    assert_index(k, &link_a, 1);
    write_ref(k, link_c, ino(5), &c);
    write_ref(k, link_a, ino(5), &a);
    assert_index(k, both, 2);
    assert_int_equal(stat_of(k).conflicts, 2);
    write_flags(k, link_a, NWR_V_TOMBSTONE, &a);
    assert_index(k, &link_b, 1);
    write_flags(k, link_b, NWR_V_TOMBSTONE, &b);
    assert_empty(k);
}

static void marks_are_in_the_index_while_one_refers_to_an_inode(void **state)
{
    struct kit *k = *state;
    struct nwr_seen plain = {{0}, 0}, moving = {{0}, 0};
    struct nwr_key key = nwr_key_reg(ino(5), NWR_REG_MARKS);
    struct nwr_write *w;
    struct batch b;

    write_flags(k, key, NWR_V_MARK, &plain);
    assert_empty(k);
    batch_init(&b, k, NWR_STORE_APPLY);
    w = batch_put(&b, key, 0, "moving");
    w->v.flags = NWR_V_MARK;
    w->v.ref = ino(5);
    moving = (struct nwr_seen){w->v.dot, w->v.wid};
    assert_int_equal(batch_end(&b), NWR_OK);
    assert_index(k, &key, 1);
    assert_int_equal(stat_of(k).conflicts, 0);
    write_flags(k, key, NWR_V_MARK, &moving);
    assert_empty(k);
}

static void an_inode_made_with_its_name_was_never_without(void **state)
{
    struct kit *k = *state;
    struct batch b;

    batch_init(&b, k, NWR_STORE_APPLY);
    batch_put(&b, nwr_key_reg(ino(5), NWR_REG_ATTR), 0, "x");
    batch_put(&b, content_key(5), 0, "x");
    batch_put(&b, nwr_key_link(ino(5), ino(1), "a", 1), 0, "");
    assert_int_equal(batch_end(&b), NWR_OK);
    assert_empty(k);
    batch_init(&b, k, NWR_STORE_APPLY); /* renamed in one batch */
    batch_put(&b, nwr_key_link(ino(5), ino(1), "a", 1), 0, NULL)->v.flags = NWR_V_TOMBSTONE;
    batch_put(&b, nwr_key_link(ino(5), ino(1), "b", 1), 0, "");
    assert_int_equal(batch_end(&b), NWR_OK);
    assert_empty(k);
}

static void the_root_needs_no_name(void **state)
{
    struct kit *k = *state;
    struct batch b;

    batch_init(&b, k, NWR_STORE_APPLY);
    b.op.pg = 0;
    batch_put(&b, nwr_key_reg(NWR_INO_ROOT, NWR_REG_ATTR), 0, "x");
    assert_int_equal(batch_end(&b), NWR_OK);
    kit_assert_whole(k);
    batch_init(&b, k, NWR_STORE_READ);
    b.op.pg = 0;
    batch_range(&b, (struct nwr_key){.len = 2}, false, false);
    b.req->range[0].indexed = true;
    assert_int_equal(batch_run(&b), NWR_OK);
    assert_int_equal(b.op.rows.n, 0);
    batch_deinit(&b);
}

static void attributes_and_marks_set_on_two_sides_are_no_conflict(void **state)
{
    struct kit *k = *state;
    struct nwr_key link = nwr_key_link(ino(5), ino(1), "a", 1);

    put_one(k, link, "", NULL);
    for (int i = 0; i < 2; i++) {
        put_one(k, link, "", NULL);
        put_one(k, nwr_key_reg(ino(5), NWR_REG_ATTR), "x", NULL);
        put_one(k, nwr_key_reg(ino(5), NWR_REG_MARKS), "x", NULL);
        put_one(k, nwr_key_xattr(ino(5), "user.a", 6), "x", NULL);
    }
    assert_empty(k);
}

/* Two versions each of n contents. */
static void make_conflicts(struct kit *k, uint32_t n)
{
    for (uint32_t i = 0; i < 2 * n; i++)
        assert_int_equal(put_one(k, content_key(i / 2), "x", NULL), NWR_OK);
}

static void the_index_is_read_in_pages(void **state)
{
    struct kit *k = *state;
    struct nwr_key after = {0};
    uint32_t n = NWR_SCAN_ROWS + 5, got = 0, pages = 0;
    bool more = true;

    make_conflicts(k, n);
    while (more) {
        struct batch b;

        read_index(&b, k, after);
        for (uint32_t i = 0; i < b.op.rows.n; i++, got++) {
            struct nwr_key key = content_key(got);

            assert_int_equal(nwr_key_cmp(&b.op.rows.row[i].key, &key), 0);
            assert_int_equal(b.op.rows.row[i].rec.n, 2);
        }
        after = b.op.rows.row[b.op.rows.n - 1].key;
        more = b.op.more;
        pages++;
        batch_deinit(&b);
    }
    assert_int_equal(got, n);
    assert_int_equal(pages, 2);
    assert_int_equal(stat_of(k).conflicts, n);
}

static void the_index_is_there_after_a_restart_and_gone_with_its_group(void **state)
{
    struct kit *k = *state;
    bool more = true;

    make_conflicts(k, 700);
    put_one(k, nwr_key_reg(ino(5), NWR_REG_ATTR), "x", NULL);
    kit_restart(k);
    kit_assert_whole(k);
    assert_int_equal(stat_of(k).conflicts, 700);
    while (more) {
        struct batch b;

        batch_init(&b, k, NWR_STORE_ERASE);
        assert_int_equal(batch_run(&b), NWR_OK);
        more = b.op.more;
        batch_deinit(&b);
    }
    assert_empty(k);
}

static void a_power_loss_leaves_the_index_of_what_is_left(void **state)
{
    struct kit *k = *state;

    if (k->rocks)
        return; /* one batch of RocksDB is there whole or not: store_power_test */
    nwr_store_mem_faults(k->s)->torn_batch = 65536;
    for (uint32_t i = 0; i < 60; i++) {
        struct nwr_seen seen = {{0}, 0};

        sync_now(k);
        put_one(k, content_key(i % 3), "x", &seen);
        put_one(k, nwr_key_reg(ino(i % 5), NWR_REG_ATTR), "x", NULL);
        put_one(k, nwr_key_link(ino(i % 5), ino(1), "a", 1), i % 2 ? "x" : NULL, &seen);
        nwr_store_mem_crash(k->s, true);
        kit_assert_whole(k);
    }
}

static void a_new_conflict_is_told_with_its_name_and_number(void **state)
{
    struct kit *k = *state;
    struct batch b;

    put_one(k, nwr_key_link(ino(5), ino(1), "plan", 4), "", NULL);
    for (uint64_t i = 1; i <= 2; i++) {
        batch_init(&b, k, NWR_STORE_APPLY);
        batch_put(&b, content_key(5), 0, "x")->v.k = 1000 * i + 1;
        b.req->write[0].v.hlc = i;
        b.req->write[0].v.dot.actor = (nwr_actor)i << 32 | 9;
        assert_int_equal(batch_run(&b), NWR_OK);
        assert_int_equal(b.op.nappeared, i - 1);
        if (i == 2) {
            assert_int_equal(b.op.appeared[0].k, 1001); /* the later one has the name */
            assert_int_equal(b.op.appeared[0].node, 1);
            assert_int_equal(b.op.appeared[0].name_len, 4);
            assert_memory_equal(b.op.appeared[0].name, "plan", 4);
        }
        batch_deinit(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_content_is_in_the_index_while_it_has_several_versions),
        cmocka_unit_test(a_merge_that_brings_a_second_version_makes_a_conflict),
        cmocka_unit_test(an_entry_is_in_the_index_with_two_slots_or_beside_a_void),
        cmocka_unit_test(an_inode_is_in_the_index_while_it_has_attributes_and_no_name),
        cmocka_unit_test(of_the_links_of_a_directory_all_but_the_latest_are_in_the_index),
        cmocka_unit_test(marks_are_in_the_index_while_one_refers_to_an_inode),
        cmocka_unit_test(an_inode_made_with_its_name_was_never_without),
        cmocka_unit_test(the_root_needs_no_name),
        cmocka_unit_test(attributes_and_marks_set_on_two_sides_are_no_conflict),
        cmocka_unit_test(the_index_is_read_in_pages),
        cmocka_unit_test(the_index_is_there_after_a_restart_and_gone_with_its_group),
        cmocka_unit_test(a_power_loss_leaves_the_index_of_what_is_left),
        cmocka_unit_test(a_new_conflict_is_told_with_its_name_and_number),
    };

    return kit_run_all(tests, NWR_COUNT(tests));
}
