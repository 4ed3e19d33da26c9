/* calm_plan.h -- one seed: a cluster, mounts, and programs that nothing disturbs: what goes wrong
 * is what the volume has to hide, all of it.
 *
 * Thread: one.
 */
#ifndef NWR_CALM_PLAN_H
#define NWR_CALM_PLAN_H

#include "tests/sim/sim_plan.h"

/* Returns when the seed kept every promise; otherwise sim_fail. */
struct sim_outcome calm_plan_run(uint64_t seed, const struct sim_options *opt);

#endif
