/* check.h -- whether names and inodes of a placement group agree, and setting right what does not.
 *
 * The attribute user.nwrfs.check.PG, of any name, holds what was found in a group: words that end
 * with NUL, each a letter, the inode and the directory of the name (16 hexadecimal digits each) and
 * the path from the root of the volume. A group of very many names is looked through in parts: the
 * last word of one that is not the last is '>' and a cursor, and user.nwrfs.check.PG.CURSOR holds
 * the next. The letters:
 *
 *   d  the name leads to an inode that is not there      the name goes
 *   m  the inode does not know of the name               it is told (st_nlink was too low); files
 *   l  the inode has a name that its directory does not  its only one, and new to the directory:
 *                                                        it comes, a creation is finished. Any
 *                                                        other: the inode forgets it
 *   i  a rename between groups is half done              it goes on
 *   n  the directory of the name is not there            nothing: it is reported only
 *   o  an inode that lost its last name holds space      it is given back; this is no damage
 *
 * Writing a word to user.nwrfs.mend looks again, at all replicas, and does what stands on the right
 * if that is still so. An operation that is under way looks like one that was broken off, so
 * whoever asks looks twice. What several names hold in conflict is no damage.
 *
 * Pure. Ownership: the transaction owns its check. Thread: the loop.
 */
#ifndef NWR_FS_CHECK_H
#define NWR_FS_CHECK_H

#include "fs/core/survey.h"

struct nwr_check;

void nwr_check_free(struct nwr_check *c);
/* As nwr_virtual_get; group is what stands behind "check.": a group, or a dot and a cursor too. */
bool nwr_check_get(struct nwr_txn *t, const char *group, struct nwr_out *out);
/* The plan of a SETXATTR of user.nwrfs.mend. */
enum nwr_plan nwr_check_mend(struct nwr_txn *t);

#endif
