/* conn.c -- see conn.h. */
#include "net/uv/conn.h"

#include <stdio.h>
#include <unistd.h>

#include "net/uv/address.h"
#include "net/wire/frame.h"

enum {
    STAGE_BYTES = 64 << 10,
    BATCH_BYTES = 256 << 10,
    SPARE_BYTES = 4 << 20
};

/* Frames of one uv_write; with TLS they become `sealed` when they are written. */
struct batch {
    uv_write_t req;
    struct nwr_conn *conn;
    struct nwr_frame *frame;
    uint32_t n, cap;
    size_t bytes;
    struct nwr_out sealed;
};

struct nwr_conn {
    uv_tcp_t tcp;
    uv_connect_t connect;
    const struct nwr_conn_calls *calls;
    void *user;
    char remote[NWR_ADDRESS_MAX];
    char why[NWR_FRAME_WHY_MAX + 40];
    bool open, trusted, closing, finishing;
    bool dialed, first_seen, stranger;
    nwr_ms since, heard, pinged, swept;

    struct nwr_tls *tls;  /* NULL: plain */
    uint8_t *raw;         /* with TLS: what the socket gave */
    struct nwr_out spare; /* with TLS: the buffer of a batch that is written, for the next one */

    /* Input: small frames are cut out of stage; the rest of a large one is read into frame. */
    uint8_t *stage;
    uint32_t staged;
    struct nwr_blob *frame;
    uint32_t filled;

    struct batch *batch; /* collected, not yet handed to libuv */
    size_t out_bytes;    /* collected and being written */
};

void *nwr_conn_user(const struct nwr_conn *c)
{
    return c->user;
}

const char *nwr_conn_remote(const struct nwr_conn *c)
{
    return c->remote;
}

void nwr_conn_trust(struct nwr_conn *c)
{
    c->trusted = true;
}

const char *nwr_conn_key(const struct nwr_conn *c)
{
    return c->tls ? nwr_tls_key(c->tls) : "";
}

bool nwr_conn_stranger(const struct nwr_conn *c)
{
    return c->stranger;
}

/* Frames may be sent. */
static bool secure(const struct nwr_conn *c)
{
    return c->open && (!c->tls || nwr_tls_state(c->tls) == NWR_TLS_OPEN);
}

/* ---- closing ---- */

static void batch_drop_frames(struct batch *b)
{
    for (uint32_t i = 0; i < b->n; i++)
        nwr_frame_deinit(&b->frame[i]);
    nwr_free(b->frame);
    b->frame = NULL;
    b->n = b->cap = 0;
}

static void batch_free(struct batch *b)
{
    if (!b)
        return;
    batch_drop_frames(b);
    if (b->sealed.cap > 0 && b->sealed.cap <= SPARE_BYTES && b->conn->spare.cap < b->sealed.cap) {
        nwr_out_free(&b->conn->spare);
        b->conn->spare = b->sealed;
        b->conn->spare.len = 0;
    } else {
        nwr_out_free(&b->sealed);
    }
    nwr_free(b);
}

static void on_tcp_close(uv_handle_t *h)
{
    struct nwr_conn *c = h->data;

    c->calls->on_closed(c, c->why);
    batch_free(c->batch);
    nwr_blob_unref(c->frame);
    nwr_tls_destroy(c->tls);
    nwr_out_free(&c->spare);
    nwr_free(c->raw);
    nwr_free(c->stage);
    nwr_free(c);
}

/* So that the other side need not take the end for a cut. Best effort: it is not waited for. */
static void say_goodbye(struct nwr_conn *c)
{
    struct nwr_out out = {0};
    uv_buf_t buf;

    if (!c->tls || !secure(c))
        return;
    nwr_tls_goodbye(c->tls, &out);
    buf = uv_buf_init((char *)out.data, out.len);
    uv_try_write((uv_stream_t *)&c->tcp, &buf, 1);
    nwr_out_free(&out);
}

void nwr_conn_close(struct nwr_conn *c, const char *why)
{
    if (c->closing)
        return;
    c->closing = true;
    if (!c->finishing)
        snprintf(c->why, sizeof(c->why), "%s", why);
    say_goodbye(c);
    uv_close((uv_handle_t *)&c->tcp, on_tcp_close);
}

