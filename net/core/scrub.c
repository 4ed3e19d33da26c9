/* scrub.c -- see scrub.h for the picture. */
#include "net/core/scrub.h"

#include "net/core/forget.h"
#include "net/core/reconcile.h"
#include "net/core/text.h"

enum {
    FIRST_MS = 3600000,   /* after the start */
    EVERY_MS = 604800000, /* a week */
    LOOK_MS = 60000,      /* doubts are asked for */
    RETRY_MS = 2000,      /* a group that could not be made whole */
    AGAIN_MS = 30000,     /* a group that was just read is not read again for what a request met */
    STAYS_MS = 3600000,   /* nor one where it was met before and stays */
    WAIT_MS = 200,        /* while reconciliation compares */
    MEND_MS = 1500,       /* while the store sets aside what it cannot read */
    MENDS_MAX = 8,
    PASSES_MAX = 4,
    ROUNDS = 12,           /* of one comparison */
    SLOW_BYTES_A_MS = 4096 /* 4 MB a second, when nobody waits */
};
enum state {
    IDLE,
    DOUBTS,
    CHECKING,
    FORGETTING,
    FETCHING,
    HEALING,
    COMPARING,
    TRUSTING
};

struct scrub {
    struct nwr_job job;
    enum state state;
    nwr_ms due, looked; /* all groups; doubts were asked for */
    uint64_t run;       /* that was asked for; 0: none is on */
    nwr_pg only;        /* of the run; NWR_PGS_MAX: all */
    bool in_turn;       /* all groups are read, or those of the run */
    uint32_t next;      /* of them */
    bool soon[NWR_PGS_MAX], doubt[NWR_PGS_MAX];
    nwr_ms rest[NWR_PGS_MAX]; /* until then it is not read for `soon` */
    nwr_ms free_at;
    /* of the group that is read */
    nwr_pg pg;
    bool urgent, blocks, compared, doubtful;
    bool stays; /* something that no replica can read */
    bool away;  /* a block may be with a replica that is not there */
    uint32_t mends, passes, healed;
    uint64_t rotten;        /* records */
    uint64_t dropped, open; /* of those; open: others may have them, as far as is known now */
    struct nwr_key after;
    bool more;
    struct nwr_block_id *id; /* blocks to fetch */
    uint32_t nid, at;
    struct nwr_block *block;
    uint32_t nblock;
    uint16_t peer; /* the next to compare with */
    uint32_t heard, others;
};

static struct scrub *of(struct nwr_job *j)
{
    return nwr_container_of(j, struct scrub, job);
}

static void look(struct nwr_node *n, struct scrub *s);
static void fetch(struct nwr_node *n, struct scrub *s);
static void group_read(struct nwr_node *n, struct scrub *s);

static void say(struct nwr_node *n, const char *what, nwr_pg pg, uint64_t count)
{
    struct nwr_out o = {0};

    nwr_text(&o, what);
    nwr_text(&o, " pg=");
    nwr_text_u64(&o, pg);
    nwr_text(&o, " count=");
    nwr_text_u64(&o, count);
    nwr_out_u8(&o, 0);
    nwr_log(n, (const char *)o.data, "");
    nwr_out_free(&o);
}

void nwr_scrub_lost(struct nwr_node *n, nwr_pg pg)
{
    (void)pg;
    n->scrub.doubted++;
}

/* ---- reading a group ------------------------------------------------------------------------- */

static void read_page(struct nwr_node *n, struct scrub *s)
{
    struct nwr_lent *l;

    s->state = CHECKING;
    if (n->now < s->free_at && !s->urgent) {
        nwr_job_wake(n, &s->job, s->free_at);
        return;
    }
    nwr_job_wake(n, &s->job, NWR_NEVER);
    l = nwr_lend(n, &s->job, 0, NWR_STORE_CHECK, s->pg);
    l->op.after = s->after;
    l->op.blocks = s->blocks;
    nwr_lend_submit(n, l);
}

static void begin_group(struct nwr_node *n, struct scrub *s, nwr_pg pg, bool urgent)
{
    s->pg = pg;
    s->urgent = urgent;
    s->soon[pg] = false;
    s->rest[pg] = n->now + AGAIN_MS;
    s->blocks = s->compared = s->doubtful = s->away = s->stays = false;
    s->mends = s->passes = s->healed = 0;
    s->rotten = s->dropped = s->open = 0;
    s->after = (struct nwr_key){0};
    n->scrub.at = pg;
    read_page(n, s);
}

