/* op_lookup.c -- LOOKUP, GETATTR, READLINK, STATFS and what else only looks. */
#include "fs/core/conflict.h"
#include "fs/core/ops.h"
#include "fs/core/place.h"

/* A name that the thread was just told, or a directory that it just passed. */
static bool answered(struct nwr_txn *t, const struct nwr_node *dir, size_t len)
{
    struct nwr_dir *d = nwr_op_listing(t);
    const struct nwr_dir_seen *seen;
    struct nwr_node *n;

    if (!d)
        return false;
    seen = d->node == dir ? nwr_dir_recall(d, t->req->name, len) : NULL;
    if (seen) {
        t->reply.kind = NWR_REPLY_ENTRY;
        return nwr_entry_from_page(t, seen, &t->reply.entry);
    }
    for (uint32_t i = 0; i < NWR_DIR_MEMOS; i++) {
        struct nwr_dir_memo *memo = &d->memo[i];

        if (memo->parent != dir->id || memo->at + NWR_LISTED_MS < t->m->now ||
            strcmp(memo->name, t->req->name) != 0)
            continue;
        n = nwr_itable_find(&t->m->nodes, memo->node);
        if (!n)
            return false;
        n->nlookup++;
        t->reply.kind = NWR_REPLY_ENTRY;
        t->reply.entry = (struct nwr_fs_entry){.node = n->id, .generation = 1, .st = memo->st};
        return true;
    }
    return false;
}

static void remember(struct nwr_txn *t, uint64_t parent, const char *name, uint64_t node,
                     const struct stat *st)
{
    struct nwr_dir *d = S_ISDIR(st->st_mode) ? nwr_op_listing(t) : NULL;
    struct nwr_dir_memo *memo;

    if (!d)
        return;
    memo = &d->memo[d->memo_at++ % NWR_DIR_MEMOS];
    *memo = (struct nwr_dir_memo){.parent = parent, .node = node, .st = *st, .at = t->m->now};
    memcpy(memo->name, name, strlen(name) + 1);
}

static struct nwr_guess *guess_of(struct nwr_mount *m, uint64_t name)
{
    return &m->guess[name & (NWR_GUESSES - 1)];
}

/* A subdirectory has a PG of its own: its inode is asked for while its name is, if the name leads
 * to the same inode as the last time. */
void nwr_op_guess(struct nwr_txn *t, const struct nwr_node *dir, const char *name, size_t len)
{
    uint64_t hash = nwr_name_hash(dir->dirs.ino[0], name, len);
    const struct nwr_guess *g = guess_of(t->m, hash);

    if (g->root && g->name == hash)
        nwr_txn_guess(t, g->root);
}

static void note_guess(struct nwr_txn *t, const struct nwr_node *dir)
{
    uint64_t name = nwr_name_hash(dir->dirs.ino[0], t->req->name, strlen(t->req->name));
    struct nwr_guess *g = guess_of(t->m, name);

    if (t->x.root && nwr_ino_pg(t->x.root) != nwr_ino_pg(dir->dirs.ino[0]))
        *g = (struct nwr_guess){name, t->x.root};
    else if (g->name == name)
        *g = (struct nwr_guess){0};
}

enum nwr_plan nwr_plan_lookup(struct nwr_txn *t)
{
    struct nwr_node *dir = nwr_entry_dir(t, t->req->node);
    size_t len = nwr_entry_name(t, t->req->name);

    if (!dir || !len)
        return nwr_txn_fail(t, t->eno);
    nwr_txn_policy(t, dir);
    if (t->runs == 1 && answered(t, dir, len))
        return NWR_PLAN_DONE;
    if (t->runs == 1)
        nwr_op_guess(t, dir, t->req->name, len);
    if (!nwr_view_find(t, &dir->dirs, t->req->name, len, true, &t->x))
        return NWR_PLAN_WAIT;
    return NWR_PLAN_DONE;
}

struct nwr_dir *nwr_op_listing(struct nwr_txn *t)
{
    struct nwr_mount *m = t->m;

    for (struct nwr_handle *h = m->handles; h; h = h->next)
        if (h->dir && h->dir->npage && h->dir->page_pid == t->req->pid &&
            h->dir->page_changes == m->changes && h->dir->page_at + NWR_LISTED_MS >= m->now)
            return h->dir;
    return NULL;
}

