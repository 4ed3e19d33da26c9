/* ancestor_test.c -- kept ancestors (net/README.md): random histories of three replicas of one
 * record, as tests/model/ancestor_model.py plays them, here on the code itself; and what a cluster
 * does with the blocks of what is kept. tests/sim/rules.sh switches the rules off.
 *
 * The truth a history is held against: every version knows the set of all it comes from.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "net/core/ancestor.h"
#include "net/core/digest.h"
#include "net/core/floor.h"
#include "tests/sim/sim_kit.h"

enum {
    REPLICAS = 3,
    HISTORIES = 2000,
    STEPS = 60,
    PG = 2
};

#define BIT(i) ((uint64_t)1 << (i))

struct replica {
    struct nwr_record rec;
    struct nwr_vv clock, known[REPLICAS];
    uint64_t counter;
    nwr_hlc hlc;
};

struct history {
    struct nwr_rng rng;
    struct replica r[REPLICAS];
    uint64_t truth[64]; /* of each write, by uid: all it comes from */
    uint32_t nwrite;
    bool stale; /* writers may start from what was replaced long ago */
    struct nwr_seen opened[64];
    uint32_t nopened;
    uint32_t pairs, found;
    const char *wrong;
};

static nwr_actor actor(uint32_t i)
{
    return (nwr_actor)(i + 1) << 32 | 7;
}

/* What every replica is known to have. */
static struct nwr_vv floor_of(struct history *h, uint32_t i)
{
    struct nwr_vv floor;

    nwr_vv_deinit(&h->r[i].known[i]);
    nwr_vv_copy(&h->r[i].known[i], &h->r[i].clock);
    nwr_vv_copy(&floor, &h->r[i].clock);
    for (uint32_t j = 0; j < REPLICAS; j++)
        nwr_vv_least(&floor, &h->r[i].known[j]);
    return floor;
}

static void write(struct history *h, uint32_t i, const struct nwr_seen *seen, uint32_t n)
{
    struct replica *r = &h->r[i];
    struct nwr_vv floor = floor_of(h, i);
    struct nwr_version v = {.dot = {actor(i), ++r->counter}, .flags = NWR_V_ONCE};

    v.uid = h->nwrite++;
    v.wid = v.uid + 1;
    v.hlc = ++r->hlc;
    for (uint32_t k = 0; k < n; k++)
        h->truth[v.uid] |= BIT(seen[k].wid - 1) | h->truth[seen[k].wid - 1];
    nwr_bases_give(&v, &r->rec, seen, n, &floor);
    nwr_record_put(&r->rec, &v, seen, n, NULL, 0, NULL);
    nwr_vv_raise(&r->clock, v.dot);
    nwr_vv_deinit(&floor);
    floor = floor_of(h, i);
    nwr_record_fold(&r->rec, &floor);
    nwr_vv_deinit(&floor);
}

/* i gets what j has; a container travels only where digests differ. */
static void meet(struct history *h, uint32_t i, uint32_t j)
{
    struct replica *a = &h->r[i], *b = &h->r[j];
    struct nwr_vv mine = floor_of(h, i), theirs = floor_of(h, j);

    a->hlc = NWR_MAX(a->hlc, b->hlc);
    if (nwr_record_hash(&a->rec) != nwr_record_hash(&b->rec))
        nwr_record_sync_under(&a->rec, &mine, &b->rec, &theirs);
    nwr_vv_join(&a->clock, &b->clock);
    for (uint32_t k = 0; k < REPLICAS; k++)
        nwr_vv_join(&a->known[k], &b->known[k]);
    nwr_vv_deinit(&mine);
    nwr_vv_deinit(&theirs);
    mine = floor_of(h, i);
    nwr_record_fold(&a->rec, &mine);
    nwr_record_check(&a->rec);
    nwr_vv_deinit(&mine);
}

static void fail_as(struct history *h, const char *what)
{
    if (!h->wrong)
        h->wrong = what;
}

/* The newest that both pasts know: what the rule of exact bases is there for. */
static const struct nwr_version *base_by_pasts(const struct nwr_record *r,
                                               const struct nwr_version *a,
                                               const struct nwr_version *b)
{
    const struct nwr_version *best = NULL;

    for (uint32_t i = 0; i < r->nkept; i++)
        if (nwr_vv_has(&a->past, r->kept[i].dot) && nwr_vv_has(&b->past, r->kept[i].dot) &&
            (!best || r->kept[i].hlc > best->hlc))
            best = &r->kept[i];
    return best;
}

typedef const struct nwr_version *(*base_fn)(const struct nwr_record *r, const struct nwr_version *,
                                             const struct nwr_version *);

