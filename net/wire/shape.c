/* shape.c -- the field lists; see shape.h. Their order is the wire format. */
#include "net/wire/shape.h"

#include "net/wire/frame.h"

enum {
    RANGES_MAX = 1024,
    ROWS_MAX = 1 << 16,
    GUARDS_MAX = NWR_BATCH_WRITES_MAX * 4,
    SEEN_MAX = 1 << 12,
    REFS_MAX = 1 << 16,
    NEWS_MAX = 64,
    RING_BYTES_MAX = 1 << 16
};

#define SIZE(s, f) ((uint32_t)sizeof(((struct s *)0)->f))
#define AT(s, f) ((uint32_t)offsetof(struct s, f))
#define UINT_UP_TO(s, f, top)                                                                      \
    {                                                                                              \
#f, NWR_FIELD_UINT, AT(s, f), SIZE(s, f), top, 0, 0, NULL, NULL                            \
    }
#define UINT(s, f) UINT_UP_TO(s, f, UINT64_MAX >> (64 - 8 * SIZE(s, f)))
#define BOOL(s, f) UINT_UP_TO(s, f, 1)
#define TEXT(s, f)                                                                                 \
    {                                                                                              \
#f, NWR_FIELD_TEXT, AT(s, f), SIZE(s, f), 0, 0, 0, NULL, NULL                              \
    }
#define BLOB(s, f, top)                                                                            \
    {                                                                                              \
#f, NWR_FIELD_BLOB, AT(s, f), SIZE(s, f), top, 0, 0, NULL, NULL                            \
    }
#define KEY(s, f)                                                                                  \
    {                                                                                              \
#f, NWR_FIELD_KEY, AT(s, f), SIZE(s, f), 0, 0, 0, NULL, NULL                               \
    }
#define RECORD(s, f)                                                                               \
    {                                                                                              \
#f, NWR_FIELD_RECORD, AT(s, f), SIZE(s, f), 0, 0, 0, NULL, NULL                            \
    }
#define STRUCT(s, f, shape)                                                                        \
    {                                                                                              \
#f, NWR_FIELD_STRUCT, AT(s, f), SIZE(s, f), 0, 0, 0, &shape, NULL                          \
    }
#define OWNED(s, f, shape)                                                                         \
    {                                                                                              \
#f, NWR_FIELD_OWNED, AT(s, f), SIZE(s, f), 0, 0, 0, &shape, NULL                           \
    }
#define LIST(s, f, n, top, shape)                                                                  \
    {                                                                                              \
#f, NWR_FIELD_LIST, AT(s, f), SIZE(s, f), top, AT(s, n), 0, &shape, NULL                   \
    }
#define SORTED(s, f, n, cap, top, shape, check)                                                    \
    {                                                                                              \
#f, NWR_FIELD_LIST, AT(s, f), SIZE(s, f), top, AT(s, n), AT(s, cap), &shape, check         \
    }
#define SHAPE(name, s, fields)                                                                     \
    static const struct nwr_shape name = {sizeof(struct s), NWR_COUNT(fields), fields}

static const char *dots_check(const void *items, uint32_t n)
{
    const struct nwr_dot *d = items;

    for (uint32_t i = 0; i < n; i++) {
        if (d[i].counter == 0)
            return "a counter of 0";
        if (i && d[i - 1].actor >= d[i].actor)
            return "not in order";
    }
    return NULL;
}

static const char *rows_check(const void *items, uint32_t n)
{
    const struct nwr_row *row = items;

    for (uint32_t i = 1; i < n; i++)
        if (nwr_key_cmp(&row[i - 1].key, &row[i].key) >= 0)
            return "not in order";
    return NULL;
}

/* ---- values ---- */
static const struct nwr_field dot_fields[] = {UINT(nwr_dot, actor), UINT(nwr_dot, counter)};
SHAPE(dot_shape, nwr_dot, dot_fields);

static const struct nwr_field vv_fields[] = {
    SORTED(nwr_vv, e, n, cap, SEEN_MAX, dot_shape, dots_check)};
SHAPE(vv_shape, nwr_vv, vv_fields);

static const struct nwr_field seen_fields[] = {STRUCT(nwr_seen, dot, dot_shape),
                                               UINT(nwr_seen, wid)};
SHAPE(seen_shape, nwr_seen, seen_fields);

struct wid {
    nwr_wid wid;
};
static const struct nwr_field wid_fields[] = {UINT(wid, wid)};
SHAPE(wid_shape, wid, wid_fields);

