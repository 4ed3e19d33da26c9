/* view.h -- what names show and how they are changed: the rules of DESIGN 9 behind one interface.
 *
 * Everything else in fs/core is written in terms of struct nwr_shown, a line of a listing: one
 * version of one inode under one name. The functions mirror the methods of the model
 * (conflict_model.py: view, find, detach, attach, write, link). They look only at the
 * transaction's snapshot; false means that a record was missing: it has been asked for, and the
 * plan returns NWR_PLAN_WAIT and is run again from its start. Nothing is written while looking;
 * changes stage record writes in the transaction (nwr_txn_write; one a record, the order of a
 * plan's calls does not matter), which are thrown away when a plan runs again. So each may be
 * called any number of times.
 *
 * The rules for what is in a record (slots, voids, marks, lines) are known to view*.c and
 * conflict*.c alone. A directory is a union (struct nwr_dirs): several inodes that two sides
 * made under one name; ino[0] is the canonical one, new names go there.
 *
 * Pure. Ownership: values; a list owns its array. Thread: the loop.
 */
#ifndef NWR_FS_VIEW_H
#define NWR_FS_VIEW_H

#include "fs/core/reads.h"
#include "fs/core/slot.h"

#define NWR_DIRS_MAX 4

struct nwr_txn;
struct nwr_node;

struct nwr_dirs {
    nwr_ino ino[NWR_DIRS_MAX];
    uint8_t n;
};

/* What a write over a version must know of it. */
struct nwr_over {
    struct nwr_line line; /* as it counts now (split and ended lines are their own) */
    nwr_wid stored;       /* the line it was written in */
    nwr_wid same[3];      /* versions with the same bytes that it stands for */
    uint8_t nsame;
};

struct nwr_shown {
    char name[NWR_NAME_MAX + 1]; /* as listed: base, or base.conflict.K */
    char base[NWR_NAME_MAX + 1]; /* of the entry */
    uint16_t name_len, base_len;
    nwr_ino parent;       /* whose entry it is, of the directories of a union */
    nwr_ino ino;          /* st_ino; of a sibling derived from its line; 0: nothing (ENOENT) */
    nwr_ino root;         /* whose object holds the registers */
    uint8_t type;         /* enum nwr_type */
    struct nwr_seen slot; /* counter 0: a slot that nobody wrote (restored) */
    nwr_hlc slot_hlc;
    struct nwr_seen version; /* content shown; counter 0 for all but regular files */
    struct nwr_over line;
    uint64_t number; /* K; 0: the bare name */
    uint32_t behind; /* in a list: 1 + index of the line that stands for it, which holds the same */
    uint32_t twins;  /* so many stand behind this one */
    bool top;        /* greatest content of its slot */
    bool restored;   /* removed by somebody who had not seen this */
    bool skipped;    /* a directory whose move closes a loop: it is where it was before */
    bool elsewhere;  /* a symbolic link: the directory `root` was moved away by somebody else */
    bool moving;     /* a directory, and not all replicas have agreed that it stays here */
    struct {
        uint32_t uid;
        struct nwr_dot dot;
        nwr_hlc hlc;
    } deleted_by;           /* who that was */
    struct nwr_dirs dirs;   /* of a directory */
    struct nwr_dirs within; /* the union that parent is of */
};

struct nwr_shown_list {
    struct nwr_shown *e;
    uint32_t n, cap;
};
struct nwr_shown *nwr_shown_add(struct nwr_shown_list *list);
void nwr_shown_list_deinit(struct nwr_shown_list *list);

/* ---- looking ---- */

/* The line of the listing called name; out->ino 0: there is none. Its object is in the snapshot
 * afterwards if whole is set, and if it is in the parent's PG anyway. */
bool nwr_view_find(struct nwr_txn *t, const struct nwr_dirs *dir, const char *name, size_t len,
                   bool whole, struct nwr_shown *out);
/* Appends all that the entry `base` of one directory shows; what is hidden by policy is not
 * listed. Objects that are not in the snapshot are not asked for: `version` stays empty then. */
bool nwr_view_names(struct nwr_txn *t, nwr_ino parent, const char *base, size_t len,
                    struct nwr_shown_list *list);
/* The same for a union of directories: what part `part` of it adds to the listing. */
bool nwr_view_part(struct nwr_txn *t, const struct nwr_dirs *dir, uint32_t part, const char *base,
                   size_t len, struct nwr_shown_list *list);
/* All lines of a name, whatever is hidden, and those that stand behind another. */
bool nwr_view_all(struct nwr_txn *t, const struct nwr_dirs *dir, const char *base, size_t len,
                  struct nwr_shown_list *list);
/* What stands behind x, other inodes of its name that hold the same, goes: whoever works on x
 * works on all of them. */
bool nwr_view_alone(struct nwr_txn *t, const struct nwr_shown *x);
/* Whether the policy of a directory hides siblings; worth asking only where there is one. */
bool nwr_view_hides(struct nwr_txn *t, nwr_ino dir, bool *hide);
/* The date of the latest that a write of key, as it is in the snapshot, must count as later than:
 * what orders versions, names and places is not always in the record that is written. */
nwr_hlc nwr_view_dated(const struct nwr_txn *t, const struct nwr_key *key);
/* True for the key of a record that only view.c reads: it is no name. */
bool nwr_view_hidden(const struct nwr_key_parts *entry);
/* The name whose records begin with row i, and the key of its entry, which may have no record any
 * more: floors take what was removed (net/core/floor.h). False: i begins none. */
bool nwr_view_begins(const struct nwr_rows *rows, uint32_t i, struct nwr_key_parts *name,
                     struct nwr_key *entry);
