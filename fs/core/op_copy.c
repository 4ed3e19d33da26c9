/* op_copy.c -- COPY: copy_file_range by reference inside a placement group.
 *
 *   blocks are borrowed --> push of the target --ok--> reply
 *                                              \--failed, what was borrowed given back--> EXDEV
 *
 * On EXDEV the kernel copies the bytes itself. So it does between groups, where a replica of the
 * target need not have the blocks.
 */
#include "fs/core/ops.h"

static enum nwr_plan both(struct nwr_txn *t)
{
    struct nwr_node *to = nwr_itable_find(&t->m->nodes, t->req->node2);
    struct nwr_node *from = nwr_itable_find(&t->m->nodes, t->req->node);
    enum nwr_plan plan;

    if (!to || !from)
        return nwr_txn_fail(t, ESTALE);
    nwr_txn_pin(t, to);
    nwr_txn_pin(t, from); /* the second: blocks that are fetched are for its map (txn.c) */
    nwr_txn_policy(t, to);
    if (nwr_ino_pg(to->root) != nwr_ino_pg(from->root) || to->refused)
        return nwr_txn_fail(t, EXDEV);
    plan = nwr_op_file(t, to);
    return plan == NWR_PLAN_DONE ? nwr_op_file(t, from) : plan;
}

static enum nwr_plan borrow(struct nwr_txn *t, struct nwr_node *to, struct nwr_node *from)
{
    uint64_t size = nwr_file_size(from->file), left = size - NWR_MIN(size, t->req->off);
    uint64_t len = NWR_MIN(t->req->size, left);

    if (t->req->count > NWR_FILE_MAX - len)
        return nwr_txn_fail(t, EFBIG);
    if (!nwr_file_copy(to->file, t->req->count, from->file, t->req->off, len, &t->blocks))
        return NWR_PLAN_WAIT;
    t->tried = true;
    t->copied = len;
    t->number = to->returned;
    if (len)
        nwr_op_changed(t, to);
    return NWR_PLAN_DONE;
}

enum nwr_plan nwr_plan_copy(struct nwr_txn *t)
{
    enum nwr_plan plan = both(t);
    struct nwr_node *to = t->node;

    if (plan == NWR_PLAN_DONE && !t->tried)
        plan = borrow(t, to, t->node2 ? t->node2 : to);
    if (plan != NWR_PLAN_DONE)
        return plan;
    if (to->returned != t->number) {
        nwr_op_take_error(to);
        return nwr_txn_fail(t, EXDEV);
    }
    if (nwr_file_borrows(to->file) && !to->refused) {
        nwr_push_nameless(t->m, to);
        nwr_push_start(t->m, to, nwr_push_level(t->m, to));
        t->wants_push = to;
        return NWR_PLAN_WAIT;
    }
    return nwr_op_kill(t, to);
}

void nwr_finish_copy(struct nwr_txn *t)
{
    t->reply.kind = NWR_REPLY_COUNT;
    t->reply.count = t->copied;
}
