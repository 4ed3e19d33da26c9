/* key_test.c -- what keys look like, how they sort, and what is no key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "nwr/key.h"

static const nwr_ino dir = (nwr_ino)5 << 54 | (nwr_ino)1 << NWR_INO_COUNTER_BITS | 9;
static const nwr_ino file = (nwr_ino)5 << 54 | (nwr_ino)2 << NWR_INO_COUNTER_BITS | 3;

static void inode_number_holds_group_ordinal_and_counter(void **state)
{
    nwr_ino ino = nwr_ino_make(1023, 999, ((uint64_t)1 << NWR_INO_COUNTER_BITS) - 1);

    (void)state;
    assert_int_equal(nwr_ino_pg(ino), 1023);
    assert_int_equal(ino & NWR_INO_FORK, 0);
    assert_int_equal(nwr_ino_make(5, 1, 9), dir);
    assert_int_equal(nwr_ino_pg(NWR_INO_ROOT), 0);
}

static void entry_says_group_kind_parent_and_name(void **state)
{
    struct nwr_key k = nwr_key_entry(dir, "name", 4);
    struct nwr_key_parts parts;

    (void)state;
    assert_int_equal(k.len, 2 + 1 + 8 + 4);
    assert_int_equal(nwr_key_pg(&k), 5);
    assert_memory_equal(k.b, "\0\5E", 3);
    assert_true(nwr_key_parse(&k, &parts));
    assert_int_equal(parts.kind, 'E');
    assert_int_equal(parts.ino, dir);
    assert_int_equal(parts.parent, dir);
    assert_int_equal(parts.name_len, 4);
    assert_memory_equal(parts.name, "name", 4);
}

static void registers_say_inode_and_which(void **state)
{
    static const enum nwr_reg regs[] = {NWR_REG_ATTR, NWR_REG_CONTENT, NWR_REG_MARKS};
    struct nwr_key_parts parts;

    (void)state;
    for (uint32_t i = 0; i < NWR_COUNT(regs); i++) {
        struct nwr_key k = nwr_key_reg(file, regs[i]);

        assert_true(nwr_key_parse(&k, &parts));
        assert_int_equal(parts.kind, 'I');
        assert_int_equal(parts.reg, regs[i]);
        assert_int_equal(parts.ino, file);
        assert_int_equal(parts.name_len, 0);
    }
}

static void link_and_attribute_say_their_names(void **state)
{
    struct nwr_key link = nwr_key_link(file, dir, "n", 1);
    struct nwr_key xattr = nwr_key_xattr(file, "user.x", 6);
    struct nwr_key_parts parts;

    (void)state;
    assert_true(nwr_key_parse(&link, &parts));
    assert_int_equal(parts.reg, NWR_REG_LINK);
    assert_int_equal(parts.ino, file);
    assert_int_equal(parts.parent, dir);
    assert_memory_equal(parts.name, "n", parts.name_len);
    assert_true(nwr_key_parse(&xattr, &parts));
    assert_int_equal(parts.reg, NWR_REG_XATTR);
    assert_int_equal(parts.name_len, 6);
    assert_memory_equal(parts.name, "user.x", 6);
}

static void longest_name_fits(void **state)
{
    char name[NWR_NAME_MAX];
    struct nwr_key k;
    struct nwr_key_parts parts;

    (void)state;
    memset(name, 'n', sizeof(name));
    k = nwr_key_link(file, dir, name, sizeof(name));
    assert_true(nwr_key_parse(&k, &parts));
    assert_int_equal(parts.name_len, NWR_NAME_MAX);
}

static void keys_sort_by_group_then_inode_then_name(void **state)
{
    struct nwr_key sorted[] = {
        nwr_key_entry(nwr_ino_make(0, 3, 1), "z", 1),
        nwr_key_entry(nwr_ino_make(5, 1, 9), "a", 1),
        nwr_key_entry(nwr_ino_make(5, 1, 9), "aa", 2),
        nwr_key_entry(nwr_ino_make(5, 1, 9), "b", 1),
        nwr_key_entry(nwr_ino_make(5, 1, 9), "\xff", 1),
        nwr_key_entry(nwr_ino_make(5, 1, 256), "a", 1),
        nwr_key_reg(file, NWR_REG_ATTR),
        nwr_key_reg(file, NWR_REG_CONTENT),
        nwr_key_link(file, dir, "n", 1),
        nwr_key_xattr(file, "user.x", 6),
        nwr_key_entry(nwr_ino_make(256, 1, 1), "a", 1),
    };

    (void)state;
    for (uint32_t i = 0; i < NWR_COUNT(sorted); i++)
        for (uint32_t j = 0; j < NWR_COUNT(sorted); j++) {
            int c = nwr_key_cmp(&sorted[i], &sorted[j]);

            assert_int_equal((c > 0) - (c < 0), (i > j) - (i < j));
        }
}

static void prefixes_hold_what_is_below_them_only(void **state)
{
    struct nwr_key listing = nwr_key_entries(dir), object = nwr_key_object(file);
    struct nwr_key links = nwr_key_reg(file, NWR_REG_LINK);
    struct nwr_key entry = nwr_key_entry(dir, "n", 1), link = nwr_key_link(file, dir, "n", 1);
    struct nwr_key other = nwr_key_entry(file, "n", 1), attr = nwr_key_reg(file, NWR_REG_ATTR);

    (void)state;
    assert_true(nwr_key_has_prefix(&entry, &listing));
    assert_false(nwr_key_has_prefix(&other, &listing));
    assert_false(nwr_key_has_prefix(&listing, &entry));
    assert_true(nwr_key_has_prefix(&link, &object) && nwr_key_has_prefix(&attr, &object));
    assert_true(nwr_key_has_prefix(&link, &links));
    assert_false(nwr_key_has_prefix(&attr, &links));
    assert_false(nwr_key_has_prefix(&entry, &object));
}

static void bytes_that_are_no_key_are_refused(void **state)
{
    char name[NWR_NAME_MAX];
    struct nwr_key_parts parts;
    struct nwr_key good = nwr_key_link(file, dir, "n", 1), k;

    (void)state;
    for (uint16_t len = 0; len < 2 + 1 + 8 + 1 + 8; len++) {
        k = good;
        k.len = len;
        assert_false(nwr_key_parse(&k, &parts));
    }
    k = good;
    k.b[1] = 6; /* group of another inode */
    assert_false(nwr_key_parse(&k, &parts));
    k = good;
    k.b[2] = 'F';
    assert_false(nwr_key_parse(&k, &parts));
    k = nwr_key_reg(file, NWR_REG_ATTR);
    for (unsigned reg = 0; reg < 256; reg++) {
        k.b[11] = (uint8_t)reg;
        assert_int_equal(nwr_key_parse(&k, &parts),
                         reg == 'a' || reg == 'c' || reg == 'm' || reg == 'x');
    }
    k = nwr_key_reg(file, NWR_REG_ATTR);
    k.b[k.len++] = 'n';
    assert_false(nwr_key_parse(&k, &parts));
    memset(name, 'n', sizeof(name));
    k = nwr_key_beside(dir, name, NWR_NAME_MAX, UINT64_MAX);
    assert_true(nwr_key_parse(&k, &parts)); /* beside a name of full length */
    k.b[2 + 1 + 8 + NWR_NAME_MAX] = 'n';
    assert_false(nwr_key_parse(&k, &parts));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inode_number_holds_group_ordinal_and_counter),
        cmocka_unit_test(entry_says_group_kind_parent_and_name),
        cmocka_unit_test(registers_say_inode_and_which),
        cmocka_unit_test(link_and_attribute_say_their_names),
        cmocka_unit_test(longest_name_fits),
        cmocka_unit_test(keys_sort_by_group_then_inode_then_name),
        cmocka_unit_test(prefixes_hold_what_is_below_them_only),
        cmocka_unit_test(bytes_that_are_no_key_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
