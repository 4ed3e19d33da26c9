/* conflict_test.c -- the conflict rules where the model says nothing: equal contents, names, types,
 * directories, marks as bytes, processes. The model's own table runs here too. */
#include "tests/lib/isles.h"

#include "fs/core/view_slots.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct isles w;

static int begin(void **state)
{
    (void)state;
    isles_init(&w, 3);
    return 0;
}

static int end(void **state)
{
    (void)state;
    isles_deinit(&w);
    return 0;
}

static void meet(void)
{
    for (int round = 0; round < 2; round++)
        for (uint32_t i = 0; i < w.n; i++)
            for (uint32_t j = 0; j < w.n; j++)
                if (i != j)
                    isles_sync(&w, i, j);
}

static void shows(uint32_t i, const char *want)
{
    char *text = isles_text(&w, i);

    assert_string_equal(text, want);
    nwr_free(text);
}

static void all_show(const char *want)
{
    for (uint32_t i = 0; i < w.n; i++)
        shows(i, want);
}

/* ---- the model's table ---------------------------------------------------------------------- */

static void the_table_of_conflicts_comes_out_as_written(void **state)
{
    struct nwr_out o = {0};
    FILE *f = fopen("tests/model/table.txt", "r");
    char buf[4096];
    uint32_t checked = 0;
    size_t n;

    (void)state;
    assert_non_null(f);
    while ((n = fread(buf, 1, sizeof(buf), f)) > 0)
        nwr_out_raw(&o, buf, n);
    fclose(f);
    nwr_out_u8(&o, 0);
    assert_int_equal(isles_script((const char *)o.data, &checked), 0);
    assert_true(checked > 40);
    nwr_out_free(&o);
}

/* ---- equal contents ------------------------------------------------------------------------- */

static void equal_contents_written_apart_show_as_one(void **state)
{
    (void)state;
    isles_create(&w, 0, "f", 1);
    meet();
    isles_write(&w, 0, "f", 2);
    isles_write(&w, 1, "f", 2);
    meet();
    all_show("f=2");
}

static void writing_what_stands_for_equals_replaces_them_all(void **state)
{
    (void)state;
    isles_create(&w, 0, "f", 1);
    meet();
    isles_write(&w, 0, "f", 2);
    isles_write(&w, 1, "f", 2);
    meet();
    isles_write(&w, 2, "f", 3);
    meet();
    all_show("f=3");
}

static void removing_what_stands_for_equals_removes_them_all(void **state)
{
    (void)state;
    isles_create(&w, 0, "f", 1);
    meet();
    isles_write(&w, 0, "f", 2);
    isles_write(&w, 1, "f", 2);
    isles_write(&w, 2, "f", 3);
    meet();
    all_show("f=3 f.conflict.1002=2");
    assert_true(isles_rm(&w, 0, "f.conflict.1002"));
    meet();
    all_show("f=3");
    assert_true(isles_rm(&w, 1, "f"));
    meet();
    all_show("");
}

static void equal_contents_of_which_one_is_unseen_by_its_remover_come_back(void **state)
{
    (void)state;
    isles_create(&w, 0, "f", 1);
    meet();
    isles_write(&w, 0, "f", 2);
    isles_write(&w, 1, "f", 2);
    isles_rm(&w, 0, "f");
    meet();
    all_show("f=2");
}

static void equal_files_created_apart_are_one_unless_one_has_other_names(void **state)
{
    (void)state;
    isles_create(&w, 0, "f", 2);
    isles_create(&w, 1, "f", 2);
    isles_create(&w, 0, "g", 2);
    isles_link(&w, 0, "g", "h");
    isles_create(&w, 1, "g", 2);
    meet();
    all_show("f=2 g=2 g.conflict.2001=2 h=2");
    isles_write(&w, 2, "f", 3);
    meet();
    all_show("f=3 g=2 g.conflict.2001=2 h=2");
}

/* ---- names ---------------------------------------------------------------------------------- */

