/* verify.c -- counts every reference again, and says or repairs what differs. */
#include "net/store/engine.h"

struct tally {
    struct nwr_engine *e;
    struct nwr_verify *out;
    struct nwr_deltas seen;   /* references found */
    struct nwr_sorted have;   /* block key -> its sealed entry */
    struct nwr_deltas wrong;  /* counts to change, by how much */
    struct nwr_deltas lost;   /* references to blocks without an entry that can be read */
    struct nwr_deltas unread; /* entries that cannot be read */
    bool bytes;               /* blocks are read, too */
};

static bool on_record(void *arg, const struct nwr_skey *key, const void *value, size_t len)
{
    struct tally *t = arg;
    struct nwr_record rec;

    t->out->records++;
    if (nwr_unseal_record(key, value, len, &rec)) {
        t->out->corrupt++;
        return true;
    }
    nwr_deltas_record(&t->seen, &rec, 1);
    nwr_record_deinit(&rec);
    return true;
}

static bool on_entry(void *arg, const struct nwr_skey *key, const void *value, size_t len)
{
    struct tally *t = arg;
    struct nwr_entry en;

    t->out->blocks++;
    if (nwr_entry_decode(key, value, len, &en)) {
        t->out->corrupt++;
        if (key->len == 20) {
            struct nwr_block_id id = nwr_block_id_of(key);

            nwr_deltas_add(&t->unread, &id, 0);
        }
        return true;
    }
    for (uint32_t i = 0; i < en.nrefs; i++)
        nwr_deltas_add(&t->seen, &en.refs[i], 1);
    nwr_entry_deinit(&en);
    nwr_sorted_put(&t->have, key, nwr_blob_copy(value, len));
    return true;
}

static bool on_data(void *arg, const struct nwr_skey *key, const void *value, size_t len)
{
    struct tally *t = arg;
    struct nwr_skey k = *key;
    struct nwr_sorted_node *n;
    struct nwr_entry en;

    (void)value, (void)len;
    k.space = NWR_SPACE_BLOCKS;
    n = nwr_sorted_find(&t->have, &k);
    if (!n || nwr_entry_decode(&k, n->value->data, n->value->len, &en)) {
        t->out->stray++;
        return true;
    }
    t->out->stray += en.place.segment != 0;
    nwr_entry_deinit(&en);
    return true;
}

static void check_bytes(struct tally *t, const struct nwr_block_id *id, const struct nwr_entry *en)
{
    struct nwr_blob *data;
    struct nwr_txn txn;

    nwr_txn_init(&txn, t->e);
    if (nwr_block_load(&txn, id, en, &data)) {
        t->out->corrupt++;
        t->out->lost += nwr_entry_is_lost(en);
    } else {
        nwr_blob_unref(data);
    }
    nwr_txn_abort(&txn);
}

static void add_lost(struct tally *t, const struct nwr_delta *named)
{
    t->out->missing++;
    nwr_deltas_add(&t->lost, &named->id, named->by);
}

/* Both lists are in the order of ids. */
static void compare(struct tally *t)
{
    struct nwr_sorted_node *n = t->have.head[0];
    uint32_t i = 0;

    nwr_deltas_sum(&t->seen);
    for (; n; n = n->next[0]) {
        struct nwr_skey key = nwr_skey_of((enum nwr_space)n->space, n->key, n->key_len);
        struct nwr_block_id id = nwr_block_id_of(&key);
        int64_t refs = 0;
        struct nwr_entry en;

        for (; i < t->seen.n && nwr_block_id_cmp(&t->seen.d[i].id, &id) < 0; i++)
            add_lost(t, &t->seen.d[i]);
        if (i < t->seen.n && nwr_block_id_cmp(&t->seen.d[i].id, &id) == 0)
            refs = t->seen.d[i++].by;
        if (nwr_entry_decode(&key, n->value->data, n->value->len, &en))
            continue;
        if (t->bytes)
            check_bytes(t, &id, &en);
        if (en.count != refs) {
            t->out->miscounted++;
            nwr_deltas_add(&t->wrong, &id, refs - en.count);
        }
        t->out->idle += refs == 0;
        nwr_entry_deinit(&en);
    }
    for (; i < t->seen.n; i++)
        add_lost(t, &t->seen.d[i]);
}

