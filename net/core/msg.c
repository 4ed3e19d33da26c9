/* msg.c -- what a message owns; see msg.h. */
#include "net/core/copy.h"

void nwr_msg_deinit(struct nwr_msg *m)
{
    switch (m->kind) {
    case NWR_MSG_RING:
    case NWR_MSG_JOIN:
    case NWR_MSG_JOIN_OK:
    case NWR_MSG_REFUSED: nwr_blob_unref(m->u.ring.ring); break;
    case NWR_MSG_REQUEST: nwr_request_destroy(m->u.request); break;
    case NWR_MSG_RESPONSE: nwr_response_deinit(&m->u.response); break;
    case NWR_MSG_REPLICATE:
    case NWR_MSG_BLOCKS:
        nwr_rows_deinit(&m->u.put.rows);
        nwr_guards_free(m->u.put.guard, m->u.put.nguard);
        nwr_blocks_free(m->u.put.block, m->u.put.nblock);
        break;
    case NWR_MSG_ACK: nwr_free(m->u.ack.missing); break;
    case NWR_MSG_FETCH: nwr_free(m->u.fetch.range); break;
    case NWR_MSG_ROWS: nwr_rows_deinit(&m->u.rows.rows); break;
    case NWR_MSG_BLOCK_GET:
    case NWR_MSG_BLOCK:
        nwr_blob_unref(m->u.block.data);
        nwr_free(m->u.block.refs);
        break;
    case NWR_MSG_WHY:
    case NWR_MSG_WHY_OK: nwr_blob_unref(m->u.why.text); break;
    case NWR_MSG_PROBE:
    case NWR_MSG_PROBED:
    case NWR_MSG_PROBE_FOR:
    case NWR_MSG_NEWS: nwr_free(m->u.gossip.news); break;
    case NWR_MSG_COMPARE:
    case NWR_MSG_COMPARED: nwr_blob_unref(m->u.compare.data); break;
    case NWR_MSG_REGISTER:
    case NWR_MSG_REGISTER_OK: nwr_blob_unref(m->u.reg.value); break;
    case NWR_MSG_COPIED:
    case NWR_MSG_HELLO:
    case NWR_MSG_PING:
    case NWR_MSG_PONG: break;
    }
    memset(m, 0, sizeof(*m));
}

static size_t blob_bytes(const struct nwr_blob *b)
{
    return b ? b->len : 0;
}

static size_t rows_bytes(const struct nwr_rows *rows)
{
    size_t bytes = rows->floor.n * sizeof(struct nwr_dot);

    for (uint32_t i = 0; i < rows->n; i++)
        bytes += sizeof(struct nwr_key) + nwr_record_bytes(&rows->row[i].rec);
    return bytes;
}

static size_t blocks_bytes(const struct nwr_block *block, uint32_t n)
{
    size_t bytes = n * sizeof(*block);

    for (uint32_t i = 0; i < n; i++)
        bytes += blob_bytes(block[i].data) + block[i].nrefs * sizeof(struct nwr_block_id);
    return bytes;
}

static size_t request_bytes(const struct nwr_request *req)
{
    size_t bytes = sizeof(*req) + req->nrange * sizeof(struct nwr_range);

    for (uint32_t i = 0; i < req->nwrite; i++) {
        const struct nwr_write *w = &req->write[i];

        bytes += sizeof(*w) + w->nseen * sizeof(struct nwr_seen) + w->nretire * sizeof(nwr_wid) +
                 nwr_version_bytes(&w->v);
    }
    for (uint32_t i = 0; i < req->nguard; i++)
        bytes += sizeof(struct nwr_guard) + req->guard[i].nseen * sizeof(struct nwr_seen);
    return bytes + blocks_bytes(req->block, req->nblock);
}

size_t nwr_msg_bytes(const struct nwr_msg *m)
{
    size_t bytes = sizeof(*m);

    switch (m->kind) {
    case NWR_MSG_RING:
    case NWR_MSG_JOIN:
    case NWR_MSG_JOIN_OK:
    case NWR_MSG_REFUSED: return bytes + blob_bytes(m->u.ring.ring);
    case NWR_MSG_REQUEST: return bytes + (m->u.request ? request_bytes(m->u.request) : 0);
    case NWR_MSG_RESPONSE:
        return bytes + rows_bytes(&m->u.response.rows) + blob_bytes(m->u.response.data);
    case NWR_MSG_REPLICATE:
    case NWR_MSG_BLOCKS:
        for (uint32_t i = 0; i < m->u.put.nguard; i++)
            bytes += sizeof(struct nwr_guard) + m->u.put.guard[i].nseen * sizeof(struct nwr_seen);
        return bytes + rows_bytes(&m->u.put.rows) + blocks_bytes(m->u.put.block, m->u.put.nblock);
    case NWR_MSG_ACK: return bytes + m->u.ack.nmissing * sizeof(struct nwr_block_id);
    case NWR_MSG_FETCH: return bytes + m->u.fetch.nrange * sizeof(struct nwr_range);
    case NWR_MSG_ROWS: return bytes + rows_bytes(&m->u.rows.rows);
    case NWR_MSG_BLOCK_GET:
    case NWR_MSG_BLOCK:
        return bytes + blob_bytes(m->u.block.data) + m->u.block.nrefs * sizeof(struct nwr_block_id);
    case NWR_MSG_WHY:
    case NWR_MSG_WHY_OK: return bytes + blob_bytes(m->u.why.text);
    case NWR_MSG_PROBE:
    case NWR_MSG_PROBED:
    case NWR_MSG_PROBE_FOR:
    case NWR_MSG_NEWS: return bytes + m->u.gossip.nnews * sizeof(struct nwr_news);
    case NWR_MSG_COMPARE:
    case NWR_MSG_COMPARED: return bytes + blob_bytes(m->u.compare.data);
    case NWR_MSG_REGISTER:
    case NWR_MSG_REGISTER_OK: return bytes + blob_bytes(m->u.reg.value);
    case NWR_MSG_COPIED:
    case NWR_MSG_HELLO:
    case NWR_MSG_PING:
    case NWR_MSG_PONG: break;
    }
    return bytes;
}
