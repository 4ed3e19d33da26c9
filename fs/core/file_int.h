/* file_int.h -- what a file is made of: the map, the push under way, the newer changes over it.
 *
 * Ownership: a file owns all of it but the mount's block cache. Thread: the loop.
 */
#ifndef NWR_FS_FILE_INT_H
#define NWR_FS_FILE_INT_H

#include "fs/core/file_gen.h"
#include "fs/core/map_tree.h"

/* Invariants (nwr_file_check): what lies at and above a size is a hole in that layer or covered
 * by a hole in a newer one, so a file that grows again reads zeros; pushed is empty unless
 * pushing; clean means dirty is empty and size is that of the map. */
struct nwr_file {
    nwr_ino ino;
    uint32_t fanout;                     /* NWR_MAP_FANOUT; tests grow deep trees with less */
    uint64_t size;                       /* with all changes */
    uint64_t size_before, size_borrowed; /* around what was borrowed last */
    bool touched;                        /* dirty whatever the rest says */
    struct nwr_map map;                  /* committed */
    struct nwr_map_src src;
    struct nwr_gen dirty;

    bool pushing;
    struct nwr_gen pushed;   /* lies between map and dirty */
    struct nwr_map next;     /* committed when the push is */
    struct nwr_block *block; /* of the push, for the cache */
    uint32_t nblock;
};

/* Appends what [lo, hi) holds, newest layer first. Complete unless needs were added. */
void nwr_file_view(struct nwr_file *f, uint64_t lo, uint64_t hi, struct nwr_segs *out,
                   struct nwr_needs *needs);
/* The bytes of an extent: its block, borrowed, if it is here and long enough. */
struct nwr_blob *nwr_file_data(struct nwr_file *f, const struct nwr_seg *seg,
                               struct nwr_needs *needs);

#endif
