/* op_file.c -- OPEN, READ, WRITE, FLUSH, FSYNC, RELEASE, FALLOCATE, LSEEK. */
#include "fs/core/ops.h"

#define DIRTY_MAX ((uint64_t)4 * NWR_PUSH_BYTES) /* writers wait for the push above this */
#define AHEAD_BYTES ((uint64_t)4 << 20)

/* ---- the file of a node --------------------------------------------------------------------- */

static const struct nwr_version *base_of(const struct nwr_txn *t, const struct nwr_node *n)
{
    struct nwr_key key = nwr_key_reg(n->root, NWR_REG_CONTENT);
    const struct nwr_record *rec = nwr_txn_peek(t, &key);

    for (uint32_t i = 0; rec && i < rec->n; i++)
        if (rec->v[i].wid == n->version.wid)
            return &rec->v[i];
    return NULL;
}

enum nwr_plan nwr_op_file(struct nwr_txn *t, struct nwr_node *n)
{
    const struct nwr_version *v;
    struct nwr_content c = {0};
    struct nwr_shown x;

    if (n->type != NWR_TYPE_REG)
        return nwr_txn_fail(t, n->type == NWR_TYPE_DIR ? EISDIR : EINVAL);
    if (n->file && (n->loaded || nwr_file_dirty(n->file)))
        return NWR_PLAN_DONE;
    if (!nwr_view_node(t, n, &x))
        return NWR_PLAN_WAIT;
    if (x.ino == 0) /* nobody has it, or who has it is not there */
        return nwr_txn_fail(t, t->reread_err == NWR_E_HOSTDOWN ? EHOSTDOWN : ESTALE);
    nwr_entry_refresh(t, n, &x);
    if (!n->file)
        n->file = nwr_file_create(n->root, t->m->cache);
    v = base_of(t, n);
    if (v && nwr_content_decode(&c, v) != NWR_OK)
        return nwr_txn_fail(t, EIO);
    nwr_file_rebase(n->file, &c.map);
    n->mtime = c.mtime;
    nwr_content_deinit(&c);
    n->loaded = true;
    return NWR_PLAN_DONE;
}

/* The node of a request and its file, ready for use. */
static enum nwr_plan ready(struct nwr_txn *t)
{
    struct nwr_node *n = nwr_op_node(t);

    return n ? nwr_op_file(t, n) : nwr_txn_fail(t, t->eno);
}

void nwr_op_changed(struct nwr_txn *t, struct nwr_node *n)
{
    n->mtime = n->changed = t->m->wall;
    n->saved = false;
    n->failed = n->failed && n->err == NWR_OK ? false : n->failed;
    nwr_push_later(t->m, n);
}

/* ---- OPEN, RELEASE -------------------------------------------------------------------------- */

void nwr_op_reply_open(struct nwr_txn *t, struct nwr_node *n)
{
    struct nwr_handle *h = nwr_mount_open(t->m, n, t->req->flags);

    t->reply.kind = NWR_REPLY_OPEN;
    t->reply.fh = h->id;
    t->reply.keep_cache = n->has_pages && n->pages.wid == n->version.wid;
    t->reply.noflush = (t->req->flags & NWR_O_ACCMODE) == 0;
    n->pages = n->version;
    n->has_pages = true;
}

/* Where a write can be refused, what it does not change is fetched while it is there: a replaced
 * version's blocks go. Of a larger file, only what was read is kept. */
static enum nwr_plan fetch_base(struct nwr_txn *t, struct nwr_node *n)
{
    bool whole;

    if (!n->policy.reject || n->held || (t->req->flags & NWR_O_ACCMODE) == 0 ||
        t->req->flags & NWR_O_TRUNC || nwr_file_size(n->file) > NWR_BLOCK_MAX)
        return NWR_PLAN_DONE;
    whole = nwr_file_read(n->file, 0, NWR_BLOCK_MAX, &t->slices, &t->blocks);
    nwr_slices_deinit(&t->slices);
    return whole ? NWR_PLAN_DONE : NWR_PLAN_WAIT;
}

/* A file that stands for equal ones of its name is one before it is written to. */
static bool be_alone(struct nwr_txn *t, const struct nwr_node *n)
{
    struct nwr_shown x = t->x;

    if (!n->twins || (t->req->flags & NWR_O_ACCMODE) == 0)
        return true;
    if (!nwr_view_place(t, &x))
        return false;
    x.within = n->within; /* a place is in one directory of a union */
    x.twins = n->twins;
    return nwr_view_alone(t, &x);
}

