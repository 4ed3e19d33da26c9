/* register_test.c -- the register step by step; random schedules are in register_history_test.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "net/core/register.h"

static struct nwr_ballot ballot(uint64_t round, uint64_t proposer)
{
    return (struct nwr_ballot){round, proposer};
}

static struct nwr_blob *text(const char *t)
{
    return nwr_blob_copy(t, strlen(t));
}

static void a_lower_ballot_is_refused_and_the_promise_said(void **state)
{
    struct nwr_register r = {0};
    struct nwr_blob *v = text("v");

    (void)state;
    assert_true(nwr_register_prepare(&r, ballot(2, 1)));
    assert_false(nwr_register_prepare(&r, ballot(1, 9)));
    assert_false(nwr_register_accept(&r, ballot(1, 9), v));
    assert_null(r.value);
    assert_int_equal(r.promised.round, 2);
    assert_true(nwr_register_prepare(&r, ballot(2, 2)));
    nwr_blob_unref(v);
}

static void accepting_is_promising(void **state)
{
    struct nwr_register r = {0};
    struct nwr_blob *v = text("v");

    (void)state;
    assert_true(nwr_register_accept(&r, ballot(3, 1), v));
    assert_false(nwr_register_prepare(&r, ballot(2, 7)));
    assert_true(r.value == v);
    nwr_register_deinit(&r);
    nwr_blob_unref(v);
}

static void an_acceptor_comes_back_from_its_bytes(void **state)
{
    struct nwr_register r = {0}, back;
    struct nwr_out o = {0};
    struct nwr_blob *v = text("value");

    (void)state;
    assert_int_equal(nwr_register_decode(&back, NULL, 0), NWR_OK);
    assert_int_equal(back.promised.round, 0);
    nwr_register_accept(&r, ballot(3, 1), v);
    nwr_register_prepare(&r, ballot(4, 2));
    nwr_register_encode(&r, &o);
    assert_int_equal(nwr_register_decode(&back, o.data, o.len), NWR_OK);
    assert_int_equal(nwr_ballot_cmp(back.promised, ballot(4, 2)), 0);
    assert_int_equal(nwr_ballot_cmp(back.accepted, ballot(3, 1)), 0);
    assert_memory_equal(back.value->data, "value", 5);
    nwr_register_deinit(&back);
    for (uint32_t len = 1; len < o.len; len++)
        assert_int_not_equal(nwr_register_decode(&back, o.data, len), NWR_OK);
    nwr_out_free(&o);
    nwr_register_deinit(&r);
    nwr_blob_unref(v);
}

static void proposal_of_three(struct nwr_proposal *p)
{
    *p = (struct nwr_proposal){.n = 0};
    for (uint16_t i = 1; i <= 3; i++)
        nwr_proposal_acceptor(p, i, 1 << NWR_LIST_NOW);
    nwr_proposal_begin(p, ballot(1, 7));
}

static void a_majority_promises_then_accepts(void **state)
{
    struct nwr_proposal p;
    struct nwr_ballot b = ballot(1, 7), none = {0};

    (void)state;
    proposal_of_three(&p);
    assert_false(nwr_proposal_promised(&p, 1, b, none, NULL));
    assert_false(nwr_proposal_promised(&p, 1, b, none, NULL)); /* twice is once */
    assert_false(nwr_proposal_promised(&p, 4, b, none, NULL)); /* a stranger */
    assert_false(nwr_proposal_promised(&p, 2, ballot(1, 6), none, NULL));
    assert_true(nwr_proposal_promised(&p, 2, b, none, NULL));
    nwr_proposal_accepting(&p, text("x"));
    assert_false(nwr_proposal_promised(&p, 3, b, none, NULL)); /* late */
    assert_false(nwr_proposal_accepted(&p, 3, b));
    assert_true(nwr_proposal_accepted(&p, 1, b));
    assert_int_equal(p.phase, NWR_DECIDED);
    nwr_proposal_deinit(&p);
}

static void the_value_of_the_highest_ballot_counts(void **state)
{
    struct nwr_proposal p;
    struct nwr_ballot b = ballot(1, 7);
    struct nwr_blob *old = text("old"), *young = text("new");

    (void)state;
    proposal_of_three(&p);
    nwr_proposal_deinit(&p);
    for (uint16_t i = 1; i <= 5; i++)
        nwr_proposal_acceptor(&p, i, 1 << NWR_LIST_NOW);
    nwr_proposal_begin(&p, ballot(9, 7));
    b = ballot(9, 7);
    nwr_proposal_promised(&p, 1, b, ballot(3, 1), old);
    nwr_proposal_promised(&p, 2, b, ballot(4, 1), young);
    assert_true(nwr_proposal_promised(&p, 3, b, ballot(2, 1), old));
    assert_true(p.value == young);
    nwr_proposal_deinit(&p);
    nwr_blob_unref(old);
    nwr_blob_unref(young);
}

static void a_refusal_ends_the_attempt_and_the_next_round_is_above_it(void **state)
{
    struct nwr_proposal p;

    (void)state;
    proposal_of_three(&p);
    assert_true(nwr_proposal_refused(&p, 2, ballot(1, 7), ballot(6, 1)));
    assert_int_equal(p.phase, NWR_REFUSED);
    assert_int_equal(nwr_proposal_next_round(&p), 7);
    nwr_proposal_begin(&p, ballot(7, 7));
    assert_int_equal(p.phase, NWR_PREPARING);
    nwr_proposal_deinit(&p);
}

static void while_joint_each_phase_needs_both_majorities(void **state)
{
    struct nwr_proposal p = {.n = 0};
    struct nwr_ballot b = ballot(1, 7), none = {0};

    (void)state;
    nwr_proposal_acceptor(&p, 1, 1);
    nwr_proposal_acceptor(&p, 2, 3);
    nwr_proposal_acceptor(&p, 3, 3);
    nwr_proposal_acceptor(&p, 4, 2);
    nwr_proposal_begin(&p, b);
    assert_false(nwr_proposal_promised(&p, 1, b, none, NULL));
    assert_false(nwr_proposal_promised(&p, 2, b, none, NULL)); /* two of 1 2 3, one of 2 3 4 */
    assert_true(nwr_proposal_promised(&p, 4, b, none, NULL));
    nwr_proposal_deinit(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lower_ballot_is_refused_and_the_promise_said),
        cmocka_unit_test(accepting_is_promising),
        cmocka_unit_test(an_acceptor_comes_back_from_its_bytes),
        cmocka_unit_test(a_majority_promises_then_accepts),
        cmocka_unit_test(the_value_of_the_highest_ballot_counts),
        cmocka_unit_test(a_refusal_ends_the_attempt_and_the_next_round_is_above_it),
        cmocka_unit_test(while_joint_each_phase_needs_both_majorities),
    };

    return cmocka_run_group_tests_name("register", tests, NULL, NULL);
}
