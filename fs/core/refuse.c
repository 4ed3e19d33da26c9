/* refuse.c -- a push that found its base replaced by somebody else (DESIGN 9, "Optimistic mode").
 *
 *   1  the file as its writer saw it goes to the spool, piece by piece (spool.h)
 *   2  it is kept: from now on name.rejected.K is in the listing
 *   3  write_ids whose end is not known are retired, so that none of them appears later
 *   4  the writer hears ESTALE
 *
 * The node is a file of its own from then on: who has it open goes on with what he wrote, later
 * changes go the same way at the next flush, and everybody else gets another node for the name.
 * Bytes of the base that no replica has any more read as zeros, and the log says so.
 */
#include "fs/core/ops.h"
#include "fs/core/say.h"

static void say(struct nwr_mount *m, const char *event, const struct nwr_spool_item *item,
                const char *why)
{
    char name[NWR_NAME_MAX + 1];
    const char *const part[] = {
        "event=", event, " name=\"", name, "\" text=\"", why, "\"",
    };
    struct nwr_out o = {0};

    nwr_spool_name(item, name);
    for (size_t i = 0; i < NWR_COUNT(part); i++)
        nwr_say(&o, part[i]);
    nwr_out_u8(&o, 0);
    nwr_mount_log(m, (char *)o.data);
}

bool nwr_refuse_due(const struct nwr_txn *t, const struct nwr_node *n)
{
    struct nwr_key key = nwr_key_reg(n->root, NWR_REG_CONTENT);
    const struct nwr_record *rec = nwr_txn_peek(t, &key);

    if (n->version.wid == 0 || !rec)
        return false;
    for (uint32_t i = 0; i < rec->n; i++) {
        nwr_wid wid = rec->v[i].wid;
        bool mine = wid == n->version.wid;

        for (uint32_t j = 0; j < n->line.nsame; j++)
            mine |= wid == n->line.same[j];
        for (uint32_t j = 0; j < n->nunsure; j++)
            mine |= wid == n->unsure[j];
        if (mine)
            return false;
    }
    return true;
}

void nwr_refuse_guard(struct nwr_txn *t, const struct nwr_node *n)
{
    struct nwr_key key = nwr_key_reg(n->root, NWR_REG_CONTENT);
    const struct nwr_record *rec = nwr_txn_peek(t, &key);
    struct nwr_guard *g = nwr_txn_guard(t, NWR_GUARD_SEEN, &key);

    for (uint32_t i = 0; rec && i < rec->n; i++)
        nwr_guard_seen(g, rec->v[i].dot, rec->v[i].wid);
    for (uint32_t i = 0; i < n->nunsure; i++)
        nwr_guard_seen(g, (struct nwr_dot){0}, n->unsure[i]);
}

/* ---- the plan ------------------------------------------------------------------------------- */

/* The first name that the file still has. False: not known yet, or it has none. */
static bool place(struct nwr_txn *t, struct nwr_spool_item *item)
{
    struct nwr_key prefix = nwr_key_reg(t->node->root, NWR_REG_LINK);
    uint32_t i = nwr_rows_lower(&t->rows, &prefix);

    for (; i < t->rows.n && nwr_key_has_prefix(&t->rows.row[i].key, &prefix); i++) {
        struct nwr_key_parts p;

        if (nwr_record_live(&t->rows.row[i].rec) == 0 || !nwr_key_parse(&t->rows.row[i].key, &p) ||
            p.name_len > NWR_NAME_MAX)
            continue;
        item->parent = p.parent;
        item->name_len = (uint8_t)p.name_len;
        memcpy(item->name, p.name, p.name_len);
        item->name[p.name_len] = 0;
        return true;
    }
    return false;
}

/* What is kept gets its name once; it may have been removed since it was kept last. */
static enum nwr_plan begin(struct nwr_txn *t)
{
    const struct nwr_spool_item *old = nwr_spool_by_id(t->m, t->node->kept_as);
    struct nwr_spool_item item = {.number = 1};

    if (old) {
        t->item = nwr_memdup(old, sizeof(*old));
        return NWR_PLAN_DONE;
    }
    if (!place(t, &item))
        return NWR_PLAN_DONE;
    item.ino = nwr_txn_ino(t, nwr_ino_pg(t->node->root));
    if (item.ino == 0)
        return NWR_PLAN_WAIT;
    item.id = t->m->kept_next++;
    item.number = nwr_spool_number(t->m, &item, 1);
    t->item = nwr_memdup(&item, sizeof(item));
    return NWR_PLAN_DONE;
}

static struct nwr_blob *gather(const struct nwr_slice_list *slices)
{
    struct nwr_blob *b;
    uint32_t len = 0, at = 0;

