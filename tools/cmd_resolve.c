/* cmd_resolve.c -- `nwrfs resolve`: ends a conflict with the operations a person would use.
 *
 *   --keep head   the siblings are removed
 *   --keep K      name.conflict.K is renamed over the name, the others are removed
 *   --keep all    each sibling is renamed to an ordinary name beside it
 *   --merge       git merge-file (or diff3) puts head and siblings together, from the version they
 *                 come from; where both changed the same lines stand markers, with what was there.
 *                 Where that version is not kept the base is empty: what both have is there once,
 *                 all that differs is marked. The result is renamed over the name, then the
 *                 siblings are removed.
 *
 * Only names that were there at the start are touched. A failure leaves the rest as it is.
 */
#include "tools/ancestor.h"
#include "tools/cmd.h"
#include "tools/siblings.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    GIT_USAGE = 129 /* exit status: it does not know an option */
};

static int fail(const char *path)
{
    return nwr_cmd_fail("resolve: %s: %s", path, strerror(errno));
}

static int remove_all(const struct nwr_siblings *s, uint64_t but)
{
    char path[PATH_MAX + 32];

    for (unsigned i = 0; i < s->n; i++) {
        nwr_sibling_path(s, s->k[i], path, sizeof(path));
        if (s->k[i] != but && unlink(path) != 0 && errno != ENOENT)
            return fail(path);
    }
    return 0;
}

static int keep_one(const struct nwr_siblings *s, const char *which)
{
    uint64_t k = nwr_sibling_number(s, which);
    char path[PATH_MAX + 32];

    if (k == 0)
        return nwr_cmd_fail("resolve: %s: has no sibling %s", s->name, which);
    nwr_sibling_path(s, k, path, sizeof(path));
    if (rename(path, s->name) != 0)
        return fail(path);
    return remove_all(s, k);
}

/* plan.txt and 2001: plan.2001.txt; a dot at the beginning is no extension. */
static void ordinary_name(const struct nwr_siblings *s, uint64_t k, char *out, size_t len)
{
    const char *file = strrchr(s->name, '/'), *dot;

    file = file ? file + 1 : s->name;
    dot = strrchr(file, '.');
    if (!dot || dot == file)
        dot = s->name + strlen(s->name);
    snprintf(out, len, "%.*s.%llu%s", (int)(dot - s->name), s->name, (unsigned long long)k, dot);
}

static int keep_all(const struct nwr_siblings *s)
{
    char from[PATH_MAX + 32], to[PATH_MAX + 32];

    for (unsigned i = 0; i < s->n; i++) {
        nwr_sibling_path(s, s->k[i], from, sizeof(from));
        ordinary_name(s, s->k[i], to, sizeof(to));
        if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) != 0)
            return fail(to);
        printf("%s\n", to);
    }
    return 0;
}

/* ---- merging -------------------------------------------------------------------------------- */

/* What mine and a sibling are put together from; base NULL: they have nothing in common. */
struct parts {
    char *mine, *mine_label, *other, *other_label;
    struct nwr_ancestor *base;
};

static int run_git(const struct parts *p, const char *style, char *base, char *label, int to)
{
    char *argv[] = {"git",          "merge-file",  "-p", "-q",     (char *)(uintptr_t)style,
                    "-L",           p->mine_label, "-L", label,    "-L",
                    p->other_label, p->mine,       base, p->other, NULL};

    return nwr_run(argv, to);
}

/* Puts them together into `to`; 0 clean, 1 markers, 2 it cannot be done. */
static int merge_two(const struct parts *p, int to)
{
    char *base = p->base ? p->base->path : "/dev/null";
    char *label = p->base ? p->base->label : "nothing";
    char *diff3[] = {"diff3", "-m",           "-L",    p->mine_label, "-L",     label,
                     "-L",    p->other_label, p->mine, base,          p->other, NULL};
    int status = run_git(p, p->base ? "--zdiff3" : "-q", base, label, to);

    if (status == GIT_USAGE && p->base) /* before 2.35 */
        status = run_git(p, "--diff3", base, label, to);
    if (status == 127)
        status = nwr_run(diff3, to);
    if (status == 127)
        return 2;
    if (status > 127 || lseek(to, 0, SEEK_END) < 0)
        return 2;
    return status ? 1 : 0;
}

/* The same with the ancestor of the head and the sibling, if there is one; 3: it could not be read,
 * which was said. */
