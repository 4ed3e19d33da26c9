#!/usr/bin/env bash
# single_test.sh -- one node, one mount: what ordinary programs expect of a directory, and what
# stays after umount and after kill -9.
# sanitizers: yes
. "$(dirname "$0")/../lib/mount.sh"
need_fuse

export M=$T/mnt CALLS="python3 $ROOT/tests/lib/calls.py"
begin=$(date +%s%N)
node n mount "$M" || {
    fail a_new_volume_mounts "see above"
    exit 1
}
echo "# nwrfs mount took $((($(date +%s%N) - begin) / 1000000)) ms"
ok a_new_volume_mounts

try a_new_volume_is_empty_and_usable_at_once <<'END'
same "" "$(ls -A "$M")"
echo hello >"$M/note"
same hello "$(cat "$M/note")"
rm "$M/note"
no test -e "$M/note"
END

try cp_mv_rm_touch_and_chmod_do_what_they_do_elsewhere <<'END'
cp -a "$ROOT/tests/lib" "$M/lib"
diff -r "$ROOT/tests/lib" "$M/lib"
mkdir "$M/dir"
mv "$M/lib" "$M/dir/lib2"
diff -r "$ROOT/tests/lib" "$M/dir/lib2"
touch -d @981173106.123456789 "$M/dir/lib2/mount.sh"
same 981173106.123456789 "$(stat -c %.9Y "$M/dir/lib2/mount.sh")"
chmod 640 "$M/dir/lib2/mount.sh"
same 640 "$(stat -c %a "$M/dir/lib2/mount.sh")"
chmod 4755 "$M/dir/lib2/mount.sh"
same 4755 "$(stat -c %a "$M/dir/lib2/mount.sh")"
rm -r "$M/dir"
no test -e "$M/dir"
END

try truncate_grows_with_zeros_and_cuts <<'END'
printf 0123456789 >"$M/t"
truncate -s 4 "$M/t"
same 0123 "$(cat "$M/t")"
truncate -s 8 "$M/t"
same 0123....  "$(tr '\0' . <"$M/t")"
truncate -s 0 "$M/t"
same 0 "$(stat -c %s "$M/t")"
rm "$M/t"
END

try dd_overwrites_in_the_middle <<'END'
head -c 3000000 /dev/urandom >"$T/plain"
cp "$T/plain" "$M/f"
for at in 0 4095 65536 1048570 2999990; do
    printf 'abcdefghijklmnop' | dd of="$T/plain" bs=1 seek=$at conv=notrunc status=none
    printf 'abcdefghijklmnop' | dd of="$M/f" bs=1 seek=$at conv=notrunc status=none
done
cmp "$T/plain" "$M/f"
rm "$M/f"
END

try a_sparse_file_reaches_beyond_4_gib <<'END'
truncate -s 6G "$M/big"
printf end | dd of="$M/big" bs=1 seek=5000000000 conv=notrunc status=none
same 6442450944 "$(stat -c %s "$M/big")"
same end "$(dd if="$M/big" bs=1 skip=5000000000 count=3 status=none)"
same 3 "$(dd if="$M/big" bs=4096 skip=1220703 count=1 status=none | tr -d '\0' | wc -c)"
[ "$(du -k "$M/big" | cut -f1)" -lt 4096 ]
$CALLS holes "$M/big" | grep -qE '^[0-9]+-[0-9]+$'
rm "$M/big"
END

try names_of_255_bytes_and_strange_names_work <<'END'
long=$(printf 'x%.0s' $(seq 255))
echo l >"$M/$long"
same l "$(cat "$M/$long")"
no touch "$M/${long}y" 2>&1
strange=$'new\nline \\ " * ü.conflict.'
echo s >"$M/$strange"
same s "$(cat "$M/$strange")"
rm "$M/$long" "$M/$strange"
same "" "$(ls -A "$M")"
END

try hard_links_share_one_inode <<'END'
echo one >"$M/a"
ln "$M/a" "$M/b"
same "$(stat -c %i "$M/a")" "$(stat -c %i "$M/b")"
same 2 "$(stat -c %h "$M/b")"
echo two >>"$M/b"
same "one two" "$(echo $(cat "$M/a"))"
mkdir "$M/d"
ln "$M/a" "$M/d/c"
same 3 "$(stat -c %h "$M/a")"
rm "$M/a"
same 2 "$(stat -c %h "$M/b")"
same "one two" "$(echo $(cat "$M/d/c"))"
rm -r "$M/b" "$M/d"
END