static void an_ordinary_file_wins_the_name_and_the_sibling_counts_on(void **state)
{
    struct nwr_shown x;

    (void)state;
    isles_create(&w, 0, "x", 1);
    meet();
    isles_write(&w, 0, "x", 2);
    isles_write(&w, 1, "x", 3);
    isles_create(&w, 2, "x.conflict.2001", 7);
    meet();
    all_show("x=3 x.conflict.2001=7 x.conflict.3001=2");
    assert_true(isles_find(&w, 1, "x.conflict.2001", &x));
    assert_int_equal(isles_data(&w, 1, &x), 7);
    assert_true(isles_rm(&w, 0, "x.conflict.3001"));
    meet();
    all_show("x=3 x.conflict.2001=7");
}

static void a_file_moved_onto_a_siblings_name_replaces_it(void **state)
{
    (void)state;
    isles_create(&w, 0, "x", 1);
    meet();
    isles_write(&w, 0, "x", 2);
    isles_write(&w, 1, "x", 3);
    meet();
    isles_create(&w, 2, "y", 4);
    isles_mv(&w, 2, "y", "x.conflict.2001");
    meet();
    all_show("x=3 x.conflict.2001=4");
}

static void long_names_are_cut_between_characters_and_found(void **state)
{
    struct nwr_shown_list list;
    char name[256];
    struct nwr_shown x;

    (void)state;
    for (int i = 0; i < 254; i += 2)
        memcpy(name + i, "\xc3\xa9", 2);
    name[254] = 'z';
    name[255] = 0;
    isles_create(&w, 0, name, 1);
    meet();
    isles_write(&w, 0, name, 2);
    isles_write(&w, 1, name, 3);
    meet();
    isles_list(&w, 0, &list);
    assert_int_equal(list.n, 2);
    for (uint32_t i = 0; i < list.n; i++) {
        assert_true(list.e[i].name_len <= 255);
        assert_true(isles_find(&w, 1, list.e[i].name, &x));
        assert_int_equal(x.version.wid, list.e[i].version.wid);
        if (list.e[i].number) {
            const char *tilde = memchr(list.e[i].name, '~', list.e[i].name_len);

            assert_non_null(tilde);
            assert_int_equal((tilde - list.e[i].name) % 2, 0);
        }
    }
    nwr_shown_list_deinit(&list);
}

static void the_record_beside_an_entry_has_a_key_even_for_the_longest_name(void **state)
{
    struct nwr_key_parts parts;
    struct nwr_key key;
    char name[NWR_NAME_MAX];

    (void)state;
    memset(name, 'n', sizeof(name));
    key = nwr_key_beside(w.dir, name, sizeof(name), UINT64_MAX);
    assert_true(nwr_key_parse(&key, &parts));
    assert_true(nwr_view_hidden(&parts));
    key = nwr_key_entry(w.dir, name, sizeof(name));
    assert_true(nwr_key_parse(&key, &parts));
    assert_false(nwr_view_hidden(&parts));
}

static void numbers_are_canonical(void **state)
{
    static const char *const other[] = {"a.conflict.",
                                        "a.conflict.01",
                                        ".conflict.1",
                                        "a.conflict.1x",
                                        "a.conflict.123456789012345678901",
                                        "aconflict.1"};

    (void)state;
    assert_int_equal(nwr_sibling_base("a.conflict.7", 12), 1);
    assert_int_equal(nwr_sibling_base("a.conflict.7.conflict.8", 23), 12);
    for (size_t i = 0; i < NWR_COUNT(other); i++)
        assert_int_equal(nwr_sibling_base(other[i], strlen(other[i])), 0);
}

/* ---- types ---------------------------------------------------------------------------------- */

static void directories_of_one_name_are_one(void **state)
{
    struct nwr_shown x;

    (void)state;
    isles_mkdir(&w, 0, "d");
    isles_mkdir(&w, 1, "d");
    meet();
    all_show("d=0");
    assert_true(isles_find(&w, 2, "d", &x));
    assert_int_equal(x.dirs.n, 2);
    assert_true(x.dirs.ino[0] < x.dirs.ino[1]);
    assert_int_equal(x.ino, x.dirs.ino[0]);
    isles_rm(&w, 2, "d");
    meet();
    all_show("");
}

static void a_directory_keeps_the_name_against_a_file(void **state)
{
    struct nwr_shown x;

    (void)state;
    isles_mkdir(&w, 0, "d");
    isles_create(&w, 1, "d", 1);
    meet();
    all_show("d=0 d.conflict.1002=1");
    assert_true(isles_find(&w, 0, "d", &x));
    assert_int_equal(x.type, NWR_TYPE_DIR);
}

