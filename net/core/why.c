/* why.c -- WHY: what each replica holds of a key, as JSON for people.
 *
 *     ASKING all of the list that are up --> all answered, or a moment passed --> answered
 *
 *   {"schema":1,"pg":7,"epoch":3,"n":3,"w":2,"r":2,"list":[2,1,3],"asked":1,"replicas":[
 *     {what why.h says} | {"ordinal":3,"state":"down"} | {"ordinal":3,"state":"silent"}],
 *    "others":[what the next nodes say that hold something for one of the list]}
 */
#include "net/core/why.h"

#include "net/core/text.h"

enum {
    WHY_MS = 2000
};

struct why {
    struct nwr_job job;
    struct nwr_origin origin;
    struct nwr_key key;
    uint16_t list[(NWR_LISTS + 1) * NWR_REPLICAS_MAX]; /* and the next nodes */
    uint32_t m, all, out;
    struct nwr_blob *text[(NWR_LISTS + 1) * NWR_REPLICAS_MAX];
    bool asked[(NWR_LISTS + 1) * NWR_REPLICAS_MAX];
};

static struct why *of(struct nwr_job *j)
{
    return nwr_container_of(j, struct why, job);
}

/* ---- one replica ---------------------------------------------------------------------------- */

static void clock_field(struct nwr_out *o, const char *name, const struct nwr_vv *vv)
{
    char *text = nwr_vv_text(vv);

    nwr_text_field_string(o, name, text);
    nwr_free(text);
}

static void flag_field(struct nwr_out *o, const char *name, bool set)
{
    nwr_text_name(o, name);
    nwr_text(o, set ? "true" : "false");
}

static void version_text(struct nwr_out *o, const struct nwr_version *v)
{
    struct nwr_dot dot = v->dot;
    struct nwr_vv own = {&dot, 1, 1};

    nwr_text(o, "{");
    clock_field(o, "clock", &v->past);
    clock_field(o, "dot", &own);
    nwr_text_field(o, "node", nwr_actor_ordinal(v->dot.actor));
    nwr_text_field(o, "hlc", v->hlc);
    nwr_text_field(o, "ms", v->hlc >> 16);
    nwr_text_field(o, "k", v->k);
    nwr_text_field(o, "uid", v->uid);
    nwr_text_name(o, "wid");
    nwr_text_hex(o, v->wid);
    nwr_text_name(o, "ref");
    nwr_text_hex(o, v->ref);
    flag_field(o, "tombstone", v->flags & NWR_V_TOMBSTONE);
    flag_field(o, "hidden", v->flags & NWR_V_HIDDEN);
    flag_field(o, "mark", v->flags & NWR_V_MARK);
    nwr_text_field(o, "bytes", v->body ? v->body->len : 0);
    nwr_text_field(o, "blocks", v->nblocks);
    nwr_text(o, "}");
}

static void record_text(struct nwr_out *o, const struct nwr_record *r)
{
    struct nwr_vv covers;

    nwr_vv_copy(&covers, &r->ctx.vv);
    for (uint32_t i = 0; i < r->ctx.dots.n; i++)
        nwr_vv_raise(&covers, r->ctx.dots.e[i]);
    clock_field(o, "context", &covers);
    nwr_vv_deinit(&covers);
    nwr_text_field(o, "retired", r->nretired);
    nwr_text_name(o, "versions");
    nwr_text(o, "[");
    for (uint32_t i = 0; i < r->n; i++) {
        nwr_text(o, i ? "," : "");
        version_text(o, &r->v[i]);
    }
    nwr_text(o, "]");
    nwr_text_name(o, "kept");
    nwr_text(o, "[");
    for (uint32_t i = 0; i < r->nkept; i++) {
        nwr_text(o, i ? "," : "");
        version_text(o, &r->kept[i]);
    }
    nwr_text(o, "]");
}

/* [{"for":3,"hints":12,"bytes":800}, ...]: of all records, for the replicas that this one keeps
 * something for. */
static void hints_text(struct nwr_out *o, const struct nwr_node *n)
{
    bool first = true;

    nwr_text(o, "[");
    for (uint32_t t = 1; t <= NWR_ORDINAL_MAX; t++) {
        const struct nwr_kept *kept = nwr_node_hints(n, t);

        if (kept->count == 0)
            continue;
        nwr_text(o, first ? "{" : ",{");
        nwr_text_field(o, "for", t);
        nwr_text_field(o, "hints", kept->count);
        nwr_text_field(o, "bytes", kept->bytes);
        nwr_text(o, "}");
        first = false;
    }
    nwr_text(o, "]");
}

bool nwr_why_nothing(const struct nwr_node *n, const struct nwr_store_op *op)
{
    return n->hints.bytes == 0 && (op->err || op->rows.n == 0 || op->rows.row[0].rec.n == 0);
}

struct nwr_blob *nwr_why_replica(const struct nwr_node *n, const struct nwr_store_op *op)
{
    struct nwr_record none = {0};
    struct nwr_out o = {0};

    nwr_text(&o, "{");
    nwr_text_field(&o, "ordinal", n->ordinal);
    nwr_text_field(&o, "epoch", n->ring.epoch);
    nwr_text_field_string(&o, "err", nwr_err_name(op->err));
    nwr_text_name(&o, "hints");
    hints_text(&o, n);
    record_text(&o, op->err == NWR_OK && op->rows.n ? &op->rows.row[0].rec : &none);
    nwr_text(&o, "}");
    return nwr_out_blob(&o);
}

/* ---- all of them ---------------------------------------------------------------------------- */

