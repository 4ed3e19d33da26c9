/* base.c -- see nwr/base.h. */
#include "nwr/base.h"

#include <stdio.h>
#include <stdlib.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

static void (*panic_dump)(void);

void nwr_panic_hook(void (*dump)(void))
{
    panic_dump = dump;
}

_Noreturn void nwr_panic(const char *file, int line, const char *why)
{
    void (*dump)(void) = panic_dump;

    fprintf(stderr, "nwrfs: panic at %s:%d: %s\n", file, line, why);
    panic_dump = NULL;
    if (dump)
        dump();
    abort();
}

static void *not_null(void *p)
{
    if (!p)
        nwr_panic(__FILE__, __LINE__, "out of memory");
    return p;
}

void *nwr_alloc(size_t bytes)
{
    return not_null(malloc(bytes ? bytes : 1));
}

void *nwr_zalloc(size_t bytes)
{
    return not_null(calloc(1, bytes ? bytes : 1));
}

void *nwr_realloc(void *p, size_t bytes)
{
    return not_null(realloc(p, bytes ? bytes : 1));
}

void nwr_free(void *p)
{
    free(p);
}

void *nwr_memdup(const void *p, size_t bytes)
{
    void *copy = nwr_alloc(bytes);

    if (bytes)
        memcpy(copy, p, bytes);
    return copy;
}

char *nwr_strdup(const char *s)
{
    return nwr_memdup(s, strlen(s) + 1);
}

static bool is_octal(const char *s)
{
    return s[0] >= '0' && s[0] <= '3' && s[1] >= '0' && s[1] <= '7' && s[2] >= '0' && s[2] <= '7';
}

void nwr_unescape_octal(char *s)
{
    char *to = s;

    while (*s) {
        if (*s == '\\' && is_octal(s + 1)) {
            *to++ = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0'));
            s += 4;
        } else {
            *to++ = *s++;
        }
    }
    *to = '\0';
}

void *nwr_grow(void *items, uint32_t *cap, uint32_t need, size_t item)
{
    uint32_t room = *cap ? *cap : item < 256 ? 4 : 1; /* of large items mostly one is needed */

    if (need <= *cap)
        return items;
    nwr_assert(need <= UINT32_MAX / 2);
    while (room < need)
        room *= 2;
    *cap = room;
    return nwr_realloc(items, room * item);
}

uint64_t nwr_hash64(const void *data, size_t bytes, uint64_t seed)
{
    return XXH3_64bits_withSeed(data, bytes, seed);
}

uint64_t nwr_mix64(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

void nwr_rng_init(struct nwr_rng *rng, uint64_t seed)
{
    for (int i = 0; i < 4; i++)
        rng->s[i] = seed = nwr_mix64(seed);
}

static uint64_t rotl(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

uint64_t nwr_rng_next(struct nwr_rng *rng)
{
    uint64_t *s = rng->s;
    uint64_t out = rotl(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return out;
}

uint64_t nwr_rng_below(struct nwr_rng *rng, uint64_t bound)
{
    nwr_assert(bound > 0);
    return nwr_rng_next(rng) % bound;
}
