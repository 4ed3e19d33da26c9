/* store.h -- a node's storage: records, blocks and a few named values (DESIGN 13).
 *
 * Two implementations, one contract suite: store_rocks (RocksDB for records and small blocks,
 * segment files for large ones) and store_mem (for simulation, injects faults).
 *
 * Asynchronous: submit hands over an op; its done runs exactly once on the thread that calls
 * nwr_store_poll (the loop thread), never inside submit. Ops that touch records of one PG take
 * effect in the order they were submitted; READ sees every APPLY submitted before it.
 *
 *   READ       rows below ranges (see nwr/volume.h), with follow; blocks are not read
 *   APPLY      one batch, atomic: guards, then puts (this node coordinates) and merges
 *              (from elsewhere). Memory level when done: survives kill -9. Missing blocks,
 *              a guard or a full disk: nothing is applied, err says why.
 *   SYNC       everything applied before it is on disk when done; one sync serves all waiting
 *   BLOCK_PUT  blocks, unreferenced yet: kept for at least NWR_BLOCK_PIN_MS, gone at restart
 *              if nothing refers to them by then. A block without bytes is one that is lost: it
 *              is there, and E_CORRUPT, until its bytes are put; so in APPLY
 *   BLOCK_GET  one block; E_NOENT, or E_CORRUPT when its checksum does not match
 *   DIGESTS    what each PG holds, as a sum (net/core/digest.h): kept in the commit of every change
 *   CLOCKS     of each group: joins the clock and takes the floor of a peer, where that is right,
 *              and tells what it is then (net/core/floor.h)
 *   FOLD       records whose context is below the floor of their PG shrink, or go, NWR_LIST_MAX
 *              of them looked at; `more` and `last` as in LIST
 *   LIST       elements of a PG with after < key <= until, in order of their keys
 *   PICK       the rows of a PG, after < key, whose object is among `want`
 *              Both look at NWR_LIST_MAX records; `more` and `last` say how far they came. A
 *              record that is E_CORRUPT is passed over: as if it were not there
 *   HINT_READ  hints after hint[0], NWR_HINTS_PAGE of them, in the order of (target, seq)
 *   HINT_PUT/HINT_DROP   hints outside an APPLY; the end of those named. APPLY takes its hints in
 *              its own commit
 *   CHECK      a page of the records of a PG, or of its blocks, verified: nrotten records are
 *              unreadable (`rotten`), `missing` blocks too (BLOCK_PUT heals them); `last` and
 *              `more` as in LIST
 *   DOUBT      which PGs may have lost records (doubt.c): they are not read (E_CORRUPT), nor is
 *              anything put or guarded there. trust: pg has got them back
 *   ERASE      the records of a PG go, NWR_LIST_MAX of them; `more` says whether any are left
 *   META_GET/META_PUT  a named value (ring, identity, counters); META_PUT is durable when done
 *
 * Blocks are counted: +1 for each live version or stored block that names one; at zero a block
 * goes (its own refs are counted down). A crash leaves garbage, never a dangling reference.
 *
 * Ownership: the op is the caller's; it must stay until done. Inputs are borrowed until done,
 * outputs belong to the op and are freed by nwr_store_op_deinit.
 * Thread: submit and poll on the loop thread only.
 */
#ifndef NWR_STORE_H
#define NWR_STORE_H

#include "net/core/digest.h"
#include "nwr/volume.h"

#define NWR_BLOCK_PIN_MS 60000
#define NWR_LIST_MAX 1024        /* records of one LIST or PICK */
#define NWR_PICK_BYTES (1 << 20) /* a PICK ends with the row that passes it */
#define NWR_HINTS_PAGE 64        /* hints of one HINT_READ */

enum nwr_store_kind {
    NWR_STORE_READ,
    NWR_STORE_APPLY,
    NWR_STORE_SYNC,
    NWR_STORE_BLOCK_PUT,
    NWR_STORE_BLOCK_GET,
    NWR_STORE_META_GET,
    NWR_STORE_META_PUT,
    NWR_STORE_DIGESTS,
    NWR_STORE_LIST,
    NWR_STORE_PICK,
    NWR_STORE_HINT_READ,
    NWR_STORE_HINT_PUT,
    NWR_STORE_HINT_DROP,
    NWR_STORE_ERASE,
    NWR_STORE_CHECK,
    NWR_STORE_DOUBT,
    NWR_STORE_CLOCKS,
    NWR_STORE_FOLD
};

