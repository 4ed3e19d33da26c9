/* reconcile.c -- when a node compares itself with whom; see reconcile.h.
 *
 *     WAITING --a pair is due, or a run was asked for--> COMPARING (pair.c) --> WAITING
 *        \--nobody holds what this node holds, each half minute--> alone.c ------^
 *
 * One pair at a time. Of two members the one with the lower ordinal begins: soon after the other
 * came up or the ring changed, then every half minute. A run that was asked for compares with
 * everybody, whoever would begin otherwise, and goes round until nothing differs. A node that is
 * behind (behind.h) begins too, and one whose read found what a floor says is superseded.
 */
#include "net/core/reconcile.h"

#include "net/core/alone.h"
#include "net/core/behind.h"
#include "net/core/scrub.h"

enum {
    WAIT_MS = 200, /* while scrub compares */
    ROUNDS = 2,
    ROUNDS_ASKED = 12
};

struct reconciler {
    struct nwr_job job;
    uint64_t epoch; /* the ring that due was made for */
    bool up[NWR_ORDINAL_MAX + 1];
    nwr_ms due[NWR_ORDINAL_MAX + 1], met[NWR_ORDINAL_MAX + 1];
    bool urged[NWR_ORDINAL_MAX + 1]; /* whoever would begin otherwise */
    struct nwr_job *pair;
    uint16_t with;
    struct nwr_job *alone;
    nwr_ms alone_due;
    /* A run that was asked for. */
    uint64_t run; /* 0: none is on */
    nwr_pg pg;
    uint16_t next; /* the ordinal to compare with next */
};

static struct reconciler *of(struct nwr_job *j)
{
    return nwr_container_of(j, struct reconciler, job);
}

bool nwr_pair_shares(const struct nwr_node *n, nwr_pg pg, uint16_t peer)
{
    return nwr_ring_holds(&n->ring, pg, n->ordinal) && nwr_ring_holds(&n->ring, pg, peer);
}

static bool shares_any(const struct nwr_node *n, nwr_pg only, uint16_t peer)
{
    for (nwr_pg pg = 0; pg < n->ring.pgs; pg++)
        if ((only == NWR_PGS_MAX || pg == only) && nwr_pair_shares(n, pg, peer))
            return true;
    return false;
}

/* ---- runs ------------------------------------------------------------------------------------ */

/* The next member of the run that shares a PG; 0: none is left. */
static uint16_t next_of_run(struct nwr_node *n, struct reconciler *r)
{
    for (uint32_t i = 0; i < n->ring.nmember; i++) {
        uint16_t peer = n->ring.member[i].ordinal;

        if (peer < r->next || peer == n->ordinal || !shares_any(n, r->pg, peer))
            continue;
        r->next = peer + 1;
        if (nwr_is_up(n, peer))
            return peer;
        n->repair.silent++;
    }
    return 0;
}

static void begin_run(struct nwr_node *n, struct reconciler *r)
{
    uint64_t asked = n->repair.asked, done = n->repair.done;

    r->run = asked;
    r->pg = n->repair.pg;
    r->next = 1;
    n->repair = (struct nwr_repair_state){.asked = asked, .done = done, .pg = r->pg};
}

static void add_result(struct nwr_node *n, struct reconciler *r, enum nwr_err err)
{
    const struct nwr_pair_result *result = nwr_pair_result(r->pair);

    n->repair.found += result->found;
    n->repair.repaired += result->repaired;
    n->repair.left += result->left;
    n->repair.peers += err == NWR_OK;
    n->repair.silent += err != NWR_OK && err != NWR_E_EPOCH;
    if (err == NWR_E_EPOCH) /* who holds what is another question now */
        r->next = 1;
}

/* ---- the machine ----------------------------------------------------------------------------- */

static nwr_ms soon(struct nwr_node *n)
{
    return n->now + NWR_COMPARE_SOON_MS + nwr_rng_below(&n->rng, NWR_COMPARE_SOON_MS);
}

static void compare(struct nwr_node *n, struct reconciler *r, uint16_t peer)
{
    bool asked = r->run != 0;

    r->with = peer;
    r->urged[peer] = false;
    nwr_job_wake(n, &r->job, NWR_NEVER);
    r->pair = nwr_pair_start(n, &r->job, peer, asked ? r->pg : NWR_PGS_MAX,
                             asked ? ROUNDS_ASKED : ROUNDS);
}

/* A run that was asked for goes first. False: none is on. */
static bool go_on_with_run(struct nwr_node *n, struct reconciler *r)
{
    uint16_t peer;

    while (r->run || n->repair.done < n->repair.asked) {
        if (!r->run)
            begin_run(n, r);
        peer = next_of_run(n, r);
        if (peer) {
            compare(n, r, peer);
            return true;
        }
        n->repair.done = r->run;
        r->run = 0;
    }
    return false;
}

