/* reshape_test.c -- members removed, replaced and weighted, and N changed, while all goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/sim/oracle.h"
#include "tests/sim/sim_kit.h"

enum {
    KEYS = 64,
    GROUPS = 16
};

static enum nwr_err ask(struct sim *s, int node, struct nwr_reshape what)
{
    struct nwr_node_event ev = {.kind = NWR_EV_RESHAPE, .reshape = what};
    const struct nwr_wish_state *w = nwr_node_wish(s->node[node].node);

    sim_event(s, node, &ev);
    for (int i = 0; i < 200 && w->done < w->asked; i++)
        sim_run(s, 100000);
    assert_true(w->done == w->asked);
    return w->err;
}

static void wait_settled(struct sim *s, int node)
{
    for (int i = 0; i < 400 && sim_ring(s, node)->joint; i++)
        sim_run(s, 100000);
    assert_false(sim_ring(s, node)->joint);
    sim_run(s, 3000000);
}

static void change(struct sim *s, int node, struct nwr_reshape what)
{
    assert_int_equal(ask(s, node, what), NWR_OK);
    wait_settled(s, node);
}

static struct nwr_reshape remove_of(uint16_t ordinal, bool force)
{
    return (struct nwr_reshape){.kind = NWR_RESHAPE_REMOVE, .ordinal = ordinal, .force = force};
}

static struct nwr_reshape n_of(uint32_t n)
{
    return (struct nwr_reshape){.kind = NWR_RESHAPE_N, .value = n};
}

static struct nwr_key key_of(uint32_t i)
{
    return kit_key((nwr_pg)(i % GROUPS), i);
}

static void write_all(struct sim *s, int node, const char *text, uint32_t wid)
{
    for (uint32_t i = 0; i < KEYS; i++) {
        struct nwr_key key = key_of(i);
        struct nwr_record seen = kit_read(s, node, &key);

        kit_write(s, node, &key, text, wid + i, &seen);
        nwr_record_deinit(&seen);
    }
}

/* Read by a quorum, and at every replica that should have it; nobody else keeps anything. */
static void check_all(struct sim *s, int node, const char *text)
{
    const struct nwr_ring *ring = sim_ring(s, node);

    for (uint32_t i = 0; i < KEYS; i++) {
        struct nwr_key key = key_of(i);

        assert_string_equal(kit_read_text(s, node, &key), text);
        for (int k = 0; k < s->nnode; k++)
            if (s->node[k].alive && !s->node[k].removed)
                assert_string_equal(kit_stored_text(s, k, &key),
                                    kit_holds(s, k, nwr_key_pg(&key)) ? text : "");
    }
    assert_int_equal(ring->joint, 0);
}

static struct sim *four(uint64_t seed)
{
    struct sim *s = sim_create(seed);

    sim_members(s, 4, GROUPS, 3, 2, 2);
    sim_run(s, 5000000); /* what left a node when the fourth came is erased */
    write_all(s, 0, "x", 1000);
    return s;
}

static void a_member_that_is_removed_says_so_and_others_hold_what_it_held(void **state)
{
    struct sim *s = four(61);

    (void)state;
    change(s, 0, remove_of(2, false));
    assert_true(s->node[1].removed);
    assert_int_equal(sim_ring(s, 0)->nmember, 3);
    check_all(s, 0, "x");
    sim_destroy(s);
}

static void a_member_can_ask_for_its_own_removal(void **state)
{
    struct sim *s = four(62);

    (void)state;
    assert_int_equal(ask(s, 1, remove_of(2, false)), NWR_OK);
    wait_settled(s, 0);
    assert_true(s->node[1].removed);
    check_all(s, 0, "x");
    sim_destroy(s);
}

static void a_dead_member_is_removed_where_a_majority_is_left(void **state)
{
    struct sim *s = four(63);

    (void)state;
    sim_crash(s, 1, false);
    kit_notice(s);
    write_all(s, 0, "y", 2000);
    change(s, 0, remove_of(2, false));
    check_all(s, 0, "y");
    sim_destroy(s);
}

