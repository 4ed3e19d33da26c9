/* members_test.c -- each rule of members.h and suspect.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "net/core/suspect.h"
#include "tests/sim/gossip_kit.h"

/* ---- one machine, ordinal 1 of 1, 2, 3, at time 0 -------------------------------------------- */

static struct nwr_members *alone(void)
{
    static const uint16_t list[] = {1, 2, 3};
    struct nwr_members *m = nwr_members_create(1, 7);

    nwr_members_list(m, list, 3, 0);
    nwr_members_link(m, 2, true, 0);
    nwr_members_link(m, 3, true, 0);
    return m;
}

static struct nwr_msg from(uint16_t ordinal, uint32_t incarnation)
{
    struct nwr_msg msg = {.kind = NWR_MSG_NEWS};

    msg.u.gossip.self = (struct nwr_news){.ordinal = ordinal, .incarnation = incarnation};
    return msg;
}

/* 2 says this of `of`. */
static void report(struct nwr_members *m, uint16_t of, enum nwr_life life, uint32_t incarnation,
                   uint16_t by, nwr_ms now)
{
    struct nwr_news news = {.ordinal = of, .life = life, .incarnation = incarnation, .by = by};
    struct nwr_msg msg = from(2, 1);

    msg.u.gossip.news = &news;
    msg.u.gossip.nnews = 1;
    nwr_members_message(m, 2, &msg, now);
}

static enum nwr_life life_of(const struct nwr_members *m, uint16_t ordinal)
{
    return nwr_members_find(m, ordinal, NULL)->life;
}

static void drop_effects(struct nwr_members *m)
{
    struct nwr_members_effect e;

    while (nwr_members_take(m, &e))
        nwr_msg_deinit(&e.msg);
}

/* The incarnation this machine gives itself in what it sends next. */
static uint32_t own_incarnation(struct nwr_members *m, nwr_ms now)
{
    struct nwr_members_effect e;
    struct nwr_msg probe = from(2, 1);
    uint32_t incarnation = 0;

    drop_effects(m);
    probe.kind = NWR_MSG_PROBE;
    nwr_members_message(m, 2, &probe, now);
    while (nwr_members_take(m, &e)) {
        if (e.kind == NWR_MEMBERS_SEND)
            incarnation = e.msg.u.gossip.self.incarnation;
        nwr_msg_deinit(&e.msg);
    }
    return incarnation;
}

static void who_was_never_heard_of_is_down_until_it_speaks(void **state)
{
    struct nwr_members *m = alone();
    struct nwr_msg msg = from(3, 1);

    (void)state;
    assert_int_equal(life_of(m, 3), NWR_LIFE_DOWN);
    nwr_members_message(m, 3, &msg, 10);
    assert_int_equal(life_of(m, 3), NWR_LIFE_UP);
    nwr_members_destroy(m);
}

static void of_one_incarnation_the_worse_report_counts(void **state)
{
    struct nwr_members *m = alone();

    (void)state;
    report(m, 3, NWR_LIFE_UP, 4, 0, 10);
    report(m, 3, NWR_LIFE_SUSPECT, 4, 2, 11);
    assert_int_equal(life_of(m, 3), NWR_LIFE_SUSPECT);
    report(m, 3, NWR_LIFE_UP, 4, 0, 12);
    assert_int_equal(life_of(m, 3), NWR_LIFE_SUSPECT);
    report(m, 3, NWR_LIFE_DOWN, 4, 2, 13);
    assert_int_equal(life_of(m, 3), NWR_LIFE_DOWN);
    report(m, 3, NWR_LIFE_SUSPECT, 4, 2, 14);
    assert_int_equal(life_of(m, 3), NWR_LIFE_DOWN);
    nwr_members_destroy(m);
}

