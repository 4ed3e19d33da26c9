/* sim_plan.h -- one seed: a cluster, clients, faults; then healing, reads, and the oracles.
 *
 * Thread: one.
 */
#ifndef NWR_SIM_PLAN_H
#define NWR_SIM_PLAN_H

#include "tests/sim/sim_client.h"
#include "tests/sim/sim_fault.h"

/* What a seed else chooses; zero: it does. */
struct sim_options {
    bool trace;   /* tells the story */
    bool aged;    /* the cluster lives long: there is time for floors to rise */
    int nodes;    /* members; none joins later */
    uint64_t ops; /* trouble goes on until so many requests were answered, no longer */
    enum sim_defect defect;
};

struct sim_outcome {
    uint64_t ops, failed, messages, faults;
    int nodes;
    uint64_t digest;                /* the same for every compiler and flavor */
    struct nwr_node_counters count; /* of all nodes at the end, added up */
};

/* Returns when the seed kept every promise; otherwise sim_fail. */
struct sim_outcome sim_plan_run(uint64_t seed, const struct sim_options *opt);

#endif
