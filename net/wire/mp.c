/* mp.c -- see mp.h; the format is https://github.com/msgpack/msgpack/blob/master/spec.md. */
#include "net/wire/mp.h"

enum {
    NIL = 0xc0,
    BIN8 = 0xc4,
    UINT8 = 0xcc,
    STR8 = 0xd9,
    ARRAY16 = 0xdc
};

static void put_be(struct nwr_out *o, uint8_t tag, uint64_t v, unsigned bytes)
{
    nwr_out_u8(o, tag);
    while (bytes--)
        nwr_out_u8(o, (uint8_t)(v >> (8 * bytes)));
}

void nwr_mp_put_nil(struct nwr_out *o)
{
    nwr_out_u8(o, NIL);
}

void nwr_mp_put_uint(struct nwr_out *o, uint64_t v)
{
    if (v < 0x80)
        nwr_out_u8(o, (uint8_t)v);
    else if (v <= UINT8_MAX)
        put_be(o, UINT8, v, 1);
    else if (v <= UINT16_MAX)
        put_be(o, UINT8 + 1, v, 2);
    else if (v <= UINT32_MAX)
        put_be(o, UINT8 + 2, v, 4);
    else
        put_be(o, UINT8 + 3, v, 8);
}

void nwr_mp_put_array(struct nwr_out *o, uint32_t n)
{
    if (n < 16)
        nwr_out_u8(o, (uint8_t)(0x90 | n));
    else if (n <= UINT16_MAX)
        put_be(o, ARRAY16, n, 2);
    else
        put_be(o, ARRAY16 + 1, n, 4);
}

static void put_sized(struct nwr_out *o, uint8_t tag8, uint32_t len)
{
    if (len <= UINT8_MAX)
        put_be(o, tag8, len, 1);
    else if (len <= UINT16_MAX)
        put_be(o, (uint8_t)(tag8 + 1), len, 2);
    else
        put_be(o, (uint8_t)(tag8 + 2), len, 4);
}

void nwr_mp_put_str(struct nwr_out *o, const char *s, uint32_t len)
{
    if (len < 32)
        nwr_out_u8(o, (uint8_t)(0xa0 | len));
    else
        put_sized(o, STR8, len);
    nwr_out_raw(o, s, len);
}

void nwr_mp_put_bin(struct nwr_out *o, uint32_t len)
{
    put_sized(o, BIN8, len);
}

static uint64_t get_be(struct nwr_in *in, unsigned bytes)
{
    const uint8_t *p = nwr_in_raw(in, bytes);
    uint64_t v = 0;

    for (unsigned i = 0; p && i < bytes; i++)
        v = v << 8 | p[i];
    return v;
}

bool nwr_mp_uint(struct nwr_in *in, uint64_t *v)
{
    uint8_t tag = nwr_in_u8(in);

    if (in->bad || (tag >= 0x80 && (tag < UINT8 || tag > UINT8 + 3)))
        return false;
    *v = tag < 0x80 ? tag : get_be(in, 1U << (tag - UINT8));
    return !in->bad;
}

bool nwr_mp_array(struct nwr_in *in, uint32_t *n)
{
    uint8_t tag = nwr_in_u8(in);

    if (in->bad)
        return false;
    if ((tag & 0xf0) == 0x90)
        *n = tag & 0x0f;
    else if (tag == ARRAY16 || tag == ARRAY16 + 1)
        *n = (uint32_t)get_be(in, tag == ARRAY16 ? 2 : 4);
    else
        return false;
    return !in->bad;
}

static bool get_sized(struct nwr_in *in, uint8_t tag, uint8_t tag8, const uint8_t **p,
                      uint32_t *len)
{
    if (tag < tag8 || tag > tag8 + 2)
        return false;
    *len = (uint32_t)get_be(in, 1U << (tag - tag8));
    *p = nwr_in_raw(in, *len);
    return !in->bad;
}

bool nwr_mp_str(struct nwr_in *in, const uint8_t **s, uint32_t *len)
{
    uint8_t tag = nwr_in_u8(in);

    if (in->bad)
        return false;
    if ((tag & 0xe0) != 0xa0)
        return get_sized(in, tag, STR8, s, len);
    *len = tag & 0x1f;
    *s = nwr_in_raw(in, *len);
    return !in->bad;
}

bool nwr_mp_bin(struct nwr_in *in, const uint8_t **data, uint32_t *len)
{
    uint8_t tag = nwr_in_u8(in);

    return !in->bad && get_sized(in, tag, BIN8, data, len);
}

bool nwr_mp_nil(struct nwr_in *in)
{
    if (in->bad || in->p == in->end || *in->p != NIL)
        return false;
    in->p++;
    return true;
}
