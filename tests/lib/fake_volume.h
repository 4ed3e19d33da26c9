/* fake_volume.h -- a mount over a volume of one replica in memory, driven call by call.
 *
 * Tests of fs/core make requests as the kernel would and look at replies, at what went to the
 * volume, and at what the kernel was told. Volume requests are carried out at once, or kept back
 * while `hold` is set; `fail` makes them end with an error.
 *
 * Ownership: a call gives its reply; nwr_fs_reply_deinit. Thread: one.
 */
#ifndef NWR_TESTS_FAKE_VOLUME_H
#define NWR_TESTS_FAKE_VOLUME_H

#include "fs/core/mount.h"
#include "net/store/store.h"
#include "tests/lib/fake_spool.h"
#include "tests/lib/fake_twin.h"

struct fake {
    struct nwr_store *store;
    struct nwr_mount *mount;
    nwr_ms now;
    nwr_ns wall;
    uint64_t counter[NWR_PGS_MAX]; /* dots given, per PG */
    uint64_t ids;
    struct nwr_request **queue; /* volume requests not answered yet */
    uint32_t nqueue, capqueue;
    struct nwr_spool_op *spooled[8]; /* done, the mount does not know yet */
    uint32_t nspooled;
    struct fake_spool *spool; /* NULL: the mount has none */
    bool hold;
    enum nwr_err fail_put, fail_read, fail_block;
    bool applied;            /* a PUT that fails was carried out: only its answer is lost */
    enum nwr_err fail_entry; /* of each READ of a name */
    enum nwr_err fail_guess; /* of the first READ of an inode alone, once */
    bool behind;             /* fewer than all replicas know entries, but no inodes */
    uint32_t puts_tried;
    uint32_t put_max;           /* after so many since fake_reset E_HOSTDOWN; UINT32_MAX: never */
    enum nwr_err fail_rest;     /* what those end with instead */
    struct nwr_fs_req *waiting; /* the call under way */
    bool answered;
    struct nwr_fs_reply reply;
    uint32_t reads, puts, blocks, writes; /* asked of the volume since fake_reset */
    uint32_t pages;                       /* of names, the same */
    uint32_t rows;                        /* that READs gave, the same */
    uint32_t invals, retired;
    uint64_t inval[16]; /* told to the kernel, which has not returned */
    uint32_t ninval;
    bool hold_invals; /* it takes its time */
    char said[512];   /* the last line of the log */
    uint64_t bytes_put;
    enum nwr_level level; /* of the last PUT */
    nwr_hlc hlc;
    uint64_t process;       /* who calls; 0: nobody knows */
    struct fake_twin *twin; /* NULL: the volume is the store above */
    uint32_t at;            /* its node of the twin */
    struct fake *shares;    /* whose store it is: a second mount */
};

void fake_init(struct fake *f, uint64_t seed);
/* A second mount of the volume of the first. */
void fake_second(struct fake *f, struct fake *first, uint64_t seed);
/* A mount at one node of a twin. */
void fake_at(struct fake *f, struct fake_twin *twin, uint32_t at, uint64_t seed);
/* A twin, and a mount at each of its nodes, with this seed and the next. */
void fake_sides(struct fake_twin *twin, struct fake side[2], uint64_t twin_seed, uint64_t seed);
void fake_sides_deinit(struct fake_twin *twin, struct fake side[2]);
/* On the heap, for a setup of cmocka; the kernel has looked at the root. */
struct fake *fake_create_mount(uint64_t seed);
/* What is due is done, and the mount is checked. */
void fake_destroy_mount(struct fake *f);
/* Unmounts and mounts again, with a spool (the caller's) or without. */
void fake_again(struct fake *f, struct fake_spool *spool);
void fake_deinit(struct fake *f);
void fake_reset(struct fake *f);
/* Time passes; what was due is done. */
void fake_pass(struct fake *f, nwr_ms ms);
/* The two sides of a twin see each other three times, with time to do what is due. */
void fake_meet(struct fake_twin *twin, struct fake side[2]);
/* Makes the request and waits for its reply. */
struct nwr_fs_reply fake_call(struct fake *f, struct nwr_fs_req *req);
/* The same, of the reply the errno alone. */
int fake_status(struct fake *f, struct nwr_fs_req *req);
/* An event; replies to others than the call under way are dropped. */
void fake_step(struct fake *f, struct nwr_fs_event *ev);
/* Begins it; fake_drain answers the volume's requests, fake_end gives the reply. */
void fake_begin(struct fake *f, struct nwr_fs_req *req);
void fake_drain(struct fake *f);
/* Answers the first of them. */
void fake_answer(struct fake *f);
struct nwr_fs_reply fake_end(struct fake *f);
struct nwr_fs_req *fake_req(enum nwr_fs_op op, uint64_t node, const char *name);

/* ---- calls of a program; int: 0 or an errno ---- */
int fake_lookup(struct fake *f, uint64_t dir, const char *name, struct nwr_fs_entry *e);
int fake_create(struct fake *f, uint64_t dir, const char *name, uint32_t flags, uint64_t *node,
                uint64_t *fh);
int fake_mkdir(struct fake *f, uint64_t dir, const char *name, uint64_t *node);
int fake_open(struct fake *f, uint64_t node, uint32_t flags, uint64_t *fh);
int fake_write(struct fake *f, uint64_t node, uint64_t fh, uint64_t off, const char *text);
int fake_close(struct fake *f, uint64_t node, uint64_t fh); /* FLUSH, RELEASE; the flush's errno */
int fake_fsync(struct fake *f, uint64_t node, uint64_t fh);
/* Text of the whole file (up to 64 KiB) in a buffer of f, by name; "!" and errno's number. */
const char *fake_cat(struct fake *f, uint64_t dir, const char *name, char *buf, size_t size);
int fake_unlink(struct fake *f, uint64_t dir, const char *name);
int fake_rmdir(struct fake *f, uint64_t dir, const char *name);
int fake_rename(struct fake *f, uint64_t dir, const char *name, uint64_t dir2, const char *name2,
                uint32_t flags);
int fake_link(struct fake *f, uint64_t node, uint64_t dir, const char *name);
int fake_stat(struct fake *f, uint64_t node, struct stat *st);
int fake_chmod(struct fake *f, uint64_t node, uint32_t mode);
int fake_chgrp(struct fake *f, uint64_t node, uint32_t gid);
/* lookup, open or create, truncate, write, close. */
int fake_save(struct fake *f, uint64_t dir, const char *name, const char *text);
/* Names of a directory without dots, sorted, separated by spaces; "!" and errno's number. */
const char *fake_ls(struct fake *f, uint64_t dir, char *buf, size_t size);

#endif
