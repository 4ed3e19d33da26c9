/* store_rocks_test.c -- the directory, the files and the disk below a real store. */
#include "tests/contract/store_kit.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define LARGE (NWR_BLOCK_SEGMENT + 100)
#define SMALL_SEGMENT ((uint64_t)1 << 20)
#define PATIENCE 600 /* times 50 ms, for what the worker does in its own time */

/* ---- the directory -------------------------------------------------------------------------- */

static void write_file(const char *dir, const char *name, const char *text)
{
    char path[400];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static enum nwr_err try_open(const char *dir, nwr_ms wait_ms, char *text, size_t len)
{
    struct nwr_store *s;
    enum nwr_err err = nwr_store_rocks_open(&s, dir, wait_ms, text, len);

    if (!err)
        s->destroy(s);
    return err;
}

static void a_directory_in_use_is_refused(void **state)
{
    struct kit *k = *state;
    char text[300] = "";

    assert_int_equal(try_open(k->dir, 0, text, sizeof(text)), NWR_E_LOCKED);
    assert_non_null(strstr(text, k->dir));
    assert_non_null(strstr(text, "in use"));
    k->s->destroy(k->s);
    k->s = NULL;
    assert_int_equal(try_open(k->dir, 0, text, sizeof(text)), NWR_OK);
}

static void *close_later(void *arg)
{
    struct kit *k = arg;

    poll(NULL, 0, 200);
    k->s->destroy(k->s);
    k->s = NULL;
    return NULL;
}

static void an_open_waits_for_the_one_before_to_end(void **state)
{
    struct kit *k = *state;
    char text[300] = "";
    pthread_t t;

    assert_int_equal(pthread_create(&t, NULL, close_later, k), 0);
    assert_int_equal(try_open(k->dir, 60000, text, sizeof(text)), NWR_OK);
    pthread_join(t, NULL);
}

static void an_unknown_format_is_refused_and_named(void **state)
{
    struct kit *k = *state;
    char text[300] = "";

    k->s->destroy(k->s);
    k->s = NULL;
    write_file(k->dir, "format", "nwrfs store 4\n");
    assert_int_equal(try_open(k->dir, 0, text, sizeof(text)), NWR_E_VERSION);
    assert_non_null(strstr(text, "nwrfs store 4"));
    write_file(k->dir, "format", "nwrfs store 3\n");
    assert_int_equal(try_open(k->dir, 0, text, sizeof(text)), NWR_OK);
}

static void becomes_of_this_format(struct kit *k, const char *format)
{
    char text[300] = "", path[400], found[64] = "";
    FILE *f;

    write_file(k->dir, "format", format);
    assert_int_equal(try_open(k->dir, 0, text, sizeof(text)), NWR_OK);
    snprintf(path, sizeof(path), "%s/format", k->dir);
    f = fopen(path, "r");
    assert_non_null(f);
    assert_non_null(fgets(found, sizeof(found), f));
    fclose(f);
    assert_string_equal(found, "nwrfs store 3\n");
}

/* Its records are read as they are; what knows older ones only must not open it any more. */
static void a_directory_of_a_format_before_is_of_this_one_from_then_on(void **state)
{
    struct kit *k = *state;

    k->s->destroy(k->s);
    k->s = NULL;
    becomes_of_this_format(k, "nwrfs store 1\n");
    becomes_of_this_format(k, "nwrfs store 2\n");
}

static void data_without_a_format_is_refused(void **state)
{
    struct kit *k = *state;
    char text[300] = "", path[400];

    k->s->destroy(k->s);
    k->s = NULL;
    snprintf(path, sizeof(path), "%s/format", k->dir);
    unlink(path);
    assert_int_equal(try_open(k->dir, 0, text, sizeof(text)), NWR_E_VERSION);
}

static void a_path_that_cannot_be_a_store_is_refused_in_one_line(void **state)
{
    struct kit *k = *state;
    char text[300] = "", path[400];

    snprintf(path, sizeof(path), "%s/none/below", k->dir);
    assert_int_equal(try_open(path, 0, text, sizeof(text)), NWR_E_NOENT);
    assert_non_null(strstr(text, path));
    assert_null(strchr(text, '\n'));
    snprintf(path, sizeof(path), "%s/format", k->dir);
    assert_int_equal(try_open(path, 0, text, sizeof(text)), NWR_E_NOTDIR);
    assert_null(strchr(text, '\n'));
}

/* ---- rot ------------------------------------------------------------------------------------ */

/* Flips a byte of the first place in the files below dir/sub that holds what; false: nowhere. */
static bool flip_in_file(const char *path, const void *what, size_t len)
{
    static uint8_t bytes[8 << 20];
    int fd = open(path, O_RDWR);
    ssize_t got = fd < 0 ? -1 : read(fd, bytes, sizeof(bytes));
    uint8_t *at = got > 0 ? memmem(bytes, (size_t)got, what, len) : NULL;

    if (at) {
        *at ^= 0x40;
        assert_int_equal(pwrite(fd, at, 1, at - bytes), 1);
    }
    close(fd);
    return at != NULL;
}

static bool flip_below(const char *dir, const char *sub, const char *suffix, const void *what,
                       size_t len)
{
    char path[800];
    struct dirent *e;
    bool done = false;
    DIR *d;

    snprintf(path, sizeof(path), "%s/%s", dir, sub);
    d = opendir(path);
    assert_non_null(d);
    while (!done && (e = readdir(d))) {
        size_t n = strlen(e->d_name), m = strlen(suffix);

        snprintf(path, sizeof(path), "%s/%s/%s", dir, sub, e->d_name);
        if (n > m && strcmp(e->d_name + n - m, suffix) == 0)
            done = flip_in_file(path, what, len);
    }
    closedir(d);
    return done;
}

static void a_flipped_byte_in_a_record_is_e_corrupt_and_never_an_empty_record(void **state)
{
    static const char body[] = "q7Zk-unlikely-0f3a9c-bytes";
    struct kit *k = *state;
    struct batch b;

    assert_int_equal(put_one(k, content_key(5), body, NULL), NWR_OK);
    kit_reopen(k); /* recovery writes the log into a table */
    k->s->destroy(k->s);
    k->s = NULL;
    assert_true(flip_below(k->dir, "db", ".sst", body, 16));
    kit_open(k);
    batch_init(&b, k, NWR_STORE_READ);
    batch_range(&b, content_key(5), true, false);
    assert_int_equal(batch_end(&b), NWR_E_CORRUPT);
    batch_init(&b, k, NWR_STORE_READ);
    batch_range(&b, nwr_key_object(ino(5)), false, false);
    assert_int_equal(batch_run(&b), NWR_E_CORRUPT);
    assert_int_equal(b.op.rows.n, 0);
    batch_deinit(&b);
    assert_int_equal(put_one(k, content_key(5), "must not replace it", NULL), NWR_E_CORRUPT);
    /* What cannot be read is set aside; the group goes on when it is trusted again. */
    batch_init(&b, k, NWR_STORE_DOUBT);
    b.op.trust = true;
    assert_int_equal(batch_end(&b), NWR_OK);
    assert_int_equal(put_one(k, content_key(500), "goes on", NULL), NWR_OK);
}

static void a_flipped_byte_in_a_segment_is_e_corrupt_until_the_block_is_put_again(void **state)
{
    struct kit *k = *state;
    uint8_t fill[64];

    memset(fill, 7, sizeof(fill));
    assert_int_equal(put_content(k, 5, block_id(7), LARGE, NULL), NWR_OK);
    assert_int_equal(put_content(k, 6, block_id(8), LARGE, NULL), NWR_OK);
    assert_true(flip_below(k->dir, "segments", ".seg", fill, sizeof(fill)));
    assert_int_equal(get_block(k, block_id(7), 7, LARGE), NWR_E_CORRUPT);
    assert_int_equal(get_block(k, block_id(8), 8, LARGE), NWR_OK);
    assert_int_equal(kit_verify(k).corrupt, 1);
    assert_int_equal(put_block(k, block_id(7), 7, LARGE), NWR_OK);
    assert_int_equal(get_block(k, block_id(7), 7, LARGE), NWR_OK);
    kit_assert_whole(k);
}

static void a_small_block_that_rotted_is_healed_by_putting_it_again(void **state)
{
    struct kit *k = *state;
    uint8_t fill[64];

    memset(fill, 7, sizeof(fill));
    assert_int_equal(put_content(k, 5, block_id(7), 4096, NULL), NWR_OK);
    kit_reopen(k);
    k->s->destroy(k->s);
    k->s = NULL;
    assert_true(flip_below(k->dir, "db", ".sst", fill, sizeof(fill)));
    kit_open(k);
    assert_int_equal(get_block(k, block_id(7), 7, 4096), NWR_E_CORRUPT);
    assert_int_equal(put_block(k, block_id(7), 7, 4096), NWR_OK);
    assert_int_equal(get_block(k, block_id(7), 7, 4096), NWR_OK);
}

static void a_segment_that_is_gone_or_cut_is_e_corrupt(void **state)
{
    struct kit *k = *state;
    char path[400];

    assert_int_equal(put_content(k, 5, block_id(7), LARGE, NULL), NWR_OK);
    assert_int_equal(put_content(k, 6, block_id(8), LARGE, NULL), NWR_OK);
    snprintf(path, sizeof(path), "%s/segments/000001.seg", k->dir);
    assert_int_equal(truncate(path, LARGE + 4096), 0);
    assert_int_equal(get_block(k, block_id(8), 8, LARGE), NWR_E_CORRUPT);
    k->s->destroy(k->s);
    k->s = NULL;
    assert_int_equal(unlink(path), 0);
    kit_open(k);
    assert_int_equal(get_block(k, block_id(7), 7, LARGE), NWR_E_CORRUPT);
}

/* ---- segments ------------------------------------------------------------------------------- */

static uint32_t count_segments(const struct kit *k)
{
    char path[400];
    uint32_t n = 0;
    struct dirent *e;
    DIR *d;

    snprintf(path, sizeof(path), "%s/segments", k->dir);
    d = opendir(path);
    assert_non_null(d);
    while ((e = readdir(d)))
        n += strstr(e->d_name, ".seg") != NULL;
    closedir(d);
    return n;
}

static int kit_small_segments(void **state)
{
    struct kit *k;

    kit_rocks(state);
    k = *state;
    k->segment_bytes = SMALL_SEGMENT;
    kit_reopen(k);
    return 0;
}

static void put_contents(struct kit *k, uint32_t n, struct nwr_seen *seen)
{
    for (uint32_t i = 0; i < n; i++)
        assert_int_equal(put_content(k, i, block_id(i), LARGE, &seen[i]), NWR_OK);
}

/* Its old place may be read again some day: nothing there is given back. */
static void a_block_that_the_disk_does_not_give_is_healed_by_putting_it_again(void **state)
{
    struct kit *k = *state;
    struct nwr_seen seen[60] = {0};
    char path[400], away[420];
    struct stat before, after;

    put_contents(k, 60, seen);
    kit_reopen(k);
    snprintf(path, sizeof(path), "%s/segments/000001.seg", k->dir);
    snprintf(away, sizeof(away), "%s.away", path);
    assert_int_equal(stat(path, &before), 0);
    assert_int_equal(rename(path, away), 0);
    assert_int_equal(mkdir(path, 0700), 0); /* EISDIR: E_IO, like a bad sector */
    assert_int_equal(get_block(k, block_id(0), 0, LARGE), NWR_E_IO);
    assert_int_equal(put_block(k, block_id(0), 0, LARGE), NWR_OK);
    assert_int_equal(get_block(k, block_id(0), 0, LARGE), NWR_OK);
    assert_int_equal(get_block(k, block_id(1), 1, LARGE), NWR_E_IO);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(rename(away, path), 0);
    assert_int_equal(sync_now(k), NWR_OK);
    assert_int_equal(get_block(k, block_id(1), 1, LARGE), NWR_OK);
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(after.st_blocks, before.st_blocks);
    kit_assert_whole(k);
}

static void segments_without_live_bytes_go_after_a_sync(void **state)
{
    struct kit *k = *state;
    struct nwr_seen seen[60] = {0};
    uint32_t full;

    put_contents(k, 60, seen);
    full = count_segments(k);
    assert_in_range(full, 4, 5);
    for (uint32_t i = 0; i < 60; i++)
        assert_int_equal(remove_content(k, i, seen[i]), NWR_OK);
    assert_int_equal(sync_now(k), NWR_OK);
    assert_int_equal(count_segments(k), 1);
    assert_int_equal(stat_of(k).segment_live, 0);
    kit_reopen(k);
    kit_assert_whole(k);
}

static void room_of_a_removed_block_is_given_back_after_a_sync(void **state)
{
    struct kit *k = *state;
    struct nwr_seen seen[60] = {0};
    struct stat before, after;
    char path[400];

    snprintf(path, sizeof(path), "%s/segments/000001.seg", k->dir);
    put_contents(k, 60, seen);
    assert_int_equal(sync_now(k), NWR_OK);
    assert_int_equal(stat(path, &before), 0);
    for (uint32_t i = 0; i < 8; i++)
        assert_int_equal(remove_content(k, i, seen[i]), NWR_OK);
    assert_int_equal(sync_now(k), NWR_OK);
    assert_int_equal(stat(path, &after), 0);
    assert_true(after.st_blocks < before.st_blocks);
    for (uint32_t i = 8; i < 60; i++)
        assert_int_equal(get_block(k, block_id(i), (uint8_t)i, LARGE), NWR_OK);
}

static bool wait_for_segments(struct kit *k, uint32_t most)
{
    for (int i = 0; i < PATIENCE && count_segments(k) > most; i++) {
        poll(NULL, 0, 50);
        assert_int_equal(sync_now(k), NWR_OK);
    }
    return count_segments(k) <= most;
}

static void sparse_segments_are_copied_out_and_removed(void **state)
{
    struct kit *k = *state;
    struct nwr_seen seen[120] = {0};
    uint32_t full;

    put_contents(k, 120, seen);
    full = count_segments(k);
    assert_true(full >= 7);
    for (uint32_t i = 0; i < 120; i++)
        if (i % 10)
            assert_int_equal(remove_content(k, i, seen[i]), NWR_OK);
    assert_true(wait_for_segments(k, 3));
    for (int round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < 120; i += 10)
            assert_int_equal(get_block(k, block_id(i), (uint8_t)i, LARGE), NWR_OK);
        kit_assert_whole(k);
        assert_int_equal(kit_verify(k).blocks, 12);
        kit_reopen(k);
    }
}

