/* ring.h -- who the members are and which of them hold a placement group (DESIGN 6).
 *
 * Weighted rendezvous hashing over all ring members, dead ones too: placement depends on
 * membership, never on liveness. Ordinals are permanent and never given twice.
 *
 *     settled(A) --open--> joint(A, B) --settle--> settled(B)
 *                               \--give up--> settled(A)
 */
#ifndef NWR_RING_H
#define NWR_RING_H

#include "nwr/err.h"
#include "nwr/pack.h"
#include "nwr/types.h"

/* Only while joint can a member be in one of the two lists alone. */
struct nwr_member {
    nwr_node_id id;
    nwr_node_id seat; /* what placement draws by, if it took the place of another; 0: its id */
    uint16_t ordinal;
    bool lost;            /* given up for lost: it holds its place, but nobody counts on it */
    uint32_t weight;      /* in the list there is: 1..65535, 256 is normal; 0: not in it */
    uint32_t next_weight; /* in the list to come, likewise */
    char address[64];     /* IP:PORT */
};

/* N, W and R as asked; w, r = 0: majority. */
struct nwr_quorums {
    uint8_t n, w, r;
};

/* Settled: one list. Joint: also the list to come, with quorums of its own; every write needs W
 * acknowledgements and every read R answers from each. */
struct nwr_ring {
    uint64_t volume; /* random id of the volume */
    uint64_t epoch;  /* grows by one a change */
    uint16_t pgs;
    uint8_t n, w, r; /* as asked; w, r = 0: majority */
    bool joint;
    struct nwr_quorums next; /* while joint */
    uint16_t next_ordinal;
    uint16_t replaced; /* to be replaced by the node that joins from this address; 0: none is */
    bool replaced_lost;
    char replacement[64];
    uint32_t uid, gid;         /* owner of the root */
    struct nwr_member *member; /* of either list, sorted by ordinal */
    uint32_t nmember;
};

enum nwr_list {
    NWR_LIST_NOW,
    NWR_LIST_NEXT, /* empty while settled */
    NWR_LISTS
};

void nwr_ring_deinit(struct nwr_ring *r);
void nwr_ring_copy(struct nwr_ring *dst, const struct nwr_ring *src);
void nwr_ring_add(struct nwr_ring *r, const struct nwr_member *m);
/* Of either list; NULL if of neither. */
const struct nwr_member *nwr_ring_find(const struct nwr_ring *r, uint16_t ordinal);
const struct nwr_member *nwr_ring_find_id(const struct nwr_ring *r, nwr_node_id id);
/* Whether it is in the list there is. */
bool nwr_ring_lists(const struct nwr_ring *r, uint16_t ordinal);
/* It is in the list there is, not in the one to come, and not given up for lost. */
bool nwr_ring_leaves(const struct nwr_ring *r, uint16_t ordinal);
/* Members of a list. */
uint32_t nwr_ring_size(const struct nwr_ring *r, enum nwr_list list);

/* The four steps of a change; each makes an epoch of its own. dst is uninitialised. */
/* Joint with the same members: the caller then changes next and next_weight. */
void nwr_ring_open(struct nwr_ring *dst, const struct nwr_ring *settled);
/* A new member of the list to come, under the next ordinal. */
void nwr_ring_admit(struct nwr_ring *joint, nwr_node_id id, const char *address);
/* Settled on the list to come. */
void nwr_ring_settle(struct nwr_ring *dst, const struct nwr_ring *joint);
/* Settled on the list there was: the change is given up. */
void nwr_ring_give_up(struct nwr_ring *dst, const struct nwr_ring *joint);

/* Preference list of pg: min(N, members) ordinals, best first. Returns how many. */
uint32_t nwr_ring_place(const struct nwr_ring *r, nwr_pg pg, uint16_t out[NWR_REPLICAS_MAX]);
uint32_t nwr_ring_place_in(const struct nwr_ring *r, enum nwr_list list, nwr_pg pg,
                           uint16_t out[NWR_REPLICAS_MAX]);
bool nwr_ring_holds(const struct nwr_ring *r, nwr_pg pg, uint16_t ordinal);
/* The next nodes after its preference list, at most as many as that has. Returns how many. A node
 * that leaves the ring takes no writes for others any more, so that it can have handed over all. */
uint32_t nwr_ring_spares(const struct nwr_ring *r, nwr_pg pg, bool writes,
                         uint16_t out[NWR_REPLICAS_MAX]);
bool nwr_ring_is_spare(const struct nwr_ring *r, nwr_pg pg, bool writes, uint16_t ordinal);
/* It holds pg in the list to come and does not yet. */
bool nwr_ring_gains(const struct nwr_ring *r, nwr_pg pg, uint16_t ordinal);

/* All that hold pg in either list and are not lost, those of the first in order. */
struct nwr_sides {
    struct {
        uint16_t ordinal;
        uint8_t in; /* bit of each list it is in */
    } side[NWR_LISTS * NWR_REPLICAS_MAX];
    uint32_t n;
    uint8_t m[NWR_LISTS]; /* how many of each list */
    bool lost;            /* the list there is has others */
};
void nwr_ring_sides(const struct nwr_ring *r, nwr_pg pg, struct nwr_sides *out);
/* Side i must have copied the group before the ring settles: it gains it, or it is the first of
 * those that stay where one leaves and nobody comes. */
bool nwr_sides_copies(const struct nwr_sides *s, uint32_t i);
bool nwr_ring_copies(const struct nwr_ring *r, nwr_pg pg, uint16_t ordinal);

/* Effective quorums for m = min(N, members) replicas (DESIGN 5): asked 0 = the volume's;
 * both majorities stay majorities of m; NWR_QUORUM_ALL = m. 0 of an empty list. */
uint8_t nwr_ring_w_in(const struct nwr_ring *r, enum nwr_list list, uint8_t asked);
uint8_t nwr_ring_r_in(const struct nwr_ring *r, enum nwr_list list, uint8_t asked);
/* Of the list there is. */
uint8_t nwr_ring_w(const struct nwr_ring *r, uint8_t asked);
uint8_t nwr_ring_r(const struct nwr_ring *r, uint8_t asked);
/* So many of a group's list meet every W and every R of it: once they refuse an older ring,
 * nobody writes or reads under that alone. */
uint8_t nwr_ring_barrier(const struct nwr_ring *r);

void nwr_ring_encode(const struct nwr_ring *r, struct nwr_out *o);
enum nwr_err nwr_ring_decode(struct nwr_ring *r, const void *data, size_t len);
void nwr_ring_check(const struct nwr_ring *r);

#endif
