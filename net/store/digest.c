/* digest.c -- the digest of each PG, kept with every commit, and the elements behind it.
 *
 * A digest is a sealed META value with a name of its own kind (a zero byte, which no string has).
 * The engine remembers what it wrote last; a record that is replaced unread loses the digest of
 * its PG until the next DIGESTS adds it up, and a restart before that recounts (verify.c).
 */
#include "net/store/engine.h"

#include <stdlib.h>

static struct nwr_skey digest_key(nwr_pg pg)
{
    const uint8_t name[4] = {'d', 0, (uint8_t)(pg >> 8), (uint8_t)pg};

    return nwr_skey_of(NWR_SPACE_META, name, sizeof(name));
}

static enum nwr_err decode(const struct nwr_skey *key, const struct nwr_blob *sealed,
                           struct nwr_digest_slot *out)
{
    struct nwr_digest_slot d;
    struct nwr_in in;
    size_t len;
    const uint8_t *p = nwr_unseal(key, sealed->data, sealed->len, &len);

    if (!p)
        return NWR_E_CORRUPT;
    in = nwr_in_of(p, len);
    d.digest.sum[0] = nwr_in_u64(&in);
    d.digest.sum[1] = nwr_in_u64(&in);
    d.digest.records = nwr_in_var(&in);
    d.given.actor = nwr_in_u64(&in);
    d.given.counter = nwr_in_var(&in);
    if (!nwr_in_done(&in))
        return NWR_E_CORRUPT;
    out->digest = d.digest;
    out->given = d.given;
    return NWR_OK;
}

enum nwr_err nwr_digest_load(struct nwr_engine *e, nwr_pg pg, struct nwr_digest_slot *out)
{
    struct nwr_skey key = digest_key(pg);
    struct nwr_blob *sealed;
    enum nwr_err err;

    if (e->digest[pg].state != NWR_DIGEST_UNREAD) {
        *out = e->digest[pg];
        return NWR_OK;
    }
    err = e->kv->get(e->kv, &key, &sealed);
    if (err && err != NWR_E_NOENT)
        return err;
    /* What was lost is in the digest, so that it would seem to be here. */
    *out = (struct nwr_digest_slot){.state = nwr_engine_doubts(e, pg) ? NWR_DIGEST_LOST
                                                                      : NWR_DIGEST_READ};
    if (err)
        return NWR_OK;
    if (decode(&key, sealed, out))
        out->state = NWR_DIGEST_LOST;
    nwr_blob_unref(sealed);
    return NWR_OK;
}

void nwr_digest_stage(struct nwr_txn *t, nwr_pg pg, const struct nwr_digest_slot *slot)
{
    struct nwr_skey key = digest_key(pg);
    struct nwr_out o = {0};

    t->has_digest = true;
    t->pg = pg;
    t->digest = *slot;
    if (slot->state == NWR_DIGEST_LOST)
        return;
    nwr_out_u64(&o, slot->digest.sum[0]);
    nwr_out_u64(&o, slot->digest.sum[1]);
    nwr_out_var(&o, slot->digest.records);
    nwr_out_u64(&o, slot->given.actor);
    nwr_out_var(&o, slot->given.counter);
    nwr_sorted_put(&t->changes, &key, nwr_seal(&key, o.data, o.len));
    nwr_out_free(&o);
}

enum nwr_err nwr_txn_digest(struct nwr_txn *t, nwr_pg pg, const struct nwr_element *before,
                            const struct nwr_element *after, bool lost)
{
    struct nwr_digest_slot slot = t->digest;
    enum nwr_err err = NWR_OK;

    nwr_assert(!t->has_digest || t->pg == pg);
    if (!t->has_digest)
        err = nwr_digest_load(t->e, pg, &slot);
    if (err)
        return err;
    if (before)
        nwr_digest_remove(&slot.digest, before);
    if (after)
        nwr_digest_add(&slot.digest, after);
    if (lost)
        slot.state = NWR_DIGEST_LOST;
    t->records += (after != NULL) - (before != NULL);
    nwr_digest_stage(t, pg, &slot);
    return NWR_OK;
}

