/* view_change.c -- how names change: slots, marks and copies that an operation stages; see view.h.
 *
 * The functions follow the model (tests/model/conflict_model.py): take is its detach, unslot and
 * cover have its names. One record is written once an operation, so what is staged for an entry
 * turns from a tombstone into a void or a slot as the operation goes on.
 */
#include "fs/core/place.h"
#include "fs/core/view_slots.h"

/* ---- entries ------------------------------------------------------------------------------- */

static bool is_tombstone(const struct nwr_version *v)
{
    return v->flags & NWR_V_TOMBSTONE;
}

static bool is_gone(const struct nwr_version *v)
{
    return v->flags & (NWR_V_TOMBSTONE | NWR_V_HIDDEN);
}

static bool is_none(const struct nwr_version *v)
{
    (void)v;
    return false;
}

static bool names_ino(const struct nwr_version *v, nwr_ino ino)
{
    struct nwr_slot s;
    bool yes;

    if (is_gone(v) || nwr_slot_decode(&s, v) != NWR_OK)
        return false;
    yes = !s.is_void && s.ino == ino;
    nwr_slot_deinit(&s);
    return yes;
}

static void set_body(struct nwr_write *w, struct nwr_blob *body)
{
    nwr_blob_unref(w->v.body);
    w->v.body = body;
}

static bool is_slot(const struct nwr_write *w)
{
    return !(w->v.flags & (NWR_V_TOMBSTONE | NWR_V_HIDDEN)) && w->v.body;
}

/* The slots of an inode under one name go, and the link. */
static void unslot(struct nwr_txn *t, nwr_ino parent, const char *base, size_t len, nwr_ino ino)
{
    struct nwr_key entry = nwr_key_entry(parent, base, len);
    struct nwr_key link = nwr_key_link(ino, parent, base, len);
    const struct nwr_record *rec = nwr_txn_peek(t, &entry), *lrec = nwr_txn_peek(t, &link);
    struct nwr_write *w;
    bool any = false;

    for (uint32_t i = 0; rec && i < rec->n; i++) {
        if (!names_ino(&rec->v[i], ino))
            continue;
        w = nwr_txn_write(t, &entry, rec, any ? is_none : is_tombstone);
        nwr_txn_seen(t, w, &rec->v[i]);
        if (!any && !is_slot(w) && !(w->v.flags & NWR_V_HIDDEN))
            w->v.flags |= NWR_V_TOMBSTONE;
        any = true;
    }
    if (lrec && nwr_record_live(lrec))
        nwr_txn_write(t, &link, lrec, NULL)->v.flags |= NWR_V_TOMBSTONE;
}

/* A directory that was there before; a new one is in one place only, whatever happens. */
static bool is_old(const struct nwr_txn *t, nwr_ino ino)
{
    struct nwr_key key = nwr_key_reg(ino, NWR_REG_ATTR);
    const struct nwr_record *rec = nwr_txn_peek(t, &key);

    return rec && rec->n > 0;
}

/* A link that is written again says what it said before. */
static void keep_came(const struct nwr_txn *t, struct nwr_write *w, const struct nwr_key_parts *p)
{
    struct nwr_came c = nwr_came_of(t, p->ino, p->parent, p->name, p->name_len);

    if (!w->v.body && c.parent)
        w->v.body = nwr_came_encode(&c);
}

static bool attach(struct nwr_txn *t, nwr_ino dir, const char *name, size_t len, nwr_ino ino,
                   uint8_t type, bool bare)
{
    struct nwr_key entry = nwr_key_entry(dir, name, len);
    struct nwr_key link = nwr_key_link(ino, dir, name, len);
    struct nwr_key_parts parts = {.ino = ino, .parent = dir, .name = name, .name_len = len};
    struct nwr_slot s = {.bare = bare, .type = type, .ino = ino};
    const struct nwr_record *rec = NULL;
    struct nwr_write *w;

    if (nwr_txn_knows(t, &entry))
        rec = nwr_txn_peek(t, &entry);
    else if (!(rec = nwr_txn_entry(t, dir, name, len)))
        return false;
    if (!nwr_txn_object(t, ino))
        return false;
    nwr_slots_guard(t, ino);
    w = nwr_txn_write(t, &link, nwr_txn_peek(t, &link), NULL);
    w->v.flags &= (uint8_t)~NWR_V_TOMBSTONE;
    if (type == NWR_TYPE_DIR) {
        w->v.ref = ino;
        keep_came(t, w, &parts);
    }
    s.moved = type == NWR_TYPE_DIR && is_old(t, ino);
    w = nwr_txn_write(t, &entry, rec, bare ? is_gone : is_tombstone);
    w->v.flags &= (uint8_t) ~(NWR_V_TOMBSTONE | NWR_V_HIDDEN);
    set_body(w, nwr_slot_encode(&s));
    w->v.ref = ino;
    return true;
}

