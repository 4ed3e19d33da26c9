/* frame.h -- messages as bytes: a 4-byte big-endian length and a msgpack array.
 *
 *     [kind, id, epoch, pg, err, fields of the kind ...]     (lists: shape.c)
 *
 * Large blobs are not copied: an encoded frame is a list of slices for a gathering write, some
 * of its own bytes, some of a blob; a decoded message refers to the received frame where a blob
 * is most of it.
 *
 * Decoding trusts nothing: every count, length and enumeration is bounded, lists that must be
 * sorted are, and an error names message and field. Pure.
 */
#ifndef NWR_FRAME_H
#define NWR_FRAME_H

#include "net/core/msg.h"

enum {
    NWR_FRAME_HEAD = 4,
    NWR_FRAME_COPY_MAX = 4096, /* blobs up to here are copied among the small fields */
    NWR_FRAME_WHY_MAX = 200
};

struct nwr_slice {
    struct nwr_blob *blob; /* a count of its own; NULL: bytes of the frame */
    uint32_t at, len;
};

struct nwr_frame {
    struct nwr_out bytes;
    struct nwr_slice *slice;
    uint32_t nslice, capslice;
    size_t len; /* of all slices: length prefix and payload */
};

/* frame: uninitialised; the caller frees it with nwr_frame_deinit once written. NWR_E_FBIG when
 * the payload would pass NWR_FRAME_MAX. */
enum nwr_err nwr_frame_encode(struct nwr_frame *frame, const struct nwr_msg *m);
void nwr_frame_deinit(struct nwr_frame *frame);
const uint8_t *nwr_frame_slice(const struct nwr_frame *frame, uint32_t i, size_t *len);

/* Payload length that a prefix announces; more than NWR_FRAME_MAX, or 0, is an error. */
uint32_t nwr_frame_length(const uint8_t prefix[NWR_FRAME_HEAD]);
/* payload: without the prefix; borrowed, parts of it may stay referenced. m: uninitialised; on
 * failure (NWR_E_FORMAT) untouched, and why says "frame REPLICATE: field block[2].id.ino: ...". */
enum nwr_err nwr_frame_decode(struct nwr_msg *m, struct nwr_blob *payload,
                              char why[NWR_FRAME_WHY_MAX]);

/* "REPLICATE"; "?" for no kind. */
const char *nwr_msg_name(uint64_t kind);

#endif
