/* op_make.c -- CREATE, MKNOD, MKDIR, SYMLINK, LINK: operations that add a name. */
#include "fs/core/acl.h"
#include "fs/core/conflict.h"
#include "fs/core/ops.h"

/* ---- shared --------------------------------------------------------------------------------- */

/* What is made in the directory takes its default ACL. */
static bool know_acl(struct nwr_txn *t, const struct nwr_node *dir)
{
    struct nwr_key key = nwr_key_xattr(dir->root, NWR_ACL_DEFAULT, strlen(NWR_ACL_DEFAULT));

    return !t->m->config.acl || nwr_txn_record(t, &key);
}

static void inherit_acl(struct nwr_txn *t, const struct nwr_node *dir, struct nwr_attr *a)
{
    const struct nwr_blob *acl = nwr_acl_of(t, dir->root, NWR_ACL_DEFAULT);
    uint32_t mode = t->req->mode & 0777;
    struct nwr_blob *access;

    if (!acl || a->type == NWR_TYPE_LNK)
        return;
    access = nwr_acl_inherit(acl, &mode);
    a->mode.value = a->mode_base = (uint16_t)((a->mode.value & ~0777u) | mode);
    if (!nwr_acl_is_mode(access))
        nwr_acl_put(t, t->ino, NWR_ACL_ACCESS, access);
    if (a->type == NWR_TYPE_DIR)
        nwr_acl_put(t, t->ino, NWR_ACL_DEFAULT, acl);
    nwr_blob_unref(access);
}

/* The name is looked at; the LOOKUP of the same system call serves as the look (walk.c). */
static enum nwr_plan look(struct nwr_txn *t, struct nwr_node **dir)
{
    size_t len = nwr_entry_name(t, t->req->name);

    *dir = nwr_entry_dir(t, t->req->node);
    if (!*dir || !len)
        return nwr_txn_fail(t, t->eno);
    nwr_txn_policy(t, *dir);
    if (!nwr_view_find(t, &(*dir)->dirs, t->req->name, len, true, &t->x) || !know_acl(t, *dir))
        return NWR_PLAN_WAIT;
    if (t->x.ino == 0 && nwr_spool_find(t->m, &(*dir)->dirs, t->req->name))
        return nwr_txn_fail(t, EEXIST);
    return NWR_PLAN_DONE;
}

/* What is held back says only where it will be (nwr_birth_send). */
static void guard_parent(struct nwr_txn *t, nwr_ino dir)
{
    struct nwr_key marks = nwr_key_reg(dir, NWR_REG_MARKS);

    nwr_txn_guard(t, NWR_GUARD_ALIVE, &marks);
}

/* One winner for each coordinator: the name shows nothing, and must not until the write. */
static void guard_absent(struct nwr_txn *t, nwr_ino dir, const char *name)
{
    struct nwr_key entry = nwr_key_entry(dir, name, strlen(name));
    const struct nwr_record *rec = nwr_txn_peek(t, &entry);
    struct nwr_guard *g = nwr_txn_guard(t, NWR_GUARD_SEEN, &entry);

    for (uint32_t i = 0; rec && i < rec->n; i++)
        nwr_guard_seen(g, rec->v[i].dot, rec->v[i].wid);
}

/* A number for what is made, kept over the runs of the plan. */
static bool number(struct nwr_txn *t, nwr_pg pg)
{
    if (t->ino == 0)
        t->ino = nwr_txn_ino(t, pg);
    if (t->ino)
        nwr_txn_born(t, t->ino);
    return t->ino;
}

nwr_ino nwr_txn_ino(struct nwr_txn *t, nwr_pg pg)
{
    nwr_ino ino = nwr_mount_ids_take(t->m, pg);

    if (ino == 0)
        t->wants_ids = true;
    return ino;
}

