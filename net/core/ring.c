/* ring.c -- the list of members as a value: copied, searched, encoded. See ring.h. */
#include "net/core/ring.h"

#include "net/core/rules.h"

enum {
    RING_FORMAT = 2,
    MEMBER_BYTES_MIN = 28
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

const struct nwr_member *nwr_ring_find(const struct nwr_ring *r, uint16_t ordinal)
{
    for (uint32_t i = 0; i < r->nmember; i++)
        if (r->member[i].ordinal == ordinal)
            return &r->member[i];
    return NULL;
}

const struct nwr_member *nwr_ring_find_id(const struct nwr_ring *r, nwr_node_id id)
{
    for (uint32_t i = 0; i < r->nmember; i++)
        if (r->member[i].id == id)
            return &r->member[i];
    return NULL;
}

bool nwr_ring_lists(const struct nwr_ring *r, uint16_t ordinal)
{
    const struct nwr_member *m = nwr_ring_find(r, ordinal);

    return m && m->weight;
}

bool nwr_ring_leaves(const struct nwr_ring *r, uint16_t ordinal)
{
    const struct nwr_member *m = nwr_ring_find(r, ordinal);

    return r->joint && m && m->weight && !m->next_weight && !m->lost;
}

/* ---- changes --------------------------------------------------------------------------------- */

void nwr_ring_open(struct nwr_ring *dst, const struct nwr_ring *settled)
{
    nwr_assert(!settled->joint);
    nwr_ring_copy(dst, settled);
    dst->epoch++;
    dst->joint = true;
    dst->next = (struct nwr_quorums){dst->n, dst->w, dst->r};
    for (uint32_t i = 0; i < dst->nmember; i++)
        dst->member[i].next_weight = dst->member[i].weight;
}

void nwr_ring_admit(struct nwr_ring *joint, nwr_node_id id, const char *address)
{
    struct nwr_member m = {.id = id, .ordinal = joint->next_ordinal++, .next_weight = 256};

    nwr_assert(joint->joint);
    memcpy(m.address, address, NWR_MIN(strlen(address), sizeof(m.address) - 1));
    nwr_ring_add(joint, &m);
}

/* Drops who is in neither list. */
static void settled_on(struct nwr_ring *dst, const struct nwr_ring *joint, bool next)
{
    uint32_t kept = 0;

    nwr_assert(joint->joint);
    nwr_ring_copy(dst, joint);
    dst->epoch++;
    dst->joint = false;
    dst->next = (struct nwr_quorums){0};
    for (uint32_t i = 0; i < dst->nmember; i++) {
        struct nwr_member *m = &dst->member[i];

        m->weight = next ? m->next_weight : m->weight;
        m->next_weight = 0;
        m->lost = false;
        if (m->weight)
            dst->member[kept++] = *m;
    }
    dst->nmember = kept;
    if (!NWR_RULE(ORDINAL_SPENT))
        dst->next_ordinal = dst->member[kept - 1].ordinal + 1;
}

void nwr_ring_settle(struct nwr_ring *dst, const struct nwr_ring *joint)
{
    settled_on(dst, joint, true);
    if (dst->replaced && !nwr_ring_find(dst, dst->replaced)) {
        dst->replaced = 0;
        dst->replaced_lost = false;
        memset(dst->replacement, 0, sizeof(dst->replacement));
    }
    dst->n = joint->next.n;
    dst->w = joint->next.w;
    dst->r = joint->next.r;
}

void nwr_ring_give_up(struct nwr_ring *dst, const struct nwr_ring *joint)
{
    settled_on(dst, joint, false);
}

/* ---- bytes ----------------------------------------------------------------------------------- */

static void member_encode(const struct nwr_member *m, struct nwr_out *o)
{
    nwr_out_u64(o, m->id);
    nwr_out_u64(o, m->seat);
    nwr_out_u8(o, m->lost);
    nwr_out_u16(o, m->ordinal);
    nwr_out_u32(o, m->weight);
    nwr_out_u32(o, m->next_weight);
    nwr_out_bytes(o, m->address, strlen(m->address));
}

static void member_decode(struct nwr_member *m, struct nwr_in *in)
{
    const uint8_t *text;
    uint8_t lost;
    size_t len;

    memset(m, 0, sizeof(*m));
    m->id = nwr_in_u64(in);
    m->seat = nwr_in_u64(in);
    lost = nwr_in_u8(in);
    m->lost = lost == 1;
    m->ordinal = nwr_in_u16(in);
    m->weight = nwr_in_u32(in);
    m->next_weight = nwr_in_u32(in);
    text = nwr_in_bytes(in, &len);
    if (m->ordinal == 0 || m->ordinal > NWR_ORDINAL_MAX || lost > 1 || m->weight > 65535 ||
        m->next_weight > 65535 || len >= sizeof(m->address))
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
    nwr_out_u8(o, r->joint);
    nwr_out_u8(o, r->next.n);
    nwr_out_u8(o, r->next.w);
    nwr_out_u8(o, r->next.r);
    nwr_out_u16(o, r->next_ordinal);
    nwr_out_u16(o, r->replaced);
    nwr_out_u8(o, r->replaced_lost);
    nwr_out_bytes(o, r->replacement, strlen(r->replacement));
    nwr_out_u32(o, r->uid);
    nwr_out_u32(o, r->gid);
    nwr_out_var(o, r->nmember);
    for (uint32_t i = 0; i < r->nmember; i++)
        member_encode(&r->member[i], o);
}

static bool quorums_plausible(uint8_t n, uint8_t w, uint8_t r)
{
    return n > 0 && n <= NWR_REPLICAS_MAX && w <= n && r <= n;
}

static bool ring_plausible(const struct nwr_ring *r)
{
    const struct nwr_quorums none = {0};

    for (uint32_t i = 0; i < r->nmember; i++) {
        const struct nwr_member *m = &r->member[i];

        if (i && r->member[i - 1].ordinal >= m->ordinal)
            return false;
        if (r->joint ? !m->weight && !m->next_weight : !m->weight || m->next_weight)
            return false;
    }
    if (r->joint ? !quorums_plausible(r->next.n, r->next.w, r->next.r)
                 : memcmp(&r->next, &none, sizeof(none)) != 0)
        return false;
    return r->pgs > 0 && r->pgs <= NWR_PGS_MAX && quorums_plausible(r->n, r->w, r->r) &&
           nwr_ring_size(r, NWR_LIST_NOW) > 0 && (!r->joint || nwr_ring_size(r, NWR_LIST_NEXT) > 0);
}

static void replacement_decode(struct nwr_ring *r, struct nwr_in *in)
{
    const uint8_t *text;
    uint8_t lost;
    size_t len;

    r->replaced = nwr_in_u16(in);
    lost = nwr_in_u8(in);
    r->replaced_lost = lost == 1;
    text = nwr_in_bytes(in, &len);
    if (lost > 1 || len >= sizeof(r->replacement))
        in->bad = true;
    else if (len)
        memcpy(r->replacement, text, len);
}

enum nwr_err nwr_ring_decode(struct nwr_ring *r, const void *data, size_t len)
{
    struct nwr_in in = nwr_in_of(data, len);
    struct nwr_ring got = {0};
    uint32_t count;
    uint8_t joint;

