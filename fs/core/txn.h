/* txn.h -- a transaction: a plan run over a snapshot until nothing is missing, then its batches.
 *
 *     start --> plan --WAIT--> reads, blocks, ids, a push of a node --> plan again, from its start
 *                 |
 *                 +--DONE--> batch 1 --ack--> batch 2 --ack--> ... --> finish --> reply
 *                 +--FAIL--------------------------------------------------------> reply errno
 *
 * A plan is straight-line code over the snapshot (`rows`). The functions below that return bool
 * or NULL record what is missing; the plan then returns NWR_PLAN_WAIT. Everything one PG is asked
 * for in one run goes out as one READ. What a run that waits has staged is thrown away. What the
 * last run staged is cut into batches by PG, in the order: directories that take no more names,
 * registers and links that are added, entries added, entries removed, links removed; what fits
 * into one batch goes in one (batch.c).
 * After an acknowledgement the writes of a batch are in the snapshot too, under their real dots,
 * so that finish sees what is now there. A snapshot lives for one transaction, or for those of
 * one system call (walk.c).
 *
 * A batch that was refused by a guard, or for blocks that are gone, is planned anew on a fresh
 * snapshot: what was not sent yet is dropped, nothing of it is anywhere. That *all* replicas
 * refused is not said: one may have taken it, and repair then brings it to the others. So this is
 * done only as long as what was sent means nothing by itself:
 *   SUPERSEDED  nothing (the coordinator refuses before anybody has it), or the inode of a new
 *               directory, which nobody knows
 *   BLOCKS      the same; contents, whose write_id must not change, are pushed (push.c)
 *   NOTEMPTY    once; burials of directories. One that is buried and not empty shows all the same,
 *               and nwr_view_enter makes an ordinary one of it again
 *   DEAD        once; a link too many. Contents are pushed in another way (nwr_push_dead)
 *
 * Ownership: the mount owns transactions; a transaction its snapshot, batches and request.
 * Thread: the loop.
 */
#ifndef NWR_FS_TXN_H
#define NWR_FS_TXN_H

#include "fs/core/itable.h"
#include "fs/core/mount.h"

#define NWR_UNDER_MAX 4              /* directories that a plan looked below, page by page */
#define NWR_TXN_REPLANS_MAX 256      /* runs of one plan after its first */
#define NWR_ACTOR_PENDING UINT64_MAX /* provisional dots of writes this mount has not sent */

enum nwr_plan {
    NWR_PLAN_DONE,
    NWR_PLAN_WAIT,
    NWR_PLAN_FAIL
};

struct nwr_mount;

struct nwr_inos { /* a set */
    nwr_ino *slot;
    uint32_t n, cap;
};

struct nwr_need { /* one range of a READ that is missing */
    struct nwr_range range;
    bool page, guess, index, below;
};

struct nwr_snapshot { /* what outlives its transaction (walk.c) */
    struct nwr_rows rows;
    struct nwr_inos objects;
    struct nwr_key *known;
    uint32_t nknown, capknown;
};

struct nwr_page { /* the part of a directory that was read */
    bool ready, more;
    struct nwr_key prefix, after, last;
};

struct nwr_txn {
    struct nwr_mount *m;
    struct nwr_txn *next, *prev;
    uint64_t id;
    enum nwr_plan (*plan)(struct nwr_txn *t);
    /* After the last batch, or with err set when one failed (may be NULL): sets t->reply. */
    void (*finish)(struct nwr_txn *t);
    struct nwr_fs_req *req; /* NULL: background */
    struct nwr_fs_reply reply;
    int eno;          /* of NWR_PLAN_FAIL */
    enum nwr_err err; /* of a volume request */
    uint32_t runs, inflight;
    uint16_t trips; /* round trips of what is in flight, the longest */
    bool refilled;  /* a directory was to be empty, and a replica said it is not */
    bool dead;      /* a directory was to take a name, and a replica said it takes none */
    bool sent_only; /* the snapshot is without what this mount has not sent */
    bool stale;     /* it must be: a guard refused what was planned on it */
    bool refused;   /* that happened: a replica may have what was sent */
    bool onward;    /* what is staged is a step: once it is acknowledged the plan runs again */
    bool raises;    /* a guard said that the inode it pushes is being removed (reap.c) */
    bool walks;     /* the snapshot came from what the thread was told before */
    uint64_t since; /* nwr_mount.changed when the snapshot began */
    nwr_hlc dated;  /* of the latest that it changes or stands beside: its writes are later */

    struct nwr_rows rows;
    struct nwr_inos objects; /* whose registers are all in rows */
    struct nwr_key *known;   /* keys known one by one */
    uint32_t nknown, capknown;
    struct nwr_page page;

