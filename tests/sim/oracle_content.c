/* oracle_content.c -- [content] what a close acknowledged is there at the end, unless a deed may
 * have removed it: one at a name that it may have had, by a mount that had been given it. And what
 * was written over, by a handle that had shown it, is not there.
 */
#include "tests/sim/mount_oracle.h"

#include <stdio.h>

enum {
    NAMES = 64
};

/* The names that a content may have had, without ".conflict.K". */
struct names {
    char name[NAMES][CALL_PATH];
    uint32_t n;
    bool full; /* more than that: it may have had any */
};

static void plain_name(const char *path, char *out)
{
    char *mark;

    snprintf(out, CALL_PATH, "%s", path);
    mark = strstr(out, ".conflict.");
    if (mark)
        *mark = 0;
}

static bool has(const struct names *n, const char *path)
{
    char plain[CALL_PATH];

    plain_name(path, plain);
    for (uint32_t i = 0; i < n->n; i++)
        if (strcmp(n->name[i], plain) == 0)
            return true;
    return n->full;
}

/* True: it is new. */
static bool add(struct names *n, const char *path)
{
    if (has(n, path))
        return false;
    if (n->n == NAMES) {
        n->full = true;
        return true;
    }
    plain_name(path, n->name[n->n++]);
    return true;
}

static bool arrives(const struct book_deed *d)
{
    return d->kind == BOOK_MOVE || d->kind == BOOK_LINK;
}

/* Whoever moved or linked it, whenever: no order is known of what two sides did. `back`: also where
 * its file came from. True if any of them was a link. */
static bool close_names(const struct mount_book *b, struct names *n, bool back)
{
    bool more = true, linked = false;

    while (more) {
        more = false;
        for (uint32_t i = 0; i < b->ndeed; i++) {
            const struct book_deed *d = &b->deed[i];

            if (arrives(d) && has(n, d->from))
                more |= add(n, d->to);
            if ((d->kind == BOOK_LINK || (back && d->kind == BOOK_MOVE)) && has(n, d->to))
                more |= add(n, d->from);
            linked |= d->kind == BOOK_LINK && has(n, d->to);
        }
    }
    return linked;
}

/* A file may have had another name when the content was written into it, and keep that. */
static void find_names(const struct mount_book *b, const struct book_content *c, struct names *n)
{
    n->n = 0;
    n->full = false;
    add(n, c->path);
    if (close_names(b, n, true))
        return;
    n->n = 0;
    n->full = false;
    add(n, c->path);
    close_names(b, n, false);
}

static bool may_have_removed(const struct book_deed *d, const struct book_content *c,
                             const struct names *n)
{
    bool there = d->kind == BOOK_MOVE ? has(n, d->to) : has(n, d->from);
    sim_us got = c->got[d->mount][d->life];

    if (d->kind == BOOK_LINK || !there || d->ended < c->begun)
        return false;
    return got && got <= d->ended;
}

/* A close is acknowledged by W nodes that have it in memory, for a second at most (DESIGN 5): it
 * may be lost only if so many of them lost power, each before it was on its disk. What an fsync
 * acknowledged may not. */
static bool may_be_lost(const struct mount_load *l, int64_t id)
{
    const struct book_content *c = &l->book.content[id - 1];

    return !c->on_disk && sim_losers(l->s, c->begun, c->acked_at) >= l->losers;
}

/* A rename is a name more, and then one less, in batches of their own where the groups differ or
 * coordinators do: power may take the first of them from W nodes, and not the second. A file that
 * is saved then has no name that anybody else sees; whoever asked for fsync before is not told so.
 * Nor has what is written into it later, by who had looked at it before the power went. */
static bool may_be_half(const struct mount_load *l, const struct book_deed *d,
                        const struct book_content *c, const struct names *n)
{
    bool saved = has(n, d->from) && !c->on_disk;
    bool edited = has(n, d->to) && d->ended <= c->acked_at;

    return d->kind == BOOK_MOVE && (saved || edited) &&
           sim_losers(l->s, d->begun, NWR_MIN(d->ended, d->begun + SIM_CALL_MS * 1000)) >=
               l->losers;
}

static void check_there(const struct mount_load *l, uint32_t i, const struct names *n)
{
    const struct book_content *c = &l->book.content[i];

    for (uint32_t k = 0; k < l->book.ndeed; k++) {
        const struct book_deed *d = &l->book.deed[k];

        /* Its own writing is a deed too. */
        if (may_have_removed(d, c, n) && !(d->mount == c->mount && d->begun == c->begun))
            return;
        if (may_be_half(l, d, c, n))
            return;
    }
    sim_fail(l->s,
             "[content] %u, acknowledged at mount %d as %s, is nowhere, and nobody removed it",
             i + 1, c->mount, c->path);
}

static void check_gone(const struct mount_load *l, const struct book_deed *d, struct names *n)
{
    const struct book_content *c;

    if (d->kind != BOOK_REPLACE || d->err || d->read <= 0)
        return;
    c = &l->book.content[d->read - 1];
    if (!c->seen || !c->acked || may_be_lost(l, d->written))
        return;
    find_names(&l->book, c, n);
    if (n->n == 1 && !n->full)
        sim_fail(l->s,
                 "[content] %lld of %s is there, but mount %d had read it and written over it",
                 (long long)d->read, c->path, d->mount);
}

void oracle_content(struct mount_load *l)
{
    struct names *n = nwr_zalloc(sizeof(*n));

    for (uint32_t i = 0; i < l->book.ncontent; i++) {
        if (!l->book.content[i].acked || l->book.content[i].seen || may_be_lost(l, i + 1))
            continue;
        find_names(&l->book, &l->book.content[i], n);
        check_there(l, i, n);
    }
    for (uint32_t i = 0; i < l->book.ndeed; i++)
        check_gone(l, &l->book.deed[i], n);
    nwr_free(n);
}
