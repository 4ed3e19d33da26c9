/* place.c -- see place.h. */
#include "fs/core/place.h"

#include "fs/core/conflict.h"

#define CAME_FORMAT 1

enum {
    OPTIONS_MAX = 8,
    ROUNDS_MAX = 64
};

/* ---- bodies of links ------------------------------------------------------------------------ */

struct nwr_blob *nwr_came_encode(const struct nwr_came *c)
{
    struct nwr_out o = {0};

    nwr_out_u8(&o, CAME_FORMAT);
    nwr_out_u64(&o, c->parent);
    nwr_out_u64(&o, c->slot);
    nwr_out_u64(&o, c->over_slot);
    nwr_out_u64(&o, c->over_version);
    nwr_out_bytes(&o, c->name, c->len);
    nwr_out_u64(&o, c->back);
    nwr_out_bytes(&o, c->back_name, c->back_len);
    return nwr_out_blob(&o);
}

bool nwr_came_decode(const struct nwr_version *v, struct nwr_came *c)
{
    struct nwr_in in;

    *c = (struct nwr_came){0};
    if (!v->body || v->flags & NWR_V_TOMBSTONE)
        return false;
    in = nwr_in_of(v->body->data, v->body->len);
    if (nwr_in_u8(&in) != CAME_FORMAT)
        return false;
    c->parent = nwr_in_u64(&in);
    c->slot = nwr_in_u64(&in);
    c->over_slot = nwr_in_u64(&in);
    c->over_version = nwr_in_u64(&in);
    c->name = nwr_in_bytes(&in, &c->len);
    c->back = nwr_in_u64(&in);
    c->back_name = nwr_in_bytes(&in, &c->back_len);
    if (nwr_in_done(&in) && c->len <= NWR_NAME_MAX && c->back_len <= NWR_NAME_MAX)
        return true;
    *c = (struct nwr_came){0};
    return false;
}

static bool later(nwr_hlc hlc, struct nwr_dot dot, nwr_hlc than_hlc, struct nwr_dot than)
{
    return hlc != than_hlc ? hlc > than_hlc : nwr_dot_cmp(dot, than) > 0;
}

static const struct nwr_version *latest(const struct nwr_record *rec)
{
    const struct nwr_version *best = NULL;

    for (uint32_t i = 0; rec && i < rec->n; i++)
        if (!(rec->v[i].flags & NWR_V_TOMBSTONE) &&
            (!best || later(rec->v[i].hlc, rec->v[i].dot, best->hlc, best->dot)))
            best = &rec->v[i];
    return best;
}

struct nwr_came nwr_came_of(const struct nwr_txn *t, nwr_ino ino, nwr_ino parent, const char *name,
                            size_t len)
{
    struct nwr_key key = nwr_key_link(ino, parent, name, len);
    const struct nwr_version *v = latest(nwr_txn_peek(t, &key));
    struct nwr_came c = {0};

    if (v)
        nwr_came_decode(v, &c);
    return c;
}

/* ---- where one directory may be, the best first --------------------------------------------- */

struct options {
    struct nwr_place at[OPTIONS_MAX];
    uint32_t n, links;
};

static void set_place(struct nwr_place *p, nwr_ino parent, const void *name, size_t len)
{
    nwr_assert(len <= NWR_NAME_MAX);
    p->parent = parent;
    p->len = (uint16_t)len;
    if (len)
        memcpy(p->name, name, len);
    p->name[len] = 0;
}

static void add(struct options *o, const struct nwr_place *p)
{
    uint32_t i = o->n < OPTIONS_MAX ? o->n++ : OPTIONS_MAX - 1;

    for (; i > 0 && later(p->hlc, p->dot, o->at[i - 1].hlc, o->at[i - 1].dot); i--)
        o->at[i] = o->at[i - 1];
    o->at[i] = *p;
}

static void add_back(struct options *o, nwr_ino parent, const void *name, size_t len)
{
    struct nwr_place *p;

    if (!parent || o->n == OPTIONS_MAX)
        return;
    p = &o->at[o->n++];
    *p = (struct nwr_place){0};
    set_place(p, parent, name, len);
}

