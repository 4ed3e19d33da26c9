/* codec.c -- a record as bytes, on disk and in frames; see nwr/dvv.h.
 *
 *   u8 1      format 1: no version has bases, nothing is kept
 *      2      format 2; and, so that a file whose version has bases takes no more room than before:
 *             FOLDED: vector and dots are not written, the context is the dots of the versions
 *             OWN_PAST: pasts are written without the version's own dot
 *   actors    count, then for each: var ordinal bits, u32 incarnation; ascending
 *   vector    count, dots; ascending by actor
 *   dots      count, dots; ascending, none covered by the vector
 *   versions  count, then for each, ascending by dot:
 *             dot, u64 hlc, u64 wid, var k, var uid, u8 flags and HAS bits, then what these say:
 *             u64 ref; past (count, dots); body (bytes); blocks (count, {u64 ino, u64 wid, var})
 *             format 2: var count of bases, dots
 *   retired   count, u64 each; ascending
 *   kept      format 2: like versions
 *
 * A dot is var index into actors, var counter. What is read is checked against the invariants of
 * nwr_record_check, so that a record from outside is as good as one made here.
 */
#include "nwr/dvv.h"

enum {
    FORMAT = 1,
    FORMAT_BASES = 2,
    FOLDED = 0x10, /* bits of format 2 */
    OWN_PAST = 0x20,
    HAS_REF = 0x10,
    HAS_PAST = 0x20,
    HAS_BODY = 0x40,
    HAS_BLOCKS = 0x80,
    FLAGS = NWR_V_TOMBSTONE | NWR_V_HIDDEN | NWR_V_MARK | NWR_V_ONCE,
    /* Least bytes of one item: what keeps a count from outside within its frame. */
    ACTOR_MIN = 5,
    DOT_MIN = 2,
    VERSION_MIN = 21,
    BLOCK_MIN = 17,
    WID_MIN = 8,
    ACTORS_FEW = 8
};

/* ---- out ----------------------------------------------------------------------------------- */

/* The counters of an actor table mean nothing. */
static void note_actors(struct nwr_vv *actors, const struct nwr_vv *vv)
{
    for (uint32_t i = 0; i < vv->n; i++)
        nwr_vv_raise(actors, (struct nwr_dot){vv->e[i].actor, 1});
}

static void note_version(struct nwr_vv *actors, const struct nwr_version *v, bool kept)
{
    note_actors(actors, &v->past);
    for (uint32_t i = 0; i < v->nbase; i++)
        nwr_vv_raise(actors, (struct nwr_dot){v->base[i].actor, 1});
    if (kept)
        nwr_vv_raise(actors, (struct nwr_dot){v->dot.actor, 1});
}

static uint32_t actor_index(const struct nwr_vv *actors, nwr_actor a)
{
    uint32_t lo = 0, hi = actors->n;

    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;

        if (actors->e[mid].actor < a)
            lo = mid + 1;
        else
            hi = mid;
    }
    nwr_assert(lo < actors->n);
    return lo;
}

static void out_actors(struct nwr_out *o, const struct nwr_vv *actors)
{
    nwr_out_var(o, actors->n);
    for (uint32_t i = 0; i < actors->n; i++) {
        nwr_out_var(o, actors->e[i].actor >> 32);
        nwr_out_u32(o, (uint32_t)actors->e[i].actor);
    }
}

static void out_dot(struct nwr_out *o, const struct nwr_vv *actors, struct nwr_dot d)
{
    nwr_out_var(o, actor_index(actors, d.actor));
    nwr_out_var(o, d.counter);
}

static void out_dots(struct nwr_out *o, const struct nwr_vv *actors, const struct nwr_vv *dots)
{
    nwr_out_var(o, dots->n);
    for (uint32_t i = 0; i < dots->n; i++)
        out_dot(o, actors, dots->e[i]);
}

static bool is_own(const struct nwr_version *v, uint32_t past)
{
    return nwr_dot_cmp(v->past.e[past], v->dot) == 0;
}

static void out_past(struct nwr_out *o, const struct nwr_vv *actors, const struct nwr_version *v,
                     uint8_t format)
{
    if (!(format & OWN_PAST)) {
        out_dots(o, actors, &v->past);
        return;
    }
    nwr_out_var(o, v->past.n - 1);
    for (uint32_t i = 0; i < v->past.n; i++)
        if (!is_own(v, i))
            out_dot(o, actors, v->past.e[i]);
}

