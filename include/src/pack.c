/* pack.c -- see nwr/pack.h. */
#include "nwr/pack.h"

static uint8_t *out_room(struct nwr_out *o, size_t len)
{
    uint8_t *p;

    nwr_assert(len < UINT32_MAX / 4);
    if (o->len + len > o->cap)
        o->data = nwr_grow(o->data, &o->cap, (uint32_t)(o->len + len), 1);
    p = o->data + o->len;
    o->len += (uint32_t)len;
    return p;
}

void nwr_out_u8(struct nwr_out *o, uint8_t v)
{
    *out_room(o, 1) = v;
}

void nwr_out_u16(struct nwr_out *o, uint16_t v)
{
    uint8_t *p = out_room(o, 2);

    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static void put32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
    p[2] = (uint8_t)(v >> 16);
    p[3] = (uint8_t)(v >> 24);
}

void nwr_out_u32(struct nwr_out *o, uint32_t v)
{
    put32(out_room(o, 4), v);
}

void nwr_out_u64(struct nwr_out *o, uint64_t v)
{
    uint8_t *p = out_room(o, 8);

    put32(p, (uint32_t)v);
    put32(p + 4, (uint32_t)(v >> 32));
}

void nwr_out_var(struct nwr_out *o, uint64_t v)
{
    while (v >= 0x80) {
        nwr_out_u8(o, (uint8_t)(v | 0x80));
        v >>= 7;
    }
    nwr_out_u8(o, (uint8_t)v);
}

void nwr_out_raw(struct nwr_out *o, const void *data, size_t len)
{
    if (len)
        memcpy(out_room(o, len), data, len);
}

void nwr_out_bytes(struct nwr_out *o, const void *data, size_t len)
{
    nwr_out_var(o, len);
    nwr_out_raw(o, data, len);
}

struct nwr_blob *nwr_out_blob(struct nwr_out *o)
{
    struct nwr_blob *b = nwr_blob_copy(o->data, o->len);

    nwr_out_free(o);
    return b;
}

void nwr_out_free(struct nwr_out *o)
{
    nwr_free(o->data);
    *o = (struct nwr_out){0};
}

const uint8_t *nwr_in_raw(struct nwr_in *i, size_t len)
{
    const uint8_t *p = i->p;

    if (i->bad || (size_t)(i->end - i->p) < len) {
        i->bad = true;
        return NULL;
    }
    i->p += len;
    return p;
}

uint8_t nwr_in_u8(struct nwr_in *i)
{
    if (i->bad || i->p == i->end) {
        i->bad = true;
        return 0;
    }
    return *i->p++;
}

uint16_t nwr_in_u16(struct nwr_in *i)
{
    const uint8_t *p = nwr_in_raw(i, 2);

    return p ? (uint16_t)(p[0] | p[1] << 8) : 0;
}

static uint32_t le32(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

uint32_t nwr_in_u32(struct nwr_in *i)
{
    const uint8_t *p = nwr_in_raw(i, 4);

    return p ? le32(p) : 0;
}

uint64_t nwr_in_u64(struct nwr_in *i)
{
    const uint8_t *p = nwr_in_raw(i, 8);

    return p ? le32(p) | (uint64_t)le32(p + 4) << 32 : 0;
}

uint64_t nwr_in_var(struct nwr_in *i)
{
    uint64_t v = 0;

    if (!i->bad && i->p < i->end && *i->p < 0x80) /* nearly all are small */
        return *i->p++;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t b = nwr_in_u8(i);

        if (shift == 63 && b > 1)
            break;
        v |= (uint64_t)(b & 0x7f) << shift;
        if (!(b & 0x80))
            return i->bad ? 0 : v;
    }
    i->bad = true;
    return 0;
}

uint32_t nwr_in_count(struct nwr_in *i, size_t item_min)
{
    uint64_t n = nwr_in_var(i);
    uint64_t left = (uint64_t)(i->end - i->p);

    nwr_assert(item_min > 0);
    if (i->bad || n > left / item_min) {
        i->bad = true;
        return 0;
    }
    return (uint32_t)n;
}

const uint8_t *nwr_in_bytes(struct nwr_in *i, size_t *len)
{
    uint64_t n = nwr_in_var(i);

    *len = 0;
    if (i->bad || n > (uint64_t)(i->end - i->p)) {
        i->bad = true;
        return NULL;
    }
    *len = (size_t)n;
    return nwr_in_raw(i, (size_t)n);
}

bool nwr_in_done(const struct nwr_in *i)
{
    return !i->bad && i->p == i->end;
}
