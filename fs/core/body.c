/* body.c -- bodies of attributes and contents; see body.h. */
#include "fs/core/body.h"

#define BODY_FORMAT 1

static void put_stamped(struct nwr_out *o, struct nwr_stamped s)
{
    nwr_out_var(o, s.value);
    nwr_out_u64(o, s.hlc);
}

static struct nwr_stamped get_stamped(struct nwr_in *in)
{
    struct nwr_stamped s;

    s.value = nwr_in_var(in);
    s.hlc = nwr_in_u64(in);
    return s;
}

struct nwr_blob *nwr_attr_encode(const struct nwr_attr *a)
{
    struct nwr_out o = {0};

    nwr_out_u8(&o, BODY_FORMAT);
    nwr_out_u8(&o, a->type);
    nwr_out_var(&o, a->rdev);
    nwr_out_bytes(&o, a->symlink ? a->symlink : "", a->symlink ? strlen(a->symlink) : 0);
    nwr_out_u64(&o, a->btime);
    put_stamped(&o, a->mode);
    nwr_out_u16(&o, a->mode_base);
    put_stamped(&o, a->uid);
    put_stamped(&o, a->gid);
    put_stamped(&o, a->atime);
    put_stamped(&o, a->ctime);
    put_stamped(&o, a->mtime);
    nwr_out_u64(&o, a->mtime_of);
    nwr_out_u8(&o, a->policy.w);
    nwr_out_u8(&o, a->policy.r);
    nwr_out_u8(&o, a->policy.reject);
    nwr_out_u8(&o, a->policy.hide);
    nwr_out_u8(&o, a->policy.durability);
    nwr_out_u8(&o, a->policy.sloppy);
    nwr_out_u64(&o, a->policy_hlc);
    if (a->mode_over)
        nwr_out_u64(&o, a->mode_over);
    return nwr_out_blob(&o);
}

static void get_policy(struct nwr_policy *p, struct nwr_in *in)
{
    p->w = nwr_in_u8(in);
    p->r = nwr_in_u8(in);
    p->reject = nwr_in_u8(in);
    p->hide = nwr_in_u8(in);
    p->durability = nwr_in_u8(in);
    p->sloppy = nwr_in_u8(in);
    if (p->w > NWR_REPLICAS_MAX || p->r > NWR_REPLICAS_MAX || p->durability > 2 || p->sloppy > 1)
        in->bad = true;
}

enum nwr_err nwr_attr_decode(struct nwr_attr *a, const struct nwr_blob *body)
{
    const uint8_t *text;
    size_t len = 0;
    struct nwr_in in;

    *a = (struct nwr_attr){0};
    if (!body)
        return NWR_E_FORMAT;
    in = nwr_in_of(body->data, body->len);
    if (nwr_in_u8(&in) != BODY_FORMAT)
        return NWR_E_FORMAT;
    a->type = nwr_in_u8(&in);
    a->rdev = (uint32_t)nwr_in_var(&in);
    text = nwr_in_bytes(&in, &len);
    a->btime = nwr_in_u64(&in);
    a->mode = get_stamped(&in);
    a->mode_base = nwr_in_u16(&in);
    a->uid = get_stamped(&in);
    a->gid = get_stamped(&in);
    a->atime = get_stamped(&in);
    a->ctime = get_stamped(&in);
    a->mtime = get_stamped(&in);
    a->mtime_of = nwr_in_u64(&in);
    get_policy(&a->policy, &in);
    a->policy_hlc = nwr_in_u64(&in);
    if (!nwr_in_done(&in))
        a->mode_over = nwr_in_u64(&in);
    if (!nwr_in_done(&in) || a->type < NWR_TYPE_REG || a->type > NWR_TYPE_BLK ||
        len > NWR_SYMLINK_MAX || (len && memchr(text, 0, len)))
        return *a = (struct nwr_attr){0}, NWR_E_FORMAT;
    if (len) {
        a->symlink = nwr_zalloc(len + 1);
        memcpy(a->symlink, text, len);
    }
    return NWR_OK;
}

void nwr_attr_deinit(struct nwr_attr *a)
{
    nwr_free(a->symlink);
    a->symlink = NULL;
}

void nwr_attr_set_mode(struct nwr_attr *a, uint32_t mode)
{
    a->mode_base = (uint16_t)a->mode.value;
    a->mode_over = a->mode.hlc;
    a->mode = (struct nwr_stamped){mode, 0};
}

