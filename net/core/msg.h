/* msg.h -- what peers say to each other, as values; net/wire turns them into msgpack frames.
 *
 * Every request carries an id that its answer repeats, and the sender's ring epoch. A client (a
 * mount without storage, a forwarding node) sends REQUEST and gets RESPONSE; everything else is
 * between ring members.
 *
 *   HELLO      first frame on a connection, both ways
 *   RING       the sender's ring: an answer to an older epoch, and news
 *   JOIN       a new node asks a member for an ordinal; JOIN_OK carries ordinal and the ring
 *              that has it in the list to come; REFUSED says why not
 *   COPIED     how far the sender is with what it is to copy by the ring of this epoch
 *   REQUEST / RESPONSE   a volume request, coordinated by the receiver
 *   REPLICATE / ACK      records of a batch or a repair, with blocks; ACK may name missing blocks
 *   FETCH / ROWS         read at a replica; digest: only one hash over rows comes back
 *   BLOCKS / ACK         blocks ahead of their batch
 *   BLOCK_GET / BLOCK    one block
 *   PING / PONG          nothing was heard for a while
 *   WHY / WHY_OK         what this replica holds of a key, as text
 *   PROBE / PROBED       are you there (members.h); PROBED answers PROBE and PROBE_FOR
 *   PROBE_FOR            is target there: a probe where the direct one was not answered
 *   NEWS                 of members, where there is something to tell
 *   COMPARE / COMPARED   where two replicas differ (reconcile.h)
 *   REGISTER / _OK       a phase of deciding the next ring; err E_STALE: refused
 *
 * Ownership: a message owns everything in it (blobs by count); nwr_msg_deinit frees it.
 */
#ifndef NWR_MSG_H
#define NWR_MSG_H

#include "nwr/volume.h"

#define NWR_PROTO_MIN 3 /* ranges that leave out what shows nothing, a record for each beside it */
#define NWR_PROTO_MAX 3

enum nwr_msg_kind {
    NWR_MSG_HELLO = 1,
    NWR_MSG_RING,
    NWR_MSG_JOIN,
    NWR_MSG_JOIN_OK,
    NWR_MSG_COPIED,
    NWR_MSG_REFUSED,
    NWR_MSG_REQUEST,
    NWR_MSG_RESPONSE,
    NWR_MSG_REPLICATE,
    NWR_MSG_ACK,
    NWR_MSG_FETCH,
    NWR_MSG_ROWS,
    NWR_MSG_BLOCKS,
    NWR_MSG_BLOCK_GET,
    NWR_MSG_BLOCK,
    NWR_MSG_PING,
    NWR_MSG_PONG,
    NWR_MSG_WHY,
    NWR_MSG_WHY_OK,
    NWR_MSG_PROBE,
    NWR_MSG_PROBED,
    NWR_MSG_PROBE_FOR,
    NWR_MSG_NEWS,
    NWR_MSG_COMPARE,
    NWR_MSG_COMPARED,
    NWR_MSG_REGISTER,
    NWR_MSG_REGISTER_OK
};

enum nwr_compare_what {
    NWR_COMPARE_DIGESTS,
    NWR_COMPARE_CELLS,
    NWR_COMPARE_RANGE,
    NWR_COMPARE_ROWS,
    NWR_COMPARE_CLOCKS
};

enum nwr_life {
    NWR_LIFE_UP,
    NWR_LIFE_SUSPECT,
    NWR_LIFE_DOWN
};

/* What is known of one member. incarnation here is SWIM's: only the member itself raises it, to
 * outbid what others say of it. beat: the member raises it with its figures. */
struct nwr_news {
    uint16_t ordinal;
    enum nwr_life life;
    uint16_t by; /* SUSPECT: who says so */
    uint32_t incarnation, beat;
    uint64_t epoch;          /* of its ring */
    uint64_t records, bytes; /* its load */
};

struct nwr_hello {
    uint16_t proto_min, proto_max;
    uint64_t volume; /* 0: a joining node or client that does not know it yet */
    nwr_node_id node;
    uint16_t ordinal;            /* 0: client or joining */
    char address[64];            /* where it listens, "" for clients */
    struct nwr_volume_info info; /* of the answering member: what a mount needs */
};

struct nwr_msg {
    enum nwr_msg_kind kind;
    uint64_t id;
    uint64_t epoch;
    nwr_pg pg;
    enum nwr_err err; /* answers */
    union {
        struct nwr_hello hello;
        struct {
            struct nwr_blob *ring; /* nwr_ring_encode; RING, JOIN_OK */
            uint16_t ordinal;      /* JOIN_OK */
            char text[160];        /* REFUSED; JOIN: the address it listens on */
            nwr_node_id node;      /* JOIN */
        } ring;
        struct { /* COPIED: how far the sender is; all: it is done, and on disk */
            uint32_t groups, done;
            uint64_t bytes;
            bool all;
        } copied;
        struct nwr_request *request;
        struct nwr_response response;
        struct { /* REPLICATE, BLOCKS */
            struct nwr_rows rows;
            struct nwr_guard *guard;
            uint32_t nguard;
            struct nwr_block *block;
            uint32_t nblock;
            enum nwr_level level;
            uint16_t hint_for; /* the receiver stands in for this replica; 0: it does not */
        } put;
        struct { /* ACK */
            struct nwr_block_id *missing;
            uint32_t nmissing;
        } ack;
        struct { /* FETCH */
            struct nwr_range *range;
            uint32_t nrange;
            bool digest;
        } fetch;
        struct { /* ROWS */
            struct nwr_rows rows;
            uint64_t digest;
            bool more;
        } rows;
        struct { /* BLOCK_GET, BLOCK */
            struct nwr_block_id id;
            struct nwr_blob *data;
            struct nwr_block_id *refs; /* BLOCK: the blocks it names itself */
            uint32_t nrefs;
        } block;
        struct { /* PING, PONG: the sender's store, for statfs and status */
            uint64_t records, bytes, bytes_total, bytes_free;
        } stat;
        struct { /* WHY, WHY_OK */
            struct nwr_key key;
            struct nwr_blob *text;
        } why;
        struct {             /* PROBE, PROBED, PROBE_FOR, NEWS */
            uint32_t seq;    /* an answer repeats it */
            uint16_t target; /* who is probed */
            bool heard;      /* PROBED: it has answered */
            struct nwr_news self, *news;
            uint32_t nnews;
        } gossip;
        struct {              /* COMPARE, COMPARED */
            uint8_t what;     /* enum nwr_compare_what */
            uint64_t session; /* CELLS: the asker's */
            struct nwr_key after, until;
            struct nwr_blob *data;
        } compare;
        struct {            /* REGISTER, REGISTER_OK (register.h) */
            uint64_t epoch; /* of the ring it decides */
            bool accept;    /* the second phase */
            uint64_t round, proposer;
            uint64_t other_round, other_proposer; /* OK: accepted before; refused: promised */
            struct nwr_blob *value;
        } reg;
    } u;
};

void nwr_msg_deinit(struct nwr_msg *m);
/* Bytes it keeps alive, roughly: what byte-bounded queues count. */
size_t nwr_msg_bytes(const struct nwr_msg *m);
/* A deep copy without token, user and done; blobs are shared by count. */
struct nwr_request *nwr_request_copy(const struct nwr_request *req);
/* Before a request goes to a coordinator that may stay silent: another one is asked then, and
 * gives its write_ids a second dot. Clears NWR_V_ONCE. */
void nwr_request_may_repeat(struct nwr_request *req);

#endif
