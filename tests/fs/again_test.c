/* again_test.c -- a name that is made and removed again and again, while what was removed cannot
 * be forgotten (no time passes here, so nothing is reaped): the hundredth time costs what the tenth
 * did, and an edit that nobody had seen of any of them is back.
 *
 * Costs are rows that the volume was asked for, and records that went to it, never times.
 */
#include "tests/lib/fake_volume.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum {
    ROOT = 1,
    EARLY = 10,
    LATE = 300
};

static char text[8192];

struct cost {
    uint32_t rows, reads, writes;
    size_t bytes; /* of the name's own records, afterwards */
};

static struct cost round_of(struct fake *f, const char *name)
{
    struct nwr_fs_entry e;

    fake_reset(f);
    assert_int_equal(fake_lookup(f, ROOT, name, &e), ENOENT);
    assert_int_equal(fake_save(f, ROOT, name, "text"), 0);
    assert_string_equal(fake_cat(f, ROOT, name, text, sizeof(text)), "text");
    assert_int_equal(fake_unlink(f, ROOT, name), 0);
    assert_int_equal(fake_lookup(f, ROOT, name, &e), ENOENT);
    return (struct cost){.rows = f->rows, .reads = f->reads, .writes = f->writes};
}

static void assert_same_cost(struct cost early, struct cost late)
{
    assert_in_range(late.rows, 1, early.rows + EARLY);
    assert_int_equal(late.reads, early.reads);
    assert_int_equal(late.writes, early.writes);
}

static void a_name_costs_the_same_however_often_it_was_removed(void **state)
{
    struct cost early = {0}, late = {0};
    struct fake f;

    (void)state;
    fake_init(&f, 3);
    for (int i = 1; i <= LATE; i++) {
        late = round_of(&f, "journal");
        if (i == EARLY)
            early = late;
    }
    assert_same_cost(early, late);
    fake_deinit(&f);
}

/* A temporary file takes the name each time. */
static void so_does_one_that_is_replaced(void **state)
{
    struct fake f;
    uint32_t early = 0;

    (void)state;
    fake_init(&f, 3);
    assert_int_equal(fake_save(&f, ROOT, "f", "first"), 0);
    for (int i = 1; i <= LATE; i++) {
        fake_reset(&f);
        assert_int_equal(fake_save(&f, ROOT, "new", "text"), 0);
        assert_int_equal(fake_rename(&f, ROOT, "new", ROOT, "f", 0), 0);
        if (i == EARLY)
            early = f.rows;
    }
    assert_in_range(f.rows, 1, early + EARLY);
    fake_deinit(&f);
}

/* Each removal writes records of its own: none grows with the number of them. */
static void no_record_grows(void **state)
{
    struct nwr_range range = {.prefix = nwr_key_besides(ROOT, "journal", 7)};
    struct nwr_store_op op = {.kind = NWR_STORE_READ, .range = &range, .nrange = 1};
    struct fake f;

    (void)state;
    fake_init(&f, 3);
    for (int i = 0; i < LATE; i++)
        round_of(&f, "journal");
    fake_store_run(f.store, &op);
    assert_int_equal(op.err, NWR_OK);
    assert_int_equal(op.rows.n, LATE);
    for (uint32_t i = 0; i < op.rows.n; i++)
        assert_int_equal(op.rows.row[i].rec.n, 1);
    nwr_store_op_deinit(&op);
    fake_deinit(&f);
}

static void remove_often(struct fake *f, int times)
{
    for (int i = 0; i < times; i++) {
        assert_int_equal(fake_save(f, ROOT, "journal", "text"), 0);
        assert_int_equal(fake_unlink(f, ROOT, "journal"), 0);
    }
}

