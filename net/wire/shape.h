/* shape.h -- the field lists of messages: one list each, which the encoder and the decoder of
 * frame.c both walk, so that neither can know a field the other does not.
 *
 * A shape describes a C struct: its fields in wire order, where they are and what they may hold.
 * On the wire a struct is an array of its fields.
 *
 * Thread: any (constant data). Allocates: no.
 */
#ifndef NWR_SHAPE_H
#define NWR_SHAPE_H

#include "net/core/msg.h"

enum nwr_field_type {
    NWR_FIELD_UINT,   /* unsigned of 1, 2, 4 or 8 bytes, bool, enum; at most max */
    NWR_FIELD_TEXT,   /* char[size], no zero inside */
    NWR_FIELD_BLOB,   /* struct nwr_blob *, at most max bytes; nil for NULL */
    NWR_FIELD_KEY,    /* struct nwr_key */
    NWR_FIELD_RECORD, /* struct nwr_record, as nwr_record_encode writes it */
    NWR_FIELD_STRUCT, /* a struct in place, of shape `of` */
    NWR_FIELD_LIST,   /* pointer and uint32_t count (and capacity) of structs, at most max */
    NWR_FIELD_OWNED   /* pointer to one struct */
};

struct nwr_shape;

struct nwr_field {
    const char *name;
    enum nwr_field_type type;
    uint32_t at, size;
    uint64_t max;
    uint32_t count_at, cap_at;  /* LIST; cap_at 0: there is none */
    const struct nwr_shape *of; /* STRUCT, LIST, OWNED */
    /* LIST: NULL, or what is wrong with the order of the items. */
    const char *(*check)(const void *items, uint32_t n);
};

struct nwr_shape {
    uint32_t bytes; /* sizeof the struct */
    uint32_t nfield;
    const struct nwr_field *field;
};

/* id, epoch, pg, err: what every message starts with, after its kind. */
extern const struct nwr_shape nwr_shape_common;
/* The fields of a kind's own, relative to struct nwr_msg; NULL: no such kind. */
const struct nwr_shape *nwr_shape_of(uint64_t kind);

#endif
