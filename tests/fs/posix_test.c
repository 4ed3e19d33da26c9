/* posix_test.c -- what programs expect of any file system: attributes, counts, errnos. */
#include "tests/lib/fake_volume.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define ROOT 1

static int setup(void **state)
{
    struct fake *f = nwr_zalloc(sizeof(*f));
    struct stat st;

    fake_init(f, 7);
    assert_int_equal(fake_stat(f, ROOT, &st), 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fake *f = *state;

    fake_pass(f, 5000);
    nwr_mount_check(f->mount);
    fake_deinit(f);
    nwr_free(f);
    return 0;
}

static int set_attr(struct fake *f, struct nwr_fs_req *req, struct stat *st)
{
    struct nwr_fs_reply r = fake_call(f, req);
    int err = r.err;

    *st = r.entry.st;
    nwr_fs_reply_deinit(&r);
    return err;
}

static int make_node(struct fake *f, const char *name, uint32_t mode, uint64_t *node)
{
    struct nwr_fs_req *req = fake_req(NWR_FS_MKNOD, ROOT, name);
    struct nwr_fs_reply r;
    int err;

    req->mode = mode;
    r = fake_call(f, req);
    err = r.err;
    *node = r.entry.node;
    nwr_fs_reply_deinit(&r);
    return err;
}

static uint64_t links(struct fake *f, uint64_t node)
{
    struct stat st;

    assert_int_equal(fake_stat(f, node, &st), 0);
    return st.st_nlink;
}

static void atime_may_lie_before_the_birth_of_the_file(void **state)
{
    struct fake *f = *state;
    struct nwr_fs_entry e;
    struct nwr_fs_req *req;
    struct stat st;

    assert_int_equal(fake_save(f, ROOT, "a", "x"), 0);
    assert_int_equal(fake_lookup(f, ROOT, "a", &e), 0);
    req = fake_req(NWR_FS_SETATTR, e.node, NULL);
    req->set = NWR_SET_ATIME | NWR_SET_MTIME;
    req->atime = 100000000100000000u;
    req->mtime = 200000000200000000u;
    assert_int_equal(set_attr(f, req, &st), 0);
    assert_int_equal(fake_stat(f, e.node, &st), 0);
    assert_int_equal(st.st_atim.tv_sec, 100000000);
    assert_int_equal(st.st_atim.tv_nsec, 100000000);
    assert_int_equal(st.st_mtim.tv_sec, 200000000);
}

static void a_new_owner_strips_setuid_from_all_but_directories(void **state)
{
    static const struct {
        const char *name;
        uint32_t type, mode;
    } kinds[] = {{"file", S_IFREG, 0555}, {"fifo", S_IFIFO, 0555}, {"sock", S_IFSOCK, 0555}};
    struct fake *f = *state;
    struct nwr_fs_req *req;
    struct stat st;
    uint64_t node;

    for (size_t i = 0; i < NWR_COUNT(kinds); i++) {
        assert_int_equal(make_node(f, kinds[i].name, kinds[i].type | 06555, &node), 0);
        req = fake_req(NWR_FS_SETATTR, node, NULL);
        req->set = NWR_SET_GID;
        req->count = 7;
        assert_int_equal(set_attr(f, req, &st), 0);
        assert_int_equal(st.st_mode, kinds[i].type | kinds[i].mode);
    }
    assert_int_equal(fake_mkdir(f, ROOT, "dir", &node), 0);
    req = fake_req(NWR_FS_SETATTR, node, NULL);
    req->set = NWR_SET_MODE;
    req->mode = 06755;
    assert_int_equal(set_attr(f, req, &st), 0);
    req = fake_req(NWR_FS_SETATTR, node, NULL);
    req->set = NWR_SET_GID;
    req->count = 7;
    assert_int_equal(set_attr(f, req, &st), 0);
    assert_int_equal(st.st_mode, S_IFDIR | 06755);
}

static void a_directory_counts_its_subdirectories(void **state)
{
    struct fake *f = *state, g;
    uint64_t a, b, sub;

    assert_int_equal(fake_mkdir(f, ROOT, "a", &a), 0);
    assert_int_equal(fake_mkdir(f, ROOT, "b", &b), 0);
    assert_int_equal(links(f, ROOT), 4);
    assert_int_equal(links(f, a), 2);
    assert_int_equal(fake_save(f, a, "file", "x"), 0);
    assert_int_equal(fake_mkdir(f, a, "sub", &sub), 0);
    assert_int_equal(links(f, a), 3);
    assert_int_equal(fake_rename(f, a, "sub", b, "moved", 0), 0);
    assert_int_equal(links(f, a), 2);
    assert_int_equal(links(f, b), 3);
    fake_pass(f, 2000);
    fake_second(&g, f, 8);
    assert_int_equal(links(&g, ROOT), 4);
    assert_int_equal(fake_rmdir(f, b, "moved"), 0);
    assert_int_equal(links(f, b), 2);
    assert_int_equal(fake_rmdir(f, ROOT, "b"), 0);
    fake_pass(f, 2000); /* when the directory's times have gone out, others count again */
    assert_int_equal(links(&g, ROOT), 3);
    fake_deinit(&g);
}

static void counting_again_costs_nothing_while_nothing_changes(void **state)
{
    struct fake *f = *state;
    uint64_t a;

    assert_int_equal(fake_mkdir(f, ROOT, "a", &a), 0);
    fake_pass(f, 2000);
    assert_int_equal(links(f, ROOT), 3);
    fake_reset(f);
    assert_int_equal(links(f, ROOT), 3);
    assert_int_equal(f->reads, 1);
}

static void a_directory_of_more_than_a_page_is_not_counted(void **state)
{
    struct fake *f = *state;
    uint64_t node;
    char name[16];

    for (uint32_t i = 0; i <= NWR_SCAN_ROWS; i++) {
        snprintf(name, sizeof(name), "f%u", i);
        assert_int_equal(make_node(f, name, S_IFIFO | 0600, &node), 0);
    }
    assert_int_equal(fake_mkdir(f, ROOT, "z", &node), 0);
    assert_int_equal(links(f, ROOT), 1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(atime_may_lie_before_the_birth_of_the_file),
        T(a_new_owner_strips_setuid_from_all_but_directories),
        T(a_directory_counts_its_subdirectories),
        T(counting_again_costs_nothing_while_nothing_changes),
        T(a_directory_of_more_than_a_page_is_not_counted),
    };

    return cmocka_run_group_tests_name("posix", tests, NULL, NULL);
}
