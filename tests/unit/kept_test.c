/* kept_test.c -- kept ancestors of one record: which bases a write names, what goes and stays in
 * put and merge, and the bytes. Histories are in tests/sim/ancestor_test.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "net/core/ancestor.h"
#include "net/core/digest.h"
#include "net/core/floor.h"

#define A ((nwr_actor)1 << 32 | 11)
#define B ((nwr_actor)2 << 32 | 22)
#define DOT(a, c) ((struct nwr_dot){a, c})

static const struct nwr_vv nothing;

/* Over all that r holds, as a coordinator writes. */
static void write(struct nwr_record *r, struct nwr_dot dot, const struct nwr_vv *floor)
{
    struct nwr_version v = {
        .dot = dot, .wid = dot.actor ^ dot.counter, .flags = NWR_V_ONCE, .hlc = dot.counter};
    struct nwr_seen seen[8];
    uint32_t n = 0;

    for (; n < r->n; n++)
        seen[n] = (struct nwr_seen){r->v[n].dot, r->v[n].wid};
    nwr_bases_give(&v, r, seen, n, floor);
    nwr_record_put(r, &v, seen, n, NULL, 0, NULL);
    nwr_record_check(r);
}

static void assert_bases(const struct nwr_version *v, uint8_t n, struct nwr_dot first,
                         struct nwr_dot second)
{
    assert_int_equal(v->nbase, n);
    if (n > 0)
        assert_true(nwr_dot_cmp(v->base[0], first) == 0);
    if (n > 1)
        assert_true(nwr_dot_cmp(v->base[1], second) == 0);
}

static void the_first_version_has_no_base_and_the_next_has_the_first(void **state)
{
    struct nwr_record r = {0};

    (void)state;
    write(&r, DOT(A, 1), &nothing);
    assert_bases(&r.v[0], 0, DOT(0, 0), DOT(0, 0));
    write(&r, DOT(A, 2), &nothing);
    assert_bases(&r.v[0], 1, DOT(A, 1), DOT(0, 0));
    assert_int_equal(r.nkept, 1);
    nwr_record_deinit(&r);
}

static void bases_go_on_until_the_version_is_settled(void **state)
{
    struct nwr_record r = {0};
    struct nwr_vv floor = {0};

    (void)state;
    for (uint64_t i = 1; i <= 100; i++)
        write(&r, DOT(A, i), &nothing);
    assert_bases(&r.v[0], 1, DOT(A, 1), DOT(0, 0));
    nwr_vv_raise(&floor, DOT(A, 100));
    write(&r, DOT(B, 1), &floor);
    assert_bases(&r.v[0], 2, DOT(A, 100), DOT(A, 1));
    assert_int_equal(r.nkept, 2);
    nwr_vv_deinit(&floor);
    nwr_record_deinit(&r);
}

static void a_write_over_two_siblings_has_the_bases_of_both(void **state)
{
    struct nwr_record a = {0}, b = {0};

    (void)state;
    write(&a, DOT(A, 1), &nothing);
    nwr_record_sync(&b, &a);
    write(&a, DOT(A, 2), &nothing);
    write(&b, DOT(B, 1), &nothing);
    nwr_record_sync(&a, &b);
    assert_int_equal(a.n, 2);
    write(&a, DOT(A, 3), &nothing);
    assert_bases(&a.v[0], 1, DOT(A, 1), DOT(0, 0));
    nwr_record_deinit(&a);
    nwr_record_deinit(&b);
}

static void what_is_not_here_is_a_base_all_the_same(void **state)
{
    struct nwr_version v = {.dot = DOT(A, 9)};
    struct nwr_seen seen[2] = {{DOT(0, 0), 44}, {DOT(B, 7), 5}};
    struct nwr_record r = {0};

    (void)state;
    nwr_bases_give(&v, &r, seen, 2, &nothing);
    assert_bases(&v, 1, DOT(B, 7), DOT(0, 0));
}

/* Two sides of one version. */
static void siblings(struct nwr_record *a, struct nwr_record *b)
{
    *a = *b = (struct nwr_record){0};
    write(a, DOT(A, 1), &nothing);
    nwr_record_sync(b, a);
    write(a, DOT(A, 2), &nothing);
    write(b, DOT(B, 1), &nothing);
}

