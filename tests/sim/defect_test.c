/* defect_test.c -- every oracle can fail: a cluster with one defect, and who finds it.
 *
 * A seed runs in a process of its own, since an oracle that fails ends it. A defect is found
 * within a few seeds, by the oracle that it is for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/sim/calm_plan.h"
#include "tests/sim/mount_plan.h"

enum {
    SEEDS = 30
};

/* What a seed says before it fails; "" when it does not. */
static void run_seed(struct sim_outcome (*run)(uint64_t, const struct sim_options *), uint64_t seed,
                     enum sim_defect defect, char *said, size_t room)
{
    const struct sim_options opt = {.defect = defect};
    size_t at = 0;
    ssize_t n;
    int pipes[2];
    pid_t child;

    assert_int_equal(pipe(pipes), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(pipes[1], STDERR_FILENO);
        close(pipes[1]);
        run(seed, &opt);
        _exit(0);
    }
    close(pipes[1]);
    while (at + 1 < room && (n = read(pipes[0], said + at, room - 1 - at)) > 0)
        at += (size_t)n;
    said[at] = 0;
    close(pipes[0]);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

static void is_found_by(struct sim_outcome (*run)(uint64_t, const struct sim_options *),
                        uint64_t first, enum sim_defect defect, const char *oracle)
{
    char said[65536];

    for (uint64_t seed = first; seed < first + SEEDS; seed++) {
        run_seed(run, seed, defect, said, sizeof(said));
        if (strstr(said, oracle)) {
            assert_non_null(strstr(said, "replay: build/release/tests/sim/sim --"));
            return;
        }
        if (said[0])
            print_message("seed %u said instead: %.200s", (unsigned)seed, said);
    }
    fail_msg("%s never failed", oracle);
}

static void is_found(enum sim_defect defect, const char *oracle)
{
    is_found_by(sim_plan_run, 1, defect, oracle);
}

static void is_found_at_mounts(enum sim_defect defect, const char *oracle)
{
    is_found_by(mount_plan_run, 1, defect, oracle);
}

static void an_acknowledgement_of_a_failed_write_is_found_as_lost(void **state)
{
    (void)state;
    is_found(SIM_ACKS_FAILED, "[lost]");
}

static void a_sibling_removed_unseen_is_found_as_lost(void **state)
{
    (void)state;
    is_found(SIM_REPLACES_ALL, "[lost]");
}

static void a_dot_given_twice_is_found_as_lost(void **state)
{
    (void)state;
    is_found(SIM_SAME_ACTOR, "[lost]");
}

static void quorums_that_do_not_meet_are_found_as_lost(void **state)
{
    (void)state;
    is_found(SIM_WEAK_QUORUM, "[lost]");
}

static void a_refused_write_that_is_there_is_found_as_invented(void **state)
{
    (void)state;
    is_found(SIM_REFUSES_DONE, "[invented]");
}

static void other_bytes_are_found_as_invented(void **state)
{
    (void)state;
    is_found(SIM_GARBLES, "[invented]");
}

static void a_coordinator_that_replaces_nothing_is_found_as_returned(void **state)
{
    (void)state;
    is_found(SIM_FORGETS_SEEN, "[returned]");
}

static void a_replica_that_stores_nothing_it_is_sent_is_found_to_differ(void **state)
{
    (void)state;
    is_found(SIM_SKIPS_MERGES, "[differ]");
}

static void lost_bytes_of_blocks_are_found(void **state)
{
    (void)state;
    is_found(SIM_LOSES_BLOCKS, "[block]");
}

static void leaked_bytes_of_blocks_are_found(void **state)
{
    (void)state;
    is_found(SIM_LEAKS_BLOCKS, "[block]");
}

static void two_answers_to_one_request_are_found(void **state)
{
    (void)state;
    is_found(SIM_ANSWERS_TWICE, "[reply]");
}

static void a_request_without_an_answer_is_found(void **state)
{
    (void)state;
    is_found(SIM_NEVER_ANSWERS, "[reply]");
}

static void hints_that_go_nowhere_are_found(void **state)
{
    (void)state;
    is_found_by(sim_plan_run, SIM_HARSH, SIM_DROPS_HINTS, "[live]");
}

/* ---- clusters with mounts ------------------------------------------------------------------- */

static void names_that_one_mount_does_not_see_are_found(void **state)
{
    (void)state;
    is_found_at_mounts(SIM_HIDES_NAMES, "[tree]");
}

static void an_acknowledgement_of_a_failed_write_is_found_at_a_mount(void **state)
{
    (void)state;
    is_found_at_mounts(SIM_ACKS_FAILED, "[content]");
}

static void a_coordinator_that_replaces_nothing_is_found_at_a_mount(void **state)
{
    (void)state;
    is_found_at_mounts(SIM_FORGETS_SEEN, "[content]");
}

static void a_disk_that_never_syncs_is_found_by_what_fsync_promised(void **state)
{
    (void)state;
    /* Most of what is lost so is written again before anybody looks: one of some 200 seeds. */
    is_found_by(mount_plan_run, SIM_HARSH + 200, SIM_NEVER_SYNCS, "[content]");
}

static void other_bytes_are_found_at_a_mount(void **state)
{
    (void)state;
    is_found_at_mounts(SIM_SHOWS_OTHER, "[invented]");
}

static void an_error_without_a_cause_is_found(void **state)
{
    (void)state;
    is_found_at_mounts(SIM_BREAKS_READS, "[errno]");
}

static void two_replies_to_one_call_are_found(void **state)
{
    (void)state;
    is_found_at_mounts(SIM_REPLIES_TWICE, "[reply]");
}

static void a_call_without_a_reply_is_found(void **state)
{
    (void)state;
    is_found_at_mounts(SIM_NEVER_REPLIES, "[reply]");
}

static void a_name_that_a_mount_does_not_see_is_missed(void **state)
{
    (void)state;
    is_found_by(calm_plan_run, 1, SIM_HIDES_NAMES, "[plain]");
}

static void other_bytes_are_no_plain_file(void **state)
{
    (void)state;
    is_found_by(calm_plan_run, 1, SIM_SHOWS_OTHER, "[plain]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_acknowledgement_of_a_failed_write_is_found_as_lost),
        cmocka_unit_test(a_sibling_removed_unseen_is_found_as_lost),
        cmocka_unit_test(a_dot_given_twice_is_found_as_lost),
        cmocka_unit_test(quorums_that_do_not_meet_are_found_as_lost),
        cmocka_unit_test(a_refused_write_that_is_there_is_found_as_invented),
        cmocka_unit_test(other_bytes_are_found_as_invented),
        cmocka_unit_test(a_coordinator_that_replaces_nothing_is_found_as_returned),
        cmocka_unit_test(a_replica_that_stores_nothing_it_is_sent_is_found_to_differ),
        cmocka_unit_test(lost_bytes_of_blocks_are_found),
        cmocka_unit_test(leaked_bytes_of_blocks_are_found),
        cmocka_unit_test(two_answers_to_one_request_are_found),
        cmocka_unit_test(a_request_without_an_answer_is_found),
        cmocka_unit_test(hints_that_go_nowhere_are_found),
        cmocka_unit_test(names_that_one_mount_does_not_see_are_found),
        cmocka_unit_test(an_acknowledgement_of_a_failed_write_is_found_at_a_mount),
        cmocka_unit_test(a_coordinator_that_replaces_nothing_is_found_at_a_mount),
        cmocka_unit_test(a_disk_that_never_syncs_is_found_by_what_fsync_promised),
        cmocka_unit_test(other_bytes_are_found_at_a_mount),
        cmocka_unit_test(an_error_without_a_cause_is_found),
        cmocka_unit_test(two_replies_to_one_call_are_found),
        cmocka_unit_test(a_call_without_a_reply_is_found),
        cmocka_unit_test(a_name_that_a_mount_does_not_see_is_missed),
        cmocka_unit_test(other_bytes_are_no_plain_file),
    };

    return cmocka_run_group_tests_name("defect", tests, NULL, NULL);
}
