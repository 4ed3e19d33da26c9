/* store_test.c -- what net/store/store.h promises, on every implementation. */
#include "tests/contract/store_kit.h"

#include <stdio.h>

static const struct nwr_seen nothing;

/* Row of key in the rows of a batch that has run. */
static const struct nwr_record *row_of(const struct batch *b, struct nwr_key key)
{
    const struct nwr_row *row = nwr_rows_find(&b->op.rows, &key);

    assert_non_null(row);
    return &row->rec;
}

/* ---- running -------------------------------------------------------------------------------- */

static void done_runs_once_from_poll_and_never_inside_submit(void **state)
{
    struct kit *k = *state;
    struct batch b;

    batch_init(&b, k, NWR_STORE_APPLY);
    batch_put(&b, content_key(5), 0, "x");
    batch_submit(&b); /* asserts that done has not run */
    batch_wait(&b);
    k->s->poll(k->s);
    k->s->poll(k->s);
    assert_int_equal(b.done, 1);
    batch_deinit(&b);
}

static void a_read_sees_every_apply_submitted_before_it(void **state)
{
    enum {
        N = 40
    };
    struct kit *k = *state;
    static struct batch put[N], get[N];

    for (int i = 0; i < N; i++) {
        batch_init(&put[i], k, NWR_STORE_APPLY);
        batch_put(&put[i], content_key(5), 0, "x");
        batch_submit(&put[i]);
        batch_init(&get[i], k, NWR_STORE_READ);
        batch_range(&get[i], content_key(5), true, false);
        batch_submit(&get[i]);
    }
    for (int i = 0; i < N; i++) {
        batch_wait(&put[i]);
        batch_wait(&get[i]);
        assert_int_equal(row_of(&get[i], content_key(5))->n, i + 1);
    }
    for (int i = 0; i < N; i++) {
        batch_deinit(&put[i]);
        batch_deinit(&get[i]);
    }
}

static void destroy_finishes_what_was_submitted(void **state)
{
    struct kit *k = *state;
    struct batch apply, large, sync;

    batch_init(&apply, k, NWR_STORE_APPLY);
    batch_put(&apply, content_key(5), 0, "x");
    batch_submit(&apply);
    batch_init(&large, k, NWR_STORE_BLOCK_PUT);
    batch_block(&large, block_id(1), 1, NWR_BLOCK_SEGMENT);
    batch_submit(&large);
    batch_init(&sync, k, NWR_STORE_SYNC);
    batch_submit(&sync);
    k->s->destroy(k->s);
    k->s = NULL;
    assert_int_equal(apply.done + large.done + sync.done, 3);
    assert_int_equal(apply.op.err, NWR_OK);
    assert_int_equal(large.op.err, NWR_OK);
    assert_int_equal(sync.op.err, NWR_OK);
    batch_deinit(&apply);
    batch_deinit(&large);
    batch_deinit(&sync);
}

static void on_done_submit_more(struct nwr_store_op *op)
{
    struct batch *next = op->user;

    next->kit->s->submit(next->kit->s, &next->op);
    next->kit->s->poll(next->kit->s);
    next->kit->done++;
}

static void an_op_may_be_submitted_and_polled_from_done(void **state)
{
    struct kit *k = *state;
    struct batch first, second;

    batch_init(&second, k, NWR_STORE_SYNC);
    batch_init(&first, k, NWR_STORE_SYNC);
    first.op.user = &second;
    first.op.done = on_done_submit_more;
    k->s->submit(k->s, &first.op);
    batch_wait(&second);
    assert_int_equal(k->done, 2);
    batch_deinit(&first);
    batch_deinit(&second);
}

/* ---- puts and merges ------------------------------------------------------------------------ */

static void a_put_is_read_back_whole(void **state)
{
    struct kit *k = *state;
    struct batch b;
    struct nwr_write *w;
    const struct nwr_version *v;

    batch_init(&b, k, NWR_STORE_APPLY);
    w = batch_put(&b, entry_key(2, "name"), 77, "body");
    w->v.hlc = 123456;
    w->v.k = 1001;
    w->v.uid = 42;
    w->v.ref = ino(9);
    assert_int_equal(batch_end(&b), NWR_OK);
    batch_init(&b, k, NWR_STORE_READ);
    batch_range(&b, entry_key(2, "name"), true, false);
    assert_int_equal(batch_run(&b), NWR_OK);
    assert_int_equal(b.op.rows.n, 1);
    v = &row_of(&b, entry_key(2, "name"))->v[0];
    assert_int_equal(v->hlc, 123456);
    assert_int_equal(v->k, 1001);
    assert_int_equal(v->uid, 42);
    assert_int_equal(v->ref, ino(9));
    assert_int_equal(v->wid, 77);
    assert_int_equal(v->body->len, 4);
    assert_memory_equal(v->body->data, "body", 4);
    batch_deinit(&b);
}

