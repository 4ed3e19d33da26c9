/* scrub_test.c -- what rotted is found, and fetched from other replicas (DESIGN 7). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/sim/oracle.h"
#include "tests/sim/sim_kit.h"

enum {
    ALL = 65536,
    RECORDS = 200
};

static const struct nwr_scrub_state *state_of(struct sim *s, int node)
{
    return nwr_node_scrub(s->node[node].node);
}

/* A run at node, to its end. */
static const struct nwr_scrub_state *scrub(struct sim *s, int node, nwr_pg pg)
{
    struct nwr_node_event ev = {.kind = NWR_EV_SCRUB, .pg = pg};

    sim_event(s, node, &ev);
    for (int i = 0; i < 3000 && state_of(s, node)->done < state_of(s, node)->asked; i++)
        sim_run(s, 100000);
    assert_true(state_of(s, node)->done == state_of(s, node)->asked);
    return state_of(s, node);
}

/* Records in all groups; every fifth has a block, every tenth one that names another. */
static void fill(struct sim *s, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++) {
        nwr_pg pg = (nwr_pg)(i % 16);
        struct nwr_key key = kit_key(pg, i);
        struct nwr_request *req = kit_put(&key, "as it was", 1000 + i, NULL);
        struct nwr_block_id id = kit_block_id(pg, i, 1000 + i), below = id;

        below.number = 7;
        if (i % 5 == 0)
            kit_block(req, &id, true, true);
        if (i % 10 == 0) {
            kit_block(req, &below, false, true);
            req->block[0].refs = nwr_memdup(&below, sizeof(below));
            req->block[0].nrefs = 1;
        }
        assert_int_equal(kit_ask_err(s, 0, req), NWR_OK);
    }
    sim_run(s, 2000000);
}

static struct sim *filled(uint64_t seed)
{
    struct sim *s = kit_three_by_reads(seed, 2, 2);

    fill(s, 0, RECORDS);
    return s;
}

static struct nwr_verify verify(struct sim *s, int node)
{
    struct nwr_verify v;

    assert_int_equal(nwr_store_mem_verify(s->node[node].store, &v), NWR_OK);
    return v;
}

static void assert_whole(struct sim *s, int node)
{
    struct nwr_verify v = verify(s, node);

    assert_int_equal(v.records, RECORDS);
    assert_int_equal(v.corrupt, 0);
    assert_int_equal(v.missing, 0);
    assert_int_equal(state_of(s, node)->doubtful, 0);
}

static void nothing_is_found_where_nothing_rotted(void **state)
{
    struct sim *s = filled(1);
    const struct nwr_scrub_state *st = scrub(s, 1, NWR_PGS_MAX);

    (void)state;
    assert_int_equal(st->records, RECORDS);
    assert_int_equal(st->blocks, RECORDS / 5 + RECORDS / 10);
    assert_int_equal(st->rotten, 0);
    assert_int_equal(st->repaired, 0);
    assert_int_equal(st->lost, 0);
    assert_int_equal(st->groups_done, st->groups);
    sim_destroy(s);
}

static void all_that_rotted_on_one_node_is_fetched_from_the_others(void **state)
{
    (void)state;
    for (uint64_t seed = 2; seed < 12; seed++) {
        struct sim *s = filled(seed);
        uint32_t rotten = nwr_store_mem_rot(s->node[2].store, seed == 2 ? ALL : ALL / 4);
        const struct nwr_scrub_state *st = scrub(s, 2, NWR_PGS_MAX);

        assert_true(rotten > 0);
        assert_true(st->rotten > 0);
        assert_int_equal(st->lost, 0);
        assert_int_equal(st->left, 0);
        assert_whole(s, 2);
        oracle_converged(s);
        /* What was counted anew is exact after the next start. */
        sim_crash(s, 2, false);
        sim_restart(s, 2);
        kit_notice(s);
        assert_int_equal(verify(s, 2).miscounted, 0);
        assert_whole(s, 2);
        sim_destroy(s);
    }
}

static void what_a_reader_meets_is_mended_without_a_run(void **state)
{
    struct sim *s = filled(20);
    struct nwr_key key = kit_key(3, 3);

    (void)state;
    nwr_store_mem_rot(s->node[1].store, ALL);
    assert_string_equal(kit_read_text(s, 1, &key), "as it was");
    sim_run(s, 60000000);
    for (uint32_t i = 3; i < RECORDS; i += 16) {
        struct nwr_key other = kit_key(3, i);

        assert_string_equal(kit_stored_text(s, 1, &other), "as it was");
    }
    sim_destroy(s);
}

