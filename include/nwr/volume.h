/* volume.h -- the one interface through which fs sees the replicated volume.
 *
 * Implemented in-process by the replicator (net/uv over net/core) and, for a mount without
 * storage, by net/link. Asynchronous: submit takes the request; done runs exactly once, on the
 * loop thread, never before submit returned; the response is borrowed inside done, then the
 * request is destroyed by the volume. Every request ends within NWR_DEADLINE_MS.
 *
 * A request concerns one placement group (STATFS, STATUS, IDS: none). Quorums: w and r of 0
 * mean the volume's default; NWR_QUORUM_ALL means all N.
 *
 *   READ       ranges of keys, merged over R replicas, at W before it is returned (DESIGN 5)
 *   PUT        a batch: writes, guards, blocks that travel with it; atomic at each replica
 *   BLOCK_PUT  blocks ahead of the batch that refers to them; W replicas hold them after it
 *   BLOCK_GET  one block, from this node or any replica that has it
 *   IDS        a range of inode counters, durable before it is answered
 *   STATFS     capacity; STATUS, WHY: a text (JSON) for people
 */
#ifndef NWR_VOLUME_H
#define NWR_VOLUME_H

#include "nwr/dvv.h"
#include "nwr/key.h"

#define NWR_QUORUM_ALL 255

enum nwr_op {
    NWR_OP_READ,
    NWR_OP_PUT,
    NWR_OP_BLOCK_PUT,
    NWR_OP_BLOCK_GET,
    NWR_OP_IDS,
    NWR_OP_STATFS,
    NWR_OP_STATUS,
    NWR_OP_WHY
};

/* Keys k with prefix <= k, k > after (if after.len), at most NWR_SCAN_ROWS in all (and about
 * NWR_READ_BYTES, objects counted). exact: only the key `prefix` itself. follow: for every
 * version found that has a `ref` in the same PG, also the whole object of that inode (tombstones
 * too). Rows come sorted by key, each key once. indexed: of the range only what the replicas keep
 * an index of: entries and contents in conflict (several live versions, or a void beside one),
 * attributes of inodes without a live link, and of the live links of one inode that refer to it
 * (those of directories, of which there should be one) all but the latest; and marks of which one
 * refers to an inode. A conflict that no
 * replica asked has whole is not in it yet, and a replica where it is over has no row to say so:
 * such rows say where to look, not what is there. loud: a row beside a name (nwr/key.h) is left out
 * where nothing of the inode that it leads to can be shown, as far as each replica asked can tell
 * (nwr_silent); where those have not the same, rows and inodes, nothing is left out. */
struct nwr_range {
    struct nwr_key prefix, after;
    bool exact, follow, indexed, loud;
};

struct nwr_row {
    struct nwr_key key;
    struct nwr_record rec;
};

struct nwr_rows {
    struct nwr_row *row;
    uint32_t n, cap;
    struct nwr_vv floor; /* between replicas: speaks for what is not there (net/core/floor.h) */
    uint64_t silent;     /* between replicas: sum over the rows that were left out (loud) */
};

/* Whether nothing of an inode without a name can ever be shown, unless something comes that is not
 * among these rows of its object. Two replicas that both say so must be right of what they have
 * together. fs knows (fs/core/silent.c); what stores records is told whom to ask. */
typedef bool nwr_silent(const struct nwr_rows *object, nwr_ino ino);

/* One record of a batch. */
struct nwr_write {
    struct nwr_key key;
    struct nwr_seen *seen; /* what it replaces */
    uint32_t nseen;
    nwr_wid *retire;
    uint32_t nretire;
    bool discard;         /* only remove; v is not used */
    bool fresh;           /* its writer's note, not sent: v.wid was made for this try */
    struct nwr_version v; /* wid, uid, flags, ref, past, body, blocks; dot, hlc, k are given */
};

enum nwr_guard_kind {
    NWR_GUARD_SEEN,  /* E_SUPERSEDED if key has a live version that `seen` does not name;
                        looked at by the coordinator only */
    NWR_GUARD_ALIVE, /* E_DEAD if key (marks of an inode) has a HIDDEN version that `seen` does not
                        name: it is removed, or being removed; each replica */
    NWR_GUARD_EMPTY, /* E_NOTEMPTY if any record below prefix key is live; each replica */
    NWR_GUARD_BARE   /* as EMPTY, and if a HIDDEN version below it refers to an inode, which may
                        show there again */
};

