/* frame_test.c -- messages survive the wire, and what cannot be a message is named. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <msgpack.h>

#include "net/wire/frame.h"
#include "net/wire/mp.h"
#include "tests/lib/fill.h"

#define ROUNDS 300

static void assert_same_bytes(const struct nwr_blob *a, const struct nwr_blob *b)
{
    assert_int_equal(a->len, b->len);
    assert_memory_equal(a->data, b->data, a->len);
}

static void every_kind_comes_back_as_it_was_sent(void **state)
{
    struct nwr_rng rng;

    (void)state;
    nwr_rng_init(&rng, 1);
    for (uint64_t i = 0; i < ROUNDS; i++) {
        for (uint64_t kind = 1; kind <= NWR_FILL_KINDS; kind++) {
            char why[NWR_FRAME_WHY_MAX];
            struct nwr_msg m, got;
            struct nwr_blob *sent, *again;

            nwr_fill_msg(&m, kind, &rng, 20000);
            sent = nwr_fill_payload(&m);
            if (nwr_frame_decode(&got, sent, why) != NWR_OK)
                fail_msg("%s", why);
            assert_int_equal(got.kind, kind);
            again = nwr_fill_payload(&got);
            assert_same_bytes(sent, again);
            nwr_blob_unref(sent);
            nwr_blob_unref(again);
            nwr_msg_deinit(&m);
            nwr_msg_deinit(&got);
        }
    }
}

static struct nwr_msg put_request(uint32_t block_bytes)
{
    struct nwr_msg m = {.kind = NWR_MSG_REQUEST, .id = 77, .epoch = 5, .pg = 9};
    struct nwr_request *req = nwr_request_new(NWR_OP_PUT, 9);
    struct nwr_write *w = nwr_request_write(req);
    struct nwr_block *b = nwr_request_block(req);

    w->key = nwr_key_entry(NWR_INO_ROOT, "name", 4);
    w->v.wid = 42;
    w->v.body = nwr_blob_copy("slot", 4);
    nwr_write_seen(w, (struct nwr_dot){1, 2}, 3);
    b->id = (struct nwr_block_id){11, 42, 1};
    b->data = nwr_blob_new(block_bytes);
    memset(b->data->data, 0xab, block_bytes);
    m.u.request = req;
    return m;
}

static void the_fields_of_a_request_arrive(void **state)
{
    struct nwr_msg m = put_request(100), got;
    struct nwr_blob *payload = nwr_fill_payload(&m);
    char why[NWR_FRAME_WHY_MAX];
    const struct nwr_request *req;

    (void)state;
    assert_int_equal(nwr_frame_decode(&got, payload, why), NWR_OK);
    req = got.u.request;
    assert_int_equal(got.id, 77);
    assert_int_equal(got.epoch, 5);
    assert_int_equal(req->op, NWR_OP_PUT);
    assert_int_equal(req->pg, 9);
    assert_int_equal(req->nwrite, 1);
    assert_int_equal(nwr_key_cmp(&req->write[0].key, &m.u.request->write[0].key), 0);
    assert_int_equal(req->write[0].seen[0].wid, 3);
    assert_memory_equal(req->write[0].v.body->data, "slot", 4);
    assert_int_equal(req->block[0].id.ino, 11);
    assert_int_equal(req->block[0].data->len, 100);
    nwr_blob_unref(payload);
    nwr_msg_deinit(&m);
    nwr_msg_deinit(&got);
}

static void a_large_block_is_a_slice_of_its_own(void **state)
{
    struct nwr_msg m = put_request(NWR_BLOCK_MAX);
    const uint8_t *block = m.u.request->block[0].data->data;
    struct nwr_frame frame;
    bool found = false;
    size_t len;

    (void)state;
    assert_int_equal(nwr_frame_encode(&frame, &m), NWR_OK);
    for (uint32_t i = 0; i < frame.nslice; i++)
        found |= nwr_frame_slice(&frame, i, &len) == block && len == NWR_BLOCK_MAX;
    assert_true(found);
    assert_true(frame.bytes.len < 1000);
    nwr_frame_deinit(&frame);
    nwr_msg_deinit(&m);
}

static void a_large_block_is_not_copied_when_received(void **state)
{
    struct nwr_msg m = put_request(NWR_BLOCK_MAX), got;
    struct nwr_blob *payload = nwr_fill_payload(&m);
    char why[NWR_FRAME_WHY_MAX];
    const uint8_t *data;

    (void)state;
    assert_int_equal(nwr_frame_decode(&got, payload, why), NWR_OK);
    data = got.u.request->block[0].data->data;
    assert_true(data > payload->data && data < payload->data + payload->len);
    nwr_blob_unref(payload);
    assert_int_equal(data[0], 0xab); /* the message keeps it */
    nwr_msg_deinit(&m);
    nwr_msg_deinit(&got);
}

