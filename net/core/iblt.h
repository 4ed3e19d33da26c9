/* iblt.h -- rateless invertible Bloom lookup tables: the difference of two sets, for bytes that
 * follow the difference and not the sets (arXiv 2402.02668).
 *
 * A set is an endless row of cells. Cell i takes in each element with probability 2/(2 + i): an
 * element is in cell 0, and where it comes next is drawn from a generator seeded with its check.
 * A cell is the xor of its elements and of their checks, and their number. The cells of one set
 * minus those of another are the cells of the difference; one that holds a single element shows
 * it (its check fits), which is then taken out of all others, and so on. About 1.4 cells an
 * element are enough; cell 0 is empty when all were found.
 *
 *     one side:  source --cells [0, k)--> the other: minus its own source --feed--> decoder
 *
 * The check is SipHash-2-4 under a key the asker draws for each exchange, so nobody can prepare
 * elements that cancel out. What comes in is from outside: a decoder has a budget of cells, finds
 * no more elements than it has cells, and else says that it failed.
 *
 * Ownership: sources and decoders own their arrays. Thread: one at a time. Allocates: yes.
 */
#ifndef NWR_IBLT_H
#define NWR_IBLT_H

#include "net/core/digest.h"

enum {
    NWR_IBLT_CELLS_MAX = 1 << 14 /* of any exchange */
};

struct nwr_iblt_key {
    uint64_t k[2];
};

/* What cells add up. */
struct nwr_cell {
    struct nwr_element sum; /* xor */
    uint64_t check;         /* xor */
    int64_t count;
};

/* An element on its way through the cells. */
struct nwr_iblt_walk {
    struct nwr_element element;
    uint64_t check, state;
    uint32_t next; /* the cell it comes to next */
};

struct nwr_iblt_source {
    struct nwr_iblt_walk *walk;
    uint32_t n, cap;
    uint32_t made; /* cells given so far */
    struct nwr_iblt_key key;
};

void nwr_iblt_source_init(struct nwr_iblt_source *s, struct nwr_iblt_key key);
/* Before the first cell is made. */
void nwr_iblt_source_add(struct nwr_iblt_source *s, const struct nwr_element *e);
/* The next n cells, into zeroed ones. */
void nwr_iblt_source_cells(struct nwr_iblt_source *s, struct nwr_cell *cell, uint32_t n);
void nwr_iblt_source_deinit(struct nwr_iblt_source *s);

enum nwr_iblt_state {
    NWR_IBLT_WANTS, /* more cells */
    NWR_IBLT_DONE,
    NWR_IBLT_FAILED /* the budget is spent, or the cells are not those of two sets */
};

struct nwr_iblt_found {
    struct nwr_iblt_walk walk;
    bool theirs; /* else mine */
};

struct nwr_iblt {
    enum nwr_iblt_state state;
    struct nwr_cell *cell; /* of the difference, without what was found */
    uint32_t ncell, capcell, budget;
    struct nwr_iblt_found *found;
    uint32_t nfound, capfound;
    uint32_t *pure; /* cells to look at */
    uint32_t npure, cappure;
    struct nwr_iblt_key key;
};

/* budget: cells, at most NWR_IBLT_CELLS_MAX. */
void nwr_iblt_init(struct nwr_iblt *d, struct nwr_iblt_key key, uint32_t budget);
/* The next n cells of the other side; mine gives as many of its own. */
void nwr_iblt_feed(struct nwr_iblt *d, struct nwr_iblt_source *mine, const struct nwr_cell *theirs,
                   uint32_t n);
void nwr_iblt_deinit(struct nwr_iblt *d);

/* Cells as bytes; first: number of the first one, total: elements of the set, from which the
 * expected count of a cell is known and need not travel. in: false when malformed. */
void nwr_cells_out(struct nwr_out *o, const struct nwr_cell *cell, uint32_t n, uint32_t first,
                   uint64_t total);
bool nwr_cells_in(struct nwr_in *i, struct nwr_cell *cell, uint32_t n, uint32_t first,
                  uint64_t total);

/* SipHash-2-4 of an element. */
uint64_t nwr_iblt_check(struct nwr_iblt_key key, const struct nwr_element *e);

#endif
