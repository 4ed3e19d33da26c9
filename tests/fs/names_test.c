/* names_test.c -- stories of names and files on one mount, over a volume in memory. */
#include "fs/core/state.h"
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

    fake_init(f, 42);
    assert_int_equal(fake_stat(f, ROOT, &st), 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fake *f = *state;

    fake_pass(f, 5000);
    fake_deinit(f);
    nwr_free(f);
    return 0;
}

static char buf[70000];

static void create_write_close_is_one_put(void **state)
{
    struct fake *f = *state;
    uint64_t node, fh;
    struct nwr_fs_entry e;

    assert_int_equal(fake_save(f, ROOT, "first", "x"), 0); /* numbers are fetched once */
    fake_reset(f);
    assert_int_equal(fake_lookup(f, ROOT, "a", &e), ENOENT);
    assert_int_equal(fake_create(f, ROOT, "a", 01, &node, &fh), 0);
    assert_int_equal(fake_write(f, node, fh, 0, "hello"), 0);
    assert_int_equal(f->puts, 0);
    assert_int_equal(fake_close(f, node, fh), 0);
    assert_int_equal(f->puts, 1);
    assert_int_equal(f->reads, 1);
    assert_string_equal(fake_cat(f, ROOT, "a", buf, sizeof(buf)), "hello");
}

static void root_has_implicit_attributes(void **state)
{
    struct fake *f = *state;
    struct stat st;

    assert_int_equal(fake_stat(f, ROOT, &st), 0);
    assert_int_equal(st.st_mode, S_IFDIR | 0755);
    assert_int_equal(st.st_ino, 1);
}

static void own_mount_sees_what_is_not_sent(void **state)
{
    struct fake *f = *state;
    uint64_t node, fh;
    struct nwr_fs_entry e;

    assert_int_equal(fake_create(f, ROOT, "a", 01, &node, &fh), 0);
    assert_int_equal(fake_write(f, node, fh, 0, "hello"), 0);
    assert_int_equal(f->puts, 0);
    assert_int_equal(fake_lookup(f, ROOT, "a", &e), 0);
    assert_int_equal(e.node, node);
    assert_int_equal(e.st.st_size, 5);
    assert_int_equal(e.st.st_nlink, 1);
    assert_int_equal(e.st.st_uid, 1000);
    assert_string_equal(fake_ls(f, ROOT, buf, sizeof(buf)), "a");
    assert_string_equal(fake_cat(f, ROOT, "a", buf, sizeof(buf)), "hello");
    assert_int_equal(f->puts, 0);
    fake_pass(f, 1500);
    assert_int_equal(f->puts, 2); /* the file; the directory's times */
    assert_int_equal(fake_close(f, node, fh), 0);
    assert_int_equal(f->puts, 2);
}

static void unlinked_before_the_push_sends_nothing(void **state)
{
    struct fake *f = *state;
    uint64_t node, fh;
    struct stat st;

    assert_int_equal(fake_create(f, ROOT, "tmp", 02, &node, &fh), 0);
    assert_int_equal(fake_write(f, node, fh, 0, "scratch"), 0);
    assert_int_equal(fake_unlink(f, ROOT, "tmp"), 0);
    assert_string_equal(fake_ls(f, ROOT, buf, sizeof(buf)), "");
    assert_int_equal(fake_stat(f, node, &st), 0);
    assert_int_equal(st.st_size, 7);
    assert_int_equal(st.st_nlink, 0);
    assert_int_equal(fake_write(f, node, fh, 7, "more"), 0);
    assert_int_equal(fake_close(f, node, fh), 0);
    assert_int_equal(f->puts, 0);
}

static void second_mount_sees_what_was_closed(void **state)
{
    struct fake *f = *state, g;
    struct nwr_fs_entry e;

    fake_second(&g, f, 43);
    assert_int_equal(fake_save(f, ROOT, "a", "one"), 0);
    assert_string_equal(fake_cat(&g, ROOT, "a", buf, sizeof(buf)), "one");
    assert_int_equal(fake_save(f, ROOT, "a", "three"), 0);
    assert_string_equal(fake_cat(&g, ROOT, "a", buf, sizeof(buf)), "three");
    assert_int_equal(fake_save(&g, ROOT, "a", "four"), 0);
    assert_string_equal(fake_cat(f, ROOT, "a", buf, sizeof(buf)), "four");
    assert_int_equal(fake_lookup(f, ROOT, "a", &e), 0);
    assert_int_equal(e.st.st_size, 4);
    fake_deinit(&g);
}

