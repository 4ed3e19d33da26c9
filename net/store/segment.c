/* segment.c -- see segment.h. */
#include "net/store/segment.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define MAGIC 0x5347574eu /* "NWGS" */
#define ALIGN 4096        /* of blocks in a file, and of memory for O_DIRECT */
#define HEADER 48
#define OPEN_MAX 64                   /* files kept open */
#define SPARSE_SHARE 4                /* below 1/4 live a file is copied out */
#define FOLIO_MAX ((uint64_t)2 << 20) /* bytes of the page cache that go or stay together */

struct segment {
    uint32_t number;
    int fd; /* -1: not open */
    uint64_t size, live;
    bool dirty; /* bytes since the last sync */
};

struct dead {
    struct nwr_place place;
    uint64_t mark;
};

/* lock guards the lists; bytes are read and written without it, by one thread at a time, in the
 * file `held`. A file is closed only when it is not held: by the thread that reads (room for
 * another; it holds none then), or by reclaim, which closes files with nothing live. A get has its
 * place from the index, and a place is dropped, by that thread too, when the index has forgotten
 * it: so a file that is read has something live. */
struct nwr_segments {
    pthread_mutex_t lock;
    uint32_t held; /* number; 0: none */
    int dir;
    uint64_t limit;
    struct segment **seg; /* by number; the last one is appended to */
    uint32_t n, cap, nopen;
    uint32_t next; /* number of the next new file */
    struct dead *dead;
    uint32_t ndead, capdead;
    uint64_t mark; /* drops so far */
    int direct;    /* the last file, for writing past the cache; -1: not open */
    uint32_t direct_number;
    bool no_direct;
    uint8_t *bounce; /* aligned */
    size_t bounce_bytes;
    bool name_dirty; /* a file was made since the last sync */
};

static void name_of(char *out, size_t len, uint32_t number)
{
    snprintf(out, len, "%06" PRIu32 ".seg", number);
}

/* Bytes that a block takes in its file. */
static uint64_t footprint(uint32_t len)
{
    return (HEADER + (uint64_t)len + ALIGN - 1) / ALIGN * ALIGN;
}

static enum nwr_err err_of(int no)
{
    switch (no) {
    case ENOSPC:
    case EDQUOT: return NWR_E_NOSPC;
    case ENOENT: return NWR_E_CORRUPT;
    case EAGAIN: return NWR_E_BUSY;
    case EACCES: return NWR_E_ACCESS;
    case EROFS: return NWR_E_ROFS;
    case EMFILE:
    case ENFILE: return NWR_E_MFILE;
    default: return NWR_E_IO;
    }
}

static struct segment *find(struct nwr_segments *s, uint32_t number)
{
    uint32_t lo = 0, hi = s->n;

    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;

        if (s->seg[mid]->number < number)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < s->n && s->seg[lo]->number == number ? s->seg[lo] : NULL;
}

static void close_one(struct nwr_segments *s, struct segment *g)
{
    nwr_assert(g->number != s->held);
    if (g->fd >= 0) {
        close(g->fd);
        g->fd = -1;
        s->nopen--;
    }
}

static int open_one(struct nwr_segments *s, struct segment *g, int flags)
{
    char name[32];

    if (g->fd >= 0)
        return g->fd;
    for (uint32_t i = 0; i + 1 < s->n && s->nopen >= OPEN_MAX; i++)
        if (!s->seg[i]->dirty)
            close_one(s, s->seg[i]);
    name_of(name, sizeof(name), g->number);
    g->fd = openat(s->dir, name, O_RDWR | O_CLOEXEC | flags, 0600);
    if (g->fd >= 0)
        s->nopen++;
    return g->fd;
}

/* ---- opening -------------------------------------------------------------------------------- */

