/* indexed.c -- see indexed.h. */
#include "tools/indexed.h"

#include "tools/cmd.h"
#include "tools/mounts.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/xattr.h>

enum {
    PAGE_BYTES = 65536
};

struct words {
    char **word;
    uint32_t n, cap;
};

static void add(struct words *w, const char *text)
{
    w->word = nwr_grow(w->word, &w->cap, w->n + 1, sizeof(*w->word));
    w->word[w->n++] = nwr_strdup(text);
}

/* By path, so that one name comes once: a letter that says more than 'c' comes last. */
static int by_path(const void *a, const void *b)
{
    const char *x = *(char *const *)a, *y = *(char *const *)b;
    int c = strcmp(x + 1, y + 1);

    return c ? c : *x - *y;
}

/* One page from the mount at top; false: errno says why. */
static bool read_page(const char *top, char *cursor, size_t cursor_len, struct words *out)
{
    char *text = nwr_alloc(PAGE_BYTES + 1), name[320];
    ssize_t n;
    size_t at;

    snprintf(name, sizeof(name), "user.nwrfs.index%s%s", *cursor ? "." : "", cursor);
    n = lgetxattr(top, name, text, PAGE_BYTES);
    if (n >= 0) {
        text[n] = '\0';
        snprintf(cursor, cursor_len, "%s", text);
        for (at = strlen(text) + 1; at < (size_t)n; at += strlen(text + at) + 1)
            add(out, text + at);
    }
    nwr_free(text);
    return n >= 0;
}

static void give(const struct words *w, const char *path, const char *inside,
                 void (*on)(void *arg, char kind, const char *path), void *arg)
{
    size_t n = strcmp(inside, "/") == 0 ? 0 : strlen(inside);
    char full[2 * PATH_MAX];

    for (uint32_t i = 0; i < w->n; i++) {
        const char *at = w->word[i] + 1;

        if (i + 1 < w->n && strcmp(at, w->word[i + 1] + 1) == 0)
            continue;
        if (strncmp(at, inside, n) != 0 || (at[n] != '/' && at[n] != '\0'))
            continue;
        snprintf(full, sizeof(full), "%s%s", strcmp(path, "/") == 0 ? "" : path, at + n);
        on(arg, *w->word[i], full);
    }
}

int nwr_indexed_each(const char *command, const char *path,
                     void (*on)(void *arg, char kind, const char *path), void *arg)
{
    char top[PATH_MAX], inside[PATH_MAX], cursor[300] = "";
    struct words all = {0};
    bool whole = nwr_mounts_within(path, top, inside);
    int status = 0;

    do
        whole = whole && read_page(top, cursor, sizeof(cursor), &all);
    while (whole && *cursor);
    if (!whole && errno == EPERM)
        status = NWR_INDEXED_DENIED;
    else if (!whole)
        status = nwr_cmd_fail("%s: %s: the index of conflicts: %s", command, path, strerror(errno));
    if (all.n)
        qsort(all.word, all.n, sizeof(*all.word), by_path);
    if (whole)
        give(&all, path, inside, on, arg);
    for (uint32_t i = 0; i < all.n; i++)
        nwr_free(all.word[i]);
    nwr_free(all.word);
    return status;
}
