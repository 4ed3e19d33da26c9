/* move.c -- copying the groups that this node gains while the ring is joint (DESIGN 6).
 *
 *     IDLE --joint ring adopted--> COPYING one job a group, some at a time --all here--> SYNCING
 *      ^                              | another ring: from the start                        |
 *      \--settled-- TELLING: all is copied <--on disk---------------------------------------/
 *
 * A group is copied page by page (a copy of read.c): what is here already has an equal digest and
 * is not sent again, so a copy that was broken off goes on where it was. What is written meanwhile
 * comes by itself, since this node is in the list to come. COPIED goes to every member each second,
 * with how far it is; a node that copies nothing says so too, one that leaves when it has handed
 * over what it stood in for (leave.c). Copies are paced, so that others are served meanwhile.
 */
#include "net/core/job.h"

enum {
    COPY_RETRY_MS = 500,
    TELL_MS = 1000,
    COPY_PATIENCE_MS = 3 * NWR_DEADLINE_MS, /* a page that is asked for has one deadline */
    BYTES_A_MS = 64 << 10 /* of rows and blocks, of all groups together: 64 MB a second */
};
enum state {
    IDLE,
    COPYING,
    SYNCING,
    TELLING
};

struct move {
    struct nwr_job job;
    enum state state;
    uint64_t epoch;
    uint32_t next_pg;
    uint32_t copying;
    uint32_t groups, done;
    uint64_t bytes, pulled;
    nwr_ms progress; /* when a page was last copied */
    nwr_ms free_at;  /* what was copied has had its time then */
};

struct copy {
    struct nwr_job job;
    nwr_pg pg;
    struct nwr_key after;
    uint64_t epoch;
};

static struct move *of(struct nwr_job *j)
{
    return nwr_container_of(j, struct move, job);
}

/* ---- copying one group ----------------------------------------------------------------------- */

static void copy_page(struct nwr_node *n, struct copy *c)
{
    struct nwr_range range = {.after = c->after};
    const struct move *mv = of(c->job.parent);

    if (c->epoch != n->ring.epoch) {
        nwr_job_end(n, &c->job, NWR_E_EPOCH);
        return;
    }
    if (n->now < mv->free_at) {
        nwr_job_wake(n, &c->job, mv->free_at);
        return;
    }
    range.prefix.len = 2;
    range.prefix.b[0] = (uint8_t)(c->pg >> 8);
    range.prefix.b[1] = (uint8_t)c->pg;
    nwr_read_copy(n, &c->job, c->pg, &range);
}

/* A node that only joins gives up where it is full, or gets nowhere: a person started it and waits.
 * A member has no choice. */
static bool is_lasting(const struct nwr_node *n, const struct move *mv, enum nwr_err err)
{
    return n->joining && (nwr_err_of_disk(err) || n->now >= mv->progress + COPY_PATIENCE_MS);
}

static void pace(struct nwr_node *n, struct move *mv, size_t rows)
{
    uint64_t bytes = rows + n->pulled - mv->pulled;

    mv->pulled = n->pulled;
    mv->bytes += bytes;
    if (NWR_RULE(COPY_PACED))
        mv->free_at = NWR_MAX(mv->free_at, n->now) + bytes / BYTES_A_MS;
}

static void on_copy_child(struct nwr_node *n, struct nwr_job *j, struct nwr_job *child,
                          enum nwr_err err)
{
    struct copy *c = nwr_container_of(j, struct copy, job);
    struct move *mv = of(j->parent);

    if (err == NWR_E_EPOCH || (err && is_lasting(n, mv, err))) {
        nwr_job_end(n, j, err);
        return;
    }
    if (err) {
        nwr_job_wake(n, j, n->now + COPY_RETRY_MS);
        return;
    }
    mv->progress = n->now;
    pace(n, mv, nwr_read_bytes(child));
    if (nwr_read_page(child, &c->after))
        copy_page(n, c);
    else
        nwr_job_end(n, j, NWR_OK);
}

static void on_copy_wake(struct nwr_node *n, struct nwr_job *j)
{
    copy_page(n, nwr_container_of(j, struct copy, job));
}

static const struct nwr_job_kind copy_kind = {
    .name = "copy", .child = on_copy_child, .wake = on_copy_wake};

/* ---- all of them ----------------------------------------------------------------------------- */

void nwr_move_heard(struct nwr_node *n, uint16_t peer, const struct nwr_msg *m)
{
    n->moved[peer] = (struct nwr_move_state){.epoch = m->epoch,
                                             .groups = m->u.copied.groups,
                                             .done = m->u.copied.done,
                                             .bytes = m->u.copied.bytes};
    if (m->u.copied.all)
        nwr_change_copied(n, peer, m->epoch);
}

