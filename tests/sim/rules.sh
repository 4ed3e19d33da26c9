#!/usr/bin/env bash
# rules.sh -- each rule of DESIGN 5, 6 and 7, switched off, lets a scenario or a seed fail.
#
# The rules are named, and switched, in net/core/rules.h. A line below says which program of
# tests/sim notices, and by what: a scenario's name, or the oracle that a seed falls to.
set -u
bin=${1:-build/release/rules}
n=0 bad=0

# notices PROGRAM EXPECTED [ARGS] -- under the rule that $NWR_RULE_OFF switches off.
notices() {
    local how=-xE what="not ok [0-9]+ - $2"
    case $2 in \[*) how=-F what=$2 ;; esac
    # The program ends when it has said that: nobody reads on.
    CMOCKA_MESSAGE_OUTPUT=TAP timeout 120 stdbuf -oL "$bin/$1" ${3:-} 2>&1 |
        grep -aqm1 $how -- "$what"
}

while read -r rule program expected args; do
    n=$((n + 1))
    if NWR_RULE_OFF=$rule notices "$program" "$expected" "$args"; then
        echo "ok $n - without $rule: $expected"
    else
        echo "not ok $n - without $rule nothing is noticed ($program $args)"
        bad=1
    fi
    seen="${seen:-} $rule "
done <<'TABLE'
W_OF_N sim [lost] --seeds 20
LEVEL replicator_test what_is_acknowledged_on_disk_survives_power_loss_everywhere
R_OF_N sim [lost] --seed 1
WRITE_BACK sim [lost] --first 20 --seeds 10
OWN_BEHIND replicator_test who_could_not_store_a_write_does_not_answer_its_own_mount_alone
READ_REPAIR replicator_test a_plain_read_heals_a_replica_that_was_away
SAME_WRITE replicator_test a_silent_coordinator_is_replaced_and_the_write_is_one_write
IN_DOUBT sim [invented] --seeds 10
ASK_ALL replicator_test a_silent_replica_delays_no_read
NEXT_COORDINATOR replicator_test a_silent_coordinator_delays_no_forwarded_read
DEADLINE sim [reply] --first 15 --seeds 30
STRICT handoff_test with_two_of_three_replicas_dead_a_sloppy_write_goes_on
SPARES_YIELD handoff_test nodes_that_stand_in_do_not_outvote_a_replica
HINT_ROOM handoff_test a_node_whose_room_for_hints_is_full_cannot_count
HINT_ACTOR handoff_test a_node_that_stood_in_twice_does_not_hide_its_first_write
HINT_UNTIL_DISK handoff_test a_hint_ends_only_when_the_target_has_it_on_disk
HINT_LATE handoff_test a_write_under_way_when_its_replica_dies_is_kept_too
HINT_FOLLOWS handoff_test what_is_kept_for_one_that_was_removed_goes_to_those_who_hold_it
STAND_IN_LISTS handoff_test a_sloppy_write_while_the_ring_changes_reaches_those_who_hold_it_then
HAND_OVER handoff_test what_came_to_a_node_that_leaves_is_handed_to_those_who_stay
HAND_OVER_DISK leave_test what_is_erased_is_on_the_disks_of_a_quorum
HINTS_FIRST leave_test a_hint_is_delivered_before_what_it_names_is_erased
LEAVER_HANDS_OVER leave_test a_node_that_is_removed_hands_over_what_it_stood_in_for
LEAVER_TAKES_NONE leave_test a_node_that_leaves_takes_nothing_more_for_others
OLD_EPOCH joint_test a_write_begun_under_an_older_ring_counts_by_the_new_one
NEW_EPOCH joint_test a_copy_is_made_of_replicas_that_refuse_the_older_ring
RING_STORED join_test a_restarted_member_knows_the_ring_by_itself
JOINT_W join_test while_joint_a_write_waits_for_the_list_to_come
JOINT_R joint_test what_was_read_while_the_ring_is_joint_does_not_vanish
PLACED_AGAIN joint_test a_write_begun_under_an_older_ring_counts_by_the_new_one
BARRIER reshape_test with_w_n_a_dead_member_must_be_given_up_by_force
ALL_COPIED join_test a_joining_node_copies_records_and_blocks_first
COPY_QUORUM joint_test a_copy_is_of_enough_replicas_to_meet_every_write
COPY_ALL_UP joint_test a_copy_is_of_all_replicas_that_are_there
DIGEST_KEPT repair_test a_node_that_was_away_gets_what_it_missed_without_any_read
BLOCKS_FIRST supply_test a_replica_that_missed_the_blocks_gets_them_with_the_batch
KEPT_SETTLED ancestor_test siblings_have_the_base_they_come_from
KEPT_SECOND ancestor_test siblings_have_the_base_they_come_from
KEPT_SINGLE ancestor_test siblings_have_the_base_they_come_from
KEPT_DIGEST ancestor_test siblings_have_the_base_they_come_from
KEPT_DROPPED ancestor_test a_base_has_its_blocks_until_its_successor_is_below_the_floor
KEPT_BLOCKS ancestor_test a_conflict_keeps_its_base_with_its_blocks_until_it_is_over
KEPT_WAITS ancestor_test what_is_kept_and_came_without_its_blocks_delays_no_write
CLOCK_EQUAL sim [lost] --aged --seeds 30
CLOCK_LOST floor_test a_group_that_leaves_a_node_and_comes_again_brings_nothing_back
FLOOR_OF_ALL confirm_test tombstones_stay_for_a_member_that_is_away
FLOOR_LEAST confirm_test tombstones_stay_for_a_member_that_says_it_is_behind
FLOOR_SETTLED confirm_test tombstones_stay_while_a_ring_is_joint
CONFIRM_DISK confirm_test what_a_member_confirmed_survives_power_loss
CONFIRM_FORGOTTEN confirm_test what_was_confirmed_before_an_absence_is_asked_again
FLOOR_COVERED floor_test an_old_disk_keeps_what_was_written_beside_what_was_deleted
FLOOR_REFUSES sim [returned] --aged --seed 23
BEHIND_DROPS floor_test an_old_disk_brings_nothing_back
READ_FLOORS floor_test an_old_disk_does_not_outvote_what_was_deleted
UNKNOWN scrub_test what_has_no_good_copy_is_said_and_never_shown
FORGET_ALL scrub_test it_stays_while_one_that_may_have_it_is_away_and_comes_from_there
DOUBT scrub_test a_group_that_lost_records_answers_only_when_it_has_them_again
FOLD_ALL floor_test a_removal_without_a_version_reaches_who_was_away
FOLD_PAST floor_test overwriting_with_restarts_leaves_no_trace
RETIRED_STAYS sim [differ] --aged --seed 65
REMOVAL_DOT floor_test a_removal_without_a_version_reaches_who_was_away
TABLE

for rule in $(sed -nE 's/^ *X\(([A-Z_]+),.*/\1/p' net/core/rules.h); do
    case $seen in
    *" $rule "*) ;;
    *)
        n=$((n + 1)) bad=1
        echo "not ok $n - $rule is in no line of rules.sh"
        ;;
    esac
done
exit $bad
