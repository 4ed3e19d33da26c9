/* mount.c -- events in, effects out; see mount.h. */
#include "fs/core/state.h"

#define TOKEN_IDS 0 /* transactions have tokens from 1 */

/* ---- life ----------------------------------------------------------------------------------- */

struct nwr_mount *nwr_mount_create(const struct nwr_mount_config *config)
{
    struct nwr_mount *m = nwr_zalloc(sizeof(*m));

    m->reads = nwr_zalloc(sizeof(*m->reads));
    m->config = *config;
    nwr_rng_init(&m->rng, config->seed);
    nwr_itable_init(&m->nodes);
    m->cache = nwr_block_cache_create(NWR_CACHE_BYTES);
    m->change = nwr_zalloc(NWR_CHANGES * sizeof(*m->change));
    m->next_txn = m->next_handle = m->kept_next = 1;
    for (uint32_t i = 0; i < config->nkept; i++)
        nwr_spool_put(m, &config->kept[i]);
    m->config.kept = NULL;
    return m;
}

void nwr_mount_destroy(struct nwr_mount *m)
{
    while (m->txns)
        nwr_txn_destroy(m->txns);
    nwr_birth_settle(m);
    nwr_free(m->sent);
    while (m->handles) {
        struct nwr_handle *h = m->handles;

        m->handles = h->next;
        if (h->dir)
            nwr_dir_destroy(h->dir);
        nwr_free(h);
    }
    nwr_walk_deinit(m);
    nwr_free(m->change);
    nwr_free(m->reads);
    nwr_inval_deinit(m);
    nwr_itable_deinit(&m->nodes);
    nwr_block_cache_destroy(m->cache);
    for (uint32_t i = 0; i < m->nearly; i++)
        nwr_fs_req_destroy(m->early[i]);
    nwr_free(m->early);
    nwr_free(m->due);
    nwr_free(m->kept);
    nwr_free(m->reap);
    nwr_free(m->behind);
    nwr_free(m);
}

/* ---- effects -------------------------------------------------------------------------------- */

static struct nwr_fs_effect *effect(struct nwr_mount *m, enum nwr_fs_effect_kind kind)
{
    struct nwr_fs_effects *out = m->out;
    struct nwr_fs_effect *e;

    out->e = nwr_grow(out->e, &out->cap, out->n + 1, sizeof(*out->e));
    e = &out->e[out->n++];
    *e = (struct nwr_fs_effect){.kind = kind};
    return e;
}

void nwr_mount_reply(struct nwr_mount *m, struct nwr_fs_req *req, struct nwr_fs_reply *reply)
{
    struct nwr_fs_effect *e = effect(m, NWR_FS_REPLY);

    e->req = req;
    e->reply = *reply;
}

void nwr_mount_submit(struct nwr_mount *m, struct nwr_request *vreq, uint64_t token)
{
    vreq->token = token;
    vreq->hlc = NWR_MAX(vreq->hlc, m->hlc);
    m->counters.volume_reads += vreq->op == NWR_OP_READ;
    m->counters.volume_puts += vreq->op == NWR_OP_PUT;
    m->counters.volume_blocks += vreq->op == NWR_OP_BLOCK_PUT || vreq->op == NWR_OP_BLOCK_GET;
    effect(m, NWR_FS_VOLUME)->vreq = vreq;
}

void nwr_mount_spool(struct nwr_mount *m, struct nwr_spool_op *op, uint64_t token)
{
    op->token = token;
    effect(m, NWR_FS_SPOOL)->spool = op;
}

void nwr_mount_inval(struct nwr_mount *m, struct nwr_node *n, uint64_t off, uint64_t size)
{
    struct nwr_fs_effect *e;

    nwr_inval_out(m, n->id);
    e = effect(m, NWR_FS_INVAL_INODE);
    e->node = n->id;
    e->off = off;
    e->size = size;
}

void nwr_mount_log(struct nwr_mount *m, char *text)
{
    effect(m, NWR_FS_LOG)->text = text;
}

/* ---- inode numbers -------------------------------------------------------------------------- */

void nwr_mount_ids_want(struct nwr_mount *m)
{
    struct nwr_request *req;

    if (m->ids_asked)
        return;
    m->ids_asked = true;
    req = nwr_request_new(NWR_OP_IDS, 0);
    req->count = NWR_IDS_RANGE;
    nwr_mount_submit(m, req, TOKEN_IDS);
}