static void look(struct history *h, uint32_t i, base_fn base_of)
{
    const struct nwr_record *rec = &h->r[i].rec;

    for (uint32_t x = 0; x < rec->n; x++)
        for (uint32_t y = x + 1; y < rec->n; y++) {
            const struct nwr_version *a = &rec->v[x], *b = &rec->v[y], *base;
            uint64_t both = h->truth[a->uid] & h->truth[b->uid];

            base = base_of(rec, a, b);
            if (base && !(both & BIT(base->uid)))
                fail_as(h, "a base that is no common ancestor");
            h->pairs += both != 0;
            h->found += both && base;
            if (both && !base && !h->stale)
                fail_as(h, "no base");
        }
    if (rec->nkept > 2 * rec->n)
        fail_as(h, "more is kept than two a sibling");
}

static struct nwr_seen seen_of(const struct nwr_version *v)
{
    return (struct nwr_seen){v->dot, v->wid};
}

static void write_some(struct history *h, uint32_t i)
{
    const struct nwr_record *rec = &h->r[i].rec;
    struct nwr_seen seen[64];
    uint32_t n = 0;

    if (nwr_rng_below(&h->rng, 10) < 6)
        seen[n++] = seen_of(&rec->v[nwr_rng_below(&h->rng, rec->n)]);
    else
        for (; n < rec->n; n++)
            seen[n] = seen_of(&rec->v[n]);
    if (h->stale && h->nopened && nwr_rng_below(&h->rng, 10) < 3) {
        seen[0] = h->opened[nwr_rng_below(&h->rng, h->nopened)];
        n = 1;
    }
    h->opened[h->nopened++] = seen[0];
    write(h, i, seen, n);
}

static bool same_list(const struct nwr_version *a, uint32_t na, const struct nwr_version *b,
                      uint32_t nb)
{
    for (uint32_t i = 0; na == nb && i < na; i++)
        if (nwr_dot_cmp(a[i].dot, b[i].dot) != 0)
            return false;
    return na == nb;
}

static void all_meet(struct history *h, base_fn base_of)
{
    for (int round = 0; round < 4; round++)
        for (uint32_t i = 0; i < REPLICAS; i++)
            for (uint32_t j = 0; j < REPLICAS; j++)
                if (i != j) {
                    meet(h, i, j);
                    look(h, i, base_of);
                }
}

static void end(struct history *h)
{
    const struct nwr_record *first = &h->r[0].rec;

    for (uint32_t i = 1; i < REPLICAS; i++) {
        const struct nwr_record *rec = &h->r[i].rec;

        if (!same_list(rec->v, rec->n, first->v, first->n) ||
            !same_list(rec->kept, rec->nkept, first->kept, first->nkept))
            fail_as(h, "replicas that have met differ");
    }
    if (first->n == 1 && first->nkept)
        fail_as(h, "what is kept is never dropped");
}

/* Gives what went wrong, NULL: nothing; adds the siblings with a common ancestor, and those whose
 * base was found. */
static const char *play(uint64_t seed, base_fn base_of, uint32_t *pairs, uint32_t *found)
{
    struct history h = {.stale = seed % 2 == 1};
    uint32_t steps;

    nwr_rng_init(&h.rng, seed);
    steps = 4 + (uint32_t)nwr_rng_below(&h.rng, STEPS - 4);
    write(&h, 0, NULL, 0);
    for (uint32_t i = 0; i < REPLICAS; i++)
        if (i)
            meet(&h, i, 0);
    for (uint32_t step = 0; step < steps; step++) {
        uint32_t i = (uint32_t)nwr_rng_below(&h.rng, REPLICAS);
        uint32_t j = (i + 1 + (uint32_t)nwr_rng_below(&h.rng, REPLICAS - 1)) % REPLICAS;

        if (nwr_rng_below(&h.rng, 100) < 45)
            meet(&h, i, j);
        else if (h.r[i].rec.n)
            write_some(&h, i);
        nwr_record_check(&h.r[i].rec);
        look(&h, i, base_of);
    }
    all_meet(&h, base_of);
    end(&h);
    *pairs += h.pairs;
    *found += h.found;
    for (uint32_t i = 0; i < REPLICAS; i++) {
        nwr_record_deinit(&h.r[i].rec);
        nwr_vv_deinit(&h.r[i].clock);
        for (uint32_t j = 0; j < REPLICAS; j++)
            nwr_vv_deinit(&h.r[i].known[j]);
    }
    return h.wrong;
}

