/* conflict.c -- see conflict.h. */
#include "fs/core/conflict.h"

#define MARKS_FORMAT 1

uint64_t nwr_name_hash(nwr_ino parent, const char *name, size_t len)
{
    return nwr_hash64(name, len, parent);
}

nwr_ino nwr_ino_fork(nwr_ino ino, nwr_wid wid)
{
    uint64_t h = nwr_hash64(&wid, sizeof(wid), ino) & (NWR_INO_FORK - 1);

    return (nwr_ino)nwr_ino_pg(ino) << 54 | NWR_INO_FORK | h;
}

/* ---- marks --------------------------------------------------------------------------------- */

struct nwr_mark *nwr_marks_add(struct nwr_marks *m, enum nwr_mark_kind kind)
{
    m->e = nwr_grow(m->e, &m->cap, m->n + 1, sizeof(*m->e));
    memset(&m->e[m->n], 0, sizeof(*m->e));
    m->e[m->n].kind = kind;
    return &m->e[m->n++];
}

static void marks_cut(struct nwr_marks *m, uint32_t n)
{
    while (m->n > n)
        nwr_free(m->e[--m->n].left);
}

void nwr_marks_deinit(struct nwr_marks *m)
{
    marks_cut(m, 0);
    nwr_free(m->e);
    *m = (struct nwr_marks){0};
}

static void put_gone(struct nwr_out *o, const struct nwr_mark *m)
{
    nwr_out_u64(o, m->wid);
    nwr_out_u8(o, m->type);
    nwr_out_u8(o, m->bare);
    nwr_out_u64(o, m->parent);
    nwr_out_bytes(o, m->name, m->len);
    nwr_out_u64(o, m->back);
    nwr_out_bytes(o, m->back_name, m->back_len);
    nwr_out_var(o, m->nleft);
    for (uint32_t i = 0; i < m->nleft; i++)
        nwr_out_u64(o, m->left[i]);
}

struct nwr_blob *nwr_marks_encode(const struct nwr_marks *m)
{
    struct nwr_out o = {0};

    nwr_out_u8(&o, MARKS_FORMAT);
    nwr_out_var(&o, m->n);
    for (uint32_t i = 0; i < m->n; i++) {
        nwr_out_u8(&o, (uint8_t)m->e[i].kind);
        switch (m->e[i].kind) {
        case NWR_MARK_GONE: put_gone(&o, &m->e[i]); break;
        case NWR_MARK_MOOT: nwr_out_u64(&o, m->e[i].id); break;
        case NWR_MARK_ENDED:
        case NWR_MARK_SETTLED: nwr_out_u64(&o, m->e[i].wid); break;
        }
    }
    return nwr_out_blob(&o);
}

static uint8_t get_name(struct nwr_in *in, char *out)
{
    size_t len = 0;
    const uint8_t *name = nwr_in_bytes(in, &len);

    if (!name || len > NWR_NAME_MAX) {
        in->bad = true;
        return 0;
    }
    if (len)
        memcpy(out, name, len);
    return (uint8_t)len;
}

static void get_gone(struct nwr_in *in, struct nwr_mark *m)
{
    m->wid = nwr_in_u64(in);
    m->type = nwr_in_u8(in);
    m->bare = nwr_in_u8(in);
    m->parent = nwr_in_u64(in);
    m->len = get_name(in, m->name);
    m->back = nwr_in_u64(in);
    m->back_len = get_name(in, m->back_name);
    if (in->bad)
        return;
    m->nleft = nwr_in_count(in, 8);
    if (m->nleft)
        m->left = nwr_alloc(m->nleft * sizeof(*m->left));
    for (uint32_t i = 0; i < m->nleft; i++)
        m->left[i] = nwr_in_u64(in);
}

static void get_mark(struct nwr_in *in, struct nwr_marks *list, const struct nwr_version *v,
                     uint32_t at)
{
    uint8_t kind = nwr_in_u8(in);
    struct nwr_mark *m;

    if (kind < NWR_MARK_GONE || kind > NWR_MARK_SETTLED) {
        in->bad = true;
        return;
    }
    m = nwr_marks_add(list, (enum nwr_mark_kind)kind);
    m->hlc = v->hlc;
    m->dot = v->dot;
    m->uid = v->uid;
    m->k = v->k;
    switch (m->kind) {
    case NWR_MARK_GONE:
        m->id = nwr_mix64(v->wid + at);
        get_gone(in, m);
        break;
    case NWR_MARK_MOOT: m->id = nwr_in_u64(in); break;
    case NWR_MARK_ENDED:
    case NWR_MARK_SETTLED: m->wid = nwr_in_u64(in); break;
    }
}

