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
    nwr_out_u64(&o, a->policy_hlc);
    return nwr_out_blob(&o);
}

static void get_policy(struct nwr_policy *p, struct nwr_in *in)
{
    p->w = nwr_in_u8(in);
    p->r = nwr_in_u8(in);
    p->reject = nwr_in_u8(in);
    p->hide = nwr_in_u8(in);
    p->durability = nwr_in_u8(in);
    if (p->w > NWR_REPLICAS_MAX || p->r > NWR_REPLICAS_MAX || p->durability > 2)
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

struct nwr_blob *nwr_content_encode(const struct nwr_content *c)
{
    struct nwr_out o = {0};

    nwr_out_u8(&o, BODY_FORMAT);
    nwr_out_u64(&o, c->home);
    nwr_out_u64(&o, c->line.dot.actor);
    nwr_out_var(&o, c->line.dot.counter);
    nwr_out_u64(&o, c->line.hlc);
    nwr_out_var(&o, c->line.k);
    nwr_out_u64(&o, c->mtime);
    nwr_map_encode(&c->map, &o);
    return nwr_out_blob(&o);
}

enum nwr_err nwr_content_decode(struct nwr_content *c, const struct nwr_version *v)
{
    enum nwr_err err;
    struct nwr_in in;

    *c = (struct nwr_content){0};
    if (!v->body)
        return NWR_E_FORMAT;
    in = nwr_in_of(v->body->data, v->body->len);
    if (nwr_in_u8(&in) != BODY_FORMAT)
        return NWR_E_FORMAT;
    c->home = nwr_in_u64(&in);
    c->line.dot.actor = nwr_in_u64(&in);
    c->line.dot.counter = nwr_in_var(&in);
    c->line.hlc = nwr_in_u64(&in);
    c->line.k = (uint32_t)nwr_in_var(&in);
    c->mtime = nwr_in_u64(&in);
    err = nwr_map_decode(&c->map, &in);
    if (err == NWR_OK && !nwr_in_done(&in)) {
        nwr_map_deinit(&c->map);
        err = NWR_E_FORMAT;
    }
    if (err != NWR_OK)
        return *c = (struct nwr_content){0}, err;
    if (c->line.dot.counter == 0)
        c->line = (struct nwr_line){v->dot, v->hlc, v->k};
    return NWR_OK;
}

void nwr_content_deinit(struct nwr_content *c)
{
    nwr_map_deinit(&c->map);
}
