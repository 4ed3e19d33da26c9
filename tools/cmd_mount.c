/* cmd_mount.c -- `nwrfs mount`: a node with a mount, or a mount that stores nothing.
 *
 *   1. look at the mount point and the options, go to the background
 *   2. volume: nwr_peer_start (--data) or nwr_link_start (--peers); on_volume_ready
 *   3. nwr_session_start, nwr_daemon_ready: the command returns 0
 *   4. the mount goes (umount, signal, nwrfs stop): session closes, then the volume, then the loop
 *
 * A failure before 3 is one line and status 1; what was started is closed in the order of 4.
 */
#include "fs/fuse/session.h"
#include "net/link/link.h"
#include "net/uv/log.h"
#include "net/uv/peer.h"
#include "tools/cmd.h"
#include "tools/daemon.h"
#include "tools/mounts.h"
#include "tools/options.h"
#include "tools/trim.h"

#include <dirent.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct mounting {
    uv_loop_t loop;
    struct nwr_options options;
    struct nwr_daemon daemon;
    char mountpoint[PATH_MAX], source[PATH_MAX], dir[PATH_MAX];
    char spool[PATH_MAX + 16]; /* empty: none */
    struct nwr_peer *peer;
    struct nwr_link *link;
    struct nwr_session *session;
    uv_signal_t term, intr, hup;
    struct nwr_trim trim;
    bool ending;
    int status;
};

/* ---- the mount point ---- */

static int check_empty(const char *path)
{
    DIR *d = opendir(path);
    const struct dirent *e;
    int entries = 0;

    if (!d)
        return nwr_cmd_fail("mount: %s: %s", path, strerror(errno));
    while ((e = readdir(d)))
        entries += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    closedir(d);
    if (entries)
        return nwr_cmd_fail("mount: %s: directory not empty; choose an empty one", path);
    return 0;
}

static int check_mountpoint(struct mounting *m)
{
    const char *path = m->options.mountpoint;
    struct nwr_mount_entry e;
    struct stat st;

    if (!nwr_mounts_absolute(path, m->mountpoint, sizeof(m->mountpoint)))
        return nwr_cmd_fail("mount: %s: no such directory; make it first", path);
    if (nwr_mounts_find(m->mountpoint, &e))
        return nwr_cmd_fail("mount: %s: already a mount of %s; nwrfs umount it first", path,
                            e.source);
    if (lstat(m->mountpoint, &st) != 0)
        return nwr_cmd_fail("mount: %s: %s; make the directory first", path, strerror(errno));
    if (!S_ISDIR(st.st_mode))
        return nwr_cmd_fail("mount: %s: not a directory; choose an empty one", path);
    return check_empty(m->mountpoint);
}

/* ---- the end ---- */

static void on_volume_closed(void *arg)
{
    struct mounting *m = arg;

    m->peer = NULL;
    m->link = NULL;
    if (!uv_is_closing((uv_handle_t *)&m->term)) {
        uv_close((uv_handle_t *)&m->term, NULL);
        uv_close((uv_handle_t *)&m->intr, NULL);
        uv_close((uv_handle_t *)&m->hup, NULL);
        nwr_trim_stop(&m->trim);
    }
}

static void close_volume(void *arg)
{
    struct mounting *m = arg;

    if (m->peer)
        nwr_peer_close(m->peer, on_volume_closed, m);
    else if (m->link)
        nwr_link_close(m->link, on_volume_closed, m);
    else
        on_volume_closed(m);
}

static void on_session_stopped(struct nwr_session *s)
{
    struct mounting *m = nwr_session_user(s);

    m->ending = true;
    nwr_session_close(s, close_volume, m);
    m->session = NULL;
}

static void end(struct mounting *m)
{
    if (m->session) {
        nwr_session_unmount(m->session);
    } else if (!m->ending) {
        m->ending = true;
        close_volume(m);
    }
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
    struct mounting *m = handle->data;

    (void)signum;
    if (m->ending)
        return;
    if (m->peer)
        nwr_peer_rekey(m->peer);
    else if (m->link)
        nwr_link_rekey(m->link);
}

/* ---- the start ---- */

static void fail(struct mounting *m, const char *text)
{
    m->status = nwr_daemon_fail(&m->daemon, text);
    end(m);
}

static void on_session_log(void *user, const char *text)
{
    (void)user;
    nwr_log_warn("%s", text);
}

static void on_volume_ready(struct mounting *m, struct nwr_volume *volume, enum nwr_err err,
                            const char *text)
{
    struct nwr_session_options o = {.mountpoint = m->mountpoint,
                                    .source = m->source,
                                    .options = m->options.mount_options,
                                    .spool = m->spool[0] ? m->spool : NULL,
                                    .user = m,
                                    .on_log = on_session_log,
                                    .on_stopped = on_session_stopped};
    char why[NWR_TEXT_MAX];

    if (m->ending)
        return;
    if (err != NWR_OK) {
        fail(m, text);
        return;
    }
    if (nwr_session_start(&m->session, &m->loop, volume, &o, why, sizeof(why)) != NWR_OK) {
        m->session = NULL;
        fail(m, why);
        return;
    }
    nwr_daemon_ready(&m->daemon, text);
}

