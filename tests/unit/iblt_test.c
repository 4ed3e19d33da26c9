/* iblt_test.c -- set differences by rateless tables; the figures of net/README.md are its. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "net/core/iblt.h"

#include <stdlib.h>

static const struct nwr_iblt_key key = {{0x0706050403020100, 0x0f0e0d0c0b0a0908}};

static struct nwr_element element(uint64_t n, uint64_t version)
{
    return (struct nwr_element){{{nwr_mix64(n + 1), nwr_mix64(~n)}}, version};
}

struct pair {
    struct nwr_iblt_source mine, theirs;
    struct nwr_iblt d;
    size_t bytes;
};

static void pair_init(struct pair *p, uint32_t budget)
{
    *p = (struct pair){0};
    nwr_iblt_source_init(&p->mine, key);
    nwr_iblt_source_init(&p->theirs, key);
    nwr_iblt_init(&p->d, key, budget);
}

static void pair_deinit(struct pair *p)
{
    nwr_iblt_source_deinit(&p->mine);
    nwr_iblt_source_deinit(&p->theirs);
    nwr_iblt_deinit(&p->d);
}

/* Both have 0 .. common - 1; then only one side has the next ones. */
static void fill(struct pair *p, uint32_t common, uint32_t only_mine, uint32_t only_theirs)
{
    for (uint32_t i = 0; i < common + only_mine + only_theirs; i++) {
        struct nwr_element e = element(i, 7);

        if (i < common + only_mine)
            nwr_iblt_source_add(&p->mine, &e);
        if (i < common || i >= common + only_mine)
            nwr_iblt_source_add(&p->theirs, &e);
    }
}

/* n cells over the wire. */
static void send(struct pair *p, uint32_t n)
{
    struct nwr_cell *cell = nwr_zalloc(n * sizeof(*cell)), *got = nwr_zalloc(n * sizeof(*got));
    uint32_t first = p->theirs.made;
    struct nwr_out o = {0};
    struct nwr_in in;

    nwr_iblt_source_cells(&p->theirs, cell, n);
    nwr_cells_out(&o, cell, n, first, p->theirs.n);
    in = nwr_in_of(o.data, o.len);
    assert_true(nwr_cells_in(&in, got, n, first, p->theirs.n));
    assert_true(nwr_in_done(&in));
    p->bytes += o.len;
    nwr_iblt_feed(&p->d, &p->mine, got, n);
    nwr_out_free(&o);
    nwr_free(cell);
    nwr_free(got);
}

static void assert_found(const struct pair *p, uint32_t common, uint32_t only_mine, uint32_t all)
{
    bool *seen = nwr_zalloc(all * sizeof(*seen));

    assert_int_equal(p->d.nfound, all);
    for (uint32_t i = 0; i < all; i++) {
        struct nwr_element want;
        uint32_t j = 0;

        do
            want = element(common + j, 7);
        while (nwr_element_cmp(&want, &p->d.found[i].walk.element) && ++j < all);
        assert_true(j < all);
        assert_false(seen[j]);
        assert_int_equal(p->d.found[i].theirs, j >= only_mine);
        seen[j] = true;
    }
    nwr_free(seen);
}

/* Key 00 .. 0f, message 00 .. 17: from another implementation, which gives the paper's vector. */
static void the_check_is_siphash(void **state)
{
    struct nwr_element e = {{{0x0706050403020100, 0x0f0e0d0c0b0a0908}}, 0x1716151413121110};

    (void)state;
    assert_true(nwr_iblt_check(key, &e) == 0xb8ad50c6f649af94);
}

static void equal_sets_need_one_cell(void **state)
{
    struct pair p;

    (void)state;
    pair_init(&p, 8);
    fill(&p, 1000, 0, 0);
    send(&p, 1);
    assert_int_equal(p.d.state, NWR_IBLT_DONE);
    assert_int_equal(p.d.nfound, 0);
    pair_deinit(&p);
}

static void differences_of_every_size_are_found(void **state)
{
    static const uint32_t sizes[] = {1, 10, 100, 1000, 10000};

    (void)state;
    for (size_t i = 0; i < NWR_COUNT(sizes); i++) {
        uint32_t d = sizes[i], step = NWR_MAX(d / 16, 1);
        struct pair p;

        pair_init(&p, NWR_IBLT_CELLS_MAX);
        fill(&p, 20000, d / 2, d - d / 2);
        while (p.d.state == NWR_IBLT_WANTS)
            send(&p, step);
        assert_int_equal(p.d.state, NWR_IBLT_DONE);
        assert_found(&p, 20000, d / 2, d);
        print_message("# %u differences: %u cells, %zu bytes\n", d, p.d.ncell, p.bytes);
        assert_true(p.d.ncell <= 3 * d + 4);
        pair_deinit(&p);
    }
}

