/* oracle_plain.c -- [plain] who is not disturbed sees what a plain file system would show: the same
 * errors, names, attributes and bytes. See calm_load.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "tests/sim/calm_load.h"

void oracle_plain_says(const struct sim_program *p, const char *what, const char *from,
                       const char *to, int err, int expected)
{
    sim_tell(p->m->s, "mount %d: %s %s %s: %d", p->m->no, what, from, to, err);
    if (err != expected)
        sim_fail(p->m->s, "[plain] mount %d: %s %s %s says %d, not %d", p->m->no, what, from, to,
                 err, expected);
}

static void same(const struct sim_program *p, const char *what, const char *path, uint64_t is,
                 uint64_t expected)
{
    if (is != expected)
        sim_fail(p->m->s, "[plain] mount %d: %s of %s is %llu, not %llu", p->m->no, what, path,
                 (unsigned long long)is, (unsigned long long)expected);
}

/* Two nodes are two inodes, and stay what they are under any name. */
static void same_inode(const struct sim_program *p, struct calm_load *l, const char *path, int node,
                       uint64_t ino)
{
    struct plain_node *n = &l->plain.node[node];

    if (!n->ino)
        n->ino = ino;
    same(p, "the inode", path, ino, n->ino);
    for (int i = 0; i < PLAIN_NODES; i++)
        if (i != node && l->plain.node[i].mode && l->plain.node[i].ino == ino)
            sim_fail(p->m->s, "[plain] mount %d: %s has the inode of another", p->m->no, path);
}

/* How the mount calls it. */
static void full(const struct calm_load *l, const char *path, char *there)
{
    snprintf(there, CALL_PATH, "%s%s%.100s", l->base, path[0] ? "/" : "", path);
}

void oracle_plain_stat(struct sim_program *p, struct calm_load *l, const char *path)
{
    const struct plain_node *n;
    char there[CALL_PATH];
    struct stat st;
    int node, expected = plain_find(&l->plain, path, &node);

    full(l, path, there);
    oracle_plain_says(p, "stat", there, "", call_stat(p, there, &st), expected);
    if (expected)
        return;
    n = &l->plain.node[node];
    same(p, "the mode", there, st.st_mode, n->mode);
    if (!S_ISDIR(n->mode) || st.st_nlink != 1) /* 1: subdirectories were not counted */
        same(p, "the number of links", there, st.st_nlink, plain_nlink(&l->plain, node));
    if (!S_ISDIR(n->mode))
        same(p, "the size", there, (uint64_t)st.st_size, n->size);
    if (n->mtime && !S_ISDIR(n->mode))
        same(p, "the time", there, (uint64_t)(st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec),
             (uint64_t)n->mtime);
    same_inode(p, l, there, node, st.st_ino);
}

void oracle_plain_list(struct sim_program *p, struct calm_load *l, const char *path)
{
    struct call_list *list = nwr_zalloc(sizeof(*list));
    char there[CALL_PATH];
    int node, expected = plain_find(&l->plain, path, &node);

    if (!expected && !S_ISDIR(l->plain.node[node].mode))
        expected = ENOTDIR;
    full(l, path, there);
    oracle_plain_says(p, "list", there, "", call_list(p, there, list), expected);
    if (!expected)
        same(p, "the number of names", there, list->n, plain_count(&l->plain, node));
    for (uint32_t i = 0; i < list->n && !expected; i++) {
        int e = plain_lookup(&l->plain, node, list->e[i].name);

        same(p, "a type in the list", there, list->e[i].type, l->plain.node[e].mode & S_IFMT);
        same_inode(p, l, there, e, list->e[i].ino);
        for (uint32_t k = 0; k < i; k++)
            if (strcmp(list->e[k].name, list->e[i].name) == 0)
                sim_fail(p->m->s, "[plain] mount %d lists %s twice in %s", p->m->no,
                         list->e[i].name, there);
    }
    nwr_free(list);
}

void oracle_plain_content(struct sim_program *p, struct calm_load *l, const struct call_file *f,
                          int node)
{
    const struct plain_node *n = &l->plain.node[node];
    size_t len = 0, at = 0;

    oracle_plain_says(p, "read", l->base, "", call_read(p, f, l->buf, CALM_BUFFER, &len), 0);
    same(p, "what can be read", l->base, len, n->size);
    while (at < len && l->buf[at] == n->data[at])
        at++;
    if (at < len)
        sim_fail(p->m->s, "[plain] mount %d: byte %zu of %zu of a file in %s is %d, not %d",
                 p->m->no, at, len, l->base, l->buf[at], n->data[at]);
}

/* ---- everything ------------------------------------------------------------------------------ */

static void look_below(struct sim_program *p, struct calm_load *l, const char *path, int node);

static void look_at(struct sim_program *p, struct calm_load *l, const char *path, int node)
{
    const struct plain_node *n = &l->plain.node[node];
    char there[CALL_PATH], text[64];
    struct call_file f;

    oracle_plain_stat(p, l, path);
    full(l, path, there);
    if (S_ISDIR(n->mode)) {
        oracle_plain_list(p, l, path);
        look_below(p, l, path, node);
    } else if (S_ISLNK(n->mode)) {
        oracle_plain_says(p, "readlink", there, "", call_readlink(p, there, text, sizeof(text)), 0);
        if (strlen(text) != n->size || memcmp(text, n->data, n->size) != 0)
            sim_fail(p->m->s, "[plain] mount %d: %s leads to %s", p->m->no, there, text);
    } else {
        oracle_plain_says(p, "open", there, "", call_open(p, there, O_RDONLY, &f), 0);
        oracle_plain_content(p, l, &f, node);
        oracle_plain_says(p, "close", there, "", call_close(p, &f), 0);
    }
}

static void look_below(struct sim_program *p, struct calm_load *l, const char *path, int node)
{
    char below[CALL_PATH];

    for (int i = 0; i < PLAIN_NODES; i++) {
        const struct plain_name *name = &l->plain.name[i];

        if (!name->node || name->dir != node)
            continue;
        snprintf(below, sizeof(below), "%s%s%s", path, path[0] ? "/" : "", name->name);
        look_at(p, l, below, name->node);
    }
}

void oracle_plain_tree(struct sim_program *p)
{
    look_at(p, p->arg, "", PLAIN_ROOT);
}