/* Close-to-open: what another mount closed before is seen now. */
enum nwr_plan nwr_plan_open(struct nwr_txn *t)
{
    struct nwr_node *n = nwr_op_node(t);
    enum nwr_plan plan;
    struct nwr_attr a;

    if (!n)
        return nwr_txn_fail(t, t->eno);
    plan = nwr_op_shown(t);
    if (plan != NWR_PLAN_DONE)
        return plan;
    nwr_entry_refresh(t, n, &t->x);
    plan = nwr_op_file(t, n);
    if (plan == NWR_PLAN_DONE && !be_alone(t, n))
        plan = NWR_PLAN_WAIT;
    if (plan == NWR_PLAN_DONE)
        plan = fetch_base(t, n);
    if (plan == NWR_PLAN_DONE && t->req->flags & NWR_O_TRUNC && t->req->kill_priv &&
        nwr_attr_merge(t, n->root, &a)) {
        if (nwr_op_kill_priv(t->req, &a))
            nwr_op_put_attr(t, n, &a);
        nwr_attr_deinit(&a);
    }
    return plan;
}

/* Bytes of this mount that are on their way out stay its base: two processes of one mount never
 * conflict. */
void nwr_op_truncate(struct nwr_txn *t, struct nwr_node *n, const struct nwr_shown *x)
{
    struct nwr_shown base;

    if (!n->pushing && !nwr_node_unsent(n) &&
        nwr_view_truncates(t, x, t->req->process, t->m->reads, &base)) {
        nwr_node_base(n, base.version, 0);
        n->line = base.line;
    }
    nwr_file_truncate(n->file, 0);
    nwr_file_touch(n->file); /* times change even if it was empty */
    nwr_op_changed(t, n);
}

void nwr_finish_open(struct nwr_txn *t)
{
    struct nwr_node *n = t->node;

    nwr_op_reply_open(t, n);
    if (t->req->flags & NWR_O_ACCMODE)
        n->twins = 0;
    if (t->req->flags & NWR_O_TRUNC) {
        t->reply.keep_cache = t->reply.keep_cache && nwr_file_size(n->file) == 0;
        nwr_op_truncate(t, n, &t->x);
    } else if ((t->req->flags & NWR_O_ACCMODE) != NWR_O_WRONLY) {
        nwr_view_read(t, &t->x, t->req->process, t->m->reads);
    }
}

enum nwr_plan nwr_plan_release(struct nwr_txn *t)
{
    (void)t;
    return NWR_PLAN_DONE;
}

void nwr_finish_release(struct nwr_txn *t)
{
    struct nwr_handle **p = &t->m->handles, *h;
    struct nwr_node *n;

    while (*p && (*p)->id != t->req->fh)
        p = &(*p)->next;
    if (!*p)
        return;
    h = *p;
    *p = h->next;
    n = h->node;
    if (h->dir)
        nwr_dir_destroy(h->dir);
    nwr_free(h);
    if (--n->opens)
        return;
    n->read_cached = false;
    if (n->reported && n->failed && nwr_node_unsent(n) && !n->pushing)
        nwr_node_give_up(t->m, n);
    if (n->unlinked && !n->dropped)
        nwr_reap_later(t->m, n->root);
    nwr_itable_reap(&t->m->nodes, n);
}

/* ---- READ ----------------------------------------------------------------------------------- */

enum nwr_plan nwr_plan_read(struct nwr_txn *t)
{
    enum nwr_plan plan = ready(t);

    if (plan != NWR_PLAN_DONE)
        return plan;
    t->slices.n = 0;
    if (!nwr_file_read(t->node->file, t->req->off, (uint32_t)t->req->size, &t->slices, &t->blocks))
        return NWR_PLAN_WAIT;
    return NWR_PLAN_DONE;
}

/* Fetches what a sequential reader will ask for next. */
static enum nwr_plan plan_ahead(struct nwr_txn *t)
{
    struct nwr_node *n = t->node;

    if (n->file && n->loaded && t->runs == 1 &&
        !nwr_file_read(n->file, t->number, (uint32_t)AHEAD_BYTES, &t->slices, &t->blocks))
        return NWR_PLAN_WAIT;
    return NWR_PLAN_DONE;
}

static void finish_ahead(struct nwr_txn *t)
{
    t->node->reading_ahead = false;
}

static void read_ahead(struct nwr_txn *t, uint64_t from)
{
    struct nwr_node *n = t->node;
    struct nwr_txn *ahead;

    if (n->reading_ahead || from >= nwr_file_size(n->file))
        return;
    n->reading_ahead = true;
    ahead = nwr_txn_new(t->m, plan_ahead, finish_ahead, NULL);
    ahead->number = from;
    nwr_txn_pin(ahead, n);
    nwr_txn_policy(ahead, n);
    nwr_txn_run(ahead);
}