/* One group of CLOCKS. peer_*: borrowed, NULL for none. The clock is joined only where the digest
 * is peer_digest; the floor is taken by who has what is below it. */
struct nwr_group {
    nwr_pg pg;
    const struct nwr_vv *peer_clock, *peer_floor;
    const struct nwr_pg_digest *peer_digest;
    struct nwr_pg_digest digest; /* what there is afterwards: the caller frees the vectors */
    struct nwr_vv clock, floor;
    bool folding; /* records below the floor are still as they were: FOLD is due */
};

/* Records that target is to be told of when it is back. Its name is (target, seq, incarnation);
 * seq is the hlc at which it was taken. */
struct nwr_hint {
    uint16_t target;
    nwr_hlc seq;
    uint32_t incarnation; /* of the node that took it, at that start */
    nwr_pg pg;
    uint32_t bytes;      /* what it was counted as */
    struct nwr_key *key; /* none: it could not be read */
    uint32_t nkey;
};

/* A record that came into conflict, for people: the name it has in its directory, and the number
 * and node of the version that did not get it (fs may show another number). */
struct nwr_appeared {
    uint64_t k;
    uint16_t node, name_len; /* 0: no name is known */
    char name[NWR_NAME_MAX];
};

/* One record of an APPLY. put: a coordinator's write, dot and hlc set in write->v (see
 * nwr_record_put); otherwise merge `rec` (nwr_record_sync). */
struct nwr_apply {
    const struct nwr_write *put;  /* with key; or NULL */
    struct nwr_key key;           /* merge */
    const struct nwr_record *rec; /* merge */
};

struct nwr_store_op {
    enum nwr_store_kind kind;
    nwr_pg pg;
    /* READ */
    const struct nwr_range *range;
    uint32_t nrange;
    /* APPLY, BLOCK_PUT */
    const struct nwr_apply *apply;
    uint32_t napply;
    const struct nwr_guard *guard;
    uint32_t nguard;
    bool coordinator;                /* APPLY: SEEN guards count, sibling limit (E_BUSY) too */
    bool alone;                      /* APPLY: no other replica is to have it, now or before */
    bool heal;                       /* APPLY: what is merged replaces a record that is E_CORRUPT */
    const struct nwr_vv *peer_floor; /* APPLY: of whoever has the records that are merged */
    struct nwr_group *group;         /* CLOCKS */
    uint32_t ngroup;
    uint64_t mark; /* FOLD: what its first page set */
    const struct nwr_block *block;
    uint32_t nblock;                /* BLOCK_GET: block[0].id */
    const char *name;               /* META */
    struct nwr_key after, until;    /* LIST, PICK; len 0: from the start, to the end */
    bool blocks;                    /* CHECK: blocks, not records; after: a block's key */
    bool trust;                     /* DOUBT */
    const struct nwr_element *want; /* PICK: ascending objects; versions do not matter */
    uint32_t nwant;
    const struct nwr_hint *hint; /* APPLY, HINT_*: HINT_DROP and HINT_READ look at names only */
    uint32_t nhint;
    struct nwr_blob *value; /* META_PUT in, META_GET out (a count the op owns) */

    enum nwr_err err;
    struct nwr_rows rows; /* READ, PICK; APPLY: the records after it, whole containers */
    bool more;
    struct nwr_key last;         /* LIST, PICK with more: the record looked at last */
    struct nwr_element *element; /* LIST */
    uint32_t nelement;
    struct nwr_hint *kept; /* HINT_READ */
    uint32_t nkept;
    struct nwr_pg_digest *digest;  /* DIGESTS: NWR_PGS_MAX of them */
    uint64_t *clock_hash;          /* DIGESTS: of clock and floor, as many */
    bool *above;                   /* DIGESTS: the clock is above the floor, as many */
    struct nwr_dot dot;            /* APPLY with puts: the dot of the batch, or of its first try */
    struct nwr_appeared *appeared; /* APPLY: conflicts that were none before it */
    uint32_t nappeared;
    struct nwr_block_id *missing; /* APPLY with E_BLOCKS */
    uint32_t nmissing;
    struct nwr_key *rotten;    /* CHECK: unreadable records */
    uint32_t nrotten, checked; /* records or blocks looked at */
    uint64_t checked_bytes;
    bool doubtful;             /* CHECK: the PG may have lost records */
    uint8_t *doubt;            /* DOUBT: a bit a PG; NULL: none is in doubt */
    struct nwr_blob *data;     /* BLOCK_GET */
    struct nwr_block_id *refs; /* BLOCK_GET: the blocks it names, as they were put */
    uint32_t nrefs;

