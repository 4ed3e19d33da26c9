/* sim.c -- runs the simulator over seeds: `sim --seed N`, `sim --seeds COUNT`, `sim --seconds S`.
 *
 * A seed that fails ends the program with what went wrong and the command that replays it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/sim/sim_plan.h"

static int usage(void)
{
    fprintf(stderr, "usage: sim [--first N] [--seeds COUNT] [--seconds S] [--seed N [--trace]]\n");
    return 2;
}

static void print(uint64_t seed, const struct sim_outcome *o)
{
    printf("seed %llu: %d nodes, %llu faults, %llu requests, %llu failed, %llu messages, "
           "%llu repairs, %llu write-backs\n",
           (unsigned long long)seed, o->nodes, (unsigned long long)o->faults,
           (unsigned long long)o->ops, (unsigned long long)o->failed,
           (unsigned long long)o->messages, (unsigned long long)o->count.read_repairs,
           (unsigned long long)o->count.write_backs);
}

int main(int argc, char **argv)
{
    uint64_t first = 1, seeds = 100, seconds = 0, done = 0, ops = 0;
    bool one = false, trace = false;
    time_t start = time(NULL);

    for (int i = 1; i < argc; i++) {
        uint64_t value = i + 1 < argc ? strtoull(argv[i + 1], NULL, 0) : 0;

        if (strcmp(argv[i], "--trace") == 0) {
            trace = true;
            continue;
        }
        if (i + 1 == argc)
            return usage();
        if (strcmp(argv[i], "--seed") == 0) {
            first = value, seeds = 1, one = true;
        } else if (strcmp(argv[i], "--first") == 0) {
            first = value;
        } else if (strcmp(argv[i], "--seeds") == 0) {
            seeds = value;
        } else if (strcmp(argv[i], "--seconds") == 0) {
            seconds = value, seeds = UINT64_MAX;
        } else {
            return usage();
        }
        i++;
    }
    for (uint64_t seed = first; done < seeds; seed++, done++) {
        struct sim_outcome o;

        if (seconds && (uint64_t)(time(NULL) - start) >= seconds)
            break;
        o = sim_plan_run(seed, trace);
        ops += o.ops;
        if (one)
            print(seed, &o);
    }
    printf("ok 1 - %llu seeds from %llu, %llu requests\n", (unsigned long long)done,
           (unsigned long long)first, (unsigned long long)ops);
    return 0;
}
