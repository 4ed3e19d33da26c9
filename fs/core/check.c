/* check.c -- looking through a placement group, page by page; see check.h.
 *
 *     entries --all pages--> links --all pages--> inodes without a name --> told
 *
 * A group may hold a million names: after CHECK_PAGES it is told how to go on behind the last row.
 */
#include "fs/core/check.h"

#include "fs/core/ops.h"
#include "fs/core/say.h"
#include "fs/core/view_slots.h"

enum {
    CHECK_PAGES = 4,   /* looked at for one part: who asks cannot be interrupted before its end */
    CHECK_TEXT = 56000 /* bytes of words: with one more path they fit an attribute */
};

enum phase {
    ENTRIES,
    LINKS,
    UNNAMED
};

struct nwr_check {
    nwr_pg pg;
    enum phase phase;
    struct nwr_key after; /* rows of this phase that were looked at end here */
    uint32_t pages;       /* looked at */
    bool cut;             /* the rest is another part */
    struct nwr_out words;
};

void nwr_check_free(struct nwr_check *c)
{
    if (c)
        nwr_out_free(&c->words);
    nwr_free(c);
}

/* ---- words ---------------------------------------------------------------------------------- */

static void say_hex(struct nwr_out *o, uint64_t v)
{
    static const char digit[] = "0123456789abcdef";

    for (int i = 60; i >= 0; i -= 4)
        nwr_out_u8(o, (uint8_t)digit[v >> i & 15]);
}

static void say_found(struct nwr_txn *t, const char *kind, nwr_ino ino,
                      const struct nwr_key_parts *at, bool *missing)
{
    struct nwr_out path = {0};
    enum nwr_found found = nwr_survey_path(t, at->parent, at->name, at->name_len, &path);

    *missing |= found == NWR_MISSING;
    if (t->check->words.len < CHECK_TEXT && found != NWR_MISSING) {
        nwr_say(&t->check->words, kind);
        say_hex(&t->check->words, ino);
        say_hex(&t->check->words, at->parent);
        if (found == NWR_NOWHERE)
            nwr_say(&t->check->words, "?");
        nwr_out_raw(&t->check->words, path.data, path.len);
        nwr_out_u8(&t->check->words, 0);
    }
    nwr_out_free(&path);
}

/* ---- entries -------------------------------------------------------------------------------- */

static bool is_live(const struct nwr_txn *t, const struct nwr_key *key)
{
    const struct nwr_record *rec = nwr_txn_peek(t, key);

    return rec && nwr_record_live(rec) > 0;
}

static bool has_inode(const struct nwr_txn *t, nwr_ino ino)
{
    struct nwr_key attr = nwr_key_reg(ino, NWR_REG_ATTR);

    return ino == NWR_INO_ROOT || is_live(t, &attr);
}

/* A slot that is a sibling now stays as one, and the file has both names. */
static void look_rename(struct nwr_txn *t, nwr_ino ino, nwr_wid slot,
                        const struct nwr_key_parts *at, bool *missing)
{
    struct nwr_dirs dir = {{at->parent}, 1};
    struct nwr_shown x;

    if (!nwr_view_find(t, &dir, at->name, at->name_len, false, &x))
        *missing = true;
    else if (x.root == ino && x.number == 0 && x.slot.wid == slot)
        say_found(t, "i", ino, at, missing);
}

/* at: the name, parent its directory. A directory is not counted by its links: they say where it
 * is, and one that were added would move it. */
static void look_slot(struct nwr_txn *t, nwr_ino ino, nwr_wid slot, const struct nwr_key_parts *at,
                      bool is_dir, bool *missing)
{
    struct nwr_key link = nwr_key_link(ino, at->parent, at->name, at->name_len);

    if (!nwr_txn_object(t, ino) || !nwr_txn_object(t, at->parent))
        *missing = true;
    else if (!has_inode(t, ino))
        say_found(t, "d", ino, at, missing);
    else if (!has_inode(t, at->parent))
        say_found(t, "n", ino, at, missing);
    else if (!is_live(t, &link) && !is_dir)
        say_found(t, "m", ino, at, missing);
    else if (nwr_intent_left(t, ino, slot, at))
        look_rename(t, ino, slot, at, missing);
}

static void look_entry(struct nwr_txn *t, const struct nwr_row *row, bool *missing)
{
    struct nwr_key_parts at;

    if (!nwr_key_parse(&row->key, &at) || nwr_view_hidden(&at))
        return;
    at.parent = at.ino;
    for (uint32_t i = 0; i < row->rec.n; i++) {
        const struct nwr_version *v = &row->rec.v[i];
        struct nwr_slot s;

        if (v->flags & (NWR_V_TOMBSTONE | NWR_V_HIDDEN) || nwr_slot_decode(&s, v) != NWR_OK)
            continue;
        if (!s.is_void)
            look_slot(t, s.ino, v->wid, &at, s.type == NWR_TYPE_DIR, missing);
        nwr_slot_deinit(&s);
    }
}

