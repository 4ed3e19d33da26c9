/* fake_volume.c -- see fake_volume.h. */
#include "tests/lib/fake_volume.h"

#include <stdio.h>
#include <stdlib.h>

#define START_NS 1700000000000000000u

/* ---- the volume ----------------------------------------------------------------------------- */

static struct fake *owner(struct fake *f)
{
    return f->shares ? f->shares : f;
}

static void run(struct fake *f, struct nwr_store_op *op)
{
    fake_store_run(f->twin ? f->twin->store[f->at] : owner(f)->store, op);
}

static void do_put(struct fake *f, struct nwr_request *req, struct nwr_response *res)
{
    struct nwr_store_op op = {.kind = NWR_STORE_APPLY, .pg = req->pg, .coordinator = true};
    struct nwr_apply *apply = nwr_zalloc((req->nwrite + 1) * sizeof(*apply));

    res->dot = (struct nwr_dot){(nwr_actor)(1 + f->at) << 32 | 1, ++owner(f)->counter[req->pg]};
    res->hlc = (f->wall / 1000000) << 16 | owner(f)->counter[req->pg];
    res->hlc = NWR_MAX(res->hlc, req->hlc + 1);
    res->k = 1 + f->at + 1000 * owner(f)->counter[req->pg];
    for (uint32_t i = 0; i < req->nwrite; i++) {
        struct nwr_write *w = &req->write[i];

        nwr_assert(nwr_key_pg(&w->key) == req->pg);
        w->v.dot = res->dot;
        w->v.hlc = res->hlc;
        w->v.k = res->k;
        apply[i].put = w;
        apply[i].key = w->key;
    }
    op.apply = apply;
    op.napply = req->nwrite;
    op.guard = req->guard;
    op.nguard = req->nguard;
    op.block = req->block;
    op.nblock = req->nblock;
    op.alone = !f->twin;
    run(f, &op);
    res->err = op.err;
    res->acks = 1;
    if (f->twin && !op.err && req->w == NWR_QUORUM_ALL)
        fake_twin_wrote_all(f->twin, f->at, req->pg, &op.rows);
    else if (f->twin && !op.err)
        fake_twin_wrote(f->twin, f->at, req->pg, &op.rows);
    nwr_store_op_deinit(&op);
    nwr_free(apply);
}

static void forget_inodes(struct nwr_rows *rows)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < rows->n; i++) {
        if (rows->row[i].key.b[2] == 'I')
            nwr_record_deinit(&rows->row[i].rec);
        else
            rows->row[kept++] = rows->row[i];
    }
    rows->n = kept;
}

static void do_read(struct fake *f, struct nwr_request *req, struct nwr_response *res)
{
    struct nwr_store_op op = {.kind = NWR_STORE_READ, .pg = req->pg};

    if (f->twin && !fake_twin_reads(f->twin, f->at, req)) {
        res->err = NWR_E_HOSTDOWN;
        return;
    }
    op.range = req->range;
    op.nrange = req->nrange;
    run(f, &op);
    res->err = op.err;
    res->rows = op.rows;
    res->more = op.more;
    f->rows += op.rows.n;
    op.rows = (struct nwr_rows){0};
    nwr_store_op_deinit(&op);
    if (f->behind && req->r != NWR_QUORUM_ALL)
        forget_inodes(&res->rows);
}

static void do_block(struct fake *f, struct nwr_request *req, struct nwr_response *res)
{
    struct nwr_store_op op = {.kind = NWR_STORE_BLOCK_PUT, .pg = req->pg};

    if (req->op == NWR_OP_BLOCK_GET && f->fail_block) {
        res->err = f->fail_block;
        return;
    }
    if (req->op == NWR_OP_BLOCK_GET)
        op.kind = NWR_STORE_BLOCK_GET;
    op.block = req->block;
    op.nblock = req->nblock;
    if (f->twin && req->op == NWR_OP_BLOCK_GET)
        fake_store_run(fake_twin_block(f->twin, f->at, &req->block[0].id), &op);
    else
        run(f, &op);
    res->err = op.err;
    res->data = nwr_blob_ref(op.data);
    nwr_store_op_deinit(&op);
}

