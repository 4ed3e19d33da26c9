/* listen.c -- see listen.h. */
#include "net/uv/listen.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/uv/log.h"

enum {
    BACKLOG = 128
};

static void on_ready(uv_poll_t *h, int status, int events);
static void on_retry(uv_timer_t *t);

static void pause_for(struct nwr_listener *l, int error)
{
    if (!l->paused)
        nwr_log_warn("event=accept_paused of=%s why=\"%s\"", l->whose, strerror(error));
    l->paused = true;
    l->failures++;
    uv_poll_stop(&l->poll);
    uv_timer_start(&l->retry, on_retry, NWR_LISTEN_RETRY_MS, 0);
}

static void listen_on(struct nwr_listener *l)
{
    if (!uv_is_active((uv_handle_t *)&l->poll))
        uv_poll_start(&l->poll, UV_READABLE, on_ready);
}

static void nobody_waits(struct nwr_listener *l)
{
    if (l->paused)
        nwr_log_info("event=accept_resumed of=%s", l->whose);
    l->paused = false;
}

/* A connection that failed before it was accepted (EINTR, ECONNABORTED and what the network says
 * of it, accept(2)) is passed over. Only where there was nothing to accept it with is it asked for
 * later: an unknown error, too, must not make the loop spin. */
static void accept_some(struct nwr_listener *l)
{
    for (unsigned i = 0; i < NWR_LISTEN_TURN && l->fd >= 0; i++) {
        int fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), error = errno;

        if (fd >= 0) {
            l->on_fd(l, fd);
        } else if (error == EAGAIN) {
            nobody_waits(l);
            break;
        } else if (error != EINTR && error != ECONNABORTED && error != EPROTO) {
            pause_for(l, error);
            return;
        }
    }
    if (l->fd >= 0)
        listen_on(l);
}

static void on_ready(uv_poll_t *h, int status, int events)
{
    (void)status; /* what is wrong, accept4 says */
    (void)events;
    accept_some(nwr_container_of(h, struct nwr_listener, poll));
}

static void on_retry(uv_timer_t *t)
{
    accept_some(nwr_container_of(t, struct nwr_listener, retry));
}

int nwr_listener_bind(struct sockaddr_storage *at)
{
    bool six = at->ss_family == AF_INET6;
    socklen_t len = six ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    int fd = socket(at->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1, rc;

    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
        bind(fd, (struct sockaddr *)at, len) == 0 &&
        getsockname(fd, (struct sockaddr *)at, &len) == 0)
        return fd;
    rc = -errno;
    if (fd >= 0)
        close(fd);
    return rc;
}

int nwr_listener_start(struct nwr_listener *l, uv_loop_t *loop, int fd, const char *whose,
                       void (*on_fd)(struct nwr_listener *l, int fd))
{
    int rc = listen(fd, BACKLOG) == 0 ? uv_poll_init(loop, &l->poll, fd) : -errno;

    if (rc) {
        close(fd);
        l->fd = -1;
        return rc;
    }
    uv_timer_init(loop, &l->retry);
    l->fd = fd;
    l->whose = whose;
    l->on_fd = on_fd;
    listen_on(l);
    return 0;
}

void nwr_listener_stop(struct nwr_listener *l)
{
    if (l->fd < 0)
        return;
    uv_poll_stop(&l->poll);
    uv_timer_stop(&l->retry);
    close(l->fd);
    l->fd = -1;
}
