/* mount_load.h -- programs on several mounts that work on the same few names, at random.
 *
 * Ownership: the caller's. Thread: one.
 */
#ifndef NWR_MOUNT_LOAD_H
#define NWR_MOUNT_LOAD_H

#include "tests/sim/mount_book.h"

struct mount_load {
    struct sim *s;
    int mounts;
    uint32_t names; /* how many different ones */
    bool stopping;
    bool rot;   /* what is read may be rotten: then there is EIO */
    int losers; /* so many nodes without power may take with them what a close acknowledged */
    uint64_t calls, failed;
    struct mount_book book;
    struct mount_worker {
        struct mount_load *load;
        struct sim_mount mount;
        struct sim_program program;
        char *buf, *text; /* BOOK_BUFFER each */
    } worker[SIM_MOUNTS];
};

/* Mount i is at node i of those that are there. */
void mount_load_init(struct mount_load *l, struct sim *s, int mounts);
/* Makes the directories, through one mount, before anything goes wrong. */
void mount_load_plant(struct mount_load *l);
void mount_load_start(struct mount_load *l);
/* They end when what they do is done. */
void mount_load_stop(struct mount_load *l);
/* main as the program of mount i, which is mounted first, until it ends. */
void mount_load_run(struct mount_load *l, int i, void (*main)(struct sim_program *p), void *arg);
void mount_load_deinit(struct mount_load *l);

#endif
