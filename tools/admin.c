/* admin.c -- see admin.h. */
#include "tools/admin.h"

#include "nwr/pack.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    ANSWER_S = 15
};

/* A socket's path is short, a directory's may be long: go through its descriptor. */
static int open_socket(const char *dir)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    struct timeval wait = {.tv_sec = ANSWER_S};
    int at = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC), fd;

    if (at < 0)
        return -1;
    snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d/admin.sock", at);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0) {
        close(fd);
        fd = -1;
    }
    close(at);
    if (fd >= 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
    return fd;
}

static bool send_line(int fd, const char *line)
{
    struct nwr_out o = {0};
    bool sent;

    nwr_out_raw(&o, line, strlen(line));
    nwr_out_u8(&o, '\n');
    sent = send(fd, o.data, o.len, MSG_NOSIGNAL) == (ssize_t)o.len;
    nwr_free(o.data);
    return sent;
}

char *nwr_admin_ask(const char *dir, const char *line)
{
    struct nwr_out answer = {0};
    int fd = open_socket(dir), err = 0;
    char buf[4096];
    ssize_t n = 0;

    if (fd < 0)
        return NULL;
    if (send_line(fd, line))
        while ((n = read(fd, buf, sizeof(buf))) > 0)
            nwr_out_raw(&answer, buf, (size_t)n);
    if (n < 0)
        err = errno == EAGAIN ? ETIMEDOUT : errno;
    else if (answer.len == 0)
        err = ECONNRESET;
    close(fd);
    if (err) {
        nwr_free(answer.data);
        errno = err;
        return NULL;
    }
    nwr_out_u8(&answer, 0);
    return (char *)answer.data;
}

const char *nwr_admin_why(int err)
{
    switch (err) {
    case ETIMEDOUT: return "its node does not answer; is the process stopped, or its disk?";
    case ECONNRESET: return "its node hung up; it may be ending, or too many ask it at once";
    case ENOENT:
    case ENOTDIR:
    case ECONNREFUSED: return "no node is running there";
    default: return strerror(err);
    }
}

long nwr_admin_pid(const char *dir)
{
    char path[PATH_MAX], line[32] = "";
    FILE *f;

    snprintf(path, sizeof(path), "%s/pid", dir);
    f = fopen(path, "re");
    if (f && !fgets(line, sizeof(line), f))
        line[0] = '\0';
    if (f)
        fclose(f);
    return strtol(line, NULL, 10);
}