static void a_higher_incarnation_outbids_and_late_reports_change_nothing(void **state)
{
    struct nwr_members *m = alone();

    (void)state;
    report(m, 3, NWR_LIFE_DOWN, 4, 2, 10);
    report(m, 3, NWR_LIFE_UP, 5, 0, 11);
    assert_int_equal(life_of(m, 3), NWR_LIFE_UP);
    report(m, 3, NWR_LIFE_DOWN, 4, 2, 12);
    report(m, 3, NWR_LIFE_SUSPECT, 4, 2, 13);
    assert_int_equal(life_of(m, 3), NWR_LIFE_UP);
    assert_int_equal(nwr_members_find(m, 3, NULL)->incarnation, 5);
    nwr_members_destroy(m);
}

static void who_is_suspected_outbids_and_takes_it_as_bad_health(void **state)
{
    struct nwr_members *m = alone();

    (void)state;
    assert_int_equal(own_incarnation(m, 5), 1);
    report(m, 1, NWR_LIFE_SUSPECT, 1, 2, 10);
    assert_int_equal(own_incarnation(m, 11), 2);
    report(m, 1, NWR_LIFE_SUSPECT, 1, 2, 12); /* an old one */
    assert_int_equal(own_incarnation(m, 13), 2);
    report(m, 1, NWR_LIFE_DOWN, 8, 2, 14);
    assert_int_equal(own_incarnation(m, 15), 9);
    assert_int_equal(nwr_members_counters(m)->refuted, 2);
    assert_int_equal(nwr_members_health(m), 0);
    nwr_members_tick(m, 500); /* the period ends */
    assert_true(nwr_members_health(m) > 0);
    nwr_members_destroy(m);
}

static void a_new_life_outbids_the_former_one(void **state)
{
    struct nwr_members *m = alone();

    (void)state;
    report(m, 1, NWR_LIFE_UP, 6, 0, 10);
    assert_int_equal(own_incarnation(m, 11), 7);
    assert_int_equal(nwr_members_counters(m)->refuted, 0);
    nwr_members_destroy(m);
}

static bool says(const struct nwr_msg *msg, uint16_t of, enum nwr_life life)
{
    for (uint32_t i = 0; i < msg->u.gossip.nnews; i++)
        if (msg->u.gossip.news[i].ordinal == of && msg->u.gossip.news[i].life == life)
            return true;
    return false;
}

static void every_message_to_a_suspect_says_so(void **state)
{
    struct nwr_members *m = alone();
    struct nwr_members_effect e;
    uint32_t told = 0;

    (void)state;
    report(m, 3, NWR_LIFE_UP, 1, 0, 10);
    report(m, 3, NWR_LIFE_SUSPECT, 1, 2, 11);
    drop_effects(m);
    for (nwr_ms now = 12; now < 2400; now++) {
        nwr_members_tick(m, now);
        while (nwr_members_take(m, &e)) {
            if (e.kind == NWR_MEMBERS_SEND && e.peer == 3) {
                assert_true(says(&e.msg, 3, NWR_LIFE_SUSPECT));
                told++;
            }
            nwr_msg_deinit(&e.msg);
        }
    }
    assert_true(told > NWR_NEWS_REPEAT); /* more often than news is repeated */
    nwr_members_destroy(m);
}

static void a_helper_says_when_it_hears_nothing_either(void **state)
{
    struct nwr_members *m = alone();
    struct nwr_members_effect e;
    struct nwr_msg ask = from(2, 1);
    bool said_no = false;

    (void)state;
    ask.kind = NWR_MSG_PROBE_FOR;
    ask.u.gossip.seq = 77;
    ask.u.gossip.target = 3;
    nwr_members_message(m, 2, &ask, 10);
    for (nwr_ms now = 11; now < 600; now++)
        nwr_members_tick(m, now);
    while (nwr_members_take(m, &e)) {
        if (e.kind == NWR_MEMBERS_SEND && e.peer == 2 && e.msg.kind == NWR_MSG_PROBED)
            said_no |= e.msg.u.gossip.seq == 77 && !e.msg.u.gossip.heard;
        nwr_msg_deinit(&e.msg);
    }
    assert_true(said_no);
    nwr_members_destroy(m);
}

