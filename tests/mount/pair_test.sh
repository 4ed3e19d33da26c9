#!/usr/bin/env bash
# pair_test.sh -- three nodes, two of them with a mount: what a program may expect of a directory
# that both show, connected (w=2 r=2) and with one of them cut off (w=1 r=1). The checks are in
# tests/lib/posix_pair.py and posix_apart.py.
# long: yes
. "$(dirname "$0")/../lib/net.sh"
need_fuse
need mkfs.ext4
need prlimit

small_disk a 200 || skip_all "no loop devices" # it is filled up
export MA=$T/mnt.a MB=$T/mnt.b
place a 1
place b 2
place c 3
# shellcheck disable=SC2046
node a mount $(listen a) --n 3 --w 1 --r 1 -o acl,dev "$MA" &&
    node b mount $(listen b) --join 127.0.0.1:7001 -o acl,dev "$MB" &&
    node c serve $(listen c) --join 127.0.0.1:7001 || {
    fail three_nodes_form_a_volume "see above"
    exit 1
}
export CALLS="python3 $ROOT/tests/lib/calls.py"
PAIR="python3 $ROOT/tests/lib/posix_pair.py"

mkdir "$MA/con" "$MA/con/strict"
check a_directory_is_strict "$NWRFS" set -R "$MA/con" w=2 r=2
check and_one_needs_all "$NWRFS" set "$MA/con/strict" w=3
eventually 20 test -d "$MB/con/strict" || fail both_see_it "$MB"
limited 200 $PAIR "$MA/con" "$MB/con" || FAILED=1
equal the_checks_leave_nothing_behind strict "$(ls -A "$MA/con")"

check errors_of_background_writes_are_told_at_fsync_and_close \
    $PAIR "$MA/con" "$MB/con" errors_of_background_writes_are_told_at_fsync_and_close
check it_comes_back again c

# ---- cut off ----

mkdir "$MA/cut"
eventually 20 test -d "$MB/cut" || fail both_see_it "$MB"
words=$(declare -p PLACE NWRFS MA && declare -f part heal eventually no_difference repaired)
limited 200 python3 "$ROOT/tests/lib/posix_apart.py" "$MA/cut" "$MB/cut" \
    "$words; repaired '$MA' && part a" "$words; heal a" || FAILED=1

# ---- a alone, the others are dead ----

echo old >"$MA/cut/old"
kill9 b
export LIMIT_A="${NODE_RUN[a]} prlimit --pid $(node_pid a)" # with its group id
try without_a_descriptor_that_is_told_where_no_other_node_is <<'END'
mkdir "$MA/cut/fds"
$LIMIT_A --nofile=3:20000
same ENFILE "$($CALLS fill "$MA/cut/fds" 2>&1 || true)"
same old "$(cat "$MA/cut/old")"
$LIMIT_A --nofile=20000:20000
eventually 20 $CALLS fsync "$MA/cut/fds/more" text
END
mount -o remount,abort "$T/a" 2>/dev/null # as ext4 does by itself after an error
try a_read_only_disk_is_told_where_no_other_node_is_and_reads_go_on <<'END'
told() { same EROFS "$($CALLS fsync "$MA/cut/new" text 2>&1 || true)"; }
eventually 20 told
same EROFS "$($CALLS write "$MA/cut/new" text 2>&1 || true)"
same old "$(cat "$MA/cut/old")"
END