static void what_nobody_reads_is_mended_in_its_turn(void **state)
{
    struct sim *s = filled(41);

    (void)state;
    assert_true(nwr_store_mem_rot(s->node[2].store, ALL / 4) > 0);
    sim_run(s, (sim_us)2 * 3600 * 1000000);
    assert_whole(s, 2);
    oracle_converged(s);
    sim_destroy(s);
}

static void what_has_no_good_copy_is_said_and_never_shown(void **state)
{
    struct sim *s = filled(21);
    struct nwr_key key = kit_key(3, 3);
    const struct nwr_scrub_state *st;

    (void)state;
    for (int i = 0; i < 3; i++)
        nwr_store_mem_rot(s->node[i].store, ALL);
    st = scrub(s, 0, 3);
    assert_true(st->lost > 0);
    assert_int_equal(st->repaired, 0);
    assert_int_equal(kit_ask_err(s, 0, kit_get(&key)), NWR_E_CORRUPT);
    sim_destroy(s);
}

/* Two replicas agree that nothing is there: the one that lost it must not make three. */
static void a_group_that_lost_records_answers_only_when_it_has_them_again(void **state)
{
    struct sim *s = kit_three_by_reads(22, 2, 2);
    struct nwr_key key = kit_key(3, 3);

    (void)state;
    kit_isolate(s, 2, true);
    kit_notice(s);
    kit_write(s, 0, &key, "at two", 1, NULL);
    nwr_store_mem_lose(s->node[0].store, 3);
    kit_isolate(s, 1, true);
    sim_cut(s, 0, 2, false);
    sim_cut(s, 2, 0, false);
    kit_notice(s);
    /* Nodes 0 and 2 are a quorum, and neither has it. */
    assert_int_not_equal(kit_ask_err(s, 0, kit_get(&key)), NWR_OK);
    assert_int_not_equal(kit_ask_err(s, 2, kit_get(&key)), NWR_OK);
    sim_heal(s);
    sim_run(s, 120000000);
    assert_int_equal(state_of(s, 0)->doubtful, 0);
    assert_string_equal(kit_stored_text(s, 0, &key), "at two");
    assert_string_equal(kit_read_text(s, 2, &key), "at two");
    sim_destroy(s);
}

static void groups_in_doubt_are_fetched_after_a_restart_without_being_asked(void **state)
{
    struct sim *s = filled(23);

    (void)state;
    for (nwr_pg pg = 0; pg < 16; pg++)
        nwr_store_mem_lose(s->node[2].store, pg);
    sim_crash(s, 2, false);
    sim_restart(s, 2);
    sim_run(s, 30000000);
    assert_whole(s, 2);
    oracle_converged(s);
    sim_destroy(s);
}

/* Nobody else has it: what is lost is said, once a person asks. */
static void the_only_copy_stays_in_doubt_until_a_person_asks(void **state)
{
    struct sim *s = sim_create(24);
    struct nwr_key lost = kit_key(3, 3), other = kit_key(4, 4);
    const struct nwr_scrub_state *st;

    (void)state;
    sim_members(s, 1, 16, 3, 0, 0);
    kit_write(s, 0, &lost, "x", 1, NULL);
    kit_write(s, 0, &other, "y", 2, NULL);
    nwr_store_mem_lose(s->node[0].store, 3);
    sim_run(s, 120000000);
    assert_int_equal(kit_ask_err(s, 0, kit_get(&lost)), NWR_E_CORRUPT);
    assert_string_equal(kit_read_text(s, 0, &other), "y");
    st = scrub(s, 0, NWR_PGS_MAX);
    assert_int_equal(st->lost, 1);
    assert_int_equal(st->doubtful, 0);
    assert_string_equal(kit_read_text(s, 0, &lost), "");
    assert_int_equal(scrub(s, 0, NWR_PGS_MAX)->lost, 0);
    sim_destroy(s);
}

static enum nwr_err ask_all(struct sim *s, int node, const struct nwr_key *key)
{
    struct nwr_request *req = kit_get(key);

    req->r = NWR_QUORUM_ALL;
    return kit_ask_err(s, node, req);
}

/* Through node 2, while another, or itself, is cut off. */
static void write_in_vain(struct sim *s, const struct nwr_key *key, int away)
{
    kit_isolate(s, away, true);
    assert_int_equal(kit_ask_err(s, 2, kit_put(key, "x", 6, NULL)), NWR_E_TIMEDOUT);
    assert_string_equal(kit_stored_text(s, 2, key), "x");
}

/* Each asks others for what it cannot read, and so they learn that they cannot either. */
static void assert_none_is_busy(struct sim *s)
{
    uint64_t looked[3];

    sim_run(s, 60000000);
    for (int i = 0; i < 3; i++)
        looked[i] = state_of(s, i)->records;
    sim_run(s, 600000000);
    for (int i = 0; i < 3; i++)
        assert_int_equal(state_of(s, i)->records, looked[i]);
}

