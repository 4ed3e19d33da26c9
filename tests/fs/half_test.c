/* half_test.c -- an operation on names ends half-way, and another mount edits the file.
 *
 * The K-th PUT of the operation is its last, for every K: the mount dies there, or is told ENOSPC
 * and lives on. Then every name of the file is removed that is still there, and a mount that has
 * had it open all the time writes into it. Nobody who took a name off has seen that, so it must be
 * shown, or the writer be told that it is not (DESIGN 9).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>

#include "tests/lib/tree_check.h"

enum {
    ROOT = 1,
    PUTS_MAX = 20,
    EXCHANGE = 2
};

static const char *const dirs[] = {"d1", "d2", "d3"};

static uint64_t dir_of(struct fake *f, uint32_t i)
{
    struct nwr_fs_entry e;

    assert_int_equal(fake_lookup(f, ROOT, dirs[i], &e), 0);
    return e.node;
}

/* d2/far is a file of which the inode is in the group of d1; d1/b and d2/b2 are one. */
static void plant(struct fake *f)
{
    struct nwr_fs_entry e;

    for (uint32_t i = 0; i < NWR_COUNT(dirs); i++)
        assert_int_equal(fake_mkdir(f, ROOT, dirs[i], &(uint64_t){0}), 0);
    assert_int_equal(fake_save(f, dir_of(f, 0), "far", "OLD"), 0);
    assert_int_equal(fake_rename(f, dir_of(f, 0), "far", dir_of(f, 1), "far", 0), 0);
    assert_int_equal(fake_save(f, dir_of(f, 0), "a", "A"), 0);
    assert_int_equal(fake_save(f, dir_of(f, 1), "c", "C"), 0);
    assert_int_equal(fake_save(f, dir_of(f, 2), "h", "H"), 0);
    assert_int_equal(fake_save(f, dir_of(f, 0), "b", "OLD"), 0);
    assert_int_equal(fake_lookup(f, dir_of(f, 0), "b", &e), 0);
    assert_int_equal(fake_link(f, e.node, dir_of(f, 1), "b2"), 0);
    fake_pass(f, 2000);
}

/* ---- operations ----------------------------------------------------------------------------- */

static int remove_far(struct fake *f)
{
    return fake_unlink(f, dir_of(f, 1), "far");
}

static int replace_far(struct fake *f)
{
    return fake_rename(f, dir_of(f, 1), "c", dir_of(f, 1), "far", 0);
}

static int replace_far_from_its_group(struct fake *f)
{
    return fake_rename(f, dir_of(f, 0), "a", dir_of(f, 1), "far", 0);
}

static int replace_far_from_a_third(struct fake *f)
{
    return fake_rename(f, dir_of(f, 2), "h", dir_of(f, 1), "far", 0);
}

static int move_far_here(struct fake *f)
{
    return fake_rename(f, dir_of(f, 1), "far", dir_of(f, 1), "far2", 0);
}

static int move_far_over(struct fake *f)
{
    return fake_rename(f, dir_of(f, 1), "far", dir_of(f, 1), "c", 0);
}

static int move_far_across(struct fake *f)
{
    return fake_rename(f, dir_of(f, 1), "far", dir_of(f, 2), "far2", 0);
}

static int exchange_far(struct fake *f)
{
    return fake_rename(f, dir_of(f, 1), "far", dir_of(f, 1), "c", EXCHANGE);
}

static int link_far(struct fake *f)
{
    struct nwr_fs_entry e;

    assert_int_equal(fake_lookup(f, dir_of(f, 1), "far", &e), 0);
    return fake_link(f, e.node, dir_of(f, 2), "far3");
}

static int remove_a_link_far(struct fake *f)
{
    return fake_unlink(f, dir_of(f, 1), "b2");
}

static int remove_a_link_here(struct fake *f)
{
    return fake_unlink(f, dir_of(f, 0), "b");
}

struct operation {
    const char *what;
    int (*run)(struct fake *f);
    const char *file;  /* in d2, that is edited */
    const char *added; /* the name that it is to have; NULL: none */
    bool grows;        /* a full disk may refuse it */
};

static const struct operation operations[] = {
    {"remove_far", remove_far, "far", NULL, false},
    {"replace_far", replace_far, "far", NULL, true},
    {"replace_far_from_its_group", replace_far_from_its_group, "far", NULL, true},
    {"replace_far_from_a_third", replace_far_from_a_third, "far", NULL, true},
    {"move_far_here", move_far_here, "far", "l /d2/far2", true},
    {"move_far_over", move_far_over, "far", "l /d2/c", true},
    {"move_far_across", move_far_across, "far", "l /d3/far2", true},
    {"exchange_far", exchange_far, "far", "l /d2/c", true},
    {"link_far", link_far, "far", "l /d3/far3", true},
    {"remove_a_link_far", remove_a_link_far, "b2", NULL, false},
    {"remove_a_link_here", remove_a_link_here, "b2", NULL, false},
};

