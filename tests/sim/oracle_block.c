/* oracle_block.c -- no block missing, miscounted or leaked; see oracle.h. */
#include "tests/sim/oracle.h"

static void store_whole(struct sim *s, int node, bool restarted, bool lost)
{
    struct nwr_verify v;

    if (nwr_store_mem_verify(s->node[node].store, &v) != NWR_OK)
        sim_fail(s, "[block] the store of node %d cannot be verified", node);
    v.corrupt -= lost ? v.lost : 0;
    if (v.missing || v.miscounted || v.corrupt || v.stray)
        sim_fail(s,
                 "[block] store of node %d: %llu missing, %llu miscounted, %llu corrupt, "
                 "%llu stray",
                 node, (unsigned long long)v.missing, (unsigned long long)v.miscounted,
                 (unsigned long long)v.corrupt, (unsigned long long)v.stray);
    if (v.index)
        sim_fail(s, "[block] store of node %d: %llu records wrongly in its index, or not", node,
                 (unsigned long long)v.index);
    if (restarted && v.idle)
        sim_fail(s, "[block] store of node %d keeps %llu blocks that nothing names", node,
                 (unsigned long long)v.idle);
}

void oracle_stores(struct sim *s, int rots)
{
    for (int i = 0; i < s->nnode; i++)
        if (!s->node[i].removed && i != rots)
            store_whole(s, i, false, rots >= 0);
}

static void blocks_of(struct sim *s, int node, const struct sim_history *h,
                      const struct nwr_rows *rows)
{
    for (uint32_t i = 0; i < rows->n; i++)
        for (uint32_t j = 0; j < rows->row[i].rec.n; j++) {
            const struct nwr_version *v = &rows->row[i].rec.v[j];
            const struct sim_write *w = sim_history_find(h, v->wid);

            if (w && w->has_block != (v->nblocks == 1))
                sim_fail(s, "[block] node %d holds write %llx, but forgot what it names", node,
                         (unsigned long long)v->wid);
            for (uint32_t b = 0; b < v->nblocks; b++)
                if (!sim_has_block(s, node, &v->blocks[b]))
                    sim_fail(s, "[block] node %d holds write %llx without its block", node,
                             (unsigned long long)v->wid);
        }
}

void oracle_blocks(struct sim *s, const struct sim_history *h, bool restarted)
{
    for (int i = 0; i < s->nnode; i++) {
        const struct nwr_ring *ring = sim_a_ring(s);

        if (s->node[i].removed)
            continue;
        store_whole(s, i, restarted, false);
        for (nwr_pg pg = 0; pg < ring->pgs; pg++) {
            struct nwr_range all = {.prefix = {.len = 2, .b = {(uint8_t)(pg >> 8), (uint8_t)pg}}};
            struct nwr_rows rows;

            if (sim_look(s, i, pg, &all, 1, &rows) == NWR_OK)
                blocks_of(s, i, h, &rows);
            nwr_rows_deinit(&rows);
        }
    }
}
