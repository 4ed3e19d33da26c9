/* oracle_lost.c -- an acknowledged write is present or causally superseded; see oracle.h. */
#include "tests/sim/oracle.h"

struct look {
    struct sim *s;
    sim_us since;
};

static void check_key(void *arg, struct sim_history *h, const struct sim_written *list,
                      const struct nwr_record *rec)
{
    const struct look *l = arg;

    for (uint32_t i = 0; i < list->n; i++) {
        struct sim_write *w = &h->w[list->w[i]];

        if (w->known_at && !w->low && w->known_at < l->since && !sim_history_over(h, w, rec))
            sim_fail(l->s, "[lost] write %llx of key %llx was %s and is gone",
                     (unsigned long long)w->wid,
                     (unsigned long long)nwr_hash64(w->key.b, w->key.len, 0),
                     w->fate == SIM_ACKED ? "acknowledged" : "shown");
    }
}

void oracle_lost(struct sim *s, struct sim_history *h, const struct nwr_key *prefix,
                 const struct nwr_rows *rows, sim_us since)
{
    struct look l = {s, since};

    sim_history_walk(h, prefix, rows, check_key, &l);
}

/* Where a write could not be brought to W replicas for want of room, it may be shown and not seen
 * again (net/core/merge.c). */
static bool any_was_full(struct sim *s, sim_us since)
{
    if (s->full_at >= since)
        return true;
    for (int i = 0; i < s->nnode; i++)
        if (s->node[i].store && nwr_store_mem_faults(s->node[i].store)->full)
            return true;
    return false;
}

void oracle_note_shown(struct sim *s, struct sim_history *h, const struct nwr_rows *rows,
                       sim_us since)
{
    if (any_was_full(s, since))
        return;
    for (uint32_t i = 0; i < rows->n; i++)
        for (uint32_t j = 0; j < rows->row[i].rec.n; j++) {
            struct sim_write *w = sim_history_find(h, rows->row[i].rec.v[j].wid);

            if (w && (!w->known_at || w->low))
                w->known_at = s->now;
            if (w)
                w->low = false;
        }
}
