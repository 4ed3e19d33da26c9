/* oracle_converge.c -- after healing by reads all replicas of a group hold the same, but for what
 * one has folded below a floor that the other has not heard of. */
#include "net/core/rows.h"
#include "tests/sim/oracle.h"

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

void oracle_converged(struct sim *s)
{
    const struct nwr_ring *ring = sim_a_ring(s);
    uint16_t list[NWR_REPLICAS_MAX];

    same_rings(s);
    for (nwr_pg pg = 0; pg < ring->pgs; pg++) {
        uint32_t m = nwr_ring_place(ring, pg, list);
        struct nwr_range all = {.prefix = {.len = 2, .b = {(uint8_t)(pg >> 8), (uint8_t)pg}}};
        struct nwr_cut whole = {UINT32_MAX, {0}};
        struct nwr_rows first, other;

        for (uint32_t i = 1; i < m; i++) {
            look_at(s, pg, list[0], &first); /* anew: it is cut below the floor of each other */
            look_at(s, pg, list[i], &other);
            nwr_rows_refuse(&first, &other, &whole, &all, 1);
            nwr_rows_refuse(&other, &first, &whole, &all, 1);
            if (nwr_rows_digest(&first, false) != nwr_rows_digest(&other, false))
                sim_fail(s, "[differ] group %u differs between ordinals %u and %u", pg, list[0],
                         list[i]);
            nwr_rows_deinit(&other);
            nwr_rows_deinit(&first);
        }
    }
}
