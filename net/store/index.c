/* index.c -- which records people must look at: conflicts, and inodes without a name.
 *
 *   entry       several live versions, or a live one beside a hidden one (a void that masks it)
 *   content     several live versions
 *   attributes  live, and the inode has no live link: unlinked, or half made
 *   link        live, of a directory that two sides moved (it refers to its inode), not its latest
 *   marks       of a directory that was moved, while nobody knows whether that closes a loop (one
 *               of them refers to it)
 *
 * A META value with a name of its own kind (a zero byte, which no string has) and the record's key
 * behind it, kept in the commit that changes the record. The value is empty. What fs shows of such
 * a record is its business: equal contents, or directories of one name, are no conflict there.
 */
#include "net/store/engine.h"

/* All keys there are do; one that came from elsewhere may not. */
static bool fits(const struct nwr_key *key)
{
    return key->len + 2 <= NWR_KEY_MAX;
}

static struct nwr_skey index_key(const struct nwr_key *key)
{
    struct nwr_skey k = {.space = NWR_SPACE_META, .len = (uint16_t)(key->len + 2)};

    nwr_assert(fits(key));
    k.b[0] = 'k';
    memcpy(k.b + 2, key->b, key->len);
    return k;
}

static bool is_index(const struct nwr_skey *key)
{
    return key->len > 2 && key->b[0] == 'k' && key->b[1] == 0;
}

static struct nwr_key key_of(const struct nwr_skey *k, size_t from)
{
    struct nwr_key key = {.len = (uint16_t)(k->len - from)};

    memcpy(key.b, k->b + from, key.len);
    return key;
}

/* ---- one record ----------------------------------------------------------------------------- */

bool nwr_index_wants(const struct nwr_key *key, const struct nwr_record *rec)
{
    uint32_t live = nwr_record_live(rec);
    struct nwr_key_parts p;
    bool hidden = false;

    if (!fits(key) || !nwr_key_parse(key, &p))
        return false;
    for (uint32_t i = 0; p.kind == 'I' && p.reg == NWR_REG_MARKS && i < rec->n; i++)
        hidden |= rec->v[i].ref != 0;
    if (live == 0)
        return hidden;
    if (p.kind == 'I')
        return p.reg == NWR_REG_CONTENT && live > 1;
    for (uint32_t i = 0; i < rec->n; i++)
        hidden |= (rec->v[i].flags & NWR_V_HIDDEN) != 0;
    return live > 1 || hidden;
}

static enum nwr_err has(struct nwr_txn *t, const struct nwr_skey *key, bool *is)
{
    struct nwr_blob *value;
    enum nwr_err err = nwr_txn_get(t, key, &value);

    *is = err == NWR_OK;
    if (err == NWR_OK)
        nwr_blob_unref(value);
    return err == NWR_E_NOENT ? NWR_OK : err;
}

bool nwr_index_counts(const struct nwr_key *key)
{
    return key->b[2] == 'E' || key->b[11] == NWR_REG_CONTENT || key->b[11] == NWR_REG_LINK;
}

enum nwr_err nwr_txn_index(struct nwr_txn *t, const struct nwr_key *key, bool want)
{
    struct nwr_skey k;
    bool is;
    enum nwr_err err;

    if (!fits(key))
        return NWR_OK;
    k = index_key(key);
    err = has(t, &k, &is);
    if (err || is == want)
        return err;
    nwr_sorted_put(&t->changes, &k, want ? nwr_seal(&k, "", 0) : NULL);
    t->conflicts += nwr_index_counts(key) ? (want ? 1 : -1) : 0;
    return NWR_OK;
}

/* ---- names of an inode ---------------------------------------------------------------------- */

struct naming {
    struct nwr_txn *t;
    struct nwr_skey prefix; /* of its links */
    bool named;
    enum nwr_err err;
};

static bool is_link(const struct naming *s, const struct nwr_skey *key)
{
    return key->len >= s->prefix.len && memcmp(key->b, s->prefix.b, s->prefix.len) == 0;
}