static int merge_from_base(struct parts *p, int to)
{
    struct nwr_ancestor base;
    int status;

    p->base = NULL;
    switch (nwr_ancestor_fetch(&base, "resolve", p->other)) {
    case NWR_ANCESTOR_THERE: p->base = &base; break;
    case NWR_ANCESTOR_NONE:
        fprintf(stderr,
                "nwrfs resolve: %s: no common ancestor is kept, all that differs is marked\n",
                p->other);
        break;
    case NWR_ANCESTOR_FAILED: return 3;
    }
    status = merge_two(p, to);
    if (p->base)
        nwr_ancestor_drop(&base);
    return status;
}

static int merge_into(const struct nwr_siblings *s, char *to, bool *markers)
{
    char mine[PATH_MAX + 32], label[PATH_MAX + 160], other[PATH_MAX + 32],
        other_label[PATH_MAX + 160];
    struct parts parts = {mine, label, other, other_label, NULL};
    int status = 0;

    snprintf(mine, sizeof(mine), "%s", s->name);
    nwr_sibling_label(s->name, label, sizeof(label));
    for (unsigned i = 0; i < s->n && status < 2; i++) {
        int fd = mkstemp(to);

        if (fd < 0)
            return 2;
        nwr_sibling_path(s, s->k[i], other, sizeof(other));
        nwr_sibling_label(other, other_label, sizeof(other_label));
        status = merge_from_base(&parts, fd);
        *markers |= status == 1;
        close(fd);
        if (i > 0)
            unlink(mine);
        snprintf(mine, sizeof(mine), "%s", to);
        if (i + 1 < s->n)
            memset(to + strlen(to) - 6, 'X', 6);
    }
    if (status >= 2)
        unlink(mine);
    return status;
}

/* The merged file in place of the head, with its owner and mode. */
static int take_place(const struct nwr_siblings *s, const char *merged)
{
    struct stat st;

    if (stat(s->name, &st) != 0 || chmod(merged, st.st_mode & 07777) != 0)
        return fail(s->name);
    if (geteuid() == 0 && chown(merged, st.st_uid, st.st_gid) != 0)
        return fail(merged);
    if (rename(merged, s->name) != 0)
        return fail(s->name);
    return remove_all(s, 0);
}

static int merge(const struct nwr_siblings *s)
{
    char to[PATH_MAX + 32], copy[PATH_MAX];
    bool markers = false;
    int status;

    if (!s->head)
        return nwr_cmd_fail("resolve: %s: there is no head to merge with; use --keep", s->name);
    snprintf(copy, sizeof(copy), "%s", s->name);
    snprintf(to, sizeof(to), "%s/.merge.XXXXXX", dirname(copy));
    status = merge_into(s, to, &markers);
    if (status == 2)
        return nwr_cmd_fail("resolve: %s: git merge-file (or diff3) cannot merge it; use --keep",
                            s->name);
    if (status > 2)
        return 1;
    status = take_place(s, to);
    if (status)
        unlink(to);
    if (status == 0 && markers)
        status = nwr_cmd_fail("resolve: %s: merged, with markers where versions differ; edit it",
                              s->name);
    return status;
}

static int help(void)
{
    printf("usage: nwrfs resolve NAME --keep K|head|all | --merge\n\n"
           "Ends the conflict of NAME: --keep head or a sibling's number removes the others,\n"
           "--keep all makes every sibling an ordinary file (NAME.K, before the extension),\n"
           "--merge puts them together with git merge-file, from the version they come from, and\n"
           "leaves markers where both changed the same lines (exit status 1 then). Where that\n"
           "version is not kept it says so, and all that differs is marked.\n");
    return 0;
}

int nwr_cmd_resolve(int argc, char **argv)
{
    bool keeps = argc == 4 && strcmp(argv[2], "--keep") == 0;
    struct nwr_siblings s;
    int status;

    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return help();
    if (!keeps && !(argc == 3 && strcmp(argv[2], "--merge") == 0))
        return nwr_cmd_usage("resolve: NAME and --keep or --merge; see nwrfs resolve --help");
    status = nwr_siblings_read(&s, "resolve", argv[1]);
    if (status)
        return 1;
    if (s.n == 0)
        return nwr_cmd_fail("resolve: %s: is not in conflict", argv[1]);
    if (!keeps)
        return merge(&s);
    if (strcmp(argv[3], "head") == 0)
        return s.head ? remove_all(&s, 0) : nwr_cmd_fail("resolve: %s: there is no head", s.name);
    return strcmp(argv[3], "all") == 0 ? keep_all(&s) : keep_one(&s, argv[3]);
}
