/* file_test.c -- random histories of a file agree with a flat array of bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/fs/file_run.h"

#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)

/* ---- steps --------------------------------------------------------------------------------- */

static void step_write(struct run *t)
{
    static const uint32_t most[] = {1, 100, 5000, 5000, 70000, 3 << 20};
    uint32_t r = (uint32_t)run_draw(t, t->now.nregion), at = (uint32_t)run_draw(t, t->now.span);
    uint32_t max = most[run_draw(t, NWR_COUNT(most))];

    run_write_at(t, r, at, (uint32_t)run_draw(t, NWR_MIN(max, t->now.span - at) + 1));
}

/* Many small writes far apart: fragments. */
static void step_scatter(struct run *t)
{
    for (unsigned i = 0; i < 40; i++) {
        uint32_t r = (uint32_t)run_draw(t, t->now.nregion), at = (uint32_t)run_draw(t, t->now.span);

        run_write_at(t, r, at, NWR_MIN(t->now.span - at, 10));
    }
}

static void step_sequential(struct run *t)
{
    uint32_t r = (uint32_t)run_draw(t, t->now.nregion), len = 1 + (uint32_t)run_draw(t, 9000);

    if (run_draw(t, 8) == 0)
        t->tail = run_draw(t, t->now.span);
    for (unsigned i = 0; i < 10; i++) {
        uint32_t n = (uint32_t)NWR_MIN(len, t->now.span - t->tail);

        run_write_at(t, r, (uint32_t)t->tail, n);
        t->tail = t->tail + n == t->now.span ? 0 : t->tail + n;
    }
}

static uint64_t any_offset(struct run *t)
{
    uint32_t r = (uint32_t)run_draw(t, t->now.nregion);
    uint64_t off = t->now.base[r] + run_draw(t, t->now.span + 1);

    return run_draw(t, 4) == 0 ? off / 4096 * 4096 : off;
}

static void step_truncate(struct run *t)
{
    uint64_t size = any_offset(t);

    nwr_file_truncate(t->f, size);
    model_truncate(&t->now, size);
}

static void step_punch(struct run *t)
{
    uint64_t off = any_offset(t);
    uint64_t len = run_draw(t, 10) == 0 ? any_offset(t) : run_draw(t, 20000);

    nwr_file_punch(t->f, off, len);
    model_hole(&t->now, off, NWR_MIN(off + len, t->now.size));
}

static void step_read(struct run *t)
{
    uint32_t r = (uint32_t)run_draw(t, t->now.nregion), at = (uint32_t)run_draw(t, t->now.span);
    uint64_t off = any_offset(t);
    bool hole = run_draw(t, 2);

    run_compare(t, t->f, &t->now, r, at,
                (uint32_t)run_draw(t, NWR_MIN(t->now.span - at, 1 << 20) + 1));
    check(t, run_seek_all(t, t->f, off, hole) == model_seek(&t->now, off, hole));
}

/* A version is read whole by a mount that has nothing of it. */
static void step_reload(struct run *t)
{
    struct nwr_block_cache *cold = nwr_block_cache_create(run_draw(t, 2) ? 1 : 64 << 20);
    struct version *v;
    struct nwr_file *f;

    if (t->nheld > 0) {
        v = &t->held[run_draw(t, t->nheld)];
        f = run_file_at(t, v->map, cold);
        run_compare_all(t, f, &v->at);
        check(t, nwr_file_blocks(f) == (model_allocated(&v->at) + 511) / 512);
        nwr_file_destroy(f);
    }
    nwr_block_cache_destroy(cold);
}

/* The file is forgotten and opened again from its newest version. */
static void step_reopen(struct run *t)
{
    struct nwr_file *old = t->f;

    if (nwr_file_dirty(t->f) || t->nheld == 0)
        return;
    t->f = run_file_at(t, t->held[t->nheld - 1].map, t->cache);
    nwr_file_destroy(old);
    check(t, nwr_file_size(t->f) == t->now.size);
}