static void a_corrupt_block_is_kept_when_its_segment_is_sparse(void **state)
{
    struct kit *k = *state;
    struct nwr_seen seen[60] = {0};
    uint8_t fill[64];
    char path[400];

    put_contents(k, 60, seen);
    memset(fill, 1, sizeof(fill));
    assert_true(flip_below(k->dir, "segments", ".seg", fill, sizeof(fill)));
    for (uint32_t i = 2; i < 60; i++)
        assert_int_equal(remove_content(k, i, seen[i]), NWR_OK);
    assert_true(wait_for_segments(k, 2));
    snprintf(path, sizeof(path), "%s/segments/000001.seg", k->dir);
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(get_block(k, block_id(1), 1, LARGE), NWR_E_CORRUPT);
    assert_int_equal(get_block(k, block_id(0), 0, LARGE), NWR_OK);
}

/* ---- no descriptor is left ------------------------------------------------------------------ */

#define DESCRIPTORS 1024
struct taken {
    struct rlimit before;
    int fd[DESCRIPTORS];
    uint32_t n;
};

static void take_descriptors(struct taken *t)
{
    struct rlimit limit;
    int fd;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &t->before), 0);
    limit = t->before;
    limit.rlim_cur = DESCRIPTORS;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    for (t->n = 0; (fd = dup(1)) >= 0; t->n++)
        t->fd[t->n] = fd;
}

