/* oracle_invented.c -- every version shown was written so; see oracle.h. */
#include "tests/sim/oracle.h"

static bool is_as_written(const struct sim_write *w, const struct nwr_key *key,
                          const struct nwr_version *v)
{
    struct nwr_blob *body;
    bool same;

    if (!w || nwr_key_cmp(&w->key, key) != 0)
        return false;
    body = sim_history_body(v->wid, key);
    same =
        v->body && v->body->len == body->len && memcmp(v->body->data, body->data, body->len) == 0;
    nwr_blob_unref(body);
    return same && w->tombstone == ((v->flags & NWR_V_TOMBSTONE) != 0);
}

void oracle_invented(struct sim *s, const struct sim_history *h, const struct nwr_rows *rows)
{
    for (uint32_t i = 0; i < rows->n; i++) {
        const struct nwr_record *rec = &rows->row[i].rec;

        nwr_record_check(rec);
        for (uint32_t j = 0; j < rec->n; j++) {
            const struct sim_write *w = sim_history_find(h, rec->v[j].wid);

            if (!is_as_written(w, &rows->row[i].key, &rec->v[j]))
                sim_fail(s, "[invented] nobody wrote %llx so", (unsigned long long)rec->v[j].wid);
            if (w->fate == SIM_REFUSED)
                sim_fail(s,
                         "[invented] write %llx is there, but its caller was told that nothing "
                         "was sent",
                         (unsigned long long)rec->v[j].wid);
        }
    }
}
