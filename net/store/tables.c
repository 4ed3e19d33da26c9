/* tables.c -- see tables.h. */
#include "net/store/tables.h"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#define ROOM_MS 100 /* room is looked at again after this time */
#define MEND_MS 60000
#define ROOM_BYTES ((uint64_t)4 << 20) /* or after so much was written */
#define DESCRIPTORS 32

nwr_ms nwr_clock_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
    return (nwr_ms)ts.tv_sec * 1000 + (nwr_ms)ts.tv_nsec / 1000000;
}

static struct nwr_tables *of(struct nwr_kv *kv)
{
    return nwr_container_of(kv, struct nwr_tables, kv);
}

/* Impatient calls say E_BUSY where they would have waited; the store repeats the op elsewhere. */
static enum nwr_err note_stall(struct nwr_tables *t, enum nwr_err err)
{
    t->stalled |= err == NWR_E_BUSY;
    return err;
}

static enum nwr_err tables_get(struct nwr_kv *kv, const struct nwr_skey *key, struct nwr_blob **out)
{
    struct nwr_tables *t = of(kv);
    struct nwr_sorted_node *n = t->pending.n ? nwr_sorted_find(&t->pending, key) : NULL;

    if (!n)
        return nwr_db_get(t->db, key, out);
    if (!n->value)
        return NWR_E_NOENT;
    *out = nwr_blob_ref(n->value);
    return NWR_OK;
}

/* What a group has changed lies over what is stored. */
struct overlay {
    bool (*on)(void *arg, const struct nwr_skey *key, const void *value, size_t len);
    void *arg;
    struct nwr_sorted_node *next;
    bool ended;
};

static struct nwr_skey key_of(const struct nwr_sorted_node *n)
{
    return nwr_skey_of((enum nwr_space)n->space, n->key, n->key_len);
}

static void give_pending(struct overlay *o)
{
    struct nwr_sorted_node *n = o->next;
    struct nwr_skey key = key_of(n);

    o->next = n->next[0];
    if (n->value)
        o->ended = !o->on(o->arg, &key, n->value->data, n->value->len);
}

static bool on_stored(void *arg, const struct nwr_skey *key, const void *value, size_t len)
{
    struct overlay *o = arg;
    int c = 1;

    while (o->next && !o->ended) {
        struct nwr_skey k = key_of(o->next);

        c = nwr_skey_cmp(&k, key);
        if (c > 0)
            break;
        give_pending(o);
        if (c == 0)
            break;
    }
    if (c != 0 && !o->ended)
        o->ended = !o->on(o->arg, key, value, len);
    return !o->ended;
}

static enum nwr_err tables_scan(struct nwr_kv *kv, const struct nwr_skey *from,
                                bool (*on)(void *arg, const struct nwr_skey *key, const void *value,
                                           size_t len),
                                void *arg)
{
    struct nwr_tables *t = of(kv);
    struct overlay o = {on, arg, NULL, false};
    enum nwr_err err;

    if (t->pending.n == 0)
        return nwr_db_scan(t->db, from, on, arg);
    o.next = nwr_sorted_lower(&t->pending, from);
    err = nwr_db_scan(t->db, from, on_stored, &o);
    while (!err && !o.ended && o.next && o.next->space == from->space)
        give_pending(&o);
    return err;
}

void nwr_tables_room(const struct nwr_tables *t, uint64_t *total, uint64_t *avail)
{
    struct statvfs st;

    *total = *avail = 0;
    if (fstatvfs(t->fd, &st) == 0) {
        *total = (uint64_t)st.f_blocks * st.f_frsize;
        *avail = (uint64_t)st.f_bavail * st.f_frsize;
    }
}

static void look_at_room(struct nwr_tables *t)
{
    uint64_t total, used = t->need.flush + t->need.compact + t->need_bytes;

    nwr_tables_room(t, &total, &t->avail);
    t->is_full = t->avail < NWR_STORE_RESERVE_BYTES + used;
    t->room_at = nwr_clock_ms();
    t->room_bytes = 0;
}

