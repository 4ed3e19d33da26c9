/* snapshot.c -- what a transaction knows, and what it finds missing; see txn.h. */
#include "fs/core/state.h"

/* ---- set of inodes -------------------------------------------------------------------------- */

static nwr_ino *inos_slot(const struct nwr_inos *s, nwr_ino ino)
{
    uint32_t i = (uint32_t)(nwr_mix64(ino) & (s->cap - 1));

    while (s->slot[i] && s->slot[i] != ino)
        i = (i + 1) & (s->cap - 1);
    return &s->slot[i];
}

static bool inos_has(const struct nwr_inos *s, nwr_ino ino)
{
    return s->cap && *inos_slot(s, ino) == ino;
}

static void inos_add(struct nwr_inos *s, nwr_ino ino)
{
    struct nwr_inos old = *s;

    nwr_assert(ino);
    if (2 * (s->n + 1) > s->cap) {
        s->cap = s->cap ? s->cap * 2 : 8;
        s->slot = nwr_zalloc(s->cap * sizeof(*s->slot));
        for (uint32_t i = 0; i < old.cap; i++)
            if (old.slot[i])
                *inos_slot(s, old.slot[i]) = old.slot[i];
        nwr_free(old.slot);
    }
    if (*inos_slot(s, ino) != ino) {
        *inos_slot(s, ino) = ino;
        s->n++;
    }
}

/* ---- what is known -------------------------------------------------------------------------- */

enum {
    ENTRIES_LEN = 11
};

static bool covers(const struct nwr_inos *objects, const struct nwr_key *known, uint32_t nknown,
                   const struct nwr_key *key)
{
    struct nwr_key_parts parts;

    if (nwr_key_parse(key, &parts) && parts.kind == 'I' && inos_has(objects, parts.ino))
        return true;
    /* A known key without a name is the range of a directory. */
    for (uint32_t i = 0; i < nknown; i++)
        if (nwr_key_cmp(&known[i], key) == 0 ||
            (known[i].len == ENTRIES_LEN && known[i].b[2] == 'E' &&
             nwr_key_has_prefix(key, &known[i])))
            return true;
    return false;
}

static bool key_known(const struct nwr_txn *t, const struct nwr_key *key)
{
    return covers(&t->objects, t->known, t->nknown, key);
}

static void learn_key(struct nwr_txn *t, const struct nwr_key *key)
{
    if (key_known(t, key))
        return;
    t->known = nwr_grow(t->known, &t->capknown, t->nknown + 1, sizeof(*t->known));
    t->known[t->nknown++] = *key;
}

/* The objects that versions of a row refer to came along with it. */
static void learn_refs(struct nwr_txn *t, const struct nwr_row *row)
{
    for (uint32_t i = 0; i < row->rec.n; i++) {
        nwr_ino ref = row->rec.v[i].ref;

        if (ref && nwr_ino_pg(ref) == nwr_key_pg(&row->key))
            inos_add(&t->objects, ref);
    }
}

static nwr_ino object_of(const struct nwr_key *prefix)
{
    nwr_ino ino = 0;

    if (prefix->len != 11 || prefix->b[2] != 'I')
        return 0;
    for (int i = 3; i < 11; i++)
        ino = ino << 8 | prefix->b[i];
    return ino;
}

void nwr_snapshot_learn(struct nwr_txn *t, const struct nwr_range *range)
{
    uint32_t i = nwr_rows_lower(&t->rows, &range->prefix);

    if (range->exact) {
        learn_key(t, &range->prefix);
        if (range->follow && i < t->rows.n && nwr_key_cmp(&t->rows.row[i].key, &range->prefix) == 0)
            learn_refs(t, &t->rows.row[i]);
        return;
    }
    if (range->follow) {
        for (; i < t->rows.n && nwr_key_has_prefix(&t->rows.row[i].key, &range->prefix); i++)
            learn_refs(t, &t->rows.row[i]);
        learn_key(t, &range->prefix);
        return;
    }
    if (object_of(&range->prefix))
        inos_add(&t->objects, object_of(&range->prefix));
}

