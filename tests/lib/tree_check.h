/* tree_check.h -- what user.nwrfs.check says of the tree of a fake volume (fs/core/check.h). */
#ifndef NWR_TESTS_TREE_CHECK_H
#define NWR_TESTS_TREE_CHECK_H

#include "tests/lib/fake_volume.h"

/* All words of all groups, "KIND PATH" each and a line feed, into text. Words of inodes that only
 * wait for their space to be given back ('o') are left out unless all is set. mend: each is
 * written to user.nwrfs.mend. Gives their number. */
uint32_t tree_check(struct fake *f, bool all, bool mend, char *text, size_t size);
/* Rows that the volume was asked for by one request of the last tree_check, at most. */
extern uint32_t tree_check_rows;

#endif
