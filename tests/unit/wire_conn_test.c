/* wire_conn_test.c -- frames over real sockets of this machine: whole, large, damaged, too many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/uv/address.h"
#include "net/uv/conn.h"
#include "net/uv/listen.h"
#include "net/wire/frame.h"

/* Two ends on one loop; `got` counts messages by end, `why` is how an end was closed. */
struct end {
    struct nwr_conn *conn;
    bool open;
    bool stranger;
    unsigned got, pings;
    uint64_t last_id;
    size_t bytes;
    char why[240];
};

struct fix {
    uv_loop_t loop;
    struct nwr_listener listener;
    struct sockaddr_storage at;
    struct end a, b; /* a dials, b accepts */
    bool b_trusts;
    struct nwr_tls_context *dials, *accepts; /* NULL: plain */
};

static void on_open(struct nwr_conn *c)
{
    ((struct end *)nwr_conn_user(c))->open = true;
}

static void on_msg(struct nwr_conn *c, struct nwr_msg *m)
{
    struct end *e = nwr_conn_user(c);

    e->got++;
    e->pings += m->kind == NWR_MSG_PING;
    e->last_id = m->id;
    if (m->kind == NWR_MSG_BLOCK && m->u.block.data)
        e->bytes += m->u.block.data->len;
    nwr_msg_deinit(m);
}

static void on_closed(struct nwr_conn *c, const char *why)
{
    struct end *e = nwr_conn_user(c);

    e->stranger = nwr_conn_stranger(c);
    e->conn = NULL;
    e->open = false;
    snprintf(e->why, sizeof(e->why), "%s", why);
}

static const struct nwr_conn_calls calls = {on_open, on_msg, on_closed, NULL};

static void on_connection(struct nwr_listener *l, int fd)
{
    struct fix *f = l->poll.data;

    f->b.conn = nwr_conn_accept(&f->loop, fd, f->accepts, &calls, &f->b);
    f->b.open = true;
    if (f->b_trusts)
        nwr_conn_trust(f->b.conn);
}

static struct fix *fix_new(bool b_trusts)
{
    struct fix *f = nwr_zalloc(sizeof(*f));
    int fd;

    f->b_trusts = b_trusts;
    assert_int_equal(uv_loop_init(&f->loop), 0);
    assert_null(nwr_address_parse("127.0.0.1:0", true, &f->at));
    fd = nwr_listener_bind(&f->at);
    assert_true(fd >= 0);
    assert_int_equal(nwr_listener_start(&f->listener, &f->loop, fd, "test", on_connection), 0);
    f->listener.poll.data = f;
    return f;
}

static void until(struct fix *f, const bool *flag)
{
    while (!*flag)
        uv_run(&f->loop, UV_RUN_ONCE);
}

static void until_closed(struct fix *f, struct end *e)
{
    while (e->conn)
        uv_run(&f->loop, UV_RUN_ONCE);
}

static void connect_ends(struct fix *f)
{
    f->a.conn = nwr_conn_dial(&f->loop, (struct sockaddr *)&f->at, f->dials, &calls, &f->a);
    nwr_conn_trust(f->a.conn);
    until(f, &f->a.open);
    until(f, &f->b.open);
}

static void fix_free(struct fix *f)
{
    if (f->a.conn)
        nwr_conn_close(f->a.conn, "end of test");
    if (f->b.conn)
        nwr_conn_close(f->b.conn, "end of test");
    nwr_listener_stop(&f->listener);
    uv_close((uv_handle_t *)&f->listener.poll, NULL);
    uv_close((uv_handle_t *)&f->listener.retry, NULL);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_null(f->a.conn);
    assert_null(f->b.conn);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    nwr_tls_context_destroy(f->dials);
    nwr_tls_context_destroy(f->accepts);
    nwr_free(f);
}

static struct nwr_msg block_msg(uint64_t id, uint32_t len)
{
    struct nwr_msg m = {.kind = NWR_MSG_BLOCK, .id = id};

    m.u.block.data = nwr_blob_new(len);
    memset(m.u.block.data->data, (int)id, len);
    return m;
}

/* digit: of the key; 0: none. */
static struct nwr_tls_context *key_of(char digit)
{
    char text[80] = "nwrfs-key-1 ", why[NWR_KEYS_WHY_MAX];
    struct nwr_keys keys;

    if (!digit)
        return NULL;
    memset(text + 12, digit, 64);
    assert_null(nwr_keys_parse(&keys, text, 76, why));
    return nwr_tls_context_create(&keys);
}

static struct fix *fix_with_keys(char dials, char accepts)
{
    struct fix *f = fix_new(true);

    f->dials = key_of(dials);
    f->accepts = key_of(accepts);
    return f;
}

