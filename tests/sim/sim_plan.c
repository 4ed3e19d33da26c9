/* sim_plan.c -- see sim_plan.h.
 *
 *   1 the seed chooses members, N, W, R, and whether crashes lose what was not synced
 *   2 clients work while faults come and go
 *   3 everything heals; what is under way ends
 *   4 every group is read through every node, until nothing is left to repair, and written
 *   5 the oracles look at answers and at the stores themselves; all nodes start once more
 */
#include "tests/sim/sim_plan.h"

#include <stdio.h>

#include "net/core/rows.h"

struct plan {
    struct sim *s;
    const struct sim_options *opt;
    struct sim_load load;
    struct sim_trouble trouble;
    uint16_t pgs;
    bool strong, power_loss, old_disks;
};

/* ---- phases ---------------------------------------------------------------------------------- */

/* A disk that is set back takes with it what was acknowledged there: W - 1 others have it. A read
 * of R may miss it until all were compared. */
static void age(struct plan *p, uint8_t w, bool changes)
{
    bool old_disks = w != 1 && p->s->nnode >= 3 && !changes && sim_below(p->s, 2);

    sim_trouble_age(&p->trouble, old_disks);
    p->old_disks = old_disks;
    if (old_disks)
        p->strong = false;
}

/* A member that is removed while all call it down takes with it what it stood in for. */
static void ask_less(struct plan *p, bool reshapes)
{
    p->load.low = sim_below(p->s, 2);
    p->load.sloppy = !reshapes && sim_below(p->s, 2);
    p->load.history.less = p->load.low || p->load.sloppy;
    sim_tell(p->s, "requests: %s%s", p->load.low ? "some with w=1 r=1 " : "",
             p->load.sloppy ? "some sloppy" : "");
}

static void set_up(struct plan *p)
{
    struct sim *s = p->s;
    uint8_t w = 0, r = 0;
    int members = 1 + (int)sim_below(s, 5);
    bool joins, reshapes, weak = s->defect == SIM_WEAK_QUORUM;

    p->pgs = (uint16_t)(1 + sim_below(s, 4));
    p->power_loss = sim_below(s, 2);
    joins = sim_below(s, 2);
    reshapes = sim_below(s, 2);
    if (p->opt->nodes) {
        members = p->opt->nodes;
        joins = reshapes = false;
    }
    switch (sim_below(s, 4)) {
    case 0: w = r = 1; break;
    case 1: w = 3, r = 1; break;
    case 2: w = 1, r = 3; break;
    case 3: break;
    }
    p->strong = w != 1 || r != 1;
    sim_tell(s, "%d members, %u groups, w=%u r=%u%s", members, p->pgs, w, r,
             p->power_loss ? ", power loss" : "");
    sim_members(s, members, p->pgs, 3, weak ? 1 : w, weak ? 1 : r);
    sim_trouble_draw(&p->trouble, s, p->power_loss, joins, reshapes);
    p->trouble.majorities = w == 0;
    if (p->opt->aged)
        age(p, w, joins || reshapes);
    /* Of a single member w = r = 1 is strong, but it may not stay single. */
    sim_load_start(&p->load, s, p->pgs, p->strong, p->power_loss);
    p->load.old_disks = p->old_disks;
    if (s->seed >= SIM_HARSH && !p->old_disks)
        ask_less(p, reshapes);
}

static void trouble(struct plan *p)
{
    sim_us until = p->s->now + 5000000 + sim_below(p->s, 25000000);

    while (p->opt->ops ? p->load.ops < p->opt->ops : p->s->now < until) {
        sim_run(p->s, 10000 + sim_below(p->s, 1500000));
        sim_trouble_strike(&p->trouble);
    }
}

/* Members tell each other what they have, or try. */
static void compare_all(struct plan *p)
{
    struct sim *s = p->s;

    for (int i = 0; i < s->nnode; i++) {
        struct nwr_node_event ev = {.kind = NWR_EV_REPAIR, .pg = NWR_PGS_MAX};

        if (sim_is_awake(s, i) && s->node[i].joined)
            sim_event(s, i, &ev);
        sim_run(s, 1000000 + sim_below(s, 2000000));
    }
}

