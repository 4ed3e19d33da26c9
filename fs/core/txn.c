/* txn.c -- running plans, sending what they lack and what they decide; see txn.h. */
#include "fs/core/check.h"

enum {
    REREADS_MAX = 8 /* of a file that is replaced all the time */
};

/* ---- life ----------------------------------------------------------------------------------- */

struct nwr_txn *nwr_txn_new(struct nwr_mount *m, enum nwr_plan (*plan)(struct nwr_txn *),
                            void (*finish)(struct nwr_txn *), struct nwr_fs_req *req)
{
    struct nwr_txn *t = nwr_zalloc(sizeof(*t));

    t->m = m;
    t->id = m->next_txn++;
    t->plan = plan;
    t->finish = finish;
    t->req = req;
    t->since = m->changed;
    t->next = m->txns;
    if (t->next)
        t->next->prev = t;
    m->txns = t;
    return t;
}

static void drop_batches(struct nwr_txn *t)
{
    for (uint32_t i = t->sent; i < t->nbatch; i++)
        nwr_request_destroy(t->batch[i]);
    t->nbatch = t->sent;
    for (uint32_t i = 0; i < t->nahead; i++)
        nwr_request_destroy(t->ahead[i]);
    t->nahead = 0;
    nwr_request_destroy(t->staged);
    t->staged = NULL;
}

void nwr_txn_pin(struct nwr_txn *t, struct nwr_node *n)
{
    if (n == t->node || n == t->node2)
        return;
    n->pins++;
    nwr_assert(!t->node || !t->node2);
    *(t->node ? &t->node2 : &t->node) = n;
}

static void unpin(struct nwr_txn *t, struct nwr_node *n)
{
    if (!n)
        return;
    nwr_assert(n->pins);
    n->pins--;
    nwr_itable_reap(&t->m->nodes, n);
}

void nwr_txn_destroy(struct nwr_txn *t)
{
    struct nwr_mount *m = t->m;

    drop_batches(t);
    nwr_free(t->batch);
    nwr_free(t->ahead);
    nwr_request_destroy(t->other);
    nwr_request_destroy(t->later);
    nwr_snapshot_clear(t);
    nwr_free(t->known);
    nwr_free(t->peek);
    nwr_free(t->need);
    nwr_needs_deinit(&t->blocks);
    nwr_response_deinit(&t->last);
    nwr_push_deinit(&t->push);
    for (uint32_t i = 0; i < t->slices.n; i++)
        nwr_blob_unref(t->slices.slice[i].blob);
    nwr_free(t->slices.slice);
    nwr_spool_op_destroy(t->spool);
    nwr_survey_free(t->survey);
    nwr_check_free(t->check);
    nwr_free(t->item);
    nwr_blob_unref(t->spool_data);
    nwr_fs_reply_deinit(&t->reply);
    nwr_fs_req_destroy(t->req);
    if (t->prev)
        t->prev->next = t->next;
    else
        m->txns = t->next;
    if (t->next)
        t->next->prev = t->prev;
    unpin(t, t->node);
    unpin(t, t->node2);
    nwr_free(t);
    nwr_birth_settle(m);
}

/* ---- staging -------------------------------------------------------------------------------- */

static struct nwr_request *staged(struct nwr_txn *t)
{
    if (!t->staged)
        t->staged = nwr_request_new(NWR_OP_PUT, 0);
    return t->staged;
}

nwr_wid nwr_txn_wid(struct nwr_txn *t)
{
    nwr_wid wid = nwr_rng_next(&t->m->rng);

    return wid ? wid : 1;
}

