/* acl.h -- POSIX ACLs (-o acl): two extended attributes, kept in step with the mode.
 *
 * The kernel checks permissions by what it reads here; it leaves to us what a file system does:
 * chmod changes the access ACL, setting that changes the mode, and what is made in a directory
 * takes its default ACL, in place of the umask. Of owner, mask and others the mode is what counts,
 * whatever the stored ACL says: so a chmod writes nothing else, and holds for the ACL too where it
 * came from a mount without the option, or was made on another side than the ACL.
 *
 * The bytes are the kernel's: version 2, then entries of tag, permissions and id, little-endian.
 * acl(5) has the words.
 *
 * Ownership: results are the caller's. Thread: any. Allocates: yes.
 */
#ifndef NWR_FS_ACL_H
#define NWR_FS_ACL_H

#include "fs/core/txn.h"

#define NWR_ACL_ACCESS "system.posix_acl_access"
#define NWR_ACL_DEFAULT "system.posix_acl_default"

bool nwr_acl_is(const char *name, size_t len);
/* Entries that can be read, with owner, group and others among them. */
bool nwr_acl_valid(const struct nwr_blob *acl);
/* mode with the permissions that acl shows in it. */
uint32_t nwr_acl_mode(const struct nwr_blob *acl, uint32_t mode);
/* It says no more than the mode does. */
bool nwr_acl_is_mode(const struct nwr_blob *acl);
/* acl with what the mode says. */
struct nwr_blob *nwr_acl_chmod(const struct nwr_blob *acl, uint32_t mode);
/* The access ACL of what is made with *mode where acl is the default; *mode becomes its mode. */
struct nwr_blob *nwr_acl_inherit(const struct nwr_blob *acl, uint32_t *mode);

/* ---- in plans ---- */

/* The ACL of that name, of the inode in the snapshot; NULL: it has none, or there are none here. */
const struct nwr_blob *nwr_acl_of(const struct nwr_txn *t, nwr_ino root, const char *name);
/* Stages acl under that name; NULL: it is removed if it is there. */
void nwr_acl_put(struct nwr_txn *t, nwr_ino root, const char *name, const struct nwr_blob *acl);

#endif