void nwr_snapshot_learn_page(struct nwr_txn *t, const struct nwr_range *range, bool more)
{
    uint32_t i = nwr_rows_lower(&t->rows, &range->prefix);

    t->page = (struct nwr_page){.ready = true, .more = more};
    t->page.prefix = range->prefix;
    t->page.after = t->page.last = range->after;
    for (; i < t->rows.n && nwr_key_has_prefix(&t->rows.row[i].key, &range->prefix); i++)
        if (nwr_key_cmp(&t->rows.row[i].key, &range->after) > 0) {
            t->page.last = t->rows.row[i].key;
            if (range->follow)
                learn_refs(t, &t->rows.row[i]);
        }
}

static bool is_nothing(const struct nwr_record *rec)
{
    return !rec || (rec->n == 0 && rec->ctx.vv.n == 0 && rec->ctx.dots.n == 0);
}

/* A content goes for another one, or with the attributes: who knows that it went, and has nothing
 * in its place, lacks the other one. */
static bool lacks_registers(const struct nwr_txn *t, nwr_ino root)
{
    struct nwr_key attr = nwr_key_reg(root, NWR_REG_ATTR);
    struct nwr_key content = nwr_key_reg(root, NWR_REG_CONTENT);
    const struct nwr_record *a = nwr_txn_peek(t, &attr), *c = nwr_txn_peek(t, &content);

    if (root == NWR_INO_ROOT || nwr_birth_of(t->m, root))
        return false;
    return is_nothing(a) || (nwr_record_live(a) && c && c->n == 0 && !is_nothing(c));
}

static bool leads_behind(const struct nwr_txn *t, const struct nwr_row *row)
{
    for (uint32_t i = 0; i < row->rec.n; i++) {
        const struct nwr_version *v = &row->rec.v[i];

        if (v->ref && !(v->flags & NWR_V_TOMBSTONE) &&
            nwr_ino_pg(v->ref) == nwr_key_pg(&row->key) && lacks_registers(t, v->ref))
            return true;
    }
    return false;
}

/* An inode that was asked for, or that a name or a record beside it refers to, is not there or
 * not whole, and was not removed either: the replicas that answered are behind (DESIGN 4). */
bool nwr_snapshot_behind(const struct nwr_txn *t, const struct nwr_range *range)
{
    uint32_t i = nwr_rows_lower(&t->rows, &range->prefix);

    if (object_of(&range->prefix))
        return !range->exact && lacks_registers(t, object_of(&range->prefix));
    if (!(range->exact && range->follow) && !range->loud)
        return false;
    for (; i < t->rows.n && nwr_key_has_prefix(&t->rows.row[i].key, &range->prefix); i++) {
        if (range->exact && t->rows.row[i].key.len != range->prefix.len)
            return false;
        if (leads_behind(t, &t->rows.row[i]))
            return true;
    }
    return false;
}

void nwr_snapshot_clear(struct nwr_txn *t)
{
    nwr_rows_deinit(&t->rows);
    nwr_free(t->objects.slot);
    t->objects = (struct nwr_inos){0};
    t->nknown = 0;
    t->page = (struct nwr_page){0};
}

/* ---- from one transaction to the next ------------------------------------------------------- */

void nwr_snapshot_take(struct nwr_txn *t, struct nwr_snapshot *to)
{
    nwr_assert(to->rows.n == 0 && to->nknown == 0);
    *to = (struct nwr_snapshot){t->rows, t->objects, t->known, t->nknown, t->capknown};
    t->rows = (struct nwr_rows){0};
    t->objects = (struct nwr_inos){0};
    t->known = NULL;
    t->nknown = t->capknown = 0;
}

void nwr_snapshot_give(struct nwr_txn *t, struct nwr_snapshot *from)
{
    nwr_assert(t->rows.n == 0 && t->nknown == 0);
    t->rows = from->rows;
    t->objects = from->objects;
    t->known = from->known;
    t->nknown = from->nknown;
    t->capknown = from->capknown;
    *from = (struct nwr_snapshot){0};
}

/* What is beside a name was asked for, but need not all have come: what did not shows nothing. */
static bool has_beside(const struct nwr_snapshot *s, const struct nwr_key *key)
{
    for (uint32_t i = 0; i < s->nknown; i++)
        if (s->known[i].b[2] == 'E' && s->known[i].b[s->known[i].len - 1] == 0 &&
            nwr_key_has_prefix(key, &s->known[i]))
            return true;
    return false;
}

