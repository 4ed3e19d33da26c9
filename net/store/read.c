/* read.c -- ranges of records, and the objects their versions refer to.
 *
 * Rows of the ranges come in order, each followed by the objects it refers to, until
 * NWR_SCAN_ROWS of them or NWR_READ_BYTES in all; they are sorted at the end. So what is cut off
 * is always rows of ranges after the last one given, never a part of an object.
 */
#include "net/store/engine.h"

#include <stdlib.h>

/* A row of a range before its objects are looked for. */
struct direct {
    struct nwr_row row;
    bool follow;
    size_t bytes;
};

struct reading {
    struct nwr_engine *e;
    struct nwr_store_op *op;
    const struct nwr_range *range;
    struct nwr_key object; /* prefix of the one being read */
    enum nwr_err err;
    struct direct *direct;
    uint32_t ndirect, capdirect;
    uint64_t bytes; /* of the rows taken */
    nwr_ino *seen;  /* inodes whose objects were read, sorted */
    uint32_t nseen, capseen;
};

static struct nwr_key to_key(const struct nwr_skey *k)
{
    struct nwr_key key = {.len = k->len};

    memcpy(key.b, k->b, k->len);
    return key;
}

static bool is_below(const struct nwr_skey *key, const struct nwr_key *prefix)
{
    return key->len >= prefix->len && memcmp(key->b, prefix->b, prefix->len) == 0;
}

/* In memory, as a message counts it: a record on disk is several times smaller. */
static size_t row_bytes(const struct nwr_record *rec)
{
    return sizeof(struct nwr_key) + nwr_record_bytes(rec);
}

/* ---- rows of ranges ------------------------------------------------------------------------- */

static bool on_direct(void *arg, const struct nwr_skey *key, const void *value, size_t len)
{
    struct reading *r = arg;
    const struct nwr_key *after = &r->range->after;
    struct direct *d;

    if (!is_below(key, &r->range->prefix))
        return false;
    if (after->len && key->len == after->len && memcmp(key->b, after->b, after->len) == 0)
        return true;
    if (r->ndirect == NWR_SCAN_ROWS || r->bytes > NWR_READ_BYTES) {
        r->op->more = true;
        return false;
    }
    r->direct = nwr_grow(r->direct, &r->capdirect, r->ndirect + 1, sizeof(*r->direct));
    d = &r->direct[r->ndirect];
    r->err = nwr_unseal_record(key, value, len, &d->row.rec);
    if (r->err && !NWR_RULE(UNKNOWN)) {
        r->err = NWR_OK;
        return true;
    }
    if (r->err)
        return false;
    d->row.key = to_key(key);
    d->follow = r->range->follow;
    d->bytes = row_bytes(&d->row.rec);
    r->bytes += d->bytes;
    r->ndirect++;
    return true;
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
    if (range->indexed)
        err = nwr_index_scan(r->e, from, on_direct, r);
    else
        err = r->e->kv->scan(r->e->kv, &start, on_direct, r);
    if (err)
        r->err = err;
}

static void read_loud(struct reading *r)
{
    enum nwr_err err = nwr_loud_scan(r->e, r->range, &r->op->rows.silent, on_direct, r);

    if (err)
        r->err = err;
}

/* ---- objects -------------------------------------------------------------------------------- */

static struct nwr_row *add_row(struct nwr_rows *rows, const struct nwr_key *key)
{
    struct nwr_row *row;

    rows->row = nwr_grow(rows->row, &rows->cap, rows->n + 1, sizeof(*rows->row));
    row = &rows->row[rows->n++];
    row->key = *key;
    row->rec = (struct nwr_record){0};
    return row;
}

static bool on_object(void *arg, const struct nwr_skey *key, const void *value, size_t len)
{
    struct reading *r = arg;
    struct nwr_record rec;
    struct nwr_key k;

    if (!is_below(key, &r->object))
        return false;
    r->err = nwr_unseal_record(key, value, len, &rec);
    if (r->err)
        return false;
    k = to_key(key);
    add_row(&r->op->rows, &k)->rec = rec;
    r->bytes += row_bytes(&rec);
    return true;
}