static void ask_need(struct nwr_tables *t)
{
    t->need = (struct nwr_db_need){0};
    t->need_bytes = 0;
    look_at_room(t);
    if (t->avail >= NWR_DB_AMPLE_BYTES)
        return;
    t->need = nwr_db_need(t->db);
    look_at_room(t);
}

static void look_if_due(struct nwr_tables *t)
{
    if (t->is_full || !t->room_at || t->room_bytes >= ROOM_BYTES ||
        nwr_clock_ms() - t->room_at >= ROOM_MS)
        look_at_room(t);
}

static bool tables_full(struct nwr_kv *kv)
{
    struct nwr_tables *t = of(kv);

    look_if_due(t);
    return t->is_full;
}

/* After a write of its log that found no room, 7.8 may abort the process in a thread of its own:
 * so none is begun that may. */
static enum nwr_err room_for(struct nwr_tables *t, uint64_t bytes)
{
    look_if_due(t);
    return t->avail < NWR_STORE_LAST_BYTES + bytes ? NWR_E_NOSPC : NWR_OK;
}

static enum nwr_err tables_write(struct nwr_kv *kv, struct nwr_sorted *changes)
{
    struct nwr_tables *t = of(kv);
    uint64_t bytes = 0;
    enum nwr_err err;

    for (struct nwr_sorted_node *n = changes->head[0]; n; n = n->next[0])
        bytes += n->key_len + (n->value ? n->value->len : 0u);
    err = room_for(t, t->pending_bytes + bytes);
    if (err)
        return err;
    t->room_bytes += bytes;
    t->need_bytes += bytes;
    if (!t->group)
        return note_stall(t, nwr_db_write(t->db, changes, t->patient));
    for (struct nwr_sorted_node *n = changes->head[0]; n; n = n->next[0]) {
        struct nwr_skey key = nwr_skey_of((enum nwr_space)n->space, n->key, n->key_len);

        nwr_sorted_put(&t->pending, &key, nwr_blob_ref(n->value));
    }
    t->pending_bytes += bytes;
    return NWR_OK;
}

enum nwr_err nwr_tables_flush(struct nwr_tables *t)
{
    enum nwr_err err = t->pending.n ? nwr_db_write(t->db, &t->pending, true) : NWR_OK;

    for (uint32_t i = 0; i < t->ndrop && !err; i++)
        nwr_segments_drop(t->segments, &t->drop[i]);
    t->ndrop = 0;
    t->pending_bytes = 0;
    nwr_sorted_deinit(&t->pending);
    return err;
}

/* Enough for what opening a database opens first; the rest of its files are opened as needed. */
static bool descriptors_are_free(const struct nwr_tables *t)
{
    int fd[DESCRIPTORS], n = 0;

    while (n < DESCRIPTORS && (fd[n] = fcntl(t->fd, F_DUPFD_CLOEXEC, 0)) >= 0)
        n++;
    for (int i = 0; i < n; i++)
        close(fd[i]);
    return n == DESCRIPTORS;
}

/* Opening writes tables of what the log holds: one that fails leaves them there, so it is not tried
 * again and again where there is not more room than the last time. */
static void recover(struct nwr_tables *t)
{
    if (t->is_full &&
        (t->avail < NWR_STORE_MARGIN_BYTES + t->need.flush || t->avail <= t->tried_avail))
        return;
    t->tried_avail = nwr_db_recover(t->db) ? t->avail : 0;
    ask_need(t);
}

/* What RocksDB is told to do must fit: a compaction that does not takes the reserve, and keeps it
 * for a second after it has failed. */
