/* state.h -- the inside of a mount, for the files of fs/core alone.
 *
 * Ownership: the mount owns everything here; `out` and the times are borrowed for one step.
 */
#ifndef NWR_FS_STATE_H
#define NWR_FS_STATE_H

#include "fs/core/dir.h"
#include "fs/core/flags.h"
#include "fs/core/txn.h"

#define NWR_IDS_RANGE 4096 /* inode counters asked for at once */
#define NWR_IDS_LOW 1024   /* and asked for again when so few are left */
#define NWR_WALK_MS 4      /* how long a LOOKUP may serve what its thread asks next */
#define NWR_WALKS 32       /* threads it is remembered of */
#define NWR_LEFTS 256      /* removed directories that were looked into, a power of 2 */
#define NWR_GUESSES 1024   /* names whose inodes are guessed, a power of 2 */
#define NWR_CHANGES 256    /* records of which it is known that this mount changed them */
#define NWR_LISTED_MS 1000 /* how long a listing serves the LOOKUPs of the thread that reads it */
#define NWR_CACHE_BYTES (64 << 20)
#define NWR_REFUSED_MS 30000        /* changes of a refused file are kept after this, or at flush */
#define NWR_TOKEN_NOBODY UINT64_MAX /* of a spool op that no transaction waits for */
#define NWR_BLOCKS_INFLIGHT 8       /* BLOCK_GETs of one transaction at once */

/* An open file or directory. */
struct nwr_handle {
    uint64_t id;
    struct nwr_node *node;
    uint32_t flags;      /* of open */
    struct nwr_dir *dir; /* OPENDIR */
    struct nwr_handle *next;
};

/* What a thread was just told: of node, or of the absence of parent/name (walk.c). */
struct nwr_walk {
    uint32_t pid; /* 0: free */
    enum nwr_fs_op from;
    uint64_t node, parent;
    char *name;
    bool is_dir;
    uint32_t looks; /* GETATTRs and SETATTRs it has answered */
    uint64_t ahead; /* from GETATTR: the transaction that still reads parent/name (ahead.c) */
    nwr_ms at;
    uint64_t since; /* changes of this mount that it may lack begin here */
    struct nwr_snapshot snap;
};

/* Which inode a name had when it was looked up last: a hint what to read along with the name. */
struct nwr_guess {
    uint64_t name; /* nwr_name_hash */
    nwr_ino root;
};

/* The name that a thread looked up last (ahead.c). */
struct nwr_last {
    uint32_t pid;
    uint64_t parent;
    char name[NWR_NAME_MAX + 1];
};

/* A removed directory that was looked into (left.c). */
struct nwr_left {
    nwr_ino dir;
    nwr_ms until;
    uint64_t since; /* nwr_mount.changed when what it shows was read */
    bool shows;
};

struct nwr_held { /* a reply that waits */
    struct nwr_fs_req *req;
    struct nwr_fs_reply reply;
};

struct nwr_inval { /* a node whose pages are being dropped */
    uint64_t node;
    uint32_t out; /* INVAL_INODEs that have not returned */
    struct nwr_held *held;
    uint32_t nheld, cap;
};

struct nwr_reap { /* an inode whose last name went */
    nwr_ino root;
    nwr_ms at;
    uint32_t tries;
    bool busy;
};

