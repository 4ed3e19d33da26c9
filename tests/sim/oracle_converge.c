/* oracle_converge.c -- after healing by reads all replicas of a group hold the same, but for what
 * one has folded below a floor that the other has not heard of; what is kept for a merge
 * (net/README.md) is the same once members have compared what they have. */
#include "net/core/rows.h"
#include "tests/sim/oracle.h"

enum {
    COMPARED_US = 40000000 /* members compare what they have every half minute */
};

static void forget_kept(struct nwr_rows *rows)
{
    for (uint32_t i = 0; i < rows->n; i++) {
        struct nwr_record *r = &rows->row[i].rec;

        for (uint32_t k = 0; k < r->nkept; k++)
            nwr_version_deinit(&r->kept[k]);
        r->nkept = 0;
    }
}

static void look_at(struct sim *s, nwr_pg pg, uint16_t ordinal, struct nwr_rows *rows)
{
    struct nwr_range all = {.prefix = {.len = 2, .b = {(uint8_t)(pg >> 8), (uint8_t)pg}}};
    int node = sim_of_ordinal(s, ordinal);

    if (node < 0)
        sim_fail(s, "[differ] ordinal %u of the ring is no node", ordinal);
    if (sim_look(s, node, pg, &all, 1, rows) != NWR_OK)
        sim_fail(s, "[differ] node %d cannot read its group %u", node, pg);
}

static void same_rings(struct sim *s)
{
    const struct nwr_ring *first = sim_a_ring(s);

    for (int i = 0; i < s->nnode; i++)
        if (!s->node[i].removed && sim_ring(s, i)->epoch != first->epoch)
            sim_fail(s, "[differ] node %d is at epoch %llu, another at %llu", i,
                     (unsigned long long)sim_ring(s, i)->epoch, (unsigned long long)first->epoch);
}

/* Of a conflict the digest covers what is kept for a merge, and a replica that folded a delete no
 * more has it there until it hears of the other's. `kept`: that counts too. */
static bool are_equal(struct sim *s, nwr_pg pg, uint16_t a, uint16_t b, bool kept)
{
    struct nwr_range all = {.prefix = {.len = 2, .b = {(uint8_t)(pg >> 8), (uint8_t)pg}}};
    struct nwr_cut whole = {UINT32_MAX, {0}};
    struct nwr_rows first, other;
    bool equal;

    look_at(s, pg, a, &first); /* anew: it is cut below the floor of each other */
    look_at(s, pg, b, &other);
    nwr_rows_refuse(&first, &other, &whole, &all, 1);
    nwr_rows_refuse(&other, &first, &whole, &all, 1);
    if (!kept) {
        forget_kept(&first);
        forget_kept(&other);
    }
    equal = nwr_rows_digest(&first, false) == nwr_rows_digest(&other, false);
    nwr_rows_deinit(&other);
    nwr_rows_deinit(&first);
    return equal;
}

void oracle_converged(struct sim *s)
{
    const struct nwr_ring *ring = sim_a_ring(s);
    uint16_t list[NWR_REPLICAS_MAX];

    same_rings(s);
    for (nwr_pg pg = 0; pg < ring->pgs; pg++) {
        uint32_t m = nwr_ring_place(ring, pg, list);

        for (uint32_t i = 1; i < m; i++) {
            bool equal = are_equal(s, pg, list[0], list[i], true);

            if (!equal && are_equal(s, pg, list[0], list[i], false)) {
                sim_run(s, COMPARED_US);
                equal = are_equal(s, pg, list[0], list[i], true);
            }
            if (!equal)
                sim_fail(s, "[differ] group %u differs between ordinals %u and %u", pg, list[0],
                         list[i]);
        }
    }
}
