/* key.c -- see nwr/key.h. */
#include "nwr/key.h"

static void put_be(struct nwr_key *k, uint64_t v, int bytes)
{
    nwr_assert(k->len + bytes <= NWR_KEY_MAX);
    for (int i = bytes - 1; i >= 0; i--)
        k->b[k->len++] = (uint8_t)(v >> (8 * i));
}

static void put_name(struct nwr_key *k, const char *name, size_t len)
{
    nwr_assert(k->len + len <= NWR_KEY_MAX);
    if (len)
        memcpy(k->b + k->len, name, len);
    k->len = (uint16_t)(k->len + len);
}

static struct nwr_key start(char kind, nwr_ino ino)
{
    struct nwr_key k;

    memset(&k, 0, sizeof(k));
    put_be(&k, nwr_ino_pg(ino), 2);
    put_be(&k, (uint8_t)kind, 1);
    put_be(&k, ino, 8);
    return k;
}

struct nwr_key nwr_key_entries(nwr_ino parent)
{
    return start('E', parent);
}

struct nwr_key nwr_key_entry(nwr_ino parent, const char *name, size_t len)
{
    struct nwr_key k = start('E', parent);

    put_name(&k, name, len);
    return k;
}

struct nwr_key nwr_key_besides(nwr_ino parent, const char *name, size_t len)
{
    struct nwr_key k = nwr_key_entry(parent, name, len);

    put_be(&k, 0, 1);
    return k;
}

struct nwr_key nwr_key_beside(nwr_ino parent, const char *name, size_t len, nwr_ino ino)
{
    struct nwr_key k = nwr_key_besides(parent, name, len);

    put_be(&k, ino, 8);
    return k;
}

struct nwr_key nwr_key_object(nwr_ino ino)
{
    return start('I', ino);
}

struct nwr_key nwr_key_reg(nwr_ino ino, enum nwr_reg reg)
{
    struct nwr_key k = start('I', ino);

    put_be(&k, reg, 1);
    return k;
}

struct nwr_key nwr_key_link(nwr_ino ino, nwr_ino parent, const char *name, size_t len)
{
    struct nwr_key k = nwr_key_reg(ino, NWR_REG_LINK);

    put_be(&k, parent, 8);
    put_name(&k, name, len);
    return k;
}

struct nwr_key nwr_key_xattr(nwr_ino ino, const char *name, size_t len)
{
    struct nwr_key k = nwr_key_reg(ino, NWR_REG_XATTR);

    put_name(&k, name, len);
    return k;
}

int nwr_key_cmp(const struct nwr_key *a, const struct nwr_key *b)
{
    int c = memcmp(a->b, b->b, NWR_MIN(a->len, b->len));

    return c ? c : (a->len > b->len) - (a->len < b->len);
}

bool nwr_key_has_prefix(const struct nwr_key *k, const struct nwr_key *prefix)
{
    return k->len >= prefix->len && memcmp(k->b, prefix->b, prefix->len) == 0;
}

static uint64_t get_be(const uint8_t *p, int bytes)
{
    uint64_t v = 0;

    for (int i = 0; i < bytes; i++)
        v = v << 8 | p[i];
    return v;
}

nwr_pg nwr_key_pg(const struct nwr_key *k)
{
    return k->len < 2 ? 0 : (nwr_pg)get_be(k->b, 2);
}

bool nwr_key_parse(const struct nwr_key *k, struct nwr_key_parts *parts)
{
    size_t at = 11;

    *parts = (struct nwr_key_parts){0};
    if (k->len < at || k->len > NWR_KEY_MAX)
        return false;
    parts->kind = (char)k->b[2];
    parts->ino = get_be(k->b + 3, 8);
    if (nwr_ino_pg(parts->ino) != nwr_key_pg(k))
        return false;
    if (parts->kind == 'I') {
        if (k->len < ++at)
            return false;
        parts->reg = (char)k->b[11];
        if (parts->reg == NWR_REG_LINK) {
            if (k->len < (at += 8))
                return false;
            parts->parent = get_be(k->b + 12, 8);
        } else if (parts->reg != NWR_REG_XATTR) {
            return k->len == at && parts->reg && strchr("acm", parts->reg);
        }
    } else if (parts->kind == 'E') {
        parts->parent = parts->ino;
    } else {
        return false;
    }
    parts->name = (const char *)k->b + at;
    parts->name_len = (uint16_t)(k->len - at);
    if (parts->kind == 'E' && parts->name_len && memchr(parts->name, 0, parts->name_len))
        return parts->name_len <= NWR_NAME_MAX + 9;
    return parts->name_len <= NWR_NAME_MAX;
}