static void slow(struct sim *s, int node, nwr_ms ms)
{
    nwr_store_mem_faults(s->node[node].store)->slow_ms = ms;
}

/* The third node has no room for what it lacks, so the ring stays joint; one list could have what
 * is read without it, the other could not. */
static void a_full_disk_in_a_joint_ring_keeps_nobody_from_reading(void **state)
{
    struct sim *s = sim_create(75);

    (void)state;
    s->only_asked = true;
    s->hint_bytes = 1;
    sim_members(s, 3, GROUPS, 3, 2, 2);
    write_all(s, 0, "x", 1000);
    nwr_store_mem_faults(s->node[2].store)->full = true;
    write_all(s, 0, "y", 2000);
    assert_int_equal(ask(s, 0, n_of(2)), NWR_OK);
    sim_run(s, 2000000);
    for (int from = 0; from < 2; from++) {
        slow(s, 1 - from, 200); /* it answers when the others have */
        for (uint32_t i = 0; i < KEYS; i++) {
            struct nwr_key key = key_of(i);

            assert_true(sim_ring(s, from)->joint);
            assert_string_equal(kit_read_text(s, from, &key), "y");
        }
        slow(s, 1 - from, 0);
    }
    nwr_store_mem_faults(s->node[2].store)->full = false;
    wait_settled(s, 0);
    check_all(s, 0, "y");
    sim_destroy(s);
}

static void with_w_n_a_dead_member_must_be_given_up_by_force(void **state)
{
    struct sim *s = sim_create(64);

    (void)state;
    sim_members(s, 3, GROUPS, 3, 3, 1);
    write_all(s, 0, "x", 1000);
    sim_crash(s, 1, false);
    kit_notice(s);
    assert_int_equal(ask(s, 0, remove_of(2, false)), NWR_OK);
    sim_run(s, 20000000);
    assert_true(sim_ring(s, 0)->joint);
    change(s, 0, remove_of(2, true));
    check_all(s, 0, "x");
    write_all(s, 0, "y", 2000);
    check_all(s, 0, "y");
    sim_destroy(s);
}

static void where_a_majority_is_gone_for_good_force_goes_on_with_one(void **state)
{
    struct sim *s = kit_three(65, 2, 2);

    (void)state;
    write_all(s, 0, "x", 1000);
    sim_run(s, 2000000);
    sim_crash(s, 1, false);
    sim_crash(s, 2, false);
    kit_notice(s);
    assert_int_equal(ask(s, 0, remove_of(2, false)), NWR_E_HOSTDOWN);
    assert_int_equal(ask(s, 0, remove_of(2, true)), NWR_OK);
    change(s, 0, remove_of(3, true));
    assert_int_equal(sim_ring(s, 0)->nmember, 1);
    check_all(s, 0, "x");
    sim_destroy(s);
}

static void a_dead_member_is_replaced_and_only_its_groups_move(void **state)
{
    struct sim *s = four(66);
    struct nwr_reshape what = {.kind = NWR_RESHAPE_REPLACE, .ordinal = 2, .address = "10.0.0.5:1"};
    bool held[3][GROUPS];
    int node;

    (void)state;
    for (nwr_pg pg = 0; pg < GROUPS; pg++) {
        held[0][pg] = kit_holds(s, 0, pg);
        held[1][pg] = kit_holds(s, 1, pg);
    }
    sim_crash(s, 1, false);
    kit_notice(s);
    assert_int_equal(ask(s, 0, what), NWR_OK);
    node = sim_join(s, 2);
    for (int i = 0; i < 200 && !s->node[node].joined; i++)
        sim_run(s, 100000);
    assert_true(s->node[node].joined);
    assert_null(nwr_ring_find(sim_ring(s, 0), 2));
    assert_int_equal(sim_ring(s, 0)->replaced, 0);
    for (nwr_pg pg = 0; pg < GROUPS; pg++) {
        assert_int_equal(kit_holds(s, 0, pg), held[0][pg]);
        assert_int_equal(kit_holds(s, node, pg), held[1][pg]);
    }
    sim_run(s, 3000000);
    check_all(s, 0, "x");
    sim_destroy(s);
}

