/* file_gen.c -- see file_gen.h. */
#include "fs/core/file_gen.h"

enum {
    JOIN_MAX = 64 << 10 /* writes shorter than this are joined with what they continue */
};

uint32_t nwr_gen_lower(const struct nwr_gen *g, uint64_t off)
{
    uint32_t lo = 0, hi = g->n;

    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;

        if (nwr_piece_end(&g->p[mid]) <= off)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static uint64_t data_bytes(const struct nwr_piece *p, uint32_t n)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < n; i++)
        sum += p[i].blob ? p[i].len : 0;
    return sum;
}

/* Puts the n pieces of add (their counts are taken) where pieces [i, j) stood. */
static void splice(struct nwr_gen *g, uint32_t i, uint32_t j, const struct nwr_piece *add,
                   uint32_t n)
{
    if (j > i)
        g->bytes -= data_bytes(g->p + i, j - i);
    g->bytes += data_bytes(add, n);
    for (uint32_t k = i; k < j; k++)
        nwr_blob_unref(g->p[k].blob);
    g->p = nwr_grow(g->p, &g->cap, g->n - (j - i) + n, sizeof(*g->p));
    if (g->n > j)
        memmove(g->p + i + n, g->p + j, (g->n - j) * sizeof(*g->p));
    if (n)
        memcpy(g->p + i, add, n * sizeof(*add));
    g->n = g->n - (j - i) + n;
}

static struct nwr_piece left_part(const struct nwr_piece *p, uint64_t end)
{
    struct nwr_piece left = *p;

    nwr_blob_ref(left.blob);
    left.len = end - p->off;
    left.open = false; /* the bytes behind it are the old ones, which a reader may hold */
    return left;
}

static struct nwr_piece right_part(const struct nwr_piece *p, uint64_t off)
{
    struct nwr_piece right = *p;

    nwr_blob_ref(right.blob);
    right.off = off;
    right.len = nwr_piece_end(p) - off;
    if (!nwr_piece_is_hole(p))
        right.from += (uint32_t)(off - p->off);
    return right;
}

/* [lo, hi) is x now (its count is taken), or nothing. */
static void replace(struct nwr_gen *g, uint64_t lo, uint64_t hi, const struct nwr_piece *x)
{
    uint32_t i = nwr_gen_lower(g, lo), j = i, n = 0;
    struct nwr_piece add[3];

    while (j < g->n && g->p[j].off < hi)
        j++;
    if (i < j && g->p[i].off < lo)
        add[n++] = left_part(&g->p[i], lo);
    if (x)
        add[n++] = *x;
    if (i < j && nwr_piece_end(&g->p[j - 1]) > hi)
        add[n++] = right_part(&g->p[j - 1], hi);
    splice(g, i, j, add, n);
}

/* ---- writes -------------------------------------------------------------------------------- */

/* Room for len more bytes behind p, in a buffer that doubles up to the end of its block. */
static bool piece_room(struct nwr_piece *p, uint32_t len)
{
    uint64_t limit = NWR_BLOCK_MAX - p->off % NWR_BLOCK_MAX;
    uint32_t have = (uint32_t)p->len;
    struct nwr_blob *b;

    if (p->len + len > limit || (!p->open && p->len > JOIN_MAX))
        return false;
    if (p->open && p->blob->len - p->from - have >= len)
        return true;
    b = nwr_blob_new((size_t)NWR_MIN(NWR_MAX(2 * p->len, p->len + len), limit));
    memcpy(b->data, p->blob->data + p->from, have);
    nwr_blob_unref(p->blob);
    p->blob = b;
    p->from = 0;
    p->open = true;
    return true;
}

/* Appends to the piece that ends at off; a piece never grows over a block's end. */
static bool join(struct nwr_gen *g, uint64_t off, const uint8_t *data, uint32_t len)
{
    uint32_t i = nwr_gen_lower(g, off);
    struct nwr_piece *p;

    if (i == 0)
        return false;
    p = &g->p[i - 1];
    if (nwr_piece_end(p) != off || !p->blob || !piece_room(p, len))
        return false;
    replace(g, off, off + len, NULL);
    p = &g->p[i - 1];
    memcpy(p->blob->data + p->from + p->len, data, len);
    p->len += len;
    g->bytes += len;
    return true;
}

