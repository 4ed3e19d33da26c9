/* store_op.c -- freeing what a store put into an op: here, since a node is lent its ops and frees
 * them, and a core may not call into a store. */
#include "net/store/store.h"

void nwr_store_op_deinit(struct nwr_store_op *op)
{
    nwr_rows_deinit(&op->rows);
    nwr_free(op->appeared);
    op->appeared = NULL;
    op->nappeared = 0;
    nwr_free(op->missing);
    op->missing = NULL;
    op->nmissing = 0;
    nwr_free(op->rotten);
    op->rotten = NULL;
    op->nrotten = 0;
    nwr_blob_unref(op->data);
    op->data = NULL;
    nwr_free(op->refs);
    op->refs = NULL;
    op->nrefs = 0;
    nwr_free(op->element);
    op->element = NULL;
    op->nelement = 0;
    for (uint32_t i = 0; i < op->nkept; i++)
        nwr_free(op->kept[i].key);
    nwr_free(op->kept);
    op->kept = NULL;
    op->nkept = 0;
    nwr_free(op->doubt);
    op->doubt = NULL;
    nwr_free(op->digest);
    op->digest = NULL;
    nwr_free(op->clock_hash);
    op->clock_hash = NULL;
    nwr_free(op->above);
    op->above = NULL;
    if (op->kind == NWR_STORE_META_GET) {
        nwr_blob_unref(op->value);
        op->value = NULL;
    }
}
