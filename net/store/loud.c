/* loud.c -- which of the inodes that had a name may show something there again.
 *
 * Beside a name stands a record for each inode that was removed there (nwr/key.h), as long as a
 * replica may have an edit of it that nobody saw. Lock files and journals leave hundreds while a
 * member is away, and hardly any of them ever shows anything. So whoever looks up the name gets
 * only those that are loud: the others' records are summed up, for comparing replicas, and stay
 * here.
 *
 *     UNREAD --the record, and the inode's object, are looked at--> SILENT or LOUD
 *       ^                                                             |
 *       +--------- one of these records was written -----------------+
 *
 * Of names that have many of them this is kept in memory, and follows each commit. It is never
 * stored: what is not kept is found again.
 */
#include "net/store/engine.h"

enum {
    LOUD_NAMES = 64,
    LOUD_KEPT = 8,          /* of fewer nothing is kept: looking costs no more than finding */
    LOUD_UNREAD_MAX = 4096, /* of a name that nobody looks up here */
    INO_LEN = 8,
    OBJECT_LEN = 11
};

enum loudness {
    UNREAD,
    SILENT,
    LOUD
};

struct beside {
    nwr_ino ino;
    uint64_t sum; /* SILENT */
    enum loudness is;
};

/* Invariants: `of` ascends by ino; sum is that of the silent ones; each that is UNREAD is in unread
 * once. */
struct nwr_loud_name {
    struct nwr_key prefix;
    struct beside *of;
    uint32_t n, cap, nloud;
    uint64_t sum;
    nwr_ino *unread;
    uint32_t nunread, capunread;
};

static nwr_ino get_ino(const uint8_t *p)
{
    nwr_ino ino = 0;

    for (int i = 0; i < INO_LEN; i++)
        ino = ino << 8 | p[i];
    return ino;
}

static struct nwr_skey key_of(const struct nwr_key *prefix, nwr_ino ino)
{
    struct nwr_skey k = nwr_skey_of(NWR_SPACE_RECORDS, prefix->b, prefix->len);

    for (int i = INO_LEN - 1; i >= 0; i--)
        k.b[k.len++] = (uint8_t)(ino >> (8 * i));
    return k;
}

static void name_deinit(struct nwr_loud_name *name)
{
    nwr_free(name->of);
    nwr_free(name->unread);
    *name = (struct nwr_loud_name){0};
}

void nwr_loud_forget(struct nwr_engine *e)
{
    for (uint32_t i = 0; i < e->nloud; i++)
        name_deinit(&e->loud[i]);
    e->nloud = 0;
}

/* ---- one inode beside a name ---------------------------------------------------------------- */

struct reading {
    struct nwr_key object;
    struct nwr_rows rows;
    bool corrupt;
};

static bool on_object(void *arg, const struct nwr_skey *key, const void *value, size_t len)
{
    struct reading *r = arg;
    struct nwr_record rec;
    struct nwr_key k = {.len = key->len};

    memcpy(k.b, key->b, key->len);
    if (!nwr_key_has_prefix(&k, &r->object))
        return false;
    r->corrupt = nwr_unseal_record(key, value, len, &rec) != NWR_OK;
    if (!r->corrupt)
        nwr_rows_at(&r->rows, &k)->rec = rec;
    return !r->corrupt;
}

/* What cannot be read, or is elsewhere, may show. */
static bool is_silent(struct nwr_engine *e, nwr_ino ino)
{
    struct reading r = {.object = nwr_key_object(ino)};
    struct nwr_skey from = nwr_skey_of(NWR_SPACE_RECORDS, r.object.b, r.object.len);
    bool silent = e->kv->scan(e->kv, &from, on_object, &r) == NWR_OK && !r.corrupt;

    silent = silent && e->store->silent(&r.rows, ino);
    nwr_rows_deinit(&r.rows);
    return silent;
}

static bool leads_only_to(const struct nwr_record *rec, nwr_ino ino)
{
    for (uint32_t i = 0; i < rec->n; i++)
        if (!(rec->v[i].flags & NWR_V_HIDDEN) || rec->v[i].ref != ino)
            return false;
    return true;
}

/* A record without versions leads nowhere. */
static enum loudness judge(struct nwr_engine *e, const struct nwr_key *key,
                           const struct nwr_record *rec, nwr_ino ino)
{
    if (!e->store || !e->store->silent || !leads_only_to(rec, ino))
        return LOUD;
    if (rec->n == 0)
        return SILENT;
    return nwr_ino_pg(ino) == nwr_key_pg(key) && is_silent(e, ino) ? SILENT : LOUD;
}

