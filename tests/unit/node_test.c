/* node_test.c -- what one node and three nodes do when nothing goes wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/sim/sim_kit.h"

static char text[200];

static void one_node_writes_and_reads_without_a_round_trip(void **state)
{
    struct sim *s = sim_create(1);
    struct nwr_key key = kit_key(3, 1);
    struct nwr_response res;
    struct nwr_record r;

    (void)state;
    sim_found(s, 16, 3, 0, 0);
    res = sim_ask(s, 0, kit_put(&key, "hello", 7, NULL));
    assert_int_equal(res.err, NWR_OK);
    assert_int_equal(res.acks, 1);
    assert_int_equal(res.round_trips, 0);
    assert_int_equal(res.dot.counter, 1);
    assert_int_equal(res.k % 1000, 1);
    nwr_response_deinit(&res);
    r = kit_read(s, 0, &key);
    assert_string_equal(kit_text(&r, text, sizeof(text)), "hello");
    nwr_record_deinit(&r);
    sim_destroy(s);
}

static nwr_hlc hlc_after(struct sim *s, int node, nwr_ms ahead)
{
    struct nwr_key key = kit_key(3, 2);
    struct nwr_request *req = kit_put(&key, "x", 100 + ahead, NULL);
    nwr_hlc hlc = (1700000000000 + ahead) << 16;
    struct nwr_response res;

    req->hlc = hlc;
    res = sim_ask(s, node, req);
    assert_int_equal(res.err, NWR_OK);
    hlc = res.hlc - hlc;
    nwr_response_deinit(&res);
    return hlc;
}

/* A clock that is far ahead dates what is written knowing of its writes, and nothing else. */
static void a_write_is_later_than_what_its_writer_saw_and_an_absurd_clock_is_not_followed(
    void **state)
{
    struct sim *s = sim_create(6);

    (void)state;
    sim_found(s, 16, 3, 0, 0);
    assert_true(hlc_after(s, 0, 30000) < 1 << 16);
    assert_int_equal(hlc_after(s, 0, 3600000), 1);
    assert_true(hlc_after(s, 0, 31000) < 1 << 16);
    sim_destroy(s);
}

static void a_write_reaches_all_three_and_is_answered_at_two(void **state)
{
    struct sim *s = sim_create(2);
    struct nwr_key key = kit_key(3, 1);
    struct nwr_response res;

    (void)state;
    sim_members(s, 3, 16, 3, 0, 0);
    res = sim_ask(s, 0, kit_put(&key, "hello", 7, NULL));
    assert_int_equal(res.err, NWR_OK);
    assert_int_equal(res.acks, 2);
    assert_int_equal(res.round_trips, 1);
    nwr_response_deinit(&res);
    sim_run(s, 100000);
    for (int i = 0; i < 3; i++) {
        struct nwr_record r = kit_stored(s, i, &key);

        assert_string_equal(kit_text(&r, text, sizeof(text)), "hello");
        nwr_record_deinit(&r);
    }
    sim_destroy(s);
}

static void what_one_node_wrote_another_reads_in_one_round_trip(void **state)
{
    struct sim *s = sim_create(3);
    struct nwr_key key = kit_key(5, 1);
    struct nwr_response res;

    (void)state;
    sim_members(s, 3, 16, 3, 0, 0);
    kit_write(s, 1, &key, "hello", 7, NULL);
    sim_run(s, 100000);
    res = sim_ask(s, 2, kit_get(&key));
    assert_int_equal(res.err, NWR_OK);
    assert_int_equal(res.round_trips, 1);
    assert_int_equal(res.rows.n, 1);
    assert_string_equal(kit_text(&res.rows.row[0].rec, text, sizeof(text)), "hello");
    nwr_response_deinit(&res);
    sim_destroy(s);
}

static void replicas_beyond_r_are_asked_too_but_not_at_once(void **state)
{
    struct sim *s = sim_create(7);
    struct nwr_key key = kit_key(5, 1);
    struct nwr_request *all = kit_get(&key);
    struct nwr_record r;
    struct nwr_response res;
    uint64_t later;

    (void)state;
    sim_members(s, 3, 16, 3, 0, 0);
    kit_write(s, 1, &key, "hello", 7, NULL);
    sim_run(s, 100000);
    later = s->later;
    r = kit_read(s, 2, &key);
    nwr_record_deinit(&r);
    assert_int_equal(s->later - later, 1);
    all->r = 3;
    res = sim_ask(s, 2, all);
    assert_int_equal(res.err, NWR_OK);
    nwr_response_deinit(&res);
    assert_int_equal(s->later - later, 1);
    sim_destroy(s);
}

static void a_version_that_was_seen_is_replaced_one_that_was_not_stays(void **state)
{
    struct sim *s = sim_create(4);
    struct nwr_key key = kit_key(5, 1);
    struct nwr_record r;

    (void)state;
    sim_members(s, 3, 16, 3, 0, 0);
    kit_write(s, 0, &key, "one", 1, NULL);
    r = kit_read(s, 1, &key);
    kit_write(s, 1, &key, "two", 2, &r);
    kit_write(s, 2, &key, "three", 3, &r);
    nwr_record_deinit(&r);
    r = kit_read(s, 0, &key);
    assert_int_equal(nwr_record_live(&r), 2);
    kit_text(&r, text, sizeof(text));
    assert_true(strcmp(text, "two|three") == 0 || strcmp(text, "three|two") == 0);
    nwr_record_deinit(&r);
    sim_destroy(s);
}

