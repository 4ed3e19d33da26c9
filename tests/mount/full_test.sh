#!/usr/bin/env bash
# full_test.sh -- disks that fill up, under one replica, under W of them, under all: ENOSPC where
# W have no room and nowhere else; reads and deletes go on; room that comes back is used again.
. "$(dirname "$0")/../lib/mount.sh"
need_fuse
need_root
need mkfs.ext4
need jq

# Enough for the store's own files; 32 MiB of it are a reserve for deletes (net/store/README.md).
for n in a b c; do small_disk $n 160 || skip_all "no loop devices"; done
three_nodes || {
    fail three_nodes_form_a_volume "see above"
    exit 1
}
export MA MB
export -f eat feed eventually
# no_space cmd... -- fails, and says why
export NO_SPACE='
no_space() { no "$@" 2>"$T/said"; grep -q "No space left" "$T/said" || { cat "$T/said"; false; }; }
'

# Every replica of every file below $MA/$1 holds the same versions.
equal_replicas() {
    local f
    while IFS= read -r f; do
        "$NWRFS" why "$f" --json | jq -e "$WHY_EQUAL" >/dev/null || return 1
    done < <(find "$MA/$1" -type f)
}
WHY_EQUAL='[.replicas[].versions] | length == 3 and (unique | length) == 1'

# ---- one of three ----

mkdir "$MA/one" "$MA/two" "$MA/all"
for d in one two all; do
    for i in 1 2 3 4; do
        head -c 300000 /dev/urandom >"$T/$d.$i" && cp "$T/$d.$i" "$MA/$d/$i"
        echo "small $i" >"$MA/$d/small.$i"
    done
done
try with_one_disk_full_nobody_notices <<'END'
eat c
for i in 5 6 7 8; do
    head -c 2000000 /dev/urandom >"$T/one.$i" && cp "$T/one.$i" "$MA/one/$i"
    echo "small $i" >"$MB/one/small.$i"
done
dd if=/dev/zero of="$MA/one/synced" bs=100k count=3 conv=fsync status=none
cp "$T/one.5" "$MB/one/1" && mv "$MB/one/2" "$MB/one/moved" && rm "$MA/one/3" "$MA/one/small.3"
for m in "$MA" "$MB"; do
    cmp "$T/one.5" "$m/one/1" && cmp "$T/one.2" "$m/one/moved" && cmp "$T/one.8" "$m/one/8"
    same 15 "$(ls "$m/one" | wc -l)"
done
END
feed c
check the_node_that_was_full_catches_up repaired "$MA"
check and_then_holds_everything eventually 20 equal_replicas one

# ---- two of three, so W of them ----

try with_two_disks_full_writes_fail_and_reads_and_deletes_go_on <<END
$NO_SPACE
eat b
eat c
for i in 1 2 3; do no_space cp "$T/one.5" "$MA/two/new.\$i"; done
no_space cp "$T/one.5" "$MA/two/1"
no_space dd if=/dev/zero of="$MB/two/synced" bs=100k count=3 conv=fsync
no_space mkdir "$MA/two/dir"
for i in 2 3 4; do cmp "$T/two.\$i" "$MB/two/\$i"; done
cat "$MA"/two/small.* >/dev/null
rm "$MA/two/3" "$MB/two/small.3"
no test -e "$MB/two/3"
END
for n in b c; do feed $n; done
try room_that_comes_back_is_used_again_by_who_waited <<'END'
eventually 10 cp "$T/one.5" "$MA/two/1"
cp "$T/one.6" "$MB/two/later"
mkdir "$MA/two/dir"
cmp "$T/one.5" "$MB/two/1" && cmp "$T/one.6" "$MA/two/later"
same "" "$(find "$MA" -name '*.conflict.*')"
END
check after_repair_replicas_agree repaired "$MA"
check and_hold_everything eventually 20 equal_replicas two

# ---- all, by what is written into the mount itself ----

try all_disks_are_filled_through_the_mount <<END
$NO_SPACE
mkdir "$MA/fill"
i=0
while dd if=/dev/urandom of="$MA/fill/\$i" bs=1M count=4 status=none 2>"$T/said"; do
    i=\$((i + 1))
    [ \$i -lt 100 ]
done
grep -q "No space left" "$T/said"
[ \$i -gt 3 ]
no_space cp "$T/one.6" "$MB/all/new"
for i in 1 2 4; do cmp "$T/all.\$i" "$MB/all/\$i"; done
cat "$MB"/all/small.* >/dev/null
END
try deleting_in_the_mount_makes_room_again <<'END'
rm -r "$MB/fill" "$MA/one"
eventually 20 cp "$T/one.6" "$MA/all/new"
for i in 1 2 3 4 5; do eventually 20 cp "$T/one.7" "$MB/all/more.$i"; done
cmp "$T/one.6" "$MB/all/new"
for i in 1 2 3 4 5; do cmp "$T/one.7" "$MA/all/more.$i"; done
for i in 1 2 3 4; do cmp "$T/all.$i" "$MB/all/$i"; done
same "" "$(find "$MA" -name '*.conflict.*')"
END
check after_all_that_replicas_agree repaired "$MA"
check and_each_holds_everything eventually 20 equal_replicas all
for n in a b c; do
    if grep -q 'level=error' "$T/$n/log"; then
        fail "${n}_has_nothing_worse_to_say" "$(grep -m 1 'level=error' "$T/$n/log")"
    fi
done