static enum nwr_err look(struct tally *t)
{
    struct nwr_kv *kv = t->e->kv;
    struct nwr_skey records = nwr_skey_of(NWR_SPACE_RECORDS, "", 0);
    struct nwr_skey blocks = nwr_skey_of(NWR_SPACE_BLOCKS, "", 0);
    struct nwr_skey data = nwr_skey_of(NWR_SPACE_DATA, "", 0);
    enum nwr_err err;

    *t->out = (struct nwr_verify){0};
    err = kv->scan(kv, &records, on_record, t);
    if (!err)
        err = kv->scan(kv, &blocks, on_entry, t);
    if (!err)
        err = kv->scan(kv, &data, on_data, t);
    if (!err)
        compare(t);
    return err;
}

static void tally_deinit(struct tally *t)
{
    nwr_sorted_deinit(&t->have);
    nwr_free(t->seen.d);
    nwr_free(t->wrong.d);
    nwr_free(t->lost.d);
    nwr_free(t->unread.d);
}

enum nwr_err nwr_engine_verify(struct nwr_engine *e, struct nwr_verify *out)
{
    struct tally t = {.e = e, .out = out, .bytes = true};
    enum nwr_err err = look(&t);

    if (!err)
        err = nwr_engine_digests(e, false, &out->digests);
    if (!err)
        err = nwr_engine_index(e, false, &out->index);
    tally_deinit(&t);
    return err;
}

static enum nwr_err correct(struct tally *t)
{
    struct nwr_txn txn;
    enum nwr_err err = NWR_OK;

    nwr_txn_init(&txn, t->e);
    for (uint32_t i = 0; i < t->wrong.n && !err; i++) {
        struct nwr_entry en;

        err = nwr_entry_get(&txn, &t->wrong.d[i].id, &en);
        if (err)
            break;
        en.count = (uint32_t)((int64_t)en.count + t->wrong.d[i].by);
        nwr_entry_put(&txn, &t->wrong.d[i].id, &en);
        nwr_entry_deinit(&en);
    }
    if (!err)
        return nwr_txn_commit(&txn);
    nwr_txn_abort(&txn);
    return err;
}

enum nwr_err nwr_engine_recount(struct nwr_engine *e)
{
    struct nwr_verify found;
    struct tally t = {.e = e, .out = &found};
    enum nwr_err err = look(&t);

    if (!err)
        err = found.corrupt ? NWR_E_CORRUPT : correct(&t);
    if (!err)
        err = nwr_engine_sweep(e, true);
    nwr_engine_forget(e);
    if (!err)
        err = nwr_engine_digests(e, true, &found.digests);
    if (!err)
        err = nwr_engine_index(e, true, &found.index);
    memset(e->gapped, 0, NWR_PGS_MAX * sizeof(*e->gapped)); /* another start, other dots */
    tally_deinit(&t);
    return err;
}

static void put_lost(struct nwr_txn *txn, const struct nwr_deltas *lost)
{
    for (uint32_t i = 0; i < lost->n; i++) {
        struct nwr_entry en = {.count = (uint32_t)lost->d[i].by};

        nwr_entry_put(txn, &lost->d[i].id, &en);
    }
}

/* An entry of length 0 has no bytes: it reads as a block that rotted, and keeps its count until
 * the bytes are put again. */
enum nwr_err nwr_engine_raise(struct nwr_engine *e)
{
    struct nwr_verify found;
    struct tally t = {.e = e, .out = &found};
    enum nwr_err err = look(&t);
    uint32_t n = 0;
    struct nwr_txn txn;

