/* sim_client.c -- see sim_client.h. */
#include "tests/sim/sim_client.h"

#include <stdio.h>

struct sim_client {
    struct sim_load *load;
    int no;
    int node; /* that the request under way went to */
    bool waiting;
    struct nwr_request *req; /* to be sent once more */
    uint32_t again;          /* so often the PUT under way is tried once more */
    bool in_doubt;           /* one try may have been done */
    sim_us asked_at;
    bool low;              /* the request under way asks for less than the volume's W or R */
    uint32_t first, count; /* writes of the request under way */
    struct nwr_key prefix; /* of the read under way */
    struct nwr_rows seen;  /* records last read, by key */
};

static void turn(struct sim *s, void *arg);

/* ---- names ----------------------------------------------------------------------------------- */

static nwr_ino directory(nwr_pg pg)
{
    return nwr_ino_make(pg, 1, 10);
}

static struct nwr_key register_key(nwr_pg pg, uint64_t no)
{
    return nwr_key_reg(nwr_ino_make(pg, 1, 100 + no), NWR_REG_CONTENT);
}

static struct nwr_key entry_key(nwr_pg pg, uint64_t no)
{
    char name = (char)('a' + no);

    return nwr_key_entry(directory(pg), &name, 1);
}

struct nwr_request *sim_scan(nwr_pg pg)
{
    struct nwr_request *req = nwr_request_new(NWR_OP_READ, pg);
    struct nwr_range *r = nwr_request_range(req);

    r->prefix.len = 2;
    r->prefix.b[0] = (uint8_t)(pg >> 8);
    r->prefix.b[1] = (uint8_t)pg;
    return req;
}

/* ---- what a client remembers ----------------------------------------------------------------- */

static void remember(struct sim_client *c, const struct nwr_rows *rows)
{
    for (uint32_t i = 0; i < rows->n; i++) {
        struct nwr_row *row = nwr_rows_at(&c->seen, &rows->row[i].key);

        nwr_record_deinit(&row->rec);
        nwr_record_copy(&row->rec, &rows->row[i].rec);
    }
}

static void name_seen(struct sim_client *c, struct nwr_write *w)
{
    const struct nwr_row *row = nwr_rows_find(&c->seen, &w->key);
    bool some = sim_below(c->load->s, 8) == 0;

    for (uint32_t i = 0; row && i < row->rec.n; i++)
        if (!some || sim_below(c->load->s, 2))
            nwr_write_seen(w, row->rec.v[i].dot, row->rec.v[i].wid);
}

/* ---- requests -------------------------------------------------------------------------------- */

static nwr_wid new_wid(struct sim_client *c)
{
    return ((nwr_rng_next(&c->load->s->rng) | 1) << 32) | c->load->history.n;
}

static void add_write(struct sim_client *c, struct nwr_request *req, const struct nwr_key *key,
                      bool tombstone, nwr_ino ref, bool block)
{
    struct nwr_write *w = nwr_request_write(req);

    w->key = *key;
    w->v.wid = new_wid(c);
    w->v.flags = (uint8_t)(NWR_V_ONCE | (tombstone ? NWR_V_TOMBSTONE : 0));
    w->v.ref = ref;
    w->v.body = sim_history_body(w->v.wid, key);
    name_seen(c, w);
    if (block) {
        struct nwr_block_id id = {nwr_ino_make(req->pg, 1, 100), w->v.wid, 0};
        struct nwr_block *b = nwr_request_block(req);

        w->v.blocks = nwr_memdup(&id, sizeof(id));
        w->v.nblocks = 1;
        b->id = id;
        b->data = sim_history_body(w->v.wid, key);
    }
    sim_history_add(&c->load->history, w);
    c->count++;
}

static struct nwr_request *put_register(struct sim_client *c, nwr_pg pg)
{
    struct nwr_request *req = nwr_request_new(NWR_OP_PUT, pg);
    struct nwr_key key = register_key(pg, sim_below(c->load->s, SIM_REGISTERS));
    bool tombstone = sim_below(c->load->s, 5) == 0;
    bool block = !tombstone && sim_below(c->load->s, 3) == 0;

    add_write(c, req, &key, tombstone, 0, block);
    return req;
}

