/* map_test.c -- random and damaged bytes into the decoders of maps and nodes, and files on them.
 *
 * Whatever is accepted must come back from its own bytes unchanged. A file whose nodes are
 * damaged answers, asks or says that it is corrupt; it never panics and never reads beyond a
 * block. Inputs sit in memory of their exact size, so that the address sanitizer sees one byte
 * too far.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "fs/core/file_int.h"

enum {
    CASES = 50000,
    FILES = 1500,
    INPUT_MAX = 96
};

static bool feed_map(const struct nwr_blob *b)
{
    struct nwr_in in = nwr_in_of(b->data, b->len);
    struct nwr_out o = {0}, o2 = {0};
    struct nwr_map map, again;
    enum nwr_err err = nwr_map_decode(&map, &in);

    if (err) {
        assert_int_equal(err, NWR_E_FORMAT);
        return false;
    }
    nwr_map_encode(&map, &o);
    in = nwr_in_of(o.data, o.len);
    assert_int_equal(nwr_map_decode(&again, &in), NWR_OK);
    nwr_map_encode(&again, &o2);
    assert_int_equal(o.len, o2.len);
    assert_memory_equal(o.data, o2.data, o.len);
    nwr_out_free(&o);
    nwr_out_free(&o2);
    nwr_map_deinit(&map);
    nwr_map_deinit(&again);
    return true;
}

static bool feed_node(const struct nwr_blob *b)
{
    struct nwr_items items = {0}, again = {0};
    struct nwr_blob *o, *o2;
    uint8_t depth, depth2;

    if (nwr_node_decode(b, &depth, &items))
        return false;
    o = nwr_node_encode(depth, items.e, items.n);
    assert_int_equal(nwr_node_decode(o, &depth2, &again), NWR_OK);
    o2 = nwr_node_encode(depth2, again.e, again.n);
    assert_int_equal(o->len, o2->len);
    assert_memory_equal(o->data, o2->data, o->len);
    nwr_blob_unref(o);
    nwr_blob_unref(o2);
    nwr_items_deinit(&items);
    nwr_items_deinit(&again);
    return true;
}

static void random_bytes_are_refused_or_make_a_sound_map(void **state)
{
    uint32_t maps = 0, nodes = 0;
    struct nwr_rng rng;

    (void)state;
    nwr_rng_init(&rng, 1);
    for (uint32_t i = 0; i < CASES; i++) {
        size_t len = nwr_rng_below(&rng, INPUT_MAX);
        struct nwr_blob *b = nwr_blob_new(len);
        uint64_t bound = nwr_rng_below(&rng, 2) ? 256 : 4; /* small numbers get further */

        for (size_t j = 0; j < len; j++)
            b->data[j] = (uint8_t)nwr_rng_below(&rng, bound);
        if (len > 3 && nwr_rng_below(&rng, 8)) {
            b->data[0] = 1;
            b->data[2] = 1 + b->data[2] % 4;
        }
        nodes += feed_node(b);
        if (len && nwr_rng_below(&rng, 8))
            b->data[0] = 120;
        maps += feed_map(b);
        nwr_blob_unref(b);
    }
    assert_in_range(maps, CASES / 1000, CASES / 2);
    assert_in_range(nodes, 1, CASES / 2);
}

/* ---- files on damaged nodes ---------------------------------------------------------------- */

/* One to four bytes changed, each often by a little, or bytes cut off. */
static struct nwr_blob *damaged(struct nwr_rng *rng, const struct nwr_blob *b)
{
    uint64_t times = 1 + nwr_rng_below(rng, 4);
    struct nwr_blob *bad = nwr_blob_copy(b->data, b->len);

    while (times--) {
        uint64_t at = nwr_rng_below(rng, nwr_rng_below(rng, 2) ? b->len : NWR_MIN(b->len, 40));
        uint8_t value = (uint8_t)nwr_rng_below(rng, 256);

        bad->data[at] =
            nwr_rng_below(rng, 3) ? (uint8_t)(bad->data[at] + (value & 1 ? 1 : 255)) : value;
    }
    if (nwr_rng_below(rng, 10) == 0)
        bad->len = (uint32_t)nwr_rng_below(rng, bad->len);
    return bad;
}

