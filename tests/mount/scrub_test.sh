#!/usr/bin/env bash
# scrub_test.sh -- bytes of a node's files are flipped while it is away, in each kind of file: it is
# noticed, nobody reads wrong bytes, and `nwrfs scrub --wait` fetches what rotted from the others.
. "$(dirname "$0")/../lib/mount.sh"
need_fuse
need jq
need python3

# Node c has a disk of its own, whose bytes can be changed beneath it.
small_disk c 200 2>/dev/null && command -v filefrag >/dev/null && C_DISK=$T/c.disk || C_DISK=

three_nodes 2 2 || {
    fail three_nodes_form_a_volume "see above"
    exit 1
}
export MA MB
counter() { "$NWRFS" status --data "$T/$1" --json | jq ".counters.$2"; }
# flip TIMES FILES... -- so many bytes of each, at places that depend on its name only.
flip() {
    python3 - "$@" <<'END_OF_FLIP'
import os, random, sys
for name in sys.argv[2:]:
    size = os.path.getsize(name)
    rng = random.Random(os.path.basename(name))
    with open(name, "r+b") as f:
        for _ in range(int(sys.argv[1]) if size else 0):
            at = rng.randrange(size)
            f.seek(at)
            byte = f.read(1)[0]
            f.seek(at)
            f.write(bytes([byte ^ rng.randrange(1, 256)]))
END_OF_FLIP
}
sums() { (cd "$1" && find . -type f -print0 | sort -z | xargs -0 sha256sum); }
export -f counter flip sums

try a_volume_with_files_of_all_sizes <<'END'
mkdir "$MA/d" "$MA/d/e"
for i in $(seq 120); do echo "small $i" >"$MA/d/small$i"; done
for i in $(seq 20); do head -c 20000 /dev/urandom >"$MA/d/e/middle$i"; done
for i in 1 2 3; do head -c $((i * 900000)) /dev/urandom >"$MA/large$i"; done
sums "$MA" >"$T/want"
END
halt c
again c
try nothing_is_found_where_nothing_rotted <<'END'
repaired --data "$T/c"
echo after >"$MA/d/after"
sums "$MA" >"$T/want"
"$NWRFS" scrub --data "$T/c" --wait >"$T/said"
grep -q ' 0 did not verify, 0 repaired, 0 without a good copy; 0 groups in doubt' "$T/said"
grep -qE '^[1-9][0-9]* records and [1-9][0-9]* blocks read' "$T/said"
"$NWRFS" scrub "$MB" --pg 7 --wait >/dev/null
END

