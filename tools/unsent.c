/* unsent.c -- see unsent.h. */
#include "tools/unsent.h"

#include "tools/cmd.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void nwr_unsent_begin(struct nwr_unsent *u, const char *log)
{
    u->fd = -1;
    if (snprintf(u->path, sizeof(u->path), "%s", log) < (int)sizeof(u->path))
        u->fd = open(log, O_RDONLY | O_CLOEXEC);
    if (u->fd >= 0)
        lseek(u->fd, 0, SEEK_END);
}

static void name_of(const char *line, char *out, size_t len)
{
    const char *at = strstr(line, " name=\"");

    if (at)
        snprintf(out, len, "%.*s", (int)strcspn(at + 7, "\""), at + 7);
    else
        snprintf(out, len, "inode %llu", strtoull(strstr(line, " ino=") + 5, NULL, 10));
}

int nwr_unsent_end(struct nwr_unsent *u, const char *command, const char *what, int status)
{
    FILE *f = u->fd < 0 ? NULL : fdopen(u->fd, "r");
    char *line = NULL, first[300] = "";
    unsigned count = 0;
    size_t cap = 0;

    while (f && getline(&line, &cap, f) > 0) {
        if (!strstr(line, " event=not_sent ino="))
            continue;
        if (count++ == 0)
            name_of(line, first, sizeof(first));
    }
    free(line);
    if (f)
        fclose(f);
    if (count == 0)
        return status;
    return nwr_cmd_fail("%s: %s: %u %s not sent, no quorum answered (%s%s); see %s", command, what,
                        count, count == 1 ? "file was" : "files were", first,
                        count == 1 ? "" : ", ...", u->path);
}
