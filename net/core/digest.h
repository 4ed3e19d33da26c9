/* digest.h -- a record as one element of a set, and a placement group as the sum of its elements.
 *
 * Two replicas of a PG hold the same when their digests are equal; where they differ, the set
 * difference of their elements (iblt.h) says which records do (DESIGN 7). An element names its
 * record at once, so both sides can look it up. Records that say nothing are no elements.
 *
 * Ownership: values. Thread: any. Allocates: no.
 */
#ifndef NWR_DIGEST_H
#define NWR_DIGEST_H

#include "nwr/dvv.h"
#include "nwr/key.h"

struct nwr_object_id {
    uint64_t half[2]; /* hash of the key, 128 bits */
};

struct nwr_element {
    struct nwr_object_id id;
    uint64_t version; /* nwr_record_hash */
};

/* Sums wrap around: adding and removing commute, so a store keeps it current in each commit. */
struct nwr_pg_digest {
    uint64_t sum[2];
    uint64_t records;
};

/* No version, nothing retired, empty context. */
bool nwr_record_says_nothing(const struct nwr_record *r);
/* Over what nwr_record_digest covers, and what a record without versions forbids: else an absence
 * once read could vanish. */
uint64_t nwr_record_hash(const struct nwr_record *r);

struct nwr_object_id nwr_object_id_of(const struct nwr_key *key);
struct nwr_element nwr_element_of(const struct nwr_key *key, const struct nwr_record *r);
int nwr_object_id_cmp(const struct nwr_object_id *a, const struct nwr_object_id *b);
/* By id, then version. */
int nwr_element_cmp(const struct nwr_element *a, const struct nwr_element *b);

/* Ascending; a core has no qsort. */
void nwr_elements_sort(struct nwr_element *e, uint32_t n);
/* Of sorted elements: leaves the first of each object; returns how many that are. */
uint32_t nwr_elements_unique(struct nwr_element *e, uint32_t n);

void nwr_digest_add(struct nwr_pg_digest *d, const struct nwr_element *e);
void nwr_digest_remove(struct nwr_pg_digest *d, const struct nwr_element *e);
bool nwr_digest_equal(const struct nwr_pg_digest *a, const struct nwr_pg_digest *b);

#endif
