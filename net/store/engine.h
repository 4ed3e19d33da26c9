/* engine.h -- what an op means, on any kv: the half that store_mem and store_rocks share.
 *
 *   apply.c   guards, puts, merges, one op at a time, all or nothing
 *   blocks.c  entries of blocks, their counts, pins
 *   read.c    ranges with follow, blocks, named values
 *   digest.c  digests of PGs, their elements
 *   check.c   verifies what a PG has            doubt.c   PGs that may have lost records
 *   clock.c   clocks and floors of PGs, folding
 *   hints.c   what is kept for others; erasing a PG
 *   index.c   which records are in conflict, or without a name
 *   loud.c    which inodes that had a name may show there again
 *   verify.c  counts every reference again and compares
 *
 * An op collects its changes in a transaction and writes them at its end; until then it has
 * changed nothing. Values are sealed: XXH3 of key and value stands before the value, so a value
 * that rotted or belongs to another key is E_CORRUPT, never empty.
 *
 * Ownership: the engine borrows its kv. Thread: one at a time. Allocates: yes.
 */
#ifndef NWR_STORE_ENGINE_H
#define NWR_STORE_ENGINE_H

#include "net/core/floor.h"
#include "net/core/rules.h"
#include "net/store/kv.h"
#include "net/store/verify.h"

/* A stored block; refs belong to the entry. */
struct nwr_entry {
    uint32_t count;
    struct nwr_place place;
    struct nwr_block_id *refs;
    uint32_t nrefs;
};

/* What the engine knows of a stored digest. */
enum nwr_digest_state {
    NWR_DIGEST_UNREAD,
    NWR_DIGEST_READ,
    NWR_DIGEST_LOST /* a record was replaced unread: added up anew by the next DIGESTS */
};
struct nwr_digest_slot {
    enum nwr_digest_state state;
    struct nwr_pg_digest digest;
    struct nwr_dot given; /* the last dot this node gave there: part of its clock */
};
/* The rest of the clock, which changes only by exchanges, and the floor. */
struct nwr_clock_slot {
    bool read;
    bool folding;
    struct nwr_vv clock, floor;
};

struct nwr_engine {
    struct nwr_kv *kv;
    struct nwr_digest_slot *digest; /* NWR_PGS_MAX */
    struct nwr_clock_slot *clock;   /* NWR_PGS_MAX */
    bool *gapped;                   /* NWR_PGS_MAX: dots given by this start prove nothing there */
    struct nwr_sorted pins;         /* block key -> when its pin ends */
    uint8_t doubt[NWR_PGS_MAX / 8]; /* a bit a PG */
    uint32_t ndoubt;
    struct nwr_loud_name *loud; /* names with many inodes beside them */
    uint32_t nloud, loud_at;
    const struct nwr_store *store; /* who says what is silent; NULL: nobody */
    bool recount_due;              /* blocks may be named that have no entry, or too low a count */
    struct nwr_store_stat stat;
};

void nwr_engine_init(struct nwr_engine *e, struct nwr_kv *kv);
void nwr_engine_deinit(struct nwr_engine *e);
/* Carries out any op but SYNC; sets err and outputs, does not call done. */
void nwr_engine_run(struct nwr_engine *e, struct nwr_store_op *op);
/* A BLOCK_GET will be run soon: starts reading what it needs. */
void nwr_engine_hint(struct nwr_engine *e, const struct nwr_store_op *op);
/* Removes blocks nothing refers to whose pin is over; all: pins or not (at open). */
enum nwr_err nwr_engine_sweep(struct nwr_engine *e, bool all);
/* Counts for stat: blocks and bytes by looking at all entries, records by the digests of groups.
 * E_CORRUPT: some of them could not be read. */
enum nwr_err nwr_engine_census(struct nwr_engine *e);

/* Counts all references again and says what differs. */
enum nwr_err nwr_engine_verify(struct nwr_engine *e, struct nwr_verify *out);
/* Sets every count right and drops what nothing refers to. E_CORRUPT: nothing was done, since
 * what an unreadable record refers to must stay. */
enum nwr_err nwr_engine_recount(struct nwr_engine *e);
/* Raises what is counted too low, and makes entries, without bytes, for blocks that are named and
 * have none that can be read. Lowers nothing: who else names a block may be unreadable. */
enum nwr_err nwr_engine_raise(struct nwr_engine *e);
/* Groups in doubt: read at open, added to, asked for. */
enum nwr_err nwr_engine_doubt_load(struct nwr_engine *e);
enum nwr_err nwr_engine_doubt(struct nwr_engine *e, const bool pg[NWR_PGS_MAX]);
bool nwr_engine_doubts(const struct nwr_engine *e, nwr_pg pg);
/* What was written last may not be stored: digests are read again. */
void nwr_engine_forget(struct nwr_engine *e);
/* Adds up the digests of all PGs counts those that differ, and sets them right if asked to. */
enum nwr_err nwr_engine_digests(struct nwr_engine *e, bool set_right, uint64_t *wrong);
/* Blocks as they must be when a node starts: recounted if that was asked for, idle ones gone. */
enum nwr_err nwr_engine_start(struct nwr_engine *e);

