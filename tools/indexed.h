/* indexed.h -- the names below a path that the replicas' index of conflicts leads to.
 *
 * Read from the mount, page by page (fs/core/survey.h), sorted, each once.
 */
#ifndef NWR_INDEXED_H
#define NWR_INDEXED_H

#include "nwr/base.h"

#define NWR_INDEXED_DENIED (-1) /* only root and who mounted may ask */

/* Calls `on` for each, with its letter and its path below `path`, as the user wrote that. Returns
 * an exit status, after a line of why if it is not 0, or NWR_INDEXED_DENIED. */
int nwr_indexed_each(const char *command, const char *path,
                     void (*on)(void *arg, char kind, const char *path), void *arg);

#endif
