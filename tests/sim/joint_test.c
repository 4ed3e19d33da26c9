/* joint_test.c -- what two rings that follow each other need, so that nothing is lost between.
 *
 * Each scenario is a race that a rule of DESIGN 6 decides; rules.sh switches the rule off and
 * expects the scenario to fail. A slow store makes the race certain: an op takes effect when it is
 * submitted and is answered later.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/sim/sim_kit.h"

enum {
    GROUPS = 16
};

struct answers {
    uint32_t n;
    bool acked[GROUPS];
};

static void on_done(struct sim *s, int node, struct nwr_request *req, struct nwr_response *res)
{
    struct answers *a = req->user;

    (void)s;
    (void)node;
    a->n++;
    a->acked[req->pg] = res->err == NWR_OK;
}

/* A record of each group, through one node, all at once. */
static void put_all(struct sim *s, int node, uint8_t w, struct answers *a)
{
    *a = (struct answers){.n = 0};
    for (nwr_pg pg = 0; pg < GROUPS; pg++) {
        struct nwr_key key = kit_key(pg, 1);
        struct nwr_request *req = kit_put(&key, "acked", 100 + pg, NULL);

        req->user = a;
        req->w = w;
        sim_submit(s, node, req, on_done);
    }
}

struct outcome {
    bool done;
    enum nwr_err err;
};

static void on_one(struct sim *s, int node, struct nwr_request *req, struct nwr_response *res)
{
    (void)s;
    (void)node;
    *(struct outcome *)req->user = (struct outcome){true, res->err};
}

static void cut_pair(struct sim *s, int a, int b)
{
    sim_cut(s, a, b, true);
    sim_cut(s, b, a, true);
}

static void slow(struct sim *s, int node, nwr_ms ms)
{
    nwr_store_mem_faults(s->node[node].store)->slow_ms = ms;
}

/* Members, of which the third does not reach the first. */
static struct sim *members(uint64_t seed, int count)
{
    struct sim *s = sim_create(seed);

    s->only_asked = true;
    s->hint_bytes = 1;
    sim_members(s, count, GROUPS, 3, 2, 2);
    cut_pair(s, 0, 2);
    kit_notice(s);
    return s;
}

/* The second and the third are gone; the first and the fourth are R of the new list. */
static void check_acked(struct sim *s, const struct answers *a)
{
    assert_int_equal(a->n, GROUPS);
    assert_true(s->node[3].joined);
    sim_crash(s, 1, false);
    if (s->node[2].alive)
        sim_crash(s, 2, false);
    kit_notice(s);
    for (nwr_pg pg = 0; pg < GROUPS; pg++) {
        struct nwr_key key = kit_key(pg, 1);

        if (a->acked[pg] && kit_holds(s, 0, pg) && kit_holds(s, 3, pg))
            assert_string_equal(kit_read_text(s, 0, &key), "acked");
    }
}

/* The third node has begun to write before it hears of a join that is all but over then; the second
 * gets the write after it was copied from there. */
static void a_write_begun_under_an_older_ring_counts_by_the_new_one(void **state)
{
    struct sim *s = members(1, 3);
    struct answers a;

    (void)state;
    slow(s, 2, 500);
    put_all(s, 2, 0, &a);
    sim_join(s, 0);
    cut_pair(s, 2, 3);
    sim_run(s, 15000000);
    check_acked(s, &a);
    sim_destroy(s);
}

/* Groups go from the third node to the fourth. The second is asked for a copy before it has the
 * ring that this is for: what it takes under the old ring afterwards would not be in the copy. */
static void a_copy_is_made_of_replicas_that_refuse_the_older_ring(void **state)
{
    struct sim *s = members(2, 4);
    struct nwr_node_event ev = {.kind = NWR_EV_RESHAPE};
    struct answers a;

    (void)state;
    cut_pair(s, 2, 3);
    kit_notice(s);
    ev.reshape.kind = NWR_RESHAPE_WEIGHT;
    ev.reshape.ordinal = nwr_node_ordinal(s->node[2].node);
    ev.reshape.value = 1;
    sim_event(s, 0, &ev);
    while (!sim_ring(s, 0)->joint)
        sim_run(s, 50);
    slow(s, 1, 300);
    slow(s, 2, 100);
    put_all(s, 2, 0, &a);
    sim_run(s, 50000);
    slow(s, 2, 1000); /* it learns of the ring late */
    sim_run(s, 15000000);
    check_acked(s, &a);
    sim_destroy(s);
}

/* Three members, of which the first has missed what was written. */
static struct sim *one_missed_all(uint64_t seed, struct answers *a)
{
    struct sim *s = sim_create(seed);

