/* session.c -- see session.h. The life of a session:
 *
 *   1. start: mount, poll /dev/fuse, timer, notifier; INIT is answered by the loop
 *   2. each wake-up: read, decode (ops.c), step the core, carry out its effects
 *   3. stop: by nwr_session_unmount, or because the kernel ended the connection (ENODEV):
 *      the core pushes what is dirty; when it is idle, or nothing was taken for NWR_STOP_MS,
 *      unmount, wait for the answers to what is under way, and say what was not sent. So with
 *      peers gone it is over within NWR_STOP_MS and the deadline of one request.
 *   4. on_stopped; the owner calls nwr_session_close: handles, notifier, memory
 *
 * Failures: before 1 is done everything is undone there; later ones end in 3.
 */
#include "fs/fuse/internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <time.h>
#include <unistd.h>

static nwr_ns wall_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (nwr_ns)t.tv_sec * 1000000000u + (nwr_ns)t.tv_nsec;
}

static void say_unsent(struct nwr_session *s)
{
    struct nwr_fs_effects out = {0};

    nwr_mount_unsent(s->mount, &out);
    for (uint32_t i = 0; i < out.n; i++)
        s->options.on_log(s->options.user, out.e[i].text);
    nwr_fs_effects_deinit(&out);
}

static void finish_stop(struct nwr_session *s)
{
    if (s->stopped || s->volume_pending)
        return;
    s->stopped = true;
    say_unsent(s);
    uv_poll_stop(&s->poll);
    uv_timer_stop(&s->timer);
    s->options.on_stopped(s);
}

/* libfuse finds out itself whether the kernel has unmounted already. It takes an aborted
 * connection for that too: its dead mount is taken off here, if it is still ours. */
static void unmount(struct nwr_session *s)
{
    if (s->unmounted)
        return;
    s->unmounted = s->gone = true;
    uv_poll_stop(&s->poll);
    fuse_session_unmount(s->se);
    if (s->device && nwr_fuse_device(s->mountpoint) == s->device)
        umount2(s->mountpoint, MNT_DETACH);
}

/* The volume answers every request by its deadline, so the wait in finish_stop is bounded. */
static void check_stop(struct nwr_session *s)
{
    nwr_ms now = uv_now(s->loop);

    if (!s->stopping || s->stopped)
        return;
    if (!nwr_mount_idle(s->mount) && now < s->stop_at)
        return;
    unmount(s);
    finish_stop(s);
}

static void on_volume_done(struct nwr_request *req, const struct nwr_response *res)
{
    struct nwr_session *s = req->user;
    struct nwr_response copy = *res; /* the core may take the rows */
    struct nwr_fs_event ev = {.kind = NWR_FS_EV_VOLUME, .vreq = req, .res = &copy};

    s->volume_pending--;
    if (s->stopping && !s->unmounted && res->err == NWR_OK &&
        (req->op == NWR_OP_PUT || req->op == NWR_OP_BLOCK_PUT))
        s->stop_at = uv_now(s->loop) + NWR_STOP_MS;
    if (!s->stopped)
        nwr_session_event(s, &ev);
    ((struct nwr_response *)(uintptr_t)res)->rows = copy.rows;
    check_stop(s);
}

static void on_spool_done(void *arg, struct nwr_spool_op *op)
{
    struct nwr_session *s = arg;
    struct nwr_fs_event ev = {.kind = NWR_FS_EV_SPOOL, .spool = op};

    s->volume_pending--;
    if (!s->stopped)
        nwr_session_event(s, &ev);
    else
        nwr_spool_op_destroy(op);
    check_stop(s);
}

static void undo_lookup(struct nwr_session *s, const struct nwr_fs_reply *reply)
{
    struct nwr_fs_event ev = {.kind = NWR_FS_EV_REQUEST};

    if (reply->kind != NWR_REPLY_ENTRY && reply->kind != NWR_REPLY_CREATE)
        return;
    if (reply->kind == NWR_REPLY_CREATE) {
        ev.req = nwr_fs_req_new(NWR_FS_RELEASE, reply->entry.node);
        ev.req->fh = reply->fh;
        nwr_session_event(s, &ev);
    }
    ev.req = nwr_fs_req_new(NWR_FS_FORGET, reply->entry.node);
    ev.req->count = 1;
    nwr_session_event(s, &ev);
}

static void carry_out_reply(struct nwr_session *s, struct nwr_fs_effect *e)
{
    bool taken = true;

    if (e->req->user) { /* not one of our own */
        s->requests_pending--;
        taken = nwr_fuse_reply(e->req, &e->reply);
    }
    nwr_fs_req_destroy(e->req);
    if (!taken)
        undo_lookup(s, &e->reply);
    nwr_fs_reply_deinit(&e->reply);
}

