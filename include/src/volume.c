/* volume.c -- building and freeing requests, answers and rows; see nwr/volume.h. */
#include "nwr/volume.h"

struct nwr_request *nwr_request_new(enum nwr_op op, nwr_pg pg)
{
    struct nwr_request *req = nwr_zalloc(sizeof(*req));

    req->op = op;
    req->pg = pg;
    return req;
}

static void block_deinit(struct nwr_block *b)
{
    nwr_blob_unref(b->data);
    nwr_free(b->refs);
}

static void write_deinit(struct nwr_write *w)
{
    nwr_free(w->seen);
    nwr_free(w->retire);
    nwr_version_deinit(&w->v);
}

void nwr_request_destroy(struct nwr_request *req)
{
    if (!req)
        return;
    for (uint32_t i = 0; i < req->nwrite; i++)
        write_deinit(&req->write[i]);
    for (uint32_t i = 0; i < req->nguard; i++)
        nwr_free(req->guard[i].seen);
    for (uint32_t i = 0; i < req->nblock; i++)
        block_deinit(&req->block[i]);
    nwr_free(req->range);
    nwr_free(req->write);
    nwr_free(req->guard);
    nwr_free(req->block);
    nwr_free(req);
}

/* Arrays of requests are short: grown at each power of two of their count. */
static void *append(void *items, uint32_t *n, size_t item)
{
    if ((*n & (*n - 1)) == 0)
        items = nwr_realloc(items, (*n ? *n * 2 : 1) * item);
    memset((char *)items + *n * item, 0, item);
    ++*n;
    return items;
}

struct nwr_range *nwr_request_range(struct nwr_request *req)
{
    req->range = append(req->range, &req->nrange, sizeof(*req->range));
    return &req->range[req->nrange - 1];
}

struct nwr_write *nwr_request_write(struct nwr_request *req)
{
    req->write = append(req->write, &req->nwrite, sizeof(*req->write));
    return &req->write[req->nwrite - 1];
}

struct nwr_guard *nwr_request_guard(struct nwr_request *req)
{
    req->guard = append(req->guard, &req->nguard, sizeof(*req->guard));
    return &req->guard[req->nguard - 1];
}

struct nwr_block *nwr_request_block(struct nwr_request *req)
{
    req->block = append(req->block, &req->nblock, sizeof(*req->block));
    return &req->block[req->nblock - 1];
}

void nwr_write_seen(struct nwr_write *w, struct nwr_dot dot, nwr_wid wid)
{
    w->seen = append(w->seen, &w->nseen, sizeof(*w->seen));
    w->seen[w->nseen - 1] = (struct nwr_seen){dot, wid};
}

void nwr_write_retire(struct nwr_write *w, nwr_wid wid)
{
    w->retire = append(w->retire, &w->nretire, sizeof(*w->retire));
    w->retire[w->nretire - 1] = wid;
}

void nwr_guard_seen(struct nwr_guard *g, struct nwr_dot dot, nwr_wid wid)
{
    g->seen = append(g->seen, &g->nseen, sizeof(*g->seen));
    g->seen[g->nseen - 1] = (struct nwr_seen){dot, wid};
}

void nwr_rows_deinit(struct nwr_rows *rows)
{
    for (uint32_t i = 0; i < rows->n; i++)
        nwr_record_deinit(&rows->row[i].rec);
    nwr_free(rows->row);
    nwr_vv_deinit(&rows->floor);
    *rows = (struct nwr_rows){0};
}

uint32_t nwr_rows_lower(const struct nwr_rows *rows, const struct nwr_key *key)
{
    uint32_t lo = 0, hi = rows->n;

    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;

        if (nwr_key_cmp(&rows->row[mid].key, key) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

const struct nwr_row *nwr_rows_find(const struct nwr_rows *rows, const struct nwr_key *key)
{
    uint32_t i = nwr_rows_lower(rows, key);

    return i < rows->n && nwr_key_cmp(&rows->row[i].key, key) == 0 ? &rows->row[i] : NULL;
}

struct nwr_row *nwr_rows_at(struct nwr_rows *rows, const struct nwr_key *key)
{
    uint32_t i = rows->n;

    /* Rows mostly arrive in order. */
    if (i && nwr_key_cmp(&rows->row[i - 1].key, key) >= 0)
        i = nwr_rows_lower(rows, key);
    if (i < rows->n && nwr_key_cmp(&rows->row[i].key, key) == 0)
        return &rows->row[i];
    rows->row = nwr_grow(rows->row, &rows->cap, rows->n + 1, sizeof(*rows->row));
    memmove(rows->row + i + 1, rows->row + i, (rows->n - i) * sizeof(*rows->row));
    rows->n++;
    rows->row[i].key = *key;
    memset(&rows->row[i].rec, 0, sizeof(rows->row[i].rec));
    return &rows->row[i];
}

/* From the end, so that each row moves once, and those before the first of `from` not at all. */
void nwr_rows_merge(struct nwr_rows *rows, const struct nwr_rows *from)
{
    uint32_t i = rows->n, j = from->n, end = i + j, k = end;

    rows->row = nwr_grow(rows->row, &rows->cap, end, sizeof(*rows->row));
    while (j) {
        int c = i ? nwr_key_cmp(&rows->row[i - 1].key, &from->row[j - 1].key) : -1;
        struct nwr_row *row = &rows->row[--k];

        if (c >= 0) {
            *row = rows->row[--i];
        } else {
            row->key = from->row[--j].key;
            nwr_record_copy(&row->rec, &from->row[j].rec);
        }
        if (c == 0)
            nwr_record_sync(&row->rec, &from->row[--j].rec);
    }
    if (end > k)
        memmove(rows->row + i, rows->row + k, (end - k) * sizeof(*rows->row));
    rows->n = i + end - k;
}

void nwr_response_deinit(struct nwr_response *res)
{
    nwr_rows_deinit(&res->rows);
    nwr_blob_unref(res->data);
    memset(res, 0, sizeof(*res));
}
