/* peer.c -- a node from start to close; see peer.h, and inside.h for its parts.
 *
 *  1. Open the store, read who this node is (open.c). A new directory without --join becomes a
 *     new volume; one that was told to join goes on with that.
 *  2. Bind: --listen, or what DIR/address says, or any port of 127.0.0.1; write DIR/address.
 *  3. Create the node, listen, dial (mesh.c), open DIR/admin.sock.
 *  4. on_ready: a member when each other member was tried once and --join, if given, was asked
 *     whether it is the same volume; a new node when the members have admitted it.
 *  5. close: wait until every request is answered, close connections, sync and close the store,
 *     close handles, on_closed.
 *
 * A failure in 1 to 3 frees what there is before start returns.
 */
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "net/uv/inside.h"
#include "net/uv/log.h"

void *nwr_peer_user(const struct nwr_peer *p)
{
    return p->o.user;
}

struct nwr_volume *nwr_peer_volume(struct nwr_peer *p)
{
    return &p->volume;
}

const char *nwr_peer_address(const struct nwr_peer *p)
{
    return p->address;
}

const char *nwr_peer_dir(const struct nwr_peer *p)
{
    return p->dir;
}

/* ---- handles and the end ---- */

void nwr_peer_handle(struct nwr_peer *p, void *handle)
{
    ((uv_handle_t *)handle)->data = p;
    p->handles++;
}

#define REMOVED_TEXT "data: %s: this node was removed from its volume; join with a new directory"

static void peer_free(struct nwr_peer *p)
{
    if (p->store)
        p->store->destroy(p->store);
    nwr_ring_deinit(&p->ring);
    for (unsigned i = 0; i < p->o.njoin; i++)
        nwr_free(p->join[i]);
    nwr_free((char *)(uintptr_t)p->o.listen);
    nwr_free((char *)(uintptr_t)p->o.key);
    nwr_tls_context_destroy(p->tls);
    nwr_free(p->mate);
    nwr_free(p->queue);
    nwr_free(p->dir);
    nwr_free(p);
}

static void on_handle_closed(uv_handle_t *h)
{
    struct nwr_peer *p = h->data;
    void (*on_closed)(void *) = p->on_closed;
    void *arg = p->closed_arg;

    if (--p->handles)
        return;
    peer_free(p);
    if (on_closed)
        on_closed(arg);
}

void nwr_peer_handle_close(struct nwr_peer *p, void *handle)
{
    (void)p;
    if (!uv_is_closing(handle))
        uv_close(handle, on_handle_closed);
}

void nwr_peer_listener(struct nwr_peer *p, struct nwr_listener *l)
{
    nwr_peer_handle(p, &l->poll);
    nwr_peer_handle(p, &l->retry);
}

void nwr_peer_listener_close(struct nwr_peer *p, struct nwr_listener *l)
{
    nwr_listener_stop(l);
    nwr_peer_handle_close(p, &l->poll);
    nwr_peer_handle_close(p, &l->retry);
}

static void close_handles(struct nwr_peer *p)
{
    void *all[] = {&p->prepare, &p->check, &p->idle, &p->tick, &p->sweep, &p->sync, &p->later};

    nwr_peer_listener_close(p, &p->listener);
    nwr_peer_listener_close(p, &p->admin);
    for (size_t i = 0; i < NWR_COUNT(all); i++)
        nwr_peer_handle_close(p, all[i]);
}

/* The steps of closing, each when the one before is over. */
void nwr_peer_maybe_gone(struct nwr_peer *p)
{
    bool late = uv_now(p->loop) - p->closing_since > NWR_DEADLINE_MS + NWR_SYNC_MS;

    if (!p->closing || p->stepping)
        return;
    if (!p->drained) {
        if ((p->own_requests || p->head < p->nqueue) && !late)
            return;
        nwr_drive_stop(p);
        nwr_mesh_close(p);
        nwr_admin_remove(p);
    }
    if (p->lines || p->admin_clients)
        return;
    close_handles(p);
}

void nwr_peer_close(struct nwr_peer *p, void (*on_closed)(void *arg), void *arg)
{
    nwr_assert(!p->closing);
    p->closing = true;
    p->closing_since = uv_now(p->loop);
    p->on_closed = on_closed;
    p->closed_arg = arg;
    nwr_log_info("event=stopping requests=%llu", (unsigned long long)p->own_requests);
    /* The next sweep goes on: never from inside a call of the owner. */
    uv_timer_start(&p->sweep, p->sweep.timer_cb, 0, NWR_CONN_SWEEP_MS);
}

/* ---- ready ---- */

