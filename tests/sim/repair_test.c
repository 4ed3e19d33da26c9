/* repair_test.c -- replicas that differ become equal without a read (DESIGN 7). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/sim/oracle.h"
#include "tests/sim/sim_kit.h"

static const struct nwr_repair_state *state_of(struct sim *s, int node)
{
    return nwr_node_repair(s->node[node].node);
}

/* A run at node, to its end. */
static const struct nwr_repair_state *repair(struct sim *s, int node, nwr_pg pg)
{
    struct nwr_node_event ev = {.kind = NWR_EV_REPAIR, .pg = pg};

    sim_event(s, node, &ev);
    for (int i = 0; i < 600 && state_of(s, node)->done < state_of(s, node)->asked; i++)
        sim_run(s, 100000);
    assert_true(state_of(s, node)->done == state_of(s, node)->asked);
    return state_of(s, node);
}

static uint64_t compared_bytes(struct sim *s)
{
    uint64_t bytes = 0;

    for (int i = 0; i < s->nnode; i++)
        bytes += nwr_node_counters(s->node[i].node)->compare_bytes;
    return bytes;
}

/* Node 2 misses n writes to group 2; what it knows already stays as it is. */
static void miss_writes(struct sim *s, uint32_t from, uint32_t n)
{
    kit_isolate(s, 2, true);
    kit_notice(s);
    for (uint32_t i = from; i < from + n; i++) {
        struct nwr_key key = kit_key(2, i);

        kit_write(s, 0, &key, "x", 1000 + i, NULL);
    }
    sim_heal(s);
}

static void a_node_that_was_away_gets_what_it_missed_without_any_read(void **state)
{
    struct sim *s = kit_three_without_hints(41, 2, 2);
    struct nwr_key key = kit_key(2, 7);

    (void)state;
    miss_writes(s, 0, 50);
    assert_string_equal(kit_stored_text(s, 2, &key), "");
    sim_run(s, 10000000);
    assert_string_equal(kit_stored_text(s, 2, &key), "x");
    oracle_converged(s);
    sim_destroy(s);
}

static void blocks_come_with_the_records_that_name_them(void **state)
{
    struct sim *s = kit_three_without_hints(42, 2, 2);
    struct nwr_key key = kit_key(2, 1);
    struct nwr_block_id id = kit_block_id(2, 1, 5);
    struct nwr_request *req;

    (void)state;
    kit_isolate(s, 2, true);
    kit_notice(s);
    req = kit_put(&key, "x", 5, NULL);
    kit_block(req, &id, true, true);
    assert_int_equal(kit_ask_err(s, 0, req), NWR_OK);
    sim_heal(s);
    sim_run(s, 10000000);
    assert_true(sim_has_block(s, 2, &id));
    sim_destroy(s);
}

static void what_was_deleted_meanwhile_is_deleted_there_too(void **state)
{
    struct sim *s = kit_three_without_hints(43, 2, 2);
    struct nwr_key key = kit_key(2, 1);
    struct nwr_record seen;
    struct nwr_request *req;

    (void)state;
    kit_write(s, 0, &key, "x", 5, NULL);
    sim_run(s, 1000000);
    kit_isolate(s, 2, true);
    kit_notice(s);
    seen = kit_read(s, 0, &key);
    req = kit_put(&key, "", 6, &seen);
    req->write[0].v.flags = NWR_V_TOMBSTONE;
    assert_int_equal(kit_ask_err(s, 0, req), NWR_OK);
    nwr_record_deinit(&seen);
    assert_string_equal(kit_stored_text(s, 2, &key), "x");
    sim_heal(s);
    sim_run(s, 10000000);
    assert_string_equal(kit_stored_text(s, 2, &key), "");
    oracle_converged(s);
    sim_destroy(s);
}

static void writes_on_both_sides_of_a_cut_end_as_siblings_on_all(void **state)
{
    struct sim *s = kit_three_without_hints(44, 1, 1);
    struct nwr_key key = kit_key(2, 1);

    (void)state;
    kit_isolate(s, 2, true);
    kit_notice(s);
    kit_write(s, 0, &key, "a", 5, NULL);
    kit_write(s, 2, &key, "b", 6, NULL);
    sim_heal(s);
    sim_run(s, 10000000);
    for (int i = 0; i < 3; i++) {
        struct nwr_record r = kit_stored(s, i, &key);

        assert_int_equal(r.n, 2);
        nwr_record_deinit(&r);
    }
    oracle_converged(s);
    sim_destroy(s);
}

