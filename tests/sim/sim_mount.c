/* sim_mount.c -- see sim_mount.h. */
#include "tests/sim/sim_mount.h"

#include <errno.h>

#include "tests/sim/sim_int.h"

enum {
    KERNEL_US = 5 /* until a program goes on */
};

static void pump_soon(struct sim_mount *m);
static void step(struct sim_mount *m, struct nwr_fs_event *ev);

/* ---- what is wrong on purpose (defect_test.c) ------------------------------------------------ */

static bool seldom(struct sim *s)
{
    return sim_below(s, 64) == 0;
}

static void hide_names(struct nwr_rows *rows)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < rows->n; i++) {
        const struct nwr_key *key = &rows->row[i].key;

        if (key->b[2] == 'E' && nwr_hash64(key->b, key->len, 0) % 16 == 0)
            nwr_record_deinit(&rows->row[i].rec);
        else
            rows->row[kept++] = rows->row[i];
    }
    rows->n = kept;
}

static void defect_volume(struct sim_mount *m, const struct nwr_request *req,
                          struct nwr_response *res)
{
    if (m->s->defect == SIM_HIDES_NAMES && m->no == 0)
        hide_names(&res->rows);
    if (m->s->defect == SIM_BREAKS_READS && req->op == NWR_OP_BLOCK_GET && seldom(m->s))
        res->err = NWR_E_CORRUPT;
}

/* False: the reply goes no further. */
static bool defect_reply(struct sim_mount *m, struct sim_program *p, struct nwr_fs_reply *r)
{
    if (m->s->defect == SIM_SHOWS_OTHER && r->kind == NWR_REPLY_DATA && r->nslice) {
        nwr_blob_unref(r->slice[0].blob);
        r->slice[0].blob = NULL;
    }
    if (m->s->defect == SIM_REPLIES_TWICE && seldom(m->s))
        p->answered = true;
    return m->s->defect != SIM_NEVER_REPLIES || !seldom(m->s);
}

/* ---- replies --------------------------------------------------------------------------------- */

static void resume(struct sim *s, void *arg)
{
    struct sim_program *p = arg;

    (void)s;
    sim_fiber_resume(p->fiber);
}

static void check_in_time(struct sim_mount *m, const struct sim_program *p)
{
    sim_us from = NWR_MAX(p->asked_at, m->s->node[m->node].resumed_at);

    if (m->s->now > from + SIM_CALL_MS * 1000)
        sim_fail(m->s, "[reply] mount %d answers op %d after %llu us", m->no, p->req->op,
                 (unsigned long long)(m->s->now - from));
}

static void replied(struct sim_mount *m, struct nwr_fs_effect *e)
{
    struct sim_program *p = e->req->user;

    if (p && !defect_reply(m, p, &e->reply)) {
        nwr_fs_reply_deinit(&e->reply);
        return;
    }
    if (p && p->answered)
        sim_fail(m->s, "[reply] mount %d answers op %d twice", m->no, e->req->op);
    if (p) {
        check_in_time(m, p);
        p->answered = true;
        p->reply = e->reply;
        p->req = NULL;
        sim_fold_all(m->s, 3, (uint64_t)e->req->op, (uint64_t)e->reply.err);
        sim_at(m->s, m->s->now + KERNEL_US, resume, p);
    } else {
        nwr_fs_reply_deinit(&e->reply);
    }
    nwr_fs_req_destroy(e->req);
}

/* ---- the volume ------------------------------------------------------------------------------ */

static bool forget_pending(struct sim_mount *m, const struct nwr_request *req)
{
    for (uint32_t i = 0; i < m->npending; i++)
        if (m->pending[i] == req) {
            m->pending[i] = m->pending[--m->npending];
            return true;
        }
    return false;
}

static void on_volume(struct sim *s, int node, struct nwr_request *req, struct nwr_response *res)
{
    struct sim_mount *m = req->user;
    struct nwr_fs_event ev = {.kind = NWR_FS_EV_VOLUME, .vreq = req, .res = res};

    (void)s;
    (void)node;
    if (!forget_pending(m, req))
        return;
    defect_volume(m, req, res);
    if (m->on_rows && res->err == NWR_OK && req->op == NWR_OP_READ)
        m->on_rows(m, &res->rows);
    step(m, &ev);
}

/* ---- steps ----------------------------------------------------------------------------------- */

