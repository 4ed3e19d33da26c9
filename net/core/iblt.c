/* iblt.c -- see iblt.h. */
#include "net/core/iblt.h"

enum {
    CELL_BYTES_MIN = 33
};

/* ---- the keyed check (SipHash-2-4; Aumasson and Bernstein 2012) ------------------------------ */

static uint64_t rotl(uint64_t x, int b)
{
    return x << b | x >> (64 - b);
}

static void sip_rounds(uint64_t v[4], int n)
{
    while (n--) {
        v[0] += v[1];
        v[2] += v[3];
        v[1] = rotl(v[1], 13) ^ v[0];
        v[3] = rotl(v[3], 16) ^ v[2];
        v[0] = rotl(v[0], 32);
        v[2] += v[1];
        v[0] += v[3];
        v[1] = rotl(v[1], 17) ^ v[2];
        v[3] = rotl(v[3], 21) ^ v[0];
        v[2] = rotl(v[2], 32);
    }
}

uint64_t nwr_iblt_check(struct nwr_iblt_key key, const struct nwr_element *e)
{
    const uint64_t word[4] = {e->id.half[0], e->id.half[1], e->version, (uint64_t)24 << 56};
    uint64_t v[4] = {key.k[0] ^ 0x736f6d6570736575, key.k[1] ^ 0x646f72616e646f6d,
                     key.k[0] ^ 0x6c7967656e657261, key.k[1] ^ 0x7465646279746573};

    for (int i = 0; i < 4; i++) {
        v[3] ^= word[i];
        sip_rounds(v, 2);
        v[0] ^= word[i];
    }
    v[2] ^= 0xff;
    sip_rounds(v, 4);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* ---- where an element comes next ------------------------------------------------------------- */

static uint64_t root(uint64_t x)
{
    uint64_t r = 0;

    for (uint64_t bit = (uint64_t)1 << 62; bit; bit >>= 2) {
        if (x >= r + bit) {
            x -= r + bit;
            r = (r >> 1) + bit;
        } else {
            r >>= 1;
        }
    }
    return r;
}

/* That none of the cells i+1 .. m takes it has the probability (i+1)(i+2) / (m+1)(m+2): the
 * first m where that is at most a uniform number in (0, 1] is the next one. */
static void advance(struct nwr_iblt_walk *w)
{
    uint64_t i = w->next, drawn, target, m;

    if (i >= NWR_IBLT_CELLS_MAX)
        return;
    w->state = nwr_mix64(w->state + 0x9e3779b97f4a7c15);
    drawn = (w->state >> 32) + 1;
    target = ((i + 1) * (i + 2) << 32) / drawn;
    m = root(target);
    m = m > i + 2 ? m - 2 : i + 1;
    while (m <= NWR_IBLT_CELLS_MAX && (m + 1) * (m + 2) < target)
        m++;
    w->next = (uint32_t)NWR_MIN(m, (uint64_t)NWR_IBLT_CELLS_MAX);
}

static struct nwr_iblt_walk walk_of(struct nwr_iblt_key key, const struct nwr_element *e)
{
    struct nwr_iblt_walk w = {.element = *e, .check = nwr_iblt_check(key, e)};

    w.state = w.check;
    return w;
}

static void cell_toggle(struct nwr_cell *c, const struct nwr_element *e, uint64_t check,
                        int64_t count)
{
    c->sum.id.half[0] ^= e->id.half[0];
    c->sum.id.half[1] ^= e->id.half[1];
    c->sum.version ^= e->version;
    c->check ^= check;
    c->count += count;
}

/* Into cells first .. end - 1, as far as w has not come yet. */
static void walk_on(struct nwr_iblt_walk *w, struct nwr_cell *cell, uint32_t first, uint32_t end,
                    int64_t count)
{
    for (; w->next < end; advance(w))
        cell_toggle(&cell[w->next - first], &w->element, w->check, count);
}

/* ---- sources --------------------------------------------------------------------------------- */

void nwr_iblt_source_init(struct nwr_iblt_source *s, struct nwr_iblt_key key)
{
    *s = (struct nwr_iblt_source){.key = key};
}

void nwr_iblt_source_add(struct nwr_iblt_source *s, const struct nwr_element *e)
{
    nwr_assert(s->made == 0);
    s->walk = nwr_grow(s->walk, &s->cap, s->n + 1, sizeof(*s->walk));
    s->walk[s->n++] = walk_of(s->key, e);
}

void nwr_iblt_source_cells(struct nwr_iblt_source *s, struct nwr_cell *cell, uint32_t n)
{
    uint32_t end = s->made + n;

    nwr_assert(end <= NWR_IBLT_CELLS_MAX);
    for (uint32_t i = 0; i < s->n; i++)
        walk_on(&s->walk[i], cell, s->made, end, 1);
    s->made = end;
}

void nwr_iblt_source_deinit(struct nwr_iblt_source *s)
{
    nwr_free(s->walk);
    *s = (struct nwr_iblt_source){0};
}

/* ---- decoding -------------------------------------------------------------------------------- */

void nwr_iblt_init(struct nwr_iblt *d, struct nwr_iblt_key key, uint32_t budget)
{
    nwr_assert(budget <= NWR_IBLT_CELLS_MAX);
    *d = (struct nwr_iblt){.key = key, .budget = budget};
}

void nwr_iblt_deinit(struct nwr_iblt *d)
{
    nwr_free(d->cell);
    nwr_free(d->found);
    nwr_free(d->pure);
    *d = (struct nwr_iblt){0};
}

static bool is_pure(const struct nwr_iblt *d, const struct nwr_cell *c)
{
    return (c->count == 1 || c->count == -1) && nwr_iblt_check(d->key, &c->sum) == c->check;
}

static bool is_empty(const struct nwr_cell *c)
{
    return c->count == 0 && c->check == 0 && c->sum.version == 0 && c->sum.id.half[0] == 0 &&
           c->sum.id.half[1] == 0;
}

static void note_pure(struct nwr_iblt *d, uint32_t i)
{
    if (d->cell[i].count != 1 && d->cell[i].count != -1)
        return;
    d->pure = nwr_grow(d->pure, &d->cappure, d->npure + 1, sizeof(*d->pure));
    d->pure[d->npure++] = i;
}

/* Takes the element of cell i out of all cells there are. */
static void take_out(struct nwr_iblt *d, uint32_t i)
{
    struct nwr_iblt_found f = {walk_of(d->key, &d->cell[i].sum), d->cell[i].count > 0};

    for (; f.walk.next < d->ncell; advance(&f.walk)) {
        cell_toggle(&d->cell[f.walk.next], &f.walk.element, f.walk.check, f.theirs ? -1 : 1);
        note_pure(d, f.walk.next);
    }
    d->found = nwr_grow(d->found, &d->capfound, d->nfound + 1, sizeof(*d->found));
    d->found[d->nfound++] = f;
}

static void peel(struct nwr_iblt *d)
{
    while (d->npure && d->nfound <= d->ncell) {
        uint32_t i = d->pure[--d->npure];

        if (is_pure(d, &d->cell[i]))
            take_out(d, i);
    }
    if (d->nfound <= d->ncell && is_empty(&d->cell[0]))
        d->state = NWR_IBLT_DONE;
    else if (d->nfound > d->ncell || d->ncell >= d->budget)
        d->state = NWR_IBLT_FAILED;
}

void nwr_iblt_feed(struct nwr_iblt *d, struct nwr_iblt_source *mine, const struct nwr_cell *theirs,
                   uint32_t n)
{
    uint32_t first = d->ncell, end = first + n;
    struct nwr_cell *own = nwr_zalloc(n * sizeof(*own));

    nwr_assert(d->state == NWR_IBLT_WANTS && n > 0 && mine->made == first);
    nwr_assert(end <= NWR_IBLT_CELLS_MAX);
    nwr_iblt_source_cells(mine, own, n);
    d->cell = nwr_grow(d->cell, &d->capcell, end, sizeof(*d->cell));
    for (uint32_t i = 0; i < n; i++) {
        d->cell[first + i] = theirs[i];
        cell_toggle(&d->cell[first + i], &own[i].sum, own[i].check, -own[i].count);
    }
    d->ncell = end;
    nwr_free(own);
    for (uint32_t i = 0; i < d->nfound; i++)
        walk_on(&d->found[i].walk, d->cell + first, first, end, d->found[i].theirs ? -1 : 1);
    for (uint32_t i = first; i < end; i++)
        note_pure(d, i);
    peel(d);
}

/* ---- bytes ----------------------------------------------------------------------------------- */

static int64_t expected(uint32_t i, uint64_t total)
{
    return (int64_t)(2 * total / (2 + (uint64_t)i));
}

void nwr_cells_out(struct nwr_out *o, const struct nwr_cell *cell, uint32_t n, uint32_t first,
                   uint64_t total)
{
    for (uint32_t i = 0; i < n; i++) {
        int64_t off = cell[i].count - expected(first + i, total);

        nwr_out_u64(o, cell[i].sum.id.half[0]);
        nwr_out_u64(o, cell[i].sum.id.half[1]);
        nwr_out_u64(o, cell[i].sum.version);
        nwr_out_u64(o, cell[i].check);
        nwr_out_var(o, (uint64_t)off << 1 ^ (off < 0 ? UINT64_MAX : 0));
    }
}

bool nwr_cells_in(struct nwr_in *in, struct nwr_cell *cell, uint32_t n, uint32_t first,
                  uint64_t total)
{
    if (total > (uint64_t)1 << 40 || (size_t)(in->end - in->p) / CELL_BYTES_MIN < n)
        return false;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t coded;

        cell[i].sum.id.half[0] = nwr_in_u64(in);
        cell[i].sum.id.half[1] = nwr_in_u64(in);
        cell[i].sum.version = nwr_in_u64(in);
        cell[i].check = nwr_in_u64(in);
        coded = nwr_in_var(in);
        if (coded >> 42)
            return false;
        cell[i].count =
            (int64_t)(coded >> 1 ^ (coded & 1 ? UINT64_MAX : 0)) + expected(first + i, total);
    }
    return !in->bad;
}