/* False if it was there. */
static bool note_seen(struct reading *r, nwr_ino ino)
{
    uint32_t lo = 0, hi = r->nseen;

    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;

        if (r->seen[mid] < ino)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo < r->nseen && r->seen[lo] == ino)
        return false;
    r->seen = nwr_grow(r->seen, &r->capseen, r->nseen + 1, sizeof(*r->seen));
    memmove(r->seen + lo + 1, r->seen + lo, (r->nseen - lo) * sizeof(*r->seen));
    r->seen[lo] = ino;
    r->nseen++;
    return true;
}

static void read_object(struct reading *r, nwr_ino ino)
{
    struct nwr_skey start;
    enum nwr_err err;

    r->object = nwr_key_object(ino);
    start = nwr_skey_of(NWR_SPACE_RECORDS, r->object.b, r->object.len);
    err = r->e->kv->scan(r->e->kv, &start, on_object, r);
    if (err)
        r->err = err;
}

static void read_objects(struct reading *r, const struct nwr_row *of)
{
    for (uint32_t i = 0; i < of->rec.n && !r->err; i++) {
        nwr_ino ref = of->rec.v[i].ref;

        if (ref && nwr_ino_pg(ref) == nwr_key_pg(&of->key) && note_seen(r, ref))
            read_object(r, ref);
    }
}

/* Takes direct rows in turn, each with its objects, while there is room. */
static void take_rows(struct reading *r)
{
    r->bytes = 0;
    for (uint32_t i = 0; i < r->ndirect; i++) {
        struct direct *d = &r->direct[i];

        if (r->err || r->bytes > NWR_READ_BYTES) {
            nwr_record_deinit(&d->row.rec);
            r->op->more = true;
            continue;
        }
        r->bytes += d->bytes;
        if (d->follow)
            read_objects(r, &d->row);
        add_row(&r->op->rows, &d->row.key)->rec = d->row.rec;
    }
    nwr_free(r->direct);
    nwr_free(r->seen);
}

/* ---- order ---------------------------------------------------------------------------------- */

static int by_key(const void *a, const void *b)
{
    return nwr_key_cmp(&(*(struct nwr_row *const *)a)->key, &(*(struct nwr_row *const *)b)->key);
}

/* Rows of one key are the same record: the first stays. */
static void sort_rows(struct nwr_rows *rows)
{
    struct nwr_row **order = nwr_alloc(rows->n * sizeof(struct nwr_row *));
    struct nwr_rows out = {.cap = rows->n, .floor = rows->floor, .silent = rows->silent};

    out.row = nwr_alloc(rows->n * sizeof(*out.row));
    for (uint32_t i = 0; i < rows->n; i++)
        order[i] = &rows->row[i];
    qsort(order, rows->n, sizeof(*order), by_key);
    for (uint32_t i = 0; i < rows->n; i++)
        if (out.n && nwr_key_cmp(&out.row[out.n - 1].key, &order[i]->key) == 0)
            nwr_record_deinit(&order[i]->rec);
        else
            out.row[out.n++] = *order[i];
    nwr_free(order);
    nwr_free(rows->row);
    *rows = out;
}

void nwr_run_read(struct nwr_engine *e, struct nwr_store_op *op)
{
    struct reading r = {.e = e, .op = op};

    op->more = false;
    if (nwr_engine_doubts(e, op->pg) && NWR_RULE(DOUBT)) {
        op->err = NWR_E_CORRUPT;
        return;
    }
    for (uint32_t i = 0; i < op->nrange && !r.err && !op->more; i++) {
        r.range = &op->range[i];
        if (op->range[i].exact)
            read_exact(&r);
        else if (op->range[i].loud)
            read_loud(&r);
        else
            read_range(&r);
    }
    take_rows(&r);
    op->err = r.err;
    if (!op->err)
        op->err = nwr_give_floor(e, op);
    if (op->err)
        nwr_rows_deinit(&op->rows);
    else if (op->rows.n > 1)
        sort_rows(&op->rows);
}