void nwr_conn_finish(struct nwr_conn *c, const char *why)
{
    if (c->closing || c->finishing)
        return;
    snprintf(c->why, sizeof(c->why), "%s", why);
    nwr_conn_flush(c);
    c->finishing = true;
    c->since = uv_now(c->tcp.loop);
    if (c->out_bytes == 0)
        nwr_conn_close(c, why);
}

/* ---- output ---- */

static void on_written(uv_write_t *req, int status)
{
    struct batch *b = nwr_container_of(req, struct batch, req);
    struct nwr_conn *c = b->conn;

    c->out_bytes -= b->bytes;
    batch_free(b);
    if (status < 0)
        nwr_conn_close(c, uv_strerror(status));
    else if (c->finishing && c->out_bytes == 0)
        nwr_conn_close(c, c->why);
}

static uint32_t batch_slices(const struct batch *b)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < b->n; i++)
        n += b->frame[i].nslice;
    return n;
}

/* What the socket takes now goes without libuv's queue: after each uv_write it would tell epoll
 * once more what epoll knows. Takes b. */
static int write_out(struct nwr_conn *c, struct batch *b, uv_buf_t *bufs, unsigned n)
{
    uv_stream_t *s = (uv_stream_t *)&c->tcp;
    int sent = uv_stream_get_write_queue_size(s) ? UV_EAGAIN : uv_try_write(s, bufs, n);

    if (sent == UV_EAGAIN)
        sent = 0;
    if (sent < 0)
        return sent;
    while (n && (size_t)sent >= bufs->len) {
        sent -= (int)bufs->len;
        bufs++;
        n--;
    }
    if (n == 0) {
        c->out_bytes -= b->bytes;
        batch_free(b);
        return 0;
    }
    bufs->base += sent;
    bufs->len -= (size_t)sent;
    return uv_write(&b->req, s, bufs, n, on_written);
}

/* Takes b. */
static void batch_write(struct nwr_conn *c, struct batch *b, uv_buf_t *bufs, uint32_t n)
{
    int err = write_out(c, b, bufs, n);

    if (!err)
        return;
    c->out_bytes -= b->bytes;
    batch_free(b);
    nwr_conn_close(c, uv_strerror(err));
}

static void write_plain(struct nwr_conn *c, struct batch *b)
{
    uv_buf_t few[16] = {0}, *bufs = few;
    uint32_t n = batch_slices(b), k = 0;

    if (n > NWR_COUNT(few))
        bufs = nwr_alloc(n * sizeof(*bufs));
    for (uint32_t i = 0; i < b->n; i++) {
        for (uint32_t j = 0; j < b->frame[i].nslice; j++) {
            size_t len;
            const uint8_t *data = nwr_frame_slice(&b->frame[i], j, &len);

            bufs[k++] = uv_buf_init((char *)(uintptr_t)data, (unsigned)len);
        }
    }
    batch_write(c, b, bufs, n);
    if (bufs != few)
        nwr_free(bufs);
}

static void write_sealed(struct nwr_conn *c, struct batch *b)
{
    uv_buf_t buf;

    b->sealed = c->spare;
    c->spare = (struct nwr_out){0};
    for (uint32_t i = 0; i < b->n; i++) {
        for (uint32_t j = 0; j < b->frame[i].nslice; j++) {
            size_t len;
            const uint8_t *data = nwr_frame_slice(&b->frame[i], j, &len);

            nwr_tls_write(c->tls, data, len, &b->sealed);
        }
    }
    nwr_tls_flush(c->tls, &b->sealed);
    batch_drop_frames(b);
    buf = uv_buf_init((char *)b->sealed.data, b->sealed.len);
    batch_write(c, b, &buf, 1);
}

void nwr_conn_flush(struct nwr_conn *c)
{
    struct batch *b = c->batch;

    if (!b || !secure(c) || c->closing)
        return;
    c->batch = NULL;
    if (c->tls)
        write_sealed(c, b);
    else
        write_plain(c, b);
}

