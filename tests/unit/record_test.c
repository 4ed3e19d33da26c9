/* record_test.c -- a record as bytes: round trips, its size, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "nwr/dvv.h"

#define A ((nwr_actor)1 << 32 | 0x77)
#define B ((nwr_actor)2 << 32 | 0x11)

static void encode(const struct nwr_record *r, struct nwr_out *o)
{
    *o = (struct nwr_out){0};
    nwr_record_encode(r, o);
}

static void assert_versions_equal(const struct nwr_version *a, const struct nwr_version *b)
{
    assert_true(nwr_dot_cmp(a->dot, b->dot) == 0);
    assert_true(a->hlc == b->hlc && a->wid == b->wid && a->ref == b->ref);
    assert_true(a->k == b->k && a->uid == b->uid && a->flags == b->flags);
    assert_int_equal(a->past.n, b->past.n);
    assert_memory_equal(a->past.e, b->past.e, a->past.n * sizeof(*a->past.e));
    assert_int_equal(a->body->len, b->body->len);
    assert_memory_equal(a->body->data, b->body->data, a->body->len);
    assert_int_equal(a->nblocks, b->nblocks);
    for (uint32_t i = 0; i < a->nblocks; i++) {
        assert_true(a->blocks[i].ino == b->blocks[i].ino && a->blocks[i].wid == b->blocks[i].wid);
        assert_int_equal(a->blocks[i].number, b->blocks[i].number);
    }
}

static void every_field_comes_back(void **state)
{
    struct nwr_block_id blocks[] = {{UINT64_MAX, UINT64_MAX, UINT32_MAX}, {1, 2, 3}};
    struct nwr_seen seen = {{B, 40}, 99};
    struct nwr_version v = {.dot = {A, 300},
                            .hlc = UINT64_MAX,
                            .wid = UINT64_MAX - 1,
                            .k = UINT64_MAX,
                            .uid = 1000,
                            .flags = NWR_V_HIDDEN | NWR_V_MARK,
                            .ref = nwr_ino_make(1023, 999, 5),
                            .blocks = blocks,
                            .nblocks = 2};
    struct nwr_record r = {0}, back;
    struct nwr_out o;

    (void)state;
    v.body = nwr_blob_copy("some bytes", 10);
    nwr_record_put(&r, &v, &seen, 1, NULL, 0, NULL);
    nwr_blob_unref(v.body);
    encode(&r, &o);
    assert_int_equal(nwr_record_decode(&back, o.data, o.len), NWR_OK);
    nwr_record_check(&back);
    assert_int_equal(back.n, 1);
    assert_versions_equal(&back.v[0], &r.v[0]);
    assert_int_equal(nwr_vv_get(&back.ctx.vv, A), 300);
    assert_true(nwr_ctx_has(&back.ctx, (struct nwr_dot){B, 40}));
    assert_false(nwr_ctx_has(&back.ctx, (struct nwr_dot){B, 39}));
    assert_int_equal(back.nretired, 1);
    assert_int_equal(back.retired[0], 99);
    nwr_out_free(&o);
    nwr_record_deinit(&r);
    nwr_record_deinit(&back);
}

static void empty_record_and_empty_body_come_back(void **state)
{
    struct nwr_record r = {0}, back;
    struct nwr_version v = {.dot = {A, 1}};
    struct nwr_out o;

    (void)state;
    encode(&r, &o);
    assert_int_equal(nwr_record_decode(&back, o.data, o.len), NWR_OK);
    assert_int_equal(back.n + back.nretired + back.ctx.vv.n + back.ctx.dots.n, 0);
    nwr_out_free(&o);
    v.body = nwr_blob_new(0);
    nwr_record_put(&r, &v, NULL, 0, NULL, 0, NULL);
    nwr_blob_unref(v.body);
    encode(&r, &o);
    assert_int_equal(nwr_record_decode(&back, o.data, o.len), NWR_OK);
    assert_null(back.v[0].body);
    nwr_out_free(&o);
    nwr_record_deinit(&r);
    nwr_record_deinit(&back);
}

static void common_record_takes_less_than_48_bytes_beside_its_body(void **state)
{
    struct nwr_record r = {0};
    struct nwr_version v = {.dot = {A, 70000}, .hlc = (nwr_hlc)1 << 62, .wid = 5, .uid = 1000};
    struct nwr_out o;

    (void)state;
    v.k = 1;
    nwr_record_put(&r, &v, NULL, 0, NULL, 0, NULL);
    encode(&r, &o);
    assert_true(o.len < 48);
    nwr_out_free(&o);
    nwr_record_deinit(&r);
}

static void every_truncation_is_refused_and_leaves_the_record_alone(void **state)
{
    struct nwr_seen seen = {{B, 4}, 9};
    struct nwr_version v = {.dot = {A, 3}, .wid = 7, .ref = 1};
    struct nwr_record r = {0}, untouched, before;
    struct nwr_out o;

    (void)state;
    v.body = nwr_blob_copy("abc", 3);
    nwr_record_put(&r, &v, &seen, 1, NULL, 0, NULL);
    nwr_blob_unref(v.body);
    encode(&r, &o);
    memset(&untouched, 0x5a, sizeof(untouched));
    before = untouched;
    for (uint32_t len = 0; len < o.len; len++) {
        uint8_t *cut = nwr_memdup(o.data, len);

        assert_int_equal(nwr_record_decode(&untouched, cut, len), NWR_E_FORMAT);
        assert_memory_equal(&untouched, &before, sizeof(before));
        nwr_free(cut);
    }
    nwr_out_free(&o);
    nwr_record_deinit(&r);
}

/* ---- bytes made by hand -------------------------------------------------------------------- */

