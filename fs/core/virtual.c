/* virtual.c -- see virtual.h. */
#include "fs/core/virtual.h"

#include "fs/core/check.h"
#include "fs/core/say.h"

static const char *const derived[] = {"clock", "node", "time", "siblings", "label", "deleted_by"};
static const char *const later[] = {"exclusive", "locks"};

bool nwr_virtual_is(const char *name)
{
    return strncmp(name, NWR_VIRTUAL_PREFIX, strlen(NWR_VIRTUAL_PREFIX)) == 0;
}

/* RFC 3339 in UTC; days to a date after Howard Hinnant's civil calendar. */
static void out_time(struct nwr_out *o, nwr_hlc hlc)
{
    uint64_t ms = hlc >> 16, s = ms / 1000, z = s / 86400 + 719468;
    uint64_t era = z / 146097, doe = z % 146097;
    uint64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    uint64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    uint64_t mp = (5 * doy + 2) / 153, month = mp < 10 ? mp + 3 : mp - 9;

    nwr_say_number(o, yoe + era * 400 + (month <= 2), 4);
    nwr_say(o, "-");
    nwr_say_number(o, month, 2);
    nwr_say(o, "-");
    nwr_say_number(o, doy - (153 * mp + 2) / 5 + 1, 2);
    nwr_say(o, "T");
    nwr_say_number(o, s / 3600 % 24, 2);
    nwr_say(o, ":");
    nwr_say_number(o, s / 60 % 60, 2);
    nwr_say(o, ":");
    nwr_say_number(o, s % 60, 2);
    nwr_say(o, ".");
    nwr_say_number(o, ms % 1000, 3);
    nwr_say(o, "Z");
}

/* ---- policies ---- */

static const char *const durabilities[] = {"default", "memory", "disk"};

static bool policy_get(const struct nwr_policy *p, const char *name, struct nwr_out *out)
{
    if (strcmp(name, "w") == 0)
        nwr_say_number(out, p->w, 1);
    else if (strcmp(name, "r") == 0)
        nwr_say_number(out, p->r, 1);
    else if (strcmp(name, "on-conflict") == 0)
        nwr_say(out, p->reject ? "reject" : "keep");
    else if (strcmp(name, "conflicts") == 0)
        nwr_say(out, p->hide ? "hide" : "list");
    else if (strcmp(name, "durability") == 0)
        nwr_say(out, durabilities[p->durability < 3 ? p->durability : 0]);
    else if (strcmp(name, "sloppy") == 0)
        nwr_say(out, p->sloppy ? "on" : "off");
    else
        return false;
    return true;
}

static bool is_text(const struct nwr_blob *value, const char *text)
{
    return value->len == strlen(text) && memcmp(value->data, text, value->len) == 0;
}

/* The index of value in a list of n, or -1. */
static int choose(const struct nwr_blob *value, const char *const *list, int n)
{
    for (int i = 0; i < n; i++)
        if (is_text(value, list[i]))
            return i;
    return -1;
}

static int set_choice(uint8_t *field, const struct nwr_blob *value, const char *const *list, int n)
{
    int i = choose(value, list, n);

    if (i < 0)
        return EINVAL;
    *field = (uint8_t)i;
    return 0;
}

static int set_quorum(uint8_t *field, const struct nwr_blob *value)
{
    if (value->len != 1 || value->data[0] < '0' || value->data[0] > '0' + NWR_REPLICAS_MAX)
        return EINVAL;
    *field = (uint8_t)(value->data[0] - '0');
    return 0;
}

int nwr_virtual_set(struct nwr_policy *p, const char *name, const struct nwr_blob *value)
{
    static const char *const rejects[] = {"keep", "reject"}, *const hides[] = {"list", "hide"};
    static const char *const switches[] = {"off", "on"};

    if (strcmp(name, "w") == 0)
        return set_quorum(&p->w, value);
    if (strcmp(name, "r") == 0)
        return set_quorum(&p->r, value);
    if (strcmp(name, "on-conflict") == 0)
        return set_choice(&p->reject, value, rejects, 2);
    if (strcmp(name, "conflicts") == 0)
        return set_choice(&p->hide, value, hides, 2);
    if (strcmp(name, "durability") == 0)
        return set_choice(&p->durability, value, durabilities, 3);
    if (strcmp(name, "sloppy") == 0)
        return set_choice(&p->sloppy, value, switches, 2);
    for (size_t i = 0; i < NWR_COUNT(later); i++)
        if (strcmp(name, later[i]) == 0)
            return EOPNOTSUPP;
    return 0;
}