static void apply_gives_the_records_after_it_as_whole_containers(void **state)
{
    struct kit *k = *state;
    struct batch b;

    assert_int_equal(put_one(k, content_key(5), "old", NULL), NWR_OK);
    batch_init(&b, k, NWR_STORE_APPLY);
    batch_put(&b, content_key(6), 0, "other");
    batch_put(&b, content_key(5), 0, "new");
    assert_int_equal(batch_run(&b), NWR_OK);
    assert_int_equal(b.op.rows.n, 2);
    assert_int_equal(row_of(&b, content_key(5))->n, 2);
    assert_int_equal(row_of(&b, content_key(6))->n, 1);
    assert_int_equal(nwr_dot_cmp(b.op.dot, b.req->write[0].v.dot), 0);
    batch_deinit(&b);
}

static void a_put_replaces_what_it_names_and_nothing_else(void **state)
{
    struct kit *k = *state;
    struct nwr_seen seen = {0}, other = {0};
    char body[8];

    assert_int_equal(put_one(k, content_key(5), "a", &seen), NWR_OK);
    assert_int_equal(put_one(k, content_key(5), "b", &other), NWR_OK);
    assert_int_equal(get_one(k, content_key(5), body, sizeof(body)), 2);
    assert_int_equal(put_one(k, content_key(5), "c", &other), NWR_OK);
    assert_int_equal(get_one(k, content_key(5), body, sizeof(body)), 2);
    assert_string_equal(body, "a");
    assert_int_equal(put_one(k, content_key(5), "d", &seen), NWR_OK);
    assert_int_equal(get_one(k, content_key(5), body, sizeof(body)), 2);
    assert_string_equal(body, "c");
}

static void a_discard_removes_what_it_names_and_leaves_the_record(void **state)
{
    struct kit *k = *state;
    struct nwr_seen seen = {0};
    struct batch b;

    assert_int_equal(put_one(k, content_key(5), "a", &seen), NWR_OK);
    batch_init(&b, k, NWR_STORE_APPLY);
    batch_discard(&b, content_key(5), seen);
    assert_int_equal(batch_run(&b), NWR_OK);
    assert_int_equal(row_of(&b, content_key(5))->n, 0);
    batch_deinit(&b);
    batch_init(&b, k, NWR_STORE_READ);
    batch_range(&b, content_key(5), true, false);
    assert_int_equal(batch_run(&b), NWR_OK);
    assert_true(nwr_ctx_has(&row_of(&b, content_key(5))->ctx, seen.dot));
    batch_deinit(&b);
}

/* A record as another node would send it: one version by actor 2. */
static void make_foreign(struct nwr_record *rec, nwr_wid wid, uint64_t counter)
{
    struct nwr_version v = {.dot = {(nwr_actor)2 << 32, counter}, .wid = wid};

    memset(rec, 0, sizeof(*rec));
    nwr_record_put(rec, &v, NULL, 0, NULL, 0, NULL);
}

static void a_merge_joins_containers_and_may_be_repeated(void **state)
{
    struct kit *k = *state;
    struct nwr_record rec;
    struct batch b;

    make_foreign(&rec, 500, 1);
    assert_int_equal(put_one(k, content_key(5), "mine", NULL), NWR_OK);
    for (int i = 0; i < 2; i++) {
        batch_init(&b, k, NWR_STORE_APPLY);
        b.op.coordinator = false;
        batch_merge(&b, content_key(5), &rec);
        assert_int_equal(batch_run(&b), NWR_OK);
        assert_int_equal(row_of(&b, content_key(5))->n, 2);
        batch_deinit(&b);
    }
    nwr_record_deinit(&rec);
}

static void the_retry_of_a_put_gets_the_dot_of_its_first_try(void **state)
{
    struct kit *k = *state;
    struct nwr_dot first;
    struct batch b;

    batch_init(&b, k, NWR_STORE_APPLY);
    batch_put(&b, content_key(5), 99, "x");
    batch_put(&b, content_key(6), 99, "y");
    assert_int_equal(batch_run(&b), NWR_OK);
    first = b.op.dot;
    batch_deinit(&b);
    batch_init(&b, k, NWR_STORE_APPLY);
    batch_put(&b, content_key(5), 99, "x");
    batch_put(&b, content_key(6), 99, "y");
    assert_int_equal(batch_run(&b), NWR_OK);
    assert_int_equal(nwr_dot_cmp(b.op.dot, first), 0);
    assert_int_equal(row_of(&b, content_key(5))->n, 1);
    assert_int_equal(row_of(&b, content_key(6))->n, 1);
    batch_deinit(&b);
}