static void exclusive_create_has_one_winner(void **state)
{
    struct fake *f = *state, g;
    uint64_t node, fh;
    struct nwr_fs_entry e;

    fake_second(&g, f, 43);
    assert_int_equal(fake_lookup(f, ROOT, "lock", &e), ENOENT);
    assert_int_equal(fake_lookup(&g, ROOT, "lock", &e), ENOENT);
    assert_int_equal(fake_create(f, ROOT, "lock", 0201, &node, &fh), 0);
    assert_int_equal(fake_create(&g, ROOT, "lock", 0201, &node, &fh), EEXIST);
    fake_deinit(&g);
}

static void directories_are_made_and_removed(void **state)
{
    struct fake *f = *state;
    uint64_t dir, sub, none;

    assert_int_equal(fake_mkdir(f, ROOT, "d", &dir), 0);
    assert_int_equal(fake_mkdir(f, ROOT, "d", &none), EEXIST);
    assert_int_equal(fake_mkdir(f, dir, "e", &sub), 0);
    assert_int_equal(fake_rmdir(f, ROOT, "d"), ENOTEMPTY);
    assert_int_equal(fake_unlink(f, ROOT, "d"), EISDIR);
    assert_int_equal(fake_save(f, sub, "x", "1"), 0);
    assert_int_equal(fake_rmdir(f, dir, "e"), ENOTEMPTY);
    assert_int_equal(fake_unlink(f, sub, "x"), 0);
    assert_int_equal(fake_rmdir(f, dir, "e"), 0);
    assert_int_equal(fake_rmdir(f, ROOT, "d"), 0);
    assert_string_equal(fake_ls(f, ROOT, buf, sizeof(buf)), "");
    assert_int_equal(fake_save(f, sub, "y", "1"), ENOENT);
}

static void rename_moves_over_and_across(void **state)
{
    struct fake *f = *state;
    uint64_t a, b;

    assert_int_equal(fake_mkdir(f, ROOT, "a", &a), 0);
    assert_int_equal(fake_mkdir(f, ROOT, "b", &b), 0);
    assert_int_equal(fake_save(f, a, "x", "one"), 0);
    assert_int_equal(fake_save(f, a, "y", "two"), 0);
    fake_reset(f);
    assert_int_equal(fake_rename(f, a, "x", a, "y", 0), 0);
    assert_int_equal(f->puts, 1);
    assert_string_equal(fake_ls(f, a, buf, sizeof(buf)), "y");
    assert_string_equal(fake_cat(f, a, "y", buf, sizeof(buf)), "one");
    assert_int_equal(fake_rename(f, a, "y", b, "z", 0), 0);
    assert_string_equal(fake_cat(f, b, "z", buf, sizeof(buf)), "one");
    assert_string_equal(fake_ls(f, a, buf, sizeof(buf)), "");
    assert_int_equal(fake_rename(f, ROOT, "b", ROOT, "a", 0), 0);
    assert_string_equal(fake_ls(f, ROOT, buf, sizeof(buf)), "a");
    assert_int_equal(fake_rename(f, ROOT, "none", ROOT, "a", 0), ENOENT);
}

