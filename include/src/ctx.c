/* ctx.c -- version vectors and contexts: what a record has seen; see nwr/dvv.h. */
#include "nwr/dvv.h"

/* ---- vectors ------------------------------------------------------------------------------- */

/* First index whose dot is >= d. A vector holds one entry an actor: {a, 0} finds it. */
static uint32_t lower(const struct nwr_vv *vv, struct nwr_dot d)
{
    uint32_t lo = 0, hi = vv->n;

    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;

        if (nwr_dot_cmp(vv->e[mid], d) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static void insert(struct nwr_vv *vv, uint32_t at, struct nwr_dot d)
{
    vv->e = nwr_grow(vv->e, &vv->cap, vv->n + 1, sizeof(*vv->e));
    memmove(vv->e + at + 1, vv->e + at, (vv->n - at) * sizeof(*vv->e));
    vv->e[at] = d;
    vv->n++;
}

uint64_t nwr_vv_get(const struct nwr_vv *vv, nwr_actor a)
{
    uint32_t i = lower(vv, (struct nwr_dot){a, 0});

    return i < vv->n && vv->e[i].actor == a ? vv->e[i].counter : 0;
}

bool nwr_vv_raise(struct nwr_vv *vv, struct nwr_dot d)
{
    uint32_t i = lower(vv, (struct nwr_dot){d.actor, 0});

    if (d.counter == 0)
        return false;
    if (i == vv->n || vv->e[i].actor != d.actor) {
        insert(vv, i, d);
        return true;
    }
    if (vv->e[i].counter >= d.counter)
        return false;
    vv->e[i].counter = d.counter;
    return true;
}

bool nwr_vv_join(struct nwr_vv *vv, const struct nwr_vv *other)
{
    bool changed = false;

    for (uint32_t i = 0; i < other->n; i++)
        changed |= nwr_vv_raise(vv, other->e[i]);
    return changed;
}

void nwr_vv_copy(struct nwr_vv *dst, const struct nwr_vv *src)
{
    *dst = (struct nwr_vv){.n = src->n, .cap = src->n};
    if (src->n)
        dst->e = nwr_memdup(src->e, src->n * sizeof(*src->e));
}

void nwr_vv_deinit(struct nwr_vv *vv)
{
    nwr_free(vv->e);
    *vv = (struct nwr_vv){0};
}

static void out_decimal(struct nwr_out *o, uint64_t v)
{
    char digits[20];
    size_t n = sizeof(digits);

    do
        digits[--n] = (char)('0' + v % 10);
    while ((v /= 10) > 0);
    nwr_out_raw(o, digits + n, sizeof(digits) - n);
}

char *nwr_vv_text(const struct nwr_vv *vv)
{
    struct nwr_out o = {0};

    for (uint32_t i = 0; i < vv->n;) {
        uint16_t ordinal = nwr_actor_ordinal(vv->e[i].actor);
        uint64_t sum = 0;

        for (; i < vv->n && nwr_actor_ordinal(vv->e[i].actor) == ordinal; i++)
            sum += vv->e[i].counter;
        if (o.len)
            nwr_out_u8(&o, ';');
        out_decimal(&o, ordinal);
        nwr_out_u8(&o, ',');
        out_decimal(&o, sum);
    }
    nwr_out_u8(&o, 0);
    return (char *)o.data;
}

/* ---- contexts ------------------------------------------------------------------------------ */

bool nwr_ctx_has(const struct nwr_ctx *c, struct nwr_dot d)
{
    uint32_t i;

    if (nwr_vv_get(&c->vv, d.actor) >= d.counter)
        return true;
    i = lower(&c->dots, d);
    return i < c->dots.n && nwr_dot_cmp(c->dots.e[i], d) == 0;
}

bool nwr_ctx_add(struct nwr_ctx *c, struct nwr_dot d)
{
    if (nwr_ctx_has(c, d))
        return false;
    insert(&c->dots, lower(&c->dots, d), d);
    return true;
}

static void drop_covered(struct nwr_ctx *c)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < c->dots.n; i++)
        if (nwr_vv_get(&c->vv, c->dots.e[i].actor) < c->dots.e[i].counter)
            c->dots.e[kept++] = c->dots.e[i];
    c->dots.n = kept;
}

void nwr_ctx_event(struct nwr_ctx *c, struct nwr_dot own)
{
    nwr_assert(own.counter > 0);
    if (nwr_vv_raise(&c->vv, own))
        drop_covered(c);
}

/* Union of the exact dots, filled from the back so that one growth is enough. */
static bool join_dots(struct nwr_ctx *c, const struct nwr_vv *other)
{
    uint32_t added = 0, i = c->dots.n, to;

    for (uint32_t j = 0; j < other->n; j++)
        added += !nwr_ctx_has(c, other->e[j]);
    if (added == 0)
        return false;
    c->dots.e = nwr_grow(c->dots.e, &c->dots.cap, c->dots.n + added, sizeof(*c->dots.e));
    to = c->dots.n + added;
    for (uint32_t j = other->n; added > 0; j--) {
        struct nwr_dot d = other->e[j - 1];

        while (i > 0 && nwr_dot_cmp(c->dots.e[i - 1], d) > 0)
            c->dots.e[--to] = c->dots.e[--i];
        if ((i > 0 && nwr_dot_cmp(c->dots.e[i - 1], d) == 0) ||
            nwr_vv_get(&c->vv, d.actor) >= d.counter)
            continue;
        c->dots.e[--to] = d;
        added--;
        c->dots.n++;
    }
    return true;
}

bool nwr_ctx_join(struct nwr_ctx *c, const struct nwr_ctx *other)
{
    bool raised = nwr_vv_join(&c->vv, &other->vv);

    if (raised)
        drop_covered(c);
    return join_dots(c, &other->dots) || raised;
}

void nwr_ctx_deinit(struct nwr_ctx *c)
{
    nwr_vv_deinit(&c->vv);
    nwr_vv_deinit(&c->dots);
}
