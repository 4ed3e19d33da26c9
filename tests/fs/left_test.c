/* left_test.c -- what a removed directory of many names leaves behind: a new one of its name costs
 * what any other does, it is forgotten in the end, and what nobody had seen in it is back.
 *
 * Costs are rows that the volume was asked for, never times.
 */
#include "tests/lib/fake_volume.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum {
    ROOT = 1,
    NAMES = 1000,      /* in the directory that is removed */
    NAMES_MET = 100,   /* the same where two sides look at each name */
    NAMES_MANY = 3000, /* more than fit an answer, several times */
    PAGE = 1024,       /* records of names in an answer; there are two of each, and others beside */
    LINKS = 300,       /* of one file */
    WHO = 4,           /* ask at once */
    MORE = 50          /* made in the one that takes its name */
};

static char text[8192];

static uint64_t node_of(struct fake *f, const char *name)
{
    struct nwr_fs_entry e;

    assert_int_equal(fake_lookup(f, ROOT, name, &e), 0);
    return e.node;
}

static void fill(struct fake *f, const char *dir, uint32_t names)
{
    char name[16];

    for (uint32_t i = 0; i < names; i++) {
        snprintf(name, sizeof(name), "f%u", i);
        assert_int_equal(fake_save(f, node_of(f, dir), name, "text"), 0);
    }
}

static void remove_all(struct fake *f, const char *dir, uint32_t names)
{
    uint64_t d = node_of(f, dir);
    char name[16];

    for (uint32_t i = 0; i < names; i++) {
        snprintf(name, sizeof(name), "f%u", i);
        assert_int_equal(fake_unlink(f, d, name), 0);
    }
    assert_int_equal(fake_rmdir(f, ROOT, dir), 0);
}

/* mkdir, `names` files, rm -r, mkdir. */
static void make_anew(struct fake *f, const char *dir, uint32_t names)
{
    assert_int_equal(fake_mkdir(f, ROOT, dir, &(uint64_t){0}), 0);
    fill(f, dir, names);
    fake_pass(f, 1500);
    remove_all(f, dir, names);
    assert_int_equal(fake_mkdir(f, ROOT, dir, &(uint64_t){0}), 0);
}

static uint32_t rows_of_filling(struct fake *f, const char *dir)
{
    fake_reset(f);
    fill(f, dir, MORE);
    return f->rows;
}

static void a_name_costs_the_same_where_a_directory_of_many_was_removed(void **state)
{
    struct fake f;
    uint32_t fresh, again;

    (void)state;
    fake_init(&f, 3);
    make_anew(&f, "d", NAMES);
    assert_int_equal(fake_mkdir(&f, ROOT, "fresh", &(uint64_t){0}), 0);
    fresh = rows_of_filling(&f, "fresh");
    again = rows_of_filling(&f, "fresh");
    assert_in_range(rows_of_filling(&f, "d"), MORE, 2 * fresh + 10 * NAMES); /* one look */
    assert_in_range(rows_of_filling(&f, "d"), 1, 2 * again);
    fake_deinit(&f);
}

/* One looks, page by page; the others wait for that. */
static void a_look_into_a_large_one_serves_all_who_wait_for_it(void **state)
{
    struct nwr_fs_reply r;
    struct fake f;

    (void)state;
    fake_init(&f, 3);
    assert_int_equal(fake_mkdir(&f, ROOT, "d", &(uint64_t){0}), 0);
    fill(&f, "d", NAMES_MANY);
    fake_pass(&f, 1500);
    remove_all(&f, "d", NAMES_MANY);
    fake_reset(&f);
    for (int i = 0; i < WHO; i++)
        fake_begin(&f, fake_req(NWR_FS_LOOKUP, ROOT, "d"));
    fake_drain(&f);
    r = fake_end(&f);
    assert_int_equal(r.err, ENOENT);
    nwr_fs_reply_deinit(&r);
    assert_in_range(f.pages, 2 * NAMES_MANY / PAGE, 2 * NAMES_MANY / PAGE + 2 + WHO);
    assert_in_range(f.rows, 6 * NAMES_MANY,
                    7 * NAMES_MANY + 4 * 6 * 1024); /* their first answers */
    fake_deinit(&f);
}

/* Its files go first, whatever the order in which they are come to. */
static void a_removed_directory_is_forgotten(void **state)
{
    struct nwr_fs_entry e;
    struct fake f;

    (void)state;
    fake_init(&f, 3);
    make_anew(&f, "d", NAMES);
    for (int i = 0; i < 600; i++)
        fake_pass(&f, 100);
    fake_reset(&f);
    assert_int_equal(fake_lookup(&f, ROOT, "d", &e), 0);
    assert_int_equal(f.pages, 0);
    assert_in_range(f.rows, 1, 16);
    fake_deinit(&f);
}

/* Directories below it wait for what is in them, and it waits for them. */
static void so_is_one_with_directories_in_it(void **state)
{
    struct nwr_fs_entry e;
    uint64_t d, in;
    struct fake f;

    (void)state;
    fake_init(&f, 3);
    assert_int_equal(fake_mkdir(&f, ROOT, "d", &d), 0);
    assert_int_equal(fake_mkdir(&f, d, "in", &in), 0);
    assert_int_equal(fake_save(&f, in, "a", "text"), 0);
    assert_int_equal(fake_save(&f, in, "b", "text"), 0);
    fake_pass(&f, 1500);
    assert_int_equal(fake_unlink(&f, in, "a"), 0);
    assert_int_equal(fake_unlink(&f, in, "b"), 0);
    assert_int_equal(fake_rmdir(&f, d, "in"), 0);
    assert_int_equal(fake_rmdir(&f, ROOT, "d"), 0);
    for (int i = 0; i < 60; i++)
        fake_pass(&f, 1000);
    fake_reset(&f);
    assert_int_equal(fake_lookup(&f, ROOT, "d", &e), ENOENT);
    assert_int_equal(f.pages, 0);
    fake_deinit(&f);
}

