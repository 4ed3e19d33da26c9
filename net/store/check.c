/* check.c -- reads and verifies what a group has, page by page: for scrub.
 *
 * It is read from the disk, not from what is in memory.
 *
 *   records   each must verify, and the blocks it names must have entries
 *   blocks    each entry must verify, its bytes too, and the blocks it names must have entries
 *
 * An entry that is not there or cannot be read is made again, without bytes, with the count of
 * those who name it (verify.c); then it is a block whose bytes rotted, which BLOCK_PUT heals.
 */
#include "net/store/engine.h"

#define CHECK_RECORDS 256
#define CHECK_BLOCKS 64
#define CHECK_BYTES (1 << 20)

struct checking {
    struct nwr_engine *e;
    struct nwr_store_op *op;
    uint32_t looked, cap, caprotten;
    bool unknown; /* an entry is */
};

static void add(struct checking *c, const struct nwr_block_id *id)
{
    struct nwr_store_op *op = c->op;

    for (uint32_t i = 0; i < op->nmissing; i++)
        if (nwr_block_id_cmp(&op->missing[i], id) == 0)
            return;
    op->missing = nwr_grow(op->missing, &c->cap, op->nmissing + 1, sizeof(*op->missing));
    op->missing[op->nmissing++] = *id;
}

static void add_rotten(struct checking *c, const struct nwr_skey *skey)
{
    struct nwr_store_op *op = c->op;
    struct nwr_key *key;

    op->rotten = nwr_grow(op->rotten, &c->caprotten, op->nrotten + 1, sizeof(*op->rotten));
    key = &op->rotten[op->nrotten++];
    *key = (struct nwr_key){.len = skey->len};
    memcpy(key->b, skey->b, skey->len);
}

static void check_named(struct checking *c, const struct nwr_block_id *id)
{
    struct nwr_txn t;
    struct nwr_entry en;

    nwr_txn_init(&t, c->e);
    if (nwr_entry_get(&t, id, &en) == NWR_OK) {
        nwr_entry_deinit(&en);
    } else {
        c->unknown = true;
        add(c, id);
    }
    nwr_txn_abort(&t);
}

/* Once a group: what is in memory verified when it was read, the disk may have rotted since. */
static void cool(struct nwr_kv *kv, const struct nwr_store_op *op)
{
    if (op->after.len || !kv->cool)
        return;
    if (op->blocks)
        kv->cool(kv, NWR_SPACE_DATA, op->pg);
    kv->cool(kv, op->blocks ? NWR_SPACE_BLOCKS : NWR_SPACE_RECORDS, op->pg);
}

/* False: the page is full. */
static bool next(struct checking *c, const struct nwr_skey *key, size_t len, uint32_t max)
{
    struct nwr_store_op *op = c->op;

    if (op->after.len && key->len == op->after.len && memcmp(key->b, op->after.b, key->len) == 0)
        return true;
    if (c->looked == max || op->checked_bytes > CHECK_BYTES) {
        op->more = true;
        return false;
    }
    c->looked++;
    op->checked++;
    op->checked_bytes += len;
    op->last.len = key->len;
    memcpy(op->last.b, key->b, key->len);
    return true;
}

static bool on_record(void *arg, const struct nwr_skey *key, const void *value, size_t len)
{
    struct checking *c = arg;
    struct nwr_record rec;

    if (key->len < 2 || ((nwr_pg)(key->b[0] << 8) | key->b[1]) != c->op->pg ||
        !next(c, key, len, CHECK_RECORDS))
        return false;
    if (nwr_unseal_record(key, value, len, &rec)) {
        add_rotten(c, key);
        return true;
    }
    for (uint32_t i = 0; i < rec.n + rec.nkept; i++) {
        const struct nwr_version *v = nwr_record_stored(&rec, i);

        for (uint32_t j = 0; j < v->nblocks; j++)
            check_named(c, &v->blocks[j]);
    }
    nwr_record_deinit(&rec);
    return true;
}

static bool on_entry(void *arg, const struct nwr_skey *key, const void *value, size_t len)
{
    struct checking *c = arg;
    struct nwr_block_id id;
    struct nwr_entry en;
    struct nwr_blob *data;
    struct nwr_txn t;

    if (key->len != 20)
        return true;
    id = nwr_block_id_of(key);
    if (nwr_ino_pg(id.ino) != c->op->pg || !next(c, key, len, CHECK_BLOCKS))
        return false;
    if (nwr_entry_decode(key, value, len, &en)) {
        c->unknown = true;
        add(c, &id);
        return true;
    }
    c->op->checked_bytes += en.place.len;
    if (en.place.segment && c->e->kv->segment_cool)
        c->e->kv->segment_cool(c->e->kv, &en.place);
    nwr_txn_init(&t, c->e);
    if (nwr_block_load(&t, &id, &en, &data) == NWR_OK)
        nwr_blob_unref(data);
    else
        add(c, &id);
    nwr_txn_abort(&t);
    for (uint32_t i = 0; i < en.nrefs; i++)
        check_named(c, &en.refs[i]);
    nwr_entry_deinit(&en);
    return true;
}

static struct nwr_skey first_of(const struct nwr_store_op *op)
{
    struct nwr_block_id id = {.ino = nwr_ino_make(op->pg, 0, 0)};
    const uint8_t prefix[2] = {(uint8_t)(op->pg >> 8), (uint8_t)op->pg};
    enum nwr_space space = op->blocks ? NWR_SPACE_BLOCKS : NWR_SPACE_RECORDS;

    if (op->after.len)
        return nwr_skey_of(space, op->after.b, op->after.len);
    return op->blocks ? nwr_block_key(space, &id) : nwr_skey_of(space, prefix, sizeof(prefix));
}

void nwr_run_check(struct nwr_engine *e, struct nwr_store_op *op)
{
    struct checking c = {.e = e, .op = op};
    struct nwr_skey from = first_of(op);

    op->more = false;
    cool(e->kv, op);
    op->err = e->kv->scan(e->kv, &from, op->blocks ? on_entry : on_record, &c);
    if (op->nrotten) /* the digest still has them */
        e->digest[op->pg].state = NWR_DIGEST_LOST;
    op->doubtful = nwr_engine_doubts(e, op->pg);
    if (!op->err && (c.unknown || e->recount_due))
        op->err = nwr_engine_raise(e);
}
