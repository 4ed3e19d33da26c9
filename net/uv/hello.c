/* hello.c -- what two nodes tell each other first, and when they part at once.
 *
 * HELLO and REFUSED keep their fields in every version of the protocol, so that nodes of
 * different versions can say so.
 */
#include <stdio.h>

#include "net/uv/inside.h"

static const struct nwr_ring *ring_of(const struct nwr_peer *p)
{
    return p->node ? nwr_node_ring(p->node) : NULL;
}

void nwr_hello_make(const struct nwr_peer *p, struct nwr_msg *m, bool client)
{
    struct nwr_hello *h = &m->u.hello;

    *m = (struct nwr_msg){.kind = NWR_MSG_HELLO};
    h->proto_min = NWR_PROTO_MIN;
    h->proto_max = NWR_PROTO_MAX;
    h->volume = p->volume.info.id;
    h->info = p->volume.info;
    if (client)
        return;
    h->node = p->id;
    h->ordinal = nwr_node_ordinal(p->node);
    memcpy(h->address, p->address, sizeof(h->address));
}

const char *nwr_hello_check(const struct nwr_peer *p, const struct nwr_hello *h, char text[160])
{
    const struct nwr_ring *ring = ring_of(p);
    const struct nwr_member *m;

    if (h->proto_min > NWR_PROTO_MAX || h->proto_max < NWR_PROTO_MIN) {
        snprintf(text, 160, "speaks protocol version %u to %u, not %u to %u; use the same release",
                 h->proto_min, h->proto_max, NWR_PROTO_MIN, NWR_PROTO_MAX);
        return text;
    }
    if (h->volume && p->volume.info.id && h->volume != p->volume.info.id) {
        snprintf(text, 160, "belongs to another volume, %016llx, not %016llx",
                 (unsigned long long)h->volume, (unsigned long long)p->volume.info.id);
        return text;
    }
    if (h->node && h->node == p->id) {
        snprintf(text, 160, "has the same identity: a copy of the data directory, or itself");
        return text;
    }
    m = ring && h->ordinal ? nwr_ring_find(ring, h->ordinal) : NULL;
    if (m && m->id != h->node) {
        snprintf(text, 160, "says it is peer %u, which is another node", h->ordinal);
        return text;
    }
    return NULL;
}
