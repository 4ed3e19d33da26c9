/* race_test.c -- a call that another mount overtakes, or whose name stands beside what it did not
 * have to read: found by the simulator with mounts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "fs/core/flags.h"
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
    fake_sides(&twin, side, 7, 11);
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
    fake_sides_deinit(&twin, side);
}

/* ---- a file that is removed for good while somebody still works on it ---- */

struct race {
    struct fake_twin twin;
    struct fake side[2];
    uint64_t node, fh;
};

static uint64_t find_dir(struct fake *f, const char *dir)
{
    struct nwr_fs_entry e;

    if (!dir)
        return ROOT;
    return fake_lookup(f, ROOT, dir, &e) ? 0 : e.node;
}

/* One mount removes dir/a (dir NULL: a) and then dir; its reaper comes as far as `steps` answers of
 * the volume. The other mount is at the other node, which has heard of nothing by then, and has the
 * file open. False: the reaper had come to its end. */
static bool reap_so_far(struct race *r, const char *dir, uint32_t steps)
{
    struct fake *f = &r->side[0], *g = &r->side[1];
    struct nwr_fs_entry e;
    uint64_t d;

    fake_sides(&r->twin, r->side, 7, 11);
    if (dir)
        assert_int_equal(fake_mkdir(f, ROOT, dir, &(uint64_t){0}), 0);
    d = find_dir(f, dir);
    assert_int_equal(fake_save(f, d, "a", "first"), 0);
    fake_pass(f, 2000);
    fake_twin_settle(&r->twin);
    assert_int_equal(fake_lookup(g, find_dir(g, dir), "a", &e), 0);
    r->node = e.node;
    assert_int_equal(fake_open(g, r->node, O_RDWR, &r->fh), 0);
    r->twin.cut = true;
    assert_int_equal(fake_unlink(f, d, "a"), 0);
    if (dir)
        assert_int_equal(fake_rmdir(f, ROOT, dir), 0);
    r->twin.cut = false;
    f->hold = true;
    for (uint32_t i = 0; i < steps; i++) {
        for (int ticks = 0; f->nqueue == 0 && ticks < 8; ticks++)
            fake_pass(f, 2000);
        if (f->nqueue == 0)
            return false;
        fake_answer(f);
    }
    return true;
}

/* The reaper goes on, and the nodes come to hold the same. */
static void go_on(struct race *r)
{
    r->side[0].hold = false;
    fake_drain(&r->side[0]);
    fake_twin_settle(&r->twin);
    for (int i = 0; i < 8; i++)
        for (int k = 0; k < 2; k++)
            fake_pass(&r->side[k], 4000);
    fake_twin_settle(&r->twin);
}

static void race_deinit(struct race *r)
{
    fake_sides_deinit(&r->twin, r->side);
}

static void edit_while_reaped(const char *dir)
{
    static struct race r;
    uint32_t steps = 0;
    bool more = true;

    for (; more; steps++) {
        more = reap_so_far(&r, dir, steps);
        assert_int_equal(fake_write(&r.side[1], r.node, r.fh, 0, "edit!"), 0);
        assert_int_equal(fake_close(&r.side[1], r.node, r.fh), 0);
        go_on(&r);
        for (int i = 0; i < 2; i++) {
            struct fake *f = &r.side[i];

            assert_string_equal(fake_cat(f, find_dir(f, dir), "a", buf, sizeof(buf)), "edit!");
            assert_string_equal(fake_ls(f, find_dir(f, dir), buf, sizeof(buf)), "a");
        }
        /* It is an ordinary removed file that came back: removed again, it stays away. */
        assert_int_equal(fake_unlink(&r.side[0], find_dir(&r.side[0], dir), "a"), 0);
        go_on(&r);
        for (int i = 0; i < 2; i++)
            assert_string_equal(fake_ls(&r.side[i], ROOT, buf, sizeof(buf)), "");
        race_deinit(&r);
    }
    assert_true(steps > 4);
}