    if (nwr_in_u8(&in) != RING_FORMAT)
        return NWR_E_VERSION;
    got.volume = nwr_in_u64(&in);
    got.epoch = nwr_in_u64(&in);
    got.pgs = nwr_in_u16(&in);
    got.n = nwr_in_u8(&in);
    got.w = nwr_in_u8(&in);
    got.r = nwr_in_u8(&in);
    joint = nwr_in_u8(&in);
    got.joint = joint == 1;
    got.next.n = nwr_in_u8(&in);
    got.next.w = nwr_in_u8(&in);
    got.next.r = nwr_in_u8(&in);
    got.next_ordinal = nwr_in_u16(&in);
    replacement_decode(&got, &in);
    got.uid = nwr_in_u32(&in);
    got.gid = nwr_in_u32(&in);
    count = nwr_in_count(&in, MEMBER_BYTES_MIN);
    if (count > NWR_MEMBERS_MAX)
        return NWR_E_FORMAT;
    got.member = nwr_zalloc(count * sizeof(*got.member));
    got.nmember = count;
    for (uint32_t i = 0; i < count; i++)
        member_decode(&got.member[i], &in);
    if (!nwr_in_done(&in) || joint > 1 || !ring_plausible(&got)) {
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
        nwr_assert(r->member[i].ordinal < r->next_ordinal);
    }
}
