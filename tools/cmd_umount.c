/* cmd_umount.c -- `nwrfs umount`: unmounts, and returns when the process of the mount is gone. */
#include "tools/cmd.h"
#include "tools/mounts.h"
#include "tools/unsent.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    QUIET_MS = 2000,
    GIVE_UP_MS = 60000
};

static int run_fusermount(const char *path)
{
    pid_t child = fork();
    int status = 0;

    if (child == 0) {
        execlp("fusermount3", "fusermount3", "-u", path, (char *)NULL);
        _exit(127);
    }
    if (child < 0 || waitpid(child, &status, 0) < 0)
        return nwr_cmd_fail("umount: %s: %s", path, strerror(errno));
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : 1;
}

static int unmount(const char *path)
{
    if (geteuid() != 0)
        return run_fusermount(path);
    if (umount2(path, UMOUNT_NOFOLLOW) == 0)
        return 0;
    if (errno == EBUSY)
        return nwr_cmd_fail("umount: %s: in use; end what uses it (fuser -vm shows it)", path);
    return nwr_cmd_fail("umount: %s: %s", path, strerror(errno));
}

static int wait_gone(const char *path, int pidfd)
{
    struct pollfd p = {.fd = pidfd, .events = POLLIN};

    if (poll(&p, 1, QUIET_MS) > 0)
        return 0;
    fprintf(stderr, "nwrfs: umount: %s: waiting for the last writes\n", path);
    if (poll(&p, 1, GIVE_UP_MS) > 0)
        return 0;
    return nwr_cmd_fail("umount: %s: unmounted, but its process has not ended; see its log", path);
}

int nwr_cmd_umount(int argc, char **argv)
{
    struct nwr_mount_entry e;
    char path[PATH_MAX], log[PATH_MAX] = "";
    struct nwr_unsent unsent;
    long pid;
    int pidfd, status;

    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        printf("usage: nwrfs umount MOUNTPOINT\n\nUnmounts, and returns when everything written "
               "there has reached its replicas\nand the process of the mount is gone.\n");
        return 0;
    }
    if (argc != 2 || argv[1][0] == '-')
        return nwr_cmd_usage("umount: one MOUNTPOINT is wanted; see nwrfs umount --help");
    if (!nwr_mounts_absolute(argv[1], path, sizeof(path)) || !nwr_mounts_find(path, &e))
        return nwr_cmd_fail("umount: %s: no nwrfs is mounted there", argv[1]);
    pid = nwr_mounts_pid(&e);
    pidfd = pid > 0 ? (int)syscall(SYS_pidfd_open, (pid_t)pid, 0) : -1;
    nwr_mounts_log(&e, log, sizeof(log));
    nwr_unsent_begin(&unsent, log);
    status = unmount(path);
    if (status == 0 && pidfd >= 0)
        status = wait_gone(argv[1], pidfd);
    if (pidfd >= 0)
        close(pidfd);
    return nwr_unsent_end(&unsent, "umount", argv[1], status);
}
