/* confirm_test.c -- a tombstone goes when every member has said that it needs it no more, and not
 * before (DESIGN 7).
 *
 * A member that is behind a floor drops what the floor covers, so a floor that rose too early shows
 * only once somebody has lost it. Here that is the first node: one of its records rots, and with it
 * goes all that it claims to have. What it then reads together with a node that still has what was
 * deleted tells whether its tombstones went too early; rules.sh switches each rule off.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/sim/sim_kit.h"

enum {
    PG = 2,
    KEYS = 4, /* that are deleted */
    WITNESS = 99,
    STEP_US = 1000,
    STEPS = 20000
};

static void write_once(struct sim *s, int node, uint32_t no, const char *text, nwr_wid wid)
{
    struct nwr_key key = kit_key(PG, no);
    struct nwr_record seen = kit_read(s, node, &key);
    struct nwr_request *req = kit_put(&key, text ? text : "", wid, &seen);

    req->write[0].v.flags = NWR_V_ONCE | (text ? 0 : NWR_V_TOMBSTONE);
    req->level = text ? NWR_LEVEL_DISK : NWR_LEVEL_MEMORY;
    assert_int_equal(kit_ask_err(s, node, req), NWR_OK);
    nwr_record_deinit(&seen);
}

static void write_all(struct sim *s, int node, const char *text, nwr_wid wid)
{
    for (uint32_t i = 0; i < KEYS; i++)
        write_once(s, node, i, text, wid + i);
}

static void ask_repair(struct sim *s, int node)
{
    struct nwr_node_event ev = {.kind = NWR_EV_REPAIR, .pg = PG};

    sim_event(s, node, &ev);
}

static void repair(struct sim *s, int node)
{
    ask_repair(s, node);
    sim_run(s, 5000000);
}

/* Three members that have, and know of each other that they have, some records on disk. */
static struct sim *filled(struct sim *s)
{
    write_all(s, 0, "x", 1000);
    write_once(s, 0, WITNESS, "witness", 1999);
    sim_run(s, 2000000);
    for (int node = 0; node < 3; node++)
        repair(s, node);
    return s;
}

static uint32_t records(struct sim *s, int node)
{
    struct nwr_range all = {.prefix = {.len = 2, .b = {0, PG}}};
    struct nwr_rows rows;
    uint32_t n;

    assert_int_equal(sim_look(s, node, PG, &all, 1, &rows), NWR_OK);
    n = rows.n;
    nwr_rows_deinit(&rows);
    return n;
}

static bool has_deleted(struct sim *s, int node)
{
    struct nwr_key key = kit_key(PG, 0);

    return kit_stored_text(s, node, &key)[0] == 0;
}

static void cut_pair(struct sim *s, int a, int b, bool cut)
{
    sim_cut(s, a, b, cut);
    sim_cut(s, b, a, cut);
}

/* A reader meets the record that rotted, and gets it from the others. */
static void lose_floor(struct sim *s, int node)
{
    struct nwr_key key = kit_key(PG, WITNESS);

    nwr_store_mem_rot_record(s->node[node].store, &key);
    assert_string_equal(kit_read_text(s, node, &key), "witness");
    assert_string_equal(kit_stored_text(s, node, &key), "witness");
}

/* All are back, and a loses what it claimed. Then only a and b are left. */
static void assert_deleted_for(struct sim *s, int a, int b)
{
    sim_heal(s);
    kit_notice(s);
    lose_floor(s, a);
    for (int node = 0; node < s->nnode; node++)
        if (node != a && node != b)
            kit_isolate(s, node, true);
    kit_notice(s);
    for (uint32_t i = 0; i < KEYS; i++) {
        struct nwr_key key = kit_key(PG, i);

        assert_string_equal(kit_read_text(s, a, &key), "");
    }
    sim_destroy(s);
}

static void tombstones_stay_for_a_member_that_is_away(void **state)
{
    struct sim *s = filled(kit_three_by_reads(1, 2, 2));

    (void)state;
    kit_isolate(s, 2, true);
    kit_notice(s);
    write_all(s, 0, NULL, 2000);
    for (int i = 0; i < 4; i++)
        repair(s, i % 2);
    assert_deleted_for(s, 0, 2);
}

