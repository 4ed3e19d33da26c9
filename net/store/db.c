/* db.c -- see db.h. */
#include "net/store/db.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <rocksdb/c.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define MIB ((size_t)1 << 20)
#define DB_OPEN_FILES_MAX 200
#define DB_CACHE_BYTES (32 * MIB)
#define DB_WRITE_BYTES (8 * MIB) /* memtable of one table */
#define DB_WAL_BYTES (64 * MIB)
#define DB_LOG_BYTES (1 * MIB)
#define DB_STREAM_BYTES (1 * MIB)
#define DB_BACKGROUND_JOBS 2
#define DB_LOG_FATAL 4     /* rocksdb::InfoLogLevel */
#define DB_POINT_IN_TIME 2 /* rocksdb::WALRecoveryMode */
#define DB_BLOOM_BITS 10
#define DB_COMPACT_BYTES (768 * MIB) /* of most: a file of 64 MiB, ten below it, one to spare */

struct nwr_db {
    rocksdb_t *db;
    rocksdb_options_t *options;
    rocksdb_options_t *data_options;
    rocksdb_writeoptions_t *write, *write_no_wait;
    rocksdb_readoptions_t *read;
    rocksdb_cache_t *cache;
    rocksdb_column_family_handle_t *cf[NWR_SPACE_END]; /* [0]: the default one, unused */
    rocksdb_iterator_t *iter[NWR_SPACE_END];           /* kept until the next write */
    char *dir;
    _Atomic enum nwr_err failed;
    _Atomic bool rotten;
    enum nwr_db_pace pace;
    pthread_mutex_t sync; /* held over a sync and while db is opened anew */
    uint64_t log_named;   /* the newest log whose name is on disk */
};

/* Takes the message. */
static enum nwr_err err_of(char *message)
{
    enum nwr_err err = NWR_OK;

    if (!message)
        return NWR_OK;
    if (strstr(message, "No space left"))
        err = NWR_E_NOSPC;
    else if (strstr(message, "Too many open files"))
        err = NWR_E_MFILE;
    else if (strstr(message, "Read-only file system"))
        err = NWR_E_ROFS;
    else if (strncmp(message, "Corruption", 10) == 0)
        err = NWR_E_CORRUPT;
    else if (strncmp(message, "Result incomplete", 17) == 0)
        err = NWR_E_BUSY;
    else if (strstr(message, "Permission denied"))
        err = NWR_E_ACCESS;
    else
        err = NWR_E_IO;
    rocksdb_free(message);
    return err;
}

/* The same, and what rotted is noted. */
static enum nwr_err note_err(struct nwr_db *db, char *message)
{
    enum nwr_err err = err_of(message);

    if (err == NWR_E_CORRUPT)
        atomic_store(&db->rotten, true);
    return err;
}

/* ---- opening -------------------------------------------------------------------------------- */

static rocksdb_options_t *make_options(rocksdb_cache_t *cache, bool compress)
{
    rocksdb_options_t *o = rocksdb_options_create();
    rocksdb_block_based_table_options_t *t = rocksdb_block_based_options_create();

    rocksdb_options_set_create_if_missing(o, 1);
    rocksdb_options_set_create_missing_column_families(o, 1);
    rocksdb_options_set_max_open_files(o, DB_OPEN_FILES_MAX);
    rocksdb_options_set_max_background_jobs(o, DB_BACKGROUND_JOBS);
    rocksdb_options_set_write_buffer_size(o, DB_WRITE_BYTES);
    rocksdb_options_set_max_total_wal_size(o, DB_WAL_BYTES);
    rocksdb_options_set_wal_recovery_mode(o, DB_POINT_IN_TIME);
    /* It has most to say on a full disk, and 7.8 aborts the process when it cannot. */
    rocksdb_options_set_info_log_level(o, DB_LOG_FATAL);
    rocksdb_options_set_max_log_file_size(o, DB_LOG_BYTES);
    rocksdb_options_set_keep_log_file_num(o, 2);
    rocksdb_options_set_stats_dump_period_sec(o, 0);
    /* Written out as they grow: a sync then has little left, and writers are not throttled. */
    rocksdb_options_set_bytes_per_sync(o, DB_STREAM_BYTES);
    rocksdb_options_set_wal_bytes_per_sync(o, DB_STREAM_BYTES);
    rocksdb_options_set_compression(o,
                                    compress ? rocksdb_snappy_compression : rocksdb_no_compression);
    rocksdb_block_based_options_set_block_cache(t, cache);
    rocksdb_block_based_options_set_filter_policy(
        t, rocksdb_filterpolicy_create_bloom_full(DB_BLOOM_BITS));
    rocksdb_options_set_block_based_table_factory(o, t);
    rocksdb_block_based_options_destroy(t);
    return o;
}