/* ---- links ---------------------------------------------------------------------------------- */

static bool names(const struct nwr_record *rec, nwr_ino ino)
{
    for (uint32_t i = 0; i < rec->n; i++)
        if (rec->v[i].ref == ino && !(rec->v[i].flags & (NWR_V_TOMBSTONE | NWR_V_HIDDEN)))
            return true;
    return false;
}

/* Those on their way out too. */
static bool is_taken(const struct nwr_record *link)
{
    for (uint32_t i = 0; i < link->n; i++)
        if (!(link->v[i].flags & NWR_V_TOMBSTONE))
            return true;
    return false;
}

/* A rename that has come no further than this link is told of at its old name. */
static void look_link(struct nwr_txn *t, const struct nwr_row *row, bool *missing)
{
    const struct nwr_record *entry;
    struct nwr_key_parts at;
    bool waits;

    if (!nwr_key_parse(&row->key, &at) || at.reg != NWR_REG_LINK || !is_taken(&row->rec))
        return;
    entry = nwr_txn_entry(t, at.parent, at.name, at.name_len);
    if (!entry) {
        *missing = true;
        return;
    }
    if (names(entry, at.ino))
        return;
    if (!nwr_intent_waits(t, row, &waits))
        *missing = true;
    else if (!waits)
        say_found(t, "l", at.ino, &at, missing);
}

/* ---- inodes without a name ------------------------------------------------------------------ */

/* Those that nobody took the name off may be open, on any mount: O_TMPFILE. */
static void look_unnamed(struct nwr_txn *t, const struct nwr_row *row, bool *missing)
{
    struct nwr_key_parts p, at;
    struct nwr_versions s;

    if (!nwr_key_parse(&row->key, &p) || p.kind != 'I' || p.reg != NWR_REG_ATTR)
        return;
    if (!nwr_txn_object(t, p.ino)) {
        *missing = true;
        return;
    }
    nwr_versions_read(&s, &t->rows, p.ino);
    if (s.nlink == 0 && s.last && !nwr_reap_held(t->m, p.ino) &&
        !nwr_survey_back(t, p.ino, &s, missing)) {
        at = (struct nwr_key_parts){
            .parent = s.last->parent, .name = s.last->name, .name_len = s.last->len};
        say_found(t, "o", p.ino, &at, missing);
    }
    nwr_versions_deinit(&s);
}

/* ---- a group -------------------------------------------------------------------------------- */

static struct nwr_key prefix_of(nwr_pg pg, enum phase phase)
{
    return (struct nwr_key){.len = 3,
                            .b = {(uint8_t)(pg >> 8), (uint8_t)pg, phase == ENTRIES ? 'E' : 'I'}};
}

/* Looks at the rows of a page; false: it, or something that belongs to it, is missing. */
static bool look_page(struct nwr_txn *t, const struct nwr_key *prefix)
{
    const struct nwr_page *page = &t->page;
    uint32_t i = nwr_rows_lower(&t->rows, prefix), said = t->check->words.len;
    bool missing = false;

    if (!page->ready) {
        nwr_txn_scan(t, prefix, &t->check->after, t->check->phase == ENTRIES);
        return false;
    }
    for (; i < t->rows.n && nwr_key_has_prefix(&t->rows.row[i].key, prefix); i++) {
        const struct nwr_row *row = &t->rows.row[i];

        if (nwr_key_cmp(&row->key, &page->after) <= 0)
            continue;
        if (page->more && nwr_key_cmp(&row->key, &page->last) > 0)
            break;
        if (t->check->phase == ENTRIES)
            look_entry(t, row, &missing);
        else
            look_link(t, row, &missing);
    }
    if (missing)
        t->check->words.len = said;
    return !missing;
}

/* True: all of the phase was looked at, or of this part. A part ends behind a key that a cursor
 * holds. */
static bool look_all(struct nwr_txn *t)
{
    struct nwr_check *c = t->check;
    struct nwr_key prefix = prefix_of(c->pg, c->phase);

    while (look_page(t, &prefix)) {
        bool more = t->page.more;

        c->after = t->page.last;
        c->cut = more && ++c->pages >= CHECK_PAGES && c->after.len <= NWR_CURSOR_KEY;
        nwr_snapshot_clear(t);
        if (!more || c->cut)
            return true;
    }
    return false;
}

