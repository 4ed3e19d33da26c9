/* dvv_test.c -- contexts and records, one behaviour a test; histories are in dvv_history_test.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "nwr/dvv.h"

#define ACTOR(ordinal, incarnation) ((nwr_actor)(ordinal) << 32 | (incarnation))
#define A ACTOR(1, 0x77)
#define B ACTOR(2, 0x11)
#define C ACTOR(3, 0x99)
#define DOT(a, c) ((struct nwr_dot){a, c})
#define NAMES(...)                                                                                 \
    (const struct nwr_seen[]){__VA_ARGS__}, NWR_COUNT(((const struct nwr_seen[]){__VA_ARGS__}))

static struct nwr_dot put(struct nwr_record *r, struct nwr_dot dot, nwr_wid wid,
                          const struct nwr_seen *seen, size_t nseen)
{
    struct nwr_version v = {.dot = dot, .wid = wid};
    struct nwr_dot got;

    nwr_record_put(r, &v, seen, (uint32_t)nseen, NULL, 0, &got);
    nwr_record_check(r);
    return got;
}

static bool sync(struct nwr_record *dst, const struct nwr_record *src)
{
    bool changed = nwr_record_sync(dst, src);

    nwr_record_check(dst);
    return changed;
}

/* What a coordinator may send instead of its record: the write and what it names, exact dots. */
static void make_delta(struct nwr_record *delta, const struct nwr_record *from, struct nwr_dot dot,
                       const struct nwr_seen *seen, size_t nseen)
{
    *delta = (struct nwr_record){0};
    nwr_record_discard(delta, seen, (uint32_t)nseen, NULL, 0);
    nwr_ctx_add(&delta->ctx, dot);
    delta->v = nwr_alloc(sizeof(*delta->v));
    delta->n = delta->cap = 1;
    nwr_version_copy(delta->v, nwr_record_find(from, dot));
    nwr_record_check(delta);
}

static bool same_dot(struct nwr_dot a, struct nwr_dot b)
{
    return nwr_dot_cmp(a, b) == 0;
}

static bool has(const struct nwr_record *r, struct nwr_dot d)
{
    return nwr_record_find(r, d) != NULL;
}

static void assert_clock(const struct nwr_record *r, struct nwr_dot d, const char *text)
{
    char *got;

    assert_non_null(nwr_record_find(r, d));
    got = nwr_vv_text(&nwr_record_find(r, d)->past);
    assert_string_equal(got, text);
    nwr_free(got);
}

/* ---- writes -------------------------------------------------------------------------------- */

static void d1_to_d4_sequence_of_the_paper(void **state)
{
    struct nwr_record a = {0}, b = {0}, c = {0};

    (void)state;
    put(&a, DOT(A, 1), 101, NULL, 0);
    assert_clock(&a, DOT(A, 1), "1,1");
    put(&a, DOT(A, 2), 102, NAMES({DOT(A, 1), 101}));
    assert_int_equal(a.n, 1);
    assert_clock(&a, DOT(A, 2), "1,2");

    sync(&b, &a);
    sync(&c, &a);
    put(&b, DOT(B, 1), 103, NAMES({DOT(A, 2), 102}));
    put(&c, DOT(C, 1), 104, NAMES({DOT(A, 2), 102}));
    assert_clock(&b, DOT(B, 1), "1,2;2,1");
    assert_clock(&c, DOT(C, 1), "1,2;3,1");
    assert_true(has(&a, DOT(A, 2)));

    sync(&a, &b);
    sync(&a, &c);
    assert_int_equal(a.n, 2);
    assert_false(has(&a, DOT(A, 2)));
    assert_clock(&a, DOT(B, 1), "1,2;2,1");
    assert_clock(&a, DOT(C, 1), "1,2;3,1");
    nwr_record_deinit(&a);
    nwr_record_deinit(&b);
    nwr_record_deinit(&c);
}

static void write_removes_only_what_it_names(void **state)
{
    struct nwr_record r = {0};

    (void)state;
    put(&r, DOT(A, 1), 101, NULL, 0);
    put(&r, DOT(A, 2), 102, NULL, 0);
    put(&r, DOT(A, 3), 103, NAMES({DOT(A, 1), 101}));
    assert_int_equal(r.n, 2);
    assert_true(has(&r, DOT(A, 2)) && has(&r, DOT(A, 3)));
    nwr_record_deinit(&r);
}

