/* dir.c -- see dir.h. */
#include "net/store/dir.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FORMAT "nwrfs store 3\n"
/* 1 has records of format 1 only (include/src/codec.c), 1 and 2 one record beside a name for all
 * inodes that had it. They are read as they are; from the first opening on the directory may hold
 * others, which a release that knows those alone would take for rotten, or not see. */
#define FORMAT_FIRST "nwrfs store 1\n"
#define FORMAT_BEFORE "nwrfs store 2\n"
#define LOCK_STEP_MS 20

struct opening {
    const char *dir;
    char *text;
    size_t text_len;
    int fd;
};

static enum nwr_err fail(struct opening *o, const char *what)
{
    int no = errno;

    snprintf(o->text, o->text_len, "cannot %s %s: %s", what, o->dir, strerror(no));
    switch (no) {
    case ENOSPC:
    case EDQUOT: return NWR_E_NOSPC;
    case EACCES:
    case EPERM:
    case EROFS: return NWR_E_ACCESS;
    case ENOENT: return NWR_E_NOENT;
    case ENOTDIR: return NWR_E_NOTDIR;
    default: return NWR_E_IO;
    }
}

static enum nwr_err take_lock(struct opening *o, nwr_ms wait_ms, int *lock)
{
    const struct timespec step = {0, LOCK_STEP_MS * 1000000L};
    int fd = openat(o->fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0)
        return fail(o, "use");
    for (nwr_ms waited = 0; flock(fd, LOCK_EX | LOCK_NB); waited += LOCK_STEP_MS) {
        if (errno != EWOULDBLOCK && errno != EINTR) {
            close(fd);
            return fail(o, "lock");
        }
        if (waited >= wait_ms) {
            snprintf(o->text, o->text_len, "%s is in use by another process", o->dir);
            close(fd);
            return NWR_E_LOCKED;
        }
        nanosleep(&step, NULL);
    }
    *lock = fd;
    return NWR_OK;
}

static enum nwr_err write_format(struct opening *o)
{
    const ssize_t len = sizeof(FORMAT) - 1;
    int fd = openat(o->fd, "format.new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool bad;

    if (fd < 0)
        return fail(o, "write to");
    errno = ENOSPC;
    bad = write(fd, FORMAT, (size_t)len) != len || fsync(fd);
    close(fd);
    if (bad || renameat(o->fd, "format.new", o->fd, "format") || fsync(o->fd))
        return fail(o, "write to");
    return NWR_OK;
}

static enum nwr_err check_format(struct opening *o)
{
    char found[64] = "";
    int fd = openat(o->fd, "format", O_RDONLY | O_CLOEXEC);
    ssize_t len;

    if (fd < 0 && errno == ENOENT) {
        if (faccessat(o->fd, "db", F_OK, 0) != 0)
            return write_format(o);
        snprintf(o->text, o->text_len, "%s has data but no format file", o->dir);
        return NWR_E_VERSION;
    }
    if (fd < 0)
        return fail(o, "read");
    len = read(fd, found, sizeof(found) - 1);
    close(fd);
    if (len < 0)
        return fail(o, "read");
    if (strcmp(found, FORMAT) == 0)
        return NWR_OK;
    if (strcmp(found, FORMAT_BEFORE) == 0 || strcmp(found, FORMAT_FIRST) == 0)
        return write_format(o);
    found[strcspn(found, "\n")] = 0;
    snprintf(o->text, o->text_len,
             "%s has format \"%s\", this version knows up to \"nwrfs store 3\"", o->dir, found);
    return NWR_E_VERSION;
}

enum nwr_err nwr_dir_open(const char *dir, nwr_ms wait_ms, int *lock, char *text, size_t text_len)
{
    struct opening o = {dir, text, text_len, -1};
    enum nwr_err err;

    if (mkdir(dir, 0700) && errno != EEXIST)
        return fail(&o, "make");
    o.fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (o.fd < 0)
        return fail(&o, "open");
    err = take_lock(&o, wait_ms, lock);
    if (!err) {
        err = check_format(&o);
        if (err)
            close(*lock);
    }
    close(o.fd);
    return err;
}
