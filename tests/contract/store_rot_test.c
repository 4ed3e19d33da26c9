/* store_rot_test.c -- bytes of a closed data directory are flipped, in every kind of file: whoever
 * reads it afterwards sees what was written, or an error; never other bytes, nor that nothing is
 * there.
 *
 * NWR_SEED=n and NWR_ROUNDS=n choose the histories.
 */
#include "net/store/db.h"
#include "tests/contract/store_kit.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONTENTS 300
#define OTHER_PG 700
#define FILES_MAX 64
#define LARGE (NWR_BLOCK_SEGMENT + 500)
#define SMALL 900
#define FLIPS_MAX 64
#define ROUNDS 120

struct rot {
    struct kit k;
    char model[320];
    struct nwr_rng rng;
    char file[FILES_MAX][300]; /* below the directory */
    uint32_t nfile;
    uint64_t refused, doubted, unreadable, right; /* what became of the rounds, and of reads */
};

static struct rot *rot; /* nftw has no argument */

/* ---- a directory with something of everything ------------------------------------------------ */

static void meta_put(struct kit *k, const char *name, const char *text)
{
    struct batch b;

    batch_init(&b, k, NWR_STORE_META_PUT);
    b.op.name = name;
    b.op.value = nwr_blob_copy(text, strlen(text));
    assert_int_equal(batch_run(&b), NWR_OK);
    nwr_blob_unref(b.op.value);
    b.op.value = NULL;
    batch_deinit(&b);
}

static struct nwr_key key_of(uint64_t n)
{
    nwr_pg pg = n % 2 ? PG : OTHER_PG;

    return nwr_key_reg(nwr_ino_make(pg, 1, n), NWR_REG_CONTENT);
}

static struct nwr_block_id block_of(uint64_t n)
{
    return (struct nwr_block_id){nwr_ino_make(n % 2 ? PG : OTHER_PG, 1, n), n, 0};
}

static size_t block_len(uint64_t n)
{
    return n % 10 == 0 ? LARGE : n % 3 == 0 ? SMALL : 0;
}

static void body_of(uint64_t n, int version, char out[64])
{
    snprintf(out, 64, "content %u version %d", (unsigned)n, version);
}

static void put(struct kit *k, uint64_t n, int version, struct nwr_seen *seen)
{
    struct nwr_write *w;
    struct batch b;
    char body[64];

    body_of(n, version, body);
    batch_init(&b, k, NWR_STORE_APPLY);
    b.op.pg = n % 2 ? PG : OTHER_PG;
    w = batch_put(&b, key_of(n), 0, body);
    if (block_len(n)) {
        write_names(w, block_of(n));
        batch_block(&b, block_of(n), (uint8_t)n, block_len(n));
    }
    if (seen->dot.counter)
        nwr_write_seen(w, seen->dot, seen->wid);
    *seen = (struct nwr_seen){w->v.dot, w->v.wid};
    assert_int_equal(batch_end(&b), NWR_OK);
}

/* Version 2 of two thirds is in the log only, or in a younger table. */
static void fill(struct kit *k)
{
    static struct nwr_seen seen[CONTENTS];

    memset(seen, 0, sizeof(seen));
    meta_put(k, "identity", "this node");
    for (uint64_t n = 0; n < CONTENTS; n++)
        put(k, n, 1, &seen[n]);
    kit_reopen(k);
    for (uint64_t n = 0; n < CONTENTS; n++)
        if (n % 3)
            put(k, n, 2, &seen[n]);
    kit_reopen(k);
    meta_put(k, "counters", "high");
    for (uint64_t n = 0; n < CONTENTS; n++)
        if (n % 3 == 1)
            put(k, n, 3, &seen[n]);
    k->s->destroy(k->s);
    k->s = NULL;
}

static int version_of(uint64_t n)
{
    return n % 3 == 0 ? 1 : n % 3 == 1 ? 3 : 2;
}

/* ---- copies and flips ------------------------------------------------------------------------ */

