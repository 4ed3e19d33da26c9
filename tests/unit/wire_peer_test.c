/* wire_peer_test.c -- real nodes on one loop: join, write, lose one, come back; and a link. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "net/link/link.h"
#include "net/uv/inside.h"
#include "net/uv/log.h"
#include "net/uv/peer.h"

#define NODES 3
#define PG 7

struct node {
    struct nwr_peer *peer;
    char dir[200];
    bool ready, closed;
    enum nwr_err err;
    char text[NWR_TEXT_MAX];
};

struct fix {
    uv_loop_t loop;
    char dir[160];
    struct node node[NODES + 1];
    struct nwr_link *link;
    bool link_ready, link_closed;
    enum nwr_err link_err;
};

static void on_ready(struct nwr_peer *p, enum nwr_err err, const char *text)
{
    struct node *n = nwr_peer_user(p);

    n->ready = true;
    n->err = err;
    snprintf(n->text, sizeof(n->text), "%s", text);
}

static void on_closed(void *arg)
{
    *(bool *)arg = true;
}

static void until(struct fix *f, const bool *flag)
{
    while (!*flag)
        uv_run(&f->loop, UV_RUN_ONCE);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

static struct fix *fix_new(void)
{
    struct fix *f = nwr_zalloc(sizeof(*f));
    const char *tmp = getenv("TMPDIR");
    char log[180];

    snprintf(f->dir, sizeof(f->dir), "%s/nwr-peer.XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(f->dir));
    snprintf(log, sizeof(log), "%s/log", f->dir);
    assert_int_equal(nwr_log_open(log, true), 0);
    assert_int_equal(uv_loop_init(&f->loop), 0);
    for (int i = 0; i <= NODES; i++)
        snprintf(f->node[i].dir, sizeof(f->node[i].dir), "%s/%d", f->dir, i);
    return f;
}

static enum nwr_err start(struct fix *f, int i, const char *join, uint8_t w, uint8_t r)
{
    struct node *n = &f->node[i];
    struct nwr_peer_options o = {.dir = n->dir,
                                 .join = &join,
                                 .njoin = join ? 1 : 0,
                                 .w = w,
                                 .r = r,
                                 .user = n,
                                 .on_ready = on_ready};
    enum nwr_err err;

    n->ready = n->closed = false;
    err = nwr_peer_start(&n->peer, &f->loop, &o, n->text, sizeof(n->text));
    if (err)
        return err;
    until(f, &n->ready);
    return n->err;
}

static void stop(struct fix *f, int i)
{
    struct node *n = &f->node[i];

    if (!n->peer)
        return;
    nwr_peer_close(n->peer, on_closed, &n->closed);
    until(f, &n->closed);
    n->peer = NULL;
}

static void fix_free(struct fix *f)
{
    if (f->link) {
        nwr_link_close(f->link, on_closed, &f->link_closed);
        until(f, &f->link_closed);
    }
    for (int i = 0; i <= NODES; i++)
        stop(f, i);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    nwr_log_close();
    nftw(f->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    nwr_free(f);
}

static void three_nodes(struct fix *f, uint8_t w, uint8_t r)
{
    assert_int_equal(start(f, 0, NULL, w, r), NWR_OK);
    for (int i = 1; i < NODES; i++)
        assert_int_equal(start(f, i, nwr_peer_address(f->node[0].peer), 0, 0), NWR_OK);
}

/* ---- requests ---- */

struct answer {
    bool done;
    enum nwr_err err;
    bool found;
    char body[32];
    uint64_t number;
    struct nwr_blob *data;
};

static void on_done(struct nwr_request *req, const struct nwr_response *res)
{
    struct answer *a = req->user;

    assert_false(a->done);
    a->done = true;
    a->err = res->err;
    a->number = res->first ? res->first : res->bytes_total;
    a->data = nwr_blob_ref(res->data);
    if (req->op == NWR_OP_READ && !res->err && res->rows.n && res->rows.row[0].rec.n) {
        const struct nwr_blob *b = res->rows.row[0].rec.v[0].body;

        a->found = true;
        memcpy(a->body, b->data, NWR_MIN(b->len, sizeof(a->body) - 1));
    }
}

