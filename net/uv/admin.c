/* admin.c -- DIR/admin.sock, mode 0600: one line asked, one line answered, closed.
 *
 *     status   the JSON of `nwrfs status`
 *     ring     members, epoch, how far a change of it is
 *     reshape ...              another ring is asked for (reshape.c)
 *     repair all | repair PG   {"run":N}, and the run begins
 *     repaired                 how far runs are: asked, done, and what the last one found
 *     scrub ..., scrubbed      the same of scrub
 *     stop     "ok", then the process ends (on_stop)
 *
 * Who may open the socket may stop the node: the owner of the directory, and root. The path is
 * bound through /proc/self/fd, since a socket's name is short and a directory's may be long.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "net/uv/inside.h"
#include "net/uv/log.h"

enum {
    LINE_MAX_BYTES = 256,
    CLIENTS_MAX = 16,
    CLIENT_MS = 5000
};

struct client {
    uv_pipe_t pipe;
    uv_timer_t timer;
    uv_write_t write;
    struct nwr_peer *peer;
    char line[LINE_MAX_BYTES];
    size_t have;
    char *answer;
    bool stop, answered;
    unsigned handles;
};

static void on_client_closed(uv_handle_t *h)
{
    struct client *c = h->data;
    struct nwr_peer *p = c->peer;
    bool stop = c->stop;

    if (--c->handles)
        return;
    nwr_free(c->answer);
    nwr_free(c);
    p->admin_clients--;
    if (stop && !p->closing && p->o.on_stop)
        p->o.on_stop(p);
    nwr_peer_maybe_gone(p);
}

static void client_close(struct client *c)
{
    if (uv_is_closing((uv_handle_t *)&c->pipe))
        return;
    uv_close((uv_handle_t *)&c->pipe, on_client_closed);
    uv_close((uv_handle_t *)&c->timer, on_client_closed);
}

static void on_client_late(uv_timer_t *t)
{
    client_close(t->data);
}

static void on_answered(uv_write_t *req, int status)
{
    (void)status;
    client_close(req->data);
}

static char *with_newline(char *text)
{
    size_t len = strlen(text);

    text = nwr_realloc(text, len + 2);
    memcpy(text + len, "\n", 2);
    return text;
}

/* A number up to NWR_PGS_MAX - 1, or "all". */
static bool read_pg(const char *text, nwr_pg *pg)
{
    uint32_t v = 0;

    *pg = NWR_PGS_MAX;
    if (strcmp(text, "all") == 0)
        return true;
    for (const char *c = text; *c; c++) {
        if (*c < '0' || *c > '9' || (v = v * 10 + (uint32_t)(*c - '0')) >= NWR_PGS_MAX)
            return false;
    }
    *pg = (nwr_pg)v;
    return *text != '\0';
}

/* "repair PG", "scrub PG": a run begins; "repaired", "scrubbed": how far runs are. NULL: another
 * line. */
static char *answer_run(struct nwr_peer *p, const char *line)
{
    bool scrub = strncmp(line, "scrub", 5) == 0;
    const char *word = scrub ? "scrub " : "repair ";
    const char *poll = scrub ? "scrubbed" : "repaired";
    bool begins = strncmp(line, word, strlen(word)) == 0;
    nwr_pg pg;

    if (!begins && strcmp(line, poll) != 0)
        return NULL;
    if (!p->node || p->closing)
        return nwr_strdup("error: the node is not running yet, or not any more");
    if (!begins)
        return scrub ? nwr_status_scrub(p) : nwr_status_repair(p);
    if (!read_pg(line + strlen(word), &pg))
        return nwr_strdup("error: no such placement group");
    return nwr_status_begin(p, scrub ? NWR_EV_SCRUB : NWR_EV_REPAIR, pg);
}

