/* store_loud_test.c -- what is beside a name, and of that what leads to inodes that may show
 * (net/store/loud.c), on every implementation: whatever is written, in any order and number, a
 * range that leaves out the silent ones gives what a look at all of them finds, and sums the rest.
 */
#include "tests/contract/store_kit.h"

#include <stdio.h>

enum {
    FILES = 40, /* beside one name, more than a few: they are kept in memory */
    STEPS = 1500
};

static const char base[] = "f";

/* Here a file is silent while its content says so. */
static bool is_silent(const struct nwr_rows *object, nwr_ino file)
{
    struct nwr_key key = nwr_key_reg(file, NWR_REG_CONTENT);
    const struct nwr_row *row = nwr_rows_find(object, &key);

    for (uint32_t i = 0; row && i < row->rec.n; i++)
        if (row->rec.v[i].body && row->rec.v[i].body->len == 1 &&
            row->rec.v[i].body->data[0] == 's')
            return true;
    return false;
}

static struct nwr_key prefix(void)
{
    return nwr_key_besides(ino(2), base, 1);
}

static struct nwr_key beside(uint64_t i)
{
    return nwr_key_beside(ino(2), base, 1, ino(100 + i));
}

static void read_range(struct batch *b, struct kit *k, bool loud)
{
    batch_init(b, k, NWR_STORE_READ);
    batch_range(b, prefix(), false, true);
    b->req->range[0].loud = loud;
    assert_int_equal(batch_run(b), NWR_OK);
}

/* Any inode that it leads to. */
static bool shows(const struct nwr_rows *rows, const struct nwr_record *rec)
{
    for (uint32_t i = 0; i < rec->n; i++)
        if (!is_silent(rows, rec->v[i].ref))
            return true;
    return false;
}

static void assert_loud(struct kit *k)
{
    struct batch all, loud;
    uint32_t found = 0;

    read_range(&all, k, false);
    read_range(&loud, k, true);
    for (uint32_t i = 0; i < all.op.rows.n; i++) {
        const struct nwr_row *row = &all.op.rows.row[i];
        const struct nwr_row *same = nwr_rows_find(&loud.op.rows, &row->key);
        struct nwr_key_parts p;

        assert_true(nwr_key_parse(&row->key, &p));
        if (p.kind != 'E')
            continue;
        if (shows(&all.op.rows, &row->rec)) {
            assert_non_null(same);
            found++;
        } else {
            assert_null(same);
        }
    }
    for (uint32_t i = 0; i < loud.op.rows.n; i++)
        found -= loud.op.rows.row[i].key.b[2] == 'E';
    assert_int_equal(found, 0);
    batch_deinit(&all);
    batch_deinit(&loud);
}

static uint64_t sum_of(struct kit *k)
{
    struct batch b;
    uint64_t sum;

    read_range(&b, k, true);
    sum = b.op.rows.silent;
    batch_deinit(&b);
    return sum;
}

static void drop(struct kit *k, uint64_t i, bool to_other)
{
    struct nwr_write *w;
    struct batch b;

    batch_init(&b, k, NWR_STORE_APPLY);
    w = batch_put(&b, beside(i), 0, "");
    w->v.flags = NWR_V_HIDDEN;
    w->v.ref = to_other ? ino(99) : ino(100 + i);
    assert_int_equal(batch_end(&b), NWR_OK);
}

/* All versions that it has are replaced: by a new one, or by nothing. */
static void change(struct kit *k, struct nwr_key key, const char *body)
{
    struct batch r, b;

    batch_init(&r, k, NWR_STORE_READ);
    batch_range(&r, key, true, false);
    assert_int_equal(batch_run(&r), NWR_OK);
    batch_init(&b, k, NWR_STORE_APPLY);
    if (body)
        batch_put(&b, key, 0, body);
    for (uint32_t i = 0; r.op.rows.n && i < r.op.rows.row[0].rec.n; i++) {
        const struct nwr_version *v = &r.op.rows.row[0].rec.v[i];
        struct nwr_seen seen = {v->dot, v->wid};

        if (body)
            nwr_write_seen(&b.req->write[0], seen.dot, seen.wid);
        else
            batch_discard(&b, key, seen);
    }
    if (body || b.req->nwrite)
        assert_int_equal(batch_run(&b), NWR_OK);
    batch_deinit(&b);
    batch_deinit(&r);
}

