/* effect.c -- what a step wants done: messages, answers, log lines. See node.h. */
#include "net/core/job.h"

struct nwr_node_effect *nwr_emit(struct nwr_node *n, enum nwr_node_effect_kind kind)
{
    struct nwr_effects *out = n->out;
    struct nwr_node_effect *e;

    nwr_assert(out != NULL);
    out->e = nwr_grow(out->e, &out->cap, out->n + 1, sizeof(*out->e));
    e = &out->e[out->n++];
    memset(e, 0, sizeof(*e));
    e->kind = kind;
    return e;
}

static void send(struct nwr_node *n, uint16_t peer, uint64_t link, struct nwr_msg *m)
{
    struct nwr_node_effect *e = nwr_emit(n, NWR_EF_SEND);

    m->epoch = n->ring.epoch;
    e->peer = peer;
    e->link = link;
    e->msg = *m;
    memset(m, 0, sizeof(*m));
}

void nwr_send_later(struct nwr_node *n)
{
    nwr_assert(n->out->n && n->out->e[n->out->n - 1].kind == NWR_EF_SEND);
    n->out->e[n->out->n - 1].later = true;
}

void nwr_send(struct nwr_node *n, uint16_t peer, struct nwr_msg *m)
{
    send(n, peer, 0, m);
}

void nwr_send_link(struct nwr_node *n, uint64_t link, struct nwr_msg *m)
{
    send(n, 0, link, m);
}

/* What no frame can take would be dropped, and its asker wait. */
static void refuse_oversize(struct nwr_msg *m)
{
    struct nwr_msg small = {.kind = m->kind, .pg = m->pg, .err = NWR_E_RANGE};

    if ((m->kind != NWR_MSG_ROWS && m->kind != NWR_MSG_RESPONSE) ||
        nwr_msg_bytes(m) <= NWR_FRAME_MAX)
        return;
    if (m->kind == NWR_MSG_RESPONSE)
        small.u.response.err = NWR_E_RANGE;
    nwr_msg_deinit(m);
    *m = small;
}

void nwr_reply(struct nwr_node *n, const struct nwr_origin *o, struct nwr_msg *m)
{
    refuse_oversize(m);
    nwr_assert(o->kind == NWR_FROM_LINK || o->kind == NWR_FROM_PEER);
    m->id = o->id;
    send(n, o->peer, o->link, m);
}

void nwr_log(struct nwr_node *n, const char *a, const char *b)
{
    struct nwr_node_effect *e = nwr_emit(n, NWR_EF_LOG);
    size_t room = sizeof(e->text) - 1, len = NWR_MIN(strlen(a), room);
    size_t more = NWR_MIN(strlen(b), room - len);

    memcpy(e->text, a, len);
    memcpy(e->text + len, b, more);
}

/* The store reads what req's arrays hold: the caller gets copies of them, the originals stay. */
static struct nwr_request *swap_with_copy(struct nwr_request *req)
{
    struct nwr_request *stays = nwr_request_copy(req), was = *req;

    *req = *stays;
    req->token = was.token;
    req->user = was.user;
    req->done = was.done;
    *stays = was;
    return stays;
}

void nwr_respond(struct nwr_node *n, struct nwr_origin *o, struct nwr_response *res, bool borrowed)
{
    struct nwr_request *stays = borrowed ? o->req : NULL;

    if (o->kind == NWR_FROM_OWN) {
        struct nwr_node_effect *e = nwr_emit(n, NWR_EF_RESPOND);

        stays = borrowed ? swap_with_copy(o->req) : NULL;
        e->request = o->req;
        e->response = *res;
    } else if (o->kind == NWR_FROM_LINK || o->kind == NWR_FROM_PEER) {
        struct nwr_msg m = {.kind = NWR_MSG_RESPONSE};

        m.err = res->err;
        m.u.response = *res;
        nwr_reply(n, o, &m);
        if (!borrowed)
            nwr_request_destroy(o->req);
    } else {
        nwr_response_deinit(res);
        if (!borrowed)
            nwr_request_destroy(o->req);
    }
    n->count.round_trips += res->round_trips;
    n->count.timeouts += o->kind != NWR_FROM_NOBODY && res->err == NWR_E_TIMEDOUT;
    memset(res, 0, sizeof(*res));
    *o = (struct nwr_origin){.req = stays};
}

void nwr_respond_err(struct nwr_node *n, struct nwr_origin *o, enum nwr_err err, bool borrowed)
{
    struct nwr_response res = {.err = err};

    nwr_respond(n, o, &res, borrowed);
}

void nwr_effects_clear(struct nwr_effects *e)
{
    for (uint32_t i = 0; i < e->n; i++) {
        nwr_msg_deinit(&e->e[i].msg);
        nwr_request_destroy(e->e[i].request);
        nwr_response_deinit(&e->e[i].response);
    }
    e->n = 0;
}

void nwr_effects_deinit(struct nwr_effects *e)
{
    nwr_effects_clear(e);
    nwr_free(e->e);
    *e = (struct nwr_effects){0};
}
