/* mounts.c -- see mounts.h. */
#include "tools/mounts.h"

#include "tools/admin.h"
#include "tools/cmd.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

bool nwr_mounts_absolute(const char *path, char *out, size_t len)
{
    char copy[PATH_MAX], copy2[PATH_MAX], parent[PATH_MAX];
    const char *name;

    if (strlen(path) >= sizeof(copy))
        return false;
    memcpy(copy, path, strlen(path) + 1);
    memcpy(copy2, path, strlen(path) + 1);
    name = basename(copy2);
    /* "." and ".." and "/" have no parent to look at: resolve them whole. */
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strcmp(name, "/") == 0)
        return realpath(path, parent) && snprintf(out, len, "%s", parent) < (int)len;
    if (!realpath(dirname(copy), parent))
        return false;
    if (strcmp(parent, "/") == 0)
        parent[0] = '\0';
    return snprintf(out, len, "%s/%s", parent, name) < (int)len;
}

static bool parse_line(const char *line, struct nwr_mount_entry *e)
{
    const char *dash = strstr(line, " - fuse.nwrfs nwrfs:");

    if (!dash || sscanf(line, "%*d %*d %*s %*s %4095s", e->mountpoint) != 1)
        return false;
    if (sscanf(dash, " - fuse.nwrfs nwrfs:%4095s", e->source) != 1)
        return false;
    nwr_unescape_octal(e->mountpoint);
    nwr_unescape_octal(e->source);
    return true;
}

bool nwr_mounts_find(const char *mountpoint, struct nwr_mount_entry *out)
{
    FILE *f = fopen("/proc/self/mountinfo", "re");
    struct nwr_mount_entry e;
    char *line = NULL;
    size_t cap = 0;
    bool found = false;

    while (f && getline(&line, &cap, f) > 0) {
        if (parse_line(line, &e) && strcmp(e.mountpoint, mountpoint) == 0) {
            *out = e;
            found = true;
        }
    }
    free(line);
    if (f)
        fclose(f);
    return found;
}

int nwr_mounts_data(const char *command, const char *path, struct nwr_mount_entry *e,
                    const char **dir)
{
    char absolute[PATH_MAX];

    if (*dir)
        return 0;
    if (!nwr_mounts_absolute(path, absolute, sizeof(absolute)) || !nwr_mounts_find(absolute, e))
        return nwr_cmd_fail("%s: %s: no nwrfs is mounted there", command, path);
    if (e->source[0] != '/')
        return nwr_cmd_fail("%s: %s: this mount stores nothing; ask one of its peers", command,
                            path);
    *dir = e->source;
    return 0;
}

/* The root of a mount within its volume, and the length of its mount point if real is below it. */
static size_t parse_over(const char *line, const char *dev, const char *real, char *root,
                         char *mountpoint)
{
    size_t n;

    if (!strstr(line, dev) || !strstr(line, " - fuse.nwrfs ") ||
        sscanf(line, "%*d %*d %*s %4095s %4095s", root, mountpoint) != 2)
        return 0;
    nwr_unescape_octal(root);
    nwr_unescape_octal(mountpoint);
    n = strcmp(mountpoint, "/") == 0 ? 0 : strlen(mountpoint);
    if (strncmp(mountpoint, real, n) != 0 || (real[n] && real[n] != '/'))
        return 0;
    return n + 1;
}

bool nwr_mounts_within(const char *path, char *top, char *inside)
{
    FILE *f = fopen("/proc/self/mountinfo", "re");
    char *line = NULL, dev[32], real[PATH_MAX] = "", root[PATH_MAX], mountpoint[PATH_MAX];
    struct stat st;
    size_t cap = 0, best = 0, n;
    bool there = lstat(path, &st) == 0 &&
                 (S_ISLNK(st.st_mode) ? nwr_mounts_absolute(path, real, sizeof(real))
                                      : realpath(path, real) != NULL);

    snprintf(dev, sizeof(dev), " %u:%u ", there ? major(st.st_dev) : 0,
             there ? minor(st.st_dev) : 0);
    while (there && f && getline(&line, &cap, f) > 0) {
        n = parse_over(line, dev, real, root, mountpoint);
        if (n < best || n == 0)
            continue;
        best = n;
        snprintf(top, PATH_MAX, "%s", mountpoint);
        snprintf(inside, PATH_MAX, "%s%s", strcmp(root, "/") == 0 ? "" : root, real + n - 1);
    }
    free(line);
    if (f)
        fclose(f);
    return best;
}

bool nwr_mounts_covers(const char *path)
{
    char top[PATH_MAX], inside[PATH_MAX];

    return nwr_mounts_within(path, top, inside);
}

static bool make_dir(const char *path)
{
    return mkdir(path, 0700) == 0 || errno == EEXIST;
}

bool nwr_mounts_run_dir(const char *mountpoint, char *out, size_t len)
{
    const char *base = geteuid() == 0 ? "/run" : getenv("XDG_RUNTIME_DIR");
    char top[PATH_MAX], name[NAME_MAX];
    size_t n = 0;

    if (!base || snprintf(top, sizeof(top), "%s/nwrfs", base) >= (int)sizeof(top))
        return false;
    /* The mount point as one name: its end, and a hash against equal ends. */
    for (const char *p = mountpoint; *p && n < 200; p++)
        name[n++] = *p == '/' ? '-' : *p;
    snprintf(name + n, sizeof(name) - n, ".%08x",
             (unsigned)nwr_hash64(mountpoint, strlen(mountpoint), 0));
    if (snprintf(out, len, "%s/%s", top, name) >= (int)len)
        return false;
    return make_dir(top) && make_dir(out);
}

bool nwr_mounts_log(const struct nwr_mount_entry *e, char *out, size_t len)
{
    char dir[PATH_MAX];

    if (e->source[0] == '/')
        snprintf(dir, sizeof(dir), "%s", e->source);
    else if (!nwr_mounts_run_dir(e->mountpoint, dir, sizeof(dir)))
        return false;
    return snprintf(out, len, "%s/log", dir) < (int)len;
}

long nwr_mounts_pid(const struct nwr_mount_entry *e)
{
    char dir[PATH_MAX];

    if (e->source[0] == '/')
        return nwr_admin_pid(e->source);
    return nwr_mounts_run_dir(e->mountpoint, dir, sizeof(dir)) ? nwr_admin_pid(dir) : 0;
}
