/* file_run.h -- a file, a model of it and a store that counts references, for the tests of files.
 *
 * A store keeps what pushes bring and frees what no version refers to; a model is a sparse file
 * of a few regions that knows each byte and whether it is allocated. Every block that a file
 * asks for is served from the store, and must be there.
 */
#ifndef NWR_TESTS_FILE_RUN_H
#define NWR_TESTS_FILE_RUN_H

#include "fs/core/file_int.h"

enum {
    REGIONS = 4,
    INO = 77,
    HELD_MAX = 3
};

struct stored {
    struct nwr_lru_entry lru;
    struct nwr_blob *data;
    struct nwr_block_id *refs;
    uint32_t nrefs, count;
};

struct store {
    struct nwr_lru table;
};

/* A sparse file: bytes outside its regions are holes. */
struct model {
    uint64_t base[REGIONS];
    uint32_t nregion, span;
    uint8_t *byte[REGIONS], *used[REGIONS];
    uint64_t size;
};

struct version {
    struct nwr_blob *map; /* encoded, as a version has it */
    struct nwr_block_id *root;
    uint32_t nroot;
    struct model at; /* what it holds */
};

struct run {
    uint64_t seed;
    uint32_t step;
    struct nwr_rng rng;
    struct store store;
    struct nwr_block_cache *cache;
    struct nwr_file *f;
    struct model now, pushed;
    bool pushing;
    struct nwr_push push;
    struct version held[HELD_MAX]; /* the last one is the current */
    uint32_t nheld;
    nwr_wid wid;
    uint64_t tail; /* where a sequential writer goes on */
    uint32_t fetched;
};

#define check(run, c)                                                                              \
    do {                                                                                           \
        if (!(c))                                                                                  \
            fail_msg("seed %llu, step %u: %s", (unsigned long long)(run)->seed, (run)->step, #c);  \
    } while (0)

struct stored *store_find(struct store *s, const struct nwr_block_id *id);
void model_init(struct model *m, uint32_t nregion, uint32_t span);
void model_hole(struct model *m, uint64_t lo, uint64_t hi);
void model_truncate(struct model *m, uint64_t size);
uint64_t model_seek(const struct model *m, uint64_t off, bool hole);
uint64_t model_allocated(const struct model *m);
uint64_t run_draw(struct run *t, uint64_t bound);
void run_serve(struct run *t, struct nwr_file *f, struct nwr_needs *needs, uint32_t *rounds);
void run_read_all(struct run *t, struct nwr_file *f, uint64_t off, uint32_t len,
                  struct nwr_slice_list *out);
uint64_t run_seek_all(struct run *t, struct nwr_file *f, uint64_t off, bool hole);
void run_compare(struct run *t, struct nwr_file *f, const struct model *m, uint32_t r, uint32_t at,
                 uint32_t len);
void run_compare_all(struct run *t, struct nwr_file *f, const struct model *m);
struct nwr_file *run_file_at(struct run *t, struct nwr_blob *encoded, struct nwr_block_cache *c);
void run_drop_version(struct run *t, uint32_t i);
void run_push_begin(struct run *t);
void run_push_end(struct run *t, bool ok);
void run_write_at(struct run *t, uint32_t r, uint32_t at, uint32_t len);
void run_deinit(struct run *t);
void run_push_now(struct run *t, uint32_t *blocks, uint64_t *bytes);

#endif
