/* survey.h -- where in the tree the replicas' index of conflicts points (nwr/volume.h, indexed).
 *
 * The attribute user.nwrfs.index.CURSOR, of any name, holds a page of it: words that end with NUL.
 * The first is the cursor of the next page, empty after the last; the others are a letter and a
 * path from the root of the volume:
 *
 *   c PATH   a name that may be in conflict: whoever asks looks at it
 *   u PATH   a directory that may be several, made on two sides or back beside another: names below
 *            it may be in conflict though no record of theirs is
 *   l PATH   the symbolic link at a place of a directory that two sides moved, or whose move is not
 *            made because it closes a loop, by its number
 *   s PATH   one that is in conflict, head or sibling: of symbolic links and of special files Linux
 *            reads no attribute that would say so
 *
 * A cursor is a record key in hexadecimal, cut so that it fits a name, a dot, and how many keys
 * that begin like it were looked at. Without one the pages begin.
 *
 * Pure. Ownership: the transaction owns its survey. Thread: the loop.
 */
#ifndef NWR_FS_SURVEY_H
#define NWR_FS_SURVEY_H

#include "fs/core/view_slots.h"

enum {
    NWR_CURSOR_KEY = 100 /* bytes of a key in a cursor, which is part of an attribute's name */
};

struct nwr_survey {
    struct nwr_rows found; /* what the index names, of the groups asked */
    struct nwr_key cut;    /* a group has more behind this; len 0: none has */
    bool asked;
};

/* An answer to nwr_txn_indexed. Takes the rows. */
void nwr_survey_take(struct nwr_txn *t, struct nwr_response *res);
void nwr_survey_free(struct nwr_survey *s);
/* As nwr_virtual_get; cursor is what stands behind "index": empty, or a dot and the cursor. */
bool nwr_survey_get(struct nwr_txn *t, const char *cursor, struct nwr_out *out);

/* Only root and who mounts may ask: paths are told whatever directories allow. Otherwise EPERM. */
bool nwr_survey_may(struct nwr_txn *t);

/* ---- shared with check.c ---- */

enum nwr_found {
    NWR_FOUND,
    NWR_NOWHERE, /* no way up to the root: as far as there is one */
    NWR_MISSING  /* asked for */
};
/* Appends the path of a name, "/a/b". */
enum nwr_found nwr_survey_path(struct nwr_txn *t, nwr_ino dir, const char *name, size_t len,
                               struct nwr_out *out);
/* Whether an inode that lost its names (s->last) shows again: a version, or something below a
 * directory, was not seen by who took them. */
bool nwr_survey_back(struct nwr_txn *t, nwr_ino ino, const struct nwr_versions *s, bool *missing);
int nwr_survey_digit(char c); /* hexadecimal; -1 */
/* Bytes of a key in a cursor, in hexadecimal. take appends them to *key, up to NWR_CURSOR_KEY, and
 * gives the text behind them; NULL: they are none. */
void nwr_survey_say_key(struct nwr_out *o, const struct nwr_key *key, uint16_t from);
const char *nwr_survey_take_key(const char *text, struct nwr_key *key);

#endif
