/* posix_test.c -- what programs expect of any file system: attributes, counts, errnos. */
#include "tests/lib/fake_volume.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define ROOT 1

static int setup(void **state)
{
    *state = fake_create_mount(7);
    return 0;
}

static int teardown(void **state)
{
    fake_destroy_mount(*state);
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
    assert_int_equal(fake_status(f, req), 0);
    assert_int_equal(fake_stat(f, e.node, &st), 0);
    assert_int_equal(st.st_atim.tv_sec, 100000000);
    assert_int_equal(st.st_atim.tv_nsec, 100000000);
    assert_int_equal(st.st_mtim.tv_sec, 200000000);
}

static int set_mtime(struct fake *f, uint64_t node, nwr_ns at)
{
    struct nwr_fs_req *req = fake_req(NWR_FS_SETATTR, node, NULL);

    req->set = NWR_SET_ATIME | NWR_SET_MTIME;
    req->atime = at / 2;
    req->mtime = at;
    return fake_status(f, req);
}

static nwr_ns mtime_of(struct fake *f, uint64_t node)
{
    struct stat st;

    assert_int_equal(fake_stat(f, node, &st), 0);
    assert_true(st.st_mtim.tv_sec >= -9223372036 && st.st_mtim.tv_sec <= 9223372036);
    assert_in_range(st.st_mtim.tv_nsec, 0, 999999999);
    assert_in_range(st.st_atim.tv_nsec, 0, 999999999);
    return st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
}

static void times_before_1970_are_kept(void **state)
{
    static const nwr_ns times[] = {-1, -1000000000, -315593940000000001, -9223372035999999999};
    struct fake *f = *state, g;
    struct nwr_fs_entry e;
    uint64_t dir;

    assert_int_equal(fake_save(f, ROOT, "file", "x"), 0);
    assert_int_equal(fake_mkdir(f, ROOT, "dir", &dir), 0);
    assert_int_equal(fake_lookup(f, ROOT, "file", &e), 0);
    fake_second(&g, f, 8);
    for (size_t i = 0; i < NWR_COUNT(times); i++) {
        struct nwr_fs_entry other;

        assert_int_equal(set_mtime(f, e.node, times[i]), 0);
        assert_int_equal(set_mtime(f, dir, times[i]), 0);
        assert_true(mtime_of(f, e.node) == times[i]);
        assert_true(mtime_of(f, dir) == times[i]);
        assert_int_equal(fake_lookup(&g, ROOT, "file", &other), 0);
        assert_true(mtime_of(&g, other.node) == times[i]);
        assert_int_equal(fake_lookup(&g, ROOT, "dir", &other), 0);
        assert_true(mtime_of(&g, other.node) == times[i]);
    }
    assert_int_equal(fake_save(f, dir, "new", "x"), 0);
    assert_true(mtime_of(f, dir) > 0);
    fake_pass(f, 2000);
    assert_true(mtime_of(f, dir) > 0);
    fake_deinit(&g);
}

/* It is that of the write, if it was sent in the same millisecond: an hlc has no more digits. */
static void the_ctime_of_a_content_has_nanoseconds_wherever_it_is_asked(void **state)
{
    struct fake *f = *state, g;
    struct stat st, other;
    struct nwr_fs_entry e;
    uint64_t node, fh;

    f->wall += 123457;
    assert_int_equal(fake_create(f, ROOT, "a", 01, &node, &fh), 0);
    assert_int_equal(fake_write(f, node, fh, 0, "x"), 0);
    f->wall -= 2000000; /* calls take one each: it is sent when it was written */
    assert_int_equal(fake_close(f, node, fh), 0);
    assert_int_equal(fake_stat(f, node, &st), 0);
    assert_int_equal(st.st_mtim.tv_nsec % 1000000, 123457);
    fake_second(&g, f, 8);
    assert_int_equal(fake_lookup(&g, ROOT, "a", &e), 0);
    assert_int_equal(fake_stat(&g, e.node, &other), 0);
    assert_memory_equal(&st.st_mtim, &other.st_mtim, sizeof(st.st_mtim));
    assert_memory_equal(&st.st_ctim, &other.st_ctim, sizeof(st.st_ctim));
    assert_memory_equal(&st.st_mtim, &other.st_ctim, sizeof(st.st_ctim));
    fake_deinit(&g);
}

