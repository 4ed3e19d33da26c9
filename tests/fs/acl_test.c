/* acl_test.c -- POSIX ACLs: in step with the mode, handed down, refused where they are no ACLs. */
#include "fs/core/acl.h"
#include "fs/core/state.h"
#include "tests/lib/fake_volume.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define ROOT 1

enum { /* tags, acl(5) */
    USER_OBJ = 1,
    USER = 2,
    GROUP_OBJ = 4,
    MASK = 16,
    OTHER = 32
};

/* rwx of the owner, of user 4001, the group, the mask and others; NONE: no such entry. */
#define NONE (-1)
struct acl {
    int owner, user, group, mask, other;
};

static int setup(void **state)
{
    struct fake *f = fake_create_mount(21);

    f->mount->config.acl = true;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fake_destroy_mount(*state);
    return 0;
}

static void add_entry(struct nwr_blob *b, uint8_t tag, int perm, uint32_t id)
{
    uint8_t *p = b->data + b->len;

    if (perm == NONE)
        return;
    memset(p, 0, 8);
    p[0] = tag;
    p[2] = (uint8_t)perm;
    for (int i = 0; i < 4; i++)
        p[4 + i] = (uint8_t)(id >> 8 * i);
    b->len += 8;
}

static struct nwr_blob *bytes_of(struct acl a)
{
    struct nwr_blob *b = nwr_blob_new(4 + 5 * 8);

    memcpy(b->data, "\2\0\0\0", 4);
    b->len = 4;
    add_entry(b, USER_OBJ, a.owner, UINT32_MAX);
    add_entry(b, USER, a.user, 4001);
    add_entry(b, GROUP_OBJ, a.group, UINT32_MAX);
    add_entry(b, MASK, a.mask, UINT32_MAX);
    add_entry(b, OTHER, a.other, UINT32_MAX);
    return b;
}

static int set_bytes(struct fake *f, uint64_t node, const char *name, struct nwr_blob *bytes)
{
    struct nwr_fs_req *req = fake_req(NWR_FS_SETXATTR, node, name);

    req->data = bytes;
    return fake_status(f, req);
}

static int set_acl(struct fake *f, uint64_t node, const char *name, struct acl a)
{
    return set_bytes(f, node, name, bytes_of(a));
}

static int remove_acl(struct fake *f, uint64_t node, const char *name)
{
    return fake_status(f, fake_req(NWR_FS_REMOVEXATTR, node, name));
}

/* 0 if the ACL is that one, otherwise the errno of reading it, or -1. */
static int differs(struct fake *f, uint64_t node, const char *name, struct acl want)
{
    struct nwr_fs_req *req = fake_req(NWR_FS_GETXATTR, node, name);
    struct nwr_blob *bytes = bytes_of(want);
    struct nwr_fs_reply r;
    int how;

    req->size = 4096;
    r = fake_call(f, req);
    how = r.err;
    if (!how && (r.data->len != bytes->len || memcmp(r.data->data, bytes->data, bytes->len) != 0))
        how = -1;
    nwr_fs_reply_deinit(&r);
    nwr_blob_unref(bytes);
    return how;
}

static uint32_t mode_of(struct fake *f, uint64_t node)
{
    struct stat st;

    assert_int_equal(fake_stat(f, node, &st), 0);
    return st.st_mode & 07777;
}

static uint64_t a_file(struct fake *f, const char *name)
{
    struct nwr_fs_entry e;

    assert_int_equal(fake_save(f, ROOT, name, "x"), 0);
    assert_int_equal(fake_lookup(f, ROOT, name, &e), 0);
    return e.node;
}

static uint64_t make(struct fake *f, enum nwr_fs_op op, uint64_t dir, const char *name,
                     uint32_t mode)
{
    struct nwr_fs_req *req = fake_req(op, dir, name);
    struct nwr_fs_reply r;
    uint64_t node;

    req->mode = mode;
    req->umask = 077;
    r = fake_call(f, req);
    assert_int_equal(r.err, 0);
    node = r.entry.node;
    nwr_fs_reply_deinit(&r);
    return node;
}

