/* isles.c -- see isles.h. */
#include "tests/lib/isles.h"

#include "fs/core/view_slots.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    PG = 5
};

/* ---- what view*.c asks of a transaction ----------------------------------------------------- */

static struct isle *owner(struct nwr_txn *t)
{
    return nwr_container_of(t, struct isle, t);
}

const struct nwr_record *nwr_txn_peek(const struct nwr_txn *t, const struct nwr_key *key)
{
    const struct nwr_row *row = nwr_rows_find(&t->rows, key);

    return row ? &row->rec : NULL;
}

const struct nwr_record *nwr_txn_record(struct nwr_txn *t, const struct nwr_key *key)
{
    static const struct nwr_record none;
    const struct nwr_record *rec = nwr_txn_peek(t, key);

    return rec ? rec : &none;
}

const struct nwr_record *nwr_txn_entry(struct nwr_txn *t, nwr_ino parent, const char *name,
                                       size_t len)
{
    struct nwr_key key = nwr_key_entry(parent, name, len);

    return nwr_txn_record(t, &key);
}

bool nwr_txn_beside(struct nwr_txn *t, nwr_ino parent, const char *name, size_t len)
{
    (void)t, (void)name;
    return parent && len;
}

bool nwr_txn_object(struct nwr_txn *t, nwr_ino root)
{
    (void)t;
    return root != 0;
}

bool nwr_txn_has_object(const struct nwr_txn *t, nwr_ino root)
{
    (void)t;
    return root != 0;
}

bool nwr_txn_children(struct nwr_txn *t, nwr_ino dir)
{
    (void)t;
    return dir != 0;
}

bool nwr_txn_children_if_few(struct nwr_txn *t, nwr_ino dir)
{
    return nwr_txn_children(t, dir);
}

bool nwr_txn_knows(const struct nwr_txn *t, const struct nwr_key *key)
{
    (void)t;
    return key->len != 0;
}

void nwr_txn_born(struct nwr_txn *t, nwr_ino root)
{
    (void)t;
    (void)root;
}

nwr_ino nwr_txn_ino(struct nwr_txn *t, nwr_pg pg)
{
    struct isle *n = owner(t);

    return nwr_ino_make(pg, (uint16_t)n->ordinal, ++n->inos);
}

nwr_wid nwr_txn_wid(struct nwr_txn *t)
{
    struct isle *n = owner(t);

    return nwr_mix64(n->ordinal << 32 | ++n->wids);
}

void nwr_txn_seen(struct nwr_txn *t, struct nwr_write *w, const struct nwr_version *v)
{
    (void)t;
    nwr_write_seen(w, v->dot, v->wid);
}

struct nwr_write *nwr_txn_write(struct nwr_txn *t, const struct nwr_key *key,
                                const struct nwr_record *rec,
                                bool (*pick)(const struct nwr_version *v))
{
    struct nwr_write *w = NULL;

    if (!t->staged)
        t->staged = nwr_request_new(NWR_OP_PUT, 0);
    for (uint32_t i = 0; i < t->staged->nwrite && !w; i++)
        if (nwr_key_cmp(&t->staged->write[i].key, key) == 0)
            w = &t->staged->write[i];
    if (!w) {
        w = nwr_request_write(t->staged);
        w->key = *key;
        w->v.wid = nwr_txn_wid(t);
        w->v.flags = NWR_V_ONCE;
    }
    for (uint32_t i = 0; rec && i < rec->n; i++)
        if (!pick || pick(&rec->v[i]))
            nwr_txn_seen(t, w, &rec->v[i]);
    return w;
}

struct nwr_guard *nwr_txn_guard(struct nwr_txn *t, enum nwr_guard_kind kind,
                                const struct nwr_key *key)
{
    struct nwr_guard *g;

    if (!t->staged)
        t->staged = nwr_request_new(NWR_OP_PUT, 0);
    g = nwr_request_guard(t->staged);
    g->kind = kind;
    g->key = *key;
    return g;
}

bool nwr_is_pending(struct nwr_dot dot)
{
    return dot.actor == NWR_ACTOR_PENDING;
}

