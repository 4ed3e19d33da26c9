/* store_rocks.c -- the store of a real node: RocksDB and segment files, on two threads.
 *
 *   1 submit: a small op that need not wait for the disk is carried out at once, if nothing
 *     is queued before it; the poll that follows completes it, and no wake-up is needed for that
 *   2 others go to the worker; it takes all that is queued and makes one batch of the changes
 *     of neighbours
 *   3 SYNC and META_PUT go on to the sync thread once what was before them is written; it takes
 *     all that wait, syncs segments, then the log of the database, and completes them together
 *   4 what is done is listed, fd becomes readable, poll runs done
 *
 * A batch that cannot be written fails all its ops. After a failed sync every later one fails:
 * what the kernel forgot cannot be told from what it wrote. Not so for want of room or of
 * descriptors: the kernel was asked for nothing, or has kept it.
 *
 * Locks: work (engine, tables) is taken before q (lists); neither is held over a sync.
 */
#include "net/store/store_rocks.h"

#include "net/store/compact.h"
#include "net/store/dir.h"
#include "net/store/engine.h"
#include "net/store/mark.h"
#include "net/store/tables.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define GROUP_BYTES ((uint64_t)4 << 20)
#define INLINE_BYTES NWR_BLOCK_SEGMENT /* block bytes of an op carried out in submit */
#define MAINTENANCE_MS 1000

struct list {
    struct nwr_store_op *first, *last;
};

struct rocks {
    struct nwr_store store;
    struct nwr_engine engine;
    struct nwr_tables tables;
    struct nwr_compact compact;
    struct nwr_db *db;
    struct nwr_segments *segments;
    pthread_mutex_t marking; /* mark; taken alone, or after work */
    struct nwr_mark mark;
    int lock, dir, event;
    bool started, frozen; /* frozen: entries were unreadable, no file is given back */
    enum nwr_store_mode mode;

    pthread_mutex_t work; /* engine and tables */
    struct list group;    /* carried out, not written yet */

    pthread_mutex_t q;
    pthread_cond_t have_work, have_sync;
    struct list in, syncing, done;
    bool busy, stop_work, stop_sync, want_sync;
    enum nwr_err sync_failed;
    struct nwr_store_stat stat; /* as the engine last left it */
    uint64_t syncs;
    atomic_bool signalled;
    pthread_t worker, syncer;

    struct list ready; /* loop thread only */
    bool polling;
};

static struct rocks *of(struct nwr_store *s)
{
    return nwr_container_of(s, struct rocks, store);
}

static void push(struct list *l, struct nwr_store_op *op)
{
    op->next = NULL;
    if (l->first)
        l->last->next = op;
    else
        l->first = op;
    l->last = op;
}

static void append(struct list *l, struct list *more)
{
    if (!more->first)
        return;
    if (l->first)
        l->last->next = more->first;
    else
        l->first = more->first;
    l->last = more->last;
    *more = (struct list){0};
}

static struct nwr_store_op *pop(struct list *l)
{
    struct nwr_store_op *op = l->first;

    if (op) {
        l->first = op->next;
        op->next = NULL;
    }
    return op;
}

static void wake_loop(struct rocks *r)
{
    uint64_t one = 1;

    if (!atomic_exchange(&r->signalled, true))
        (void)!write(r->event, &one, sizeof(one));
}

/* The loop must not wait for a worker that writes, only to read a few numbers. */
static void publish_stat(struct rocks *r)
{
    pthread_mutex_lock(&r->q);
    r->stat = r->engine.stat;
    pthread_mutex_unlock(&r->q);
}

static void complete(struct rocks *r, struct list *ops)
{
    if (!ops->first)
        return;
    pthread_mutex_lock(&r->q);
    append(&r->done, ops);
    pthread_mutex_unlock(&r->q);
    wake_loop(r);
}

static void to_sync(struct rocks *r, struct nwr_store_op *op)
{
    pthread_mutex_lock(&r->q);
    push(&r->syncing, op);
    pthread_cond_signal(&r->have_sync);
    pthread_mutex_unlock(&r->q);
}

/* ---- what is kept beside the database ------------------------------------------------------- */

static void note_synced(struct rocks *r, uint64_t sequence)
{
    pthread_mutex_lock(&r->marking);
    nwr_mark_note(&r->mark, sequence);
    pthread_mutex_unlock(&r->marking);
}

