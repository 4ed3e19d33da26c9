/* unsent.h -- what a process that ended could not send, from the end of its log.
 *
 * Ownership: the caller's from begin to end, once each.
 */
#ifndef NWR_UNSENT_H
#define NWR_UNSENT_H

#include "nwr/base.h"

struct nwr_unsent {
    int fd; /* of the log, at its end as it was; -1: there is none */
    char path[4096];
};

/* Before the process is told to end. */
void nwr_unsent_begin(struct nwr_unsent *u, const char *log);
/* When it has: one line if something is lost. Returns the exit status of the command. */
int nwr_unsent_end(struct nwr_unsent *u, const char *command, const char *what, int status);

#endif