static void strangers_and_who_left_are_not_heard(void **state)
{
    static const uint16_t fewer[] = {1, 2};
    struct nwr_members *m = alone();
    struct nwr_msg msg = from(9, 1);

    (void)state;
    nwr_members_message(m, 9, &msg, 10);
    assert_null(nwr_members_find(m, 9, NULL));
    report(m, 3, NWR_LIFE_UP, 1, 0, 11);
    nwr_members_list(m, fewer, 2, 12);
    assert_null(nwr_members_find(m, 3, NULL));
    msg = from(3, 2);
    nwr_members_message(m, 3, &msg, 13);
    assert_null(nwr_members_find(m, 3, NULL));
    assert_int_equal(life_of(m, 2), NWR_LIFE_UP);
    nwr_members_check(m);
    nwr_members_destroy(m);
}

/* ---- suspicions ------------------------------------------------------------------------------ */

static void confirmations_shorten_it_and_each_accuser_counts_once(void **state)
{
    struct nwr_suspicion s;
    nwr_ms first, second;

    (void)state;
    nwr_suspicion_start(&s, 1, 10, 0);
    first = nwr_suspicion_ends(&s);
    assert_int_equal(first, NWR_SUSPECT_MS * NWR_SUSPECT_LONGEST);
    assert_false(nwr_suspicion_confirm(&s, 1));
    assert_int_equal(nwr_suspicion_ends(&s), first);
    assert_true(nwr_suspicion_confirm(&s, 2));
    second = nwr_suspicion_ends(&s);
    assert_true(second < first);
    assert_true(nwr_suspicion_confirm(&s, 3));
    assert_true(nwr_suspicion_confirm(&s, 4));
    assert_int_equal(nwr_suspicion_ends(&s), NWR_SUSPECT_MS);
    assert_false(nwr_suspicion_confirm(&s, 5));
    nwr_suspicion_check(&s);
}

static void where_nobody_could_confirm_the_suspicion_is_short(void **state)
{
    struct nwr_suspicion two, many;

    (void)state;
    nwr_suspicion_start(&two, 1, 2, 100);
    assert_int_equal(nwr_suspicion_ends(&two), 100 + NWR_SUSPECT_MS);
    nwr_suspicion_start(&many, 1, 1000, 100);
    for (uint16_t by = 2; by < 6; by++)
        nwr_suspicion_confirm(&many, by);
    assert_int_equal(nwr_suspicion_ends(&many), 100 + 3 * NWR_SUSPECT_MS);
}

/* ---- several --------------------------------------------------------------------------------- */

struct seen {
    uint32_t suspected[32], downs[32];
};

static void note(struct gossip *g, uint32_t at, uint32_t of, enum nwr_life life)
{
    struct seen *seen = g->user;

    (void)at;
    seen->suspected[of] += life == NWR_LIFE_SUSPECT;
    seen->downs[of] += life == NWR_LIFE_DOWN;
}

static struct gossip *watch(uint32_t n, uint64_t seed, struct seen *seen)
{
    struct gossip *g = gossip_create(n, seed);

    *seen = (struct seen){0};
    g->user = seen;
    g->on_life = note;
    gossip_run(g, 5000);
    return g;
}

static void undisturbed_members_suspect_nobody(void **state)
{
    struct seen seen;
    struct gossip *g = watch(20, 1, &seen);

    (void)state;
    gossip_run(g, 120000);
    for (uint32_t i = 0; i < g->n; i++) {
        assert_int_equal(seen.suspected[i], 0);
        assert_int_equal(gossip_count(g, i, NWR_LIFE_UP), 19);
    }
    gossip_destroy(g);
}

