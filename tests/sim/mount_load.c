/* mount_load.c -- see mount_load.h. */
#include "tests/sim/mount_load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

static const char *const directories[] = {"", "d1/", "d2/"};

static struct mount_worker *worker(struct sim_program *p)
{
    return nwr_container_of(p, struct mount_worker, program);
}

static uint32_t below(struct mount_load *l, uint32_t n)
{
    return (uint32_t)sim_below(l->s, n);
}

/* A name may lead to what rotted, to what power loss took from all who had acknowledged it, or to
 * what went with a member that alone had. */
static bool may_be_lost(const struct mount_load *l)
{
    return l->rot || (int)l->s->nloss >= l->losers || l->s->left_alone;
}

static void count(struct mount_load *l, int no, const char *what, const char *from, const char *to,
                  int err)
{
    l->calls++;
    l->failed += err == ETIMEDOUT || err == EHOSTDOWN || err == ENOTCONN;
    sim_tell(l->s, "mount %d: %s %s %s: %d", no, what, from, to, err);
    if ((err == EIO && !may_be_lost(l)) || err == ESTALE)
        sim_fail(l->s, "[errno] mount %d: %s %s %s: %d", no, what, from, to, err);
}

/* A name that is there, or not. */
static void some_path(struct mount_load *l, char *path)
{
    const char *dir = directories[below(l, 3)];
    const char *sub = below(l, 6) == 0 ? "x/" : "";

    snprintf(path, CALL_PATH, "%s%s%c", dir, sub, 'a' + (int)below(l, l->names));
}

/* ---- contents -------------------------------------------------------------------------------- */

static int write_all(struct sim_program *p, const struct call_file *f, const char *path,
                     int64_t read, const char *deed_path)
{
    struct mount_worker *w = worker(p);
    struct mount_book *b = &w->load->book;
    uint32_t deed = mount_book_deed(b, BOOK_REPLACE, p->m->no, deed_path, NULL, read);
    size_t len;
    int64_t id = mount_book_write(b, p->m->no, path, w->text, &len);
    int err = call_write(p, f, 0, w->text, len), closed;
    bool synced = !err && below(w->load, 4) == 0;

    b->deed[deed].written = id;
    if (synced)
        err = call_fsync(p, f);
    closed = call_close(p, f);
    err = err ? err : closed;
    mount_book_done(b, deed, err);
    if (!err)
        mount_book_acked(b, id, synced);
    sim_tell(w->load->s, "mount %d: wrote %lld, had read %lld", p->m->no, (long long)id,
             (long long)read);
    return err;
}

static void save(struct sim_program *p)
{
    struct mount_load *l = worker(p)->load;
    uint32_t flags = O_WRONLY | O_CREAT | (below(l, 4) ? O_TRUNC : O_EXCL);
    char path[CALL_PATH];
    struct call_file f;
    int err;

    some_path(l, path);
    err = call_open(p, path, flags, &f);
    if (!err)
        err = write_all(p, &f, path, BOOK_NONE, path);
    count(l, p->m->no, flags & O_EXCL ? "creates" : "saves", path, "", err);
}

static int64_t identify(struct sim_program *p, const char *path, const char *buf, size_t len)
{
    struct mount_load *l = worker(p)->load;
    int64_t id = mount_book_is(&l->book, buf, len);

    if (id == BOOK_DAMAGED)
        sim_fail(l->s, "[invented] mount %d reads at %s what nobody wrote: %zu bytes, %.20s",
                 p->m->no, path, len, buf);
    if (id)
        mount_book_given(&l->book, p->m->no, id);
    return id;
}

static bool is_condemned(struct sim *s, int node, nwr_ino ino)
{
    struct nwr_range range = {.prefix = nwr_key_reg(ino, NWR_REG_MARKS), .exact = true};
    struct nwr_rows rows = {0};
    bool yes = false;

    if (sim_look(s, node, nwr_ino_pg(ino), &range, 1, &rows) == NWR_OK && rows.n)
        for (uint32_t i = 0; i < rows.row[0].rec.n; i++)
            yes |= (rows.row[0].rec.v[i].flags & NWR_V_HIDDEN) != 0;
    nwr_rows_deinit(&rows);
    return yes;
}

/* ESTALE from a file that is open is right in one case, until there are leases (DESIGN 4: "reads of
 * such a file elsewhere may end in ESTALE"): another mount has removed it, and all replicas have
 * agreed that it goes for good (fs/core/reap.c). That is not taken on trust: some replica must hold
 * the mark that says so. It counts as ENOENT then. */
static int read_err(struct mount_load *l, const struct call_file *f, int err)
{
    for (int i = 0; err == ESTALE && i < l->s->nnode; i++)
        if (l->s->node[i].alive && is_condemned(l->s, i, f->st.st_ino))
            err = ENOENT;
    return err;
}

