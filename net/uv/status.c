/* status.c -- statfs of the volume and the JSON of `nwrfs status` (DESIGN 15).
 *
 * Figures of other members are what their last PING or PONG carried.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "net/uv/inside.h"

#define VERSION "0.1"

void nwr_status_stat(struct nwr_peer *p, struct nwr_msg *ping)
{
    struct nwr_store_stat st = {0};

    if (!p->store)
        return;
    p->store->stat(p->store, &st);
    ping->u.stat.records = st.records;
    ping->u.stat.bytes = st.block_bytes;
    ping->u.stat.bytes_total = st.bytes_total;
    ping->u.stat.bytes_free = st.bytes_free;
}

/* Capacity of the members together, divided by the number of copies. */
static void statfs_of(struct nwr_peer *p, struct nwr_response *res)
{
    const struct nwr_ring *ring = nwr_node_ring(p->node);
    struct nwr_store_stat st = {0};
    uint32_t known = 1;

    p->store->stat(p->store, &st);
    for (uint32_t i = 0; i < p->nmate; i++) {
        const struct nwr_store_stat *m = &p->mate[i].stat;

        if (m->bytes_total == 0)
            continue;
        known++;
        st.bytes_total += m->bytes_total;
        st.bytes_free += m->bytes_free;
        st.records += m->records;
    }
    known = NWR_MIN(known, ring ? ring->n : 1U);
    res->bytes_total = st.bytes_total / known;
    res->bytes_free = st.bytes_free / known;
    res->files = st.records / known;
}

/* ---- JSON ---- */

