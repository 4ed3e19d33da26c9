#!/usr/bin/env bash
# full_small_test.sh -- disks that small files fill through the mount: what they hold must be
# compacted before it frees anything, and rm works all the time until then.
. "$(dirname "$0")/../lib/mount.sh"
need_fuse
need_root
need mkfs.ext4
need jq

for n in a b c; do small_disk $n 160 || skip_all "no loop devices"; done
three_nodes || {
    fail three_nodes_form_a_volume "see above"
    exit 1
}
export MA MB
export -f eventually

mkdir "$MA/kept" "$MA/fill"
for i in 1 2 3; do
    head -c 50000 /dev/urandom >"$T/kept.$i" && cp "$T/kept.$i" "$MA/kept/$i"
done
# Blocks below 64 KiB stand in the database. Full is full when it stays so for some seconds, since
# tables are written and compacted meanwhile. One that was refused may have left its name.
try small_files_fill_all_disks <<END
head -c 60000 /dev/urandom >"$T/piece"
i=0 n=0 refused=0
while [ \$refused -lt 12 ]; do
    i=\$((i + 1))
    if cp "$T/piece" "$MA/fill/\$i" 2>"$T/said"; then
        n=\$((n + 1)) refused=0
        echo \$i >>"$T/names"
    else
        grep -q "No space left" "$T/said" || { cat "$T/said"; false; }
        refused=\$((refused + 1))
        sleep 0.2
    fi
    [ \$n -lt 3000 ]
done
[ \$n -gt 100 ]
echo \$n >"$T/count"
END
try each_of_them_can_be_removed_whatever_the_order <<END
for one in \$(sort -R --random-source="$T/piece" "$T/names"); do
    rm "$MB/fill/\$one"
done
END
check the_names_of_those_that_were_refused_too eventually 20 rm -r "$MA/fill"
try and_what_they_took_is_free_again <<'END'
mkdir "$MB/again" || eventually 20 mkdir "$MB/again"
n=$(($(cat "$T/count") / 4))
for i in $(seq $n); do eventually 20 cp "$T/piece" "$MB/again/$i"; done
cmp "$T/piece" "$MA/again/$n"
for i in 1 2 3; do cmp "$T/kept.$i" "$MB/kept/$i"; done
END
check replicas_agree repaired "$MA"
for n in a b c; do
    check "${n}_is_alive" kill -0 "$(cat "$T/$n/pid")"
    if grep -q 'level=error' "$T/$n/log"; then
        fail "${n}_has_nothing_worse_to_say" "$(grep -m 1 'level=error' "$T/$n/log")"
    fi
done