static void frames_arrive_in_order(struct fix *f)
{
    static const uint32_t sizes[] = {0,     1,     100,    4096,   4097,          60000,
                                     65529, 65536, 200000, 900000, NWR_BLOCK_MAX, 3};
    size_t want = 0;

    connect_ends(f);
    for (uint64_t i = 0; i < 5 * NWR_COUNT(sizes); i++) {
        struct nwr_msg m = block_msg(i + 1, sizes[i % NWR_COUNT(sizes)]);

        want += m.u.block.data->len;
        assert_int_equal(nwr_conn_send(f->a.conn, &m), NWR_OK);
        nwr_msg_deinit(&m);
    }
    nwr_conn_flush(f->a.conn);
    while (f->b.got < 5 * NWR_COUNT(sizes))
        uv_run(&f->loop, UV_RUN_ONCE);
    assert_int_equal(f->b.last_id, 5 * NWR_COUNT(sizes));
    assert_int_equal(f->b.bytes, want);
    fix_free(f);
}

static void frames_of_all_sizes_arrive_in_order(void **state)
{
    (void)state;
    frames_arrive_in_order(fix_new(true));
}

static void with_a_key_frames_of_all_sizes_arrive_in_order(void **state)
{
    (void)state;
    frames_arrive_in_order(fix_with_keys('1', '1'));
}

static void a_ping_is_answered(void **state)
{
    struct fix *f = fix_new(true);
    struct nwr_msg m = {.kind = NWR_MSG_PING, .id = 9};

    (void)state;
    connect_ends(f);
    nwr_conn_send(f->a.conn, &m);
    nwr_conn_flush(f->a.conn);
    while (f->a.got == 0)
        uv_run(&f->loop, UV_RUN_ONCE);
    assert_int_equal(f->a.last_id, 9);
    assert_int_equal(f->b.pings, 1);
    fix_free(f);
}

static void silence_is_asked_about_then_ends_it(void **state)
{
    struct fix *f = fix_new(true);
    nwr_ms now;

    (void)state;
    connect_ends(f);
    now = uv_now(&f->loop);
    /* Time is an argument; b is never read, so a hears nothing. */
    for (unsigned i = 1; i * NWR_CONN_SWEEP_MS <= NWR_CONN_DEAD_MS; i++)
        nwr_conn_sweep(f->a.conn, now + i * NWR_CONN_SWEEP_MS);
    nwr_conn_sweep(f->a.conn, now + NWR_CONN_DEAD_MS + NWR_CONN_SWEEP_MS);
    until_closed(f, &f->a);
    assert_string_equal(f->a.why, "silent");
    until_closed(f, &f->b);
    assert_true(f->b.pings >= 2);
    fix_free(f);
}

static void a_pause_of_this_process_is_not_the_silence_of_the_other(void **state)
{
    struct fix *f = fix_new(true);
    nwr_ms now;

    (void)state;
    connect_ends(f);
    now = uv_now(&f->loop);
    nwr_conn_sweep(f->a.conn, now + 10 * NWR_CONN_DEAD_MS);
    uv_run(&f->loop, UV_RUN_NOWAIT);
    assert_non_null(f->a.conn);
    fix_free(f);
}

static void before_hello_only_small_frames_are_read(void **state)
{
    struct fix *f = fix_new(false);
    struct nwr_msg m = block_msg(1, NWR_CONN_HELLO_BYTES + 1);

    (void)state;
    connect_ends(f);
    nwr_conn_send(f->a.conn, &m);
    nwr_conn_flush(f->a.conn);
    nwr_msg_deinit(&m);
    until_closed(f, &f->b);
    assert_string_equal(f->b.why, "does not speak the nwrfs protocol");
    fix_free(f);
}

static void send_raw(struct fix *f, const void *data, size_t len)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(connect(fd, (struct sockaddr *)&f->at, sizeof(struct sockaddr_in)), 0);
    assert_int_equal(write(fd, data, len), len);
    until(f, &f->b.open);
    until_closed(f, &f->b);
    close(fd);
}

static void garbage_closes_only_its_own_connection(void **state)
{
    struct fix *f = fix_new(true);
    struct end good = {0};

    (void)state;
    connect_ends(f);
    good = f->b;
    f->b = (struct end){0};
    send_raw(f, "GET / HTTP/1.1\r\n\r\n", 18);
    assert_string_equal(f->b.why, "a frame of a forbidden length");
    f->b = (struct end){0};
    send_raw(f, "\0\0\0\3\x91\x63\x63", 7);
    assert_string_equal(f->b.why, "frame ?: unknown kind");
    assert_true(f->a.open);
    f->b = good; /* its user pointer is &f->b again */
    fix_free(f);
}