static void a_silent_member_is_suspect_then_down_and_up_when_it_is_back(void **state)
{
    struct seen seen;
    struct gossip *g = watch(3, 2, &seen);

    (void)state;
    gossip_die(g, 2);
    gossip_run(g, NWR_PROBE_WHOLE_MS + NWR_PROBE_PERIOD_MS + 10);
    assert_int_equal(gossip_count(g, 2, NWR_LIFE_SUSPECT), 2);
    gossip_run(g, NWR_SUSPECT_MS + NWR_PROBE_PERIOD_MS);
    assert_int_equal(gossip_count(g, 2, NWR_LIFE_DOWN), 2);
    gossip_restart(g, 2);
    gossip_run(g, 200);
    assert_int_equal(gossip_count(g, 2, NWR_LIFE_UP), 2);
    assert_int_equal(gossip_life(g, 2, 0), NWR_LIFE_UP);
    gossip_destroy(g);
}

static void a_suspect_that_can_speak_again_is_up_and_never_was_down(void **state)
{
    struct seen seen;
    struct gossip *g = watch(3, 3, &seen);

    (void)state;
    for (uint32_t i = 0; i < 2; i++) {
        gossip_cut(g, i, 2, true);
        gossip_cut(g, 2, i, true);
    }
    gossip_run(g, NWR_PROBE_WHOLE_MS + NWR_PROBE_PERIOD_MS + 10);
    assert_int_equal(gossip_count(g, 2, NWR_LIFE_SUSPECT), 2);
    for (uint32_t i = 0; i < 2; i++) {
        gossip_cut(g, i, 2, false);
        gossip_cut(g, 2, i, false);
    }
    gossip_run(g, 2000);
    assert_int_equal(gossip_count(g, 2, NWR_LIFE_UP), 2);
    gossip_run(g, 20000);
    assert_int_equal(seen.downs[2], 0);
    assert_true(nwr_members_find(g->node[0].m, 3, NULL)->incarnation > 1);
    gossip_destroy(g);
}

static void others_vouch_for_a_member_whose_direct_way_is_cut(void **state)
{
    struct seen seen;
    struct gossip *g = watch(3, 4, &seen);

    (void)state;
    gossip_cut(g, 0, 2, true);
    gossip_run(g, 60000);
    gossip_cut(g, 2, 0, true);
    gossip_run(g, 60000);
    assert_int_equal(seen.suspected[2] + seen.suspected[0], 0);
    assert_true(nwr_members_counters(g->node[0].m)->helped > 20);
    gossip_destroy(g);
}

static void a_connection_that_breaks_makes_its_member_suspect_at_once(void **state)
{
    struct seen seen;
    struct gossip *g = watch(3, 5, &seen);

    (void)state;
    gossip_link(g, 0, 2, false);
    gossip_run(g, NWR_LOST_MS + 1);
    assert_true(seen.suspected[2] > 0);
    gossip_run(g, 2000); /* the third vouches for it */
    assert_int_equal(gossip_life(g, 0, 2), NWR_LIFE_UP);
    gossip_run(g, 60000);
    assert_int_equal(seen.downs[2] + seen.downs[0], 0);
    gossip_destroy(g);
}

static void a_connection_that_is_replaced_makes_nobody_suspect(void **state)
{
    struct seen seen;
    struct gossip *g = watch(3, 6, &seen);

    (void)state;
    gossip_link(g, 0, 2, false);
    gossip_link(g, 0, 2, true);
    gossip_run(g, 5000);
    assert_int_equal(seen.suspected[2] + seen.suspected[0], 0);
    gossip_destroy(g);
}

static void who_was_stopped_accuses_nobody_when_it_goes_on(void **state)
{
    struct seen seen;
    struct gossip *g = watch(5, 7, &seen);

    (void)state;
    g->delay = 200; /* so it is stopped while it waits for answers */
    for (int round = 0; round < 20; round++) {
        gossip_pause(g, 0, 3000);
        gossip_run(g, 3000);
        assert_true(nwr_members_health(g->node[0].m) < NWR_HEALTH_MAX);
        gossip_run(g, 1);
        assert_true(nwr_members_health(g->node[0].m) > 0);
        gossip_run(g, 15000);
    }
    for (uint32_t i = 1; i < g->n; i++)
        assert_int_equal(seen.suspected[i], 0);
    assert_int_equal(seen.downs[0], 0);
    gossip_destroy(g);
}