/* ---- what is derived from versions ---- */

static bool same_seen(struct nwr_seen a, struct nwr_seen b)
{
    return nwr_dot_cmp(a.dot, b.dot) == 0;
}

/* All lines of the name that x is shown under, hidden ones too; in a union of directories, of all
 * of them. */
static bool lines_of(struct nwr_txn *t, const struct nwr_node *n, struct nwr_shown *x,
                     struct nwr_shown_list *list)
{
    if (!nwr_view_place(t, x))
        return false;
    for (uint32_t i = 0; i < n->within.n && x->base_len; i++)
        if (n->within.ino[i] == x->parent)
            x->within = n->within;
    return x->base_len == 0 || nwr_view_all(t, &x->within, x->base, x->base_len, list);
}

static uint32_t lines(const struct nwr_shown_list *list)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < list->n; i++)
        n += !list->e[i].behind;
    return n;
}

static void out_siblings(const struct nwr_shown_list *list, const struct nwr_shown *x,
                         struct nwr_out *out)
{
    for (uint32_t i = 0; i < list->n; i++) {
        const struct nwr_shown *y = &list->e[i];

        if (y->number == 0 || y->behind ||
            (y->root == x->root && same_seen(y->version, x->version)))
            continue;
        if (out->len)
            nwr_say(out, ",");
        nwr_say_number(out, y->number, 1);
    }
}

/* The version shown: content of a file; for all else nothing is known but the slot. */
static const struct nwr_version *shown_version(const struct nwr_txn *t, const struct nwr_shown *x)
{
    struct nwr_key key = nwr_key_reg(x->root, NWR_REG_CONTENT);
    const struct nwr_record *rec = nwr_txn_peek(t, &key);

    return rec && x->version.dot.counter ? nwr_record_find(rec, x->version.dot) : NULL;
}

static void out_derived(const struct nwr_version *v, const char *name, struct nwr_out *out)
{
    char *text;

    if (strcmp(name, "clock") == 0) {
        text = nwr_vv_text(&v->past);
        nwr_say(out, text);
        nwr_free(text);
        return;
    }
    if (strcmp(name, "label") == 0)
        nwr_say(out, "node ");
    if (strcmp(name, "time") != 0)
        nwr_say_number(out, nwr_actor_ordinal(v->dot.actor), 1);
    if (strcmp(name, "label") == 0)
        nwr_say(out, ", ");
    if (strcmp(name, "node") != 0)
        out_time(out, v->hlc);
}

static void out_deleted_by(const struct nwr_shown *x, struct nwr_out *out)
{
    nwr_say(out, "uid ");
    nwr_say_number(out, x->deleted_by.uid, 1);
    nwr_say(out, ", node ");
    nwr_say_number(out, nwr_actor_ordinal(x->deleted_by.dot.actor), 1);
    nwr_say(out, ", ");
    out_time(out, x->deleted_by.hlc);
}

static bool derived_get(struct nwr_txn *t, struct nwr_node *n, const char *name,
                        struct nwr_out *out)
{
    struct nwr_shown_list list = {0};
    struct nwr_shown x;
    const struct nwr_version *v;
    bool whole;

    if (!nwr_txn_object(t, n->root) || !nwr_view_node(t, n, &x))
        return false;
    if (strcmp(name, "siblings") == 0) {
        whole = lines_of(t, n, &x, &list);
        if (whole)
            out_siblings(&list, &x, out);
        if (whole && lines(&list) < 2)
            nwr_txn_fail(t, ENODATA);
        nwr_shown_list_deinit(&list);
        return whole;
    }
    if (strcmp(name, "deleted_by") == 0) {
        whole = nwr_view_place(t, &x);
        if (whole && x.restored && !x.skipped)
            out_deleted_by(&x, out);
        else if (whole)
            nwr_txn_fail(t, ENODATA);
        return whole;
    }
    v = shown_version(t, &x);
    if (v)
        out_derived(v, name, out);
    else
        nwr_txn_fail(t, ENODATA);
    return true;
}

/* ---- the common ancestor of a sibling and the head ---- */

