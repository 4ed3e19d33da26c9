/* flags.h -- open, rename, xattr, fallocate and seek flags by their Linux values.
 *
 * The pure core includes no system header that declares calls; the kernel's numbers are stable.
 */
#ifndef NWR_FS_FLAGS_H
#define NWR_FS_FLAGS_H

enum nwr_open_flag {
    NWR_O_WRONLY = 01,
    NWR_O_RDWR = 02,
    NWR_O_ACCMODE = 03,
    NWR_O_EXCL = 0200,
    NWR_O_TRUNC = 01000,
    NWR_O_APPEND = 02000,
    NWR_O_DSYNC = 010000,
    NWR_O_SYNC = 04010000
};

enum nwr_rename_flag {
    NWR_RENAME_NOREPLACE = 1,
    NWR_RENAME_EXCHANGE = 2
};

enum nwr_xattr_flag {
    NWR_XATTR_CREATE = 1,
    NWR_XATTR_REPLACE = 2
};

enum nwr_falloc_flag {
    NWR_FALLOC_KEEP_SIZE = 1,
    NWR_FALLOC_PUNCH_HOLE = 2,
    NWR_FALLOC_ZERO_RANGE = 16
};

enum nwr_seek {
    NWR_SEEK_DATA = 3,
    NWR_SEEK_HOLE = 4
};

#endif
