/* base.h -- asserts, memory, hashing, chance and growing arrays for every other module.
 *
 * Bugs are panics: nwr_assert stays on in every build and never looks at bytes from outside.
 * Memory is never NULL: running out of it panics, since no replicated state can be half built.
 *
 * Thread: any. Allocates: nwr_alloc and its kin only.
 */
#ifndef NWR_BASE_H
#define NWR_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define nwr_assert(c) ((c) ? (void)0 : nwr_panic(__FILE__, __LINE__, #c))
#define NWR_COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define NWR_MIN(a, b) ((a) < (b) ? (a) : (b))
#define NWR_MAX(a, b) ((a) > (b) ? (a) : (b))
#define nwr_container_of(p, type, member) ((type *)(void *)((char *)(p)-offsetof(type, member)))

/* Says where and why on standard error, runs the dump hook, aborts. */
_Noreturn void nwr_panic(const char *file, int line, const char *why);
/* Called once by nwr_panic before it aborts (prints the trace ring). */
void nwr_panic_hook(void (*dump)(void));

void *nwr_alloc(size_t bytes);
void *nwr_zalloc(size_t bytes);
void *nwr_realloc(void *p, size_t bytes);
void nwr_free(void *p);
void *nwr_memdup(const void *p, size_t bytes);
char *nwr_strdup(const char *s);

/* In place: the kernel's tables of mounts write space, tab, newline and backslash as \ooo. */
void nwr_unescape_octal(char *s);

/* Makes room for `need` items in an array of `item` bytes each; doubles. */
void *nwr_grow(void *items, uint32_t *cap, uint32_t need, size_t item);

/* XXH3, 64 bits. Stable: part of the disk and wire formats. */
uint64_t nwr_hash64(const void *data, size_t bytes, uint64_t seed);
/* One reversible 64-bit mix step. */
uint64_t nwr_mix64(uint64_t x);

/* Seeded integers (xoshiro256**). Draw once a statement: argument order is not defined in C. */
struct nwr_rng {
    uint64_t s[4];
};
void nwr_rng_init(struct nwr_rng *rng, uint64_t seed);
uint64_t nwr_rng_next(struct nwr_rng *rng);
/* Uniform in [0, bound); bound > 0. */
uint64_t nwr_rng_below(struct nwr_rng *rng, uint64_t bound);

#endif
