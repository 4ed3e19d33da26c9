/* tls.c -- see tls.h.
 *
 *  1. dial: the ClientHello offers the first key (on_offer); accept: on_identity finds it
 *  2. OpenSSL verifies the binder, that is, that the client has the key; a stranger's handshake
 *     goes on without the key and ends, since no side has a certificate or accepts one
 *  3. handshake over: the session must be the one made of the key, or the connection FAILS
 *  4. records, until a goodbye or a record that is not the next one of this connection
 *
 * Failures at any step: `why` from what is known of the offer, else OpenSSL's reason.
 */
#include "net/tls/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>

enum {
    RECORD_BYTES = 16384,
    PIECE_BYTES = 4 * RECORD_BYTES,
    /* AES-GCM wants a new key after 2^24 full records (RFC 8446, 5.5). */
    RECORDS_A_KEY = 1 << 18
};

static const char suite[] = "TLS_AES_128_GCM_SHA256";
static const char identity_head[] = "nwrfs ";

struct nwr_tls_context {
    SSL_CTX *dial, *accept;
    struct nwr_keys keys;
};

struct nwr_tls {
    SSL *ssl; /* owns both BIOs */
    BIO *in, *out;
    bool dial;
    enum nwr_tls_state state;
    struct nwr_keys keys;         /* wiped when the handshake is over */
    char used[NWR_KEY_ID_MAX];    /* offered by this side, or found for the other's offer */
    char offered[NWR_KEY_ID_MAX]; /* by the other side, printable; "": none */
    char why[NWR_TLS_WHY_MAX];
    uint8_t gather[RECORD_BYTES];
    uint32_t gathered, records; /* records: since the last change of the traffic key */
};

/* ---- the session made of a key ---- */

static SSL_SESSION *session_of(SSL *ssl, const struct nwr_secret *key)
{
    const SSL_CIPHER *cipher = NULL;
    STACK_OF(SSL_CIPHER) *all = SSL_get_ciphers(ssl);
    SSL_SESSION *s = SSL_SESSION_new();

    for (int i = 0; i < sk_SSL_CIPHER_num(all); i++)
        if (strcmp(SSL_CIPHER_get_name(sk_SSL_CIPHER_value(all, i)), suite) == 0)
            cipher = sk_SSL_CIPHER_value(all, i);
    nwr_assert(s && cipher);
    nwr_assert(SSL_SESSION_set1_master_key(s, key->bytes, sizeof(key->bytes)));
    nwr_assert(SSL_SESSION_set_cipher(s, cipher));
    nwr_assert(SSL_SESSION_set_protocol_version(s, TLS1_3_VERSION));
    return s;
}

/* The client's offer. md: after a HelloRetryRequest, the digest the session must have. */
static int on_offer(SSL *ssl, const EVP_MD *md, const unsigned char **id, size_t *id_len,
                    SSL_SESSION **session)
{
    static const size_t head = sizeof(identity_head) - 1;
    struct nwr_tls *t = SSL_get_app_data(ssl);
    char *identity;

    *session = NULL;
    if (t->keys.n == 0 || (md && EVP_MD_get_type(md) != NID_sha256))
        return 1;
    identity = (char *)t->gather; /* nothing is gathered before OPEN */
    memcpy(identity, identity_head, head);
    memcpy(identity + head, t->keys.key[0].id, NWR_KEY_ID_MAX);
    memcpy(t->used, t->keys.key[0].id, NWR_KEY_ID_MAX);
    *id = (const unsigned char *)identity;
    *id_len = head + NWR_KEY_ID_MAX - 1;
    *session = session_of(ssl, &t->keys.key[0]);
    return 1;
}

/* What a stranger calls its key goes to the log: printable, and no more than an id. */
static void note_offer(struct nwr_tls *t, const unsigned char *id, size_t len)
{
    size_t n = 0;

    for (size_t i = 0; i < len && n < NWR_KEY_ID_MAX - 1; i++)
        t->offered[n++] = (char)(id[i] > ' ' && id[i] < 127 && id[i] != '"' ? id[i] : '?');
    t->offered[n] = 0;
}

