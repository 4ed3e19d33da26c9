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
    struct sim_history *h;
    const struct nwr_record *rec; /* NULL: no row */
};

static bool is_shown(const struct nwr_record *rec, nwr_wid wid)
{
    for (uint32_t i = 0; rec && i < rec->n; i++)
        if (rec->v[i].wid == wid)
            return true;
    return false;
}

/* It is shown, or something that replaced it is there. */
static bool is_there(struct look *l, struct sim_write *w)
{
    if (w->judged == l->h->looks)
        return w->there;
    w->judged = l->h->looks;
    w->there = is_shown(l->rec, w->wid);
    for (uint32_t i = 0; i < w->nby && !w->there; i++)
        w->there = is_there(l, &l->h->w[w->by[i]]);
    return w->there;
}

/* Nobody who replaced it and is there may stand beside it. */
static void check_not_returned(struct sim *s, struct look *l, struct sim_write *w)
{
    if (w->nby == 0 || !is_shown(l->rec, w->wid))
        return;
    for (uint32_t i = 0; i < w->nby; i++) {
        struct sim_write *by = &l->h->w[w->by[i]];

        if (by->known_at && is_there(l, by))
            sim_fail(s, "write %llx is shown beside what replaced it, %llx",
                     (unsigned long long)w->wid, (unsigned long long)by->wid);
    }
}

static void check_key(struct sim *s, struct look *l, const struct sim_written *list, sim_us since)
{
    l->h->looks++;
    for (uint32_t i = 0; i < list->n; i++) {
        struct sim_write *w = &l->h->w[list->w[i]];

        check_not_returned(s, l, w);
        if (w->known_at && w->known_at < since && !is_there(l, w))
            sim_fail(s, "write %llx of key %llx was %s and is gone", (unsigned long long)w->wid,
                     (unsigned long long)nwr_hash64(w->key.b, w->key.len, 0),
                     w->fate == SIM_ACKED ? "acknowledged" : "shown");
    }
}

void oracle_known(struct sim *s, struct sim_history *h, const struct nwr_key *prefix,
                  const struct nwr_rows *rows, sim_us since)
{
    struct look l = {.h = h};

    for (uint32_t i = sim_history_lower(h, prefix); i < h->nkey; i++) {
        const struct nwr_row *row;

        if (!nwr_key_has_prefix(&h->key[i]->key, prefix))
            break;
        row = nwr_rows_find(rows, &h->key[i]->key);
        l.rec = row ? &row->rec : NULL;
        check_key(s, &l, h->key[i], since);
    }
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
