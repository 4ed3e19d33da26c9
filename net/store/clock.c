/* clock.c -- the clock and floor of each PG, kept in the commit of what they speak of; see
 * net/core/floor.h.
 *
 * Own dots stand beside the digest, which every commit writes anyway. What was learned from others
 * and the floor change rarely: they are a META value of their own (a zero byte in its name, which
 * no string has). A clock that cannot be read is empty: this replica then claims nothing, and takes
 * floors like one that was away.
 */
#include "net/store/engine.h"

static struct nwr_skey clock_key(nwr_pg pg)
{
    const uint8_t name[4] = {'c', 0, (uint8_t)(pg >> 8), (uint8_t)pg};

    return nwr_skey_of(NWR_SPACE_META, name, sizeof(name));
}

void nwr_clock_slot_deinit(struct nwr_clock_slot *slot)
{
    nwr_vv_deinit(&slot->clock);
    nwr_vv_deinit(&slot->floor);
    *slot = (struct nwr_clock_slot){0};
}

static void decode(const struct nwr_skey *key, const struct nwr_blob *sealed,
                   struct nwr_clock_slot *out)
{
    size_t len;
    const uint8_t *p = nwr_unseal(key, sealed->data, sealed->len, &len);
    struct nwr_in in;

    if (!p)
        return;
    in = nwr_in_of(p, len);
    out->folding = nwr_in_u8(&in);
    if (nwr_vv_decode(&out->clock, &in) && nwr_vv_decode(&out->floor, &in) && nwr_in_done(&in))
        return;
    nwr_clock_slot_deinit(out);
}

enum nwr_err nwr_clock_load(struct nwr_engine *e, nwr_pg pg, const struct nwr_clock_slot **out)
{
    struct nwr_clock_slot *slot = &e->clock[pg];
    struct nwr_skey key = clock_key(pg);
    struct nwr_blob *sealed;
    enum nwr_err err;

    *out = slot;
    if (slot->read)
        return NWR_OK;
    err = e->kv->get(e->kv, &key, &sealed);
    if (err && err != NWR_E_NOENT)
        return err;
    if (!err) {
        decode(&key, sealed, slot);
        nwr_blob_unref(sealed);
    }
    slot->read = true;
    return NWR_OK;
}

/* Takes the vectors of slot. */
static void stage(struct nwr_txn *t, nwr_pg pg, struct nwr_clock_slot *slot)
{
    struct nwr_skey key = clock_key(pg);
    struct nwr_out o = {0};

    nwr_assert(!t->has_clock || t->pg == pg);
    nwr_clock_slot_deinit(&t->clock);
    t->has_clock = true;
    t->pg = pg;
    t->clock = *slot;
    t->clock.read = true;
    nwr_out_u8(&o, slot->folding);
    nwr_vv_encode(&slot->clock, &o);
    nwr_vv_encode(&slot->floor, &o);
    nwr_sorted_put(&t->changes, &key, nwr_seal(&key, o.data, o.len));
    nwr_out_free(&o);
}

/* A copy of what there is. */
static enum nwr_err copy(struct nwr_engine *e, nwr_pg pg, struct nwr_clock_slot *out)
{
    const struct nwr_clock_slot *slot;
    enum nwr_err err = nwr_clock_load(e, pg, &slot);

    *out = (struct nwr_clock_slot){0};
    if (err)
        return err;
    out->folding = slot->folding;
    nwr_vv_copy(&out->clock, &slot->clock);
    nwr_vv_copy(&out->floor, &slot->floor);
    return NWR_OK;
}

enum nwr_err nwr_txn_given(struct nwr_txn *t, nwr_pg pg, struct nwr_dot dot)
{
    struct nwr_digest_slot digest = t->digest;
    struct nwr_clock_slot clock;
    enum nwr_err err = t->has_digest ? NWR_OK : nwr_digest_load(t->e, pg, &digest);

    if (err || t->e->gapped[pg] || !NWR_RULE(CLOCK_GIVEN))
        return err;
    if (digest.given.counter && digest.given.actor != dot.actor) {
        err = copy(t->e, pg, &clock);
        if (err)
            return err;
        nwr_vv_raise(&clock.clock, digest.given);
        stage(t, pg, &clock);
    }
    if (digest.given.actor != dot.actor || digest.given.counter < dot.counter)
        digest.given = dot;
    nwr_digest_stage(t, pg, &digest);
    return NWR_OK;
}