static void go_on(struct nwr_node *n, struct scrub *s)
{
    if (s->more) {
        read_page(n, s);
        return;
    }
    s->after = (struct nwr_key){0};
    /* What a block names is known when the block is here. */
    if (!s->blocks || (s->healed && s->passes++ < PASSES_MAX)) {
        s->blocks = true;
        s->healed = 0;
        read_page(n, s);
        return;
    }
    group_read(n, s);
}

static void fetch(struct nwr_node *n, struct scrub *s)
{
    if (s->at == s->nid || !NWR_RULE(SCRUB_FETCHES)) {
        go_on(n, s);
        return;
    }
    s->state = FETCHING;
    nwr_pull(n, &s->job, 0, s->pg, &s->id[s->at], 1, true, n->ordinal, 1);
}

/* Goes on by a wake-up: where nobody is there to ask, a pull has ended before it returns. */
static void not_fetched(struct nwr_node *n, struct scrub *s, enum nwr_err err)
{
    s->at++;
    if (err == NWR_E_HOSTDOWN || err == NWR_E_TIMEDOUT) {
        s->away = true;
    } else {
        s->stays = true;
        if (s->passes == 0 && !s->compared) {
            n->scrub.lost++;
            say(n, "level=error event=block_lost", s->pg, 1);
        }
    }
    nwr_job_wake(n, &s->job, n->now);
}

static void fetched(struct nwr_node *n, struct scrub *s, struct nwr_job *child, enum nwr_err err)
{
    struct nwr_lent *l;

    nwr_blocks_free(s->block, s->nblock);
    s->block = nwr_pull_take(child, &s->nblock, NULL);
    if (err || s->nblock == 0) {
        not_fetched(n, s, err);
        return;
    }
    s->state = HEALING;
    l = nwr_lend(n, &s->job, 0, NWR_STORE_BLOCK_PUT, s->pg);
    l->op.block = s->block;
    l->op.nblock = s->nblock;
    nwr_lend_submit(n, l);
}

static void healed(struct nwr_node *n, struct scrub *s, enum nwr_err err)
{
    n->scrub.repaired += !err;
    n->scrub.lost += err != NWR_OK;
    s->healed += !err;
    s->at++;
    fetch(n, s);
}

/* The store cannot read its tables: it is about to set the rotten ones aside. */
static void wait_for_mending(struct nwr_node *n, struct scrub *s)
{
    if (s->mends++ < MENDS_MAX) {
        nwr_job_wake(n, &s->job, n->now + MEND_MS);
        return;
    }
    n->scrub.lost++;
    say(n, "level=error event=group_not_read", s->pg, 1);
    s->state = IDLE;
    look(n, s);
}

/* All were compared, and these are still rotten. */
static void forget(struct nwr_node *n, struct scrub *s, struct nwr_store_op *op)
{
    s->state = FORGETTING;
    nwr_forget_start(n, &s->job, s->pg, op->rotten, op->nrotten);
    op->rotten = NULL;
    op->nrotten = 0;
}

static void checked(struct nwr_node *n, struct scrub *s, struct nwr_store_op *op)
{
    if (op->err) {
        wait_for_mending(n, s);
        return;
    }
    if (s->blocks)
        n->scrub.blocks += op->checked;
    else
        n->scrub.records += op->checked;
    n->scrub.bytes += op->checked_bytes;
    n->scrub.rotten += op->nrotten * !s->compared + op->nmissing * !s->passes;
    s->rotten += op->nrotten;
    s->doubtful |= op->doubtful;
    s->after = op->last;
    s->more = op->more;
    s->free_at = n->now + (s->run ? 0 : 1 + op->checked_bytes / SLOW_BYTES_A_MS);
    nwr_free(s->id);
    s->id = op->missing;
    s->nid = op->nmissing;
    s->at = 0;
    op->missing = NULL;
    op->nmissing = 0;
    if (s->compared && op->nrotten)
        forget(n, s, op);
    else
        fetch(n, s);
}

/* ---- comparing a group ----------------------------------------------------------------------- */

