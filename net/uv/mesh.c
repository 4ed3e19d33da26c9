/* mesh.c -- one connection to every other member, and those of clients and joining nodes.
 *
 *  1. Both sides dial while there is no connection, with back-off and jitter.
 *  2. The dialing side sends HELLO; the accepting one checks it and answers HELLO or REFUSED.
 *  3. From then on the connection is used both ways (PEER_UP).
 *  4. It ends (conn.h says when): PEER_DOWN, and from 1.
 *
 * Duplicates: a member that dials has no connection of its own to us, so what we have from it is
 * stale and the new one replaces it. Only when both dialed at the same time both are good; then
 * the one dialed by the lower ordinal stays, and both sides see it the same way.
 */
#include <stdio.h>

#include "net/uv/inside.h"
#include "net/uv/log.h"

static const struct nwr_conn_calls calls;

static nwr_ms now_of(const struct nwr_peer *p)
{
    return uv_now(p->loop);
}

struct nwr_mate *nwr_mesh_mate(struct nwr_peer *p, uint16_t ordinal)
{
    for (uint32_t i = 0; i < p->nmate; i++)
        if (p->mate[i].ordinal == ordinal)
            return &p->mate[i];
    return NULL;
}

static void tell(struct nwr_peer *p, enum nwr_node_event_kind kind, uint16_t ordinal)
{
    struct nwr_node_event ev = {.kind = kind, .peer = ordinal};

    nwr_drive_event(p, &ev, NULL);
}

static struct nwr_line *line_new(struct nwr_peer *p, enum nwr_line_role role)
{
    struct nwr_line *l = nwr_zalloc(sizeof(*l));

    l->peer = p;
    l->role = role;
    l->next = p->lines;
    p->lines = l;
    return l;
}

static void line_free(struct nwr_line *l)
{
    struct nwr_line **at = &l->peer->lines;

    while (*at != l)
        at = &(*at)->next;
    *at = l->next;
    nwr_free(l);
}

static struct nwr_line *dial(struct nwr_peer *p, const char *address, enum nwr_line_role role)
{
    struct sockaddr_storage to;
    struct nwr_line *l;

    if (nwr_address_parse(address, role == NWR_LINE_DIAL, &to))
        return NULL;
    l = line_new(p, role);
    l->dialed = true;
    l->since = now_of(p);
    l->conn = nwr_conn_dial(p->loop, (struct sockaddr *)&to, p->tls, &calls, l);
    return l;
}

/* ---- members up and down ---- */

static void back_off(struct nwr_peer *p, struct nwr_mate *m)
{
    m->retry_at = now_of(p) + m->backoff_ms / 2 + nwr_rng_below(&p->rng, m->backoff_ms);
    m->backoff_ms = NWR_MIN(m->backoff_ms * 2, NWR_BACKOFF_MAX_MS);
}

static void member_up(struct nwr_peer *p, struct nwr_mate *m, struct nwr_line *l)
{
    m->up = l;
    m->tried = true;
    m->since = now_of(p);
    m->backoff_ms = NWR_BACKOFF_MIN_MS;
    m->refused[0] = 0;
    m->stranger = false;
    l->role = NWR_LINE_MEMBER;
    l->ordinal = m->ordinal;
    nwr_log_info("event=peer_up peer=%u address=%s", m->ordinal, nwr_conn_remote(l->conn));
    tell(p, NWR_EV_PEER_UP, m->ordinal);
    nwr_conn_ping(l->conn); /* for its figures */
    nwr_peer_maybe_ready(p);
}

static void member_down(struct nwr_peer *p, struct nwr_mate *m, const char *why)
{
    if (m->up) {
        nwr_log_warn("event=peer_down peer=%u why=\"%s\"", m->ordinal, why);
        m->up = NULL;
        m->since = now_of(p);
    } else if (strcmp(m->refused, why) != 0) {
        nwr_log_warn("event=peer_unreachable peer=%u address=%s why=\"%s\"", m->ordinal, m->address,
                     why);
    }
    snprintf(m->refused, sizeof(m->refused), "%s", why);
    m->tried = true;
    back_off(p, m);
    tell(p, NWR_EV_PEER_DOWN, m->ordinal);
    nwr_peer_maybe_ready(p);
}

static void lose(struct nwr_line *l, const char *why)
{
    l->lost = true;
    nwr_conn_close(l->conn, why);
}

