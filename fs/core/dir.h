/* dir.h -- one opendir: the names as they were read, page by page, under stable cookies.
 *
 * A cookie is the index of the next name; 0 and 1 are "." and "..". Rewinding to 0 starts a new
 * snapshot. Attributes are kept for the page read last only.
 *
 * Ownership: a directory owns its names and page. Thread: the loop.
 */
#ifndef NWR_FS_DIR_H
#define NWR_FS_DIR_H

#include "fs/core/itable.h"

#include <sys/stat.h>

struct nwr_dir_name {
    uint32_t at; /* of the text */
    uint16_t len;
    uint8_t type;
    nwr_ino ino;
};

struct nwr_dir_seen { /* a name of the last page, with attributes if they came along */
    struct nwr_shown x;
    struct stat st;
    bool whole;
    bool plain; /* has no extended attributes */
};

struct nwr_dir_memo { /* a directory the reader passed on its way to a name */
    uint64_t parent;  /* node; 0: attributes of `node` itself */
    char name[NWR_NAME_MAX + 1];
    uint64_t node;
    struct stat st;
    nwr_ms at;
};

#define NWR_DIR_MEMOS 8

struct nwr_dir {
    const struct nwr_node *node; /* of the page */
    struct nwr_dir_name *name;
    uint32_t n, cap;
    char *text;
    uint32_t text_len, text_cap;
    struct nwr_dir_seen *page;
    uint32_t npage, cappage, page_first;
    nwr_ms page_at;
    uint32_t page_pid; /* thread that reads, for nwr_dir_recall */
    uint64_t page_changes;
    uint32_t hint;
    struct nwr_dir_memo memo[NWR_DIR_MEMOS];
    uint32_t memo_at;
    struct nwr_key after;
    uint8_t part; /* which directory of the union is being read */
    bool complete;
};

struct nwr_dir *nwr_dir_create(void);
void nwr_dir_destroy(struct nwr_dir *d);
void nwr_dir_reset(struct nwr_dir *d);
/* A name of the last page with its attributes, or NULL. Programs ask for names in the order they
 * were given, so that is where the search goes on. */
const struct nwr_dir_seen *nwr_dir_recall(struct nwr_dir *d, const char *name, size_t len);
/* The same for the inode that was asked for last, and the version that its node stands for. */
const struct nwr_dir_seen *nwr_dir_recall_node(const struct nwr_dir *d, const struct nwr_node *n);
void nwr_dir_add(struct nwr_dir *d, const struct nwr_shown *x);

#endif