static struct nwr_request *put_entry(struct sim_client *c, nwr_pg pg)
{
    struct nwr_request *req = nwr_request_new(NWR_OP_PUT, pg);
    struct nwr_key key = entry_key(pg, sim_below(c->load->s, SIM_NAMES));
    nwr_ino file = nwr_ino_make(pg, 2, 1000 + c->load->history.n);
    struct nwr_key content = nwr_key_reg(file, NWR_REG_CONTENT);

    if (sim_below(c->load->s, 4) == 0) {
        add_write(c, req, &key, true, 0, false);
        return req;
    }
    add_write(c, req, &key, false, file, false);
    add_write(c, req, &content, false, 0, sim_below(c->load->s, 3) == 0);
    return req;
}

static struct nwr_request *get(struct sim_client *c, nwr_pg pg)
{
    struct nwr_request *req = nwr_request_new(NWR_OP_READ, pg);
    struct nwr_range *r = nwr_request_range(req);

    if (sim_below(c->load->s, 2)) {
        r->prefix = register_key(pg, sim_below(c->load->s, SIM_REGISTERS));
        r->exact = true;
    } else {
        r->prefix = nwr_key_entries(directory(pg));
        r->follow = true;
    }
    c->prefix = r->prefix;
    return req;
}

static struct nwr_request *ids(struct sim_client *c)
{
    struct nwr_request *req = nwr_request_new(NWR_OP_IDS, 0);

    req->count = 1 + sim_below(c->load->s, 2000);
    return req;
}

/* ---- answers --------------------------------------------------------------------------------- */

static void check_read(struct sim_client *c, const struct nwr_rows *rows)
{
    struct sim_load *l = c->load;

    oracle_invented(l->s, &l->history, rows);
    if (!l->strong || c->low)
        return;
    oracle_lost(l->s, &l->history, &c->prefix, rows, c->asked_at);
    oracle_returned(l->s, &l->history, &c->prefix, rows, c->asked_at);
    /* What an entry refers to comes with it. */
    for (uint32_t i = 0; i < rows->n; i++)
        for (uint32_t j = 0; j < rows->row[i].rec.n; j++) {
            nwr_ino ref = rows->row[i].rec.v[j].ref;
            struct nwr_key object = nwr_key_object(ref);

            if (ref && rows->row[i].key.b[2] == 'E')
                oracle_lost(l->s, &l->history, &object, rows, c->asked_at);
        }
    if (!l->power_loss)
        oracle_note_shown(l->s, &l->history, rows, c->asked_at);
}

static void check_ids(struct sim_load *l, uint64_t first, uint64_t count, uint16_t ordinal)
{
    for (uint32_t i = 0; i < l->ngiven && !l->old_disks; i++)
        if (l->given[i][2] == ordinal && first < l->given[i][1] && l->given[i][0] < first + count)
            sim_fail(l->s, "inode counters %llu.. of %u were given twice",
                     (unsigned long long)first, ordinal);
    l->given = nwr_grow(l->given, &l->capgiven, l->ngiven + 1, sizeof(*l->given));
    l->given[l->ngiven][0] = first;
    l->given[l->ngiven][1] = first + count;
    l->given[l->ngiven][2] = ordinal;
    l->ngiven++;
}

static void note_fate(struct sim_client *c, enum nwr_err err)
{
    struct sim_history *h = &c->load->history;

    for (uint32_t i = 0; i < c->count; i++) {
        struct sim_write *w = &h->w[c->first + i];

        if (err == NWR_OK)
            w->fate = SIM_ACKED;
        else if (err == NWR_E_HOSTDOWN && !c->in_doubt)
            w->fate = SIM_REFUSED;
        if (err == NWR_OK && !w->known_at)
            w->known_at = c->load->s->now;
    }
}

static void tell_shown(struct sim *s, const struct nwr_key *key, const struct nwr_version *v)
{
    sim_tell(s, "    shows %llx of key %llx, dot %u.%llu", (unsigned long long)v->wid,
             (unsigned long long)nwr_hash64(key->b, key->len, 0), nwr_actor_ordinal(v->dot.actor),
             (unsigned long long)v->dot.counter);
}

