/* sim_tell.c -- the story of a run, its digest, and its end when it failed. See sim_int.h. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/sim/sim_int.h"

_Noreturn void sim_fail(const struct sim *s, const char *format, ...)
{
    va_list args;

    fflush(stdout);
    va_start(args, format);
    fprintf(stderr, "seed %llu at %llu us: ", (unsigned long long)s->seed,
            (unsigned long long)s->now);
    vfprintf(stderr, format, args);
    fprintf(stderr, "\nreplay: %s %llu\n", s->replay ? s->replay : "the test, seed",
            (unsigned long long)s->seed);
    va_end(args);
    abort();
}

void sim_tell(struct sim *s, const char *format, ...)
{
    char line[1024];
    va_list args;
    int n;

    if (!s->trace && !s->recording)
        return;
    va_start(args, format);
    n = vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    n = NWR_MIN(n, (int)sizeof(line) - 1);
    if (s->trace)
        printf("%10.3f ms %s\n", (double)s->now / 1000, line);
    if (!s->recording)
        return;
    s->story = nwr_grow(s->story, &s->capstory, s->nstory + (uint32_t)n + 2, 1);
    memcpy(s->story + s->nstory, line, (size_t)n);
    s->nstory += (uint32_t)n;
    s->story[s->nstory++] = '\n';
    s->story[s->nstory] = 0;
}

void sim_record(struct sim *s)
{
    s->recording = true;
    s->nstory = 0;
    s->story = nwr_grow(s->story, &s->capstory, 1, 1);
    s->story[0] = 0;
}

void sim_fold(struct sim *s, const void *data, size_t len)
{
    s->digest = nwr_hash64(data, len, s->digest);
}

/* Numbers, not structs: padding and byte order would be of the machine. */
void sim_fold_all(struct sim *s, uint64_t a, uint64_t b, uint64_t c)
{
    s->digest = nwr_mix64(s->digest ^ s->now);
    s->digest = nwr_mix64(s->digest ^ a);
    s->digest = nwr_mix64(s->digest ^ b);
    s->digest = nwr_mix64(s->digest ^ c);
}
