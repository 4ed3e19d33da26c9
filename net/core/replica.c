/* replica.c -- answering as a replica: store first, then the acknowledgement.
 *
 *     REPLICATE --> APPLY [--> SYNC] --> ACK        FETCH     --> READ      --> ROWS
 *     BLOCKS --> BLOCK_PUT [--> SYNC] --> ACK       BLOCK_GET --> BLOCK_GET --> BLOCK
 *
 * Whatever is asked is done, however old: deadlines are the asker's.
 */
#include "net/core/rows.h"
#include "net/core/job.h"
#include "net/core/scrub.h"
#include "net/core/why.h"

struct replica {
    struct nwr_job job;
    struct nwr_origin from;
    struct nwr_msg msg;
    struct nwr_block block;
};

static struct replica *of(struct nwr_job *j)
{
    return nwr_container_of(j, struct replica, job);
}

static void ack(struct nwr_node *n, struct replica *r, enum nwr_err err)
{
    struct nwr_msg m = {.kind = NWR_MSG_ACK, .pg = r->msg.pg, .err = err};

    nwr_reply(n, &r->from, &m);
    nwr_job_end(n, &r->job, err);
}

static void ack_missing(struct nwr_node *n, struct replica *r, struct nwr_store_op *op)
{
    struct nwr_msg m = {.kind = NWR_MSG_ACK, .pg = r->msg.pg, .err = op->err};

    m.u.ack.missing = op->missing;
    m.u.ack.nmissing = op->nmissing;
    op->missing = NULL;
    op->nmissing = 0;
    nwr_reply(n, &r->from, &m);
    nwr_job_end(n, &r->job, op->err);
}

static void written(struct nwr_node *n, struct replica *r, struct nwr_store_op *op)
{
    if (op->err)
        ack_missing(n, r, op);
    else if (op->kind != NWR_STORE_SYNC && r->msg.u.put.level == NWR_LEVEL_DISK && NWR_RULE(LEVEL))
        nwr_lend_submit(n, nwr_lend(n, &r->job, 0, NWR_STORE_SYNC, r->msg.pg));
    else
        ack(n, r, NWR_OK);
}

static void send_rows(struct nwr_node *n, struct replica *r, struct nwr_store_op *op)
{
    struct nwr_msg m = {.kind = NWR_MSG_ROWS, .pg = r->msg.pg, .err = op->err};

    if (op->err == NWR_OK) {
        m.u.rows.more = op->more;
        m.u.rows.digest = nwr_rows_digest(&op->rows, op->more);
        if (!r->msg.u.fetch.digest || !NWR_RULE(ONE_IN_FULL)) {
            m.u.rows.rows = op->rows;
            op->rows = (struct nwr_rows){0};
        }
    }
    nwr_reply(n, &r->from, &m);
    nwr_job_end(n, &r->job, op->err);
}

static void send_block(struct nwr_node *n, struct replica *r, struct nwr_store_op *op)
{
    struct nwr_msg m = {.kind = NWR_MSG_BLOCK, .pg = r->msg.pg, .err = op->err};

    m.u.block.id = r->block.id;
    m.u.block.data = op->data;
    m.u.block.refs = op->refs;
    m.u.block.nrefs = op->nrefs;
    op->data = NULL;
    op->refs = NULL;
    op->nrefs = 0;
    nwr_reply(n, &r->from, &m);
    nwr_job_end(n, &r->job, op->err);
}

static void send_why(struct nwr_node *n, struct replica *r, struct nwr_store_op *op)
{
    struct nwr_msg m = {.kind = NWR_MSG_WHY_OK, .pg = r->msg.pg};

    m.u.why.key = r->msg.u.why.key;
    m.err = nwr_why_nothing(n, op) ? NWR_E_NOENT : NWR_OK;
    m.u.why.text = nwr_why_replica(n, op);
    nwr_reply(n, &r->from, &m);
    nwr_job_end(n, &r->job, NWR_OK);
}

static void on_stored(struct nwr_node *n, struct nwr_job *j, struct nwr_lent *l)
{
    struct replica *r = of(j);

    if (l->op.err == NWR_E_CORRUPT || (l->op.err == NWR_E_IO && l->op.kind == NWR_STORE_BLOCK_GET))
        nwr_scrub_soon(n, l->op.pg);
    switch (l->op.kind) {
    case NWR_STORE_APPLY:
    case NWR_STORE_BLOCK_PUT:
    case NWR_STORE_SYNC: written(n, r, &l->op); break;
    case NWR_STORE_READ:
        if (r->msg.kind == NWR_MSG_WHY)
            send_why(n, r, &l->op);
        else
            send_rows(n, r, &l->op);
        break;
    case NWR_STORE_BLOCK_GET: send_block(n, r, &l->op); break;
    case NWR_STORE_META_GET:
    case NWR_STORE_META_PUT:
    case NWR_STORE_DIGESTS:
    case NWR_STORE_LIST:
    case NWR_STORE_PICK:
    case NWR_STORE_HINT_READ:
    case NWR_STORE_HINT_PUT:
    case NWR_STORE_HINT_DROP:
    case NWR_STORE_CHECK:
    case NWR_STORE_DOUBT:
    case NWR_STORE_CLOCKS:
    case NWR_STORE_FOLD:
    case NWR_STORE_ERASE: nwr_job_end(n, j, NWR_OK); break;
    }
}

