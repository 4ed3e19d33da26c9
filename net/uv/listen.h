/* listen.h -- a listening socket of our own: it outlives having no file descriptor left.
 *
 *   LISTENING --no descriptor--> PAUSED --NWR_LISTEN_RETRY_MS--> all that waits is accepted
 *       ^                          ^ `--no descriptor--'            |
 *       `-------------------------------------------------------------'
 *
 * libuv's own asks again at once when there is no descriptor for a connection, and where it cannot
 * get back the one that it keeps in reserve it does nothing else any more: a limit that is lowered
 * while the process runs would stop its loop. Here a connection waits in the kernel's queue
 * meanwhile, everything else goes on, and one line is logged when it begins and one when nobody
 * waits any more.
 *
 * Ownership: the caller has the struct, whose handles it closes as others of its own (their data is
 * the caller's), and each accepted descriptor. Thread: the loop's. Allocates: no.
 */
#ifndef NWR_LISTEN_H
#define NWR_LISTEN_H

#include <uv.h>

#include "nwr/base.h"

enum {
    NWR_LISTEN_RETRY_MS = 200,
    NWR_LISTEN_TURN = 16 /* connections accepted in one turn of the loop */
};

struct nwr_listener {
    uv_poll_t poll;
    uv_timer_t retry;
    int fd; /* -1: closed */
    bool paused;
    uint64_t failures; /* connections asked for that there was no descriptor for */
    const char *whose; /* for the log */
    /* Gives fd: non-blocking, close-on-exec. */
    void (*on_fd)(struct nwr_listener *l, int fd);
};

/* A TCP socket bound to at, which becomes what was bound (a port may have been left open). An error
 * of libuv if negative. */
int nwr_listener_bind(struct sockaddr_storage *at);
/* Takes fd, which is bound, also when it fails; whose is borrowed. An error of libuv: neither
 * handle is open. */
int nwr_listener_start(struct nwr_listener *l, uv_loop_t *loop, int fd, const char *whose,
                       void (*on_fd)(struct nwr_listener *l, int fd));
/* Nobody is accepted any more; for the handles to be closed. Also twice. */
void nwr_listener_stop(struct nwr_listener *l);

#endif
