/* read.c -- ranges of records, and the objects their versions refer to. */
#include "net/store/engine.h"

#include <stdlib.h>

struct reading {
    struct nwr_engine *e;
    struct nwr_store_op *op;
    const struct nwr_range *range;
    enum nwr_err err;
    uint32_t direct; /* rows that count towards NWR_SCAN_ROWS */
    nwr_ino *follow;
    uint32_t nfollow, capfollow;
};

static struct nwr_key to_key(const struct nwr_skey *k)
{
    struct nwr_key key = {.len = k->len};

    memcpy(key.b, k->b, k->len);
    return key;
}

/* Decodes into the row of key; a row that is there is left alone. */
static bool take_row(struct reading *r, const struct nwr_skey *key, const void *value, size_t len)
{
    struct nwr_key k = to_key(key);
    struct nwr_record rec;

    if (nwr_rows_find(&r->op->rows, &k))
        return true;
    r->err = nwr_unseal_record(key, value, len, &rec);
    if (r->err)
        return false;
    nwr_rows_at(&r->op->rows, &k)->rec = rec;
    return true;
}

static void note_refs(struct reading *r, const struct nwr_skey *key)
{
    struct nwr_key k = to_key(key);
    const struct nwr_row *row = nwr_rows_find(&r->op->rows, &k);

    for (uint32_t i = 0; i < row->rec.n; i++) {
        nwr_ino ref = row->rec.v[i].ref;

        if (!ref || nwr_ino_pg(ref) != nwr_key_pg(&k))
            continue;
        r->follow = nwr_grow(r->follow, &r->capfollow, r->nfollow + 1, sizeof(*r->follow));
        r->follow[r->nfollow++] = ref;
    }
}

static bool on_direct(void *arg, const struct nwr_skey *key, const void *value, size_t len)
{
    struct reading *r = arg;
    const struct nwr_range *range = r->range;

    if (key->len < range->prefix.len || memcmp(key->b, range->prefix.b, range->prefix.len) != 0)
        return false;
    if (range->after.len && key->len == range->after.len &&
        memcmp(key->b, range->after.b, key->len) == 0)
        return true;
    if (r->direct == NWR_SCAN_ROWS) {
        r->op->more = true;
        return false;
    }
    if (!take_row(r, key, value, len))
        return false;
    r->direct++;
    if (range->follow)
        note_refs(r, key);
    return true;
}

static bool on_object(void *arg, const struct nwr_skey *key, const void *value, size_t len)
{
    struct reading *r = arg;

    if (key->len < r->range->prefix.len ||
        memcmp(key->b, r->range->prefix.b, r->range->prefix.len) != 0)
        return false;
    return take_row(r, key, value, len);
}

static void read_exact(struct reading *r)
{
    struct nwr_skey key = nwr_skey_of(NWR_SPACE_RECORDS, r->range->prefix.b, r->range->prefix.len);
    struct nwr_blob *sealed;
    enum nwr_err err = r->e->kv->get(r->e->kv, &key, &sealed);

    if (err) {
        r->err = err == NWR_E_NOENT ? NWR_OK : err;
        return;
    }
    on_direct(r, &key, sealed->data, sealed->len);
    nwr_blob_unref(sealed);
}

static void read_range(struct reading *r)
{
    const struct nwr_range *range = r->range;
    const struct nwr_key *from = &range->prefix;
    struct nwr_skey start;
    enum nwr_err err;

    if (range->after.len && nwr_key_cmp(&range->after, from) > 0)
        from = &range->after;
    start = nwr_skey_of(NWR_SPACE_RECORDS, from->b, from->len);
    err = r->e->kv->scan(r->e->kv, &start, on_direct, r);
    if (err)
        r->err = err;
}

static void read_object(struct reading *r, nwr_ino ino)
{
    struct nwr_range object = {.prefix = nwr_key_object(ino)};
    struct nwr_skey start = nwr_skey_of(NWR_SPACE_RECORDS, object.prefix.b, object.prefix.len);
    enum nwr_err err;

    r->range = &object;
    err = r->e->kv->scan(r->e->kv, &start, on_object, r);
    if (err)
        r->err = err;
}

/* Ascending, so that rows arrive in order; each once. */
static int by_ino(const void *a, const void *b)
{
    nwr_ino x = *(const nwr_ino *)a, y = *(const nwr_ino *)b;

    return (x > y) - (x < y);
}

void nwr_run_read(struct nwr_engine *e, struct nwr_store_op *op)
{
    struct reading r = {.e = e, .op = op};

    op->more = false;
    for (uint32_t i = 0; i < op->nrange && !r.err; i++) {
        r.range = &op->range[i];
        if (op->range[i].exact)
            read_exact(&r);
        else
            read_range(&r);
    }
    if (r.nfollow > 1)
        qsort(r.follow, r.nfollow, sizeof(*r.follow), by_ino);
    for (uint32_t i = 0; i < r.nfollow && !r.err; i++)
        if (i == 0 || r.follow[i] != r.follow[i - 1])
            read_object(&r, r.follow[i]);
    nwr_free(r.follow);
    op->err = r.err;
    if (op->err)
        nwr_rows_deinit(&op->rows);
}
