/* tls_test.c -- the handshake with the volume key and its enemies, over memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>

#include "net/tls/tls.h"

/* Keys are told apart by one digit. */
static struct nwr_keys keys_of(const char *digits)
{
    char text[300], why[NWR_KEYS_WHY_MAX];
    struct nwr_keys keys = {0};
    int len = 0;

    for (; *digits; digits++) {
        len += snprintf(text + len, sizeof(text) - (size_t)len, "nwrfs-key-1 ");
        memset(text + len, *digits, 64);
        len += 64;
        text[len++] = '\n';
    }
    assert_null(nwr_keys_parse(&keys, text, (size_t)len, why));
    return keys;
}

struct pair {
    struct nwr_tls_context *ca, *cb;
    struct nwr_tls *a, *b; /* a dials */
    struct nwr_out to_a, to_b;
    struct nwr_out said_a, said_b; /* all that a and b ever sent */
};

static struct pair pair_of(const char *a, const char *b)
{
    struct nwr_keys ka = keys_of(a), kb = keys_of(b);
    struct pair p = {0};

    p.ca = nwr_tls_context_create(&ka);
    p.cb = nwr_tls_context_create(&kb);
    p.a = nwr_tls_create(p.ca, true);
    p.b = nwr_tls_create(p.cb, false);
    return p;
}

static void pair_free(struct pair *p)
{
    nwr_tls_destroy(p->a);
    nwr_tls_destroy(p->b);
    nwr_tls_context_destroy(p->ca);
    nwr_tls_context_destroy(p->cb);
    nwr_out_free(&p->to_a);
    nwr_out_free(&p->to_b);
    nwr_out_free(&p->said_a);
    nwr_out_free(&p->said_b);
}

static void deliver(struct nwr_out *from, struct nwr_out *record, struct nwr_tls *to)
{
    nwr_out_raw(record, from->data, from->len);
    nwr_tls_feed(to, from->data, from->len);
    from->len = 0;
}

/* Until nobody has anything to say. */
static void pump(struct pair *p)
{
    for (;;) {
        nwr_tls_take(p->a, &p->to_b);
        nwr_tls_take(p->b, &p->to_a);
        if (p->to_a.len == 0 && p->to_b.len == 0)
            return;
        deliver(&p->to_b, &p->said_a, p->b);
        deliver(&p->to_a, &p->said_b, p->a);
    }
}

static size_t read_all(struct nwr_tls *t, struct nwr_out *out)
{
    uint8_t buf[5000];
    size_t n, sum = 0;

    while ((n = nwr_tls_read(t, buf, sizeof(buf))) > 0) {
        nwr_out_raw(out, buf, n);
        sum += n;
    }
    return sum;
}

static void expect_text(struct nwr_tls *t, const char *want)
{
    struct nwr_out got = {0};

    assert_int_equal(read_all(t, &got), strlen(want));
    assert_memory_equal(got.data, want, strlen(want));
    nwr_out_free(&got);
}

static void say(struct nwr_tls *t, const char *text, struct nwr_out *out)
{
    nwr_tls_write(t, text, strlen(text), out);
    nwr_tls_flush(t, out);
}

static void expect_why(const struct nwr_tls *t, const char *part)
{
    assert_int_equal(nwr_tls_state(t), NWR_TLS_FAILED);
    if (!strstr(nwr_tls_why(t), part))
        fail_msg("wanted <%s> in <%s>", part, nwr_tls_why(t));
}

/* ---- friends ---- */

static void two_with_one_key_talk(void **state)
{
    struct pair p = pair_of("1", "1");

    (void)state;
    pump(&p);
    assert_int_equal(nwr_tls_state(p.a), NWR_TLS_OPEN);
    assert_int_equal(nwr_tls_state(p.b), NWR_TLS_OPEN);
    assert_int_equal(strlen(nwr_tls_key(p.a)), NWR_KEY_ID_MAX - 1);
    assert_string_equal(nwr_tls_key(p.a), nwr_tls_key(p.b));
    say(p.a, "to b", &p.to_b);
    say(p.b, "to a", &p.to_a);
    pump(&p);
    expect_text(p.b, "to b");
    expect_text(p.a, "to a");
    nwr_tls_goodbye(p.a, &p.to_b);
    pump(&p);
    assert_int_equal(nwr_tls_read(p.b, (char[4]){0}, 4), 0);
    assert_int_equal(nwr_tls_state(p.b), NWR_TLS_CLOSED);
    pair_free(&p);
}