/* The mount of a rename across groups dies after its n-th batch; another one meets the rest. */
static void check_broken_rename(struct fake *f, uint32_t n, bool dir)
{
    struct fake g;
    uint64_t a, b, c, node;
    struct nwr_fs_entry e;
    int err;
    char from[8], to[8];

    snprintf(from, sizeof(from), "a%u%d", n, dir);
    snprintf(to, sizeof(to), "b%u%d", n, dir);
    assert_int_equal(fake_mkdir(f, ROOT, from, &a), 0);
    assert_int_equal(fake_mkdir(f, ROOT, to, &b), 0);
    assert_int_equal(dir ? fake_mkdir(f, a, "x", &node) : fake_save(f, a, "x", "data"), 0);
    fake_second(&g, f, 100 + n);
    assert_int_equal(fake_lookup(&g, ROOT, from, &e), 0);
    a = e.node;
    assert_int_equal(fake_lookup(&g, ROOT, to, &e), 0);
    b = e.node;
    fake_reset(&g);
    g.put_max = n;
    err = fake_rename(&g, a, "x", b, "y", 0);
    assert_int_equal(err, g.puts > n ? EHOSTDOWN : 0);
    fake_deinit(&g);
    fake_second(&g, f, 200 + n);
    assert_int_equal(fake_lookup(&g, ROOT, from, &e), 0);
    c = e.node;
    assert_int_equal(fake_lookup(&g, ROOT, to, &e), 0);
    b = e.node;
    fake_lookup(&g, c, "x", &e); /* meets it */
    assert_string_equal(fake_ls(&g, c, buf, sizeof(buf)), n ? "" : "x");
    assert_string_equal(fake_ls(&g, b, buf, sizeof(buf)), n ? "y" : "");
    assert_int_equal(fake_lookup(&g, n ? b : c, n ? "y" : "x", &e), 0);
    assert_int_equal(e.st.st_nlink, 1);
    fake_deinit(&g);
}

static void broken_rename_is_finished_by_who_meets_it(void **state)
{
    for (uint32_t n = 0; n < 5; n++) {
        check_broken_rename(*state, n, false);
        check_broken_rename(*state, n, true);
    }
}

static void old_name_given_anew_is_no_broken_rename(void **state)
{
    struct fake *f = *state;
    struct nwr_fs_entry e;
    uint64_t a, b;

    assert_int_equal(fake_mkdir(f, ROOT, "a", &a), 0);
    assert_int_equal(fake_mkdir(f, ROOT, "b", &b), 0);
    assert_int_equal(fake_save(f, a, "x", "data"), 0);
    assert_int_equal(fake_rename(f, a, "x", b, "y", 0), 0);
    assert_int_equal(fake_lookup(f, b, "y", &e), 0);
    assert_int_equal(fake_link(f, e.node, a, "x"), 0);
    assert_int_equal(fake_lookup(f, a, "x", &e), 0);
    assert_int_equal(e.st.st_nlink, 2);
    assert_string_equal(fake_ls(f, a, buf, sizeof(buf)), "x");
}

static void entry_without_its_inode_asks_the_others(void **state)
{
    struct fake *f = *state;
    struct nwr_fs_entry e;
    uint64_t d;

    assert_int_equal(fake_save(f, ROOT, "a", "data"), 0);
    assert_int_equal(fake_mkdir(f, ROOT, "d", &d), 0);
    fake_pass(f, 2000);
    f->behind = true;
    assert_int_equal(fake_lookup(f, ROOT, "a", &e), 0);
    assert_int_equal(e.st.st_size, 4);
    assert_int_equal(fake_lookup(f, ROOT, "d", &e), 0);
    assert_int_equal(e.st.st_mode, S_IFDIR | 0755);
    f->behind = false;
}

static void rename_refuses_as_it_must(void **state)
{
    struct fake *f = *state;
    uint64_t a, b;

    assert_int_equal(fake_mkdir(f, ROOT, "a", &a), 0);
    assert_int_equal(fake_mkdir(f, ROOT, "b", &b), 0);
    assert_int_equal(fake_save(f, ROOT, "x", "one"), 0);
    assert_int_equal(fake_save(f, ROOT, "y", "two"), 0);
    assert_int_equal(fake_save(f, b, "in", "b"), 0);
    assert_int_equal(fake_rename(f, ROOT, "x", ROOT, "y", 1), EEXIST);
    assert_int_equal(fake_rename(f, ROOT, "x", ROOT, "a", 0), EISDIR);
    assert_int_equal(fake_rename(f, ROOT, "a", ROOT, "x", 0), ENOTDIR);
    assert_int_equal(fake_rename(f, ROOT, "a", ROOT, "b", 0), ENOTEMPTY);
    assert_int_equal(fake_rename(f, ROOT, "a", a, "self", 0), EINVAL);
    assert_int_equal(fake_rename(f, ROOT, "x", ROOT, "y", 2), 0);
    assert_string_equal(fake_cat(f, ROOT, "x", buf, sizeof(buf)), "two");
    assert_string_equal(fake_cat(f, ROOT, "y", buf, sizeof(buf)), "one");
}

