/* floor.h -- clock and floor of a placement group, and what they allow to forget (DESIGN 7).
 *
 *   clock   the prefix of every actor's batches that a replica has, or has seen superseded: its own
 *           by giving them, others' by an exchange that ended equal
 *   floor   the least of what all members of the group have on disk. An absent version at or below
 *           the floor was superseded: whoever has that floor does not take it again, and whoever
 *           has the version drops it when it meets such an absence
 *
 * tests/model/repair_model.py is this protocol, with a switch for each rule.
 *
 * Ownership: vectors are the caller's. Thread: any. Allocates: yes.
 */
#ifndef NWR_FLOOR_H
#define NWR_FLOOR_H

#include "nwr/dvv.h"

bool nwr_vv_covers(const struct nwr_vv *vv, const struct nwr_vv *other);
bool nwr_vv_has(const struct nwr_vv *vv, struct nwr_dot d);
/* Entry by entry the lesser one; what only one has goes. */
void nwr_vv_least(struct nwr_vv *vv, const struct nwr_vv *other);
/* Of both; 0 exactly when both are empty, as far as a hash can tell. */
uint64_t nwr_floor_hash(const struct nwr_vv *clock, const struct nwr_vv *floor);
void nwr_vv_encode(const struct nwr_vv *vv, struct nwr_out *o);
/* False: not a vector; *vv is empty then. */
bool nwr_vv_decode(struct nwr_vv *vv, struct nwr_in *in);

/* Where all that r's context names is at or below the floor: tombstones go and the context names
 * only what is left. Write_ids stay retired, since a second dot of one may lie where no clock tells
 * of it. Pasts shrink, and what is kept for a version that is alone goes (ancestor.h). True if r
 * changed; it may say nothing then. */
bool nwr_record_fold(struct nwr_record *r, const struct nwr_vv *floor);

/* Ended incarnations in the past of a version become one of their ordinal, with the sum of their
 * counters, once there are more than this; only those below the floor. What people see is by
 * ordinal, and stays as it is. */
#define NWR_PAST_MAX 16

/* nwr_record_sync where each side's floor speaks for what it does not have. NULL: it has none. */
bool nwr_record_sync_under(struct nwr_record *dst, const struct nwr_vv *dst_floor,
                           const struct nwr_record *src, const struct nwr_vv *src_floor);
/* Drops from r what `other` does not have and its floor covers; true if anything went. */
bool nwr_record_refuse(struct nwr_record *r, const struct nwr_record *other,
                       const struct nwr_vv *floor);
/* Whether an absence under this floor takes any version of r away, or all that it says where it has
 * none. */
bool nwr_record_any_below(const struct nwr_record *r, const struct nwr_vv *floor);

#endif