static void note_value(struct rocks *r, const char *name, const struct nwr_blob *value)
{
    pthread_mutex_lock(&r->marking);
    nwr_mark_put(&r->mark, name, value);
    pthread_mutex_unlock(&r->marking);
}

/* Named values that are not there, or older, become those of the copy. */
static enum nwr_err restore_values(struct rocks *r)
{
    struct nwr_sorted changes = {0};
    enum nwr_err err;

    pthread_mutex_lock(&r->marking);
    for (uint32_t i = 0; i < r->mark.nvalue; i++) {
        const struct nwr_mark_value *v = &r->mark.value[i];
        struct nwr_skey key = nwr_skey_of(NWR_SPACE_META, v->name, strlen(v->name));

        nwr_sorted_put(&changes, &key, nwr_seal(&key, v->value->data, v->value->len));
    }
    pthread_mutex_unlock(&r->marking);
    err = changes.n ? nwr_db_write(r->db, &changes, true) : NWR_OK;
    nwr_sorted_deinit(&changes);
    return err;
}

/* ---- the sync thread ------------------------------------------------------------------------ */

static enum nwr_err sync_now(struct rocks *r)
{
    uint64_t mark;
    enum nwr_err err = nwr_segments_sync(r->segments, &mark);
    uint64_t sequence = nwr_db_sequence(r->db);

    if (!err)
        err = nwr_db_sync(r->db);
    if (!err)
        note_synced(r, sequence);
    if (!err && !r->frozen)
        nwr_segments_reclaim(r->segments, mark);
    return err;
}

static void sync_all(struct rocks *r, struct list *ops)
{
    enum nwr_err err = r->sync_failed;

    for (struct nwr_store_op *op = ops->first; op && !err; op = op->next)
        if (op->kind == NWR_STORE_META_PUT)
            note_value(r, op->name, op->value);
    if (!err)
        err = sync_now(r);
    for (struct nwr_store_op *op = ops->first; op; op = op->next)
        op->err = err;
    pthread_mutex_lock(&r->q);
    if (err && err != NWR_E_NOSPC && err != NWR_E_MFILE && err != NWR_E_CORRUPT)
        r->sync_failed = err;
    r->syncs++;
    pthread_mutex_unlock(&r->q);
    complete(r, ops);
}

static void *sync_main(void *arg)
{
    struct rocks *r = arg;

    pthread_mutex_lock(&r->q);
    for (;;) {
        struct list ops = r->syncing;

        if (!ops.first && !r->want_sync) {
            if (r->stop_sync)
                break;
            pthread_cond_wait(&r->have_sync, &r->q);
            continue;
        }
        r->syncing = (struct list){0};
        r->want_sync = false;
        pthread_mutex_unlock(&r->q);
        sync_all(r, &ops);
        pthread_mutex_lock(&r->q);
    }
    pthread_mutex_unlock(&r->q);
    return NULL;
}

/* ---- the worker ----------------------------------------------------------------------------- */

/* Writes the group; its ops move to out. */
static void end_group(struct rocks *r, struct list *out)
{
    enum nwr_err err = nwr_tables_flush(&r->tables);

    for (struct nwr_store_op *op = r->group.first; err && op; op = op->next) {
        nwr_store_op_deinit(op);
        op->err = err;
    }
    if (err)
        nwr_engine_forget(&r->engine);
    append(out, &r->group);
}

static bool scans(enum nwr_store_kind kind)
{
    return kind == NWR_STORE_READ || kind == NWR_STORE_DIGESTS || kind == NWR_STORE_LIST ||
           kind == NWR_STORE_PICK || kind == NWR_STORE_HINT_READ || kind == NWR_STORE_ERASE ||
           kind == NWR_STORE_CHECK || kind == NWR_STORE_FOLD;
}

/* Ops whose reads are single keys: they see the group's changes. */
static bool may_join(const struct nwr_store_op *op)
{
    if (op->kind != NWR_STORE_APPLY)
        return !scans(op->kind);
    for (uint32_t i = 0; i < op->nguard; i++)
        if (op->guard[i].kind == NWR_GUARD_EMPTY || op->guard[i].kind == NWR_GUARD_BARE)
            return false;
    return true;
}