static void report(struct nwr_peer *p, enum nwr_err err, const char *text)
{
    if (p->state != NWR_PEER_STARTING || p->closing)
        return;
    p->state = err ? NWR_PEER_FAILED : NWR_PEER_READY;
    if (err)
        nwr_log_warn("event=failed why=\"%s\"", text);
    else
        nwr_log_info("event=ready volume=%016llx peer=%u address=%s key=%s",
                     (unsigned long long)p->volume.info.id, nwr_node_ordinal(p->node), p->address,
                     p->tls ? nwr_tls_context_first(p->tls) : "none");
    if (!err && !p->tls)
        nwr_log_info("event=no_key why=\"without --key only nodes of this machine can take part\"");
    p->o.on_ready(p, err, text);
}

void nwr_peer_fail(struct nwr_peer *p, enum nwr_err err, const char *format, ...)
{
    char text[NWR_TEXT_MAX];
    va_list ap;

    va_start(ap, format);
    vsnprintf(text, sizeof(text), format, ap);
    va_end(ap);
    report(p, err, text);
}

static void join_failed(struct nwr_peer *p)
{
    nwr_peer_fail(p, NWR_E_HOSTDOWN, "join: %s; is a node of the volume running there?%s",
                  p->join_why[0] ? p->join_why : p->join[0],
                  p->join_kept ? " (as told before; give another --join, or another --data)" : "");
}

void nwr_peer_joined(struct nwr_peer *p, enum nwr_err err, const char *text)
{
    if (!err) {
        nwr_mesh_joined(p);
        report(p, NWR_OK, "");
    } else if (p->join_ever || p->has_ring) {
        nwr_peer_fail(p, err, "join: %s: %s", p->o.njoin ? p->join[0] : "its volume", text);
    } else {
        join_failed(p);
    }
}

/* One line when this node alone cannot write or read. */
static void quorum_warning(const struct nwr_peer *p, char *text, size_t n)
{
    const struct nwr_ring *ring = nwr_node_ring(p->node);
    unsigned up = 1, w = nwr_ring_w(ring, 0), r = nwr_ring_r(ring, 0);
    const struct nwr_mate *stranger = NULL;

    text[0] = 0;
    for (uint32_t i = 0; i < p->nmate; i++) {
        up += p->mate[i].up != NULL;
        if (p->mate[i].stranger)
            stranger = &p->mate[i];
    }
    if (up < NWR_MAX(w, r))
        snprintf(text, n,
                 "%u of %u members are reachable, w=%u r=%u: files may not be writable or "
                 "readable until more of them %s%s%s%s",
                 up, ring->nmember, w, r, stranger ? "do (" : "run",
                 stranger ? stranger->address : "", stranger ? ": " : "",
                 stranger ? stranger->refused : "");
    if (stranger && text[0])
        snprintf(text + strlen(text), n - strlen(text), ")");
}

static bool all_tried(const struct nwr_peer *p)
{
    for (uint32_t i = 0; i < p->nmate; i++)
        if (!p->mate[i].tried)
            return false;
    return true;
}

void nwr_peer_maybe_removed(struct nwr_peer *p)
{
    if (!p->removed || p->removed_said || p->closing)
        return;
    p->removed_said = true;
    nwr_log_warn("event=removed_from_volume what=\"this node stops; its directory is not needed\"");
    if (p->state == NWR_PEER_STARTING)
        nwr_peer_fail(p, NWR_E_PERM, REMOVED_TEXT, p->dir);
    else if (p->o.on_stop)
        p->o.on_stop(p);
}

void nwr_peer_maybe_ready(struct nwr_peer *p)
{
    nwr_ms waited = uv_now(p->loop) - p->started;
    char text[NWR_TEXT_MAX];

    if (p->state != NWR_PEER_STARTING || p->closing || !p->running)
        return;
    if (nwr_node_ordinal(p->node) == 0 || !p->was_member) {
        /* Every address was tried and said no, some of them several times. */
        if (waited > NWR_JOIN_WAIT_MS && !p->has_ring && !p->join_ever && !p->join_line &&
            p->join_next >= p->o.njoin)
            join_failed(p);
        return;
    }
    if (p->probing || (!all_tried(p) && waited < NWR_READY_WAIT_MS))
        return;
    quorum_warning(p, text, sizeof(text));
    if (!text[0] && p->new_volume && p->o.w && p->o.r && p->o.w + p->o.r <= p->volume.info.n)
        snprintf(text, sizeof(text),
                 "w=%u r=%u of n=%u: a read may miss what was just written elsewhere", p->o.w,
                 p->o.r, p->volume.info.n);
    report(p, NWR_OK, text);
}