static void a_run_says_how_many_records_differed_and_ends_with_none(void **state)
{
    struct sim *s = kit_three_without_hints(45, 2, 2);
    const struct nwr_repair_state *r;

    (void)state;
    miss_writes(s, 0, 40);
    kit_notice(s);
    /* Node 0 has begun by itself: what it did not do yet is left to the run. */
    r = repair(s, 2, NWR_PGS_MAX);
    assert_int_equal(r->left, 0);
    assert_int_equal(r->silent, 0);
    assert_int_equal(r->peers, 2);
    assert_int_equal(r->found, r->repaired);
    oracle_converged(s);
    r = repair(s, 1, NWR_PGS_MAX);
    assert_int_equal(r->found, 0);
    assert_int_equal(r->left, 0);
    sim_destroy(s);
}

static void a_run_over_one_group_leaves_the_others_alone(void **state)
{
    struct sim *s = kit_three_without_hints(46, 1, 1);
    struct nwr_key here = kit_key(2, 1), there = kit_key(3, 1);
    const struct nwr_repair_state *r;

    (void)state;
    kit_isolate(s, 0, true);
    kit_notice(s);
    kit_write(s, 0, &here, "x", 5, NULL);
    kit_write(s, 0, &there, "x", 6, NULL);
    sim_heal(s);
    sim_run(s, 100000);
    r = repair(s, 2, 2);
    assert_int_equal(r->found, 2); /* once from node 0, once to node 1 */
    assert_string_equal(kit_stored_text(s, 2, &here), "x");
    assert_string_equal(kit_stored_text(s, 2, &there), "");
    sim_destroy(s);
}

static void a_run_counts_who_could_not_be_compared_with(void **state)
{
    struct sim *s = kit_three_without_hints(47, 2, 2);
    const struct nwr_repair_state *r;

    (void)state;
    sim_crash(s, 1, false);
    kit_notice(s);
    r = repair(s, 0, NWR_PGS_MAX);
    assert_int_equal(r->silent, 1);
    assert_int_equal(r->peers, 1);
    assert_int_equal(r->left, 0);
    sim_destroy(s);
}

static void hints_and_comparisons_go_together(void **state)
{
    struct sim *s = kit_three(53, 2, 2);
    struct nwr_key key = kit_key(2, 199);

    (void)state;
    miss_writes(s, 0, 200);
    sim_run(s, 20000000);
    assert_string_equal(kit_stored_text(s, 2, &key), "x");
    oracle_converged(s);
    sim_destroy(s);
}

/* A peer that answers nonsense costs its pair a try, and nobody his life. */
static void nonsense_in_answers_is_refused_and_later_answers_help(void **state)
{
    (void)state;
    for (uint64_t seed = 80; seed < 100; seed++) {
        struct sim *s = kit_three_without_hints(seed, 2, 2);

        miss_writes(s, 0, 100);
        kit_isolate(s, 2, true);
        kit_notice(s);
        kit_write_many(s, 0, nwr_ino_make(3, 1, 60), 0, 2500, 1);
        sim_heal(s);
        s->faults.garbled = 40000;
        sim_run(s, 100000000);
        s->faults.garbled = 0;
        sim_run(s, 60000000);
        oracle_converged(s);
        sim_destroy(s);
    }
}

static void a_run_asked_for_during_another_follows_it(void **state)
{
    struct sim *s = kit_three_without_hints(48, 2, 2);
    struct nwr_node_event ev = {.kind = NWR_EV_REPAIR, .pg = 2};
    const struct nwr_repair_state *r;

    (void)state;
    sim_event(s, 0, &ev);
    ev.pg = 3;
    sim_event(s, 0, &ev);
    assert_int_equal(state_of(s, 0)->done, 0);
    r = repair(s, 0, 4);
    assert_int_equal(r->asked, 3);
    assert_int_equal(r->pg, NWR_PGS_MAX);
    sim_destroy(s);
}

/* Issue 3: at most 150 d + 2,000 bytes a peer pair, records and digests of PGs not counted. A
 * record that both have in other versions counts on both sides, and is the dearest. */