static void what_is_sent_is_not_what_is_said(void **state)
{
    static const char text[] = "a secret that must not be seen on the way";
    struct pair p = pair_of("1", "1");

    (void)state;
    pump(&p);
    say(p.a, text, &p.to_b);
    pump(&p);
    assert_null(memmem(p.said_a.data, p.said_a.len, text, 8));
    assert_null(memmem(p.said_a.data, p.said_a.len, "\x11\x11\x11\x11\x11\x11\x11\x11", 8));
    expect_text(p.b, text);
    pair_free(&p);
}

static void the_first_key_is_offered_and_every_key_is_accepted(void **state)
{
    static const struct {
        const char *a, *b;
        bool good;
    } all[] = {{"12", "1", true},  {"12", "12", true}, {"12", "21", true}, {"21", "12", true},
               {"2", "21", true},  {"1", "21", true},  {"12", "2", false}, {"21", "1", false},
               {"12", "3", false}, {"3", "12", false}};

    (void)state;
    for (size_t i = 0; i < NWR_COUNT(all); i++) {
        struct pair p = pair_of(all[i].a, all[i].b);
        struct nwr_keys k = keys_of(all[i].a);

        pump(&p);
        assert_int_equal(nwr_tls_state(p.a), all[i].good ? NWR_TLS_OPEN : NWR_TLS_FAILED);
        assert_int_equal(nwr_tls_state(p.b), all[i].good ? NWR_TLS_OPEN : NWR_TLS_FAILED);
        if (all[i].good)
            assert_string_equal(nwr_tls_key(p.b), k.key[0].id);
        pair_free(&p);
    }
}

static void data_of_all_sizes_arrives_unchanged(void **state)
{
    struct pair p = pair_of("1", "1");
    struct nwr_out want = {0}, got = {0};
    struct nwr_rng rng;

    (void)state;
    nwr_rng_init(&rng, 7);
    pump(&p);
    for (unsigned i = 0; i < 60; i++) {
        size_t len = nwr_rng_below(&rng, i % 7 == 0 ? 200000 : 3000);
        uint8_t *data = nwr_alloc(len + 1);

        for (size_t j = 0; j < len; j++)
            data[j] = (uint8_t)nwr_rng_next(&rng);
        nwr_out_raw(&want, data, len);
        nwr_tls_write(p.a, data, len, &p.to_b);
        nwr_free(data);
    }
    nwr_tls_flush(p.a, &p.to_b);
    /* In pieces, as sockets give them. */
    for (size_t at = 0; at < p.to_b.len;) {
        size_t n = NWR_MIN(1 + nwr_rng_below(&rng, 30000), p.to_b.len - at);

        nwr_tls_feed(p.b, p.to_b.data + at, n);
        read_all(p.b, &got);
        at += n;
    }
    p.to_b.len = 0;
    assert_int_equal(got.len, want.len);
    assert_memory_equal(got.data, want.data, want.len);
    nwr_out_free(&want);
    nwr_out_free(&got);
    pair_free(&p);
}

static void traffic_keys_are_changed_on_the_way(void **state)
{
    struct pair p = pair_of("1", "1");
    uint8_t buf[64];
    uint64_t got = 0;

    (void)state;
    pump(&p);
    for (unsigned i = 0; i < (1 << 18) + 1000; i++) {
        say(p.a, "x", &p.to_b);
        if (p.to_b.len < 60000)
            continue;
        nwr_tls_feed(p.b, p.to_b.data, p.to_b.len);
        p.to_b.len = 0;
        while (nwr_tls_read(p.b, buf, sizeof(buf)) > 0)
            got++;
    }
    nwr_tls_feed(p.b, p.to_b.data, p.to_b.len);
    p.to_b.len = 0;
    while (nwr_tls_read(p.b, buf, sizeof(buf)) > 0)
        got++;
    assert_int_equal(got, (1 << 18) + 1000);
    say(p.b, "and back", &p.to_a);
    pump(&p);
    expect_text(p.a, "and back");
    pair_free(&p);
}

