/* history.h -- random histories of three replicas of one record against explicit sets of events.
 *
 * The model keeps, for every replica, which events (versions) were written, which were removed
 * and which write_ids were retired, as sets; meeting is union. A version is there when it was
 * written and neither it nor its write_id was removed. The record must show exactly that after
 * every step. The operations come through struct rules, so that a test can break one of them.
 *
 * Histories hold: coordinators that lag behind what they are told to replace, retries through
 * other coordinators, deltas and whole containers lost, doubled and reordered, restarts, power
 * loss of what was not synced, unreadable records, equal content from several writers, readers
 * and writers with old views. The seed is all that enters a history.
 *
 * Ownership: a world owns its records. Thread: one.
 */
#ifndef TESTS_LIB_HISTORY_H
#define TESTS_LIB_HISTORY_H

#include "nwr/dvv.h"

enum {
    NODES = 3,
    STEPS = 30,
    EVENTS_MAX = 64,
    PACKETS_MAX = 8,
    CONTENTS = 4
};

#define BIT(i) ((uint64_t)1 << (i))

typedef uint64_t set; /* of events, of write_ids or of contents */

/* What goes wrong, from the users' side. */
enum wrong {
    RIGHT,
    LOST,
    RETURNED,
    INVENTED
};

struct rules {
    const char *off; /* the rule of DESIGN 3 that this variant breaks; NULL: none */
    void (*put)(struct nwr_record *r, const struct nwr_version *v, const struct nwr_seen *seen,
                uint32_t nseen, const nwr_wid *retire, uint32_t nretire, struct nwr_dot *dot);
    bool (*merge)(struct nwr_record *dst, const struct nwr_record *src);  /* whole containers */
    bool (*absorb)(struct nwr_record *dst, const struct nwr_record *src); /* deltas */
    void (*after)(struct nwr_record *r); /* after each of these, and after removals */
    bool same_actor_after_power_loss;
    bool same_actor_after_unreadable;
    bool merge_without_blocks;
    bool name_one_of_equal;
    bool name_dots_only;
    bool retry_with_new_wid;
    bool forget_unconfirmed;
    bool show_every_copy;
};

struct event {
    struct nwr_dot dot;
    unsigned wid; /* number of its write, 0 none */
    unsigned content;
    bool tombstone;
};

struct facts {
    set written, removed, retired;
};

struct node {
    struct nwr_record mem, disk;
    struct facts fmem, fdisk;
    nwr_actor actor;
    uint64_t counter;
};

struct packet {
    struct nwr_record rec;
    struct facts facts;
    bool whole;
};

/* A write as its mount keeps it for retries. */
struct write {
    set named, retire;
    unsigned wid, content, mount;
    bool discard, tombstone;
};

struct counts {
    unsigned lagging, retried, reverted, equal_removed, deltas, wholes;
};

struct world {
    const struct rules *rules;
    struct nwr_rng rng;
    struct event ev[EVENTS_MAX];
    unsigned nev;
    struct write writes[EVENTS_MAX];
    unsigned nwrites;
    struct node node[NODES];
    struct packet packet[PACKETS_MAX];
    unsigned npackets, incarnations;
    set view[NODES];        /* what each mount read last */
    set unconfirmed[NODES]; /* write_ids of each mount */
    struct counts counts;
    enum wrong wrong;
};

/* Runs one history until its end or until something is wrong (w->wrong). */
void run_history(struct world *w, const struct rules *rules, uint64_t seed);
/* Lets everyone meet everyone, twice; sets w->wrong. */
void heal_history(struct world *w);
void world_deinit(struct world *w);
unsigned history_pick(struct world *w, unsigned bound);
const char *wrong_name(enum wrong wrong);

#endif
