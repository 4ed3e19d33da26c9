#!/usr/bin/env bash
# bench.sh -- three local nodes next to a plain directory and libfuse's passthrough_ll, in one run.
#
# Figures of one machine at one moment: only the ratios in one run mean something. All directories
# are on one disk ($TMPDIR). passthrough_ll is compiled from the source that libfuse3-dev ships;
# where it is missing, its column is left out.
#
#   NWR_BENCH_MB (256) size of the sequential file; NWR_BENCH_FILES (2000) files created;
#   NWR_BENCH_NAMES (10000) names listed
. "$(dirname "$0")/../lib/mount.sh"
need_fuse

MB_SIZE=${NWR_BENCH_MB:-256} FILES=${NWR_BENCH_FILES:-2000} NAMES=${NWR_BENCH_NAMES:-10000}
LIMIT=900
LOAD=$T/load
gcc -O2 -D_GNU_SOURCE -o "$LOAD" "$ROOT/tests/bench/load/load.c" || exit 1

# ---- what is compared ----

declare -A DIR=()
mkdir "$T/plain" "$T/backing" "$T/mnt.pt"
DIR[plain]=$T/plain

start_passthrough() {
    local src=/usr/share/doc/libfuse3-dev/examples
    [ -e $src/passthrough_ll.c ] || src=$T/none
    # shellcheck disable=SC2046
    gcc -O2 -w -o "$T/passthrough_ll" "$src/passthrough_ll.c" $(pkg-config --cflags --libs fuse3) \
        2>/dev/null || return 1
    "$T/passthrough_ll" -o source="$T/backing" -f "$T/mnt.pt" >"$T/pt.log" 2>&1 &
    PT=$!
    eventually 5 grep -qF " $T/mnt.pt fuse" /proc/self/mounts
}
end_passthrough() {
    [ -z "${PT:-}" ] || kill "$PT" 2>/dev/null
}
AT_END+=(end_passthrough)
if start_passthrough; then
    DIR[ptll]=$T/mnt.pt
else
    echo "passthrough_ll is left out: its source (libfuse3-dev) is not here or does not compile"
fi
node one mount --n 1 "$T/mnt.one" && DIR[one]=$T/mnt.one
three_nodes || exit 1
DIR[three]=$MA
WAYS=()
for w in plain ptll one three; do [ -z "${DIR[$w]:-}" ] || WAYS+=("$w"); done

# ---- counters ----

# What a way has counted: requests of the kernel, round trips the mount waited for, syncs of all
# its nodes. Asking costs a few requests itself.
counted() {
    local nodes n syncs=0
    case $1 in
    one) nodes=one ;;
    three) nodes="a b c" ;;
    *) return ;;
    esac
    for n in $nodes; do
        syncs=$((syncs + $("$NWRFS" status --data "$T/$n" --json | jq '.counters.store_syncs')))
    done
    "$NWRFS" status "${DIR[$1]}" --json |
        jq -r --argjson s "$syncs" '.mount | .requests |= (del(.forget) | [.[]] | add) |
            "\(.requests) \(.round_trips) \($s)"'
}

# ---- measuring ----

declare -A NS=() OPS=() COUNTS=()
measure() { # WHAT WAY cmd... -- a load whose figures are kept
    local what=$1 way=$2 ops ns before
    shift 2
    before=$(counted "$way")
    read -r ops ns < <(limited "$LIMIT" "$@")
    [ -n "${ns:-}" ] || {
        echo "not ok $what on $way"
        FAILED=1
        return
    }
    NS[$what.$way]=$ns OPS[$what.$way]=$ops
    COUNTS[$what.$way]="$before $(counted "$way")"
}

row() { # WHAT UNIT TEXT -- operations per second of each way, and its share of the plain directory
    local w rate base=
    printf '%-36s' "$3"
    for w in "${WAYS[@]}"; do
        [ -n "${NS[$1.$w]:-}" ] || {
            printf '%24s' "-"
            continue
        }
        rate=$(awk -v o="${OPS[$1.$w]}" -v n="${NS[$1.$w]}" 'BEGIN { printf "%.1f", o * 1e9 / n }')
        base=${base:-$rate}
        printf '%24s' "$(awk -v r="$rate" -v b="$base" -v u="$2" \
            'BEGIN { printf "%.*f %s (%.3f)", r < 100, r, u, r / b }')"
    done
    printf '\n'
}

counts() { # WHAT TEXT -- for each operation
    local w
    printf '%-36s' "$2"
    for w in one three; do
        if [ -n "${NS[$1.$w]:-}" ]; then
            echo "${COUNTS[$1.$w]}" | awk -v n="${OPS[$1.$w]}" \
                '{ printf "%12.2f%12.3f%12.4f", ($4 - $1) / n, ($5 - $2) / n, ($6 - $3) / n }'
        else
            printf '%36s' "-"
        fi
    done
    printf '\n'
}

fresh() { # the kernel and the mount know nothing
    case $1 in
    plain | ptll) if [ -w /proc/sys/vm/drop_caches ]; then echo 2 >/proc/sys/vm/drop_caches; fi ;;
    one) "$NWRFS" umount "$T/mnt.one" && again one ;;
    three) "$NWRFS" umount "$MA" && again a ;;
    esac
}

for w in "${WAYS[@]}"; do
    mkdir "${DIR[$w]}/create" "${DIR[$w]}/names"
    measure create "$w" "$LOAD" create "${DIR[$w]}/create" "$FILES"
    measure cat "$w" "$LOAD" cat "${DIR[$w]}/create" "$FILES"
    measure write "$w" "$LOAD" write "${DIR[$w]}/seq" "$MB_SIZE"
    measure read "$w" "$LOAD" read "${DIR[$w]}/seq" "$MB_SIZE"
    (cd "${DIR[$w]}/names" && seq -f n%g "$NAMES" | xargs touch)
    fresh "$w"
    measure cold "$w" "$LOAD" list "${DIR[$w]}/names"
    measure warm "$w" "$LOAD" list "${DIR[$w]}/names"
done

printf '%-36s' "per second (share of plain)"
for w in "${WAYS[@]}"; do
    case $w in
    plain) printf '%24s' "plain directory" ;;
    ptll) printf '%24s' passthrough_ll ;;
    one) printf '%24s' "nwrfs, one node" ;;
    three) printf '%24s' "nwrfs, n=3 w=2 r=2" ;;
    esac
done
printf '\n'
row create files "create+close of 4 KiB files"
row cat files "open+read+close of 4 KiB files"
row write MiB "sequential write, fsync, $MB_SIZE MiB"
row read MiB "sequential read, $MB_SIZE MiB"
row cold names "ls -l of $NAMES files, cold"
row warm names "ls -l of $NAMES files, warm"
echo
printf '%-36s%36s%36s\n' "for each operation" "nwrfs, one node" "nwrfs, n=3 w=2 r=2"
printf '%-36s%12s%12s%12s%12s%12s%12s\n' "" requests "round trips" syncs \
    requests "round trips" syncs
counts create "file created (4 KiB)"
counts cat "file read (4 KiB)"
counts write "MiB written"
counts read "MiB read"
counts cold "name listed, cold"
counts warm "name listed, warm"
echo "requests: of the kernel to the mount; round trips: that it waited for; syncs: of all nodes"