static void a_full_queue_closes_the_connection(void **state)
{
    struct fix *f = fix_new(true);
    struct nwr_msg m = block_msg(1, NWR_BLOCK_MAX);

    (void)state;
    connect_ends(f);
    /* The loop does not run, so nobody takes anything in. */
    for (unsigned i = 0; i < NWR_CONN_OUT_MAX / NWR_BLOCK_MAX + 16; i++) {
        nwr_conn_send(f->a.conn, &m);
        nwr_conn_flush(f->a.conn);
    }
    until_closed(f, &f->a);
    assert_string_equal(f->a.why, "takes in nothing, too much is waiting for it");
    nwr_msg_deinit(&m);
    fix_free(f);
}

static void a_last_word_arrives_before_the_end(void **state)
{
    struct fix *f = fix_new(true);
    struct nwr_msg m = {.kind = NWR_MSG_REFUSED, .id = 5};

    (void)state;
    connect_ends(f);
    nwr_conn_send(f->a.conn, &m);
    nwr_conn_finish(f->a.conn, "refused");
    until_closed(f, &f->a);
    until_closed(f, &f->b);
    assert_string_equal(f->a.why, "refused");
    assert_int_equal(f->b.last_id, 5);
    fix_free(f);
}

static void with_a_key_a_last_word_arrives_before_the_end(void **state)
{
    struct fix *f = fix_with_keys('1', '1');
    struct nwr_msg m = {.kind = NWR_MSG_REFUSED, .id = 5};

    (void)state;
    connect_ends(f);
    assert_string_equal(nwr_conn_key(f->a.conn), nwr_tls_context_first(f->accepts));
    nwr_conn_send(f->a.conn, &m);
    nwr_conn_finish(f->a.conn, "refused");
    until_closed(f, &f->a);
    until_closed(f, &f->b);
    assert_int_equal(f->b.last_id, 5);
    assert_string_equal(f->b.why, "closed by the other side");
    fix_free(f);
}

/* a dials b; what each says, and that both know that trying again is of no use. */
static struct fix *strangers(char dials, char accepts, const char *why_a, const char *why_b)
{
    struct fix *f = fix_with_keys(dials, accepts);
    struct nwr_msg hello = {.kind = NWR_MSG_HELLO};

    f->a.conn = nwr_conn_dial(&f->loop, (struct sockaddr *)&f->at, f->dials, &calls, &f->a);
    nwr_conn_send(f->a.conn, &hello);
    while (!f->a.why[0] || !f->b.why[0])
        uv_run(&f->loop, UV_RUN_ONCE);
    if (!strstr(f->a.why, why_a) || !strstr(f->b.why, why_b))
        fail_msg("wanted <%s>, <%s>; got <%s>, <%s>", why_a, why_b, f->a.why, f->b.why);
    assert_true(f->b.stranger);
    assert_int_equal(f->b.got, 0);
    return f;
}

static void another_key_ends_it_and_both_sides_say_why(void **state)
{
    struct fix *f = strangers('1', '2', "refuses key", "offers key");

    (void)state;
    assert_true(f->a.stranger);
    assert_int_equal(f->a.got, 0);
    fix_free(f);
}

static void a_key_on_the_dialing_side_only_ends_it_on_both(void **state)
{
    struct fix *f = strangers('1', 0, "it has no key", "it has a key and this node has none");

    (void)state;
    assert_true(f->a.stranger);
    assert_int_equal(f->a.got, 0);
    fix_free(f);
}

/* The dialing side has no TLS to be told by: a plain frame says it. */
static void a_key_on_the_accepting_side_only_ends_it_on_both(void **state)
{
    struct fix *f = strangers(0, '1', "closed", "it has no key and this node has one");

    (void)state;
    assert_int_equal(f->a.got, 1);
    fix_free(f);
}

static void a_handshake_that_is_not_finished_ends(void **state)
{
    struct fix *f = fix_with_keys('1', '1');
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    (void)state;
    f->b_trusts = false;
    assert_int_equal(connect(fd, (struct sockaddr *)&f->at, sizeof(struct sockaddr_in)), 0);
    assert_int_equal(write(fd, "\x16\x03\x01\x01", 4), 4);
    until(f, &f->b.open);
    nwr_conn_sweep(f->b.conn, uv_now(&f->loop) + NWR_CONN_HELLO_MS + 1);
    until_closed(f, &f->b);
    assert_string_equal(f->b.why, "did not finish the TLS handshake");
    close(fd);
    fix_free(f);
}