/* The registers of a new inode. */
static void stage_inode(struct nwr_txn *t, struct nwr_node *dir, uint8_t type, const char *text)
{
    struct nwr_attr a = nwr_attr_new(t, dir, type);

    inherit_acl(t, dir, &a);
    if (text)
        a.symlink = nwr_strdup(text);
    if (type == NWR_TYPE_DIR &&
        strcmp(t->req->name, ".git") == 0) /* git lists what it finds there */
        a.policy.hide = 1;
    nwr_attr_put(t, t->ino, &a);
    nwr_attr_deinit(&a);
    if (type == NWR_TYPE_REG) { /* empty; a push replaces it by the data */
        struct nwr_node none = {.ino = t->ino, .root = t->ino, .type = type};
        struct nwr_push push = {0};

        nwr_view_write(t, &none, nwr_txn_wid(t), &push, t->m->wall);
    }
}

static bool stage(struct nwr_txn *t, struct nwr_node *dir, uint8_t type, const char *text)
{
    const char *name = t->req->name;

    stage_inode(t, dir, type, text);
    return nwr_view_attach(t, dir->dirs.ino[0], name, strlen(name), t->ino, t->ino, type);
}

/* What now stands under the name goes to the kernel. */
static void finish_entry(struct nwr_txn *t, struct nwr_node *dir, const char *name)
{
    nwr_entry_touch(t->m, dir);
    t->unfinished = !nwr_view_find(t, &dir->dirs, name, strlen(name), true, &t->x);
    if (t->unfinished)
        return;
    if (t->x.ino == 0) {
        t->reply.err = EIO;
        return;
    }
    nwr_entry_reply(t, &t->x);
}

/* ---- files ---------------------------------------------------------------------------------- */

/* A new regular file is held back until its data goes; O_EXCL goes at the call. */
static enum nwr_plan make_file(struct nwr_txn *t, struct nwr_node *dir, bool at_once)
{
    nwr_ino parent = dir->dirs.ino[0];
    struct nwr_node *n;

    if (!number(t, nwr_ino_pg(parent)))
        return NWR_PLAN_WAIT;
    if (!stage(t, dir, NWR_TYPE_REG, NULL) || (at_once && !nwr_view_enter(t, parent)))
        return NWR_PLAN_WAIT;
    if (at_once) {
        guard_absent(t, parent, t->req->name);
        return NWR_PLAN_DONE;
    }
    guard_parent(t, parent);
    n = nwr_itable_add(&t->m->nodes, t->ino, t->ino, NWR_TYPE_REG);
    n->file = nwr_file_create(t->ino, t->m->cache);
    n->loaded = true;
    n->mtime = n->changed = t->m->wall;
    n->policy = dir->policy;
    nwr_birth_hold(t, n);
    return NWR_PLAN_DONE;
}

enum nwr_plan nwr_plan_create(struct nwr_txn *t)
{
    struct nwr_node *dir;
    enum nwr_plan plan = look(t, &dir);

    if (plan != NWR_PLAN_DONE)
        return plan;
    if (t->x.ino == 0)
        return make_file(t, dir, t->req->flags & NWR_O_EXCL);
    if (t->req->flags & NWR_O_EXCL)
        return nwr_txn_fail(t, EEXIST);
    if (t->x.type != NWR_TYPE_REG)
        return nwr_txn_fail(t, t->x.type == NWR_TYPE_DIR ? EISDIR : EEXIST);
    nwr_txn_pin(t, nwr_entry_node(t, &t->x));
    if (t->req->flags & NWR_O_ACCMODE && !nwr_view_alone(t, &t->x))
        return NWR_PLAN_WAIT;
    return nwr_op_file(t, t->node2);
}

