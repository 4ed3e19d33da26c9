/* members.c -- what is known of each member, and how it is told; see members.h. */
#include "net/core/probe.h"
#include "net/core/rules.h"

struct nwr_members *nwr_members_create(uint16_t self, uint64_t seed)
{
    struct nwr_members *m = nwr_zalloc(sizeof(*m));

    m->self = self;
    m->own = (struct nwr_news){.ordinal = self, .incarnation = 1, .beat = 1};
    m->due = m->period_at = m->news_at = UINT64_MAX;
    nwr_rng_init(&m->rng, seed);
    return m;
}

void nwr_members_destroy(struct nwr_members *m)
{
    struct nwr_members_effect e;

    if (!m)
        return;
    while (nwr_members_take(m, &e))
        nwr_msg_deinit(&e.msg);
    nwr_free(m->w);
    nwr_free(m->slot);
    nwr_free(m->order);
    nwr_free(m->active);
    nwr_free(m->out);
    nwr_free(m);
}

struct watched *nwr_watched_find(const struct nwr_members *m, uint16_t ordinal)
{
    return ordinal < m->nslot && m->slot[ordinal] ? &m->w[m->slot[ordinal] - 1] : NULL;
}

void nwr_watched_activate(struct nwr_members *m, struct watched *w)
{
    if (w->active)
        return;
    w->active = true;
    m->active = nwr_grow(m->active, &m->capactive, m->nactive + 1, sizeof(*m->active));
    m->active[m->nactive++] = (uint32_t)(w - m->w);
}

/* ---- effects -------------------------------------------------------------------------------- */

static struct nwr_members_effect *emit(struct nwr_members *m, enum nwr_members_effect_kind kind,
                                       uint16_t peer)
{
    struct nwr_members_effect *e;

    m->out = nwr_grow(m->out, &m->capout, m->nout + 1, sizeof(*m->out));
    e = &m->out[m->nout++];
    *e = (struct nwr_members_effect){.kind = kind, .peer = peer};
    return e;
}

bool nwr_members_take(struct nwr_members *m, struct nwr_members_effect *e)
{
    if (m->head == m->nout) {
        m->head = m->nout = 0;
        return false;
    }
    *e = m->out[m->head++];
    return true;
}

/* ---- news ----------------------------------------------------------------------------------- */

static void hurry_news(struct nwr_members *m)
{
    nwr_ms at = NWR_MAX(m->now + NWR_NEWS_MS / 10, m->news_sent + NWR_NEWS_MS);

    m->news_at = NWR_MIN(m->news_at, at);
}

static uint32_t repeats(const struct nwr_members *m)
{
    return NWR_NEWS_REPEAT * nwr_suspicion_digits(m->n + 1);
}

static void spread(struct nwr_members *m, struct watched *w)
{
    w->left = NWR_RULE(NEWS_TOLD_ON) ? repeats(m) : 0;
    nwr_watched_activate(m, w);
    hurry_news(m);
}

static void add_news(struct nwr_msg *msg, const struct nwr_news *news)
{
    for (uint32_t i = 0; i < msg->u.gossip.nnews; i++)
        if (msg->u.gossip.news[i].ordinal == news->ordinal)
            return;
    msg->u.gossip.news[msg->u.gossip.nnews++] = *news;
}

/* The freshest first: of those active, the ones that were sent least often. */
static void add_fresh(struct nwr_members *m, struct nwr_msg *msg)
{
    struct watched *top[NWR_NEWS_PER_MSG];
    uint32_t n = 0;

    for (uint32_t i = 0; i < m->nactive; i++) {
        struct watched *w = &m->w[m->active[i]];
        uint32_t at = n;

        if (w->left == 0 || (n == NWR_COUNT(top) && w->left <= top[n - 1]->left))
            continue;
        if (n < NWR_COUNT(top))
            n++;
        else
            at--;
        for (; at > 0 && top[at - 1]->left < w->left; at--)
            top[at] = top[at - 1];
        top[at] = w;
    }
    for (uint32_t i = 0; i < n; i++) {
        add_news(msg, &top[i]->news);
        top[i]->left--;
    }
}

/* Heals what loss has left unknown, and brings figures of members that are never met. */
static void add_fillers(struct nwr_members *m, struct nwr_msg *msg)
{
    for (uint32_t i = 0; m->n > NWR_PROBE_ALL_MAX && i < NWR_NEWS_FILLERS; i++) {
        const struct watched *w = &m->w[m->filler++ % m->n];

        if (w->news.incarnation)
            add_news(msg, &w->news);
    }
}