static void a_frame_is_msgpack_to_another_reader(void **state)
{
    struct nwr_rng rng;

    (void)state;
    nwr_rng_init(&rng, 2);
    for (uint64_t kind = 1; kind <= NWR_FILL_KINDS; kind++) {
        struct nwr_msg m;
        struct nwr_blob *payload;
        msgpack_unpacked u;
        size_t off = 0;

        nwr_fill_msg(&m, kind, &rng, 100000);
        payload = nwr_fill_payload(&m);
        msgpack_unpacked_init(&u);
        assert_int_equal(msgpack_unpack_next(&u, (const char *)payload->data, payload->len, &off),
                         MSGPACK_UNPACK_SUCCESS);
        assert_int_equal(off, payload->len);
        assert_int_equal(u.data.type, MSGPACK_OBJECT_ARRAY);
        assert_int_equal(u.data.via.array.ptr[0].via.u64, kind);
        assert_int_equal(u.data.via.array.ptr[1].via.u64, m.id);
        msgpack_unpacked_destroy(&u);
        nwr_blob_unref(payload);
        nwr_msg_deinit(&m);
    }
}

static void integers_are_read_in_every_form(void **state)
{
    static const uint8_t forms[][9] = {
        {5}, {0xcc, 5}, {0xcd, 0, 5}, {0xce, 0, 0, 0, 5}, {0xcf, 0, 0, 0, 0, 0, 0, 0, 5}};
    uint64_t v;

    (void)state;
    for (size_t i = 0; i < NWR_COUNT(forms); i++) {
        struct nwr_in in = nwr_in_of(forms[i], sizeof(forms[i]));

        assert_true(nwr_mp_uint(&in, &v));
        assert_int_equal(v, 5);
    }
}

static void assert_refused(struct nwr_out *o, const char *text)
{
    struct nwr_blob *payload = nwr_out_blob(o);
    char why[NWR_FRAME_WHY_MAX];
    struct nwr_msg m;

    assert_int_equal(nwr_frame_decode(&m, payload, why), NWR_E_FORMAT);
    assert_string_equal(why, text);
    nwr_blob_unref(payload);
}

/* kind, id, epoch, pg, err */
static void put_common(struct nwr_out *o, uint32_t own, uint64_t kind, uint64_t pg)
{
    nwr_mp_put_array(o, 5 + own);
    nwr_mp_put_uint(o, kind);
    nwr_mp_put_uint(o, 1);
    nwr_mp_put_uint(o, 1);
    nwr_mp_put_uint(o, pg);
    nwr_mp_put_uint(o, 0);
}

static void an_error_names_message_and_field(void **state)
{
    struct nwr_out o = {0};

    (void)state;
    put_common(&o, 1, NWR_MSG_ACK, NWR_PGS_MAX);
    assert_refused(&o, "frame ACK: field pg: 1024 is more than 1023");

    put_common(&o, 1, NWR_MSG_ACK, 3);
    nwr_mp_put_array(&o, 2);
    nwr_mp_put_array(&o, 3);
    for (int i = 0; i < 3; i++)
        nwr_mp_put_uint(&o, 7);
    nwr_mp_put_array(&o, 3);
    nwr_mp_put_uint(&o, 7);
    nwr_mp_put_str(&o, "seven", 5);
    assert_refused(&o, "frame ACK: field missing[1].wid: not an unsigned integer");

    put_common(&o, 2, NWR_MSG_ACK, 3);
    assert_refused(&o, "frame ACK: another number of fields");

    nwr_mp_put_array(&o, 6);
    nwr_mp_put_uint(&o, 99);
    assert_refused(&o, "frame ?: unknown kind");

    nwr_out_raw(&o, "GET / HTTP/1.1\r\n", 16);
    assert_refused(&o, "frame ?: not an array");
}