static void a_directory_whose_time_is_in_the_future_changes_now(void **state)
{
    const nwr_ns future = 8589934592000000007;
    struct fake *f = *state, g;
    struct nwr_fs_entry e;
    uint64_t dir;

    assert_int_equal(fake_mkdir(f, ROOT, "dir", &dir), 0);
    assert_int_equal(set_mtime(f, dir, future), 0);
    fake_pass(f, 2000);
    fake_second(&g, f, 8);
    assert_int_equal(fake_lookup(&g, ROOT, "dir", &e), 0);
    assert_true(mtime_of(&g, e.node) == future);
    assert_int_equal(fake_save(f, dir, "new", "x"), 0);
    assert_true(mtime_of(f, dir) <= f->wall);
    fake_pass(f, 2000);
    assert_true(mtime_of(f, dir) <= f->wall);
    fake_pass(&g, 2000);
    assert_true(mtime_of(&g, e.node) == mtime_of(f, dir));
    fake_deinit(&g);
}

static void the_time_of_a_directory_that_another_mount_sets_is_shown(void **state)
{
    struct fake *f = *state, g;
    struct nwr_fs_entry e;
    uint64_t dir;

    fake_second(&g, f, 8);
    assert_int_equal(fake_mkdir(f, ROOT, "dir", &dir), 0);
    for (int sent = 0; sent < 2; sent++) {
        assert_int_equal(fake_save(f, dir, sent ? "b" : "a", "x"), 0);
        fake_pass(f, sent ? 2000 : 100);
        fake_pass(&g, sent ? 2000 : 100);
        assert_int_equal(fake_lookup(&g, ROOT, "dir", &e), 0);
        assert_int_equal(set_mtime(&g, e.node, 7000000000), 0);
        fake_pass(f, 100);
        assert_true(mtime_of(f, dir) == 7000000000);
        fake_pass(f, 2000);
        assert_true(mtime_of(f, dir) == 7000000000);
        assert_true(mtime_of(&g, e.node) == 7000000000);
    }
    fake_deinit(&g);
}

/* What a call of somebody, of group 7 and 8, leaves of a mode. */
static uint32_t killed(struct fake *f, uint64_t node, uint32_t mode, enum nwr_fs_op op)
{
    struct nwr_fs_req *req = fake_req(op, node, NULL);
    struct stat st;

    assert_int_equal(fake_chmod(f, node, mode), 0);
    req->uid = 1001;
    req->gid = 7;
    req->group[req->ngroup++] = 8;
    req->kill_priv = true;
    req->size = 10;
    if (op == NWR_FS_SETATTR)
        req->set = NWR_SET_SIZE | NWR_SET_KILL_SUIDGID;
    if (op == NWR_FS_WRITE)
        req->data = nwr_blob_copy("v", 1);
    assert_int_equal(fake_status(f, req), 0);
    assert_int_equal(fake_stat(f, node, &st), 0);
    return st.st_mode & 07777;
}