struct nwr_write *nwr_txn_write(struct nwr_txn *t, const struct nwr_key *key,
                                const struct nwr_record *rec,
                                bool (*pick)(const struct nwr_version *v))
{
    struct nwr_request *req = staged(t);
    struct nwr_write *w = NULL;

    for (uint32_t i = 0; i < req->nwrite && !w; i++)
        if (nwr_key_cmp(&req->write[i].key, key) == 0)
            w = &req->write[i];
    if (!w) {
        w = nwr_request_write(req);
        w->key = *key;
        w->v.wid = nwr_txn_wid(t);
        w->v.flags = NWR_V_ONCE;
        w->v.uid = t->req ? t->req->uid : t->m->config.uid;
    }
    for (uint32_t i = 0; rec && i < rec->n; i++)
        if (!pick || pick(&rec->v[i]))
            nwr_txn_seen(t, w, &rec->v[i]);
    return w;
}

void nwr_txn_seen(struct nwr_txn *t, struct nwr_write *w, const struct nwr_version *v)
{
    bool once = !nwr_is_pending(v->dot) && nwr_reads_is_once(t->m->reads, v->wid);

    nwr_write_seen(w, v->dot, once ? 0 : v->wid);
}

struct nwr_guard *nwr_txn_guard(struct nwr_txn *t, enum nwr_guard_kind kind,
                                const struct nwr_key *key)
{
    struct nwr_guard *g = nwr_request_guard(staged(t));

    g->kind = kind;
    g->key = *key;
    return g;
}

struct nwr_block *nwr_txn_block(struct nwr_txn *t)
{
    return nwr_request_block(staged(t));
}

void nwr_txn_put_off(struct nwr_txn *t)
{
    nwr_request_destroy(t->later);
    t->later = t->staged;
    t->staged = NULL;
}

void nwr_txn_take_up(struct nwr_txn *t)
{
    nwr_assert(!t->staged);
    t->staged = t->later;
    t->later = NULL;
}

/* ---- sending -------------------------------------------------------------------------------- */

static void submit(struct nwr_txn *t, struct nwr_request *req)
{
    t->inflight++;
    if (req->w == 0)
        req->w = t->w;
    if (req->r == 0)
        req->r = t->r;
    req->hlc = t->dated;
    req->sloppy = t->sloppy;
    for (uint32_t i = 0; i < req->nwrite; i++)
        req->write[i].fresh |= req->write[i].v.flags & NWR_V_ONCE;
    nwr_mount_submit(t->m, req, t->id);
}

enum { /* kinds of READ, in nwr_request.count */
    READ_PLAIN,
    READ_PAGE,
    READ_GUESS,
    READ_INDEX,
    READ_BELOW
};

static uint64_t read_kind(const struct nwr_need *n)
{
    if (n->page)
        return READ_PAGE;
    if (n->index)
        return READ_INDEX;
    if (n->guess)
        return READ_GUESS;
    return n->below ? READ_BELOW : READ_PLAIN;
}

static bool any_behind(const struct nwr_txn *t, const struct nwr_request *vreq)
{
    bool behind = false;

    for (uint32_t i = 0; i < vreq->nrange; i++)
        behind |= nwr_snapshot_behind(t, &vreq->range[i]);
    return behind;
}

static void send_reads(struct nwr_txn *t)
{
    for (uint32_t i = 0; i < t->nneed; i++) {
        struct nwr_request *req;
        nwr_pg pg = nwr_key_pg(&t->need[i].range.prefix);

        if (t->need[i].range.prefix.len == 0)
            continue;
        req = nwr_request_new(NWR_OP_READ, pg);
        /* A page, or what is below a directory, is alone in its request, so that `more` can only
         * mean that; guesses are by themselves, so that they can fail. */
        req->count = read_kind(&t->need[i]);
        for (uint32_t j = i; j < t->nneed; j++) {
            struct nwr_need *n = &t->need[j];

            if (nwr_key_pg(&n->range.prefix) != pg || n->range.prefix.len == 0 ||
                (j > i && (n->page || n->below || read_kind(n) != req->count)))
                continue;
            *nwr_request_range(req) = n->range;
            n->range.prefix.len = 0;
        }
        submit(t, req);
    }
    t->nneed = 0;
}

