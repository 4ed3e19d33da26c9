/* pair.c -- comparing what two replicas hold, and making them equal; see reconcile.h.
 *
 *     DIGESTS --equal--> end         again, until equal or out of rounds
 *        |   ^-------------------------------------------\
 *        \--differ--> CLOCKS (clocks.c): floors, and which records still differ
 *                        |
 *          each PG--> LISTING --> CELLS* --decoded--> EXCHANGE --> next PG
 *                        |  too many |                   ^
 *                        \---------> RANGES, each -------/
 *
 *     EXCHANGE   PULLING: the peer's records that differ, merged here; then PICKING: ours that
 *                differ, as they are after that, merged there. Both with their blocks, by the
 *                same merge as any repair (deliver.c)
 *
 * While there is other work, each piece is followed by a pause three times as long as the piece
 * was, so that foreground work keeps at least half of the node, whoever else compares with it.
 */
#include "net/core/behind.h"
#include "net/core/clocks.h"
#include "net/core/reconcile.h"

enum {
    SLOT_CLOCKS = 1, /* of children */
    PAUSES = 3,      /* as long as the piece: others compare with this node at the same time */
    PAUSE_MAX_MS = 1000,
    ROUND_MS = 200 /* what is on its way arrives before the digests are looked at again */
};
enum state {
    DIGESTS,
    CLOCKS,
    LISTING,
    CELLS,
    RANGE,
    RANGE_ELEMENTS,
    PULLING,
    PICKING
};

struct set {
    struct nwr_element *e;
    uint32_t n, cap;
};

struct pair {
    struct nwr_job job;
    uint16_t peer;
    nwr_pg asked_pg;
    uint32_t rounds;
    uint64_t epoch;
    enum state state;
    bool paused;
    nwr_ms piece_began;
    uint64_t foreground;
    struct nwr_pair_result result;
    struct nwr_differing *differing;
    uint32_t ndiffering, capdiffering, at;
    uint64_t *clock_hash; /* ours, and where the clock is above the floor */
    bool *above;
    /* of the PG that is being compared */
    nwr_pg pg;
    uint64_t session;
    struct nwr_iblt_source source;
    struct nwr_iblt table;
    uint32_t asked_cells;
    bool in_ranges;
    struct nwr_key after, until; /* of LISTING, or of the range */
    struct nwr_element *elements;
    uint32_t nelements; /* the peer's, of a range */
    /* EXCHANGE */
    struct set theirs, mine;
    uint32_t pulled;
    bool picking; /* more of ours */
    struct nwr_key row_after;
    uint64_t exchanging;     /* records */
    struct set asked;        /* of the peer: its records, and whether it has ours */
    struct set wanted;       /* by object: what is picked here */
    struct nwr_vv floor;     /* the peer's, as of its last rows */
    struct nwr_vv own_floor; /* as of our last pick */
    bool dropped;            /* what the peer's floor takes away on this page is gone here */
    struct nwr_rows absent;  /* keys the peer has and should not, as far as is known */
};

static void go(struct nwr_node *n, struct pair *p);

static struct pair *of(struct nwr_job *j)
{
    return nwr_container_of(j, struct pair, job);
}

/* ---- pieces ---------------------------------------------------------------------------------- */

/* The next piece: now, or after a pause if others had to share with the last one. */
static void proceed(struct nwr_node *n, struct pair *p, enum state next)
{
    nwr_ms took = n->now - p->piece_began;
    bool shared = nwr_foreground_work(n) != p->foreground && NWR_RULE(PAUSES);

    p->state = next;
    p->paused = shared;
    if (shared)
        nwr_job_wake(n, &p->job, n->now + NWR_MIN(NWR_MAX(took, 1) * PAUSES, PAUSE_MAX_MS));
    else
        go(n, p);
}

static void ask(struct nwr_node *n, struct pair *p, enum nwr_compare_what what, struct nwr_out *o)
{
    struct nwr_msg m = {.kind = NWR_MSG_COMPARE, .pg = p->pg};
    uint64_t *bytes =
        what == NWR_COMPARE_DIGESTS ? &n->count.compare_digest_bytes : &n->count.compare_bytes;

    *bytes += NWR_COMPARE_OVERHEAD + o->len;
    m.u.compare.what = (uint8_t)what;
    m.u.compare.session = p->session;
    m.u.compare.after = what == NWR_COMPARE_ROWS ? p->row_after : p->after;
    if (what == NWR_COMPARE_RANGE)
        m.u.compare.until = p->until;
    m.u.compare.data = nwr_out_blob(o);
    nwr_job_wake(n, &p->job, n->now + NWR_DEADLINE_MS);
    nwr_call(n, &p->job, p->peer, 0, &m);
}

