/* fake_spool.c -- see fake_spool.h. */
#include "tests/lib/fake_spool.h"

static uint32_t slot_of(struct fake_spool *s, uint64_t id)
{
    uint32_t i = 0;

    while (i < FAKE_KEPT_MAX && s->item[i].id != id)
        i++;
    for (uint32_t j = 0; i == FAKE_KEPT_MAX && j < FAKE_KEPT_MAX; j++)
        if (s->item[j].id == 0)
            i = j;
    nwr_assert(i < FAKE_KEPT_MAX);
    s->item[i].id = id;
    return i;
}

static void do_write(struct fake_spool *s, uint32_t i, const struct nwr_spool_op *op)
{
    uint32_t before = op->off && s->draft[i] ? s->draft[i]->len : 0;
    struct nwr_blob *b;

    nwr_assert(op->off == before && op->data->len <= NWR_SPOOL_PIECE);
    b = nwr_blob_new(before + op->data->len);
    if (before)
        memcpy(b->data, s->draft[i]->data, before);
    memcpy(b->data + before, op->data->data, op->data->len);
    nwr_blob_unref(s->draft[i]);
    s->draft[i] = b;
}

static void do_keep(struct fake_spool *s, uint32_t i, const struct nwr_spool_op *op)
{
    s->item[i] = op->item;
    s->kept[i] = true;
    if (!s->draft[i])
        return;
    nwr_blob_unref(s->data[i]);
    s->data[i] = s->draft[i];
    s->draft[i] = NULL;
    nwr_assert(s->data[i]->len == op->item.size);
}

static void clear(struct fake_spool *s, uint32_t i)
{
    nwr_blob_unref(s->data[i]);
    nwr_blob_unref(s->draft[i]);
    s->data[i] = s->draft[i] = NULL;
    s->kept[i] = false;
    s->item[i] = (struct nwr_spool_item){0};
}

void fake_spool_do(struct fake_spool *s, struct nwr_spool_op *op)
{
    uint32_t i = slot_of(s, op->item.id), at;

    op->err = s->fail;
    if (s->fail)
        return;
    switch (op->kind) {
    case NWR_SPOOL_WRITE: do_write(s, i, op); break;
    case NWR_SPOOL_KEEP: do_keep(s, i, op); break;
    case NWR_SPOOL_READ:
        at = (uint32_t)NWR_MIN(op->off, s->data[i]->len);
        op->data = nwr_blob_copy(s->data[i]->data + at, NWR_MIN(op->len, s->data[i]->len - at));
        break;
    case NWR_SPOOL_REMOVE: clear(s, i); break;
    }
}

uint32_t fake_spool_list(const struct fake_spool *s, struct nwr_spool_item *out)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < FAKE_KEPT_MAX; i++)
        if (s->kept[i])
            out[n++] = s->item[i];
    return n;
}

void fake_spool_deinit(struct fake_spool *s)
{
    for (uint32_t i = 0; i < FAKE_KEPT_MAX; i++)
        clear(s, i);
}