    for (uint32_t i = 0; i < slices->n; i++)
        len += slices->slice[i].len;
    b = nwr_blob_new(len);
    for (uint32_t i = 0; i < slices->n; i++) {
        const struct nwr_slice *s = &slices->slice[i];

        if (s->blob)
            memcpy(b->data + at, s->blob->data + s->off, s->len);
        else
            memset(b->data + at, 0, s->len);
        at += s->len;
    }
    return b;
}

/* DONE: all pieces are in the draft. */
static enum nwr_plan write_piece(struct nwr_txn *t)
{
    struct nwr_node *n = t->node;

    if (t->number && t->number >= nwr_file_size(n->file))
        return NWR_PLAN_DONE;
    if (!nwr_file_read(n->file, t->number, NWR_SPOOL_PIECE, &t->slices, &t->blocks))
        return NWR_PLAN_WAIT;
    t->spool = nwr_spool_op_new(NWR_SPOOL_WRITE, t->item);
    t->spool->off = t->number;
    t->spool->data = gather(&t->slices);
    nwr_slices_deinit(&t->slices);
    t->number += NWR_SPOOL_PIECE;
    t->runs = 1; /* pieces are no runs in vain */
    return NWR_PLAN_WAIT;
}

static void keep(struct nwr_txn *t)
{
    struct nwr_node *n = t->node;

    t->item->size = nwr_file_size(n->file);
    t->item->mode = n->mode & 0777;
    t->item->uid = n->uid;
    t->item->gid = n->gid;
    t->item->mtime = n->mtime;
    t->spool = nwr_spool_op_new(NWR_SPOOL_KEEP, t->item);
    t->keeping = true;
}

static void retire(struct nwr_txn *t)
{
    struct nwr_key key = nwr_key_reg(t->node->root, NWR_REG_CONTENT);
    struct nwr_write *w;

    if (t->node->nunsure == 0)
        return;
    w = nwr_txn_write(t, &key, NULL, NULL);
    w->discard = true;
    for (uint32_t i = 0; i < t->node->nunsure; i++)
        nwr_write_retire(w, t->node->unsure[i]);
}

static enum nwr_plan plan_refuse(struct nwr_txn *t)
{
    enum nwr_plan plan;

    if (!nwr_txn_object(t, t->node->root))
        return NWR_PLAN_WAIT;
    if (t->m->config.spool && t->spool_err == NWR_OK && !t->keeping) {
        plan = t->item ? NWR_PLAN_DONE : begin(t);
        if (plan == NWR_PLAN_DONE && t->item)
            plan = write_piece(t);
        if (plan != NWR_PLAN_DONE)
            return plan;
        if (t->item) {
            keep(t);
            return NWR_PLAN_WAIT;
        }
    }
    retire(t);
    return NWR_PLAN_DONE;
}

static void said_no(struct nwr_txn *t)
{
    struct nwr_mount *m = t->m;
    struct nwr_spool_item item = {.number = 1};

    if (t->item)
        item = *t->item;
    else if (!place(t, &item))
        return; /* it has no name any more: nobody misses it */
    if (!m->config.spool)
        say(m, "refused", &item,
            "a later write was refused and its bytes are gone: mount with -o spool=DIR");
    else if (t->spool_err)
        say(m, "refused", &item, "a later write was refused and its bytes could not be kept");
    else
        say(m, "rejected", &item, "a later write was refused; its bytes are here");
}

/* Blocks of the base are nowhere any more. */
static bool is_gone(const struct nwr_txn *t)
{
    return !t->keeping && t->item && (t->err == NWR_E_STALE || t->err == NWR_E_CORRUPT);
}

static void finish_refuse(struct nwr_txn *t)
{
    struct nwr_node *n = t->node;

    n->pushing = false;
    if (is_gone(t)) {
        say(t->m, "refused", t->item, "what its writer had not changed is gone and reads as zeros");
        nwr_file_drop_map(n->file);
        nwr_refuse_start(t->m, n);
        return;
    }
    n->err = NWR_E_SUPERSEDED;
    n->reported = false;
    if (t->err != NWR_OK && !t->keeping && t->m->config.spool)
        n->saved = false; /* its name could not be asked for */
    else
        said_no(t);
    if (t->keeping && t->spool_err == NWR_OK) {
        nwr_spool_put(t->m, t->item);
        n->kept_as = t->item->id;
        t->m->changes++;
    }
    nwr_free(n->unsure);
    n->unsure = NULL;
    n->nunsure = 0;
    nwr_push_ended(t->m, n, n->saved ? 0 : t->m->now + NWR_REFUSED_MS);
}

void nwr_refuse_start(struct nwr_mount *m, struct nwr_node *n)
{
    struct nwr_txn *t = nwr_txn_new(m, plan_refuse, finish_refuse, NULL);

    n->refused = n->pushing = n->saved = true; /* a change from now on is not */
    n->failed = false;
    nwr_txn_pin(t, n);
    nwr_txn_policy(t, n);
    nwr_txn_run(t);
}
