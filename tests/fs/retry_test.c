/* retry_test.c -- a push that failed, or whose answer was lost, and what comes after it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>

#include "tests/lib/fake_volume.h"

enum {
    ROOT = 1
};

static char buf[65537];

static void save_again_after(enum nwr_err err, bool applied, nwr_ms pause, bool large)
{
    static char text[70001];
    struct fake f, g;
    struct nwr_fs_entry e;
    uint64_t node, fh;
    int eno;

    memset(text, 'x', large ? 70000 : 100);
    text[large ? 70000 : 100] = 0;
    fake_init(&f, 5);
    assert_int_equal(fake_save(&f, ROOT, "f", "old"), 0);
    fake_pass(&f, 2000);
    assert_int_equal(fake_create(&f, ROOT, "tmp", 01 | 01000, &node, &fh), 0);
    assert_int_equal(fake_write(&f, node, fh, 0, text), 0);
    f.fail_put = err;
    f.applied = applied;
    assert_int_not_equal(fake_fsync(&f, node, fh), 0);
    (void)fake_close(&f, node, fh);
    f.fail_put = NWR_OK;
    f.applied = false;
    if (pause)
        fake_pass(&f, pause);
    eno = fake_lookup(&f, ROOT, "tmp", &e);
    if (eno == 0) {
        node = e.node;
        assert_int_equal(fake_open(&f, node, 01 | 01000, &fh), 0);
    } else {
        assert_int_equal(fake_create(&f, ROOT, "tmp", 01 | 01000, &node, &fh), 0);
    }
    assert_int_equal(fake_write(&f, node, fh, 0, "new"), 0);
    assert_int_equal(fake_fsync(&f, node, fh), 0);
    assert_int_equal(fake_close(&f, node, fh), 0);
    assert_int_equal(fake_rename(&f, ROOT, "tmp", ROOT, "f", 0), 0);
    fake_pass(&f, 3000);
    assert_string_equal(fake_cat(&f, ROOT, "f", buf, sizeof(buf)), "new");
    assert_string_equal(fake_ls(&f, ROOT, buf, sizeof(buf)), "f");
    fake_second(&g, &f, 9);
    assert_string_equal(fake_cat(&g, ROOT, "f", buf, sizeof(buf)), "new");
    fake_deinit(&g);
    fake_deinit(&f);
}

static void a_temporary_file_is_written_again_after_its_push_failed(void **state)
{
    /* Only the first says that nobody has it. */
    static const enum nwr_err errors[] = {NWR_E_HOSTDOWN, NWR_E_TIMEDOUT, NWR_E_NOSPC, NWR_E_IO,
                                          NWR_E_BLOCKS};

    (void)state;
    for (size_t i = 0; i < NWR_COUNT(errors); i++)
        for (int j = 0; j < 8; j++)
            save_again_after(errors[i], i && j & 1, j & 2 ? 2000 : 0, j & 4);
}

/* The first coordinator gave it a dot, the second another one, and the first answered in the end:
 * who removes the file names the first dot only. */
static void a_creation_that_two_coordinators_took_goes_whole_when_it_is_removed(void **state)
{
    struct fake_twin twin;
    struct fake f;
    uint64_t node, fh;

    (void)state;
    fake_twin_init(&twin, 7);
    fake_at(&f, &twin, 0, 8);
    twin.cut = true;
    assert_int_equal(fake_create(&f, ROOT, "f", 01, &node, &fh), 0);
    assert_int_equal(fake_write(&f, node, fh, 0, "text"), 0);
    f.fail_put = NWR_E_TIMEDOUT;
    f.applied = true;
    assert_int_equal(fake_fsync(&f, node, fh), ETIMEDOUT);
    f.at = 1;
    assert_int_equal(fake_fsync(&f, node, fh), ETIMEDOUT);
    f.at = 0;
    f.fail_put = NWR_OK;
    f.applied = false;
    assert_int_equal(fake_fsync(&f, node, fh), 0);
    assert_int_equal(fake_close(&f, node, fh), 0);
    assert_int_equal(fake_unlink(&f, ROOT, "f"), 0);
    fake_twin_settle(&twin);
    assert_string_equal(fake_ls(&f, ROOT, buf, sizeof(buf)), "");
    fake_deinit(&f);
    fake_twin_deinit(&twin);
}

/* Nobody knows whether it happened, so it may still; what it moved is then not under its old name
 * any more, and must not be taken for replaced by what was saved meanwhile. */
static void a_rename_that_happens_after_all_loses_nothing(void **state)
{
    struct fake_twin twin;
    struct fake f;

    (void)state;
    fake_twin_init(&twin, 7);
    fake_at(&f, &twin, 0, 8);
    assert_int_equal(fake_save(&f, ROOT, "f", "one"), 0);
    assert_int_equal(fake_save(&f, ROOT, "other", "two"), 0);
    fake_pass(&f, 3000);
    fake_twin_settle(&twin);
    twin.cut = true;
    f.at = 1;
    f.fail_put = NWR_E_TIMEDOUT;
    f.applied = true;
    assert_int_equal(fake_rename(&f, ROOT, "other", ROOT, "f", 0), ETIMEDOUT);
    f.at = 0;
    f.fail_put = NWR_OK;
    f.applied = false;
    assert_int_equal(fake_save(&f, ROOT, "tmp", "three"), 0);
    assert_int_equal(fake_rename(&f, ROOT, "tmp", ROOT, "f", 0), 0);
    fake_twin_settle(&twin);
    assert_string_equal(fake_cat(&f, ROOT, "f", buf, sizeof(buf)), "three");
    assert_string_equal(fake_ls(&f, ROOT, buf, sizeof(buf)), "f f.conflict.2001");
    assert_string_equal(fake_cat(&f, ROOT, "f.conflict.2001", buf, sizeof(buf)), "two");
    fake_deinit(&f);
    fake_twin_deinit(&twin);
}

