/* register_history_test.c -- random schedules of register.h: loss, doubling, any order of arrival,
 * crashes that forget what was not stored. The value is a list to which each operation appends its
 * number; it is linearizable if all answers are prefixes of each other and an operation that began
 * after another ended sees it. Each rule switched off must be found out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "net/core/register.h"

enum {
    ACCEPTORS = 5,
    PROPOSERS = 3,
    OPS = 12,
    BAG = 256,
    STEPS = 4000,
    HISTORIES = 400
};

enum rule {
    NONE,
    PROMISE_STORED,  /* a promise is stored before it is given */
    ACCEPT_STORED,   /* so is what was accepted */
    PREPARE_REFUSED, /* no promise below a promise */
    ACCEPT_REFUSED,  /* nothing accepted below a promise */
    NEWEST_COUNTS,   /* of accepted values that of the highest ballot */
    BALLOT_ONCE,     /* two proposers never share a ballot */
    MAJORITY,        /* any two quorums meet */
    BOTH_LISTS,      /* a majority of each list */
    IDEMPOTENT       /* a change tried again is one change */
};

enum kind {
    PREPARE,
    PROMISE,
    ACCEPT,
    ACCEPTED,
    REFUSED
};

struct message {
    enum kind kind;
    uint16_t acceptor;
    int proposer;
    uint32_t op; /* the proposer's, so that an answer of another op is of none */
    struct nwr_ballot ballot, other;
    struct nwr_blob *value;
};

struct proposer {
    struct nwr_proposal p;
    uint64_t life;
    uint32_t op; /* number; 0: idle */
    uint32_t begun;
};

struct answer {
    struct nwr_blob *value;
    uint32_t op, begun, ended;
};

struct world {
    enum rule off;
    struct nwr_rng rng;
    struct nwr_register disk[ACCEPTORS], memory[ACCEPTORS];
    struct proposer proposer[PROPOSERS];
    struct message bag[BAG];
    uint32_t nbag, step, next_op;
    struct answer answer[OPS + PROPOSERS];
    uint32_t nanswer;
};

static uint64_t below(struct world *w, uint64_t n)
{
    return nwr_rng_below(&w->rng, n);
}

static void put(struct world *w, struct message m)
{
    if (w->nbag == BAG)
        return; /* lost */
    nwr_blob_ref(m.value);
    w->bag[w->nbag++] = m;
}

static void copy_register(struct nwr_register *to, const struct nwr_register *from)
{
    nwr_blob_ref(from->value);
    nwr_register_deinit(to);
    *to = *from;
}

/* ---- proposers ------------------------------------------------------------------------------- */

static void send_all(struct world *w, int i, enum kind kind)
{
    struct proposer *p = &w->proposer[i];

    for (uint32_t k = 0; k < p->p.n; k++)
        put(w, (struct message){.kind = kind,
                                .acceptor = p->p.acceptor[k].ordinal,
                                .proposer = i,
                                .op = p->op,
                                .ballot = p->p.ballot,
                                .value = kind == ACCEPT ? p->p.value : NULL});
}

static void attempt(struct world *w, int i)
{
    struct proposer *p = &w->proposer[i];
    uint64_t name = w->off == BALLOT_ONCE ? 1 : p->life * PROPOSERS + (uint64_t)i;

    nwr_proposal_begin(&p->p, (struct nwr_ballot){nwr_proposal_next_round(&p->p), name});
    send_all(w, i, PREPARE);
}

/* Lists 1..3 and 3..5 while joint; else all five. */
static void begin(struct world *w, int i, bool joint)
{
    struct proposer *p = &w->proposer[i];
    struct nwr_ballot highest = p->p.highest, last = p->p.ballot;

    nwr_proposal_deinit(&p->p);
    p->p.highest = highest;
    p->p.ballot = last;
    for (uint16_t a = 1; a <= ACCEPTORS; a++) {
        uint8_t in = (uint8_t)(joint ? (a <= 3) | (a >= 3) << 1 : 1);

        if (w->off == MAJORITY && (a + i) % 2)
            continue;
        if (w->off == BOTH_LISTS)
            in &= (uint8_t)(1 << (i & 1));
        if (in)
            nwr_proposal_acceptor(&p->p, a, in);
    }
    p->op = ++w->next_op;
    p->begun = w->step;
    attempt(w, i);
}