/* ---- looking -------------------------------------------------------------------------------- */

/* How many names show the text; they are removed if wanted. */
static uint32_t names_of(struct fake *f, const char *text, bool remove)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < NWR_COUNT(dirs); i++) {
        char list[1024], *rest = list, content[64];
        const char *name;

        fake_ls(f, dir_of(f, i), list, sizeof(list));
        while ((name = strsep(&rest, " ")) && *name) {
            if (strcmp(fake_cat(f, dir_of(f, i), name, content, sizeof(content)), text) != 0)
                continue;
            n++;
            if (remove && fake_unlink(f, dir_of(f, i), name) != 0)
                assert_int_equal(fake_unlink(f, dir_of(f, i), name), ENOENT); /* it was a rename */
        }
    }
    return n;
}

static uint32_t fresh_names(struct fake *first, uint64_t seed, const char *text)
{
    struct fake f;
    uint32_t n;

    fake_second(&f, first, seed);
    n = names_of(&f, text, false);
    fake_deinit(&f);
    return n;
}

/* ---- scenes --------------------------------------------------------------------------------- */

struct scene {
    struct fake first, worker, writer;
    uint64_t node, fh;
    uint32_t wanted; /* PUTs of the operation */
};

/* `lives`: the mount is told ENOSPC, and has time afterwards; else it dies. */
static void begin(struct scene *s, const struct operation *op, uint32_t puts, bool lives)
{
    struct nwr_fs_entry e;

    fake_init(&s->first, 7);
    plant(&s->first);
    fake_second(&s->writer, &s->first, 20);
    assert_int_equal(fake_lookup(&s->writer, dir_of(&s->writer, 1), op->file, &e), 0);
    s->node = e.node;
    assert_int_equal(fake_open(&s->writer, s->node, 01, &s->fh), 0);
    fake_second(&s->worker, &s->first, 21);
    fake_reset(&s->worker);
    s->worker.put_max = puts;
    s->worker.fail_rest = lives ? NWR_E_NOSPC : NWR_OK;
    (void)op->run(&s->worker);
    s->wanted = s->worker.puts_tried;
    s->worker.put_max = UINT32_MAX;
    for (int i = 0; i < 4 && lives; i++)
        fake_pass(&s->worker, 3000);
    if (!lives)
        fake_deinit(&s->worker);
}

static void end(struct scene *s, bool lives)
{
    if (lives)
        fake_deinit(&s->worker);
    fake_deinit(&s->writer);
    fake_deinit(&s->first);
}

/* It came no further than the link of the new name, which is as if that were being made still: such
 * a file waits for `nwrfs check --repair` when it has lost its other names (README.md). */
static bool is_link_alone(struct scene *s, const struct operation *op)
{
    char text[2048];
    struct fake f;

    fake_second(&f, &s->first, 25);
    tree_check(&f, false, false, text, sizeof(text));
    fake_deinit(&f);
    return op->added && strstr(text, op->added);
}

/* Who looks finishes what he meets, hence twice. */
static void remove_all(struct scene *s)
{
    for (uint32_t round = 0; round < 2; round++) {
        struct fake f;

        fake_second(&f, &s->first, 30 + round);
        names_of(&f, "OLD", true);
        fake_pass(&f, 1);
        fake_deinit(&f);
    }
    assert_int_equal(fresh_names(&s->first, 32, "OLD"), 0);
}

/* True: the writer was told nothing bad. */
static bool edit(struct scene *s, const struct operation *op, uint32_t k, bool lives)
{
    int err = fake_write(&s->writer, s->node, s->fh, 0, "EDIT");

    err = err ? err : fake_close(&s->writer, s->node, s->fh);
    if (err)
        return false;
    for (uint32_t round = 0; round < 2; round++) {
        if (fresh_names(&s->first, 40 + round, "EDIT") == 0)
            fail_msg("%s, %u of %u PUTs, %s: what was written has no name, look %u", op->what, k,
                     s->wanted, lives ? "ENOSPC" : "death", round);
        for (int i = 0; i < 4; i++)
            fake_pass(&s->writer, 3000);
        for (int i = 0; i < 4 && lives; i++)
            fake_pass(&s->worker, 3000);
    }
    return true;
}

static void an_edit_after_half_an_operation_has_a_name(bool lives)
{
    uint32_t told = 0, all = 0;

    for (size_t i = 0; i < NWR_COUNT(operations); i++) {
        const struct operation *op = &operations[i];
        uint32_t puts = PUTS_MAX;

        for (uint32_t k = 0; k <= puts; k++, all++) {
            struct scene s;
            bool alone;

            begin(&s, op, k == 0 ? PUTS_MAX : k - 1, lives);
            if (k == 0)
                puts = s.wanted;
            alone = is_link_alone(&s, op);
            remove_all(&s);
            if (!alone)
                told += !edit(&s, op, k ? k - 1 : puts, lives);
            end(&s, lives);
        }
    }
    assert_int_equal(told, 0);
    assert_true(all > 40);
}