static void the_mask_is_what_the_mode_shows_of_the_group(void **state)
{
    struct fake *f = *state;
    uint64_t node = a_file(f, "f");
    struct acl a = {6, 6, 4, 5, 1};

    assert_int_equal(fake_chmod(f, node, 01640), 0);
    assert_int_equal(set_acl(f, node, NWR_ACL_ACCESS, a), 0);
    assert_int_equal(mode_of(f, node), 01651);
    assert_int_equal(differs(f, node, NWR_ACL_ACCESS, a), 0);
}

static void chmod_changes_owner_mask_and_others_and_nobody_else(void **state)
{
    struct fake *f = *state, g;
    uint64_t node = a_file(f, "f");
    struct nwr_fs_entry e;

    assert_int_equal(set_acl(f, node, NWR_ACL_ACCESS, (struct acl){6, 6, 4, 6, 0}), 0);
    assert_int_equal(fake_chmod(f, node, 0701), 0);
    assert_int_equal(differs(f, node, NWR_ACL_ACCESS, (struct acl){7, 6, 4, 0, 1}), 0);
    assert_int_equal(fake_chmod(f, node, 0675), 0);
    assert_int_equal(differs(f, node, NWR_ACL_ACCESS, (struct acl){6, 6, 4, 7, 5}), 0);
    fake_second(&g, f, 22); /* without the option */
    assert_int_equal(fake_lookup(&g, ROOT, "f", &e), 0);
    assert_int_equal(fake_chmod(&g, e.node, 0600), 0);
    fake_pass(f, 100);
    assert_int_equal(differs(f, node, NWR_ACL_ACCESS, (struct acl){6, 6, 4, 0, 0}), 0);
    fake_deinit(&g);
}

static void a_user_without_permissions_stays_so(void **state)
{
    struct fake *f = *state;
    uint64_t node = a_file(f, "f");

    assert_int_equal(set_acl(f, node, NWR_ACL_ACCESS, (struct acl){6, 0, 4, 4, 4}), 0);
    assert_int_equal(fake_chmod(f, node, 0777), 0);
    assert_int_equal(differs(f, node, NWR_ACL_ACCESS, (struct acl){7, 0, 4, 7, 7}), 0);
}

static void an_acl_that_says_no_more_than_the_mode_is_not_kept(void **state)
{
    struct fake *f = *state;
    uint64_t node = a_file(f, "f");
    struct acl full = {6, 6, 4, 6, 0}, plain = {6, NONE, 4, NONE, 0};

    assert_int_equal(set_acl(f, node, NWR_ACL_ACCESS, full), 0);
    assert_int_equal(set_acl(f, node, NWR_ACL_ACCESS, plain), 0);
    assert_int_equal(mode_of(f, node), 0640);
    assert_int_equal(differs(f, node, NWR_ACL_ACCESS, plain), ENODATA);
}

static void a_removed_acl_leaves_the_mode(void **state)
{
    struct fake *f = *state;
    uint64_t node = a_file(f, "f"), dir;
    struct acl a = {7, 6, 4, 6, 0};

    assert_int_equal(set_acl(f, node, NWR_ACL_ACCESS, a), 0);
    assert_int_equal(remove_acl(f, node, NWR_ACL_ACCESS), 0);
    assert_int_equal(differs(f, node, NWR_ACL_ACCESS, a), ENODATA);
    assert_int_equal(mode_of(f, node), 0760);
    assert_int_equal(remove_acl(f, node, NWR_ACL_ACCESS), 0); /* as setfacl -b expects */
    assert_int_equal(fake_mkdir(f, ROOT, "d", &dir), 0);
    assert_int_equal(set_acl(f, dir, NWR_ACL_DEFAULT, a), 0);
    assert_int_equal(remove_acl(f, dir, NWR_ACL_DEFAULT), 0);
    assert_int_equal(differs(f, dir, NWR_ACL_DEFAULT, a), ENODATA);
    node = make(f, NWR_FS_MKNOD, dir, "f", S_IFREG | 0666);
    assert_int_equal(mode_of(f, node), 0600);
    assert_int_equal(differs(f, node, NWR_ACL_ACCESS, a), ENODATA);
}