static void renamed_files_leave_the_count_of_subdirectories(void **state)
{
    struct fake *f = *state;
    uint64_t a, b, sub;
    struct stat st;

    assert_int_equal(fake_mkdir(f, ROOT, "a", &a), 0);
    assert_int_equal(fake_mkdir(f, ROOT, "b", &b), 0);
    assert_int_equal(fake_mkdir(f, a, "sub", &sub), 0);
    assert_int_equal(fake_save(f, a, "x", "1"), 0);
    fake_pass(f, 3000);
    assert_int_equal(fake_stat(f, a, &st), 0);
    assert_int_equal(st.st_nlink, 3);
    assert_int_equal(fake_stat(f, b, &st), 0);
    assert_int_equal(fake_rename(f, a, "x", a, "y", 0), 0);
    assert_int_equal(fake_rename(f, a, "y", b, "z", 0), 0);
    fake_reset(f);
    assert_int_equal(fake_stat(f, a, &st), 0);
    assert_int_equal(st.st_nlink, 3);
    assert_int_equal(fake_stat(f, b, &st), 0);
    assert_int_equal(st.st_nlink, 2);
    assert_int_equal(f->pages, 0);
    assert_int_equal(fake_rename(f, a, "sub", b, "sub", 0), 0);
    assert_int_equal(fake_stat(f, a, &st), 0);
    assert_int_equal(st.st_nlink, 2);
    assert_int_equal(fake_stat(f, b, &st), 0);
    assert_int_equal(st.st_nlink, 3);
    assert_true(f->pages > 0);
}

static void links_are_counted(void **state)
{
    struct fake *f = *state;
    struct nwr_fs_entry e;
    struct stat st;
    uint64_t d;

    assert_int_equal(fake_mkdir(f, ROOT, "d", &d), 0);
    assert_int_equal(fake_save(f, ROOT, "a", "data"), 0);
    assert_int_equal(fake_lookup(f, ROOT, "a", &e), 0);
    assert_int_equal(fake_link(f, e.node, d, "b"), 0);
    assert_int_equal(fake_link(f, e.node, d, "b"), EEXIST);
    assert_int_equal(fake_stat(f, e.node, &st), 0);
    assert_int_equal(st.st_nlink, 2);
    assert_int_equal(fake_unlink(f, ROOT, "a"), 0);
    assert_int_equal(fake_stat(f, e.node, &st), 0);
    assert_int_equal(st.st_nlink, 1);
    assert_string_equal(fake_cat(f, d, "b", buf, sizeof(buf)), "data");
    assert_int_equal(fake_rename(f, d, "b", d, "b", 0), 0);
    assert_string_equal(fake_cat(f, d, "b", buf, sizeof(buf)), "data");
}

static void unlinked_open_file_goes_on(void **state)
{
    struct fake *f = *state;
    struct nwr_fs_entry e;
    struct nwr_fs_req *req;
    struct nwr_fs_reply r;
    uint64_t fh;

    assert_int_equal(fake_save(f, ROOT, "a", "data"), 0);
    assert_int_equal(fake_lookup(f, ROOT, "a", &e), 0);
    assert_int_equal(fake_open(f, e.node, 2, &fh), 0);
    assert_int_equal(fake_unlink(f, ROOT, "a"), 0);
    fake_pass(f, 60000);
    assert_int_equal(fake_write(f, e.node, fh, 4, "more"), 0);
    req = fake_req(NWR_FS_READ, e.node, NULL);
    req->fh = fh;
    req->size = 100;
    r = fake_call(f, req);
    assert_int_equal(r.err, 0);
    nwr_fs_reply_deinit(&r);
    assert_int_equal(fake_close(f, e.node, fh), 0);
    assert_int_equal(fake_lookup(f, ROOT, "a", &e), ENOENT);
}

