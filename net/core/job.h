/* job.h -- the inside of a node: jobs, calls, lent store ops; only net/core/ includes it.
 *
 * A job is one long operation as a machine of its own: it gets answers to its calls (messages
 * that want one), completions of the store ops it lent, wake-ups, and the ends of its children.
 *
 *     job --call--> peer --answer|lost--> job        job --lend--> store --stored--> job
 *     child --end--> parent                          parent --end--> child: orphan
 *
 * A job that has ended hears nothing any more. It is freed when the step is over and the store
 * has given back what it lent, so a pointer to a job is good for the whole step it was seen in.
 *
 * Thread: the node's. Allocates: yes.
 */
#ifndef NWR_JOB_H
#define NWR_JOB_H

#include "net/core/copy.h"
#include "net/core/hints.h"
#include "net/core/node.h"
#include "net/core/register.h"
#include "net/core/rules.h"

#define NWR_NEVER UINT64_MAX

enum {
    NWR_CALL_BUCKETS = 4096,
    NWR_GRACE_MS = 1000,       /* a peer that went this short ago may be back at once */
    NWR_KNOCK_MS = 250,        /* one that is down gets to answer before a request is refused */
    NWR_TEACH_MS = 1000,       /* a ring that is behind, found out by gossip */
    NWR_RETRY_WRITE_MS = 2000, /* a silent coordinator: the next one gets the same write */
    NWR_RETRY_READ_MS = 300,
    NWR_SETTLE_MS = 1000,            /* answers that come later than this do not repair */
    NWR_LAG_MS = 1000,               /* who takes that long is spared (lag.c) */
    NWR_REPAIRS_MAX = 8,             /* repairs of late replicas at a time */
    NWR_BACKGROUND_BYTES = 64 << 20, /* of batches whose writer was answered already */
    NWR_HELD_MAX = 1024,             /* messages of an epoch not learned yet */
    NWR_COPY_PARALLEL = 32,          /* PGs a joining node copies at a time */
    NWR_COUNTERS_RESERVE = 4096,
    NWR_SUPPLY_BYTES = 3 << 20 /* blocks of one message */
};

struct nwr_job;

/* A message that wants an answer. */
struct nwr_call {
    uint64_t id;
    struct nwr_job *job;
    uint16_t peer; /* 0: the link to join through */
    uint32_t slot; /* the job's */
    uint64_t epoch;
    struct nwr_call *chain; /* of its bucket */
    struct nwr_call *next;  /* of its job */
};

/* A store op on its way. Inputs that are arrays may belong to it. */
struct nwr_lent {
    struct nwr_store_op op;
    struct nwr_job *job;
    uint32_t slot; /* the job's */
    struct nwr_apply *apply;
    struct nwr_range *range;
    struct nwr_hint *hint;
    struct nwr_lent *next, **at;
};

struct nwr_job_kind {
    const char *name;
    /* The call is gone already; m may be moved out. */
    void (*answer)(struct nwr_node *n, struct nwr_job *j, const struct nwr_call *c,
                   struct nwr_msg *m);
    /* No answer will come: the peer went. */
    void (*lost)(struct nwr_node *n, struct nwr_job *j, const struct nwr_call *c);
    /* Outputs may be moved out of l->op. */
    void (*stored)(struct nwr_node *n, struct nwr_job *j, struct nwr_lent *l);
    void (*wake)(struct nwr_node *n, struct nwr_job *j);
    void (*child)(struct nwr_node *n, struct nwr_job *j, struct nwr_job *child, enum nwr_err err);
    /* A peer came or went, the ring is another, or counters were reserved. */
    void (*changed)(struct nwr_node *n, struct nwr_job *j);
    /* The parent has ended. NULL: ends too. */
    void (*orphan)(struct nwr_node *n, struct nwr_job *j);
    void (*drop)(struct nwr_node *n, struct nwr_job *j);
};

