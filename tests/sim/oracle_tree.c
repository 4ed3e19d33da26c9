/* oracle_tree.c -- [tree] what a mount lists is one tree: each name once, each directory once, all
 * of it found and read; every mount lists the same; what is listed can be removed, all of it.
 */
#include "tests/sim/mount_oracle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    DEPTH = 8,
    PASSES = 5
};

struct looker {
    struct mount_tree *t;
    uint64_t dir[64]; /* directories met */
    uint32_t ndir;
    char *buf;
};

static void must(struct sim_program *p, int err, const char *what, const char *path)
{
    if (err)
        sim_fail(p->m->s, "[tree] mount %d: all is healed, but %s %s says %d", p->m->no, what, path,
                 err);
}

/* What W nodes acknowledged and lost with their power is gone where nobody else got it, and so may
 * be half of what a program did: a name is there, its inode is nowhere. That is EIO (DESIGN 13: no
 * good copy), the same at every mount but one that has the bytes in its cache. So it is where the
 * only copy rotted, of what nobody acknowledged: scrub has said so then. What was acknowledged is
 * looked for by oracle_content.c. */
static bool is_lost(struct mount_tree *t, int err)
{
    return t->losses && err == EIO;
}

/* `other` has bytes where `gone` says that they are lost. */
static bool is_cached(const char *gone, size_t gone_len, const char *other, size_t other_len)
{
    static const char lost[] = " is lost", has[] = " = ";
    size_t name = gone_len - NWR_MIN(gone_len, sizeof(lost) - 1);

    return memcmp(gone + name, lost, gone_len - name) == 0 && other_len > name + sizeof(has) - 1 &&
           memcmp(gone, other, name) == 0 && memcmp(other + name, has, sizeof(has) - 1) == 0;
}

bool oracle_tree_same(const struct mount_tree *a, const struct mount_tree *b)
{
    const char *x = a->text, *y = b->text;

    while (*x && *y) {
        size_t nx = strcspn(x, "\n"), ny = strcspn(y, "\n");
        bool same = nx == ny && memcmp(x, y, nx) == 0;

        if (!same && !(a->losses && (is_cached(x, nx, y, ny) || is_cached(y, ny, x, nx))))
            return false;
        x += nx + (x[nx] == '\n');
        y += ny + (y[ny] == '\n');
    }
    return !*x && !*y;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct call_dirent *)a)->name, ((const struct call_dirent *)b)->name);
}

static void say(struct mount_tree *t, const char *line)
{
    uint32_t len = (uint32_t)strlen(line);

    t->text = nwr_grow(t->text, &t->cap, t->len + len + 1, 1);
    memcpy(t->text + t->len, line, len + 1);
    t->len += len;
}

/* What was listed, and looked at, is at this name no more: see is_as_listed. */
static bool is_gone(struct sim_program *p, struct looker *k, const char *path, const char *what,
                    int err)
{
    if (err == ENOENT)
        snprintf(k->t->unlike, sizeof(k->t->unlike), "mount %d lists %s; %s finds none", p->m->no,
                 path, what);
    return err == ENOENT;
}

static void look_file(struct sim_program *p, struct looker *k, const char *path)
{
    struct mount_book *b = k->t->book;
    struct call_file f;
    size_t len = 0;
    char line[64];
    int64_t id;
    int err = call_open(p, path, O_RDONLY, &f);

    if (is_gone(p, k, path, "open", err))
        return;
    if (is_lost(k->t, err))
        return say(k->t, " is lost");
    must(p, err, "open", path);
    err = call_read(p, &f, k->buf, BOOK_BUFFER, &len);
    must(p, call_close(p, &f), "close", path);
    if (is_lost(k->t, err))
        return say(k->t, " is lost");
    must(p, err, "read", path);
    id = mount_book_is(b, k->buf, len);
    if (id == BOOK_DAMAGED)
        sim_fail(p->m->s, "[invented] mount %d reads at %s what nobody wrote: %zu bytes, %.20s",
                 p->m->no, path, len, k->buf);
    if (id > 0)
        b->content[id - 1].seen = true;
    snprintf(line, sizeof(line), " = %lld", (long long)id);
    say(k->t, line);
}

static void look_link(struct sim_program *p, struct looker *k, const char *path)
{
    char text[64];
    int err = call_readlink(p, path, text, sizeof(text));

    if (is_gone(p, k, path, "readlink", err))
        return;
    must(p, err, "readlink", path);
    say(k->t, " -> ");
    say(k->t, text);
}

