/* view_name.c -- names of siblings: the last .conflict. and a canonical decimal (DESIGN 9). */
#include "fs/core/view_slots.h"

enum {
    HASH_DIGITS = 8
};

static size_t put_digits(char *out, uint64_t v, uint64_t base, size_t least)
{
    static const char digit[] = "0123456789abcdef";
    char text[24];
    size_t n = 0;

    do {
        text[n++] = digit[v % base];
        v /= base;
    } while (v || n < least);
    for (size_t i = 0; i < n; i++)
        out[i] = text[n - 1 - i];
    return n;
}

static size_t cut_utf8(const char *s, size_t len)
{
    while (len && ((unsigned char)s[len] & 0xc0) == 0x80)
        len--;
    return len;
}

uint16_t nwr_numbered_name(char *out, const char *base, size_t len, const char *suffix, uint64_t k)
{
    char number[20];
    size_t digits = put_digits(number, k, 10, 1);
    size_t room = NWR_NAME_MAX - strlen(suffix) - digits, n = len;

    if (len > room)
        n = cut_utf8(base, room - 1 - HASH_DIGITS);
    memcpy(out, base, n);
    if (len > room) {
        out[n++] = '~';
        n += put_digits(out + n, nwr_hash64(base, len, 0) >> 32, 16, HASH_DIGITS);
    }
    memcpy(out + n, suffix, strlen(suffix));
    n += strlen(suffix);
    memcpy(out + n, number, digits);
    n += digits;
    out[n] = 0;
    return (uint16_t)n;
}

uint16_t nwr_sibling_name(char *out, const char *base, size_t len, uint64_t k)
{
    return nwr_numbered_name(out, base, len, NWR_SIBLING, k);
}

size_t nwr_sibling_base(const char *name, size_t len)
{
    size_t digits = 0, suffix = strlen(NWR_SIBLING);

    while (digits < len && name[len - digits - 1] >= '0' && name[len - digits - 1] <= '9')
        digits++;
    if (digits == 0 || digits > 20 || len <= digits + suffix || name[len - digits] == '0' ||
        memcmp(name + len - digits - suffix, NWR_SIBLING, suffix) != 0)
        return 0;
    return len - digits - suffix;
}

bool nwr_sibling_cut(const char *base, size_t len)
{
    if (len < NWR_NAME_MAX - 34 || base[len - HASH_DIGITS - 1] != '~')
        return false;
    for (size_t i = len - HASH_DIGITS; i < len; i++)
        if (!(base[i] >= '0' && base[i] <= '9') && !(base[i] >= 'a' && base[i] <= 'f'))
            return false;
    return true;
}
