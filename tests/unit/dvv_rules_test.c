/* dvv_rules_test.c -- each rule of DESIGN 3 switched off lets users see something wrong.
 *
 * A rule is switched off by a deliberately wrong variant of an operation or of its caller. Each
 * runs through the histories of tests/lib/history.h until contents are lost, return or appear
 * from nowhere; the test fails if none of the histories shows that.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/lib/history.h"

enum {
    HISTORIES = 30000
};

static void remove_at(struct nwr_record *r, uint32_t i)
{
    nwr_version_deinit(&r->v[i]);
    r->n--;
    memmove(r->v + i, r->v + i + 1, (r->n - i) * sizeof(*r->v));
}

static void flatten(struct nwr_record *r)
{
    while (r->ctx.dots.n > 0)
        nwr_ctx_event(&r->ctx, r->ctx.dots.e[r->ctx.dots.n - 1]);
}

static bool absorb_as_container(struct nwr_record *dst, const struct nwr_record *src)
{
    bool changed = nwr_record_sync(dst, src);

    for (uint32_t i = 0; i < src->n; i++)
        nwr_ctx_event(&dst->ctx, src->v[i].dot);
    return changed;
}

static bool merge_as_if_whole(struct nwr_record *dst, const struct nwr_record *src)
{
    bool changed = false;

    for (uint32_t i = dst->n; i > 0; i--)
        if (src->n && !nwr_record_find(src, dst->v[i - 1].dot)) {
            nwr_ctx_add(&dst->ctx, dst->v[i - 1].dot);
            remove_at(dst, i - 1);
            changed = true;
        }
    return nwr_record_sync(dst, src) || changed;
}

static bool merge_adds_only(struct nwr_record *dst, const struct nwr_record *src)
{
    struct nwr_record blind;
    bool changed;

    nwr_record_copy(&blind, src);
    nwr_ctx_deinit(&blind.ctx);
    for (uint32_t i = 0; i < blind.n; i++)
        nwr_ctx_add(&blind.ctx, blind.v[i].dot);
    changed = nwr_record_sync(dst, &blind);
    changed |= nwr_ctx_join(&dst->ctx, &src->ctx);
    nwr_record_deinit(&blind);
    return changed;
}

static void put_over_everything(struct nwr_record *r, const struct nwr_version *v,
                                const struct nwr_seen *seen, uint32_t nseen, const nwr_wid *retire,
                                uint32_t nretire, struct nwr_dot *dot)
{
    struct nwr_seen all[EVENTS_MAX];
    uint32_t n = 0;

    (void)seen;
    (void)nseen;
    for (uint32_t i = 0; i < r->n; i++)
        all[n++] = (struct nwr_seen){r->v[i].dot, r->v[i].wid};
    nwr_record_put(r, v, all, n, retire, nretire, dot);
}

static void put_over_what_is_here(struct nwr_record *r, const struct nwr_version *v,
                                  const struct nwr_seen *seen, uint32_t nseen,
                                  const nwr_wid *retire, uint32_t nretire, struct nwr_dot *dot)
{
    struct nwr_seen here[EVENTS_MAX];
    uint32_t n = 0;

    for (uint32_t i = 0; i < nseen; i++)
        if (nwr_record_find(r, seen[i].dot))
            here[n++] = seen[i];
    nwr_record_put(r, v, here, n, retire, nretire, dot);
}

static void put_whatever_was_retired(struct nwr_record *r, const struct nwr_version *v,
                                     const struct nwr_seen *seen, uint32_t nseen,
                                     const nwr_wid *retire, uint32_t nretire, struct nwr_dot *dot)
{
    for (uint32_t i = 0; i < r->nretired; i++)
        if (r->retired[i] == v->wid) {
            r->nretired--;
            memmove(r->retired + i, r->retired + i + 1, (r->nretired - i) * sizeof(*r->retired));
        }
    nwr_record_put(r, v, seen, nseen, retire, nretire, dot);
}

static void forget_retired(struct nwr_record *r)
{
    r->nretired = 0;
}

static void forget_removals(struct nwr_record *r)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < r->ctx.dots.n; i++)
        if (nwr_record_find(r, r->ctx.dots.e[i]))
            r->ctx.dots.e[kept++] = r->ctx.dots.e[i];
    r->ctx.dots.n = kept;
}

static void prune_vector(struct nwr_record *r)
{
    while (r->ctx.vv.n > 2)
        memmove(r->ctx.vv.e, r->ctx.vv.e + 1, --r->ctx.vv.n * sizeof(*r->ctx.vv.e));
}

static bool is_in_a_past(const struct nwr_record *r, struct nwr_dot d)
{
    for (uint32_t i = 0; i < r->n; i++)
        if (nwr_dot_cmp(r->v[i].dot, d) && nwr_vv_get(&r->v[i].past, d.actor) >= d.counter)
            return true;
    return false;
}

static void drop_what_a_past_covers(struct nwr_record *r)
{
    for (uint32_t i = r->n; i > 0; i--)
        if (is_in_a_past(r, r->v[i - 1].dot))
            remove_at(r, i - 1);
}

static void collapse_equal_content(struct nwr_record *r)
{
    for (uint32_t i = r->n; i > 1; i--)
        for (uint32_t j = 0; j < i - 1; j++)
            if (r->v[j].k == r->v[i - 1].k && r->v[j].flags == r->v[i - 1].flags) {
                remove_at(r, i - 1);
                break;
            }
}

static void keep_the_last(struct nwr_record *r)
{
    while (r->n > 1)
        remove_at(r, r->v[0].hlc < r->v[1].hlc ? 0 : 1);
}

#define REAL .put = nwr_record_put, .merge = nwr_record_sync, .absorb = nwr_record_sync

static const struct rules broken[] = {
    {.off = "context has exact dots", REAL, .after = flatten},
    {.off = "a delta never advances the vector",
     .put = nwr_record_put,
     .merge = nwr_record_sync,
     .absorb = absorb_as_container},
    {.off = "merge keeps what the other has not seen",
     .put = nwr_record_put,
     .merge = merge_as_if_whole,
     .absorb = merge_as_if_whole},
    {.off = "merge drops what the other has seen and does not have",
     .put = nwr_record_put,
     .merge = merge_adds_only,
     .absorb = merge_adds_only},
    {.off = "a write removes only what it names",
     .put = put_over_everything,
     .merge = nwr_record_sync,
     .absorb = nwr_record_sync},
    {.off = "what is named and not here is remembered",
     .put = put_over_what_is_here,
     .merge = nwr_record_sync,
     .absorb = nwr_record_sync},
    {.off = "a retired write_id is not written again",
     .put = put_whatever_was_retired,
     .merge = nwr_record_sync,
     .absorb = nwr_record_sync},
    {.off = "removed dots stay in the context", REAL, .after = forget_removals},
    {.off = "removed write_ids are retired", REAL, .after = forget_retired},
    {.off = "nothing of the vector is pruned", REAL, .after = prune_vector},
    {.off = "past does not decide what is obsolete", REAL, .after = drop_what_a_past_covers},
    {.off = "merge never collapses", REAL, .after = collapse_equal_content},
    {.off = "hlc does not decide what is dropped", REAL, .after = keep_the_last},
    {.off = "a start draws a new incarnation", REAL, .same_actor_after_power_loss = true},
    {.off = "an unreadable record is unknown", REAL, .same_actor_after_unreadable = true},
    {.off = "a container is merged with its blocks", REAL, .merge_without_blocks = true},
    {.off = "a write names all that was shown as one", REAL, .name_one_of_equal = true},
    {.off = "a write names write_ids too", REAL, .name_dots_only = true},
    {.off = "a retry carries its write_id", REAL, .retry_with_new_wid = true},
    {.off = "a mount names its unconfirmed writes", REAL, .forget_unconfirmed = true},
    {.off = "reading shows equal versions as one", REAL, .show_every_copy = true},
};

static unsigned first_wrong(const struct rules *rules, enum wrong *wrong)
{
    static struct world w;

    for (unsigned seed = 1; seed <= HISTORIES; seed++) {
        run_history(&w, rules, seed);
        *wrong = w.wrong;
        world_deinit(&w);
        if (*wrong)
            return seed;
    }
    return 0;
}

static void every_rule_is_needed(void **state)
{
    (void)state;
    for (unsigned i = 0; i < NWR_COUNT(broken); i++) {
        enum wrong wrong;
        unsigned seed = first_wrong(&broken[i], &wrong);

        print_message("# without \"%s\": %s, seed %u\n", broken[i].off, wrong_name(wrong), seed);
        if (seed == 0)
            fail_msg("nothing goes wrong without \"%s\"", broken[i].off);
    }
}

/* The harness itself: with every rule in force, what users see is right too. */
static void variant_without_a_broken_rule_shows_nothing_wrong(void **state)
{
    struct rules none = {.off = "none", REAL};
    enum wrong wrong;

    (void)state;
    assert_int_equal(first_wrong(&none, &wrong), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_rule_is_needed),
        cmocka_unit_test(variant_without_a_broken_rule_shows_nothing_wrong),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