static void a_default_acl_is_handed_down_in_place_of_the_umask(void **state)
{
    struct fake *f = *state, g;
    struct acl a = {7, 7, 5, 7, 1};
    struct nwr_fs_entry e;
    uint64_t dir, sub, node;

    assert_int_equal(fake_mkdir(f, ROOT, "d", &dir), 0);
    assert_int_equal(set_acl(f, dir, NWR_ACL_DEFAULT, a), 0);
    assert_int_equal(differs(f, dir, NWR_ACL_ACCESS, a), ENODATA);
    fake_second(&g, f, 22);
    g.mount->config.acl = true;
    assert_int_equal(fake_lookup(&g, ROOT, "d", &e), 0);
    node = make(&g, NWR_FS_MKNOD, e.node, "f", S_IFREG | 0666);
    assert_int_equal(mode_of(&g, node), 0660);
    assert_int_equal(differs(&g, node, NWR_ACL_ACCESS, (struct acl){6, 7, 5, 6, 0}), 0);
    sub = make(&g, NWR_FS_MKDIR, e.node, "sub", 0775);
    assert_int_equal(mode_of(&g, sub), 0771);
    assert_int_equal(differs(&g, sub, NWR_ACL_DEFAULT, a), 0);
    assert_int_equal(differs(&g, sub, NWR_ACL_ACCESS, a), 0);
    node = make(&g, NWR_FS_MKNOD, sub, "deep", S_IFIFO | 0222);
    assert_int_equal(differs(&g, node, NWR_ACL_ACCESS, (struct acl){2, 7, 5, 2, 0}), 0);
    fake_deinit(&g);
}

static void a_default_acl_of_three_entries_is_a_umask(void **state)
{
    struct fake *f = *state;
    struct acl a = {7, NONE, 5, NONE, 1};
    uint64_t dir, node;

    assert_int_equal(fake_mkdir(f, ROOT, "d", &dir), 0);
    assert_int_equal(set_acl(f, dir, NWR_ACL_DEFAULT, a), 0);
    node = make(f, NWR_FS_MKNOD, dir, "f", S_IFREG | 0666);
    assert_int_equal(mode_of(f, node), 0640);
    assert_int_equal(differs(f, node, NWR_ACL_ACCESS, a), ENODATA);
    node = make(f, NWR_FS_MKDIR, dir, "sub", 0777);
    assert_int_equal(mode_of(f, node), 0751);
    assert_int_equal(differs(f, node, NWR_ACL_DEFAULT, a), 0);
}

static void setgid_goes_where_who_sets_an_acl_is_not_of_the_group(void **state)
{
    struct fake *f = *state;
    uint64_t node = a_file(f, "f");

    for (uint32_t gid = 7; gid <= 9; gid++) {
        struct nwr_fs_req *req = fake_req(NWR_FS_SETXATTR, node, NWR_ACL_ACCESS);

        assert_int_equal(fake_chgrp(f, node, gid), 0);
        assert_int_equal(fake_chmod(f, node, 02770), 0);
        req->uid = 1000;
        req->gid = 7;
        req->group[req->ngroup++] = 8;
        req->data = bytes_of((struct acl){7, 7, 7, 7, 0});
        assert_int_equal(fake_status(f, req), 0);
        assert_int_equal(mode_of(f, node), gid == 9 ? 0770 : 02770);
    }
}

