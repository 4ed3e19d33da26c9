/* cmd_stop.c -- `nwrfs stop`: ends a node, and returns when its process is gone. */
#include "tools/admin.h"
#include "tools/cmd.h"
#include "tools/unsent.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    QUIET_MS = 2000,
    GIVE_UP_MS = 60000
};

static int wait_gone(const char *dir, int pidfd)
{
    struct pollfd p = {.fd = pidfd, .events = POLLIN};

    if (poll(&p, 1, QUIET_MS) > 0)
        return 0;
    fprintf(stderr, "nwrfs: stop: %s: waiting for the last writes\n", dir);
    if (poll(&p, 1, GIVE_UP_MS) > 0)
        return 0;
    return nwr_cmd_fail("stop: %s: the process has not ended; see %s/log", dir, dir);
}

static int stop(const char *dir)
{
    char log[4096];
    struct nwr_unsent unsent;
    struct stat st;
    long pid;
    int pidfd, status;
    char *answer;

    if (stat(dir, &st) != 0)
        return nwr_cmd_fail("stop: %s: %s", dir, strerror(errno));
    pid = nwr_admin_pid(dir);
    pidfd = pid > 0 ? (int)syscall(SYS_pidfd_open, (pid_t)pid, 0) : -1;
    snprintf(log, sizeof(log), "%s/log", dir);
    nwr_unsent_begin(&unsent, log);
    answer = nwr_admin_ask(dir, "stop");
    if (!answer && errno != ETIMEDOUT && errno != ECONNRESET) { /* it will read what was sent */
        nwr_unsent_end(&unsent, "stop", dir, 1);
        if (pidfd >= 0)
            close(pidfd);
        return nwr_cmd_fail("stop: %s: no node is running there", dir);
    }
    nwr_free(answer);
    status = pidfd >= 0 ? wait_gone(dir, pidfd) : 0;
    if (pidfd >= 0)
        close(pidfd);
    return nwr_unsent_end(&unsent, "stop", dir, status);
}

int nwr_cmd_stop(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        printf("usage: nwrfs stop --data DIR\n\nEnds the node that runs on DIR, unmounting first, "
               "and returns when it is gone.\n");
        return 0;
    }
    if (argc != 3 || strcmp(argv[1], "--data") != 0)
        return nwr_cmd_usage("stop: --data DIR is wanted; see nwrfs stop --help");
    return stop(argv[2]);
}
