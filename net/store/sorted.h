/* sorted.h -- an ordered map from bytes to blobs: a skip list whose shape depends on its keys only.
 *
 * The state of store_mem, the changes of one op before they are written, and those of a group
 * of ops on their way into RocksDB.
 *
 * Ownership: the map owns copies of keys and one count of every value. A NULL value is kept: in
 * a map of changes it means "deleted". Thread: one at a time.
 */
#ifndef NWR_STORE_MAP_H
#define NWR_STORE_MAP_H

#include "nwr/volume.h"

#define NWR_SORTED_LEVELS 12

/* Which of a store's tables a key belongs to. */
enum nwr_space {
    NWR_SPACE_RECORDS = 1, /* record key -> sealed record */
    NWR_SPACE_BLOCKS,      /* block id -> sealed entry: count, refs, where its bytes are */
    NWR_SPACE_DATA,        /* block id -> bytes; the entry has their checksum */
    NWR_SPACE_META,        /* name -> sealed value */
    NWR_SPACE_END
};

/* Space and key; compared by space, then bytewise. */
struct nwr_skey {
    uint8_t space;
    uint16_t len;
    uint8_t b[NWR_KEY_MAX];
};

struct nwr_sorted_node {
    struct nwr_blob *value;
    uint8_t *key;
    uint16_t key_len;
    uint8_t space;
    uint8_t levels;
    struct nwr_sorted_node *next[]; /* levels of them */
};

struct nwr_sorted {
    struct nwr_sorted_node *head[NWR_SORTED_LEVELS];
    uint64_t n;
};

struct nwr_skey nwr_skey_of(enum nwr_space space, const void *key, size_t len);
int nwr_skey_cmp(const struct nwr_skey *a, const struct nwr_skey *b);

/* A zeroed map is empty. */
void nwr_sorted_deinit(struct nwr_sorted *m);
/* Inserts or replaces; takes value. */
void nwr_sorted_put(struct nwr_sorted *m, const struct nwr_skey *key, struct nwr_blob *value);
void nwr_sorted_del(struct nwr_sorted *m, const struct nwr_skey *key);
struct nwr_sorted_node *nwr_sorted_find(const struct nwr_sorted *m, const struct nwr_skey *key);
/* First node with a key >= key; then node->next[0]. */
struct nwr_sorted_node *nwr_sorted_lower(const struct nwr_sorted *m, const struct nwr_skey *key);

#endif
