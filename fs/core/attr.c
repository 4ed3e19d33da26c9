/* attr.c -- attributes: merged field by field, shown as stat (DESIGN 4, "Inode"). */
#include "fs/core/place.h"

static const uint32_t type_mode[] = {
    [NWR_TYPE_REG] = S_IFREG,  [NWR_TYPE_DIR] = S_IFDIR,   [NWR_TYPE_LNK] = S_IFLNK,
    [NWR_TYPE_FIFO] = S_IFIFO, [NWR_TYPE_SOCK] = S_IFSOCK, [NWR_TYPE_CHR] = S_IFCHR,
    [NWR_TYPE_BLK] = S_IFBLK};

uint32_t nwr_type_mode(uint8_t type)
{
    return type < NWR_COUNT(type_mode) ? type_mode[type] : 0;
}

uint8_t nwr_mode_type(uint32_t mode)
{
    if ((mode & S_IFMT) == 0)
        return NWR_TYPE_REG;
    for (size_t i = NWR_TYPE_REG; i < NWR_COUNT(type_mode); i++)
        if (type_mode[i] == (mode & S_IFMT))
            return (uint8_t)i;
    return 0;
}

/* ---- merging -------------------------------------------------------------------------------- */

static void own_hlc(struct nwr_attr *a, nwr_hlc hlc)
{
    struct nwr_stamped *field[] = {&a->mode, &a->uid, &a->gid, &a->atime, &a->ctime, &a->mtime};

    for (size_t i = 0; i < NWR_COUNT(field); i++)
        if (field[i]->hlc == 0)
            field[i]->hlc = hlc;
    if (a->policy_hlc == 0)
        a->policy_hlc = hlc;
}

static bool later(struct nwr_stamped *mine, struct nwr_stamped other)
{
    if (other.hlc < mine->hlc || (other.hlc == mine->hlc && other.value <= mine->value))
        return false;
    *mine = other;
    return true;
}

static void take_mode(struct nwr_attr *a, const struct nwr_attr *b)
{
    a->mode = b->mode;
    a->mode_base = b->mode_base;
    a->mode_over = b->mode_over;
}

/* The setter of b's mode knew that of a: a came along with something else, times say. */
static bool replaces_mode(const struct nwr_attr *b, const struct nwr_attr *a)
{
    return b->mode_over && b->mode_over == a->mode.hlc && b->mode.hlc > a->mode.hlc;
}

/* Three-way: a bit that a setter changed wins over one it left; cleared wins where both did. */
static void merge_mode(struct nwr_attr *a, const struct nwr_attr *b)
{
    uint16_t am = (uint16_t)a->mode.value, bm = (uint16_t)b->mode.value;
    uint16_t ac = am ^ a->mode_base, bc = bm ^ b->mode_base;
    uint16_t newer = b->mode.hlc > a->mode.hlc ? bm : am;
    uint16_t bits =
        (uint16_t)((newer & ~(ac | bc)) | (am & ac & ~bc) | (bm & bc & ~ac) | (am & bm & ac & bc));

    if ((a->mode.hlc == b->mode.hlc && am == bm) || replaces_mode(a, b))
        return;
    if (replaces_mode(b, a))
        return take_mode(a, b);
    a->mode_base = a->mode_base & b->mode_base;
    a->mode_over = 0;
    a->mode.value = bits;
    a->mode.hlc = NWR_MAX(a->mode.hlc, b->mode.hlc);
}

/* Takes what b has that is later. */
static void merge(struct nwr_attr *a, struct nwr_attr *b)
{
    nwr_wid of = b->mtime_of;

    merge_mode(a, b);
    later(&a->uid, b->uid);
    later(&a->gid, b->gid);
    later(&a->atime, b->atime);
    later(&a->ctime, b->ctime);
    if (later(&a->mtime, b->mtime))
        a->mtime_of = of;
    if (b->policy_hlc > a->policy_hlc) {
        a->policy = b->policy;
        a->policy_hlc = b->policy_hlc;
    }
    nwr_attr_deinit(b);
}

static void root_attr(const struct nwr_txn *t, struct nwr_attr *a)
{
    *a = (struct nwr_attr){.type = NWR_TYPE_DIR, .mode_base = 0755};
    a->mode = (struct nwr_stamped){0755, 1};
    a->uid = (struct nwr_stamped){t->m->config.info.uid, 1};
    a->gid = (struct nwr_stamped){t->m->config.info.gid, 1};
    a->atime.hlc = a->ctime.hlc = a->mtime.hlc = a->policy_hlc = 1;
}

