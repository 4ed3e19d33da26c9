/* why.h -- what one replica says of a key (why.c); replica.c sends it.
 *
 *   {"ordinal":1,"epoch":3,"err":"OK","hints":[{"for":3,"hints":12,
 *     "bytes":800}],"context":"1,2;2,1","retired":0,"versions":[
 *     {"clock":"1,2","dot":"1,2","node":1,"hlc":..,"ms":..,"k":1,"uid":0,"wid":"..","ref":"..",
 *      "tombstone":false,"hidden":false,"mark":false,"bytes":12,"blocks":0}]}
 */
#ifndef NWR_WHY_H
#define NWR_WHY_H

#include "net/core/job.h"

/* It holds neither the record nor anything for others. */
bool nwr_why_nothing(const struct nwr_node *n, const struct nwr_store_op *op);
struct nwr_blob *nwr_why_replica(const struct nwr_node *n, const struct nwr_store_op *op);

#endif