bool nwr_snapshot_has(const struct nwr_snapshot *s, const struct nwr_key *key)
{
    return covers(&s->objects, s->known, s->nknown, key) || has_beside(s, key) ||
           nwr_rows_find(&s->rows, key);
}

void nwr_snapshot_free(struct nwr_snapshot *s)
{
    nwr_rows_deinit(&s->rows);
    nwr_free(s->objects.slot);
    nwr_free(s->known);
    *s = (struct nwr_snapshot){0};
}

/* ---- asking --------------------------------------------------------------------------------- */

static struct nwr_need *need(struct nwr_txn *t, const struct nwr_key *prefix, bool exact,
                             bool follow)
{
    struct nwr_need *n;

    for (uint32_t i = 0; i < t->nneed; i++) {
        n = &t->need[i];
        if (n->range.exact == exact && nwr_key_cmp(&n->range.prefix, prefix) == 0) {
            n->range.follow |= follow;
            return n;
        }
    }
    t->need = nwr_grow(t->need, &t->capneed, t->nneed + 1, sizeof(*t->need));
    n = &t->need[t->nneed++];
    *n = (struct nwr_need){.range = {.exact = exact, .follow = follow}};
    n->range.prefix = *prefix;
    return n;
}

static const struct nwr_record *known_record(const struct nwr_txn *t, const struct nwr_key *key)
{
    static const struct nwr_record none;
    const struct nwr_row *row = nwr_rows_find(&t->rows, key);

    return row ? &row->rec : &none;
}

const struct nwr_record *nwr_txn_peek(const struct nwr_txn *t, const struct nwr_key *key)
{
    const struct nwr_row *row = nwr_rows_find(&t->rows, key);

    return row ? &row->rec : NULL;
}

const struct nwr_record *nwr_txn_record(struct nwr_txn *t, const struct nwr_key *key)
{
    if (key_known(t, key))
        return known_record(t, key);
    need(t, key, true, false);
    return NULL;
}

const struct nwr_record *nwr_txn_entry(struct nwr_txn *t, nwr_ino parent, const char *name,
                                       size_t len)
{
    struct nwr_key key = nwr_key_entry(parent, name, len);

    if (key_known(t, &key))
        return known_record(t, &key);
    need(t, &key, true, true);
    return NULL;
}

bool nwr_txn_beside(struct nwr_txn *t, nwr_ino parent, const char *name, size_t len)
{
    struct nwr_key key = nwr_key_besides(parent, name, len);

    if (nwr_txn_knows(t, &key))
        return true;
    need(t, &key, false, true)->range.loud = true;
    return false;
}

bool nwr_txn_children(struct nwr_txn *t, nwr_ino dir)
{
    struct nwr_key key = nwr_key_entries(dir);

    if (key_known(t, &key))
        return true;
    need(t, &key, false, true);
    return false;
}

bool nwr_txn_children_if_few(struct nwr_txn *t, nwr_ino dir)
{
    struct nwr_key key = nwr_key_entries(dir);

    if (key_known(t, &key))
        return true;
    need(t, &key, false, true)->below = true;
    return false;
}

bool nwr_txn_has_object(const struct nwr_txn *t, nwr_ino root)
{
    return inos_has(&t->objects, root);
}

static bool leads_to(const struct nwr_record *rec, nwr_ino ino)
{
    for (uint32_t i = 0; rec && i < rec->n; i++)
        if (rec->v[i].ref == ino && !(rec->v[i].flags & (NWR_V_TOMBSTONE | NWR_V_HIDDEN)))
            return true;
    return false;
}

/* A link on its way out is one like any other if its name leads to the inode still. */
static bool confirm(struct nwr_txn *t, nwr_ino root, struct nwr_row *row)
{
    struct nwr_key_parts p;
    struct nwr_key entry;

    for (uint32_t i = 0; i < row->rec.n; i++) {
        if (!(row->rec.v[i].flags & NWR_V_HIDDEN) || !nwr_key_parse(&row->key, &p))
            continue;
        entry = nwr_key_entry(p.parent, p.name, p.name_len);
        if (!nwr_txn_knows(t, &entry) && !nwr_txn_entry(t, p.parent, p.name, p.name_len))
            return false;
        if (leads_to(nwr_txn_peek(t, &entry), root))
            row->rec.v[i].flags &= (uint8_t)~NWR_V_HIDDEN;
    }
    return true;
}

