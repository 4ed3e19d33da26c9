/* sim_queue.c -- what happens when: a binary heap by (time, sequence). See sim_int.h. */
#include "tests/sim/sim_int.h"

static bool before(const struct sim_event *a, const struct sim_event *b)
{
    return a->at != b->at ? a->at < b->at : a->seq < b->seq;
}

void sim_push(struct sim *s, struct sim_event ev)
{
    uint32_t at = s->nqueue;

    ev.seq = s->next_seq++;
    s->queue = nwr_grow(s->queue, &s->capqueue, s->nqueue + 1, sizeof(*s->queue));
    s->nqueue++;
    for (; at && before(&ev, &s->queue[(at - 1) / 2]); at = (at - 1) / 2)
        s->queue[at] = s->queue[(at - 1) / 2];
    s->queue[at] = ev;
}

static struct sim_event pop(struct sim *s)
{
    struct sim_event top = s->queue[0], *last = &s->queue[--s->nqueue];
    uint32_t at = 0;

    for (;;) {
        uint32_t kid = 2 * at + 1;

        if (kid + 1 < s->nqueue && before(&s->queue[kid + 1], &s->queue[kid]))
            kid++;
        if (kid >= s->nqueue || !before(&s->queue[kid], last))
            break;
        s->queue[at] = s->queue[kid];
        at = kid;
    }
    s->queue[at] = *last;
    return top;
}

/* What it owns: a message, an answer that nobody heard. A lent op is its node's. */
void sim_event_drop(struct sim_event *ev)
{
    nwr_blob_unref(ev->frame);
    if (ev->req)
        nwr_request_destroy(ev->req);
    if (ev->res) {
        nwr_response_deinit(ev->res);
        nwr_free(ev->res);
    }
}

void sim_run(struct sim *s, sim_us us)
{
    sim_us until = s->now + us;

    while (s->nqueue && s->queue[0].at <= until) {
        struct sim_event q = pop(s);

        s->now = NWR_MAX(s->now, q.at);
        sim_happen(s, &q);
    }
    s->now = until;
}

void sim_at(struct sim *s, sim_us at, void (*fn)(struct sim *s, void *arg), void *arg)
{
    sim_push(s, (struct sim_event){.at = at, .kind = SIM_CALL, .fn = fn, .arg = arg});
}

uint64_t sim_below(struct sim *s, uint64_t bound)
{
    return nwr_rng_below(&s->rng, bound);
}

bool sim_chance(struct sim *s, uint32_t of_65536)
{
    return of_65536 && sim_below(s, 65536) < of_65536;
}
