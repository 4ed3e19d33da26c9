/* indexed.h -- the names below a path that the replicas' index of conflicts leads to.
 *
 * Read from the mount, page by page (fs/core/survey.h), sorted, each once.
 */
#ifndef NWR_INDEXED_H
#define NWR_INDEXED_H

#include "nwr/base.h"

/* Calls `on` for each, with its letter and its path below `path`, as the user wrote that. Returns
 * an exit status, after a line of why if it is not 0. */
int nwr_indexed_each(const char *command, const char *path,
                     void (*on)(void *arg, char kind, const char *path), void *arg);

#endif
