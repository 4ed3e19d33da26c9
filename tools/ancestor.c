/* ancestor.c -- see ancestor.h. */
#include "tools/ancestor.h"

#include "tools/cmd.h"
#include "tools/siblings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/xattr.h>
#include <unistd.h>

#define BASE "user.nwrfs.base"

enum {
    PIECE = 65536 /* of an attribute */
};

/* 0: all of it is there; else errno. */
static int copy(const char *sibling, unsigned long long size, int to)
{
    static char piece[PIECE];
    char name[sizeof(BASE) + 24];

    for (unsigned long long at = 0; at < size;) {
        ssize_t n;

        snprintf(name, sizeof(name), BASE ".%llu", at);
        n = getxattr(sibling, name, piece, sizeof(piece));
        if (n <= 0)
            return n < 0 ? errno : EIO;
        if (write(to, piece, (size_t)n) != n)
            return errno ? errno : EIO;
        at += (unsigned long long)n;
    }
    return 0;
}

static int make_file(struct nwr_ancestor *a)
{
    const char *dir = getenv("TMPDIR");

    snprintf(a->path, sizeof(a->path), "%s/nwrfs.base.XXXXXX", dir && *dir ? dir : "/tmp");
    return mkstemp(a->path);
}

enum nwr_ancestor_found nwr_ancestor_fetch(struct nwr_ancestor *a, const char *command,
                                           const char *sibling)
{
    char before[128], after[128];
    unsigned long long size;
    int fd, err;

    if (!nwr_attribute(sibling, BASE, before, sizeof(before))) {
        if (errno == ENODATA || errno == EOPNOTSUPP)
            return NWR_ANCESTOR_NONE;
        nwr_cmd_fail("%s: %s: its common ancestor: %s", command, sibling, strerror(errno));
        return NWR_ANCESTOR_FAILED;
    }
    if (sscanf(before, "%*s %llu", &size) != 1)
        return NWR_ANCESTOR_NONE;
    fd = make_file(a);
    if (fd < 0) {
        nwr_cmd_fail("%s: %s: %s", command, a->path, strerror(errno));
        return NWR_ANCESTOR_FAILED;
    }
    err = copy(sibling, size, fd);
    close(fd);
    if (!err && (!nwr_attribute(sibling, BASE, after, sizeof(after)) || strcmp(before, after) != 0))
        err = EAGAIN; /* the pieces may be of two versions */
    if (err) {
        nwr_cmd_fail("%s: %s: its common ancestor: %s", command, sibling, strerror(err));
        nwr_ancestor_drop(a);
        return NWR_ANCESTOR_FAILED;
    }
    before[strcspn(before, " ")] = 0;
    snprintf(a->label, sizeof(a->label), "common ancestor %s", before);
    return NWR_ANCESTOR_THERE;
}

void nwr_ancestor_drop(struct nwr_ancestor *a)
{
    unlink(a->path);
}
