/* store_mem_test.c -- the faults of the store in memory. */
#include "tests/contract/store_kit.h"

#include <stdio.h>

#define ALWAYS 65536

static void power_loss_takes_what_was_not_synced_and_nothing_else(void **state)
{
    struct kit *k = *state;
    struct nwr_seen seen = {0};
    char body[16];

    assert_int_equal(put_content(k, 5, block_id(1), 100, &seen), NWR_OK);
    assert_int_equal(put_one(k, content_key(6), "synced", NULL), NWR_OK);
    assert_int_equal(sync_now(k), NWR_OK);
    assert_int_equal(put_one(k, content_key(7), "lost", NULL), NWR_OK);
    assert_int_equal(put_one(k, content_key(6), "lost", NULL), NWR_OK);
    assert_int_equal(remove_content(k, 5, seen), NWR_OK);
    assert_int_equal(put_content(k, 8, block_id(2), 100, NULL), NWR_OK);
    nwr_store_mem_crash(k->s, true);
    assert_int_equal(get_one(k, content_key(6), body, sizeof(body)), 1);
    assert_string_equal(body, "synced");
    assert_int_equal(get_one(k, content_key(7), body, sizeof(body)), 0);
    assert_int_equal(get_block(k, block_id(1), 1, 100), NWR_OK);
    assert_int_equal(get_block(k, block_id(2), 2, 100), NWR_E_NOENT);
    assert_int_equal(stat_of(k).records, 2);
    assert_int_equal(stat_of(k).blocks, 1);
    kit_assert_whole(k);
}

static void a_kill_takes_nothing_that_was_applied(void **state)
{
    struct kit *k = *state;
    char body[16];

    assert_int_equal(put_one(k, content_key(6), "kept", NULL), NWR_OK);
    nwr_store_mem_crash(k->s, false);
    assert_int_equal(get_one(k, content_key(6), body, sizeof(body)), 1);
    nwr_store_mem_crash(k->s, true);
    assert_int_equal(get_one(k, content_key(6), body, sizeof(body)), 0);
}

static void an_op_not_polled_at_a_crash_never_completes(void **state)
{
    struct kit *k = *state;
    struct batch b;

    batch_init(&b, k, NWR_STORE_APPLY);
    batch_put(&b, content_key(5), 0, "x");
    batch_submit(&b);
    nwr_store_mem_crash(k->s, true);
    k->s->poll(k->s);
    assert_int_equal(b.done, 0);
    assert_int_equal(sync_now(k), NWR_OK);
    assert_int_equal(b.done, 0);
    batch_deinit(&b);
}

/* Six records, each with a block, in one batch, over one that removes as many. */
static void put_six(struct kit *k, uint64_t first, struct nwr_seen *seen)
{
    struct batch b;

    batch_init(&b, k, NWR_STORE_APPLY);
    for (uint64_t i = 0; i < 6; i++) {
        struct nwr_write *w = batch_put(&b, content_key(i), 0, "x");

        write_names(w, block_id(first + i));
        batch_block(&b, block_id(first + i), 1, 100);
        if (seen[i].dot.counter)
            nwr_write_seen(w, seen[i].dot, seen[i].wid);
        seen[i] = (struct nwr_seen){w->v.dot, w->v.wid};
    }
    assert_int_equal(batch_end(&b), NWR_OK);
}

/* How many of the six are the second try's. */
static uint32_t count_new(struct kit *k, const struct nwr_seen *seen)
{
    uint32_t n = 0;
    struct batch b;

    batch_init(&b, k, NWR_STORE_READ);
    batch_range(&b, (struct nwr_key){0}, false, false);
    assert_int_equal(batch_run(&b), NWR_OK);
    assert_int_equal(b.op.rows.n, 6);
    for (uint32_t i = 0; i < 6; i++) {
        const struct nwr_record *rec = &b.op.rows.row[i].rec;

        assert_int_equal(rec->n, 1);
        n += rec->v[0].wid == seen[i].wid;
        assert_int_equal(get_block(k, rec->v[0].blocks[0], 1, 100), NWR_OK);
    }
    batch_deinit(&b);
    return n;
}

static void a_torn_batch_is_half_there_and_no_block_of_it_is_missing(void **state)
{
    uint32_t halves = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct kit k = {.s = nwr_store_mem_create(seed)};
        struct nwr_seen seen[6] = {0};
        uint32_t n;

        nwr_store_mem_faults(k.s)->torn_batch = ALWAYS;
        put_six(&k, 100, seen);
        assert_int_equal(sync_now(&k), NWR_OK);
        put_six(&k, 200, seen);
        nwr_store_mem_crash(k.s, true);
        n = count_new(&k, seen);
        halves += n > 0 && n < 6;
        kit_assert_whole(&k);
        assert_int_equal(kit_verify(&k).blocks, 6 + n); /* what the second try replaced is kept */
        assert_int_equal(stat_of(&k).blocks, 6 + n);
        k.s->destroy(k.s);
    }
    assert_true(halves > 20);
}

static void a_batch_is_whole_or_not_there_wherever_its_process_dies(void **state)
{
    (void)state;
    for (uint32_t at = 1; at <= 20; at++) {
        struct kit k = {.s = nwr_store_mem_create(at)};
        struct nwr_seen seen[6] = {0};

        put_six(&k, 100, seen);
        nwr_store_mem_faults(k.s)->dies_at = at;
        put_six(&k, 200, seen);
        nwr_store_mem_crash(k.s, false);
        assert_int_equal(count_new(&k, seen), at == 1 ? 0 : 6);
        kit_assert_whole(&k);
        k.s->destroy(k.s);
    }
}

