/* oracle_returned.c -- nothing replaced or deleted returns; see oracle.h. */
#include "tests/sim/oracle.h"

struct look {
    struct sim *s;
    sim_us since;
};

/* A write that nobody is sure of may be overtaken by what it replaced: it may come too late. So may
 * one that fewer than W replicas have (W + R > N is what DESIGN 5 promises to see writes by). A
 * delete is forgotten by those that have it, so it need not be seen to hold. */
static bool holds(const struct look *l, struct sim_history *h, struct sim_write *by,
                  const struct nwr_record *rec)
{
    if (!by->known_at || by->low || (h->less && by->known_at >= l->since))
        return false;
    return (by->tombstone && by->known_at < l->since) || sim_history_there(h, by, rec);
}

static void check_key(void *arg, struct sim_history *h, const struct sim_written *list,
                      const struct nwr_record *rec)
{
    const struct look *l = arg;

    for (uint32_t i = 0; i < list->n; i++) {
        const struct sim_write *w = &h->w[list->w[i]];

        if (w->nby == 0 || !sim_history_shown(w, rec))
            continue;
        for (uint32_t k = 0; k < w->nby; k++) {
            struct sim_write *by = &h->w[w->by[k]];

            if (holds(l, h, by, rec))
                sim_fail(l->s, "[returned] write %llx is shown though %llx replaced it",
                         (unsigned long long)w->wid, (unsigned long long)by->wid);
        }
    }
}

void oracle_returned(struct sim *s, struct sim_history *h, const struct nwr_key *prefix,
                     const struct nwr_rows *rows, sim_us since)
{
    struct look l = {s, since};

    sim_history_walk(h, prefix, rows, check_key, &l);
}