static int note_file(const char *path, const struct stat *st, int flag, struct FTW *f)
{
    const char *name = path + strlen(rot->model) + 1;

    (void)f;
    if (flag == FTW_F && st->st_size > 0 && rot->nfile < FILES_MAX)
        snprintf(rot->file[rot->nfile++], sizeof(rot->file[0]), "%s", name);
    return 0;
}

static void copy_file(const char *from, const char *to)
{
    int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    struct stat st;

    assert_true(in >= 0 && out >= 0);
    assert_int_equal(fstat(in, &st), 0);
    for (off_t left = st.st_size; left > 0;) {
        ssize_t got = copy_file_range(in, NULL, out, NULL, (size_t)left, 0);

        assert_true(got > 0);
        left -= got;
    }
    close(in);
    close(out);
}

static void copy_model(struct rot *r)
{
    static const char *const dirs[] = {"", "/db", "/segments"};
    char from[700], to[700];

    kit_remove(r->k.dir);
    for (size_t i = 0; i < NWR_COUNT(dirs); i++) {
        snprintf(to, sizeof(to), "%s%s", r->k.dir, dirs[i]);
        assert_int_equal(mkdir(to, 0700), 0);
    }
    for (uint32_t i = 0; i < r->nfile; i++) {
        snprintf(from, sizeof(from), "%s/%s", r->model, r->file[i]);
        snprintf(to, sizeof(to), "%s/%s", r->k.dir, r->file[i]);
        copy_file(from, to);
    }
}

static uint64_t flip(struct rot *r, const char *name, uint64_t times)
{
    char path[700];
    struct stat st;
    int fd;

    snprintf(path, sizeof(path), "%s/%s", r->k.dir, name);
    fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    for (uint64_t i = 0; i < times; i++) {
        off_t at = (off_t)nwr_rng_below(&r->rng, (uint64_t)st.st_size);
        uint8_t byte;

        assert_int_equal(pread(fd, &byte, 1, at), 1);
        byte ^= (uint8_t)(1 + nwr_rng_below(&r->rng, 255));
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    }
    close(fd);
    return times;
}

/* ---- what a reader sees ---------------------------------------------------------------------- */

static void read_content(struct rot *r, uint64_t n, const char *where)
{
    struct nwr_key key = key_of(n);
    const struct nwr_row *row;
    struct batch b;
    char want[64];

    body_of(n, version_of(n), want);
    batch_init(&b, &r->k, NWR_STORE_READ);
    b.op.pg = nwr_key_pg(&key);
    batch_range(&b, key, true, false);
    if (batch_run(&b)) {
        assert_int_equal(b.op.err, NWR_E_CORRUPT);
        r->unreadable++;
        batch_deinit(&b);
        return;
    }
    row = nwr_rows_find(&b.op.rows, &key);
    if (!row)
        fail_msg("%s: content %u is not there any more", where, (unsigned)n);
    assert_int_equal(row->rec.n, 1);
    assert_int_equal(row->rec.v[0].body->len, strlen(want));
    assert_memory_equal(row->rec.v[0].body->data, want, strlen(want));
    r->right++;
    batch_deinit(&b);
}

static void read_block(struct rot *r, uint64_t n, const char *where)
{
    enum nwr_err err = get_block(&r->k, block_of(n), (uint8_t)n, block_len(n));

    if (err == NWR_OK)
        r->right++;
    else if (err == NWR_E_CORRUPT || err == NWR_E_NOENT)
        r->unreadable++;
    else
        fail_msg("%s: block %u: %s", where, (unsigned)n, nwr_err_name(err));
}

static void read_value(struct rot *r, const char *name, const char *want, const char *where)
{
    struct batch b;

    batch_init(&b, &r->k, NWR_STORE_META_GET);
    b.op.name = name;
    if (batch_run(&b) != NWR_OK)
        fail_msg("%s: %s: %s", where, name, nwr_err_name(b.op.err));
    assert_int_equal(b.op.value->len, strlen(want));
    assert_memory_equal(b.op.value->data, want, strlen(want));
    batch_deinit(&b);
}