static const char *const table_name[NWR_SPACE_END] = {"default", "records", "blocks", "data",
                                                      "meta"};

static bool is_ample(const char *dir)
{
    struct statvfs st;

    return statvfs(dir, &st) == 0 && (uint64_t)st.f_bavail * st.f_frsize >= NWR_DB_AMPLE_BYTES;
}

static char *open_tables(struct nwr_db *db, bool read_only)
{
    const rocksdb_options_t *options[NWR_SPACE_END];
    char *message = NULL;

    db->pace = is_ample(db->dir) ? NWR_DB_CALM : NWR_DB_HOLD;
    rocksdb_options_set_disable_auto_compactions(db->options, db->pace == NWR_DB_HOLD);
    rocksdb_options_set_disable_auto_compactions(db->data_options, db->pace == NWR_DB_HOLD);
    for (int i = 0; i < NWR_SPACE_END; i++)
        options[i] = i == NWR_SPACE_DATA ? db->data_options : db->options;
    if (read_only)
        db->db = rocksdb_open_for_read_only_column_families(
            db->options, db->dir, NWR_SPACE_END, table_name, options, db->cf, 0, &message);
    else
        db->db = rocksdb_open_column_families(db->options, db->dir, NWR_SPACE_END, table_name,
                                              options, db->cf, &message);
    return message;
}

static void close_tables(struct nwr_db *db)
{
    nwr_db_rest(db);
    for (int i = 0; i < NWR_SPACE_END; i++)
        if (db->cf[i])
            rocksdb_column_family_handle_destroy(db->cf[i]);
    if (db->db)
        rocksdb_close(db->db);
    memset(db->cf, 0, sizeof(db->cf));
    db->db = NULL;
}

/* ---- what rotted ---------------------------------------------------------------------------- */

/* A table file that is not there is as bad as one that cannot be read. */
static bool is_rot(const char *message)
{
    return strncmp(message, "Corruption", 10) == 0 || strstr(message, "No such file");
}

static bool is_of(const rocksdb_livefiles_t *files, int i, enum nwr_space space)
{
    return strcmp(rocksdb_livefiles_column_family_name(files, i), table_name[space]) == 0;
}

/* The groups whose keys lie in the range of a file: those of records begin with their group, those
 * of blocks with an inode number. */
static void groups_of(const rocksdb_livefiles_t *files, int i, enum nwr_space space, uint32_t *from,
                      uint32_t *to)
{
    size_t len[2];
    const uint8_t *first = (const uint8_t *)rocksdb_livefiles_smallestkey(files, i, &len[0]);
    const uint8_t *last = (const uint8_t *)rocksdb_livefiles_largestkey(files, i, &len[1]);
    uint32_t shift = space == NWR_SPACE_RECORDS ? 0 : 6;

    *from = 0;
    *to = NWR_PGS_MAX - 1;
    if (len[0] < 2 || len[1] < 2)
        return;
    *from = ((uint32_t)first[0] << 8 | first[1]) >> shift;
    *to = NWR_MIN(*to, ((uint32_t)last[0] << 8 | last[1]) >> shift);
}