static void write_small(struct nwr_gen *g, uint64_t off, const uint8_t *data, uint32_t len)
{
    while (len > 0) {
        uint64_t room = NWR_BLOCK_MAX - off % NWR_BLOCK_MAX;
        uint32_t part = (uint32_t)NWR_MIN(room, len);

        if (!join(g, off, data, part)) {
            struct nwr_piece p = {.off = off, .len = part, .open = true};

            p.blob = nwr_blob_copy(data, part);

            replace(g, off, off + part, &p);
        }
        off += part;
        data += part;
        len -= part;
    }
}

void nwr_gen_write(struct nwr_gen *g, uint64_t off, struct nwr_blob *data, uint32_t from,
                   uint32_t len)
{
    struct nwr_piece p = {.off = off, .len = len, .blob = data, .from = from};

    nwr_assert(from <= data->len && len <= data->len - from);
    if (len == 0)
        return;
    /* A short piece of a long blob would keep all of it. */
    if (len < JOIN_MAX || len < data->len / 2) {
        write_small(g, off, data->data + from, len);
        return;
    }
    nwr_blob_ref(data);
    replace(g, off, off + len, &p);
}

/* ---- the rest ------------------------------------------------------------------------------ */

void nwr_gen_forget(struct nwr_gen *g, uint64_t lo, uint64_t hi)
{
    if (lo < hi)
        replace(g, lo, hi, NULL);
}

void nwr_gen_hole(struct nwr_gen *g, uint64_t lo, uint64_t hi)
{
    struct nwr_piece p = {.off = lo, .len = hi - lo};

    if (lo < hi)
        replace(g, lo, hi, &p);
}

void nwr_gen_borrow(struct nwr_gen *g, uint64_t off, uint64_t len, const struct nwr_block_id *block,
                    uint32_t from)
{
    struct nwr_piece p = {.off = off, .len = len, .from = from, .borrowed = true, .block = *block};

    replace(g, off, off + len, &p);
}

bool nwr_gen_borrows(const struct nwr_gen *g)
{
    for (uint32_t i = 0; i < g->n; i++)
        if (g->p[i].borrowed)
            return true;
    return false;
}

void nwr_gen_return(struct nwr_gen *g)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < g->n; i++)
        if (!g->p[i].borrowed)
            g->p[kept++] = g->p[i];
    g->n = kept;
}

/* Puts the part [lo, hi) of p where g has nothing. */
static void put_under(struct nwr_gen *g, const struct nwr_piece *p, uint64_t lo, uint64_t hi)
{
    struct nwr_piece x = *p;

    x.off = lo;
    x.len = hi - lo;
    x.open = false; /* its blob may be a block by now, and newer pieces may cut it short */
    if (!nwr_piece_is_hole(p))
        x.from += (uint32_t)(lo - p->off);
    nwr_blob_ref(x.blob);
    replace(g, lo, hi, &x);
}

static void merge_piece(struct nwr_gen *g, const struct nwr_piece *p)
{
    uint64_t pos = p->off, end = nwr_piece_end(p);

    while (pos < end) {
        uint32_t i = nwr_gen_lower(g, pos);
        uint64_t gap = i < g->n ? NWR_MIN(g->p[i].off, end) : end;

        if (gap > pos)
            put_under(g, p, pos, gap);
        if (gap == end)
            return;
        pos = gap > pos ? gap : nwr_piece_end(&g->p[i]);
    }
}

void nwr_gen_merge(struct nwr_gen *g, struct nwr_gen *old)
{
    for (uint32_t i = 0; i < old->n; i++)
        merge_piece(g, &old->p[i]);
    nwr_gen_deinit(old);
}

void nwr_gen_deinit(struct nwr_gen *g)
{
    for (uint32_t i = 0; i < g->n; i++)
        nwr_blob_unref(g->p[i].blob);
    nwr_free(g->p);
    *g = (struct nwr_gen){0};
}

void nwr_gen_check(const struct nwr_gen *g)
{
    uint64_t pos = 0;

    for (uint32_t i = 0; i < g->n; i++) {
        const struct nwr_piece *p = &g->p[i];

        nwr_assert(p->len > 0 && p->off >= pos);
        nwr_assert(!p->blob || p->len <= p->blob->len - p->from);
        pos = nwr_piece_end(p);
    }
    nwr_assert(g->bytes == data_bytes(g->p, g->n));
}