/* B lacks (A,2) and (A,3) and is told to replace (A,3): (A,2) must survive the meeting. */
static void lagging_coordinator_keeps_what_was_not_named(void **state)
{
    struct nwr_record a = {0}, b = {0};

    (void)state;
    put(&a, DOT(A, 2), 102, NULL, 0);
    put(&a, DOT(A, 3), 103, NULL, 0);
    put(&b, DOT(B, 1), 104, NAMES({DOT(A, 3), 103}));
    assert_int_equal(nwr_vv_get(&b.ctx.vv, A), 0);
    sync(&b, &a);
    assert_int_equal(b.n, 2);
    assert_true(has(&b, DOT(A, 2)) && has(&b, DOT(B, 1)));
    nwr_record_deinit(&a);
    nwr_record_deinit(&b);
}

static void late_arrival_of_a_replaced_version_is_dropped(void **state)
{
    struct nwr_record a = {0}, b = {0};

    (void)state;
    put(&a, DOT(A, 1), 0, NULL, 0);
    put(&b, DOT(B, 1), 0, NAMES({DOT(A, 1), 0}));
    sync(&b, &a);
    assert_int_equal(b.n, 1);
    assert_true(has(&b, DOT(B, 1)));
    sync(&a, &b);
    assert_false(has(&a, DOT(A, 1)));
    nwr_record_deinit(&a);
    nwr_record_deinit(&b);
}

static void past_is_what_the_writer_and_the_replaced_had_seen(void **state)
{
    struct nwr_record r = {0};
    struct nwr_version v = {.dot = {C, 4}, .wid = 9};

    (void)state;
    put(&r, DOT(A, 1), 101, NULL, 0);
    put(&r, DOT(B, 5), 102, NAMES({DOT(A, 1), 101}));
    nwr_vv_raise(&v.past, DOT(ACTOR(7, 1), 3));
    nwr_record_put(&r, &v, NAMES({DOT(B, 5), 102}, {DOT(A, 2), 55}), NULL, 0, NULL);
    assert_clock(&r, DOT(C, 4), "1,2;2,5;3,4;7,3");
    nwr_version_deinit(&v);
    nwr_record_deinit(&r);
}

static void removal_leaves_a_record_that_forbids(void **state)
{
    struct nwr_record a = {0}, b = {0};

    (void)state;
    put(&a, DOT(A, 1), 0, NULL, 0);
    sync(&b, &a);
    nwr_record_discard(&a, NAMES({DOT(A, 1), 0}), NULL, 0);
    nwr_record_check(&a);
    assert_int_equal(a.n, 0);
    sync(&a, &b);
    assert_int_equal(a.n, 0);
    sync(&b, &a);
    assert_int_equal(b.n, 0);
    nwr_record_deinit(&a);
    nwr_record_deinit(&b);
}

/* ---- write_ids ----------------------------------------------------------------------------- */

static void retry_at_the_same_node_returns_the_first_dot(void **state)
{
    struct nwr_record r = {0};

    (void)state;
    put(&r, DOT(A, 1), 101, NULL, 0);
    assert_true(same_dot(put(&r, DOT(A, 2), 101, NULL, 0), DOT(A, 1)));
    assert_int_equal(r.n, 1);
    assert_true(same_dot(put(&r, DOT(A, 3), 102, NULL, 0), DOT(A, 3)));
    nwr_record_deinit(&r);
}

static void retry_still_removes_what_it_names(void **state)
{
    struct nwr_record r = {0};

    (void)state;
    put(&r, DOT(B, 1), 102, NULL, 0);
    put(&r, DOT(B, 2), 101, NULL, 0);
    assert_true(same_dot(put(&r, DOT(B, 3), 101, NAMES({DOT(B, 1), 102})), DOT(B, 2)));
    assert_int_equal(r.n, 1);
    nwr_record_deinit(&r);
}

static void retry_of_a_removed_write_is_not_added(void **state)
{
    struct nwr_record r = {0};

    (void)state;
    put(&r, DOT(A, 1), 101, NULL, 0);
    nwr_record_discard(&r, NAMES({DOT(A, 1), 101}), NULL, 0);
    assert_true(same_dot(put(&r, DOT(A, 2), 101, NULL, 0), DOT(A, 2)));
    assert_int_equal(r.n, 0);
    assert_true(nwr_ctx_has(&r.ctx, DOT(A, 2)));
    nwr_record_deinit(&r);
}

