/* sim_fiber.h -- programs of the simulation as straight-line code: each has a stack of its own and
 * gives the processor back when it waits.
 *
 * Ownership: the caller's. Thread: one; a fiber is resumed from outside every fiber.
 */
#ifndef NWR_SIM_FIBER_H
#define NWR_SIM_FIBER_H

#include <stdbool.h>

struct sim_fiber;
/* It begins when it is resumed first. */
struct sim_fiber *sim_fiber_create(void (*fn)(void *arg), void *arg);
/* It has ended, or has never begun. */
void sim_fiber_destroy(struct sim_fiber *f);
/* Until it waits or ends. */
void sim_fiber_resume(struct sim_fiber *f);
/* From inside: back to who resumed it. */
void sim_fiber_wait(struct sim_fiber *f);
bool sim_fiber_ended(const struct sim_fiber *f);

#endif
