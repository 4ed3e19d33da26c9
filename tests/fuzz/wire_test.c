/* wire_test.c -- the frame decoder on damaged frames: never a crash, never a wrong message.
 *
 * NWR_FUZZ_ROUNDS sets how many frames are tried, NWR_FUZZ_SEED where chance begins.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>

#include "net/wire/frame.h"
#include "tests/lib/fill.h"

static uint64_t number(const char *name, uint64_t otherwise)
{
    const char *s = getenv(name);

    return s ? strtoull(s, NULL, 10) : otherwise;
}

static struct nwr_blob *spliced(const struct nwr_blob *a, const struct nwr_blob *b, uint32_t at,
                                uint32_t from)
{
    struct nwr_blob *out = nwr_blob_new(at + (b->len - from));

    memcpy(out->data, a->data, at);
    memcpy(out->data + at, b->data + from, b->len - from);
    return out;
}

/* Some bytes changed; cut; or the head of one frame on the tail of another. */
static struct nwr_blob *damaged(struct nwr_rng *rng, const struct nwr_blob *a,
                                const struct nwr_blob *b)
{
    uint32_t at = (uint32_t)nwr_rng_below(rng, a->len);
    uint32_t from = (uint32_t)nwr_rng_below(rng, b->len);
    uint64_t how = nwr_rng_below(rng, 4);
    struct nwr_blob *out;
    uint64_t n;

    if (how == 0)
        return nwr_blob_copy(a->data, at + 1);
    if (how == 1)
        return spliced(a, b, at, from);
    out = nwr_blob_copy(a->data, a->len);
    n = 1 + nwr_rng_below(rng, 4);
    for (uint64_t i = 0; i < n; i++) {
        at = (uint32_t)nwr_rng_below(rng, out->len);
        if (how == 2) /* near the start stand the counts */
            at = (uint32_t)nwr_rng_below(rng, NWR_MIN(out->len, 40));
        out->data[at] = (uint8_t)nwr_rng_below(rng, 256);
    }
    return out;
}

/* Whatever is accepted is a message that survives the wire. */
static bool try_frame(struct nwr_blob *payload)
{
    char why[NWR_FRAME_WHY_MAX];
    struct nwr_blob *one, *two;
    struct nwr_msg m, again;

    if (nwr_frame_decode(&m, payload, why) != NWR_OK) {
        assert_true(strncmp(why, "frame ", 6) == 0);
        return false;
    }
    one = nwr_fill_payload(&m);
    assert_non_null(one);
    assert_int_equal(nwr_frame_decode(&again, one, why), NWR_OK);
    two = nwr_fill_payload(&again);
    assert_int_equal(one->len, two->len);
    assert_memory_equal(one->data, two->data, one->len);
    nwr_blob_unref(one);
    nwr_blob_unref(two);
    nwr_msg_deinit(&m);
    nwr_msg_deinit(&again);
    return true;
}

static void damaged_frames_are_refused_or_whole(void **state)
{
    uint64_t rounds = number("NWR_FUZZ_ROUNDS", 30000), refused = 0;
    struct nwr_rng rng;

    (void)state;
    nwr_rng_init(&rng, number("NWR_FUZZ_SEED", 1));
    for (uint64_t i = 0; i < rounds; i++) {
        struct nwr_msg a, b;
        struct nwr_blob *pa, *pb, *bad;
        uint64_t kind = 1 + nwr_rng_below(&rng, NWR_FILL_KINDS);

        nwr_fill_msg(&a, kind, &rng, 300);
        kind = 1 + nwr_rng_below(&rng, NWR_FILL_KINDS);
        nwr_fill_msg(&b, kind, &rng, 300);
        pa = nwr_fill_payload(&a);
        pb = nwr_fill_payload(&b);
        bad = damaged(&rng, pa, pb);
        refused += !try_frame(bad);
        nwr_blob_unref(pa);
        nwr_blob_unref(pb);
        nwr_blob_unref(bad);
        nwr_msg_deinit(&a);
        nwr_msg_deinit(&b);
    }
    /* Both outcomes must happen, or the damage is too rough or none. */
    assert_true(refused > rounds / 10 && refused < rounds);
}

static void random_bytes_are_refused(void **state)
{
    uint64_t rounds = number("NWR_FUZZ_ROUNDS", 30000);
    char why[NWR_FRAME_WHY_MAX];
    struct nwr_rng rng;
    struct nwr_msg m;

    (void)state;
    nwr_rng_init(&rng, number("NWR_FUZZ_SEED", 1) + 1);
    for (uint64_t i = 0; i < rounds; i++) {
        uint64_t len = 1 + nwr_rng_below(&rng, 100);
        struct nwr_blob *b = nwr_blob_new(len);

        for (uint64_t j = 0; j < len; j++)
            b->data[j] = (uint8_t)nwr_rng_below(&rng, 256);
        b->data[0] = (uint8_t)(0x90 | (b->data[0] & 0x0f));
        if (nwr_frame_decode(&m, b, why) == NWR_OK)
            nwr_msg_deinit(&m);
        nwr_blob_unref(b);
    }
    assert_true(rounds > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(damaged_frames_are_refused_or_whole),
        cmocka_unit_test(random_bytes_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