bool nwr_view_attach(struct nwr_txn *t, nwr_ino dir, const char *name, size_t len, nwr_ino ino,
                     nwr_ino root, uint8_t type)
{
    (void)ino; /* a sibling that moves has become an inode of its own before */
    return attach(t, dir, name, len, root, type, true);
}

static void add_wid(struct nwr_slot *s, uint32_t *cap, nwr_wid wid)
{
    for (uint32_t i = 0; i < s->nmask; i++)
        if (s->mask[i] == wid)
            return;
    s->mask = nwr_grow(s->mask, cap, s->nmask + 1, sizeof(*s->mask));
    s->mask[s->nmask++] = wid;
}

/* When the head went and others are left: a void masks them all. `again`: what is left of the
 * inode that went shows here again. */
static void cover(struct nwr_txn *t, const struct nwr_shown *x, const struct nwr_slots *slots,
                  bool again)
{
    struct nwr_key entry = nwr_key_entry(x->parent, x->base, x->base_len);
    const struct nwr_record *rec = nwr_txn_peek(t, &entry);
    struct nwr_slot v = {.is_void = true};
    struct nwr_write *w;
    uint32_t cap = 0;

    if (x->number)
        return;
    for (uint32_t i = 0; i < slots->n; i++) {
        bool went = false;

        for (uint32_t d = 0; d < x->dirs.n; d++)
            went |= slots->e[i].ino == x->dirs.ino[d];
        if (!went && slots->e[i].ino != x->root)
            add_wid(&v, &cap, slots->e[i].seen.wid);
    }
    if (again)
        add_wid(&v, &cap, nwr_hash64(&x->root, sizeof(x->root), 'r'));
    for (uint32_t i = 0; v.nmask && rec && i < rec->n; i++)
        if (!is_gone(&rec->v[i]) && !names_ino(&rec->v[i], x->root))
            add_wid(&v, &cap, rec->v[i].wid);
    if (v.nmask) {
        w = nwr_txn_write(t, &entry, NULL, NULL);
        if (!is_slot(w)) {
            w->v.flags &= (uint8_t)~NWR_V_TOMBSTONE;
            w->v.flags |= NWR_V_HIDDEN;
            set_body(w, nwr_slot_encode(&v));
        }
    }
    nwr_slot_deinit(&v);
}

/* ---- marks --------------------------------------------------------------------------------- */

/* Adds to the one version of the marks that this operation writes. Takes the list. */
static void stage_marks(struct nwr_txn *t, nwr_ino ino, struct nwr_marks *list)
{
    struct nwr_key key = nwr_key_reg(ino, NWR_REG_MARKS);
    struct nwr_marks all = {0};
    struct nwr_write *w;

    if (list->n) {
        w = nwr_txn_write(t, &key, NULL, NULL);
        w->v.flags |= NWR_V_MARK;
        nwr_marks_decode(&all, &w->v);
        for (uint32_t i = 0; i < list->n; i++) {
            *nwr_marks_add(&all, list->e[i].kind) = list->e[i];
            list->e[i].left = NULL;
        }
        set_body(w, nwr_marks_encode(&all));
    }
    nwr_marks_deinit(&all);
    nwr_marks_deinit(list);
}

void nwr_view_bury(struct nwr_txn *t, nwr_ino dir)
{
    struct nwr_key marks = nwr_key_reg(dir, NWR_REG_MARKS), entries = nwr_key_entries(dir);
    struct nwr_write *w = nwr_txn_write(t, &marks, NULL, NULL);
    struct nwr_marks none = {0};

    w->v.flags |= NWR_V_HIDDEN | NWR_V_MARK;
    if (!w->v.body)
        w->v.body = nwr_marks_encode(&none);
    nwr_txn_guard(t, t->looks_inside ? NWR_GUARD_EMPTY : NWR_GUARD_BARE, &entries);
}

