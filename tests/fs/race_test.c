/* race_test.c -- a call that another mount overtakes, or whose name stands beside what it did not
 * have to read: found by the simulator with mounts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>

#include "tests/lib/fake_volume.h"

enum {
    ROOT = 1,
    MKDIRS = 12
};

static char buf[65537];

/* Answers requests until one more PUT was tried, at most. */
static void answer_one_put(struct fake *f)
{
    uint32_t tried = f->puts_tried;

    while (f->nqueue && f->puts_tried == tried)
        fake_answer(f);
}

static struct nwr_fs_req *mkdir_of(const char *name)
{
    struct nwr_fs_req *req = fake_req(NWR_FS_MKDIR, ROOT, name);

    req->mode = 0755;
    return req;
}

/* Most directories have a group of their own: their inode goes first, then the name. */
static void mkdir_overtaken_after_its_inode_was_sent_says_that_the_name_exists(void **state)
{
    struct fake f, g;
    uint32_t overtaken = 0;

    (void)state;
    fake_init(&f, 5);
    fake_second(&g, &f, 9);
    for (int i = 0; i < MKDIRS; i++) {
        struct nwr_fs_reply r;
        char name[16];

        snprintf(name, sizeof(name), "d%d", i);
        fake_begin(&f, mkdir_of(name));
        answer_one_put(&f);
        if (!f.answered) {
            assert_int_equal(fake_mkdir(&g, ROOT, name, &(uint64_t){0}), 0);
            overtaken++;
        }
        fake_drain(&f);
        r = fake_end(&f);
        assert_true(r.err == 0 || r.err == EEXIST);
        nwr_fs_reply_deinit(&r);
    }
    assert_true(overtaken > 0);
    fake_deinit(&g);
    fake_deinit(&f);
}

static void a_name_that_only_the_coordinator_has_exists(void **state)
{
    struct fake f;

    (void)state;
    fake_init(&f, 5);
    f.fail_put = NWR_E_SUPERSEDED;
    assert_int_equal(fake_mkdir(&f, ROOT, "d", &(uint64_t){0}), EEXIST);
    fake_deinit(&f);
}

/* The version that is moved was replaced meanwhile, and its blocks are gone. */
static void a_rename_whose_blocks_are_gone_looks_again(void **state)
{
    struct nwr_fs_req *req;
    struct nwr_fs_reply r;
    struct fake f;

    (void)state;
    fake_init(&f, 5);
    assert_int_equal(fake_save(&f, ROOT, "a", "A"), 0);
    fake_pass(&f, 2000);
    req = fake_req(NWR_FS_RENAME, ROOT, "a");
    req->node2 = ROOT;
    req->name2 = nwr_strdup("b");
    f.fail_put = NWR_E_BLOCKS;
    fake_begin(&f, req);
    answer_one_put(&f);
    f.fail_put = NWR_OK;
    fake_drain(&f);
    r = fake_end(&f);
    assert_int_equal(r.err, 0);
    nwr_fs_reply_deinit(&r);
    assert_string_equal(fake_ls(&f, ROOT, buf, sizeof(buf)), "b");
    fake_deinit(&f);
}

/* Under the new name the siblings have names of their own, which may be taken. */
static void a_file_in_conflict_is_linked(void **state)
{
    struct fake_twin twin;
    struct fake side[2];
    struct nwr_fs_entry e;

    (void)state;
    fake_twin_init(&twin, 7);
    for (uint32_t i = 0; i < 2; i++)
        fake_at(&side[i], &twin, i, 11 + i);
    assert_int_equal(fake_save(&side[0], ROOT, "f", "old"), 0);
    fake_pass(&side[0], 2000);
    fake_twin_settle(&twin);
    twin.cut = true;
    assert_int_equal(fake_save(&side[0], ROOT, "f", "one"), 0);
    assert_int_equal(fake_save(&side[1], ROOT, "f", "two"), 0);
    fake_twin_settle(&twin);
    assert_non_null(strstr(fake_ls(&side[0], ROOT, buf, sizeof(buf)), "f.conflict."));
    assert_int_equal(fake_lookup(&side[0], ROOT, "f", &e), 0);
    assert_int_equal(fake_link(&side[0], e.node, ROOT, "g"), 0);
    assert_int_equal(fake_lookup(&side[0], ROOT, "g", &e), 0);
    for (int i = 0; i < 2; i++)
        fake_deinit(&side[i]);
    fake_twin_deinit(&twin);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mkdir_overtaken_after_its_inode_was_sent_says_that_the_name_exists),
        cmocka_unit_test(a_name_that_only_the_coordinator_has_exists),
        cmocka_unit_test(a_rename_whose_blocks_are_gone_looks_again),
        cmocka_unit_test(a_file_in_conflict_is_linked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