static void ask(struct nwr_volume *v, struct nwr_request *req, struct answer *a)
{
    memset(a, 0, sizeof(*a));
    req->user = a;
    req->done = on_done;
    v->submit(v, req);
    assert_false(a->done); /* never inside submit */
}

static enum nwr_err await(struct fix *f, struct nwr_volume *v, struct nwr_request *req,
                          struct answer *a)
{
    ask(v, req, a);
    until(f, &a->done);
    return a->err;
}

static struct nwr_key key_of(const char *name)
{
    return nwr_key_entry(nwr_ino_make(PG, 1, 5), name, strlen(name));
}

static struct nwr_request *put_of(const char *name, const char *body)
{
    struct nwr_request *req = nwr_request_new(NWR_OP_PUT, PG);
    struct nwr_write *w = nwr_request_write(req);

    w->key = key_of(name);
    w->v.wid = nwr_hash64(body, strlen(body), 77);
    w->v.flags = NWR_V_ONCE;
    w->v.body = nwr_blob_copy(body, strlen(body));
    return req;
}

static struct nwr_request *read_of(const char *name)
{
    struct nwr_request *req = nwr_request_new(NWR_OP_READ, PG);
    struct nwr_range *r = nwr_request_range(req);

    r->prefix = key_of(name);
    r->exact = true;
    return req;
}

static struct nwr_volume *volume(struct fix *f, int i)
{
    return nwr_peer_volume(f->node[i].peer);
}

static void put(struct fix *f, struct nwr_volume *v, const char *name, const char *body)
{
    struct answer a;

    assert_int_equal(await(f, v, put_of(name, body), &a), NWR_OK);
}

static void expect(struct fix *f, struct nwr_volume *v, const char *name, const char *body)
{
    struct answer a;

    assert_int_equal(await(f, v, read_of(name), &a), NWR_OK);
    assert_true(a.found);
    assert_string_equal(a.body, body);
}

/* ---- nodes ---- */

static void one_node_keeps_what_it_is_given(void **state)
{
    struct fix *f = fix_new();
    struct answer a;

    (void)state;
    assert_int_equal(start(f, 0, NULL, 0, 0), NWR_OK);
    assert_true(volume(f, 0)->info.id != 0);
    assert_int_equal(volume(f, 0)->info.pgs, NWR_PGS_DEFAULT);
    assert_int_equal(volume(f, 0)->info.uid, getuid());
    put(f, volume(f, 0), "a", "one");
    expect(f, volume(f, 0), "a", "one");
    assert_int_equal(await(f, volume(f, 0), read_of("b"), &a), NWR_OK);
    assert_false(a.found);
    fix_free(f);
}

/* A store whose first sync finds no room. */
static void (*submit_really)(struct nwr_store *s, struct nwr_store_op *op);
static uint32_t syncs;

static void submit_or_fail(struct nwr_store *s, struct nwr_store_op *op)
{
    if (op->kind == NWR_STORE_SYNC && syncs++ == 0) {
        op->err = NWR_E_NOSPC;
        op->done(op);
        return;
    }
    submit_really(s, op);
}

static void on_too_late(uv_timer_t *t)
{
    *(bool *)t->data = true;
}

/* Nobody asks for a sync, and nothing is written after the one that failed. */
static void what_was_acknowledged_is_synced_though_a_sync_failed(void **state)
{
    struct fix *f = fix_new();
    uv_timer_t late;
    bool is_late = false;
    struct nwr_store *store;

    (void)state;
    assert_int_equal(start(f, 0, NULL, 0, 0), NWR_OK);
    assert_in_range(uv_timer_get_repeat(&f->node[0].peer->sync), 1, NWR_SYNC_MS / 2);
    store = f->node[0].peer->store;
    submit_really = store->submit;
    syncs = 0;
    store->submit = submit_or_fail;
    put(f, volume(f, 0), "a", "one");
    late.data = &is_late;
    assert_int_equal(uv_timer_init(&f->loop, &late), 0);
    assert_int_equal(uv_timer_start(&late, on_too_late, 20000, 0), 0);
    while (syncs < 2 && !is_late)
        uv_run(&f->loop, UV_RUN_ONCE);
    assert_false(is_late);
    store->submit = submit_really;
    uv_close((uv_handle_t *)&late, NULL);
    fix_free(f);
}

