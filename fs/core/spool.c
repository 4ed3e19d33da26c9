/* spool.c -- the list of what is kept, its names, and its bytes on disk; see spool.h. */
#include "fs/core/state.h"

#include "fs/core/view_slots.h"

#define ITEM_FORMAT 1

void nwr_spool_op_destroy(struct nwr_spool_op *op)
{
    if (!op)
        return;
    nwr_blob_unref(op->data);
    nwr_free(op);
}

/* ---- bytes ---------------------------------------------------------------------------------- */

struct nwr_blob *nwr_spool_item_encode(const struct nwr_spool_item *item, uint64_t volume)
{
    struct nwr_out o = {0};

    nwr_out_u8(&o, ITEM_FORMAT);
    nwr_out_u64(&o, volume);
    nwr_out_u64(&o, item->id);
    nwr_out_u64(&o, item->ino);
    nwr_out_u64(&o, item->parent);
    nwr_out_u32(&o, item->number);
    nwr_out_u32(&o, item->mode);
    nwr_out_u32(&o, item->uid);
    nwr_out_u32(&o, item->gid);
    nwr_out_u64(&o, item->mtime);
    nwr_out_bytes(&o, item->name, item->name_len);
    nwr_out_u64(&o, nwr_hash64(o.data, o.len, 0));
    return nwr_out_blob(&o);
}

enum nwr_err nwr_spool_item_decode(struct nwr_spool_item *item, uint64_t volume, const void *data,
                                   size_t len)
{
    struct nwr_in in = nwr_in_of(data, len);
    struct nwr_spool_item got = {0};
    uint64_t of, sum = len >= 8 ? nwr_hash64(data, len - 8, 0) : 0;
    const uint8_t *name;
    size_t name_len = 0;

    in.bad |= nwr_in_u8(&in) != ITEM_FORMAT;
    of = nwr_in_u64(&in);
    got.id = nwr_in_u64(&in);
    got.ino = nwr_in_u64(&in);
    got.parent = nwr_in_u64(&in);
    got.number = nwr_in_u32(&in);
    got.mode = nwr_in_u32(&in);
    got.uid = nwr_in_u32(&in);
    got.gid = nwr_in_u32(&in);
    got.mtime = nwr_in_u64(&in);
    name = nwr_in_bytes(&in, &name_len);
    if (!name || name_len == 0 || name_len > NWR_NAME_MAX || nwr_in_u64(&in) != sum ||
        !nwr_in_done(&in))
        return NWR_E_FORMAT;
    if (of != volume)
        return NWR_E_VOLUME;
    memcpy(got.name, name, name_len);
    got.name_len = (uint8_t)name_len;
    *item = got;
    return NWR_OK;
}

/* ---- the list ------------------------------------------------------------------------------- */

struct nwr_spool_item *nwr_spool_by_id(struct nwr_mount *m, uint64_t id)
{
    for (uint32_t i = 0; i < m->nkept; i++)
        if (m->kept[i].id == id)
            return &m->kept[i];
    return NULL;
}

static bool same_name(const struct nwr_spool_item *a, const struct nwr_spool_item *b)
{
    return a->parent == b->parent && a->name_len == b->name_len &&
           memcmp(a->name, b->name, a->name_len) == 0;
}

static bool is_free(const struct nwr_mount *m, const struct nwr_spool_item *item, uint32_t number)
{
    for (uint32_t i = 0; i < m->nkept; i++)
        if (m->kept[i].number == number && same_name(&m->kept[i], item))
            return false;
    return true;
}

uint32_t nwr_spool_number(const struct nwr_mount *m, const struct nwr_spool_item *item,
                          uint32_t from)
{
    while (!is_free(m, item, from))
        from++;
    return from;
}

void nwr_spool_put(struct nwr_mount *m, const struct nwr_spool_item *item)
{
    struct nwr_spool_item *old = nwr_spool_by_id(m, item->id);

    m->kept_next = NWR_MAX(m->kept_next, item->id + 1);
    if (old) {
        *old = *item;
        return;
    }
    m->kept = nwr_grow(m->kept, &m->capkept, m->nkept + 1, sizeof(*m->kept));
    m->kept[m->nkept++] = *item;
}

void nwr_spool_drop(struct nwr_mount *m, uint64_t id)
{
    struct nwr_spool_item *item = nwr_spool_by_id(m, id);

    if (item)
        *item = m->kept[--m->nkept];
}

uint16_t nwr_spool_name(const struct nwr_spool_item *item, char *out)
{
    return nwr_numbered_name(out, item->name, item->name_len, NWR_REJECTED, item->number);
}

static bool is_in(const struct nwr_dirs *dir, nwr_ino ino)
{
    for (uint32_t i = 0; i < dir->n; i++)
        if (dir->ino[i] == ino)
            return true;
    return false;
}

const struct nwr_spool_item *nwr_spool_in(const struct nwr_mount *m, const struct nwr_dirs *dir,
                                          const struct nwr_spool_item *after)
{
    for (uint32_t i = after ? (uint32_t)(after - m->kept) + 1 : 0; i < m->nkept; i++)
        if (is_in(dir, m->kept[i].parent))
            return &m->kept[i];
    return NULL;
}

const struct nwr_spool_item *nwr_spool_find(const struct nwr_mount *m, const struct nwr_dirs *dir,
                                            const char *name)
{
    const struct nwr_spool_item *item = NULL;
    char own[NWR_NAME_MAX + 1];

    while ((item = nwr_spool_in(m, dir, item))) {
        nwr_spool_name(item, own);
        if (strcmp(own, name) == 0)
            return item;
    }
    return NULL;
}

/* ---- ops ------------------------------------------------------------------------------------ */

struct nwr_spool_op *nwr_spool_op_new(enum nwr_spool_kind kind, const struct nwr_spool_item *item)
{
    struct nwr_spool_op *op = nwr_zalloc(sizeof(*op));

    op->kind = kind;
    op->item = *item;
    return op;
}

/* Nobody waits for the new number: it is there when the next one asks, or given again. */
void nwr_spool_yield(struct nwr_mount *m, const struct nwr_dirs *dir, const char *name)
{
    const struct nwr_spool_item *item = nwr_spool_find(m, dir, name);
    struct nwr_spool_item *own;

    if (!item)
        return;
    own = nwr_spool_by_id(m, item->id);
    own->number = nwr_spool_number(m, own, own->number + 1);
    nwr_mount_spool(m, nwr_spool_op_new(NWR_SPOOL_KEEP, own), NWR_TOKEN_NOBODY);
}