/* Each digit is one byte, and so is what stands as far above '0'. 'A' and 'B' write an actor, 'v'
 * the fields of a version (hlc, wid 5, k, uid), 'r' a retired write_id 5, '.' a retired 0, '^' a
 * var of 2^32. */
static struct nwr_out bytes_of(const char *text)
{
    struct nwr_out o = {0};

    for (; *text; text++) {
        if (*text == 'A' || *text == 'B') {
            nwr_out_var(&o, (uint64_t)(*text - 'A' + 1));
            nwr_out_u32(&o, 7);
        } else if (*text == 'v') {
            nwr_out_u64(&o, 1);
            nwr_out_u64(&o, 5);
            nwr_out_var(&o, 1);
            nwr_out_var(&o, 0);
        } else if (*text == 'r' || *text == '.') {
            nwr_out_u64(&o, *text == 'r' ? 5 : 0);
        } else if (*text == '^') {
            nwr_out_var(&o, (uint64_t)1 << 32);
        } else if (*text != ' ') {
            nwr_out_u8(&o, (uint8_t)((uint8_t)*text - '0'));
        }
    }
    return o;
}

static enum nwr_err decode_text(const char *text)
{
    struct nwr_out o = bytes_of(text);
    struct nwr_record r = {0};
    enum nwr_err err = nwr_record_decode(&r, o.data, o.len);

    nwr_out_free(&o);
    nwr_record_deinit(&r);
    return err;
}

/* format, actors, vector, dots, versions, retired */
static void bytes_made_by_hand_are_read(void **state)
{
    (void)state;
    assert_int_equal(decode_text("1 0 0 0 0 0"), NWR_OK);
    assert_int_equal(decode_text("1 2AB 2 01 12 2 03 19 1 03v0 0"), NWR_OK);
    assert_int_equal(decode_text("1 1A 1 03 0 2 01v0 03v0 0"), NWR_OK);
    assert_int_equal(decode_text("1 0 0 0 0 1r"), NWR_OK);
    assert_int_equal(decode_text("1 1A 1 03 0 1 03vP 1 01 0"), NWR_OK);
    assert_int_equal(decode_text("1 1A 1 03 0 1 03vp 15 0"), NWR_OK);
    assert_int_equal(decode_text("1 1A 1 03 0 1 03v\xb0 1 0000000000000000 1 0"), NWR_OK);
    assert_int_equal(decode_text("1 1 90000 0 0 0 0"), NWR_OK);
    assert_int_equal(decode_text("1 1A 1 03 0 1 03v@ 10000000 0"), NWR_OK);
}

