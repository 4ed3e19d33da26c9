#!/usr/bin/env bash
# manynames.sh -- one directory of very many names: what a name costs as it grows, next to a plain
# directory and libfuse's passthrough_ll, in one run.
#
# Figures of one machine at one moment: only the ratios in one run mean something.
#
#   NWR_BENCH_MANY (20000) names in the directory; 1000000 takes an hour on three nodes
#   NWR_BENCH_WAYS (plain ptll one three) what is measured
. "$(dirname "$0")/../lib/mount.sh"
need_fuse
need jq

NAMES=${NWR_BENCH_MANY:-20000} WAYS=${NWR_BENCH_WAYS:-plain ptll one three}
LIMIT=20000
SOME=$((NAMES / 10 < 2000 ? NAMES / 10 : 2000))
STEPS="$((NAMES / 100)) $((NAMES / 10)) $((NAMES / 2)) $NAMES"
MANY=$T/many
gcc -O2 -D_GNU_SOURCE -o "$MANY" "$ROOT/tests/bench/load/many.c" -lpthread || exit 1

# ---- what is compared ----

declare -A DIR=()
start_way() {
    local src=/usr/share/doc/libfuse3-dev/examples/passthrough_ll.c
    case $1 in
    plain) mkdir "$T/plain" && DIR[plain]=$T/plain ;;
    ptll)
        mkdir "$T/backing" "$T/mnt.pt"
        # shellcheck disable=SC2046
        gcc -O2 -w -o "$T/ptll" $src $(pkg-config --cflags --libs fuse3) 2>/dev/null || return 1
        "$T/ptll" -o source="$T/backing" -f "$T/mnt.pt" >"$T/pt.log" 2>&1 &
        PT=$!
        eventually 5 grep -qF " $T/mnt.pt fuse" /proc/self/mounts && DIR[ptll]=$T/mnt.pt
        ;;
    one) node one mount --n 1 "$T/mnt.one" && DIR[one]=$T/mnt.one ;;
    three) three_nodes && DIR[three]=$MA ;;
    esac
}
end_passthrough() { [ -z "${PT:-}" ] || kill "$PT" 2>/dev/null; }
AT_END+=(end_passthrough)
node_of() { case $1 in one) echo one ;; three) echo a ;; esac; }

fresh() { # the kernel and the mount know nothing
    case $1 in
    plain | ptll) if [ -w /proc/sys/vm/drop_caches ]; then echo 2 >/proc/sys/vm/drop_caches; fi ;;
    *) "$NWRFS" umount "${DIR[$1]}" && again "$(node_of "$1")" ;;
    esac
}

# ---- measuring ----

declare -A NS=()
measure() { # WHAT WAY cmd... -- nanoseconds an operation
    local what=$1 way=$2 ops ns
    shift 2
    read -r ops ns < <(limited "$LIMIT" "$@")
    if [ -n "${ns:-}" ]; then
        NS[$what.$way]=$((ns / (ops ? ops : 1)))
    else
        fail "$what on $way"
    fi
}

timed() { # cmd... -- like a load: one operation
    local begin
    begin=$(date +%s%N)
    "$@" >/dev/null && echo "1 $(($(date +%s%N) - begin))"
}

memory() { # WAY -- KiB of the mount's process
    awk '/VmRSS/ { print $2 }' "/proc/$(node_pid "$(node_of "$1")")/status"
}

held() { # WAY -- records and KiB of the data directory
    local n
    n=$(node_of "$1")
    echo "$("$NWRFS" status --data "$T/$n" --json | jq '.members[0].records') records," \
        "$(du -sk "$T/$n" | cut -f 1) KiB, the process $(memory "$1") KiB"
}

declare -A SAID=()
measure_way() {
    local d=${DIR[$1]}/d at=0 to from
    mkdir "$d"
    for to in $STEPS; do
        from=$((to - NAMES / 100))
        "$MANY" create "$d" "$at" "$from" 4 >/dev/null
        measure "create$to" "$1" "$MANY" create "$d" "$from" "$to" 4
        at=$to
    done
    [ -z "$(node_of "$1")" ] || SAID[full.$1]=$(held "$1")
    fresh "$1"
    measure first "$1" timed stat "$d/n0000001"
    measure cold "$1" "$MANY" names "$d"
    measure warm "$1" "$MANY" names "$d"
    fresh "$1"
    measure stats "$1" "$MANY" stats "$d"
    measure seek "$1" "$MANY" seek "$d" "$SOME"
    measure stat "$1" "$MANY" stat "$d" "$NAMES" "$SOME"
    measure absent "$1" "$MANY" absent "$d" "$NAMES" "$SOME"
    measure open "$1" "$MANY" open "$d" "$NAMES" "$SOME"
    measure rename "$1" "$MANY" rename "$d" 0 "$SOME"
    measure unlink "$1" "$MANY" unlink "$d" "$SOME" $((2 * SOME))
    measure remove "$1" timed rm -rf "$d"
    measure anew "$1" timed mkdir "$d"
    [ -z "$(node_of "$1")" ] || SAID[gone.$1]=$(sleep 90 && held "$1")
}

row() { # WHAT UNIT(1000 us, 1000000 ms, 1000000000 s) TEXT
    local w base=
    printf '%-34s' "$3"
    for w in $WAYS; do
        [ -n "${NS[$1.$w]:-}" ] || {
            printf '%22s' -
            continue
        }
        base=${base:-${NS[$1.$w]}}
        printf '%22s' "$(awk -v n="${NS[$1.$w]}" -v b="$base" -v u="$2" \
            'BEGIN { printf "%.1f (%.1f)", n / u, n / (b ? b : 1) }')"
    done
    printf '\n'
}

for w in $WAYS; do
    if start_way "$w"; then measure_way "$w"; else echo "$w is left out: it does not start"; fi
done
printf '%-34s' "$NAMES names (share of the first)"
for w in $WAYS; do printf '%22s' "$w"; done
printf '\n'
for to in $STEPS; do
    row "create$to" 1000 "us a create, up to $to"
done
row first 1000000 "ms first look-up after a mount"
row cold 1000 "us a name, readdir, cold"
row warm 1000 "us a name, readdir, warm"
row stats 1000 "us a name, readdir and lstat, cold"
row seek 1000 "us a seekdir and readdir"
row stat 1000 "us a stat, at random"
row absent 1000 "us a stat of what is not there"
row open 1000 "us an open and close, at random"
row rename 1000 "us a rename"
row unlink 1000 "us an unlink"
row remove 1000000000 "s rm -rf"
row anew 1000000 "ms mkdir of the same name then"
for w in "${!SAID[@]}"; do echo "$w: ${SAID[$w]}"; done | sort