static void look_directory(struct sim_program *p, struct looker *k, const char *path, int depth);

/* It is what the listing said. Who looks may finish what was begun (a rename, say), and then it is
 * not: mount_plan.c has everybody look again, and that must end. A name leads nowhere for good
 * where the last step of its removal was lost with the power of all who held it. */
static bool is_as_listed(struct sim_program *p, struct looker *k, const char *path,
                         const struct call_dirent *e, struct stat *st)
{
    int err = call_stat(p, path, st);

    if (is_lost(k->t, err) || (k->t->losses && err == ENOENT)) {
        say(k->t, path);
        say(k->t, " is lost\n");
        return false;
    }
    if (err != ENOENT)
        must(p, err, "stat", path);
    if (!err && (st->st_mode & S_IFMT) == e->type && st->st_ino == e->ino)
        return true;
    snprintf(k->t->unlike, sizeof(k->t->unlike),
             "mount %d lists %s as %o, inode %llx; it is %o, %llx", p->m->no, path, e->type,
             (unsigned long long)e->ino, err ? 0 : st->st_mode,
             (unsigned long long)(err ? 0 : st->st_ino));
    return false;
}

static void look_entry(struct sim_program *p, struct looker *k, const char *path,
                       const struct call_dirent *e, int depth)
{
    char line[CALL_PATH + 100];
    struct stat st;

    if (!is_as_listed(p, k, path, e, &st))
        return;
    snprintf(line, sizeof(line), "%s %o %llx", path, st.st_mode, (unsigned long long)st.st_ino);
    say(k->t, line);
    if (S_ISREG(st.st_mode))
        look_file(p, k, path);
    else if (S_ISLNK(st.st_mode))
        look_link(p, k, path);
    say(k->t, "\n");
    if (!S_ISDIR(st.st_mode))
        return;
    for (uint32_t i = 0; i < k->ndir; i++)
        if (k->dir[i] == st.st_ino)
            sim_fail(p->m->s, "[tree] mount %d shows directory %llx twice, here as %s", p->m->no,
                     (unsigned long long)st.st_ino, path);
    nwr_assert(k->ndir < NWR_COUNT(k->dir));
    k->dir[k->ndir++] = st.st_ino;
    look_directory(p, k, path, depth + 1);
}

static void look_directory(struct sim_program *p, struct looker *k, const char *path, int depth)
{
    struct call_list *l = nwr_zalloc(sizeof(*l));
    char below[CALL_PATH];

    if (depth > DEPTH)
        sim_fail(p->m->s, "[tree] mount %d: %s is too deep", p->m->no, path);
    must(p, call_list(p, path, l), "list", path);
    qsort(l->e, l->n, sizeof(l->e[0]), by_name);
    for (uint32_t i = 0; i < l->n; i++) {
        if (i && strcmp(l->e[i].name, l->e[i - 1].name) == 0)
            sim_fail(p->m->s, "[tree] mount %d lists %s twice in \"%s\"", p->m->no, l->e[i].name,
                     path);
        snprintf(below, sizeof(below), "%s%s%s", path, path[0] ? "/" : "", l->e[i].name);
        look_entry(p, k, below, &l->e[i], depth);
    }
    nwr_free(l);
}

void oracle_tree_look(struct sim_program *p)
{
    struct looker k = {.t = p->arg, .buf = nwr_zalloc(BOOK_BUFFER)};

    k.t->len = 0;
    k.t->unlike[0] = 0;
    say(k.t, "");
    look_directory(p, &k, "", 0);
    nwr_free(k.buf);
}

/* ---- rm -rf ---------------------------------------------------------------------------------- */

static void remove_below(struct sim_program *p, const char *path, int depth)
{
    struct call_list *l = nwr_zalloc(sizeof(*l));
    char below[CALL_PATH];

    if (call_list(p, path, l) == 0 && depth <= DEPTH)
        for (uint32_t i = 0; i < l->n; i++) {
            snprintf(below, sizeof(below), "%s%s%s", path, path[0] ? "/" : "", l->e[i].name);
            if (l->e[i].type == S_IFDIR) {
                remove_below(p, below, depth + 1);
                call_rmdir(p, below);
            } else {
                call_unlink(p, below);
            }
        }
    nwr_free(l);
}

/* What comes to light when what hid it is removed goes in the next pass. */
void oracle_tree_remove(struct sim_program *p)
{
    for (int i = 0; i < PASSES; i++) {
        remove_below(p, "", 0);
        sim_sleep(p, 1000000);
    }
}