/* unseen: what the other side does in the directory while this one removes it. */
static void comes_back(uint32_t names, const char *unseen, const char *content)
{
    struct fake_twin twin;
    struct fake side[2];

    fake_sides(&twin, side, 5, 10);
    assert_int_equal(fake_mkdir(&side[0], ROOT, "d", &(uint64_t){0}), 0);
    fill(&side[0], "d", names);
    fake_meet(&twin, side);
    twin.cut = true;
    assert_int_equal(fake_save(&side[1], node_of(&side[1], "d"), unseen, content), 0);
    remove_all(&side[0], "d", names);
    assert_int_equal(fake_mkdir(&side[0], ROOT, "d", &(uint64_t){0}), 0);
    fill(&side[0], "d", 1);
    assert_string_equal(fake_ls(&side[0], node_of(&side[0], "d"), text, sizeof(text)), "f0");
    twin.cut = false;
    fake_meet(&twin, side);
    for (uint32_t i = 0; i < 2; i++) {
        fake_pass(&side[i], 10000);
        fake_ls(&side[i], node_of(&side[i], "d"), text, sizeof(text));
        assert_non_null(strstr(text, unseen));
        assert_string_equal(fake_cat(&side[i], node_of(&side[i], "d"), unseen, text, sizeof(text)),
                            content);
    }
    fake_sides_deinit(&twin, side);
}

static void a_name_that_was_unseen_among_many_is_back(void **state)
{
    (void)state;
    comes_back(NAMES_MET, "new", "unseen");
    comes_back(NAMES, "new", "unseen");
}

static void an_edit_that_was_unseen_among_many_is_back(void **state)
{
    (void)state;
    comes_back(NAMES_MET, "f77", "edited");
    comes_back(NAMES, "f770", "edited");
}

/* Each costs one READ, of the links and marks that there are or were, and none of it twice. */
static void a_file_of_hundreds_of_links_is_read_once_for_each_that_is_removed(void **state)
{
    struct nwr_fs_entry e;
    struct fake f;
    uint64_t d;
    char name[16];

    (void)state;
    fake_init(&f, 3);
    assert_int_equal(fake_mkdir(&f, ROOT, "d", &d), 0);
    assert_int_equal(fake_save(&f, d, "f0", "text"), 0);
    for (uint32_t i = 1; i < LINKS; i++) {
        snprintf(name, sizeof(name), "f%u", i);
        assert_int_equal(fake_lookup(&f, d, "f0", &e), 0);
        assert_int_equal(fake_link(&f, e.node, d, name), 0);
    }
    fake_pass(&f, 1500);
    for (uint32_t i = 0; i < LINKS; i++) {
        snprintf(name, sizeof(name), "f%u", i);
        assert_string_equal(fake_cat(&f, d, name, text, sizeof(text)), "text");
        fake_reset(&f);
        assert_int_equal(fake_unlink(&f, d, name), 0);
        assert_int_equal(f.reads, 1);
        assert_in_range(f.rows, LINKS, LINKS + 8);
    }
    assert_string_equal(fake_ls(&f, d, text, sizeof(text)), "");
    fake_deinit(&f);
}

/* What the mount itself writes it sees at once, however it has just looked. */
static void what_the_mount_brings_back_itself_shows_at_once(void **state)
{
    struct fake f, g;
    struct nwr_fs_entry e;
    uint64_t fh;

    (void)state;
    fake_init(&f, 3);
    fake_second(&g, &f, 9);
    assert_int_equal(fake_mkdir(&f, ROOT, "d", &(uint64_t){0}), 0);
    fill(&f, "d", NAMES_MET);
    fake_pass(&f, 1500);
    assert_int_equal(fake_lookup(&g, node_of(&g, "d"), "f50", &e), 0);
    assert_int_equal(fake_open(&g, e.node, O_RDWR, &fh), 0);
    remove_all(&f, "d", NAMES_MET);
    assert_int_equal(fake_mkdir(&f, ROOT, "d", &(uint64_t){0}), 0);
    assert_string_equal(fake_ls(&g, node_of(&g, "d"), text, sizeof(text)), "");
    assert_int_equal(fake_write(&g, e.node, fh, 0, "edit"), 0);
    assert_int_equal(fake_close(&g, e.node, fh), 0);
    assert_string_equal(fake_ls(&g, node_of(&g, "d"), text, sizeof(text)), "f50");
    fake_deinit(&g);
    fake_deinit(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_costs_the_same_where_a_directory_of_many_was_removed),
        cmocka_unit_test(a_look_into_a_large_one_serves_all_who_wait_for_it),
        cmocka_unit_test(a_removed_directory_is_forgotten),
        cmocka_unit_test(so_is_one_with_directories_in_it),
        cmocka_unit_test(a_name_that_was_unseen_among_many_is_back),
        cmocka_unit_test(an_edit_that_was_unseen_among_many_is_back),
        cmocka_unit_test(a_file_of_hundreds_of_links_is_read_once_for_each_that_is_removed),
        cmocka_unit_test(what_the_mount_brings_back_itself_shows_at_once),
    };

    return cmocka_run_group_tests_name("left", tests, NULL, NULL);
}
