/* blocks.c -- entries of stored blocks, and the counting of references to them.
 *
 * +1 for each mention of a block by a version or by a stored block. References that an op adds
 * are counted before those it takes away, so a block that only changes its parent never passes
 * through zero. At zero a block goes, and its own references with it, worked off from a list.
 */
#include "net/store/engine.h"

#include <stdlib.h>

/* ---- ids and entries ------------------------------------------------------------------------ */

int nwr_block_id_cmp(const struct nwr_block_id *a, const struct nwr_block_id *b)
{
    if (a->ino != b->ino)
        return a->ino < b->ino ? -1 : 1;
    if (a->wid != b->wid)
        return a->wid < b->wid ? -1 : 1;
    return (a->number > b->number) - (a->number < b->number);
}

static void put_be(uint8_t *p, uint64_t v, int bytes)
{
    for (int i = bytes - 1; i >= 0; i--, v >>= 8)
        p[i] = (uint8_t)v;
}

static uint64_t get_be(const uint8_t *p, int bytes)
{
    uint64_t v = 0;

    for (int i = 0; i < bytes; i++)
        v = v << 8 | p[i];
    return v;
}

struct nwr_skey nwr_block_key(enum nwr_space space, const struct nwr_block_id *id)
{
    struct nwr_skey k;

    k.space = (uint8_t)space;
    k.len = 20;
    put_be(k.b, id->ino, 8);
    put_be(k.b + 8, id->wid, 8);
    put_be(k.b + 16, id->number, 4);
    return k;
}

struct nwr_block_id nwr_block_id_of(const struct nwr_skey *key)
{
    nwr_assert(key->len == 20);
    return (struct nwr_block_id){get_be(key->b, 8), get_be(key->b + 8, 8),
                                 (uint32_t)get_be(key->b + 16, 4)};
}

uint64_t nwr_block_sum(const struct nwr_block_id *id, const struct nwr_blob *data)
{
    struct nwr_skey k = nwr_block_key(NWR_SPACE_DATA, id);

    return nwr_hash64(data->data, data->len, nwr_hash64(k.b, k.len, k.space));
}

void nwr_entry_deinit(struct nwr_entry *en)
{
    nwr_free(en->refs);
    *en = (struct nwr_entry){0};
}

enum nwr_err nwr_entry_decode(const struct nwr_skey *key, const void *sealed, size_t len,
                              struct nwr_entry *out)
{
    size_t n;
    const uint8_t *p = nwr_unseal(key, sealed, len, &n);
    struct nwr_in in;

    if (!p || key->len != 20)
        return NWR_E_CORRUPT;
    *out = (struct nwr_entry){0};
    in = nwr_in_of(p, n);
    out->count = nwr_in_u32(&in);
    out->place.segment = nwr_in_u32(&in);
    out->place.len = nwr_in_u32(&in);
    out->place.offset = nwr_in_u64(&in);
    out->place.sum = nwr_in_u64(&in);
    out->nrefs = nwr_in_count(&in, 20);
    out->refs = out->nrefs ? nwr_alloc(out->nrefs * sizeof(*out->refs)) : NULL;
    for (uint32_t i = 0; i < out->nrefs; i++) {
        out->refs[i].ino = nwr_in_u64(&in);
        out->refs[i].wid = nwr_in_u64(&in);
        out->refs[i].number = nwr_in_u32(&in);
    }
    if (nwr_in_done(&in))
        return NWR_OK;
    nwr_entry_deinit(out);
    return NWR_E_CORRUPT;
}

enum nwr_err nwr_entry_get(struct nwr_txn *t, const struct nwr_block_id *id, struct nwr_entry *out)
{
    struct nwr_skey key = nwr_block_key(NWR_SPACE_BLOCKS, id);
    struct nwr_blob *sealed;
    enum nwr_err err = nwr_txn_get(t, &key, &sealed);

    if (err)
        return err;
    err = nwr_entry_decode(&key, sealed->data, sealed->len, out);
    nwr_blob_unref(sealed);
    return err;
}

