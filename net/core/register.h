/* register.h -- a value with one order of changes, agreed by majorities (DESIGN 11).
 *
 * CASPaxos (Rystsov, "CASPaxos: Replicated State Machines without logs", 2018): a change is a
 * function of the value there is. No leader, no log: every change runs both phases.
 *
 *   proposer: PREPARING --promises of a majority--> ACCEPTING --accepted by a majority--> DECIDED
 *                 |      value = change(newest accepted)    |
 *                 \--refused: a higher ballot is about------/--> REFUSED: again, higher, later
 *   acceptor: promises the highest ballot it was asked for, accepts under no lower one.
 *
 * What must hold, or two majorities decide differently:
 *   - an acceptor's state is on disk before its answer goes out
 *   - a ballot is used once: (round, proposer), proposer being one life of one node
 *   - of the promises the value accepted under the highest ballot counts
 *   - each phase has a majority of each list (two while the ring is joint)
 * A change that was refused or got no answer may still be decided: whoever tries again must
 * recognize its own value (change functions are idempotent).
 *
 * Ownership: states own their values. Thread: the node's. Allocates: yes.
 */
#ifndef NWR_REGISTER_H
#define NWR_REGISTER_H

#include "net/core/ring.h"
#include "nwr/blob.h"

/* round 0: none. */
struct nwr_ballot {
    uint64_t round;
    uint64_t proposer;
};
int nwr_ballot_cmp(struct nwr_ballot a, struct nwr_ballot b);

/* ---- acceptor -------------------------------------------------------------------------------- */

struct nwr_register {
    struct nwr_ballot promised, accepted;
    struct nwr_blob *value; /* accepted under `accepted`; NULL: nothing was */
};

void nwr_register_deinit(struct nwr_register *r);
void nwr_register_encode(const struct nwr_register *r, struct nwr_out *o);
/* No bytes: nothing was promised yet. */
enum nwr_err nwr_register_decode(struct nwr_register *r, const void *data, size_t len);
/* False: refused, r->promised says by what. True: r is to be stored, then answered with. */
bool nwr_register_prepare(struct nwr_register *r, struct nwr_ballot ballot);
/* Borrows value. */
bool nwr_register_accept(struct nwr_register *r, struct nwr_ballot ballot, struct nwr_blob *value);

/* ---- proposer -------------------------------------------------------------------------------- */

enum nwr_phase {
    NWR_PREPARING,
    NWR_ACCEPTING,
    NWR_DECIDED,
    NWR_REFUSED
};

/* Invariants: value is what is proposed from NWR_ACCEPTING on; answers count once a phase. */
struct nwr_proposal {
    enum nwr_phase phase;
    struct nwr_ballot ballot;
    struct nwr_ballot highest; /* seen in a refusal */
    struct nwr_ballot newest;  /* of what the promises had accepted */
    struct nwr_blob *value;
    struct {
        uint16_t ordinal;
        uint8_t in;
        bool answered;
    } acceptor[NWR_MEMBERS_MAX];
    uint32_t n;
};

void nwr_proposal_deinit(struct nwr_proposal *p);
/* The acceptors are kept; values and answers go. */
void nwr_proposal_begin(struct nwr_proposal *p, struct nwr_ballot ballot);
/* in: bit of each list it is in. */
void nwr_proposal_acceptor(struct nwr_proposal *p, uint16_t ordinal, uint8_t in);
/* A promise; accepted and value are what that acceptor had. True: a majority promised, value is
 * the newest (NULL: none): the caller makes it what it proposes, then calls _accepting. */
bool nwr_proposal_promised(struct nwr_proposal *p, uint16_t from, struct nwr_ballot ballot,
                           struct nwr_ballot accepted, struct nwr_blob *value);
/* Takes value. */
void nwr_proposal_accepting(struct nwr_proposal *p, struct nwr_blob *value);
/* True: decided just now. */
bool nwr_proposal_accepted(struct nwr_proposal *p, uint16_t from, struct nwr_ballot ballot);
/* True: this attempt is over. */
bool nwr_proposal_refused(struct nwr_proposal *p, uint16_t from, struct nwr_ballot ballot,
                          struct nwr_ballot promised);
/* A round above all that was seen. */
uint64_t nwr_proposal_next_round(const struct nwr_proposal *p);

#endif
