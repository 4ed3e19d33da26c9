/* cmd_conflicts.c -- `nwrfs conflicts`: every version in conflict below a path.
 *
 * The mount gives the names that the replicas' index of conflicts leads to (fs/core/survey.h). Each
 * is asked for user.nwrfs.siblings, which only names in conflict have: the numbers of its siblings,
 * comma separated. Below a directory that was made on several sides every name is looked at: two
 * files there may have one name, and neither record is in conflict by itself.
 */
#include "tools/cmd.h"
#include "tools/indexed.h"
#include "tools/mounts.h"
#include "tools/siblings.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

struct names {
    char **name;
    uint32_t n, cap;
};

struct walk {
    bool json;
    uint64_t found;
    dev_t dev;
    int status;
    struct names headless; /* paths that the index gave and nothing is at */
};

/* ---- a row ---- */

/* A file that was looked up once, whatever is asked of it. */
struct held {
    int fd;
    char by[32]; /* a path that leads to it */
};

static bool hold(struct held *h, const char *path)
{
    h->fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    snprintf(h->by, sizeof(h->by), "/proc/self/fd/%d", h->fd);
    return h->fd >= 0;
}

static bool attribute(const struct held *h, const char *name, char *out, size_t len)
{
    ssize_t n = getxattr(h->by, name, out, len - 1);

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

static void print_held(struct walk *w, const struct held *h, const char *path, uint64_t k)
{
    char node[32], when[64], clock[4096];
    struct stat st;

    if (fstat(h->fd, &st) != 0)
        return; /* resolved meanwhile */
    attribute(h, "user.nwrfs.node", node, sizeof(node));
    attribute(h, "user.nwrfs.time", when, sizeof(when));
    attribute(h, "user.nwrfs.clock", clock, sizeof(clock));
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

static void print_row(struct walk *w, const char *path, uint64_t k)
{
    struct held h;

    if (!hold(&h, path))
        return; /* resolved meanwhile */
    print_held(w, &h, path, k);
    close(h.fd);
}

/* The number in name.conflict.K; 0 for any other name. */
static uint64_t number_of(const char *name)
{
    const char *at = nwr_number_at(name);

    return at ? strtoull(at, NULL, 10) : 0;
}

/* If it is in conflict. */
static void on_sibling(struct walk *w, const char *file, uint64_t k)
{
    char list[8192];
    struct held h;

    if (!hold(&h, file))
        return;
    if (attribute(&h, "user.nwrfs.siblings", list, sizeof(list)))
        print_held(w, &h, file, k);
    close(h.fd);
}

/* A head speaks for all its siblings; a sibling only for itself where there is no head. False:
 * nothing is there. */
static bool on_file(struct walk *w, const char *file, const char *name)
{
    char list[8192], path[8192];
    uint64_t k = number_of(name);
    struct held h;
    struct stat st;
    bool conflict;

    if (!hold(&h, file))
        return false;
    conflict = attribute(&h, "user.nwrfs.siblings", list, sizeof(list));
    if (conflict && !k)
        print_held(w, &h, file, 0);
    close(h.fd);
    if (!conflict)
        return true;
    if (k) {
        snprintf(path, sizeof(path), "%.*s", (int)(strrchr(file, '.') - file) - 9, file);
        if (lstat(path, &st) != 0)
            print_row(w, file, k);
        return true;
    }
    for (char *save, *p = strtok_r(list, ",", &save); p; p = strtok_r(NULL, ",", &save)) {
        snprintf(path, sizeof(path), "%s.conflict.%s", file, p);
        print_row(w, path, strtoull(p, NULL, 10));
    }
    return true;
}

/* ---- the walk ---- */

static void names_add(struct names *l, const char *name)
{
    l->name = nwr_grow(l->name, &l->cap, l->n + 1, sizeof(*l->name));
    l->name[l->n++] = nwr_strdup(name);
}

static void names_free(struct names *l)
{
    for (uint32_t i = 0; i < l->n; i++)
        nwr_free(l->name[i]);
    nwr_free(l->name);
}

/* Length of a name without .conflict.K. */
static size_t base_len(const char *name)
{
    return number_of(name) ? (size_t)(strrchr(name, '.') - name) - 9 : strlen(name);
}

/* Those with the same beginning, nx and ny bytes, stand together. */
static int by_beginning(const char *x, size_t nx, const char *y, size_t ny)
{
    int c = strncmp(x, y, nx < ny ? nx : ny);

    if (c || nx != ny)
        return c ? c : nx < ny ? -1 : 1;
    return strcmp(x, y);
}

static int by_base(const void *a, const void *b)
{
    const char *x = *(char *const *)a, *y = *(char *const *)b;

    return by_beginning(x, base_len(x), y, base_len(y));
}

/* The siblings among names lead to their heads, each head once; where there is none each is asked,
 * as other names are. */
static void on_names(struct walk *w, const char *dir, struct names *l)
{
    char path[8192], last[8192] = "";
    bool head = true;

    if (l->n)
        qsort(l->name, l->n, sizeof(*l->name), by_base);
    for (uint32_t i = 0; i < l->n; i++) {
        const char *name = l->name[i];

        snprintf(path, sizeof(path), "%s/%.*s", dir, (int)base_len(name), name);
        if (strcmp(path, last) != 0) {
            memcpy(last, path, sizeof(last));
            head = on_file(w, path, path + strlen(dir) + 1);
        }
        if (head)
            continue;
        snprintf(path, sizeof(path), "%s/%s", dir, name);
        on_sibling(w, path, number_of(name));
    }
}

static bool hides(const char *dir)
{
    char value[16];

    return nwr_attribute(dir, "user.nwrfs.conflicts", value, sizeof(value)) &&
           strcmp(value, "hide") == 0;
}

static void walk_dir(struct walk *w, const char *dir)
{
    struct names files = {0}, dirs = {0};
    bool every = hides(dir);
    DIR *d = opendir(dir);
    const struct dirent *e;
    char path[8192];
    struct stat st;

    if (!d)
        w->status = nwr_cmd_fail("conflicts: %s: %s", dir, strerror(errno));
    while (d && (e = readdir(d))) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        if (e->d_type == DT_DIR)
            names_add(&dirs, e->d_name);
        else if (every || number_of(e->d_name))
            names_add(&files, e->d_name);
    }
    if (d)
        closedir(d);
    on_names(w, dir, &files);
    names_free(&files);
    for (uint32_t i = 0; i < dirs.n; i++) {
        if (snprintf(path, sizeof(path), "%s/%s", dir, dirs.name[i]) < (int)sizeof(path) &&
            lstat(path, &st) == 0 && st.st_dev == w->dev)
            walk_dir(w, path);
    }
    names_free(&dirs);
}

/* ---- by the index ---- */

static size_t dir_len(const char *path)
{
    return (size_t)(strrchr(path, '/') - path);
}

static int by_dir(const void *a, const void *b)
{
    const char *x = *(char *const *)a, *y = *(char *const *)b;

    return by_beginning(x, dir_len(x), y, dir_len(y));
}

/* The siblings of paths, n of one directory. */
static void on_headless(struct walk *w, char *const *path, uint32_t n)
{
    struct names found = {0};
    char dir[8192], base[8192 + 256], *key = base;
    const struct dirent *e;
    DIR *d;

    snprintf(dir, sizeof(dir), "%.*s", (int)dir_len(*path), *path);
    d = opendir(dir);
    while (d && (e = readdir(d))) {
        if (!number_of(e->d_name))
            continue;
        snprintf(base, sizeof(base), "%s/%.*s", dir, (int)base_len(e->d_name), e->d_name);
        if (bsearch(&key, path, n, sizeof(*path), by_dir))
            names_add(&found, e->d_name);
    }
    if (d)
        closedir(d);
    on_names(w, dir, &found);
    names_free(&found);
}

/* Numbered names whose head is gone are known to the listing alone: one for each directory. */
static void list_headless(struct walk *w)
{
    struct names *l = &w->headless;
    uint32_t end;

    if (l->n)
        qsort(l->name, l->n, sizeof(*l->name), by_dir);
    for (uint32_t i = 0; i < l->n; i = end) {
        size_t len = dir_len(l->name[i]);

        for (end = i + 1; end < l->n && dir_len(l->name[end]) == len; end++)
            if (strncmp(l->name[i], l->name[end], len) != 0)
                break;
        on_headless(w, l->name + i, end - i);
    }
    names_free(l);
}

/* The symbolic link at the place of a directory that is elsewhere. A head that is in conflict has
 * said it before. */
static void on_elsewhere(struct walk *w, const char *path, const char *name)
{
    char head[8192], list[8192];

    snprintf(head, sizeof(head), "%.*s%.*s", (int)(name - path), path, (int)base_len(name), name);
    if (!nwr_attribute(head, "user.nwrfs.siblings", list, sizeof(list)))
        print_row(w, path, number_of(name));
}

static void on_indexed(void *arg, char kind, const char *path)
{
    struct walk *w = arg;
    const char *slash = strrchr(path, '/');
    struct stat st;

    if (kind == 'l') {
        on_elsewhere(w, path, slash ? slash + 1 : path);
        return;
    }
    if (kind == 's') {
        print_row(w, path, number_of(slash ? slash + 1 : path));
        return;
    }
    if (!on_file(w, path, slash ? slash + 1 : path) && slash)
        names_add(&w->headless, path);
    if (kind == 'u' && lstat(path, &st) == 0 && S_ISDIR(st.st_mode))
        walk_dir(w, path);
}

/* Who may not ask for the index walks, and sees what permissions let them see. */
static void list_below(struct walk *w, const char *path)
{
    int status = nwr_indexed_each("conflicts", path, on_indexed, w);

    list_headless(w);
    if (status == NWR_INDEXED_DENIED)
        walk_dir(w, path);
    else
        w->status |= status;
}

static int help(void)
{
    printf("usage: nwrfs conflicts PATH [--json]\n\n"
           "Lists every version in conflict below PATH: number K (0: the head), node that wrote\n"
           "it, time, size, clock, name. To end a conflict: rm or mv the siblings.\n\n"
           "The figure in nwrfs status is another one: it counts records (nwrfs status --help).\n");
    return 0;
}

int nwr_cmd_conflicts(int argc, char **argv)
{
    struct walk w = {.json = argc == 3 && strcmp(argv[2], "--json") == 0};
    struct stat st;

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
    w.dev = st.st_dev;
    for (size_t n = strlen(argv[1]); n > 1 && argv[1][n - 1] == '/'; n--)
        argv[1][n - 1] = '\0';
    if (S_ISDIR(st.st_mode))
        list_below(&w, argv[1]);
    else
        on_file(&w, argv[1], strrchr(argv[1], '/') ? strrchr(argv[1], '/') + 1 : argv[1]);
    if (w.json)
        printf("%s]\n", w.found ? "\n" : "");
    return w.status;
}