void nwr_members_send(struct nwr_members *m, uint16_t to, struct nwr_msg *msg,
                      const struct watched *about)
{
    const struct watched *w = nwr_watched_find(m, to);
    uint32_t room = 2 + NWR_NEWS_PER_MSG + NWR_NEWS_FILLERS;

    msg->u.gossip.self = m->own;
    msg->u.gossip.news = nwr_alloc(room * sizeof(struct nwr_news));
    if (w && w->news.life != NWR_LIFE_UP && NWR_RULE(SUSPECT_TOLD))
        add_news(msg, &w->news);
    if (about)
        add_news(msg, &about->news);
    add_fresh(m, msg);
    add_fillers(m, msg);
    m->count.messages++;
    emit(m, NWR_MEMBERS_SEND, to)->msg = *msg;
    memset(msg, 0, sizeof(*msg));
}

uint32_t nwr_members_pick(struct nwr_members *m, uint16_t but, uint16_t *out, uint32_t max)
{
    uint32_t seen = 0;

    for (uint32_t i = 0; i < m->n; i++) {
        const struct watched *w = &m->w[i];
        uint64_t at;

        if (!w->linked || w->news.ordinal == but || w->news.life == NWR_LIFE_DOWN)
            continue;
        at = seen < max ? seen : nwr_rng_below(&m->rng, seen + 1);
        if (at < max)
            out[at] = w->news.ordinal;
        seen++;
    }
    return NWR_MIN(seen, max);
}

/* ---- what is known -------------------------------------------------------------------------- */

static void set_life(struct nwr_members *m, struct watched *w, enum nwr_life life,
                     uint32_t incarnation, uint16_t by)
{
    bool other = w->news.life != life;

    w->news.life = life;
    w->news.incarnation = incarnation;
    w->news.by = by;
    if (life == NWR_LIFE_SUSPECT)
        nwr_suspicion_start(&w->suspicion, by, m->n + 1, m->now);
    if (other) {
        w->since = m->now;
        emit(m, NWR_MEMBERS_LIFE, w->news.ordinal)->life = life;
    }
    spread(m, w);
}

static void confirm(struct nwr_members *m, struct watched *w, uint16_t by)
{
    if (!nwr_suspicion_confirm(&w->suspicion, by))
        return;
    w->news.by = by;
    spread(m, w);
}

void nwr_watched_suspect(struct nwr_members *m, struct watched *w, uint16_t by)
{
    if (w->news.incarnation == 0 || w->news.life == NWR_LIFE_DOWN)
        return;
    if (w->news.life == NWR_LIFE_SUSPECT) {
        confirm(m, w, by);
        return;
    }
    if (!NWR_RULE(SUSPECT_FIRST)) {
        nwr_watched_down(m, w);
        return;
    }
    m->count.suspected++;
    set_life(m, w, NWR_LIFE_SUSPECT, w->news.incarnation, by);
}

void nwr_watched_down(struct nwr_members *m, struct watched *w)
{
    m->count.downs++;
    set_life(m, w, NWR_LIFE_DOWN, w->news.incarnation, m->self);
}

/* Somebody says what this node has not said of itself, in this life or an earlier one. */
static void outbid(struct nwr_members *m, const struct nwr_news *e)
{
    struct nwr_news *own = &m->own;
    bool wrong = e->life != NWR_LIFE_UP && e->incarnation >= own->incarnation;
    bool older = e->incarnation > own->incarnation ||
                 (e->incarnation == own->incarnation && e->beat > own->beat);

    if ((!wrong && !older) || e->incarnation == UINT32_MAX || !NWR_RULE(OUTBID))
        return;
    own->incarnation = e->incarnation + 1;
    m->own_left = repeats(m);
    hurry_news(m);
    if (wrong && own->beat >= e->beat) {
        m->count.refuted++;
        m->missed++;
    }
}

static void learn(struct nwr_members *m, const struct nwr_news *e)
{
    struct watched *w = nwr_watched_find(m, e->ordinal);
    bool newer, fresh;

    if (e->ordinal == m->self)
        outbid(m, e);
    if (!w || e->incarnation == 0)
        return;
    newer = e->incarnation > w->news.incarnation;
    fresh = newer || (e->incarnation == w->news.incarnation && e->beat > w->news.beat);
    if (fresh) {
        w->news.beat = e->beat;
        w->news.epoch = e->epoch;
        w->news.records = e->records;
        w->news.bytes = e->bytes;
    }
    if (newer || (e->incarnation == w->news.incarnation && e->life > w->news.life))
        set_life(m, w, e->life, e->incarnation, e->by);
    else if (e->incarnation == w->news.incarnation && e->life == NWR_LIFE_SUSPECT &&
             w->news.life == NWR_LIFE_SUSPECT)
        confirm(m, w, e->by);
}

/* ---- events --------------------------------------------------------------------------------- */

static int ordinal_before(const uint16_t *a, uint32_t i, uint32_t j)
{
    return a[i] < a[j];
}

static uint16_t *sorted(const uint16_t *ordinal, uint32_t n)
{
    uint16_t *copy = nwr_memdup(ordinal, n * sizeof(*ordinal));

    for (uint32_t i = 1; i < n; i++)
        for (uint32_t j = i; j > 0 && ordinal_before(copy, j, j - 1); j--) {
            uint16_t t = copy[j];

            copy[j] = copy[j - 1];
            copy[j - 1] = t;
        }
    return copy;
}