static const struct nwr_field block_id_fields[] = {UINT(nwr_block_id, ino), UINT(nwr_block_id, wid),
                                                   UINT(nwr_block_id, number)};
SHAPE(block_id_shape, nwr_block_id, block_id_fields);

static const struct nwr_field block_fields[] = {
    STRUCT(nwr_block, id, block_id_shape), BLOB(nwr_block, data, NWR_BLOCK_MAX),
    LIST(nwr_block, refs, nrefs, REFS_MAX, block_id_shape)};
SHAPE(block_shape, nwr_block, block_fields);

static const struct nwr_field range_fields[] = {KEY(nwr_range, prefix),   KEY(nwr_range, after),
                                                BOOL(nwr_range, exact),   BOOL(nwr_range, follow),
                                                BOOL(nwr_range, indexed), BOOL(nwr_range, loud)};
SHAPE(range_shape, nwr_range, range_fields);

static const struct nwr_field row_fields[] = {KEY(nwr_row, key), RECORD(nwr_row, rec)};
SHAPE(row_shape, nwr_row, row_fields);

static const struct nwr_field rows_fields[] = {
    SORTED(nwr_rows, row, n, cap, ROWS_MAX, row_shape, rows_check),
    STRUCT(nwr_rows, floor, vv_shape)};
SHAPE(rows_shape, nwr_rows, rows_fields);

static const struct nwr_field version_fields[] = {
    STRUCT(nwr_version, dot, dot_shape),
    UINT(nwr_version, hlc),
    UINT(nwr_version, wid),
    UINT(nwr_version, k),
    UINT(nwr_version, uid),
    UINT(nwr_version, flags),
    UINT(nwr_version, ref),
    STRUCT(nwr_version, past, vv_shape),
    BLOB(nwr_version, body, NWR_BLOCK_MAX),
    LIST(nwr_version, blocks, nblocks, REFS_MAX, block_id_shape)};
SHAPE(version_shape, nwr_version, version_fields);

static const struct nwr_field write_fields[] = {
    KEY(nwr_write, key), LIST(nwr_write, seen, nseen, SEEN_MAX, seen_shape),
    LIST(nwr_write, retire, nretire, SEEN_MAX, wid_shape), BOOL(nwr_write, discard),
    STRUCT(nwr_write, v, version_shape)};
SHAPE(write_shape, nwr_write, write_fields);

static const struct nwr_field guard_fields[] = {UINT_UP_TO(nwr_guard, kind, NWR_GUARD_BARE),
                                                KEY(nwr_guard, key),
                                                LIST(nwr_guard, seen, nseen, SEEN_MAX, seen_shape)};
SHAPE(guard_shape, nwr_guard, guard_fields);

static const struct nwr_field info_fields[] = {
    UINT(nwr_volume_info, id), UINT_UP_TO(nwr_volume_info, pgs, NWR_PGS_MAX),
    UINT(nwr_volume_info, n),  UINT(nwr_volume_info, w),
    UINT(nwr_volume_info, r),  UINT(nwr_volume_info, uid),
    UINT(nwr_volume_info, gid)};
SHAPE(info_shape, nwr_volume_info, info_fields);

static const struct nwr_field request_fields[] = {
    UINT_UP_TO(nwr_request, op, NWR_OP_WHY),
    UINT_UP_TO(nwr_request, pg, NWR_PGS_MAX - 1),
    UINT(nwr_request, w),
    UINT(nwr_request, r),
    BOOL(nwr_request, sloppy),
    UINT_UP_TO(nwr_request, level, NWR_LEVEL_DISK),
    UINT(nwr_request, hlc),
    LIST(nwr_request, range, nrange, RANGES_MAX, range_shape),
    LIST(nwr_request, write, nwrite, NWR_BATCH_WRITES_MAX, write_shape),
    LIST(nwr_request, guard, nguard, GUARDS_MAX, guard_shape),
    LIST(nwr_request, block, nblock, NWR_BATCH_WRITES_MAX, block_shape),
    UINT(nwr_request, count),
    KEY(nwr_request, key)};
SHAPE(request_shape, nwr_request, request_fields);