static int on_identity(SSL *ssl, const unsigned char *id, size_t len, SSL_SESSION **session)
{
    static const size_t head = sizeof(identity_head) - 1;
    struct nwr_tls *t = SSL_get_app_data(ssl);
    const struct nwr_secret *key;

    *session = NULL;
    if (len >= head && memcmp(id, identity_head, head) == 0) {
        id += head;
        len -= head;
    }
    note_offer(t, id, len);
    key = nwr_keys_find(&t->keys, (const char *)id, len);
    if (!key)
        return 1;
    memcpy(t->used, key->id, sizeof(t->used));
    *session = session_of(ssl, key);
    return 1;
}

/* ---- the context ---- */

static SSL_CTX *context_new(bool dial)
{
    static const unsigned char name[] = "nwrfs";
    SSL_CTX *c = SSL_CTX_new(dial ? TLS_client_method() : TLS_server_method());

    nwr_assert(c);
    nwr_assert(SSL_CTX_set_min_proto_version(c, TLS1_3_VERSION));
    nwr_assert(SSL_CTX_set_max_proto_version(c, TLS1_3_VERSION));
    nwr_assert(SSL_CTX_set_ciphersuites(c, suite));
    nwr_assert(SSL_CTX_set1_groups_list(c, "X25519:P-256"));
    /* No certificate is trusted: the store stays empty, and who shows one has failed. */
    SSL_CTX_set_verify(c, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(c, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_clear_options(c, SSL_OP_ENABLE_MIDDLEBOX_COMPAT | SSL_OP_ALLOW_NO_DHE_KEX);
    nwr_assert(SSL_CTX_set_max_early_data(c, 0));
    nwr_assert(SSL_CTX_set_recv_max_early_data(c, 0));
    SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS);
    if (dial) {
        SSL_CTX_set_psk_use_session_callback(c, on_offer);
        return c;
    }
    nwr_assert(SSL_CTX_set_num_tickets(c, 0));
    nwr_assert(SSL_CTX_set_session_id_context(c, name, sizeof(name) - 1));
    SSL_CTX_set_psk_find_session_callback(c, on_identity);
    return c;
}

struct nwr_tls_context *nwr_tls_context_create(const struct nwr_keys *keys)
{
    struct nwr_tls_context *c = nwr_zalloc(sizeof(*c));

    nwr_assert(keys->n > 0);
    c->dial = context_new(true);
    c->accept = context_new(false);
    c->keys = *keys;
    return c;
}

void nwr_tls_context_destroy(struct nwr_tls_context *c)
{
    if (!c)
        return;
    SSL_CTX_free(c->dial);
    SSL_CTX_free(c->accept);
    nwr_keys_deinit(&c->keys);
    nwr_free(c);
}

enum nwr_err nwr_tls_context_open(struct nwr_tls_context **out, const char *path, char *text,
                                  size_t n)
{
    struct nwr_keys keys = {0};
    enum nwr_err err = nwr_keys_load(&keys, path, text, n);

    if (!err)
        *out = nwr_tls_context_create(&keys);
    nwr_keys_deinit(&keys);
    return err;
}

bool nwr_tls_context_reload(struct nwr_tls_context *c, const char *path, char *text, size_t n)
{
    struct nwr_keys *k = &c->keys;

    if (nwr_keys_load(k, path, text, n) != NWR_OK)
        return false;
    snprintf(text, n, "offers=%s accepts=%s%s%s", k->key[0].id, k->key[0].id, k->n > 1 ? "," : "",
             k->n > 1 ? k->key[1].id : "");
    return true;
}

const char *nwr_tls_context_first(const struct nwr_tls_context *c)
{
    return c->keys.key[0].id;
}

bool nwr_tls_context_has(const struct nwr_tls_context *c, const char *id)
{
    return nwr_keys_find(&c->keys, id, strlen(id)) != NULL;
}

/* ---- failures ---- */

static void failed_dial(struct nwr_tls *t, int reason, const char *text)
{
    switch (reason) {
    case SSL_R_CERTIFICATE_VERIFY_FAILED:
        snprintf(t->why, sizeof(t->why),
                 "does not have the volume's key: it shows a certificate instead");
        return;
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
    case SSL_R_SSLV3_ALERT_ILLEGAL_PARAMETER:
    case SSL_R_TLSV1_ALERT_DECRYPT_ERROR:
        snprintf(t->why, sizeof(t->why),
                 "refuses key %s: it has another one; give both sides the same --key file",
                 t->used);
        return;
    default: snprintf(t->why, sizeof(t->why), "failed the TLS handshake: %s", text);
    }
}

static void failed_accept(struct nwr_tls *t, int reason, const char *text)
{
    char second[NWR_KEY_ID_MAX + 4] = "";
    bool found = t->used[0];

    if (found && reason == SSL_R_BINDER_DOES_NOT_VERIFY) {
        snprintf(t->why, sizeof(t->why), "claims key %s and does not have it", t->offered);
    } else if (!found && t->offered[0]) {
        if (t->keys.n > 1)
            snprintf(second, sizeof(second), " or %s", t->keys.key[1].id);
        snprintf(t->why, sizeof(t->why),
                 "offers key %s, this node has %s%s; give both sides the same --key file",
                 t->offered, t->keys.key[0].id, second);
    } else if (!found && (reason == SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM ||
                          reason == SSL_R_NO_SHARED_CIPHER)) {
        snprintf(t->why, sizeof(t->why), "offers no key");
    } else {
        snprintf(t->why, sizeof(t->why), "failed the TLS handshake: %s", text);
    }
}

static void handshake_over(struct nwr_tls *t, enum nwr_tls_state state)
{
    t->state = state;
    nwr_keys_deinit(&t->keys);
    explicit_bzero(t->gather, sizeof(t->gather));
}

static void fail(struct nwr_tls *t)
{
    unsigned long code = ERR_peek_error();
    const char *text = code ? ERR_reason_error_string(code) : NULL;
    int reason = ERR_GET_REASON(code);

    if (!text)
        text = "unexpected end";
    if (t->state == NWR_TLS_HANDSHAKE && SSL_is_init_finished(t->ssl))
        snprintf(t->why, sizeof(t->why), "does not have the volume's key");
    else if (t->state == NWR_TLS_OPEN)
        snprintf(t->why, sizeof(t->why), "sent a damaged TLS record: %s", text);
    else if (t->dial)
        failed_dial(t, reason, text);
    else
        failed_accept(t, reason, text);
    handshake_over(t, NWR_TLS_FAILED);
    ERR_clear_error();
}

/* ---- one connection ---- */

struct nwr_tls *nwr_tls_create(struct nwr_tls_context *c, bool dial)
{
    struct nwr_tls *t = nwr_zalloc(sizeof(*t));

    t->dial = dial;
    t->keys = c->keys;
    t->ssl = SSL_new(dial ? c->dial : c->accept);
    t->in = BIO_new(BIO_s_mem());
    t->out = BIO_new(BIO_s_mem());
    nwr_assert(t->ssl && t->in && t->out);
    SSL_set_app_data(t->ssl, t);
    SSL_set_bio(t->ssl, t->in, t->out);
    if (dial)
        SSL_set_connect_state(t->ssl);
    else
        SSL_set_accept_state(t->ssl);
    if (dial)
        nwr_tls_feed(t, "", 0); /* the ClientHello can be taken at once */
    return t;
}

void nwr_tls_destroy(struct nwr_tls *t)
{
    if (!t)
        return;
    SSL_free(t->ssl);
    explicit_bzero(t, sizeof(*t));
    nwr_free(t);
}

enum nwr_tls_state nwr_tls_state(const struct nwr_tls *t)
{
    return t->state;
}

const char *nwr_tls_why(const struct nwr_tls *t)
{
    return t->why;
}

const char *nwr_tls_key(const struct nwr_tls *t)
{
    return t->state == NWR_TLS_OPEN || t->state == NWR_TLS_CLOSED ? t->used : "";
}

static void shake(struct nwr_tls *t)
{
    int rc;

    ERR_clear_error();
    rc = SSL_do_handshake(t->ssl);
    if (rc == 1) {
        /* Without this a side that never had the key could be the other end. */
        if (SSL_session_reused(t->ssl) != 1 || !t->used[0])
            fail(t);
        else
            handshake_over(t, NWR_TLS_OPEN);
    } else if (SSL_get_error(t->ssl, rc) != SSL_ERROR_WANT_READ) {
        fail(t);
    }
}

enum nwr_tls_state nwr_tls_feed(struct nwr_tls *t, const void *data, size_t len)
{
    nwr_assert(len <= INT32_MAX);
    if (t->state == NWR_TLS_FAILED || t->state == NWR_TLS_CLOSED)
        return t->state;
    if (len > 0)
        nwr_assert(BIO_write(t->in, data, (int)len) == (int)len);
    if (t->state == NWR_TLS_HANDSHAKE)
        shake(t);
    return t->state;
}

size_t nwr_tls_read(struct nwr_tls *t, void *buf, size_t cap)
{
    size_t got = 0;
    int rc;

    if (t->state != NWR_TLS_OPEN)
        return 0;
    ERR_clear_error();
    rc = SSL_read_ex(t->ssl, buf, cap, &got);
    if (rc == 1)
        return got;
    switch (SSL_get_error(t->ssl, rc)) {
    case SSL_ERROR_WANT_READ: break;
    case SSL_ERROR_ZERO_RETURN: t->state = NWR_TLS_CLOSED; break;
    default: fail(t); break;
    }
    return 0;
}

void nwr_tls_take(struct nwr_tls *t, struct nwr_out *out)
{
    char *data;
    long len = BIO_get_mem_data(t->out, &data);

    if (len <= 0)
        return;
    nwr_out_raw(out, data, (size_t)len);
    nwr_assert(BIO_reset(t->out) == 1);
}

static void seal(struct nwr_tls *t, const uint8_t *data, size_t len, struct nwr_out *out)
{
    while (len > 0) {
        size_t n = NWR_MIN(len, (size_t)PIECE_BYTES), put = 0;

        ERR_clear_error();
        if (t->records > RECORDS_A_KEY) {
            SSL_key_update(t->ssl, SSL_KEY_UPDATE_NOT_REQUESTED);
            t->records = 0;
        }
        t->records += (uint32_t)((n + RECORD_BYTES - 1) / RECORD_BYTES);
        if (SSL_write_ex(t->ssl, data, n, &put) != 1) {
            fail(t);
            return;
        }
        nwr_tls_take(t, out);
        data += n;
        len -= n;
    }
}

void nwr_tls_flush(struct nwr_tls *t, struct nwr_out *out)
{
    if (t->state == NWR_TLS_OPEN)
        seal(t, t->gather, t->gathered, out);
    t->gathered = 0;
}

void nwr_tls_write(struct nwr_tls *t, const void *data, size_t len, struct nwr_out *out)
{
    const uint8_t *at = data;

    while (len > 0 && t->state == NWR_TLS_OPEN) {
        size_t n = NWR_MIN(len, RECORD_BYTES - t->gathered);

        if (t->gathered == 0 && len >= RECORD_BYTES) {
            n = len - len % RECORD_BYTES;
            seal(t, at, n, out);
        } else {
            memcpy(t->gather + t->gathered, at, n);
            t->gathered += (uint32_t)n;
            if (t->gathered == RECORD_BYTES)
                nwr_tls_flush(t, out);
        }
        at += n;
        len -= n;
    }
}

void nwr_tls_goodbye(struct nwr_tls *t, struct nwr_out *out)
{
    if (t->state != NWR_TLS_OPEN)
        return;
    nwr_tls_flush(t, out);
    ERR_clear_error();
    SSL_shutdown(t->ssl);
    nwr_tls_take(t, out);
    ERR_clear_error();
}
