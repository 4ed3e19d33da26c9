/* calm_load.c -- see calm_load.h. */
#include "tests/sim/calm_load.h"

#include <fcntl.h>
#include <stdio.h>

enum {
    DEPTH = 3,   /* of a path */
    NAMES = 4,   /* at each level */
    SMALL = 300, /* bytes of most writes */
    PROCESSES = 3
};

static uint32_t below(struct sim_program *p, uint32_t n)
{
    return (uint32_t)sim_below(p->m->s, n);
}

/* A path as the plain file system has it, and as the mount has it. */
struct paths {
    char plain[CALL_PATH], mount[CALL_PATH];
};

static struct paths some_path(struct sim_program *p, const struct calm_load *l)
{
    struct paths x = {0};
    int depth = 1 + (int)below(p, DEPTH);
    size_t len = 0;

    for (int i = 0; i < depth; i++)
        len += (size_t)snprintf(x.plain + len, sizeof(x.plain) - len, "%s%c", i ? "/" : "",
                                'a' + (int)below(p, NAMES));
    snprintf(x.mount, sizeof(x.mount), "%s/%.100s", l->base, x.plain);
    return x;
}

/* ---- names ----------------------------------------------------------------------------------- */

static void makes_directory(struct sim_program *p, struct calm_load *l)
{
    struct paths x = some_path(p, l);
    int err = call_mkdir(p, x.mount);

    oracle_plain_says(p, "mkdir", x.mount, "", err, plain_mkdir(&l->plain, x.plain));
}

static void makes_link(struct sim_program *p, struct calm_load *l)
{
    struct paths x = some_path(p, l);
    int err = call_symlink(p, "there", x.mount);

    oracle_plain_says(p, "symlink", x.mount, "", err, plain_symlink(&l->plain, "there", x.plain));
}

static void links(struct sim_program *p, struct calm_load *l)
{
    struct paths x = some_path(p, l), y = some_path(p, l);
    int err = call_link(p, x.mount, y.mount);

    oracle_plain_says(p, "link", x.mount, y.mount, err, plain_link(&l->plain, x.plain, y.plain));
}

static void renames(struct sim_program *p, struct calm_load *l)
{
    struct paths x = some_path(p, l), y = some_path(p, l);
    int err = call_rename(p, x.mount, y.mount);

    oracle_plain_says(p, "rename", x.mount, y.mount, err,
                      plain_rename(&l->plain, x.plain, y.plain));
}

static void unlinks(struct sim_program *p, struct calm_load *l)
{
    struct paths x = some_path(p, l);
    int err = call_unlink(p, x.mount);

    oracle_plain_says(p, "unlink", x.mount, "", err, plain_remove(&l->plain, x.plain, false));
}

static void removes_directory(struct sim_program *p, struct calm_load *l)
{
    struct paths x = some_path(p, l);
    int err = call_rmdir(p, x.mount);

    oracle_plain_says(p, "rmdir", x.mount, "", err, plain_remove(&l->plain, x.plain, true));
}

/* ---- files ----------------------------------------------------------------------------------- */

static void truncates(struct sim_program *p, struct calm_load *l)
{
    struct paths x = some_path(p, l);
    size_t size = below(p, below(p, 4) ? 2 * SMALL : CALM_BUFFER / 2);
    int err = call_truncate(p, x.mount, size);

    oracle_plain_says(p, "truncate", x.mount, "", err, plain_truncate(&l->plain, x.plain, size));
}

static void changes_mode(struct sim_program *p, struct calm_load *l)
{
    struct paths x = some_path(p, l);
    mode_t mode = below(p, 2) ? 0700 : 0755;
    int err = call_chmod(p, x.mount, mode);

    oracle_plain_says(p, "chmod", x.mount, "", err, plain_chmod(&l->plain, x.plain, mode));
}