static void put(struct nwr_out *o, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(struct nwr_out *o, const char *format, ...)
{
    char text[512];
    va_list ap;
    int n;

    va_start(ap, format);
    n = vsnprintf(text, sizeof(text), format, ap);
    va_end(ap);
    nwr_assert(n >= 0 && (size_t)n < sizeof(text));
    nwr_out_raw(o, text, (size_t)n);
}

static char *text_of(struct nwr_out *o)
{
    nwr_out_u8(o, 0);
    return (char *)o->data;
}

struct shown {
    const char *state;
    uint64_t since_s;
    bool known; /* the figures are */
    uint64_t records, bytes;
};

/* Addresses are digits, dots, colons and brackets: nothing to escape. A copy may say anything. */
static void put_address(struct nwr_out *o, const char *address)
{
    for (; *address; address++)
        if (*address > ' ' && *address < 127 && *address != '"' && *address != '\\')
            nwr_out_u8(o, (uint8_t)*address);
}

/* What this node keeps for it, and how old the oldest of that is. */
static void put_hints(struct nwr_peer *p, struct nwr_out *o, uint16_t ordinal)
{
    const struct nwr_kept *kept = nwr_node_hints(p->node, ordinal);
    struct timespec ts;
    uint64_t now, taken = kept->oldest >> 16;

    clock_gettime(CLOCK_REALTIME, &ts);
    now = (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
    put(o, ",\"hints\":%" PRIu64 ",\"lag_s\":%" PRIu64, kept->count,
        kept->count && now > taken ? (now - taken) / 1000 : 0);
}

/* The id of the key that its connection was made with, or of the one that this node offers. */
static void put_key(struct nwr_peer *p, struct nwr_out *o, const struct nwr_member *m)
{
    const struct nwr_mate *mate = nwr_mesh_mate(p, m->ordinal);
    const char *key = mate && mate->up ? nwr_conn_key(mate->up->conn) : "";

    if (m->id == p->id && p->tls)
        key = nwr_tls_context_first(p->tls);
    if (*key)
        put(o, ",\"key\":\"%s\"}", key);
    else
        put(o, ",\"key\":null}");
}

static void put_member(struct nwr_peer *p, struct nwr_out *o, const struct nwr_member *m,
                       const struct shown *s)
{
    put(o, "{\"ordinal\":%u,\"id\":\"%016" PRIx64 "\",\"address\":\"", m->ordinal, m->id);
    put_address(o, m->address);
    put(o, "\",\"state\":\"%s\",\"since_s\":%" PRIu64 ",\"weight\":%u", s->state, s->since_s,
        m->weight ? m->weight : m->next_weight);
    if (s->known)
        put(o, ",\"records\":%" PRIu64 ",\"bytes\":%" PRIu64, s->records, s->bytes);
    else
        put(o, ",\"records\":null,\"bytes\":null");
    put_hints(p, o, m->ordinal);
    put_key(p, o, m);
}

/* Figures of a member: what its last ping said, or what gossip brought. */
static void show_figures(const struct nwr_mate *mate, const struct nwr_news *news, struct shown *s)
{
    if (mate && mate->stat.bytes_total) {
        s->known = true;
        s->records = mate->stat.records;
        s->bytes = mate->stat.block_bytes;
    } else if (news && news->incarnation) {
        s->known = true;
        s->records = news->records;
        s->bytes = news->bytes;
    }
}

static struct shown show(struct nwr_peer *p, const struct nwr_member *m,
                         const struct nwr_store_stat *own)
{
    static const char *const names[] = {"up", "suspect", "down"};
    const struct nwr_members *members = nwr_node_members(p->node);
    struct shown s = {.state = "unknown"};
    const struct nwr_news *news;
    nwr_ms now = uv_now(p->loop), since = now;
    const struct nwr_ring *ring = nwr_node_ring(p->node);
    bool joining = !m->weight, leaving = ring->joint && !m->next_weight;

    if (m->id == p->id)
        return (struct shown){joining   ? "joining"
                              : leaving ? "leaving"
                                        : "up",
                              (now - p->started) / 1000, true, own->records, own->block_bytes};
    news = members ? nwr_members_find(members, m->ordinal, &since) : NULL;
    if (news)
        s.state = names[news->life];
    if (joining || (leaving && news && news->life == NWR_LIFE_UP))
        s.state = joining ? "joining" : "leaving";
    s.since_s = (now - since) / 1000;
    show_figures(nwr_mesh_mate(p, m->ordinal), news, &s);
    return s;
}

static void put_members(struct nwr_peer *p, struct nwr_out *o, const struct nwr_ring *ring)
{
    struct nwr_store_stat own = {0};

    p->store->stat(p->store, &own);
    put(o, "\"members\":[");
    for (uint32_t i = 0; i < ring->nmember; i++) {
        struct shown s = show(p, &ring->member[i], &own);

        put(o, "%s", i ? "," : "");
        put_member(p, o, &ring->member[i], &s);
    }
    put(o, "]");
}

static void put_counters(struct nwr_peer *p, struct nwr_out *o)
{
    const struct nwr_node_counters *c = nwr_node_counters(p->node);
    const struct nwr_hints_stat *h = nwr_node_hints_stat(p->node);
    const struct nwr_scrub_state *s = nwr_node_scrub(p->node);
    struct nwr_store_stat st = {0};
    const struct {
        const char *name;
        uint64_t value;
    } all[] = {{"reads", c->reads},
               {"puts", c->puts},
               {"block_puts", c->block_puts},
               {"block_gets", c->block_gets},
               {"forwarded", c->forwarded},
               {"replicates", c->replicates},
               {"read_repairs", c->read_repairs},
               {"write_backs", c->write_backs},
               {"digests_equal", c->digests_equal},
               {"digests_differ", c->digests_differ},
               {"hedges", c->hedges},
               {"retries", c->retries},
               {"timeouts", c->timeouts},
               {"round_trips", c->round_trips},
               {"node_syncs", c->syncs},
               {"hints_taken", h->taken},
               {"hints_delivered", h->delivered},
               {"hints_refused", h->refused},
               {"compares", c->compares},
               {"compare_digest_bytes", c->compare_digest_bytes},
               {"compare_bytes", c->compare_bytes},
               {"compare_found", c->compare_found},
               {"compare_rows", c->compare_rows},
               {"store_syncs", (p->store->stat(p->store, &st), st.syncs)},
               {"store_applies", st.applies},
               {"store_reads", st.reads},
               {"pgs_copied", c->pgs_copied},
               {"pgs_erased", c->pgs_erased},
               {"pgs_doubtful", st.doubtful},
               {"scrub_bytes", s->bytes},
               {"scrub_rotten", s->rotten},
               {"scrub_repaired", s->repaired},
               {"scrub_lost", s->lost},
               {"blocks", st.blocks},
               {"segment_bytes", st.segment_bytes},
               {"segment_live", st.segment_live},
               {"disk_errors", p->disk_errors},
               {"accept_failures", p->listener.failures + p->admin.failures}};

    put(o, "\"counters\":{");
    for (size_t i = 0; i < NWR_COUNT(all); i++)
        put(o, "%s\"%s\":%" PRIu64, i ? "," : "", all[i].name, all[i].value);
    put(o, "}");
}

/* "change": null, or how far the joint ring is; all members' copies together. */
static void put_change(struct nwr_peer *p, struct nwr_out *o)
{
    struct nwr_move_state m;
    nwr_ms ms;

    if (!nwr_node_move(p->node, &m, &ms)) {
        put(o, "\"change\":null,");
        return;
    }
    ms = NWR_MAX(ms, 1);
    put(o,
        "\"change\":{\"epoch\":%" PRIu64 ",\"groups\":%u,\"done\":%u,\"bytes\":%" PRIu64
        ",\"bytes_s\":%" PRIu64 ",\"left_s\":",
        m.epoch, m.groups, m.done, m.bytes, m.bytes * 1000 / ms);
    if (m.done)
        put(o, "%" PRIu64 "},", (m.groups - m.done) * ms / m.done / 1000);
    else
        put(o, "null},");
}

/* Text of our own: no character of it needs escaping. */
static void put_wish(struct nwr_peer *p, struct nwr_out *o)
{
    const struct nwr_wish_state *w = nwr_node_wish(p->node);

    put(o, "\"wish\":{\"asked\":%" PRIu64 ",\"done\":%" PRIu64 ",\"ok\":%s,\"text\":\"%s\"},",
        w->asked, w->done, w->err ? "false" : "true", w->text);
}

/* Records this node holds; what fs shows of them may be less (net/store/index.c). */
static void put_conflicts(struct nwr_peer *p, struct nwr_out *o)
{
    struct nwr_store_stat st;

    p->store->stat(p->store, &st);
    put(o, "\"conflicts\":%" PRIu64 ",", st.conflicts);
}

char *nwr_peer_status(struct nwr_peer *p)
{
    static const struct nwr_ring none;
    const struct nwr_ring *ring = p->node ? nwr_node_ring(p->node) : NULL;
    struct nwr_out o = {0};

    if (!p->node)
        return nwr_strdup("{\"schema\":1,\"version\":\"" VERSION "\"}");
    if (!ring)
        ring = &none;
    put(&o,
        "{\"schema\":1,\"version\":\"" VERSION "\",\"volume\":\"%016" PRIx64
        "\",\"node\":\"%016" PRIx64 "\",\"ordinal\":%u,\"address\":\"%s\"",
        ring->volume, p->id, nwr_node_ordinal(p->node), p->address);
    put(&o, ",\"epoch\":%" PRIu64 ",\"n\":%u,\"w\":%u,\"r\":%u,", ring->epoch, ring->n,
        ring->nmember ? nwr_ring_w(ring, 0) : 0, ring->nmember ? nwr_ring_r(ring, 0) : 0);
    put_members(p, &o, ring);
    put(&o, ",");
    put_change(p, &o);
    put_conflicts(p, &o);
    put_counters(p, &o);
    put(&o, "}");
    return text_of(&o);
}

char *nwr_status_ring(struct nwr_peer *p)
{
    const struct nwr_ring *ring = p->node ? nwr_node_ring(p->node) : NULL;
    struct nwr_out o = {0};

    if (!ring)
        return nwr_strdup("{}");
    put(&o, "{\"schema\":1,\"epoch\":%" PRIu64 ",\"pgs\":%u,\"n\":%u,\"joint\":%s,", ring->epoch,
        ring->pgs, ring->n, ring->joint ? "true" : "false");
    put(&o, "\"replaced\":%u,\"replacement\":\"", ring->replaced);
    put_address(&o, ring->replacement);
    put(&o, "\",");
    put_change(p, &o);
    put_wish(p, &o);
    put_members(p, &o, ring);
    put(&o, "}");
    return text_of(&o);
}

char *nwr_status_repair(struct nwr_peer *p)
{
    const struct nwr_repair_state *r = nwr_node_repair(p->node);
    struct nwr_out o = {0};

    put(&o,
        "{\"schema\":1,\"asked\":%" PRIu64 ",\"done\":%" PRIu64 ",\"found\":%" PRIu64
        ",\"repaired\":%" PRIu64 ",\"left\":%u,\"peers\":%u,\"silent\":%u}",
        r->asked, r->done, r->found, r->repaired, r->left, r->peers, r->silent);
    return text_of(&o);
}

char *nwr_status_scrub(struct nwr_peer *p)
{
    const struct nwr_scrub_state *s = nwr_node_scrub(p->node);
    struct nwr_out o = {0};

    put(&o,
        "{\"schema\":1,\"asked\":%" PRIu64 ",\"done\":%" PRIu64
        ",\"groups\":%u,\"groups_done\":%u,\"records\":%" PRIu64 ",\"blocks\":%" PRIu64
        ",\"bytes\":%" PRIu64 ",\"rotten\":%" PRIu64 ",\"repaired\":%" PRIu64 ",\"lost\":%" PRIu64
        ",\"left\":%" PRIu64 ",\"doubtful\":%u}",
        s->asked, s->done, s->groups, s->groups_done, s->records, s->blocks, s->bytes, s->rotten,
        s->repaired, s->lost, s->left, s->doubtful);
    return text_of(&o);
}

/* The run's number is what the node will give it: the event is still on its way. */
char *nwr_status_begin(struct nwr_peer *p, enum nwr_node_event_kind kind, nwr_pg pg)
{
    struct nwr_node_event ev = {.kind = kind, .pg = pg};
    uint64_t asked =
        kind == NWR_EV_SCRUB ? nwr_node_scrub(p->node)->asked : nwr_node_repair(p->node)->asked;
    struct nwr_out o = {0};

    put(&o, "{\"schema\":1,\"run\":%" PRIu64 "}", asked + 1);
    nwr_drive_event(p, &ev, NULL);
    return text_of(&o);
}

bool nwr_status_answer(struct nwr_peer *p, const struct nwr_request *req, struct nwr_response *res)
{
    char *json;

    if (req->op == NWR_OP_STATFS) {
        statfs_of(p, res);
        return true;
    }
    if (req->op != NWR_OP_STATUS)
        return false;
    json = nwr_peer_status(p);
    res->data = nwr_blob_copy(json, strlen(json));
    nwr_free(json);
    return true;
}
