/* load.c -- one workload of the benchmark on one directory; prints "OPERATIONS NANOSECONDS".
 *
 *     load create DIR N       N files of 4 KiB: open, write, close
 *     load cat DIR N          reads them: open, read to the end, close
 *     load write FILE MIB     sequential, 1 MiB a call, then fsync and close
 *     load read FILE MIB      sequential, the kernel's pages of the file dropped first
 *     load list DIR           readdir and lstat of every name, as ls -l does
 *
 * Compiled by bench.sh when it runs.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static char block[1 << 20];

static unsigned long long now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (unsigned long long)t.tv_sec * 1000000000u + (unsigned long long)t.tv_nsec;
}

static void die(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static long create(const char *dir, long n)
{
    char path[4096];

    for (long i = 0; i < n; i++) {
        int fd;

        snprintf(path, sizeof(path), "%s/f%06ld", dir, i);
        fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0644);
        if (fd < 0 || write(fd, block, 4096) != 4096 || close(fd) != 0)
            die(path);
    }
    return n;
}

static long cat(const char *dir, long n)
{
    char path[4096];

    for (long i = 0; i < n; i++) {
        int fd;

        snprintf(path, sizeof(path), "%s/f%06ld", dir, i);
        fd = open(path, O_RDONLY);
        if (fd < 0 || read(fd, block, sizeof(block)) != 4096 ||
            read(fd, block, sizeof(block)) != 0 || close(fd) != 0)
            die(path);
    }
    return n;
}

static long transfer(const char *path, long mib, int writing)
{
    int fd = open(path, writing ? O_CREAT | O_WRONLY | O_TRUNC : O_RDONLY, 0644);

    if (fd < 0)
        die(path);
    if (!writing)
        posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    for (long i = 0; i < mib; i++) {
        ssize_t n;

        memcpy(block, &i, sizeof(i)); /* no two blocks are equal */
        n = writing ? write(fd, block, sizeof(block)) : read(fd, block, sizeof(block));
        if (n != (ssize_t)sizeof(block))
            die(path);
    }
    if ((writing && fsync(fd) != 0) || close(fd) != 0)
        die(path);
    return mib;
}

static long list(const char *dir)
{
    DIR *d = opendir(dir);
    const struct dirent *e;
    struct stat st;
    long n = 0;

    if (!d)
        die(dir);
    while ((e = readdir(d))) {
        if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
            die(e->d_name);
        n++;
    }
    closedir(d);
    return n;
}

int main(int argc, char **argv)
{
    const char *what = argc > 2 ? argv[1] : "";
    long n = argc > 3 ? strtol(argv[3], NULL, 10) : 0;
    unsigned long long begin;
    long done;

    for (size_t i = 0; i < sizeof(block); i++)
        block[i] = (char)(i * 2654435761u >> 13);
    begin = now_ns();
    if (strcmp(what, "create") == 0)
        done = create(argv[2], n);
    else if (strcmp(what, "cat") == 0)
        done = cat(argv[2], n);
    else if (strcmp(what, "write") == 0 || strcmp(what, "read") == 0)
        done = transfer(argv[2], n, what[0] == 'w');
    else if (strcmp(what, "list") == 0)
        done = list(argv[2]);
    else
        return 2;
    printf("%ld %llu\n", done, now_ns() - begin);
    return 0;
}
