/* op_remove.c -- UNLINK, RMDIR, RENAME: operations that take a name away. */
#include "fs/core/conflict.h"
#include "fs/core/ops.h"

enum {
    LOOKS_MAX = 16 /* pages of names that are looked at before a directory is removed */
};

/* ---- shared --------------------------------------------------------------------------------- */

/* What was read is not what this mount knows of n: a push is under way, or has ended since. */
static bool is_behind(const struct nwr_txn *t, const struct nwr_node *n, const struct nwr_shown *x)
{
    return !n->refused && (n->pushing || (t->pushed != n && nwr_entry_ahead(t, n, x)));
}

enum nwr_plan nwr_op_sent(struct nwr_txn *t, const struct nwr_shown *x)
{
    struct nwr_node *n = nwr_itable_of(&t->m->nodes, x->root);

    for (; n; n = nwr_itable_next(n))
        if (is_behind(t, n, x) || (!n->refused && nwr_node_unsent(n)))
            return nwr_txn_after_push(t, n);
    return NWR_PLAN_DONE;
}

void nwr_op_unlinked(struct nwr_txn *t, const struct nwr_shown *x)
{
    struct nwr_node *n = nwr_itable_of(&t->m->nodes, x->root);
    bool open = false;

    if (x->type != NWR_TYPE_DIR && nwr_attr_links(t, x->root))
        return;
    for (; n; n = nwr_itable_next(n)) {
        n->unlinked = true;
        open |= n->opens > 0;
    }
    if (!open && x->type != NWR_TYPE_DIR)
        nwr_reap_later(t->m, x->root);
}

/* Names in a directory that nobody else has seen yet. */
static bool has_births(const struct nwr_mount *m, nwr_ino dir)
{
    struct nwr_key prefix = nwr_key_entries(dir);

    for (uint32_t i = 0; i < m->nodes.nbirth; i++) {
        const struct nwr_request *held = m->nodes.birth[i]->held;

        for (uint32_t j = 0; j < held->nwrite; j++)
            if (nwr_key_has_prefix(&held->write[j].key, &prefix))
                return true;
    }
    return false;
}

static enum nwr_plan plan_sweep(struct nwr_txn *t)
{
    return nwr_view_sweep(t, t->ino) ? NWR_PLAN_DONE : NWR_PLAN_WAIT;
}

/* Slots that show nothing go: the next one who removes the directory will find it empty. */
static void sweep(struct nwr_txn *t, const struct nwr_dirs *dirs, struct nwr_node *parent)
{
    for (uint32_t i = 0; i < dirs->n; i++) {
        struct nwr_txn *job = nwr_txn_new(t->m, plan_sweep, NULL, NULL);

        nwr_txn_pin(job, parent);
        nwr_txn_policy(job, parent);
        job->ino = dirs->ino[i];
        nwr_txn_run(job);
    }
}

/* Whether a name of the page that was read shows something, hidden siblings too. */
static bool page_shows(struct nwr_txn *t, const struct nwr_dirs *dirs, bool *whole)
{
    const struct nwr_page *p = &t->page;
    struct nwr_shown_list list = {0};
    bool shows;

    for (uint32_t i = nwr_rows_lower(&t->rows, &p->prefix);
         list.n == 0 && i < t->rows.n && nwr_key_has_prefix(&t->rows.row[i].key, &p->prefix); i++) {
        struct nwr_key_parts parts;
        struct nwr_key entry;

        if (!nwr_txn_knows(t, &t->rows.row[i].key))
            continue;
        t->leftover |= nwr_record_live(&t->rows.row[i].rec) > 0;
        if (nwr_view_begins(&t->rows, i, &parts, &entry) && nwr_key_cmp(&entry, &p->after) > 0)
            *whole &= nwr_view_all(t, dirs, parts.name, parts.name_len, &list);
    }
    shows = list.n > 0;
    nwr_shown_list_deinit(&list);
    return shows;
}

