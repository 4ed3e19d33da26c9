/* silent.c -- removed inodes of which nothing can be shown: what replicas leave out of a look-up.
 *
 * A file whose every version was seen by who removed it shows nothing more (DESIGN 9, view.c). That
 * must stay so of what two replicas have together where each says so of its own, since they compare
 * no more than that both do:
 *
 *   marks only grow, so what a replica knows to be removed the other's marks do not bring back; but
 *   a MOOT mark does, so with one nothing is silent
 *   a version that is not removed is at one of them, and is loud there
 *   a directory shows what is below it, of which its object says nothing
 *   of an inode that is not whole somebody else has the rest: who asks must see that
 *
 * Pure. Thread: any.
 */
#include "fs/core/conflict.h"
#include "fs/core/mount.h"

static const struct nwr_record *record(const struct nwr_rows *rows, nwr_ino ino, enum nwr_reg reg)
{
    static const struct nwr_record none;
    struct nwr_key key = nwr_key_reg(ino, reg);
    const struct nwr_row *row = nwr_rows_find(rows, &key);

    return row ? &row->rec : &none;
}

/* There, and no directory. */
static bool is_file(const struct nwr_record *attr)
{
    bool file = false;

    for (uint32_t i = 0; i < attr->n; i++) {
        struct nwr_attr a;

        if (attr->v[i].flags & NWR_V_TOMBSTONE)
            continue;
        if (nwr_attr_decode(&a, attr->v[i].body) != NWR_OK)
            return false;
        file = a.type != NWR_TYPE_DIR;
        nwr_attr_deinit(&a);
        if (!file)
            return false;
    }
    return file;
}

/* Every version counts, also one that another stands for. */
static bool all_removed(const struct nwr_versions *s)
{
    for (uint32_t i = 0; i < s->marks.n; i++)
        if (s->marks.e[i].kind == NWR_MARK_MOOT)
            return false;
    for (uint32_t i = 0; i < s->n; i++)
        if (!s->e[i].removed)
            return false;
    return s->last != NULL;
}

bool nwr_inode_silent(const struct nwr_rows *object, nwr_ino ino)
{
    const struct nwr_record *content = record(object, ino, NWR_REG_CONTENT);
    struct nwr_versions s;
    bool silent;

    if (!is_file(record(object, ino, NWR_REG_ATTR)))
        return false;
    nwr_versions_read(&s, object, ino);
    silent = all_removed(&s) && (content->n || !s.ever);
    nwr_versions_deinit(&s);
    return silent;
}
