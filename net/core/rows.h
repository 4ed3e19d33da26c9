/* rows.h -- comparing and merging what replicas answered to one read (DESIGN 5).
 *
 * Several ranges are read in order and cut together at NWR_SCAN_ROWS: an answer with `more` is
 * whole for the ranges before the one it stopped in, and for that one up to its last key.
 *
 * Ownership: results are the caller's. Thread: any. Allocates: yes.
 */
#ifndef NWR_ROWS_H
#define NWR_ROWS_H

#include "nwr/volume.h"

/* Hash over (key, nwr_record_hash) of all rows that say anything. */
uint64_t nwr_rows_digest(const struct nwr_rows *rows, bool more);
/* Hash over rows that show several versions; 0: none does. */
uint64_t nwr_rows_siblings(const struct nwr_rows *rows);
bool nwr_record_same(const struct nwr_record *a, const struct nwr_record *b);

/* Removes records that say nothing: no version, nothing retired, empty context. */
void nwr_rows_prune(struct nwr_rows *rows);

/* How far an answer is whole. */
struct nwr_cut {
    uint32_t range; /* UINT32_MAX: to the end */
    struct nwr_key key;
};
struct nwr_cut nwr_rows_cut_of(const struct nwr_rows *rows, bool more,
                               const struct nwr_range *range, uint32_t nrange);
/* Where max rows of the ranges end; to the end if there are no more. */
struct nwr_cut nwr_rows_page(const struct nwr_rows *rows, const struct nwr_range *range,
                             uint32_t nrange, uint32_t max);
/* Cuts until they take about so many bytes in a message, or one row of the ranges is left; true if
 * any row went. */
bool nwr_rows_fit(struct nwr_rows *rows, const struct nwr_range *range, uint32_t nrange,
                  size_t bytes_max);
struct nwr_cut nwr_cut_min(const struct nwr_cut *a, const struct nwr_cut *b);
/* Keeps rows before the cut and the objects that kept rows refer to; true if any row went. */
bool nwr_rows_cut(struct nwr_rows *rows, const struct nwr_cut *cut, const struct nwr_range *range,
                  uint32_t nrange);

/* Drops from rows what the floor of other says is superseded: versions that its record of the same
 * key does not have; where it has no such record, only keys that were asked for, up to its cut
 * (NULL: none of them). True: any went. */
bool nwr_rows_refuse(struct nwr_rows *rows, const struct nwr_rows *other, const struct nwr_cut *cut,
                     const struct nwr_range *range, uint32_t nrange);

/* Inodes that rows of follow ranges refer to within pg, ascending, each once. */
struct nwr_inos {
    nwr_ino *ino;
    uint32_t n, cap;
};
void nwr_rows_refs(const struct nwr_rows *rows, nwr_pg pg, const struct nwr_range *range,
                   uint32_t nrange, struct nwr_inos *out);
bool nwr_inos_has(const struct nwr_inos *s, nwr_ino ino);

/* The rows of `all` that `has` (or, where it has none, `also`) does not hold alike. */
void nwr_rows_stale(const struct nwr_rows *all, const struct nwr_rows *has,
                    const struct nwr_rows *also, struct nwr_rows *out);

#endif