static void out_version(struct nwr_out *o, const struct nwr_vv *actors, const struct nwr_version *v,
                        uint8_t format)
{
    bool has_body = v->body && v->body->len > 0;
    bool has_past = v->past.n > (format & OWN_PAST ? 1 : 0);

    nwr_assert((v->flags & ~FLAGS) == 0);
    out_dot(o, actors, v->dot);
    nwr_out_u64(o, v->hlc);
    nwr_out_u64(o, v->wid);
    nwr_out_var(o, v->k);
    nwr_out_var(o, v->uid);
    nwr_out_u8(o, (uint8_t)(v->flags | (v->ref ? HAS_REF : 0) | (has_past ? HAS_PAST : 0) |
                            (has_body ? HAS_BODY : 0) | (v->nblocks ? HAS_BLOCKS : 0)));
    if (v->ref)
        nwr_out_u64(o, v->ref);
    if (has_past)
        out_past(o, actors, v, format);
    if (has_body)
        nwr_out_bytes(o, v->body->data, v->body->len);
    if (v->nblocks)
        nwr_out_var(o, v->nblocks);
    for (uint32_t i = 0; i < v->nblocks; i++) {
        nwr_out_u64(o, v->blocks[i].ino);
        nwr_out_u64(o, v->blocks[i].wid);
        nwr_out_var(o, v->blocks[i].number);
    }
    if (format == FORMAT)
        return;
    nwr_out_var(o, v->nbase);
    for (uint32_t i = 0; i < v->nbase; i++)
        out_dot(o, actors, v->base[i]);
}

/* ---- which format -------------------------------------------------------------------------- */

static bool is_folded(const struct nwr_record *r)
{
    bool folded = r->ctx.vv.n == 0 && r->ctx.dots.n == r->n;

    for (uint32_t i = 0; folded && i < r->n; i++)
        folded = nwr_dot_cmp(r->ctx.dots.e[i], r->v[i].dot) == 0;
    return folded;
}

static bool has_own_past(const struct nwr_version *v)
{
    for (uint32_t i = 0; i < v->past.n; i++)
        if (is_own(v, i))
            return true;
    return false;
}

static uint8_t format_of(const struct nwr_record *r)
{
    bool bases = r->nkept > 0, own = true;

    for (uint32_t i = 0; i < r->n; i++)
        bases |= r->v[i].nbase > 0;
    if (!bases)
        return FORMAT;
    for (uint32_t i = 0; i < r->n + r->nkept; i++)
        own &= has_own_past(nwr_record_stored(r, i));
    return (uint8_t)(FORMAT_BASES | (is_folded(r) ? FOLDED : 0) | (own ? OWN_PAST : 0));
}

void nwr_record_encode(const struct nwr_record *r, struct nwr_out *o)
{
    struct nwr_vv actors = {0};
    uint8_t format = format_of(r);

    note_actors(&actors, &r->ctx.vv);
    note_actors(&actors, &r->ctx.dots);
    for (uint32_t i = 0; i < r->n + r->nkept; i++) /* every dot of v is in the context */
        note_version(&actors, nwr_record_stored(r, i), i >= r->n);
    nwr_out_u8(o, format);
    out_actors(o, &actors);
    if (!(format & FOLDED)) {
        out_dots(o, &actors, &r->ctx.vv);
        out_dots(o, &actors, &r->ctx.dots);
    }
    nwr_out_var(o, r->n);
    for (uint32_t i = 0; i < r->n; i++)
        out_version(o, &actors, &r->v[i], format);
    nwr_out_var(o, r->nretired);
    for (uint32_t i = 0; i < r->nretired; i++)
        nwr_out_u64(o, r->retired[i]);
    if (format != FORMAT)
        nwr_out_var(o, r->nkept);
    for (uint32_t i = 0; i < r->nkept; i++)
        out_version(o, &actors, &r->kept[i], format);
    nwr_vv_deinit(&actors);
}

/* ---- in ------------------------------------------------------------------------------------ */

