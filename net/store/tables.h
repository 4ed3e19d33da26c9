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

/* Room that only removals may use: RocksDB needs some to write a memtable or to compact. */
#define NWR_STORE_RESERVE_BYTES ((uint64_t)32 << 20)

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
    uint64_t room_bytes; /* written since room was looked at */
    nwr_ms room_at;
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