/* Bursts of work, some of it while all is well, and quiet hours, not all of them without faults. */
static void trouble_for_long(struct plan *p)
{
    struct sim *s = p->s;

    for (uint64_t round = 3 + sim_below(s, 8); round > 0; round--) {
        uint64_t strikes = sim_below(s, 5);

        sim_run(s, 50000 + sim_below(s, 500000));
        for (uint64_t i = 0; i < strikes; i++) {
            sim_trouble_strike(&p->trouble);
            sim_run(s, 10000 + sim_below(s, 300000));
        }
        sim_load_stop(&p->load);
        if (sim_below(s, 3))
            sim_heal(s);
        sim_run(s, sim_below(s, 5) ? 3000000 : NWR_DEADLINE_MS * 1000);
        for (uint64_t i = sim_below(s, 4); i > 0; i--) {
            compare_all(p);
            if (sim_below(s, 4) == 0)
                sim_trouble_strike(&p->trouble);
        }
        sim_load_go_on(&p->load);
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

static sim_us longest_pause(const struct sim *s)
{
    sim_us until = s->now;

    for (int n = 0; n < s->nnode; n++)
        until = NWR_MAX(until, s->node[n].paused_until);
    return until - s->now;
}

/* Every node answers for every group again. */
static void check_alive(struct plan *p)
{
    for (int node = 0; node < p->s->nnode; node++)
        for (nwr_pg pg = 0; pg < p->pgs && !p->s->node[node].removed; pg++)
            sim_load_must_put(&p->load, node, pg);
}

/* A process that is killed and started again finds what it had; idle blocks go. */
static void restart_all(struct sim *s)
{
    for (int n = 0; n < s->nnode; n++) {
        if (s->node[n].removed)
            continue;
        sim_crash(s, n, false);
        sim_restart(s, n);
    }
}

/* Who stood in for others has told them. */
static bool all_told(const struct sim *s)
{
    for (int i = 0; i < s->nnode; i++)
        for (uint16_t o = 1; o <= SIM_NODES && !s->node[i].removed; o++)
            if (nwr_node_hints(s->node[i].node, o)->count)
                return false;
    return true;
}

static void heal(struct plan *p)
{
    struct sim *s = p->s;

    sim_load_stop(&p->load);
    sim_heal(s);
    sim_run(s, longest_pause(s));
    sim_settle(s, (NWR_DEADLINE_MS + 200) * 1000);
    oracle_all_answered(s);
    for (int i = 0; i < 600 && !all_joined(s); i++) {
        sim_run(s, 100000);
        join_again(s);
    }
    for (int n = 0; n < s->nnode; n++)
        if (!s->node[n].removed && (!s->node[n].joined || sim_ring(s, n)->joint))
            sim_fail(s, "[live] node %d did not finish joining, or the ring a change: %s", n,
                     s->node[n].join_text);
    sim_run(s, 3000000);
    for (int i = 0; i < 600 && p->load.sloppy && !all_told(s); i++)
        sim_run(s, 100000);
    if (p->load.sloppy && !all_told(s))
        sim_fail(s, "[live] all is healed, and a hint does not come to whom it is for");
    sim_trouble_reread(&p->trouble);
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
            sim_fail(p->s, "[live] all is healed, but reading group %u through node %d fails: %s",
                     pg, node, nwr_err_name(res.err));
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
            if (check) {
                oracle_lost(s, &p->load.history, &prefix, &rows, s->now);
                oracle_returned(s, &p->load.history, &prefix, &rows, s->now);
            }
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

static void end(struct plan *p, struct sim_outcome *out)
{
    struct sim *s = p->s;

    /* The volume's own R heals as a program's reads do; then every replica is asked. */
    read_all(p, 0, p->strong);
    check_alive(p);
    sim_history_healed(&p->load.history);
    read_all(p, NWR_QUORUM_ALL, true);
    oracle_converged(s);
    oracle_blocks(s, &p->load.history, false);
    for (int i = 0; i < s->nnode; i++)
        if (s->node[i].node)
            add_counters(out, nwr_node_counters(s->node[i].node));
    restart_all(s);
    oracle_converged(s);
    oracle_blocks(s, &p->load.history, true);
}

struct sim_outcome sim_plan_run(uint64_t seed, const struct sim_options *opt)
{
    struct plan p = {.s = sim_create(seed), .opt = opt};
    struct sim_outcome out = {0};

    p.s->trace = opt->trace;
    p.s->defect = opt->defect;
    p.s->replay = opt->aged ? "build/release/tests/sim/sim --aged --seed"
                            : "build/release/tests/sim/sim --seed";
    set_up(&p);
    if (opt->aged)
        trouble_for_long(&p);
    else
        trouble(&p);
    heal(&p);
    end(&p, &out);
    out.ops = p.load.ops;
    out.failed = p.load.failed;
    out.messages = p.s->messages;
    out.faults = p.trouble.struck;
    out.nodes = p.s->nnode;
    out.digest = p.s->digest;
    sim_load_deinit(&p.load);
    sim_trouble_deinit(&p.trouble);
    sim_destroy(p.s);
    return out;
}
