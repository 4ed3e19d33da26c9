/* reads.h -- what each process last read through a name, and what this mount itself wrote.
 *
 * A program that saves by a temporary file and a rename, or by O_TRUNC, replaces what it had read,
 * not what has arrived since (DESIGN 9). Both tables are bounded: what was pushed out, or read by
 * a process nobody knows, counts as unknown, and then the head is replaced, as everywhere.
 *
 * Pure. Ownership: values. Thread: the loop.
 */
#ifndef NWR_FS_READS_H
#define NWR_FS_READS_H

#include "nwr/types.h"

#define NWR_READS_MAX 1024 /* names; a power of two */
#define NWR_READS_WAYS 4
#define NWR_WROTE_MAX 1024 /* versions */
#define NWR_ONCE_MAX 65536 /* write_ids; a power of two */

struct nwr_read {
    uint64_t process, name; /* key of the process, nwr_name_hash */
    nwr_ino root;           /* whose version it is */
    struct nwr_seen seen;
    uint64_t at;
};

struct nwr_reads {
    struct nwr_read e[NWR_READS_MAX];
    uint64_t now;
    nwr_wid wrote[NWR_WROTE_MAX];
    uint32_t next;
    nwr_wid once[NWR_ONCE_MAX];
};

/* The process (0: unknown, ignored) has read this version through the name. */
void nwr_reads_put(struct nwr_reads *r, uint64_t process, uint64_t name, nwr_ino root,
                   struct nwr_seen seen);
/* wid 0: unknown. */
struct nwr_seen nwr_reads_get(const struct nwr_reads *r, uint64_t process, uint64_t name);
/* The same, of this inode: where the name led to another one then, there is no dot, since that says
 * nothing in this record, or worse: another group may give the same one. */
struct nwr_seen nwr_reads_of(const struct nwr_reads *r, uint64_t process, uint64_t name,
                             nwr_ino root);
/* This mount has put something else under the name: what processes read there before is no base of
 * what they do to it now. Two processes of one mount never conflict. */
void nwr_reads_renew(struct nwr_reads *r, uint64_t name);
void nwr_reads_wrote(struct nwr_reads *r, nwr_wid wid);
bool nwr_reads_own(const struct nwr_reads *r, nwr_wid wid);
/* This mount wrote it, and its dot is the only one (nwr_response.once): whoever replaces it need
 * not retire it. Most of what a mount replaces it wrote itself, so records do not grow. */
void nwr_reads_once(struct nwr_reads *r, nwr_wid wid);
bool nwr_reads_is_once(const struct nwr_reads *r, nwr_wid wid);

#endif
