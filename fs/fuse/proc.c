/* proc.c -- which process calls: thread group and start time (DESIGN 9, "what a process read"),
 * and the groups it is in beside its first.
 *
 * The kernel names a thread. /proc is read at most once a second for one thread with one user.
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

static void read_groups(struct nwr_proc *p, const char *status)
{
    const char *at = strstr(status, "\nGroups:");
    char *end;

    p->ngroup = 0;
    for (at = at ? at + 8 : ""; p->ngroup < NWR_FS_GROUPS; at = end) {
        unsigned long gid;

        while (*at == ' ' || *at == '\t')
            at++;
        gid = strtoul(at, &end, 10);
        if (end == at || *at == '\n') /* which strtoul would pass over */
            break;
        p->group[p->ngroup++] = (uint32_t)gid;
    }
}

static uint64_t read_key(const char *status)
{
    const char *line = strstr(status, "\nTgid:");
    char path[48], text[4096];
    uint64_t tgid, start;

    if (!line)
        return 0;
    tgid = strtoull(line + 6, NULL, 10);
    snprintf(path, sizeof(path), "/proc/%llu/stat", (unsigned long long)tgid);
    if (!read_file(path, text, sizeof(text)))
        return 0;
    start = start_time(text);
    return nwr_mix64(tgid ^ nwr_mix64(start)) | 1;
}

static void read_proc(struct nwr_proc *p)
{
    char path[48], text[4096] = "";

    snprintf(path, sizeof(path), "/proc/%u/status", p->tid);
    if (p->tid &&
        !read_file(path, text, sizeof(text))) /* 0: the kernel, or another pid namespace */
        text[0] = '\0';
    p->key = read_key(text);
    read_groups(p, text);
}

const struct nwr_proc *nwr_proc_of(struct nwr_proc_cache *c, const struct nwr_fs_req *r, nwr_ms now)
{
    struct nwr_proc *p = &c->slot[r->pid % NWR_COUNT(c->slot)];

    if (p->tid != r->pid || p->uid != r->uid || p->gid != r->gid ||
        now - p->read_at > PROC_KEEP_MS) {
        p->tid = r->pid;
        p->uid = r->uid;
        p->gid = r->gid;
        p->read_at = now;
        read_proc(p);
    }
    return p;
}
