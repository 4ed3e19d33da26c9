/* encode.c -- messages to frames; see frame.h. */
#include "net/wire/frame.h"
#include "net/wire/mp.h"
#include "net/wire/shape.h"

static void put_struct(struct nwr_frame *f, const struct nwr_shape *shape, const char *base);

static uint64_t get_uint(const char *at, uint32_t size)
{
    uint64_t v = 0;

    switch (size) {
    case 1: return *(const uint8_t *)at;
    case 2: return *(const uint16_t *)(const void *)at;
    case 4: return *(const uint32_t *)(const void *)at;
    case 8: return *(const uint64_t *)(const void *)at;
    }
    nwr_assert(size == 8);
    return v;
}

static struct nwr_slice *add_slice(struct nwr_frame *f)
{
    f->slice = nwr_grow(f->slice, &f->capslice, f->nslice + 1, sizeof(*f->slice));
    f->slice[f->nslice] = (struct nwr_slice){0};
    return &f->slice[f->nslice++];
}

/* What was written to the frame's own bytes since the last slice becomes one. */
static void close_slice(struct nwr_frame *f, uint32_t *from)
{
    struct nwr_slice *s;

    if (f->bytes.len == *from)
        return;
    s = add_slice(f);
    s->at = *from;
    s->len = f->bytes.len - *from;
    f->len += s->len;
    *from = f->bytes.len;
}

static uint32_t sliced(const struct nwr_frame *f)
{
    for (uint32_t i = f->nslice; i-- > 0;)
        if (!f->slice[i].blob)
            return f->slice[i].at + f->slice[i].len;
    return 0;
}

static void put_blob(struct nwr_frame *f, struct nwr_blob *b)
{
    uint32_t from;
    struct nwr_slice *s;

    if (!b) {
        nwr_mp_put_nil(&f->bytes);
        return;
    }
    nwr_mp_put_bin(&f->bytes, b->len);
    if (b->len <= NWR_FRAME_COPY_MAX) {
        nwr_out_raw(&f->bytes, b->data, b->len);
        return;
    }
    from = sliced(f);
    close_slice(f, &from);
    s = add_slice(f);
    s->blob = nwr_blob_ref(b);
    s->len = b->len;
    f->len += s->len;
}

static void put_record(struct nwr_frame *f, const struct nwr_record *r)
{
    struct nwr_out rec = {0};

    nwr_record_encode(r, &rec);
    nwr_mp_put_bin(&f->bytes, rec.len);
    nwr_out_raw(&f->bytes, rec.data, rec.len);
    nwr_out_free(&rec);
}

static void put_list(struct nwr_frame *f, const struct nwr_field *field, const char *base)
{
    uint32_t n = *(const uint32_t *)(const void *)(base + field->count_at);
    const char *items = *(char *const *)(const void *)(base + field->at);

    nwr_mp_put_array(&f->bytes, n);
    for (uint32_t i = 0; i < n; i++)
        put_struct(f, field->of, items + (size_t)i * field->of->bytes);
}

static void put_field(struct nwr_frame *f, const struct nwr_field *field, const char *base)
{
    const char *at = base + field->at;
    const struct nwr_key *key = (const void *)at;

    switch (field->type) {
    case NWR_FIELD_UINT: nwr_mp_put_uint(&f->bytes, get_uint(at, field->size)); break;
    case NWR_FIELD_TEXT:
        nwr_mp_put_str(&f->bytes, at, (uint32_t)strnlen(at, field->size - 1));
        break;
    case NWR_FIELD_BLOB: put_blob(f, *(struct nwr_blob *const *)(const void *)at); break;
    case NWR_FIELD_KEY:
        nwr_mp_put_bin(&f->bytes, key->len);
        nwr_out_raw(&f->bytes, key->b, key->len);
        break;
    case NWR_FIELD_RECORD: put_record(f, (const void *)at); break;
    case NWR_FIELD_STRUCT: put_struct(f, field->of, at); break;
    case NWR_FIELD_LIST: put_list(f, field, base); break;
    case NWR_FIELD_OWNED: put_struct(f, field->of, *(char *const *)(const void *)at); break;
    }
}

static void put_fields(struct nwr_frame *f, const struct nwr_shape *shape, const char *base)
{
    for (uint32_t i = 0; i < shape->nfield; i++)
        put_field(f, &shape->field[i], base);
}

static void put_struct(struct nwr_frame *f, const struct nwr_shape *shape, const char *base)
{
    nwr_mp_put_array(&f->bytes, shape->nfield);
    put_fields(f, shape, base);
}

enum nwr_err nwr_frame_encode(struct nwr_frame *frame, const struct nwr_msg *m)
{
    const struct nwr_shape *own = nwr_shape_of(m->kind);
    struct nwr_frame f = {0};
    uint32_t from;
    size_t len;

    nwr_assert(own);
    nwr_out_u32(&f.bytes, 0);
    nwr_mp_put_array(&f.bytes, 1 + nwr_shape_common.nfield + own->nfield);
    nwr_mp_put_uint(&f.bytes, m->kind);
    put_fields(&f, &nwr_shape_common, (const char *)m);
    put_fields(&f, own, (const char *)m);
    from = sliced(&f);
    close_slice(&f, &from);
    len = f.len - NWR_FRAME_HEAD;
    if (len > NWR_FRAME_MAX) {
        nwr_frame_deinit(&f);
        return NWR_E_FBIG;
    }
    for (unsigned i = 0; i < NWR_FRAME_HEAD; i++)
        f.bytes.data[i] = (uint8_t)(len >> (8 * (NWR_FRAME_HEAD - 1 - i)));
    *frame = f;
    return NWR_OK;
}

void nwr_frame_deinit(struct nwr_frame *frame)
{
    for (uint32_t i = 0; i < frame->nslice; i++)
        nwr_blob_unref(frame->slice[i].blob);
    nwr_free(frame->slice);
    nwr_out_free(&frame->bytes);
    *frame = (struct nwr_frame){0};
}

const uint8_t *nwr_frame_slice(const struct nwr_frame *frame, uint32_t i, size_t *len)
{
    const struct nwr_slice *s = &frame->slice[i];

    nwr_assert(i < frame->nslice);
    *len = s->len;
    return (s->blob ? s->blob->data : frame->bytes.data) + s->at;
}
