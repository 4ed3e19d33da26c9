/* handoff_test.c -- what is kept for a replica that was away, and how it gets it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/sim/sim_kit.h"

/* What they miss they get by hints alone: nobody compares replicas. */
static struct sim *three(uint64_t seed, uint8_t w, uint8_t r)
{
    struct sim *s = sim_create(seed);

    s->only_asked = true;
    sim_members(s, 3, 16, 3, w, r);
    return s;
}

static uint64_t hints_for(const struct sim *s, int at, int target)
{
    const struct nwr_ring *ring = sim_ring(s, at);

    return nwr_node_hints(s->node[at].node, nwr_ring_find_id(ring, s->node[target].id)->ordinal)
        ->count;
}

static uint64_t hints_at(const struct sim *s, int at)
{
    uint64_t n = 0;

    for (uint16_t t = 1; t <= NWR_ORDINAL_MAX; t++)
        n += nwr_node_hints(s->node[at].node, t)->count;
    return n;
}

static bool has(struct sim *s, int node, uint64_t from, uint64_t to, const char *text)
{
    for (uint64_t i = from; i < to; i++) {
        struct nwr_key key = kit_key((nwr_pg)(i % 16), i);
        char got[100];
        struct nwr_record r = kit_stored(s, node, &key);

        kit_text(&r, got, sizeof(got));
        nwr_record_deinit(&r);
        if (strcmp(got, text) != 0)
            return false;
    }
    return true;
}

static void write_some(struct sim *s, int node, uint64_t from, uint64_t to, const char *text)
{
    for (uint64_t i = from; i < to; i++) {
        struct nwr_key key = kit_key((nwr_pg)(i % 16), i);

        kit_write(s, node, &key, text, 1000 + i, NULL);
    }
}

static void a_replica_gets_what_it_missed_without_being_read(void **state)
{
    struct sim *s = three(1, 2, 2);

    (void)state;
    sim_crash(s, 2, false);
    kit_notice(s);
    write_some(s, 0, 0, 300, "missed");
    assert_int_equal(hints_for(s, 0, 2), 300);
    sim_restart(s, 2);
    assert_false(has(s, 2, 0, 300, "missed"));
    sim_run(s, 5000000);
    assert_true(has(s, 2, 0, 300, "missed"));
    assert_int_equal(hints_for(s, 0, 2), 0);
    assert_int_equal(nwr_node_counters(s->node[2].node)->reads, 0);
    sim_destroy(s);
}

static void a_write_under_way_when_its_replica_dies_is_kept_too(void **state)
{
    struct sim *s = three(2, 2, 2);

    (void)state;
    sim_cut(s, 0, 2, true);
    sim_cut(s, 2, 0, true);
    write_some(s, 0, 0, 20, "silent");
    assert_int_equal(hints_for(s, 0, 2), 0); /* it may still answer */
    kit_notice(s);
    assert_int_equal(hints_for(s, 0, 2), 20);
    sim_heal(s);
    sim_run(s, 5000000);
    assert_true(has(s, 2, 0, 20, "silent"));
    assert_int_equal(hints_for(s, 0, 2), 0);
    sim_destroy(s);
}

/* Until all is delivered; with reads through its holder meanwhile, or without. */
static sim_us delivery(bool others_read)
{
    struct sim *s = three(8, 2, 2);
    struct nwr_key key = kit_key(0, 0);
    sim_us began;

    sim_crash(s, 2, false);
    kit_notice(s);
    write_some(s, 0, 0, 20 * NWR_HINTS_PAGE, "many");
    sim_restart(s, 2);
    while (hints_for(s, 0, 2) == 20 * NWR_HINTS_PAGE)
        sim_run(s, 100);
    began = s->now;
    while (hints_for(s, 0, 2))
        if (others_read)
            assert_string_equal(kit_read_text(s, 0, &key), "many");
        else
            sim_run(s, 1000);
    began = s->now - began;
    sim_destroy(s);
    return began;
}

static void a_delivery_leaves_pauses_while_there_is_other_work(void **state)
{
    (void)state;
    assert_true(delivery(true) > 2 * delivery(false));
}

