/* pull.c -- getting blocks by name: from the own store, else from other replicas, hedged.
 *
 *     HERE --found--> next block, or end
 *       \--not found or rotten--> ASKING one replica after another --found--> next block, or end
 *
 * One block at a time: blocks are large and callers take what fits one message.
 */
#include "net/core/job.h"

#include "net/core/scrub.h"

struct pull {
    struct nwr_job job;
    nwr_pg pg;
    struct nwr_block_id *id;
    uint32_t nid;
    struct nwr_block *got;
    uint32_t ngot;
    size_t bytes, bytes_max;
    bool not_here;
    uint16_t but;
    struct nwr_block here; /* id of the store op that is out */
    enum nwr_err here_err;
    uint16_t list[(NWR_LISTS + 1) * NWR_REPLICAS_MAX];
    bool asked[(NWR_LISTS + 1) * NWR_REPLICAS_MAX];
    uint32_t m, of_list, out;
    bool silent; /* one was asked and did not answer, or is not there */
    bool rotten;
    nwr_ms deadline;
};

static void next_block(struct nwr_node *n, struct pull *p);

static struct pull *of(struct nwr_job *j)
{
    return nwr_container_of(j, struct pull, job);
}

static void found(struct nwr_node *n, struct pull *p, struct nwr_blob **data,
                  struct nwr_block_id **refs, uint32_t *nrefs)
{
    p->got = nwr_realloc(p->got, (p->ngot + 1) * sizeof(*p->got));
    p->got[p->ngot] = (struct nwr_block){p->id[p->ngot], *data, *refs, *nrefs};
    p->bytes += (*data)->len;
    p->ngot++;
    *data = NULL;
    *refs = NULL;
    *nrefs = 0;
    nwr_job_forget_calls(n, &p->job);
    next_block(n, p);
}

/* It is there: it rotted, or the disk does not give it. */
static bool is_unreadable(enum nwr_err err)
{
    return err == NWR_E_CORRUPT || err == NWR_E_IO;
}

/* What is had already is of use to the caller, unless the first is missing. */
static void not_found(struct nwr_node *n, struct pull *p)
{
    enum nwr_err err = NWR_E_NOENT;

    if (p->rotten || is_unreadable(p->here_err))
        err = NWR_E_CORRUPT;
    else if (p->silent)
        err = n->now >= p->deadline ? NWR_E_TIMEDOUT : NWR_E_HOSTDOWN;
    nwr_job_end(n, &p->job, p->ngot ? NWR_OK : err);
}

/* Asks the next replica that is up. False: there is none. */
static bool ask_next(struct nwr_node *n, struct pull *p)
{
    struct nwr_msg m = {.kind = NWR_MSG_BLOCK_GET, .pg = p->pg};

    for (uint32_t i = 0; i < p->m; i++) {
        if (p->asked[i] || p->list[i] == n->ordinal || p->list[i] == p->but ||
            !NWR_RULE(BLOCK_ELSEWHERE))
            continue;
        if (!nwr_is_up(n, p->list[i])) {
            p->silent |= i < p->of_list;
            continue;
        }
        p->asked[i] = true;
        p->out++;
        m.u.block.id = p->id[p->ngot];
        nwr_call(n, &p->job, p->list[i], i, &m);
        nwr_job_wake(n, &p->job, NWR_MIN(n->now + NWR_RETRY_READ_MS, p->deadline));
        return true;
    }
    return false;
}

/* The next nodes may hold it for one of the list. */
static void ask_others(struct nwr_node *n, struct pull *p)
{
    struct nwr_sides sides;

    nwr_ring_sides(&n->ring, p->pg, &sides);
    p->m = p->of_list = sides.n;
    for (uint32_t i = 0; i < sides.n; i++)
        p->list[i] = sides.side[i].ordinal;
    p->m += nwr_ring_spares(&n->ring, p->pg, false, p->list + p->m);
    memset(p->asked, 0, sizeof(p->asked));
    p->out = 0;
    p->silent = p->rotten = false;
    if (!ask_next(n, p))
        not_found(n, p);
}

