/* listing_test.c -- a reader that takes its time over a large directory, which changes meanwhile:
 * what is there throughout is listed once, nothing is listed twice, and the listing ends. */
#include "tests/lib/fake_volume.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define ROOT 1

enum {
    NAMES = 3 * NWR_SCAN_ROWS, /* some pages */
    BATCH = 40                 /* names between two changes */
};

struct shelf {
    struct fake f, other; /* the reader's mount, and another one */
    uint64_t dir, dir_other;
    struct nwr_rng rng;
    uint32_t made; /* names so far */
    bool gone[2 * NAMES];
    uint32_t listed[2 * NAMES];
};

static int setup(void **state)
{
    struct shelf *s = nwr_zalloc(sizeof(*s));
    struct nwr_fs_entry e;
    struct stat st;

    nwr_rng_init(&s->rng, 5);
    fake_init(&s->f, 11);
    assert_int_equal(fake_stat(&s->f, ROOT, &st), 0);
    assert_int_equal(fake_mkdir(&s->f, ROOT, "d", &s->dir), 0);
    fake_second(&s->other, &s->f, 12);
    assert_int_equal(fake_lookup(&s->other, ROOT, "d", &e), 0);
    s->dir_other = e.node;
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct shelf *s = *state;

    fake_deinit(&s->other);
    fake_deinit(&s->f);
    nwr_free(s);
    return 0;
}

/* Names in no order that their numbers tell, so that new ones come before and behind the reader. */
static const char *name_of(uint32_t i, char name[32])
{
    snprintf(name, 32, "%08x-%u", (uint32_t)nwr_mix64(i), i);
    return name;
}

static void make_name(struct shelf *s, bool elsewhere)
{
    struct fake *f = elsewhere ? &s->other : &s->f;
    struct nwr_fs_req *req = fake_req(NWR_FS_MKNOD, elsewhere ? s->dir_other : s->dir, "");
    struct nwr_fs_reply r;
    char name[32];

    nwr_free(req->name);
    req->name = nwr_strdup(name_of(s->made, name));
    req->mode = S_IFIFO | 0600;
    r = fake_call(f, req);
    assert_int_equal(r.err, 0);
    nwr_fs_reply_deinit(&r);
    s->made++;
}

static void remove_name(struct shelf *s, bool elsewhere)
{
    uint32_t i = (uint32_t)nwr_rng_below(&s->rng, s->made);
    char name[32];

    if (s->gone[i])
        return;
    s->gone[i] = true;
    assert_int_equal(fake_unlink(elsewhere ? &s->other : &s->f, elsewhere ? s->dir_other : s->dir,
                                 name_of(i, name)),
                     0);
}

static void move_name(struct shelf *s)
{
    uint32_t i = (uint32_t)nwr_rng_below(&s->rng, s->made);
    char from[32], to[32];

    if (s->gone[i])
        return;
    s->gone[i] = true;
    assert_int_equal(fake_rename(&s->f, s->dir, name_of(i, from), s->dir, name_of(s->made, to), 0),
                     0);
    s->made++;
}

static void change(struct shelf *s)
{
    for (uint32_t i = 0; i < 2; i++) {
        make_name(s, i);
        remove_name(s, i);
    }
    move_name(s);
}

static uint64_t open_dir(struct shelf *s)
{
    struct nwr_fs_reply r = fake_call(&s->f, fake_req(NWR_FS_OPENDIR, s->dir, NULL));
    uint64_t fh = r.fh;

    assert_int_equal(r.err, 0);
    nwr_fs_reply_deinit(&r);
    return fh;
}

static void close_dir(struct shelf *s, uint64_t fh)
{
    struct nwr_fs_req *req = fake_req(NWR_FS_RELEASEDIR, s->dir, NULL);
    struct nwr_fs_reply r;

    req->fh = fh;
    r = fake_call(&s->f, req);
    nwr_fs_reply_deinit(&r);
}

