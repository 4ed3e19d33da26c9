/* store_full_test.c -- a store whose disk is full: what goes on, what is refused, how it ends. */
#include "tests/contract/store_kit.h"

#include "net/store/tables.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATIENCE 600 /* times 50 ms, for what the worker does in its own time */

#define DISK_BYTES "96m"

static int kit_small_disk(void **state)
{
    struct kit *k = nwr_zalloc(sizeof(*k));
    char dir[256];

    k->rocks = true;
    *state = k;
    kit_tmpdir(dir, sizeof(dir));
    snprintf(k->dir, sizeof(k->dir), "%s", dir);
    if (mount("tmpfs", dir, "tmpfs", 0, "size=" DISK_BYTES))
        return 0;
    kit_open(k);
    return 0;
}

static int teardown_small_disk(void **state)
{
    struct kit *k = *state;

    if (k->s)
        k->s->destroy(k->s);
    umount2(k->dir, MNT_DETACH);
    rmdir(k->dir);
    nwr_free(k);
    return 0;
}

static bool have_disk(const struct kit *k)
{
    if (!k->s)
        print_message("# a small disk needs root: not tested\n");
    return k->s != NULL;
}

/* Until it is full; the number of contents stored. */
static uint32_t fill_disk(struct kit *k, struct nwr_seen *seen, uint32_t max, size_t len)
{
    uint32_t n = 0;
    enum nwr_err err = NWR_OK;

    while (n < max && !err)
        err = put_content(k, n, block_id(n), len, &seen[n]) ? NWR_E_NOSPC : (n++, NWR_OK);
    assert_int_equal(err, NWR_E_NOSPC);
    return n;
}

static void fill_and_empty(struct kit *k, size_t len)
{
    enum {
        MAX = 20000
    };
    struct nwr_seen *seen = nwr_zalloc(MAX * sizeof(*seen));
    uint32_t n = fill_disk(k, seen, MAX, len);
    enum nwr_err err = NWR_E_NOSPC;

    assert_true(n > 0);
    assert_int_equal(put_one(k, content_key(MAX), "more", NULL), NWR_E_NOSPC);
    assert_int_equal(put_block(k, block_id(MAX), 1, 10), NWR_E_NOSPC);
    for (uint32_t i = 0; i < n; i++)
        assert_int_equal(get_block(k, block_id(i), (uint8_t)i, len), NWR_OK);
    for (uint32_t i = 0; i < n; i++)
        assert_int_equal(remove_content(k, i, seen[i]), NWR_OK);
    for (int i = 0; i < PATIENCE && err; i++) {
        assert_int_equal(sync_now(k), NWR_OK);
        err = put_content(k, MAX + 1, block_id(1), len, NULL);
        if (err)
            poll(NULL, 0, 50);
    }
    assert_int_equal(err, NWR_OK);
    kit_assert_whole(k);
    kit_reopen(k);
    kit_assert_whole(k);
    assert_int_equal(get_block(k, block_id(1), 1, len), NWR_OK);
    nwr_free(seen);
}

static void a_disk_full_of_large_blocks_goes_on_reading_and_removing(void **state)
{
    if (!have_disk(*state))
        skip();
    fill_and_empty(*state, NWR_BLOCK_MAX);
}

static void a_disk_full_of_small_blocks_goes_on_reading_and_removing(void **state)
{
    if (!have_disk(*state))
        skip();
    fill_and_empty(*state, 20000);
}

/* Until it stays full, whatever is gathered meanwhile. */
static uint32_t fill_for_good(struct kit *k, struct nwr_seen *seen, uint32_t max, size_t len)
{
    uint32_t n = 0;

    for (int refused = 0; n < max && refused < 20;) {
        if (put_content(k, n, block_id(n), len, &seen[n]) == NWR_OK) {
            n++;
            refused = 0;
            continue;
        }
        refused++;
        poll(NULL, 0, 100);
    }
    return n;
}

/* In an order in which each table file is concerned from the beginning, so that a compaction may
 * have to write all anew; and slowly enough for several. */
