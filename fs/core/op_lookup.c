/* op_lookup.c -- LOOKUP, GETATTR, READLINK, STATFS and what else only looks. */
#include "fs/core/ops.h"

/* ls -l: who lists a directory asks for each name right after, and gets what came with it. Other
 * threads, and everybody after a change by this mount or NWR_LISTED_MS, ask the volume. */
static const struct nwr_dir_seen *listed(struct nwr_txn *t, const struct nwr_node *dir, size_t len)
{
    struct nwr_mount *m = t->m;

    for (struct nwr_handle *h = m->handles; h; h = h->next)
        if (h->dir && h->node == dir && h->dir->page_pid == t->req->pid &&
            h->dir->page_changes == m->changes && h->dir->page_at + NWR_LISTED_MS >= m->now)
            return nwr_dir_recall(h->dir, t->req->name, len);
    return NULL;
}

enum nwr_plan nwr_plan_lookup(struct nwr_txn *t)
{
    const struct nwr_dir_seen *seen;

    struct nwr_node *dir = nwr_entry_dir(t, t->req->node);
    size_t len = nwr_entry_name(t, t->req->name);

    if (!dir || !len)
        return nwr_txn_fail(t, t->eno);
    nwr_txn_policy(t, dir);
    seen = t->runs == 1 ? listed(t, dir, len) : NULL;
    if (seen) {
        t->reply.kind = NWR_REPLY_ENTRY;
        nwr_entry_from_page(t, seen, &t->reply.entry);
        return NWR_PLAN_DONE;
    }
    if (!nwr_view_find(t, &dir->dirs, t->req->name, len, true, &t->x))
        return NWR_PLAN_WAIT;
    return NWR_PLAN_DONE;
}

void nwr_finish_lookup(struct nwr_txn *t)
{
    if (t->reply.kind == NWR_REPLY_ENTRY)
        return;
    if (t->x.ino == 0) {
        struct nwr_key key = nwr_key_entry(t->x.parent, t->req->name, strlen(t->req->name));
        const struct nwr_record *rec = nwr_txn_peek(t, &key);
        static const struct nwr_record none;

        if (!nwr_view_remembers(t, &key)) /* else the name is looked at again */
            nwr_recent_keep(t->m, &key, rec ? rec : &none);
        t->reply.err = ENOENT;
        return;
    }
    nwr_entry_reply(t, &t->x);
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

enum nwr_plan nwr_plan_getattr(struct nwr_txn *t)
{
    return nwr_op_shown(t);
}

void nwr_finish_getattr(struct nwr_txn *t)
{
    nwr_op_reply_attr(t);
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
    struct nwr_attr a;

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