/* Into `few` where there is room: most records have few actors, and most decoding is of those. */
static void in_actors(struct nwr_in *i, struct nwr_vv *actors, struct nwr_dot few[ACTORS_FEW])
{
    uint32_t n = nwr_in_count(i, ACTOR_MIN);

    if (n == 0)
        return;
    actors->e = n <= ACTORS_FEW ? few : nwr_alloc(n * sizeof(*actors->e));
    actors->cap = n;
    for (; actors->n < n; actors->n++) {
        uint64_t high = nwr_in_var(i);
        nwr_actor a = high << 32 | nwr_in_u32(i);

        i->bad |= high > UINT16_MAX || (actors->n && a <= actors->e[actors->n - 1].actor);
        if (i->bad)
            return;
        actors->e[actors->n] = (struct nwr_dot){a, 0};
    }
}

static struct nwr_dot in_dot(struct nwr_in *i, const struct nwr_vv *actors)
{
    uint64_t index = nwr_in_var(i);
    struct nwr_dot d = {0, nwr_in_var(i)};

    i->bad |= index >= actors->n || d.counter == 0;
    if (!i->bad)
        d.actor = actors->e[index].actor;
    return d;
}

/* one_each: a vector, with one entry an actor. */
static void in_dots(struct nwr_in *i, const struct nwr_vv *actors, bool one_each,
                    struct nwr_vv *dots)
{
    uint32_t n = nwr_in_count(i, DOT_MIN);

    if (n == 0)
        return;
    dots->e = nwr_alloc(n * sizeof(*dots->e));
    dots->cap = n;
    for (; dots->n < n; dots->n++) {
        struct nwr_dot d = in_dot(i, actors);
        const struct nwr_dot *last = dots->n ? &dots->e[dots->n - 1] : NULL;

        i->bad |= last && (nwr_dot_cmp(*last, d) >= 0 || (one_each && last->actor == d.actor));
        if (i->bad)
            return;
        dots->e[dots->n] = d;
    }
}

static void in_ctx(struct nwr_in *i, const struct nwr_vv *actors, struct nwr_ctx *c)
{
    in_dots(i, actors, true, &c->vv);
    in_dots(i, actors, false, &c->dots);
    for (uint32_t j = 0; j < c->dots.n; j++)
        i->bad |= nwr_vv_get(&c->vv, c->dots.e[j].actor) >= c->dots.e[j].counter;
}

static uint32_t in_var32(struct nwr_in *i)
{
    uint64_t v = nwr_in_var(i);

    i->bad |= v > UINT32_MAX;
    return (uint32_t)v;
}

static void in_body(struct nwr_in *i, struct nwr_version *v)
{
    size_t len;
    const uint8_t *p = nwr_in_bytes(i, &len);

    i->bad |= len == 0 || len > UINT32_MAX;
    if (!i->bad)
        v->body = nwr_blob_copy(p, len);
}

static void in_blocks(struct nwr_in *i, struct nwr_version *v)
{
    uint32_t n = nwr_in_count(i, BLOCK_MIN);

    i->bad |= n == 0;
    if (i->bad)
        return;
    v->blocks = nwr_alloc(n * sizeof(*v->blocks));
    v->nblocks = n;
    for (uint32_t j = 0; j < n; j++) {
        struct nwr_block_id *id = &v->blocks[j];

        memset(id, 0, sizeof(*id));
        id->ino = nwr_in_u64(i);
        id->wid = nwr_in_u64(i);
        id->number = in_var32(i);
    }
}

/* The version's own dot is added. */
static void in_past(struct nwr_in *i, const struct nwr_vv *actors, uint8_t format, bool has,
                    struct nwr_version *v)
{
    if (has) {
        in_dots(i, actors, true, &v->past);
        i->bad |= v->past.n == 0;
    }
    if (format & OWN_PAST && !i->bad) {
        i->bad |= nwr_vv_get(&v->past, v->dot.actor) > 0;
        nwr_vv_raise(&v->past, v->dot);
    }
}

static void in_bases(struct nwr_in *i, const struct nwr_vv *actors, struct nwr_version *v)
{
    uint32_t n = nwr_in_count(i, DOT_MIN);

    i->bad |= n > NWR_BASES_MAX;
    for (; !i->bad && v->nbase < n; v->nbase++)
        v->base[v->nbase] = in_dot(i, actors);
}

static void in_version(struct nwr_in *i, const struct nwr_vv *actors, uint8_t format,
                       struct nwr_version *v)
{
    uint8_t bits;