static void carry_out(struct sim_mount *m, struct nwr_fs_effect *e)
{
    switch (e->kind) {
    case NWR_FS_REPLY: replied(m, e); break;
    case NWR_FS_VOLUME:
        m->wanted = nwr_grow(m->wanted, &m->capwanted, m->nwanted + 1, sizeof(*m->wanted));
        m->wanted[m->nwanted++] = e->vreq;
        break;
    case NWR_FS_INVAL_INODE:
        nwr_assert(m->ninval < NWR_COUNT(m->inval));
        m->inval[m->ninval++] = e->node;
        break;
    case NWR_FS_LOG: sim_tell(m->s, "mount %d: %s", m->no, e->text); break;
    case NWR_FS_SPOOL: sim_fail(m->s, "a mount without a spool uses it");
    case NWR_FS_INVAL_ENTRY: break;
    }
}

static void ticked(struct sim *s, void *arg)
{
    struct sim_mount *m = arg;
    struct nwr_fs_event ev = {.kind = NWR_FS_EV_TICK};

    if (!m->core || m->tick > s->now / 1000)
        return;
    if (!sim_is_awake(s, m->node)) {
        sim_at(s, s->node[m->node].paused_until + 1, ticked, m);
        return;
    }
    m->tick = UINT64_MAX;
    step(m, &ev);
}

static void schedule_tick(struct sim_mount *m)
{
    nwr_ms at = nwr_mount_deadline(m->core);

    if (at == UINT64_MAX)
        return;
    at = NWR_MAX(at, m->s->now / 1000 + 1);
    if (at >= m->tick)
        return;
    m->tick = at;
    sim_at(m->s, at * 1000, ticked, m);
}

static void step(struct sim_mount *m, struct nwr_fs_event *ev)
{
    struct nwr_fs_effects out = {0};
    struct sim_node *sn = &m->s->node[m->node];

    ev->now = m->s->now / 1000;
    ev->wall = (nwr_ns)(1700000000000 + (int64_t)ev->now + sn->clock_skew_ms) * 1000000;
    nwr_mount_step(m->core, ev, &out);
    nwr_mount_check(m->core);
    for (uint32_t i = 0; i < out.n; i++) {
        carry_out(m, &out.e[i]);
        nwr_free(out.e[i].text);
    }
    nwr_free(out.e);
    schedule_tick(m);
    if (m->nwanted || m->ninval)
        pump_soon(m);
}

static void submit_wanted(struct sim_mount *m)
{
    uint32_t life = m->life;

    /* A node may die of what it is asked, and the mount with it. */
    while (m->core && m->life == life && m->nwanted) {
        struct nwr_request *req = m->wanted[0];

        memmove(m->wanted, m->wanted + 1, --m->nwanted * sizeof(*m->wanted));
        m->pending = nwr_grow(m->pending, &m->cappending, m->npending + 1, sizeof(*m->pending));
        m->pending[m->npending++] = req;
        req->user = m;
        if (m->on_put)
            m->on_put(m, req);
        sim_submit(m->s, m->node, req, on_volume);
    }
}

static void pump(struct sim *s, void *arg)
{
    struct sim_mount *m = arg;
    struct sim_program *p = m->program;

    m->pumping = false;
    if (!m->core)
        return;
    if (!sim_is_awake(s, m->node)) {
        m->pumping = true;
        sim_at(s, s->node[m->node].paused_until + 1, pump, m);
        return;
    }
    while (m->ninval) {
        struct nwr_fs_event ev = {.kind = NWR_FS_EV_INVALED, .node = m->inval[--m->ninval]};

        step(m, &ev);
    }
    for (uint32_t i = 0; i < m->nforget; i++) {
        struct nwr_fs_event ev = {.kind = NWR_FS_EV_REQUEST, .req = m->forget[i]};

        step(m, &ev);
    }
    m->nforget = 0;
    if (p && p->req && !p->sent) {
        struct nwr_fs_event ev = {.kind = NWR_FS_EV_REQUEST, .req = p->req};

        p->sent = true;
        step(m, &ev);
    }
    submit_wanted(m);
}

static void pump_soon(struct sim_mount *m)
{
    if (m->pumping)
        return;
    m->pumping = true;
    sim_at(m->s, m->s->now, pump, m);
}

/* ---- lives ----------------------------------------------------------------------------------- */

