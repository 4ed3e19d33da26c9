/* floor.c -- see floor.h. */
#include "net/core/floor.h"

#include "net/core/ancestor.h"
#include "net/core/rules.h"

bool nwr_vv_has(const struct nwr_vv *vv, struct nwr_dot d)
{
    return nwr_vv_get(vv, d.actor) >= d.counter;
}

bool nwr_vv_covers(const struct nwr_vv *vv, const struct nwr_vv *other)
{
    for (uint32_t i = 0; i < other->n; i++)
        if (!nwr_vv_has(vv, other->e[i]))
            return false;
    return true;
}

void nwr_vv_least(struct nwr_vv *vv, const struct nwr_vv *other)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < vv->n; i++) {
        struct nwr_dot d = vv->e[i];

        d.counter = NWR_MIN(d.counter, nwr_vv_get(other, d.actor));
        if (d.counter)
            vv->e[kept++] = d;
    }
    vv->n = kept;
}

uint64_t nwr_floor_hash(const struct nwr_vv *clock, const struct nwr_vv *floor)
{
    uint64_t h = 0;

    for (uint32_t i = 0; i < clock->n; i++)
        h = nwr_mix64(nwr_mix64(h ^ clock->e[i].actor) ^ clock->e[i].counter);
    if (floor->n)
        h = ~h;
    for (uint32_t i = 0; i < floor->n; i++)
        h = nwr_mix64(nwr_mix64(h ^ floor->e[i].actor) ^ floor->e[i].counter);
    return h;
}

/* ---- bytes ----------------------------------------------------------------------------------- */

void nwr_vv_encode(const struct nwr_vv *vv, struct nwr_out *o)
{
    nwr_out_var(o, vv->n);
    for (uint32_t i = 0; i < vv->n; i++) {
        nwr_out_u64(o, vv->e[i].actor);
        nwr_out_var(o, vv->e[i].counter);
    }
}

bool nwr_vv_decode(struct nwr_vv *vv, struct nwr_in *in)
{
    uint32_t n = nwr_in_count(in, 9);
    bool good = true;

    *vv = (struct nwr_vv){0};
    for (uint32_t i = 0; i < n && good && !in->bad; i++) {
        struct nwr_dot d;

        d.actor = nwr_in_u64(in);
        d.counter = nwr_in_var(in);
        good = d.counter && (vv->n == 0 || vv->e[vv->n - 1].actor < d.actor);
        if (good)
            nwr_vv_raise(vv, d);
    }
    if (good && !in->bad)
        return true;
    nwr_vv_deinit(vv);
    return false;
}

/* ---- records --------------------------------------------------------------------------------- */

static bool is_below(const struct nwr_record *r, const struct nwr_vv *floor)
{
    for (uint32_t i = 0; i < r->ctx.dots.n; i++)
        if (!nwr_vv_has(floor, r->ctx.dots.e[i]))
            return false;
    return nwr_vv_covers(floor, &r->ctx.vv);
}

static bool any_above(const struct nwr_record *r, const struct nwr_vv *floor)
{
    for (uint32_t i = 0; i < r->n; i++)
        if (!nwr_vv_has(floor, r->v[i].dot))
            return true;
    return false;
}

/* True if it is shorter now. The version's own dot and what is above the floor stay. */
static bool fold_past(struct nwr_version *v, const struct nwr_vv *floor)
{
    struct nwr_vv out = {0};
    uint32_t before = v->past.n;

    if (before <= NWR_PAST_MAX)
        return false;
    for (uint32_t i = 0; i < before; i++) {
        struct nwr_dot d = v->past.e[i];
        nwr_actor ended = d.actor >> 32 << 32;

        if (d.actor != v->dot.actor && nwr_vv_has(floor, d) && d.actor != ended)
            d = (struct nwr_dot){ended, nwr_vv_get(&out, ended) + d.counter};
        else if (d.actor == ended)
            d.counter += nwr_vv_get(&out, ended);
        nwr_vv_raise(&out, d);
    }
    nwr_vv_deinit(&v->past);
    v->past = out;
    return out.n < before;
}

static bool is_folded(const struct nwr_record *r)
{
    for (uint32_t i = 0; i < r->n; i++)
        if (r->v[i].flags & NWR_V_TOMBSTONE)
            return false;
    return r->ctx.vv.n == 0 && r->ctx.dots.n == r->n;
}

bool nwr_record_fold(struct nwr_record *r, const struct nwr_vv *floor)
{
    uint32_t kept = 0;
    bool shorter = nwr_kept_settle(r, floor);

    if (floor->n == 0 || !NWR_RULE(TOMBSTONES_GO) ||
        (NWR_RULE(FOLD_ALL) ? !is_below(r, floor) : any_above(r, floor)))
        return shorter;
    for (uint32_t i = 0; i < r->n && NWR_RULE(FOLD_PAST); i++)
        shorter |= fold_past(&r->v[i], floor);
    if (!NWR_RULE(RETIRED_STAYS))
        r->nretired = 0;
    if (is_folded(r))
        return shorter;
    for (uint32_t i = 0; i < r->n; i++)
        if (r->v[i].flags & NWR_V_TOMBSTONE)
            nwr_version_deinit(&r->v[i]);
        else
            r->v[kept++] = r->v[i];
    r->n = kept;
    nwr_ctx_deinit(&r->ctx);
    for (uint32_t i = 0; i < r->n; i++)
        nwr_ctx_add(&r->ctx, r->v[i].dot);
    return true;
}

/* What the other's floor says it has seen and the other does not have. */
static bool is_refused(const struct nwr_version *v, const struct nwr_vv *floor,
                       const struct nwr_record *other)
{
    return nwr_vv_has(floor, v->dot) && !nwr_record_find(other, v->dot);
}

static bool any_refused(const struct nwr_record *r, const struct nwr_vv *floor,
                        const struct nwr_record *other)
{
    for (uint32_t i = 0; floor && floor->n && i < r->n; i++)
        if (is_refused(&r->v[i], floor, other))
            return true;
    return false;
}

bool nwr_record_any_below(const struct nwr_record *r, const struct nwr_vv *floor)
{
    static const struct nwr_record nothing;

    if (r->n == 0)
        return is_below(r, floor);
    return any_refused(r, floor, &nothing);
}

/* What goes stays kept where a version of r or of other names it. */
static bool refuse(struct nwr_record *r, const struct nwr_record *other, const struct nwr_vv *floor)
{
    if (!any_refused(r, floor, other))
        return false;
    for (uint32_t i = r->n; i-- > 0;) {
        struct nwr_version v = r->v[i];

        if (!is_refused(&v, floor, other))
            continue;
        r->n--;
        memmove(r->v + i, r->v + i + 1, (r->n - i) * sizeof(*r->v));
        nwr_record_let_go(r, &v, other);
    }
    return true;
}

bool nwr_record_refuse(struct nwr_record *r, const struct nwr_record *other,
                       const struct nwr_vv *floor)
{
    bool changed = refuse(r, other, floor);

    nwr_record_prune_kept(r);
    return changed;
}

bool nwr_record_sync_under(struct nwr_record *dst, const struct nwr_vv *dst_floor,
                           const struct nwr_record *src, const struct nwr_vv *src_floor)
{
    bool refused = any_refused(src, dst_floor, dst);
    bool changed = refuse(dst, src, src_floor);
    struct nwr_record taken;

    if (!refused)
        return nwr_record_sync(dst, src) || changed;
    nwr_record_copy(&taken, src);
    refuse(&taken, dst, dst_floor);
    changed |= nwr_record_sync(dst, &taken);
    nwr_record_deinit(&taken);
    return changed;
}
