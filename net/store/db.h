/* db.h -- RocksDB behind four tables; nothing above knows its types.
 *
 * Every write reaches the page cache before it returns (kill -9 loses nothing), nwr_db_sync the
 * disk. Recovery after power loss is to a point in time: a batch is there whole or not at all.
 *
 * After a failed write the log of RocksDB must not be touched any more (7.8 aborts the process
 * when it is synced), so from then on this refuses, and recovers by opening anew.
 *
 * Thread: one at a time, but nwr_db_sync may run beside the others.
 */
#ifndef NWR_STORE_DB_H
#define NWR_STORE_DB_H

#include "net/store/sorted.h"
#include "net/store/store.h"

struct nwr_db;

/* More room than RocksDB ever needs at once. */
#define NWR_DB_AMPLE_BYTES ((uint64_t)1 << 30)

/* When it compacts. One for which there is no room takes all that is left, and fails. */
enum nwr_db_pace {
    NWR_DB_CALM,
    NWR_DB_SQUEEZE, /* the disk is full: rather compact early than keep what was removed */
    NWR_DB_HOLD,    /* a compaction would not fit: none is begun */
};

/* What table files that were set aside held: groups whose records they may have had. */
struct nwr_db_lost {
    bool any;    /* a file was set aside */
    bool values; /* ... of META */
    bool pg[NWR_PGS_MAX];
};

/* Where room is not ample, it compacts only when it is told its pace.
 * text: one line for people on failure. A database that does not open for what rotted is rebuilt
 * from the files that can be read; *lost says what went. */
enum nwr_err nwr_db_open(struct nwr_db **out, const char *dir, struct nwr_db_lost *lost, char *text,
                         size_t text_len);
void nwr_db_close(struct nwr_db *db);
enum nwr_err nwr_db_get(struct nwr_db *db, const struct nwr_skey *key, struct nwr_blob **out);
enum nwr_err nwr_db_scan(struct nwr_db *db, const struct nwr_skey *from,
                         bool (*on)(void *arg, const struct nwr_skey *key, const void *value,
                                    size_t len),
                         void *arg);
/* One atomic batch; NULL values delete. wait = false: E_BUSY instead of waiting for compaction. */
enum nwr_err nwr_db_write(struct nwr_db *db, const struct nwr_sorted *changes, bool wait);
enum nwr_err nwr_db_sync(struct nwr_db *db);
/* A write that failed makes all later ones fail; reads go on. */
enum nwr_err nwr_db_failed(const struct nwr_db *db);
/* After E_NOSPC or E_MFILE, once there is room: writes are possible again when it gives OK. */
enum nwr_err nwr_db_recover(struct nwr_db *db);
/* Something read or written since the last mending was corrupt. */
bool nwr_db_rotten(const struct nwr_db *db);
/* Sets aside the table files that do not verify (in DIR/lost), and goes on without them. E_IO:
 * nothing was done, since a file could not be read: whether it verifies is not known. */
enum nwr_err nwr_db_mend(struct nwr_db *db, struct nwr_db_lost *lost);
/* Number of the last write; smaller than it was: writes are lost. */
uint64_t nwr_db_sequence(struct nwr_db *db);
/* What RocksDB may write by itself before it gives any of it back. */
struct nwr_db_need {
    uint64_t flush, compact;
};

/* Estimates; a compaction is taken to leave out what was removed. */
struct nwr_db_need nwr_db_need(struct nwr_db *db);
/* flush: what is in memory too, since only what is in a table can be left out. */
void nwr_db_pace(struct nwr_db *db, enum nwr_db_pace pace, bool flush);
/* What table files hold of pg in space is read from the disk the next time. */
void nwr_db_cool(struct nwr_db *db, enum nwr_space space, nwr_pg pg);
/* Lets go of files that a scan kept from being removed. */
void nwr_db_rest(struct nwr_db *db);

#endif
