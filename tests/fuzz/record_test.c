/* record_test.c -- random and damaged bytes into nwr_record_decode.
 *
 * Whatever is accepted must hold the invariants and must come back from its own bytes unchanged.
 * Inputs sit in memory of their exact size, so that the address sanitizer sees one byte too far.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "nwr/dvv.h"

enum {
    CASES = 100000,
    ACTORS = 4,
    INPUT_MAX = 96
};

static uint64_t below(struct nwr_rng *rng, uint64_t bound)
{
    return nwr_rng_below(rng, bound);
}

/* Accepted: checks it and returns true. */
static bool feed(const uint8_t *data, size_t len)
{
    uint8_t *exact = nwr_memdup(data, len);
    struct nwr_record r, again;
    struct nwr_out o = {0}, o2 = {0};
    enum nwr_err err = nwr_record_decode(&r, exact, len);

    nwr_free(exact);
    if (err) {
        assert_int_equal(err, NWR_E_FORMAT);
        return false;
    }
    nwr_record_check(&r);
    nwr_record_encode(&r, &o);
    assert_int_equal(nwr_record_decode(&again, o.data, o.len), NWR_OK);
    nwr_record_encode(&again, &o2);
    assert_int_equal(o.len, o2.len);
    assert_memory_equal(o.data, o2.data, o.len);
    assert_int_equal(nwr_record_digest(&r), nwr_record_digest(&again));
    assert_false(nwr_record_sync(&r, &again));
    nwr_out_free(&o);
    nwr_out_free(&o2);
    nwr_record_deinit(&r);
    nwr_record_deinit(&again);
    return true;
}

static struct nwr_dot random_dot(struct nwr_rng *rng)
{
    struct nwr_dot d = {0, 0};

    d.actor = (below(rng, ACTORS) + 1) << 32 | 9;
    d.counter = 1 + below(rng, below(rng, 4) ? 20 : 100000);
    return d;
}

static void random_write(struct nwr_rng *rng, struct nwr_record *r)
{
    struct nwr_block_id blocks[2] = {{1, 2, 3}, {4, 5, 6}};
    struct nwr_version v = {.dot = random_dot(rng), .blocks = blocks};
    struct nwr_seen seen[2];
    nwr_wid retire = below(rng, 30);

    v.wid = below(rng, 30);
    v.hlc = nwr_rng_next(rng);
    v.k = nwr_rng_next(rng);
    v.flags = (uint8_t)below(rng, 8);
    v.ref = below(rng, 2) ? nwr_rng_next(rng) : 0;
    v.nblocks = (uint32_t)below(rng, 3);
    v.body = below(rng, 2) ? nwr_blob_copy("some body", below(rng, 10)) : NULL;
    for (uint32_t i = 0; i < 2; i++) {
        seen[i].dot = random_dot(rng);
        seen[i].wid = below(rng, 30);
        v.base[i] = seen[i].dot;
    }
    v.nbase = (uint8_t)below(rng, 3);
    if (!nwr_ctx_has(&r->ctx, v.dot))
        nwr_record_put(r, &v, seen, (uint32_t)below(rng, 3), &retire, (uint32_t)below(rng, 2),
                       NULL);
    nwr_blob_unref(v.body);
}

static void random_bytes_of_a_record(struct nwr_rng *rng, struct nwr_out *o)
{
    struct nwr_record r = {0};
    uint64_t writes = below(rng, 6);

    for (uint64_t i = 0; i < writes; i++)
        random_write(rng, &r);
    nwr_record_check(&r);
    *o = (struct nwr_out){0};
    nwr_record_encode(&r, o);
    nwr_record_deinit(&r);
}

/* One to four damages: a byte changed, a bit turned, bytes taken out, doubled or cut off. */
static void damage(struct nwr_rng *rng, struct nwr_out *o)
{
    uint64_t times = 1 + below(rng, 4);

    while (times-- && o->len > 1) {
        uint32_t at = (uint32_t)below(rng, o->len), some = (uint32_t)below(rng, o->len - at);
        uint8_t value = (uint8_t)below(rng, 256);

        switch (below(rng, 6)) {
        case 0: o->data[at] = value; break;
        case 1: o->data[at] = (uint8_t)(o->data[at] ^ 1 << (value & 7)); break;
        case 2: o->data[at] = (uint8_t)(o->data[at] + (value & 1 ? 1 : 255)); break;
        case 3: o->len = at + some; break;
        case 4:
            memmove(o->data + at, o->data + at + some, o->len - at - some);
            o->len -= some;
            break;
        default:
            nwr_out_raw(o, "0123456789abcdef0123456789abcdef", some % 32);
            memmove(o->data + at + some % 32, o->data + at, o->len - at - some % 32);
            break;
        }
    }
}

static void random_bytes_are_refused_or_make_a_sound_record(void **state)
{
    struct nwr_rng rng;
    static const uint8_t first[] = {1, 1, 2, 0x12, 0x22, 0x32}; /* of each format */
    uint8_t input[INPUT_MAX];
    uint32_t accepted = 0;

    (void)state;
    nwr_rng_init(&rng, 1);
    for (uint32_t i = 0; i < CASES; i++) {
        size_t len = below(&rng, INPUT_MAX);
        uint64_t bound = below(&rng, 2) ? 256 : 4; /* small numbers get further */

        for (size_t j = 0; j < len; j++)
            input[j] = (uint8_t)below(&rng, bound);
        if (len && below(&rng, 8))
            input[0] = first[below(&rng, NWR_COUNT(first))];
        accepted += feed(input, len);
    }
    assert_true(accepted > 0 && accepted < CASES / 2);
}

static void damaged_records_are_refused_or_make_a_sound_record(void **state)
{
    struct nwr_rng rng;
    uint32_t accepted = 0;

    (void)state;
    nwr_rng_init(&rng, 2);
    for (uint32_t i = 0; i < CASES; i++) {
        struct nwr_out o;

        random_bytes_of_a_record(&rng, &o);
        if (i % 16 == 0)
            assert_true(feed(o.data, o.len));
        damage(&rng, &o);
        accepted += feed(o.data, o.len);
        nwr_out_free(&o);
    }
    assert_true(accepted > CASES / 100 && accepted < CASES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_bytes_are_refused_or_make_a_sound_record),
        cmocka_unit_test(damaged_records_are_refused_or_make_a_sound_record),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
