#!/usr/bin/env bash
# posix_test.sh -- system calls whose effects programs rely on, call by call, on a real mount.
# The checks are in tests/lib/posix_*.py and hold on ext4 too.
# sanitizers: yes
. "$(dirname "$0")/../lib/mount.sh"
need_fuse

M=$T/mnt
node n mount -o dev,suid "$M" || {
    fail a_new_volume_mounts "see above"
    exit 1
}
chmod 755 "$T"
limited 600 python3 "$ROOT/tests/lib/posix.py" "$M" || FAILED=1
equal the_checks_leave_nothing_behind "" "$(ls -A "$M")"
check stop_ends_the_node_and_unmounts halt n
