/* view_hidden.c -- what is not listed: the records beside an entry that lead to inodes which may
 * show there again (view_slots.h), and slots of inodes that are no more.
 */
#include "fs/core/place.h"
#include "fs/core/view_slots.h"

/* Its registers have been removed everywhere. */
static bool is_reaped(const struct nwr_txn *t, nwr_ino ino)
{
    struct nwr_key key = nwr_key_reg(ino, NWR_REG_ATTR);
    const struct nwr_record *rec = nwr_txn_peek(t, &key);

    return nwr_txn_has_object(t, ino) && (!rec || nwr_record_live(rec) == 0);
}

static bool leads_to(const struct nwr_record *rec, nwr_ino ino)
{
    for (uint32_t i = 0; i < rec->n; i++)
        if (rec->v[i].ref == ino)
            return true;
    return false;
}

void nwr_slots_remember(struct nwr_txn *t, const struct nwr_shown *x, nwr_ino parent, nwr_ino ino,
                        bool again)
{
    struct nwr_key key = nwr_key_beside(parent, x->base, x->base_len, ino);
    const struct nwr_record *rec = nwr_txn_peek(t, &key);
    struct nwr_write *w;

    if (rec && leads_to(rec, ino) && !again)
        return;
    w = nwr_txn_write(t, &key, NULL, NULL);
    w->v.flags |= NWR_V_HIDDEN;
    w->v.ref = ino;
}

/* Has no name, was last in this directory, and still has registers. */
static bool waits_in(const struct nwr_txn *t, nwr_ino dir, nwr_ino ino)
{
    struct nwr_versions s;
    bool waits;

    if (is_reaped(t, ino))
        return false;
    nwr_versions_read(&s, &t->rows, ino);
    waits = s.nlink == 0 && s.last && s.last->parent == dir;
    nwr_versions_deinit(&s);
    return waits;
}

/* What was removed from a directory goes before it: an edit of that would come back to nowhere. */
static uint32_t remembered(const struct nwr_txn *t, nwr_ino dir, nwr_ino *out, uint32_t max)
{
    struct nwr_key prefix = nwr_key_entries(dir);
    uint32_t found = 0;

    for (uint32_t i = nwr_rows_lower(&t->rows, &prefix);
         found < max && i < t->rows.n && nwr_key_has_prefix(&t->rows.row[i].key, &prefix); i++) {
        const struct nwr_record *rec = &t->rows.row[i].rec;
        struct nwr_key_parts p;

        if (!nwr_key_parse(&t->rows.row[i].key, &p) || !nwr_view_hidden(&p))
            continue;
        if (rec->n && rec->v[0].ref && waits_in(t, dir, rec->v[0].ref))
            out[found++] = rec->v[0].ref;
    }
    return found;
}

static nwr_hlc date_of(const struct nwr_record *rec)
{
    nwr_hlc hlc = 0;

    for (uint32_t i = 0; rec && i < rec->n; i++)
        if (!nwr_is_pending(rec->v[i].dot))
            hlc = NWR_MAX(hlc, rec->v[i].hlc);
    return hlc;
}

/* A slot that nobody wrote has the date of the mark that says so. What is beside a name and was
 * left out has a date too, but shows nothing that could be ordered by it. */
static nwr_hlc date_of_restored(const struct nwr_txn *t, const struct nwr_key *prefix)
{
    nwr_hlc hlc = 0;

    for (uint32_t i = nwr_rows_lower(&t->rows, prefix);
         i < t->rows.n && nwr_key_has_prefix(&t->rows.row[i].key, prefix); i++) {
        const struct nwr_record *rec = &t->rows.row[i].rec;

        for (uint32_t j = 0; j < rec->n; j++) {
            struct nwr_key marks = nwr_key_reg(rec->v[j].ref, NWR_REG_MARKS);

            hlc = NWR_MAX(hlc, date_of(nwr_txn_peek(t, &marks)));
        }
    }
    return hlc;
}

static nwr_hlc date_below(const struct nwr_txn *t, const struct nwr_key *prefix)
{
    nwr_hlc hlc = 0;

    for (uint32_t i = nwr_rows_lower(&t->rows, prefix);
         i < t->rows.n && nwr_key_has_prefix(&t->rows.row[i].key, prefix); i++)
        hlc = NWR_MAX(hlc, date_of(&t->rows.row[i].rec));
    return hlc;
}

nwr_hlc nwr_view_dated(const struct nwr_txn *t, const struct nwr_key *key)
{
    nwr_hlc hlc = date_of(nwr_txn_peek(t, key)), other = 0;
    struct nwr_key_parts p;
    struct nwr_key beside;

    if (!nwr_key_parse(key, &p))
        return hlc;
    if (p.kind == 'E' && !nwr_view_hidden(&p)) {
        beside = nwr_key_besides(p.ino, p.name, p.name_len);
        other = date_of_restored(t, &beside);
    } else if (p.kind == 'I' && p.reg == NWR_REG_LINK) {
        beside = nwr_key_reg(p.ino, NWR_REG_LINK);
        other = date_below(t, &beside);
    }
    return NWR_MAX(hlc, other);
}

