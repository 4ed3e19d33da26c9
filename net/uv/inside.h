/* inside.h -- what the files of a running peer share; nobody else includes it.
 *
 *   peer.c    start, ready, close         drive.c   events into the node, effects out of it
 *   open.c    store, META, new volumes    mesh.c    connections: dial, accept, HELLO, duplicates
 *   listen.c  accepting, without spinning when no descriptor is left
 *   admin.c   DIR/admin.sock              status.c  statfs, the JSON of `nwrfs status`
 *
 * Happy path of a member: open.c reads identity and ring; peer.c listens and creates the node;
 * drive.c steps it with START; its CONNECT effect makes mesh.c dial every member; each HELLO
 * that is answered becomes PEER_UP; when each member was tried once, on_ready.
 */
#ifndef NWR_UV_INSIDE_H
#define NWR_UV_INSIDE_H

#include "net/core/node.h"
#include "net/uv/address.h"
#include "net/uv/conn.h"
#include "net/uv/listen.h"
#include "net/uv/peer.h"

enum {
    NWR_JOIN_MAX = 16,
    NWR_BACKOFF_MIN_MS = 50,
    NWR_BACKOFF_MAX_MS = 2000,
    NWR_REDIAL_MS = 100,       /* a dial this old may have missed that the member is back */
    NWR_READY_WAIT_MS = 1000,  /* members that neither answer nor refuse are not waited for */
    NWR_JOIN_WAIT_MS = 1500,   /* a node to join through may be starting too */
    NWR_SIMULTANEOUS_MS = 2000 /* two connections this close were dialed at the same time */
};

/* What a connection is to this node. */
enum nwr_line_role {
    NWR_LINE_NEW,    /* accepted, HELLO not seen */
    NWR_LINE_DIAL,   /* dialed to a member, HELLO not answered */
    NWR_LINE_MEMBER, /* the connection of a member */
    NWR_LINE_LINK,   /* of a client or a joining node; has a link id */
    NWR_LINE_JOIN,   /* dialed, to join through; peer 0, link 0 to the node */
    NWR_LINE_PROBE   /* dialed to ask --join of a member whether its volume is ours */
};

struct nwr_line {
    struct nwr_peer *peer;
    struct nwr_conn *conn;
    enum nwr_line_role role;
    bool dialed;      /* by this node */
    bool greeted;     /* HELLO came and was accepted */
    bool replaced;    /* another attempt is made, this one says nothing of the member */
    bool urgent;      /* something that was sent must go at once */
    bool lost;        /* replaced or closing: what it says no longer counts */
    uint16_t ordinal; /* DIAL, MEMBER */
    uint64_t link;    /* LINK */
    nwr_ms since;     /* greeted; of one being dialed: the start */
    struct nwr_line *next;
};

/* Another member of the node's ring. */
struct nwr_mate {
    uint16_t ordinal;
    nwr_node_id id;
    char address[NWR_ADDRESS_MAX];
    struct nwr_line *up, *dialing;
    nwr_ms retry_at, since;
    uint32_t backoff_ms;
    bool tried;
    bool stranger;     /* it was unreachable for its key */
    bool renew;        /* its connection was made with a key that is no longer offered */
    char refused[200]; /* why it was unreachable last, as logged */
    struct nwr_store_stat stat;
};

struct nwr_queued {
    struct nwr_node_event ev;
    struct nwr_msg msg;
};

enum nwr_peer_state {
    NWR_PEER_STARTING,
    NWR_PEER_READY,
    NWR_PEER_FAILED
};

struct nwr_peer {
    uv_loop_t *loop;
    struct nwr_peer_options o; /* strings are copies */
    char *dir, *join[NWR_JOIN_MAX];
    struct nwr_tls_context *tls; /* NULL: no key */
    char address[NWR_ADDRESS_MAX];
    struct nwr_volume volume;
    enum nwr_peer_state state;
    enum nwr_err ready_err;
    char ready_text[NWR_TEXT_MAX];
    nwr_ms started;
    nwr_ns started_wall;

    struct nwr_store *store;
    nwr_node_id id;
    uint32_t incarnation;
    struct nwr_ring ring;                  /* as read at the start; later nwr_node_ring */
    bool has_ring, was_member, new_volume; /* at the start */
    bool running;
    struct nwr_node *node;
    uint64_t ino_next, k_next;
    uint64_t store_ops;    /* submitted, not done */
    uint64_t own_requests; /* of the mount, not answered */
    uint64_t disk_errors;  /* ops that the store could not carry out */
    enum nwr_err disk_err;
    nwr_ms disk_said_at;
    uint64_t applies_synced;
    bool syncing, sync_failed; /* the last one did */

    struct nwr_queued *queue;
    uint32_t head, nqueue, capqueue;
    bool stepping;
    struct nwr_rng rng;

