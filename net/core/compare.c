/* compare.c -- answering a peer that compares its placement groups with ours; see reconcile.h.
 *
 *     DIGESTS --> op --> answer            RANGE --> LIST --> answer
 *     ROWS --> PICK, again while nothing was found --> answer
 *     CELLS --> [LIST until all are here] --> answer, kept for the next CELLS of that session
 *
 * Cells are those of the moment they were listed, so that all of one session fit together.
 */
#include "net/core/clocks.h"
#include "net/core/reconcile.h"

struct compare {
    struct nwr_job job;
    struct nwr_origin from;
    struct nwr_msg msg;
    struct nwr_element *want;
    uint32_t nwant;
    /* CELLS */
    struct nwr_iblt_source source;
    bool listed;
    struct nwr_key after;
};

static struct compare *of(struct nwr_job *j)
{
    return nwr_container_of(j, struct compare, job);
}

/* ---- bytes ---------------------------------------------------------------------------------- */

void nwr_digest_out(struct nwr_out *o, const struct nwr_pg_digest *d)
{
    nwr_out_u64(o, d->sum[0]);
    nwr_out_u64(o, d->sum[1]);
    nwr_out_var(o, d->records);
}

void nwr_digest_in(struct nwr_in *in, struct nwr_pg_digest *d)
{
    d->sum[0] = nwr_in_u64(in);
    d->sum[1] = nwr_in_u64(in);
    d->records = nwr_in_var(in);
}

void nwr_object_id_out(struct nwr_out *o, const struct nwr_object_id *id)
{
    nwr_out_u64(o, id->half[0]);
    nwr_out_u64(o, id->half[1]);
}

struct nwr_object_id nwr_object_id_in(struct nwr_in *in)
{
    struct nwr_object_id id;

    id.half[0] = nwr_in_u64(in);
    id.half[1] = nwr_in_u64(in);
    return id;
}

static struct nwr_in data_of(const struct nwr_msg *m)
{
    const struct nwr_blob *b = m->u.compare.data;

    return nwr_in_of(b ? b->data : (const uint8_t *)"", b ? b->len : 0);
}

/* ---- answering ------------------------------------------------------------------------------- */

static void reply(struct nwr_node *n, struct compare *c, enum nwr_err err, struct nwr_out *o,
                  const struct nwr_key *until)
{
    struct nwr_msg m = {.kind = NWR_MSG_COMPARED, .pg = c->msg.pg, .err = err};

    m.u.compare.what = c->msg.u.compare.what;
    if (until)
        m.u.compare.until = *until;
    if (o && o->len)
        m.u.compare.data = nwr_out_blob(o);
    nwr_reply(n, &c->from, &m);
}

static void fail(struct nwr_node *n, struct compare *c, enum nwr_err err)
{
    reply(n, c, err, NULL, NULL);
    nwr_job_end(n, &c->job, err);
}

static void answer_digests(struct nwr_node *n, struct compare *c, const struct nwr_store_op *op)
{
    struct nwr_in in = data_of(&c->msg);
    struct nwr_out o = {0};

    while (in.p < in.end && !in.bad) {
        uint16_t pg = nwr_in_u16(&in);
        struct nwr_pg_digest theirs;
        uint64_t hash;

        nwr_digest_in(&in, &theirs);
        hash = nwr_in_u64(&in);
        if (in.bad || pg >= NWR_PGS_MAX ||
            (nwr_digest_equal(&theirs, &op->digest[pg]) && hash == op->clock_hash[pg]))
            continue;
        nwr_out_u16(&o, pg);
        nwr_out_var(&o, op->digest[pg].records);
    }
    reply(n, c, in.bad ? NWR_E_FORMAT : NWR_OK, &o, NULL);
    nwr_out_free(&o);
    nwr_job_end(n, &c->job, NWR_OK);
}

/* The elements of the range unless they add up to what the peer has there. A page that is cut
 * speaks for itself alone: until says how far. */