static void answer(struct fake *f, struct nwr_request *req, struct nwr_response *res)
{
    memset(res, 0, sizeof(*res));
    res->round_trips = 1;
    switch (req->op) {
    case NWR_OP_READ:
        res->err = f->fail_read;
        if (f->fail_guess && req->range[0].prefix.b[2] == 'I') {
            res->err = f->fail_guess;
            f->fail_guess = NWR_OK;
        }
        if (f->fail_entry && req->range[0].prefix.b[2] == 'E')
            res->err = f->fail_entry;
        if (!res->err)
            do_read(f, req, res);
        break;
    case NWR_OP_PUT:
        res->err = f->fail_put;
        if (f->puts_tried++ >= f->put_max)
            res->err = f->fail_rest ? f->fail_rest : NWR_E_HOSTDOWN;
        if (f->twin && !fake_twin_writes(f->twin, req))
            res->err = NWR_E_HOSTDOWN;
        if (!res->err || (f->applied && res->err == f->fail_put))
            do_put(f, req, res);
        if (f->applied && f->fail_put)
            *res = (struct nwr_response){.err = f->fail_put};
        break;
    case NWR_OP_BLOCK_PUT:
    case NWR_OP_BLOCK_GET: do_block(f, req, res); break;
    case NWR_OP_IDS:
        res->first = owner(f)->ids;
        res->ordinal = (uint16_t)(1 + f->at);
        owner(f)->ids += req->count;
        break;
    case NWR_OP_STATFS:
        res->bytes_total = 1 << 30;
        res->bytes_free = 1 << 29;
        break;
    case NWR_OP_STATUS:
    case NWR_OP_WHY: res->data = nwr_blob_copy("{}", 2); break;
    }
}

/* ---- steps ---------------------------------------------------------------------------------- */

static void count(struct fake *f, const struct nwr_request *req)
{
    f->reads += req->op == NWR_OP_READ;
    for (uint32_t i = 0; i < req->nrange; i++)
        f->pages += req->range[i].prefix.b[2] == 'E' && !req->range[i].exact && !req->range[i].loud;
    f->puts += req->op == NWR_OP_PUT;
    f->blocks += req->op == NWR_OP_BLOCK_PUT || req->op == NWR_OP_BLOCK_GET;
    if (req->op == NWR_OP_PUT) {
        f->writes += req->nwrite;
        for (uint32_t i = 0; i < req->nwrite; i++)
            f->retired += req->write[i].nretire;
        f->level = req->level;
        f->hlc = req->hlc;
    }
    for (uint32_t i = 0; i < req->nblock; i++)
        f->bytes_put += req->block[i].data ? req->block[i].data->len : 0;
}

static void take_reply(struct fake *f, struct nwr_fs_effect *e)
{
    if (e->req == f->waiting) {
        nwr_assert(!f->answered);
        f->answered = true;
        f->reply = e->reply;
    } else {
        nwr_fs_reply_deinit(&e->reply);
    }
    nwr_fs_req_destroy(e->req);
}