static void hints_outlive_a_crash_of_their_holder(void **state)
{
    struct sim *s = three(3, 2, 2);

    (void)state;
    sim_crash(s, 2, false);
    kit_notice(s);
    write_some(s, 0, 0, 200, "kept");
    sim_crash(s, 0, false);
    sim_restart(s, 0);
    sim_run(s, 1000000);
    assert_int_equal(hints_for(s, 0, 2), 200);
    sim_restart(s, 2);
    sim_run(s, 5000000);
    assert_true(has(s, 2, 0, 200, "kept"));
    assert_int_equal(hints_for(s, 0, 2), 0);
    sim_destroy(s);
}

/* The holder dies at every step of the delivery; what it had not dropped it delivers again. */
static void a_holder_that_dies_while_it_delivers_goes_on(void **state)
{
    (void)state;
    for (uint64_t at = 0; at < 40; at++) {
        struct sim *s = three(100 + at, 2, 2);

        sim_crash(s, 2, false);
        kit_notice(s);
        write_some(s, 0, 0, 30, "again");
        sim_restart(s, 2);
        sim_run(s, 20000 + at * 1000);
        sim_crash(s, 0, false);
        sim_run(s, 100000);
        sim_restart(s, 0);
        sim_run(s, 5000000);
        assert_true(has(s, 2, 0, 30, "again"));
        assert_int_equal(hints_for(s, 0, 2), 0);
        sim_destroy(s);
    }
}

static void a_hint_ends_only_when_the_target_has_it_on_disk(void **state)
{
    struct sim *s = three(4, 2, 2);

    (void)state;
    sim_crash(s, 2, false);
    kit_notice(s);
    write_some(s, 0, 0, 50, "on disk");
    sim_restart(s, 2);
    while (hints_for(s, 0, 2))
        sim_run(s, 1000);
    sim_crash(s, 2, true);
    sim_restart(s, 2);
    assert_true(has(s, 2, 0, 50, "on disk"));
    sim_destroy(s);
}

static void at_the_bound_no_more_is_kept_and_that_is_counted(void **state)
{
    struct sim *s = sim_create(5);

    (void)state;
    s->hint_bytes = 2000;
    s->only_asked = true;
    sim_members(s, 3, 16, 3, 2, 2);
    sim_crash(s, 2, false);
    kit_notice(s);
    write_some(s, 0, 0, 100, "many");
    assert_in_range(hints_for(s, 0, 2), 1, 30);
    assert_true(nwr_node_hints_stat(s->node[0].node)->refused > 50);
    sim_restart(s, 2);
    sim_run(s, 5000000);
    assert_int_equal(hints_at(s, 0), 0);
    write_some(s, 0, 200, 210, "room again");
    sim_destroy(s);
}

static void what_a_full_target_refuses_is_kept(void **state)
{
    struct sim *s = three(7, 2, 2);

    (void)state;
    sim_crash(s, 2, false);
    kit_notice(s);
    write_some(s, 0, 0, 50, "later");
    nwr_store_mem_faults(s->node[2].store)->full = true;
    sim_restart(s, 2);
    sim_run(s, 5000000);
    assert_int_equal(hints_for(s, 0, 2), 50);
    nwr_store_mem_faults(s->node[2].store)->full = false;
    sim_run(s, 5000000);
    assert_int_equal(hints_for(s, 0, 2), 0);
    assert_true(has(s, 2, 0, 50, "later"));
    sim_destroy(s);
}

static void what_is_delivered_is_merged_with_what_came_meanwhile(void **state)
{
    struct sim *s = three(6, 1, 1);
    struct nwr_key key = kit_key(3, 1);
    struct nwr_record r;

    (void)state;
    for (int i = 0; i < 2; i++) {
        sim_cut(s, i, 2, true);
        sim_cut(s, 2, i, true);
    }
    kit_notice(s);
    kit_write(s, 0, &key, "here", 1, NULL);
    kit_write(s, 2, &key, "there", 2, NULL);
    sim_heal(s);
    sim_run(s, 5000000);
    for (int i = 0; i < 3; i++) {
        r = kit_stored(s, i, &key);
        assert_int_equal(nwr_record_live(&r), 2);
        nwr_record_deinit(&r);
    }
    sim_destroy(s);
}

/* ---- the ring changes ------------------------------------------------------------------------ */

