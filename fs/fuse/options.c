/* options.c -- the words of -o: ours, mount(8)'s, and nobody's. */
#include "fs/fuse/internal.h"

#include <stdio.h>
#include <unistd.h>

/* Handed to libfuse. A trailing '=' takes a value. */
static const char *const passed[] = {
    "ro",          "rw",         "dev",        "nodev",    "suid",     "nosuid",
    "exec",        "noexec",     "atime",      "noatime",  "dirsync",  "fsname=",
    "allow_other", "allow_root", "nodiratime", "diratime", "relatime", "norelatime"};
/* Understood by mount(8) or by us, not for the kernel. */
static const char *const eaten[] = {"sync",     "acl",    "async",  "defaults",
                                    "auto",     "noauto", "nofail", "_netdev",
                                    "user",     "nouser", "users",  "default_permissions",
                                    "subtype=", "spool=", "x-",     "nonempty"};

static bool matches(const char *word, size_t len, const char *known)
{
    size_t n = strlen(known);

    if (known[n - 1] == '=' || known[n - 1] == '-')
        return len > n && strncmp(word, known, n) == 0;
    return len == n && strncmp(word, known, n) == 0;
}

static bool in_list(const char *word, size_t len, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (matches(word, len, list[i]))
            return true;
    }
    return false;
}

/* libfuse knows atime but not the relatime family, which is the kernel's default anyway. */
static bool for_libfuse(const char *word, size_t len)
{
    return in_list(word, len, passed, NWR_COUNT(passed) - 4);
}

bool nwr_session_options_valid(const char *options, char *text, size_t text_len)
{
    const char *p = options ? options : "";

    while (*p) {
        size_t len = strcspn(p, ",");

        if (len && !in_list(p, len, passed, NWR_COUNT(passed)) &&
            !in_list(p, len, eaten, NWR_COUNT(eaten))) {
            snprintf(text, text_len, "%.*s", (int)len, p);
            return false;
        }
        p += len + (p[len] == ',');
    }
    return true;
}

bool nwr_session_options_spool(const char *options, char *dir, size_t dir_len)
{
    const char *p = options ? options : "";

    while (*p) {
        size_t len = strcspn(p, ",");

        if (matches(p, len, "spool="))
            return (size_t)snprintf(dir, dir_len, "%.*s", (int)len - 6, p + 6) < dir_len;
        p += len + (p[len] == ',');
    }
    return false;
}

static void add(struct nwr_out *o, const char *word, size_t len)
{
    if (o->len)
        nwr_out_u8(o, ',');
    nwr_out_raw(o, word, len);
}

/* libfuse takes a comma behind a backslash as part of the word. */
static void add_source(struct nwr_out *o, const char *source)
{
    add(o, "fsname=nwrfs:", 13);
    for (; *source; source++) {
        if (*source == ',' || *source == '\\')
            nwr_out_u8(o, '\\');
        nwr_out_u8(o, (uint8_t)*source);
    }
}

char *nwr_session_mount_options(const char *options, const char *source,
                                struct nwr_mount_config *config)
{
    static const char base[] = "subtype=nwrfs,default_permissions";
    const char *p = options ? options : "";
    struct nwr_out o = {0};

    add(&o, base, sizeof(base) - 1);
    add_source(&o, source);
    /* Others on a machine expect what root mounts to be usable by them. */
    if (geteuid() == 0 && !strstr(p, "allow_"))
        add(&o, "allow_other", 11);
    while (*p) {
        size_t len = strcspn(p, ",");

        if (len == 4 && strncmp(p, "sync", 4) == 0)
            config->sync = true;
        if (len == 3 && strncmp(p, "acl", 3) == 0)
            config->acl = true;
        if (for_libfuse(p, len))
            add(&o, p, len);
        p += len + (p[len] == ',');
    }
    nwr_out_u8(&o, 0);
    return (char *)o.data;
}
