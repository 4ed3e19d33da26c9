/* walk_test.c -- what one system call asks the volume: each record once (fs/core/walk.c). */
#include "tests/lib/fake_volume.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define ROOT 1
#define EXCL 0201 /* O_WRONLY | O_EXCL */

/* A request of another thread than that of fake_req. */
static int by(struct fake *f, uint32_t pid, struct nwr_fs_req *req)
{
    struct nwr_fs_reply r;
    int err;

    req->pid = pid;
    r = fake_call(f, req);
    err = r.err;
    nwr_fs_reply_deinit(&r);
    return err;
}

/* Times are written, subdirectories counted: what only the first look at a directory asks for. */
static void settle(struct fake *f, uint64_t dir)
{
    fake_pass(f, 5000);
    assert_int_equal(by(f, 99, fake_req(NWR_FS_GETATTR, dir, NULL)), 0);
    fake_reset(f);
}

static int setup(void **state)
{
    struct fake *f = nwr_zalloc(sizeof(*f));

    fake_init(f, 11);
    assert_int_equal(fake_save(f, ROOT, "old", "text"), 0);
    settle(f, ROOT);
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

static int capability(struct fake *f, uint64_t node)
{
    struct nwr_fs_req *req = fake_req(NWR_FS_GETXATTR, node, "security.capability");

    req->size = 64;
    return by(f, req->pid, req);
}

static int chmod_by(struct fake *f, uint32_t pid, uint64_t node, uint32_t mode)
{
    struct nwr_fs_req *req = fake_req(NWR_FS_SETATTR, node, NULL);

    req->set = NWR_SET_MODE;
    req->mode = mode;
    return by(f, pid, req);
}

static uint64_t trips(const struct fake *f)
{
    return nwr_mount_counters(f->mount)->round_trips;
}

static void creating_by_path_asks_for_each_name_once(void **state)
{
    struct fake *f = *state;
    struct nwr_fs_entry e;
    struct stat st;
    uint64_t dir, node, fh, before;

    assert_int_equal(fake_mkdir(f, ROOT, "d", &dir), 0);
    settle(f, dir);
    settle(f, ROOT);
    before = trips(f);
    assert_int_equal(fake_stat(f, ROOT, &st), 0);
    assert_int_equal(trips(f) - before, 1);
    assert_int_equal(fake_lookup(f, ROOT, "d", &e), 0); /* its inode has a PG of its own */
    assert_int_equal(trips(f) - before, 3);
    assert_int_equal(fake_stat(f, dir, &st), 0);
    assert_int_equal(fake_stat(f, dir, &st), 0);
    assert_int_equal(trips(f) - before, 3);
    assert_int_equal(fake_lookup(f, dir, "f", &e), ENOENT);
    assert_int_equal(trips(f) - before, 4);
    assert_int_equal(fake_create(f, dir, "f", EXCL, &node, &fh), 0);
    assert_int_equal(fake_stat(f, node, &st), 0);
    assert_int_equal(capability(f, node), ENODATA);
    assert_int_equal(fake_write(f, node, fh, 0, "hello"), 0);
    assert_int_equal(fake_close(f, node, fh), 0);
    assert_int_equal(trips(f) - before, 6);
    assert_int_equal(f->puts, 2);
}

static void directory_known_from_before_is_looked_up_in_one_round_trip(void **state)
{
    struct fake *f = *state;
    struct nwr_fs_entry e;
    uint64_t dir, before;

    assert_int_equal(fake_mkdir(f, ROOT, "d", &dir), 0);
    settle(f, dir);
    before = trips(f);
    assert_int_equal(fake_lookup(f, ROOT, "d", &e), 0);
    assert_int_equal(trips(f) - before, 2); /* the name, then the inode elsewhere */
    assert_int_equal(fake_lookup(f, ROOT, "d", &e), 0);
    assert_int_equal(trips(f) - before, 3);
    assert_int_equal(f->reads, 4);
}

static void wrong_guess_at_an_inode_does_no_harm(void **state)
{
    struct fake *f = *state, g;
    struct nwr_fs_entry e;
    struct stat st;
    uint64_t dir, node, fh;

    assert_int_equal(fake_mkdir(f, ROOT, "d", &dir), 0);
    assert_int_equal(fake_lookup(f, ROOT, "d", &e), 0);
    fake_second(&g, f, 12);
    assert_int_equal(fake_lookup(&g, ROOT, "d", &e), 0);
    assert_int_equal(fake_rmdir(&g, ROOT, "d"), 0);
    assert_int_equal(fake_lookup(f, ROOT, "d", &e), ENOENT);
    assert_int_equal(fake_mkdir(f, ROOT, "d", &dir), 0);
    assert_int_equal(fake_lookup(f, ROOT, "d", &e), 0);
    assert_int_equal(fake_lookup(&g, ROOT, "d", &e), 0);
    assert_int_equal(fake_rmdir(&g, ROOT, "d"), 0);
    assert_int_equal(fake_create(&g, ROOT, "d", EXCL, &node, &fh), 0);
    assert_int_equal(fake_lookup(f, ROOT, "d", &e), 0);
    assert_int_equal(fake_stat(f, e.node, &st), 0);
    assert_true(S_ISREG(st.st_mode));
    fake_pass(&g, 5000);
    fake_deinit(&g);
}

static void guess_that_cannot_be_read_does_no_harm(void **state)
{
    struct fake *f = *state;
    struct nwr_fs_entry e;
    uint64_t dir;

    assert_int_equal(fake_mkdir(f, ROOT, "d", &dir), 0);
    assert_int_equal(fake_lookup(f, ROOT, "d", &e), 0);
    f->fail_guess = NWR_E_TIMEDOUT;
    assert_int_equal(fake_lookup(f, ROOT, "d", &e), 0);
    assert_int_equal(e.node, dir);
}

/* Twice the same way, then GETATTR of the root with its LOOKUP still under way. */
static uint64_t walk_twice(struct fake *f, struct nwr_fs_entry *e)
{
    struct stat st;
    uint64_t dir;

    assert_int_equal(fake_mkdir(f, ROOT, "d", &dir), 0);
    settle(f, ROOT);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(fake_stat(f, ROOT, &st), 0);
        assert_int_equal(fake_lookup(f, ROOT, "d", e), 0);
        assert_int_equal(fake_stat(f, dir, &st), 0);
    }
    fake_reset(f);
    return dir;
}