    memset(v, 0, sizeof(*v));
    v->dot = in_dot(i, actors);
    v->hlc = nwr_in_u64(i);
    v->wid = nwr_in_u64(i);
    v->k = nwr_in_var(i);
    v->uid = in_var32(i);
    bits = nwr_in_u8(i);
    v->flags = bits & FLAGS;
    i->bad |= (bits & ~(FLAGS | HAS_REF | HAS_PAST | HAS_BODY | HAS_BLOCKS)) != 0;
    if (bits & HAS_REF) {
        v->ref = nwr_in_u64(i);
        i->bad |= v->ref == 0;
    }
    in_past(i, actors, format, bits & HAS_PAST, v);
    if (bits & HAS_BODY)
        in_body(i, v);
    if (bits & HAS_BLOCKS)
        in_blocks(i, v);
    if (format != FORMAT)
        in_bases(i, actors, v);
}

/* Ascending; gives how many, and allocates. */
static struct nwr_version *in_list(struct nwr_in *i, const struct nwr_vv *actors, uint8_t format,
                                   uint32_t *got)
{
    uint32_t n = nwr_in_count(i, VERSION_MIN);
    struct nwr_version *list = n ? nwr_alloc(n * sizeof(*list)) : NULL;

    *got = 0;
    while (!i->bad && *got < n) {
        struct nwr_version *v = &list[(*got)++];

        in_version(i, actors, format, v);
        i->bad |= *got > 1 && nwr_dot_cmp(v[-1].dot, v->dot) >= 0;
    }
    return list;
}

static void in_versions(struct nwr_in *i, const struct nwr_vv *actors, uint8_t format,
                        struct nwr_record *r)
{
    r->v = in_list(i, actors, format, &r->n);
    r->cap = r->n;
    for (uint32_t j = 0; format & FOLDED && !i->bad && j < r->n; j++)
        nwr_ctx_add(&r->ctx, r->v[j].dot);
    for (uint32_t j = 0; !i->bad && j < r->n; j++)
        i->bad |= !nwr_ctx_has(&r->ctx, r->v[j].dot);
}

/* Nothing is kept that no version names. */
static void in_kept(struct nwr_in *i, const struct nwr_vv *actors, uint8_t format,
                    struct nwr_record *r)
{
    r->kept = in_list(i, actors, format, &r->nkept);
    r->capkept = r->nkept;
    i->bad |= !i->bad && nwr_record_prune_kept(r);
}

static void in_retired(struct nwr_in *i, struct nwr_record *r)
{
    uint32_t n = nwr_in_count(i, WID_MIN);

    if (n == 0)
        return;
    r->retired = nwr_alloc(n * sizeof(*r->retired));
    r->capretired = n;
    while (!i->bad && r->nretired < n) {
        nwr_wid wid = nwr_in_u64(i);

        i->bad |= wid <= (r->nretired ? r->retired[r->nretired - 1] : 0);
        r->retired[r->nretired++] = wid;
    }
}

static bool has_retired(const struct nwr_record *r)
{
    for (uint32_t i = 0; i < r->n; i++) {
        uint32_t lo = 0, hi = r->nretired;

        while (lo < hi) {
            uint32_t mid = lo + (hi - lo) / 2;

            if (r->retired[mid] < r->v[i].wid)
                lo = mid + 1;
            else
                hi = mid;
        }
        if (lo < r->nretired && r->retired[lo] == r->v[i].wid)
            return true;
    }
    return false;
}

enum nwr_err nwr_record_decode(struct nwr_record *r, const void *data, size_t len)
{
    struct nwr_in in = nwr_in_of(data, len);
    uint8_t format = nwr_in_u8(&in);
    struct nwr_record got = {0};
    struct nwr_dot few[ACTORS_FEW];
    struct nwr_vv actors = {0};
    enum nwr_err err = NWR_E_FORMAT;

    if (format != FORMAT && (format & ~(FOLDED | OWN_PAST)) != FORMAT_BASES)
        return NWR_E_FORMAT;
    in_actors(&in, &actors, few);
    if (!(format & FOLDED))
        in_ctx(&in, &actors, &got.ctx);
    in_versions(&in, &actors, format, &got);
    in_retired(&in, &got);
    if (format != FORMAT)
        in_kept(&in, &actors, format, &got);
    if (nwr_in_done(&in) && !has_retired(&got)) {
        *r = got;
        memset(&got, 0, sizeof(got));
        err = NWR_OK;
    }
    if (actors.e != few)
        nwr_vv_deinit(&actors);
    nwr_record_deinit(&got);
    return err;
}
