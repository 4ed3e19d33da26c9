/* ring.c -- the list of members as a value: copied, searched, encoded. See ring.h. */
#include "net/core/ring.h"

enum {
    RING_FORMAT = 1,
    MEMBER_BYTES_MIN = 15
};

void nwr_ring_deinit(struct nwr_ring *r)
{
    nwr_free(r->member);
    memset(r, 0, sizeof(*r));
}

void nwr_ring_copy(struct nwr_ring *dst, const struct nwr_ring *src)
{
    *dst = *src;
    dst->member = nwr_memdup(src->member, src->nmember * sizeof(*src->member));
}

void nwr_ring_add(struct nwr_ring *r, const struct nwr_member *m)
{
    uint32_t at = 0;

    nwr_assert(m->ordinal > 0 && m->ordinal <= NWR_ORDINAL_MAX);
    nwr_assert(r->nmember < NWR_MEMBERS_MAX);
    while (at < r->nmember && r->member[at].ordinal < m->ordinal)
        at++;
    nwr_assert(at == r->nmember || r->member[at].ordinal != m->ordinal);
    r->member = nwr_realloc(r->member, (r->nmember + 1) * sizeof(*m));
    memmove(r->member + at + 1, r->member + at, (r->nmember - at) * sizeof(*m));
    r->member[at] = *m;
    r->nmember++;
}

static const struct nwr_member *find_listed(const struct nwr_ring *r, uint16_t ordinal)
{
    for (uint32_t i = 0; i < r->nmember; i++)
        if (r->member[i].ordinal == ordinal)
            return &r->member[i];
    return NULL;
}

const struct nwr_member *nwr_ring_find(const struct nwr_ring *r, uint16_t ordinal)
{
    if (ordinal && r->pending.ordinal == ordinal)
        return &r->pending;
    return find_listed(r, ordinal);
}

const struct nwr_member *nwr_ring_find_id(const struct nwr_ring *r, nwr_node_id id)
{
    for (uint32_t i = 0; i < r->nmember; i++)
        if (r->member[i].id == id)
            return &r->member[i];
    return r->pending.ordinal && r->pending.id == id ? &r->pending : NULL;
}

bool nwr_ring_lists(const struct nwr_ring *r, uint16_t ordinal)
{
    return find_listed(r, ordinal) != NULL;
}

void nwr_ring_future(struct nwr_ring *dst, const struct nwr_ring *src)
{
    nwr_assert(src->pending.ordinal != 0);
    nwr_ring_copy(dst, src);
    nwr_ring_add(dst, &src->pending);
    memset(&dst->pending, 0, sizeof(dst->pending));
    dst->epoch++;
}

static void member_encode(const struct nwr_member *m, struct nwr_out *o)
{
    nwr_out_u64(o, m->id);
    nwr_out_u16(o, m->ordinal);
    nwr_out_u32(o, m->weight);
    nwr_out_bytes(o, m->address, strlen(m->address));
}

static void member_decode(struct nwr_member *m, struct nwr_in *in)
{
    const uint8_t *text;
    size_t len;

    memset(m, 0, sizeof(*m));
    m->id = nwr_in_u64(in);
    m->ordinal = nwr_in_u16(in);
    m->weight = nwr_in_u32(in);
    text = nwr_in_bytes(in, &len);
    if (m->ordinal == 0 || m->ordinal > NWR_ORDINAL_MAX || m->weight == 0 || m->weight > 65535 ||
        len >= sizeof(m->address))
        in->bad = true;
    else if (len)
        memcpy(m->address, text, len);
}

void nwr_ring_encode(const struct nwr_ring *r, struct nwr_out *o)
{
    nwr_out_u8(o, RING_FORMAT);
    nwr_out_u64(o, r->volume);
    nwr_out_u64(o, r->epoch);
    nwr_out_u16(o, r->pgs);
    nwr_out_u8(o, r->n);
    nwr_out_u8(o, r->w);
    nwr_out_u8(o, r->r);
    nwr_out_u16(o, r->next_ordinal);
    nwr_out_u16(o, r->founder);
    nwr_out_u32(o, r->uid);
    nwr_out_u32(o, r->gid);
    nwr_out_var(o, r->nmember);
    for (uint32_t i = 0; i < r->nmember; i++)
        member_encode(&r->member[i], o);
    nwr_out_u8(o, r->pending.ordinal != 0);
    if (r->pending.ordinal)
        member_encode(&r->pending, o);
}

static bool ring_plausible(const struct nwr_ring *r)
{
    for (uint32_t i = 1; i < r->nmember; i++)
        if (r->member[i - 1].ordinal >= r->member[i].ordinal)
            return false;
    if (r->pending.ordinal && find_listed(r, r->pending.ordinal))
        return false;
    return r->pgs > 0 && r->pgs <= NWR_PGS_MAX && r->n > 0 && r->n <= NWR_REPLICAS_MAX &&
           r->w <= r->n && r->r <= r->n && r->nmember > 0;
}

enum nwr_err nwr_ring_decode(struct nwr_ring *r, const void *data, size_t len)
{
    struct nwr_in in = nwr_in_of(data, len);
    struct nwr_ring got = {0};
    uint32_t count;

    if (nwr_in_u8(&in) != RING_FORMAT)
        return NWR_E_VERSION;
    got.volume = nwr_in_u64(&in);
    got.epoch = nwr_in_u64(&in);
    got.pgs = nwr_in_u16(&in);
    got.n = nwr_in_u8(&in);
    got.w = nwr_in_u8(&in);
    got.r = nwr_in_u8(&in);
    got.next_ordinal = nwr_in_u16(&in);
    got.founder = nwr_in_u16(&in);
    got.uid = nwr_in_u32(&in);
    got.gid = nwr_in_u32(&in);
    count = nwr_in_count(&in, MEMBER_BYTES_MIN);
    if (count > NWR_MEMBERS_MAX)
        return NWR_E_FORMAT;
    got.member = nwr_zalloc(count * sizeof(*got.member));
    got.nmember = count;
    for (uint32_t i = 0; i < count; i++)
        member_decode(&got.member[i], &in);
    if (nwr_in_u8(&in))
        member_decode(&got.pending, &in);
    if (!nwr_in_done(&in) || !ring_plausible(&got)) {
        nwr_ring_deinit(&got);
        return NWR_E_FORMAT;
    }
    *r = got;
    return NWR_OK;
}

void nwr_ring_check(const struct nwr_ring *r)
{
    nwr_assert(ring_plausible(r));
    for (uint32_t i = 0; i < r->nmember; i++) {
        nwr_assert(r->member[i].ordinal > 0);
        nwr_assert(r->member[i].weight > 0);
        nwr_assert(r->member[i].ordinal < r->next_ordinal);
    }
}