static void edit(struct sim_program *p)
{
    struct mount_worker *w = worker(p);
    char path[CALL_PATH];
    struct call_file f;
    size_t len = 0;
    int64_t id;
    int err;

    some_path(w->load, path);
    err = call_open(p, path, O_RDWR, &f);
    if (err)
        return count(w->load, p->m->no, "opens", path, "", err);
    err = read_err(w->load, &f, call_read(p, &f, w->buf, BOOK_BUFFER, &len));
    if (err) {
        call_close(p, &f);
    } else {
        id = identify(p, path, w->buf, len);
        err = write_all(p, &f, path, id, path);
    }
    count(w->load, p->m->no, "edits", path, "", err);
}

static void look(struct sim_program *p)
{
    struct mount_worker *w = worker(p);
    char path[CALL_PATH];
    struct call_file f;
    size_t len = 0;
    int err;

    some_path(w->load, path);
    err = call_open(p, path, O_RDONLY, &f);
    if (err)
        return count(w->load, p->m->no, "opens", path, "", err);
    err = read_err(w->load, &f, call_read(p, &f, w->buf, BOOK_BUFFER, &len));
    if (!err)
        identify(p, path, w->buf, len);
    call_close(p, &f);
    count(w->load, p->m->no, "reads", path, "", err);
}

static void truncates(struct sim_program *p)
{
    struct mount_load *l = worker(p)->load;
    char path[CALL_PATH];
    uint32_t deed;
    int err;

    some_path(l, path);
    deed = mount_book_deed(&l->book, BOOK_REPLACE, p->m->no, path, NULL, BOOK_NONE);
    err = call_truncate(p, path, 0);
    mount_book_done(&l->book, deed, err);
    count(l, p->m->no, "truncates", path, "", err);
}

/* ---- names ----------------------------------------------------------------------------------- */

static int moves(struct sim_program *p, const char *from, const char *to)
{
    struct mount_book *b = &worker(p)->load->book;
    uint32_t deed = mount_book_deed(b, BOOK_MOVE, p->m->no, from, to, BOOK_NONE);
    int err = call_rename(p, from, to, 0);

    mount_book_done(b, deed, err);
    count(worker(p)->load, p->m->no, "moves", from, to, err);
    return err;
}

static void replace(struct sim_program *p)
{
    struct mount_load *l = worker(p)->load;
    char path[CALL_PATH], temp[CALL_PATH + 16];
    struct call_file f;
    int err;

    some_path(l, path);
    snprintf(temp, sizeof(temp), "%s.tmp%d", path, p->m->no);
    err = call_open(p, temp, O_WRONLY | O_CREAT | O_TRUNC, &f);
    if (!err)
        err = write_all(p, &f, temp, BOOK_NONE, temp);
    count(l, p->m->no, "saves", temp, "", err);
    if (!err)
        moves(p, temp, path);
}

static void rename_some(struct sim_program *p)
{
    struct mount_load *l = worker(p)->load;
    char from[CALL_PATH], to[CALL_PATH];

    some_path(l, from);
    some_path(l, to);
    moves(p, from, to);
}

static void removes(struct sim_program *p, const char *path)
{
    struct mount_book *b = &worker(p)->load->book;
    uint32_t deed = mount_book_deed(b, BOOK_REMOVE, p->m->no, path, NULL, BOOK_NONE);
    int err = call_unlink(p, path);

    mount_book_done(b, deed, err);
    count(worker(p)->load, p->m->no, "removes", path, "", err);
}

static void remove_some(struct sim_program *p)
{
    char path[CALL_PATH];

    some_path(worker(p)->load, path);
    removes(p, path);
}

static void links(struct sim_program *p)
{
    struct mount_load *l = worker(p)->load;
    char from[CALL_PATH], to[CALL_PATH];
    uint32_t deed;
    int err;

    some_path(l, from);
    some_path(l, to);
    deed = mount_book_deed(&l->book, BOOK_LINK, p->m->no, from, to, BOOK_NONE);
    err = call_link(p, from, to);
    mount_book_done(&l->book, deed, err);
    count(l, p->m->no, "links", from, to, err);
}

static void other(struct sim_program *p)
{
    struct mount_load *l = worker(p)->load;
    char path[CALL_PATH];

    some_path(l, path);
    if (below(l, 2))
        count(l, p->m->no, "chmods", path, "", call_chmod(p, path, below(l, 2) ? 0600 : 0755));
    else
        count(l, p->m->no, "symlinks", path, "", call_symlink(p, "there", path));
}

static void subdirectory(struct sim_program *p)
{
    struct mount_load *l = worker(p)->load;
    char path[CALL_PATH];

    snprintf(path, sizeof(path), "%sx", directories[below(l, 3)]);
    if (below(l, 3))
        count(l, p->m->no, "mkdir", path, "", call_mkdir(p, path));
    else
        count(l, p->m->no, "rmdir", path, "", call_rmdir(p, path));
}