static void an_edit_that_comes_while_its_file_is_reaped_is_shown(void **state)
{
    (void)state;
    edit_while_reaped(NULL);
}

static void so_it_is_where_the_directory_goes_too(void **state)
{
    (void)state;
    edit_while_reaped("d");
}

/* Either it is too late for a link, or that keeps the content. */
static void a_link_that_comes_while_its_file_is_reaped_is_refused_or_keeps_it(void **state)
{
    uint32_t steps = 0, linked = 0, refused = 0;
    static struct race r;
    bool more = true;

    (void)state;
    for (; more; steps++) {
        int err;

        more = reap_so_far(&r, NULL, steps);
        err = fake_link(&r.side[1], r.node, ROOT, "b");
        go_on(&r);
        linked += err == 0;
        refused += err != 0;
        if (err)
            assert_int_equal(err, ENOENT);
        for (int i = 0; i < 2; i++)
            assert_string_equal(fake_cat(&r.side[i], ROOT, "b", buf, sizeof(buf)),
                                err ? "!2" : "first");
        race_deinit(&r);
    }
    assert_true(linked > 0 && refused > 0);
}

/* A file that is open, and was removed elsewhere for good before it was read. */
static int read_what_was_removed(enum nwr_err of_block)
{
    struct nwr_fs_entry e;
    struct nwr_fs_req *req;
    struct nwr_fs_reply r;
    struct fake f, g;
    uint64_t fh;
    int err;

    fake_init(&f, 5);
    fake_second(&g, &f, 9);
    memset(buf, 'x', sizeof(buf) - 1);
    buf[sizeof(buf) - 1] = 0;
    assert_int_equal(fake_save(&f, ROOT, "a", buf), 0);
    assert_int_equal(fake_lookup(&g, ROOT, "a", &e), 0);
    assert_int_equal(fake_open(&g, e.node, O_RDONLY, &fh), 0);
    assert_int_equal(fake_unlink(&f, ROOT, "a"), 0);
    fake_pass(&f, 4000);
    g.fail_block = of_block;
    req = fake_req(NWR_FS_READ, e.node, NULL);
    req->fh = fh;
    req->size = 4096;
    r = fake_call(&g, req);
    err = r.err;
    nwr_fs_reply_deinit(&r);
    assert_int_equal(fake_close(&g, e.node, fh), 0);
    fake_deinit(&g);
    fake_deinit(&f);
    return err;
}

static void reading_an_open_file_that_is_gone_elsewhere_says_so(void **state)
{
    (void)state;
    assert_int_equal(read_what_was_removed(NWR_OK), ESTALE);
}

static void it_is_not_gone_for_sure_where_who_had_it_is_not_there(void **state)
{
    (void)state;
    assert_int_equal(read_what_was_removed(NWR_E_HOSTDOWN), EHOSTDOWN);
}

/* What this mount wrote is on its way to the replica that answers. */
static void a_file_has_the_size_that_this_mount_gave_it(void **state)
{
    struct fake_twin twin;
    struct nwr_fs_entry e;
    struct stat st;
    struct fake f;

    (void)state;
    fake_twin_init(&twin, 7);
    fake_at(&f, &twin, 0, 11);
    assert_int_equal(fake_save(&f, ROOT, "f", "old"), 0);
    fake_pass(&f, 2000);
    fake_twin_settle(&twin);
    twin.cut = true;
    assert_int_equal(fake_save(&f, ROOT, "f", "longer"), 0);
    fake_pass(&f, 2000);
    f.at = 1;
    assert_int_equal(fake_lookup(&f, ROOT, "f", &e), 0);
    assert_int_equal(e.st.st_size, 6);
    assert_int_equal(fake_stat(&f, e.node, &st), 0);
    assert_int_equal(st.st_size, 6);
    assert_string_equal(fake_cat(&f, ROOT, "f", buf, sizeof(buf)), "longer");
    fake_deinit(&f);
    fake_twin_deinit(&twin);
}

