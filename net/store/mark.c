/* mark.c -- see mark.h. */
#include "net/store/mark.h"

#include "net/store/tails.h"
#include "nwr/base.h"
#include "nwr/pack.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC 0x4b52414du /* "MARK" */
#define MARK_BYTES 48
#define FILE_MAX ((off_t)1 << 30) /* more than any manifest or list of values has */
#define NAME_MAX_BYTES 255

/* ---- files ---------------------------------------------------------------------------------- */

/* NULL: it is not there or cannot be read. */
static struct nwr_blob *read_file(int dir, const char *name)
{
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
    struct nwr_blob *b = NULL;
    struct stat st;

    if (fd < 0)
        return NULL;
    if (fstat(fd, &st) == 0 && st.st_size <= FILE_MAX) {
        b = nwr_blob_new((size_t)st.st_size);
        if (pread(fd, b->data, b->len, 0) != (ssize_t)b->len) {
            nwr_blob_unref(b);
            b = NULL;
        }
    }
    close(fd);
    return b;
}

/* Whole or not at all. */
static bool write_file(int dir, const char *name, const void *data, size_t len, bool sync)
{
    char fresh[64];
    bool good;
    int fd;

    snprintf(fresh, sizeof(fresh), "%s.new", name);
    fd = openat(dir, fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    good = write(fd, data, len) == (ssize_t)len && (!sync || fsync(fd) == 0);
    close(fd);
    good = good && renameat(dir, fresh, dir, name) == 0 && (!sync || fsync(dir) == 0);
    if (!good)
        unlinkat(dir, fresh, 0);
    return good;
}

static void manifest_name(char out[64], uint32_t number)
{
    snprintf(out, 64, "db/MANIFEST-%06" PRIu32, number);
}

/* The manifest that CURRENT names; 0: it names none that is there. */
static uint32_t current_manifest(int dir)
{
    static const char prefix[] = "MANIFEST-";
    struct nwr_blob *b = read_file(dir, "db/CURRENT");
    char text[64] = "", name[64];
    unsigned long number = 0;
    char *end;

    if (b && b->len < sizeof(text)) {
        memcpy(text, b->data, b->len);
        if (strncmp(text, prefix, sizeof(prefix) - 1) == 0) {
            number = strtoul(text + sizeof(prefix) - 1, &end, 10);
            if (strcmp(end, "\n") != 0 || number > UINT32_MAX)
                number = 0;
        }
    }
    nwr_blob_unref(b);
    manifest_name(name, (uint32_t)number);
    return number && faccessat(dir, name, F_OK, 0) == 0 ? (uint32_t)number : 0;
}

static uint64_t sum_of(const struct nwr_mark *m, const struct nwr_blob *b, uint64_t bytes)
{
    return nwr_hash64(b->data, bytes, m->manifest);
}

/* ---- the manifest --------------------------------------------------------------------------- */

/* The part that was noted is replaced by its copy; what was appended later stays. */
static bool mend_manifest(const struct nwr_mark *m, const char *name)
{
    struct nwr_blob *copy = read_file(m->dir, "mark.manifest");
    bool good = copy && copy->len >= m->bytes && sum_of(m, copy, m->bytes) == m->sum;
    int fd = good ? openat(m->dir, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600) : -1;

    good = fd >= 0 && pwrite(fd, copy->data, m->bytes, 0) == (ssize_t)m->bytes && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    nwr_blob_unref(copy);
    return good;
}

static bool check_manifest(const struct nwr_mark *m)
{
    uint32_t current = current_manifest(m->dir);
    struct nwr_blob *b;
    char name[64], text[64];
    bool good;

    if (m->manifest == 0 || current > m->manifest)
        return true;
    manifest_name(name, m->manifest);
    b = read_file(m->dir, name);
    good = b && b->len >= m->bytes && sum_of(m, b, m->bytes) == m->sum;
    nwr_blob_unref(b);
    if (!good && !mend_manifest(m, name))
        return false;
    if (current == m->manifest)
        return true;
    snprintf(text, sizeof(text), "MANIFEST-%06" PRIu32 "\n", m->manifest);
    return write_file(m->dir, "db/CURRENT", text, strlen(text), true);
}

/* ---- named values --------------------------------------------------------------------------- */

static bool read_values(struct nwr_mark *m)
{
    struct nwr_blob *b = read_file(m->dir, "mark.values");
    struct nwr_in in;
    bool good = b && b->len >= 8;

    if (good) {
        in = nwr_in_of(b->data + b->len - 8, 8);
        good = nwr_in_u64(&in) == nwr_hash64(b->data, b->len - 8, MAGIC);
    }
    if (good)
        in = nwr_in_of(b->data, b->len - 8);
    while (good && in.p < in.end && !in.bad) {
        char name[NAME_MAX_BYTES + 1] = "";
        size_t len = 0, value_len = 0;
        const uint8_t *p = nwr_in_bytes(&in, &len), *v = nwr_in_bytes(&in, &value_len);
        struct nwr_mark_value *to;

        if (!p || !v || len > NAME_MAX_BYTES) {
            good = false;
            break;
        }
        memcpy(name, p, len);
        m->value = nwr_grow(m->value, &m->capvalue, m->nvalue + 1, sizeof(*m->value));
        to = &m->value[m->nvalue++];
        *to = (struct nwr_mark_value){nwr_strdup(name), nwr_blob_copy(v, value_len)};
    }
    nwr_blob_unref(b);
    return good;
}

/* A copy that could not be written must not be taken for one. */
static void write_values(struct nwr_mark *m)
{
    struct nwr_out o = {0};

    for (uint32_t i = 0; i < m->nvalue; i++) {
        const struct nwr_mark_value *v = &m->value[i];

        nwr_out_bytes(&o, v->name, strlen(v->name));
        nwr_out_bytes(&o, v->value->data, v->value->len);
    }
    nwr_out_u64(&o, nwr_hash64(o.data, o.len, MAGIC));
    if (!write_file(m->dir, "mark.values", o.data, o.len, true))
        unlinkat(m->dir, "mark.values", 0);
    nwr_out_free(&o);
}

void nwr_mark_put(struct nwr_mark *m, const char *name, const struct nwr_blob *value)
{
    uint32_t i = 0;

    while (i < m->nvalue && strcmp(m->value[i].name, name) != 0)
        i++;
    if (i == m->nvalue) {
        m->value = nwr_grow(m->value, &m->capvalue, m->nvalue + 1, sizeof(*m->value));
        m->value[m->nvalue++] = (struct nwr_mark_value){nwr_strdup(name), NULL};
    }
    nwr_blob_unref(m->value[i].value);
    m->value[i].value = nwr_blob_copy(value->data, value->len);
    write_values(m);
}

/* ---- the mark ------------------------------------------------------------------------------- */

static bool read_mark(struct nwr_mark *m)
{
    struct nwr_blob *b = read_file(m->dir, "mark");
    struct nwr_in in = nwr_in_of(b ? b->data : (const uint8_t *)"", b ? b->len : 0);
    bool good = b && b->len == MARK_BYTES && nwr_in_u32(&in) == MAGIC;

    if (good) {
        m->manifest = nwr_in_u32(&in);
        m->bytes = nwr_in_u64(&in);
        m->sum = nwr_in_u64(&in);
        m->sequence = nwr_in_u64(&in);
        (void)nwr_in_u64(&in);
        good = nwr_in_u64(&in) == nwr_hash64(b->data, MARK_BYTES - 8, MAGIC);
    }
    nwr_blob_unref(b);
    if (!good)
        m->manifest = 0, m->bytes = m->sum = m->sequence = 0;
    return good;
}

static void write_mark(struct nwr_mark *m)
{
    struct nwr_out o = {0};

    nwr_out_u32(&o, MAGIC);
    nwr_out_u32(&o, m->manifest);
    nwr_out_u64(&o, m->bytes);
    nwr_out_u64(&o, m->sum);
    nwr_out_u64(&o, m->sequence);
    nwr_out_u64(&o, 0);
    nwr_out_u64(&o, nwr_hash64(o.data, o.len, MAGIC));
    nwr_assert(o.len == MARK_BYTES);
    if (m->fd >= 0)
        (void)!pwrite(m->fd, o.data, o.len, 0);
    if (m->fd >= 0 && !m->durable)
        m->durable = fsync(m->fd) == 0 && fsync(m->dir) == 0;
    nwr_out_free(&o);
}

/* Without room for a copy the older, shorter one stays in force. */
static void note_manifest(struct nwr_mark *m)
{
    struct nwr_blob *b;
    struct stat st;
    char name[64];
    uint32_t number = m->manifest;

    manifest_name(name, number);
    if (number && fstatat(m->dir, name, &st, 0) == 0 && (uint64_t)st.st_size == m->bytes)
        return;
    number = current_manifest(m->dir);
    manifest_name(name, number);
    b = number ? read_file(m->dir, name) : NULL;
    if (b && write_file(m->dir, "mark.manifest", b->data, b->len, false)) {
        m->manifest = number;
        m->bytes = b->len;
        m->sum = sum_of(m, b, b->len);
        nwr_tails_note(m->dir); /* the manifest grows when there are other files */
    }
    nwr_blob_unref(b);
}

void nwr_mark_note(struct nwr_mark *m, uint64_t sequence)
{
    m->sequence = sequence;
    note_manifest(m);
    write_mark(m);
}

enum nwr_mark_state nwr_mark_open(struct nwr_mark *m, int dir)
{
    bool is_new =
        faccessat(dir, "db/CURRENT", F_OK, 0) != 0 && faccessat(dir, "mark", F_OK, 0) != 0;
    bool good;

    *m = (struct nwr_mark){.dir = dir};
    good = read_mark(m) && check_manifest(m);
    nwr_tails_check(dir);
    m->values_known = read_values(m);
    m->fd = openat(dir, "mark", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (is_new) {
        m->values_known = true;
        write_values(m);
        write_mark(m);
        return NWR_MARK_NEW;
    }
    return good ? NWR_MARK_GOOD : NWR_MARK_LOST;
}

void nwr_mark_deinit(struct nwr_mark *m)
{
    for (uint32_t i = 0; i < m->nvalue; i++) {
        nwr_free(m->value[i].name);
        nwr_blob_unref(m->value[i].value);
    }
    nwr_free(m->value);
    if (m->fd > 0)
        close(m->fd);
    *m = (struct nwr_mark){0};
}