static void a_write_id_that_was_retired_is_not_added_again(void **state)
{
    struct kit *k = *state;
    struct nwr_write *w;
    struct batch b;

    batch_init(&b, k, NWR_STORE_APPLY);
    w = batch_put(&b, content_key(5), 100, "second");
    nwr_write_retire(w, 99);
    assert_int_equal(batch_end(&b), NWR_OK);
    batch_init(&b, k, NWR_STORE_APPLY);
    batch_put(&b, content_key(5), 99, "late");
    assert_int_equal(batch_run(&b), NWR_OK);
    assert_int_equal(row_of(&b, content_key(5))->n, 1);
    assert_int_equal(row_of(&b, content_key(5))->v[0].wid, 100);
    batch_deinit(&b);
}

static void a_batch_that_fails_applies_nothing(void **state)
{
    struct kit *k = *state;
    struct nwr_write *w;
    struct batch b;
    char body[8];

    batch_init(&b, k, NWR_STORE_APPLY);
    batch_put(&b, content_key(5), 0, "fine");
    batch_block(&b, block_id(1), 1, 100);
    w = batch_put(&b, content_key(6), 0, "names what is not there");
    write_names(w, block_id(1));
    write_names(w, block_id(2));
    assert_int_equal(batch_run(&b), NWR_E_BLOCKS);
    assert_int_equal(b.op.rows.n, 0);
    batch_deinit(&b);
    assert_int_equal(get_one(k, content_key(5), body, sizeof(body)), 0);
    assert_int_equal(get_one(k, content_key(6), body, sizeof(body)), 0);
    assert_int_equal(get_block(k, block_id(1), 1, 100), NWR_E_NOENT);
    assert_int_equal(stat_of(k).blocks, 0);
    kit_assert_whole(k);
}

static void a_batch_fails_alone_among_its_neighbours(void **state)
{
    struct kit *k = *state;
    struct batch b[3];
    char body[8];

    for (int i = 0; i < 3; i++) {
        struct nwr_write *w;

        batch_init(&b[i], k, NWR_STORE_APPLY);
        w = batch_put(&b[i], content_key(5), 0, "x");
        if (i == 1)
            write_names(w, block_id(2));
        batch_submit(&b[i]);
    }
    for (int i = 0; i < 3; i++)
        batch_wait(&b[i]);
    assert_int_equal(b[0].op.err, NWR_OK);
    assert_int_equal(b[1].op.err, NWR_E_BLOCKS);
    assert_int_equal(b[2].op.err, NWR_OK);
    assert_int_equal(get_one(k, content_key(5), body, sizeof(body)), 2);
    for (int i = 0; i < 3; i++)
        batch_deinit(&b[i]);
}

/* ---- guards and limits ---------------------------------------------------------------------- */

static enum nwr_err put_guarded(struct kit *k, enum nwr_guard_kind kind, struct nwr_key guarded,
                                struct nwr_seen seen, nwr_wid wid, bool coordinator)
{
    struct nwr_guard *g;
    struct batch b;

    batch_init(&b, k, NWR_STORE_APPLY);
    b.op.coordinator = coordinator;
    batch_put(&b, content_key(50), wid, "guarded");
    g = batch_guard(&b, kind, guarded);
    if (seen.dot.counter)
        nwr_guard_seen(g, seen.dot, seen.wid);
    return batch_end(&b);
}

static void a_seen_guard_refuses_when_a_live_version_is_not_named(void **state)
{
    struct kit *k = *state;
    struct nwr_seen seen = {0};
    char body[16];

    assert_int_equal(put_guarded(k, NWR_GUARD_SEEN, content_key(5), nothing, 0, true), NWR_OK);
    assert_int_equal(put_one(k, content_key(5), "x", &seen), NWR_OK);
    assert_int_equal(put_guarded(k, NWR_GUARD_SEEN, content_key(5), nothing, 0, true),
                     NWR_E_SUPERSEDED);
    assert_int_equal(put_guarded(k, NWR_GUARD_SEEN, content_key(5), seen, 0, true), NWR_OK);
    assert_int_equal(put_one(k, content_key(5), "y", NULL), NWR_OK);
    assert_int_equal(put_guarded(k, NWR_GUARD_SEEN, content_key(5), seen, 0, true),
                     NWR_E_SUPERSEDED);
    assert_int_equal(get_one(k, content_key(50), body, sizeof(body)), 2);
}

