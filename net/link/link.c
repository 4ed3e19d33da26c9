/* link.c -- see link.h.
 *
 *   1. dial the next address; HELLO both ways; on_ready the first time
 *   2. a request gets an id, is sent, waits in `calls` for the RESPONSE with that id
 *   3. the connection breaks, or a request stays silent for NWR_LINK_SILENT_MS: the next address;
 *      every waiting request is sent again there
 *   4. at its deadline a request ends: E_TIMEDOUT if it was ever sent, else E_HOSTDOWN, and that
 *      as soon as every address has refused twice since it came
 */
#include "net/link/link.h"

#include "net/core/msg.h"
#include "net/uv/address.h"
#include "net/uv/conn.h"
#include "net/uv/log.h"

#include <stdio.h>

enum {
    PEERS_MAX = 16,
    NWR_LINK_SILENT_MS = 4000,
    NWR_LINK_AGAIN_MS = 200,    /* between rounds over addresses that do not answer */
    NWR_LINK_REFUSED_MS = 1000, /* or refuse */
    NWR_LINK_ROUNDS = 2,        /* so many rounds, and so long, before nobody is there */
    NWR_LINK_NOBODY_MS = 2000
};

struct call {
    struct nwr_request *req;
    uint64_t id;
    nwr_ms since, deadline, sent_at; /* sent_at 0: not on this connection */
    uint64_t round;                  /* of dialing, when it came */
    uint32_t sent;                   /* how often */
    struct call *next, **prev;
};

struct nwr_link {
    uv_loop_t *loop;
    struct nwr_link_options options;
    struct {
        struct sockaddr_storage to;
        char text[NWR_ADDRESS_MAX];
    } peer[PEERS_MAX];
    unsigned npeers, at;         /* at: the address being used */
    struct nwr_conn *conn;       /* dialled or open */
    struct nwr_tls_context *tls; /* NULL: no key */
    char *key;
    bool open, ready, told, closing;
    nwr_ms started, dial_at; /* dial_at: when there is no connection */
    uv_timer_t timer;
    struct call *calls, **tail;
    uint64_t next_id, round;
    char refusal[200], why[300]; /* why: the last connection ended */
    struct nwr_volume volume;
    void (*on_closed)(void *arg);
    void *closed_arg;
};

/* ---- requests ---- */

static void end_call(struct nwr_link *l, struct call *c, struct nwr_response *res)
{
    *c->prev = c->next;
    if (c->next)
        c->next->prev = c->prev;
    else
        l->tail = c->prev;
    c->req->done(c->req, res);
    nwr_request_destroy(c->req);
    nwr_response_deinit(res);
    nwr_free(c);
}

static void fail_call(struct nwr_link *l, struct call *c, enum nwr_err err)
{
    struct nwr_response res = {.err = err};

    end_call(l, c, &res);
}

static void send_call(struct nwr_link *l, struct call *c)
{
    struct nwr_msg m = {.kind = NWR_MSG_REQUEST, .id = c->id, .pg = c->req->pg};
    enum nwr_err err;

    if (!l->open)
        return;
    m.u.request = c->req;
    err = nwr_conn_send(l->conn, &m);
    c->sent_at = uv_now(l->loop);
    c->sent++;
    /* Too large for any frame: no other peer would take it either; the sweep ends it. */
    if (err != NWR_OK)
        c->deadline = 0;
    nwr_conn_flush(l->conn);
}

static void on_submit(struct nwr_volume *v, struct nwr_request *req)
{
    struct nwr_link *l = nwr_container_of(v, struct nwr_link, volume);
    struct call *c = nwr_zalloc(sizeof(*c));

    nwr_request_may_repeat(req);
    c->req = req;
    c->id = ++l->next_id;
    c->since = uv_now(l->loop);
    c->deadline = c->since + NWR_DEADLINE_MS;
    c->round = l->round;
    c->prev = l->tail;
    *l->tail = c;
    l->tail = &c->next;
    if (l->closing)
        c->deadline = 0;
    send_call(l, c);
}

/* ---- the connection ---- */

static void dial(struct nwr_link *l);

static void tell_ready(struct nwr_link *l, enum nwr_err err, const char *text)
{
    if (l->told || l->closing)
        return;
    l->told = true;
    l->options.on_ready(l, err, text);
}

static void on_open(struct nwr_conn *conn)
{
    struct nwr_link *l = nwr_conn_user(conn);
    struct nwr_msg m = {.kind = NWR_MSG_HELLO};

    m.u.hello.proto_min = NWR_PROTO_MIN;
    m.u.hello.proto_max = NWR_PROTO_MAX;
    m.u.hello.volume = l->volume.info.id;
    nwr_conn_send(conn, &m);
    nwr_conn_flush(conn);
}

