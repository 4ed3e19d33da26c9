/* sim_kit.c -- see sim_kit.h. */
#include "tests/sim/sim_kit.h"

struct nwr_key kit_key(nwr_pg pg, uint32_t no)
{
    return nwr_key_reg(nwr_ino_make(pg, 1, 100 + no), NWR_REG_CONTENT);
}

struct nwr_request *kit_put(const struct nwr_key *key, const char *text, nwr_wid wid,
                            const struct nwr_record *seen)
{
    struct nwr_request *req = nwr_request_new(NWR_OP_PUT, nwr_key_pg(key));
    struct nwr_write *w = nwr_request_write(req);

    w->key = *key;
    w->v.wid = wid;
    w->v.flags = NWR_V_ONCE; /* as the file system sets it */
    w->v.body = nwr_blob_copy(text, strlen(text));
    for (uint32_t i = 0; seen && i < seen->n; i++)
        nwr_write_seen(w, seen->v[i].dot, seen->v[i].wid);
    return req;
}

struct nwr_request *kit_get(const struct nwr_key *key)
{
    struct nwr_request *req = nwr_request_new(NWR_OP_READ, nwr_key_pg(key));
    struct nwr_range *r = nwr_request_range(req);

    r->prefix = *key;
    r->exact = true;
    return req;
}

struct nwr_block_id kit_block_id(nwr_pg pg, uint32_t no, nwr_wid wid)
{
    return (struct nwr_block_id){nwr_ino_make(pg, 1, 100 + no), wid, no};
}

void kit_block(struct nwr_request *req, const struct nwr_block_id *id, bool named, bool carried)
{
    struct nwr_version *v = named ? &req->write[0].v : NULL;
    struct nwr_block *b;

    if (v) {
        v->blocks = nwr_realloc(v->blocks, (v->nblocks + 1) * sizeof(*id));
        v->blocks[v->nblocks++] = *id;
    }
    if (!carried)
        return;
    b = nwr_request_block(req);
    b->id = *id;
    b->data = nwr_blob_copy(&id->wid, sizeof(id->wid));
}

enum nwr_err kit_ask_err(struct sim *s, int node, struct nwr_request *req)
{
    struct nwr_response res = sim_ask(s, node, req);
    enum nwr_err err = res.err;

    nwr_response_deinit(&res);
    return err;
}

struct nwr_dot kit_write(struct sim *s, int node, const struct nwr_key *key, const char *text,
                         nwr_wid wid, const struct nwr_record *seen)
{
    struct nwr_response res = sim_ask(s, node, kit_put(key, text, wid, seen));
    struct nwr_dot dot = res.dot;

    if (res.err)
        sim_fail(s, "a write through node %d failed: %s", node, nwr_err_name(res.err));
    nwr_response_deinit(&res);
    return dot;
}

struct nwr_record kit_read(struct sim *s, int node, const struct nwr_key *key)
{
    struct nwr_response res = sim_ask(s, node, kit_get(key));
    struct nwr_record r = {0};

    if (res.err)
        sim_fail(s, "a read through node %d failed: %s", node, nwr_err_name(res.err));
    if (res.rows.n) {
        r = res.rows.row[0].rec;
        res.rows.row[0].rec = (struct nwr_record){0};
    }
    nwr_response_deinit(&res);
    return r;
}

struct nwr_record kit_stored(struct sim *s, int node, const struct nwr_key *key)
{
    struct nwr_range range = {.prefix = *key, .exact = true};
    struct nwr_rows rows;
    struct nwr_record r = {0};

    if (sim_look(s, node, nwr_key_pg(key), &range, 1, &rows) == NWR_OK && rows.n) {
        r = rows.row[0].rec;
        rows.row[0].rec = (struct nwr_record){0};
    }
    nwr_rows_deinit(&rows);
    return r;
}

const char *kit_text(const struct nwr_record *r, char *buffer, size_t room)
{
    size_t at = 0;

    for (uint32_t i = 0; i < r->n; i++) {
        const struct nwr_blob *b = r->v[i].body;
        size_t len = b ? b->len : 0;

        if (r->v[i].flags & NWR_V_TOMBSTONE)
            continue;
        nwr_assert(at + len + 2 < room);
        if (at)
            buffer[at++] = '|';
        if (len)
            memcpy(buffer + at, b->data, len);
        at += len;
    }
    buffer[at] = 0;
    return buffer;
}