/* l was greeted and is of member m: it stays, or the one there is. */
static void settle(struct nwr_peer *p, struct nwr_mate *m, struct nwr_line *l)
{
    uint16_t self = nwr_node_ordinal(p->node);
    struct nwr_line *old = m->up;

    if (m->dialing == l)
        m->dialing = NULL;
    if (old) {
        bool both = old->dialed != l->dialed && now_of(p) - old->since < NWR_SIMULTANEOUS_MS;
        bool lower_dialed_old = old->dialed == (self < m->ordinal);

        if (both && lower_dialed_old) {
            lose(l, "a second connection");
            return;
        }
        lose(old, "replaced by a new connection");
        m->up = NULL;
        tell(p, NWR_EV_PEER_DOWN, m->ordinal);
    }
    member_up(p, m, l);
}

/* ---- HELLO ---- */

static void refuse(struct nwr_line *l, const char *why)
{
    struct nwr_msg m = {.kind = NWR_MSG_REFUSED, .err = NWR_E_VOLUME};

    nwr_log_warn("event=refused from=%s why=\"%s\"", nwr_conn_remote(l->conn), why);
    snprintf(m.u.ring.text, sizeof(m.u.ring.text), "%s", why);
    l->lost = true;
    nwr_conn_send(l->conn, &m);
    nwr_conn_finish(l->conn, why);
}

/* The side that accepted: HELLO of somebody. */
static void greet_new(struct nwr_line *l, const struct nwr_hello *h)
{
    struct nwr_peer *p = l->peer;
    const struct nwr_ring *ring = nwr_node_ring(p->node);
    struct nwr_mate *m;
    struct nwr_msg answer;

    if (!ring || !nwr_node_ordinal(p->node)) {
        refuse(l, "not a member of a volume yet; ask another node");
        return;
    }
    nwr_conn_trust(l->conn);
    nwr_hello_make(p, &answer, false);
    nwr_conn_send(l->conn, &answer);
    l->urgent = true;
    l->greeted = true;
    l->since = now_of(p);
    m = h->ordinal ? nwr_mesh_mate(p, h->ordinal) : NULL;
    if (m) {
        settle(p, m, l);
        return;
    }
    l->role = NWR_LINE_LINK;
    l->link = ++p->link_next;
}

/* The side that dialed: the answer. */
static void greet_dialed(struct nwr_line *l, const struct nwr_hello *h)
{
    struct nwr_peer *p = l->peer;
    struct nwr_mate *m;

    nwr_conn_trust(l->conn);
    l->greeted = true;
    l->since = now_of(p);
    switch (l->role) {
    case NWR_LINE_DIAL:
        m = nwr_mesh_mate(p, l->ordinal);
        if (!m || m->id != h->node)
            lose(l, "another node answers at its address");
        else
            settle(p, m, l);
        break;
    case NWR_LINE_JOIN:
        p->join_ever = true;
        tell(p, NWR_EV_PEER_UP, 0);
        break;
    case NWR_LINE_PROBE:
        p->probing = false;
        lose(l, "asked");
        nwr_peer_maybe_ready(p);
        break;
    case NWR_LINE_NEW:
    case NWR_LINE_MEMBER:
    case NWR_LINE_LINK: break;
    }
}

static void on_hello(struct nwr_line *l, const struct nwr_hello *h)
{
    char text[160], why[200];

    if (!nwr_hello_check(l->peer, h, text)) {
        if (l->dialed)
            greet_dialed(l, h);
        else
            greet_new(l, h);
        return;
    }
    if (!l->dialed) {
        refuse(l, text);
        return;
    }
    snprintf(why, sizeof(why), "%s %s", nwr_conn_remote(l->conn), text);
    if (l->role == NWR_LINE_JOIN || l->role == NWR_LINE_PROBE)
        nwr_peer_fail(l->peer, NWR_E_VOLUME, "join: %s", why);
    nwr_conn_close(l->conn, why);
}

