/* decide_test.c -- of each epoch there is one ring, and what the ring says is kept (DESIGN 6).
 *
 * Members propose at once, are cut off, or lose their power while they decide. rules.sh switches
 * off what keeps them from deciding twice.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/sim/sim_kit.h"

enum {
    EPOCHS = 64,
    STEP_US = 200,
    SEEDS = 40
};

/* The ring of each epoch, as it was seen first. */
struct rings {
    struct nwr_blob *of[EPOCHS];
};

static struct nwr_blob *blob_of(const struct nwr_ring *r)
{
    struct nwr_out o = {0};

    nwr_ring_encode(r, &o);
    return nwr_out_blob(&o);
}

static void note_ring(struct rings *seen, const struct nwr_ring *r)
{
    struct nwr_blob *b = blob_of(r), **of = &seen->of[r->epoch];

    assert_true(r->epoch < EPOCHS);
    if (!*of)
        *of = nwr_blob_ref(b);
    assert_int_equal(b->len, (*of)->len);
    assert_memory_equal(b->data, (*of)->data, b->len);
    nwr_blob_unref(b);
}

/* Runs, and looks at what rings there are. */
static void watch(struct sim *s, struct rings *seen, sim_us us)
{
    for (sim_us end = s->now + us; s->now < end; sim_run(s, STEP_US))
        for (int i = 0; i < s->nnode; i++)
            if (s->node[i].alive)
                note_ring(seen, sim_ring(s, i));
}

static void forget(struct rings *seen)
{
    for (int i = 0; i < EPOCHS; i++)
        nwr_blob_unref(seen->of[i]);
    *seen = (struct rings){0};
}

/* Node `at` proposes that `node` has this weight. */
static void weigh(struct sim *s, int at, int node, uint32_t weight)
{
    struct nwr_node_event ev = {.kind = NWR_EV_RESHAPE};

    ev.reshape.kind = NWR_RESHAPE_WEIGHT;
    ev.reshape.ordinal = nwr_node_ordinal(s->node[node].node);
    ev.reshape.value = weight;
    sim_event(s, at, &ev);
}

static void cut_pair(struct sim *s, int a, int b)
{
    sim_cut(s, a, b, true);
    sim_cut(s, b, a, true);
}

static void two_that_propose_at_once_decide_one_ring(void **state)
{
    struct rings seen = {0};

    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct sim *s = kit_three_by_reads(seed, 2, 2);

        s->faults.delay = 50000;
        weigh(s, 0, 0, 300);
        weigh(s, 1, 1, 400);
        watch(s, &seen, 3000000);
        assert_true(sim_ring(s, 2)->epoch > 5);
        sim_destroy(s);
        forget(&seen);
    }
}

/* The first and the second have decided, and only the first knows. The second loses its power. */
static void what_was_decided_is_what_the_next_who_proposes_finds(void **state)
{
    struct sim *s = kit_three_by_reads(2, 2, 2);
    struct rings seen = {0};
    uint64_t before = sim_ring(s, 0)->epoch;

    (void)state;
    cut_pair(s, 0, 2);
    kit_notice(s);
    weigh(s, 0, 0, 300);
    while (!sim_ring(s, 0)->joint)
        sim_run(s, 10);
    note_ring(&seen, sim_ring(s, 0));
    sim_crash(s, 1, true);
    kit_isolate(s, 0, true);
    sim_restart(s, 1);
    kit_notice(s);
    assert_int_equal(sim_ring(s, 1)->epoch, before);
    assert_int_equal(sim_ring(s, 2)->epoch, before);
    weigh(s, 2, 2, 400);
    watch(s, &seen, 10000000);
    assert_true(sim_ring(s, 2)->epoch > before);
    sim_destroy(s);
    forget(&seen);
}

/* The third has proposed and is cut off; the others go on by two rings, and it hears of its
 * register before it hears of them. */
static void who_proposes_what_was_decided_long_ago_gets_nothing(void **state)
{
    struct rings seen = {0};

    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct sim *s = kit_three_by_reads(seed, 2, 2);
        uint64_t before = sim_ring(s, 0)->epoch;

        kit_isolate(s, 2, true);
        weigh(s, 2, 2, 400);
        weigh(s, 0, 0, 300);
        watch(s, &seen, 4000000);
        assert_int_equal(sim_ring(s, 0)->epoch, before + 2);
        assert_int_equal(sim_ring(s, 2)->epoch, before);
        memset(s->cut, 0, sizeof(s->cut));
        s->faults.loss = 20000;
        watch(s, &seen, 4000000);
        s->faults.loss = 0;
        watch(s, &seen, 20000000);
        assert_true(sim_ring(s, 2)->epoch >= before + 2);
        sim_destroy(s);
        forget(&seen);
    }
}

static bool all_have(struct sim *s, uint64_t epoch)
{
    for (int i = 0; i < s->nnode; i++)
        if (sim_ring(s, i)->epoch != epoch)
            return false;
    return true;
}

/* What tells of a ring is lost, and nobody asks for anything: gossip tells of it again. */
static void who_did_not_hear_of_a_ring_is_taught(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct sim *s = kit_three_by_reads(seed, 2, 2);

        weigh(s, 0, 0, 300);
        s->faults.loss = 30000;
        sim_run(s, 5000000);
        s->faults.loss = 0;
        sim_run(s, 10000000);
        assert_true(all_have(s, sim_ring(s, 0)->epoch));
        sim_destroy(s);
    }
}

static void a_node_that_joins_moves_only_what_it_takes_over(void **state)
{
    struct sim *s = sim_create(5);
    bool held[4][64];
    uint32_t taken = 0;
    int node;

    (void)state;
    sim_members(s, 4, 64, 3, 2, 2);
    for (int i = 0; i < 4; i++)
        for (nwr_pg pg = 0; pg < 64; pg++)
            held[i][pg] = kit_holds(s, i, pg);
    node = sim_join(s, 0);
    for (int i = 0; i < 200 && !s->node[node].joined; i++)
        sim_run(s, 100000);
    assert_true(s->node[node].joined);
    for (nwr_pg pg = 0; pg < 64; pg++) {
        taken += kit_holds(s, node, pg);
        for (int i = 0; i < 4; i++)
            assert_false(kit_holds(s, i, pg) && !held[i][pg]);
    }
    assert_true(taken > 0);
    sim_destroy(s);
}

static void where_members_are_fewer_than_n_a_majority_of_them_is_enough(void **state)
{
    struct sim *s = sim_create(6);
    struct nwr_key key = kit_key(2, 1);

    (void)state;
    sim_members(s, 3, 16, 5, 0, 0);
    sim_crash(s, 2, false);
    kit_notice(s);
    assert_int_equal(kit_ask_err(s, 0, kit_put(&key, "x", 1, NULL)), NWR_OK);
    assert_string_equal(kit_read_text(s, 1, &key), "x");
    sim_destroy(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_that_propose_at_once_decide_one_ring),
        cmocka_unit_test(what_was_decided_is_what_the_next_who_proposes_finds),
        cmocka_unit_test(who_proposes_what_was_decided_long_ago_gets_nothing),
        cmocka_unit_test(who_did_not_hear_of_a_ring_is_taught),
        cmocka_unit_test(a_node_that_joins_moves_only_what_it_takes_over),
        cmocka_unit_test(where_members_are_fewer_than_n_a_majority_of_them_is_enough),
    };

    return cmocka_run_group_tests_name("decide", tests, NULL, NULL);
}
