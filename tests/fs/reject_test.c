/* reject_test.c -- on-conflict=reject: the later of two writers is refused, and loses nothing. */
#include "tests/lib/fake_volume.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define ROOT 1

static struct fake a, b;
static struct fake_spool kept;
static char buf[70000];

static void policy(struct fake *f, uint64_t node, const char *value)
{
    struct nwr_fs_req *req = fake_req(NWR_FS_SETXATTR, node, "user.nwrfs.on-conflict");
    struct nwr_fs_reply r;

    req->data = nwr_blob_copy(value, strlen(value));
    r = fake_call(f, req);
    assert_int_equal(r.err, 0);
    nwr_fs_reply_deinit(&r);
}

static int begin(void **state)
{
    struct stat st;

    (void)state;
    kept = (struct fake_spool){0};
    fake_init(&a, 42);
    fake_second(&b, &a, 43);
    fake_again(&b, &kept);
    assert_int_equal(fake_stat(&a, ROOT, &st), 0);
    policy(&a, ROOT, "reject");
    assert_int_equal(fake_stat(&b, ROOT, &st), 0);
    return 0;
}

static int end(void **state)
{
    (void)state;
    fake_pass(&b, 40000);
    fake_pass(&a, 5000);
    fake_deinit(&b);
    fake_deinit(&a);
    fake_spool_deinit(&kept);
    return 0;
}

static const char *ls(struct fake *f)
{
    return fake_ls(f, ROOT, buf, sizeof(buf));
}

static const char *cat(struct fake *f, const char *name)
{
    return fake_cat(f, ROOT, name, buf, sizeof(buf));
}

static void lookup(struct fake *f, const char *name, uint64_t *node)
{
    struct nwr_fs_entry e;

    assert_int_equal(fake_lookup(f, ROOT, name, &e), 0);
    *node = e.node;
}

/* b opens f, a writes it, b writes f from its beginning: not closed yet. */
static void open_stale(uint64_t *node, uint64_t *fh, const char *text)
{
    lookup(&b, "f", node);
    assert_int_equal(fake_open(&b, *node, 02, fh), 0);
    assert_int_equal(fake_save(&a, ROOT, "f", "theirs"), 0);
    assert_int_equal(fake_write(&b, *node, *fh, 0, text), 0);
}

static void be_refused(const char *text)
{
    uint64_t node, fh;

    open_stale(&node, &fh, text);
    assert_int_equal(fake_close(&b, node, fh), ESTALE);
}

static void what_a_later_writer_wrote_is_kept_on_its_mount(void **state)
{
    struct stat st;
    uint64_t node;

    (void)state;
    assert_int_equal(fake_save(&a, ROOT, "f", "common base"), 0);
    be_refused("MINE");
    assert_string_equal(cat(&a, "f"), "theirs");
    assert_string_equal(cat(&b, "f"), "theirs");
    assert_string_equal(ls(&a), "f");
    assert_string_equal(ls(&b), "f f.rejected.1");
    assert_string_equal(cat(&b, "f.rejected.1"), "MINEon base");
    lookup(&b, "f.rejected.1", &node);
    assert_int_equal(fake_stat(&b, node, &st), 0);
    assert_int_equal(st.st_mode, S_IFREG | 0644);
    assert_int_equal(st.st_size, 11);
    assert_int_equal(st.st_uid, 1000);
    assert_non_null(strstr(b.said, "name=\"f.rejected.1\""));
}

static void it_is_there_until_it_is_removed(void **state)
{
    (void)state;
    assert_int_equal(fake_save(&a, ROOT, "f", "base"), 0);
    be_refused("MINE");
    fake_again(&b, &kept);
    assert_string_equal(ls(&b), "f f.rejected.1");
    assert_string_equal(cat(&b, "f.rejected.1"), "MINE");
    assert_int_equal(fake_unlink(&b, ROOT, "f.rejected.1"), 0);
    assert_string_equal(ls(&b), "f");
    assert_string_equal(cat(&b, "f.rejected.1"), "!2");
    fake_again(&b, &kept);
    assert_string_equal(ls(&b), "f");
}

static void numbers_are_the_smallest_that_are_free(void **state)
{
    (void)state;
    assert_int_equal(fake_save(&a, ROOT, "f", "base"), 0);
    be_refused("ONE");
    be_refused("TWO");
    assert_string_equal(ls(&b), "f f.rejected.1 f.rejected.2");
    assert_int_equal(fake_unlink(&b, ROOT, "f.rejected.1"), 0);
    be_refused("THREE");
    assert_string_equal(ls(&b), "f f.rejected.1 f.rejected.2");
    assert_string_equal(cat(&b, "f.rejected.1"), "THREEs");
}