static void blocks_travel_with_a_batch_or_ahead_of_it(void **state)
{
    struct sim *s = sim_create(5);
    struct nwr_key key = kit_key(5, 1), other = kit_key(5, 2);
    struct nwr_block_id with = kit_block_id(5, 1, 70), ahead = kit_block_id(5, 2, 71);
    struct nwr_request *req;
    struct nwr_response res;

    (void)state;
    sim_members(s, 3, 16, 3, 0, 0);
    req = kit_put(&key, "with", 70, NULL);
    kit_block(req, &with, true, true);
    assert_int_equal(kit_ask_err(s, 0, req), NWR_OK);
    req = nwr_request_new(NWR_OP_BLOCK_PUT, 5);
    kit_block(req, &ahead, false, true);
    assert_int_equal(kit_ask_err(s, 1, req), NWR_OK);
    req = kit_put(&other, "ahead", 71, NULL);
    kit_block(req, &ahead, true, false);
    assert_int_equal(kit_ask_err(s, 2, req), NWR_OK);
    for (int i = 0; i < 3; i++) {
        req = nwr_request_new(NWR_OP_BLOCK_GET, 5);
        nwr_request_block(req)->id = i == 0 ? ahead : with;
        res = sim_ask(s, i, req);
        assert_int_equal(res.err, NWR_OK);
        assert_non_null(res.data);
        nwr_response_deinit(&res);
    }
    sim_destroy(s);
}

static void inode_counters_never_overlap_even_after_power_loss(void **state)
{
    struct sim *s = sim_create(6);
    uint64_t end = 0;

    (void)state;
    sim_found(s, 16, 3, 0, 0);
    for (int i = 0; i < 50; i++) {
        struct nwr_request *req = nwr_request_new(NWR_OP_IDS, 0);
        struct nwr_response res;

        req->count = 700;
        res = sim_ask(s, 0, req);
        assert_int_equal(res.err, NWR_OK);
        assert_int_equal(res.ordinal, 1);
        assert_true(res.first >= end && res.first > 0);
        end = res.first + 700;
        if (i % 7 == 3) {
            sim_crash(s, 0, true);
            sim_restart(s, 0);
        }
    }
    sim_destroy(s);
}

static void a_restart_draws_a_new_incarnation(void **state)
{
    struct sim *s = sim_create(7);
    struct nwr_key key = kit_key(5, 1);
    struct nwr_dot before, after;

    (void)state;
    sim_found(s, 16, 3, 0, 0);
    before = kit_write(s, 0, &key, "one", 1, NULL);
    sim_crash(s, 0, true);
    sim_restart(s, 0);
    after = kit_write(s, 0, &key, "two", 2, NULL);
    assert_true(before.actor != after.actor);
    assert_int_equal(nwr_actor_ordinal(before.actor), nwr_actor_ordinal(after.actor));
    sim_destroy(s);
}

static void requests_that_make_no_sense_are_refused(void **state)
{
    struct sim *s = sim_create(8);
    struct nwr_key key = kit_key(5, 1);
    struct nwr_request *req;

    (void)state;
    sim_found(s, 4, 3, 0, 0);
    assert_int_equal(kit_ask_err(s, 0, kit_get(&key)), NWR_E_INVAL); /* there are 4 groups */
    assert_int_equal(kit_ask_err(s, 0, nwr_request_new(NWR_OP_PUT, 1)), NWR_E_INVAL);
    assert_int_equal(kit_ask_err(s, 0, nwr_request_new(NWR_OP_READ, 1)), NWR_E_INVAL);
    key = kit_key(3, 1);
    req = kit_get(&key);
    req->pg = 2;
    assert_int_equal(kit_ask_err(s, 0, req), NWR_E_INVAL);
    sim_destroy(s);
}

static void why_says_what_each_replica_holds(void **state)
{
    struct sim *s = sim_create(9);
    struct nwr_key key = kit_key(5, 1);
    struct nwr_request *req = nwr_request_new(NWR_OP_WHY, 5);
    struct nwr_response res;
    char json[4096];

    (void)state;
    sim_members(s, 3, 16, 3, 0, 0);
    kit_write(s, 0, &key, "one", 1, NULL);
    sim_run(s, 100000);
    req->key = key;
    res = sim_ask(s, 1, req);
    assert_int_equal(res.err, NWR_OK);
    assert_true(res.data->len < sizeof(json));
    memcpy(json, res.data->data, res.data->len);
    json[res.data->len] = 0;
    assert_non_null(strstr(json, "\"schema\":1"));
    for (int i = 1; i <= 3; i++) {
        char want[40] = "{\"ordinal\":?,\"epoch\":";

        want[11] = (char)('0' + i);
        assert_non_null(strstr(json, want));
    }
    assert_non_null(strstr(json, "\"clock\":\"1,1\""));
    nwr_response_deinit(&res);
    sim_destroy(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_node_writes_and_reads_without_a_round_trip),
        cmocka_unit_test(
            a_write_is_later_than_what_its_writer_saw_and_an_absurd_clock_is_not_followed),
        cmocka_unit_test(a_write_reaches_all_three_and_is_answered_at_two),
        cmocka_unit_test(what_one_node_wrote_another_reads_in_one_round_trip),
        cmocka_unit_test(replicas_beyond_r_are_asked_too_but_not_at_once),
        cmocka_unit_test(a_version_that_was_seen_is_replaced_one_that_was_not_stays),
        cmocka_unit_test(blocks_travel_with_a_batch_or_ahead_of_it),
        cmocka_unit_test(inode_counters_never_overlap_even_after_power_loss),
        cmocka_unit_test(a_restart_draws_a_new_incarnation),
        cmocka_unit_test(requests_that_make_no_sense_are_refused),
        cmocka_unit_test(why_says_what_each_replica_holds),
    };

    return cmocka_run_group_tests_name("node", tests, NULL, NULL);
}
