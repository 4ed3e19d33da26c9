/* floor_test.c -- what a clock and a floor allow to forget, and what they must not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "net/core/floor.h"

#define A ((nwr_actor)1 << 32 | 11)
#define B ((nwr_actor)2 << 32 | 22)

static struct nwr_vv vv(uint64_t a, uint64_t b)
{
    struct nwr_vv v = {0};

    nwr_vv_raise(&v, (struct nwr_dot){A, a});
    nwr_vv_raise(&v, (struct nwr_dot){B, b});
    return v;
}

/* One write over what r holds. */
static void write(struct nwr_record *r, nwr_actor actor, uint64_t counter, uint8_t flags)
{
    struct nwr_version v = {.dot = {actor, counter}, .wid = actor ^ counter, .flags = flags};
    struct nwr_seen seen[8];
    uint32_t n = 0;

    for (; n < r->n; n++)
        seen[n] = (struct nwr_seen){r->v[n].dot, r->v[n].wid};
    nwr_record_put(r, &v, seen, n, NULL, 0, NULL);
}

static bool says_nothing(const struct nwr_record *r)
{
    return r->n + r->nretired + r->ctx.vv.n + r->ctx.dots.n == 0;
}

static void vectors_are_compared_entry_by_entry(void **state)
{
    struct nwr_vv low = vv(3, 1), high = vv(2, 5);

    (void)state;
    assert_false(nwr_vv_covers(&high, &low));
    assert_false(nwr_vv_covers(&low, &high));
    assert_true(nwr_vv_has(&low, (struct nwr_dot){A, 3}));
    assert_false(nwr_vv_has(&low, (struct nwr_dot){A, 4}));
    nwr_vv_least(&low, &high);
    assert_int_equal(nwr_vv_get(&low, A), 2);
    assert_int_equal(nwr_vv_get(&low, B), 1);
    assert_true(nwr_vv_covers(&high, &low));
    nwr_vv_deinit(&high);
    high = vv(0, 1);
    nwr_vv_least(&low, &high);
    assert_int_equal(low.n, 1);
    nwr_vv_deinit(&low);
    nwr_vv_deinit(&high);
}

static void the_hash_tells_a_clock_from_a_floor(void **state)
{
    struct nwr_vv some = vv(1, 2), none = {0};

    (void)state;
    assert_int_equal(nwr_floor_hash(&none, &none), 0);
    assert_true(nwr_floor_hash(&some, &none) != nwr_floor_hash(&none, &some));
    assert_true(nwr_floor_hash(&some, &none) != nwr_floor_hash(&some, &some));
    nwr_vv_deinit(&some);
}

static void what_was_written_is_read_back_and_no_nonsense_is(void **state)
{
    struct nwr_vv some = vv(7, 1u << 20), back;
    struct nwr_out o = {0};
    struct nwr_in in;

    (void)state;
    nwr_vv_encode(&some, &o);
    in = nwr_in_of(o.data, o.len);
    assert_true(nwr_vv_decode(&back, &in));
    assert_true(nwr_vv_covers(&back, &some) && nwr_vv_covers(&some, &back));
    nwr_vv_deinit(&back);
    for (size_t cut = 0; cut < o.len; cut++) {
        in = nwr_in_of(o.data, cut);
        assert_false(nwr_vv_decode(&back, &in));
        assert_int_equal(back.n, 0);
    }
    o.data[1] = 0xff; /* the first actor is now the greater one */
    o.data[8] = 0xff;
    in = nwr_in_of(o.data, o.len);
    assert_false(nwr_vv_decode(&back, &in));
    nwr_out_free(&o);
    nwr_vv_deinit(&some);
}

static void a_tombstone_goes_when_all_of_its_context_is_below(void **state)
{
    struct nwr_record r = {0};
    struct nwr_vv short_of_it = vv(1, 0), floor = vv(2, 0);

    (void)state;
    write(&r, A, 1, NWR_V_ONCE);
    write(&r, A, 2, NWR_V_TOMBSTONE | NWR_V_ONCE);
    assert_false(nwr_record_fold(&r, &short_of_it));
    assert_int_equal(r.n, 1);
    assert_true(nwr_record_fold(&r, &floor));
    assert_true(says_nothing(&r));
    nwr_record_deinit(&r);
    nwr_vv_deinit(&short_of_it);
    nwr_vv_deinit(&floor);
}

