/* view.c -- what names show and how they change, where nobody is in conflict; see view.h. */
#include "fs/core/state.h"

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

/* ---- looking -------------------------------------------------------------------------------- */

static bool is_gone(const struct nwr_version *v)
{
    return v->flags & (NWR_V_TOMBSTONE | NWR_V_HIDDEN);
}

static bool greatest_slot(const struct nwr_record *rec, struct nwr_slot *best,
                          const struct nwr_version **version)
{
    bool found = false;

    for (uint32_t i = 0; i < rec->n; i++) {
        struct nwr_slot s;

        if (is_gone(&rec->v[i]) || nwr_slot_decode(&s, &rec->v[i]) != NWR_OK)
            continue;
        if (!found || s.hlc > best->hlc ||
            (s.hlc == best->hlc && nwr_dot_cmp(rec->v[i].dot, (*version)->dot) > 0)) {
            if (found)
                nwr_slot_deinit(best);
            *best = s;
            *version = &rec->v[i];
            found = true;
        } else {
            nwr_slot_deinit(&s);
        }
    }
    return found;
}

static void show_content(const struct nwr_version *v, struct nwr_shown *x)
{
    struct nwr_content c;

    if (nwr_content_decode(&c, v) != NWR_OK)
        return;
    x->version = (struct nwr_seen){v->dot, v->wid};
    x->line = c.line;
    nwr_content_deinit(&c);
}

static void greatest_content(const struct nwr_txn *t, struct nwr_shown *x)
{
    struct nwr_key key = nwr_key_reg(x->root, NWR_REG_CONTENT);
    const struct nwr_record *rec = nwr_txn_peek(t, &key);
    struct nwr_shown best = *x, other;

    for (uint32_t i = 0; rec && i < rec->n; i++) {
        if (is_gone(&rec->v[i]))
            continue;
        other = *x;
        show_content(&rec->v[i], &other);
        if (best.version.dot.counter == 0 || other.line.hlc > best.line.hlc ||
            (other.line.hlc == best.line.hlc && nwr_dot_cmp(other.line.dot, best.line.dot) > 0))
            best = other;
    }
    *x = best;
}

static void set_name(struct nwr_shown *x, const char *name, size_t len)
{
    memcpy(x->name, name, len);
    memcpy(x->base, name, len);
    x->name[len] = x->base[len] = 0;
    x->name_len = x->base_len = (uint16_t)len;
}

static void show_slot(const struct nwr_txn *t, const struct nwr_slot *s,
                      const struct nwr_version *v, struct nwr_shown *x)
{
    x->ino = s->ino;
    x->root = s->root;
    x->type = s->type;
    x->slot = (struct nwr_seen){v->dot, v->wid};
    x->slot_hlc = s->hlc;
    x->top = true;
    if (s->type == NWR_TYPE_DIR)
        x->dirs = (struct nwr_dirs){{s->root}, 1};
    if (s->type == NWR_TYPE_REG)
        greatest_content(t, x);
}

bool nwr_view_find(struct nwr_txn *t, const struct nwr_dirs *dir, const char *name, size_t len,
                   bool whole, struct nwr_shown *out)
{
    const struct nwr_record *rec = nwr_txn_entry(t, dir->ino[0], name, len);
    const struct nwr_version *v = NULL;
    struct nwr_slot s = {0};

    *out = (struct nwr_shown){.parent = dir->ino[0]};
    set_name(out, name, len);
    if (!rec)
        return false;
    if (!greatest_slot(rec, &s, &v))
        return true;
    if (whole && !nwr_txn_object(t, s.root))
        return false;
    show_slot(t, &s, v, out);
    nwr_slot_deinit(&s);
    return true;
}

bool nwr_view_names(struct nwr_txn *t, nwr_ino parent, const char *base, size_t len,
                    struct nwr_shown_list *list)
{
    struct nwr_key key = nwr_key_entry(parent, base, len);
    const struct nwr_record *rec = nwr_txn_peek(t, &key);
    const struct nwr_version *v = NULL;
    struct nwr_slot s = {0};
    struct nwr_shown *x;

    if (!rec || !greatest_slot(rec, &s, &v))
        return true;
    x = nwr_shown_add(list);
    x->parent = parent;
    set_name(x, base, len);
    show_slot(t, &s, v, x);
    nwr_slot_deinit(&s);
    return true;
}

static bool node_content(const struct nwr_txn *t, const struct nwr_node *node,
                         struct nwr_shown *out)
{
    struct nwr_key key = nwr_key_reg(node->root, NWR_REG_CONTENT);
    const struct nwr_record *rec = nwr_txn_peek(t, &key);

    for (uint32_t i = 0; rec && i < rec->n; i++)
        if (node->version.wid && rec->v[i].wid == node->version.wid)
            return show_content(&rec->v[i], out), true;
    for (uint32_t i = 0; rec && i < rec->n; i++)
        if (node->version.dot.counter && !is_gone(&rec->v[i]) &&
            nwr_vv_get(&rec->v[i].past, node->version.dot.actor) >= node->version.dot.counter)
            return show_content(&rec->v[i], out), true;
    greatest_content(t, out);
    return out->version.dot.counter;
}