/* The retry went to B, the removal saw only A's copy. */
static void copy_of_a_removed_write_is_dropped_by_merge(void **state)
{
    struct nwr_record a = {0}, b = {0};

    (void)state;
    put(&a, DOT(A, 1), 101, NULL, 0);
    put(&b, DOT(B, 1), 101, NULL, 0);
    put(&a, DOT(A, 2), 102, NAMES({DOT(A, 1), 101}));
    sync(&b, &a);
    assert_int_equal(b.n, 1);
    assert_true(has(&b, DOT(A, 2)));
    sync(&a, &b);
    assert_int_equal(a.n, 1);
    nwr_record_deinit(&a);
    nwr_record_deinit(&b);
}

static void seen_write_id_removes_a_copy_under_another_dot(void **state)
{
    struct nwr_record r = {0};

    (void)state;
    put(&r, DOT(A, 1), 101, NULL, 0);
    put(&r, DOT(A, 2), 102, NAMES({DOT(B, 7), 101}));
    assert_int_equal(r.n, 1);
    assert_clock(&r, DOT(A, 2), "1,2;2,7");
    assert_true(nwr_ctx_has(&r.ctx, DOT(B, 7)));
    assert_false(nwr_ctx_has(&r.ctx, DOT(B, 6)));
    nwr_record_deinit(&r);
}

static void removal_by_dot_alone_retires_nothing(void **state)
{
    struct nwr_record a = {0}, b = {0};

    (void)state;
    put(&a, DOT(A, 1), 101, NULL, 0);
    put(&b, DOT(B, 1), 101, NULL, 0);
    nwr_record_discard(&a, NAMES({DOT(A, 1), 0}), NULL, 0);
    assert_int_equal(a.n, 0);
    assert_int_equal(a.nretired, 0);
    sync(&a, &b);
    assert_int_equal(a.n, 1);
    assert_int_equal(nwr_dot_cmp(a.v[0].dot, DOT(B, 1)), 0);
    nwr_record_deinit(&a);
    nwr_record_deinit(&b);
}

static void past_of_a_version_removed_by_write_id_is_kept(void **state)
{
    struct nwr_record r = {0};
    struct nwr_version v = {.dot = {A, 2}, .wid = 103};
    nwr_wid unconfirmed = 101;

    (void)state;
    put(&r, DOT(A, 1), 101, NAMES({DOT(B, 4), 55}));
    nwr_record_put(&r, &v, NULL, 0, &unconfirmed, 1, NULL);
    assert_clock(&r, DOT(A, 2), "1,2;2,4");
    nwr_record_deinit(&r);
}

static void unconfirmed_write_named_by_its_writer_never_comes_back(void **state)
{
    struct nwr_record a = {0}, b = {0};
    struct nwr_version v = {.dot = {A, 1}, .wid = 102};
    nwr_wid unconfirmed = 101;

    (void)state;
    put(&b, DOT(B, 1), 101, NULL, 0);
    nwr_record_put(&a, &v, NULL, 0, &unconfirmed, 1, NULL);
    sync(&a, &b);
    assert_int_equal(a.n, 1);
    assert_true(has(&a, DOT(A, 1)));
    nwr_record_deinit(&a);
    nwr_record_deinit(&b);
}

static void write_that_names_itself_stays(void **state)
{
    struct nwr_record r = {0};
    struct nwr_version v = {.dot = {A, 2}, .wid = 101};
    nwr_wid itself = 101;
    struct nwr_dot dot;

    (void)state;
    put(&r, DOT(A, 1), 101, NULL, 0);
    nwr_record_put(&r, &v, NAMES({DOT(A, 1), 101}, {DOT(A, 1), 0}), &itself, 1, &dot);
    nwr_record_check(&r);
    assert_true(same_dot(dot, DOT(A, 1)));
    assert_int_equal(r.n, 1);
    assert_int_equal(r.nretired, 0);
    nwr_record_deinit(&r);
}

static void dots_not_given_yet_are_ignored(void **state)
{
    struct nwr_record r = {0};

    (void)state;
    put(&r, DOT(A, 1), 101, NAMES({DOT(A, 5), 105}, {DOT(A, 1), 106}, {DOT(B, 0), 107}));
    assert_int_equal(r.ctx.dots.n, 0);
    assert_int_equal(r.nretired, 3);
    put(&r, DOT(A, 5), 108, NULL, 0);
    assert_int_equal(r.n, 2);
    nwr_record_deinit(&r);
}

