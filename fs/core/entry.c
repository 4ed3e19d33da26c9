/* entry.c -- nodes for what names show, and entries for the kernel (DESIGN 10, last paragraph). */
#include "fs/core/state.h"

static bool descends(const struct nwr_version *v, struct nwr_dot d)
{
    return d.counter && nwr_vv_get(&v->past, d.actor) >= d.counter;
}

static const struct nwr_record *contents(const struct nwr_txn *t, nwr_ino root)
{
    struct nwr_key key = nwr_key_reg(root, NWR_REG_CONTENT);

    return nwr_txn_peek(t, &key);
}

/* What was read is older than the node's own content. A context tells; where a floor has taken all
 * of it but what is there (net/core/floor.h), what is shown does not continue that and was written
 * before. */
static bool is_before(const struct nwr_record *rec, const struct nwr_version *v,
                      const struct nwr_node *n)
{
    if (!rec || nwr_ctx_has(&rec->ctx, n->version.dot))
        return false;
    if (rec->ctx.vv.n || rec->ctx.dots.n != rec->n || !v)
        return true;
    return !descends(v, n->version.dot) && n->version_hlc > v->hlc;
}

/* Same version, or one that continues the node's, which nobody shows any more. */
static bool stands_for(const struct nwr_txn *t, const struct nwr_node *n, const struct nwr_shown *x)
{
    const struct nwr_record *rec = contents(t, x->root);
    const struct nwr_version *v = rec ? nwr_record_find(rec, x->version.dot) : NULL;

    if (n->type != x->type || n->refused)
        return false;
    if (x->type != NWR_TYPE_REG)
        return n->ino == x->ino;
    if (x->version.dot.counter == 0 || n->version.dot.counter == 0 || n->held)
        return true;
    if (nwr_dot_cmp(n->version.dot, x->version.dot) == 0 || n->version.wid == x->version.wid)
        return true;
    if (is_before(rec, v, n))
        return true;
    return v && descends(v, n->version.dot) && !nwr_record_find(rec, n->version.dot);
}

static bool is_same(const struct nwr_node *n, const struct nwr_shown *x)
{
    return n->version.wid == x->version.wid || nwr_dot_cmp(n->version.dot, x->version.dot) == 0;
}

bool nwr_entry_ahead(const struct nwr_txn *t, const struct nwr_node *n, const struct nwr_shown *x)
{
    const struct nwr_record *rec = contents(t, x->root);

    return n->loaded && !n->refused && n->version.dot.counter && !is_same(n, x) &&
           is_before(rec, rec ? nwr_record_find(rec, x->version.dot) : NULL, n);
}

void nwr_entry_refresh(struct nwr_txn *t, struct nwr_node *n, const struct nwr_shown *x)
{
    const struct nwr_record *rec = contents(t, x->root);
    const struct nwr_version *v = rec ? nwr_record_find(rec, x->version.dot) : NULL;
    bool same = is_same(n, x);

    n->ino = x->ino;
    n->number = x->number;
    n->elsewhere = x->elsewhere;
    if (x->base_len) { /* found under a name */
        /* A replica says that it has a name. What is written now is not known to be removed. */
        n->unlinked = n->unlinked && n->dropped;
        n->twins = x->twins;
        n->within = x->within;
    }
    if (n->type == NWR_TYPE_DIR)
        n->dirs = x->dirs;
    if (n->type != NWR_TYPE_REG || x->version.dot.counter == 0 || n->held || n->pushing ||
        n->refused || nwr_node_unsent(n))
        return;
    if (nwr_entry_ahead(t, n, x))
        return;
    nwr_node_base(n, x->version, v ? v->hlc : 0);
    n->line = x->line;
    if (same)
        return;
    n->loaded = false;
    if (n->has_pages)
        nwr_mount_inval(t->m, n, 0, 0);
}

struct nwr_node *nwr_entry_node(struct nwr_txn *t, const struct nwr_shown *x)
{
    struct nwr_itable *it = &t->m->nodes;
    struct nwr_node *n = nwr_itable_of(it, x->root);

    while (n && !stands_for(t, n, x))
        n = nwr_itable_next(n);
    if (!n)
        n = nwr_itable_add(it, x->ino, x->root, x->type);
    nwr_entry_refresh(t, n, x);
    return n;
}

bool nwr_entry_fill(struct nwr_txn *t, const struct nwr_shown *x, struct nwr_fs_entry *e)
{
    struct nwr_node *n;
    struct nwr_attr a;

    memset(e, 0, sizeof(*e));
    if (!nwr_attr_merge(t, x->root, &a))
        return false;
    nwr_attr_deinit(&a);
    n = nwr_entry_node(t, x);
    nwr_attr_stat(t, x, n, &e->st);
    e->node = n->id;
    e->generation = 1;
    n->nlookup++;
    return true;
}

bool nwr_entry_from_page(struct nwr_txn *t, const struct nwr_dir_seen *seen, struct nwr_fs_entry *e)
{
    struct nwr_node *n;

    memset(e, 0, sizeof(*e));
    if (!seen->whole)
        return false;
    n = nwr_entry_node(t, &seen->x);
    e->st = seen->st;
    e->node = n->id;
    e->generation = 1;
    n->nlookup++;
    return true;
}

void nwr_entry_reply(struct nwr_txn *t, const struct nwr_shown *x)
{
    t->reply.kind = NWR_REPLY_ENTRY;
    if (!nwr_entry_fill(t, x, &t->reply.entry)) {
        t->reply.kind = NWR_REPLY_ERR;
        t->reply.err = EIO;
    }
}

struct nwr_node *nwr_entry_dir(struct nwr_txn *t, uint64_t id)
{
    struct nwr_node *n = nwr_itable_find(&t->m->nodes, id);

    if (!n || n->type != NWR_TYPE_DIR) {
        t->eno = n ? ENOTDIR : ESTALE;
        return NULL;
    }
    nwr_txn_pin(t, n);
    return n;
}

size_t nwr_entry_name(struct nwr_txn *t, const char *name)
{
    size_t len = name ? strlen(name) : 0;

    if (len == 0 || len > NWR_NAME_MAX) {
        t->eno = len ? ENAMETOOLONG : EINVAL;
        return 0;
    }
    if (name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.'))) {
        t->eno = EINVAL;
        return 0;
    }
    return len;
}

void nwr_txn_policy(struct nwr_txn *t, const struct nwr_node *n)
{
    t->w = n->policy.w;
    t->r = n->policy.r;
    t->sloppy = n->policy.sloppy;
    t->level = nwr_push_level(t->m, n);
}