void fake_step(struct fake *f, struct nwr_fs_event *ev)
{
    struct nwr_fs_effects out = {0};

    ev->now = f->now;
    ev->wall = f->wall;
    nwr_mount_step(f->mount, ev, &out);
    nwr_mount_check(f->mount);
    for (uint32_t i = 0; i < out.n; i++) {
        struct nwr_fs_effect *e = &out.e[i];

        if (e->kind == NWR_FS_REPLY) {
            take_reply(f, e);
        } else if (e->kind == NWR_FS_VOLUME) {
            count(f, e->vreq);
            f->queue = nwr_grow(f->queue, &f->capqueue, f->nqueue + 1, sizeof(*f->queue));
            f->queue[f->nqueue++] = e->vreq;
        } else if (e->kind == NWR_FS_SPOOL) {
            fake_spool_do(f->spool, e->spool);
            nwr_assert(f->nspooled < NWR_COUNT(f->spooled));
            f->spooled[f->nspooled++] = e->spool;
        } else if (e->kind == NWR_FS_INVAL_INODE) {
            f->invals++;
            f->inval[f->ninval++ % NWR_COUNT(f->inval)] = e->node;
        } else if (e->kind == NWR_FS_LOG) {
            snprintf(f->said, sizeof(f->said), "%s", e->text);
        }
        nwr_free(e->text);
    }
    nwr_free(out.e);
    while (f->ninval && !f->hold_invals) {
        ev = &(struct nwr_fs_event){.kind = NWR_FS_EV_INVALED, .node = f->inval[--f->ninval]};
        fake_step(f, ev);
    }
}

static void tell_spooled(struct fake *f)
{
    struct nwr_fs_event ev = {.kind = NWR_FS_EV_SPOOL, .spool = f->spooled[0]};

    memmove(f->spooled, f->spooled + 1, --f->nspooled * sizeof(f->spooled[0]));
    fake_step(f, &ev);
}

static bool pending(const struct fake *f)
{
    return f->nqueue || f->nspooled;
}

static void answer_request(struct fake *f)
{
    struct nwr_request *req = f->queue[0];
    struct nwr_response res;
    struct nwr_fs_event ev = {.kind = NWR_FS_EV_VOLUME, .vreq = req, .res = &res};

    memmove(f->queue, f->queue + 1, --f->nqueue * sizeof(*f->queue));
    f->wall += 1000000;
    answer(f, req, &res);
    fake_step(f, &ev);
    nwr_response_deinit(&res);
    nwr_request_destroy(req);
}

void fake_answer(struct fake *f)
{
    if (f->nspooled)
        return tell_spooled(f);
    answer_request(f);
}

void fake_drain(struct fake *f)
{
    while (pending(f))
        fake_answer(f);
}

void fake_begin(struct fake *f, struct nwr_fs_req *req)
{
    struct nwr_fs_event ev = {.kind = NWR_FS_EV_REQUEST, .req = req};

    f->wall += 1000000;
    f->waiting = req;
    req->process = f->process;
    f->answered = false;
    fake_step(f, &ev);
}

struct nwr_fs_reply fake_end(struct fake *f)
{
    struct nwr_fs_reply reply = f->reply;

    nwr_assert(f->answered);
    memset(&f->reply, 0, sizeof(f->reply));
    f->waiting = NULL;
    return reply;
}

struct nwr_fs_reply fake_call(struct fake *f, struct nwr_fs_req *req)
{
    fake_begin(f, req);
    while (!f->answered && pending(f))
        fake_answer(f);
    if (!f->hold)
        fake_drain(f);
    return fake_end(f);
}

int fake_status(struct fake *f, struct nwr_fs_req *req)
{
    struct nwr_fs_reply r = fake_call(f, req);
    int err = r.err;

    nwr_fs_reply_deinit(&r);
    return err;
}

void fake_pass(struct fake *f, nwr_ms ms)
{
    struct nwr_fs_event ev = {.kind = NWR_FS_EV_TICK};

    f->now += ms;
    f->wall += ms * 1000000;
    fake_step(f, &ev);
    if (!f->hold)
        fake_drain(f);
}

static void mount(struct fake *f, struct nwr_mount_config *config)
{
    config->info = (struct nwr_volume_info){.id = 7, .pgs = 16, .n = 1, .w = 1, .r = 1};
    f->mount = nwr_mount_create(config);
}

static void start(struct fake *f, uint64_t seed)
{
    struct nwr_mount_config config = {.seed = seed};

    f->now = 1000;
    f->put_max = UINT32_MAX;
    f->wall = START_NS;
    mount(f, &config);
}

