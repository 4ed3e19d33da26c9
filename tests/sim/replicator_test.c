/* replicator_test.c -- named situations of DESIGN 5, 6 and 17. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "net/core/behind.h"
#include "tests/sim/sim_kit.h"
#include "tests/sim/sim_plan.h"

static char text[4096];

struct outcome {
    bool done;
    enum nwr_err err;
    sim_us at;
    struct nwr_dot dot;
};

static void on_outcome(struct sim *s, int node, struct nwr_request *req, struct nwr_response *res)
{
    struct outcome *o = req->user;

    (void)node;
    *o = (struct outcome){true, res->err, s->now, res->dot};
}

static void submit(struct sim *s, int node, struct nwr_request *req, struct outcome *o)
{
    *o = (struct outcome){0};
    req->user = o;
    sim_submit(s, node, req, on_outcome);
}

/* ---- the classic sequence -------------------------------------------------------------------- */

static const char *clocks(const struct nwr_record *r)
{
    size_t at = 0;

    text[0] = 0;
    for (uint32_t i = 0; i < r->n; i++) {
        char *clock = nwr_vv_text(&r->v[i].past);

        if (i)
            text[at++] = '|';
        memcpy(text + at, clock, strlen(clock) + 1);
        at += strlen(clock);
        nwr_free(clock);
    }
    return text;
}

static void d1_to_d4_leaves_d3_and_d4(void **state)
{
    struct sim *s = kit_three(1, 1, 1);
    struct nwr_key key = kit_key(2, 1);
    struct nwr_record d2, r;
    struct nwr_request *req;
    struct nwr_response res;

    (void)state;
    kit_write(s, 0, &key, "D1", 1, NULL);
    sim_run(s, 100000);
    r = kit_read(s, 0, &key);
    kit_write(s, 0, &key, "D2", 2, &r);
    nwr_record_deinit(&r);
    sim_run(s, 100000);
    d2 = kit_read(s, 0, &key);
    assert_string_equal(clocks(&d2), "1,2");
    for (int i = 0; i < 3; i++)
        kit_isolate(s, i, true);
    kit_notice(s);
    kit_write(s, 1, &key, "D3", 3, &d2);
    kit_write(s, 2, &key, "D4", 4, &d2);
    sim_heal(s);
    kit_notice(s);
    req = kit_get(&key);
    req->r = NWR_QUORUM_ALL;
    res = sim_ask(s, 0, req);
    assert_int_equal(res.err, NWR_OK);
    r = res.rows.row[0].rec;
    assert_int_equal(r.n, 2);
    assert_string_equal(clocks(&r), "1,2;2,1|1,2;3,1");
    nwr_response_deinit(&res);
    nwr_record_deinit(&d2);
    sim_destroy(s);
}

/* ---- writes ---------------------------------------------------------------------------------- */

static void without_w_replicas_a_write_is_hostdown_and_applied_nowhere(void **state)
{
    struct sim *s = kit_three(2, 2, 2);
    struct nwr_key key = kit_key(2, 1);
    sim_us before;

    (void)state;
    sim_crash(s, 1, false);
    sim_crash(s, 2, false);
    kit_notice(s);
    before = s->now;
    assert_int_equal(kit_ask_err(s, 0, kit_put(&key, "no", 1, NULL)), NWR_E_HOSTDOWN);
    assert_true(s->now - before < 100000);
    assert_string_equal(kit_stored_text(s, 0, &key), "");
    assert_int_equal(kit_ask_err(s, 0, kit_get(&key)), NWR_E_HOSTDOWN);
    sim_destroy(s);
}

static void a_member_that_is_back_unnoticed_is_dialed_before_a_write_is_refused(void **state)
{
    struct sim *s = kit_three(2, 2, 2);
    struct nwr_key key = kit_key(2, 1);

    (void)state;
    sim_crash(s, 1, false);
    sim_crash(s, 2, false);
    kit_notice(s);
    sim_restart(s, 1);
    assert_false(nwr_node_peer_up(s->node[0].node, 2));
    assert_int_equal(kit_ask_err(s, 0, kit_put(&key, "yes", 1, NULL)), NWR_OK);
    sim_crash(s, 1, false);
    kit_notice(s);
    sim_restart(s, 1);
    assert_int_equal(kit_ask_err(s, 0, kit_get(&key)), NWR_OK);
    sim_destroy(s);
}

