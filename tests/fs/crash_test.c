/* crash_test.c -- a mount dies after the K-th PUT of an operation, for every K (littlefs's idea).
 *
 * Each operation runs on a mount whose K-th PUT is its last. Another mount then looks: it must see
 * the tree as it was before or as it is after; a rename between placement groups may show both
 * names until somebody has looked one of them up. Whoever looks finishes what was begun, so a
 * third mount sees one or the other in any case. The count of names is never too low. And what
 * looking does not finish, a check of the volume finds and sets right (fs/core/check.h).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>

#include "tests/lib/tree_check.h"

enum {
    ROOT = 1,
    STATE_BYTES = 4096,
    PUTS_MAX = 20
};

/* The tree that every operation starts from: d1 and d2 are in placement groups of their own. */
static void plant(struct fake *f, uint64_t dir[2])
{
    struct nwr_fs_entry e;

    assert_int_equal(fake_mkdir(f, ROOT, "d1", &dir[0]), 0);
    assert_int_equal(fake_mkdir(f, ROOT, "d2", &dir[1]), 0);
    assert_int_equal(fake_mkdir(f, dir[0], "empty", &(uint64_t){0}), 0);
    assert_int_equal(fake_mkdir(f, dir[1], "empty2", &(uint64_t){0}), 0);
    assert_int_equal(fake_save(f, dir[0], "a", "A"), 0);
    assert_int_equal(fake_save(f, dir[0], "b", "B"), 0);
    assert_int_equal(fake_save(f, dir[1], "c", "C"), 0);
    assert_int_equal(fake_lookup(f, dir[0], "b", &e), 0);
    assert_int_equal(fake_link(f, e.node, dir[1], "b2"), 0);
    fake_pass(f, 2000);
}

/* ---- operations: 0 or an errno -------------------------------------------------------------- */

static int create(struct fake *f, const uint64_t *dir)
{
    return fake_save(f, dir[0], "new", "N");
}

static int create_large(struct fake *f, const uint64_t *dir)
{
    static char text[300000];

    memset(text, 'x', sizeof(text) - 1);
    return fake_save(f, dir[0], "new", text);
}

static int overwrite(struct fake *f, const uint64_t *dir)
{
    return fake_save(f, dir[0], "a", "A2");
}

static int make_directory(struct fake *f, const uint64_t *dir)
{
    return fake_mkdir(f, dir[0], "sub", &(uint64_t){0});
}

static int remove_directory(struct fake *f, const uint64_t *dir)
{
    return fake_rmdir(f, dir[0], "empty");
}

static int unlink_only_name(struct fake *f, const uint64_t *dir)
{
    return fake_unlink(f, dir[0], "a");
}

static int unlink_name_beside_its_inode(struct fake *f, const uint64_t *dir)
{
    return fake_unlink(f, dir[0], "b");
}

static int unlink_name_far_from_its_inode(struct fake *f, const uint64_t *dir)
{
    return fake_unlink(f, dir[1], "b2");
}

static int link_here(struct fake *f, const uint64_t *dir)
{
    struct nwr_fs_entry e;

    return fake_lookup(f, dir[0], "a", &e) || fake_link(f, e.node, dir[0], "a2");
}

static int link_across(struct fake *f, const uint64_t *dir)
{
    struct nwr_fs_entry e;

    return fake_lookup(f, dir[0], "a", &e) || fake_link(f, e.node, dir[1], "a2");
}

static int rename_here(struct fake *f, const uint64_t *dir)
{
    return fake_rename(f, dir[0], "a", dir[0], "a2", 0);
}

static int rename_over_here(struct fake *f, const uint64_t *dir)
{
    return fake_rename(f, dir[0], "a", dir[0], "b", 0);
}

static int rename_across(struct fake *f, const uint64_t *dir)
{
    return fake_rename(f, dir[0], "a", dir[1], "a2", 0);
}

static int rename_over_across(struct fake *f, const uint64_t *dir)
{
    return fake_rename(f, dir[0], "a", dir[1], "c", 0);
}

static int rename_link_across(struct fake *f, const uint64_t *dir)
{
    return fake_rename(f, dir[1], "b2", dir[0], "b3", 0);
}

static int rename_directory_across(struct fake *f, const uint64_t *dir)
{
    return fake_rename(f, dir[0], "empty", dir[1], "moved", 0);
}

static int rename_directory_over_across(struct fake *f, const uint64_t *dir)
{
    return fake_rename(f, dir[0], "empty", dir[1], "empty2", 0);
}