/* First member of every job. */
struct nwr_job {
    const struct nwr_job_kind *kind;
    struct nwr_job *parent;
    uint32_t slot; /* the parent's */
    struct nwr_call *calls;
    uint32_t lent;
    bool ended;
    nwr_ms wake;
    uint32_t heap_at; /* UINT32_MAX: not in the heap */
    struct nwr_job *next, *prev;
    struct nwr_job *children, *elder, *younger; /* newest first */
};

struct nwr_peer_state {
    bool up;
    bool known;         /* an event said whether it is up */
    nwr_ms maybe_until; /* until then it may be on its way back */
    nwr_ms knock_until; /* until then, or an attempt that failed, it is being dialed */
    uint64_t epoch;     /* the newest ring it said it has stored */
    uint64_t copied;    /* it holds what it is to copy by the ring of this epoch */
    uint64_t timed;     /* the question to it that is timed (lag.c); 0: none */
    nwr_ms timed_at;
    bool late; /* the last one took long */
};

/* Who asked, and is to be answered once. */
enum nwr_origin_kind {
    NWR_FROM_NOBODY,
    NWR_FROM_OWN,
    NWR_FROM_LINK,
    NWR_FROM_PEER,
    NWR_FROM_JOB
};
struct nwr_origin {
    enum nwr_origin_kind kind;
    uint16_t peer;
    uint64_t link, id;
    nwr_ms deadline;
    bool sent;               /* another coordinator may have done it */
    struct nwr_request *req; /* owned */
};

struct nwr_held {
    uint16_t peer;
    nwr_ms at;
    struct nwr_msg msg;
};

struct nwr_counters {
    uint64_t ino_next, ino_end; /* next to give, first not reserved */
    uint64_t k_next, k_end;
    uint64_t ino_ask, k_ask; /* ends being stored */
    bool storing;
};

/* See hints.h. Invariant: count, bytes and pg are sums of what was made and has not ended. */
struct nwr_hints {
    struct nwr_kept *of; /* by ordinal of the target */
    bool *delivering;
    nwr_ms *pause_until;
    uint64_t count, bytes, bytes_max;
    uint32_t *pg;   /* hints of each group */
    bool *stray;    /* groups with records stored for hints since leave.c last began with them */
    uint64_t *dots; /* per PG, of `actor`; NULL: none was given since strays were erased */
    uint32_t actor; /* in place of the incarnation */
    nwr_ms logged;
    struct nwr_hints_stat stat;
};

struct nwr_behind;

/* What others said they have on disk, since they came up and the ring is what it is. */
struct nwr_confirmed {
    uint16_t ordinal;
    struct nwr_vv clock;
    uint64_t hash; /* of this node's clock and floor when that covered its clock */
};
struct nwr_confirms {
    struct nwr_confirmed e[NWR_REPLICAS_MAX - 1];
    uint32_t n;
};

struct nwr_node {
    nwr_node_id id;
    uint16_t ordinal;
    uint32_t incarnation;
    char address[64];
    bool joining;
    bool removed; /* the ring lists this node no more */
    bool link_up; /* to join through */
    struct nwr_rng rng;
    nwr_hlc hlc;
    nwr_ms now, started;
    nwr_ns wall;
    struct nwr_ring ring;    /* epoch 0: none */
    struct nwr_ring storing; /* on its way into META; epoch 0: none */
    struct nwr_ring waiting; /* newer than that; epoch 0: none */
    struct nwr_register reg; /* of epoch reg_epoch, as stored or on its way */
    uint64_t reg_epoch;
    bool reg_known; /* it was read from META */
    struct nwr_wish_state wish;
    struct nwr_move_state moved[NWR_ORDINAL_MAX + 1]; /* what members said of their copies */
    uint64_t pulled;       /* bytes of blocks that came into this store from others */
    nwr_ms ring_since;     /* when this ring was adopted */
    unsigned deciding;     /* proposals of the next ring */
    enum nwr_err copy_err; /* why what this node gains cannot be stored here */
    struct nwr_peer_state peer[NWR_ORDINAL_MAX + 1];
    uint64_t *dots; /* per PG: the last counter given */
    struct nwr_counters ids;
    struct nwr_held *held;
    uint32_t nheld, capheld;
    uint32_t repairs;
    size_t background; /* bytes */
    nwr_ms clock_logged;
    struct nwr_members *members; /* NULL: not a member yet */
    uint16_t members_self;
    uint64_t listed_epoch, load_records, load_bytes;
    struct nwr_hints hints;
    nwr_ms taught_at;
    uint64_t served; /* writes and reads of other coordinators */
    struct nwr_job *reconciler, *leaver, *scrubber;
    bool only_asked;
    struct nwr_repair_state repair;
    struct nwr_scrub_state scrub;
    struct nwr_behind *behind; /* of each PG (behind.h); NULL: none was */
    uint32_t nbehind;
    struct nwr_confirms *confirms; /* of each PG (clocks.h); NULL: none */