static void silent_replicas_end_a_write_at_its_deadline_in_doubt(void **state)
{
    struct sim *s = kit_three(3, 2, 2);
    struct nwr_key key = kit_key(2, 1);
    sim_us before = s->now;

    (void)state;
    kit_isolate(s, 0, true);
    assert_int_equal(kit_ask_err(s, 0, kit_put(&key, "maybe", 1, NULL)), NWR_E_TIMEDOUT);
    assert_in_range(s->now - before, 9000000, 10100000);
    assert_string_equal(kit_stored_text(s, 0, &key), "maybe");
    sim_destroy(s);
}

static void a_replica_that_comes_back_in_time_completes_the_write(void **state)
{
    struct sim *s = kit_three(4, 3, 1);
    struct nwr_key key = kit_key(2, 1);
    struct outcome o;

    (void)state;
    submit(s, 0, kit_put(&key, "late", 1, NULL), &o);
    sim_crash(s, 2, false);
    kit_notice(s);
    assert_false(o.done);
    sim_restart(s, 2);
    kit_notice(s);
    assert_true(o.done);
    assert_int_equal(o.err, NWR_OK);
    assert_string_equal(kit_stored_text(s, 2, &key), "late");
    sim_destroy(s);
}

static void one_dead_replica_is_not_noticed(void **state)
{
    struct sim *s = kit_three(5, 2, 2);

    (void)state;
    for (uint32_t i = 0; i < 200; i++) {
        struct nwr_key key = kit_key((nwr_pg)(i % 16), i);
        sim_us before = s->now;

        if (i == 50)
            sim_crash(s, 1, true);
        if (i == 150)
            sim_restart(s, 1);
        kit_write(s, 0, &key, "x", 1 + i, NULL);
        assert_string_equal(kit_read_text(s, 2, &key), "x");
        assert_true(s->now - before < 100000);
    }
    sim_destroy(s);
}

static void a_refusing_replica_fails_the_write_with_its_reason(void **state)
{
    struct sim *s = kit_three_by_reads(6, 2, 2);
    nwr_ino dir = nwr_ino_make(2, 1, 50);
    struct nwr_key child = nwr_key_entry(dir, "f", 1), marks = nwr_key_reg(dir, NWR_REG_MARKS);
    struct nwr_request *req;
    struct nwr_guard *g;

    (void)state;
    kit_isolate(s, 0, true);
    kit_notice(s);
    kit_write(s, 1, &child, "child", 1, NULL);
    sim_heal(s);
    kit_notice(s);
    /* Node 0 has not heard of the child; the others have. */
    assert_string_equal(kit_stored_text(s, 0, &child), "");
    req = kit_put(&marks, "dead", 2, NULL);
    req->write[0].v.flags = NWR_V_HIDDEN;
    g = nwr_request_guard(req);
    g->kind = NWR_GUARD_EMPTY;
    g->key = nwr_key_entries(dir);
    assert_int_equal(kit_ask_err(s, 0, req), NWR_E_NOTEMPTY);
    sim_destroy(s);
}

static void a_newer_version_supersedes_a_guarded_write(void **state)
{
    struct sim *s = kit_three(7, 2, 2);
    struct nwr_key key = kit_key(2, 1);
    struct nwr_request *req;

    (void)state;
    kit_write(s, 0, &key, "one", 1, NULL);
    req = kit_put(&key, "two", 2, NULL);
    nwr_request_guard(req)->key = key;
    assert_int_equal(kit_ask_err(s, 0, req), NWR_E_SUPERSEDED);
    assert_string_equal(kit_read_text(s, 1, &key), "one");
    sim_destroy(s);
}