static void send_blocks(struct nwr_txn *t)
{
    uint32_t n = NWR_MIN(t->blocks.n, NWR_BLOCKS_INFLIGHT);

    for (uint32_t i = 0; i < n; i++) {
        struct nwr_request *req =
            nwr_request_new(NWR_OP_BLOCK_GET, nwr_ino_pg(t->blocks.id[i].ino));

        nwr_request_block(req)->id = t->blocks.id[i];
        submit(t, req);
    }
    t->blocks.n = 0;
}

/* Data goes ahead of the batch that refers to it; batches go one after the other. */
static void send_next(struct nwr_txn *t)
{
    if (t->nahead) {
        for (uint32_t i = 0; i < t->nahead; i++) {
            t->ahead[i]->level = t->level;
            submit(t, t->ahead[i]);
        }
        t->nahead = 0;
        return;
    }
    if (t->sent < t->nbatch) {
        struct nwr_request *req = t->batch[t->sent++];

        req->level = t->level;
        nwr_batch_dots(t, req);
        submit(t, req);
    }
}

/* ---- the end -------------------------------------------------------------------------------- */

/* What was made can stand beside things that nobody had to read before it was made: those are read
 * now, and finish looks again. */
static bool finish_later(struct nwr_txn *t)
{
    while (t->unfinished && t->finishes++ < NWR_TXN_REPLANS_MAX) {
        if (!nwr_snapshot_from_births(t)) {
            send_reads(t);
            t->unfinished = !t->inflight;
            return t->inflight;
        }
        t->nneed = 0;
        t->unfinished = false;
        t->finish(t);
    }
    return false;
}

/* A name that a coordinator has, and the replicas that were asked have not: it exists. */
static int errno_of(const struct nwr_txn *t)
{
    static const enum nwr_fs_op makes[] = {NWR_FS_MKNOD, NWR_FS_MKDIR, NWR_FS_SYMLINK, NWR_FS_LINK,
                                           NWR_FS_CREATE};

    for (size_t i = 0; t->req && t->err == NWR_E_SUPERSEDED && i < NWR_COUNT(makes); i++)
        if (t->req->op == makes[i])
            return EEXIST;
    return t->eno ? t->eno : nwr_err_errno(t->err);
}

/* A name may have gone and its link be left, or the reaper of the inode have died half-way. */
static void reap_rest(struct nwr_txn *t)
{
    if ((t->sent || t->err == NWR_E_DEAD) && t->x.root)
        nwr_reap_later(t->m, t->x.root);
    if (t->sent && t->y.root)
        nwr_reap_later(t->m, t->y.root);
}

static void complete(struct nwr_txn *t)
{
    int eno = errno_of(t);

    if (t->finish && (!eno || !t->req)) {
        t->nneed = 0;
        t->finish(t);
        if (finish_later(t))
            return;
    }
    if (t->unfinished && !eno)
        eno = EIO;
    if (eno && t->req) {
        nwr_fs_reply_deinit(&t->reply);
        t->reply.err = eno;
    }
    if (t->req) {
        nwr_walk_end(t);
        nwr_inval_answer(t->m, t->req, &t->reply);
    }
    if (t->req && eno)
        reap_rest(t);
    t->req = NULL;
    memset(&t->reply, 0, sizeof(t->reply));
    nwr_push_unbar(t);
    nwr_txn_destroy(t);
}

void nwr_txn_give_up(struct nwr_txn *t, enum nwr_err err)
{
    nwr_assert(t->inflight == 0);
    t->err = err;
    complete(t);
}

enum nwr_plan nwr_txn_fail(struct nwr_txn *t, int eno)
{
    nwr_assert(eno > 0);
    t->eno = eno;
    return NWR_PLAN_FAIL;
}

