/* key.h -- record keys: how the tree is laid out in placement groups (DESIGN 4).
 *
 *   pg(2, big-endian) 'E' parent(8) name            entry: slots and voids
 *   pg 'E' parent(8) name NUL ino(8)                beside it: an inode whose slot here was removed
 *   pg 'I' ino(8) 'a'                               attributes: type, mode, owner, times, policy
 *   pg 'I' ino(8) 'c'                               content: multi-value, shown
 *   pg 'I' ino(8) 'l' parent(8) name                link: one a name
 *   pg 'I' ino(8) 'm'                               marks: grow-only
 *   pg 'I' ino(8) 'x' name                          extended attribute
 *
 * pg is always that of the inode in the key. "The object of an inode" is the range below
 * pg 'I' ino, its directory listing the range below pg 'E' ino.
 */
#ifndef NWR_KEY_H
#define NWR_KEY_H

#include "nwr/types.h"

struct nwr_key {
    uint16_t len;
    uint8_t b[NWR_KEY_MAX];
};

enum nwr_reg {
    NWR_REG_ATTR = 'a',
    NWR_REG_CONTENT = 'c',
    NWR_REG_LINK = 'l',
    NWR_REG_MARKS = 'm',
    NWR_REG_XATTR = 'x'
};

struct nwr_key nwr_key_entry(nwr_ino parent, const char *name, size_t len);
/* Prefix of all entries of a directory. */
struct nwr_key nwr_key_entries(nwr_ino parent);
/* Beside an entry: an inode, and the prefix of all of them. */
struct nwr_key nwr_key_beside(nwr_ino parent, const char *name, size_t len, nwr_ino ino);
struct nwr_key nwr_key_besides(nwr_ino parent, const char *name, size_t len);
struct nwr_key nwr_key_reg(nwr_ino ino, enum nwr_reg reg); /* 'a', 'c', 'm'; prefix of 'l', 'x' */
struct nwr_key nwr_key_link(nwr_ino ino, nwr_ino parent, const char *name, size_t len);
struct nwr_key nwr_key_xattr(nwr_ino ino, const char *name, size_t len);
/* Prefix of all registers of an inode. */
struct nwr_key nwr_key_object(nwr_ino ino);

int nwr_key_cmp(const struct nwr_key *a, const struct nwr_key *b);
bool nwr_key_has_prefix(const struct nwr_key *k, const struct nwr_key *prefix);
nwr_pg nwr_key_pg(const struct nwr_key *k);
/* What a key is; false if it is none of the above. Name points into the key. */
struct nwr_key_parts {
    char kind; /* 'E' or 'I' */
    char reg;  /* of an 'I' */
    nwr_ino ino, parent;
    const char *name;
    uint16_t name_len;
};
bool nwr_key_parse(const struct nwr_key *k, struct nwr_key_parts *parts);

#endif
