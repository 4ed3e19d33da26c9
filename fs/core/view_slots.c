/* view_slots.c -- see view_slots.h. */
#include "fs/core/view_slots.h"

#include "fs/core/place.h"

/* ---- what is beside a name ------------------------------------------------------------------ */

bool nwr_view_hidden(const struct nwr_key_parts *entry)
{
    return entry->name_len && memchr(entry->name, 0, entry->name_len);
}

bool nwr_view_begins(const struct nwr_rows *rows, uint32_t i, struct nwr_key_parts *name,
                     struct nwr_key *entry)
{
    struct nwr_key besides;

    if (!nwr_key_parse(&rows->row[i].key, name))
        return false;
    *entry = rows->row[i].key;
    if (!nwr_view_hidden(name))
        return true;
    name->name_len = (uint16_t)strlen(name->name);
    *entry = nwr_key_entry(name->ino, name->name, name->name_len);
    besides = nwr_key_besides(name->ino, name->name, name->name_len);
    return i == 0 || (nwr_key_cmp(&rows->row[i - 1].key, entry) != 0 &&
                      !nwr_key_has_prefix(&rows->row[i - 1].key, &besides));
}

/* ---- collecting ---------------------------------------------------------------------------- */

void nwr_slots_deinit(struct nwr_slots *s)
{
    for (uint32_t i = 0; i < s->n; i++)
        nwr_versions_deinit(&s->e[i].versions);
    nwr_free(s->e);
    nwr_free(s->mask);
    *s = (struct nwr_slots){0};
}

static bool masked(const struct nwr_slots *s, nwr_wid wid)
{
    for (uint32_t i = 0; i < s->nmask; i++)
        if (s->mask[i] == wid)
            return true;
    return false;
}

static void add_mask(struct nwr_slots *s, const struct nwr_slot *v)
{
    s->mask = nwr_grow(s->mask, &s->capmask, s->nmask + v->nmask, sizeof(*s->mask));
    if (v->nmask)
        memcpy(s->mask + s->nmask, v->mask, v->nmask * sizeof(*s->mask));
    s->nmask += v->nmask;
}

static struct nwr_slot_seen *find_ino(struct nwr_slots *s, nwr_ino ino, nwr_ino parent)
{
    for (uint32_t i = 0; i < s->n; i++)
        if (s->e[i].ino == ino && s->e[i].parent == parent)
            return &s->e[i];
    return NULL;
}

static void add(struct nwr_slots *s, const struct nwr_slot_seen *one)
{
    struct nwr_slot_seen *old = find_ino(s, one->ino, one->parent);

    if (!old) {
        s->e = nwr_grow(s->e, &s->cap, s->n + 1, sizeof(*s->e));
        s->e[s->n++] = *one;
    } else if (one->hlc > old->hlc ||
               (one->hlc == old->hlc && nwr_dot_cmp(one->dot, old->dot) > 0)) {
        *old = *one;
    }
}

static void collect_masks(struct nwr_slots *s, const struct nwr_record *rec)
{
    for (uint32_t i = 0; i < rec->n; i++) {
        struct nwr_slot v;

        if (!(rec->v[i].flags & NWR_V_HIDDEN) || nwr_slot_decode(&v, &rec->v[i]) != NWR_OK)
            continue;
        add_mask(s, &v);
        nwr_slot_deinit(&v);
    }
}

static void collect_slots(struct nwr_slots *s, const struct nwr_record *rec, nwr_ino parent)
{
    for (uint32_t i = 0; i < rec->n; i++) {
        const struct nwr_version *v = &rec->v[i];
        struct nwr_slot_seen one;
        struct nwr_slot slot;

        if (v->flags & (NWR_V_HIDDEN | NWR_V_TOMBSTONE) || nwr_slot_decode(&slot, v) != NWR_OK)
            continue;
        one = (struct nwr_slot_seen){.ino = slot.ino, .parent = parent, .type = slot.type};
        one.seen = (struct nwr_seen){v->dot, v->wid};
        one.dot = v->dot;
        one.hlc = v->hlc;
        one.k = v->k;
        one.bare = slot.bare;
        one.moved = slot.moved;
        if (!slot.is_void)
            add(s, &one);
        nwr_slot_deinit(&slot);
    }
}

static void collect_hidden(struct nwr_slots *s, const struct nwr_record *rec, nwr_ino parent)
{
    for (uint32_t i = 0; i < rec->n; i++) {
        struct nwr_slot_seen one = {.ino = rec->v[i].ref, .parent = parent, .restored = true};

        if (one.ino && !find_ino(s, one.ino, parent))
            add(s, &one);
    }
}

static void collect_beside(struct nwr_slots *s, const struct nwr_txn *t, nwr_ino parent,
                           const char *base, size_t len)
{
    struct nwr_key prefix = nwr_key_besides(parent, base, len);

    for (uint32_t i = nwr_rows_lower(&t->rows, &prefix);
         i < t->rows.n && nwr_key_has_prefix(&t->rows.row[i].key, &prefix); i++)
        collect_hidden(s, &t->rows.row[i].rec, parent);
}