static void read_links(const struct nwr_txn *t, nwr_ino dir, struct options *o)
{
    struct nwr_key prefix = nwr_key_reg(dir, NWR_REG_LINK);
    uint32_t i = nwr_rows_lower(&t->rows, &prefix);

    for (; i < t->rows.n && nwr_key_has_prefix(&t->rows.row[i].key, &prefix); i++) {
        const struct nwr_version *v = latest(&t->rows.row[i].rec);
        struct nwr_place p = {0};
        struct nwr_key_parts parts;

        if (!v || !nwr_key_parse(&t->rows.row[i].key, &parts))
            continue;
        set_place(&p, parts.parent, parts.name, parts.name_len);
        p.hlc = v->hlc;
        p.dot = v->dot;
        p.wid = v->wid;
        nwr_came_decode(v, &p.came);
        add(o, &p);
    }
}

static bool has_slot(struct nwr_txn *t, const struct nwr_place *p, nwr_ino dir, bool *missing)
{
    struct nwr_key key = nwr_key_entry(p->parent, p->name, p->len);
    const struct nwr_record *rec = nwr_txn_peek(t, &key);

    if (!nwr_txn_knows(t, &key))
        rec = nwr_txn_entry(t, p->parent, p->name, p->len);
    *missing |= !rec && !nwr_txn_knows(t, &key);
    for (uint32_t i = 0; rec && i < rec->n; i++)
        if (rec->v[i].ref == dir && !(rec->v[i].flags & (NWR_V_TOMBSTONE | NWR_V_HIDDEN)))
            return true;
    return false;
}

/* A rename adds the link first, and may not come further: while there is another link, one whose
 * name is not there does not count. */
static bool confirm(struct nwr_txn *t, nwr_ino dir, struct options *o)
{
    bool missing = false;
    uint32_t kept = 0;

    for (uint32_t i = 0; i < o->n; i++)
        if (has_slot(t, &o->at[i], dir, &missing))
            o->at[kept++] = o->at[i];
    if (kept && !missing)
        o->n = kept;
    return !missing;
}

static bool is_at(const struct nwr_place *p, const struct nwr_mark *m)
{
    return nwr_place_is(p, m->parent, m->name, m->len);
}

/* Records arrive one by one: of a name that was removed the link may be left. */
static bool was_removed(struct nwr_txn *t, nwr_ino dir, struct options *o)
{
    bool missing = false;

    if (!has_slot(t, &o->at[0], dir, &missing) && !missing)
        o->n = 0;
    return !missing;
}

static bool is_settled(const struct nwr_versions *s, nwr_wid wid)
{
    for (uint32_t i = 0; i < s->marks.n; i++)
        if (s->marks.e[i].kind == NWR_MARK_SETTLED && s->marks.e[i].wid == wid)
            return true;
    return false;
}

static bool options(struct nwr_txn *t, nwr_ino dir, struct options *o)
{
    struct nwr_versions s;
    bool whole = true;

    o->n = 0;
    if (!nwr_txn_object(t, dir))
        return false;
    nwr_versions_read(&s, &t->rows, dir);
    read_links(t, dir, o);
    if (o->n > 1)
        whole = confirm(t, dir, o);
    else if (o->n && s.last && is_at(&o->at[0], s.last))
        whole = was_removed(t, dir, o);
    o->links = o->n;
    if (o->n == 0 && s.last) { /* removed: it may be there again */
        add_back(o, s.last->parent, s.last->name, s.last->len);
        add_back(o, s.last->back, s.last->back_name, s.last->back_len);
    } else if (o->n && is_settled(&s, o->at[0].wid)) {
        o->n = 1;
    } else if (o->n) {
        add_back(o, o->at[0].came.back, o->at[0].came.back_name, o->at[0].came.back_len);
    }
    nwr_versions_deinit(&s);
    return whole;
}

/* ---- the way up ----------------------------------------------------------------------------- */

struct step {
    nwr_ino dir;
    uint32_t skip; /* options that a loop has taken from it */
    bool more;     /* there is another */
    struct nwr_place at;
};

