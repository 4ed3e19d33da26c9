/* lag_test.c -- a replica that answers late is spared what it is not needed for (net/core/lag.c).
 *
 * Without that its queue grew for as long as the others kept the pace: on five machines one had
 * 55,000 reads before it, answered nothing in time, and kept the ring joint for three minutes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "tests/sim/sim_kit.h"

enum {
    PG = 3,
    CLIENTS = 4,
    KEYS = 40,
    SLOW_MS = 1500,
    SECOND = 1000000
};

static struct {
    bool ends;
    uint32_t out, done, failed;
    nwr_wid wid;
    nwr_wid wid_of[KEYS];
    struct nwr_dot dot_of[KEYS];
    uint32_t number[KEYS];
} work;

static void read_one(struct sim *s, int node);

static void on_read(struct sim *s, int node, struct nwr_request *req, struct nwr_response *res)
{
    (void)req;
    work.out--;
    work.done += res->err == NWR_OK;
    work.failed += res->err != NWR_OK;
    if (!work.ends)
        read_one(s, node);
}

static void read_one(struct sim *s, int node)
{
    struct nwr_key key = kit_key(PG, 1);

    work.out++;
    sim_submit(s, node, kit_get(&key), on_read);
}

static void write_one(struct sim *s, int node, uint32_t no);

static void on_written(struct sim *s, int node, struct nwr_request *req, struct nwr_response *res)
{
    uint32_t no = *(uint32_t *)req->user;

    work.out--;
    work.done += res->err == NWR_OK;
    work.failed += res->err != NWR_OK;
    work.dot_of[no] = res->dot;
    work.wid_of[no] = req->write[0].v.wid;
    if (!work.ends)
        write_one(s, node, (no + CLIENTS) % KEYS);
}

static void write_one(struct sim *s, int node, uint32_t no)
{
    struct nwr_key key = kit_key(PG, no);
    nwr_wid wid = ++work.wid;
    struct nwr_request *req;
    char text[24];

    snprintf(text, sizeof(text), "%llu", (unsigned long long)wid);
    req = kit_put(&key, text, wid, NULL);
    if (work.wid_of[no])
        nwr_write_seen(&req->write[0], work.dot_of[no], work.wid_of[no]);
    work.number[no] = no;
    req->user = &work.number[no];
    work.out++;
    sim_submit(s, node, req, on_written);
}

static void begin(void)
{
    memset(&work, 0, sizeof(work));
}

static void end(struct sim *s)
{
    work.ends = true;
    while (work.out)
        sim_run(s, 10000);
    assert_int_equal(work.failed, 0);
}

static void slow(struct sim *s, int node, nwr_ms ms)
{
    nwr_store_mem_faults(s->node[node].store)->slow_ms = ms;
}

static void one_is_late(struct sim *s)
{
    slow(s, 0, 4);
    slow(s, 1, 4);
    slow(s, 2, SLOW_MS);
}

static struct nwr_store_stat stat_of(struct sim *s, int node)
{
    struct nwr_store_stat st;

    s->node[node].store->stat(s->node[node].store, &st);
    return st;
}

static void reads_do_not_pile_up_at_a_replica_that_answers_late(void **state)
{
    struct sim *s = kit_three(61, 2, 2);
    struct nwr_key key = kit_key(PG, 1);
    uint64_t fast, late;

    (void)state;
    begin();
    kit_write(s, 0, &key, "x", 5, NULL);
    one_is_late(s);
    for (int i = 0; i < CLIENTS; i++)
        read_one(s, 0);
    sim_run(s, 3 * SECOND);
    fast = stat_of(s, 1).reads;
    late = stat_of(s, 2).reads;
    sim_run(s, 10 * SECOND);
    fast = stat_of(s, 1).reads - fast;
    late = stat_of(s, 2).reads - late;
    assert_true(fast > 1000);
    assert_true(late * 20 < fast);
    slow(s, 2, 1);
    sim_run(s, 3 * SECOND);
    late = stat_of(s, 2).reads;
    sim_run(s, SECOND);
    assert_true(stat_of(s, 2).reads - late > 100); /* it is asked again */
    end(s);
    sim_destroy(s);
}

static void what_only_it_can_answer_waits_for_it(void **state)
{
    struct sim *s = kit_three(62, 2, 2);
    struct nwr_key key = kit_key(PG, 1);
    sim_us before;

    (void)state;
    begin();
    kit_write(s, 0, &key, "x", 5, NULL);
    slow(s, 2, SLOW_MS);
    for (int i = 0; i < CLIENTS; i++)
        read_one(s, 0);
    sim_run(s, 4 * SECOND);
    end(s);
    before = s->now;
    sim_cut(s, 1, 0, true); /* nobody knows yet that it is silent */
    assert_string_equal(kit_read_text(s, 0, &key), "x");
    kit_write(s, 0, &key, "y", 6, NULL);
    assert_true(s->now - before < 8 * SECOND);
    sim_destroy(s);
}

static void writes_do_not_pile_up_and_come_as_hints(void **state)
{
    struct sim *s = kit_three(63, 2, 2);
    const struct nwr_kept *kept;
    uint64_t fast, late;

    (void)state;
    begin();
    one_is_late(s);
    kept = nwr_node_hints(s->node[0].node, nwr_node_ordinal(s->node[2].node));
    for (uint32_t i = 0; i < CLIENTS; i++)
        write_one(s, 0, i);
    sim_run(s, 3 * SECOND);
    fast = stat_of(s, 1).applies;
    late = stat_of(s, 2).applies;
    sim_run(s, 10 * SECOND);
    fast = stat_of(s, 1).applies - fast;
    late = stat_of(s, 2).applies - late;
    assert_true(fast > 1000);
    assert_true(late * 5 < fast);
    assert_true(kept->count > 0);
    slow(s, 2, 1);
    end(s);
    sim_run(s, 30 * SECOND);
    assert_int_equal(kept->count, 0);
    for (uint32_t i = 0; i < KEYS; i++) {
        struct nwr_key key = kit_key(PG, i);
        char text[24];

        snprintf(text, sizeof(text), "%llu", (unsigned long long)work.wid_of[i]);
        assert_string_equal(kit_stored_text(s, 2, &key), text);
    }
    sim_destroy(s);
}

static void a_write_that_all_must_have_waits_for_it(void **state)
{
    struct sim *s = kit_three(64, 2, 2);
    struct nwr_key key = kit_key(PG, KEYS + 1);
    struct nwr_request *req;

    (void)state;
    begin();
    slow(s, 2, SLOW_MS);
    for (uint32_t i = 0; i < CLIENTS; i++)
        write_one(s, 0, i);
    sim_run(s, 4 * SECOND);
    req = kit_put(&key, "all", 5000, NULL);
    req->w = NWR_QUORUM_ALL;
    assert_int_equal(kit_ask_err(s, 0, req), NWR_OK);
    assert_string_equal(kit_stored_text(s, 2, &key), "all");
    end(s);
    sim_destroy(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_do_not_pile_up_at_a_replica_that_answers_late),
        cmocka_unit_test(what_only_it_can_answer_waits_for_it),
        cmocka_unit_test(writes_do_not_pile_up_and_come_as_hints),
        cmocka_unit_test(a_write_that_all_must_have_waits_for_it),
    };

    return cmocka_run_group_tests_name("lag", tests, NULL, NULL);
}
