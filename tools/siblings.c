/* siblings.c -- see siblings.h. */
#include "tools/siblings.h"

#include "tools/cmd.h"
#include "tools/mounts.h"

#include <dirent.h>
#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#define SUFFIX ".conflict."

bool nwr_attribute(const char *path, const char *name, char *out, size_t len)
{
    ssize_t n = lgetxattr(path, name, out, len - 1);

    out[n > 0 ? n : 0] = '\0';
    return n >= 0;
}

static void add(struct nwr_siblings *s, uint64_t k)
{
    for (unsigned i = 0; i < s->n; i++)
        if (s->k[i] == k)
            return;
    if (k && s->n < NWR_SIBLINGS_LISTED)
        s->k[s->n++] = k;
}

const char *nwr_number_at(const char *name)
{
    const char *at = NULL;

    for (const char *p = strstr(name, SUFFIX); p; p = strstr(p + 1, SUFFIX))
        at = p + strlen(SUFFIX);
    if (!at || *at < '1' || *at > '9' || at[strspn(at, "0123456789")])
        return NULL;
    return at;
}

void nwr_sibling_path(const struct nwr_siblings *s, uint64_t k, char *out, size_t len)
{
    snprintf(out, len, "%s" SUFFIX "%llu", s->name, (unsigned long long)k);
}

/* Without a head, nobody but the listing knows them. */
static void scan(struct nwr_siblings *s)
{
    char dir_of[PATH_MAX], base_of[PATH_MAX], path[PATH_MAX + 32], list[4096];
    const char *dir, *base;
    const struct dirent *e;
    DIR *d;

    snprintf(dir_of, sizeof(dir_of), "%s", s->name);
    snprintf(base_of, sizeof(base_of), "%s", s->name);
    dir = dirname(dir_of);
    base = basename(base_of);
    d = opendir(dir);
    while (d && (e = readdir(d))) {
        const char *at = nwr_number_at(e->d_name);
        size_t len = at ? (size_t)(at - e->d_name) - strlen(SUFFIX) : 0;

        if (!at || strlen(base) != len || strncmp(base, e->d_name, len) != 0)
            continue;
        nwr_sibling_path(s, strtoull(at, NULL, 10), path, sizeof(path));
        if (nwr_attribute(path, "user.nwrfs.siblings", list, sizeof(list))) /* no ordinary file */
            add(s, strtoull(at, NULL, 10));
    }
    if (d)
        closedir(d);
}

int nwr_siblings_read(struct nwr_siblings *s, const char *command, const char *path)
{
    const char *at = nwr_number_at(path);
    char list[4096];
    struct stat st;

    memset(s, 0, sizeof(*s));
    if (snprintf(s->name, sizeof(s->name), "%s", path) >= (int)sizeof(s->name) - 40)
        return nwr_cmd_fail("%s: %s: name too long", command, path), 2;
    if (lstat(path, &st) != 0 && errno != ENOENT)
        return nwr_cmd_fail("%s: %s: %s", command, path, strerror(errno)), 2;
    if (at && nwr_attribute(path, "user.nwrfs.siblings", list, sizeof(list)))
        s->name[(size_t)(at - path) - strlen(SUFFIX)] = '\0';
    s->head = lstat(s->name, &st) == 0;
    if (s->head && !nwr_mounts_covers(s->name))
        return nwr_cmd_fail("%s: %s: is not on nwrfs", command, path), 2;
    if (s->head && nwr_attribute(s->name, "user.nwrfs.siblings", list, sizeof(list)))
        for (char *save, *p = strtok_r(list, ",", &save); p; p = strtok_r(NULL, ",", &save))
            add(s, strtoull(p, NULL, 10));
    if (!s->head)
        scan(s);
    if (!s->head && s->n == 0)
        return nwr_cmd_fail("%s: %s: no such file", command, path), 2;
    return 0;
}

uint64_t nwr_sibling_number(const struct nwr_siblings *s, const char *text)
{
    uint64_t k = strtoull(text, NULL, 10);

    for (unsigned i = 0; i < s->n; i++)
        if (s->k[i] == k && text[strspn(text, "0123456789")] == '\0')
            return k;
    return 0;
}

void nwr_sibling_label(const char *path, char *out, size_t len)
{
    char label[128];

    if (nwr_attribute(path, "user.nwrfs.label", label, sizeof(label)))
        snprintf(out, len, "%s (%s)", path, label);
    else
        snprintf(out, len, "%s", path);
}

int nwr_run(char *const argv[], int fd)
{
    pid_t child;
    int status;

    fflush(stdout);
    child = fork();
    if (child == 0) {
        if (fd >= 0)
            dup2(fd, 1);
        execvp(argv[0], argv);
        _exit(127);
    }
    if (child < 0 || waitpid(child, &status, 0) < 0 || !WIFEXITED(status))
        return 127;
    return WEXITSTATUS(status);
}
