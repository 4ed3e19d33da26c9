/* mount_plan.h -- one seed: a cluster, mounts, programs, faults; then healing, and the oracles.
 *
 * Thread: one.
 */
#ifndef NWR_MOUNT_PLAN_H
#define NWR_MOUNT_PLAN_H

#include "tests/sim/sim_plan.h"

/* Returns when the seed kept every promise; otherwise sim_fail. */
struct sim_outcome mount_plan_run(uint64_t seed, const struct sim_options *opt);

#endif
