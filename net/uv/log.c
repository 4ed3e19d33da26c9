/* log.c -- see log.h. */
#include "net/uv/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static struct {
    char path[PATH_MAX];
    int fd; /* 0: none yet, standard error is the log */
    bool tee;
    off_t bytes;
    time_t second;
    unsigned in_second, dropped;
} log_;

static int open_file(void)
{
    struct stat st;
    int fd = open(log_.path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0)
        return errno;
    if (log_.fd > 0)
        close(log_.fd);
    log_.fd = fd;
    log_.bytes = fstat(fd, &st) == 0 ? st.st_size : 0;
    if (!log_.tee)
        dup2(fd, STDERR_FILENO);
    return 0;
}

int nwr_log_open(const char *path, bool tee)
{
    if (strlen(path) + 3 > sizeof(log_.path))
        return ENAMETOOLONG;
    snprintf(log_.path, sizeof(log_.path), "%s", path);
    log_.tee = tee;
    return open_file();
}

void nwr_log_close(void)
{
    if (log_.fd > 0)
        close(log_.fd);
    log_.fd = 0;
}

static void rotate(void)
{
    char one[PATH_MAX + 3], two[PATH_MAX + 3];

    snprintf(one, sizeof(one), "%s.1", log_.path);
    snprintf(two, sizeof(two), "%s.2", log_.path);
    rename(one, two);
    rename(log_.path, one);
    if (open_file() != 0)
        log_.bytes = 0; /* goes on in the old file */
}

static void put(const char *line, size_t len)
{
    ssize_t n = 0;

    if (log_.fd > 0) {
        n = write(log_.fd, line, len);
        log_.bytes += n > 0 ? n : 0;
        if (log_.bytes > NWR_LOG_FILE_BYTES)
            rotate();
    }
    if (log_.fd <= 0 || log_.tee)
        n = write(STDERR_FILENO, line, len);
    (void)n; /* a log that cannot be written has nowhere to say so */
}

static void emit(const struct timespec *now, const char *level, const char *format, va_list ap)
{
    char line[1024];
    struct tm tm;
    size_t len;
    int n;

    gmtime_r(&now->tv_sec, &tm);
    len = strftime(line, sizeof(line), "%Y-%m-%dT%H:%M:%S", &tm);
    len += (size_t)snprintf(line + len, sizeof(line) - len, ".%03dZ level=%s ",
                            (int)(now->tv_nsec / 1000000), level);
    n = vsnprintf(line + len, sizeof(line) - len - 1, format, ap);
    len = NWR_MIN(len + (size_t)NWR_MAX(n, 0), sizeof(line) - 2);
    line[len++] = '\n';
    put(line, len);
}

static void emit_dropped(const struct timespec *now, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    emit(now, "warn", format, ap);
    va_end(ap);
}

static void limited(const char *level, const char *format, va_list ap)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    if (now.tv_sec != log_.second) {
        if (log_.dropped)
            emit_dropped(&now, "event=log_dropped lines=%u", log_.dropped);
        log_.second = now.tv_sec;
        log_.in_second = log_.dropped = 0;
    }
    if (++log_.in_second > NWR_LOG_RATE)
        log_.dropped++;
    else
        emit(&now, level, format, ap);
}

void nwr_log_info(const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    limited("info", format, ap);
    va_end(ap);
}

void nwr_log_warn(const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    limited("warn", format, ap);
    va_end(ap);
}