static void keep_pace(struct nwr_tables *t)
{
    uint64_t flush = NWR_STORE_MARGIN_BYTES + t->need.flush;
    enum nwr_db_pace pace = NWR_DB_CALM;

    if (t->avail < NWR_STORE_LAST_BYTES)
        return;
    if (t->is_full)
        pace = t->avail < flush + t->need.compact ? NWR_DB_HOLD : NWR_DB_SQUEEZE;
    nwr_db_pace(t->db, pace, t->is_full && t->avail >= flush);
}

void nwr_tables_tend(struct nwr_tables *t)
{
    enum nwr_err failed = nwr_db_failed(t->db);

    ask_need(t);
    if (failed == NWR_E_NOSPC)
        recover(t);
    if (failed == NWR_E_MFILE && descriptors_are_free(t))
        nwr_db_recover(t->db);
    keep_pace(t);
}

void nwr_tables_mend(struct nwr_tables *t, struct nwr_db_lost *lost)
{
    nwr_ms now = nwr_clock_ms();

    if (!nwr_db_rotten(t->db) || now < t->mend_at)
        return;
    nwr_db_mend(t->db, lost);
    t->mend_pause = lost->any ? 0 : NWR_MAX(t->mend_pause * 2, MEND_MS);
    t->mend_at = now + t->mend_pause;
}

static nwr_ms tables_now(struct nwr_kv *kv)
{
    (void)kv;
    return nwr_clock_ms();
}

static enum nwr_err tables_segment_put(struct nwr_kv *kv, const struct nwr_block *b,
                                       struct nwr_place *place)
{
    struct nwr_tables *t = of(kv);
    enum nwr_err err = room_for(t, b->data->len);

    if (err)
        return err;
    t->room_bytes += b->data->len;
    return nwr_segments_put(t->segments, b, place);
}

static enum nwr_err tables_segment_get(struct nwr_kv *kv, const struct nwr_place *place,
                                       struct nwr_blob **out)
{
    struct nwr_tables *t = of(kv);

    return note_stall(t, nwr_segments_get(t->segments, place, !t->patient, out));
}

static void tables_cool(struct nwr_kv *kv, enum nwr_space space, nwr_pg pg)
{
    nwr_db_cool(of(kv)->db, space, pg);
}

static void tables_segment_cool(struct nwr_kv *kv, const struct nwr_place *place)
{
    nwr_segments_cool(of(kv)->segments, place);
}

static void tables_segment_hint(struct nwr_kv *kv, const struct nwr_place *place)
{
    nwr_segments_hint(of(kv)->segments, place);
}

static void tables_segment_drop(struct nwr_kv *kv, const struct nwr_place *place)
{
    struct nwr_tables *t = of(kv);

    if (!t->group) {
        nwr_segments_drop(t->segments, place);
        return;
    }
    t->drop = nwr_grow(t->drop, &t->capdrop, t->ndrop + 1, sizeof(*t->drop));
    t->drop[t->ndrop++] = *place;
}

static void tables_segment_live(struct nwr_kv *kv, const struct nwr_place *place)
{
    nwr_segments_live(of(kv)->segments, place);
}

void nwr_tables_init(struct nwr_tables *t, struct nwr_db *db, struct nwr_segments *s, int fd)
{
    *t = (struct nwr_tables){.db = db, .segments = s, .fd = fd, .patient = true};
    t->kv = (struct nwr_kv){.get = tables_get,
                            .scan = tables_scan,
                            .write = tables_write,
                            .full = tables_full,
                            .now = tables_now,
                            .segment_put = tables_segment_put,
                            .segment_get = tables_segment_get,
                            .cool = tables_cool,
                            .segment_cool = tables_segment_cool,
                            .segment_hint = tables_segment_hint,
                            .segment_drop = tables_segment_drop,
                            .segment_live = tables_segment_live};
    ask_need(t);
}

void nwr_tables_deinit(struct nwr_tables *t)
{
    nwr_sorted_deinit(&t->pending);
    nwr_free(t->drop);
}
