/* store_mem.c -- the store of a simulated node: a map in memory, with faults.
 *
 * Ops are carried out inside submit and completed by poll. Every change is noted in a journal
 * until the next SYNC; a power loss undoes the journal from its end.
 */
#include "net/store/engine.h"

/* What a key held before one change; batches are numbered. */
struct change {
    struct nwr_skey key;
    struct nwr_blob *old; /* NULL: nothing */
    uint64_t batch;
};

struct mem {
    struct nwr_store store;
    struct nwr_kv kv;
    struct nwr_engine engine;
    struct nwr_sorted map;
    struct change *journal;
    uint32_t njournal, capjournal;
    uint64_t batch;
    struct nwr_store_faults faults;
    struct nwr_rng rng;
    struct nwr_store_op *done, **done_end;
    bool polling;
};

static struct mem *of_kv(struct nwr_kv *kv)
{
    return nwr_container_of(kv, struct mem, kv);
}

static struct mem *of_store(struct nwr_store *s)
{
    return nwr_container_of(s, struct mem, store);
}

static bool chance(struct mem *m, uint32_t in_65536)
{
    return in_65536 && nwr_rng_below(&m->rng, 65536) < in_65536;
}

/* ---- kv ------------------------------------------------------------------------------------- */

static enum nwr_err mem_get(struct nwr_kv *kv, const struct nwr_skey *key, struct nwr_blob **out)
{
    struct mem *m = of_kv(kv);
    struct nwr_sorted_node *n = nwr_sorted_find(&m->map, key);

    if (!n)
        return NWR_E_NOENT;
    *out = nwr_blob_ref(n->value);
    return NWR_OK;
}

static enum nwr_err mem_scan(struct nwr_kv *kv, const struct nwr_skey *from,
                             bool (*on)(void *arg, const struct nwr_skey *key, const void *value,
                                        size_t len),
                             void *arg)
{
    struct mem *m = of_kv(kv);
    struct nwr_sorted_node *n = nwr_sorted_lower(&m->map, from);

    for (; n && n->space == from->space; n = n->next[0]) {
        struct nwr_skey key = nwr_skey_of((enum nwr_space)n->space, n->key, n->key_len);

        if (!on(arg, &key, n->value->data, n->value->len))
            break;
    }
    return NWR_OK;
}

static void set(struct mem *m, const struct nwr_skey *key, struct nwr_blob *value)
{
    if (value)
        nwr_sorted_put(&m->map, key, nwr_blob_ref(value));
    else
        nwr_sorted_del(&m->map, key);
}

/* The medium said that it was done. */
static bool is_lost(struct mem *m, const struct nwr_sorted_node *n)
{
    return n->space == NWR_SPACE_DATA &&
           chance(m, n->value ? m->faults.lost_put : m->faults.lost_del);
}

/* Until it is crashed in fact nobody sees that what follows is not there. */
static bool is_dead(struct mem *m)
{
    if (m->faults.dies_at <= 1)
        return m->faults.dies_at == 1;
    m->faults.dies_at--;
    return false;
}

static enum nwr_err mem_write(struct nwr_kv *kv, struct nwr_sorted *changes)
{
    struct mem *m = of_kv(kv);

    if (is_dead(m))
        return NWR_OK;
    m->batch++;
    for (struct nwr_sorted_node *n = changes->head[0]; n; n = n->next[0]) {
        struct nwr_skey key = nwr_skey_of((enum nwr_space)n->space, n->key, n->key_len);
        struct nwr_sorted_node *was = nwr_sorted_find(&m->map, &key);

        if (is_lost(m, n))
            continue;
        m->journal = nwr_grow(m->journal, &m->capjournal, m->njournal + 1, sizeof(*m->journal));
        m->journal[m->njournal++] =
            (struct change){key, was ? nwr_blob_ref(was->value) : NULL, m->batch};
        set(m, &key, n->value);
    }
    return NWR_OK;
}

static bool mem_full(struct nwr_kv *kv)
{
    return of_kv(kv)->faults.full;
}

static nwr_ms mem_now(struct nwr_kv *kv)
{
    (void)kv;
    return 0;
}

