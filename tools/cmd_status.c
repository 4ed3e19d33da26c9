/* cmd_status.c -- `nwrfs status`: what a node says of itself, as JSON or as lines.
 *
 * The node gives JSON (DESIGN 15); the lines are that JSON unfolded, so both say the same.
 */
#include "tools/admin.h"
#include "tools/cmd.h"
#include "tools/unfold.h"

#include <errno.h>
#include <stdio.h>
#include <sys/xattr.h>

static char *from_mount(const char *path)
{
    static char text[65536];
    ssize_t n = lgetxattr(path, "user.nwrfs.status", text, sizeof(text) - 1);

    if (n < 0)
        return NULL;
    text[n] = '\0';
    return nwr_strdup(text);
}

static int help(void)
{
    printf("usage: nwrfs status [--data DIR | MOUNTPOINT] [--json]\n\nMembers of the volume and "
           "their state, quorums, conflicts and counters of a node.\n\n"
           "conflicts counts records in conflict on this node: a file once for all its names and\n"
           "siblings, directories that are one too. nwrfs conflicts lists names, as a mount shows "
           "them.\n");
    return 0;
}

int nwr_cmd_status(int argc, char **argv)
{
    const char *dir = NULL, *path = NULL;
    bool json = false;
    char *text;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0)
            return help();
        if (strcmp(argv[i], "--json") == 0)
            json = true;
        else if (strcmp(argv[i], "--data") == 0 && i + 1 < argc)
            dir = argv[++i];
        else if (argv[i][0] != '-' && !path)
            path = argv[i];
        else
            return nwr_cmd_usage("status: %s: unexpected; see nwrfs status --help", argv[i]);
    }
    if (!dir == !path)
        return nwr_cmd_usage("status: --data DIR or MOUNTPOINT is wanted");
    text = dir ? nwr_admin_ask(dir, "status") : from_mount(path);
    if (!text && dir)
        return nwr_cmd_fail("status: %s: %s", dir, nwr_admin_why(errno));
    if (!text)
        return nwr_cmd_fail("status: %s: %s", path,
                            errno == ENODATA || errno == ENOTSUP ? "is not on nwrfs"
                                                                 : strerror(errno));
    if (json)
        printf("%s%s", text, *text && text[strlen(text) - 1] == '\n' ? "" : "\n");
    else
        nwr_unfold(text);
    nwr_free(text);
    return 0;
}