static void carry_out(struct nwr_session *s, struct nwr_fs_effect *e)
{
    switch (e->kind) {
    case NWR_FS_REPLY: carry_out_reply(s, e); break;
    case NWR_FS_VOLUME:
        if (s->unmounted) { /* nobody is going to wait for it */
            nwr_request_destroy(e->vreq);
            break;
        }
        e->vreq->user = s;
        e->vreq->done = on_volume_done;
        s->volume_pending++;
        s->volume->submit(s->volume, e->vreq);
        break;
    case NWR_FS_SPOOL:
        s->volume_pending++;
        nwr_spool_submit(s->spool, s->loop, e->spool, on_spool_done, s);
        break;
    case NWR_FS_INVAL_INODE: nwr_notifier_inode(s->notifier, e->node, e->off, e->size); break;
    case NWR_FS_INVAL_ENTRY: nwr_notifier_entry(s->notifier, e->node, e->text); break;
    case NWR_FS_LOG: s->options.on_log(s->options.user, e->text); break;
    }
    nwr_free(e->text);
}

static void on_timer(uv_timer_t *timer)
{
    struct nwr_session *s = timer->data;
    struct nwr_fs_event ev = {.kind = NWR_FS_EV_TICK};

    nwr_notifier_watch(s->notifier, uv_now(s->loop));
    nwr_session_event(s, &ev);
    check_stop(s);
}

/* At least once a second, for the notifier's watchdog and the end of a stop. */
static void set_timer(struct nwr_session *s)
{
    nwr_ms now = uv_now(s->loop);
    nwr_ms at = nwr_mount_deadline(s->mount);
    /* Never 0: a timer that is due again at once would keep libuv from looking at descriptors. */
    nwr_ms wait = at <= now ? 1 : NWR_MIN(at - now, (nwr_ms)1000);

    if (!s->stopped)
        uv_timer_start(&s->timer, on_timer, wait, 0);
}

void nwr_session_event(struct nwr_session *s, struct nwr_fs_event *ev)
{
    struct nwr_fs_effects out = {0};

    ev->now = uv_now(s->loop);
    ev->wall = wall_ns();
    nwr_mount_step(s->mount, ev, &out);
    for (uint32_t i = 0; i < out.n; i++)
        carry_out(s, &out.e[i]);
    nwr_free(out.e);
    set_timer(s);
}

static void begin_stop(struct nwr_session *s)
{
    struct nwr_fs_event ev = {.kind = NWR_FS_EV_STOP};

    if (s->stopping)
        return;
    s->stopping = true;
    s->stop_at = uv_now(s->loop) + NWR_STOP_MS;
    nwr_session_event(s, &ev);
    check_stop(s);
}

/* False: nothing more to read now. */
static bool read_one(struct nwr_session *s)
{
    struct fuse_buf fb = {0};
    ssize_t n;

    if (!s->buf)
        s->buf = nwr_fuse_pool_get(s->pool);
    n = read(s->fd, s->buf->data, NWR_FUSE_BUFFER_BYTES);
    if (n < 0 && (errno == ENOENT || errno == EINTR))
        return true; /* interrupted before it was read */
    if (n < 0 && errno == EAGAIN)
        return false;
    if (n <= 0) {
        s->gone = true;
        uv_poll_stop(&s->poll);
        begin_stop(s);
        return false;
    }
    nwr_fuse_peek(s, s->buf->data, (size_t)n);
    fb.mem = s->buf->data;
    fb.size = (size_t)n;
    s->buf_taken = false;
    fuse_session_process_buf(s->se, &fb);
    if (s->buf_taken)
        s->buf = NULL;
    return true;
}

/* A negative status comes at unmount: the read then says ENODEV. */
static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct nwr_session *s = poll->data;

    (void)status;
    (void)events;
    for (int i = 0; i < NWR_FUSE_REQUESTS_PER_WAKE && !s->gone; i++) {
        if (!read_one(s))
            break;
    }
}

static void on_inode_notified(void *arg, uint64_t node)
{
    struct nwr_fs_event ev = {.kind = NWR_FS_EV_INVALED, .node = node};

    nwr_session_event(arg, &ev);
}