static const struct nwr_field response_fields[] = {UINT_UP_TO(nwr_response, err, NWR_ERR_COUNT - 1),
                                                   STRUCT(nwr_response, rows, rows_shape),
                                                   BOOL(nwr_response, more),
                                                   STRUCT(nwr_response, dot, dot_shape),
                                                   UINT(nwr_response, hlc),
                                                   UINT(nwr_response, k),
                                                   UINT(nwr_response, acks),
                                                   BLOB(nwr_response, data, NWR_FRAME_MAX),
                                                   UINT(nwr_response, first),
                                                   UINT(nwr_response, ordinal),
                                                   UINT(nwr_response, bytes_total),
                                                   UINT(nwr_response, bytes_free),
                                                   UINT(nwr_response, files),
                                                   UINT(nwr_response, round_trips),
                                                   BOOL(nwr_response, once)};
SHAPE(response_shape, nwr_response, response_fields);

/* ---- messages ---- */
static const struct nwr_field common_fields[] = {UINT(nwr_msg, id), UINT(nwr_msg, epoch),
                                                 UINT_UP_TO(nwr_msg, pg, NWR_PGS_MAX - 1),
                                                 UINT_UP_TO(nwr_msg, err, NWR_ERR_COUNT - 1)};
const struct nwr_shape nwr_shape_common = {sizeof(struct nwr_msg), NWR_COUNT(common_fields),
                                           common_fields};

static const struct nwr_field hello_fields[] = {UINT(nwr_msg, u.hello.proto_min),
                                                UINT(nwr_msg, u.hello.proto_max),
                                                UINT(nwr_msg, u.hello.volume),
                                                UINT(nwr_msg, u.hello.node),
                                                UINT(nwr_msg, u.hello.ordinal),
                                                TEXT(nwr_msg, u.hello.address),
                                                STRUCT(nwr_msg, u.hello.info, info_shape)};
SHAPE(hello_shape, nwr_msg, hello_fields);

static const struct nwr_field ring_fields[] = {
    BLOB(nwr_msg, u.ring.ring, RING_BYTES_MAX), UINT(nwr_msg, u.ring.ordinal),
    TEXT(nwr_msg, u.ring.text), UINT(nwr_msg, u.ring.node)};
SHAPE(ring_shape, nwr_msg, ring_fields);

static const struct nwr_field copied_fields[] = {
    UINT(nwr_msg, u.copied.groups), UINT(nwr_msg, u.copied.done), UINT(nwr_msg, u.copied.bytes),
    BOOL(nwr_msg, u.copied.all)};
SHAPE(copied_shape, nwr_msg, copied_fields);

static const struct nwr_field req_fields[] = {OWNED(nwr_msg, u.request, request_shape)};
SHAPE(req_shape, nwr_msg, req_fields);

static const struct nwr_field res_fields[] = {STRUCT(nwr_msg, u.response, response_shape)};
SHAPE(res_shape, nwr_msg, res_fields);

static const struct nwr_field put_fields[] = {
    STRUCT(nwr_msg, u.put.rows, rows_shape),
    LIST(nwr_msg, u.put.guard, u.put.nguard, GUARDS_MAX, guard_shape),
    UINT_UP_TO(nwr_msg, u.put.level, NWR_LEVEL_DISK),
    UINT_UP_TO(nwr_msg, u.put.hint_for, NWR_ORDINAL_MAX),
    LIST(nwr_msg, u.put.block, u.put.nblock, NWR_BATCH_WRITES_MAX, block_shape)};
SHAPE(put_shape, nwr_msg, put_fields);

static const struct nwr_field ack_fields[] = {
    LIST(nwr_msg, u.ack.missing, u.ack.nmissing, REFS_MAX, block_id_shape)};
SHAPE(ack_shape, nwr_msg, ack_fields);

static const struct nwr_field fetch_fields[] = {
    LIST(nwr_msg, u.fetch.range, u.fetch.nrange, RANGES_MAX, range_shape),
    BOOL(nwr_msg, u.fetch.digest)};
SHAPE(fetch_shape, nwr_msg, fetch_fields);

static const struct nwr_field found_fields[] = {
    STRUCT(nwr_msg, u.rows.rows, rows_shape), UINT(nwr_msg, u.rows.rows.silent),
    UINT(nwr_msg, u.rows.digest), BOOL(nwr_msg, u.rows.more)};
SHAPE(found_shape, nwr_msg, found_fields);

static const struct nwr_field one_block_fields[] = {
    STRUCT(nwr_msg, u.block.id, block_id_shape), BLOB(nwr_msg, u.block.data, NWR_BLOCK_MAX),
    LIST(nwr_msg, u.block.refs, u.block.nrefs, REFS_MAX, block_id_shape)};
SHAPE(one_block_shape, nwr_msg, one_block_fields);