static void a_full_disk_here_leaves_the_write_to_another_coordinator(void **state)
{
    struct sim *s = kit_three(8, 2, 2);
    struct nwr_key key = kit_key(2, 1);

    (void)state;
    nwr_store_mem_faults(s->node[0].store)->full = true;
    kit_write(s, 0, &key, "x", 1, NULL);
    assert_string_equal(kit_stored_text(s, 0, &key), "");
    assert_string_equal(kit_read_text(s, 0, &key), "x");
    nwr_store_mem_faults(s->node[1].store)->full = true;
    assert_int_equal(kit_ask_err(s, 0, kit_put(&key, "y", 2, NULL)), NWR_E_NOSPC);
    sim_destroy(s);
}

static void set_full(struct sim *s, int node, bool full)
{
    nwr_store_mem_faults(s->node[node].store)->full = full;
}

/* Node 2 has "y" for key, in place of `before`: W - 1 replicas, and no room for another. */
static void fail_for_want_of_room(struct sim *s, const struct nwr_key *key, const char *before)
{
    struct nwr_record seen = kit_read(s, 2, key);

    assert_string_equal(kit_read_text(s, 2, key), before);
    set_full(s, 0, true);
    set_full(s, 1, true);
    assert_int_equal(kit_ask_err(s, 2, kit_put(key, "y", 77, &seen)), NWR_E_NOSPC);
    assert_string_equal(kit_stored_text(s, 2, key), "y");
    nwr_record_deinit(&seen);
}

static void full_disks_keep_nobody_from_reading(void **state)
{
    struct sim *s = kit_three(8, 2, 2);
    struct nwr_key key = kit_key(2, 1), other = kit_key(2, 2);

    (void)state;
    kit_write(s, 0, &key, "x", 1, NULL);
    kit_write(s, 0, &other, "z", 2, NULL);
    fail_for_want_of_room(s, &key, "x");
    for (int i = 0; i < 3; i++)
        assert_string_equal(kit_read_text(s, i, &other), "z");
    kit_isolate(s, 1, true); /* the others differ, and W cannot have the same */
    kit_notice(s);
    assert_string_equal(kit_read_text(s, 0, &key), "y");
    sim_heal(s);
    set_full(s, 0, false);
    sim_run(s, 10000000);
    for (int i = 0; i < 3; i++)
        assert_string_equal(kit_read_text(s, i, &key), "y");
    sim_destroy(s);
}

/* With W + R <= N no other replica need be asked. */
static void who_could_not_store_a_write_does_not_answer_its_own_mount_alone(void **state)
{
    struct sim *s = kit_three(8, 1, 1);
    struct nwr_key key = kit_key(2, 1), other = kit_key(3, 1);

    (void)state;
    kit_write(s, 0, &key, "x", 1, NULL);
    sim_run(s, 1000000);
    set_full(s, 0, true);
    kit_write(s, 0, &key, "y", 2, NULL);
    assert_string_equal(kit_stored_text(s, 0, &key), "x");
    assert_string_equal(kit_read_text(s, 0, &key), "x|y");
    assert_true(nwr_is_behind(s->node[0].node, 2));
    kit_write(s, 1, &other, "z", 3, NULL);
    kit_isolate(s, 0, true); /* better than nothing */
    kit_notice(s);
    assert_string_equal(kit_read_text(s, 0, &key), "x");
    assert_int_equal(kit_ask_err(s, 0, kit_put(&key, "w", 4, NULL)), NWR_E_NOSPC);
    sim_heal(s);
    set_full(s, 0, true);
    sim_run(s, 90000000);
    assert_true(nwr_is_behind(s->node[0].node, 2));
    set_full(s, 0, false);
    sim_run(s, 90000000);
    assert_false(nwr_behind_any(s->node[0].node));
    assert_string_equal(kit_stored_text(s, 0, &key), "x|y");
    sim_destroy(s);
}

static void what_fills_a_disk_can_be_removed(void **state)
{
    struct sim *s = kit_three(8, 2, 2);
    struct nwr_key key = kit_key(2, 1);
    struct nwr_record seen;
    struct nwr_request *req;

    (void)state;
    kit_write(s, 0, &key, "x", 1, NULL);
    fail_for_want_of_room(s, &key, "x");
    set_full(s, 2, true);
    seen = kit_read(s, 2, &key);
    req = kit_put(&key, "", 6, &seen);
    req->write[0].v.flags = NWR_V_TOMBSTONE;
    assert_int_equal(kit_ask_err(s, 2, req), NWR_OK);
    nwr_record_deinit(&seen);
    for (int i = 0; i < 3; i++)
        assert_string_equal(kit_read_text(s, i, &key), "");
    sim_destroy(s);
}

