/* map_lru.c -- see map_lru.h. */
#include "fs/core/map_lru.h"

enum {
    SLOTS_MIN = 16
};

static struct nwr_lru_entry **slot_of(struct nwr_lru *l, const struct nwr_block_id *id)
{
    uint64_t h = nwr_mix64(id->ino ^ nwr_mix64(id->wid ^ nwr_mix64(id->number)));

    return &l->slot[h & (l->slots - 1)];
}

static void list_push(struct nwr_lru *l, struct nwr_lru_entry *e)
{
    e->newer = NULL;
    e->older = l->newest;
    if (l->newest)
        l->newest->newer = e;
    else
        l->oldest = e;
    l->newest = e;
}

static void list_take(struct nwr_lru *l, struct nwr_lru_entry *e)
{
    if (e->newer)
        e->newer->older = e->older;
    else
        l->newest = e->older;
    if (e->older)
        e->older->newer = e->newer;
    else
        l->oldest = e->newer;
}

static void slots_double(struct nwr_lru *l)
{
    nwr_free(l->slot);
    l->slots = NWR_MAX(l->slots * 2, SLOTS_MIN);
    l->slot = nwr_zalloc(l->slots * sizeof(struct nwr_lru_entry *));
    for (struct nwr_lru_entry *e = l->oldest; e; e = e->newer) {
        struct nwr_lru_entry **s = slot_of(l, &e->id);

        e->next = *s;
        *s = e;
    }
}

struct nwr_lru_entry *nwr_lru_find(struct nwr_lru *l, const struct nwr_block_id *id)
{
    struct nwr_lru_entry *e = l->slots ? *slot_of(l, id) : NULL;

    while (e && !nwr_map_same_id(&e->id, id))
        e = e->next;
    if (e && e != l->newest) {
        list_take(l, e);
        list_push(l, e);
    }
    return e;
}

void nwr_lru_add(struct nwr_lru *l, struct nwr_lru_entry *e)
{
    struct nwr_lru_entry **s;

    if (l->n >= l->slots)
        slots_double(l);
    s = slot_of(l, &e->id);
    e->next = *s;
    *s = e;
    list_push(l, e);
    l->n++;
    l->bytes += e->bytes;
}

void nwr_lru_remove(struct nwr_lru *l, struct nwr_lru_entry *e)
{
    struct nwr_lru_entry **s = slot_of(l, &e->id);

    while (*s != e) {
        nwr_assert(*s);
        s = &(*s)->next;
    }
    *s = e->next;
    list_take(l, e);
    nwr_assert(l->n > 0);
    l->n--;
    l->bytes -= e->bytes;
}

void nwr_lru_deinit(struct nwr_lru *l)
{
    nwr_assert(l->n == 0);
    nwr_free(l->slot);
    *l = (struct nwr_lru){0};
}
