/* tree_check.c -- see tree_check.h. */
#include "tests/lib/tree_check.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum {
    ROOT = 1,
    GROUPS = 16, /* of a fake volume */
    IDS = 33     /* bytes of a word before its path */
};

uint32_t tree_check_rows;

static void mend_word(struct fake *f, const char *word)
{
    struct nwr_fs_req *req = fake_req(NWR_FS_SETXATTR, ROOT, "user.nwrfs.mend");
    struct nwr_fs_reply r;

    req->data = nwr_blob_copy(word, strlen(word));
    req->uid = 0;
    r = fake_call(f, req);
    assert_true(r.err == 0 || (*word == 'n' && r.err == EINVAL));
    nwr_fs_reply_deinit(&r);
}

uint32_t tree_check(struct fake *f, bool all, bool mend, char *text, size_t size)
{
    char name[256], cursor[256] = "";
    uint32_t found = 0, before;
    size_t out = 0;

    text[0] = 0;
    tree_check_rows = 0;
    for (int pg = 0; pg < GROUPS; pg += !*cursor) {
        struct nwr_fs_req *req;
        struct nwr_fs_reply r;

        snprintf(name, sizeof(name), "user.nwrfs.check.%d%.220s", pg, cursor);
        *cursor = 0;
        req = fake_req(NWR_FS_GETXATTR, ROOT, name);
        req->size = 65536;
        req->uid = 0;
        before = f->rows;
        r = fake_call(f, req);
        assert_int_equal(r.err, 0);
        tree_check_rows = NWR_MAX(tree_check_rows, f->rows - before);
        for (size_t at = 0; r.data && at < r.data->len;
             at += strlen((char *)r.data->data + at) + 1) {
            const char *word = (char *)r.data->data + at;

            if (*word == '>')
                snprintf(cursor, sizeof(cursor), ".%s", word + 1);
            if (*word == '>' || (*word == 'o' && !all))
                continue;
            found++;
            out += (size_t)snprintf(text + out, size - out, "%c %s\n", *word, word + IDS);
            if (mend)
                mend_word(f, word);
        }
        nwr_fs_reply_deinit(&r);
    }
    return found;
}
