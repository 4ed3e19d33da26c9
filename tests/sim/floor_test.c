/* floor_test.c -- what was deleted goes for good, and what was replaced leaves nothing behind
 * (DESIGN 7): tombstones, contexts and ended incarnations fold away below the floor of a group, and
 * nothing that comes late or from an old disk brings anything back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "net/core/floor.h"
#include "tests/sim/oracle.h"
#include "tests/sim/sim_kit.h"

enum {
    PG = 2,
    KEYS = 40,
    ROUND_US = 40000000, /* members compare what they have each half minute */
    ROUNDS = 6
};

static struct nwr_rows rows_of(struct sim *s, int node)
{
    struct nwr_range all = {.prefix = {.len = 2, .b = {0, PG}}};
    struct nwr_rows rows;

    assert_int_equal(sim_look(s, node, PG, &all, 1, &rows), NWR_OK);
    return rows;
}

static uint32_t records(struct sim *s, int node)
{
    struct nwr_rows rows = rows_of(s, node);
    uint32_t n = rows.n;

    nwr_rows_deinit(&rows);
    return n;
}

/* A write_id that has one dot, as those of a mount that holds the group. */
static void write_once(struct sim *s, int node, uint32_t no, const char *text, nwr_wid wid)
{
    struct nwr_key key = kit_key(PG, no);
    struct nwr_record seen = kit_read(s, node, &key);
    struct nwr_request *req = kit_put(&key, text ? text : "", wid, &seen);

    req->write[0].v.flags = NWR_V_ONCE | (text ? 0 : NWR_V_TOMBSTONE);
    assert_int_equal(kit_ask_err(s, node, req), NWR_OK);
    nwr_record_deinit(&seen);
}

static void write_keys(struct sim *s, const char *text, nwr_wid wid)
{
    for (uint32_t i = 0; i < KEYS; i++)
        write_once(s, (int)(i % 2), i, text, wid + i);
}

static void let_floors_rise(struct sim *s)
{
    for (int i = 0; i < ROUNDS; i++)
        sim_run(s, ROUND_US);
}

/* As often as it takes until all have told all others. */
static void repair(struct sim *s)
{
    for (int i = 0; i < 2 * s->nnode; i++) {
        struct nwr_node_event ev = {.kind = NWR_EV_REPAIR, .pg = NWR_PGS_MAX};

        sim_event(s, i % s->nnode, &ev);
        sim_run(s, 5000000);
    }
}

static void assert_gone(struct sim *s)
{
    for (int node = 0; node < s->nnode; node++)
        if (s->node[node].alive && kit_holds(s, node, PG))
            assert_int_equal(records(s, node), 0);
}

/* The process ends and comes back with another disk. */
static void change_disk(struct sim *s, int node, struct nwr_store *disk)
{
    sim_change_disk(s, node, disk);
    kit_notice(s);
}

static void deleted_records_go_from_every_replica(void **state)
{
    struct sim *s = kit_three(51, 2, 2);

    (void)state;
    write_keys(s, "x", 1000);
    for (uint32_t i = 0; i < KEYS / 2; i++)
        write_once(s, 0, i, NULL, 2000 + i);
    let_floors_rise(s);
    for (int node = 0; node < 3; node++)
        assert_int_equal(records(s, node), KEYS / 2);
    oracle_converged(s);
    sim_destroy(s);
}

/* Nobody else has to hear of it. */
static void deleted_records_go_from_a_node_that_is_alone(void **state)
{
    struct sim *s = sim_create(61);

    (void)state;
    sim_members(s, 1, 16, 3, 2, 2);
    for (uint32_t i = 0; i < KEYS; i++)
        write_once(s, 0, i, "x", 1000 + i);
    for (uint32_t i = 0; i < KEYS / 2; i++)
        write_once(s, 0, i, NULL, 2000 + i);
    assert_int_equal(records(s, 0), KEYS);
    let_floors_rise(s);
    assert_int_equal(records(s, 0), KEYS / 2);
    sim_destroy(s);
}