/* What TLS itself has to say: its handshake, alerts, answers to a change of keys. */
static void write_handshake(struct nwr_conn *c)
{
    struct batch *b = nwr_zalloc(sizeof(*b));
    uv_buf_t buf;

    b->conn = c;
    nwr_tls_take(c->tls, &b->sealed);
    if (b->sealed.len == 0 || c->closing) {
        batch_free(b);
        return;
    }
    b->bytes = b->sealed.len;
    c->out_bytes += b->bytes;
    buf = uv_buf_init((char *)b->sealed.data, b->sealed.len);
    batch_write(c, b, &buf, 1);
}

enum nwr_err nwr_conn_send(struct nwr_conn *c, const struct nwr_msg *m)
{
    struct nwr_frame frame;
    struct batch *b;
    enum nwr_err err;

    if (c->closing || c->finishing)
        return NWR_OK;
    err = nwr_frame_encode(&frame, m);
    if (err)
        return err;
    if (!c->batch) {
        c->batch = nwr_zalloc(sizeof(*c->batch));
        c->batch->conn = c;
    }
    b = c->batch;
    b->frame = nwr_grow(b->frame, &b->cap, b->n + 1, sizeof(*b->frame));
    b->frame[b->n++] = frame;
    b->bytes += frame.len;
    c->out_bytes += frame.len;
    if (c->out_bytes > NWR_CONN_OUT_MAX)
        nwr_conn_close(c, "takes in nothing, too much is waiting for it");
    else if (b->bytes > BATCH_BYTES)
        nwr_conn_flush(c);
    return NWR_OK;
}

static void send_stat(struct nwr_conn *c, enum nwr_msg_kind kind, uint64_t id)
{
    struct nwr_msg m = {.kind = kind, .id = id};

    if (c->calls->on_stat)
        c->calls->on_stat(c, &m);
    nwr_conn_send(c, &m);
    nwr_conn_flush(c);
}

void nwr_conn_ping(struct nwr_conn *c)
{
    c->pinged = uv_now(c->tcp.loop);
    send_stat(c, NWR_MSG_PING, 0);
}

/* ---- input ---- */

static void take_frame(struct nwr_conn *c, struct nwr_blob *payload)
{
    char why[NWR_FRAME_WHY_MAX];
    struct nwr_msg m;

    if (nwr_frame_decode(&m, payload, why) != NWR_OK) {
        nwr_conn_close(c, why);
        return;
    }
    if (m.kind == NWR_MSG_PING && c->trusted)
        send_stat(c, NWR_MSG_PONG, m.id);
    c->calls->on_msg(c, &m);
}

/* The length of the frame at the start of stage; 0 after closing. */
static uint32_t frame_length(struct nwr_conn *c, const uint8_t *at)
{
    uint32_t max = c->trusted ? NWR_FRAME_MAX : NWR_CONN_HELLO_BYTES;
    uint32_t len = nwr_frame_length(at);

    if (len > 0 && len <= max)
        return len;
    nwr_conn_close(c, c->trusted ? "a frame of a forbidden length"
                                 : "does not speak the nwrfs protocol");
    return 0;
}

static void cut_frames(struct nwr_conn *c)
{
    uint32_t at = 0;

    while (!c->closing && !c->finishing && c->staged - at >= NWR_FRAME_HEAD) {
        uint32_t len = frame_length(c, c->stage + at);
        uint32_t have = c->staged - at - NWR_FRAME_HEAD;
        struct nwr_blob *payload;

        if (len == 0)
            return;
        if (have < len && len + NWR_FRAME_HEAD <= STAGE_BYTES)
            break;
        payload = nwr_blob_new(len);
        memcpy(payload->data, c->stage + at + NWR_FRAME_HEAD, NWR_MIN(have, len));
        if (have < len) {
            c->frame = payload;
            c->filled = have;
            at = c->staged;
            break;
        }
        at += NWR_FRAME_HEAD + len;
        take_frame(c, payload);
        nwr_blob_unref(payload);
    }
    c->staged -= at;
    memmove(c->stage, c->stage + at, c->staged);
}

/* Where the next plain bytes go. */
static uv_buf_t room(const struct nwr_conn *c)
{
    if (c->frame)
        return uv_buf_init((char *)c->frame->data + c->filled, c->frame->len - c->filled);
    return uv_buf_init((char *)c->stage + c->staged, STAGE_BYTES - c->staged);
}

