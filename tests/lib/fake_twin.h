/* fake_twin.h -- a second replica for fake_volume: two nodes with w=1 r=1 that may be cut.
 *
 * Each answers from its own store. While they are joined a write reaches the other one later, in
 * any order, or never; a read has what it asked for compared in the background, record by record;
 * a read of all replicas has what the other holds, and brings it what is here if its w is all too;
 * a write to all is stored at both. So replicas are behind in every way that a heal makes.
 *
 * Ownership: a twin owns what is under way; the stores are the fakes'. Thread: one.
 */
#ifndef NWR_TESTS_FAKE_TWIN_H
#define NWR_TESTS_FAKE_TWIN_H

#include "net/store/store.h"

#define FAKE_LATE_MAX 64

struct fake_twin {
    struct nwr_store *store[2];
    struct nwr_rng rng;
    bool cut;
    struct fake_late {
        uint32_t to;
        nwr_pg pg;
        struct nwr_rows rows;
    } late[FAKE_LATE_MAX]; /* under way */
    uint32_t nlate;
};

/* Carries op out at once. */
void fake_store_run(struct nwr_store *s, struct nwr_store_op *op);
void fake_twin_init(struct fake_twin *w, uint64_t seed);
void fake_twin_deinit(struct fake_twin *w);
/* A batch was stored at a node, these are its records: taken. */
void fake_twin_wrote(struct fake_twin *w, uint32_t at, nwr_pg pg, struct nwr_rows *rows);
/* The same, and it is to be at the other one before it is answered. */
void fake_twin_wrote_all(struct fake_twin *w, uint32_t at, nwr_pg pg, const struct nwr_rows *rows);
/* Before a batch is stored. False: it needs the other one, and they are cut. */
bool fake_twin_writes(const struct fake_twin *w, const struct nwr_request *req);
/* Before a node answers. False: it needs the other one, and they are cut. */
bool fake_twin_reads(struct fake_twin *w, uint32_t at, const struct nwr_request *req);
/* What is under way arrives, some of it if not all. */
void fake_twin_deliver(struct fake_twin *w, bool all);
/* A node gets what the other one holds, and that one nothing. */
void fake_twin_bring(struct fake_twin *w, uint32_t to);
/* Joined, and both hold the same. */
void fake_twin_settle(struct fake_twin *w);
/* A block that the node asked for lacks comes from the other. */
struct nwr_store *fake_twin_block(struct fake_twin *w, uint32_t at, const struct nwr_block_id *id);

#endif
