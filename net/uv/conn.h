/* conn.h -- one TCP connection that carries frames, from connect or accept to close.
 *
 *  1. dial or accept; with a TLS context the handshake (net/tls/tls.h); on_open when a dialed one
 *     can send. Nothing that arrives is looked at before the other side has proven the key.
 *  2. Until nwr_conn_trust the other side may send small frames only (its HELLO).
 *  3. on_msg for each frame; nwr_conn_send collects, nwr_conn_flush writes what was collected.
 *  4. PING when nothing was heard for a second, and every NWR_CONN_STAT_MS for what a PONG
 *     carries; PINGs are answered here.
 *  5. nwr_conn_close, or by itself: cannot connect, the other side closed, bytes that are no
 *     frame (only this connection ends), silence for NWR_CONN_DEAD_MS, a full output queue.
 *     on_closed runs once, from the loop, then the memory is gone.
 *
 * One side with a key and one without part at once, and each is told: the first byte shows which
 * the other one is, and a plain REFUSED frame, or what is no TLS, is the answer.
 *
 * The output queue is bounded in bytes. A peer that takes in nothing while NWR_CONN_OUT_MAX wait
 * is no better than one that is down: the connection is closed, requests are retried elsewhere,
 * and read repair brings it what it missed. Input is bounded by libuv, which reads at most 32
 * times a wake-up, and by the frame limit.
 *
 * Ownership: the caller has the pointer until on_closed. Thread: the loop's. Allocates: yes.
 */
#ifndef NWR_CONN_H
#define NWR_CONN_H

#include <uv.h>

#include "net/core/msg.h"
#include "net/tls/tls.h"

enum {
    NWR_CONN_DIAL_MS = 3000,
    NWR_CONN_HELLO_MS = 5000,
    NWR_CONN_PING_MS = 1000,
    NWR_CONN_STAT_MS = 5000,
    NWR_CONN_DEAD_MS = 4000,
    NWR_CONN_SWEEP_MS = 250,
    NWR_CONN_HELLO_BYTES = 4096,
    NWR_CONN_OUT_MAX = 64 << 20
};

struct nwr_conn;

struct nwr_conn_calls {
    void (*on_open)(struct nwr_conn *c);
    /* Takes the message. PING and PONG are passed too, for what they carry. */
    void (*on_msg)(struct nwr_conn *c, struct nwr_msg *m);
    /* why: one line, borrowed. */
    void (*on_closed)(struct nwr_conn *c, const char *why);
    /* Fills u.stat of a PING or PONG to be sent. */
    void (*on_stat)(struct nwr_conn *c, struct nwr_msg *m);
};

/* tls: NULL for plain TCP. */
struct nwr_conn *nwr_conn_dial(uv_loop_t *loop, const struct sockaddr *to,
                               struct nwr_tls_context *tls, const struct nwr_conn_calls *calls,
                               void *user);
/* Takes fd, which was accepted. */
struct nwr_conn *nwr_conn_accept(uv_loop_t *loop, int fd, struct nwr_tls_context *tls,
                                 const struct nwr_conn_calls *calls, void *user);
void *nwr_conn_user(const struct nwr_conn *c);
/* "IP:PORT" of the other side. */
const char *nwr_conn_remote(const struct nwr_conn *c);
void nwr_conn_trust(struct nwr_conn *c);
/* The id of the key that both sides proved; "" without. */
const char *nwr_conn_key(const struct nwr_conn *c);
/* For on_closed: the other side has another key, or none, or has one where this side has none.
 * Trying again changes nothing. */
bool nwr_conn_stranger(const struct nwr_conn *c);

/* Borrows m. NWR_E_FBIG: too large for a frame, nothing is sent. Ignored once it is closing. */
enum nwr_err nwr_conn_send(struct nwr_conn *c, const struct nwr_msg *m);
void nwr_conn_flush(struct nwr_conn *c);
void nwr_conn_ping(struct nwr_conn *c);
/* Closes at once; the first reason counts. */
void nwr_conn_close(struct nwr_conn *c, const char *why);
/* Closes once what was sent is written, for a last word. */
void nwr_conn_finish(struct nwr_conn *c, const char *why);
/* Every NWR_CONN_SWEEP_MS: pings, and the time limits above. */
void nwr_conn_sweep(struct nwr_conn *c, nwr_ms now);

#endif