    uint64_t next_id;
    struct nwr_call *calls[NWR_CALL_BUCKETS];
    struct nwr_job *jobs; /* newest first */
    struct nwr_job *ended;
    struct nwr_job **heap;
    uint32_t nheap, capheap;
    struct nwr_lent *lent;
    struct nwr_node_counters count;
    struct nwr_effects *out; /* of this step */
};

/* ---- jobs (job.c) ---- */
/* bytes: of the whole job, whose first member is struct nwr_job. */
void *nwr_job_new(struct nwr_node *n, const struct nwr_job_kind *kind, size_t bytes,
                  struct nwr_job *parent, uint32_t slot);
/* Tells the parent, drops calls, orphans children. */
void nwr_job_end(struct nwr_node *n, struct nwr_job *j, enum nwr_err err);
/* Drops the answers that are still out; children stay. */
void nwr_job_forget_calls(struct nwr_node *n, struct nwr_job *j);
/* at NWR_NEVER: no more. */
void nwr_job_wake(struct nwr_node *n, struct nwr_job *j, nwr_ms at);
void nwr_jobs_changed(struct nwr_node *n);
/* Frees ended jobs the store gave everything back to. */
void nwr_jobs_bury(struct nwr_node *n);
void nwr_jobs_free(struct nwr_node *n);
void nwr_jobs_tick(struct nwr_node *n);
void nwr_jobs_check(const struct nwr_node *n);

/* ---- calls (job.c) ---- */
/* Takes the message, gives it an id; the answer comes to j. */
void nwr_call(struct nwr_node *n, struct nwr_job *j, uint16_t peer, uint32_t slot,
              struct nwr_msg *m);
void nwr_call_answer(struct nwr_node *n, uint16_t peer, struct nwr_msg *m);
void nwr_calls_lost(struct nwr_node *n, uint16_t peer);

/* ---- store (job.c) ---- */
struct nwr_lent *nwr_lend(struct nwr_node *n, struct nwr_job *j, uint32_t slot,
                          enum nwr_store_kind kind, nwr_pg pg);
/* The op goes out; everything in it is borrowed until stored. */
void nwr_lend_submit(struct nwr_node *n, struct nwr_lent *l);
void nwr_lend_back(struct nwr_node *n, struct nwr_store_op *op);

/* ---- effects (effect.c) ---- */
struct nwr_node_effect *nwr_emit(struct nwr_node *n, enum nwr_node_effect_kind kind);
/* The message sent last need not go at once. */
void nwr_send_later(struct nwr_node *n);
/* Both take the message. */
void nwr_send(struct nwr_node *n, uint16_t peer, struct nwr_msg *m);
void nwr_send_link(struct nwr_node *n, uint64_t link, struct nwr_msg *m);
/* To whoever an origin is: a peer or a link. */
void nwr_reply(struct nwr_node *n, const struct nwr_origin *o, struct nwr_msg *m);
void nwr_log(struct nwr_node *n, const char *a, const char *b);
/* Answers o, which then is nobody; takes res. borrowed: the store still reads what o->req points
 * to; then o->req stays, with these arrays, until its job frees it. */