static uint32_t needed(const struct nwr_node *n, const struct scrub *s)
{
    uint32_t w = nwr_ring_w(&n->ring, 0);

    return NWR_MIN(s->others, n->ring.n >= w ? n->ring.n - w + 1u : 1u);
}

/* Where two replicas cannot read the same they would keep each other busy: each asks the other. */
static void next_group(struct nwr_node *n, struct scrub *s)
{
    if (s->stays && NWR_RULE(SCRUB_RESTS))
        s->rest[s->pg] = n->now + STAYS_MS;
    s->stays = false;
    s->state = IDLE;
    look(n, s);
}

/* It stays in doubt, or with what cannot be read, until others are there. */
static void not_whole(struct nwr_node *n, struct scrub *s)
{
    n->scrub.left++;
    s->soon[s->pg] = true;
    s->rest[s->pg] = n->now + (s->compared ? AGAIN_MS : RETRY_MS);
    s->stays = false;
    next_group(n, s);
}

static void trust(struct nwr_node *n, struct scrub *s)
{
    struct nwr_lent *l = nwr_lend(n, &s->job, 0, NWR_STORE_DOUBT, s->pg);

    s->state = TRUSTING;
    l->op.trust = true;
    nwr_lend_submit(n, l);
}

/* The only copy: nobody has what is lost. */
static void alone(struct nwr_node *n, struct scrub *s)
{
    if (!s->run) {
        next_group(n, s);
        return;
    }
    n->scrub.lost++;
    say(n, "level=error event=no_other_copy", s->pg, s->rotten);
    trust(n, s);
}

static void read_again(struct nwr_node *n, struct scrub *s)
{
    s->compared = true;
    n->scrub.repaired += s->rotten;
    s->rotten = s->dropped = s->open = 0;
    s->blocks = false;
    s->healed = s->passes = 0;
    s->after = (struct nwr_key){0};
    read_page(n, s);
}

static void compared_all(struct nwr_node *n, struct scrub *s)
{
    bool holds = nwr_ring_holds(&n->ring, s->pg, n->ordinal);

    if (holds && s->others == 0)
        alone(n, s);
    else if (holds && s->heard < needed(n, s) && NWR_RULE(SCRUB_QUORUM))
        not_whole(n, s);
    else
        trust(n, s);
}

/* The lowest ordinal from s->peer on; 0: none is left. */
static uint16_t next_peer(const struct nwr_node *n, const struct scrub *s)
{
    struct nwr_sides sides;
    uint16_t peer = 0;

    nwr_ring_sides(&n->ring, s->pg, &sides);
    for (uint32_t i = 0; i < sides.n; i++) {
        uint16_t o = sides.side[i].ordinal;

        if (o != n->ordinal && o >= s->peer && (peer == 0 || o < peer))
            peer = o;
    }
    return peer;
}

static void compare_next(struct nwr_node *n, struct scrub *s)
{
    uint16_t peer;

    s->state = COMPARING;
    if (nwr_reconcile_busy(n)) {
        nwr_job_wake(n, &s->job, n->now + WAIT_MS);
        return;
    }
    nwr_job_wake(n, &s->job, NWR_NEVER);
    while ((peer = next_peer(n, s))) {
        s->peer = peer + 1;
        s->others++;
        if (nwr_is_up(n, peer) && nwr_pair_shares(n, s->pg, peer)) {
            nwr_pair_start(n, &s->job, peer, s->pg, ROUNDS);
            return;
        }
    }
    compared_all(n, s);
}

/* What is dropped is said to be lost, and then no more; what all others cannot read, or nobody else
 * is there for, is lost and stays. */
static void say_lost(struct nwr_node *n, struct scrub *s)
{
    uint64_t lost = s->rotten - NWR_MIN(s->rotten, s->open);

    n->scrub.lost += lost;
    n->scrub.repaired -= NWR_MIN(n->scrub.repaired, s->rotten);
    if (lost)
        say(n, "level=error event=records_lost", s->pg, lost);
    s->stays |= lost > s->dropped;
    if (s->open)
        not_whole(n, s);
    else
        next_group(n, s);
}