enum nwr_err nwr_marks_decode(struct nwr_marks *m, const struct nwr_version *v)
{
    uint32_t before = m->n, n;
    struct nwr_in in;

    if (!v->body)
        return NWR_E_FORMAT;
    in = nwr_in_of(v->body->data, v->body->len);
    in.bad |= nwr_in_u8(&in) != MARKS_FORMAT;
    n = nwr_in_count(&in, 9);
    for (uint32_t i = 0; i < n && !in.bad; i++)
        get_mark(&in, m, v, i);
    if (nwr_in_done(&in))
        return NWR_OK;
    marks_cut(m, before);
    return NWR_E_FORMAT;
}

/* ---- reading an inode ----------------------------------------------------------------------- */

static const struct nwr_record *record(const struct nwr_rows *rows, nwr_ino ino, enum nwr_reg reg)
{
    struct nwr_key key = nwr_key_reg(ino, reg);
    const struct nwr_row *row = nwr_rows_find(rows, &key);

    return row ? &row->rec : NULL;
}

static int stamp_cmp(nwr_hlc ah, struct nwr_dot ad, nwr_hlc bh, struct nwr_dot bd)
{
    if (ah != bh)
        return ah < bh ? -1 : 1;
    return nwr_dot_cmp(ad, bd);
}

static int mark_cmp(const struct nwr_mark *a, const struct nwr_mark *b)
{
    int c = stamp_cmp(a->hlc, a->dot, b->hlc, b->dot);

    return c ? c : b->bare - a->bare;
}

static void read_marks(struct nwr_versions *s, const struct nwr_record *rec)
{
    for (uint32_t i = 0; rec && i < rec->n; i++)
        if (rec->v[i].flags & NWR_V_MARK)
            nwr_marks_decode(&s->marks, &rec->v[i]); /* one that says nothing marks nothing */
    for (uint32_t i = 0; i < s->marks.n; i++) {
        const struct nwr_mark *m = &s->marks.e[i];

        if (m->kind == NWR_MARK_GONE && (!s->last || mark_cmp(m, s->last) > 0))
            s->last = m;
    }
}

static void read_links(struct nwr_versions *s, const struct nwr_rows *rows, nwr_ino ino)
{
    struct nwr_key prefix = nwr_key_reg(ino, NWR_REG_LINK);
    uint32_t i = nwr_rows_lower(rows, &prefix), cap = 0;

    for (; i < rows->n && nwr_key_has_prefix(&rows->row[i].key, &prefix); i++) {
        struct nwr_key_parts p;

        if (!nwr_key_parse(&rows->row[i].key, &p) || nwr_record_live(&rows->row[i].rec) == 0)
            continue;
        s->link = nwr_grow(s->link, &cap, s->nlink + 1, sizeof(*s->link));
        s->link[s->nlink++] = nwr_name_hash(p.parent, p.name, p.name_len);
    }
}

static bool has_mark(const struct nwr_versions *s, enum nwr_mark_kind kind, uint64_t what)
{
    for (uint32_t i = 0; i < s->marks.n; i++) {
        const struct nwr_mark *m = &s->marks.e[i];

        if (m->kind == kind && what == (kind == NWR_MARK_MOOT ? m->id : m->wid))
            return true;
    }
    return false;
}

static bool counts(const struct nwr_versions *s, const struct nwr_mark *m, nwr_wid wid)
{
    return m->kind == NWR_MARK_GONE && m->wid == wid && !has_mark(s, NWR_MARK_MOOT, m->id);
}

struct names { /* a set of hashes */
    uint64_t *slot;
    uint32_t cap; /* a power of 2 */
};

static uint64_t *slot_of(const struct names *set, uint64_t name)
{
    uint32_t i = (uint32_t)(nwr_mix64(name) & (set->cap - 1));

    while (set->slot[i] && set->slot[i] != name)
        i = (i + 1) & (set->cap - 1);
    return &set->slot[i];
}

/* Seen by a remover, and by removers at every name that one had left. There are as many marks as
 * there were links, and each may name as many. */
static bool removed(const struct nwr_versions *s, nwr_wid wid)
{
    const struct nwr_mark **by = nwr_alloc((s->marks.n + 1) * sizeof(*by));
    struct names at = {.cap = 2}; /* where it was removed */
    uint32_t n = 0;
    bool all = false;

    while (at.cap < 2 * s->marks.n)
        at.cap *= 2;
    at.slot = nwr_zalloc(at.cap * sizeof(*at.slot));
    for (uint32_t i = 0; i < s->marks.n; i++) {
        const struct nwr_mark *m = &s->marks.e[i];
        uint64_t name = nwr_name_hash(m->parent, m->name, m->len);

        if (!counts(s, m, wid))
            continue;
        by[n++] = m;
        *slot_of(&at, name) = name;
    }
    for (uint32_t i = 0; i < n && !all; i++) {
        all = true;
        for (uint32_t j = 0; all && j < by[i]->nleft; j++)
            all = *slot_of(&at, by[i]->left[j]) == by[i]->left[j];
    }
    nwr_free(at.slot);
    nwr_free(by);
    return all;
}