static struct nwr_blob *change(const struct world *w, struct nwr_blob *was, uint32_t op)
{
    size_t len = was ? was->len : 0;
    struct nwr_blob *b;

    for (size_t at = 0; at < len && w->off != IDEMPOTENT; at += sizeof(op))
        if (memcmp(was->data + at, &op, sizeof(op)) == 0)
            return nwr_blob_ref(was);
    b = nwr_blob_new(len + sizeof(op));
    if (len)
        memcpy(b->data, was->data, len);
    memcpy(b->data + len, &op, sizeof(op));
    return b;
}

static void decided(struct world *w, struct proposer *p)
{
    nwr_assert(w->nanswer < NWR_COUNT(w->answer));
    w->answer[w->nanswer++] = (struct answer){nwr_blob_ref(p->p.value), p->op, p->begun, w->step};
    p->op = 0;
}

static void answered(struct world *w, const struct message *m)
{
    struct proposer *p = &w->proposer[m->proposer];
    struct nwr_ballot accepted = m->other;

    if (p->op == 0 || p->op != m->op)
        return;
    if (w->off == NEWEST_COUNTS && accepted.round)
        accepted.round = 1000 - accepted.round;
    if (m->kind == PROMISE) {
        if (nwr_proposal_promised(&p->p, m->acceptor, m->ballot, accepted, m->value)) {
            nwr_proposal_accepting(&p->p, change(w, p->p.value, p->op));
            send_all(w, m->proposer, ACCEPT);
        }
    } else if (m->kind == ACCEPTED) {
        if (nwr_proposal_accepted(&p->p, m->acceptor, m->ballot))
            decided(w, p);
    } else if (nwr_proposal_refused(&p->p, m->acceptor, m->ballot, m->other) && below(w, 2)) {
        attempt(w, m->proposer);
    }
}

/* ---- acceptors ------------------------------------------------------------------------------- */

static void asked(struct world *w, const struct message *m)
{
    struct nwr_register *r = &w->memory[m->acceptor - 1];
    struct message answer = *m;
    bool prepare = m->kind == PREPARE, ok;

    if (w->off == (prepare ? PREPARE_REFUSED : ACCEPT_REFUSED))
        r->promised = (struct nwr_ballot){0};
    answer.other = r->accepted;
    answer.value = prepare ? r->value : NULL;
    ok = prepare ? nwr_register_prepare(r, m->ballot) : nwr_register_accept(r, m->ballot, m->value);
    if (!ok) {
        answer.kind = REFUSED;
        answer.other = r->promised;
        put(w, answer);
        return;
    }
    if (w->off != (prepare ? PROMISE_STORED : ACCEPT_STORED))
        copy_register(&w->disk[m->acceptor - 1], r);
    answer.kind = prepare ? PROMISE : ACCEPTED;
    put(w, answer);
}

/* ---- one history ----------------------------------------------------------------------------- */

static void deliver_one(struct world *w)
{
    uint32_t i = (uint32_t)below(w, w->nbag);
    struct message m = w->bag[i];

    if (below(w, 10) == 0) {
        put(w, m); /* doubled */
    }
    w->bag[i] = w->bag[--w->nbag];
    if (below(w, 12) != 0) {
        if (m.kind == PREPARE || m.kind == ACCEPT)
            asked(w, &m);
        else
            answered(w, &m);
    }
    nwr_blob_unref(m.value);
}

static void crash_acceptor(struct world *w)
{
    uint32_t a = (uint32_t)below(w, ACCEPTORS);

    copy_register(&w->memory[a], &w->disk[a]);
}

