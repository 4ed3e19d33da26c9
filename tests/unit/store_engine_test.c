/* store_engine_test.c -- the parts of a store that need neither a disk nor another thread. */
#include "net/store/engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* ---- the map -------------------------------------------------------------------------------- */

static struct nwr_skey key_of(uint32_t n)
{
    uint8_t b[4] = {(uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n};

    return nwr_skey_of(NWR_SPACE_RECORDS, b, 1 + n % 4);
}

static void assert_sorted(const struct nwr_sorted *m)
{
    uint64_t n = 0;

    for (struct nwr_sorted_node *at = m->head[0]; at; at = at->next[0]) {
        n++;
        if (at->next[0]) {
            struct nwr_skey a = nwr_skey_of((enum nwr_space)at->space, at->key, at->key_len);
            struct nwr_sorted_node *b = at->next[0];
            struct nwr_skey next = nwr_skey_of((enum nwr_space)b->space, b->key, b->key_len);

            assert_true(nwr_skey_cmp(&a, &next) < 0);
        }
    }
    assert_int_equal(n, m->n);
}

static void the_map_holds_what_was_put_and_not_deleted_in_order(void **state)
{
    enum {
        N = 3000
    };
    struct nwr_sorted m = {0};
    uint64_t left = 0;

    (void)state;
    for (uint32_t i = 0; i < N; i++) {
        struct nwr_skey k = key_of(i * 4 * 2654435761u + 3);

        nwr_sorted_put(&m, &k, nwr_blob_copy(&i, sizeof(i)));
    }
    assert_int_equal(m.n, N);
    assert_sorted(&m);
    for (uint32_t i = 0; i < N; i += 3) {
        struct nwr_skey k = key_of(i * 4 * 2654435761u + 3);

        nwr_sorted_del(&m, &k);
        nwr_sorted_del(&m, &k);
    }
    assert_sorted(&m);
    for (uint32_t i = 0; i < N; i++) {
        struct nwr_skey k = key_of(i * 4 * 2654435761u + 3);
        struct nwr_sorted_node *n = nwr_sorted_find(&m, &k);

        assert_int_equal(n != NULL, i % 3 != 0);
        if (n)
            assert_memory_equal(n->value->data, &i, sizeof(i));
        left += n != NULL;
    }
    assert_int_equal(m.n, left);
    nwr_sorted_deinit(&m);
}

static void lower_finds_the_first_key_not_below(void **state)
{
    struct nwr_sorted m = {0};
    struct nwr_skey a = nwr_skey_of(NWR_SPACE_RECORDS, "b", 1);
    struct nwr_skey b = nwr_skey_of(NWR_SPACE_BLOCKS, "a", 1);
    struct nwr_skey ask = nwr_skey_of(NWR_SPACE_RECORDS, "bb", 2);

    (void)state;
    nwr_sorted_put(&m, &a, NULL);
    nwr_sorted_put(&m, &b, NULL);
    assert_int_equal(nwr_sorted_lower(&m, &a)->space, NWR_SPACE_RECORDS);
    assert_int_equal(nwr_sorted_lower(&m, &ask)->space, NWR_SPACE_BLOCKS);
    ask = nwr_skey_of(NWR_SPACE_BLOCKS, "b", 1);
    assert_null(nwr_sorted_lower(&m, &ask));
    nwr_sorted_deinit(&m);
}

/* ---- seals ---------------------------------------------------------------------------------- */

static void a_seal_breaks_when_any_bit_of_value_or_key_changes(void **state)
{
    struct nwr_skey key = nwr_skey_of(NWR_SPACE_RECORDS, "key", 3);
    struct nwr_skey other = nwr_skey_of(NWR_SPACE_RECORDS, "kez", 3);
    struct nwr_skey elsewhere = nwr_skey_of(NWR_SPACE_META, "key", 3);
    struct nwr_blob *sealed = nwr_seal(&key, "value", 5);
    size_t len;

    (void)state;
    assert_memory_equal(nwr_unseal(&key, sealed->data, sealed->len, &len), "value", 5);
    assert_int_equal(len, 5);
    assert_null(nwr_unseal(&other, sealed->data, sealed->len, &len));
    assert_null(nwr_unseal(&elsewhere, sealed->data, sealed->len, &len));
    for (uint32_t i = 0; i < sealed->len * 8; i++) {
        sealed->data[i / 8] ^= (uint8_t)(1 << i % 8);
        assert_null(nwr_unseal(&key, sealed->data, sealed->len, &len));
        sealed->data[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    for (uint32_t cut = 0; cut < sealed->len; cut++)
        assert_null(nwr_unseal(&key, sealed->data, cut, &len));
    nwr_blob_unref(sealed);
}

/* ---- an engine on a map, with a clock ------------------------------------------------------- */

struct fake {
    struct nwr_kv kv;
    struct nwr_engine engine;
    struct nwr_sorted map;
    nwr_ms now;
    bool fails;
};

static struct fake *of(struct nwr_kv *kv)
{
    return nwr_container_of(kv, struct fake, kv);
}

static enum nwr_err fake_get(struct nwr_kv *kv, const struct nwr_skey *key, struct nwr_blob **out)
{
    struct nwr_sorted_node *n = nwr_sorted_find(&of(kv)->map, key);

    if (!n)
        return NWR_E_NOENT;
    *out = nwr_blob_ref(n->value);
    return NWR_OK;
}

static enum nwr_err fake_scan(struct nwr_kv *kv, const struct nwr_skey *from,
                              bool (*on)(void *arg, const struct nwr_skey *key, const void *value,
                                         size_t len),
                              void *arg)
{
    struct nwr_sorted_node *n = nwr_sorted_lower(&of(kv)->map, from);

    for (; n && n->space == from->space; n = n->next[0]) {
        struct nwr_skey key = nwr_skey_of((enum nwr_space)n->space, n->key, n->key_len);

        if (!on(arg, &key, n->value->data, n->value->len))
            break;
    }
    return NWR_OK;
}

static enum nwr_err fake_write(struct nwr_kv *kv, struct nwr_sorted *changes)
{
    if (of(kv)->fails)
        return NWR_E_IO;
    for (struct nwr_sorted_node *n = changes->head[0]; n; n = n->next[0]) {
        struct nwr_skey key = nwr_skey_of((enum nwr_space)n->space, n->key, n->key_len);

        if (n->value)
            nwr_sorted_put(&of(kv)->map, &key, nwr_blob_ref(n->value));
        else
            nwr_sorted_del(&of(kv)->map, &key);
    }
    return NWR_OK;
}

static bool fake_full(struct nwr_kv *kv)
{
    (void)kv;
    return false;
}

static nwr_ms fake_now(struct nwr_kv *kv)
{
    return of(kv)->now;
}

static int make(void **state)
{
    struct fake *f = nwr_zalloc(sizeof(*f));

    f->kv = (struct nwr_kv){.get = fake_get,
                            .scan = fake_scan,
                            .write = fake_write,
                            .full = fake_full,
                            .now = fake_now};
    nwr_engine_init(&f->engine, &f->kv);
    f->now = 1000;
    *state = f;
    return 0;
}

static int unmake(void **state)
{
    struct fake *f = *state;

    nwr_engine_deinit(&f->engine);
    nwr_sorted_deinit(&f->map);
    nwr_free(f);
    return 0;
}

static struct nwr_block_id id_of(uint64_t n)
{
    return (struct nwr_block_id){1, n, 0};
}

static enum nwr_err put_block(struct fake *f, uint64_t n, uint64_t ref)
{
    struct nwr_block_id refs = id_of(ref);
    struct nwr_block b = {id_of(n), nwr_blob_copy("bytes", 5), &refs, ref != 0};
    struct nwr_store_op op = {.kind = NWR_STORE_BLOCK_PUT, .block = &b, .nblock = 1};

    nwr_engine_run(&f->engine, &op);
    nwr_store_op_deinit(&op);
    nwr_blob_unref(b.data);
    return op.err;
}

static enum nwr_err put_record(struct fake *f, uint64_t counter, uint64_t block,
                               const struct nwr_seen *seen)
{
    struct nwr_block_id id = id_of(block);
    struct nwr_write w = {.key = nwr_key_reg(1, NWR_REG_CONTENT),
                          .seen = (struct nwr_seen *)seen,
                          .nseen = seen != NULL};
    struct nwr_apply a = {.put = &w};
    struct nwr_store_op op = {.kind = NWR_STORE_APPLY, .apply = &a, .napply = 1};

    w.v.dot = (struct nwr_dot){1, counter};
    w.v.wid = counter;
    w.v.blocks = &id;
    w.v.nblocks = block != 0;
    nwr_engine_run(&f->engine, &op);
    nwr_store_op_deinit(&op);
    return op.err;
}

static struct nwr_verify verify(struct fake *f)
{
    struct nwr_verify v;

    assert_int_equal(nwr_engine_verify(&f->engine, &v), NWR_OK);
    return v;
}

static void an_idle_block_is_swept_when_its_pin_is_over_and_not_before(void **state)
{
    struct fake *f = *state;

    assert_int_equal(put_block(f, 1, 0), NWR_OK);
    f->now += NWR_BLOCK_PIN_MS - 1;
    assert_int_equal(nwr_engine_sweep(&f->engine, false), NWR_OK);
    assert_int_equal(verify(f).blocks, 1);
    f->now += 1;
    assert_int_equal(nwr_engine_sweep(&f->engine, false), NWR_OK);
    assert_int_equal(verify(f).blocks, 0);
    assert_int_equal(f->engine.pins.n, 0);
    assert_int_equal(f->engine.stat.blocks, 0);
}

static void a_block_that_got_a_reference_is_not_swept(void **state)
{
    struct fake *f = *state;

    assert_int_equal(put_block(f, 1, 0), NWR_OK);
    assert_int_equal(put_block(f, 2, 1), NWR_OK);
    assert_int_equal(put_record(f, 1, 2, NULL), NWR_OK);
    f->now += NWR_BLOCK_PIN_MS;
    assert_int_equal(nwr_engine_sweep(&f->engine, false), NWR_OK);
    assert_int_equal(verify(f).blocks, 2);
    assert_int_equal(verify(f).idle, 0);
}

static void a_block_put_again_is_pinned_anew(void **state)
{
    struct fake *f = *state;

    assert_int_equal(put_block(f, 1, 0), NWR_OK);
    f->now += NWR_BLOCK_PIN_MS - 1;
    assert_int_equal(put_block(f, 1, 0), NWR_OK);
    f->now += NWR_BLOCK_PIN_MS - 1;
    assert_int_equal(nwr_engine_sweep(&f->engine, false), NWR_OK);
    assert_int_equal(verify(f).blocks, 1);
}

static void sweeping_a_block_takes_those_below_it(void **state)
{
    struct fake *f = *state;

    assert_int_equal(put_block(f, 1, 0), NWR_OK);
    assert_int_equal(put_block(f, 2, 1), NWR_OK);
    assert_int_equal(put_block(f, 3, 2), NWR_OK);
    f->now += NWR_BLOCK_PIN_MS;
    assert_int_equal(nwr_engine_sweep(&f->engine, false), NWR_OK);
    assert_int_equal(verify(f).blocks, 0);
}

static void a_write_that_fails_changes_nothing_and_keeps_the_pin(void **state)
{
    struct fake *f = *state;

    assert_int_equal(put_block(f, 1, 0), NWR_OK);
    f->fails = true;
    assert_int_equal(put_record(f, 1, 1, NULL), NWR_E_IO);
    f->fails = false;
    assert_int_equal(verify(f).records, 0);
    assert_int_equal(f->engine.stat.records, 0);
    f->now += NWR_BLOCK_PIN_MS;
    assert_int_equal(nwr_engine_sweep(&f->engine, false), NWR_OK);
    assert_int_equal(verify(f).blocks, 0);
}

static void flip(struct fake *f, enum nwr_space space)
{
    struct nwr_skey from = nwr_skey_of(space, "", 0);
    struct nwr_sorted_node *n = nwr_sorted_lower(&f->map, &from);

    assert_int_equal(n->space, space);
    n->value->data[n->value->len - 1] ^= 1;
}

static void a_record_whose_bytes_changed_is_unknown_and_never_written_over(void **state)
{
    struct fake *f = *state;
    struct nwr_range range = {.prefix = nwr_key_reg(1, NWR_REG_CONTENT), .exact = true};
    struct nwr_store_op op = {.kind = NWR_STORE_READ, .range = &range, .nrange = 1};

    assert_int_equal(put_record(f, 1, 0, NULL), NWR_OK);
    flip(f, NWR_SPACE_RECORDS);
    nwr_engine_run(&f->engine, &op);
    assert_int_equal(op.err, NWR_E_CORRUPT);
    range.exact = false;
    nwr_engine_run(&f->engine, &op);
    assert_int_equal(op.err, NWR_E_CORRUPT);
    assert_int_equal(put_record(f, 2, 0, NULL), NWR_E_CORRUPT);
    assert_int_equal(verify(f).corrupt, 1);
}

/* Records of PG 0 as its digest counts them. */
static uint64_t digest_records(struct fake *f)
{
    struct nwr_store_op op = {.kind = NWR_STORE_DIGESTS};
    uint64_t records;

    nwr_engine_run(&f->engine, &op);
    assert_int_equal(op.err, NWR_OK);
    records = op.digest[0].records;
    nwr_store_op_deinit(&op);
    return records;
}

/* Once healed, the blocks of the lost record are garbage, gone at the next start. */
static void a_merge_that_heals_takes_the_place_of_a_record_that_rotted(void **state)
{
    struct fake *f = *state;
    struct nwr_version v = {.dot = {2, 1}, .wid = 5};
    struct nwr_record rec = {0};
    struct nwr_apply a = {.key = nwr_key_reg(1, NWR_REG_CONTENT), .rec = &rec};
    struct nwr_store_op op = {.kind = NWR_STORE_APPLY, .apply = &a, .napply = 1};

    assert_int_equal(put_block(f, 1, 0), NWR_OK);
    assert_int_equal(put_record(f, 1, 1, NULL), NWR_OK);
    flip(f, NWR_SPACE_RECORDS);
    nwr_record_put(&rec, &v, NULL, 0, NULL, 0, NULL);
    nwr_engine_run(&f->engine, &op);
    assert_int_equal(op.err, NWR_E_CORRUPT);
    op.heal = true;
    nwr_engine_run(&f->engine, &op);
    assert_int_equal(op.err, NWR_OK);
    assert_int_equal(op.rows.row[0].rec.n, 1);
    nwr_store_op_deinit(&op);
    nwr_record_deinit(&rec);
    assert_int_equal(verify(f).corrupt, 0);
    assert_int_equal(verify(f).miscounted, 1);
    assert_int_equal(digest_records(f), 1);
    assert_int_equal(f->engine.stat.records, 1);
    assert_int_equal(verify(f).digests, 0);
    assert_int_equal(nwr_engine_start(&f->engine), NWR_OK);
    assert_int_equal(verify(f).miscounted, 0);
    assert_int_equal(verify(f).blocks, 0);
    assert_int_equal(nwr_engine_start(&f->engine), NWR_OK);
}

static void a_digest_whose_bytes_changed_is_added_up_anew(void **state)
{
    struct fake *f = *state;

    assert_int_equal(put_record(f, 1, 0, NULL), NWR_OK);
    flip(f, NWR_SPACE_META);
    nwr_engine_forget(&f->engine);
    assert_int_equal(digest_records(f), 1);
    assert_int_equal(verify(f).digests, 0);
}

static void a_block_whose_bytes_changed_is_not_served(void **state)
{
    struct fake *f = *state;
    struct nwr_block b = {.id = id_of(1)};
    struct nwr_store_op op = {.kind = NWR_STORE_BLOCK_GET, .block = &b, .nblock = 1};

    assert_int_equal(put_block(f, 1, 0), NWR_OK);
    flip(f, NWR_SPACE_DATA);
    nwr_engine_run(&f->engine, &op);
    assert_int_equal(op.err, NWR_E_CORRUPT);
    assert_int_equal(verify(f).corrupt, 1);
    assert_int_equal(put_block(f, 1, 0), NWR_OK);
    assert_int_equal(verify(f).corrupt, 0);
}

static void a_removal_goes_on_past_a_block_whose_entry_is_unreadable(void **state)
{
    struct fake *f = *state;
    struct nwr_seen seen = {{1, 1}, 1};

    assert_int_equal(put_block(f, 1, 0), NWR_OK);
    assert_int_equal(put_record(f, 1, 1, NULL), NWR_OK);
    flip(f, NWR_SPACE_BLOCKS);
    assert_int_equal(put_record(f, 2, 0, &seen), NWR_OK);
    assert_int_equal(verify(f).corrupt, 1);
}

static void a_recount_leaves_alone_what_an_unreadable_record_may_name(void **state)
{
    struct fake *f = *state;

    assert_int_equal(put_block(f, 1, 0), NWR_OK);
    assert_int_equal(put_record(f, 1, 1, NULL), NWR_OK);
    flip(f, NWR_SPACE_RECORDS);
    assert_int_equal(nwr_engine_recount(&f->engine), NWR_E_CORRUPT);
    assert_int_equal(nwr_engine_start(&f->engine), NWR_OK);
    assert_int_equal(verify(f).blocks, 1);
}

/* The checker itself must be able to fail. */
static void verify_finds_what_is_wrong_and_recount_repairs_counts(void **state)
{
    struct fake *f = *state;
    struct nwr_skey key;
    struct nwr_block_id one = id_of(1);
    struct nwr_entry en;
    struct nwr_txn t;

    assert_int_equal(put_block(f, 1, 0), NWR_OK);
    assert_int_equal(put_record(f, 1, 1, NULL), NWR_OK);
    assert_int_equal(verify(f).miscounted, 0);
    nwr_txn_init(&t, &f->engine);
    assert_int_equal(nwr_entry_get(&t, &one, &en), NWR_OK);
    en.count = 5;
    nwr_entry_put(&t, &one, &en);
    nwr_entry_deinit(&en);
    assert_int_equal(nwr_txn_commit(&t), NWR_OK);
    assert_int_equal(verify(f).miscounted, 1);
    assert_int_equal(nwr_engine_recount(&f->engine), NWR_OK);
    assert_int_equal(verify(f).miscounted, 0);
    key = nwr_block_key(NWR_SPACE_BLOCKS, &one);
    nwr_sorted_del(&f->map, &key);
    assert_int_equal(verify(f).missing, 1);
    assert_int_equal(verify(f).stray, 1);
}

#define ON(f) cmocka_unit_test_setup_teardown(f, make, unmake)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_map_holds_what_was_put_and_not_deleted_in_order),
        cmocka_unit_test(lower_finds_the_first_key_not_below),
        cmocka_unit_test(a_seal_breaks_when_any_bit_of_value_or_key_changes),
        ON(an_idle_block_is_swept_when_its_pin_is_over_and_not_before),
        ON(a_block_that_got_a_reference_is_not_swept),
        ON(a_block_put_again_is_pinned_anew),
        ON(sweeping_a_block_takes_those_below_it),
        ON(a_write_that_fails_changes_nothing_and_keeps_the_pin),
        ON(a_record_whose_bytes_changed_is_unknown_and_never_written_over),
        ON(a_merge_that_heals_takes_the_place_of_a_record_that_rotted),
        ON(a_digest_whose_bytes_changed_is_added_up_anew),
        ON(a_block_whose_bytes_changed_is_not_served),
        ON(a_removal_goes_on_past_a_block_whose_entry_is_unreadable),
        ON(a_recount_leaves_alone_what_an_unreadable_record_may_name),
        ON(verify_finds_what_is_wrong_and_recount_repairs_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
