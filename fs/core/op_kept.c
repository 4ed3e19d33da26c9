/* op_kept.c -- operations on what was refused and is kept on this mount (spool.h): it can be looked
 * at, read, listed and removed; mv copies it away. Everything else is EPERM. */
#include "fs/core/ops.h"

static void fill(struct nwr_txn *t, const struct nwr_spool_item *item, struct stat *st)
{
    struct timespec at = nwr_attr_time(item->mtime);

    (void)t;
    memset(st, 0, sizeof(*st));
    st->st_ino = item->ino;
    st->st_mode = S_IFREG | item->mode;
    st->st_nlink = 1;
    st->st_uid = item->uid;
    st->st_gid = item->gid;
    st->st_size = (off_t)item->size;
    st->st_blocks = (blkcnt_t)((item->size + 511) / 512);
    st->st_blksize = 4096;
    st->st_mtim = st->st_ctim = st->st_atim = at;
}

void nwr_kept_reply(struct nwr_txn *t, const struct nwr_spool_item *item)
{
    struct nwr_node *n = nwr_itable_of(&t->m->nodes, item->ino);
    struct nwr_fs_entry *e = &t->reply.entry;

    if (!n)
        n = nwr_itable_add(&t->m->nodes, item->ino, item->ino, NWR_TYPE_REG);
    n->kept = item->id;
    n->nlookup++;
    *e = (struct nwr_fs_entry){.node = n->id, .generation = 1};
    fill(t, item, &e->st);
    t->reply.kind = NWR_REPLY_ENTRY;
}

enum nwr_plan nwr_kept_remove(struct nwr_txn *t, const struct nwr_spool_item *item)
{
    t->eno = 0;       /* of the name that is not on the volume */
    if (t->keeping) { /* it is done */
        if (t->spool_err)
            return nwr_txn_fail(t, nwr_err_errno(t->spool_err));
        nwr_spool_drop(t->m, item->id);
        return NWR_PLAN_DONE;
    }
    t->keeping = true;
    t->spool = nwr_spool_op_new(NWR_SPOOL_REMOVE, item);
    return NWR_PLAN_WAIT;
}

/* ---- on its node ---------------------------------------------------------------------------- */

/* The request's node, pinned, and what it stands for; NULL: removed, t->eno is set. */
static const struct nwr_spool_item *item_of(struct nwr_txn *t)
{
    struct nwr_node *n = nwr_itable_find(&t->m->nodes, t->req->node);
    const struct nwr_spool_item *item = n ? nwr_spool_by_id(t->m, n->kept) : NULL;

    if (n)
        nwr_txn_pin(t, n);
    if (!item)
        t->eno = ESTALE;
    return item;
}

static enum nwr_plan plan_getattr(struct nwr_txn *t)
{
    const struct nwr_spool_item *item = item_of(t);

    if (!item)
        return NWR_PLAN_FAIL;
    t->reply.kind = NWR_REPLY_ATTR;
    fill(t, item, &t->reply.entry.st);
    return NWR_PLAN_DONE;
}

static enum nwr_plan plan_open(struct nwr_txn *t)
{
    if (!item_of(t))
        return NWR_PLAN_FAIL;
    if (t->req->flags & (NWR_O_ACCMODE | NWR_O_TRUNC))
        return nwr_txn_fail(t, EPERM);
    return NWR_PLAN_DONE;
}

static void finish_open(struct nwr_txn *t)
{
    t->reply.kind = NWR_REPLY_OPEN;
    t->reply.fh = nwr_mount_open(t->m, t->node, t->req->flags)->id;
    t->reply.noflush = true;
}

static enum nwr_plan plan_read(struct nwr_txn *t)
{
    const struct nwr_spool_item *item = item_of(t);

    if (t->keeping)
        return t->spool_err ? nwr_txn_fail(t, EIO) : NWR_PLAN_DONE;
    if (!item)
        return NWR_PLAN_FAIL;
    t->keeping = true;
    t->spool = nwr_spool_op_new(NWR_SPOOL_READ, item);
    t->spool->off = t->req->off;
    t->spool->len = (uint32_t)t->req->size;
    return NWR_PLAN_WAIT;
}

static void finish_read(struct nwr_txn *t)
{
    t->reply.kind = NWR_REPLY_DATA;
    if (!t->spool_data || t->spool_data->len == 0)
        return;
    t->reply.slice = nwr_alloc(sizeof(*t->reply.slice));
    t->reply.slice[0] = (struct nwr_fs_slice){t->spool_data, 0, t->spool_data->len};
    t->reply.nslice = 1;
    t->spool_data = NULL;
}

static enum nwr_plan plan_nothing(struct nwr_txn *t)
{
    (void)t;
    return NWR_PLAN_DONE;
}

static enum nwr_plan plan_getxattr(struct nwr_txn *t)
{
    return nwr_txn_fail(t, ENODATA);
}

static void finish_listxattr(struct nwr_txn *t)
{
    t->reply.kind = t->req->size ? NWR_REPLY_BYTES : NWR_REPLY_COUNT;
    if (t->req->size)
        t->reply.data = nwr_blob_new(0);
}

static enum nwr_plan plan_lseek(struct nwr_txn *t)
{
    const struct nwr_spool_item *item = item_of(t);

    if (!item)
        return NWR_PLAN_FAIL;
    if (t->req->off >= item->size)
        return nwr_txn_fail(t, ENXIO);
    t->reply.kind = NWR_REPLY_OFF;
    t->reply.count = t->req->flags == NWR_SEEK_HOLE ? item->size : t->req->off;
    return NWR_PLAN_DONE;
}

static enum nwr_plan plan_refused(struct nwr_txn *t)
{
    return nwr_txn_fail(t, EPERM);
}

struct nwr_plan_of nwr_kept_plan_of(enum nwr_fs_op op)
{
    static const struct nwr_plan_of table[] = {
        [NWR_FS_GETATTR] = {plan_getattr, NULL},
        [NWR_FS_OPEN] = {plan_open, finish_open},
        [NWR_FS_READ] = {plan_read, finish_read},
        [NWR_FS_FLUSH] = {plan_nothing, NULL},
        [NWR_FS_FSYNC] = {plan_nothing, NULL},
        [NWR_FS_RELEASE] = {nwr_plan_release, nwr_finish_release},
        [NWR_FS_STATFS] = {nwr_plan_statfs, nwr_finish_statfs},
        [NWR_FS_GETXATTR] = {plan_getxattr, NULL},
        [NWR_FS_LISTXATTR] = {plan_nothing, finish_listxattr},
        [NWR_FS_LSEEK] = {plan_lseek, NULL},
    };

    if ((size_t)op < NWR_COUNT(table) && table[op].plan)
        return table[op];
    return (struct nwr_plan_of){plan_refused, NULL};
}