void fake_init(struct fake *f, uint64_t seed)
{
    memset(f, 0, sizeof(*f));
    f->store = nwr_store_mem_create(seed);
    f->store->silent = nwr_inode_silent;
    f->ids = 100;
    start(f, seed);
}

void fake_at(struct fake *f, struct fake_twin *twin, uint32_t at, uint64_t seed)
{
    memset(f, 0, sizeof(*f));
    f->twin = twin;
    f->at = at;
    f->ids = 100;
    start(f, seed);
}

void fake_sides(struct fake_twin *twin, struct fake side[2], uint64_t twin_seed, uint64_t seed)
{
    fake_twin_init(twin, twin_seed);
    for (uint32_t i = 0; i < 2; i++)
        fake_at(&side[i], twin, i, seed + i);
}

void fake_sides_deinit(struct fake_twin *twin, struct fake side[2])
{
    for (uint32_t i = 0; i < 2; i++)
        fake_deinit(&side[i]);
    fake_twin_deinit(twin);
}

struct fake *fake_create_mount(uint64_t seed)
{
    struct fake *f = nwr_zalloc(sizeof(*f));
    struct stat st;

    fake_init(f, seed);
    nwr_assert(fake_stat(f, NWR_INO_ROOT, &st) == 0);
    return f;
}

void fake_destroy_mount(struct fake *f)
{
    fake_pass(f, 5000);
    nwr_mount_check(f->mount);
    fake_deinit(f);
    nwr_free(f);
}

void fake_meet(struct fake_twin *twin, struct fake side[2])
{
    for (int round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < 2; i++)
            fake_pass(&side[i], 3000);
        fake_twin_settle(twin);
    }
}

void fake_second(struct fake *f, struct fake *first, uint64_t seed)
{
    memset(f, 0, sizeof(*f));
    f->shares = first;
    start(f, seed);
}

void fake_again(struct fake *f, struct fake_spool *spool)
{
    struct nwr_spool_item kept[FAKE_KEPT_MAX];
    struct nwr_mount_config config = {.seed = f->wall, .kept = kept, .spool = spool};

    nwr_assert(!pending(f));
    if (spool)
        config.nkept = fake_spool_list(spool, kept);
    f->spool = spool;
    nwr_mount_destroy(f->mount);
    mount(f, &config);
}

void fake_deinit(struct fake *f)
{
    for (uint32_t i = 0; i < f->nqueue; i++)
        nwr_request_destroy(f->queue[i]);
    nwr_free(f->queue);
    nwr_fs_reply_deinit(&f->reply);
    nwr_mount_destroy(f->mount);
    if (f->store)
        f->store->destroy(f->store);
}

void fake_reset(struct fake *f)
{
    f->puts_tried = f->reads = f->puts = f->blocks = f->writes = f->invals = 0;
    f->pages = f->rows = 0;
    f->bytes_put = 0;
}

/* ---- calls ---------------------------------------------------------------------------------- */

struct nwr_fs_req *fake_req(enum nwr_fs_op op, uint64_t node, const char *name)
{
    struct nwr_fs_req *req = nwr_fs_req_new(op, node);

    req->name = name ? nwr_strdup(name) : NULL;
    req->uid = 1000;
    req->gid = 1000;
    req->pid = 77;
    return req;
}

/* The errno; the rest of the reply goes. */
static int plain(struct fake *f, struct nwr_fs_req *req)
{
    struct nwr_fs_reply r = fake_call(f, req);
    int err = r.err;

    nwr_fs_reply_deinit(&r);
    return err;
}

int fake_lookup(struct fake *f, uint64_t dir, const char *name, struct nwr_fs_entry *e)
{
    struct nwr_fs_reply r = fake_call(f, fake_req(NWR_FS_LOOKUP, dir, name));
    int err = r.err;

    *e = r.entry;
    nwr_fs_reply_deinit(&r);
    return err;
}