/* The other side parts before it has said HELLO. */
static void on_refused(struct nwr_line *l, const char *text)
{
    struct nwr_peer *p = l->peer;
    struct nwr_mate *m;
    char why[200];

    snprintf(why, sizeof(why), "refused: this node %s", text);
    if (l->role == NWR_LINE_JOIN || l->role == NWR_LINE_PROBE) {
        nwr_peer_fail(p, NWR_E_VOLUME, "join: %s: refused: this node %s", nwr_conn_remote(l->conn),
                      text);
    } else if (l->role == NWR_LINE_DIAL && (m = nwr_mesh_mate(p, l->ordinal))) {
        m->backoff_ms = NWR_BACKOFF_MAX_MS;
    }
    nwr_conn_close(l->conn, why);
}

/* ---- calls of conn.h ---- */

static void on_open(struct nwr_conn *c)
{
    struct nwr_line *l = nwr_conn_user(c);
    struct nwr_msg m;

    nwr_hello_make(l->peer, &m, l->role == NWR_LINE_PROBE);
    nwr_conn_send(c, &m);
}

static void pass_on(struct nwr_line *l, struct nwr_msg *m)
{
    struct nwr_node_event ev = {.kind = NWR_EV_MSG};

    if (l->role == NWR_LINE_MEMBER)
        ev.peer = l->ordinal;
    else if (l->role == NWR_LINE_LINK)
        ev.link = l->link;
    nwr_drive_event(l->peer, &ev, m);
}

static void note_stat(struct nwr_line *l, const struct nwr_msg *m)
{
    struct nwr_mate *mate = nwr_mesh_mate(l->peer, l->ordinal);

    if (l->role != NWR_LINE_MEMBER || !mate)
        return;
    mate->stat.records = m->u.stat.records;
    mate->stat.block_bytes = m->u.stat.bytes;
    mate->stat.bytes_total = m->u.stat.bytes_total;
    mate->stat.bytes_free = m->u.stat.bytes_free;
}

static void on_msg(struct nwr_conn *c, struct nwr_msg *m)
{
    struct nwr_line *l = nwr_conn_user(c);

    if (l->lost || l->peer->drained) {
        nwr_msg_deinit(m);
    } else if (m->kind == NWR_MSG_PING || m->kind == NWR_MSG_PONG) {
        note_stat(l, m);
        nwr_msg_deinit(m);
    } else if (l->greeted && m->kind != NWR_MSG_HELLO) {
        pass_on(l, m);
    } else {
        if (l->greeted)
            nwr_conn_close(c, "a second HELLO");
        else if (m->kind == NWR_MSG_HELLO)
            on_hello(l, &m->u.hello);
        else if (m->kind == NWR_MSG_REFUSED && l->dialed)
            on_refused(l, m->u.ring.text);
        else
            nwr_conn_close(c, "speaks before HELLO");
        nwr_msg_deinit(m);
    }
}

static void join_line_closed(struct nwr_peer *p, struct nwr_line *l, const char *why)
{
    p->join_line = NULL;
    p->join_retry_at = now_of(p) + NWR_BACKOFF_MIN_MS * 4;
    snprintf(p->join_why, sizeof(p->join_why), "%s: %s", nwr_conn_remote(l->conn), why);
    if (nwr_conn_stranger(l->conn) && !p->drained)
        nwr_peer_fail(p, NWR_E_ACCESS, "join: %s", p->join_why);
    if (l->role == NWR_LINE_JOIN && l->greeted && !l->lost && !p->drained)
        tell(p, NWR_EV_PEER_DOWN, 0);
}

/* No successor could be made: a connection whose key is no longer in the file ends all the same. */
static void end_revoked(struct nwr_peer *p, const struct nwr_mate *m)
{
    if (p->tls && m->up && !nwr_tls_context_has(p->tls, nwr_conn_key(m->up->conn)))
        nwr_conn_close(m->up->conn, "its key is no longer in the key file");
}

static void on_closed(struct nwr_conn *c, const char *why)
{
    struct nwr_line *l = nwr_conn_user(c);
    struct nwr_peer *p = l->peer;
    struct nwr_mate *m = l->ordinal ? nwr_mesh_mate(p, l->ordinal) : NULL;

    if (m && m->dialing == l) {
        m->dialing = NULL;
        end_revoked(p, m);
    }
    if (p->join_line == l)
        join_line_closed(p, l, why);
    if (m && (m->up == l || (!m->up && l->role == NWR_LINE_DIAL && !l->replaced)) && !p->drained) {
        m->stranger = nwr_conn_stranger(c);
        if (m->stranger)
            m->backoff_ms = NWR_BACKOFF_MAX_MS;
        member_down(p, m, why);
    }
    if (l->role == NWR_LINE_NEW && !l->lost && !p->closing)
        nwr_log_warn("event=bad_connection from=%s why=\"%s\"", nwr_conn_remote(c), why);
    else if (l->greeted && !l->lost && strncmp(why, "frame ", 6) == 0)
        nwr_log_warn("event=bad_frame from=%s why=\"%s\"", nwr_conn_remote(c), why);
    line_free(l);
    nwr_peer_maybe_gone(p);
}

