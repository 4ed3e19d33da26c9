/* join_test.c -- joining a volume, also while things go wrong (DESIGN 6). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/sim/sim_kit.h"

static void wait_joined(struct sim *s, int node)
{
    for (int i = 0; i < 200 && !s->node[node].joined && !s->node[node].join_err; i++)
        sim_run(s, 100000);
}

static void a_joining_node_copies_records_and_blocks_first(void **state)
{
    struct sim *s = sim_create(25);
    struct nwr_block_id id = kit_block_id(2, 1, 5);
    struct nwr_request *req;
    struct nwr_key key;
    int node;

    (void)state;
    sim_members(s, 1, 16, 3, 0, 0);
    for (uint32_t i = 0; i < 64; i++) {
        key = kit_key((nwr_pg)(i % 16), i);
        kit_write(s, 0, &key, "x", 100 + i, NULL);
    }
    kit_write_many(s, 0, nwr_ino_make(3, 1, 60), 0, 2100, 1);
    key = kit_key(2, 200);
    req = kit_put(&key, "big", 5, NULL);
    kit_block(req, &id, true, true);
    assert_int_equal(kit_ask_err(s, 0, req), NWR_OK);
    node = sim_join(s, 0);
    wait_joined(s, node);
    assert_true(s->node[node].joined);
    assert_string_equal(kit_stored_text(s, node, &key), "big");
    assert_true(sim_has_block(s, node, &id));
    key = nwr_key_entry(nwr_ino_make(3, 1, 60), "daa", 3); /* 2028th */
    assert_string_equal(kit_stored_text(s, node, &key), "daa");
    for (uint32_t i = 0; i < 64; i++) {
        key = kit_key((nwr_pg)(i % 16), i);
        assert_string_equal(kit_stored_text(s, node, &key), "x");
    }
    sim_destroy(s);
}

static void an_empty_volume_of_1024_groups_is_joined_well_within_a_second(void **state)
{
    struct sim *s = sim_create(26);
    sim_us before;

    (void)state;
    sim_found(s, 1024, 3, 0, 0);
    for (int i = 1; i < 4; i++) {
        before = s->now;
        sim_join(s, i - 1);
        while (!s->node[i].joined && s->now < before + 2000000)
            sim_run(s, 1000);
        assert_true(s->node[i].joined);
        assert_true(s->now - before < 500000);
    }
    sim_destroy(s);
}

static void any_majority_of_the_members_lets_a_node_in(void **state)
{
    struct sim *s = kit_three(27, 2, 2);
    int node;

    (void)state;
    sim_crash(s, 0, false);
    kit_notice(s);
    node = sim_join(s, 1);
    wait_joined(s, node);
    assert_true(s->node[node].joined);
    assert_int_equal(nwr_node_ordinal(s->node[node].node), 4);
    sim_destroy(s);
}

static void without_a_majority_of_the_members_joining_fails_and_says_so(void **state)
{
    struct sim *s = kit_three(27, 2, 2);
    int node;

    (void)state;
    sim_crash(s, 0, false);
    sim_crash(s, 2, false);
    kit_notice(s);
    node = sim_join(s, 1);
    wait_joined(s, node);
    assert_int_equal(s->node[node].join_err, NWR_E_HOSTDOWN);
    assert_non_null(strstr(s->node[node].join_text, "majority"));
    sim_destroy(s);
}

/* Two members propose different rings of one epoch: one is decided, the other comes next. */
static void two_nodes_let_in_through_two_members_at_once_get_different_ordinals(void **state)
{
    struct sim *s = kit_three(37, 2, 2);
    int a, b;

    (void)state;
    s->faults.delay = 50000;
    a = sim_join(s, 1);
    b = sim_join(s, 2);
    wait_joined(s, a);
    wait_joined(s, b);
    assert_true(s->node[a].joined && s->node[b].joined);
    assert_int_not_equal(nwr_node_ordinal(s->node[a].node), nwr_node_ordinal(s->node[b].node));
    assert_int_equal(sim_ring(s, a)->nmember, 5);
    sim_destroy(s);
}

