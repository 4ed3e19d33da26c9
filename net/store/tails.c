/* tails.c -- see tails.h. */
#include "net/store/tails.h"

#include "nwr/base.h"
#include "nwr/pack.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC 0x4c494154u /* "TAIL" */
#define TAIL_BYTES 8192
#define ENTRY_BYTES 20
#define LIST_MAX (1 << 24)

struct tail {
    uint32_t number;
    uint64_t size, sum; /* of the file; of its last bytes */
};

struct tails {
    struct tail *t;
    uint32_t n, cap;
};

static void add(struct tails *all, const struct tail *t)
{
    all->t = nwr_grow(all->t, &all->cap, all->n + 1, sizeof(*all->t));
    all->t[all->n++] = *t;
}

static const struct tail *find(const struct tails *all, uint32_t number)
{
    for (uint32_t i = 0; i < all->n; i++)
        if (all->t[i].number == number)
            return &all->t[i];
    return NULL;
}

static void read_list(int dir, struct tails *all)
{
    int fd = openat(dir, "mark.tables", O_RDONLY | O_CLOEXEC);
    struct stat st;
    struct nwr_in in;
    uint8_t *p;

    if (fd < 0)
        return;
    if (fstat(fd, &st) == 0 && st.st_size >= 8 && st.st_size <= LIST_MAX) {
        size_t len = (size_t)st.st_size - 8;

        p = nwr_alloc(len + 8);
        if (pread(fd, p, len + 8, 0) == st.st_size) {
            in = nwr_in_of(p + len, 8);
            if (nwr_in_u64(&in) != nwr_hash64(p, len, MAGIC))
                len = 0;
            in = nwr_in_of(p, len);
            for (size_t i = 0; i < len / ENTRY_BYTES; i++) {
                struct tail t = {.number = nwr_in_u32(&in)};

                t.size = nwr_in_u64(&in);
                t.sum = nwr_in_u64(&in);
                add(all, &t);
            }
        }
        nwr_free(p);
    }
    close(fd);
}

static void write_list(int dir, const struct tails *all)
{
    struct nwr_out o = {0};
    int fd = openat(dir, "mark.tables.new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool good;

    for (uint32_t i = 0; i < all->n; i++) {
        nwr_out_u32(&o, all->t[i].number);
        nwr_out_u64(&o, all->t[i].size);
        nwr_out_u64(&o, all->t[i].sum);
    }
    nwr_out_u64(&o, nwr_hash64(o.data, o.len, MAGIC));
    good = fd >= 0 && write(fd, o.data, o.len) == (ssize_t)o.len;
    if (fd >= 0)
        close(fd);
    if (!good || renameat(dir, "mark.tables.new", dir, "mark.tables"))
        unlinkat(dir, "mark.tables.new", 0);
    nwr_out_free(&o);
}

/* False: it cannot be read; then RocksDB says so. */
static bool look_at(int db, const char *name, struct tail *t)
{
    uint8_t bytes[TAIL_BYTES];
    int fd = openat(db, name, O_RDONLY | O_CLOEXEC);
    struct stat st;
    bool good = fd >= 0 && fstat(fd, &st) == 0;
    size_t len;

    if (good) {
        len = (size_t)NWR_MIN(st.st_size, (off_t)sizeof(bytes));
        good = pread(fd, bytes, len, st.st_size - (off_t)len) == (ssize_t)len;
        t->size = (uint64_t)st.st_size;
        t->sum = nwr_hash64(bytes, len, t->number);
    }
    if (fd >= 0)
        close(fd);
    return good;
}

/* Calls on for each table file there is. */
static void each(int dir, void (*on)(int db, const char *name, uint32_t number, void *arg),
                 void *arg)
{
    int fd = openat(dir, "db", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *e;

    if (!d) {
        if (fd >= 0)
            close(fd);
        return;
    }
    while ((e = readdir(d))) {
        char *end;
        unsigned long number = strtoul(e->d_name, &end, 10);

        if (end != e->d_name && strcmp(end, ".sst") == 0 && number <= UINT32_MAX)
            on(fd, e->d_name, (uint32_t)number, arg);
    }
    closedir(d);
}

struct noting {
    struct tails old, now;
};

/* A file that is still being written has another size the next time. */
static void note_one(int db, const char *name, uint32_t number, void *arg)
{
    struct noting *all = arg;
    const struct tail *old = find(&all->old, number);
    struct tail t = {.number = number};
    struct stat st;

    if (old && fstatat(db, name, &st, 0) == 0 && (uint64_t)st.st_size == old->size)
        add(&all->now, old);
    else if (look_at(db, name, &t))
        add(&all->now, &t);
}

void nwr_tails_note(int dir)
{
    struct noting all = {0};

    read_list(dir, &all.old);
    each(dir, note_one, &all);
    write_list(dir, &all.now);
    nwr_free(all.old.t);
    nwr_free(all.now.t);
}

/* Longer than it was noted: it was still being written then. */
static void check_one(int db, const char *name, uint32_t number, void *arg)
{
    const struct tails *all = arg;
    const struct tail *noted = find(all, number);
    struct tail t = {.number = number};
    char to[64];

    if (!noted || !look_at(db, name, &t) || t.size > noted->size ||
        (t.size == noted->size && t.sum == noted->sum))
        return;
    snprintf(to, sizeof(to), "lost/%06" PRIu32 ".sst", number);
    if ((mkdirat(db, "lost", 0700) && errno != EEXIST) || renameat(db, name, db, to))
        unlinkat(db, name, 0);
}

void nwr_tails_check(int dir)
{
    struct tails all = {0};

    read_list(dir, &all);
    each(dir, check_one, &all);
    nwr_free(all.t);
}
