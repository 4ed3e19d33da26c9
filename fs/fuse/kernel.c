/* kernel.c -- what the kernel tells about a mount outside the FUSE protocol.
 *
 * Never by stat() of the mount point: that would be a request to ourselves.
 */
#include "fs/fuse/internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

unsigned nwr_fuse_device(const char *mountpoint)
{
    FILE *f = fopen("/proc/self/mountinfo", "re");
    char *line = NULL;
    size_t cap = 0;
    unsigned found = 0;

    while (f && getline(&line, &cap, f) > 0) {
        char minor[16], path[4096];

        if (sscanf(line, "%*d %*d 0:%15s %*s %4095s", minor, path) != 2)
            continue;
        nwr_unescape_octal(path);
        if (strcmp(path, mountpoint) == 0)
            found = (unsigned)strtoul(minor, NULL, 10); /* the last one is on top */
    }
    free(line);
    if (f)
        fclose(f);
    return found;
}

static void write_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd < 0)
        return;
    if (write(fd, text, strlen(text)) < 0)
        fprintf(stderr, "nwrfs: cannot write %s: %s\n", path, strerror(errno));
    close(fd);
}

void nwr_fuse_set_readahead(unsigned device, unsigned kib)
{
    char path[64], text[16];

    snprintf(path, sizeof(path), "/sys/class/bdi/0:%u/read_ahead_kb", device);
    snprintf(text, sizeof(text), "%u", kib);
    if (device && geteuid() == 0)
        write_text(path, text);
}

void nwr_fuse_abort(unsigned device)
{
    char path[64];

    snprintf(path, sizeof(path), "/sys/fs/fuse/connections/%u/abort", device);
    if (device)
        write_text(path, "1");
}
