/* read_test.c -- what a read shows whose answers are of different times (net/core/read.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/sim/sim_kit.h"

struct answer {
    bool done;
    enum nwr_err err;
    uint16_t round_trips;
    char text[64];
};

static void on_answer(struct sim *s, int node, struct nwr_request *req, struct nwr_response *res)
{
    struct answer *a = req->user;

    (void)s;
    (void)node;
    a->done = true;
    a->err = res->err;
    a->round_trips = res->round_trips;
    if (res->rows.n)
        kit_text(&res->rows.row[0].rec, a->text, sizeof(a->text));
}

static void begin_read(struct sim *s, int node, const struct nwr_key *key, struct answer *a)
{
    struct nwr_request *req = kit_get(key);

    *a = (struct answer){0};
    req->user = a;
    sim_submit(s, node, req, on_answer);
    sim_run(s, 20000);
}

static struct answer read_now(struct sim *s, int node, const struct nwr_key *key)
{
    struct answer a;

    begin_read(s, node, key, &a);
    assert_true(a.done);
    assert_int_equal(a.err, NWR_OK);
    return a;
}

static void replace(struct sim *s, int node, const struct nwr_key *key, const char *text,
                    nwr_wid wid, int shown_at)
{
    struct nwr_record seen = kit_stored(s, shown_at, key);

    kit_write(s, node, key, text, wid, &seen);
    nwr_record_deinit(&seen);
    sim_run(s, 20000);
}

/* A, B and C one after the other. B is at node 0 alone, and C through node 1, which knows B by its
 * name. The read of node 2 has its own answer from before B, and that of node 1 from after C. */
static void what_was_replaced_twice_while_a_read_waited_is_not_shown(void **state)
{
    struct sim *s = kit_three_by_reads(31, 1, 3);
    struct nwr_key key = kit_key(2, 1);
    struct answer a;

    (void)state;
    kit_write(s, 0, &key, "a", 1, NULL);
    sim_run(s, 100000);
    sim_cut(s, 2, 1, true);
    begin_read(s, 2, &key, &a);
    assert_false(a.done);
    sim_cut(s, 0, 1, true);
    sim_cut(s, 0, 2, true);
    replace(s, 0, &key, "b", 2, 0);
    replace(s, 1, &key, "c", 3, 0);
    assert_string_equal(kit_stored_text(s, 0, &key), "c");
    assert_string_equal(kit_stored_text(s, 1, &key), "a|c");
    sim_heal(s);
    sim_run(s, 300000);
    assert_true(a.done);
    assert_string_equal(a.text, "c");
    sim_destroy(s);
}

/* Nobody waits for long: real siblings are asked for twice, and once where replicas agree. */
static void siblings_that_are_there_are_shown_after_one_round_more(void **state)
{
    struct sim *s = kit_three_by_reads(32, 2, 2);
    struct nwr_key key = kit_key(2, 1);
    struct answer a;

    (void)state;
    kit_isolate(s, 2, true);
    kit_notice(s);
    kit_write(s, 0, &key, "a", 1, NULL);
    kit_write(s, 0, &key, "b", 2, NULL);
    sim_run(s, 20000);
    sim_heal(s);
    kit_notice(s);
    sim_cut(s, 1, 2, true);
    a = read_now(s, 2, &key);
    assert_string_equal(a.text, "a|b");
    assert_in_range(a.round_trips, 4, 5); /* digests, rows, both again, and the answer here */
    sim_heal(s);
    sim_run(s, 20000);
    a = read_now(s, 2, &key);
    assert_string_equal(a.text, "a|b");
    assert_int_equal(a.round_trips, 1);
    sim_destroy(s);
}

static uint64_t bytes_of_read(struct sim *s, const struct nwr_key *key)
{
    uint64_t before = s->wire_bytes;

    read_now(s, 0, key);
    return s->wire_bytes - before;
}

static void records_travel_once_where_replicas_agree(void **state)
{
    struct sim *s = kit_three_by_reads(33, 2, 2);
    struct nwr_key large = kit_key(2, 1), small = kit_key(2, 2);
    char text[60];

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = 0;
    kit_write(s, 0, &large, text, 1, NULL);
    kit_write(s, 0, &small, "x", 2, NULL);
    sim_run(s, 100000);
    assert_int_equal(bytes_of_read(s, &large), bytes_of_read(s, &small));
    sim_destroy(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_replaced_twice_while_a_read_waited_is_not_shown),
        cmocka_unit_test(siblings_that_are_there_are_shown_after_one_round_more),
        cmocka_unit_test(records_travel_once_where_replicas_agree),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
