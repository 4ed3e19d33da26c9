/* file.h -- the contents of one open or cached regular file: committed extents under dirty bytes.
 *
 * A content version's extents form a tree: items {file offset, length, block, offset in block}
 * sorted by offset; up to NWR_MAP_FANOUT items stand in the version itself (depth 0), above that
 * in node blocks, so that a small overwrite of a huge file writes its data and a few KiB of
 * map. Holes are absent extents. A file of up to one block is one item: a small file is one
 * block that travels with its batch.
 *
 * Dirty bytes lie over the committed map until they are pushed. Reading and pushing may need
 * blocks that are not in memory: the call then lists them in `needs` and is made again when
 * nwr_file_have() has brought them (no callbacks, no order to obey). Blocks once read stay in
 * the mount's block cache (bounded).
 *
 *   clean --write--> dirty --push_begin--> pushing (+dirty again by new writes) --push_end--> clean
 *
 * A failed push puts its bytes back under the newer dirty ones: nothing acknowledged to a
 * writer is dropped until close or fsync has reported the error.
 *
 * Pure. Ownership: a file owns its pieces; blobs by count. Thread: the loop.
 */
#ifndef NWR_FS_FILE_H
#define NWR_FS_FILE_H

#include "nwr/volume.h"

#define NWR_MAP_FANOUT 256
#define NWR_MAP_DEPTH_MAX 4
#define NWR_FRAGMENTS_MAX 64               /* more per MiB: the next push rewrites that MiB whole */
#define NWR_FILE_MAX ((uint64_t)INT64_MAX) /* bytes of a file; the caller refuses what is beyond */
#define NWR_NEEDS_MAX 256 /* blocks asked for at once; the next call asks for the rest */

/* Body of a content version behind its header (body.h): size and the root of the map.
 * An item that names a node has the offset of the first extent below it in `off`, and the bytes
 * that the extents below it cover in block_off << 32 | len: what st_blocks and SEEK_HOLE need
 * to know without reading the node. */
struct nwr_extent {
    uint64_t off;
    uint32_t len;
    uint32_t block_off;
    struct nwr_block_id block;
};

struct nwr_map { /* root as it stands in a version */
    uint64_t size;
    uint8_t depth; /* 0: items are data; else blocks are nodes of depth - 1 */
    struct nwr_extent *item;
    uint32_t n;
};

void nwr_map_encode(const struct nwr_map *map, struct nwr_out *o);
/* Sorted, no overlap, within size, or NWR_E_FORMAT and *map untouched. Reads no further than
 * the map's own end. */
enum nwr_err nwr_map_decode(struct nwr_map *map, struct nwr_in *in);
void nwr_map_copy(struct nwr_map *dst, const struct nwr_map *src);
void nwr_map_deinit(struct nwr_map *map);

/* Blocks that must be fetched before a call can go on. Zeroed by the caller before each call.
 * err: a block that came is not what the map says (NWR_E_CORRUPT), or the map cannot grow
 * (NWR_E_FBIG); the call returned false, and asking again is of no use. */
struct nwr_needs {
    struct nwr_block_id *id;
    uint32_t n, cap;
    enum nwr_err err;
};
void nwr_needs_add(struct nwr_needs *needs, struct nwr_block_id id); /* once each */
void nwr_needs_deinit(struct nwr_needs *needs);

/* A cache of immutable blocks, shared by a mount's files; least recently used goes first. */
struct nwr_block_cache;
struct nwr_block_cache *nwr_block_cache_create(size_t bytes_max);
void nwr_block_cache_destroy(struct nwr_block_cache *c);
/* Borrowed until the next put; NULL. */
struct nwr_blob *nwr_block_cache_get(struct nwr_block_cache *c, const struct nwr_block_id *id);
void nwr_block_cache_put(struct nwr_block_cache *c, const struct nwr_block_id *id,
                         struct nwr_blob *data);

struct nwr_file;
struct nwr_slice_list { /* pieces of a read; blob NULL: zeros; each blob one count */
    struct nwr_slice {
        struct nwr_blob *blob;
        uint32_t off, len;
    } * slice;
    uint32_t n, cap;
};
void nwr_slices_deinit(struct nwr_slice_list *list);