static int rename_directory_here(struct fake *f, const uint64_t *dir)
{
    return fake_rename(f, dir[0], "empty", dir[0], "moved", 0);
}

static int rename_directory_to_the_root(struct fake *f, const uint64_t *dir)
{
    return fake_rename(f, dir[0], "empty", ROOT, "moved", 0);
}

static int exchange_a_directory_here(struct fake *f, const uint64_t *dir)
{
    return fake_rename(f, dir[0], "empty", dir[0], "b", 2);
}

static int exchange_here(struct fake *f, const uint64_t *dir)
{
    return fake_rename(f, dir[0], "a", dir[0], "b", 2);
}

struct operation {
    const char *name;
    int (*run)(struct fake *f, const uint64_t *dir);
    bool both; /* old and new name may show until one is looked up */
};

static const struct operation operations[] = {
    {"create", create, false},
    {"create_large", create_large, false},
    {"overwrite", overwrite, false},
    {"make_directory", make_directory, false},
    {"remove_directory", remove_directory, false},
    {"unlink_only_name", unlink_only_name, false},
    {"unlink_name_beside_its_inode", unlink_name_beside_its_inode, false},
    {"unlink_name_far_from_its_inode", unlink_name_far_from_its_inode, false},
    {"link_here", link_here, false},
    {"link_across", link_across, false},
    {"rename_here", rename_here, false},
    {"rename_over_here", rename_over_here, false},
    {"rename_across", rename_across, true},
    {"rename_over_across", rename_over_across, true},
    {"rename_link_across", rename_link_across, true},
    {"rename_directory_across", rename_directory_across, true},
    {"rename_directory_over_across", rename_directory_over_across, true},
    {"rename_directory_here", rename_directory_here, false},
    {"rename_directory_to_the_root", rename_directory_to_the_root, true},
    {"exchange_a_directory_here", exchange_a_directory_here, false},
    {"exchange_here", exchange_here, false},
};

/* ---- looking -------------------------------------------------------------------------------- */

struct look {
    char text[STATE_BYTES]; /* "d1/a=A d1/b=B ..." */
    size_t at;
    struct {
        nwr_ino ino;
        uint32_t names, nlink;
    } file[32];
    uint32_t n;
};

static void note_names(struct look *l, const struct stat *st)
{
    uint32_t i = 0;

    while (i < l->n && l->file[i].ino != st->st_ino)
        i++;
    assert_true(i < NWR_COUNT(l->file));
    if (i == l->n)
        l->file[l->n++].ino = st->st_ino;
    l->file[i].names++;
    l->file[i].nlink = (uint32_t)st->st_nlink;
}

static void look_at(struct fake *f, uint64_t dir, const char *path, struct look *l)
{
    static char content[65537];
    char list[1024], *rest = list, below[256];
    const char *name;

    fake_ls(f, dir, list, sizeof(list));
    while ((name = strsep(&rest, " ")) && *name) {
        struct nwr_fs_entry e;

        assert_int_equal(fake_lookup(f, dir, name, &e), 0);
        snprintf(below, sizeof(below), "%s%s", path, name);
        l->at += (size_t)snprintf(l->text + l->at, sizeof(l->text) - l->at, "%s", below);
        if ((e.st.st_mode & S_IFMT) == S_IFDIR) {
            snprintf(below, sizeof(below), "%s%s/", path, name);
            l->at += (size_t)snprintf(l->text + l->at, sizeof(l->text) - l->at, "/ ");
            look_at(f, e.node, below, l);
            continue;
        }
        note_names(l, &e.st);
        fake_cat(f, dir, name, content, sizeof(content));
        l->at += (size_t)snprintf(l->text + l->at, sizeof(l->text) - l->at, "=%.8s ", content);
    }
}

/* What a mount that was never here sees. The first one after a crash may finish a rename while it
 * looks, so its numbers are of two moments. */
static void fresh_look(struct fake *first, uint64_t seed, struct look *l, bool moving)
{
    struct fake f;

    memset(l, 0, sizeof(*l));
    fake_second(&f, first, seed);
    look_at(&f, ROOT, "", l);
    for (uint32_t i = 0; i < l->n && !moving; i++)
        if (l->file[i].nlink < l->file[i].names)
            fail_msg("%u names but nlink %u: %s", l->file[i].names, l->file[i].nlink, l->text);
    fake_deinit(&f);
}

/* ---- one operation, cut after every PUT ----------------------------------------------------- */