/* ---- between the files of the engine -------------------------------------------------------- */

struct nwr_txn {
    struct nwr_engine *e;
    struct nwr_sorted changes;
    struct nwr_place *drop; /* segment bytes to drop when written */
    uint32_t ndrop, capdrop;
    struct nwr_sorted unpin; /* blocks that got a reference: their pins end */
    int64_t records, blocks, block_bytes, conflicts;
    bool has_digest, has_clock; /* of pg: become its slots when written */
    nwr_pg pg;
    struct nwr_digest_slot digest;
    struct nwr_clock_slot clock;
};

void nwr_txn_init(struct nwr_txn *t, struct nwr_engine *e);
/* Writes what was collected, or forgets it. Both deinit. */
enum nwr_err nwr_txn_commit(struct nwr_txn *t);
void nwr_txn_abort(struct nwr_txn *t);
/* The bytes at place go when t is written. */
void nwr_txn_drop(struct nwr_txn *t, const struct nwr_place *place);
/* What t has put, else what is stored. Raw, unsealed bytes. */
enum nwr_err nwr_txn_get(struct nwr_txn *t, const struct nwr_skey *key, struct nwr_blob **out);

/* A record that was replaced unread had references nobody knows: its blocks stay until then. */
void nwr_recount_at_open(struct nwr_txn *t);

/* Value with its checksum in front. */
struct nwr_blob *nwr_seal(const struct nwr_skey *key, const void *value, size_t len);
/* Borrowed bytes of the value inside a sealed one; NULL when it does not verify. */
const uint8_t *nwr_unseal(const struct nwr_skey *key, const void *sealed, size_t len,
                          size_t *value_len);
/* Decodes a sealed record: E_CORRUPT when it does not verify or decode. */
enum nwr_err nwr_unseal_record(const struct nwr_skey *key, const void *sealed, size_t len,
                               struct nwr_record *rec);

int nwr_block_id_cmp(const struct nwr_block_id *a, const struct nwr_block_id *b);
struct nwr_skey nwr_block_key(enum nwr_space space, const struct nwr_block_id *id);
struct nwr_block_id nwr_block_id_of(const struct nwr_skey *key);
uint64_t nwr_block_sum(const struct nwr_block_id *id, const struct nwr_blob *data);
enum nwr_err nwr_entry_decode(const struct nwr_skey *key, const void *sealed, size_t len,
                              struct nwr_entry *out);
void nwr_entry_deinit(struct nwr_entry *en);
bool nwr_entry_is_lost(const struct nwr_entry *en);
enum nwr_err nwr_entry_get(struct nwr_txn *t, const struct nwr_block_id *id, struct nwr_entry *out);
void nwr_entry_put(struct nwr_txn *t, const struct nwr_block_id *id, const struct nwr_entry *en);
/* Bytes of a block, verified. */
enum nwr_err nwr_block_load(struct nwr_txn *t, const struct nwr_block_id *id,
                            const struct nwr_entry *en, struct nwr_blob **out);

/* Changes of reference counts that one op makes. */
struct nwr_delta {
    struct nwr_block_id id;
    int64_t by;
};
struct nwr_deltas {
    struct nwr_delta *d;
    uint32_t n, cap;
};
void nwr_deltas_add(struct nwr_deltas *ds, const struct nwr_block_id *id, int64_t by);
/* All blocks that a record names, those of what it keeps too. */
void nwr_deltas_record(struct nwr_deltas *ds, const struct nwr_record *rec, int64_t by);
/* Sorts and sums; drops those that come to nothing. */
void nwr_deltas_sum(struct nwr_deltas *ds);
/* Applies ds, storing blocks of op that get a reference and are not there yet (keep_idle: all
 * blocks of op, pinned). E_BLOCKS: op->missing says which blocks neither op nor store has. */
enum nwr_err nwr_blocks_count(struct nwr_txn *t, struct nwr_deltas *ds, struct nwr_store_op *op,
                              bool keep_idle);

/* Staged in t: the digest of pg as it is after one record changed. NULL: there was or is none.
 * lost: the record that was there could not be read. */
enum nwr_err nwr_txn_digest(struct nwr_txn *t, nwr_pg pg, const struct nwr_element *before,
                            const struct nwr_element *after, bool lost);

/* ---- the index of conflicts (index.c) ---- */
/* Whether a record by itself belongs in the index: an entry or a content in conflict, marks of a
 * directory that is on its way. */