static const struct nwr_record *known(struct nwr_txn *t, const struct nwr_key *key)
{
    static const struct nwr_record none;
    const struct nwr_record *rec;
    struct nwr_key_parts p;

    if (!nwr_txn_knows(t, key))
        return nwr_key_parse(key, &p) ? nwr_txn_entry(t, p.ino, p.name, p.name_len) : NULL;
    rec = nwr_txn_peek(t, key);
    return rec ? rec : &none;
}

/* ---- what is shown of them ----------------------------------------------------------------- */

bool nwr_slots_below(struct nwr_txn *t, nwr_ino dir, bool *missing)
{
    struct nwr_key prefix = nwr_key_entries(dir);
    struct nwr_shown_list list = {0};
    bool found = false, whole = true;

    if (nwr_left_nothing(t, dir))
        return false;
    if (nwr_left_under(t, dir, &found))
        return found;
    *missing |= t->wants_look;
    if (t->wants_look)
        return false;
    if (!(nwr_left_may(t) ? nwr_txn_children_if_few(t, dir) : nwr_txn_children(t, dir))) {
        *missing = true;
        return false;
    }
    if (t->below == NWR_PLACE_DEPTH)
        return false;
    t->below++;
    for (uint32_t i = nwr_rows_lower(&t->rows, &prefix);
         !found && i < t->rows.n && nwr_key_has_prefix(&t->rows.row[i].key, &prefix); i++) {
        struct nwr_key_parts p;
        struct nwr_key entry;

        if (!nwr_view_begins(&t->rows, i, &p, &entry))
            continue;
        whole &= nwr_view_names(t, dir, p.name, p.name_len, &list);
        found = list.n > 0;
    }
    t->below--;
    if (whole)
        nwr_left_looked(t, dir, found);
    *missing |= !whole;
    nwr_shown_list_deinit(&list);
    return found;
}

static bool is_dir(const struct nwr_txn *t, nwr_ino ino)
{
    struct nwr_attr a;
    bool dir = nwr_attr_merge(t, ino, &a) && a.type == NWR_TYPE_DIR;

    nwr_attr_deinit(&a);
    return dir;
}

/* A directory that has no slot here is here all the same: something unseen is below it, or the
 * move that took it away closes a loop. */
static bool restore_dir(struct nwr_txn *t, struct nwr_slot_seen *e, const char *base, size_t len,
                        bool *missing)
{
    struct nwr_place_may may;
    struct nwr_place p;

    if (!nwr_place_may_be(t, e->ino, e->parent, base, len, &may) ||
        (may.be && !may.only && !nwr_place_find(t, e->ino, &p))) {
        *missing = true;
        return false;
    }
    e->skipped = may.linked;
    if (!may.be || (!may.only && !nwr_place_is(&p, e->parent, base, len)))
        return false;
    return e->skipped || nwr_slots_below(t, e->ino, missing);
}

/* Links but that of the name itself: no slot is there for the inode, so whoever took the name did
 * not know of that link yet. */
static bool is_linked(const struct nwr_slot_seen *e, const char *base, size_t len)
{
    uint64_t name = nwr_name_hash(e->parent, base, len);

    for (uint32_t i = 0; i < e->versions.nlink; i++)
        if (e->versions.link[i] != name)
            return true;
    return false;
}

static bool restore(struct nwr_txn *t, struct nwr_slots *s, struct nwr_slot_seen *e,
                    const char *base, size_t len, bool *missing)
{
    const struct nwr_mark *last;

    nwr_versions_read(&e->versions, &t->rows, e->ino);
    last = e->versions.last;
    e->seen.wid = nwr_hash64(&e->ino, sizeof(e->ino), 'r');
    if (is_dir(t, e->ino)) {
        if (!restore_dir(t, e, base, len, missing))
            return false;
        e->type = NWR_TYPE_DIR;
        e->bare = !masked(s, e->seen.wid);
        if (e->skipped)
            return true;
    } else if (!last || is_linked(e, base, len) || last->parent != e->parent || last->len != len ||
               memcmp(last->name, base, len) != 0) {
        return false;
    }
    e->type = last->type;
    e->dot = last->dot;
    e->hlc = last->hlc;
    e->k = last->k;
    e->bare = last->bare && !masked(s, e->seen.wid);
    e->deleted_by = last->uid;
    return e->type == NWR_TYPE_DIR || nwr_versions_next(&e->versions, NULL, true);
}

static bool was_ever(const struct nwr_record *rec)
{
    return rec && (rec->n || rec->ctx.vv.n || rec->ctx.dots.n);
}

/* The registers of an inode go when all replicas agree that no name is left (reap.c): a slot that
 * still says so is old. Each record travels alone when replicas are repaired, so that is seen.
 * Marks stay, when floors have taken all else. */
