/* members.h -- who is up: SWIM (Das, Gupta, Motivala 2002) with Lifeguard's local health
 * (arXiv 1707.00788), on the connections the members have anyway (DESIGN 6).
 *
 * Of one member, i and j being incarnations that only the member itself raises:
 *
 *           link lost, probes not answered,         not outbid in time (suspect.h),
 *           or SUSPECT(i) heard                     or DOWN(i) heard
 *     UP(i) -----------------------------> SUSPECT(i) -----------------------> DOWN(i)
 *       ^                                      |                                  |
 *       \------------- UP(j), j > i: the member has outbid it -------------------/
 *
 * Of two reports the greater (incarnation, life) counts, so the order in which they arrive does
 * not matter and no report can be undone by a late one. Of one probe:
 *
 *     DIRECT --no answer in NWR_PROBE_DIRECT_MS, or no link--> HELPED: three others are asked
 *        |                                                       |        \--an answer--> over
 *        \--answered--> over                 none in NWR_PROBE_WHOLE_MS --> SUSPECT
 *
 *   - Among few members everybody is probed each period, among many the next of a shuffled list.
 *   - Every message carries the sender's own entry and the freshest news, each news a number of
 *     times that grows with log n; where there is news it also goes out by itself. Who is
 *     suspected is told so in every message it gets, so it outbids as soon as it can.
 *   - Local health: 0 is good, up to NWR_HEALTH_MAX. Probes and periods last (1 + health) times
 *     as long. It gets worse when this node is woken late, when those asked to help say nothing,
 *     and when it had to outbid a suspicion of itself. After a late wake-up every time limit is
 *     moved: what was not read yet is not the others' silence.
 *   - A member nobody has heard of has incarnation 0 and is down.
 *
 * Nothing here makes a request fail: that is for connections to say (node.h).
 *
 * Ownership: the caller has effects after nwr_members_take. Thread: the owner's. Allocates: yes.
 */
#ifndef NWR_MEMBERS_H
#define NWR_MEMBERS_H

#include "net/core/msg.h"

enum {
    NWR_PROBE_PERIOD_MS = 500,
    NWR_PROBE_DIRECT_MS = 500,
    NWR_PROBE_WHOLE_MS = 1500,
    NWR_PROBE_HELPERS = 3,
    NWR_PROBE_ALL_MAX = 16,    /* others; more of them: one a period */
    NWR_PROBE_DOWN_EVERY = 10, /* periods; who is down is asked now and then */
    NWR_HEALTH_MAX = 8,
    NWR_LOST_MS = 20,  /* a connection may be replaced by a new one */
    NWR_LATE_MS = 100, /* a wake-up this late says something about this node */
    NWR_NEWS_MS = 200,
    NWR_NEWS_FANOUT = 3,
    NWR_NEWS_REPEAT = 4, /* times the digits of n */
    NWR_NEWS_PER_MSG = 8,
    NWR_NEWS_FILLERS = 2, /* other entries in turn, among many members */
    NWR_RELAYS_MAX = 64
};

enum nwr_members_effect_kind {
    NWR_MEMBERS_SEND, /* msg to peer; where there is no connection it is dropped */
    NWR_MEMBERS_LIFE  /* peer is `life` now */
};

struct nwr_members_effect {
    enum nwr_members_effect_kind kind;
    uint16_t peer;
    enum nwr_life life;
    struct nwr_msg msg;
};

struct nwr_members_counters {
    uint64_t probes, helped, suspected, downs, refuted, messages;
};

struct nwr_members;
struct nwr_members *nwr_members_create(uint16_t self, uint64_t seed);
void nwr_members_destroy(struct nwr_members *m);

/* Those of the ring; self may be among them. Who stays keeps what is known of it. */
void nwr_members_list(struct nwr_members *m, const uint16_t *ordinal, uint32_t n, nwr_ms now);
/* The connection came or went. */
void nwr_members_link(struct nwr_members *m, uint16_t ordinal, bool linked, nwr_ms now);
/* Borrows msg, one of the gossip kinds. */
void nwr_members_message(struct nwr_members *m, uint16_t from, const struct nwr_msg *msg,
                         nwr_ms now);
void nwr_members_tick(struct nwr_members *m, nwr_ms now);
/* When the next tick is wanted; UINT64_MAX: not. */
nwr_ms nwr_members_deadline(const struct nwr_members *m);
/* This node's own figures, for everybody's status. */
void nwr_members_load(struct nwr_members *m, uint64_t epoch, uint64_t records, uint64_t bytes);
/* The next effect; false: there is none. The caller owns its message. */
bool nwr_members_take(struct nwr_members *m, struct nwr_members_effect *e);

/* What is known of a member; NULL: not listed. since: of its life. */
const struct nwr_news *nwr_members_find(const struct nwr_members *m, uint16_t ordinal,
                                        nwr_ms *since);
uint32_t nwr_members_health(const struct nwr_members *m);
const struct nwr_members_counters *nwr_members_counters(const struct nwr_members *m);
void nwr_members_check(const struct nwr_members *m);

#endif