static void look(struct naming *s, const struct nwr_skey *key, const void *value, size_t len)
{
    struct nwr_record rec;

    s->err = nwr_unseal_record(key, value, len, &rec);
    if (s->err)
        return;
    s->named = nwr_record_live(&rec) > 0;
    nwr_record_deinit(&rec);
}

static bool on_link(void *arg, const struct nwr_skey *key, const void *value, size_t len)
{
    struct naming *s = arg;

    if (!is_link(s, key))
        return false;
    if (!nwr_sorted_find(&s->t->changes, key)) /* those were looked at before */
        look(s, key, value, len);
    return !s->named && !s->err;
}

/* What t changes comes first: whoever makes a file names it in the same batch. A link that cannot
 * be read may be one. */
static enum nwr_err is_named(struct nwr_txn *t, nwr_ino ino, bool *named)
{
    struct nwr_key link = nwr_key_reg(ino, NWR_REG_LINK);
    struct naming s = {.t = t, .prefix = nwr_skey_of(NWR_SPACE_RECORDS, link.b, link.len)};
    struct nwr_sorted_node *n = nwr_sorted_lower(&t->changes, &s.prefix);
    enum nwr_err err = NWR_OK;

    for (; n && n->space == NWR_SPACE_RECORDS && !s.named && !s.err; n = n->next[0]) {
        struct nwr_skey key = nwr_skey_of(NWR_SPACE_RECORDS, n->key, n->key_len);

        if (!is_link(&s, &key))
            break;
        if (n->value)
            look(&s, &key, n->value->data, n->value->len);
    }
    if (!s.named && !s.err)
        err = t->e->kv->scan(t->e->kv, &s.prefix, on_link, &s);
    *named = s.named || s.err == NWR_E_CORRUPT;
    return err;
}

enum nwr_err nwr_txn_index_names(struct nwr_txn *t, nwr_ino ino, bool made)
{
    struct nwr_key attr = nwr_key_reg(ino, NWR_REG_ATTR);
    struct nwr_skey key = nwr_skey_of(NWR_SPACE_RECORDS, attr.b, attr.len);
    struct nwr_blob *sealed;
    struct nwr_record rec;
    bool want = false, named;
    enum nwr_err err;

    if (ino == NWR_INO_ROOT)
        return NWR_OK;
    err = nwr_txn_get(t, &key, &sealed);
    if (!err) {
        want = !nwr_unseal_record(&key, sealed->data, sealed->len, &rec);
        nwr_blob_unref(sealed);
    } else if (err == NWR_E_NOENT) {
        err = NWR_OK;
    }
    if (want) {
        want = nwr_record_live(&rec) > 0;
        nwr_record_deinit(&rec);
    }
    if (want) {
        err = is_named(t, ino, &named);
        want = !named;
    }
    if (err || (made && !want))
        return err;
    return nwr_txn_index(t, &attr, want);
}

/* ---- links of a directory -------------------------------------------------------------------- */

struct places {
    struct nwr_key key; /* of the latest so far; len 0: there was none */
    nwr_hlc hlc;
    struct nwr_dot dot;
};

static const struct nwr_version *place_in(const struct nwr_key *key, const struct nwr_record *rec)
{
    const struct nwr_version *best = NULL;
    struct nwr_key_parts p;

    if (!fits(key) || !nwr_key_parse(key, &p) || p.kind != 'I' || p.reg != NWR_REG_LINK)
        return NULL;
    for (uint32_t i = 0; i < rec->n; i++) {
        const struct nwr_version *v = &rec->v[i];

        if (v->ref != p.ino || v->flags & NWR_V_TOMBSTONE)
            continue;
        if (!best || v->hlc > best->hlc ||
            (v->hlc == best->hlc && nwr_dot_cmp(v->dot, best->dot) > 0))
            best = v;
    }
    return best;
}

