/* dvv_history_test.c -- the record does in every history what sets of events do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/lib/history.h"

enum {
    HISTORIES = 30000
};

static void assert_same(const struct nwr_record *a, const struct nwr_record *b)
{
    struct nwr_out x = {0}, y = {0};

    nwr_record_encode(a, &x);
    nwr_record_encode(b, &y);
    assert_int_equal(x.len, y.len);
    assert_memory_equal(x.data, y.data, x.len);
    assert_int_equal(nwr_record_digest(a), nwr_record_digest(b));
    nwr_out_free(&x);
    nwr_out_free(&y);
}

static struct nwr_record merged(const struct nwr_record *a, const struct nwr_record *b)
{
    struct nwr_record m;

    nwr_record_copy(&m, a);
    nwr_record_sync(&m, b);
    return m;
}

static const struct nwr_record *pick_state(struct world *w)
{
    unsigned i = history_pick(w, 2 * NODES + w->npackets);

    if (i < NODES)
        return &w->node[i].mem;
    return i < 2 * NODES ? &w->node[i - NODES].disk : &w->packet[i - 2 * NODES].rec;
}

static void assert_merge_is_a_join(struct world *w)
{
    const struct nwr_record *a = pick_state(w);
    const struct nwr_record *b = pick_state(w);
    const struct nwr_record *c = pick_state(w);
    struct nwr_record ab = merged(a, b), ba = merged(b, a), bc = merged(b, c);
    struct nwr_record ab_c = merged(&ab, c), a_bc = merged(a, &bc);

    assert_same(&ab, &ba);
    assert_same(&ab_c, &a_bc);
    assert_false(nwr_record_sync(&ab, b));
    assert_same(&ab, &ba);
    assert_false(nwr_record_sync(&ab_c, &bc));
    nwr_record_deinit(&ab);
    nwr_record_deinit(&ba);
    nwr_record_deinit(&bc);
    nwr_record_deinit(&ab_c);
    nwr_record_deinit(&a_bc);
}

static void assert_bytes_round_trip(const struct nwr_record *r)
{
    struct nwr_out o = {0};
    struct nwr_record back;

    nwr_record_encode(r, &o);
    assert_int_equal(nwr_record_decode(&back, o.data, o.len), NWR_OK);
    assert_same(&back, r);
    nwr_out_free(&o);
    nwr_record_deinit(&back);
}

static const struct rules real = {
    .put = nwr_record_put, .merge = nwr_record_sync, .absorb = nwr_record_sync};

static void assert_right(const struct world *w, unsigned seed)
{
    if (w->wrong)
        fail_msg("seed %u: a version was %s", seed, wrong_name(w->wrong));
}

static void no_version_is_lost_returned_or_invented_in_30000_histories(void **state)
{
    static struct world w;

    (void)state;
    for (unsigned seed = 1; seed <= HISTORIES; seed++) {
        run_history(&w, &real, seed);
        assert_right(&w, seed);
        heal_history(&w);
        assert_right(&w, seed);
        assert_same(&w.node[0].mem, &w.node[1].mem);
        assert_same(&w.node[0].mem, &w.node[2].mem);
        world_deinit(&w);
    }
    /* The histories do hold what they are for. */
    print_message(
        "# lagging %u, retried %u, reverted %u, equal content removed in part %u, deltas %u, "
        "containers %u\n",
        w.counts.lagging, w.counts.retried, w.counts.reverted, w.counts.equal_removed,
        w.counts.deltas, w.counts.wholes);
    assert_true(w.counts.lagging > HISTORIES / 4 && w.counts.retried > HISTORIES);
    assert_true(w.counts.reverted > HISTORIES / 10 && w.counts.equal_removed > HISTORIES / 20);
    assert_true(w.counts.deltas > HISTORIES && w.counts.wholes > HISTORIES);
}

static void merge_is_commutative_associative_and_idempotent(void **state)
{
    static struct world w;

    (void)state;
    for (unsigned seed = 1; seed <= HISTORIES; seed++) {
        run_history(&w, &real, HISTORIES + seed);
        assert_merge_is_a_join(&w);
        assert_bytes_round_trip(pick_state(&w));
        world_deinit(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_version_is_lost_returned_or_invented_in_30000_histories),
        cmocka_unit_test(merge_is_commutative_associative_and_idempotent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
