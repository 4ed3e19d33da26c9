/* ops_xattr.c -- extended attributes: one register each, later setting wins (DESIGN 4). */
#include "fs/core/acl.h"
#include "fs/core/check.h"
#include "fs/core/ops.h"
#include "fs/core/ops_xattr.h"
#include "fs/core/virtual.h"

static struct nwr_node *node_of(struct nwr_txn *t)
{
    struct nwr_node *n = nwr_itable_find(&t->m->nodes, t->req->node);

    if (!n) {
        nwr_txn_fail(t, ESTALE);
        return NULL;
    }
    nwr_txn_pin(t, n);
    nwr_txn_policy(t, n);
    return n;
}

/* ACLs come with the option that tells the kernel about them. */
static bool name_stored(const struct nwr_txn *t)
{
    static const char *const spaces[] = {"user.", "trusted.", "security."};
    const char *name = t->req->name;

    if (nwr_acl_is(name, strlen(name)))
        return t->m->config.acl;
    for (size_t i = 0; i < NWR_COUNT(spaces); i++)
        if (strncmp(name, spaces[i], strlen(spaces[i])) == 0)
            return name[strlen(spaces[i])] && strlen(name) <= NWR_NAME_MAX;
    return false;
}

const struct nwr_version *nwr_xattr_latest(const struct nwr_record *rec)
{
    const struct nwr_version *best = NULL;

    for (uint32_t i = 0; i < rec->n; i++) {
        const struct nwr_version *v = &rec->v[i];

        if (!best || v->hlc > best->hlc ||
            (v->hlc == best->hlc && nwr_dot_cmp(v->dot, best->dot) > 0))
            best = v;
    }
    return best && !(best->flags & NWR_V_TOMBSTONE) ? best : NULL;
}

/* The thread was just told of this inode, and it had no attributes at all. */
static bool listed_plain(struct nwr_txn *t, const struct nwr_node *n)
{
    const struct nwr_dir *d = t->runs == 1 ? nwr_op_listing(t) : NULL;
    const struct nwr_dir_seen *seen = d ? nwr_dir_recall_node(d, n) : NULL;

    return seen && seen->plain;
}

/* BYTES, or COUNT when only the size was asked for. Takes out. */
static enum nwr_plan answer(struct nwr_txn *t, struct nwr_out *out)
{
    uint32_t len = out->len;

    if (t->req->size == 0) {
        t->reply.kind = NWR_REPLY_COUNT;
        t->reply.count = len;
        nwr_out_free(out);
        return NWR_PLAN_DONE;
    }
    if (len > t->req->size) {
        nwr_out_free(out);
        return nwr_txn_fail(t, ERANGE);
    }
    t->reply.kind = NWR_REPLY_BYTES;
    nwr_blob_unref(t->reply.data);
    t->reply.data = nwr_out_blob(out);
    return NWR_PLAN_DONE;
}

static enum nwr_plan get_virtual(struct nwr_txn *t, struct nwr_node *n)
{
    struct nwr_out out = {0};
    bool whole;

    t->eno = 0;
    whole = nwr_virtual_get(t, n, t->req->name + strlen(NWR_VIRTUAL_PREFIX), &out);
    if (whole && t->eno == 0)
        return answer(t, &out);
    nwr_out_free(&out);
    return whole ? NWR_PLAN_FAIL : NWR_PLAN_WAIT;
}

static enum nwr_plan get_access(struct nwr_txn *t, const struct nwr_node *n)
{
    const struct nwr_blob *acl;
    struct nwr_blob *shown;
    struct nwr_out out = {0};
    struct nwr_attr a;

    if (!nwr_txn_object(t, n->root))
        return NWR_PLAN_WAIT;
    acl = nwr_acl_of(t, n->root, NWR_ACL_ACCESS);
    if (!acl || !nwr_attr_merge(t, n->root, &a))
        return nwr_txn_fail(t, ENODATA);
    shown = nwr_acl_chmod(acl, (uint32_t)a.mode.value);
    nwr_out_raw(&out, shown->data, shown->len);
    nwr_blob_unref(shown);
    nwr_attr_deinit(&a);
    return answer(t, &out);
}

