/* view_dead.c -- inodes that are being removed for good (reap.c), and what undoes that.
 *
 * An inode is condemned by a HIDDEN version of its marks, of which every replica knows before any
 * of its registers goes. A guard (NWR_GUARD_ALIVE) then keeps names and contents from it, so that
 * what all replicas say of it afterwards is all there will ever be. The mark repeats where the
 * inode was last: a replica that has heard of nothing else can tell its mounts.
 *
 * Who edits a file that he had not seen removed hears E_DEAD. His content is as good as one that
 * came in time, and must show: it is written with new attributes, and a new version of the record
 * beside the name. None of that has a remover seen, so none of it can be among what he removes.
 */
#include "fs/core/place.h"
#include "fs/core/view_slots.h"

static bool is_condemned(const struct nwr_version *v)
{
    return v->flags & NWR_V_HIDDEN;
}

static bool is_known(const struct nwr_txn *t, nwr_ino ino)
{
    struct nwr_key key = nwr_key_object(ino);
    uint32_t i = nwr_rows_lower(&t->rows, &key);

    return i < t->rows.n && nwr_key_has_prefix(&t->rows.row[i].key, &key);
}

/* What this batch writes of it anyway stays. */
void nwr_slots_hold(struct nwr_txn *t, nwr_ino ino)
{
    struct nwr_key key = nwr_key_reg(ino, NWR_REG_ATTR);
    struct nwr_attr a;

    if (!nwr_attr_merge(t, ino, &a))
        return;
    if (!nwr_txn_write(t, &key, nwr_txn_peek(t, &key), NULL)->v.body)
        nwr_attr_put(t, ino, &a);
    nwr_attr_deinit(&a);
}

/* A directory that is back was condemned by whoever removed it: that counts no more. */
void nwr_slots_guard(struct nwr_txn *t, nwr_ino ino)
{
    struct nwr_key key = nwr_key_reg(ino, NWR_REG_MARKS);
    const struct nwr_record *rec = nwr_txn_peek(t, &key);
    struct nwr_guard *g;
    struct nwr_attr a;
    bool dir;

    if (!is_known(t, ino))
        return;
    g = nwr_txn_guard(t, NWR_GUARD_ALIVE, &key);
    dir = nwr_attr_merge(t, ino, &a) && a.type == NWR_TYPE_DIR;
    nwr_attr_deinit(&a);
    if (!dir || !nwr_view_condemned(t, ino, 0))
        return;
    for (uint32_t i = 0; i < rec->n; i++)
        if (is_condemned(&rec->v[i]))
            nwr_guard_seen(g, rec->v[i].dot, rec->v[i].wid);
    nwr_slots_hold(t, ino);
}

nwr_wid nwr_view_condemn(struct nwr_txn *t, nwr_ino root)
{
    struct nwr_key key = nwr_key_reg(root, NWR_REG_MARKS);
    struct nwr_write *w = nwr_txn_write(t, &key, NULL, NULL);
    struct nwr_marks list = {0};
    struct nwr_versions s;

    nwr_versions_read(&s, &t->rows, root);
    if (s.last) {
        struct nwr_mark *m = nwr_marks_add(&list, NWR_MARK_GONE);

        *m = *s.last;
        m->wid = 0; /* nobody has removed more by this */
        m->left = NULL;
        m->nleft = 0;
    }
    nwr_versions_deinit(&s);
    w->v.flags |= NWR_V_HIDDEN | NWR_V_MARK;
    w->v.body = nwr_marks_encode(&list);
    nwr_marks_deinit(&list);
    return w->v.wid;
}

bool nwr_view_condemned(const struct nwr_txn *t, nwr_ino root, nwr_wid wid)
{
    struct nwr_key key = nwr_key_reg(root, NWR_REG_MARKS);
    const struct nwr_record *rec = nwr_txn_peek(t, &key);

    for (uint32_t i = 0; rec && i < rec->n; i++)
        if (is_condemned(&rec->v[i]) && (wid == 0 || rec->v[i].wid == wid))
            return true;
    return false;
}

void nwr_view_pardon(struct nwr_txn *t, nwr_ino root, nwr_wid wid)
{
    struct nwr_key key = nwr_key_reg(root, NWR_REG_MARKS);
    const struct nwr_record *rec = nwr_txn_peek(t, &key);

    for (uint32_t i = 0; rec && i < rec->n; i++) {
        struct nwr_write *w;

        if (!is_condemned(&rec->v[i]) || (wid && rec->v[i].wid != wid))
            continue;
        w = nwr_txn_write(t, &key, NULL, NULL);
        w->discard = w->v.body == NULL; /* or something is marked in the same batch */
        nwr_write_seen(w, rec->v[i].dot, rec->v[i].wid);
    }
}

/* What is left of its attributes, else what the mount knew of it last. */
static void raise_attr(struct nwr_txn *t, const struct nwr_node *node, nwr_ino ino, uint8_t type)
{
    struct nwr_attr a;

    if (!nwr_attr_merge(t, ino, &a)) {
        a = (struct nwr_attr){.type = type, .btime = t->m->wall, .policy = node->policy};
        a.mode.value = type == NWR_TYPE_DIR ? 0700 : node->mode & 0777;
        a.mode_base = (uint16_t)a.mode.value;
        a.uid.value = node->uid;
        a.gid.value = node->gid;
        a.atime.value = a.ctime.value = a.mtime.value = t->m->wall;
    }
    nwr_attr_put(t, ino, &a);
    nwr_attr_deinit(&a);
}

static void raise_at(struct nwr_txn *t, nwr_ino ino, const struct nwr_mark *last)
{
    struct nwr_shown x = {.base_len = last->len};

    memcpy(x.base, last->name, last->len);
    nwr_slots_remember(t, &x, last->parent, ino, true);
}

/* False: it is asked for. *up: the directory it was last in; 0: it has a name. */
static bool raise_one(struct nwr_txn *t, const struct nwr_node *node, nwr_ino ino, uint8_t type,
                      nwr_ino *up)
{
    struct nwr_versions s;

    *up = 0;
    if (!nwr_txn_object(t, ino))
        return false;
    nwr_versions_read(&s, &t->rows, ino);
    if (s.last && (s.nlink == 0 || nwr_view_condemned(t, ino, 0))) {
        *up = s.last->parent;
        raise_attr(t, node, ino, type);
        raise_at(t, ino, s.last);
    }
    nwr_versions_deinit(&s);
    return true;
}

/* Who was asked need not be who refused. */
static bool knows_why(struct nwr_txn *t, nwr_ino ino)
{
    if (!nwr_txn_object(t, ino))
        return false;
    if (nwr_view_condemned(t, ino, 0) || t->r == NWR_QUORUM_ALL)
        return true;
    t->r = NWR_QUORUM_ALL;
    nwr_snapshot_clear(t);
    return nwr_txn_object(t, ino);
}

bool nwr_view_raise(struct nwr_txn *t, const struct nwr_node *node)
{
    nwr_ino ino = node->root;
    uint8_t type = node->type;

    if (!knows_why(t, ino))
        return false;
    for (int depth = 0; depth < NWR_PLACE_DEPTH; depth++) {
        nwr_ino up;

        if (!raise_one(t, node, ino, type, &up))
            return false;
        if (depth == 0)
            nwr_view_pardon(t, ino, 0);
        if (up == 0 || up == NWR_INO_ROOT)
            break;
        ino = up;
        type = NWR_TYPE_DIR;
    }
    return true;
}
