/* ancestor.c -- see ancestor.h. */
#include "net/core/ancestor.h"

#include "net/core/floor.h"
#include "net/core/rules.h"

struct bases {
    struct nwr_dot d[NWR_BASES_MAX];
    uint8_t n;
};

bool nwr_keeps_ancestors(const struct nwr_key *key)
{
    struct nwr_key_parts p;

    return nwr_key_parse(key, &p) && p.kind == 'I' && p.reg == NWR_REG_CONTENT;
}

static bool is_live(const struct nwr_version *v)
{
    return (v->flags & (NWR_V_TOMBSTONE | NWR_V_HIDDEN | NWR_V_MARK)) == 0;
}

/* Copies of one write are no siblings: its retry through another coordinator leaves two, until the
 * next write, and the file is in no conflict that anybody sees. */
static bool in_conflict(const struct nwr_record *r)
{
    const struct nwr_version *first = NULL;

    for (uint32_t i = 0; i < r->n; i++) {
        const struct nwr_version *v = &r->v[i];

        if (!is_live(v))
            continue;
        if (first && (v->wid == 0 || v->wid != first->wid))
            return true;
        first = v;
    }
    return false;
}

bool nwr_kept_counts(const struct nwr_record *r)
{
    return r->nkept && in_conflict(r);
}

/* ---- what a write names ---------------------------------------------------------------------- */

static const struct nwr_version *find(const struct nwr_record *r, const struct nwr_seen *s)
{
    const struct nwr_version *v = s->dot.counter ? nwr_record_find(r, s->dot) : NULL;

    for (uint32_t i = 0; !v && i < r->n + r->nkept; i++) {
        const struct nwr_version *one = nwr_record_stored(r, i);

        if (nwr_dot_cmp(one->dot, s->dot) == 0 || (s->wid && i < r->n && one->wid == s->wid))
            v = one;
    }
    return v;
}

static void add(struct bases *b, struct nwr_dot d)
{
    if (b->n < (NWR_RULE(KEPT_SECOND) ? NWR_BASES_MAX : 1))
        b->d[b->n++] = d;
}

/* Of a write over one version. Nobody can be cut off with a version that is not settled and not
 * know an older one, so its own bases go on: else a million overwrites while a replica is away
 * would end with bases that it never had. And in a conflict they do, on both sides. */
static struct bases over(const struct nwr_record *r, const struct nwr_seen *s,
                         const struct nwr_vv *floor)
{
    const struct nwr_version *v = find(r, s);
    struct bases b = {.n = 0};
    bool settled, single;

    if (!v) { /* others may have it */
        add(&b, s->dot);
        return b;
    }
    settled = nwr_vv_has(floor, v->dot) || !NWR_RULE(KEPT_SETTLED);
    single = !in_conflict(r) || !NWR_RULE(KEPT_SINGLE);
    if (v->nbase == 0 || (settled && single)) {
        add(&b, v->dot);
        if (v->nbase)
            add(&b, v->base[0]);
    } else {
        for (uint8_t i = 0; i < v->nbase; i++)
            add(&b, v->base[i]);
    }
    return b;
}

/* Keeps of all what b has too. */
static void common(struct bases *all, const struct bases *b)
{
    uint8_t n = 0;

    for (uint8_t i = 0; i < all->n; i++)
        for (uint8_t j = 0; j < b->n; j++)
            if (nwr_dot_cmp(all->d[i], b->d[j]) == 0) {
                all->d[n++] = all->d[i];
                break;
            }
    all->n = n;
}

void nwr_bases_give(struct nwr_version *v, const struct nwr_record *r, const struct nwr_seen *seen,
                    uint32_t nseen, const struct nwr_vv *floor)
{
    struct bases first = {.n = 0}, all = {.n = 0};
    bool any = false;

    for (uint32_t i = 0; i < nseen; i++) {
        struct bases b;

        if (seen[i].dot.counter == 0 && !find(r, &seen[i]))
            continue;
        b = over(r, &seen[i], floor);
        if (!any)
            first = all = b;
        else
            common(&all, &b);
        any = true;
    }
    if (all.n == 0)
        all = first;
    memcpy(v->base, all.d, sizeof(v->base));
    v->nbase = all.n;
}

/* ---- what a record keeps --------------------------------------------------------------------- */

static bool drop_all(struct nwr_record *r)
{
    bool any = r->nkept > 0;

    while (r->nkept)
        nwr_version_deinit(&r->kept[--r->nkept]);
    return any;
}

static bool all_below(const struct nwr_record *r, const struct nwr_vv *floor)
{
    for (uint32_t i = 0; i < r->n; i++)
        if (r->v[i].nbase && !nwr_vv_has(floor, r->v[i].dot))
            return false;
    return true;
}

bool nwr_kept_settle(struct nwr_record *r, const struct nwr_vv *floor)
{
    return r->nkept && !nwr_kept_counts(r) && all_below(r, floor) && NWR_RULE(KEPT_DROPPED) &&
           drop_all(r);
}

bool nwr_kept_give_up(struct nwr_record *r)
{
    return !nwr_kept_counts(r) && drop_all(r);
}
