/* trim_test.c -- what malloc keeps between blocks in use goes back to the system. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "nwr/base.h"
#include "tools/trim.h"

enum {
    BLOCKS = 4000,
    BYTES = 60000 /* below what malloc maps by itself */
};

static long resident(void) /* bytes */
{
    FILE *f = fopen("/proc/self/statm", "re");
    long all = 0, pages = 0;

    assert_non_null(f);
    assert_int_equal(fscanf(f, "%ld %ld", &all, &pages), 2);
    fclose(f);
    return pages * 4096;
}

static bool is_sanitized(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return true;
#else
    return false;
#endif
}

static void what_was_freed_between_blocks_in_use_is_given_back(void **state)
{
    static char *block[BLOCKS];
    long before;

    (void)state;
    if (is_sanitized())
        skip(); /* another malloc */
    for (int i = 0; i < BLOCKS; i++) {
        block[i] = nwr_alloc(BYTES);
        memset(block[i], 1, BYTES);
    }
    for (int i = 0; i < BLOCKS; i++)
        if (i % 16)
            nwr_free(block[i]);
    before = resident();
    assert_true(before > (long)BLOCKS * BYTES * 9 / 10);
    assert_true(nwr_trim_now());
    assert_true(resident() < before / 4);
    for (int i = 0; i < BLOCKS; i += 16)
        nwr_free(block[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_freed_between_blocks_in_use_is_given_back),
    };

    return cmocka_run_group_tests_name("trim", tests, NULL, NULL);
}