static void add(struct nwr_segments *s, uint32_t number, uint64_t size)
{
    struct segment *g = nwr_zalloc(sizeof(*g));

    g->number = number;
    g->fd = -1;
    g->size = size;
    s->seg = nwr_grow(s->seg, &s->cap, s->n + 1, sizeof(*s->seg));
    s->seg[s->n++] = g;
    s->next = NWR_MAX(s->next, number + 1);
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = (*(struct segment *const *)a)->number, y = (*(struct segment *const *)b)->number;

    return (x > y) - (x < y);
}

static enum nwr_err list(struct nwr_segments *s)
{
    int fd = dup(s->dir);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *e;

    if (!d) {
        if (fd >= 0)
            close(fd);
        return NWR_E_IO;
    }
    while ((e = readdir(d))) {
        char *end;
        unsigned long n = strtoul(e->d_name, &end, 10);
        struct stat st;

        if (end == e->d_name || strcmp(end, ".seg") != 0 || n == 0 || n >= UINT32_MAX)
            continue;
        if (fstatat(s->dir, e->d_name, &st, 0) == 0)
            add(s, (uint32_t)n, ((uint64_t)st.st_size + ALIGN - 1) / ALIGN * ALIGN);
    }
    closedir(d);
    if (s->n > 1)
        qsort(s->seg, s->n, sizeof(*s->seg), by_number);
    return NWR_OK;
}

enum nwr_err nwr_segments_open(struct nwr_segments **out, const char *dir, uint64_t segment_bytes)
{
    struct nwr_segments *s = nwr_zalloc(sizeof(*s));
    enum nwr_err err;

    pthread_mutex_init(&s->lock, NULL);
    s->limit = segment_bytes;
    s->next = 1;
    s->direct = -1;
    if (mkdir(dir, 0700) && errno != EEXIST)
        err = err_of(errno);
    else
        err =
            (s->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0 ? err_of(errno) : list(s);
    if (err) {
        nwr_segments_close(s);
        return err;
    }
    *out = s;
    return NWR_OK;
}

void nwr_segments_close(struct nwr_segments *s)
{
    for (uint32_t i = 0; i < s->n; i++) {
        close_one(s, s->seg[i]);
        nwr_free(s->seg[i]);
    }
    if (s->direct >= 0)
        close(s->direct);
    if (s->dir > 0)
        close(s->dir);
    free(s->bounce);
    pthread_mutex_destroy(&s->lock);
    nwr_free(s->seg);
    nwr_free(s->dead);
    nwr_free(s);
}

void nwr_segments_live(struct nwr_segments *s, const struct nwr_place *place)
{
    struct segment *g = place ? find(s, place->segment) : NULL;

    for (uint32_t i = 0; i < s->n && !place; i++)
        s->seg[i]->live = 0;
    if (g)
        g->live += footprint(place->len);
}

/* ---- blocks --------------------------------------------------------------------------------- */

static void make_header(uint8_t *h, const struct nwr_block *b, uint64_t sum)
{
    struct nwr_out o = {0};

    nwr_out_u32(&o, MAGIC);
    nwr_out_u32(&o, b->data->len);
    nwr_out_u64(&o, b->id.ino);
    nwr_out_u64(&o, b->id.wid);
    nwr_out_u32(&o, b->id.number);
    nwr_out_u32(&o, 0);
    nwr_out_u64(&o, sum);
    nwr_out_u64(&o, nwr_hash64(o.data, o.len, MAGIC));
    nwr_assert(o.len == HEADER);
    memcpy(h, o.data, HEADER);
    nwr_out_free(&o);
}

/* The file to append to, with room for more bytes: the last one, or a new one. */
static struct segment *tail(struct nwr_segments *s, uint64_t more)
{
    struct segment *g = s->n ? s->seg[s->n - 1] : NULL;