    struct nwr_line *lines;
    uint64_t link_next;
    struct nwr_mate *mate;
    uint32_t nmate, capmate;
    struct nwr_line *join_line; /* JOIN or PROBE */
    unsigned join_next;
    nwr_ms join_retry_at;
    bool probing, join_ever; /* join_ever: somebody answered */
    bool join_kept;          /* no --join: that of a start that ended before it had a ring */
    char join_why[NWR_TEXT_MAX];

    struct nwr_listener listener; /* of members and clients */
    uv_poll_t store_poll;
    uv_timer_t tick, sweep, sync, later;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_idle_t idle;
    struct nwr_listener admin;
    unsigned admin_clients;
    unsigned handles;           /* open ones of this struct */
    bool removed, removed_said; /* by the other members */
    bool closing, drained;
    nwr_ms closing_since;
    void (*on_closed)(void *arg);
    void *closed_arg;
};

/* open.c -- blocking; text: one line when they fail. */
enum nwr_err nwr_peer_open_store(struct nwr_peer *p, char *text, size_t n);
/* Makes the ring of a new volume, with this node as its only member, and stores it. */
enum nwr_err nwr_peer_new_volume(struct nwr_peer *p);
/* Random bytes of the system. */
uint64_t nwr_peer_random(void);

/* drive.c */
void nwr_drive_start(struct nwr_peer *p);
void nwr_drive_ring(struct nwr_peer *p); /* it may have changed: the volume's info, members */
/* Takes what the event owns; m may be NULL, otherwise its contents move into the queue. */
void nwr_drive_event(struct nwr_peer *p, const struct nwr_node_event *ev, const struct nwr_msg *m);
void nwr_drive_run(struct nwr_peer *p);
void nwr_drive_submit(struct nwr_volume *v, struct nwr_request *req);
/* Stops handles; the store is synced and closed. Nothing steps any more. */
void nwr_drive_stop(struct nwr_peer *p);

/* mesh.c */
/* Takes fd, which is bound, also when it fails: an error of libuv. */
int nwr_mesh_listen(struct nwr_peer *p, int fd);
void nwr_mesh_members(struct nwr_peer *p); /* dials those of the ring, drops others */
void nwr_mesh_sweep(struct nwr_peer *p);
/* At once, whatever the back-off. */
void nwr_mesh_dial(struct nwr_peer *p, uint16_t ordinal);
void nwr_mesh_send(struct nwr_peer *p, uint16_t ordinal, uint64_t link, struct nwr_msg *m,
                   bool later);
/* Writes what was sent; what may go later goes along, or alone after NWR_LATER_MS. */
void nwr_mesh_flush(struct nwr_peer *p);
void nwr_mesh_flush_all(struct nwr_peer *p);
void nwr_mesh_joined(struct nwr_peer *p); /* the connection joined through has done its work */
void nwr_mesh_close(struct nwr_peer *p);
void nwr_mesh_rekey(struct nwr_peer *p); /* the keys are others */
struct nwr_mate *nwr_mesh_mate(struct nwr_peer *p, uint16_t ordinal);

/* hello.c -- pure but for the log. */
void nwr_hello_make(const struct nwr_peer *p, struct nwr_msg *m, bool client);
/* NULL: acceptable. Otherwise the refusal, written to text. */
const char *nwr_hello_check(const struct nwr_peer *p, const struct nwr_hello *h, char text[160]);

/* peer.c */
/* A handle of this struct was initialised; is to be closed. */
void nwr_peer_handle(struct nwr_peer *p, void *handle);
void nwr_peer_handle_close(struct nwr_peer *p, void *handle);
/* Both of its handles. */
void nwr_peer_listener(struct nwr_peer *p, struct nwr_listener *l);
void nwr_peer_listener_close(struct nwr_peer *p, struct nwr_listener *l);
/* A node that was removed ends. */
void nwr_peer_maybe_removed(struct nwr_peer *p);
void nwr_peer_maybe_ready(struct nwr_peer *p);
void nwr_peer_fail(struct nwr_peer *p, enum nwr_err err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void nwr_peer_joined(struct nwr_peer *p, enum nwr_err err, const char *text);
void nwr_peer_maybe_gone(struct nwr_peer *p);

/* status.c */
void nwr_status_stat(struct nwr_peer *p, struct nwr_msg *ping);
/* Answers STATFS and STATUS; false for other operations. */
bool nwr_status_answer(struct nwr_peer *p, const struct nwr_request *req, struct nwr_response *res);
/* Takes the words after "reshape"; the answer is the caller's. */
char *nwr_reshape_begin(struct nwr_peer *p, char *line);
char *nwr_status_ring(struct nwr_peer *p);
/* Only when there is a node. */
char *nwr_status_repair(struct nwr_peer *p);
char *nwr_status_scrub(struct nwr_peer *p);
/* Asks the node for a run over pg; kind: NWR_EV_REPAIR or NWR_EV_SCRUB. */
char *nwr_status_begin(struct nwr_peer *p, enum nwr_node_event_kind kind, nwr_pg pg);

/* admin.c */
enum nwr_err nwr_admin_open(struct nwr_peer *p, char *text, size_t n);
void nwr_admin_remove(struct nwr_peer *p);

#endif
