#!/usr/bin/env bash
# check_test.sh -- `nwrfs check`: nothing to say of a tree that is well, and what a mount left half
# done when it was killed is found, set right, and gone.
. "$(dirname "$0")/../lib/mount.sh"
need_fuse
need jq

three_nodes 2 1 || {
    fail three_nodes_form_a_volume "see above"
    exit 1
}
export MA MB

try of_a_tree_that_is_well_nothing_is_said <<'END'
mkdir "$MA/d1" "$MA/d2" "$MA/d1/sub"
for i in $(seq 60); do echo "$i" >"$MA/d1/f$i"; done
for i in $(seq 20); do ln "$MA/d1/f$i" "$MA/d2/l$i"; done
for i in $(seq 21 40); do mv "$MA/d1/f$i" "$MA/d2/"; done
rm "$MA"/d1/f4?
ln -s nowhere "$MA/d1/link"
mkfifo "$MA/d2/fifo"
rmdir "$MA/d1/sub"
"$NWRFS" set "$MA" w=2
same "" "$("$NWRFS" check "$MA" 2>/dev/null)"
"$NWRFS" check "$MB/d2"
same '[]' "$("$NWRFS" check "$MA/d1" --json | tr -d '\n ')"
END

# Many programs rename files between two directories, in groups of their own, when the mount dies.
cat >"$T/renames.py" <<'END'
import os, sys, threading

def work(top, i):
    here, there = "d1", "d2"
    while True:
        try:
            os.rename(f"{top}/{here}/r{i}", f"{top}/{there}/r{i}")
        except OSError:
            return
        here, there = there, here

for i in range(32):
    open(f"{sys.argv[1]}/d1/r{i}", "w").write(str(i))
workers = [threading.Thread(target=work, args=(sys.argv[1], i)) for i in range(32)]
for w in workers:
    w.start()
print("begun", flush=True)
END

# Nobody looks at the names before: that would finish most of it.
found=
for _ in $(seq 40); do # about one of three leaves something, depending on the groups of d1 and d2
    timeout 60 python3 "$T/renames.py" "$MB" >"$T/begun" 2>/dev/null &
    eventually 20 grep -q begun "$T/begun"
    sleep 0.5
    kill9 b
    wait $!
    again b
    found=$("$NWRFS" check "$MA" 2>/dev/null)
    [ -z "$found" ] || break
    rm -rf "$MA/d1" "$MA/d2"
    mkdir "$MA/d1" "$MA/d2"
done
check a_mount_that_is_killed_leaves_something test -n "$found"
export found

try damage_is_told_one_line_each_with_status_1_and_as_json <<'END'
no "$NWRFS" check "$MA"
same "$(echo "$found" | wc -l)" \
    "$(echo "$found" | grep -cE "^$MA/d[12]/r[0-9]+: .*(half done|its directory does not)")"
"$NWRFS" check "$MA" --json >"$T/json" || true
jq -e 'length > 0 and all(.[]; .repaired == false and (.path | startswith("/")))' "$T/json"
END

try it_is_set_right_and_then_nothing_is_found <<'END'
"$NWRFS" check "$MA" --repair 2>/dev/null | grep -q ': set right$'
same "" "$("$NWRFS" check "$MA" 2>/dev/null)"
same "" "$("$NWRFS" check "$MB" 2>/dev/null)"
for i in $(seq 0 31); do
    same "$i" "$(cat "$MA"/d?/r$i)"
    same 1 "$(stat -c %h "$MA"/d?/r$i)"
done
same 32 "$(ls "$MB"/d?/r* | wc -l)"
END

refuse check_elsewhere_says_that_this_is_not_nwrfs 'not on nwrfs' "$NWRFS" check "$T"