static void whatever_is_written_those_that_may_show_are_given(void **state)
{
    struct kit *k = *state;
    struct nwr_rng rng;

    nwr_rng_init(&rng, 5);
    k->s->silent = is_silent;
    for (int step = 0; step < STEPS; step++) {
        uint64_t i = nwr_rng_next(&rng) % FILES;

        switch (nwr_rng_next(&rng) % 8) {
        case 0:
        case 1: drop(k, i, nwr_rng_next(&rng) % 10 == 0); break;
        case 2: change(k, beside(i), NULL); break;
        case 3: change(k, content_key(100 + i), "l"); break;
        case 4: change(k, content_key(100 + i), NULL); break;
        default: change(k, content_key(100 + i), "s"); break;
        }
        if (nwr_rng_next(&rng) % 3 == 0)
            assert_loud(k);
        if (nwr_rng_next(&rng) % 100 == 0) {
            kit_restart(k);
            k->s->silent = is_silent;
        }
    }
    assert_loud(k);
}

static void what_is_left_out_is_summed_the_same_however_it_came(void **state)
{
    struct kit *k = *state;
    uint64_t before, after;

    k->s->silent = is_silent;
    for (uint64_t i = 0; i < FILES; i++) {
        drop(k, i, false);
        change(k, content_key(100 + i), i % 2 ? "s" : "l");
        sum_of(k);
    }
    before = sum_of(k);
    assert_int_not_equal(before, 0);
    kit_restart(k);
    k->s->silent = is_silent;
    assert_true(sum_of(k) == before); /* found again, all at once */
    change(k, content_key(100 + 1), "l");
    after = sum_of(k);
    assert_true(after != before);
    change(k, content_key(100 + 1), "s");
    assert_true(sum_of(k) == before); /* of the records beside the name, not of the inodes */
    change(k, beside(1), NULL);
    assert_true(sum_of(k) != before);
}

static void where_nobody_knows_nothing_is_left_out(void **state)
{
    struct kit *k = *state;
    struct batch b;

    for (uint64_t i = 0; i < FILES; i++) {
        drop(k, i, false);
        change(k, content_key(100 + i), "s");
    }
    read_range(&b, k, true);
    assert_int_equal(b.op.rows.n, 2 * FILES);
    assert_true(b.op.rows.silent == 0);
    batch_deinit(&b);
}

static void a_name_that_nobody_looks_up_any_more_is_forgotten_here_and_found_again(void **state)
{
    enum {
        MANY = 5000
    };
    struct kit *k = *state;
    struct batch b;

    k->s->silent = is_silent;
    for (uint64_t i = 0; i < FILES; i++)
        drop(k, i, false);
    sum_of(k);
    for (uint64_t i = FILES; i < MANY; i += BATCH_MAX / 2) {
        batch_init(&b, k, NWR_STORE_APPLY);
        for (uint64_t j = i; j < i + BATCH_MAX / 2; j++) {
            struct nwr_write *w = batch_put(&b, beside(j), 0, "");

            w->v.flags = NWR_V_HIDDEN;
            w->v.ref = ino(100 + j);
            batch_put(&b, content_key(100 + j), 0, "s");
        }
        assert_int_equal(batch_end(&b), NWR_OK);
    }
    change(k, content_key(100 + 4000), "l");
    for (uint64_t i = 0; i < FILES; i++)
        change(k, content_key(100 + i), i == 7 ? "l" : "s");
    read_range(&b, k, true);
    assert_int_equal(b.op.rows.n, 4);
    assert_true(nwr_key_cmp(&b.op.rows.row[0].key, &(struct nwr_key[]){beside(7)}[0]) == 0);
    batch_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_is_written_those_that_may_show_are_given),
        cmocka_unit_test(what_is_left_out_is_summed_the_same_however_it_came),
        cmocka_unit_test(where_nobody_knows_nothing_is_left_out),
        cmocka_unit_test(a_name_that_nobody_looks_up_any_more_is_forgotten_here_and_found_again),
    };

    return kit_run_all(tests, NWR_COUNT(tests));
}