static void lend(struct nwr_node *n, struct pair *p, enum nwr_store_kind kind)
{
    struct nwr_lent *l = nwr_lend(n, &p->job, 0, kind, p->pg);

    l->op.after = kind == NWR_STORE_PICK ? p->row_after : p->after;
    if (p->state == RANGE_ELEMENTS)
        l->op.until = p->until;
    l->op.want = p->wanted.e;
    l->op.nwant = p->wanted.n;
    nwr_lend_submit(n, l);
}

/* ---- which PGs ------------------------------------------------------------------------------- */

static bool is_asked(const struct nwr_node *n, const struct pair *p, nwr_pg pg)
{
    return (p->asked_pg == NWR_PGS_MAX || pg == p->asked_pg) && nwr_pair_shares(n, pg, p->peer);
}

static void send_digests(struct nwr_node *n, struct pair *p, struct nwr_store_op *op)
{
    struct nwr_out o = {0};

    nwr_free(p->clock_hash);
    nwr_free(p->above);
    p->clock_hash = op->clock_hash;
    p->above = op->above;
    op->clock_hash = NULL;
    op->above = NULL;
    for (nwr_pg pg = 0; pg < n->ring.pgs; pg++) {
        if (!is_asked(n, p, pg))
            continue;
        nwr_out_u16(&o, pg);
        nwr_digest_out(&o, &op->digest[pg]);
        nwr_out_u64(&o, p->clock_hash[pg]);
    }
    if (o.len == 0) {
        p->result.left = 0;
        nwr_job_end(n, &p->job, NWR_OK);
        return;
    }
    n->count.compares++;
    ask(n, p, NWR_COMPARE_DIGESTS, &o);
}

static void next_pg(struct nwr_node *n, struct pair *p)
{
    nwr_iblt_source_deinit(&p->source);
    nwr_iblt_deinit(&p->table);
    p->in_ranges = false;
    if (p->at == p->ndiffering) {
        p->rounds--;
        p->state = DIGESTS;
        p->paused = true;
        nwr_job_wake(n, &p->job, n->now + ROUND_MS);
        return;
    }
    p->pg = p->differing[p->at].pg;
    p->after = (struct nwr_key){0};
    p->session = nwr_rng_next(&n->rng);
    p->source.key.k[0] = nwr_rng_next(&n->rng);
    p->source.key.k[1] = nwr_rng_next(&n->rng);
    nwr_iblt_source_init(&p->source, p->source.key);
    nwr_iblt_init(&p->table, p->source.key, NWR_COMPARE_CELLS_MAX);
    proceed(n, p, LISTING);
}

static void add_differing(struct pair *p, nwr_pg pg, uint64_t theirs)
{
    p->differing =
        nwr_grow(p->differing, &p->capdiffering, p->ndiffering + 1, sizeof(*p->differing));
    p->differing[p->ndiffering++] = (struct nwr_differing){.pg = pg, .theirs = theirs};
}

static bool differs(const struct pair *p, nwr_pg pg)
{
    for (uint32_t i = 0; i < p->ndiffering; i++)
        if (p->differing[i].pg == pg)
            return true;
    return false;
}

/* Of groups that are equal some have a floor that waits for the peer to have them on disk. */
static void look_equal(struct nwr_node *n, struct pair *p)
{
    for (nwr_pg pg = 0; pg < n->ring.pgs; pg++) {
        if (!is_asked(n, p, pg) || differs(p, pg))
            continue;
        nwr_behind_met(n, pg, p->peer, p->piece_began);
        if (p->above[pg] && nwr_confirm_due(n, pg, p->peer, p->clock_hash[pg]))
            add_differing(p, pg, 0);
    }
}

