/* ops.c -- the table of operations. */
#include "fs/core/ops.h"

struct nwr_plan_of nwr_plan_of(enum nwr_fs_op op)
{
    static const struct nwr_plan_of table[] = {
#define NWR_OPS_ROW(op, name) [NWR_FS_##op] = {nwr_plan_##name, nwr_finish_##name},
        NWR_OPS(NWR_OPS_ROW)
#undef NWR_OPS_ROW
            [NWR_FS_SETXATTR] = {nwr_plan_setxattr, NULL},
        [NWR_FS_GETXATTR] = {nwr_plan_getxattr, NULL},
        [NWR_FS_LISTXATTR] = {nwr_plan_listxattr, NULL},
        [NWR_FS_REMOVEXATTR] = {nwr_plan_removexattr, NULL},
    };

    nwr_assert((size_t)op < NWR_COUNT(table) && table[op].plan);
    return table[op];
}
