#!/usr/bin/env bash
# catchup.sh -- a node that missed many writes comes back: how fast it has them, and what becomes of
# those who work meanwhile. Three nodes on one machine, so that all share its processors and disk:
# only the ratios in one run mean something.
#
#   NWR_CATCHUP_WRITES (20000) files written while the node is away
. "$(dirname "$0")/../lib/mount.sh"
need_fuse
need jq

WRITES=${NWR_CATCHUP_WRITES:-20000} SPAN=10
LIMIT=1800
MNT=$T/mnt.a

# work DIR SECONDS FILES -- creates files of 500 bytes until either is over; says how many a second.
# In a shell of its own, which it ends.
work() {
    mkdir -p "$MNT/$1"
    exec python3 - "$MNT/$1" "$2" "$3" <<'END'
import os, sys, time
where, span, most = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
begin, n = time.monotonic(), 0
while n < most and time.monotonic() - begin < span:
    if n % 500 == 0:
        sub = f"{where}/{n // 500}"
        os.mkdir(sub)
    with open(f"{sub}/{n % 500}", "wb") as f:
        f.write(b"%d " % n * 60)
    n += 1
print(round(n / (time.monotonic() - begin), 1))
END
}

status() { "$NWRFS" status --data "$T/$1" --json; }
hints() { for n in a b; do status $n; done | jq -s '[.[].members[].hints] | add'; }

node a mount --n 3 --w 2 --r 2 "$MNT" && node b serve --join "$(address a)" &&
    node c serve --join "$(address a)" || {
    fail three_nodes
    exit 1
}
before=$(work before $SPAN 1000000000)
kill9 c
sleep 6
begin=$(date +%s.%N)
for part in 1 2; do work "missed$part" 100000 $((WRITES / 2)) >"$T/rate$part" & pids[part]=$!; done
wait "${pids[1]}" "${pids[2]}"
took=$(echo "$(date +%s.%N) $begin" | awk '{print $1 - $2}')
kept=$(hints)
begin=$(date +%s.%N)
again c
work during 100000 1000000000 >"$T/during" &
worker=$!
while [ "$(hints)" -gt 0 ]; do sleep 0.2; done
caught=$(echo "$(date +%s.%N) $begin" | awk '{print $1 - $2}')
kill "$worker" 2>/dev/null
wait "$worker" 2>/dev/null
done_during=$(find "$MNT/during" -type f | wc -l)
after=$(work after $SPAN 1000000000)
"$NWRFS" repair --data "$T/a" --wait >"$T/repair" 2>&1

awk -v w="$WRITES" -v took="$took" -v kept="$kept" -v caught="$caught" -v n="$done_during" \
    -v before="$before" -v after="$after" 'BEGIN {
    printf "files written while it was away     %d in %.1f s\n", w, took
    printf "hints kept for it                   %d\n", kept
    rate = kept / caught
    printf "delivered                           in %.1f s, %.0f hints a second\n", caught, rate
    during = n / caught
    printf "files a second before, meanwhile, after   %.0f  %.0f  %.0f\n", before, during, after
    printf "meanwhile / mean of before and after      %.2f\n", 2 * during / (before + after)
}'
sed 's/^/then repair says: /' "$T/repair" | tail -n 1
exit "$FAILED"