    if (!g || (g->size && g->size + more > s->limit)) {
        add(s, s->next, 0);
        g = s->seg[s->n - 1];
    }
    if (g->size)
        return open_one(s, g, 0) < 0 ? NULL : g;
    s->name_dirty = true; /* it may not have been made yet: the last time that failed */
    return open_one(s, g, O_CREAT) < 0 ? NULL : g;
}

/* The block as it will stand in the file, in aligned memory. */
static uint8_t *lay_out(struct nwr_segments *s, const struct nwr_block *b, uint64_t sum)
{
    size_t bytes = footprint(b->data->len);
    size_t used = HEADER + (size_t)b->data->len;

    if (s->bounce_bytes < bytes) {
        free(s->bounce);
        s->bounce = aligned_alloc(ALIGN, bytes);
        nwr_assert(s->bounce);
        s->bounce_bytes = bytes;
    }
    make_header(s->bounce, b, sum);
    memcpy(s->bounce + HEADER, b->data->data, b->data->len);
    memset(s->bounce + used, 0, bytes - used);
    return s->bounce;
}

/* A descriptor that writes past the cache, or -1 where that is not possible. */
static int direct_of(struct nwr_segments *s, const struct segment *g)
{
    char name[32];

    if (s->direct >= 0 && s->direct_number == g->number)
        return s->direct;
    if (s->direct >= 0)
        close(s->direct);
    name_of(name, sizeof(name), g->number);
    s->direct = s->no_direct ? -1 : openat(s->dir, name, O_WRONLY | O_CLOEXEC | O_DIRECT);
    s->direct_number = g->number;
    return s->direct;
}

static int write_all(int fd, const uint8_t *p, size_t len, uint64_t at)
{
    while (len) {
        ssize_t got = pwrite(fd, p, len, (off_t)at);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            errno = got ? errno : EIO;
            return -1;
        }
        p += got;
        at += (uint64_t)got;
        len -= (size_t)got;
    }
    return 0;
}

static int write_block(struct nwr_segments *s, const struct segment *g, const uint8_t *p,
                       size_t len)
{
    int direct = direct_of(s, g);

    if (direct >= 0 && write_all(direct, p, len, g->size) == 0)
        return 0;
    if (direct >= 0 && errno != EINVAL)
        return -1;
    s->no_direct = true;
    return write_all(g->fd, p, len, g->size);
}

static void let_go(struct nwr_segments *s)
{
    pthread_mutex_lock(&s->lock);
    s->held = 0;
    pthread_mutex_unlock(&s->lock);
}

/* The file to append to, held, and marked before anything is written: a sync must not pass it
 * over. */
static struct segment *dirty_tail(struct nwr_segments *s, uint64_t bytes, enum nwr_err *err)
{
    struct segment *g;

    pthread_mutex_lock(&s->lock);
    g = tail(s, bytes);
    if (g) {
        g->dirty = true;
        s->held = g->number;
    } else {
        *err = err_of(errno);
    }
    pthread_mutex_unlock(&s->lock);
    return g;
}

enum nwr_err nwr_segments_put(struct nwr_segments *s, const struct nwr_block *b,
                              struct nwr_place *place)
{
    uint64_t bytes = footprint(b->data->len);
    uint8_t *p = lay_out(s, b, place->sum);
    enum nwr_err err = NWR_OK;
    struct segment *g = dirty_tail(s, bytes, &err);

    if (!g)
        return err;
    if (write_block(s, g, p, bytes)) {
        err = err_of(errno);
        let_go(s);
        return err;
    }
    place->segment = g->number;
    place->offset = g->size;
    pthread_mutex_lock(&s->lock);
    g->dirty = true;
    g->size += bytes;
    g->live += bytes;
    s->held = 0;
    pthread_mutex_unlock(&s->lock);
    return NWR_OK;
}

static ssize_t read_some(int fd, uint8_t *p, size_t len, uint64_t at, bool cached)
{
    struct iovec v = {p, len};
    ssize_t got;

    do
        got = preadv2(fd, &v, 1, (off_t)at, cached ? RWF_NOWAIT : 0);
    while (got < 0 && errno == EINTR);
    if (got < 0 && cached && errno == EOPNOTSUPP)
        errno = EAGAIN;
    return got;
}

