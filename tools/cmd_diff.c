/* cmd_diff.c -- `nwrfs diff`: the head of a conflict against a sibling, or with --base the head and
 * the siblings against the version they come from, through diff(1), whose exit status it has: 0
 * equal, 1 different, 2 trouble. */
#include "tools/ancestor.h"
#include "tools/cmd.h"
#include "tools/siblings.h"

#include <stdio.h>

static int help(void)
{
    printf(
        "usage: nwrfs diff NAME [K] [--base]\n\n"
        "Compares NAME with its sibling NAME.conflict.K, which need not be given if there is\n"
        "only one, through diff -u. Exit status as of diff(1): 0 equal, 1 different, 2 trouble.\n"
        "--base: the version that both come from is compared with NAME, and with the sibling,\n"
        "or with each of them if no K is given; trouble where that version is not kept.\n");
    return 0;
}

static int several(const struct nwr_siblings *s)
{
    char text[2000] = "";
    size_t at = 0;

    for (unsigned i = 0; i < s->n && at < sizeof(text) - 30; i++)
        at += (size_t)snprintf(text + at, sizeof(text) - at, " %llu", (unsigned long long)s->k[i]);
    return nwr_cmd_usage("diff: %s: which of its siblings?%s", s->name, text);
}

static int run_diff(const char *left, const char *left_label, const char *right)
{
    char label[PATH_MAX + 160];
    char *argv[] = {"diff",
                    "-u",
                    "--label",
                    (char *)(uintptr_t)left_label,
                    "--label",
                    label,
                    "--",
                    (char *)(uintptr_t)left,
                    (char *)(uintptr_t)right,
                    NULL};
    int status;

    nwr_sibling_label(right, label, sizeof(label));
    status = nwr_run(argv, -1);
    if (status == 127)
        return nwr_cmd_fail("diff: the program diff is not there; install diffutils"), 2;
    return status;
}

static int compare(const struct nwr_siblings *s, uint64_t k)
{
    char path[PATH_MAX + 32], label[PATH_MAX + 160];

    nwr_sibling_path(s, k, path, sizeof(path));
    nwr_sibling_label(s->name, label, sizeof(label));
    return run_diff(s->name, label, path);
}

/* The head is compared once with each ancestor: siblings mostly have the same. */
static int with_base(const struct nwr_siblings *s, uint64_t k, char last[160])
{
    char path[PATH_MAX + 32];
    struct nwr_ancestor base;
    int status = 0, one;

    nwr_sibling_path(s, k, path, sizeof(path));
    switch (nwr_ancestor_fetch(&base, "diff", path)) {
    case NWR_ANCESTOR_THERE: break;
    case NWR_ANCESTOR_NONE: return nwr_cmd_fail("diff: %s: no common ancestor is kept", path), 2;
    case NWR_ANCESTOR_FAILED: return 2;
    }
    if (strcmp(last, base.label) != 0)
        status = run_diff(base.path, base.label, s->name);
    one = run_diff(base.path, base.label, path);
    snprintf(last, sizeof(base.label), "%s", base.label);
    nwr_ancestor_drop(&base);
    return NWR_MAX(status, one);
}

static int compare_bases(const struct nwr_siblings *s, uint64_t only)
{
    char last[160] = "";
    int status = 0, one;

    for (unsigned i = 0; i < s->n; i++)
        if (only == 0 || s->k[i] == only) {
            one = with_base(s, s->k[i], last);
            status = NWR_MAX(status, one);
        }
    return status;
}

static int diff(const struct nwr_siblings *s, const char *which, bool base)
{
    uint64_t k = which ? nwr_sibling_number(s, which) : 0;

    if (s->n == 0)
        return nwr_cmd_fail("diff: %s: is not in conflict", s->name), 2;
    if (!s->head)
        return nwr_cmd_fail("diff: %s: there is no head to compare with", s->name), 2;
    if (which && k == 0)
        return nwr_cmd_fail("diff: %s: has no sibling %s", s->name, which), 2;
    if (base)
        return compare_bases(s, k);
    if (!which && s->n > 1)
        return several(s);
    return compare(s, which ? k : s->k[0]);
}

int nwr_cmd_diff(int argc, char **argv)
{
    const char *name = NULL, *which = NULL;
    struct nwr_siblings s;
    bool base = false;
    int status;

    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return help();
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--base") == 0)
            base = true;
        else if (argv[i][0] == '-' || which)
            return nwr_cmd_usage("diff: %s: unexpected; see nwrfs diff --help", argv[i]);
        else if (name)
            which = argv[i];
        else
            name = argv[i];
    }
    if (!name)
        return nwr_cmd_usage("diff: a NAME is wanted, and its K; see nwrfs diff --help");
    status = nwr_siblings_read(&s, "diff", name);
    return status ? status : diff(&s, which, base);
}
