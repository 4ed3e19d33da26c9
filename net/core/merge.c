/* merge.c -- the second half of a read: answers that differ become one, which W replicas hold
 * before it is returned. See read.c for the machine.
 */
#include "net/core/read.h"
#include "net/core/reconcile.h"

enum {
    OBJECTS_A_CALL = 64,
    MERGED_BYTES = 6 << 20 /* so that the result, and what is written back, fits a frame */
};

static bool has_answered(const struct side *s)
{
    return s->state == SIDE_DIGEST || s->state == SIDE_ROWS_ASKED || s->state == SIDE_ROWS;
}

/* Sides with equal digests have equal rows: one of them sent them. */
static struct side *rows_of(struct read *rd, const struct side *like)
{
    for (uint32_t i = 0; i < rd->m; i++)
        if (rd->side[i].state == SIDE_ROWS && rd->side[i].digest == like->digest)
            return &rd->side[i];
    nwr_panic(__FILE__, __LINE__, "a digest without rows");
}

/* ---- writing back --------------------------------------------------------------------------- */

static bool to_disk(const struct read *rd)
{
    return rd->leave && NWR_RULE(HAND_OVER_DISK);
}

/* No rows: what it has is to be on its disk. */
static void write_back(struct nwr_node *n, struct read *rd, uint32_t i, struct nwr_rows *rows)
{
    struct nwr_batch *b = nwr_batch_new(rd->pg, to_disk(rd) ? NWR_LEVEL_DISK : NWR_LEVEL_MEMORY);
    struct nwr_msg size = {.kind = NWR_MSG_ROWS};

    b->rows = *rows;
    nwr_vv_deinit(&b->rows.floor); /* it speaks for one side, and these are of all */
    size.u.rows.rows = b->rows;
    b->bytes = nwr_msg_bytes(&size);
    rd->side[i].writing = true;
    n->count.read_repairs += b->rows.n > 0;
    n->count.write_backs += b->rows.n && rd->w[NWR_LIST_NOW] > 0;
    nwr_deliver(n, &rd->job, rd->round << 8 | i, rd->side[i].ordinal, b, false);
}

static bool is_whole(const struct side *s)
{
    return s->whole;
}

static void look(struct nwr_node *n, struct read *rd)
{
    for (enum nwr_list l = NWR_LIST_NOW; l < NWR_LISTS; l++)
        if (nwr_read_count(rd, l, is_whole) < rd->w[l])
            return;
    nwr_read_merged(n, rd);
}

/* Disks that take nothing must not keep anybody from reading, nor from removing what fills them;
 * nor may a record whose block is lost keep anybody from what stands beside it. What is returned
 * then may be at fewer than W, and may not be shown again if those go away. It cannot be left
 * out: the write may have been told a lower W, or a replica lost it since.
 */
static void nobody_takes_it(struct nwr_node *n, struct read *rd)
{
    if (rd->untaken && !rd->copy && !rd->leave)
        nwr_read_merged(n, rd);
    else
        nwr_read_failed(n, rd, rd->copy && rd->disk_err ? rd->disk_err : NWR_E_TIMEDOUT);
}

/* Returns how many of the list could have it then. */
static uint32_t spread_to(struct nwr_node *n, struct read *rd, enum nwr_list list, uint32_t could,
                          bool *out)
{
    for (uint32_t i = 0; i < rd->m && could < rd->w[list] && !rd->job.ended; i++) {
        struct side *s = &rd->side[i];
        struct nwr_rows all;

        if (!(s->in >> list & 1) || s->spare || s->merged || s->writing || s->whole ||
            !nwr_is_up(n, s->ordinal))
            continue;
        s->merged = true;
        nwr_rows_copy(&all, &rd->merged);
        write_back(n, rd, i, &all);
        could++;
        *out = true;
    }
    return could;
}

