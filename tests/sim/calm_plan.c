/* calm_plan.c -- see calm_plan.h.
 *
 *   1 the seed chooses members and mounts; W + R > N
 *   2 a program on each mount works in a directory of its own, while messages are late, in another
 *     order and doubled, clocks jump, disks are slow, and members come and go; or, where two of
 *     three are enough, a node without a mount dies now and then
 *   3 the mounts push what they have; each looks at everything that all the programs left
 */
#include "tests/sim/calm_plan.h"

#include "tests/sim/calm_load.h"
#include "tests/sim/oracle.h"

enum {
    IDLE_MS = 60000,
    STEP_US = 100000,
    LIMIT_S = 1200
};

struct calm {
    struct sim *s;
    struct calm_load load[SIM_MOUNTS];
    int mounts;
    bool deaths;
    bool policies; /* of directories: N stays, and everybody is there */
    struct sim_trouble trouble;
};

/* Faults that the volume hides; none of them costs a quorum. */
static void draw_trouble(struct calm *c)
{
    static const enum sim_fault hidden[] = {SIM_DOUBLING, SIM_REORDERING, SIM_CLOCK, SIM_JOIN};
    struct sim_trouble all;

    sim_trouble_draw(&all, c->s, false, !c->deaths, false);
    c->trouble = (struct sim_trouble){.s = c->s};
    for (size_t i = 0; i < NWR_COUNT(hidden); i++) {
        c->trouble.weight[hidden[i]] = all.weight[hidden[i]];
        c->trouble.all += all.weight[hidden[i]];
    }
}

static void set_up(struct calm *c)
{
    struct sim *s = c->s;
    int members = 1 + (int)sim_below(s, 4);

    c->mounts = 1 + (int)sim_below(s, (uint64_t)NWR_MIN(members, 3));
    c->policies = s->seed >= CALM_POLICIES && sim_below(s, 2);
    c->deaths = members > NWR_MAX(c->mounts, 2) && sim_below(s, 2) && !c->policies;
    sim_tell(s, "%d members, %d mounts, %s", members, c->mounts, c->deaths ? "deaths" : "changes");
    sim_members(s, members, (uint16_t)(1 + sim_below(s, 8)), 3, 0, 0);
    for (int i = 0; i < c->mounts; i++)
        calm_load_init(&c->load[i], s, i, i % members, c->policies);
    sim_run(s, 3000000);
    draw_trouble(c);
}

/* A node without a mount dies, or the dead one starts. */
static void die_or_live(struct calm *c)
{
    struct sim *s = c->s;
    int node = c->mounts + (int)sim_below(s, (uint64_t)(s->nnode - c->mounts));

    for (int n = 0; n < s->nnode; n++)
        if (!s->node[n].alive) {
            sim_restart(s, n);
            return;
        }
    if (sim_below(s, 3) == 0)
        sim_crash(s, node, false);
}

/* A member without a mount goes, one weighs other, or N is another. */
static void reshape(struct calm *c)
{
    static const enum nwr_reshape_kind kind[] = {NWR_RESHAPE_REMOVE, NWR_RESHAPE_WEIGHT,
                                                 NWR_RESHAPE_N};
    struct sim *s = c->s;
    struct nwr_node_event ev = {.kind = NWR_EV_RESHAPE};
    struct nwr_reshape *what = &ev.reshape;
    int node = (int)sim_below(s, (uint64_t)s->nnode);

    what->kind = kind[sim_below(s, NWR_COUNT(kind))];
    if (c->policies && what->kind == NWR_RESHAPE_N)
        return;
    if (!s->node[node].joined || (what->kind == NWR_RESHAPE_REMOVE && node < c->mounts))
        return;
    what->ordinal = nwr_node_ordinal(s->node[node].node);
    what->value = 1 + (uint32_t)sim_below(s, what->kind == NWR_RESHAPE_N ? 4 : 512);
    sim_event(s, 0, &ev);
}

static void strike(struct calm *c)
{
    struct sim *s = c->s;
    uint64_t node;

    if (c->deaths)
        die_or_live(c);
    else if (sim_below(s, 4) == 0)
        reshape(c);
    sim_trouble_strike(&c->trouble);
    s->faults.delay = 500 + sim_below(s, sim_below(s, 2) ? 5000 : 50000);
    node = sim_below(s, (uint64_t)s->nnode);
    nwr_store_mem_faults(s->node[node].store)->slow_ms = sim_below(s, 20);
}

static void start(struct calm *c, int i, void (*main)(struct sim_program *p), struct calm_load *of)
{
    struct sim_mount *m = &c->load[i].mount;

    if (!m->core)
        sim_mount_start(m);
    sim_program_start(&c->load[i].program, m, main, of);
}

static void wait_for(struct calm *c, int i, void (*meanwhile)(struct calm *c))
{
    struct sim_program *p = &c->load[i].program;
    sim_us until = c->s->now + LIMIT_S * 1000000ULL;

    while (!sim_program_ended(p)) {
        if (c->s->now > until)
            sim_fail(c->s, "[reply] a program of mount %d never ends", i);
        sim_run(c->s, STEP_US);
        if (meanwhile && sim_below(c->s, 4) == 0)
            meanwhile(c);
    }
    sim_program_deinit(p);
}

static bool all_idle(const struct calm *c)
{
    for (int i = 0; i < c->mounts; i++)
        if (!nwr_mount_idle(c->load[i].mount.core))
            return false;
    return true;
}

static void heal(struct calm *c)
{
    struct sim *s = c->s;

    sim_heal(s);
    sim_run(s, 3000000);
    for (int ms = 0; ms < IDLE_MS && !all_idle(c); ms += 100)
        sim_run(s, 100000);
    if (!all_idle(c))
        sim_fail(s, "[live] a mount does not push what it has");
}

struct sim_outcome calm_plan_run(uint64_t seed, const struct sim_options *opt)
{
    struct calm c = {.s = sim_create(seed)};
    struct sim_outcome out;

    c.s->trace = opt->trace;
    c.s->defect = opt->defect;
    c.s->replay = "build/release/tests/sim/sim --calm --seed";
    set_up(&c);
    for (int i = 0; i < c.mounts; i++) {
        start(&c, i, calm_load_plant, &c.load[i]);
        wait_for(&c, i, NULL);
    }
    for (int i = 0; i < c.mounts; i++)
        start(&c, i, calm_load_work, &c.load[i]);
    for (int i = 0; i < c.mounts; i++)
        wait_for(&c, i, strike);
    heal(&c);
    for (int i = 0; i < c.mounts; i++)
        for (int of = 0; of < c.mounts; of++) {
            start(&c, i, oracle_plain_tree, &c.load[of]);
            wait_for(&c, i, NULL);
        }
    sim_settle(c.s, (NWR_DEADLINE_MS + 200) * 1000); /* a reaper's, say */
    oracle_all_answered(c.s);
    out = (struct sim_outcome){.messages = c.s->messages,
                               .faults = c.trouble.struck,
                               .nodes = c.s->nnode,
                               .digest = c.s->digest};
    for (int i = 0; i < c.mounts; i++) {
        out.ops += c.load[i].calls;
        calm_load_deinit(&c.load[i]);
    }
    sim_destroy(c.s);
    return out;
}