/* The first of them, if they are very many: who has them given back asks again. */
static bool look_index(struct nwr_txn *t)
{
    uint32_t said = t->check->words.len;
    bool missing = false;

    if (!t->survey) {
        t->survey = nwr_zalloc(sizeof(*t->survey));
        nwr_txn_indexed(t, t->check->pg, NULL);
        return false;
    }
    for (uint32_t i = 0; i < t->survey->found.n; i++)
        look_unnamed(t, &t->survey->found.row[i], &missing);
    if (missing)
        t->check->words.len = said;
    return !missing;
}

/* The letter of the phase, and the key behind the prefix. */
static bool parse_cursor(const char *text, struct nwr_check *c)
{
    if (*text != 'E' && *text != 'I')
        return false;
    c->phase = *text == 'E' ? ENTRIES : LINKS;
    c->after = prefix_of(c->pg, c->phase);
    text = nwr_survey_take_key(text + 1, &c->after);
    return text && *text == 0;
}

static void out_cursor(const struct nwr_check *c, struct nwr_out *o)
{
    nwr_say(o, c->phase == ENTRIES ? ">E" : ">I");
    nwr_survey_say_key(o, &c->after, 3);
    nwr_out_u8(o, 0);
}

static bool parse_group(const struct nwr_txn *t, const char *text, struct nwr_check *c)
{
    uint32_t v = 0;

    for (; *text >= '0' && *text <= '9' && v < NWR_PGS_MAX; text++)
        v = v * 10 + (uint32_t)(*text - '0');
    c->pg = (nwr_pg)v;
    return v < NWR_MAX(t->m->config.info.pgs, (uint16_t)1) &&
           (*text == 0 || (*text == '.' && parse_cursor(text + 1, c)));
}

static bool begin(struct nwr_txn *t, const char *group)
{
    if (t->check)
        return true;
    t->check = nwr_zalloc(sizeof(*t->check));
    return parse_group(t, group, t->check);
}

bool nwr_check_get(struct nwr_txn *t, const char *group, struct nwr_out *out)
{
    struct nwr_check *c;

    if (!nwr_survey_may(t))
        return true;
    if (!begin(t, group)) {
        nwr_txn_fail(t, EINVAL);
        return true;
    }
    c = t->check;
    t->runs = 1; /* every run has read more than the one before */
    for (; c->phase < UNNAMED && !c->cut; c->phase += !c->cut) {
        if (!look_all(t))
            return false;
        if (!c->cut)
            c->after = (struct nwr_key){0};
    }
    if (!c->cut && !look_index(t))
        return false;
    nwr_out_raw(out, c->words.data, c->words.len);
    if (c->cut)
        out_cursor(c, out);
    return true;
}

/* ---- setting right -------------------------------------------------------------------------- */

struct word {
    char kind;
    nwr_ino ino, parent;
    const char *name;
    size_t len;
};

static bool parse_hex(const char *text, uint64_t *v)
{
    *v = 0;
    for (int i = 0; i < 16; i++) {
        int d = nwr_survey_digit(text[i]);

        if (d < 0)
            return false;
        *v = *v << 4 | (uint64_t)d;
    }
    return true;
}

static bool parse_word(const struct nwr_blob *b, struct word *w)
{
    const char *text = (const char *)b->data;
    size_t at = b->len;

    if (b->len < 34 || !parse_hex(text + 1, &w->ino) || !parse_hex(text + 17, &w->parent))
        return false;
    while (at > 33 && text[at - 1] != '/')
        at--;
    w->kind = text[0];
    w->name = text + at;
    w->len = b->len - at;
    return w->len > 0 && w->len <= NWR_NAME_MAX && !memchr(w->name, 0, w->len);
}

/* The slots of a name that lead to nothing go. */
static enum nwr_plan mend_dangling(struct nwr_txn *t, const struct word *w)
{
    struct nwr_key key = nwr_key_entry(w->parent, w->name, w->len);
    const struct nwr_record *rec = nwr_txn_entry(t, w->parent, w->name, w->len);

    if (!rec || !nwr_txn_object(t, w->ino))
        return NWR_PLAN_WAIT;
    for (uint32_t i = 0; i < rec->n && !has_inode(t, w->ino); i++)
        if (rec->v[i].ref == w->ino && !(rec->v[i].flags & (NWR_V_TOMBSTONE | NWR_V_HIDDEN))) {
            struct nwr_write *put = nwr_txn_write(t, &key, NULL, NULL);

            put->v.flags |= NWR_V_TOMBSTONE;
            nwr_txn_seen(t, put, &rec->v[i]);
        }
    return NWR_PLAN_DONE;
}

