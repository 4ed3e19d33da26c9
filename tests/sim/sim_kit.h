/* sim_kit.h -- small requests for scenarios: one register a key, text as content.
 *
 * Ownership: requests are the caller's until submitted; records and rows are the caller's.
 */
#ifndef NWR_SIM_KIT_H
#define NWR_SIM_KIT_H

#include "tests/sim/sim_cluster.h"

/* The content register number `no` of a group. */
struct nwr_key kit_key(nwr_pg pg, uint32_t no);
/* Replaces what `seen` (NULL: nothing) shows by text. */
struct nwr_request *kit_put(const struct nwr_key *key, const char *text, nwr_wid wid,
                            const struct nwr_record *seen);
struct nwr_request *kit_get(const struct nwr_key *key);
struct nwr_block_id kit_block_id(nwr_pg pg, uint32_t no, nwr_wid wid);
/* Adds a block to the request: named by its first write if named, carried if carried. */
void kit_block(struct nwr_request *req, const struct nwr_block_id *id, bool named, bool carried);

/* Asks and expects success. */
struct nwr_dot kit_write(struct sim *s, int node, const struct nwr_key *key, const char *text,
                         nwr_wid wid, const struct nwr_record *seen);
/* The record read through node; empty if there is none. */
struct nwr_record kit_read(struct sim *s, int node, const struct nwr_key *key);
enum nwr_err kit_ask_err(struct sim *s, int node, struct nwr_request *req);
/* What the store of node holds of key. */
struct nwr_record kit_stored(struct sim *s, int node, const struct nwr_key *key);
/* "a|b" of the live versions, by dot; a buffer of the caller's. */
const char *kit_text(const struct nwr_record *r, char *buffer, size_t room);
/* A PG whose list starts with node `first`; -1 for any. */
nwr_pg kit_pg(struct sim *s, int node, int first);
bool kit_holds(struct sim *s, int node, nwr_pg pg);
/* The replicas of a group, in order, then the next nodes: n in all. */
void kit_list(struct sim *s, nwr_pg pg, int *list, int n);
/* Asks node `at` to remove another, and waits until that is decided. */
void kit_remove_member(struct sim *s, int at, int node);

/* Cuts node from all others, or joins it to them again. */
void kit_isolate(struct sim *s, int node, bool cut);
/* Runs long enough for everybody to know who is there. */
void kit_notice(struct sim *s);
/* Three members, 16 groups, N = 3. */
struct sim *kit_three(uint64_t seed, uint8_t w, uint8_t r);
/* The same, and nothing is kept for a replica that is away. */
struct sim *kit_three_without_hints(uint64_t seed, uint8_t w, uint8_t r);
/* The same; replicas are compared only when asked to, and nothing is kept for one that is away. */
struct sim *kit_three_by_reads(uint64_t seed, uint8_t w, uint8_t r);
/* kit_text of what is stored at, or read through, a node; valid until the next call. */
const char *kit_stored_text(struct sim *s, int node, const struct nwr_key *key);
const char *kit_read_text(struct sim *s, int node, const struct nwr_key *key);
/* Entries named aaa, aab, ... in dir, from..to by step, written through node. */
void kit_write_many(struct sim *s, int node, nwr_ino dir, uint32_t from, uint32_t to,
                    uint32_t step);

#endif