static void on_free(struct nwr_node *n, struct nwr_job *j)
{
    (void)n;
    nwr_msg_deinit(&of(j)->msg);
}

static const struct nwr_job_kind replica_kind = {
    .name = "replica", .stored = on_stored, .drop = on_free};

/* ---- starting ------------------------------------------------------------------------------- */

/* This node stands in for another. */
static void add_hint(struct nwr_node *n, const struct replica *r, struct nwr_lent *l)
{
    const struct nwr_rows *rows = &r->msg.u.put.rows;
    struct nwr_key *key = nwr_alloc(rows->n * sizeof(*key));

    for (uint32_t i = 0; i < rows->n; i++)
        key[i] = rows->row[i].key;
    nwr_hint_add(n, l, r->msg.u.put.hint_for, r->msg.pg, key, rows->n, nwr_msg_bytes(&r->msg));
    nwr_hint_strays(n, r->msg.pg);
    nwr_free(key);
}

static void apply(struct nwr_node *n, struct replica *r)
{
    struct nwr_rows *rows = &r->msg.u.put.rows;
    bool hint = r->msg.u.put.hint_for && rows->n;
    struct nwr_lent *l;

    if (hint && NWR_RULE(HINT_ROOM) && !nwr_hint_room(n, rows->n, nwr_msg_bytes(&r->msg))) {
        ack(n, r, NWR_E_NOSPC);
        return;
    }
    if (rows->n == 0 && r->msg.u.put.nblock == 0) { /* what is here is to be on disk */
        nwr_lend_submit(n, nwr_lend(n, &r->job, 0, NWR_STORE_SYNC, r->msg.pg));
        return;
    }
    nwr_hlc_seen(n, rows);
    l = nwr_lend(n, &r->job, 0, rows->n ? NWR_STORE_APPLY : NWR_STORE_BLOCK_PUT, r->msg.pg);
    if (hint)
        add_hint(n, r, l);
    l->apply = nwr_zalloc(rows->n * sizeof(*l->apply));
    for (uint32_t i = 0; i < rows->n; i++) {
        l->apply[i].key = rows->row[i].key;
        l->apply[i].rec = &rows->row[i].rec;
    }
    l->op.apply = l->apply;
    l->op.napply = rows->n;
    l->op.peer_floor = &rows->floor;
    l->op.guard = r->msg.u.put.guard;
    l->op.nguard = r->msg.u.put.nguard;
    l->op.block = r->msg.u.put.block;
    l->op.nblock = r->msg.u.put.nblock;
    nwr_lend_submit(n, l);
}

static void read(struct nwr_node *n, struct replica *r, const struct nwr_range *range,
                 uint32_t nrange)
{
    struct nwr_lent *l = nwr_lend(n, &r->job, 0, NWR_STORE_READ, r->msg.pg);

    l->range = nwr_memdup(range, nrange * sizeof(*range));
    l->op.range = l->range;
    l->op.nrange = nrange;
    nwr_lend_submit(n, l);
}

static void get_block(struct nwr_node *n, struct replica *r)
{
    struct nwr_lent *l = nwr_lend(n, &r->job, 0, NWR_STORE_BLOCK_GET, r->msg.pg);

    r->block.id = r->msg.u.block.id;
    l->op.block = &r->block;
    l->op.nblock = 1;
    nwr_lend_submit(n, l);
}

void nwr_replica_message(struct nwr_node *n, uint16_t peer, struct nwr_msg *m)
{
    struct replica *r = nwr_job_new(n, &replica_kind, sizeof(*r), NULL, 0);
    struct nwr_range exact = {.exact = true};

    n->served++;

    r->from = (struct nwr_origin){.kind = NWR_FROM_PEER, .peer = peer, .id = m->id};
    r->msg = *m;
    memset(m, 0, sizeof(*m));
    if (r->msg.kind == NWR_MSG_FETCH) {
        read(n, r, r->msg.u.fetch.range, r->msg.u.fetch.nrange);
    } else if (r->msg.kind == NWR_MSG_WHY) {
        exact.prefix = r->msg.u.why.key;
        read(n, r, &exact, 1);
    } else if (r->msg.kind == NWR_MSG_BLOCK_GET) {
        get_block(n, r);
    } else {
        apply(n, r);
    }
}