/* So it is with N = 1, where each of three has groups of its own. */
static void deleted_records_go_where_each_group_has_one_replica(void **state)
{
    struct sim *s = sim_create(62);
    int at = 0;

    (void)state;
    sim_members(s, 3, 16, 1, 1, 1);
    while (!kit_holds(s, at, PG))
        at++;
    for (uint32_t i = 0; i < KEYS; i++)
        write_once(s, at, i, "x", 1000 + i);
    for (uint32_t i = 0; i < KEYS / 2; i++)
        write_once(s, at, i, NULL, 2000 + i);
    assert_int_equal(records(s, at), KEYS);
    let_floors_rise(s);
    assert_int_equal(records(s, at), KEYS / 2);
    sim_destroy(s);
}

/* There is room for the others of one list of a group, and another takes the place of one. */
static void deleted_records_go_where_a_group_has_moved(void **state)
{
    struct sim *s = sim_create(64);
    struct nwr_node_event ev = {.kind = NWR_EV_RESHAPE, .reshape = {.kind = NWR_RESHAPE_WEIGHT}};
    int l[NWR_REPLICAS_MAX + 1];

    (void)state;
    sim_members(s, NWR_REPLICAS_MAX + 1, 16, NWR_REPLICAS_MAX, 0, 0);
    kit_list(s, PG, l, NWR_REPLICAS_MAX + 1);
    for (uint32_t i = 0; i < KEYS; i++)
        write_once(s, l[1], i, "x", 1000 + i);
    let_floors_rise(s);
    ev.reshape.ordinal = nwr_node_ordinal(s->node[l[NWR_REPLICAS_MAX - 1]].node);
    ev.reshape.value = 1;
    sim_event(s, l[1], &ev);
    let_floors_rise(s);
    assert_false(sim_ring(s, l[1])->joint);
    assert_true(kit_holds(s, l[NWR_REPLICAS_MAX], PG));
    for (uint32_t i = 0; i < KEYS; i++)
        write_once(s, l[1], i, NULL, 2000 + i);
    let_floors_rise(s);
    assert_gone(s);
    sim_destroy(s);
}

/* What was forgotten while there was one stays so when others hold it too. */
static void a_member_that_joins_a_node_that_was_alone_brings_nothing_back(void **state)
{
    struct sim *s = sim_create(63);
    int joins;

    (void)state;
    sim_members(s, 1, 16, 3, 2, 2);
    for (uint32_t i = 0; i < KEYS; i++)
        write_once(s, 0, i, "x", 1000 + i);
    for (uint32_t i = 0; i < KEYS / 2; i++)
        write_once(s, 0, i, NULL, 2000 + i);
    let_floors_rise(s);
    joins = sim_join(s, 0);
    let_floors_rise(s);
    assert_true(s->node[joins].joined);
    for (uint32_t i = KEYS / 2; i < KEYS; i += 2)
        write_once(s, joins, i, NULL, 3000 + i);
    let_floors_rise(s);
    for (int node = 0; node < s->nnode; node++)
        assert_int_equal(records(s, node), KEYS / 4);
    oracle_converged(s);
    sim_destroy(s);
}

static void a_tombstone_stays_as_long_as_a_replica_is_away(void **state)
{
    struct sim *s = kit_three(52, 2, 2);

    (void)state;
    write_keys(s, "x", 1000);
    let_floors_rise(s);
    kit_isolate(s, 2, true);
    kit_notice(s);
    write_keys(s, NULL, 2000);
    for (int day = 0; day < 30; day++)
        sim_run(s, ROUND_US);
    assert_int_equal(records(s, 0), KEYS);
    sim_heal(s);
    let_floors_rise(s);
    assert_gone(s);
    sim_destroy(s);
}

static void an_old_disk_brings_nothing_back(void **state)
{
    struct sim *s = kit_three_by_reads(53, 2, 2);
    struct nwr_store *old;
    struct nwr_key key = kit_key(PG, 3);

    (void)state;
    write_keys(s, "x", 1000);
    sim_run(s, 2000000);
    old = nwr_store_mem_copy(s->node[2].store, 1);
    write_keys(s, NULL, 2000);
    repair(s);
    assert_gone(s);
    change_disk(s, 2, old);
    assert_string_equal(kit_stored_text(s, 2, &key), "x");
    assert_string_equal(kit_read_text(s, 2, &key), "");
    repair(s);
    assert_gone(s);
    sim_destroy(s);
}

