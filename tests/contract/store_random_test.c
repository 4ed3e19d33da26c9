/* store_random_test.c -- one random history on every implementation: same answers, same rows.
 *
 * Histories mix puts, merges, discards, guards, blocks that travel along or come ahead, and
 * restarts. NWR_SEED replays one.
 */
#include "tests/contract/store_kit.h"

#include <stdio.h>
#include <stdlib.h>

#define KITS 3
#define STEPS 1500
#define KEYS 16
#define BLOCKS 40

struct world {
    struct kit *kit[KITS];
    struct nwr_rng rng;
    struct nwr_seen seen[KEYS][8]; /* some versions written to each key */
    uint32_t nseen[KEYS];
};

static uint32_t below(struct world *w, uint32_t bound)
{
    return (uint32_t)nwr_rng_below(&w->rng, bound);
}

static struct nwr_key random_key(struct world *w, uint32_t *index)
{
    char name[8];

    *index = below(w, KEYS);
    snprintf(name, sizeof(name), "n%u", *index);
    switch (*index % 4) {
    case 0: return entry_key(2 + *index % 3, name);
    case 1: return content_key(*index);
    case 2: return nwr_key_reg(ino(*index % 3), NWR_REG_ATTR);
    }
    return nwr_key_link(ino(*index % 3), ino(1), name, strlen(name));
}

static size_t random_size(struct world *w)
{
    return below(w, 4) ? 1 + below(w, 300) : NWR_BLOCK_SEGMENT + below(w, 3) - 1;
}

/* The same batch for every kit: built anew from a copy of the generator. */
static void add_write(struct world *w, struct batch *b, bool note)
{
    uint32_t at;
    struct nwr_key key = random_key(w, &at);
    struct nwr_seen *seen = w->seen[at];
    uint32_t n = NWR_MIN(w->nseen[at], 8u), pick = n ? below(w, n) : 0, blocks = below(w, 3);
    uint32_t kind = below(w, 10);
    struct nwr_write *wr;

    for (uint32_t i = 0; i < b->req->nwrite; i++)
        if (nwr_key_cmp(&b->req->write[i].key, &key) == 0)
            return;
    if (kind == 0 && n) {
        batch_discard(b, key, seen[pick]);
        return;
    }
    wr = batch_put(b, key, kind == 1 && n ? seen[pick].wid : 0, "body");
    if (kind > 3 && n)
        nwr_write_seen(wr, seen[pick].dot, seen[pick].wid);
    if (kind == 4 && n)
        nwr_write_retire(wr, seen[0].wid);
    if (kind == 5)
        wr->v.flags = NWR_V_TOMBSTONE;
    if (kind == 6 && key.b[2] == 'E')
        wr->v.flags = NWR_V_HIDDEN;
    for (uint32_t i = 0; i < blocks && kind != 5; i++)
        write_names(wr, block_id(below(w, BLOCKS)));
    wr->v.ref = below(w, 2) ? ino(below(w, KEYS)) : 0;
    if (note)
        seen[w->nseen[at]++ % 8] = (struct nwr_seen){wr->v.dot, wr->v.wid};
}

static void add_blocks(struct world *w, struct batch *b, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        uint32_t id = below(w, BLOCKS);

        batch_block(b, block_id(id), (uint8_t)id, random_size(w));
        if (id && below(w, 3) == 0)
            batch_block_ref(b, block_id(below(w, id)));
    }
}

static void build(struct world *w, struct batch *b, struct kit *k, bool note)
{
    uint32_t kind = below(w, 10);

    if (kind < 6) {
        batch_init(b, k, NWR_STORE_APPLY);
        b->op.coordinator = below(w, 2);
        for (uint32_t n = 1 + below(w, 4); n; n--)
            add_write(w, b, note);
        add_blocks(w, b, below(w, 4));
        if (below(w, 6) == 0)
            batch_guard(b, below(w, 2) ? NWR_GUARD_EMPTY : NWR_GUARD_BARE,
                        nwr_key_entries(ino(2 + below(w, 3))));
        if (below(w, 6) == 0)
            batch_guard(b, NWR_GUARD_SEEN, content_key(1));
    } else if (kind == 6) {
        batch_init(b, k, NWR_STORE_BLOCK_PUT);
        add_blocks(w, b, 1 + below(w, 3));
    } else if (kind == 7) {
        batch_init(b, k, NWR_STORE_BLOCK_GET);
        batch_block(b, block_id(below(w, BLOCKS)), 0, 0);
    } else {
        batch_init(b, k, NWR_STORE_READ);
        batch_range(b, nwr_key_entries(ino(2 + below(w, 3))), false, true);
        batch_range(b, content_key(below(w, KEYS)), true, below(w, 2));
        batch_range(b, (struct nwr_key){.len = 2, .b = {0, PG}}, false, false);
        b->req->range[2].indexed = true;
    }
}

