/* ids.c -- numbers that are never given twice: inode counters and sibling numbers.
 *
 * Both are reserved in META "counters" before any is given, a few thousand at a time, so that
 * neither a crash nor power loss brings one back. Half of a reservation used: the next is made.
 * A data directory that was set back to an older copy knows of older reservations only: so inode
 * counters start at a number that follows the wall clock, beyond all that were given since.
 *
 *     STARTED --(counters stored)--> HAVE --(half used)--> storing --> HAVE
 */
#include "net/core/job.h"

enum {
    FORMAT = 1,
    K_STEP = 1000,
    INOS_A_SECOND = 4096 /* more than a node gives, from one start to the next */
};

/* 43 bits last until 2054; a clock that is further ahead is not followed. */
#define EPOCH_S 1577836800 /* 2020 */
#define FOLLOWED ((uint64_t)1 << (NWR_INO_COUNTER_BITS - 1))

struct reserve {
    struct nwr_job job;
};

struct ids {
    struct nwr_job job;
    struct nwr_origin origin;
};

enum nwr_err nwr_counters_decode(const void *data, size_t len, uint64_t *ino_next, uint64_t *k_next)
{
    struct nwr_in in = nwr_in_of(data, len);
    uint64_t ino, k;

    if (len == 0) {
        *ino_next = 1;
        *k_next = 0;
        return NWR_OK;
    }
    if (nwr_in_u8(&in) != FORMAT)
        return NWR_E_VERSION;
    ino = nwr_in_u64(&in);
    k = nwr_in_u64(&in);
    if (!nwr_in_done(&in))
        return NWR_E_FORMAT;
    *ino_next = ino;
    *k_next = k;
    return NWR_OK;
}

static void on_reserved(struct nwr_node *n, struct nwr_job *j, struct nwr_lent *l)
{
    n->ids.storing = false;
    if (l->op.err == NWR_OK) {
        n->ids.ino_end = n->ids.ino_ask;
        n->ids.k_end = n->ids.k_ask;
    } else {
        nwr_log(n, "level=error event=counters_not_stored err=", nwr_err_name(l->op.err));
    }
    nwr_job_end(n, j, l->op.err);
    nwr_jobs_changed(n);
}

static const struct nwr_job_kind reserve_kind = {.name = "reserve", .stored = on_reserved};

static void reserve(struct nwr_node *n, uint64_t inos)
{
    struct nwr_counters *c = &n->ids;
    struct reserve *r;
    struct nwr_lent *l;
    struct nwr_out o = {0};

    if (c->storing)
        return;
    c->storing = true;
    c->ino_ask = NWR_MAX(c->ino_end, c->ino_next + inos + NWR_COUNTERS_RESERVE);
    c->k_ask = NWR_MAX(c->k_end, c->k_next + NWR_COUNTERS_RESERVE);
    nwr_out_u8(&o, FORMAT);
    nwr_out_u64(&o, c->ino_ask);
    nwr_out_u64(&o, c->k_ask);
    r = nwr_job_new(n, &reserve_kind, sizeof(*r), NULL, 0);
    l = nwr_lend(n, &r->job, 0, NWR_STORE_META_PUT, 0);
    l->op.name = "counters";
    l->op.value = nwr_out_blob(&o);
    nwr_lend_submit(n, l);
}

static uint64_t ino_of_clock(nwr_ns wall)
{
    uint64_t s = (uint64_t)(wall / 1000000000), ino;

    if (s < EPOCH_S)
        return 0;
    ino = (s - EPOCH_S) * INOS_A_SECOND;
    return ino < FOLLOWED ? ino : 0;
}

void nwr_ids_start(struct nwr_node *n)
{
    struct nwr_counters *c = &n->ids;

    if (NWR_RULE(SET_BACK))
        c->ino_next = c->ino_end = NWR_MAX(c->ino_next, ino_of_clock(n->wall));
    reserve(n, 0);
}

/* One a batch, never again. Smaller ones would need a counter a name, and a name's versions are in
 * several records (its slots, the contents of each inode), so no single record can count them. */
bool nwr_ids_number(struct nwr_node *n, uint64_t *k)
{
    struct nwr_counters *c = &n->ids;

    if (c->k_end < c->k_next + NWR_COUNTERS_RESERVE / 2)
        reserve(n, 0);
    if (c->k_next >= c->k_end)
        return false;
    *k = n->ordinal + K_STEP * c->k_next++;
    return true;
}

/* ---- IDS requests ---------------------------------------------------------------------------- */

static bool try_answer(struct nwr_node *n, struct nwr_origin *o)
{
    struct nwr_counters *c = &n->ids;
    struct nwr_response res = {.err = NWR_OK};
    uint64_t count = o->req->count;

    if (c->ino_next + count > c->ino_end) {
        reserve(n, count);
        return false;
    }
    res.first = c->ino_next;
    res.ordinal = n->ordinal;
    c->ino_next += count;
    nwr_respond(n, o, &res, false);
    if (c->ino_end < c->ino_next + NWR_COUNTERS_RESERVE / 2)
        reserve(n, 0);
    return true;
}

static void on_changed(struct nwr_node *n, struct nwr_job *j)
{
    if (try_answer(n, &((struct ids *)j)->origin))
        nwr_job_end(n, j, NWR_OK);
}

static void on_wake(struct nwr_node *n, struct nwr_job *j)
{
    nwr_respond_err(n, &((struct ids *)j)->origin, NWR_E_TIMEDOUT, false);
    nwr_job_end(n, j, NWR_E_TIMEDOUT);
}

static void on_free(struct nwr_node *n, struct nwr_job *j)
{
    (void)n;
    nwr_request_destroy(((struct ids *)j)->origin.req);
}

static const struct nwr_job_kind ids_kind = {
    .name = "ids", .wake = on_wake, .changed = on_changed, .drop = on_free};

void nwr_ids_request(struct nwr_node *n, struct nwr_origin *o)
{
    struct ids *s;

    if (o->req->count == 0 || o->req->count > (uint64_t)1 << 32 || n->ordinal == 0) {
        nwr_respond_err(n, o, NWR_E_INVAL, false);
        return;
    }
    if (try_answer(n, o))
        return;
    s = nwr_job_new(n, &ids_kind, sizeof(*s), NULL, 0);
    s->origin = *o;
    nwr_job_wake(n, &s->job, o->deadline);
}