static bool read_differing(struct nwr_node *n, struct pair *p, struct nwr_in *in)
{
    p->ndiffering = p->at = 0;
    while (in->p < in->end && !in->bad) {
        nwr_pg pg = nwr_in_u16(in);

        if (pg >= n->ring.pgs || !nwr_pair_shares(n, pg, p->peer))
            return false;
        add_differing(p, pg, nwr_in_var(in));
    }
    return !in->bad;
}

static void got_digests(struct nwr_node *n, struct pair *p, struct nwr_in *in)
{
    nwr_pg *pg;

    if (!read_differing(n, p, in)) {
        nwr_job_end(n, &p->job, NWR_E_FORMAT);
        return;
    }
    p->result.left = 0;
    look_equal(n, p);
    if (p->ndiffering == 0) {
        nwr_job_end(n, &p->job, NWR_OK);
        return;
    }
    pg = nwr_alloc(p->ndiffering * sizeof(*pg));
    for (uint32_t i = 0; i < p->ndiffering; i++)
        pg[i] = p->differing[i].pg;
    p->state = CLOCKS;
    nwr_clocks_start(n, &p->job, SLOT_CLOCKS, p->peer, pg, p->ndiffering);
    nwr_free(pg);
}

static bool is_behind(const struct nwr_vv *clock, const struct nwr_vv *floor)
{
    return !nwr_vv_covers(clock, floor) && NWR_RULE(BEHIND_DROPS);
}

/* Groups whose records differ stay. */
static void got_clocks(struct nwr_node *n, struct pair *p, struct nwr_job *child)
{
    uint32_t kept = 0, nboth;
    bool raised;
    struct nwr_both *both = nwr_clocks_result(child, &nboth, &raised);

    nwr_assert(nboth == p->ndiffering);
    p->result.raised |= raised;
    for (uint32_t i = 0; i < nboth; i++) {
        if (nwr_digest_equal(&both[i].digest, &both[i].here.digest)) {
            nwr_behind_met(n, both[i].here.pg, p->peer, p->piece_began);
            continue;
        }
        p->differing[kept] = (struct nwr_differing){both[i].here.pg, both[i].digest.records,
                                                    is_behind(&both[i].here.clock, &both[i].floor),
                                                    is_behind(&both[i].clock, &both[i].here.floor)};
        kept++;
    }
    p->result.left = p->ndiffering = kept;
    if (kept == 0 || p->rounds == 0)
        nwr_job_end(n, &p->job, NWR_OK);
    else
        next_pg(n, p);
}

/* ---- which records, by cells ----------------------------------------------------------------- */

static void start_ranges(struct nwr_node *n, struct pair *p)
{
    nwr_iblt_source_deinit(&p->source);
    p->in_ranges = true;
    p->after = (struct nwr_key){0};
    NWR_RULE(RANGES) ? proceed(n, p, RANGE) : nwr_job_end(n, &p->job, NWR_OK);
}

static void ask_cells(struct nwr_node *n, struct pair *p)
{
    uint32_t first = p->table.ncell, step = NWR_MAX(first / 4, (uint32_t)NWR_COMPARE_STEP);
    struct nwr_out o = {0};

    p->asked_cells = first ? NWR_MIN(step, NWR_COMPARE_CELLS_MAX - first) : NWR_COMPARE_FIRST;
    nwr_out_u64(&o, p->source.key.k[0]);
    nwr_out_u64(&o, p->source.key.k[1]);
    nwr_out_u32(&o, first);
    nwr_out_u32(&o, p->asked_cells);
    p->after = (struct nwr_key){0};
    ask(n, p, NWR_COMPARE_CELLS, &o);
}

/* Where most differ, cells would only add to what ranges cost. */
static void listed(struct nwr_node *n, struct pair *p, const struct nwr_store_op *op)
{
    uint64_t theirs = p->differing[p->at].theirs, mine;

    for (uint32_t i = 0; i < op->nelement; i++)
        nwr_iblt_source_add(&p->source, &op->element[i]);
    mine = p->source.n;
    p->after = op->last;
    if (!NWR_RULE(CELLS) || mine > NWR_COMPARE_HELD || mine > theirs + NWR_COMPARE_CELLS_MAX / 2 ||
        (!op->more && theirs > mine + NWR_COMPARE_CELLS_MAX / 2))
        start_ranges(n, p);
    else
        proceed(n, p, op->more ? LISTING : CELLS);
}