static void a_seen_guard_counts_at_the_coordinator_only(void **state)
{
    struct kit *k = *state;

    assert_int_equal(put_one(k, content_key(5), "x", NULL), NWR_OK);
    assert_int_equal(put_guarded(k, NWR_GUARD_SEEN, content_key(5), nothing, 0, false), NWR_OK);
}

static void a_seen_guard_knows_a_version_by_its_write_id(void **state)
{
    struct kit *k = *state;
    struct nwr_seen seen = {0};

    assert_int_equal(put_one(k, content_key(5), "x", &seen), NWR_OK);
    seen.dot.counter += 1000;
    assert_int_equal(put_guarded(k, NWR_GUARD_SEEN, content_key(5), seen, 0, true), NWR_OK);
}

static void a_seen_guard_passes_over_tombstones_voids_and_marks(void **state)
{
    struct kit *k = *state;
    const uint8_t flags[] = {NWR_V_TOMBSTONE, NWR_V_HIDDEN, NWR_V_MARK};
    struct batch b;

    for (size_t i = 0; i < NWR_COUNT(flags); i++) {
        batch_init(&b, k, NWR_STORE_APPLY);
        batch_put(&b, content_key(5), 0, NULL)->v.flags = flags[i];
        assert_int_equal(batch_end(&b), NWR_OK);
    }
    assert_int_equal(put_guarded(k, NWR_GUARD_SEEN, content_key(5), nothing, 0, true), NWR_OK);
}

/* The guard of create: the name must be free; the retry of a create that went through finds it
 * taken by itself. */
static void a_retry_is_not_refused_by_its_own_first_try(void **state)
{
    struct kit *k = *state;

    assert_int_equal(put_guarded(k, NWR_GUARD_SEEN, content_key(50), nothing, 99, true), NWR_OK);
    assert_int_equal(put_guarded(k, NWR_GUARD_SEEN, content_key(50), nothing, 99, true), NWR_OK);
    assert_int_equal(put_guarded(k, NWR_GUARD_SEEN, content_key(50), nothing, 98, true),
                     NWR_E_SUPERSEDED);
}

static void a_retry_of_what_was_withdrawn_is_not_refused_by_a_guard(void **state)
{
    struct kit *k = *state;
    struct nwr_write *w;
    struct batch b;

    assert_int_equal(put_guarded(k, NWR_GUARD_SEEN, content_key(50), nothing, 99, true), NWR_OK);
    batch_init(&b, k, NWR_STORE_APPLY);
    w = batch_put(&b, content_key(50), 101, "later");
    nwr_write_retire(w, 99);
    assert_int_equal(batch_end(&b), NWR_OK);
    assert_int_equal(put_guarded(k, NWR_GUARD_SEEN, content_key(50), nothing, 99, true), NWR_OK);
}

static void an_alive_guard_refuses_at_every_replica_when_a_hidden_version_is_there(void **state)
{
    struct kit *k = *state;
    struct nwr_key marks = nwr_key_reg(ino(2), NWR_REG_MARKS);
    struct batch b;

    assert_int_equal(put_guarded(k, NWR_GUARD_ALIVE, marks, nothing, 0, true), NWR_OK);
    batch_init(&b, k, NWR_STORE_APPLY);
    batch_put(&b, marks, 0, NULL)->v.flags = NWR_V_MARK;
    assert_int_equal(batch_end(&b), NWR_OK);
    assert_int_equal(put_guarded(k, NWR_GUARD_ALIVE, marks, nothing, 0, true), NWR_OK);
    batch_init(&b, k, NWR_STORE_APPLY);
    batch_put(&b, marks, 0, NULL)->v.flags = NWR_V_MARK | NWR_V_HIDDEN;
    assert_int_equal(batch_end(&b), NWR_OK);
    assert_int_equal(put_guarded(k, NWR_GUARD_ALIVE, marks, nothing, 0, true), NWR_E_DEAD);
    assert_int_equal(put_guarded(k, NWR_GUARD_ALIVE, marks, nothing, 0, false), NWR_E_DEAD);
}