static void what_is_acknowledged_on_disk_survives_power_loss_everywhere(void **state)
{
    struct sim *s = kit_three(9, 2, 2);
    struct nwr_key key = kit_key(2, 1);
    struct nwr_request *req = kit_put(&key, "safe", 1, NULL);

    (void)state;
    req->level = NWR_LEVEL_DISK;
    assert_int_equal(kit_ask_err(s, 0, req), NWR_OK);
    for (int i = 0; i < 3; i++)
        sim_crash(s, i, true);
    for (int i = 0; i < 3; i++)
        sim_restart(s, i);
    kit_notice(s);
    assert_string_equal(kit_read_text(s, 1, &key), "safe");
    sim_destroy(s);
}

/* ---- forwarding ------------------------------------------------------------------------------ */

/* Six members, so that some node does not hold some group. Its list, as nodes. */
static nwr_pg pg_elsewhere(struct sim *s, int node, int list[3])
{
    const struct nwr_ring *ring = sim_ring(s, node);
    uint16_t ordinal[NWR_REPLICAS_MAX];

    for (nwr_pg pg = 0; pg < ring->pgs; pg++) {
        if (kit_holds(s, node, pg))
            continue;
        nwr_ring_place(ring, pg, ordinal);
        for (int i = 0; i < 3; i++)
            list[i] = sim_of_ordinal(s, ordinal[i]);
        return pg;
    }
    sim_fail(s, "node %d holds every group", node);
}

static void a_node_without_the_group_forwards(void **state)
{
    struct sim *s = sim_create(10);
    int list[3];
    struct nwr_key key;

    (void)state;
    sim_members(s, 6, 16, 3, 0, 0);
    key = kit_key(pg_elsewhere(s, 5, list), 1);
    kit_write(s, 5, &key, "x", 1, NULL);
    assert_string_equal(kit_read_text(s, 5, &key), "x");
    assert_string_equal(kit_stored_text(s, 5, &key), "");
    assert_int_equal(nwr_node_counters(s->node[5].node)->forwarded, 2);
    sim_destroy(s);
}

static void a_silent_coordinator_is_replaced_and_the_write_is_one_write(void **state)
{
    struct sim *s = sim_create(11);
    int list[3];
    struct nwr_key key;
    struct nwr_record r;
    struct outcome o;

    (void)state;
    sim_members(s, 6, 16, 3, 0, 0);
    key = kit_key(pg_elsewhere(s, 5, list), 1);
    /* The first coordinator does it, but its answer does not come. */
    sim_cut(s, list[0], 5, true);
    submit(s, 5, kit_put(&key, "once", 77, NULL), &o);
    sim_run(s, 1000000);
    assert_false(o.done);
    assert_string_equal(kit_stored_text(s, list[1], &key), "once");
    sim_run(s, 2000000);
    assert_true(o.done);
    assert_int_equal(o.err, NWR_OK);
    r = kit_stored(s, list[1], &key);
    assert_int_equal(r.n, 1);
    assert_int_equal(nwr_dot_cmp(r.v[0].dot, o.dot), 0);
    assert_int_equal(sim_of_ordinal(s, nwr_actor_ordinal(o.dot.actor)), list[0]);
    nwr_record_deinit(&r);
    sim_destroy(s);
}

