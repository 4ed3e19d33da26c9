/* crash_test.c -- a short story, told again and again: the node that makes the K-th durable write
 * dies there, for K = 1, 2, 3 ... until the story ends without.
 *
 * Three nodes, the third of which joins while others write; puts with and without blocks, one
 * replaced, one deleted, all through any node that lives. What died is started again when the
 * story is over; then every oracle looks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/sim/oracle.h"
#include "tests/sim/sim_kit.h"

enum {
    PGS = 2,
    PUTS = 8,
    TIMINGS = 8,
    K_MAX = 400
};

struct told {
    struct sim *s;
    struct sim_history h;
    bool answered;
    enum nwr_err err;
    struct nwr_rows seen;
};

static void on_told(struct sim *s, int node, struct nwr_request *req, struct nwr_response *res)
{
    struct told *t = req->user;

    (void)s;
    (void)node;
    t->answered = true;
    t->err = res->err;
    if (req->op == NWR_OP_READ) {
        nwr_rows_deinit(&t->seen);
        t->seen = res->rows;
        res->rows = (struct nwr_rows){0};
    }
}

/* The first that lives and is a member; the request ends with an answer or with its node. */
static bool ask(struct told *t, struct nwr_request *req)
{
    struct sim *s = t->s;
    int node = 0;

    while (node < s->nnode && (!s->node[node].alive || !s->node[node].joined))
        node++;
    t->answered = false;
    if (node == s->nnode) {
        nwr_request_destroy(req);
        return false;
    }
    req->user = t;
    sim_submit(s, node, req, on_told);
    for (int ms = 0; ms < NWR_DEADLINE_MS + 1000 && s->nasked; ms++)
        sim_run(s, 1000);
    return t->answered && t->err == NWR_OK;
}

static struct nwr_request *put(struct told *t, const struct nwr_key *key, uint32_t no)
{
    struct nwr_request *req = nwr_request_new(NWR_OP_PUT, nwr_key_pg(key));
    struct nwr_write *w = nwr_request_write(req);
    const struct nwr_row *row = nwr_rows_find(&t->seen, key);

    w->key = *key;
    w->v.wid = (nwr_wid)(1000 + no) << 32 | t->h.n;
    w->v.body = sim_history_body(w->v.wid, key);
    w->v.flags = no % 5 == 4 ? NWR_V_TOMBSTONE : 0;
    for (uint32_t i = 0; row && i < row->rec.n; i++)
        nwr_write_seen(w, row->rec.v[i].dot, row->rec.v[i].wid);
    req->level = NWR_LEVEL_DISK;
    if (no % 2 && !w->v.flags) {
        struct nwr_block_id id = kit_block_id(nwr_key_pg(key), no, w->v.wid);

        kit_block(req, &id, true, true);
    }
    return req;
}

static void put_one(struct told *t, uint32_t no)
{
    struct nwr_key key = kit_key((nwr_pg)(no % PGS), no / 3 % 2);
    struct nwr_request *req;
    uint32_t at;

    if (!ask(t, kit_get(&key)))
        return;
    req = put(t, &key, no);
    at = sim_history_add(&t->h, &req->write[0]);
    if (ask(t, req)) {
        t->h.w[at].fate = SIM_ACKED;
        t->h.w[at].known_at = t->s->now;
    } else if (t->answered && t->err == NWR_E_HOSTDOWN) {
        t->h.w[at].fate = SIM_REFUSED;
    }
}

static void wait_until_joined(struct sim *s, int node)
{
    for (int ms = 0; ms < 8000 && s->node[node].alive && !s->node[node].joined; ms += 10)
        sim_run(s, 10000);
}

static void tell(struct told *t)
{
    struct sim *s = t->s;

    sim_found(s, PGS, 3, 2, 2);
    put_one(t, 0);
    if (s->node[0].alive)
        wait_until_joined(s, sim_join(s, 0));
    put_one(t, 1);
    if (s->node[0].alive)
        sim_join(s, 0);
    for (uint32_t no = 2; no < PUTS; no++)
        put_one(t, no);
}

/* What died lives again, and joins again if it was not yet a member. */
static void mend(struct told *t)
{
    struct sim *s = t->s;

    s->crash_at = 0;
    sim_heal(s);
    for (int n = 0; n < s->nnode; n++) {
        for (int tries = 0; tries < 3 && !s->node[n].joined; tries++) {
            wait_until_joined(s, n);
            if (s->node[n].join_err) {
                sim_crash(s, n, false);
                sim_restart(s, n);
            }
        }
        if (!s->node[n].joined)
            sim_fail(s, "[live] node %d did not finish joining: %s", n, s->node[n].join_text);
    }
    kit_notice(s);
}

static void look(struct told *t)
{
    struct sim *s = t->s;

    for (nwr_pg pg = 0; pg < PGS; pg++) {
        struct nwr_request *req = nwr_request_new(NWR_OP_READ, pg);
        struct nwr_range *r = nwr_request_range(req);
        struct nwr_key prefix;

        r->prefix.len = 2;
        r->prefix.b[1] = (uint8_t)pg;
        prefix = r->prefix;
        req->r = NWR_QUORUM_ALL;
        if (!ask(t, req))
            sim_fail(s, "[live] group %u cannot be read: %s", pg, nwr_err_name(t->err));
        oracle_invented(s, &t->h, &t->seen);
        oracle_lost(s, &t->h, &prefix, &t->seen, s->now);
        oracle_returned(s, &t->h, &prefix, &t->seen, s->now);
    }
    kit_notice(s);
    oracle_converged(s);
    oracle_blocks(s, &t->h, false);
    oracle_all_answered(s);
}

/* False: the story ended before its K-th durable write. */
static bool told_until(uint64_t k, uint64_t timing, bool power_loss)
{
    struct told t = {.s = sim_create(timing * 1000 + k)};
    bool died;

    t.s->crash_at = k;
    t.s->crash_power_loss = power_loss;
    t.s->replay = "tests/sim/crash_test: 1000 timing + K =";
    tell(&t);
    died = t.s->durable >= k;
    mend(&t);
    look(&t);
    sim_history_deinit(&t.h);
    nwr_rows_deinit(&t.seen);
    sim_destroy(t.s);
    return died;
}

static void run(bool power_loss)
{
    for (uint64_t timing = 1; timing <= TIMINGS; timing++) {
        uint64_t k = 1;

        while (k < K_MAX && told_until(k, timing, power_loss))
            k++;
        assert_true(k > 30);
        assert_true(k < K_MAX);
    }
}

static void a_node_killed_at_any_durable_write_loses_nothing(void **state)
{
    (void)state;
    run(false);
}

static void power_lost_at_any_durable_write_loses_nothing_synced(void **state)
{
    (void)state;
    run(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_node_killed_at_any_durable_write_loses_nothing),
        cmocka_unit_test(power_lost_at_any_durable_write_loses_nothing_synced),
    };

    return cmocka_run_group_tests_name("crash", tests, NULL, NULL);
}
