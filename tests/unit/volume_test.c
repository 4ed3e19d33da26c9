/* volume_test.c -- rows stay sorted; requests own what they are given. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "nwr/volume.h"

static struct nwr_key key_of(uint64_t n)
{
    uint8_t name[2] = {(uint8_t)(n >> 8), (uint8_t)n};

    return nwr_key_entry(NWR_INO_ROOT, (const char *)name, sizeof(name));
}

static void rows_stay_sorted_whatever_the_order_of_arrival(void **state)
{
    struct nwr_rows rows = {0};
    struct nwr_rng rng;

    (void)state;
    nwr_rng_init(&rng, 1);
    for (uint32_t i = 0; i < 2000; i++) {
        struct nwr_key k = key_of(nwr_rng_below(&rng, 500));
        struct nwr_row *row = nwr_rows_at(&rows, &k);

        assert_int_equal(nwr_key_cmp(&row->key, &k), 0);
        nwr_ctx_event(&row->rec.ctx, (struct nwr_dot){1, i + 1});
    }
    assert_true(rows.n > 400 && rows.n <= 500);
    for (uint32_t i = 0; i < rows.n; i++) {
        assert_true(i == 0 || nwr_key_cmp(&rows.row[i - 1].key, &rows.row[i].key) < 0);
        assert_ptr_equal(nwr_rows_find(&rows, &rows.row[i].key), &rows.row[i]);
        assert_int_equal(rows.row[i].rec.ctx.vv.n, 1);
    }
    nwr_rows_deinit(&rows);
    assert_int_equal(rows.n, 0);
}

static void new_row_holds_an_empty_record_and_a_known_one_keeps_its_own(void **state)
{
    struct nwr_rows rows = {0};
    struct nwr_key a = key_of(1), b = key_of(2);
    struct nwr_row *row = nwr_rows_at(&rows, &b);

    (void)state;
    assert_int_equal(row->rec.n + row->rec.nretired + row->rec.ctx.vv.n, 0);
    nwr_ctx_event(&row->rec.ctx, (struct nwr_dot){1, 7});
    row = nwr_rows_at(&rows, &a);
    assert_int_equal(row->rec.ctx.vv.n, 0);
    row = nwr_rows_at(&rows, &b);
    assert_int_equal(nwr_vv_get(&row->rec.ctx.vv, 1), 7);
    assert_int_equal(rows.n, 2);
    nwr_rows_deinit(&rows);
}

static void merged_rows_are_those_of_both(void **state)
{
    struct nwr_rng rng;

    (void)state;
    nwr_rng_init(&rng, 2);
    for (int round = 0; round < 200; round++) {
        struct nwr_rows part[2] = {{0}, {0}}, want = {0};
        uint32_t events = (uint32_t)nwr_rng_below(&rng, 40);

        for (uint32_t i = 1; i <= events; i++) {
            struct nwr_key k = key_of(nwr_rng_below(&rng, 30));
            struct nwr_dot dot = {1, i};

            nwr_ctx_event(&nwr_rows_at(&part[i % 2], &k)->rec.ctx, dot);
            nwr_ctx_event(&nwr_rows_at(&want, &k)->rec.ctx, dot);
        }
        nwr_rows_merge(&part[0], &part[1]);
        assert_int_equal(part[0].n, want.n);
        for (uint32_t i = 0; i < want.n; i++) {
            assert_int_equal(nwr_key_cmp(&part[0].row[i].key, &want.row[i].key), 0);
            assert_int_equal(nwr_vv_get(&part[0].row[i].rec.ctx.vv, 1),
                             nwr_vv_get(&want.row[i].rec.ctx.vv, 1));
        }
        nwr_rows_deinit(&part[0]);
        nwr_rows_deinit(&part[1]);
        nwr_rows_deinit(&want);
    }
}

static void lower_bound_is_the_first_row_not_before_the_key(void **state)
{
    struct nwr_rows rows = {0};

    (void)state;
    for (uint64_t n = 10; n <= 30; n += 10) {
        struct nwr_key k = key_of(n);

        nwr_rows_at(&rows, &k);
    }
    for (uint64_t n = 0; n <= 40; n++) {
        struct nwr_key k = key_of(n);

        assert_int_equal(nwr_rows_lower(&rows, &k), n <= 10 ? 0 : n <= 20 ? 1 : n <= 30 ? 2 : 3);
        assert_int_equal(nwr_rows_find(&rows, &k) != NULL, n > 0 && n <= 30 && n % 10 == 0);
    }
    nwr_rows_deinit(&rows);
}

/* The address sanitizer is the judge of what is freed. */
static void request_owns_everything_it_was_given(void **state)
{
    struct nwr_request *req = nwr_request_new(NWR_OP_PUT, 7);

    (void)state;
    assert_int_equal(req->op, NWR_OP_PUT);
    assert_int_equal(req->pg, 7);
    for (uint32_t i = 0; i < 9; i++) {
        struct nwr_write *w = nwr_request_write(req);
        struct nwr_guard *g = nwr_request_guard(req);
        struct nwr_block *b = nwr_request_block(req);

        assert_true(w->nseen == 0 && w->v.body == NULL && g->nseen == 0 && b->data == NULL);
        for (uint32_t j = 0; j < i; j++) {
            nwr_write_seen(w, (struct nwr_dot){j, j + 1}, j);
            nwr_write_retire(w, j + 1);
            nwr_guard_seen(g, (struct nwr_dot){j, j + 1}, j);
        }
        w->v.body = nwr_blob_copy("x", 1);
        b->data = nwr_blob_ref(w->v.body);
        b->refs = nwr_zalloc(sizeof(*b->refs));
        b->nrefs = 1;
        nwr_request_range(req)->exact = true;
    }
    assert_true(req->nwrite == 9 && req->nguard == 9 && req->nblock == 9 && req->nrange == 9);
    for (uint32_t i = 0; i < 9; i++) {
        assert_int_equal(req->write[i].nseen, i);
        assert_int_equal(req->write[i].nretire, i);
        assert_int_equal(req->guard[i].nseen, i);
        for (uint32_t j = 0; j < i; j++) {
            assert_int_equal(req->write[i].seen[j].dot.counter, j + 1);
            assert_int_equal(req->write[i].retire[j], j + 1);
        }
    }
    nwr_request_destroy(req);
    nwr_request_destroy(NULL);
}

static void response_is_empty_after_deinit(void **state)
{
    struct nwr_response res = {.err = NWR_E_IO, .data = nwr_blob_copy("{}", 2)};
    struct nwr_key k = key_of(1);

    (void)state;
    nwr_rows_at(&res.rows, &k);
    nwr_response_deinit(&res);
    assert_null(res.data);
    assert_int_equal(res.rows.n, 0);
    assert_int_equal(res.err, NWR_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_stay_sorted_whatever_the_order_of_arrival),
        cmocka_unit_test(new_row_holds_an_empty_record_and_a_known_one_keeps_its_own),
        cmocka_unit_test(merged_rows_are_those_of_both),
        cmocka_unit_test(lower_bound_is_the_first_row_not_before_the_key),
        cmocka_unit_test(request_owns_everything_it_was_given),
        cmocka_unit_test(response_is_empty_after_deinit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
