/* oracle_returned.c -- nothing replaced or deleted returns; see oracle.h. */
#include "tests/sim/oracle.h"

/* A write that nobody is sure of may be overtaken by what it replaced: it may come too late. */
static void check_key(void *arg, struct sim_history *h, const struct sim_written *list,
                      const struct nwr_record *rec)
{
    struct sim *s = arg;

    for (uint32_t i = 0; i < list->n; i++) {
        const struct sim_write *w = &h->w[list->w[i]];

        if (w->nby == 0 || !sim_history_shown(w, rec))
            continue;
        for (uint32_t k = 0; k < w->nby; k++) {
            struct sim_write *by = &h->w[w->by[k]];

            if (by->known_at && sim_history_there(h, by, rec))
                sim_fail(s, "[returned] write %llx is shown beside what replaced it, %llx",
                         (unsigned long long)w->wid, (unsigned long long)by->wid);
        }
    }
}

void oracle_returned(struct sim *s, struct sim_history *h, const struct nwr_key *prefix,
                     const struct nwr_rows *rows)
{
    sim_history_walk(h, prefix, rows, check_key, s);
}
