/* cmd_why.c -- `nwrfs why`: which replica holds what of a path. */
#include "tools/cmd.h"
#include "tools/unfold.h"

#include <errno.h>
#include <stdio.h>
#include <sys/xattr.h>

enum {
    NWR_XATTR_BYTES = 65536
};

int nwr_cmd_why(int argc, char **argv)
{
    static char text[NWR_XATTR_BYTES + 1];
    bool json = argc == 3 && strcmp(argv[2], "--json") == 0;
    ssize_t n;

    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        printf("usage: nwrfs why PATH [--json]\n\nShows the replicas of PATH, which versions each "
               "of them holds, their clocks,\nand who would answer.\n");
        return 0;
    }
    if (argc < 2 || argv[1][0] == '-' || (argc == 3 && !json) || argc > 3)
        return nwr_cmd_usage("why: one PATH is wanted; see nwrfs why --help");
    n = lgetxattr(argv[1], "user.nwrfs.why", text, sizeof(text) - 1);
    if (n < 0 && (errno == EOPNOTSUPP || errno == ENODATA))
        return nwr_cmd_fail("why: %s: is not on nwrfs", argv[1]);
    if (n < 0)
        return nwr_cmd_fail("why: %s: %s", argv[1], strerror(errno));
    text[n] = '\0';
    if (json)
        printf("%s%s", text, n > 0 && text[n - 1] == '\n' ? "" : "\n");
    else
        nwr_unfold(text);
    return 0;
}