static void set_add(struct set *s, const struct nwr_element *e)
{
    s->e = nwr_grow(s->e, &s->cap, s->n + 1, sizeof(*s->e));
    s->e[s->n++] = *e;
}

static void set_close(struct set *s)
{
    nwr_elements_sort(s->e, s->n);
    s->n = nwr_elements_unique(s->e, s->n);
}

static uint64_t count_either(const struct set *a, const struct set *b)
{
    uint64_t both = 0;

    for (uint32_t i = 0, j = 0; i < a->n && j < b->n;) {
        int c = nwr_object_id_cmp(&a->e[i].id, &b->e[j].id);

        both += c == 0;
        i += c <= 0;
        j += c >= 0;
    }
    return a->n + b->n - both;
}

static void exchange(struct nwr_node *n, struct pair *p)
{
    set_close(&p->theirs);
    set_close(&p->mine);
    p->exchanging = count_either(&p->theirs, &p->mine);
    p->dropped = false;
    nwr_rows_deinit(&p->absent);
    p->wanted.n = p->asked.n = 0;
    for (uint32_t i = 0; i < p->mine.n; i++)
        set_add(&p->wanted, &p->mine.e[i]);
    for (uint32_t i = 0; i < p->theirs.n; i++)
        set_add(&p->asked, &p->theirs.e[i]);
    for (uint32_t i = 0; p->differing[p->at].behind && i < p->mine.n; i++)
        set_add(&p->asked, &p->mine.e[i]);
    set_close(&p->asked);
    p->result.found += p->exchanging;
    n->count.compare_found += p->exchanging;
    p->pulled = 0;
    p->row_after = (struct nwr_key){0};
    proceed(n, p, PULLING);
}

static void got_cells(struct nwr_node *n, struct pair *p, struct nwr_in *in)
{
    uint32_t count = p->asked_cells;
    struct nwr_cell *cell = nwr_zalloc(count * sizeof(*cell));
    uint64_t total = nwr_in_var(in);
    bool good = nwr_cells_in(in, cell, count, p->table.ncell, total) && nwr_in_done(in);

    if (good)
        nwr_iblt_feed(&p->table, &p->source, cell, count);
    nwr_free(cell);
    if (!good) {
        nwr_job_end(n, &p->job, NWR_E_FORMAT);
        return;
    }
    switch (p->table.state) {
    case NWR_IBLT_WANTS: proceed(n, p, CELLS); return;
    case NWR_IBLT_FAILED: start_ranges(n, p); return;
    case NWR_IBLT_DONE: break;
    }
    p->theirs.n = p->mine.n = 0;
    for (uint32_t i = 0; i < p->table.nfound; i++)
        set_add(p->table.found[i].theirs ? &p->theirs : &p->mine, &p->table.found[i].walk.element);
    exchange(n, p);
}

/* ---- which records, by ranges ---------------------------------------------------------------- */

/* A page of ours, up to its last key; the last page goes to the end. */
static void send_range(struct nwr_node *n, struct pair *p, const struct nwr_store_op *op)
{
    struct nwr_pg_digest sum = {0};
    struct nwr_out o = {0};

    for (uint32_t i = 0; i < op->nelement; i++)
        nwr_digest_add(&sum, &op->element[i]);
    p->until = op->more ? op->last : (struct nwr_key){0};
    nwr_digest_out(&o, &sum);
    ask(n, p, NWR_COMPARE_RANGE, &o);
}

static void range_done(struct nwr_node *n, struct pair *p)
{
    p->after = p->until;
    if (p->until.len) {
        proceed(n, p, RANGE);
        return;
    }
    p->at++;
    next_pg(n, p);
}

/* The answer may end earlier than what was asked for, never later nor where it began. */
static bool is_until_right(const struct pair *p, const struct nwr_key *until)
{
    if (until->len == 0)
        return p->until.len == 0;
    return nwr_key_cmp(until, &p->after) > 0 &&
           (p->until.len == 0 || nwr_key_cmp(until, &p->until) <= 0);
}

static void got_range(struct nwr_node *n, struct pair *p, const struct nwr_msg *m,
                      struct nwr_in *in)
{
    uint8_t differs = nwr_in_u8(in);
    size_t count = (size_t)(in->end - in->p) / sizeof(*p->elements);