/* Two coordinators gave it a dot each; the successor names the one that its writer was told. */
static void a_write_that_two_coordinators_took_goes_whole_when_it_is_replaced(void **state)
{
    struct sim *s = sim_create(14);
    int list[3];
    struct nwr_key key;
    struct nwr_record r;

    (void)state;
    sim_members(s, 6, 16, 3, 0, 0);
    key = kit_key(pg_elsewhere(s, 5, list), 1);
    for (int i = 0; i < 6; i++)
        sim_cut(s, list[0], i, true);
    kit_write(s, 5, &key, "old", 77, NULL);
    assert_string_equal(kit_stored_text(s, list[0], &key), "old");
    r = kit_stored(s, list[1], &key);
    assert_int_not_equal(sim_of_ordinal(s, nwr_actor_ordinal(r.v[0].dot.actor)), list[0]);
    kit_write(s, 5, &key, "new", 78, &r);
    nwr_record_deinit(&r);
    for (int i = 0; i < 6; i++)
        sim_cut(s, list[0], i, false);
    kit_notice(s);
    assert_string_equal(kit_read_text(s, list[0], &key), "new");
    for (int i = 0; i < 3; i++)
        assert_string_equal(kit_stored_text(s, list[i], &key), "new");
    sim_destroy(s);
}

static void a_dead_coordinator_is_replaced_at_once(void **state)
{
    struct sim *s = sim_create(12);
    int list[3];
    struct nwr_key key;
    sim_us before;

    (void)state;
    sim_members(s, 6, 16, 3, 0, 0);
    key = kit_key(pg_elsewhere(s, 5, list), 1);
    sim_crash(s, list[0], false);
    before = s->now;
    kit_write(s, 5, &key, "x", 1, NULL);
    assert_true(s->now - before < 100000);
    sim_destroy(s);
}

/* ---- reads ----------------------------------------------------------------------------------- */

static void a_silent_coordinator_delays_no_forwarded_read(void **state)
{
    struct sim *s = sim_create(9);
    struct nwr_key key = kit_key(0, 1);
    sim_us before;
    int l[4];

    (void)state;
    sim_members(s, 4, 1, 3, 2, 2);
    kit_list(s, 0, l, 4);
    kit_write(s, l[0], &key, "here", 1, NULL);
    sim_run(s, 1000000);
    sim_pause(s, l[0], 5000000);
    before = s->now;
    assert_string_equal(kit_read_text(s, l[3], &key), "here");
    assert_true(s->now - before < 1000000); /* its connection is given up after 1.5 s */
    sim_destroy(s);
}

static void a_silent_replica_delays_no_read(void **state)
{
    struct sim *s = kit_three(13, 2, 2);
    struct nwr_key key = kit_key(2, 1);
    sim_us before;

    (void)state;
    kit_write(s, 0, &key, "x", 1, NULL);
    sim_run(s, 100000);
    sim_cut(s, 1, 0, true);
    before = s->now;
    assert_string_equal(kit_read_text(s, 0, &key), "x");
    assert_true(s->now - before < 10000);
    sim_destroy(s);
}

static void an_unconfirmed_write_is_at_w_before_a_read_shows_it(void **state)
{
    struct sim *s = kit_three_by_reads(14, 2, 2);
    struct nwr_key key = kit_key(2, 1);

    (void)state;
    kit_isolate(s, 0, true);
    assert_int_equal(kit_ask_err(s, 0, kit_put(&key, "x", 1, NULL)), NWR_E_TIMEDOUT);
    sim_heal(s);
    sim_crash(s, 2, false);
    kit_notice(s);
    assert_string_equal(kit_stored_text(s, 1, &key), "");
    assert_string_equal(kit_read_text(s, 0, &key), "x");
    assert_string_equal(kit_stored_text(s, 1, &key), "x");
    /* Now it cannot vanish: the first node goes for good. */
    sim_crash(s, 0, true);
    sim_restart(s, 2);
    kit_notice(s);
    assert_string_equal(kit_read_text(s, 1, &key), "x");
    sim_destroy(s);
}

static void a_plain_read_heals_a_replica_that_was_away(void **state)
{
    struct sim *s = kit_three_by_reads(15, 2, 2);
    struct nwr_key key = kit_key(2, 1), empty = kit_key(2, 2);

    (void)state;
    sim_crash(s, 2, false);
    kit_notice(s);
    kit_write(s, 0, &key, "x", 1, NULL);
    sim_restart(s, 2);
    kit_notice(s);
    assert_string_equal(kit_stored_text(s, 2, &key), "");
    assert_string_equal(kit_read_text(s, 0, &key), "x");
    assert_string_equal(kit_read_text(s, 0, &empty), "");
    kit_notice(s);
    assert_string_equal(kit_stored_text(s, 2, &key), "x");
    sim_destroy(s);
}

