/* fill.c -- see fill.h. */
#include "tests/lib/fill.h"

#include "net/wire/frame.h"
#include "net/wire/shape.h"

#define ITEMS_MAX 4

struct filler {
    struct nwr_rng *rng;
    uint32_t blob_max;
};

static void fill_fields(struct filler *f, const struct nwr_shape *shape, char *base);

static uint64_t below(struct filler *f, uint64_t bound)
{
    return nwr_rng_below(f->rng, bound);
}

static void fill_uint(struct filler *f, const struct nwr_field *field, char *at)
{
    uint64_t v = nwr_rng_next(f->rng) >> below(f, 64);

    if (field->max != UINT64_MAX)
        v %= field->max + 1;
    memcpy(at, &v, field->size); /* little-endian, as every machine these tests run on */
}

static struct nwr_blob *fill_blob(struct filler *f, uint64_t max)
{
    uint64_t top = NWR_MIN(max, f->blob_max);
    uint64_t len = below(f, 3) ? below(f, NWR_MIN(top, 64) + 1) : below(f, top + 1);
    struct nwr_blob *b;

    if (below(f, 8) == 0)
        return NULL;
    b = nwr_blob_new(len);
    for (uint64_t i = 0; i < len; i++)
        b->data[i] = (uint8_t)nwr_mix64(i + len);
    return b;
}

static void fill_key(struct filler *f, struct nwr_key *key, uint16_t len)
{
    key->len = len;
    for (uint16_t i = 0; i < len; i++)
        key->b[i] = (uint8_t)below(f, 256);
}

static void fill_record(struct filler *f, struct nwr_record *r)
{
    uint64_t n = below(f, 3);

    for (uint64_t i = 0; i < n; i++) {
        struct nwr_version v = {0};
        struct nwr_dot dot;

        v.dot.actor = (1 + below(f, 5)) << 32 | 7;
        v.dot.counter = nwr_vv_get(&r->ctx.vv, v.dot.actor) + 1 + below(f, 3);
        v.wid = nwr_rng_next(f->rng);
        v.hlc = nwr_rng_next(f->rng);
        v.body = fill_blob(f, 200);
        nwr_record_put(r, &v, NULL, 0, NULL, 0, &dot);
        nwr_version_deinit(&v);
    }
}

/* Keeps the promise of sorted lists: dots and rows. */
static void make_sorted(const struct nwr_field *field, char *items, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        if (field->of->bytes == sizeof(struct nwr_row)) {
            struct nwr_key *key = &((struct nwr_row *)(void *)items)[i].key;

            if (key->len == 0)
                key->len = 1;
            key->b[0] = (uint8_t)i;
        } else {
            struct nwr_dot *dot = &((struct nwr_dot *)(void *)items)[i];

            dot->actor = i + 1;
            dot->counter |= 1;
        }
    }
}

static void fill_list(struct filler *f, const struct nwr_field *field, char *base)
{
    uint32_t n = (uint32_t)below(f, ITEMS_MAX + 1);
    char *items = n ? nwr_zalloc((size_t)ITEMS_MAX * field->of->bytes) : NULL;

    for (uint32_t i = 0; i < n; i++)
        fill_fields(f, field->of, items + (size_t)i * field->of->bytes);
    if (field->check)
        make_sorted(field, items, n);
    memcpy(base + field->at, &items, sizeof(items));
    memcpy(base + field->count_at, &n, sizeof(n));
    if (field->cap_at && n)
        *(uint32_t *)(void *)(base + field->cap_at) = ITEMS_MAX;
}

static void fill_text(struct filler *f, const struct nwr_field *field, char *at)
{
    uint64_t len = below(f, field->size);

    for (uint64_t i = 0; i < len; i++)
        at[i] = (char)('a' + below(f, 26));
}

static void fill_field(struct filler *f, const struct nwr_field *field, char *base)
{
    char *at = base + field->at, *item;
    struct nwr_blob *blob;

    switch (field->type) {
    case NWR_FIELD_UINT: fill_uint(f, field, at); break;
    case NWR_FIELD_TEXT: fill_text(f, field, at); break;
    case NWR_FIELD_BLOB:
        blob = fill_blob(f, field->max);
        memcpy(at, &blob, sizeof(blob));
        break;
    case NWR_FIELD_KEY: fill_key(f, (void *)at, (uint16_t)below(f, NWR_KEY_MAX + 1)); break;
    case NWR_FIELD_RECORD: fill_record(f, (void *)at); break;
    case NWR_FIELD_STRUCT: fill_fields(f, field->of, at); break;
    case NWR_FIELD_LIST: fill_list(f, field, base); break;
    case NWR_FIELD_OWNED:
        item = nwr_zalloc(field->of->bytes);
        memcpy(at, &item, sizeof(item));
        fill_fields(f, field->of, item);
        break;
    }
}

static void fill_fields(struct filler *f, const struct nwr_shape *shape, char *base)
{
    for (uint32_t i = 0; i < shape->nfield; i++)
        fill_field(f, &shape->field[i], base);
}

void nwr_fill_msg(struct nwr_msg *m, uint64_t kind, struct nwr_rng *rng, uint32_t blob_max)
{
    struct filler f = {rng, blob_max};

    memset(m, 0, sizeof(*m));
    m->kind = (enum nwr_msg_kind)kind;
    fill_fields(&f, &nwr_shape_common, (char *)m);
    fill_fields(&f, nwr_shape_of(kind), (char *)m);
}

struct nwr_blob *nwr_fill_payload(const struct nwr_msg *m)
{
    struct nwr_frame frame;
    struct nwr_blob *b;
    size_t len, at = 0;

    if (nwr_frame_encode(&frame, m) != NWR_OK)
        return NULL;
    b = nwr_blob_new(frame.len - NWR_FRAME_HEAD);
    for (uint32_t i = 0; i < frame.nslice; i++) {
        const uint8_t *data = nwr_frame_slice(&frame, i, &len);
        size_t skip = i == 0 ? NWR_FRAME_HEAD : 0;

        memcpy(b->data + at, data + skip, len - skip);
        at += len - skip;
    }
    nwr_assert(at == b->len);
    nwr_frame_deinit(&frame);
    return b;
}
