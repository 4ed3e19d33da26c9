/* writers_test.c -- two mounts of one volume: what a writer has seen, and what it replaces. */
#include "tests/lib/fake_volume.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define ROOT 1

struct two {
    struct fake a, b;
};

static struct two w;
static char buf[70000];

static int begin(void **state)
{
    struct stat st;

    (void)state;
    fake_init(&w.a, 42);
    fake_second(&w.b, &w.a, 43);
    assert_int_equal(fake_stat(&w.a, ROOT, &st), 0);
    assert_int_equal(fake_stat(&w.b, ROOT, &st), 0);
    return 0;
}

static int end(void **state)
{
    (void)state;
    fake_pass(&w.b, 5000);
    fake_pass(&w.a, 5000);
    fake_deinit(&w.b);
    fake_deinit(&w.a);
    return 0;
}

/* ---- clocks --------------------------------------------------------------------------------- */

static void a_put_carries_the_newest_clock_that_its_mount_has_seen(void **state)
{
    (void)state;
    w.b.wall -= 30000000000u; /* it goes 30 s behind */
    assert_int_equal(fake_save(&w.a, ROOT, "f", "one"), 0);
    assert_string_equal(fake_cat(&w.b, ROOT, "f", buf, sizeof(buf)), "one");
    assert_int_equal(fake_save(&w.b, ROOT, "f", "two"), 0);
    assert_true(w.b.hlc >> 16 >= w.a.wall / 1000000 - 10);
    assert_string_equal(fake_cat(&w.a, ROOT, "f", buf, sizeof(buf)), "two");
}

static void a_mount_does_not_follow_a_clock_far_ahead(void **state)
{
    (void)state;
    w.a.wall += 3600000000000u;
    assert_int_equal(fake_save(&w.a, ROOT, "f", "one"), 0);
    assert_string_equal(fake_cat(&w.b, ROOT, "f", buf, sizeof(buf)), "one");
    assert_int_equal(fake_save(&w.b, ROOT, "f", "two"), 0);
    assert_true(w.b.hlc >> 16 <= w.b.wall / 1000000 + NWR_AHEAD_MS);
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(a_put_carries_the_newest_clock_that_its_mount_has_seen),
        STORY(a_mount_does_not_follow_a_clock_far_ahead),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