bool nwr_index_is_place(const struct nwr_key *key, const struct nwr_record *rec)
{
    return place_in(key, rec) != NULL;
}

/* One more link of the inode. True: *loser is not the latest. */
static bool next_place(struct places *p, const struct nwr_key *key, const struct nwr_record *rec,
                       struct nwr_key *loser)
{
    const struct nwr_version *v = place_in(key, rec);
    bool second = p->key.len > 0;

    if (!v)
        return false;
    *loser = *key;
    if (second && (v->hlc < p->hlc || (v->hlc == p->hlc && nwr_dot_cmp(v->dot, p->dot) < 0)))
        return true;
    *loser = p->key;
    *p = (struct places){.key = *key, .hlc = v->hlc, .dot = v->dot};
    return second;
}

struct placing {
    struct naming links; /* only where they are looked for */
    struct places latest;
    struct nwr_key *lost;
    uint32_t n, cap;
};

static void add_link(struct placing *s, const struct nwr_skey *skey, const void *value, size_t len)
{
    struct nwr_key key = key_of(skey, 0), loser;
    struct nwr_record rec;

    if (nwr_unseal_record(skey, value, len, &rec) != NWR_OK)
        return; /* it is unknown, and comes again when it is healed */
    if (next_place(&s->latest, &key, &rec, &loser)) {
        s->lost = nwr_grow(s->lost, &s->cap, s->n + 1, sizeof(*s->lost));
        s->lost[s->n++] = loser;
    }
    nwr_record_deinit(&rec);
}

static bool on_place(void *arg, const struct nwr_skey *key, const void *value, size_t len)
{
    struct placing *s = arg;

    if (!is_link(&s->links, key))
        return false;
    if (!nwr_sorted_find(&s->links.t->changes, key))
        add_link(s, key, value, len);
    return true;
}

enum nwr_err nwr_txn_index_places(struct nwr_txn *t, nwr_ino ino)
{
    struct nwr_key link = nwr_key_reg(ino, NWR_REG_LINK);
    struct placing s = {
        .links = {.t = t, .prefix = nwr_skey_of(NWR_SPACE_RECORDS, link.b, link.len)}};
    struct nwr_sorted_node *n = nwr_sorted_lower(&t->changes, &s.links.prefix);
    enum nwr_err err;

    for (; n && n->space == NWR_SPACE_RECORDS; n = n->next[0]) {
        struct nwr_skey key = nwr_skey_of(NWR_SPACE_RECORDS, n->key, n->key_len);

        if (!is_link(&s.links, &key))
            break;
        if (n->value)
            add_link(&s, &key, n->value->data, n->value->len);
    }
    err = t->e->kv->scan(t->e->kv, &s.links.prefix, on_place, &s);
    if (!err && s.latest.key.len)
        err = nwr_txn_index(t, &s.latest.key, false);
    for (uint32_t i = 0; i < s.n && !err; i++)
        err = nwr_txn_index(t, &s.lost[i], true);
    nwr_free(s.lost);
    return err;
}

/* ---- reading it ----------------------------------------------------------------------------- */

struct walking {
    struct nwr_engine *e;
    bool (*on)(void *arg, const struct nwr_skey *key, const void *value, size_t len);
    void *arg;
    enum nwr_err err;
};

static bool on_indexed(void *arg, const struct nwr_skey *key, const void *value, size_t len)
{
    struct walking *w = arg;
    struct nwr_skey k;
    struct nwr_blob *sealed;
    bool more;

    (void)value, (void)len;
    if (!is_index(key))
        return false;
    k = nwr_skey_of(NWR_SPACE_RECORDS, key->b + 2, key->len - 2u);
    w->err = w->e->kv->get(w->e->kv, &k, &sealed);
    if (w->err) {
        bool gone = w->err == NWR_E_NOENT;

        w->err = gone ? NWR_OK : w->err;
        return gone;
    }
    more = w->on(w->arg, &k, sealed->data, sealed->len);
    nwr_blob_unref(sealed);
    return more;
}