struct nwr_mount {
    struct nwr_mount_config config;
    struct nwr_rng rng;
    struct nwr_itable nodes;
    struct nwr_block_cache *cache;
    struct nwr_txn *txns;
    struct nwr_handle *handles;
    uint64_t changes;          /* of anything by this mount: listings before it serve no more */
    bool begun, beginning;     /* the root's policy is known; is being read */
    struct nwr_fs_req **early; /* requests that wait for it */
    uint32_t nearly, capearly;
    uint64_t wakes; /* turns of nwr_push_wake */
    uint64_t next_txn, next_handle, next_pending;
    struct nwr_walk walk[NWR_WALKS];
    uint32_t walk_at;
    struct nwr_last last[NWR_WALKS]; /* by pid */
    struct nwr_guess guess[NWR_GUESSES];
    struct nwr_left left[NWR_LEFTS];
    uint64_t own_changed[NWR_PGS_MAX]; /* `changed` when this mount wrote to the group, its reaper
                                          apart */
    uint64_t changed;                  /* records, ever; the last of them: */
    struct nwr_change {
        struct nwr_key key;
        uint64_t txn; /* by whom */
    } * change;
    struct nwr_sent {
        struct nwr_request *birth;
        uint64_t at; /* `changed` when it was sent */
    } * sent;        /* creations that a READ under way may not have found (birth.c) */
    uint32_t nsent, capsent;
    struct nwr_reads *reads;
    struct nwr_node **due; /* nodes with push_at or touch_at set */
    uint32_t ndue, capdue;
    nwr_ms due_at;               /* not later than the first of them */
    struct nwr_spool_item *kept; /* refused contents */
    uint32_t nkept, capkept;
    uint64_t kept_next;
    struct nwr_reap *reap;
    uint32_t nreap, capreap, nreaping;
    nwr_ino *behind; /* and what does not fit there, the oldest first (reap.c) */
    uint32_t nbehind, capbehind;
    struct nwr_inval *inval;
    uint32_t ninval, capinval;
    nwr_ms reap_at; /* not later than the first that waits */

    uint64_t ids_next, ids_end, ids2_next, ids2_end; /* range in use, and the one behind it */
    uint16_t ids_ordinal;
    bool ids_asked, stopping;
    nwr_hlc hlc; /* the newest version seen, of clocks that are not far ahead */
    struct nwr_fs_counters counters;

    struct nwr_fs_effects *out; /* during a step */
    nwr_ms now;
    nwr_ns wall;
};

/* ---- effects (mount.c) ---- */
void nwr_mount_reply(struct nwr_mount *m, struct nwr_fs_req *req, struct nwr_fs_reply *reply);
void nwr_mount_submit(struct nwr_mount *m, struct nwr_request *vreq, uint64_t token);
/* Takes op. */
void nwr_mount_spool(struct nwr_mount *m, struct nwr_spool_op *op, uint64_t token);
/* size 0: all behind off. */
void nwr_mount_inval(struct nwr_mount *m, struct nwr_node *n, uint64_t off, uint64_t size);
/* Takes text. */
void nwr_mount_log(struct nwr_mount *m, char *text);
void nwr_mount_ids_want(struct nwr_mount *m);
nwr_ino nwr_mount_ids_take(struct nwr_mount *m, nwr_pg pg);
/* Later than all that this mount has seen. */
nwr_hlc nwr_mount_hlc(const struct nwr_mount *m);
void nwr_mount_seen(struct nwr_mount *m, nwr_hlc hlc);
struct nwr_handle *nwr_mount_handle(struct nwr_mount *m, uint64_t id);
struct nwr_handle *nwr_mount_open(struct nwr_mount *m, struct nwr_node *n, uint32_t flags);
/* Gives the plan and finish of a request's operation (ops.c). */
struct nwr_plan_of {
    enum nwr_plan (*plan)(struct nwr_txn *t);
    void (*finish)(struct nwr_txn *t);
};
struct nwr_plan_of nwr_plan_of(enum nwr_fs_op op);

/* ---- what a thread was just told (walk.c) ---- */
/* A request begins: what its thread was told may serve it. False: it waits for that, and is run
 * when it has come. Ends: what that told the thread. */
bool nwr_walk_begin(struct nwr_txn *t);
void nwr_walk_end(struct nwr_txn *t);
/* This mount has changed a record, or what lies over it; txn: 0 or who has that in its snapshot. */
void nwr_walk_changed(struct nwr_mount *m, const struct nwr_key *key, uint64_t txn);
void nwr_walk_deinit(struct nwr_mount *m);
/* An empty one for the thread; the oldest makes room. */
struct nwr_walk *nwr_walk_new(struct nwr_mount *m, uint32_t pid);
/* t has read what w is to hold, or could not. */
void nwr_walk_have(struct nwr_txn *t, struct nwr_walk *w);

