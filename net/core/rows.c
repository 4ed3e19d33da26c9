/* rows.c -- see rows.h. */
#include "net/core/rows.h"

#include "net/core/msg.h"

#include "net/core/digest.h"
#include "net/core/floor.h"
#include "net/core/rules.h"

bool nwr_record_same(const struct nwr_record *a, const struct nwr_record *b)
{
    return nwr_record_hash(a) == nwr_record_hash(b);
}

uint64_t nwr_rows_digest(const struct nwr_rows *rows, bool more)
{
    uint64_t h = rows->silent && NWR_RULE(LOUD_SUM) ? nwr_mix64(rows->silent ^ more) : more;

    for (uint32_t i = 0; i < rows->n; i++) {
        if (nwr_record_says_nothing(&rows->row[i].rec))
            continue;
        h = nwr_hash64(rows->row[i].key.b, rows->row[i].key.len, h);
        h = nwr_mix64(h ^ nwr_record_hash(&rows->row[i].rec));
    }
    return h;
}

uint64_t nwr_rows_siblings(const struct nwr_rows *rows)
{
    uint64_t h = 0;

    for (uint32_t i = 0; i < rows->n; i++)
        if (nwr_record_live(&rows->row[i].rec) > 1)
            h = nwr_mix64(h ^ nwr_record_hash(&rows->row[i].rec)) | 1;
    return h;
}

static void keep_if(struct nwr_rows *rows, const bool *keep)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < rows->n; i++)
        if (keep[i])
            rows->row[n++] = rows->row[i];
        else
            nwr_record_deinit(&rows->row[i].rec);
    rows->n = n;
}

void nwr_rows_prune(struct nwr_rows *rows)
{
    bool *keep = nwr_alloc(rows->n * sizeof(*keep));

    for (uint32_t i = 0; i < rows->n; i++)
        keep[i] = !nwr_record_says_nothing(&rows->row[i].rec);
    keep_if(rows, keep);
    nwr_free(keep);
}

static bool in_range(const struct nwr_key *key, const struct nwr_range *r)
{
    if (r->exact)
        return nwr_key_cmp(key, &r->prefix) == 0;
    return nwr_key_has_prefix(key, &r->prefix) &&
           (r->after.len == 0 || nwr_key_cmp(key, &r->after) > 0);
}

struct nwr_cut nwr_rows_cut_of(const struct nwr_rows *rows, bool more,
                               const struct nwr_range *range, uint32_t nrange)
{
    struct nwr_cut cut = {UINT32_MAX, {0}};

    if (!more)
        return cut;
    for (uint32_t i = nrange; i-- > 0;)
        for (uint32_t j = rows->n; j-- > 0;)
            if (in_range(&rows->row[j].key, &range[i])) {
                cut.range = i;
                cut.key = rows->row[j].key;
                return cut;
            }
    cut.range = 0; /* it stopped before its first row */
    return cut;
}

struct nwr_cut nwr_rows_page(const struct nwr_rows *rows, const struct nwr_range *range,
                             uint32_t nrange, uint32_t max)
{
    struct nwr_cut cut = {UINT32_MAX, {0}};
    uint32_t direct = 0;

    for (uint32_t i = 0; i < nrange; i++)
        for (uint32_t j = 0; j < rows->n; j++) {
            if (!in_range(&rows->row[j].key, &range[i]))
                continue;
            if (direct++ == max)
                return cut;
            cut.range = i;
            cut.key = rows->row[j].key;
        }
    cut.range = UINT32_MAX;
    return cut;
}

static uint32_t count_direct(const struct nwr_rows *rows, const struct nwr_range *range,
                             uint32_t nrange)
{
    uint32_t direct = 0;

    for (uint32_t i = 0; i < nrange; i++)
        for (uint32_t j = 0; j < rows->n; j++)
            direct += in_range(&rows->row[j].key, &range[i]);
    return direct;
}

bool nwr_rows_fit(struct nwr_rows *rows, const struct nwr_range *range, uint32_t nrange,
                  size_t bytes_max)
{
    struct nwr_msg m = {.kind = NWR_MSG_ROWS};
    uint32_t direct = count_direct(rows, range, nrange);
    bool went = false;

    m.u.rows.rows = *rows;
    while (direct > 1 && nwr_msg_bytes(&m) > bytes_max) {
        struct nwr_cut cut = nwr_rows_page(rows, range, nrange, direct /= 2);

        nwr_rows_cut(rows, &cut, range, nrange);
        m.u.rows.rows = *rows;
        went = true;
    }
    return went;
}

static int cut_cmp(const struct nwr_cut *a, const struct nwr_cut *b)
{
    if (a->range != b->range)
        return a->range < b->range ? -1 : 1;
    return a->range == UINT32_MAX ? 0 : nwr_key_cmp(&a->key, &b->key);
}