    struct nwr_need *need;
    uint32_t nneed, capneed;
    struct nwr_needs blocks;
    bool wants_ids;
    struct nwr_node *wants_push; /* waits for the end of this node's push */
    bool wants_ahead;            /* has not run: waits for what is read ahead of it (ahead.c) */
    nwr_ino wants_look;          /* waits until somebody has looked into this directory (left.c) */
    char *peek;                  /* GETATTR: a name that is read beside it; owned */
    bool beside;                 /* its round trips are those of another transaction */
    uint64_t woken;              /* turn of nwr_push_wake it ran in */
    struct nwr_node *pushed;     /* the last it waited for: a failed one is not tried again */

    struct nwr_request *staged; /* what this run has decided, of any PG; made into batches */
    struct nwr_request *later;  /* what an earlier step has decided (nwr_txn_put_off); owned */
    struct nwr_request **ahead; /* blocks that go before the batches, at once */
    uint32_t nahead;
    struct nwr_request **batch;
    uint32_t nbatch, sent;
    uint8_t w, r;
    bool sloppy;
    enum nwr_level level;
    struct nwr_response last;  /* dot, hlc, k of the version with t's wid; bytes of STATFS */
    struct nwr_request *other; /* a request that is neither READ nor PUT: STATFS, STATUS, WHY */
    bool other_done;
    bool unfinished;   /* finish needs what is not read yet, and runs again */
    uint32_t finishes; /* that did */

    /* What plans keep from run to run and for finish. */
    struct nwr_node *node, *node2;
    struct nwr_shown x, y;
    nwr_ino ino;
    nwr_wid wid;
    struct nwr_spool_op *spool; /* to be carried out before the next run */
    struct nwr_spool_item *item;
    enum nwr_err spool_err; /* of the last, and what it read */
    struct nwr_blob *spool_data;
    bool superseded, keeping;
    struct nwr_push push;
    bool push_ready, pushed_bytes, tried, sized, rewound;
    struct nwr_slice_list slices;
    uint64_t number, copied;
    uint32_t rereads;
    enum nwr_err reread_err; /* of the block for which it last was */
    uint32_t below;          /* directories that are being looked into for what is left there */
    nwr_ino many;            /* one of them has more names than fit an answer */
    struct nwr_under {
        nwr_ino dir;
        bool shows;
    } under[NWR_UNDER_MAX];  /* what those showed that were looked into page by page */
    uint32_t nunder;         /* ever */
    bool looking;            /* it looks below a directory, for others (look.c) */
    bool looks_inside;       /* a directory that is to be empty, before it is said to be */
    struct nwr_key look;     /* names up to here were looked at */
    uint32_t looks, looked;  /* so many pages; in so many directories of a union all of them */
    bool leftover;           /* there are slots that show nothing */
    uint32_t subdirs, parts; /* counted, of so many parts of a union */
    struct nwr_handle *handle;
    struct nwr_survey *survey; /* owned */
    struct nwr_check *check;   /* owned */
};

/* Starts a transaction and runs its plan; it frees itself. */
struct nwr_txn *nwr_txn_new(struct nwr_mount *m, enum nwr_plan (*plan)(struct nwr_txn *),
                            void (*finish)(struct nwr_txn *), struct nwr_fs_req *req);
void nwr_txn_run(struct nwr_txn *t);
/* An answer of the volume to one of t's requests. */
void nwr_txn_answer(struct nwr_txn *t, struct nwr_request *vreq, struct nwr_response *res);
/* A spool op of t is done; op stays the caller's. */
void nwr_txn_spooled(struct nwr_txn *t, struct nwr_spool_op *op);
/* Throws the snapshot away and runs the plan again. */
void nwr_txn_again(struct nwr_txn *t);
/* Ends t with an error; nothing of it is under way. */
void nwr_txn_give_up(struct nwr_txn *t, enum nwr_err err);
/* Frees t without a reply (the mount goes). */
void nwr_txn_destroy(struct nwr_txn *t);

/* ---- for plans ---- */

enum nwr_plan nwr_txn_fail(struct nwr_txn *t, int eno);
/* The record of key; an empty one if there is none. NULL: it is asked for now. Records stay
 * where they are until the plan returns. */
const struct nwr_record *nwr_txn_record(struct nwr_txn *t, const struct nwr_key *key);
/* Like nwr_txn_record, and the objects that its versions refer to in the same PG come along. */
const struct nwr_record *nwr_txn_entry(struct nwr_txn *t, nwr_ino parent, const char *name,
                                       size_t len);
/* All registers of an inode. */
bool nwr_txn_object(struct nwr_txn *t, nwr_ino root);
/* What stands beside a name (nwr/key.h), of which may be left out what shows nothing: it is no
 * absence in the snapshot, and nothing is known of the inodes that it leads to. */