static void tell(struct nwr_node *n, struct move *mv)
{
    struct nwr_msg m = {.kind = NWR_MSG_COPIED, .epoch = mv->epoch}, copy;

    m.u.copied.groups = mv->groups;
    m.u.copied.done = mv->done;
    m.u.copied.bytes = mv->bytes;
    m.u.copied.all = mv->state == TELLING && nwr_leave_done(n);
    for (uint32_t i = 0; i < n->ring.nmember; i++) {
        uint16_t peer = n->ring.member[i].ordinal;

        copy = m;
        if (peer != n->ordinal && nwr_is_up(n, peer))
            nwr_send(n, peer, &copy);
    }
    nwr_job_wake(n, &mv->job, n->now + TELL_MS);
    nwr_move_heard(n, n->ordinal, &m);
}

static void copy_more(struct nwr_node *n, struct move *mv)
{
    uint64_t epoch = mv->epoch;

    while (mv->state == COPYING && mv->epoch == epoch && mv->next_pg < n->ring.pgs &&
           mv->copying < NWR_COPY_PARALLEL) {
        nwr_pg pg = (nwr_pg)mv->next_pg++;
        struct copy *c;

        if (!nwr_ring_copies(&n->ring, pg, n->ordinal))
            continue;
        mv->copying++;
        c = nwr_job_new(n, &copy_kind, sizeof(*c), &mv->job, 0);
        c->pg = pg;
        c->epoch = epoch;
        copy_page(n, c);
    }
    if (mv->state != COPYING || mv->epoch != epoch || mv->copying || mv->next_pg < n->ring.pgs)
        return;
    mv->state = NWR_RULE(COPY_SYNCED) ? SYNCING : TELLING;
    if (mv->state == SYNCING)
        nwr_lend_submit(n, nwr_lend(n, &mv->job, 0, NWR_STORE_SYNC, 0));
    else
        tell(n, mv);
}

static void look(struct nwr_node *n, struct move *mv)
{
    bool takes_part = n->ring.joint && nwr_ring_find(&n->ring, n->ordinal);

    if (mv->epoch == n->ring.epoch || mv->state == SYNCING)
        return;
    mv->epoch = n->ring.epoch;
    mv->state = takes_part ? COPYING : IDLE;
    mv->next_pg = 0;
    mv->groups = mv->done = 0;
    mv->bytes = 0;
    mv->pulled = n->pulled;
    for (uint32_t pg = 0; takes_part && pg < n->ring.pgs; pg++)
        mv->groups += nwr_ring_copies(&n->ring, (nwr_pg)pg, n->ordinal);
    mv->progress = n->now;
    nwr_job_wake(n, &mv->job, n->now + TELL_MS);
    if (takes_part)
        copy_more(n, mv);
}

static void on_stored(struct nwr_node *n, struct nwr_job *j, struct nwr_lent *l)
{
    struct move *mv = of(j);
    uint64_t synced = mv->epoch;

    mv->state = IDLE;
    if (l->op.err || synced != n->ring.epoch) {
        mv->epoch = 0;
        look(n, mv);
        return;
    }
    mv->state = TELLING;
    tell(n, mv);
}

static void on_child(struct nwr_node *n, struct nwr_job *j, struct nwr_job *child, enum nwr_err err)
{
    struct move *mv = of(j);
    bool current = nwr_container_of(child, struct copy, job)->epoch == mv->epoch;

    mv->copying--;
    mv->done += current && !err;
    n->count.pgs_copied += current && !err;
    if (current && err) {
        mv->state = IDLE;
        mv->epoch = 0; /* from the start, at the next look */
    }
    if (current && err && err != NWR_E_EPOCH) {
        n->copy_err = err;
        nwr_jobs_changed(n);
    }
    copy_more(n, mv);
}

static void on_wake(struct nwr_node *n, struct nwr_job *j)
{
    struct move *mv = of(j);

    nwr_job_wake(n, j, n->now + TELL_MS);
    look(n, mv);
    if (mv->state != IDLE && mv->epoch == n->ring.epoch)
        tell(n, mv);
}

static void on_changed(struct nwr_node *n, struct nwr_job *j)
{
    look(n, of(j));
}

static const struct nwr_job_kind move_kind = {
    .name = "move", .stored = on_stored, .child = on_child, .wake = on_wake, .changed = on_changed};

void nwr_move_start(struct nwr_node *n)
{
    struct move *mv = nwr_job_new(n, &move_kind, sizeof(*mv), NULL, 0);

    nwr_job_wake(n, &mv->job, n->now + TELL_MS);
    look(n, mv);
}