static void an_empty_guard_refuses_at_every_replica_while_a_record_below_is_live(void **state)
{
    struct kit *k = *state;
    struct nwr_seen seen = {0};
    struct nwr_key dir = nwr_key_entries(ino(2));
    struct nwr_write *w;
    struct batch b;

    assert_int_equal(put_guarded(k, NWR_GUARD_EMPTY, dir, nothing, 0, true), NWR_OK);
    assert_int_equal(put_one(k, entry_key(3, "of another directory"), "x", NULL), NWR_OK);
    assert_int_equal(put_one(k, entry_key(2, "child"), "x", &seen), NWR_OK);
    assert_int_equal(put_guarded(k, NWR_GUARD_EMPTY, dir, nothing, 0, true), NWR_E_NOTEMPTY);
    assert_int_equal(put_guarded(k, NWR_GUARD_EMPTY, dir, nothing, 0, false), NWR_E_NOTEMPTY);
    batch_init(&b, k, NWR_STORE_APPLY);
    w = batch_put(&b, entry_key(2, "child"), 0, NULL);
    w->v.flags = NWR_V_TOMBSTONE;
    nwr_write_seen(w, seen.dot, seen.wid);
    assert_int_equal(batch_end(&b), NWR_OK);
    assert_int_equal(put_guarded(k, NWR_GUARD_EMPTY, dir, nothing, 0, true), NWR_OK);
}

static void an_empty_guard_sees_an_apply_submitted_just_before(void **state)
{
    struct kit *k = *state;
    struct batch child, dir;

    batch_init(&child, k, NWR_STORE_APPLY);
    batch_put(&child, entry_key(2, "child"), 0, "x");
    batch_submit(&child);
    batch_init(&dir, k, NWR_STORE_APPLY);
    batch_put(&dir, content_key(50), 0, "x");
    batch_guard(&dir, NWR_GUARD_EMPTY, nwr_key_entries(ino(2)));
    batch_submit(&dir);
    batch_wait(&child);
    batch_wait(&dir);
    assert_int_equal(child.op.err, NWR_OK);
    assert_int_equal(dir.op.err, NWR_E_NOTEMPTY);
    batch_deinit(&child);
    batch_deinit(&dir);
}

static void the_sibling_limit_holds_on_the_coordinator_path_only(void **state)
{
    struct kit *k = *state;
    struct nwr_seen seen = {0};
    struct nwr_record rec;
    struct batch b;

    assert_int_equal(put_one(k, content_key(5), "x", &seen), NWR_OK);
    for (int i = 1; i < NWR_SIBLINGS_MAX; i++)
        assert_int_equal(put_one(k, content_key(5), "x", NULL), NWR_OK);
    assert_int_equal(put_one(k, content_key(5), "one too many", NULL), NWR_E_BUSY);
    assert_int_equal(put_one(k, content_key(5), "replaces one", &seen), NWR_OK);
    make_foreign(&rec, 500, 1);
    batch_init(&b, k, NWR_STORE_APPLY);
    b.op.coordinator = false;
    batch_merge(&b, content_key(5), &rec);
    assert_int_equal(batch_run(&b), NWR_OK);
    assert_int_equal(row_of(&b, content_key(5))->n, NWR_SIBLINGS_MAX + 1);
    batch_deinit(&b);
    nwr_record_deinit(&rec);
    batch_init(&b, k, NWR_STORE_APPLY);
    batch_discard(&b, content_key(5), seen);
    assert_int_equal(batch_end(&b), NWR_OK);
}

/* ---- ranges --------------------------------------------------------------------------------- */

static void a_range_gives_keys_with_its_prefix_in_order_each_once(void **state)
{
    struct kit *k = *state;
    struct batch b;

    put_one(k, entry_key(2, "b"), "x", NULL);
    put_one(k, entry_key(2, "a"), "x", NULL);
    put_one(k, entry_key(2, "ab"), "x", NULL);
    put_one(k, entry_key(3, "c"), "x", NULL);
    put_one(k, content_key(2), "x", NULL);
    batch_init(&b, k, NWR_STORE_READ);
    batch_range(&b, nwr_key_entries(ino(2)), false, false);
    batch_range(&b, entry_key(2, "ab"), true, false);
    assert_int_equal(batch_run(&b), NWR_OK);
    assert_int_equal(b.op.rows.n, 3);
    assert_false(b.op.more);
    for (uint32_t i = 1; i < b.op.rows.n; i++)
        assert_true(nwr_key_cmp(&b.op.rows.row[i - 1].key, &b.op.rows.row[i].key) < 0);
    row_of(&b, entry_key(2, "a"));
    row_of(&b, entry_key(2, "ab"));
    row_of(&b, entry_key(2, "b"));
    batch_deinit(&b);
}

