/* ring_test.c -- placement and quorums are what DESIGN 5 and 6 say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "net/core/ring.h"
#include "nwr/volume.h"

static struct nwr_ring ring_of(uint32_t members, uint8_t n)
{
    struct nwr_ring r = {.volume = 77, .epoch = 1, .pgs = 1024, .n = n, .next_ordinal = 1};

    for (uint16_t i = 1; i <= members; i++) {
        struct nwr_member m = {.id = nwr_mix64(i), .ordinal = i, .weight = 256};

        memcpy(m.address, "127.0.0.1:4000", 15);
        nwr_ring_add(&r, &m);
        r.next_ordinal = (uint16_t)(i + 1);
    }
    return r;
}

static void list_has_min_n_members_distinct_ordinals(void **state)
{
    (void)state;
    for (uint32_t members = 1; members <= 9; members++) {
        struct nwr_ring r = ring_of(members, 3);

        for (nwr_pg pg = 0; pg < 1024; pg++) {
            uint16_t list[NWR_REPLICAS_MAX];
            uint32_t n = nwr_ring_place(&r, pg, list);

            assert_int_equal(n, NWR_MIN(3, members));
            for (uint32_t i = 0; i < n; i++)
                for (uint32_t j = i + 1; j < n; j++)
                    assert_int_not_equal(list[i], list[j]);
        }
        nwr_ring_deinit(&r);
    }
}

static void load_follows_weight(void **state)
{
    struct nwr_ring r = ring_of(5, 1);
    uint32_t held[6] = {0};

    (void)state;
    r.member[2].weight = 512;
    for (nwr_pg pg = 0; pg < 1024; pg++) {
        uint16_t list[NWR_REPLICAS_MAX];

        nwr_ring_place(&r, pg, list);
        held[list[0]]++;
    }
    /* Shares are 1/6 and 2/6 of 1024: 171 and 341. */
    for (int i = 1; i <= 5; i++)
        if (i == 3)
            assert_in_range(held[i], 280, 400);
        else
            assert_in_range(held[i], 120, 220);
    nwr_ring_deinit(&r);
}

static void a_new_member_only_takes_over_and_nothing_else_moves(void **state)
{
    struct nwr_ring old = ring_of(5, 3), grown = ring_of(6, 3);
    uint32_t taken = 0;

    (void)state;
    for (nwr_pg pg = 0; pg < 1024; pg++) {
        uint16_t list[NWR_REPLICAS_MAX];

        nwr_ring_place(&grown, pg, list);
        for (int i = 0; i < 3; i++) {
            if (list[i] == 6)
                taken++;
            else
                assert_true(nwr_ring_holds(&old, pg, list[i]));
        }
    }
    assert_in_range(taken, 440, 590); /* 1024 * 3 / 6 */
    nwr_ring_deinit(&old);
    nwr_ring_deinit(&grown);
}

static void majorities_stay_majorities_with_fewer_members(void **state)
{
    struct nwr_ring one = ring_of(1, 3), two = ring_of(2, 3), three = ring_of(3, 3);

    (void)state;
    assert_int_equal(nwr_ring_w(&one, 0), 1);
    assert_int_equal(nwr_ring_r(&one, 0), 1);
    assert_int_equal(nwr_ring_w(&two, 0), 2);
    assert_int_equal(nwr_ring_r(&two, 0), 2);
    assert_int_equal(nwr_ring_w(&three, 0), 2);
    three.w = 2, three.r = 2;
    assert_int_equal(nwr_ring_w(&three, 0), 2);
    nwr_ring_deinit(&one);
    nwr_ring_deinit(&two);
    nwr_ring_deinit(&three);
}

static void asked_quorums_are_cut_to_the_members(void **state)
{
    struct nwr_ring r = ring_of(2, 3);

    (void)state;
    r.w = 1, r.r = 3;
    assert_int_equal(nwr_ring_w(&r, 0), 1);
    assert_int_equal(nwr_ring_r(&r, 0), 2);
    assert_int_equal(nwr_ring_w(&r, NWR_QUORUM_ALL), 2);
    assert_int_equal(nwr_ring_w(&r, 1), 1);
    nwr_ring_deinit(&r);
}

static void encoding_returns_the_same_ring(void **state)
{
    struct nwr_ring r = ring_of(4, 3), back;
    struct nwr_out o = {0}, again = {0};

    (void)state;
    r.joint = true;
    r.next = (struct nwr_quorums){2, 0, 1};
    r.member[1].next_weight = 512;
    nwr_ring_admit(&r, 9, "[::1]:9");
    nwr_ring_encode(&r, &o);
    assert_int_equal(nwr_ring_decode(&back, o.data, o.len), NWR_OK);
    nwr_ring_encode(&back, &again);
    assert_int_equal(o.len, again.len);
    assert_memory_equal(o.data, again.data, o.len);
    nwr_out_free(&o);
    nwr_out_free(&again);
    nwr_ring_deinit(&r);
    nwr_ring_deinit(&back);
}

