/* dir.c -- see dir.h. */
#include "fs/core/dir.h"

struct nwr_dir *nwr_dir_create(void)
{
    return nwr_zalloc(sizeof(struct nwr_dir));
}

void nwr_dir_destroy(struct nwr_dir *d)
{
    nwr_free(d->name);
    nwr_free(d->text);
    nwr_free(d->page);
    nwr_free(d);
}

void nwr_dir_reset(struct nwr_dir *d)
{
    d->n = d->text_len = d->npage = d->page_first = 0;
    d->after.len = 0;
    d->part = 0;
    d->complete = false;
}

void nwr_dir_add(struct nwr_dir *d, const struct nwr_shown *x)
{
    struct nwr_dir_name *name;

    d->name = nwr_grow(d->name, &d->cap, d->n + 1, sizeof(*d->name));
    name = &d->name[d->n++];
    name->at = d->text_len;
    name->len = x->name_len;
    name->type = x->type;
    name->ino = x->ino;
    d->text = nwr_grow(d->text, &d->text_cap, d->text_len + x->name_len + 1u, 1);
    memcpy(d->text + d->text_len, x->name, x->name_len);
    d->text[d->text_len + x->name_len] = 0;
    d->text_len += x->name_len + 1u;
}

const struct nwr_dir_seen *nwr_dir_recall(struct nwr_dir *d, const char *name, size_t len)
{
    for (uint32_t i = 0; i < d->npage; i++) {
        uint32_t at = (d->hint + i) % d->npage;
        const struct nwr_dir_seen *seen = &d->page[at];

        if (seen->x.name_len != len || memcmp(seen->x.name, name, len) != 0)
            continue;
        d->hint = at + 1;
        return seen->whole ? seen : NULL;
    }
    return NULL;
}

const struct nwr_dir_seen *nwr_dir_recall_node(const struct nwr_dir *d, const struct nwr_node *n)
{
    const struct nwr_dir_seen *seen;

    if (d->npage == 0)
        return NULL;
    seen = &d->page[(d->hint + d->npage - 1) % d->npage];
    if (!seen->whole || seen->x.root != n->root || seen->x.ino != n->ino ||
        seen->x.version.wid != n->version.wid)
        return NULL;
    return seen;
}
