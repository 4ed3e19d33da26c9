/* decide.c -- the next ring, decided once by the members of this one (DESIGN 6, 11).
 *
 *     nwr_decide(next) --register of that epoch, a majority of its members--> decided --> learned
 *
 * Its acceptors are the members of this ring; while that is joint, those of the list there is: the
 * same for whoever proposes, and a node that only joins can neither decide nor keep from deciding.
 * Members given up for lost are none of them. Where a majority is gone for good a person may force
 * a decision of those that are left: whoever is cut off then and forces another makes two volumes.
 * There is one register an epoch, written once: whoever proposes when it has a value proposes that
 * value, so a change that was decided while its proposer died is finished by the next. An acceptor
 * keeps one register, that of the newest epoch it was asked about, and refuses older ones: a ring
 * that was adopted anywhere needs no register any more. META "register": epoch(8), register.
 */
#include "net/core/register.h"

#include "net/core/job.h"

enum {
    TRY_MS = 300,
    TRY_SPREAD_MS = 700
};

/* ---- acceptor -------------------------------------------------------------------------------- */

struct acceptor {
    struct nwr_job job;
    struct nwr_origin from; /* nobody: a proposal of this node, its parent */
    struct nwr_msg answer;
};

static void on_loaded(struct nwr_node *n, struct nwr_job *j, struct nwr_lent *l)
{
    const struct nwr_blob *b = l->op.value;
    struct nwr_in in = nwr_in_of(b ? b->data : NULL, b ? b->len : 0);
    enum nwr_err err = l->op.err == NWR_E_NOENT ? NWR_OK : l->op.err;
    uint64_t epoch = b && !err ? nwr_in_u64(&in) : 0;

    if (!err && b)
        err = b->len < 8 ? NWR_E_FORMAT : nwr_register_decode(&n->reg, b->data + 8, b->len - 8);
    if (err) /* it promises nothing: what it promised before cannot be known */
        nwr_log(n, "level=error event=register_not_read err=", nwr_err_name(err));
    else
        n->reg_epoch = epoch;
    n->reg_known = !err;
    nwr_job_end(n, j, err);
}

static void on_kept(struct nwr_node *n, struct nwr_job *j, struct nwr_lent *l)
{
    struct acceptor *a = nwr_container_of(j, struct acceptor, job);

    if (l->op.err == NWR_OK && a->from.kind != NWR_FROM_NOBODY)
        nwr_reply(n, &a->from, &a->answer);
    nwr_job_end(n, j, l->op.err);
}

static void on_acceptor_free(struct nwr_node *n, struct nwr_job *j)
{
    (void)n;
    nwr_msg_deinit(&nwr_container_of(j, struct acceptor, job)->answer);
}

static const struct nwr_job_kind load_kind = {.name = "register", .stored = on_loaded};
static const struct nwr_job_kind acceptor_kind = {
    .name = "acceptor", .stored = on_kept, .drop = on_acceptor_free};

void nwr_register_load(struct nwr_node *n)
{
    struct nwr_job *j = nwr_job_new(n, &load_kind, sizeof(*j), NULL, 0);
    struct nwr_lent *l = nwr_lend(n, j, 0, NWR_STORE_META_GET, 0);

    l->op.name = "register";
    nwr_lend_submit(n, l);
}

static void keep(struct nwr_node *n, struct acceptor *a)
{
    struct nwr_lent *l =
        nwr_lend(n, &a->job, 0, NWR_RULE(REGISTER_STORED) ? NWR_STORE_META_PUT : NWR_STORE_SYNC, 0);
    struct nwr_out o = {0};

    nwr_out_u64(&o, n->reg_epoch);
    nwr_register_encode(&n->reg, &o);
    l->op.name = "register";
    l->op.value = nwr_out_blob(&o);
    nwr_lend_submit(n, l);
}