/* Too few of those that answered can take it: the others of the list may. */
void nwr_read_spread(struct nwr_node *n, struct read *rd)
{
    bool out = false, enough = true;

    for (enum nwr_list l = NWR_LIST_NOW; l < NWR_LISTS && !rd->job.ended; l++) {
        uint32_t could = 0;

        for (uint32_t i = 0; i < rd->m; i++) {
            const struct side *s = &rd->side[i];

            could += s->in >> l & 1 && (s->whole || (s->writing && nwr_is_up(n, s->ordinal)));
            out |= s->writing;
        }
        could = spread_to(n, rd, l, could, &out);
        enough &= could >= rd->w[l];
    }
    if (!out && !rd->job.ended && !enough)
        nobody_takes_it(n, rd);
}

/* A block that a row names is nowhere: the row was replaced since it was read, or it is lost. */
static bool is_gone(enum nwr_err err, bool lost)
{
    return lost || err == NWR_E_NOENT || err == NWR_E_BLOCKS;
}

void nwr_read_written(struct nwr_node *n, struct read *rd, uint32_t i, enum nwr_err err, bool lost)
{
    bool gone = is_gone(err, lost), again = gone && rd->tries < TRIES_MAX;

    rd->side[i].writing = false;
    rd->side[i].whole = err == NWR_OK;
    rd->untaken |= (gone && !again) || nwr_err_of_disk(err);
    if (nwr_err_of_disk(err) && rd->side[i].ordinal == n->ordinal)
        rd->disk_err = err;
    if (again) {
        nwr_read_again(n, rd);
        return;
    }
    if (!err)
        look(n, rd);
    if (!rd->job.ended) /* the last that one list waited for; the other may still lack some */
        nwr_read_spread(n, rd);
}

/* This node, whose own copy is of no use any more. */
static bool gives_away(const struct nwr_node *n, const struct read *rd, const struct side *s)
{
    return rd->leave && s->ordinal == n->ordinal;
}

static void finish_merge(struct nwr_node *n, struct read *rd)
{
    struct nwr_rows stale[NWR_COUNT(rd->side)] = {{0}};
    bool wrote = false;

    for (uint32_t i = 0; i < rd->m; i++) {
        struct side *s = &rd->side[i];

        if (!s->merged)
            continue;
        rd->refused |= nwr_rows_refuse(&rd->merged, &s->extra, NULL, NULL, 0);
        nwr_rows_merge(&rd->merged, &s->extra);
    }
    if (rd->refused) /* only reconciliation brings floors */
        nwr_reconcile_soon(n);
    nwr_rows_prune(&rd->merged);
    if (nwr_read_once_more(n, rd))
        return;
    rd->state = WRITING_BACK;
    rd->more |= nwr_rows_fit(&rd->merged, rd->range, rd->nrange, MERGED_BYTES);
    for (uint32_t i = 0; i < rd->m; i++) {
        struct side *s = &rd->side[i];

        if (!s->merged)
            continue;
        if (!s->spare && !gives_away(n, rd, s))
            nwr_rows_stale(&rd->merged, &rows_of(rd, s)->rows, &s->extra, &stale[i]);
        s->writing = stale[i].n || (to_disk(rd) && !gives_away(n, rd, s));
        s->whole = !s->writing;
    }
    for (uint32_t i = 0; i < rd->m; i++) {
        bool writes = rd->side[i].merged && rd->side[i].writing;

        wrote |= writes && rd->side[i].ordinal != n->ordinal;
        if (writes && !rd->job.ended)
            write_back(n, rd, i, &stale[i]);
        else
            nwr_rows_deinit(&stale[i]);
    }
    rd->trips += wrote && rd->w[NWR_LIST_NOW] > 0;
    if (!rd->job.ended)
        look(n, rd);
}

/* ---- objects -------------------------------------------------------------------------------- */

static void ask_objects(struct nwr_node *n, struct read *rd, uint32_t i)
{
    struct side *s = &rd->side[i];
    uint32_t take = NWR_MIN(s->nwant - s->want_at, OBJECTS_A_CALL);

    nwr_read_fetch_objects(n, rd, i, s->want + s->want_at, take);
}

static void look_objects(struct nwr_node *n, struct read *rd)
{
    for (uint32_t i = 0; i < rd->m; i++)
        if (rd->side[i].merged && rd->side[i].want_at < rd->side[i].nwant)
            return;
    finish_merge(n, rd);
}

