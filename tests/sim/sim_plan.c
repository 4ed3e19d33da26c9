/* sim_plan.c -- see sim_plan.h.
 *
 *   1 the seed chooses members, N, W, R, and whether crashes lose what was not synced
 *   2 clients work while faults come and go
 *   3 everything heals; what is under way ends
 *   4 every group is read through every node, until nothing is left to repair
 *   5 the oracles look at answers and at the stores themselves
 */
#include "tests/sim/sim_plan.h"

#include <stdio.h>

#include "net/core/rows.h"

struct plan {
    struct sim *s;
    const struct sim_options *opt;
    struct sim_load load;
    uint16_t pgs;
    bool strong, power_loss, joins, reshapes, majorities;
    uint64_t faults;
};

/* ---- faults ---------------------------------------------------------------------------------- */

static int some_node(struct plan *p, bool alive)
{
    int start = (int)sim_below(p->s, (uint64_t)p->s->nnode);

    for (int i = 0; i < p->s->nnode; i++) {
        int node = (start + i) % p->s->nnode;

        if (p->s->node[node].alive == alive && !p->s->node[node].removed)
            return node;
    }
    return -1;
}

static void crash(struct plan *p)
{
    int node = some_node(p, true);

    if (node < 0)
        return;
    sim_crash(p->s, node, p->power_loss && sim_below(p->s, 2));
    sim_load_crashed(&p->load, node);
}

static void restart(struct plan *p)
{
    int node = some_node(p, false);

    if (node >= 0)
        sim_restart(p->s, node);
}

static void cut(struct plan *p)
{
    int a = (int)sim_below(p->s, (uint64_t)p->s->nnode);
    int b = (int)sim_below(p->s, (uint64_t)p->s->nnode);
    bool both = sim_below(p->s, 2) == 0;

    if (a == b)
        return;
    sim_cut(p->s, a, b, true);
    if (both)
        sim_cut(p->s, b, a, true);
}

static void isolate(struct plan *p)
{
    int a = (int)sim_below(p->s, (uint64_t)p->s->nnode);

    for (int b = 0; b < p->s->nnode; b++)
        if (a != b) {
            sim_cut(p->s, a, b, true);
            sim_cut(p->s, b, a, true);
        }
}

static void join_cuts(struct plan *p)
{
    for (int a = 0; a < p->s->nnode; a++)
        for (int b = 0; b < p->s->nnode; b++)
            sim_cut(p->s, a, b, false);
}

static void bad_network(struct plan *p)
{
    p->s->faults.loss = (uint32_t)sim_below(p->s, 3000);
    p->s->faults.doubled = (uint32_t)sim_below(p->s, 6000);
    p->s->faults.reordered = (uint32_t)sim_below(p->s, 12000);
    p->s->faults.delay = 500 + sim_below(p->s, sim_below(p->s, 2) ? 5000 : 400000);
    sim_tell(p->s, "bad network");
}

static void bad_store(struct plan *p)
{
    struct nwr_store_faults *f =
        nwr_store_mem_faults(p->s->node[sim_below(p->s, (uint64_t)p->s->nnode)].store);

    p->s->faults.store_delay = 100 + sim_below(p->s, sim_below(p->s, 2) ? 2000 : 300000);
    sim_tell(p->s, "bad store");
    f->full = sim_below(p->s, 4) == 0;
    f->bit_rot = sim_below(p->s, 3) == 0 ? (uint32_t)sim_below(p->s, 4000) : 0;
}

static void good_again(struct plan *p)
{
    p->s->faults = (struct sim_faults){.delay = 500, .store_delay = 100};
    for (int i = 0; i < p->s->nnode; i++)
        *nwr_store_mem_faults(p->s->node[i].store) = (struct nwr_store_faults){0};
    join_cuts(p);
}

static void join(struct plan *p)
{
    int through = some_node(p, true);

    if (p->joins && p->s->nnode < 6 && through >= 0 && p->s->node[through].joined)
        sim_join(p->s, through);
}

/* N only where both quorums are majorities: others may not meet any more under another N. */
static void reshape(struct plan *p)
{
    int node = some_node(p, true);
    struct nwr_node_event ev = {.kind = NWR_EV_RESHAPE};
    struct nwr_reshape *what = &ev.reshape;

    if (!p->reshapes || node < 0 || !p->s->node[node].joined)
        return;
    what->ordinal = (uint16_t)(1 + sim_below(p->s, 8));
    what->kind = (enum nwr_reshape_kind)sim_below(p->s, 4);
    what->value = what->kind == NWR_RESHAPE_N ? 1 + (uint32_t)sim_below(p->s, 4)
                                              : 1 + (uint32_t)sim_below(p->s, 512);
    memcpy(what->address, "10.0.0.6:1", 11);
    if (what->kind != NWR_RESHAPE_N || p->majorities)
        sim_event(p->s, node, &ev);
}

static void fault(struct plan *p)
{
    p->faults++;
    switch (sim_below(p->s, 13)) {
    case 0:
    case 1: crash(p); break;
    case 2:
    case 3:
    case 4: restart(p); break;
    case 5: cut(p); break;
    case 6: isolate(p); break;
    case 7: join_cuts(p); break;
    case 8: bad_network(p); break;
    case 9: bad_store(p); break;
    case 10: good_again(p); break;
    case 11: join(p); break;
    case 12: reshape(p); break;
    }
}

/* ---- phases ---------------------------------------------------------------------------------- */