static void answer_range(struct nwr_node *n, struct compare *c, const struct nwr_store_op *op)
{
    struct nwr_in in = data_of(&c->msg);
    struct nwr_pg_digest theirs, mine = {0};
    struct nwr_out o = {0};

    nwr_digest_in(&in, &theirs);
    for (uint32_t i = 0; i < op->nelement; i++)
        nwr_digest_add(&mine, &op->element[i]);
    if (in.bad) {
        fail(n, c, NWR_E_FORMAT);
        return;
    }
    nwr_out_u8(&o, op->more || !nwr_digest_equal(&mine, &theirs));
    for (uint32_t i = 0; i < op->nelement && o.data[0]; i++) {
        nwr_object_id_out(&o, &op->element[i].id);
        nwr_out_u64(&o, op->element[i].version);
    }
    reply(n, c, NWR_OK, &o, op->more ? &op->last : &c->msg.u.compare.until);
    nwr_out_free(&o);
    nwr_job_end(n, &c->job, NWR_OK);
}

static void lend(struct nwr_node *n, struct compare *c, enum nwr_store_kind kind)
{
    struct nwr_lent *l = nwr_lend(n, &c->job, 0, kind, c->msg.pg);

    l->op.after = c->after;
    l->op.until = c->msg.u.compare.until;
    l->op.want = c->want;
    l->op.nwant = c->nwant;
    nwr_lend_submit(n, l);
}

static void answer_rows(struct nwr_node *n, struct compare *c, struct nwr_store_op *op)
{
    struct nwr_msg m = {.kind = NWR_MSG_ROWS, .pg = c->msg.pg};

    if (op->more && op->rows.n == 0) {
        c->after = op->last;
        lend(n, c, NWR_STORE_PICK);
        return;
    }
    m.u.rows.more = op->more;
    m.u.rows.rows = op->rows;
    op->rows = (struct nwr_rows){0};
    nwr_reply(n, &c->from, &m);
    nwr_job_end(n, &c->job, NWR_OK);
}

/* ---- cells ----------------------------------------------------------------------------------- */

static void answer_cells(struct nwr_node *n, struct compare *c)
{
    struct nwr_in in = data_of(&c->msg);
    struct nwr_cell *cell;
    struct nwr_out o = {0};
    uint32_t first, count;

    nwr_in_u64(&in);
    nwr_in_u64(&in);
    first = nwr_in_u32(&in);
    count = nwr_in_u32(&in);
    if (!in.bad && first < c->source.made)
        return; /* a doubled message: it was answered */
    if (in.bad || first != c->source.made || count == 0 || count > NWR_COMPARE_CELLS_MAX ||
        first > NWR_COMPARE_CELLS_MAX - count) {
        fail(n, c, NWR_E_FORMAT);
        return;
    }
    cell = nwr_zalloc(count * sizeof(*cell));
    nwr_iblt_source_cells(&c->source, cell, count);
    nwr_out_var(&o, c->source.n);
    nwr_cells_out(&o, cell, count, first, c->source.n);
    nwr_free(cell);
    reply(n, c, NWR_OK, &o, NULL);
    nwr_out_free(&o);
    nwr_job_wake(n, &c->job, n->now + NWR_COMPARE_SKETCH_MS);
}

static void listed(struct nwr_node *n, struct compare *c, const struct nwr_store_op *op)
{
    if (op->nelement > NWR_COMPARE_HELD - c->source.n) {
        fail(n, c, NWR_E_NOMEM);
        return;
    }
    for (uint32_t i = 0; i < op->nelement; i++)
        nwr_iblt_source_add(&c->source, &op->element[i]);
    c->after = op->last;
    if (op->more) {
        lend(n, c, NWR_STORE_LIST);
        return;
    }
    c->listed = true;
    answer_cells(n, c);
}

static void on_wake(struct nwr_node *n, struct nwr_job *j)
{
    nwr_job_end(n, j, NWR_OK);
}