    if (!differs && nwr_in_done(in)) {
        range_done(n, p);
        return;
    }
    nwr_free(p->elements);
    p->elements = nwr_alloc((count + 1) * sizeof(*p->elements));
    for (p->nelements = 0; p->nelements < count; p->nelements++) {
        p->elements[p->nelements].id = nwr_object_id_in(in);
        p->elements[p->nelements].version = nwr_in_u64(in);
    }
    if (!nwr_in_done(in) || !is_until_right(p, &m->u.compare.until)) {
        nwr_job_end(n, &p->job, NWR_E_FORMAT);
        return;
    }
    p->until = m->u.compare.until;
    p->state = RANGE_ELEMENTS;
    lend(n, p, NWR_STORE_LIST);
}

static void compare_range(struct nwr_node *n, struct pair *p, struct nwr_store_op *op)
{
    uint32_t i = 0, j = 0;

    p->theirs.n = p->mine.n = 0;
    nwr_elements_sort(op->element, op->nelement);
    nwr_elements_sort(p->elements, p->nelements);
    while (i < op->nelement || j < p->nelements) {
        int c = i == op->nelement   ? 1
                : j == p->nelements ? -1
                                    : nwr_element_cmp(&op->element[i], &p->elements[j]);

        if (c < 0)
            set_add(&p->mine, &op->element[i]);
        else if (c > 0)
            set_add(&p->theirs, &p->elements[j]);
        i += c <= 0;
        j += c >= 0;
    }
    exchange(n, p);
}

/* ---- records --------------------------------------------------------------------------------- */

static void exchanged(struct nwr_node *n, struct pair *p)
{
    p->result.repaired += p->exchanging;
    if (p->in_ranges) {
        range_done(n, p);
        return;
    }
    p->at++;
    next_pg(n, p);
}