static void an_old_disk_does_not_outvote_what_was_deleted(void **state)
{
    struct sim *s = kit_three_by_reads(60, 2, 2);
    struct nwr_store *old;

    (void)state;
    write_keys(s, "x", 1000);
    sim_run(s, 2000000);
    old = nwr_store_mem_copy(s->node[2].store, 1);
    write_keys(s, NULL, 2000);
    repair(s);
    assert_gone(s);
    change_disk(s, 2, old);
    kit_isolate(s, 1, true);
    kit_notice(s);
    for (uint32_t i = 0; i < KEYS; i++) {
        struct nwr_key key = kit_key(PG, i);

        assert_string_equal(kit_read_text(s, 2 * (int)(i % 2), &key), "");
    }
    sim_destroy(s);
}

static void an_old_disk_keeps_what_was_written_beside_what_was_deleted(void **state)
{
    struct sim *s = kit_three(54, 2, 2);
    struct nwr_store *old;
    struct nwr_key key = kit_key(PG, 1);

    (void)state;
    write_keys(s, "x", 1000);
    sim_run(s, 2000000);
    old = nwr_store_mem_copy(s->node[2].store, 1);
    write_keys(s, "y", 2000);
    write_once(s, 0, 0, NULL, 3000);
    let_floors_rise(s);
    change_disk(s, 2, old);
    let_floors_rise(s);
    for (int node = 0; node < 3; node++) {
        assert_int_equal(records(s, node), KEYS - 1);
        assert_string_equal(kit_stored_text(s, node, &key), "y");
    }
    oracle_converged(s);
    sim_destroy(s);
}

static void what_comes_late_meets_the_floor(void **state)
{
    struct sim *s = kit_three(55, 2, 2);
    struct nwr_record first[KEYS];

    (void)state;
    write_keys(s, "x", 1000);
    sim_run(s, 2000000);
    for (uint32_t i = 0; i < KEYS; i++) {
        struct nwr_key key = kit_key(PG, i);

        first[i] = kit_stored(s, 0, &key);
    }
    write_keys(s, NULL, 2000);
    let_floors_rise(s);
    assert_gone(s);
    for (uint32_t i = 0; i < KEYS; i++) {
        struct nwr_key key = kit_key(PG, i);

        sim_arrive(s, (int)(i % 3), &key, &first[i]);
        nwr_record_deinit(&first[i]);
    }
    assert_gone(s);
    let_floors_rise(s);
    assert_gone(s);
    sim_destroy(s);
}

static void a_name_can_be_used_again_and_deleted_again(void **state)
{
    struct sim *s = kit_three(56, 2, 2);
    struct nwr_key key = kit_key(PG, 0);

    (void)state;
    for (nwr_wid round = 1; round <= 3; round++) {
        write_once(s, 0, 0, "x", 100 * round);
        let_floors_rise(s);
        assert_string_equal(kit_stored_text(s, 2, &key), "x");
        write_once(s, 1, 0, NULL, 100 * round + 1);
        let_floors_rise(s);
        assert_gone(s);
    }
    sim_destroy(s);
}

/* The first of so many that node gives. */
static uint64_t take_inos(struct sim *s, int node, uint64_t count)
{
    struct nwr_request *req = nwr_request_new(NWR_OP_IDS, PG);
    struct nwr_response res;
    uint64_t first;

    req->count = count;
    res = sim_ask(s, node, req);
    assert_int_equal(res.err, NWR_OK);
    first = res.first;
    nwr_response_deinit(&res);
    return first;
}

static void a_node_set_back_to_an_older_copy_gives_no_inode_number_again(void **state)
{
    enum {
        FILES = 20000
    };
    struct sim *s = kit_three(61, 2, 2);
    struct nwr_store *old = nwr_store_mem_copy(s->node[2].store, 1);
    uint64_t first = 0;

    (void)state;
    for (int i = 0; i < FILES / 1000; i++)
        first = take_inos(s, 2, 1000);
    sim_run(s, FILES / 4 * 1000); /* 4,000 a second */
    change_disk(s, 2, old);
    assert_true(take_inos(s, 2, 1) >= first + 1000);
    sim_destroy(s);
}