enum nwr_plan nwr_plan_getxattr(struct nwr_txn *t)
{
    struct nwr_node *n = node_of(t);
    struct nwr_out out = {0};
    const struct nwr_record *rec;
    const struct nwr_version *v;
    struct nwr_key key;

    if (!n)
        return NWR_PLAN_FAIL;
    if (nwr_virtual_is(t->req->name))
        return get_virtual(t, n);
    if (!name_stored(t))
        return nwr_txn_fail(t, EOPNOTSUPP);
    if (listed_plain(t, n))
        return nwr_txn_fail(t, ENODATA);
    if (strcmp(t->req->name, NWR_ACL_ACCESS) == 0)
        return get_access(t, n);
    key = nwr_key_xattr(n->root, t->req->name, strlen(t->req->name));
    rec = nwr_txn_record(t, &key);
    if (!rec)
        return NWR_PLAN_WAIT;
    v = nwr_xattr_latest(rec);
    if (!v)
        return nwr_txn_fail(t, ENODATA);
    if (v->body)
        nwr_out_raw(&out, v->body->data, v->body->len);
    return answer(t, &out);
}

enum nwr_plan nwr_plan_listxattr(struct nwr_txn *t)
{
    struct nwr_node *n = node_of(t);
    struct nwr_out out = {0};
    struct nwr_key prefix;

    if (!n)
        return NWR_PLAN_FAIL;
    if (!nwr_txn_object(t, n->root))
        return NWR_PLAN_WAIT;
    prefix = nwr_key_reg(n->root, NWR_REG_XATTR);
    for (uint32_t i = nwr_rows_lower(&t->rows, &prefix);
         i < t->rows.n && nwr_key_has_prefix(&t->rows.row[i].key, &prefix); i++) {
        struct nwr_key_parts parts;

        if (!nwr_key_parse(&t->rows.row[i].key, &parts) || !nwr_xattr_latest(&t->rows.row[i].rec))
            continue;
        if (nwr_acl_is(parts.name, parts.name_len) && !t->m->config.acl)
            continue;
        nwr_out_raw(&out, parts.name, parts.name_len);
        nwr_out_u8(&out, 0);
    }
    nwr_virtual_list(t, n, &out);
    return answer(t, &out);
}

/* What is not sent yet changes with the creation; all else goes now. */
static enum nwr_plan send(struct nwr_txn *t, struct nwr_node *n)
{
    if (n->held)
        nwr_birth_absorb(t, n);
    t->reply.kind = NWR_REPLY_ERR;
    return NWR_PLAN_DONE;
}

static enum nwr_plan set_virtual(struct nwr_txn *t, struct nwr_node *n)
{
    const char *name = t->req->name + strlen(NWR_VIRTUAL_PREFIX);
    struct nwr_attr a;
    struct nwr_policy before;
    int eno;

    if (!nwr_txn_object(t, n->root))
        return NWR_PLAN_WAIT;
    if (!nwr_attr_merge(t, n->root, &a))
        return nwr_txn_fail(t, ESTALE);
    before = a.policy;
    eno = nwr_virtual_set(&a.policy, name, t->req->data);
    if (eno == 0 && memcmp(&before, &a.policy, sizeof(before)) != 0) {
        a.policy_hlc = 0; /* set by this write */
        nwr_attr_put(t, n->root, &a);
        n->policy = a.policy;
    }
    nwr_attr_deinit(&a);
    return eno ? nwr_txn_fail(t, eno) : send(t, n);
}

/* The access ACL is the mode, in more words: both change. */
static enum nwr_plan set_acl(struct nwr_txn *t, struct nwr_node *n)
{
    const struct nwr_blob *acl = t->req->data;
    bool access = strcmp(t->req->name, NWR_ACL_ACCESS) == 0;
    struct nwr_attr a;
    uint32_t mode;

