/* mount_book.c -- see mount_book.h. A content is "<c00000001>" and then letters that its number
 * chooses. */
#include "tests/sim/mount_book.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    HEAD = 11
};

void mount_book_deinit(struct mount_book *b)
{
    nwr_free(b->content);
    nwr_free(b->block);
    nwr_free(b->deed);
}

static uint32_t life_of(const struct mount_book *b, int mount)
{
    return NWR_MIN(b->mount[mount]->life, (uint32_t)BOOK_LIVES - 1);
}

static char letter(int64_t id, size_t at)
{
    return (char)('a' + ((uint64_t)id * 7 + at) % 26);
}

int64_t mount_book_write(struct mount_book *b, int mount, const char *path, char *text, size_t *len)
{
    struct book_content *c;
    int64_t id;

    b->content = nwr_grow(b->content, &b->capcontent, b->ncontent + 1, sizeof(*b->content));
    c = &b->content[b->ncontent++];
    *c = (struct book_content){.mount = mount, .begun = b->s->now};
    c->got[mount][life_of(b, mount)] = b->s->now;
    snprintf(c->path, sizeof(c->path), "%s", path);
    id = b->ncontent;
    *len = b->large ? BOOK_LARGE : BOOK_TEXT;
    snprintf(text, HEAD + 1, "<c%08llx>", (unsigned long long)id);
    for (size_t i = HEAD; i < *len; i++)
        text[i] = letter(id, i);
    return id;
}

void mount_book_acked(struct mount_book *b, int64_t id, bool on_disk)
{
    b->content[id - 1].acked = true;
    b->content[id - 1].acked_at = b->s->now;
    b->content[id - 1].on_disk = on_disk;
}

static int64_t head_at(const struct mount_book *b, const char *text)
{
    char number[9] = {0};
    char *end;
    int64_t id;

    if (text[0] != '<' || text[1] != 'c' || text[HEAD - 1] != '>')
        return BOOK_DAMAGED;
    memcpy(number, text + 2, 8);
    id = (int64_t)strtoull(number, &end, 16);
    return *end == 0 && id >= 1 && id <= b->ncontent ? id : BOOK_DAMAGED;
}

int64_t mount_book_is(const struct mount_book *b, const char *text, size_t len)
{
    int64_t id;

    if (len == 0)
        return BOOK_NONE;
    id = len < HEAD ? BOOK_DAMAGED : head_at(b, text);
    if (id == BOOK_DAMAGED || b->large)
        return id;
    for (size_t i = HEAD; i < len; i++)
        if (text[i] != letter(id, i))
            return BOOK_DAMAGED;
    return len == BOOK_TEXT ? id : BOOK_DAMAGED;
}

void mount_book_given(struct mount_book *b, int mount, int64_t id)
{
    uint32_t life = life_of(b, mount);

    if (id > 0 && !b->content[id - 1].got[mount][life])
        b->content[id - 1].got[mount][life] = b->s->now;
}

void mount_book_block(struct mount_book *b, const struct nwr_block *block)
{
    int64_t id =
        block->data->len < HEAD ? BOOK_DAMAGED : head_at(b, (const char *)block->data->data);

    if (id <= 0)
        return;
    b->block = nwr_grow(b->block, &b->capblock, b->nblock + 1, sizeof(*b->block));
    b->block[b->nblock++] = (struct book_block){block->id, id};
}

int64_t mount_book_in(const struct mount_book *b, const struct nwr_block_id *id)
{
    for (uint32_t i = b->nblock; i-- > 0;)
        if (b->block[i].id.ino == id->ino && b->block[i].id.wid == id->wid &&
            b->block[i].id.number == id->number)
            return b->block[i].content;
    return BOOK_NONE;
}

uint32_t mount_book_deed(struct mount_book *b, enum book_kind kind, int mount, const char *from,
                         const char *to, int64_t read)
{
    struct book_deed *d;

    b->deed = nwr_grow(b->deed, &b->capdeed, b->ndeed + 1, sizeof(*b->deed));
    d = &b->deed[b->ndeed++];
    *d = (struct book_deed){.kind = kind, .mount = mount, .begun = b->s->now, .read = read};
    d->ended = UINT64_MAX;
    d->life = life_of(b, mount);
    d->err = -1;
    snprintf(d->from, sizeof(d->from), "%s", from);
    snprintf(d->to, sizeof(d->to), "%s", to ? to : "");
    return b->ndeed - 1;
}

void mount_book_done(struct mount_book *b, uint32_t deed, int err)
{
    b->deed[deed].err = err;
    b->deed[deed].ended = b->s->now;
}
