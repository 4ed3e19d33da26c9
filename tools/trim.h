/* trim.h -- memory that is not needed any more goes back to the system.
 *
 * Whoever removes a large tree, or lists one, makes this process hold much for a moment; malloc
 * keeps the pages between what is still in use, for good. Every half minute they are given back, if
 * they are many.
 *
 * Ownership: the caller's. Thread: the loop's.
 */
#ifndef NWR_TRIM_H
#define NWR_TRIM_H

#include <stdbool.h>
#include <uv.h>

struct nwr_trim {
    uv_timer_t timer;
};

/* The timer keeps no loop running. */
void nwr_trim_start(struct nwr_trim *t, uv_loop_t *loop);
void nwr_trim_stop(struct nwr_trim *t);
/* Now; false: there was too little to give back. */
bool nwr_trim_now(void);

#endif
