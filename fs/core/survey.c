/* survey.c -- see survey.h. */
#include "fs/core/survey.h"

#include "fs/core/place.h"
#include "fs/core/say.h"

enum {
    SURVEY_GROUPS = 64,  /* placement groups asked at once */
    SURVEY_KEYS = 1000,  /* looked at for one page */
    SURVEY_TEXT = 56000, /* bytes of a page: with one more path it fits an attribute */
    PATH_BYTES = 4096
};

struct place {
    struct nwr_key key; /* behind this, cut */
    uint32_t skip;      /* keys that begin like it */
};

/* ---- cursors -------------------------------------------------------------------------------- */

int nwr_survey_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

void nwr_survey_say_key(struct nwr_out *o, const struct nwr_key *key, uint16_t from)
{
    static const char digit[] = "0123456789abcdef";

    for (uint16_t i = from; i < key->len; i++) {
        nwr_out_u8(o, (uint8_t)digit[key->b[i] >> 4]);
        nwr_out_u8(o, (uint8_t)digit[key->b[i] & 15]);
    }
}

const char *nwr_survey_take_key(const char *text, struct nwr_key *key)
{
    for (; *text && *text != '.'; text += 2) {
        int hi = nwr_survey_digit(text[0]), lo = hi < 0 ? -1 : nwr_survey_digit(text[1]);

        if (lo < 0 || key->len == NWR_CURSOR_KEY)
            return NULL;
        key->b[key->len++] = (uint8_t)(hi << 4 | lo);
    }
    return text;
}

static bool parse_cursor(const char *text, struct place *p)
{
    *p = (struct place){.key = {.len = 2}};
    if (*text == 0)
        return true;
    if (*text++ != '.')
        return false;
    p->key.len = 0;
    text = nwr_survey_take_key(text, &p->key);
    if (!text || *text++ != '.' || p->key.len < 2)
        return false;
    for (; *text >= '0' && *text <= '9' && p->skip < UINT32_MAX / 20; text++)
        p->skip = p->skip * 10 + (uint32_t)(*text - '0');
    return *text == 0;
}

static void out_cursor(struct nwr_out *o, const struct place *p)
{
    nwr_survey_say_key(o, &p->key, 0);
    nwr_say(o, ".");
    nwr_say_number(o, p->skip, 1);
}

/* Behind row `at`, which was looked at. Rows that begin like it are all of this page: it begins
 * behind the key of the cursor before, whatever was skipped there. */
static struct place behind(const struct nwr_rows *rows, uint32_t at)
{
    struct place p = {.key = rows->row[at].key};

    if (p.key.len <= NWR_CURSOR_KEY)
        return p;
    p.key.len = NWR_CURSOR_KEY;
    for (uint32_t i = 0; i <= at; i++)
        p.skip += nwr_key_has_prefix(&rows->row[i].key, &p.key);
    return p;
}

/* ---- asking --------------------------------------------------------------------------------- */

void nwr_survey_free(struct nwr_survey *s)
{
    if (s)
        nwr_rows_deinit(&s->found);
    nwr_free(s);
}

void nwr_survey_take(struct nwr_txn *t, struct nwr_response *res)
{
    struct nwr_survey *s = t->survey;

    if (res->more && res->rows.n) {
        const struct nwr_key *last = &res->rows.row[res->rows.n - 1].key;

        if (s->cut.len == 0 || nwr_key_cmp(last, &s->cut) < 0)
            s->cut = *last;
    }
    nwr_rows_merge(&s->found, &res->rows);
}

static bool ask(struct nwr_txn *t, const struct place *from, nwr_pg end)
{
    nwr_pg first = nwr_key_pg(&from->key);

    if (t->survey && t->survey->asked)
        return true;
    if (!t->survey)
        t->survey = nwr_zalloc(sizeof(*t->survey));
    t->survey->asked = true;
    for (nwr_pg pg = first; pg < end; pg++)
        nwr_txn_indexed(t, pg, pg == first ? &from->key : NULL);
    return false;
}

/* ---- paths ---------------------------------------------------------------------------------- */

struct path {
    char text[PATH_BYTES];
    size_t at; /* it begins */
};

static bool prepend(struct path *p, const char *name, size_t len)
{
    if (p->at < len + 1)
        return false;
    p->at -= len;
    memcpy(p->text + p->at, name, len);
    p->text[--p->at] = '/';
    return true;
}

/* Where a directory is; where it was last, if it has no name. False: missing. */
static bool find_place(struct nwr_txn *t, nwr_ino ino, struct nwr_place *out)
{
    struct nwr_versions s;

    if (!nwr_place_find(t, ino, out))
        return false;
    if (out->parent)
        return true;
    nwr_versions_read(&s, &t->rows, ino);
    if (s.last) {
        out->parent = s.last->parent;
        out->len = s.last->len;
        memcpy(out->name, s.last->name, s.last->len);
    }
    nwr_versions_deinit(&s);
    return true;
}