static void what_is_no_acl_is_refused(void **state)
{
    static const struct {
        uint32_t len;
        uint8_t version;
        int err;
    } forms[] = {
        {44, 2, 0},      {0, 2, EINVAL},  {3, 2, EINVAL},  {4, 2, EINVAL}, {43, 2, EINVAL},
        {45, 2, EINVAL}, {44, 1, EINVAL}, {44, 3, EINVAL}, {36, 2, EINVAL}}; /* nothing of others */
    const struct acl a = {6, 6, 4, 6, 0};
    struct fake *f = *state;
    uint64_t node = a_file(f, "f"), dir;

    for (size_t i = 0; i < NWR_COUNT(forms); i++) {
        struct nwr_blob *acl = bytes_of(a), *b = nwr_blob_new(forms[i].len);

        memset(b->data, 0, b->len);
        memcpy(b->data, acl->data, NWR_MIN(acl->len, b->len));
        if (b->len)
            b->data[0] = forms[i].version;
        nwr_blob_unref(acl);
        assert_int_equal(set_bytes(f, node, NWR_ACL_ACCESS, b), forms[i].err);
    }
    assert_int_equal(differs(f, node, NWR_ACL_ACCESS, a), 0);
    assert_int_equal(set_acl(f, node, NWR_ACL_DEFAULT, a), EACCES);
    assert_int_equal(set_bytes(f, node, NWR_ACL_ACCESS, nwr_blob_new(NWR_XATTR_MAX + 1)), E2BIG);
    assert_int_equal(fake_mkdir(f, ROOT, "d", &dir), 0);
    f->mount->config.acl = false;
    assert_int_equal(set_acl(f, dir, NWR_ACL_DEFAULT, a), EOPNOTSUPP);
    assert_int_equal(differs(f, node, NWR_ACL_ACCESS, a), EOPNOTSUPP);
}

/* ---- on two sides --------------------------------------------------------------------------- */

static void a_chmod_on_one_side_holds_for_the_acl_of_the_other(void **state)
{
    struct fake_twin twin;
    struct fake side[2];
    struct nwr_fs_entry e[2];

    (void)state;
    fake_sides(&twin, side, 9, 30);
    for (uint32_t i = 0; i < 2; i++)
        side[i].mount->config.acl = true;
    assert_int_equal(fake_save(&side[0], ROOT, "f", "x"), 0);
    fake_meet(&twin, side);
    for (uint32_t i = 0; i < 2; i++)
        assert_int_equal(fake_lookup(&side[i], ROOT, "f", &e[i]), 0);
    twin.cut = true;
    assert_int_equal(fake_chmod(&side[0], e[0].node, 0600), 0);
    fake_pass(&side[1], 1000); /* the ACL is the later one */
    assert_int_equal(set_acl(&side[1], e[1].node, NWR_ACL_ACCESS, (struct acl){6, 6, 4, 6, 4}), 0);
    fake_meet(&twin, side);
    for (uint32_t i = 0; i < 2; i++) {
        struct acl both = {6, 6, 4, (int)(mode_of(&side[i], e[i].node) >> 3 & 7), 0};

        assert_int_equal(both.mask & 4, 0);
        assert_int_equal(mode_of(&side[i], e[i].node) & 7, 0);
        assert_int_equal(differs(&side[i], e[i].node, NWR_ACL_ACCESS, both), 0);
    }
    fake_sides_deinit(&twin, side);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_mask_is_what_the_mode_shows_of_the_group),
        T(chmod_changes_owner_mask_and_others_and_nobody_else),
        T(a_user_without_permissions_stays_so),
        T(an_acl_that_says_no_more_than_the_mode_is_not_kept),
        T(a_removed_acl_leaves_the_mode),
        T(a_default_acl_is_handed_down_in_place_of_the_umask),
        T(a_default_acl_of_three_entries_is_a_umask),
        T(setgid_goes_where_who_sets_an_acl_is_not_of_the_group),
        T(what_is_no_acl_is_refused),
        cmocka_unit_test(a_chmod_on_one_side_holds_for_the_acl_of_the_other),
    };

    return cmocka_run_group_tests_name("acl", tests, NULL, NULL);
}