static bool is_burial(const struct nwr_version *v)
{
    return v->flags & NWR_V_HIDDEN;
}

/* What else the marks of its burial say stays. */
static void unbury(struct nwr_txn *t, nwr_ino dir, const struct nwr_record *rec)
{
    struct nwr_key key = nwr_key_reg(dir, NWR_REG_MARKS);
    struct nwr_write *w = nwr_txn_write(t, &key, rec, is_burial);
    struct nwr_marks list = {0};

    w->v.flags |= NWR_V_MARK;
    set_body(w, nwr_marks_encode(&list));
    for (uint32_t i = 0; i < rec->n; i++)
        if (is_burial(&rec->v[i]))
            nwr_marks_decode(&list, &rec->v[i]);
    stage_marks(t, dir, &list);
}

bool nwr_view_enter(struct nwr_txn *t, nwr_ino dir)
{
    struct nwr_key key = nwr_key_reg(dir, NWR_REG_MARKS);
    struct nwr_shown x = {.ino = dir, .root = dir, .type = NWR_TYPE_DIR};
    const struct nwr_record *rec = nwr_txn_peek(t, &key);
    struct nwr_guard *g = nwr_txn_guard(t, NWR_GUARD_ALIVE, &key);
    bool dead = false;

    if (t->dead && !nwr_txn_object(t, dir))
        return false;
    for (uint32_t i = 0; rec && i < rec->n; i++)
        dead |= is_burial(&rec->v[i]);
    if (!dead)
        return true;
    if (!nwr_view_place(t, &x))
        return false;
    if (!x.parent)
        return true; /* nowhere: the guard will say so */
    for (uint32_t i = 0; i < rec->n; i++)
        if (is_burial(&rec->v[i]))
            nwr_guard_seen(g, rec->v[i].dot, rec->v[i].wid);
    unbury(t, dir, rec);
    nwr_slots_hold(t, dir); /* its reaper may be at work: it has seen nothing of this */
    return x.skipped || attach(t, x.parent, x.base, x.base_len, dir, NWR_TYPE_DIR, x.number == 0);
}

/* A removed version ends its line, unless it is the first of it: what the number showed before
 * is then an ancestor of all that it can still show. */
static void end_line(struct nwr_marks *list, nwr_wid stored, nwr_wid wid)
{
    if (stored != wid)
        nwr_marks_add(list, NWR_MARK_ENDED)->wid = stored;
}

static struct nwr_write *staged(const struct nwr_txn *t, const struct nwr_key *key)
{
    for (uint32_t i = 0; t->staged && i < t->staged->nwrite; i++)
        if (nwr_key_cmp(&t->staged->write[i].key, key) == 0)
            return &t->staged->write[i];
    return NULL;
}

/* An earlier step of this operation has dropped the version. */
static bool is_dropped(const struct nwr_txn *t, nwr_ino ino, nwr_wid wid)
{
    struct nwr_key key = nwr_key_reg(ino, NWR_REG_CONTENT);
    const struct nwr_write *w = staged(t, &key);

    for (uint32_t i = 0; w && i < w->nseen; i++)
        if (w->seen[i].wid == wid)
            return true;
    return false;
}

/* Where a removed directory had come from. */
static void set_back(struct nwr_mark *m, const struct nwr_came *back)
{
    if (!back || !back->back)
        return;
    m->back = back->back;
    m->back_len = (uint8_t)back->back_len;
    if (back->back_len)
        memcpy(m->back_name, back->back_name, back->back_len);
}

static void add_gone(struct nwr_marks *list, const struct nwr_shown *x, nwr_ino parent,
                     const struct nwr_versions *s, nwr_wid wid, bool bare,
                     const struct nwr_came *back)
{
    struct nwr_mark *m = nwr_marks_add(list, NWR_MARK_GONE);
    uint64_t own = nwr_name_hash(parent, x->base, x->base_len);

    m->wid = wid;
    m->type = x->type;
    m->bare = bare;
    m->parent = parent;
    m->len = (uint8_t)x->base_len;
    memcpy(m->name, x->base, x->base_len);
    set_back(m, back);
    if (s->nlink)
        m->left = nwr_alloc(s->nlink * sizeof(*m->left));
    for (uint32_t i = 0; i < s->nlink; i++)
        if (s->link[i] != own)
            m->left[m->nleft++] = s->link[i];
}

