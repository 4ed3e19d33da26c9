/* sim_call.h -- system calls of a simulated program: paths, and what the kernel asks for them.
 *
 * Each walks its path from the root, since nothing is cached, makes the checks that the kernel
 * makes itself, and gives back what it looked up. int: 0 or an errno; ENOTCONN: no mount.
 * Paths have no slash in front; "" is the root.
 */
#ifndef NWR_SIM_CALL_H
#define NWR_SIM_CALL_H

#include "fs/core/flags.h"
#include "tests/sim/sim_mount.h"

enum {
    CALL_NAME = 64,
    CALL_PATH = 200,
    CALL_LIST = 200
};

struct call_file {
    uint64_t node, fh;
    struct stat st; /* as opened */
};

struct call_list {
    uint32_t n;
    struct call_dirent {
        char name[CALL_NAME];
        uint64_t ino;
        mode_t type;
    } e[CALL_LIST];
};

int call_stat(struct sim_program *p, const char *path, struct stat *st);
/* flags as of open(2): O_CREAT, O_EXCL, O_TRUNC. */
int call_open(struct sim_program *p, const char *path, uint32_t flags, struct call_file *f);
/* The whole content, up to size; *len: how much. */
int call_read(struct sim_program *p, const struct call_file *f, char *buf, size_t size,
              size_t *len);
int call_write(struct sim_program *p, const struct call_file *f, uint64_t off, const char *text,
               size_t len);
/* mode: NWR_FALLOC_*. */
int call_fallocate(struct sim_program *p, const struct call_file *f, uint32_t mode, uint64_t off,
                   uint64_t len);
/* *len: how much there is to copy, then how much was. */
int call_copy(struct sim_program *p, const struct call_file *from, uint64_t off,
              const struct call_file *to, uint64_t to_off, size_t *len);
int call_fsync(struct sim_program *p, const struct call_file *f);
int call_close(struct sim_program *p, const struct call_file *f);
int call_truncate(struct sim_program *p, const char *path, uint64_t size);
int call_chmod(struct sim_program *p, const char *path, uint32_t mode);
int call_set_mtime(struct sim_program *p, const char *path, nwr_ns mtime);
int call_setxattr(struct sim_program *p, const char *path, const char *name, const char *text);
int call_getxattr(struct sim_program *p, const char *path, const char *name, char *text,
                  size_t size);
int call_removexattr(struct sim_program *p, const char *path, const char *name);
int call_mkdir(struct sim_program *p, const char *path);
int call_rmdir(struct sim_program *p, const char *path);
int call_unlink(struct sim_program *p, const char *path);
int call_link(struct sim_program *p, const char *from, const char *to);
int call_symlink(struct sim_program *p, const char *text, const char *path);
int call_readlink(struct sim_program *p, const char *path, char *text, size_t size);
/* flags: NWR_RENAME_*. */
int call_rename(struct sim_program *p, const char *from, const char *to, uint32_t flags);
/* Without dots; a directory of more than CALL_LIST names is cut. */
int call_list(struct sim_program *p, const char *path, struct call_list *l);

#endif