static void who_has_it_open_goes_on_and_everybody_else_sees_the_latest(void **state)
{
    uint64_t node, fh, other;

    (void)state;
    assert_int_equal(fake_save(&a, ROOT, "f", "base"), 0);
    open_stale(&node, &fh, "MINE");
    fake_pass(&b, 1500); /* pushed in the background, and refused */
    assert_string_equal(cat(&b, "f.rejected.1"), "MINE");
    assert_string_equal(cat(&b, "f"), "theirs");
    lookup(&b, "f", &other);
    assert_int_not_equal(node, other);
    assert_int_equal(fake_write(&b, node, fh, 4, " AND MORE"), 0);
    assert_int_equal(fake_close(&b, node, fh), ESTALE);
    assert_string_equal(ls(&b), "f f.rejected.1");
    assert_string_equal(cat(&b, "f.rejected.1"), "MINE AND MORE");
    assert_int_equal(fake_save(&b, ROOT, "f", "mine, knowing theirs"), 0);
    assert_string_equal(cat(&a, "f"), "mine, knowing theirs");
}

static void it_is_an_ordinary_file_once_it_is_copied(void **state)
{
    uint64_t node, fh, dir;

    (void)state;
    assert_int_equal(fake_save(&a, ROOT, "f", "base"), 0);
    be_refused("MINE");
    assert_int_equal(fake_rename(&b, ROOT, "f.rejected.1", ROOT, "other", 0), EXDEV);
    assert_int_equal(fake_rename(&b, ROOT, "f", ROOT, "f.rejected.1", 0), EPERM);
    lookup(&b, "f.rejected.1", &node);
    assert_int_equal(fake_open(&b, node, 01, &fh), EPERM);
    assert_int_equal(fake_create(&b, ROOT, "f.rejected.1", 01, &node, &fh), EEXIST);
    assert_int_equal(fake_mkdir(&b, ROOT, "f.rejected.1", &dir), EEXIST);
}

static void an_ordinary_file_of_that_name_has_it(void **state)
{
    (void)state;
    assert_int_equal(fake_save(&a, ROOT, "f", "base"), 0);
    be_refused("MINE");
    assert_int_equal(fake_save(&a, ROOT, "f.rejected.1", "ordinary"), 0);
    assert_string_equal(ls(&b), "f f.rejected.1 f.rejected.2");
    assert_string_equal(cat(&b, "f.rejected.1"), "ordinary");
    assert_string_equal(cat(&b, "f.rejected.2"), "MINE");
    fake_again(&b, &kept);
    assert_string_equal(cat(&b, "f.rejected.2"), "MINE");
}

static void a_directory_with_something_kept_is_not_empty(void **state)
{
    uint64_t dir, same, node, fh;
    struct nwr_fs_entry e;

    (void)state;
    assert_int_equal(fake_mkdir(&a, ROOT, "d", &dir), 0);
    assert_int_equal(fake_save(&a, dir, "f", "base"), 0);
    lookup(&b, "d", &same);
    assert_int_equal(fake_lookup(&b, same, "f", &e), 0);
    node = e.node;
    assert_int_equal(fake_open(&b, node, 02, &fh), 0);
    assert_int_equal(fake_save(&a, dir, "f", "theirs"), 0);
    assert_int_equal(fake_write(&b, node, fh, 0, "mine"), 0);
    assert_int_equal(fake_close(&b, node, fh), ESTALE);
    assert_int_equal(fake_unlink(&b, same, "f"), 0);
    assert_int_equal(fake_rmdir(&b, ROOT, "d"), ENOTEMPTY);
    assert_int_equal(fake_unlink(&b, same, "f.rejected.1"), 0);
    assert_int_equal(fake_rmdir(&b, ROOT, "d"), 0);
}

static void a_write_that_may_be_somewhere_is_withdrawn(void **state)
{
    uint64_t node, fh;

    (void)state;
    assert_int_equal(fake_save(&a, ROOT, "f", "base"), 0);
    lookup(&b, "f", &node);
    assert_int_equal(fake_open(&b, node, 02, &fh), 0);
    assert_int_equal(fake_write(&b, node, fh, 0, "MINE"), 0);
    b.fail_put = NWR_E_TIMEDOUT;
    fake_pass(&b, 1500);
    b.fail_put = NWR_OK;
    assert_int_equal(fake_save(&a, ROOT, "f", "theirs"), 0);
    fake_reset(&b);
    assert_int_equal(fake_close(&b, node, fh), ESTALE);
    assert_int_equal(b.retired, 1);
    assert_string_equal(cat(&b, "f.rejected.1"), "MINE");
    assert_string_equal(cat(&a, "f"), "theirs");
}