static void failed_push_is_reported_at_close(void **state)
{
    struct fake *f = *state;
    uint64_t node, fh;

    assert_int_equal(fake_create(f, ROOT, "a", 01, &node, &fh), 0);
    assert_int_equal(fake_write(f, node, fh, 0, "hello"), 0);
    f->fail_put = NWR_E_HOSTDOWN;
    assert_int_equal(fake_close(f, node, fh), EHOSTDOWN);
    f->fail_put = NWR_OK;
    fake_pass(f, 5000);
    assert_string_equal(fake_cat(f, ROOT, "a", buf, sizeof(buf)), "!2");
}

static void failed_background_push_is_tried_again(void **state)
{
    struct fake *f = *state;
    uint64_t node, fh;

    assert_int_equal(fake_create(f, ROOT, "a", 01, &node, &fh), 0);
    assert_int_equal(fake_write(f, node, fh, 0, "hello"), 0);
    f->fail_put = NWR_E_TIMEDOUT;
    fake_pass(f, 1500);
    f->fail_put = NWR_OK;
    fake_pass(f, 3000);
    assert_int_equal(fake_close(f, node, fh), 0);
    assert_string_equal(fake_cat(f, ROOT, "a", buf, sizeof(buf)), "hello");
}

static void setattr_of_a_new_file_travels_with_it(void **state)
{
    struct fake *f = *state;
    struct nwr_fs_req *req;
    struct nwr_fs_reply r;
    uint64_t node, fh;

    assert_int_equal(fake_save(f, ROOT, "first", "x"), 0);
    fake_pass(f, 2000);
    fake_reset(f);
    assert_int_equal(fake_create(f, ROOT, "a", 01, &node, &fh), 0);
    assert_int_equal(fake_write(f, node, fh, 0, "hello"), 0);
    req = fake_req(NWR_FS_SETATTR, node, NULL);
    req->set = NWR_SET_MODE | NWR_SET_MTIME | NWR_SET_UID;
    req->mode = 0600;
    req->mtime = 1234567890123456789u;
    req->count = (uint64_t)5 << 32;
    r = fake_call(f, req);
    assert_int_equal(r.err, 0);
    assert_int_equal(r.entry.st.st_mode, S_IFREG | 0600);
    nwr_fs_reply_deinit(&r);
    assert_int_equal(fake_close(f, node, fh), 0);
    assert_int_equal(f->puts, 1);
    {
        struct stat st;

        assert_int_equal(fake_stat(f, node, &st), 0);
        assert_int_equal(st.st_mode, S_IFREG | 0600);
        assert_int_equal(st.st_uid, 5);
        assert_int_equal(st.st_mtim.tv_sec, 1234567890);
        assert_int_equal(st.st_mtim.tv_nsec, 123456789);
        assert_int_equal(st.st_size, 5);
    }
}

static void mtime_that_was_set_ends_with_the_next_content(void **state)
{
    struct fake *f = *state;
    struct nwr_fs_req *req;
    struct nwr_fs_reply r;
    struct nwr_fs_entry e;
    struct stat st;

    assert_int_equal(fake_save(f, ROOT, "a", "x"), 0);
    assert_int_equal(fake_lookup(f, ROOT, "a", &e), 0);
    req = fake_req(NWR_FS_SETATTR, e.node, NULL);
    req->set = NWR_SET_MTIME;
    req->mtime = 5000000000u;
    r = fake_call(f, req);
    assert_int_equal(r.err, 0);
    assert_int_equal(r.entry.st.st_mtim.tv_sec, 5);
    nwr_fs_reply_deinit(&r);
    assert_int_equal(fake_save(f, ROOT, "a", "y"), 0);
    assert_int_equal(fake_stat(f, e.node, &st), 0);
    assert_true(st.st_mtim.tv_sec > 1600000000);
}

static void truncate_by_name_is_sent_at_once(void **state)
{
    struct fake *f = *state;
    struct nwr_fs_req *req;
    struct nwr_fs_reply r;
    struct nwr_fs_entry e;

    assert_int_equal(fake_save(f, ROOT, "a", "hello"), 0);
    assert_int_equal(fake_lookup(f, ROOT, "a", &e), 0);
    fake_reset(f);
    req = fake_req(NWR_FS_SETATTR, e.node, NULL);
    req->set = NWR_SET_SIZE;
    req->size = 3;
    r = fake_call(f, req);
    assert_int_equal(r.err, 0);
    assert_int_equal(r.entry.st.st_size, 3);
    nwr_fs_reply_deinit(&r);
    assert_int_equal(f->puts, 1);
    assert_string_equal(fake_cat(f, ROOT, "a", buf, sizeof(buf)), "hel");
}