static void versions_without_a_write_id_are_told_apart_by_dot(void **state)
{
    struct nwr_record r = {0};

    (void)state;
    put(&r, DOT(A, 1), 0, NULL, 0);
    put(&r, DOT(A, 2), 0, NULL, 0);
    put(&r, DOT(A, 3), 0, NAMES({DOT(A, 1), 0}));
    assert_int_equal(r.n, 2);
    assert_int_equal(r.nretired, 0);
    nwr_record_deinit(&r);
}

/* ---- merge --------------------------------------------------------------------------------- */

static void merge_never_collapses_equal_write_ids(void **state)
{
    struct nwr_record a = {0}, b = {0};

    (void)state;
    put(&a, DOT(A, 1), 101, NULL, 0);
    put(&b, DOT(B, 1), 101, NULL, 0);
    sync(&a, &b);
    assert_int_equal(a.n, 2);
    nwr_record_deinit(&a);
    nwr_record_deinit(&b);
}

static void merge_says_whether_it_changed_anything(void **state)
{
    struct nwr_record a = {0}, b = {0};
    nwr_wid wid = 105;

    (void)state;
    put(&a, DOT(A, 1), 101, NULL, 0);
    assert_true(sync(&b, &a));
    assert_false(sync(&b, &a));
    assert_false(sync(&b, &b));
    nwr_record_discard(&a, NULL, 0, &wid, 1);
    assert_true(sync(&b, &a));
    nwr_record_discard(&a, NAMES({DOT(C, 1), 0}), NULL, 0);
    assert_true(sync(&b, &a));
    assert_false(sync(&b, &a));
    nwr_record_deinit(&a);
    nwr_record_deinit(&b);
}

static void delta_never_advances_the_vector(void **state)
{
    struct nwr_record a = {0}, b = {0}, delta;

    (void)state;
    put(&a, DOT(A, 1), 101, NULL, 0);
    put(&a, DOT(A, 2), 102, NULL, 0);
    make_delta(&delta, &a, DOT(A, 2), NULL, 0);
    sync(&b, &delta);
    assert_int_equal(nwr_vv_get(&b.ctx.vv, A), 0);
    assert_false(nwr_ctx_has(&b.ctx, DOT(A, 1)));
    sync(&a, &b);
    assert_int_equal(a.n, 2);
    sync(&b, &a);
    assert_int_equal(b.n, 2);
    assert_int_equal(b.ctx.dots.n, 0);
    nwr_record_deinit(&a);
    nwr_record_deinit(&b);
    nwr_record_deinit(&delta);
}

static void merge_interleaves_versions_and_write_ids_in_order(void **state)
{
    struct nwr_record a = {0}, b = {0};

    (void)state;
    for (uint64_t i = 1; i <= 9; i += 2) {
        put(&a, DOT(C, i), 100 + i, NAMES({DOT(0, 0), i}));
        put(&b, DOT(B, i), 200 + i, NAMES({DOT(0, 0), i + 1}));
    }
    put(&b, DOT(ACTOR(9, 1), 1), 300, NULL, 0);
    sync(&a, &b);
    assert_int_equal(a.n, 11);
    assert_int_equal(a.nretired, 10);
    nwr_record_deinit(&a);
    nwr_record_deinit(&b);
}

static void copy_is_independent_of_its_source(void **state)
{
    struct nwr_record a = {0}, b;
    struct nwr_block_id block = {1, 2, 3};
    struct nwr_version v = {.dot = {A, 1}, .wid = 101, .blocks = &block, .nblocks = 1};

    (void)state;
    v.body = nwr_blob_copy("bytes", 5);
    nwr_record_put(&a, &v, NAMES({DOT(B, 2), 7}), NULL, 0, NULL);
    nwr_blob_unref(v.body);
    nwr_record_copy(&b, &a);
    nwr_record_deinit(&a);
    nwr_record_check(&b);
    assert_memory_equal(b.v[0].body->data, "bytes", 5);
    assert_int_equal(b.v[0].blocks[0].number, 3);
    assert_int_equal(b.v[0].body->refs, 1);
    assert_clock(&b, DOT(A, 1), "1,1;2,2");
    nwr_record_deinit(&b);
}

/* ---- contexts and looking ------------------------------------------------------------------ */