static void look(struct rot *r, const char *where)
{
    char text[400] = "";
    enum nwr_err err = nwr_store_rocks_open(&r->k.s, r->k.dir, 0, text, sizeof(text));

    if (err) {
        assert_true(*text);
        if (strncmp(where, "format", 6) != 0)
            fail_msg("%s: %s", where, text);
        r->refused++;
        return;
    }
    for (uint64_t n = 0; n < CONTENTS; n++) {
        read_content(r, n, where);
        if (block_len(n))
            read_block(r, n, where);
    }
    read_value(r, "identity", "this node", where);
    read_value(r, "counters", "high", where);
    r->doubted += stat_of(&r->k).doubtful > 0;
    r->k.s->destroy(r->k.s);
    r->k.s = NULL;
}

/* ---- the tests ------------------------------------------------------------------------------- */

static int setup(void **state)
{
    struct rot *r = nwr_zalloc(sizeof(*r));
    const char *seed = getenv("NWR_SEED");

    rot = r;
    *state = r;
    nwr_rng_init(&r->rng, seed ? strtoull(seed, NULL, 10) : 1);
    r->k.rocks = true;
    kit_tmpdir(r->k.dir, sizeof(r->k.dir));
    kit_open(&r->k);
    fill(&r->k);
    kit_tmpdir(r->model, sizeof(r->model));
    assert_int_equal(rmdir(r->model), 0);
    assert_int_equal(rename(r->k.dir, r->model), 0);
    assert_int_equal(mkdir(r->k.dir, 0700), 0);
    assert_int_equal(nftw(r->model, note_file, 16, FTW_PHYS), 0);
    return 0;
}

static int teardown(void **state)
{
    struct rot *r = *state;

    kit_remove(r->k.dir);
    kit_remove(r->model);
    nwr_free(r);
    return 0;
}

static void what_is_whole_reads_whole(void **state)
{
    struct rot *r = *state;

    copy_model(r);
    r->unreadable = r->doubted = 0;
    look(r, "nothing flipped");
    assert_int_equal(r->unreadable, 0);
    assert_int_equal(r->doubted, 0);
}

static void flipped_bytes_are_never_read(void **state)
{
    struct rot *r = *state;
    const char *asked = getenv("NWR_ROUNDS");
    uint64_t rounds = asked ? strtoull(asked, NULL, 10) : ROUNDS, flips = 0;
    char where[400];

    r->right = r->unreadable = 0;
    for (uint64_t i = 0; i < rounds; i++) {
        const char *name = r->file[i % r->nfile];
        bool one = nwr_rng_below(&r->rng, 2) == 0;
        uint64_t times = one ? 1 : 2 + nwr_rng_below(&r->rng, FLIPS_MAX);

        copy_model(r);
        flips += flip(r, name, times);
        snprintf(where, sizeof(where), "%s, round %u", name, (unsigned)i);
        look(r, where);
    }
    print_message("%u flips of %u files: %u opened with groups in doubt, %u refused; "
                  "reads: %u right, %u refused\n",
                  (unsigned)flips, (unsigned)r->nfile, (unsigned)r->doubted, (unsigned)r->refused,
                  (unsigned)r->right, (unsigned)r->unreadable);
    assert_true(r->right > 0 && r->unreadable > 0 && r->doubted > 0);
}

/* The last bytes are gone, as if they had never been written out. */
static void a_log_that_lost_its_end_is_noticed(void **state)
{
    struct rot *r = *state;
    uint32_t logs = 0;

    for (uint32_t i = 0; i < r->nfile; i++) {
        char path[700];
        struct stat st;

        if (!strstr(r->file[i], ".log"))
            continue;
        copy_model(r);
        snprintf(path, sizeof(path), "%s/%s", r->k.dir, r->file[i]);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(truncate(path, st.st_size / 2), 0);
        r->doubted = 0;
        look(r, r->file[i]);
        assert_int_equal(r->doubted, 1);
        logs++;
    }
    assert_true(logs > 0);
}