enum nwr_err nwr_txn_clock_lost(struct nwr_txn *t, nwr_pg pg)
{
    struct nwr_digest_slot digest = t->digest;
    struct nwr_clock_slot nothing = {0};
    enum nwr_err err = t->has_digest ? NWR_OK : nwr_digest_load(t->e, pg, &digest);

    if (err || !NWR_RULE(CLOCK_LOST))
        return err;
    t->e->gapped[pg] = true;
    digest.given = (struct nwr_dot){0};
    nwr_digest_stage(t, pg, &digest);
    stage(t, pg, &nothing);
    return NWR_OK;
}

enum nwr_err nwr_clock_lost(struct nwr_engine *e, nwr_pg pg)
{
    uint64_t hash = 0;
    bool above;
    enum nwr_err err = nwr_clock_hash(e, pg, &hash, &above);
    struct nwr_txn t;

    if (err || hash == 0)
        return err;
    nwr_txn_init(&t, e);
    err = nwr_txn_clock_lost(&t, pg);
    if (!err)
        return nwr_txn_commit(&t);
    nwr_txn_abort(&t);
    return err;
}

enum nwr_err nwr_give_floor(struct nwr_engine *e, struct nwr_store_op *op)
{
    const struct nwr_clock_slot *slot;
    enum nwr_err err = nwr_clock_load(e, op->pg, &slot);

    if (!err)
        nwr_vv_copy(&op->rows.floor, &slot->floor);
    return err;
}

/* ---- clocks ---------------------------------------------------------------------------------- */

/* Own dots among them. */
static enum nwr_err now(struct nwr_engine *e, nwr_pg pg, struct nwr_clock_slot *out)
{
    enum nwr_err err = copy(e, pg, out);
    struct nwr_digest_slot digest;

    if (!err)
        err = nwr_digest_load(e, pg, &digest);
    if (!err)
        nwr_vv_raise(&out->clock, digest.given);
    else
        nwr_clock_slot_deinit(out);
    return err;
}

enum nwr_err nwr_clock_hash(struct nwr_engine *e, nwr_pg pg, uint64_t *out, bool *above)
{
    struct nwr_clock_slot slot;
    enum nwr_err err = now(e, pg, &slot);

    if (err)
        return err;
    *out = nwr_floor_hash(&slot.clock, &slot.floor);
    *above = !nwr_vv_covers(&slot.floor, &slot.clock);
    nwr_clock_slot_deinit(&slot);
    return NWR_OK;
}

static enum nwr_err write(struct nwr_engine *e, nwr_pg pg, struct nwr_clock_slot *slot)
{
    struct nwr_txn t;

    nwr_txn_init(&t, e);
    stage(&t, pg, slot);
    return nwr_txn_commit(&t);
}

/* What a peer has is known here too, or covered: true if that is news. */
static bool learn(struct nwr_clock_slot *slot, const struct nwr_group *g)
{
    bool news = false, raised;

    if (g->peer_clock &&
        (!g->peer_digest || nwr_digest_equal(g->peer_digest, &g->digest) || !NWR_RULE(CLOCK_EQUAL)))
        news |= nwr_vv_join(&slot->clock, g->peer_clock);
    if (!g->peer_floor || (!nwr_vv_covers(&slot->clock, g->peer_floor) && NWR_RULE(FLOOR_COVERED)))
        return news;
    raised = nwr_vv_join(&slot->floor, g->peer_floor);
    slot->folding |= raised;
    return news || raised;
}

static enum nwr_err run_group(struct nwr_engine *e, struct nwr_group *g)
{
    struct nwr_clock_slot slot;
    struct nwr_digest_slot digest;
    enum nwr_err err = nwr_digest_now(e, g->pg, &digest);

    if (!err)
        err = now(e, g->pg, &slot);
    if (err)
        return err;
    g->digest = digest.digest;
    if (learn(&slot, g)) {
        err = write(e, g->pg, &slot);
        if (!err)
            err = now(e, g->pg, &slot);
        if (err)
            return err;
    }
    g->clock = slot.clock;
    g->floor = slot.floor;
    g->folding = slot.folding;
    return NWR_OK;
}

