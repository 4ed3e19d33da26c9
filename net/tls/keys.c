/* keys.c -- see keys.h. */
#include "net/tls/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

static const char word[] = "nwrfs-key-1";

static void id_of(struct nwr_secret *key)
{
    static const char purpose[] = "nwrfs key id";
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;

    nwr_assert(HMAC(EVP_sha256(), key->bytes, sizeof(key->bytes), (const unsigned char *)purpose,
                    sizeof(purpose) - 1, digest, &len));
    for (unsigned i = 0; i < (NWR_KEY_ID_MAX - 1) / 2; i++)
        snprintf(key->id + 2 * i, 3, "%02x", digest[i]);
}

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* One line that is neither empty nor a comment. */
static const char *parse_line(struct nwr_secret *key, const char *at, size_t len)
{
    const size_t head = sizeof(word) - 1;

    if (len < head || memcmp(at, word, head) != 0)
        return "not \"nwrfs-key-1\" and 64 hexadecimal digits; make a key with nwrfs keygen";
    for (at += head, len -= head; len > 0 && is_space(*at); at++)
        len--;
    if (len != 2 * (size_t)NWR_KEY_BYTES)
        return "a key has 64 hexadecimal digits";
    for (unsigned i = 0; i < NWR_KEY_BYTES; i++) {
        int high = digit(at[2 * i]), low = digit(at[2 * i + 1]);

        if (high < 0 || low < 0)
            return "a key has 64 hexadecimal digits";
        key->bytes[i] = (uint8_t)(high << 4 | low);
    }
    id_of(key);
    return NULL;
}

/* Cuts white space from both ends; the length that is left. */
static size_t trim(const char **at, size_t len)
{
    while (len > 0 && is_space(**at)) {
        (*at)++;
        len--;
    }
    while (len > 0 && is_space((*at)[len - 1]))
        len--;
    return len;
}

static const char *add_line(struct nwr_keys *keys, const char *at, size_t len)
{
    struct nwr_secret key;
    const char *bad;

    len = trim(&at, len);
    if (len == 0 || *at == '#')
        return NULL;
    bad = parse_line(&key, at, len);
    if (!bad && nwr_keys_find(keys, key.id, sizeof(key.id) - 1))
        bad = "the same key a second time";
    if (!bad && keys->n == NWR_KEYS_MAX)
        bad = "more than two keys";
    if (!bad)
        keys->key[keys->n++] = key;
    explicit_bzero(&key, sizeof(key));
    return bad;
}

const char *nwr_keys_parse(struct nwr_keys *out, const char *text, size_t len,
                           char why[NWR_KEYS_WHY_MAX])
{
    struct nwr_keys keys = {0};
    const char *bad = NULL;
    unsigned line = 0;

    while (len > 0 && !bad) {
        const char *end = memchr(text, '\n', len);
        size_t n = end ? (size_t)(end - text) : len;

        line++;
        bad = add_line(&keys, text, n);
        n += end != NULL;
        text += n;
        len -= n;
    }
    if (bad)
        snprintf(why, NWR_KEYS_WHY_MAX, "line %u: %s", line, bad);
    else if (keys.n == 0)
        snprintf(why, NWR_KEYS_WHY_MAX, "%s", "holds no key; make one with nwrfs keygen");
    else
        *out = keys;
    bad = bad || keys.n == 0 ? why : NULL;
    nwr_keys_deinit(&keys);
    return bad;
}

const struct nwr_secret *nwr_keys_find(const struct nwr_keys *keys, const char *id, size_t len)
{
    for (unsigned i = 0; i < keys->n; i++)
        if (len == NWR_KEY_ID_MAX - 1 && memcmp(keys->key[i].id, id, len) == 0)
            return &keys->key[i];
    return NULL;
}

void nwr_keys_deinit(struct nwr_keys *keys)
{
    explicit_bzero(keys, sizeof(*keys));
}

/* ---- files ---- */