/* An empty file of ino: its blocks will be named by that number. */
struct nwr_file *nwr_file_create(nwr_ino ino, struct nwr_block_cache *cache);
void nwr_file_destroy(struct nwr_file *f);
/* The committed contents are these now; only while clean. */
void nwr_file_rebase(struct nwr_file *f, const struct nwr_map *map);
/* The committed contents are lost: what is not dirty reads as zeros, at the same size. */
void nwr_file_drop_map(struct nwr_file *f);
uint64_t nwr_file_size(const struct nwr_file *f);        /* with dirty bytes and truncation */
uint64_t nwr_file_blocks(const struct nwr_file *f);      /* st_blocks, 512 bytes each: allocated */
bool nwr_file_dirty(const struct nwr_file *f);           /* also while a push is under way */
uint64_t nwr_file_dirty_bytes(const struct nwr_file *f); /* not yet handed to a push */

/* A block named by `needs` is here (copies the count): it goes to the block cache, and stays with
 * the file until the call that asked for it is through, however small the cache is. */
void nwr_file_have(struct nwr_file *f, const struct nwr_block_id *id, struct nwr_blob *data);

/* Writes never wait; data is kept by count, not copied (small pieces may be joined). */
void nwr_file_write(struct nwr_file *f, uint64_t off, struct nwr_blob *data, uint32_t from,
                    uint32_t len);
/* Shrinks or grows; cut bytes read as zeros ever after. */
void nwr_file_truncate(struct nwr_file *f, uint64_t size);
/* Nothing changes, but it is dirty: written to without a difference. */
void nwr_file_touch(struct nwr_file *f);
/* Makes a hole. */
void nwr_file_punch(struct nwr_file *f, uint64_t off, uint64_t len);

/* [to_off, to_off + len) of `to` becomes what `from` (both of one PG; may be the same) has at
 * from_off, within its size: blocks are borrowed by name. False: needs, and nothing is changed. */
bool nwr_file_copy(struct nwr_file *to, uint64_t to_off, struct nwr_file *from, uint64_t from_off,
                   uint64_t len, struct nwr_needs *needs);
/* Something borrowed is not yet named by a version of this file. */
bool nwr_file_borrows(const struct nwr_file *f);
/* Gives up what is borrowed; not while a push is under way. */
void nwr_file_return(struct nwr_file *f);

/* At most len bytes from off; short at the end of the file. True: out (zeroed by the caller) is
 * complete. False: out is empty, needs names blocks, fetch them and ask again. */
bool nwr_file_read(struct nwr_file *f, uint64_t off, uint32_t len, struct nwr_slice_list *out,
                   struct nwr_needs *needs);
/* SEEK_DATA / SEEK_HOLE from off. True: *result is set (UINT64_MAX: ENXIO). */
bool nwr_file_seek(struct nwr_file *f, uint64_t off, bool hole, uint64_t *result,
                   struct nwr_needs *needs);

/* A push takes what is dirty now. True: push holds new blocks (data first, then map nodes; each
 * with refs) and the new map; false: needs. Blocks are named (ino, wid, 0..). One push at a
 * time; wid was never used before. push is zeroed by the caller, and its own until
 * nwr_push_deinit. Blocks in all no more than NWR_BATCH_BLOCKS_BYTES may travel with the batch. */
struct nwr_push {
    struct nwr_block *block;
    uint32_t nblock, cap;
    uint64_t block_bytes;
    struct nwr_map map;
    struct nwr_block_id *root; /* blocks the map names directly, once each: nwr_version.blocks */
    uint32_t nroot;
};
bool nwr_file_push_begin(struct nwr_file *f, nwr_wid wid, struct nwr_push *push,
                         struct nwr_needs *needs);
/* ok: the map pushed is the committed one; else its bytes are dirty again. */
void nwr_file_push_end(struct nwr_file *f, bool ok);
void nwr_push_deinit(struct nwr_push *push);
void nwr_file_check(const struct nwr_file *f);

#endif
