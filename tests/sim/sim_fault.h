/* sim_fault.h -- what goes wrong in a run, and how often.
 *
 * Every fault has a weight of its own that the seed draws; a third of them are off in a seed, so
 * that no fault hides what another one shows. What makes up for faults is never off.
 *
 * Thread: one.
 */
#ifndef NWR_SIM_FAULT_H
#define NWR_SIM_FAULT_H

#include "tests/sim/sim_cluster.h"

enum sim_fault {
    SIM_KILL,     /* kill -9: nothing written is lost */
    SIM_POWER,    /* what was not synced is lost; its last batch may be torn */
    SIM_CUT_ONE,  /* one direction between two nodes */
    SIM_CUT_BOTH, /* both */
    SIM_SPLIT,    /* some nodes from all others */
    SIM_LOSS,     /* of messages, here and below */
    SIM_DOUBLING,
    SIM_REORDERING,
    SIM_DELAY,
    SIM_FULL_DISK,
    SIM_SLOW_DISK,
    SIM_BIT_ROT,
    SIM_CLOCK, /* a wall clock jumps, by up to hours */
    SIM_PAUSE, /* a process is stopped for up to seconds */
    SIM_JOIN,
    SIM_RESHAPE, /* a member goes, is replaced or weighs other, or N is another */
    SIM_YOUNG,   /* so many; below are those of clusters that live long (sim_trouble_age) */
    SIM_AWAY = SIM_YOUNG, /* a node is cut from all others until all is made good */
    SIM_LATE,             /* what a replica held long ago arrives at another, after any delay */
    SIM_IMAGE,            /* a copy is made of a disk */
    SIM_OLD_DISK,         /* it takes the place of that disk; always of the same node */
    SIM_OLD,              /* so many; below are those that only harsh seeds have */
    SIM_ROT = SIM_OLD,    /* what is stored rots, for good; always at the same node */
    SIM_FAULTS
};

/* Seeds from here on are harsh: faults that came later happen in them only, so a seed below keeps
 * its story. */
#define SIM_HARSH 500000

struct sim_trouble {
    struct sim *s;
    uint32_t weight[SIM_FAULTS], all;
    bool harsh;
    bool whole_batches; /* power loss tears none */
    bool majorities;    /* N may change only where both quorums are: others may meet no more */
    bool misread;       /* some disk read badly for a while */
    uint64_t struck;
    int victim; /* of the last three */
    struct nwr_store *image;
    struct nwr_rows late; /* of late_pg, under the ring of late_epoch */
    nwr_pg late_pg;
    uint64_t late_epoch;
};

/* power_loss, joins, reshapes: these may happen at all. */
void sim_trouble_draw(struct sim_trouble *t, struct sim *s, bool power_loss, bool joins,
                      bool reshapes);
/* Adds what happens only to those who live long. */
void sim_trouble_age(struct sim_trouble *t, bool old_disks);
/* Adds what happens only in harsh seeds: it rots, if rots; losses of power and changes of the ring,
 * where they are on, come more often, and to members that are there. */
void sim_trouble_harden(struct sim_trouble *t, bool rots);
void sim_trouble_deinit(struct sim_trouble *t);
/* A scrub of all that node has, to its end, as it says what it found. */
const struct nwr_scrub_state *sim_scrub(struct sim *s, int node);
/* Members read what they have if a disk read badly: a block that nobody could read for a moment is
 * held for lost where it was asked for, until it is read, or scrubbed. */
void sim_trouble_reread(struct sim_trouble *t);
/* One thing goes wrong, or something is made good again. */
void sim_trouble_strike(struct sim_trouble *t);

#endif