bool nwr_attr_merge(const struct nwr_txn *t, nwr_ino root, struct nwr_attr *a)
{
    struct nwr_key key = nwr_key_reg(root, NWR_REG_ATTR);
    const struct nwr_record *rec = nwr_txn_peek(t, &key);

    for (uint32_t i = 0; rec && i < rec->n; i++)
        if (!(rec->v[i].flags & NWR_V_TOMBSTONE) && nwr_attr_decode(a, rec->v[i].body) == NWR_OK)
            return true;
    return false;
}

void nwr_attr_put(struct nwr_txn *t, nwr_ino root, const struct nwr_attr *a)
{
    struct nwr_key key = nwr_key_reg(root, NWR_REG_ATTR);
    struct nwr_write *w = nwr_txn_write(t, &key, nwr_txn_peek(t, &key), NULL);

    nwr_blob_unref(w->v.body);
    w->v.body = nwr_attr_encode(a);
}

void nwr_snapshot_clear(struct nwr_txn *t)
{
    (void)t; /* all of the node is in it */
}

/* ---- the isles ------------------------------------------------------------------------------ */

void isles_init(struct isles *w, uint32_t nodes)
{
    memset(w, 0, sizeof(*w));
    nwr_assert(nodes <= ISLES_NODES);
    w->n = nodes;
    w->dir = nwr_ino_make(PG, 0, 7);
    for (uint32_t i = 0; i < nodes; i++) {
        w->node[i].ordinal = i + 1;
        w->node[i].t.m = &w->node[i].m;
    }
}

void isles_deinit(struct isles *w)
{
    for (uint32_t i = 0; i < w->n; i++) {
        nwr_rows_deinit(&w->node[i].rows);
        nwr_free(w->node[i].shown);
        nwr_request_destroy(w->node[i].t.staged);
    }
}

void isles_sync(struct isles *w, uint32_t to, uint32_t from)
{
    struct isle *a = &w->node[to], *b = &w->node[from];

    a->clock = NWR_MAX(a->clock, b->clock);
    for (uint32_t i = 0; i < b->rows.n; i++)
        nwr_record_sync(&nwr_rows_at(&a->rows, &b->rows.row[i].key)->rec, &b->rows.row[i].rec);
}

/* What a replica leaves out of a look-up. */
static bool is_left_out(const struct isle *n, const struct nwr_row *row)
{
    struct nwr_key_parts p;

    return nwr_key_parse(&row->key, &p) && p.kind == 'E' && nwr_view_hidden(&p) && row->rec.n &&
           nwr_inode_silent(&n->rows, row->rec.v[0].ref);
}

static struct nwr_txn *begin(struct isles *w, uint32_t i)
{
    struct isle *n;

    nwr_assert(i < w->n);
    n = &w->node[i];
    n->shown = nwr_grow(n->shown, &n->capshown, n->rows.n, sizeof(*n->shown));
    n->t.rows = (struct nwr_rows){.row = n->shown};
    for (uint32_t k = 0; k < n->rows.n; k++)
        if (!is_left_out(n, &n->rows.row[k]))
            n->shown[n->t.rows.n++] = n->rows.row[k];
    return &n->t;
}

/* Everything staged is put with one dot. */
static void commit(struct isles *w, uint32_t i)
{
    struct isle *n = &w->node[i];
    struct nwr_request *all = n->t.staged;

    n->count++;
    n->clock++;
    for (uint32_t k = 0; all && k < all->nwrite; k++) {
        struct nwr_write *wr = &all->write[k];
        struct nwr_record *rec = &nwr_rows_at(&n->rows, &wr->key)->rec;

        wr->v.dot = (struct nwr_dot){n->ordinal << 32 | 1, n->count};
        wr->v.hlc = n->clock;
        wr->v.k = n->ordinal + 1000 * n->count;
        if (wr->discard)
            nwr_record_discard(rec, wr->seen, wr->nseen, wr->retire, wr->nretire);
        else
            nwr_record_put(rec, &wr->v, wr->seen, wr->nseen, wr->retire, wr->nretire, NULL);
        nwr_record_check(rec);
    }
    nwr_request_destroy(all);
    n->t.staged = NULL;
}

static struct nwr_dirs dirs(const struct isles *w)
{
    return (struct nwr_dirs){{w->dir}, 1};
}

bool isles_find(struct isles *w, uint32_t i, const char *name, struct nwr_shown *out)
{
    struct nwr_dirs dir = dirs(w);
    bool whole = nwr_view_find(begin(w, i), &dir, name, strlen(name), true, out);

    nwr_assert(whole);
    return out->ino != 0;
}