static void group_read(struct nwr_node *n, struct scrub *s)
{
    s->doubt[s->pg] = s->doubtful;
    if (!s->rotten && !s->doubtful) {
        if (s->away)
            not_whole(n, s);
        else
            next_group(n, s);
        return;
    }
    if (s->compared) {
        say_lost(n, s);
        return;
    }
    if (s->rotten)
        say(n, "level=warn event=records_rotten", s->pg, s->rotten);
    if (!NWR_RULE(SCRUB_COMPARES)) {
        trust(n, s);
        return;
    }
    nwr_scrub_lost(n, s->pg);
    s->peer = 1;
    s->heard = s->others = 0;
    compare_next(n, s);
}

/* ---- which group ----------------------------------------------------------------------------- */

static void ask_doubts(struct nwr_node *n, struct scrub *s)
{
    s->state = DOUBTS;
    s->looked = n->now;
    nwr_lend_submit(n, nwr_lend(n, &s->job, 0, NWR_STORE_DOUBT, 0));
}

static void take_doubts(struct nwr_node *n, struct scrub *s, const struct nwr_store_op *op)
{
    uint32_t before = n->scrub.doubtful;

    n->scrub.doubtful = 0;
    for (uint32_t pg = 0; pg < n->ring.pgs; pg++) {
        bool doubt = op->doubt && (op->doubt[pg / 8] >> pg % 8 & 1);

        n->scrub.doubtful += doubt;
        if (doubt && !s->doubt[pg])
            s->rest[pg] = 0;
        s->doubt[pg] = doubt;
        s->soon[pg] |= doubt;
    }
    if (n->scrub.doubtful > before)
        say(n, "level=warn event=groups_in_doubt", s->pg, n->scrub.doubtful);
    else if (before && n->scrub.doubtful == 0)
        say(n, "event=no_group_in_doubt", s->pg, before);
}

static void begin_run(struct nwr_node *n, struct scrub *s)
{
    uint64_t asked = n->scrub.asked, done = n->scrub.done;
    nwr_pg pg = n->scrub.pg;

    s->run = asked;
    s->only = pg;
    s->in_turn = true;
    s->next = pg == NWR_PGS_MAX ? 0 : pg;
    n->scrub = (struct nwr_scrub_state){.asked = asked,
                                        .done = done,
                                        .pg = pg,
                                        .doubted = n->scrub.doubted,
                                        .groups = pg == NWR_PGS_MAX ? n->ring.pgs : 1};
    ask_doubts(n, s);
}

/* False: none is to be read now; *at: when one is. */
static bool next_soon(struct nwr_node *n, struct scrub *s, nwr_ms *at)
{
    for (uint32_t pg = 0; pg < n->ring.pgs; pg++) {
        if (!s->soon[pg])
            continue;
        if (s->rest[pg] <= n->now) {
            begin_group(n, s, (nwr_pg)pg, true);
            return true;
        }
        *at = NWR_MIN(*at, s->rest[pg]);
    }
    return false;
}

static bool next_in_turn(struct nwr_node *n, struct scrub *s)
{
    uint32_t end = s->run && s->only < NWR_PGS_MAX ? s->only + 1u : n->ring.pgs;

    if (!s->in_turn)
        return false;
    if (s->next < end) {
        n->scrub.groups_done = n->scrub.groups - (end - s->next);
        begin_group(n, s, (nwr_pg)s->next++, s->run != 0);
        return true;
    }
    s->in_turn = false;
    n->scrub.groups_done = n->scrub.groups;
    if (s->run)
        n->scrub.done = s->run;
    s->run = 0;
    s->due = n->now + EVERY_MS;
    return false;
}

static void look(struct nwr_node *n, struct scrub *s)
{
    nwr_ms at;

    if (s->state != IDLE)
        return;
    if (n->ring.epoch == 0 || n->joining || n->removed) {
        nwr_job_wake(n, &s->job, n->now + LOOK_MS);
        return;
    }
    if (!s->run && n->scrub.done < n->scrub.asked) {
        begin_run(n, s);
        return;
    }
    if (s->looked == 0 || n->now >= s->looked + LOOK_MS) {
        ask_doubts(n, s);
        return;
    }
    at = s->looked + LOOK_MS;
    if (!s->in_turn && n->now >= s->due) {
        s->in_turn = true;
        s->next = 0;
        n->scrub.groups = n->ring.pgs;
    }
    /* A run that was asked for goes first: what it does not mend is `left`. */
    if (s->run && next_in_turn(n, s))
        return;
    if (next_soon(n, s, &at) || next_in_turn(n, s))
        return;
    if (n->scrub.done < n->scrub.asked) {
        begin_run(n, s);
        return;
    }
    nwr_job_wake(n, &s->job, NWR_MIN(at, s->due));
}