struct way {
    struct step up[NWR_PLACE_DEPTH];
    uint32_t n;
    struct {
        nwr_ino dir;
        uint32_t n;
    } skip[ROUNDS_MAX];
    uint32_t nskip;
};

static uint32_t *skips(struct way *w, nwr_ino dir)
{
    for (uint32_t i = 0; i < w->nskip; i++)
        if (w->skip[i].dir == dir)
            return &w->skip[i].n;
    return NULL;
}

/* Up from dir; *loop is the index of the step at which it comes back, w->n if it does not. */
static bool walk_up(struct nwr_txn *t, struct way *w, nwr_ino dir, uint32_t *loop)
{
    struct options o;

    for (w->n = 0; dir != NWR_INO_ROOT && w->n < NWR_PLACE_DEPTH; w->n++) {
        struct step *s = &w->up[w->n];
        const uint32_t *skip = skips(w, dir);

        for (*loop = 0; *loop < w->n; ++*loop)
            if (w->up[*loop].dir == dir)
                return true;
        if (!options(t, dir, &o))
            return false;
        s->dir = dir;
        s->skip = skip ? *skip : 0;
        if (s->skip >= o.n)
            break;
        s->at = o.at[s->skip];
        s->more = s->skip + 1 < o.n;
        dir = s->at.parent;
    }
    *loop = w->n;
    return true;
}

/* The latest move of a loop is not made. False: none can be taken back. */
static bool open_loop(struct way *w, uint32_t loop)
{
    struct step *last = NULL;
    uint32_t *skip;

    for (uint32_t i = loop; i < w->n; i++) {
        struct step *s = &w->up[i];

        if (s->more && (!last || later(s->at.hlc, s->at.dot, last->at.hlc, last->at.dot) ||
                        (s->at.hlc == 0 && last->at.hlc == 0 && s->dir > last->dir)))
            last = s;
    }
    if (!last)
        return false;
    skip = skips(w, last->dir);
    if (!skip && w->nskip == ROUNDS_MAX)
        return false;
    if (!skip) {
        w->skip[w->nskip].dir = last->dir;
        w->skip[w->nskip].n = 0;
        skip = &w->skip[w->nskip++].n;
    }
    ++*skip;
    return true;
}

bool nwr_place_find(struct nwr_txn *t, nwr_ino dir, struct nwr_place *out)
{
    struct way *w = nwr_zalloc(sizeof(*w));
    uint32_t loop;
    bool whole;

    do
        whole = walk_up(t, w, dir, &loop);
    while (whole && loop < w->n && open_loop(w, loop));
    *out = (struct nwr_place){0};
    if (whole && w->n)
        *out = w->up[0].at;
    nwr_free(w);
    return whole;
}

bool nwr_place_is(const struct nwr_place *p, nwr_ino parent, const char *name, size_t len)
{
    return p->parent == parent && p->len == len && memcmp(p->name, name, len) == 0;
}

/* ---- what a name shows ---------------------------------------------------------------------- */

static bool comes_from(const struct nwr_place *p, const struct nwr_shown *at)
{
    const struct nwr_came *c = &p->came;

    return p->wid && c->slot && c->slot == at->slot.wid && c->parent == at->parent &&
           c->len == at->base_len && memcmp(c->name, at->base, c->len) == 0;
}

static const struct nwr_place *link_at(const struct options *o, const struct nwr_shown *at)
{
    for (uint32_t i = 0; i < o->links; i++)
        if (nwr_place_is(&o->at[i], at->parent, at->base, at->base_len))
            return &o->at[i];
    return NULL;
}

bool nwr_place_slot(struct nwr_txn *t, nwr_ino dir, const struct nwr_shown *at,
                    enum nwr_place_kind *kind, nwr_wid *link)
{
    const struct nwr_place *own;
    bool missing = false;
    struct nwr_place p;
    struct options o;