struct nwr_cut nwr_cut_min(const struct nwr_cut *a, const struct nwr_cut *b)
{
    return cut_cmp(a, b) <= 0 ? *a : *b;
}

/* Whether some range before the cut, or its own up to its key, has this key. */
static bool before_cut(const struct nwr_key *key, const struct nwr_cut *cut,
                       const struct nwr_range *range, uint32_t nrange, bool follow_only)
{
    for (uint32_t i = 0; i < nrange && i <= cut->range; i++) {
        if (follow_only && !range[i].follow)
            continue;
        if (in_range(key, &range[i]) && (i < cut->range || nwr_key_cmp(key, &cut->key) <= 0))
            return true;
    }
    return false;
}

bool nwr_rows_refuse(struct nwr_rows *rows, const struct nwr_rows *other, const struct nwr_cut *cut,
                     const struct nwr_range *range, uint32_t nrange)
{
    static const struct nwr_record nothing;
    bool any = false;

    for (uint32_t i = 0; other->floor.n && NWR_RULE(READ_FLOORS) && i < rows->n; i++) {
        struct nwr_row *row = &rows->row[i];
        const struct nwr_row *same = nwr_rows_find(other, &row->key);
        bool went;

        if (!same && !(cut && before_cut(&row->key, cut, range, nrange, false)))
            continue;
        went = nwr_record_refuse(&row->rec, same ? &same->rec : &nothing, &other->floor);
        if (went || !same)
            nwr_record_fold(&row->rec, &other->floor);
        any |= went;
    }
    return any;
}

/* ---- inodes referred to --------------------------------------------------------------------- */

static void inos_add(struct nwr_inos *s, nwr_ino ino)
{
    uint32_t lo = 0, hi = s->n;

    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;

        if (s->ino[mid] < ino)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo < s->n && s->ino[lo] == ino)
        return;
    s->ino = nwr_grow(s->ino, &s->cap, s->n + 1, sizeof(*s->ino));
    memmove(s->ino + lo + 1, s->ino + lo, (s->n - lo) * sizeof(*s->ino));
    s->ino[lo] = ino;
    s->n++;
}

bool nwr_inos_has(const struct nwr_inos *s, nwr_ino ino)
{
    uint32_t lo = 0, hi = s->n;

    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;

        if (s->ino[mid] < ino)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < s->n && s->ino[lo] == ino;
}

static void refs_of(const struct nwr_rows *rows, nwr_pg pg, const struct nwr_cut *cut,
                    const struct nwr_range *range, uint32_t nrange, struct nwr_inos *out)
{
    for (uint32_t i = 0; i < rows->n; i++) {
        const struct nwr_record *rec = &rows->row[i].rec;

        if (!before_cut(&rows->row[i].key, cut, range, nrange, true))
            continue;
        for (uint32_t j = 0; j < rec->n; j++)
            if (rec->v[j].ref && nwr_ino_pg(rec->v[j].ref) == pg)
                inos_add(out, rec->v[j].ref);
    }
}

void nwr_rows_refs(const struct nwr_rows *rows, nwr_pg pg, const struct nwr_range *range,
                   uint32_t nrange, struct nwr_inos *out)
{
    struct nwr_cut all = {UINT32_MAX, {0}};

    refs_of(rows, pg, &all, range, nrange, out);
}

bool nwr_rows_cut(struct nwr_rows *rows, const struct nwr_cut *cut, const struct nwr_range *range,
                  uint32_t nrange)
{
    bool *keep = nwr_alloc(rows->n * sizeof(*keep));
    struct nwr_inos refs = {0};
    uint32_t before = rows->n;

    if (rows->n)
        refs_of(rows, nwr_key_pg(&rows->row[0].key), cut, range, nrange, &refs);
    for (uint32_t i = 0; i < rows->n; i++) {
        const struct nwr_key *key = &rows->row[i].key;
        struct nwr_key_parts parts;

        keep[i] =
            before_cut(key, cut, range, nrange, false) ||
            (nwr_key_parse(key, &parts) && parts.kind == 'I' && nwr_inos_has(&refs, parts.ino));
    }
    keep_if(rows, keep);
    nwr_free(keep);
    nwr_free(refs.ino);
    return rows->n < before;
}

void nwr_rows_stale(const struct nwr_rows *all, const struct nwr_rows *has,
                    const struct nwr_rows *also, struct nwr_rows *out)
{
    for (uint32_t i = 0; i < all->n; i++) {
        const struct nwr_row *row = &all->row[i];
        const struct nwr_row *mine = nwr_rows_find(has, &row->key);
        struct nwr_row *copy;

        if (!mine)
            mine = nwr_rows_find(also, &row->key);
        if (mine ? nwr_record_same(&mine->rec, &row->rec) : nwr_record_says_nothing(&row->rec))
            continue;
        copy = nwr_rows_at(out, &row->key);
        nwr_record_copy(&copy->rec, &row->rec);
    }
}