uint32_t isles_data(struct isles *w, uint32_t i, const struct nwr_shown *x)
{
    struct nwr_key key = nwr_key_reg(x->root, NWR_REG_CONTENT);
    const struct nwr_record *rec = nwr_txn_peek(begin(w, i), &key);
    const struct nwr_version *v = rec ? nwr_record_find(rec, x->version.dot) : NULL;
    struct nwr_content c;
    uint32_t data;

    if (!v || nwr_content_decode(&c, v) != NWR_OK)
        return 0;
    data = c.map.n ? c.map.item[0].block.number : 0;
    nwr_content_deinit(&c);
    return data;
}

/* ---- operations ----------------------------------------------------------------------------- */

static void put_content(struct nwr_txn *t, const struct nwr_node *node, uint32_t data)
{
    struct nwr_extent item = {.len = 10, .block = {nwr_ino_make(PG, 0, 7), 1, data}};
    struct nwr_push push = {.map = {.size = 10, .item = &item, .n = 1}};

    nwr_view_write(t, node, nwr_txn_wid(t), &push, 0);
}

static nwr_ino make(struct nwr_txn *t, uint8_t type, uint32_t data)
{
    nwr_ino ino = nwr_txn_ino(t, PG);
    struct nwr_key key = nwr_key_reg(ino, NWR_REG_ATTR);
    struct nwr_attr a = {.type = type};
    struct nwr_node node = {.ino = ino, .root = ino, .type = type};

    nwr_txn_write(t, &key, NULL, NULL)->v.body = nwr_attr_encode(&a);
    if (type == NWR_TYPE_REG)
        put_content(t, &node, data);
    return ino;
}

static void attach(struct isles *w, struct nwr_txn *t, const char *name, nwr_ino ino, uint8_t type)
{
    bool whole = nwr_view_attach(t, w->dir, name, strlen(name), ino, ino, type);

    nwr_assert(whole);
}

static nwr_ino detach(struct nwr_txn *t, const struct nwr_shown *x, bool gone)
{
    nwr_ino ino, root;
    bool whole = nwr_view_detach(t, x, gone, &ino, &root);

    nwr_assert(whole);
    return root;
}

static void alone(struct nwr_txn *t, const struct nwr_shown *x)
{
    bool whole = nwr_view_alone(t, x);

    nwr_assert(whole);
}

bool isles_create(struct isles *w, uint32_t i, const char *name, uint32_t data)
{
    struct nwr_txn *t = begin(w, i);

    attach(w, t, name, make(t, NWR_TYPE_REG, data), NWR_TYPE_REG);
    commit(w, i);
    return true;
}

bool isles_mkdir(struct isles *w, uint32_t i, const char *name)
{
    struct nwr_txn *t = begin(w, i);

    attach(w, t, name, make(t, NWR_TYPE_DIR, 0), NWR_TYPE_DIR);
    commit(w, i);
    return true;
}

void isles_save(struct isles *w, uint32_t i, const char *name, uint32_t data, uint32_t base)
{
    struct nwr_shown_list list = {0};
    struct nwr_txn *t = begin(w, i);
    nwr_ino ino = make(t, NWR_TYPE_REG, data);
    struct nwr_seen seen = {0};
    struct nwr_shown over = {0};
    struct nwr_reads *reads = nwr_zalloc(sizeof(*reads));
    struct nwr_dirs dir = dirs(w);

    nwr_view_names(t, w->dir, name, strlen(name), &list);
    for (uint32_t k = 0; base && k < list.n && seen.wid == 0; k++)
        if (isles_data(w, i, &list.e[k]) == base)
            seen = list.e[k].version;
    nwr_reads_put(reads, 1, nwr_name_hash(w->dir, name, strlen(name)), 0, seen);
    if (seen.wid)
        nwr_view_base(t, &dir, name, strlen(name), 1, reads, &over);
    nwr_free(reads);
    if (over.ino) {
        alone(t, &over);
        detach(t, &over, true);
    }
    attach(w, t, name, ino, NWR_TYPE_REG);
    commit(w, i);
    nwr_shown_list_deinit(&list);
}

