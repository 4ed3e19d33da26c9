/* base_test.c -- what stands under everything. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nwr/base.h"

static void octal_escapes_of_the_mount_table_become_bytes(void **state)
{
    static const char *const pair[][2] = {
        {"/plain", "/plain"},
        {"/a\\040b\\011c", "/a b\tc"},
        {"\\134040", "\\040"}, /* what an escape gives is not read again */
        {"/end\\04", "/end\\04"},
        {"/not\\089", "/not\\089"},
        {"", ""},
    };

    (void)state;
    for (size_t i = 0; i < NWR_COUNT(pair); i++) {
        char *s = nwr_strdup(pair[i][0]);

        nwr_unescape_octal(s);
        assert_string_equal(s, pair[i][1]);
        nwr_free(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(octal_escapes_of_the_mount_table_become_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