/* The third node says what it has, and is cut off again before it gets the rest. */
static void tombstones_stay_for_a_member_that_says_it_is_behind(void **state)
{
    struct sim *s = filled(kit_three_by_reads(2, 2, 2));

    (void)state;
    kit_isolate(s, 2, true);
    kit_notice(s);
    write_all(s, 0, NULL, 2000);
    repair(s, 0);
    kit_isolate(s, 2, false);
    kit_notice(s);
    ask_repair(s, 0);
    for (int i = 0; i < STEPS && records(s, 0) > 1 && !has_deleted(s, 2); i++)
        sim_run(s, STEP_US);
    kit_isolate(s, 2, true);
    kit_notice(s);
    repair(s, 0);
    assert_deleted_for(s, 0, 2);
}

/* The power goes at the third node as soon as the tombstones are gone at the first. */
static void what_a_member_confirmed_survives_power_loss(void **state)
{
    struct sim *s = filled(kit_three_by_reads(3, 2, 2));

    (void)state;
    write_all(s, 0, NULL, 2000);
    ask_repair(s, 0);
    for (int i = 0; i < STEPS && records(s, 0) > 1; i++)
        sim_run(s, STEP_US);
    assert_int_equal(records(s, 0), 1);
    sim_crash(s, 2, true);
    kit_notice(s);
    assert_deleted_for(s, 0, 2);
}

/* The third node confirms what an older disk of it does not have. */
static void what_was_confirmed_before_an_absence_is_asked_again(void **state)
{
    struct sim *s = filled(kit_three_by_reads(4, 2, 2));
    struct nwr_store *old = nwr_store_mem_copy(s->node[2].store, 1);

    (void)state;
    kit_isolate(s, 1, true);
    kit_notice(s);
    write_all(s, 0, NULL, 2000);
    repair(s, 0);
    sim_change_disk(s, 2, old);
    kit_notice(s);
    kit_isolate(s, 2, true);
    kit_notice(s);
    cut_pair(s, 0, 1, false);
    kit_notice(s);
    for (int i = 0; i < 4; i++)
        repair(s, i % 2);
    assert_deleted_for(s, 0, 2);
}

/* A node that joins has copied the group, and is slow with the others; meanwhile it does not hear
 * of what is deleted. */
static void tombstones_stay_while_a_ring_is_joint(void **state)
{
    struct sim *s = filled(kit_three_by_reads(6, 2, 2));

    (void)state;
    sim_join(s, 0);
    nwr_store_mem_faults(s->node[3].store)->slow_ms = 2500;
    for (int i = 0; i < STEPS && has_deleted(s, 3); i++)
        sim_run(s, STEP_US);
    cut_pair(s, 1, 3, true);
    cut_pair(s, 2, 3, true);
    write_all(s, 1, NULL, 2000);
    for (int i = 0; i < 2; i++) {
        ask_repair(s, 1);
        sim_run(s, 2000000);
    }
    assert_true(sim_ring(s, 1)->joint);
    sim_heal(s);
    for (int i = 0; i < STEPS && sim_ring(s, 1)->joint; i++)
        sim_run(s, STEP_US);
    assert_false(sim_ring(s, 1)->joint);
    assert_true(kit_holds(s, 1, PG) && kit_holds(s, 2, PG) && kit_holds(s, 3, PG));
    assert_deleted_for(s, 1, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tombstones_stay_for_a_member_that_is_away),
        cmocka_unit_test(tombstones_stay_for_a_member_that_says_it_is_behind),
        cmocka_unit_test(what_a_member_confirmed_survives_power_loss),
        cmocka_unit_test(what_was_confirmed_before_an_absence_is_asked_again),
        cmocka_unit_test(tombstones_stay_while_a_ring_is_joint),
    };

    return cmocka_run_group_tests_name("confirm", tests, NULL, NULL);
}