static void listing_with_attributes_is_one_scan_a_page(void **state)
{
    struct fake *f = *state;
    struct nwr_fs_req *req;
    struct nwr_fs_reply r;
    char name[32];

    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof(name), "file%03d", i);
        assert_int_equal(fake_save(f, ROOT, name, "data"), 0);
    }
    fake_pass(f, 3000);
    r = fake_call(f, fake_req(NWR_FS_OPENDIR, ROOT, NULL));
    fake_reset(f);
    req = fake_req(NWR_FS_READDIRPLUS, ROOT, NULL);
    req->fh = r.fh;
    req->size = 65536;
    r = fake_call(f, req);
    assert_int_equal(r.ndirent, 102);
    assert_int_equal(f->reads, 1);
    for (uint32_t i = 2; i < r.ndirent; i++) {
        assert_true(r.dirent[i].e.node > 1);
        assert_int_equal(r.dirent[i].e.st.st_size, 4);
    }
    nwr_fs_reply_deinit(&r);
}

/* Names that the snapshots under way hold. */
static uint32_t names_held(const struct fake *f)
{
    uint32_t n = 0;

    for (const struct nwr_txn *t = f->mount->txns; t; t = t->next)
        for (uint32_t i = 0; i < t->rows.n; i++)
            n += t->rows.row[i].key.b[2] == 'E';
    return n;
}

static void listing_what_was_removed_holds_a_page_at_a_time(void **state)
{
    const uint32_t names = 4 * NWR_SCAN_ROWS;
    struct fake *f = *state;
    uint64_t dir, node, fh, born;
    uint32_t most = 0;
    struct nwr_fs_req *req;
    struct nwr_fs_reply r;
    char name[32];

    assert_int_equal(fake_mkdir(f, ROOT, "d", &dir), 0);
    for (uint32_t i = 0; i < names; i++) {
        snprintf(name, sizeof(name), "n%05u", i);
        assert_int_equal(fake_create(f, dir, name, 01, &node, &fh), 0);
        assert_int_equal(fake_close(f, node, fh), 0);
    }
    for (uint32_t i = 0; i < names; i++) {
        snprintf(name, sizeof(name), "n%05u", i);
        if (i != names / 2 && i != names - 1)
            assert_int_equal(fake_unlink(f, dir, name), 0);
    }
    fake_pass(f, 3000);
    assert_int_equal(fake_create(f, dir, "n00001+", 01, &born, &fh), 0); /* nobody else knows */
    assert_string_equal(fake_ls(f, dir, buf, sizeof(buf)), "n00001+ n02048 n04095");

    /* A cookie behind the end: all pages in one call. */
    req = fake_req(NWR_FS_OPENDIR, dir, NULL);
    fh = fake_call(f, req).fh;
    fake_reset(f);
    req = fake_req(NWR_FS_READDIR, dir, NULL);
    req->fh = fh;
    req->off = 100;
    req->size = 4096;
    f->hold = true;
    for (fake_begin(f, req); !f->answered; most = NWR_MAX(most, names_held(f)))
        fake_answer(f);
    f->hold = false;
    r = fake_end(f);
    assert_int_equal(r.ndirent, 0);
    nwr_fs_reply_deinit(&r);
    assert_true(f->pages >= 4);
    assert_in_range(most, 0, NWR_SCAN_ROWS + 2); /* and what else there is of its last name */
}

