/* mounts.h -- what the kernel's mount table says of nwrfs mounts, without asking the mount.
 *
 * A mount's source is "nwrfs:DIR" (its data directory) or "nwrfs:HOST:PORT" (no storage); from it
 * follow the files where the process of the mount keeps its pid and log.
 */
#ifndef NWR_MOUNTS_H
#define NWR_MOUNTS_H

#include "nwr/base.h"

struct nwr_mount_entry {
    char mountpoint[4096];
    char source[4096]; /* without "nwrfs:" */
};

/* path made absolute; only its parent is looked at, so a hung mount does not hang the caller.
 * False: the parent is not there. */
bool nwr_mounts_absolute(const char *path, char *out, size_t len);
/* The nwrfs mount at exactly this absolute path. */
bool nwr_mounts_find(const char *mountpoint, struct nwr_mount_entry *out);
/* Whether path is on an nwrfs mount. */
bool nwr_mounts_covers(const char *path);
/* The same, and where: its mount point, and the path from the root of the volume, "" or "/a/b".
 * Both have PATH_MAX bytes. */
bool nwr_mounts_within(const char *path, char *top, char *inside);
/* Where a mount without storage keeps its files: made if it is not there. */
bool nwr_mounts_run_dir(const char *mountpoint, char *out, size_t len);
/* Where the process of the mount keeps its log. */
bool nwr_mounts_log(const struct nwr_mount_entry *e, char *out, size_t len);
/* For a command that is given --data (*dir) or a mount point: *dir becomes the data directory,
 * which e holds then. 0, or 1 after the error was printed. */
int nwr_mounts_data(const char *command, const char *path, struct nwr_mount_entry *e,
                    const char **dir);
/* The process that serves the mount; 0: not known. */
long nwr_mounts_pid(const struct nwr_mount_entry *e);

#endif
