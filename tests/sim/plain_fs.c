/* plain_fs.c -- see plain_fs.h. */
#include "tests/sim/plain_fs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

void plain_init(struct plain_fs *fs)
{
    *fs = (struct plain_fs){0};
    fs->node[PLAIN_ROOT] = (struct plain_node){.mode = S_IFDIR | 0755, .names = 1};
}

void plain_deinit(struct plain_fs *fs)
{
    for (int i = 0; i < PLAIN_NODES; i++)
        nwr_free(fs->node[i].data);
}

/* ---- names ----------------------------------------------------------------------------------- */

static struct plain_name *name_at(const struct plain_fs *fs, int dir, const char *name)
{
    for (int i = 0; i < PLAIN_NODES; i++)
        if (fs->name[i].node && fs->name[i].dir == dir && strcmp(fs->name[i].name, name) == 0)
            return (struct plain_name *)&fs->name[i];
    return NULL;
}

int plain_lookup(const struct plain_fs *fs, int dir, const char *name)
{
    const struct plain_name *n = name_at(fs, dir, name);

    return n ? n->node : 0;
}

/* The directory that path is in, and its last name. */
static int walk(const struct plain_fs *fs, const char *path, int *dir, char *name)
{
    const char *slash;

    *dir = PLAIN_ROOT;
    while ((slash = strchr(path, '/'))) {
        char part[CALL_NAME];

        snprintf(part, sizeof(part), "%.*s", (int)(slash - path), path);
        *dir = plain_lookup(fs, *dir, part);
        if (!*dir)
            return ENOENT;
        if (!S_ISDIR(fs->node[*dir].mode))
            return ENOTDIR;
        path = slash + 1;
    }
    snprintf(name, CALL_NAME, "%s", path);
    return 0;
}

int plain_find(const struct plain_fs *fs, const char *path, int *node)
{
    char name[CALL_NAME];
    int dir, err;

    *node = PLAIN_ROOT;
    if (!path[0])
        return 0;
    err = walk(fs, path, &dir, name);
    if (err)
        return err;
    *node = plain_lookup(fs, dir, name);
    return *node ? 0 : ENOENT;
}

bool plain_full(const struct plain_fs *fs)
{
    int nodes = 0, names = 0;

    for (int i = 0; i < PLAIN_NODES; i++) {
        nodes += fs->node[i].mode != 0;
        names += fs->name[i].node != 0;
    }
    return nodes == PLAIN_NODES || names == PLAIN_NODES;
}

uint32_t plain_count(const struct plain_fs *fs, int dir)
{
    uint32_t n = 0;

    for (int i = 0; i < PLAIN_NODES; i++)
        n += fs->name[i].node && fs->name[i].dir == dir;
    return n;
}

uint32_t plain_nlink(const struct plain_fs *fs, int node)
{
    uint32_t n = 2;

    if (!S_ISDIR(fs->node[node].mode))
        return fs->node[node].names;
    for (int i = 0; i < PLAIN_NODES; i++)
        n +=
            fs->name[i].node && fs->name[i].dir == node && S_ISDIR(fs->node[fs->name[i].node].mode);
    return n;
}

static void give_name(struct plain_fs *fs, int dir, const char *name, int node)
{
    int i = 0;

    while (fs->name[i].node)
        nwr_assert(++i < PLAIN_NODES);
    fs->name[i] = (struct plain_name){.dir = dir, .node = node};
    snprintf(fs->name[i].name, CALL_NAME, "%s", name);
    fs->node[node].names++;
}

static void drop_unused(struct plain_node *n)
{
    if (n->names || n->opens)
        return;
    nwr_free(n->data);
    *n = (struct plain_node){0};
}

static void take_name(struct plain_fs *fs, struct plain_name *name)
{
    struct plain_node *n = &fs->node[name->node];

    name->node = 0;
    n->names--;
    drop_unused(n);
}

/* A new node at path, where nothing is. */
static int make(struct plain_fs *fs, const char *path, mode_t mode, int *node)
{
    char name[CALL_NAME];
    int dir, err = plain_find(fs, path, node);

    if (err == 0)
        return EEXIST;
    if (err != ENOENT || (err = walk(fs, path, &dir, name)))
        return err;
    *node = 1;
    while (fs->node[*node].mode)
        nwr_assert(++*node < PLAIN_NODES);
    fs->node[*node] = (struct plain_node){.mode = mode};
    give_name(fs, dir, name, *node);
    return 0;
}

int plain_mkdir(struct plain_fs *fs, const char *path)
{
    int node;

    return make(fs, path, S_IFDIR | 0755, &node);
}

int plain_symlink(struct plain_fs *fs, const char *text, const char *path)
{
    int node, err = make(fs, path, S_IFLNK | 0777, &node);

    if (err)
        return err;
    fs->node[node].data = nwr_strdup(text);
    fs->node[node].size = strlen(text);
    return 0;
}

int plain_link(struct plain_fs *fs, const char *from, const char *to)
{
    char name[CALL_NAME];
    int node, there, dir, err = plain_find(fs, from, &node);

    if (err)
        return err;
    err = plain_find(fs, to, &there);
    if (err == 0)
        return EEXIST;
    if (err != ENOENT || (err = walk(fs, to, &dir, name)))
        return err;
    if (S_ISDIR(fs->node[node].mode))
        return EPERM;
    give_name(fs, dir, name, node);
    return 0;
}

