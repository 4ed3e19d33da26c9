/* store_kit.c -- see store_kit.h. */
#include "tests/contract/store_kit.h"

#include "net/store/segment.h"

#include <ftw.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define WAIT_MS 60000 /* a hang, not a measurement */

/* ---- kits ----------------------------------------------------------------------------------- */

static struct kit *make(bool rocks)
{
    struct kit *k = nwr_zalloc(sizeof(*k));

    k->rocks = rocks;
    return k;
}

int kit_mem(void **state)
{
    struct kit *k = make(false);

    k->s = nwr_store_mem_create(7);
    *state = k;
    return 0;
}

void kit_open(struct kit *k)
{
    uint64_t bytes = k->segment_bytes ? k->segment_bytes : NWR_SEGMENT_BYTES;
    char text[300] = "";
    enum nwr_err err = nwr_store_rocks_open_sized(&k->s, k->dir, 0, bytes, text, sizeof(text));

    if (err)
        print_error("%s\n", text);
    assert_int_equal(err, NWR_OK);
}

int kit_rocks(void **state)
{
    struct kit *k = make(true);

    kit_tmpdir(k->dir, sizeof(k->dir));
    kit_open(k);
    *state = k;
    return 0;
}

int kit_rocks_threaded(void **state)
{
    kit_rocks(state);
    nwr_store_rocks_mode(((struct kit *)*state)->s, NWR_STORE_THREADED);
    return 0;
}

int kit_teardown(void **state)
{
    struct kit *k = *state;

    if (k->s)
        k->s->destroy(k->s);
    if (k->rocks)
        kit_remove(k->dir);
    nwr_free(k);
    return 0;
}

void kit_reopen(struct kit *k)
{
    k->s->destroy(k->s);
    k->s = NULL;
    kit_open(k);
}

void kit_restart(struct kit *k)
{
    if (k->rocks)
        kit_reopen(k);
    else
        nwr_store_mem_crash(k->s, false);
}

static int run_on(const char *name, int (*setup)(void **state), const struct CMUnitTest *tests,
                  size_t n)
{
    struct CMUnitTest *on = nwr_memdup(tests, n * sizeof(*tests));
    int failed;

    for (size_t i = 0; i < n; i++) {
        on[i].setup_func = setup;
        on[i].teardown_func = kit_teardown;
    }
    failed = _cmocka_run_group_tests(name, on, n, NULL, NULL);
    nwr_free(on);
    return failed;
}

int kit_run_all(const struct CMUnitTest *tests, size_t n)
{
    return run_on("store_mem", kit_mem, tests, n) + run_on("store_rocks", kit_rocks, tests, n) +
           run_on("store_rocks_threaded", kit_rocks_threaded, tests, n);
}

struct nwr_verify kit_verify(struct kit *k)
{
    struct nwr_verify v;
    enum nwr_err err = k->rocks ? nwr_store_rocks_verify(k->s, &v) : nwr_store_mem_verify(k->s, &v);

    assert_int_equal(err, NWR_OK);
    return v;
}

void kit_assert_whole(struct kit *k)
{
    struct nwr_verify v = kit_verify(k);

    assert_int_equal(v.missing, 0);
    assert_int_equal(v.miscounted, 0);
    assert_int_equal(v.corrupt, 0);
    assert_int_equal(v.stray, 0);
    assert_int_equal(v.digests, 0);
    assert_int_equal(v.index, 0);
}

void kit_tmpdir(char *out, size_t len)
{
    const char *tmp = getenv("TMPDIR");

    snprintf(out, len, "%s/store.XXXXXX", tmp && *tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(out));
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *f)
{
    (void)st, (void)flag, (void)f;
    return remove(path);
}