static void siblings_have_the_base_they_come_from(void **state)
{
    uint32_t pairs[2] = {0}, found[2] = {0};

    (void)state;
    for (uint64_t seed = 0; seed < HISTORIES; seed++) {
        const char *wrong = play(seed, nwr_record_base, &pairs[seed % 2], &found[seed % 2]);

        if (wrong)
            fail_msg("history %llu: %s", (unsigned long long)seed, wrong);
    }
    print_message("# of siblings with a common ancestor, a base is found: %u of %u; with writers "
                  "that start from old versions %u of %u\n",
                  found[0], pairs[0], found[1], pairs[1]);
    assert_true(pairs[0] > HISTORIES && found[0] == pairs[0]);
}

static void pasts_would_tell_wrong_bases(void **state)
{
    uint32_t pairs = 0, found = 0, wrong = 0;

    (void)state;
    for (uint64_t seed = 0; seed < HISTORIES; seed++)
        wrong += play(seed, base_by_pasts, &pairs, &found) != NULL;
    assert_true(wrong > 0);
}

/* ---- blocks ---------------------------------------------------------------------------------- */

/* A version whose content is a block, over what is read through node. */
static void write_block(struct sim *s, int node, const char *text, nwr_wid wid)
{
    struct nwr_key key = kit_key(PG, 1);
    struct nwr_record seen = kit_read(s, node, &key);
    struct nwr_request *req = kit_put(&key, text, wid, &seen);
    struct nwr_block_id id = kit_block_id(PG, 1, wid);

    kit_block(req, &id, true, true);
    assert_int_equal(kit_ask_err(s, node, req), NWR_OK);
    nwr_record_deinit(&seen);
}

static bool has_block(struct sim *s, int node, nwr_wid wid)
{
    struct nwr_block_id id = kit_block_id(PG, 1, wid);

    return sim_has_block(s, node, &id);
}

static void assert_kept(struct sim *s, int node, uint32_t n)
{
    struct nwr_key key = kit_key(PG, 1);
    struct nwr_record rec = kit_stored(s, node, &key);

    assert_int_equal(rec.nkept, n);
    nwr_record_deinit(&rec);
}

static void let_floors_rise(struct sim *s)
{
    for (int i = 0; i < 6; i++)
        sim_run(s, 40000000);
}

static void a_base_has_its_blocks_until_its_successor_is_below_the_floor(void **state)
{
    struct sim *s = kit_three(71, 2, 2);

    (void)state;
    write_block(s, 0, "one", 11);
    let_floors_rise(s);
    write_block(s, 1, "two", 12);
    sim_run(s, 1000000);
    for (int node = 0; node < 3; node++) {
        assert_kept(s, node, 1);
        assert_true(has_block(s, node, 11));
    }
    let_floors_rise(s);
    for (int node = 0; node < 3; node++) {
        assert_kept(s, node, 0);
        assert_false(has_block(s, node, 11));
        assert_true(has_block(s, node, 12));
    }
    sim_destroy(s);
}

static void what_is_kept_for_a_replica_that_is_away_does_not_grow(void **state)
{
    struct sim *s = kit_three(72, 2, 2);

    (void)state;
    write_block(s, 0, "one", 11);
    let_floors_rise(s);
    kit_isolate(s, 2, true);
    kit_notice(s);
    for (nwr_wid wid = 12; wid < 50; wid++)
        write_block(s, 0, "more", wid);
    assert_kept(s, 0, 1);
    assert_true(has_block(s, 0, 11) && has_block(s, 0, 49));
    for (nwr_wid wid = 12; wid < 49; wid++)
        assert_false(has_block(s, 0, wid));
    sim_destroy(s);
}

static void a_write_does_not_carry_what_it_replaces(void **state)
{
    static char large[20001];
    struct sim *s = kit_three(76, 2, 2);
    uint64_t before;

    (void)state;
    memset(large, 'x', sizeof(large) - 1);
    write_block(s, 0, large, 11);
    let_floors_rise(s);
    for (int node = 0; node < 3; node++)
        assert_kept(s, node, 0);
    before = s->wire_bytes;
    write_block(s, 1, "small", 12);
    sim_run(s, 1000000);
    assert_in_range(s->wire_bytes - before, 100, sizeof(large) - 1);
    for (int node = 0; node < 3; node++)
        assert_kept(s, node, 1);
    sim_destroy(s);
}

/* Both sides of a cut go on; w=1 r=1. */
static struct sim *in_conflict(uint64_t seed)
{
    struct sim *s = kit_three(seed, 1, 1);

    write_block(s, 0, "one", 11);
    let_floors_rise(s);
    kit_isolate(s, 2, true);
    kit_notice(s);
    write_block(s, 0, "left", 12);
    write_block(s, 0, "left too", 13);
    write_block(s, 2, "right", 14);
    sim_heal(s);
    let_floors_rise(s);
    return s;
}