/* A replica holds the directory x for not empty, or would: there is a name, or what may have come
 * back. Page by page it is seen whether anything shows. Of many pages that show nothing the rest is
 * not read: if something does, the directory is back with it. */
static enum nwr_plan look_inside(struct nwr_txn *t, const struct nwr_shown *x,
                                 struct nwr_node *parent)
{
    while (t->looks_inside && t->looked < x->dirs.n) {
        bool whole = true;

        if (!t->page.ready) {
            nwr_txn_page(t, x->dirs.ino[t->looked], &t->look);
            return NWR_PLAN_WAIT;
        }
        if (page_shows(t, &x->dirs, &whole))
            return nwr_txn_fail(t, ENOTEMPTY);
        if (!whole)
            return NWR_PLAN_WAIT;
        t->page.ready = false;
        t->look = t->page.last;
        if (!t->page.more || ++t->looks == LOOKS_MAX) {
            t->look.len = 0;
            t->looked++;
        }
    }
    if (!t->leftover)
        return NWR_PLAN_DONE;
    sweep(t, &x->dirs, parent);
    return nwr_txn_fail(t, ENOTEMPTY);
}

/* All directories of a union are empty and take no more names. */
static bool bury(struct nwr_txn *t, const struct nwr_shown *x)
{
    for (uint32_t i = 0; i < x->dirs.n; i++)
        if (has_births(t->m, x->dirs.ino[i]))
            return false;
    for (uint32_t i = 0; i < x->dirs.n; i++)
        nwr_view_bury(t, x->dirs.ino[i]);
    return true;
}

static enum nwr_plan find(struct nwr_txn *t, struct nwr_node **dir)
{
    size_t len = nwr_entry_name(t, t->req->name);

    *dir = nwr_entry_dir(t, t->req->node);
    if (!*dir || !len)
        return nwr_txn_fail(t, t->eno);
    nwr_txn_policy(t, *dir);
    if (!nwr_view_find(t, &(*dir)->dirs, t->req->name, len, true, &t->x))
        return NWR_PLAN_WAIT;
    return t->x.ino ? NWR_PLAN_DONE : nwr_txn_fail(t, ENOENT);
}

/* ---- UNLINK, RMDIR -------------------------------------------------------------------------- */

/* Where siblings are hidden, nobody could remove them by what a listing shows: they go along. */
static bool detach_hidden(struct nwr_txn *t)
{
    struct nwr_shown_list list = {0};
    bool whole, hide = false;

    if (t->x.number)
        return true;
    whole = nwr_view_all(t, &t->x.within, t->x.base, t->x.base_len, &list);
    if (whole && list.n > 1)
        whole = nwr_view_hides(t, t->x.within.ino[0], &hide);
    for (uint32_t i = 0; whole && hide && i < list.n; i++)
        if (list.e[i].number)
            whole = nwr_view_detach(t, &list.e[i], true, NULL, NULL);
    nwr_shown_list_deinit(&list);
    return whole;
}

enum nwr_plan nwr_plan_unlink(struct nwr_txn *t)
{
    struct nwr_node *dir, *n;
    enum nwr_plan plan = find(t, &dir);

    if (plan == NWR_PLAN_FAIL && t->eno == ENOENT && nwr_spool_find(t->m, &dir->dirs, t->req->name))
        return nwr_kept_remove(t, nwr_spool_find(t->m, &dir->dirs, t->req->name));
    if (plan != NWR_PLAN_DONE)
        return plan;
    if (t->x.type == NWR_TYPE_DIR)
        return nwr_txn_fail(t, EISDIR);
    n = nwr_birth_of(t->m, t->x.root);
    if (n && (n->pushing || n->tried))
        return nwr_txn_after_push(t, n);
    if (n) { /* nothing is sent at all */
        nwr_birth_unname(t->m, n);
        t->number = n->id;
        return NWR_PLAN_DONE;
    }
    for (n = nwr_itable_of(&t->m->nodes, t->x.root); n; n = nwr_itable_next(n))
        if (is_behind(t, n, &t->x))
            return nwr_txn_after_push(t, n);
    if (!detach_hidden(t) || !nwr_view_alone(t, &t->x) ||
        !nwr_view_detach(t, &t->x, true, NULL, NULL))
        return NWR_PLAN_WAIT;
    nwr_push_bar(t, t->x.root);
    return NWR_PLAN_DONE;
}