/* ---- taking a version off a name ----------------------------------------------------------- */

static void drop_version(struct nwr_txn *t, const struct nwr_shown *x, const struct nwr_versions *s,
                         uint32_t at)
{
    struct nwr_key key = nwr_key_reg(x->root, NWR_REG_CONTENT);
    const struct nwr_record *rec = nwr_txn_peek(t, &key);
    struct nwr_write *w = nwr_txn_write(t, &key, NULL, NULL);
    struct nwr_marks list = {0};

    w->discard = true;
    for (uint32_t i = 0; i < s->n; i++) {
        if (s->e[i].same != at)
            continue;
        for (uint32_t j = 0; rec && j < rec->n; j++)
            if (rec->v[j].wid == s->e[i].v->wid)
                nwr_txn_seen(t, w, &rec->v[j]);
        end_line(&list, s->e[i].stored, s->e[i].v->wid);
    }
    stage_marks(t, x->root, &list);
}

static bool has_wid(const nwr_wid *wid, uint32_t n, nwr_wid one)
{
    for (uint32_t i = 0; i < n; i++)
        if (wid[i] == one)
            return true;
    return false;
}

/* The slot goes, and the inode remembers what its remover saw. True: what is left of the inode
 * shows here again. */
static bool drop_slot(struct nwr_txn *t, const struct nwr_shown *x, const struct nwr_versions *s,
                      uint32_t at)
{
    nwr_wid *stay = nwr_alloc((s->n + 1) * sizeof(*stay));
    struct nwr_marks list = {0};
    uint32_t nstay = 0, nleft;
    bool bare;

    for (uint32_t i = 0; i < s->n; i++)
        if (s->e[i].same != at && !(x->restored && s->e[i].removed) &&
            !is_dropped(t, x->root, s->e[i].v->wid))
            stay[nstay++] = s->e[i].v->wid;
    bare = x->number == 0 && nstay == 0;
    for (uint32_t i = 0; i < s->marks.n; i++)
        if (s->marks.e[i].kind == NWR_MARK_GONE && has_wid(stay, nstay, s->marks.e[i].wid))
            nwr_marks_add(&list, NWR_MARK_MOOT)->id = s->marks.e[i].id;
    for (uint32_t i = 0; i < s->n; i++)
        if (s->e[i].same == at)
            add_gone(&list, x, x->parent, s, s->e[i].v->wid, bare, NULL);
    if (s->n == 0)
        add_gone(&list, x, x->parent, s, 0, bare, NULL);
    nleft = list.e[list.n - 1].nleft;
    stage_marks(t, x->root, &list);
    nwr_slots_remember(t, x, x->parent, x->root, false);
    unslot(t, x->parent, x->base, x->base_len, x->root);
    nwr_free(stay);
    return nstay && nleft == 0;
}

/* Index of the version x shows; s->n if it has none. */
static uint32_t index_of(const struct nwr_shown *x, const struct nwr_versions *s)
{
    const struct nwr_one *one = nwr_versions_find(s, x->version.wid);

    return one ? (uint32_t)(one - s->e) : s->n;
}

/* Removes what x shows. A sibling: the version, at every link. */
static bool take(struct nwr_txn *t, const struct nwr_shown *x, const struct nwr_versions *s)
{
    if (x->top)
        return drop_slot(t, x, s, index_of(x, s));
    drop_version(t, x, s, index_of(x, s));
    return false;
}

static void drop_dirs(struct nwr_txn *t, const struct nwr_shown *x, const struct nwr_slots *slots,
                      bool gone)
{
    for (uint32_t i = 0; i < slots->n; i++) {
        const struct nwr_slot_seen *e = &slots->e[i];
        struct nwr_marks list = {0};
        struct nwr_versions s;
        bool mine = false;

        for (uint32_t d = 0; d < x->dirs.n; d++)
            mine |= e->ino == x->dirs.ino[d];
        if (!mine)
            continue;
        nwr_versions_read(&s, &t->rows, e->ino);
        if (gone) {
            struct nwr_came c = nwr_came_of(t, e->ino, e->parent, x->base, x->base_len);

            add_gone(&list, x, e->parent, &s, 0, x->number == 0, &c);
            stage_marks(t, e->ino, &list);
            nwr_slots_remember(t, x, e->parent, e->ino, false);
        }
        nwr_versions_deinit(&s);
        unslot(t, e->parent, x->base, x->base_len, e->ino);
    }
}

