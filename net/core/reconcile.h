/* reconcile.h -- two replicas of a placement group find out where they differ and become equal
 * (DESIGN 7). The inside of reconciliation; only net/core/ includes it.
 *
 *   reconcile.c  when and with whom: peers that came up, a new ring, every now and then, and runs
 *                somebody asked for
 *   pair.c       one comparison with one peer: the asking side
 *   compare.c    the answering side
 *
 *   COMPARE / COMPARED   what is asked           data of the question    data of the answer
 *     DIGESTS            which PGs differ?       {pg, digest, hash       {pg, records} each
 *                                              of clock and floor}
 *     CLOCKS             clocks.h
 *     CELLS              the next cells of pg    key, first, n           total, cells (iblt.h)
 *     RANGE              is (after, until] equal?  digest of it          nothing, or elements
 *     ROWS               records by object       object ids              (answered with ROWS)
 *
 * RANGE is the fallback: linear in the records of a PG, so it serves where nearly all differ.
 */
#ifndef NWR_RECONCILE_H
#define NWR_RECONCILE_H

#include "net/core/iblt.h"
#include "net/core/job.h"

enum {
    NWR_COMPARE_FIRST = 32,        /* cells asked for at first */
    NWR_COMPARE_STEP = 16,         /* then this many, or a quarter of what there is */
    NWR_COMPARE_CELLS_MAX = 4096,  /* decode budget: beyond, ranges are cheaper */
    NWR_COMPARE_IDS = 1024,        /* objects of one ROWS */
    NWR_COMPARE_HELD = 1 << 22,    /* elements of a PG kept while it is compared by cells */
    NWR_COMPARE_OVERHEAD = 48,     /* bytes of a message besides its data, for counting */
    NWR_COMPARE_SKETCH_MS = 15000, /* cells are kept for whoever asks for the next ones */
    NWR_COMPARE_EVERY_MS = 30000,
    NWR_COMPARE_SOON_MS = 1000,
    NWR_COMPARE_AGAIN_MS = 5000 /* not sooner for what reads find */
};

/* A PG that differs, and how many records the peer has there. */
struct nwr_differing {
    nwr_pg pg;
    uint64_t theirs;
    bool behind, they_are; /* the clock of one does not cover the floor of the other */
};

struct nwr_pair_result {
    uint64_t found, repaired; /* records */
    uint32_t left;            /* PGs that still differ */
    bool raised;              /* a floor: others should hear of it */
};

/* Compares with peer what both hold (pg, or all when NWR_PGS_MAX) until nothing differs, at most
 * `rounds` times; its child ends with OK when it got so far, equal or not. */
struct nwr_job *nwr_pair_start(struct nwr_node *n, struct nwr_job *parent, uint16_t peer, nwr_pg pg,
                               uint32_t rounds);
const struct nwr_pair_result *nwr_pair_result(const struct nwr_job *j);

void nwr_compare_message(struct nwr_node *n, uint16_t peer, struct nwr_msg *m);

void nwr_digest_out(struct nwr_out *o, const struct nwr_pg_digest *d);
void nwr_digest_in(struct nwr_in *in, struct nwr_pg_digest *d);
void nwr_object_id_out(struct nwr_out *o, const struct nwr_object_id *id);
struct nwr_object_id nwr_object_id_in(struct nwr_in *in);

/* Whether both hold pg under the ring there is. */
bool nwr_pair_shares(const struct nwr_node *n, nwr_pg pg, uint16_t peer);

void nwr_reconcile_start(struct nwr_node *n);
/* It compares with somebody. */
bool nwr_reconcile_busy(const struct nwr_node *n);
/* A read found what a floor says is superseded, and finds it until the members have compared. */
void nwr_reconcile_soon(struct nwr_node *n);
/* Somebody asks for a run over pg, or all PGs when NWR_PGS_MAX. */
void nwr_reconcile_ask(struct nwr_node *n, nwr_pg pg);

#endif