static void work_on(struct rocks *r, struct nwr_store_op *op, struct list *out)
{
    if (!may_join(op))
        end_group(r, out);
    /* One that scans may read again what it set right. */
    r->tables.group = may_join(op);
    if (op->kind != NWR_STORE_SYNC)
        nwr_engine_run(&r->engine, op);
    r->tables.group = true;
    switch (op->kind) {
    case NWR_STORE_APPLY:
    case NWR_STORE_BLOCK_PUT:
    case NWR_STORE_HINT_PUT:
    case NWR_STORE_HINT_DROP:
    case NWR_STORE_DOUBT:
    case NWR_STORE_CLOCKS:
    case NWR_STORE_FOLD:
    case NWR_STORE_ERASE: push(op->err ? out : &r->group, op); break;
    case NWR_STORE_SYNC:
    case NWR_STORE_META_PUT:
        end_group(r, out);
        to_sync(r, op);
        break;
    case NWR_STORE_READ:
    case NWR_STORE_BLOCK_GET:
    case NWR_STORE_META_GET:
    case NWR_STORE_DIGESTS:
    case NWR_STORE_LIST:
    case NWR_STORE_PICK:
    case NWR_STORE_CHECK:
    case NWR_STORE_HINT_READ: push(out, op); break;
    }
    if (r->tables.pending_bytes >= GROUP_BYTES)
        end_group(r, out);
}

/* Reads of several blocks run beside each other in the disk. */
static void hint_all(struct rocks *r, const struct list *ops)
{
    for (const struct nwr_store_op *op = ops->first; op; op = op->next)
        if (op->kind == NWR_STORE_BLOCK_GET)
            nwr_engine_hint(&r->engine, op);
}

static void work_through(struct rocks *r, struct list *ops)
{
    struct list out = {0};
    struct nwr_store_op *op;

    pthread_mutex_lock(&r->work);
    r->tables.group = r->tables.patient = true;
    hint_all(r, ops);
    while ((op = pop(ops))) {
        work_on(r, op, &out);
        if (out.first && !r->group.first)
            complete(r, &out);
    }
    end_group(r, &out);
    r->tables.group = false;
    publish_stat(r);
    pthread_mutex_unlock(&r->work);
    complete(r, &out);
}

static uint32_t sparse(struct nwr_engine *e, uint32_t after)
{
    struct rocks *r = nwr_container_of(e, struct rocks, engine);

    return nwr_segments_sparse(r->segments, after);
}

/* What rotted is set aside, and the groups it may have held are in doubt. */
static void mend(struct rocks *r)
{
    struct nwr_db_lost *lost = nwr_zalloc(sizeof(*lost));
    uint64_t before = nwr_db_sequence(r->db);

    nwr_tables_mend(&r->tables, lost);
    if (lost->any) {
        if (nwr_db_sequence(r->db) < before)
            memset(lost->pg, true, sizeof(lost->pg));
        nwr_engine_forget(&r->engine);
        nwr_engine_doubt(&r->engine, lost->pg);
        restore_values(r);
    }
    nwr_free(lost);
}

/* True: there may be more to do soon. */
static bool maintain(struct rocks *r)
{
    bool waiting, more;

    pthread_mutex_lock(&r->work);
    r->tables.patient = true;
    nwr_tables_tend(&r->tables);
    mend(r);
    nwr_engine_sweep(&r->engine, false);
    more = !r->frozen && nwr_compact_step(&r->compact, &r->engine, sparse);
    nwr_db_rest(r->db);
    waiting = nwr_segments_waiting(r->segments);
    publish_stat(r);
    pthread_mutex_unlock(&r->work);
    if (!waiting)
        return more;
    pthread_mutex_lock(&r->q);
    r->want_sync = true;
    pthread_cond_signal(&r->have_sync);
    pthread_mutex_unlock(&r->q);
    return more;
}

/* Waits for work, but not beyond due, when it is time for maintenance. */
static void wait_for_work(struct rocks *r, nwr_ms due)
{
    struct timespec until = {.tv_sec = due / 1000, .tv_nsec = due % 1000 * 1000000};
    int rc = 0;

    while (!r->in.first && !r->stop_work && rc == 0)
        rc = pthread_cond_timedwait(&r->have_work, &r->q, &until);
}