int fake_create(struct fake *f, uint64_t dir, const char *name, uint32_t flags, uint64_t *node,
                uint64_t *fh)
{
    struct nwr_fs_req *req = fake_req(NWR_FS_CREATE, dir, name);
    struct nwr_fs_reply r;
    int err;

    req->mode = 0644;
    req->flags = flags;
    r = fake_call(f, req);
    err = r.err;
    *node = r.entry.node;
    *fh = r.fh;
    nwr_fs_reply_deinit(&r);
    return err;
}

int fake_mkdir(struct fake *f, uint64_t dir, const char *name, uint64_t *node)
{
    struct nwr_fs_req *req = fake_req(NWR_FS_MKDIR, dir, name);
    struct nwr_fs_reply r;
    int err;

    req->mode = 0755;
    r = fake_call(f, req);
    err = r.err;
    *node = r.entry.node;
    nwr_fs_reply_deinit(&r);
    return err;
}

int fake_open(struct fake *f, uint64_t node, uint32_t flags, uint64_t *fh)
{
    struct nwr_fs_req *req = fake_req(NWR_FS_OPEN, node, NULL);
    struct nwr_fs_reply r;
    int err;

    req->flags = flags;
    r = fake_call(f, req);
    err = r.err;
    *fh = r.fh;
    nwr_fs_reply_deinit(&r);
    return err;
}

int fake_write(struct fake *f, uint64_t node, uint64_t fh, uint64_t off, const char *text)
{
    struct nwr_fs_req *req = fake_req(NWR_FS_WRITE, node, NULL);

    req->fh = fh;
    req->off = off;
    req->size = strlen(text);
    req->data = nwr_blob_copy(text, strlen(text));
    return plain(f, req);
}

static int on_fh(struct fake *f, enum nwr_fs_op op, uint64_t node, uint64_t fh)
{
    struct nwr_fs_req *req = fake_req(op, node, NULL);

    req->fh = fh;
    return plain(f, req);
}

int fake_close(struct fake *f, uint64_t node, uint64_t fh)
{
    int err = on_fh(f, NWR_FS_FLUSH, node, fh);

    on_fh(f, NWR_FS_RELEASE, node, fh);
    return err;
}

int fake_fsync(struct fake *f, uint64_t node, uint64_t fh)
{
    return on_fh(f, NWR_FS_FSYNC, node, fh);
}

int fake_unlink(struct fake *f, uint64_t dir, const char *name)
{
    return plain(f, fake_req(NWR_FS_UNLINK, dir, name));
}

int fake_rmdir(struct fake *f, uint64_t dir, const char *name)
{
    return plain(f, fake_req(NWR_FS_RMDIR, dir, name));
}

int fake_rename(struct fake *f, uint64_t dir, const char *name, uint64_t dir2, const char *name2,
                uint32_t flags)
{
    struct nwr_fs_req *req = fake_req(NWR_FS_RENAME, dir, name);

    req->node2 = dir2;
    req->name2 = nwr_strdup(name2);
    req->flags = flags;
    return plain(f, req);
}

int fake_link(struct fake *f, uint64_t node, uint64_t dir, const char *name)
{
    struct nwr_fs_req *req = fake_req(NWR_FS_LINK, node, NULL);

    req->node2 = dir;
    req->name2 = nwr_strdup(name);
    return plain(f, req);
}

int fake_chmod(struct fake *f, uint64_t node, uint32_t mode)
{
    struct nwr_fs_req *req = fake_req(NWR_FS_SETATTR, node, NULL);

    req->set = NWR_SET_MODE;
    req->mode = mode;
    return fake_status(f, req);
}

int fake_chgrp(struct fake *f, uint64_t node, uint32_t gid)
{
    struct nwr_fs_req *req = fake_req(NWR_FS_SETATTR, node, NULL);

    req->set = NWR_SET_GID;
    req->count = gid;
    return fake_status(f, req);
}

