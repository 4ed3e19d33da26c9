/* pace_test.c -- what is repaired or moved comes in order, and leaves room for other work
 * (DESIGN 6, 7). Time here is virtual.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "net/core/job.h"
#include "tests/sim/sim_kit.h"

enum {
    PG = 2
};

static void write_some(struct sim *s, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        struct nwr_key key = kit_key(PG, i);

        kit_write(s, 0, &key, "missed", 1000 + i, NULL);
    }
}

static bool has(struct sim *s, int node, uint32_t no)
{
    struct nwr_key key = kit_key(PG, no);

    return strcmp(kit_stored_text(s, node, &key), "missed") == 0;
}

/* Nothing of a page of hints comes before all of the pages before it. */
static void what_was_missed_first_is_delivered_first(void **state)
{
    enum {
        PAGES = 6
    };
    struct sim *s = sim_create(1);
    uint32_t come = 0, looks = 0;

    (void)state;
    s->only_asked = true;
    sim_members(s, 3, 16, 3, 2, 2);
    sim_crash(s, 2, false);
    kit_notice(s);
    write_some(s, PAGES * NWR_HINTS_PAGE);
    sim_restart(s, 2);
    for (; come < PAGES && looks < 100000; looks++) {
        sim_run(s, 100);
        while (come < PAGES && has(s, 2, (come + 1) * NWR_HINTS_PAGE - 1))
            come++;
        for (uint32_t i = 0; i < come * NWR_HINTS_PAGE; i += NWR_HINTS_PAGE / 2)
            assert_true(has(s, 2, i));
        for (uint32_t i = (come + 1) * NWR_HINTS_PAGE; i < PAGES * NWR_HINTS_PAGE; i++)
            assert_false(has(s, 2, i));
    }
    assert_int_equal(come, PAGES);
    sim_destroy(s);
}

/* Until one has all that it missed; with reads through the other meanwhile, or without. */
static sim_us comparison(bool others_read)
{
    enum {
        MISSED = 3000
    };
    struct sim *s = kit_three_by_reads(2, 2, 2);
    struct nwr_node_event ev = {.kind = NWR_EV_REPAIR, .pg = PG};
    struct nwr_key key = kit_key(PG + 1, 0);
    sim_us began;

    kit_isolate(s, 2, true);
    kit_notice(s);
    write_some(s, MISSED);
    sim_heal(s);
    kit_notice(s);
    began = s->now;
    sim_event(s, 0, &ev);
    while (!has(s, 2, MISSED - 1))
        if (others_read)
            assert_string_equal(kit_read_text(s, 0, &key), "");
        else
            sim_run(s, 1000);
    began = s->now - began;
    sim_destroy(s);
    return began;
}

static void a_comparison_leaves_pauses_while_there_is_other_work(void **state)
{
    (void)state;
    assert_true(comparison(true) > 2 * comparison(false));
}

static void put_block(struct sim *s, nwr_pg pg, const void *bytes, size_t len)
{
    struct nwr_key key = kit_key(pg, 1);
    struct nwr_block_id id = kit_block_id(pg, 1, 5);
    struct nwr_request *req = kit_put(&key, "large", 5, NULL);
    struct nwr_block *b = nwr_request_block(req);

    kit_block(req, &id, true, false);
    b->id = id;
    b->data = nwr_blob_copy(bytes, len);
    assert_int_equal(kit_ask_err(s, 0, req), NWR_OK);
}

/* 64 MB a second, but for the groups that were begun at once. */
static void copies_take_no_more_than_their_share(void **state)
{
    enum {
        GROUPS = 3 * NWR_COPY_PARALLEL,
        BYTES_A_MS = 64 << 10,
        BLOCK = 256 << 10
    };
    static const char bytes[BLOCK];
    struct sim *s = sim_create(3);
    sim_us began = 0;
    uint64_t copied = 0;
    int node;

    (void)state;
    sim_found(s, GROUPS, 3, 1, 1);
    for (nwr_pg pg = 0; pg < GROUPS; pg++)
        put_block(s, pg, bytes, sizeof(bytes));
    node = sim_join(s, 0);
    for (int i = 0; i < 100000 && !s->node[node].joined; i++) {
        sim_run(s, 100);
        copied = nwr_node_counters(s->node[node].node)->pgs_copied;
        if (copied && !began)
            began = s->now;
        if (copied > NWR_COPY_PARALLEL)
            assert_true((copied - NWR_COPY_PARALLEL) * BLOCK <=
                        ((s->now - began) / 1000 + 1) * BYTES_A_MS);
    }
    assert_int_equal(copied, GROUPS);
    sim_destroy(s);
}

/* Bytes on the wire until a node has joined. After so many, if any, it is killed and restarts. */
static uint64_t bytes_of_join(uint64_t break_at)
{
    enum {
        GROUPS = 3 * NWR_COPY_PARALLEL,
        BLOCK = 64 << 10
    };
    static const char bytes[BLOCK];
    struct sim *s = sim_create(4);
    uint64_t before;
    int node;

    sim_found(s, GROUPS, 3, 1, 1);
    for (nwr_pg pg = 0; pg < GROUPS; pg++)
        put_block(s, pg, bytes, sizeof(bytes));
    before = s->wire_bytes;
    node = sim_join(s, 0);
    for (int i = 0; i < 100000 && !s->node[node].joined; i++) {
        sim_run(s, 100);
        if (break_at && s->wire_bytes - before >= break_at) {
            break_at = 0;
            sim_crash(s, node, false);
            sim_restart(s, node);
        }
    }
    assert_true(s->node[node].joined && !break_at);
    before = s->wire_bytes - before;
    sim_destroy(s);
    return before;
}

static void a_copy_that_was_broken_off_goes_on_where_it_was(void **state)
{
    uint64_t whole = bytes_of_join(0);

    (void)state;
    assert_true(bytes_of_join(whole / 2) < whole + whole / 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_missed_first_is_delivered_first),
        cmocka_unit_test(a_comparison_leaves_pauses_while_there_is_other_work),
        cmocka_unit_test(copies_take_no_more_than_their_share),
        cmocka_unit_test(a_copy_that_was_broken_off_goes_on_where_it_was),
    };

    return cmocka_run_group_tests_name("pace", tests, NULL, NULL);
}
