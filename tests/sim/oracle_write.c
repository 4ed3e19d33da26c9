/* oracle_write.c -- an acknowledged write is present or causally superseded; nothing is invented;
 * nothing deleted returns. See oracle.h.
 */
#include "tests/sim/oracle.h"

void oracle_invented(struct sim *s, const struct sim_history *h, const struct nwr_rows *rows)
{
    for (uint32_t i = 0; i < rows->n; i++) {
        const struct nwr_record *rec = &rows->row[i].rec;

        nwr_record_check(rec);
        for (uint32_t j = 0; j < rec->n; j++) {
            const struct nwr_version *v = &rec->v[j];
            const struct sim_write *w = sim_history_find(h, v->wid);
            struct nwr_blob *body = sim_history_body(v->wid, &rows->row[i].key);
            bool same = v->body && v->body->len == body->len &&
                        memcmp(v->body->data, body->data, body->len) == 0;

            nwr_blob_unref(body);
            if (!w || nwr_key_cmp(&w->key, &rows->row[i].key) != 0 || !same)
                sim_fail(s, "write %llx was invented", (unsigned long long)v->wid);
            if (w->fate == SIM_REFUSED)
                sim_fail(s, "write %llx is there, but its caller was told that nothing was sent",
                         (unsigned long long)v->wid);
        }
    }
}

struct look {
    const struct sim_history *h;
    const struct nwr_record *rec; /* NULL: no row */
    uint8_t *judged;              /* by index of the write: 0 not yet, 1 there, 2 not */
};

static bool is_shown(const struct nwr_record *rec, nwr_wid wid)
{
    for (uint32_t i = 0; rec && i < rec->n; i++)
        if (rec->v[i].wid == wid)
            return true;
    return false;
}

/* A write that names another is younger: its index is greater. */
static bool is_there(struct look *l, uint32_t x)
{
    const struct sim_history *h = l->h;
    bool there;

    if (l->judged[x])
        return l->judged[x] == 1;
    there = is_shown(l->rec, h->w[x].wid);
    for (uint32_t y = x + 1; y < h->n && !there; y++) {
        if (nwr_key_cmp(&h->w[y].key, &h->w[x].key) != 0)
            continue;
        for (uint32_t i = 0; i < h->w[y].nseen && !there; i++)
            there = h->w[y].seen[i] == h->w[x].wid && is_there(l, y);
    }
    l->judged[x] = there ? 1 : 2;
    return there;
}

/* Nobody who replaced it and is there may stand beside it. */
static void check_not_returned(struct sim *s, struct look *l, uint32_t x)
{
    const struct sim_history *h = l->h;

    if (!is_shown(l->rec, h->w[x].wid))
        return;
    for (uint32_t y = x + 1; y < h->n; y++)
        for (uint32_t i = 0; i < h->w[y].nseen; i++)
            if (h->w[y].seen[i] == h->w[x].wid && h->w[y].known_at &&
                nwr_key_cmp(&h->w[y].key, &h->w[x].key) == 0 && is_there(l, y))
                sim_fail(s, "write %llx is shown beside what replaced it, %llx",
                         (unsigned long long)h->w[x].wid, (unsigned long long)h->w[y].wid);
}

void oracle_known(struct sim *s, const struct sim_history *h, const struct nwr_key *prefix,
                  const struct nwr_rows *rows, sim_us since)
{
    struct look l = {.h = h, .judged = nwr_zalloc(h->n)};

    for (uint32_t x = 0; x < h->n; x++) {
        const struct sim_write *w = &h->w[x];
        const struct nwr_row *row;

        if (!nwr_key_has_prefix(&w->key, prefix))
            continue;
        row = nwr_rows_find(rows, &w->key);
        l.rec = row ? &row->rec : NULL;
        check_not_returned(s, &l, x);
        if (w->known_at && w->known_at < since && !is_there(&l, x))
            sim_fail(s, "write %llx of key %llx was %s and is gone", (unsigned long long)w->wid,
                     (unsigned long long)nwr_hash64(w->key.b, w->key.len, 0),
                     w->fate == SIM_ACKED ? "acknowledged" : "shown");
    }
    nwr_free(l.judged);
}

void oracle_note_shown(struct sim *s, struct sim_history *h, const struct nwr_rows *rows)
{
    for (uint32_t i = 0; i < rows->n; i++)
        for (uint32_t j = 0; j < rows->row[i].rec.n; j++) {
            struct sim_write *w = sim_history_find(h, rows->row[i].rec.v[j].wid);

            if (w && !w->known_at)
                w->known_at = s->now;
        }
}