/* The replica that answers has not got yet what others have acknowledged meanwhile. */
static void a_file_is_there_while_its_creation_is_on_its_way(void **state)
{
    struct fake_twin twin;
    struct nwr_fs_reply r;
    uint64_t node, fh;
    struct fake f;

    (void)state;
    fake_twin_init(&twin, 7);
    fake_at(&f, &twin, 0, 11);
    twin.cut = true;
    assert_int_equal(fake_create(&f, ROOT, "f", O_WRONLY, &node, &fh), 0);
    assert_int_equal(fake_write(&f, node, fh, 0, "new"), 0);
    f.hold = true;
    fake_pass(&f, 2000);
    fake_begin(&f, fake_req(NWR_FS_LOOKUP, ROOT, "f"));
    answer_one_put(&f);
    while (f.nqueue) {
        f.at = f.queue[0]->op == NWR_OP_READ && f.queue[0]->range[0].prefix.b[2] == 'E';
        fake_answer(&f);
    }
    r = fake_end(&f);
    assert_int_equal(r.err, 0);
    assert_int_equal(r.entry.st.st_size, 3);
    nwr_fs_reply_deinit(&r);
    f.hold = false;
    f.at = 0;
    assert_int_equal(fake_close(&f, node, fh), 0);
    fake_deinit(&f);
    fake_twin_deinit(&twin);
}

/* A name was looked up at a replica that knows more than the one that is asked for the content. */
static void a_file_that_is_opened_where_it_is_older_is_that_and_not_empty(void **state)
{
    struct fake_twin twin;
    struct nwr_fs_entry e;
    struct fake f, g;

    (void)state;
    fake_twin_init(&twin, 7);
    fake_at(&f, &twin, 0, 11);
    fake_at(&g, &twin, 0, 13);
    assert_int_equal(fake_save(&f, ROOT, "f", "old"), 0);
    fake_pass(&f, 2000);
    fake_twin_settle(&twin);
    twin.cut = true;
    assert_int_equal(fake_save(&f, ROOT, "f", "newer"), 0);
    fake_pass(&f, 2000);
    assert_int_equal(fake_lookup(&g, ROOT, "f", &e), 0);
    assert_int_equal(e.st.st_size, 5);
    g.at = 1;
    assert_string_equal(fake_cat(&g, ROOT, "f", buf, sizeof(buf)), "old");
    fake_deinit(&g);
    fake_deinit(&f);
    fake_twin_deinit(&twin);
}

/* A directory's times are written along with the mode that it had when they were read. */
static void a_mode_that_was_replaced_does_not_come_back_with_times(void **state)
{
    struct fake_twin twin;
    struct fake side[2];
    uint64_t dir, node, fh;
    struct nwr_fs_entry e;

    (void)state;
    fake_sides(&twin, side, 7, 11);
    assert_int_equal(fake_mkdir(&side[0], ROOT, "d", &dir), 0);
    for (uint32_t mode = 0700; mode <= 0755; mode += 055) {
        if (mode == 0755) {
            twin.cut = true;
            assert_int_equal(fake_lookup(&side[1], ROOT, "d", &e), 0);
            assert_int_equal(fake_create(&side[1], e.node, "f", O_WRONLY, &node, &fh), 0);
            fake_pass(&side[1], 2000);
        }
        assert_int_equal(fake_chmod(&side[0], dir, S_IFDIR | mode), 0);
        fake_meet(&twin, side);
    }
    twin.cut = false;
    fake_meet(&twin, side);
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(fake_lookup(&side[i], ROOT, "d", &e), 0);
        assert_int_equal(e.st.st_mode & 07777, 0755);
    }
    fake_sides_deinit(&twin, side);
}