    void (*done)(struct nwr_store_op *op);
    void *user;
    uint64_t token;
    struct nwr_store_op *next; /* the store's */
};

struct nwr_store_stat {
    uint64_t bytes_total, bytes_free; /* of the file system below */
    uint64_t
        records; /* as the digests of groups count them: those that say nothing are not in it */
    uint64_t block_bytes, blocks;
    uint64_t conflicts;             /* entries and contents in the index of conflicts */
    uint64_t syncs, applies, reads; /* counted since start */
    uint64_t segment_bytes, segment_live;
    uint64_t doubtful; /* PGs that may have lost records */
};

struct nwr_store {
    void (*submit)(struct nwr_store *s, struct nwr_store_op *op);
    /* Runs done of what has finished. */
    void (*poll)(struct nwr_store *s);
    /* Becomes readable when ops finished that could not be carried out within submit. What
     * was (all of store_mem: -1) is there at the next poll: whoever submits polls afterwards. */
    int (*fd)(struct nwr_store *s);
    void (*stat)(struct nwr_store *s, struct nwr_store_stat *out);
    /* Finishes what was submitted (done runs), syncs, frees. */
    void (*destroy)(struct nwr_store *s);
    nwr_silent *silent; /* whom it asks; the owner's to set. NULL: it leaves nothing out */
};

void nwr_store_op_deinit(struct nwr_store_op *op); /* outputs only */

/* Opens or creates dir. text: one line for people when it fails: E_LOCKED in use (waits up to
 * wait_ms), E_VERSION unknown format, E_IO, E_NOSPC, E_ACCESS. */
enum nwr_err nwr_store_rocks_open(struct nwr_store **out, const char *dir, nwr_ms wait_ms,
                                  char *text, size_t text_len);

/* Faults of the in-memory store; all off when zero. Chances are in 1/65536. */
struct nwr_store_faults {
    uint32_t torn_batch; /* at a crash, the last unsynced batch may be cut half */
    uint32_t bit_rot;    /* a BLOCK_GET or READ finds a wrong checksum */
    uint32_t lost_put;   /* bytes of a block that were written are not there */
    uint32_t lost_del;   /* ... that were removed still are */
    bool full;           /* APPLY with puts or new blocks, BLOCK_PUT: E_NOSPC */
    nwr_ms slow_ms;      /* the caller delays completions by this */
    uint32_t dies_at;    /* the process dies before this write from now; 0: it lives */
};
struct nwr_store *nwr_store_mem_create(uint64_t seed);
/* Another store with all that s holds now: the image of a disk. */
struct nwr_store *nwr_store_mem_copy(struct nwr_store *s, uint64_t seed);
struct nwr_store_faults *nwr_store_mem_faults(struct nwr_store *s);
/* Power loss: everything since the last SYNC is gone. lose_unsynced = false: kill -9. Ops not
 * yet polled never complete. */
void nwr_store_mem_crash(struct nwr_store *s, bool lose_unsynced);
/* What is stored rots, for good: one byte of each key of `in_65536` of 65536 records, entries and
 * bytes of blocks. Returns how many. */
uint32_t nwr_store_mem_rot(struct nwr_store *s, uint32_t in_65536);
/* One record does, which is there. */
void nwr_store_mem_rot_record(struct nwr_store *s, const struct nwr_key *key);
/* The records of a PG are gone, as with a file of a database: the PG is in doubt. */
void nwr_store_mem_lose(struct nwr_store *s, nwr_pg pg);

#endif