static void a_range_goes_on_after_a_key_that_need_not_exist(void **state)
{
    struct kit *k = *state;
    struct batch b;

    put_one(k, entry_key(2, "a"), "x", NULL);
    put_one(k, entry_key(2, "c"), "x", NULL);
    put_one(k, entry_key(2, "e"), "x", NULL);
    batch_init(&b, k, NWR_STORE_READ);
    batch_range(&b, nwr_key_entries(ino(2)), false, false);
    b.req->range[0].after = entry_key(2, "c");
    assert_int_equal(batch_run(&b), NWR_OK);
    assert_int_equal(b.op.rows.n, 1);
    row_of(&b, entry_key(2, "e"));
    batch_deinit(&b);
    batch_init(&b, k, NWR_STORE_READ);
    batch_range(&b, nwr_key_entries(ino(2)), false, false);
    b.req->range[0].after = entry_key(2, "b");
    assert_int_equal(batch_run(&b), NWR_OK);
    assert_int_equal(b.op.rows.n, 2);
    batch_deinit(&b);
}

static void an_exact_range_gives_its_key_only(void **state)
{
    struct kit *k = *state;
    struct batch b;

    put_one(k, entry_key(2, "a"), "x", NULL);
    put_one(k, entry_key(2, "ab"), "x", NULL);
    batch_init(&b, k, NWR_STORE_READ);
    batch_range(&b, entry_key(2, "a"), true, false);
    batch_range(&b, entry_key(2, "none"), true, false);
    assert_int_equal(batch_run(&b), NWR_OK);
    assert_int_equal(b.op.rows.n, 1);
    batch_deinit(&b);
}

static void put_many(struct kit *k, uint64_t parent, uint32_t n, bool refs)
{
    struct batch b;

    batch_init(&b, k, NWR_STORE_APPLY);
    for (uint32_t i = 0; i < n; i++) {
        char name[16];

        if (b.req->nwrite == BATCH_MAX) {
            assert_int_equal(batch_end(&b), NWR_OK);
            batch_init(&b, k, NWR_STORE_APPLY);
        }
        snprintf(name, sizeof(name), "%05u", i);
        batch_put(&b, entry_key(parent, name), 0, NULL)->v.ref = refs ? ino(1000 + i) : 0;
    }
    assert_int_equal(batch_end(&b), NWR_OK);
}

static void a_long_range_is_cut_and_says_so_and_followed_rows_do_not_count(void **state)
{
    struct kit *k = *state;
    struct batch b;

    put_many(k, 2, NWR_SCAN_ROWS + 1, true);
    assert_int_equal(put_one(k, content_key(1000), "first", NULL), NWR_OK);
    assert_int_equal(put_one(k, content_key(1000 + NWR_SCAN_ROWS), "cut", NULL), NWR_OK);
    batch_init(&b, k, NWR_STORE_READ);
    batch_range(&b, nwr_key_entries(ino(2)), false, true);
    assert_int_equal(batch_run(&b), NWR_OK);
    assert_int_equal(b.op.rows.n, NWR_SCAN_ROWS + 1);
    assert_true(b.op.more);
    row_of(&b, content_key(1000));
    batch_deinit(&b);
    batch_init(&b, k, NWR_STORE_READ);
    batch_range(&b, nwr_key_entries(ino(2)), false, true);
    b.req->range[0].after = entry_key(2, "01023");
    assert_int_equal(batch_run(&b), NWR_OK);
    assert_int_equal(b.op.rows.n, 2);
    assert_false(b.op.more);
    batch_deinit(&b);
}

/* Sixty entries whose objects hold 120 KiB each. */
static void put_heavy(struct kit *k, uint32_t n)
{
    static char body[60001];
    struct batch b;

    memset(body, 'h', sizeof(body) - 1);
    put_many(k, 2, n, true);
    for (uint32_t i = 0; i < n; i++) {
        batch_init(&b, k, NWR_STORE_APPLY);
        batch_put(&b, content_key(1000 + i), 0, body);
        batch_put(&b, nwr_key_xattr(ino(1000 + i), "user.x", 6), 0, body);
        assert_int_equal(batch_end(&b), NWR_OK);
    }
}

static void a_heavy_range_is_cut_after_the_objects_of_a_row(void **state)
{
    enum {
        N = 60
    };
    struct kit *k = *state;
    struct nwr_key after = {0};
    uint32_t entries = 0, answers = 0;
    bool more = true;

    put_heavy(k, N);
    while (more) {
        uint32_t here = 0;
        struct batch b;

        batch_init(&b, k, NWR_STORE_READ);
        batch_range(&b, nwr_key_entries(ino(2)), false, true);
        b.req->range[0].after = after;
        assert_int_equal(batch_run(&b), NWR_OK);
        for (uint32_t i = 0; i < b.op.rows.n; i++) {
            if (b.op.rows.row[i].key.b[2] != 'E')
                continue;
            after = b.op.rows.row[i].key;
            here++;
        }
        assert_int_equal(b.op.rows.n, 3 * here);
        assert_in_range(here, 1, NWR_READ_BYTES / 120000 + 1);
        entries += here;
        answers++;
        more = b.op.more;
        batch_deinit(&b);
    }
    assert_int_equal(entries, N);
    assert_int_equal(answers, 2);
}