static void a_member_of_little_weight_gives_its_groups_away_and_erases_them(void **state)
{
    struct sim *s = four(67);
    struct nwr_reshape what = {.kind = NWR_RESHAPE_WEIGHT, .ordinal = 2, .value = 1};
    uint32_t held = 0;

    (void)state;
    change(s, 0, what);
    sim_run(s, 5000000);
    check_all(s, 0, "x");
    for (nwr_pg pg = 0; pg < GROUPS; pg++)
        held += kit_holds(s, 1, pg);
    assert_true(held < GROUPS / 4);
    assert_true(nwr_node_counters(s->node[1].node)->pgs_erased > 0);
    oracle_blocks(s, &(struct sim_history){0}, false);
    sim_destroy(s);
}

static void n_goes_from_three_to_two_and_back(void **state)
{
    struct sim *s = four(68);

    (void)state;
    change(s, 0, n_of(2));
    sim_run(s, 5000000);
    assert_int_equal(nwr_ring_w(sim_ring(s, 0), 0), 2);
    check_all(s, 0, "x");
    write_all(s, 1, "y", 2000);
    change(s, 1, n_of(3));
    sim_run(s, 5000000);
    check_all(s, 2, "y");
    assert_int_equal(ask(s, 0, n_of(3)), NWR_E_INVAL);
    sim_destroy(s);
}

static void a_change_goes_on_after_those_that_drive_and_copy_it_crashed(void **state)
{
    struct sim *s = four(69);

    (void)state;
    s->faults.delay = 50000;
    assert_int_equal(ask(s, 1, remove_of(4, false)), NWR_OK);
    assert_true(sim_ring(s, 1)->joint);
    sim_crash(s, 0, true);
    sim_crash(s, 1, true);
    sim_run(s, 3000000);
    assert_true(sim_ring(s, 2)->joint);
    sim_restart(s, 0);
    sim_restart(s, 1);
    wait_settled(s, 2);
    s->faults.delay = 500;
    sim_run(s, 5000000);
    check_all(s, 1, "x");
    sim_destroy(s);
}

/* A directory may be content with one: what a node that leaves a group has alone is handed over. */
static void what_one_replica_had_alone_is_handed_over_before_it_is_erased(void **state)
{
    struct sim *s = four(70);
    struct nwr_reshape what = {.kind = NWR_RESHAPE_WEIGHT, .ordinal = 2, .value = 1};
    struct nwr_request *req;
    struct nwr_key key;
    nwr_pg pg = 0;

    (void)state;
    while (!kit_holds(s, 1, pg))
        pg++;
    key = kit_key(pg, 500);
    kit_isolate(s, 1, true);
    kit_notice(s);
    req = kit_put(&key, "alone", 9000, NULL);
    req->w = 1;
    assert_int_equal(kit_ask_err(s, 1, req), NWR_OK);
    change(s, 0, what);
    sim_heal(s);
    sim_run(s, 20000000);
    assert_string_equal(kit_read_text(s, 0, &key), "alone");
    sim_destroy(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_member_that_is_removed_says_so_and_others_hold_what_it_held),
        cmocka_unit_test(a_member_can_ask_for_its_own_removal),
        cmocka_unit_test(a_dead_member_is_removed_where_a_majority_is_left),
        cmocka_unit_test(a_full_disk_in_a_joint_ring_keeps_nobody_from_reading),
        cmocka_unit_test(with_w_n_a_dead_member_must_be_given_up_by_force),
        cmocka_unit_test(where_a_majority_is_gone_for_good_force_goes_on_with_one),
        cmocka_unit_test(a_dead_member_is_replaced_and_only_its_groups_move),
        cmocka_unit_test(a_member_of_little_weight_gives_its_groups_away_and_erases_them),
        cmocka_unit_test(n_goes_from_three_to_two_and_back),
        cmocka_unit_test(a_change_goes_on_after_those_that_drive_and_copy_it_crashed),
        cmocka_unit_test(what_one_replica_had_alone_is_handed_over_before_it_is_erased),
    };

    return cmocka_run_group_tests_name("reshape", tests, NULL, NULL);
}
