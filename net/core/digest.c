/* digest.c -- see digest.h. The hashes are part of the disk and wire formats. */
#include "net/core/digest.h"

#include "net/core/ancestor.h"
#include "net/core/rules.h"

enum {
    SEED_LOW = 0x6964,
    SEED_HIGH = 0x6469
};

bool nwr_record_says_nothing(const struct nwr_record *r)
{
    return r->n == 0 && r->nretired == 0 && r->ctx.vv.n == 0 && r->ctx.dots.n == 0;
}

uint64_t nwr_record_hash(const struct nwr_record *r)
{
    uint64_t h = nwr_record_digest(r);
    bool kept = nwr_kept_counts(r) && NWR_RULE(KEPT_DIGEST);

    for (uint32_t i = 0; kept && i < r->nkept; i++)
        h = nwr_mix64(nwr_mix64(h ^ r->kept[i].dot.actor) ^ r->kept[i].dot.counter);
    if (r->n && NWR_RULE(DIGEST_SHOWN))
        return h;
    h = nwr_hash64(r->ctx.vv.e, r->ctx.vv.n * sizeof(struct nwr_dot), h);
    return nwr_hash64(r->ctx.dots.e, r->ctx.dots.n * sizeof(struct nwr_dot), h);
}

struct nwr_object_id nwr_object_id_of(const struct nwr_key *key)
{
    return (struct nwr_object_id){
        {nwr_hash64(key->b, key->len, SEED_LOW), nwr_hash64(key->b, key->len, SEED_HIGH)}};
}

struct nwr_element nwr_element_of(const struct nwr_key *key, const struct nwr_record *r)
{
    return (struct nwr_element){nwr_object_id_of(key), nwr_record_hash(r)};
}

static int compare(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

int nwr_object_id_cmp(const struct nwr_object_id *a, const struct nwr_object_id *b)
{
    int c = compare(a->half[0], b->half[0]);

    return c ? c : compare(a->half[1], b->half[1]);
}

int nwr_element_cmp(const struct nwr_element *a, const struct nwr_element *b)
{
    int c = nwr_object_id_cmp(&a->id, &b->id);

    return c ? c : compare(a->version, b->version);
}

static void swap(struct nwr_element *a, struct nwr_element *b)
{
    struct nwr_element t = *a;

    *a = *b;
    *b = t;
}

static void sift(struct nwr_element *e, uint32_t at, uint32_t n)
{
    for (;;) {
        uint32_t kid = 2 * at + 1;

        if (kid + 1 < n && nwr_element_cmp(&e[kid], &e[kid + 1]) < 0)
            kid++;
        if (kid >= n || nwr_element_cmp(&e[at], &e[kid]) >= 0)
            return;
        swap(&e[at], &e[kid]);
        at = kid;
    }
}

/* A heap sort: elements come from outside, and no order of theirs makes it slow. */
void nwr_elements_sort(struct nwr_element *e, uint32_t n)
{
    for (uint32_t i = n / 2; i-- > 0;)
        sift(e, i, n);
    for (uint32_t end = n; end-- > 1;) {
        swap(&e[0], &e[end]);
        sift(e, 0, end);
    }
}

uint32_t nwr_elements_unique(struct nwr_element *e, uint32_t n)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < n; i++)
        if (i == 0 || nwr_object_id_cmp(&e[kept - 1].id, &e[i].id) != 0)
            e[kept++] = e[i];
    return kept;
}

static uint64_t term(const struct nwr_element *e, int half)
{
    return nwr_mix64(nwr_mix64(e->id.half[half] ^ e->version) + e->version);
}

void nwr_digest_add(struct nwr_pg_digest *d, const struct nwr_element *e)
{
    d->sum[0] += term(e, 0);
    d->sum[1] += term(e, 1);
    d->records++;
}

void nwr_digest_remove(struct nwr_pg_digest *d, const struct nwr_element *e)
{
    d->sum[0] -= term(e, 0);
    d->sum[1] -= term(e, 1);
    d->records--;
}

bool nwr_digest_equal(const struct nwr_pg_digest *a, const struct nwr_pg_digest *b)
{
    return a->sum[0] == b->sum[0] && a->sum[1] == b->sum[1] && a->records == b->records;
}
