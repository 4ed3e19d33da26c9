/* probe.c -- probes, those made for others, periods and time limits; see members.h. */
#include "net/core/probe.h"

#include "net/core/rules.h"

static nwr_ms longer(const struct nwr_members *m, nwr_ms ms)
{
    return NWR_RULE(LOCAL_HEALTH) ? ms * (1 + m->health) : ms;
}

static bool probes_all(const struct nwr_members *m)
{
    return m->n <= NWR_PROBE_ALL_MAX;
}

void nwr_probe_shuffle(struct nwr_members *m)
{
    m->order = nwr_realloc(m->order, m->n * sizeof(*m->order));
    m->at_order = 0;
    for (uint32_t i = 0; i < m->n; i++) {
        uint64_t j = nwr_rng_below(&m->rng, i + 1);

        m->order[i] = m->order[j];
        m->order[j] = i;
    }
}

/* ---- one probe ------------------------------------------------------------------------------ */

static void ask_helpers(struct nwr_members *m, struct watched *w)
{
    uint16_t helper[NWR_PROBE_HELPERS];
    uint32_t n = nwr_members_pick(m, w->news.ordinal, helper, NWR_COUNT(helper));

    if (!NWR_RULE(PROBE_HELPED))
        n = 0;
    w->helped = true;
    w->asked = n;
    m->count.helped += n > 0;
    for (uint32_t i = 0; i < n; i++) {
        struct nwr_msg msg = {.kind = NWR_MSG_PROBE_FOR};

        msg.u.gossip.seq = w->seq;
        msg.u.gossip.target = w->news.ordinal;
        nwr_members_send(m, helper[i], &msg, w);
    }
}

void nwr_probe_start(struct nwr_members *m, struct watched *w)
{
    struct nwr_msg msg = {.kind = NWR_MSG_PROBE};

    if (w->probing)
        return;
    m->count.probes++;
    w->probing = true;
    w->helped = false;
    w->seq = ++m->seq;
    w->asked = w->said_no = 0;
    w->direct_at = m->now + longer(m, NWR_PROBE_DIRECT_MS);
    w->whole_at = m->now + longer(m, NWR_PROBE_WHOLE_MS);
    nwr_watched_activate(m, w);
    if (!w->linked) {
        ask_helpers(m, w);
        return;
    }
    msg.u.gossip.seq = w->seq;
    msg.u.gossip.target = w->news.ordinal;
    nwr_members_send(m, w->news.ordinal, &msg, NULL);
}

/* Helpers that said nothing at all say that it is this node that is not heard. */
static void probe_failed(struct nwr_members *m, struct watched *w)
{
    w->probing = false;
    if (w->news.incarnation && w->news.life != NWR_LIFE_DOWN)
        m->missed += w->asked ? w->asked - NWR_MIN(w->said_no, w->asked) : 1;
    nwr_watched_suspect(m, w, m->self);
}

/* Others may still reach it: they are asked, and told what this node thinks. */
static void link_lost(struct nwr_members *m, struct watched *w)
{
    w->lost_at = 0;
    w->probing = false;
    nwr_watched_suspect(m, w, m->self);
    nwr_probe_start(m, w);
}

static void look_probe(struct nwr_members *m, struct watched *w)
{
    if (w->lost_at && m->now >= w->lost_at)
        link_lost(m, w);
    if (w->probing && m->now >= w->whole_at)
        probe_failed(m, w);
    else if (w->probing && !w->helped && m->now >= w->direct_at)
        ask_helpers(m, w);
    if (w->news.life == NWR_LIFE_SUSPECT && m->now >= nwr_suspicion_ends(&w->suspicion))
        nwr_watched_down(m, w);
}

/* ---- for others ----------------------------------------------------------------------------- */

static void answer(struct nwr_members *m, uint16_t to, uint32_t seq, uint16_t target, bool heard)
{
    struct nwr_msg msg = {.kind = NWR_MSG_PROBED};

    msg.u.gossip.seq = seq;
    msg.u.gossip.target = target;
    msg.u.gossip.heard = heard;
    nwr_members_send(m, to, &msg, nwr_watched_find(m, target));
}

static void relay_start(struct nwr_members *m, uint16_t asker, uint32_t seq, uint16_t target)
{
    const struct watched *w = nwr_watched_find(m, target);
    struct nwr_msg msg = {.kind = NWR_MSG_PROBE};
    struct relay *r;

    if (target == m->self || !w || !w->linked || m->nrelay == NWR_RELAYS_MAX) {
        answer(m, asker, seq, target, target == m->self);
        return;
    }
    r = &m->relay[m->nrelay++];
    *r = (struct relay){asker, target, seq, ++m->seq, m->now + NWR_PROBE_DIRECT_MS};
    msg.u.gossip.seq = r->seq;
    msg.u.gossip.target = target;
    nwr_members_send(m, target, &msg, NULL);
}

static void relay_end(struct nwr_members *m, uint32_t i, bool heard)
{
    struct relay r = m->relay[i];

    m->relay[i] = m->relay[--m->nrelay];
    answer(m, r.asker, r.asked_seq, r.target, heard);
}

static void look_relays(struct nwr_members *m)
{
    for (uint32_t i = m->nrelay; i-- > 0;)
        if (m->now >= m->relay[i].until)
            relay_end(m, i, false);
}

/* ---- messages ------------------------------------------------------------------------------- */

