/* many.c -- one workload of manynames.sh on one large directory; prints "OPERATIONS NANOSECONDS".
 *
 *     many create DIR FROM TO [THREADS]   empty files n0000000 ...: open, close
 *     many link DIR FROM TO               hard links to n0000000, named l0000000 ...
 *     many stat|open DIR NAMES N          N of the first NAMES names, at random
 *     many absent DIR NAMES N             stat of N names that are not there
 *     many rename|unlink DIR FROM TO      each to r0000000 ...; each n0000000 ...
 *     many names|stats DIR                readdir; readdir and lstat of each
 *     many seek DIR N                     N positions at random: each shows the name it showed
 *
 * Compiled by manynames.sh when it runs.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct part {
    pthread_t thread;
    const char *dir;
    long from, to, step;
};

static unsigned long long now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (unsigned long long)t.tv_sec * 1000000000u + (unsigned long long)t.tv_nsec;
}

static void die(const char *what)
{
    fprintf(stderr, "many: %s: %s\n", what, strerror(errno));
    exit(1);
}

static long draw(long n)
{
    static unsigned long long x = 88172645463325252u;

    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return (long)(x % (unsigned long long)n);
}

static const char *path_of(char *path, const char *dir, char kind, long i)
{
    snprintf(path, 4096, "%s/%c%07ld", dir, kind, i);
    return path;
}

static void *create_part(void *arg)
{
    const struct part *p = arg;
    char path[4096];

    for (long i = p->from; i < p->to; i += p->step) {
        int fd = open(path_of(path, p->dir, 'n', i), O_CREAT | O_EXCL | O_WRONLY, 0644);

        if (fd < 0 || close(fd) != 0)
            die(path);
    }
    return NULL;
}

static long create(const char *dir, long from, long to, long threads)
{
    struct part parts[64];

    if (threads < 1 || threads > 64)
        die("threads");
    for (long i = 0; i < threads; i++) {
        parts[i] = (struct part){.dir = dir, .from = from + i, .to = to, .step = threads};
        if (pthread_create(&parts[i].thread, NULL, create_part, &parts[i]) != 0)
            die("thread");
    }
    for (long i = 0; i < threads; i++)
        pthread_join(parts[i].thread, NULL);
    return to - from;
}

static long change(const char *what, const char *dir, long from, long to)
{
    char path[4096], other[4096];

    for (long i = from; i < to; i++) {
        int rc;

        path_of(path, dir, 'n', i);
        if (what[0] == 'u')
            rc = unlink(path);
        else if (what[0] == 'r')
            rc = rename(path, path_of(other, dir, 'r', i));
        else
            rc = link(path_of(path, dir, 'n', 0), path_of(other, dir, 'l', i));
        if (rc != 0)
            die(path);
    }
    return to - from;
}

static long look(const char *what, const char *dir, long names, long n)
{
    char path[4096];
    struct stat st;

    for (long i = 0; i < n; i++) {
        path_of(path, dir, what[0] == 'a' ? 'x' : 'n', draw(names));
        if (what[0] == 'o') {
            int fd = open(path, O_RDONLY);

            if (fd < 0 || close(fd) != 0)
                die(path);
        } else if ((stat(path, &st) == 0) == (what[0] == 'a')) {
            die(path);
        }
    }
    return n;
}

static long list(const char *dir, int stats)
{
    DIR *d = opendir(dir);
    const struct dirent *e;
    struct stat st;
    long n = 0;

    if (!d)
        die(dir);
    for (errno = 0; (e = readdir(d)); n++) {
        if (stats && fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
            die(e->d_name);
        errno = 0;
    }
    if (errno)
        die(dir);
    closedir(d);
    return n - 2;
}

static long seek(const char *dir, long n)
{
    DIR *d = opendir(dir);
    const struct dirent *e;
    struct at {
        long pos;
        char name[24];
    } *at = NULL;
    long count = 0, room = 0;

    if (!d)
        die(dir);
    for (;;) {
        long pos = telldir(d);

        e = readdir(d);
        if (!e)
            break;
        if (count == room) {
            room = room ? 2 * room : 1024;
            at = realloc(at, (size_t)room * sizeof(*at));
            if (!at)
                die("memory");
        }
        at[count].pos = pos;
        snprintf(at[count++].name, sizeof(at->name), "%.20s", e->d_name);
    }
    for (long i = 0; i < n; i++) {
        long k = draw(count);

        seekdir(d, at[k].pos);
        e = readdir(d);
        if (!e || strcmp(e->d_name, at[k].name) != 0)
            die("a position shows another name");
    }
    free(at);
    closedir(d);
    return n;
}

int main(int argc, char **argv)
{
    const char *what = argc > 2 ? argv[1] : "";
    const char *dir = argc > 2 ? argv[2] : "";
    long a = argc > 3 ? strtol(argv[3], NULL, 10) : 0;
    long b = argc > 4 ? strtol(argv[4], NULL, 10) : 0;
    unsigned long long begin = now_ns();
    long done;

    if (strcmp(what, "create") == 0)
        done = create(dir, a, b, argc > 5 ? strtol(argv[5], NULL, 10) : 1);
    else if (strcmp(what, "link") == 0 || strcmp(what, "rename") == 0 ||
             strcmp(what, "unlink") == 0)
        done = change(what, dir, a, b);
    else if (strcmp(what, "stat") == 0 || strcmp(what, "open") == 0 || strcmp(what, "absent") == 0)
        done = look(what, dir, a, b);
    else if (strcmp(what, "names") == 0 || strcmp(what, "stats") == 0)
        done = list(dir, what[4] == 's' && what[0] == 's');
    else if (strcmp(what, "seek") == 0)
        done = seek(dir, a);
    else
        return 2;
    printf("%ld %llu\n", done, now_ns() - begin);
    return 0;
}