try symbolic_links_hold_their_text <<'END'
ln -s ../no/where "$M/dangling"
same ../no/where "$(readlink "$M/dangling")"
no cat "$M/dangling"
echo x >"$M/target"
ln -s target "$M/link"
same x "$(cat "$M/link")"
ln -sf other "$M/link"
same other "$(readlink "$M/link")"
rm "$M/dangling" "$M/link" "$M/target"
END

try special_files_keep_their_type <<'END'
mkfifo "$M/fifo"
test -p "$M/fifo"
(echo through >"$M/fifo") &
same through "$(cat "$M/fifo")"
$CALLS socket "$M/sock"
test -S "$M/sock"
rm "$M/fifo" "$M/sock"
if [ "$(id -u)" = 0 ]; then
    mknod "$M/null" c 1 3
    same "1 3" "$(stat -c '%t %T' "$M/null")"
    rm "$M/null"
fi
END

try rename_replaces_and_obeys_its_flags <<'END'
echo a >"$M/a"; echo b >"$M/b"
mv -T "$M/a" "$M/b"
same a "$(cat "$M/b")"
no test -e "$M/a"
echo c >"$M/c"
same EEXIST "$($CALLS rename "$M/b" "$M/c" 1 2>&1 || true)"
$CALLS rename "$M/b" "$M/c" 2
same "c a" "$(echo $(cat "$M/b" "$M/c"))"
$CALLS rename "$M/b" "$M/new" 1
mkdir "$M/d1" "$M/d2"
touch "$M/d2/f"
no mv -T "$M/d1" "$M/d2"
rm "$M/d2/f"
mv -T "$M/d1" "$M/d2"
no mv -T "$M/d2" "$M/c"
mkdir -p "$M/d2/sub"
no mv "$M/d2" "$M/d2/sub/d2"
mv "$M/new" "$M/d2/sub/moved"
same c "$(cat "$M/d2/sub/moved")"
rm -r "$M/d2" "$M/c"
same "" "$(ls -A "$M")"
END

try extended_attributes_are_kept <<'END'
echo x >"$M/f"
setfattr -n user.color -v blue "$M/f"
setfattr -n user.empty "$M/f"
same blue "$(getfattr --only-values -n user.color "$M/f")"
same "user.color user.empty" "$(echo $(getfattr "$M/f" | grep ^user | sort))"
setfattr -n user.color -v red "$M/f"
same red "$(getfattr --only-values -n user.color "$M/f")"
setfattr -x user.color "$M/f"
no getfattr --only-values -n user.color "$M/f" 2>/dev/null
python3 - "$M/f" <<'PY'
import os, sys
p = sys.argv[1]
os.setxattr(p, "user.big", b"v" * 60000)
assert os.getxattr(p, "user.big") == b"v" * 60000
for flag, name in ((os.XATTR_CREATE, "user.big"), (os.XATTR_REPLACE, "user.none")):
    try:
        os.setxattr(p, name, b"1", flag)
    except OSError:
        continue
    raise SystemExit("flag %d was not obeyed" % flag)
PY
rm "$M/f"
END

try open_flags_are_obeyed <<'END'
$CALLS excl "$M/e"
same EEXIST "$($CALLS excl "$M/e" 2>&1 || true)"
$CALLS append "$M/log" 200 line
$CALLS append "$M/log" 200 line
same 400 "$(wc -l <"$M/log")"
$CALLS unlinked "$M/u"
$CALLS mmap "$M/m"
rm "$M/e" "$M/log" "$M/m"
END

try holes_are_punched_and_found <<'END'
head -c 1048576 /dev/zero | tr '\0' z >"$M/h"
fallocate -p -o 262144 -l 524288 "$M/h"
same 524288 "$(tr -d z <"$M/h" | wc -c)"
same "0-262144 786432-1048576" "$($CALLS holes "$M/h")"
fallocate -l 2097152 "$M/h"
same 2097152 "$(stat -c %s "$M/h")"
rm "$M/h"
END

try a_large_directory_lists_each_name_once <<'END'
mkdir "$M/many"
(cd "$M/many" && seq -f f%g 3000 | xargs touch)
same 3000 "$(ls "$M/many" | wc -l)"
same 3000 "$(ls "$M/many" | sort -u | wc -l)"
same 3000 "$(ls -l "$M/many" | grep -c ' f[0-9]*$')"
no rmdir "$M/many" 2>/dev/null
rm -r "$M/many"
no test -e "$M/many"
END

try df_shows_space <<'END'
[ "$(df --output=avail "$M" | tail -n 1)" -gt 0 ]
[ "$(stat -f -c %l "$M")" = 255 ]
END

