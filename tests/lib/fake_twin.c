/* fake_twin.c -- see fake_twin.h. */
#include "tests/lib/fake_twin.h"

#include "fs/core/mount.h"

static void on_done(struct nwr_store_op *op)
{
    *(bool *)op->user = true;
}

void fake_store_run(struct nwr_store *s, struct nwr_store_op *op)
{
    bool done = false;

    op->done = on_done;
    op->user = &done;
    s->submit(s, op);
    s->poll(s);
    nwr_assert(done);
}

void fake_twin_init(struct fake_twin *w, uint64_t seed)
{
    memset(w, 0, sizeof(*w));
    nwr_rng_init(&w->rng, seed);
    for (uint32_t i = 0; i < 2; i++) {
        w->store[i] = nwr_store_mem_create(seed + i);
        w->store[i]->silent = nwr_inode_silent;
    }
}

void fake_twin_deinit(struct fake_twin *w)
{
    for (uint32_t i = 0; i < w->nlate; i++)
        nwr_rows_deinit(&w->late[i].rows);
    for (uint32_t i = 0; i < 2; i++)
        w->store[i]->destroy(w->store[i]);
}

static bool chance(struct fake_twin *w, uint64_t percent)
{
    return nwr_rng_next(&w->rng) % 100 < percent;
}

/* ---- merging -------------------------------------------------------------------------------- */

static struct nwr_block *fetch(struct nwr_store *from, nwr_pg pg, const struct nwr_block_id *id,
                               uint32_t n)
{
    struct nwr_block *block = nwr_zalloc((n + 1) * sizeof(*block));

    for (uint32_t i = 0; i < n; i++) {
        struct nwr_store_op op = {.kind = NWR_STORE_BLOCK_GET, .pg = pg, .nblock = 1};

        block[i].id = id[i];
        op.block = &block[i];
        fake_store_run(from, &op);
        block[i].data = nwr_blob_ref(op.data);
        block[i].nrefs = op.nrefs;
        if (op.nrefs)
            block[i].refs = nwr_memdup(op.refs, op.nrefs * sizeof(*op.refs));
        nwr_store_op_deinit(&op);
    }
    return block;
}

/* One record is merged, if its blocks are there or can be had. */
static void merge_one(struct nwr_store *to, struct nwr_store *from, nwr_pg pg,
                      const struct nwr_row *row)
{
    struct nwr_apply apply = {.key = row->key, .rec = &row->rec};
    struct nwr_store_op op = {.kind = NWR_STORE_APPLY, .pg = pg, .apply = &apply, .napply = 1};
    struct nwr_block *block;
    uint32_t n;
    bool whole = true;

    fake_store_run(to, &op);
    n = op.nmissing;
    block = n ? fetch(from, pg, op.missing, n) : NULL;
    nwr_store_op_deinit(&op);
    for (uint32_t i = 0; i < n; i++)
        whole &= block[i].data != NULL;
    if (n && whole) {
        op = (struct nwr_store_op){.kind = NWR_STORE_APPLY, .pg = pg, .apply = &apply};
        op.napply = 1;
        op.block = block;
        op.nblock = n;
        fake_store_run(to, &op);
        nwr_store_op_deinit(&op);
    }
    for (uint32_t i = 0; i < n; i++) {
        nwr_blob_unref(block[i].data);
        nwr_free(block[i].refs);
    }
    nwr_free(block);
}

static void merge(struct fake_twin *w, uint32_t to, nwr_pg pg, const struct nwr_rows *rows,
                  uint64_t percent)
{
    for (uint32_t i = 0; i < rows->n; i++)
        if (chance(w, percent))
            merge_one(w->store[to], w->store[1 - to], pg, &rows->row[i]);
}

static void give(struct fake_twin *w, uint32_t from, const struct nwr_request *req,
                 uint64_t percent)
{
    struct nwr_store_op op = {.kind = NWR_STORE_READ, .pg = req->pg};
    struct nwr_range *range = nwr_memdup(req->range, req->nrange * sizeof(*range));

    for (uint32_t i = 0; i < req->nrange; i++)
        range[i].loud = false; /* where replicas differ nothing is left out */
    op.range = range;
    op.nrange = req->nrange;
    fake_store_run(w->store[from], &op);
    merge(w, 1 - from, req->pg, &op.rows, percent);
    nwr_store_op_deinit(&op);
    nwr_free(range);
}

/* ---- what happens --------------------------------------------------------------------------- */

void fake_twin_deliver(struct fake_twin *w, bool all)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < w->nlate; i++) {
        struct fake_late *l = &w->late[i];

        if (!all && chance(w, 50)) {
            w->late[kept++] = *l;
            continue;
        }
        if (!w->cut)
            merge(w, l->to, l->pg, &l->rows, 100);
        nwr_rows_deinit(&l->rows);
    }
    w->nlate = kept;
}

void fake_twin_wrote(struct fake_twin *w, uint32_t at, nwr_pg pg, struct nwr_rows *rows)
{
    if (w->nlate == FAKE_LATE_MAX)
        fake_twin_deliver(w, true);
    w->late[w->nlate++] = (struct fake_late){1 - at, pg, *rows};
    *rows = (struct nwr_rows){0};
    if (w->cut || chance(w, 30))
        fake_twin_deliver(w, w->cut);
}

bool fake_twin_reads(struct fake_twin *w, uint32_t at, const struct nwr_request *req)
{
    if (req->r == NWR_QUORUM_ALL && w->cut)
        return false;
    if (w->cut)
        return true;
    give(w, 1 - at, req, req->r == NWR_QUORUM_ALL ? 100 : 10);
    give(w, at, req, req->r == NWR_QUORUM_ALL && req->w == NWR_QUORUM_ALL ? 100 : 10);
    return true;
}

bool fake_twin_writes(const struct fake_twin *w, const struct nwr_request *req)
{
    return req->w != NWR_QUORUM_ALL || !w->cut;
}

void fake_twin_wrote_all(struct fake_twin *w, uint32_t at, nwr_pg pg, const struct nwr_rows *rows)
{
    merge(w, 1 - at, pg, rows, 100);
}

void fake_twin_bring(struct fake_twin *w, uint32_t to)
{
    for (nwr_pg pg = 0; pg < NWR_PGS_MAX; pg++) {
        struct nwr_request *req = nwr_request_new(NWR_OP_READ, pg);
        struct nwr_range *range = nwr_request_range(req);

        range->prefix.len = 2;
        range->prefix.b[0] = (uint8_t)(pg >> 8);
        range->prefix.b[1] = (uint8_t)pg;
        give(w, 1 - to, req, 100);
        nwr_request_destroy(req);
    }
}

void fake_twin_settle(struct fake_twin *w)
{
    w->cut = false;
    fake_twin_deliver(w, true);
    fake_twin_bring(w, 1);
    fake_twin_bring(w, 0);
}

struct nwr_store *fake_twin_block(struct fake_twin *w, uint32_t at, const struct nwr_block_id *id)
{
    struct nwr_block block = {.id = *id};
    struct nwr_store_op op = {.kind = NWR_STORE_BLOCK_GET, .block = &block, .nblock = 1};
    bool here;

    op.pg = nwr_ino_pg(id->ino);
    fake_store_run(w->store[at], &op);
    here = op.data || w->cut;
    nwr_store_op_deinit(&op);
    return w->store[here ? at : 1 - at];
}