static void give_descriptors_back(struct taken *t)
{
    while (t->n)
        close(t->fd[--t->n]);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &t->before), 0);
}

static void without_descriptors_nothing_is_said_to_be_stored_or_synced(void **state)
{
    struct kit *k = *state;
    struct taken t;

    take_descriptors(&t);
    assert_int_equal(put_block(k, block_id(1), 1, LARGE), NWR_E_MFILE); /* a new segment */
    give_descriptors_back(&t);
    assert_int_equal(put_block(k, block_id(1), 1, LARGE), NWR_OK);
    take_descriptors(&t);
    assert_int_equal(sync_now(k), NWR_E_MFILE);
    assert_int_equal(get_block(k, block_id(1), 1, LARGE), NWR_OK);
    give_descriptors_back(&t);
    assert_int_equal(sync_now(k), NWR_OK);
    assert_int_equal(put_content(k, 5, block_id(2), LARGE, NULL), NWR_OK);
    kit_restart(k);
    assert_int_equal(get_block(k, block_id(2), 2, LARGE), NWR_OK);
}

#define ON(f) cmocka_unit_test_setup_teardown(f, kit_rocks, kit_teardown)
#define ON_SMALL(f) cmocka_unit_test_setup_teardown(f, kit_small_segments, kit_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON(a_directory_in_use_is_refused),
        ON(an_open_waits_for_the_one_before_to_end),
        ON(an_unknown_format_is_refused_and_named),
        ON(a_directory_of_a_format_before_is_of_this_one_from_then_on),
        ON(data_without_a_format_is_refused),
        ON(a_path_that_cannot_be_a_store_is_refused_in_one_line),
        ON(a_flipped_byte_in_a_record_is_e_corrupt_and_never_an_empty_record),
        ON(a_flipped_byte_in_a_segment_is_e_corrupt_until_the_block_is_put_again),
        ON(a_small_block_that_rotted_is_healed_by_putting_it_again),
        ON(a_segment_that_is_gone_or_cut_is_e_corrupt),
        ON_SMALL(a_block_that_the_disk_does_not_give_is_healed_by_putting_it_again),
        ON_SMALL(segments_without_live_bytes_go_after_a_sync),
        ON_SMALL(room_of_a_removed_block_is_given_back_after_a_sync),
        ON_SMALL(sparse_segments_are_copied_out_and_removed),
        ON_SMALL(a_corrupt_block_is_kept_when_its_segment_is_sparse),
        ON(without_descriptors_nothing_is_said_to_be_stored_or_synced),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
