#!/usr/bin/env bash
# cluster_test.sh -- five machines, N=3, a key, and two programs that keep a book of what they were
# told (lib/workload.py), while nodes are cut off, frozen, killed, replaced with an empty disk,
# added and removed. In the end nothing is lost, nothing removed is back, replicas are equal.
# long: yes
. "$(dirname "$0")/../lib/cluster.sh"
. "$(dirname "$0")/../lib/book.sh"
need_fuse
need jq
LIMIT=120
MA=$T/mnt.a MB=$T/mnt.b
export MA MB
start() { # NAME KIND ARGS... -- a node on its machine
    # shellcheck disable=SC2046
    node "$1" "$2" $(listen "$1") "${@:3}"
}
status() { "$NWRFS" status --data "$T/a" --json; }
state_is() { [ "$(status | jq -r ".members[] | select(.ordinal == $1) | .state")" = "$2" ]; }
members() { status | jq -c '[.members[].ordinal]'; }

for m in a:1 b:2 c:3 d:4 e:5 f:6 g:7 h:8; do machine "${m%:*}" "${m#*:}"; done
start a mount --n 3 --w 2 --r 2 "$MA" && start b mount --join 10.77.0.1:7000 "$MB" &&
    start c serve --join 10.77.0.1:7000 && start d serve --join 10.77.0.2:7000 &&
    start e serve --join 10.77.0.3:7000 || {
    fail five_machines_form_a_volume "see above"
    exit 1
}
equal five_machines_form_a_volume '[1,2,3,4,5]' "$(members)"

books_open
sleep 1

part c
check status_says_who_is_cut_off eventually 15 state_is 3 down
heal c
check status_says_who_is_back eventually 15 state_is 3 up
cut_off a d # one way: what a sends does not arrive
sleep 4
heal d
part b # a mount's own node: its program is refused for a while
sleep 5
heal b
freeze e
sleep 3
thaw e
kill9 d
sleep 1
check a_killed_node_comes_back again d

kill9 e
rm -rf "$T/e"
try a_node_without_its_disk_is_replaced <<'END'
"$NWRFS" ring replace 5 10.77.0.6:7000 --data "$T/a" >/dev/null
END
check the_replacement_starts_empty start f serve --join 10.77.0.1:7000
check a_machine_is_added start g serve --join 10.77.0.2:7000
check another_machine_is_added start h serve --join 10.77.0.4:7000
try a_machine_is_removed <<'END'
"$NWRFS" ring remove 3 --data "$T/a" --wait >/dev/null
END
equal the_members_are_who_they_should_be '[1,2,4,6,7,8]' "$(members)"
sleep 1

books_close
everyone_equal() {
    local n
    for n in a b d f g h; do
        "$NWRFS" repair --data "$T/$n" --wait >"$T/repair.$n"
        grep -q '^0 differences found' "$T/repair.$n" || return 1
    done
}
check replicas_become_identical eventually 60 everyone_equal
