/* reap_test.c -- the space of what was removed is given back, however much that is (reap.c).
 *
 * Counted in words of a check, which tells every inode that has no name.
 */
#include "tests/lib/tree_check.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum {
    ROOT = 1,
    NAMES = 5000 /* more than are looked at in turn */
};

static char text[1 << 20];

static void fill(struct fake *f, uint64_t dir)
{
    char name[16];
    uint64_t node, fh;

    for (uint32_t i = 0; i < NAMES; i++) {
        snprintf(name, sizeof(name), "f%u", i);
        assert_int_equal(fake_create(f, dir, name, O_WRONLY, &node, &fh), 0);
        assert_int_equal(fake_close(f, node, fh), 0);
    }
}

static void remove_all(struct fake *f, uint64_t dir)
{
    char name[16];

    for (uint32_t i = 0; i < NAMES; i++) {
        snprintf(name, sizeof(name), "f%u", i);
        assert_int_equal(fake_unlink(f, dir, name), 0);
    }
}

/* Names are removed while the other side is away, and with_dir their directory. While it is away
 * nothing can go: that it has seen all is to be known first. */
static void remove_while_cut(bool with_dir)
{
    struct fake_twin twin;
    struct fake side[2];
    uint64_t dir;

    fake_sides(&twin, side, 5, 10);
    assert_int_equal(fake_mkdir(&side[0], ROOT, "d", &dir), 0);
    fill(&side[0], dir);
    fake_pass(&side[0], 1500);
    fake_twin_settle(&twin);
    twin.cut = true;
    remove_all(&side[0], dir);
    if (with_dir)
        assert_int_equal(fake_rmdir(&side[0], ROOT, "d"), 0);
    fake_pass(&side[0], 3000);
    assert_int_not_equal(tree_check(&side[0], true, false, text, sizeof(text)), 0);
    twin.cut = false;
    fake_twin_settle(&twin);
    fake_reset(&side[0]);
    for (int i = 0; i < 700; i++)
        fake_pass(&side[0], 1000);
    fake_twin_settle(&twin);
    assert_int_equal(tree_check(&side[0], true, false, text, sizeof(text)), 0);
    assert_in_range(side[0].puts, 2 * NAMES, 2 * NAMES + 8); /* each once */
    fake_sides_deinit(&twin, side);
}

static void what_was_removed_while_a_replica_was_away_goes_when_it_is_back(void **state)
{
    (void)state;
    remove_while_cut(false);
}

static void and_so_does_what_was_removed_with_its_directory(void **state)
{
    (void)state;
    remove_while_cut(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_removed_while_a_replica_was_away_goes_when_it_is_back),
        cmocka_unit_test(and_so_does_what_was_removed_with_its_directory),
    };

    return cmocka_run_group_tests_name("reap", tests, NULL, NULL);
}