/* Maintenance comes between two times of work too: who never rests may need it most. */
static void *work_main(void *arg)
{
    struct rocks *r = arg;
    nwr_ms due = nwr_clock_ms() + MAINTENANCE_MS;

    pthread_mutex_lock(&r->q);
    for (;;) {
        struct list ops;

        wait_for_work(r, due);
        ops = r->in;
        if (r->stop_work && !ops.first)
            break;
        r->in = (struct list){0};
        r->busy = ops.first != NULL;
        pthread_mutex_unlock(&r->q);
        if (r->busy)
            work_through(r, &ops);
        if (!r->busy || nwr_clock_ms() >= due)
            due = nwr_clock_ms() + (maintain(r) && !r->busy ? 0 : MAINTENANCE_MS);
        pthread_mutex_lock(&r->q);
        r->busy = false;
    }
    pthread_mutex_unlock(&r->q);
    return NULL;
}

/* ---- the loop thread ------------------------------------------------------------------------ */

static bool is_small(const struct nwr_store_op *op)
{
    uint64_t bytes = 0;

    if (op->kind == NWR_STORE_CHECK)
        return false;
    if (op->kind == NWR_STORE_APPLY || op->kind == NWR_STORE_BLOCK_PUT)
        for (uint32_t i = 0; i < op->nblock; i++)
            bytes += op->block[i].data ? op->block[i].data->len : 0;
    return bytes < INLINE_BYTES;
}

/* Carries op out here; false: it would have waited, and nothing was done. */
static bool run_here(struct rocks *r, struct nwr_store_op *op)
{
    bool stalled;

    if (pthread_mutex_trylock(&r->work))
        return false;
    r->tables.patient = r->tables.stalled = false;
    nwr_engine_run(&r->engine, op);
    stalled = op->err == NWR_E_BUSY && r->tables.stalled;
    publish_stat(r);
    pthread_mutex_unlock(&r->work);
    if (stalled)
        nwr_store_op_deinit(op);
    return !stalled;
}

static bool nothing_queued(struct rocks *r)
{
    bool idle;

    pthread_mutex_lock(&r->q);
    idle = !r->in.first && !r->busy;
    pthread_mutex_unlock(&r->q);
    return idle;
}

static void enqueue(struct rocks *r, struct nwr_store_op *op)
{
    pthread_mutex_lock(&r->q);
    push(&r->in, op);
    pthread_cond_signal(&r->have_work);
    pthread_mutex_unlock(&r->q);
}

static void rocks_submit(struct nwr_store *s, struct nwr_store_op *op)
{
    struct rocks *r = of(s);

    bool inline_now = r->mode != NWR_STORE_THREADED && nothing_queued(r);
    bool only_sync = inline_now && op->kind == NWR_STORE_SYNC;

    if (!only_sync && !(inline_now && is_small(op) && run_here(r, op))) {
        enqueue(r, op);
    } else if (only_sync || (op->kind == NWR_STORE_META_PUT && !op->err)) {
        to_sync(r, op);
    } else {
        push(&r->ready, op);
    }
}

/* The event is read before the lists: what is listed later signals again. */
static void rocks_poll(struct nwr_store *s)
{
    struct rocks *r = of(s);
    struct nwr_store_op *op;
    uint64_t n;

    if (r->polling)
        return;
    r->polling = true;
    if (atomic_load(&r->signalled)) {
        (void)!read(r->event, &n, sizeof(n));
        atomic_store(&r->signalled, false);
    }
    pthread_mutex_lock(&r->q);
    append(&r->ready, &r->done);
    pthread_mutex_unlock(&r->q);
    while ((op = pop(&r->ready)))
        op->done(op);
    r->polling = false;
}

static int rocks_fd(struct nwr_store *s)
{
    return of(s)->event;
}

static void rocks_stat(struct nwr_store *s, struct nwr_store_stat *out)
{
    struct rocks *r = of(s);

    pthread_mutex_lock(&r->q);
    *out = r->stat;
    out->syncs = r->syncs;
    pthread_mutex_unlock(&r->q);
    nwr_tables_room(&r->tables, &out->bytes_total, &out->bytes_free);
    nwr_segments_stat(r->segments, &out->segment_bytes, &out->segment_live);
}

/* ---- opening and closing -------------------------------------------------------------------- */

static void stop_thread(struct rocks *r, bool *stop, pthread_cond_t *cond, pthread_t thread)
{
    pthread_mutex_lock(&r->q);
    *stop = true;
    pthread_cond_signal(cond);
    pthread_mutex_unlock(&r->q);
    pthread_join(thread, NULL);
}