    s->only_asked = true;
    s->hint_bytes = 1;
    sim_members(s, 3, GROUPS, 3, 2, 2);
    kit_isolate(s, 0, true);
    kit_notice(s);
    put_all(s, 1, 0, a);
    sim_run(s, 1000000);
    kit_isolate(s, 0, false);
    kit_notice(s);
    return s;
}

/* Who joins reaches only one replica at first, which has missed a write. */
static void a_copy_is_of_enough_replicas_to_meet_every_write(void **state)
{
    struct answers a;
    struct sim *s = one_missed_all(4, &a);

    (void)state;
    sim_crash(s, 2, false); /* or it would hand over what leaves it */
    sim_join(s, 0);
    cut_pair(s, 3, 1);
    sim_run(s, 5000000);
    memset(s->cut, 0, sizeof(s->cut));
    for (int i = 0; i < 300 && !s->node[3].joined; i++)
        sim_run(s, 100000);
    check_acked(s, &a);
    sim_destroy(s);
}

/* A directory was content with one, which now leaves the volume and answers last. */
static void a_copy_is_of_all_replicas_that_are_there(void **state)
{
    struct sim *s = sim_create(5);
    struct answers a;

    (void)state;
    s->only_asked = true;
    s->hint_bytes = 1;
    sim_members(s, 4, GROUPS, 3, 2, 2);
    kit_isolate(s, 2, true);
    kit_notice(s);
    put_all(s, 2, 1, &a);
    sim_run(s, 11000000);
    kit_isolate(s, 2, false);
    kit_notice(s);
    slow(s, 2, 500);
    kit_remove_member(s, 0, 2);
    sim_run(s, 15000000);
    assert_true(s->node[2].removed);
    check_acked(s, &a);
    sim_destroy(s);
}

/* The first has missed the writes, and what the fourth copies from the others. The fourth loses its
 * power as soon as they settle the ring, before it hears of that. */
static void what_was_copied_survives_power_loss_before_the_ring_settles_there(void **state)
{
    struct answers a;
    struct sim *s = one_missed_all(7, &a);

    (void)state;
    sim_join(s, 1);
    cut_pair(s, 0, 3);
    while (!sim_ring(s, 1)->joint)
        sim_run(s, 50);
    while (sim_ring(s, 1)->joint)
        sim_run(s, 50);
    assert_true(sim_ring(s, 3)->joint);
    sim_crash(s, 3, true);
    sim_crash(s, 2, false); /* or it would hand over what leaves it */
    memset(s->cut, 0, sizeof(s->cut));
    sim_restart(s, 3);
    kit_notice(s);
    check_acked(s, &a);
    sim_destroy(s);
}

static void who_has_not_copied_a_group_yet_judges_no_guard(void **state)
{
    struct sim *s = sim_create(8);
    struct nwr_node_event ev = {.kind = NWR_EV_RESHAPE, .reshape.kind = NWR_RESHAPE_WEIGHT};
    struct nwr_key key = kit_key(0, 1);
    struct nwr_request *req = kit_put(&key, "who saw nothing", 2, NULL);
    struct nwr_guard *g = nwr_request_guard(req);
    int l[4];

    (void)state;
    g->kind = NWR_GUARD_SEEN;
    g->key = key;
    s->only_asked = true;
    s->hint_bytes = 1;
    sim_members(s, 4, 1, 3, 2, 2);
    kit_list(s, 0, l, 4);
    kit_write(s, l[0], &key, "there", 1, NULL);
    ev.reshape.ordinal = nwr_node_ordinal(s->node[l[2]].node);
    ev.reshape.value = 1;
    slow(s, l[3], 1000);
    sim_event(s, l[0], &ev);
    for (int i = 0; i < 100000 && !sim_ring(s, l[3])->joint; i++)
        sim_run(s, 50);
    assert_true(nwr_ring_gains(sim_ring(s, l[3]), 0, nwr_node_ordinal(s->node[l[3]].node)));
    assert_string_equal(kit_stored_text(s, l[3], &key), "");
    assert_int_equal(kit_ask_err(s, l[3], req), NWR_E_SUPERSEDED);
    sim_destroy(s);
}

/* The replicas of pg when there are three of each group, the one there is first, and the node that
 * is none of them. */