# flip_beneath DISK FILES... -- a byte of each 4 KiB of these files changes on the disk. Whoever has
# read them still has the right ones in memory.
flip_beneath() {
    local disk=$1
    shift
    sync -f "$1"
    filefrag -b1024 -e "$@" | python3 -c '
import mmap, os, re, sys
disk = os.open(sys.argv[1], os.O_RDWR | os.O_DIRECT)
page = mmap.mmap(-1, 4096)
for line in sys.stdin:
    at = re.match(r" *\d+: *(\d+)\.\. *(\d+): *(\d+)\.\.", line)
    if not at:
        continue
    first, last, where = map(int, at.groups())
    for n in range(where + 3, where + last - first + 1, 4):
        os.preadv(disk, [page], n // 4 * 4096)
        page[n % 4 * 1024 + 100] ^= 0x40
        os.pwritev(disk, [page], n // 4 * 4096)
' "$disk"
}
export -f flip_beneath
export C_DISK

if [ -n "$C_DISK" ]; then
    check a_mount_that_asks_the_node_comes_up remote beneath "$(address c)"
    export BENEATH=$T/mnt.beneath
    try blocks_that_rot_on_the_disk_are_noticed_though_they_are_right_in_memory <<'END'
"$NWRFS" scrub --data "$T/c" --wait | grep -q ' 0 did not verify'
for i in $(seq 5); do # who reads notices first where the machine has dropped what it cached
    flip_beneath "$C_DISK" "$T"/c/segments/*.seg
    sums "$BENEATH" | cmp - "$T/want"
    "$NWRFS" scrub --data "$T/c" --wait >"$T/said"
    cat "$T/said"
    grep -q ' 0 did not verify' "$T/said" || break
done
grep -qE ' [1-9][0-9]* did not verify, [1-9][0-9]* repaired, 0 without a good copy; 0 ' "$T/said"
"$NWRFS" scrub --data "$T/c" --wait | grep -q ' 0 did not verify'
END
    try and_so_are_tables <<'END'
no grep -q event=groups_in_doubt "$T/c/log"
flip_beneath "$C_DISK" "$T"/c/db/*.sst
sums "$BENEATH" | cmp - "$T/want"
# Groups are compared with those that can be asked at that moment: it may say "scrub again".
for i in $(seq 10); do "$NWRFS" scrub --data "$T/c" --wait >"$T/said" && break; done
grep -q event=groups_in_doubt "$T/c/log"
grep -q ' 0 without a good copy; 0 groups in doubt' "$T/said"
"$NWRFS" scrub --data "$T/c" --wait | grep -q ' 0 did not verify'
"$NWRFS" repair --data "$T/c" --wait >/dev/null
"$NWRFS" repair --data "$T/c" --wait | grep -q '^0 differences found'
END
    # Nothing is left in memory: what is read now comes from the disk.
    halt c
    umount "$T/c" && mount -o loop "$C_DISK" "$T/c"
    again c
    try and_it_was_made_good_there <<'END'
"$NWRFS" scrub --data "$T/c" --wait >"$T/said"
grep -q ' 0 without a good copy; 0 groups in doubt' "$T/said"
for m in "$MA" "$MB" "$BENEATH"; do sums "$m" | cmp - "$T/want"; done
END
else
    skip blocks_that_rot_on_the_disk_are_noticed_though_they_are_right_in_memory "no loop devices"
fi

# rot NAME NODE TIMES PATTERN -- the node is ended, its files rot, it starts and mends itself.
rot() {
    halt "$2"
    # shellcheck disable=SC2086
    (cd "$T/$2" && flip "$3" $4)
    again "$2"
    export NODE=$2
    try "$1" <<'END'
"$NWRFS" scrub --data "$T/$NODE" --wait >"$T/said" || { cat "$T/said"; exit 1; }
grep -q ' 0 without a good copy; 0 groups in doubt' "$T/said"
"$NWRFS" scrub --data "$T/$NODE" --wait | grep -q ' 0 did not verify'
repaired --data "$T/$NODE"
sums "$MA" | cmp - "$T/want"
sums "$MB" | cmp - "$T/want"
END
}
rot segments_that_rotted_are_fetched_again c 300 'segments/*.seg'
rot a_log_that_rotted_is_noticed_and_made_good c 20 'db/*.log'
rot tables_that_rotted_are_set_aside_and_made_good c 30 'db/*.sst'
rot the_manifest_and_its_name_are_mended c 10 'db/MANIFEST* db/CURRENT'
rot marks_that_rotted_cost_a_comparison_only c 3 'mark mark.manifest mark.tables'
rot what_this_node_is_and_where_it_listens_is_known_twice c 2 'mark.values address'
rot other_files_do_not_matter c 10 'db/OPTIONS* db/IDENTITY db/LOG log'
halt b
again b # recovery makes tables of the log
rot a_node_with_a_mount_mends_itself b 30 'db/*.sst segments/*.seg'

# Nobody scrubs: a reader meets what rotted, and gets it from the others.
halt b
(cd "$T/b" && flip 2000 segments/*.seg)
again b
try a_reader_of_rotten_blocks_gets_the_right_bytes <<'END'
sums "$MB" | cmp - "$T/want"
sums "$MA" | cmp - "$T/want"
END

# The reader has no copy, and the peer that it asks has rotten ones.
halt c
(cd "$T/c" && flip 2000 segments/*.seg)
again c
check a_mount_without_storage_comes_up remote far "$(address c)"
export FAR=$T/mnt.far
try a_peer_with_rotten_blocks_answers_with_the_right_ones <<'END'
sums "$FAR" | cmp - "$T/want"
END

halt c
cp "$T/c/format" "$T/format"
flip 4 "$T/c/format"
refuse an_unreadable_format_is_refused 'has format' "$NWRFS" serve --data "$T/c"
cp "$T/format" "$T/c/format"

rm -rf "$T/c/db"
flip 1 "$T/c/mark.values"
refuse a_node_that_knows_no_more_what_it_is_says_what_to_do 'nwrfs ring replace' \
    "$NWRFS" serve --data "$T/c"

halt a
try without_enough_replicas_it_is_said <<'END'
no "$NWRFS" scrub 2>/dev/null
no "$NWRFS" scrub --data "$T/b" --pg 1024 2>/dev/null
"$NWRFS" scrub --help | grep -q 'usage: nwrfs scrub'
END