bool nwr_txn_beside(struct nwr_txn *t, nwr_ino parent, const char *name, size_t len);
/* The registers of an inode that the plan will probably ask for next: read beside what it needs
 * now. Nothing depends on it: if the guess was wrong, or fails, the plan asks itself. */
void nwr_txn_guess(struct nwr_txn *t, nwr_ino root);
/* True if they are in the snapshot already; asks for nothing. */
bool nwr_txn_has_object(const struct nwr_txn *t, nwr_ino root);
/* A record that is in the snapshot, or NULL; asks for nothing. */
const struct nwr_record *nwr_txn_peek(const struct nwr_txn *t, const struct nwr_key *key);
/* The inode was made in this transaction: nothing of it is anywhere else. */
void nwr_txn_born(struct nwr_txn *t, nwr_ino root);
/* Entries of a directory behind `after` (len 0: from the first), with the objects of its PG. */
void nwr_txn_page(struct nwr_txn *t, nwr_ino dir, const struct nwr_key *after);
/* The first page without the objects; no other page may be asked for in the same plan. */
void nwr_txn_names(struct nwr_txn *t, nwr_ino dir);
/* All entries of a directory, with the objects of its PG, for those who look below it. */
bool nwr_txn_children(struct nwr_txn *t, nwr_ino dir);
/* The same, unless they are more than fit an answer: then t->many says so, and nothing is here. */
bool nwr_txn_children_if_few(struct nwr_txn *t, nwr_ino dir);
/* Rows below a prefix of keys, behind `after`: as nwr_txn_page. */
void nwr_txn_scan(struct nwr_txn *t, const struct nwr_key *prefix, const struct nwr_key *after,
                  bool follow);
/* What a group's index names behind `after` (NULL: from the first): it goes to the survey. */
void nwr_txn_indexed(struct nwr_txn *t, nwr_pg pg, const struct nwr_key *after);
/* A number for a new inode of pg; 0: asked for. */
nwr_ino nwr_txn_ino(struct nwr_txn *t, nwr_pg pg);
/* A write of key, staged, with a new write_id, the caller's uid and, as replaced, all versions of
 * `rec` for which pick holds (NULL: all; rec may be NULL). If this run has staged a write of key
 * already it is that one, with more named as replaced: a record is written once a batch. */
struct nwr_write *nwr_txn_write(struct nwr_txn *t, const struct nwr_key *key,
                                const struct nwr_record *rec,
                                bool (*pick)(const struct nwr_version *v));
/* w replaces v, and retires its write_id unless that has this one dot. */
void nwr_txn_seen(struct nwr_txn *t, struct nwr_write *w, const struct nwr_version *v);
struct nwr_guard *nwr_txn_guard(struct nwr_txn *t, enum nwr_guard_kind kind,
                                const struct nwr_key *key);
struct nwr_block *nwr_txn_block(struct nwr_txn *t);
nwr_wid nwr_txn_wid(struct nwr_txn *t);
/* What is staged is kept for a later step of the plan, which stages it again: it names what was
 * seen now, and nothing that comes in between. */
void nwr_txn_put_off(struct nwr_txn *t);
void nwr_txn_take_up(struct nwr_txn *t);
/* Whether the snapshot can tell about key. */
bool nwr_txn_knows(const struct nwr_txn *t, const struct nwr_key *key);
/* Waits until n has nothing under way or unsent; sends it now. */
enum nwr_plan nwr_txn_after_push(struct nwr_txn *t, struct nwr_node *n);

/* ---- between txn.c, batch.c, snapshot.c and walk.c ---- */

/* What is staged becomes the batches of t. */
void nwr_batch_form(struct nwr_txn *t);
/* Before one is sent: what it replaces of earlier ones is named by dot. */
void nwr_batch_dots(struct nwr_txn *t, struct nwr_request *req);
void nwr_snapshot_learn(struct nwr_txn *t, const struct nwr_range *range);
void nwr_snapshot_learn_page(struct nwr_txn *t, const struct nwr_range *range, bool more);
bool nwr_snapshot_behind(const struct nwr_txn *t, const struct nwr_range *range);
bool nwr_snapshot_from_births(struct nwr_txn *t);
void nwr_snapshot_clear(struct nwr_txn *t);
/* The snapshot of t moves to *to, which is empty; or back into t, whose own is empty. */
void nwr_snapshot_take(struct nwr_txn *t, struct nwr_snapshot *to);
void nwr_snapshot_give(struct nwr_txn *t, struct nwr_snapshot *from);
/* Whether it can tell about key. */
bool nwr_snapshot_has(const struct nwr_snapshot *s, const struct nwr_key *key);
void nwr_snapshot_free(struct nwr_snapshot *s);

#endif
