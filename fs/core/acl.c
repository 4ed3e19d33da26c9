/* acl.c -- see acl.h. */
#include "fs/core/acl.h"
#include "fs/core/ops_xattr.h"
#include "fs/core/state.h"

enum {
    HEADER = 4,
    ENTRY = 8,
    VERSION = 2
};

enum tag {
    USER_OBJ = 1,
    GROUP_OBJ = 4,
    MASK = 16,
    OTHER = 32
};

static bool is(const char *name, size_t len, const char *acl)
{
    return strlen(acl) == len && memcmp(name, acl, len) == 0;
}

bool nwr_acl_is(const char *name, size_t len)
{
    return is(name, len, NWR_ACL_ACCESS) || is(name, len, NWR_ACL_DEFAULT);
}

static uint32_t entries(const struct nwr_blob *acl)
{
    return (acl->len - HEADER) / ENTRY;
}

static uint32_t tag_of(const struct nwr_blob *acl, uint32_t i)
{
    const uint8_t *p = acl->data + HEADER + (size_t)i * ENTRY;

    return p[0] | (uint32_t)p[1] << 8;
}

static uint8_t *perm(const struct nwr_blob *acl, uint32_t i)
{
    return acl->data + HEADER + (size_t)i * ENTRY + 2;
}

/* The permissions of the one entry with this tag; NULL: there is none. */
static uint8_t *find(const struct nwr_blob *acl, enum tag tag)
{
    for (uint32_t i = 0; i < entries(acl); i++)
        if (tag_of(acl, i) == tag)
            return perm(acl, i);
    return NULL;
}

bool nwr_acl_valid(const struct nwr_blob *acl)
{
    static const uint8_t version[HEADER] = {VERSION};

    return acl && acl->len >= HEADER && (acl->len - HEADER) % ENTRY == 0 &&
           memcmp(acl->data, version, HEADER) == 0 && find(acl, USER_OBJ) && find(acl, GROUP_OBJ) &&
           find(acl, OTHER);
}

/* What the group bits of a mode stand for. */
static uint8_t *group_of(const struct nwr_blob *acl)
{
    uint8_t *mask = find(acl, MASK);

    return mask ? mask : find(acl, GROUP_OBJ);
}

uint32_t nwr_acl_mode(const struct nwr_blob *acl, uint32_t mode)
{
    return (mode & ~0777u) | (*find(acl, USER_OBJ) & 7u) << 6 | (*group_of(acl) & 7u) << 3 |
           (*find(acl, OTHER) & 7u);
}

bool nwr_acl_is_mode(const struct nwr_blob *acl)
{
    return entries(acl) == 3;
}

static void set(uint8_t *p, uint32_t bits)
{
    *p = (uint8_t)(bits & 7);
}

struct nwr_blob *nwr_acl_chmod(const struct nwr_blob *acl, uint32_t mode)
{
    struct nwr_blob *copy = nwr_blob_copy(acl->data, acl->len);

    set(find(copy, USER_OBJ), mode >> 6);
    set(group_of(copy), mode >> 3);
    set(find(copy, OTHER), mode);
    return copy;
}

struct nwr_blob *nwr_acl_inherit(const struct nwr_blob *acl, uint32_t *mode)
{
    *mode &= nwr_acl_mode(acl, ~0u);
    return nwr_acl_chmod(acl, *mode);
}

/* ---- in plans ------------------------------------------------------------------------------- */

const struct nwr_blob *nwr_acl_of(const struct nwr_txn *t, nwr_ino root, const char *name)
{
    struct nwr_key key = nwr_key_xattr(root, name, strlen(name));
    const struct nwr_record *rec = t->m->config.acl ? nwr_txn_peek(t, &key) : NULL;
    const struct nwr_version *v = rec ? nwr_xattr_latest(rec) : NULL;

    return v && nwr_acl_valid(v->body) ? v->body : NULL;
}

void nwr_acl_put(struct nwr_txn *t, nwr_ino root, const char *name, const struct nwr_blob *acl)
{
    struct nwr_key key = nwr_key_xattr(root, name, strlen(name));
    const struct nwr_record *rec = nwr_txn_peek(t, &key);
    struct nwr_write *w;

    if (!acl && (!rec || !nwr_xattr_latest(rec)))
        return;
    w = nwr_txn_write(t, &key, rec, NULL);
    if (acl)
        w->v.body = nwr_blob_copy(acl->data, acl->len);
    else
        w->v.flags |= NWR_V_TOMBSTONE;
}
