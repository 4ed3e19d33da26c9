/* limits.h -- every limit has a name, and the name is here. */
#ifndef NWR_LIMITS_H
#define NWR_LIMITS_H

enum {
    NWR_PGS_MAX = 1024, /* placement groups of a volume: 10 bits of an inode number */
    NWR_PGS_DEFAULT = 1024,
    NWR_ORDINAL_MAX = 999,
    NWR_REPLICAS_MAX = 7,  /* N */
    NWR_MEMBERS_MAX = 256, /* ring members */
    NWR_NAME_MAX = 255,    /* bytes of one path component */
    NWR_SYMLINK_MAX = 4095,
    NWR_XATTR_MAX = 65536,            /* bytes of one extended attribute */
    NWR_KEY_MAX = 288,                /* bytes of a record key */
    NWR_BLOCK_MAX = 1 << 20,          /* bytes of one block */
    NWR_BLOCK_SEGMENT = 1 << 16,      /* blocks of this size and more live in segment files */
    NWR_BATCH_WRITES_MAX = 256,       /* records of one batch */
    NWR_BATCH_BLOCKS_BYTES = 1 << 20, /* block bytes that may travel with a batch */
    NWR_SIBLINGS_WARN = 16,
    NWR_SIBLINGS_MAX = 100,   /* client path only, never repair */
    NWR_SCAN_ROWS = 1024,     /* records of one scan answer (directory page) */
    NWR_READ_BYTES = 4 << 20, /* and bytes in memory: ends with the row, or object, past it */
    NWR_FRAME_MAX = 8 << 20,  /* bytes of one wire frame */
    NWR_DEADLINE_MS = 10000,  /* every wait for a peer, in all */
    NWR_LATER_MS = 5,         /* a replica that is not waited for is asked after this */
    NWR_HEDGE_MS = 30,        /* a silent replica is asked around after this */
    NWR_AHEAD_MS = 60000,     /* a clock that is further ahead of ours is not followed */
    NWR_SYNC_MS = 1000,       /* nothing acknowledged stays off the disk longer */
    NWR_PUSH_BYTES = 4 << 20, /* a dirty file is pushed at this size */
    NWR_PUSH_MS = 1000        /* and after this time */
};

#endif