static const struct nwr_field why_fields[] = {KEY(nwr_msg, u.why.key),
                                              BLOB(nwr_msg, u.why.text, NWR_FRAME_MAX)};
SHAPE(why_shape, nwr_msg, why_fields);

static const struct nwr_field compare_fields[] = {
    UINT_UP_TO(nwr_msg, u.compare.what, NWR_COMPARE_CLOCKS), UINT(nwr_msg, u.compare.session),
    KEY(nwr_msg, u.compare.after), KEY(nwr_msg, u.compare.until),
    BLOB(nwr_msg, u.compare.data, NWR_BLOCK_MAX)};
SHAPE(compare_shape, nwr_msg, compare_fields);
static const struct nwr_field reg_fields[] = {UINT(nwr_msg, u.reg.epoch),
                                              BOOL(nwr_msg, u.reg.accept),
                                              UINT(nwr_msg, u.reg.round),
                                              UINT(nwr_msg, u.reg.proposer),
                                              UINT(nwr_msg, u.reg.other_round),
                                              UINT(nwr_msg, u.reg.other_proposer),
                                              BLOB(nwr_msg, u.reg.value, RING_BYTES_MAX)};
SHAPE(reg_shape, nwr_msg, reg_fields);

static const struct nwr_field stat_fields[] = {
    UINT(nwr_msg, u.stat.records), UINT(nwr_msg, u.stat.bytes), UINT(nwr_msg, u.stat.bytes_total),
    UINT(nwr_msg, u.stat.bytes_free)};
SHAPE(stat_shape, nwr_msg, stat_fields);

static const struct nwr_field news_fields[] = {
    UINT(nwr_news, ordinal), UINT_UP_TO(nwr_news, life, NWR_LIFE_DOWN),
    UINT(nwr_news, by),      UINT(nwr_news, incarnation),
    UINT(nwr_news, beat),    UINT(nwr_news, epoch),
    UINT(nwr_news, records), UINT(nwr_news, bytes)};
SHAPE(news_shape, nwr_news, news_fields);

static const struct nwr_field gossip_fields[] = {
    UINT(nwr_msg, u.gossip.seq), UINT(nwr_msg, u.gossip.target), BOOL(nwr_msg, u.gossip.heard),
    STRUCT(nwr_msg, u.gossip.self, news_shape),
    LIST(nwr_msg, u.gossip.news, u.gossip.nnews, NEWS_MAX, news_shape)};
SHAPE(gossip_shape, nwr_msg, gossip_fields);

#define KINDS(X)                                                                                   \
    X(HELLO, hello_shape)                                                                          \
    X(RING, ring_shape)                                                                            \
    X(JOIN, ring_shape)                                                                            \
    X(JOIN_OK, ring_shape)                                                                         \
    X(COPIED, copied_shape)                                                                        \
    X(REFUSED, ring_shape)                                                                         \
    X(REQUEST, req_shape)                                                                          \
    X(RESPONSE, res_shape)                                                                         \
    X(REPLICATE, put_shape)                                                                        \
    X(ACK, ack_shape)                                                                              \
    X(FETCH, fetch_shape)                                                                          \
    X(ROWS, found_shape)                                                                           \
    X(BLOCKS, put_shape)                                                                           \
    X(BLOCK_GET, one_block_shape)                                                                  \
    X(BLOCK, one_block_shape)                                                                      \
    X(PING, stat_shape)                                                                            \
    X(PONG, stat_shape)                                                                            \
    X(WHY, why_shape)                                                                              \
    X(WHY_OK, why_shape)                                                                           \
    X(PROBE, gossip_shape)                                                                         \
    X(PROBED, gossip_shape)                                                                        \
    X(PROBE_FOR, gossip_shape)                                                                     \
    X(NEWS, gossip_shape)                                                                          \
    X(COMPARE, compare_shape)                                                                      \
    X(COMPARED, compare_shape)                                                                     \
    X(REGISTER, reg_shape)                                                                         \
    X(REGISTER_OK, reg_shape)

static const struct {
    const char *name;
    const struct nwr_shape *shape;
} kinds[] = {
#define KIND(name, shape) [NWR_MSG_##name] = {#name, &shape},
    KINDS(KIND)
#undef KIND
};

const struct nwr_shape *nwr_shape_of(uint64_t kind)
{
    return kind < NWR_COUNT(kinds) ? kinds[kind].shape : NULL;
}

const char *nwr_msg_name(uint64_t kind)
{
    return nwr_shape_of(kind) ? kinds[kind].name : "?";
}