static void tell(struct sim *s, const struct sim_client *c, int node, const struct nwr_request *req,
                 struct nwr_response *res)
{
    sim_tell(s, "client %d at node %d: op %d%s group %u: %s, %u acks, dot %u.%llu", c->no, node,
             req->op, c->low ? " for less" : "", req->pg, nwr_err_name(res->err), res->acks,
             nwr_actor_ordinal(res->dot.actor), (unsigned long long)res->dot.counter);
    for (uint32_t i = 0; i < req->nwrite; i++) {
        const struct nwr_write *w = &req->write[i];

        sim_tell(s, "    write %llx of key %llx%s", (unsigned long long)w->v.wid,
                 (unsigned long long)nwr_hash64(w->key.b, w->key.len, 0),
                 w->v.flags & NWR_V_TOMBSTONE ? " tombstone" : "");
        for (uint32_t k = 0; k < w->nseen; k++)
            sim_tell(s, "        replaces %llx", (unsigned long long)w->seen[k].wid);
    }
    for (uint32_t i = 0; i < res->rows.n; i++)
        for (uint32_t k = 0; k < res->rows.row[i].rec.n; k++)
            tell_shown(s, &res->rows.row[i].key, &res->rows.row[i].rec.v[k]);
}

static void on_done(struct sim *s, int node, struct nwr_request *req, struct nwr_response *res);

/* The same write_ids, maybe through another node: as a mount sends a creation. */
static void send_again(struct sim *s, void *arg)
{
    struct sim_client *c = arg;
    struct nwr_request *req = c->req;

    c->req = NULL;
    c->node = (c->node + (int)sim_below(s, 2)) % s->nnode;
    if (c->load->stopping || !sim_is_awake(s, c->node) || !s->node[c->node].joined) {
        nwr_request_destroy(req);
        sim_at(s, s->now + 50000, turn, c);
        return;
    }
    c->waiting = true;
    sim_submit(s, c->node, req, on_done);
}

static bool is_tried_again(struct sim_client *c, const struct nwr_request *req, enum nwr_err err)
{
    if (err == NWR_OK || c->again == 0)
        return false;
    c->again--;
    c->in_doubt |= err != NWR_E_HOSTDOWN;
    c->req = nwr_request_copy(req);
    c->req->user = c;
    sim_at(c->load->s, c->load->s->now + sim_below(c->load->s, 40000), send_again, c);
    return true;
}

static void on_done(struct sim *s, int node, struct nwr_request *req, struct nwr_response *res)
{
    struct sim_client *c = req->user;
    struct sim_load *l = c->load;

    tell(s, c, node, req, res);
    l->ops++;
    l->failed += res->err != NWR_OK;
    c->waiting = false;
    if (is_tried_again(c, req, res->err))
        return;
    if (req->op == NWR_OP_PUT) {
        note_fate(c, res->err);
    } else if (res->err == NWR_OK && req->op == NWR_OP_READ) {
        check_read(c, &res->rows);
        remember(c, &res->rows);
    } else if (res->err == NWR_OK && req->op == NWR_OP_IDS) {
        check_ids(l, res->first, req->count, res->ordinal);
    }
    sim_at(s, s->now + sim_below(s, 40000), turn, c);
}

void sim_load_must_put(struct sim_load *l, int node, nwr_pg pg)
{
    struct sim_client *c = l->client[0];
    /* Not one with the siblings of a bad time: there is a limit of them. */
    struct nwr_key key = register_key(pg, SIM_REGISTERS + (uint64_t)node);
    struct nwr_request *req = nwr_request_new(NWR_OP_PUT, pg);
    struct nwr_response res;

    c->first = l->history.n;
    c->count = 0;
    add_write(c, req, &key, false, 0, false);
    res = sim_ask(l->s, node, req);
    if (res.err)
        sim_fail(l->s, "[live] all is healed, but a put to group %u through node %d fails: %s", pg,
                 node, nwr_err_name(res.err));
    note_fate(c, NWR_OK);
    nwr_response_deinit(&res);
}

/* Some ask for less: what they are told holds by itself (DESIGN 5: W acknowledgements, whoever
 * gives them), but it takes W + R > N for another to see it before all is healed. */
static void ask_less(struct sim_client *c, struct nwr_request *req)
{
    struct sim_load *l = c->load;

    c->low = false;
    if (l->low && sim_below(l->s, 3) == 0) {
        req->w = req->r = 1;
        c->low = true;
    }
    if (l->sloppy && sim_below(l->s, 3) == 0)
        req->sloppy = c->low = true;
    for (uint32_t i = 0; i < c->count; i++)
        l->history.w[c->first + i].low = c->low;
}

/* ---- turns ----------------------------------------------------------------------------------- */

