/* forget.c -- see forget.h for the picture. */
#include "net/core/forget.h"

#include "net/core/text.h"

enum state {
    NEXT,
    ASKING,
    DROPPING
};

struct forget {
    struct nwr_job job;
    enum state state;
    nwr_pg pg;
    struct nwr_key *key;
    uint32_t nkey, at;
    /* of the record that others are asked for */
    uint64_t epoch; /* of the ring that says who they are */
    uint32_t out;   /* answers to come */
    bool open;      /* one may have it */
    bool there;     /* one has */
    bool stays;
    struct nwr_forget_result result;
};

static struct forget *of(struct nwr_job *j)
{
    return nwr_container_of(j, struct forget, job);
}

/* By a wake-up: many of them are no deep recursion. */
static void next(struct nwr_node *n, struct forget *f)
{
    f->at++;
    f->state = NEXT;
    nwr_job_wake(n, &f->job, n->now);
}

static void say_dropped(struct nwr_node *n, const struct forget *f)
{
    struct nwr_out o = {0};
    struct nwr_key_parts p;

    nwr_text(&o, "level=error event=record_dropped pg=");
    nwr_text_u64(&o, f->pg);
    if (nwr_key_parse(&f->key[f->at], &p)) {
        nwr_text(&o, p.kind == 'E' ? " directory=" : " inode=");
        nwr_text_hex(&o, p.kind == 'E' ? p.parent : p.ino);
    }
    nwr_out_u8(&o, 0);
    nwr_log(n, (const char *)o.data, "");
    nwr_out_free(&o);
}

/* Nothing takes the place of what does not verify; a good record that came meanwhile stays. */
static void drop(struct nwr_node *n, struct forget *f)
{
    struct nwr_batch *b = nwr_batch_new(f->pg, NWR_LEVEL_MEMORY);

    f->state = DROPPING;
    b->heal = true;
    nwr_rows_at(&b->rows, &f->key[f->at]);
    nwr_deliver(n, &f->job, 0, n->ordinal, b, false);
}

static void look(struct nwr_node *n, struct forget *f)
{
    if (f->out)
        return;
    nwr_job_wake(n, &f->job, NWR_NEVER);
    f->open |=
        f->epoch != n->ring.epoch || (f->there && nwr_ring_holds(&n->ring, f->pg, n->ordinal));
    if (f->stays || f->open || !NWR_RULE(FORGOTTEN)) {
        f->result.open += !f->stays;
        next(n, f);
    } else {
        drop(n, f);
    }
}

static void ask(struct nwr_node *n, struct forget *f)
{
    struct nwr_range exact = {.prefix = f->key[f->at], .exact = true};
    struct nwr_sides sides;

    nwr_ring_sides(&n->ring, f->pg, &sides);
    f->state = ASKING;
    f->epoch = n->ring.epoch;
    f->stays = true;
    f->open = f->there = false;
    nwr_job_wake(n, &f->job, n->now + NWR_DEADLINE_MS);
    for (uint32_t i = 0; i < sides.n; i++) {
        struct nwr_msg m = {.kind = NWR_MSG_FETCH, .pg = f->pg};

        if (sides.side[i].ordinal == n->ordinal)
            continue;
        f->stays = false;
        if (!nwr_is_up(n, sides.side[i].ordinal)) {
            f->open |= NWR_RULE(FORGET_ALL);
            continue;
        }
        m.u.fetch.range = nwr_memdup(&exact, sizeof(exact));
        m.u.fetch.nrange = 1;
        f->out++;
        nwr_call(n, &f->job, sides.side[i].ordinal, 0, &m);
    }
    look(n, f);
}

/* ---- events ---------------------------------------------------------------------------------- */

static void on_answer(struct nwr_node *n, struct nwr_job *j, const struct nwr_call *c,
                      struct nwr_msg *m)
{
    struct forget *f = of(j);

    (void)c;
    f->out--;
    f->stays |= m->err == NWR_E_CORRUPT && NWR_RULE(FORGET_UNREAD);
    if ((m->err || m->kind != NWR_MSG_ROWS) && NWR_RULE(FORGET_UNREAD))
        f->open = true;
    else
        f->there |= m->u.rows.rows.n > 0;
    look(n, f);
}

static void on_lost(struct nwr_node *n, struct nwr_job *j, const struct nwr_call *c)
{
    struct forget *f = of(j);

    (void)c;
    f->out--;
    f->open = true;
    look(n, f);
}

static void on_child(struct nwr_node *n, struct nwr_job *j, struct nwr_job *child, enum nwr_err err)
{
    struct forget *f = of(j);

    (void)child;
    if (err) {
        f->result.open++;
    } else if (f->there) {
        f->result.spare++;
    } else {
        f->result.dropped++;
        say_dropped(n, f);
    }
    next(n, f);
}

static void on_wake(struct nwr_node *n, struct nwr_job *j)
{
    struct forget *f = of(j);

    if (f->state == ASKING) {
        nwr_job_forget_calls(n, j);
        f->out = 0;
        f->open = true;
        look(n, f);
    } else if (f->at < f->nkey) {
        ask(n, f);
    } else {
        nwr_job_end(n, j, NWR_OK);
    }
}

static void on_free(struct nwr_node *n, struct nwr_job *j)
{
    (void)n;
    nwr_free(of(j)->key);
}

static const struct nwr_job_kind forget_kind = {.name = "forget",
                                                .answer = on_answer,
                                                .lost = on_lost,
                                                .wake = on_wake,
                                                .child = on_child,
                                                .drop = on_free};

void nwr_forget_start(struct nwr_node *n, struct nwr_job *parent, nwr_pg pg, struct nwr_key *key,
                      uint32_t nkey)
{
    struct forget *f = nwr_job_new(n, &forget_kind, sizeof(*f), parent, 0);

    f->pg = pg;
    f->key = key;
    f->nkey = nkey;
    nwr_job_wake(n, &f->job, n->now);
}

const struct nwr_forget_result *nwr_forget_result(const struct nwr_job *j)
{
    return &nwr_container_of(j, const struct forget, job)->result;
}