/* Floors that wait for nobody, once that has lasted: members may be about to join. */
static void look_alone(struct nwr_node *n, struct reconciler *r)
{
    if (!nwr_alone(n))
        r->alone_due = n->now + NWR_COMPARE_EVERY_MS;
    if (r->alone || n->now < r->alone_due || n->only_asked || !NWR_RULE(FLOOR_ALONE))
        return;
    r->alone_due = n->now + NWR_COMPARE_EVERY_MS;
    r->alone = nwr_alone_start(n, &r->job, 0);
}

static void look(struct nwr_node *n, struct reconciler *r)
{
    nwr_ms next = NWR_NEVER;

    look_alone(n, r);

    if (!r->pair && nwr_scrub_compares(n)) {
        nwr_job_wake(n, &r->job, n->now + WAIT_MS);
        return;
    }
    if (r->pair || (!n->joining && go_on_with_run(n, r)))
        return;
    for (uint32_t i = 0; i < n->ring.nmember && !n->joining && !n->only_asked && NWR_RULE(COMPARED);
         i++) {
        uint16_t peer = n->ring.member[i].ordinal;

        if ((peer <= n->ordinal && !nwr_behind_any(n) && !r->urged[peer]) || peer == n->ordinal ||
            !nwr_is_up(n, peer))
            continue;
        if (r->due[peer] <= n->now) {
            compare(n, r, peer);
            return;
        }
        next = NWR_MIN(next, r->due[peer]);
    }
    /* Without anybody to wait for it still is a job, and every job waits for something. */
    nwr_job_wake(n, &r->job, NWR_MIN(next, n->now + NWR_COMPARE_EVERY_MS));
}

/* Of a floor that rose: until all members have it, their reads of the group differ. */
static void tell_others(struct nwr_node *n, struct reconciler *r)
{
    for (uint32_t i = 0; i < n->ring.nmember; i++)
        r->due[n->ring.member[i].ordinal] = NWR_MIN(r->due[n->ring.member[i].ordinal], soon(n));
}

static void on_child(struct nwr_node *n, struct nwr_job *j, struct nwr_job *child, enum nwr_err err)
{
    struct reconciler *r = of(j);

    if (child == r->alone) {
        r->alone = NULL;
        return;
    }
    nwr_assert(child == r->pair);
    if (r->run)
        add_result(n, r, err);
    if (nwr_pair_result(r->pair)->raised)
        tell_others(n, r);
    r->met[r->with] = n->now;
    r->due[r->with] = err == NWR_E_EPOCH ? soon(n)
                                         : n->now + NWR_COMPARE_EVERY_MS +
                                               nwr_rng_below(&n->rng, NWR_COMPARE_EVERY_MS / 4);
    r->pair = NULL;
    look(n, r);
}

static void on_changed(struct nwr_node *n, struct nwr_job *j)
{
    struct reconciler *r = of(j);
    bool news = r->epoch != n->ring.epoch;

    r->epoch = n->ring.epoch;
    for (uint32_t i = 0; i < n->ring.nmember; i++) {
        uint16_t peer = n->ring.member[i].ordinal;
        bool up = peer != n->ordinal && nwr_is_up(n, peer);

        if (up && (news || !r->up[peer]))
            r->due[peer] = soon(n);
        r->up[peer] = up;
    }
    look(n, r);
}

static void on_wake(struct nwr_node *n, struct nwr_job *j)
{
    look(n, of(j));
}

static const struct nwr_job_kind reconcile_kind = {
    .name = "reconcile", .child = on_child, .changed = on_changed, .wake = on_wake};

void nwr_reconcile_start(struct nwr_node *n)
{
    struct reconciler *r = nwr_job_new(n, &reconcile_kind, sizeof(*r), NULL, 0);

    n->reconciler = &r->job;
    r->alone_due = n->now + NWR_COMPARE_EVERY_MS;
    nwr_job_wake(n, &r->job, n->now + NWR_COMPARE_EVERY_MS);
}

bool nwr_reconcile_busy(const struct nwr_node *n)
{
    return of(n->reconciler)->pair != NULL;
}

void nwr_reconcile_soon(struct nwr_node *n)
{
    struct reconciler *r = of(n->reconciler);

    for (uint32_t i = 0; i < n->ring.nmember; i++) {
        uint16_t peer = n->ring.member[i].ordinal;

        if (r->urged[peer] || peer == n->ordinal)
            continue;
        r->urged[peer] = true;
        r->due[peer] = NWR_MIN(r->due[peer], NWR_MAX(soon(n), r->met[peer] + NWR_COMPARE_AGAIN_MS));
    }
    look(n, r);
}

/* Two runs that wait become one over all PGs. */
void nwr_reconcile_ask(struct nwr_node *n, nwr_pg pg)
{
    struct reconciler *r = of(n->reconciler);
    bool waits = n->repair.asked > n->repair.done && n->repair.asked > r->run;

    n->repair.asked++;
    n->repair.pg = waits && n->repair.pg != pg ? NWR_PGS_MAX : pg;
    look(n, r);
}