static bool is_reaped(const struct nwr_txn *t, nwr_ino ino)
{
    struct nwr_key key = nwr_key_reg(ino, NWR_REG_ATTR);
    struct nwr_key marks = nwr_key_reg(ino, NWR_REG_MARKS);
    const struct nwr_record *rec;

    if (!nwr_txn_has_object(t, ino))
        return false;
    rec = nwr_txn_peek(t, &key);
    return !(rec && nwr_record_live(rec)) && (was_ever(rec) || was_ever(nwr_txn_peek(t, &marks)));
}

/* Whether the slot of a directory that was moved shows it, or a symbolic link to where it is. */
static bool is_placed(struct nwr_txn *t, struct nwr_slot_seen *e, const char *base, size_t len,
                      bool *missing)
{
    struct nwr_shown at = {.parent = e->parent, .base_len = (uint16_t)len, .slot = e->seen};
    enum nwr_place_kind kind;

    memcpy(at.base, base, len);
    if (!nwr_place_slot(t, e->ino, &at, &kind, &e->elsewhere)) {
        *missing = true;
        return false;
    }
    e->moving = kind == NWR_PLACE_MOVING;
    if (kind == NWR_PLACE_LINK) {
        e->type = NWR_TYPE_LNK;
        e->bare = false;
    }
    return kind != NWR_PLACE_GONE && !is_reaped(t, e->ino);
}

/* What shows nothing is dropped. */
static bool is_shown(struct nwr_txn *t, struct nwr_slots *s, struct nwr_slot_seen *e,
                     const char *base, size_t len, bool *missing)
{
    if (!e->restored)
        e->bare = e->bare && !masked(s, e->seen.wid);
    if (!e->restored && e->type == NWR_TYPE_DIR && e->moved)
        return is_placed(t, e, base, len, missing);
    if (!e->restored && e->type == NWR_TYPE_DIR)
        return !is_reaped(t, e->ino);
    if (!nwr_txn_object(t, e->ino)) {
        *missing = true;
        return false;
    }
    if (is_reaped(t, e->ino))
        return false;
    if (!e->restored && e->type != NWR_TYPE_REG)
        return true;
    if (e->restored)
        return restore(t, s, e, base, len, missing);
    nwr_versions_read(&e->versions, &t->rows, e->ino);
    return e->versions.n || !e->versions.ever;
}

static struct nwr_dot top_dot(const struct nwr_slot_seen *s)
{
    const struct nwr_one *one = nwr_versions_next(&s->versions, NULL, s->restored);

    return one ? one->v->dot : s->dot;
}

/* The head first: the greatest bare slot, but a directory keeps the name. */
static bool before(const struct nwr_slot_seen *a, const struct nwr_slot_seen *b)
{
    int c;

    if (a->bare != b->bare)
        return a->bare;
    if (a->bare && (a->type == NWR_TYPE_DIR) != (b->type == NWR_TYPE_DIR))
        return a->type == NWR_TYPE_DIR;
    if (a->hlc != b->hlc)
        return a->hlc > b->hlc;
    c = nwr_dot_cmp(a->dot, b->dot);
    if (c || a->restored != b->restored) /* one operation may have written both */
        return c ? c > 0 : b->restored;
    return nwr_dot_cmp(top_dot(a), top_dot(b)) > 0;
}

static void sort(struct nwr_slots *s)
{
    for (uint32_t i = 1; i < s->n; i++) {
        struct nwr_slot_seen one = s->e[i];
        uint32_t j = i;

        for (; j > 0 && before(&one, &s->e[j - 1]); j--)
            s->e[j] = s->e[j - 1];
        s->e[j] = one;
    }
}

bool nwr_slots_read(struct nwr_txn *t, const struct nwr_dirs *dir, const char *base, size_t len,
                    struct nwr_slots *out)
{
    const struct nwr_record *rec[NWR_DIRS_MAX];
    bool missing = false;
    uint32_t kept = 0, n;

    *out = (struct nwr_slots){0};
    for (uint32_t i = 0; i < dir->n; i++) {
        struct nwr_key key = nwr_key_entry(dir->ino[i], base, len);

        rec[i] = known(t, &key);
        missing |= !rec[i];
        missing |= !nwr_txn_beside(t, dir->ino[i], base, len);
    }
    if (missing)
        return false;
    for (uint32_t i = 0; i < dir->n; i++)
        collect_masks(out, rec[i]);
    for (uint32_t i = 0; i < dir->n; i++)
        collect_slots(out, rec[i], dir->ino[i]);
    for (uint32_t i = 0; i < dir->n; i++)
        collect_beside(out, t, dir->ino[i], base, len);
    n = out->n;
    for (uint32_t i = 0; i < n; i++) {
        struct nwr_slot_seen one = out->e[i];

        if (is_shown(t, out, &one, base, len, &missing))
            out->e[kept++] = one;
        else
            nwr_versions_deinit(&one.versions);
    }
    out->n = kept;
    sort(out);
    if (!missing)
        return true;
    nwr_slots_deinit(out);
    return false;
}
