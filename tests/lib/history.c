/* history.c -- see tests/lib/history.h. */
#include "tests/lib/history.h"

unsigned history_pick(struct world *w, unsigned bound)
{
    return (unsigned)nwr_rng_below(&w->rng, bound);
}

static unsigned pick(struct world *w, unsigned bound)
{
    return history_pick(w, bound);
}

const char *wrong_name(enum wrong wrong)
{
    static const char *const names[] = {"nothing wrong", "lost", "returned", "invented"};

    return names[wrong];
}

static nwr_wid wid_of(unsigned number)
{
    return number ? nwr_mix64(number) : 0;
}

static void after(const struct world *w, struct nwr_record *r)
{
    if (w->rules->after)
        w->rules->after(r);
    if (!w->rules->off)
        nwr_record_check(r);
}

/* ---- the model ----------------------------------------------------------------------------- */

static set wids_of(const struct world *w, set events)
{
    set wids = 0;

    for (unsigned i = 0; i < w->nev; i++)
        if ((events & BIT(i)) && w->ev[i].wid)
            wids |= BIT(w->ev[i].wid);
    return wids;
}

static set with_wids(const struct world *w, set events, set wids)
{
    set found = 0;

    for (unsigned i = 0; i < w->nev; i++)
        if ((events & BIT(i)) && (wids & BIT(w->ev[i].wid)) && w->ev[i].wid)
            found |= BIT(i);
    return found;
}

static set present(const struct world *w, const struct facts *f)
{
    return f->written & ~f->removed & ~with_wids(w, f->written, f->retired);
}

static void meet(struct facts *dst, const struct facts *src)
{
    dst->written |= src->written;
    dst->removed |= src->removed;
    dst->retired |= src->retired;
}

static set least_dot(const struct world *w, set events)
{
    unsigned least = EVENTS_MAX;

    for (unsigned i = 0; i < w->nev; i++)
        if ((events & BIT(i)) &&
            (least == EVENTS_MAX || nwr_dot_cmp(w->ev[i].dot, w->ev[least].dot) < 0))
            least = i;
    return BIT(least);
}

/* Returns the facts that this write adds; e is the event it becomes unless it is there. */
static struct facts model_write(const struct world *w, struct facts *f, const struct write *wr,
                                unsigned e)
{
    struct facts add = {0, wr->named, wr->retire | wids_of(w, wr->named)};
    set copies;

    meet(f, &add);
    copies = wr->wid ? with_wids(w, present(w, f), BIT(wr->wid)) : 0;
    if (copies)
        add.written = least_dot(w, copies);
    else if (!wr->discard && (wr->wid == 0 || !(f->retired & BIT(wr->wid))))
        add.written = BIT(e);
    meet(f, &add);
    return add;
}

/* ---- comparison ---------------------------------------------------------------------------- */

static set events_in(const struct nwr_record *r)
{
    set events = 0;

    for (uint32_t i = 0; i < r->n; i++)
        events |= BIT(r->v[i].uid);
    return events;
}

static set contents_of(const struct world *w, set events)
{
    set contents = 0;

    for (unsigned i = 0; i < w->nev; i++)
        if ((events & BIT(i)) && !w->ev[i].tombstone)
            contents |= BIT(w->ev[i].content);
    return contents;
}

static unsigned count_of(const struct world *w, set events)
{
    unsigned n = 0;

    for (unsigned i = 0; i < w->nev; i++)
        n += (events & BIT(i)) && !w->ev[i].tombstone;
    return n;
}

static unsigned bits(set s)
{
    return (unsigned)__builtin_popcountll(s);
}

/* The real thing must hold the very versions; a variant must show the same contents. */
static enum wrong compare(const struct world *w, const struct nwr_record *r, const struct facts *f)
{
    set got = events_in(r), want = present(w, f), known = f->written;

