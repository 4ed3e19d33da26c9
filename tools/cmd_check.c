/* cmd_check.c -- `nwrfs check`: whether names, inodes and links of a volume agree; sets right.
 *
 *  1. the mount looks through each placement group, in parts, and says what does not agree
 *     (fs/core/check.h)
 *  2. groups where something was found are looked at again after a moment: an operation that is
 *     under way looks like one that was broken off. What was found twice, below the path, counts
 *  3. --repair: the mount sets each right, which looks once more, at all replicas; then 2 again
 */
#include "tools/cmd.h"
#include "tools/mounts.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

enum {
    PAGE_BYTES = 65536,
    IDS = 33, /* bytes of a word before its path */
    PAUSE_S = 2,
    PROGRESS_S = 2,
    ROUNDS = 5 /* of repairing: what one sets right may show another */
};

struct options {
    const char *path;
    bool repair, json;
    char top[PATH_MAX], inside[PATH_MAX];
};

struct words {
    char **word;
    uint32_t n, cap;
    uint32_t groups; /* of the volume */
    uint32_t parts;  /* of them, looked at */
    time_t told;     /* progress; 0: begins now */
    bool showing;
};

static const struct {
    char kind;
    const char *name, *text;
} kinds[] = {{'d', "dangling", "leads to nothing"},
             {'m', "uncounted", "its inode does not know of this name"},
             {'l', "unlisted", "its inode has this name, its directory does not"},
             {'i', "half-renamed", "a rename to another directory is half done"},
             {'n', "no-directory", "its directory is not there"},
             {'o', "unnamed", "removed, and its space is not given back yet"}};

static void words_add(struct words *w, const char *text)
{
    w->word = nwr_grow(w->word, &w->cap, w->n + 1, sizeof(*w->word));
    w->word[w->n++] = nwr_strdup(text);
}

static void words_free(struct words *w)
{
    for (uint32_t i = 0; i < w->n; i++)
        nwr_free(w->word[i]);
    nwr_free(w->word);
    *w = (struct words){0};
}

static bool words_has(const struct words *w, const char *word)
{
    for (uint32_t i = 0; i < w->n; i++)
        if (strcmp(w->word[i], word) == 0)
            return true;
    return false;
}

/* ---- looking -------------------------------------------------------------------------------- */

static bool is_below(const struct options *o, const char *path)
{
    size_t n = strcmp(o->inside, "/") == 0 ? 0 : strlen(o->inside);

    if (*path == '?')
        return n == 0;
    return strncmp(path, o->inside, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

static void progress(struct words *w, uint32_t pg)
{
    time_t now = time(NULL);

    if (!w->told)
        w->told = now;
    if (!isatty(2) || now - w->told < PROGRESS_S)
        return;
    w->told = now;
    w->showing = true;
    fprintf(stderr, "\rnwrfs: check: group %u, %u parts, %u found ", pg, w->parts, w->n);
}

static void progress_end(const struct words *w)
{
    if (w->showing)
        fprintf(stderr, "\r%60s\r", "");
}

/* Adds what one group says, part by part; false: errno, EINVAL when there is no such group. */
static bool look_at(const struct options *o, uint32_t pg, struct words *out)
{
    char *text = nwr_alloc(PAGE_BYTES + 1), name[NAME_MAX + 1], cursor[NAME_MAX + 1] = "";
    ssize_t n;

    do {
        progress(out, pg);
        snprintf(name, sizeof(name), "user.nwrfs.check.%u%.220s", pg, cursor);
        *cursor = '\0';
        n = lgetxattr(o->top, name, text, PAGE_BYTES);
        for (ssize_t at = 0; at < n; at += (ssize_t)strlen(text + at) + 1) {
            text[n] = '\0';
            if (text[at] == '>')
                snprintf(cursor, sizeof(cursor), ".%s", text + at + 1);
            else if (strlen(text + at) > IDS && is_below(o, text + at + IDS))
                words_add(out, text + at);
        }
        out->parts++;
    } while (n >= 0 && *cursor);
    nwr_free(text);
    return n >= 0;
}

/* All groups; the number of them is found on the way. */
static bool look_through(const struct options *o, struct words *out)
{
    bool fine = true;
    int error = 0;

    while (fine) {
        fine = look_at(o, out->groups, out);
        error = errno;
        out->groups += fine;
    }
    progress_end(out);
    errno = error;
    return errno == EINVAL && out->groups > 0;
}

static uint32_t group_of(const char *word)
{
    char ino[17];

    snprintf(ino, sizeof(ino), "%.16s", word + 1);
    return (uint32_t)(strtoull(ino, NULL, 16) >> 54);
}

/* The groups where a word may have been said: that of the inode, and that of the directory. */
static bool look_again(const struct options *o, const struct words *said, struct words *out)
{
    bool *due = nwr_zalloc(said->groups * sizeof(*due)), fine = true;
    int error;

    for (uint32_t i = 0; i < said->n; i++)
        for (int part = 0; part < 2; part++) {
            uint32_t pg = group_of(said->word[i] + 16 * part);

            if (pg < said->groups)
                due[pg] = true;
        }
    for (uint32_t pg = 0; pg < said->groups && fine; pg++)
        if (due[pg])
            fine = look_at(o, pg, out);
    error = errno;
    progress_end(out);
    errno = error;
    out->groups = said->groups;
    nwr_free(due);
    return fine;
}

/* What is found twice stays in found. */
static bool confirm(const struct options *o, struct words *found)
{
    struct words again = {0};
    uint32_t kept = 0;
    bool fine = true;

    if (found->n == 0)
        return true;
    sleep(PAUSE_S);
    fine = look_again(o, found, &again);
    for (uint32_t i = 0; i < found->n; i++) {
        if (!fine || words_has(&again, found->word[i]))
            found->word[kept++] = found->word[i];
        else
            nwr_free(found->word[i]);
    }
    found->n = kept;
    words_free(&again);
    return fine;
}

/* ---- saying --------------------------------------------------------------------------------- */

static size_t kind_of(const char *word)
{
    size_t i = 0;

    while (i + 1 < NWR_COUNT(kinds) && kinds[i].kind != *word)
        i++;
    return i;
}

static void print_json(const char *text)
{
    putchar('"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            printf("\\%c", *text);
        else if ((unsigned char)*text < 0x20)
            printf("\\u%04x", (unsigned)*text);
        else
            putchar(*text);
    }
    putchar('"');
}

static void print_word(const struct options *o, const char *word, bool repaired, bool first)
{
    size_t kind = kind_of(word), n = strcmp(o->inside, "/") == 0 ? 0 : strlen(o->inside);
    const char *path = word + IDS;
    char full[2 * PATH_MAX];

    snprintf(full, sizeof(full), "%s%s", *path == '?' ? "" : o->path,
             path + (*path == '?' ? 0 : n));
    if (!o->json) {
        printf("%s: %s%s\n", full, kinds[kind].text, repaired ? ": set right" : "");
        return;
    }
    printf("%s\n  {\"path\": ", first ? "" : ",");
    print_json(full);
    printf(", \"kind\": \"%s\", \"repaired\": %s}", kinds[kind].name, repaired ? "true" : "false");
}

/* Damage only: inodes that wait for their space are many, and counted. */
static uint32_t print_words(const struct options *o, const struct words *w,
                            const struct words *left, uint32_t printed)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < w->n; i++)
        if (*w->word[i] != 'o') {
            print_word(o, w->word[i], o->repair && !words_has(left, w->word[i]), printed + n == 0);
            n++;
        }
    return n;
}