static void free_rocks(struct rocks *r)
{
    nwr_tables_deinit(&r->tables);
    nwr_engine_deinit(&r->engine);
    if (r->db)
        nwr_db_close(r->db);
    if (r->segments)
        nwr_segments_close(r->segments);
    nwr_mark_deinit(&r->mark);
    if (r->event >= 0)
        close(r->event);
    if (r->dir >= 0)
        close(r->dir);
    if (r->lock >= 0)
        close(r->lock);
    pthread_cond_destroy(&r->have_work);
    pthread_cond_destroy(&r->have_sync);
    pthread_mutex_destroy(&r->marking);
    pthread_mutex_destroy(&r->work);
    pthread_mutex_destroy(&r->q);
    nwr_free(r);
}

static void rocks_destroy(struct nwr_store *s)
{
    struct rocks *r = of(s);

    if (r->started) {
        stop_thread(r, &r->stop_work, &r->have_work, r->worker);
        stop_thread(r, &r->stop_sync, &r->have_sync, r->syncer);
        if (!r->sync_failed)
            sync_now(r);
        while (r->ready.first || r->done.first)
            rocks_poll(s);
    }
    free_rocks(r);
}

static struct rocks *make_rocks(void)
{
    struct rocks *r = nwr_zalloc(sizeof(*r));
    pthread_condattr_t attr;

    r->store =
        (struct nwr_store){rocks_submit, rocks_poll, rocks_fd, rocks_stat, rocks_destroy, NULL};
    r->lock = r->dir = -1;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&r->have_work, &attr);
    pthread_cond_init(&r->have_sync, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&r->marking, NULL);
    pthread_mutex_init(&r->work, NULL);
    pthread_mutex_init(&r->q, NULL);
    r->event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return r;
}

/* Where entries cannot be read, what they point at is unknown: then no file is given back. */
static enum nwr_err take_stock(struct rocks *r)
{
    enum nwr_err err = nwr_engine_census(&r->engine);

    if (!err)
        err = nwr_engine_start(&r->engine);
    if (err == NWR_E_CORRUPT && nwr_db_rotten(r->db))
        return err;
    r->frozen = err == NWR_E_CORRUPT || r->engine.ndoubt;
    if (err == NWR_E_CORRUPT)
        err = NWR_OK;
    if (!err)
        err = sync_now(r);
    if (!err && !r->frozen)
        nwr_segments_reclaim(r->segments, UINT64_MAX);
    return err == NWR_E_NOSPC ? NWR_OK : err;
}

/* The named values, for a copy that is lost. The others of META (hints, digests) are only read. */
static bool on_value(void *arg, const struct nwr_skey *key, const void *value, size_t len)
{
    struct rocks *r = arg;
    char name[NWR_KEY_MAX + 1] = "";
    const uint8_t *p;
    size_t n;

    memcpy(name, key->b, key->len);
    p = nwr_unseal(key, value, len, &n);
    if (p && !r->mark.values_known && strlen(name) == key->len && strncmp(name, "store.", 6) != 0) {
        struct nwr_blob *b = nwr_blob_copy(p, n);

        nwr_mark_put(&r->mark, name, b);
        nwr_blob_unref(b);
    }
    return true;
}

static enum nwr_err read_values(struct rocks *r)
{
    struct nwr_skey first = nwr_skey_of(NWR_SPACE_META, "", 0);
    enum nwr_err err = nwr_db_scan(r->db, &first, on_value, r);

    nwr_db_rest(r->db);
    return err;
}

/* What is gone for good, or may be: the groups are in doubt, named values come from their copy. */
static enum nwr_err take_loss(struct rocks *r, const struct nwr_db_lost *lost, char *text,
                              size_t text_len)
{
    enum nwr_err err = NWR_OK;

    if (lost->values && !r->mark.values_known) {
        snprintf(text, text_len, "%s",
                 "what this node is cannot be told any more from its files; "
                 "give an empty directory, and nwrfs ring replace on another node");
        return NWR_E_CORRUPT;
    }
    if (lost->values)
        err = restore_values(r);
    if (!err)
        err = nwr_engine_doubt_load(&r->engine);
    if (!err && lost->any)
        err = nwr_engine_doubt(&r->engine, lost->pg);
    if (!err)
        err = read_values(r);
    return err;
}

