/* hints.c -- what is kept for replicas that were away, and records this node holds only for them.
 *
 * A hint names records, not what was in them: what is delivered is what they hold by then. Its
 * key (target, seq, incarnation) keeps the hints of a target in the order they were taken. They
 * stand in META, under names of their own kind (a zero byte, which no string has).
 */
#include "net/store/engine.h"

enum {
    HINT_KEY = 16
};

static void put_be(uint8_t *p, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++)
        p[i] = (uint8_t)(v >> (8 * (bytes - 1 - i)));
}

static uint64_t get_be(const uint8_t *p, int bytes)
{
    uint64_t v = 0;

    for (int i = 0; i < bytes; i++)
        v = v << 8 | p[i];
    return v;
}

static struct nwr_skey hint_key(const struct nwr_hint *h)
{
    uint8_t b[HINT_KEY] = {'h', 0};

    put_be(b + 2, h->target, 2);
    put_be(b + 4, h->seq, 8);
    put_be(b + 12, h->incarnation, 4);
    return nwr_skey_of(NWR_SPACE_META, b, sizeof(b));
}

void nwr_txn_hint(struct nwr_txn *t, const struct nwr_hint *h)
{
    struct nwr_skey key = hint_key(h);
    struct nwr_out o = {0};

    nwr_out_u16(&o, h->pg);
    nwr_out_u32(&o, h->bytes);
    nwr_out_var(&o, h->nkey);
    for (uint32_t i = 0; i < h->nkey; i++)
        nwr_out_bytes(&o, h->key[i].b, h->key[i].len);
    nwr_sorted_put(&t->changes, &key, nwr_seal(&key, o.data, o.len));
    nwr_out_free(&o);
}

static bool decode_keys(struct nwr_in *in, struct nwr_hint *h)
{
    uint32_t n = nwr_in_count(in, 1);

    h->key = nwr_zalloc(n * sizeof(*h->key));
    for (; h->nkey < n; h->nkey++) {
        size_t len = 0;
        const uint8_t *p = nwr_in_bytes(in, &len);

        if (!p || len > NWR_KEY_MAX)
            return false;
        h->key[h->nkey].len = (uint16_t)len;
        memcpy(h->key[h->nkey].b, p, len);
    }
    return nwr_in_done(in);
}

/* One that cannot be read comes without keys: it is dropped, and reconciliation does its work. */
static void decode(const struct nwr_skey *key, const void *sealed, size_t len, struct nwr_hint *h)
{
    size_t value_len;
    const uint8_t *p = nwr_unseal(key, sealed, len, &value_len);
    struct nwr_in in;

    *h = (struct nwr_hint){.target = (uint16_t)get_be(key->b + 2, 2),
                           .seq = get_be(key->b + 4, 8),
                           .incarnation = (uint32_t)get_be(key->b + 12, 4)};
    if (!p)
        return;
    in = nwr_in_of(p, value_len);
    h->pg = nwr_in_u16(&in);
    h->bytes = nwr_in_u32(&in);
    if (!decode_keys(&in, h)) {
        nwr_free(h->key);
        h->key = NULL;
        h->nkey = 0;
    }
}

static bool on_hint(void *arg, const struct nwr_skey *key, const void *value, size_t len)
{
    struct nwr_store_op *op = arg;

    if (key->len != HINT_KEY || key->b[0] != 'h' || key->b[1] != 0)
        return false;
    if (op->nkept == NWR_HINTS_PAGE) {
        op->more = true;
        return false;
    }
    decode(key, value, len, &op->kept[op->nkept++]);
    return true;
}

void nwr_run_hint_read(struct nwr_engine *e, struct nwr_store_op *op)
{
    struct nwr_hint from = *op->hint;
    struct nwr_skey start;

    from.incarnation++; /* after it; the last incarnation of a seq is followed by none */
    start = hint_key(&from);
    op->kept = nwr_zalloc(NWR_HINTS_PAGE * sizeof(*op->kept));
    op->err = e->kv->scan(e->kv, &start, on_hint, op);
}

void nwr_run_hint_change(struct nwr_engine *e, struct nwr_store_op *op)
{
    struct nwr_txn t;

    nwr_txn_init(&t, e);
    for (uint32_t i = 0; i < op->nhint; i++) {
        struct nwr_skey key = hint_key(&op->hint[i]);

        if (op->kind == NWR_STORE_HINT_PUT)
            nwr_txn_hint(&t, &op->hint[i]);
        else
            nwr_sorted_put(&t.changes, &key, NULL);
    }
    op->err = op->kind == NWR_STORE_HINT_PUT && e->kv->full(e->kv) ? NWR_E_NOSPC : NWR_OK;
    if (op->err)
        nwr_txn_abort(&t);
    else
        op->err = nwr_txn_commit(&t);
}

/* ---- erasing -------------------------------------------------------------------------------- */

struct erasing {
    struct nwr_txn *txn;
    nwr_pg pg;
    struct nwr_deltas deltas;
    uint32_t n;
    bool more;
    enum nwr_err err;
};

static bool on_record(void *arg, const struct nwr_skey *key, const void *value, size_t len)
{
    struct erasing *er = arg;
    struct nwr_key k = {.len = key->len};
    struct nwr_element element;
    struct nwr_record rec;
    bool lost, said;

    if (key->len < 2 || get_be(key->b, 2) != er->pg)
        return false;
    if (er->n++ == NWR_LIST_MAX) {
        er->more = true;
        return false;
    }
    memcpy(k.b, key->b, key->len);
    lost = nwr_unseal_record(key, value, len, &rec) != NWR_OK;
    if (lost)
        rec = (struct nwr_record){0};
    nwr_deltas_record(&er->deltas, &rec, -1);
    said = !nwr_record_says_nothing(&rec);
    element = nwr_element_of(&k, &rec);
    er->err = nwr_txn_digest(er->txn, er->pg, said ? &element : NULL, NULL, lost);
    if (lost)
        nwr_recount_at_open(er->txn);
    nwr_record_deinit(&rec);
    nwr_sorted_put(&er->txn->changes, key, NULL);
    if (!er->err)
        er->err = nwr_txn_index(er->txn, &k, false);
    return er->err == NWR_OK;
}

void nwr_run_erase(struct nwr_engine *e, struct nwr_store_op *op)
{
    const uint8_t prefix[2] = {(uint8_t)(op->pg >> 8), (uint8_t)op->pg};
    struct nwr_skey from = nwr_skey_of(NWR_SPACE_RECORDS, prefix, sizeof(prefix));
    struct nwr_txn t;
    struct erasing er = {.txn = &t, .pg = op->pg};

    nwr_txn_init(&t, e);
    op->err = e->kv->scan(e->kv, &from, on_record, &er);
    if (!op->err)
        op->err = er.err;
    if (!op->err)
        op->err = nwr_txn_clock_lost(&t, op->pg);
    nwr_deltas_sum(&er.deltas);
    if (!op->err)
        op->err = nwr_blocks_count(&t, &er.deltas, op, false);
    if (op->err)
        nwr_txn_abort(&t);
    else
        op->err = nwr_txn_commit(&t);
    op->more = er.more;
    nwr_free(er.deltas.d);
}