static void set_up(struct plan *p)
{
    struct sim *s = p->s;
    uint8_t w = 0, r = 0;
    int members = 1 + (int)sim_below(s, 5);

    p->pgs = (uint16_t)(1 + sim_below(s, 4));
    p->power_loss = sim_below(s, 2);
    p->joins = sim_below(s, 2);
    p->reshapes = sim_below(s, 2);
    if (p->opt->nodes) {
        members = p->opt->nodes;
        p->joins = p->reshapes = false;
    }
    switch (sim_below(s, 4)) {
    case 0: w = r = 1; break;
    case 1: w = 3, r = 1; break;
    case 2: w = 1, r = 3; break;
    case 3: break;
    }
    p->majorities = w == 0;
    p->strong = w != 1 || r != 1;
    sim_tell(s, "%d members, %u groups, w=%u r=%u%s", members, p->pgs, w, r,
             p->power_loss ? ", power loss" : "");
    sim_members(s, members, p->pgs, 3, w, r);
    /* Of a single member w = r = 1 is strong, but it may not stay single. */
    sim_load_start(&p->load, s, p->pgs, p->strong, p->power_loss);
}

static void trouble(struct plan *p)
{
    sim_us until = p->s->now + 5000000 + sim_below(p->s, 25000000);

    while (p->s->now < until || p->load.ops < p->opt->ops) {
        sim_run(p->s, 10000 + sim_below(p->s, 1500000));
        fault(p);
    }
}

/* And no change of the ring is under way. */
static bool all_joined(const struct sim *s)
{
    for (int n = 0; n < s->nnode; n++)
        if (!s->node[n].removed && (!s->node[n].joined || sim_ring(s, n)->joint))
            return false;
    return true;
}

/* What a person does whose node was refused while things were bad. */
static void join_again(struct sim *s)
{
    for (int n = 0; n < s->nnode; n++)
        if (s->node[n].join_err) {
            sim_crash(s, n, false);
            for (int m = 0; m < s->nnode && s->node[s->node[n].join_through].removed; m++)
                if (s->node[m].joined)
                    s->node[n].join_through = m;
            sim_restart(s, n);
        }
}

static void heal(struct plan *p)
{
    struct sim *s = p->s;

    sim_load_stop(&p->load);
    sim_heal(s);
    if (!sim_settle(s, (NWR_DEADLINE_MS + 200) * 1000))
        sim_fail(s, "a request was not answered within its deadline");
    for (int i = 0; i < 600 && !all_joined(s); i++) {
        sim_run(s, 100000);
        join_again(s);
    }
    for (int n = 0; n < s->nnode; n++)
        if (!s->node[n].removed && (!s->node[n].joined || sim_ring(s, n)->joint))
            sim_fail(s, "node %d did not finish joining, or the ring a change: %s", n,
                     s->node[n].join_text);
    sim_run(s, 3000000);
}

/* All pages of a group as node shows them. */
static struct nwr_rows read_group(struct plan *p, int node, nwr_pg pg, uint8_t r)
{
    struct nwr_rows all = {0};
    struct nwr_key after = {0};
    bool more = true;

    while (more) {
        struct nwr_request *req = sim_scan(pg);
        struct nwr_response res;

        req->r = r;
        req->range[0].after = after;
        res = sim_ask(p->s, node, req);
        if (res.err)
            sim_fail(p->s, "all is healed, but reading group %u through node %d fails: %s", pg,
                     node, nwr_err_name(res.err));
        more = res.more;
        if (res.rows.n)
            after = res.rows.row[res.rows.n - 1].key;
        nwr_rows_merge(&all, &res.rows);
        nwr_response_deinit(&res);
    }
    return all;
}

static void read_all(struct plan *p, uint8_t r, bool check)
{
    struct sim *s = p->s;

    for (int node = 0; node < s->nnode; node++)
        for (nwr_pg pg = 0; pg < p->pgs && !s->node[node].removed; pg++) {
            struct nwr_key prefix = {.len = 2, .b = {(uint8_t)(pg >> 8), (uint8_t)pg}};
            struct nwr_rows rows = read_group(p, node, pg, r);

            oracle_invented(s, &p->load.history, &rows);
            if (check)
                oracle_known(s, &p->load.history, &prefix, &rows, s->now);
            nwr_rows_deinit(&rows);
        }
    sim_run(s, 3000000);
}

static void add_counters(struct sim_outcome *out, const struct nwr_node_counters *c)
{
    const uint64_t *from = (const uint64_t *)c;
    uint64_t *to = (uint64_t *)&out->count;

    for (size_t i = 0; i < sizeof(*c) / sizeof(uint64_t); i++)
        to[i] += from[i];
}

struct sim_outcome sim_plan_run(uint64_t seed, const struct sim_options *opt)
{
    struct plan p = {.s = sim_create(seed), .opt = opt};
    struct sim_outcome out = {0};

    p.s->trace = opt->trace;
    set_up(&p);
    trouble(&p);
    heal(&p);
    /* The volume's own R heals as a program's reads do; then every replica is asked. */
    read_all(&p, 0, p.strong);
    read_all(&p, NWR_QUORUM_ALL, true);
    oracle_converged(p.s);
    oracle_blocks(p.s);
    out.ops = p.load.ops;
    out.failed = p.load.failed;
    out.messages = p.s->messages;
    out.faults = p.faults;
    out.nodes = p.s->nnode;
    for (int i = 0; i < p.s->nnode; i++)
        if (p.s->node[i].node)
            add_counters(&out, nwr_node_counters(p.s->node[i].node));
    sim_load_deinit(&p.load);
    sim_destroy(p.s);
    return out;
}