void nwr_finish_lookup(struct nwr_txn *t)
{
    if (t->reply.kind == NWR_REPLY_ENTRY)
        return;
    note_guess(t, t->node);
    nwr_ahead_note(t->m, t->node, t->req, t->x.ino && t->x.type == NWR_TYPE_DIR);
    if (t->x.ino == 0) {
        const struct nwr_spool_item *item = nwr_spool_find(t->m, &t->node->dirs, t->req->name);

        if (item) {
            nwr_kept_reply(t, item);
            return;
        }
        t->reply.err = ENOENT;
        return;
    }
    nwr_spool_yield(t->m, &t->node->dirs, t->req->name);
    nwr_entry_reply(t, &t->x);
    nwr_intent_meet(t, &t->x);
    if (t->reply.kind == NWR_REPLY_ENTRY)
        remember(t, t->node->id, t->req->name, t->reply.entry.node, &t->reply.entry.st);
}

/* The node of a request that is about an inode. */
struct nwr_node *nwr_op_node(struct nwr_txn *t)
{
    struct nwr_node *n = nwr_itable_find(&t->m->nodes, t->req->node);

    if (!n) {
        t->eno = ESTALE;
        return NULL;
    }
    nwr_txn_pin(t, n);
    nwr_txn_policy(t, n);
    return n;
}

/* What the request's node shows: NWR_PLAN_DONE with t->x set. */
enum nwr_plan nwr_op_shown(struct nwr_txn *t)
{
    struct nwr_node *n = nwr_op_node(t);

    if (!n)
        return nwr_txn_fail(t, t->eno);
    if (!nwr_view_node(t, n, &t->x))
        return NWR_PLAN_WAIT;
    return t->x.ino ? NWR_PLAN_DONE : nwr_txn_fail(t, ESTALE);
}

void nwr_op_reply_attr(struct nwr_txn *t)
{
    nwr_entry_refresh(t, t->node, &t->x);
    t->reply.kind = NWR_REPLY_ATTR;
    if (!nwr_attr_stat(t, &t->x, t->node, &t->reply.entry.st)) {
        t->reply.kind = NWR_REPLY_ERR;
        t->reply.err = ESTALE;
    }
}

/* ---- subdirectories: st_nlink of a directory is 2 + what a listing shows of them ------------ */

/* Whatever changes a directory's names changes its attributes, at the latest a second later. */
static uint64_t attr_mark(const struct nwr_txn *t, const struct nwr_dirs *dirs)
{
    uint64_t mark = 1;

    for (uint32_t i = 0; i < dirs->n; i++) {
        struct nwr_key key = nwr_key_reg(dirs->ino[i], NWR_REG_ATTR);
        const struct nwr_record *rec = nwr_txn_peek(t, &key);

        mark = nwr_mix64(mark ^ dirs->ino[i]);
        for (uint32_t j = 0; rec && j < rec->n; j++)
            mark = nwr_mix64(mark ^ rec->v[j].wid);
    }
    return mark ? mark : 1;
}

static bool names_dir(const struct nwr_record *rec)
{
    struct nwr_slot s;
    bool dir = false;

    for (uint32_t i = 0; i < rec->n && !dir; i++) {
        if (rec->v[i].flags & (NWR_V_TOMBSTONE | NWR_V_HIDDEN) ||
            nwr_slot_decode(&s, &rec->v[i]) != NWR_OK)
            continue;
        dir = s.type == NWR_TYPE_DIR;
        nwr_slot_deinit(&s);
    }
    return dir;
}

static uint32_t count_page(const struct nwr_txn *t)
{
    const struct nwr_key *prefix = &t->page.prefix;
    uint32_t n = 0;

    for (uint32_t i = nwr_rows_lower(&t->rows, prefix);
         i < t->rows.n && nwr_key_has_prefix(&t->rows.row[i].key, prefix); i++)
        n += names_dir(&t->rows.row[i].rec);
    return n;
}

/* One page of names is read, at the same time as the attributes: a directory of more is not
 * counted. `plan` is what the look at the directory itself came to. */