void nwr_respond(struct nwr_node *n, struct nwr_origin *o, struct nwr_response *res, bool borrowed);
void nwr_respond_err(struct nwr_node *n, struct nwr_origin *o, enum nwr_err err, bool borrowed);

/* ---- peers (node.c) ---- */
bool nwr_is_up(const struct nwr_node *n, uint16_t ordinal);
/* Not up, but too early to say that it is gone. */
bool nwr_is_maybe(const struct nwr_node *n, uint16_t ordinal);
/* When the earliest of these stops being a maybe; NWR_NEVER: none is. */
nwr_ms nwr_maybe_until(const struct nwr_node *n, const uint16_t *list, uint32_t m);
/* Before a request is refused, once under each ring: those that are down are dialed, and are a
 * maybe until that has failed (one that has just joined was never there). False: it was done
 * before, or none is down. *knocked: the epoch in which it was done, 0 at first. */
bool nwr_knock(struct nwr_node *n, uint64_t *knocked, const uint16_t *list, uint32_t m);

/* ---- who answers late (lag.c) ---- */
/* A question with this id goes to peer; it answered one. */
void nwr_lag_asked(struct nwr_node *n, uint16_t peer, uint64_t id);
void nwr_lag_answered(struct nwr_node *n, uint16_t peer, uint64_t id);
/* It is not to be asked what others do as well. */
bool nwr_is_spared(const struct nwr_node *n, uint16_t peer);
/* It is up, and is to be asked. */
bool nwr_is_on_time(const struct nwr_node *n, uint16_t peer);

/* ---- hints (hints.c) ---- */
void nwr_hints_init(struct nwr_hints *hs, uint64_t bytes_max);
void nwr_hints_deinit(struct nwr_hints *hs);
void nwr_hints_start(struct nwr_node *n);
/* False: it is full, which is logged. data_bytes: as below. */
bool nwr_hint_room(struct nwr_node *n, uint32_t nkey, size_t data_bytes);
/* One more hint for l to store. data_bytes: what is kept only for it. False: there is no room. */
bool nwr_hint_add(struct nwr_node *n, struct nwr_lent *l, uint16_t target, nwr_pg pg,
                  const struct nwr_key *key, uint32_t nkey, size_t data_bytes);
/* An op with hints is back. */
void nwr_hints_stored(struct nwr_node *n, struct nwr_lent *l);
struct nwr_batch;
/* target did not get b after all. */
void nwr_hint_keep(struct nwr_node *n, uint16_t target, const struct nwr_batch *b);
/* A dot for a group this node does not hold. */
struct nwr_dot nwr_hint_dot(struct nwr_node *n, nwr_pg pg);
/* Records of pg are stored for a hint. */
void nwr_hint_strays(struct nwr_node *n, nwr_pg pg);

/* ---- liveness (gossip.c) ---- */
void nwr_gossip_tick(struct nwr_node *n);
void nwr_gossip_link(struct nwr_node *n, uint16_t peer, bool up);
/* Borrows m. */
void nwr_gossip_message(struct nwr_node *n, uint16_t peer, const struct nwr_msg *m);
nwr_ms nwr_gossip_deadline(const struct nwr_node *n);

/* ---- clock and counters (hlc.c, ids.c) ---- */
nwr_hlc nwr_hlc_next(struct nwr_node *n);
/* The same, and later than what a writer had seen. */
nwr_hlc nwr_hlc_later(struct nwr_node *n, nwr_hlc seen);
/* The next one will be later, unless hlc is too far ahead of this node's clock. */
void nwr_hlc_raise(struct nwr_node *n, nwr_hlc hlc);
void nwr_hlc_seen(struct nwr_node *n, const struct nwr_rows *rows);
void nwr_ids_start(struct nwr_node *n);
/* False: none is reserved; `changed` comes when there is. */
bool nwr_ids_number(struct nwr_node *n, uint64_t *k);
void nwr_ids_request(struct nwr_node *n, struct nwr_origin *o);

