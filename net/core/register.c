/* register.c -- see register.h. */
#include "net/core/register.h"

#include "net/core/rules.h"

enum {
    REGISTER_FORMAT = 1
};

int nwr_ballot_cmp(struct nwr_ballot a, struct nwr_ballot b)
{
    if (a.round != b.round)
        return a.round < b.round ? -1 : 1;
    return a.proposer == b.proposer ? 0 : a.proposer < b.proposer ? -1 : 1;
}

/* ---- acceptor -------------------------------------------------------------------------------- */

void nwr_register_deinit(struct nwr_register *r)
{
    nwr_blob_unref(r->value);
    *r = (struct nwr_register){.value = NULL};
}

static void ballot_encode(struct nwr_ballot b, struct nwr_out *o)
{
    nwr_out_u64(o, b.round);
    nwr_out_u64(o, b.proposer);
}

static struct nwr_ballot ballot_decode(struct nwr_in *in)
{
    struct nwr_ballot b;

    b.round = nwr_in_u64(in);
    b.proposer = nwr_in_u64(in);
    return b;
}

void nwr_register_encode(const struct nwr_register *r, struct nwr_out *o)
{
    nwr_out_u8(o, REGISTER_FORMAT);
    ballot_encode(r->promised, o);
    ballot_encode(r->accepted, o);
    if (r->value)
        nwr_out_bytes(o, r->value->data, r->value->len);
}

enum nwr_err nwr_register_decode(struct nwr_register *r, const void *data, size_t len)
{
    struct nwr_in in = nwr_in_of(data, len);
    struct nwr_register got = {.value = NULL};
    const uint8_t *bytes = NULL;
    size_t n = 0;

    if (len == 0) {
        *r = got;
        return NWR_OK;
    }
    if (nwr_in_u8(&in) != REGISTER_FORMAT)
        return NWR_E_VERSION;
    got.promised = ballot_decode(&in);
    got.accepted = ballot_decode(&in);
    if (got.accepted.round)
        bytes = nwr_in_bytes(&in, &n);
    if (!nwr_in_done(&in) || nwr_ballot_cmp(got.accepted, got.promised) > 0)
        return NWR_E_FORMAT;
    if (got.accepted.round)
        got.value = nwr_blob_copy(bytes, n);
    *r = got;
    return NWR_OK;
}

bool nwr_register_prepare(struct nwr_register *r, struct nwr_ballot ballot)
{
    if (nwr_ballot_cmp(ballot, r->promised) < 0 && NWR_RULE(PROMISE_KEPT))
        return false;
    r->promised = ballot;
    return true;
}

bool nwr_register_accept(struct nwr_register *r, struct nwr_ballot ballot, struct nwr_blob *value)
{
    if (nwr_ballot_cmp(ballot, r->promised) < 0 && NWR_RULE(ACCEPT_KEPT))
        return false;
    nwr_blob_ref(value);
    nwr_blob_unref(r->value);
    r->value = value;
    r->promised = r->accepted = ballot;
    return true;
}

/* ---- proposer -------------------------------------------------------------------------------- */

void nwr_proposal_deinit(struct nwr_proposal *p)
{
    nwr_blob_unref(p->value);
    *p = (struct nwr_proposal){.n = 0};
}

void nwr_proposal_begin(struct nwr_proposal *p, struct nwr_ballot ballot)
{
    nwr_assert(nwr_ballot_cmp(ballot, p->ballot) > 0);
    p->phase = NWR_PREPARING;
    p->ballot = ballot;
    p->newest = (struct nwr_ballot){0};
    nwr_blob_unref(p->value);
    p->value = NULL;
    for (uint32_t i = 0; i < p->n; i++)
        p->acceptor[i].answered = false;
}

void nwr_proposal_acceptor(struct nwr_proposal *p, uint16_t ordinal, uint8_t in)
{
    nwr_assert(p->n < NWR_COUNT(p->acceptor));
    p->acceptor[p->n].ordinal = ordinal;
    p->acceptor[p->n].in = in;
    p->acceptor[p->n++].answered = false;
}

/* False: not one of them, or it has answered already. */
static bool note_answer(struct nwr_proposal *p, uint16_t from)
{
    for (uint32_t i = 0; i < p->n; i++)
        if (p->acceptor[i].ordinal == from && !p->acceptor[i].answered) {
            p->acceptor[i].answered = true;
            return true;
        }
    return false;
}

static bool has_majorities(const struct nwr_proposal *p)
{
    for (enum nwr_list l = NWR_LIST_NOW; l < NWR_LISTS; l++) {
        uint32_t all = 0, answered = 0;

        for (uint32_t i = 0; i < p->n; i++)
            if (p->acceptor[i].in >> l & 1) {
                all++;
                answered += p->acceptor[i].answered;
            }
        if (all && answered < (NWR_RULE(MAJORITY) ? all / 2 + 1 : 1))
            return false;
    }
    return true;
}

bool nwr_proposal_promised(struct nwr_proposal *p, uint16_t from, struct nwr_ballot ballot,
                           struct nwr_ballot accepted, struct nwr_blob *value)
{
    if (p->phase != NWR_PREPARING || nwr_ballot_cmp(ballot, p->ballot) != 0 ||
        !note_answer(p, from))
        return false;
    if (value && (nwr_ballot_cmp(accepted, p->newest) > 0 || !NWR_RULE(NEWEST_COUNTS))) {
        nwr_blob_unref(p->value);
        p->value = nwr_blob_ref(value);
        p->newest = accepted;
    }
    return has_majorities(p);
}

void nwr_proposal_accepting(struct nwr_proposal *p, struct nwr_blob *value)
{
    nwr_assert(p->phase == NWR_PREPARING && value != NULL);
    nwr_blob_unref(p->value);
    p->value = value;
    p->phase = NWR_ACCEPTING;
    for (uint32_t i = 0; i < p->n; i++)
        p->acceptor[i].answered = false;
}

bool nwr_proposal_accepted(struct nwr_proposal *p, uint16_t from, struct nwr_ballot ballot)
{
    if (p->phase != NWR_ACCEPTING || nwr_ballot_cmp(ballot, p->ballot) != 0 ||
        !note_answer(p, from) || !has_majorities(p))
        return false;
    p->phase = NWR_DECIDED;
    return true;
}

bool nwr_proposal_refused(struct nwr_proposal *p, uint16_t from, struct nwr_ballot ballot,
                          struct nwr_ballot promised)
{
    bool waits = p->phase == NWR_PREPARING || p->phase == NWR_ACCEPTING;

    if (nwr_ballot_cmp(promised, p->highest) > 0)
        p->highest = promised;
    if (!waits || nwr_ballot_cmp(ballot, p->ballot) != 0 || !note_answer(p, from))
        return false;
    p->phase = NWR_REFUSED;
    return true;
}

uint64_t nwr_proposal_next_round(const struct nwr_proposal *p)
{
    return NWR_MAX(p->ballot.round, p->highest.round) + 1;
}
