#!/usr/bin/env bash
# repair_test.sh -- a node that was away becomes equal to its replicas without anybody reading:
# `nwrfs repair --wait` says when, and what was deleted meanwhile stays deleted.
# sanitizers: yes
. "$(dirname "$0")/../lib/mount.sh"
need_fuse
need jq

FILES=${NWR_REPAIR_FILES:-600}

three_nodes 2 1 || {
    fail three_nodes_form_a_volume "see above"
    exit 1
}
export MA MB FILES
counter() { "$NWRFS" status --data "$T/$1" --json | jq ".counters.$2"; }
as_many_blocks() { [ "$(counter "$1" blocks)" = "$(counter "$2" blocks)" ]; }
export -f counter as_many_blocks

try replicas_that_are_equal_need_no_exchange <<'END'
repaired "$MB"
"$NWRFS" repair --data "$T/a" --wait | grep ' 0 left, compared with 2 replicas'
END

try a_node_misses_writes_and_deletes <<'END'
mkdir "$MA/d"
for i in $(seq 40); do echo "gone $i" >"$MA/d/gone$i"; done
repaired --data "$T/c"
END
kill9 c
try the_others_go_on_without_it <<'END'
for i in $(seq "$FILES"); do echo "new $i" >"$MA/d/new$i"; done
head -c 3000000 /dev/urandom >"$MA/large"
rm "$MB"/d/gone*
END

refuse a_replica_that_is_away_is_said_and_fails 'could not be compared' \
    bash -c '"$NWRFS" repair --data "$T/a" --wait >/dev/null'

again c
# Hints bring most of it, and node a may begin a comparison by itself.
try repair_ends_with_no_difference_and_all_is_there <<'END'
repaired --data "$T/c"
same 0 "$(counter c reads)"
eventually 20 as_many_blocks a c
END

# Its hints were delivered already: only a comparison can tell.
halt c
cp -a "$T/c" "$T/c.old"
again c
try a_node_with_an_old_disk_gets_what_the_new_one_had_and_brings_nothing_back <<'END'
for i in $(seq 30); do rm "$MA/d/new$i"; done
for i in $(seq 30); do echo "new $i again" >"$MA/d/new$i"; done
for i in $(seq 31 60); do rm "$MB/d/new$i"; done
repaired --data "$T/c"
END
halt c
rm -rf "$T/c"
mv "$T/c.old" "$T/c"
again c
try the_old_disk_is_made_equal <<'END'
repaired --data "$T/c"
rows=$(($(counter a compare_rows) + $(counter b compare_rows) + $(counter c compare_rows)))
test "$rows" -ge 60
END

try one_group_can_be_asked_for <<'END'
"$NWRFS" repair --data "$T/c" --pg 7 --wait | grep -q '^0 differences found'
no "$NWRFS" repair --data "$T/c" --pg 1024 --wait 2>/dev/null
no "$NWRFS" repair --data "$T/c" --pg x 2>/dev/null
"$NWRFS" repair --data "$T/c"
END

# What it holds by itself.
cmp_large() { cmp "$MA/large" "$T/large"; }
cp "$MA/large" "$T/large"
# Tombstones go when all have confirmed them: a run tells one replica, a few tell all of them. What
# rm leaves to be done later (the inodes) goes after that, and is not waited for.
records() {
    "$NWRFS" status --data "$T/$1" --json |
        jq '.ordinal as $o | .members[] | select(.ordinal == $o) | .records'
}
all_records() { for n in a b c; do records "$n"; done; }
export -f records all_records
try a_hundred_files_are_made_and_removed <<'END'
mkdir "$MA/e"
for i in $(seq 100); do echo "$i" >"$MA/e/f$i"; done
# What was deleted before is forgotten first, by each node when it has compared. Figures are taken
# once a second, or later on a busy machine.
for round in $(seq 20); do
    was=$(all_records)
    for n in a b c; do "$NWRFS" repair --data "$T/$n" --wait >/dev/null; done
    sleep 1.5
    [ "$was" = "$(all_records)" ] && break
done
# A file has four records. Of one that another mount removed six stay until they are forgotten, then
# four: three that say which write_ids are retired, and a mark.
all_records | awk '{ print $1 + 20 }' >"$T/most"
rm "$MB"/e/f*
END
few() { # no node has more than "$T/most" says
    for n in a b c; do "$NWRFS" repair --data "$T/$n" --wait; done
    sleep 1.2
    paste <(all_records) "$T/most" | awk '$1 > $2 { more = 1 } END { exit more }'
}
if eventually 200 few; then
    ok records_of_deleted_files_go_from_every_replica
else
    fail records_of_deleted_files_go_from_every_replica "$(paste <(all_records) "$T/most")"
fi

# A mount knows of what it wrote itself that no copy of it can come late: of that, one record a file
# stays (the mark that says that it is gone).
try a_mount_removes_what_it_made <<'END'
all_records | awk '{ print $1 + 130 }' >"$T/most"
for i in $(seq 100); do echo "$i" >"$MA/e/own$i"; done
rm "$MA"/e/own*
END
if eventually 200 few; then
    ok hardly_anything_stays_of_what_its_own_mount_removes
else
    fail hardly_anything_stays_of_what_its_own_mount_removes "$(paste <(all_records) "$T/most")"
fi

C=$(address c)
halt a
halt b
check a_mount_of_that_node_alone_comes_up remote solo "$C"
export SOLO=$T/mnt.solo
try it_has_what_was_written_and_not_what_was_deleted <<'END'
same "$((FILES - 30))" "$(ls "$SOLO/d" | wc -l)"
same 0 "$(ls "$SOLO/d" | grep -c gone)"
for i in $(seq 30); do same "new $i again" "$(cat "$SOLO/d/new$i")"; done
for i in $(seq 61 "$FILES"); do same "new $i" "$(cat "$SOLO/d/new$i")"; done
cmp "$SOLO/large" "$T/large"
END

try repair_refuses_what_it_cannot_do <<'END'
no "$NWRFS" repair "$SOLO" --wait 2>"$T/said"
grep -q 'stores nothing' "$T/said"
no "$NWRFS" repair --data "$T/a" 2>"$T/said"
grep -q 'no node is running' "$T/said"
no "$NWRFS" repair 2>/dev/null
END