static void a_record_that_rotted_where_no_other_has_it_is_said_to_be_lost_once_and_goes(
    void **state)
{
    struct sim *s = kit_three_by_reads(25, 2, 2);
    struct nwr_key key = kit_key(3, 3), other = kit_key(3, 4);
    const struct nwr_scrub_state *st;

    (void)state;
    kit_write(s, 0, &other, "there", 5, NULL);
    write_in_vain(s, &key, 2);
    nwr_store_mem_rot_record(s->node[2].store, &key);
    sim_heal(s);
    kit_notice(s);
    st = scrub(s, 2, 3);
    assert_int_equal(st->lost, 1);
    assert_int_equal(st->left, 0);
    assert_int_equal(ask_all(s, 0, &key), NWR_OK);
    assert_string_equal(kit_read_text(s, 0, &key), "");
    assert_string_equal(kit_stored_text(s, 2, &other), "there");
    assert_int_equal(scrub(s, 2, 3)->lost, 0);
    assert_int_equal(verify(s, 2).corrupt, 0);
    oracle_converged(s);
    sim_destroy(s);
}

static void a_reader_that_meets_such_a_record_fails_once(void **state)
{
    struct sim *s = kit_three_by_reads(28, 2, 2);
    struct nwr_key key = kit_key(3, 3);

    (void)state;
    write_in_vain(s, &key, 2);
    nwr_store_mem_rot_record(s->node[2].store, &key);
    sim_heal(s);
    kit_notice(s);
    assert_int_equal(ask_all(s, 0, &key), NWR_E_CORRUPT);
    sim_run(s, 1000000);
    assert_int_equal(ask_all(s, 0, &key), NWR_OK);
    sim_destroy(s);
}

static void it_stays_while_one_that_may_have_it_is_away_and_comes_from_there(void **state)
{
    struct sim *s = kit_three_by_reads(26, 3, 1);
    struct nwr_key key = kit_key(3, 3);
    const struct nwr_scrub_state *st;

    (void)state;
    write_in_vain(s, &key, 0);
    assert_string_equal(kit_stored_text(s, 1, &key), "x");
    nwr_store_mem_rot_record(s->node[2].store, &key);
    sim_heal(s);
    kit_isolate(s, 1, true);
    kit_notice(s);
    st = scrub(s, 2, 3);
    assert_int_equal(st->lost, 0);
    assert_true(st->left > 0);
    assert_int_equal(kit_ask_err(s, 2, kit_get(&key)), NWR_E_CORRUPT);
    sim_heal(s);
    sim_run(s, 60000000);
    assert_string_equal(kit_stored_text(s, 2, &key), "x");
    sim_destroy(s);
}

static void what_another_cannot_read_either_stays_unreadable(void **state)
{
    struct sim *s = kit_three_by_reads(27, 2, 2);
    struct nwr_key key = kit_key(3, 3);

    (void)state;
    kit_isolate(s, 0, true);
    kit_notice(s);
    kit_write(s, 2, &key, "x", 6, NULL);
    sim_run(s, 2 * NWR_DEADLINE_MS * 1000);
    for (int i = 1; i < 3; i++)
        nwr_store_mem_rot_record(s->node[i].store, &key);
    sim_heal(s);
    kit_notice(s);
    assert_int_equal(scrub(s, 2, 3)->lost, 1);
    assert_int_equal(scrub(s, 2, 3)->lost, 1);
    assert_int_equal(ask_all(s, 0, &key), NWR_E_CORRUPT);
    assert_none_is_busy(s);
    sim_destroy(s);
}

static enum nwr_err ask_block(struct sim *s, int node, const struct nwr_block_id *id)
{
    struct nwr_request *req = nwr_request_new(NWR_OP_BLOCK_GET, nwr_ino_pg(id->ino));

    nwr_request_block(req)->id = *id;
    return kit_ask_err(s, node, req);
}

/* A group with a write that only node 2 has, whose block cannot be read. */
static struct sim *with_a_lost_block(uint64_t seed, struct nwr_key *key, struct nwr_block_id *id)
{
    struct sim *s = kit_three_by_reads(seed, 2, 2);
    struct nwr_key other = kit_key(3, 4);
    struct nwr_request *req;

