/* op_handle.c -- HANDLE: from a node number back to the node, and up to its parent directory.
 *
 * The kernel forgets nodes, and programs keep handles (open_by_handle_at, NFS): it then looks up
 * "." in a node number that may mean nothing here any more. The first node of an inode is numbered
 * by the inode (itable.h), so the inode is found again, also after a new mount. A further line of
 * the same inode (a sibling in a conflict) has a number of this mount only: ESTALE later.
 */
#include "fs/core/ops.h"
#include "fs/core/place.h"

/* The node numbered by an inode that still has a name. */
static enum nwr_plan revive(struct nwr_txn *t, nwr_ino ino, struct nwr_node **n)
{
    struct nwr_attr a;

    *n = nwr_itable_find(&t->m->nodes, ino);
    if (nwr_ino_pg(ino) >= NWR_MAX(t->m->config.info.pgs, 1))
        return nwr_txn_fail(t, ESTALE);
    if (!nwr_txn_object(t, *n ? (*n)->root : ino))
        return NWR_PLAN_WAIT;
    if (*n)
        return NWR_PLAN_DONE;
    if (!nwr_attr_merge(t, ino, &a))
        return nwr_txn_fail(t, ESTALE);
    if (ino == NWR_INO_ROOT || nwr_attr_links(t, ino))
        *n = nwr_itable_add(&t->m->nodes, ino, ino, a.type);
    nwr_attr_deinit(&a);
    return *n ? NWR_PLAN_DONE : nwr_txn_fail(t, ESTALE);
}

/* 0: it has none. False: not known yet. */
static bool parent_of(struct nwr_txn *t, const struct nwr_node *n, nwr_ino *parent)
{
    struct nwr_place p = {.parent = n->root};

    if (n->type != NWR_TYPE_DIR)
        p.parent = 0;
    else if (n->root != NWR_INO_ROOT && !nwr_place_find(t, n->root, &p))
        return false;
    *parent = p.parent;
    return true;
}

enum nwr_plan nwr_plan_handle(struct nwr_txn *t)
{
    struct nwr_node *n;
    enum nwr_plan plan = revive(t, t->req->node, &n);
    nwr_ino parent;

    if (plan == NWR_PLAN_DONE && t->req->flags & NWR_HANDLE_PARENT) {
        nwr_txn_pin(t, n);
        if (!parent_of(t, n, &parent))
            return NWR_PLAN_WAIT;
        plan = parent ? revive(t, parent, &n) : nwr_txn_fail(t, ESTALE);
    }
    if (plan != NWR_PLAN_DONE)
        return plan;
    nwr_txn_pin(t, n);
    if (!nwr_view_node(t, n, &t->x))
        return NWR_PLAN_WAIT;
    if (t->x.ino == 0 || (n->type != NWR_TYPE_DIR && nwr_attr_links(t, n->root) == 0))
        return nwr_txn_fail(t, ESTALE);
    return NWR_PLAN_DONE;
}

void nwr_finish_handle(struct nwr_txn *t)
{
    nwr_entry_reply(t, &t->x);
}