/* ---- events ---------------------------------------------------------------------------------- */

static void on_stored(struct nwr_node *n, struct nwr_job *j, struct nwr_lent *l)
{
    struct scrub *s = of(j);

    switch (s->state) {
    case DOUBTS:
        take_doubts(n, s, &l->op);
        next_group(n, s);
        break;
    case CHECKING: checked(n, s, &l->op); break;
    case HEALING: healed(n, s, l->op.err); break;
    case TRUSTING:
        take_doubts(n, s, &l->op);
        s->doubtful = false;
        read_again(n, s);
        break;
    case IDLE:
    case FORGETTING:
    case FETCHING:
    case COMPARING: break;
    }
}

static void on_child(struct nwr_node *n, struct nwr_job *j, struct nwr_job *child, enum nwr_err err)
{
    struct scrub *s = of(j);

    if (s->state == FETCHING) {
        fetched(n, s, child, err);
        return;
    }
    if (s->state == FORGETTING) {
        s->dropped += nwr_forget_result(child)->dropped;
        s->open += nwr_forget_result(child)->open;
        s->rotten -= NWR_MIN(s->rotten, nwr_forget_result(child)->spare);
        fetch(n, s);
        return;
    }
    s->heard += !err && nwr_pair_result(child)->left == 0;
    if (err == NWR_E_EPOCH) {
        s->peer = 1;
        s->heard = s->others = 0;
    }
    compare_next(n, s);
}

static void on_wake(struct nwr_node *n, struct nwr_job *j)
{
    struct scrub *s = of(j);

    if (s->state == CHECKING)
        read_page(n, s);
    else if (s->state == FETCHING && !j->children)
        fetch(n, s);
    else if (s->state == COMPARING)
        compare_next(n, s);
    else
        look(n, s);
}

/* A replica that came may have what is in doubt. */
static void on_changed(struct nwr_node *n, struct nwr_job *j)
{
    struct scrub *s = of(j);

    for (uint32_t pg = 0; pg < n->ring.pgs && n->scrub.doubtful; pg++)
        if (s->doubt[pg])
            s->rest[pg] = 0;
    if (s->state == IDLE)
        nwr_job_wake(n, j, n->now);
}

static void on_free(struct nwr_node *n, struct nwr_job *j)
{
    struct scrub *s = of(j);

    (void)n;
    nwr_free(s->id);
    nwr_blocks_free(s->block, s->nblock);
}

static const struct nwr_job_kind scrub_kind = {.name = "scrub",
                                               .stored = on_stored,
                                               .wake = on_wake,
                                               .child = on_child,
                                               .changed = on_changed,
                                               .drop = on_free};

void nwr_scrub_start(struct nwr_node *n)
{
    struct scrub *s = nwr_job_new(n, &scrub_kind, sizeof(*s), NULL, 0);

    n->scrubber = &s->job;
    s->due = NWR_RULE(SCRUB_DUE) ? n->now + FIRST_MS : NWR_NEVER;
    nwr_job_wake(n, &s->job, n->now + 1);
}

void nwr_scrub_ask(struct nwr_node *n, nwr_pg pg)
{
    struct scrub *s = of(n->scrubber);
    bool waits = n->scrub.asked > n->scrub.done && n->scrub.asked > s->run;

    n->scrub.asked++;
    n->scrub.pg = waits && n->scrub.pg != pg ? NWR_PGS_MAX : pg;
    look(n, s);
}

void nwr_scrub_soon(struct nwr_node *n, nwr_pg pg)
{
    struct scrub *s = of(n->scrubber);

    if (pg >= NWR_PGS_MAX || s->soon[pg] || !NWR_RULE(SCRUB_SOON))
        return;
    s->soon[pg] = true;
    if (s->state == IDLE)
        nwr_job_wake(n, &s->job, NWR_MAX(n->now, s->rest[pg]));
}

bool nwr_scrub_compares(const struct nwr_node *n)
{
    return of(n->scrubber)->state == COMPARING && n->scrubber->children;
}
