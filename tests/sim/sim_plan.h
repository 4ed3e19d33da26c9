/* sim_plan.h -- one seed: a cluster, clients, faults; then healing, reads, and the oracles.
 *
 * Thread: one.
 */
#ifndef NWR_SIM_PLAN_H
#define NWR_SIM_PLAN_H

#include "tests/sim/sim_client.h"

struct sim_outcome {
    uint64_t ops, failed, messages, faults;
    int nodes;
    struct nwr_node_counters count; /* of all nodes at the end, added up */
};

/* Returns when the seed kept every promise; otherwise sim_fail. */
struct sim_outcome sim_plan_run(uint64_t seed, bool trace);

#endif