if [ "$(id -u)" = 0 ]; then
    try files_belong_to_who_makes_them_and_modes_are_enforced <<'END'
chmod 755 "$T"
mkdir -m 1777 "$M/pub"
mkdir -m 2777 "$M/grp"
chgrp 7 "$M/grp"
as() { setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }
as touch "$M/pub/mine" "$M/grp/inherits"
same 65534:65534 "$(stat -c %u:%g "$M/pub/mine")"
same 65534:7 "$(stat -c %u:%g "$M/grp/inherits")"
echo secret >"$M/pub/root"
chmod 600 "$M/pub/root"
no as cat "$M/pub/root" 2>/dev/null
no as rm -f "$M/pub/root" 2>/dev/null
no as chown 0 "$M/pub/mine" 2>/dev/null
chown 65534 "$M/pub/root"
same secret "$(as cat "$M/pub/root")"
install -m 4755 /bin/true "$M/pub/suid"
chown 65534 "$M/pub/suid"
chmod 4755 "$M/pub/suid"
as sh -c "echo >>'$M/pub/suid'"
same 755 "$(stat -c %a "$M/pub/suid")"
rm -r "$M/pub" "$M/grp"
END
else
    skip files_belong_to_who_makes_them_and_modes_are_enforced "needs root"
fi

# ---- what stays ----

listing() { (cd "$1" && find . -printf '%P %y %i %m %U:%G %n %s %T@ %l\n' | LC_ALL=C sort); }
contents() { (cd "$1" && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum); }

mkdir "$M/tree"
cp -a "$ROOT/tests" "$ROOT/tools" "$M/tree/"
ln "$M/tree/tools/tidy.sh" "$M/tree/hard"
ln -s nowhere "$M/tree/soft"
truncate -s 3G "$M/tree/sparse"
setfattr -n user.kept -v yes "$M/tree/hard"
rm -r "$M/tree/tests/unit"
listing "$M/tree" >"$T/before"
(cd "$M/tree" && sha256sum hard tests/lib/* tools/*.sh) >"$T/before.sums"

check umount_returns_when_the_process_is_gone "$NWRFS" umount "$M"
equal nothing_of_the_mount_is_left "" "$(still_mounted)$(our_pids)"
refuse a_second_umount_says_that_nothing_is_mounted 'not.*mounted|no nwrfs' "$NWRFS" umount "$M"
check the_same_command_reopens_it again n
listing "$M/tree" >"$T/after"
check a_reopened_volume_shows_the_same_tree diff "$T/before" "$T/after"
try a_reopened_volume_has_the_same_bytes <<'END'
cd "$M/tree"
sha256sum --quiet -c "$T/before.sums"
same yes "$(getfattr --only-values -n user.kept hard)"
END

# Every name in $T/acked was closed without an error before the kill.
writer() {
    local i
    for i in $(seq 1 100000); do
        python3 -c "
import os, sys
for n in range(50):
    p = '%s/w/%d-%d' % ('$M', $i, n)
    with open(p, 'w') as f:
        f.write(p * 20)
    with open('$T/acked', 'a') as f:
        f.write(p + '\n')
" 2>/dev/null || return 0
    done
}

acked_is_there() {
    python3 - "$T/acked" <<'END'
import sys
bad = 0
for line in open(sys.argv[1]):
    p = line.rstrip("\n")
    try:
        ok = open(p).read() == p * 20
    except OSError as e:
        ok = False
        print(p, e)
    bad += not ok
sys.exit("%d acknowledged files are wrong" % bad if bad else 0)
END
}

mkdir "$M/w"
for round in 1 2 3; do
    : >>"$T/acked"
    before=$(wc -l <"$T/acked")
    writer &
    writing=$!
    enough() { [ "$(wc -l <"$T/acked")" -gt $((before + 100)) ]; }
    eventually 30 enough
    kill9 n
    wait $writing
    again n || fail reopens_after_kill_9 "round $round"
    check "kill_9_loses_nothing_acknowledged_round_$round" acked_is_there
done
echo "# $(wc -l <"$T/acked") files were acknowledged"

mkdir "$T/other"
check a_second_mount_point_of_the_same_node_is_refused_while_it_runs \
    bash -c '! timeout 30 "$NWRFS" mount --data "$T/n" "$T/other" 2>/dev/null'
check stop_ends_the_node_and_unmounts halt n
equal nothing_is_left_after_stop "" "$(still_mounted)$(our_pids)"