void nwr_read_objects(struct nwr_node *n, struct read *rd, uint32_t i, struct nwr_rows *rows,
                      bool more)
{
    struct side *s = &rd->side[i];
    uint32_t asked = NWR_MIN(s->nwant - s->want_at, OBJECTS_A_CALL);
    struct nwr_cut cut = nwr_rows_cut_of(rows, more, s->want + s->want_at, asked);

    if (s->extra.floor.n == 0)
        nwr_vv_copy(&s->extra.floor, &rows->floor);
    nwr_rows_merge(&s->extra, rows);
    if (more && (cut.range >= asked || rows->n == 0)) {
        nwr_read_again(n, rd);
        return;
    }
    s->want_at += more ? cut.range : asked;
    if (more)
        s->want[s->want_at].after = cut.key;
    if (s->want_at < s->nwant)
        ask_objects(n, rd, i);
    else
        look_objects(n, rd);
}

/* What the result refers to and this side did not, it did not follow. */
static void want_objects(struct read *rd, struct side *s, const struct nwr_inos *all)
{
    struct nwr_inos mine = {0};

    nwr_rows_refs(&rows_of(rd, s)->rows, rd->pg, rd->range, rd->nrange, &mine);
    s->want = nwr_alloc(all->n * sizeof(*s->want));
    s->nwant = s->want_at = 0;
    for (uint32_t i = 0; i < all->n; i++)
        if (!nwr_inos_has(&mine, all->ino[i]))
            s->want[s->nwant++] = (struct nwr_range){.prefix = nwr_key_object(all->ino[i])};
    nwr_free(mine.ino);
}

static void follow(struct nwr_node *n, struct read *rd)
{
    struct nwr_inos all = {0};
    uint32_t round = rd->round;
    bool asked = false;

    nwr_rows_refs(&rd->merged, rd->pg, rd->range, rd->nrange, &all);
    for (uint32_t i = 0; i < rd->m; i++)
        if (rd->side[i].merged)
            want_objects(rd, &rd->side[i], &all);
    nwr_free(all.ino);
    rd->state = OBJECTS;
    for (uint32_t i = 0; i < rd->m && rd->round == round; i++)
        if (rd->side[i].merged && rd->side[i].nwant) {
            asked = true;
            ask_objects(n, rd, i);
        }
    rd->trips += asked;
    if (rd->round == round)
        look_objects(n, rd);
}

/* What one side's floor says is superseded, another has because it was away, or its disk is old. */
static void refuse(struct read *rd, const struct side *s)
{
    struct nwr_cut cut = nwr_rows_cut_of(&s->rows, s->more, rd->range, rd->nrange);

    for (uint32_t i = 0; i < rd->m; i++) {
        struct side *other = &rd->side[i];

        if (other != s && other->state == SIDE_ROWS && rows_of(rd, other) == other)
            rd->refused |= nwr_rows_refuse(&other->rows, &s->rows, &cut, rd->range, rd->nrange);
    }
}

void nwr_read_merge(struct nwr_node *n, struct read *rd)
{
    struct nwr_cut cut = {UINT32_MAX, {0}}, page;

    n->count.digests_differ++;
    rd->more = false;
    for (uint32_t i = 0; i < rd->m; i++)
        if (rd->side[i].state == SIDE_ROWS && rows_of(rd, &rd->side[i]) == &rd->side[i])
            refuse(rd, &rd->side[i]);
    for (uint32_t i = 0; i < rd->m; i++) {
        struct side *s = &rd->side[i];
        struct nwr_cut own;

        s->merged = has_answered(s);
        if (s->state != SIDE_ROWS || rows_of(rd, s) != s)
            continue;
        nwr_rows_merge(&rd->merged, &s->rows);
        own = nwr_rows_cut_of(&s->rows, s->more, rd->range, rd->nrange);
        cut = nwr_cut_min(&cut, &own);
        rd->more |= s->more;
    }
    page = nwr_rows_page(&rd->merged, rd->range, rd->nrange, NWR_SCAN_ROWS);
    cut = nwr_cut_min(&cut, &page);
    rd->more |= page.range != UINT32_MAX;
    if (rd->more)
        nwr_rows_cut(&rd->merged, &cut, rd->range, rd->nrange);
    follow(n, rd);
}