void nwr_run_clocks(struct nwr_engine *e, struct nwr_store_op *op)
{
    for (uint32_t i = 0; i < op->ngroup && !op->err; i++)
        op->err = op->group[i].pg < NWR_PGS_MAX ? run_group(e, &op->group[i]) : NWR_E_INVAL;
}

/* ---- folding --------------------------------------------------------------------------------- */

struct folding {
    struct nwr_store_op *op;
    struct nwr_txn txn;
    struct nwr_deltas deltas; /* of blocks of what was kept */
    const struct nwr_clock_slot *clock;
    uint32_t looked;
    enum nwr_err err;
};

static enum nwr_err fold_one(struct folding *f, const struct nwr_skey *skey,
                             const struct nwr_key *key, struct nwr_record *rec)
{
    struct nwr_element before = nwr_element_of(key, rec), after;
    struct nwr_blob *sealed = NULL;
    struct nwr_out o = {0};
    enum nwr_err err;
    bool gone, folded, kept = rec->nkept > 0;

    if (kept)
        nwr_deltas_record(&f->deltas, rec, -1);
    folded = nwr_record_fold(rec, &f->clock->floor);
    if (kept)
        nwr_deltas_record(&f->deltas, rec, 1);
    if (!folded)
        return NWR_OK;
    gone = nwr_record_says_nothing(rec);
    after = nwr_element_of(key, rec);
    err = nwr_txn_digest(&f->txn, f->op->pg, &before, gone ? NULL : &after, false);
    if (err)
        return err;
    if (!gone) {
        nwr_record_encode(rec, &o);
        sealed = nwr_seal(skey, o.data, o.len);
        nwr_out_free(&o);
    }
    nwr_sorted_put(&f->txn.changes, skey, sealed);
    return NWR_OK;
}

static bool on_record(void *arg, const struct nwr_skey *skey, const void *value, size_t len)
{
    struct folding *f = arg;
    struct nwr_store_op *op = f->op;
    struct nwr_key key = {.len = skey->len};
    struct nwr_record rec;

    memcpy(key.b, skey->b, skey->len);
    if (key.len < 2 || nwr_key_pg(&key) != op->pg)
        return false;
    if (op->after.len && nwr_key_cmp(&key, &op->after) <= 0)
        return true;
    if (f->looked++ == NWR_LIST_MAX) {
        op->more = true;
        return false;
    }
    op->last = key;
    if (nwr_unseal_record(skey, value, len, &rec))
        return true;
    f->err = fold_one(f, skey, &key, &rec);
    nwr_record_deinit(&rec);
    return f->err == NWR_OK;
}

/* All pages of one floor were looked at. */
static enum nwr_err end(struct folding *f)
{
    struct nwr_clock_slot slot;
    enum nwr_err err = copy(f->txn.e, f->op->pg, &slot);

    if (err)
        return err;
    slot.folding = false;
    stage(&f->txn, f->op->pg, &slot);
    return NWR_OK;
}

void nwr_run_fold(struct nwr_engine *e, struct nwr_store_op *op)
{
    const uint8_t prefix[2] = {(uint8_t)(op->pg >> 8), (uint8_t)op->pg};
    struct nwr_skey from = nwr_skey_of(NWR_SPACE_RECORDS, prefix, sizeof(prefix));
    struct nwr_vv none = {0};
    struct folding f = {.op = op};
    uint64_t mark;

    nwr_txn_init(&f.txn, e);
    op->more = false;
    op->err = op->pg < NWR_PGS_MAX ? nwr_clock_load(e, op->pg, &f.clock) : NWR_E_INVAL;
    if (op->err)
        goto out;
    mark = nwr_floor_hash(&none, &f.clock->floor);
    if (op->after.len)
        from = nwr_skey_of(NWR_SPACE_RECORDS, op->after.b, op->after.len);
    else
        op->mark = mark;
    op->err = e->kv->scan(e->kv, &from, on_record, &f);
    if (!op->err)
        op->err = f.err;
    if (!op->err)
        op->err = nwr_blocks_count(&f.txn, &f.deltas, NULL, false);
    if (!op->err && !op->more && op->mark == mark)
        op->err = end(&f);
    if (!op->err)
        op->err = nwr_txn_commit(&f.txn);
out:
    nwr_txn_abort(&f.txn);
    nwr_free(f.deltas.d);
}