static void on_meta(struct nwr_store_op *op)
{
    (void)op;
}

/* The node, which is not running, is told that `gone` is no member any more. */
static void remove_from_ring(struct sim *s, int node, uint16_t gone)
{
    struct nwr_store *store = s->node[node].store;
    struct nwr_store_op get = {.kind = NWR_STORE_META_GET, .name = "ring", .done = on_meta};
    struct nwr_store_op put = {.kind = NWR_STORE_META_PUT, .name = "ring", .done = on_meta};
    struct nwr_ring ring;
    struct nwr_out o = {0};

    store->submit(store, &get);
    store->poll(store);
    assert_int_equal(nwr_ring_decode(&ring, get.value->data, get.value->len), NWR_OK);
    for (uint32_t i = 0; i < ring.nmember; i++)
        if (ring.member[i].ordinal == gone) {
            ring.nmember--;
            memmove(&ring.member[i], &ring.member[i + 1],
                    (ring.nmember - i) * sizeof(*ring.member));
        }
    ring.epoch++;
    nwr_ring_encode(&ring, &o);
    put.value = nwr_out_blob(&o);
    store->submit(store, &put);
    store->poll(store);
    nwr_blob_unref(put.value);
    nwr_store_op_deinit(&get);
    nwr_ring_deinit(&ring);
}

static void what_is_kept_for_one_that_was_removed_goes_to_those_who_hold_it(void **state)
{
    struct sim *s = sim_create(30);
    uint16_t gone;

    (void)state;
    s->only_asked = true;
    sim_members(s, 5, 16, 3, 2, 2);
    gone = nwr_node_ordinal(s->node[4].node);
    sim_crash(s, 4, false);
    kit_notice(s);
    write_some(s, 0, 0, 100, "moves");
    for (int i = 0; i < 4; i++)
        sim_crash(s, i, false);
    for (int i = 0; i < 4; i++)
        remove_from_ring(s, i, gone);
    for (int i = 0; i < 4; i++)
        sim_restart(s, i);
    sim_run(s, 20000000);
    for (int i = 0; i < 4; i++)
        assert_int_equal(hints_at(s, i), 0);
    for (uint32_t no = 0; no < 100; no++)
        for (int i = 0; i < 4; i++)
            if (kit_holds(s, i, (nwr_pg)(no % 16)))
                assert_true(has(s, i, no, no + 1, "moves"));
    sim_destroy(s);
}

/* ---- sloppy -------------------------------------------------------------------------------- */

/* Five nodes, N = 3, W = R = 2; list: the replicas of pg, then the two others. */
static struct sim *five(uint64_t seed, nwr_pg pg, int list[5])
{
    struct sim *s = sim_create(seed);

    s->only_asked = true;
    sim_members(s, 5, 16, 3, 2, 2);
    kit_list(s, pg, list, 5);
    return s;
}

static enum nwr_err sloppy_put(struct sim *s, int node, const struct nwr_key *key, const char *text,
                               nwr_wid wid)
{
    struct nwr_request *req = kit_put(key, text, wid, NULL);

    req->sloppy = true;
    return kit_ask_err(s, node, req);
}

/* "" when there is none, "?" when it fails. */
static const char *sloppy_get(struct sim *s, int node, const struct nwr_key *key)
{
    static char text[100];
    struct nwr_request *req = kit_get(key);
    struct nwr_response res;

    req->sloppy = true;
    res = sim_ask(s, node, req);
    snprintf(text, sizeof(text), "%s", res.err ? "?" : "");
    if (!res.err && res.rows.n)
        kit_text(&res.rows.row[0].rec, text, sizeof(text));
    nwr_response_deinit(&res);
    return text;
}

static void crash_all(struct sim *s, const int *list, int n)
{
    for (int i = 0; i < n; i++)
        sim_crash(s, list[i], false);
    kit_notice(s);
}

static void restart_all(struct sim *s, const int *list, int n)
{
    for (int i = 0; i < n; i++)
        sim_restart(s, list[i]);
    sim_run(s, 6000000);
}

static uint64_t hints_of_all(const struct sim *s)
{
    uint64_t n = 0;

    for (int i = 0; i < s->nnode; i++)
        n += s->node[i].alive ? hints_at(s, i) : 0;
    return n;
}

