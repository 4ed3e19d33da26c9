/* sim.c -- runs the simulator over seeds, several processes at once. See usage().
 *
 * A seed that fails ends its process with what went wrong and the command that replays it; the
 * others are ended then too.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/sim/calm_plan.h"
#include "tests/sim/mount_plan.h"

enum {
    JOBS_MAX = 64
};

struct args {
    struct sim_options opt;
    uint64_t first, seeds, seconds, jobs;
    bool one, digests;
    struct sim_outcome (*plan)(uint64_t seed, const struct sim_options *opt);
    time_t start;
};

struct sums {
    uint64_t seeds, ops;
};

static int usage(void)
{
    fprintf(stderr, "usage: sim [--first N] [--seeds COUNT | --seconds S] [--jobs N]\n"
                    "           [--nodes N] [--ops N] [--mounts | --calm | --aged]\n"
                    "       sim [--mounts | --calm | --aged] --seed N [--trace]\n"
                    "--nodes and --ops fix what a seed else chooses; --digests 1 prints one of\n"
                    "each seed's messages, stores and answers; with --mounts the seeds are\n"
                    "those of clusters with mounts, with --calm of mounts that nothing disturbs,\n"
                    "with --aged of clusters that live long\n");
    return 2;
}

static void print(uint64_t seed, const struct sim_outcome *o)
{
    printf("seed %llu: %d nodes, %llu faults, %llu requests, %llu failed, %llu messages, "
           "%llu repairs, %llu write-backs, digest %016llx\n",
           (unsigned long long)seed, o->nodes, (unsigned long long)o->faults,
           (unsigned long long)o->ops, (unsigned long long)o->failed,
           (unsigned long long)o->messages, (unsigned long long)o->count.read_repairs,
           (unsigned long long)o->count.write_backs, (unsigned long long)o->digest);
}

/* A panic of the core knows nothing of seeds. */
static uint64_t running;
static const char *kind = "";

/* "--mounts" and the like: a kind of seeds. */
static bool is_kind(struct args *a, const char *arg)
{
    if (strcmp(arg, "--mounts") == 0)
        a->plan = mount_plan_run;
    else if (strcmp(arg, "--calm") == 0)
        a->plan = calm_plan_run;
    else if (strcmp(arg, "--aged") == 0)
        a->opt.aged = true;
    else
        return false;
    kind = arg;
    return true;
}

static bool parse(struct args *a, int argc, char **argv)
{
    for (int i = 1; i < argc; i += 2) {
        uint64_t value = i + 1 < argc ? strtoull(argv[i + 1], NULL, 0) : 0;

        if (strcmp(argv[i], "--trace") == 0) {
            a->opt.trace = true;
            i--;
            continue;
        }
        if (is_kind(a, argv[i])) {
            i--;
            continue;
        }
        if (i + 1 == argc)
            return false;
        if (strcmp(argv[i], "--seed") == 0)
            a->first = value, a->seeds = 1, a->one = true;
        else if (strcmp(argv[i], "--first") == 0)
            a->first = value;
        else if (strcmp(argv[i], "--seeds") == 0)
            a->seeds = value;
        else if (strcmp(argv[i], "--seconds") == 0)
            a->seconds = value, a->seeds = UINT64_MAX;
        else if (strcmp(argv[i], "--jobs") == 0)
            a->jobs = value;
        else if (strcmp(argv[i], "--nodes") == 0)
            a->opt.nodes = (int)value;
        else if (strcmp(argv[i], "--ops") == 0)
            a->opt.ops = value;
        else if (strcmp(argv[i], "--digests") == 0)
            a->digests = value;
        else
            return false;
    }
    return a->jobs >= 1 && a->jobs <= JOBS_MAX && a->opt.nodes <= SIM_NODES;
}

static void on_panic(void)
{
    fprintf(stderr, "replay: build/release/tests/sim/sim %s --seed %llu\n", kind,
            (unsigned long long)running);
}

static struct sums run(const struct args *a, uint64_t job)
{
    struct sums sums = {0};

    for (uint64_t i = job; i < a->seeds; i += a->jobs) {
        struct sim_outcome o;

        if (a->seconds && (uint64_t)(time(NULL) - a->start) >= a->seconds)
            break;
        running = a->first + i;
        o = a->plan(running, &a->opt);
        sums.seeds++;
        sums.ops += o.ops;
        if (a->one)
            print(a->first, &o);
        if (a->digests)
            printf("seed %llu digest %016llx\n", (unsigned long long)(a->first + i),
                   (unsigned long long)o.digest);
    }
    return sums;
}

/* One process a job; each writes its sums into the pipe. False: one of them failed. */
static bool run_jobs(const struct args *a, struct sums *sums)
{
    struct sums part;
    pid_t child[JOBS_MAX];
    int pipes[2], status;
    bool good = true;

    if (pipe(pipes) < 0)
        return false;
    for (uint64_t i = 0; i < a->jobs; i++) {
        child[i] = fork();
        if (child[i] == 0) {
            part = run(a, i);
            _exit(write(pipes[1], &part, sizeof(part)) == sizeof(part) ? 0 : 1);
        }
        good = good && child[i] > 0;
    }
    close(pipes[1]);
    while (wait(&status) > 0) {
        if (status == 0)
            continue;
        for (uint64_t i = 0; good && i < a->jobs; i++)
            kill(child[i], SIGTERM);
        good = false;
    }
    while (read(pipes[0], &part, sizeof(part)) == sizeof(part)) {
        sums->seeds += part.seeds;
        sums->ops += part.ops;
    }
    close(pipes[0]);
    return good;
}

int main(int argc, char **argv)
{
    struct args a = {
        .first = 1, .seeds = 100, .jobs = 1, .plan = sim_plan_run, .start = time(NULL)};
    struct sums sums = {0};

    if (!parse(&a, argc, argv))
        return usage();
    nwr_panic_hook(on_panic);
    if (a.jobs == 1)
        sums = run(&a, 0);
    else if (!run_jobs(&a, &sums))
        return 1;
    printf("ok 1 - %llu seeds from %llu, %llu requests\n", (unsigned long long)sums.seeds,
           (unsigned long long)a.first, (unsigned long long)sums.ops);
    return 0;
}
