/* sim_look.c -- asking a cluster one thing and waiting, and looking into its stores. */
#include "tests/sim/sim_cluster.h"

static void on_op_done(struct nwr_store_op *op)
{
    *(bool *)op->user = true;
}

/* Carries out op at a node's store, which answers at once. */
static void run(struct sim *s, int node, struct nwr_store_op *op)
{
    struct nwr_store *store = s->node[node].store;
    bool done = false;

    op->done = on_op_done;
    op->user = &done;
    store->submit(store, op);
    store->poll(store);
    nwr_assert(done);
}

struct asked {
    bool done;
    struct nwr_response res;
};

/* What is borrowed here is taken: the cluster zeroes nothing that it frees. */
static void on_asked(struct sim *s, int node, struct nwr_request *req, struct nwr_response *res)
{
    struct asked *a = req->user;

    (void)s;
    (void)node;
    a->done = true;
    a->res = *res;
    memset(res, 0, sizeof(*res));
}

struct nwr_response sim_ask(struct sim *s, int node, struct nwr_request *req)
{
    struct asked a = {0};

    req->user = &a;
    sim_submit(s, node, req, on_asked);
    for (int ms = 0; ms < NWR_DEADLINE_MS + 1000 && !a.done; ms++)
        sim_run(s, 1000);
    if (!a.done)
        sim_fail(s, "a request was never answered");
    return a.res;
}

const struct nwr_ring *sim_a_ring(const struct sim *s)
{
    int i = 0;

    while (s->node[i].removed || !s->node[i].alive)
        i++;
    nwr_assert(i < s->nnode);
    return sim_ring(s, i);
}

int sim_of_ordinal(const struct sim *s, uint16_t ordinal)
{
    for (int i = 0; i < s->nnode; i++)
        if (s->node[i].node && nwr_node_ordinal(s->node[i].node) == ordinal)
            return i;
    return -1;
}

enum nwr_err sim_look(struct sim *s, int node, nwr_pg pg, const struct nwr_range *range,
                      uint32_t nrange, struct nwr_rows *rows)
{
    struct nwr_store_op op = {.kind = NWR_STORE_READ, .pg = pg, .range = range, .nrange = nrange};
    enum nwr_err err;

    run(s, node, &op);
    err = op.err;
    *rows = op.rows;
    op.rows = (struct nwr_rows){0};
    nwr_store_op_deinit(&op);
    return err;
}

void sim_arrive(struct sim *s, int node, const struct nwr_key *key, const struct nwr_record *rec)
{
    struct nwr_apply apply = {.key = *key, .rec = rec};
    struct nwr_store_op op = {
        .kind = NWR_STORE_APPLY, .pg = nwr_key_pg(key), .apply = &apply, .napply = 1};

    run(s, node, &op);
    nwr_store_op_deinit(&op);
}

bool sim_has_block(struct sim *s, int node, const struct nwr_block_id *id)
{
    struct nwr_block b = {.id = *id};
    struct nwr_store_op op = {
        .kind = NWR_STORE_BLOCK_GET, .pg = nwr_ino_pg(id->ino), .block = &b, .nblock = 1};
    bool has;

    run(s, node, &op);
    has = op.err == NWR_OK;
    nwr_store_op_deinit(&op);
    return has;
}