/* Its operation is forgotten, and may have happened. */
static void crash_proposer(struct world *w)
{
    struct proposer *p = &w->proposer[below(w, PROPOSERS)];

    nwr_proposal_deinit(&p->p);
    p->life++;
    p->op = 0;
}

static void run(struct world *w)
{
    bool joint = below(w, 2) || w->off == BOTH_LISTS;

    for (w->step = 0; w->step < STEPS; w->step++) {
        int i = (int)below(w, PROPOSERS);
        uint64_t what = below(w, 100);

        if (what < 80 && w->nbag)
            deliver_one(w);
        else if (what < 82)
            crash_acceptor(w);
        else if (what == 82 && below(w, 4) == 0)
            crash_proposer(w);
        else if (what < 90 && w->proposer[i].op == 0 && w->next_op < OPS)
            begin(w, i, joint);
        else if (what >= 96 && w->proposer[i].op)
            attempt(w, i);
    }
}

static bool is_prefix(const struct nwr_blob *a, const struct nwr_blob *b)
{
    return a->len <= b->len && memcmp(a->data, b->data, a->len) == 0;
}

static bool each_once(const struct nwr_blob *b)
{
    const size_t size = sizeof(uint32_t);

    for (size_t i = 0; i < b->len; i += size)
        for (size_t j = i + size; j < b->len; j += size)
            if (memcmp(b->data + i, b->data + j, size) == 0)
                return false;
    return true;
}

static bool is_linearizable(const struct world *w)
{
    for (uint32_t i = 0; i < w->nanswer; i++)
        for (uint32_t j = 0; j < w->nanswer; j++) {
            const struct answer *a = &w->answer[i], *b = &w->answer[j];

            if (!each_once(a->value) ||
                (!is_prefix(a->value, b->value) && !is_prefix(b->value, a->value)))
                return false;
            if (a->ended < b->begun && !is_prefix(a->value, b->value))
                return false;
        }
    return true;
}

static void end(struct world *w)
{
    for (int i = 0; i < ACCEPTORS; i++) {
        nwr_register_deinit(&w->disk[i]);
        nwr_register_deinit(&w->memory[i]);
    }
    for (int i = 0; i < PROPOSERS; i++)
        nwr_proposal_deinit(&w->proposer[i].p);
    for (uint32_t i = 0; i < w->nbag; i++)
        nwr_blob_unref(w->bag[i].value);
    for (uint32_t i = 0; i < w->nanswer; i++)
        nwr_blob_unref(w->answer[i].value);
}

/* Histories that are not linearizable; done: operations that ended. */
static uint32_t violations(enum rule off, uint32_t histories, uint32_t *done)
{
    struct world *w = nwr_alloc(sizeof(*w));
    uint32_t bad = 0;

    *done = 0;
    for (uint32_t seed = 1; seed <= histories; seed++) {
        *w = (struct world){.off = off};
        nwr_rng_init(&w->rng, seed);
        run(w);
        bad += !is_linearizable(w);
        *done += w->nanswer;
        end(w);
    }
    nwr_free(w);
    return bad;
}

static void every_history_is_linearizable(void **state)
{
    uint32_t done;

    (void)state;
    assert_int_equal(violations(NONE, HISTORIES, &done), 0);
    assert_true(done > HISTORIES * OPS / 2);
}

static void without_any_one_rule_some_history_is_not(void **state)
{
    uint32_t done;

    (void)state;
    for (enum rule off = PROMISE_STORED; off <= IDEMPOTENT; off++) {
        uint32_t bad = violations(off, HISTORIES, &done);

        print_message("rule %d off: %u of %u histories\n", off, bad, HISTORIES);
        if (bad == 0)
            fail_msg("rule %d switched off was not found out", off);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_history_is_linearizable),
        cmocka_unit_test(without_any_one_rule_some_history_is_not),
    };

    return cmocka_run_group_tests_name("register history", tests, NULL, NULL);
}
