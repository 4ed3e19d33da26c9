/* map_lru.h -- a table of things named by block ids, in the order in which they were last used.
 *
 * Entries are embedded in what the owner keeps; the table links them and counts their bytes, and
 * the owner decides what goes. Order depends on the calls only, so every run is the same.
 *
 * Ownership: entries are the caller's; the table owns its slots. Thread: the loop.
 */
#ifndef NWR_FS_MAP_LRU_H
#define NWR_FS_MAP_LRU_H

#include "nwr/types.h"

struct nwr_lru_entry {
    struct nwr_block_id id;
    size_t bytes;
    struct nwr_lru_entry *newer, *older, *next; /* next: in the same slot */
};

/* Invariants: n entries in the slots and in the list; bytes is their sum. */
struct nwr_lru {
    struct nwr_lru_entry **slot;
    uint32_t slots, n;
    size_t bytes;
    struct nwr_lru_entry *newest, *oldest;
};

static inline bool nwr_map_same_id(const struct nwr_block_id *a, const struct nwr_block_id *b)
{
    return a->ino == b->ino && a->wid == b->wid && a->number == b->number;
}

/* Makes it the newest; NULL. */
struct nwr_lru_entry *nwr_lru_find(struct nwr_lru *l, const struct nwr_block_id *id);
/* e->id, not yet there, and e->bytes are set. */
void nwr_lru_add(struct nwr_lru *l, struct nwr_lru_entry *e);
void nwr_lru_remove(struct nwr_lru *l, struct nwr_lru_entry *e);
/* Must be empty. */
void nwr_lru_deinit(struct nwr_lru *l);

#endif
