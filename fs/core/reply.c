/* reply.c -- making and freeing requests, replies and effects; see mount.h. */
#include "fs/core/mount.h"

struct nwr_fs_req *nwr_fs_req_new(enum nwr_fs_op op, uint64_t node)
{
    struct nwr_fs_req *req = nwr_zalloc(sizeof(*req));

    req->op = op;
    req->node = node;
    return req;
}

void nwr_fs_req_destroy(struct nwr_fs_req *req)
{
    if (!req)
        return;
    nwr_free(req->name);
    nwr_free(req->name2);
    nwr_blob_unref(req->data);
    nwr_free(req);
}

void nwr_fs_reply_deinit(struct nwr_fs_reply *reply)
{
    for (uint32_t i = 0; i < reply->nslice; i++)
        nwr_blob_unref(reply->slice[i].blob);
    nwr_free(reply->slice);
    nwr_blob_unref(reply->data);
    nwr_free(reply->dirent);
    nwr_free(reply->memory);
    memset(reply, 0, sizeof(*reply));
}

/* What a driver has taken out of an effect it sets to NULL. */
void nwr_fs_effects_deinit(struct nwr_fs_effects *out)
{
    for (uint32_t i = 0; i < out->n; i++) {
        nwr_fs_reply_deinit(&out->e[i].reply);
        nwr_fs_req_destroy(out->e[i].req);
        nwr_request_destroy(out->e[i].vreq);
        nwr_spool_op_destroy(out->e[i].spool);
        nwr_free(out->e[i].text);
    }
    nwr_free(out->e);
    *out = (struct nwr_fs_effects){0};
}