static bool is_own(const struct nwr_shown *x, const struct nwr_key_parts *p)
{
    bool in = p->parent == x->parent;

    for (uint32_t i = 0; i < x->within.n; i++)
        in |= p->parent == x->within.ino[i];
    return in && p->name_len == x->base_len && memcmp(p->name, x->base, x->base_len) == 0;
}

/* The symbolic links that stand for a directory go with it: the next of them would be its place. */
static bool drop_links(struct nwr_txn *t, const struct nwr_shown *x, nwr_ino dir)
{
    struct nwr_key prefix = nwr_key_reg(dir, NWR_REG_LINK);
    bool whole = true;

    for (uint32_t i = nwr_rows_lower(&t->rows, &prefix);
         i < t->rows.n && nwr_key_has_prefix(&t->rows.row[i].key, &prefix); i++) {
        struct nwr_key_parts p;
        struct nwr_key entry;

        if (!nwr_record_live(&t->rows.row[i].rec) || !nwr_key_parse(&t->rows.row[i].key, &p) ||
            is_own(x, &p))
            continue;
        entry = nwr_key_entry(p.parent, p.name, p.name_len);
        if (nwr_txn_knows(t, &entry) || nwr_txn_entry(t, p.parent, p.name, p.name_len))
            unslot(t, p.parent, p.name, p.name_len, dir);
        else
            whole = false;
    }
    return whole;
}

/* ---- copies -------------------------------------------------------------------------------- */

static bool is_used(const struct nwr_txn *t, nwr_ino ino)
{
    struct nwr_key key = nwr_key_object(ino);
    uint32_t i = nwr_rows_lower(&t->rows, &key);

    return i < t->rows.n && nwr_key_has_prefix(&t->rows.row[i].key, &key);
}

static struct nwr_write *derived(struct nwr_txn *t, const struct nwr_key *key)
{
    struct nwr_write *w = nwr_txn_write(t, key, NULL, NULL);

    w->v.flags &= (uint8_t)~NWR_V_ONCE;
    w->v.wid = nwr_hash64(key->b, key->len, 'c');
    return w;
}

static const struct nwr_version *latest(const struct nwr_record *rec)
{
    const struct nwr_version *best = NULL;

    for (uint32_t i = 0; i < rec->n; i++)
        if (!best || rec->v[i].hlc > best->hlc ||
            (rec->v[i].hlc == best->hlc && nwr_dot_cmp(rec->v[i].dot, best->dot) > 0))
            best = &rec->v[i];
    return best && !is_tombstone(best) ? best : NULL;
}

static void copy_xattrs(struct nwr_txn *t, nwr_ino from, nwr_ino to)
{
    struct nwr_key prefix = nwr_key_reg(from, NWR_REG_XATTR);
    uint32_t i = nwr_rows_lower(&t->rows, &prefix);

    for (; i < t->rows.n && nwr_key_has_prefix(&t->rows.row[i].key, &prefix); i++) {
        const struct nwr_version *v = latest(&t->rows.row[i].rec);
        struct nwr_key_parts p;
        struct nwr_key key;

        if (!v || !nwr_key_parse(&t->rows.row[i].key, &p))
            continue;
        key = nwr_key_xattr(to, p.name, p.name_len);
        derived(t, &key)->v.body = nwr_blob_ref(v->body);
    }
}

static void copy_attr(struct nwr_txn *t, const struct nwr_shown *x, nwr_ino to, nwr_wid content)
{
    struct nwr_key key = nwr_key_reg(to, NWR_REG_ATTR);
    struct nwr_attr a;

    if (!nwr_attr_merge(t, x->root, &a))
        return;
    if (a.mtime_of == x->version.wid)
        a.mtime_of = content;
    derived(t, &key)->v.body = nwr_attr_encode(&a);
    nwr_attr_deinit(&a);
}