static int rank_cmp(const struct nwr_one *a, const struct nwr_one *b)
{
    int c = stamp_cmp(a->line.hlc, a->line.dot, b->line.hlc, b->line.dot);

    if (c || a->line.k == b->line.k)
        return c;
    return a->line.k < b->line.k ? -1 : 1;
}

static void sort(struct nwr_versions *s)
{
    for (uint32_t i = 1; i < s->n; i++) {
        struct nwr_one one = s->e[i];
        uint32_t j = i;

        for (; j > 0 && rank_cmp(&s->e[j - 1], &one) < 0; j--)
            s->e[j] = s->e[j - 1];
        s->e[j] = one;
    }
}

static bool has_wid(const struct nwr_versions *s, nwr_wid wid)
{
    for (uint32_t i = 0; i < s->n; i++)
        if (s->e[i].v->wid == wid)
            return true;
    return false;
}

static void read_content(struct nwr_versions *s, const struct nwr_record *rec)
{
    s->ever = rec && (rec->ctx.vv.n || rec->ctx.dots.n);
    if (!rec || rec->n == 0)
        return;
    s->e = nwr_zalloc(rec->n * sizeof(*s->e));
    for (uint32_t i = 0; i < rec->n; i++) {
        const struct nwr_version *v = &rec->v[i];
        struct nwr_content c;

        if (v->flags & (NWR_V_TOMBSTONE | NWR_V_HIDDEN | NWR_V_MARK) || has_wid(s, v->wid) ||
            nwr_content_head(&c, v) != NWR_OK)
            continue;
        s->e[s->n++] = (struct nwr_one){.v = v,
                                        .line = c.line,
                                        .stored = c.line.wid,
                                        .removed = c.unlinked || removed(s, v->wid)};
    }
}

/* A version's own number, of the same rank, where another carries the same line, or it ended. */
static void own_lines(struct nwr_versions *s)
{
    for (uint32_t i = 0; i < s->n; i++) {
        struct nwr_one *one = &s->e[i];
        bool own = has_mark(s, NWR_MARK_ENDED, one->stored);

        for (uint32_t j = 0; !own && j < s->n; j++)
            own = j != i && s->e[j].stored == one->stored;
        if (own) {
            one->line.wid = one->v->wid;
            one->line.k = one->v->k;
        }
    }
}

/* The greatest of equal bytes stands for all; one that nobody removed for one that was. */
static void collapse(struct nwr_versions *s)
{
    for (uint32_t i = 0; i < s->n; i++)
        s->e[i].same = i;
    for (uint32_t i = 0; i < s->n; i++)
        for (uint32_t j = i + 1; j < s->n && s->e[i].same == i; j++)
            if (s->e[j].same == j && s->e[i].removed == s->e[j].removed &&
                nwr_content_same(s->e[i].v, s->e[j].v))
                s->e[j].same = i;
}

void nwr_versions_read(struct nwr_versions *s, const struct nwr_rows *rows, nwr_ino ino)
{
    *s = (struct nwr_versions){0};
    read_marks(s, record(rows, ino, NWR_REG_MARKS));
    read_links(s, rows, ino);
    read_content(s, record(rows, ino, NWR_REG_CONTENT));
    if (s->n < 1)
        return;
    own_lines(s);
    sort(s);
    collapse(s);
}

void nwr_versions_deinit(struct nwr_versions *s)
{
    nwr_marks_deinit(&s->marks);
    nwr_free(s->e);
    nwr_free(s->link);
    *s = (struct nwr_versions){0};
}

const struct nwr_one *nwr_versions_next(const struct nwr_versions *s, const struct nwr_one *after,
                                        bool unseen)
{
    for (uint32_t i = after ? (uint32_t)(after - s->e) + 1 : 0; i < s->n; i++)
        if (s->e[i].same == i && !(unseen && s->e[i].removed))
            return &s->e[i];
    return NULL;
}

const struct nwr_one *nwr_versions_find(const struct nwr_versions *s, nwr_wid wid)
{
    for (uint32_t i = 0; i < s->n; i++)
        if (s->e[i].v->wid == wid)
            return &s->e[s->e[i].same];
    return NULL;
}
