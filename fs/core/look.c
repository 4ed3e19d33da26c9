/* look.c -- looking into a removed directory of very many names, page by page (left.c).
 *
 * A transaction of its own looks at one page after the other and keeps none of them, and whoever
 * wants to know waits for it: a million names would be gigabytes in a snapshot.
 *
 *     t: plan --more--> many --> wants_look --------------------------> under --> plan again
 *                                 look: page --> page --> ... --> last --^
 *
 * Pure. Thread: the loop.
 */
#include "fs/core/state.h"
#include "fs/core/view_slots.h"

/* False: something is missing. */
static bool look_at_page(struct nwr_txn *t, bool *shows)
{
    const struct nwr_page *p = &t->page;
    struct nwr_shown_list list = {0};
    bool whole = true;

    for (uint32_t i = nwr_rows_lower(&t->rows, &p->prefix);
         list.n == 0 && i < t->rows.n && nwr_key_has_prefix(&t->rows.row[i].key, &p->prefix); i++) {
        struct nwr_key_parts name;
        struct nwr_key entry;

        /* The last page may have ended between two records of a name. */
        if (nwr_txn_knows(t, &t->rows.row[i].key) && nwr_view_begins(&t->rows, i, &name, &entry) &&
            nwr_key_cmp(&entry, &p->after) > 0)
            whole &= nwr_view_names(t, t->ino, name.name, name.name_len, &list);
    }
    *shows = list.n > 0;
    nwr_shown_list_deinit(&list);
    return whole;
}

/* t->number: records so far; t->keeping: what shows is to be remembered. */
static enum nwr_plan plan_look(struct nwr_txn *t)
{
    while (!t->leftover) {
        bool more, away = false;

        if (!t->page.ready) {
            if (t->m->stopping && t->look.len)
                return nwr_txn_fail(t, EIO);
            nwr_txn_page(t, t->ino, &t->look);
            return NWR_PLAN_WAIT;
        }
        if (!look_at_page(t, &t->leftover))
            return NWR_PLAN_WAIT;
        t->number += nwr_left_names(t, t->ino, &away);
        t->keeping &= !away;
        t->look = t->page.last;
        more = t->page.more;
        nwr_snapshot_clear(t);
        t->runs = 1; /* every page is further on */
        if (!more)
            break;
    }
    return NWR_PLAN_DONE;
}

static void tell(struct nwr_txn *t, const struct nwr_txn *look)
{
    t->wants_look = 0;
    if (look->err != NWR_OK || look->eno) {
        nwr_txn_give_up(t, look->err != NWR_OK ? look->err : NWR_E_IO);
        return;
    }
    t->under[t->nunder++ % NWR_UNDER_MAX] = (struct nwr_under){look->ino, look->leftover};
    nwr_txn_again(t);
}

/* The list changes while its members run; who was told does not wait for this any more. */
static void finish_look(struct nwr_txn *look)
{
    struct nwr_txn *t = look->m->txns;

    if (look->err == NWR_OK && look->eno == 0 && look->keeping)
        nwr_left_keep(look, look->ino, look->number, look->leftover);
    look->superseded = true; /* for who asks from now on */
    while (t) {
        bool waits = t->wants_look == look->ino && t->inflight == 0;

        if (waits)
            tell(t, look);
        t = waits ? look->m->txns : t->next;
    }
}

/* It began after the last change that this mount made there. */
static bool serves(const struct nwr_txn *look, nwr_ino dir)
{
    return look->looking && look->ino == dir && !look->superseded &&
           nwr_left_own(look->m, dir) <= look->since;
}

void nwr_left_look(struct nwr_txn *t)
{
    struct nwr_txn *look = t->m->txns;

    while (look && !serves(look, t->wants_look))
        look = look->next;
    if (look)
        return;
    look = nwr_txn_new(t->m, plan_look, finish_look, NULL);
    look->ino = t->wants_look;
    look->r = t->r;
    look->w = t->w;
    look->sloppy = t->sloppy;
    look->looking = look->keeping = true;
    nwr_txn_run(look);
}