bool isles_write(struct isles *w, uint32_t i, const char *name, uint32_t data)
{
    struct nwr_shown x;
    struct nwr_node node = {0};

    if (!isles_find(w, i, name, &x))
        return false;
    node.ino = x.ino;
    node.root = x.root;
    node.type = x.type;
    node.version = x.version;
    node.line = x.line;
    node.number = x.number;
    alone(begin(w, i), &x);
    put_content(&w->node[i].t, &node, data);
    commit(w, i);
    return true;
}

bool isles_rm(struct isles *w, uint32_t i, const char *name)
{
    struct nwr_shown x;

    if (!isles_find(w, i, name, &x))
        return false;
    alone(begin(w, i), &x);
    detach(&w->node[i].t, &x, true);
    commit(w, i);
    return true;
}

bool isles_mv(struct isles *w, uint32_t i, const char *from, const char *to)
{
    struct nwr_shown x, over;
    struct nwr_txn *t = begin(w, i);
    nwr_ino ino;

    if (!isles_find(w, i, from, &x))
        return false;
    if (isles_find(w, i, to, &over) && over.root == x.root && over.version.wid == x.version.wid)
        return true;
    alone(t, &x);
    ino = detach(t, &x, false);
    if (over.ino) {
        alone(t, &over);
        detach(t, &over, true);
    }
    attach(w, t, to, ino, x.type);
    commit(w, i);
    return true;
}

bool isles_link(struct isles *w, uint32_t i, const char *from, const char *to)
{
    struct nwr_shown x;
    struct nwr_txn *t = begin(w, i);
    nwr_ino ino, root;
    bool whole;

    if (!isles_find(w, i, from, &x))
        return false;
    whole = nwr_view_link(t, &x, &ino, &root);
    nwr_assert(whole);
    attach(w, t, to, root, x.type);
    commit(w, i);
    return true;
}

/* ---- listings ------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct nwr_shown *)a)->name, ((const struct nwr_shown *)b)->name);
}

void isles_list(struct isles *w, uint32_t i, struct nwr_shown_list *list)
{
    struct nwr_key prefix = nwr_key_entries(w->dir);
    struct nwr_txn *t = begin(w, i);
    uint32_t k = nwr_rows_lower(&t->rows, &prefix);

    *list = (struct nwr_shown_list){0};
    for (; k < t->rows.n && nwr_key_has_prefix(&t->rows.row[k].key, &prefix); k++) {
        struct nwr_key_parts p;
        bool whole = nwr_key_parse(&t->rows.row[k].key, &p);

        if (whole && !nwr_view_hidden(&p))
            whole = nwr_view_names(t, w->dir, p.name, p.name_len, list);
        nwr_assert(whole);
    }
    if (list->n)
        qsort(list->e, list->n, sizeof(*list->e), by_name);
}

char *isles_text(struct isles *w, uint32_t i)
{
    struct nwr_shown_list list;
    struct nwr_out o = {0};
    char *text;

    isles_list(w, i, &list);
    for (uint32_t k = 0; k < list.n; k++) {
        char data[16];
        int len = snprintf(data, sizeof(data), "=%u", isles_data(w, i, &list.e[k]));

        if (k)
            nwr_out_u8(&o, ' ');
        nwr_out_raw(&o, list.e[k].name, list.e[k].name_len);
        nwr_out_raw(&o, data, (size_t)len);
    }
    nwr_shown_list_deinit(&list);
    nwr_out_u8(&o, 0);
    text = nwr_memdup(o.data, o.len);
    nwr_out_free(&o);
    return text;
}

/* ---- scripts -------------------------------------------------------------------------------- */

enum {
    WORDS = 6,
    WORD_MAX = 300,
    WANT_MAX = 64
};

struct script {
    struct isles w;
    bool begun, wants;
    char want[WANT_MAX][WORD_MAX];
    uint32_t nwant, node, bad, checked, line, seed_line;
    char last[WORD_MAX];
};

static uint32_t split(const char *line, size_t len, char word[WORDS][WORD_MAX])
{
    uint32_t n = 0;
    size_t at = 0;

    while (at < len && n < WORDS) {
        size_t from;

        while (at < len && line[at] == ' ')
            at++;
        from = at;
        while (at < len && line[at] != ' ')
            at++;
        if (at == from)
            break;
        nwr_assert(at - from < WORD_MAX);
        memcpy(word[n], line + from, at - from);
        word[n++][at - from] = 0;
    }
    return n;
}

