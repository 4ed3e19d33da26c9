/* view.c -- what names show: lines of a listing from slots and versions; see view.h. */
#include "fs/core/place.h"
#include "fs/core/view_slots.h"

struct nwr_shown *nwr_shown_add(struct nwr_shown_list *list)
{
    list->e = nwr_grow(list->e, &list->cap, list->n + 1, sizeof(*list->e));
    memset(&list->e[list->n], 0, sizeof(*list->e));
    return &list->e[list->n++];
}

void nwr_shown_list_deinit(struct nwr_shown_list *list)
{
    nwr_free(list->e);
    *list = (struct nwr_shown_list){0};
}

/* ---- lines of one entry -------------------------------------------------------------------- */

static void set_base(struct nwr_shown *x, const char *base, size_t len)
{
    memcpy(x->base, base, len);
    memcpy(x->name, base, len);
    x->base[len] = x->name[len] = 0;
    x->base_len = x->name_len = (uint16_t)len;
}

static void show_version(struct nwr_shown *x, const struct nwr_versions *s,
                         const struct nwr_one *one)
{
    uint32_t at = (uint32_t)(one - s->e);

    x->version = (struct nwr_seen){one->v->dot, one->v->wid};
    x->line = (struct nwr_over){.line = one->line, .stored = one->stored};
    for (uint32_t i = 0; i < s->n && x->line.nsame < NWR_COUNT(x->line.same); i++)
        if (i != at && s->e[i].same == at)
            x->line.same[x->line.nsame++] = s->e[i].v->wid;
}

static struct nwr_shown *show_slot(struct nwr_shown_list *list, const struct nwr_slot_seen *s,
                                   const char *base, size_t len, bool bare)
{
    struct nwr_shown *x = nwr_shown_add(list);

    set_base(x, base, len);
    x->parent = s->parent;
    x->ino = x->root = s->ino;
    x->type = s->type;
    x->slot = s->seen;
    x->slot_hlc = s->hlc;
    x->number = bare ? 0 : s->k;
    x->top = true;
    x->restored = s->restored;
    x->skipped = s->skipped;
    x->moving = s->moving;
    if (s->elsewhere && s->type == NWR_TYPE_LNK) {
        x->elsewhere = true;
        x->ino = nwr_ino_fork(s->ino, s->elsewhere);
    }
    if (s->restored && !s->skipped) {
        x->deleted_by.uid = s->deleted_by;
        x->deleted_by.dot = s->dot;
        x->deleted_by.hlc = s->hlc;
    }
    if (s->type == NWR_TYPE_DIR)
        x->dirs = (struct nwr_dirs){{s->ino}, 1};
    return x;
}

/* All versions behind a slot, the greatest with its number or, as the head, without. */
static void show_versions(struct nwr_shown_list *list, const struct nwr_slot_seen *s,
                          const char *base, size_t len, bool bare)
{
    const struct nwr_one *one = nwr_versions_next(&s->versions, NULL, s->restored);
    bool top = true;

    for (; one; one = nwr_versions_next(&s->versions, one, s->restored), top = false) {
        struct nwr_shown *x = show_slot(list, s, base, len, bare && top);

        show_version(x, &s->versions, one);
        x->top = top;
        if (x->number)
            x->number = one->line.k;
        if (!top)
            x->ino = nwr_ino_fork(s->ino, one->line.wid);
    }
}

/* Directories that two sides made under one name are one. The canonical one is the lowest. */
static void add_dir(struct nwr_shown *x, const struct nwr_slot_seen *s)
{
    uint32_t i = x->dirs.n++;

    for (; i > 0 && x->dirs.ino[i - 1] > s->ino; i--)
        x->dirs.ino[i] = x->dirs.ino[i - 1];
    x->dirs.ino[i] = s->ino;
    if (i == 0) {
        x->ino = x->root = s->ino;
        x->parent = s->parent;
        x->slot = s->seen;
        x->slot_hlc = s->hlc;
        x->restored = s->restored;
        x->skipped = s->skipped;
    }
}