static bool can_show(struct nwr_txn *t, nwr_ino root, const struct nwr_versions *s, bool *missing)
{
    struct nwr_attr a;
    nwr_ino waits;
    bool dir;

    if (nwr_versions_next(s, NULL, true))
        return true;
    if (!nwr_attr_merge(t, root, &a))
        return false;
    dir = a.type == NWR_TYPE_DIR;
    nwr_attr_deinit(&a);
    return dir && (nwr_slots_below(t, root, missing) || remembered(t, root, &waits, 1));
}

bool nwr_view_spent(struct nwr_txn *t, nwr_ino root, bool *spent)
{
    struct nwr_versions s;
    bool missing = false;

    nwr_versions_read(&s, &t->rows, root);
    *spent = s.nlink == 0 && !can_show(t, root, &s, &missing);
    nwr_versions_deinit(&s);
    return !missing;
}

uint32_t nwr_view_waiting(struct nwr_txn *t, nwr_ino dir, nwr_ino *ino, uint32_t max)
{
    struct nwr_versions s;
    bool missing = false, named;

    nwr_versions_read(&s, &t->rows, dir);
    named = s.nlink > 0;
    nwr_versions_deinit(&s);
    if (named || nwr_slots_below(t, dir, &missing) || missing)
        return 0;
    return remembered(t, dir, ino, max);
}

static bool forget_at(struct nwr_txn *t, nwr_ino root, nwr_ino parent, const char *name, size_t len)
{
    struct nwr_key key = nwr_key_beside(parent, name, len, root);
    const struct nwr_record *rec = nwr_txn_record(t, &key);

    for (uint32_t i = 0; rec && i < rec->n; i++) {
        struct nwr_write *w = nwr_txn_write(t, &key, NULL, NULL);

        w->discard = true;
        nwr_txn_seen(t, w, &rec->v[i]);
    }
    return rec;
}

void nwr_view_left(struct nwr_txn *t, const struct nwr_shown *x)
{
    if (x->type == NWR_TYPE_DIR)
        nwr_slots_remember(t, x, x->parent, x->root, false);
}

bool nwr_view_forget(struct nwr_txn *t, nwr_ino root)
{
    struct nwr_versions s;
    bool whole = true;

    nwr_versions_read(&s, &t->rows, root);
    for (uint32_t i = 0; i < s.marks.n; i++)
        if (s.marks.e[i].kind == NWR_MARK_GONE)
            whole &= forget_at(t, root, s.marks.e[i].parent, s.marks.e[i].name, s.marks.e[i].len);
    nwr_versions_deinit(&s);
    return whole;
}

static bool is_on_its_way(const struct nwr_version *v)
{
    return v->flags & NWR_V_MARK && v->ref;
}

bool nwr_view_settle(struct nwr_txn *t, nwr_ino dir)
{
    struct nwr_marks list = {0};
    struct nwr_place p;
    struct nwr_key key, mkey;
    struct nwr_guard *g;
    struct nwr_write *w;

    if (!nwr_place_settle(t, dir, &p))
        return false;
    if (!p.wid)
        return true;
    key = nwr_key_link(dir, p.parent, p.name, p.len);
    nwr_marks_add(&list, NWR_MARK_SETTLED)->wid = p.wid;
    mkey = nwr_key_reg(dir, NWR_REG_MARKS);
    w = nwr_txn_write(t, &mkey, nwr_txn_peek(t, &mkey), is_on_its_way);
    w->v.flags |= NWR_V_MARK;
    w->v.body = nwr_marks_encode(&list);
    nwr_marks_deinit(&list);
    g = nwr_txn_guard(t, NWR_GUARD_SEEN, &key);
    nwr_guard_seen(g, p.dot, p.wid);
    return forget_at(t, dir, p.came.back, (const char *)p.came.back_name, p.came.back_len);
}

/* A slot that shows nothing, because its inode went before this replica had heard of the slot. */
static bool sweep_one(struct nwr_txn *t, nwr_ino dir, const struct nwr_row *row,
                      const struct nwr_key_parts *p)
{
    struct nwr_shown_list list = {0};
    bool whole = nwr_view_names(t, dir, p->name, p->name_len, &list);
    struct nwr_write *w;

    if (whole && list.n == 0 && nwr_record_live(&row->rec)) {
        w = nwr_txn_write(t, &row->key, &row->rec, NULL);
        w->v.flags |= NWR_V_TOMBSTONE;
    }
    nwr_shown_list_deinit(&list);
    return whole;
}

bool nwr_view_sweep(struct nwr_txn *t, nwr_ino dir)
{
    struct nwr_key prefix = nwr_key_entries(dir);
    bool whole = true;

    if (!nwr_txn_children(t, dir))
        return false;
    for (uint32_t i = nwr_rows_lower(&t->rows, &prefix);
         i < t->rows.n && nwr_key_has_prefix(&t->rows.row[i].key, &prefix); i++) {
        struct nwr_key_parts p;

        if (nwr_key_parse(&t->rows.row[i].key, &p) && !nwr_view_hidden(&p))
            whole &= sweep_one(t, dir, &t->rows.row[i], &p);
    }
    return whole;
}