static void on_hello(struct nwr_link *l, const struct nwr_hello *h)
{
    if (h->proto_min > NWR_PROTO_MAX || h->proto_max < NWR_PROTO_MIN) {
        snprintf(l->refusal, sizeof(l->refusal), "speaks protocol version %u to %u, not %u to %u",
                 h->proto_min, h->proto_max, NWR_PROTO_MIN, NWR_PROTO_MAX);
        nwr_conn_close(l->conn, l->refusal);
        return;
    }
    if (l->ready && h->info.id != l->volume.info.id) {
        nwr_conn_close(l->conn, "belongs to another volume");
        return;
    }
    if (h->info.pgs == 0) {
        nwr_conn_close(l->conn, "is not a member of its volume yet");
        return;
    }
    l->volume.info = h->info;
    l->open = true;
    nwr_conn_trust(l->conn);
    nwr_log_info("event=link_up peer=%s", l->peer[l->at].text);
    l->ready = true;
    for (struct call *c = l->calls; c; c = c->next)
        send_call(l, c);
    tell_ready(l, NWR_OK, "");
}

static void on_response(struct nwr_link *l, struct nwr_msg *m)
{
    struct call *c = l->calls;

    while (c && c->id != m->id)
        c = c->next;
    if (!c)
        return; /* late: another peer answered, or its deadline passed */
    m->u.response.once &= c->sent == 1;
    end_call(l, c, &m->u.response);
    memset(&m->u.response, 0, sizeof(m->u.response));
}

static void on_msg(struct nwr_conn *conn, struct nwr_msg *m)
{
    struct nwr_link *l = nwr_conn_user(conn);

    if (m->kind == NWR_MSG_HELLO && !l->open) {
        on_hello(l, &m->u.hello);
    } else if (m->kind == NWR_MSG_REFUSED) {
        snprintf(l->refusal, sizeof(l->refusal), "%s", m->u.ring.text);
        nwr_conn_close(conn, m->u.ring.text);
    } else if (m->kind == NWR_MSG_RESPONSE && l->open) {
        on_response(l, m);
    }
    nwr_msg_deinit(m);
}

static void finish_close(uv_handle_t *h)
{
    struct nwr_link *l = h->data;
    void (*on_closed)(void *) = l->on_closed;
    void *arg = l->closed_arg;

    nwr_tls_context_destroy(l->tls);
    nwr_free(l->key);
    nwr_free(l);
    on_closed(arg);
}

static void close_timer(struct nwr_link *l)
{
    uv_close((uv_handle_t *)&l->timer, finish_close);
}

static void on_conn_closed(struct nwr_conn *conn, const char *why)
{
    struct nwr_link *l = nwr_conn_user(conn);

    if (nwr_conn_stranger(conn))
        snprintf(l->refusal, sizeof(l->refusal), "%s", why);
    if (l->open || l->refusal[0])
        nwr_log_warn("event=link_down peer=%s why=\"%s\"", l->peer[l->at].text, why);
    snprintf(l->why, sizeof(l->why), "%s: %s", l->peer[l->at].text, why);
    l->conn = NULL;
    l->open = false;
    for (struct call *c = l->calls; c; c = c->next)
        c->sent_at = 0;
    if (l->closing) {
        close_timer(l);
        return;
    }
    /* At once to the next one; a pause after each full round. */
    l->at = (l->at + 1) % l->npeers;
    l->round += l->at == 0;
    if (l->at == 0)
        l->dial_at = uv_now(l->loop) + (l->refusal[0] ? NWR_LINK_REFUSED_MS : NWR_LINK_AGAIN_MS);
    if (l->at != 0)
        dial(l);
}

static void on_stat(struct nwr_conn *conn, struct nwr_msg *m)
{
    (void)conn;
    (void)m; /* stores nothing */
}

static const struct nwr_conn_calls calls = {
    .on_open = on_open, .on_msg = on_msg, .on_closed = on_conn_closed, .on_stat = on_stat};

static void dial(struct nwr_link *l)
{
    l->refusal[0] = 0;
    l->conn =
        nwr_conn_dial(l->loop, (const struct sockaddr *)&l->peer[l->at].to, l->tls, &calls, l);
}

/* ---- time ---- */

static bool nobody_since(const struct nwr_link *l, nwr_ms since, uint64_t round)
{
    return !l->open && l->round >= round + NWR_LINK_ROUNDS &&
           uv_now(l->loop) >= since + NWR_LINK_NOBODY_MS;
}

