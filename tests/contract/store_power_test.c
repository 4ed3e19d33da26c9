/* store_power_test.c -- power loss for a real store: what the disk holds, and nothing else.
 *
 * The store runs on a small ext4 in a loop device. The image below it holds what was written out
 * to the device, not what is in the page cache: so a copy of the image, taken while nothing is
 * being written out, is the disk after a power loss. The copy is mounted, its journal replayed,
 * and the store opened there.
 */
#include "tests/contract/store_kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define CONTENTS 60
#define ROUNDS 6
#define LARGE (NWR_BLOCK_SEGMENT + 500)

/* One disk and its copy. */
struct power {
    struct kit *k;
    char dir[256]; /* a tmpfs: image, copy, disk/, after/ */
    struct nwr_rng rng;
    bool ready;
    struct nwr_seen seen[CONTENTS]; /* counter 0: not there */
    uint64_t block[CONTENTS];       /* named by the version there */
    nwr_wid synced[CONTENTS];       /* version at the last sync; 0: not there */
    bool touched[CONTENTS];         /* since then */
    uint64_t next_block;
};

static int shell(const char *format, ...)
{
    char command[1200];
    va_list args;
    int status;
    pid_t pid;

    va_start(args, format);
    vsnprintf(command, sizeof(command), format, args);
    va_end(args);
    pid = fork();
    if (pid == 0) {
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int make_disk(void **state)
{
    struct power *p = nwr_zalloc(sizeof(*p));

    *state = p;
    kit_tmpdir(p->dir, sizeof(p->dir));
    nwr_rng_init(&p->rng, 5);
    p->next_block = 1;
    p->ready =
        geteuid() == 0 && shell("mount -t tmpfs -o size=600m tmpfs %s 2>/dev/null && cd %s && "
                                "mkdir disk after && truncate -s 256m image && "
                                "mkfs.ext4 -q -F image 2>/dev/null && "
                                "mount -o loop,commit=3600 image disk 2>/dev/null",
                                p->dir, p->dir) == 0;
    p->k = nwr_zalloc(sizeof(*p->k));
    p->k->rocks = true;
    p->k->segment_bytes = 1 << 20;
    if (!p->ready)
        return 0;
    snprintf(p->k->dir, sizeof(p->k->dir), "%s/disk/data", p->dir);
    kit_open(p->k);
    return 0;
}

static int drop_disk(void **state)
{
    struct power *p = *state;

    if (p->k->s)
        p->k->s->destroy(p->k->s);
    shell("cd / && umount -l %s/after 2>/dev/null; umount -l %s/disk 2>/dev/null; "
          "umount -l %s 2>/dev/null; rmdir %s",
          p->dir, p->dir, p->dir, p->dir);
    nwr_free(p->k);
    nwr_free(p);
    return 0;
}

static size_t size_of(uint64_t block)
{
    return block % 3 ? 500 + block : LARGE;
}

static void write_one(struct power *p, uint32_t i)
{
    struct nwr_block_id id = block_id(p->next_block);

    assert_int_equal(put_content(p->k, i, id, size_of(p->next_block), &p->seen[i]), NWR_OK);
    p->block[i] = p->next_block++;
    p->touched[i] = true;
}

static void remove_one(struct power *p, uint32_t i)
{
    if (!p->seen[i].dot.counter)
        return;
    assert_int_equal(remove_content(p->k, i, p->seen[i]), NWR_OK);
    p->seen[i] = (struct nwr_seen){0};
    p->touched[i] = true;
}

static void work(struct power *p, uint32_t steps)
{
    while (steps--) {
        uint32_t i = (uint32_t)nwr_rng_below(&p->rng, CONTENTS);

        if (nwr_rng_below(&p->rng, 3))
            write_one(p, i);
        else
            remove_one(p, i);
    }
}

static void sync_disk(struct power *p)
{
    assert_int_equal(sync_now(p->k), NWR_OK);
    for (uint32_t i = 0; i < CONTENTS; i++) {
        p->synced[i] = p->seen[i].dot.counter ? p->seen[i].wid : 0;
        p->touched[i] = false;
    }
}

/* The version of content i; 0: none. A version that was never on disk level may have lost its
 * block, the one from before must have it, even when it was being replaced. */
static nwr_wid version_after(struct kit *k, uint32_t i, nwr_wid synced)
{
    struct nwr_key key = content_key(i);
    const struct nwr_row *row;
    nwr_wid wid = 0;
    struct batch b;

    batch_init(&b, k, NWR_STORE_READ);
    batch_range(&b, key, true, false);
    assert_int_equal(batch_run(&b), NWR_OK);
    row = nwr_rows_find(&b.op.rows, &key);
    if (row && row->rec.n) {
        struct nwr_block_id id = row->rec.v[0].blocks[0];
        enum nwr_err err = get_block(k, id, (uint8_t)id.wid, size_of(id.wid));

        wid = row->rec.v[0].wid;
        assert_true(err == NWR_OK || (wid != synced && err == NWR_E_CORRUPT));
    }
    batch_deinit(&b);
    return wid;
}

static void check_after(struct power *p)
{
    struct kit after = {.rocks = true, .segment_bytes = 1 << 20};
    struct nwr_verify v;

    snprintf(after.dir, sizeof(after.dir), "%s/after/data", p->dir);
    kit_open(&after);
    v = kit_verify(&after);
    assert_int_equal(v.missing, 0);
    assert_int_equal(v.miscounted, 0);
    assert_int_equal(v.stray, 0);
    for (uint32_t i = 0; i < CONTENTS; i++) {
        nwr_wid found = version_after(&after, i, p->synced[i]);

        if (!p->touched[i])
            assert_true(found == p->synced[i]);
    }
    after.s->destroy(after.s);
}

static void lose_power(struct power *p)
{
    assert_int_equal(shell("cd %s && cp --sparse=always image copy && "
                           "mount -o loop copy after",
                           p->dir),
                     0);
    check_after(p);
    assert_int_equal(shell("cd %s && umount after && rm copy", p->dir), 0);
}

static bool is_ready(const struct power *p)
{
    if (!p->ready)
        print_message("# a loop device needs root: not tested\n");
    return p->ready;
}

static void power_loss_keeps_all_that_was_synced(void **state)
{
    struct power *p = *state;

    if (!is_ready(p))
        skip();
    for (int round = 0; round < ROUNDS; round++) {
        work(p, 100);
        sync_disk(p);
        lose_power(p);
        work(p, round * 20u);
        lose_power(p);
    }
}

/* The test can tell: without the sync something is gone. */
static void power_loss_takes_what_was_not_synced(void **state)
{
    struct power *p = *state;
    uint32_t lost = 0;
    struct kit after = {.rocks = true, .segment_bytes = 1 << 20};

    if (!is_ready(p))
        skip();
    sync_disk(p);
    work(p, 100);
    assert_int_equal(
        shell("cd %s && cp --sparse=always image copy && mount -o loop copy after", p->dir), 0);
    snprintf(after.dir, sizeof(after.dir), "%s/after/data", p->dir);
    kit_open(&after);
    for (uint32_t i = 0; i < CONTENTS; i++)
        lost += version_after(&after, i, p->synced[i]) != p->seen[i].wid;
    after.s->destroy(after.s);
    assert_true(lost > 0);
    shell("cd %s && umount after", p->dir);
}

static void a_named_value_survives_power_loss_once_it_is_acknowledged(void **state)
{
    struct power *p = *state;
    struct nwr_blob *value = nwr_blob_copy("incarnation 7", 13);
    struct kit after = {.rocks = true};
    struct batch b;

    if (!is_ready(p)) {
        nwr_blob_unref(value);
        skip();
    }
    batch_init(&b, p->k, NWR_STORE_META_PUT);
    b.op.name = "identity";
    b.op.value = value;
    assert_int_equal(batch_end(&b), NWR_OK);
    assert_int_equal(
        shell("cd %s && cp --sparse=always image copy && mount -o loop copy after", p->dir), 0);
    snprintf(after.dir, sizeof(after.dir), "%s/after/data", p->dir);
    kit_open(&after);
    batch_init(&b, &after, NWR_STORE_META_GET);
    b.op.name = "identity";
    assert_int_equal(batch_run(&b), NWR_OK);
    assert_memory_equal(b.op.value->data, value->data, value->len);
    batch_deinit(&b);
    after.s->destroy(after.s);
    nwr_blob_unref(value);
    shell("cd %s && umount after", p->dir);
}

#define ON(f) cmocka_unit_test_setup_teardown(f, make_disk, drop_disk)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON(power_loss_keeps_all_that_was_synced),
        ON(power_loss_takes_what_was_not_synced),
        ON(a_named_value_survives_power_loss_once_it_is_acknowledged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