static const struct nwr_version *of_shown(const struct nwr_record *rec, const struct nwr_shown *x)
{
    return x->version.dot.counter ? nwr_record_find(rec, x->version.dot) : NULL;
}

/* NULL: none is kept, or the two are versions of different inodes. */
static const struct nwr_version *base_of(struct nwr_txn *t, const struct nwr_shown *x,
                                         const struct nwr_shown_list *list)
{
    struct nwr_key key = nwr_key_reg(x->root, NWR_REG_CONTENT);
    const struct nwr_record *rec = nwr_txn_peek(t, &key);
    const struct nwr_version *head = NULL, *own = rec ? of_shown(rec, x) : NULL;

    for (uint32_t i = 0; own && i < list->n; i++)
        if (list->e[i].number == 0 && list->e[i].root == x->root)
            head = of_shown(rec, &list->e[i]);
    return head && head != own ? nwr_record_base(rec, own, head) : NULL;
}

static void out_base(const struct nwr_version *base, const struct nwr_content *c,
                     struct nwr_out *out)
{
    struct nwr_dot dot = base->dot;
    struct nwr_vv one = {&dot, 1, 1};
    char *text = nwr_vv_text(&one);

    nwr_say(out, text);
    nwr_free(text);
    nwr_say(out, " ");
    nwr_say_number(out, c->map.size, 1);
}

/* False: needs. */
static bool out_bytes(struct nwr_txn *t, nwr_ino root, const struct nwr_map *map, uint64_t from,
                      struct nwr_out *out)
{
    struct nwr_file *f = nwr_file_create(root, t->m->cache);
    struct nwr_slice_list bytes = {0};
    bool whole;

    nwr_file_rebase(f, map);
    whole = nwr_file_read(f, from, NWR_XATTR_MAX, &bytes, &t->blocks);
    for (uint32_t i = 0; whole && i < bytes.n; i++) {
        const struct nwr_slice *s = &bytes.slice[i];

        if (s->blob)
            nwr_out_raw(out, s->blob->data + s->off, s->len);
        for (uint32_t zero = 0; !s->blob && zero < s->len; zero++)
            nwr_out_u8(out, 0);
    }
    nwr_slices_deinit(&bytes);
    nwr_file_destroy(f);
    return whole;
}

/* The offset behind "base."; false: it is none. */
static bool offset_of(const char *text, uint64_t *out)
{
    *out = 0;
    for (const char *p = text; *p; p++) {
        if (*p < '0' || *p > '9' || *out > NWR_FILE_MAX / 16)
            return false;
        *out = *out * 10 + (uint64_t)(*p - '0');
    }
    return *text != 0;
}

/* "base": dot and size; "base.OFFSET": its bytes from there, as many as an attribute holds. Read
 * like this it needs no inode number, no handle and no name that a listing would have to hide, and
 * the kernel asks for the permission to read the file. */
static bool base_get(struct nwr_txn *t, struct nwr_node *n, const char *rest, struct nwr_out *out)
{
    struct nwr_shown_list list = {0};
    const struct nwr_version *base;
    struct nwr_content c = {0};
    struct nwr_shown x;
    uint64_t from = 0;
    bool whole;

    if (!nwr_txn_object(t, n->root) || !nwr_view_node(t, n, &x))
        return false;
    whole = lines_of(t, n, &x, &list);
    base = whole ? base_of(t, &x, &list) : NULL;
    nwr_shown_list_deinit(&list);
    if (!whole)
        return false;
    if (!base || (*rest && (*rest != '.' || !offset_of(rest + 1, &from)))) {
        nwr_txn_fail(t, ENODATA);
        return true;
    }
    if (nwr_content_decode(&c, base) != NWR_OK) {
        nwr_txn_fail(t, EIO);
        return true;
    }
    if (*rest)
        whole = out_bytes(t, n->root, &c.map, from, out);
    else
        out_base(base, &c, out);
    nwr_content_deinit(&c);
    return whole;
}

/* ---- what the volume tells ---- */

static bool told_get(struct nwr_txn *t, struct nwr_node *n, enum nwr_op op, struct nwr_out *out)
{
    if (!t->other_done) {
        if (!t->other) {
            t->other = nwr_request_new(op, nwr_ino_pg(n->root));
            t->other->key =
                nwr_key_reg(n->root, n->type == NWR_TYPE_REG ? NWR_REG_CONTENT : NWR_REG_ATTR);
        }
        return false;
    }
    if (t->last.data)
        nwr_out_raw(out, t->last.data->data, t->last.data->len);
    return true;
}