/* Blocks are found missing by who names them. */
static void note_lost(struct nwr_db_lost *lost, const rocksdb_livefiles_t *files, int i)
{
    uint32_t from, to;

    lost->any = true;
    lost->values |= is_of(files, i, NWR_SPACE_META);
    if (!is_of(files, i, NWR_SPACE_RECORDS))
        return;
    groups_of(files, i, NWR_SPACE_RECORDS, &from, &to);
    for (; from <= to; from++)
        lost->pg[from] = true;
}

static void drop_pages(const struct nwr_db *db, const char *name)
{
    char path[4096];
    int fd;

    snprintf(path, sizeof(path), "%s%s", db->dir, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    close(fd);
}

/* RocksDB's own copies go by a moment without room. */
static void drop_blocks(struct nwr_db *db)
{
    rocksdb_cache_set_capacity(db->cache, 0);
    rocksdb_cache_set_capacity(db->cache, DB_CACHE_BYTES);
}

void nwr_db_cool(struct nwr_db *db, enum nwr_space space, nwr_pg pg)
{
    const rocksdb_livefiles_t *files;

    if (!db->db)
        return;
    nwr_db_rest(db);
    drop_blocks(db);
    files = rocksdb_livefiles(db->db);
    for (int i = 0; i < rocksdb_livefiles_count(files); i++) {
        uint32_t from, to;

        groups_of(files, i, space, &from, &to);
        if (is_of(files, i, space) && from <= pg && pg <= to)
            drop_pages(db, rocksdb_livefiles_name(files, i));
    }
    rocksdb_livefiles_destroy(files);
}

/* From the disk: what rotted there is found at once then, not file by file. */
static bool is_readable(int dir, const char *name)
{
    uint8_t bytes[65536];
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
    ssize_t n;

    if (fd < 0)
        return errno == ENOENT; /* removed meanwhile */
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    do
        n = read(fd, bytes, sizeof(bytes));
    while (n > 0 || (n < 0 && errno == EINTR));
    close(fd);
    return n == 0;
}

/* RocksDB's repair sets aside what it cannot read, whatever the reason. What the disk does not give
 * today it may give tomorrow, and then it may be right: only what does not verify may go. */
static bool all_readable(const struct nwr_db *db)
{
    DIR *d = opendir(db->dir);
    struct dirent *e;
    bool good = d != NULL;

    while (good && (e = readdir(d))) {
        char *end;
        unsigned long number = strtoul(e->d_name, &end, 10);
        bool numbered = end != e->d_name && number > 0;

        if ((numbered && (strcmp(end, ".sst") == 0 || strcmp(end, ".log") == 0)) ||
            strncmp(e->d_name, "MANIFEST-", 9) == 0 || strcmp(e->d_name, "CURRENT") == 0)
            good = is_readable(dirfd(d), e->d_name);
    }
    if (d)
        closedir(d);
    return good;
}

/* The files that were listed and are not there any more. */
static void compare_files(struct nwr_db *db, const rocksdb_livefiles_t *files,
                          struct nwr_db_lost *lost)
{
    for (int i = 0; i < rocksdb_livefiles_count(files); i++) {
        char path[4096];

        snprintf(path, sizeof(path), "%s%s", db->dir, rocksdb_livefiles_name(files, i));
        if (access(path, F_OK) != 0)
            note_lost(lost, files, i);
    }
}

/* Everything may be missing. */
static void lose_all(struct nwr_db_lost *lost)
{
    lost->any = lost->values = true;
    for (uint32_t pg = 0; pg < NWR_PGS_MAX; pg++)
        lost->pg[pg] = true;
}

/* With tables closed: RocksDB lists anew what can be read, moves the rest to DIR/lost, and makes
 * tables of the log. Gives the message of what failed. */
static char *rebuild(struct nwr_db *db, struct nwr_db_lost *lost)
{
    const rocksdb_livefiles_t *files = NULL;
    char *message = NULL;

    rocksdb_options_set_paranoid_checks(db->options, 0);
    rocksdb_options_set_paranoid_checks(db->data_options, 0);
    message = open_tables(db, true);
    if (!message)
        files = rocksdb_livefiles(db->db);
    rocksdb_free(message);
    message = NULL;
    close_tables(db);
    rocksdb_options_set_paranoid_checks(db->options, 1);
    rocksdb_options_set_paranoid_checks(db->data_options, 1);
    rocksdb_repair_db(db->options, db->dir, &message);
    if (!message && files)
        compare_files(db, files, lost);
    else
        lose_all(lost);
    if (files)
        rocksdb_livefiles_destroy(files);
    return message ? message : open_tables(db, false);
}

bool nwr_db_rotten(const struct nwr_db *db)
{
    return atomic_load(&db->rotten);
}

enum nwr_err nwr_db_mend(struct nwr_db *db, struct nwr_db_lost *lost)
{
    enum nwr_err err;

    if (!all_readable(db))
        return NWR_E_IO;
    pthread_mutex_lock(&db->sync);
    close_tables(db);
    drop_blocks(db);
    err = err_of(rebuild(db, lost));
    atomic_store(&db->failed, err);
    atomic_store(&db->rotten, false);
    pthread_mutex_unlock(&db->sync);
    return err;
}

uint64_t nwr_db_sequence(struct nwr_db *db)
{
    uint64_t sequence;

    pthread_mutex_lock(&db->sync);
    sequence = db->db ? rocksdb_get_latest_sequence_number(db->db) : 0;
    pthread_mutex_unlock(&db->sync);
    return sequence;
}

static struct nwr_db *make_db(const char *dir)
{
    struct nwr_db *db = nwr_zalloc(sizeof(*db));

    db->cache = rocksdb_cache_create_lru(DB_CACHE_BYTES);
    db->options = make_options(db->cache, true);
    db->data_options = make_options(db->cache, false);
    db->write = rocksdb_writeoptions_create();
    db->write_no_wait = rocksdb_writeoptions_create();
    rocksdb_writeoptions_set_no_slowdown(db->write_no_wait, 1);
    db->read = rocksdb_readoptions_create();
    db->dir = nwr_strdup(dir);
    pthread_mutex_init(&db->sync, NULL);
    return db;
}

enum nwr_err nwr_db_open(struct nwr_db **out, const char *dir, struct nwr_db_lost *lost, char *text,
                         size_t text_len)
{
    struct nwr_db *db = make_db(dir);
    enum nwr_err err = NWR_OK;
    char *message;

    mkdir(dir, 0755); /* or RocksDB says why not; it is asked for its room first */
    message = open_tables(db, false);
    if (message && is_rot(message) && all_readable(db)) {
        rocksdb_free(message);
        close_tables(db);
        message = rebuild(db, lost);
    }
    if (message) {
        snprintf(text, text_len, "cannot open the database in %s: %s", dir, message);
        err = err_of(message);
        nwr_db_close(db);
        return err;
    }
    *out = db;
    return NWR_OK;
}

void nwr_db_close(struct nwr_db *db)
{
    enum nwr_err failed = atomic_load(&db->failed);

    /* 7.8 aborts over a log that the disk would not take. Then the process is about to end, and
     * what it has open ends with it. */
    if (failed == NWR_E_IO || failed == NWR_E_ROFS)
        return;
    close_tables(db);
    rocksdb_readoptions_destroy(db->read);
    rocksdb_writeoptions_destroy(db->write);
    rocksdb_writeoptions_destroy(db->write_no_wait);
    rocksdb_options_destroy(db->options);
    rocksdb_options_destroy(db->data_options);
    rocksdb_cache_destroy(db->cache);
    pthread_mutex_destroy(&db->sync);
    nwr_free(db->dir);
    nwr_free(db);
}

/* ---- reading -------------------------------------------------------------------------------- */

enum nwr_err nwr_db_get(struct nwr_db *db, const struct nwr_skey *key, struct nwr_blob **out)
{
    char *message = NULL;
    rocksdb_pinnableslice_t *slice;
    const char *value;
    size_t len;

    if (!db->db)
        return NWR_E_IO;
    slice = rocksdb_get_pinned_cf(db->db, db->read, db->cf[key->space], (const char *)key->b,
                                  key->len, &message);
    if (message)
        return note_err(db, message);
    if (!slice)
        return NWR_E_NOENT;
    value = rocksdb_pinnableslice_value(slice, &len);
    *out = nwr_blob_copy(value, len);
    rocksdb_pinnableslice_destroy(slice);
    return NWR_OK;
}

enum nwr_err nwr_db_scan(struct nwr_db *db, const struct nwr_skey *from,
                         bool (*on)(void *arg, const struct nwr_skey *key, const void *value,
                                    size_t len),
                         void *arg)
{
    enum nwr_space space = (enum nwr_space)from->space;
    rocksdb_iterator_t *it = db->iter[space];
    char *message = NULL;
    bool more = true;

    if (!db->db)
        return NWR_E_IO;
    if (!it)
        it = db->iter[space] = rocksdb_create_iterator_cf(db->db, db->read, db->cf[space]);
    for (rocksdb_iter_seek(it, (const char *)from->b, from->len); more && rocksdb_iter_valid(it);
         rocksdb_iter_next(it)) {
        size_t key_len, len;
        const char *k = rocksdb_iter_key(it, &key_len);
        const char *v = rocksdb_iter_value(it, &len);
        struct nwr_skey key;

        if (key_len > NWR_KEY_MAX) {
            atomic_store(&db->rotten, true);
            return NWR_E_CORRUPT;
        }
        key = nwr_skey_of(space, k, key_len);
        more = on(arg, &key, v, len);
    }
    rocksdb_iter_get_error(it, &message);
    return note_err(db, message);
}

void nwr_db_rest(struct nwr_db *db)
{
    for (int i = 0; i < NWR_SPACE_END; i++)
        if (db->iter[i]) {
            rocksdb_iter_destroy(db->iter[i]);
            db->iter[i] = NULL;
        }
}

/* ---- writing -------------------------------------------------------------------------------- */

static enum nwr_err put_batch(struct nwr_db *db, const struct nwr_sorted *changes, bool wait)
{
    rocksdb_writebatch_t *batch = rocksdb_writebatch_create();
    char *message = NULL;

    for (const struct nwr_sorted_node *n = changes->head[0]; n; n = n->next[0]) {
        const char *key = (const char *)n->key;

        if (n->value)
            rocksdb_writebatch_put_cf(batch, db->cf[n->space], key, n->key_len,
                                      (const char *)n->value->data, n->value->len);
        else
            rocksdb_writebatch_delete_cf(batch, db->cf[n->space], key, n->key_len);
    }
    rocksdb_write(db->db, wait ? db->write : db->write_no_wait, batch, &message);
    rocksdb_writebatch_destroy(batch);
    return note_err(db, message);
}

enum nwr_err nwr_db_write(struct nwr_db *db, const struct nwr_sorted *changes, bool wait)
{
    enum nwr_err err = atomic_load(&db->failed);

    if (err)
        return err;
    nwr_db_rest(db);
    err = put_batch(db, changes, wait);
    if (err && err != NWR_E_BUSY)
        atomic_store(&db->failed, err);
    return err;
}

static enum nwr_err err_of_errno(void)
{
    switch (errno) {
    case ENOSPC:
    case EDQUOT: return NWR_E_NOSPC;
    case EROFS: return NWR_E_ROFS;
    case EMFILE:
    case ENFILE: return NWR_E_MFILE;
    default: return NWR_E_IO;
    }
}

/* Removed meanwhile: what it held is in a table. */
static bool sync_log(int dir, const char *name)
{
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
    bool good;

    if (fd < 0)
        return errno == ENOENT;
    good = fdatasync(fd) == 0;
    close(fd);
    return good;
}

/* Every log there is holds what was written before, since RocksDB keeps nothing back. Not through
 * rocksdb_flush_wal: where a write has just failed on another thread, 7.8 aborts the process. */
static bool sync_logs(struct nwr_db *db, DIR *d)
{
    uint64_t newest = db->log_named;
    struct dirent *e;

    while ((e = readdir(d))) {
        char *end;
        uint64_t number = strtoull(e->d_name, &end, 10);

        if (end == e->d_name || strcmp(end, ".log") != 0)
            continue;
        if (!sync_log(dirfd(d), e->d_name))
            return false;
        newest = NWR_MAX(newest, number);
    }
    if (newest > db->log_named && fsync(dirfd(d)))
        return false;
    db->log_named = newest;
    return true;
}

enum nwr_err nwr_db_sync(struct nwr_db *db)
{
    enum nwr_err err;
    DIR *d;

    pthread_mutex_lock(&db->sync);
    err = atomic_load(&db->failed);
    if (!err) {
        d = opendir(db->dir);
        if (!d || !sync_logs(db, d))
            err = err_of_errno();
        if (d)
            closedir(d);
    }
    pthread_mutex_unlock(&db->sync);
    return err;
}

enum nwr_err nwr_db_failed(const struct nwr_db *db)
{
    return atomic_load(&db->failed);
}

/* Opening may fail again, for want of room for what the log holds: then at least to read. */
enum nwr_err nwr_db_recover(struct nwr_db *db)
{
    enum nwr_err err;

    pthread_mutex_lock(&db->sync);
    close_tables(db);
    err = err_of(open_tables(db, false));
    if (err)
        rocksdb_free(open_tables(db, true));
    else
        atomic_store(&db->failed, NWR_OK);
    pthread_mutex_unlock(&db->sync);
    return err;
}

/* Each deletion takes another entry along. Numbers that are not known are 0. */
static uint64_t lives_of(const rocksdb_livefiles_t *files, enum nwr_space space)
{
    uint64_t bytes = 0, put = 0, gone = 0;

    for (int i = 0; i < rocksdb_livefiles_count(files); i++) {
        if (!is_of(files, i, space))
            continue;
        bytes += rocksdb_livefiles_size(files, i);
        gone += rocksdb_livefiles_deletions(files, i);
        put += rocksdb_livefiles_entries(files, i) - rocksdb_livefiles_deletions(files, i);
    }
    return put ? (bytes / put + 1) * (put - NWR_MIN(put, gone)) : bytes;
}

struct nwr_db_need nwr_db_need(struct nwr_db *db)
{
    struct nwr_db_need need = {0};
    const rocksdb_livefiles_t *files;

    if (!db->db)
        return need;
    files = rocksdb_livefiles(db->db);
    for (int i = 1; i < NWR_SPACE_END; i++) {
        uint64_t bytes = 0;

        need.compact += lives_of(files, (enum nwr_space)i);
        if (!rocksdb_property_int_cf(db->db, db->cf[i], "rocksdb.cur-size-all-mem-tables", &bytes))
            need.flush += bytes;
    }
    rocksdb_livefiles_destroy(files);
    need.compact = NWR_MIN(need.compact, DB_COMPACT_BYTES);
    return need;
}

static void set_pace(struct nwr_db *db, enum nwr_db_pace pace)
{
    const char *key[] = {"level0_file_num_compaction_trigger", "disable_auto_compactions"};
    const char *value[] = {pace == NWR_DB_CALM ? "4" : "1", pace == NWR_DB_HOLD ? "true" : "false"};

    for (int i = 1; i < NWR_SPACE_END; i++) {
        char *message = NULL;

        rocksdb_set_options_cf(db->db, db->cf[i], 2, key, value, &message);
        rocksdb_free(message);
    }
    db->pace = pace;
}

/* Deletions must reach a table, and tables few enough to be merged, before they free anything. */
void nwr_db_pace(struct nwr_db *db, enum nwr_db_pace pace, bool flush)
{
    rocksdb_flushoptions_t *o;

    if (atomic_load(&db->failed))
        return;
    if (pace != db->pace)
        set_pace(db, pace);
    if (!flush)
        return;
    o = rocksdb_flushoptions_create();
    rocksdb_flushoptions_set_wait(o, 0);
    for (int i = 1; i < NWR_SPACE_END; i++) {
        char *message = NULL;

        rocksdb_flush_cf(db->db, o, db->cf[i], &message);
        rocksdb_free(message);
    }
    rocksdb_flushoptions_destroy(o);
}
