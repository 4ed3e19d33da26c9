/* batch.c -- what a plan has decided is cut into batches; see txn.h.
 *
 * A link goes after its name, and whoever sends the batches may come no further than the name. So
 * where the two are in batches of their own, the link is put *on its way out* in one before both
 * (NWR_V_HIDDEN): then it counts as long as its name leads to the inode, and no longer, wherever
 * this ends (nwr_txn_object). That costs no batch: what removes a file has one there that says so,
 * and what moves a file has one that adds the other link. Who is told of such a link reads the name
 * besides, which happens while an operation is under way, and where one ended half-way.
 *
 * Whoever makes the link again while it is on its way out, and has written no name yet, loses
 * nothing by it: his is a version of its own, which replaces the other one or stands beside it, and
 * counts whatever its name is. So one that stands alone and without its name was made before that
 * name went; who took it off had seen both.
 */
#include "fs/core/state.h"

/* The order in which parts of an operation become visible (DESIGN 4, "Link"): that a directory
 * takes no more names, which may be refused; what a name will need; the name; then what goes. */
static int phase(const struct nwr_write *w)
{
    bool gone = w->v.flags & NWR_V_TOMBSTONE || w->discard;

    if (w->key.b[2] == 'E')
        return gone || w->v.flags & NWR_V_HIDDEN ? 3 : 2;
    if (w->key.b[11] == NWR_REG_MARKS && w->v.flags & NWR_V_HIDDEN)
        return 0;
    return w->key.b[11] == NWR_REG_LINK && gone ? 4 : 1;
}

static struct nwr_request *batch_of(struct nwr_txn *t, nwr_pg pg, uint32_t from)
{
    for (uint32_t i = from; i < t->nbatch; i++)
        if (t->batch[i]->pg == pg)
            return t->batch[i];
    t->batch = nwr_realloc(t->batch, (t->nbatch + 1) * sizeof(struct nwr_request *));
    t->batch[t->nbatch] = nwr_request_new(NWR_OP_PUT, pg);
    return t->batch[t->nbatch++];
}

/* A dot given to a write of this mount before it was sent means nothing to a replica: its
 * write_id does. */
static void name_by_wid(struct nwr_write *w)
{
    for (uint32_t i = 0; i < w->nseen; i++)
        if (nwr_is_pending(w->seen[i].dot))
            w->seen[i].dot = (struct nwr_dot){0};
}

/* The entry that a link, or a record beside an entry, belongs to. */
static bool entry_of(const struct nwr_key *key, struct nwr_key *entry)
{
    struct nwr_key_parts p;

    if (!nwr_key_parse(key, &p))
        return false;
    if (p.kind == 'I' && p.reg == NWR_REG_LINK)
        *entry = nwr_key_entry(p.parent, p.name, p.name_len);
    else if (p.kind == 'E' && nwr_view_hidden(&p))
        *entry = nwr_key_entry(p.ino, p.name, strlen(p.name));
    else
        return false;
    return true;
}

/* Index of the batch that changes an entry; nbatch: none does. */
static uint32_t batch_with(const struct nwr_txn *t, const struct nwr_key *entry)
{
    for (uint32_t i = 0; i < t->nbatch; i++)
        for (uint32_t j = 0; j < t->batch[i]->nwrite; j++)
            if (nwr_key_cmp(&t->batch[i]->write[j].key, entry) == 0)
                return i;
    return t->nbatch;
}

static const struct nwr_version *standing(const struct nwr_record *rec)
{
    for (uint32_t i = 0; rec && i < rec->n; i++)
        if (!(rec->v[i].flags & NWR_V_TOMBSTONE))
            return &rec->v[i];
    return NULL;
}

/* The link goes in batch `at`, its name in batch `named`. Those of directories say where they are,
 * by their dates too (place.h), and stay as they are until they go. */
static void put_on_its_way(struct nwr_txn *t, struct nwr_write *gone, uint32_t named, uint32_t at)
{
    const struct nwr_version *v = standing(nwr_txn_peek(t, &gone->key));
    struct nwr_write *w;
    uint32_t i = 0;

    while (i < named && t->batch[i]->pg != t->batch[at]->pg)
        i++;
    if (!v || v->ref || i >= named || named >= at)
        return;
    w = nwr_request_write(t->batch[i]);
    w->key = gone->key;
    w->v.wid = nwr_txn_wid(t);
    w->v.flags = NWR_V_HIDDEN | NWR_V_ONCE;
    w->v.uid = gone->v.uid;
    w->v.body = nwr_blob_ref(v->body);
    for (uint32_t j = 0; j < gone->nseen; j++)
        nwr_write_seen(w, gone->seen[j].dot, gone->seen[j].wid);
    nwr_write_seen(gone, (struct nwr_dot){0}, w->v.wid);
}

/* Into the last batch, or a new one; but what goes with an entry goes with it, or as soon after it
 * as its group allows. */
static void place(struct nwr_txn *t, struct nwr_write *w)
{
    uint32_t named = t->nbatch, from = t->nbatch ? t->nbatch - 1 : 0, at = 0;
    struct nwr_request *req;
    struct nwr_key entry;

    if (phase(w) >= 3 && entry_of(&w->key, &entry))
        named = batch_with(t, &entry);
    req = batch_of(t, nwr_key_pg(&w->key), NWR_MIN(named, from));
    while (t->batch[at] != req)
        at++;
    if (phase(w) == 4)
        put_on_its_way(t, w, named, at);
    *nwr_request_write(req) = *w;
}

/* Moves what is staged into as few batches as keep the order of phases. */
void nwr_batch_form(struct nwr_txn *t)
{
    struct nwr_request *all = t->staged;

    if (!all)
        return;
    nwr_assert(t->nbatch == 0);
    for (int p = 0; p < 5; p++)
        for (uint32_t i = 0; i < all->nwrite; i++) {
            struct nwr_write *w = &all->write[i];

            if (phase(w) != p)
                continue;
            t->dated = NWR_MAX(t->dated, nwr_view_dated(t, &w->key));
            name_by_wid(w);
            place(t, w);
        }
    for (uint32_t i = 0; i < all->nguard; i++)
        *nwr_request_guard(batch_of(t, nwr_key_pg(&all->guard[i].key), 0)) = all->guard[i];
    for (uint32_t i = 0; i < all->nblock; i++)
        *nwr_request_block(batch_of(t, nwr_ino_pg(all->block[i].id.ino), 0)) = all->block[i];
    all->nwrite = all->nguard = all->nblock = 0;
    nwr_request_destroy(all);
    t->staged = NULL;
}

/* What an earlier batch has written, and is replaced by this one, has a dot by now: its write_id
 * need not be retired. */
void nwr_batch_dots(struct nwr_txn *t, struct nwr_request *req)
{
    for (uint32_t i = 0; i < req->nwrite; i++) {
        struct nwr_write *w = &req->write[i];
        const struct nwr_record *rec = nwr_txn_peek(t, &w->key);

        for (uint32_t j = 0; j < w->nseen; j++)
            for (uint32_t k = 0; rec && k < rec->n && w->seen[j].dot.counter == 0; k++) {
                const struct nwr_version *v = &rec->v[k];

                if (v->wid != w->seen[j].wid || nwr_is_pending(v->dot))
                    continue;
                w->seen[j].dot = v->dot;
                if (nwr_reads_is_once(t->m->reads, v->wid))
                    w->seen[j].wid = 0;
            }
    }
}
