/* pack_test.c -- bounded bytes in and out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "nwr/pack.h"

static void numbers_come_back_and_are_little_endian(void **state)
{
    static const uint8_t bytes[] = {1, 3, 2, 7, 6, 5, 4, 15, 14, 13, 12, 11, 10, 9, 8};
    struct nwr_out o = {0};
    struct nwr_in in;

    (void)state;
    nwr_out_u8(&o, 1);
    nwr_out_u16(&o, 0x0203);
    nwr_out_u32(&o, 0x04050607);
    nwr_out_u64(&o, 0x08090a0b0c0d0e0f);
    assert_int_equal(o.len, sizeof(bytes));
    assert_memory_equal(o.data, bytes, sizeof(bytes));
    in = nwr_in_of(o.data, o.len);
    assert_int_equal(nwr_in_u8(&in), 1);
    assert_int_equal(nwr_in_u16(&in), 0x0203);
    assert_int_equal(nwr_in_u32(&in), 0x04050607);
    assert_int_equal(nwr_in_u64(&in), 0x08090a0b0c0d0e0f);
    assert_true(nwr_in_done(&in));
    nwr_out_free(&o);
}

static void vars_of_every_length_come_back(void **state)
{
    (void)state;
    for (unsigned shift = 0; shift <= 64; shift++) {
        for (int step = -1; step <= 1; step++) {
            uint64_t v = (shift < 64 ? (uint64_t)1 << shift : 0) + (uint64_t)(int64_t)step;
            struct nwr_out o = {0};
            struct nwr_in in;

            nwr_out_var(&o, v);
            assert_true(o.len <= 10);
            in = nwr_in_of(o.data, o.len);
            assert_int_equal(nwr_in_var(&in), v);
            assert_true(nwr_in_done(&in));
            nwr_out_free(&o);
        }
    }
}

static void var_of_more_than_64_bits_is_bad(void **state)
{
    const uint8_t too_big[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2};
    const uint8_t too_long[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0};
    struct nwr_in in = nwr_in_of(too_big, sizeof(too_big));

    (void)state;
    assert_int_equal(nwr_in_var(&in), 0);
    assert_true(in.bad);
    in = nwr_in_of(too_long, sizeof(too_long));
    assert_int_equal(nwr_in_var(&in), 0);
    assert_true(in.bad);
}

static void reading_past_the_end_is_bad_and_yields_zeros(void **state)
{
    const uint8_t bytes[] = {0xff, 0xff, 0xff};
    struct nwr_in in = nwr_in_of(bytes, sizeof(bytes));
    size_t len = 9;

    (void)state;
    assert_int_equal(nwr_in_u32(&in), 0);
    assert_true(in.bad);
    assert_int_equal(nwr_in_u8(&in), 0);
    assert_int_equal(nwr_in_var(&in), 0);
    assert_int_equal(nwr_in_count(&in, 1), 0);
    assert_null(nwr_in_bytes(&in, &len));
    assert_int_equal(len, 0);
    assert_null(nwr_in_raw(&in, 1));
    assert_false(nwr_in_done(&in));
}

static void bytes_come_back_borrowed(void **state)
{
    struct nwr_out o = {0};
    struct nwr_in in;
    const uint8_t *p;
    size_t len;

    (void)state;
    nwr_out_bytes(&o, "abc", 3);
    nwr_out_bytes(&o, NULL, 0);
    in = nwr_in_of(o.data, o.len);
    p = nwr_in_bytes(&in, &len);
    assert_ptr_equal(p, o.data + 1);
    assert_int_equal(len, 3);
    assert_non_null(nwr_in_bytes(&in, &len));
    assert_int_equal(len, 0);
    assert_true(nwr_in_done(&in));
    nwr_out_free(&o);
}

static void length_beyond_the_end_is_bad(void **state)
{
    struct nwr_out o = {0};
    struct nwr_in in;
    size_t len;

    (void)state;
    nwr_out_var(&o, UINT64_MAX);
    nwr_out_raw(&o, "abc", 3);
    in = nwr_in_of(o.data, o.len);
    assert_null(nwr_in_bytes(&in, &len));
    assert_true(in.bad);
    nwr_out_free(&o);
}

static void count_is_bounded_by_what_is_left(void **state)
{
    const uint8_t bytes[] = {3, 0, 0, 0, 0, 0, 0};
    struct nwr_in in = nwr_in_of(bytes, sizeof(bytes));

    (void)state;
    assert_int_equal(nwr_in_count(&in, 2), 3);
    assert_false(in.bad);
    in = nwr_in_of(bytes, sizeof(bytes));
    assert_int_equal(nwr_in_count(&in, 3), 0);
    assert_true(in.bad);
}

static void output_becomes_a_blob_and_is_empty_again(void **state)
{
    struct nwr_out o = {0};
    struct nwr_blob *b;

    (void)state;
    for (uint32_t i = 0; i < 1000; i++)
        nwr_out_u32(&o, i);
    b = nwr_out_blob(&o);
    assert_int_equal(b->len, 4000);
    assert_int_equal(b->data[4 * 999] | b->data[4 * 999 + 1] << 8, 999);
    assert_int_equal(o.len, 0);
    assert_null(o.data);
    nwr_blob_unref(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_come_back_and_are_little_endian),
        cmocka_unit_test(vars_of_every_length_come_back),
        cmocka_unit_test(var_of_more_than_64_bits_is_bad),
        cmocka_unit_test(reading_past_the_end_is_bad_and_yields_zeros),
        cmocka_unit_test(bytes_come_back_borrowed),
        cmocka_unit_test(length_beyond_the_end_is_bad),
        cmocka_unit_test(count_is_bounded_by_what_is_left),
        cmocka_unit_test(output_becomes_a_blob_and_is_empty_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
