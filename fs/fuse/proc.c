/* proc.c -- which process calls: thread group and start time (DESIGN 9, "what a process read").
 *
 * The kernel names a thread. /proc is read at most once a second for one thread.
 */
#include "fs/fuse/internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    PROC_KEEP_MS = 1000
};

static bool read_file(const char *path, char *buf, size_t len)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n;

    if (fd < 0)
        return false;
    n = read(fd, buf, len - 1);
    close(fd);
    if (n <= 0)
        return false;
    buf[n] = '\0';
    return true;
}

/* Field 22 of /proc/PID/stat, counted behind the command, which may contain anything. */
static uint64_t start_time(const char *stat)
{
    const char *p = strrchr(stat, ')');

    for (int field = 2; p && field < 22; field++)
        p = strchr(p + 1, ' ');
    return p ? strtoull(p, NULL, 10) : 0;
}

static uint64_t key_of(uint32_t tid)
{
    char path[48], text[4096];
    const char *line;
    uint64_t tgid, start;

    snprintf(path, sizeof(path), "/proc/%u/status", tid);
    if (!read_file(path, text, sizeof(text)))
        return 0;
    line = strstr(text, "\nTgid:");
    if (!line)
        return 0;
    tgid = strtoull(line + 6, NULL, 10);
    snprintf(path, sizeof(path), "/proc/%llu/stat", (unsigned long long)tgid);
    if (!read_file(path, text, sizeof(text)))
        return 0;
    start = start_time(text);
    return nwr_mix64(tgid ^ nwr_mix64(start)) | 1;
}

uint64_t nwr_proc_key(struct nwr_proc_cache *c, uint32_t tid, nwr_ms now)
{
    size_t i = tid % NWR_COUNT(c->slot);

    if (tid == 0)
        return 0; /* the kernel itself, or another pid namespace */
    if (c->slot[i].tid != tid || now - c->slot[i].read_at > PROC_KEEP_MS) {
        c->slot[i].tid = tid;
        c->slot[i].key = key_of(tid);
        c->slot[i].read_at = now;
    }
    return c->slot[i].key;
}