static void replica_text(struct nwr_out *o, const struct why *w, uint32_t i)
{
    if (w->text[i]) {
        nwr_out_raw(o, w->text[i]->data, w->text[i]->len);
        return;
    }
    nwr_text(o, "{");
    nwr_text_field(o, "ordinal", w->list[i]);
    nwr_text_field_string(o, "state", w->asked[i] ? "silent" : "down");
    nwr_text(o, "}");
}

/* The next nodes, where they hold something for one of the list. */
static void others_text(struct nwr_out *o, const struct why *w)
{
    bool first = true;

    nwr_text_name(o, "others");
    nwr_text(o, "[");
    for (uint32_t i = w->m; i < w->all; i++) {
        if (!w->text[i])
            continue;
        nwr_text(o, first ? "" : ",");
        nwr_out_raw(o, w->text[i]->data, w->text[i]->len);
        first = false;
    }
    nwr_text(o, "]");
}

static void answer(struct nwr_node *n, struct why *w)
{
    struct nwr_response res = {.round_trips = w->m > 1};
    struct nwr_out o = {0};

    nwr_text(&o, "{");
    nwr_text_field(&o, "schema", 1);
    nwr_text_field(&o, "pg", nwr_key_pg(&w->key));
    nwr_text_field(&o, "epoch", n->ring.epoch);
    nwr_text_field(&o, "n", n->ring.n);
    nwr_text_field(&o, "w", nwr_ring_w(&n->ring, w->origin.req->w));
    nwr_text_field(&o, "r", nwr_ring_r(&n->ring, w->origin.req->r));
    nwr_text_field(&o, "asked", n->ordinal);
    nwr_text_name(&o, "list");
    nwr_text(&o, "[");
    for (uint32_t i = 0; i < w->m; i++) {
        nwr_text(&o, i ? "," : "");
        nwr_text_u64(&o, w->list[i]);
    }
    nwr_text(&o, "]");
    nwr_text_name(&o, "replicas");
    nwr_text(&o, "[");
    for (uint32_t i = 0; i < w->m; i++) {
        nwr_text(&o, i ? "," : "");
        replica_text(&o, w, i);
    }
    nwr_text(&o, "]");
    others_text(&o, w);
    nwr_text(&o, "}");
    res.data = nwr_out_blob(&o);
    nwr_respond(n, &w->origin, &res, false);
    nwr_job_end(n, &w->job, NWR_OK);
}

static void look(struct nwr_node *n, struct why *w)
{
    if (w->out == 0)
        answer(n, w);
}

static void on_answer(struct nwr_node *n, struct nwr_job *j, const struct nwr_call *c,
                      struct nwr_msg *m)
{
    struct why *w = of(j);

    w->out--;
    if (m->kind == NWR_MSG_WHY_OK && (c->slot < w->m || m->err != NWR_E_NOENT)) {
        w->text[c->slot] = m->u.why.text;
        m->u.why.text = NULL;
    }
    look(n, w);
}

static void on_lost(struct nwr_node *n, struct nwr_job *j, const struct nwr_call *c)
{
    (void)c;
    of(j)->out--;
    look(n, of(j));
}

static void on_stored(struct nwr_node *n, struct nwr_job *j, struct nwr_lent *l)
{
    struct why *w = of(j);

    w->out--;
    if (l->slot < w->m || !nwr_why_nothing(n, &l->op))
        w->text[l->slot] = nwr_why_replica(n, &l->op);
    look(n, w);
}

static void on_wake(struct nwr_node *n, struct nwr_job *j)
{
    answer(n, of(j));
}

static void on_free(struct nwr_node *n, struct nwr_job *j)
{
    (void)n;
    for (uint32_t i = 0; i < of(j)->all; i++)
        nwr_blob_unref(of(j)->text[i]);
    nwr_request_destroy(of(j)->origin.req);
}

static const struct nwr_job_kind why_kind = {.name = "why",
                                             .answer = on_answer,
                                             .lost = on_lost,
                                             .stored = on_stored,
                                             .wake = on_wake,
                                             .drop = on_free};

static void ask(struct nwr_node *n, struct why *w, uint32_t i)
{
    struct nwr_msg m = {.kind = NWR_MSG_WHY, .pg = nwr_key_pg(&w->key)};
    struct nwr_lent *l;

    if (!nwr_is_up(n, w->list[i]))
        return;
    w->asked[i] = true;
    w->out++;
    if (w->list[i] != n->ordinal) {
        m.u.why.key = w->key;
        nwr_call(n, &w->job, w->list[i], i, &m);
        return;
    }
    l = nwr_lend(n, &w->job, i, NWR_STORE_READ, nwr_key_pg(&w->key));
    l->range = nwr_zalloc(sizeof(*l->range));
    l->range->prefix = w->key;
    l->range->exact = true;
    l->op.range = l->range;
    l->op.nrange = 1;
    nwr_lend_submit(n, l);
}

void nwr_why_start(struct nwr_node *n, struct nwr_origin *o)
{
    struct why *w = nwr_job_new(n, &why_kind, sizeof(*w), NULL, 0);
    struct nwr_sides sides;

    w->origin = *o;
    w->key = o->req->key;
    nwr_ring_sides(&n->ring, nwr_key_pg(&w->key), &sides);
    w->m = sides.n;
    for (uint32_t i = 0; i < sides.n; i++)
        w->list[i] = sides.side[i].ordinal;
    w->all = w->m + nwr_ring_spares(&n->ring, nwr_key_pg(&w->key), false, w->list + w->m);
    nwr_job_wake(n, &w->job, n->now + WHY_MS);
    for (uint32_t i = 0; i < w->all; i++)
        ask(n, w, i);
    look(n, w);
}