/* What a rename over dir/name by a process replaces: the version it read there if that is still
 * shown; else what this mount wrote itself; else nothing, and all stays as siblings. The head, if
 * nothing is known of the process. */
bool nwr_view_base(struct nwr_txn *t, const struct nwr_dirs *dir, const char *name, size_t len,
                   uint64_t process, const struct nwr_reads *reads, struct nwr_shown *out);
/* The process reads what x shows, through all names of its inode: at open, if that is for reading
 * and leaves something to read. The object is there. */
void nwr_view_read(struct nwr_txn *t, const struct nwr_shown *x, uint64_t process,
                   struct nwr_reads *reads);
/* A process opens x and truncates it: true if that replaces not x but `base`, the version which it
 * read there before others than this mount wrote (live or not). x's object is there. */
bool nwr_view_truncates(struct nwr_txn *t, const struct nwr_shown *x, uint64_t process,
                        const struct nwr_reads *reads, struct nwr_shown *base);
/* What a node (an inode and the version it stands for, itable.h) shows now: its version if live,
 * else the live version that descends from it, else the greatest. Names are not filled.
 * ino 0: nothing is left of it. */
bool nwr_view_node(struct nwr_txn *t, const struct nwr_node *node, struct nwr_shown *out);

/* Fills in the names of what a node shows (nwr_view_node). */
bool nwr_view_place(struct nwr_txn *t, struct nwr_shown *x);
/* Whether an inode without names can never be shown again: every version, or everything below a
 * directory, was seen by those who took its names. A directory waits for what was removed from it.
 * Its object is in the snapshot. */
bool nwr_view_spent(struct nwr_txn *t, nwr_ino root, bool *spent);
/* What a directory without names that shows nothing waits for: inodes, at most max of them. It is
 * known whether it is spent. */
uint32_t nwr_view_waiting(struct nwr_txn *t, nwr_ino dir, nwr_ino *ino, uint32_t max);
/* From now on nothing is added to an inode (staged; reap.c): no name and no content, wherever that
 * is known (NWR_GUARD_ALIVE). The mark says where it was last. Its write_id. */
nwr_wid nwr_view_condemn(struct nwr_txn *t, nwr_ino root);
bool nwr_view_condemned(const struct nwr_txn *t, nwr_ino root, nwr_wid wid);
/* That is taken back; wid 0: whoever did it. */
void nwr_view_pardon(struct nwr_txn *t, nwr_ino root, nwr_wid wid);
/* The entries that still lead to a spent inode forget it (staged). */
bool nwr_view_forget(struct nwr_txn *t, nwr_ino root);
/* The content that is written to a node in the same batch, by somebody who had not seen that its
 * inode was removed, will be shown, whatever of the inode has been taken by then: its attributes,
 * the way to it and to the directories it was in are written once more (staged). */
bool nwr_view_raise(struct nwr_txn *t, const struct nwr_node *node);

/* ---- changing ---- */

/* A bare slot at dir/name for the inode (model: attach). The link record goes first. It names the
 * tombstones and voids it sees. E_DEAD if the inode is being removed. */
bool nwr_view_attach(struct nwr_txn *t, nwr_ino dir, const char *name, size_t len, nwr_ino ino,
                     nwr_ino root, uint8_t type);
/* Takes what x shows off its name, siblings stay (model: detach). gone: for unlink, rmdir and
 * what a rename replaced. *ino, *root (may be NULL) is what left: a copy if it had to be made. */
bool nwr_view_detach(struct nwr_txn *t, const struct nwr_shown *x, bool gone, nwr_ino *ino,
                     nwr_ino *root);
/* The inode to give a further name to (model: link): x's own, or a copy that takes x's place.
 * x may be what nwr_view_node gave. */
bool nwr_view_link(struct nwr_txn *t, const struct nwr_shown *x, nwr_ino *ino, nwr_ino *root);
/* A directory that leaves x's name for another parent: its entry leads to it as long as that move
 * may turn out to close a loop (place.h). */
void nwr_view_left(struct nwr_txn *t, const struct nwr_shown *x);
/* All replicas have answered: if a move of the directory can be part of no loop, that is written
 * down, and the entry it came from forgets it (staged). */
bool nwr_view_settle(struct nwr_txn *t, nwr_ino dir);
/* Slots that show nothing go (staged): they only keep the directory from being removed. */
bool nwr_view_sweep(struct nwr_txn *t, nwr_ino dir);
/* The directory takes no more names (rmdir, or a rename over it): a mark, and the guard that it
 * is empty, and that nothing leads to what may show there again; of that only the first if
 * t->looks_inside: it was looked at. */
void nwr_view_bury(struct nwr_txn *t, nwr_ino dir);
/* The directory is to take a name: the guard that it does. One that takes none, but is there all
 * the same (something unseen brought it back, or its removal came half-way), is made an ordinary
 * one again with it, if that is known or t->dead says so. */
bool nwr_view_enter(struct nwr_txn *t, nwr_ino dir);
/* The content write of a push: replaces the base the node stands for, continues its line if it
 * was opened under a number, else starts one; marks as the rules want. wid names the write, map
 * and mtime are its contents, `root_block` the blocks the map names. Never waits: what it needs
 * was kept in the node when its base was taken. */
void nwr_view_write(struct nwr_txn *t, const struct nwr_node *node, nwr_wid wid,
                    const struct nwr_push *push, nwr_ns mtime);
/* That write was given this dot: it is the node's base now. */
void nwr_view_wrote(struct nwr_node *node, nwr_wid wid, struct nwr_dot dot, nwr_hlc hlc,
                    uint64_t k);

#endif
