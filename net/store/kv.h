/* kv.h -- what the semantic half of a store needs from below: ordered tables and block bytes.
 *
 * Implemented by store_mem (a map) and store_rocks (RocksDB and segment files). Reads see every
 * write before them. Values are opaque here: engine.c seals them with checksums.
 *
 * Ownership: out blobs are given; changes are borrowed. Thread: one at a time.
 */
#ifndef NWR_STORE_KV_H
#define NWR_STORE_KV_H

#include "net/store/sorted.h"
#include "net/store/store.h"

/* Where the bytes of a block are: in a segment file, or in the DATA space (segment 0). */
struct nwr_place {
    uint32_t segment;
    uint32_t len;
    uint64_t offset;
    uint64_t sum;
};

struct nwr_kv {
    /* E_NOENT, E_IO. */
    enum nwr_err (*get)(struct nwr_kv *kv, const struct nwr_skey *key, struct nwr_blob **out);
    /* Calls on for the keys of from's space, from `from` upwards, until it returns false. key and
     * value are borrowed and end with the call. */
    enum nwr_err (*scan)(struct nwr_kv *kv, const struct nwr_skey *from,
                         bool (*on)(void *arg, const struct nwr_skey *key, const void *value,
                                    size_t len),
                         void *arg);
    /* All or nothing; a NULL value deletes. */
    enum nwr_err (*write)(struct nwr_kv *kv, struct nwr_sorted *changes);
    /* True when too little room is left for anything but removals. */
    bool (*full)(struct nwr_kv *kv);
    /* Milliseconds, monotonic; 0 for ever in a store without a clock: pins then never end. */
    nwr_ms (*now)(struct nwr_kv *kv);
    /* NULL without segments. put fills segment and offset of place; drop says that the bytes at
     * place are not referred to any more, once what was written before is on disk. */
    enum nwr_err (*segment_put)(struct nwr_kv *kv, const struct nwr_block *b,
                                struct nwr_place *place);
    enum nwr_err (*segment_get)(struct nwr_kv *kv, const struct nwr_place *place,
                                struct nwr_blob **out);
    /* What is read next, of pg in space (not META) or at place, is read from the disk, whatever is
     * in memory. NULL where memory is all there is. */
    void (*cool)(struct nwr_kv *kv, enum nwr_space space, nwr_pg pg);
    void (*segment_cool)(struct nwr_kv *kv, const struct nwr_place *place);
    /* The bytes at place will be read soon. */
    void (*segment_hint)(struct nwr_kv *kv, const struct nwr_place *place);
    void (*segment_drop)(struct nwr_kv *kv, const struct nwr_place *place);
    /* Told of every place in use by a census, and before that of NULL. */
    void (*segment_live)(struct nwr_kv *kv, const struct nwr_place *place);
};

#endif