static void no_ticket_follows_a_handshake(void **state)
{
    struct pair p = pair_of("1", "1");
    uint32_t after;

    (void)state;
    pump(&p);
    after = p.said_b.len;
    say(p.a, "x", &p.to_b);
    pump(&p);
    expect_text(p.b, "x");
    pump(&p);
    assert_int_equal(p.said_b.len, after);
    pair_free(&p);
}

/* ---- other keys ---- */

static void another_key_is_refused_and_both_sides_say_so(void **state)
{
    struct nwr_keys one = keys_of("1"), two = keys_of("2");
    struct pair p = pair_of("1", "2");
    char want[100];

    (void)state;
    pump(&p);
    snprintf(want, sizeof(want), "offers key %s, this node has %s", one.key[0].id, two.key[0].id);
    expect_why(p.b, want);
    snprintf(want, sizeof(want), "refuses key %s", one.key[0].id);
    expect_why(p.a, want);
    assert_string_equal(nwr_tls_key(p.a), "");
    pair_free(&p);
}

/* ---- rogues, made of OpenSSL itself ---- */

struct rogue {
    SSL_CTX *ctx;
    SSL *ssl;
    BIO *in, *out;
    bool open;
};

static struct {
    char identity[64];
    uint8_t key[32];
} claim;

static int on_claim(SSL *ssl, const EVP_MD *md, const unsigned char **id, size_t *len,
                    SSL_SESSION **session)
{
    static const unsigned char suite[] = {0x13, 0x01};

    (void)md;
    *session = SSL_SESSION_new();
    SSL_SESSION_set1_master_key(*session, claim.key, sizeof(claim.key));
    SSL_SESSION_set_cipher(*session, SSL_CIPHER_find(ssl, suite));
    SSL_SESSION_set_protocol_version(*session, TLS1_3_VERSION);
    *id = (const unsigned char *)claim.identity;
    *len = strlen(claim.identity);
    return 1;
}

static void rogue_certificate(SSL_CTX *ctx)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = X509_new();

    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), 0);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_set_pubkey(x, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                               (const unsigned char *)"nwrfs", -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(x));
    assert_true(X509_sign(x, key, EVP_sha256()) > 0);
    assert_int_equal(SSL_CTX_use_certificate(ctx, x), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(ctx, key), 1);
    X509_free(x);
    EVP_PKEY_free(key);
}

static struct rogue rogue_of(bool client, bool certificate, bool claims, int version)
{
    struct rogue r = {.ctx = SSL_CTX_new(client ? TLS_client_method() : TLS_server_method())};

    assert_non_null(r.ctx);
    SSL_CTX_set_max_proto_version(r.ctx, version);
    SSL_CTX_set_verify(r.ctx, SSL_VERIFY_NONE, NULL);
    if (certificate)
        rogue_certificate(r.ctx);
    if (claims)
        SSL_CTX_set_psk_use_session_callback(r.ctx, on_claim);
    r.ssl = SSL_new(r.ctx);
    r.in = BIO_new(BIO_s_mem());
    r.out = BIO_new(BIO_s_mem());
    SSL_set_bio(r.ssl, r.in, r.out);
    if (client)
        SSL_set_connect_state(r.ssl);
    else
        SSL_set_accept_state(r.ssl);
    return r;
}

static void rogue_free(struct rogue *r)
{
    SSL_free(r->ssl);
    SSL_CTX_free(r->ctx);
}

static void pump_rogue(struct rogue *r, struct nwr_tls *t)
{
    struct nwr_out out = {0};

    for (unsigned i = 0; i < 20; i++) {
        char *data;
        long len;

        nwr_tls_take(t, &out);
        if (out.len > 0)
            BIO_write(r->in, out.data, (int)out.len);
        out.len = 0;
        r->open = SSL_do_handshake(r->ssl) == 1;
        len = BIO_get_mem_data(r->out, &data);
        if (len > 0)
            nwr_tls_feed(t, data, (size_t)len);
        BIO_reset(r->out);
    }
    nwr_out_free(&out);
}

static struct nwr_tls *single(struct nwr_tls_context **c, bool dial)
{
    struct nwr_keys keys = keys_of("1");

    *c = nwr_tls_context_create(&keys);
    return nwr_tls_create(*c, dial);
}