static void show_all(struct nwr_shown_list *list, const struct nwr_slots *slots, const char *base,
                     size_t len)
{
    uint32_t head = UINT32_MAX;

    for (uint32_t i = 0; i < slots->n; i++) {
        const struct nwr_slot_seen *s = &slots->e[i];
        bool bare = i == 0 && s->bare;

        if (s->type == NWR_TYPE_REG && s->versions.n) {
            show_versions(list, s, base, len, bare);
        } else if (s->type == NWR_TYPE_DIR && s->bare && head < list->n &&
                   list->e[head].dirs.n < NWR_DIRS_MAX) {
            add_dir(&list->e[head], s);
        } else {
            if (bare && s->type == NWR_TYPE_DIR)
                head = list->n;
            show_slot(list, s, base, len, bare);
        }
    }
}

/* ---- equal files ---- */

static const struct nwr_slot_seen *slot_of(const struct nwr_slots *slots, const struct nwr_shown *x)
{
    for (uint32_t i = 0; i < slots->n; i++)
        if (slots->e[i].ino == x->root && slots->e[i].parent == x->parent)
            return &slots->e[i];
    return NULL;
}

static const struct nwr_version *version_of(const struct nwr_slots *slots,
                                            const struct nwr_shown *x)
{
    const struct nwr_slot_seen *s = slot_of(slots, x);
    const struct nwr_one *one = s ? nwr_versions_find(&s->versions, x->version.wid) : NULL;

    return one && !nwr_is_pending(one->v->dot) ? one->v : NULL;
}

/* A file of this name alone, with one content: nothing is hidden with it. */
static bool can_stand_behind(const struct nwr_slots *slots, const struct nwr_shown *x)
{
    const struct nwr_slot_seen *s = slot_of(slots, x);
    const struct nwr_one *one = s ? nwr_versions_next(&s->versions, NULL, false) : NULL;

    return one && !s->restored && s->versions.nlink == 1 &&
           !nwr_versions_next(&s->versions, one, false);
}

/* The same file created on two sides: the greatest of equal ones stands for all. */
static void collapse(struct nwr_shown_list *list, uint32_t from, const struct nwr_slots *slots)
{
    for (uint32_t j = from + 1; j < list->n; j++) {
        struct nwr_shown *x = &list->e[j];
        const struct nwr_version *v = version_of(slots, x), *w;

        for (uint32_t i = from; v && i < j && !x->behind; i++) {
            struct nwr_shown *y = &list->e[i];

            w = y->behind || y->root == x->root ? NULL : version_of(slots, y);
            if (!w || !nwr_content_same(w, v) || !can_stand_behind(slots, x))
                continue;
            x->behind = i - from + 1;
            y->twins++;
        }
    }
}

/* ---- their names --------------------------------------------------------------------------- */

static bool holds_bare(const struct nwr_record *rec)
{
    for (uint32_t i = 0; i < rec->n; i++) {
        struct nwr_slot s;
        bool bare;

        if (rec->v[i].flags & (NWR_V_TOMBSTONE | NWR_V_HIDDEN) ||
            nwr_slot_decode(&s, &rec->v[i]) != NWR_OK)
            continue;
        bare = s.bare;
        nwr_slot_deinit(&s);
        if (bare)
            return true;
    }
    return false;
}

/* An ordinary file wins the name over a sibling. False: not known yet. */
static bool is_taken(struct nwr_txn *t, const struct nwr_dirs *dir, const char *name, size_t len,
                     bool *taken)
{
    bool whole = true;

    *taken = false;
    for (uint32_t i = 0; i < dir->n; i++) {
        struct nwr_key key = nwr_key_entry(dir->ino[i], name, len);
        const struct nwr_record *rec = nwr_txn_peek(t, &key);

        if (!nwr_txn_knows(t, &key)) {
            nwr_txn_entry(t, dir->ino[i], name, len);
            whole = false;
        } else if (rec && holds_bare(rec)) {
            *taken = true;
        }
    }
    return whole;
}

static bool is_used(const struct nwr_shown_list *list, uint32_t from, const struct nwr_shown *x)
{
    for (uint32_t i = from; i < list->n; i++)
        if (&list->e[i] != x && list->e[i].name_len == x->name_len &&
            memcmp(list->e[i].name, x->name, x->name_len) == 0)
            return true;
    return false;
}

