/* virtual.h -- the attributes user.nwrfs.*: policies, and what is known of a version in conflict.
 *
 * Policies (w r on-conflict durability conflicts) are part of the attribute record; the others
 * are derived from the versions (DESIGN 9) or asked of the volume (status, why, index). base and
 * base.OFFSET, of a sibling: the common ancestor of it and the head; ENODATA where none is kept.
 */
#ifndef NWR_FS_VIRTUAL_H
#define NWR_FS_VIRTUAL_H

#include "fs/core/state.h"

#define NWR_VIRTUAL_PREFIX "user.nwrfs."

bool nwr_virtual_is(const char *name);
/* True: DONE with out filled, or FAIL with t->eno set. False: needs. name is without prefix. */
bool nwr_virtual_get(struct nwr_txn *t, struct nwr_node *n, const char *name, struct nwr_out *out);
/* Sets a policy: 0, or an errno. Names that are not policies are accepted and change nothing, so
 * that cp -a and rsync -X work; keys of later versions are EOPNOTSUPP. */
int nwr_virtual_set(struct nwr_policy *p, const char *name, const struct nwr_blob *value);
/* Appends the names that listxattr shows (only on names in conflict), each with its NUL. */
void nwr_virtual_list(struct nwr_txn *t, struct nwr_node *n, struct nwr_out *out);

#endif