enum nwr_err nwr_index_scan(struct nwr_engine *e, const struct nwr_key *from,
                            bool (*on)(void *arg, const struct nwr_skey *key, const void *value,
                                       size_t len),
                            void *arg)
{
    struct walking w = {e, on, arg, NWR_OK};
    struct nwr_skey start;
    enum nwr_err err;

    if (!fits(from))
        return NWR_E_INVAL;
    start = index_key(from);
    err = e->kv->scan(e->kv, &start, on_indexed, &w);
    return err ? err : w.err;
}

/* ---- all of it ------------------------------------------------------------------------------ */

struct auditing {
    struct nwr_engine *e;
    struct nwr_sorted want; /* index keys */
    nwr_ino ino;            /* the inode of the record looked at last */
    bool attr, named;       /* it has */
    struct places latest;   /* of its links */
    uint64_t wrong, conflicts;
    struct nwr_txn *fix; /* NULL: nothing is set right */
};

static void end_inode(struct auditing *a)
{
    struct nwr_key key = nwr_key_reg(a->ino, NWR_REG_ATTR);
    struct nwr_skey k = index_key(&key);

    if (a->ino && a->ino != NWR_INO_ROOT && a->attr && !a->named)
        nwr_sorted_put(&a->want, &k, nwr_blob_new(0));
    a->ino = 0;
    a->attr = a->named = false;
    a->latest = (struct places){0};
}

static bool on_record(void *arg, const struct nwr_skey *skey, const void *value, size_t len)
{
    struct auditing *a = arg;
    struct nwr_key key = key_of(skey, 0);
    struct nwr_key_parts p;
    struct nwr_record rec;
    struct nwr_key loser;
    struct nwr_skey k;
    bool corrupt;

    if (!fits(&key) || !nwr_key_parse(&key, &p))
        return true;
    k = index_key(&key);
    if (p.kind != 'I' || p.ino != a->ino)
        end_inode(a);
    corrupt = nwr_unseal_record(skey, value, len, &rec) != NWR_OK;
    if (p.kind == 'I') {
        a->ino = p.ino;
        a->attr |= p.reg == NWR_REG_ATTR && !corrupt && nwr_record_live(&rec);
        a->named |= p.reg == NWR_REG_LINK && (corrupt || nwr_record_live(&rec));
    }
    if (corrupt)
        return true;
    if (nwr_index_wants(&key, &rec))
        nwr_sorted_put(&a->want, &k, nwr_blob_new(0));
    if (next_place(&a->latest, &key, &rec, &loser)) {
        k = index_key(&loser);
        nwr_sorted_put(&a->want, &k, nwr_blob_new(0));
    }
    nwr_record_deinit(&rec);
    return true;
}

/* What stands there and should not. */
static bool on_kept(void *arg, const struct nwr_skey *key, const void *value, size_t len)
{
    struct auditing *a = arg;

    (void)value, (void)len;
    if (!is_index(key))
        return false;
    if (nwr_sorted_find(&a->want, key)) {
        nwr_sorted_del(&a->want, key);
        return true;
    }
    a->wrong++;
    if (a->fix)
        nwr_sorted_put(&a->fix->changes, key, NULL);
    return true;
}

/* What should stand there and does not is left in `want`. */
static void add_missing(struct auditing *a)
{
    for (struct nwr_sorted_node *n = a->want.head[0]; n; n = n->next[0]) {
        struct nwr_skey key = nwr_skey_of(NWR_SPACE_META, n->key, n->key_len);

        a->wrong++;
        if (a->fix)
            nwr_sorted_put(&a->fix->changes, &key, nwr_seal(&key, "", 0));
    }
}

static bool on_counted(void *arg, const struct nwr_skey *key, const void *value, size_t len)
{
    struct nwr_key k;
    uint64_t *n = arg;

    (void)value, (void)len;
    if (!is_index(key))
        return false;
    k = key_of(key, 2);
    *n += nwr_index_counts(&k);
    return true;
}

