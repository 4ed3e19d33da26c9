/* sim_cluster.h -- a whole cluster in one process, in virtual time, from one seed.
 *
 * Does for several nodes what net/uv does for one: carries out effects, delivers events. Every
 * message is encoded and decoded (net/wire). Stores are store_mem; an op takes effect when it is
 * submitted and completes later.
 *
 * A connection of two nodes is there while both live and neither direction is cut; its end is
 * noticed after a while, and what was under way on it is gone. Loss, doubling and reordering
 * happen inside a connection, which TCP would not do: the core must stand them all the same.
 *
 * Ownership: the cluster owns nodes and stores. Thread: one. Time: microseconds.
 */
#ifndef NWR_SIM_CLUSTER_H
#define NWR_SIM_CLUSTER_H

#include "net/core/node.h"
#include "net/store/verify.h"

enum {
    SIM_NODES = 8
};

typedef uint64_t sim_us;

struct sim_faults {
    uint32_t loss, doubled, reordered; /* of 65536 messages */
    uint32_t garbled;                  /* of 65536 COMPARE and COMPARED: their data is damaged */
    sim_us delay;                      /* at most, one way */
    sim_us store_delay;                /* at most, an op */
};

struct sim_node {
    bool exists, alive;
    bool doomed; /* dies as soon as this step is over */
    nwr_node_id id;
    struct nwr_node *node;
    struct nwr_store *store;
    uint32_t life;    /* counts starts */
    int join_through; /* -1: it is, or will be, a member from META */
    bool joined;
    bool removed;     /* by the members: it takes no part any more */
    uint64_t leaving; /* epoch of the last ring it had by which it leaves */
    enum nwr_err join_err;
    char join_text[200];
    nwr_ms tick; /* the next one that is scheduled */
    sim_us ticked_at;
    uint32_t ticks;        /* at that moment */
    int64_t clock_skew_ms; /* of its wall clock */
    sim_us paused_until;   /* its process is stopped: what is for it waits */
    sim_us resumed_at;
    sim_us unsynced_since; /* its oldest change that power loss takes; 0: none (sim.sync_us) */
};

/* What a node wrote from..at may be gone there. */
struct sim_loss {
    int node;
    sim_us from, at;
};

struct sim_conn {
    bool up;
    uint32_t generation;
    sim_us bad_since; /* a direction is cut, or a node is gone or stopped; 0: none */
    sim_us tried_at;
    sim_us last[2];    /* delivery time of the last message, each way: keeps order */
    uint16_t known[2]; /* ordinal by which the lower knows the higher, and the other way round */
};

struct sim;
/* Every own request ends here, once; res is borrowed (rows may be taken), then req is destroyed.
 * Never inside sim_submit, never once the node has crashed. */
typedef void (*sim_done)(struct sim *s, int node, struct nwr_request *req,
                         struct nwr_response *res);

/* What is wrong with a cluster on purpose, so that a test sees an oracle fail. */
enum sim_defect {
    SIM_SOUND,
    SIM_ACKS_FAILED,  /* a put that failed is answered with OK */
    SIM_REFUSES_DONE, /* a put that is done is answered with E_HOSTDOWN */
    SIM_FORGETS_SEEN, /* a coordinator replaces nothing */
    SIM_REPLACES_ALL, /* a coordinator replaces what its caller did not see */
    SIM_GARBLES,      /* a coordinator stores other bytes than it was given */
    SIM_SAME_ACTOR,   /* a node that lost writes gives their dots again */
    SIM_WEAK_QUORUM,  /* W = R = 1 where the caller believes W + R > N */
    SIM_SKIPS_MERGES, /* a replica says that it has what it was sent */
    SIM_ANSWERS_TWICE,
    SIM_NEVER_ANSWERS,
    SIM_LOSES_BLOCKS, /* bytes of new blocks never reach the medium */
    SIM_LEAKS_BLOCKS, /* bytes of removed blocks stay */
    SIM_DROPS_HINTS,  /* who stands in for others tells them nothing */
    SIM_NEVER_SYNCS,  /* what is said to be on the disk is not */
    /* of mounts: */
    SIM_HIDES_NAMES,  /* mount 0 is not given some entries */
    SIM_SHOWS_OTHER,  /* a read shows other bytes */
    SIM_BREAKS_READS, /* a block is corrupt that is not */
    SIM_REPLIES_TWICE,
    SIM_NEVER_REPLIES,
    SIM_DEFECTS
};