static void assert_same(const struct batch *a, const struct batch *b)
{
    assert_int_equal(a->op.err, b->op.err);
    assert_int_equal(a->op.more, b->op.more);
    assert_int_equal(nwr_dot_cmp(a->op.dot, b->op.dot), 0);
    assert_int_equal(a->op.rows.n, b->op.rows.n);
    for (uint32_t i = 0; i < a->op.rows.n; i++) {
        assert_int_equal(nwr_key_cmp(&a->op.rows.row[i].key, &b->op.rows.row[i].key), 0);
        assert_true(nwr_record_digest(&a->op.rows.row[i].rec) ==
                    nwr_record_digest(&b->op.rows.row[i].rec));
    }
    assert_int_equal(a->op.nappeared, b->op.nappeared);
    assert_int_equal(a->op.nmissing, b->op.nmissing);
    for (uint32_t i = 0; i < a->op.nmissing; i++)
        assert_true(a->op.missing[i].wid == b->op.missing[i].wid);
    assert_int_equal(!a->op.data, !b->op.data);
    if (a->op.data) {
        assert_int_equal(a->op.data->len, b->op.data->len);
        assert_memory_equal(a->op.data->data, b->op.data->data, a->op.data->len);
    }
}

/* Several in flight at once, so that the worker makes groups. */
static void step(struct world *w)
{
    enum {
        FLIGHT = 4
    };
    static struct batch b[KITS][FLIGHT];
    struct world start = *w;

    for (int i = 0; i < KITS; i++) {
        *w = start;
        for (int j = 0; j < FLIGHT; j++) {
            build(w, &b[i][j], w->kit[i], true);
            batch_submit(&b[i][j]);
        }
    }
    for (int i = 0; i < KITS; i++)
        for (int j = 0; j < FLIGHT; j++) {
            batch_wait(&b[i][j]);
            assert_same(&b[0][j], &b[i][j]);
        }
    for (int i = 0; i < KITS; i++)
        for (int j = 0; j < FLIGHT; j++)
            batch_deinit(&b[i][j]);
}

static void assert_all_whole(struct world *w)
{
    struct nwr_verify first = kit_verify(w->kit[0]);

    for (int i = 0; i < KITS; i++) {
        struct nwr_verify v = kit_verify(w->kit[i]);

        kit_assert_whole(w->kit[i]);
        assert_int_equal(v.records, first.records);
        assert_int_equal(v.blocks, first.blocks);
        assert_int_equal(v.idle, first.idle);
        assert_int_equal(stat_of(w->kit[i]).blocks, v.blocks);
        assert_int_equal(stat_of(w->kit[i]).conflicts, stat_of(w->kit[0]).conflicts);
    }
}

static void every_implementation_answers_a_random_history_alike(void **state)
{
    const char *seed = getenv("NWR_SEED");
    uint64_t s = seed ? strtoull(seed, NULL, 10) : 20260101;
    struct world w = {0};

    (void)state;
    print_message("# NWR_SEED=%llu\n", (unsigned long long)s);
    nwr_rng_init(&w.rng, s);
    kit_mem((void **)&w.kit[0]);
    kit_rocks((void **)&w.kit[1]);
    kit_rocks_threaded((void **)&w.kit[2]);
    for (int i = 0; i < STEPS; i++) {
        step(&w);
        if (i % 250 == 249) {
            assert_all_whole(&w);
            for (int j = 0; j < KITS; j++)
                kit_restart(w.kit[j]);
            nwr_store_rocks_mode(w.kit[2]->s, NWR_STORE_THREADED);
            assert_all_whole(&w);
            assert_int_equal(kit_verify(w.kit[0]).idle, 0);
        }
    }
    for (int i = 0; i < KITS; i++)
        kit_teardown((void **)&w.kit[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_implementation_answers_a_random_history_alike),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