bool nwr_attr_merge(const struct nwr_txn *t, nwr_ino root, struct nwr_attr *a)
{
    struct nwr_key key = nwr_key_reg(root, NWR_REG_ATTR);
    const struct nwr_record *rec = nwr_txn_peek(t, &key);
    bool found = root == NWR_INO_ROOT;

    *a = (struct nwr_attr){0};
    if (found)
        root_attr(t, a);
    for (uint32_t i = 0; rec && i < rec->n; i++) {
        struct nwr_attr b;

        if (rec->v[i].flags & NWR_V_TOMBSTONE || nwr_attr_decode(&b, rec->v[i].body) != NWR_OK)
            continue;
        own_hlc(&b, rec->v[i].hlc);
        if (found)
            merge(a, &b);
        else
            *a = b;
        found = true;
    }
    return found;
}

void nwr_attr_put(struct nwr_txn *t, nwr_ino root, const struct nwr_attr *a)
{
    struct nwr_key key = nwr_key_reg(root, NWR_REG_ATTR);
    struct nwr_write *w = nwr_txn_write(t, &key, nwr_txn_peek(t, &key), NULL);

    nwr_blob_unref(w->v.body);
    w->v.body = nwr_attr_encode(a);
}

struct nwr_attr nwr_attr_new(struct nwr_txn *t, const struct nwr_node *dir, uint8_t type)
{
    const struct nwr_fs_req *req = t->req;
    struct nwr_attr a = {.type = type, .btime = t->m->wall};
    uint32_t mode = req->mode & 07777 & ~req->umask;

    a.policy = dir->policy;
    a.uid.value = req->uid;
    a.gid.value = req->gid;
    if (dir->mode & S_ISGID) {
        a.gid.value = dir->gid;
        if (type == NWR_TYPE_DIR)
            mode |= S_ISGID;
    }
    if (type == NWR_TYPE_LNK)
        mode = 0777;
    a.mode.value = a.mode_base = (uint16_t)mode;
    a.rdev = req->rdev;
    a.atime.value = a.ctime.value = a.mtime.value = t->m->wall;
    return a;
}

/* ---- stat ----------------------------------------------------------------------------------- */

uint32_t nwr_attr_links(const struct nwr_txn *t, nwr_ino root)
{
    struct nwr_key prefix = nwr_key_reg(root, NWR_REG_LINK);
    uint32_t n = 0;

    for (uint32_t i = nwr_rows_lower(&t->rows, &prefix);
         i < t->rows.n && nwr_key_has_prefix(&t->rows.row[i].key, &prefix); i++)
        n += nwr_record_live(&t->rows.row[i].rec) > 0;
    return n;
}

struct timespec nwr_attr_time(nwr_ns ns)
{
    nwr_ns sec = ns / 1000000000, rest = ns % 1000000000;

    return rest < 0 ? (struct timespec){sec - 1, rest + 1000000000} : (struct timespec){sec, rest};
}

nwr_ns nwr_attr_touched(const struct nwr_attr *a, const struct nwr_node *dir)
{
    bool counts = dir && dir->touched > dir->told && dir->touched_hlc > a->mtime.hlc;

    return counts ? dir->touched : (nwr_ns)a->mtime.value;
}

/* ctime is the newest of all registers; an hlc counts milliseconds. */
static nwr_ns newest(const struct nwr_txn *t, nwr_ino root, nwr_ns ns)
{
    struct nwr_key prefix = nwr_key_object(root);

    for (uint32_t i = nwr_rows_lower(&t->rows, &prefix);
         i < t->rows.n && nwr_key_has_prefix(&t->rows.row[i].key, &prefix); i++) {
        const struct nwr_record *rec = &t->rows.row[i].rec;
        char reg = (char)t->rows.row[i].key.b[prefix.len];

        if (reg == NWR_REG_ATTR || reg == NWR_REG_MARKS)
            continue;
        for (uint32_t j = 0; j < rec->n; j++)
            ns = NWR_MAX(ns, (nwr_ns)(rec->v[j].hlc >> 16) * 1000000);
    }
    return ns;
}

static uint64_t blocks_of(const struct nwr_map *map)
{
    uint64_t bytes = 0;

    for (uint32_t i = 0; i < map->n; i++)
        bytes += map->item[i].len + (map->depth ? (uint64_t)map->item[i].block_off << 32 : 0);
    return (bytes + 511) / 512;
}

