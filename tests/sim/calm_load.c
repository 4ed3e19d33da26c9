/* calm_load.c -- see calm_load.h. */
#include "tests/sim/calm_load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "tests/sim/sim_fault.h"

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
    int err = call_rename(p, x.mount, y.mount, 0);

    oracle_plain_says(p, "rename", x.mount, y.mount, err,
                      plain_rename(&l->plain, x.plain, y.plain, 0));
}

/* Two names whose directories are in different groups are not exchanged (fs/README.md). */
static void renames_with_flags(struct sim_program *p, struct calm_load *l)
{
    uint32_t flags = below(p, 2) ? NWR_RENAME_EXCHANGE : NWR_RENAME_NOREPLACE;
    struct paths x = some_path(p, l), y = some_path(p, l);
    int err = call_rename(p, x.mount, y.mount, flags);

    if (err == EXDEV && flags == NWR_RENAME_EXCHANGE)
        return;
    oracle_plain_says(p, "renameat2", x.mount, y.mount, err,
                      plain_rename(&l->plain, x.plain, y.plain, flags));
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

static void sets_time(struct sim_program *p, struct calm_load *l)
{
    struct paths x = some_path(p, l);
    nwr_ns mtime = 1 + below(p, 2000000000);
    int node, err = call_set_mtime(p, x.mount, mtime);
    int expected = plain_target(&l->plain, x.plain, &node);

    oracle_plain_says(p, "utimensat", x.mount, "", err, expected);
    if (!expected)
        l->plain.node[node].mtime = mtime;
}

static void uses_xattr(struct sim_program *p, struct calm_load *l)
{
    static const char *const names[] = {"user.a", "user.b"};
    struct paths x = some_path(p, l);
    uint32_t which = below(p, 2), what = below(p, 4);
    char text[CALL_NAME], *is;
    int node, err, expected = plain_target(&l->plain, x.plain, &node);

    is = l->plain.node[expected ? 0 : node].xattr[which];
    snprintf(text, sizeof(text), "%u", (unsigned)(1 + l->calls));
    if (what == 0) {
        err = call_setxattr(p, x.mount, names[which], text);
    } else if (what == 1) {
        err = call_removexattr(p, x.mount, names[which]);
        text[0] = 0;
    } else {
        err = call_getxattr(p, x.mount, names[which], text, sizeof(text));
    }
    if (!expected && what && !is[0])
        expected = ENODATA;
    oracle_plain_says(p, "xattr", x.mount,
                      what == 0   ? "set"
                      : what == 1 ? "remove"
                                  : "get",
                      err, expected);
    if (!expected && what < 2)
        snprintf(is, sizeof(l->plain.node[0].xattr[0]), "%.15s", text);
    else if (!expected && strcmp(text, is) != 0)
        sim_fail(p->m->s, "[plain] mount %d: %s of %s is %s, not %s", p->m->no, names[which],
                 x.mount, text, is);
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

static void zeroes(struct sim_program *p, struct calm_load *l, struct calm_file *f)
{
    uint32_t mode =
        NWR_FALLOC_KEEP_SIZE | (below(p, 2) ? NWR_FALLOC_PUNCH_HOLE : NWR_FALLOC_ZERO_RANGE);
    size_t len = 1 + below(p, CALM_BUFFER / 4),
           off = below(p, below(p, 2) ? SMALL : CALM_BUFFER / 2);

    oracle_plain_says(p, "fallocate", l->base, "", call_fallocate(p, &f->f, mode, off, len), 0);
    plain_zero(&l->plain, f->node, off, len);
}

/* From one open file to another; a short copy is one, too. Where it says EXDEV the kernel copies
 * the bytes itself, and over what may have come of the attempt. */
static void copies(struct sim_program *p, struct calm_load *l, struct calm_file *to)
{
    struct calm_file *from = &l->file[below(p, CALM_FILES)];
    size_t most = below(p, 2) ? SMALL : CALM_BUFFER / 2, size, len, was;
    size_t off = below(p, (uint32_t)most), to_off = below(p, (uint32_t)most);
    int err = 0;

    if (!from->open || from->node == to->node)
        return;
    size = l->plain.node[from->node].size;
    len = was = off < size ? NWR_MIN(size - off, most) : 0;
    if (len)
        err = call_copy(p, &from->f, off, &to->f, to_off, &len);
    if (err == EXDEV)
        len = was;
    if (len > was)
        sim_fail(p->m->s, "[plain] mount %d copies %zu bytes of %zu", p->m->no, len, was);
    memcpy(l->buf, l->plain.node[from->node].data + off, len);
    if (err == EXDEV)
        err = call_write(p, &to->f, to_off, l->buf, len);
    oracle_plain_says(p, "copy_file_range", l->base, "", err, 0);
    if (!len)
        return;
    plain_write(&l->plain, to->node, to_off, l->buf, len);
    oracle_plain_content(p, l, &to->f, to->node);
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
    uint32_t what = below(p, l->wide ? 8 : 6);

    if (f->open && f->writes && what == 6)
        zeroes(p, l, f);
    else if (f->open && f->writes && what == 7)
        copies(p, l, f);
    else if (!f->open)
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

    static void (*const more[])(struct sim_program * p, struct calm_load * l) = {
        renames_with_flags, sets_time, uses_xattr, uses_xattr};

    /* Two processes of one mount never conflict (DESIGN 9). */
    p->pid = 1 + (uint32_t)(nwr_mix64(l->calls) % PROCESSES);
    if (plain_full(&l->plain))
        unlinks(p, l);
    else if (l->wide && below(p, 4) == 0)
        more[below(p, NWR_COUNT(more))](p, l);
    else
        deeds[below(p, NWR_COUNT(deeds))](p, l);
    l->calls++;
}

void calm_load_plant(struct sim_program *p)
{
    struct calm_load *l = p->arg;

    oracle_plain_says(p, "mkdir", l->base, "", call_mkdir(p, l->base), 0);
    if (!l->w)
        return;
    oracle_plain_says(p, "set", l->base, "w", call_setxattr(p, l->base, "user.nwrfs.w", l->w), 0);
    oracle_plain_says(p, "set", l->base, "r", call_setxattr(p, l->base, "user.nwrfs.r", l->r), 0);
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

static void draw_policy(struct calm_load *l, struct sim *s)
{
    static const char *const policy[][2] = {
        {NULL, NULL}, {"1", "3"}, {"3", "1"}, {"2", "3"}, {"3", "2"}};
    uint64_t which = sim_below(s, NWR_COUNT(policy));

    l->w = policy[which][0];
    l->r = policy[which][1];
}

void calm_load_init(struct calm_load *l, struct sim *s, int no, int node, bool policy)
{
    *l = (struct calm_load){.turns = 50 + (uint32_t)sim_below(s, 150)};
    l->wide = s->seed >= SIM_HARSH;
    if (policy)
        draw_policy(l, s);
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
