#!/usr/bin/env bash
# faults_test.sh -- what happens to a node and is not its end: a disk that turns read-only, no file
# descriptor left, a member that is removed while its files are read. The others go on, nobody
# hangs, and what can come back comes back by itself.
. "$(dirname "$0")/../lib/mount.sh"
need_fuse
need_root
for p in mkfs.ext4 prlimit python3; do need $p; done

small_disk a 300 && small_disk c 300 || skip_all "no loop devices"
three_nodes || {
    fail three_nodes_form_a_volume "see above"
    exit 1
}
export MA MB
head -c 3000000 /dev/urandom >"$T/large"
mkdir "$MA/d"
for i in 1 2 3 4 5 6 7 8; do cp "$T/large" "$MA/d/$i"; done

# go_on NAME DIR -- everything works in the mounts.
go_on() {
    DIR=$2 try "$1" <<'END'
mkdir "$MA/$DIR"
for i in 1 2 3; do
    cp "$T/large" "$MA/$DIR/$i"
    echo "$i" >"$MB/$DIR/small.$i"
    dd if=/dev/zero of="$MA/$DIR/synced.$i" bs=100k count=2 conv=fsync status=none
done
mv "$MA/$DIR/1" "$MA/$DIR/moved"
rm "$MB/$DIR/2"
cmp "$T/large" "$MB/$DIR/moved" && cmp "$T/large" "$MA/$DIR/3" && cmp "$T/large" "$MA/d/1"
same 3 "$(cat "$MA/$DIR/small.3")"
same 8 "$(ls "$MB/$DIR" | wc -l)"
END
}

# ---- descriptors ----

failures() { "$NWRFS" status --data "$T/$1" --json | jq -e .counters.accept_failures; }

# waits NODE SECONDS -- asked for connections some times a second, which one that spins does a
# hundred thousand times.
waits() {
    local n
    n=$(failures "$1") && echo "$n in $2 s" && [ "$n" -gt 0 ] && [ "$n" -lt $((100 + 10 * $2)) ]
}

# Everything below the highest number in use is taken by connections that say nothing.
exhaust() {
    local pid top
    pid=$(node_pid "$1")
    top=$(find "/proc/$pid/fd" -mindepth 1 -printf '%f\n' | sort -n | tail -n 1)
    prlimit --pid "$pid" --nofile="$((top + 1)):20000"
    python3 "$ROOT/tests/lib/flood.py" "$(address "$1")" "$T/stop.$1" >"$T/flood.$1" 9>&- &
    eventually 20 test -s "$T/flood.$1"
}

relieve() {
    : >"$T/stop.$1"
    prlimit --pid "$(node_pid "$1")" --nofile=20000:20000
}

knows() { # NODE ORDINAL -- is connected to it
    "$NWRFS" status --data "$T/$1" --json |
        jq -e ".members[] | select(.ordinal == $2) | .state == \"up\"" >/dev/null
}

# A limit below what is in use already: not even the descriptor that was just closed comes back.
lines() { grep -c "event=$2 of=nodes" "$T/$1/log"; }
asks() { # NODE -- a connection waits to be accepted
    exec 3<>"/dev/tcp/127.0.0.1/${1##*:}"
}
said_once() { [ "$(lines "$1" "$2")" = 1 ]; }
since=$SECONDS
exec 4>>"$MA/open"
echo before >&4
prlimit --pid "$(node_pid a)" --nofile=3:20000
asks "$(address a)"
check a_lowered_limit_is_said eventually 20 said_once a accept_paused
try a_mount_under_a_lowered_limit_goes_on_with_what_is_open <<'END'
echo after >&4
same "before after" "$(tr '\n' ' ' <"$MA/open" | sed 's/ $//')"
cmp "$T/large" "$MA/d/4"
mkdir "$MA/fds4" && echo new >"$MB/fds4/new"
same new "$(cat "$MA/fds4/new")"
END
exec 4>&-
prlimit --pid "$(node_pid a)" --nofile=20000:20000
check it_accepts_again_when_the_limit_is_raised eventually 20 failures a
check and_has_waited_meanwhile waits a $((SECONDS - since + 1))
check it_was_said_once said_once a accept_paused
check and_once_that_it_is_over eventually 20 said_once a accept_resumed
exec 3>&-

# No limit is lowered, all are taken.
check all_descriptors_of_a_node_can_be_taken exhaust c
since=$SECONDS
go_on a_node_without_descriptors_is_not_noticed fds
kill9 b
check another_node_comes_back_meanwhile again b
go_on and_works_with_the_third fds2
relieve c
check it_meets_the_others_when_there_are_descriptors_again eventually 20 knows c 2
check meanwhile_it_waited_and_did_not_spin waits c $((SECONDS - since + 1))
check all_descriptors_of_a_mount_can_be_taken exhaust a
go_on a_mount_without_descriptors_goes_on fds3
relieve a
check replicas_agree_afterwards repaired "$MA"

# ---- a read-only disk ----

check c_stops halt c
mount -o remount,ro "$T/c"
refuse a_node_on_a_read_only_disk_does_not_start "$T/c.*read-only" \
    "$NWRFS" serve --data "$T/c" --join "$(address a)"
mount -o remount,rw "$T/c"
check it_starts_when_the_disk_can_be_written again c
mount -o remount,abort "$T/c" 2>/dev/null # as ext4 does by itself after an error
go_on a_disk_that_turns_read_only_is_not_noticed ro
check its_node_is_still_there ours "$(node_pid c)"
disk_errors() { "$NWRFS" status --data "$T/$1" --json | jq -e '.counters.disk_errors > 0'; }
check and_status_says_so disk_errors c
kill9 c
umount -l "$T/c"
mount -o loop "$T/c.disk" "$T/c"
check it_starts_on_the_repaired_disk again c
check and_catches_up repaired "$MA"
# While four programs sync, which is when RocksDB once ended the process.
for i in 1 2 3 4; do
    for k in 1 2 3 4 5 6 7 8; do
        dd if=/dev/zero of="$MA/busy.$i.$k" bs=4k count=1 conv=fsync status=none || echo "$i.$k"
    done >"$T/busy.$i" 2>&1 &
    busy[i]=$!
done
mount -o remount,abort "$T/a" 2>/dev/null
wait "${busy[@]}"
equal programs_that_sync_do_not_notice "" "$(cat "$T"/busy.?)"
go_on a_mount_goes_on_when_the_disk_of_its_own_node_is_read_only ro2
kill9 c
try with_w_of_the_disks_gone_writes_say_why_and_reads_go_on <<'END'
no cp "$T/large" "$MA/d/new" 2>"$T/said"
grep -qE "Read-only file system|timed out" "$T/said" || { cat "$T/said"; false; }
cmp "$T/large" "$MA/d/5"
cmp "$T/large" "$MB/d/6"
END
check a_mount_without_a_disk_ends_cleanly "$NWRFS" umount "$MA"