static void on_stat(struct nwr_conn *c, struct nwr_msg *m)
{
    struct nwr_line *l = nwr_conn_user(c);

    nwr_status_stat(l->peer, m);
}

static const struct nwr_conn_calls calls = {on_open, on_msg, on_closed, on_stat};

static void on_connection(struct nwr_listener *listener, int fd)
{
    struct nwr_peer *p = listener->poll.data;
    struct nwr_line *l = line_new(p, NWR_LINE_NEW);

    l->conn = nwr_conn_accept(p->loop, fd, p->tls, &calls, l);
    if (p->closing)
        lose(l, "stopping");
}

/* ---- for the other files ---- */

int nwr_mesh_listen(struct nwr_peer *p, int fd)
{
    int rc = nwr_listener_start(&p->listener, p->loop, fd, "nodes", on_connection);

    if (!rc)
        nwr_peer_listener(p, &p->listener);
    return rc;
}

/* Members that the ring no longer lists are dropped with their connection; new ones are dialed
 * by the next sweep, which comes at once. */
void nwr_mesh_members(struct nwr_peer *p)
{
    const struct nwr_ring *ring = nwr_node_ring(p->node);
    uint16_t self = nwr_node_ordinal(p->node);
    uint32_t total = ring ? ring->nmember : 0;

    for (uint32_t i = 0; i < p->nmate; i++) {
        if (ring && nwr_ring_find(ring, p->mate[i].ordinal))
            continue;
        if (p->mate[i].up)
            lose(p->mate[i].up, "no longer a member");
        if (p->mate[i].dialing)
            lose(p->mate[i].dialing, "no longer a member");
        p->mate[i] = p->mate[--p->nmate];
        i--;
    }
    for (uint32_t i = 0; i < total; i++) {
        const struct nwr_member *m = &ring->member[i];
        struct nwr_mate *mate = nwr_mesh_mate(p, m->ordinal);

        if (m->ordinal == self || m->id == p->id)
            continue;
        if (!mate) {
            p->mate = nwr_grow(p->mate, &p->capmate, p->nmate + 1, sizeof(*p->mate));
            mate = &p->mate[p->nmate++];
            *mate = (struct nwr_mate){.ordinal = m->ordinal, .since = now_of(p)};
            mate->backoff_ms = NWR_BACKOFF_MIN_MS;
        }
        mate->id = m->id;
        memcpy(mate->address, m->address, sizeof(mate->address));
        mate->address[sizeof(mate->address) - 1] = 0;
    }
    if (!p->closing)
        uv_timer_start(&p->sweep, p->sweep.timer_cb, 0, NWR_CONN_SWEEP_MS);
}

/* A connection made with a key that is no longer offered gets a successor, one member at a time:
 * the old one works until the new one is there, and the other members are not touched. */
static bool renew_now(const struct nwr_peer *p, struct nwr_mate *m)
{
    for (uint32_t i = 0; i < p->nmate; i++)
        if (p->mate[i].dialing)
            return false;
    m->renew = false;
    return true;
}

static void dial_mate(struct nwr_peer *p, struct nwr_mate *m)
{
    if (m->dialing || now_of(p) < m->retry_at)
        return;
    if (m->up && !(m->renew && renew_now(p, m)))
        return;
    m->dialing = dial(p, m->address, NWR_LINE_DIAL);
    if (m->dialing)
        m->dialing->ordinal = m->ordinal;
    else
        back_off(p, m);
}

/* The node waits for what comes of it: an attempt that is under way for long is made anew. */
void nwr_mesh_dial(struct nwr_peer *p, uint16_t ordinal)
{
    struct nwr_mate *m = nwr_mesh_mate(p, ordinal);

    if (!m || p->closing)
        return;
    if (m->dialing && !m->dialing->greeted && now_of(p) - m->dialing->since > NWR_REDIAL_MS) {
        m->dialing->replaced = true;
        lose(m->dialing, "dialed anew");
        m->dialing = NULL;
    }
    m->retry_at = 0;
    dial_mate(p, m);
}