/* Numbered lines get their names; one that an ordinary file has taken is counted on. */
static bool set_names(struct nwr_txn *t, const struct nwr_dirs *dir, struct nwr_shown_list *list,
                      uint32_t from)
{
    bool whole = true, taken;

    for (uint32_t i = from; i < list->n; i++)
        if (list->e[i].number)
            list->e[i].name_len = nwr_sibling_name(list->e[i].name, list->e[i].base,
                                                   list->e[i].base_len, list->e[i].number);
    for (uint32_t i = from; i < list->n; i++) {
        struct nwr_shown *x = &list->e[i];
        uint64_t k = x->number;

        if (!k)
            continue;
        for (;;) {
            whole &= is_taken(t, dir, x->name, x->name_len, &taken);
            if (!taken && !(k != x->number && is_used(list, from, x)))
                break;
            k += 1000;
            x->name_len = nwr_sibling_name(x->name, x->base, x->base_len, k);
        }
    }
    return whole;
}

bool nwr_view_all(struct nwr_txn *t, const struct nwr_dirs *dir, const char *base, size_t len,
                  struct nwr_shown_list *list)
{
    uint32_t from = list->n;
    struct nwr_slots slots;

    if (!nwr_slots_read(t, dir, base, len, &slots))
        return false;
    show_all(list, &slots, base, len);
    collapse(list, from, &slots);
    for (uint32_t i = from; i < list->n; i++)
        list->e[i].within = *dir;
    nwr_slots_deinit(&slots);
    return set_names(t, dir, list, from);
}

/* ---- finding ------------------------------------------------------------------------------- */

static bool take(const struct nwr_shown_list *list, const char *name, size_t len, bool bare,
                 struct nwr_shown *out)
{
    for (uint32_t i = 0; i < list->n; i++) {
        const struct nwr_shown *x = &list->e[i];

        if (x->behind || x->name_len != len || memcmp(x->name, name, len) != 0 ||
            (bare && x->number))
            continue;
        *out = *x;
        return true;
    }
    return false;
}

static bool find_in(struct nwr_txn *t, const struct nwr_dirs *dir, const char *base,
                    size_t base_len, const char *name, size_t len, struct nwr_shown *out)
{
    struct nwr_shown_list list = {0};
    bool whole = nwr_view_all(t, dir, base, base_len, &list);

    if (whole)
        take(&list, name, len, base == name && base_len == len, out);
    nwr_shown_list_deinit(&list);
    return whole;
}

/* A sibling whose base was too long for its name: one of the names that begin like it. */
static bool find_cut(struct nwr_txn *t, const struct nwr_dirs *dir, size_t cut, const char *name,
                     size_t len, struct nwr_shown *out)
{
    bool whole = true;

    for (uint32_t d = 0; d < dir->n; d++) {
        struct nwr_key prefix = nwr_key_entry(dir->ino[d], name, cut);

        if (!nwr_txn_children(t, dir->ino[d]))
            return false;
        for (uint32_t i = nwr_rows_lower(&t->rows, &prefix);
             out->ino == 0 && i < t->rows.n && nwr_key_has_prefix(&t->rows.row[i].key, &prefix);
             i++) {
            struct nwr_key_parts p;
            struct nwr_key entry;

            if (nwr_view_begins(&t->rows, i, &p, &entry) && p.name_len > cut)
                whole &= find_in(t, dir, p.name, p.name_len, name, len, out);
        }
    }
    return whole;
}

static bool find_sibling(struct nwr_txn *t, const struct nwr_dirs *dir, const char *name,
                         size_t len, struct nwr_shown *out)
{
    size_t base = nwr_sibling_base(name, len);

    if (base == 0)
        return true;
    if (!find_in(t, dir, name, base, name, len, out))
        return false;
    if (out->ino == 0 && nwr_sibling_cut(name, base))
        return find_cut(t, dir, base - 9, name, len, out);
    return true;
}

bool nwr_view_find(struct nwr_txn *t, const struct nwr_dirs *dir, const char *name, size_t len,
                   bool whole, struct nwr_shown *out)
{
    *out = (struct nwr_shown){.parent = dir->ino[0]};
    set_base(out, name, len);
    if (!find_in(t, dir, name, len, name, len, out))
        return false;
    if (out->ino == 0 && !find_sibling(t, dir, name, len, out))
        return false;
    return !whole || out->ino == 0 || nwr_txn_object(t, out->root);
}

