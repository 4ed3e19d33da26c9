/* body.h -- what the bodies of records say: slots, attributes, contents, marks (DESIGN 4, 9).
 *
 * Every body begins with a format byte (1). Encoders give a blob; decoders return
 * NWR_E_FORMAT on anything out of bounds and leave the output empty.
 */
#ifndef NWR_FS_BODY_H
#define NWR_FS_BODY_H

#include "fs/core/file.h"

enum nwr_type { /* values are part of the format */
    NWR_TYPE_REG = 1,
    NWR_TYPE_DIR = 2,
    NWR_TYPE_LNK = 3,
    NWR_TYPE_FIFO = 4,
    NWR_TYPE_SOCK = 5,
    NWR_TYPE_CHR = 6,
    NWR_TYPE_BLK = 7
};

/* A line: versions that continue one another under one number (DESIGN 9), named by the write_id
 * of its first version; dot and hlc rank it. In a decoded content it is complete; nwr_line_of
 * gives the line that a version starts. */
struct nwr_line {
    nwr_wid wid;
    struct nwr_dot dot;
    nwr_hlc hlc;
    uint64_t k;
};

/* Scalars with the clock of their last setting; merged field by field, later hlc wins. */
struct nwr_stamped {
    uint64_t value;
    nwr_hlc hlc;
};

/* The policy of a directory or file, copied to what is created below; 0 = the volume's. */
struct nwr_policy {
    uint8_t w, r;
    uint8_t reject;     /* on-conflict=reject */
    uint8_t hide;       /* conflicts=hide */
    uint8_t durability; /* 0 default, 1 memory, 2 disk */
    uint8_t sloppy;     /* sloppy=on */
};

struct nwr_attr {
    uint8_t type; /* enum nwr_type */
    uint32_t rdev;
    char *symlink; /* owned; LNK only */
    nwr_ns btime;
    struct nwr_stamped mode; /* permission bits */
    uint16_t mode_base;      /* the bits its setter started from: three-way merge */
    nwr_hlc mode_over;       /* and their stamp; 0: not known, or it had none yet */
    struct nwr_stamped uid, gid, atime, ctime;
    struct nwr_stamped mtime; /* set by utimensat (or of a non-file) */
    nwr_wid mtime_of;         /* content it belongs to; 0: none, the content's own counts */
    struct nwr_policy policy;
    nwr_hlc policy_hlc;
};
struct nwr_blob *nwr_attr_encode(const struct nwr_attr *a);
enum nwr_err nwr_attr_decode(struct nwr_attr *a, const struct nwr_blob *body);
void nwr_attr_deinit(struct nwr_attr *a);
/* By the write that this is encoded for. */
void nwr_attr_set_mode(struct nwr_attr *a, uint32_t mode);

/* Content: what the conflict rules need, then times and the map. */
struct nwr_content {
    struct nwr_line line; /* wid 0 when encoding: the version's own */
    bool unlinked;        /* its writer knew that no name was left: it never brings one back */
    uint64_t sum;         /* XXH3 of the bytes of a file of at most one block; 0: not known */
    nwr_ns mtime;
    struct nwr_map map;
};
struct nwr_blob *nwr_content_encode(const struct nwr_content *c);
enum nwr_err nwr_content_decode(struct nwr_content *c, const struct nwr_version *v);
/* All but the map, which stays empty: nothing to free. */
enum nwr_err nwr_content_head(struct nwr_content *c, const struct nwr_version *v);
void nwr_content_deinit(struct nwr_content *c);
struct nwr_line nwr_line_of(const struct nwr_version *v);
/* Same bytes for all that can be known without reading them. */
bool nwr_content_same(const struct nwr_version *a, const struct nwr_version *b);

#endif