/* What was noted of it has a second copy. */
static void a_manifest_that_rotted_is_mended_and_no_group_is_in_doubt(void **state)
{
    struct rot *r = *state;
    uint32_t flipped = 0;

    r->doubted = r->unreadable = 0;
    for (uint32_t i = 0; i < r->nfile; i++) {
        if (!strstr(r->file[i], "MANIFEST") && !strstr(r->file[i], "CURRENT"))
            continue;
        copy_model(r);
        flipped += flip(r, r->file[i], 20) > 0;
        look(r, r->file[i]);
    }
    assert_int_equal(flipped, 2);
    assert_int_equal(r->doubted, 0);
    assert_int_equal(r->unreadable, 0);
}

static void flip_tables(struct rot *r)
{
    uint64_t flips = 0;

    for (uint32_t i = 0; i < r->nfile; i++)
        if (strstr(r->file[i], ".sst"))
            flips += flip(r, r->file[i], FLIPS_MAX);
    assert_true(flips > 0);
}

/* Whether a CHECK of either group says that something rotted. */
static bool is_found(struct rot *r, bool blocks)
{
    bool found = false;

    for (int i = 0; i < 2; i++) {
        struct batch b;

        batch_init(&b, &r->k, NWR_STORE_CHECK);
        b.op.pg = i ? PG : OTHER_PG;
        b.op.blocks = blocks;
        found |= batch_run(&b) == NWR_E_CORRUPT || b.op.nrotten || b.op.nmissing;
        batch_deinit(&b);
    }
    return found;
}

/* RocksDB keeps blocks that it has read. */
static void a_check_sees_the_disk_and_not_what_is_in_memory(void **state)
{
    struct rot *r = *state;

    for (int blocks = 0; blocks < 2; blocks++) {
        copy_model(r);
        kit_open(&r->k);
        assert_false(is_found(r, blocks));
        flip_tables(r);
        assert_true(is_found(r, blocks));
        r->k.s->destroy(r->k.s);
        r->k.s = NULL;
    }
}

static bool on_any(void *arg, const struct nwr_skey *key, const void *value, size_t len)
{
    (void)arg;
    (void)key;
    (void)value;
    (void)len;
    return true;
}

/* A directory in the place of a file: reading it fails, for another reason than rot. */
static void nothing_is_set_aside_while_a_file_cannot_be_read(void **state)
{
    struct rot *r = *state;
    struct nwr_db_lost *lost = nwr_zalloc(sizeof(*lost));
    struct nwr_skey first = nwr_skey_of(NWR_SPACE_RECORDS, "", 0);
    struct nwr_db *db;
    char path[330], file[350], text[400];

    copy_model(r);
    snprintf(path, sizeof(path), "%s/db", r->k.dir);
    snprintf(file, sizeof(file), "%s/999999.sst", path);
    assert_int_equal(nwr_db_open(&db, path, lost, text, sizeof(text)), NWR_OK);
    flip_tables(r);
    assert_int_equal(nwr_db_scan(db, &first, on_any, NULL), NWR_E_CORRUPT);
    assert_int_equal(mkdir(file, 0700), 0);
    assert_int_equal(nwr_db_mend(db, lost), NWR_E_IO);
    assert_false(lost->any);
    assert_true(nwr_db_rotten(db));
    assert_int_equal(rmdir(file), 0);
    assert_int_equal(nwr_db_mend(db, lost), NWR_OK);
    assert_true(lost->any);
    nwr_db_close(db);
    nwr_free(lost);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_whole_reads_whole),
        cmocka_unit_test(flipped_bytes_are_never_read),
        cmocka_unit_test(a_log_that_lost_its_end_is_noticed),
        cmocka_unit_test(a_manifest_that_rotted_is_mended_and_no_group_is_in_doubt),
        cmocka_unit_test(a_check_sees_the_disk_and_not_what_is_in_memory),
        cmocka_unit_test(nothing_is_set_aside_while_a_file_cannot_be_read),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
