/* store_kit.h -- batches and waiting, for tests of a store.
 *
 * A batch builds one op and owns what the op borrows. Dots count up by themselves.
 */
#ifndef NWR_TESTS_STORE_KIT_H
#define NWR_TESTS_STORE_KIT_H

#include "net/store/store_rocks.h"
#include "net/store/verify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define BATCH_MAX 256
#define PG 3 /* of the keys used in tests */

struct kit {
    struct nwr_store *s;
    bool rocks;
    char dir[320];          /* rocks */
    uint64_t segment_bytes; /* rocks; 0: as usual */
    uint64_t counter;
    uint32_t done;
};

struct batch {
    struct kit *kit;
    struct nwr_request *req; /* holds writes, guards, blocks, ranges */
    struct nwr_record *merge[BATCH_MAX];
    struct nwr_apply apply[BATCH_MAX];
    struct nwr_store_op op;
    uint32_t done;
};

/* cmocka setups; *state is a struct kit. */
int kit_mem(void **state);
int kit_rocks(void **state);
int kit_rocks_threaded(void **state);
int kit_teardown(void **state);

/* Runs tests on every implementation; gives the number that failed. */
int kit_run_all(const struct CMUnitTest *tests, size_t n);

void kit_open(struct kit *k); /* rocks: k->dir again */
void kit_reopen(struct kit *k);
/* Ends the store as a restart of its process would: mem by a crash that loses nothing. */
void kit_restart(struct kit *k);
struct nwr_verify kit_verify(struct kit *k);
/* Nothing missing, miscounted, corrupt or stray, digests are the sums of records, and the index of
 * conflicts is what a scan of all records finds. */
void kit_assert_whole(struct kit *k);
/* A new directory below $TMPDIR. */
void kit_tmpdir(char *out, size_t len);
void kit_remove(const char *dir);

nwr_ino ino(uint64_t n);
struct nwr_key content_key(uint64_t n);
struct nwr_key entry_key(uint64_t parent, const char *name);
struct nwr_block_id block_id(uint64_t n);

void batch_init(struct batch *b, struct kit *k, enum nwr_store_kind kind);
/* wid 0: a new one. */
struct nwr_write *batch_put(struct batch *b, struct nwr_key key, nwr_wid wid, const char *body);
void batch_discard(struct batch *b, struct nwr_key key, struct nwr_seen seen);
void batch_merge(struct batch *b, struct nwr_key key, const struct nwr_record *rec);
void batch_block(struct batch *b, struct nwr_block_id id, uint8_t fill, size_t len);
/* The block added last names another. */
void batch_block_ref(struct batch *b, struct nwr_block_id id);
void batch_range(struct batch *b, struct nwr_key prefix, bool exact, bool follow);
struct nwr_guard *batch_guard(struct batch *b, enum nwr_guard_kind kind, struct nwr_key key);
void write_names(struct nwr_write *w, struct nwr_block_id id);
void batch_submit(struct batch *b);
void batch_wait(struct batch *b);
/* Submits, waits, gives the error. */
enum nwr_err batch_run(struct batch *b);
void batch_deinit(struct batch *b);
/* Runs and frees. */
enum nwr_err batch_end(struct batch *b);

/* One put or tombstone of one key, in a batch of its own; *dot gets its dot. */
enum nwr_err put_one(struct kit *k, struct nwr_key key, const char *body, struct nwr_seen *seen);
/* Number of versions of a record and the first one's body; "" without one. */
uint32_t get_one(struct kit *k, struct nwr_key key, char *body, size_t len);
enum nwr_err put_block(struct kit *k, struct nwr_block_id id, uint8_t fill, size_t len);
/* Checks that the block is there, len bytes of fill; the error otherwise. */
enum nwr_err get_block(struct kit *k, struct nwr_block_id id, uint8_t fill, size_t len);
/* Content n names block id, filled with its number, which travels along when len is not 0;
 * replaces *seen, which becomes the new version. */
enum nwr_err put_content(struct kit *k, uint64_t n, struct nwr_block_id id, size_t len,
                         struct nwr_seen *seen);
enum nwr_err remove_content(struct kit *k, uint64_t n, struct nwr_seen seen);
enum nwr_err sync_now(struct kit *k);
struct nwr_store_stat stat_of(struct kit *k);

#endif
