/* sim_fault.c -- see sim_fault.h. */
#include "tests/sim/sim_fault.h"

enum {
    NODES_MAX = 6, /* nobody joins beyond */
    WEIGHT_MAX = 6,
    SCRUB_MS = 60000
};

static int below(struct sim *s, int bound)
{
    return (int)sim_below(s, (uint64_t)bound);
}

static int some_node(struct sim *s, bool alive)
{
    int start = below(s, s->nnode);

    for (int i = 0; i < s->nnode; i++) {
        int node = (start + i) % s->nnode;

        if (s->node[node].alive == alive && !s->node[node].removed)
            return node;
    }
    return -1;
}

/* ---- what goes wrong ------------------------------------------------------------------------- */

static void crash(struct sim_trouble *t, bool power_loss)
{
    struct sim *s = t->s;
    int node = some_node(s, true);

    if (node < 0)
        return;
    nwr_store_mem_faults(s->node[node].store)->torn_batch =
        power_loss && !t->whole_batches ? 32768 : 0;
    sim_crash(s, node, power_loss);
}

static void cut(struct sim *s, bool both)
{
    int a = below(s, s->nnode);
    int b = below(s, s->nnode);

    if (a == b)
        return;
    sim_cut(s, a, b, true);
    if (both)
        sim_cut(s, b, a, true);
}

static void split(struct sim *s)
{
    uint64_t side = 1 + sim_below(s, 255);

    for (int a = 0; a < s->nnode; a++)
        for (int b = 0; b < s->nnode; b++)
            if ((side >> a & 1) != (side >> b & 1))
                sim_cut(s, a, b, true);
}

static void bad_disk(struct sim *s, enum sim_fault fault)
{
    struct nwr_store_faults *f = nwr_store_mem_faults(s->node[below(s, s->nnode)].store);

    if (fault == SIM_FULL_DISK)
        f->full = true;
    else if (fault == SIM_SLOW_DISK)
        f->slow_ms = sim_below(s, sim_below(s, 2) ? 20 : 700);
    else
        f->bit_rot = (uint32_t)sim_below(s, 4000);
}

static void pause(struct sim *s)
{
    int node = below(s, s->nnode);

    if (sim_is_awake(s, node))
        sim_pause(s, node, 1000 + sim_below(s, sim_below(s, 2) ? 300000 : 8000000));
}

static void clock_jump(struct sim *s)
{
    int64_t range = sim_below(s, 2) ? 60000 : 10000000;
    int64_t skew = (int64_t)sim_below(s, (uint64_t)range) - range / 2;

    sim_set_clock(s, below(s, s->nnode), skew);
}

static void join(struct sim *s)
{
    int through = some_node(s, true);

    if (s->nnode < NODES_MAX && through >= 0 && sim_is_awake(s, through) && s->node[through].joined)
        sim_join(s, through);
}

static void reshape(struct sim_trouble *t)
{
    struct sim *s = t->s;
    int node = some_node(s, true);
    struct nwr_node_event ev = {.kind = NWR_EV_RESHAPE};
    struct nwr_reshape *what = &ev.reshape;

    if (node < 0 || !s->node[node].joined || !sim_is_awake(s, node))
        return;
    what->ordinal = (uint16_t)(1 + sim_below(s, t->harsh ? (uint64_t)s->nnode : 8));
    what->kind = (enum nwr_reshape_kind)sim_below(s, 4);
    what->value = 1 + (uint32_t)sim_below(s, what->kind == NWR_RESHAPE_N ? 4 : 512);
    memcpy(what->address, "10.0.0.6:1", 11);
    if (what->kind != NWR_RESHAPE_N || t->majorities)
        sim_event(s, node, &ev);
}

/* ---- what needs time ------------------------------------------------------------------------- */

static void away(struct sim *s)
{
    int node = below(s, s->nnode);

    for (int i = 0; i < s->nnode; i++)
        if (i != node) {
            sim_cut(s, i, node, true);
            sim_cut(s, node, i, true);
        }
}