static void opens(struct sim_program *p, struct calm_load *l, struct calm_file *f)
{
    static const uint32_t flags[] = {O_RDONLY,           O_RDWR,
                                     O_RDWR | O_CREAT,   O_RDWR | O_CREAT | O_EXCL,
                                     O_RDWR | O_CREAT,   O_RDWR | O_CREAT | O_TRUNC,
                                     O_WRONLY | O_TRUNC, O_WRONLY | O_CREAT};
    struct paths x = some_path(p, l);
    uint32_t how = flags[below(p, NWR_COUNT(flags))];
    int err = call_open(p, x.mount, how, &f->f);
    int expected = plain_open(&l->plain, x.plain, how, &f->node);

    oracle_plain_says(p, "open", x.mount, "", err, expected);
    f->open = !err;
    f->writes = (how & O_ACCMODE) != O_RDONLY;
}

static void writes(struct sim_program *p, struct calm_load *l, struct calm_file *f)
{
    size_t most = below(p, 8) ? SMALL : CALM_BUFFER / 2;
    size_t len = 1 + below(p, (uint32_t)most), off = below(p, (uint32_t)most);

    for (size_t i = 0; i < len; i++)
        l->buf[i] = (char)('a' + (l->calls + i / 7) % 26);
    oracle_plain_says(p, "write", l->base, "", call_write(p, &f->f, off, l->buf, len), 0);
    plain_write(&l->plain, f->node, off, l->buf, len);
}

static void closes(struct sim_program *p, struct calm_load *l, struct calm_file *f)
{
    oracle_plain_says(p, "close", l->base, "", call_close(p, &f->f), 0);
    plain_close(&l->plain, f->node);
    f->open = false;
}

static void uses_file(struct sim_program *p, struct calm_load *l)
{
    struct calm_file *f = &l->file[below(p, CALM_FILES)];
    uint32_t what = below(p, 6);

    if (!f->open)
        opens(p, l, f);
    else if (what == 0)
        closes(p, l, f);
    else if (what == 1)
        oracle_plain_says(p, "fsync", l->base, "", call_fsync(p, &f->f), 0);
    else if (what < 4 && f->writes)
        writes(p, l, f);
    else
        oracle_plain_content(p, l, &f->f, f->node);
}

/* ---- turns ----------------------------------------------------------------------------------- */

static void looks(struct sim_program *p, struct calm_load *l)
{
    struct paths x = some_path(p, l);

    if (below(p, 2))
        oracle_plain_stat(p, l, x.plain);
    else
        oracle_plain_list(p, l, below(p, 3) ? x.plain : "");
}

static void turn(struct sim_program *p, struct calm_load *l)
{
    static void (*const deeds[])(struct sim_program * p, struct calm_load * l) = {
        makes_directory, makes_directory, makes_link,        links,        renames,
        renames,         unlinks,         truncates,         looks,        looks,
        uses_file,       uses_file,       uses_file,         uses_file,    uses_file,
        uses_file,       uses_file,       removes_directory, changes_mode,
    };

    /* Two processes of one mount never conflict (DESIGN 9). */
    p->pid = 1 + (uint32_t)(nwr_mix64(l->calls) % PROCESSES);
    if (plain_full(&l->plain))
        unlinks(p, l);
    else
        deeds[below(p, NWR_COUNT(deeds))](p, l);
    l->calls++;
}

void calm_load_plant(struct sim_program *p)
{
    struct calm_load *l = p->arg;

    oracle_plain_says(p, "mkdir", l->base, "", call_mkdir(p, l->base), 0);
}

void calm_load_work(struct sim_program *p)
{
    struct calm_load *l = p->arg;

    while (l->turns--) {
        turn(p, l);
        sim_sleep(p, 100 + sim_below(p->m->s, below(p, 4) ? 10000 : 300000));
    }
    for (int i = 0; i < CALM_FILES; i++)
        if (l->file[i].open)
            closes(p, l, &l->file[i]);
}

void calm_load_init(struct calm_load *l, struct sim *s, int no, int node)
{
    *l = (struct calm_load){.turns = 50 + (uint32_t)sim_below(s, 150)};
    snprintf(l->base, sizeof(l->base), "of%d", no);
    l->buf = nwr_zalloc(CALM_BUFFER);
    plain_init(&l->plain);
    sim_mount_init(&l->mount, s, no, node);
}

void calm_load_deinit(struct calm_load *l)
{
    sim_mount_deinit(&l->mount);
    plain_deinit(&l->plain);
    nwr_free(l->buf);
}