/* ---- removed directories of many names (left.c) ---- */
/* It was looked into a moment ago, for a request, and showed nothing. */
bool nwr_left_nothing(const struct nwr_txn *t, nwr_ino dir);
/* It has more names than fit an answer (t->many): somebody looks into it page by page, t waits for
 * that. True: that has been done for t; *shows what it said. */
bool nwr_left_under(struct nwr_txn *t, nwr_ino dir, bool *shows);
/* Only what looks, and may look again, relies on what was seen before. */
bool nwr_left_may(const struct nwr_txn *t);
/* Records below it that are in the snapshot; *away: some lead to other groups. */
uint32_t nwr_left_names(const struct nwr_txn *t, nwr_ino dir, bool *away);
/* t has looked at so many of them, which are all, and none leads away. */
void nwr_left_keep(struct nwr_txn *t, nwr_ino dir, uint64_t names, bool shows);
/* nwr_mount.changed when this mount wrote to its group. */
uint64_t nwr_left_own(const struct nwr_mount *m, nwr_ino dir);
/* Sees to it that somebody looks into t->wants_look (look.c). */
void nwr_left_look(struct nwr_txn *t);
/* t has all its names in the snapshot, and has looked whether something shows. */
void nwr_left_looked(struct nwr_txn *t, nwr_ino dir, bool shows);
/* This mount, and not its reaper, has changed a record or what lies over it. */
void nwr_left_changed(struct nwr_mount *m, const struct nwr_key *key);

/* ---- the name that is probably looked up next (ahead.c) ---- */
/* A GETATTR begins, the first request of a system call. */
void nwr_ahead_start(struct nwr_txn *t);
/* Its plan, in its first run: asks for what may be looked up next, with what it needs itself. */
void nwr_ahead_ask(struct nwr_txn *t);
/* What was read ahead in a directory was not what came next. */
void nwr_ahead_unused(struct nwr_mount *m, uint64_t parent);
/* A name of a directory was looked up by a thread. */
void nwr_ahead_note(struct nwr_mount *m, struct nwr_node *dir, const struct nwr_fs_req *req,
                    bool is_dir);

/* ---- pages being dropped (inval.c) ---- */
void nwr_inval_out(struct nwr_mount *m, uint64_t node);
void nwr_inval_done(struct nwr_mount *m, uint64_t node);
/* The reply goes, now or when the pages it speaks of have been dropped. */
void nwr_inval_answer(struct nwr_mount *m, struct nwr_fs_req *req, struct nwr_fs_reply *reply);
void nwr_inval_deinit(struct nwr_mount *m);

/* ---- creations that are not sent yet (birth.c) ---- */
/* What t has staged becomes what n holds back. */
void nwr_birth_hold(struct nwr_txn *t, struct nwr_node *n);
/* What t has staged changes what n holds back instead of being sent. */
void nwr_birth_absorb(struct nwr_txn *t, struct nwr_node *n);
/* Stages copies of the held writes, except content, and what their directory needs to take them.
 * False: something is missing. */
bool nwr_birth_send(struct nwr_txn *t, struct nwr_node *n);
/* The names go; what is open stays (dropped). */
void nwr_birth_unname(struct nwr_mount *m, struct nwr_node *n);
/* The creation may be at replicas: they say from now on whether it is. */
void nwr_birth_forget(struct nwr_mount *m, struct nwr_node *n);
/* W replicas have it: whoever reads from now on finds it there. */
void nwr_birth_sent(struct nwr_mount *m, struct nwr_node *n);
/* A snapshot ended that may have needed what was sent meanwhile. */
void nwr_birth_settle(struct nwr_mount *m);
/* Held writes of the ranges just read are put over the snapshot. */
void nwr_birth_overlay(struct nwr_txn *t);
struct nwr_node *nwr_birth_of(struct nwr_mount *m, nwr_ino root);
bool nwr_is_pending(struct nwr_dot dot);

