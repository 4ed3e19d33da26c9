/* sides.c -- whom a read asks, and how many answers it needs of each list; see read.h. */
#include "net/core/behind.h"
#include "net/core/read.h"

static bool is_side(const struct read *rd, uint16_t ordinal)
{
    for (uint32_t i = 0; i < rd->m; i++)
        if (rd->side[i].ordinal == ordinal)
            return true;
    return false;
}

/* Sloppy: for each of the list that is away the next node answers. What is returned then may be
 * at fewer than W of the list. */
static void place_spares(struct nwr_node *n, struct read *rd)
{
    uint16_t spare[NWR_REPLICAS_MAX];
    uint32_t m = nwr_ring_spares(&n->ring, rd->pg, false, spare), of_list = rd->m, next = 0;

    rd->patience = n->now + NWR_RETRY_WRITE_MS;
    for (uint32_t i = 0; i < of_list; i++) {
        if (nwr_is_up(n, rd->side[i].ordinal))
            continue;
        while (next < m && (!nwr_is_up(n, spare[next]) || is_side(rd, spare[next])))
            next++;
        if (next == m || rd->m == NWR_COUNT(rd->side))
            return;
        rd->side[rd->m++] =
            (struct side){.ordinal = spare[next++], .in = rd->side[i].in, .spare = true};
    }
}

/* Answers and copies, of each list. */
static void place(struct nwr_node *n, struct read *rd)
{
    struct nwr_sides list;
    uint8_t behind = 0;

    nwr_ring_sides(&n->ring, rd->pg, &list);
    rd->m = list.n;
    for (uint32_t i = 0; i < list.n; i++) {
        rd->side[i].ordinal = list.side[i].ordinal;
        rd->side[i].in = list.side[i].in;
        rd->side[i].spare = false;
        if (list.side[i].ordinal == n->ordinal && nwr_is_behind(n, rd->pg))
            behind = list.side[i].in;
    }
    if (rd->sloppy)
        place_spares(n, rd);
    for (enum nwr_list l = NWR_LIST_NOW; l < NWR_LISTS; l++) {
        uint8_t w = NWR_MIN(nwr_ring_w_in(&n->ring, l, rd->asked_w), list.m[l]);
        uint8_t r = NWR_MIN(nwr_ring_r_in(&n->ring, l, rd->asked_r), list.m[l]);
        uint8_t up = 0;

        for (uint32_t i = 0; i < rd->m; i++)
            up += rd->side[i].in >> l & 1 && nwr_is_up(n, rd->side[i].ordinal);
        rd->w[l] = w + r > (int)list.m[l] && rd->m == list.n && NWR_RULE(WRITE_BACK) ? w : 0;
        rd->need[l] = NWR_RULE(R_OF_N) ? NWR_MAX(rd->w[l], r) : NWR_MIN(r, 1);
        if (l == NWR_LIST_NEXT && !NWR_RULE(JOINT_R))
            rd->w[l] = rd->need[l] = 0;
        if (rd->repair)
            rd->need[l] = list.m[l] ? NWR_MAX(up, 1) : 0;
        else if (rd->w[l] == 0 && rd->need[l] < list.m[l])
            rd->behind |= behind & 1 << l;
        rd->need[l] += rd->behind >> l & 1;
    }
}

/* The list there is, and this node. N - W + 1 answers meet every write that the list alone
 * acknowledged; those who answer refuse such writes from now on. All that are up are waited for,
 * since one that leaves may have what a directory with a lower W was content with; but not who has
 * a record that rotted: it may never be mended. */
static void place_copy(struct nwr_node *n, struct read *rd)
{
    struct nwr_sides list;
    uint8_t m, w, up = 0;

    nwr_ring_sides(&n->ring, rd->pg, &list);
    rd->m = 0;
    for (uint32_t i = 0; i < list.n; i++) {
        uint8_t in = list.side[i].in & 1 << NWR_LIST_NOW;

        up += in && nwr_is_up(n, list.side[i].ordinal);
        if (list.side[i].ordinal == n->ordinal)
            in |= 1 << NWR_LIST_NEXT;
        if (!in)
            continue;
        rd->side[rd->m].ordinal = list.side[i].ordinal;
        rd->side[rd->m++].in = in;
    }
    m = list.m[NWR_LIST_NOW];
    w = NWR_MIN(nwr_ring_w(&n->ring, 0), m);
    rd->need[NWR_LIST_NOW] = list.lost ? m : NWR_MAX((uint8_t)(m - w + 1), (uint8_t)(m / 2 + 1));
    if (!NWR_RULE(COPY_QUORUM))
        rd->need[NWR_LIST_NOW] = 1;
    rd->need[NWR_LIST_NOW] = NWR_MIN(rd->need[NWR_LIST_NOW], m);
    rd->least = rd->need[NWR_LIST_NOW];
    if (NWR_RULE(COPY_ALL_UP))
        rd->need[NWR_LIST_NOW] = NWR_MAX(rd->need[NWR_LIST_NOW], up);
    rd->need[NWR_LIST_NEXT] = rd->w[NWR_LIST_NEXT] = 1;
    rd->w[NWR_LIST_NOW] = 0;
}

/* Each list, which is to hold it all, and this node, which is in none of them. */
static void place_leave(struct nwr_node *n, struct read *rd)
{
    struct nwr_sides list;

    nwr_ring_sides(&n->ring, rd->pg, &list);
    for (uint32_t i = 0; i < list.n; i++) {
        nwr_assert(list.side[i].ordinal != n->ordinal);
        rd->side[i].ordinal = list.side[i].ordinal;
        rd->side[i].in = list.side[i].in;
    }
    rd->side[list.n].ordinal = n->ordinal;
    rd->side[list.n].in = 0;
    rd->m = list.n + 1;
    for (enum nwr_list l = NWR_LIST_NOW; l < NWR_LISTS; l++) {
        uint8_t m = list.m[l], w = NWR_MAX(nwr_ring_w_in(&n->ring, l, 0), (uint8_t)(m / 2 + 1));

        rd->need[l] = rd->w[l] = NWR_MIN(w, m);
    }
}

void nwr_read_place(struct nwr_node *n, struct read *rd)
{
    rd->behind = 0;
    rd->patience = n->now + NWR_RETRY_READ_MS;
    if (rd->copy)
        place_copy(n, rd);
    else if (rd->leave)
        place_leave(n, rd);
    else
        place(n, rd);
}

bool nwr_read_can_spare(const struct nwr_node *n, const struct read *rd, const struct side *s)
{
    if (rd->copy || rd->repair || rd->leave || s->state != SIDE_IDLE || !nwr_is_up(n, s->ordinal) ||
        !nwr_is_spared(n, s->ordinal))
        return false;
    for (enum nwr_list l = NWR_LIST_NOW; l < NWR_LISTS; l++) {
        uint32_t on_time = 0;

        for (uint32_t i = 0; i < rd->m; i++)
            on_time += rd->side[i].in >> l & 1 && nwr_is_on_time(n, rd->side[i].ordinal);
        if (s->in >> l & 1 && on_time < rd->need[l])
            return false;
    }
    return true;
}