/* The names behind *off, as many as fit; they are counted and *off moves on. */
static uint32_t read_some(struct shelf *s, uint64_t fh, enum nwr_fs_op op, uint64_t *off)
{
    struct nwr_fs_req *req = fake_req(op, s->dir, NULL);
    struct nwr_fs_reply r;
    uint32_t n;

    req->fh = fh;
    req->off = *off;
    req->size = BATCH * (op == NWR_FS_READDIR ? 48 : 176);
    r = fake_call(&s->f, req);
    assert_int_equal(r.err, 0);
    n = r.ndirent;
    for (uint32_t i = 0; i < n; i++) {
        const char *number = strrchr(r.dirent[i].name, '-');

        *off = r.dirent[i].cookie;
        if (number)
            s->listed[strtoul(number + 1, NULL, 10)]++;
    }
    nwr_fs_reply_deinit(&r);
    return n;
}

static void list_slowly(struct shelf *s, enum nwr_fs_op op)
{
    uint64_t fh, off = 0, all = 0;
    uint32_t n, begin;
    bool before[2 * NAMES];

    memset(s->listed, 0, sizeof(s->listed));
    memcpy(before, s->gone, sizeof(before));
    begin = s->made;
    fh = open_dir(s);
    while ((n = read_some(s, fh, op, &off)) > 0) {
        all += n;
        assert_true(all < 2 * NAMES);
        change(s);
        fake_pass(&s->f, 1500);
        fake_pass(&s->other, 1500);
    }
    for (uint32_t i = 0; i < s->made; i++) {
        assert_true(s->listed[i] <= 1);
        if (i < begin && !s->gone[i])
            assert_int_equal(s->listed[i], 1);
        if (i < begin && before[i])
            assert_int_equal(s->listed[i], 0);
    }
    close_dir(s, fh);
}

static void what_is_there_throughout_is_listed_once(void **state)
{
    struct shelf *s = *state;

    while (s->made < NAMES)
        make_name(s, false);
    fake_pass(&s->f, 2000);
    list_slowly(s, NWR_FS_READDIR);
    list_slowly(s, NWR_FS_READDIRPLUS);
}

/* Each name is moved away and back as it is read, which puts it behind the reader again. */
static void a_listing_ends_though_each_name_is_moved_as_it_is_read(void **state)
{
    struct shelf *s = *state;
    uint64_t fh, off = 0;
    uint32_t all = 0, n, seen = 0;
    char name[32];

    while (s->made < NAMES)
        make_name(s, false);
    fh = open_dir(s);
    while ((n = read_some(s, fh, NWR_FS_READDIRPLUS, &off)) > 0) {
        all += n;
        for (uint32_t i = 0; i < s->made; i++) {
            if (s->listed[i] != 1)
                continue;
            s->listed[i] += 100;
            seen++;
            assert_int_equal(fake_rename(&s->f, s->dir, name_of(i, name), s->dir, "moved", 0), 0);
            assert_int_equal(fake_rename(&s->f, s->dir, "moved", s->dir, name, 0), 0);
        }
        assert_true(all < 2 * NAMES);
    }
    assert_int_equal(seen, NAMES);
    for (uint32_t i = 0; i < s->made; i++)
        assert_int_equal(s->listed[i], 101);
    close_dir(s, fh);
}

static void a_rewound_listing_has_what_was_made_since(void **state)
{
    struct shelf *s = *state;
    uint64_t fh = open_dir(s), off = 0;

    while (s->made < 100)
        make_name(s, s->made % 2);
    while (read_some(s, fh, NWR_FS_READDIR, &off) > 0)
        continue;
    memset(s->listed, 0, sizeof(s->listed));
    while (s->made < NAMES)
        make_name(s, s->made % 2);
    off = 0;
    while (read_some(s, fh, NWR_FS_READDIR, &off) > 0)
        continue;
    for (uint32_t i = 0; i < s->made; i++)
        assert_int_equal(s->listed[i], 1);
    close_dir(s, fh);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(what_is_there_throughout_is_listed_once),
        T(a_listing_ends_though_each_name_is_moved_as_it_is_read),
        T(a_rewound_listing_has_what_was_made_since),
    };

    return cmocka_run_group_tests_name("listing", tests, NULL, NULL);
}
