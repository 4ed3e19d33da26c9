/* mount_plan.c -- see mount_plan.h.
 *
 *   1 the seed chooses members, W, R, and mounts
 *   2 programs work on the mounts while faults come and go
 *   3 everything heals; what is under way ends; what is dirty is pushed
 *   4 every group is read from all replicas; every mount looks at its tree, until nothing changes
 *   5 the oracles look at the trees; everything is removed
 */
#include "tests/sim/mount_plan.h"

#include <stdio.h>

#include "tests/sim/mount_oracle.h"
#include "tests/sim/oracle.h"

enum {
    ROUNDS = 6,
    IDLE_MS = 60000,
    SCRUBS = 8
};

struct plan {
    struct sim *s;
    const struct sim_options *opt;
    struct mount_load load;
    struct sim_trouble trouble;
    struct mount_tree tree[SIM_MOUNTS];
    uint16_t pgs;
    bool harsh;
    bool lost; /* some of what rotted had no good copy */
    int rots;  /* there some of it stays, a block; -1: nowhere */
};

/* What rots for good does so at one node, and W nodes have what was acknowledged: power loss, or a
 * member that goes, could take the other copy before that one is mended, and then there is none. A
 * batch is torn only where W is two: a store promises that it is whole (DESIGN 13), and half of the
 * only copy is worse than nothing. */
static void draw_trouble(struct plan *p, bool weak, int members, bool joins)
{
    struct sim *s = p->s;
    uint64_t harsh = p->harsh ? sim_below(s, 4) : 0;
    bool rots = harsh == 1 && !weak && members > 2;
    bool power_loss = harsh >= 2;
    bool reshapes = p->harsh && !rots && sim_below(s, 2);

    sim_trouble_draw(&p->trouble, s, power_loss, joins, reshapes);
    if (p->harsh)
        sim_trouble_harden(&p->trouble, rots);
    if (power_loss)
        s->sync_us = 1 + sim_below(s, 1000000);
    p->trouble.majorities = !weak;
    p->load.rot = p->trouble.weight[SIM_BIT_ROT] || rots;
    p->load.losers = weak || reshapes ? 1 : NWR_MIN(members, 3) / 2 + 1;
    p->trouble.whole_batches = p->load.losers == 1;
}

static void set_up(struct plan *p)
{
    struct sim *s = p->s;
    int members = 1 + (int)sim_below(s, 4);
    int mounts = 1 + (int)sim_below(s, (uint64_t)NWR_MIN(members, 3));
    bool weak = sim_below(s, 2);
    bool joins = sim_below(s, 4) == 0;

    p->harsh = s->seed >= SIM_HARSH;
    p->pgs = (uint16_t)(1 + sim_below(s, 8));
    sim_tell(s, "%d members, %d mounts, %u groups, %s", members, mounts, p->pgs,
             weak ? "w=1 r=1" : "majorities");
    sim_members(s, members, p->pgs, 3, weak, weak);
    mount_load_init(&p->load, s, mounts);
    mount_load_plant(&p->load);
    sim_run(s, 3000000);
    draw_trouble(p, weak, members, joins);
    mount_load_start(&p->load);
}

static void trouble(struct plan *p)
{
    sim_us until = p->s->now + 3000000 + sim_below(p->s, 12000000);

    while (p->s->now < until) {
        sim_run(p->s, 10000 + sim_below(p->s, 1500000));
        sim_trouble_strike(&p->trouble);
    }
}

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

static bool all_idle(const struct plan *p)
{
    for (int i = 0; i < p->load.mounts; i++)
        if (p->load.worker[i].mount.core && !nwr_mount_idle(p->load.worker[i].mount.core))
            return false;
    return true;
}

/* What rotted is found and fetched, since W others had it, or, a record that nobody has, said to be
 * lost and dropped: then another run finds nothing. A group that has not become equal yet is left
 * for another run. */
static void scrub(struct plan *p)
{
    struct sim *s = p->s;
    int node = p->trouble.victim;
    const struct nwr_scrub_state *st = NULL;

    if (!p->trouble.weight[SIM_ROT]) {
        sim_trouble_reread(&p->trouble);
        return;
    }
    for (int run = 0; run < SCRUBS && (!st || st->left || st->lost); run++) {
        st = sim_scrub(s, node);
        p->lost |= st->lost > 0;
        sim_run(s, 3000000);
    }
    p->lost |= s->said_lost;
    if (st->lost)
        p->rots = node;
    if (st->left)
        sim_fail(s, "[live] all is healed, but node %d has groups in doubt", node);
    /* Counts of blocks are made again at a start (net/store/README.md). */
    sim_crash(s, node, false);
    sim_restart(s, node);
    sim_run(s, 3000000);
}