int plain_remove(struct plain_fs *fs, const char *path, bool directory)
{
    char name[CALL_NAME];
    int node, dir, err = plain_find(fs, path, &node);

    if (err)
        return err;
    if (directory != S_ISDIR(fs->node[node].mode))
        return directory ? ENOTDIR : EISDIR;
    if (directory && plain_count(fs, node))
        return ENOTEMPTY;
    walk(fs, path, &dir, name);
    take_name(fs, name_at(fs, dir, name));
    return 0;
}

static bool is_below(const char *path, const char *top)
{
    size_t len = strlen(top);

    return strncmp(path, top, len) == 0 && path[len] == '/';
}

/* May what is at `from` take the place of what is at `to`? */
static int may_replace(const struct plain_fs *fs, int from, int to)
{
    if (!S_ISDIR(fs->node[from].mode))
        return S_ISDIR(fs->node[to].mode) ? EISDIR : 0;
    if (!S_ISDIR(fs->node[to].mode))
        return ENOTDIR;
    return plain_count(fs, to) ? ENOTEMPTY : 0;
}

static int exchange(struct plain_fs *fs, const char *from, const char *to)
{
    char name[CALL_NAME], name2[CALL_NAME];
    struct plain_name *a, *b;
    int dir, dir2, node;

    walk(fs, from, &dir, name);
    walk(fs, to, &dir2, name2);
    a = name_at(fs, dir, name);
    b = name_at(fs, dir2, name2);
    node = a->node;
    a->node = b->node;
    b->node = node;
    return 0;
}

int plain_rename(struct plain_fs *fs, const char *from, const char *to, uint32_t flags)
{
    char name[CALL_NAME], name2[CALL_NAME];
    int node, there, dir, dir2, err = plain_find(fs, from, &node);

    if (err)
        return err;
    if (is_below(to, from))
        return EINVAL;
    if (is_below(from, to))
        return flags & NWR_RENAME_EXCHANGE ? EINVAL : ENOTEMPTY;
    err = plain_find(fs, to, &there);
    if (err == 0 && flags & NWR_RENAME_NOREPLACE)
        return EEXIST;
    if (err == 0 && there == node)
        return 0;
    if (flags & NWR_RENAME_EXCHANGE)
        return err ? err : exchange(fs, from, to);
    if (err == 0)
        err = may_replace(fs, node, there);
    else if (err == ENOENT)
        err = walk(fs, to, &dir2, name2);
    if (err)
        return err;
    walk(fs, from, &dir, name);
    walk(fs, to, &dir2, name2);
    if (there)
        take_name(fs, name_at(fs, dir2, name2));
    give_name(fs, dir2, name2, node);
    take_name(fs, name_at(fs, dir, name));
    return 0;
}

/* ---- files ----------------------------------------------------------------------------------- */

static void resize(struct plain_node *n, size_t size)
{
    n->mtime = 0;
    n->data = nwr_realloc(n->data, NWR_MAX(size, (size_t)1));
    if (size > n->size)
        memset(n->data + n->size, 0, size - n->size);
    n->size = size;
}

int plain_open(struct plain_fs *fs, const char *path, uint32_t flags, int *node)
{
    int err = plain_find(fs, path, node);

    if (err == ENOENT && flags & O_CREAT) {
        err = make(fs, path, S_IFREG | 0644, node);
    } else if (!err) {
        if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
            return EEXIST;
        if (S_ISDIR(fs->node[*node].mode))
            return EISDIR;
        if (S_ISLNK(fs->node[*node].mode))
            return ELOOP;
        if (flags & O_TRUNC)
            resize(&fs->node[*node], 0);
    }
    if (!err)
        fs->node[*node].opens++;
    return err;
}

void plain_close(struct plain_fs *fs, int node)
{
    fs->node[node].opens--;
    drop_unused(&fs->node[node]);
}

void plain_write(struct plain_fs *fs, int node, size_t off, const char *data, size_t len)
{
    struct plain_node *n = &fs->node[node];

    n->mtime = 0;
    if (off + len > n->size)
        resize(n, off + len);
    memcpy(n->data + off, data, len);
}

void plain_zero(struct plain_fs *fs, int node, size_t off, size_t len)
{
    struct plain_node *n = &fs->node[node];

    if (off >= n->size)
        return;
    n->mtime = 0;
    memset(n->data + off, 0, NWR_MIN(len, n->size - off));
}

int plain_target(const struct plain_fs *fs, const char *path, int *node)
{
    int err = plain_find(fs, path, node);

    return !err && S_ISLNK(fs->node[*node].mode) ? ELOOP : err;
}

int plain_truncate(struct plain_fs *fs, const char *path, size_t size)
{
    int node, err = plain_target(fs, path, &node);

    if (!err && S_ISDIR(fs->node[node].mode))
        err = EISDIR;
    if (!err)
        resize(&fs->node[node], size);
    return err;
}

int plain_chmod(struct plain_fs *fs, const char *path, mode_t mode)
{
    int node, err = plain_target(fs, path, &node);

    if (!err)
        fs->node[node].mode = (fs->node[node].mode & S_IFMT) | mode;
    return err;
}
