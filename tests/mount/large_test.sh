#!/usr/bin/env bash
# large_test.sh -- a directory of 10,000 names (NWR_LONG=1: 1,000,000): what one name costs does not
# grow with the directory. Counted in requests, not in time.
. "$(dirname "$0")/../lib/mount.sh"
need_fuse
need jq

export NAMES=${NWR_LONG:+1000000}
export NAMES=${NAMES:-10000}
LIMIT=$((NAMES / 100 + 100))
export M=$T/mnt
node a mount "$M" || {
    fail a_new_volume_mounts "see above"
    exit 1
}
mkdir "$M/d" "$M/small"

# Reads and writes of the store so far.
ops() { "$NWRFS" status --data "$T/a" --json | jq '.counters | .store_reads + .store_applies'; }

make_names() { # DIR FROM TO
    python3 - "$@" <<'END'
import os, sys
for i in range(int(sys.argv[2]), int(sys.argv[3])):
    os.close(os.open("%s/name-%07d" % (sys.argv[1], i), os.O_CREAT | os.O_WRONLY, 0o644))
END
}

before=$(ops)
check the_first_names_are_made make_names "$M/small" 0 1000
first=$(($(ops) - before))
check many_names_are_made make_names "$M/d" 0 $((NAMES - 1000))
before=$(ops)
check the_last_names_are_made make_names "$M/d" $((NAMES - 1000)) "$NAMES"
last=$(($(ops) - before))
echo "# store operations for 1,000 names: $first in an empty directory, $last in a large one"
if [ "$last" -lt $((first + first / 2 + 200)) ]; then
    ok a_name_costs_the_same_in_a_large_directory
else
    fail a_name_costs_the_same_in_a_large_directory "$first and $last"
fi

before=$(ops)
equal each_name_is_listed_once "$NAMES" "$(limited "$LIMIT" ls -U "$M/d" | sort -u | wc -l)"
listed=$(($(ops) - before))
if [ "$listed" -lt $((NAMES / 50 + 200)) ]; then
    ok a_listing_reads_pages_and_not_names
else
    fail a_listing_reads_pages_and_not_names "$listed for $NAMES names"
fi
equal with_attributes_each_is_listed_once_too "$NAMES" \
    "$(limited "$LIMIT" ls -lU "$M/d" | grep -c name-)"

try a_listing_goes_on_while_names_come_and_go <<'END'
python3 - "$M/d" "$NAMES" <<'PY'
import os, sys
d, n = sys.argv[1], int(sys.argv[2])
seen, made, gone = set(), 0, 0
with os.scandir(d) as it:
    for i, e in enumerate(it):
        assert e.name not in seen
        seen.add(e.name)
        if i % 50 == 0:
            os.unlink(e.path)
            gone += 1
        if i % 400 == 0:
            open("%s/new-%d" % (d, i), "w").close()
            made += 1
old = {s for s in seen if s.startswith("name-")}
assert len(old) == n, len(old)
assert len(os.listdir(d)) == n - gone + made, (len(os.listdir(d)), gone, made)
PY
END

# The reader stops every 500 names while another process makes, removes and moves some.
try a_slow_listing_has_each_name_once_that_stays <<'END'
python3 "$ROOT/tests/lib/slow_reader.py" "$M/d" "$T/gone"
END
check rm_rf_removes_all rm -rf "$M/d"
equal nothing_is_left "small" "$(ls -A "$M")"
check stop_ends_the_node_and_unmounts halt a