/* ---- start ---- */

/* What the others know it by, which is verified, or else what the file says. */
static enum nwr_err read_address(const struct nwr_peer *p, struct sockaddr_storage *out,
                                 bool *found)
{
    const struct nwr_member *self = p->has_ring ? nwr_ring_find_id(&p->ring, p->id) : NULL;
    char path[4200], line[NWR_ADDRESS_MAX + 2] = "";
    FILE *f;

    *found = self && nwr_address_parse(self->address, true, out) == NULL;
    if (*found)
        return NWR_OK;
    snprintf(path, sizeof(path), "%s/address", p->dir);
    f = fopen(path, "re");
    if (!f)
        return errno == ENOENT ? NWR_OK : NWR_E_IO;
    if (fgets(line, sizeof(line), f)) {
        line[strcspn(line, "\n")] = 0;
        *found = nwr_address_parse(line, true, out) == NULL;
    }
    fclose(f);
    return NWR_OK;
}

static enum nwr_err write_address(const struct nwr_peer *p, char *text, size_t n)
{
    char path[4200], tmp[4210];
    bool good;
    FILE *f;

    snprintf(path, sizeof(path), "%s/address", p->dir);
    snprintf(tmp, sizeof(tmp), "%s.new", path);
    f = fopen(tmp, "we");
    good = f && fprintf(f, "%s\n", p->address) > 0 && fflush(f) == 0 && fsync(fileno(f)) == 0;
    if (f && fclose(f) != 0)
        good = false;
    if (good && rename(tmp, path) == 0)
        return NWR_OK;
    snprintf(text, n, "data: %s: %s", path, strerror(errno));
    return NWR_E_IO;
}

/* What to bind: given, remembered, or neither; a member keeps the address the others know. */
static enum nwr_err choose_address(struct nwr_peer *p, struct sockaddr_storage *at, char *text,
                                   size_t n)
{
    struct sockaddr_storage old;
    const char *given = p->o.listen, *why;
    char was[NWR_ADDRESS_MAX];
    bool have;

    if (read_address(p, &old, &have) != NWR_OK) {
        snprintf(text, n, "data: %s/address: %s", p->dir, strerror(errno));
        return NWR_E_IO;
    }
    why = nwr_address_parse(given ? given : "127.0.0.1:0", false, at);
    if (why) {
        snprintf(text, n, "listen: %s: %s", given, why);
        return NWR_E_INVAL;
    }
    if (nwr_address_any((struct sockaddr *)at)) {
        snprintf(text, n, "listen: %s: the others could not reach it; give this machine's address",
                 given);
        return NWR_E_INVAL;
    }
    if (!have)
        return NWR_OK;
    if (!given || (nwr_address_port((struct sockaddr *)at) == 0 &&
                   nwr_address_same_ip((struct sockaddr *)at, (struct sockaddr *)&old))) {
        *at = old;
        return NWR_OK;
    }
    nwr_address_text((struct sockaddr *)&old, was);
    if (p->has_ring && memcmp(at, &old, sizeof(old)) != 0) {
        snprintf(text, n,
                 "listen: %s: the volume knows this node as %s; leave --listen out, changing an "
                 "address is not in this version",
                 given, was);
        return NWR_E_INVAL;
    }
    return NWR_OK;
}

/* Without a key everybody who reaches the port would be a member. */
static enum nwr_err check_reach(const struct nwr_peer *p, const struct sockaddr_storage *at,
                                char *text, size_t n)
{
    if (p->tls || nwr_address_loopback((const struct sockaddr *)at))
        return NWR_OK;
    snprintf(text, n,
             "listen: %s: without a key a node binds to loopback only; give --key FILE "
             "(nwrfs keygen), or listen on 127.0.0.1",
             p->address);
    return NWR_E_INVAL;
}

static enum nwr_err bind_listener(struct nwr_peer *p, char *text, size_t n)
{
    struct sockaddr_storage at;
    int rc;
    enum nwr_err err = choose_address(p, &at, text, n);

    if (err)
        return err;
    nwr_address_text((struct sockaddr *)&at, p->address);
    err = check_reach(p, &at, text, n);
    if (err)
        return err;
    rc = nwr_listener_bind(&at);
    if (rc >= 0)
        rc = nwr_mesh_listen(p, rc);
    if (rc) {
        snprintf(text, n, "listen: %s: %s; %s", p->address, uv_strerror(rc),
                 rc == UV_EADDRINUSE ? "end what uses it" : "give another --listen");
        return NWR_E_BUSY;
    }
    nwr_address_text((struct sockaddr *)&at, p->address);
    return write_address(p, text, n);
}