static uint64_t sum_of(const struct nwr_key *key, const struct nwr_record *rec)
{
    return nwr_mix64(nwr_hash64(key->b, key->len, nwr_record_hash(rec)));
}

/* ---- a name --------------------------------------------------------------------------------- */

static uint32_t lower(const struct nwr_loud_name *name, nwr_ino ino)
{
    uint32_t lo = 0, hi = name->n;

    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;

        if (name->of[mid].ino < ino)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static struct beside *find(const struct nwr_loud_name *name, nwr_ino ino)
{
    uint32_t i = lower(name, ino);

    return i < name->n && name->of[i].ino == ino ? &name->of[i] : NULL;
}

static struct beside *add(struct nwr_loud_name *name, nwr_ino ino)
{
    uint32_t i = lower(name, ino);

    name->of = nwr_grow(name->of, &name->cap, name->n + 1, sizeof(*name->of));
    memmove(name->of + i + 1, name->of + i, (name->n++ - i) * sizeof(*name->of));
    name->of[i] = (struct beside){.ino = ino, .is = SILENT};
    return &name->of[i];
}

static void set(struct nwr_loud_name *name, struct beside *b, enum loudness is, uint64_t sum)
{
    if (b->is == SILENT)
        name->sum -= b->sum;
    name->nloud -= b->is == LOUD;
    b->is = is;
    b->sum = sum;
    if (is == SILENT)
        name->sum += sum;
    name->nloud += is == LOUD;
}

static void set_unread(struct nwr_loud_name *name, struct beside *b)
{
    if (b->is == UNREAD)
        return;
    set(name, b, UNREAD, 0);
    name->unread =
        nwr_grow(name->unread, &name->capunread, name->nunread + 1, sizeof(*name->unread));
    name->unread[name->nunread++] = b->ino;
}

static enum nwr_err read_one(struct nwr_engine *e, struct nwr_loud_name *name, struct beside *b)
{
    struct nwr_skey skey = key_of(&name->prefix, b->ino);
    struct nwr_key key = {.len = skey.len};
    struct nwr_blob *sealed;
    struct nwr_record rec;
    enum nwr_err err = e->kv->get(e->kv, &skey, &sealed);

    memcpy(key.b, skey.b, skey.len);
    if (err == NWR_E_NOENT) {
        memmove(b, b + 1, (size_t)(name->of + name->n - (b + 1)) * sizeof(*b));
        name->n--;
        return NWR_OK;
    }
    if (err)
        return err;
    err = nwr_unseal_record(&skey, sealed->data, sealed->len, &rec);
    nwr_blob_unref(sealed);
    if (err)
        return err;
    set(name, b, judge(e, &key, &rec, b->ino), sum_of(&key, &rec));
    nwr_record_deinit(&rec);
    return NWR_OK;
}

static enum nwr_err read_all(struct nwr_engine *e, struct nwr_loud_name *name)
{
    enum nwr_err err = NWR_OK;

    while (name->nunread && !err) {
        struct beside *b = find(name, name->unread[name->nunread - 1]);

        nwr_assert(b);
        err = read_one(e, name, b);
        name->nunread -= err == NWR_OK;
    }
    return err;
}

/* ---- finding them --------------------------------------------------------------------------- */

struct finding {
    struct nwr_loud_name *name;
    bool other; /* a key that is none of these */
};

static bool on_beside(void *arg, const struct nwr_skey *key, const void *value, size_t len)
{
    struct finding *f = arg;
    const struct nwr_key *prefix = &f->name->prefix;

    (void)value, (void)len;
    if (key->len < prefix->len || memcmp(key->b, prefix->b, prefix->len) != 0)
        return false;
    f->other |= key->len != prefix->len + INO_LEN;
    if (!f->other)
        set_unread(f->name, add(f->name, get_ino(key->b + prefix->len)));
    return !f->other;
}

static struct nwr_loud_name *kept(const struct nwr_engine *e, const struct nwr_key *prefix)
{
    for (uint32_t i = 0; i < e->nloud; i++)
        if (nwr_key_cmp(&e->loud[i].prefix, prefix) == 0)
            return &e->loud[i];
    return NULL;
}

/* In place of another one, if there are as many as may be. */
static struct nwr_loud_name *keep(struct nwr_engine *e, const struct nwr_loud_name *name)
{
    uint32_t at = e->nloud;

    if (!e->loud)
        e->loud = nwr_zalloc(LOUD_NAMES * sizeof(*e->loud));
    if (e->nloud < LOUD_NAMES)
        e->nloud++;
    else
        at = e->loud_at++ % LOUD_NAMES;
    name_deinit(&e->loud[at]);
    e->loud[at] = *name;
    return &e->loud[at];
}

static enum nwr_err give(
    struct nwr_engine *e, const struct nwr_loud_name *name, const struct nwr_key *after,
    bool (*on)(void *arg, const struct nwr_skey *key, const void *value, size_t len), void *arg)
{
    bool more = name->nloud > 0;

    for (uint32_t i = 0; i < name->n && more; i++) {
        struct nwr_skey skey = key_of(&name->prefix, name->of[i].ino);
        struct nwr_key key = {.len = skey.len};
        struct nwr_blob *sealed;
        enum nwr_err err;

        memcpy(key.b, skey.b, skey.len);
        if (name->of[i].is != LOUD || (after->len && nwr_key_cmp(&key, after) <= 0))
            continue;
        err = e->kv->get(e->kv, &skey, &sealed);
        if (err)
            return err;
        more = on(arg, &skey, sealed->data, sealed->len);
        nwr_blob_unref(sealed);
    }
    return NWR_OK;
}

enum nwr_err nwr_loud_scan(struct nwr_engine *e, const struct nwr_range *range, uint64_t *silent,
                           bool (*on)(void *arg, const struct nwr_skey *key, const void *value,
                                      size_t len),
                           void *arg)
{
    struct nwr_skey from = nwr_skey_of(NWR_SPACE_RECORDS, range->prefix.b, range->prefix.len);
    struct nwr_loud_name own = {.prefix = range->prefix}, *name = kept(e, &range->prefix);
    struct finding f = {.name = &own};
    enum nwr_err err = NWR_OK;

    if (!name) {
        err = e->kv->scan(e->kv, &from, on_beside, &f);
        name = &own;
    }
    if (f.other) /* all of it, then */
        err = e->kv->scan(e->kv, &from, on, arg);
    else if (!err)
        err = read_all(e, name);
    if (!err && !f.other && name == &own && own.n >= LOUD_KEPT) {
        name = keep(e, &own);
        own = (struct nwr_loud_name){0};
    }
    if (!err && !f.other) {
        *silent += name->sum;
        err = give(e, name, &range->after, on, arg);
    }
    name_deinit(&own);
    return err;
}

/* ---- what changes --------------------------------------------------------------------------- */

static void changed(struct nwr_engine *e, struct nwr_loud_name *name, struct beside *b)
{
    if (name->nunread < LOUD_UNREAD_MAX) {
        set_unread(name, b);
        return;
    }
    name_deinit(name);
    *name = e->loud[--e->nloud];
}

static void record_changed(struct nwr_engine *e, const uint8_t *key, uint16_t len)
{
    struct nwr_key k = {.len = (uint16_t)(len - INO_LEN)};
    struct nwr_loud_name *name;
    struct beside *b;
    nwr_ino ino;

    if (len <= OBJECT_LEN + INO_LEN || key[len - INO_LEN - 1] != 0)
        return;
    memcpy(k.b, key, k.len);
    name = kept(e, &k);
    if (!name)
        return;
    ino = get_ino(key + k.len);
    b = find(name, ino);
    changed(e, name, b ? b : add(name, ino));
}

static void object_changed(struct nwr_engine *e, const uint8_t *key)
{
    nwr_ino ino = get_ino(key + OBJECT_LEN - INO_LEN);

    for (uint32_t i = e->nloud; i-- > 0;) {
        struct nwr_loud_name *name = &e->loud[i];
        struct beside *b =
            memcmp(name->prefix.b, key, sizeof(uint16_t)) == 0 ? find(name, ino) : NULL;

        if (b)
            changed(e, name, b);
    }
}

void nwr_loud_changed(struct nwr_engine *e, const struct nwr_sorted *changes)
{
    struct nwr_sorted_node *n = e->nloud ? changes->head[0] : NULL;

    for (; n && n->space == NWR_SPACE_RECORDS; n = n->next[0]) {
        if (n->key_len <= OBJECT_LEN)
            continue;
        if (n->key[2] == 'E')
            record_changed(e, n->key, n->key_len);
        else
            object_changed(e, n->key);
    }
}