static nwr_wid copy_content(struct nwr_txn *t, const struct nwr_version *v, nwr_ino to)
{
    struct nwr_key key = nwr_key_reg(to, NWR_REG_CONTENT);
    struct nwr_write *w = derived(t, &key);
    struct nwr_content c;

    if (nwr_content_decode(&c, v) == NWR_OK) {
        c.line = (struct nwr_line){0};
        c.unlinked = false;
        w->v.body = nwr_content_encode(&c);
        nwr_content_deinit(&c);
    }
    if (v->nblocks)
        w->v.blocks = nwr_memdup(v->blocks, v->nblocks * sizeof(*v->blocks));
    w->v.nblocks = v->nblocks;
    return w->v.wid;
}

/* The version x shows, alone in an inode of its own. Its number and its write_ids derive from
 * the version, so that two sides that do the same get the same; a number that was used for such a
 * copy before is not used again. False: something is missing. */
static bool copy(struct nwr_txn *t, const struct nwr_shown *x, const struct nwr_versions *s,
                 nwr_ino *ino)
{
    uint32_t at = index_of(x, s);

    *ino = nwr_ino_fork(x->root, x->version.wid);
    if (!nwr_txn_object(t, *ino))
        return false;
    if (is_used(t, *ino)) {
        *ino = nwr_txn_ino(t, nwr_ino_pg(x->root));
        if (*ino == 0)
            return false;
    }
    nwr_txn_born(t, *ino);
    if (at < s->n)
        copy_attr(t, x, *ino, copy_content(t, s->e[at].v, *ino));
    copy_xattrs(t, x->root, *ino);
    return true;
}

/* ---- operations ---------------------------------------------------------------------------- */

static struct nwr_slot_seen *slot_of(struct nwr_slots *slots, const struct nwr_shown *x)
{
    for (uint32_t i = 0; i < slots->n; i++)
        if (slots->e[i].ino == x->root && slots->e[i].parent == x->parent)
            return &slots->e[i];
    return NULL;
}

/* Nothing else is behind the slot that x shows. */
static bool is_alone(const struct nwr_shown *x, const struct nwr_versions *s)
{
    const struct nwr_one *first = nwr_versions_next(s, NULL, false);

    return x->top && !x->restored && (!first || !nwr_versions_next(s, first, false));
}

/* The symbolic link goes that stands for a directory whose move was not made: from now on it is
 * where it was by a link of its own. */
static bool stay(struct nwr_txn *t, nwr_ino dir)
{
    struct nwr_place p;

    if (!nwr_place_find(t, dir, &p))
        return false;
    return p.wid || !p.parent || attach(t, p.parent, p.name, p.len, dir, NWR_TYPE_DIR, true);
}

static bool detach(struct nwr_txn *t, const struct nwr_shown *x, struct nwr_slots *slots, bool gone,
                   nwr_ino *ino)
{
    struct nwr_slot_seen *e = slot_of(slots, x);
    bool again = false;

    *ino = x->root;
    if (!e)
        return true; /* somebody else took it meanwhile */
    if (x->type == NWR_TYPE_DIR) {
        drop_dirs(t, x, slots, gone);
    } else if (x->elsewhere && !stay(t, x->root)) {
        return false;
    } else if (x->type != NWR_TYPE_REG || (!gone && is_alone(x, &e->versions))) {
        unslot(t, x->parent, x->base, x->base_len, x->root);
    } else {
        if (!gone && !copy(t, x, &e->versions, ino))
            return false;
        again = take(t, x, &e->versions);
    }
    cover(t, x, slots, again);
    return true;
}

bool nwr_view_detach(struct nwr_txn *t, const struct nwr_shown *x, bool gone, nwr_ino *ino,
                     nwr_ino *root)
{
    struct nwr_slots slots;
    nwr_ino left;
    bool done;

    for (uint32_t i = 0; i < x->dirs.n; i++)
        if (!nwr_txn_object(t, x->dirs.ino[i]) || (gone && !drop_links(t, x, x->dirs.ino[i])))
            return false;
    if (!nwr_txn_object(t, x->root) || !nwr_slots_read(t, &x->within, x->base, x->base_len, &slots))
        return false;
    done = detach(t, x, &slots, gone, &left);
    nwr_slots_deinit(&slots);
    if (ino)
        *ino = left;
    if (root)
        *root = left;
    return done;
}

