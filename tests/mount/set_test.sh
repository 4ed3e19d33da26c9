#!/usr/bin/env bash
# set_test.sh -- policies of directories: set and get, inherited by what is made below.
. "$(dirname "$0")/../lib/mount.sh"
need_fuse

MA=$T/mnt.a MB=$T/mnt.b
node a mount --n 2 --w 2 --r 1 "$MA" && node b mount --join "$(address a)" "$MB" || {
    fail two_nodes_form_a_volume "see above"
    exit 1
}
export MA MB

try what_is_set_is_shown_and_inherited <<'END'
mkdir "$MA/d"
same "w=0 r=0 on-conflict=keep durability=default conflicts=list sloppy=off" \
    "$(echo $("$NWRFS" get "$MA/d"))"
"$NWRFS" set "$MA/d" w=1 r=2 durability=disk
same "w=1 r=2 on-conflict=keep durability=disk conflicts=list sloppy=off" \
    "$(echo $("$NWRFS" get "$MA/d"))"
same "w=1 r=2" "$(echo $("$NWRFS" get "$MB/d" | head -n 2))"
mkdir "$MB/d/sub"
touch "$MB/d/sub/f"
same "w=1 r=2" "$(echo $("$NWRFS" get "$MA/d/sub" | head -n 2))"
same "w=1 r=2" "$(echo $("$NWRFS" get "$MA/d/sub/f" | head -n 2))"
"$NWRFS" set "$MA/d" w=2
same w=1 "$("$NWRFS" get "$MA/d/sub" | head -n 1)"
"$NWRFS" set -R "$MA/d" w=2 r=1
same "w=2 r=1" "$(echo $("$NWRFS" get "$MB/d/sub/f" | head -n 2))"
END

try the_same_by_extended_attributes <<'END'
setfattr -n user.nwrfs.conflicts -v hide "$MA/d"
same hide "$(getfattr --only-values -n user.nwrfs.conflicts "$MB/d")"
same conflicts=hide "$("$NWRFS" get "$MA/d" | grep conflicts)"
no setfattr -n user.nwrfs.w -v many "$MA/d"
no setfattr -n user.nwrfs.conflicts -v maybe "$MA/d"
no sh -c 'getfattr -d "$MA/d" | grep nwrfs'
END

refuse an_unknown_key_is_refused 'no such key' "$NWRFS" set "$MA/d" colour=blue
refuse a_bad_value_is_refused 'value must be' "$NWRFS" set "$MA/d" w=lots
refuse a_key_of_a_later_version_says_so 'not in this version' "$NWRFS" set "$MA/d" exclusive=quorum
refuse set_elsewhere_says_that_this_is_not_nwrfs 'not on nwrfs' "$NWRFS" set "$T" w=1
refuse set_of_a_missing_path_says_so 'no such file' "$NWRFS" set "$MA/none" w=1
refuse get_elsewhere_says_that_this_is_not_nwrfs 'not on nwrfs' "$NWRFS" get "$T"

# ---- on-conflict=reject: a write whose base is not the latest gets ESTALE at close ----

try a_later_writer_is_refused_with_estale <<'END'
mkdir "$MA/strict"
"$NWRFS" set "$MA/strict" on-conflict=reject
echo base >"$MA/strict/f"
same base "$(cat "$MB/strict/f")"
exec 5<>"$MA/strict/f"
echo theirs >"$MB/strict/f"
printf mine >&5
python3 - <<'PY'
import errno, os
try:
    os.close(os.dup(5))
except OSError as e:
    raise SystemExit(0 if e.errno == errno.ESTALE else "got %s" % e)
raise SystemExit("close succeeded")
PY
exec 5>&-
for i in 1 2 3; do
    same theirs "$(cat "$MA/strict/f")"
    same theirs "$(cat "$MB/strict/f")"
done
same "" "$(ls "$MB/strict" | grep conflict || true)"
END

# What was refused is kept on the mount of its writer alone.
try the_refused_bytes_are_kept_beside_the_name <<'END'
same "f f.rejected.1" "$(echo $(ls "$MA/strict"))"
same f "$(ls "$MB/strict")"
same "$(printf 'mine\n')" "$(cat "$MA/strict/f.rejected.1")"
same 5 "$(stat -c %s "$MA/strict/f.rejected.1")"
no sh -c 'echo x >>"$MA/strict/f.rejected.1"'
no rmdir "$MA/strict"
grep -q 'event=rejected name="f.rejected.1"' "$T/a/log"
END

kill9 a
again a
check they_are_there_after_a_crash grep -qx mine "$MA/strict/f.rejected.1"
try mv_makes_an_ordinary_file_of_them <<'END'
mv "$MA/strict/f.rejected.1" "$MA/strict/other"
same "f other" "$(echo $(ls "$MA/strict"))"
same "f other" "$(echo $(ls "$MB/strict"))"
same "$(printf 'mine\n')" "$(cat "$MB/strict/other")"
rm "$MB/strict/other"
END

# refused MOUNT -- opens f there, lets B write, and closes.
cat >"$T/refused.py" <<'PY'
import errno, os, sys
fd = os.open(sys.argv[1], os.O_RDWR)
with open(sys.argv[2], "w") as f:
    f.write("theirs\n")
os.write(fd, b"mine")
try:
    os.close(os.dup(fd))
except OSError as e:
    sys.exit(0 if e.errno == errno.ESTALE else "got %s" % e)
sys.exit("close succeeded")
PY
check a_save_is_refused python3 "$T/refused.py" "$MA/strict/f" "$MB/strict/f"
check rm_ends_it rm "$MA/strict/f.rejected.1"
halt a
again a
equal and_it_does_not_come_back f "$(ls "$MA/strict")"

# A mount that stores nothing keeps them where -o spool= says, or says that it does not.
mkdir "$T/spool"
remote guest "$(address b)" -o spool="$T/spool"
G=$T/mnt.guest
check a_mount_without_storage_is_refused_too python3 "$T/refused.py" "$G/strict/f" "$MB/strict/f"
equal and_keeps_the_bytes_in_its_spool "mine" "$(head -c 4 "$G/strict/f.rejected.1")"
refuse a_spool_in_use_is_refused 'spool.*in use' \
    "$NWRFS" mount --peers "$(address b)" -o spool="$T/spool" "$T/run"
limited 20 "$NWRFS" umount "$G"
remote guest "$(address b)"
check a_mount_without_a_spool_is_refused_too python3 "$T/refused.py" "$G/strict/f" "$MB/strict/f"
equal and_shows_nothing_it_does_not_have f "$(ls "$G/strict")"
check and_says_so_in_its_log grep -rq 'spool=DIR' /run/nwrfs "$T/run"
limited 20 "$NWRFS" umount "$G"

try an_ordinary_sequence_is_never_refused <<'END'
for i in 1 2 3 4 5; do
    echo "a$i" >"$MA/strict/f"
    echo "b$i" >>"$MB/strict/f"
done
same "a5 b5" "$(echo $(cat "$MA/strict/f"))"
END

try durability_disk_syncs_at_close <<'END'
mkdir "$MA/disk"
"$NWRFS" set "$MA/disk" durability=disk
echo x >"$MA/disk/f"
same x "$(cat "$MB/disk/f")"
END
