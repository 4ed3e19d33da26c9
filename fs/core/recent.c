/* recent.c -- names that a LOOKUP has just found absent, for the CREATE that follows it.
 *
 * The kernel looks a name up before it creates it. For NWR_RECENT_MS the answer may serve the
 * creation too: one round trip less for a new file; a creation elsewhere within that time shows
 * as a sibling slot, as it would a moment later.
 */
#include "fs/core/state.h"

static struct nwr_recent *find(struct nwr_mount *m, const struct nwr_key *key)
{
    for (uint32_t i = 0; i < NWR_RECENT_MAX; i++) {
        struct nwr_recent *r = &m->recent[i];

        if (r->until && nwr_key_cmp(&r->key, key) == 0)
            return r;
    }
    return NULL;
}

static void clear(struct nwr_recent *r)
{
    nwr_record_deinit(&r->rec);
    *r = (struct nwr_recent){0};
}

void nwr_recent_keep(struct nwr_mount *m, const struct nwr_key *key, const struct nwr_record *rec)
{
    struct nwr_recent *r = find(m, key);

    if (!r) {
        r = &m->recent[m->recent_at];
        m->recent_at = (m->recent_at + 1) % NWR_RECENT_MAX;
    }
    clear(r);
    r->key = *key;
    nwr_record_copy(&r->rec, rec);
    r->until = m->now + NWR_RECENT_MS;
}

const struct nwr_record *nwr_recent_find(struct nwr_mount *m, const struct nwr_key *key)
{
    struct nwr_recent *r = find(m, key);

    return r && m->now < r->until ? &r->rec : NULL;
}

void nwr_recent_drop(struct nwr_mount *m, const struct nwr_key *key)
{
    struct nwr_recent *r = find(m, key);

    if (r)
        clear(r);
}

void nwr_recent_deinit(struct nwr_mount *m)
{
    for (uint32_t i = 0; i < NWR_RECENT_MAX; i++)
        clear(&m->recent[i]);
}
