/* doubt.c -- groups that may lack records they had, since a part of the database was lost.
 *
 * What is not there is unknown, not absent: such a group is not read, and nothing that looks at
 * what is there (guards, a coordinator's write) is carried out in it, until its records were
 * fetched from its other replicas and DOUBT takes it off the list. Merges go on. The list is a
 * named value, and survives a restart.
 */
#include "net/store/engine.h"

static struct nwr_skey doubt_key(void)
{
    static const char name[] = "store.doubt";

    return nwr_skey_of(NWR_SPACE_META, name, sizeof(name) - 1);
}

bool nwr_engine_doubts(const struct nwr_engine *e, nwr_pg pg)
{
    return e->ndoubt && pg < NWR_PGS_MAX && (e->doubt[pg / 8] >> pg % 8 & 1);
}

static void count(struct nwr_engine *e)
{
    e->ndoubt = 0;
    for (uint32_t pg = 0; pg < NWR_PGS_MAX; pg++)
        e->ndoubt += e->doubt[pg / 8] >> pg % 8 & 1;
    e->stat.doubtful = e->ndoubt;
}

/* A list that does not verify doubts everything. */
enum nwr_err nwr_engine_doubt_load(struct nwr_engine *e)
{
    struct nwr_skey key = doubt_key();
    struct nwr_blob *sealed;
    const uint8_t *p;
    size_t len;
    enum nwr_err err = e->kv->get(e->kv, &key, &sealed);

    if (err)
        return err == NWR_E_NOENT ? NWR_OK : err;
    p = nwr_unseal(&key, sealed->data, sealed->len, &len);
    if (p && len == sizeof(e->doubt))
        memcpy(e->doubt, p, sizeof(e->doubt));
    else
        memset(e->doubt, 0xff, sizeof(e->doubt));
    nwr_blob_unref(sealed);
    count(e);
    return NWR_OK;
}

static void stage(struct nwr_engine *e, struct nwr_txn *t)
{
    struct nwr_skey key = doubt_key();

    nwr_sorted_put(&t->changes, &key,
                   e->ndoubt ? nwr_seal(&key, e->doubt, sizeof(e->doubt)) : NULL);
}

/* The counts of blocks come from records: they are taken again when all are there. */
enum nwr_err nwr_engine_doubt(struct nwr_engine *e, const bool pg[NWR_PGS_MAX])
{
    struct nwr_txn t;
    enum nwr_err err = NWR_OK;

    /* First, while the digest it stands beside is still written. */
    for (uint32_t i = 0; i < NWR_PGS_MAX && !err; i++)
        if (pg[i])
            err = nwr_clock_lost(e, (nwr_pg)i);
    if (err)
        return err;
    for (uint32_t i = 0; i < NWR_PGS_MAX; i++)
        if (pg[i]) {
            e->doubt[i / 8] |= (uint8_t)(1u << i % 8);
            e->digest[i].state = NWR_DIGEST_LOST;
        }
    count(e);
    e->recount_due = true;
    nwr_txn_init(&t, e);
    stage(e, &t);
    nwr_recount_at_open(&t);
    return nwr_txn_commit(&t);
}

static enum nwr_err trust(struct nwr_engine *e, nwr_pg pg)
{
    struct nwr_txn t;

    e->doubt[pg / 8] &= (uint8_t) ~(1u << pg % 8);
    e->digest[pg].state = NWR_DIGEST_LOST;
    count(e);
    e->recount_due |= e->ndoubt == 0; /* the index of conflicts too */
    nwr_txn_init(&t, e);
    stage(e, &t);
    return nwr_txn_commit(&t);
}

void nwr_run_doubt(struct nwr_engine *e, struct nwr_store_op *op)
{
    if (op->trust && nwr_engine_doubts(e, op->pg))
        op->err = trust(e, op->pg);
    if (e->ndoubt)
        op->doubt = nwr_memdup(e->doubt, sizeof(e->doubt));
}
