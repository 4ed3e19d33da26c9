/* base_test.c -- the common ancestor of a sibling and the head, as attributes show it: two mounts
 * of two replicas that were cut from each other.
 */
#include "tests/lib/fake_volume.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct fake_twin twin;
static struct fake at[2];

static int begin(void **state)
{
    (void)state;
    fake_sides(&twin, at, 5, 20);
    return 0;
}

static int end(void **state)
{
    (void)state;
    fake_sides_deinit(&twin, at);
    return 0;
}

/* Bytes of an attribute of a name of the root, size_max of them asked for; -errno. */
static int attribute(struct fake *f, const char *name, const char *attr, char *out, size_t size_max)
{
    struct nwr_fs_entry e;
    struct nwr_fs_req *req;
    struct nwr_fs_reply r;
    int len = -fake_lookup(f, 1, name, &e);

    if (len)
        return len;
    req = fake_req(NWR_FS_GETXATTR, e.node, attr);
    req->size = size_max;
    r = fake_call(f, req);
    len = r.err ? -r.err : r.data ? (int)r.data->len : 0;
    if (r.data && r.data->len)
        memcpy(out, r.data->data, r.data->len);
    nwr_fs_reply_deinit(&r);
    return len;
}

/* The name of the one sibling of `name`. */
static const char *sibling(struct fake *f, const char *name)
{
    static char found[64];
    char list[500], *save;

    found[0] = 0;
    fake_ls(f, 1, list, sizeof(list));
    for (char *p = strtok_r(list, " ", &save); p; p = strtok_r(NULL, " ", &save))
        if (strncmp(p, name, strlen(name)) == 0 && strstr(p, ".conflict."))
            snprintf(found, sizeof(found), "%s", p);
    assert_true(found[0] != 0);
    return found;
}

static void cut_and_save(const char *left, const char *right)
{
    fake_twin_settle(&twin);
    twin.cut = true;
    assert_int_equal(fake_save(&at[0], 1, "name", left), 0);
    assert_int_equal(fake_save(&at[1], 1, "name", right), 0);
    fake_twin_settle(&twin);
}

static void assert_bytes(struct fake *f, const char *name, const char *attr, const char *want)
{
    static char got[NWR_XATTR_MAX];
    int len = attribute(f, name, attr, got, sizeof(got));

    assert_int_equal(len, (int)strlen(want));
    assert_memory_equal(got, want, strlen(want));
}

static void both_mounts_show_what_a_sibling_and_the_head_come_from(void **state)
{
    (void)state;
    assert_int_equal(fake_save(&at[0], 1, "name", "before"), 0);
    cut_and_save("left", "right");
    for (uint32_t i = 0; i < 2; i++) {
        const char *name = sibling(&at[i], "name");
        char text[64] = "";
        int len = attribute(&at[i], name, "user.nwrfs.base", text, sizeof(text));

        assert_in_range(len, 5, 63);
        assert_string_equal(strchr(text, ' '), " 6");
        assert_bytes(&at[i], name, "user.nwrfs.base.0", "before");
        assert_bytes(&at[i], name, "user.nwrfs.base.4", "re");
        assert_int_equal(attribute(&at[i], name, "user.nwrfs.base.6", text, sizeof(text)), 0);
        assert_int_equal(attribute(&at[i], name, "user.nwrfs.base", text, 1), -ERANGE);
    }
}

static void there_is_none_where_none_is_known(void **state)
{
    static const char *const no_offsets[] = {"user.nwrfs.base.", "user.nwrfs.base.x",
                                             "user.nwrfs.base.-1", "user.nwrfs.based",
                                             "user.nwrfs.base.99999999999999999999999"};
    char text[64];

    (void)state;
    cut_and_save("left", "right"); /* made on both sides */
    assert_int_equal(
        attribute(&at[0], sibling(&at[0], "name"), "user.nwrfs.base", text, sizeof(text)),
        -ENODATA);
    assert_int_equal(fake_unlink(&at[0], 1, sibling(&at[0], "name")), 0);
    assert_int_equal(attribute(&at[0], "name", "user.nwrfs.base", text, sizeof(text)), -ENODATA);
    cut_and_save("one", "two");
    assert_int_equal(attribute(&at[1], "name", "user.nwrfs.base", text, sizeof(text)), -ENODATA);
    for (size_t i = 0; i < NWR_COUNT(no_offsets); i++)
        assert_int_equal(
            attribute(&at[1], sibling(&at[1], "name"), no_offsets[i], text, sizeof(text)),
            -ENODATA);
    assert_in_range(
        attribute(&at[1], sibling(&at[1], "name"), "user.nwrfs.base", text, sizeof(text)), 5, 63);
}

/* Of several blocks, with holes: in pieces of what an attribute holds. */
static void a_large_one_comes_in_pieces(void **state)
{
    static char got[NWR_XATTR_MAX];
    uint64_t node, fh, far = (uint64_t)NWR_BLOCK_MAX + 100000;
    char attr[64];
    int len = 0;

    (void)state;
    assert_int_equal(fake_create(&at[0], 1, "name", 01, &node, &fh), 0);
    assert_int_equal(fake_write(&at[0], node, fh, 0, "begin"), 0);
    assert_int_equal(fake_write(&at[0], node, fh, far, "end"), 0);
    assert_int_equal(fake_close(&at[0], node, fh), 0);
    cut_and_save("left", "right");
    for (uint64_t off = 0; off < far + 3; off += (uint64_t)len) {
        snprintf(attr, sizeof(attr), "user.nwrfs.base.%llu", (unsigned long long)off);
        len = attribute(&at[1], sibling(&at[1], "name"), attr, got, sizeof(got));
        assert_int_equal(len, NWR_MIN(far + 3 - off, (uint64_t)NWR_XATTR_MAX));
        if (off == 0)
            assert_memory_equal(got, "begin\0\0", 7);
    }
    assert_memory_equal(got + len - 4, "\0end", 4);
}

#define ON(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON(both_mounts_show_what_a_sibling_and_the_head_come_from),
        ON(there_is_none_where_none_is_known),
        ON(a_large_one_comes_in_pieces),
    };

    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