/* Twice: the first time, what is read here may turn out to be rotten. */
static enum nwr_err open_database(struct rocks *r, struct nwr_db_lost *lost, char *text,
                                  size_t text_len)
{
    enum nwr_err err = NWR_OK;

    for (int i = 0; i < 2; i++) {
        if (nwr_db_sequence(r->db) < r->mark.sequence) {
            lost->any = lost->values = true;
            memset(lost->pg, true, sizeof(lost->pg));
        }
        err = take_loss(r, lost, text, text_len);
        if (!err)
            err = take_stock(r);
        if (err != NWR_E_CORRUPT || !nwr_db_rotten(r->db))
            break;
        err = nwr_db_mend(r->db, lost);
        if (err)
            break;
    }
    if (err && !*text)
        snprintf(text, text_len, "cannot read the database: %s", nwr_err_text(err));
    return err;
}

static enum nwr_err open_files(struct rocks *r, const char *dir, uint64_t segment_bytes, char *text,
                               size_t text_len)
{
    char path[4096];
    enum nwr_err err;

    r->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (r->dir < 0 || r->event < 0) {
        snprintf(text, text_len, "cannot open %s: %s", dir, strerror(errno));
        return NWR_E_IO;
    }
    snprintf(path, sizeof(path), "%s/segments", dir);
    err = nwr_segments_open(&r->segments, path, segment_bytes);
    if (err)
        snprintf(text, text_len, "cannot open %s: %s", path, nwr_err_text(err));
    return err;
}

static enum nwr_err open_parts(struct rocks *r, const char *dir, uint64_t segment_bytes, char *text,
                               size_t text_len)
{
    struct nwr_db_lost *lost = nwr_zalloc(sizeof(*lost));
    char path[4096], why[200] = "";
    enum nwr_err err = open_files(r, dir, segment_bytes, text, text_len);

    if (err)
        goto out;
    if (nwr_mark_open(&r->mark, r->dir) == NWR_MARK_LOST) {
        lost->any = lost->values = true;
        memset(lost->pg, true, sizeof(lost->pg));
    }
    snprintf(path, sizeof(path), "%s/db", dir);
    err = nwr_db_open(&r->db, path, lost, text, text_len);
    if (err)
        goto out;
    nwr_tables_init(&r->tables, r->db, r->segments, r->dir);
    nwr_engine_init(&r->engine, &r->tables.kv);
    r->engine.store = &r->store;
    err = open_database(r, lost, why, sizeof(why));
    publish_stat(r);
    if (err)
        snprintf(text, text_len, "data: %s: %s", dir, why);
out:
    nwr_free(lost);
    return err;
}

enum nwr_err nwr_store_rocks_open(struct nwr_store **out, const char *dir, nwr_ms wait_ms,
                                  char *text, size_t text_len)
{
    return nwr_store_rocks_open_sized(out, dir, wait_ms, NWR_SEGMENT_BYTES, text, text_len);
}

enum nwr_err nwr_store_rocks_open_sized(struct nwr_store **out, const char *dir, nwr_ms wait_ms,
                                        uint64_t segment_bytes, char *text, size_t text_len)
{
    struct rocks *r = make_rocks();
    enum nwr_err err = nwr_dir_open(dir, wait_ms, &r->lock, text, text_len);

    if (!err)
        err = open_parts(r, dir, segment_bytes, text, text_len);
    if (!err && (pthread_create(&r->worker, NULL, work_main, r) ||
                 pthread_create(&r->syncer, NULL, sync_main, r))) {
        snprintf(text, text_len, "cannot start a thread");
        err = NWR_E_NOMEM;
    }
    if (err) {
        free_rocks(r);
        return err;
    }
    r->started = true;
    *out = &r->store;
    return NWR_OK;
}

void nwr_store_rocks_mode(struct nwr_store *s, enum nwr_store_mode mode)
{
    of(s)->mode = mode;
}

enum nwr_err nwr_store_rocks_verify(struct nwr_store *s, struct nwr_verify *out)
{
    struct rocks *r = of(s);
    enum nwr_err err;

    pthread_mutex_lock(&r->work);
    r->tables.patient = true;
    err = nwr_engine_verify(&r->engine, out);
    pthread_mutex_unlock(&r->work);
    return err;
}
