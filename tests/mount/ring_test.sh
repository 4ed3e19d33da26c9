#!/usr/bin/env bash
# ring_test.sh -- members come, go and are replaced while two mounts are in use: no call fails,
# nothing is lost, and what left a node is erased there.
# sanitizers: yes
. "$(dirname "$0")/../lib/mount.sh"
need_fuse
need jq

three_nodes 2 2 || {
    fail three_nodes_form_a_volume "see above"
    exit 1
}
export MA MB
ring() { "$NWRFS" ring list --data "$T/a" --json; }
members() { ring | jq -c '[.members[].ordinal]'; }
export -f ring members

# A workload on both mounts until $T/enough is there: every file is read back through the other.
cat >"$T/work" <<'END'
set -eu
i=0
for k in $(seq 0 19); do mkdir -p "$MA/w/$k"; done
until [ -e "$T/enough" ]; do
    i=$((i + 1))
    d=$((i % 20))
    head -c $((i % 7 * 30000 + 10)) /dev/urandom >"$T/piece"
    cp "$T/piece" "$MA/w/$d/f$i"
    cmp "$T/piece" "$MB/w/$d/f$i"
    echo "$i" >"$MB/w/last"
    [ "$(cat "$MA/w/last")" = "$i" ]
    [ $((i % 3)) != 0 ] || rm "$MB/w/$d/f$i"
    sha256sum <"$T/piece" >"$T/sums/$i"
    echo "$i" >"$T/worked"
done
END
mkdir "$T/sums"
bash "$T/work" >"$T/work.out" 2>&1 &
WORKER=$!
worker_gone() { wait "$WORKER" 2>/dev/null; }
AT_END+=(worker_gone)
progress() { # the workload goes on: more files than before
    local before
    before=$(cat "$T/worked" 2>/dev/null || echo 0)
    eventually 30 eval '[ "$(cat "$T/worked" 2>/dev/null || echo 0)" -gt '"$((before + 2))"' ]'
}
check the_workload_runs progress

node d serve --join "$(address a)" || fail a_fourth_node_joins
node e serve --join "$(address b)" || fail a_fifth_node_joins_through_another_member
equal five_are_members '[1,2,3,4,5]' "$(members)"
check work_goes_on_with_five progress

export C_PID
C_PID=$(node_pid c)
try a_member_is_removed_and_says_so <<'END'
"$NWRFS" ring remove 3 --data "$T/a" --wait
same '[1,2,4,5]' "$(members)"
same false "$(ring | jq .joint)"
END
check a_removed_node_stops eventually 20 gone "$C_PID"
refuse a_removed_node_does_not_start_again 'was removed' "$NWRFS" serve --data "$T/c"
check work_goes_on_without_it progress

kill9 d
D=127.0.0.1:$((20000 + $$ % 20000))
export D
try a_dead_member_waits_for_its_replacement <<'END'
"$NWRFS" ring replace 4 "$D" --data "$T/b" >/dev/null
same 4 "$(ring | jq .replaced)"
END
node f serve --listen "$D" --join "$(address a)" || fail its_replacement_joins
equal the_replacement_has_its_place '[1,2,5,6]' "$(members)"
check work_goes_on_with_the_replacement progress

try a_member_of_little_weight_gives_its_groups_away <<'END'
"$NWRFS" ring weight 5 1 "$MA" --wait
same 1 "$(ring | jq '.members[] | select(.ordinal == 5) | .weight')"
END
erased() { [ "$("$NWRFS" status --data "$T/e" --json | jq .counters.pgs_erased)" -gt 3 ]; }
check what_left_a_node_is_erased_there eventually 60 erased

try n_goes_to_two_and_back <<'END'
"$NWRFS" ring n 2 "$MB"
"$NWRFS" ring list --wait "$MA" >"$T/said" # for a change that somebody else asked for
no grep -q changing "$T/said"
same 2 "$("$NWRFS" status "$MA" --json | jq .n)"
"$NWRFS" ring n 3 "$MB" --wait
same 3 "$("$NWRFS" status "$MA" --json | jq .n)"
END
check work_goes_on_all_the_while progress

touch "$T/enough"
wait "$WORKER"
equal no_call_failed 0 $?
detail "$T/work.out" 5

try nothing_is_lost_and_what_was_removed_stays_removed <<'END'
for sum in "$T"/sums/*; do
    i=${sum##*/}
    if [ $((i % 3)) = 0 ]; then
        test ! -e "$MA/w/$((i % 20))/f$i"
    else
        same "$(cat "$sum")" "$(sha256sum <"$MB/w/$((i % 20))/f$i")"
    fi
done
END

check replicas_are_equal_in_the_end repaired --data "$T/a"

refuse an_ordinal_that_no_member_has_is_refused 'no member has' \
    "$NWRFS" ring remove 99 --data "$T/a"
refuse an_ordinal_that_is_no_number_is_refused 'remove: abc: an ordinal is 1 to 999' \
    "$NWRFS" ring remove abc --data "$T/a"
refuse a_word_too_many_in_an_ordinal_is_refused 'an ordinal is 1 to 999' \
    "$NWRFS" ring remove '1 force' --data "$T/a"
refuse a_weight_that_is_no_number_is_refused 'abc: a weight is 1 to 65535' \
    "$NWRFS" ring weight 1 abc --data "$T/a"
refuse an_n_that_is_no_number_is_refused '2x: n is 1 to 7' "$NWRFS" ring n 2x --data "$T/a"
refuse nobody_can_be_expected_at_every_address '0\.0\.0\.0:7000: no node can be reached there' \
    "$NWRFS" ring replace 5 0.0.0.0:7000 --data "$T/a"
refuse nor_at_no_port '127\.0\.0\.1:0: no node can be reached' \
    "$NWRFS" ring replace 5 127.0.0.1:0 --data "$T/a"
refuse nor_at_no_address 'nonsense: not of the form' "$NWRFS" ring add nonsense --data "$T/a"
refuse who_is_a_member_is_not_added 'a member is there already' \
    "$NWRFS" ring add "$(address a)" --data "$T/a"
refuse a_weight_of_zero_is_refused 'weight is 1' "$NWRFS" ring weight 1 0 --data "$T/a"
refuse an_n_of_eight_is_refused 'n is 1 to 7' "$NWRFS" ring n 8 --data "$T/a"
refuse n_as_it_is_is_refused 'already' "$NWRFS" ring n 3 --data "$T/a"
refuse a_used_address_replaces_nobody 'has that address' \
    "$NWRFS" ring replace 5 "$(address a)" --data "$T/a"

halt f
halt e
try where_a_majority_is_gone_for_good_force_goes_on <<'END'
"$NWRFS" umount "$MB"
no "$NWRFS" ring remove 5 --data "$T/a" 2>"$T/why"
grep -q majority "$T/why"
"$NWRFS" ring remove 5 --force --data "$T/a" 2>"$T/why"
grep -q 'given up' "$T/why"
"$NWRFS" ring remove 6 --force --data "$T/a"
"$NWRFS" ring remove 2 --force --data "$T/a" --wait
same '[1]' "$(members)"
echo alone >"$MA/alone"
same alone "$(cat "$MA/alone")"
END
