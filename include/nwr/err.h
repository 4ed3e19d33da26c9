/* err.h -- one error enumeration; foreign codes (errno, RocksDB, libuv) stop at the border.
 *
 * NWR_ERRORS lists name, errno a program sees, text a person reads.
 */
#ifndef NWR_ERR_H
#define NWR_ERR_H

#include <errno.h>
#include <stdbool.h>

#define NWR_ERRORS(X)                                                                              \
    X(OK, 0, "ok")                                                                                 \
    X(E_NOENT, ENOENT, "no such name")                                                             \
    X(E_EXIST, EEXIST, "name exists")                                                              \
    X(E_NOTEMPTY, ENOTEMPTY, "directory not empty")                                                \
    X(E_NOTDIR, ENOTDIR, "not a directory")                                                        \
    X(E_ISDIR, EISDIR, "is a directory")                                                           \
    X(E_PERM, EPERM, "not permitted")                                                              \
    X(E_ACCESS, EACCES, "permission denied")                                                       \
    X(E_INVAL, EINVAL, "invalid argument")                                                         \
    X(E_NAMETOOLONG, ENAMETOOLONG, "name too long")                                                \
    X(E_XDEV, EXDEV, "not across placement groups")                                                \
    X(E_MLINK, EMLINK, "too many links")                                                           \
    X(E_FBIG, EFBIG, "file too big")                                                               \
    X(E_NODATA, ENODATA, "no such attribute")                                                      \
    X(E_RANGE, ERANGE, "does not fit")                                                             \
    X(E_NOTSUP, EOPNOTSUPP, "not supported")                                                       \
    X(E_STALE, ESTALE, "no longer there")                                                          \
    X(E_SUPERSEDED, ESTALE, "a newer version was there first")                                     \
    X(E_DEAD, ENOENT, "the file or directory was removed")                                         \
    X(E_BLOCKS, EIO, "blocks are missing at a replica")                                            \
    X(E_TIMEDOUT, ETIMEDOUT, "no quorum answered in time")                                         \
    X(E_HOSTDOWN, EHOSTDOWN, "not enough replicas are reachable")                                  \
    X(E_NOSPC, ENOSPC, "disk full")                                                                \
    X(E_ROFS, EROFS, "the disk is read-only")                                                      \
    X(E_MFILE, ENFILE, "no file descriptor is left")                                               \
    X(E_IO, EIO, "input/output error")                                                             \
    X(E_CORRUPT, EIO, "checksum does not match")                                                   \
    X(E_BUSY, EBUSY, "too many concurrent versions")                                               \
    X(E_INTR, EINTR, "interrupted")                                                                \
    X(E_NOMEM, ENOMEM, "out of memory")                                                            \
    X(E_EPOCH, EAGAIN, "ring epoch differs")                                                       \
    X(E_FORMAT, EPROTO, "malformed data")                                                          \
    X(E_VERSION, EPROTO, "unknown format or protocol version")                                     \
    X(E_VOLUME, EPROTO, "belongs to another volume")                                               \
    X(E_LOCKED, EBUSY, "in use by another process")                                                \
    X(E_CANCELED, EIO, "stopped before it was done")

enum nwr_err {
#define NWR_ERR_ENUM(name, no, text) NWR_##name,
    NWR_ERRORS(NWR_ERR_ENUM)
#undef NWR_ERR_ENUM
    NWR_ERR_COUNT
};

/* The errno a program sees for err; 0 for NWR_OK. */
int nwr_err_errno(enum nwr_err err);
/* The symbolic name, "E_NOENT". */
const char *nwr_err_name(enum nwr_err err);
/* One short text for people. */
const char *nwr_err_text(enum nwr_err err);
/* The node that says so can store nothing now, whatever it is asked; another one may. */
bool nwr_err_of_disk(enum nwr_err err);

#endif
