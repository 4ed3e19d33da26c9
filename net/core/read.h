/* read.h -- between read.c (asking, comparing), sides.c (whom) and merge.c (merging, writing back).
 *
 * Ownership: a read owns its sides and the copy of its ranges. Thread: the node's.
 */
#ifndef NWR_READ_H
#define NWR_READ_H

#include "net/core/job.h"
#include "net/core/rows.h"

enum {
    TRIES_MAX = 5,
    LOOKS_MAX = 3 /* rounds for siblings that were not there a round before */
};

enum phase {
    PHASE_DIGEST,
    PHASE_ROWS,
    PHASE_OBJECTS
};
enum state {
    ASKING,
    OBJECTS,
    WRITING_BACK,
    LATE
};
enum side_state {
    SIDE_IDLE,
    SIDE_ASKED,
    SIDE_DIGEST,
    SIDE_ROWS_ASKED,
    SIDE_ROWS,
    SIDE_FAILED
};

/* One replica of either list. Invariant: digest is known from SIDE_DIGEST on, rows in SIDE_ROWS. */
struct side {
    uint16_t ordinal;
    uint8_t in; /* bit of each list it is in */
    enum side_state state;
    enum nwr_err err;
    uint64_t digest;
    bool more;
    struct nwr_rows rows;
    bool merged; /* its answer is part of the result */
    bool whole;  /* it holds the result */
    bool writing;
    bool spare;             /* stands in for one that is away: read, never written to */
    bool spared;            /* it answers late, and was not asked yet (lag.c) */
    struct nwr_rows extra;  /* objects it did not follow by itself */
    struct nwr_range *want; /* those still to ask for */
    uint32_t nwant, want_at;
};

struct read {
    struct nwr_job job;
    struct nwr_origin origin;
    enum state state;
    nwr_pg pg;
    uint8_t asked_w, asked_r;
    struct nwr_range *range;
    uint32_t nrange;
    uint64_t epoch, knocked; /* knocked: see nwr_knock */
    struct side side[NWR_LISTS * NWR_REPLICAS_MAX + 1];
    uint32_t m;
    uint8_t need[NWR_LISTS]; /* answers of each list */
    uint8_t least;           /* answers that a copy cannot do without */
    uint8_t behind;          /* bit of each list where the answer here is one more than those */
    uint8_t w[NWR_LISTS];    /* replicas that must hold the result first; 0: none must */
    bool repair;             /* for nobody */
    bool leave;              /* what this node has goes to the list, which it is no longer in */
    bool copy;               /* into this node, which holds the group only in the list to come */
    bool refused;            /* somebody has what the floor of another says is superseded */
    bool untaken;            /* a replica could not take what was written back, nor will it soon */
    enum nwr_err disk_err;   /* what the disk of this node said then */
    bool sloppy;
    uint32_t away;       /* of the lists, when it was decided whom to ask */
    nwr_ms spared_until; /* then those are asked too; NWR_NEVER: there are none */
    nwr_ms patience;     /* until then spares do not answer for a member of the list that may, nor
                        does this node alone for a group it is behind in */
    bool rows_asked;
    bool differs; /* LATE: a replica has something else */
    uint16_t trips;
    uint32_t round, tries, looks;
    uint64_t siblings; /* hash of those that the round before was to show; 0: none */
    uint64_t answered; /* digest of the answer */
    struct nwr_rows merged;
    bool more;
    nwr_ms deadline;
};

/* How many of a list satisfy `has`. */
uint32_t nwr_read_count(const struct read *rd, enum nwr_list list,
                        bool (*has)(const struct side *s));

/* sides.c: by the ring there is, and who is up. */
void nwr_read_place(struct nwr_node *n, struct read *rd);
/* It answers late (lag.c), and those who are on time are enough in each of its lists. */
bool nwr_read_can_spare(const struct nwr_node *n, const struct read *rd, const struct side *s);

/* merge.c: sides that answered have rows, or another one with their digest has. */
void nwr_read_merge(struct nwr_node *n, struct read *rd);
void nwr_read_objects(struct nwr_node *n, struct read *rd, uint32_t i, struct nwr_rows *rows,
                      bool more);
void nwr_read_written(struct nwr_node *n, struct read *rd, uint32_t i, enum nwr_err err, bool lost);
void nwr_read_spread(struct nwr_node *n, struct read *rd);

/* read.c */
/* True: the result has siblings that may be of different times, and all are asked again. */
bool nwr_read_once_more(struct nwr_node *n, struct read *rd);
void nwr_read_again(struct nwr_node *n, struct read *rd);
void nwr_read_merged(struct nwr_node *n, struct read *rd);
void nwr_read_failed(struct nwr_node *n, struct read *rd, enum nwr_err err);
void nwr_read_fetch_objects(struct nwr_node *n, struct read *rd, uint32_t i,
                            const struct nwr_range *range, uint32_t nrange);

#endif
