/* decode.c -- frames to messages; see frame.h. */
#include "net/wire/frame.h"
#include "net/wire/mp.h"
#include "net/wire/shape.h"

#define DEPTH_MAX 8
#define NO_INDEX UINT32_MAX

/* path: the fields on the way to where the reader is, to name it when something is wrong. */
struct reader {
    struct nwr_in in;
    struct nwr_blob *payload;
    const char *msg;
    struct {
        const char *name;
        uint32_t index;
    } path[DEPTH_MAX];
    unsigned depth;
    char *why;
    size_t why_len;
};

static bool get_struct(struct reader *r, const struct nwr_shape *shape, char *base);

static void say(struct reader *r, const char *text)
{
    size_t len = NWR_MIN(strlen(text), (size_t)NWR_FRAME_WHY_MAX - 1 - r->why_len);

    memcpy(r->why + r->why_len, text, len);
    r->why_len += len;
    r->why[r->why_len] = 0;
}

static void say_uint(struct reader *r, uint64_t v)
{
    char digits[24];
    size_t i = sizeof(digits) - 1;

    digits[i] = 0;
    do {
        digits[--i] = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    say(r, digits + i);
}

/* Always false. */
static bool wrong(struct reader *r, const char *text)
{
    if (r->why_len)
        return false;
    say(r, "frame ");
    say(r, r->msg);
    for (unsigned i = 0; i < r->depth; i++) {
        const char *name = r->path[i].name;

        /* Fields of a message are written down as u.hello.node. */
        if (strncmp(name, "u.", 2) == 0)
            name = strchr(name + 2, '.') ? strchr(name + 2, '.') + 1 : name + 2;
        say(r, i ? "." : ": field ");
        say(r, name);
        if (r->path[i].index != NO_INDEX) {
            say(r, "[");
            say_uint(r, r->path[i].index);
            say(r, "]");
        }
    }
    say(r, ": ");
    say(r, text);
    return false;
}

static bool wrong_max(struct reader *r, uint64_t v, uint64_t max)
{
    wrong(r, "");
    say_uint(r, v);
    say(r, " is more than ");
    say_uint(r, max);
    return false;
}

static bool get_uint(struct reader *r, const struct nwr_field *f, char *at)
{
    uint64_t v;

    if (!nwr_mp_uint(&r->in, &v))
        return wrong(r, "not an unsigned integer");
    if (v > f->max)
        return wrong_max(r, v, f->max);
    switch (f->size) {
    case 1: *(uint8_t *)at = (uint8_t)v; break;
    case 2: *(uint16_t *)(void *)at = (uint16_t)v; break;
    case 4: *(uint32_t *)(void *)at = (uint32_t)v; break;
    default: *(uint64_t *)(void *)at = v; break;
    }
    return true;
}

static bool get_text(struct reader *r, const struct nwr_field *f, char *at)
{
    const uint8_t *s;
    uint32_t len;

    if (!nwr_mp_str(&r->in, &s, &len))
        return wrong(r, "not a string");
    if (len >= f->size)
        return wrong_max(r, len, f->size - 1);
    if (memchr(s, 0, len))
        return wrong(r, "a zero byte");
    memcpy(at, s, len);
    return true;
}

static void drop_payload(void *payload)
{
    nwr_blob_unref(payload);
}

/* A slice of the payload keeps all of it; so only where it is at least half. */
static struct nwr_blob *blob_of(struct reader *r, const uint8_t *data, uint32_t len)
{
    if (len <= NWR_FRAME_COPY_MAX || len < r->payload->len / 2)
        return nwr_blob_copy(data, len);
    return nwr_blob_wrap(r->payload->data + (data - r->payload->data), len, drop_payload,
                         nwr_blob_ref(r->payload));
}

static bool get_blob(struct reader *r, const struct nwr_field *f, char *at)
{
    const uint8_t *data;
    uint32_t len;

    if (nwr_mp_nil(&r->in))
        return true;
    if (!nwr_mp_bin(&r->in, &data, &len))
        return wrong(r, "not bytes");
    if (len > f->max)
        return wrong_max(r, len, f->max);
    *(struct nwr_blob **)(void *)at = blob_of(r, data, len);
    return true;
}

static bool get_key(struct reader *r, char *at)
{
    struct nwr_key *key = (void *)at;
    const uint8_t *data;
    uint32_t len;

    if (!nwr_mp_bin(&r->in, &data, &len))
        return wrong(r, "not bytes");
    if (len > NWR_KEY_MAX)
        return wrong_max(r, len, NWR_KEY_MAX);
    key->len = (uint16_t)len;
    memcpy(key->b, data, len);
    return true;
}

static bool get_record(struct reader *r, char *at)
{
    const uint8_t *data;
    uint32_t len;

    if (!nwr_mp_bin(&r->in, &data, &len))
        return wrong(r, "not bytes");
    if (nwr_record_decode((void *)at, data, len) != NWR_OK)
        return wrong(r, "not a record");
    return true;
}

/* Room for a power of two of items: nwr_request_write and its kin append to such arrays. */
static void *room_for(uint32_t n, size_t item, uint32_t *cap)
{
    *cap = n ? 1 : 0;
    while (*cap < n)
        *cap *= 2;
    return *cap ? nwr_zalloc(*cap * item) : NULL;
}

static bool get_list(struct reader *r, const struct nwr_field *f, char *base)
{
    uint32_t *count = (void *)(base + f->count_at);
    const char *bad = NULL;
    uint32_t n, cap;
    char *items;

    if (!nwr_mp_array(&r->in, &n))
        return wrong(r, "not an array");
    if (n > f->max)
        return wrong_max(r, n, f->max);
    /* Each item is an array of its fields, of a byte each at least. */
    if ((uint64_t)n * (1 + f->of->nfield) > (uint64_t)(r->in.end - r->in.p))
        return wrong(r, "longer than the frame");
    items = room_for(n, f->of->bytes, &cap);
    *(char **)(void *)(base + f->at) = items;
    if (f->cap_at)
        *(uint32_t *)(void *)(base + f->cap_at) = cap;
    for (uint32_t i = 0; i < n; i++) {
        r->path[r->depth - 1].index = i;
        ++*count;
        if (!get_struct(r, f->of, items + (size_t)i * f->of->bytes))
            return false;
    }
    r->path[r->depth - 1].index = NO_INDEX;
    if (f->check)
        bad = f->check(items, n);
    return bad ? wrong(r, bad) : true;
}

static bool get_owned(struct reader *r, const struct nwr_field *f, char *at)
{
    char *item = nwr_zalloc(f->of->bytes);

    *(char **)(void *)at = item;
    return get_struct(r, f->of, item);
}

static bool get_field(struct reader *r, const struct nwr_field *f, char *base)
{
    char *at = base + f->at;

    switch (f->type) {
    case NWR_FIELD_UINT: return get_uint(r, f, at);
    case NWR_FIELD_TEXT: return get_text(r, f, at);
    case NWR_FIELD_BLOB: return get_blob(r, f, at);
    case NWR_FIELD_KEY: return get_key(r, at);
    case NWR_FIELD_RECORD: return get_record(r, at);
    case NWR_FIELD_STRUCT: return get_struct(r, f->of, at);
    case NWR_FIELD_LIST: return get_list(r, f, base);
    case NWR_FIELD_OWNED: return get_owned(r, f, at);
    }
    return false;
}

static bool get_fields(struct reader *r, const struct nwr_shape *shape, char *base)
{
    for (uint32_t i = 0; i < shape->nfield; i++) {
        nwr_assert(r->depth < DEPTH_MAX);
        r->path[r->depth].name = shape->field[i].name;
        r->path[r->depth++].index = NO_INDEX;
        if (!get_field(r, &shape->field[i], base))
            return false;
        r->depth--;
    }
    return true;
}

static bool get_struct(struct reader *r, const struct nwr_shape *shape, char *base)
{
    uint32_t n;

    if (!nwr_mp_array(&r->in, &n))
        return wrong(r, "not an array");
    if (n != shape->nfield)
        return wrong(r, n < shape->nfield ? "too few fields" : "too many fields");
    return get_fields(r, shape, base);
}

static bool get_msg(struct reader *r, struct nwr_msg *m)
{
    const struct nwr_shape *own;
    uint64_t kind;
    uint32_t n;

    if (!nwr_mp_array(&r->in, &n) || n == 0)
        return wrong(r, "not an array");
    if (!nwr_mp_uint(&r->in, &kind) || !(own = nwr_shape_of(kind)))
        return wrong(r, "unknown kind");
    r->msg = nwr_msg_name(kind);
    m->kind = (enum nwr_msg_kind)kind;
    if (n != 1 + nwr_shape_common.nfield + own->nfield)
        return wrong(r, "another number of fields");
    if (!get_fields(r, &nwr_shape_common, (char *)m) || !get_fields(r, own, (char *)m))
        return false;
    return nwr_in_done(&r->in) ? true : wrong(r, "bytes after its end");
}

uint32_t nwr_frame_length(const uint8_t prefix[NWR_FRAME_HEAD])
{
    uint32_t len = 0;

    for (unsigned i = 0; i < NWR_FRAME_HEAD; i++)
        len = len << 8 | prefix[i];
    return len;
}

enum nwr_err nwr_frame_decode(struct nwr_msg *m, struct nwr_blob *payload,
                              char why[NWR_FRAME_WHY_MAX])
{
    struct reader r = {
        .in = nwr_in_of(payload->data, payload->len), .payload = payload, .msg = "?", .why = why};
    struct nwr_msg got;

    memset(&got, 0, sizeof(got));
    why[0] = 0;
    if (get_msg(&r, &got)) {
        *m = got;
        return NWR_OK;
    }
    if (got.kind)
        nwr_msg_deinit(&got);
    return NWR_E_FORMAT;
}
