/* gossip_kit.h -- members.h alone, for many nodes in virtual time: messages are encoded for their
 * size, delayed, lost; nodes die and pause; directions are cut.
 *
 * Ownership: the kit owns the machines. Thread: one. Time: milliseconds.
 */
#ifndef NWR_GOSSIP_KIT_H
#define NWR_GOSSIP_KIT_H

#include "net/core/members.h"

struct gossip_node {
    struct nwr_members *m;
    bool dead;
    nwr_ms paused_until, tick;
};

struct gossip {
    struct gossip_node *node; /* ordinal i + 1 */
    uint32_t n;
    nwr_ms now;
    struct nwr_rng rng;
    uint32_t loss; /* of 65536 messages */
    nwr_ms delay;  /* at most */
    bool *cut;     /* from * n + to; NULL: none */
    uint64_t messages, bytes, seq;
    /* Every change of a life; NULL. */
    void (*on_life)(struct gossip *g, uint32_t at, uint32_t of, enum nwr_life life);
    void *user;
    struct gossip_event *queue;
    uint32_t nqueue, capqueue;
};

/* n nodes that know each other as up. */
struct gossip *gossip_create(uint32_t n, uint64_t seed);
void gossip_destroy(struct gossip *g);
void gossip_run(struct gossip *g, nwr_ms ms);
/* Its connections stay silent, as those of a machine without power do. */
void gossip_die(struct gossip *g, uint32_t i);
/* Neither reads nor wakes for so long; what came meanwhile is read after its timers have run. */
void gossip_pause(struct gossip *g, uint32_t i, nwr_ms ms);
/* A new life of a node; its connections are new. */
void gossip_restart(struct gossip *g, uint32_t i);
void gossip_cut(struct gossip *g, uint32_t from, uint32_t to, bool cut);
void gossip_link(struct gossip *g, uint32_t a, uint32_t b, bool linked);
enum nwr_life gossip_life(const struct gossip *g, uint32_t at, uint32_t of);
/* At how many living nodes `of` has this life. */
uint32_t gossip_count(const struct gossip *g, uint32_t of, enum nwr_life life);

#endif