static void siblings_show_their_base_whoever_merges_whom(void **state)
{
    struct nwr_record a, b, ab, ba;

    (void)state;
    siblings(&a, &b);
    nwr_record_copy(&ab, &a);
    nwr_record_copy(&ba, &b);
    assert_true(nwr_record_sync(&ab, &b));
    assert_true(nwr_record_sync(&ba, &a));
    assert_false(nwr_record_sync(&ab, &ba));
    assert_int_equal(ab.nkept, 1);
    assert_int_equal(ba.nkept, 1);
    assert_true(nwr_dot_cmp(nwr_record_base(&ab, &ab.v[0], &ab.v[1])->dot, DOT(A, 1)) == 0);
    assert_true(nwr_record_hash(&ab) == nwr_record_hash(&ba));
    nwr_record_deinit(&a);
    nwr_record_deinit(&b);
    nwr_record_deinit(&ab);
    nwr_record_deinit(&ba);
}

static void a_replica_without_the_base_differs_in_a_conflict_only(void **state)
{
    struct nwr_record a, b, without;

    (void)state;
    siblings(&a, &b);
    nwr_record_copy(&without, &a);
    assert_true(nwr_kept_give_up(&without));
    assert_true(nwr_record_hash(&without) == nwr_record_hash(&a));
    nwr_record_sync(&a, &b);
    assert_false(nwr_kept_give_up(&a));
    nwr_record_deinit(&without);
    nwr_record_copy(&without, &a);
    nwr_version_deinit(&without.kept[--without.nkept]);
    assert_false(nwr_record_hash(&without) == nwr_record_hash(&a));
    assert_null(nwr_record_base(&without, &without.v[0], &without.v[1]));
    assert_true(nwr_record_sync(&without, &a));
    assert_true(nwr_record_hash(&without) == nwr_record_hash(&a));
    nwr_record_deinit(&a);
    nwr_record_deinit(&b);
    nwr_record_deinit(&without);
}

static void an_end_of_the_conflict_and_a_removal_let_the_base_go(void **state)
{
    struct nwr_record a, b;
    struct nwr_vv floor = {0};
    struct nwr_seen seen;

    (void)state;
    siblings(&a, &b);
    nwr_record_sync(&a, &b);
    write(&a, DOT(A, 3), &nothing);
    nwr_vv_raise(&floor, DOT(A, 3));
    assert_true(nwr_kept_settle(&a, &floor));
    assert_int_equal(a.nkept, 0);
    assert_false(nwr_kept_settle(&a, &floor));
    seen = (struct nwr_seen){b.v[0].dot, b.v[0].wid};
    nwr_record_discard(&b, &seen, 1, NULL, 0);
    nwr_record_check(&b);
    assert_int_equal(b.n + b.nkept, 0);
    nwr_vv_deinit(&floor);
    nwr_record_deinit(&a);
    nwr_record_deinit(&b);
}

static void copies_of_one_write_are_no_conflict(void **state)
{
    struct nwr_version retry = {.dot = DOT(B, 1), .wid = 77, .nbase = 1, .base = {DOT(A, 1)}};
    struct nwr_version first = {.dot = DOT(A, 2), .wid = 77, .nbase = 1, .base = {DOT(A, 1)}};
    struct nwr_seen seen = {DOT(A, 1), 76};
    struct nwr_version begun = {.dot = DOT(A, 1), .wid = 76, .flags = NWR_V_ONCE};
    struct nwr_record a = {0}, b = {0};
    struct nwr_vv floor = {0};

    (void)state;
    nwr_record_put(&a, &begun, NULL, 0, NULL, 0, NULL);
    nwr_record_sync(&b, &a);
    nwr_record_put(&a, &first, &seen, 1, NULL, 0, NULL);
    nwr_record_put(&b, &retry, &seen, 1, NULL, 0, NULL);
    nwr_record_sync(&a, &b);
    assert_int_equal(a.n, 2);
    assert_int_equal(a.nkept, 1);
    assert_false(nwr_kept_counts(&a));
    nwr_vv_raise(&floor, DOT(A, 2));
    assert_false(nwr_kept_settle(&a, &floor));
    nwr_vv_raise(&floor, DOT(B, 1));
    assert_true(nwr_kept_settle(&a, &floor));
    assert_int_equal(a.nkept, 0);
    write(&a, DOT(A, 3), &floor);
    assert_int_equal(a.n, 1);
    assert_int_equal(a.v[0].nbase, 1);
    nwr_vv_deinit(&floor);
    nwr_record_deinit(&a);
    nwr_record_deinit(&b);
}