static void exact_dots_below_the_vector_are_dropped(void **state)
{
    struct nwr_ctx c = {0}, d = {0};

    (void)state;
    assert_true(nwr_ctx_add(&c, DOT(A, 3)));
    assert_true(nwr_ctx_add(&c, DOT(A, 7)));
    assert_true(nwr_ctx_add(&c, DOT(B, 3)));
    assert_false(nwr_ctx_add(&c, DOT(A, 3)));
    nwr_ctx_event(&d, DOT(A, 5));
    assert_true(nwr_ctx_join(&c, &d));
    assert_int_equal(c.dots.n, 2);
    assert_true(nwr_ctx_has(&c, DOT(A, 4)) && nwr_ctx_has(&c, DOT(A, 7)));
    assert_false(nwr_ctx_has(&c, DOT(A, 6)) || nwr_ctx_has(&c, DOT(B, 2)));
    assert_false(nwr_ctx_join(&c, &d));
    assert_true(nwr_ctx_join(&d, &c));
    assert_int_equal(d.dots.n, 2);
    assert_false(nwr_ctx_add(&c, DOT(A, 2)));
    nwr_ctx_deinit(&c);
    nwr_ctx_deinit(&d);
}

static void joined_exact_dots_are_interleaved_in_order(void **state)
{
    struct nwr_record a = {0}, b = {0};

    (void)state;
    for (uint64_t i = 1; i <= 20; i++) {
        nwr_ctx_add(i % 3 ? &a.ctx : &b.ctx, DOT(i % 2 ? A : B, i));
        if (i % 5 == 0)
            nwr_ctx_add(&b.ctx, DOT(i % 2 ? A : B, i));
    }
    sync(&a, &b);
    assert_int_equal(a.ctx.dots.n, 20);
    nwr_record_deinit(&a);
    nwr_record_deinit(&b);
}

static void clock_text_is_sorted_and_sums_incarnations(void **state)
{
    struct nwr_vv vv = {0};
    char *text = nwr_vv_text(&vv);

    (void)state;
    assert_string_equal(text, "");
    nwr_free(text);
    nwr_vv_raise(&vv, DOT(ACTOR(12, 5), 4));
    nwr_vv_raise(&vv, DOT(ACTOR(2, 9), 10));
    nwr_vv_raise(&vv, DOT(ACTOR(2, 0xffffffff), 3));
    nwr_vv_raise(&vv, DOT(ACTOR(999, 1), UINT64_MAX));
    assert_false(nwr_vv_raise(&vv, DOT(ACTOR(2, 9), 9)));
    assert_false(nwr_vv_raise(&vv, DOT(ACTOR(1, 1), 0)));
    text = nwr_vv_text(&vv);
    assert_string_equal(text, "2,13;12,4;999,18446744073709551615");
    nwr_free(text);
    nwr_vv_deinit(&vv);
}

static void tombstones_voids_and_marks_are_not_live(void **state)
{
    struct nwr_record r = {0};
    uint8_t flags[] = {0, NWR_V_TOMBSTONE, NWR_V_HIDDEN, NWR_V_MARK};

    (void)state;
    for (uint32_t i = 0; i < NWR_COUNT(flags); i++) {
        struct nwr_version v = {.dot = {A, i + 1}, .wid = i + 1, .flags = flags[i]};

        nwr_record_put(&r, &v, NULL, 0, NULL, 0, NULL);
    }
    assert_int_equal(r.n, 4);
    assert_int_equal(nwr_record_live(&r), 1);
    nwr_record_deinit(&r);
}

static void digest_sees_versions_and_write_ids_but_not_how_absence_is_covered(void **state)
{
    struct nwr_record a = {0}, b = {0}, delta;
    uint64_t before;

    (void)state;
    put(&a, DOT(A, 5), 101, NULL, 0);
    make_delta(&delta, &a, DOT(A, 5), NULL, 0);
    sync(&b, &delta);
    assert_int_equal(nwr_record_digest(&a), nwr_record_digest(&b));
    before = nwr_record_digest(&b);
    put(&b, DOT(B, 1), 102, NULL, 0);
    assert_int_not_equal(nwr_record_digest(&b), before);
    nwr_record_discard(&b, NAMES({DOT(B, 1), 102}), NULL, 0);
    assert_int_not_equal(nwr_record_digest(&b), before);
    sync(&a, &b);
    assert_int_equal(nwr_record_digest(&a), nwr_record_digest(&b));
    nwr_record_deinit(&a);
    nwr_record_deinit(&b);
    nwr_record_deinit(&delta);
}

