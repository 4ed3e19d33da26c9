/* reads.c -- see reads.h. */
#include "fs/core/reads.h"

static struct nwr_read *ways(const struct nwr_reads *r, uint64_t process, uint64_t name)
{
    uint64_t h = nwr_mix64(process ^ nwr_mix64(name));
    const struct nwr_read *e = &r->e[h % (NWR_READS_MAX / NWR_READS_WAYS) * NWR_READS_WAYS];

    return (struct nwr_read *)e;
}

static struct nwr_read *find(const struct nwr_reads *r, uint64_t process, uint64_t name)
{
    struct nwr_read *e = ways(r, process, name);

    for (uint32_t i = 0; i < NWR_READS_WAYS; i++)
        if (e[i].at && e[i].process == process && e[i].name == name)
            return &e[i];
    return NULL;
}

void nwr_reads_put(struct nwr_reads *r, uint64_t process, uint64_t name, nwr_ino root,
                   struct nwr_seen seen)
{
    struct nwr_read *e = find(r, process, name), *all = ways(r, process, name);

    if (process == 0 || seen.wid == 0)
        return;
    if (!e) { /* the one that nobody has used for longest */
        e = all;
        for (uint32_t i = 1; i < NWR_READS_WAYS; i++)
            if (all[i].at < e->at)
                e = &all[i];
    }
    *e = (struct nwr_read){process, name, root, seen, ++r->now};
}

struct nwr_seen nwr_reads_get(const struct nwr_reads *r, uint64_t process, uint64_t name)
{
    const struct nwr_read *e = find(r, process, name);

    return process && e ? e->seen : (struct nwr_seen){0};
}

struct nwr_seen nwr_reads_of(const struct nwr_reads *r, uint64_t process, uint64_t name,
                             nwr_ino root)
{
    const struct nwr_read *e = find(r, process, name);
    struct nwr_seen seen = nwr_reads_get(r, process, name);

    if (e && e->root != root)
        seen.dot = (struct nwr_dot){0};
    return seen;
}

void nwr_reads_renew(struct nwr_reads *r, uint64_t name)
{
    for (uint32_t i = 0; i < NWR_READS_MAX; i++)
        if (r->e[i].name == name)
            r->e[i] = (struct nwr_read){0};
}

void nwr_reads_wrote(struct nwr_reads *r, nwr_wid wid)
{
    r->wrote[r->next++ % NWR_WROTE_MAX] = wid;
}

void nwr_reads_once(struct nwr_reads *r, nwr_wid wid)
{
    r->once[wid % NWR_ONCE_MAX] = wid;
}

bool nwr_reads_is_once(const struct nwr_reads *r, nwr_wid wid)
{
    return wid && r->once[wid % NWR_ONCE_MAX] == wid;
}

bool nwr_reads_own(const struct nwr_reads *r, nwr_wid wid)
{
    for (uint32_t i = 0; wid && i < NWR_WROTE_MAX; i++)
        if (r->wrote[i] == wid)
            return true;
    return false;
}