/* What the acceptor says to m. True: it must be stored first. */
static bool judge(struct nwr_node *n, const struct nwr_msg *m, struct nwr_msg *answer)
{
    struct nwr_ballot ballot = {m->u.reg.round, m->u.reg.proposer}, other;
    bool ok;

    *answer = (struct nwr_msg){.kind = NWR_MSG_REGISTER_OK};
    answer->u.reg = m->u.reg;
    answer->u.reg.value = NULL;
    if ((m->u.reg.epoch < n->reg_epoch || m->u.reg.epoch <= n->ring.epoch) &&
        NWR_RULE(REGISTER_EPOCH)) {
        answer->err = NWR_E_EPOCH;
        return false;
    }
    if (m->u.reg.epoch > n->reg_epoch ||
        (m->u.reg.epoch < n->reg_epoch && !NWR_RULE(REGISTER_EPOCH))) {
        nwr_register_deinit(&n->reg);
        n->reg_epoch = m->u.reg.epoch;
    }
    other = n->reg.accepted;
    if (!m->u.reg.accept && n->reg.value)
        answer->u.reg.value = nwr_blob_ref(n->reg.value);
    ok = m->u.reg.accept ? nwr_register_accept(&n->reg, ballot, m->u.reg.value)
                         : nwr_register_prepare(&n->reg, ballot);
    if (!ok) {
        answer->err = NWR_E_STALE;
        other = n->reg.promised;
    }
    answer->u.reg.other_round = other.round;
    answer->u.reg.other_proposer = other.proposer;
    return ok;
}

/* A proposer that does not know this node's ring is taught it instead. */
void nwr_register_message(struct nwr_node *n, uint16_t peer, struct nwr_msg *m)
{
    struct acceptor *a;

    if (!n->reg_known || !m->u.reg.value == m->u.reg.accept)
        return;
    a = nwr_job_new(n, &acceptor_kind, sizeof(*a), NULL, 0);
    a->from = (struct nwr_origin){.kind = NWR_FROM_PEER, .peer = peer, .id = m->id};
    if (judge(n, m, &a->answer)) {
        keep(n, a);
        return;
    }
    if (a->answer.err == NWR_E_EPOCH)
        nwr_epoch_tell(n, peer);
    nwr_reply(n, &a->from, &a->answer);
    nwr_job_end(n, &a->job, NWR_OK);
}

/* ---- proposer -------------------------------------------------------------------------------- */

struct decide {
    struct nwr_job job;
    struct nwr_proposal p;
    uint64_t epoch;
    struct nwr_blob *wish;
    nwr_ms deadline;
};

static struct decide *of(struct nwr_job *j)
{
    return nwr_container_of(j, struct decide, job);
}

static void heard(struct nwr_node *n, struct decide *d, uint16_t from, struct nwr_msg *m);

static void ask_self(struct nwr_node *n, struct decide *d, const struct nwr_msg *m)
{
    struct acceptor *a;

    if (!n->reg_known)
        return;
    a = nwr_job_new(n, &acceptor_kind, sizeof(*a), &d->job, 0);
    if (judge(n, m, &a->answer))
        keep(n, a);
    else
        nwr_job_end(n, &a->job, NWR_OK);
}

static void ask_all(struct nwr_node *n, struct decide *d)
{
    bool accept = d->p.phase == NWR_ACCEPTING;
    struct nwr_ballot ballot = d->p.ballot;

    nwr_job_forget_calls(n, &d->job);
    for (uint32_t i = 0; i < d->p.n && !d->job.ended; i++) {
        uint16_t peer = d->p.acceptor[i].ordinal;
        struct nwr_msg m = {.kind = NWR_MSG_REGISTER};

        if (nwr_ballot_cmp(ballot, d->p.ballot) != 0 || accept != (d->p.phase == NWR_ACCEPTING))
            return; /* an answer from this node itself led on */
        m.u.reg.epoch = d->epoch;
        m.u.reg.accept = accept;
        m.u.reg.round = ballot.round;
        m.u.reg.proposer = ballot.proposer;
        m.u.reg.value = accept ? nwr_blob_ref(d->p.value) : NULL;
        if (peer == n->ordinal)
            ask_self(n, d, &m);
        else if (nwr_is_up(n, peer))
            nwr_call(n, &d->job, peer, 0, &m);
        nwr_msg_deinit(&m);
    }
}

static void attempt(struct nwr_node *n, struct decide *d)
{
    struct nwr_ballot ballot = {nwr_proposal_next_round(&d->p),
                                NWR_RULE(BALLOT_ONCE) ? (uint64_t)n->ordinal << 32 | n->incarnation
                                                      : 1};

    nwr_job_wake(n, &d->job, n->now + TRY_MS + nwr_rng_below(&n->rng, TRY_SPREAD_MS));
    nwr_proposal_begin(&d->p, ballot);
    ask_all(n, d);
}