static void way_gone_twice_is_read_beside_the_directory(void **state)
{
    struct fake *f = *state;
    struct nwr_fs_entry e;
    struct stat st;
    uint64_t dir = walk_twice(f, &e), before = trips(f);

    assert_int_equal(fake_stat(f, ROOT, &st), 0);
    assert_int_equal(f->reads, 3); /* the root, the name, the inode elsewhere */
    assert_int_equal(fake_lookup(f, ROOT, "d", &e), 0);
    assert_int_equal(e.node, dir);
    assert_int_equal(fake_stat(f, dir, &st), 0);
    assert_int_equal(f->reads, 3);
    assert_int_equal(trips(f) - before, 1);
    assert_int_equal(fake_lookup(f, ROOT, "d", &e), 0); /* not behind a GETATTR */
    assert_int_equal(f->reads, 5);
}

static void what_is_read_ahead_is_waited_for(void **state)
{
    struct fake *f = *state;
    struct nwr_fs_entry e;
    struct nwr_fs_reply r;
    struct nwr_request *root;
    struct stat st;

    for (int fails = 0; fails < 2; fails++) {
        if (fails == 0)
            walk_twice(f, &e);
        fake_reset(f);
        fake_begin(f, fake_req(NWR_FS_GETATTR, ROOT, NULL));
        assert_int_equal(f->nqueue, 3);
        root = f->queue[2]; /* its answer comes first */
        memmove(f->queue + 1, f->queue, 2 * sizeof(*f->queue));
        f->queue[0] = root;
        fake_answer(f);
        r = fake_end(f);
        assert_int_equal(r.err, 0);
        nwr_fs_reply_deinit(&r);
        fake_begin(f, fake_req(NWR_FS_LOOKUP, ROOT, "d"));
        assert_int_equal(f->nqueue, 2);
        f->fail_read = fails ? NWR_E_TIMEDOUT : NWR_OK;
        fake_drain(f);
        r = fake_end(f);
        assert_int_equal(r.err, fails ? ETIMEDOUT : 0);
        if (!fails)
            assert_int_equal(fake_stat(f, r.entry.node, &st), 0);
        assert_int_equal(f->reads, 3);
        nwr_fs_reply_deinit(&r);
        f->fail_read = NWR_OK;
    }
}