void sim_mount_kill(struct sim_mount *m)
{
    struct sim_program *p = m->program;

    if (!m->core)
        return;
    sim_tell(m->s, "mount %d dies", m->no);
    nwr_mount_destroy(m->core);
    m->core = NULL;
    m->life++;
    m->npending = m->ninval = 0;
    for (uint32_t i = 0; i < m->nwanted; i++)
        nwr_request_destroy(m->wanted[i]);
    for (uint32_t i = 0; i < m->nforget; i++)
        nwr_fs_req_destroy(m->forget[i]);
    m->nwanted = m->nforget = 0;
    if (!p || p->answered)
        return;
    /* What was sent went with the core. */
    if (!p->sent)
        nwr_fs_req_destroy(p->req);
    p->req = NULL;
    p->answered = true;
    p->reply = (struct nwr_fs_reply){.err = ENOTCONN};
    sim_at(m->s, m->s->now + KERNEL_US, resume, p);
}

static void on_crash(void *arg, int node)
{
    struct sim_mount *m = arg;

    if (m->node == node)
        sim_mount_kill(m);
}

bool sim_mount_can_start(const struct sim_mount *m)
{
    return sim_is_awake(m->s, m->node) && m->s->node[m->node].joined;
}

void sim_mount_start(struct sim_mount *m)
{
    const struct nwr_ring *r = sim_ring(m->s, m->node);
    struct nwr_mount_config config = {.uid = 1000, .gid = 1000};

    nwr_assert(!m->core && sim_mount_can_start(m));
    config.info = (struct nwr_volume_info){
        .id = r->volume, .pgs = r->pgs, .n = r->n, .w = r->w, .r = r->r, .uid = 1000, .gid = 1000};
    config.seed = nwr_rng_next(&m->s->rng);
    m->core = nwr_mount_create(&config);
    m->tick = UINT64_MAX;
    sim_tell(m->s, "mount %d starts at node %d", m->no, m->node);
}

void sim_mount_init(struct sim_mount *m, struct sim *s, int no, int node)
{
    *m = (struct sim_mount){.s = s, .no = no, .node = node};
    sim_on_crash(s, on_crash, m);
    sim_on_removal(s, on_crash, m);
}

bool sim_mount_move(struct sim_mount *m)
{
    struct sim *s = m->s;

    nwr_assert(!m->core);
    for (int n = 0; n < s->nnode; n++)
        if (sim_is_awake(s, n) && s->node[n].joined && !s->node[n].removed) {
            m->node = n;
            return true;
        }
    return false;
}

void sim_mount_deinit(struct sim_mount *m)
{
    nwr_assert(!m->program || m->program->answered);
    sim_mount_kill(m);
    nwr_free(m->pending);
    nwr_free(m->wanted);
}

/* ---- programs -------------------------------------------------------------------------------- */

static void enter(void *arg)
{
    struct sim_program *p = arg;

    p->main(p);
}

void sim_program_start(struct sim_program *p, struct sim_mount *m,
                       void (*main)(struct sim_program *p), void *arg)
{
    *p = (struct sim_program){.m = m, .main = main, .arg = arg, .answered = true};
    p->pid = 100 + (uint32_t)m->no;
    p->fiber = sim_fiber_create(enter, p);
    m->program = p;
    sim_at(m->s, m->s->now, resume, p);
}

bool sim_program_ended(const struct sim_program *p)
{
    return sim_fiber_ended(p->fiber);
}

void sim_program_deinit(struct sim_program *p)
{
    sim_fiber_destroy(p->fiber);
    p->m->program = NULL;
}

void sim_sleep(struct sim_program *p, sim_us us)
{
    sim_at(p->m->s, p->m->s->now + us, resume, p);
    sim_fiber_wait(p->fiber);
}

void sim_forget(struct sim_program *p, struct nwr_fs_req *req)
{
    struct sim_mount *m = p->m;

    nwr_assert(m->core && m->nforget < NWR_COUNT(m->forget));
    m->forget[m->nforget++] = req;
    pump_soon(m);
}

struct nwr_fs_reply sim_call(struct sim_program *p, struct nwr_fs_req *req)
{
    struct nwr_fs_reply reply = {.err = ENOTCONN};

    if (!p->m->core) {
        nwr_fs_req_destroy(req);
        return reply;
    }
    req->uid = req->gid = 1000;
    req->pid = p->pid;
    req->process = p->pid;
    req->user = p;
    p->req = req;
    p->sent = p->answered = false;
    p->asked_at = p->m->s->now;
    pump_soon(p->m);
    sim_fiber_wait(p->fiber);
    nwr_assert(p->answered);
    reply = p->reply;
    p->reply = (struct nwr_fs_reply){0};
    return reply;
}
