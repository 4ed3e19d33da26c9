/* record.c -- a key's concurrent versions: write, removal, merge; see nwr/dvv.h and DESIGN 3. */
#include "nwr/dvv.h"

/* ---- versions ------------------------------------------------------------------------------ */

void nwr_version_copy(struct nwr_version *dst, const struct nwr_version *src)
{
    *dst = *src;
    nwr_vv_copy(&dst->past, &src->past);
    dst->body = nwr_blob_ref(src->body);
    dst->blocks = NULL;
    if (src->nblocks)
        dst->blocks = nwr_memdup(src->blocks, src->nblocks * sizeof(*src->blocks));
}

void nwr_version_deinit(struct nwr_version *v)
{
    nwr_vv_deinit(&v->past);
    nwr_blob_unref(v->body);
    nwr_free(v->blocks);
    v->body = NULL;
    v->blocks = NULL;
    v->nblocks = 0;
}

/* ---- the array of versions ----------------------------------------------------------------- */

/* First index whose dot is >= d. */
static uint32_t lower(const struct nwr_record *r, struct nwr_dot d)
{
    uint32_t lo = 0, hi = r->n;

    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;

        if (nwr_dot_cmp(r->v[mid].dot, d) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* Most records hold one version: room for exactly one comes first. */
static void reserve(struct nwr_record *r, uint32_t need)
{
    if (r->cap == 0 && need == 1) {
        r->v = nwr_alloc(sizeof(*r->v));
        r->cap = 1;
        return;
    }
    r->v = nwr_grow(r->v, &r->cap, need, sizeof(*r->v));
}

const struct nwr_version *nwr_record_find(const struct nwr_record *r, struct nwr_dot d)
{
    uint32_t i = lower(r, d);

    return i < r->n && nwr_dot_cmp(r->v[i].dot, d) == 0 ? &r->v[i] : NULL;
}

/* ---- kept ancestors ------------------------------------------------------------------------ */

static bool is_base_of(const struct nwr_version *v, struct nwr_dot d)
{
    for (uint32_t i = 0; i < v->nbase; i++)
        if (nwr_dot_cmp(v->base[i], d) == 0)
            return true;
    return false;
}

static bool is_named(const struct nwr_record *r, struct nwr_dot d)
{
    for (uint32_t i = 0; r && i < r->n; i++)
        if (is_base_of(&r->v[i], d))
            return true;
    return false;
}

/* Takes v. */
static void keep(struct nwr_record *r, struct nwr_version *v)
{
    uint32_t at = 0;

    while (at < r->nkept && nwr_dot_cmp(r->kept[at].dot, v->dot) < 0)
        at++;
    if (at < r->nkept && nwr_dot_cmp(r->kept[at].dot, v->dot) == 0) {
        nwr_version_deinit(v);
        return;
    }
    r->kept = nwr_grow(r->kept, &r->capkept, r->nkept + 1, sizeof(*r->kept));
    memmove(r->kept + at + 1, r->kept + at, (r->nkept - at) * sizeof(*r->kept));
    r->kept[at] = *v;
    r->nkept++;
}

void nwr_record_let_go(struct nwr_record *r, struct nwr_version *v, const struct nwr_record *other)
{
    if (is_named(r, v->dot) || is_named(other, v->dot))
        keep(r, v);
    else
        nwr_version_deinit(v);
}

bool nwr_record_prune_kept(struct nwr_record *r)
{
    uint32_t kept = 0, before = r->nkept;

    for (uint32_t i = 0; i < r->nkept; i++)
        if (!is_named(r, r->kept[i].dot) || nwr_record_find(r, r->kept[i].dot))
            nwr_version_deinit(&r->kept[i]);
        else
            r->kept[kept++] = r->kept[i];
    r->nkept = kept;
    return kept < before;
}

/* What src keeps and a version of dst names. */
static bool join_kept(struct nwr_record *dst, const struct nwr_record *src)
{
    uint32_t before = dst->nkept;
    struct nwr_version copy;

    for (uint32_t i = 0; i < src->nkept; i++)
        if (is_named(dst, src->kept[i].dot) && !nwr_record_find(dst, src->kept[i].dot)) {
            nwr_version_copy(&copy, &src->kept[i]);
            keep(dst, &copy);
        }
    return dst->nkept > before;
}

const struct nwr_version *nwr_record_base(const struct nwr_record *r, const struct nwr_version *a,
                                          const struct nwr_version *b)
{
    const struct nwr_version *best = NULL;

    for (uint32_t i = 0; i < r->nkept; i++) {
        const struct nwr_version *v = &r->kept[i];

        if (is_base_of(a, v->dot) && is_base_of(b, v->dot) && (!best || v->hlc >= best->hlc))
            best = v;
    }
    return best;
}

const struct nwr_version *nwr_record_stored(const struct nwr_record *r, uint32_t i)
{
    nwr_assert(i < r->n + r->nkept);
    return i < r->n ? &r->v[i] : &r->kept[i - r->n];
}

/* ---- write_ids that are gone ---------------------------------------------------------------- */

static uint32_t lower_retired(const struct nwr_record *r, nwr_wid wid)
{
    uint32_t lo = 0, hi = r->nretired;

    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;

        if (r->retired[mid] < wid)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static bool is_retired(const struct nwr_record *r, nwr_wid wid)
{
    uint32_t i = lower_retired(r, wid);

    return i < r->nretired && r->retired[i] == wid;
}

static void retire_one(struct nwr_record *r, nwr_wid wid)
{
    uint32_t i = lower_retired(r, wid);

    if (wid == 0 || is_retired(r, wid))
        return;
    r->retired = nwr_grow(r->retired, &r->capretired, r->nretired + 1, sizeof(*r->retired));
    memmove(r->retired + i + 1, r->retired + i, (r->nretired - i) * sizeof(*r->retired));
    r->retired[i] = wid;
    r->nretired++;
}

/* Union of the two sorted lists, filled from the back. */
static bool join_retired(struct nwr_record *dst, const struct nwr_record *src)
{
    uint32_t added = 0, i = dst->nretired, to;

    for (uint32_t j = 0; j < src->nretired; j++)
        added += !is_retired(dst, src->retired[j]);
    if (added == 0)
        return false;
    to = dst->nretired + added;
    dst->retired = nwr_grow(dst->retired, &dst->capretired, to, sizeof(*dst->retired));
    dst->nretired = to;
    for (uint32_t j = src->nretired; j > 0; j--) {
        while (i > 0 && dst->retired[i - 1] > src->retired[j - 1])
            dst->retired[--to] = dst->retired[--i];
        if (i == 0 || dst->retired[i - 1] != src->retired[j - 1])
            dst->retired[--to] = src->retired[j - 1];
    }
    return true;
}

/* ---- records ------------------------------------------------------------------------------- */

void nwr_record_deinit(struct nwr_record *r)
{
    for (uint32_t i = 0; i < r->n; i++)
        nwr_version_deinit(&r->v[i]);
    for (uint32_t i = 0; i < r->nkept; i++)
        nwr_version_deinit(&r->kept[i]);
    nwr_free(r->v);
    nwr_free(r->kept);
    nwr_free(r->retired);
    nwr_ctx_deinit(&r->ctx);
    *r = (struct nwr_record){0};
}

void nwr_record_copy(struct nwr_record *dst, const struct nwr_record *src)
{
    *dst = (struct nwr_record){0};
    nwr_vv_copy(&dst->ctx.vv, &src->ctx.vv);
    nwr_vv_copy(&dst->ctx.dots, &src->ctx.dots);
    if (src->n)
        reserve(dst, src->n);
    for (uint32_t i = 0; i < src->n; i++)
        nwr_version_copy(&dst->v[i], &src->v[i]);
    dst->n = src->n;
    if (src->nkept)
        dst->kept = nwr_grow(NULL, &dst->capkept, src->nkept, sizeof(*dst->kept));
    for (; dst->nkept < src->nkept; dst->nkept++)
        nwr_version_copy(&dst->kept[dst->nkept], &src->kept[dst->nkept]);
    if (src->nretired)
        dst->retired = nwr_memdup(src->retired, src->nretired * sizeof(*src->retired));
    dst->nretired = dst->capretired = src->nretired;
}

/* Takes the version at i out of the list. */
static void remove_at(struct nwr_record *r, uint32_t i, const struct nwr_record *other)
{
    struct nwr_version v = r->v[i];

    r->n--;
    memmove(r->v + i, r->v + i + 1, (r->n - i) * sizeof(*r->v));
    nwr_record_let_go(r, &v, other);
}

/* Removes the versions whose write_id is retired. */
static bool drop_retired(struct nwr_record *r, const struct nwr_record *other)
{
    uint32_t before = r->n;

    for (uint32_t i = r->n; i-- > 0;)
        if (is_retired(r, r->v[i].wid))
            remove_at(r, i, other);
    return r->n < before;
}

/* Removes what src has seen and does not have any more. */
static bool drop_obsolete(struct nwr_record *dst, const struct nwr_record *src)
{
    uint32_t before = dst->n;

    for (uint32_t i = dst->n; i-- > 0;) {
        struct nwr_dot d = dst->v[i].dot;

        if (nwr_ctx_has(&src->ctx, d) && !nwr_record_find(src, d))
            remove_at(dst, i, src);
    }
    return dst->n < before;
}

/* Adds what dst has never seen; filled from the back. dst's context is still its own. */
static bool add_unseen(struct nwr_record *dst, const struct nwr_record *src)
{
    uint32_t added = 0, i = dst->n, to;

    for (uint32_t j = 0; j < src->n; j++)
        added += !nwr_ctx_has(&dst->ctx, src->v[j].dot);
    if (added == 0)
        return false;
    to = dst->n + added;
    reserve(dst, to);
    dst->n = to;
    for (uint32_t j = src->n; j > 0; j--) {
        const struct nwr_version *v = &src->v[j - 1];

        if (nwr_ctx_has(&dst->ctx, v->dot))
            continue;
        while (i > 0 && nwr_dot_cmp(dst->v[i - 1].dot, v->dot) > 0)
            dst->v[--to] = dst->v[--i];
        nwr_version_copy(&dst->v[--to], v);
    }
    return true;
}

bool nwr_record_sync(struct nwr_record *dst, const struct nwr_record *src)
{
    bool changed = false;

    if (dst == src)
        return false;
    changed |= drop_obsolete(dst, src);
    changed |= add_unseen(dst, src);
    changed |= nwr_ctx_join(&dst->ctx, &src->ctx);
    if (join_retired(dst, src))
        changed = true;
    /* Both sides may have brought a version that the other's list names. */
    changed |= drop_retired(dst, src);
    if (src->nkept)
        changed |= join_kept(dst, src);
    if (dst->nkept)
        changed |= nwr_record_prune_kept(dst);
    return changed;
}

/* ---- writes -------------------------------------------------------------------------------- */

/* What a write or a removal takes away. own: the write_id and dot of the write itself, and, to name
 * its bases, a record that is nothing else. */
struct naming {
    const struct nwr_record *own;
    const struct nwr_seen *seen;
    const nwr_wid *retire;
    uint32_t nseen, nretire;
    nwr_wid own_wid;
    struct nwr_dot own_dot;
};

/* A retry may find itself among what its caller has seen since: that is no reason to go. */
static bool names_itself(const struct nwr_record *r, const struct naming *n,
                         const struct nwr_seen *s)
{
    const struct nwr_version *v;

    if (n->own_wid == 0)
        return false;
    if (s->wid == n->own_wid)
        return true;
    v = nwr_record_find(r, s->dot);
    return v && v->wid == n->own_wid;
}

static bool is_dot_given(const struct naming *n, struct nwr_dot d)
{
    if (d.counter == 0)
        return false;
    return d.actor != n->own_dot.actor || d.counter < n->own_dot.counter || !n->own_dot.counter;
}

/* Takes away exactly what is named; past, if any, learns what was replaced. */
static void take_away(struct nwr_record *r, const struct naming *n, struct nwr_vv *past)
{
    for (uint32_t i = 0; i < n->nretire; i++)
        if (n->own_wid == 0 || n->retire[i] != n->own_wid)
            retire_one(r, n->retire[i]);
    for (uint32_t i = 0; i < n->nseen; i++) {
        const struct nwr_seen *s = &n->seen[i];
        const struct nwr_version *v = nwr_record_find(r, s->dot);

        if (names_itself(r, n, s))
            continue;
        if (!v || !(v->flags & NWR_V_ONCE) || v->wid != s->wid)
            retire_one(r, s->wid);
        if (!is_dot_given(n, s->dot))
            continue;
        nwr_ctx_add(&r->ctx, s->dot);
        if (past)
            nwr_vv_raise(past, s->dot);
        if (!v)
            continue;
        if (s->wid && !(v->flags & NWR_V_ONCE))
            retire_one(r, v->wid);
        if (past)
            nwr_vv_join(past, &v->past);
        remove_at(r, (uint32_t)(v - r->v), n->own);
    }
    for (uint32_t i = 0; past && i < r->n; i++)
        if (is_retired(r, r->v[i].wid))
            nwr_vv_join(past, &r->v[i].past);
    drop_retired(r, n->own);
}

static const struct nwr_version *find_wid(const struct nwr_record *r, nwr_wid wid)
{
    for (uint32_t i = 0; wid && i < r->n; i++)
        if (r->v[i].wid == wid)
            return &r->v[i];
    return NULL;
}

/* Takes past. */
static void add_version(struct nwr_record *r, const struct nwr_version *v, struct nwr_vv *past)
{
    uint32_t at = lower(r, v->dot);
    struct nwr_version copy = *v;

    nwr_assert(at == r->n || nwr_dot_cmp(r->v[at].dot, v->dot) != 0);
    copy.past = (struct nwr_vv){0};
    reserve(r, r->n + 1);
    memmove(r->v + at + 1, r->v + at, (r->n - at) * sizeof(*r->v));
    nwr_version_copy(&r->v[at], &copy);
    r->v[at].past = *past;
    r->n++;
    *past = (struct nwr_vv){0};
}

void nwr_record_put(struct nwr_record *r, const struct nwr_version *v, const struct nwr_seen *seen,
                    uint32_t nseen, const nwr_wid *retire, uint32_t nretire, struct nwr_dot *dot)
{
    const struct nwr_record own = {.v = (struct nwr_version *)(uintptr_t)v, .n = 1};
    struct naming naming = {&own, seen, retire, nseen, nretire, v->wid, v->dot};
    struct nwr_dot got = v->dot;
    const struct nwr_version *first;
    struct nwr_vv past;

    nwr_assert(v->dot.counter > 0);
    nwr_vv_copy(&past, &v->past);
    take_away(r, &naming, &past);
    nwr_vv_raise(&past, v->dot);
    nwr_ctx_event(&r->ctx, v->dot);
    first = find_wid(r, v->wid);
    if (first)
        got = first->dot;
    else if (!is_retired(r, v->wid))
        add_version(r, v, &past);
    nwr_vv_deinit(&past);
    nwr_record_prune_kept(r);
    if (dot)
        *dot = got;
}

void nwr_record_discard(struct nwr_record *r, const struct nwr_seen *seen, uint32_t nseen,
                        const nwr_wid *retire, uint32_t nretire)
{
    struct naming naming = {.seen = seen, .retire = retire, .nseen = nseen, .nretire = nretire};

    take_away(r, &naming, NULL);
    nwr_record_prune_kept(r);
}

size_t nwr_version_bytes(const struct nwr_version *v)
{
    return sizeof(*v) + v->past.n * sizeof(struct nwr_dot) + (v->body ? v->body->len : 0) +
           v->nblocks * sizeof(struct nwr_block_id);
}

size_t nwr_record_bytes(const struct nwr_record *r)
{
    size_t bytes = sizeof(*r) + (r->ctx.vv.n + r->ctx.dots.n) * sizeof(struct nwr_dot) +
                   r->nretired * sizeof(nwr_wid);

    for (uint32_t i = 0; i < r->n + r->nkept; i++)
        bytes += nwr_version_bytes(nwr_record_stored(r, i));
    return bytes;
}

/* ---- looking ------------------------------------------------------------------------------- */

uint32_t nwr_record_live(const struct nwr_record *r)
{
    uint32_t live = 0;

    for (uint32_t i = 0; i < r->n; i++)
        live += (r->v[i].flags & (NWR_V_TOMBSTONE | NWR_V_HIDDEN | NWR_V_MARK)) == 0;
    return live;
}

uint64_t nwr_record_digest(const struct nwr_record *r)
{
    uint64_t h = nwr_mix64(r->n);

    for (uint32_t i = 0; i < r->n; i++) {
        h = nwr_mix64(h ^ r->v[i].dot.actor);
        h = nwr_mix64(h ^ r->v[i].dot.counter);
        h = nwr_mix64(h ^ r->v[i].wid);
    }
    h = nwr_mix64(h ^ r->nretired);
    for (uint32_t i = 0; i < r->nretired; i++)
        h = nwr_mix64(h ^ r->retired[i]);
    return h;
}

static void check_ctx(const struct nwr_ctx *c)
{
    for (uint32_t i = 0; i < c->vv.n; i++) {
        nwr_assert(c->vv.e[i].counter > 0);
        nwr_assert(i == 0 || c->vv.e[i - 1].actor < c->vv.e[i].actor);
    }
    for (uint32_t i = 0; i < c->dots.n; i++) {
        nwr_assert(nwr_vv_get(&c->vv, c->dots.e[i].actor) < c->dots.e[i].counter);
        nwr_assert(i == 0 || nwr_dot_cmp(c->dots.e[i - 1], c->dots.e[i]) < 0);
    }
}

void nwr_record_check(const struct nwr_record *r)
{
    check_ctx(&r->ctx);
    for (uint32_t i = 0; i < r->n; i++) {
        nwr_assert(i == 0 || nwr_dot_cmp(r->v[i - 1].dot, r->v[i].dot) < 0);
        nwr_assert(nwr_ctx_has(&r->ctx, r->v[i].dot));
        nwr_assert(!is_retired(r, r->v[i].wid));
    }
    for (uint32_t i = 0; i < r->nkept; i++) {
        nwr_assert(i == 0 || nwr_dot_cmp(r->kept[i - 1].dot, r->kept[i].dot) < 0);
        nwr_assert(is_named(r, r->kept[i].dot) && !nwr_record_find(r, r->kept[i].dot));
    }
    for (uint32_t i = 0; i < r->nretired; i++) {
        nwr_assert(r->retired[i] != 0);
        nwr_assert(i == 0 || r->retired[i - 1] < r->retired[i]);
    }
}