/* ---- store ---------------------------------------------------------------------------------- */

static void forget_journal(struct mem *m)
{
    for (uint32_t i = 0; i < m->njournal; i++)
        nwr_blob_unref(m->journal[i].old);
    m->njournal = 0;
}

/* The medium read badly: what was found does not verify. */
static void rot(struct mem *m, struct nwr_store_op *op)
{
    if (op->kind != NWR_STORE_READ && op->kind != NWR_STORE_BLOCK_GET)
        return;
    if (op->err || !chance(m, m->faults.bit_rot))
        return;
    nwr_store_op_deinit(op);
    op->more = false;
    op->err = NWR_E_CORRUPT;
}

static void mem_submit(struct nwr_store *s, struct nwr_store_op *op)
{
    struct mem *m = of_store(s);

    if (op->kind == NWR_STORE_SYNC) {
        forget_journal(m);
        m->engine.stat.syncs++;
        op->err = NWR_OK;
    } else {
        nwr_engine_run(&m->engine, op);
        rot(m, op);
    }
    if (op->kind == NWR_STORE_META_PUT)
        forget_journal(m);
    op->next = NULL;
    *m->done_end = op;
    m->done_end = &op->next;
}

static void mem_poll(struct nwr_store *s)
{
    struct mem *m = of_store(s);

    if (m->polling)
        return;
    m->polling = true;
    while (m->done) {
        struct nwr_store_op *op = m->done;

        m->done = op->next;
        if (!m->done)
            m->done_end = &m->done;
        op->next = NULL;
        op->done(op);
    }
    m->polling = false;
}

static int mem_fd(struct nwr_store *s)
{
    (void)s;
    return -1;
}

static void mem_stat(struct nwr_store *s, struct nwr_store_stat *out)
{
    struct mem *m = of_store(s);

    *out = m->engine.stat;
    out->bytes_total = (uint64_t)1 << 40;
    out->bytes_free = m->faults.full ? 0 : out->bytes_total - out->block_bytes;
}

static void mem_destroy(struct nwr_store *s)
{
    struct mem *m = of_store(s);

    mem_poll(s);
    forget_journal(m);
    nwr_free(m->journal);
    nwr_sorted_deinit(&m->map);
    nwr_engine_deinit(&m->engine);
    nwr_free(m);
}

struct nwr_store *nwr_store_mem_create(uint64_t seed)
{
    struct mem *m = nwr_zalloc(sizeof(*m));

    m->store = (struct nwr_store){mem_submit, mem_poll, mem_fd, mem_stat, mem_destroy, NULL};
    m->kv = (struct nwr_kv){
        .get = mem_get, .scan = mem_scan, .write = mem_write, .full = mem_full, .now = mem_now};
    m->done_end = &m->done;
    nwr_rng_init(&m->rng, seed);
    nwr_engine_init(&m->engine, &m->kv);
    m->engine.store = &m->store;
    return &m->store;
}

struct nwr_store *nwr_store_mem_copy(struct nwr_store *s, uint64_t seed)
{
    struct nwr_store *copy = nwr_store_mem_create(seed);
    struct mem *to = of_store(copy);

    copy->silent = s->silent;
    for (struct nwr_sorted_node *n = of_store(s)->map.head[0]; n; n = n->next[0]) {
        struct nwr_skey key = nwr_skey_of((enum nwr_space)n->space, n->key, n->key_len);

        nwr_sorted_put(&to->map, &key, nwr_blob_ref(n->value));
    }
    nwr_assert(nwr_engine_census(&to->engine) == NWR_OK);
    return copy;
}

/* ---- faults --------------------------------------------------------------------------------- */

struct nwr_store_faults *nwr_store_mem_faults(struct nwr_store *s)
{
    return &of_store(s)->faults;
}

static void undo_last(struct mem *m)
{
    struct change *c = &m->journal[--m->njournal];

    set(m, &c->key, c->old);
    nwr_blob_unref(c->old);
}

/* Cuts the last batch: each of its records is old or new, by chance; blocks that it stored or
 * removed are all there, and counted again. */
