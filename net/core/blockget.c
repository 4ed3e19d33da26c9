/* blockget.c -- coordinating BLOCK_GET: own store, else the other replicas (pull.c).
 *
 *     PULLING --found--> answered [--> the own copy was unreadable: stored again]
 */
#include "net/core/job.h"

struct block_get {
    struct nwr_job job;
    struct nwr_origin origin;
    nwr_pg pg;
    struct nwr_block *block; /* what heals this node's copy */
    uint32_t nblock;
};

static struct block_get *of(struct nwr_job *j)
{
    return nwr_container_of(j, struct block_get, job);
}

static void heal(struct nwr_node *n, struct block_get *g)
{
    struct nwr_lent *l = nwr_lend(n, &g->job, 0, NWR_STORE_BLOCK_PUT, g->pg);

    n->count.read_repairs++;
    l->op.block = g->block;
    l->op.nblock = g->nblock;
    nwr_lend_submit(n, l);
}

static void on_child(struct nwr_node *n, struct nwr_job *j, struct nwr_job *child, enum nwr_err err)
{
    struct block_get *g = of(j);
    struct nwr_response res = {.err = err};
    enum nwr_err here;

    g->block = nwr_pull_take(child, &g->nblock, &here);
    if (err == NWR_OK) {
        res.data = nwr_blob_ref(g->block[0].data);
        res.round_trips = here != NWR_OK;
    }
    nwr_respond(n, &g->origin, &res, false);
    if (err == NWR_OK && (here == NWR_E_CORRUPT || here == NWR_E_IO))
        heal(n, g);
    else
        nwr_job_end(n, j, err);
}

static void on_stored(struct nwr_node *n, struct nwr_job *j, struct nwr_lent *l)
{
    nwr_job_end(n, j, l->op.err);
}

static void on_free(struct nwr_node *n, struct nwr_job *j)
{
    (void)n;
    nwr_request_destroy(of(j)->origin.req);
    nwr_blocks_free(of(j)->block, of(j)->nblock);
}

static const struct nwr_job_kind block_get_kind = {
    .name = "block_get", .child = on_child, .stored = on_stored, .drop = on_free};

void nwr_block_get_start(struct nwr_node *n, struct nwr_origin *o)
{
    struct block_get *g = nwr_job_new(n, &block_get_kind, sizeof(*g), NULL, 0);

    n->count.block_gets++;
    g->origin = *o;
    g->pg = o->req->pg;
    nwr_pull(n, &g->job, 0, g->pg, &o->req->block[0].id, 1, false, n->ordinal, 1);
}
