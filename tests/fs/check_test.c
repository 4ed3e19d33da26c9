/* check_test.c -- user.nwrfs.check of a directory of very many names: in parts, none of which asks
 * the volume for more than a few pages, and which together find what the whole would.
 *
 * Costs are rows that the volume was asked for, never times.
 */
#include "tests/lib/tree_check.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum {
    ROOT = 1,
    NAMES = 6000,
    ROWS_A_NAME = 4,                             /* an entry, and the object it leads to */
    PART_ROWS = 5 * ROWS_A_NAME * NWR_SCAN_ROWS, /* a part is four pages, or ends with the fifth */
    LONG = 200
};

static const uint32_t damaged[] = {10, 3000, NAMES - 10};

static uint64_t node_of(struct fake *f, const char *name)
{
    struct nwr_fs_entry e;

    assert_int_equal(fake_lookup(f, ROOT, name, &e), 0);
    return e.node;
}

static const char *name_of(uint32_t i, int len)
{
    static char name[NWR_NAME_MAX + 1];

    snprintf(name, sizeof(name), "f%0*u", len, i);
    return name;
}

/* NAMES files in one directory; three were on their way to another when their mounts died. */
static void plant(struct fake *f, int len)
{
    assert_int_equal(fake_mkdir(f, ROOT, "many", &(uint64_t){0}), 0);
    assert_int_equal(fake_mkdir(f, ROOT, "other", &(uint64_t){0}), 0);
    for (uint32_t i = 0; i < NAMES; i++)
        assert_int_equal(fake_save(f, node_of(f, "many"), name_of(i, len), "text"), 0);
    fake_pass(f, 2000);
    for (uint32_t i = 0; i < NWR_COUNT(damaged); i++) {
        const char *name = name_of(damaged[i], len);
        struct fake dies;
        uint64_t from, to;

        fake_second(&dies, f, 20 + i);
        from = node_of(&dies, "many");
        to = node_of(&dies, "other");
        fake_reset(&dies);
        dies.put_max = 2;
        (void)fake_rename(&dies, from, name, to, name, 0);
        fake_deinit(&dies);
    }
}

static void what_is_damaged_is_told_once(const char *text, int len)
{
    for (uint32_t i = 0; i < NWR_COUNT(damaged); i++) {
        char path[NWR_NAME_MAX + 16];
        const char *at;

        snprintf(path, sizeof(path), "/many/%s\n", name_of(damaged[i], len));
        at = strstr(text, path);
        assert_non_null(at);
        assert_null(strstr(at + 1, path));
    }
}

static void parts_are_small_and_together_find_what_is_damaged(void **state)
{
    static char text[4096];
    struct fake f, looks;

    (void)state;
    fake_init(&f, 1);
    plant(&f, 7);
    fake_second(&looks, &f, 30);
    assert_int_equal(tree_check(&looks, false, false, text, sizeof(text)), NWR_COUNT(damaged));
    what_is_damaged_is_told_once(text, 7);
    assert_in_range(tree_check_rows, NWR_SCAN_ROWS, PART_ROWS);
    tree_check(&looks, false, true, text, sizeof(text));
    fake_pass(&looks, 3000);
    assert_int_equal(tree_check(&looks, false, false, text, sizeof(text)), 0);
    fake_deinit(&looks);
    fake_deinit(&f);
}

/* Their keys do not fit a cursor: a part ends at the first that does. */
static void names_too_long_for_a_cursor_are_looked_at_too(void **state)
{
    static char text[4096];
    struct fake f, looks;

    (void)state;
    fake_init(&f, 2);
    plant(&f, LONG);
    fake_second(&looks, &f, 30);
    assert_int_equal(tree_check(&looks, false, false, text, sizeof(text)), NWR_COUNT(damaged));
    what_is_damaged_is_told_once(text, LONG);
    fake_deinit(&looks);
    fake_deinit(&f);
}

static void what_is_no_cursor_is_refused(void **state)
{
    static const char *const bad[] = {"0.", "0.X", "0.E1", "0.Ezz", "0.E00.", "9999.E00", "0.e00"};
    struct fake f;

    (void)state;
    fake_init(&f, 3);
    for (size_t i = 0; i < NWR_COUNT(bad); i++) {
        char name[64];
        struct nwr_fs_req *req;
        struct nwr_fs_reply r;

        snprintf(name, sizeof(name), "user.nwrfs.check.%s", bad[i]);
        req = fake_req(NWR_FS_GETXATTR, ROOT, name);
        req->size = 65536;
        req->uid = 0;
        r = fake_call(&f, req);
        assert_int_equal(r.err, EINVAL);
        nwr_fs_reply_deinit(&r);
    }
    fake_deinit(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_are_small_and_together_find_what_is_damaged),
        cmocka_unit_test(names_too_long_for_a_cursor_are_looked_at_too),
        cmocka_unit_test(what_is_no_cursor_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