static void an_unreadable_record_is_unknown_and_healed_from_others(void **state)
{
    struct sim *s = kit_three(16, 2, 2);
    struct nwr_key key = kit_key(2, 1);

    (void)state;
    kit_write(s, 0, &key, "x", 1, NULL);
    sim_run(s, 100000);
    nwr_store_mem_faults(s->node[0].store)->bit_rot = 65536;
    assert_string_equal(kit_read_text(s, 0, &key), "x");
    nwr_store_mem_faults(s->node[0].store)->bit_rot = 0;
    assert_string_equal(kit_read_text(s, 0, &key), "x");
    assert_int_equal(nwr_node_counters(s->node[0].node)->read_repairs, 1);
    sim_destroy(s);
}

static void a_rotten_block_comes_from_another_replica(void **state)
{
    struct sim *s = kit_three(17, 3, 1);
    struct nwr_key key = kit_key(2, 1);
    struct nwr_block_id id = kit_block_id(2, 1, 5);
    struct nwr_request *req = kit_put(&key, "x", 5, NULL);
    struct nwr_response res;

    (void)state;
    kit_block(req, &id, true, true);
    assert_int_equal(kit_ask_err(s, 0, req), NWR_OK);
    nwr_store_mem_faults(s->node[0].store)->bit_rot = 65536;
    req = nwr_request_new(NWR_OP_BLOCK_GET, 2);
    nwr_request_block(req)->id = id;
    res = sim_ask(s, 0, req);
    assert_int_equal(res.err, NWR_OK);
    assert_int_equal(res.data->len, sizeof(nwr_wid));
    assert_int_equal(res.round_trips, 1);
    nwr_response_deinit(&res);
    sim_destroy(s);
}

static void a_block_nobody_has_is_said_to_be_nowhere(void **state)
{
    struct sim *s = kit_three(18, 2, 2);
    struct nwr_request *req = nwr_request_new(NWR_OP_BLOCK_GET, 2);

    (void)state;
    nwr_request_block(req)->id = kit_block_id(2, 1, 5);
    assert_int_equal(kit_ask_err(s, 0, req), NWR_E_NOENT);
    sim_crash(s, 1, false);
    kit_notice(s);
    req = nwr_request_new(NWR_OP_BLOCK_GET, 2);
    nwr_request_block(req)->id = kit_block_id(2, 1, 5);
    assert_int_equal(kit_ask_err(s, 0, req), NWR_E_HOSTDOWN);
    sim_destroy(s);
}

/* At W - 1 replicas, and its block is lost: W of them cannot have it. */
static void what_names_a_block_that_is_nowhere_is_shown(void **state)
{
    struct sim *s = kit_three_by_reads(18, 2, 2);
    struct nwr_key key = kit_key(2, 1);
    struct nwr_block_id id = kit_block_id(2, 1, 5);
    struct nwr_request *req = kit_put(&key, "x", 5, NULL);

    (void)state;
    kit_block(req, &id, true, true);
    kit_isolate(s, 0, true);
    nwr_store_mem_faults(s->node[0].store)->lost_put = 65536;
    assert_int_equal(kit_ask_err(s, 0, req), NWR_E_TIMEDOUT);
    assert_string_equal(kit_stored_text(s, 0, &key), "x");
    sim_heal(s);
    kit_notice(s);
    req = nwr_request_new(NWR_OP_READ, 2);
    nwr_request_range(req)->prefix = key;
    req->r = NWR_QUORUM_ALL;
    assert_int_equal(kit_ask_err(s, 0, req), NWR_OK);
    assert_string_equal(kit_stored_text(s, 1, &key), "");
    sim_destroy(s);
}

