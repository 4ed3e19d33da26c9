/* types.h -- the scalars and small values every module speaks of (DESIGN 1, 3, 4). */
#ifndef NWR_TYPES_H
#define NWR_TYPES_H

#include "nwr/base.h"
#include "nwr/limits.h"

typedef uint64_t nwr_ms;      /* milliseconds, monotonic */
typedef int64_t nwr_ns;       /* nanoseconds since 1970, signed: 1677 to 2262 */
typedef uint64_t nwr_hlc;     /* hybrid logical clock: milliseconds since 1970 << 16 | counter */
typedef uint64_t nwr_wid;     /* write_id, random, chosen by the writer; 0 = none */
typedef uint64_t nwr_actor;   /* ordinal << 32 | incarnation */
typedef uint64_t nwr_ino;     /* inode number, see below */
typedef uint64_t nwr_node_id; /* random, never reused */
typedef uint16_t nwr_pg;

/* The name of one write. Counters run per (actor, PG), one a batch, from 1. */
struct nwr_dot {
    nwr_actor actor;
    uint64_t counter;
};

static inline uint16_t nwr_actor_ordinal(nwr_actor a)
{
    return (uint16_t)(a >> 32);
}

static inline int nwr_dot_cmp(struct nwr_dot a, struct nwr_dot b)
{
    if (a.actor != b.actor)
        return a.actor < b.actor ? -1 : 1;
    return a.counter < b.counter ? -1 : a.counter > b.counter;
}

/* Inode number: pg 10 bits | fork 1 bit | birth ordinal 10 bits | counter 43 bits.
 * A fork's low 53 bits are a hash of (root inode, line dot): same on every node (DESIGN 9). */
#define NWR_INO_ROOT ((nwr_ino)1)
#define NWR_INO_FORK ((nwr_ino)1 << 53)
#define NWR_INO_COUNTER_BITS 43

static inline nwr_pg nwr_ino_pg(nwr_ino ino)
{
    return (nwr_pg)(ino >> 54);
}

static inline nwr_ino nwr_ino_make(nwr_pg pg, uint16_t ordinal, uint64_t counter)
{
    return (nwr_ino)pg << 54 | (nwr_ino)ordinal << NWR_INO_COUNTER_BITS | counter;
}

/* A version as its reader saw it: what a write says it replaces. */
struct nwr_seen {
    struct nwr_dot dot;
    nwr_wid wid;
};

enum nwr_level {
    NWR_LEVEL_MEMORY,
    NWR_LEVEL_DISK
};

/* Name of an immutable block: (inode it was written for, write_id of the write, number). */
struct nwr_block_id {
    nwr_ino ino;
    nwr_wid wid;
    uint32_t number;
};

#endif