static bool set_has(const struct set *s, const struct nwr_key *key)
{
    struct nwr_object_id id = nwr_object_id_of(key);
    uint32_t lo = 0, hi = s->n;

    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;

        if (nwr_object_id_cmp(&s->e[mid].id, &id) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < s->n && nwr_object_id_cmp(&s->e[lo].id, &id) == 0;
}

/* The peer is behind our floor: what came of its rows here is picked again, and what is not here
 * then is absent for good. Not before: a record that could not be read is not absent. */
static void want_back(struct pair *p, const struct nwr_rows *rows)
{
    for (uint32_t i = 0; i < rows->n; i++) {
        struct nwr_element e = {.id = nwr_object_id_of(&rows->row[i].key)};

        nwr_rows_at(&p->absent, &rows->row[i].key);
        set_add(&p->wanted, &e);
    }
}

static void drop_found(struct nwr_rows *absent, const struct nwr_rows *found)
{
    struct nwr_rows kept = {0};

    for (uint32_t i = 0; i < absent->n; i++)
        if (!nwr_rows_find(found, &absent->row[i].key))
            nwr_rows_at(&kept, &absent->row[i].key);
    nwr_rows_deinit(absent);
    *absent = kept;
}

/* Of our rows that the peer does not have at all: what its floor says is superseded. */
static void find_dropped(const struct pair *p, const struct nwr_rows *rows, struct nwr_rows *to)
{
    for (uint32_t i = 0; i < rows->n; i++)
        if (set_has(&p->mine, &rows->row[i].key) && !set_has(&p->theirs, &rows->row[i].key) &&
            nwr_record_any_below(&rows->row[i].rec, &p->floor))
            nwr_rows_at(to, &rows->row[i].key);
}

/* To whoever is behind the floor: that these are absent. Takes keys. */
static void send_absent(struct nwr_node *n, struct pair *p, uint16_t to, struct nwr_rows *keys,
                        const struct nwr_vv *floor)
{
    struct nwr_batch *b = nwr_batch_new(p->pg, NWR_LEVEL_MEMORY);

    b->rows = *keys;
    *keys = (struct nwr_rows){0};
    nwr_vv_copy(&b->rows.floor, floor);
    nwr_deliver(n, &p->job, 0, to, b, false);
}

static void pull(struct nwr_node *n, struct pair *p)
{
    uint32_t end = NWR_MIN(p->asked.n, p->pulled + NWR_COMPARE_IDS);
    struct nwr_out o = {0};

    if (p->pulled == p->asked.n) {
        p->row_after = (struct nwr_key){0};
        set_close(&p->wanted);
        p->picking = p->wanted.n > 0 && NWR_RULE(BOTH_WAYS);
        proceed(n, p, PICKING);
        return;
    }
    for (uint32_t i = p->pulled; i < end; i++)
        nwr_object_id_out(&o, &p->asked.e[i].id);
    ask(n, p, NWR_COMPARE_ROWS, &o);
}

/* The rows of one message; more of the same objects may follow. */
static void got_rows(struct nwr_node *n, struct pair *p, struct nwr_msg *m)
{
    struct nwr_rows *rows = &m->u.rows.rows;
    struct nwr_batch *b;

    if (m->err || (m->u.rows.more && rows->n == 0)) {
        nwr_job_end(n, &p->job, m->err ? m->err : NWR_E_FORMAT);
        return;
    }
    nwr_vv_deinit(&p->floor);
    nwr_vv_copy(&p->floor, &rows->floor);
    if (m->u.rows.more) {
        p->row_after = rows->row[rows->n - 1].key;
    } else {
        p->pulled = NWR_MIN(p->asked.n, p->pulled + NWR_COMPARE_IDS);
        p->row_after = (struct nwr_key){0};
    }
    if (rows->n == 0) {
        proceed(n, p, PULLING);
        return;
    }
    n->count.compare_rows += rows->n;
    nwr_hlc_seen(n, rows);
    if (p->differing[p->at].they_are)
        want_back(p, rows);
    b = nwr_batch_new(p->pg, NWR_LEVEL_MEMORY);
    b->heal = true;
    b->rows = *rows;
    *rows = (struct nwr_rows){0};
    nwr_deliver(n, &p->job, 0, n->ordinal, b, false);
}

static void pick(struct nwr_node *n, struct pair *p)
{
    if (p->picking)
        lend(n, p, NWR_STORE_PICK);
    else if (p->absent.n && p->own_floor.n)
        send_absent(n, p, p->peer, &p->absent, &p->own_floor);
    else
        exchanged(n, p);
}

static void picked(struct nwr_node *n, struct pair *p, struct nwr_store_op *op)
{
    struct nwr_rows absent = {0};
    struct nwr_batch *b;

    if (!p->dropped && p->differing[p->at].behind)
        find_dropped(p, &op->rows, &absent);
    p->dropped = absent.n > 0;
    if (absent.n) {
        send_absent(n, p, n->ordinal, &absent, &p->floor);
        return;
    }
    drop_found(&p->absent, &op->rows);
    nwr_vv_deinit(&p->own_floor);
    nwr_vv_copy(&p->own_floor, &op->rows.floor);
    p->row_after = op->last;
    p->picking = op->more;
    if (op->rows.n == 0) {
        proceed(n, p, PICKING);
        return;
    }
    n->count.compare_rows += op->rows.n;
    b = nwr_batch_new(p->pg, NWR_LEVEL_MEMORY);
    b->heal = true;
    b->rows = op->rows;
    op->rows = (struct nwr_rows){0};
    nwr_deliver(n, &p->job, 0, p->peer, b, false);
}

/* ---- events ---------------------------------------------------------------------------------- */

static void go(struct nwr_node *n, struct pair *p)
{
    p->piece_began = n->now;
    p->foreground = nwr_foreground_work(n);
    switch (p->state) {
    case DIGESTS: lend(n, p, NWR_STORE_DIGESTS); break;
    case CLOCKS: break;
    case LISTING:
    case RANGE:
    case RANGE_ELEMENTS: lend(n, p, NWR_STORE_LIST); break;
    case CELLS: ask_cells(n, p); break;
    case PULLING: pull(n, p); break;
    case PICKING: pick(n, p); break;
    }
}

static void on_stored(struct nwr_node *n, struct nwr_job *j, struct nwr_lent *l)
{
    struct pair *p = of(j);

    if (l->op.err) {
        nwr_job_end(n, j, l->op.err);
        return;
    }
    switch (p->state) {
    case DIGESTS: send_digests(n, p, &l->op); break;
    case LISTING: listed(n, p, &l->op); break;
    case RANGE: send_range(n, p, &l->op); break;
    case RANGE_ELEMENTS: compare_range(n, p, &l->op); break;
    case PICKING: picked(n, p, &l->op); break;
    case CLOCKS:
    case CELLS:
    case PULLING: break;
    }
}

static void got_compared(struct nwr_node *n, struct pair *p, const struct nwr_msg *m)
{
    const struct nwr_blob *data = m->u.compare.data;
    struct nwr_in in = nwr_in_of(data ? data->data : (const uint8_t *)"", data ? data->len : 0);
    uint64_t bytes = NWR_COMPARE_OVERHEAD + (data ? data->len : 0);

    if (p->state == DIGESTS)
        n->count.compare_digest_bytes += bytes;
    else
        n->count.compare_bytes += bytes;
    if (m->err == NWR_E_NOMEM && p->state == CELLS)
        start_ranges(n, p);
    else if (m->err)
        nwr_job_end(n, &p->job, m->err);
    else if (p->state == DIGESTS)
        got_digests(n, p, &in);
    else if (p->state == CELLS)
        got_cells(n, p, &in);
    else if (p->state == RANGE)
        got_range(n, p, m, &in);
    else
        nwr_job_end(n, &p->job, NWR_E_FORMAT);
}

static void on_answer(struct nwr_node *n, struct nwr_job *j, const struct nwr_call *c,
                      struct nwr_msg *m)
{
    struct pair *p = of(j);

    (void)c;
    nwr_job_wake(n, j, NWR_NEVER);
    if (m->kind == NWR_MSG_COMPARED)
        got_compared(n, p, m);
    else if (m->kind == NWR_MSG_ROWS && p->state == PULLING)
        got_rows(n, p, m);
    else
        nwr_job_end(n, j, NWR_E_FORMAT);
}

static void on_child(struct nwr_node *n, struct nwr_job *j, struct nwr_job *child, enum nwr_err err)
{
    struct pair *p = of(j);

    if (err)
        nwr_job_end(n, j, err);
    else if (child->slot == SLOT_CLOCKS)
        got_clocks(n, p, child);
    else
        proceed(n, p, p->state);
}

static void on_lost(struct nwr_node *n, struct nwr_job *j, const struct nwr_call *c)
{
    (void)c;
    nwr_job_end(n, j, NWR_E_HOSTDOWN);
}

/* Under another ring they may share other PGs: whoever began this begins anew. */
static void on_changed(struct nwr_node *n, struct nwr_job *j)
{
    if (of(j)->epoch != n->ring.epoch)
        nwr_job_end(n, j, NWR_E_EPOCH);
}

static void on_wake(struct nwr_node *n, struct nwr_job *j)
{
    struct pair *p = of(j);

    if (!p->paused) {
        nwr_job_end(n, j, NWR_E_TIMEDOUT);
        return;
    }
    p->paused = false;
    go(n, p);
}

static void on_free(struct nwr_node *n, struct nwr_job *j)
{
    struct pair *p = of(j);

    (void)n;
    nwr_iblt_source_deinit(&p->source);
    nwr_iblt_deinit(&p->table);
    nwr_free(p->differing);
    nwr_free(p->clock_hash);
    nwr_free(p->above);
    nwr_free(p->elements);
    nwr_rows_deinit(&p->absent);
    nwr_vv_deinit(&p->floor);
    nwr_vv_deinit(&p->own_floor);
    nwr_free(p->asked.e);
    nwr_free(p->wanted.e);
    nwr_free(p->theirs.e);
    nwr_free(p->mine.e);
}

static const struct nwr_job_kind pair_kind = {.name = "pair",
                                              .answer = on_answer,
                                              .lost = on_lost,
                                              .stored = on_stored,
                                              .wake = on_wake,
                                              .child = on_child,
                                              .changed = on_changed,
                                              .drop = on_free};

struct nwr_job *nwr_pair_start(struct nwr_node *n, struct nwr_job *parent, uint16_t peer, nwr_pg pg,
                               uint32_t rounds)
{
    struct pair *p = nwr_job_new(n, &pair_kind, sizeof(*p), parent, 0);

    p->peer = peer;
    p->asked_pg = pg;
    p->rounds = rounds;
    p->epoch = n->ring.epoch;
    p->state = DIGESTS;
    go(n, p);
    return &p->job;
}

const struct nwr_pair_result *nwr_pair_result(const struct nwr_job *j)
{
    return &nwr_container_of(j, const struct pair, job)->result;
}