    if (!nwr_acl_valid(acl))
        return nwr_txn_fail(t, EINVAL);
    if (!access && n->type != NWR_TYPE_DIR)
        return nwr_txn_fail(t, EACCES);
    if (!nwr_txn_object(t, n->root))
        return NWR_PLAN_WAIT;
    if (!nwr_attr_merge(t, n->root, &a))
        return nwr_txn_fail(t, ESTALE);
    mode = access ? nwr_acl_mode(acl, (uint32_t)a.mode.value) : (uint32_t)a.mode.value;
    if (access && !nwr_op_in_group(t->req, a.gid.value))
        mode &= ~(uint32_t)S_ISGID;
    nwr_acl_put(t, n->root, t->req->name, access && nwr_acl_is_mode(acl) ? NULL : acl);
    nwr_attr_set_mode(&a, mode);
    a.ctime = (struct nwr_stamped){t->m->wall, 0};
    nwr_attr_put(t, n->root, &a);
    nwr_attr_deinit(&a);
    return send(t, n);
}

enum nwr_plan nwr_plan_setxattr(struct nwr_txn *t)
{
    struct nwr_node *n = node_of(t);
    const struct nwr_record *rec;
    struct nwr_key key;
    bool there;

    if (!n)
        return NWR_PLAN_FAIL;
    if (n->elsewhere)
        return nwr_txn_fail(t, EPERM);
    if (strcmp(t->req->name, NWR_VIRTUAL_PREFIX "mend") == 0)
        return nwr_check_mend(t);
    if (n->pushing)
        return nwr_txn_after_push(t, n);
    if (nwr_virtual_is(t->req->name))
        return set_virtual(t, n);
    if (!name_stored(t))
        return nwr_txn_fail(t, EOPNOTSUPP);
    if (t->req->data->len > NWR_XATTR_MAX)
        return nwr_txn_fail(t, E2BIG);
    if (nwr_acl_is(t->req->name, strlen(t->req->name)))
        return set_acl(t, n);
    key = nwr_key_xattr(n->root, t->req->name, strlen(t->req->name));
    rec = nwr_txn_record(t, &key);
    if (!rec)
        return NWR_PLAN_WAIT;
    there = nwr_xattr_latest(rec) != NULL;
    if (there && (t->req->flags & NWR_XATTR_CREATE))
        return nwr_txn_fail(t, EEXIST);
    if (!there && (t->req->flags & NWR_XATTR_REPLACE))
        return nwr_txn_fail(t, ENODATA);
    nwr_txn_write(t, &key, rec, NULL)->v.body = nwr_blob_ref(t->req->data);
    return send(t, n);
}

enum nwr_plan nwr_plan_removexattr(struct nwr_txn *t)
{
    struct nwr_node *n = node_of(t);
    const struct nwr_record *rec;
    struct nwr_key key;

    if (!n)
        return NWR_PLAN_FAIL;
    if (n->elsewhere)
        return nwr_txn_fail(t, EPERM);
    if (n->pushing)
        return nwr_txn_after_push(t, n);
    if (nwr_virtual_is(t->req->name))
        return send(t, n);
    if (!name_stored(t))
        return nwr_txn_fail(t, EOPNOTSUPP);
    key = nwr_key_xattr(n->root, t->req->name, strlen(t->req->name));
    rec = nwr_txn_record(t, &key);
    if (!rec)
        return NWR_PLAN_WAIT;
    if (!nwr_xattr_latest(rec)) /* no ACL is what is wanted: it is not missed */
        return nwr_acl_is(t->req->name, strlen(t->req->name)) ? send(t, n)
                                                              : nwr_txn_fail(t, ENODATA);
    nwr_txn_write(t, &key, rec, NULL)->v.flags |= NWR_V_TOMBSTONE;
    return send(t, n);
}
