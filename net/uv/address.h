/* address.h -- "IP:PORT" and "[IP6]:PORT" as text and as socket addresses.
 *
 * Thread: any. Allocates: no; a host name asks the resolver and blocks, so only at a start.
 */
#ifndef NWR_ADDRESS_H
#define NWR_ADDRESS_H

#include <uv.h>

#include "nwr/base.h"

#define NWR_ADDRESS_MAX 64

/* Returns NULL, or what is wrong with the text. numeric: host names are refused. */
const char *nwr_address_parse(const char *text, bool numeric, struct sockaddr_storage *out);
void nwr_address_text(const struct sockaddr *sa, char text[NWR_ADDRESS_MAX]);
bool nwr_address_loopback(const struct sockaddr *sa);
/* 0.0.0.0 or [::] */
bool nwr_address_any(const struct sockaddr *sa);
uint16_t nwr_address_port(const struct sockaddr *sa);
void nwr_address_set_port(struct sockaddr *sa, uint16_t port);
bool nwr_address_same_ip(const struct sockaddr *a, const struct sockaddr *b);

#endif