static void write_some(struct nwr_rng *rng, struct nwr_file *f, uint32_t count)
{
    struct nwr_blob *b = nwr_blob_new(5000);

    memset(b->data, 'w', b->len);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t off = nwr_rng_below(rng, 16 << 20);

        nwr_file_write(f, off, b, 0, 1 + (uint32_t)nwr_rng_below(rng, b->len));
    }
    nwr_blob_unref(b);
}

static struct nwr_blob *block_of(const struct nwr_push *push, const struct nwr_block_id *id)
{
    for (uint32_t i = 0; i < push->nblock; i++)
        if (nwr_map_same_id(&push->block[i].id, id))
            return push->block[i].data;
    return NULL;
}

/* Brings what is asked for, damaged now and then; false if there is an end to it. */
static bool serve(struct nwr_rng *rng, struct nwr_file *f, const struct nwr_push *from,
                  struct nwr_needs *needs, uint32_t *rounds)
{
    bool go_on = needs->err == NWR_OK;

    assert_true(needs->err || needs->n > 0);
    assert_true(++*rounds < 200);
    for (uint32_t i = 0; i < needs->n && go_on; i++) {
        struct nwr_blob *b = block_of(from, &needs->id[i]), *brought;

        if (!b) /* a block that damage made up */
            go_on = false;
        else {
            brought = nwr_rng_below(rng, 6) ? nwr_blob_ref(b) : damaged(rng, b);
            nwr_file_have(f, &needs->id[i], brought);
            nwr_blob_unref(brought);
        }
    }
    nwr_needs_deinit(needs);
    return go_on;
}

/* True if the calls came to their end. */
static bool use(struct nwr_rng *rng, struct nwr_file *f, const struct nwr_push *from, nwr_wid wid)
{
    uint64_t off = nwr_rng_below(rng, 17 << 20), at;
    struct nwr_slice_list out = {0};
    struct nwr_needs needs = {0};
    struct nwr_push push = {0};
    bool hole = nwr_rng_below(rng, 2);
    uint32_t rounds = 0, sum = 0;

    while (!nwr_file_read(f, off, 1 << 20, &out, &needs))
        if (!serve(rng, f, from, &needs, &rounds))
            return false;
    for (uint32_t i = 0; i < out.n; i++)
        for (uint32_t k = 0; out.slice[i].blob && k < out.slice[i].len; k++)
            sum += out.slice[i].blob->data[out.slice[i].off + k];
    nwr_slices_deinit(&out);
    while (!nwr_file_seek(f, off, hole, &at, &needs))
        if (!serve(rng, f, from, &needs, &rounds))
            return false;
    write_some(rng, f, 3);
    nwr_file_punch(f, off, nwr_rng_below(rng, 4 << 20));
    while (!nwr_file_push_begin(f, wid, &push, &needs))
        if (!serve(rng, f, from, &needs, &rounds))
            return false;
    nwr_file_push_end(f, nwr_rng_below(rng, 2));
    nwr_push_deinit(&push);
    nwr_file_check(f);
    return sum != 1;
}

static void file_on_damaged_nodes_answers_or_says_so(void **state)
{
    uint32_t through = 0;
    struct nwr_rng rng;

    (void)state;
    nwr_rng_init(&rng, 2);
    for (uint32_t i = 0; i < FILES; i++) {
        struct nwr_block_cache *cache = nwr_block_cache_create(1);
        struct nwr_file *made = nwr_file_create(1, cache), *f = nwr_file_create(1, cache);
        struct nwr_push push = {0};
        struct nwr_needs needs = {0};

        made->fanout = f->fanout = 6;
        write_some(&rng, made, 1 + (uint32_t)nwr_rng_below(&rng, 200));
        assert_true(nwr_file_push_begin(made, 1, &push, &needs));
        nwr_file_rebase(f, &push.map);
        through += use(&rng, f, &push, 2) && use(&rng, f, &push, 3);
        nwr_file_destroy(f);
        nwr_file_destroy(made);
        nwr_push_deinit(&push);
        nwr_block_cache_destroy(cache);
    }
    assert_in_range(through, FILES / 20, FILES - FILES / 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_bytes_are_refused_or_make_a_sound_map),
        cmocka_unit_test(file_on_damaged_nodes_answers_or_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