/* --join: through one address after the other. */
static void dial_join(struct nwr_peer *p)
{
    bool joining = nwr_node_ordinal(p->node) == 0;
    const char *address;

    if (p->state != NWR_PEER_STARTING || p->join_line || p->o.njoin == 0)
        return;
    if (!(joining || p->probing) || now_of(p) < p->join_retry_at)
        return;
    if (p->probing && p->join_next >= p->o.njoin) {
        nwr_log_warn("event=join_unchecked why=\"%s\"", p->join_why);
        p->probing = false;
        nwr_peer_maybe_ready(p);
        return;
    }
    address = p->join[p->join_next++ % p->o.njoin];
    p->join_line = dial(p, address, joining ? NWR_LINE_JOIN : NWR_LINE_PROBE);
    if (!p->join_line)
        nwr_peer_fail(p, NWR_E_INVAL, "join: %s: cannot be resolved", address);
}

void nwr_mesh_sweep(struct nwr_peer *p)
{
    struct nwr_line *next;

    for (struct nwr_line *l = p->lines; l; l = next) {
        next = l->next;
        nwr_conn_sweep(l->conn, now_of(p));
    }
    if (p->closing)
        return;
    dial_join(p);
    for (uint32_t i = 0; i < p->nmate; i++)
        dial_mate(p, &p->mate[i]);
}

void nwr_mesh_rekey(struct nwr_peer *p)
{
    const char *first = nwr_tls_context_first(p->tls);

    for (uint32_t i = 0; i < p->nmate; i++) {
        struct nwr_mate *m = &p->mate[i];

        m->renew = m->up && strcmp(nwr_conn_key(m->up->conn), first) != 0;
        m->retry_at = 0;
    }
    /* Clients come back by themselves, with a key that still counts. */
    for (struct nwr_line *l = p->lines; l; l = l->next)
        if (l->role == NWR_LINE_LINK && !nwr_tls_context_has(p->tls, nwr_conn_key(l->conn)))
            lose(l, "its key is no longer in the key file");
}

static struct nwr_line *line_to(struct nwr_peer *p, uint16_t ordinal, uint64_t link)
{
    struct nwr_mate *m;

    if (ordinal) {
        m = nwr_mesh_mate(p, ordinal);
        return m ? m->up : NULL;
    }
    if (link == 0)
        return p->join_line && p->join_line->greeted ? p->join_line : NULL;
    for (struct nwr_line *l = p->lines; l; l = l->next)
        if (l->role == NWR_LINE_LINK && l->link == link)
            return l;
    return NULL;
}

static void on_later(uv_timer_t *t)
{
    nwr_mesh_flush_all(t->data);
}

/* Borrows m. */
void nwr_mesh_send(struct nwr_peer *p, uint16_t ordinal, uint64_t link, struct nwr_msg *m,
                   bool later)
{
    struct nwr_line *l = line_to(p, ordinal, link);

    if (l)
        l->urgent |= !later;
    if (later && !p->closing && !uv_is_active((uv_handle_t *)&p->later))
        uv_timer_start(&p->later, on_later, NWR_LATER_MS, 0);
    if (l && !l->lost && nwr_conn_send(l->conn, m) == NWR_E_FBIG)
        nwr_log_warn("event=frame_too_big kind=%d pg=%u", m->kind, m->pg);
}

void nwr_mesh_flush(struct nwr_peer *p)
{
    for (struct nwr_line *l = p->lines; l; l = l->next) {
        if (l->urgent)
            nwr_conn_flush(l->conn);
        l->urgent = false;
    }
}

void nwr_mesh_flush_all(struct nwr_peer *p)
{
    for (struct nwr_line *l = p->lines; l; l = l->next)
        l->urgent = true;
    nwr_mesh_flush(p);
}

void nwr_mesh_joined(struct nwr_peer *p)
{
    if (!p->join_line)
        return;
    p->join_line->lost = true;
    nwr_conn_finish(p->join_line->conn, "joined");
}

void nwr_mesh_close(struct nwr_peer *p)
{
    nwr_mesh_flush_all(p);
    for (struct nwr_line *l = p->lines; l; l = l->next)
        lose(l, "stopping");
}