void nwr_engine_forget(struct nwr_engine *e)
{
    nwr_loud_forget(e);
    if (!e->digest) /* it was never opened */
        return;
    memset(e->digest, 0, NWR_PGS_MAX * sizeof(*e->digest));
    for (uint32_t pg = 0; pg < NWR_PGS_MAX; pg++)
        nwr_clock_slot_deinit(&e->clock[pg]);
}

/* ---- adding up ------------------------------------------------------------------------------ */

struct listing {
    struct nwr_store_op *op;
    nwr_pg pg;
    struct nwr_pg_digest sum;
    uint32_t looked, cap;
    bool unreadable; /* any record of this page */
    size_t bytes;
};

static bool is_of(const struct nwr_skey *key, nwr_pg pg)
{
    return key->len >= 2 && key->b[0] == (uint8_t)(pg >> 8) && key->b[1] == (uint8_t)pg;
}

static struct nwr_key key_of(const struct nwr_skey *k)
{
    struct nwr_key key = {.len = k->len};

    memcpy(key.b, k->b, k->len);
    return key;
}

static bool on_summed(void *arg, const struct nwr_skey *skey, const void *value, size_t len)
{
    struct listing *l = arg;
    struct nwr_key key;
    struct nwr_record rec;
    struct nwr_element el;

    if (!is_of(skey, l->pg))
        return false;
    if (nwr_unseal_record(skey, value, len, &rec))
        return true;
    key = key_of(skey);
    el = nwr_element_of(&key, &rec);
    if (!nwr_record_says_nothing(&rec))
        nwr_digest_add(&l->sum, &el);
    nwr_record_deinit(&rec);
    return true;
}

static struct nwr_skey first_of(nwr_pg pg)
{
    const uint8_t prefix[2] = {(uint8_t)(pg >> 8), (uint8_t)pg};

    return nwr_skey_of(NWR_SPACE_RECORDS, prefix, sizeof(prefix));
}

static enum nwr_err add_up(struct nwr_engine *e, nwr_pg pg, struct nwr_pg_digest *out)
{
    struct nwr_skey from = first_of(pg);
    struct listing l = {.pg = pg};
    enum nwr_err err = e->kv->scan(e->kv, &from, on_summed, &l);

    *out = l.sum;
    return err;
}

static enum nwr_err set(struct nwr_engine *e, const struct nwr_digest_slot *was, nwr_pg pg,
                        const struct nwr_pg_digest *d)
{
    struct nwr_digest_slot slot = *was;
    struct nwr_txn t;

    slot.state = NWR_DIGEST_READ;
    slot.digest = *d;
    nwr_txn_init(&t, e);
    t.records = (int64_t)d->records - (int64_t)was->digest.records;
    nwr_digest_stage(&t, pg, &slot);
    return nwr_txn_commit(&t);
}

enum nwr_err nwr_engine_digests(struct nwr_engine *e, bool set_right, uint64_t *wrong)
{
    struct nwr_digest_slot slot;
    struct nwr_pg_digest sum;
    enum nwr_err err = NWR_OK;

    *wrong = 0;
    for (nwr_pg pg = 0; pg < NWR_PGS_MAX && !err; pg++) {
        err = nwr_digest_load(e, pg, &slot);
        if (!err)
            err = add_up(e, pg, &sum);
        if (err || (slot.state == NWR_DIGEST_READ && nwr_digest_equal(&slot.digest, &sum)))
            continue;
        /* A lost one is known to be wrong, and is set right before anyone sees it. */
        *wrong += slot.state == NWR_DIGEST_READ;
        if (set_right)
            err = nwr_clock_lost(e, pg); /* records went without it knowing */
        if (set_right && !err)
            err = set(e, &slot, pg, &sum);
    }
    return err;
}