static void every_cut_and_every_flipped_byte_is_refused_or_harmless(void **state)
{
    struct nwr_ring r = ring_of(3, 3), back;
    struct nwr_out o = {0};

    (void)state;
    nwr_ring_encode(&r, &o);
    for (uint32_t len = 0; len < o.len; len++)
        assert_int_not_equal(nwr_ring_decode(&back, o.data, len), NWR_OK);
    for (uint32_t i = 0; i < o.len; i++) {
        o.data[i] ^= 0xff;
        if (nwr_ring_decode(&back, o.data, o.len) == NWR_OK)
            nwr_ring_deinit(&back);
        o.data[i] ^= 0xff;
    }
    nwr_out_free(&o);
    nwr_ring_deinit(&r);
}

static void a_change_opens_admits_and_settles(void **state)
{
    struct nwr_ring r = ring_of(2, 3), joint, next, back;

    (void)state;
    nwr_ring_open(&joint, &r);
    nwr_ring_admit(&joint, 9, "[::1]:9");
    nwr_ring_check(&joint);
    assert_false(nwr_ring_lists(&joint, 3));
    assert_non_null(nwr_ring_find(&joint, 3));
    assert_int_equal(nwr_ring_size(&joint, NWR_LIST_NOW), 2);
    assert_int_equal(nwr_ring_size(&joint, NWR_LIST_NEXT), 3);
    assert_true(nwr_ring_copies(&joint, 0, 3));
    assert_false(nwr_ring_copies(&joint, 0, 1));
    nwr_ring_settle(&next, &joint);
    nwr_ring_check(&next);
    assert_true(nwr_ring_lists(&next, 3));
    assert_int_equal(next.epoch, r.epoch + 2);
    nwr_ring_give_up(&back, &joint);
    nwr_ring_check(&back);
    assert_null(nwr_ring_find(&back, 3));
    assert_int_equal(back.next_ordinal, 4);
    assert_int_equal(back.epoch, r.epoch + 2);
    nwr_ring_deinit(&r);
    nwr_ring_deinit(&joint);
    nwr_ring_deinit(&next);
    nwr_ring_deinit(&back);
}

static void while_joint_each_list_has_sides_and_quorums_of_its_own(void **state)
{
    struct nwr_ring r = ring_of(3, 3), joint;
    struct nwr_sides s;

    (void)state;
    nwr_ring_open(&joint, &r);
    joint.next = (struct nwr_quorums){1, 0, 0};
    joint.member[2].next_weight = 0;
    nwr_ring_sides(&joint, 5, &s);
    assert_int_equal(s.m[NWR_LIST_NOW], 3);
    assert_int_equal(s.m[NWR_LIST_NEXT], 1);
    assert_int_equal(s.n, 3);
    assert_int_equal(nwr_ring_w_in(&joint, NWR_LIST_NOW, 0), 2);
    assert_int_equal(nwr_ring_w_in(&joint, NWR_LIST_NEXT, 0), 1);
    assert_int_equal(nwr_ring_barrier(&joint), 2);
    joint.w = 1;
    joint.r = 3;
    assert_int_equal(nwr_ring_barrier(&joint), 3);
    nwr_ring_sides(&r, 5, &s);
    assert_int_equal(s.m[NWR_LIST_NEXT], 0);
    assert_int_equal(nwr_ring_w_in(&r, NWR_LIST_NEXT, NWR_QUORUM_ALL), 0);
    nwr_ring_deinit(&r);
    nwr_ring_deinit(&joint);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(list_has_min_n_members_distinct_ordinals),
        cmocka_unit_test(load_follows_weight),
        cmocka_unit_test(a_new_member_only_takes_over_and_nothing_else_moves),
        cmocka_unit_test(majorities_stay_majorities_with_fewer_members),
        cmocka_unit_test(asked_quorums_are_cut_to_the_members),
        cmocka_unit_test(encoding_returns_the_same_ring),
        cmocka_unit_test(every_cut_and_every_flipped_byte_is_refused_or_harmless),
        cmocka_unit_test(a_change_opens_admits_and_settles),
        cmocka_unit_test(while_joint_each_list_has_sides_and_quorums_of_its_own),
    };

    return cmocka_run_group_tests_name("ring", tests, NULL, NULL);
}