bool kit_holds(struct sim *s, int node, nwr_pg pg)
{
    const struct nwr_ring *ring = sim_ring(s, node);

    return nwr_ring_holds(ring, pg, nwr_node_ordinal(s->node[node].node));
}

nwr_pg kit_pg(struct sim *s, int node, int first)
{
    const struct nwr_ring *ring = sim_ring(s, node);
    uint16_t list[NWR_REPLICAS_MAX];

    for (nwr_pg pg = 0; pg < ring->pgs; pg++) {
        nwr_ring_place(ring, pg, list);
        if (first < 0 || sim_of_ordinal(s, list[0]) == first)
            return pg;
    }
    sim_fail(s, "no group starts at node %d", first);
}

void kit_list(struct sim *s, nwr_pg pg, int *list, int n)
{
    const struct nwr_ring *ring = sim_a_ring(s);
    uint16_t place[2 * NWR_REPLICAS_MAX];
    uint32_t m = nwr_ring_place(ring, pg, place);

    m += nwr_ring_spares(ring, pg, false, place + m);
    if (m != (uint32_t)n)
        sim_fail(s, "group %u has %u nodes, not %d", pg, m, n);
    for (int i = 0; i < n; i++)
        list[i] = sim_of_ordinal(s, place[i]);
}

void kit_remove_member(struct sim *s, int at, int node)
{
    struct nwr_node_event ev = {.kind = NWR_EV_RESHAPE};
    const struct nwr_wish_state *w = nwr_node_wish(s->node[at].node);

    ev.reshape.kind = NWR_RESHAPE_REMOVE;
    ev.reshape.ordinal = nwr_ring_find_id(sim_ring(s, at), s->node[node].id)->ordinal;
    sim_event(s, at, &ev);
    for (int i = 0; i < 200 && w->done < w->asked; i++)
        sim_run(s, 100000);
    if (w->done < w->asked || w->err)
        sim_fail(s, "node %d is not removed: %s", node, nwr_err_name(w->err));
}

void kit_isolate(struct sim *s, int node, bool cut)
{
    for (int i = 0; i < s->nnode; i++)
        if (i != node) {
            sim_cut(s, i, node, cut);
            sim_cut(s, node, i, cut);
        }
}

void kit_notice(struct sim *s)
{
    sim_run(s, 4000000);
}

struct sim *kit_three(uint64_t seed, uint8_t w, uint8_t r)
{
    struct sim *s = sim_create(seed);

    sim_members(s, 3, 16, 3, w, r);
    return s;
}

struct sim *kit_three_without_hints(uint64_t seed, uint8_t w, uint8_t r)
{
    struct sim *s = sim_create(seed);

    s->hint_bytes = 1;
    sim_members(s, 3, 16, 3, w, r);
    return s;
}

struct sim *kit_three_by_reads(uint64_t seed, uint8_t w, uint8_t r)
{
    struct sim *s = sim_create(seed);

    s->only_asked = true;
    s->hint_bytes = 1;
    sim_members(s, 3, 16, 3, w, r);
    return s;
}

static const char *text_of(struct sim *s, struct nwr_record r)
{
    kit_text(&r, s->text, sizeof(s->text));
    nwr_record_deinit(&r);
    return s->text;
}

const char *kit_stored_text(struct sim *s, int node, const struct nwr_key *key)
{
    return text_of(s, kit_stored(s, node, key));
}

const char *kit_read_text(struct sim *s, int node, const struct nwr_key *key)
{
    return text_of(s, kit_read(s, node, key));
}

void kit_write_many(struct sim *s, int node, nwr_ino dir, uint32_t from, uint32_t to, uint32_t step)
{
    for (uint32_t i = from; i < to; i += step) {
        char name[4] = {(char)('a' + i / 676), (char)('a' + i / 26 % 26), (char)('a' + i % 26)};
        struct nwr_key key = nwr_key_entry(dir, name, 3);

        kit_write(s, node, &key, name, 1000 + i, NULL);
    }
}
