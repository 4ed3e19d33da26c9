/* sim_mount.h -- a mount (fs/core) at a node of the simulated cluster, and programs that use it.
 *
 * Does for a mount what fs/fuse does: carries out effects, delivers events. It lives in the process
 * of its node: it dies, and is stopped, with it. A program is a fiber; its calls are requests as
 * the kernel makes them (sim_call.h), each answered once and in time: [reply].
 *
 * Ownership: the caller's; a mount owns its core. Thread: one.
 */
#ifndef NWR_SIM_MOUNT_H
#define NWR_SIM_MOUNT_H

#include "fs/core/mount.h"
#include "tests/sim/sim_cluster.h"
#include "tests/sim/sim_fiber.h"

enum {
    SIM_MOUNTS = 4,
    SIM_CALL_MS = 40000 /* no call takes longer */
};

struct sim_mount;

struct sim_program {
    struct sim_mount *m;
    struct sim_fiber *fiber;
    void (*main)(struct sim_program *p);
    void *arg;
    struct nwr_fs_req *req; /* that it waits for */
    uint32_t life;          /* of the mount that took it */
    bool sent, answered;
    struct nwr_fs_reply reply;
    sim_us asked_at;
    uint32_t pid;
};

struct sim_mount {
    struct sim *s;
    int no, node;
    struct nwr_mount *core; /* NULL: not mounted */
    uint32_t life;          /* counts mounts */
    struct nwr_request **pending;
    uint32_t npending, cappending;
    struct nwr_request **wanted; /* not submitted yet */
    uint32_t nwanted, capwanted;
    struct nwr_fs_req *forget[64];
    uint32_t nforget;
    uint64_t inval[256];
    uint32_t ninval;
    nwr_ms tick;
    bool pumping;
    struct sim_program *program;
    /* Rows that the volume gave to this mount, and what it sends; may be NULL. */
    void (*on_rows)(struct sim_mount *m, const struct nwr_rows *rows);
    void (*on_put)(struct sim_mount *m, const struct nwr_request *req);
};

void sim_mount_init(struct sim_mount *m, struct sim *s, int no, int node);
/* Mounts; its node is awake and a member. */
void sim_mount_start(struct sim_mount *m);
/* As kill -9 does. */
void sim_mount_kill(struct sim_mount *m);
bool sim_mount_can_start(const struct sim_mount *m);
/* Not mounted, its node was removed: it is mounted at another from now on. False: none is there. */
bool sim_mount_move(struct sim_mount *m);
void sim_mount_deinit(struct sim_mount *m);

/* main runs as the program of m, from now on. */
void sim_program_start(struct sim_program *p, struct sim_mount *m,
                       void (*main)(struct sim_program *p), void *arg);
bool sim_program_ended(const struct sim_program *p);
void sim_program_deinit(struct sim_program *p);

/* ---- inside a program ---- */
void sim_sleep(struct sim_program *p, sim_us us);
/* err is ENOTCONN if the mount died, or is not there. req is taken; the reply is the caller's. */
struct nwr_fs_reply sim_call(struct sim_program *p, struct nwr_fs_req *req);
/* FORGET: nobody answers it. */
void sim_forget(struct sim_program *p, struct nwr_fs_req *req);

#endif