/* Each side lacks what the other has, and both have more than a page: nothing is skipped. */
static void pages_of_replicas_that_differ_skip_nothing(void **state)
{
    struct sim *s = kit_three(19, 1, 1);
    nwr_ino dir = nwr_ino_make(2, 1, 60);
    struct nwr_range range = {.prefix = nwr_key_entries(dir)};
    uint32_t found = 0, pages = 0;
    bool more = true;

    (void)state;
    for (int i = 0; i < 3; i++)
        kit_isolate(s, i, true);
    kit_notice(s);
    kit_write_many(s, 0, dir, 0, 4400, 3);
    kit_write_many(s, 1, dir, 1, 4400, 3);
    kit_write_many(s, 2, dir, 2, 4400, 3);
    sim_heal(s);
    kit_notice(s);
    while (more) {
        struct nwr_request *req = nwr_request_new(NWR_OP_READ, 2);
        struct nwr_response res;

        *nwr_request_range(req) = range;
        req->r = NWR_QUORUM_ALL;
        res = sim_ask(s, 0, req);
        assert_int_equal(res.err, NWR_OK);
        assert_true(res.rows.n > 0);
        found += res.rows.n;
        more = res.more;
        pages++;
        range.after = res.rows.row[res.rows.n - 1].key;
        nwr_response_deinit(&res);
    }
    assert_int_equal(found, 4400);
    assert_true(pages > 4);
    sim_destroy(s);
}

static void put_file(struct sim *s, int node, nwr_ino dir, const char *name, nwr_ino file,
                     nwr_wid wid)
{
    struct nwr_key entry = nwr_key_entry(dir, name, strlen(name));
    struct nwr_request *req = kit_put(&entry, name, wid, NULL);
    struct nwr_write *w = nwr_request_write(req);

    req->write[0].v.ref = file;
    w->key = nwr_key_reg(file, NWR_REG_CONTENT);
    w->v.wid = wid + 1;
    w->v.body = nwr_blob_copy(name, strlen(name));
    assert_int_equal(kit_ask_err(s, node, req), NWR_OK);
}

static void a_listing_brings_the_objects_that_one_side_did_not_follow(void **state)
{
    struct sim *s = kit_three(20, 1, 1);
    nwr_ino dir = nwr_ino_make(2, 1, 60), f = nwr_ino_make(2, 1, 61), g = nwr_ino_make(2, 1, 62);
    struct nwr_key content = nwr_key_reg(f, NWR_REG_CONTENT);
    struct nwr_request *req = nwr_request_new(NWR_OP_READ, 2);
    struct nwr_range *range = nwr_request_range(req);
    struct nwr_response res;
    const struct nwr_row *row;

    (void)state;
    put_file(s, 0, dir, "f", f, 10);
    put_file(s, 0, dir, "g", g, 20);
    sim_run(s, 100000);
    for (int i = 0; i < 3; i++)
        kit_isolate(s, i, true);
    kit_notice(s);
    /* Node 1 links f under a name the others do not know, node 2 writes to f: content of f that
     * only a side without that name has must come too. */
    put_file(s, 1, dir, "h", g, 30);
    kit_write(s, 2, &content, "newer", 40, NULL);
    sim_heal(s);
    kit_notice(s);
    range->prefix = nwr_key_entry(dir, "h", 1);
    range->exact = range->follow = true;
    req->r = NWR_QUORUM_ALL;
    res = sim_ask(s, 0, req);
    assert_int_equal(res.err, NWR_OK);
    assert_int_equal(res.rows.n, 2);
    content = nwr_key_reg(g, NWR_REG_CONTENT);
    row = nwr_rows_find(&res.rows, &content);
    assert_non_null(row);
    assert_int_equal(nwr_record_live(&row->rec), 2); /* "g" of before, "h" of now */
    nwr_response_deinit(&res);
    sim_destroy(s);
}

/* ---- seeds ----------------------------------------------------------------------------------- */

static void a_seed_runs_the_same_way_twice(void **state)
{
    const struct sim_options opt = {0};
    struct sim_outcome a = sim_plan_run(7, &opt), b = sim_plan_run(7, &opt);

    (void)state;
    assert_memory_equal(&a, &b, sizeof(a));
}