/* ---- ring news (epoch.c) ---- */
/* Takes r: stored, then adopted, if it is news. */
void nwr_epoch_learn(struct nwr_node *n, struct nwr_ring *r);
void nwr_epoch_ring(struct nwr_node *n, uint16_t peer, struct nwr_msg *m);
/* From one that is no member: it is told if it was one. */
void nwr_epoch_ring_link(struct nwr_node *n, uint64_t link, struct nwr_msg *m);
void nwr_epoch_tell(struct nwr_node *n, uint16_t peer);
void nwr_epoch_hold(struct nwr_node *n, uint16_t peer, struct nwr_msg *m);
struct nwr_blob *nwr_epoch_blob(const struct nwr_ring *r);

/* ---- dispatch (node.c) ---- */
/* Grows with what others ask of this node: while it does, what can wait makes pauses. */
uint64_t nwr_foreground_work(const struct nwr_node *n);
/* A request arrived; o's content moves. */
void nwr_request_start(struct nwr_node *n, struct nwr_origin *o);
/* Coordinated by this node, whoever holds the group. */
void nwr_request_here(struct nwr_node *n, struct nwr_origin *o);
void nwr_peer_message(struct nwr_node *n, uint16_t peer, struct nwr_msg *m);

/* ---- machines ---- */
void nwr_write_start(struct nwr_node *n, struct nwr_origin *o);
void nwr_read_start(struct nwr_node *n, struct nwr_origin *o);
/* Merges what all reachable replicas hold below these ranges, and repairs them; for nobody. */
void nwr_read_repair(struct nwr_node *n, nwr_pg pg, const struct nwr_range *range, uint32_t nrange);
/* One page of a group this node gains: merged from the list there is, and into this node. Ends
 * with OK when it is here. */
void nwr_read_copy(struct nwr_node *n, struct nwr_job *parent, nwr_pg pg,
                   const struct nwr_range *range);
/* One page of a group that left this node: merged, and held by a quorum of its list. */
void nwr_read_leave(struct nwr_node *n, struct nwr_job *parent, nwr_pg pg,
                    const struct nwr_range *range);
/* Of such reads that ended with OK: whether more follows, after this key; bytes of its rows. */
size_t nwr_read_bytes(const struct nwr_job *j);
bool nwr_read_page(const struct nwr_job *j, struct nwr_key *last);
void nwr_block_get_start(struct nwr_node *n, struct nwr_origin *o);
void nwr_why_start(struct nwr_node *n, struct nwr_origin *o);
/* self: why this node could not coordinate it; OK: it may. */
void nwr_forward_start(struct nwr_node *n, struct nwr_origin *o, enum nwr_err self);
/* For a job of this node: its child ends with the response's err; takes req. */
struct nwr_job *nwr_forward_job(struct nwr_node *n, struct nwr_job *parent, uint32_t slot,
                                struct nwr_request *req);
struct nwr_response *nwr_forward_response(struct nwr_job *j);
void nwr_replica_message(struct nwr_node *n, uint16_t peer, struct nwr_msg *m);
void nwr_join_start(struct nwr_node *n);
void nwr_admit_message(struct nwr_node *n, struct nwr_origin *o, struct nwr_msg *m);
void nwr_move_start(struct nwr_node *n);
void nwr_leave_start(struct nwr_node *n);
/* Groups this node stood in for may have no hint any more: they leave soon. */
void nwr_leave_strays(struct nwr_node *n);
/* Nothing keeps this node from leaving the ring: it does not, or has handed all over. */
bool nwr_leave_done(const struct nwr_node *n);
void nwr_wish_start(struct nwr_node *n, const struct nwr_reshape *what);
/* What a member says of its copies; peer may be this node. */
void nwr_move_heard(struct nwr_node *n, uint16_t peer, const struct nwr_msg *m);
/* ---- deciding the next ring (decide.c) ---- */
void nwr_register_load(struct nwr_node *n);
void nwr_register_message(struct nwr_node *n, uint16_t peer, struct nwr_msg *m);
/* Takes next, of the epoch after this one. Decided or not: `changed` tells when it is learned.
 * forced: those decide that are up, however few. */
