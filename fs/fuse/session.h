/* session.h -- one FUSE mount on a libuv loop: the kernel on one side, fs/core on the other.
 *
 *     /dev/fuse --read, decode--> nwr_mount_step --> replies, volume requests, notifications
 *
 * Own read loop on a non-blocking descriptor (FACTS: libfuse 3.14 cannot be polled otherwise),
 * INIT patched for the flags that libfuse 3.14 forgets, notifications from a thread of their own
 * because the kernel may hold page or directory locks that only this loop's replies release.
 *
 * Ownership: the session is the caller's from a successful start until on_stopped ran and
 * nwr_session_close was called. The volume is borrowed until then.
 * Thread: the loop's only. Allocates: yes.
 */
#ifndef NWR_FUSE_SESSION_H
#define NWR_FUSE_SESSION_H

#include <uv.h>

#include "fs/core/mount.h"

struct nwr_session;

struct nwr_session_options {
    const char *mountpoint;
    const char *source;  /* what the mount table shows, behind "nwrfs:" */
    const char *options; /* -o text, commas; NULL: none */
    const char *spool;   /* directory for refused contents; NULL: they are not kept */
    void *user;
    void (*on_log)(void *user, const char *text); /* a warning: "event=..." */
    /* The mount is gone and everything that could be pushed has been: close the session. */
    void (*on_stopped)(struct nwr_session *s);
};

/* Whether every word of a -o text is known; if not, the first unknown one goes to text. */
bool nwr_session_options_valid(const char *options, char *text, size_t text_len);
/* The directory in spool=DIR of a -o text; false: there is none, or it is too long. */
bool nwr_session_options_spool(const char *options, char *dir, size_t dir_len);
/* Mounts. text: one line when it fails. Options are copied. */
enum nwr_err nwr_session_start(struct nwr_session **out, uv_loop_t *loop, struct nwr_volume *volume,
                               const struct nwr_session_options *o, char *text, size_t text_len);
void *nwr_session_user(const struct nwr_session *s);
const struct nwr_fs_counters *nwr_session_counters(const struct nwr_session *s);
/* Pushes what is dirty, unmounts, then on_stopped. May be called again; does nothing then. */
void nwr_session_unmount(struct nwr_session *s);
/* After on_stopped: frees the session; on_closed runs when its handles are gone. */
void nwr_session_close(struct nwr_session *s, void (*on_closed)(void *arg), void *arg);

#endif