static void write_ids_stay_retired(void **state)
{
    struct nwr_record r = {0};
    struct nwr_vv floor = vv(2, 0);

    (void)state;
    write(&r, A, 1, 0); /* may have a second dot */
    write(&r, A, 2, NWR_V_TOMBSTONE | NWR_V_ONCE);
    assert_true(nwr_record_fold(&r, &floor));
    assert_int_equal(r.n, 0);
    assert_int_equal(r.nretired, 1);
    assert_false(nwr_record_fold(&r, &floor));
    nwr_record_deinit(&r);
    nwr_vv_deinit(&floor);
}

static void a_context_folds_to_what_is_there(void **state)
{
    struct nwr_record r = {0};
    struct nwr_vv floor = vv(1000, 1000), below = vv(1000, 999);

    (void)state;
    for (uint64_t i = 1; i <= 1000; i++)
        write(&r, i % 2 ? A : B, i, NWR_V_ONCE);
    assert_false(nwr_record_fold(&r, &below));
    assert_true(nwr_record_fold(&r, &floor));
    assert_int_equal(r.n, 1);
    assert_int_equal(r.ctx.vv.n, 0);
    assert_int_equal(r.ctx.dots.n, 1);
    nwr_record_check(&r);
    assert_false(nwr_record_fold(&r, &floor));
    nwr_record_deinit(&r);
    nwr_vv_deinit(&floor);
    nwr_vv_deinit(&below);
}

static void a_late_copy_meets_the_floor_and_is_dropped(void **state)
{
    struct nwr_record here = {0}, late = {0};
    struct nwr_vv floor = vv(2, 0);

    (void)state;
    write(&late, A, 1, NWR_V_ONCE);
    nwr_record_sync_under(&here, &floor, &late, NULL);
    assert_int_equal(here.n, 0);
    nwr_record_fold(&here, &floor);
    assert_true(says_nothing(&here));
    nwr_record_deinit(&here);
    nwr_record_deinit(&late);
    nwr_vv_deinit(&floor);
}

static void what_is_above_the_floor_or_here_already_is_taken(void **state)
{
    struct nwr_record here = {0}, other = {0};
    struct nwr_vv floor = vv(1, 0);

    (void)state;
    write(&here, A, 1, NWR_V_ONCE);
    nwr_record_sync(&other, &here);
    nwr_record_fold(&here, &floor);
    write(&other, A, 2, NWR_V_ONCE);
    nwr_record_sync_under(&here, &floor, &other, NULL);
    assert_int_equal(here.n, 1);
    assert_int_equal(here.v[0].dot.counter, 2);
    nwr_record_deinit(&here);
    nwr_record_deinit(&other);
    nwr_vv_deinit(&floor);
}

static void whoever_is_behind_takes_the_absences_of_a_floor(void **state)
{
    struct nwr_record old = {0}, nothing = {0};
    struct nwr_vv floor = vv(2, 0);

    (void)state;
    write(&old, A, 1, NWR_V_ONCE);
    write(&old, B, 1, NWR_V_ONCE);
    assert_true(nwr_record_any_below(&old, &floor) == false);
    nwr_record_deinit(&old);
    write(&old, A, 1, NWR_V_ONCE);
    assert_true(nwr_record_any_below(&old, &floor));
    assert_true(nwr_record_sync_under(&old, NULL, &nothing, &floor));
    assert_int_equal(old.n, 0);
    nwr_record_deinit(&old);
    nwr_vv_deinit(&floor);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_are_compared_entry_by_entry),
        cmocka_unit_test(the_hash_tells_a_clock_from_a_floor),
        cmocka_unit_test(what_was_written_is_read_back_and_no_nonsense_is),
        cmocka_unit_test(a_tombstone_goes_when_all_of_its_context_is_below),
        cmocka_unit_test(write_ids_stay_retired),
        cmocka_unit_test(a_context_folds_to_what_is_there),
        cmocka_unit_test(a_late_copy_meets_the_floor_and_is_dropped),
        cmocka_unit_test(what_is_above_the_floor_or_here_already_is_taken),
        cmocka_unit_test(whoever_is_behind_takes_the_absences_of_a_floor),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