static void step(struct run *t)
{
    uint64_t dice = run_draw(t, 100);

    if (dice < 30)
        step_write(t);
    else if (dice < 34)
        step_scatter(t);
    else if (dice < 44)
        step_sequential(t);
    else if (dice < 50)
        step_truncate(t);
    else if (dice < 57)
        step_punch(t);
    else if (dice < 80)
        step_read(t);
    else if (dice < 95 && !t->pushing)
        run_push_begin(t);
    else if (dice < 97)
        step_reopen(t);
    else if (dice < 99)
        step_reload(t);
    if (t->pushing && run_draw(t, 4) == 0)
        run_push_end(t, run_draw(t, 3) > 0);
    nwr_file_check(t->f);
    check(t, nwr_file_size(t->f) == t->now.size);
}

/* ---- whole runs ---------------------------------------------------------------------------- */

static void run_init(struct run *t, uint64_t seed)
{
    static const uint32_t spans[] = {100, 5000, 60000, 70000, 300000, 3 << 20};
    static const uint32_t fanouts[] = {8, 16, NWR_MAP_FANOUT};
    static const size_t caches[] = {1, 100000, 64 << 20};
    uint64_t base = 0;

    *t = (struct run){.seed = seed};
    nwr_rng_init(&t->rng, seed);
    model_init(&t->now, 1 + (uint32_t)run_draw(t, REGIONS), spans[run_draw(t, NWR_COUNT(spans))]);
    for (uint32_t r = 0; r < t->now.nregion; r++) {
        uint64_t gap = run_draw(t, 2) ? run_draw(t, 300 * GIB) : run_draw(t, 5 * MIB);

        t->now.base[r] = base;
        base += t->now.span + gap;
    }
    t->cache = nwr_block_cache_create(caches[run_draw(t, NWR_COUNT(caches))]);
    t->f = nwr_file_create(INO, t->cache);
    t->f->fanout = fanouts[run_draw(t, NWR_COUNT(fanouts))];
}

static void count_reachable(struct run *t, struct store *seen, const struct nwr_block_id *id,
                            uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        struct stored *b = store_find(&t->store, &id[i]), *mark;

        check(t, b != NULL);
        if (store_find(seen, &id[i]))
            continue;
        mark = nwr_zalloc(sizeof(*mark));
        mark->lru.id = id[i];
        nwr_lru_add(&seen->table, &mark->lru);
        count_reachable(t, seen, b->refs, b->nrefs);
    }
}

/* With one version left, the store holds its blocks and no others. */
static void check_no_garbage(struct run *t)
{
    struct store seen = {0};
    uint32_t n;

    while (t->nheld > 1)
        run_drop_version(t, 0);
    count_reachable(t, &seen, t->held[0].root, t->held[0].nroot);
    n = seen.table.n;
    while (seen.table.oldest) {
        struct nwr_lru_entry *e = seen.table.oldest;

        nwr_lru_remove(&seen.table, e);
        nwr_free(nwr_container_of(e, struct stored, lru));
    }
    nwr_lru_deinit(&seen.table);
    check(t, n == t->store.table.n);
}

static void run_random(uint64_t seed, uint32_t steps)
{
    struct run t;

    run_init(&t, seed);
    for (t.step = 0; t.step < steps; t.step++)
        step(&t);
    if (t.pushing)
        run_push_end(&t, false);
    run_compare_all(&t, t.f, &t.now);
    run_push_begin(&t);
    run_push_end(&t, true);
    check(&t, !nwr_file_dirty(t.f));
    check_no_garbage(&t);
    step_reload(&t);
    run_deinit(&t);
}

static void random_histories_agree_with_a_flat_array(void **state)
{
    const char *seed = getenv("SEED");
    uint64_t first = seed ? strtoull(seed, NULL, 0) : 1, last = seed ? first : 260;

    (void)state;
    for (uint64_t s = first; s <= last; s++)
        run_random(s, 150);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_histories_agree_with_a_flat_array),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