/* ---- the loop ---- */

enum {
    CHAIN = 20,
    SLOW_US = 30000 /* longer than a round of the driver lasts (net/uv/drive.c) */
};

struct chain {
    struct nwr_volume *v;
    uint32_t done, now; /* in all, and since the loop came round */
};

static void on_link_of_chain(struct nwr_request *req, const struct nwr_response *res)
{
    struct chain *c = req->user;
    struct nwr_request *next;

    assert_int_equal(res->err, NWR_OK);
    usleep(SLOW_US);
    c->now++;
    if (++c->done == CHAIN)
        return;
    next = read_of("a");
    next->user = c;
    next->done = on_link_of_chain;
    c->v->submit(c->v, next);
}

/* Each read begins another when it is answered, and each takes long. A loop has two rounds. */
static void reads_that_follow_each_other_do_not_hold_the_loop(void **state)
{
    struct fix *f = fix_new();
    struct chain c = {0};
    struct nwr_request *first = read_of("a");

    (void)state;
    assert_int_equal(start(f, 0, NULL, 0, 0), NWR_OK);
    c.v = volume(f, 0);
    put(f, c.v, "a", "one");
    first->user = &c;
    first->done = on_link_of_chain;
    c.v->submit(c.v, first);
    while (c.done < CHAIN) {
        c.now = 0;
        uv_run(&f->loop, UV_RUN_ONCE);
        assert_in_range(c.now, 0, 2);
    }
    fix_free(f);
}

static void a_node_opened_again_is_the_same(void **state)
{
    struct fix *f = fix_new();
    char address[64];
    uint64_t id;

    (void)state;
    assert_int_equal(start(f, 0, NULL, 0, 0), NWR_OK);
    id = volume(f, 0)->info.id;
    snprintf(address, sizeof(address), "%s", nwr_peer_address(f->node[0].peer));
    put(f, volume(f, 0), "a", "one");
    stop(f, 0);
    assert_int_equal(start(f, 0, NULL, 0, 0), NWR_OK);
    assert_true(volume(f, 0)->info.id == id);
    assert_string_equal(nwr_peer_address(f->node[0].peer), address);
    expect(f, volume(f, 0), "a", "one");
    fix_free(f);
}

static void what_one_node_writes_another_reads(void **state)
{
    struct fix *f = fix_new();

    (void)state;
    three_nodes(f, 2, 2);
    assert_true(volume(f, 2)->info.id == volume(f, 0)->info.id);
    put(f, volume(f, 2), "a", "from three");
    expect(f, volume(f, 0), "a", "from three");
    expect(f, volume(f, 1), "a", "from three");
    fix_free(f);
}

static void a_joining_node_copies_what_was_there(void **state)
{
    struct fix *f = fix_new();

    (void)state;
    assert_int_equal(start(f, 0, NULL, 1, 1), NWR_OK);
    put(f, volume(f, 0), "a", "early");
    assert_int_equal(start(f, 1, nwr_peer_address(f->node[0].peer), 0, 0), NWR_OK);
    stop(f, 0);
    expect(f, volume(f, 1), "a", "early");
    fix_free(f);
}

static void one_of_three_may_be_gone(void **state)
{
    struct fix *f = fix_new();

    (void)state;
    three_nodes(f, 2, 2);
    stop(f, 1);
    put(f, volume(f, 0), "a", "two are enough");
    expect(f, volume(f, 2), "a", "two are enough");
    assert_int_equal(start(f, 1, NULL, 0, 0), NWR_OK);
    expect(f, volume(f, 1), "a", "two are enough");
    fix_free(f);
}

static void two_of_three_gone_is_an_error_in_time(void **state)
{
    struct fix *f = fix_new();
    struct answer a;

    (void)state;
    three_nodes(f, 2, 2);
    stop(f, 1);
    stop(f, 2);
    await(f, volume(f, 0), put_of("a", "alone"), &a);
    assert_true(a.err == NWR_E_HOSTDOWN || a.err == NWR_E_TIMEDOUT);
    fix_free(f);
}

