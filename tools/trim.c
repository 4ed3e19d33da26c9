/* trim.c -- see trim.h. */
#include "tools/trim.h"

#include <malloc.h>

enum {
    EVERY_MS = 30000,
    FREE_MANY = 64 << 20 /* bytes; less is wanted again soon */
};

bool nwr_trim_now(void)
{
    return mallinfo2().fordblks >= FREE_MANY && malloc_trim(0) != 0;
}

static void on_time(uv_timer_t *timer)
{
    (void)timer;
    nwr_trim_now();
}

void nwr_trim_start(struct nwr_trim *t, uv_loop_t *loop)
{
    uv_timer_init(loop, &t->timer);
    uv_timer_start(&t->timer, on_time, EVERY_MS, EVERY_MS);
    uv_unref((uv_handle_t *)&t->timer);
}

void nwr_trim_stop(struct nwr_trim *t)
{
    uv_close((uv_handle_t *)&t->timer, NULL);
}
