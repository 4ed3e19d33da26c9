/* supply_test.c -- replicas and coordinators that lack the blocks of a batch get them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/sim/sim_kit.h"

static void put_block(struct sim *s, int node, const struct nwr_block_id *id)
{
    struct nwr_request *req = nwr_request_new(NWR_OP_BLOCK_PUT, nwr_ino_pg(id->ino));

    kit_block(req, id, false, true);
    assert_int_equal(kit_ask_err(s, node, req), NWR_OK);
}

/* It comes to the others while node is away. */
static void miss_a_block(struct sim *s, int node, const struct nwr_block_id *id)
{
    kit_isolate(s, node, true);
    kit_notice(s);
    put_block(s, 0, id);
    sim_heal(s);
    kit_notice(s);
}

static void a_replica_that_missed_the_blocks_gets_them_with_the_batch(void **state)
{
    struct sim *s = kit_three(21, 2, 2);
    struct nwr_key key = kit_key(2, 1);
    struct nwr_block_id id = kit_block_id(2, 1, 5);
    struct nwr_request *req;

    (void)state;
    miss_a_block(s, 2, &id);
    assert_false(sim_has_block(s, 2, &id));
    req = kit_put(&key, "x", 5, NULL);
    kit_block(req, &id, true, false);
    req->w = NWR_QUORUM_ALL;
    assert_int_equal(kit_ask_err(s, 0, req), NWR_OK);
    assert_true(sim_has_block(s, 2, &id));
    assert_string_equal(kit_stored_text(s, 2, &key), "x");
    sim_destroy(s);
}

/* Two of three are enough for an answer; nobody compares replicas here, nor keeps hints. */
static void a_replica_that_missed_the_blocks_gets_them_after_the_answer_too(void **state)
{
    struct sim *s = kit_three_by_reads(24, 2, 2);
    struct nwr_key key = kit_key(2, 1);
    struct nwr_block_id id = kit_block_id(2, 1, 5);
    struct nwr_request *req;

    (void)state;
    miss_a_block(s, 2, &id);
    nwr_store_mem_faults(s->node[2].store)->slow_ms = 100;
    req = kit_put(&key, "x", 5, NULL);
    kit_block(req, &id, true, false);
    assert_int_equal(kit_ask_err(s, 0, req), NWR_OK);
    assert_false(sim_has_block(s, 2, &id));
    sim_run(s, 2000000);
    assert_true(sim_has_block(s, 2, &id));
    assert_string_equal(kit_stored_text(s, 2, &key), "x");
    sim_destroy(s);
}

/* The first of the list has no block, the second is silent, the third is asked. */
static void a_silent_replica_delays_no_block(void **state)
{
    struct sim *s = kit_three_by_reads(25, 2, 2);
    struct nwr_block_id id = kit_block_id(2, 1, 5);
    struct nwr_request *req = nwr_request_new(NWR_OP_BLOCK_GET, 2);
    sim_us before;
    int l[3];

    (void)state;
    kit_list(s, 2, l, 3);
    kit_isolate(s, l[0], true);
    kit_notice(s);
    put_block(s, l[1], &id);
    sim_heal(s);
    kit_notice(s);
    assert_false(sim_has_block(s, l[0], &id));
    sim_cut(s, l[1], l[0], true);
    nwr_request_block(req)->id = id;
    before = s->now;
    assert_int_equal(kit_ask_err(s, l[0], req), NWR_OK);
    assert_true(s->now - before < 1000000); /* its connection is given up after 1.5 s */
    sim_destroy(s);
}

static void a_coordinator_that_lacks_the_blocks_gets_them_from_others(void **state)
{
    struct sim *s = kit_three(22, 2, 2);
    struct nwr_key key = kit_key(2, 1);
    struct nwr_block_id id = kit_block_id(2, 1, 5);
    struct nwr_request *req;

    (void)state;
    kit_isolate(s, 0, true);
    kit_notice(s);
    put_block(s, 1, &id);
    sim_heal(s);
    kit_notice(s);
    req = kit_put(&key, "x", 5, NULL);
    kit_block(req, &id, true, false);
    assert_int_equal(kit_ask_err(s, 0, req), NWR_OK);
    assert_true(sim_has_block(s, 0, &id));
    sim_destroy(s);
}

static void blocks_below_blocks_follow_too(void **state)
{
    struct sim *s = kit_three(23, 2, 2);
    struct nwr_key key = kit_key(2, 1);
    struct nwr_block_id leaf[40], root = kit_block_id(2, 99, 5);
    struct nwr_request *req;

    (void)state;
    kit_isolate(s, 2, true);
    kit_notice(s);
    for (uint32_t i = 0; i < NWR_COUNT(leaf); i++) {
        leaf[i] = kit_block_id(2, i, 5);
        put_block(s, 0, &leaf[i]);
    }
    req = kit_put(&key, "x", 5, NULL);
    kit_block(req, &root, true, true);
    req->block[0].refs = nwr_memdup(leaf, sizeof(leaf));
    req->block[0].nrefs = NWR_COUNT(leaf);
    assert_int_equal(kit_ask_err(s, 0, req), NWR_OK);
    sim_heal(s);
    kit_notice(s);
    assert_string_equal(kit_read_text(s, 1, &key), "x");
    kit_notice(s);
    assert_string_equal(kit_stored_text(s, 2, &key), "x");
    for (uint32_t i = 0; i < NWR_COUNT(leaf); i++)
        assert_true(sim_has_block(s, 2, &leaf[i]));
    sim_destroy(s);
}

static void a_batch_whose_blocks_are_nowhere_is_refused(void **state)
{
    struct sim *s = kit_three(24, 2, 2);
    struct nwr_key key = kit_key(2, 1);
    struct nwr_block_id id = kit_block_id(2, 1, 5);
    struct nwr_request *req = kit_put(&key, "x", 5, NULL);

    (void)state;
    kit_block(req, &id, true, false);
    assert_int_equal(kit_ask_err(s, 0, req), NWR_E_BLOCKS);
    assert_string_equal(kit_stored_text(s, 0, &key), "");
    sim_destroy(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_replica_that_missed_the_blocks_gets_them_with_the_batch),
        cmocka_unit_test(a_replica_that_missed_the_blocks_gets_them_after_the_answer_too),
        cmocka_unit_test(a_silent_replica_delays_no_block),
        cmocka_unit_test(a_coordinator_that_lacks_the_blocks_gets_them_from_others),
        cmocka_unit_test(blocks_below_blocks_follow_too),
        cmocka_unit_test(a_batch_whose_blocks_are_nowhere_is_refused),
    };

    return cmocka_run_group_tests_name("supply", tests, NULL, NULL);
}
