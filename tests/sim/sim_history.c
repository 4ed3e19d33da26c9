/* sim_history.c -- see sim_history.h. */
#include "tests/sim/sim_history.h"

static uint32_t lower(const struct sim_history *h, const struct nwr_key *key)
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
    uint32_t at = lower(h, key);

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

void sim_history_walk(struct sim_history *h, const struct nwr_key *prefix,
                      const struct nwr_rows *rows, sim_key_fn fn, void *arg)
{
    for (uint32_t i = lower(h, prefix); i < h->nkey; i++) {
        const struct nwr_row *row;

        if (!nwr_key_has_prefix(&h->key[i]->key, prefix))
            break;
        row = nwr_rows_find(rows, &h->key[i]->key);
        h->looks++;
        fn(arg, h, h->key[i], row ? &row->rec : NULL);
    }
}

void sim_history_healed(struct sim_history *h)
{
    for (uint32_t i = 0; i < h->n; i++)
        h->w[i].low &= h->w[i].left;
}

bool sim_history_shown(const struct sim_write *w, const struct nwr_record *rec)
{
    for (uint32_t i = 0; rec && i < rec->n; i++)
        if (rec->v[i].wid == w->wid)
            return true;
    return false;
}

bool sim_history_there(struct sim_history *h, struct sim_write *w, const struct nwr_record *rec)
{
    if (w->judged == h->looks)
        return w->there;
    w->judged = h->looks;
    w->there = sim_history_shown(w, rec);
    for (uint32_t i = 0; i < w->nby && !w->there; i++)
        w->there = sim_history_there(h, &h->w[w->by[i]], rec);
    return w->there;
}

bool sim_history_over(struct sim_history *h, struct sim_write *w, const struct nwr_record *rec)
{
    if (w->judged_over == h->looks)
        return w->over;
    w->judged_over = h->looks;
    w->over = sim_history_shown(w, rec) || (w->tombstone && w->fate != SIM_REFUSED);
    for (uint32_t i = 0; i < w->nby && !w->over; i++)
        w->over = sim_history_over(h, &h->w[w->by[i]], rec);
    return w->over;
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