static void two_nodes_that_join_at_once_get_different_ordinals(void **state)
{
    struct sim *s = kit_three(28, 2, 2);
    int a = sim_join(s, 1), b = sim_join(s, 2);

    (void)state;
    wait_joined(s, a);
    wait_joined(s, b);
    assert_true(s->node[a].joined && s->node[b].joined);
    assert_int_not_equal(nwr_node_ordinal(s->node[a].node), nwr_node_ordinal(s->node[b].node));
    assert_int_equal(sim_ring(s, 0)->nmember, 5);
    sim_destroy(s);
}

static void a_node_that_crashed_while_joining_joins_with_the_same_ordinal(void **state)
{
    struct sim *s = kit_three(29, 2, 2);
    int node = sim_join(s, 1);

    (void)state;
    for (int i = 0; i < 1000 && !sim_ring(s, 0)->joint; i++)
        sim_run(s, 1000);
    assert_non_null(nwr_ring_find(sim_ring(s, 0), 4));
    sim_crash(s, node, true);
    sim_run(s, 500000);
    sim_restart(s, node);
    wait_joined(s, node);
    assert_true(s->node[node].joined);
    assert_int_equal(nwr_node_ordinal(s->node[node].node), 4);
    sim_destroy(s);
}

/* Nobody else ever had it, so it cannot be mended: the member's own word is not to be had. */
static void a_record_that_rotted_at_a_member_stops_no_join(void **state)
{
    struct sim *s = sim_create(27);
    struct nwr_key key = kit_key(2, 1), other = kit_key(2, 2);
    int node;

    (void)state;
    sim_members(s, 3, 16, 3, 2, 2);
    kit_write(s, 0, &other, "there", 5, NULL);
    kit_isolate(s, 2, true);
    assert_int_equal(kit_ask_err(s, 2, kit_put(&key, "x", 6, NULL)), NWR_E_TIMEDOUT);
    nwr_store_mem_rot_record(s->node[2].store, &key);
    sim_heal(s);
    kit_notice(s);
    node = sim_join(s, 0);
    wait_joined(s, node);
    assert_true(s->node[node].joined);
    assert_string_equal(kit_read_text(s, node, &other), "there");
    sim_destroy(s);
}

static void a_node_that_never_finishes_joining_is_dropped_and_its_ordinal_spent(void **state)
{
    struct sim *s = kit_three(30, 2, 2);
    int node = sim_join(s, 1), next;

    (void)state;
    for (int i = 0; i < 1000 && !sim_ring(s, 0)->joint; i++)
        sim_run(s, 1000);
    sim_crash(s, node, true);
    sim_run(s, 60000000);
    assert_false(sim_ring(s, 0)->joint);
    assert_null(nwr_ring_find(sim_ring(s, 0), 4));
    next = sim_join(s, 1);
    wait_joined(s, next);
    assert_int_equal(nwr_node_ordinal(s->node[next].node), 5);
    sim_destroy(s);
}

static void a_node_without_room_is_told_so_when_it_joins(void **state)
{
    struct sim *s = sim_create(32);
    sim_us before;
    int node;

    (void)state;
    sim_members(s, 3, 16, 3, 2, 2);
    for (nwr_pg pg = 0; pg < 16; pg++) {
        struct nwr_key key = kit_key(pg, 1);

        kit_write(s, 0, &key, "x", 100 + pg, NULL);
    }
    node = sim_join(s, 0);
    nwr_store_mem_faults(s->node[node].store)->full = true;
    before = s->now;
    wait_joined(s, node);
    assert_false(s->node[node].joined);
    assert_int_equal(s->node[node].join_err, NWR_E_NOSPC);
    assert_true(s->now < before + (sim_us)NWR_DEADLINE_MS * 1000);
    sim_destroy(s);
}

