/* compact.c -- see compact.h. */
#include "net/store/compact.h"

#define STEP_ENTRIES 2048
#define STEP_BYTES (4u << 20)

struct step {
    struct nwr_compact *c;
    struct nwr_deltas found; /* blocks of the file */
    uint32_t looked, bytes;
    bool end; /* no entries after these */
};

static bool on_entry(void *arg, const struct nwr_skey *key, const void *value, size_t len)
{
    struct step *s = arg;
    struct nwr_entry en;

    if (s->looked == STEP_ENTRIES || s->bytes >= STEP_BYTES) {
        s->c->at = *key;
        s->end = false;
        return false;
    }
    s->looked++;
    if (nwr_entry_decode(key, value, len, &en))
        return true;
    if (en.place.segment == s->c->segment) {
        struct nwr_block_id id = nwr_block_id_of(key);

        nwr_deltas_add(&s->found, &id, 0);
        s->bytes += en.place.len;
    }
    nwr_entry_deinit(&en);
    return true;
}

/* Bytes that do not verify stay where they are, and so does their file. */
static enum nwr_err move(struct nwr_engine *e, const struct nwr_block_id *id)
{
    struct nwr_block b = {.id = *id};
    struct nwr_place old;
    struct nwr_entry en;
    struct nwr_txn t;
    enum nwr_err err;

    nwr_txn_init(&t, e);
    err = nwr_entry_get(&t, id, &en);
    if (err)
        return err;
    old = en.place;
    err = nwr_block_load(&t, id, &en, &b.data);
    if (!err)
        err = e->kv->segment_put(e->kv, &b, &en.place);
    if (!err) {
        nwr_entry_put(&t, id, &en);
        nwr_txn_drop(&t, &old);
        err = nwr_txn_commit(&t);
    }
    nwr_txn_abort(&t);
    nwr_blob_unref(b.data);
    nwr_entry_deinit(&en);
    return err;
}

static bool next_file(struct nwr_compact *c, struct nwr_engine *e,
                      uint32_t (*sparse)(struct nwr_engine *e, uint32_t after))
{
    c->segment = sparse(e, c->done);
    c->at = nwr_skey_of(NWR_SPACE_BLOCKS, "", 0);
    if (!c->segment)
        c->done = 0;
    return c->segment != 0;
}

bool nwr_compact_step(struct nwr_compact *c, struct nwr_engine *e,
                      uint32_t (*sparse)(struct nwr_engine *e, uint32_t after))
{
    struct step s = {.c = c, .end = true};
    enum nwr_err err;

    if (!c->segment && !next_file(c, e, sparse))
        return false;
    err = e->kv->scan(e->kv, &c->at, on_entry, &s);
    for (uint32_t i = 0; i < s.found.n && err != NWR_E_NOSPC; i++)
        err = move(e, &s.found.d[i].id);
    nwr_free(s.found.d);
    if (s.end || err == NWR_E_NOSPC) {
        c->done = c->segment;
        c->segment = 0;
    }
    return err != NWR_E_NOSPC;
}