static void a_server_with_a_certificate_is_a_stranger(void **state)
{
    struct rogue r = rogue_of(false, true, false, TLS1_3_VERSION);
    struct nwr_tls_context *c;
    struct nwr_tls *t = single(&c, true);

    (void)state;
    pump_rogue(&r, t);
    expect_why(t, "shows a certificate");
    assert_false(r.open);
    nwr_tls_destroy(t);
    nwr_tls_context_destroy(c);
    rogue_free(&r);
}

static void rogue_client(bool certificate, bool claims, int version, const char *why)
{
    struct rogue r = rogue_of(true, certificate, claims, version);
    struct nwr_tls_context *c;
    struct nwr_tls *t = single(&c, false);

    pump_rogue(&r, t);
    expect_why(t, why);
    assert_false(r.open);
    nwr_tls_destroy(t);
    nwr_tls_context_destroy(c);
    rogue_free(&r);
}

static void a_client_without_the_key_is_refused(void **state)
{
    struct nwr_keys keys = keys_of("1");

    (void)state;
    rogue_client(false, false, TLS1_3_VERSION, "offers no key");
    rogue_client(true, false, TLS1_3_VERSION, "offers no key");
    rogue_client(false, false, TLS1_2_VERSION, "failed the TLS handshake");
    snprintf(claim.identity, sizeof(claim.identity), "nwrfs %s", keys.key[0].id);
    memset(claim.key, 0x22, sizeof(claim.key));
    rogue_client(false, true, TLS1_3_VERSION, "does not have it");
    snprintf(claim.identity, sizeof(claim.identity), "na\n\"me\x7f of somebody else");
    rogue_client(false, true, TLS1_3_VERSION, "offers key na??me??of?someb, this");
}

static void the_right_key_is_enough_for_any_tls(void **state)
{
    struct rogue r = rogue_of(true, false, true, TLS1_3_VERSION);
    struct nwr_keys keys = keys_of("1");
    struct nwr_tls_context *c;
    struct nwr_tls *t = single(&c, false);

    (void)state;
    snprintf(claim.identity, sizeof(claim.identity), "nwrfs %s", keys.key[0].id);
    memset(claim.key, 0x11, sizeof(claim.key));
    pump_rogue(&r, t);
    assert_int_equal(nwr_tls_state(t), NWR_TLS_OPEN);
    assert_true(r.open);
    nwr_tls_destroy(t);
    nwr_tls_context_destroy(c);
    rogue_free(&r);
}

/* ---- what was recorded, cut or changed on the way ---- */

/* A conversation, as somebody on the way sees it. */
static struct pair recorded(void)
{
    struct pair p = pair_of("1", "1");

    pump(&p);
    say(p.a, "pay", &p.to_b);
    pump(&p);
    expect_text(p.b, "pay");
    return p;
}

static void a_replayed_stream_is_refused(void **state)
{
    struct pair p = recorded();
    struct nwr_tls *again = nwr_tls_create(p.cb, false);
    struct nwr_out got = {0};

    (void)state;
    nwr_tls_feed(again, p.said_a.data, p.said_a.len);
    expect_why(again, "failed the TLS handshake");
    assert_int_equal(read_all(again, &got), 0);
    nwr_tls_destroy(again);
    again = nwr_tls_create(p.ca, true);
    nwr_tls_feed(again, p.said_b.data, p.said_b.len);
    expect_why(again, "failed the TLS handshake");
    nwr_tls_destroy(again);
    pair_free(&p);
}

static void a_record_sent_twice_is_refused(void **state)
{
    struct pair p = recorded();
    struct nwr_out once = {0}, got = {0};

    (void)state;
    say(p.a, "once", &once);
    nwr_tls_feed(p.b, once.data, once.len);
    expect_text(p.b, "once");
    nwr_tls_feed(p.b, once.data, once.len);
    assert_int_equal(read_all(p.b, &got), 0);
    expect_why(p.b, "damaged TLS record");
    nwr_out_free(&once);
    pair_free(&p);
}

static void a_cut_stream_yields_nothing_of_the_rest(void **state)
{
    struct pair p = pair_of("1", "1");
    struct nwr_out rec = {0}, got = {0};

    (void)state;
    pump(&p);
    say(p.a, "whole or not at all", &rec);
    for (uint32_t i = 0; i + 1 < rec.len; i++) {
        nwr_tls_feed(p.b, rec.data + i, 1);
        assert_int_equal(read_all(p.b, &got), 0);
        assert_int_equal(nwr_tls_state(p.b), NWR_TLS_OPEN);
    }
    nwr_tls_feed(p.b, rec.data + rec.len - 1, 1);
    expect_text(p.b, "whole or not at all");
    nwr_out_free(&rec);
    pair_free(&p);
}