void nwr_finish_unlink(struct nwr_txn *t)
{
    struct nwr_node *n = t->number ? nwr_itable_find(&t->m->nodes, t->number) : NULL;

    nwr_entry_touch(t->m, t->node);
    if (n)
        nwr_push_stop(t->m, n);
    else
        nwr_op_unlinked(t, &t->x);
}

enum nwr_plan nwr_plan_rmdir(struct nwr_txn *t)
{
    struct nwr_node *dir, *n;
    enum nwr_plan plan = find(t, &dir);

    if (plan != NWR_PLAN_DONE)
        return plan;
    if (t->x.type != NWR_TYPE_DIR)
        return nwr_txn_fail(t, ENOTDIR);
    n = nwr_itable_of(&t->m->nodes, t->x.root);
    if (n && n->touched) /* names went that led to what may come back */
        t->looks_inside = true;
    plan = look_inside(t, &t->x, dir);
    if (plan != NWR_PLAN_DONE)
        return plan;
    if (nwr_spool_in(t->m, &t->x.dirs, NULL) || !bury(t, &t->x))
        return nwr_txn_fail(t, ENOTEMPTY);
    return nwr_view_detach(t, &t->x, true, NULL, NULL) ? NWR_PLAN_DONE : NWR_PLAN_WAIT;
}

void nwr_finish_rmdir(struct nwr_txn *t)
{
    t->node->counted = 0;
    nwr_entry_touch(t->m, t->node);
    nwr_op_unlinked(t, &t->x);
    for (uint32_t i = 0; i < t->x.dirs.n; i++)
        nwr_reap_later(t->m, t->x.dirs.ino[i]);
}

/* ---- RENAME --------------------------------------------------------------------------------- */

static int may_replace(const struct nwr_shown *x, const struct nwr_shown *y)
{
    if (y->type == NWR_TYPE_DIR)
        return x->type == NWR_TYPE_DIR ? 0 : EISDIR;
    return x->type == NWR_TYPE_DIR ? ENOTDIR : 0;
}

/* What can be said without changing anything; DONE: go on. */
static enum nwr_plan check_rename(struct nwr_txn *t, struct nwr_node *to)
{
    const struct nwr_fs_req *req = t->req;
    enum nwr_plan plan;
    int eno;

    if (req->flags & ~(uint32_t)(NWR_RENAME_NOREPLACE | NWR_RENAME_EXCHANGE))
        return nwr_txn_fail(t, EINVAL); /* a whiteout is for layers of an overlay */
    if (t->x.ino == 0)                  /* what was refused is on this mount alone: mv copies it */
        return nwr_txn_fail(t, nwr_spool_find(t->m, &t->node->dirs, req->name) ? EXDEV : ENOENT);
    if (t->y.ino == 0 && nwr_spool_find(t->m, &to->dirs, req->name2))
        return nwr_txn_fail(t, EPERM);
    /* Parts of several nodes, or what is shown without a slot: mv copies what is there now. */
    if (t->x.dirs.n > 1 || t->x.skipped || t->x.elsewhere)
        return nwr_txn_fail(t, EXDEV);
    if (req->flags & NWR_RENAME_EXCHANGE && (t->y.dirs.n > 1 || t->y.skipped || t->y.elsewhere))
        return nwr_txn_fail(t, EXDEV);
    if (req->flags & NWR_RENAME_NOREPLACE && t->y.ino)
        return nwr_txn_fail(t, EEXIST);
    if (req->flags & NWR_RENAME_EXCHANGE && !t->y.ino)
        return nwr_txn_fail(t, ENOENT);
    if (req->flags & NWR_RENAME_EXCHANGE && nwr_ino_pg(t->x.parent) != nwr_ino_pg(t->y.parent))
        return nwr_txn_fail(t, EXDEV);
    for (uint32_t i = 0; i < to->dirs.n; i++)
        if (to->dirs.ino[i] == t->x.ino)
            return nwr_txn_fail(t, EINVAL);
    eno = t->y.ino && !(req->flags & NWR_RENAME_EXCHANGE) ? may_replace(&t->x, &t->y) : 0;
    if (eno)
        return nwr_txn_fail(t, eno);
    plan = nwr_op_sent(t, &t->x);
    if (plan == NWR_PLAN_DONE && t->y.ino)
        plan = nwr_op_sent(t, &t->y);
    return plan;
}