/* ---- pushes (push.c) ---- */
/* Starts a push of n unless one runs or there is nothing to send. */
void nwr_push_start(struct nwr_mount *m, struct nwr_node *n, enum nwr_level level);
/* After a write: pushes if there is enough, else sets the time for it. */
void nwr_push_later(struct nwr_mount *m, struct nwr_node *n);
/* The push of n is over: the next one is due at `at`, 0: nothing is. Who waited goes on. */
void nwr_push_ended(struct nwr_mount *m, struct nwr_node *n, nwr_ms at);
/* Pushes that t has barred (ops.h) may begin. */
void nwr_push_unbar(struct nwr_txn *t);
/* A file without a name that only this mount had is sent from now on, as one that is unlinked. */
void nwr_push_nameless(struct nwr_mount *m, struct nwr_node *n);
/* n has nothing to send any more. */
void nwr_push_stop(struct nwr_mount *m, struct nwr_node *n);
void nwr_node_give_up(struct nwr_mount *m, struct nwr_node *n);
/* A replica refused the push t because its inode is being removed. True: it is planned again, in
 * a way that brings the file back (nwr_view_raise). */
bool nwr_push_dead(struct nwr_txn *t);
/* Pushes what is due, all if everything is. */
void nwr_push_tick(struct nwr_mount *m, bool everything);
/* When something will be due; UINT64_MAX: nothing. */
nwr_ms nwr_push_deadline(const struct nwr_mount *m);
enum nwr_level nwr_push_level(const struct nwr_mount *m, const struct nwr_node *n);

/* ---- refused pushes (refuse.c) and what is kept of them (spool.c, op_kept.c) ---- */
/* Somebody else has replaced n's base; the object is in the snapshot. */
bool nwr_refuse_due(const struct nwr_txn *t, const struct nwr_node *n);
/* The coordinator is to look as well: nothing is there that the snapshot does not show. */
void nwr_refuse_guard(struct nwr_txn *t, const struct nwr_node *n);
/* What n holds goes to the spool; write_ids in n->unsure are retired. Its push is under way. */
void nwr_refuse_start(struct nwr_mount *m, struct nwr_node *n);
struct nwr_spool_op *nwr_spool_op_new(enum nwr_spool_kind kind, const struct nwr_spool_item *item);
struct nwr_spool_item *nwr_spool_by_id(struct nwr_mount *m, uint64_t id);
/* The first number from `from` on that is free for the item's name. */
uint32_t nwr_spool_number(const struct nwr_mount *m, const struct nwr_spool_item *item,
                          uint32_t from);
void nwr_spool_put(struct nwr_mount *m, const struct nwr_spool_item *item);
void nwr_spool_drop(struct nwr_mount *m, uint64_t id);
/* name.rejected.K into a buffer of a name; its length. */
uint16_t nwr_spool_name(const struct nwr_spool_item *item, char *out);
/* What is kept in a directory, one after the other; NULL: no more. */
const struct nwr_spool_item *nwr_spool_in(const struct nwr_mount *m, const struct nwr_dirs *dir,
                                          const struct nwr_spool_item *after);
const struct nwr_spool_item *nwr_spool_find(const struct nwr_mount *m, const struct nwr_dirs *dir,
                                            const char *name);
/* An ordinary file has that name: what was kept under it takes the next number. */
void nwr_spool_yield(struct nwr_mount *m, const struct nwr_dirs *dir, const char *name);
/* The entry of a kept content replied to the request. */
void nwr_kept_reply(struct nwr_txn *t, const struct nwr_spool_item *item);
enum nwr_plan nwr_kept_remove(struct nwr_txn *t, const struct nwr_spool_item *item);
/* Operations on a node that stands for one. */
struct nwr_plan_of nwr_kept_plan_of(enum nwr_fs_op op);