/* What a process read through the name before is no base for what stands there by another call. */
static void a_rename_over_what_the_mount_itself_put_there_replaces_it(void **state)
{
    struct nwr_fs_entry e;
    uint64_t node, fh;
    struct fake f;

    (void)state;
    fake_init(&f, 5);
    f.process = 77;
    assert_int_equal(fake_save(&f, ROOT, "f", "old"), 0);
    assert_string_equal(fake_cat(&f, ROOT, "f", buf, sizeof(buf)), "old");
    assert_int_equal(fake_unlink(&f, ROOT, "f"), 0);
    assert_int_equal(fake_create(&f, ROOT, "g", O_RDWR | O_CREAT | O_EXCL, &node, &fh), 0);
    assert_int_equal(fake_close(&f, node, fh), 0);
    assert_int_equal(fake_lookup(&f, ROOT, "g", &e), 0);
    assert_int_equal(fake_link(&f, e.node, ROOT, "f"), 0);
    assert_int_equal(fake_save(&f, ROOT, "t", "new"), 0);
    assert_int_equal(fake_rename(&f, ROOT, "t", ROOT, "f", 0), 0);
    assert_string_equal(fake_ls(&f, ROOT, buf, sizeof(buf)), "f g");
    assert_string_equal(fake_cat(&f, ROOT, "f", buf, sizeof(buf)), "new");
    fake_deinit(&f);
}

/* The file was written to, and is written again while its name is being removed. */
static void a_file_whose_writes_go_out_while_it_is_removed_stays_removed(void **state)
{
    struct nwr_fs_reply r;
    uint64_t node, fh;
    struct fake f;

    (void)state;
    fake_init(&f, 5);
    assert_int_equal(fake_save(&f, ROOT, "f", "old"), 0);
    fake_pass(&f, 2000);
    assert_int_equal(fake_lookup(&f, ROOT, "f", &(struct nwr_fs_entry){0}), 0);
    assert_int_equal(fake_create(&f, ROOT, "f", O_RDWR | O_CREAT, &node, &fh), 0);
    assert_int_equal(fake_write(&f, node, fh, 0, "new"), 0);
    f.hold = true;
    fake_begin(&f, fake_req(NWR_FS_UNLINK, ROOT, "f"));
    while (f.nqueue && f.queue[0]->op == NWR_OP_READ)
        fake_answer(&f);
    assert_false(f.answered);
    fake_pass(&f, 2000);
    fake_drain(&f);
    r = fake_end(&f);
    assert_int_equal(r.err, 0);
    nwr_fs_reply_deinit(&r);
    f.hold = false;
    assert_string_equal(fake_ls(&f, ROOT, buf, sizeof(buf)), "");
    assert_int_equal(fake_write(&f, node, fh, 3, "er"), 0);
    assert_int_equal(fake_fsync(&f, node, fh), 0);
    assert_int_equal(fake_close(&f, node, fh), 0);
    fake_pass(&f, 2000);
    assert_string_equal(fake_ls(&f, ROOT, buf, sizeof(buf)), "");
    fake_deinit(&f);
}

static void a_creation_whose_acknowledgement_is_lost_is_one_file(void **state)
{
    uint64_t node, fh;
    struct fake f;

    (void)state;
    fake_init(&f, 5);
    assert_int_equal(fake_create(&f, ROOT, "f", O_WRONLY, &node, &fh), 0);
    assert_int_equal(fake_write(&f, node, fh, 0, "new"), 0);
    f.fail_put = NWR_E_TIMEDOUT;
    f.applied = true;
    fake_pass(&f, 1000);
    assert_string_equal(fake_ls(&f, ROOT, buf, sizeof(buf)), "f");
    assert_string_equal(fake_cat(&f, ROOT, "f", buf, sizeof(buf)), "new");
    f.fail_put = NWR_OK;
    fake_pass(&f, 4000);
    assert_int_equal(fake_close(&f, node, fh), 0);
    assert_string_equal(fake_ls(&f, ROOT, buf, sizeof(buf)), "f");
    assert_string_equal(fake_cat(&f, ROOT, "f", buf, sizeof(buf)), "new");
    fake_deinit(&f);
}

