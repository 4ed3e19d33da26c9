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

export M
try a_copy_inside_a_directory_takes_no_space_and_stays_when_its_source_goes <<'END'
head -c 64M /dev/urandom >"$M/from"
used() { du -sk "$T/n" | cut -f1; }
before=$(used)
cp "$M/from" "$M/copy" # asks for copy_file_range
[ $(($(used) - before)) -lt 8192 ]
sum=$(sha256sum <"$M/from")
same "$sum" "$(sha256sum <"$M/copy")"
printf x | dd of="$M/from" bs=1 seek=30000000 conv=notrunc status=none
rm "$M/from"
sleep 3 # its space goes two seconds later
sync
same "$sum" "$(sha256sum <"$M/copy")"
END

if [ "$(id -u)" = 0 ]; then
    mkdir -p "$M/keep/below"
    echo kept >"$M/keep/below/file"
    export HANDLE="python3 $ROOT/tests/lib/handle.py"
    check a_handle_is_given $HANDLE save "$M/keep/below/file" "$T/handle"
    check stop_ends_the_node halt n
    check the_node_starts_again again n
    check a_handle_opens_its_file_on_a_new_mount $HANDLE open "$M" "$T/handle" kept
else
    skip a_handle_opens_its_file_on_a_new_mount "needs root"
fi
check stop_ends_the_node_and_unmounts halt n