    *kind = NWR_PLACE_HERE;
    if (!options(t, dir, &o))
        return false;
    own = link_at(&o, at);
    if (o.links == 0 || (o.n == 1 && own))
        return true;
    if (!nwr_place_find(t, dir, &p))
        return false;
    *kind = NWR_PLACE_MOVING;
    if (nwr_place_is(&p, at->parent, at->base, at->base_len) || comes_from(&p, at))
        return true;
    if (own) {
        *kind = NWR_PLACE_LINK;
        *link = own->wid;
        return nwr_place_text(t, at->parent, dir, NULL);
    }
    if (has_slot(t, &p, dir, &missing))
        *kind = NWR_PLACE_GONE;
    return !missing;
}

bool nwr_place_may_be(struct nwr_txn *t, nwr_ino dir, nwr_ino parent, const char *name, size_t len,
                      struct nwr_place_may *out)
{
    struct options o;

    *out = (struct nwr_place_may){0};
    if (!options(t, dir, &o))
        return false;
    out->linked = o.links > 0;
    out->only = o.n == 1;
    for (uint32_t i = o.links; i < o.n; i++)
        out->be |= nwr_place_is(&o.at[i], parent, name, len);
    return true;
}

bool nwr_place_settle(struct nwr_txn *t, nwr_ino dir, struct nwr_place *out)
{
    struct options o;

    *out = (struct nwr_place){0};
    if (!options(t, dir, &o) || (o.links == 1 && o.n > 1 && !nwr_place_find(t, dir, out)))
        return false;
    if (o.links != 1 || o.n == 1 || out->wid != o.at[0].wid)
        out->wid = 0;
    return true;
}

/* ---- symbolic links ------------------------------------------------------------------------- */

struct path {
    struct nwr_place up[NWR_PLACE_DEPTH];
    uint32_t n;
};

static bool path_of(struct nwr_txn *t, nwr_ino dir, struct path *p)
{
    for (p->n = 0; dir != NWR_INO_ROOT && p->n < NWR_PLACE_DEPTH; p->n++) {
        if (!nwr_place_find(t, dir, &p->up[p->n]))
            return false;
        dir = p->up[p->n].parent;
        if (!dir)
            break;
    }
    return true;
}

/* How far up from `from` the directory is; UINT32_MAX: not above it. */
static uint32_t height(const struct path *p, nwr_ino from, nwr_ino dir)
{
    for (uint32_t i = 0; dir != from && i < p->n; i++)
        if (p->up[i].parent == dir)
            return i + 1;
    return dir == from ? 0 : UINT32_MAX;
}

static void write_text(const struct path *a, const struct path *b, nwr_ino from,
                       struct nwr_out *out)
{
    uint32_t up = UINT32_MAX, down = 0;

    while (up == UINT32_MAX && down < b->n)
        up = height(a, from, b->up[down++].parent);
    if (up == UINT32_MAX) { /* deeper than is looked: it leads nowhere, but says a name */
        up = 0;
        down = NWR_MIN(b->n, 1u);
    }
    for (uint32_t i = 0; i < up; i++)
        nwr_out_raw(out, "../", 3);
    while (down-- > 0) {
        nwr_out_raw(out, b->up[down].name, b->up[down].len);
        if (down)
            nwr_out_u8(out, '/');
    }
}

bool nwr_place_text(struct nwr_txn *t, nwr_ino from, nwr_ino dir, struct nwr_out *out)
{
    struct path *a = nwr_zalloc(sizeof(*a)), *b = nwr_zalloc(sizeof(*b));
    bool whole = path_of(t, from, a);

    whole &= path_of(t, dir, b);
    if (whole && out)
        write_text(a, b, from, out);
    nwr_free(a);
    nwr_free(b);
    return whole;
}

bool nwr_place_node(struct nwr_txn *t, const struct nwr_node *node, struct nwr_shown *out)
{
    struct options o;

    out->ino = 0;
    if (!options(t, node->root, &o))
        return false;
    for (uint32_t i = 0; i < o.links; i++) {
        if (nwr_ino_fork(node->root, o.at[i].wid) != node->ino)
            continue;
        out->ino = node->ino;
        out->parent = o.at[i].parent;
        out->elsewhere = true;
    }
    return out->ino == 0 || nwr_place_text(t, out->parent, node->root, NULL);
}