static void names_just_listed_are_looked_up_from_the_listing(void **state)
{
    struct fake *f = *state, g;
    struct nwr_fs_req *req;
    struct nwr_fs_reply r;
    struct nwr_fs_entry e, e2;

    fake_second(&g, f, 43);
    assert_int_equal(fake_save(f, ROOT, "a", "data"), 0);
    r = fake_call(&g, fake_req(NWR_FS_OPENDIR, ROOT, NULL));
    req = fake_req(NWR_FS_READDIRPLUS, ROOT, NULL);
    req->fh = r.fh;
    req->size = 4096;
    r = fake_call(&g, req);
    assert_int_equal(r.ndirent, 3);
    e = r.dirent[2].e;
    nwr_fs_reply_deinit(&r);
    fake_reset(&g);
    assert_int_equal(fake_lookup(&g, ROOT, "a", &e2), 0);
    assert_int_equal(e2.node, e.node);
    assert_int_equal(g.reads, 0);
    fake_pass(&g, 1100);
    assert_int_equal(fake_save(f, ROOT, "a", "longer"), 0);
    assert_int_equal(fake_lookup(&g, ROOT, "a", &e2), 0);
    assert_int_equal(e2.st.st_size, 6);
    fake_deinit(&g);
}

static void fsync_goes_to_disk(void **state)
{
    struct fake *f = *state;
    uint64_t node, fh;

    assert_int_equal(fake_create(f, ROOT, "a", 01, &node, &fh), 0);
    assert_int_equal(fake_write(f, node, fh, 0, "hello"), 0);
    assert_int_equal(fake_fsync(f, node, fh), 0);
    assert_int_equal(f->level, NWR_LEVEL_DISK);
    fake_reset(f);
    assert_int_equal(fake_fsync(f, node, fh), 0);
    assert_int_equal(f->puts, 0);
    assert_int_equal(fake_close(f, node, fh), 0);
}

static void removed_file_gives_its_space_back(void **state)
{
    struct fake *f = *state;
    struct nwr_store_stat st;

    assert_int_equal(fake_save(f, ROOT, "a", "some data that stays in a block"), 0);
    assert_int_equal(fake_unlink(f, ROOT, "a"), 0);
    fake_pass(f, 10000);
    fake_pass(f, 10000);
    f->store->stat(f->store, &st);
    assert_int_equal(st.blocks, 0);
}

static void symlinks_and_nodes(void **state)
{
    struct fake *f = *state;
    struct nwr_fs_req *req = fake_req(NWR_FS_SYMLINK, ROOT, "l");
    struct nwr_fs_reply r;
    struct nwr_fs_entry e;

    req->name2 = nwr_strdup("to/where");
    r = fake_call(f, req);
    assert_int_equal(r.err, 0);
    assert_int_equal(r.entry.st.st_mode, S_IFLNK | 0777);
    assert_int_equal(r.entry.st.st_size, 8);
    e = r.entry;
    nwr_fs_reply_deinit(&r);
    r = fake_call(f, fake_req(NWR_FS_READLINK, e.node, NULL));
    assert_int_equal(r.data->len, 8);
    assert_memory_equal(r.data->data, "to/where", 8);
    nwr_fs_reply_deinit(&r);
    req = fake_req(NWR_FS_MKNOD, ROOT, "p");
    req->mode = S_IFIFO | 0644;
    r = fake_call(f, req);
    assert_int_equal(r.err, 0);
    assert_int_equal(r.entry.st.st_mode, S_IFIFO | 0644);
    nwr_fs_reply_deinit(&r);
}

static void xattrs_come_and_go(void **state)
{
    struct fake *f = *state;
    struct nwr_fs_req *req;
    struct nwr_fs_reply r;
    uint64_t node, fh;

    assert_int_equal(fake_create(f, ROOT, "a", 01, &node, &fh), 0);
    req = fake_req(NWR_FS_SETXATTR, node, "user.k");
    req->data = nwr_blob_copy("v1", 2);
    r = fake_call(f, req);
    assert_int_equal(r.err, 0);
    assert_int_equal(f->puts, 0);
    assert_int_equal(fake_close(f, node, fh), 0);
    assert_int_equal(f->puts, 1);
    req = fake_req(NWR_FS_GETXATTR, node, "user.k");
    req->size = 10;
    r = fake_call(f, req);
    assert_int_equal(r.data->len, 2);
    nwr_fs_reply_deinit(&r);
    r = fake_call(f, fake_req(NWR_FS_REMOVEXATTR, node, "user.k"));
    assert_int_equal(r.err, 0);
    r = fake_call(f, fake_req(NWR_FS_GETXATTR, node, "user.k"));
    assert_int_equal(r.err, ENODATA);
}

