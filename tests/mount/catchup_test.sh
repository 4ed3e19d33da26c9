#!/usr/bin/env bash
# catchup_test.sh -- a node was killed and missed thousands of writes: it gets them while others go
# on working, and then has what the others have. tests/bench/catchup.sh measures how fast.
. "$(dirname "$0")/../lib/mount.sh"
need_fuse
need jq
need python3

export FILES=${NWR_CATCHUP_FILES:-2000}

three_nodes 2 1 || {
    fail three_nodes_form_a_volume "see above"
    exit 1
}
export MA MB
counter() { "$NWRFS" status --data "$T/$1" --json | jq ".counters.$2"; }
hints() {
    for n in a b; do "$NWRFS" status --data "$T/$n" --json; done |
        jq -s '[.[].members[].hints] | add'
}
no_hints() { [ "$(hints)" = 0 ]; }
as_many_blocks() { [ "$(counter "$1" blocks)" = "$(counter "$2" blocks)" ]; }
export -f counter as_many_blocks

# write_files DIR COUNT -- each with a text that its name tells; a fourth of them is written over.
# Until COUNT is reached, or DIR.end is there. DIR.done says how many are.
write_files() {
    python3 - "$1" "$2" "$T/$(basename "$1")" <<'END'
import os, sys
where, most, note = sys.argv[1], int(sys.argv[2]), sys.argv[3]
os.mkdir(where)
n = 0
while n < most and not os.path.exists(note + ".end"):
    if n % 4 == 0:
        with open(f"{where}/{n}", "w") as f:
            f.write("to be written over")
    with open(f"{where}/{n}", "w") as f:
        f.write(f"text {n} " * 40)
    n += 1
    with open(note + ".new", "w") as f:
        f.write(str(n))
    os.replace(note + ".new", note + ".done")
END
}
done_of() { cat "$T/$1.done"; }
is_working() { [ "$(done_of during)" -gt "${1:-0}" ]; }

check some_files_are_everywhere write_files "$MA/before" 100
kill9 c
check the_others_write_thousands write_files "$MA/missed" "$FILES"
[ "$(hints)" -ge "$FILES" ] && ok they_keep_hints || fail they_keep_hints "$(hints)"

write_files "$MA/during" 1000000 &
worker=$!
eventually 20 is_working && ok work_goes_on || fail work_goes_on
again c
at_begin=$(done_of during)
eventually 60 no_hints && ok it_gets_all_hints || fail it_gets_all_hints "$(hints)"
delivered=$(($(counter a hints_delivered) + $(counter b hints_delivered)))
[ "$delivered" -ge "$FILES" ] && ok they_were_delivered || fail they_were_delivered "$delivered"
at_end=$(done_of during)
[ "$at_end" -gt "$at_begin" ] && ok work_went_on_meanwhile ||
    fail work_went_on_meanwhile "$at_begin"
eventually 20 is_working "$at_end" && ok and_afterwards || fail and_afterwards "$at_end"
touch "$T/during.end"
wait "$worker"
export DURING
DURING=$(done_of during)

try it_is_equal_then <<'END'
"$NWRFS" repair --data "$T/c" --wait >/dev/null
"$NWRFS" repair --data "$T/c" --wait | grep -q '^0 differences found'
eventually 20 as_many_blocks a c
END
C=$(address c)
halt a
halt b
check a_mount_of_it_alone_comes_up remote solo "$C"
export SOLO=$T/mnt.solo
try it_has_all_by_itself <<'END'
python3 - "$SOLO" before 100 missed "$FILES" during "$DURING" <<'END_OF_READING'
import os, sys
top, rest = sys.argv[1], sys.argv[2:]
for name, count in zip(rest[::2], map(int, rest[1::2])):
    assert len(os.listdir(f"{top}/{name}")) == count, name
    for n in range(count):
        with open(f"{top}/{name}/{n}") as f:
            assert f.read() == f"text {n} " * 40, (name, n)
END_OF_READING
END
