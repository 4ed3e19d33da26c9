#!/usr/bin/env bash
# stop_test.sh -- a mount whose peers are gone still ends, and says what it could not send.
. "$(dirname "$0")/../lib/net.sh"
need_fuse
MA=$T/mnt.a
export MA

place a 1
place b 2
# shellcheck disable=SC2046
node a mount $(listen a) --n 2 --w 2 --r 1 "$MA" &&
    node b serve $(listen b) --join 127.0.0.1:7001 || {
    fail two_nodes_form_a_volume "see above"
    exit 1
}

# dirty NAME... -- one process has them open, and has written what no close has sent.
dirty() {
    (cd "$MA" && exec python3 - "$T/go" "$@") <<'PY' &
import os, sys, time
for name in sys.argv[2:]:
    os.write(os.open(name, os.O_WRONLY), b"not closed yet")
os.chdir("/")
open(sys.argv[1], "w").close()
time.sleep(60)
PY
    HOLDER=$!
    eventually 20 test -e "$T/go"
    rm -f "$T/go"
}

# ends NAME PATTERN -- the mount of a ends in time: 15 s is what it promises, more is hanging.
ends() {
    local rc
    limited 25 "$NWRFS" stop --data "$T/a" >"$OUT" 2>&1
    rc=$?
    if [ $rc -eq 1 ] && grep -qE "$2" "$OUT"; then ok "$1"; else
        fail "$1" "status $rc: $(cat "$OUT")"
    fi
    kill "$HOLDER"
    wait "$HOLDER" 2>/dev/null
    drop_mount a
}

echo one >"$MA/one"
echo two >"$MA/two"
dirty one
check stopping_sends_what_is_left limited 25 "$NWRFS" stop --data "$T/a"
kill $HOLDER
wait $HOLDER 2>/dev/null
again a
equal and_it_is_there_afterwards "not closed yet" "$(head -c 14 "$MA/one")"

dirty one
part b
ends silent_peers_do_not_hold_up_a_stop_that_says_what_is_lost '1 file was not sent.*inode'
heal b
again a
dirty one two
kill9 b
ends dead_peers_do_not_hold_up_a_stop_that_says_what_is_lost '2 files were not sent'
check the_log_has_each_of_them test "$(grep -c event=not_sent "$T/a/log")" = 3

again b
again a
check both_nodes_start_again test -e "$MA/two"
mkdir "$MA/dir" # its parent's times are on their way
part b
check an_unmount_with_silent_peers_ends limited 25 "$NWRFS" umount "$MA"
equal nothing_is_left_of_the_mount "" "$(still_mounted)"
heal b
