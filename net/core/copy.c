/* copy.c -- what requests and messages own, copied deeply; blobs are shared by count. */
#include "net/core/copy.h"

struct nwr_block *nwr_blocks_copy(const struct nwr_block *block, uint32_t n)
{
    struct nwr_block *copy = nwr_memdup(block, n * sizeof(*block));

    for (uint32_t i = 0; i < n; i++) {
        copy[i].data = nwr_blob_ref(block[i].data);
        copy[i].refs = nwr_memdup(block[i].refs, block[i].nrefs * sizeof(*block[i].refs));
    }
    return copy;
}

void nwr_blocks_free(struct nwr_block *block, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        nwr_blob_unref(block[i].data);
        nwr_free(block[i].refs);
    }
    nwr_free(block);
}

struct nwr_guard *nwr_guards_copy(const struct nwr_guard *guard, uint32_t n)
{
    struct nwr_guard *copy = nwr_memdup(guard, n * sizeof(*guard));

    for (uint32_t i = 0; i < n; i++)
        copy[i].seen = nwr_memdup(guard[i].seen, guard[i].nseen * sizeof(*guard[i].seen));
    return copy;
}

void nwr_guards_free(struct nwr_guard *guard, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        nwr_free(guard[i].seen);
    nwr_free(guard);
}

void nwr_rows_copy(struct nwr_rows *dst, const struct nwr_rows *src)
{
    *dst = (struct nwr_rows){nwr_alloc(src->n * sizeof(*src->row)), src->n, src->n, {0}, 0};
    nwr_vv_copy(&dst->floor, &src->floor);
    for (uint32_t i = 0; i < src->n; i++) {
        dst->row[i].key = src->row[i].key;
        nwr_record_copy(&dst->row[i].rec, &src->row[i].rec);
    }
}

static void write_copy(struct nwr_write *dst, const struct nwr_write *src)
{
    *dst = *src;
    dst->seen = nwr_memdup(src->seen, src->nseen * sizeof(*src->seen));
    dst->retire = nwr_memdup(src->retire, src->nretire * sizeof(*src->retire));
    nwr_version_copy(&dst->v, &src->v);
}

/* Arrays get room for exactly what they hold: a copy is not appended to. */
struct nwr_request *nwr_request_copy(const struct nwr_request *req)
{
    struct nwr_request *copy = nwr_memdup(req, sizeof(*req));

    copy->token = 0;
    copy->user = NULL;
    copy->done = NULL;
    copy->range = nwr_memdup(req->range, req->nrange * sizeof(*req->range));
    copy->write = nwr_alloc(req->nwrite * sizeof(*req->write));
    for (uint32_t i = 0; i < req->nwrite; i++)
        write_copy(&copy->write[i], &req->write[i]);
    copy->guard = nwr_guards_copy(req->guard, req->nguard);
    copy->block = nwr_blocks_copy(req->block, req->nblock);
    return copy;
}

void nwr_request_may_repeat(struct nwr_request *req)
{
    for (uint32_t i = 0; i < req->nwrite; i++)
        req->write[i].v.flags &= (uint8_t)~NWR_V_ONCE;
}