static void an_edit_below_a_removed_directory_brings_both_back(void **state)
{
    nwr_ino top = w.dir;
    struct nwr_shown d;

    (void)state;
    isles_mkdir(&w, 0, "d");
    assert_true(isles_find(&w, 0, "d", &d));
    w.dir = d.ino;
    isles_create(&w, 0, "f", 1);
    isles_create(&w, 0, "g", 2);
    meet();
    isles_write(&w, 1, "f", 3);
    isles_rm(&w, 0, "f");
    isles_rm(&w, 0, "g");
    w.dir = top;
    isles_rm(&w, 0, "d");
    shows(0, "");
    meet();
    all_show("d=0");
    w.dir = d.ino;
    all_show("f=3");
    isles_rm(&w, 2, "f");
    meet();
    w.dir = top;
    all_show("");
}

/* ---- what is seen of a version -------------------------------------------------------------- */

static void a_sibling_has_an_inode_number_of_its_own(void **state)
{
    struct nwr_shown head, other, again;

    (void)state;
    isles_create(&w, 0, "f", 1);
    meet();
    isles_write(&w, 0, "f", 2);
    isles_write(&w, 1, "f", 3);
    meet();
    assert_true(isles_find(&w, 0, "f", &head));
    assert_true(isles_find(&w, 0, "f.conflict.2001", &other));
    assert_int_equal(head.root, other.root);
    assert_int_not_equal(head.ino, other.ino);
    assert_true(other.ino & NWR_INO_FORK);
    assert_true(isles_mv(&w, 0, "f.conflict.2001", "g"));
    assert_true(isles_find(&w, 0, "g", &again));
    assert_int_equal(again.ino, other.ino);
}

/* The entry of a name in the directory alone arrives. */
static void bring_entry(uint32_t to, uint32_t from, const char *name)
{
    struct nwr_key key = nwr_key_entry(w.dir, name, strlen(name));

    nwr_record_sync(&nwr_rows_at(&w.node[to].rows, &key)->rec,
                    &nwr_rows_at(&w.node[from].rows, &key)->rec);
}

/* The link is a record of the inode, and may be elsewhere when the entry is here. */
static void an_edit_of_a_file_whose_new_link_a_remover_did_not_know_of_is_shown(void **state)
{
    (void)state;
    assert_true(isles_create(&w, 0, "f", 1));
    meet();
    assert_true(isles_mv(&w, 1, "f", "g"));
    assert_true(isles_mv(&w, 1, "g", "f"));
    bring_entry(0, 1, "f");
    isles_save(&w, 0, "f", 2, 1);
    assert_true(isles_write(&w, 1, "f", 3));
    meet();
    all_show("f=2 f.conflict.3002=3");
}

static void what_came_back_says_who_removed_it(void **state)
{
    struct nwr_shown x;

    (void)state;
    isles_create(&w, 0, "f", 1);
    meet();
    isles_rm(&w, 0, "f");
    isles_write(&w, 1, "f", 2);
    meet();
    assert_true(isles_find(&w, 2, "f", &x));
    assert_true(x.restored);
    assert_int_equal(x.number, 0);
    assert_int_equal(nwr_actor_ordinal(x.deleted_by.dot.actor), 1);
    assert_true(x.deleted_by.hlc);
}

/* ---- marks as bytes ------------------------------------------------------------------------- */