static void digest_tells_records_apart_that_differ_in_one_thing(void **state)
{
    struct nwr_dot dots[] = {DOT(A, 1), DOT(A, 2), DOT(B, 1), DOT(A, 1), DOT(A, 1), DOT(A, 1)};
    nwr_wid wids[] = {1, 1, 1, 2, 1, 1}, retired[] = {0, 0, 0, 0, 7, 8};
    uint64_t digests[NWR_COUNT(dots)];

    (void)state;
    for (uint32_t i = 0; i < NWR_COUNT(dots); i++) {
        struct nwr_record r = {0};
        struct nwr_version v = {.dot = dots[i], .wid = wids[i]};

        nwr_record_put(&r, &v, NULL, 0, &retired[i], 1, NULL);
        digests[i] = nwr_record_digest(&r);
        for (uint32_t j = 0; j < i; j++)
            assert_int_not_equal(digests[i], digests[j]);
        nwr_record_deinit(&r);
    }
}

static void overwriting_what_has_one_dot_for_sure_retires_nothing(void **state)
{
    struct nwr_record r = {0}, stale = {0};
    struct nwr_version v = {.flags = NWR_V_ONCE};
    struct nwr_seen seen = {DOT(A, 1), 1};

    (void)state;
    for (uint64_t i = 1; i <= 1000; i++) {
        v.dot = DOT(A, i);
        v.wid = i;
        nwr_record_put(&r, &v, &seen, i > 1, NULL, 0, NULL);
        nwr_record_check(&r);
        seen = (struct nwr_seen){v.dot, v.wid};
        if (i == 1)
            nwr_record_copy(&stale, &r);
    }
    assert_int_equal(r.n, 1);
    assert_int_equal(r.nretired, 0);
    assert_false(sync(&r, &stale)); /* and what was replaced stays so */
    assert_int_equal(r.n, 1);
    nwr_record_deinit(&r);
    nwr_record_deinit(&stale);
}

static void replacing_what_is_not_here_retires_it_whatever_it_was(void **state)
{
    struct nwr_record r = {0};
    struct nwr_version v = {.dot = DOT(B, 1), .wid = 2, .flags = NWR_V_ONCE};
    struct nwr_seen seen = {DOT(A, 1), 1};

    (void)state;
    nwr_record_put(&r, &v, &seen, 1, NULL, 0, NULL);
    assert_int_equal(r.nretired, 1);
    nwr_record_deinit(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(d1_to_d4_sequence_of_the_paper),
        cmocka_unit_test(write_removes_only_what_it_names),
        cmocka_unit_test(lagging_coordinator_keeps_what_was_not_named),
        cmocka_unit_test(late_arrival_of_a_replaced_version_is_dropped),
        cmocka_unit_test(past_is_what_the_writer_and_the_replaced_had_seen),
        cmocka_unit_test(removal_leaves_a_record_that_forbids),
        cmocka_unit_test(retry_at_the_same_node_returns_the_first_dot),
        cmocka_unit_test(retry_still_removes_what_it_names),
        cmocka_unit_test(retry_of_a_removed_write_is_not_added),
        cmocka_unit_test(copy_of_a_removed_write_is_dropped_by_merge),
        cmocka_unit_test(seen_write_id_removes_a_copy_under_another_dot),
        cmocka_unit_test(removal_by_dot_alone_retires_nothing),
        cmocka_unit_test(past_of_a_version_removed_by_write_id_is_kept),
        cmocka_unit_test(unconfirmed_write_named_by_its_writer_never_comes_back),
        cmocka_unit_test(write_that_names_itself_stays),
        cmocka_unit_test(dots_not_given_yet_are_ignored),
        cmocka_unit_test(versions_without_a_write_id_are_told_apart_by_dot),
        cmocka_unit_test(merge_never_collapses_equal_write_ids),
        cmocka_unit_test(merge_says_whether_it_changed_anything),
        cmocka_unit_test(delta_never_advances_the_vector),
        cmocka_unit_test(merge_interleaves_versions_and_write_ids_in_order),
        cmocka_unit_test(copy_is_independent_of_its_source),
        cmocka_unit_test(exact_dots_below_the_vector_are_dropped),
        cmocka_unit_test(joined_exact_dots_are_interleaved_in_order),
        cmocka_unit_test(clock_text_is_sorted_and_sums_incarnations),
        cmocka_unit_test(tombstones_voids_and_marks_are_not_live),
        cmocka_unit_test(digest_sees_versions_and_write_ids_but_not_how_absence_is_covered),
        cmocka_unit_test(digest_tells_records_apart_that_differ_in_one_thing),
        cmocka_unit_test(overwriting_what_has_one_dot_for_sure_retires_nothing),
        cmocka_unit_test(replacing_what_is_not_here_retires_it_whatever_it_was),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
