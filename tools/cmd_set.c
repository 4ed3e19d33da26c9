/* cmd_set.c -- `nwrfs set` and `nwrfs get`: the policies of a directory, as extended attributes. */
#include "tools/cmd.h"

#include <errno.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#define FUSE_SUPER_MAGIC 0x65735546

struct key {
    const char *name;
    const char *values; /* of the form "a|b"; NULL: a number from 0 (the volume's) to 7 */
    bool later;         /* not in this version */
};

static const struct key keys[] = {{"w", NULL, false},
                                  {"r", NULL, false},
                                  {"on-conflict", "keep|reject", false},
                                  {"durability", "default|memory|disk", false},
                                  {"conflicts", "list|hide", false},
                                  {"sloppy", "on|off", false},
                                  {"exclusive", NULL, true},
                                  {"locks", NULL, true}};

static const struct key *find_key(const char *text, size_t len)
{
    for (size_t i = 0; i < NWR_COUNT(keys); i++) {
        if (strlen(keys[i].name) == len && strncmp(keys[i].name, text, len) == 0)
            return &keys[i];
    }
    return NULL;
}

static bool value_valid(const struct key *k, const char *value)
{
    const char *p = k->values;
    size_t len = strlen(value);

    if (!p)
        return len == 1 && value[0] >= '0' && value[0] <= '7';
    while (*p) {
        size_t n = strcspn(p, "|");

        if (n == len && strncmp(p, value, n) == 0)
            return true;
        p += n + (p[n] == '|');
    }
    return false;
}

static int check_setting(const char *setting)
{
    size_t len = strcspn(setting, "=");
    const struct key *k = find_key(setting, len);

    if (setting[len] != '=')
        return nwr_cmd_usage("set: %s: not of the form KEY=VALUE", setting);
    if (!k)
        return nwr_cmd_usage("set: %.*s: no such key; see nwrfs set --help", (int)len, setting);
    if (k->later)
        return nwr_cmd_usage("set: %s: not in this version", k->name);
    if (!value_valid(k, setting + len + 1))
        return nwr_cmd_usage("set: %s: the value must be %s", setting,
                             k->values ? k->values : "a number from 0 to 7");
    return 0;
}

/* Elsewhere the attribute would be an ordinary one, and change nothing. */
static bool on_nwrfs(const char *path)
{
    struct statfs st;
    char value[64];

    return statfs(path, &st) == 0 && st.f_type == FUSE_SUPER_MAGIC &&
           lgetxattr(path, "user.nwrfs.w", value, sizeof(value)) >= 0;
}

static int set_one(const char *path, const char *setting)
{
    size_t len = strcspn(setting, "=");
    const char *value = setting + len + 1;
    char name[64];

    snprintf(name, sizeof(name), "user.nwrfs.%.*s", (int)len, setting);
    if (lsetxattr(path, name, value, strlen(value), 0) == 0)
        return 0;
    if (errno == EOPNOTSUPP)
        return nwr_cmd_fail("set: %s: is not on nwrfs, or cannot have policies", path);
    return nwr_cmd_fail("set: %s: %s: %s", path, setting, strerror(errno));
}

static int set_below(char *path, char **settings, int n)
{
    char *paths[] = {path, NULL};
    FTS *fts = fts_open(paths, FTS_PHYSICAL | FTS_XDEV | FTS_NOCHDIR, NULL);
    const FTSENT *e;
    int status = 0;

    if (!fts)
        return nwr_cmd_fail("set: %s: %s", path, strerror(errno));
    while ((e = fts_read(fts))) {
        if (e->fts_info == FTS_ERR || e->fts_info == FTS_DNR || e->fts_info == FTS_NS)
            status = nwr_cmd_fail("set: %s: %s", e->fts_path, strerror(e->fts_errno));
        else if (e->fts_info == FTS_D || e->fts_info == FTS_F)
            for (int i = 0; i < n; i++)
                status |= set_one(e->fts_path, settings[i]);
    }
    fts_close(fts);
    return status;
}

static int set_help(void)
{
    printf("usage: nwrfs set [-R] PATH KEY=VALUE ...\n\n"
           "Sets policies of a directory (or file); what is created below gets them too.\n"
           "  -R           also for everything that is already below PATH\n"
           "  w, r         replicas that must take a write, answer a read; 0: the volume's\n"
           "  on-conflict  keep (both versions stay) or reject (the later writer gets ESTALE)\n"
           "  durability   default, memory, or disk (close waits for the disks)\n"
           "  sloppy       on, or off (when replicas are away, other nodes stand in for them)\n"
           "  conflicts    list or hide the names of siblings\n");
    return 0;
}

int nwr_cmd_set(int argc, char **argv)
{
    int at = 1, status = 0;
    bool below = false;

    if (argc > 1 && strcmp(argv[1], "--help") == 0)
        return set_help();
    if (argc > 1 && strcmp(argv[1], "-R") == 0) {
        below = true;
        at++;
    }
    if (argc < at + 2 || argv[at][0] == '-')
        return nwr_cmd_usage("set: PATH and KEY=VALUE are wanted; see nwrfs set --help");
    for (int i = at + 1; i < argc && status == 0; i++)
        status = check_setting(argv[i]);
    if (status)
        return status;
    if (access(argv[at], F_OK) == 0 && !on_nwrfs(argv[at]))
        return nwr_cmd_fail("set: %s: is not on nwrfs", argv[at]);
    if (below)
        return set_below(argv[at], argv + at + 1, argc - at - 1);
    for (int i = at + 1; i < argc && status == 0; i++)
        status = set_one(argv[at], argv[i]);
    return status;
}

int nwr_cmd_get(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        printf("usage: nwrfs get PATH\n\nShows the policies of PATH, one KEY=VALUE a line.\n");
        return 0;
    }
    if (argc != 2 || argv[1][0] == '-')
        return nwr_cmd_usage("get: one PATH is wanted; see nwrfs get --help");
    if (access(argv[1], F_OK) == 0 && !on_nwrfs(argv[1]))
        return nwr_cmd_fail("get: %s: is not on nwrfs", argv[1]);
    for (size_t i = 0; i < NWR_COUNT(keys); i++) {
        char name[64], value[64];
        ssize_t n;

        if (keys[i].later)
            continue;
        snprintf(name, sizeof(name), "user.nwrfs.%s", keys[i].name);
        n = lgetxattr(argv[1], name, value, sizeof(value) - 1);
        if (n < 0 && (errno == EOPNOTSUPP || errno == ENODATA))
            return nwr_cmd_fail("get: %s: is not on nwrfs", argv[1]);
        if (n < 0)
            return nwr_cmd_fail("get: %s: %s", argv[1], strerror(errno));
        printf("%s=%.*s\n", keys[i].name, (int)n, value);
    }
    return 0;
}
