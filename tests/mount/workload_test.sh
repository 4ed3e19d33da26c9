#!/usr/bin/env bash
# workload_test.sh -- two programs work on two mounts while nodes are cut off and killed, and keep
# a book of what they were told (lib/workload.py); in the end both mounts hold what the books say.
. "$(dirname "$0")/../lib/net.sh"
need_fuse
for p in a:1 b:2 c:3; do place "${p%:*}" "${p#*:}"; done
MA=$T/mnt.a MB=$T/mnt.b LIMIT=90
ROUNDS=${NWR_LONG:+5}
declare -A WORKER=()
workload() { python3 "$ROOT/tests/lib/workload.py" "$@"; }

# shellcheck disable=SC2046
node a mount --n 3 --w 2 --r 2 $(listen a) "$MA" &&
    node b mount $(listen b) --join "$(address a)" "$MB" &&
    node c serve $(listen c) --join "$(address a)" || {
    fail three_nodes_form_a_volume "see above"
    exit 1
}

for x in a b; do
    workload run "$T/mnt.$x/$x" "$T/book.$x" "$RANDOM" >"$T/said.$x" 2>&1 &
    WORKER[$x]=$!
done
for ((i = 0; i < ${ROUNDS:-1}; i++)); do
    sleep 1 && kill9 c && sleep 1 && again c && sleep 1
    part b && sleep 11 && heal b && sleep 2 # longer than the deadline of a call
    part c && sleep 2 && heal c
    part a && sleep 3 && heal a && sleep 2
done
touch "$T/book.a.stop" "$T/book.b.stop"
for x in a b; do
    if wait "${WORKER[$x]}"; then
        ok "what_${x}_reads_is_what_it_was_told"
    else
        fail "what_${x}_reads_is_what_it_was_told" "$(tail -n 5 "$T/said.$x")"
    fi
    echo "# $x: $(tail -n 1 "$T/said.$x")"
done

verify() { workload verify "$1/$2" "$T/book.$2"; }
for x in a b; do
    check "mount_a_holds_what_${x}_was_told" verify "$MA" "$x"
    check "mount_b_holds_what_${x}_was_told" verify "$MB" "$x"
done
check both_mounts_show_the_same diff -r "$MA" "$MB"
