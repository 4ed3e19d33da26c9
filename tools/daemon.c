/* daemon.c -- see daemon.h. The child tells its parent one byte of outcome and a text:
 * '0' ready, '1' failed; then the text to the end of the pipe. */
#include "tools/daemon.h"

#include "net/uv/log.h"
#include "tools/cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    QUIET_MS = 2000
};

/* Reads to the end of the pipe. Says that it waits if that takes long. */
static size_t read_outcome(int fd, char *buf, size_t len)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    size_t n = 0;
    bool told = false;

    while (n < len - 1) {
        ssize_t got;

        /* For people only: scripts count on one line when it fails. */
        if (!told && n == 0 && isatty(STDERR_FILENO) && poll(&p, 1, QUIET_MS) == 0) {
            fprintf(stderr, "nwrfs: starting...\n");
            told = true;
        }
        got = read(fd, buf + n, len - 1 - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        n += (size_t)got;
    }
    buf[n] = '\0';
    return n;
}

_Noreturn static void parent(pid_t child, int fd)
{
    char text[1024];
    size_t n = read_outcome(fd, text, sizeof(text));
    int status = 0;

    if (n == 0) {
        waitpid(child, &status, 0);
        fprintf(stderr, "nwrfs: the process ended before it was ready; see the log in its data "
                        "directory\n");
        _exit(1);
    }
    if (text[1])
        fprintf(stderr, "nwrfs: %s\n", text + 1);
    _exit(text[0] == '0' ? 0 : 1);
}

int nwr_daemon_begin(struct nwr_daemon *d, bool foreground)
{
    int fds[2];
    pid_t child;

    *d = (struct nwr_daemon){.foreground = foreground, .pipe = -1};
    if (foreground)
        return 0;
    if (pipe2(fds, O_CLOEXEC) != 0)
        return nwr_cmd_fail("cannot go to the background: %s", strerror(errno));
    fflush(NULL);
    child = fork();
    if (child < 0)
        return nwr_cmd_fail("cannot go to the background: %s", strerror(errno));
    if (child > 0) {
        close(fds[1]);
        parent(child, fds[0]);
    }
    close(fds[0]);
    setsid();
    d->pipe = fds[1];
    return 0;
}

static bool write_pid(const char *dir)
{
    char path[PATH_MAX + 8];
    FILE *f;

    snprintf(path, sizeof(path), "%s/pid", dir);
    f = fopen(path, "we");
    if (!f)
        return false;
    fprintf(f, "%ld\n", (long)getpid());
    return fclose(f) == 0;
}

int nwr_daemon_files(struct nwr_daemon *d, const char *dir)
{
    char path[PATH_MAX + 8], text[PATH_MAX + 128];

    snprintf(path, sizeof(path), "%s/log", dir);
    if (!write_pid(dir)) {
        snprintf(text, sizeof(text), "%s/pid: %s", dir, strerror(errno));
        return nwr_daemon_fail(d, text);
    }
    errno = nwr_log_open(path, d->foreground);
    if (errno) {
        snprintf(text, sizeof(text), "%s: %s", path, strerror(errno));
        return nwr_daemon_fail(d, text);
    }
    return 0;
}

static void tell(struct nwr_daemon *d, char outcome, const char *text)
{
    char line[1024];
    int n = snprintf(line, sizeof(line), "%c%s", outcome, text);
    size_t len = NWR_MIN((size_t)n, sizeof(line) - 1);

    if (write(d->pipe, line, len) < 0)
        nwr_log_warn("event=parent_gone");
    close(d->pipe);
    d->pipe = -1;
}

void nwr_daemon_ready(struct nwr_daemon *d, const char *warning)
{
    int null;

    if (d->pipe < 0) {
        if (warning && *warning)
            fprintf(stderr, "nwrfs: %s\n", warning);
        return;
    }
    null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null >= 0) {
        dup2(null, STDIN_FILENO);
        dup2(null, STDOUT_FILENO);
        close(null);
    }
    if (chdir("/") != 0)
        nwr_log_warn("event=chdir error=%s", strerror(errno));
    tell(d, '0', warning ? warning : "");
}

int nwr_daemon_fail(struct nwr_daemon *d, const char *text)
{
    if (d->pipe >= 0)
        tell(d, '1', text);
    else
        fprintf(stderr, "nwrfs: %s\n", text);
    return 1;
}