    for (uint32_t i = 0; i < t.wrong.n; i++)
        if (t.wrong.d[i].by > 0)
            t.wrong.d[n++] = t.wrong.d[i];
    t.wrong.n = n;
    if (!err)
        err = correct(&t);
    nwr_txn_init(&txn, e);
    put_lost(&txn, &t.unread);
    put_lost(&txn, &t.lost);
    txn.blocks = t.lost.n;
    if (txn.changes.n)
        nwr_recount_at_open(&txn);
    if (!err)
        err = nwr_txn_commit(&txn);
    else
        nwr_txn_abort(&txn);
    if (!err)
        err = nwr_engine_index(e, true, &found.index);
    e->recount_due = err != NWR_OK;
    tally_deinit(&t);
    return err;
}

static struct nwr_skey recount_key(void)
{
    static const char name[] = "store.recount";

    return nwr_skey_of(NWR_SPACE_META, name, sizeof(name) - 1);
}

void nwr_recount_at_open(struct nwr_txn *t)
{
    struct nwr_skey key = recount_key();

    nwr_sorted_put(&t->changes, &key, nwr_seal(&key, "", 0));
}

static enum nwr_err recount_asked(struct nwr_engine *e)
{
    struct nwr_skey key = recount_key();
    enum nwr_err err = nwr_engine_recount(e);
    struct nwr_txn t;

    if (err)
        return err;
    nwr_txn_init(&t, e);
    nwr_sorted_put(&t.changes, &key, NULL);
    return nwr_txn_commit(&t);
}

enum nwr_err nwr_engine_start(struct nwr_engine *e)
{
    struct nwr_skey key = recount_key();
    struct nwr_blob *asked;
    enum nwr_err err = e->kv->get(e->kv, &key, &asked);

    nwr_engine_forget(e);
    memset(e->gapped, 0, NWR_PGS_MAX * sizeof(*e->gapped));
    if (!err)
        nwr_blob_unref(asked);
    /* Blocks that nothing seems to name may be named by what was lost. */
    if (e->ndoubt)
        return NWR_OK;
    if (err == NWR_E_NOENT)
        return nwr_engine_sweep(e, true);
    if (err)
        return err;
    err = recount_asked(e);
    return err == NWR_E_CORRUPT ? nwr_engine_sweep(e, true) : err;
}

struct census {
    struct nwr_engine *e;
    enum nwr_err err;
};

static bool on_counted(void *arg, const struct nwr_skey *key, const void *value, size_t len)
{
    struct census *c = arg;
    struct nwr_kv *kv = c->e->kv;
    struct nwr_entry en;

    if (nwr_entry_decode(key, value, len, &en)) {
        c->err = NWR_E_CORRUPT;
        return true;
    }
    c->e->stat.blocks++;
    c->e->stat.block_bytes += en.place.len;
    if (en.place.segment && kv->segment_live)
        kv->segment_live(kv, &en.place);
    nwr_entry_deinit(&en);
    return true;
}

static enum nwr_err count_records(struct census *c)
{
    struct nwr_digest_slot slot;
    enum nwr_err err = NWR_OK;

    c->e->stat.records = 0;
    for (nwr_pg pg = 0; pg < NWR_PGS_MAX && (!err || err == NWR_E_CORRUPT); pg++) {
        err = nwr_digest_load(c->e, pg, &slot);
        if (!err)
            c->e->stat.records += slot.digest.records;
        else
            c->err = err;
    }
    return err == NWR_E_CORRUPT ? NWR_OK : err;
}

enum nwr_err nwr_engine_census(struct nwr_engine *e)
{
    struct nwr_skey first_block = nwr_skey_of(NWR_SPACE_BLOCKS, "", 0);
    struct census c = {e, NWR_OK};
    enum nwr_err err = count_records(&c);

    e->stat.blocks = e->stat.block_bytes = 0;
    if (e->kv->segment_live)
        e->kv->segment_live(e->kv, NULL);
    if (!err)
        err = e->kv->scan(e->kv, &first_block, on_counted, &c);
    if (!err)
        err = nwr_engine_index_count(e);
    return err ? err : c.err;
}
