/* node.h -- a peer, whole: step(event) -> effects, no clock, no socket, no disk.
 *
 * The node coordinates requests of its own mount and of others (replicator), answers as a
 * replica, forwards what it does not hold, joins a volume and admits others. The driver
 * (net/uv, or a simulation) delivers events and carries out effects in order.
 *
 *     client REQUEST --> [plan: am I in the preference list?] --no--> forward, retry elsewhere
 *                                   | yes
 *            PUT: store APPLY --> REPLICATE to the others --> W acks --> answer
 *            READ: store READ + FETCH digest at R-1 --> equal --> answer
 *                                   \-> differ: FETCH rows, merge, write back until W --> answer
 *
 * Rules: a reply that depends on the store waits for the store's completion event; late, doubled
 * or unknown tokens are ignored; every request ends by its deadline. Events are borrowed (unless
 * said otherwise); effects are values the driver takes.
 *
 * The driver (net/uv) promises:
 *   - One connection a member, used both ways. PEER_UP(peer) when its HELLO was accepted,
 *     PEER_DOWN(peer) when it is gone; SEND to a peer that is not up is dropped.
 *   - Connections whose HELLO names no ordinal that nwr_node_ring() finds are links, id > 0; a
 *     link that goes is not announced, a SEND to it is dropped. When a later ring finds the
 *     ordinal of a link, it becomes that peer (PEER_UP).
 *   - Joining (config.ordinal 0, config.join set): the driver connects to that address and
 *     reports PEER_UP(peer 0); SEND with peer 0 and link 0 goes there, its messages come with
 *     peer 0 and link 0. A REFUSED to a HELLO (version, volume) stays in the driver.
 *   - HELLO, PING and PONG are the driver's and never reach the node; STATFS and STATUS requests
 *     are answered by the driver, which has the store's figures and those the pongs carry.
 *   - META "identity" (node id) is the driver's, "ring", "register" and "counters" are the
 *     node's. On start
 *     the driver gives the ring of META, and as ordinal the one under which it lists this id.
 *   - PEER_DOWN is also for a connection that could not be made, so that nobody waits for it.
 *   - A member is known by the node id of its hello too: one that joins may not know its ordinal
 *     yet.
 *   - META "counters" is read by nwr_counters_decode. A new volume's ring of one member is made
 *     and stored by the driver before create.
 *
 * Ownership: REQUEST events give the request to the node; the RESPOND effect gives it back with
 * the response, once. SEND effects give the message. STORE effects lend an op: the driver
 * submits it and hands it back with EV_STORE, then the node frees it.
 */
#ifndef NWR_NODE_H
#define NWR_NODE_H

#include "net/core/hints.h"
#include "net/core/members.h"
#include "net/core/msg.h"
#include "net/core/reshape.h"
#include "net/core/ring.h"
#include "net/store/store.h"

enum nwr_node_event_kind {
    NWR_EV_START,     /* after init: META was read by the driver, ring known or none */
    NWR_EV_REQUEST,   /* from this process's mount; those of clients come as MSG_REQUEST */
    NWR_EV_MSG,       /* from peer (ordinal) or, with peer 0, on link (a connection of a client,
                          of a joining node, or to join through) */
    NWR_EV_PEER_UP,   /* connection to member `peer` is usable; peer 0: the one to join through */
    NWR_EV_PEER_DOWN, /* known unreachable */
    NWR_EV_STORE,     /* an op lent by a STORE effect is done */
    NWR_EV_RESHAPE,   /* somebody asks for another ring; nwr_node_wish says what came of it */
    NWR_EV_REPAIR,    /* somebody asks that `pg` (NWR_PGS_MAX: all) be compared with all replicas */
    NWR_EV_SCRUB,     /* somebody asks that `pg` (NWR_PGS_MAX: all) be read and verified */
    NWR_EV_TICK       /* time passed nwr_node_deadline */
};

struct nwr_node_event {
    enum nwr_node_event_kind kind;
    nwr_ms now;                  /* monotonic */
    nwr_ns wall;                 /* real time, for hlc */
    uint16_t peer;               /* ordinal; 0 when from a link */
    uint64_t link;               /* client connection, or the joining node's; 0 = own mount */
    struct nwr_request *request; /* REQUEST: taken */
    struct nwr_msg *msg;         /* MSG: moved out, nothing is left to free */
    struct nwr_store_op *op;     /* STORE */
    nwr_pg pg;                   /* REPAIR, SCRUB */
    struct nwr_reshape reshape;  /* RESHAPE */
};

enum nwr_node_effect_kind {
    NWR_EF_SEND,    /* msg to member `peer`, or on connection `link`; later: nobody waits for the
                       answer yet, it may go along with the next within NWR_LATER_MS */
    NWR_EF_RESPOND, /* own mount: call request->done(response), then destroy both */
    NWR_EF_STORE,   /* submit op */
    NWR_EF_CONNECT, /* members changed: keep connections to every member of nwr_node_ring();
                       with a peer: dial that one now, PEER_UP or PEER_DOWN says how it went */
    NWR_EF_JOINED,  /* this node is a member now (err OK) or was refused (text) */
    NWR_EF_REMOVED, /* the members have removed this node: it answers nobody any more */
    NWR_EF_LOG      /* one line for operators */
};

struct nwr_node_effect {
    enum nwr_node_effect_kind kind;
    uint16_t peer;
    bool later;
    uint64_t link;
    struct nwr_msg msg;
    struct nwr_request *request;
    struct nwr_response response;
    struct nwr_store_op *op;
    enum nwr_err err;
    char text[200];
};

struct nwr_effects {
    struct nwr_node_effect *e;
    uint32_t n, cap;
};

