/* mount_book.h -- what programs wrote, and what they did to names: for oracle_content.c.
 *
 * A content is a text that names itself, and is written once. Every mount that was given it, by
 * its volume or its own program, may know of it; a deed of such a mount at a name that the content
 * may have had may be what removed it. What no deed accounts for must be there at the end.
 *
 * Ownership: the caller's. Thread: one.
 */
#ifndef NWR_MOUNT_BOOK_H
#define NWR_MOUNT_BOOK_H

#include "tests/sim/sim_call.h"

enum {
    BOOK_TEXT = 100,     /* bytes of a content */
    BOOK_LARGE = 150000, /* in a seed of large ones */
    BOOK_BUFFER = 160000,
    BOOK_LIVES = 16, /* of a mount; later ones count as the last */
    BOOK_NONE = 0,   /* ids: of an empty content */
    BOOK_DAMAGED = -1
};

enum book_kind {
    BOOK_REPLACE, /* the content at from */
    BOOK_REMOVE,  /* the name from */
    BOOK_MOVE,    /* from -> to: the name from goes, to is replaced */
    BOOK_LINK     /* to is another name of from */
};

struct book_content {
    int mount;
    char path[CALL_PATH];
    bool acked, on_disk; /* what a close, or an fsync, promised */
    sim_us begun, acked_at;
    sim_us got[SIM_MOUNTS][BOOK_LIVES]; /* when, in which life of it; 0: never */
    bool seen;                          /* at the end */
};

struct book_deed {
    enum book_kind kind;
    int mount;
    uint32_t life; /* of the mount, when it began */
    char from[CALL_PATH], to[CALL_PATH];
    int err;
    sim_us begun, ended;
    int64_t read;    /* REPLACE: the content that its handle had shown; else NONE */
    int64_t written; /* REPLACE: by which content, or NONE */
};

struct mount_book {
    struct sim *s;
    const struct sim_mount *mount[SIM_MOUNTS];
    bool large;
    struct book_content *content; /* id - 1 */
    uint32_t ncontent, capcontent;
    struct book_block {
        struct nwr_block_id id;
        int64_t content;
    } * block;
    uint32_t nblock, capblock;
    struct book_deed *deed;
    uint32_t ndeed, capdeed;
};

void mount_book_deinit(struct mount_book *b);
/* A new content for path: its id and text. */
int64_t mount_book_write(struct mount_book *b, int mount, const char *path, char *text,
                         size_t *len);
void mount_book_acked(struct mount_book *b, int64_t id, bool on_disk);
/* Which one this is: an id, NONE or DAMAGED. A part of a large one is that. */
int64_t mount_book_is(const struct mount_book *b, const char *text, size_t len);
/* The content id (NONE: none) has come to mount, in this life: one that is mounted anew knows
 * nothing. */
void mount_book_given(struct mount_book *b, int mount, int64_t id);
/* Notes what a block on its way holds the beginning of; what a block that was sent did. */
void mount_book_block(struct mount_book *b, const struct nwr_block *block);
int64_t mount_book_in(const struct mount_book *b, const struct nwr_block_id *id);
/* Its index, for mount_book_done. */
uint32_t mount_book_deed(struct mount_book *b, enum book_kind kind, int mount, const char *from,
                         const char *to, int64_t read);
void mount_book_done(struct mount_book *b, uint32_t deed, int err);

#endif