static void guard_free(struct nwr_txn *t, nwr_ino dir, const char *name, size_t len)
{
    struct nwr_key entry = nwr_key_entry(dir, name, len);
    const struct nwr_record *rec = nwr_txn_peek(t, &entry);
    struct nwr_guard *g = nwr_txn_guard(t, NWR_GUARD_SEEN, &entry);

    for (uint32_t i = 0; rec && i < rec->n; i++)
        nwr_guard_seen(g, rec->v[i].dot, rec->v[i].wid);
}

/* A directory that moves, or whatever moves to another placement group, says where it came from. */
static void stage_intent(struct nwr_txn *t, const struct nwr_shown *x, const struct nwr_shown *over,
                         const struct nwr_intent_to *to)
{
    if (x->type == NWR_TYPE_DIR || nwr_ino_pg(to->dir) != nwr_ino_pg(x->parent))
        nwr_intent_stage(t, x, over, to);
}

static bool exchange(struct nwr_txn *t)
{
    static const struct nwr_shown none;
    struct nwr_intent_to to = {.exchange = true};
    nwr_ino xi, xr, yi, yr;
    bool whole;

    whole = nwr_view_alone(t, &t->x) && nwr_view_alone(t, &t->y) &&
            nwr_view_detach(t, &t->x, false, &xi, &xr) &&
            nwr_view_detach(t, &t->y, false, &yi, &yr) &&
            nwr_view_attach(t, t->y.parent, t->y.base, t->y.base_len, xi, xr, t->x.type) &&
            nwr_view_attach(t, t->x.parent, t->x.base, t->x.base_len, yi, yr, t->y.type);
    if (!whole)
        return false;
    to.root = xr;
    to.dir = t->y.parent;
    to.name = t->y.base;
    to.len = t->y.base_len;
    stage_intent(t, &t->x, &none, &to);
    to.root = yr;
    to.dir = t->x.parent;
    to.name = t->x.base;
    to.len = t->x.base_len;
    stage_intent(t, &t->y, &none, &to);
    return true;
}

static enum nwr_plan stage_rename(struct nwr_txn *t, struct nwr_node *to, size_t len)
{
    nwr_ino dir = to->dirs.ino[0], ino, root;
    struct nwr_intent_to new = {.dir = dir, .name = t->req->name2, .len = len};