static const struct nwr_version *version_of(const struct nwr_txn *t, const struct nwr_shown *x)
{
    struct nwr_key key = nwr_key_reg(x->root, NWR_REG_CONTENT);
    const struct nwr_record *rec = nwr_txn_peek(t, &key);

    for (uint32_t i = 0; rec && i < rec->n; i++)
        if (nwr_dot_cmp(rec->v[i].dot, x->version.dot) == 0)
            return &rec->v[i];
    for (uint32_t i = 0; rec && i < rec->n; i++)
        if (x->version.wid && rec->v[i].wid == x->version.wid)
            return &rec->v[i];
    return NULL;
}

/* Size and times of a regular file: of the version shown, or of what is newer on this mount. */
static void stat_file(const struct nwr_txn *t, const struct nwr_shown *x, struct nwr_node *n,
                      const struct nwr_attr *a, struct stat *st, nwr_ns *mtime, nwr_ns *ctime)
{
    const struct nwr_version *v = version_of(t, x);
    bool dirty = n && n->file && nwr_file_dirty(n->file);
    struct nwr_content c = {0};

    if (dirty || (n && n->file && nwr_entry_ahead(t, n, x))) {
        st->st_size = (off_t)nwr_file_size(n->file);
        st->st_blocks = (blkcnt_t)nwr_file_blocks(n->file);
        *mtime = !dirty && a->mtime_of == n->version.wid ? (nwr_ns)a->mtime.value : n->mtime;
        return;
    }
    if (!v || nwr_content_decode(&c, v) != NWR_OK)
        return;
    st->st_size = (off_t)c.map.size;
    st->st_blocks = (blkcnt_t)blocks_of(&c.map);
    *mtime = a->mtime_of == v->wid ? (nwr_ns)a->mtime.value : c.mtime;
    if (c.mtime / 1000000 == (nwr_ns)(v->hlc >> 16)) /* written then: an hlc has no more digits */
        *ctime = c.mtime;
    nwr_content_deinit(&c);
}

static void fill_times(struct stat *st, const struct nwr_attr *a, nwr_ns mtime, nwr_ns ctime)
{
    st->st_mtim = nwr_attr_time(mtime);
    st->st_ctim = nwr_attr_time(NWR_MAX(ctime, (nwr_ns)a->ctime.value));
    st->st_atim = nwr_attr_time((nwr_ns)a->atime.value);
}

/* A symbolic link to a directory that was moved away. */
static void stat_elsewhere(struct nwr_txn *t, const struct nwr_shown *x, struct stat *st)
{
    struct nwr_out text = {0};

    if (nwr_place_text(t, x->parent, x->root, &text))
        st->st_size = (off_t)text.len;
    nwr_out_free(&text);
    st->st_mode = S_IFLNK | 0777;
    st->st_nlink = 1;
}

/* 1 says "not counted" to find(1) and its like. */
static nlink_t links_of_dir(const struct nwr_node *n)
{
    if (n && n->unlinked)
        return 0;
    return n && n->counted && n->subdirs != NWR_SUBDIRS_MANY ? 2 + (nlink_t)n->subdirs : 1;
}

bool nwr_attr_stat(struct nwr_txn *t, const struct nwr_shown *x, struct nwr_node *n,
                   struct stat *st)
{
    struct nwr_attr a;
    nwr_ns mtime, ctime = n ? NWR_MAX(n->touched, n->changed) : 0;

    memset(st, 0, sizeof(*st));
    if (!nwr_attr_merge(t, x->root, &a))
        return false;
    st->st_ino = x->ino;
    st->st_mode = (mode_t)(nwr_type_mode(a.type) | (a.mode.value & 07777));
    st->st_uid = (uid_t)a.uid.value;
    st->st_gid = (gid_t)a.gid.value;
    st->st_rdev = a.rdev;
    st->st_blksize = 4096;
    st->st_nlink = a.type == NWR_TYPE_DIR ? links_of_dir(n)
                   : x->restored          ? 1
                                          : nwr_attr_links(t, x->root);
    mtime = (nwr_ns)a.mtime.value;
    if (a.type == NWR_TYPE_REG)
        stat_file(t, x, n, &a, st, &mtime, &ctime);
    if (a.type == NWR_TYPE_LNK)
        st->st_size = a.symlink ? (off_t)strlen(a.symlink) : 0;
    if (x->elsewhere)
        stat_elsewhere(t, x, st);
    else if (a.type == NWR_TYPE_DIR) {
        st->st_size = 4096;
        mtime = nwr_attr_touched(&a, n);
    }
    fill_times(st, &a, mtime, newest(t, x->root, ctime));
    if (n) {
        n->policy = a.policy;
        n->mode = (uint32_t)a.mode.value;
        n->uid = (uint32_t)a.uid.value;
        n->gid = (uint32_t)a.gid.value;
    }
    nwr_attr_deinit(&a);
    return true;
}
