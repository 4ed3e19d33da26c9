/* loud_test.c -- a look-up leaves out removed inodes that show nothing (nwr_range.loud), and is not
 * fooled by a replica that lacks what another leaves out.
 */
#include "fs/core/conflict.h"
#include "tests/sim/sim_kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum {
    PG = 2,
    NAMES = 300,
    MADE = 1000, /* write_ids, each with the number of its file */
    EDITED = 2000,
    REMOVED = 3000
};

static nwr_ino dir_of(void)
{
    return nwr_ino_make(PG, 1, 60);
}

static nwr_ino file_of(uint32_t i)
{
    return nwr_ino_make(PG, 1, 100 + i);
}

static struct nwr_write *add(struct nwr_request *req, struct nwr_key key, nwr_wid wid,
                             uint8_t flags, struct nwr_blob *body)
{
    struct nwr_write *w = nwr_request_write(req);

    w->key = key;
    w->v.wid = wid;
    w->v.flags = flags;
    w->v.body = body;
    return w;
}

static struct nwr_blob *content(void)
{
    struct nwr_content c = {.mtime = 1};

    return nwr_content_encode(&c);
}

static void ask(struct sim *s, int node, struct nwr_request *req)
{
    assert_int_equal(kit_ask_err(s, node, req), NWR_OK);
}

static void make(struct sim *s, int node, uint32_t i)
{
    struct nwr_request *req = nwr_request_new(NWR_OP_PUT, PG);
    struct nwr_attr a = {.type = NWR_TYPE_REG};

    add(req, nwr_key_reg(file_of(i), NWR_REG_ATTR), MADE + i, 0, nwr_attr_encode(&a));
    add(req, nwr_key_reg(file_of(i), NWR_REG_CONTENT), MADE + i, 0, content());
    ask(s, node, req);
}

/* By somebody who has not seen that it went. */
static void edit(struct sim *s, int node, uint32_t i)
{
    struct nwr_key key = nwr_key_reg(file_of(i), NWR_REG_CONTENT);
    struct nwr_record old = kit_stored(s, node, &key);
    struct nwr_request *req = nwr_request_new(NWR_OP_PUT, PG);
    struct nwr_write *w = add(req, key, EDITED + i, 0, content());

    nwr_write_seen(w, old.v[0].dot, old.v[0].wid);
    nwr_record_deinit(&old);
    ask(s, node, req);
}

/* By somebody who has seen what was made. */
static void drop(struct sim *s, int node, uint32_t i)
{
    struct nwr_request *req = nwr_request_new(NWR_OP_PUT, PG);
    struct nwr_marks list = {0};
    struct nwr_mark *m = nwr_marks_add(&list, NWR_MARK_GONE);

    m->wid = MADE + i;
    m->type = NWR_TYPE_REG;
    m->parent = dir_of();
    m->len = 1;
    m->name[0] = 'f';
    add(req, nwr_key_reg(file_of(i), NWR_REG_MARKS), REMOVED + i, NWR_V_MARK,
        nwr_marks_encode(&list));
    add(req, nwr_key_beside(dir_of(), "f", 1, file_of(i)), REMOVED + i, NWR_V_HIDDEN, NULL)->v.ref =
        file_of(i);
    nwr_marks_deinit(&list);
    ask(s, node, req);
}

static struct nwr_response look(struct sim *s, int node)
{
    struct nwr_request *req = nwr_request_new(NWR_OP_READ, PG);
    struct nwr_range *range = nwr_request_range(req);
    struct nwr_response res;

    range->prefix = nwr_key_besides(dir_of(), "f", 1);
    range->follow = range->loud = true;
    req->r = req->w = 2;
    res = sim_ask(s, node, req);
    assert_int_equal(res.err, NWR_OK);
    return res;
}

static bool shows(const struct nwr_response *res, uint32_t i)
{
    struct nwr_key key = nwr_key_reg(file_of(i), NWR_REG_CONTENT);
    const struct nwr_row *row = nwr_rows_find(&res->rows, &key);
    bool edited = false;

    for (uint32_t j = 0; row && j < row->rec.n; j++)
        edited |= row->rec.v[j].wid == EDITED + i;
    return edited;
}

/* Node 2 is away from now on, and nodes 0 and 1 tell each other nothing until they are joined. */
static struct sim *apart(uint32_t files)
{
    struct sim *s = kit_three_by_reads(7, 1, 1);

    for (uint32_t i = 0; i < files; i++)
        make(s, 0, i);
    sim_run(s, 1000);
    for (int i = 0; i < 3; i++)
        kit_isolate(s, i, true);
    kit_notice(s);
    return s;
}

static void join(struct sim *s)
{
    sim_heal(s);
    kit_isolate(s, 2, true);
    kit_notice(s);
}

static void what_shows_nothing_is_left_out(void **state)
{
    struct sim *s = kit_three(7, 2, 2);
    struct nwr_response res;

    (void)state;
    for (uint32_t i = 0; i < NAMES; i++) {
        make(s, 0, i);
        drop(s, 0, i);
    }
    sim_run(s, 1000);
    res = look(s, 0);
    assert_int_equal(res.rows.n, 0);
    assert_int_equal(res.round_trips, 1);
    nwr_response_deinit(&res);
    edit(s, 1, 77);
    res = look(s, 0);
    assert_true(shows(&res, 77));
    assert_int_equal(res.rows.n, 4); /* the record beside the name, and the object */
    nwr_response_deinit(&res);
    sim_destroy(s);
}

/* Node 1 has an edit, and has not heard that the file was removed. */
static void an_edit_shows_though_its_replica_lacks_what_the_other_leaves_out(void **state)
{
    struct sim *s = apart(1);
    struct nwr_response res;

    (void)state;
    drop(s, 0, 0);
    edit(s, 1, 0);
    join(s);
    res = look(s, 0);
    assert_true(shows(&res, 0));
    nwr_response_deinit(&res);
    sim_destroy(s);
}

/* And so if they differ in something else besides, which one of them does not leave out. */
static void an_edit_shows_though_something_else_differs(void **state)
{
    struct sim *s = apart(2);
    struct nwr_response res;

    (void)state;
    drop(s, 0, 0);
    edit(s, 1, 0);
    edit(s, 0, 1);
    drop(s, 0, 1);
    join(s);
    res = look(s, 0);
    assert_true(shows(&res, 0));
    assert_true(shows(&res, 1));
    nwr_response_deinit(&res);
    sim_destroy(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_shows_nothing_is_left_out),
        cmocka_unit_test(an_edit_shows_though_its_replica_lacks_what_the_other_leaves_out),
        cmocka_unit_test(an_edit_shows_though_something_else_differs),
    };

    return cmocka_run_group_tests_name("loud", tests, NULL, NULL);
}