static void setgid_stays_without_group_execution_for_who_is_of_the_group(void **state)
{
    static const enum nwr_fs_op ops[] = {NWR_FS_WRITE, NWR_FS_SETATTR, NWR_FS_FALLOCATE};
    struct fake *f = *state;
    struct nwr_fs_req *req;
    struct nwr_fs_entry e;
    struct stat st;
    uint64_t fh;

    assert_int_equal(fake_save(f, ROOT, "a", "x"), 0);
    assert_int_equal(fake_lookup(f, ROOT, "a", &e), 0);
    assert_int_equal(fake_open(f, e.node, 02, &fh), 0);
    for (uint32_t gid = 7; gid <= 9; gid++) {
        assert_int_equal(fake_chgrp(f, e.node, gid), 0);
        for (size_t i = 0; i < NWR_COUNT(ops); i++) {
            assert_int_equal(killed(f, e.node, 06666, ops[i]), gid == 9 ? 0666 : 02666);
            assert_int_equal(killed(f, e.node, 02676, ops[i]), 0676);
        }
    }
    assert_int_equal(fake_close(f, e.node, fh), 0);
    /* The group that counts is the one before. */
    assert_int_equal(killed(f, e.node, 0666, NWR_FS_WRITE), 0666);
    assert_int_equal(fake_chmod(f, e.node, 06666), 0);
    req = fake_req(NWR_FS_SETATTR, e.node, NULL);
    req->uid = 1001;
    req->gid = 8;
    req->set = NWR_SET_GID | NWR_SET_KILL_SUIDGID;
    req->count = 8;
    assert_int_equal(set_attr(f, req, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0666);
}

static void a_new_owner_strips_setuid_from_all_but_directories(void **state)
{
    static const struct {
        const char *name;
        uint32_t type, mode;
    } kinds[] = {{"file", S_IFREG, 0555}, {"fifo", S_IFIFO, 0555}, {"sock", S_IFSOCK, 0555}};
    struct fake *f = *state;
    struct stat st;
    uint64_t node;

    for (size_t i = 0; i < NWR_COUNT(kinds); i++) {
        assert_int_equal(make_node(f, kinds[i].name, kinds[i].type | 06555, &node), 0);
        assert_int_equal(fake_chgrp(f, node, 7), 0);
        assert_int_equal(fake_stat(f, node, &st), 0);
        assert_int_equal(st.st_mode, kinds[i].type | kinds[i].mode);
    }
    assert_int_equal(fake_mkdir(f, ROOT, "dir", &node), 0);
    assert_int_equal(fake_chmod(f, node, 06755), 0);
    assert_int_equal(fake_chgrp(f, node, 7), 0);
    assert_int_equal(fake_stat(f, node, &st), 0);
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

static void a_directory_that_was_removed_has_no_links(void **state)
{
    struct fake *f = *state;
    struct nwr_fs_entry e;
    uint64_t held, gone, over, from;

    assert_int_equal(fake_mkdir(f, ROOT, "gone", &gone), 0);
    assert_int_equal(fake_mkdir(f, ROOT, "over", &over), 0);
    assert_int_equal(fake_mkdir(f, ROOT, "from", &from), 0);
    fake_pass(f, 2000);
    assert_int_equal(fake_mkdir(f, ROOT, "held", &held), 0);
    assert_int_equal(fake_rmdir(f, ROOT, "held"), 0);
    assert_int_equal(links(f, held), 0);
    assert_int_equal(fake_rmdir(f, ROOT, "gone"), 0);
    assert_int_equal(links(f, gone), 0);
    assert_int_equal(fake_rename(f, ROOT, "from", ROOT, "over", 0), 0);
    assert_int_equal(links(f, over), 0);
    assert_int_equal(links(f, from), 2);
    assert_int_equal(fake_lookup(f, ROOT, "over", &e), 0);
    assert_int_equal(e.st.st_nlink, 2);
}

static void a_rename_refuses_flags_that_it_does_not_know(void **state)
{
    struct fake *f = *state;
    struct nwr_fs_entry e;

    assert_int_equal(fake_save(f, ROOT, "a", "x"), 0);
    assert_int_equal(fake_rename(f, ROOT, "a", ROOT, "b", 4), EINVAL); /* RENAME_WHITEOUT */
    assert_int_equal(fake_lookup(f, ROOT, "a", &e), 0);
    assert_int_equal(fake_lookup(f, ROOT, "b", &e), ENOENT);
}

static void truncating_to_the_same_size_is_a_change(void **state)
{
    struct fake *f = *state;
    struct nwr_fs_entry e;
    struct nwr_fs_req *req;
    struct stat st;
    uint64_t fh;

    for (int empty = 0; empty < 2; empty++) {
        assert_int_equal(fake_save(f, ROOT, "a", empty ? "" : "data"), 0);
        assert_int_equal(fake_lookup(f, ROOT, "a", &e), 0);
        fake_pass(f, 1000);
        req = fake_req(NWR_FS_SETATTR, e.node, NULL);
        req->set = NWR_SET_SIZE;
        req->size = (uint64_t)e.st.st_size;
        assert_int_equal(set_attr(f, req, &st), 0);
        assert_true(st.st_mtim.tv_sec > e.st.st_mtim.tv_sec);
        assert_true(st.st_ctim.tv_sec > e.st.st_ctim.tv_sec);
        assert_int_equal(st.st_size, e.st.st_size);
    }
    fake_pass(f, 1000);
    assert_int_equal(fake_open(f, e.node, 01 | 01000, &fh), 0); /* empty already */
    assert_int_equal(fake_close(f, e.node, fh), 0);
    e.st = st;
    assert_int_equal(fake_stat(f, e.node, &st), 0);
    assert_true(st.st_mtim.tv_sec > e.st.st_mtim.tv_sec);
}

static void attributes_outside_the_known_name_spaces_are_refused(void **state)
{
    static const struct {
        const char *name;
        int err;
    } names[] = {{"user.a", 0},         {"trusted.a", 0},      {"security.a", 0},
                 {"user.", EOPNOTSUPP}, {"plain", EOPNOTSUPP}, {"system.a", EOPNOTSUPP}};
    struct fake *f = *state;

    for (size_t i = 0; i < NWR_COUNT(names); i++) {
        struct nwr_fs_req *req = fake_req(NWR_FS_SETXATTR, ROOT, names[i].name);

        req->data = nwr_blob_copy("v", 1);
        assert_int_equal(fake_status(f, req), names[i].err);
    }
}

/* Bytes of which each 64 KiB are their number plus one. */
static void fill(struct fake *f, uint64_t node, uint64_t fh, uint64_t size)
{
    for (uint64_t off = 0; off < size; off += 65536) {
        struct nwr_fs_req *req = fake_req(NWR_FS_WRITE, node, NULL);
        struct nwr_fs_reply r;

        req->fh = fh;
        req->off = off;
        req->data = nwr_blob_new(65536);
        memset(req->data->data, (int)(off >> 16) + 1, 65536);
        r = fake_call(f, req);
        assert_int_equal(r.err, 0);
        nwr_fs_reply_deinit(&r);
    }
}

static uint8_t byte_at(struct fake *f, uint64_t node, uint64_t off)
{
    struct nwr_fs_req *req = fake_req(NWR_FS_READ, node, NULL);
    struct nwr_fs_reply r;
    uint8_t byte = 0;

    req->off = off;
    req->size = 1;
    r = fake_call(f, req);
    assert_int_equal(r.err, 0);
    assert_int_equal(r.nslice, 1);
    if (r.slice[0].blob)
        byte = r.slice[0].blob->data[r.slice[0].off];
    nwr_fs_reply_deinit(&r);
    return byte;
}

static void write_at(struct fake *f, uint64_t node, uint64_t fh, uint64_t off, bool direct)
{
    struct nwr_fs_req *req = fake_req(NWR_FS_WRITE, node, NULL);

    req->fh = fh;
    req->off = off;
    req->direct = direct;
    req->data = nwr_blob_copy("w", 1);
    assert_int_equal(fake_status(f, req), 0);
}

static void pages_go_that_were_read_beside_a_direct_write(void **state)
{
    struct fake *f = *state;
    struct nwr_fs_reply r;
    uint64_t node, fh;

    assert_int_equal(fake_create(f, ROOT, "a", 02, &node, &fh), 0);
    fill(f, node, fh, 131072);
    fake_reset(f);
    write_at(f, node, fh, 0, true); /* nobody reads otherwise */
    assert_int_equal(f->invals, 0);
    assert_int_equal(byte_at(f, node, 0), 'w');
    write_at(f, node, fh, 70000, false);
    assert_int_equal(f->invals, 0);
    f->hold_invals = true;
    write_at(f, node, fh, 70000, true);
    assert_int_equal(f->invals, 1);
    fake_begin(f, fake_req(NWR_FS_LOOKUP, ROOT, "a")); /* as open(2) begins */
    fake_drain(f);
    assert_false(f->answered);
    f->hold_invals = false;
    fake_pass(f, 10);
    assert_true(f->answered);
    r = fake_end(f);
    nwr_fs_reply_deinit(&r);
    assert_int_equal(fake_close(f, node, fh), 0);
    assert_int_equal(fake_open(f, node, 02, &fh), 0);
    write_at(f, node, fh, 0, true);
    assert_int_equal(f->invals, 1);
    assert_int_equal(fake_close(f, node, fh), 0);
}

/* ---- copies by reference -------------------------------------------------------------------- */

#define MIB ((uint64_t)1 << 20)

struct copies {
    uint64_t from, to, from_fh, to_fh;
};

static void two_files(struct fake *f, struct copies *c)
{
    assert_int_equal(fake_create(f, ROOT, "from", 02, &c->from, &c->from_fh), 0);
    fill(f, c->from, c->from_fh, 8 * MIB);
    assert_int_equal(fake_fsync(f, c->from, c->from_fh), 0);
    assert_int_equal(fake_create(f, ROOT, "to", 02, &c->to, &c->to_fh), 0);
    assert_int_equal(fake_write(f, c->to, c->to_fh, 0, "begin"), 0);
    fake_reset(f);
}

static int copy_range(struct fake *f, const struct copies *c, uint64_t off, uint64_t to,
                      uint64_t size, uint64_t *count)
{
    struct nwr_fs_req *req = fake_req(NWR_FS_COPY, c->from, NULL);
    struct nwr_fs_reply r;
    int err;

    req->node2 = c->to;
    req->off = off;
    req->count = to;
    req->size = size;
    r = fake_call(f, req);
    err = r.err;
    *count = r.count;
    nwr_fs_reply_deinit(&r);
    return err;
}

static void a_copy_names_the_blocks_and_moves_no_bytes(void **state)
{
    struct fake *f = *state, g;
    struct nwr_fs_entry e;
    struct copies c;
    uint64_t count;
    struct stat st;

    two_files(f, &c);
    assert_int_equal(copy_range(f, &c, 100, 5 * MIB + 7, 20 * MIB, &count), 0);
    assert_int_equal(count, 8 * MIB - 100);
    assert_true(f->bytes_put < 65536);
    assert_int_equal(f->blocks, 0);
    assert_int_equal(fake_stat(f, c.to, &st), 0);
    assert_int_equal(st.st_size, 13 * MIB - 93);
    assert_int_equal(fake_write(f, c.from, c.from_fh, 3 * MIB, "changed"), 0);
    assert_int_equal(fake_close(f, c.from, c.from_fh), 0);
    assert_int_equal(fake_unlink(f, ROOT, "from"), 0);
    fake_pass(f, 10000); /* its registers go, and the blocks that nobody else names */
    fake_second(&g, f, 8);
    assert_int_equal(fake_lookup(&g, ROOT, "to", &e), 0);
    assert_int_equal(byte_at(&g, e.node, 0), 'b');
    assert_int_equal(byte_at(&g, e.node, 2 * MIB), 0);
    for (uint64_t i = 0; i < 128; i++)
        assert_int_equal(byte_at(&g, e.node, 5 * MIB + 7 + i * 65536), (uint8_t)(i + 1));
    assert_int_equal(byte_at(&g, e.node, 13 * MIB - 94), 128);
    fake_deinit(&g);
}

static void a_copy_inside_one_file_works(void **state)
{
    struct fake *f = *state;
    struct copies c;
    uint64_t count;

    two_files(f, &c);
    c.to = c.from;
    assert_int_equal(copy_range(f, &c, 0, 6 * MIB, 2 * MIB, &count), 0);
    assert_int_equal(count, 2 * MIB);
    assert_int_equal(byte_at(f, c.from, 6 * MIB), 1);
    assert_int_equal(byte_at(f, c.from, 8 * MIB - 1), 32);
}

static void a_copy_that_cannot_be_sent_leaves_the_target_as_it_was(void **state)
{
    struct fake *f = *state;
    struct copies c;
    uint64_t count;
    struct stat st;

    two_files(f, &c);
    f->fail_put = NWR_E_NOENT; /* the lender has just replaced a block */
    assert_int_equal(copy_range(f, &c, 0, MIB, 4 * MIB, &count), EXDEV);
    f->fail_put = NWR_OK;
    assert_int_equal(fake_stat(f, c.to, &st), 0);
    assert_int_equal(st.st_size, 5);
    assert_int_equal(byte_at(f, c.to, 0), 'b');
    assert_int_equal(fake_close(f, c.to, c.to_fh), 0);
}

static void a_copy_between_groups_is_left_to_the_kernel(void **state)
{
    struct fake *f = *state;
    struct copies c;
    uint64_t dir, count;

    two_files(f, &c);
    assert_int_equal(fake_mkdir(f, ROOT, "d", &dir), 0);
    assert_int_equal(fake_create(f, dir, "to", 02, &c.to, &c.to_fh), 0);
    assert_int_equal(copy_range(f, &c, 0, 0, MIB, &count), EXDEV);
}

/* ---- files without a name ------------------------------------------------------------------- */

static int tmpfile_in(struct fake *f, uint32_t flags, uint64_t *node, uint64_t *fh)
{
    struct nwr_fs_req *req = fake_req(NWR_FS_TMPFILE, ROOT, "/");
    struct nwr_fs_reply r;
    int err;

    req->mode = S_IFREG | 0640;
    req->flags = flags;
    r = fake_call(f, req);
    err = r.err;
    *node = r.entry.node;
    *fh = r.fh;
    nwr_fs_reply_deinit(&r);
    return err;
}

static void a_file_without_a_name_is_sent_when_it_gets_one(void **state)
{
    struct fake *f = *state, g;
    uint64_t node, fh;
    struct stat st;
    char buf[64];

    assert_int_equal(tmpfile_in(f, 02, &node, &fh), 0);
    assert_int_equal(fake_write(f, node, fh, 0, "hidden"), 0);
    assert_int_equal(fake_stat(f, node, &st), 0);
    assert_int_equal(st.st_nlink, 0);
    assert_int_equal(st.st_size, 6);
    fake_pass(f, 3000);
    assert_int_equal(f->puts, 0);
    assert_string_equal(fake_ls(f, ROOT, buf, sizeof(buf)), "");
    assert_int_equal(fake_link(f, node, ROOT, "shown"), 0);
    assert_int_equal(fake_write(f, node, fh, 6, "+"), 0);
    assert_int_equal(fake_close(f, node, fh), 0);
    fake_second(&g, f, 8);
    assert_string_equal(fake_cat(&g, ROOT, "shown", buf, sizeof(buf)), "hidden+");
    assert_int_equal(fake_unlink(&g, ROOT, "shown"), 0);
    assert_string_equal(fake_ls(&g, ROOT, buf, sizeof(buf)), "");
    fake_deinit(&g);
}

static void a_file_that_never_gets_a_name_is_never_sent(void **state)
{
    struct fake *f = *state;
    uint64_t node, fh;

    assert_int_equal(tmpfile_in(f, 0202, &node, &fh), 0); /* O_EXCL */
    assert_int_equal(fake_write(f, node, fh, 0, "hidden"), 0);
    assert_int_equal(fake_link(f, node, ROOT, "shown"), ENOENT);
    assert_int_equal(fake_fsync(f, node, fh), 0);
    assert_int_equal(fake_close(f, node, fh), 0);
    fake_pass(f, 5000);
    assert_int_equal(f->puts, 0);
}

static void a_large_file_without_a_name_leaves_memory_and_then_the_volume(void **state)
{
    struct fake *f = *state;
    uint64_t node, fh, bytes;

    assert_int_equal(tmpfile_in(f, 02, &node, &fh), 0);
    fill(f, node, fh, NWR_PUSH_BYTES);
    fake_drain(f);
    bytes = f->bytes_put;
    assert_true(bytes >= NWR_PUSH_BYTES);
    fake_reset(f);
    assert_int_equal(fake_close(f, node, fh), 0);
    fake_pass(f, 10000);
    assert_int_equal(f->puts, 2); /* it is condemned, and its registers go */
}

/* ---- handles -------------------------------------------------------------------------------- */

static int by_handle(struct fake *f, uint64_t node, uint32_t flags, struct nwr_fs_entry *e)
{
    struct nwr_fs_req *req = fake_req(NWR_FS_HANDLE, node, NULL);
    struct nwr_fs_reply r;
    int err;

    req->flags = flags;
    r = fake_call(f, req);
    err = r.err;
    *e = r.entry;
    nwr_fs_reply_deinit(&r);
    return err;
}

static void a_handle_finds_its_file_on_a_new_mount(void **state)
{
    struct fake *f = *state, g;
    struct nwr_fs_entry e, up;
    uint64_t dir, sub;

    assert_int_equal(fake_mkdir(f, ROOT, "d", &dir), 0);
    assert_int_equal(fake_mkdir(f, dir, "e", &sub), 0);
    assert_int_equal(fake_save(f, sub, "a", "data"), 0);
    assert_int_equal(fake_lookup(f, sub, "a", &e), 0);
    fake_second(&g, f, 8);
    assert_int_equal(by_handle(&g, e.node, 0, &up), 0);
    assert_int_equal(up.node, e.node);
    assert_int_equal(up.st.st_size, 4);
    assert_int_equal(by_handle(&g, sub, 0, &up), 0);
    assert_int_equal(by_handle(&g, sub, NWR_HANDLE_PARENT, &up), 0);
    assert_int_equal(up.node, dir);
    assert_int_equal(by_handle(&g, dir, NWR_HANDLE_PARENT, &up), 0);
    assert_int_equal(up.node, ROOT);
    assert_int_equal(fake_unlink(f, sub, "a"), 0);
    fake_deinit(&g);
    fake_second(&g, f, 9);
    assert_int_equal(by_handle(&g, e.node, 0, &up), ESTALE);
    assert_int_equal(by_handle(&g, 77, 0, &up), ESTALE);
    assert_int_equal(by_handle(&g, UINT64_MAX, 0, &up), ESTALE);
    fake_deinit(&g);
}

/* ---- a file that another mount writes while it is open here ---------------------------------- */

static void a_larger_size_is_told_when_old_pages_are_gone(void **state)
{
    struct fake *f = *state, g;
    struct nwr_fs_entry e;
    struct nwr_fs_reply r;
    uint64_t fh;

    assert_int_equal(fake_save(f, ROOT, "log", "one"), 0);
    fake_second(&g, f, 8);
    assert_int_equal(fake_lookup(&g, ROOT, "log", &e), 0);
    assert_int_equal(fake_open(&g, e.node, 0, &fh), 0);
    assert_int_equal(fake_save(f, ROOT, "log", "one two"), 0);
    fake_pass(&g, 1000);
    g.hold_invals = true;
    fake_begin(&g, fake_req(NWR_FS_GETATTR, e.node, NULL));
    fake_drain(&g);
    assert_int_equal(g.ninval, 1);
    assert_false(g.answered);
    g.hold_invals = false;
    fake_pass(&g, 1000);
    assert_true(g.answered);
    r = fake_end(&g);
    assert_int_equal(r.entry.st.st_size, 7);
    nwr_fs_reply_deinit(&r);
    fake_deinit(&g);
}

static void an_open_file_that_was_replaced_is_read_anew(void **state)
{
    struct fake *f = *state, g;
    struct nwr_fs_entry e;
    uint64_t fh;

    assert_int_equal(fake_save(f, ROOT, "log", "one"), 0);
    fake_second(&g, f, 8);
    assert_int_equal(fake_lookup(&g, ROOT, "log", &e), 0);
    assert_int_equal(fake_open(&g, e.node, 0, &fh), 0);
    assert_int_equal(fake_save(f, ROOT, "log", "two"), 0); /* the block of `one` goes */
    assert_int_equal(byte_at(&g, e.node, 0), 't');
    fake_deinit(&g);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(atime_may_lie_before_the_birth_of_the_file),
        T(the_ctime_of_a_content_has_nanoseconds_wherever_it_is_asked),
        T(times_before_1970_are_kept),
        T(a_directory_whose_time_is_in_the_future_changes_now),
        T(the_time_of_a_directory_that_another_mount_sets_is_shown),
        T(setgid_stays_without_group_execution_for_who_is_of_the_group),
        T(a_new_owner_strips_setuid_from_all_but_directories),
        T(a_directory_counts_its_subdirectories),
        T(counting_again_costs_nothing_while_nothing_changes),
        T(a_directory_of_more_than_a_page_is_not_counted),
        T(a_directory_that_was_removed_has_no_links),
        T(a_rename_refuses_flags_that_it_does_not_know),
        T(truncating_to_the_same_size_is_a_change),
        T(attributes_outside_the_known_name_spaces_are_refused),
        T(pages_go_that_were_read_beside_a_direct_write),
        T(a_copy_names_the_blocks_and_moves_no_bytes),
        T(a_copy_inside_one_file_works),
        T(a_copy_that_cannot_be_sent_leaves_the_target_as_it_was),
        T(a_copy_between_groups_is_left_to_the_kernel),
        T(a_handle_finds_its_file_on_a_new_mount),
        T(a_larger_size_is_told_when_old_pages_are_gone),
        T(an_open_file_that_was_replaced_is_read_anew),
        T(a_file_without_a_name_is_sent_when_it_gets_one),
        T(a_file_that_never_gets_a_name_is_never_sent),
        T(a_large_file_without_a_name_leaves_memory_and_then_the_volume),
    };

    return cmocka_run_group_tests_name("posix", tests, NULL, NULL);
}