static void a_block_is_found_at_any_node(void **state)
{
    struct fix *f = fix_new();
    struct nwr_request *req = nwr_request_new(NWR_OP_BLOCK_PUT, PG);
    struct nwr_block *b = nwr_request_block(req);
    struct nwr_block_id id = {nwr_ino_make(PG, 1, 9), 1234, 0};
    struct answer a;

    (void)state;
    three_nodes(f, 2, 2);
    b->id = id;
    b->data = nwr_blob_new(NWR_BLOCK_MAX);
    memset(b->data->data, 0x5a, NWR_BLOCK_MAX);
    assert_int_equal(await(f, volume(f, 0), req, &a), NWR_OK);
    for (int i = 0; i < NODES; i++) {
        req = nwr_request_new(NWR_OP_BLOCK_GET, PG);
        nwr_request_block(req)->id = id;
        assert_int_equal(await(f, volume(f, i), req, &a), NWR_OK);
        assert_int_equal(a.data->len, NWR_BLOCK_MAX);
        assert_int_equal(a.data->data[NWR_BLOCK_MAX - 1], 0x5a);
        nwr_blob_unref(a.data);
    }
    fix_free(f);
}

static void statfs_and_status_are_answered(void **state)
{
    struct fix *f = fix_new();
    struct answer a;

    (void)state;
    assert_int_equal(start(f, 0, NULL, 0, 0), NWR_OK);
    assert_int_equal(await(f, volume(f, 0), nwr_request_new(NWR_OP_STATFS, 0), &a), NWR_OK);
    assert_true(a.number > 0);
    assert_int_equal(await(f, volume(f, 0), nwr_request_new(NWR_OP_STATUS, 0), &a), NWR_OK);
    assert_non_null(a.data);
    assert_memory_equal(a.data->data, "{\"schema\":1,", 12);
    nwr_blob_unref(a.data);
    fix_free(f);
}

static void requests_are_answered_before_a_node_closes(void **state)
{
    struct fix *f = fix_new();
    struct answer a[20];

    (void)state;
    three_nodes(f, 2, 2);
    for (int i = 0; i < 20; i++)
        ask(volume(f, 0), put_of("a", "last words"), &a[i]);
    stop(f, 0);
    for (int i = 0; i < 20; i++)
        assert_true(a[i].done);
    fix_free(f);
}

static void another_volume_cannot_be_joined(void **state)
{
    struct fix *f = fix_new();

    (void)state;
    assert_int_equal(start(f, 0, NULL, 0, 0), NWR_OK);
    assert_int_equal(start(f, 3, NULL, 0, 0), NWR_OK);
    stop(f, 3);
    assert_int_equal(start(f, 3, nwr_peer_address(f->node[0].peer), 0, 0), NWR_E_VOLUME);
    assert_non_null(strstr(f->node[3].text, "belongs to another volume"));
    fix_free(f);
}

static void a_start_that_fails_leaves_nothing_open(void **state)
{
    struct fix *f = fix_new();
    struct nwr_peer_options o = {.dir = f->node[1].dir, .on_ready = on_ready};
    char text[NWR_TEXT_MAX];
    struct nwr_peer *p;

    (void)state;
    assert_int_equal(start(f, 0, NULL, 0, 0), NWR_OK);
    o.listen = nwr_peer_address(f->node[0].peer);
    assert_int_equal(nwr_peer_start(&p, &f->loop, &o, text, sizeof(text)), NWR_E_BUSY);
    assert_non_null(strstr(text, "in use"));
    assert_int_equal(start(f, 1, NULL, 0, 0), NWR_OK); /* the lock is free again */
    fix_free(f);
}

/* ---- links ---- */

static void on_link_ready(struct nwr_link *l, enum nwr_err err, const char *text)
{
    struct fix *f = nwr_link_user(l);

    (void)text;
    f->link_ready = true;
    f->link_err = err;
}

static struct nwr_volume *link_to(struct fix *f, const char *const *peers, unsigned n)
{
    struct nwr_link_options o = {.peers = peers, .npeers = n, .user = f, .on_ready = on_link_ready};
    char text[NWR_TEXT_MAX];

