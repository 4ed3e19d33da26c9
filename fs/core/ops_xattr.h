/* ops_xattr.h -- plans of the extended attribute calls; see txn.h for what a plan is. */
#ifndef NWR_FS_OPS_XATTR_H
#define NWR_FS_OPS_XATTR_H

#include "fs/core/txn.h"

/* The latest setting of a register; NULL if there is none or it was a removal. */
const struct nwr_version *nwr_xattr_latest(const struct nwr_record *rec);

/* Valid replies: BYTES, COUNT (size 0), ERR ENODATA ERANGE EOPNOTSUPP. */
enum nwr_plan nwr_plan_getxattr(struct nwr_txn *t);
/* Valid replies: BYTES, COUNT (size 0), ERR ERANGE. */
enum nwr_plan nwr_plan_listxattr(struct nwr_txn *t);
/* Valid replies: ERR 0 EEXIST ENODATA E2BIG EINVAL EOPNOTSUPP, of an ACL EACCES. */
enum nwr_plan nwr_plan_setxattr(struct nwr_txn *t);
/* Valid replies: ERR 0 ENODATA EOPNOTSUPP. */
enum nwr_plan nwr_plan_removexattr(struct nwr_txn *t);

#endif