/* A resolution or a withdrawal: it names what goes, and writes nothing. */
static void a_removal_without_a_version_reaches_who_was_away(void **state)
{
    struct sim *s = kit_three_without_hints(59, 2, 2);
    struct nwr_key key = kit_key(PG, 0);
    struct nwr_record seen;
    struct nwr_request *req;

    (void)state;
    write_once(s, 0, 0, "x", 1000);
    let_floors_rise(s);
    kit_isolate(s, 2, true);
    kit_notice(s);
    seen = kit_read(s, 0, &key);
    req = kit_put(&key, "", 0, &seen);
    req->write[0].discard = true;
    nwr_record_deinit(&seen);
    assert_int_equal(kit_ask_err(s, 0, req), NWR_OK);
    sim_run(s, ROUND_US);
    assert_string_equal(kit_stored_text(s, 1, &key), "");
    assert_string_equal(kit_stored_text(s, 2, &key), "x");
    sim_heal(s);
    let_floors_rise(s);
    assert_gone(s);
    sim_destroy(s);
}

/* Each start is another actor, and each adds to the vector of a record that it writes. With
 * NWR_LONG it is a million overwrites. */
static void overwriting_with_restarts_leaves_no_trace(void **state)
{
    enum {
        STARTS = 40
    };
    const char *is_long = getenv("NWR_LONG");
    nwr_wid writes = is_long && is_long[0] ? 25000 : 25;
    struct sim *s = kit_three(57, 2, 2);
    struct nwr_key key = kit_key(PG, 0);
    struct nwr_record rec;

    (void)state;
    for (int start = 0; start < STARTS; start++) {
        for (nwr_wid i = 1; i <= writes; i++)
            write_once(s, start % 3, 0, "x", (nwr_wid)(start + 1) << 32 | i);
        sim_crash(s, start % 3, false);
        sim_restart(s, start % 3);
        kit_notice(s);
    }
    let_floors_rise(s);
    for (int node = 0; node < 3; node++) {
        rec = kit_stored(s, node, &key);
        assert_int_equal(rec.n, 1);
        assert_int_equal(rec.nretired, 0);
        assert_int_equal(rec.ctx.vv.n + rec.ctx.dots.n, 1);
        assert_in_range(rec.v[0].past.n, 1, NWR_PAST_MAX);
        nwr_record_deinit(&rec);
    }
    sim_destroy(s);
}

static void a_group_that_leaves_a_node_and_comes_again_brings_nothing_back(void **state)
{
    struct sim *s = kit_three(58, 2, 2);
    struct nwr_key key = kit_key(PG, 1);

    (void)state;
    write_keys(s, "x", 1000);
    let_floors_rise(s);
    for (uint32_t n = 2; n <= 3; n++) {
        struct nwr_node_event ev = {.kind = NWR_EV_RESHAPE,
                                    .reshape = {.kind = NWR_RESHAPE_N, .value = n}};

        sim_event(s, 0, &ev);
        let_floors_rise(s);
        assert_int_equal(sim_ring(s, 0)->n, n);
        assert_false(sim_ring(s, 0)->joint);
        if (n == 2)
            for (uint32_t i = 0; i < KEYS / 2; i++)
                write_once(s, 0, i, NULL, 2000 + i);
        let_floors_rise(s);
    }
    for (int node = 0; node < 3; node++) {
        assert_string_equal(kit_stored_text(s, node, &key), "");
        assert_int_equal(records(s, node), KEYS / 2);
    }
    oracle_converged(s);
    sim_destroy(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deleted_records_go_from_every_replica),
        cmocka_unit_test(deleted_records_go_from_a_node_that_is_alone),
        cmocka_unit_test(deleted_records_go_where_each_group_has_one_replica),
        cmocka_unit_test(deleted_records_go_where_a_group_has_moved),
        cmocka_unit_test(a_member_that_joins_a_node_that_was_alone_brings_nothing_back),
        cmocka_unit_test(a_tombstone_stays_as_long_as_a_replica_is_away),
        cmocka_unit_test(an_old_disk_brings_nothing_back),
        cmocka_unit_test(an_old_disk_does_not_outvote_what_was_deleted),
        cmocka_unit_test(an_old_disk_keeps_what_was_written_beside_what_was_deleted),
        cmocka_unit_test(what_comes_late_meets_the_floor),
        cmocka_unit_test(a_name_can_be_used_again_and_deleted_again),
        cmocka_unit_test(a_removal_without_a_version_reaches_who_was_away),
        cmocka_unit_test(a_node_set_back_to_an_older_copy_gives_no_inode_number_again),
        cmocka_unit_test(overwriting_with_restarts_leaves_no_trace),
        cmocka_unit_test(a_group_that_leaves_a_node_and_comes_again_brings_nothing_back),
    };

    return cmocka_run_group_tests_name("floor", tests, NULL, NULL);
}