void nwr_decide(struct nwr_node *n, struct nwr_ring *next, bool forced);
/* A next ring is being decided or stored: nothing else may be proposed. */
bool nwr_is_deciding(const struct nwr_node *n);
/* ---- driving a joint ring on (change.c) ---- */
void nwr_change_start(struct nwr_node *n);
/* A message of this epoch came from peer. */
void nwr_change_seen(struct nwr_node *n, uint16_t peer, uint64_t epoch);
void nwr_change_copied(struct nwr_node *n, uint16_t peer, uint64_t epoch);

/* ---- delivering a batch to one replica (deliver.c) ---- */
/* Immutable, counted: one batch goes to several replicas. */
struct nwr_batch {
    uint32_t refs;
    nwr_pg pg;
    enum nwr_level level;
    bool heal;            /* unreadable records are replaced (this node only); what names a block
                             that is lost goes without it */
    bool keep;            /* who was sent it and does not acknowledge is to have a hint */
    struct nwr_rows rows; /* none: only blocks */
    struct nwr_guard *guard;
    uint32_t nguard;
    struct nwr_block *block;
    uint32_t nblock;
    size_t bytes;
};
struct nwr_batch *nwr_batch_new(nwr_pg pg, enum nwr_level level);
void nwr_batch_unref(struct nwr_batch *b);
/* To peer, or into this node's own store (memory level); blocks the replica lacks follow. Ends
 * with OK when the replica has it at the batch's level; of an empty one at disk level: all that it
 * has. Takes one count. May end at once. */
struct nwr_job *nwr_deliver(struct nwr_node *n, struct nwr_job *parent, uint32_t slot,
                            uint16_t peer, struct nwr_batch *b, bool guards);
/* The same, with guards, NWR_RETRY_READ_MS later, if its parent still waits then (lag.c). */
struct nwr_job *nwr_deliver_last(struct nwr_node *n, struct nwr_job *parent, uint32_t slot,
                                 uint16_t peer, struct nwr_batch *b);
/* To a node that stands in for target. */
struct nwr_job *nwr_deliver_for(struct nwr_node *n, struct nwr_job *parent, uint32_t slot,
                                uint16_t peer, struct nwr_batch *b, uint16_t target);
/* Whether the next nodes count for this request: never where all replicas are asked for. */
bool nwr_is_sloppy(const struct nwr_request *req);
/* It changes what is stored, wherever it got to. */
bool nwr_is_write(const struct nwr_request *req);
/* Only blocks that are missing here or at peer, by name. */
struct nwr_job *nwr_supply(struct nwr_node *n, struct nwr_job *parent, uint32_t slot, uint16_t peer,
                           nwr_pg pg, const struct nwr_block_id *id, uint32_t nid);
/* Round trips it took. */
uint16_t nwr_deliver_trips(const struct nwr_job *j);
/* It ended since a block is nowhere: all who could be asked lack it, or have it rotten. */
bool nwr_deliver_lost(const struct nwr_job *j);

/* ---- getting blocks (pull.c) ---- */
/* From this node's store unless not_here, then from other replicas except `but`; stops after
 * bytes_max. Ends with OK when at least the first is there; may end before it returns. */
struct nwr_job *nwr_pull(struct nwr_node *n, struct nwr_job *parent, uint32_t slot, nwr_pg pg,
                         const struct nwr_block_id *id, uint32_t nid, bool not_here, uint16_t but,
                         size_t bytes_max);
/* Of one that failed: the first block is there, no replica can read it, and all have answered. */
bool nwr_pull_lost(const struct nwr_job *j);
/* Takes the blocks it got, in the order asked for. here_err: what the own store said. */
struct nwr_block *nwr_pull_take(struct nwr_job *j, uint32_t *nblock, enum nwr_err *here_err);

#endif