void kit_remove(const char *dir)
{
    nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

/* ---- names ---------------------------------------------------------------------------------- */

nwr_ino ino(uint64_t n)
{
    return nwr_ino_make(PG, 1, n);
}

struct nwr_key content_key(uint64_t n)
{
    return nwr_key_reg(ino(n), NWR_REG_CONTENT);
}

struct nwr_key entry_key(uint64_t parent, const char *name)
{
    return nwr_key_entry(ino(parent), name, strlen(name));
}

struct nwr_block_id block_id(uint64_t n)
{
    return (struct nwr_block_id){ino(1), n, 0};
}

/* ---- batches -------------------------------------------------------------------------------- */

static void on_done(struct nwr_store_op *op)
{
    struct batch *b = op->user;

    b->done++;
    b->kit->done++;
}

void batch_init(struct batch *b, struct kit *k, enum nwr_store_kind kind)
{
    memset(b, 0, sizeof(*b));
    b->kit = k;
    b->req = nwr_request_new(NWR_OP_PUT, PG);
    b->op.kind = kind;
    b->op.pg = PG;
    b->op.coordinator = true;
    b->op.done = on_done;
    b->op.user = b;
    k->counter++;
}

struct nwr_write *batch_put(struct batch *b, struct nwr_key key, nwr_wid wid, const char *body)
{
    struct nwr_write *w = nwr_request_write(b->req);

    w->key = key;
    w->v.dot = (struct nwr_dot){(nwr_actor)1 << 32 | 9, b->kit->counter};
    w->v.wid = wid ? wid : nwr_mix64(b->kit->counter << 16 | b->req->nwrite);
    w->v.body = body ? nwr_blob_copy(body, strlen(body)) : NULL;
    return w;
}

void batch_discard(struct batch *b, struct nwr_key key, struct nwr_seen seen)
{
    struct nwr_write *w = nwr_request_write(b->req);

    w->key = key;
    w->discard = true;
    nwr_write_seen(w, seen.dot, seen.wid);
}

void batch_merge(struct batch *b, struct nwr_key key, const struct nwr_record *rec)
{
    struct nwr_apply *a = &b->apply[b->op.napply];

    b->merge[b->op.napply] = nwr_alloc(sizeof(struct nwr_record));
    nwr_record_copy(b->merge[b->op.napply], rec);
    a->key = key;
    a->rec = b->merge[b->op.napply++];
}

void batch_block(struct batch *b, struct nwr_block_id id, uint8_t fill, size_t len)
{
    struct nwr_block *bl = nwr_request_block(b->req);

    bl->id = id;
    bl->data = nwr_blob_new(len);
    memset(bl->data->data, fill, len);
}

void batch_block_ref(struct batch *b, struct nwr_block_id id)
{
    struct nwr_block *bl = &b->req->block[b->req->nblock - 1];

    bl->refs = nwr_realloc(bl->refs, (bl->nrefs + 1) * sizeof(id));
    bl->refs[bl->nrefs++] = id;
}

void batch_range(struct batch *b, struct nwr_key prefix, bool exact, bool follow)
{
    struct nwr_range *r = nwr_request_range(b->req);

    r->prefix = prefix;
    r->exact = exact;
    r->follow = follow;
}

struct nwr_guard *batch_guard(struct batch *b, enum nwr_guard_kind kind, struct nwr_key key)
{
    struct nwr_guard *g = nwr_request_guard(b->req);

    g->kind = kind;
    g->key = key;
    return g;
}

void write_names(struct nwr_write *w, struct nwr_block_id id)
{
    w->v.blocks = nwr_realloc(w->v.blocks, (w->v.nblocks + 1) * sizeof(id));
    w->v.blocks[w->v.nblocks++] = id;
}

void batch_submit(struct batch *b)
{
    assert_true(b->op.napply + b->req->nwrite <= BATCH_MAX);
    for (uint32_t i = 0; i < b->req->nwrite; i++)
        b->apply[b->op.napply++].put = &b->req->write[i];
    b->op.apply = b->apply;
    b->op.guard = b->req->guard;
    b->op.nguard = b->req->nguard;
    b->op.block = b->req->block;
    b->op.nblock = b->req->nblock;
    b->op.range = b->req->range;
    b->op.nrange = b->req->nrange;
    b->kit->s->submit(b->kit->s, &b->op);
    assert_int_equal(b->done, 0);
}

void batch_wait(struct batch *b)
{
    struct nwr_store *s = b->kit->s;
    struct pollfd p = {.fd = s->fd(s), .events = POLLIN};

    s->poll(s);
    while (!b->done) {
        assert_true(p.fd >= 0);
        assert_int_equal(poll(&p, 1, WAIT_MS), 1);
        s->poll(s);
    }
    assert_int_equal(b->done, 1);
}

enum nwr_err batch_run(struct batch *b)
{
    batch_submit(b);
    batch_wait(b);
    return b->op.err;
}

void batch_deinit(struct batch *b)
{
    nwr_store_op_deinit(&b->op);
    for (uint32_t i = 0; i < BATCH_MAX; i++)
        if (b->merge[i]) {
            nwr_record_deinit(b->merge[i]);
            nwr_free(b->merge[i]);
        }
    nwr_request_destroy(b->req);
}

enum nwr_err batch_end(struct batch *b)
{
    enum nwr_err err = batch_run(b);

    batch_deinit(b);
    return err;
}

/* ---- single ops ----------------------------------------------------------------------------- */

enum nwr_err put_one(struct kit *k, struct nwr_key key, const char *body, struct nwr_seen *seen)
{
    struct nwr_write *w;
    struct batch b;

    batch_init(&b, k, NWR_STORE_APPLY);
    w = batch_put(&b, key, 0, body);
    if (seen) {
        nwr_write_seen(w, seen->dot, seen->wid);
        *seen = (struct nwr_seen){w->v.dot, w->v.wid};
    }
    return batch_end(&b);
}

uint32_t get_one(struct kit *k, struct nwr_key key, char *body, size_t len)
{
    const struct nwr_row *row;
    struct batch b;
    uint32_t n = 0;

    body[0] = 0;
    batch_init(&b, k, NWR_STORE_READ);
    batch_range(&b, key, true, false);
    assert_int_equal(batch_run(&b), NWR_OK);
    row = nwr_rows_find(&b.op.rows, &key);
    if (row) {
        n = row->rec.n;
        if (n && row->rec.v[0].body)
            snprintf(body, len, "%.*s", (int)row->rec.v[0].body->len,
                     (char *)row->rec.v[0].body->data);
    }
    batch_deinit(&b);
    return n;
}

enum nwr_err put_block(struct kit *k, struct nwr_block_id id, uint8_t fill, size_t len)
{
    struct batch b;

    batch_init(&b, k, NWR_STORE_BLOCK_PUT);
    batch_block(&b, id, fill, len);
    return batch_end(&b);
}

enum nwr_err get_block(struct kit *k, struct nwr_block_id id, uint8_t fill, size_t len)
{
    struct batch b;
    enum nwr_err err;

    batch_init(&b, k, NWR_STORE_BLOCK_GET);
    batch_block(&b, id, fill, len);
    err = batch_run(&b);
    if (!err) {
        assert_int_equal(b.op.data->len, len);
        assert_memory_equal(b.op.data->data, b.req->block[0].data->data, len);
    }
    batch_deinit(&b);
    return err;
}

enum nwr_err put_content(struct kit *k, uint64_t n, struct nwr_block_id id, size_t len,
                         struct nwr_seen *seen)
{
    struct nwr_write *w;
    struct batch b;

    batch_init(&b, k, NWR_STORE_APPLY);
    w = batch_put(&b, content_key(n), 0, "content");
    write_names(w, id);
    if (len)
        batch_block(&b, id, (uint8_t)id.wid, len);
    if (seen && seen->dot.counter)
        nwr_write_seen(w, seen->dot, seen->wid);
    if (seen)
        *seen = (struct nwr_seen){w->v.dot, w->v.wid};
    return batch_end(&b);
}

enum nwr_err remove_content(struct kit *k, uint64_t n, struct nwr_seen seen)
{
    struct batch b;

    batch_init(&b, k, NWR_STORE_APPLY);
    batch_discard(&b, content_key(n), seen);
    return batch_end(&b);
}

enum nwr_err sync_now(struct kit *k)
{
    struct batch b;

    batch_init(&b, k, NWR_STORE_SYNC);
    return batch_end(&b);
}

struct nwr_store_stat stat_of(struct kit *k)
{
    struct nwr_store_stat st;

    k->s->stat(k->s, &st);
    return st;
}