/* ---- content -------------------------------------------------------------------------------- */

enum {
    CONTENT_LINE = 1,
    CONTENT_UNLINKED = 2
};

static void put_dot(struct nwr_out *o, struct nwr_dot d)
{
    nwr_out_u64(o, d.actor);
    nwr_out_var(o, d.counter);
}

static struct nwr_dot get_dot(struct nwr_in *in)
{
    struct nwr_dot d;

    d.actor = nwr_in_u64(in);
    d.counter = nwr_in_var(in);
    return d;
}

struct nwr_blob *nwr_content_encode(const struct nwr_content *c)
{
    struct nwr_out o = {0};

    nwr_out_u8(&o, BODY_FORMAT);
    nwr_out_u8(&o,
               (uint8_t)((c->line.wid ? CONTENT_LINE : 0) | (c->unlinked ? CONTENT_UNLINKED : 0)));
    if (c->line.wid) {
        nwr_out_u64(&o, c->line.wid);
        put_dot(&o, c->line.dot);
        nwr_out_u64(&o, c->line.hlc);
        nwr_out_var(&o, c->line.k);
    }
    nwr_out_u64(&o, c->mtime);
    nwr_out_u64(&o, c->sum);
    nwr_map_encode(&c->map, &o);
    return nwr_out_blob(&o);
}

struct nwr_line nwr_line_of(const struct nwr_version *v)
{
    return (struct nwr_line){v->wid, v->dot, v->hlc, v->k};
}

static void get_line(struct nwr_line *line, struct nwr_in *in)
{
    line->wid = nwr_in_u64(in);
    line->dot = get_dot(in);
    line->hlc = nwr_in_u64(in);
    line->k = nwr_in_var(in);
    in->bad |= line->wid == 0;
}

static enum nwr_err get_head(struct nwr_content *c, const struct nwr_version *v, struct nwr_in *in)
{
    uint8_t flags;

    *c = (struct nwr_content){0};
    if (!v->body)
        return NWR_E_FORMAT;
    *in = nwr_in_of(v->body->data, v->body->len);
    if (nwr_in_u8(in) != BODY_FORMAT)
        return NWR_E_FORMAT;
    flags = nwr_in_u8(in);
    c->line = nwr_line_of(v);
    c->unlinked = flags & CONTENT_UNLINKED;
    if (flags & CONTENT_LINE)
        get_line(&c->line, in);
    c->mtime = nwr_in_u64(in);
    c->sum = nwr_in_u64(in);
    return in->bad ? NWR_E_FORMAT : NWR_OK;
}

enum nwr_err nwr_content_head(struct nwr_content *c, const struct nwr_version *v)
{
    struct nwr_in in;
    enum nwr_err err = get_head(c, v, &in);

    if (err != NWR_OK)
        *c = (struct nwr_content){0};
    return err;
}

enum nwr_err nwr_content_decode(struct nwr_content *c, const struct nwr_version *v)
{
    struct nwr_in in;
    enum nwr_err err = get_head(c, v, &in);

    if (err == NWR_OK)
        err = nwr_map_decode(&c->map, &in);
    if (err == NWR_OK && !nwr_in_done(&in)) {
        nwr_map_deinit(&c->map);
        err = NWR_E_FORMAT;
    }
    if (err != NWR_OK)
        *c = (struct nwr_content){0};
    return err;
}

void nwr_content_deinit(struct nwr_content *c)
{
    nwr_map_deinit(&c->map);
}

bool nwr_content_same(const struct nwr_version *a, const struct nwr_version *b)
{
    struct nwr_content ca, cb;
    struct nwr_in ia, ib;
    size_t la, lb;

    if (a->wid == b->wid)
        return true;
    if (get_head(&ca, a, &ia) != NWR_OK || get_head(&cb, b, &ib) != NWR_OK)
        return false;
    la = (size_t)(ia.end - ia.p);
    lb = (size_t)(ib.end - ib.p);
    if (la == lb && memcmp(ia.p, ib.p, la) == 0)
        return true;
    if (!ca.sum || ca.sum != cb.sum || nwr_content_decode(&ca, a) != NWR_OK)
        return false;
    if (nwr_content_decode(&cb, b) != NWR_OK)
        cb.map.size = ~ca.map.size;
    la = ca.map.size;
    lb = cb.map.size;
    nwr_content_deinit(&ca);
    nwr_content_deinit(&cb);
    return la == lb;
}