static bool shows(const struct nwr_shown *x, nwr_wid wid)
{
    bool hit = wid && x->version.wid == wid;

    for (uint32_t i = 0; wid && i < x->line.nsame; i++)
        hit |= x->line.same[i] == wid;
    return hit;
}

bool nwr_view_base(struct nwr_txn *t, const struct nwr_dirs *dir, const char *name, size_t len,
                   uint64_t process, const struct nwr_reads *reads, struct nwr_shown *out)
{
    nwr_wid base = nwr_reads_get(reads, process, nwr_name_hash(dir->ino[0], name, len)).wid;
    const struct nwr_shown *hit = NULL;
    struct nwr_shown_list list = {0};
    bool whole;

    *out = (struct nwr_shown){.parent = dir->ino[0]};
    set_base(out, name, len);
    whole = nwr_view_all(t, dir, name, len, &list);
    for (uint32_t i = 0; whole && i < list.n && !hit; i++)
        if (base ? shows(&list.e[i], base) : list.e[i].number == 0)
            hit = &list.e[i];
    for (uint32_t i = 0; whole && base && i < list.n && !hit; i++)
        if (nwr_reads_own(reads, list.e[i].version.wid))
            hit = &list.e[i];
    if (hit && hit->behind)
        hit = &list.e[hit->behind - 1];
    if (hit)
        *out = *hit;
    nwr_shown_list_deinit(&list);
    return whole && (out->ino == 0 || nwr_txn_object(t, out->root));
}

/* A sibling is read under its number, not under the bare name. */
static uint64_t read_name(uint64_t link, const struct nwr_shown *x)
{
    return x->number ? nwr_mix64(link ^ x->number) : link;
}

void nwr_view_read(struct nwr_txn *t, const struct nwr_shown *x, uint64_t process,
                   struct nwr_reads *reads)
{
    struct nwr_versions s;

    if (process == 0 || x->version.wid == 0)
        return;
    nwr_versions_read(&s, &t->rows, x->root);
    for (uint32_t i = 0; i < s.nlink; i++)
        nwr_reads_put(reads, process, read_name(s.link[i], x), x->root, x->version);
    nwr_versions_deinit(&s);
}

bool nwr_view_truncates(struct nwr_txn *t, const struct nwr_shown *x, uint64_t process,
                        const struct nwr_reads *reads, struct nwr_shown *base)
{
    struct nwr_seen seen = {0};
    const struct nwr_one *one;
    struct nwr_versions s;

    nwr_versions_read(&s, &t->rows, x->root);
    for (uint32_t i = 0; i < s.nlink && seen.wid == 0; i++)
        seen = nwr_reads_of(reads, process, read_name(s.link[i], x), x->root);
    if (seen.dot.counter == 0) /* of another inode: what is written replaces nothing here */
        seen.dot = (struct nwr_dot){NWR_ACTOR_PENDING, 1};
    *base = *x;
    one = seen.wid ? nwr_versions_find(&s, seen.wid) : NULL;
    if (one) {
        show_version(base, &s, one);
    } else {
        base->version = seen;
        base->line.stored = 0;
        base->line.nsame = 0;
    }
    nwr_versions_deinit(&s);
    return seen.wid && !shows(x, seen.wid) && !nwr_reads_own(reads, x->version.wid);
}

/* ---- listing ------------------------------------------------------------------------------- */

bool nwr_view_hides(struct nwr_txn *t, nwr_ino dir, bool *hide)
{
    struct nwr_key key = nwr_key_reg(dir, NWR_REG_ATTR);
    struct nwr_attr a;

    *hide = false;
    if (!nwr_txn_record(t, &key))
        return false;
    if (nwr_attr_merge(t, dir, &a)) {
        *hide = a.policy.hide;
        nwr_attr_deinit(&a);
    }
    return true;
}

