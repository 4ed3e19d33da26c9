#!/usr/bin/env bash
# conflicts.sh -- many files, and some of them edited on both sides of a cut: what `nwrfs conflicts`
# takes next to a walk, on three machines, in one run.
#
# Figures of one machine at one moment: only the ratios in one run mean something.
#
#   NWR_BENCH_MANY (20000) files; NWR_BENCH_CONFLICTS (200) of them in conflict
. "$(dirname "$0")/../lib/cluster.sh"
need_fuse
need jq
FILES=${NWR_BENCH_MANY:-20000} CONFLICTS=${NWR_BENCH_CONFLICTS:-200}
LIMIT=20000 MA=$T/mnt.a MB=$T/mnt.b
gcc -O2 -D_GNU_SOURCE -o "$T/many" "$ROOT/tests/bench/load/many.c" -lpthread || exit 1
start() { # NAME KIND ARGS... -- a node on its machine
    # shellcheck disable=SC2046
    node "$1" "$2" $(listen "$1") "${@:3}"
}

took() { # WHAT cmd...
    local what=$1 begin
    shift
    begin=$(date +%s%N)
    "$@" >"$T/out"
    awk -v w="$what" -v a="$begin" -v b="$(date +%s%N)" -v n="$(wc -l <"$T/out")" \
        'BEGIN { printf "%-44s %8.2f s %8d lines\n", w, (b - a) / 1e9, n }'
}

write_all() { # MOUNT TEXT
    local i
    for ((i = 0; i < CONFLICTS; i++)); do echo "$2" >"$1/d/$(printf 'n%07d' "$i")"; done
}
siblings() { "$NWRFS" conflicts "$1" | grep -c '\.conflict\.'; }
all_there() { [ "$(siblings "$1")" = "$CONFLICTS" ]; }

for m in a:1 b:2 c:3; do machine "${m%:*}" "${m#*:}"; done
start a mount --n 3 --w 1 --r 1 "$MA" && start b mount --join 10.77.0.1:7000 "$MB" &&
    start c serve --join 10.77.0.1:7000 || exit 1
mkdir "$MA/d" && "$T/many" create "$MA/d" 0 "$FILES" 4 >/dev/null || exit 1
echo "$FILES files, $CONFLICTS in conflict"
took "conflicts, before there are any" "$NWRFS" conflicts "$MA"
part a
write_all "$MA" one
write_all "$MB" other
heal a
eventually 600 all_there "$MA" && eventually 600 all_there "$MB" || fail all_conflicts_are_shown
took "conflicts" "$NWRFS" conflicts "$MA"
took "conflicts, the other mount" "$NWRFS" conflicts "$MB"
took "a walk for their names" find "$MA" -name '*.conflict.*'
took "a walk that asks each file" getfattr -R -n user.nwrfs.siblings "$MA" 2>/dev/null
(cd "$MB/d" && find . -name '*.conflict.*' -delete)
took "conflicts, after they were resolved" "$NWRFS" conflicts "$MA"
check the_mounts_list_the_same diff <(ls "$MA/d") <(ls "$MB/d")
