/* gossip_test.c -- how fast, how loud and how often wrong: members.h among many nodes.
 *
 * The table of net/README.md: NWR_GOSSIP_TABLE=1 build/release/tests/sim/gossip_test
 * Virtual time: the limits asserted here are of the protocol, the same on any machine.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/sim/gossip_kit.h"

enum {
    ONE_PERCENT = 655,
    NOBODY = UINT32_MAX
};

/* Of the node `dead`, as its first suspicion, first and last DOWN; and what was said of others. */
struct tally {
    uint32_t dead;
    nwr_ms suspect_at, down_at, all_down_at;
    uint32_t wrong_suspects, wrong_downs, paused_downs;
    const bool *paused; /* by node; NULL */
};

struct figures {
    nwr_ms suspect_ms, detect_ms, spread_ms;
    uint64_t bytes_s, messages_s;
    uint32_t loss_suspects, loss_downs;   /* in a quarter of an hour with 1 % loss */
    uint32_t pause_suspects, pause_downs; /* of nodes that were never paused */
    uint32_t paused_downs, pauses;        /* of those that were */
};

static void note(struct gossip *g, uint32_t at, uint32_t of, enum nwr_life life)
{
    struct tally *t = g->user;

    (void)at;
    if (of == t->dead) {
        if (life == NWR_LIFE_SUSPECT && !t->suspect_at)
            t->suspect_at = g->now;
        if (life == NWR_LIFE_DOWN && !t->down_at)
            t->down_at = g->now;
        if (life == NWR_LIFE_DOWN && gossip_count(g, of, NWR_LIFE_DOWN) == g->n - 1)
            t->all_down_at = g->now;
    } else if (t->paused && t->paused[of]) {
        t->paused_downs += life == NWR_LIFE_DOWN;
    } else {
        t->wrong_suspects += life == NWR_LIFE_SUSPECT;
        t->wrong_downs += life == NWR_LIFE_DOWN;
    }
}

static struct gossip *begin(uint32_t n, uint64_t seed, struct tally *t)
{
    struct gossip *g = gossip_create(n, seed);

    *t = (struct tally){.dead = NOBODY};
    g->user = t;
    g->on_life = note;
    gossip_run(g, 3000);
    return g;
}

/* Averages over deaths of one node at a random moment. */
static void measure_death(uint32_t n, uint32_t deaths, struct figures *f)
{
    for (uint32_t i = 0; i < deaths; i++) {
        struct tally t;
        struct gossip *g = begin(n, 1000 + i, &t);
        nwr_ms at;

        gossip_run(g, nwr_rng_below(&g->rng, 5000));
        at = g->now;
        t.dead = (uint32_t)nwr_rng_below(&g->rng, n);
        gossip_die(g, t.dead);
        while (!t.all_down_at && g->now < at + 120000)
            gossip_run(g, 100);
        assert_true(t.all_down_at > 0);
        assert_int_equal(t.wrong_downs, 0);
        f->suspect_ms += (t.suspect_at - at) / deaths;
        f->detect_ms += (t.down_at - at) / deaths;
        f->spread_ms += (t.all_down_at - t.down_at) / deaths;
        gossip_destroy(g);
    }
}

static void measure_bytes(uint32_t n, nwr_ms ms, struct figures *f)
{
    struct tally t;
    struct gossip *g = begin(n, 5, &t);

    g->bytes = g->messages = 0;
    gossip_run(g, ms);
    assert_int_equal(t.wrong_suspects + t.wrong_downs, 0);
    f->bytes_s = g->bytes * 1000 / ms / n;
    f->messages_s = g->messages * 1000 / ms / n;
    gossip_destroy(g);
}

static void measure_loss(uint32_t n, nwr_ms ms, struct figures *f)
{
    struct tally t;
    struct gossip *g = begin(n, 6, &t);

    g->loss = ONE_PERCENT;
    gossip_run(g, ms);
    f->loss_suspects = t.wrong_suspects;
    f->loss_downs = t.wrong_downs;
    gossip_destroy(g);
}

/* Every ten seconds a tenth of the nodes, one at least, stands still for one to six seconds. */
static void measure_pauses(uint32_t n, nwr_ms ms, struct figures *f)
{
    bool *paused = nwr_zalloc(n * sizeof(*paused));
    struct tally t;
    struct gossip *g = begin(n, 7, &t);
    uint32_t some = NWR_MAX(1, n / 10);

    t.paused = paused;
    for (uint32_t i = 0; i < some; i++)
        paused[i] = true;
    for (nwr_ms began = g->now; g->now < began + ms; gossip_run(g, 10000))
        for (uint32_t i = 0; i < some; i++, f->pauses++)
            gossip_pause(g, i, 1000 + nwr_rng_below(&g->rng, 5000));
    f->pause_suspects = t.wrong_suspects;
    f->pause_downs = t.wrong_downs;
    f->paused_downs = t.paused_downs;
    gossip_destroy(g);
    nwr_free(paused);
}

static struct figures measure(uint32_t n, uint32_t deaths, nwr_ms ms)
{
    struct figures f = {0};

    measure_death(n, deaths, &f);
    measure_bytes(n, NWR_MIN(ms, 60000), &f);
    measure_loss(n, ms, &f);
    measure_pauses(n, ms, &f);
    printf("# %4u nodes: suspect %llu ms, down %llu ms, everywhere %llu ms later; %llu B/s, %llu "
           "messages/s a node; 1 %% loss: %u suspected, %u down; %u pauses: %u others suspected, "
           "%u others down, paused ones called down %u times\n",
           n, (unsigned long long)f.suspect_ms, (unsigned long long)f.detect_ms,
           (unsigned long long)f.spread_ms, (unsigned long long)f.bytes_s,
           (unsigned long long)f.messages_s, f.loss_suspects, f.loss_downs, f.pauses,
           f.pause_suspects, f.pause_downs, f.paused_downs);
    return f;
}

static void check(const struct figures *f, nwr_ms detect_ms, nwr_ms spread_ms, uint64_t bytes_s)
{
    assert_true(f->detect_ms <= detect_ms);
    assert_true(f->spread_ms <= spread_ms);
    assert_true(f->bytes_s <= bytes_s);
    assert_int_equal(f->loss_downs, 0);
    assert_int_equal(f->pause_downs, 0);
}

static void three_nodes(void **state)
{
    struct figures f = measure(3, 40, 900000);

    (void)state;
    check(&f, 5000, 500, 1000);
}

static void ten_nodes(void **state)
{
    struct figures f = measure(10, 20, 300000);

    (void)state;
    check(&f, 5000, 500, 4000);
}

static void a_hundred_nodes_probe_one_a_period(void **state)
{
    struct figures f = measure(100, 5, 60000);

    (void)state;
    check(&f, 10000, 2000, 2000);
}

/* The whole table takes a minute; the suite looks at one death. */
static void a_thousand_nodes(void **state)
{
    struct figures f = {0};

    (void)state;
    if (getenv("NWR_GOSSIP_TABLE")) {
        f = measure(1000, 3, 120000);
        check(&f, 15000, 4000, 2500);
        return;
    }
    measure_death(1000, 1, &f);
    check(&f, 15000, 4000, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_nodes),
        cmocka_unit_test(ten_nodes),
        cmocka_unit_test(a_hundred_nodes_probe_one_a_period),
        cmocka_unit_test(a_thousand_nodes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
