/* sim_int.h -- what the files of the simulated cluster share; only sim_*.c include it.
 *
 *   sim_queue.c    what happens when
 *   sim_net.c      connections and messages
 *   sim_cluster.c  steps, effects, stores, lives
 *   sim_look.c     asking one thing and waiting; looking into stores
 *   sim_tell.c     the story, its digest, the end of a seed that failed
 *   sim_defect.c   what a broken node does (defect_test.c)
 */
#ifndef NWR_SIM_INT_H
#define NWR_SIM_INT_H

#include "tests/sim/sim_cluster.h"

enum {
    SIM_JOIN_LINK = 1000 /* link ids of joining nodes */
};

enum sim_event_kind {
    SIM_MESSAGE,
    SIM_STORED,
    SIM_TICK,
    SIM_PEER,
    SIM_ANSWER,
    SIM_SWEEP,
    SIM_CALL
};

struct sim_event {
    sim_us at;
    uint64_t seq;
    enum sim_event_kind kind;
    int node, from;
    uint32_t life, generation;
    bool join; /* MESSAGE: over the connection to join through */
    struct nwr_blob *frame;
    struct nwr_store_op *op;
    nwr_ms tick;
    bool up; /* PEER */
    uint16_t peer;
    struct nwr_request *req; /* ANSWER */
    struct nwr_response *res;
    sim_done done;
    void (*fn)(struct sim *s, void *arg);
    void *arg;
};

/* An own request that was not answered yet. */
struct sim_asked {
    const struct nwr_request *req;
    int node;
    uint32_t life;
    sim_us at;
    sim_done done;
};

/* ---- sim_queue.c ---- */
void sim_push(struct sim *s, struct sim_event ev);
void sim_event_drop(struct sim_event *ev);

/* ---- sim_net.c ---- */
uint16_t sim_ordinal_at(const struct sim *s, int node, int other);
void sim_send(struct sim *s, int from, struct nwr_node_effect *e);
/* It is tried at the next sweep. */
void sim_dial(struct sim *s, int i, uint16_t peer);
void sim_deliver(struct sim *s, struct sim_event *q);
void sim_sweep(struct sim *s);
/* Connections of a life before are broken, even if nobody has noticed. */
void sim_break(struct sim *s, int node);

/* ---- sim_cluster.c ---- */
void sim_step(struct sim *s, int i, struct nwr_node_event *ev);
void sim_happen(struct sim *s, struct sim_event *q);

/* ---- sim_defect.c ---- */
/* Each may change what the driver is about to do. */
void sim_defect_store(struct sim *s, int node, struct nwr_store_op *op);
void sim_defect_answer(struct sim *s, struct sim_event *answer);

/* ---- sim_tell.c ---- */
/* Folds bytes into the digest of the run. */
void sim_fold(struct sim *s, const void *data, size_t len);
void sim_fold_all(struct sim *s, uint64_t a, uint64_t b, uint64_t c);

/* ---- oracle_reply.c ---- */
void oracle_asked(struct sim *s, int node, const struct nwr_request *req, sim_done done);
/* The entry is gone afterwards. */
struct sim_asked oracle_answered(struct sim *s, int node, const struct nwr_request *req);
void oracle_asker_died(struct sim *s, int node);

#endif