/* As cp -p does, with a large file. */
static void a_time_that_is_set_while_the_file_is_pushed_stays(void **state)
{
    struct nwr_fs_req *req;
    struct nwr_fs_reply r;
    uint64_t node, fh;
    struct stat st;
    struct fake f;

    (void)state;
    fake_init(&f, 5);
    assert_int_equal(fake_save(&f, ROOT, "f", "old"), 0);
    fake_pass(&f, 2000);
    assert_int_equal(fake_create(&f, ROOT, "f", O_RDWR | O_CREAT, &node, &fh), 0);
    assert_int_equal(fake_write(&f, node, fh, 0, "new"), 0);
    f.hold = true;
    fake_pass(&f, 2000);
    req = fake_req(NWR_FS_SETATTR, node, NULL);
    req->set = NWR_SET_MTIME;
    req->mtime = 77;
    fake_begin(&f, req);
    while (f.nqueue > 1) { /* what is read for it comes before the push is acknowledged */
        struct nwr_request *push = f.queue[0];

        f.queue[0] = f.queue[f.nqueue - 1];
        f.queue[f.nqueue - 1] = push;
        fake_answer(&f);
    }
    fake_drain(&f);
    r = fake_end(&f);
    assert_int_equal(r.err, 0);
    nwr_fs_reply_deinit(&r);
    f.hold = false;
    assert_int_equal(fake_stat(&f, node, &st), 0);
    assert_int_equal(st.st_mtim.tv_nsec, 77);
    assert_int_equal(fake_close(&f, node, fh), 0);
    fake_pass(&f, 2000);
    assert_int_equal(fake_stat(&f, node, &st), 0);
    assert_int_equal(st.st_mtim.tv_nsec, 77);
    fake_deinit(&f);
}

static void a_time_that_is_set_before_the_creation_is_sent_stays(void **state)
{
    struct nwr_fs_req *req;
    struct nwr_fs_reply r;
    uint64_t node, fh;
    struct stat st;
    struct fake f;

    (void)state;
    fake_init(&f, 5);
    assert_int_equal(fake_create(&f, ROOT, "f", O_RDWR | O_CREAT, &node, &fh), 0);
    req = fake_req(NWR_FS_SETATTR, node, NULL);
    req->set = NWR_SET_MTIME;
    req->mtime = 77;
    r = fake_call(&f, req);
    assert_int_equal(r.err, 0);
    nwr_fs_reply_deinit(&r);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(fake_stat(&f, node, &st), 0);
        assert_int_equal(st.st_mtim.tv_nsec, 77);
        fake_pass(&f, 2000);
    }
    assert_int_equal(fake_close(&f, node, fh), 0);
    assert_int_equal(fake_stat(&f, node, &st), 0);
    assert_int_equal(st.st_mtim.tv_nsec, 77);
    fake_deinit(&f);
}

static void a_save_over_what_was_exchanged_for_it_replaces_it(void **state)
{
    struct fake f, g;

    (void)state;
    fake_init(&f, 5);
    fake_second(&g, &f, 9);
    f.process = 77;
    assert_int_equal(fake_save(&f, ROOT, "a", "A"), 0);
    fake_pass(&f, 2000);
    assert_int_equal(fake_save(&g, ROOT, "b", "B"), 0);
    fake_pass(&g, 2000);
    assert_string_equal(fake_cat(&f, ROOT, "a", buf, sizeof(buf)), "A");
    assert_int_equal(fake_rename(&f, ROOT, "a", ROOT, "b", NWR_RENAME_EXCHANGE), 0);
    assert_int_equal(fake_save(&f, ROOT, "a", "new"), 0);
    fake_pass(&f, 2000);
    assert_string_equal(fake_ls(&f, ROOT, buf, sizeof(buf)), "a b");
    fake_deinit(&g);
    fake_deinit(&f);
}