struct nwr_node_config {
    nwr_node_id id;
    uint16_t ordinal;     /* that the ring gives its id; 0: must join */
    uint32_t incarnation; /* random, drawn at this start */
    uint64_t seed;
    uint64_t ino_next;           /* first inode counter not reserved yet (META "counters") */
    uint64_t k_next;             /* first sibling number j not reserved yet */
    uint64_t hint_bytes;         /* room for hints; 0: NWR_HINT_BYTES */
    const char *address;         /* where it listens */
    const struct nwr_ring *ring; /* borrowed; NULL: none yet */
    const char *join;            /* the driver has an address to join through; NULL */
    bool only_asked;             /* compares replicas only when NWR_EV_REPAIR asks: for tests of
                                    the other layers of repair */
};

struct nwr_node;
struct nwr_node *nwr_node_create(const struct nwr_node_config *config);
/* Only when the store is gone: frees the ops it still holds. Requests that were not answered are
 * freed without their done: the driver steps until they are, or is ending the process. */
void nwr_node_destroy(struct nwr_node *n);
void nwr_node_step(struct nwr_node *n, struct nwr_node_event *ev, struct nwr_effects *out);
/* When EV_TICK is wanted next; UINT64_MAX: not. */
nwr_ms nwr_node_deadline(const struct nwr_node *n);
void nwr_node_check(const struct nwr_node *n);
/* NULL until one is known. */
const struct nwr_ring *nwr_node_ring(const struct nwr_node *n);
bool nwr_node_peer_up(const struct nwr_node *n, uint16_t ordinal);
/* Counters for status: names and values, NULL-terminated names. */
struct nwr_node_counters {
    uint64_t reads, puts, block_puts, block_gets, forwarded, replicates, read_repairs, write_backs,
        digests_equal, digests_differ, hedges, retries, timeouts, round_trips, syncs;
    /* Reconciliation this node began: comparisons, bytes both ways of the digests of PGs, and of
     * finding out what differs; records that did, records sent or taken. */
    uint64_t compares, compare_digest_bytes, compare_bytes, compare_found, compare_rows;
    uint64_t pgs_copied, pgs_erased; /* erased: those it stood in for, too */
};
const struct nwr_node_counters *nwr_node_counters(const struct nwr_node *n);
/* Who is up, as members.h sees it, for status; NULL: not a member yet. */
const struct nwr_members *nwr_node_members(const struct nwr_node *n);
/* What this node keeps for another. */
const struct nwr_kept *nwr_node_hints(const struct nwr_node *n, uint16_t target);
const struct nwr_hints_stat *nwr_node_hints_stat(const struct nwr_node *n);
/* This node's own figures, for the status of others; the driver knows them. */
void nwr_node_load(struct nwr_node *n, uint64_t records, uint64_t bytes);

/* What NWR_EV_RESHAPE asked for, numbered from 1; one that is asked for while another is under way
 * is not heard. */
struct nwr_wish_state {
    uint64_t asked, done;
    enum nwr_err err; /* of the last that is done, with one line for people */
    char text[NWR_RESHAPE_TEXT];
    uint64_t epoch; /* the ring there was then */
};
const struct nwr_wish_state *nwr_node_wish(const struct nwr_node *n);
/* How far a joint ring is: groups to copy and copied, of one member or of all. */
struct nwr_move_state {
    uint64_t epoch;
    uint32_t groups, done;
    uint64_t bytes;
};
/* Sums over all members; false: the ring is settled. ms: since it became joint. */
bool nwr_node_move(const struct nwr_node *n, struct nwr_move_state *sum, nwr_ms *ms);

/* The runs that NWR_EV_REPAIR asked for, numbered from 1; one that is asked for while another
 * goes on follows it. The figures are those of the run that is on, or was last. */
struct nwr_repair_state {
    uint64_t asked, done;
    nwr_pg pg;                /* of the run that is asked for */
    uint64_t found, repaired; /* records */
    uint32_t left;            /* PGs that still differ, a pair of replicas each */
    uint32_t peers, silent;   /* compared with; could not be compared with */
};
const struct nwr_repair_state *nwr_node_repair(const struct nwr_node *n);

/* What scrub (scrub.h) found: runs that NWR_EV_SCRUB asked for are numbered from 1. The figures
 * are those since the last of them began. */
struct nwr_scrub_state {
    uint64_t asked, done;
    nwr_pg pg;                    /* of the run that is asked for */
    nwr_pg at;                    /* group that was read last */
    uint32_t groups, groups_done; /* of the run that is on, or was last */
    uint64_t records, blocks, bytes;
    uint64_t rotten;   /* records and blocks that did not verify */
    uint64_t repaired; /* of those, and groups whose records were fetched again */
    uint64_t lost;     /* of those, and groups: no good copy is anywhere */
    uint64_t left;     /* times a group had to wait for replicas */
    uint64_t doubted;  /* groups that may have lost records, since the start */
    uint32_t doubtful; /* groups that are in doubt now */
};
const struct nwr_scrub_state *nwr_node_scrub(const struct nwr_node *n);
/* This node's ordinal; 0 until a member gave one. */
uint16_t nwr_node_ordinal(const struct nwr_node *n);
/* META "counters": the values for config. Empty or absent: 1 and 0. */
enum nwr_err nwr_counters_decode(const void *data, size_t len, uint64_t *ino_next,
                                 uint64_t *k_next);
/* Frees what no one took: a driver that takes an effect zeroes its msg, request or response. */
void nwr_effects_deinit(struct nwr_effects *e);
/* The same, but its room is kept for the next step. */
void nwr_effects_clear(struct nwr_effects *e);

#endif
