/* intent.c -- renames over several placement groups that somebody began and may not have finished:
 * from one directory to another, and of directories, whose inodes have groups of their own.
 *
 *   1  link (inode, new name), its body the intent (struct nwr_came) {old parent, old name,
 *      write_id of its slot; write_ids of the slot and version that the rename replaces}
 *   2  entry of the new name
 *   3  entry of the old name goes                 4  link of the old name goes
 *
 * Until 3 both names show, never neither. Whoever dies in between leaves the intent at the
 * replicas; whoever looks the old name up, meets the same slot there and the link that says where
 * it went, does what is missing (DESIGN 8). The slot's write_id tells a name that was given anew
 * since, and that what the rename replaced is what stands there still. Doing a step twice changes
 * nothing.
 */
#include "fs/core/conflict.h"
#include "fs/core/ops.h"
#include "fs/core/place.h"

/* Where it goes if the move closes a loop: where it was, or, inside one directory, what the link
 * that goes says. */
static void set_back(struct nwr_txn *t, struct nwr_came *c, const struct nwr_shown *x, nwr_ino dir)
{
    struct nwr_came old;

    if (x->type != NWR_TYPE_DIR)
        return;
    old = nwr_came_of(t, x->root, x->parent, x->base, x->base_len);
    if (x->parent == dir) {
        c->back = old.back;
        c->back_name = old.back_name;
        c->back_len = old.back_len;
    } else {
        c->back = x->parent;
        c->back_name = (const uint8_t *)x->base;
        c->back_len = x->base_len;
    }
}

/* The move may turn out to close a loop: until that is settled the index leads to the directory. */
static void mark(struct nwr_txn *t, nwr_ino dir)
{
    struct nwr_key key = nwr_key_reg(dir, NWR_REG_MARKS);
    struct nwr_write *w = nwr_txn_write(t, &key, NULL, NULL);
    struct nwr_marks none = {0};

    w->v.flags |= NWR_V_MARK;
    w->v.ref = dir;
    if (!w->v.body)
        w->v.body = nwr_marks_encode(&none);
}

void nwr_intent_stage(struct nwr_txn *t, const struct nwr_shown *x, const struct nwr_shown *over,
                      const struct nwr_intent_to *to)
{
    struct nwr_key link = nwr_key_link(to->root, to->dir, to->name, to->len);
    struct nwr_write *w = nwr_txn_write(t, &link, NULL, NULL);
    struct nwr_came c = {.parent = x->parent, .name = (const uint8_t *)x->base};

    c.len = x->base_len;
    c.slot = to->exchange ? 0 : x->slot.wid;
    c.over_slot = over->ino ? over->slot.wid : 0;
    c.over_version = over->ino ? over->version.wid : 0;
    set_back(t, &c, x, to->dir);
    nwr_blob_unref(w->v.body);
    w->v.body = nwr_came_encode(&c);
    if (x->type == NWR_TYPE_DIR && c.back)
        mark(t, to->root);
    if (x->type == NWR_TYPE_DIR && x->parent != to->dir)
        nwr_view_left(t, x);
}

/* The link that says where what x shows was moved to, if it was moved away from that very slot. */
static bool moved(const struct nwr_txn *t, const struct nwr_shown *x, struct nwr_key_parts *to,
                  struct nwr_came *in)
{
    struct nwr_key prefix = nwr_key_reg(x->root, NWR_REG_LINK);

    for (uint32_t i = nwr_rows_lower(&t->rows, &prefix);
         i < t->rows.n && nwr_key_has_prefix(&t->rows.row[i].key, &prefix); i++) {
        const struct nwr_row *row = &t->rows.row[i];

        for (uint32_t j = 0; j < row->rec.n; j++)
            if (nwr_came_decode(&row->rec.v[j], in) && in->slot == x->slot.wid &&
                in->parent == x->parent && in->len == x->base_len &&
                memcmp(in->name, x->base, in->len) == 0)
                return nwr_key_parse(&row->key, to);
    }
    return false;
}