static void push_under_way_is_waited_for(void **state)
{
    struct fake *f = *state;
    uint64_t node, fh;
    struct nwr_fs_req *req;
    struct nwr_fs_reply r;

    assert_int_equal(fake_save(f, ROOT, "first", "x"), 0);
    assert_int_equal(fake_create(f, ROOT, "a", 01, &node, &fh), 0);
    assert_int_equal(fake_write(f, node, fh, 0, "hello"), 0);
    f->hold = true;
    fake_pass(f, 1500); /* the push begins */
    fake_begin(f, fake_req(NWR_FS_UNLINK, ROOT, "a"));
    req = f->waiting;
    assert_false(f->answered);
    f->hold = false;
    fake_drain(f);
    assert_true(f->answered);
    assert_ptr_equal(req, f->waiting);
    r = fake_end(f);
    assert_int_equal(r.err, 0);
    assert_string_equal(fake_cat(f, ROOT, "a", buf, sizeof(buf)), "!2");
    assert_int_equal(fake_close(f, node, fh), 0);
}

static void forgotten_nodes_go(void **state)
{
    struct fake *f = *state;
    struct nwr_fs_event ev = {.kind = NWR_FS_EV_REQUEST};
    struct nwr_fs_effects out = {0};
    struct nwr_fs_entry e, again;
    struct stat st;

    assert_int_equal(fake_save(f, ROOT, "a", "x"), 0);
    assert_int_equal(fake_lookup(f, ROOT, "a", &e), 0);
    fake_pass(f, 2000);
    ev.now = f->now;
    ev.wall = f->wall;
    ev.req = fake_req(NWR_FS_FORGET, e.node, NULL);
    ev.req->count = 2; /* the create's and the lookup's */
    nwr_mount_step(f->mount, &ev, &out);
    nwr_fs_effects_deinit(&out);
    assert_int_equal(fake_stat(f, e.node, &st), ESTALE);
    assert_int_equal(fake_lookup(f, ROOT, "a", &again), 0);
    assert_int_equal(fake_stat(f, again.node, &st), 0);
}

static void clean_node_follows_remote_versions(void **state)
{
    struct fake *f = *state, g;
    struct nwr_fs_entry e, e2;
    uint64_t fh;

    fake_second(&g, f, 43);
    assert_int_equal(fake_save(f, ROOT, "a", "one"), 0);
    assert_int_equal(fake_lookup(&g, ROOT, "a", &e), 0);
    assert_int_equal(fake_open(&g, e.node, 0, &fh), 0);
    assert_int_equal(fake_save(f, ROOT, "a", "two!"), 0);
    assert_int_equal(fake_lookup(&g, ROOT, "a", &e2), 0);
    assert_int_equal(e2.node, e.node);
    assert_int_equal(e2.st.st_size, 4);
    assert_int_equal(g.invals, 1);
    fake_deinit(&g);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(root_has_implicit_attributes),
        T(create_write_close_is_one_put),
        T(own_mount_sees_what_is_not_sent),
        T(unlinked_before_the_push_sends_nothing),
        T(second_mount_sees_what_was_closed),
        T(exclusive_create_has_one_winner),
        T(directories_are_made_and_removed),
        T(rename_moves_over_and_across),
        T(broken_rename_is_finished_by_who_meets_it),
        T(old_name_given_anew_is_no_broken_rename),
        T(entry_without_its_inode_asks_the_others),
        T(rename_refuses_as_it_must),
        T(renamed_files_leave_the_count_of_subdirectories),
        T(links_are_counted),
        T(unlinked_open_file_goes_on),
        T(failed_push_is_reported_at_close),
        T(failed_background_push_is_tried_again),
        T(setattr_of_a_new_file_travels_with_it),
        T(mtime_that_was_set_ends_with_the_next_content),
        T(truncate_by_name_is_sent_at_once),
        T(listing_with_attributes_is_one_scan_a_page),
        T(listing_what_was_removed_holds_a_page_at_a_time),
        T(names_just_listed_are_looked_up_from_the_listing),
        T(fsync_goes_to_disk),
        T(removed_file_gives_its_space_back),
        T(symlinks_and_nodes),
        T(xattrs_come_and_go),
        T(push_under_way_is_waited_for),
        T(forgotten_nodes_go),
        T(clean_node_follows_remote_versions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