static void who_waits_for_what_is_read_ahead_runs_whatever_became_of_it(void **state)
{
    struct fake *f = *state;
    struct nwr_fs_entry e;
    struct nwr_fs_reply r;
    struct nwr_request *root;

    walk_twice(f, &e);
    fake_begin(f, fake_req(NWR_FS_GETATTR, ROOT, NULL));
    root = f->queue[2];
    memmove(f->queue + 1, f->queue, 2 * sizeof(*f->queue));
    f->queue[0] = root;
    fake_answer(f);
    r = fake_end(f);
    nwr_fs_reply_deinit(&r);
    fake_begin(f, fake_req(NWR_FS_LOOKUP, ROOT, "d"));
    for (uint32_t pid = 1000; pid < 1100; pid++) { /* other threads take the place of its walk */
        struct nwr_fs_req *req = fake_req(NWR_FS_LOOKUP, ROOT, "old");
        struct nwr_fs_event ev = {.kind = NWR_FS_EV_REQUEST, .req = req};

        req->pid = pid;
        fake_step(f, &ev);
    }
    fake_drain(f);
    r = fake_end(f);
    assert_int_equal(r.err, 0);
    nwr_fs_reply_deinit(&r);
}

static void change_before_the_system_call_is_seen_by_what_is_read_ahead(void **state)
{
    struct fake *f = *state, g;
    struct nwr_fs_entry e;
    struct stat st;

    walk_twice(f, &e);
    fake_second(&g, f, 12);
    assert_int_equal(fake_lookup(&g, ROOT, "d", &e), 0);
    assert_int_equal(fake_rmdir(&g, ROOT, "d"), 0);
    assert_int_equal(fake_stat(f, ROOT, &st), 0);
    assert_int_equal(fake_lookup(f, ROOT, "d", &e), ENOENT);
    fake_pass(&g, 5000);
    fake_deinit(&g);
}

static void another_way_is_not_read_ahead(void **state)
{
    struct fake *f = *state;
    struct nwr_fs_entry e;
    struct stat st;

    walk_twice(f, &e);
    assert_int_equal(fake_stat(f, ROOT, &st), 0);
    assert_int_equal(fake_lookup(f, ROOT, "old", &e), 0);
    fake_reset(f);
    assert_int_equal(fake_stat(f, ROOT, &st), 0);
    assert_int_equal(f->reads, 1);
    assert_int_equal(fake_lookup(f, ROOT, "d", &e), 0);
    assert_int_equal(fake_stat(f, ROOT, &st), 0);
    assert_int_equal(f->reads, 4);
}