bool nwr_view_part(struct nwr_txn *t, const struct nwr_dirs *dir, uint32_t part, const char *base,
                   size_t len, struct nwr_shown_list *list)
{
    struct nwr_shown_list all = {0};
    bool whole = nwr_view_all(t, dir, base, len, &all), hide = false;

    if (whole && all.n > 1 && all.e[0].number == 0)
        whole = nwr_view_hides(t, dir->ino[0], &hide);
    for (uint32_t i = 0; whole && i < all.n; i++)
        if (all.e[i].parent == dir->ino[part] && !all.e[i].behind && !(hide && all.e[i].number))
            *nwr_shown_add(list) = all.e[i];
    nwr_shown_list_deinit(&all);
    return whole;
}

bool nwr_view_names(struct nwr_txn *t, nwr_ino parent, const char *base, size_t len,
                    struct nwr_shown_list *list)
{
    struct nwr_dirs dir = {{parent}, 1};

    return nwr_view_part(t, &dir, 0, base, len, list);
}

/* ---- what a node shows --------------------------------------------------------------------- */

static const struct nwr_one *descendant(const struct nwr_versions *s, struct nwr_dot d)
{
    for (uint32_t i = 0; d.counter && i < s->n; i++)
        if (nwr_vv_get(&s->e[i].v->past, d.actor) >= d.counter)
            return &s->e[s->e[i].same];
    return NULL;
}

static bool node_content(const struct nwr_txn *t, const struct nwr_node *node,
                         struct nwr_shown *out)
{
    const struct nwr_one *one = NULL;
    struct nwr_versions s;
    bool any;

    nwr_versions_read(&s, &t->rows, node->root);
    if (node->version.wid)
        one = nwr_versions_find(&s, node->version.wid);
    if (!one)
        one = descendant(&s, node->version.dot);
    if (!one)
        one = nwr_versions_next(&s, NULL, false);
    if (one) {
        show_version(out, &s, one);
        out->restored = s.nlink == 0 && s.last && nwr_versions_next(&s, NULL, true);
        out->top = one == nwr_versions_next(&s, NULL, out->restored);
    }
    any = one || !s.ever;
    nwr_versions_deinit(&s);
    return any;
}

bool nwr_view_node(struct nwr_txn *t, const struct nwr_node *node, struct nwr_shown *out)
{
    bool is_link_to_dir;
    struct nwr_attr a;

    *out = (struct nwr_shown){0};
    if (!nwr_txn_object(t, node->root))
        return false;
    if (!nwr_attr_merge(t, node->root, &a))
        return true;
    is_link_to_dir = node->type == NWR_TYPE_LNK && a.type == NWR_TYPE_DIR;
    nwr_attr_deinit(&a);
    out->ino = node->ino;
    out->root = node->root;
    out->type = node->type;
    out->number = node->number;
    out->dirs = node->dirs;
    out->top = true;
    if (is_link_to_dir)
        return nwr_place_node(t, node, out);
    if (node->type == NWR_TYPE_REG && !node_content(t, node, out))
        out->ino = 0;
    return true;
}

/* The line of a listing that shows what x of a node does, under one of its names. */
bool nwr_view_place(struct nwr_txn *t, struct nwr_shown *x)
{
    struct nwr_shown_list list = {0};
    struct nwr_versions s;
    struct nwr_key prefix = nwr_key_reg(x->root, NWR_REG_LINK);
    bool whole = nwr_txn_object(t, x->root);
    uint32_t i = nwr_rows_lower(&t->rows, &prefix);

    nwr_versions_read(&s, &t->rows, x->root);
    for (; whole && i < t->rows.n && nwr_key_has_prefix(&t->rows.row[i].key, &prefix); i++) {
        struct nwr_key_parts p;

        if (nwr_record_live(&t->rows.row[i].rec) && nwr_key_parse(&t->rows.row[i].key, &p))
            whole &= nwr_view_names(t, p.parent, p.name, p.name_len, &list);
    }
    if (whole && s.nlink == 0 && s.last)
        whole = nwr_view_names(t, s.last->parent, s.last->name, s.last->len, &list);
    for (i = 0; whole && i < list.n; i++)
        if (list.e[i].root == x->root && list.e[i].type == x->type &&
            list.e[i].version.wid == x->version.wid) {
            *x = list.e[i];
            break;
        }
    nwr_shown_list_deinit(&list);
    nwr_versions_deinit(&s);
    return whole;
}