/* All directories above ino and its own name. A loop ends where the room does. */
static enum nwr_found climb(struct nwr_txn *t, nwr_ino ino, struct path *path)
{
    while (ino != NWR_INO_ROOT) {
        struct nwr_place p;

        if (!nwr_txn_object(t, ino) || !find_place(t, ino, &p))
            return NWR_MISSING;
        if (p.parent == 0 || !prepend(path, p.name, p.len))
            return NWR_NOWHERE;
        ino = p.parent;
    }
    return NWR_FOUND;
}

enum nwr_found nwr_survey_path(struct nwr_txn *t, nwr_ino dir, const char *name, size_t len,
                               struct nwr_out *out)
{
    struct path path = {.at = PATH_BYTES};
    enum nwr_found found = prepend(&path, name, len) ? climb(t, dir, &path) : NWR_NOWHERE;

    if (found != NWR_MISSING)
        nwr_out_raw(out, path.text + path.at, PATH_BYTES - path.at);
    return found;
}

static enum nwr_found say(struct nwr_txn *t, const char *kind, nwr_ino dir, const char *name,
                          size_t len, struct nwr_out *out)
{
    struct nwr_out path = {0};
    enum nwr_found found = nwr_survey_path(t, dir, name, len, &path);

    if (found == NWR_FOUND) {
        nwr_say(out, kind);
        nwr_out_raw(out, path.data, path.len);
        nwr_out_u8(out, 0);
    }
    nwr_out_free(&path);
    return found;
}

/* ---- what a record leads to ----------------------------------------------------------------- */

/* A directory may be there beside another that has no slot (place.h). */
static bool holds_dir(const struct nwr_record *rec)
{
    bool dir = false;

    for (uint32_t i = 0; i < rec->n; i++) {
        struct nwr_slot s;

        if (rec->v[i].flags & (NWR_V_TOMBSTONE | NWR_V_HIDDEN) ||
            nwr_slot_decode(&s, &rec->v[i]) != NWR_OK)
            continue;
        dir |= s.type == NWR_TYPE_DIR;
        nwr_slot_deinit(&s);
    }
    return dir;
}

bool nwr_survey_back(struct nwr_txn *t, nwr_ino ino, const struct nwr_versions *s, bool *missing)
{
    if (s->last->type == NWR_TYPE_DIR)
        return nwr_slots_below(t, ino, missing);
    return nwr_versions_next(s, NULL, true);
}

/* Under its names; without one, where it shows again if somebody had not seen what it holds. */
static bool say_inode(struct nwr_txn *t, nwr_ino ino, struct nwr_out *out)
{
    struct nwr_key prefix = nwr_key_reg(ino, NWR_REG_LINK);
    uint32_t i = nwr_rows_lower(&t->rows, &prefix);
    struct nwr_versions s;
    bool whole = true, missing = false;

    if (!nwr_txn_object(t, ino))
        return false;
    nwr_versions_read(&s, &t->rows, ino);
    for (; i < t->rows.n && nwr_key_has_prefix(&t->rows.row[i].key, &prefix); i++) {
        struct nwr_key_parts p;

        if (nwr_record_live(&t->rows.row[i].rec) && nwr_key_parse(&t->rows.row[i].key, &p))
            whole &= say(t, "c", p.parent, p.name, p.name_len, out) != NWR_MISSING;
    }
    if (s.nlink == 0 && s.last && nwr_survey_back(t, ino, &s, &missing))
        whole &= say(t, s.last->type == NWR_TYPE_DIR ? "u" : "c", s.last->parent, s.last->name,
                     s.last->len, out) != NWR_MISSING;
    nwr_versions_deinit(&s);
    return whole && !missing;
}

/* What stands at a place of a directory, if it is not there. */
static bool say_elsewhere(struct nwr_txn *t, const struct nwr_key_parts *at, struct nwr_out *out)
{
    struct nwr_dirs within = {.ino = {at->parent}, .n = 1};
    struct nwr_shown_list list = {0};
    bool whole = nwr_view_all(t, &within, at->name, at->name_len, &list);

    for (uint32_t i = 0; i < list.n && whole; i++)
        if (list.e[i].elsewhere && list.e[i].root == at->ino)
            whole = say(t, "l", at->parent, list.e[i].name, list.e[i].name_len, out) != NWR_MISSING;
    nwr_shown_list_deinit(&list);
    return whole;
}