static void next_block(struct nwr_node *n, struct pull *p)
{
    struct nwr_lent *l;

    if (p->ngot == p->nid || p->bytes >= p->bytes_max) {
        nwr_job_end(n, &p->job, NWR_OK);
        return;
    }
    p->here_err = NWR_E_NOENT;
    nwr_job_wake(n, &p->job, p->deadline);
    if (p->not_here) {
        ask_others(n, p);
        return;
    }
    p->here.id = p->id[p->ngot];
    l = nwr_lend(n, &p->job, 0, NWR_STORE_BLOCK_GET, p->pg);
    l->op.block = &p->here;
    l->op.nblock = 1;
    nwr_lend_submit(n, l);
}

static void on_stored(struct nwr_node *n, struct nwr_job *j, struct nwr_lent *l)
{
    struct pull *p = of(j);

    p->here_err = l->op.err;
    if (is_unreadable(l->op.err))
        nwr_scrub_soon(n, p->pg);
    if (l->op.err == NWR_OK && l->op.data)
        found(n, p, &l->op.data, &l->op.refs, &l->op.nrefs);
    else
        ask_others(n, p);
}

static void on_answer(struct nwr_node *n, struct nwr_job *j, const struct nwr_call *c,
                      struct nwr_msg *m)
{
    struct pull *p = of(j);
    const struct nwr_block_id *id = &p->id[p->ngot];

    (void)c;
    p->out--;
    if (m->kind == NWR_MSG_BLOCK && m->err == NWR_OK && m->u.block.data &&
        m->u.block.id.ino == id->ino && m->u.block.id.wid == id->wid &&
        m->u.block.id.number == id->number) {
        found(n, p, &m->u.block.data, &m->u.block.refs, &m->u.block.nrefs);
        return;
    }
    p->rotten |= is_unreadable(m->err);
    if (!ask_next(n, p) && p->out == 0)
        not_found(n, p);
}

static void on_lost(struct nwr_node *n, struct nwr_job *j, const struct nwr_call *c)
{
    struct pull *p = of(j);

    (void)c;
    p->out--;
    p->silent = true;
    if (!ask_next(n, p) && p->out == 0)
        not_found(n, p);
}

static void on_wake(struct nwr_node *n, struct nwr_job *j)
{
    struct pull *p = of(j);

    p->silent = true;
    if (n->now >= p->deadline) {
        not_found(n, p);
        return;
    }
    n->count.hedges++;
    if (!NWR_RULE(HEDGED) || !ask_next(n, p))
        nwr_job_wake(n, j, p->deadline);
}

static void on_free(struct nwr_node *n, struct nwr_job *j)
{
    struct pull *p = of(j);

    (void)n;
    nwr_blocks_free(p->got, p->ngot);
    nwr_free(p->id);
}

static const struct nwr_job_kind pull_kind = {.name = "pull",
                                              .answer = on_answer,
                                              .lost = on_lost,
                                              .stored = on_stored,
                                              .wake = on_wake,
                                              .drop = on_free};

struct nwr_job *nwr_pull(struct nwr_node *n, struct nwr_job *parent, uint32_t slot, nwr_pg pg,
                         const struct nwr_block_id *id, uint32_t nid, bool not_here, uint16_t but,
                         size_t bytes_max)
{
    struct pull *p = nwr_job_new(n, &pull_kind, sizeof(*p), parent, slot);

    nwr_assert(nid > 0);
    p->pg = pg;
    p->id = nwr_memdup(id, nid * sizeof(*id));
    p->nid = nid;
    p->not_here = not_here;
    p->but = but;
    p->bytes_max = bytes_max;
    p->deadline = n->now + NWR_DEADLINE_MS;
    next_block(n, p);
    return &p->job;
}

bool nwr_pull_lost(const struct nwr_job *j)
{
    const struct pull *p = nwr_container_of(j, const struct pull, job);

    return p->ngot == 0 && !p->silent && (p->rotten || p->here_err == NWR_E_CORRUPT);
}

struct nwr_block *nwr_pull_take(struct nwr_job *j, uint32_t *nblock, enum nwr_err *here_err)
{
    struct pull *p = of(j);
    struct nwr_block *got = p->got;

    *nblock = p->ngot;
    if (here_err)
        *here_err = p->here_err;
    p->got = NULL;
    p->ngot = 0;
    return got;
}
