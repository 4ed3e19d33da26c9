/* op_dir.c -- OPENDIR, READDIR, READDIRPLUS.
 *
 * A directory is read in pages of one scan each, with the objects of its PG, so a listing with
 * attributes costs one round trip a page. Entries whose inode is elsewhere (subdirectories have
 * PGs of their own) come without attributes: the kernel looks those up when somebody asks.
 */
#include "fs/core/ops.h"

enum {
    DOTS = 2
}; /* cookies 0 and 1 */

enum nwr_plan nwr_plan_opendir(struct nwr_txn *t)
{
    struct nwr_node *n = nwr_op_node(t);

    if (!n)
        return nwr_txn_fail(t, t->eno);
    return n->type == NWR_TYPE_DIR ? NWR_PLAN_DONE : nwr_txn_fail(t, ENOTDIR);
}

void nwr_finish_opendir(struct nwr_txn *t)
{
    struct nwr_handle *h = nwr_mount_open(t->m, t->node, t->req->flags);

    h->dir = nwr_dir_create();
    t->reply.kind = NWR_REPLY_OPEN;
    t->reply.fh = h->id;
}

/* ---- reading a page ------------------------------------------------------------------------- */

static bool has_xattrs(const struct nwr_txn *t, nwr_ino root)
{
    struct nwr_key prefix = nwr_key_reg(root, NWR_REG_XATTR);
    uint32_t i = nwr_rows_lower(&t->rows, &prefix);

    return i < t->rows.n && nwr_key_has_prefix(&t->rows.row[i].key, &prefix);
}

/* What this mount has not sent counts, or what it has and a replica that is behind has not. */
static struct nwr_node *newer_here(struct nwr_txn *t, const struct nwr_shown *x)
{
    struct nwr_node *n = x->type == NWR_TYPE_REG ? nwr_itable_of(&t->m->nodes, x->root) : NULL;

    return n && !n->refused && (nwr_node_unsent(n) || nwr_entry_ahead(t, n, x)) ? n : NULL;
}

static void keep_seen(struct nwr_txn *t, struct nwr_dir *d, const struct nwr_shown *x)
{
    struct nwr_dir_seen *seen;

    nwr_dir_add(d, x);
    d->page = nwr_grow(d->page, &d->cappage, d->npage + 1, sizeof(*d->page));
    seen = &d->page[d->npage++];
    seen->x = *x;
    seen->whole = nwr_txn_has_object(t, x->root);
    if (seen->whole) {
        seen->plain = !has_xattrs(t, x->root);
        seen->whole = nwr_attr_stat(t, x, newer_here(t, x), &seen->st);
    }
}

/* What was refused on this mount stands behind all else. */
static void add_kept(struct nwr_txn *t, const struct nwr_node *n, struct nwr_dir *d)
{
    const struct nwr_spool_item *item = NULL;

    while (!n->policy.hide && (item = nwr_spool_in(t->m, &n->dirs, item))) {
        struct nwr_shown x = {.ino = item->ino, .root = item->ino, .type = NWR_TYPE_REG};

        x.name_len = nwr_spool_name(item, x.name);
        nwr_dir_add(d, &x);
    }
}

/* A page of rows becomes names; the next one starts behind it. */
static bool take_page(struct nwr_txn *t, struct nwr_node *n, struct nwr_dir *d)
{
    struct nwr_shown_list list = {0};
    const struct nwr_page *p = &t->page;
    uint32_t i = nwr_rows_lower(&t->rows, &p->prefix);
    bool complete = true;

    for (; i < t->rows.n && nwr_key_has_prefix(&t->rows.row[i].key, &p->prefix); i++) {
        const struct nwr_key *key = &t->rows.row[i].key;
        struct nwr_key_parts parts;
        struct nwr_key entry;

        /* The last page may have ended between two records of a name. */
        if (nwr_txn_knows(t, key) && nwr_view_begins(&t->rows, i, &parts, &entry) &&
            nwr_key_cmp(&entry, &p->after) > 0)
            complete &= nwr_view_part(t, &n->dirs, d->part, parts.name, parts.name_len, &list);
    }
    if (complete) {
        d->npage = 0;
        d->page_first = d->n;
        d->page_at = t->m->now;
        d->node = n;
        d->page_pid = t->req->pid;
        d->page_changes = t->m->changes;
        d->hint = 0;
        for (i = 0; i < list.n; i++) {
            nwr_spool_yield(t->m, &n->dirs, list.e[i].name);
            keep_seen(t, d, &list.e[i]);
        }
        if (p->more)
            d->after = p->last;
        else
            d->after.len = 0;
        if (!p->more && ++d->part >= n->dirs.n) {
            d->complete = true;
            add_kept(t, n, d);
        }
        if (!p->more || nwr_key_cmp(&p->last, &p->after) > 0)
            t->runs = 1; /* a page further on is no run in vain */
        t->page.ready = false;
    }
    nwr_shown_list_deinit(&list);
    return complete;
}

