/* text.c -- see text.h. */
#include "net/core/text.h"

void nwr_text(struct nwr_out *o, const char *s)
{
    nwr_out_raw(o, s, strlen(s));
}

void nwr_text_u64(struct nwr_out *o, uint64_t v)
{
    char digits[20];
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    nwr_out_raw(o, digits + at, sizeof(digits) - at);
}

static void hex(struct nwr_out *o, uint64_t v, int digits)
{
    for (int i = digits - 1; i >= 0; i--)
        nwr_out_u8(o, (uint8_t) "0123456789abcdef"[v >> (4 * i) & 15]);
}

void nwr_text_hex(struct nwr_out *o, uint64_t v)
{
    nwr_out_u8(o, '"');
    hex(o, v, 16);
    nwr_out_u8(o, '"');
}

void nwr_text_string(struct nwr_out *o, const char *s)
{
    nwr_out_u8(o, '"');
    for (; *s; s++) {
        uint8_t c = (uint8_t)*s;

        if (c == '"' || c == '\\') {
            nwr_out_u8(o, '\\');
            nwr_out_u8(o, c);
        } else if (c < 0x20) {
            nwr_text(o, "\\u00");
            hex(o, c, 2);
        } else {
            nwr_out_u8(o, c);
        }
    }
    nwr_out_u8(o, '"');
}

void nwr_text_name(struct nwr_out *o, const char *name)
{
    if (o->len && o->data[o->len - 1] != '{')
        nwr_out_u8(o, ',');
    nwr_text_string(o, name);
    nwr_out_u8(o, ':');
}

void nwr_text_field(struct nwr_out *o, const char *name, uint64_t v)
{
    nwr_text_name(o, name);
    nwr_text_u64(o, v);
}

void nwr_text_field_string(struct nwr_out *o, const char *name, const char *s)
{
    nwr_text_name(o, name);
    nwr_text_string(o, s);
}
