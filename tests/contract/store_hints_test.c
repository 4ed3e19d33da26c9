/* store_hints_test.c -- hints and erasing a group, on every implementation. */
#include "tests/contract/store_kit.h"

#include <stdio.h>

static struct nwr_hint hint_of(uint16_t target, nwr_hlc seq, const struct nwr_key *key)
{
    return (struct nwr_hint){.target = target,
                             .seq = seq,
                             .incarnation = 9,
                             .pg = PG,
                             .bytes = 100,
                             .key = (struct nwr_key *)(uintptr_t)key,
                             .nkey = key ? 1 : 0};
}

static enum nwr_err change(struct kit *k, enum nwr_store_kind kind, struct nwr_hint h)
{
    struct batch b;

    batch_init(&b, k, kind);
    b.op.hint = &h;
    b.op.nhint = 1;
    return batch_end(&b);
}

/* "2:1 2:5 3:2": target and seq of what stands after (target, seq). */
static const char *after(struct kit *k, uint16_t target, nwr_hlc seq, bool *more)
{
    static char text[1000];
    struct nwr_hint from = hint_of(target, seq, NULL);
    struct batch b;
    size_t len = 0;

    batch_init(&b, k, NWR_STORE_HINT_READ);
    b.op.hint = &from;
    b.op.nhint = 1;
    assert_int_equal(batch_run(&b), NWR_OK);
    text[0] = 0;
    for (uint32_t i = 0; i < b.op.nkept && i < 20; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%u:%u", i ? " " : "",
                                b.op.kept[i].target, (unsigned)b.op.kept[i].seq);
    if (more)
        *more = b.op.more;
    batch_deinit(&b);
    return text;
}

static void hints_stand_in_the_order_of_target_and_time(void **state)
{
    struct kit *k = *state;
    struct nwr_key key = content_key(5);

    assert_int_equal(change(k, NWR_STORE_HINT_PUT, hint_of(3, 2, &key)), NWR_OK);
    assert_int_equal(change(k, NWR_STORE_HINT_PUT, hint_of(2, 500, &key)), NWR_OK);
    assert_int_equal(change(k, NWR_STORE_HINT_PUT, hint_of(2, 1, &key)), NWR_OK);
    assert_string_equal(after(k, 0, 0, NULL), "2:1 2:500 3:2");
    assert_string_equal(after(k, 2, 1, NULL), "2:500 3:2");
    assert_int_equal(change(k, NWR_STORE_HINT_DROP, hint_of(2, 500, NULL)), NWR_OK);
    assert_string_equal(after(k, 0, 0, NULL), "2:1 3:2");
    kit_restart(k);
    assert_string_equal(after(k, 0, 0, NULL), "2:1 3:2");
}

static void a_hint_comes_back_with_what_it_names(void **state)
{
    struct kit *k = *state;
    struct nwr_key key = content_key(5);
    struct nwr_hint from = hint_of(0, 0, NULL);
    struct batch b;

    assert_int_equal(change(k, NWR_STORE_HINT_PUT, hint_of(2, 7, &key)), NWR_OK);
    batch_init(&b, k, NWR_STORE_HINT_READ);
    b.op.hint = &from;
    b.op.nhint = 1;
    assert_int_equal(batch_run(&b), NWR_OK);
    assert_int_equal(b.op.nkept, 1);
    assert_int_equal(b.op.kept[0].pg, PG);
    assert_int_equal(b.op.kept[0].bytes, 100);
    assert_int_equal(b.op.kept[0].incarnation, 9);
    assert_int_equal(b.op.kept[0].nkey, 1);
    assert_int_equal(nwr_key_cmp(&b.op.kept[0].key[0], &key), 0);
    batch_deinit(&b);
}

static void a_page_of_hints_ends_and_says_so(void **state)
{
    struct kit *k = *state;
    struct nwr_key key = content_key(5);
    bool more;

    for (nwr_hlc i = 1; i <= NWR_HINTS_PAGE + 1; i++)
        assert_int_equal(change(k, NWR_STORE_HINT_PUT, hint_of(2, i, &key)), NWR_OK);
    after(k, 0, 0, &more);
    assert_true(more);
    assert_string_equal(after(k, 2, NWR_HINTS_PAGE, &more), "2:65");
    assert_false(more);
}

/* A batch that is refused leaves no hint; one that changes nothing still takes it. */
static void a_hint_is_part_of_the_batch_it_comes_with(void **state)
{
    struct kit *k = *state;
    struct nwr_key key = content_key(5);
    struct nwr_hint first = hint_of(2, 1, &key), second = hint_of(2, 2, &key);
    struct batch b;

    batch_init(&b, k, NWR_STORE_APPLY);
    write_names(batch_put(&b, key, 0, "x"), block_id(77));
    b.op.hint = &first;
    b.op.nhint = 1;
    assert_int_equal(batch_end(&b), NWR_E_BLOCKS);
    assert_string_equal(after(k, 0, 0, NULL), "");
    for (int i = 0; i < 2; i++) {
        batch_init(&b, k, NWR_STORE_APPLY);
        batch_put(&b, key, 42, "x");
        b.op.hint = i ? &second : &first;
        b.op.nhint = 1;
        assert_int_equal(batch_end(&b), NWR_OK);
    }
    assert_string_equal(after(k, 0, 0, NULL), "2:1 2:2");
    kit_restart(k);
    assert_string_equal(after(k, 0, 0, NULL), "2:1 2:2");
}

static void erasing_a_group_takes_its_records_and_blocks_and_no_others(void **state)
{
    struct kit *k = *state;
    struct nwr_seen seen = {0};
    struct nwr_key other = nwr_key_entry(nwr_ino_make(PG + 1, 1, 1), "other", 5);
    char body[20];
    struct batch b;

    assert_int_equal(put_content(k, 1, block_id(1), 100, &seen), NWR_OK);
    seen = (struct nwr_seen){{0, 0}, 0};
    assert_int_equal(put_content(k, 2, block_id(2), NWR_BLOCK_SEGMENT + 1, &seen), NWR_OK);
    batch_init(&b, k, NWR_STORE_APPLY);
    b.op.pg = PG + 1;
    batch_put(&b, other, 0, "stays");
    assert_int_equal(batch_end(&b), NWR_OK);
    batch_init(&b, k, NWR_STORE_ERASE);
    assert_int_equal(batch_run(&b), NWR_OK);
    assert_false(b.op.more);
    batch_deinit(&b);
    assert_int_equal(get_one(k, content_key(1), body, sizeof(body)), 0);
    assert_int_equal(get_block(k, block_id(1), 1, 100), NWR_E_NOENT);
    assert_int_equal(get_block(k, block_id(2), 2, NWR_BLOCK_SEGMENT + 1), NWR_E_NOENT);
    assert_int_equal(stat_of(k).records, 1);
    kit_assert_whole(k);
    kit_restart(k);
    kit_assert_whole(k);
    assert_int_equal(get_one(k, content_key(2), body, sizeof(body)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hints_stand_in_the_order_of_target_and_time),
        cmocka_unit_test(a_hint_comes_back_with_what_it_names),
        cmocka_unit_test(a_page_of_hints_ends_and_says_so),
        cmocka_unit_test(a_hint_is_part_of_the_batch_it_comes_with),
        cmocka_unit_test(erasing_a_group_takes_its_records_and_blocks_and_no_others),
    };

    return kit_run_all(tests, NWR_COUNT(tests));
}
