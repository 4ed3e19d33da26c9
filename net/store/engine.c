/* engine.c -- ops by kind, transactions, sealing; see engine.h. */
#include "net/store/engine.h"

#define SEAL 8 /* bytes of checksum before a sealed value */

void nwr_engine_init(struct nwr_engine *e, struct nwr_kv *kv)
{
    *e = (struct nwr_engine){.kv = kv};
    e->digest = nwr_zalloc(NWR_PGS_MAX * sizeof(*e->digest));
    e->clock = nwr_zalloc(NWR_PGS_MAX * sizeof(*e->clock));
    e->gapped = nwr_zalloc(NWR_PGS_MAX * sizeof(*e->gapped));
}

void nwr_engine_deinit(struct nwr_engine *e)
{
    nwr_sorted_deinit(&e->pins);
    nwr_engine_forget(e);
    nwr_free(e->digest);
    nwr_free(e->clock);
    nwr_free(e->gapped);
    nwr_free(e->loud);
}

/* ---- sealing -------------------------------------------------------------------------------- */

static uint64_t seal_sum(const struct nwr_skey *key, const void *value, size_t len)
{
    return nwr_hash64(value, len, nwr_hash64(key->b, key->len, key->space));
}

static void put_le(uint8_t *p, uint64_t v)
{
    for (int i = 0; i < SEAL; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

static uint64_t get_le(const uint8_t *p)
{
    uint64_t v = 0;

    for (int i = 0; i < SEAL; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

struct nwr_blob *nwr_seal(const struct nwr_skey *key, const void *value, size_t len)
{
    struct nwr_blob *b = nwr_blob_new(SEAL + len);

    put_le(b->data, seal_sum(key, value, len));
    if (len)
        memcpy(b->data + SEAL, value, len);
    return b;
}

const uint8_t *nwr_unseal(const struct nwr_skey *key, const void *sealed, size_t len,
                          size_t *value_len)
{
    const uint8_t *p = sealed;

    if (len < SEAL || get_le(p) != seal_sum(key, p + SEAL, len - SEAL))
        return NULL;
    *value_len = len - SEAL;
    return p + SEAL;
}

enum nwr_err nwr_unseal_record(const struct nwr_skey *key, const void *sealed, size_t len,
                               struct nwr_record *rec)
{
    size_t n;
    const uint8_t *p = nwr_unseal(key, sealed, len, &n);

    return p && nwr_record_decode(rec, p, n) == NWR_OK ? NWR_OK : NWR_E_CORRUPT;
}

/* ---- transactions --------------------------------------------------------------------------- */

void nwr_txn_init(struct nwr_txn *t, struct nwr_engine *e)
{
    *t = (struct nwr_txn){.e = e};
}

void nwr_txn_abort(struct nwr_txn *t)
{
    nwr_sorted_deinit(&t->changes);
    nwr_sorted_deinit(&t->unpin);
    nwr_free(t->drop);
    nwr_clock_slot_deinit(&t->clock);
    *t = (struct nwr_txn){0};
}

static void end_pins(struct nwr_txn *t)
{
    struct nwr_sorted_node *n = t->e->pins.n ? t->unpin.head[0] : NULL;

    for (; n; n = n->next[0]) {
        struct nwr_skey key = nwr_skey_of((enum nwr_space)n->space, n->key, n->key_len);

        nwr_sorted_del(&t->e->pins, &key);
    }
}

/* A digest that is lost may count what was not there. */
static uint64_t add_records(uint64_t records, int64_t more)
{
    uint64_t gone = more < 0 ? (uint64_t)-more : 0;

    return more >= 0 ? records + (uint64_t)more : records - NWR_MIN(gone, records);
}

/* Each change by itself: what a crash in between leaves (rules.h). */
static enum nwr_err write_one_by_one(struct nwr_txn *t)
{
    enum nwr_err err = NWR_OK;

    for (struct nwr_sorted_node *n = t->changes.head[0]; n && !err; n = n->next[0]) {
        struct nwr_skey key = nwr_skey_of((enum nwr_space)n->space, n->key, n->key_len);
        struct nwr_sorted one = {0};

        nwr_sorted_put(&one, &key, n->value ? nwr_blob_ref(n->value) : NULL);
        err = t->e->kv->write(t->e->kv, &one);
        nwr_sorted_deinit(&one);
    }
    return err;
}

static enum nwr_err write_changes(struct nwr_txn *t)
{
    if (!NWR_RULE(BATCH_ONE_WRITE))
        return write_one_by_one(t);
    return t->changes.n ? t->e->kv->write(t->e->kv, &t->changes) : NWR_OK;
}

enum nwr_err nwr_txn_commit(struct nwr_txn *t)
{
    struct nwr_engine *e = t->e;
    enum nwr_err err = write_changes(t);

    if (!err) {
        for (uint32_t i = 0; i < t->ndrop; i++)
            e->kv->segment_drop(e->kv, &t->drop[i]);
        end_pins(t);
        nwr_loud_changed(e, &t->changes);
        if (t->has_digest)
            e->digest[t->pg] = t->digest;
        if (t->has_clock) {
            nwr_clock_slot_deinit(&e->clock[t->pg]);
            e->clock[t->pg] = t->clock;
            t->clock = (struct nwr_clock_slot){0};
        }
        e->stat.records = add_records(e->stat.records, t->records);
        e->stat.blocks += (uint64_t)t->blocks;
        e->stat.block_bytes += (uint64_t)t->block_bytes;
        e->stat.conflicts += (uint64_t)t->conflicts;
    }
    nwr_txn_abort(t);
    return err;
}

void nwr_txn_drop(struct nwr_txn *t, const struct nwr_place *place)
{
    t->drop = nwr_grow(t->drop, &t->capdrop, t->ndrop + 1, sizeof(*t->drop));
    t->drop[t->ndrop++] = *place;
}

enum nwr_err nwr_txn_get(struct nwr_txn *t, const struct nwr_skey *key, struct nwr_blob **out)
{
    struct nwr_sorted_node *n = t->changes.n ? nwr_sorted_find(&t->changes, key) : NULL;

    if (!n)
        return t->e->kv->get(t->e->kv, key, out);
    if (!n->value)
        return NWR_E_NOENT;
    *out = nwr_blob_ref(n->value);
    return NWR_OK;
}

/* ---- ops ------------------------------------------------------------------------------------ */

static void run_block_put(struct nwr_engine *e, struct nwr_store_op *op)
{
    struct nwr_deltas none = {0};
    struct nwr_txn t;

    if (e->kv->full(e->kv)) {
        op->err = NWR_E_NOSPC;
        return;
    }
    nwr_txn_init(&t, e);
    op->err = nwr_blocks_count(&t, &none, op, true);
    if (op->err)
        nwr_txn_abort(&t);
    else
        op->err = nwr_txn_commit(&t);
    nwr_free(none.d);
}

static void run_block_get(struct nwr_engine *e, struct nwr_store_op *op)
{
    struct nwr_txn t;
    struct nwr_entry en;

    nwr_txn_init(&t, e);
    op->err = nwr_entry_get(&t, &op->block[0].id, &en);
    if (!op->err) {
        op->err = nwr_block_load(&t, &op->block[0].id, &en, &op->data);
        if (!op->err) {
            op->refs = nwr_memdup(en.refs, en.nrefs * sizeof(*en.refs));
            op->nrefs = en.nrefs;
        }
        nwr_entry_deinit(&en);
    }
    nwr_txn_abort(&t);
}

void nwr_engine_hint(struct nwr_engine *e, const struct nwr_store_op *op)
{
    struct nwr_txn t;
    struct nwr_entry en;

    if (!e->kv->segment_hint)
        return;
    nwr_txn_init(&t, e);
    if (nwr_entry_get(&t, &op->block[0].id, &en) == NWR_OK) {
        if (en.place.segment)
            e->kv->segment_hint(e->kv, &en.place);
        nwr_entry_deinit(&en);
    }
    nwr_txn_abort(&t);
}

static void run_meta_get(struct nwr_engine *e, struct nwr_store_op *op)
{
    struct nwr_skey key = nwr_skey_of(NWR_SPACE_META, op->name, strlen(op->name));
    struct nwr_blob *sealed;
    const uint8_t *p;
    size_t len;

    op->err = e->kv->get(e->kv, &key, &sealed);
    if (op->err)
        return;
    p = nwr_unseal(&key, sealed->data, sealed->len, &len);
    if (p)
        op->value = nwr_blob_copy(p, len);
    else
        op->err = NWR_E_CORRUPT;
    nwr_blob_unref(sealed);
}

static void run_meta_put(struct nwr_engine *e, struct nwr_store_op *op)
{
    struct nwr_skey key = nwr_skey_of(NWR_SPACE_META, op->name, strlen(op->name));
    struct nwr_txn t;

    nwr_txn_init(&t, e);
    nwr_sorted_put(&t.changes, &key, nwr_seal(&key, op->value->data, op->value->len));
    op->err = nwr_txn_commit(&t);
}

void nwr_engine_run(struct nwr_engine *e, struct nwr_store_op *op)
{
    op->err = NWR_OK;
    switch (op->kind) {
    case NWR_STORE_READ:
        e->stat.reads++;
        nwr_run_read(e, op);
        break;
    case NWR_STORE_APPLY:
        e->stat.applies++;
        nwr_run_apply(e, op);
        break;
    case NWR_STORE_SYNC: nwr_panic(__FILE__, __LINE__, "SYNC is the store's"); break;
    case NWR_STORE_BLOCK_PUT: run_block_put(e, op); break;
    case NWR_STORE_BLOCK_GET: run_block_get(e, op); break;
    case NWR_STORE_META_GET: run_meta_get(e, op); break;
    case NWR_STORE_META_PUT: run_meta_put(e, op); break;
    case NWR_STORE_DIGESTS: nwr_run_digests(e, op); break;
    case NWR_STORE_LIST:
    case NWR_STORE_PICK: nwr_run_list(e, op); break;
    case NWR_STORE_HINT_READ: nwr_run_hint_read(e, op); break;
    case NWR_STORE_HINT_PUT:
    case NWR_STORE_HINT_DROP: nwr_run_hint_change(e, op); break;
    case NWR_STORE_ERASE: nwr_run_erase(e, op); break;
    case NWR_STORE_CHECK: nwr_run_check(e, op); break;
    case NWR_STORE_DOUBT: nwr_run_doubt(e, op); break;
    case NWR_STORE_CLOCKS: nwr_run_clocks(e, op); break;
    case NWR_STORE_FOLD: nwr_run_fold(e, op); break;
    }
}