void nwr_finish_read(struct nwr_txn *t)
{
    struct nwr_node *n = t->node;
    uint64_t end = t->req->off;

    n->read_cached |= !t->req->direct;
    t->reply.kind = NWR_REPLY_DATA;
    t->reply.slice = nwr_alloc((t->slices.n + 1) * sizeof(*t->reply.slice));
    for (uint32_t i = 0; i < t->slices.n; i++) {
        const struct nwr_slice *s = &t->slices.slice[i];

        t->reply.slice[i] = (struct nwr_fs_slice){s->blob, s->off, s->len};
        end += s->len;
    }
    t->reply.nslice = t->slices.n;
    t->slices.n = 0; /* their counts went along */
    if (t->req->off && t->req->off <= n->read_end && end > n->read_end)
        read_ahead(t, end);
    n->read_end = NWR_MAX(end, n->read_end);
}

/* ---- WRITE ---------------------------------------------------------------------------------- */

enum nwr_plan nwr_op_kill(struct nwr_txn *t, struct nwr_node *n)
{
    struct nwr_attr a;

    if (!t->req->kill_priv || !(n->mode & (S_ISUID | S_ISGID)))
        return NWR_PLAN_DONE;
    if (!nwr_txn_object(t, n->root))
        return NWR_PLAN_WAIT;
    if (n->pushing && n->held)
        return nwr_txn_after_push(t, n);
    if (!nwr_attr_merge(t, n->root, &a))
        return NWR_PLAN_DONE;
    if (nwr_op_kill_priv(t->req, &a)) {
        n->mode = (uint32_t)a.mode.value;
        nwr_op_put_attr(t, n, &a);
    }
    nwr_attr_deinit(&a);
    return NWR_PLAN_DONE;
}

enum nwr_plan nwr_plan_write(struct nwr_txn *t)
{
    enum nwr_plan plan = ready(t);
    struct nwr_node *n = t->node;

    if (plan != NWR_PLAN_DONE)
        return plan;
    if (!t->req->data)
        return nwr_txn_fail(t, EINVAL);
    if (t->req->off > (uint64_t)INT64_MAX - t->req->data->len)
        return nwr_txn_fail(t, EFBIG);
    if (n->refused && nwr_file_dirty_bytes(n->file) > DIRTY_MAX)
        return nwr_txn_fail(t, ESTALE);
    if (n->pushing && nwr_file_dirty_bytes(n->file) > DIRTY_MAX)
        return nwr_txn_after_push(t, n);
    return nwr_op_kill(t, n);
}

/* Direct I/O goes past the kernel's pages, which it drops before, and behind only where somebody
 * waits in write(2): with io_submit what was read meanwhile would stay. */
static void drop_pages(struct nwr_txn *t, uint64_t off)
{
    if (t->req->direct && t->node->read_cached)
        nwr_mount_inval(t->m, t->node, off, t->req->data->len);
}

void nwr_finish_write(struct nwr_txn *t)
{
    const struct nwr_fs_req *req = t->req;
    struct nwr_node *n = t->node;
    uint64_t off = req->flags & NWR_O_APPEND ? nwr_file_size(n->file) : req->off;

    if (req->data->len) {
        nwr_file_write(n->file, off, req->data, 0, req->data->len);
        nwr_op_changed(t, n);
        drop_pages(t, off);
    }
    t->reply.kind = NWR_REPLY_COUNT;
    t->reply.count = req->data->len;
}

/* ---- FLUSH, FSYNC --------------------------------------------------------------------------- */

int nwr_op_take_error(struct nwr_node *n)
{
    int eno = nwr_err_errno(n->err);

    n->err = NWR_OK;
    n->reported = eno != 0;
    return eno;
}

/* Everything written before goes out; each caller tries once, and is told how that ended, also
 * where another one that waited for it was told before. What was refused stays refused: a shell's
 * dup2 and close has nobody to tell, the next close has. */
static enum nwr_plan push_all(struct nwr_txn *t, enum nwr_level level)
{
    struct nwr_node *n = t->node;
    int eno;

    if (n->pushing || (nwr_node_unsent(n) && !t->tried)) {
        t->tried |= !n->pushing;
        nwr_push_start(t->m, n, level);
        t->wants_push = n;
        return NWR_PLAN_WAIT;
    }
    if (n->err == NWR_OK && t->tried && nwr_node_unsent(n))
        n->err = n->last;
    eno = nwr_op_take_error(n);
    if (n->refused)
        eno = ESTALE;
    return eno ? nwr_txn_fail(t, eno) : NWR_PLAN_DONE;
}