static void bytes_follow_the_difference_and_not_the_records(void **state)
{
    static const uint32_t sizes[] = {1, 10, 100, 1000};
    enum {
        RECORDS = 3000
    };
    struct sim *s = sim_create(49);

    (void)state;
    s->hint_bytes = 1;
    sim_members(s, 3, 16, 3, 1, 1);
    for (uint32_t i = 0; i < RECORDS; i++) {
        struct nwr_key key = kit_key(2, i);

        kit_write(s, 0, &key, "x", 1 + i, NULL);
    }
    sim_run(s, 40000000);
    oracle_converged(s);
    for (size_t i = 0; i < NWR_COUNT(sizes); i++) {
        uint64_t before = compared_bytes(s);

        kit_isolate(s, 2, true);
        kit_notice(s);
        for (uint32_t j = 0; j < sizes[i]; j++) {
            struct nwr_key key = kit_key(2, j);

            kit_write(s, 2, &key, "y", 10000 * (i + 1) + j, NULL);
        }
        sim_heal(s);
        sim_run(s, 100000000);
        oracle_converged(s);
        print_message("# %u records differ: %llu bytes a pair\n", sizes[i],
                      (unsigned long long)(compared_bytes(s) - before) / 2);
        assert_true((compared_bytes(s) - before) / 2 <= 150 * sizes[i] + 2000);
    }
    sim_destroy(s);
}

static void where_most_differ_ranges_take_over(void **state)
{
    struct sim *s = kit_three_without_hints(50, 2, 2);

    (void)state;
    kit_isolate(s, 2, true);
    kit_notice(s);
    kit_write_many(s, 0, nwr_ino_make(3, 1, 60), 0, 5000, 1);
    sim_heal(s);
    sim_run(s, 40000000);
    oracle_converged(s);
    assert_true(compared_bytes(s) < 5000 * 40);
    sim_destroy(s);
}

static void a_node_that_lost_power_gets_back_what_it_had_not_synced(void **state)
{
    struct sim *s = kit_three_without_hints(51, 2, 2);
    struct nwr_key key = kit_key(2, 7);

    (void)state;
    for (uint32_t i = 0; i < 20; i++) {
        struct nwr_key k = kit_key(2, i);

        kit_write(s, 0, &k, "x", 1000 + i, NULL);
    }
    sim_crash(s, 2, true);
    sim_restart(s, 2);
    sim_run(s, 10000000);
    assert_string_equal(kit_stored_text(s, 2, &key), "x");
    oracle_converged(s);
    sim_destroy(s);
}

static void loss_doubling_and_reordering_only_delay_it(void **state)
{
    (void)state;
    for (uint64_t seed = 60; seed < 75; seed++) {
        struct sim *s = kit_three_without_hints(seed, 2, 2);

        miss_writes(s, 0, 60);
        s->faults = (struct sim_faults){.loss = 2000, .doubled = 4000, .reordered = 4000};
        sim_run(s, 30000000);
        s->faults = (struct sim_faults){0};
        sim_run(s, 60000000);
        oracle_converged(s);
        sim_destroy(s);
    }
}

static void writing_goes_on_while_replicas_are_compared(void **state)
{
    struct sim *s = kit_three_without_hints(52, 2, 2);
    uint32_t i = 0;

    (void)state;
    miss_writes(s, 0, 300);
    sim_run(s, 100000); /* connected, not compared yet */
    for (i = 0; i < 300; i++) {
        struct nwr_key key = kit_key(2, 150 + i);

        kit_write(s, (int)(i % 3), &key, "z", 5000 + i, NULL);
    }
    sim_run(s, 80000000);
    oracle_converged(s);
    sim_destroy(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_node_that_was_away_gets_what_it_missed_without_any_read),
        cmocka_unit_test(blocks_come_with_the_records_that_name_them),
        cmocka_unit_test(what_was_deleted_meanwhile_is_deleted_there_too),
        cmocka_unit_test(writes_on_both_sides_of_a_cut_end_as_siblings_on_all),
        cmocka_unit_test(a_run_says_how_many_records_differed_and_ends_with_none),
        cmocka_unit_test(a_run_over_one_group_leaves_the_others_alone),
        cmocka_unit_test(a_run_counts_who_could_not_be_compared_with),
        cmocka_unit_test(hints_and_comparisons_go_together),
        cmocka_unit_test(nonsense_in_answers_is_refused_and_later_answers_help),
        cmocka_unit_test(a_run_asked_for_during_another_follows_it),
        cmocka_unit_test(bytes_follow_the_difference_and_not_the_records),
        cmocka_unit_test(where_most_differ_ranges_take_over),
        cmocka_unit_test(a_node_that_lost_power_gets_back_what_it_had_not_synced),
        cmocka_unit_test(loss_doubling_and_reordering_only_delay_it),
        cmocka_unit_test(writing_goes_on_while_replicas_are_compared),
    };

    return cmocka_run_group_tests_name("repair", tests, NULL, NULL);
}
