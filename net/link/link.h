/* link.h -- the volume of a mount that stores nothing: every request is coordinated by a peer.
 *
 * One connection at a time to one of several addresses. When it breaks, or nothing is heard on
 * it for a while, the next address is tried and what is outstanding is sent again, unchanged:
 * requests carry their write_ids, so a repetition is the same write (DESIGN 3).
 *
 * A request ends with E_TIMEDOUT at its deadline when it was sent at least once, with E_HOSTDOWN
 * when no peer could be reached for it.
 *
 * Ownership: the link is the caller's from a successful start until on_closed runs.
 * Thread: the loop's only. Allocates: yes.
 */
#ifndef NWR_LINK_H
#define NWR_LINK_H

#include <uv.h>

#include "nwr/volume.h"

struct nwr_link;

struct nwr_link_options {
    const char *const *peers; /* IP:PORT each, at least one */
    unsigned npeers;
    const char *key; /* file of the volume key; NULL: none */
    void *user;
    /* Once, never inside start: a peer answered and the volume's info is known, or none could be
     * reached within NWR_DEADLINE_MS, or one refused (text: one line for people). */
    void (*on_ready)(struct nwr_link *l, enum nwr_err err, const char *text);
};

/* text: one line when an address cannot be used (E_INVAL). Options are copied. */
enum nwr_err nwr_link_start(struct nwr_link **out, uv_loop_t *loop,
                            const struct nwr_link_options *o, char *text, size_t text_len);
void *nwr_link_user(const struct nwr_link *l);
/* Borrowed, valid from on_ready(NWR_OK) until nwr_link_close is called. */
struct nwr_volume *nwr_link_volume(struct nwr_link *l);
/* Reads the key file again (SIGHUP); as nwr_peer_rekey. */
void nwr_link_rekey(struct nwr_link *l);
/* The address connected to, "" while there is none. */
const char *nwr_link_peer(const struct nwr_link *l);

/* Ends what is outstanding with E_CANCELED, closes; on_closed runs when the memory is gone. */
void nwr_link_close(struct nwr_link *l, void (*on_closed)(void *arg), void *arg);

#endif
