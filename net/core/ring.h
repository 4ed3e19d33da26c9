/* ring.h -- who the members are and which of them hold a placement group (DESIGN 6).
 *
 * Weighted rendezvous hashing over all ring members, dead ones too: placement depends on
 * membership, never on liveness. Ordinals are permanent and never given twice.
 */
#ifndef NWR_RING_H
#define NWR_RING_H

#include "nwr/err.h"
#include "nwr/pack.h"
#include "nwr/types.h"

struct nwr_member {
    nwr_node_id id;
    uint16_t ordinal;
    uint32_t weight;  /* 1..65535, 256 is normal */
    char address[64]; /* IP:PORT */
};

struct nwr_ring {
    uint64_t volume; /* random id of the volume */
    uint64_t epoch;  /* grows by one a change */
    uint16_t pgs;
    uint8_t n, w, r; /* as asked; w, r = 0: majority */
    uint16_t next_ordinal;
    uint16_t founder;  /* ordinal that admits and numbers nodes, until changes are voted on */
    uint32_t uid, gid; /* owner of the root */
    struct nwr_member *member; /* sorted by ordinal */
    uint32_t nmember;
    /* A node that is being admitted: it copies what it will hold, coordinators send it what is
     * written meanwhile, nothing counts it. ordinal 0: none. */
    struct nwr_member pending;
};

void nwr_ring_deinit(struct nwr_ring *r);
void nwr_ring_copy(struct nwr_ring *dst, const struct nwr_ring *src);
void nwr_ring_add(struct nwr_ring *r, const struct nwr_member *m);
/* Members and the pending one; NULL if neither. */
const struct nwr_member *nwr_ring_find(const struct nwr_ring *r, uint16_t ordinal);
const struct nwr_member *nwr_ring_find_id(const struct nwr_ring *r, nwr_node_id id);
/* Members only. */
bool nwr_ring_lists(const struct nwr_ring *r, uint16_t ordinal);
/* The ring that lists the pending member: dst (uninitialised) has it as a member, epoch + 1. */
void nwr_ring_future(struct nwr_ring *dst, const struct nwr_ring *src);

/* Preference list of pg: min(N, members) ordinals, best first. Returns how many. */
uint32_t nwr_ring_place(const struct nwr_ring *r, nwr_pg pg, uint16_t out[NWR_REPLICAS_MAX]);
bool nwr_ring_holds(const struct nwr_ring *r, nwr_pg pg, uint16_t ordinal);

/* Effective quorums for m = min(N, members) replicas (DESIGN 5): asked 0 = the volume's;
 * both majorities stay majorities of m; NWR_QUORUM_ALL = m. */
uint8_t nwr_ring_w(const struct nwr_ring *r, uint8_t asked);
uint8_t nwr_ring_r(const struct nwr_ring *r, uint8_t asked);

void nwr_ring_encode(const struct nwr_ring *r, struct nwr_out *o);
enum nwr_err nwr_ring_decode(struct nwr_ring *r, const void *data, size_t len);
void nwr_ring_check(const struct nwr_ring *r);

#endif