enum nwr_err nwr_engine_index_count(struct nwr_engine *e)
{
    static const struct nwr_key first;
    struct nwr_skey start = index_key(&first);

    e->stat.conflicts = 0;
    return e->kv->scan(e->kv, &start, on_counted, &e->stat.conflicts);
}

enum nwr_err nwr_engine_index(struct nwr_engine *e, bool set_right, uint64_t *wrong)
{
    static const struct nwr_key first;
    struct nwr_skey start = index_key(&first), records = nwr_skey_of(NWR_SPACE_RECORDS, "", 0);
    struct nwr_txn txn;
    struct auditing a = {.e = e, .fix = set_right ? &txn : NULL};
    enum nwr_err err;

    nwr_txn_init(&txn, e);
    err = e->kv->scan(e->kv, &records, on_record, &a);
    end_inode(&a);
    if (!err)
        err = e->kv->scan(e->kv, &start, on_kept, &a);
    add_missing(&a);
    *wrong = a.wrong;
    nwr_sorted_deinit(&a.want);
    if (!err && set_right && a.wrong)
        err = nwr_txn_commit(&txn);
    else
        nwr_txn_abort(&txn);
    return err ? err : (set_right ? nwr_engine_index_count(e) : NWR_OK);
}

/* ---- what is told of a new one -------------------------------------------------------------- */

struct titling {
    struct naming naming;
    struct nwr_appeared *out;
};

static void set_name(struct nwr_appeared *out, const struct nwr_key *key)
{
    struct nwr_key_parts p;

    if (!nwr_key_parse(key, &p))
        return;
    out->name_len = (uint16_t)NWR_MIN(p.name_len, (uint16_t)NWR_NAME_MAX);
    if (out->name_len)
        memcpy(out->name, p.name, out->name_len);
}

static bool on_title(void *arg, const struct nwr_skey *key, const void *value, size_t len)
{
    struct titling *s = arg;
    struct nwr_key k;

    if (!is_link(&s->naming, key))
        return false;
    look(&s->naming, key, value, len);
    if (!s->naming.named)
        return true;
    k = key_of(key, 0);
    set_name(s->out, &k);
    return false;
}

/* The later one has the name, the other its number. */
static const struct nwr_version *second(const struct nwr_record *rec)
{
    const struct nwr_version *v[2] = {NULL, NULL};

    for (uint32_t i = 0; i < rec->n; i++) {
        const struct nwr_version *one = &rec->v[i];
        int at;

        if (one->flags & (NWR_V_TOMBSTONE | NWR_V_HIDDEN | NWR_V_MARK))
            continue;
        for (at = 0; at < 2 && v[at]; at++)
            if (one->hlc > v[at]->hlc ||
                (one->hlc == v[at]->hlc && nwr_dot_cmp(one->dot, v[at]->dot) > 0))
                break;
        if (at == 0)
            v[1] = v[0];
        if (at < 2)
            v[at] = one;
    }
    return v[1] ? v[1] : v[0];
}

void nwr_index_tell(struct nwr_engine *e, const struct nwr_key *key, const struct nwr_record *rec,
                    struct nwr_appeared *out)
{
    const struct nwr_version *v = second(rec);
    struct nwr_key_parts p;
    struct titling s = {.out = out};
    struct nwr_key link;

    *out = (struct nwr_appeared){0};
    if (!v || !nwr_key_parse(key, &p))
        return;
    out->k = v->k;
    out->node = nwr_actor_ordinal(v->dot.actor);
    if (p.kind == 'E') {
        set_name(out, key);
        return;
    }
    link = nwr_key_reg(p.ino, NWR_REG_LINK);
    s.naming.prefix = nwr_skey_of(NWR_SPACE_RECORDS, link.b, link.len);
    e->kv->scan(e->kv, &s.naming.prefix, on_title, &s);
}
