/* model_driver.c -- follows scripts of the model (stdin) with the functions of fs/core/view.h.
 *
 *     tests/model/conflict_model.py --trace 1 2000 | build/release/tests/fs/model_driver
 */
#include "tests/lib/isles.h"

#include <stdio.h>

int main(void)
{
    struct nwr_out o = {0};
    uint32_t bad, checked = 0;
    char buf[65536];
    size_t n;

    while ((n = fread(buf, 1, sizeof(buf), stdin)) > 0)
        nwr_out_raw(&o, buf, n);
    nwr_out_u8(&o, 0);
    bad = isles_script((const char *)o.data, &checked);
    nwr_out_free(&o);
    printf("%u listings, %u not as the model has them\n", checked, bad);
    return bad || !checked;
}
