/* job.c -- jobs and what they wait for; see job.h.
 *
 *     new --> (waits for calls, lent ops, wake-ups, children) --> end --> buried after the step
 */
#include "net/core/job.h"

#include "net/core/behind.h"

/* ---- wake-ups: a binary heap, earliest first ------------------------------------------------- */

static void heap_set(struct nwr_node *n, uint32_t at, struct nwr_job *j)
{
    n->heap[at] = j;
    j->heap_at = at;
}

static void heap_up(struct nwr_node *n, uint32_t at)
{
    struct nwr_job *j = n->heap[at];

    while (at && n->heap[(at - 1) / 2]->wake > j->wake) {
        heap_set(n, at, n->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    heap_set(n, at, j);
}

static void heap_down(struct nwr_node *n, uint32_t at)
{
    struct nwr_job *j = n->heap[at];

    for (;;) {
        uint32_t kid = 2 * at + 1;

        if (kid + 1 < n->nheap && n->heap[kid + 1]->wake < n->heap[kid]->wake)
            kid++;
        if (kid >= n->nheap || n->heap[kid]->wake >= j->wake)
            break;
        heap_set(n, at, n->heap[kid]);
        at = kid;
    }
    heap_set(n, at, j);
}

static void heap_remove(struct nwr_node *n, struct nwr_job *j)
{
    uint32_t at = j->heap_at;
    struct nwr_job *last;

    if (at == UINT32_MAX)
        return;
    nwr_assert(at < n->nheap && n->heap[at] == j);
    j->heap_at = UINT32_MAX;
    last = n->heap[--n->nheap];
    if (last == j)
        return;
    heap_set(n, at, last);
    heap_up(n, at);
    heap_down(n, last->heap_at);
}

void nwr_job_wake(struct nwr_node *n, struct nwr_job *j, nwr_ms at)
{
    heap_remove(n, j);
    j->wake = at;
    if (at == NWR_NEVER || j->ended)
        return;
    n->heap = nwr_grow(n->heap, &n->capheap, n->nheap + 1, sizeof(*n->heap));
    n->heap[n->nheap] = j;
    heap_up(n, n->nheap++);
}

void nwr_jobs_tick(struct nwr_node *n)
{
    while (n->nheap && n->heap[0]->wake <= n->now) {
        struct nwr_job *j = n->heap[0];

        nwr_job_wake(n, j, NWR_NEVER);
        nwr_assert(j->kind->wake);
        j->kind->wake(n, j);
    }
}

/* ---- jobs ----------------------------------------------------------------------------------- */

void *nwr_job_new(struct nwr_node *n, const struct nwr_job_kind *kind, size_t bytes,
                  struct nwr_job *parent, uint32_t slot)
{
    struct nwr_job *j = nwr_zalloc(bytes);

    nwr_assert(!parent || !parent->ended);
    j->kind = kind;
    j->parent = parent;
    j->slot = slot;
    j->wake = NWR_NEVER;
    j->heap_at = UINT32_MAX;
    j->next = n->jobs;
    if (n->jobs)
        n->jobs->prev = j;
    n->jobs = j;
    if (!parent)
        return j;
    j->elder = parent->children;
    if (parent->children)
        parent->children->younger = j;
    parent->children = j;
    return j;
}

static void leave_parent(struct nwr_job *j)
{
    if (!j->parent)
        return;
    if (j->younger)
        j->younger->elder = j->elder;
    else
        j->parent->children = j->elder;
    if (j->elder)
        j->elder->younger = j->younger;
    j->parent = j->elder = j->younger = NULL;
}

static void unchain(struct nwr_node *n, struct nwr_call *c)
{
    struct nwr_call **at = &n->calls[c->id % NWR_CALL_BUCKETS];

    while (*at != c)
        at = &(*at)->chain;
    *at = c->chain;
    at = &c->job->calls;
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
}

void nwr_job_forget_calls(struct nwr_node *n, struct nwr_job *j)
{
    while (j->calls) {
        struct nwr_call *c = j->calls;

        unchain(n, c);
        nwr_free(c);
    }
}

static void orphan_children(struct nwr_node *n, struct nwr_job *j)
{
    while (j->children) {
        struct nwr_job *c = j->children;

        leave_parent(c);
        if (c->kind->orphan)
            c->kind->orphan(n, c);
        else
            nwr_job_end(n, c, NWR_E_CANCELED);
    }
}

void nwr_job_end(struct nwr_node *n, struct nwr_job *j, enum nwr_err err)
{
    struct nwr_job *parent = j->parent;

    nwr_assert(!j->ended);
    j->ended = true;
    nwr_job_wake(n, j, NWR_NEVER);
    nwr_job_forget_calls(n, j);
    if (j->prev)
        j->prev->next = j->next;
    else
        n->jobs = j->next;
    if (j->next)
        j->next->prev = j->prev;
    j->prev = NULL;
    j->next = n->ended;
    n->ended = j;
    leave_parent(j);
    orphan_children(n, j);
    if (parent && !parent->ended)
        parent->kind->child(n, parent, j, err);
}

/* A job may end others, or start some, while it is told: start over until all were told once.
 * Those that start meanwhile know what is new. */
void nwr_jobs_changed(struct nwr_node *n)
{
    struct nwr_job **told = NULL;
    uint32_t ntold = 0, cap = 0;

    for (struct nwr_job *j = n->jobs; j; j = j->next) {
        told = nwr_grow(told, &cap, ntold + 1, sizeof(*told));
        told[ntold++] = j;
    }
    /* Oldest first. Ended jobs stay allocated until the step is over. */
    while (ntold--)
        if (!told[ntold]->ended && told[ntold]->kind->changed)
            told[ntold]->kind->changed(n, told[ntold]);
    nwr_free(told);
}

static void job_free(struct nwr_node *n, struct nwr_job *j)
{
    if (j->kind->drop)
        j->kind->drop(n, j);
    nwr_free(j);
}

void nwr_jobs_bury(struct nwr_node *n)
{
    struct nwr_job **at = &n->ended;

    while (*at) {
        struct nwr_job *j = *at;

        if (j->lent) {
            at = &j->next;
            continue;
        }
        *at = j->next;
        job_free(n, j);
    }
}

static void free_list(struct nwr_node *n, struct nwr_job *j)
{
    while (j) {
        struct nwr_job *next = j->next;

        nwr_job_forget_calls(n, j);
        job_free(n, j);
        j = next;
    }
}

static void lent_free(struct nwr_lent *l)
{
    if (l->next)
        l->next->at = l->at;
    *l->at = l->next;
    nwr_store_op_deinit(&l->op);
    nwr_free(l->apply);
    nwr_free(l->range);
    for (uint32_t i = 0; l->hint && i < l->op.nhint; i++)
        nwr_free(l->hint[i].key);
    nwr_free(l->hint);
    nwr_blob_unref(l->op.kind == NWR_STORE_META_PUT ? l->op.value : NULL);
    nwr_free(l);
}

void nwr_jobs_free(struct nwr_node *n)
{
    while (n->lent)
        lent_free(n->lent);
    free_list(n, n->jobs);
    free_list(n, n->ended);
    nwr_free(n->heap);
}

void nwr_jobs_check(const struct nwr_node *n)
{
    uint32_t timers = 0;

    for (uint32_t i = 1; i < n->nheap; i++)
        nwr_assert(n->heap[(i - 1) / 2]->wake <= n->heap[i]->wake);
    for (const struct nwr_job *j = n->jobs; j; j = j->next) {
        nwr_assert(!j->ended);
        nwr_assert(!j->parent || !j->parent->ended);
        timers += j->heap_at != UINT32_MAX;
        /* Whoever waits has something to wait for. */
        nwr_assert(j->calls || j->lent || j->wake != NWR_NEVER || j->children);
    }
    nwr_assert(timers == n->nheap);
}

/* ---- calls ---------------------------------------------------------------------------------- */

/* What a replica does at once: a sync may take its time. */
static bool is_timed(const struct nwr_msg *m)
{
    return m->kind == NWR_MSG_FETCH ||
           (m->kind == NWR_MSG_REPLICATE && m->u.put.level == NWR_LEVEL_MEMORY);
}

void nwr_call(struct nwr_node *n, struct nwr_job *j, uint16_t peer, uint32_t slot,
              struct nwr_msg *m)
{
    struct nwr_call *c = nwr_zalloc(sizeof(*c));

    nwr_assert(!j->ended);
    nwr_assert(peer != n->ordinal || peer == 0);
    c->id = n->next_id++;
    c->job = j;
    c->peer = peer;
    c->slot = slot;
    c->epoch = n->ring.epoch;
    c->chain = n->calls[c->id % NWR_CALL_BUCKETS];
    n->calls[c->id % NWR_CALL_BUCKETS] = c;
    c->next = j->calls;
    j->calls = c;
    m->id = c->id;
    if (is_timed(m))
        nwr_lag_asked(n, peer, c->id);
    nwr_send(n, peer, m);
}

static struct nwr_call *call_find(struct nwr_node *n, uint64_t id)
{
    struct nwr_call *c = n->calls[id % NWR_CALL_BUCKETS];

    while (c && c->id != id)
        c = c->chain;
    return c;
}

void nwr_call_answer(struct nwr_node *n, uint16_t peer, struct nwr_msg *m)
{
    struct nwr_call *c = call_find(n, m->id);

    nwr_lag_answered(n, peer, m->id);
    if (!c || c->peer != peer)
        return;
    unchain(n, c);
    c->job->kind->answer(n, c->job, c, m);
    nwr_free(c);
}

void nwr_calls_lost(struct nwr_node *n, uint16_t peer)
{
    uint64_t *id = NULL;
    uint32_t nid = 0, cap = 0;

    for (const struct nwr_job *j = n->jobs; j; j = j->next)
        for (const struct nwr_call *c = j->calls; c; c = c->next)
            if (c->peer == peer) {
                id = nwr_grow(id, &cap, nid + 1, sizeof(*id));
                id[nid++] = c->id;
            }
    while (nid--) { /* oldest first */
        struct nwr_call *c = call_find(n, id[nid]);

        if (!c)
            continue;
        unchain(n, c);
        c->job->kind->lost(n, c->job, c);
        nwr_free(c);
    }
    nwr_free(id);
}

/* ---- store ---------------------------------------------------------------------------------- */

struct nwr_lent *nwr_lend(struct nwr_node *n, struct nwr_job *j, uint32_t slot,
                          enum nwr_store_kind kind, nwr_pg pg)
{
    struct nwr_lent *l = nwr_zalloc(sizeof(*l));

    nwr_assert(!j || !j->ended);
    l->job = j;
    l->slot = slot;
    l->op.kind = kind;
    l->op.pg = pg;
    l->next = n->lent;
    l->at = &n->lent;
    if (n->lent)
        n->lent->at = &l->next;
    n->lent = l;
    if (j)
        j->lent++;
    return l;
}

void nwr_lend_submit(struct nwr_node *n, struct nwr_lent *l)
{
    if (l->op.kind == NWR_STORE_SYNC)
        n->count.syncs++;
    nwr_emit(n, NWR_EF_STORE)->op = &l->op;
}

void nwr_lend_back(struct nwr_node *n, struct nwr_store_op *op)
{
    struct nwr_lent *l = nwr_container_of(op, struct nwr_lent, op);
    struct nwr_job *j = l->job;

    if (l->op.kind == NWR_STORE_APPLY && nwr_err_of_disk(l->op.err))
        nwr_behind_set(n, l->op.pg);
    if (l->op.nhint)
        nwr_hints_stored(n, l);
    if (j) {
        nwr_assert(j->lent > 0);
        j->lent--;
        if (!j->ended)
            j->kind->stored(n, j, l);
    }
    lent_free(l);
}
