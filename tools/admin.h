/* admin.h -- one question to a running node over DIR/admin.sock. */
#ifndef NWR_ADMIN_H
#define NWR_ADMIN_H

#include "nwr/base.h"

/* Sends the line, reads the answer to its end. The caller frees it with nwr_free; NULL with errno
 * set when no node answers there: ETIMEDOUT when one is there and says nothing, ECONNRESET when it
 * hung up, as it does when it ends. */
char *nwr_admin_ask(const char *dir, const char *line);
/* What that errno means, for whoever asked. */
const char *nwr_admin_why(int err);
/* The pid in DIR/pid; 0 if there is none. */
long nwr_admin_pid(const char *dir);

#endif
