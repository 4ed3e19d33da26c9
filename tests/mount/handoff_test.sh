#!/usr/bin/env bash
# handoff_test.sh -- five nodes, n=3 w=2 r=2: with two of a group's three nodes killed, a directory
# with sloppy=on stays writable; when they are back they get what was kept for them.
. "$(dirname "$0")/../lib/mount.sh"
need_fuse
need jq

MA=$T/mnt.a MB=$T/mnt.b
export MA MB
node a mount --n 3 --w 2 --r 2 "$MA" && node b mount --join "$(address a)" "$MB" &&
    node c serve --join "$(address a)" && node d serve --join "$(address a)" &&
    node e serve --join "$(address a)" && ok five_nodes_form_a_volume || {
    fail five_nodes_form_a_volume
    exit 1
}
NAMES=(- a b c d e)

status() { "$NWRFS" status --data "$T/$1" --json; }
members_up() { [ "$(status "$1" | jq '[.members[] | select(.state == "up")] | length')" = "$2" ]; }
# hints_of NODE... -- what these keep for others, together.
hints_of() { for n in "$@"; do status "$n"; done | jq -s '[.[].members[].hints] | add'; }
hints_are() {
    local want=$1
    shift
    [ "$(hints_of "$@")" = "$want" ]
}
list_of() { "$NWRFS" why "$1" --json | jq -r '.list[]'; }

for n in a b c d e; do eventually 15 members_up $n 5; done
"$NWRFS" set "$MA" sloppy=on
equal a_directory_takes_sloppy_over "sloppy=on" \
    "$(mkdir "$MA/d1" && "$NWRFS" get "$MA/d1" | grep sloppy)"
for i in $(seq 2 16); do mkdir "$MA/d$i"; done
for i in $(seq 1 16); do mkdir "$MA/s$i" && "$NWRFS" set "$MA/s$i" sloppy=off; done

# Most of these are coordinated by another node; a record would otherwise keep a write_id each time.
try a_file_that_is_written_again_and_again_keeps_its_record_small <<'END'
for i in $(seq 1 16); do
    for k in $(seq 1 20); do echo "$k" >"$MA/d$i/again"; done
    same 0 "$("$NWRFS" why "$MA/d$i/again" --json | jq '[.. | .retired? // 0] | add')"
    rm "$MA/d$i/again"
done
END

# A group that two of c, d, e hold; then a strict directory that the same two hold.
has() { list_of "$1" | grep -qx "$2"; }
pick() { # PREFIX ORDINAL ORDINAL
    for i in $(seq 1 16); do
        has "$MA/$1$i" "$2" && has "$MA/$1$i" "$3" && echo "$1$i" && return 0
    done
    return 1
}
D='' S=''
for pair in "3 4" "3 5" "4 5"; do
    # shellcheck disable=SC2086
    D=$(pick d $pair) && S=$(pick s $pair) && break
done
[ -n "$D" ] && [ -n "$S" ] && ok a_group_of_two_others_is_found || {
    fail a_group_of_two_others_is_found
    exit 1
}
read -r one two <<<"$pair"
one=${NAMES[$one]} two=${NAMES[$two]}
alive=()
for n in a b c d e; do [ $n = "$one" ] || [ $n = "$two" ] || alive+=($n); done
export D S

echo before >"$MA/$D/old"
# A mount goes by the policies it has seen: the other one looks while it can.
equal the_other_mount_has_been_there before "$(cat "$MB/$D/old")"
kill9 "$one"
kill9 "$two"
eventually 20 members_up a 3 && ok two_are_seen_to_be_gone || fail two_are_seen_to_be_gone
try the_directory_stays_writable <<'END'
for i in $(seq 1 40); do echo "text $i" >"$MA/$D/f$i"; done
head -c 3000000 /dev/urandom >"$T/big"
cp "$T/big" "$MA/$D/big"
mkdir "$MA/$D/sub"
echo inside >"$MA/$D/sub/file"
END
try the_other_mount_sees_it <<'END'
same "text 7" "$(cat "$MB/$D/f7")"
cmp "$T/big" "$MB/$D/big"
same 43 "$(ls "$MB/$D" | wc -l)"
END
try without_sloppy_it_fails <<'END'
no sh -c 'echo x >"$MA/$S/f"' 2>/dev/null
END
[ "$(hints_of "${alive[@]}")" -gt 40 ] && ok hints_are_seen_in_status ||
    fail hints_are_seen_in_status "$(status a)"
waits='[.replicas[], .others[] | .hints // [] | .[].hints] | add > 0'
equal why_shows_what_waits true "$("$NWRFS" why "$MA/$D/f1" --json | jq "$waits")"
again "$one"
again "$two"
eventually 60 hints_are 0 "${alive[@]}" "$one" "$two" && ok hints_go_to_zero_by_themselves ||
    fail hints_go_to_zero_by_themselves "$(for n in "${alive[@]}"; do status "$n"; done)"
try every_replica_has_it <<'END'
for i in $(seq 1 40); do
    "$NWRFS" why "$MA/$D/f$i" --json >"$T/why"
    same true "$(jq '[.replicas[] | .versions // [] | length > 0] | all and length == 3' "$T/why")"
done
END
# The third of the group goes: what is read now comes from the two that were away.
for o in $(list_of "$MA/$D"); do
    n=${NAMES[$o]}
    case $n in
        a | b | "$one" | "$two") ;;
        *) kill9 "$n" ;;
    esac
done
try the_two_that_were_away_serve_it <<'END'
same "text 9" "$(cat "$MA/$D/f9")"
cmp "$T/big" "$MA/$D/big"
same before "$(cat "$MA/$D/old")"
same inside "$(cat "$MB/$D/sub/file")"
echo strict >"$MA/$S/f"
END
exit "$FAILED"