static void on_peer_ready(struct nwr_peer *p, enum nwr_err err, const char *text)
{
    on_volume_ready(nwr_peer_user(p), err == NWR_OK ? nwr_peer_volume(p) : NULL, err, text);
}

static void on_peer_stop(struct nwr_peer *p)
{
    end(nwr_peer_user(p));
}

static void on_link_ready(struct nwr_link *l, enum nwr_err err, const char *text)
{
    on_volume_ready(nwr_link_user(l), err == NWR_OK ? nwr_link_volume(l) : NULL, err, text);
}

static enum nwr_err start_peer(struct mounting *m, char *text, size_t len)
{
    const struct nwr_options *o = &m->options;
    struct nwr_peer_options po = {.dir = o->data,
                                  .listen = o->listen,
                                  .key = o->key,
                                  .join = o->join,
                                  .njoin = o->njoin,
                                  .n = o->n,
                                  .w = o->w,
                                  .r = o->r,
                                  .silent = nwr_inode_silent,
                                  .user = m,
                                  .on_ready = on_peer_ready,
                                  .on_stop = on_peer_stop};
    enum nwr_err err = nwr_peer_start(&m->peer, &m->loop, &po, text, len);
    char path[PATH_MAX];

    if (err != NWR_OK)
        return err;
    if (!realpath(o->data, path)) {
        snprintf(text, len, "mount: %s: %s", o->data, strerror(errno));
        return NWR_E_IO;
    }
    snprintf(m->source, sizeof(m->source), "%s", path);
    snprintf(m->dir, sizeof(m->dir), "%s", path);
    if (!m->spool[0])
        snprintf(m->spool, sizeof(m->spool), "%s/rejected", path);
    return NWR_OK;
}

static enum nwr_err start_link(struct mounting *m, char *text, size_t len)
{
    const struct nwr_options *o = &m->options;
    struct nwr_link_options lo = {.peers = o->peers,
                                  .npeers = o->npeers,
                                  .key = o->key,
                                  .user = m,
                                  .on_ready = on_link_ready};

    if (!nwr_mounts_run_dir(m->mountpoint, m->dir, sizeof(m->dir))) {
        snprintf(text, len, "mount: /run/nwrfs: cannot be made; set XDG_RUNTIME_DIR");
        return NWR_E_IO;
    }
    snprintf(m->source, sizeof(m->source), "%s", o->peers[0]);
    return nwr_link_start(&m->link, &m->loop, &lo, text, len);
}

static void watch_signals(struct mounting *m)
{
    nwr_assert(uv_signal_init(&m->loop, &m->term) == 0);
    nwr_assert(uv_signal_init(&m->loop, &m->intr) == 0);
    nwr_assert(uv_signal_init(&m->loop, &m->hup) == 0);
    m->term.data = m->intr.data = m->hup.data = m;
    uv_signal_start(&m->term, on_signal, SIGTERM);
    uv_signal_start(&m->intr, on_signal, SIGINT);
    signal(SIGPIPE, SIG_IGN);
    uv_signal_start(&m->hup, on_hangup, SIGHUP);
}

static int run(struct mounting *m)
{
    char text[NWR_TEXT_MAX] = "";
    enum nwr_err err;

    nwr_assert(uv_loop_init(&m->loop) == 0);
    nwr_trim_start(&m->trim, &m->loop);
    watch_signals(m);
    err = m->options.data ? start_peer(m, text, sizeof(text)) : start_link(m, text, sizeof(text));
    if (err != NWR_OK)
        fail(m, text);
    else if (nwr_daemon_files(&m->daemon, m->dir) != 0) {
        m->status = 1;
        end(m);
    }
    uv_run(&m->loop, UV_RUN_DEFAULT);
    uv_loop_close(&m->loop);
    return m->status;
}

/* What was refused before anything was started. */
static int check_request(struct mounting *m)
{
    char word[128], spool[PATH_MAX];

    if (!nwr_session_options_valid(m->options.mount_options, word, sizeof(word)))
        return nwr_cmd_usage("mount: -o %s: unknown option; see nwrfs mount --help", word);
    if (nwr_session_options_spool(m->options.mount_options, spool, sizeof(spool)) &&
        !nwr_mounts_absolute(spool, m->spool, sizeof(m->spool)))
        return nwr_cmd_fail("mount: -o spool=%s: no such directory; make it first", spool);
    return check_mountpoint(m);
}

int nwr_cmd_mount(int argc, char **argv)
{
    struct mounting *m = nwr_zalloc(sizeof(*m));
    int status = nwr_options_parse(&m->options, NWR_OPTIONS_MOUNT, argc, argv);

    if (status < 0) {
        status = check_request(m);
        if (status == 0)
            status = nwr_daemon_begin(&m->daemon, m->options.foreground);
        if (status == 0)
            status = run(m);
    }
    nwr_options_deinit(&m->options);
    nwr_free(m);
    return status;
}