    if (w->rules->off) {
        if (w->rules->show_every_copy && count_of(w, got) > bits(contents_of(w, want)))
            return INVENTED;
        got = contents_of(w, got);
        want = contents_of(w, want);
        known = contents_of(w, known);
    } else if (r->n != bits(got) || nwr_record_live(r) != count_of(w, got)) {
        return INVENTED;
    }
    if (want & ~got)
        return LOST;
    if (got & ~want)
        return (got & ~want & ~known) ? INVENTED : RETURNED;
    return RIGHT;
}

static void look(struct world *w)
{
    for (unsigned i = 0; i < NODES && !w->wrong; i++)
        w->wrong = compare(w, &w->node[i].mem, &w->node[i].fmem);
}

/* ---- steps --------------------------------------------------------------------------------- */

static void new_actor(struct world *w, unsigned n)
{
    w->incarnations++;
    w->node[n].actor = (nwr_actor)(n + 1) << 32 | (uint32_t)nwr_mix64(w->incarnations);
    w->node[n].counter = 0;
}

/* Counters run per placement group: other records take some. */
static struct nwr_dot next_dot(struct world *w, unsigned n)
{
    struct node *node = &w->node[n];
    const struct nwr_ctx *c = &node->mem.ctx;

    if (w->rules->off) { /* a variant that kept its actor goes on after what it finds */
        node->counter = NWR_MAX(node->counter, nwr_vv_get(&c->vv, node->actor));
        for (uint32_t i = 0; i < c->dots.n; i++)
            if (c->dots.e[i].actor == node->actor)
                node->counter = NWR_MAX(node->counter, c->dots.e[i].counter);
    }
    node->counter += 1 + pick(w, 2);
    return (struct nwr_dot){node->actor, node->counter};
}

static uint32_t seen_list(const struct world *w, set named, struct nwr_seen *seen)
{
    uint32_t n = 0;
    set contents = 0;

    for (unsigned i = 0; i < w->nev; i++) {
        const struct event *e = &w->ev[i];

        if (!(named & BIT(i)))
            continue;
        if (w->rules->name_one_of_equal && !e->tombstone && (contents & BIT(e->content)))
            continue;
        contents |= BIT(e->content);
        seen[n++] = (struct nwr_seen){e->dot, w->rules->name_dots_only ? 0 : wid_of(e->wid)};
    }
    return n;
}

static uint32_t retire_list(const struct world *w, set retire, nwr_wid *wids)
{
    uint32_t n = 0;

    if (w->rules->forget_unconfirmed)
        return 0;
    for (unsigned i = 1; i < EVENTS_MAX; i++)
        if (retire & BIT(i))
            wids[n++] = wid_of(i);
    return n;
}

static struct packet *new_packet(struct world *w)
{
    unsigned at = w->npackets < PACKETS_MAX ? w->npackets++ : pick(w, PACKETS_MAX);

    nwr_record_deinit(&w->packet[at].rec);
    memset(&w->packet[at], 0, sizeof(w->packet[at]));
    return &w->packet[at];
}

static void send_whole(struct world *w, unsigned from)
{
    struct packet *p = new_packet(w);

    p->whole = true;
    p->facts = w->node[from].fmem;
    nwr_record_copy(&p->rec, &w->node[from].mem);
    w->counts.wholes++;
}

/* The write alone: its dot, what it names, what it retires; exact dots only. */
static void send_delta(struct world *w, unsigned from, const struct nwr_seen *seen, uint32_t nseen,
                       const nwr_wid *retire, uint32_t nretire, struct nwr_dot dot,
                       const struct facts *facts)
{
    const struct nwr_version *v = nwr_record_find(&w->node[from].mem, dot);
    struct packet *p = new_packet(w);

    p->facts = *facts;
    nwr_record_discard(&p->rec, seen, nseen, retire, nretire);
    if (v) {
        nwr_ctx_add(&p->rec.ctx, v->dot);
        p->rec.v = nwr_alloc(sizeof(*v));
        p->rec.n = p->rec.cap = 1;
        nwr_version_copy(p->rec.v, v);
    }
    after(w, &p->rec);
    w->counts.deltas++;
}