/* The process saves over what it read there, which was another file, and that fails. */
static void a_save_that_was_given_up_leaves_what_the_volume_holds(void **state)
{
    struct fake f, g;
    struct nwr_fs_entry e;
    uint64_t fh;

    (void)state;
    fake_init(&f, 5);
    f.process = 7;
    fake_second(&g, &f, 9);
    assert_int_equal(fake_save(&g, ROOT, "tmp", "new"), 0);
    assert_int_equal(fake_save(&f, ROOT, "f", "old"), 0);
    assert_string_equal(fake_cat(&f, ROOT, "f", buf, sizeof(buf)), "old");
    assert_int_equal(fake_rename(&g, ROOT, "tmp", ROOT, "f", 0), 0);
    fake_deinit(&g);
    assert_int_equal(fake_lookup(&f, ROOT, "f", &e), 0);
    assert_int_equal(fake_open(&f, e.node, 01 | 01000, &fh), 0);
    assert_int_equal(fake_write(&f, e.node, fh, 0, "lost"), 0);
    f.fail_put = NWR_E_NOSPC;
    assert_int_equal(fake_close(&f, e.node, fh), ENOSPC);
    f.fail_put = NWR_OK;
    assert_string_equal(fake_cat(&f, ROOT, "f", buf, sizeof(buf)), "new");
    fake_deinit(&f);
}

/* Its own mount replaced the file, and is told by a replica that has not heard of that. */
static void what_is_saved_under_a_name_of_before_is_there(void **state)
{
    struct fake_twin twin;
    struct fake f;
    struct nwr_fs_entry e;
    uint64_t fh;

    (void)state;
    fake_twin_init(&twin, 7);
    fake_at(&f, &twin, 0, 8);
    assert_int_equal(fake_save(&f, ROOT, "f", "one"), 0);
    fake_pass(&f, 3000);
    fake_twin_settle(&twin);
    twin.cut = true;
    assert_int_equal(fake_save(&f, ROOT, "tmp", "two"), 0);
    assert_int_equal(fake_rename(&f, ROOT, "tmp", ROOT, "f", 0), 0);
    fake_pass(&f, 3000);
    f.at = 1;
    assert_int_equal(fake_lookup(&f, ROOT, "f", &e), 0);
    assert_int_equal(fake_open(&f, e.node, 01 | 01000, &fh), 0);
    assert_int_equal(fake_write(&f, e.node, fh, 0, "three"), 0);
    assert_int_equal(fake_close(&f, e.node, fh), 0);
    f.at = 0;
    fake_twin_settle(&twin);
    assert_string_equal(fake_cat(&f, ROOT, "f", buf, sizeof(buf)), "two");
    assert_string_equal(fake_ls(&f, ROOT, buf, sizeof(buf)), "f f.conflict.6002");
    assert_string_equal(fake_cat(&f, ROOT, "f.conflict.6002", buf, sizeof(buf)), "three");
    fake_deinit(&f);
    fake_twin_deinit(&twin);
}

static struct nwr_fs_req *sync_of(enum nwr_fs_op op, uint64_t node, uint64_t fh)
{
    struct nwr_fs_req *req = fake_req(op, node, NULL);

    req->fh = fh;
    return req;
}

/* Two at once: a program that syncs, and the close of a descriptor that a child had from it. */
static int told_beside(enum nwr_fs_op op, enum nwr_fs_op beside, bool first)
{
    struct nwr_fs_event ev = {.kind = NWR_FS_EV_REQUEST};
    struct nwr_fs_reply r;
    uint64_t node, fh;
    struct fake f;
    int err;

    fake_init(&f, 5);
    assert_int_equal(fake_create(&f, ROOT, "f", 01, &node, &fh), 0);
    assert_int_equal(fake_write(&f, node, fh, 0, "text"), 0);
    f.fail_put = NWR_E_HOSTDOWN;
    f.hold = true;
    ev.req = sync_of(beside, node, fh);
    if (first)
        fake_step(&f, &ev);
    fake_begin(&f, sync_of(op, node, fh));
    if (!first)
        fake_step(&f, &ev);
    fake_drain(&f);
    r = fake_end(&f);
    err = r.err;
    nwr_fs_reply_deinit(&r);
    f.hold = false;
    fake_deinit(&f);
    return err;
}

static void all_who_wait_for_a_push_are_told_that_it_failed(void **state)
{
    (void)state;
    for (int first = 0; first < 2; first++) {
        assert_int_equal(told_beside(NWR_FS_FSYNC, NWR_FS_FLUSH, first), EHOSTDOWN);
        assert_int_equal(told_beside(NWR_FS_FLUSH, NWR_FS_FSYNC, first), EHOSTDOWN);
        assert_int_equal(told_beside(NWR_FS_FSYNC, NWR_FS_FSYNC, first), EHOSTDOWN);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_creation_that_two_coordinators_took_goes_whole_when_it_is_removed),
        cmocka_unit_test(a_rename_that_happens_after_all_loses_nothing),
        cmocka_unit_test(a_temporary_file_is_written_again_after_its_push_failed),
        cmocka_unit_test(a_save_that_was_given_up_leaves_what_the_volume_holds),
        cmocka_unit_test(what_is_saved_under_a_name_of_before_is_there),
        cmocka_unit_test(all_who_wait_for_a_push_are_told_that_it_failed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
