/* notify.c -- notifications to the kernel, from a thread of their own.
 *
 * fuse_lowlevel_notify_inval_inode waits for page locks that a READ under way holds, and
 * _inval_entry for directory locks: on the loop thread they would wait for ourselves (FACTS 1.6).
 * A notification that does not return is ended by aborting the connection: a dead mount can be
 * unmounted, a process in D state cannot be killed.
 */
#include "fs/fuse/internal.h"

#include <pthread.h>

struct note {
    uint64_t node, off, size;
    char *name; /* NULL: inode */
    struct note *next;
};

struct nwr_notifier {
    struct fuse_session *se;
    unsigned device;
    uv_async_t async;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct note *head, **tail; /* to do */
    struct note *done;         /* inode notes that returned */
    uint32_t queued;
    bool stop;
    nwr_ms busy_since; /* 0: idle */
    bool aborted;
    void (*on_inode)(void *arg, uint64_t node);
    void *arg;
    void (*on_closed)(void *arg);
    void *closed_arg;
};

static nwr_ms now_ms(void)
{
    return uv_hrtime() / 1000000;
}

static void note_free(struct note *n)
{
    nwr_free(n->name);
    nwr_free(n);
}

/* The loop is told of each inode's; the lock is held. */
static void note_returned(struct nwr_notifier *n, struct note *note)
{
    if (note->name) {
        note_free(note);
        return;
    }
    note->next = n->done;
    n->done = note;
    uv_async_send(&n->async);
}

static void send_note(struct nwr_notifier *n, const struct note *note)
{
    if (note->name)
        fuse_lowlevel_notify_inval_entry(n->se, note->node, note->name, strlen(note->name));
    else
        fuse_lowlevel_notify_inval_inode(n->se, note->node, (off_t)note->off, (off_t)note->size);
}

static void *run(void *arg)
{
    struct nwr_notifier *n = arg;

    pthread_mutex_lock(&n->lock);
    for (;;) {
        struct note *note;

        while (!n->head && !n->stop)
            pthread_cond_wait(&n->wake, &n->lock);
        if (n->stop)
            break;
        note = n->head;
        n->head = note->next;
        if (!n->head)
            n->tail = &n->head;
        n->queued--;
        n->busy_since = now_ms();
        pthread_mutex_unlock(&n->lock);
        send_note(n, note);
        pthread_mutex_lock(&n->lock);
        n->busy_since = 0;
        note_returned(n, note);
    }
    pthread_mutex_unlock(&n->lock);
    return NULL;
}

static void on_async(uv_async_t *async)
{
    struct nwr_notifier *n = nwr_container_of(async, struct nwr_notifier, async);
    struct note *done;

    pthread_mutex_lock(&n->lock);
    done = n->done;
    n->done = NULL;
    pthread_mutex_unlock(&n->lock);
    while (done) {
        struct note *next = done->next;

        if (n->on_inode)
            n->on_inode(n->arg, done->node);
        note_free(done);
        done = next;
    }
}

struct nwr_notifier *nwr_notifier_create(uv_loop_t *loop, struct fuse_session *se, unsigned device,
                                         void (*on_inode)(void *arg, uint64_t node), void *arg)
{
    struct nwr_notifier *n = nwr_zalloc(sizeof(*n));

    n->se = se;
    n->device = device;
    n->tail = &n->head;
    n->on_inode = on_inode;
    n->arg = arg;
    pthread_mutex_init(&n->lock, NULL);
    pthread_cond_init(&n->wake, NULL);
    nwr_assert(uv_async_init(loop, &n->async, on_async) == 0);
    uv_unref((uv_handle_t *)&n->async);
    nwr_assert(pthread_create(&n->thread, NULL, run, n) == 0);
    return n;
}

/* Takes note. At the bound the oldest goes: kernel timeouts are zero, so it only costs a look-up;
 * pages are dropped at the next open. */
static void push(struct nwr_notifier *n, struct note *note)
{
    pthread_mutex_lock(&n->lock);
    *n->tail = note;
    n->tail = &note->next;
    if (++n->queued > NWR_NOTIFY_QUEUE_MAX) {
        struct note *old = n->head;

        n->head = old->next;
        n->queued--;
        note_returned(n, old);
    }
    pthread_cond_signal(&n->wake);
    pthread_mutex_unlock(&n->lock);
}

void nwr_notifier_inode(struct nwr_notifier *n, uint64_t node, uint64_t off, uint64_t size)
{
    struct note *note = nwr_zalloc(sizeof(*note));

    note->node = node;
    note->off = off;
    note->size = size;
    push(n, note);
}

void nwr_notifier_entry(struct nwr_notifier *n, uint64_t node, const char *name)
{
    struct note *note = nwr_zalloc(sizeof(*note));

    note->node = node;
    note->name = nwr_strdup(name);
    push(n, note);
}

void nwr_notifier_watch(struct nwr_notifier *n, nwr_ms now)
{
    bool stuck;

    pthread_mutex_lock(&n->lock);
    stuck = n->busy_since && now > n->busy_since + NWR_NOTIFY_STUCK_MS && !n->aborted;
    n->aborted |= stuck;
    pthread_mutex_unlock(&n->lock);
    if (stuck)
        nwr_fuse_abort(n->device);
}

static void on_async_closed(uv_handle_t *handle)
{
    struct nwr_notifier *n = nwr_container_of((uv_async_t *)handle, struct nwr_notifier, async);
    void (*on_closed)(void *) = n->on_closed;
    void *arg = n->closed_arg;

    nwr_free(n);
    on_closed(arg);
}

void nwr_notifier_close(struct nwr_notifier *n, void (*on_closed)(void *arg), void *arg)
{
    pthread_mutex_lock(&n->lock);
    n->stop = true;
    if (n->busy_since && !n->aborted)
        nwr_fuse_abort(n->device); /* else the join below may wait for ourselves */
    pthread_cond_signal(&n->wake);
    pthread_mutex_unlock(&n->lock);
    pthread_join(n->thread, NULL);
    n->on_inode = NULL;
    on_async(&n->async);
    while (n->head) {
        struct note *next = n->head->next;

        note_free(n->head);
        n->head = next;
    }
    pthread_cond_destroy(&n->wake);
    pthread_mutex_destroy(&n->lock);
    n->on_closed = on_closed;
    n->closed_arg = arg;
    uv_close((uv_handle_t *)&n->async, on_async_closed);
}