static bool mount_session(struct nwr_session *s, char *args_text, char *text, size_t text_len)
{
    char *argv[] = {"nwrfs", "-o", args_text, NULL};
    struct fuse_args args = FUSE_ARGS_INIT(3, argv);

    s->se = fuse_session_new(&args, &nwr_fuse_ops, sizeof(nwr_fuse_ops), s);
    fuse_opt_free_args(&args);
    if (!s->se) {
        snprintf(text, text_len, "mount: %s: options were refused; see nwrfs mount --help",
                 s->mountpoint);
        return false;
    }
    if (fuse_session_mount(s->se, s->mountpoint) != 0) {
        snprintf(text, text_len, "mount: %s: %s; is /dev/fuse there, and may you use it?",
                 s->mountpoint, errno ? strerror(errno) : "FUSE refused");
        fuse_session_destroy(s->se);
        return false;
    }
    return true;
}

static void start_polling(struct nwr_session *s)
{
    int fl;

    s->fd = fuse_session_fd(s->se);
    nwr_assert(fuse_session_custom_io(s->se, &nwr_fuse_io, s->fd) == 0);
    fl = fcntl(s->fd, F_GETFL);
    fcntl(s->fd, F_SETFL, fl | O_NONBLOCK);
    s->device = nwr_fuse_device(s->mountpoint);
    nwr_fuse_set_readahead(s->device, 1024);
    s->notifier = nwr_notifier_create(s->loop, s->se, s->device, on_inode_notified, s);
    nwr_assert(uv_timer_init(s->loop, &s->timer) == 0);
    s->timer.data = s;
    nwr_assert(uv_poll_init(s->loop, &s->poll, s->fd) == 0);
    s->poll.data = s;
    nwr_assert(uv_poll_start(&s->poll, UV_READABLE, on_readable) == 0);
}

static bool open_spool(struct nwr_session *s, struct nwr_spool_list *list, char *text,
                       size_t text_len)
{
    if (!s->options.spool)
        return true;
    s->spool = nwr_spool_open(s->options.spool, s->volume->info.id, list, text, text_len);
    return s->spool;
}

enum nwr_err nwr_session_start(struct nwr_session **out, uv_loop_t *loop, struct nwr_volume *volume,
                               const struct nwr_session_options *o, char *text, size_t text_len)
{
    struct nwr_session *s = nwr_zalloc(sizeof(*s));
    struct nwr_mount_config config = {.info = volume->info, .seed = uv_hrtime() ^ wall_ns()};
    char *args_text = nwr_session_mount_options(o->options, o->source, &config);
    struct nwr_spool_list list = {0};

    s->loop = loop;
    s->volume = volume;
    s->options = *o;
    s->acl = config.acl;
    s->mountpoint = nwr_strdup(o->mountpoint);
    if (!open_spool(s, &list, text, text_len) || !mount_session(s, args_text, text, text_len)) {
        nwr_spool_close(s->spool);
        nwr_free(list.item);
        nwr_free(args_text);
        nwr_free(s->mountpoint);
        nwr_free(s);
        return NWR_E_IO;
    }
    nwr_free(args_text);
    config.spool = s->spool;
    config.kept = list.item;
    config.nkept = list.n;
    config.uid = getuid();
    config.gid = getgid();
    s->mount = nwr_mount_create(&config);
    nwr_free(list.item);
    s->pool = nwr_fuse_pool_create();
    start_polling(s);
    *out = s;
    return NWR_OK;
}

void *nwr_session_user(const struct nwr_session *s)
{
    return s->options.user;
}

const struct nwr_fs_counters *nwr_session_counters(const struct nwr_session *s)
{
    return nwr_mount_counters(s->mount);
}

void nwr_session_unmount(struct nwr_session *s)
{
    begin_stop(s);
}

static void free_session(void *arg)
{
    struct nwr_session *s = arg;
    void (*on_closed)(void *) = s->on_closed;
    void *closed_arg = s->closed_arg;

    fuse_session_destroy(s->se);
    nwr_mount_destroy(s->mount);
    nwr_spool_close(s->spool);
    if (s->buf)
        nwr_fuse_pool_put(s->buf);
    nwr_fuse_pool_destroy(s->pool);
    nwr_free(s->mountpoint);
    nwr_free(s);
    on_closed(closed_arg);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct nwr_session *s = handle->data;

    if (--s->handles == 0)
        nwr_notifier_close(s->notifier, free_session, s);
}

void nwr_session_close(struct nwr_session *s, void (*on_closed)(void *arg), void *arg)
{
    nwr_assert(s->stopped);
    s->on_closed = on_closed;
    s->closed_arg = arg;
    s->handles = 2;
    uv_close((uv_handle_t *)&s->poll, on_handle_closed);
    uv_close((uv_handle_t *)&s->timer, on_handle_closed);
}
