/* reshape.c -- see reshape.h. */
#include "net/core/reshape.h"

static enum nwr_err say(char text[NWR_RESHAPE_TEXT], enum nwr_err err, const char *why)
{
    size_t len = NWR_MIN(strlen(why), (size_t)NWR_RESHAPE_TEXT - 1);

    memcpy(text, why, len);
    text[len] = '\0';
    return err;
}

static struct nwr_member *member_of(struct nwr_ring *r, uint16_t ordinal)
{
    for (uint32_t i = 0; i < r->nmember; i++)
        if (r->member[i].ordinal == ordinal)
            return &r->member[i];
    nwr_panic(__FILE__, __LINE__, "no such member");
}

static void expect_nobody(struct nwr_ring *r)
{
    r->replaced = 0;
    r->replaced_lost = false;
    memset(r->replacement, 0, sizeof(r->replacement));
}

static enum nwr_err take_out(struct nwr_ring *dst, const struct nwr_ring *r,
                             const struct nwr_reshape *wish, char *text)
{
    struct nwr_member *m;

    enum nwr_list list = r->joint ? NWR_LIST_NEXT : NWR_LIST_NOW;

    if (nwr_ring_size(r, list) == 1 && (!r->joint || nwr_ring_find(r, wish->ordinal)->next_weight))
        return say(text, NWR_E_INVAL, "no other member would be left");
    if (r->joint) {
        nwr_ring_copy(dst, r);
        dst->epoch++;
    } else {
        nwr_ring_open(dst, r);
    }
    m = member_of(dst, wish->ordinal);
    m->next_weight = 0;
    m->lost = wish->force;
    if (dst->replaced == wish->ordinal)
        expect_nobody(dst);
    return NWR_OK;
}

static enum nwr_err expect(struct nwr_ring *dst, const struct nwr_ring *r,
                           const struct nwr_reshape *wish, char *text)
{
    for (uint32_t i = 0; i < r->nmember; i++)
        if (strcmp(r->member[i].address, wish->address) == 0)
            return say(text, NWR_E_INVAL, "a member has that address; give the new node another");
    nwr_ring_copy(dst, r);
    dst->epoch++;
    dst->replaced = wish->ordinal;
    dst->replaced_lost = wish->force;
    memcpy(dst->replacement, wish->address, sizeof(dst->replacement));
    dst->replacement[sizeof(dst->replacement) - 1] = '\0';
    return NWR_OK;
}

static enum nwr_err weigh(struct nwr_ring *dst, const struct nwr_ring *r,
                          const struct nwr_reshape *wish, char *text)
{
    if (wish->value == 0 || wish->value > 65535)
        return say(text, NWR_E_INVAL, "a weight is 1 to 65535, 256 is normal");
    if (nwr_ring_find(r, wish->ordinal)->weight == wish->value)
        return say(text, NWR_E_INVAL, "it has that weight already");
    nwr_ring_open(dst, r);
    member_of(dst, wish->ordinal)->next_weight = wish->value;
    return NWR_OK;
}

/* Quorums that are majorities stay majorities; others are kept as far as N allows. */
static enum nwr_err count(struct nwr_ring *dst, const struct nwr_ring *r,
                          const struct nwr_reshape *wish, char *text)
{
    uint8_t n = (uint8_t)wish->value, half = (uint8_t)(r->n / 2 + 1);
    bool majorities = (r->w == 0 || r->w == half) && (r->r == 0 || r->r == half);

    if (wish->value == 0 || wish->value > NWR_REPLICAS_MAX)
        return say(text, NWR_E_INVAL, "n is 1 to 7");
    if (n == r->n)
        return say(text, NWR_E_INVAL, "it is n already");
    nwr_ring_open(dst, r);
    dst->next.n = n;
    dst->next.w = majorities && r->w ? (uint8_t)(n / 2 + 1) : NWR_MIN(r->w, n);
    dst->next.r = majorities && r->r ? (uint8_t)(n / 2 + 1) : NWR_MIN(r->r, n);
    return NWR_OK;
}

bool nwr_reshape_amends(const struct nwr_reshape *wish)
{
    return wish->kind == NWR_RESHAPE_REMOVE && wish->force;
}

enum nwr_err nwr_reshape(struct nwr_ring *dst, const struct nwr_ring *r,
                         const struct nwr_reshape *wish, char text[NWR_RESHAPE_TEXT])
{
    nwr_assert(!r->joint || nwr_reshape_amends(wish));
    if (wish->kind != NWR_RESHAPE_N && !nwr_ring_lists(r, wish->ordinal))
        return say(text, NWR_E_NOENT, "no member has that ordinal; see nwrfs ring list");
    switch (wish->kind) {
    case NWR_RESHAPE_REMOVE: return take_out(dst, r, wish, text);
    case NWR_RESHAPE_REPLACE: return expect(dst, r, wish, text);
    case NWR_RESHAPE_WEIGHT: return weigh(dst, r, wish, text);
    case NWR_RESHAPE_N: return count(dst, r, wish, text);
    }
    return NWR_E_INVAL;
}

void nwr_reshape_admit(struct nwr_ring *dst, const struct nwr_ring *settled, nwr_node_id id,
                       const char *address)
{
    uint16_t old = settled->replaced, ordinal = settled->next_ordinal;
    struct nwr_member *was, *now;

    nwr_ring_open(dst, settled);
    nwr_ring_admit(dst, id, address);
    if (!old || !nwr_ring_lists(settled, old) || strcmp(address, settled->replacement) != 0)
        return;
    /* It takes the seat, so that only what was there moves. */
    was = member_of(dst, old);
    now = member_of(dst, ordinal);
    now->seat = was->seat ? was->seat : was->id;
    now->next_weight = was->weight;
    was->next_weight = 0;
    was->lost = settled->replaced_lost;
}
