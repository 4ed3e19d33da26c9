/* clock_test.c -- a node whose clock was far ahead for a while: its writes are dated in the future,
 * nobody follows that clock, and what is done later, knowing of them, counts as later all the same.
 */
#include "tests/lib/fake_volume.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum {
    ROOT = 1,
    HOURS = 1000
};

static struct fake_twin twin;
static struct fake side[2];

static void begin(uint64_t seed)
{
    fake_sides(&twin, side, seed, seed * 2);
}

static void end(void)
{
    fake_sides_deinit(&twin, side);
}

/* Node 1 is restarted with its clock far ahead, or right again. */
static void set_ahead(bool ahead)
{
    nwr_ns by = (nwr_ns)HOURS * 3600 * 1000000000;

    fake_again(&side[1], NULL);
    side[1].wall = ahead ? side[1].wall + by : side[0].wall;
}

static uint64_t node_of(uint32_t i, const char *name)
{
    struct nwr_fs_entry e;

    return fake_lookup(&side[i], ROOT, name, &e) == 0 ? e.node : 0;
}

static void all_list(const char *want)
{
    char names[512];

    for (uint32_t i = 0; i < 2; i++)
        assert_string_equal(fake_ls(&side[i], ROOT, names, sizeof(names)), want);
}

static void all_hold(const char *name, const char *want)
{
    char text[64];

    for (uint32_t i = 0; i < 2; i++)
        assert_string_equal(fake_cat(&side[i], ROOT, name, text, sizeof(text)), want);
}

static void what_is_left_of_a_file_shows_at_the_name_that_was_removed_last(void **state)
{
    (void)state;
    begin(1);
    assert_int_equal(fake_save(&side[0], ROOT, "a", "one"), 0);
    assert_int_equal(fake_link(&side[0], node_of(0, "a"), ROOT, "b"), 0);
    fake_meet(&twin, side);
    set_ahead(true);
    assert_int_equal(fake_unlink(&side[1], ROOT, "a"), 0);
    fake_meet(&twin, side);
    set_ahead(false);
    assert_true(node_of(1, "b"));
    twin.cut = true;
    assert_int_equal(fake_save(&side[1], ROOT, "b", "two"), 0);
    assert_int_equal(fake_unlink(&side[0], ROOT, "b"), 0);
    fake_meet(&twin, side);
    all_list("b");
    all_hold("b", "two");
    end();
}

static void renamed_over(uint32_t i, const char *name, const char *text)
{
    assert_int_equal(fake_save(&side[i], ROOT, "new", text), 0);
    assert_int_equal(fake_rename(&side[i], ROOT, "new", ROOT, name, 0), 0);
}

static void what_replaces_a_file_from_the_future_keeps_the_name(void **state)
{
    char names[128], text[64], sibling[128];

    (void)state;
    begin(2);
    assert_int_equal(fake_save(&side[0], ROOT, "f", "one"), 0);
    fake_meet(&twin, side);
    assert_true(node_of(1, "f"));
    set_ahead(true);
    twin.cut = true;
    assert_int_equal(fake_save(&side[0], ROOT, "f", "two"), 0);
    renamed_over(1, "f", "three");
    fake_meet(&twin, side);
    set_ahead(false);
    all_hold("f", "three");
    fake_ls(&side[0], ROOT, names, sizeof(names));
    snprintf(sibling, sizeof(sibling), "%s", names + 2);
    renamed_over(0, "f", "four");
    assert_string_equal(fake_cat(&side[0], ROOT, "f", text, sizeof(text)), "four");
    fake_meet(&twin, side);
    all_hold("f", "four");
    assert_int_equal(fake_save(&side[1], ROOT, "f", "five"), 0);
    fake_meet(&twin, side);
    all_hold("f", "five");
    all_hold(sibling, "two");
    all_list(names);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_left_of_a_file_shows_at_the_name_that_was_removed_last),
        cmocka_unit_test(what_replaces_a_file_from_the_future_keeps_the_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
