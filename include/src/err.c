/* err.c -- see nwr/err.h. */
#include "nwr/err.h"

#include "nwr/base.h"

struct err_info {
    const char *name, *text;
    int no;
};

static const struct err_info infos[NWR_ERR_COUNT] = {
#define NWR_ERR_INFO(name, no, text) [NWR_##name] = {#name, text, no},
    NWR_ERRORS(NWR_ERR_INFO)
#undef NWR_ERR_INFO
};

int nwr_err_errno(enum nwr_err err)
{
    nwr_assert(err < NWR_ERR_COUNT);
    return infos[err].no;
}

const char *nwr_err_name(enum nwr_err err)
{
    nwr_assert(err < NWR_ERR_COUNT);
    return infos[err].name;
}

const char *nwr_err_text(enum nwr_err err)
{
    nwr_assert(err < NWR_ERR_COUNT);
    return infos[err].text;
}

bool nwr_err_of_disk(enum nwr_err err)
{
    return err == NWR_E_NOSPC || err == NWR_E_ROFS || err == NWR_E_MFILE || err == NWR_E_IO;
}
