/* keys_test.c -- the parser of key files on damaged ones: what it takes is what stands there.
 *
 * NWR_FUZZ_ROUNDS sets how many files are tried, NWR_FUZZ_SEED where chance begins.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "net/tls/keys.h"

static uint64_t number(const char *name, uint64_t otherwise)
{
    const char *s = getenv(name);

    return s ? strtoull(s, NULL, 10) : otherwise;
}

static size_t put_file(struct nwr_rng *rng, char *text, size_t cap)
{
    static const char *const rest[] = {"\n", "\r\n", " \n", "\n\n", "# said\n", ""};
    uint64_t wild = nwr_rng_below(rng, 8), lines = nwr_rng_below(rng, wild ? 2 : 4) + !!wild;
    size_t len = 0;

    for (uint64_t i = 0; i < lines; i++) {
        uint64_t a = nwr_rng_next(rng), b = nwr_rng_below(rng, NWR_COUNT(rest));

        if (nwr_rng_below(rng, 4) == 0)
            len += (size_t)snprintf(text + len, cap - len, "# a comment %d\n", (int)i);
        len += (size_t)snprintf(text + len, cap - len, "nwrfs-key-1 %016llx%016llx%016llX%016llx%s",
                                (unsigned long long)a, (unsigned long long)nwr_mix64(a),
                                (unsigned long long)~a, (unsigned long long)(a * 3), rest[b]);
    }
    return len;
}

static void damage(struct nwr_rng *rng, char *text, size_t *len)
{
    uint64_t how = nwr_rng_below(rng, 5);

    if (*len == 0 || how == 0)
        return;
    if (how == 1) {
        *len = nwr_rng_below(rng, *len);
        return;
    }
    for (uint64_t i = 0; i < how; i++) {
        size_t at = nwr_rng_below(rng, *len);

        text[at] = (char)nwr_rng_below(rng, how == 2 ? 128 : 256);
    }
}

/* Every key taken stands in the text, in order, digit by digit. */
static void expect_in(const struct nwr_keys *keys, const char *text, size_t len)
{
    const char *from = text;

    for (unsigned k = 0; k < keys->n; k++) {
        char hex[2 * NWR_KEY_BYTES + 1];
        size_t i;

        for (i = 0; i < NWR_KEY_BYTES; i++)
            snprintf(hex + 2 * i, 3, "%02x", keys->key[k].bytes[i]);
        for (;; from++) {
            assert_true(from + 2 * NWR_KEY_BYTES <= text + len);
            for (i = 0; i < 2 * NWR_KEY_BYTES && tolower((unsigned char)from[i]) == hex[i]; i++)
                ;
            if (i == 2 * NWR_KEY_BYTES)
                break;
        }
        assert_int_equal(strlen(keys->key[k].id), NWR_KEY_ID_MAX - 1);
        assert_ptr_equal(nwr_keys_find(keys, keys->key[k].id, NWR_KEY_ID_MAX - 1), &keys->key[k]);
    }
}

static void damaged_key_files_are_refused_or_read_as_they_stand(void **state)
{
    uint64_t rounds = number("NWR_FUZZ_ROUNDS", 30000), refused = 0;
    char why[NWR_KEYS_WHY_MAX];
    struct nwr_rng rng;

    (void)state;
    nwr_rng_init(&rng, number("NWR_FUZZ_SEED", 1));
    for (uint64_t i = 0; i < rounds; i++) {
        char text[600], *exact;
        struct nwr_keys keys = {.n = 77};
        size_t len = put_file(&rng, text, sizeof(text));

        damage(&rng, text, &len);
        exact = nwr_memdup(text, len); /* so that a sanitizer sees every byte too many */
        if (nwr_keys_parse(&keys, exact, len, why)) {
            assert_int_equal(keys.n, 77);
            assert_true(strlen(why) > 10);
            refused++;
        } else {
            assert_true(keys.n >= 1 && keys.n <= NWR_KEYS_MAX);
            expect_in(&keys, text, len);
        }
        nwr_free(exact);
    }
    assert_true(refused > rounds / 10 && refused < rounds * 9 / 10);
}

static void expect_refused(const char *text, const char *part)
{
    char why[NWR_KEYS_WHY_MAX] = "";
    struct nwr_keys keys;

    assert_non_null(nwr_keys_parse(&keys, text, strlen(text), why));
    if (!strstr(why, part))
        fail_msg("wanted <%s> in <%s>", part, why);
}

#define DIGITS "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde"

static void what_is_wrong_is_said_with_its_line(void **state)
{
    (void)state;
    expect_refused("", "no key");
    expect_refused("# nothing\n\n", "no key");
    expect_refused("# x\nnwrfs-key-2 " DIGITS "f\n", "line 2");
    expect_refused("nwrfs-key-1 " DIGITS "\n", "64 hexadecimal digits");
    expect_refused("nwrfs-key-1 " DIGITS "ff\n", "64 hexadecimal digits");
    expect_refused("nwrfs-key-1 " DIGITS "g\n", "64 hexadecimal digits");
    expect_refused("nwrfs-key-1 " DIGITS "0\nnwrfs-key-1 " DIGITS "0\n", "line 2: the same key");
    expect_refused("nwrfs-key-1 " DIGITS "0\nnwrfs-key-1 " DIGITS "1\nnwrfs-key-1 " DIGITS "2\n",
                   "line 3: more than two");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(damaged_key_files_are_refused_or_read_as_they_stand),
        cmocka_unit_test(what_is_wrong_is_said_with_its_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