/* ---- attributes (attr.c) ---- */
/* All versions of the attribute record of root merged by field; root and what is missing have
 * defaults. False: no such inode in the snapshot. */
bool nwr_attr_merge(const struct nwr_txn *t, nwr_ino root, struct nwr_attr *a);
/* A write of the attributes that replaces all versions in the snapshot. Fields whose hlc is 0
 * are set by this write. */
void nwr_attr_put(struct nwr_txn *t, nwr_ino root, const struct nwr_attr *a);
/* Attributes for stat of what x shows; n (may be NULL) adds what this mount has not sent, and what
 * a replica that is behind has not got. False: the object is not there. */
bool nwr_attr_stat(struct nwr_txn *t, const struct nwr_shown *x, struct nwr_node *n,
                   struct stat *st);
struct timespec nwr_attr_time(nwr_ns ns);
/* mtime of a directory: the newest change of its entries by this mount (dir; may be NULL), if the
 * attributes have nothing later. */
nwr_ns nwr_attr_touched(const struct nwr_attr *a, const struct nwr_node *dir);
uint32_t nwr_attr_links(const struct nwr_txn *t, nwr_ino root);
struct nwr_attr nwr_attr_new(struct nwr_txn *t, const struct nwr_node *dir, uint8_t type);
uint32_t nwr_type_mode(uint8_t type);
uint8_t nwr_mode_type(uint32_t mode);

/* ---- nodes and entries for the kernel (entry.c) ---- */
/* The node that stands for x, found or made; a clean one advances to x's version. */
struct nwr_node *nwr_entry_node(struct nwr_txn *t, const struct nwr_shown *x);
/* Brings a node up to what x shows (getattr, open). */
void nwr_entry_refresh(struct nwr_txn *t, struct nwr_node *n, const struct nwr_shown *x);
/* n has a newer content at hand than what was read of it: a replica that is behind has answered,
 * or this mount pushed meanwhile. */
bool nwr_entry_ahead(const struct nwr_txn *t, const struct nwr_node *n, const struct nwr_shown *x);
/* Fills e for the kernel and counts the lookup. False: the object is missing. */
bool nwr_entry_fill(struct nwr_txn *t, const struct nwr_shown *x, struct nwr_fs_entry *e);
/* The same from a page of a directory that was read a moment ago. */
bool nwr_entry_from_page(struct nwr_txn *t, const struct nwr_dir_seen *seen,
                         struct nwr_fs_entry *e);
/* The entry replied to the request. */
void nwr_entry_reply(struct nwr_txn *t, const struct nwr_shown *x);
/* Directory node of the request's parent; NULL: not a directory, t->eno is set. */
struct nwr_node *nwr_entry_dir(struct nwr_txn *t, uint64_t id);
/* Length of a name the kernel gave, 0 and t->eno set if it cannot be one. */
size_t nwr_entry_name(struct nwr_txn *t, const char *name);
/* Entries of a directory changed on this mount. */
void nwr_entry_touch(struct nwr_mount *m, struct nwr_node *dir);
void nwr_txn_pin(struct nwr_txn *t, struct nwr_node *n);
/* Quorums and level of what is done to n. */
void nwr_txn_policy(struct nwr_txn *t, const struct nwr_node *n);

/* ---- reclaiming (reap.c) ---- */
/* The inode may have lost its last name and holder: looks, and removes its registers. */
void nwr_reap_later(struct nwr_mount *m, nwr_ino root);
/* It has an open file here, or something that was not sent. */
bool nwr_reap_held(struct nwr_mount *m, nwr_ino root);
/* The plan that looks at t->ino, at all replicas, and removes its registers. */
enum nwr_plan nwr_reap_plan(struct nwr_txn *t);
void nwr_reap_tick(struct nwr_mount *m);
nwr_ms nwr_reap_deadline(const struct nwr_mount *m);

#endif
