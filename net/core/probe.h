/* probe.h -- between members.c (what is known, news) and probe.c (probing, time); nobody else
 * includes it. */
#ifndef NWR_PROBE_H
#define NWR_PROBE_H

#include "net/core/members.h"
#include "net/core/suspect.h"

/* Invariants: the suspicion is running exactly in life SUSPECT; an active one is in the list of
 * active ones once. */
struct watched {
    struct nwr_news news; /* as it is told to others */
    nwr_ms since;
    struct nwr_suspicion suspicion;
    uint32_t left; /* times its news is still to be sent */
    bool linked, active;
    nwr_ms lost_at; /* when a connection that went counts as lost; 0: none did */

    bool probing, helped;
    uint32_t seq;
    nwr_ms direct_at, whole_at; /* when the probe's steps end */
    uint32_t asked, said_no;    /* helpers */
};

/* A probe made for another member. */
struct relay {
    uint16_t asker, target;
    uint32_t asked_seq, seq;
    nwr_ms until;
};

struct nwr_members {
    uint16_t self;
    struct nwr_rng rng;
    nwr_ms now, due;
    struct nwr_news own;
    uint32_t own_left;
    struct watched *w; /* sorted by ordinal; without self */
    uint32_t n;
    uint16_t *slot; /* by ordinal: index in w, + 1 */
    uint32_t nslot;
    uint32_t *order, at_order; /* of w, shuffled, for probing one a period */
    uint32_t *active, nactive, capactive;
    struct relay relay[NWR_RELAYS_MAX];
    uint32_t nrelay;
    uint32_t filler, seq, periods;
    uint32_t health, missed; /* missed: this period's signs of bad health */
    bool answered;           /* this period, some probe was */
    nwr_ms period_at, news_at, news_sent;
    struct nwr_members_counters count;
    struct nwr_members_effect *out;
    uint32_t head, nout, capout;
};

/* members.c */
struct watched *nwr_watched_find(const struct nwr_members *m, uint16_t ordinal);
void nwr_watched_activate(struct nwr_members *m, struct watched *w);
void nwr_watched_suspect(struct nwr_members *m, struct watched *w, uint16_t by);
void nwr_watched_down(struct nwr_members *m, struct watched *w);
/* Adds self, news and, where it is not NULL, the entry of `about`; takes the message. */
void nwr_members_send(struct nwr_members *m, uint16_t to, struct nwr_msg *msg,
                      const struct watched *about);
/* Up to max others that have a connection and are not down, at random, without `but`. */
uint32_t nwr_members_pick(struct nwr_members *m, uint16_t but, uint16_t *out, uint32_t max);

/* probe.c */
void nwr_probe_start(struct nwr_members *m, struct watched *w);
void nwr_probe_message(struct nwr_members *m, uint16_t from, const struct nwr_msg *msg);
void nwr_probe_shuffle(struct nwr_members *m);
/* Moves time limits if this wake-up is a late one, then sets m->now. */
void nwr_probe_enter(struct nwr_members *m, nwr_ms now);
/* When something is due next. */
void nwr_probe_leave(struct nwr_members *m);

#endif