struct nwr_guard {
    enum nwr_guard_kind kind;
    struct nwr_key key;
    struct nwr_seen *seen;
    uint32_t nseen;
};

/* A block with its bytes; refs are the blocks it names itself (a node of an extent tree). */
struct nwr_block {
    struct nwr_block_id id;
    struct nwr_blob *data;
    struct nwr_block_id *refs;
    uint32_t nrefs;
};

struct nwr_response;

struct nwr_request {
    enum nwr_op op;
    nwr_pg pg;
    uint8_t w, r;
    bool sloppy;             /* the next nodes may stand in for replicas that are away */
    enum nwr_level level;    /* PUT, BLOCK_PUT */
    nwr_hlc hlc;             /* PUT: the newest its writer has seen of what it changes; it gets a
                                later one. A clock that is far ahead is not followed otherwise */
    struct nwr_range *range; /* READ */
    uint32_t nrange;
    struct nwr_write *write; /* PUT */
    uint32_t nwrite;
    struct nwr_guard *guard;
    uint32_t nguard;
    struct nwr_block *block; /* PUT, BLOCK_PUT; BLOCK_GET: block[0].id */
    uint32_t nblock;
    uint64_t count;     /* IDS: how many */
    struct nwr_key key; /* WHY */

    uint64_t token; /* the caller's */
    void *user;     /* the caller's */
    void (*done)(struct nwr_request *req, const struct nwr_response *res);
};

struct nwr_response {
    enum nwr_err err;
    struct nwr_rows rows; /* READ; may be taken by the callee: it zeroes them */
    bool more;            /* READ: rows were cut at NWR_SCAN_ROWS (follow rows not counted)
                             or NWR_READ_BYTES (counted); rows given have all their objects */
    struct nwr_dot dot;   /* PUT: the dot, hlc and number all writes of the batch got */
    nwr_hlc hlc;
    uint64_t k;
    uint8_t acks;                            /* PUT: replicas that had it when it was answered */
    struct nwr_blob *data;                   /* BLOCK_GET; STATUS, WHY: JSON text */
    uint64_t first;                          /* IDS */
    uint16_t ordinal;                        /* IDS: for nwr_ino_make */
    uint64_t bytes_total, bytes_free, files; /* STATFS */
    uint16_t round_trips;                    /* network round trips it waited for */
    bool once;                               /* PUT: one coordinator was asked, this dot is the
                                                only one: `seen` may name it without its wid */
};

/* What a mount must know of its volume when it starts. */
struct nwr_volume_info {
    uint64_t id;
    uint16_t pgs;
    uint8_t n, w, r;
    uint32_t uid, gid; /* the creator: owner of the root */
};

struct nwr_volume {
    struct nwr_volume_info info;
    void (*submit)(struct nwr_volume *v, struct nwr_request *req);
};

struct nwr_request *nwr_request_new(enum nwr_op op, nwr_pg pg);
void nwr_request_destroy(struct nwr_request *req);
struct nwr_range *nwr_request_range(struct nwr_request *req); /* a zeroed one, appended */
struct nwr_write *nwr_request_write(struct nwr_request *req);
struct nwr_guard *nwr_request_guard(struct nwr_request *req);
struct nwr_block *nwr_request_block(struct nwr_request *req);
void nwr_write_seen(struct nwr_write *w, struct nwr_dot dot, nwr_wid wid);
void nwr_write_retire(struct nwr_write *w, nwr_wid wid);
void nwr_guard_seen(struct nwr_guard *g, struct nwr_dot dot, nwr_wid wid);

void nwr_rows_deinit(struct nwr_rows *rows);
/* Inserts or finds the row of key; rows stay sorted. A new one has an empty record. */
struct nwr_row *nwr_rows_at(struct nwr_rows *rows, const struct nwr_key *key);
/* All of `from` comes into `rows` too (nwr_record_sync), in one pass; both are sorted. */
void nwr_rows_merge(struct nwr_rows *rows, const struct nwr_rows *from);
const struct nwr_row *nwr_rows_find(const struct nwr_rows *rows, const struct nwr_key *key);
/* First index whose key is >= key. */
uint32_t nwr_rows_lower(const struct nwr_rows *rows, const struct nwr_key *key);
void nwr_response_deinit(struct nwr_response *res);

#endif