bool nwr_view_node(struct nwr_txn *t, const struct nwr_node *node, struct nwr_shown *out)
{
    struct nwr_attr a;

    *out = (struct nwr_shown){0};
    if (!nwr_txn_object(t, node->root))
        return false;
    if (!nwr_attr_merge(t, node->root, &a))
        return true;
    nwr_attr_deinit(&a);
    out->ino = node->ino;
    out->root = node->root;
    out->type = node->type;
    out->number = node->number;
    out->dirs = node->dirs;
    out->top = true;
    if (node->type == NWR_TYPE_REG && !node_content(t, node, out))
        out->ino = 0;
    return true;
}

/* ---- changing ------------------------------------------------------------------------------- */

bool nwr_view_attach(struct nwr_txn *t, nwr_ino dir, const char *name, size_t len, nwr_ino ino,
                     nwr_ino root, uint8_t type)
{
    struct nwr_key entry = nwr_key_entry(dir, name, len);
    struct nwr_key link = nwr_key_link(root, dir, name, len);
    struct nwr_slot s = {.bare = true, .type = type, .ino = ino, .root = root};
    const struct nwr_record *rec = nwr_txn_entry(t, dir, name, len);
    struct nwr_write *w;

    if (!rec || !nwr_txn_object(t, root))
        return false;
    w = nwr_txn_write(t, &link, nwr_txn_peek(t, &link), NULL);
    nwr_blob_unref(w->v.body);
    w->v.body = nwr_blob_copy(&ino, sizeof(ino));
    w->v.flags &= (uint8_t)~NWR_V_TOMBSTONE;
    w = nwr_txn_write(t, &entry, rec, is_gone);
    nwr_blob_unref(w->v.body);
    w->v.body = nwr_slot_encode(&s);
    w->v.flags &= (uint8_t)~NWR_V_TOMBSTONE;
    w->v.ref = root;
    return true;
}

bool nwr_view_detach(struct nwr_txn *t, const struct nwr_shown *x, bool gone, nwr_ino *ino,
                     nwr_ino *root)
{
    struct nwr_key entry = nwr_key_entry(x->parent, x->base, x->base_len);
    struct nwr_key link = nwr_key_link(x->root, x->parent, x->base, x->base_len);
    const struct nwr_record *rec = nwr_txn_entry(t, x->parent, x->base, x->base_len);
    struct nwr_write *w;

    (void)gone; /* marks of removal belong to the conflict rules */
    if (!rec || !nwr_txn_object(t, x->root))
        return false;
    w = nwr_txn_write(t, &entry, rec, is_gone);
    nwr_write_seen(w, x->slot.dot, x->slot.wid);
    if (!w->v.body) { /* nothing takes its place */
        w->v.flags |= NWR_V_TOMBSTONE;
        w->v.ref = x->root;
    }
    w = nwr_txn_write(t, &link, nwr_txn_peek(t, &link), NULL);
    if (!w->v.body)
        w->v.flags |= NWR_V_TOMBSTONE;
    if (ino)
        *ino = x->ino;
    if (root)
        *root = x->root;
    return true;
}

bool nwr_view_link(struct nwr_txn *t, const struct nwr_shown *x, nwr_ino *ino, nwr_ino *root)
{
    (void)t;
    *ino = x->ino;
    *root = x->root;
    return true;
}

bool nwr_view_forgotten(struct nwr_txn *t, nwr_ino root)
{
    (void)t;
    (void)root;
    return true;
}

void nwr_view_bury(struct nwr_txn *t, nwr_ino dir)
{
    struct nwr_key marks = nwr_key_reg(dir, NWR_REG_MARKS), entries = nwr_key_entries(dir);
    struct nwr_write *w = nwr_txn_write(t, &marks, NULL, NULL);

    w->v.flags |= NWR_V_HIDDEN | NWR_V_MARK;
    w->v.body = nwr_blob_copy("\1dead", 5);
    nwr_txn_guard(t, NWR_GUARD_EMPTY, &entries);
}

void nwr_view_write(struct nwr_txn *t, const struct nwr_node *node, nwr_wid wid,
                    const struct nwr_push *push, nwr_ns mtime)
{
    struct nwr_key key = nwr_key_reg(node->root, NWR_REG_CONTENT);
    struct nwr_content c = {.home = node->ino, .mtime = mtime, .map = push->map};
    struct nwr_write *w = nwr_txn_write(t, &key, NULL, NULL);

    if (node->number)
        c.line = node->line;
    w->v.wid = wid;
    w->v.body = nwr_content_encode(&c);
    if (push->nroot) {
        w->v.blocks = nwr_memdup(push->root, push->nroot * sizeof(*push->root));
        w->v.nblocks = push->nroot;
    }
    if (node->version.dot.counter && !nwr_is_pending(node->version.dot))
        nwr_write_seen(w, node->version.dot, node->version.wid);
    for (uint32_t i = 0; i < node->nunsure; i++)
        nwr_write_retire(w, node->unsure[i]);
}

void nwr_view_wrote(struct nwr_node *node, nwr_wid wid, struct nwr_dot dot, nwr_hlc hlc, uint32_t k)
{
    node->version = (struct nwr_seen){dot, wid};
    if (node->number == 0)
        node->line = (struct nwr_line){dot, hlc, k};
}