static enum nwr_err check_private(int fd, const char *path, char *text, size_t n)
{
    struct stat st;

    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        snprintf(text, n, "key: %s: not a file; make one with nwrfs keygen", path);
        return NWR_E_INVAL;
    }
    if (st.st_mode & 077) {
        snprintf(text, n, "key: %s: mode %04o lets other users at the key; chmod 600 it", path,
                 (unsigned)(st.st_mode & 07777));
        return NWR_E_ACCESS;
    }
    if (st.st_uid != geteuid() && st.st_uid != 0) {
        snprintf(text, n, "key: %s: belongs to user %u; a key file is its user's own", path,
                 (unsigned)st.st_uid);
        return NWR_E_ACCESS;
    }
    return NWR_OK;
}

static ssize_t read_all(int fd, char *buf, size_t cap)
{
    size_t have = 0;

    while (have < cap) {
        ssize_t got = read(fd, buf + have, cap - have);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        have += (size_t)got;
    }
    return (ssize_t)have;
}

static enum nwr_err load(struct nwr_keys *out, int fd, const char *path, char *text, size_t n)
{
    char buf[NWR_KEY_FILE_BYTES + 1], why[NWR_KEYS_WHY_MAX];
    enum nwr_err err = check_private(fd, path, text, n);
    ssize_t len;

    if (err)
        return err;
    len = read_all(fd, buf, sizeof(buf));
    if (len < 0) {
        snprintf(text, n, "key: %s: %s", path, strerror(errno));
        err = NWR_E_IO;
    } else if (len > NWR_KEY_FILE_BYTES) {
        snprintf(text, n, "key: %s: too large to be a key file", path);
        err = NWR_E_FORMAT;
    } else if (nwr_keys_parse(out, buf, (size_t)len, why)) {
        snprintf(text, n, "key: %s: %s", path, why);
        err = NWR_E_FORMAT;
    }
    explicit_bzero(buf, sizeof(buf));
    return err;
}

enum nwr_err nwr_keys_load(struct nwr_keys *out, const char *path, char *text, size_t n)
{
    /* Not blocking: a pipe by that name is no reason to wait for its other end. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    enum nwr_err err;

    if (fd < 0) {
        snprintf(text, n, "key: %s: %s; make one with nwrfs keygen", path, strerror(errno));
        return NWR_E_ACCESS;
    }
    err = load(out, fd, path, text, n);
    close(fd);
    return err;
}

static bool random_bytes(uint8_t *at, size_t len)
{
    while (len > 0) {
        ssize_t got = getrandom(at, len, 0);

        if (got < 0 && errno != EINTR)
            return false;
        at += got > 0 ? got : 0;
        len -= got > 0 ? (size_t)got : 0;
    }
    return true;
}

static bool write_key(int fd, const struct nwr_secret *key)
{
    char line[300];
    int len, at;

    len = snprintf(line, sizeof(line),
                   "# nwrfs volume key %s: whoever has it can read and write the volume\n%s ",
                   key->id, word);
    for (unsigned i = 0; i < NWR_KEY_BYTES; i++)
        len += snprintf(line + len, sizeof(line) - (size_t)len, "%02x", key->bytes[i]);
    line[len++] = '\n';
    for (at = 0; at < len;) {
        ssize_t put = write(fd, line + at, (size_t)(len - at));

        if (put < 0 && errno != EINTR)
            break;
        at += put > 0 ? (int)put : 0;
    }
    explicit_bzero(line, sizeof(line));
    return at == len && fsync(fd) == 0;
}

enum nwr_err nwr_keys_generate(const char *path, char id[NWR_KEY_ID_MAX], char *text, size_t n)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    enum nwr_err err = NWR_OK;
    struct nwr_secret key;

    if (fd < 0 && errno == EEXIST) {
        snprintf(text, n, "keygen: %s: exists and is not overwritten; give another name", path);
        return NWR_E_EXIST;
    }
    if (fd < 0) {
        snprintf(text, n, "keygen: %s: %s", path, strerror(errno));
        return NWR_E_ACCESS;
    }
    if (random_bytes(key.bytes, sizeof(key.bytes))) {
        id_of(&key);
        memcpy(id, key.id, sizeof(key.id));
    } else {
        err = NWR_E_IO;
    }
    if (!err && !write_key(fd, &key))
        err = NWR_E_IO;
    if (err) {
        snprintf(text, n, "keygen: %s: %s", path, strerror(errno));
        unlink(path); /* half a key is none */
    }
    close(fd);
    explicit_bzero(&key, sizeof(key));
    return err;
}