static void an_edit_after_a_death_has_a_name(void **state)
{
    (void)state;
    an_edit_after_half_an_operation_has_a_name(false);
}

static void an_edit_after_enospc_has_a_name(void **state)
{
    (void)state;
    an_edit_after_half_an_operation_has_a_name(true);
}

/* The mount that failed gives back what has no name, and no link too many stays. */
static void who_failed_leaves_nothing_to_repair(void **state)
{
    (void)state;
    for (size_t i = 0; i < NWR_COUNT(operations); i++) {
        const struct operation *op = &operations[i];
        uint32_t puts = PUTS_MAX;

        for (uint32_t k = 0; k <= puts; k++) {
            char text[2048];
            struct scene s;

            begin(&s, op, k == 0 ? PUTS_MAX : k - 1, true);
            if (k == 0)
                puts = s.wanted;
            fresh_names(&s.first, 50, "OLD");
            if (!is_link_alone(&s, op) && tree_check(&s.writer, true, false, text, sizeof(text)))
                fail_msg("%s, %u of %u PUTs: %s", op->what, k ? k - 1 : puts, puts, text);
            end(&s, true);
        }
    }
}

static void on_a_full_disk(const struct operation *op)
{
    struct fake first, worker;
    char text[2048];
    int err;

    fake_init(&first, 7);
    plant(&first);
    fake_second(&worker, &first, 21);
    nwr_store_mem_faults(first.store)->full = true;
    err = op->run(&worker);
    if (err && (err != ENOSPC || !op->grows))
        fail_msg("%s on a full disk: %d", op->what, err);
    fake_pass(&worker, 3000);
    nwr_store_mem_faults(first.store)->full = false;
    for (uint32_t round = 0; round < 2 && err; round++)
        if (fresh_names(&first, 60 + round, "OLD") != 3 || fresh_names(&first, 70, "A") != 1)
            fail_msg("%s was refused, and done", op->what);
    if (tree_check(&worker, false, false, text, sizeof(text)))
        fail_msg("%s on a full disk leaves: %s", op->what, text);
    fake_deinit(&worker);
    fake_deinit(&first);
}

/* Names are removed, of far inodes too. What needs room is refused before it has begun. */
static void a_full_disk_refuses_no_removal_and_leaves_nothing_half_done(void **state)
{
    (void)state;
    for (size_t i = 0; i < NWR_COUNT(operations); i++)
        on_a_full_disk(&operations[i]);
}

/* A name that went half-way is given again: its link is there, its name is not yet, and all else of
 * the file is removed and looked at for good. */
static void a_link_that_is_made_again_keeps_its_inode(void **state)
{
    struct fake first, worker, maker, remover;
    struct nwr_fs_entry e;
    struct nwr_fs_reply reply;
    struct nwr_fs_req *req;
    char text[2048];

    (void)state;
    fake_init(&first, 7);
    plant(&first);
    fake_second(&worker, &first, 21);
    worker.put_max = 2;
    assert_int_equal(remove_a_link_far(&worker), EHOSTDOWN);
    fake_deinit(&worker);

    fake_second(&maker, &first, 22);
    assert_int_equal(fake_lookup(&maker, dir_of(&maker, 0), "b", &e), 0);
    req = fake_req(NWR_FS_LINK, e.node, NULL);
    req->node2 = dir_of(&maker, 1);
    req->name2 = nwr_strdup("b2");
    fake_reset(&maker);
    maker.hold = true;
    fake_begin(&maker, req);
    while (maker.puts_tried == 0)
        fake_answer(&maker);
    assert_false(maker.answered);

    fake_second(&remover, &first, 23);
    assert_int_equal(fake_unlink(&remover, dir_of(&remover, 0), "b"), 0);
    assert_int_equal(fresh_names(&first, 24, "OLD"), 1); /* far */
    for (int i = 0; i < 6; i++)
        fake_pass(&remover, 3000);

    maker.hold = false;
    fake_drain(&maker);
    reply = fake_end(&maker);
    assert_int_equal(reply.err, 0);
    nwr_fs_reply_deinit(&reply);
    for (int i = 0; i < 6; i++)
        fake_pass(&remover, 3000);
    assert_int_equal(fresh_names(&first, 25, "OLD"), 2);
    assert_int_equal(tree_check(&remover, true, false, text, sizeof(text)), 0);
    fake_deinit(&maker);
    fake_deinit(&remover);
    fake_deinit(&first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_edit_after_a_death_has_a_name),
        cmocka_unit_test(an_edit_after_enospc_has_a_name),
        cmocka_unit_test(who_failed_leaves_nothing_to_repair),
        cmocka_unit_test(a_full_disk_refuses_no_removal_and_leaves_nothing_half_done),
        cmocka_unit_test(a_link_that_is_made_again_keeps_its_inode),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
