/* isles.h -- nodes that hold one directory each, for tests of the conflict rules.
 *
 * The view functions (fs/core/view.h) run on a transaction whose snapshot is all that a node
 * holds; what they stage is put at once, with one stamp an operation. Nodes learn of each other
 * only by isles_sync. It takes the place of txn.c, snapshot.c and attr.c: link before them.
 *
 * A content is named c1, c2, ...: the number of the only block of its map.
 */
#ifndef NWR_TEST_ISLES_H
#define NWR_TEST_ISLES_H

#include "fs/core/state.h"

enum {
    ISLES_NODES = 3
};

struct isle {
    struct nwr_rows rows;
    struct nwr_row *shown; /* those that a look-up gets; their records are those of rows */
    uint32_t capshown;
    uint64_t ordinal, count, clock, inos, wids;
    struct nwr_txn t;
    struct nwr_mount m;
};

struct isles {
    struct isle node[ISLES_NODES];
    uint32_t n;
    nwr_ino dir;
};

void isles_init(struct isles *w, uint32_t nodes);
void isles_deinit(struct isles *w);
void isles_sync(struct isles *w, uint32_t to, uint32_t from);

/* Operations of a user on a node (0 is the first), by shown names; false: no such name. */
bool isles_create(struct isles *w, uint32_t i, const char *name, uint32_t data);
bool isles_write(struct isles *w, uint32_t i, const char *name, uint32_t data);
bool isles_rm(struct isles *w, uint32_t i, const char *name);
bool isles_mv(struct isles *w, uint32_t i, const char *from, const char *to);
bool isles_link(struct isles *w, uint32_t i, const char *from, const char *to);
/* A temporary file renamed over name by a process that read `base` there (0: nothing). */
void isles_save(struct isles *w, uint32_t i, const char *name, uint32_t data, uint32_t base);
bool isles_mkdir(struct isles *w, uint32_t i, const char *name);
bool isles_find(struct isles *w, uint32_t i, const char *name, struct nwr_shown *out);

/* The listing, sorted by name. */
void isles_list(struct isles *w, uint32_t i, struct nwr_shown_list *list);
uint32_t isles_data(struct isles *w, uint32_t i, const struct nwr_shown *x);
/* "a=1 a.conflict.2001=3": the listing as text. Caller frees with nwr_free. */
char *isles_text(struct isles *w, uint32_t i);

/* Runs scripts in the format of the model (tests/model/README.md); says on stdout where a
 * listing is not as written. Returns how many; *checked counts listings. */
uint32_t isles_script(const char *text, uint32_t *checked);

#endif
