/* ops.h -- the plan of every operation; see txn.h for what a plan is.
 *
 * Valid replies are those of mount.h. A finish runs only if all went well, except where there is
 * no request to answer.
 */
#ifndef NWR_FS_OPS_H
#define NWR_FS_OPS_H

#include "fs/core/ops_xattr.h"
#include "fs/core/state.h"

#define NWR_OPS(X)                                                                                 \
    X(LOOKUP, lookup)                                                                              \
    X(GETATTR, getattr)                                                                            \
    X(SETATTR, setattr)                                                                            \
    X(READLINK, readlink)                                                                          \
    X(MKNOD, mknod)                                                                                \
    X(MKDIR, mkdir)                                                                                \
    X(UNLINK, unlink)                                                                              \
    X(RMDIR, rmdir)                                                                                \
    X(SYMLINK, symlink)                                                                            \
    X(RENAME, rename)                                                                              \
    X(LINK, link)                                                                                  \
    X(CREATE, create)                                                                              \
    X(OPEN, open)                                                                                  \
    X(READ, read)                                                                                  \
    X(WRITE, write)                                                                                \
    X(FLUSH, flush)                                                                                \
    X(FSYNC, fsync)                                                                                \
    X(RELEASE, release)                                                                            \
    X(OPENDIR, opendir)                                                                            \
    X(READDIR, readdir)                                                                            \
    X(READDIRPLUS, readdir)                                                                        \
    X(RELEASEDIR, release)                                                                         \
    X(STATFS, statfs)                                                                              \
    X(FALLOCATE, fallocate)                                                                        \
    X(LSEEK, lseek)                                                                                \
    X(TMPFILE, tmpfile)                                                                            \
    X(COPY, copy)                                                                                  \
    X(HANDLE, handle)

#define NWR_OPS_DECLARE(op, name)                                                                  \
    enum nwr_plan nwr_plan_##name(struct nwr_txn *t);                                              \
    void nwr_finish_##name(struct nwr_txn *t);
NWR_OPS(NWR_OPS_DECLARE)
#undef NWR_OPS_DECLARE

/* ---- shared by operations ---- */

/* The request's node, pinned, with its policy; NULL: t->eno is set. */
struct nwr_node *nwr_op_node(struct nwr_txn *t);
/* ls -l: the directory that the requesting thread is reading, if what came with its listing may
 * serve the thread's next requests: nothing was changed by this mount since, and it is not older
 * than NWR_LISTED_MS. Others ask the volume. */
struct nwr_dir *nwr_op_listing(struct nwr_txn *t);
/* The inode that the name led to the last time is read along with it. */
void nwr_op_guess(struct nwr_txn *t, const struct nwr_node *dir, const char *name, size_t len);
/* What the request's node shows now: DONE with t->x set. */
enum nwr_plan nwr_op_shown(struct nwr_txn *t);
void nwr_op_reply_attr(struct nwr_txn *t);
/* The file of a node, with the map of the version it stands for: DONE when it is there. */
enum nwr_plan nwr_op_file(struct nwr_txn *t, struct nwr_node *n);
void nwr_op_reply_open(struct nwr_txn *t, struct nwr_node *n);
/* O_TRUNC of an open that found x: n is empty, over what the process had read. */
void nwr_op_truncate(struct nwr_txn *t, struct nwr_node *n, const struct nwr_shown *x);
/* Something of x that this mount has not sent, or is sending: that goes first. DONE: nothing. */
enum nwr_plan nwr_op_sent(struct nwr_txn *t, const struct nwr_shown *x);
/* The inode may have lost its last name. */
void nwr_op_unlinked(struct nwr_txn *t, const struct nwr_shown *x);
/* From now on the name in dir leads to x, by what the caller did (reads.h). */
void nwr_op_placed(struct nwr_txn *t, const struct nwr_node *dir, const char *name,
                   const struct nwr_shown *x);
/* A change of n's contents by this mount. */
void nwr_op_changed(struct nwr_txn *t, struct nwr_node *n);
/* The request clears setuid and setgid of n, a regular file that is loaded. */
enum nwr_plan nwr_op_kill(struct nwr_txn *t, struct nwr_node *n);
/* The error of n's last push, told to the caller. */
int nwr_op_take_error(struct nwr_node *n);
/* Clears setuid and setgid as a write by somebody else does: setgid without execution by the group
 * stays if the caller is of that group. True: something is cleared. */
bool nwr_op_kill_priv(const struct nwr_fs_req *req, struct nwr_attr *a);
/* The caller is root or of the group. */
bool nwr_op_in_group(const struct nwr_fs_req *req, uint64_t gid);
/* Stages the attributes, or changes what is held back. */
void nwr_op_put_attr(struct nwr_txn *t, struct nwr_node *n, const struct nwr_attr *a);
struct nwr_intent_to { /* the new name of a rename */
    nwr_ino root, dir;
    const char *name;
    size_t len;
    bool exchange; /* nobody else ends it */
};
/* The staged link of x at its new name says where it comes from, and what it replaces (intent.c);
 * over->ino 0: nothing. */
void nwr_intent_stage(struct nwr_txn *t, const struct nwr_shown *x, const struct nwr_shown *over,
                      const struct nwr_intent_to *to);
/* A name was looked up: what a rename left half done there is finished. */
void nwr_intent_meet(struct nwr_txn *t, const struct nwr_shown *x);
/* A rename took the inode off the name at->parent/at->name, whose slot was written by `slot`, and
 * has come no further than the link of the new name. The object is in the snapshot. */
bool nwr_intent_left(const struct nwr_txn *t, nwr_ino root, nwr_wid slot,
                     const struct nwr_key_parts *at);
/* Whether such a link's rename is still to be finished at its old name. False: not known yet. */
bool nwr_intent_waits(struct nwr_txn *t, const struct nwr_row *link, bool *waits);
/* Wakes what waits for the push of n (push.c). */
void nwr_push_wake(struct nwr_mount *m, struct nwr_node *n);
/* What t takes a name from, or copies, is what was read: no push of root begins until t has ended,
 * or plans anew. None is under way. */
void nwr_push_bar(struct nwr_txn *t, nwr_ino root);

#endif