bool nwr_view_alone(struct nwr_txn *t, const struct nwr_shown *x)
{
    struct nwr_shown_list list = {0};
    bool whole = true;

    if (x->twins)
        whole = nwr_view_all(t, &x->within, x->base, x->base_len, &list);
    for (uint32_t i = 0; whole && i < list.n; i++) {
        const struct nwr_shown *y = list.e[i].behind ? &list.e[list.e[i].behind - 1] : NULL;

        if (y && y->root == x->root && y->version.wid == x->version.wid)
            whole = nwr_view_detach(t, &list.e[i], true, NULL, NULL);
    }
    nwr_shown_list_deinit(&list);
    return whole;
}

bool nwr_view_link(struct nwr_txn *t, const struct nwr_shown *node, nwr_ino *ino, nwr_ino *root)
{
    struct nwr_shown x = *node;
    struct nwr_slots slots;
    struct nwr_slot_seen *e;
    bool done = true;

    *ino = *root = x.root;
    if (x.top && !x.restored)
        return true;
    if (x.base_len == 0 && !nwr_view_place(t, &x))
        return false;
    if (x.base_len == 0)
        return true;
    if (!nwr_txn_object(t, x.root) || !nwr_slots_read(t, &x.within, x.base, x.base_len, &slots))
        return false;
    e = slot_of(&slots, &x);
    if (e && x.type == NWR_TYPE_REG) {
        done = copy(t, &x, &e->versions, ino);
        if (done) {
            take(t, &x, &e->versions);
            done = attach(t, x.parent, x.base, x.base_len, *ino, x.type, x.number == 0);
        }
        *root = *ino;
    }
    nwr_slots_deinit(&slots);
    return done;
}

/* ---- content ------------------------------------------------------------------------------- */

/* A file of at most one block that was pushed whole. */
static uint64_t sum_of(const struct nwr_push *push)
{
    const struct nwr_map *map = &push->map;

    if (map->size == 0)
        return nwr_hash64("", 0, 1);
    if (map->depth || map->n != 1 || map->item[0].off || map->item[0].block_off ||
        map->item[0].len != map->size)
        return 0;
    for (uint32_t i = 0; i < push->nblock; i++) {
        const struct nwr_block *b = &push->block[i];
        const struct nwr_block_id *id = &map->item[0].block;

        if (b->id.ino == id->ino && b->id.wid == id->wid && b->id.number == id->number &&
            b->data->len == map->size)
            return nwr_hash64(b->data->data, b->data->len, 1);
    }
    return 0;
}

void nwr_view_write(struct nwr_txn *t, const struct nwr_node *node, nwr_wid wid,
                    const struct nwr_push *push, nwr_ns mtime)
{
    struct nwr_key key = nwr_key_reg(node->root, NWR_REG_CONTENT);
    struct nwr_content c = {.mtime = mtime, .map = push->map, .unlinked = node->unlinked};
    struct nwr_write *w = nwr_txn_write(t, &key, NULL, NULL);
    struct nwr_marks list = {0};

    if (node->number)
        c.line = node->line.line;
    t->dated = NWR_MAX(t->dated, NWR_MAX(node->version_hlc, node->line.line.hlc));
    c.sum = sum_of(push);
    w->v.wid = wid;
    set_body(w, nwr_content_encode(&c));
    if (push->nroot) {
        w->v.blocks = nwr_memdup(push->root, push->nroot * sizeof(*push->root));
        w->v.nblocks = push->nroot;
    }
    if (node->version.dot.counter && !nwr_is_pending(node->version.dot)) {
        nwr_txn_seen(t, w,
                     &(struct nwr_version){.dot = node->version.dot, .wid = node->version.wid});
        for (uint32_t i = 0; i < node->line.nsame; i++)
            nwr_write_seen(w, (struct nwr_dot){0}, node->line.same[i]);
        if (node->line.stored && node->line.stored != c.line.wid)
            end_line(&list, node->line.stored, node->version.wid);
    }
    for (uint32_t i = 0; i < node->nunsure; i++)
        nwr_write_retire(w, node->unsure[i]);
    stage_marks(t, node->root, &list);
}

void nwr_view_wrote(struct nwr_node *node, nwr_wid wid, struct nwr_dot dot, nwr_hlc hlc, uint64_t k)
{
    nwr_node_base(node, (struct nwr_seen){dot, wid}, hlc);
    if (node->number == 0 || node->line.line.wid == 0)
        node->line.line = (struct nwr_line){wid, dot, hlc, k};
    node->line.stored = node->line.line.wid;
    node->line.nsame = 0;
}