static void answer(struct client *c)
{
    struct nwr_peer *p = c->peer;
    uv_buf_t buf;
    char *text;

    c->answered = true;
    if (strcmp(c->line, "status") == 0) {
        text = nwr_peer_status(p);
    } else if (strcmp(c->line, "ring") == 0) {
        text = nwr_status_ring(p);
    } else if ((text = answer_run(p, c->line))) {
        ;
    } else if (strncmp(c->line, "reshape ", 8) == 0) {
        text = nwr_reshape_begin(p, c->line + 8);
    } else if (strcmp(c->line, "stop") == 0) {
        c->stop = true;
        text = nwr_strdup("ok");
    } else {
        text = nwr_strdup("error: not in this version");
    }
    c->answer = with_newline(text);
    buf = uv_buf_init(c->answer, (unsigned)strlen(c->answer));
    c->write.data = c;
    if (uv_write(&c->write, (uv_stream_t *)&c->pipe, &buf, 1, on_answered))
        client_close(c);
}

static void on_admin_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *buf)
{
    struct client *c = h->data;

    (void)suggested;
    *buf = uv_buf_init(c->line + c->have, (unsigned)(sizeof(c->line) - 1 - c->have));
}

static void on_admin_read(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
    struct client *c = s->data;
    char *end;

    (void)buf;
    if (n == 0 || (c->answered && n > 0))
        return;
    if (n < 0) {
        if (!c->answered)
            client_close(c);
        else
            uv_read_stop(s);
        return;
    }
    c->have += (size_t)n;
    c->line[c->have] = 0;
    end = strchr(c->line, '\n');
    if (end) {
        *end = 0;
        uv_read_stop(s);
        answer(c);
    } else if (c->have == sizeof(c->line) - 1) {
        client_close(c);
    }
}

static void on_admin_connection(struct nwr_listener *l, int fd)
{
    struct nwr_peer *p = l->poll.data;
    struct client *c = nwr_zalloc(sizeof(*c));
    int rc;

    c->peer = p;
    c->handles = 2;
    uv_pipe_init(p->loop, &c->pipe, 0);
    uv_timer_init(p->loop, &c->timer);
    c->pipe.data = c->timer.data = c;
    p->admin_clients++;
    rc = uv_pipe_open(&c->pipe, fd);
    if (rc)
        close(fd);
    if (rc || p->closing || p->admin_clients > CLIENTS_MAX ||
        uv_read_start((uv_stream_t *)&c->pipe, on_admin_alloc, on_admin_read))
        client_close(c);
    else
        uv_timer_start(&c->timer, on_client_late, CLIENT_MS, 0);
}

/* Nobody can connect before it listens. */
static bool bind_in(int dir, int fd)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};

    snprintf(at.sun_path, sizeof(at.sun_path), "/proc/self/fd/%d/admin.sock", dir);
    unlinkat(dir, "admin.sock", 0);
    return bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0 &&
           fchmodat(dir, "admin.sock", 0600, 0) == 0;
}

static int listen_in(struct nwr_peer *p, int dir)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), rc;

    if (fd < 0)
        return -errno;
    if (!bind_in(dir, fd)) {
        rc = -errno;
        close(fd);
        return rc;
    }
    return nwr_listener_start(&p->admin, p->loop, fd, "admin", on_admin_connection);
}

enum nwr_err nwr_admin_open(struct nwr_peer *p, char *text, size_t n)
{
    int dir = open(p->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int rc = dir < 0 ? -errno : listen_in(p, dir);

    if (dir >= 0)
        close(dir);
    if (rc == 0) {
        nwr_peer_listener(p, &p->admin);
        return NWR_OK;
    }
    snprintf(text, n, "data: %s/admin.sock: %s", p->dir, uv_strerror(rc));
    return NWR_E_IO;
}

void nwr_admin_remove(struct nwr_peer *p)
{
    int dir = open(p->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (dir >= 0) {
        unlinkat(dir, "admin.sock", 0);
        close(dir);
    }
}
