/* left.c -- removed directories that were looked into and showed nothing.
 *
 * A directory that was removed is there again when something unseen is below it (DESIGN 9), so
 * whoever looks up its name, a new directory of that name above all, looks into the old one until
 * that has been reaped: at all that was ever removed from it. Of one in which there were many names
 * the answer "nothing" is kept, for a time that grows with what looking costs. Until then this
 * mount may not see what another one brings back there; what it writes itself, in the group of the
 * directory, it sees at once, so only those are kept of which everything is in that group. Who is
 * about to remove or to repair something looks for himself.
 *
 * Where there are more names than fit an answer, look.c looks.
 *
 * Pure. Ownership: values in the mount. Thread: the loop.
 */
#include "fs/core/state.h"
#include "fs/core/view_slots.h"

enum {
    LEFT_NAMES_MIN = 64, /* records: what is below is looked at each time */
    LEFT_NAME_MS = 1,    /* for each record that was looked at */
    LEFT_MAX_MS = 10000  /* as long as a lease (DESIGN 10) */
};

static struct nwr_left *left_of(struct nwr_mount *m, nwr_ino dir)
{
    return &m->left[nwr_mix64(dir) & (NWR_LEFTS - 1)];
}

bool nwr_left_may(const struct nwr_txn *t)
{
    return (t->req || t->beside || t->looking) && !t->survey && !t->check && !t->looks_inside;
}

uint64_t nwr_left_own(const struct nwr_mount *m, nwr_ino dir)
{
    return m->own_changed[nwr_ino_pg(dir) % NWR_PGS_MAX];
}

bool nwr_left_nothing(const struct nwr_txn *t, nwr_ino dir)
{
    const struct nwr_left *l;

    if (!nwr_left_may(t))
        return false;
    l = left_of(t->m, dir);
    return l->dir == dir && !l->shows && t->m->now < l->until &&
           nwr_left_own(t->m, dir) <= l->since;
}

static bool leads_away(const struct nwr_row *row, nwr_pg pg)
{
    for (uint32_t i = 0; i < row->rec.n; i++)
        if (row->rec.v[i].ref && nwr_ino_pg(row->rec.v[i].ref) != pg)
            return true;
    return false;
}

uint32_t nwr_left_names(const struct nwr_txn *t, nwr_ino dir, bool *away)
{
    struct nwr_key prefix = nwr_key_entries(dir);
    uint32_t from = nwr_rows_lower(&t->rows, &prefix), i = from;

    for (; i < t->rows.n && nwr_key_has_prefix(&t->rows.row[i].key, &prefix); i++)
        *away |= leads_away(&t->rows.row[i], nwr_ino_pg(dir));
    return i - from;
}

/* What somebody was shown is not hidden again by an answer that was under way by then. */
static bool was_shown(const struct nwr_txn *t, const struct nwr_left *l, nwr_ino dir)
{
    return l->dir == dir && l->shows && t->m->now < l->until;
}

void nwr_left_keep(struct nwr_txn *t, nwr_ino dir, uint64_t names, bool shows)
{
    struct nwr_left *l = left_of(t->m, dir);

    if (names < LEFT_NAMES_MIN || (!shows && was_shown(t, l, dir)))
        return;
    *l = (struct nwr_left){.dir = dir, .since = t->since, .shows = shows};
    l->until = t->m->now + NWR_MIN((nwr_ms)names * LEFT_NAME_MS, (nwr_ms)LEFT_MAX_MS);
    if (shows)
        l->until = t->m->now + LEFT_MAX_MS;
}

void nwr_left_looked(struct nwr_txn *t, nwr_ino dir, bool shows)
{
    bool away = false;
    uint32_t names;

    if (!nwr_left_may(t))
        return;
    names = nwr_left_names(t, dir, &away);
    if (!away)
        nwr_left_keep(t, dir, names, shows);
}

bool nwr_left_under(struct nwr_txn *t, nwr_ino dir, bool *shows)
{
    if (!nwr_left_may(t))
        return false;
    for (uint32_t i = 0; i < NWR_MIN(t->nunder, (uint32_t)NWR_UNDER_MAX); i++)
        if (t->under[i].dir == dir) {
            *shows = t->under[i].shows;
            return true;
        }
    if (t->many == dir)
        t->wants_look = dir;
    return false;
}

void nwr_left_changed(struct nwr_mount *m, const struct nwr_key *key)
{
    m->own_changed[nwr_key_pg(key) % NWR_PGS_MAX] = m->changed;
}