static bool holds(struct sim *s, int node, nwr_pg pg)
{
    return node >= 0 && s->node[node].joined &&
           nwr_ring_holds(sim_ring(s, node), pg, nwr_node_ordinal(s->node[node].node));
}

static void take_late(struct sim_trouble *t)
{
    struct sim *s = t->s;
    int node = some_node(s, true);
    struct nwr_range all = {.prefix = {.len = 2}};

    nwr_rows_deinit(&t->late);
    if (node < 0 || !s->node[node].joined)
        return;
    t->late_pg = (nwr_pg)sim_below(s, sim_ring(s, node)->pgs);
    t->late_epoch = sim_ring(s, node)->epoch;
    all.prefix.b[1] = (uint8_t)t->late_pg;
    if (sim_look(s, node, t->late_pg, &all, 1, &t->late))
        nwr_rows_deinit(&t->late);
}

/* What was in a queue, in a paused process or in the hands of a reader. */
static void late(struct sim_trouble *t)
{
    struct sim *s = t->s;
    int node = some_node(s, true);

    if (t->late.n == 0 || sim_below(s, 4) == 0) {
        take_late(t);
        return;
    }
    if (!holds(s, node, t->late_pg) || sim_ring(s, node)->epoch != t->late_epoch)
        return;
    sim_tell(s, "what was sent long ago arrives at %d", node);
    for (uint32_t i = 0; i < t->late.n; i++)
        if (sim_below(s, 2))
            sim_arrive(s, node, &t->late.row[i].key, &t->late.row[i].rec);
}

static void image(struct sim_trouble *t)
{
    if (t->image)
        t->image->destroy(t->image);
    t->image = nwr_store_mem_copy(t->s->node[t->victim].store, nwr_rng_next(&t->s->rng));
}

static void old_disk(struct sim_trouble *t)
{
    struct sim *s = t->s;

    if (!t->image)
        return;
    sim_tell(s, "node %d gets an old disk", t->victim);
    sim_change_disk(s, t->victim, t->image);
    t->image = NULL;
}

static void rot(struct sim_trouble *t)
{
    struct sim *s = t->s;
    uint32_t few = 65536 / 20, n;

    n = nwr_store_mem_rot(s->node[t->victim].store, (uint32_t)sim_below(s, 4) ? few : 65536 / 2);
    sim_tell(s, "%u records and blocks of node %d rot", n, t->victim);
}

static void go_wrong(struct sim_trouble *t, enum sim_fault fault)
{
    struct sim *s = t->s;

    t->misread |= fault == SIM_BIT_ROT;
    switch (fault) {
    case SIM_KILL: crash(t, false); break;
    case SIM_POWER: crash(t, true); break;
    case SIM_CUT_ONE: cut(s, false); break;
    case SIM_CUT_BOTH: cut(s, true); break;
    case SIM_SPLIT: split(s); break;
    case SIM_LOSS: s->faults.loss = (uint32_t)sim_below(s, 4000); break;
    case SIM_DOUBLING: s->faults.doubled = (uint32_t)sim_below(s, 8000); break;
    case SIM_REORDERING: s->faults.reordered = (uint32_t)sim_below(s, 16000); break;
    case SIM_DELAY: s->faults.delay = 500 + sim_below(s, sim_below(s, 2) ? 5000 : 400000); break;
    case SIM_FULL_DISK:
    case SIM_SLOW_DISK:
    case SIM_BIT_ROT: bad_disk(s, fault); break;
    case SIM_CLOCK: clock_jump(s); break;
    case SIM_PAUSE: pause(s); break;
    case SIM_JOIN: join(s); break;
    case SIM_RESHAPE: reshape(t); break;
    case SIM_AWAY: away(s); break;
    case SIM_LATE: late(t); break;
    case SIM_IMAGE: image(t); break;
    case SIM_OLD_DISK: old_disk(t); break;
    case SIM_ROT: rot(t); break;
    case SIM_FAULTS: break;
    }
}

/* ---- what is made good again ----------------------------------------------------------------- */

