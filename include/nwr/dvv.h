/* dvv.h -- the dotted causal container: a key's concurrent versions and what they cover.
 *
 * Dotted Version Vectors (Preguiça, Baquero et al. 2012; the verbs sync, join, event, discard
 * are theirs) and DottedDB's explicit dots. DESIGN 3 states the rules; each has a test that
 * fails without it. A context is a version vector plus a set of exact dots: only a node giving
 * its own dot, or the sync of a whole container, advances the vector; the dots a write says it
 * replaces go to the exact set.
 *
 * Ownership: a record owns its arrays and one count of every blob. Thread: any, one at a time.
 */
#ifndef NWR_DVV_H
#define NWR_DVV_H

#include "nwr/err.h"
#include "nwr/pack.h"
#include "nwr/types.h"

/* Sorted by actor, one entry each. */
struct nwr_vv {
    struct nwr_dot *e;
    uint32_t n, cap;
};

/* Invariants: vv sorted, counters > 0; dots sorted, unique, none covered by vv. */
struct nwr_ctx {
    struct nwr_vv vv;
    struct nwr_vv dots; /* sorted by (actor, counter); several an actor */
};

enum nwr_version_flag {
    NWR_V_TOMBSTONE = 1, /* a delete: keeps dot, hlc, uid, ref; no body */
    NWR_V_HIDDEN = 2,    /* not live for EMPTY guards and counts (a void) */
    NWR_V_MARK = 4,      /* never replaced; does not count as a sibling */
    NWR_V_ONCE = 8       /* its write_id has this one dot and never gets another: set by a writer
                            for a random write_id that it does not send again, cleared by whoever
                            forwards the write (it may be tried again through a second
                            coordinator), before the first try. Removing it retires nothing, so
                            overwriting a file for years does not grow its record. */
};

/* Versions that a three-way merge may start from; net/README.md, "Kept ancestors". */
#define NWR_BASES_MAX 2

struct nwr_version {
    struct nwr_dot dot;
    nwr_hlc hlc;
    nwr_wid wid;
    uint64_t k;                  /* sibling number: ordinal + 1000 j, given by the coordinator */
    uint32_t uid;                /* who wrote it */
    uint8_t flags;               /* enum nwr_version_flag */
    nwr_ino ref;                 /* inode whose records travel with this one in a scan; 0 none */
    struct nwr_vv past;          /* what its writer had seen, with its own dot: display, ancestry */
    struct nwr_blob *body;       /* NULL = empty */
    struct nwr_block_id *blocks; /* blocks this version refers to directly */
    uint32_t nblocks;
    struct nwr_dot base[NWR_BASES_MAX]; /* newest first; given by the coordinator, never changed */
    uint8_t nbase;
};

/* Invariants (nwr_record_check): v sorted by dot, every dot in ctx, no wid in retired;
 * retired sorted, unique; kept sorted by dot, each a base of one of v and none of v. A record
 * with n = 0 is still a record: its context forbids. */
struct nwr_record {
    struct nwr_ctx ctx;
    struct nwr_version *v;
    uint32_t n, cap;
    struct nwr_version *kept; /* replaced versions, whole: bases of those that are there */
    uint32_t nkept, capkept;
    nwr_wid *retired;
    uint32_t nretired, capretired;
};

/* ---- contexts ---- */
bool nwr_ctx_has(const struct nwr_ctx *c, struct nwr_dot d);
/* Adds one exact dot (counter > 0). The verbs that return bool say whether they changed
 * anything. */
bool nwr_ctx_add(struct nwr_ctx *c, struct nwr_dot d);
/* A node gave its own dot: the vector entry of that actor advances to it. */
void nwr_ctx_event(struct nwr_ctx *c, struct nwr_dot own);
bool nwr_ctx_join(struct nwr_ctx *c, const struct nwr_ctx *other);
void nwr_ctx_deinit(struct nwr_ctx *c);
uint64_t nwr_vv_get(const struct nwr_vv *vv, nwr_actor a);
bool nwr_vv_raise(struct nwr_vv *vv, struct nwr_dot d); /* entry = max(entry, counter) */
bool nwr_vv_join(struct nwr_vv *vv, const struct nwr_vv *other);
void nwr_vv_copy(struct nwr_vv *dst, const struct nwr_vv *src); /* dst uninitialised */
void nwr_vv_deinit(struct nwr_vv *vv);
/* Display form: one pair an ordinal, counters summed over its incarnations (so that a greater
 * vector never reads smaller): "1,2;2,1". Caller frees with nwr_free. */