static bool confirm_links(struct nwr_txn *t, nwr_ino root)
{
    struct nwr_key prefix = nwr_key_reg(root, NWR_REG_LINK);
    bool whole = true;

    for (uint32_t i = nwr_rows_lower(&t->rows, &prefix);
         i < t->rows.n && nwr_key_has_prefix(&t->rows.row[i].key, &prefix); i++)
        whole &= confirm(t, root, &t->rows.row[i]);
    return whole;
}

bool nwr_txn_object(struct nwr_txn *t, nwr_ino root)
{
    struct nwr_key key = nwr_key_object(root);

    if (inos_has(&t->objects, root))
        return confirm_links(t, root);
    need(t, &key, false, false);
    return false;
}

void nwr_txn_guess(struct nwr_txn *t, nwr_ino root)
{
    if (inos_has(&t->objects, root) || nwr_birth_of(t->m, root))
        return;
    t->need = nwr_grow(t->need, &t->capneed, t->nneed + 1, sizeof(*t->need));
    t->need[t->nneed] = (struct nwr_need){.guess = true};
    t->need[t->nneed++].range.prefix = nwr_key_object(root);
}

void nwr_txn_born(struct nwr_txn *t, nwr_ino root)
{
    inos_add(&t->objects, root);
}

/* Inodes whose creation was never sent are nowhere else: no need to ask. Rows change only here
 * and when answers arrive, never within a run: records a plan holds stay where they are. */
bool nwr_snapshot_from_births(struct nwr_txn *t)
{
    uint32_t kept = 0, n = t->nneed;

    for (uint32_t i = 0; i < n; i++) {
        nwr_ino root = object_of(&t->need[i].range.prefix);
        struct nwr_node *birth = root ? nwr_birth_of(t->m, root) : NULL;

        if (birth && !birth->tried)
            inos_add(&t->objects, root);
        else
            t->need[kept++] = t->need[i];
    }
    t->nneed = kept;
    if (kept == n)
        return false;
    nwr_birth_overlay(t);
    return true;
}

void nwr_txn_scan(struct nwr_txn *t, const struct nwr_key *prefix, const struct nwr_key *after,
                  bool follow)
{
    t->need = nwr_grow(t->need, &t->capneed, t->nneed + 1, sizeof(*t->need));
    t->need[t->nneed] = (struct nwr_need){.range = {.follow = follow}, .page = true};
    t->need[t->nneed].range.prefix = *prefix;
    t->need[t->nneed++].range.after = *after;
}

void nwr_txn_page(struct nwr_txn *t, nwr_ino dir, const struct nwr_key *after)
{
    struct nwr_key key = nwr_key_entries(dir);

    nwr_txn_scan(t, &key, after, true);
}

void nwr_txn_indexed(struct nwr_txn *t, nwr_pg pg, const struct nwr_key *after)
{
    struct nwr_need *n;

    t->need = nwr_grow(t->need, &t->capneed, t->nneed + 1, sizeof(*t->need));
    n = &t->need[t->nneed++];
    *n = (struct nwr_need){.range = {.indexed = true}, .index = true};
    n->range.prefix = (struct nwr_key){.len = 2, .b = {(uint8_t)(pg >> 8), (uint8_t)pg}};
    if (after)
        n->range.after = *after;
}

void nwr_txn_names(struct nwr_txn *t, nwr_ino dir)
{
    nwr_txn_page(t, dir, &(struct nwr_key){0});
    t->need[t->nneed - 1].range.follow = false;
}

bool nwr_txn_knows(const struct nwr_txn *t, const struct nwr_key *key)
{
    const struct nwr_page *p = &t->page;

    if (key_known(t, key))
        return true;
    /* Of a prefix (what is beside a name) the page may have the first ones only. */
    return p->ready && nwr_key_has_prefix(key, &p->prefix) && nwr_key_cmp(key, &p->after) > 0 &&
           (!p->more || (nwr_key_cmp(key, &p->last) <= 0 &&
                         (key->b[key->len - 1] != 0 || p->last.len <= key->len ||
                          !nwr_key_has_prefix(&p->last, key))));
}