enum nwr_plan nwr_plan_flush(struct nwr_txn *t)
{
    struct nwr_node *n = nwr_op_node(t);
    struct nwr_handle *h = nwr_mount_handle(t->m, t->req->fh);

    if (!n)
        return nwr_txn_fail(t, t->eno);
    if (h && (h->flags & NWR_O_ACCMODE) == 0)
        return NWR_PLAN_DONE;
    return push_all(t, nwr_push_level(t->m, n));
}

void nwr_finish_flush(struct nwr_txn *t)
{
    t->reply.kind = NWR_REPLY_ERR;
}

/* What went at memory level before is on disk when a later batch of its PG is: this one changes
 * nothing. */
enum nwr_plan nwr_plan_fsync(struct nwr_txn *t)
{
    struct nwr_node *n = nwr_op_node(t);
    enum nwr_plan plan;
    struct nwr_key key;

    if (!n)
        return nwr_txn_fail(t, t->eno);
    if (n->linkable) /* what gets a name later is on disk then */
        nwr_push_nameless(t->m, n);
    plan = push_all(t, NWR_LEVEL_DISK);
    if (plan != NWR_PLAN_DONE || n->on_disk || n->dropped)
        return plan;
    t->level = NWR_LEVEL_DISK;
    key = nwr_key_reg(n->root, NWR_REG_ATTR);
    nwr_txn_write(t, &key, NULL, NULL)->discard = true;
    return NWR_PLAN_DONE;
}

void nwr_finish_fsync(struct nwr_txn *t)
{
    if (t->node->type == NWR_TYPE_REG && !nwr_node_unsent(t->node))
        t->node->on_disk = t->node->wrote;
}

/* ---- FALLOCATE, LSEEK ----------------------------------------------------------------------- */

enum nwr_plan nwr_plan_fallocate(struct nwr_txn *t)
{
    uint32_t mode = t->req->flags;
    enum nwr_plan plan;

    if (mode & ~(uint32_t)(NWR_FALLOC_KEEP_SIZE | NWR_FALLOC_PUNCH_HOLE | NWR_FALLOC_ZERO_RANGE) ||
        (mode & NWR_FALLOC_PUNCH_HOLE && !(mode & NWR_FALLOC_KEEP_SIZE)))
        return nwr_txn_fail(t, EOPNOTSUPP);
    if (t->req->size == 0 || t->req->off > INT64_MAX - t->req->size)
        return nwr_txn_fail(t, t->req->size ? EFBIG : EINVAL);
    plan = ready(t);
    return plan == NWR_PLAN_DONE ? nwr_op_kill(t, t->node) : plan;
}

/* Reserves nothing: a hole reads as zeros, and so does what is zeroed. */
void nwr_finish_fallocate(struct nwr_txn *t)
{
    struct nwr_file *f = t->node->file;
    uint64_t end = t->req->off + t->req->size, size = nwr_file_size(f);
    bool change = false;

    if (t->req->flags & (NWR_FALLOC_PUNCH_HOLE | NWR_FALLOC_ZERO_RANGE) && t->req->off < size) {
        nwr_file_punch(f, t->req->off, NWR_MIN(end, size) - t->req->off);
        change = true;
    }
    if (!(t->req->flags & NWR_FALLOC_KEEP_SIZE) && end > size) {
        nwr_file_truncate(f, end);
        change = true;
    }
    if (change)
        nwr_op_changed(t, t->node);
}

enum nwr_plan nwr_plan_lseek(struct nwr_txn *t)
{
    enum nwr_plan plan = ready(t);
    uint64_t to;

    if (plan != NWR_PLAN_DONE)
        return plan;
    if (t->req->flags != NWR_SEEK_DATA && t->req->flags != NWR_SEEK_HOLE)
        return nwr_txn_fail(t, EINVAL);
    if (t->req->off >= nwr_file_size(t->node->file))
        return nwr_txn_fail(t, ENXIO);
    if (!nwr_file_seek(t->node->file, t->req->off, t->req->flags == NWR_SEEK_HOLE, &to, &t->blocks))
        return NWR_PLAN_WAIT;
    if (to == UINT64_MAX)
        return nwr_txn_fail(t, ENXIO);
    t->number = to;
    return NWR_PLAN_DONE;
}

void nwr_finish_lseek(struct nwr_txn *t)
{
    t->reply.kind = NWR_REPLY_OFF;
    t->reply.count = t->number;
}
