/* handoff_test.c -- what is kept for a replica that was away, and how it gets it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/sim/sim_kit.h"

/* What they miss they get by hints alone: nobody compares replicas. */
static struct sim *three(uint64_t seed, uint8_t w, uint8_t r)
{
    struct sim *s = sim_create(seed);

    s->only_asked = true;
    sim_members(s, 3, 16, 3, w, r);
    return s;
}

static uint64_t hints_for(const struct sim *s, int at, int target)
{
    const struct nwr_ring *ring = sim_ring(s, at);

    return nwr_node_hints(s->node[at].node, nwr_ring_find_id(ring, s->node[target].id)->ordinal)
        ->count;
}

static uint64_t hints_at(const struct sim *s, int at)
{
    uint64_t n = 0;

    for (uint16_t t = 1; t <= NWR_ORDINAL_MAX; t++)
        n += nwr_node_hints(s->node[at].node, t)->count;
    return n;
}

static bool has(struct sim *s, int node, uint64_t from, uint64_t to, const char *text)
{
    for (uint64_t i = from; i < to; i++) {
        struct nwr_key key = kit_key((nwr_pg)(i % 16), i);
        char got[100];
        struct nwr_record r = kit_stored(s, node, &key);

        kit_text(&r, got, sizeof(got));
        nwr_record_deinit(&r);
        if (strcmp(got, text) != 0)
            return false;
    }
    return true;
}

static void write_some(struct sim *s, int node, uint64_t from, uint64_t to, const char *text)
{
    for (uint64_t i = from; i < to; i++) {
        struct nwr_key key = kit_key((nwr_pg)(i % 16), i);

        kit_write(s, node, &key, text, 1000 + i, NULL);
    }
}

static void a_replica_gets_what_it_missed_without_being_read(void **state)
{
    struct sim *s = three(1, 2, 2);

    (void)state;
    sim_crash(s, 2, false);
    kit_notice(s);
    write_some(s, 0, 0, 300, "missed");
    assert_int_equal(hints_for(s, 0, 2), 300);
    sim_restart(s, 2);
    assert_false(has(s, 2, 0, 300, "missed"));
    sim_run(s, 5000000);
    assert_true(has(s, 2, 0, 300, "missed"));
    assert_int_equal(hints_for(s, 0, 2), 0);
    assert_int_equal(nwr_node_counters(s->node[2].node)->reads, 0);
    sim_destroy(s);
}

static void a_write_under_way_when_its_replica_dies_is_kept_too(void **state)
{
    struct sim *s = three(2, 2, 2);

    (void)state;
    sim_cut(s, 0, 2, true);
    sim_cut(s, 2, 0, true);
    write_some(s, 0, 0, 20, "silent");
    assert_int_equal(hints_for(s, 0, 2), 0); /* it may still answer */
    kit_notice(s);
    assert_int_equal(hints_for(s, 0, 2), 20);
    sim_heal(s);
    sim_run(s, 5000000);
    assert_true(has(s, 2, 0, 20, "silent"));
    assert_int_equal(hints_for(s, 0, 2), 0);
    sim_destroy(s);
}

static void hints_outlive_a_crash_of_their_holder(void **state)
{
    struct sim *s = three(3, 2, 2);

    (void)state;
    sim_crash(s, 2, false);
    kit_notice(s);
    write_some(s, 0, 0, 200, "kept");
    sim_crash(s, 0, false);
    sim_restart(s, 0);
    sim_run(s, 1000000);
    assert_int_equal(hints_for(s, 0, 2), 200);
    sim_restart(s, 2);
    sim_run(s, 5000000);
    assert_true(has(s, 2, 0, 200, "kept"));
    assert_int_equal(hints_for(s, 0, 2), 0);
    sim_destroy(s);
}

/* The holder dies at every step of the delivery; what it had not dropped it delivers again. */
static void a_holder_that_dies_while_it_delivers_goes_on(void **state)
{
    (void)state;
    for (uint64_t at = 0; at < 40; at++) {
        struct sim *s = three(100 + at, 2, 2);

        sim_crash(s, 2, false);
        kit_notice(s);
        write_some(s, 0, 0, 30, "again");
        sim_restart(s, 2);
        sim_run(s, 20000 + at * 1000);
        sim_crash(s, 0, false);
        sim_run(s, 100000);
        sim_restart(s, 0);
        sim_run(s, 5000000);
        assert_true(has(s, 2, 0, 30, "again"));
        assert_int_equal(hints_for(s, 0, 2), 0);
        sim_destroy(s);
    }
}

static void a_hint_ends_only_when_the_target_has_it_on_disk(void **state)
{
    struct sim *s = three(4, 2, 2);

    (void)state;
    sim_crash(s, 2, false);
    kit_notice(s);
    write_some(s, 0, 0, 50, "on disk");
    sim_restart(s, 2);
    while (hints_for(s, 0, 2))
        sim_run(s, 1000);
    sim_crash(s, 2, true);
    sim_restart(s, 2);
    assert_true(has(s, 2, 0, 50, "on disk"));
    sim_destroy(s);
}

static void at_the_bound_no_more_is_kept_and_that_is_counted(void **state)
{
    struct sim *s = sim_create(5);

    (void)state;
    s->hint_bytes = 2000;
    s->only_asked = true;
    sim_members(s, 3, 16, 3, 2, 2);
    sim_crash(s, 2, false);
    kit_notice(s);
    write_some(s, 0, 0, 100, "many");
    assert_in_range(hints_for(s, 0, 2), 1, 30);
    assert_true(nwr_node_hints_stat(s->node[0].node)->refused > 50);
    sim_restart(s, 2);
    sim_run(s, 5000000);
    assert_int_equal(hints_at(s, 0), 0);
    write_some(s, 0, 200, 210, "room again");
    sim_destroy(s);
}

static void what_is_delivered_is_merged_with_what_came_meanwhile(void **state)
{
    struct sim *s = three(6, 1, 1);
    struct nwr_key key = kit_key(3, 1);
    struct nwr_record r;

    (void)state;
    for (int i = 0; i < 2; i++) {
        sim_cut(s, i, 2, true);
        sim_cut(s, 2, i, true);
    }
    kit_notice(s);
    kit_write(s, 0, &key, "here", 1, NULL);
    kit_write(s, 2, &key, "there", 2, NULL);
    sim_heal(s);
    sim_run(s, 5000000);
    for (int i = 0; i < 3; i++) {
        r = kit_stored(s, i, &key);
        assert_int_equal(nwr_record_live(&r), 2);
        nwr_record_deinit(&r);
    }
    sim_destroy(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_replica_gets_what_it_missed_without_being_read),
        cmocka_unit_test(a_write_under_way_when_its_replica_dies_is_kept_too),
        cmocka_unit_test(hints_outlive_a_crash_of_their_holder),
        cmocka_unit_test(a_holder_that_dies_while_it_delivers_goes_on),
        cmocka_unit_test(a_hint_ends_only_when_the_target_has_it_on_disk),
        cmocka_unit_test(at_the_bound_no_more_is_kept_and_that_is_counted),
        cmocka_unit_test(what_is_delivered_is_merged_with_what_came_meanwhile),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