/* Somebody finds siblings, and does something about one of them. */
static void resolve(struct sim_program *p)
{
    struct mount_load *l = worker(p)->load;
    const char *dir = directories[below(l, 3)];
    struct call_list *list = nwr_zalloc(sizeof(*list));
    char path[CALL_PATH], base[CALL_PATH], *mark;
    int err;

    snprintf(path, sizeof(path), "%s", dir);
    path[strlen(path) - (path[0] != 0)] = 0;
    err = call_list(p, path, list);
    count(l, p->m->no, "lists", path, "", err);
    for (uint32_t i = 0; i < list->n && !err; i++) {
        if (!strstr(list->e[i].name, ".conflict.") || list->e[i].type != S_IFREG || below(l, 2))
            continue;
        snprintf(path, sizeof(path), "%s%s", dir, list->e[i].name);
        snprintf(base, sizeof(base), "%s", path);
        mark = strstr(base, ".conflict.");
        *mark = 0;
        if (below(l, 2))
            removes(p, path);
        else
            moves(p, path, base);
        break;
    }
    nwr_free(list);
}

/* ---- turns ----------------------------------------------------------------------------------- */

static void turn(struct sim_program *p)
{
    static void (*const deeds[])(struct sim_program * p) = {
        save,  save,        edit,         edit,    edit,        look,        look,
        look,  truncates,   replace,      replace, rename_some, rename_some, links,
        other, remove_some, subdirectory, resolve, resolve,
    };

    deeds[below(worker(p)->load, NWR_COUNT(deeds))](p);
}

static void work(struct sim_program *p)
{
    struct mount_load *l = worker(p)->load;

    while (!l->stopping) {
        if (p->m->core)
            turn(p);
        else if (l->s->node[p->m->node].removed)
            sim_mount_move(p->m);
        else if (sim_mount_can_start(p->m))
            sim_mount_start(p->m);
        sim_sleep(p, 100 + sim_below(l->s, below(l, 4) ? 10000 : 300000));
    }
}

static void on_rows(struct sim_mount *m, const struct nwr_rows *rows)
{
    struct mount_book *b = &nwr_container_of(m, struct mount_worker, mount)->load->book;

    for (uint32_t i = 0; i < rows->n; i++)
        for (uint32_t k = 0; k < rows->row[i].rec.n; k++)
            for (uint32_t j = 0; j < rows->row[i].rec.v[k].nblocks; j++)
                mount_book_given(b, m->no, mount_book_in(b, &rows->row[i].rec.v[k].blocks[j]));
}

static void on_put(struct sim_mount *m, const struct nwr_request *req)
{
    struct mount_book *b = &nwr_container_of(m, struct mount_worker, mount)->load->book;

    for (uint32_t i = 0; i < req->nblock; i++)
        if (req->block[i].data)
            mount_book_block(b, &req->block[i]);
}

void mount_load_init(struct mount_load *l, struct sim *s, int mounts)
{
    *l = (struct mount_load){.s = s, .mounts = mounts, .book.s = s};
    l->names = 1 + (uint32_t)sim_below(s, 7);
    l->book.large = sim_below(s, 8) == 0;
    for (int i = 0; i < mounts; i++) {
        struct mount_worker *w = &l->worker[i];

        w->load = l;
        w->buf = nwr_zalloc(BOOK_BUFFER);
        w->text = nwr_zalloc(BOOK_BUFFER);
        sim_mount_init(&w->mount, s, i, i % s->nnode);
        l->book.mount[i] = &w->mount;
        w->mount.on_rows = on_rows;
        w->mount.on_put = on_put;
    }
}

void mount_load_run(struct mount_load *l, int i, void (*main)(struct sim_program *p), void *arg)
{
    struct mount_worker *w = &l->worker[i];

    if (!w->mount.core && l->s->node[w->mount.node].removed)
        sim_mount_move(&w->mount);
    if (!w->mount.core)
        sim_mount_start(&w->mount);
    sim_program_start(&w->program, &w->mount, main, arg);
    for (int ms = 0; ms < 600000 && !sim_program_ended(&w->program); ms++)
        sim_run(l->s, 1000);
    if (!sim_program_ended(&w->program))
        sim_fail(l->s, "[reply] a program of mount %d never ends", i);
    sim_program_deinit(&w->program);
}

static void plant(struct sim_program *p)
{
    int err = call_mkdir(p, "d1");

    if (!err)
        err = call_mkdir(p, "d2");
    if (err)
        sim_fail(p->m->s, "[errno] nothing is wrong, but mkdir says %d", err);
}

void mount_load_plant(struct mount_load *l)
{
    mount_load_run(l, 0, plant, NULL);
}

void mount_load_start(struct mount_load *l)
{
    for (int i = 0; i < l->mounts; i++)
        sim_program_start(&l->worker[i].program, &l->worker[i].mount, work, NULL);
}

void mount_load_stop(struct mount_load *l)
{
    l->stopping = true;
    for (int i = 0; i < l->mounts; i++) {
        struct sim_program *p = &l->worker[i].program;

        for (int ms = 0; ms < 10 * SIM_CALL_MS && !sim_program_ended(p); ms += 10)
            sim_run(l->s, 10000);
        if (!sim_program_ended(p))
            sim_fail(l->s, "[reply] a call at mount %d is never answered", i);
        sim_program_deinit(p);
    }
}

void mount_load_deinit(struct mount_load *l)
{
    for (int i = 0; i < l->mounts; i++) {
        sim_mount_deinit(&l->worker[i].mount);
        nwr_free(l->worker[i].buf);
        nwr_free(l->worker[i].text);
    }
    mount_book_deinit(&l->book);
}