/* Plants the tree in first, and runs op on another mount of it with at most `puts` PUTs; how many
 * it wanted. */
static uint32_t run_cut(struct fake *first, const struct operation *op, uint32_t puts,
                        struct look *before)
{
    struct fake f;
    uint64_t dir[2];
    struct nwr_fs_entry e;
    uint32_t wanted;

    fake_init(first, 7);
    plant(first, dir);
    fresh_look(first, 20, before, false);
    fake_second(&f, first, 21);
    assert_int_equal(fake_lookup(&f, ROOT, "d1", &e), 0);
    dir[0] = e.node;
    assert_int_equal(fake_lookup(&f, ROOT, "d2", &e), 0);
    dir[1] = e.node;
    fake_reset(&f);
    f.put_max = puts;
    (void)op->run(&f, dir); /* a mount that died told nobody */
    wanted = f.puts_tried;
    fake_deinit(&f);
    return wanted;
}

static uint32_t cut(const struct operation *op, uint32_t puts, struct look look[3])
{
    struct fake first;
    uint32_t wanted = run_cut(&first, op, puts, &look[0]);

    fresh_look(&first, 22, &look[1], op->both);
    fresh_look(&first, 23, &look[2], false);
    fake_deinit(&first);
    return wanted;
}

static void every_put_of_every_operation_may_be_the_last(void **state)
{
    static struct look look[3], after[3];

    (void)state;
    for (size_t i = 0; i < NWR_COUNT(operations); i++) {
        const struct operation *op = &operations[i];
        uint32_t puts = cut(op, UINT32_MAX, after);

        assert_true(puts > 0 && puts < PUTS_MAX);
        assert_string_not_equal(after[0].text, after[1].text);
        for (uint32_t k = 0; k < puts; k++) {
            bool before, done;

            cut(op, k, look);
            before = strcmp(look[1].text, look[0].text) == 0;
            done = strcmp(look[1].text, after[1].text) == 0;
            if (!before && !done && !op->both)
                fail_msg("%s, %u of %u PUTs: %s", op->name, k, puts, look[1].text);
            before = strcmp(look[2].text, look[0].text) == 0;
            done = strcmp(look[2].text, after[1].text) == 0;
            if (!before && !done)
                fail_msg("%s, %u of %u PUTs, looked at twice: %s", op->name, k, puts, look[2].text);
        }
    }
}

/* ---- the check ------------------------------------------------------------------------------ */

/* The first check may find something, mending leaves nothing to find, nor an inode without a name.
 * Gives how much was found. */
static uint32_t mend(struct fake *first, const char *name, uint32_t k)
{
    char text[2048];
    struct fake f;
    uint32_t found;

    fake_second(&f, first, 30);
    found = tree_check(&f, false, false, text, sizeof(text));
    if (found)
        print_message("# %s, %u PUTs: %s", name, k, text);
    for (int round = 0; round < 3; round++)
        tree_check(&f, true, true, text, sizeof(text));
    fake_pass(&f, 3000);
    if (tree_check(&f, true, false, text, sizeof(text)))
        fail_msg("%s, %u PUTs, mended: %s", name, k, text);
    fake_deinit(&f);
    return found;
}

static void a_check_finds_and_sets_right_what_a_crash_left(void **state)
{
    static struct look before, look, after[3];
    uint32_t found = 0;

    (void)state;
    for (size_t i = 0; i < NWR_COUNT(operations); i++) {
        const struct operation *op = &operations[i];
        uint32_t puts = cut(op, UINT32_MAX, after);
        struct fake first;

        for (uint32_t k = 0; k <= puts; k++) {
            uint32_t now;

            run_cut(&first, op, k, &before);
            now = mend(&first, op->name, k);
            if (k == puts && now)
                fail_msg("%s was not cut, and something is found", op->name);
            found += now;
            fresh_look(&first, 31, &look, false);
            if (strcmp(look.text, before.text) != 0 && strcmp(look.text, after[1].text) != 0)
                fail_msg("%s, %u of %u PUTs, mended: %s", op->name, k, puts, look.text);
            for (uint32_t j = 0; j < look.n; j++)
                if (look.file[j].nlink != look.file[j].names)
                    fail_msg("%s, %u PUTs: nlink %u", op->name, k, look.file[j].nlink);
            fake_deinit(&first);
        }
    }
    assert_true(found > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_put_of_every_operation_may_be_the_last),
        cmocka_unit_test(a_check_finds_and_sets_right_what_a_crash_left),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