static bool wait_for(struct nwr_txn *t)
{
    if (t->wants_push)
        return t->wants_push->pushing;
    if (t->wants_look) {
        nwr_left_look(t);
        return true;
    }
    if (t->other && !t->other_done) {
        struct nwr_request *req = t->other;

        t->other = NULL;
        submit(t, req);
        return true;
    }
    if (t->spool) {
        t->inflight++;
        nwr_mount_spool(t->m, t->spool, t->id);
        t->spool = NULL;
        return true;
    }
    if (t->wants_ids)
        nwr_mount_ids_want(t->m);
    send_reads(t);
    send_blocks(t);
    return t->inflight || t->wants_ids;
}

void nwr_txn_run(struct nwr_txn *t)
{
    for (;;) {
        enum nwr_plan result;

        drop_batches(t);
        t->dated = 0;
        t->nneed = 0;
        t->blocks.n = 0;
        t->blocks.err = NWR_OK;
        t->wants_ids = false;
        t->wants_push = NULL;
        t->wants_look = 0;
        if (t->runs++ > NWR_TXN_REPLANS_MAX) {
            t->err = NWR_E_TIMEDOUT;
            return complete(t);
        }
        t->m->counters.replans += t->runs > 1;
        result = t->plan(t);
        if (result == NWR_PLAN_FAIL)
            drop_batches(t);
        if (result == NWR_PLAN_DONE)
            nwr_batch_form(t);
        if (result != NWR_PLAN_WAIT) {
            send_next(t);
            if (t->inflight == 0)
                complete(t);
            return;
        }
        if (t->blocks.err != NWR_OK)
            return nwr_txn_give_up(t, t->blocks.err);
        if (nwr_snapshot_from_births(t))
            continue;
        if (wait_for(t))
            return;
        nwr_assert(t->wants_push); /* its push has ended meanwhile */
        nwr_snapshot_clear(t);
    }
}

void nwr_txn_again(struct nwr_txn *t)
{
    nwr_assert(t->inflight == 0);
    nwr_push_unbar(t);
    nwr_snapshot_clear(t);
    t->since = t->m->changed;
    nwr_txn_run(t);
}

enum nwr_plan nwr_txn_after_push(struct nwr_txn *t, struct nwr_node *n)
{
    if (t->pushed == n && !n->pushing && n->err != NWR_OK)
        return nwr_txn_fail(t, nwr_err_errno(n->err));
    nwr_push_start(t->m, n, nwr_push_level(t->m, n));
    t->wants_push = t->pushed = n;
    return NWR_PLAN_WAIT;
}

/* ---- answers -------------------------------------------------------------------------------- */

static void take_rows(struct nwr_txn *t, struct nwr_rows *rows)
{
    if (t->rows.n == 0) {
        nwr_rows_deinit(&t->rows);
        t->rows = *rows;
        *rows = (struct nwr_rows){0};
        return;
    }
    nwr_rows_merge(&t->rows, rows);
}

/* An inode with more names than an answer holds: the rest is asked for. */
static void read_on(struct nwr_txn *t, const struct nwr_request *vreq, const struct nwr_rows *rows)
{
    struct nwr_request *req = nwr_request_new(NWR_OP_READ, vreq->pg);
    struct nwr_key last = vreq->range[0].prefix;

    for (uint32_t i = 0; i < rows->n; i++)
        for (uint32_t j = 0; j < vreq->nrange; j++)
            if (nwr_key_has_prefix(&rows->row[i].key, &vreq->range[j].prefix) &&
                nwr_key_cmp(&rows->row[i].key, &last) > 0)
                last = rows->row[i].key;
    for (uint32_t j = 0; j < vreq->nrange; j++) {
        struct nwr_range *range = nwr_request_range(req);

        *range = vreq->range[j];
        range->after = last;
    }
    submit(t, req);
}

/* Who answered was behind: all replicas are asked, once. */
static bool widen(struct nwr_txn *t, const struct nwr_request *vreq)
{
    struct nwr_request *req;

    if (!any_behind(t, vreq) || vreq->r == NWR_QUORUM_ALL)
        return false;
    req = nwr_request_new(NWR_OP_READ, vreq->pg);
    for (uint32_t i = 0; i < vreq->nrange; i++)
        *nwr_request_range(req) = vreq->range[i];
    req->r = NWR_QUORUM_ALL;
    submit(t, req);
    return true;
}

