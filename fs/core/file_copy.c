/* file_copy.c -- copies by reference: blocks that another file has are named, not read.
 *
 * Borrowed blocks are dirty until a push has made the file's version name them. Until then
 * nothing keeps the lender from replacing them, so a push goes at once (op_copy.c), and when it
 * fails what was borrowed is given back.
 */
#include "fs/core/file_int.h"

static void put(struct nwr_file *f, const struct nwr_seg *s, uint64_t off)
{
    switch (s->kind) {
    case NWR_SEG_PIECE: nwr_file_write(f, off, s->blob, s->from, (uint32_t)s->len); break;
    case NWR_SEG_EXTENT: nwr_gen_borrow(&f->dirty, off, s->len, &s->block, s->from); break;
    case NWR_SEG_HOLE: nwr_file_punch(f, off, s->len); break;
    }
    f->size = NWR_MAX(f->size, off + s->len);
}

bool nwr_file_copy(struct nwr_file *to, uint64_t to_off, struct nwr_file *from, uint64_t from_off,
                   uint64_t len, struct nwr_needs *needs)
{
    struct nwr_segs segs = {0};
    uint64_t size = nwr_file_borrows(to) ? to->size_before : to->size;
    bool ok;

    nwr_assert(from_off + len <= from->size && to_off <= NWR_FILE_MAX - len);
    nwr_map_src_begin(&from->src);
    nwr_file_view(from, from_off, from_off + len, &segs, needs);
    ok = needs->n == 0 && needs->err == NWR_OK;
    for (uint32_t i = 0; ok && i < segs.n; i++) /* it may be the same file */
        nwr_blob_ref(segs.s[i].blob);
    for (uint32_t i = 0; ok && i < segs.n; i++)
        put(to, &segs.s[i], to_off + (segs.s[i].off - from_off));
    for (uint32_t i = 0; ok && i < segs.n; i++)
        nwr_blob_unref(segs.s[i].blob);
    if (ok) {
        nwr_map_src_done(&from->src);
        to->size_before = size;
        to->size_borrowed = to->size;
    }
    nwr_free(segs.s);
    return ok;
}

bool nwr_file_borrows(const struct nwr_file *f)
{
    return nwr_gen_borrows(&f->dirty) || nwr_gen_borrows(&f->pushed);
}

void nwr_file_return(struct nwr_file *f)
{
    nwr_assert(!f->pushing);
    nwr_gen_return(&f->dirty);
    if (f->size == f->size_borrowed)
        f->size = f->size_before;
}