struct sim {
    uint64_t seed;
    struct nwr_rng rng;
    sim_us now;
    uint64_t next_seq;
    struct sim_event *queue; /* heap */
    uint32_t nqueue, capqueue;
    struct sim_node node[SIM_NODES];
    int nnode;
    struct sim_conn conn[SIM_NODES][SIM_NODES]; /* [lower][higher] */
    struct sim_conn join[SIM_NODES];            /* of a joining node */
    bool cut[SIM_NODES][SIM_NODES];             /* from, to */
    struct sim_faults faults;
    sim_us full_at; /* when a full disk was last given room */
    uint64_t messages, wire_bytes;
    bool only_asked;         /* of nodes that start: node.h */
    uint64_t later;          /* messages that need not go at once */
    uint64_t hint_bytes;     /* of each node started from now on; 0: as usual */
    struct sim_asked *asked; /* own requests without an answer (oracle_reply.c) */
    uint32_t nasked, capasked;
    enum sim_defect defect;
    /* The node that makes the durable write of this number dies there; 0: none. */
    uint64_t durable, crash_at;
    bool crash_power_loss;
    bool said_lost; /* a node said that it has records that are lost */
    sim_us sync_us; /* a change is on the disk after at most so long, asked or not; 0: if asked */
    struct sim_loss *loss; /* of power, with sync_us */
    uint32_t nloss, caploss;
    bool left_alone; /* a member went with what W = 1 let it keep to itself */
    struct {
        void (*fn)(void *arg, int node);
        void *arg;
    } mourner[4], heir[4];
    uint32_t nmourner, nheir;
    uint64_t digest; /* of all that was sent, stored and answered, in its order */
    bool trace;      /* the story goes to standard output */
    bool recording;  /* it goes to story, without times */
    char *story;
    uint32_t nstory, capstory;
    struct nwr_effects spare; /* room for those of the next step */
    const char *replay;       /* the command that replays a seed, without the seed */
    char text[4096];          /* scratch of sim_kit.c */
};

struct sim *sim_create(uint64_t seed);
void sim_destroy(struct sim *s);

/* The first node of a new volume. */
int sim_found(struct sim *s, uint16_t pgs, uint8_t n, uint8_t w, uint8_t r);
/* A node that joins through another; sim_node.joined says when it did. */
int sim_join(struct sim *s, int through);
/* found and join until there are so many; they must all have joined. */
void sim_members(struct sim *s, int count, uint16_t pgs, uint8_t n, uint8_t w, uint8_t r);

void sim_crash(struct sim *s, int node, bool power_loss);
void sim_restart(struct sim *s, int node);
/* fn is called for every node that dies. */
void sim_on_crash(struct sim *s, void (*fn)(void *arg, int node), void *arg);
/* fn is called for every node that hears that it was removed. */
void sim_on_removal(struct sim *s, void (*fn)(void *arg, int node), void *arg);
/* A node that was removed had the ring by which it leaves: it handed over what it had. */
bool sim_heard_that_it_leaves(const struct sim *s, int node);
/* How many nodes lost, with their power, what they may have taken between from and until. */
int sim_losers(const struct sim *s, sim_us from, sim_us until);
/* The process ends, and starts with another disk, which is taken. */
void sim_change_disk(struct sim *s, int node, struct nwr_store *disk);
/* The process is stopped for a while; its peers find it silent. */
void sim_pause(struct sim *s, int node, sim_us us);
void sim_set_clock(struct sim *s, int node, int64_t skew_ms);
/* It lives and is not stopped. */
bool sim_is_awake(const struct sim *s, int node);
void sim_cut(struct sim *s, int from, int to, bool cut);
/* Its faults end. */
void sim_mend_disk(struct sim *s, int node);
/* All cuts and faults end, all nodes live. */
void sim_heal(struct sim *s);

/* req is taken; token and user are the caller's; the node is awake; done as above. */
void sim_submit(struct sim *s, int node, struct nwr_request *req, sim_done done);
/* Runs fn at a time; arg is the caller's. */
void sim_at(struct sim *s, sim_us at, void (*fn)(struct sim *s, void *arg), void *arg);
/* Until now + us. */
void sim_run(struct sim *s, sim_us us);
/* Until every request at living nodes is answered, at most so long; false: one is not. */
bool sim_settle(struct sim *s, sim_us us);

/* An event of the driver's at a node that lives. */
void sim_event(struct sim *s, int node, struct nwr_node_event *ev);
/* Submits and runs until it is answered. The caller deinits the response. */
struct nwr_response sim_ask(struct sim *s, int node, struct nwr_request *req);

/* What a node's store holds of ranges, at once; err of the op. */
enum nwr_err sim_look(struct sim *s, int node, nwr_pg pg, const struct nwr_range *range,
                      uint32_t nrange, struct nwr_rows *rows);
/* A record is merged into a node's store, as whatever delivers it does. */
void sim_arrive(struct sim *s, int node, const struct nwr_key *key, const struct nwr_record *rec);
bool sim_has_block(struct sim *s, int node, const struct nwr_block_id *id);
const struct nwr_ring *sim_ring(const struct sim *s, int node);
/* Of the first node that is a member. */
const struct nwr_ring *sim_a_ring(const struct sim *s);
/* Index of the node with this ordinal; -1. */
int sim_of_ordinal(const struct sim *s, uint16_t ordinal);
uint64_t sim_below(struct sim *s, uint64_t bound);
bool sim_chance(struct sim *s, uint32_t of_65536);
/* From here on the story is kept, from its beginning. */
void sim_record(struct sim *s);
/* A line of the story, if it is being told (sim --trace) or kept. */
void sim_tell(struct sim *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Prints the replay command and aborts. */
_Noreturn void sim_fail(const struct sim *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