void nwr_entry_put(struct nwr_txn *t, const struct nwr_block_id *id, const struct nwr_entry *en)
{
    struct nwr_skey key = nwr_block_key(NWR_SPACE_BLOCKS, id);
    struct nwr_out o = {0};

    nwr_out_u32(&o, en->count);
    nwr_out_u32(&o, en->place.segment);
    nwr_out_u32(&o, en->place.len);
    nwr_out_u64(&o, en->place.offset);
    nwr_out_u64(&o, en->place.sum);
    nwr_out_var(&o, en->nrefs);
    for (uint32_t i = 0; i < en->nrefs; i++) {
        nwr_out_u64(&o, en->refs[i].ino);
        nwr_out_u64(&o, en->refs[i].wid);
        nwr_out_u32(&o, en->refs[i].number);
    }
    nwr_sorted_put(&t->changes, &key, nwr_seal(&key, o.data, o.len));
    nwr_out_free(&o);
}

enum nwr_err nwr_block_load(struct nwr_txn *t, const struct nwr_block_id *id,
                            const struct nwr_entry *en, struct nwr_blob **out)
{
    struct nwr_kv *kv = t->e->kv;
    struct nwr_blob *data;
    enum nwr_err err;

    if (en->place.segment) {
        err = kv->segment_get ? kv->segment_get(kv, &en->place, &data) : NWR_E_CORRUPT;
    } else {
        struct nwr_skey key = nwr_block_key(NWR_SPACE_DATA, id);

        err = nwr_txn_get(t, &key, &data);
    }
    if (err)
        return err == NWR_E_NOENT ? NWR_E_CORRUPT : err;
    if (data->len != en->place.len || nwr_block_sum(id, data) != en->place.sum) {
        nwr_blob_unref(data);
        return NWR_E_CORRUPT;
    }
    *out = data;
    return NWR_OK;
}

/* ---- deltas --------------------------------------------------------------------------------- */

void nwr_deltas_add(struct nwr_deltas *ds, const struct nwr_block_id *id, int64_t by)
{
    ds->d = nwr_grow(ds->d, &ds->cap, ds->n + 1, sizeof(*ds->d));
    ds->d[ds->n++] = (struct nwr_delta){*id, by};
}

void nwr_deltas_record(struct nwr_deltas *ds, const struct nwr_record *rec, int64_t by)
{
    uint32_t n = rec->n + (NWR_RULE(KEPT_BLOCKS) ? rec->nkept : 0);

    for (uint32_t i = 0; i < n; i++) {
        const struct nwr_version *v = nwr_record_stored(rec, i);

        for (uint32_t j = 0; j < v->nblocks; j++)
            nwr_deltas_add(ds, &v->blocks[j], by);
    }
}

static int by_id(const void *a, const void *b)
{
    return nwr_block_id_cmp(&((const struct nwr_delta *)a)->id, &((const struct nwr_delta *)b)->id);
}

void nwr_deltas_sum(struct nwr_deltas *ds)
{
    uint32_t n = 0;

    if (ds->n > 1)
        qsort(ds->d, ds->n, sizeof(*ds->d), by_id);
    for (uint32_t i = 0; i < ds->n; i++) {
        if (n && nwr_block_id_cmp(&ds->d[n - 1].id, &ds->d[i].id) == 0) {
            ds->d[n - 1].by += ds->d[i].by;
            continue;
        }
        if (n && ds->d[n - 1].by == 0)
            n--;
        ds->d[n++] = ds->d[i];
    }
    if (n && ds->d[n - 1].by == 0)
        n--;
    ds->n = n;
}

/* ---- counting ------------------------------------------------------------------------------- */

struct counting {
    struct nwr_txn *t;
    struct nwr_store_op *op;
    const struct nwr_block **have;  /* the op's blocks by id */
    const struct nwr_block **fresh; /* those whose bytes are to be stored */
    uint32_t nhave, nfresh, capfresh, capmissing;
    struct nwr_deltas up, down;
};

static int by_block(const void *a, const void *b)
{
    return nwr_block_id_cmp(&(*(const struct nwr_block *const *)a)->id,
                            &(*(const struct nwr_block *const *)b)->id);
}

static const struct nwr_block *find_in_op(const struct counting *c, const struct nwr_block_id *id)
{
    struct nwr_block wanted = {.id = *id};
    const struct nwr_block *key = &wanted;
    const struct nwr_block **at;

    if (!c->nhave)
        return NULL;
    at = bsearch(&key, c->have, c->nhave, sizeof(*c->have), by_block);
    return at ? *at : NULL;
}

