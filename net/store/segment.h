/* segment.h -- append-only files for blocks of NWR_BLOCK_SEGMENT bytes and more.
 *
 *     DIR/000001.seg, 000002.seg, ...      one is appended to, up to NWR_SEGMENT_BYTES
 *     block: at a multiple of 4096: header(48): magic, len, id(20), 0, sum, header sum; its bytes
 *
 * Bytes go past the page cache (O_DIRECT, where the file system can): three nodes that write to
 * one disk through it were measured at 41 MB/s each, past it at 960 MB/s, and nobody reads them
 * back soon from here. Reads use the cache.
 *
 * Written once, never in place: an offset is never used again. The index (RocksDB) says where a
 * block is; bytes go into the file before the index points at them. Room of a block nothing
 * points at is given back once that is on disk: a hole is punched, a file without live bytes is
 * removed. Headers repeat what the index knows, so that an index could be built from them.
 *
 * Thread: put, get, drop, live, sparse on one thread at a time; sync, reclaim on another.
 */
#ifndef NWR_STORE_SEGMENT_H
#define NWR_STORE_SEGMENT_H

#include "net/store/kv.h"

#define NWR_SEGMENT_BYTES ((uint64_t)256 << 20)

struct nwr_segments;

enum nwr_err nwr_segments_open(struct nwr_segments **out, const char *dir, uint64_t segment_bytes);
void nwr_segments_close(struct nwr_segments *s);
/* The index refers to place: counted as live. At open, before anything else. NULL: from zero. */
void nwr_segments_live(struct nwr_segments *s, const struct nwr_place *place);
enum nwr_err nwr_segments_put(struct nwr_segments *s, const struct nwr_block *b,
                              struct nwr_place *place);
/* cached: E_BUSY unless the bytes are in memory already. */
enum nwr_err nwr_segments_get(struct nwr_segments *s, const struct nwr_place *place, bool cached,
                              struct nwr_blob **out);
/* A get reads them from the disk, whatever is in memory. */
void nwr_segments_cool(struct nwr_segments *s, const struct nwr_place *place);
/* Starts reading what a get will want. */
void nwr_segments_hint(struct nwr_segments *s, const struct nwr_place *place);
/* Nothing refers to place any more; takes effect at a reclaim after this is on disk. */
void nwr_segments_drop(struct nwr_segments *s, const struct nwr_place *place);
/* Puts on disk what was put. *mark says up to which drop a reclaim may go once the index is on
 * disk too. */
enum nwr_err nwr_segments_sync(struct nwr_segments *s, uint64_t *mark);
void nwr_segments_reclaim(struct nwr_segments *s, uint64_t mark);
/* Drops wait for a reclaim. */
bool nwr_segments_waiting(struct nwr_segments *s);
/* A full file of which less than a quarter is live, or 0; `after` and below are passed over. */
uint32_t nwr_segments_sparse(struct nwr_segments *s, uint32_t after);
void nwr_segments_stat(struct nwr_segments *s, uint64_t *bytes, uint64_t *live);

#endif