static void bytes_that_break_an_invariant_are_refused(void **state)
{
    static const char *const bad[] = {
        "2 0 0 0 0 0",                   /* another format */
        "1 0 0 0 0 0 0",                 /* something left over */
        "1 2BA 0 0 0 0",                 /* actors not sorted */
        "1 2AA 0 0 0 0",                 /* an actor twice */
        "1 1A 1 11 0 0 0",               /* no such actor */
        "1 1A 1 00 0 0 0",               /* counter 0 in the vector */
        "1 1A 2 01 02 0 0 0",            /* two entries of an actor */
        "1 2AB 2 11 01 0 0 0",           /* vector not sorted */
        "1 1A 0 2 02 01 0 0",            /* exact dots not sorted */
        "1 1A 0 2 02 02 0 0",            /* an exact dot twice */
        "1 1A 1 02 1 02 0 0",            /* an exact dot covered by the vector */
        "1 1A 1 02 0 1 03v0 0",          /* a version outside the context */
        "1 1A 1 03 0 2 03v0 01v0 0",     /* versions not sorted */
        "1 1A 1 03 0 2 03v0 03v0 0",     /* a version twice */
        "1 1A 1 03 0 1 03v0 1r",         /* a version whose write_id is retired */
        "1 0 0 0 0 2rr",                 /* a write_id retired twice */
        "1 0 0 0 0 1.",                  /* no write_id is 0 */
        "1 1A 1 03 0 1 03vP 0 0",        /* past that is there and empty: flags 0x20 */
        "1 1A 1 03 0 1 03vp 0 0",        /* body that is there and empty: flags 0x40 */
        "1 1A 1 03 0 1 03v@ 00000000 0", /* ref that is there and 0: flags 0x10 */
        "1 1A 1 03 0 1 03v\xb0 0 0",     /* blocks that are there and none: flags 0x80 */
        "1 1A 1 03 0 1 03v\xb0 1 0000000000000000^ 0", /* block number beyond 32 bits */
        "1 1^0000 0 0 0 0",                            /* ordinal beyond 16 bits */
        "1 9 0 0 0 0",                                 /* more actors than bytes */
        "1 0 0 0 9 0",                                 /* more versions than bytes */
    };

    (void)state;
    for (uint32_t i = 0; i < NWR_COUNT(bad); i++)
        if (decode_text(bad[i]) != NWR_E_FORMAT)
            fail_msg("read in spite of what is wrong: %s", bad[i]);
}

static void counts_that_cannot_fit_are_refused_before_memory_is_taken(void **state)
{
    struct nwr_record r;

    (void)state;
    for (uint32_t zeros = 0; zeros < 5; zeros++) {
        struct nwr_out o = {0};

        nwr_out_u8(&o, 1);
        for (uint32_t i = 0; i < zeros; i++)
            nwr_out_var(&o, 0);
        nwr_out_var(&o, UINT32_MAX);
        nwr_out_u64(&o, 0);
        assert_int_equal(nwr_record_decode(&r, o.data, o.len), NWR_E_FORMAT);
        nwr_out_free(&o);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_comes_back),
        cmocka_unit_test(empty_record_and_empty_body_come_back),
        cmocka_unit_test(common_record_takes_less_than_48_bytes_beside_its_body),
        cmocka_unit_test(every_truncation_is_refused_and_leaves_the_record_alone),
        cmocka_unit_test(bytes_made_by_hand_are_read),
        cmocka_unit_test(bytes_that_break_an_invariant_are_refused),
        cmocka_unit_test(counts_that_cannot_fit_are_refused_before_memory_is_taken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
