/* writers_test.c -- two mounts of one volume: what a writer has seen, and what it replaces. */
#include "tests/lib/fake_volume.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define ROOT 1

struct two {
    struct fake a, b;
};

static struct two w;
static char buf[70000];

static int begin(void **state)
{
    struct stat st;

    (void)state;
    fake_init(&w.a, 42);
    fake_second(&w.b, &w.a, 43);
    assert_int_equal(fake_stat(&w.a, ROOT, &st), 0);
    assert_int_equal(fake_stat(&w.b, ROOT, &st), 0);
    return 0;
}

static int end(void **state)
{
    (void)state;
    fake_pass(&w.b, 5000);
    fake_pass(&w.a, 5000);
    fake_deinit(&w.b);
    fake_deinit(&w.a);
    return 0;
}

/* ---- clocks --------------------------------------------------------------------------------- */

static void a_put_carries_the_newest_clock_that_its_mount_has_seen(void **state)
{
    (void)state;
    w.b.wall -= 30000000000u; /* it goes 30 s behind */
    assert_int_equal(fake_save(&w.a, ROOT, "f", "one"), 0);
    assert_string_equal(fake_cat(&w.b, ROOT, "f", buf, sizeof(buf)), "one");
    assert_int_equal(fake_save(&w.b, ROOT, "f", "two"), 0);
    assert_true(w.b.hlc >> 16 >= (nwr_hlc)w.a.wall / 1000000 - 10);
    assert_string_equal(fake_cat(&w.a, ROOT, "f", buf, sizeof(buf)), "two");
}

static void a_mount_does_not_follow_a_clock_far_ahead(void **state)
{
    (void)state;
    w.a.wall += 3600000000000u;
    assert_int_equal(fake_save(&w.a, ROOT, "f", "one"), 0);
    assert_string_equal(fake_cat(&w.b, ROOT, "f", buf, sizeof(buf)), "one");
    assert_int_equal(fake_save(&w.b, ROOT, "f", "two"), 0);
    assert_true(w.b.hlc >> 16 >=
                (nwr_hlc)w.a.wall / 1000000 - 10); /* later than what it replaces */
    assert_int_equal(fake_save(&w.b, ROOT, "g", "two"), 0);
    assert_true(w.b.hlc >> 16 <= (nwr_hlc)w.b.wall / 1000000 + NWR_AHEAD_MS);
}

/* ---- saving by O_TRUNC ---------------------------------------------------------------------- */

/* "one|two": what all names of the root hold, sorted as they are listed. */
static const char *all(struct fake *f)
{
    static char text[4096];
    char names[1024], *save, one[1024];
    size_t at = 0;

    text[0] = 0;
    fake_ls(f, ROOT, names, sizeof(names));
    for (char *p = strtok_r(names, " ", &save); p; p = strtok_r(NULL, " ", &save))
        at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s", at ? "|" : "",
                               fake_cat(f, ROOT, p, one, sizeof(one)));
    return text;
}

static const char *cat_by(struct fake *f, uint64_t process, const char *name)
{
    f->process = process;
    return fake_cat(f, ROOT, name, buf, sizeof(buf));
}

static void save_by(struct fake *f, uint64_t process, const char *name, const char *text)
{
    f->process = process;
    assert_int_equal(fake_save(f, ROOT, name, text), 0);
    f->process = 0;
}

static void truncating_replaces_what_the_process_has_read(void **state)
{
    (void)state;
    save_by(&w.a, 1, "f", "v1");
    assert_string_equal(cat_by(&w.b, 5, "f"), "v1");
    save_by(&w.a, 1, "f", "theirs");
    save_by(&w.b, 5, "f", "mine");
    assert_string_equal(all(&w.a), "mine|theirs");
    assert_string_equal(all(&w.b), "mine|theirs");
    save_by(&w.b, 5, "f", "mine, again");
    assert_string_equal(all(&w.a), "mine, again|theirs");
}

static void a_process_that_never_read_replaces_what_its_mount_shows(void **state)
{
    (void)state;
    save_by(&w.a, 1, "f", "v1");
    for (uint64_t i = 0; i < 3; i++) {
        save_by(&w.b, 5, "f", "theirs");
        save_by(&w.a, 1, "f", "mine"); /* opening to write is not reading */
    }
    assert_string_equal(all(&w.b), "mine");
}

static void processes_of_one_mount_make_no_conflict(void **state)
{
    (void)state;
    save_by(&w.a, 1, "f", "v1");
    assert_string_equal(cat_by(&w.b, 5, "f"), "v1");
    save_by(&w.b, 6, "f", "v2");
    save_by(&w.b, 5, "f", "v3");
    assert_string_equal(all(&w.a), "v3");
}

static void reading_a_sibling_is_not_reading_the_name(void **state)
{
    char names[200], *sibling;

    (void)state;
    save_by(&w.a, 1, "f", "v1");
    cat_by(&w.b, 5, "f");
    save_by(&w.a, 1, "f", "theirs");
    save_by(&w.b, 5, "f", "mine");
    sibling = strchr(fake_ls(&w.b, ROOT, names, sizeof(names)), ' ') + 1;
    assert_string_equal(cat_by(&w.b, 7, "f"), "mine");
    assert_string_equal(cat_by(&w.b, 7, sibling), "theirs");
    save_by(&w.b, 7, "f", "ours");
    assert_string_equal(all(&w.a), "ours|theirs");
    save_by(&w.b, 7, sibling, "yours");
    assert_string_equal(all(&w.a), "ours|yours");
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(a_put_carries_the_newest_clock_that_its_mount_has_seen),
        STORY(a_mount_does_not_follow_a_clock_far_ahead),
        STORY(truncating_replaces_what_the_process_has_read),
        STORY(a_process_that_never_read_replaces_what_its_mount_shows),
        STORY(processes_of_one_mount_make_no_conflict),
        STORY(reading_a_sibling_is_not_reading_the_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