/* ---- bytes ----------------------------------------------------------------------------------- */

static struct nwr_out bytes(const struct nwr_record *r)
{
    struct nwr_out o = {0};

    nwr_record_encode(r, &o);
    return o;
}

static void bases_and_what_is_kept_come_back(void **state)
{
    struct nwr_record a, b, back;
    struct nwr_out o;

    (void)state;
    siblings(&a, &b);
    nwr_record_sync(&a, &b);
    o = bytes(&a);
    assert_int_equal(nwr_record_decode(&back, o.data, o.len), NWR_OK);
    nwr_record_check(&back);
    assert_int_equal(back.nkept, 1);
    assert_int_equal(back.kept[0].wid, a.kept[0].wid);
    for (uint32_t i = 0; i < 2; i++) {
        assert_bases(&back.v[i], 1, DOT(A, 1), DOT(0, 0));
        assert_int_equal(back.v[i].past.n, a.v[i].past.n);
        assert_memory_equal(back.v[i].past.e, a.v[i].past.e,
                            a.v[i].past.n * sizeof(struct nwr_dot));
    }
    assert_false(nwr_record_sync(&back, &a));
    nwr_record_deinit(&back);
    for (uint32_t len = 0; len < o.len; len++)
        assert_int_equal(nwr_record_decode(&back, o.data, len), NWR_E_FORMAT);
    nwr_out_free(&o);
    nwr_record_deinit(&a);
    nwr_record_deinit(&b);
}

static void what_no_version_names_is_refused(void **state)
{
    struct nwr_record a, b, back;
    struct nwr_out o;

    (void)state;
    siblings(&a, &b);
    a.v[0].nbase = 0;
    o = bytes(&a);
    assert_int_equal(nwr_record_decode(&back, o.data, o.len), NWR_E_FORMAT);
    nwr_out_free(&o);
    nwr_record_deinit(&a);
    nwr_record_deinit(&b);
}

/* What a file that was overwritten for years has on disk once its last version is everywhere. */
static void a_settled_record_takes_no_more_room_than_one_without_bases(void **state)
{
    struct nwr_record r = {0};
    struct nwr_vv floor = {0};
    struct nwr_out with, without;

    (void)state;
    for (uint64_t i = 1; i <= 1000; i++) {
        write(&r, DOT(i % 2 ? A : B, 300 + i), &floor);
        nwr_vv_raise(&floor, DOT(i % 2 ? A : B, 300 + i));
        nwr_record_fold(&r, &floor);
    }
    assert_int_equal(r.v[0].nbase, 2);
    assert_int_equal(r.nkept, 0);
    with = bytes(&r);
    r.v[0].nbase = 0;
    without = bytes(&r);
    print_message("# %u bytes with two bases, %u without\n", with.len, without.len);
    assert_true(with.len <= without.len);
    nwr_out_free(&with);
    nwr_out_free(&without);
    nwr_vv_deinit(&floor);
    nwr_record_deinit(&r);
}

static void a_record_without_bases_is_of_the_first_format(void **state)
{
    struct nwr_record r = {0};
    struct nwr_out o;

    (void)state;
    write(&r, DOT(A, 1), &nothing);
    o = bytes(&r);
    assert_int_equal(o.data[0], 1);
    nwr_out_free(&o);
    nwr_record_deinit(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_version_has_no_base_and_the_next_has_the_first),
        cmocka_unit_test(bases_go_on_until_the_version_is_settled),
        cmocka_unit_test(a_write_over_two_siblings_has_the_bases_of_both),
        cmocka_unit_test(what_is_not_here_is_a_base_all_the_same),
        cmocka_unit_test(siblings_show_their_base_whoever_merges_whom),
        cmocka_unit_test(a_replica_without_the_base_differs_in_a_conflict_only),
        cmocka_unit_test(an_end_of_the_conflict_and_a_removal_let_the_base_go),
        cmocka_unit_test(copies_of_one_write_are_no_conflict),
        cmocka_unit_test(bases_and_what_is_kept_come_back),
        cmocka_unit_test(what_no_version_names_is_refused),
        cmocka_unit_test(a_settled_record_takes_no_more_room_than_one_without_bases),
        cmocka_unit_test(a_record_without_bases_is_of_the_first_format),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