/* n of them came. */
static void took(struct nwr_conn *c, size_t n)
{
    struct nwr_blob *frame = c->frame;

    if (!frame) {
        c->staged += (uint32_t)n;
        cut_frames(c);
        return;
    }
    c->filled += (uint32_t)n;
    if (c->filled < frame->len)
        return;
    c->frame = NULL;
    take_frame(c, frame);
    nwr_blob_unref(frame);
}

/* A last word of TLS, or of a plain frame to one that knows no TLS, then the end. */
static void part_strangers(struct nwr_conn *c, const char *why)
{
    c->stranger = true;
    snprintf(c->why, sizeof(c->why), "%s", why);
    if (c->tls)
        write_handshake(c);
    nwr_conn_finish(c, why);
}

static void part_plainly(struct nwr_conn *c, const char *why, const char *text)
{
    struct nwr_msg m = {.kind = NWR_MSG_REFUSED, .err = NWR_E_ACCESS};

    nwr_tls_destroy(c->tls);
    c->tls = NULL;
    snprintf(m.u.ring.text, sizeof(m.u.ring.text), "%s", text);
    nwr_conn_send(c, &m);
    part_strangers(c, why);
}

/* The first byte tells TLS (22, an alert 21) from the protocol in the clear (the high byte of a
 * frame's length, 0) and from everything else. True: they do not go together. */
static bool part_kinds(struct nwr_conn *c, uint8_t first)
{
    bool tls = first == NWR_TLS_FIRST_BYTE || (c->tls && first == NWR_TLS_FIRST_BYTE - 1);

    if (tls == (c->tls != NULL))
        return false;
    if (!c->tls)
        part_plainly(c, "speaks TLS: it has a key and this node has none",
                     "has a key and the other one has none; give both the same --key file");
    else if (first == 0 && !c->dialed)
        part_plainly(c, "speaks without TLS: it has no key and this node has one",
                     "has no key and the other one has; give both the same --key file");
    else if (first == 0)
        part_strangers(c, "speaks without TLS: it has no key; give both the same --key file");
    else
        part_strangers(c, "does not speak the nwrfs protocol");
    return true;
}

static void take_sealed(struct nwr_conn *c, const void *data, size_t len)
{
    bool before = secure(c);
    uv_buf_t to;
    size_t n;

    nwr_tls_feed(c->tls, data, len);
    if (!before && secure(c)) {
        write_handshake(c); /* the other side is to have it before the first frame */
        if (c->dialed && !c->closing)
            c->calls->on_open(c);
        nwr_conn_flush(c);
    }
    while (!c->closing && !c->finishing) {
        to = room(c);
        n = nwr_tls_read(c->tls, to.base, to.len);
        if (n == 0)
            break;
        took(c, n);
    }
    if (c->closing || c->finishing)
        return;
    if (nwr_tls_state(c->tls) == NWR_TLS_CLOSED) {
        nwr_conn_close(c, "closed by the other side");
    } else if (nwr_tls_state(c->tls) != NWR_TLS_FAILED) {
        write_handshake(c);
    } else if (before) {
        write_handshake(c);
        nwr_conn_finish(c, nwr_tls_why(c->tls));
    } else {
        part_strangers(c, nwr_tls_why(c->tls));
    }
}

static const char *end_of(const struct nwr_conn *c, ssize_t n)
{
    if (n != UV_EOF)
        return uv_strerror((int)n);
    if (c->tls && nwr_tls_state(c->tls) == NWR_TLS_HANDSHAKE)
        return "closed by the other side during the TLS handshake";
    return c->tls ? "cut off" : "closed by the other side";
}

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *buf)
{
    const struct nwr_conn *c = h->data;

    (void)suggested;
    *buf = c->raw ? uv_buf_init((char *)c->raw, STAGE_BYTES) : room(c);
}

static void on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
    struct nwr_conn *c = s->data;

    if (n < 0) {
        nwr_conn_close(c, end_of(c, n));
        return;
    }
    if (n == 0 || c->finishing)
        return;
    c->heard = uv_now(s->loop);
    if (!c->first_seen && part_kinds(c, (uint8_t)buf->base[0]))
        return;
    c->first_seen = true;
    if (c->tls)
        take_sealed(c, buf->base, (size_t)n);
    else
        took(c, (size_t)n);
}