/* What is copied into it by reference is sent. */
static void an_unlinked_file_outlives_its_directory(void **state)
{
    uint64_t dir, node, fh, from, from_fh;
    struct nwr_fs_req *req;
    struct nwr_fs_reply r;
    struct fake f;

    (void)state;
    fake_init(&f, 5);
    memset(buf, 'x', 20000);
    buf[20000] = 0;
    assert_int_equal(fake_mkdir(&f, ROOT, "d", &dir), 0);
    assert_int_equal(fake_create(&f, dir, "from", O_RDWR | O_CREAT, &from, &from_fh), 0);
    assert_int_equal(fake_write(&f, from, from_fh, 0, buf), 0);
    assert_int_equal(fake_fsync(&f, from, from_fh), 0);
    assert_int_equal(fake_unlink(&f, dir, "from"), 0);
    assert_int_equal(fake_create(&f, dir, "f", O_RDWR | O_CREAT, &node, &fh), 0);
    assert_int_equal(fake_unlink(&f, dir, "f"), 0);
    assert_int_equal(fake_rmdir(&f, ROOT, "d"), 0);
    req = fake_req(NWR_FS_COPY, from, NULL);
    req->fh = from_fh;
    req->node2 = node;
    req->size = 20000;
    r = fake_call(&f, req);
    assert_int_equal(r.err, 0);
    assert_int_equal(r.count, 20000);
    nwr_fs_reply_deinit(&r);
    assert_int_equal(fake_fsync(&f, node, fh), 0);
    assert_int_equal(fake_close(&f, node, fh), 0);
    assert_int_equal(fake_close(&f, from, from_fh), 0);
    fake_deinit(&f);
}

/* Node 1 knows of a file's content only that it was removed, as a sibling: the other one, which the
 * remover saw and kept, is at node 0 alone. `late` is a mount at node 1 that had the removed one
 * open, and has not read it. */
struct half_conflict {
    struct fake_twin twin;
    struct fake late;
    uint64_t node, fh;
};

/* Whatever is read is read at node 0. */
static int unlink_that_node_1_coordinates(struct fake *g, const char *name)
{
    struct nwr_fs_reply r;
    int err;

    fake_begin(g, fake_req(NWR_FS_UNLINK, ROOT, name));
    while (g->nqueue) {
        g->at = g->queue[0]->op == NWR_OP_PUT;
        fake_answer(g);
    }
    g->at = 1;
    r = fake_end(g);
    err = r.err;
    nwr_fs_reply_deinit(&r);
    return err;
}

static void half_conflict(struct half_conflict *h)
{
    struct nwr_fs_entry e;
    struct fake f, g;

    fake_twin_init(&h->twin, 7);
    fake_at(&f, &h->twin, 0, 11);
    fake_at(&g, &h->twin, 1, 13);
    fake_at(&h->late, &h->twin, 1, 17);
    assert_int_equal(fake_save(&f, ROOT, "f", "zero"), 0);
    fake_pass(&f, 2000);
    fake_twin_settle(&h->twin);
    h->twin.cut = true;
    assert_int_equal(fake_save(&g, ROOT, "f", "sibling"), 0);
    assert_int_equal(fake_save(&f, ROOT, "f", "one"), 0);
    fake_twin_bring(&h->twin, 0);
    assert_int_equal(fake_lookup(&h->late, ROOT, "f", &e), 0);
    h->node = e.node;
    assert_int_equal(fake_open(&h->late, h->node, O_RDONLY, &h->fh), 0);
    assert_string_equal(fake_ls(&f, ROOT, buf, sizeof(buf)), "f f.conflict.1002");
    assert_int_equal(unlink_that_node_1_coordinates(&g, "f.conflict.1002"), 0);
    fake_twin_bring(&h->twin, 0);
    assert_string_equal(fake_cat(&f, ROOT, "f", buf, sizeof(buf)), "one");
    fake_deinit(&g);
    fake_deinit(&f);
}

static void half_conflict_deinit(struct half_conflict *h)
{
    fake_deinit(&h->late);
    fake_twin_deinit(&h->twin);
}

