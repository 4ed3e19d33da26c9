/* daemon.h -- going to the background only once there is something to wait for no longer.
 *
 *     nwr_daemon_begin      the process forks; the one that returns is the child, the parent
 *     |                     waits for the outcome and leaves with it
 *     |--> nwr_daemon_fail  the parent prints the line and exits 1
 *     |--> nwr_daemon_ready the parent prints the warning, if any, and exits 0; standard input
 *                           and output are closed, standard error goes to the log
 *
 * In the foreground the same calls print directly and nothing forks. Begin before the first
 * thread and the first loop. A child that dies without a word makes the parent exit 1.
 */
#ifndef NWR_DAEMON_H
#define NWR_DAEMON_H

#include "nwr/base.h"

struct nwr_daemon {
    bool foreground;
    int pipe; /* to the parent; -1 */
};

/* Returns 0 in the child (or in the foreground), 1 after printing why not. */
int nwr_daemon_begin(struct nwr_daemon *d, bool foreground);
/* dir: where `log` and `pid` go. Opens the log (see net/uv/log.h) and writes the pid file;
 * 1 with the failure already told. */
int nwr_daemon_files(struct nwr_daemon *d, const char *dir);
void nwr_daemon_ready(struct nwr_daemon *d, const char *warning);
/* Tells the line "nwrfs: TEXT"; returns 1, the exit status. */
int nwr_daemon_fail(struct nwr_daemon *d, const char *text);

#endif