static uint32_t count(const struct words *w, bool unnamed)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < w->n; i++)
        n += (*w->word[i] == 'o') == unnamed;
    return n;
}

/* ---- setting right -------------------------------------------------------------------------- */

static void mend(const struct options *o, const struct words *w)
{
    for (uint32_t i = 0; i < w->n; i++) {
        const char *word = w->word[i];

        if (*word != 'n' && lsetxattr(o->top, "user.nwrfs.mend", word, strlen(word), 0) != 0 &&
            *word != 'o')
            nwr_cmd_fail("check: %s: %s", word + IDS, strerror(errno));
    }
}

/* found becomes what is left. */
static bool repair(const struct options *o, struct words *found, uint32_t *printed)
{
    bool fine = true;

    for (int round = 0; fine && found->n && round < ROUNDS; round++) {
        struct words left = {0};

        mend(o, found);
        sleep(1);
        fine = look_again(o, found, &left);
        *printed += print_words(o, found, &left, *printed);
        words_free(found);
        *found = left;
    }
    return fine;
}

static int say_end(const struct options *o, const struct words *found, uint32_t printed)
{
    uint32_t unnamed = count(found, true), damage = count(found, false);

    if (o->json)
        printf("%s]\n", printed ? "\n" : "");
    if (unnamed)
        fprintf(stderr, "nwrfs: check: %u removed files hold space until all replicas agree%s\n",
                unnamed, o->repair ? "" : "; --repair asks them now");
    return damage > 0;
}

static int run(struct options *o)
{
    struct words found = {0};
    uint32_t printed = 0;
    int status;
    bool fine = look_through(o, &found) && confirm(o, &found);

    if (o->json)
        printf("[");
    if (fine && o->repair)
        fine = repair(o, &found, &printed);
    else if (fine)
        printed = print_words(o, &found, NULL, 0);
    status = say_end(o, &found, printed);
    if (!fine)
        status = nwr_cmd_fail("check: %s: %s%s", o->path, strerror(errno),
                              errno == EPERM ? "; only root and who mounted it may" : "");
    words_free(&found);
    return status;
}

static int help(void)
{
    printf(
        "usage: nwrfs check PATH [--repair] [--json]\n\n"
        "Looks through the whole volume for names, files and links that do not agree, as a crash\n"
        "in the middle of an operation may leave them, and lists those below PATH, one a line.\n"
        "--repair sets them right; nothing that somebody wrote is removed. Conflicts are no\n"
        "damage, and what is stored of each file is a matter of nwrfs scrub. Exit status: 0\n"
        "nothing is wrong, or any more; 1 something is; 2 usage.\n");
    return 0;
}

int nwr_cmd_check(int argc, char **argv)
{
    struct options o = {0};

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0)
            return help();
        if (strcmp(argv[i], "--repair") == 0)
            o.repair = true;
        else if (strcmp(argv[i], "--json") == 0)
            o.json = true;
        else if (argv[i][0] != '-' && !o.path)
            o.path = argv[i];
        else
            return nwr_cmd_usage("check: %s: unexpected; see nwrfs check --help", argv[i]);
    }
    if (!o.path)
        return nwr_cmd_usage("check: one PATH is wanted; see nwrfs check --help");
    for (size_t n = strlen(o.path); n > 1 && o.path[n - 1] == '/'; n--)
        ((char *)o.path)[n - 1] = '\0';
    if (access(o.path, F_OK) != 0)
        return nwr_cmd_fail("check: %s: %s", o.path, strerror(errno));
    if (!nwr_mounts_within(o.path, o.top, o.inside))
        return nwr_cmd_fail("check: %s: is not on nwrfs", o.path);
    return run(&o);
}