/* The process changes its directory later. */
static char *absolute(const char *dir)
{
    char here[PATH_MAX], path[2 * PATH_MAX];

    if (dir[0] == '/' || !getcwd(here, sizeof(here)))
        return nwr_strdup(dir);
    snprintf(path, sizeof(path), "%s/%s", here, dir);
    return nwr_strdup(path);
}

static struct nwr_peer *peer_new(uv_loop_t *loop, const struct nwr_peer_options *o)
{
    struct nwr_peer *p = nwr_zalloc(sizeof(*p));

    nwr_assert(o->dir && o->on_ready && o->njoin <= NWR_JOIN_MAX);
    p->loop = loop;
    p->o = *o;
    p->o.listen = o->listen ? nwr_strdup(o->listen) : NULL;
    p->o.key = o->key ? nwr_strdup(o->key) : NULL;
    p->o.join = NULL;
    p->o.dir = p->dir = absolute(o->dir);
    for (unsigned i = 0; i < o->njoin; i++)
        p->join[i] = nwr_strdup(o->join[i]);
    p->volume.submit = nwr_drive_submit;
    nwr_rng_init(&p->rng, nwr_peer_random());
    uv_update_time(loop);
    p->started = uv_now(loop);
    return p;
}

void nwr_peer_rekey(struct nwr_peer *p)
{
    char text[NWR_TEXT_MAX];

    if (!p->tls || p->closing)
        return;
    if (!nwr_tls_context_reload(p->tls, p->o.key, text, sizeof(text))) {
        nwr_log_warn("event=rekey_failed why=\"%s\"", text);
        return;
    }
    nwr_log_info("event=rekey %s", text);
    nwr_mesh_rekey(p);
}

/* Which node of which volume this is, and what is to be done about it. */
static enum nwr_err decide(struct nwr_peer *p, char *text, size_t n)
{
    const struct nwr_member *self = p->has_ring ? nwr_ring_find_id(&p->ring, p->id) : NULL;
    enum nwr_err err;

    if (self && nwr_ring_lists(&p->ring, self->ordinal)) {
        p->was_member = true;
        p->probing = p->o.njoin > 0;
        return NWR_OK;
    }
    if (p->has_ring && !self) {
        snprintf(text, n, REMOVED_TEXT, p->dir);
        return NWR_E_PERM;
    }
    if (p->has_ring || p->o.njoin) /* it goes on joining, or begins */
        return NWR_OK;
    err = nwr_peer_new_volume(p);
    if (err)
        snprintf(text, n, "data: %s: %s", p->dir, nwr_err_text(err));
    p->was_member = p->new_volume = !err;
    return err;
}

static void run(struct nwr_peer *p)
{
    const struct nwr_member *self = p->has_ring ? nwr_ring_find_id(&p->ring, p->id) : NULL;
    struct nwr_node_config config = {.id = p->id,
                                     .ordinal = self ? self->ordinal : 0,
                                     .incarnation = p->incarnation,
                                     .seed = nwr_rng_next(&p->rng),
                                     .ino_next = p->ino_next,
                                     .k_next = p->k_next,
                                     .address = p->address,
                                     .ring = p->has_ring ? &p->ring : NULL,
                                     .join = p->was_member ? NULL : p->join[0]};

    p->node = nwr_node_create(&config);
    p->running = true;
    nwr_drive_start(p);
}

/* Handles go when the loop runs again, everything else now. */
static void start_failed(struct nwr_peer *p)
{
    if (p->store)
        p->store->destroy(p->store);
    p->store = NULL;
    if (p->handles == 0) {
        peer_free(p);
        return;
    }
    if (p->admin.poll.loop)
        nwr_peer_listener_close(p, &p->admin);
    nwr_peer_listener_close(p, &p->listener);
}

enum nwr_err nwr_peer_start(struct nwr_peer **out, uv_loop_t *loop,
                            const struct nwr_peer_options *o, char *text, size_t text_len)
{
    struct nwr_peer *p = peer_new(loop, o);
    enum nwr_err err = NWR_OK;

    if (o->key)
        err = nwr_tls_context_open(&p->tls, o->key, text, text_len);
    if (!err)
        err = nwr_peer_open_store(p, text, text_len);
    if (!err)
        err = bind_listener(p, text, text_len);
    if (!err)
        err = decide(p, text, text_len);
    if (!err)
        err = nwr_admin_open(p, text, text_len);
    if (!err) {
        run(p);
        *out = p;
        return NWR_OK;
    }
    start_failed(p);
    return err;
}