static void heal(struct plan *p)
{
    struct sim *s = p->s;

    sim_heal(s);
    for (int n = 0; n < s->nnode; n++)
        if (s->node[n].paused_until > s->now)
            sim_run(s, s->node[n].paused_until - s->now);
    mount_load_stop(&p->load);
    for (int i = 0; i < 600 && !all_joined(s); i++) {
        sim_run(s, 100000);
        join_again(s);
    }
    if (!all_joined(s))
        sim_fail(s, "[live] a node did not finish joining");
    sim_run(s, 3000000);
    for (int ms = 0; ms < IDLE_MS && !all_idle(p); ms += 100)
        sim_run(s, 100000);
    if (!all_idle(p))
        sim_fail(s, "[live] all is healed, but a mount does not push what it has");
    sim_settle(s, (NWR_DEADLINE_MS + 200) * 1000);
    oracle_all_answered(s);
    scrub(p);
}

/* From all replicas, so that they come to agree. */
static void read_group(struct plan *p, int node, nwr_pg pg)
{
    struct nwr_key after = {0};
    bool more = true;

    while (more) {
        struct nwr_request *req = sim_scan(pg);
        struct nwr_response res;

        req->r = NWR_QUORUM_ALL;
        req->range[0].after = after;
        res = sim_ask(p->s, node, req);
        if (res.err)
            sim_fail(p->s, "[live] all is healed, but reading group %u through node %d fails: %s",
                     pg, node, nwr_err_name(res.err));
        more = res.more;
        if (res.rows.n)
            after = res.rows.row[res.rows.n - 1].key;
        nwr_response_deinit(&res);
    }
}

/* The first of those that are, from node on. */
static int member(const struct sim *s, int node)
{
    while (s->node[node].removed)
        node = (node + 1) % s->nnode;
    return node;
}

static void read_all(struct plan *p)
{
    for (nwr_pg pg = 0; pg < p->pgs; pg++)
        read_group(p, member(p->s, pg % p->s->nnode), pg);
    sim_run(p->s, 1000000);
}

static bool same_trees(const struct plan *p)
{
    for (int i = 0; i < p->load.mounts; i++)
        if (p->tree[i].unlike[0])
            return false;
    for (int i = 1; i < p->load.mounts; i++)
        if (!oracle_tree_same(&p->tree[i], &p->tree[0]))
            return false;
    return true;
}

/* Every mount looks; who looks may finish what was begun, so this may take more than once. */
static void look_all(struct plan *p)
{
    for (int round = 0; round < ROUNDS; round++) {
        read_all(p);
        for (uint32_t i = 0; i < p->load.book.ncontent; i++)
            p->load.book.content[i].seen = false;
        for (int i = 0; i < p->load.mounts; i++)
            mount_load_run(&p->load, i, oracle_tree_look, &p->tree[i]);
        if (round && same_trees(p))
            return;
    }
    for (int i = 0; i < p->load.mounts; i++)
        fprintf(stderr, "mount %d: %s\n%s", i, p->tree[i].unlike, p->tree[i].text);
    sim_fail(p->s, "[tree] mounts list different trees, or one lists what is not so");
}

static void remove_all(struct plan *p)
{
    mount_load_run(&p->load, 0, oracle_tree_remove, NULL);
    look_all(p);
    /* A name that leads nowhere stays, and what it is in, until `nwrfs check` (README.md); so may a
     * directory in a group where something is lost. */
    if (p->lost || (p->tree[0].losses && strstr(p->tree[0].text, " is lost\n")))
        return;
    if (p->tree[0].len)
        sim_fail(p->s, "[tree] after rm -rf there is still: %s", p->tree[0].text);
}

struct sim_outcome mount_plan_run(uint64_t seed, const struct sim_options *opt)
{
    struct plan p = {.s = sim_create(seed), .opt = opt, .rots = -1};
    struct sim_outcome out = {0};

    p.s->trace = opt->trace;
    p.s->defect = opt->defect;
    p.s->replay = "build/release/tests/sim/sim --mounts --seed";
    set_up(&p);
    for (int i = 0; i < p.load.mounts; i++)
        p.tree[i].book = &p.load.book;
    trouble(&p);
    heal(&p);
    for (int i = 0; i < p.load.mounts; i++)
        p.tree[i].losses = (int)p.s->nloss >= p.load.losers || p.lost || p.s->left_alone;
    look_all(&p);
    oracle_content(&p.load);
    oracle_stores(p.s, p.rots);
    remove_all(&p);
    out = (struct sim_outcome){.ops = p.load.calls,
                               .failed = p.load.failed,
                               .messages = p.s->messages,
                               .faults = p.trouble.struck,
                               .nodes = p.s->nnode,
                               .digest = p.s->digest};
    for (int i = 0; i < p.load.mounts; i++)
        nwr_free(p.tree[i].text);
    mount_load_deinit(&p.load);
    sim_destroy(p.s);
    return out;
}