static bool has_slot(const struct nwr_record *rec, nwr_ino root)
{
    for (uint32_t i = 0; i < rec->n; i++)
        if (rec->v[i].ref == root && !(rec->v[i].flags & (NWR_V_TOMBSTONE | NWR_V_HIDDEN)))
            return true;
    return false;
}

/* The new name, and what the rename replaced goes, if it is there still. */
static bool arrive(struct nwr_txn *t, const struct nwr_key_parts *to, const struct nwr_came *in)
{
    struct nwr_dirs dir = {{to->parent}, 1};
    struct nwr_shown over;

    if (!nwr_view_find(t, &dir, to->name, to->name_len, true, &over))
        return false;
    if (over.ino && over.slot.wid == in->over_slot && over.version.wid == in->over_version &&
        !nwr_view_detach(t, &over, true, NULL, NULL))
        return false;
    return nwr_view_attach(t, to->parent, to->name, to->name_len, t->x.ino, t->x.root, t->x.type);
}

/* t->y is the old name as it was met. */
static enum nwr_plan plan_finish(struct nwr_txn *t)
{
    const struct nwr_dirs *dir =
        t->y.within.n ? &t->y.within : &(struct nwr_dirs){{t->y.parent}, 1};
    const struct nwr_record *rec;
    struct nwr_key_parts to;
    struct nwr_came in;

    if (!nwr_view_find(t, dir, t->y.name, t->y.name_len, true, &t->x))
        return NWR_PLAN_WAIT;
    if (t->x.ino == 0 || t->x.slot.wid != t->y.slot.wid || !moved(t, &t->x, &to, &in))
        return NWR_PLAN_DONE;
    rec = nwr_txn_entry(t, to.parent, to.name, to.name_len);
    if (!rec)
        return NWR_PLAN_WAIT;
    if (!has_slot(rec, t->x.root) && !arrive(t, &to, &in))
        return NWR_PLAN_WAIT;
    if (to.parent != t->x.parent)
        nwr_view_left(t, &t->x);
    return nwr_view_detach(t, &t->x, false, NULL, NULL) ? NWR_PLAN_DONE : NWR_PLAN_WAIT;
}

bool nwr_intent_left(const struct nwr_txn *t, nwr_ino root, nwr_wid slot,
                     const struct nwr_key_parts *at)
{
    struct nwr_shown x = {.root = root, .parent = at->parent, .slot = {.wid = slot}};
    struct nwr_key_parts to;
    struct nwr_came in;

    x.base_len = at->name_len;
    memcpy(x.base, at->name, at->name_len);
    return moved(t, &x, &to, &in);
}

bool nwr_intent_waits(struct nwr_txn *t, const struct nwr_row *link, bool *waits)
{
    *waits = false;
    for (uint32_t i = 0; i < link->rec.n; i++) {
        const struct nwr_record *rec;
        struct nwr_came in;

        if (!nwr_came_decode(&link->rec.v[i], &in))
            continue;
        rec = nwr_txn_entry(t, in.parent, (const char *)in.name, in.len);
        if (!rec)
            return false;
        for (uint32_t j = 0; j < rec->n; j++)
            *waits |= rec->v[j].wid == in.slot;
    }
    return true;
}

void nwr_intent_meet(struct nwr_txn *t, const struct nwr_shown *x)
{
    struct nwr_key_parts to;
    struct nwr_txn *job;
    struct nwr_came in;

    if (x->type == NWR_TYPE_DIR && x->moving)
        nwr_reap_later(t->m, x->root);
    if (x->slot.dot.counter == 0 || x->number || !nwr_txn_has_object(t, x->root) ||
        !moved(t, x, &to, &in))
        return;
    job = nwr_txn_new(t->m, plan_finish, NULL, NULL);
    nwr_txn_pin(job, t->node);
    nwr_txn_policy(job, t->node);
    job->y = *x;
    nwr_txn_run(job);
}