static void with_a_key_garbage_and_a_cut_are_told_apart(void **state)
{
    struct fix *f = fix_with_keys('1', '1');
    int fd;

    (void)state;
    send_raw(f, "GET / HTTP/1.1\r\n\r\n", 18);
    assert_string_equal(f->b.why, "does not speak the nwrfs protocol");
    f->b = (struct end){0};
    fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&f->at, sizeof(struct sockaddr_in)), 0);
    assert_int_equal(write(fd, "\x16\x03\x01\x01", 4), 4);
    until(f, &f->b.open);
    close(fd);
    until_closed(f, &f->b);
    assert_string_equal(f->b.why, "closed by the other side during the TLS handshake");
    fix_free(f);
}

static void limit_descriptors(rlim_t to)
{
    struct rlimit r;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &r), 0);
    r.rlim_cur = to;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &r), 0);
}

static void who_connects_while_no_descriptor_is_left_is_accepted_later(void **state)
{
    struct fix *f = fix_new(true);
    struct rlimit before;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    f->a.conn = nwr_conn_dial(&f->loop, (struct sockaddr *)&f->at, NULL, &calls, &f->a);
    nwr_conn_trust(f->a.conn);
    limit_descriptors(1); /* below what is in use */
    until(f, &f->listener.paused);
    until(f, &f->a.open); /* everything else goes on */
    assert_false(f->b.open);
    assert_int_equal(uv_is_active((uv_handle_t *)&f->listener.poll), 0);
    assert_int_equal(uv_is_active((uv_handle_t *)&f->listener.retry), 1);
    limit_descriptors(before.rlim_cur);
    until(f, &f->b.open);
    assert_true(f->listener.failures > 0);
    assert_false(f->listener.paused);
    fix_free(f);
}

static void nobody_there_is_said(void **state)
{
    struct fix *f = fix_new(true);
    struct sockaddr_storage nobody;

    (void)state;
    assert_null(nwr_address_parse("127.0.0.1:1", true, &nobody));
    f->a.conn = nwr_conn_dial(&f->loop, (struct sockaddr *)&nobody, NULL, &calls, &f->a);
    until_closed(f, &f->a);
    assert_string_equal(f->a.why, "connection refused");
    fix_free(f);
}

static void addresses_are_read_and_written(void **state)
{
    struct sockaddr_storage a;
    char text[NWR_ADDRESS_MAX];

    (void)state;
    assert_null(nwr_address_parse("[::1]:700", true, &a));
    nwr_address_text((struct sockaddr *)&a, text);
    assert_string_equal(text, "[::1]:700");
    assert_true(nwr_address_loopback((struct sockaddr *)&a));
    assert_null(nwr_address_parse("10.1.2.3:65535", true, &a));
    nwr_address_text((struct sockaddr *)&a, text);
    assert_string_equal(text, "10.1.2.3:65535");
    assert_false(nwr_address_loopback((struct sockaddr *)&a));
    assert_non_null(nwr_address_parse("10.1.2.3", true, &a));
    assert_non_null(nwr_address_parse("10.1.2.3:65536", true, &a));
    assert_non_null(nwr_address_parse("10.1.2.3:7x", true, &a));
    assert_non_null(nwr_address_parse("::1:700", true, &a));
    assert_non_null(nwr_address_parse(":700", true, &a));
    assert_non_null(nwr_address_parse("", true, &a));
    assert_non_null(nwr_address_parse("name:700", true, &a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_of_all_sizes_arrive_in_order),
        cmocka_unit_test(a_ping_is_answered),
        cmocka_unit_test(silence_is_asked_about_then_ends_it),
        cmocka_unit_test(a_pause_of_this_process_is_not_the_silence_of_the_other),
        cmocka_unit_test(before_hello_only_small_frames_are_read),
        cmocka_unit_test(garbage_closes_only_its_own_connection),
        cmocka_unit_test(a_full_queue_closes_the_connection),
        cmocka_unit_test(a_last_word_arrives_before_the_end),
        cmocka_unit_test(with_a_key_frames_of_all_sizes_arrive_in_order),
        cmocka_unit_test(with_a_key_a_last_word_arrives_before_the_end),
        cmocka_unit_test(another_key_ends_it_and_both_sides_say_why),
        cmocka_unit_test(a_key_on_the_dialing_side_only_ends_it_on_both),
        cmocka_unit_test(a_key_on_the_accepting_side_only_ends_it_on_both),
        cmocka_unit_test(a_handshake_that_is_not_finished_ends),
        cmocka_unit_test(with_a_key_garbage_and_a_cut_are_told_apart),
        cmocka_unit_test(who_connects_while_no_descriptor_is_left_is_accepted_later),
        cmocka_unit_test(nobody_there_is_said),
        cmocka_unit_test(addresses_are_read_and_written),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