static uint32_t data_of(const char *word)
{
    return word[0] == 'c' ? (uint32_t)strtoul(word + 1, NULL, 10) : 0;
}

/* By what stands before the =, as listings are. */
static int by_text(const void *a, const void *b)
{
    const char *x = a, *y = b;

    while (*x == *y && *x && *x != '=') {
        x++;
        y++;
    }
    return (*x == '=' ? 0 : (unsigned char)*x) - (*y == '=' ? 0 : (unsigned char)*y);
}

static void check_wants(struct script *s)
{
    char *text, all[WANT_MAX * 40] = "";
    size_t at = 0;

    if (!s->wants)
        return;
    if (s->nwant)
        qsort(s->want, s->nwant, sizeof(s->want[0]), by_text);
    for (uint32_t i = 0; i < s->nwant; i++)
        at += (size_t)snprintf(all + at, sizeof(all) - at, "%s%s", i ? " " : "", s->want[i]);
    text = isles_text(&s->w, s->node);
    s->checked++;
    if (strcmp(text, all) != 0) {
        printf("line %u (case at %u), after \"%s\": wanted \"%s\", got \"%s\"\n", s->line,
               s->seed_line, s->last, all, text);
        s->bad++;
    }
    nwr_free(text);
    s->wants = false;
    s->nwant = 0;
}

static bool operate(struct script *s, char word[WORDS][WORD_MAX])
{
    struct isles *w = &s->w;
    const char *op = word[2];

    if (strcmp(op, "create") == 0)
        return isles_create(w, s->node, word[3], data_of(word[4]));
    if (strcmp(op, "write") == 0)
        return isles_write(w, s->node, word[3], data_of(word[4]));
    if (strcmp(op, "rm") == 0)
        return isles_rm(w, s->node, word[3]);
    if (strcmp(op, "mv") == 0)
        return isles_mv(w, s->node, word[3], word[4]);
    if (strcmp(op, "link") == 0)
        return isles_link(w, s->node, word[3], word[4]);
    if (strcmp(op, "save") == 0)
        return isles_save(w, s->node, word[3], data_of(word[4]), data_of(word[5])), true;
    return false;
}

static void want(struct script *s, uint32_t n, char word[WORDS][WORD_MAX])
{
    s->wants = true;
    if (n < 3)
        return;
    nwr_assert(s->nwant < WANT_MAX);
    snprintf(s->want[s->nwant++], WORD_MAX, "%.200s=%u", word[1], data_of(word[2]));
}

static void begin_case(struct script *s, uint32_t nodes)
{
    if (s->begun)
        isles_deinit(&s->w);
    isles_init(&s->w, nodes);
    s->begun = true;
    s->seed_line = s->line;
}

static void run_line(struct script *s, const char *line, size_t len)
{
    char word[WORDS][WORD_MAX];
    uint32_t n = split(line, len, word);

    if (n == 0 || word[0][0] == '#')
        return;
    if (word[0][0] == '=')
        return want(s, n, word);
    check_wants(s);
    snprintf(s->last, sizeof(s->last), "%.*s", (int)len, line);
    if (word[0][0] == 'H')
        return begin_case(s, (uint32_t)strtoul(word[1], NULL, 10));
    nwr_assert(s->begun);
    s->node = (uint32_t)strtoul(word[1], NULL, 10) - 1;
    if (strcmp(word[0], "sync") == 0) {
        isles_sync(&s->w, s->node, (uint32_t)strtoul(word[2], NULL, 10) - 1);
    } else if (!operate(s, word)) {
        printf("line %u: no such name: %s\n", s->line, s->last);
        s->bad++;
    }
}

uint32_t isles_script(const char *text, uint32_t *checked)
{
    struct script *s = nwr_zalloc(sizeof(*s));
    uint32_t bad;

    while (*text) {
        size_t len = strcspn(text, "\n");

        s->line++;
        run_line(s, text, len);
        text += len + (text[len] == '\n');
    }
    check_wants(s);
    if (s->begun)
        isles_deinit(&s->w);
    bad = s->bad;
    if (checked)
        *checked = s->checked;
    nwr_free(s);
    return bad;
}