int fake_stat(struct fake *f, uint64_t node, struct stat *st)
{
    struct nwr_fs_reply r = fake_call(f, fake_req(NWR_FS_GETATTR, node, NULL));
    int err = r.err;

    *st = r.entry.st;
    nwr_fs_reply_deinit(&r);
    return err;
}

static size_t gather(const struct nwr_fs_reply *r, char *buf, size_t size)
{
    size_t at = 0;

    for (uint32_t i = 0; i < r->nslice; i++) {
        const struct nwr_fs_slice *s = &r->slice[i];

        nwr_assert(at + s->len < size);
        if (s->blob)
            memcpy(buf + at, s->blob->data + s->off, s->len);
        else
            memset(buf + at, 0, s->len);
        at += s->len;
    }
    buf[at] = 0;
    return at;
}

const char *fake_cat(struct fake *f, uint64_t dir, const char *name, char *buf, size_t size)
{
    struct nwr_fs_entry e;
    struct nwr_fs_req *req;
    struct nwr_fs_reply r;
    uint64_t fh;
    int err = fake_lookup(f, dir, name, &e);

    if (!err)
        err = fake_open(f, e.node, 0, &fh);
    if (err) {
        snprintf(buf, size, "!%d", err);
        return buf;
    }
    req = fake_req(NWR_FS_READ, e.node, NULL);
    req->fh = fh;
    req->size = NWR_MIN(size - 1, (size_t)65536);
    r = fake_call(f, req);
    if (r.err)
        snprintf(buf, size, "!%d", r.err);
    else
        gather(&r, buf, size);
    nwr_fs_reply_deinit(&r);
    on_fh(f, NWR_FS_RELEASE, e.node, fh);
    return buf;
}

int fake_save(struct fake *f, uint64_t dir, const char *name, const char *text)
{
    struct nwr_fs_entry e;
    uint64_t node, fh;
    int err = fake_lookup(f, dir, name, &e);

    node = e.node;
    if (err == ENOENT)
        err = fake_create(f, dir, name, 01, &node, &fh);
    else if (!err)
        err = fake_open(f, node, 01 | 01000, &fh);
    if (!err)
        err = fake_write(f, node, fh, 0, text);
    if (err)
        return err;
    return fake_close(f, node, fh);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

const char *fake_ls(struct fake *f, uint64_t dir, char *buf, size_t size)
{
    struct nwr_fs_reply r = fake_call(f, fake_req(NWR_FS_OPENDIR, dir, NULL));
    const char *name[256];
    uint64_t fh = r.fh, off = 0;
    uint32_t n = 0;
    size_t at = 0;
    int err = r.err;

    nwr_fs_reply_deinit(&r);
    for (bool more = !err; more;) {
        struct nwr_fs_req *req = fake_req(NWR_FS_READDIR, dir, NULL);

        req->fh = fh;
        req->off = off;
        req->size = 512;
        r = fake_call(f, req);
        err = r.err;
        more = r.ndirent > 0;
        for (uint32_t i = 0; i < r.ndirent; i++) {
            off = r.dirent[i].cookie;
            if (r.dirent[i].name[0] != '.' && n < NWR_COUNT(name))
                name[n++] = nwr_strdup(r.dirent[i].name);
        }
        nwr_fs_reply_deinit(&r);
    }
    if (fh)
        on_fh(f, NWR_FS_RELEASEDIR, dir, fh);
    qsort(name, n, sizeof(name[0]), by_name);
    buf[0] = 0;
    for (uint32_t i = 0; i < n; i++) {
        at += (size_t)snprintf(buf + at, size - at, "%s%s", i ? " " : "", name[i]);
        nwr_free((char *)(uintptr_t)name[i]);
    }
    if (err)
        snprintf(buf, size, "!%d", err);
    return buf;
}