static void a_count_beyond_the_frame_allocates_nothing(void **state)
{
    struct nwr_out o = {0};

    (void)state;
    put_common(&o, 1, NWR_MSG_ACK, 3);
    nwr_mp_put_array(&o, 60000);
    assert_refused(&o, "frame ACK: field missing: longer than the frame");
    put_common(&o, 1, NWR_MSG_ACK, 3);
    nwr_mp_put_array(&o, 1U << 30);
    assert_refused(&o, "frame ACK: field missing: 1073741824 is more than 65536");
}

static void rows_out_of_order_are_refused(void **state)
{
    struct nwr_msg m = {.kind = NWR_MSG_ROWS};
    struct nwr_key a = nwr_key_entry(NWR_INO_ROOT, "a", 1), b = nwr_key_entry(NWR_INO_ROOT, "b", 1);
    struct nwr_blob *payload;
    char why[NWR_FRAME_WHY_MAX];

    (void)state;
    nwr_rows_at(&m.u.rows.rows, &a);
    nwr_rows_at(&m.u.rows.rows, &b);
    m.u.rows.rows.row[0].key = b;
    m.u.rows.rows.row[1].key = a;
    payload = nwr_fill_payload(&m);
    assert_int_equal(nwr_frame_decode(&m, payload, why), NWR_E_FORMAT);
    assert_string_equal(why, "frame ROWS: field rows.row: not in order");
    nwr_blob_unref(payload);
    nwr_msg_deinit(&m);
}

static void more_than_a_frame_holds_is_refused_when_sent(void **state)
{
    struct nwr_msg m = put_request(10);
    struct nwr_frame frame;

    (void)state;
    for (int i = 0; i < 8; i++) {
        struct nwr_block *b = nwr_request_block(m.u.request);

        b->data = nwr_blob_ref(m.u.request->block[0].data);
    }
    assert_int_equal(nwr_frame_encode(&frame, &m), NWR_OK);
    nwr_frame_deinit(&frame);
    for (int i = 0; i < 9; i++) {
        nwr_blob_unref(m.u.request->block[i].data);
        m.u.request->block[i].data = nwr_blob_new(NWR_BLOCK_MAX);
        memset(m.u.request->block[i].data->data, 0, NWR_BLOCK_MAX);
    }
    assert_int_equal(nwr_frame_encode(&frame, &m), NWR_E_FBIG);
    nwr_msg_deinit(&m);
}

static void what_was_decoded_can_be_appended_to(void **state)
{
    struct nwr_msg m = put_request(10), got;
    struct nwr_blob *payload;
    char why[NWR_FRAME_WHY_MAX];

    (void)state;
    nwr_request_write(m.u.request);
    nwr_request_write(m.u.request);
    payload = nwr_fill_payload(&m);
    assert_int_equal(nwr_frame_decode(&got, payload, why), NWR_OK);
    for (int i = 0; i < 20; i++)
        nwr_request_write(got.u.request)->discard = true;
    assert_int_equal(got.u.request->nwrite, 23);
    nwr_blob_unref(payload);
    nwr_msg_deinit(&m);
    nwr_msg_deinit(&got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_comes_back_as_it_was_sent),
        cmocka_unit_test(the_fields_of_a_request_arrive),
        cmocka_unit_test(a_large_block_is_a_slice_of_its_own),
        cmocka_unit_test(a_large_block_is_not_copied_when_received),
        cmocka_unit_test(a_frame_is_msgpack_to_another_reader),
        cmocka_unit_test(integers_are_read_in_every_form),
        cmocka_unit_test(an_error_names_message_and_field),
        cmocka_unit_test(a_count_beyond_the_frame_allocates_nothing),
        cmocka_unit_test(rows_out_of_order_are_refused),
        cmocka_unit_test(more_than_a_frame_holds_is_refused_when_sent),
        cmocka_unit_test(what_was_decoded_can_be_appended_to),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
