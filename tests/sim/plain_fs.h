/* plain_fs.h -- a file system as programs know it: in memory, one client, nothing ever fails.
 *
 * What oracle_plain.c compares a mount with. Results are those of sim_call.h, which makes the
 * checks of the kernel: a symbolic link on the way is ENOTDIR, at the end ELOOP.
 *
 * Ownership: the caller's; plain_deinit. Thread: one.
 */
#ifndef NWR_PLAIN_FS_H
#define NWR_PLAIN_FS_H

#include "tests/sim/sim_call.h"

enum {
    PLAIN_NODES = 256,
    PLAIN_ROOT = 0
};

struct plain_node {
    mode_t mode; /* 0: none */
    uint32_t names, opens;
    char *data; /* of a file; the text of a symbolic link */
    size_t size;
    uint64_t ino;      /* what the mount calls it; 0: not seen yet */
    int64_t mtime;     /* that was set, ns; 0: not since it was written to */
    char xattr[2][16]; /* user.a and user.b; empty: none */
};

struct plain_fs {
    struct plain_node node[PLAIN_NODES];
    struct plain_name {
        int dir, node; /* node 0, the root, has no name: none */
        char name[CALL_NAME];
    } name[PLAIN_NODES];
};

void plain_init(struct plain_fs *fs);
void plain_deinit(struct plain_fs *fs);
/* No room for more: nothing that makes a name may be called. */
bool plain_full(const struct plain_fs *fs);
/* *node: where path leads. */
int plain_find(const struct plain_fs *fs, const char *path, int *node);
/* As stat(2) says. */
uint32_t plain_nlink(const struct plain_fs *fs, int node);
/* How many names a directory has. */
uint32_t plain_count(const struct plain_fs *fs, int dir);
int plain_lookup(const struct plain_fs *fs, int dir, const char *name); /* a node; 0: none */

/* flags: O_CREAT, O_EXCL, O_TRUNC. Closed by plain_close. */
int plain_open(struct plain_fs *fs, const char *path, uint32_t flags, int *node);
void plain_close(struct plain_fs *fs, int node);
void plain_write(struct plain_fs *fs, int node, size_t off, const char *data, size_t len);
int plain_truncate(struct plain_fs *fs, const char *path, size_t size);
int plain_chmod(struct plain_fs *fs, const char *path, mode_t mode);
int plain_mkdir(struct plain_fs *fs, const char *path);
int plain_symlink(struct plain_fs *fs, const char *text, const char *path);
int plain_link(struct plain_fs *fs, const char *from, const char *to);
/* unlink, or rmdir. */
int plain_remove(struct plain_fs *fs, const char *path, bool directory);
/* flags: NWR_RENAME_*. */
int plain_rename(struct plain_fs *fs, const char *from, const char *to, uint32_t flags);
/* The node of path, which is to be changed: ELOOP if it is a symbolic link. */
int plain_target(const struct plain_fs *fs, const char *path, int *node);
/* FALLOCATE with KEEP_SIZE: PUNCH_HOLE, or ZERO_RANGE. */
void plain_zero(struct plain_fs *fs, int node, size_t off, size_t len);

#endif
