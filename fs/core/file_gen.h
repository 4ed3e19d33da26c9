/* file_gen.h -- one generation of changes to a file: data, holes, borrowed blocks, sorted.
 *
 * A file has at most two: what is being pushed, and what is newer than that.
 *
 * Ownership: a generation owns one count of each piece's blob. Thread: the loop.
 */
#ifndef NWR_FS_FILE_GEN_H
#define NWR_FS_FILE_GEN_H

#include "nwr/blob.h"
#include "nwr/limits.h"
#include "nwr/types.h"

struct nwr_piece {
    uint64_t off, len;
    struct nwr_blob *blob; /* NULL: a hole, or borrowed */
    uint32_t from;
    bool borrowed; /* part of a block of another file, or of this one, from `from` on */
    bool open;     /* the blob's bytes behind this piece are nobody's: it may grow in place */
    struct nwr_block_id block;
};

/* Invariants (nwr_gen_check): sorted, len > 0, no overlap; bytes is the sum of the data. */
struct nwr_gen {
    struct nwr_piece *p;
    uint32_t n, cap;
    uint64_t bytes;
};

static inline uint64_t nwr_piece_end(const struct nwr_piece *p)
{
    return p->off + p->len;
}

static inline bool nwr_piece_is_hole(const struct nwr_piece *p)
{
    return !p->blob && !p->borrowed;
}

/* Index of the first piece that ends behind off. */
uint32_t nwr_gen_lower(const struct nwr_gen *g, uint64_t off);
/* Data at off; small pieces are copied and joined, others kept by count. */
void nwr_gen_write(struct nwr_gen *g, uint64_t off, struct nwr_blob *data, uint32_t from,
                   uint32_t len);
void nwr_gen_hole(struct nwr_gen *g, uint64_t lo, uint64_t hi);
/* [off, off + len) is what the block holds from `from` on. */
void nwr_gen_borrow(struct nwr_gen *g, uint64_t off, uint64_t len, const struct nwr_block_id *block,
                    uint32_t from);
bool nwr_gen_borrows(const struct nwr_gen *g);
/* Forgets all that is borrowed. */
void nwr_gen_return(struct nwr_gen *g);
/* Forgets what [lo, hi) held. */
void nwr_gen_forget(struct nwr_gen *g, uint64_t lo, uint64_t hi);
/* Puts the pieces of old under those of g; old is empty then. */
void nwr_gen_merge(struct nwr_gen *g, struct nwr_gen *old);
void nwr_gen_deinit(struct nwr_gen *g);
void nwr_gen_check(const struct nwr_gen *g);

#endif