    *key = kit_key(3, 3);
    *id = kit_block_id(3, 3, 6);
    kit_write(s, 0, &other, "there", 5, NULL);
    kit_isolate(s, 2, true);
    req = kit_put(key, "x", 6, NULL);
    kit_block(req, id, true, true);
    nwr_store_mem_faults(s->node[2].store)->lost_put = 65536;
    assert_int_equal(kit_ask_err(s, 2, req), NWR_E_TIMEDOUT);
    nwr_store_mem_faults(s->node[2].store)->lost_put = 0;
    nwr_store_mem_rot_record(s->node[2].store, &other);
    return s;
}

static void a_block_that_is_lost_keeps_no_replicas_apart_and_nothing_else_from_being_mended(
    void **state)
{
    struct nwr_key key, other = kit_key(3, 4);
    struct nwr_block_id id;
    struct sim *s = with_a_lost_block(30, &key, &id);
    const struct nwr_scrub_state *st;

    (void)state;
    sim_heal(s);
    kit_notice(s);
    st = scrub(s, 2, 3);
    assert_int_equal(st->lost, 1);
    assert_int_equal(st->left, 0);
    assert_string_equal(kit_stored_text(s, 2, &other), "there");
    oracle_converged(s);
    for (int i = 0; i < 3; i++) {
        assert_string_equal(kit_stored_text(s, i, &key), "x");
        assert_int_equal(ask_block(s, i, &id), NWR_E_CORRUPT);
    }
    assert_none_is_busy(s);
    sim_destroy(s);
}

static void a_lost_block_that_is_found_again_comes_to_all(void **state)
{
    struct nwr_key key;
    struct nwr_block_id id;
    struct sim *s = with_a_lost_block(31, &key, &id);
    struct nwr_request *req = nwr_request_new(NWR_OP_BLOCK_PUT, 3);

    (void)state;
    sim_heal(s);
    kit_notice(s);
    scrub(s, 2, 3);
    kit_block(req, &id, false, true);
    assert_int_equal(kit_ask_err(s, 2, req), NWR_OK);
    for (int i = 0; i < 3; i++)
        assert_int_equal(scrub(s, i, 3)->lost, 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(verify(s, i).corrupt, 0);
    sim_destroy(s);
}

/* It cannot be compared there, nor handed over. */
static void what_rotted_in_groups_that_left_goes_where_their_lists_have_it(void **state)
{
    struct sim *s = filled(40);
    struct nwr_node_event ev = {.kind = NWR_EV_RESHAPE,
                                .reshape = {.kind = NWR_RESHAPE_N, .value = 2}};
    const struct nwr_scrub_state *st;

    (void)state;
    nwr_store_mem_rot(s->node[2].store, ALL / 4);
    sim_event(s, 0, &ev);
    sim_run(s, 20000000);
    assert_false(sim_ring(s, 2)->joint);
    assert_int_equal(sim_ring(s, 2)->n, 2);
    st = scrub(s, 2, NWR_PGS_MAX);
    assert_int_equal(st->lost, 0);
    assert_int_equal(st->left, 0);
    sim_run(s, 70000000);
    assert_int_equal(verify(s, 2).corrupt, 0);
    for (nwr_pg pg = 0; pg < 16; pg++) {
        struct nwr_key key = kit_key(pg, pg);
        struct nwr_record rec = kit_stored(s, 2, &key);

        assert_int_equal(rec.n, kit_holds(s, 2, pg));
        nwr_record_deinit(&rec);
    }
    sim_destroy(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_found_where_nothing_rotted),
        cmocka_unit_test(all_that_rotted_on_one_node_is_fetched_from_the_others),
        cmocka_unit_test(what_a_reader_meets_is_mended_without_a_run),
        cmocka_unit_test(what_nobody_reads_is_mended_in_its_turn),
        cmocka_unit_test(what_has_no_good_copy_is_said_and_never_shown),
        cmocka_unit_test(a_group_that_lost_records_answers_only_when_it_has_them_again),
        cmocka_unit_test(groups_in_doubt_are_fetched_after_a_restart_without_being_asked),
        cmocka_unit_test(the_only_copy_stays_in_doubt_until_a_person_asks),
        cmocka_unit_test(
            a_record_that_rotted_where_no_other_has_it_is_said_to_be_lost_once_and_goes),
        cmocka_unit_test(a_reader_that_meets_such_a_record_fails_once),
        cmocka_unit_test(it_stays_while_one_that_may_have_it_is_away_and_comes_from_there),
        cmocka_unit_test(
            a_block_that_is_lost_keeps_no_replicas_apart_and_nothing_else_from_being_mended),
        cmocka_unit_test(a_lost_block_that_is_found_again_comes_to_all),
        cmocka_unit_test(what_another_cannot_read_either_stays_unreadable),
        cmocka_unit_test(what_rotted_in_groups_that_left_goes_where_their_lists_have_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
