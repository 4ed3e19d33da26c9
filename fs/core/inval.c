/* inval.c -- pages that the kernel was asked to drop, and replies that wait until it has.
 *
 * While it may still hold old pages it is not told the attributes of what is there now: a size
 * that another mount has made larger would show zeros behind the old end (`tail -f`).
 *
 *   INVAL_INODE out --INVALED of each--> the replies that were held go
 */
#include "fs/core/state.h"

static struct nwr_inval *find(struct nwr_mount *m, uint64_t node)
{
    for (uint32_t i = 0; node && i < m->ninval; i++)
        if (m->inval[i].node == node)
            return &m->inval[i];
    return NULL;
}

void nwr_inval_out(struct nwr_mount *m, uint64_t node)
{
    struct nwr_inval *i = find(m, node);

    if (!i) {
        m->inval = nwr_grow(m->inval, &m->capinval, m->ninval + 1, sizeof(*m->inval));
        i = &m->inval[m->ninval++];
        *i = (struct nwr_inval){.node = node};
    }
    i->out++;
}

/* Only calls that hold no lock of the kernel which a dropped page may wait for: SETATTR does. */
void nwr_inval_answer(struct nwr_mount *m, struct nwr_fs_req *req, struct nwr_fs_reply *reply)
{
    struct nwr_inval *i = NULL;

    if (reply->err == 0 && req->op == NWR_FS_GETATTR)
        i = find(m, req->node);
    else if (reply->err == 0 && req->op == NWR_FS_LOOKUP)
        i = find(m, reply->entry.node);
    if (!i) {
        nwr_mount_reply(m, req, reply);
        return;
    }
    i->held = nwr_grow(i->held, &i->cap, i->nheld + 1, sizeof(*i->held));
    i->held[i->nheld++] = (struct nwr_held){req, *reply};
}

void nwr_inval_done(struct nwr_mount *m, uint64_t node)
{
    struct nwr_inval *i = find(m, node), done;

    if (!i || --i->out)
        return;
    done = *i;
    *i = m->inval[--m->ninval];
    for (uint32_t k = 0; k < done.nheld; k++)
        nwr_mount_reply(m, done.held[k].req, &done.held[k].reply);
    nwr_free(done.held);
}

void nwr_inval_deinit(struct nwr_mount *m)
{
    for (uint32_t i = 0; i < m->ninval; i++) {
        for (uint32_t k = 0; k < m->inval[i].nheld; k++) {
            nwr_fs_req_destroy(m->inval[i].held[k].req);
            nwr_fs_reply_deinit(&m->inval[i].held[k].reply);
        }
        nwr_free(m->inval[i].held);
    }
    nwr_free(m->inval);
}