static void a_handshake_cut_anywhere_is_not_open(void **state)
{
    struct nwr_tls_context *c;
    struct nwr_tls *t = single(&c, true);
    struct nwr_out hello = {0};

    (void)state;
    nwr_tls_take(t, &hello);
    for (uint32_t cut = 0; cut < hello.len; cut += 5) {
        struct nwr_tls *b = nwr_tls_create(c, false);

        nwr_tls_feed(b, hello.data, cut);
        assert_int_equal(nwr_tls_state(b), NWR_TLS_HANDSHAKE);
        nwr_tls_destroy(b);
    }
    nwr_out_free(&hello);
    nwr_tls_destroy(t);
    nwr_tls_context_destroy(c);
}

/* Whatever byte changes, nobody ends up believing something else. */
static void a_changed_byte_never_gets_through(void **state)
{
    uint32_t at = 0, len;

    (void)state;
    do {
        struct pair p = pair_of("1", "1");
        struct nwr_out got = {0};

        nwr_tls_take(p.a, &p.to_b);
        len = p.to_b.len;
        p.to_b.data[at] ^= 1;
        pump(&p);
        /* Byte 2, the minor version of a record, counts for nothing (RFC 8446, 5.1). */
        if (at == 2)
            assert_int_equal(nwr_tls_state(p.b), NWR_TLS_OPEN);
        else if (nwr_tls_state(p.b) == NWR_TLS_OPEN || nwr_tls_state(p.a) == NWR_TLS_OPEN)
            fail_msg("open although byte %u of the first message was changed", at);
        pair_free(&p);
        p = pair_of("1", "1");
        pump(&p);
        say(p.a, "pay", &p.to_b);
        p.to_b.data[at % p.to_b.len] ^= 0x40;
        pump(&p);
        assert_int_equal(read_all(p.b, &got), 0);
        pair_free(&p);
    } while (++at < len);
}

static void garbage_ends_only_the_handshake(void **state)
{
    static const char *const all[] = {"GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01\xff\xff\xff\xff",
                                      "\x16\x03\x01\x00\x04\x01\xff\xff\xff",
                                      "\x15\x03\x01\x00\x02\x02\x28"};

    (void)state;
    for (size_t i = 0; i < NWR_COUNT(all); i++) {
        for (int dial = 0; dial < 2; dial++) {
            struct nwr_tls_context *c;
            struct nwr_tls *t = single(&c, dial);
            char zeros[300] = "";

            nwr_tls_feed(t, all[i], i == 2 ? 9 : i == 3 ? 7 : strlen(all[i]));
            nwr_tls_feed(t, zeros, sizeof(zeros));
            assert_int_equal(nwr_tls_read(t, zeros, sizeof(zeros)), 0);
            assert_int_not_equal(nwr_tls_state(t), NWR_TLS_OPEN);
            nwr_tls_destroy(t);
            nwr_tls_context_destroy(c);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_with_one_key_talk),
        cmocka_unit_test(what_is_sent_is_not_what_is_said),
        cmocka_unit_test(the_first_key_is_offered_and_every_key_is_accepted),
        cmocka_unit_test(data_of_all_sizes_arrives_unchanged),
        cmocka_unit_test(traffic_keys_are_changed_on_the_way),
        cmocka_unit_test(no_ticket_follows_a_handshake),
        cmocka_unit_test(another_key_is_refused_and_both_sides_say_so),
        cmocka_unit_test(a_server_with_a_certificate_is_a_stranger),
        cmocka_unit_test(a_client_without_the_key_is_refused),
        cmocka_unit_test(the_right_key_is_enough_for_any_tls),
        cmocka_unit_test(a_replayed_stream_is_refused),
        cmocka_unit_test(a_record_sent_twice_is_refused),
        cmocka_unit_test(a_cut_stream_yields_nothing_of_the_rest),
        cmocka_unit_test(a_handshake_cut_anywhere_is_not_open),
        cmocka_unit_test(a_changed_byte_never_gets_through),
        cmocka_unit_test(garbage_ends_only_the_handshake),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