/* Only the node that stood in can tell, and a record there rotted: the others come all the same. */
static void a_rotten_record_holds_up_no_other_hint(void **state)
{
    int l[5];
    struct sim *s = five(29, 3, l);
    struct nwr_verify v;
    uint32_t there = 0, rotten;

    (void)state;
    crash_all(s, l, 2);
    for (uint32_t i = 0; i < 40; i++) {
        struct nwr_key key = kit_key(3, i);

        assert_int_equal(sloppy_put(s, l[3], &key, "afar", 10 + i), NWR_OK);
    }
    sim_crash(s, l[2], false);
    sim_crash(s, l[4], false);
    rotten = nwr_store_mem_rot(s->node[l[3]].store, 65536 / 20);
    assert_in_range(rotten, 1, 20);
    restart_all(s, l, 2);
    sim_run(s, 20000000);
    for (uint32_t i = 0; i < 40; i++) {
        struct nwr_key key = kit_key(3, i);

        there += strcmp(kit_stored_text(s, l[0], &key), "afar") == 0 ||
                 strcmp(kit_stored_text(s, l[1], &key), "afar") == 0;
    }
    assert_int_equal(nwr_store_mem_verify(s->node[l[3]].store, &v), NWR_OK);
    assert_int_equal(v.corrupt, rotten);
    assert_int_equal(there, 40 - rotten);
    sim_destroy(s);
}

static void with_two_of_three_replicas_dead_a_sloppy_write_goes_on(void **state)
{
    struct nwr_key key = kit_key(3, 1);
    int l[5];
    struct sim *s = five(20, 3, l);

    (void)state;
    crash_all(s, l, 2);
    for (int i = 2; i < 5; i++) {
        assert_int_equal(kit_ask_err(s, l[i], kit_put(&key, "strict", 5, NULL)), NWR_E_HOSTDOWN);
        assert_int_equal(sloppy_put(s, l[i], &key, "sloppy", 6), NWR_OK);
        assert_string_equal(sloppy_get(s, l[i], &key), "sloppy");
    }
    assert_true(hints_of_all(s) >= 2);
    restart_all(s, l, 2);
    assert_int_equal(hints_of_all(s), 0);
    for (int i = 0; i < 3; i++)
        assert_string_equal(kit_stored_text(s, l[i], &key), "sloppy");
    for (int i = 3; i < 5; i++) /* it was here for the others only */
        assert_string_equal(kit_stored_text(s, l[i], &key), "");
    sim_destroy(s);
}

/* They agree that there is nothing, and may be faster than the one that has it. */
static void nodes_that_stand_in_do_not_outvote_a_replica(void **state)
{
    int l[5];
    struct sim *s = five(26, 3, l);

    (void)state;
    for (uint32_t i = 0; i < 60; i++) {
        struct nwr_key key = kit_key(3, i);

        kit_write(s, l[0], &key, "here", 1 + i, NULL);
    }
    sim_run(s, 1000000);
    crash_all(s, l, 2);
    s->faults.delay = 20000;
    for (uint32_t i = 0; i < 60; i++) {
        struct nwr_key key = kit_key(3, i);

        assert_string_equal(sloppy_get(s, l[2 + i % 3], &key), "here");
    }
    /* The last one asks the one before it, which reaches the replica. */
    sim_cut(s, l[4], l[2], true);
    sim_cut(s, l[2], l[4], true);
    kit_notice(s);
    for (uint32_t i = 0; i < 60; i++) {
        struct nwr_key key = kit_key(3, i);

        assert_string_equal(sloppy_get(s, l[4], &key), "here");
    }
    sim_destroy(s);
}

static void with_all_replicas_dead_the_next_nodes_coordinate(void **state)
{
    struct nwr_key key = kit_key(3, 1);
    int l[5];
    struct sim *s = five(21, 3, l);

    (void)state;
    crash_all(s, l, 3);
    assert_int_equal(sloppy_put(s, l[3], &key, "afar", 6), NWR_OK);
    assert_string_equal(sloppy_get(s, l[4], &key), "afar");
    restart_all(s, l, 3);
    assert_int_equal(hints_of_all(s), 0);
    assert_string_equal(kit_stored_text(s, l[0], &key), "afar");
    assert_string_equal(kit_stored_text(s, l[1], &key), "afar");
    assert_string_equal(kit_read_text(s, l[2], &key), "afar");
    sim_destroy(s);
}

