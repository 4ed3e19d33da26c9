/* calm_load.h -- programs that nothing disturbs, by turns, in a directory of their own.
 *
 * They do what comes to their mind, on a mount and on a plain file system (plain_fs.h) alike:
 * oracle_plain.c compares the two. Up to FILES files are open at a time, some of them removed.
 *
 * Ownership: the caller's. Thread: one.
 */
#ifndef NWR_CALM_LOAD_H
#define NWR_CALM_LOAD_H

#include "tests/sim/plain_fs.h"

enum {
    CALM_FILES = 4,
    CALM_BUFFER = 200000
};

/* Half of the seeds from here on give directories policies of their own, W + R > N. */
#define CALM_POLICIES 10000000

struct calm_load {
    struct sim_mount mount;
    struct sim_program program;
    char base[CALL_NAME]; /* its directory */
    struct plain_fs plain;
    struct calm_file {
        bool open, writes;
        int node; /* of plain */
        struct call_file f;
    } file[CALM_FILES];
    uint32_t turns;    /* still to come */
    bool wide;         /* in harsh seeds: renameat2, times, xattrs, holes, copies */
    const char *w, *r; /* policies of its directory; NULL: those of the volume */
    uint64_t calls;
    char *buf;
};

/* policy: its directory may have one of its own. */
void calm_load_init(struct calm_load *l, struct sim *s, int no, int node, bool policy);
/* Programs; arg is a calm_load, which is that of another mount where that looks at its files. */
void calm_load_plant(struct sim_program *p); /* its directory */
void calm_load_work(struct sim_program *p);
void calm_load_deinit(struct calm_load *l);

/* ---- oracle_plain.c: [plain] a mount says what a plain file system would ---- */

void oracle_plain_says(const struct sim_program *p, const char *what, const char *from,
                       const char *to, int err, int expected);
void oracle_plain_stat(struct sim_program *p, struct calm_load *l, const char *path);
void oracle_plain_list(struct sim_program *p, struct calm_load *l, const char *path);
/* What an open file holds, up to its end. */
void oracle_plain_content(struct sim_program *p, struct calm_load *l, const struct call_file *f,
                          int node);
/* A program, arg a calm_load: everything that is there, through any mount. */
void oracle_plain_tree(struct sim_program *p);

#endif