enum nwr_plan nwr_plan_readdir(struct nwr_txn *t)
{
    struct nwr_node *n = nwr_op_node(t);
    struct nwr_handle *h = nwr_mount_handle(t->m, t->req->fh);

    if (!n || !h || !h->dir)
        return nwr_txn_fail(t, n ? EBADF : t->eno);
    if (t->req->off == 0 && h->dir->n && !t->rewound)
        nwr_dir_reset(h->dir);
    t->rewound = true;
    if (t->page.ready && !take_page(t, n, h->dir))
        return NWR_PLAN_WAIT;
    if (!h->dir->complete && (h->dir->n == 0 || t->req->off >= h->dir->n + DOTS)) {
        /* A page that gave nothing to reply with, all of it removed: it is not held any longer. */
        nwr_snapshot_clear(t);
        nwr_txn_page(t, n->dirs.ino[h->dir->part], &h->dir->after);
        return NWR_PLAN_WAIT;
    }
    return NWR_PLAN_DONE;
}

/* ---- the reply ------------------------------------------------------------------------------ */

struct fill {
    struct nwr_txn *t;
    struct nwr_dir *d;
    uint64_t used;
    uint32_t cap;
    bool plus;
};

/* Sizes of the kernel's dirents: header and name, rounded up to 8. */
static bool add(struct fill *f, const char *name, size_t len, uint64_t cookie)
{
    uint64_t size = ((f->plus ? 152 : 24) + len + 7) & ~(uint64_t)7;
    struct nwr_fs_reply *r = &f->t->reply;

    if (f->used + size > f->t->req->size)
        return false;
    f->used += size;
    r->dirent = nwr_grow(r->dirent, &f->cap, r->ndirent + 1, sizeof(*r->dirent));
    memset(&r->dirent[r->ndirent], 0, sizeof(*r->dirent));
    r->dirent[r->ndirent].name = name;
    r->dirent[r->ndirent++].cookie = cookie + 1;
    return true;
}

static void fill_entry(struct fill *f, struct nwr_fs_dirent *e, uint64_t i)
{
    const struct nwr_dir_name *name = &f->d->name[i];
    uint64_t at = i - f->d->page_first;
    struct nwr_dir_seen *seen = i >= f->d->page_first && at < f->d->npage ? &f->d->page[at] : NULL;

    e->e.st.st_ino = name->ino;
    e->e.st.st_mode = nwr_type_mode(name->type);
    if (f->plus && seen && seen->whole && !nwr_entry_from_page(f->t, seen, &e->e))
        memset(&e->e, 0, sizeof(e->e));
}

/* Names are copied: the next page may move them before the reply is sent. */
static void own_names(struct nwr_fs_reply *r)
{
    size_t bytes = 0;
    char *to;

    for (uint32_t i = 0; i < r->ndirent; i++)
        bytes += strlen(r->dirent[i].name) + 1;
    r->memory = to = nwr_alloc(bytes ? bytes : 1);
    for (uint32_t i = 0; i < r->ndirent; i++) {
        size_t len = strlen(r->dirent[i].name) + 1;

        memcpy(to, r->dirent[i].name, len);
        r->dirent[i].name = to;
        to += len;
    }
}

void nwr_finish_readdir(struct nwr_txn *t)
{
    struct nwr_handle *h = nwr_mount_handle(t->m, t->req->fh);
    struct fill f = {.t = t, .d = h->dir, .plus = t->req->op == NWR_FS_READDIRPLUS};
    static const char *const dots[] = {".", ".."};

    t->reply.kind = NWR_REPLY_DIRENTS;
    for (uint64_t c = t->req->off; c < f.d->n + DOTS; c++) {
        bool dot = c < DOTS;
        const char *name = dot ? dots[c] : f.d->text + f.d->name[c - DOTS].at;
        size_t len = dot ? c + 1 : f.d->name[c - DOTS].len;

        if (!add(&f, name, len, c))
            break;
        if (dot) {
            t->reply.dirent[t->reply.ndirent - 1].e.st.st_ino = t->node->ino;
            t->reply.dirent[t->reply.ndirent - 1].e.st.st_mode = S_IFDIR;
        } else {
            fill_entry(&f, &t->reply.dirent[t->reply.ndirent - 1], c - DOTS);
        }
    }
    own_names(&t->reply);
}