static void marks_survive_their_bytes_and_damage_is_refused(void **state)
{
    struct nwr_marks m = {0}, back = {0};
    struct nwr_version v = {.wid = 5, .hlc = 7, .dot = {1, 2}};
    struct nwr_mark *g = nwr_marks_add(&m, NWR_MARK_GONE);

    (void)state;
    *g = (struct nwr_mark){.kind = NWR_MARK_GONE, .wid = 3, .type = 1, .bare = true, .parent = 9};
    memcpy(g->name, "name", 4);
    g->len = 4;
    g->left = nwr_zalloc(2 * sizeof(*g->left));
    g->left[1] = 8;
    g->nleft = 2;
    nwr_marks_add(&m, NWR_MARK_MOOT)->id = 11;
    nwr_marks_add(&m, NWR_MARK_ENDED)->wid = 12;
    v.body = nwr_marks_encode(&m);
    assert_int_equal(nwr_marks_decode(&back, &v), NWR_OK);
    assert_int_equal(back.n, 3);
    assert_int_equal(back.e[0].hlc, 7);
    assert_int_equal(back.e[0].left[1], 8);
    assert_memory_equal(back.e[0].name, "name", 4);
    assert_int_equal(back.e[1].id, 11);
    assert_int_equal(back.e[2].wid, 12);
    nwr_marks_deinit(&back);
    for (uint32_t len = 0; len < v.body->len; len++) {
        struct nwr_version cut = v;

        cut.body = nwr_blob_copy(v.body->data, len);
        assert_int_equal(nwr_marks_decode(&back, &cut), NWR_E_FORMAT);
        assert_int_equal(back.n, 0);
        nwr_blob_unref(cut.body);
    }
    nwr_marks_deinit(&back);
    nwr_marks_deinit(&m);
    nwr_blob_unref(v.body);
}

/* ---- processes ------------------------------------------------------------------------------ */

static void a_table_of_reads_keeps_what_was_read_last_and_stays_bounded(void **state)
{
    struct nwr_reads *r = nwr_zalloc(sizeof(*r));

    (void)state;
    nwr_reads_put(r, 1, 100, 5, (struct nwr_seen){{0}, 7});
    nwr_reads_put(r, 1, 100, 5, (struct nwr_seen){{0}, 8});
    nwr_reads_put(r, 2, 100, 5, (struct nwr_seen){{0}, 9});
    assert_int_equal(nwr_reads_get(r, 1, 100).wid, 8);
    assert_int_equal(nwr_reads_get(r, 2, 100).wid, 9);
    assert_int_equal(nwr_reads_get(r, 0, 100).wid, 0);
    assert_int_equal(nwr_reads_get(r, 1, 101).wid, 0);
    nwr_reads_put(r, 4, 100, 5, (struct nwr_seen){{1, 2}, 7});
    assert_int_equal(nwr_reads_of(r, 4, 100, 5).dot.counter, 2);
    assert_int_equal(nwr_reads_of(r, 4, 100, 6).dot.counter, 0); /* the name leads elsewhere now */
    assert_int_equal(nwr_reads_of(r, 4, 100, 6).wid, 7);
    for (uint64_t i = 0; i < 100000; i++)
        nwr_reads_put(r, 3, i, 5, (struct nwr_seen){{0}, i + 1});
    assert_int_equal(nwr_reads_get(r, 3, 99999).wid, 100000);
    assert_int_equal(nwr_reads_get(r, 1, 100).wid, 0);
    nwr_reads_wrote(r, 5);
    assert_true(nwr_reads_own(r, 5));
    assert_false(nwr_reads_own(r, 6));
    assert_false(nwr_reads_own(r, 0));
    nwr_free(r);
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_of_conflicts_comes_out_as_written),
        STORY(equal_contents_written_apart_show_as_one),
        STORY(writing_what_stands_for_equals_replaces_them_all),
        STORY(removing_what_stands_for_equals_removes_them_all),
        STORY(equal_contents_of_which_one_is_unseen_by_its_remover_come_back),
        STORY(equal_files_created_apart_are_one_unless_one_has_other_names),
        STORY(an_ordinary_file_wins_the_name_and_the_sibling_counts_on),
        STORY(a_file_moved_onto_a_siblings_name_replaces_it),
        STORY(long_names_are_cut_between_characters_and_found),
        STORY(the_record_beside_an_entry_has_a_key_even_for_the_longest_name),
        STORY(numbers_are_canonical),
        STORY(directories_of_one_name_are_one),
        STORY(a_directory_keeps_the_name_against_a_file),
        STORY(an_edit_below_a_removed_directory_brings_both_back),
        STORY(a_sibling_has_an_inode_number_of_its_own),
        STORY(an_edit_of_a_file_whose_new_link_a_remover_did_not_know_of_is_shown),
        STORY(what_came_back_says_who_removed_it),
        STORY(marks_survive_their_bytes_and_damage_is_refused),
        STORY(a_table_of_reads_keeps_what_was_read_last_and_stays_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
