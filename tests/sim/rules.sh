#!/usr/bin/env bash
# rules.sh -- each rule of DESIGN 5, 6 and 7, switched off, lets a scenario or a seed fail.
#
# The rules are named, and switched, in net/core/rules.h. A line below says which program notices,
# and by what: a scenario's name, or the oracle that a seed falls to.
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
GOES_ON story_test a_put_is_applied_here_first_and_answered_when_w_have_it
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
HINT_BOUND handoff_test at_the_bound_no_more_is_kept_and_that_is_counted
HINT_KEPT handoff_test a_replica_gets_what_it_missed_without_being_read
HINT_OUTLIVES handoff_test hints_outlive_a_crash_of_their_holder
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
ERASED reshape_test a_member_of_little_weight_gives_its_groups_away_and_erases_them
MAJORITY_OF_M decide_test where_members_are_fewer_than_n_a_majority_of_them_is_enough
MOVES_LEAST decide_test a_node_that_joins_moves_only_what_it_takes_over
WEIGHTED reshape_test a_member_of_little_weight_gives_its_groups_away_and_erases_them
SEAT reshape_test a_dead_member_is_replaced_and_only_its_groups_move
ORDINAL_SPENT join_test a_node_that_never_finishes_joining_is_dropped_and_its_ordinal_spent
GIVEN_UP join_test a_node_that_never_finishes_joining_is_dropped_and_its_ordinal_spent
FORCE reshape_test where_a_majority_is_gone_for_good_force_goes_on_with_one
PROMISE_KEPT register_history_test every_history_is_linearizable
ACCEPT_KEPT decide_test two_that_propose_at_once_decide_one_ring
MAJORITY decide_test two_that_propose_at_once_decide_one_ring
NEWEST_COUNTS register_history_test every_history_is_linearizable
TAKEN_OVER decide_test what_was_decided_is_what_the_next_who_proposes_finds
REGISTER_STORED decide_test what_was_decided_is_what_the_next_who_proposes_finds
REGISTER_EPOCH decide_test who_proposes_what_was_decided_long_ago_gets_nothing
BALLOT_ONCE decide_test two_that_propose_at_once_decide_one_ring
JOINER_NO_VOTE join_test while_joint_a_write_waits_for_the_list_to_come
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
PROBE members_test a_silent_member_is_suspect_then_down_and_up_when_it_is_back
PROBE_HELPED members_test others_vouch_for_a_member_whose_direct_way_is_cut
SUSPECT_FIRST members_test a_suspect_that_can_speak_again_is_up_and_never_was_down
SUSPECT_TOLD members_test a_suspect_that_can_speak_again_is_up_and_never_was_down
OUTBID members_test a_suspect_that_can_speak_again_is_up_and_never_was_down
ACCUSER_ALONE members_test confirmations_shorten_it_and_each_accuser_counts_once
LOCAL_HEALTH members_test bad_health_makes_a_node_wait_longer
LATE_WAKE members_test who_was_stopped_accuses_nobody_when_it_goes_on
NEWS_TOLD_ON gossip_test a_hundred_nodes_probe_one_a_period
GOSSIP_TEACHES decide_test who_did_not_hear_of_a_ring_is_taught
COMPARED repair_test a_node_that_was_away_gets_what_it_missed_without_any_read
CELLS repair_test bytes_follow_the_difference_and_not_the_records
RANGES repair_test [differ]
BOTH_WAYS repair_test writes_on_both_sides_of_a_cut_end_as_siblings_on_all
PAUSES handoff_test a_delivery_leaves_pauses_while_there_is_other_work
DIGEST_KEPT repair_test a_node_that_was_away_gets_what_it_missed_without_any_read
BLOCKS_FIRST supply_test a_replica_that_missed_the_blocks_gets_them_with_the_batch
SUPPLIED supply_test a_replica_that_missed_the_blocks_gets_them_with_the_batch
BLOCK_ELSEWHERE replicator_test a_rotten_block_comes_from_another_replica
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
SCRUB_COMPARES scrub_test all_that_rotted_on_one_node_is_fetched_from_the_others
SCRUB_FETCHES scrub_test all_that_rotted_on_one_node_is_fetched_from_the_others
SCRUB_QUORUM scrub_test groups_in_doubt_are_fetched_after_a_restart_without_being_asked
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