static void on_read(struct nwr_txn *t, struct nwr_request *vreq, struct nwr_response *res)
{
    bool page = vreq->count == READ_PAGE, guess = vreq->count == READ_GUESS;

    for (uint32_t i = 0; i < res->rows.n; i++)
        for (uint32_t j = 0; j < res->rows.row[i].rec.n; j++)
            nwr_mount_seen(t->m, res->rows.row[i].rec.v[j].hlc);
    if (vreq->count == READ_INDEX) {
        nwr_survey_take(t, res);
        return;
    }
    if (res->more && vreq->count == READ_BELOW) {
        struct nwr_key_parts dir;

        nwr_key_parse(&vreq->range[0].prefix, &dir);
        t->many = dir.ino;
        return;
    }
    if (res->more && !page && !guess)
        read_on(t, vreq, &res->rows);
    take_rows(t, &res->rows);
    if (guess && (res->more || any_behind(t, vreq)))
        return;
    if (!page && !res->more && widen(t, vreq))
        return;
    for (uint32_t i = 0; i < vreq->nrange; i++) {
        if (page)
            nwr_snapshot_learn_page(t, &vreq->range[i], res->more);
        else if (!res->more)
            nwr_snapshot_learn(t, &vreq->range[i]);
    }
    nwr_birth_overlay(t);
}

/* The snapshot holds what is written, under its real dots. */
static void apply_batch(struct nwr_txn *t, const struct nwr_request *vreq,
                        const struct nwr_response *res)
{
    for (uint32_t i = 0; i < vreq->nwrite; i++) {
        struct nwr_write *w = &vreq->write[i];
        struct nwr_record *rec = &nwr_rows_at(&t->rows, &w->key)->rec;

        if (res->once && w->fresh && !w->discard)
            nwr_reads_once(t->m->reads, w->v.wid);
        w->v.dot = res->dot;
        w->v.hlc = res->hlc;
        w->v.k = res->k;
        if (w->v.wid == t->wid) {
            t->last.dot = res->dot;
            t->last.hlc = res->hlc;
            t->last.k = res->k;
        }
        nwr_walk_changed(t->m, &w->key, t->id);
        if (t->plan != nwr_reap_plan)
            nwr_left_changed(t->m, &w->key);
        if (w->discard)
            nwr_record_discard(rec, w->seen, w->nseen, w->retire, w->nretire);
        else if (!nwr_record_find(rec, w->v.dot))
            nwr_record_put(rec, &w->v, w->seen, w->nseen, w->retire, w->nretire, NULL);
    }
}

static void on_put(struct nwr_txn *t, struct nwr_request *vreq, struct nwr_response *res)
{
    if (vreq->op == NWR_OP_PUT) {
        nwr_mount_seen(t->m, res->hlc);
        t->dated = NWR_MAX(t->dated, res->hlc);
        apply_batch(t, vreq, res);
    }
}

static void on_other(struct nwr_txn *t, struct nwr_response *res)
{
    t->last.bytes_total = res->bytes_total;
    t->last.bytes_free = res->bytes_free;
    t->last.files = res->files;
    nwr_blob_unref(t->last.data);
    t->last.data = nwr_blob_ref(res->data);
    t->other_done = true;
}

/* A block that nobody who answers has: the version that named it may have been replaced by
 * another mount since the file was opened. The newest is read instead, as when it is opened. */
static bool reread(struct nwr_txn *t, const struct nwr_request *vreq, enum nwr_err err)
{
    struct nwr_node *n[] = {t->node, t->node2};

    if (vreq->op != NWR_OP_BLOCK_GET || !t->req || t->rereads == REREADS_MAX ||
        (err != NWR_E_NOENT && err != NWR_E_HOSTDOWN))
        return false;
    t->rereads++;
    t->reread_err = err;
    for (size_t i = 0; i < NWR_COUNT(n); i++) {
        if (n[i] && n[i]->file && !nwr_file_dirty(n[i]->file)) {
            n[i]->loaded = false;
            t->stale = true;
        }
    }
    return t->stale;
}