/* Its vector entry would claim the first of the two, which its erased record no longer knows. */
static void a_node_that_stood_in_twice_does_not_hide_its_first_write(void **state)
{
    struct nwr_key key = kit_key(3, 1);
    struct nwr_record r;
    int l[5];
    struct sim *s = five(22, 3, l);

    (void)state;
    for (nwr_wid wid = 6; wid <= 7; wid++) {
        crash_all(s, l, 3);
        assert_int_equal(sloppy_put(s, l[3], &key, wid == 6 ? "first" : "second", wid), NWR_OK);
        restart_all(s, l, 3);
        assert_int_equal(hints_of_all(s), 0);
        assert_string_equal(kit_stored_text(s, l[3], &key), "");
    }
    r = kit_read(s, l[0], &key);
    assert_int_equal(nwr_record_live(&r), 2);
    nwr_record_deinit(&r);
    sim_destroy(s);
}

static void a_hint_counts_towards_w_only_where_it_was_asked_for(void **state)
{
    struct nwr_key key = kit_key(3, 1);
    int l[5];
    struct sim *s = five(23, 3, l);
    struct nwr_request *req;

    (void)state;
    crash_all(s, l, 1);
    req = kit_put(&key, "all", 5, NULL);
    req->w = NWR_QUORUM_ALL;
    req->sloppy = true;
    assert_int_equal(kit_ask_err(s, l[1], req), NWR_E_HOSTDOWN);
    req = kit_put(&key, "three", 6, NULL);
    req->w = 3;
    assert_int_equal(kit_ask_err(s, l[1], req), NWR_E_HOSTDOWN);
    req = kit_put(&key, "three", 6, NULL);
    req->w = 3;
    req->sloppy = true;
    assert_int_equal(kit_ask_err(s, l[1], req), NWR_OK);
    sim_destroy(s);
}

static void a_node_whose_room_for_hints_is_full_cannot_count(void **state)
{
    struct nwr_key key = kit_key(3, 1);
    int l[5];
    struct sim *s = sim_create(24);

    (void)state;
    s->hint_bytes = 1;
    sim_members(s, 5, 16, 3, 2, 2);
    kit_list(s, 3, l, 5);
    crash_all(s, l, 2);
    assert_int_equal(sloppy_put(s, l[2], &key, "full", 6), NWR_E_NOSPC);
    sim_destroy(s);
}

/* Blocks travel with it, to the node that stands in and from there. */
static void blocks_are_handed_off_too(void **state)
{
    struct nwr_key key = kit_key(3, 1);
    struct nwr_block_id with = kit_block_id(3, 1, 70), ahead = kit_block_id(3, 2, 70);
    int l[5];
    struct sim *s = five(25, 3, l);
    struct nwr_request *req;

    (void)state;
    crash_all(s, l, 2);
    req = nwr_request_new(NWR_OP_BLOCK_PUT, 3);
    req->sloppy = true;
    kit_block(req, &ahead, false, true);
    assert_int_equal(kit_ask_err(s, l[4], req), NWR_OK);
    req = kit_put(&key, "blocks", 70, NULL);
    req->sloppy = true;
    kit_block(req, &with, true, true);
    kit_block(req, &ahead, true, false);
    assert_int_equal(kit_ask_err(s, l[4], req), NWR_OK);
    restart_all(s, l, 2);
    for (int i = 0; i < 3; i++) {
        assert_true(sim_has_block(s, l[i], &with));
        assert_true(sim_has_block(s, l[i], &ahead));
    }
    for (int i = 3; i < 5; i++)
        assert_false(sim_has_block(s, l[i], &with));
    sim_destroy(s);
}

/* ---- the ring changes under what a node stands in for --------------------------------------- */

/* The last node alone stood in, with room for one hint, and comes back when all was copied from the
 * one that the hint is for, which is to be removed: such a node hands over nothing. */