static enum nwr_plan count_subdirs(struct nwr_txn *t, struct nwr_node *n, enum nwr_plan plan)
{
    uint64_t mark = plan == NWR_PLAN_DONE ? attr_mark(t, &n->dirs) : 0;

    if (t->page.ready) {
        t->subdirs = t->page.more ? NWR_SUBDIRS_MANY : t->subdirs + count_page(t);
        t->parts = t->page.more ? n->dirs.n : t->parts + 1u;
        t->page.ready = false;
    }
    if (mark && n->counted == mark)
        return NWR_PLAN_DONE;
    if ((mark || !n->counted) && t->parts < n->dirs.n) {
        nwr_txn_names(t, n->dirs.ino[t->parts]);
        return NWR_PLAN_WAIT;
    }
    if (mark) {
        n->subdirs = t->subdirs;
        n->counted = mark;
    }
    return plan;
}

enum nwr_plan nwr_plan_getattr(struct nwr_txn *t)
{
    struct nwr_dir *d = t->runs == 1 ? nwr_op_listing(t) : NULL;
    const struct nwr_dir_seen *seen;
    const struct nwr_node *n;
    enum nwr_plan plan;

    for (uint32_t i = 0; d && i < NWR_DIR_MEMOS; i++)
        if (d->memo[i].parent == 0 && d->memo[i].node == t->req->node &&
            d->memo[i].at + NWR_LISTED_MS >= t->m->now) {
            t->reply.kind = NWR_REPLY_ATTR;
            t->reply.entry.st = d->memo[i].st;
            return NWR_PLAN_DONE;
        }
    n = d ? nwr_itable_find(&t->m->nodes, t->req->node) : NULL;
    seen = n ? nwr_dir_recall_node(d, n) : NULL;
    if (seen) {
        t->reply.kind = NWR_REPLY_ATTR;
        t->reply.entry.st = seen->st;
        return NWR_PLAN_DONE;
    }
    plan = nwr_op_shown(t);
    if (plan == NWR_PLAN_WAIT)
        nwr_ahead_ask(t);
    if (plan != NWR_PLAN_FAIL && t->node->type == NWR_TYPE_DIR)
        plan = count_subdirs(t, t->node, plan);
    return plan;
}

void nwr_finish_getattr(struct nwr_txn *t)
{
    if (t->reply.kind == NWR_REPLY_ATTR)
        return;
    nwr_op_reply_attr(t);
    if (t->reply.kind == NWR_REPLY_ATTR)
        remember(t, 0, "", t->node->id, &t->reply.entry.st);
}

enum nwr_plan nwr_plan_readlink(struct nwr_txn *t)
{
    enum nwr_plan plan = nwr_op_shown(t);

    if (plan == NWR_PLAN_DONE && t->node->type != NWR_TYPE_LNK)
        return nwr_txn_fail(t, EINVAL);
    return plan;
}

void nwr_finish_readlink(struct nwr_txn *t)
{
    struct nwr_out text = {0};
    struct nwr_attr a;

    if (t->x.elsewhere) {
        t->reply.kind = NWR_REPLY_BYTES;
        nwr_place_text(t, t->x.parent, t->x.root, &text);
        t->reply.data = nwr_out_blob(&text);
        return;
    }
    if (!nwr_attr_merge(t, t->x.root, &a) || !a.symlink) {
        t->reply.err = EIO;
        return;
    }
    t->reply.kind = NWR_REPLY_BYTES;
    t->reply.data = nwr_blob_copy(a.symlink, strlen(a.symlink));
    nwr_attr_deinit(&a);
}

enum nwr_plan nwr_plan_statfs(struct nwr_txn *t)
{
    if (t->other_done)
        return NWR_PLAN_DONE;
    if (!t->other)
        t->other = nwr_request_new(NWR_OP_STATFS, 0);
    return NWR_PLAN_WAIT;
}

void nwr_finish_statfs(struct nwr_txn *t)
{
    t->reply.kind = NWR_REPLY_STATFS;
    t->reply.bytes_total = t->last.bytes_total;
    t->reply.bytes_free = t->last.bytes_free;
    t->reply.files = t->last.files;
}