static void exactly_as_many_rows_as_fit_are_not_more(void **state)
{
    struct kit *k = *state;
    struct batch b;

    put_many(k, 2, NWR_SCAN_ROWS, false);
    batch_init(&b, k, NWR_STORE_READ);
    batch_range(&b, nwr_key_entries(ino(2)), false, false);
    assert_int_equal(batch_run(&b), NWR_OK);
    assert_int_equal(b.op.rows.n, NWR_SCAN_ROWS);
    assert_false(b.op.more);
    batch_deinit(&b);
}

static void follow_adds_the_objects_of_all_versions_tombstones_too_each_once(void **state)
{
    struct kit *k = *state;
    struct nwr_write *w;
    struct batch b;

    batch_init(&b, k, NWR_STORE_APPLY);
    batch_put(&b, entry_key(2, "a"), 0, NULL)->v.ref = ino(10);
    batch_put(&b, entry_key(2, "b"), 0, NULL)->v.ref = ino(10);
    w = batch_put(&b, entry_key(2, "gone"), 0, NULL);
    w->v.flags = NWR_V_TOMBSTONE;
    w->v.ref = ino(11);
    batch_put(&b, entry_key(2, "none"), 0, NULL);
    batch_put(&b, nwr_key_reg(ino(10), NWR_REG_ATTR), 0, "attr");
    batch_put(&b, content_key(10), 0, "ten")->v.ref = ino(12);
    batch_put(&b, nwr_key_xattr(ino(10), "user.x", 6), 0, "value");
    batch_put(&b, content_key(11), 0, "eleven");
    batch_put(&b, content_key(12), 0, "not reached");
    assert_int_equal(batch_end(&b), NWR_OK);
    batch_init(&b, k, NWR_STORE_READ);
    batch_range(&b, nwr_key_entries(ino(2)), false, true);
    batch_range(&b, entry_key(2, "a"), true, true);
    assert_int_equal(batch_run(&b), NWR_OK);
    assert_int_equal(b.op.rows.n, 4 + 3 + 1);
    row_of(&b, nwr_key_reg(ino(10), NWR_REG_ATTR));
    row_of(&b, nwr_key_xattr(ino(10), "user.x", 6));
    row_of(&b, content_key(11));
    batch_deinit(&b);
}

static void follow_ignores_inodes_of_other_groups(void **state)
{
    struct kit *k = *state;
    nwr_ino elsewhere = nwr_ino_make(PG + 1, 1, 10);
    struct batch b;

    batch_init(&b, k, NWR_STORE_APPLY);
    batch_put(&b, entry_key(2, "a"), 0, NULL)->v.ref = elsewhere;
    assert_int_equal(batch_end(&b), NWR_OK);
    put_one(k, nwr_key_reg(elsewhere, NWR_REG_ATTR), "x", NULL);
    batch_init(&b, k, NWR_STORE_READ);
    batch_range(&b, nwr_key_entries(ino(2)), false, true);
    assert_int_equal(batch_run(&b), NWR_OK);
    assert_int_equal(b.op.rows.n, 1);
    batch_deinit(&b);
}

/* ---- sync and named values ------------------------------------------------------------------ */

static void one_sync_serves_all_who_wait(void **state)
{
    enum {
        N = 64
    };
    static struct batch sync[N];
    struct kit *k = *state;
    uint64_t before = stat_of(k).syncs;

    for (int i = 0; i < N; i++) {
        batch_init(&sync[i], k, NWR_STORE_SYNC);
        batch_submit(&sync[i]);
    }
    for (int i = 0; i < N; i++) {
        batch_wait(&sync[i]);
        assert_int_equal(sync[i].op.err, NWR_OK);
        batch_deinit(&sync[i]);
    }
    assert_true(stat_of(k).syncs > before);
    assert_true(stat_of(k).syncs <= before + N);
}

static enum nwr_err put_meta(struct kit *k, const char *name, const char *value)
{
    struct nwr_blob *v = nwr_blob_copy(value, strlen(value));
    struct batch b;
    enum nwr_err err;