static void a_conflict_keeps_its_base_with_its_blocks_until_it_is_over(void **state)
{
    struct sim *s = in_conflict(73);
    struct nwr_key key = kit_key(PG, 1);

    (void)state;
    for (int node = 0; node < 3; node++) {
        struct nwr_record rec = kit_stored(s, node, &key);
        const struct nwr_version *base;

        assert_int_equal(rec.n, 2);
        base = nwr_record_base(&rec, &rec.v[0], &rec.v[1]);
        assert_non_null(base);
        assert_int_equal(base->wid, 11);
        assert_true(has_block(s, node, 11));
        assert_false(has_block(s, node, 12));
        nwr_record_deinit(&rec);
    }
    write_block(s, 1, "merged", 15);
    let_floors_rise(s);
    for (int node = 0; node < 3; node++) {
        assert_kept(s, node, 0);
        for (nwr_wid wid = 11; wid < 15; wid++)
            assert_false(has_block(s, node, wid));
        assert_true(has_block(s, node, 15));
    }
    sim_destroy(s);
}

static void a_replica_that_lost_its_base_in_a_conflict_gets_it_with_its_blocks(void **state)
{
    struct sim *s = in_conflict(74);
    struct nwr_key key = kit_key(PG, 1);
    struct nwr_store *old = s->node[1].store;

    (void)state;
    sim_crash(s, 1, false);
    s->node[1].store = nwr_store_mem_create(9);
    old->destroy(old);
    sim_restart(s, 1);
    let_floors_rise(s);
    assert_string_equal(kit_stored_text(s, 1, &key), kit_stored_text(s, 0, &key));
    assert_kept(s, 1, 1);
    assert_true(has_block(s, 1, 11));
    sim_destroy(s);
}

static void on_applied(struct nwr_store_op *op)
{
    *(bool *)op->user = true;
}

static enum nwr_err merge(struct sim *s, int node, const struct nwr_key *key,
                          const struct nwr_record *rec)
{
    struct nwr_apply apply = {.key = *key, .rec = rec};
    struct nwr_store_op op = {
        .kind = NWR_STORE_APPLY, .pg = PG, .apply = &apply, .napply = 1, .done = on_applied};
    bool done = false;
    enum nwr_err err;

    op.user = &done;
    s->node[node].store->submit(s->node[node].store, &op);
    s->node[node].store->poll(s->node[node].store);
    assert_true(done);
    err = op.err;
    nwr_store_op_deinit(&op);
    return err;
}

static void what_is_kept_and_came_without_its_blocks_delays_no_write(void **state)
{
    struct sim *s = kit_three(75, 2, 2);
    struct nwr_key key = kit_key(PG, 3);
    struct nwr_block_id nowhere = kit_block_id(PG, 3, 77);
    struct nwr_version v = {.dot = {actor(7), 1}, .wid = 5, .blocks = &nowhere, .nblocks = 1};
    struct nwr_seen seen = {v.dot, v.wid};
    struct nwr_record rec = {0}, got;
    struct nwr_vv none = {0};

    (void)state;
    nwr_record_put(&rec, &v, NULL, 0, NULL, 0, NULL);
    v = (struct nwr_version){.dot = {actor(7), 2}, .wid = 6};
    nwr_bases_give(&v, &rec, &seen, 1, &none);
    nwr_record_put(&rec, &v, &seen, 1, NULL, 0, NULL);
    assert_int_equal(rec.nkept, 1);
    assert_int_equal(merge(s, 0, &key, &rec), NWR_OK);
    got = kit_stored(s, 0, &key);
    assert_int_equal(got.n, 1);
    assert_int_equal(got.nkept, 0);
    assert_true(nwr_record_hash(&got) == nwr_record_hash(&rec));
    nwr_record_deinit(&got);
    nwr_record_deinit(&rec);
    sim_destroy(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(siblings_have_the_base_they_come_from),
        cmocka_unit_test(pasts_would_tell_wrong_bases),
        cmocka_unit_test(a_base_has_its_blocks_until_its_successor_is_below_the_floor),
        cmocka_unit_test(what_is_kept_for_a_replica_that_is_away_does_not_grow),
        cmocka_unit_test(a_write_does_not_carry_what_it_replaces),
        cmocka_unit_test(a_conflict_keeps_its_base_with_its_blocks_until_it_is_over),
        cmocka_unit_test(a_replica_that_lost_its_base_in_a_conflict_gets_it_with_its_blocks),
        cmocka_unit_test(what_is_kept_and_came_without_its_blocks_delays_no_write),
    };

    return cmocka_run_group_tests_name("ancestor", tests, NULL, NULL);
}
