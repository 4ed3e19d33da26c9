/* ancestor.h -- kept ancestors: what a three-way merge of two siblings can start from (DESIGN 3).
 *
 * A version of a content register names up to two bases. A record keeps a replaced version as long
 * as it is a base of a version that may come to be, or is, one of several; README.md, "Kept
 * ancestors", says why these rules, and tests/model/ancestor_model.py has a switch for each.
 *
 * Ownership: borrows. Thread: any. Allocates: no.
 */
#ifndef NWR_ANCESTOR_H
#define NWR_ANCESTOR_H

#include "nwr/dvv.h"
#include "nwr/key.h"

/* Only content registers have bases: all else is merged by itself, or is no file. */
bool nwr_keeps_ancestors(const struct nwr_key *key);
/* Gives v, which is about to replace `seen` in r, its bases. floor: of the group, as known here. */
void nwr_bases_give(struct nwr_version *v, const struct nwr_record *r, const struct nwr_seen *seen,
                    uint32_t nseen, const struct nwr_vv *floor);
/* Whether replicas must agree on what r keeps: it is in conflict. What is wanted then does not
 * depend on floors, which differ for moments. */
bool nwr_kept_counts(const struct nwr_record *r);
/* Drops what is kept for a version that is alone and below the floor: no replica can have another
 * beside it any more but one that has it as its own base. True if anything went. */
bool nwr_kept_settle(struct nwr_record *r, const struct nwr_vv *floor);
/* Drops all of it where it does not count: for want of room. True if anything went. */
bool nwr_kept_give_up(struct nwr_record *r);

#endif