static void tell_that_it_is_given_up(struct sim *s, int node)
{
    struct nwr_msg m = {.kind = NWR_MSG_RING};
    struct nwr_node_event ev = {.kind = NWR_EV_MSG, .peer = 1, .msg = &m};
    struct nwr_ring ring;
    struct nwr_out o = {0};

    nwr_ring_give_up(&ring, sim_ring(s, node));
    nwr_ring_encode(&ring, &o);
    m.epoch = ring.epoch;
    m.u.ring.ring = nwr_out_blob(&o);
    sim_event(s, node, &ev);
    nwr_ring_deinit(&ring);
}

/* What went wrong once: gossip of a node that was nobody again was due for ever. */
static void a_node_that_is_given_up_while_it_joins_waits_and_joins_anew(void **state)
{
    struct sim *s = kit_three(38, 2, 2);
    int node = sim_join(s, 1);

    (void)state;
    for (int i = 0; i < 1000 && nwr_node_ordinal(s->node[node].node) == 0; i++)
        sim_run(s, 1000);
    s->faults.delay = 1000000;
    sim_run(s, 50000);
    tell_that_it_is_given_up(s, node);
    sim_run(s, 700000);
    assert_int_equal(nwr_node_ordinal(s->node[node].node), 0);
    s->faults.delay = 500;
    wait_joined(s, node);
    assert_true(s->node[node].joined);
    assert_int_equal(nwr_node_ordinal(s->node[node].node), 5);
    sim_destroy(s);
}

static void what_is_written_while_a_node_joins_reaches_it(void **state)
{
    struct sim *s = sim_create(31);
    struct nwr_key key;
    int node;
    uint32_t i = 0;

    (void)state;
    sim_members(s, 2, 64, 3, 0, 0);
    s->faults.delay = 20000; /* a slow copy */
    node = sim_join(s, 1);
    while (!s->node[node].joined && i < 5000) {
        key = kit_key((nwr_pg)(i % 64), i / 64);
        kit_write(s, 0, &key, "x", 1000 + i, NULL);
        i++;
    }
    assert_true(s->node[node].joined && i > 3);
    sim_run(s, 1000000);
    while (i-- > 0) {
        key = kit_key((nwr_pg)(i % 64), i / 64);
        assert_string_equal(kit_stored_text(s, node, &key), "x");
    }
    sim_destroy(s);
}

static void a_member_that_missed_a_join_is_taught_and_its_write_succeeds(void **state)
{
    struct sim *s = kit_three(32, 2, 2);
    struct nwr_key key = kit_key(2, 1);
    int node;

    (void)state;
    kit_isolate(s, 2, true);
    kit_notice(s);
    node = sim_join(s, 1);
    sim_cut(s, 2, node, true);
    sim_cut(s, node, 2, true);
    wait_joined(s, node);
    assert_true(s->node[node].joined);
    assert_true(sim_ring(s, 2)->epoch < sim_ring(s, 0)->epoch);
    sim_heal(s);
    sim_run(s, 100000);
    kit_write(s, 2, &key, "x", 1, NULL);
    assert_int_equal(sim_ring(s, 2)->epoch, sim_ring(s, 0)->epoch);
    sim_destroy(s);
}

/* What went wrong once: the node that was cut off acknowledged alone under the ring of before,
 * after its group had moved to a node that had copied from others. */
static void what_a_cut_off_node_acknowledged_alone_is_not_lost_by_a_join(void **state)
{
    struct sim *s = kit_three(34, 1, 3);
    int node;

    (void)state;
    kit_isolate(s, 2, true);
    kit_notice(s);
    node = sim_join(s, 1);
    sim_cut(s, 2, node, true);
    sim_cut(s, node, 2, true);
    for (nwr_pg pg = 0; pg < 16; pg++) {
        struct nwr_key key = kit_key(pg, 1);

        if (kit_holds(s, 2, pg))
            kit_write(s, 2, &key, "alone", 100 + pg, NULL);
    }
    wait_joined(s, node);
    assert_false(s->node[node].joined);
    sim_heal(s);
    if (s->node[node].join_err) {
        sim_crash(s, node, false);
        sim_restart(s, node);
    }
    wait_joined(s, node);
    assert_true(s->node[node].joined);
    for (nwr_pg pg = 0; pg < 16; pg++) {
        struct nwr_key key = kit_key(pg, 1);

        assert_string_equal(kit_read_text(s, node, &key), "alone");
    }
    sim_destroy(s);
}