/* Node 1 answers what it holds, and has the other one's answer too only where all must answer. */
static struct nwr_fs_reply ask_late(struct half_conflict *h, struct nwr_fs_req *req, bool cut)
{
    fake_begin(&h->late, req);
    while (h->late.nqueue) {
        h->twin.cut = cut || h->late.queue[0]->r != NWR_QUORUM_ALL;
        fake_answer(&h->late);
    }
    return fake_end(&h->late);
}

static struct nwr_fs_reply read_late(struct half_conflict *h, bool cut)
{
    struct nwr_fs_req *req = fake_req(NWR_FS_READ, h->node, NULL);

    req->fh = h->fh;
    req->size = 4096;
    return ask_late(h, req, cut);
}

static void an_open_sibling_that_is_removed_reads_as_what_only_another_replica_has(void **state)
{
    struct half_conflict h;
    struct nwr_fs_reply r;

    (void)state;
    half_conflict(&h);
    r = read_late(&h, true);
    assert_int_equal(r.err, EHOSTDOWN);
    nwr_fs_reply_deinit(&r);
    r = read_late(&h, false);
    assert_int_equal(r.err, 0);
    assert_int_equal(r.nslice, 1);
    assert_int_equal(r.slice[0].len, 3);
    assert_memory_equal(r.slice[0].blob->data + r.slice[0].off, "one", 3);
    nwr_fs_reply_deinit(&r);
    half_conflict_deinit(&h);
}

static void a_name_shows_what_only_another_replica_has(void **state)
{
    struct half_conflict h;
    struct nwr_fs_reply r;

    (void)state;
    half_conflict(&h);
    r = ask_late(&h, fake_req(NWR_FS_LOOKUP, ROOT, "f"), false);
    assert_int_equal(r.err, 0);
    assert_int_equal(r.entry.st.st_size, 3);
    nwr_fs_reply_deinit(&r);
    assert_string_equal(fake_cat(&h.late, ROOT, "f", buf, sizeof(buf)), "one");
    half_conflict_deinit(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_edit_that_comes_while_its_file_is_reaped_is_shown),
        cmocka_unit_test(so_it_is_where_the_directory_goes_too),
        cmocka_unit_test(a_link_that_comes_while_its_file_is_reaped_is_refused_or_keeps_it),
        cmocka_unit_test(reading_an_open_file_that_is_gone_elsewhere_says_so),
        cmocka_unit_test(it_is_not_gone_for_sure_where_who_had_it_is_not_there),
        cmocka_unit_test(mkdir_overtaken_after_its_inode_was_sent_says_that_the_name_exists),
        cmocka_unit_test(a_name_that_only_the_coordinator_has_exists),
        cmocka_unit_test(a_rename_whose_blocks_are_gone_looks_again),
        cmocka_unit_test(a_file_in_conflict_is_linked),
        cmocka_unit_test(a_file_has_the_size_that_this_mount_gave_it),
        cmocka_unit_test(a_mode_that_was_replaced_does_not_come_back_with_times),
        cmocka_unit_test(a_rename_over_what_the_mount_itself_put_there_replaces_it),
        cmocka_unit_test(a_file_whose_writes_go_out_while_it_is_removed_stays_removed),
        cmocka_unit_test(a_creation_whose_acknowledgement_is_lost_is_one_file),
        cmocka_unit_test(a_time_that_is_set_while_the_file_is_pushed_stays),
        cmocka_unit_test(a_time_that_is_set_before_the_creation_is_sent_stays),
        cmocka_unit_test(a_save_over_what_was_exchanged_for_it_replaces_it),
        cmocka_unit_test(an_unlinked_file_outlives_its_directory),
        cmocka_unit_test(a_file_is_there_while_its_creation_is_on_its_way),
        cmocka_unit_test(a_file_that_is_opened_where_it_is_older_is_that_and_not_empty),
        cmocka_unit_test(an_open_sibling_that_is_removed_reads_as_what_only_another_replica_has),
        cmocka_unit_test(a_name_shows_what_only_another_replica_has),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