static void out_count(struct nwr_out *o, const char *before, const char *name, uint64_t v)
{
    nwr_say(o, before);
    nwr_say(o, "\"");
    nwr_say(o, name);
    nwr_say(o, "\":");
    nwr_say_number(o, v, 1);
}

static void out_counters(struct nwr_out *o, const struct nwr_fs_counters *c)
{
    static const char *const op[] = {
        "lookup",   "forget",   "getattr",   "setattr",     "readlink",   "mknod",
        "mkdir",    "unlink",   "rmdir",     "symlink",     "rename",     "link",
        "create",   "open",     "read",      "write",       "flush",      "fsync",
        "release",  "opendir",  "readdir",   "readdirplus", "releasedir", "statfs",
        "setxattr", "getxattr", "listxattr", "removexattr", "fallocate",  "lseek"};

    _Static_assert(NWR_COUNT(op) == NWR_FS_LSEEK + 1, "a name for each operation");
    out_count(o, "{", "round_trips", c->round_trips);
    out_count(o, ",", "reads", c->volume_reads);
    out_count(o, ",", "puts", c->volume_puts);
    out_count(o, ",", "blocks", c->volume_blocks);
    out_count(o, ",", "pushes", c->pushes);
    nwr_say(o, ",\"requests\":{");
    for (size_t i = 0; i < NWR_COUNT(op); i++)
        out_count(o, i ? "," : "", op[i], c->requests[i]);
    nwr_say(o, "}}");
}

/* The node's JSON, an object, and in it what this mount has counted. */
static bool status_get(struct nwr_txn *t, struct nwr_node *n, struct nwr_out *out)
{
    if (!told_get(t, n, NWR_OP_STATUS, out))
        return false;
    while (out->len && out->data[out->len - 1] != '}')
        out->len--;
    if (out->len < 3)
        return true;
    out->len--;
    nwr_say(out, ",\"mount\":");
    out_counters(out, nwr_mount_counters(t->m));
    nwr_say(out, "}");
    return true;
}

bool nwr_virtual_get(struct nwr_txn *t, struct nwr_node *n, const char *name, struct nwr_out *out)
{
    struct nwr_attr a;

    if (strcmp(name, "status") == 0)
        return status_get(t, n, out);
    if (strncmp(name, "index", 5) == 0)
        return nwr_survey_get(t, name + 5, out);
    if (strncmp(name, "base", 4) == 0)
        return base_get(t, n, name + 4, out);
    if (strncmp(name, "check.", 6) == 0)
        return nwr_check_get(t, name + 6, out);
    if (strcmp(name, "why") == 0)
        return told_get(t, n, NWR_OP_WHY, out);
    for (size_t i = 0; i < NWR_COUNT(derived); i++)
        if (strcmp(name, derived[i]) == 0)
            return derived_get(t, n, name, out);
    if (!nwr_txn_object(t, n->root))
        return false;
    if (!nwr_attr_merge(t, n->root, &a)) {
        nwr_txn_fail(t, ESTALE);
        return true;
    }
    if (!policy_get(&a.policy, name, out))
        nwr_txn_fail(t, ENODATA);
    nwr_attr_deinit(&a);
    return true;
}

void nwr_virtual_list(struct nwr_txn *t, struct nwr_node *n, struct nwr_out *out)
{
    struct nwr_key key = nwr_key_reg(n->root, NWR_REG_CONTENT);
    const struct nwr_record *rec = nwr_txn_peek(t, &key);
    bool restored = n->type == NWR_TYPE_REG && nwr_attr_links(t, n->root) == 0 && !n->unlinked;

    if (n->number == 0 && !restored && (!rec || nwr_record_live(rec) < 2))
        return;
    for (size_t i = 0; i < NWR_COUNT(derived); i++) {
        if (strcmp(derived[i], restored ? "siblings" : "deleted_by") == 0)
            continue;
        nwr_say(out, NWR_VIRTUAL_PREFIX);
        nwr_out_raw(out, derived[i], strlen(derived[i]) + 1);
    }
}
