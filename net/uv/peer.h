/* peer.h -- a node on a libuv loop: store, sockets, timers and clock around net/core/node.h.
 *
 * What `nwrfs serve` and `nwrfs mount --data` run. The loop belongs to the caller, who may poll
 * /dev/fuse on it.
 *
 *     nwr_peer_start --> on_ready(NWR_OK) --> nwr_peer_volume(...)->submit ... --> nwr_peer_close
 *                \-----> on_ready(error, text): close it too
 *
 * Ownership: the peer is the caller's from a successful start until on_closed runs.
 * Thread: the loop's only; no call blocks, except that start opens the store and that closing
 * syncs it. Allocates: yes.
 */
#ifndef NWR_PEER_H
#define NWR_PEER_H

#include <uv.h>

#include "nwr/volume.h"

#define NWR_TEXT_MAX 512

struct nwr_peer;

struct nwr_peer_options {
    const char *dir;    /* data directory, made if it is not there */
    const char *listen; /* IP:PORT; NULL: that of DIR/address, else 127.0.0.1 and any port */
    const char *key;    /* file of the volume key (net/tls/keys.h); NULL: none, loopback only */
    const char *const *join; /* addresses, tried in turn */
    unsigned njoin;
    uint8_t n, w, r;     /* of a new volume only; n 0: 3; w, r 0: majority */
    nwr_ms lock_wait_ms; /* for the data directory's lock; 0: 10 s */
    nwr_silent *silent;  /* fs knows (nwr/volume.h) */
    void *user;
    /* Once, never inside start: the node is a member, its volume answers (NWR_OK; text is a
     * warning or ""), or it cannot be (text: one line for people). */
    void (*on_ready)(struct nwr_peer *p, enum nwr_err err, const char *text);
    /* Somebody wants this process to end (admin socket, a fault that cannot be lived with): the
     * caller unmounts and closes the peer. May come more than once. */
    void (*on_stop)(struct nwr_peer *p);
};

/* Opens the store, listens, starts to connect. text: one line when it fails, of the form
 * "WHAT: WHERE: WHY; what to do". Options are copied. */
enum nwr_err nwr_peer_start(struct nwr_peer **out, uv_loop_t *loop,
                            const struct nwr_peer_options *o, char *text, size_t text_len);
void *nwr_peer_user(const struct nwr_peer *p);
/* Borrowed, valid from on_ready(NWR_OK) until nwr_peer_close is called. */
struct nwr_volume *nwr_peer_volume(struct nwr_peer *p);
const char *nwr_peer_address(const struct nwr_peer *p);
/* The data directory, absolute. */
const char *nwr_peer_dir(const struct nwr_peer *p);

/* Reads the key file again (SIGHUP). Connections made with a key that is not the first any more
 * are replaced one by one while they go on working; clients whose key is gone are hung up on. A
 * file that cannot be used changes nothing. Both outcomes are a line in the log. */
void nwr_peer_rekey(struct nwr_peer *p);

/* Answers what is outstanding (E_CANCELED where it must), syncs the store, closes every handle,
 * removes DIR/admin.sock; then on_closed runs and the memory is gone. Call once. */
void nwr_peer_close(struct nwr_peer *p, void (*on_closed)(void *arg), void *arg);

/* The JSON of `nwrfs status` (DESIGN 15); the caller frees it with nwr_free. */
char *nwr_peer_status(struct nwr_peer *p);

#endif
