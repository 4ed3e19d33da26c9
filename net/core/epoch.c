/* epoch.c -- news of the ring: stored first, then adopted, then told (DESIGN 6).
 *
 *     learn --> storing (META "ring") --> adopted --> told to peers, held messages looked at again
 *
 * A message of an older epoch is answered with the ring and refused; one of a newer epoch waits
 * here until that ring is adopted: so two nodes only work together under one ring. Whoever says an
 * epoch in any message has stored that ring, and refuses whatever is older, also after a crash.
 */
#include "net/core/clocks.h"

struct storing {
    struct nwr_job job;
};

struct nwr_blob *nwr_epoch_blob(const struct nwr_ring *r)
{
    struct nwr_out o = {0};

    nwr_ring_encode(r, &o);
    return nwr_out_blob(&o);
}

void nwr_epoch_tell(struct nwr_node *n, uint16_t peer)
{
    struct nwr_msg m = {.kind = NWR_MSG_RING};

    if (n->ring.epoch == 0)
        return;
    m.u.ring.ring = nwr_epoch_blob(&n->ring);
    nwr_send(n, peer, &m);
}

/* Members of the ring, and those of the one before, who may be none any more. */
static void tell_all(struct nwr_node *n, const struct nwr_ring *before)
{
    for (uint32_t i = 0; i < n->ring.nmember; i++)
        if (n->ring.member[i].ordinal != n->ordinal && nwr_is_up(n, n->ring.member[i].ordinal))
            nwr_epoch_tell(n, n->ring.member[i].ordinal);
    for (uint32_t i = 0; i < before->nmember; i++)
        if (!nwr_ring_find(&n->ring, before->member[i].ordinal) &&
            before->member[i].ordinal != n->ordinal && nwr_is_up(n, before->member[i].ordinal))
            nwr_epoch_tell(n, before->member[i].ordinal);
}

static void store_ring(struct nwr_node *n);

static void release_held(struct nwr_node *n)
{
    struct nwr_held *held = n->held;
    uint32_t nheld = n->nheld;

    n->held = NULL;
    n->nheld = n->capheld = 0;
    for (uint32_t i = 0; i < nheld; i++) {
        if (n->now - held[i].at < NWR_DEADLINE_MS)
            nwr_peer_message(n, held[i].peer, &held[i].msg);
        nwr_msg_deinit(&held[i].msg);
    }
    nwr_free(held);
}

/* The members have removed this node. */
static void leave_volume(struct nwr_node *n)
{
    n->removed = true;
    nwr_emit(n, NWR_EF_REMOVED);
}

static void adopt(struct nwr_node *n)
{
    struct nwr_ring before = n->ring;
    const struct nwr_member *self;

    n->ring = n->storing;
    n->storing = (struct nwr_ring){0};
    nwr_ring_check(&n->ring);
    if (NWR_RULE(CONFIRM_RING))
        nwr_confirms_forget(n, 0);
    self = nwr_ring_find_id(&n->ring, n->id);
    n->ring_since = n->now;
    if (self)
        n->ordinal = self->ordinal;
    else if (!n->joining)
        leave_volume(n);
    tell_all(n, &before);
    nwr_ring_deinit(&before);
    nwr_emit(n, NWR_EF_CONNECT);
    nwr_jobs_changed(n);
    release_held(n);
    if (n->waiting.epoch > n->ring.epoch) {
        n->storing = n->waiting;
        n->waiting = (struct nwr_ring){0};
        store_ring(n);
    } else {
        nwr_ring_deinit(&n->waiting);
    }
}

static void on_stored(struct nwr_node *n, struct nwr_job *j, struct nwr_lent *l)
{
    nwr_job_end(n, j, l->op.err);
    if (l->op.err == NWR_OK) {
        adopt(n);
        return;
    }
    nwr_log(n, "level=error event=ring_not_stored err=", nwr_err_name(l->op.err));
    nwr_ring_deinit(&n->storing);
    nwr_jobs_changed(n);
}

static const struct nwr_job_kind storing_kind = {.name = "ring", .stored = on_stored};

static void store_ring(struct nwr_node *n)
{
    struct storing *s;
    struct nwr_lent *l;

    /* One that only wanted to join forgets a ring it is no part of; a member that was removed must
     * know so after a crash. */
    if (!NWR_RULE(RING_STORED) || (n->joining && !nwr_ring_find_id(&n->storing, n->id))) {
        adopt(n);
        return;
    }
    s = nwr_job_new(n, &storing_kind, sizeof(*s), NULL, 0);
    l = nwr_lend(n, &s->job, 0, NWR_STORE_META_PUT, 0);
    l->op.name = "ring";
    l->op.value = nwr_epoch_blob(&n->storing);
    nwr_lend_submit(n, l);
}

void nwr_epoch_learn(struct nwr_node *n, struct nwr_ring *r)
{
    if (r->epoch <= n->ring.epoch || r->epoch <= n->storing.epoch || r->epoch <= n->waiting.epoch) {
        nwr_ring_deinit(r);
        return;
    }
    if (n->storing.epoch) {
        nwr_ring_deinit(&n->waiting);
        n->waiting = *r;
    } else {
        n->storing = *r;
        store_ring(n);
    }
    *r = (struct nwr_ring){0};
}

void nwr_epoch_ring(struct nwr_node *n, uint16_t peer, struct nwr_msg *m)
{
    struct nwr_ring r;

    if (!m->u.ring.ring || nwr_ring_decode(&r, m->u.ring.ring->data, m->u.ring.ring->len) != NWR_OK)
        return;
    if (n->ring.epoch && r.volume != n->ring.volume) {
        nwr_ring_deinit(&r);
        return;
    }
    if (r.epoch < n->ring.epoch && peer)
        nwr_epoch_tell(n, peer);
    nwr_epoch_learn(n, &r);
}

/* A node that is no member here: it was removed, or came after the copy of the disk was made that
 * this node was set back to. The first does not know a newer ring, the second does, and nobody else
 * would ask this node. */
void nwr_epoch_ring_link(struct nwr_node *n, uint64_t link, struct nwr_msg *m)
{
    struct nwr_msg answer = {.kind = NWR_MSG_RING};
    struct nwr_ring r;

    if (n->ring.epoch == 0 || !m->u.ring.ring ||
        nwr_ring_decode(&r, m->u.ring.ring->data, m->u.ring.ring->len) != NWR_OK)
        return;
    if (r.volume == n->ring.volume && r.epoch < n->ring.epoch) {
        answer.u.ring.ring = nwr_epoch_blob(&n->ring);
        nwr_send_link(n, link, &answer);
    }
    if (r.volume == n->ring.volume && nwr_ring_find_id(&r, n->id))
        nwr_epoch_learn(n, &r);
    else
        nwr_ring_deinit(&r);
}

void nwr_epoch_hold(struct nwr_node *n, uint16_t peer, struct nwr_msg *m)
{
    if (!n->storing.epoch)
        nwr_epoch_tell(n, peer); /* older than its own: it answers with the newer one */
    if (n->nheld >= NWR_HELD_MAX)
        return;
    n->held = nwr_grow(n->held, &n->capheld, n->nheld + 1, sizeof(*n->held));
    n->held[n->nheld++] = (struct nwr_held){peer, n->now, *m};
    memset(m, 0, sizeof(*m));
}