static void sort_have(struct counting *c)
{
    c->nhave = c->op->nblock;
    if (!c->nhave)
        return;
    c->have = nwr_alloc(c->nhave * sizeof(*c->have));
    for (uint32_t i = 0; i < c->nhave; i++)
        c->have[i] = &c->op->block[i];
    qsort(c->have, c->nhave, sizeof(*c->have), by_block);
}

static void add_missing(struct counting *c, const struct nwr_block_id *id)
{
    struct nwr_store_op *op = c->op;

    for (uint32_t i = 0; i < op->nmissing; i++)
        if (nwr_block_id_cmp(&op->missing[i], id) == 0)
            return;
    op->missing = nwr_grow(op->missing, &c->capmissing, op->nmissing + 1, sizeof(*op->missing));
    op->missing[op->nmissing++] = *id;
}

static void add_fresh(struct counting *c, const struct nwr_block *b)
{
    c->fresh = nwr_grow(c->fresh, &c->capfresh, c->nfresh + 1, sizeof(*c->fresh));
    c->fresh[c->nfresh++] = b;
}

static void create(struct counting *c, const struct nwr_block *b, int64_t by)
{
    struct nwr_entry en = {.count = (uint32_t)by, .refs = b->refs, .nrefs = b->nrefs};

    en.place.len = b->data ? b->data->len : 0;

    nwr_entry_put(c->t, &b->id, &en);
    if (b->data)
        add_fresh(c, b);
    for (uint32_t i = 0; i < b->nrefs; i++)
        nwr_deltas_add(&c->up, &b->refs[i], 1);
    c->t->blocks++;
    c->t->block_bytes += en.place.len;
}

static void drop_bytes(struct nwr_txn *t, const struct nwr_block_id *id, const struct nwr_place *pl)
{
    struct nwr_skey key = nwr_block_key(NWR_SPACE_DATA, id);

    if (pl->segment)
        nwr_txn_drop(t, pl);
    else
        nwr_sorted_put(&t->changes, &key, NULL);
}

static void forget(struct counting *c, const struct nwr_block_id *id, const struct nwr_entry *en)
{
    struct nwr_skey key = nwr_block_key(NWR_SPACE_BLOCKS, id);

    nwr_sorted_put(&c->t->changes, &key, NULL);
    drop_bytes(c->t, id, &en->place);
    for (uint32_t i = 0; i < en->nrefs; i++)
        nwr_deltas_add(&c->down, &en->refs[i], -1);
    c->t->blocks--;
    c->t->block_bytes -= en->place.len;
}

/* Made again by nwr_engine_raise, or told by others to be lost: its bytes are not here. */
bool nwr_entry_is_lost(const struct nwr_entry *en)
{
    return en->place.len == 0 && en->place.sum == 0;
}

/* An entry that was made again knows not what its block names. Those may have lost the count of
 * it, or not: they are counted again. */
static void take_refs(struct counting *c, const struct nwr_block *b, struct nwr_entry *en)
{
    if (nwr_entry_is_lost(en))
        c->t->block_bytes += b->data->len;
    if (en->nrefs || !b->nrefs)
        return;
    en->refs = nwr_memdup(b->refs, b->nrefs * sizeof(*b->refs));
    en->nrefs = b->nrefs;
    nwr_entry_put(c->t, &b->id, en);
    nwr_recount_at_open(c->t);
    c->t->e->recount_due = true;
}

static bool is_pinned(struct nwr_engine *e, const struct nwr_block_id *id)
{
    struct nwr_skey key = nwr_block_key(NWR_SPACE_BLOCKS, id);

    return e->pins.n && nwr_sorted_find(&e->pins, &key);
}

/* Who names a block whose bytes are not here brings them, or is told so; or has said just now that
 * they are lost. */
static void fill_lost(struct counting *c, const struct nwr_block_id *id, struct nwr_entry *en)
{
    const struct nwr_block *b = find_in_op(c, id);

    for (uint32_t i = 0; b && i < c->nfresh; i++)
        if (c->fresh[i] == b)
            return;
    if (b ? !b->data : is_pinned(c->t->e, id))
        return;
    if (b) {
        add_fresh(c, b);
        take_refs(c, b, en);
    } else {
        add_missing(c, id);
    }
}

static enum nwr_err count_up(struct counting *c, const struct nwr_block_id *id, int64_t by)
{
    struct nwr_skey key = nwr_block_key(NWR_SPACE_BLOCKS, id);
    struct nwr_entry en;
    enum nwr_err err = nwr_entry_get(c->t, id, &en);

