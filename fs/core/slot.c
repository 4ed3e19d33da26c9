/* slot.c -- see slot.h. */
#include "fs/core/slot.h"

#define SLOT_FORMAT 1

enum {
    SLOT_VOID = 1,
    SLOT_BARE = 2,
    SLOT_MOVED = 4
};

struct nwr_blob *nwr_slot_encode(const struct nwr_slot *s)
{
    struct nwr_out o = {0};

    nwr_out_u8(&o, SLOT_FORMAT);
    nwr_out_u8(&o, (uint8_t)((s->is_void ? SLOT_VOID : 0) | (s->bare ? SLOT_BARE : 0) |
                             (s->moved ? SLOT_MOVED : 0)));
    if (s->is_void) {
        nwr_out_var(&o, s->nmask);
        for (uint32_t i = 0; i < s->nmask; i++)
            nwr_out_u64(&o, s->mask[i]);
        return nwr_out_blob(&o);
    }
    nwr_out_u8(&o, s->type);
    nwr_out_u64(&o, s->ino);
    return nwr_out_blob(&o);
}

static void decode_void(struct nwr_slot *s, struct nwr_in *in)
{
    s->nmask = nwr_in_count(in, 8);
    if (s->nmask)
        s->mask = nwr_alloc(s->nmask * sizeof(*s->mask));
    for (uint32_t i = 0; i < s->nmask; i++)
        s->mask[i] = nwr_in_u64(in);
}

enum nwr_err nwr_slot_decode(struct nwr_slot *s, const struct nwr_version *v)
{
    struct nwr_in in;
    uint8_t flags;

    *s = (struct nwr_slot){0};
    if (!v->body)
        return NWR_E_FORMAT;
    in = nwr_in_of(v->body->data, v->body->len);
    if (nwr_in_u8(&in) != SLOT_FORMAT)
        return NWR_E_FORMAT;
    flags = nwr_in_u8(&in);
    s->is_void = flags & SLOT_VOID;
    s->bare = flags & SLOT_BARE;
    s->moved = flags & SLOT_MOVED;
    if (s->is_void) {
        decode_void(s, &in);
    } else {
        s->type = nwr_in_u8(&in);
        s->ino = nwr_in_u64(&in);
        in.bad |= s->type < NWR_TYPE_REG || s->type > NWR_TYPE_BLK || s->ino == 0;
    }
    if (nwr_in_done(&in))
        return NWR_OK;
    nwr_slot_deinit(s);
    return NWR_E_FORMAT;
}

void nwr_slot_deinit(struct nwr_slot *s)
{
    nwr_free(s->mask);
    *s = (struct nwr_slot){0};
}