static enum nwr_err read_all(int fd, uint8_t *p, size_t len, uint64_t at, bool cached)
{
    while (len) {
        ssize_t got = read_some(fd, p, len, at, cached);

        if (got < 0)
            return err_of(errno);
        if (got == 0)
            return NWR_E_CORRUPT;
        p += got;
        at += (uint64_t)got;
        len -= (size_t)got;
    }
    return NWR_OK;
}

/* The descriptor of place's file, which is held until let_go; E_CORRUPT without one. */
static enum nwr_err open_place(struct nwr_segments *s, const struct nwr_place *place, int *fd)
{
    struct segment *g;
    enum nwr_err err = NWR_E_CORRUPT;

    pthread_mutex_lock(&s->lock);
    g = find(s, place->segment);
    if (g) {
        *fd = open_one(s, g, 0);
        err = *fd < 0 ? err_of(errno) : NWR_OK;
        s->held = err ? 0 : g->number;
    }
    pthread_mutex_unlock(&s->lock);
    return err;
}

static void advise(struct nwr_segments *s, const struct nwr_place *place, uint64_t unit, int what)
{
    uint64_t from = place->offset / unit * unit;
    uint64_t end = (place->offset + footprint(place->len) + unit - 1) / unit * unit;
    int fd;

    if (open_place(s, place, &fd))
        return;
    posix_fadvise(fd, (off_t)from, (off_t)(end - from), what);
    let_go(s);
}

void nwr_segments_hint(struct nwr_segments *s, const struct nwr_place *place)
{
    advise(s, place, 1, POSIX_FADV_WILLNEED);
}

/* What is not on the disk yet stays in memory, and so does what shares a folio of the kernel's with
 * other bytes that are wanted. */
void nwr_segments_cool(struct nwr_segments *s, const struct nwr_place *place)
{
    advise(s, place, FOLIO_MAX, POSIX_FADV_DONTNEED);
}

enum nwr_err nwr_segments_get(struct nwr_segments *s, const struct nwr_place *place, bool cached,
                              struct nwr_blob **out)
{
    struct nwr_blob *b;
    int fd;
    enum nwr_err err = open_place(s, place, &fd);

    if (err)
        return err;
    b = nwr_blob_new(place->len);
    err = read_all(fd, b->data, b->len, place->offset + HEADER, cached);
    let_go(s);
    if (err)
        nwr_blob_unref(b);
    else
        *out = b;
    return err;
}

/* ---- giving room back ----------------------------------------------------------------------- */

void nwr_segments_drop(struct nwr_segments *s, const struct nwr_place *place)
{
    pthread_mutex_lock(&s->lock);
    s->dead = nwr_grow(s->dead, &s->capdead, s->ndead + 1, sizeof(*s->dead));
    s->dead[s->ndead++] = (struct dead){*place, ++s->mark};
    pthread_mutex_unlock(&s->lock);
}

static enum nwr_err sync_names(struct nwr_segments *s)
{
    bool dirty;

    pthread_mutex_lock(&s->lock);
    dirty = s->name_dirty;
    s->name_dirty = false;
    pthread_mutex_unlock(&s->lock);
    return dirty && fsync(s->dir) ? err_of(errno) : NWR_OK;
}

/* The next dirty file from *from on, a descriptor of its own; -1: there is none, or err. */
static int next_dirty(struct nwr_segments *s, uint32_t *from, enum nwr_err *err)
{
    int fd = -1;

    pthread_mutex_lock(&s->lock);
    for (uint32_t i = 0; i < s->n && fd < 0 && !*err; i++) {
        struct segment *g = s->seg[i];

        if (!g->dirty || g->number < *from)
            continue;
        *from = g->number + 1;
        fd = dup(g->fd);
        g->dirty = fd < 0;
        if (fd < 0)
            *err = err_of(errno);
    }
    pthread_mutex_unlock(&s->lock);
    return fd;
}

enum nwr_err nwr_segments_sync(struct nwr_segments *s, uint64_t *mark)
{
    enum nwr_err err;
    uint32_t from = 0;
    int fd;

