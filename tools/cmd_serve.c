/* cmd_serve.c -- `nwrfs serve`: a peer daemon.
 *
 *   1. options, background   2. nwr_peer_start; on_ready: the command returns 0
 *   3. a signal or `nwrfs stop`: the peer closes, then the loop ends
 */
#include "fs/core/mount.h"
#include "net/uv/log.h"
#include "net/uv/peer.h"
#include "tools/cmd.h"
#include "tools/daemon.h"
#include "tools/options.h"
#include "tools/trim.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

struct serving {
    uv_loop_t loop;
    struct nwr_options options;
    struct nwr_daemon daemon;
    struct nwr_peer *peer;
    uv_signal_t term, intr, hup;
    struct nwr_trim trim;
    bool ending;
    int status;
};

static void on_peer_closed(void *arg)
{
    struct serving *s = arg;

    uv_close((uv_handle_t *)&s->term, NULL);
    uv_close((uv_handle_t *)&s->intr, NULL);
    uv_close((uv_handle_t *)&s->hup, NULL);
    nwr_trim_stop(&s->trim);
}

static void end(struct serving *s)
{
    if (s->ending)
        return;
    s->ending = true;
    if (s->peer)
        nwr_peer_close(s->peer, on_peer_closed, s);
    else
        on_peer_closed(s);
}

static void on_signal(uv_signal_t *handle, int signum)
{
    static bool again;

    (void)signum;
    if (again)
        _exit(1); /* the second one quits at once */
    again = true;
    end(handle->data);
}

/* Reads the key file again. */
static void on_hangup(uv_signal_t *handle, int signum)
{
    struct serving *s = handle->data;

    (void)signum;
    if (s->peer && !s->ending)
        nwr_peer_rekey(s->peer);
}

static void on_ready(struct nwr_peer *p, enum nwr_err err, const char *text)
{
    struct serving *s = nwr_peer_user(p);

    if (err == NWR_OK) {
        nwr_daemon_ready(&s->daemon, text);
        return;
    }
    s->status = nwr_daemon_fail(&s->daemon, text);
    end(s);
}

static void on_stop(struct nwr_peer *p)
{
    end(nwr_peer_user(p));
}

static void start(struct serving *s)
{
    const struct nwr_options *o = &s->options;
    struct nwr_peer_options po = {.dir = o->data,
                                  .listen = o->listen,
                                  .key = o->key,
                                  .join = o->join,
                                  .njoin = o->njoin,
                                  .n = o->n,
                                  .w = o->w,
                                  .r = o->r,
                                  .silent = nwr_inode_silent,
                                  .user = s,
                                  .on_ready = on_ready,
                                  .on_stop = on_stop};
    char text[NWR_TEXT_MAX] = "";

    if (nwr_peer_start(&s->peer, &s->loop, &po, text, sizeof(text)) != NWR_OK) {
        s->peer = NULL;
        s->status = nwr_daemon_fail(&s->daemon, text);
        end(s);
    } else if (nwr_daemon_files(&s->daemon, o->data) != 0) {
        s->status = 1;
        end(s);
    }
}

static int run(struct serving *s)
{
    nwr_assert(uv_loop_init(&s->loop) == 0);
    nwr_trim_start(&s->trim, &s->loop);
    nwr_assert(uv_signal_init(&s->loop, &s->term) == 0);
    nwr_assert(uv_signal_init(&s->loop, &s->intr) == 0);
    nwr_assert(uv_signal_init(&s->loop, &s->hup) == 0);
    s->term.data = s->intr.data = s->hup.data = s;
    uv_signal_start(&s->term, on_signal, SIGTERM);
    uv_signal_start(&s->intr, on_signal, SIGINT);
    signal(SIGPIPE, SIG_IGN);
    uv_signal_start(&s->hup, on_hangup, SIGHUP);
    start(s);
    uv_run(&s->loop, UV_RUN_DEFAULT);
    uv_loop_close(&s->loop);
    nwr_log_close();
    return s->status;
}

int nwr_cmd_serve(int argc, char **argv)
{
    struct serving *s = nwr_zalloc(sizeof(*s));
    int status = nwr_options_parse(&s->options, NWR_OPTIONS_SERVE, argc, argv);

    if (status < 0) {
        status = nwr_daemon_begin(&s->daemon, s->options.foreground);
        if (status == 0)
            status = run(s);
    }
    nwr_options_deinit(&s->options);
    nwr_free(s);
    return status;
}
