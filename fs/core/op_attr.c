/* op_attr.c -- SETATTR: size through the file, everything else in the attribute record. */
#include "fs/core/ops.h"

bool nwr_op_in_group(const struct nwr_fs_req *req, uint64_t gid)
{
    for (uint32_t i = 0; i < req->ngroup; i++)
        if (req->group[i] == gid)
            return true;
    return req->uid == 0 || req->gid == gid;
}

bool nwr_op_kill_priv(const struct nwr_fs_req *req, struct nwr_attr *a)
{
    uint64_t mode = a->mode.value & ~(uint64_t)S_ISUID;

    if (mode & S_IXGRP || !nwr_op_in_group(req, a->gid.value))
        mode &= ~(uint64_t)S_ISGID;
    if (a->type == NWR_TYPE_DIR || mode == a->mode.value)
        return false;
    nwr_attr_set_mode(a, (uint32_t)mode);
    return true;
}

void nwr_op_put_attr(struct nwr_txn *t, struct nwr_node *n, const struct nwr_attr *a)
{
    nwr_attr_put(t, n->root, a);
    if (n->held)
        nwr_birth_absorb(t, n);
}

static bool kills(const struct nwr_fs_req *req)
{
    if (req->set & NWR_SET_KILL_SUIDGID)
        return true;
    return req->set & (NWR_SET_UID | NWR_SET_GID) && !(req->set & NWR_SET_MODE);
}

static void set_owner(const struct nwr_fs_req *req, struct nwr_attr *a)
{
    if (req->set & NWR_SET_UID)
        a->uid = (struct nwr_stamped){(uint32_t)(req->count >> 32), 0};
    if (req->set & NWR_SET_GID)
        a->gid = (struct nwr_stamped){(uint32_t)req->count, 0};
}

static nwr_ns given(const struct nwr_txn *t, uint32_t now_bit, nwr_ns value)
{
    return t->req->set & now_bit ? t->m->wall : value;
}

/* An mtime that is set belongs to the content shown: the next content has its own. */
static void set_times(struct nwr_txn *t, struct nwr_node *n, struct nwr_attr *a)
{
    const struct nwr_fs_req *req = t->req;
    nwr_ns mtime = given(t, NWR_SET_MTIME_NOW, req->mtime);

    if (req->set & (NWR_SET_ATIME | NWR_SET_ATIME_NOW))
        a->atime = (struct nwr_stamped){given(t, NWR_SET_ATIME_NOW, req->atime), 0};
    if (!(req->set & (NWR_SET_MTIME | NWR_SET_MTIME_NOW)))
        return;
    if (n->held) /* its content goes out under another write_id, with this time */
        n->mtime = mtime;
    if (n->file && nwr_file_dirty(n->file)) {
        n->mtime = mtime;
        return;
    }
    a->mtime = (struct nwr_stamped){mtime, 0};
    a->mtime_of = n->type == NWR_TYPE_REG ? n->version.wid : 0;
    n->touched = 0;
}

#define SET_ATTR                                                                                   \
    (NWR_SET_MODE | NWR_SET_UID | NWR_SET_GID | NWR_SET_ATIME | NWR_SET_MTIME |                    \
     NWR_SET_ATIME_NOW | NWR_SET_MTIME_NOW | NWR_SET_KILL_SUIDGID)

static bool changes_attr(const struct nwr_txn *t, const struct nwr_node *n)
{
    if (t->req->set & NWR_SET_SIZE && (n->mode & (S_ISUID | S_ISGID)) == 0)
        return t->req->set & SET_ATTR & ~(uint32_t)NWR_SET_KILL_SUIDGID &
               ~(uint32_t)(NWR_SET_MTIME_NOW | NWR_SET_MTIME);
    return t->req->set & SET_ATTR;
}

static void stage_attr(struct nwr_txn *t, struct nwr_node *n)
{
    const struct nwr_fs_req *req = t->req;
    struct nwr_attr a;

    if (!nwr_attr_merge(t, n->root, &a))
        return;
    if (req->set & NWR_SET_MODE) {
        nwr_attr_set_mode(&a, req->mode & 07777);
    }
    if (kills(req)) /* by the group it had so far */
        nwr_op_kill_priv(req, &a);
    set_owner(req, &a);
    set_times(t, n, &a);
    a.ctime = (struct nwr_stamped){t->m->wall, 0};
    nwr_op_put_attr(t, n, &a);
    nwr_attr_deinit(&a);
}

/* Size first: without an open file nobody else would send it, so that is waited for. */
static enum nwr_plan set_size(struct nwr_txn *t, struct nwr_node *n)
{
    enum nwr_plan plan;

    if (t->req->size > INT64_MAX)
        return nwr_txn_fail(t, EFBIG);
    plan = nwr_op_file(t, n);
    if (plan != NWR_PLAN_DONE)
        return plan;
    if (!t->sized) {
        t->sized = true;
        if (nwr_file_size(n->file) == t->req->size)
            nwr_file_touch(n->file);
        nwr_file_truncate(n->file, t->req->size);
        n->mtime = n->changed = t->m->wall;
        n->saved = false;
        nwr_push_later(t->m, n);
    }
    if (n->opens == 0 && !n->dropped && (n->pushing || nwr_node_unsent(n)))
        return nwr_txn_after_push(t, n);
    return NWR_PLAN_DONE;
}

enum nwr_plan nwr_plan_setattr(struct nwr_txn *t)
{
    enum nwr_plan plan = nwr_op_shown(t);
    struct nwr_node *n = t->node;

    if (plan != NWR_PLAN_DONE)
        return plan;
    if (t->x.elsewhere) /* it has nothing of its own */
        return nwr_txn_fail(t, EPERM);
    nwr_entry_refresh(t, n, &t->x);
    /* The push has the creation's attributes with it, and a time of its own. */
    if (n->pushing && (n->held || t->req->set & (NWR_SET_MTIME | NWR_SET_MTIME_NOW)))
        return nwr_txn_after_push(t, n);
    if (t->req->set & NWR_SET_SIZE) {
        plan = set_size(t, n);
        if (plan != NWR_PLAN_DONE)
            return plan;
    }
    if (changes_attr(t, n))
        stage_attr(t, n);
    return NWR_PLAN_DONE;
}

void nwr_finish_setattr(struct nwr_txn *t)
{
    if (!nwr_view_node(t, t->node, &t->x) || t->x.ino == 0) {
        t->reply.err = ESTALE;
        return;
    }
    nwr_op_reply_attr(t);
}