static void restart(struct sim *s)
{
    int node = some_node(s, false);

    if (node >= 0)
        sim_restart(s, node);
}

static void make_good(struct sim *s)
{
    switch (sim_below(s, 8)) {
    default: restart(s); break;
    case 0:
    case 1:
        for (int a = 0; a < s->nnode; a++)
            for (int b = 0; b < s->nnode; b++)
                sim_cut(s, a, b, false);
        break;
    case 2: s->faults = (struct sim_faults){.delay = 500, .store_delay = 100}; break;
    case 3:
        for (int i = 0; i < s->nnode; i++)
            sim_mend_disk(s, i);
        break;
    }
}

void sim_trouble_draw(struct sim_trouble *t, struct sim *s, bool power_loss, bool joins,
                      bool reshapes)
{
    *t = (struct sim_trouble){.s = s};
    for (int i = 0; i < SIM_YOUNG; i++) {
        bool on = sim_below(s, 3) != 0;
        uint32_t weight = 1 + (uint32_t)sim_below(s, WEIGHT_MAX);

        if ((i == SIM_POWER && !power_loss) || (i == SIM_JOIN && !joins) ||
            (i == SIM_RESHAPE && !reshapes))
            on = false;
        t->weight[i] = on ? weight : 0;
        t->all += t->weight[i];
    }
}

void sim_trouble_age(struct sim_trouble *t, bool old_disks)
{
    t->victim = below(t->s, t->s->nnode);
    for (int i = SIM_YOUNG; i < SIM_OLD; i++) {
        t->weight[i] = 2 + (uint32_t)sim_below(t->s, 2 * WEIGHT_MAX);
        if (i >= SIM_IMAGE && !old_disks)
            t->weight[i] = 0;
        t->all += t->weight[i];
    }
}

static void harden(struct sim_trouble *t, enum sim_fault fault)
{
    uint32_t more = 2 + (uint32_t)sim_below(t->s, 3 * WEIGHT_MAX);

    t->weight[fault] += more;
    t->all += more;
}

void sim_trouble_harden(struct sim_trouble *t, bool rots)
{
    t->harsh = true;
    t->victim = below(t->s, t->s->nnode);
    if (rots)
        harden(t, SIM_ROT);
    if (t->weight[SIM_POWER])
        harden(t, SIM_POWER);
    if (t->weight[SIM_RESHAPE])
        harden(t, SIM_RESHAPE);
}

void sim_trouble_deinit(struct sim_trouble *t)
{
    nwr_rows_deinit(&t->late);
    if (t->image)
        t->image->destroy(t->image);
}

void sim_trouble_strike(struct sim_trouble *t)
{
    uint64_t draw;
    int fault = 0;

    if (t->all == 0 || sim_below(t->s, 5) < 2) {
        make_good(t->s);
        return;
    }
    draw = sim_below(t->s, t->all);
    while (draw >= t->weight[fault])
        draw -= t->weight[fault++];
    t->struck++;
    go_wrong(t, (enum sim_fault)fault);
}

const struct nwr_scrub_state *sim_scrub(struct sim *s, int node)
{
    struct nwr_node_event ev = {.kind = NWR_EV_SCRUB, .pg = NWR_PGS_MAX};
    const struct nwr_scrub_state *st = nwr_node_scrub(s->node[node].node);

    sim_event(s, node, &ev);
    for (int ms = 0; ms < SCRUB_MS && st->done < st->asked; ms += 100)
        sim_run(s, 100000);
    sim_tell(s, "%llu rotten, %llu repaired, %llu lost, %llu left", (unsigned long long)st->rotten,
             (unsigned long long)st->repaired, (unsigned long long)st->lost,
             (unsigned long long)st->left);
    if (st->done != st->asked)
        sim_fail(s, "[live] all is healed, but node %d does not finish reading what it has", node);
    return st;
}

void sim_trouble_reread(struct sim_trouble *t)
{
    for (int node = 0; node < t->s->nnode && t->misread; node++)
        if (!t->s->node[node].removed)
            sim_scrub(t->s, node);
}