char *nwr_vv_text(const struct nwr_vv *vv);

/* ---- records ---- */
void nwr_record_deinit(struct nwr_record *r);
void nwr_record_copy(struct nwr_record *dst, const struct nwr_record *src); /* dst uninitialised */
void nwr_version_copy(struct nwr_version *dst, const struct nwr_version *src);
void nwr_version_deinit(struct nwr_version *v);

/* Merges src into dst (DESIGN 3): keeps a version both have, or one has and the other's context
 * does not cover; joins contexts; joins retired and drops what it names. Never collapses.
 * Returns true if dst changed. Commutative, associative, idempotent. Works on whole containers
 * and on deltas (a delta is a record whose context has exact dots only). What goes from v, and
 * what src keeps, is kept where a version that is left names it as a base. */
bool nwr_record_sync(struct nwr_record *dst, const struct nwr_record *src);

/* A coordinator's write: v (copied; v->dot set by the caller, already this node's own, the next
 * of its actor and not yet in this record) replaces exactly `seen`, retires `retire`. Versions
 * live here under a wid named in `seen` go too, and every wid of `seen` is retired: a copy of it
 * that another coordinator took must go as well. Fills past with v->past, the dots named, the
 * pasts of versions replaced and its own dot; advances the vector entry of v->dot.actor, which
 * is right only if this record holds or has seen every earlier dot of that actor for this key.
 * A version whose wid is already live here or retired is not added: the retry of a write that is
 * live here is answered with the dot it got the first time; one that was removed since, with
 * v->dot. An entry with wid 0 is by someone who knows that its dot is the only one: it retires
 * nothing. `dot` may be NULL. Entries that name v->wid itself are ignored, and so are dots of
 * counter 0 (only the wid is named) and dots v->dot.actor has not given yet. */
void nwr_record_put(struct nwr_record *r, const struct nwr_version *v, const struct nwr_seen *seen,
                    uint32_t nseen, const nwr_wid *retire, uint32_t nretire, struct nwr_dot *dot);
/* Removal without a version: names seen and retire only. */
void nwr_record_discard(struct nwr_record *r, const struct nwr_seen *seen, uint32_t nseen,
                        const nwr_wid *retire, uint32_t nretire);

/* ---- kept ancestors ---- */
/* For who takes versions out of a record: of v, which is out of its list, the record takes what it
 * has if one of its versions, or of `other` (NULL: none), names it as a base; else it is freed. */
void nwr_record_let_go(struct nwr_record *r, struct nwr_version *v, const struct nwr_record *other);
/* Drops from kept what is no base of a version of v; true if anything went. */
bool nwr_record_prune_kept(struct nwr_record *r);
/* The version a merge of a and b, of this record, starts from: the newest kept one that both name,
 * by hlc; NULL: none is kept. Their pasts cannot say: two siblings that one actor gave count there
 * as one after the other. */
const struct nwr_version *nwr_record_base(const struct nwr_record *r, const struct nwr_version *a,
                                          const struct nwr_version *b);
/* Of v and kept, n + nkept in all: whatever has blocks here. */
const struct nwr_version *nwr_record_stored(const struct nwr_record *r, uint32_t i);

/* Bytes it keeps alive: what pages and queues count. Its bytes on disk or the wire are fewer. */
size_t nwr_record_bytes(const struct nwr_record *r);
size_t nwr_version_bytes(const struct nwr_version *v);
/* Live: neither tombstone nor hidden nor mark. */
uint32_t nwr_record_live(const struct nwr_record *r);
const struct nwr_version *nwr_record_find(const struct nwr_record *r, struct nwr_dot d);
/* Equal for two records exactly when contexts' relevant state agrees: hash over the sorted
 * (dot, wid) of versions and the retired list. Contexts that differ only in how they cover the
 * same absence do not differ, nor those that differ in what they keep. */
uint64_t nwr_record_digest(const struct nwr_record *r);
void nwr_record_check(const struct nwr_record *r);

/* Disk and wire form: format 2 where a version has bases, else 1. Decoding copies. Any error:
 * NWR_E_FORMAT, *r untouched. */
void nwr_record_encode(const struct nwr_record *r, struct nwr_out *o);
enum nwr_err nwr_record_decode(struct nwr_record *r, const void *data, size_t len);

#endif