    if (err == NWR_E_NOENT) {
        const struct nwr_block *b = find_in_op(c, id);

        if (b)
            create(c, b, by);
        else
            add_missing(c, id);
        return NWR_OK;
    }
    if (err)
        return err;
    if (by && nwr_entry_is_lost(&en))
        fill_lost(c, id, &en);
    if (by) {
        en.count += (uint32_t)by;
        nwr_entry_put(c->t, id, &en);
        nwr_sorted_put(&c->t->unpin, &key, NULL);
    }
    nwr_entry_deinit(&en);
    return NWR_OK;
}

/* An entry that cannot be read leaves garbage behind, which a recount finds; the removal that
 * led here must not fail for it. */
static enum nwr_err count_down(struct counting *c, const struct nwr_block_id *id, int64_t by)
{
    struct nwr_entry en;
    enum nwr_err err = nwr_entry_get(c->t, id, &en);

    if (err)
        return err == NWR_E_NOENT || err == NWR_E_CORRUPT ? NWR_OK : err;
    en.count = (uint64_t)by > en.count ? 0 : en.count - (uint32_t)by;
    if (en.count || is_pinned(c->t->e, id))
        nwr_entry_put(c->t, id, &en);
    else
        forget(c, id, &en);
    nwr_entry_deinit(&en);
    return NWR_OK;
}

static void pin(struct nwr_engine *e, const struct nwr_block_id *id)
{
    struct nwr_skey key = nwr_block_key(NWR_SPACE_BLOCKS, id);
    uint64_t until = e->kv->now(e->kv) + NWR_BLOCK_PIN_MS;

    nwr_sorted_put(&e->pins, &key, nwr_blob_copy(&until, sizeof(until)));
}

/* A block that is put again heals bytes that rotted, and those that the disk does not give: it
 * goes elsewhere then. What stands where nothing could be read is not known, so that is not given
 * back. */
static enum nwr_err keep(struct counting *c, const struct nwr_block *b)
{
    struct nwr_blob *data;
    struct nwr_entry en;
    enum nwr_err err = nwr_entry_get(c->t, &b->id, &en);

    if (err == NWR_E_NOENT) {
        create(c, b, 0);
        return NWR_OK;
    }
    if (err)
        return err;
    if (!b->data) /* whatever is here is no worse */
        goto out;
    for (uint32_t i = 0; i < c->nfresh; i++)
        if (nwr_block_id_cmp(&c->fresh[i]->id, &b->id) == 0)
            goto out;
    err = nwr_block_load(c->t, &b->id, &en, &data);
    if (!err) {
        nwr_blob_unref(data);
    } else if (err == NWR_E_CORRUPT || err == NWR_E_IO) {
        if (err == NWR_E_CORRUPT)
            drop_bytes(c->t, &b->id, &en.place);
        add_fresh(c, b);
        take_refs(c, b, &en);
        err = NWR_OK;
    }
out:
    nwr_entry_deinit(&en);
    return err;
}

static enum nwr_err store_bytes(struct counting *c, const struct nwr_block *b)
{
    struct nwr_kv *kv = c->t->e->kv;
    struct nwr_skey key = nwr_block_key(NWR_SPACE_DATA, &b->id);
    struct nwr_entry en;
    enum nwr_err err = nwr_entry_get(c->t, &b->id, &en);

    if (err)
        return err == NWR_E_NOENT ? NWR_OK : err;
    en.place = (struct nwr_place){.len = b->data->len, .sum = nwr_block_sum(&b->id, b->data)};
    if (kv->segment_put && b->data->len >= NWR_BLOCK_SEGMENT)
        err = kv->segment_put(kv, b, &en.place);
    else
        nwr_sorted_put(&c->t->changes, &key, nwr_blob_ref(b->data));
    if (!err)
        nwr_entry_put(c->t, &b->id, &en);
    nwr_entry_deinit(&en);
    return err;
}

static enum nwr_err count_all(struct counting *c, const struct nwr_deltas *ds, bool keep_idle)
{
    enum nwr_err err = NWR_OK;

