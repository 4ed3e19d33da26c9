/* leave_test.c -- a node that stood in for others hands over what only it has before it leaves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/sim/sim_kit.h"

static enum nwr_err sloppy_put(struct sim *s, int node, const struct nwr_key *key, uint8_t w)
{
    struct nwr_request *req = kit_put(key, "kept", 6, NULL);

    req->sloppy = true;
    req->w = w;
    req->level = NWR_LEVEL_DISK;
    return kit_ask_err(s, node, req);
}

static void cut_pair(struct sim *s, int a, int b)
{
    sim_cut(s, a, b, true);
    sim_cut(s, b, a, true);
}

/* One group, held by l[0] alone: l[1] took a write for it, and does not reach it any more, while
 * the third, which does, is to see that l[1] is removed. There is nothing to copy. */
static struct sim *one_stands_in(uint64_t seed, const struct nwr_key *key, int l[3])
{
    struct sim *s = sim_create(seed);

    s->only_asked = true;
    sim_members(s, 3, 1, 1, 1, 1);
    kit_list(s, 0, l, 2);
    l[2] = 3 - l[0] - l[1];
    sim_crash(s, l[0], false);
    kit_notice(s);
    assert_int_equal(sloppy_put(s, l[1], key, 1), NWR_OK);
    cut_pair(s, l[0], l[1]);
    sim_restart(s, l[0]);
    kit_notice(s);
    assert_string_equal(kit_read_text(s, l[0], key), "");
    return s;
}

static void a_node_that_is_removed_hands_over_what_it_stood_in_for(void **state)
{
    struct nwr_key key = kit_key(0, 1);
    int l[3];
    struct sim *s = one_stands_in(1, &key, l);

    (void)state;
    kit_remove_member(s, l[2], l[1]);
    sim_run(s, 30000000);
    assert_true(sim_ring(s, l[2])->joint);
    sim_heal(s);
    sim_run(s, 10000000);
    assert_true(s->node[l[1]].removed);
    assert_false(sim_ring(s, l[2])->joint);
    assert_string_equal(kit_read_text(s, l[2], &key), "kept");
    sim_destroy(s);
}

/* It would never be done. */
static void a_node_that_leaves_takes_nothing_more_for_others(void **state)
{
    struct nwr_key key = kit_key(0, 1), other = kit_key(0, 2);
    int l[3];
    struct sim *s = one_stands_in(2, &key, l);

    (void)state;
    kit_remove_member(s, l[2], l[1]);
    sim_run(s, 1000000);
    assert_true(sim_ring(s, l[1])->joint);
    assert_int_equal(sloppy_put(s, l[1], &other, 1), NWR_E_HOSTDOWN);
    sim_destroy(s);
}

/* There was room for one hint: l[0] gets it on its disk, the others when it is handed over. */
static void what_is_erased_is_on_the_disks_of_a_quorum(void **state)
{
    struct nwr_key key = kit_key(0, 1);
    struct sim *s = sim_create(4);
    int l[5];

    (void)state;
    s->only_asked = true;
    s->hint_bytes = 1800;
    sim_members(s, 5, 1, 3, 2, 2);
    kit_list(s, 0, l, 5);
    for (int i = 0; i < 3; i++)
        sim_crash(s, l[i], false);
    cut_pair(s, l[3], l[4]);
    kit_notice(s);
    assert_int_equal(sloppy_put(s, l[3], &key, 1), NWR_OK);
    for (int i = 0; i < 3; i++)
        sim_restart(s, l[i]);
    for (int i = 0; i < 20000 && *kit_stored_text(s, l[3], &key); i++)
        sim_run(s, 1000);
    assert_string_equal(kit_stored_text(s, l[3], &key), "");
    for (int i = 0; i < 3; i++)
        sim_crash(s, l[i], true);
    for (int i = 1; i < 3; i++)
        sim_restart(s, l[i]);
    kit_notice(s);
    assert_string_equal(kit_read_text(s, l[1], &key), "kept");
    sim_destroy(s);
}

/* The others have it long before, and nobody compares replicas here. */
static void a_hint_is_delivered_before_what_it_names_is_erased(void **state)
{
    struct nwr_key key = kit_key(0, 1);
    struct sim *s = sim_create(5);
    int l[5];

    (void)state;
    s->only_asked = true;
    sim_members(s, 5, 1, 3, 2, 2);
    kit_list(s, 0, l, 5);
    sim_crash(s, l[0], false);
    sim_crash(s, l[1], false);
    kit_notice(s);
    assert_int_equal(sloppy_put(s, l[3], &key, 2), NWR_OK);
    sim_restart(s, l[1]);
    sim_run(s, 20000000);
    sim_restart(s, l[0]);
    sim_run(s, 20000000);
    assert_string_equal(kit_stored_text(s, l[0], &key), "kept");
    assert_string_equal(kit_stored_text(s, l[3], &key), "");
    sim_destroy(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_node_that_is_removed_hands_over_what_it_stood_in_for),
        cmocka_unit_test(a_node_that_leaves_takes_nothing_more_for_others),
        cmocka_unit_test(what_is_erased_is_on_the_disks_of_a_quorum),
        cmocka_unit_test(a_hint_is_delivered_before_what_it_names_is_erased),
    };

    return cmocka_run_group_tests_name("leave", tests, NULL, NULL);
}