static void bit_rot_is_found_by_reads_and_never_served(void **state)
{
    struct kit *k = *state;
    struct batch b;

    assert_int_equal(put_content(k, 5, block_id(1), 100, NULL), NWR_OK);
    nwr_store_mem_faults(k->s)->bit_rot = ALWAYS;
    batch_init(&b, k, NWR_STORE_READ);
    batch_range(&b, content_key(5), true, false);
    assert_int_equal(batch_run(&b), NWR_E_CORRUPT);
    assert_int_equal(b.op.rows.n, 0);
    batch_deinit(&b);
    assert_int_equal(get_block(k, block_id(1), 1, 100), NWR_E_CORRUPT);
    nwr_store_mem_faults(k->s)->bit_rot = 0;
    assert_int_equal(get_block(k, block_id(1), 1, 100), NWR_OK);
}

static void a_full_store_gives_up_what_is_kept_before_it_refuses_to_shrink_a_file(void **state)
{
    struct kit *k = *state;
    struct nwr_seen seen = {0};
    struct nwr_write *w;
    struct batch b;

    assert_int_equal(put_content(k, 5, block_id(1), 100, &seen), NWR_OK);
    nwr_store_mem_faults(k->s)->full = true;
    batch_init(&b, k, NWR_STORE_APPLY); /* truncated to nothing */
    w = batch_put(&b, content_key(5), 0, "");
    nwr_write_seen(w, seen.dot, seen.wid);
    assert_int_equal(batch_end(&b), NWR_OK);
    assert_int_equal(get_block(k, block_id(1), 1, 100), NWR_E_NOENT);
    assert_int_equal(stat_of(k).blocks, 0);
    kit_assert_whole(k);
}

static void a_full_store_refuses_growth_and_goes_on_removing_and_reading(void **state)
{
    struct kit *k = *state;
    struct nwr_seen seen = {0}, with_block = {0};
    struct nwr_write *w;
    struct batch b;
    char body[16];

    assert_int_equal(put_one(k, content_key(6), "x", &seen), NWR_OK);
    assert_int_equal(put_content(k, 5, block_id(1), 100, &with_block), NWR_OK);
    nwr_store_mem_faults(k->s)->full = true;
    assert_int_equal(put_one(k, content_key(7), "x", NULL), NWR_E_NOSPC);
    assert_int_equal(put_block(k, block_id(2), 1, 10), NWR_E_NOSPC);
    assert_int_equal(put_content(k, 8, block_id(3), 10, NULL), NWR_E_NOSPC);
    assert_int_equal(get_one(k, content_key(6), body, sizeof(body)), 1);
    batch_init(&b, k, NWR_STORE_APPLY);
    w = batch_put(&b, content_key(6), 0, NULL);
    w->v.flags = NWR_V_TOMBSTONE;
    nwr_write_seen(w, seen.dot, seen.wid);
    assert_int_equal(batch_end(&b), NWR_OK);
    assert_int_equal(remove_content(k, 5, with_block), NWR_OK);
    assert_int_equal(get_block(k, block_id(1), 1, 100), NWR_E_NOENT);
    batch_init(&b, k, NWR_STORE_APPLY); /* as rmdir does, before it takes the name away */
    w = batch_put(&b, content_key(9), 0, NULL);
    w->v.flags = NWR_V_HIDDEN | NWR_V_MARK;
    assert_int_equal(batch_end(&b), NWR_OK);
    nwr_store_mem_faults(k->s)->full = false;
    assert_int_equal(put_one(k, content_key(7), "x", NULL), NWR_OK);
    kit_assert_whole(k);
}

static struct nwr_key link_key(nwr_ino parent)
{
    return nwr_key_link(nwr_ino_make(PG, 1, 5), parent, "n", 1);
}

/* Of one inode; `flags` of what replaces seen. */
static enum nwr_err put_link(struct kit *k, nwr_ino parent, uint8_t flags, struct nwr_seen seen,
                             nwr_ino other)
{
    struct nwr_key one = link_key(parent), two = link_key(other);
    struct nwr_write *w;
    struct batch b;

    batch_init(&b, k, NWR_STORE_APPLY);
    w = batch_put(&b, one, 0, NULL);
    w->v.flags = flags;
    nwr_write_seen(w, seen.dot, seen.wid);
    if (other)
        batch_put(&b, two, 0, NULL);
    return batch_end(&b);
}

static void a_full_store_lets_links_go_and_refuses_their_moves(void **state)
{
    struct kit *k = *state;
    struct nwr_seen seen = {0};

    assert_int_equal(put_one(k, link_key(1), "x", &seen), NWR_OK);
    nwr_store_mem_faults(k->s)->full = true;
    assert_int_equal(put_link(k, 1, NWR_V_HIDDEN, seen, 2), NWR_E_NOSPC);
    assert_int_equal(put_link(k, 1, NWR_V_HIDDEN, seen, 0), NWR_OK);
    assert_int_equal(put_link(k, 2, 0, seen, 0), NWR_E_NOSPC);
    kit_assert_whole(k);
}

#define ON(f) cmocka_unit_test_setup_teardown(f, kit_mem, kit_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON(power_loss_takes_what_was_not_synced_and_nothing_else),
        ON(a_kill_takes_nothing_that_was_applied),
        ON(an_op_not_polled_at_a_crash_never_completes),
        cmocka_unit_test(a_torn_batch_is_half_there_and_no_block_of_it_is_missing),
        cmocka_unit_test(a_batch_is_whole_or_not_there_wherever_its_process_dies),
        ON(bit_rot_is_found_by_reads_and_never_served),
        ON(a_full_store_gives_up_what_is_kept_before_it_refuses_to_shrink_a_file),
        ON(a_full_store_refuses_growth_and_goes_on_removing_and_reading),
        ON(a_full_store_lets_links_go_and_refuses_their_moves),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