static void check_start(struct nwr_link *l)
{
    char text[512];

    if (l->ready || l->told || !nobody_since(l, l->started, 0))
        return;
    snprintf(text, sizeof(text), "mount: %s%s", l->why,
             l->refusal[0] ? "" : "; is a node of the volume running there?");
    tell_ready(l, NWR_E_HOSTDOWN, text);
}

static void check_calls(struct nwr_link *l, nwr_ms now)
{
    struct call *next;
    bool silent = false;

    for (struct call *c = l->calls; c; c = next) {
        next = c->next;
        silent |= c->sent_at && now > c->sent_at + NWR_LINK_SILENT_MS;
        if (now < c->deadline && (c->sent || !nobody_since(l, c->since, c->round)))
            continue;
        if (c->deadline == 0)
            fail_call(l, c, NWR_E_CANCELED);
        else
            fail_call(l, c, c->sent ? NWR_E_TIMEDOUT : NWR_E_HOSTDOWN);
    }
    if (silent && l->open && l->npeers > 1)
        nwr_conn_close(l->conn, "a request was not answered");
}

static void on_timer(uv_timer_t *timer)
{
    struct nwr_link *l = timer->data;
    nwr_ms now = uv_now(l->loop);

    if (l->conn)
        nwr_conn_sweep(l->conn, now);
    else if (!l->closing && now >= l->dial_at)
        dial(l);
    check_calls(l, now);
    check_start(l);
}

/* ---- life ---- */

static const char *parse_peers(struct nwr_link *l, const struct nwr_link_options *o, unsigned *bad)
{
    if (o->npeers == 0 || o->npeers > PEERS_MAX)
        return "between 1 and 16 peers are wanted";
    for (unsigned i = 0; i < o->npeers; i++) {
        const char *why = nwr_address_parse(o->peers[i], false, &l->peer[i].to);

        *bad = i;
        if (why)
            return why;
        snprintf(l->peer[i].text, sizeof(l->peer[i].text), "%s", o->peers[i]);
    }
    l->npeers = o->npeers;
    return NULL;
}

enum nwr_err nwr_link_start(struct nwr_link **out, uv_loop_t *loop,
                            const struct nwr_link_options *o, char *text, size_t text_len)
{
    struct nwr_link *l = nwr_zalloc(sizeof(*l));
    unsigned bad = 0;
    const char *why = parse_peers(l, o, &bad);

    if (why) {
        snprintf(text, text_len, "mount: --peers %s: %s", o->npeers ? o->peers[bad] : "", why);
        nwr_free(l);
        return NWR_E_INVAL;
    }
    if (o->key && nwr_tls_context_open(&l->tls, o->key, text, text_len) != NWR_OK) {
        nwr_free(l);
        return NWR_E_ACCESS;
    }
    l->key = o->key ? nwr_strdup(o->key) : NULL;
    l->loop = loop;
    l->options = *o;
    l->tail = &l->calls;
    l->volume.submit = on_submit;
    uv_update_time(loop);
    l->started = uv_now(loop);
    nwr_assert(uv_timer_init(loop, &l->timer) == 0);
    l->timer.data = l;
    uv_timer_start(&l->timer, on_timer, 0, NWR_CONN_SWEEP_MS);
    *out = l;
    return NWR_OK;
}

void *nwr_link_user(const struct nwr_link *l)
{
    return l->options.user;
}

struct nwr_volume *nwr_link_volume(struct nwr_link *l)
{
    return &l->volume;
}

const char *nwr_link_peer(const struct nwr_link *l)
{
    return l->open ? l->peer[l->at].text : "";
}

void nwr_link_rekey(struct nwr_link *l)
{
    char text[512];

    if (!l->tls || l->closing)
        return;
    if (!nwr_tls_context_reload(l->tls, l->key, text, sizeof(text))) {
        nwr_log_warn("event=rekey_failed why=\"%s\"", text);
        return;
    }
    nwr_log_info("event=rekey %s", text);
    /* What is outstanding is sent again on the next connection. */
    if (l->open && strcmp(nwr_conn_key(l->conn), nwr_tls_context_first(l->tls)) != 0)
        nwr_conn_close(l->conn, "made again with another key");
}

void nwr_link_close(struct nwr_link *l, void (*on_closed)(void *arg), void *arg)
{
    l->closing = true;
    l->on_closed = on_closed;
    l->closed_arg = arg;
    uv_timer_stop(&l->timer);
    while (l->calls)
        fail_call(l, l->calls, NWR_E_CANCELED);
    if (l->conn)
        nwr_conn_close(l->conn, "closing");
    else
        close_timer(l);
}