/* Whether a batch that was refused is planned anew, on a fresh snapshot (txn.h). */
static bool may_replan(const struct nwr_txn *t, enum nwr_err err)
{
    switch ((int)err) {
    case NWR_E_SUPERSEDED:
    case NWR_E_BLOCKS: return t->sent <= (t->req->op == NWR_FS_MKDIR ? 2u : 1u);
    case NWR_E_NOTEMPTY: return !t->refilled && t->sent <= NWR_DIRS_MAX;
    case NWR_E_DEAD: return !t->dead && t->sent <= 2;
    default: return false;
    }
}

static void note_error(struct nwr_txn *t, const struct nwr_request *vreq, enum nwr_err err)
{
    if (reread(t, vreq, err))
        return;
    if (vreq->op == NWR_OP_READ && vreq->count == READ_GUESS)
        return;
    if (vreq->op == NWR_OP_BLOCK_GET && err == NWR_E_NOENT)
        err = NWR_E_STALE; /* the version that named it was replaced long ago */
    if (vreq->op == NWR_OP_PUT && t->runs < NWR_TXN_REPLANS_MAX &&
        (t->req ? may_replan(t, err) : err == NWR_E_DEAD && nwr_push_dead(t))) {
        t->stale = t->refused = true;
        if (err == NWR_E_NOTEMPTY)
            t->refilled = t->looks_inside = true;
        t->look.len = 0;
        t->looks = t->looked = t->nunder = 0;
        t->leftover = false;
        t->dead |= err == NWR_E_DEAD && t->req;
        drop_batches(t);
        t->nbatch = t->sent = 0;
        return;
    }
    if (t->err == NWR_OK)
        t->err = err;
}

static void on_block(struct nwr_txn *t, const struct nwr_block_id *id, struct nwr_blob *data)
{
    struct nwr_node *n = t->node2 && t->node2->file ? t->node2 : t->node;

    if (n && n->file)
        nwr_file_have(n->file, id, data);
    else
        nwr_block_cache_put(t->m->cache, id, data);
}

void nwr_txn_spooled(struct nwr_txn *t, struct nwr_spool_op *op)
{
    nwr_assert(t->inflight == 1);
    t->inflight--;
    t->spool_err = op->err;
    nwr_blob_unref(t->spool_data);
    t->spool_data = nwr_blob_ref(op->data);
    nwr_txn_run(t);
}

void nwr_txn_answer(struct nwr_txn *t, struct nwr_request *vreq, struct nwr_response *res)
{
    bool writing = vreq->op == NWR_OP_PUT || vreq->op == NWR_OP_BLOCK_PUT;

    nwr_assert(t->inflight);
    t->inflight--;
    t->trips = NWR_MAX(t->trips, res->round_trips);
    if (res->err != NWR_OK)
        note_error(t, vreq, res->err);
    else if (vreq->op == NWR_OP_READ)
        on_read(t, vreq, res);
    else if (vreq->op == NWR_OP_BLOCK_GET && res->data)
        on_block(t, &vreq->block[0].id, res->data);
    else if (writing)
        on_put(t, vreq, res);
    else
        on_other(t, res);
    if (t->inflight)
        return;
    if (!t->beside)
        t->m->counters.round_trips += t->trips;
    t->trips = 0;
    if (t->err != NWR_OK || t->finishes)
        return complete(t);
    if (t->stale) {
        t->stale = false;
        return nwr_txn_again(t);
    }
    if (!writing)
        return nwr_txn_run(t);
    send_next(t);
    if (t->inflight)
        return;
    if (!t->onward)
        return complete(t);
    t->onward = false;
    t->nbatch = t->sent = 0;
    nwr_txn_again(t);
}