static void tear(struct mem *m, uint64_t batch)
{
    while (m->njournal && m->journal[m->njournal - 1].batch == batch) {
        struct change *c = &m->journal[m->njournal - 1];
        bool record = c->key.space == NWR_SPACE_RECORDS;
        bool undo = record ? chance(m, 32768) : c->old != NULL;

        if (undo) {
            undo_last(m);
        } else {
            nwr_blob_unref(c->old);
            m->njournal--;
        }
    }
}

static void lose_unsynced(struct mem *m, bool torn)
{
    uint64_t last = m->njournal ? m->journal[m->njournal - 1].batch : 0;
    uint64_t first = m->njournal ? m->journal[0].batch : 0;
    uint64_t cut = first;

    if (torn)
        cut = first + nwr_rng_below(&m->rng, last - first + 1);
    while (m->njournal && m->journal[m->njournal - 1].batch > cut)
        undo_last(m);
    if (torn)
        tear(m, cut);
    else
        while (m->njournal)
            undo_last(m);
    forget_journal(m);
}

void nwr_store_mem_crash(struct nwr_store *s, bool lose)
{
    struct mem *m = of_store(s);
    bool torn = lose && m->njournal && chance(m, m->faults.torn_batch);
    enum nwr_err err;

    m->done = NULL;
    m->done_end = &m->done;
    m->faults.dies_at = 0;
    nwr_engine_forget(&m->engine);
    if (lose)
        lose_unsynced(m, torn);
    err = torn ? nwr_engine_recount(&m->engine) : nwr_engine_start(&m->engine);
    nwr_assert(err == NWR_OK || err == NWR_E_CORRUPT);
    err = nwr_engine_census(&m->engine);
    nwr_assert(err == NWR_OK || err == NWR_E_CORRUPT);
}

enum nwr_err nwr_store_mem_verify(struct nwr_store *s, struct nwr_verify *out)
{
    return nwr_engine_verify(&of_store(s)->engine, out);
}

static void rot_one(struct mem *m, struct nwr_sorted_node *at)
{
    struct nwr_blob *rotten = nwr_blob_copy(at->value->data, at->value->len);
    uint64_t where = nwr_rng_below(&m->rng, rotten->len);

    rotten->data[where] ^= (uint8_t)(1 + nwr_rng_below(&m->rng, 255));
    nwr_blob_unref(at->value);
    at->value = rotten;
}

uint32_t nwr_store_mem_rot(struct nwr_store *s, uint32_t in_65536)
{
    struct mem *m = of_store(s);
    uint32_t n = 0;

    for (struct nwr_sorted_node *at = m->map.head[0]; at; at = at->next[0]) {
        if (at->space == NWR_SPACE_META || at->value->len == 0 || !chance(m, in_65536))
            continue;
        rot_one(m, at);
        n++;
    }
    return n;
}

void nwr_store_mem_rot_record(struct nwr_store *s, const struct nwr_key *key)
{
    struct nwr_skey skey = nwr_skey_of(NWR_SPACE_RECORDS, key->b, key->len);
    struct nwr_sorted_node *at = nwr_sorted_find(&of_store(s)->map, &skey);

    nwr_assert(at);
    rot_one(of_store(s), at);
}

void nwr_store_mem_lose(struct nwr_store *s, nwr_pg pg)
{
    const uint8_t prefix[2] = {(uint8_t)(pg >> 8), (uint8_t)pg};
    struct nwr_skey from = nwr_skey_of(NWR_SPACE_RECORDS, prefix, sizeof(prefix));
    struct mem *m = of_store(s);
    bool lost[NWR_PGS_MAX] = {false};
    struct nwr_sorted_node *n;
    enum nwr_err err;

    while ((n = nwr_sorted_lower(&m->map, &from)) && n->space == from.space &&
           memcmp(n->key, prefix, sizeof(prefix)) == 0) {
        struct nwr_skey key = nwr_skey_of(NWR_SPACE_RECORDS, n->key, n->key_len);

        nwr_sorted_del(&m->map, &key);
    }
    forget_journal(m);
    nwr_engine_forget(&m->engine);
    lost[pg] = true;
    err = nwr_engine_doubt(&m->engine, lost);
    nwr_assert(err == NWR_OK);
}