static void what_came_to_a_node_that_leaves_is_handed_to_those_who_stay(void **state)
{
    struct sim *s = sim_create(31);
    struct nwr_key key = kit_key(3, 1);
    struct nwr_request *req = kit_put(&key, "late", 6, NULL);
    int l[4];

    (void)state;
    s->only_asked = true;
    s->hint_bytes = 1800;
    sim_members(s, 4, 16, 2, 2, 1);
    kit_list(s, 3, l, 4);
    crash_all(s, l, 3);
    req->w = 1;
    req->sloppy = true;
    assert_int_equal(kit_ask_err(s, l[3], req), NWR_OK);
    assert_int_equal(hints_for(s, l[3], l[0]), 1);
    assert_int_equal(hints_for(s, l[3], l[1]), 0);
    kit_isolate(s, l[3], true);
    restart_all(s, l, 3);
    kit_remove_member(s, l[1], l[0]);
    sim_run(s, 5000000);
    assert_true(sim_ring(s, l[1])->joint); /* the last node has not copied what it gains */
    sim_heal(s);
    sim_run(s, 30000000);
    assert_true(s->node[l[0]].removed);
    assert_false(kit_holds(s, l[3], 3));
    assert_int_equal(hints_at(s, l[3]), 0);
    assert_string_equal(kit_stored_text(s, l[0], &key), "late");
    assert_string_equal(kit_read_text(s, l[1], &key), "late");
    assert_string_equal(kit_stored_text(s, l[3], &key), "");
    sim_destroy(s);
}

static void a_sloppy_write_while_the_ring_changes_reaches_those_who_hold_it_then(void **state)
{
    struct sim *s = sim_create(32);
    struct nwr_key key = kit_key(3, 1);
    int l[6];

    (void)state;
    s->only_asked = true;
    sim_members(s, 6, 16, 3, 2, 2);
    kit_list(s, 3, l, 6);
    kit_isolate(s, l[5], true); /* it copies nothing, so the ring stays joint */
    kit_notice(s);
    kit_remove_member(s, l[1], l[0]);
    sim_run(s, 3000000);
    assert_true(sim_ring(s, l[4])->joint);
    crash_all(s, l + 1, 2);
    assert_int_equal(kit_ask_err(s, l[4], kit_put(&key, "strict", 5, NULL)), NWR_E_HOSTDOWN);
    assert_int_equal(sloppy_put(s, l[4], &key, "joint", 6), NWR_OK);
    assert_string_equal(sloppy_get(s, l[4], &key), "joint");
    sim_heal(s);
    sim_run(s, 30000000);
    assert_true(s->node[l[0]].removed);
    assert_int_equal(hints_of_all(s), 0);
    for (int i = 1; i < 4; i++)
        assert_string_equal(kit_stored_text(s, l[i], &key), "joint");
    for (int i = 4; i < 6; i++)
        assert_string_equal(kit_stored_text(s, l[i], &key), "");
    sim_destroy(s);
}

/* ---- a random history, and what must be true of it ------------------------------------------ */

enum {
    KEYS = 24,
    WRITES = 150
};

/* Write number wid - 1: whether it was acknowledged, and whether some write has named it. */
struct told {
    bool acked[WRITES], named[WRITES];
    nwr_wid next;
};

static void some_fault(struct sim *s)
{
    int node = (int)sim_below(s, 5), other = (int)sim_below(s, 5);
    uint64_t what = sim_below(s, 10);

    if (what < 3 && s->node[node].alive) {
        sim_crash(s, node, false);
    } else if (what < 6 && !s->node[node].alive) {
        sim_restart(s, node);
    } else if (what < 8 && node != other) {
        sim_cut(s, node, other, what == 6);
    } else if (what == 8) {
        s->faults.loss = (uint32_t)sim_below(s, 3000);
    } else if (what == 9) {
        memset(s->cut, 0, sizeof(s->cut));
    }
    sim_run(s, sim_below(s, 2000000));
}