/* Where W is a majority one node may be away: two of three refuse the ring of before. */
static void a_join_goes_on_without_a_minority_that_is_cut_off(void **state)
{
    struct sim *s = kit_three(35, 2, 2);
    struct nwr_key key = kit_key(2, 1);
    struct nwr_request *req;
    int node;

    (void)state;
    kit_isolate(s, 2, true);
    kit_notice(s);
    node = sim_join(s, 1);
    sim_cut(s, 2, node, true);
    sim_cut(s, node, 2, true);
    wait_joined(s, node);
    assert_true(s->node[node].joined);
    req = kit_put(&key, "x", 1, NULL);
    assert_int_not_equal(kit_ask_err(s, 2, req), NWR_OK);
    sim_destroy(s);
}

static void while_joint_a_write_waits_for_the_list_to_come(void **state)
{
    struct sim *s = sim_create(36);
    struct nwr_key key = kit_key(2, 1);
    int node;

    (void)state;
    sim_members(s, 1, 4, 3, 0, 0);
    node = sim_join(s, 0);
    while (!sim_ring(s, 0)->joint)
        sim_run(s, 1000);
    sim_crash(s, node, true);
    kit_notice(s);
    assert_true(sim_ring(s, 0)->joint);
    assert_int_equal(kit_ask_err(s, 0, kit_put(&key, "x", 1, NULL)), NWR_E_HOSTDOWN);
    sim_run(s, 15000000); /* the join is given up, and one of one is enough again */
    assert_false(sim_ring(s, 0)->joint);
    kit_write(s, 0, &key, "x", 2, NULL);
    sim_destroy(s);
}

static void a_restarted_member_knows_the_ring_by_itself(void **state)
{
    struct sim *s = kit_three(33, 2, 2);

    (void)state;
    for (int i = 0; i < 3; i++)
        sim_crash(s, i, true);
    for (int i = 0; i < 3; i++) {
        sim_restart(s, i);
        assert_int_equal(sim_ring(s, i)->nmember, 3);
    }
    sim_destroy(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_joining_node_copies_records_and_blocks_first),
        cmocka_unit_test(an_empty_volume_of_1024_groups_is_joined_well_within_a_second),
        cmocka_unit_test(any_majority_of_the_members_lets_a_node_in),
        cmocka_unit_test(without_a_majority_of_the_members_joining_fails_and_says_so),
        cmocka_unit_test(two_nodes_let_in_through_two_members_at_once_get_different_ordinals),
        cmocka_unit_test(two_nodes_that_join_at_once_get_different_ordinals),
        cmocka_unit_test(a_node_that_crashed_while_joining_joins_with_the_same_ordinal),
        cmocka_unit_test(a_record_that_rotted_at_a_member_stops_no_join),
        cmocka_unit_test(a_node_that_never_finishes_joining_is_dropped_and_its_ordinal_spent),
        cmocka_unit_test(a_node_without_room_is_told_so_when_it_joins),
        cmocka_unit_test(a_node_that_is_given_up_while_it_joins_waits_and_joins_anew),
        cmocka_unit_test(what_is_written_while_a_node_joins_reaches_it),
        cmocka_unit_test(a_member_that_missed_a_join_is_taught_and_its_write_succeeds),
        cmocka_unit_test(what_a_cut_off_node_acknowledged_alone_is_not_lost_by_a_join),
        cmocka_unit_test(a_join_goes_on_without_a_minority_that_is_cut_off),
        cmocka_unit_test(while_joint_a_write_waits_for_the_list_to_come),
        cmocka_unit_test(a_restarted_member_knows_the_ring_by_itself),
    };

    return cmocka_run_group_tests_name("join", tests, NULL, NULL);
}
