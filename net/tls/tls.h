/* tls.h -- TLS 1.3 with the volume key, over bytes in memory: no socket, no loop, no clock.
 *
 *         network                  this                       owner
 *     bytes received --nwr_tls_feed-->|
 *                                     |--nwr_tls_read--> plain bytes, only once OPEN
 *                                     |<-nwr_tls_write-- plain bytes, only once OPEN
 *     bytes to send <--nwr_tls_take---|
 *
 *     HANDSHAKE --> OPEN --> CLOSED     the other side said goodbye
 *          \----------\----> FAILED     nwr_tls_why says why; what there is to take is the alert
 *
 * Both sides prove that they have the key; nobody has a certificate and none is accepted. A
 * client that only asks for encryption takes any stranger's certificate (FACTS 4), so a
 * connection is OPEN only when OpenSSL says that it resumed the session made of the key. Key
 * exchange is ephemeral: who learns the key later cannot read what was recorded. There is no
 * early data and there are no tickets, so nothing of one connection is accepted on another.
 *
 * Ownership: the context is its creator's; connections do not refer to it after creation.
 * Thread: one at a time. Allocates: yes; whatever the other side sends, a connection holds a few
 * records, and its owner limits how long it may stay in HANDSHAKE.
 */
#ifndef NWR_TLS_H
#define NWR_TLS_H

#include "net/tls/keys.h"
#include "nwr/pack.h"

enum {
    NWR_TLS_FIRST_BYTE = 0x16, /* of a handshake; no frame of the protocol begins with it */
    NWR_TLS_WHY_MAX = 200
};

struct nwr_tls_context;
struct nwr_tls;

enum nwr_tls_state {
    NWR_TLS_HANDSHAKE,
    NWR_TLS_OPEN,
    NWR_TLS_CLOSED,
    NWR_TLS_FAILED
};

/* Copies the keys. */
struct nwr_tls_context *nwr_tls_context_create(const struct nwr_keys *keys);
/* Of a key file; text: one line when it fails, as of nwr_keys_load. */
enum nwr_err nwr_tls_context_open(struct nwr_tls_context **out, const char *path, char *text,
                                  size_t n);
void nwr_tls_context_destroy(struct nwr_tls_context *context);
/* Reads the keys again, for connections created from now on; others keep the key they have. text:
 * "offers=ID accepts=ID,ID", or why nothing has changed. */
bool nwr_tls_context_reload(struct nwr_tls_context *context, const char *path, char *text,
                            size_t n);
/* The id of the key that is offered. */
const char *nwr_tls_context_first(const struct nwr_tls_context *context);
bool nwr_tls_context_has(const struct nwr_tls_context *context, const char *id);

/* dial: this side made the connection and begins. */
struct nwr_tls *nwr_tls_create(struct nwr_tls_context *context, bool dial);
void nwr_tls_destroy(struct nwr_tls *t);
enum nwr_tls_state nwr_tls_state(const struct nwr_tls *t);
/* FAILED: one line about the other side, "offers key ..., which ..."; otherwise "". */
const char *nwr_tls_why(const struct nwr_tls *t);
/* The id of the key in use; "" before OPEN. */
const char *nwr_tls_key(const struct nwr_tls *t);

/* Takes what was received and goes on with the handshake. Copies. */
enum nwr_tls_state nwr_tls_feed(struct nwr_tls *t, const void *data, size_t len);
/* Plain bytes out of what was fed; 0 when there are none (now). */
size_t nwr_tls_read(struct nwr_tls *t, void *buf, size_t cap);
/* Encrypts; small pieces are gathered into one record until nwr_tls_flush. out: appended to. */
void nwr_tls_write(struct nwr_tls *t, const void *data, size_t len, struct nwr_out *out);
void nwr_tls_flush(struct nwr_tls *t, struct nwr_out *out);
/* Appends what there is to send: of a handshake, or the alert of a failure. */
void nwr_tls_take(struct nwr_tls *t, struct nwr_out *out);
/* Appends the goodbye; without it the other side takes the end for a cut. */
void nwr_tls_goodbye(struct nwr_tls *t, struct nwr_out *out);

#endif