static void coordinate(struct world *w, unsigned n, const struct write *wr, bool is_retry)
{
    struct node *node = &w->node[n];
    unsigned e = w->nev++;
    struct nwr_seen seen[EVENTS_MAX];
    nwr_wid retire[EVENTS_MAX];
    uint32_t nseen = seen_list(w, wr->named, seen);
    uint32_t nretire = retire_list(w, wr->retire, retire);
    struct nwr_version v = {.dot = next_dot(w, n), .uid = e, .k = wr->content};
    struct nwr_dot got = v.dot;
    struct facts add;

    w->counts.lagging += (wr->named & ~node->fmem.written) != 0;
    w->counts.equal_removed += bits(contents_of(w, present(w, &node->fmem) & wr->named) &
                                    contents_of(w, present(w, &node->fmem) & ~wr->named)) > 0;
    w->ev[e] = (struct event){v.dot, wr->wid, wr->content, wr->tombstone};
    v.wid = wid_of(wr->wid);
    if (is_retry && w->rules->retry_with_new_wid)
        v.wid = nwr_mix64(v.dot.counter + v.dot.actor);
    v.hlc = e + 1;
    v.flags = wr->tombstone ? NWR_V_TOMBSTONE : 0;
    add = model_write(w, &node->fmem, wr, e);
    if (wr->discard)
        nwr_record_discard(&node->mem, seen, nseen, retire, nretire);
    else
        w->rules->put(&node->mem, &v, seen, nseen, retire, nretire, &got);
    after(w, &node->mem);
    if (pick(w, 2))
        send_delta(w, n, seen, nseen, retire, nretire, got, &add);
    if (pick(w, 3) == 0)
        send_whole(w, n);
}

static void step_read(struct world *w, unsigned mount)
{
    w->view[mount] = events_in(&w->node[pick(w, NODES)].mem);
}

/* Names all the mount saw, all copies of one content, or nothing. */
static set choose_named(struct world *w, unsigned mount)
{
    set view = w->view[mount], named = 0;
    unsigned content = pick(w, CONTENTS), how = pick(w, 4);

    for (unsigned i = 0; i < w->nev; i++)
        if ((view & BIT(i)) && (how == 0 || (how < 3 && w->ev[i].content == content)))
            named |= BIT(i);
    return named;
}

static void step_write(struct world *w)
{
    struct write *wr = &w->writes[w->nwrites];
    unsigned mount = pick(w, NODES), kind = pick(w, 6);

    if (pick(w, 2))
        step_read(w, mount);
    w->nwrites++;
    wr->named = choose_named(w, mount);
    wr->mount = mount;
    wr->discard = kind == 0;
    wr->tombstone = kind == 1;
    wr->content = pick(w, CONTENTS);
    wr->wid = wr->discard || pick(w, 8) == 0 ? 0 : w->nwrites;
    wr->retire = w->unconfirmed[mount];
    if (pick(w, 3) == 0 && wr->wid)
        w->unconfirmed[mount] |= BIT(wr->wid);
    else
        w->unconfirmed[mount] = 0;
    coordinate(w, pick(w, NODES), wr, false);
}

static void step_retry(struct world *w)
{
    const struct write *wr;

    if (w->nwrites == 0)
        return;
    wr = &w->writes[pick(w, w->nwrites)];
    if (wr->wid == 0)
        return;
    w->counts.retried++;
    coordinate(w, pick(w, NODES), wr, true);
}

/* Without the blocks of its last version a container stays where it is; the variant that merges
 * it leaves that version out and should get it later. */
static void merge_without_a_block(struct world *w, unsigned to, unsigned from)
{
    struct facts facts = w->node[from].fmem;
    struct nwr_record src;

    nwr_record_copy(&src, &w->node[from].mem);
    if (src.n > 0) {
        facts.written &= ~BIT(src.v[src.n - 1].uid);
        nwr_version_deinit(&src.v[--src.n]);
    }
    w->rules->merge(&w->node[to].mem, &src);
    meet(&w->node[to].fmem, &facts);
    nwr_record_deinit(&src);
}