nwr_ino nwr_mount_ids_take(struct nwr_mount *m, nwr_pg pg)
{
    nwr_ino ino;

    if (m->ids_next == m->ids_end) {
        m->ids_next = m->ids2_next;
        m->ids_end = m->ids2_end;
        m->ids2_next = m->ids2_end = 0;
    }
    if (m->ids_next == m->ids_end)
        return 0;
    ino = nwr_ino_make(pg, m->ids_ordinal, m->ids_next++);
    if (m->ids_end - m->ids_next < NWR_IDS_LOW && m->ids2_next == m->ids2_end)
        nwr_mount_ids_want(m);
    return ino;
}

static void on_ids(struct nwr_mount *m, const struct nwr_response *res)
{
    struct nwr_txn *t, *next;

    m->ids_asked = false;
    if (res->err == NWR_OK) {
        if (m->ids_next == m->ids_end) {
            m->ids_next = res->first;
            m->ids_end = res->first + NWR_IDS_RANGE;
        } else {
            m->ids2_next = res->first;
            m->ids2_end = res->first + NWR_IDS_RANGE;
        }
        m->ids_ordinal = res->ordinal;
    }
    for (t = m->txns; t; t = next) {
        next = t->next;
        if (!t->wants_ids || t->inflight)
            continue;
        if (res->err != NWR_OK)
            nwr_txn_give_up(t, res->err);
        else
            nwr_txn_run(t);
    }
}

/* ---- handles -------------------------------------------------------------------------------- */

struct nwr_handle *nwr_mount_handle(struct nwr_mount *m, uint64_t id)
{
    struct nwr_handle *h = m->handles;

    while (h && h->id != id)
        h = h->next;
    return h;
}

struct nwr_handle *nwr_mount_open(struct nwr_mount *m, struct nwr_node *n, uint32_t flags)
{
    struct nwr_handle *h = nwr_zalloc(sizeof(*h));

    h->id = m->next_handle++;
    h->node = n;
    h->flags = flags;
    h->next = m->handles;
    m->handles = h;
    n->opens++;
    return h;
}

/* ---- step ----------------------------------------------------------------------------------- */

nwr_hlc nwr_mount_hlc(const struct nwr_mount *m)
{
    return NWR_MAX((nwr_hlc)m->wall / 1000000 << 16, m->hlc + 1);
}

void nwr_mount_seen(struct nwr_mount *m, nwr_hlc hlc)
{
    if (hlc <= ((nwr_hlc)m->wall / 1000000 + NWR_AHEAD_MS) << 16)
        m->hlc = NWR_MAX(m->hlc, hlc);
}

static void on_forget(struct nwr_mount *m, struct nwr_fs_req *req)
{
    struct nwr_node *n = nwr_itable_find(&m->nodes, req->node);

    if (n && n->id != NWR_NODE_ROOT) {
        n->nlookup -= NWR_MIN(n->nlookup, req->count);
        nwr_itable_reap(&m->nodes, n);
    }
    nwr_fs_req_destroy(req);
}

static bool only_looks(enum nwr_fs_op op)
{
    static const uint8_t looks[] = {NWR_FS_LOOKUP,   NWR_FS_FORGET,      NWR_FS_GETATTR,
                                    NWR_FS_READLINK, NWR_FS_READ,        NWR_FS_OPENDIR,
                                    NWR_FS_READDIR,  NWR_FS_READDIRPLUS, NWR_FS_RELEASEDIR,
                                    NWR_FS_STATFS,   NWR_FS_GETXATTR,    NWR_FS_LISTXATTR};

    return memchr(looks, (int)op, sizeof(looks)) != NULL;
}

static void run_request(struct nwr_mount *m, struct nwr_fs_req *req)
{
    const struct nwr_node *n = m->nkept ? nwr_itable_find(&m->nodes, req->node) : NULL;
    struct nwr_plan_of of = n && n->kept ? nwr_kept_plan_of(req->op) : nwr_plan_of(req->op);
    struct nwr_txn *t = nwr_txn_new(m, of.plan, of.finish, req);

    if (nwr_walk_begin(t))
        nwr_txn_run(t);
}