    if (t->req->flags & NWR_RENAME_EXCHANGE)
        return exchange(t) ? NWR_PLAN_DONE : NWR_PLAN_WAIT;
    if (t->y.ino && t->y.type == NWR_TYPE_DIR) {
        enum nwr_plan plan = look_inside(t, &t->y, to);

        if (plan != NWR_PLAN_DONE)
            return plan;
        if (!bury(t, &t->y))
            return nwr_txn_fail(t, ENOTEMPTY);
    }
    if (!nwr_view_alone(t, &t->x) || !nwr_view_detach(t, &t->x, false, &ino, &root))
        return NWR_PLAN_WAIT;
    if (t->y.ino && !nwr_view_alone(t, &t->y))
        return NWR_PLAN_WAIT;
    if (t->y.ino && !nwr_view_detach(t, &t->y, true, NULL, NULL))
        return NWR_PLAN_WAIT;
    if (!nwr_view_attach(t, dir, t->req->name2, len, ino, root, t->x.type) ||
        !nwr_view_enter(t, dir))
        return NWR_PLAN_WAIT;
    new.root = root;
    stage_intent(t, &t->x, &t->y, &new);
    if (t->req->flags & NWR_RENAME_NOREPLACE)
        guard_free(t, dir, t->req->name2, len);
    nwr_push_bar(t, t->x.root);
    nwr_push_bar(t, t->y.root);
    return NWR_PLAN_DONE;
}

enum nwr_plan nwr_plan_rename(struct nwr_txn *t)
{
    struct nwr_node *from = nwr_entry_dir(t, t->req->node), *to = nwr_entry_dir(t, t->req->node2);
    size_t len = nwr_entry_name(t, t->req->name), len2 = nwr_entry_name(t, t->req->name2);
    enum nwr_plan plan;
    bool both, over;

    if (!from || !to || !len || !len2)
        return nwr_txn_fail(t, t->eno);
    nwr_txn_policy(t, to);
    both = nwr_view_find(t, &from->dirs, t->req->name, len, true, &t->x);
    both &= nwr_view_find(t, &to->dirs, t->req->name2, len2, true, &t->y);
    if (!both)
        return NWR_PLAN_WAIT;
    plan = check_rename(t, to);
    if (plan != NWR_PLAN_DONE)
        return plan;
    if (t->x.ino == t->y.ino) { /* two names of one inode: nothing happens */
        t->y.ino = 0;
        return NWR_PLAN_DONE;
    }
    over = t->y.ino && t->y.type == NWR_TYPE_REG && t->y.number == 0 && t->req->flags == 0;
    if (over &&
        !nwr_view_base(t, &to->dirs, t->req->name2, len2, t->req->process, t->m->reads, &t->y))
        return NWR_PLAN_WAIT;
    if (over && to->policy.reject && (t->y.ino == 0 || t->y.number))
        return nwr_txn_fail(t, ESTALE); /* its temporary file keeps what it wrote */
    return stage_rename(t, to, len2);
}

void nwr_op_placed(struct nwr_txn *t, const struct nwr_node *dir, const char *name,
                   const struct nwr_shown *x)
{
    uint64_t hash = nwr_name_hash(dir->dirs.ino[0], name, strlen(name));

    nwr_reads_renew(t->m->reads, hash);
    nwr_reads_put(t->m->reads, t->req->process, hash, x->root, x->version);
}

void nwr_finish_rename(struct nwr_txn *t)
{
    bool dirs = t->x.type == NWR_TYPE_DIR || (t->y.ino && t->y.type == NWR_TYPE_DIR);

    nwr_entry_touch(t->m, t->node);
    if (dirs)
        t->node->counted = 0;
    if (t->node2)
        nwr_entry_touch(t->m, t->node2);
    if (t->node2 && dirs)
        t->node2->counted = 0;
    nwr_op_placed(t, t->node2 ? t->node2 : t->node, t->req->name2, &t->x);
    if (t->req->flags & NWR_RENAME_EXCHANGE)
        nwr_op_placed(t, t->node, t->req->name, &t->y);
    if (t->y.ino && !(t->req->flags & NWR_RENAME_EXCHANGE))
        nwr_op_unlinked(t, &t->y);
    if (t->x.type == NWR_TYPE_DIR)
        nwr_reap_later(t->m, t->x.root);
    if (t->y.ino && t->y.type == NWR_TYPE_DIR)
        nwr_reap_later(t->m, t->y.root);
}
