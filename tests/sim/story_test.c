/* story_test.c -- what nodes do and say to each other, in order, asserted as stories.
 *
 * "0 applies" is a batch into the store of node 0, "0 -> 1 PUT" a message. Messages take equally
 * long and stores no time, so the order is the protocol's own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "tests/sim/sim_kit.h"

/* Three nodes; a group whose list starts with node 0. */
static struct sim *begin(struct nwr_key *key)
{
    struct sim *s = kit_three(1, 2, 2);

    *key = kit_key(kit_pg(s, 0, 0), 1);
    s->faults = (struct sim_faults){0};
    return s;
}

/* What follows at once; later replicas compare what they hold. */
static void is_told(struct sim *s, const char *story)
{
    sim_run(s, 10000);
    assert_string_equal(s->story, story);
    sim_destroy(s);
}

static void a_put_is_applied_here_first_and_answered_when_w_have_it(void **state)
{
    struct nwr_key key;
    struct sim *s = begin(&key);

    (void)state;
    sim_record(s);
    kit_write(s, 0, &key, "x", 1, NULL);
    is_told(s, "0 applies\n"
               "0 -> 1 PUT\n"
               "0 -> 2 PUT\n"
               "1 applies\n"
               "2 applies\n"
               "1 -> 0 ACK\n"
               "2 -> 0 ACK\n"
               "0 answers: OK\n");
}

static void a_put_to_disk_is_acknowledged_after_the_sync(void **state)
{
    struct nwr_key key;
    struct sim *s = begin(&key);
    struct nwr_request *req = kit_put(&key, "x", 1, NULL);

    (void)state;
    req->level = NWR_LEVEL_DISK;
    sim_record(s);
    assert_int_equal(kit_ask_err(s, 0, req), NWR_OK);
    is_told(s, "0 applies\n"
               "0 syncs\n"
               "0 -> 1 PUT\n"
               "0 -> 2 PUT\n"
               "1 applies\n"
               "2 applies\n"
               "1 syncs\n"
               "2 syncs\n"
               "1 -> 0 ACK\n"
               "2 -> 0 ACK\n"
               "0 answers: OK\n");
}

static void a_replica_that_lacks_blocks_asks_for_them(void **state)
{
    struct nwr_key key;
    struct sim *s = begin(&key);
    struct nwr_block_id id = kit_block_id(nwr_key_pg(&key), 1, 5);
    struct nwr_request *ahead = nwr_request_new(NWR_OP_BLOCK_PUT, nwr_key_pg(&key));
    struct nwr_request *req = kit_put(&key, "x", 5, NULL);

    (void)state;
    kit_block(ahead, &id, false, true);
    kit_isolate(s, 2, true);
    kit_notice(s);
    assert_int_equal(kit_ask_err(s, 0, ahead), NWR_OK);
    kit_isolate(s, 2, false);
    kit_notice(s);
    kit_block(req, &id, true, false);
    sim_record(s);
    assert_int_equal(kit_ask_err(s, 0, req), NWR_OK);
    is_told(s, "0 applies\n"
               "0 -> 1 PUT\n"
               "0 -> 2 PUT\n"
               "1 applies\n"
               "2 applies: E_BLOCKS\n"
               "1 -> 0 ACK\n"
               "2 -> 0 ACK\n"
               "0 answers: OK\n"
               "0 -> 2 PUT\n"
               "2 applies\n"
               "2 -> 0 ACK\n");
}

static void a_write_without_w_replicas_is_refused_and_sent_to_nobody(void **state)
{
    struct nwr_key key;
    struct sim *s = begin(&key);

    (void)state;
    kit_isolate(s, 0, true);
    kit_notice(s);
    sim_record(s);
    assert_int_equal(kit_ask_err(s, 0, kit_put(&key, "x", 1, NULL)), NWR_E_HOSTDOWN);
    is_told(s, "0 answers: E_HOSTDOWN\n");
}

static void a_write_through_a_node_without_the_group_is_forwarded(void **state)
{
    struct sim *s = sim_create(5);
    uint16_t list[NWR_REPLICAS_MAX];
    char story[400];
    struct nwr_key key;
    nwr_pg pg = 0;
    int a, b, c;

    (void)state;
    sim_members(s, 4, 16, 3, 2, 2);
    s->faults = (struct sim_faults){0};
    while (kit_holds(s, 0, pg))
        pg++;
    key = kit_key(pg, 1);
    nwr_ring_place(sim_ring(s, 0), pg, list);
    a = sim_of_ordinal(s, list[0]);
    b = sim_of_ordinal(s, list[1]);
    c = sim_of_ordinal(s, list[2]);
    sim_record(s);
    kit_write(s, 0, &key, "x", 1, NULL);
    snprintf(story, sizeof(story),
             "0 -> %d REQUEST\n"
             "%d applies\n"
             "%d -> %d PUT\n"
             "%d -> %d PUT\n"
             "%d applies\n"
             "%d applies\n"
             "%d -> %d ACK\n"
             "%d -> %d ACK\n"
             "%d -> 0 RESPONSE\n"
             "0 answers: OK\n",
             a, a, a, b, a, c, b, c, b, a, c, a, a);
    is_told(s, story);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_put_is_applied_here_first_and_answered_when_w_have_it),
        cmocka_unit_test(a_put_to_disk_is_acknowledged_after_the_sync),
        cmocka_unit_test(a_replica_that_lacks_blocks_asks_for_them),
        cmocka_unit_test(a_write_without_w_replicas_is_refused_and_sent_to_nobody),
        cmocka_unit_test(a_write_through_a_node_without_the_group_is_forwarded),
    };

    return cmocka_run_group_tests_name("story", tests, NULL, NULL);
}