/* ---- the beginning: what quorums the root wants is itself a record, read with R = 1; a mount
 * that is cut off could not learn otherwise that it may go on alone. ---- */

static enum nwr_plan plan_begin(struct nwr_txn *t)
{
    t->r = 1;
    return nwr_txn_object(t, NWR_INO_ROOT) ? NWR_PLAN_DONE : NWR_PLAN_WAIT;
}

static void finish_begin(struct nwr_txn *t)
{
    struct nwr_mount *m = t->m;
    struct nwr_node *root = nwr_itable_find(&m->nodes, NWR_NODE_ROOT);
    struct nwr_attr a;

    if (t->err == NWR_OK && nwr_attr_merge(t, NWR_INO_ROOT, &a)) {
        root->policy = a.policy;
        nwr_attr_deinit(&a);
    }
    m->begun = true;
    for (uint32_t i = 0; i < m->nearly; i++)
        run_request(m, m->early[i]);
    m->nearly = 0;
}

static void hold_early(struct nwr_mount *m, struct nwr_fs_req *req)
{
    m->early = nwr_grow(m->early, &m->capearly, m->nearly + 1, sizeof(struct nwr_fs_req *));
    m->early[m->nearly++] = req;
    if (m->beginning)
        return;
    m->beginning = true;
    nwr_txn_run(nwr_txn_new(m, plan_begin, finish_begin, NULL));
}

static void on_request(struct nwr_mount *m, struct nwr_fs_req *req)
{
    m->counters.requests[req->op]++;
    m->changes += !only_looks(req->op);
    if (req->op == NWR_FS_FORGET)
        return on_forget(m, req);
    if (m->begun)
        run_request(m, req);
    else
        hold_early(m, req);
}

static void on_volume(struct nwr_mount *m, struct nwr_request *vreq, struct nwr_response *res)
{
    struct nwr_txn *t = m->txns;

    if (vreq->token == TOKEN_IDS)
        return on_ids(m, res);
    m->changes += vreq->op == NWR_OP_PUT;
    while (t && t->id != vreq->token)
        t = t->next;
    if (t)
        nwr_txn_answer(t, vreq, res);
}

static void on_spool(struct nwr_mount *m, struct nwr_spool_op *op)
{
    struct nwr_txn *t = m->txns;

    while (t && t->id != op->token)
        t = t->next;
    if (t)
        nwr_txn_spooled(t, op);
    nwr_spool_op_destroy(op);
}

void nwr_mount_step(struct nwr_mount *m, struct nwr_fs_event *ev, struct nwr_fs_effects *out)
{
    m->out = out;
    m->now = ev->now;
    m->wall = ev->wall;
    switch (ev->kind) {
    case NWR_FS_EV_REQUEST: on_request(m, ev->req); break;
    case NWR_FS_EV_VOLUME: on_volume(m, ev->vreq, ev->res); break;
    case NWR_FS_EV_SPOOL: on_spool(m, ev->spool); break;
    case NWR_FS_EV_INVALED: nwr_inval_done(m, ev->node); break;
    case NWR_FS_EV_TICK: break;
    case NWR_FS_EV_STOP: m->stopping = true; break;
    }
    nwr_push_tick(m, m->stopping);
    nwr_reap_tick(m);
    m->out = NULL;
}

nwr_ms nwr_mount_deadline(const struct nwr_mount *m)
{
    nwr_ms push = nwr_push_deadline(m), reap = nwr_reap_deadline(m);

    return NWR_MIN(push, reap);
}

bool nwr_mount_idle(const struct nwr_mount *m)
{
    return !m->txns && m->ndue == 0;
}

void nwr_mount_check(const struct nwr_mount *m)
{
    nwr_itable_check(&m->nodes);
    for (uint32_t i = 0; i < m->nodes.nbirth; i++)
        nwr_assert(m->nodes.birth[i]->held);
    for (const struct nwr_txn *t = m->txns; t; t = t->next)
        nwr_assert(t->inflight || t->wants_ids || t->wants_push || t->wants_ahead || t->wants_look);
}

const struct nwr_fs_counters *nwr_mount_counters(const struct nwr_mount *m)
{
    return &m->counters;
}
