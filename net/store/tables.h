/* tables.h -- a kv on RocksDB and segment files, with writes gathered into groups.
 *
 * While `group` is set, writes wait in `pending` (reads see them) until nwr_tables_flush makes
 * one batch of them: all of a group or nothing. Otherwise each is written at once.
 *
 * Thread: one at a time, under the store's lock.
 */
#ifndef NWR_STORE_TABLES_H
#define NWR_STORE_TABLES_H

#include "net/store/db.h"
#include "net/store/kv.h"
#include "net/store/segment.h"

/* Room that only removals may use, beyond what RocksDB needs to write memtables and to compact. */
#define NWR_STORE_RESERVE_BYTES ((uint64_t)32 << 20)
/* What stays free beside anything that RocksDB is told to do: removals go on meanwhile. */
#define NWR_STORE_MARGIN_BYTES ((uint64_t)4 << 20)
/* Room that nothing uses: RocksDB must not meet the end of the disk when it writes its log. */
#define NWR_STORE_LAST_BYTES ((uint64_t)256 << 10)

struct nwr_tables {
    struct nwr_kv kv;
    struct nwr_db *db;
    struct nwr_segments *segments;
    int fd; /* the data directory */
    bool group;
    bool patient; /* false: rather fail than wait for the disk */
    bool stalled; /* an impatient call failed for that reason */
    struct nwr_sorted pending;
    uint64_t pending_bytes;
    struct nwr_place *drop; /* of the group */
    uint32_t ndrop, capdrop;
    bool is_full;
    uint64_t avail;
    uint64_t room_bytes; /* written since room was looked at */
    nwr_ms room_at;
    struct nwr_db_need need;
    uint64_t need_bytes;  /* written to the database since need was asked */
    uint64_t tried_avail; /* room there was when recovery failed */
    nwr_ms mend_at, mend_pause;
};

void nwr_tables_init(struct nwr_tables *t, struct nwr_db *db, struct nwr_segments *s, int fd);
void nwr_tables_deinit(struct nwr_tables *t); /* db and segments stay the caller's */
enum nwr_err nwr_tables_flush(struct nwr_tables *t);
/* Bytes of the file system below. */
void nwr_tables_room(const struct nwr_tables *t, uint64_t *total, uint64_t *avail);
/* Looks after the disk: gathers what was removed while it is full, recovers after it was. */
void nwr_tables_tend(struct nwr_tables *t);
/* Goes on without table files that rotted, if any was met. Each time that nothing is found, it
 * waits longer before it looks again. */
void nwr_tables_mend(struct nwr_tables *t, struct nwr_db_lost *lost);
nwr_ms nwr_clock_ms(void);

#endif