    assert_int_equal(nwr_link_start(&f->link, &f->loop, &o, text, sizeof(text)), NWR_OK);
    until(f, &f->link_ready);
    return nwr_link_volume(f->link);
}

static void a_link_reads_and_writes_through_a_peer(void **state)
{
    struct fix *f = fix_new();
    struct nwr_volume *v;
    const char *at;
    struct answer a;

    (void)state;
    three_nodes(f, 2, 2);
    at = nwr_peer_address(f->node[1].peer);
    v = link_to(f, &at, 1);
    assert_int_equal(f->link_err, NWR_OK);
    assert_true(v->info.id == volume(f, 0)->info.id);
    assert_int_equal(v->info.pgs, NWR_PGS_DEFAULT);
    put(f, v, "a", "linked");
    expect(f, v, "a", "linked");
    expect(f, volume(f, 0), "a", "linked");
    assert_int_equal(await(f, v, nwr_request_new(NWR_OP_STATFS, 0), &a), NWR_OK);
    assert_true(a.number > 0);
    assert_int_equal(await(f, v, nwr_request_new(NWR_OP_STATUS, 0), &a), NWR_OK);
    assert_non_null(a.data);
    nwr_blob_unref(a.data);
    fix_free(f);
}

static void a_link_goes_on_with_the_next_peer(void **state)
{
    struct fix *f = fix_new();
    const char *at[NODES];
    struct nwr_volume *v;
    char first[64];

    (void)state;
    three_nodes(f, 2, 2);
    for (int i = 0; i < NODES; i++)
        at[i] = nwr_peer_address(f->node[i].peer);
    v = link_to(f, at, NODES);
    put(f, v, "a", "before");
    snprintf(first, sizeof(first), "%s", nwr_link_peer(f->link));
    assert_string_equal(first, at[0]);
    stop(f, 0);
    put(f, v, "b", "after");
    expect(f, v, "a", "before");
    expect(f, v, "b", "after");
    assert_string_not_equal(nwr_link_peer(f->link), first);
    fix_free(f);
}

static void a_link_whose_peers_are_all_gone_says_so_in_time(void **state)
{
    struct fix *f = fix_new();
    struct nwr_volume *v;
    const char *at;
    struct answer a;

    (void)state;
    assert_int_equal(start(f, 0, NULL, 0, 0), NWR_OK);
    at = nwr_peer_address(f->node[0].peer);
    v = link_to(f, &at, 1);
    put(f, v, "a", "one");
    stop(f, 0);
    while (nwr_link_peer(f->link)[0])
        uv_run(&f->loop, UV_RUN_ONCE);
    assert_int_equal(await(f, v, read_of("a"), &a), NWR_E_HOSTDOWN);
    fix_free(f);
}

static void a_link_to_nobody_is_told(void **state)
{
    struct fix *f = fix_new();
    const char *at = "127.0.0.1:1";

    (void)state;
    link_to(f, &at, 1);
    assert_int_equal(f->link_err, NWR_E_HOSTDOWN);
    fix_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_node_keeps_what_it_is_given),
        cmocka_unit_test(what_was_acknowledged_is_synced_though_a_sync_failed),
        cmocka_unit_test(a_node_opened_again_is_the_same),
        cmocka_unit_test(reads_that_follow_each_other_do_not_hold_the_loop),
        cmocka_unit_test(what_one_node_writes_another_reads),
        cmocka_unit_test(a_joining_node_copies_what_was_there),
        cmocka_unit_test(one_of_three_may_be_gone),
        cmocka_unit_test(two_of_three_gone_is_an_error_in_time),
        cmocka_unit_test(a_block_is_found_at_any_node),
        cmocka_unit_test(statfs_and_status_are_answered),
        cmocka_unit_test(requests_are_answered_before_a_node_closes),
        cmocka_unit_test(another_volume_cannot_be_joined),
        cmocka_unit_test(a_start_that_fails_leaves_nothing_open),
        cmocka_unit_test(a_link_reads_and_writes_through_a_peer),
        cmocka_unit_test(a_link_goes_on_with_the_next_peer),
        cmocka_unit_test(a_link_whose_peers_are_all_gone_says_so_in_time),
        cmocka_unit_test(a_link_to_nobody_is_told),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