enum nwr_err nwr_digest_now(struct nwr_engine *e, nwr_pg pg, struct nwr_digest_slot *out)
{
    enum nwr_err err = nwr_digest_load(e, pg, out);
    struct nwr_pg_digest sum;

    if (!err && out->state == NWR_DIGEST_LOST) {
        err = add_up(e, pg, &sum);
        if (!err)
            err = set(e, out, pg, &sum);
        out->state = NWR_DIGEST_READ;
        out->digest = sum;
    }
    if (!err)
        e->digest[pg] = *out;
    return err;
}

void nwr_run_digests(struct nwr_engine *e, struct nwr_store_op *op)
{
    op->digest = nwr_zalloc(NWR_PGS_MAX * sizeof(*op->digest));
    op->clock_hash = nwr_zalloc(NWR_PGS_MAX * sizeof(*op->clock_hash));
    op->above = nwr_zalloc(NWR_PGS_MAX * sizeof(*op->above));
    for (nwr_pg pg = 0; pg < NWR_PGS_MAX && !op->err; pg++) {
        struct nwr_digest_slot slot;

        op->err = nwr_digest_now(e, pg, &slot);
        if (!op->err)
            op->err = nwr_clock_hash(e, pg, &op->clock_hash[pg], &op->above[pg]);
        if (!op->err)
            op->digest[pg] = slot.digest;
    }
}

/* ---- elements ------------------------------------------------------------------------------- */

static int by_object(const void *a, const void *b)
{
    return nwr_object_id_cmp(a, b);
}

static void take(struct listing *l, const struct nwr_key *key, struct nwr_record *rec, size_t len)
{
    struct nwr_store_op *op = l->op;
    struct nwr_element el = nwr_element_of(key, rec);
    struct nwr_row *row;

    if (op->kind == NWR_STORE_LIST) {
        op->element = nwr_grow(op->element, &l->cap, op->nelement + 1, sizeof(*op->element));
        op->element[op->nelement++] = el;
    } else if (op->nwant && bsearch(&el.id, op->want, op->nwant, sizeof(*op->want), by_object)) {
        row = nwr_rows_at(&op->rows, key);
        row->rec = *rec;
        *rec = (struct nwr_record){0};
        l->bytes += len;
    }
}

static bool on_listed(void *arg, const struct nwr_skey *skey, const void *value, size_t len)
{
    struct listing *l = arg;
    struct nwr_store_op *op = l->op;
    struct nwr_key key;
    struct nwr_record rec;

    if (!is_of(skey, l->pg))
        return false;
    key = key_of(skey);
    if (op->until.len && nwr_key_cmp(&key, &op->until) > 0)
        return false;
    if (op->after.len && nwr_key_cmp(&key, &op->after) <= 0)
        return true;
    if (l->looked == NWR_LIST_MAX || l->bytes > NWR_PICK_BYTES) {
        op->more = true;
        return false;
    }
    l->looked++;
    op->last = key;
    if (nwr_unseal_record(skey, value, len, &rec)) {
        l->unreadable = true;
        return true;
    }
    if (!nwr_record_says_nothing(&rec))
        take(l, &key, &rec, len);
    nwr_record_deinit(&rec);
    return true;
}

void nwr_run_list(struct nwr_engine *e, struct nwr_store_op *op)
{
    struct nwr_skey from = first_of(op->pg);
    struct listing l = {.op = op, .pg = op->pg};

    if (op->after.len)
        from = nwr_skey_of(NWR_SPACE_RECORDS, op->after.b, op->after.len);
    op->more = false;
    op->err = e->kv->scan(e->kv, &from, on_listed, &l);
    if (!op->err && l.unreadable) {
        op->err = nwr_clock_lost(e, op->pg);
        e->digest[op->pg].state = NWR_DIGEST_LOST; /* it still has what is passed over */
    }
    if (!op->err && op->kind == NWR_STORE_PICK)
        op->err = nwr_give_floor(e, op);
}
