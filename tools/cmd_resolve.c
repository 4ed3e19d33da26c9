/* cmd_resolve.c -- `nwrfs resolve`: ends a conflict with the operations a person would use.
 *
 *   --keep head   the siblings are removed
 *   --keep K      name.conflict.K is renamed over the name, the others are removed
 *   --keep all    each sibling is renamed to an ordinary name beside it
 *   --merge       git merge-file (or diff3) puts head and siblings together, with an empty base:
 *                 what both have is there once, where they differ stand markers. The result is
 *                 renamed over the name, then the siblings are removed.
 *
 * Only names that were there at the start are touched. A failure leaves the rest as it is.
 */
#include "tools/cmd.h"
#include "tools/siblings.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

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

/* Puts mine and the sibling together into `to`; 0 clean, 1 markers, 2 it cannot be done. */
static int merge_two(char *mine, char *mine_label, char *other, char *other_label, int to)
{
    char *git[] = {"git",     "merge-file", "-p",        "-q", "-L",        mine_label, "-L",
                   "nothing", "-L",         other_label, mine, "/dev/null", other,      NULL};
    char *diff3[] = {"diff3", "-m",        "-L", mine_label,  "-L",  "nothing",
                     "-L",    other_label, mine, "/dev/null", other, NULL};
    int status = nwr_run(git, to);

    if (status == 127)
        status = nwr_run(diff3, to);
    if (status == 127)
        return 2;
    if (status > 127 || lseek(to, 0, SEEK_END) < 0)
        return 2;
    return status ? 1 : 0;
}

static int merge_into(const struct nwr_siblings *s, char *to, bool *markers)
{
    char mine[PATH_MAX + 32], label[PATH_MAX + 160], other[PATH_MAX + 32],
        other_label[PATH_MAX + 160];
    int status = 0;

    snprintf(mine, sizeof(mine), "%s", s->name);
    nwr_sibling_label(s->name, label, sizeof(label));
    for (unsigned i = 0; i < s->n && status < 2; i++) {
        int fd = mkstemp(to);

        if (fd < 0)
            return 2;
        nwr_sibling_path(s, s->k[i], other, sizeof(other));
        nwr_sibling_label(other, other_label, sizeof(other_label));
        status = merge_two(mine, label, other, other_label, fd);
        *markers |= status == 1;
        close(fd);
        if (i > 0)
            unlink(mine);
        snprintf(mine, sizeof(mine), "%s", to);
        if (i + 1 < s->n)
            memset(to + strlen(to) - 6, 'X', 6);
    }
    if (status == 2)
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
    if (merge_into(s, to, &markers) == 2)
        return nwr_cmd_fail("resolve: %s: git merge-file (or diff3) cannot merge it; use --keep",
                            s->name);
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
           "--merge puts them together with git merge-file and leaves markers where they differ\n"
           "(exit status 1 then).\n");
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
