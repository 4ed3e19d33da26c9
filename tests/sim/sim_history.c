/* sim_history.c -- see sim_history.h. */
#include "tests/sim/sim_history.h"

uint32_t sim_history_lower(const struct sim_history *h, const struct nwr_key *key)
{
    uint32_t from = 0, to = h->nkey;

    while (from < to) {
        uint32_t mid = (from + to) / 2;

        if (nwr_key_cmp(&h->key[mid]->key, key) < 0)
            from = mid + 1;
        else
            to = mid;
    }
    return from;
}

static struct sim_written *written(struct sim_history *h, const struct nwr_key *key)
{
    uint32_t at = sim_history_lower(h, key);

    if (at < h->nkey && nwr_key_cmp(&h->key[at]->key, key) == 0)
        return h->key[at];
    h->key = nwr_grow(h->key, &h->capkey, h->nkey + 1, sizeof(struct sim_written *));
    memmove(h->key + at + 1, h->key + at, (h->nkey - at) * sizeof(struct sim_written *));
    h->key[at] = nwr_zalloc(sizeof(struct sim_written));
    h->key[at]->key = *key;
    h->nkey++;
    return h->key[at];
}

static void replaced(struct sim_history *h, nwr_wid wid, const struct nwr_key *key, uint32_t by)
{
    struct sim_write *w = sim_history_find(h, wid);

    if (!w || nwr_key_cmp(&w->key, key) != 0)
        return;
    w->by = nwr_grow(w->by, &w->capby, w->nby + 1, sizeof(*w->by));
    w->by[w->nby++] = by;
}

uint32_t sim_history_add(struct sim_history *h, const struct nwr_write *w)
{
    struct sim_written *list = written(h, &w->key);
    struct sim_write *sw;

    for (uint32_t i = 0; i < w->nseen; i++)
        replaced(h, w->seen[i].wid, &w->key, h->n);
    h->w = nwr_grow(h->w, &h->cap, h->n + 1, sizeof(*h->w));
    sw = &h->w[h->n];
    *sw = (struct sim_write){.wid = w->v.wid, .key = w->key};
    sw->tombstone = w->v.flags & NWR_V_TOMBSTONE;
    if (w->v.nblocks) {
        sw->has_block = true;
        sw->block = w->v.blocks[0];
    }
    list->w = nwr_grow(list->w, &list->cap, list->n + 1, sizeof(*list->w));
    list->w[list->n++] = h->n;
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
        nwr_free(h->w[i].by);
    for (uint32_t i = 0; i < h->nkey; i++) {
        nwr_free(h->key[i]->w);
        nwr_free(h->key[i]);
    }
    nwr_free(h->key);
    nwr_free(h->w);
    *h = (struct sim_history){0};
}
