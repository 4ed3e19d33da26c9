#!/usr/bin/env bash
# peers_test.sh -- a mount that stores nothing: asks peers, and goes on with another when one dies.
. "$(dirname "$0")/../lib/mount.sh"
need_fuse
need rsync

node a serve --n 3 --w 2 --r 2 &&
    node b serve --join "$(address a)" &&
    node c serve --join "$(address a)" || {
    fail three_peers_form_a_volume "see above"
    exit 1
}
remote x "$(address a),$(address b),$(address c)" || {
    fail a_mount_without_storage_mounts "see above"
    exit 1
}
remote y "$(address b)" || fail a_second_mount_without_storage_mounts "see above"
export X=$T/mnt.x Y=$T/mnt.y

try two_mounts_without_storage_see_each_other <<'END'
echo one >"$X/f"
same one "$(cat "$Y/f")"
mkdir "$Y/d"
cp -a "$ROOT/tools" "$X/d/"
diff -r "$ROOT/tools" "$Y/d/tools"
same "$(stat -c %i "$X/f")" "$(stat -c %i "$Y/f")"
same 3 "$("$NWRFS" status "$X" --json | jq '.members | length')"
rm -r "$Y/d"
no test -e "$X/d"
END

try a_large_file_goes_through_a_peer_unchanged <<'END'
head -c 30000000 /dev/urandom >"$T/plain"
cp "$T/plain" "$X/large"
cmp "$T/plain" "$Y/large"
rm "$X/large"
END

started() { [ "$(find "$X/copy" -type f 2>/dev/null | wc -l)" -gt 10 ]; }
limited 120 rsync -a "$ROOT/tests" "$ROOT/fs" "$ROOT/net" "$X/copy/" >"$T/.job" 2>&1 &
job=$!
eventually 30 started
kill9 a
wait $job
equal the_peer_it_asked_may_die_under_rsync 0 $?
detail "$T/.job"
try what_was_written_through_two_peers_is_whole <<'END'
for d in tests fs net; do diff -r "$ROOT/$d" "$X/copy/$d"; done
diff -r "$ROOT/net" "$Y/copy/net"
END
check the_dead_peer_comes_back again a
kill9 b
try the_next_one_may_die_too <<'END'
echo two >"$X/f"
same two "$(cat "$X/f")"
END
check the_next_one_comes_back again b
try its_only_peer_is_back_and_so_is_the_mount <<'END'
for i in $(seq 40); do cat "$Y/f" 2>/dev/null && break; sleep 0.5; done
same two "$(cat "$Y/f")"
END

check umount_of_a_mount_without_storage_ends_its_process "$NWRFS" umount "$X"
equal only_the_other_mount_is_left "$Y" "$(still_mounted)"
kill9 a; kill9 b; kill9 c
limited 60 cat "$Y/f" >"$OUT" 2>&1
rc=$?
if [ $rc -ne 0 ] && [ $rc -ne 124 ] && grep -qiE 'timed out|host is down' "$OUT"; then
    ok with_no_peer_left_a_read_fails_clearly
else
    fail with_no_peer_left_a_read_fails_clearly "status $rc: $(cat "$OUT")"
fi
check and_umount_does_not_hang "$NWRFS" umount "$Y"