static void compaction_leaves_room_for_removals(void **state)
{
    enum {
        MAX = 20000,
        STRIDE = 7919
    };
    struct kit *k = *state;
    struct nwr_seen *seen = nwr_zalloc(MAX * sizeof(*seen));
    uint64_t least = UINT64_MAX;
    uint32_t n;

    if (!have_disk(k))
        skip();
    n = fill_for_good(k, seen, MAX, 20000);
    assert_in_range(n, 500, MAX - 1);
    for (uint64_t i = 0; i < n; i++) {
        uint32_t one = (uint32_t)(i * STRIDE % n);

        assert_int_equal(remove_content(k, one, seen[one]), NWR_OK);
        least = NWR_MIN(least, stat_of(k).bytes_free);
        poll(NULL, 0, 2);
    }
    assert_true(least >= NWR_STORE_RESERVE_BYTES / 8);
    kit_assert_whole(k);
    nwr_free(seen);
}

/* ---- others fill it ------------------------------------------------------------------------- */

static void path_of_ballast(const struct kit *k, char *out, size_t len)
{
    snprintf(out, len, "%s/ballast", k->dir);
}

static void fill_to_the_last_byte(const struct kit *k)
{
    static uint8_t zero[1 << 16];
    char path[400];
    int fd;

    path_of_ballast(k, path, sizeof(path));
    fd = open(path, O_CREAT | O_WRONLY | O_APPEND, 0600);
    assert_true(fd >= 0);
    for (size_t len = sizeof(zero); len; len /= 2)
        while (write(fd, zero, len) > 0)
            ;
    close(fd);
}

static void give_back(const struct kit *k, off_t bytes)
{
    char path[400];
    struct stat st;

    path_of_ballast(k, path, sizeof(path));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(truncate(path, NWR_MAX(st.st_size, bytes) - bytes), 0);
}

/* Of 60,000 bytes that cannot be compressed. */
static const char *long_body(uint64_t n)
{
    static char body[60001];

    for (size_t i = 0; i + 1 < sizeof(body); i++)
        body[i] = (char)(1 + nwr_mix64(n << 20 | i) % 255);
    return body;
}

/* A removal with a large body: let through when the disk is full, until it really is. */
static enum nwr_err remove_at_length(struct kit *k, uint64_t n, struct nwr_seen seen)
{
    struct nwr_write *w;
    struct batch b;

    batch_init(&b, k, NWR_STORE_APPLY);
    w = batch_put(&b, content_key(n), 0, long_body(n));
    w->v.flags = NWR_V_TOMBSTONE;
    nwr_write_seen(w, seen.dot, seen.wid);
    return batch_end(&b);
}

static bool is_removed(struct kit *k, uint64_t n)
{
    const struct nwr_row *row;
    struct nwr_key key = content_key(n);
    struct batch b;
    bool removed;

    batch_init(&b, k, NWR_STORE_READ);
    batch_range(&b, key, true, false);
    assert_int_equal(batch_run(&b), NWR_OK);
    row = nwr_rows_find(&b.op.rows, &key);
    assert_non_null(row);
    removed = nwr_record_live(&row->rec) == 0;
    batch_deinit(&b);
    return removed;
}

enum {
    CONTENTS = 400
};

static void put_contents(struct kit *k, struct nwr_seen *seen)
{
    for (uint32_t i = 0; i < CONTENTS; i++)
        assert_int_equal(put_one(k, content_key(i), "x", &seen[i]), NWR_OK);
}

/* From *removed on, until one is refused. */
static void remove_until_full(struct kit *k, const struct nwr_seen *seen, uint32_t *removed)
{
    enum nwr_err err = NWR_OK;

    while (*removed < CONTENTS && !(err = remove_at_length(k, *removed, seen[*removed])))
        ++*removed;
    assert_int_equal(err, NWR_E_NOSPC);
}

static void assert_removed(struct kit *k, uint32_t removed)
{
    for (uint32_t i = 0; i < CONTENTS; i++)
        assert_true(is_removed(k, i) == (i < removed));
}