static void unpacking_a_file_reads_nothing_but_its_name(void **state)
{
    struct fake *f = *state;
    struct nwr_fs_entry e;
    struct nwr_fs_req *req;
    struct stat st;
    uint64_t node, fh;

    assert_int_equal(fake_lookup(f, ROOT, "f", &e), ENOENT);
    assert_int_equal(fake_create(f, ROOT, "f", EXCL, &node, &fh), 0);
    assert_int_equal(fake_write(f, node, fh, 0, "hello"), 0);
    assert_int_equal(chmod_by(f, 77, node, 0600), 0);
    req = fake_req(NWR_FS_SETATTR, node, NULL);
    req->set = NWR_SET_MTIME;
    req->mtime = 1000000000;
    assert_int_equal(by(f, 77, req), 0);
    assert_int_equal(fake_close(f, node, fh), 0);
    assert_int_equal(f->reads, 1);
    assert_int_equal(fake_stat(f, node, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(st.st_mtim.tv_sec, 1);
    assert_int_equal(st.st_size, 5);
}

static void name_looked_up_again_is_read_beside_its_directory(void **state)
{
    struct fake *f = *state;
    struct nwr_fs_entry e;
    struct stat st;
    uint64_t before, fh;

    assert_int_equal(fake_lookup(f, ROOT, "new", &e), ENOENT);
    assert_int_equal(fake_stat(f, ROOT, &st), 0);
    assert_int_equal(fake_lookup(f, ROOT, "old", &e), 0);
    fake_pass(f, 100);
    before = trips(f);
    fake_reset(f);
    assert_int_equal(fake_stat(f, ROOT, &st), 0);
    assert_int_equal(fake_lookup(f, ROOT, "old", &e), 0);
    assert_int_equal(fake_open(f, e.node, 0, &fh), 0);
    assert_int_equal(f->reads, 2);
    assert_int_equal(trips(f) - before, 1);
    assert_int_equal(fake_lookup(f, ROOT, "old", &e), 0);
    assert_int_equal(f->reads, 3);
    assert_int_equal(fake_stat(f, ROOT, &st), 0); /* after LOOKUP: may it be written to? */
    assert_int_equal(f->reads, 4);
}

static void directory_is_looked_at_even_if_what_is_read_beside_it_fails(void **state)
{
    struct fake *f = *state;
    struct nwr_fs_entry e;
    struct stat st;

    assert_int_equal(fake_lookup(f, ROOT, "old", &e), 0);
    fake_pass(f, 100);
    f->fail_entry = NWR_E_CORRUPT;
    assert_int_equal(fake_stat(f, e.node, &st), 0);
    assert_int_equal(fake_stat(f, ROOT, &st), 0);
    f->fail_entry = NWR_OK;
    fake_reset(f);
    assert_int_equal(fake_lookup(f, ROOT, "old", &e), 0);
    assert_int_equal(f->reads, 1);
}

static void opening_by_path_asks_once(void **state)
{
    struct fake *f = *state;
    struct nwr_fs_entry e;
    struct stat st;
    uint64_t fh;

    assert_int_equal(fake_lookup(f, ROOT, "old", &e), 0);
    assert_int_equal(fake_stat(f, e.node, &st), 0); /* may it be read? */
    assert_int_equal(fake_open(f, e.node, 0, &fh), 0);
    assert_int_equal(fake_stat(f, e.node, &st), 0); /* fstat */
    assert_int_equal(st.st_size, 4);
    assert_int_equal(f->reads, 1);
}

static void making_and_removing_a_directory_look_once(void **state)
{
    struct fake *f = *state;
    struct nwr_fs_entry e;
    struct stat st;
    uint64_t dir;

    assert_int_equal(fake_lookup(f, ROOT, "d", &e), ENOENT);
    assert_int_equal(fake_stat(f, ROOT, &st), 0); /* may it be written to? */
    assert_int_equal(fake_mkdir(f, ROOT, "d", &dir), 0);
    assert_int_equal(f->reads, 2);
    settle(f, ROOT);
    assert_int_equal(fake_lookup(f, ROOT, "d", &e), 0);
    assert_int_equal(fake_stat(f, ROOT, &st), 0);
    assert_int_equal(fake_rmdir(f, ROOT, "d"), 0);
    assert_int_equal(f->reads, 3);
}

/* What leads to removed files is still there: the replicas would refuse, so it is looked at
 * first. */
static void removing_a_directory_after_its_files_is_not_refused_before(void **state)
{
    struct fake *f = *state;
    struct nwr_fs_entry e;
    uint32_t puts[2], reads[2];
    uint64_t dir;

    for (int i = 0; i < 2; i++) {
        const char *name = i ? "with" : "without";

        assert_int_equal(fake_mkdir(f, ROOT, name, &dir), 0);
        if (i) {
            assert_int_equal(fake_save(f, dir, "f", "text"), 0);
            assert_int_equal(fake_unlink(f, dir, "f"), 0);
        }
        fake_reset(f);
        assert_int_equal(fake_lookup(f, ROOT, name, &e), 0);
        assert_int_equal(fake_rmdir(f, ROOT, name), 0);
        puts[i] = f->puts;
        reads[i] = f->reads;
    }
    assert_int_equal(puts[1], puts[0]);
    assert_int_equal(reads[1], reads[0] + 1);
}

static void what_is_not_of_the_same_system_call_asks(void **state)
{
    struct fake *f = *state;
    struct nwr_fs_entry e;
    struct stat st;

    assert_int_equal(fake_lookup(f, ROOT, "old", &e), 0);
    assert_int_equal(fake_stat(f, e.node, &st), 0);
    assert_int_equal(f->reads, 1);
    assert_int_equal(fake_stat(f, e.node, &st), 0);
    assert_int_equal(f->reads, 2);
    assert_int_equal(fake_stat(f, e.node, &st), 0);
    assert_int_equal(f->reads, 3);
    assert_int_equal(fake_lookup(f, ROOT, "old", &e), 0);
    assert_int_equal(fake_lookup(f, ROOT, "old", &e), 0);
    assert_int_equal(f->reads, 5);
}

static void another_thread_asks(void **state)
{
    struct fake *f = *state;
    struct nwr_fs_entry e;

    assert_int_equal(fake_lookup(f, ROOT, "old", &e), 0);
    assert_int_equal(by(f, 78, fake_req(NWR_FS_GETATTR, e.node, NULL)), 0);
    assert_int_equal(f->reads, 2);
    assert_int_equal(by(f, 0, fake_req(NWR_FS_LOOKUP, ROOT, "old")), 0);
    assert_int_equal(by(f, 0, fake_req(NWR_FS_GETATTR, e.node, NULL)), 0);
    assert_int_equal(f->reads, 4);
}

static void what_a_thread_was_told_is_forgotten_soon(void **state)
{
    struct fake *f = *state;
    struct nwr_fs_entry e;
    struct stat st;

    assert_int_equal(fake_lookup(f, ROOT, "old", &e), 0);
    fake_pass(f, 5);
    assert_int_equal(fake_stat(f, e.node, &st), 0);
    assert_int_equal(f->reads, 2);
}

static void change_by_another_thread_is_seen(void **state)
{
    struct fake *f = *state;
    struct nwr_fs_entry e;
    struct stat st;

    assert_int_equal(fake_lookup(f, ROOT, "old", &e), 0);
    assert_int_equal(chmod_by(f, 78, e.node, 0600), 0);
    assert_int_equal(fake_stat(f, e.node, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void changes_beyond_counting_are_seen(void **state)
{
    struct fake *f = *state;
    struct nwr_fs_entry e, other;
    struct stat st;

    assert_int_equal(fake_save(f, ROOT, "other", "x"), 0);
    assert_int_equal(fake_lookup(f, ROOT, "other", &other), 0);
    assert_int_equal(fake_lookup(f, ROOT, "old", &e), 0);
    assert_int_equal(chmod_by(f, 78, e.node, 0600), 0);
    for (uint32_t i = 0; i < 600; i++)
        assert_int_equal(chmod_by(f, 78, other.node, 0600 | (i & 077)), 0);
    assert_int_equal(fake_stat(f, e.node, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void name_made_by_another_thread_is_no_second_file(void **state)
{
    struct fake *f = *state;
    struct nwr_fs_entry e;
    struct nwr_fs_req *req;
    uint64_t node, fh;
    char buf[100];

    for (int held = 0; held < 2; held++) {
        const char *name = held ? "held" : "sent";

        assert_int_equal(fake_lookup(f, ROOT, name, &e), ENOENT);
        req = fake_req(NWR_FS_CREATE, ROOT, name);
        req->flags = held ? 01 : EXCL;
        req->mode = 0644;
        assert_int_equal(by(f, 78, req), 0);
        assert_int_equal(fake_create(f, ROOT, name, EXCL, &node, &fh), EEXIST);
    }
    assert_string_equal(fake_ls(f, ROOT, buf, sizeof(buf)), "held old sent");
}

static void name_unlinked_before_it_was_sent_is_free(void **state)
{
    struct fake *f = *state;
    struct nwr_fs_entry e;
    uint64_t node, fh;

    assert_int_equal(fake_create(f, ROOT, "tmp", 01, &node, &fh), 0);
    assert_int_equal(fake_lookup(f, ROOT, "tmp", &e), 0);
    assert_int_equal(by(f, 78, fake_req(NWR_FS_UNLINK, ROOT, "tmp")), 0);
    assert_int_equal(fake_unlink(f, ROOT, "tmp"), ENOENT);
    assert_int_equal(fake_create(f, ROOT, "tmp", EXCL, &node, &fh), 0);
}

static void change_elsewhere_is_seen_by_the_next_path(void **state)
{
    struct fake *f = *state, g;
    struct nwr_fs_entry e, ge;
    struct stat st;
    char buf[100];

    fake_second(&g, f, 12);
    assert_int_equal(fake_lookup(&g, ROOT, "old", &ge), 0);
    assert_string_equal(fake_cat(f, ROOT, "old", buf, sizeof(buf)), "text");
    assert_int_equal(fake_lookup(f, ROOT, "old", &e), 0);
    assert_int_equal(chmod_by(&g, 77, ge.node, 0600), 0);
    assert_int_equal(fake_save(&g, ROOT, "old", "newer"), 0);
    assert_int_equal(fake_lookup(f, ROOT, "old", &e), 0);
    assert_int_equal(fake_stat(f, e.node, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_string_equal(fake_cat(f, ROOT, "old", buf, sizeof(buf)), "newer");
    fake_pass(&g, 5000);
    fake_deinit(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(creating_by_path_asks_for_each_name_once, setup, teardown),
        cmocka_unit_test_setup_teardown(directory_known_from_before_is_looked_up_in_one_round_trip,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(wrong_guess_at_an_inode_does_no_harm, setup, teardown),
        cmocka_unit_test_setup_teardown(guess_that_cannot_be_read_does_no_harm, setup, teardown),
        cmocka_unit_test_setup_teardown(way_gone_twice_is_read_beside_the_directory, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_is_read_ahead_is_waited_for, setup, teardown),
        cmocka_unit_test_setup_teardown(who_waits_for_what_is_read_ahead_runs_whatever_became_of_it,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(change_before_the_system_call_is_seen_by_what_is_read_ahead,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(another_way_is_not_read_ahead, setup, teardown),
        cmocka_unit_test_setup_teardown(unpacking_a_file_reads_nothing_but_its_name, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(name_looked_up_again_is_read_beside_its_directory, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(directory_is_looked_at_even_if_what_is_read_beside_it_fails,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(opening_by_path_asks_once, setup, teardown),
        cmocka_unit_test_setup_teardown(making_and_removing_a_directory_look_once, setup, teardown),
        cmocka_unit_test_setup_teardown(removing_a_directory_after_its_files_is_not_refused_before,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_not_of_the_same_system_call_asks, setup, teardown),
        cmocka_unit_test_setup_teardown(another_thread_asks, setup, teardown),
        cmocka_unit_test_setup_teardown(what_a_thread_was_told_is_forgotten_soon, setup, teardown),
        cmocka_unit_test_setup_teardown(change_by_another_thread_is_seen, setup, teardown),
        cmocka_unit_test_setup_teardown(changes_beyond_counting_are_seen, setup, teardown),
        cmocka_unit_test_setup_teardown(name_made_by_another_thread_is_no_second_file, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(name_unlinked_before_it_was_sent_is_free, setup, teardown),
        cmocka_unit_test_setup_teardown(change_elsewhere_is_seen_by_the_next_path, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