    for (uint32_t i = 0; i < ds->n; i++)
        nwr_deltas_add(ds->d[i].by > 0 ? &c->up : &c->down, &ds->d[i].id, ds->d[i].by);
    for (uint32_t i = 0; keep_idle && i < c->op->nblock && !err; i++)
        err = keep(c, &c->op->block[i]);
    for (uint32_t i = 0; i < c->up.n && !err; i++) {
        struct nwr_delta d = c->up.d[i];

        err = count_up(c, &d.id, d.by);
    }
    if (!err && c->op && c->op->nmissing && NWR_RULE(BLOCKS_FIRST))
        err = NWR_E_BLOCKS;
    for (uint32_t i = 0; i < c->down.n && !err; i++) {
        struct nwr_delta d = c->down.d[i];

        err = count_down(c, &d.id, -d.by);
    }
    for (uint32_t i = 0; i < c->nfresh && !err; i++)
        err = store_bytes(c, c->fresh[i]);
    return err;
}

enum nwr_err nwr_blocks_count(struct nwr_txn *t, struct nwr_deltas *ds, struct nwr_store_op *op,
                              bool keep_idle)
{
    struct nwr_store_op nothing = {0};
    struct counting c = {.t = t, .op = op ? op : &nothing};
    enum nwr_err err;

    nwr_deltas_sum(ds);
    sort_have(&c);
    err = count_all(&c, ds, keep_idle);
    for (uint32_t i = 0; keep_idle && !err && i < op->nblock; i++)
        pin(t->e, &op->block[i].id);
    nwr_free(c.have);
    nwr_free(c.fresh);
    nwr_free(c.up.d);
    nwr_free(c.down.d);
    nwr_free(nothing.missing);
    return err;
}

/* ---- idle blocks ---------------------------------------------------------------------------- */

static enum nwr_err drop_if_idle(struct nwr_engine *e, const struct nwr_block_id *id)
{
    struct nwr_store_op nothing = {0};
    struct nwr_txn t;
    struct counting c = {.t = &t, .op = &nothing};
    struct nwr_entry en;
    enum nwr_err err;

    nwr_txn_init(&t, e);
    err = nwr_entry_get(&t, id, &en);
    if (!err) {
        if (en.count == 0)
            forget(&c, id, &en);
        nwr_entry_deinit(&en);
        err = count_all(&c, &(struct nwr_deltas){0}, false);
    }
    if (err)
        nwr_txn_abort(&t);
    else
        err = nwr_txn_commit(&t);
    nwr_free(c.down.d);
    return err == NWR_E_NOENT || err == NWR_E_CORRUPT ? NWR_OK : err;
}

static void take_ended_pins(struct nwr_engine *e, struct nwr_deltas *ended)
{
    nwr_ms now = e->kv->now(e->kv);

    for (struct nwr_sorted_node *n = e->pins.head[0]; n; n = n->next[0]) {
        struct nwr_skey key = nwr_skey_of(NWR_SPACE_BLOCKS, n->key, n->key_len);
        struct nwr_block_id id = nwr_block_id_of(&key);
        uint64_t until;

        memcpy(&until, n->value->data, sizeof(until));
        if (until <= now)
            nwr_deltas_add(ended, &id, 0);
    }
    for (uint32_t i = 0; i < ended->n; i++) {
        struct nwr_skey key = nwr_block_key(NWR_SPACE_BLOCKS, &ended->d[i].id);

        nwr_sorted_del(&e->pins, &key);
    }
}

static bool on_entry(void *arg, const struct nwr_skey *key, const void *value, size_t len)
{
    struct nwr_deltas *idle = arg;
    struct nwr_entry en;

    if (nwr_entry_decode(key, value, len, &en) == NWR_OK) {
        struct nwr_block_id id = nwr_block_id_of(key);

        if (en.count == 0)
            nwr_deltas_add(idle, &id, 0);
        nwr_entry_deinit(&en);
    }
    return true;
}

enum nwr_err nwr_engine_sweep(struct nwr_engine *e, bool all)
{
    struct nwr_skey first = nwr_skey_of(NWR_SPACE_BLOCKS, "", 0);
    struct nwr_deltas idle = {0};
    enum nwr_err err = NWR_OK;

    if (all) {
        nwr_sorted_deinit(&e->pins);
        err = e->kv->scan(e->kv, &first, on_entry, &idle);
    } else if (e->pins.n) {
        take_ended_pins(e, &idle);
    }
    for (uint32_t i = 0; i < idle.n && !err; i++)
        err = drop_if_idle(e, &idle.d[i].id);
    nwr_free(idle.d);
    return err;
}