void nwr_finish_create(struct nwr_txn *t)
{
    struct nwr_node *n;

    finish_entry(t, t->node, t->req->name);
    if (t->reply.kind != NWR_REPLY_ENTRY)
        return;
    if (t->ino)
        nwr_reads_renew(t->m->reads,
                        nwr_name_hash(t->node->dirs.ino[0], t->req->name, strlen(t->req->name)));
    n = nwr_itable_find(&t->m->nodes, t->reply.entry.node);
    if (!n->file) {
        n->file = nwr_file_create(n->root, t->m->cache);
        n->loaded = t->ino; /* made here: empty */
    }
    if (!t->ino && t->req->flags & NWR_O_TRUNC) {
        nwr_op_truncate(t, n, &t->x);
        t->reply.entry.st.st_size = 0;
    } else if (!t->ino && (t->req->flags & NWR_O_ACCMODE) != NWR_O_WRONLY) {
        nwr_view_read(t, &t->x, t->req->process, t->m->reads);
    }
    nwr_op_reply_open(t, n);
    t->reply.kind = NWR_REPLY_CREATE;
}

/* ---- files without a name ------------------------------------------------------------------- */

/* It stays on this mount until LINK, fsync or its size sends it (nwr_push_nameless). */
enum nwr_plan nwr_plan_tmpfile(struct nwr_txn *t)
{
    struct nwr_node *dir = nwr_entry_dir(t, t->req->node), *n;

    if (!dir)
        return nwr_txn_fail(t, t->eno);
    if (!number(t, nwr_ino_pg(dir->dirs.ino[0])) || !know_acl(t, dir))
        return NWR_PLAN_WAIT;
    stage_inode(t, dir, NWR_TYPE_REG, NULL);
    n = nwr_itable_add(&t->m->nodes, t->ino, t->ino, NWR_TYPE_REG);
    n->file = nwr_file_create(t->ino, t->m->cache);
    n->loaded = true;
    n->mtime = n->changed = t->m->wall;
    n->policy = dir->policy;
    n->dropped = n->unlinked = true;
    n->linkable = !(t->req->flags & NWR_O_EXCL);
    nwr_birth_hold(t, n);
    return NWR_PLAN_DONE;
}

void nwr_finish_tmpfile(struct nwr_txn *t)
{
    struct nwr_node *n = nwr_itable_of(&t->m->nodes, t->ino);

    if (!nwr_view_node(t, n, &t->x) || !nwr_entry_fill(t, &t->x, &t->reply.entry)) {
        t->reply.err = EIO;
        return;
    }
    nwr_op_reply_open(t, n);
    t->reply.kind = NWR_REPLY_CREATE;
}

enum nwr_plan nwr_plan_mknod(struct nwr_txn *t)
{
    uint8_t type = nwr_mode_type(t->req->mode);
    struct nwr_node *dir;
    enum nwr_plan plan = look(t, &dir);

    if (plan != NWR_PLAN_DONE)
        return plan;
    if (t->x.ino)
        return nwr_txn_fail(t, EEXIST);
    if (type == 0 || type == NWR_TYPE_DIR || type == NWR_TYPE_LNK)
        return nwr_txn_fail(t, EINVAL);
    if (type == NWR_TYPE_REG)
        return make_file(t, dir, false);
    if (!number(t, nwr_ino_pg(dir->dirs.ino[0])) || !stage(t, dir, type, NULL) ||
        !nwr_view_enter(t, dir->dirs.ino[0]))
        return NWR_PLAN_WAIT;
    guard_absent(t, dir->dirs.ino[0], t->req->name);
    return NWR_PLAN_DONE;
}

void nwr_finish_mknod(struct nwr_txn *t)
{
    finish_entry(t, t->node, t->req->name);
}

/* ---- directories, symlinks ------------------------------------------------------------------ */

/* A directory has a PG of its own, so that a large tree is spread over all nodes. */
static nwr_pg directory_pg(const struct nwr_mount *m, nwr_ino parent, const char *name)
{
    uint64_t h = nwr_hash64(name, strlen(name), parent ^ nwr_mix64(m->ids_next));

    return (nwr_pg)(h % NWR_MAX(m->config.info.pgs, 1));
}

enum nwr_plan nwr_plan_mkdir(struct nwr_txn *t)
{
    struct nwr_node *dir;
    enum nwr_plan plan = look(t, &dir);