static void without_a_spool_the_log_says_what_to_do(void **state)
{
    (void)state;
    fake_again(&b, NULL);
    assert_int_equal(fake_save(&a, ROOT, "f", "base"), 0);
    be_refused("MINE");
    assert_string_equal(ls(&b), "f");
    assert_non_null(strstr(b.said, "-o spool=DIR"));
}

static void a_full_spool_is_said(void **state)
{
    (void)state;
    kept.fail = NWR_E_NOSPC;
    assert_int_equal(fake_save(&a, ROOT, "f", "base"), 0);
    be_refused("MINE");
    assert_string_equal(ls(&b), "f");
    assert_non_null(strstr(b.said, "could not be kept"));
    kept.fail = NWR_OK;
}

static void a_conflict_can_be_written_to(void **state)
{
    uint64_t node, fh, na, fa;

    (void)state;
    policy(&a, ROOT, "keep");
    assert_int_equal(fake_save(&a, ROOT, "f", "base"), 0);
    lookup(&b, "f", &node);
    assert_int_equal(fake_open(&b, node, 02, &fh), 0);
    lookup(&a, "f", &na);
    assert_int_equal(fake_open(&a, na, 02, &fa), 0);
    assert_int_equal(fake_write(&a, na, fa, 0, "ours"), 0);
    assert_int_equal(fake_write(&b, node, fh, 0, "MINE"), 0);
    assert_int_equal(fake_close(&b, node, fh), 0);
    assert_int_equal(fake_close(&a, na, fa), 0);
    policy(&b, node, "reject");
    policy(&a, na, "reject");
    assert_non_null(strstr(ls(&b), "conflict"));
    assert_int_equal(fake_save(&b, ROOT, "f", "solved"), 0);
    assert_string_equal(cat(&a, "f"), "solved");
    assert_null(strstr(ls(&b), "rejected"));
}

static void what_a_process_read_is_the_base_of_its_save(void **state)
{
    (void)state;
    assert_int_equal(fake_save(&a, ROOT, "f", "base"), 0);
    b.process = 5;
    assert_string_equal(cat(&b, "f"), "base");
    assert_int_equal(fake_save(&a, ROOT, "f", "theirs"), 0);
    assert_int_equal(fake_save(&b, ROOT, "f", "mine"), ESTALE);
    assert_string_equal(cat(&b, "f.rejected.1"), "mine");
    assert_int_equal(fake_save(&b, ROOT, "t", "mine, by rename"), 0);
    b.process = 6;
    cat(&b, "f");
    assert_int_equal(fake_save(&a, ROOT, "f", "again theirs"), 0);
    assert_int_equal(fake_rename(&b, ROOT, "t", ROOT, "f", 0), ESTALE);
    assert_string_equal(cat(&b, "t"), "mine, by rename");
    assert_string_equal(cat(&a, "f"), "again theirs");
}

static void what_is_nowhere_any_more_reads_as_zeros(void **state)
{
    static char big[3 << 20];
    uint64_t node, fh;
    struct stat st;

    (void)state;
    memset(big, 'x', sizeof(big) - 1);
    assert_int_equal(fake_save(&a, ROOT, "f", big), 0);
    fake_again(&b, &kept); /* nothing of it is in a cache */
    assert_int_equal(fake_stat(&b, ROOT, &st), 0);
    open_stale(&node, &fh, "MINE");
    assert_int_equal(fake_close(&b, node, fh), ESTALE);
    lookup(&b, "f.rejected.1", &node);
    assert_int_equal(fake_stat(&b, node, &st), 0);
    assert_int_equal(st.st_size, sizeof(big) - 1);
    cat(&b, "f.rejected.1");
    assert_memory_equal(buf, "MINE\0\0", 6);
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(what_a_later_writer_wrote_is_kept_on_its_mount),
        STORY(it_is_there_until_it_is_removed),
        STORY(numbers_are_the_smallest_that_are_free),
        STORY(who_has_it_open_goes_on_and_everybody_else_sees_the_latest),
        STORY(it_is_an_ordinary_file_once_it_is_copied),
        STORY(an_ordinary_file_of_that_name_has_it),
        STORY(a_directory_with_something_kept_is_not_empty),
        STORY(a_write_that_may_be_somewhere_is_withdrawn),
        STORY(without_a_spool_the_log_says_what_to_do),
        STORY(a_full_spool_is_said),
        STORY(a_conflict_can_be_written_to),
        STORY(what_a_process_read_is_the_base_of_its_save),
        STORY(what_is_nowhere_any_more_reads_as_zeros),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