bool nwr_index_wants(const struct nwr_key *key, const struct nwr_record *rec);
/* Whether it counts, and people are told: the index leads to others besides. */
bool nwr_index_counts(const struct nwr_key *key);
/* Staged in t: the record is in the index, or is not. */
enum nwr_err nwr_txn_index(struct nwr_txn *t, const struct nwr_key *key, bool want);
/* Staged in t, after the records: whether the inode has no name. made: it is new in t. */
enum nwr_err nwr_txn_index_names(struct nwr_txn *t, nwr_ino ino, bool made);
/* Whether a record is the live link of a directory. */
bool nwr_index_is_place(const struct nwr_key *key, const struct nwr_record *rec);
/* Staged in t, after the records: which links of the inode are not where the directory is. Those
 * that are no links any more are not looked at. */
enum nwr_err nwr_txn_index_places(struct nwr_txn *t, nwr_ino ino);
/* Records in the index, from a record key on; as kv->scan. */
enum nwr_err nwr_index_scan(struct nwr_engine *e, const struct nwr_key *from,
                            bool (*on)(void *arg, const struct nwr_skey *key, const void *value,
                                       size_t len),
                            void *arg);
/* What people are told of a record that came into conflict, once t is written. */
void nwr_index_tell(struct nwr_engine *e, const struct nwr_key *key, const struct nwr_record *rec,
                    struct nwr_appeared *out);
/* Counts the index for stat. */
enum nwr_err nwr_engine_index_count(struct nwr_engine *e);
/* Compares the index with all records; sets it right if asked to. */
enum nwr_err nwr_engine_index(struct nwr_engine *e, bool set_right, uint64_t *wrong);

/* ---- loud.c ---- */
/* Of the rows beside a name (range->loud) calls on for those that lead to an inode which may show
 * something, in order; *silent is the sum over the others. */
enum nwr_err nwr_loud_scan(struct nwr_engine *e, const struct nwr_range *range, uint64_t *silent,
                           bool (*on)(void *arg, const struct nwr_skey *key, const void *value,
                                      size_t len),
                           void *arg);
/* Records were written. */
void nwr_loud_changed(struct nwr_engine *e, const struct nwr_sorted *changes);
void nwr_loud_forget(struct nwr_engine *e);

/* dot was given here: staged in t. */
enum nwr_err nwr_txn_given(struct nwr_txn *t, nwr_pg pg, struct nwr_dot dot);
/* What the clock of pg claims is not here any more: staged in t. */
enum nwr_err nwr_txn_clock_lost(struct nwr_txn *t, nwr_pg pg);
/* The same, at once: a record that cannot be read is passed over as if it were not there, so the
 * floor must not speak for absences any more. */
enum nwr_err nwr_clock_lost(struct nwr_engine *e, nwr_pg pg);
void nwr_clock_slot_deinit(struct nwr_clock_slot *slot);
/* What there is now; borrowed. */
enum nwr_err nwr_clock_load(struct nwr_engine *e, nwr_pg pg, const struct nwr_clock_slot **out);
enum nwr_err nwr_digest_load(struct nwr_engine *e, nwr_pg pg, struct nwr_digest_slot *out);
void nwr_digest_stage(struct nwr_txn *t, nwr_pg pg, const struct nwr_digest_slot *slot);
/* Of pg, added up anew if it was lost. */
enum nwr_err nwr_digest_now(struct nwr_engine *e, nwr_pg pg, struct nwr_digest_slot *out);
/* Of clock and floor of pg, and whether the one is above the other. */
enum nwr_err nwr_clock_hash(struct nwr_engine *e, nwr_pg pg, uint64_t *out, bool *above);
/* op->rows get the floor of op->pg. */
enum nwr_err nwr_give_floor(struct nwr_engine *e, struct nwr_store_op *op);

/* h is kept with what t writes. */
void nwr_txn_hint(struct nwr_txn *t, const struct nwr_hint *h);

void nwr_run_apply(struct nwr_engine *e, struct nwr_store_op *op);
void nwr_run_read(struct nwr_engine *e, struct nwr_store_op *op);
void nwr_run_digests(struct nwr_engine *e, struct nwr_store_op *op);
void nwr_run_list(struct nwr_engine *e, struct nwr_store_op *op); /* LIST and PICK */
void nwr_run_hint_read(struct nwr_engine *e, struct nwr_store_op *op);
void nwr_run_hint_change(struct nwr_engine *e, struct nwr_store_op *op); /* PUT and DROP */
void nwr_run_check(struct nwr_engine *e, struct nwr_store_op *op);
void nwr_run_doubt(struct nwr_engine *e, struct nwr_store_op *op);
void nwr_run_clocks(struct nwr_engine *e, struct nwr_store_op *op);
void nwr_run_fold(struct nwr_engine *e, struct nwr_store_op *op);
void nwr_run_erase(struct nwr_engine *e, struct nwr_store_op *op);

#endif