static enum nwr_err put_in_time(struct kit *k)
{
    enum nwr_err err = NWR_E_NOSPC;

    for (int i = 0; i < PATIENCE && err; i++) {
        err = put_one(k, content_key(CONTENTS), "again", NULL);
        if (err)
            poll(NULL, 0, 50);
    }
    return err;
}

static enum nwr_err remove_in_time(struct kit *k, const struct nwr_seen *seen, uint32_t *removed)
{
    enum nwr_err err = NWR_E_NOSPC;

    for (int i = 0; i < PATIENCE && err; i++) {
        err = remove_content(k, *removed, seen[*removed]);
        if (err)
            poll(NULL, 0, 50);
    }
    *removed += err == NWR_OK;
    return err;
}

static void a_disk_filled_by_others_fails_writes_and_recovers(void **state)
{
    struct kit *k = *state;
    struct nwr_seen seen[CONTENTS] = {0};
    uint32_t removed = 0;

    if (!have_disk(k))
        skip();
    put_contents(k, seen);
    fill_to_the_last_byte(k);
    remove_until_full(k, seen, &removed);
    assert_int_equal(remove_at_length(k, CONTENTS - 1, seen[CONTENTS - 1]), NWR_E_NOSPC);
    assert_removed(k, removed);
    give_back(k, 1 << 30);
    assert_int_equal(put_in_time(k), NWR_OK);
    assert_int_equal(sync_now(k), NWR_OK);
    kit_reopen(k);
    assert_removed(k, removed);
    kit_assert_whole(k);
}

/* Less than what is kept for removals is there for them all the same. */
static void removals_go_on_when_some_room_has_come_back(void **state)
{
    struct kit *k = *state;
    struct nwr_seen seen[CONTENTS] = {0};
    uint32_t removed = 0;

    if (!have_disk(k))
        skip();
    put_contents(k, seen);
    fill_to_the_last_byte(k);
    remove_until_full(k, seen, &removed);
    give_back(k, (off_t)NWR_STORE_RESERVE_BYTES * 2 / 3);
    assert_int_equal(remove_in_time(k, seen, &removed), NWR_OK);
    assert_int_equal(put_one(k, content_key(CONTENTS), "more", NULL), NWR_E_NOSPC);
    assert_removed(k, removed);
    kit_reopen(k);
    assert_removed(k, removed);
    kit_assert_whole(k);
}

/* A memtable that is full when the disk is: RocksDB refuses all writes from then on. */
static void removals_go_on_after_a_table_could_not_be_written(void **state)
{
    struct kit *k = *state;
    struct nwr_seen seen[CONTENTS] = {0};
    uint32_t removed = 0;

    if (!have_disk(k))
        skip();
    put_contents(k, seen);
    for (uint32_t i = 1; i <= 100; i++)
        assert_int_equal(put_one(k, content_key(CONTENTS + i), long_body(i), NULL), NWR_OK);
    fill_to_the_last_byte(k);
    give_back(k, (off_t)NWR_STORE_LAST_BYTES * 3 / 2);
    remove_until_full(k, seen, &removed);
    give_back(k, (off_t)NWR_STORE_RESERVE_BYTES / 2);
    assert_int_equal(remove_in_time(k, seen, &removed), NWR_OK);
    assert_removed(k, removed);
    give_back(k, 1 << 30);
    assert_int_equal(put_in_time(k), NWR_OK);
    kit_reopen(k);
    assert_removed(k, removed);
    kit_assert_whole(k);
}

#define ON_DISK(f) cmocka_unit_test_setup_teardown(f, kit_small_disk, teardown_small_disk)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_DISK(a_disk_full_of_large_blocks_goes_on_reading_and_removing),
        ON_DISK(a_disk_full_of_small_blocks_goes_on_reading_and_removing),
        ON_DISK(compaction_leaves_room_for_removals),
        ON_DISK(a_disk_filled_by_others_fails_writes_and_recovers),
        ON_DISK(removals_go_on_when_some_room_has_come_back),
        ON_DISK(removals_go_on_after_a_table_could_not_be_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