static void on_stored(struct nwr_node *n, struct nwr_job *j, struct nwr_lent *l)
{
    struct compare *c = of(j);

    if (l->op.err)
        fail(n, c, l->op.err);
    else if (l->op.kind == NWR_STORE_DIGESTS)
        answer_digests(n, c, &l->op);
    else if (l->op.kind == NWR_STORE_PICK)
        answer_rows(n, c, &l->op);
    else if (c->msg.u.compare.what == NWR_COMPARE_RANGE)
        answer_range(n, c, &l->op);
    else
        listed(n, c, &l->op);
}

static void on_free(struct nwr_node *n, struct nwr_job *j)
{
    struct compare *c = of(j);

    (void)n;
    nwr_msg_deinit(&c->msg);
    nwr_iblt_source_deinit(&c->source);
    nwr_free(c->want);
}

static const struct nwr_job_kind compare_kind = {
    .name = "compare", .stored = on_stored, .wake = on_wake, .drop = on_free};

/* ---- starting -------------------------------------------------------------------------------- */

/* False: not ascending, or too many. */
static bool read_want(struct compare *c)
{
    struct nwr_in in = data_of(&c->msg);
    size_t n = (size_t)(in.end - in.p) / sizeof(c->want->id);

    if (n == 0 || n > NWR_COMPARE_IDS)
        return false;
    c->want = nwr_zalloc(n * sizeof(*c->want));
    for (; c->nwant < n; c->nwant++) {
        c->want[c->nwant].id = nwr_object_id_in(&in);
        if (c->nwant && nwr_object_id_cmp(&c->want[c->nwant - 1].id, &c->want[c->nwant].id) >= 0)
            return false;
    }
    return nwr_in_done(&in);
}

static void start_cells(struct nwr_node *n, struct compare *c)
{
    struct nwr_in in = data_of(&c->msg);
    struct nwr_iblt_key key;

    key.k[0] = nwr_in_u64(&in);
    key.k[1] = nwr_in_u64(&in);
    nwr_iblt_source_init(&c->source, key);
    lend(n, c, NWR_STORE_LIST);
}

/* One session a peer: whoever starts another has given up the last. */
static bool go_on(struct nwr_node *n, uint16_t peer, struct nwr_msg *m)
{
    for (struct nwr_job *j = n->jobs, *next; j; j = next) {
        struct compare *c = of(j);

        next = j->next;
        if (j->kind != &compare_kind || c->from.peer != peer || !c->listed)
            continue;
        if (m->pg == c->msg.pg && m->u.compare.session == c->msg.u.compare.session) {
            nwr_msg_deinit(&c->msg);
            c->msg = *m;
            memset(m, 0, sizeof(*m));
            c->from.id = c->msg.id;
            answer_cells(n, c);
            return true;
        }
        nwr_job_end(n, j, NWR_E_CANCELED);
    }
    return false;
}

void nwr_compare_message(struct nwr_node *n, uint16_t peer, struct nwr_msg *m)
{
    struct compare *c;

    if (m->u.compare.what == NWR_COMPARE_CLOCKS) {
        nwr_clocks_message(n, peer, m);
        return;
    }
    if (m->u.compare.what == NWR_COMPARE_CELLS && go_on(n, peer, m))
        return;
    c = nwr_job_new(n, &compare_kind, sizeof(*c), NULL, 0);
    c->from = (struct nwr_origin){.kind = NWR_FROM_PEER, .peer = peer, .id = m->id};
    c->msg = *m;
    memset(m, 0, sizeof(*m));
    c->after = c->msg.u.compare.after;
    switch ((enum nwr_compare_what)c->msg.u.compare.what) {
    case NWR_COMPARE_DIGESTS: lend(n, c, NWR_STORE_DIGESTS); break;
    case NWR_COMPARE_CELLS: start_cells(n, c); break;
    case NWR_COMPARE_RANGE: lend(n, c, NWR_STORE_LIST); break;
    case NWR_COMPARE_CLOCKS: break; /* another machine's */
    case NWR_COMPARE_ROWS:
        if (read_want(c))
            lend(n, c, NWR_STORE_PICK);
        else
            fail(n, c, NWR_E_FORMAT);
        break;
    }
}
