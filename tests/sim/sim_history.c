/* sim_history.c -- see sim_history.h. */
#include "tests/sim/sim_history.h"

uint32_t sim_history_add(struct sim_history *h, const struct nwr_write *w)
{
    struct sim_write *sw;

    h->w = nwr_grow(h->w, &h->cap, h->n + 1, sizeof(*h->w));
    sw = &h->w[h->n];
    *sw = (struct sim_write){.wid = w->v.wid, .key = w->key, .nseen = w->nseen};
    sw->seen = nwr_alloc(w->nseen * sizeof(*sw->seen));
    for (uint32_t i = 0; i < w->nseen; i++)
        sw->seen[i] = w->seen[i].wid;
    sw->tombstone = w->v.flags & NWR_V_TOMBSTONE;
    if (w->v.nblocks) {
        sw->has_block = true;
        sw->block = w->v.blocks[0];
    }
    return h->n++;
}

/* Write_ids are given in the order of the history: the index stands in their low half. */
struct sim_write *sim_history_find(const struct sim_history *h, nwr_wid wid)
{
    uint32_t i = (uint32_t)wid;

    return i < h->n && h->w[i].wid == wid ? &h->w[i] : NULL;
}

struct nwr_blob *sim_history_body(nwr_wid wid, const struct nwr_key *key)
{
    uint64_t content[2] = {wid, nwr_hash64(key->b, key->len, wid)};

    return nwr_blob_copy(content, sizeof(content));
}

void sim_history_deinit(struct sim_history *h)
{
    for (uint32_t i = 0; i < h->n; i++)
        nwr_free(h->w[i].seen);
    nwr_free(h->w);
    *h = (struct sim_history){0};
}