    pthread_mutex_lock(&s->lock);
    *mark = s->mark;
    pthread_mutex_unlock(&s->lock);
    err = sync_names(s);
    while ((fd = next_dirty(s, &from, &err)) >= 0) {
        if (fdatasync(fd))
            err = err_of(errno);
        close(fd);
    }
    return err;
}

static void remove_file(struct nwr_segments *s, struct segment *g)
{
    char name[32];
    uint32_t i = 0;

    name_of(name, sizeof(name), g->number);
    close_one(s, g);
    unlinkat(s->dir, name, 0);
    while (s->seg[i] != g)
        i++;
    memmove(&s->seg[i], &s->seg[i + 1], (s->n - i - 1) * sizeof(*s->seg));
    s->n--;
    nwr_free(g);
}

/* Where holes cannot be punched, copying sparse files out gives the room back, later. */
static void punch(struct nwr_segments *s, const struct segment *g, const struct nwr_place *place)
{
    char name[32];
    int fd;

    name_of(name, sizeof(name), g->number);
    fd = openat(s->dir, name, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return;
    (void)!fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)place->offset,
                     (off_t)footprint(place->len));
    close(fd);
}

/* Files with nothing live go, but for the one that is appended to. */
static void bury(struct nwr_segments *s, const struct nwr_place *place)
{
    struct segment *g = find(s, place->segment);

    if (!g)
        return;
    g->live -= NWR_MIN(g->live, footprint(place->len));
    if (g->live == 0 && g != s->seg[s->n - 1])
        remove_file(s, g);
    else
        punch(s, g, place);
}

static void remove_empty(struct nwr_segments *s)
{
    pthread_mutex_lock(&s->lock);
    for (uint32_t i = 0; i + 1 < s->n;)
        if (s->seg[i]->live == 0)
            remove_file(s, s->seg[i]);
        else
            i++;
    pthread_mutex_unlock(&s->lock);
}

/* The lock is given up between drops: whoever appends does not wait for all of them. */
void nwr_segments_reclaim(struct nwr_segments *s, uint64_t mark)
{
    struct dead *dead;
    uint32_t n = 0;

    pthread_mutex_lock(&s->lock);
    while (n < s->ndead && s->dead[n].mark <= mark)
        n++;
    dead = n ? nwr_memdup(s->dead, n * sizeof(*dead)) : NULL;
    if (n)
        memmove(s->dead, s->dead + n, (s->ndead - n) * sizeof(*s->dead));
    s->ndead -= n;
    pthread_mutex_unlock(&s->lock);
    for (uint32_t i = 0; i < n; i++) {
        pthread_mutex_lock(&s->lock);
        bury(s, &dead[i].place);
        pthread_mutex_unlock(&s->lock);
    }
    nwr_free(dead);
    if (mark == UINT64_MAX)
        remove_empty(s);
}

bool nwr_segments_waiting(struct nwr_segments *s)
{
    bool waiting;

    pthread_mutex_lock(&s->lock);
    waiting = s->ndead > 0;
    pthread_mutex_unlock(&s->lock);
    return waiting;
}

uint32_t nwr_segments_sparse(struct nwr_segments *s, uint32_t after)
{
    uint32_t found = 0;

    pthread_mutex_lock(&s->lock);
    for (uint32_t i = 0; i + 1 < s->n && !found; i++)
        if (s->seg[i]->number > after && s->seg[i]->live < s->seg[i]->size / SPARSE_SHARE)
            found = s->seg[i]->number;
    pthread_mutex_unlock(&s->lock);
    return found;
}

void nwr_segments_stat(struct nwr_segments *s, uint64_t *bytes, uint64_t *live)
{
    *bytes = *live = 0;
    pthread_mutex_lock(&s->lock);
    for (uint32_t i = 0; i < s->n; i++) {
        *bytes += s->seg[i]->size;
        *live += s->seg[i]->live;
    }
    pthread_mutex_unlock(&s->lock);
}