static void list_of_three(struct sim *s, nwr_pg pg, int l[4])
{
    struct nwr_ring ring;
    uint16_t place[NWR_REPLICAS_MAX];

    nwr_ring_copy(&ring, sim_ring(s, 0));
    ring.n = 3;
    assert_int_equal(nwr_ring_place(&ring, pg, place), 3);
    for (int i = 0; i < 3; i++)
        l[i] = sim_of_ordinal(s, place[i]);
    l[3] = 0 + 1 + 2 + 3 - l[0] - l[1] - l[2];
    nwr_ring_deinit(&ring);
}

/* N goes from one to three. The write is at the only old replica, and the new ones do not get it:
 * so it may be shown only if R of the new list show it too. */
static void what_was_read_while_the_ring_is_joint_does_not_vanish(void **state)
{
    struct sim *s = sim_create(3);
    struct nwr_node_event ev = {.kind = NWR_EV_RESHAPE};
    struct nwr_key key = kit_key(5, 1);
    struct nwr_response res;
    bool shown;
    int l[4];

    (void)state;
    s->only_asked = true;
    s->hint_bytes = 1;
    sim_members(s, 4, GROUPS, 1, 0, 0);
    list_of_three(s, 5, l);
    kit_isolate(s, l[3], true); /* it does not copy what it gains, so the ring stays joint */
    kit_notice(s);
    ev.reshape.kind = NWR_RESHAPE_N;
    ev.reshape.value = 3;
    sim_event(s, l[1], &ev);
    sim_run(s, 5000000);
    assert_true(sim_ring(s, l[0])->joint);
    cut_pair(s, l[0], l[1]);
    cut_pair(s, l[0], l[2]);
    assert_int_not_equal(kit_ask_err(s, l[0], kit_put(&key, "in doubt", 9, NULL)), NWR_OK);
    res = sim_ask(s, l[0], kit_get(&key));
    shown = res.err == NWR_OK && res.rows.n;
    nwr_response_deinit(&res);
    kit_isolate(s, l[3], false);
    for (int i = 0; i < 600 && sim_ring(s, l[1])->joint; i++)
        sim_run(s, 100000);
    assert_false(sim_ring(s, l[1])->joint);
    sim_crash(s, l[0], false);
    kit_notice(s);
    if (shown)
        assert_string_equal(kit_read_text(s, l[1], &key), "in doubt");
    sim_destroy(s);
}

/* What went wrong once (seed 10349): this node had forwarded a write, then got the group itself,
 * and said that it had sent nothing when it could not coordinate what another may have done. */
static void a_write_that_comes_back_to_its_node_is_in_doubt(void **state)
{
    struct sim *s = sim_create(6);
    struct nwr_node_event ev = {.kind = NWR_EV_RESHAPE};
    struct nwr_key key = kit_key(0, 1);
    struct nwr_request *req = kit_put(&key, "done there", 9, NULL);
    struct outcome o = {0};
    int l[4];

    (void)state;
    s->only_asked = true;
    s->hint_bytes = 1;
    sim_members(s, 4, 1, 3, 2, 2);
    kit_list(s, 0, l, 4);
    cut_pair(s, l[0], l[1]);
    cut_pair(s, l[0], l[2]);
    req->w = 3;
    req->user = &o;
    sim_submit(s, l[3], req, on_one);
    ev.reshape.kind = NWR_RESHAPE_WEIGHT;
    ev.reshape.ordinal = nwr_node_ordinal(s->node[l[2]].node);
    ev.reshape.value = 1;
    sim_event(s, l[1], &ev);
    for (int i = 0; i < 500 && !(kit_holds(s, l[3], 0) && !sim_ring(s, l[3])->joint); i++)
        sim_run(s, 10000);
    assert_true(kit_holds(s, l[3], 0) && !o.done);
    kit_isolate(s, l[3], true);
    sim_run(s, 12000000);
    assert_true(o.done);
    assert_int_equal(o.err, NWR_E_TIMEDOUT);
    assert_string_equal(kit_stored_text(s, l[0], &key), "done there");
    sim_destroy(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_write_begun_under_an_older_ring_counts_by_the_new_one),
        cmocka_unit_test(a_copy_is_made_of_replicas_that_refuse_the_older_ring),
        cmocka_unit_test(a_copy_is_of_enough_replicas_to_meet_every_write),
        cmocka_unit_test(a_copy_is_of_all_replicas_that_are_there),
        cmocka_unit_test(what_was_copied_survives_power_loss_before_the_ring_settles_there),
        cmocka_unit_test(who_has_not_copied_a_group_yet_judges_no_guard),
        cmocka_unit_test(what_was_read_while_the_ring_is_joint_does_not_vanish),
        cmocka_unit_test(a_write_that_comes_back_to_its_node_is_in_doubt),
    };

    return cmocka_run_group_tests_name("joint", tests, NULL, NULL);
}