/* Another proposal may be made now: who waited for that is told, if no new ring tells it. */
static void end(struct nwr_node *n, struct decide *d, enum nwr_err err)
{
    n->deciding--;
    nwr_job_end(n, &d->job, err);
    if (err)
        nwr_jobs_changed(n);
}

static void decided(struct nwr_node *n, struct decide *d)
{
    struct nwr_ring r;
    enum nwr_err err = nwr_ring_decode(&r, d->p.value->data, d->p.value->len);

    if (!err)
        nwr_epoch_learn(n, &r);
    if (!d->job.ended)
        end(n, d, err);
}

static void heard(struct nwr_node *n, struct decide *d, uint16_t from, struct nwr_msg *m)
{
    struct nwr_ballot ballot = {m->u.reg.round, m->u.reg.proposer};
    struct nwr_ballot other = {m->u.reg.other_round, m->u.reg.other_proposer};

    if (m->err == NWR_E_STALE) {
        nwr_proposal_refused(&d->p, from, ballot, other);
    } else if (m->err) {
        return;
    } else if (m->u.reg.accept) {
        if (nwr_proposal_accepted(&d->p, from, ballot))
            decided(n, d);
    } else if (nwr_proposal_promised(&d->p, from, ballot, other, m->u.reg.value)) {
        nwr_proposal_accepting(
            &d->p, nwr_blob_ref(d->p.value && NWR_RULE(TAKEN_OVER) ? d->p.value : d->wish));
        ask_all(n, d);
    }
}

static void on_answer(struct nwr_node *n, struct nwr_job *j, const struct nwr_call *c,
                      struct nwr_msg *m)
{
    if (m->kind == NWR_MSG_REGISTER_OK && m->u.reg.epoch == of(j)->epoch)
        heard(n, of(j), c->peer, m);
}

static void on_lost(struct nwr_node *n, struct nwr_job *j, const struct nwr_call *c)
{
    (void)n;
    (void)j;
    (void)c;
}

static void on_child(struct nwr_node *n, struct nwr_job *j, struct nwr_job *child, enum nwr_err err)
{
    if (err == NWR_OK)
        heard(n, of(j), n->ordinal, &nwr_container_of(child, struct acceptor, job)->answer);
}

static void on_wake(struct nwr_node *n, struct nwr_job *j)
{
    if (n->now >= of(j)->deadline)
        end(n, of(j), NWR_E_TIMEDOUT);
    else
        attempt(n, of(j));
}

static void on_changed(struct nwr_node *n, struct nwr_job *j)
{
    if (n->ring.epoch >= of(j)->epoch)
        end(n, of(j), NWR_OK);
}

static void on_free(struct nwr_node *n, struct nwr_job *j)
{
    (void)n;
    nwr_proposal_deinit(&of(j)->p);
    nwr_blob_unref(of(j)->wish);
}

static const struct nwr_job_kind decide_kind = {.name = "decide",
                                                .answer = on_answer,
                                                .lost = on_lost,
                                                .wake = on_wake,
                                                .child = on_child,
                                                .changed = on_changed,
                                                .drop = on_free};

bool nwr_is_deciding(const struct nwr_node *n)
{
    return n->deciding > 0 || n->storing.epoch > 0;
}

void nwr_decide(struct nwr_node *n, struct nwr_ring *next, bool forced)
{
    struct decide *d;

    nwr_assert(next->epoch == n->ring.epoch + 1 && !nwr_is_deciding(n));
    n->deciding++;
    d = nwr_job_new(n, &decide_kind, sizeof(*d), NULL, 0);
    d->epoch = next->epoch;
    d->wish = nwr_epoch_blob(next);
    d->deadline = n->now + NWR_DEADLINE_MS;
    nwr_ring_deinit(next);
    for (uint32_t i = 0; i < n->ring.nmember; i++) {
        const struct nwr_member *m = &n->ring.member[i];

        if ((m->weight || !NWR_RULE(JOINER_NO_VOTE)) && !m->lost &&
            (!forced || nwr_is_up(n, m->ordinal) || !NWR_RULE(FORCE)))
            nwr_proposal_acceptor(&d->p, m->ordinal, 1 << NWR_LIST_NOW);
    }
    attempt(n, d);
}