/* ---- beginning ---- */

static struct nwr_conn *conn_new(uv_loop_t *loop, struct nwr_tls_context *tls, bool dialed,
                                 const struct nwr_conn_calls *calls, void *user)
{
    struct nwr_conn *c = nwr_zalloc(sizeof(*c));

    c->dialed = dialed;
    if (tls) {
        c->tls = nwr_tls_create(tls, dialed);
        c->raw = nwr_alloc(STAGE_BYTES);
    }

    uv_tcp_init(loop, &c->tcp);
    c->tcp.data = c;
    c->calls = calls;
    c->user = user;
    c->stage = nwr_alloc(STAGE_BYTES);
    c->since = c->heard = c->pinged = c->swept = uv_now(loop);
    return c;
}

static void opened(struct nwr_conn *c)
{
    int err;

    c->open = true;
    c->since = c->heard = uv_now(c->tcp.loop);
    uv_tcp_nodelay(&c->tcp, 1);
    err = uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read);
    if (err)
        nwr_conn_close(c, uv_strerror(err));
    else if (c->tls)
        write_handshake(c);
}

static void on_connect(uv_connect_t *req, int status)
{
    struct nwr_conn *c = nwr_container_of(req, struct nwr_conn, connect);

    if (c->closing)
        return;
    if (status < 0) {
        nwr_conn_close(c, uv_strerror(status));
        return;
    }
    opened(c);
    if (!c->closing && secure(c))
        c->calls->on_open(c);
    nwr_conn_flush(c);
}

struct nwr_conn *nwr_conn_dial(uv_loop_t *loop, const struct sockaddr *to,
                               struct nwr_tls_context *tls, const struct nwr_conn_calls *calls,
                               void *user)
{
    struct nwr_conn *c = conn_new(loop, tls, true, calls, user);
    int err;

    nwr_address_text(to, c->remote);
    err = uv_tcp_connect(&c->connect, &c->tcp, to, on_connect);
    if (err)
        nwr_conn_close(c, uv_strerror(err));
    return c;
}

struct nwr_conn *nwr_conn_accept(uv_loop_t *loop, int fd, struct nwr_tls_context *tls,
                                 const struct nwr_conn_calls *calls, void *user)
{
    struct nwr_conn *c = conn_new(loop, tls, false, calls, user);
    struct sockaddr_storage ss = {0};
    int len = sizeof(ss), err = uv_tcp_open(&c->tcp, fd);

    if (err) {
        close(fd);
        nwr_conn_close(c, uv_strerror(err));
        return c;
    }
    if (uv_tcp_getpeername(&c->tcp, (struct sockaddr *)&ss, &len) == 0)
        nwr_address_text((struct sockaddr *)&ss, c->remote);
    opened(c);
    return c;
}

/* ---- time ---- */

void nwr_conn_sweep(struct nwr_conn *c, nwr_ms now)
{
    nwr_ms late = now - c->swept;

    c->swept = now;
    if (c->closing)
        return;
    if (c->finishing) {
        if (now - c->since > NWR_CONN_PING_MS)
            nwr_conn_close(c, c->why);
        return;
    }
    if (!c->open) {
        if (now - c->since > NWR_CONN_DIAL_MS)
            nwr_conn_close(c, "no answer");
        return;
    }
    if (!c->trusted) {
        if (now - c->since > NWR_CONN_HELLO_MS)
            nwr_conn_close(c, c->tls && !secure(c) ? "did not finish the TLS handshake"
                                                   : "says nothing");
        return;
    }
    /* After a pause of this process its timers run before it reads: that silence is its own. */
    if (late > NWR_CONN_PING_MS)
        return;
    if (now - c->heard > NWR_CONN_DEAD_MS) {
        nwr_conn_close(c, "silent");
    } else if (now - c->pinged > NWR_CONN_STAT_MS ||
               (now - c->heard > NWR_CONN_PING_MS && now - c->pinged > NWR_CONN_PING_MS)) {
        c->pinged = now;
        send_stat(c, NWR_MSG_PING, 0);
    }
}