static void step_merge(struct world *w)
{
    unsigned to = pick(w, NODES), from = (to + 1 + pick(w, NODES - 1)) % NODES;

    if (pick(w, 6) == 0) {
        if (w->rules->merge_without_blocks)
            merge_without_a_block(w, to, from);
        return;
    }
    w->rules->merge(&w->node[to].mem, &w->node[from].mem);
    meet(&w->node[to].fmem, &w->node[from].fmem);
    after(w, &w->node[to].mem);
}

/* A packet stays, so that it may come again. */
static void step_deliver(struct world *w)
{
    const struct packet *p;
    struct node *node = &w->node[pick(w, NODES)];

    if (w->npackets == 0)
        return;
    p = &w->packet[pick(w, w->npackets)];
    meet(&node->fmem, &p->facts);
    (p->whole ? w->rules->merge : w->rules->absorb)(&node->mem, &p->rec);
    after(w, &node->mem);
}

static void step_flush(struct world *w)
{
    struct node *node = &w->node[pick(w, NODES)];

    nwr_record_deinit(&node->disk);
    nwr_record_copy(&node->disk, &node->mem);
    node->fdisk = node->fmem;
}

/* The process was killed: what it had written is still there. */
static void step_restart(struct world *w)
{
    new_actor(w, pick(w, NODES));
}

static void step_power_loss(struct world *w)
{
    unsigned n = pick(w, NODES);
    struct node *node = &w->node[n];

    w->counts.reverted += (node->fmem.written & ~node->fdisk.written) != 0;
    nwr_record_deinit(&node->mem);
    nwr_record_copy(&node->mem, &node->disk);
    node->fmem = node->fdisk;
    if (!w->rules->same_actor_after_power_loss)
        new_actor(w, n);
    else
        node->counter = 0;
}

/* Bit rot: nothing of the record can be read, so nothing of it may be claimed. */
static void step_unreadable(struct world *w)
{
    unsigned n = pick(w, NODES);
    struct node *node = &w->node[n];

    nwr_record_deinit(&node->mem);
    nwr_record_deinit(&node->disk);
    node->fmem = node->fdisk = (struct facts){0};
    if (!w->rules->same_actor_after_unreadable)
        new_actor(w, n);
}

static void step(struct world *w)
{
    unsigned what = pick(w, 41);

    if (what < 11)
        step_write(w);
    else if (what < 15)
        step_retry(w);
    else if (what < 23)
        step_deliver(w);
    else if (what < 31)
        step_merge(w);
    else if (what < 34)
        step_flush(w);
    else if (what < 36)
        step_power_loss(w);
    else if (what < 37)
        step_unreadable(w);
    else if (what < 38)
        step_restart(w);
    else
        step_read(w, pick(w, NODES));
}

void heal_history(struct world *w)
{
    for (unsigned round = 0; round < 2; round++)
        for (unsigned i = 0; i < NODES; i++)
            for (unsigned j = 0; j < NODES; j++) {
                w->rules->merge(&w->node[i].mem, &w->node[j].mem);
                after(w, &w->node[i].mem);
                meet(&w->node[i].fmem, &w->node[j].fmem);
            }
    look(w);
}

void world_deinit(struct world *w)
{
    for (unsigned i = 0; i < NODES; i++) {
        nwr_record_deinit(&w->node[i].mem);
        nwr_record_deinit(&w->node[i].disk);
    }
    for (unsigned i = 0; i < PACKETS_MAX; i++)
        nwr_record_deinit(&w->packet[i].rec);
}

void run_history(struct world *w, const struct rules *rules, uint64_t seed)
{
    struct counts counts = w->counts;

    memset(w, 0, sizeof(*w));
    w->rules = rules;
    w->counts = counts;
    nwr_rng_init(&w->rng, seed);
    for (unsigned i = 0; i < NODES; i++)
        new_actor(w, i);
    for (unsigned i = 0; i < STEPS && !w->wrong; i++) {
        step(w);
        look(w);
    }
}
