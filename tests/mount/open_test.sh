#!/usr/bin/env bash
# open_test.sh -- five nodes, n=3 w=2 r=2: who has a file open reads and writes on while a node
# that has its blocks is killed, and while one is removed from the ring. Calls on a mount that is
# itself killed answer ENOTCONN.
. "$(dirname "$0")/../lib/mount.sh"
need_fuse
need jq
LIMIT=120

five_nodes() {
    local name
    node a mount --n 3 --w 2 --r 2 "$T/mnt.a" || return 1
    for name in b c d e; do
        node $name serve --join "$(address a)" || return 1
    done
}
five_nodes || {
    fail five_nodes_form_a_volume "see above"
    exit 1
}
remote r "$(address b),$(address c),$(address d)" || {
    fail a_mount_without_storage_starts "see above"
    exit 1
}
export MA=$T/mnt.a MR=$T/mnt.r HOLD="python3 $ROOT/tests/lib/holder.py"
name_of() { # ORDINAL -- they joined in this order
    local names=(- a b c d e)
    echo "${names[$1]}"
}

# A directory on the mount, and a member other than a that has the blocks of what is made in it.
place() { # MOUNT DIR
    mkdir "$1/$2" && echo 1 >"$1/$2/probe" &&
        "$NWRFS" why "$1/$2/probe" --json | jq '[.list[] | select(. != 1)][0]'
}

# Killed: one that has the blocks; then the first that the mount without storage was told of.
export VICTIM
for mount in a r; do
    ordinal=$(place "$T/mnt.$mount" "kill")
    victim=$(name_of "$ordinal")
    VICTIM=$(node_pid "$victim")
    check "files_open_on_${mount}_are_used_on_when_a_node_that_has_them_is_killed" \
        $HOLD "$T/mnt.$mount/kill" kill -KILL "$VICTIM"
    check "the_node_killed_under_${mount}_was_dead" eventually 10 gone "$VICTIM"
    check "it_comes_back_after_$mount" again "$victim"
    check "what_was_written_on_${mount}_is_there" \
        cmp -n 25165824 "$MA/kill/write" "$MR/kill/write"
    rm -r "$MA/kill"
done
VICTIM=$(node_pid b)
mkdir "$MR/talk"
check files_open_are_used_on_when_the_first_peer_of_the_mount_is_killed \
    $HOLD "$MR/talk" kill -KILL "$VICTIM"
check that_node_comes_back again b
check the_other_mount_reads_the_same cmp "$MA/talk/write" "$MR/talk/write"

# Removed: at most one of four others, so that three hold every group.
for mount in a r; do
    ordinal=$(place "$T/mnt.$mount" "gone.$mount")
    check "files_open_on_${mount}_are_used_on_when_a_member_that_has_them_is_removed" \
        $HOLD "$T/mnt.$mount/gone.$mount" "$NWRFS" ring remove "$ordinal" --data "$T/a" --wait
    equal "the_member_of_${mount}_has_left" false "$("$NWRFS" ring list --data "$T/a" --json |
        jq "any(.members[]; .ordinal == $ordinal)")"
    check "the_other_mount_reads_what_was_written_on_$mount" \
        cmp "$MA/gone.$mount/write" "$MR/gone.$mount/write"
done

VICTIM=$(node_pid a)
try files_open_on_a_mount_that_is_killed_answer_enotconn <<'END'
python3 - <<'PY'
import errno, os, signal, time
fd = os.open(os.environ["MA"] + "/kept", os.O_CREAT | os.O_RDWR)
os.write(fd, b"kept")
os.fsync(fd)
os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
victim = int(os.environ["VICTIM"])
os.kill(victim, signal.SIGKILL)
while os.path.exists("/proc/%d" % victim):
    time.sleep(0.05)
for call in (lambda: os.pread(fd, 4, 0), lambda: os.pwrite(fd, b"lost", 0), lambda: os.fsync(fd)):
    try:
        call()
    except OSError as e:
        assert e.errno == errno.ENOTCONN, e
    else:
        raise AssertionError("a call on a dead mount succeeded")
PY
END
drop_mount a
check the_mount_comes_back again a
equal what_was_synced_is_there kept "$(cat "$MA/kept")"
