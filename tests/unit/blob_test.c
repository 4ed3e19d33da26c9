/* blob_test.c -- counted bytes are freed once, by whoever lets go last. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "nwr/blob.h"

static void count_freed(void *arg)
{
    ++*(int *)arg;
}

static void foreign_memory_is_freed_once_by_the_last_holder(void **state)
{
    uint8_t bytes[] = {1, 2, 3};
    int freed = 0;
    struct nwr_blob *b = nwr_blob_wrap(bytes, sizeof(bytes), count_freed, &freed);

    (void)state;
    assert_ptr_equal(b->data, bytes);
    assert_int_equal(b->len, 3);
    assert_ptr_equal(nwr_blob_ref(b), b);
    assert_int_equal(b->refs, 2);
    nwr_blob_unref(b);
    assert_int_equal(freed, 0);
    nwr_blob_unref(b);
    assert_int_equal(freed, 1);
}

static void copy_holds_its_own_bytes(void **state)
{
    char bytes[] = "abc";
    struct nwr_blob *b = nwr_blob_copy(bytes, 3);

    (void)state;
    bytes[0] = 'x';
    assert_int_equal(b->len, 3);
    assert_memory_equal(b->data, "abc", 3);
    nwr_blob_unref(b);
}

static void nothing_is_a_blob_that_needs_no_care(void **state)
{
    struct nwr_blob *empty = nwr_blob_copy(NULL, 0);

    (void)state;
    assert_int_equal(empty->len, 0);
    nwr_blob_unref(empty);
    assert_null(nwr_blob_ref(NULL));
    nwr_blob_unref(NULL);
}

static void new_blob_has_room_for_all_its_bytes(void **state)
{
    struct nwr_blob *b = nwr_blob_new(1 << 20);

    (void)state;
    assert_int_equal(b->refs, 1);
    memset(b->data, 7, b->len);
    assert_int_equal(b->data[b->len - 1], 7);
    nwr_blob_unref(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(foreign_memory_is_freed_once_by_the_last_holder),
        cmocka_unit_test(copy_holds_its_own_bytes),
        cmocka_unit_test(nothing_is_a_blob_that_needs_no_care),
        cmocka_unit_test(new_blob_has_room_for_all_its_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
