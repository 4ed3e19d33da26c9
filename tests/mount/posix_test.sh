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

# What other file systems do otherwise.
head -c 16384 /dev/urandom >"$M/f"
refuse a_range_is_not_collapsed 'not supported' fallocate -c -o 4096 -l 4096 "$M/f"
refuse a_range_is_not_inserted 'not supported' fallocate -i -o 4096 -l 4096 "$M/f"
try atime_changes_only_when_it_is_set <<'END'
mkdir "$M/d"
for f in "$M/f" "$M/d"; do # with relatime a read would set it
    touch -a -d @1000 "$f"
    touch -m -d @2000 "$f"
done
for i in 1 2; do
    cat "$M/f" >/dev/null
    ls "$M/d"
    cp "$M/f" "$M/d/copy"
    same "1000 1000" "$(echo $(stat -c %X "$M/f" "$M/d"))"
    [ ! -w /proc/sys/vm/drop_caches ] || echo 2 >/proc/sys/vm/drop_caches
done
touch -a -d @3000 "$M/f"
same 3000 "$(stat -c %X "$M/f")"
rm -r "$M/f" "$M/d"
END

try with_reject_a_mount_alone_is_never_refused <<'END'
mkdir "$M/r"
"$NWRFS" set "$M/r" on-conflict=reject
echo base >"$M/r/f"
exec 5<>"$M/r/f" 6<>"$M/r/f" # open before what follows
work() {
    for i in $(seq 20); do
        cat "$M/r/f" >/dev/null
        echo "$1 $i" >"$M/r/tmp$1"
        mv "$M/r/tmp$1" "$M/r/f"
        echo "$1 $i" >>"$M/r/f"
        echo "$1 $i" >"$M/r/f"
    done
}
work a & a=$!
work b & b=$!
python3 -c 'import os
for i in range(20):
    for fd in 5, 6:
        os.pwrite(fd, b"mine", i)
        os.close(os.dup(fd))'
wait $a
wait $b
exec 5>&- 6>&-
same f "$(ls "$M/r")"
rm -r "$M/r"
END

N=$(node_pid n)
export N CALLS="python3 $ROOT/tests/lib/calls.py"
try without_a_descriptor_that_is_told_until_there_are_some_again <<'END'
mkdir "$M/fds"
echo old >"$M/fds/old"
prlimit --pid "$N" --nofile=3:20000
same ENFILE "$($CALLS fill "$M/fds" 2>&1 || true)"
same old "$(cat "$M/fds/old")"
prlimit --pid "$N" --nofile=20000:20000
eventually 20 $CALLS fsync "$M/fds/more" text
rm -r "$M/fds"
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