/* One of many was edited on the other side; it was the first, one in between, or the last. */
static void comes_back(int before, int after)
{
    struct fake_twin twin;
    struct fake side[2];

    fake_sides(&twin, side, 5, 10);
    remove_often(&side[0], before);
    assert_int_equal(fake_save(&side[0], ROOT, "journal", "text"), 0);
    fake_meet(&twin, side);
    twin.cut = true;
    assert_int_equal(fake_save(&side[1], ROOT, "journal", "unseen"), 0);
    assert_int_equal(fake_unlink(&side[0], ROOT, "journal"), 0);
    remove_often(&side[0], after);
    assert_string_equal(fake_ls(&side[0], ROOT, text, sizeof(text)), "");
    twin.cut = false;
    fake_meet(&twin, side);
    for (uint32_t i = 0; i < 2; i++) {
        assert_string_equal(fake_ls(&side[i], ROOT, text, sizeof(text)), "journal");
        assert_string_equal(fake_cat(&side[i], ROOT, "journal", text, sizeof(text)), "unseen");
    }
    fake_sides_deinit(&twin, side);
}

static void an_edit_that_was_unseen_of_any_of_them_is_back(void **state)
{
    (void)state;
    comes_back(0, 100);
    comes_back(50, 50);
    comes_back(100, 0);
    comes_back(0, 0);
}

/* What this mount keeps open of one of them is written without having seen that it went. */
static void what_is_written_to_one_that_is_open_elsewhere_is_back(void **state)
{
    struct nwr_fs_entry e;
    struct fake f, g;
    uint64_t fh;

    (void)state;
    fake_init(&f, 3);
    fake_second(&g, &f, 9);
    remove_often(&f, 20);
    assert_int_equal(fake_save(&f, ROOT, "journal", "text"), 0);
    assert_int_equal(fake_lookup(&g, ROOT, "journal", &e), 0);
    assert_int_equal(fake_open(&g, e.node, O_RDWR, &fh), 0);
    assert_int_equal(fake_unlink(&f, ROOT, "journal"), 0);
    remove_often(&f, 20);
    assert_string_equal(fake_cat(&f, ROOT, "journal", text, sizeof(text)), "!2");
    assert_int_equal(fake_write(&g, e.node, fh, 0, "edit"), 0);
    assert_int_equal(fake_close(&g, e.node, fh), 0);
    assert_string_equal(fake_cat(&f, ROOT, "journal", text, sizeof(text)), "edit");
    assert_int_equal(fake_unlink(&f, ROOT, "journal"), 0);
    assert_string_equal(fake_cat(&f, ROOT, "journal", text, sizeof(text)), "!2");
    assert_string_equal(fake_ls(&f, ROOT, text, sizeof(text)), "");
    fake_deinit(&g);
    fake_deinit(&f);
}

/* They are given up one by one, and nothing is left beside the name. */
static void all_are_forgotten_in_the_end(void **state)
{
    struct nwr_range range = {.prefix = nwr_key_besides(ROOT, "journal", 7)};
    struct nwr_store_op op = {.kind = NWR_STORE_READ, .range = &range, .nrange = 1};
    struct fake f;

    (void)state;
    fake_init(&f, 3);
    remove_often(&f, 50);
    for (int i = 0; i < 60; i++)
        fake_pass(&f, 1000);
    fake_store_run(f.store, &op);
    assert_int_equal(op.err, NWR_OK);
    for (uint32_t i = 0; i < op.rows.n; i++)
        assert_int_equal(op.rows.row[i].rec.n, 0);
    nwr_store_op_deinit(&op);
    assert_int_equal(fake_rmdir(&f, ROOT, "journal"), ENOENT);
    fake_deinit(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_costs_the_same_however_often_it_was_removed),
        cmocka_unit_test(so_does_one_that_is_replaced),
        cmocka_unit_test(no_record_grows),
        cmocka_unit_test(an_edit_that_was_unseen_of_any_of_them_is_back),
        cmocka_unit_test(what_is_written_to_one_that_is_open_elsewhere_is_back),
        cmocka_unit_test(all_are_forgotten_in_the_end),
    };

    return cmocka_run_group_tests_name("again", tests, NULL, NULL);
}