/* Reads sloppily and replaces what it has read; says so in t. */
static void replace_one(struct sim *s, struct told *t)
{
    int node = (int)sim_below(s, 5);
    struct nwr_key key = kit_key(3, (uint32_t)sim_below(s, KEYS));
    struct nwr_request *req = kit_get(&key);
    struct nwr_response res;
    struct nwr_record *seen = NULL;
    nwr_wid wid = ++t->next;
    char text[20];

    if (!s->node[node].alive) {
        nwr_request_destroy(req);
        return;
    }
    req->sloppy = true;
    res = sim_ask(s, node, req);
    if (!res.err && res.rows.n)
        seen = &res.rows.row[0].rec;
    for (uint32_t i = 0; seen && i < seen->n; i++)
        t->named[seen->v[i].wid - 1] = true;
    snprintf(text, sizeof(text), "w%u", (unsigned)wid);
    req = kit_put(&key, text, wid, seen);
    req->sloppy = true;
    nwr_response_deinit(&res);
    t->acked[wid - 1] = kit_ask_err(s, node, req) == NWR_OK;
}

static void note_present(struct sim *s, bool *present)
{
    for (uint32_t k = 0; k < KEYS; k++) {
        struct nwr_key key = kit_key(3, k);
        struct nwr_record r = kit_read(s, 0, &key);

        for (uint32_t i = 0; i < r.n; i++)
            present[r.v[i].wid - 1] = true;
        nwr_record_deinit(&r);
    }
}

static void acknowledged_sloppy_writes_are_there_or_were_replaced(void **state)
{
    uint64_t seeds =
        getenv("NWR_HANDOFF_SEEDS") ? strtoull(getenv("NWR_HANDOFF_SEEDS"), 0, 10) : 40;

    (void)state;
    for (uint64_t seed = 1000; seed < 1000 + seeds; seed++) {
        int l[5];
        struct sim *s = five(seed, 3, l);
        bool present[WRITES] = {false};
        struct told t = {.next = 0};

        while (t.next < WRITES) {
            if (sim_below(s, 4) == 0)
                some_fault(s);
            replace_one(s, &t);
        }
        sim_heal(s);
        for (int i = 0; i < 60 && (i < 5 || hints_of_all(s)); i++)
            sim_run(s, 1000000);
        if (hints_of_all(s))
            sim_fail(s, "%u hints are left", (unsigned)hints_of_all(s));
        note_present(s, present);
        for (uint32_t i = 0; i < WRITES; i++)
            if (t.acked[i] && !t.named[i] && !present[i])
                sim_fail(s, "write %u was acknowledged and is gone", i + 1);
        sim_destroy(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_replica_gets_what_it_missed_without_being_read),
        cmocka_unit_test(a_write_under_way_when_its_replica_dies_is_kept_too),
        cmocka_unit_test(a_delivery_leaves_pauses_while_there_is_other_work),
        cmocka_unit_test(hints_outlive_a_crash_of_their_holder),
        cmocka_unit_test(a_holder_that_dies_while_it_delivers_goes_on),
        cmocka_unit_test(a_hint_ends_only_when_the_target_has_it_on_disk),
        cmocka_unit_test(at_the_bound_no_more_is_kept_and_that_is_counted),
        cmocka_unit_test(what_a_full_target_refuses_is_kept),
        cmocka_unit_test(what_is_delivered_is_merged_with_what_came_meanwhile),
        cmocka_unit_test(what_is_kept_for_one_that_was_removed_goes_to_those_who_hold_it),
        cmocka_unit_test(a_rotten_record_holds_up_no_other_hint),
        cmocka_unit_test(with_two_of_three_replicas_dead_a_sloppy_write_goes_on),
        cmocka_unit_test(nodes_that_stand_in_do_not_outvote_a_replica),
        cmocka_unit_test(with_all_replicas_dead_the_next_nodes_coordinate),
        cmocka_unit_test(a_node_that_stood_in_twice_does_not_hide_its_first_write),
        cmocka_unit_test(a_hint_counts_towards_w_only_where_it_was_asked_for),
        cmocka_unit_test(a_node_whose_room_for_hints_is_full_cannot_count),
        cmocka_unit_test(blocks_are_handed_off_too),
        cmocka_unit_test(what_came_to_a_node_that_leaves_is_handed_to_those_who_stay),
        cmocka_unit_test(a_sloppy_write_while_the_ring_changes_reaches_those_who_hold_it_then),
        cmocka_unit_test(acknowledged_sloppy_writes_are_there_or_were_replaced),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
