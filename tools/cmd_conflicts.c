/* cmd_conflicts.c -- `nwrfs conflicts`: every version in conflict below a path.
 *
 * Walks the tree and asks each file for user.nwrfs.siblings, which only names in conflict have:
 * the numbers of its siblings, comma separated. So hidden siblings are found too.
 */
#include "tools/cmd.h"
#include "tools/mounts.h"

#include <errno.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/xattr.h>

struct walk {
    bool json;
    uint64_t found;
    int status;
};

static bool attribute(const char *path, const char *name, char *out, size_t len)
{
    ssize_t n = lgetxattr(path, name, out, len - 1);

    out[n > 0 ? n : 0] = '\0';
    return n >= 0;
}

static void print_string(const char *s)
{
    putchar('"');
    for (; *s; s++) {
        if (*s == '"' || *s == '\\')
            printf("\\%c", *s);
        else if ((unsigned char)*s < 0x20)
            printf("\\u%04x", (unsigned)*s);
        else
            putchar(*s);
    }
    putchar('"');
}

static void print_row(struct walk *w, const char *path, uint64_t k)
{
    char node[32], when[64], clock[4096];
    struct stat st;

    if (lstat(path, &st) != 0)
        return; /* resolved meanwhile */
    attribute(path, "user.nwrfs.node", node, sizeof(node));
    attribute(path, "user.nwrfs.time", when, sizeof(when));
    attribute(path, "user.nwrfs.clock", clock, sizeof(clock));
    w->found++;
    if (!w->json) {
        printf("%-8llu %-5s %-24s %10lld  %-16s %s%s\n", (unsigned long long)k, node, when,
               (long long)st.st_size, clock, path, k ? "" : "  (head)");
        return;
    }
    printf("%s\n  {\"path\": ", w->found > 1 ? "," : "");
    print_string(path);
    printf(", \"k\": %llu, \"head\": %s, \"node\": %lu, \"time\": ", (unsigned long long)k,
           k ? "false" : "true", strtoul(node, NULL, 10));
    print_string(when);
    printf(", \"size\": %lld, \"clock\": ", (long long)st.st_size);
    print_string(clock);
    printf("}");
}

/* The number in name.conflict.K; 0 for any other name. */
static uint64_t number_of(const char *name)
{
    const char *at = NULL;
    char *end;
    uint64_t k;

    for (const char *p = strstr(name, ".conflict."); p; p = strstr(p + 1, ".conflict."))
        at = p + 10;
    if (!at || *at < '1' || *at > '9')
        return 0;
    k = strtoull(at, &end, 10);
    return *end ? 0 : k;
}

/* A head speaks for all its siblings; a sibling only for itself where there is no head. */
static void on_file(struct walk *w, const FTSENT *e)
{
    char list[8192], path[8192];
    uint64_t k = number_of(e->fts_name);

    if (!attribute(e->fts_path, "user.nwrfs.siblings", list, sizeof(list)))
        return;
    if (k) {
        size_t base = (size_t)(strrchr(e->fts_path, '.') - e->fts_path) - 9;
        struct stat st;

        snprintf(path, sizeof(path), "%.*s", (int)base, e->fts_path);
        if (lstat(path, &st) != 0)
            print_row(w, e->fts_path, k);
        return;
    }
    print_row(w, e->fts_path, 0);
    for (char *save, *p = strtok_r(list, ",", &save); p; p = strtok_r(NULL, ",", &save)) {
        snprintf(path, sizeof(path), "%s.conflict.%s", e->fts_path, p);
        print_row(w, path, strtoull(p, NULL, 10));
    }
}

static int walk_below(struct walk *w, char *path)
{
    char *paths[] = {path, NULL};
    FTS *fts = fts_open(paths, FTS_PHYSICAL | FTS_XDEV | FTS_NOCHDIR, NULL);
    const FTSENT *e;

    if (!fts)
        return nwr_cmd_fail("conflicts: %s: %s", path, strerror(errno));
    while ((e = fts_read(fts))) {
        if (e->fts_info == FTS_ERR || e->fts_info == FTS_DNR || e->fts_info == FTS_NS)
            w->status = nwr_cmd_fail("conflicts: %s: %s", e->fts_path, strerror(e->fts_errno));
        else if (e->fts_info != FTS_DP)
            on_file(w, e);
    }
    fts_close(fts);
    return w->status;
}

static int help(void)
{
    printf("usage: nwrfs conflicts PATH [--json]\n\n"
           "Lists every version in conflict below PATH: number K (0: the head), node that wrote\n"
           "it, time, size, clock, name. To end a conflict: rm or mv the siblings.\n");
    return 0;
}

int nwr_cmd_conflicts(int argc, char **argv)
{
    struct walk w = {.json = argc == 3 && strcmp(argv[2], "--json") == 0};
    struct stat st;
    int status;

    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return help();
    if (argc < 2 || argv[1][0] == '-' || argc > 3 || (argc == 3 && !w.json))
        return nwr_cmd_usage("conflicts: one PATH is wanted; see nwrfs conflicts --help");
    if (lstat(argv[1], &st) != 0)
        return nwr_cmd_fail("conflicts: %s: %s", argv[1], strerror(errno));
    if (!nwr_mounts_covers(argv[1]))
        return nwr_cmd_fail("conflicts: %s: is not on nwrfs", argv[1]);
    if (w.json)
        printf("[");
    status = walk_below(&w, argv[1]);
    if (w.json)
        printf("%s]\n", w.found ? "\n" : "");
    return status;
}