static enum nwr_plan mend_nameless(struct nwr_txn *t, const struct word *w)
{
    struct nwr_key link = nwr_key_link(w->ino, w->parent, w->name, w->len);
    const struct nwr_record *rec = nwr_txn_entry(t, w->parent, w->name, w->len);

    if (!rec || !nwr_txn_object(t, w->ino))
        return NWR_PLAN_WAIT;
    if (names(rec, w->ino) && has_inode(t, w->ino) && !is_live(t, &link))
        nwr_txn_write(t, &link, nwr_txn_peek(t, &link), NULL);
    return NWR_PLAN_DONE;
}

static bool was_taken_off(const struct nwr_txn *t, const struct word *w)
{
    struct nwr_versions s;
    bool was = false;

    nwr_versions_read(&s, &t->rows, w->ino);
    for (uint32_t i = 0; i < s.marks.n && !was; i++) {
        const struct nwr_mark *m = &s.marks.e[i];

        was = m->kind == NWR_MARK_GONE && m->parent == w->parent && m->len == w->len &&
              memcmp(m->name, w->name, w->len) == 0;
    }
    nwr_versions_deinit(&s);
    return was;
}

/* A dead directory takes no names. */
static bool takes_names(struct nwr_txn *t, nwr_ino dir)
{
    struct nwr_key marks = nwr_key_reg(dir, NWR_REG_MARKS);
    const struct nwr_record *rec = nwr_txn_peek(t, &marks);

    for (uint32_t i = 0; rec && i < rec->n; i++)
        if (rec->v[i].flags & NWR_V_HIDDEN)
            return false;
    return has_inode(t, dir);
}

/* Nothing was ever there: whoever made the inode came no further. Where something was, it was this
 * or has been taken off since; what was removed must not come back. */
static bool never_was(const struct nwr_record *entry)
{
    return entry->n == 0 && entry->ctx.vv.n == 0 && entry->ctx.dots.n == 0;
}

static enum nwr_plan mend_link(struct nwr_txn *t, const struct word *w)
{
    struct nwr_key link = nwr_key_link(w->ino, w->parent, w->name, w->len);
    const struct nwr_record *rec = nwr_txn_entry(t, w->parent, w->name, w->len);
    struct nwr_attr a;
    uint8_t type;

    if (!rec || !nwr_txn_object(t, w->ino) || !nwr_txn_object(t, w->parent))
        return NWR_PLAN_WAIT;
    if (names(rec, w->ino) || !nwr_txn_peek(t, &link) || !is_taken(nwr_txn_peek(t, &link)))
        return NWR_PLAN_DONE;
    if (!is_live(t, &link) || was_taken_off(t, w) || nwr_attr_links(t, w->ino) > 1 ||
        !never_was(rec) || !takes_names(t, w->parent)) {
        nwr_txn_write(t, &link, nwr_txn_peek(t, &link), NULL)->v.flags |= NWR_V_TOMBSTONE;
        return NWR_PLAN_DONE;
    }
    if (!nwr_attr_merge(t, w->ino, &a))
        return NWR_PLAN_DONE;
    type = a.type;
    nwr_attr_deinit(&a);
    return nwr_view_attach(t, w->parent, w->name, w->len, w->ino, w->ino, type) ? NWR_PLAN_DONE
                                                                                : NWR_PLAN_WAIT;
}

/* Looking at the old name is what makes a rename go on. */
static enum nwr_plan mend_rename(struct nwr_txn *t, const struct word *w)
{
    struct nwr_dirs dir = {{w->parent}, 1};

    if (!nwr_view_find(t, &dir, w->name, w->len, true, &t->x))
        return NWR_PLAN_WAIT;
    if (t->x.ino)
        nwr_intent_meet(t, &t->x);
    return NWR_PLAN_DONE;
}

enum nwr_plan nwr_check_mend(struct nwr_txn *t)
{
    struct word w;

    if (!nwr_survey_may(t))
        return NWR_PLAN_FAIL;
    if (!parse_word(t->req->data, &w))
        return nwr_txn_fail(t, EINVAL);
    t->r = NWR_QUORUM_ALL;
    switch (w.kind) {
    case 'd': return mend_dangling(t, &w);
    case 'm': return mend_nameless(t, &w);
    case 'l': return mend_link(t, &w);
    case 'i': return mend_rename(t, &w);
    case 'o': t->ino = w.ino; return nwr_reap_plan(t);
    default: return nwr_txn_fail(t, EINVAL);
    }
}
