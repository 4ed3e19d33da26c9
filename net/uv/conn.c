/* conn.c -- see conn.h. */
#include "net/uv/conn.h"

#include <stdio.h>

#include "net/uv/address.h"
#include "net/wire/frame.h"

enum {
    STAGE_BYTES = 64 << 10,
    BATCH_BYTES = 256 << 10
};

/* Frames of one uv_write. */
struct batch {
    uv_write_t req;
    struct nwr_conn *conn;
    struct nwr_frame *frame;
    uint32_t n, cap;
    size_t bytes;
};

struct nwr_conn {
    uv_tcp_t tcp;
    uv_connect_t connect;
    const struct nwr_conn_calls *calls;
    void *user;
    char remote[NWR_ADDRESS_MAX];
    char why[NWR_FRAME_WHY_MAX + 40];
    bool open, trusted, closing, finishing;
    nwr_ms since, heard, pinged, swept;

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

/* ---- closing ---- */

static void batch_free(struct batch *b)
{
    if (!b)
        return;
    for (uint32_t i = 0; i < b->n; i++)
        nwr_frame_deinit(&b->frame[i]);
    nwr_free(b->frame);
    nwr_free(b);
}

static void on_tcp_close(uv_handle_t *h)
{
    struct nwr_conn *c = h->data;

    c->calls->on_closed(c, c->why);
    batch_free(c->batch);
    nwr_blob_unref(c->frame);
    nwr_free(c->stage);
    nwr_free(c);
}

void nwr_conn_close(struct nwr_conn *c, const char *why)
{
    if (c->closing)
        return;
    c->closing = true;
    if (!c->finishing)
        snprintf(c->why, sizeof(c->why), "%s", why);
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

void nwr_conn_flush(struct nwr_conn *c)
{
    struct batch *b = c->batch;
    uv_buf_t few[16], *bufs = few;
    uint32_t n, k = 0;
    int err;

    if (!b || !c->open || c->closing)
        return;
    c->batch = NULL;
    n = batch_slices(b);
    if (n > NWR_COUNT(few))
        bufs = nwr_alloc(n * sizeof(*bufs));
    for (uint32_t i = 0; i < b->n; i++) {
        for (uint32_t j = 0; j < b->frame[i].nslice; j++) {
            size_t len;
            const uint8_t *data = nwr_frame_slice(&b->frame[i], j, &len);

            bufs[k++] = uv_buf_init((char *)(uintptr_t)data, (unsigned)len);
        }
    }
    err = write_out(c, b, bufs, n);
    if (err) {
        c->out_bytes -= b->bytes;
        batch_free(b);
        nwr_conn_close(c, uv_strerror(err));
    }
    if (bufs != few)
        nwr_free(bufs);
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

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *buf)
{
    struct nwr_conn *c = h->data;

    (void)suggested;
    if (c->frame)
        *buf = uv_buf_init((char *)c->frame->data + c->filled, c->frame->len - c->filled);
    else
        *buf = uv_buf_init((char *)c->stage + c->staged, STAGE_BYTES - c->staged);
}

static void on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
    struct nwr_conn *c = s->data;
    struct nwr_blob *frame = c->frame;

    (void)buf;
    if (n < 0) {
        nwr_conn_close(c, n == UV_EOF ? "closed by the other side" : uv_strerror((int)n));
        return;
    }
    if (n == 0 || c->finishing)
        return;
    c->heard = uv_now(s->loop);
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

/* ---- beginning ---- */

static struct nwr_conn *conn_new(uv_loop_t *loop, const struct nwr_conn_calls *calls, void *user)
{
    struct nwr_conn *c = nwr_zalloc(sizeof(*c));

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
    if (!c->closing)
        c->calls->on_open(c);
    nwr_conn_flush(c);
}

struct nwr_conn *nwr_conn_dial(uv_loop_t *loop, const struct sockaddr *to,
                               const struct nwr_conn_calls *calls, void *user)
{
    struct nwr_conn *c = conn_new(loop, calls, user);
    int err;

    nwr_address_text(to, c->remote);
    err = uv_tcp_connect(&c->connect, &c->tcp, to, on_connect);
    if (err)
        nwr_conn_close(c, uv_strerror(err));
    return c;
}

struct nwr_conn *nwr_conn_accept(uv_loop_t *loop, uv_stream_t *listener,
                                 const struct nwr_conn_calls *calls, void *user)
{
    struct nwr_conn *c = conn_new(loop, calls, user);
    struct sockaddr_storage ss = {0};
    int len = sizeof(ss);

    if (uv_accept(listener, (uv_stream_t *)&c->tcp) == 0 &&
        uv_tcp_getpeername(&c->tcp, (struct sockaddr *)&ss, &len) == 0)
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
            nwr_conn_close(c, "says nothing");
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
