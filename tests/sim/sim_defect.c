/* sim_defect.c -- a driver or a rule that is broken on purpose: see enum sim_defect.
 *
 * What a node wants is changed on its way to its store or to its caller, so that the core under
 * test stays the one that ships. defect_test.c shows which oracle finds which.
 */
#include "tests/sim/sim_int.h"

static bool seldom(struct sim *s)
{
    return sim_below(s, 16) == 0;
}

/* A put of the core is const for a store; here the store is a broken one. */
static struct nwr_write *put_of(const struct nwr_apply *a)
{
    return (struct nwr_write *)(uintptr_t)a->put;
}

static void replace_all(struct sim *s, int node, struct nwr_write *w)
{
    struct nwr_range range = {.prefix = w->key, .exact = true};
    struct nwr_rows rows;

    if (sim_look(s, node, nwr_key_pg(&w->key), &range, 1, &rows) == NWR_OK && rows.n)
        for (uint32_t i = 0; i < rows.row[0].rec.n; i++)
            nwr_write_seen(w, rows.row[0].rec.v[i].dot, rows.row[0].rec.v[i].wid);
    nwr_rows_deinit(&rows);
}

static void garble(struct nwr_write *w)
{
    struct nwr_blob *other;

    if (!w->v.body || w->v.body->len == 0)
        return;
    other = nwr_blob_copy(w->v.body->data, w->v.body->len);
    other->data[0] ^= 1;
    nwr_blob_unref(w->v.body);
    w->v.body = other;
}

static void skip_merges(struct nwr_store_op *op)
{
    for (uint32_t i = 0; i < op->napply; i++)
        if (op->apply[i].put)
            return;
    op->napply = 0;
}

void sim_defect_store(struct sim *s, int node, struct nwr_store_op *op)
{
    struct nwr_store_faults *faults = nwr_store_mem_faults(s->node[node].store);

    if (s->defect == SIM_SOUND || op->kind == NWR_STORE_META_PUT)
        return;
    faults->lost_put = s->defect == SIM_LOSES_BLOCKS ? 4096 : 0;
    faults->lost_del = s->defect == SIM_LEAKS_BLOCKS ? 4096 : 0;
    if (s->defect == SIM_DROPS_HINTS)
        op->nhint = 0;
    if (op->kind != NWR_STORE_APPLY)
        return;
    if (s->defect == SIM_SKIPS_MERGES && node == 0)
        skip_merges(op);
    for (uint32_t i = 0; i < op->napply; i++) {
        struct nwr_write *w = put_of(&op->apply[i]);

        if (!w)
            continue;
        if (s->defect == SIM_FORGETS_SEEN)
            w->nseen = 0;
        else if (s->defect == SIM_REPLACES_ALL)
            replace_all(s, node, w);
        else if (s->defect == SIM_GARBLES && seldom(s))
            garble(w);
    }
}

void sim_defect_answer(struct sim *s, struct sim_event *ev)
{
    if (s->defect == SIM_SOUND)
        return;
    if (ev->req->op == NWR_OP_PUT && s->defect == SIM_ACKS_FAILED && ev->res->err)
        ev->res->err = NWR_OK;
    if (ev->req->op == NWR_OP_PUT && s->defect == SIM_REFUSES_DONE && seldom(s))
        ev->res->err = NWR_E_HOSTDOWN;
    if (s->defect == SIM_ANSWERS_TWICE && seldom(s))
        oracle_answered(s, ev->node, ev->req);
    if (s->defect == SIM_NEVER_ANSWERS && seldom(s))
        oracle_asked(s, ev->node, ev->req, ev->done);
}