/* The mean over many sets: what the paper promises, 1.35 to 1.72 cells a difference. */
static void cells_per_difference_are_what_the_paper_says(void **state)
{
    enum {
        ROUNDS = 200,
        DIFFERENCES = 100
    };
    uint64_t cells = 0;

    (void)state;
    for (uint32_t r = 0; r < ROUNDS; r++) {
        struct pair p;

        pair_init(&p, 1000);
        for (uint32_t i = 0; i < DIFFERENCES; i++) {
            struct nwr_element e = element(r * DIFFERENCES + i, r);

            nwr_iblt_source_add(i % 2 ? &p.mine : &p.theirs, &e);
        }
        while (p.d.state == NWR_IBLT_WANTS)
            send(&p, 1);
        assert_int_equal(p.d.state, NWR_IBLT_DONE);
        cells += p.d.ncell;
        pair_deinit(&p);
    }
    print_message("# %llu.%02llu cells a difference\n",
                  (unsigned long long)(cells / (ROUNDS * DIFFERENCES)),
                  (unsigned long long)(cells * 100 / (ROUNDS * DIFFERENCES) % 100));
    assert_true(cells * 100 / (ROUNDS * DIFFERENCES) < 160);
}

static void a_record_that_both_have_in_other_versions_is_found_on_both_sides(void **state)
{
    struct nwr_element mine = element(5, 1), theirs = element(5, 2);
    struct pair p;

    (void)state;
    pair_init(&p, 64);
    fill(&p, 3, 0, 0);
    nwr_iblt_source_add(&p.mine, &mine);
    nwr_iblt_source_add(&p.theirs, &theirs);
    while (p.d.state == NWR_IBLT_WANTS)
        send(&p, 1);
    assert_int_equal(p.d.state, NWR_IBLT_DONE);
    assert_int_equal(p.d.nfound, 2);
    for (int i = 0; i < 2; i++)
        assert_true(p.d.found[i].walk.element.version == (p.d.found[i].theirs ? 2 : 1));
    pair_deinit(&p);
}

static void a_spent_budget_is_a_failure_and_no_endless_stream(void **state)
{
    struct pair p;

    (void)state;
    pair_init(&p, 64);
    fill(&p, 10, 100, 100);
    while (p.d.state == NWR_IBLT_WANTS)
        send(&p, 16);
    assert_int_equal(p.d.state, NWR_IBLT_FAILED);
    assert_int_equal(p.d.ncell, 64);
    pair_deinit(&p);
}

/* Cells that no two sets have: whatever is decoded from them, it ends within the budget. */
static void decoding_cells_made_up_by_a_stranger_ends(void **state)
{
    struct nwr_element e = element(9, 9);
    struct nwr_rng rng;

    (void)state;
    nwr_rng_init(&rng, 4);
    for (int round = 0; round < 200; round++) {
        struct nwr_cell cell[64];
        struct pair p;

        pair_init(&p, 64);
        for (int i = 0; i < 64; i++) {
            cell[i] = (struct nwr_cell){.sum = e, .check = nwr_iblt_check(key, &e), .count = 1};
            if (nwr_rng_below(&rng, 2))
                cell[i].count = (int64_t)nwr_rng_below(&rng, 5) - 2;
            if (nwr_rng_below(&rng, 4) == 0)
                cell[i].check = nwr_rng_next(&rng);
        }
        nwr_iblt_feed(&p.d, &p.mine, cell, 64);
        assert_int_not_equal(p.d.state, NWR_IBLT_WANTS);
        assert_true(p.d.nfound <= 65);
        pair_deinit(&p);
    }
}

static void cells_that_are_cut_or_too_large_are_refused(void **state)
{
    struct nwr_cell cell[3] = {{.count = 5}, {.count = -9}, {.count = 0}}, got[3];
    struct nwr_out o = {0};
    struct nwr_in in;

    (void)state;
    nwr_cells_out(&o, cell, 3, 10, 1000);
    for (uint32_t len = 0; len < o.len; len++) {
        in = nwr_in_of(o.data, len);
        assert_false(nwr_cells_in(&in, got, 3, 10, 1000));
    }
    in = nwr_in_of(o.data, o.len);
    assert_true(nwr_cells_in(&in, got, 3, 10, 1000));
    assert_memory_equal(got, cell, sizeof(cell));
    in = nwr_in_of(o.data, o.len);
    assert_false(nwr_cells_in(&in, got, 3, 10, UINT64_MAX));
    nwr_out_free(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_check_is_siphash),
        cmocka_unit_test(equal_sets_need_one_cell),
        cmocka_unit_test(differences_of_every_size_are_found),
        cmocka_unit_test(cells_per_difference_are_what_the_paper_says),
        cmocka_unit_test(a_record_that_both_have_in_other_versions_is_found_on_both_sides),
        cmocka_unit_test(a_spent_budget_is_a_failure_and_no_endless_stream),
        cmocka_unit_test(decoding_cells_made_up_by_a_stranger_ends),
        cmocka_unit_test(cells_that_are_cut_or_too_large_are_refused),
    };

    return cmocka_run_group_tests_name("iblt", tests, NULL, NULL);
}