static void add_watched(struct nwr_members *m, const struct nwr_members *old, uint16_t ordinal)
{
    const struct watched *was = nwr_watched_find(old, ordinal);
    struct watched *w = &m->w[m->n++];

    *w = (struct watched){.news = {.ordinal = ordinal, .life = NWR_LIFE_DOWN}, .since = m->now};
    if (was)
        *w = *was;
    w->active = false;
    m->slot[ordinal] = (uint16_t)m->n;
}

void nwr_members_list(struct nwr_members *m, const uint16_t *ordinal, uint32_t n, nwr_ms now)
{
    struct nwr_members old;
    uint16_t *all = sorted(ordinal, n);

    nwr_probe_enter(m, now);
    old = *m;
    m->n = m->nactive = m->nrelay = 0;
    m->w = nwr_zalloc(n * sizeof(*m->w));
    m->nslot = n ? all[n - 1] + 1u : 0;
    m->slot = nwr_zalloc(m->nslot * sizeof(*m->slot));
    for (uint32_t i = 0; i < n; i++)
        if (all[i] != m->self && (i == 0 || all[i] != all[i - 1]))
            add_watched(m, &old, all[i]);
    for (uint32_t i = 0; i < m->n; i++)
        nwr_watched_activate(m, &m->w[i]);
    nwr_free(all);
    nwr_free(old.w);
    nwr_free(old.slot);
    nwr_probe_shuffle(m);
    if (m->n == 0)
        m->period_at = m->news_at = UINT64_MAX;
    else if (m->period_at == UINT64_MAX)
        m->period_at = m->now + nwr_rng_below(&m->rng, NWR_PROBE_PERIOD_MS);
    nwr_probe_leave(m);
}

/* Who is not up is probed at once: that says what is thought of it, and brings its incarnation. */
void nwr_members_link(struct nwr_members *m, uint16_t ordinal, bool linked, nwr_ms now)
{
    struct watched *w = nwr_watched_find(m, ordinal);

    if (!w || w->linked == linked)
        return;
    nwr_probe_enter(m, now);
    w->linked = linked;
    w->lost_at = linked ? 0 : m->now + NWR_LOST_MS;
    nwr_watched_activate(m, w);
    if (linked && w->news.life != NWR_LIFE_UP) {
        w->probing = false;
        nwr_probe_start(m, w);
    }
    nwr_probe_leave(m);
}

void nwr_members_message(struct nwr_members *m, uint16_t from, const struct nwr_msg *msg,
                         nwr_ms now)
{
    struct nwr_news self = msg->u.gossip.self;

    if (!nwr_watched_find(m, from))
        return;
    nwr_probe_enter(m, now);
    self.ordinal = from;
    self.life = NWR_LIFE_UP;
    learn(m, &self);
    for (uint32_t i = 0; i < msg->u.gossip.nnews; i++)
        learn(m, &msg->u.gossip.news[i]);
    nwr_probe_message(m, from, msg);
    nwr_probe_leave(m);
}

void nwr_members_load(struct nwr_members *m, uint64_t epoch, uint64_t records, uint64_t bytes)
{
    struct nwr_news *own = &m->own;

    if (own->epoch == epoch && own->records == records && own->bytes == bytes)
        return;
    own->epoch = epoch;
    own->records = records;
    own->bytes = bytes;
    own->beat += own->beat < UINT32_MAX;
}

nwr_ms nwr_members_deadline(const struct nwr_members *m)
{
    return m->due;
}

const struct nwr_news *nwr_members_find(const struct nwr_members *m, uint16_t ordinal,
                                        nwr_ms *since)
{
    const struct watched *w = nwr_watched_find(m, ordinal);

    if (w && since)
        *since = w->since;
    return w ? &w->news : NULL;
}

uint32_t nwr_members_health(const struct nwr_members *m)
{
    return m->health;
}

const struct nwr_members_counters *nwr_members_counters(const struct nwr_members *m)
{
    return &m->count;
}

void nwr_members_check(const struct nwr_members *m)
{
    uint32_t active = 0;

    for (uint32_t i = 0; i < m->n; i++) {
        const struct watched *w = &m->w[i];

        nwr_assert(i == 0 || m->w[i - 1].news.ordinal < w->news.ordinal);
        nwr_assert(m->slot[w->news.ordinal] == i + 1);
        nwr_assert(w->news.life != NWR_LIFE_SUSPECT || w->news.incarnation > 0);
        nwr_assert(w->active || (!w->probing && w->left == 0));
        if (w->news.life == NWR_LIFE_SUSPECT)
            nwr_suspicion_check(&w->suspicion);
        active += w->active;
    }
    nwr_assert(active == m->nactive);
    nwr_assert(m->health <= NWR_HEALTH_MAX);
    nwr_assert(m->nrelay <= NWR_RELAYS_MAX);
}
