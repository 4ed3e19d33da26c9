/* ancestor.h -- the common ancestor of a sibling and the head, as a file of its own.
 *
 * Ownership: the file is the caller's, until nwr_ancestor_drop.
 */
#ifndef NWR_TOOLS_ANCESTOR_H
#define NWR_TOOLS_ANCESTOR_H

#include "nwr/base.h"

#include <limits.h>

struct nwr_ancestor {
    char path[PATH_MAX]; /* below $TMPDIR */
    char label[160];     /* "common ancestor 1,5" */
};

enum nwr_ancestor_found {
    NWR_ANCESTOR_THERE,
    NWR_ANCESTOR_NONE,  /* none is kept */
    NWR_ANCESTOR_FAILED /* one line was said why */
};

/* sibling: the path of name.conflict.K. */
enum nwr_ancestor_found nwr_ancestor_fetch(struct nwr_ancestor *a, const char *command,
                                           const char *sibling);
void nwr_ancestor_drop(struct nwr_ancestor *a);

#endif