static void on_probed(struct nwr_members *m, uint16_t from, const struct nwr_msg *msg)
{
    struct watched *w = nwr_watched_find(m, msg->u.gossip.target);

    for (uint32_t i = m->nrelay; i-- > 0;)
        if (m->relay[i].target == from && m->relay[i].seq == msg->u.gossip.seq)
            relay_end(m, i, true);
    if (!w || !w->probing || w->seq != msg->u.gossip.seq)
        return;
    if (msg->u.gossip.heard) {
        w->probing = false;
        m->answered = true;
    } else if (from != w->news.ordinal) {
        w->said_no++;
    }
}

void nwr_probe_message(struct nwr_members *m, uint16_t from, const struct nwr_msg *msg)
{
    if (msg->kind == NWR_MSG_PROBE)
        answer(m, from, msg->u.gossip.seq, m->self, true);
    else if (msg->kind == NWR_MSG_PROBE_FOR)
        relay_start(m, from, msg->u.gossip.seq, msg->u.gossip.target);
    else if (msg->kind == NWR_MSG_PROBED)
        on_probed(m, from, msg);
}

/* ---- time ----------------------------------------------------------------------------------- */

static void worse(struct nwr_members *m, uint64_t by)
{
    m->health = (uint32_t)NWR_MIN(m->health + by, NWR_HEALTH_MAX);
}

static void shift(struct nwr_members *m, nwr_ms ms)
{
    for (uint32_t i = 0; i < m->nactive; i++) {
        struct watched *w = &m->w[m->active[i]];

        w->direct_at += ms;
        w->whole_at += ms;
        w->suspicion.since += ms;
    }
    for (uint32_t i = 0; i < m->nrelay; i++)
        m->relay[i].until += ms;
}

void nwr_probe_enter(struct nwr_members *m, nwr_ms now)
{
    if (m->due != UINT64_MAX && now > m->due + NWR_LATE_MS && NWR_RULE(LATE_WAKE)) {
        shift(m, now - m->due + NWR_LATE_MS);
        worse(m, 1 + (now - m->due) / 1000);
    }
    m->now = NWR_MAX(m->now, now);
}

static bool is_asked_now(const struct nwr_members *m, const struct watched *w)
{
    return (w->news.life != NWR_LIFE_DOWN && NWR_RULE(PROBE)) || w->news.incarnation == 0 ||
           m->periods % NWR_PROBE_DOWN_EVERY == 0;
}

/* The next of the shuffled list; a new shuffle after a whole round, so nobody waits longer than
 * two rounds and nobody can be foreseen. */
static void probe_next(struct nwr_members *m)
{
    for (uint32_t i = 0; i < m->n; i++) {
        struct watched *w;

        if (m->at_order == m->n)
            nwr_probe_shuffle(m);
        w = &m->w[m->order[m->at_order++]];
        if (!w->probing && is_asked_now(m, w)) {
            nwr_probe_start(m, w);
            return;
        }
    }
}

static void period(struct nwr_members *m)
{
    if (m->missed)
        worse(m, m->missed);
    else if (m->answered && m->health)
        m->health--;
    m->missed = 0;
    m->answered = false;
    m->periods++;
    m->period_at = m->now + longer(m, NWR_PROBE_PERIOD_MS);
    if (!probes_all(m)) {
        probe_next(m);
        return;
    }
    for (uint32_t i = 0; i < m->n; i++)
        if (is_asked_now(m, &m->w[i]))
            nwr_probe_start(m, &m->w[i]);
}

static bool has_news(const struct nwr_members *m)
{
    for (uint32_t i = 0; i < m->nactive; i++)
        if (m->w[m->active[i]].left)
            return true;
    return m->own_left > 0;
}

static void send_news(struct nwr_members *m)
{
    uint16_t to[NWR_NEWS_FANOUT];
    uint32_t n = has_news(m) ? nwr_members_pick(m, 0, to, NWR_COUNT(to)) : 0;

    m->news_sent = m->now;
    for (uint32_t i = 0; i < n; i++) {
        struct nwr_msg msg = {.kind = NWR_MSG_NEWS};

        nwr_members_send(m, to[i], &msg, NULL);
        m->own_left -= m->own_left > 0;
    }
    m->news_at = n && has_news(m) ? m->now + NWR_NEWS_MS : UINT64_MAX;
}

void nwr_members_tick(struct nwr_members *m, nwr_ms now)
{
    if (now < m->due)
        return;
    nwr_probe_enter(m, now);
    for (uint32_t i = 0; i < m->nactive; i++)
        look_probe(m, &m->w[m->active[i]]);
    look_relays(m);
    if (m->now >= m->period_at)
        period(m);
    if (m->now >= m->news_at)
        send_news(m);
    nwr_probe_leave(m);
}

static nwr_ms next_of(const struct watched *w)
{
    nwr_ms at = UINT64_MAX;

    if (w->probing)
        at = w->helped ? w->whole_at : NWR_MIN(w->direct_at, w->whole_at);
    if (w->news.life == NWR_LIFE_SUSPECT)
        at = NWR_MIN(at, nwr_suspicion_ends(&w->suspicion));
    if (w->lost_at)
        at = NWR_MIN(at, w->lost_at);
    return at;
}

void nwr_probe_leave(struct nwr_members *m)
{
    m->due = NWR_MIN(m->period_at, m->news_at);
    for (uint32_t i = 0; i < m->nactive;) {
        struct watched *w = &m->w[m->active[i]];
        nwr_ms at = next_of(w);

        m->due = NWR_MIN(m->due, at);
        if (at == UINT64_MAX && w->left == 0) {
            w->active = false;
            m->active[i] = m->active[--m->nactive];
        } else {
            i++;
        }
    }
    for (uint32_t i = 0; i < m->nrelay; i++)
        m->due = NWR_MIN(m->due, m->relay[i].until);
}
