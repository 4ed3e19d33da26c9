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
        batch_range(&get[i], i % 2 ? content_key(5) : nwr_key_object(ino(5)), i % 2, false);
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

static void an_alive_guard_refuses_at_every_replica_while_an_unnamed_hidden_version_is_there(
    void **state)
{
    struct kit *k = *state;
    struct nwr_key marks = nwr_key_reg(ino(2), NWR_REG_MARKS);
    struct nwr_seen dead;
    struct nwr_write *w;
    struct batch b;

    assert_int_equal(put_guarded(k, NWR_GUARD_ALIVE, marks, nothing, 0, true), NWR_OK);
    batch_init(&b, k, NWR_STORE_APPLY);
    batch_put(&b, marks, 0, NULL)->v.flags = NWR_V_MARK;
    assert_int_equal(batch_end(&b), NWR_OK);
    assert_int_equal(put_guarded(k, NWR_GUARD_ALIVE, marks, nothing, 0, true), NWR_OK);
    batch_init(&b, k, NWR_STORE_APPLY);
    w = batch_put(&b, marks, 77, NULL);
    w->v.flags = NWR_V_MARK | NWR_V_HIDDEN;
    dead = (struct nwr_seen){w->v.dot, 77};
    assert_int_equal(batch_end(&b), NWR_OK);
    assert_int_equal(put_guarded(k, NWR_GUARD_ALIVE, marks, nothing, 0, true), NWR_E_DEAD);
    assert_int_equal(put_guarded(k, NWR_GUARD_ALIVE, marks, nothing, 0, false), NWR_E_DEAD);
    assert_int_equal(put_guarded(k, NWR_GUARD_ALIVE, marks, dead, 0, false), NWR_OK);
    batch_init(&b, k, NWR_STORE_APPLY);
    batch_put(&b, marks, 78, NULL)->v.flags = NWR_V_MARK | NWR_V_HIDDEN;
    assert_int_equal(batch_end(&b), NWR_OK);
    assert_int_equal(put_guarded(k, NWR_GUARD_ALIVE, marks, dead, 0, false), NWR_E_DEAD);
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

static void a_bare_guard_refuses_where_a_hidden_version_below_refers_to_an_inode(void **state)
{
    struct kit *k = *state;
    struct nwr_key dir = nwr_key_entries(ino(2));
    struct nwr_write *w;
    struct batch b;

    batch_init(&b, k, NWR_STORE_APPLY);
    w = batch_put(&b, entry_key(2, "void"), 0, "masks others");
    w->v.flags = NWR_V_HIDDEN;
    assert_int_equal(batch_end(&b), NWR_OK);
    assert_int_equal(put_guarded(k, NWR_GUARD_BARE, dir, nothing, 0, false), NWR_OK);
    batch_init(&b, k, NWR_STORE_APPLY);
    w = batch_put(&b, entry_key(2, "hidden"), 0, "leads to one");
    w->v.flags = NWR_V_HIDDEN;
    w->v.ref = ino(9);
    assert_int_equal(batch_end(&b), NWR_OK);
    assert_int_equal(put_guarded(k, NWR_GUARD_EMPTY, dir, nothing, 0, false), NWR_OK);
    assert_int_equal(put_guarded(k, NWR_GUARD_BARE, dir, nothing, 0, true), NWR_E_NOTEMPTY);
    assert_int_equal(put_guarded(k, NWR_GUARD_BARE, dir, nothing, 0, false), NWR_E_NOTEMPTY);
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
    assert_int_equal(put_one(k, content_key(5), "replaces one beyond it", &seen), NWR_OK);
    batch_init(&b, k, NWR_STORE_APPLY);
    batch_discard(&b, content_key(5), seen);
    assert_int_equal(batch_end(&b), NWR_OK);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(done_runs_once_from_poll_and_never_inside_submit),
        cmocka_unit_test(a_read_sees_every_apply_submitted_before_it),
        cmocka_unit_test(destroy_finishes_what_was_submitted),
        cmocka_unit_test(an_op_may_be_submitted_and_polled_from_done),
        cmocka_unit_test(a_put_is_read_back_whole),
        cmocka_unit_test(apply_gives_the_records_after_it_as_whole_containers),
        cmocka_unit_test(a_put_replaces_what_it_names_and_nothing_else),
        cmocka_unit_test(a_discard_removes_what_it_names_and_leaves_the_record),
        cmocka_unit_test(a_merge_joins_containers_and_may_be_repeated),
        cmocka_unit_test(the_retry_of_a_put_gets_the_dot_of_its_first_try),
        cmocka_unit_test(a_write_id_that_was_retired_is_not_added_again),
        cmocka_unit_test(a_batch_that_fails_applies_nothing),
        cmocka_unit_test(a_batch_fails_alone_among_its_neighbours),
        cmocka_unit_test(a_seen_guard_refuses_when_a_live_version_is_not_named),
        cmocka_unit_test(a_seen_guard_counts_at_the_coordinator_only),
        cmocka_unit_test(a_seen_guard_knows_a_version_by_its_write_id),
        cmocka_unit_test(a_seen_guard_passes_over_tombstones_voids_and_marks),
        cmocka_unit_test(a_retry_is_not_refused_by_its_own_first_try),
        cmocka_unit_test(a_retry_of_what_was_withdrawn_is_not_refused_by_a_guard),
        cmocka_unit_test(
            an_alive_guard_refuses_at_every_replica_while_an_unnamed_hidden_version_is_there),
        cmocka_unit_test(an_empty_guard_refuses_at_every_replica_while_a_record_below_is_live),
        cmocka_unit_test(a_bare_guard_refuses_where_a_hidden_version_below_refers_to_an_inode),
        cmocka_unit_test(an_empty_guard_sees_an_apply_submitted_just_before),
        cmocka_unit_test(the_sibling_limit_holds_on_the_coordinator_path_only),
        cmocka_unit_test(one_sync_serves_all_who_wait),
        cmocka_unit_test(a_named_value_is_kept_and_replaced),
    };

    return kit_run_all(tests, NWR_COUNT(tests));
}
