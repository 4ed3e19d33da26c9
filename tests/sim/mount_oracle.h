/* mount_oracle.h -- what must hold of the trees that mounts show, once all is healed.
 *
 *   [tree]      oracle_tree.c     one tree, the same at every mount, removable
 *   [content]   oracle_content.c  nothing lost, nothing back
 *   [invented]  wherever a content is read: somebody wrote it
 *   [reply]     sim_mount.c       a call is answered once, in time
 *   [errno]     mount_load.c      no call ends with EIO or ESTALE
 *   [block]     oracle_block.c    stores are whole
 */
#ifndef NWR_MOUNT_ORACLE_H
#define NWR_MOUNT_ORACLE_H

#include "tests/sim/mount_load.h"

struct mount_tree {
    struct mount_book *book;
    char *text; /* a line an entry */
    uint32_t len, cap;
    bool losses; /* a name may lead to what power loss took, and says EIO (oracle_tree.c) */
    char unlike[2 * CALL_PATH + 128]; /* what a listing said and was not so; empty: none */
};

/* Programs; arg is a struct mount_tree. */
void oracle_tree_look(struct sim_program *p);
void oracle_tree_remove(struct sim_program *p);
/* What two mounts saw. */
bool oracle_tree_same(const struct mount_tree *a, const struct mount_tree *b);

/* After all mounts have looked (book_content.seen). */
void oracle_content(struct mount_load *l);

#endif