/* A directory on its way: the link of a move that is not made, because it closes a loop. */
static bool say_moving(struct nwr_txn *t, nwr_ino dir, struct nwr_out *out)
{
    struct nwr_key prefix = nwr_key_reg(dir, NWR_REG_LINK);
    bool whole = nwr_txn_object(t, dir);

    for (uint32_t i = nwr_rows_lower(&t->rows, &prefix);
         whole && i < t->rows.n && nwr_key_has_prefix(&t->rows.row[i].key, &prefix); i++) {
        struct nwr_key_parts p;

        if (nwr_record_live(&t->rows.row[i].rec) && nwr_key_parse(&t->rows.row[i].key, &p))
            whole = say_elsewhere(t, &p, out);
    }
    return whole;
}

static bool is_plain(const struct nwr_shown *x)
{
    return x->type == NWR_TYPE_REG || x->type == NWR_TYPE_DIR;
}

/* A name: by its head, which attributes tell of; where there are none, by all it shows. */
static bool say_entry(struct nwr_txn *t, const struct nwr_key_parts *at,
                      const struct nwr_record *rec, struct nwr_out *out)
{
    struct nwr_dirs within = {.ino = {at->ino}, .n = 1};
    struct nwr_shown_list list = {0};
    bool whole = nwr_view_all(t, &within, at->name, at->name_len, &list);
    const struct nwr_shown *head = list.n && list.e[0].number == 0 ? list.e : NULL;

    if (!whole || !head || is_plain(head))
        whole &=
            say(t, holds_dir(rec) ? "u" : "c", at->ino, at->name, at->name_len, out) != NWR_MISSING;
    for (uint32_t i = 0; whole && list.n > (head ? 1u : 0u) && i < list.n; i++) {
        const struct nwr_shown *x = &list.e[i];

        if (x->behind || x->elsewhere || (head ? is_plain(head) : is_plain(x)))
            continue;
        whole = say(t, "s", at->ino, x->name, x->name_len, out) != NWR_MISSING;
    }
    nwr_shown_list_deinit(&list);
    return whole;
}

static bool say_row(struct nwr_txn *t, const struct nwr_row *row, struct nwr_out *out)
{
    struct nwr_key_parts p;

    if (!nwr_key_parse(&row->key, &p))
        return true;
    if (p.kind == 'I' && p.reg == NWR_REG_LINK)
        return say_elsewhere(t, &p, out);
    if (p.kind == 'I' && p.reg == NWR_REG_MARKS)
        return say_moving(t, p.ino, out);
    if (p.kind == 'I')
        return say_inode(t, p.ino, out);
    return say_entry(t, &p, &row->rec, out);
}

/* ---- a page --------------------------------------------------------------------------------- */

/* False: something is missing. *next: where the next page begins; untouched if all was said. */
static bool say_rows(struct nwr_txn *t, const struct place *from, struct place *next, bool *ended,
                     struct nwr_out *out)
{
    const struct nwr_rows *rows = &t->survey->found;
    const struct nwr_key *cut = &t->survey->cut;
    uint32_t skip = from->skip, n = 0;
    bool whole = true;

    for (uint32_t i = 0; i < rows->n; i++) {
        if (cut->len && nwr_key_cmp(&rows->row[i].key, cut) > 0)
            break;
        if (skip && nwr_key_has_prefix(&rows->row[i].key, &from->key)) {
            skip--;
            continue;
        }
        whole &= say_row(t, &rows->row[i], out);
        *next = behind(rows, i);
        if (++n == SURVEY_KEYS || out->len > SURVEY_TEXT)
            return whole;
    }
    if (cut->len == 0)
        *ended = true;
    return whole;
}

bool nwr_survey_may(struct nwr_txn *t)
{
    if (t->req->uid == 0 || t->req->uid == t->m->config.uid)
        return true;
    nwr_txn_fail(t, EPERM);
    return false;
}

bool nwr_survey_get(struct nwr_txn *t, const char *cursor, struct nwr_out *out)
{
    nwr_pg pgs = NWR_MAX(t->m->config.info.pgs, (uint16_t)1), end;
    struct nwr_out text = {0};
    struct place from, next;
    bool whole, ended = false;

    if (!nwr_survey_may(t))
        return true;
    if (!parse_cursor(cursor, &from)) {
        nwr_txn_fail(t, EINVAL);
        return true;
    }
    end = (nwr_pg)NWR_MIN(nwr_key_pg(&from.key) + SURVEY_GROUPS, pgs);
    if (!ask(t, &from, end))
        return false;
    t->runs = 1; /* every run knows more than the one before: a deep path takes many */
    next = from;
    whole = say_rows(t, &from, &next, &ended, &text);
    if (ended)
        next = (struct place){.key = {.len = 2, .b = {(uint8_t)(end >> 8), (uint8_t)end}}};
    if (whole && !(ended && end >= pgs))
        out_cursor(out, &next);
    nwr_out_u8(out, 0);
    nwr_out_raw(out, text.data, text.len);
    nwr_out_free(&text);
    return whole;
}