/* 64 records of three siblings of 48 KiB: 9 MiB, more than a frame takes. */
static void what_is_too_much_for_one_frame_comes_in_pages(void **state)
{
    struct sim *s = sim_create(90);
    char *body = nwr_zalloc((48 << 10) + 1);
    struct nwr_key after = {0};
    uint32_t versions = 0, pages = 0;
    nwr_pg pg = 0;
    bool more = true;

    (void)state;
    memset(body, 'x', 48 << 10);
    sim_members(s, 4, 16, 3, 1, 1);
    while (kit_holds(s, 0, pg))
        pg++;
    for (int i = 1; i < 4; i++)
        kit_isolate(s, i, true);
    kit_notice(s);
    for (uint32_t i = 0; i < 64 * 3; i++) {
        struct nwr_key key = kit_key(pg, i / 3);

        body[0] = (char)('a' + i % 3);
        kit_write(s, 1 + (int)(i % 3), &key, body, 100 + i, NULL);
    }
    sim_heal(s);
    sim_run(s, 1000000);
    while (more) {
        struct nwr_request *req = nwr_request_new(NWR_OP_READ, pg);
        struct nwr_range *range = nwr_request_range(req);
        struct nwr_response res;

        range->prefix = kit_key(pg, 0);
        range->prefix.len = 2;
        range->after = after;
        req->r = NWR_QUORUM_ALL;
        res = sim_ask(s, 0, req);
        assert_int_equal(res.err, NWR_OK);
        for (uint32_t i = 0; i < res.rows.n; i++)
            versions += res.rows.row[i].rec.n;
        more = res.more;
        after = res.rows.row[res.rows.n - 1].key;
        pages++;
        nwr_response_deinit(&res);
    }
    assert_int_equal(versions, 64 * 3);
    assert_true(pages > 1);
    nwr_free(body);
    sim_destroy(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(d1_to_d4_leaves_d3_and_d4),
        cmocka_unit_test(without_w_replicas_a_write_is_hostdown_and_applied_nowhere),
        cmocka_unit_test(a_member_that_is_back_unnoticed_is_dialed_before_a_write_is_refused),
        cmocka_unit_test(silent_replicas_end_a_write_at_its_deadline_in_doubt),
        cmocka_unit_test(a_replica_that_comes_back_in_time_completes_the_write),
        cmocka_unit_test(one_dead_replica_is_not_noticed),
        cmocka_unit_test(a_refusing_replica_fails_the_write_with_its_reason),
        cmocka_unit_test(a_newer_version_supersedes_a_guarded_write),
        cmocka_unit_test(a_full_disk_here_leaves_the_write_to_another_coordinator),
        cmocka_unit_test(full_disks_keep_nobody_from_reading),
        cmocka_unit_test(who_could_not_store_a_write_does_not_answer_its_own_mount_alone),
        cmocka_unit_test(what_fills_a_disk_can_be_removed),
        cmocka_unit_test(what_is_acknowledged_on_disk_survives_power_loss_everywhere),
        cmocka_unit_test(a_node_without_the_group_forwards),
        cmocka_unit_test(a_silent_coordinator_is_replaced_and_the_write_is_one_write),
        cmocka_unit_test(a_write_that_two_coordinators_took_goes_whole_when_it_is_replaced),
        cmocka_unit_test(a_dead_coordinator_is_replaced_at_once),
        cmocka_unit_test(a_silent_coordinator_delays_no_forwarded_read),
        cmocka_unit_test(a_silent_replica_delays_no_read),
        cmocka_unit_test(an_unconfirmed_write_is_at_w_before_a_read_shows_it),
        cmocka_unit_test(a_plain_read_heals_a_replica_that_was_away),
        cmocka_unit_test(an_unreadable_record_is_unknown_and_healed_from_others),
        cmocka_unit_test(a_rotten_block_comes_from_another_replica),
        cmocka_unit_test(a_block_nobody_has_is_said_to_be_nowhere),
        cmocka_unit_test(what_names_a_block_that_is_nowhere_is_shown),
        cmocka_unit_test(pages_of_replicas_that_differ_skip_nothing),
        cmocka_unit_test(a_listing_brings_the_objects_that_one_side_did_not_follow),
        cmocka_unit_test(a_seed_runs_the_same_way_twice),
        cmocka_unit_test(what_is_too_much_for_one_frame_comes_in_pages),
    };

    return cmocka_run_group_tests_name("replicator", tests, NULL, NULL);
}