    batch_init(&b, k, NWR_STORE_META_PUT);
    b.op.name = name;
    b.op.value = v;
    err = batch_end(&b);
    nwr_blob_unref(v);
    return err;
}

static void assert_meta(struct kit *k, const char *name, const char *value)
{
    struct batch b;

    batch_init(&b, k, NWR_STORE_META_GET);
    b.op.name = name;
    assert_int_equal(batch_run(&b), value ? NWR_OK : NWR_E_NOENT);
    if (value) {
        assert_int_equal(b.op.value->len, strlen(value));
        assert_memory_equal(b.op.value->data, value, strlen(value));
    }
    batch_deinit(&b);
}

static void a_named_value_is_kept_and_replaced(void **state)
{
    struct kit *k = *state;

    assert_meta(k, "ring", NULL);
    assert_int_equal(put_meta(k, "ring", "one"), NWR_OK);
    assert_int_equal(put_meta(k, "empty", ""), NWR_OK);
    assert_int_equal(put_meta(k, "ring", "two"), NWR_OK);
    assert_meta(k, "ring", "two");
    assert_meta(k, "empty", "");
    assert_meta(k, "rin", NULL);
    kit_restart(k);
    assert_meta(k, "ring", "two");
}

#define ON(f, s) cmocka_unit_test_setup_teardown(f, s, kit_teardown)
#define TESTS(s)                                                                                   \
    {                                                                                              \
        ON(done_runs_once_from_poll_and_never_inside_submit, s),                                   \
            ON(a_read_sees_every_apply_submitted_before_it, s),                                    \
            ON(destroy_finishes_what_was_submitted, s),                                            \
            ON(an_op_may_be_submitted_and_polled_from_done, s), ON(a_put_is_read_back_whole, s),   \
            ON(apply_gives_the_records_after_it_as_whole_containers, s),                           \
            ON(a_put_replaces_what_it_names_and_nothing_else, s),                                  \
            ON(a_discard_removes_what_it_names_and_leaves_the_record, s),                          \
            ON(a_merge_joins_containers_and_may_be_repeated, s),                                   \
            ON(the_retry_of_a_put_gets_the_dot_of_its_first_try, s),                               \
            ON(a_write_id_that_was_retired_is_not_added_again, s),                                 \
            ON(a_batch_that_fails_applies_nothing, s),                                             \
            ON(a_batch_fails_alone_among_its_neighbours, s),                                       \
            ON(a_seen_guard_refuses_when_a_live_version_is_not_named, s),                          \
            ON(a_seen_guard_counts_at_the_coordinator_only, s),                                    \
            ON(a_seen_guard_knows_a_version_by_its_write_id, s),                                   \
            ON(a_seen_guard_passes_over_tombstones_voids_and_marks, s),                            \
            ON(a_retry_is_not_refused_by_its_own_first_try, s),                                    \
            ON(a_retry_of_what_was_withdrawn_is_not_refused_by_a_guard, s),                        \
            ON(an_alive_guard_refuses_at_every_replica_when_a_hidden_version_is_there, s),         \
            ON(an_empty_guard_refuses_at_every_replica_while_a_record_below_is_live, s),           \
            ON(an_empty_guard_sees_an_apply_submitted_just_before, s),                             \
            ON(the_sibling_limit_holds_on_the_coordinator_path_only, s),                           \
            ON(a_range_gives_keys_with_its_prefix_in_order_each_once, s),                          \
            ON(a_range_goes_on_after_a_key_that_need_not_exist, s),                                \
            ON(an_exact_range_gives_its_key_only, s),                                              \
            ON(a_long_range_is_cut_and_says_so_and_followed_rows_do_not_count, s),                 \
            ON(a_heavy_range_is_cut_after_the_objects_of_a_row, s),                                \
            ON(exactly_as_many_rows_as_fit_are_not_more, s),                                       \
            ON(follow_adds_the_objects_of_all_versions_tombstones_too_each_once, s),               \
            ON(follow_ignores_inodes_of_other_groups, s), ON(one_sync_serves_all_who_wait, s),     \
            ON(a_named_value_is_kept_and_replaced, s),                                             \
    }

int main(void)
{
    const struct CMUnitTest mem[] = TESTS(kit_mem);
    const struct CMUnitTest rocks[] = TESTS(kit_rocks);
    const struct CMUnitTest threaded[] = TESTS(kit_rocks_threaded);

    return cmocka_run_group_tests_name("store_mem", mem, NULL, NULL) +
           cmocka_run_group_tests_name("store_rocks", rocks, NULL, NULL) +
           cmocka_run_group_tests_name("store_rocks_threaded", threaded, NULL, NULL);
}