/* Milliseconds until node 0 suspects the dead node 1. */
static nwr_ms time_to_suspect(struct gossip *g)
{
    nwr_ms began = g->now;

    gossip_die(g, 1);
    while (gossip_life(g, 0, 1) == NWR_LIFE_UP)
        gossip_run(g, 10);
    return g->now - began;
}

static void bad_health_makes_a_node_wait_longer(void **state)
{
    struct seen seen;
    struct gossip *well = watch(2, 8, &seen), *ill = watch(2, 8, &seen);

    (void)state;
    gossip_pause(ill, 0, 4000);
    gossip_run(ill, 4010);
    assert_true(nwr_members_health(ill->node[0].m) >= 3);
    assert_true(time_to_suspect(ill) > 2 * time_to_suspect(well));
    gossip_destroy(well);
    gossip_destroy(ill);
}

static void health_is_restored_by_answers(void **state)
{
    struct seen seen;
    struct gossip *g = watch(3, 9, &seen);

    (void)state;
    gossip_pause(g, 0, 6000);
    gossip_run(g, 6500);
    assert_true(nwr_members_health(g->node[0].m) > 0);
    gossip_run(g, 60000);
    assert_int_equal(nwr_members_health(g->node[0].m), 0);
    gossip_destroy(g);
}

static void figures_reach_members_that_are_never_met(void **state)
{
    struct seen seen;
    struct gossip *g = watch(24, 10, &seen);
    uint32_t knows = 0;

    (void)state;
    nwr_members_load(g->node[0].m, 7, 1000, 2000);
    gossip_run(g, 30000);
    for (uint32_t i = 1; i < g->n; i++) {
        const struct nwr_news *news = nwr_members_find(g->node[i].m, 1, NULL);

        knows += news->epoch == 7 && news->records == 1000 && news->bytes == 2000;
    }
    assert_int_equal(knows, g->n - 1);
    gossip_destroy(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_was_never_heard_of_is_down_until_it_speaks),
        cmocka_unit_test(of_one_incarnation_the_worse_report_counts),
        cmocka_unit_test(a_higher_incarnation_outbids_and_late_reports_change_nothing),
        cmocka_unit_test(who_is_suspected_outbids_and_takes_it_as_bad_health),
        cmocka_unit_test(a_new_life_outbids_the_former_one),
        cmocka_unit_test(every_message_to_a_suspect_says_so),
        cmocka_unit_test(a_helper_says_when_it_hears_nothing_either),
        cmocka_unit_test(strangers_and_who_left_are_not_heard),
        cmocka_unit_test(confirmations_shorten_it_and_each_accuser_counts_once),
        cmocka_unit_test(where_nobody_could_confirm_the_suspicion_is_short),
        cmocka_unit_test(undisturbed_members_suspect_nobody),
        cmocka_unit_test(a_silent_member_is_suspect_then_down_and_up_when_it_is_back),
        cmocka_unit_test(a_suspect_that_can_speak_again_is_up_and_never_was_down),
        cmocka_unit_test(others_vouch_for_a_member_whose_direct_way_is_cut),
        cmocka_unit_test(a_connection_that_breaks_makes_its_member_suspect_at_once),
        cmocka_unit_test(a_connection_that_is_replaced_makes_nobody_suspect),
        cmocka_unit_test(who_was_stopped_accuses_nobody_when_it_goes_on),
        cmocka_unit_test(bad_health_makes_a_node_wait_longer),
        cmocka_unit_test(health_is_restored_by_answers),
        cmocka_unit_test(figures_reach_members_that_are_never_met),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