    if (plan != NWR_PLAN_DONE)
        return plan;
    if (t->x.ino)
        return nwr_txn_fail(t, EEXIST);
    if (!number(t, directory_pg(t->m, dir->dirs.ino[0], t->req->name)) ||
        !stage(t, dir, NWR_TYPE_DIR, NULL) || !nwr_view_enter(t, dir->dirs.ino[0]))
        return NWR_PLAN_WAIT;
    guard_absent(t, dir->dirs.ino[0], t->req->name);
    return NWR_PLAN_DONE;
}

void nwr_finish_mkdir(struct nwr_txn *t)
{
    t->node->counted = 0;
    finish_entry(t, t->node, t->req->name);
}

enum nwr_plan nwr_plan_symlink(struct nwr_txn *t)
{
    size_t len = t->req->name2 ? strlen(t->req->name2) : 0;
    struct nwr_node *dir;
    enum nwr_plan plan = look(t, &dir);

    if (plan != NWR_PLAN_DONE)
        return plan;
    if (t->x.ino)
        return nwr_txn_fail(t, EEXIST);
    if (len == 0 || len > NWR_SYMLINK_MAX)
        return nwr_txn_fail(t, len ? ENAMETOOLONG : ENOENT);
    if (!number(t, nwr_ino_pg(dir->dirs.ino[0])) || !stage(t, dir, NWR_TYPE_LNK, t->req->name2) ||
        !nwr_view_enter(t, dir->dirs.ino[0]))
        return NWR_PLAN_WAIT;
    guard_absent(t, dir->dirs.ino[0], t->req->name);
    return NWR_PLAN_DONE;
}

void nwr_finish_symlink(struct nwr_txn *t)
{
    finish_entry(t, t->node, t->req->name);
}

/* ---- LINK ----------------------------------------------------------------------------------- */

enum nwr_plan nwr_plan_link(struct nwr_txn *t)
{
    struct nwr_node *n = nwr_op_node(t), *dir = nwr_entry_dir(t, t->req->node2);
    size_t len = nwr_entry_name(t, t->req->name2);
    nwr_ino ino, root;
    enum nwr_plan plan;

    if (!n || !dir || !len)
        return nwr_txn_fail(t, t->eno);
    if (n->type == NWR_TYPE_DIR)
        return nwr_txn_fail(t, EPERM);
    if (n->dropped && !n->linkable)
        return nwr_txn_fail(t, ENOENT);
    nwr_push_nameless(t->m, n);
    if (n->pushing || nwr_node_unsent(n))
        return nwr_txn_after_push(t, n);
    if (!nwr_view_node(t, n, &t->x) ||
        !nwr_view_find(t, &dir->dirs, t->req->name2, len, true, &t->y))
        return NWR_PLAN_WAIT;
    if (t->x.ino == 0 || (nwr_attr_links(t, t->x.root) == 0 && !t->x.restored && !n->linkable))
        return nwr_txn_fail(t, ENOENT);
    if (t->y.ino || nwr_spool_find(t->m, &dir->dirs, t->req->name2))
        return nwr_txn_fail(t, EEXIST);
    if (t->x.elsewhere)
        return nwr_txn_fail(t, EXDEV);
    plan = NWR_PLAN_DONE;
    if (!nwr_view_link(t, &t->x, &ino, &root) ||
        !nwr_view_attach(t, dir->dirs.ino[0], t->req->name2, len, ino, root, n->type) ||
        !nwr_view_enter(t, dir->dirs.ino[0]))
        plan = NWR_PLAN_WAIT;
    guard_absent(t, dir->dirs.ino[0], t->req->name2);
    return plan;
}

void nwr_finish_link(struct nwr_txn *t)
{
    struct nwr_node *dir = nwr_itable_find(&t->m->nodes, t->req->node2);

    if (t->node->linkable)
        t->node->linkable = t->node->unlinked = false;
    nwr_op_placed(t, dir, t->req->name2, &t->x);
    finish_entry(t, dir, t->req->name2);
}