static void turn(struct sim *s, void *arg)
{
    struct sim_client *c = arg;
    struct sim_load *l = c->load;
    nwr_pg pg = (nwr_pg)sim_below(s, l->pgs);
    struct nwr_request *req;
    uint64_t what;

    if (l->stopping || c->waiting || c->req)
        return;
    c->node = (c->no + (int)sim_below(s, 2)) % s->nnode;
    if (!sim_is_awake(s, c->node) || !s->node[c->node].joined) {
        sim_at(s, s->now + 50000, turn, c);
        return;
    }
    c->first = l->history.n;
    c->count = 0;
    what = sim_below(s, 20);
    if (what < 9)
        req = get(c, pg);
    else if (what < 14)
        req = put_register(c, pg);
    else if (what < 19)
        req = put_entry(c, pg);
    else
        req = ids(c);
    req->level = l->power_loss || sim_below(s, 4) == 0 ? NWR_LEVEL_DISK : NWR_LEVEL_MEMORY;
    req->user = c;
    ask_less(c, req);
    c->in_doubt = false;
    c->again = req->op == NWR_OP_PUT && c->first % 3 == 0 ? 2 : 0;
    if (c->again)
        nwr_request_may_repeat(req);
    c->asked_at = s->now;
    c->waiting = true;
    sim_submit(s, c->node, req, on_done);
}

/* Requests of this node's clients are gone with it. */
static void on_crash(void *arg, int node)
{
    struct sim_load *l = arg;

    for (int i = 0; i < SIM_CLIENTS; i++) {
        struct sim_client *c = l->client[i];

        if (!c->waiting || c->node != node)
            continue;
        c->waiting = false;
        sim_at(l->s, l->s->now + 100000, turn, c);
    }
}

static bool has(struct sim_load *l, int node, struct sim_write *w)
{
    struct nwr_range exact = {.prefix = w->key, .exact = true};
    struct nwr_store_faults *f = nwr_store_mem_faults(l->s->node[node].store), were = *f;
    struct nwr_rows rows = {0};
    bool yes;

    f->bit_rot = 0;
    yes = sim_look(l->s, node, nwr_key_pg(&w->key), &exact, 1, &rows) == NWR_OK && rows.n;
    *f = were;
    l->history.looks++;
    yes = yes && sim_history_there(&l->history, w, &rows.row[0].rec);
    nwr_rows_deinit(&rows);
    return yes;
}

/* Who leaves hands over what it has. Who was cut off then never heard that it leaves, and what it
 * alone took, for less than W, goes with it: that is all that W = 1 promises. */
static void on_removal(void *arg, int node)
{
    struct sim_load *l = arg;
    struct sim *s = l->s;

    if (sim_heard_that_it_leaves(s, node))
        return;
    for (uint32_t i = 0; i < l->history.n; i++) {
        struct sim_write *w = &l->history.w[i];
        bool left = w->low && w->known_at && has(l, node, w);

        for (int k = 0; k < s->nnode && left; k++)
            left = k == node || s->node[k].removed || !s->node[k].store || !has(l, k, w);
        w->left |= left;
    }
}

void sim_load_start(struct sim_load *l, struct sim *s, uint16_t pgs, bool strong, bool power_loss)
{
    *l = (struct sim_load){.s = s, .pgs = pgs, .strong = strong, .power_loss = power_loss};
    sim_on_crash(s, on_crash, l);
    sim_on_removal(s, on_removal, l);
    for (int i = 0; i < SIM_CLIENTS; i++) {
        l->client[i] = nwr_zalloc(sizeof(*l->client[i]));
        l->client[i]->load = l;
        l->client[i]->no = i;
        sim_at(s, s->now + sim_below(s, 20000), turn, l->client[i]);
    }
}

void sim_load_stop(struct sim_load *l)
{
    l->stopping = true;
}

/* A client whose last turn is still to come has two then, and loses one of them. */
void sim_load_go_on(struct sim_load *l)
{
    l->stopping = false;
    for (int i = 0; i < SIM_CLIENTS; i++)
        sim_at(l->s, l->s->now + sim_below(l->s, 20000), turn, l->client[i]);
}

void sim_load_deinit(struct sim_load *l)
{
    for (int i = 0; i < SIM_CLIENTS; i++) {
        nwr_rows_deinit(&l->client[i]->seen);
        nwr_request_destroy(l->client[i]->req);
        nwr_free(l->client[i]);
    }
    sim_history_deinit(&l->history);
    nwr_free(l->given);
}
