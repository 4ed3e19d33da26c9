#!/usr/bin/env bash
# catchup.sh -- a node that missed many writes comes back: how fast it has them, and what becomes of
# those who work meanwhile. Three nodes on one machine, so that all share its processors and disk:
# only the ratios in one run mean something. Once for each way:
#
#   hints           it was killed, and the others kept what it missed
#   reconciliation  its disk is set back to an older copy, so nobody kept anything for it
#
#   NWR_CATCHUP_WRITES (100000) files written, or written over, that it missed
#   NWR_CATCHUP_WAYS (hints reconciliation)
. "$(dirname "$0")/../lib/net.sh" # for an interface whose bytes are those of the nodes alone
need_fuse
need jq

WRITES=${NWR_CATCHUP_WRITES:-100000} WAYS=${NWR_CATCHUP_WAYS:-hints reconciliation} SPAN=10

# work DIR SECONDS WRITES -- writes files of 500 bytes, every fifth time over the one of 100 times
# before, until either is over or DIR.end is there. Says when each began and how long it took. In a
# shell of its own, which it ends.
work() {
    mkdir -p "$1"
    exec python3 - "$1" "$2" "$3" "$T/end" <<'END'
import os, sys, time
where, span, most, end = sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
began, n = time.time(), 0
while n < most and time.time() - began < span and not os.path.exists(end):
    if n % 500 == 0:
        os.mkdir(f"{where}/{n // 500}")
    at = n - 100 if n % 5 == 4 and n >= 100 else n
    since = time.time()
    with open(f"{where}/{at // 500}/{at % 500}", "wb") as f:
        f.write(b"%d " % n * 60)
    print("%.3f %.3f" % (since, (time.time() - since) * 1000))
    n += 1
END
}

now() { date +%s.%N; }
status() { "$NWRFS" status --data "$T/$1" --json; }
hints() { for n in a b; do status $n; done | jq -s '[.[].members[].hints] | add'; }
sent() { awk '$1 == "lo:" { print $10 }' /proc/net/dev; } # bytes, by all nodes together

# phase FILE FROM TO -- how many writes, how many a second, and what 99 of 100 took at most (ms)
phase() {
    awk -v from="$2" -v to="$3" '$1 >= from && $1 < to { print $2 }' "$1" | sort -n |
        awk -v from="$2" -v to="$3" '{ ms[NR] = $1 }
            END { printf "%d %.0f %.1f\n", NR, NR / (to - from), ms[int((NR * 99 + 99) / 100)] }'
}

miss() { # writes that it is to catch up with
    local part pids=()
    for part in 1 2; do
        work "$MNT/$1.missed$part" 100000 $((WRITES / 2)) >/dev/null &
        pids+=($!)
    done
    wait "${pids[@]}"
}

go_away() { # WAY -- and come back without what was written meanwhile
    if [ "$1" = hints ]; then
        kill9 c
        sleep 6 # until it is known to be down
        miss "$1"
        echo "$1: $(hints) hints were kept"
        return
    fi
    halt c
    cp -a "$T/c" "$T/c.old"
    again c
    miss "$1"
    halt c
    rm -rf "$T/c"
    mv "$T/c.old" "$T/c"
}

catch_up() { # WAY
    again c
    if [ "$1" = hints ]; then
        while [ "$(hints)" -gt 0 ]; do sleep 0.2; done
    fi
    "$NWRFS" repair --data "$T/c" --wait >"$T/repair"
}

one_way() { # WAY
    local way=$1 at=() bytes=() worker
    rm -f "$T/end"
    at[0]=$(now) bytes[0]=$(sent)
    (work "$MNT/$way.before" $SPAN 1000000000) >"$T/before"
    at[1]=$(now) bytes[1]=$(sent)
    go_away "$way"
    work "$MNT/$way.work" 100000 1000000000 >"$T/work" &
    worker=$!
    sleep 2
    at[2]=$(now) bytes[2]=$(sent)
    catch_up "$way"
    at[3]=$(now) bytes[3]=$(sent)
    sleep 3
    at[4]=$(now)
    sleep $SPAN
    at[5]=$(now)
    touch "$T/end"
    wait $worker
    {
        phase "$T/before" "${at[0]}" "${at[1]}"
        phase "$T/work" "${at[2]}" "${at[3]}"
        phase "$T/work" "${at[4]}" "${at[5]}"
        echo "${at[2]} ${at[3]}" $((bytes[1] - bytes[0])) $((bytes[3] - bytes[2]))
    } | awk -v way="$way" -v missed="$WRITES" '
        NR < 4 { n[NR] = $1; rate[NR] = $2; ms[NR] = $3 }
        NR == 4 { took = $2 - $1; own = $3 / n[1]; bytes = $4 - own * n[2] }
        END {
            printf "%s: %d missed writes in %.1f s, %.0f a second, %.0f bytes each\n", way, missed,
                took, missed / took, bytes / missed
            printf "%s: others wrote before, meanwhile, after: %d %d %d a second\n", way, rate[1],
                rate[2], rate[3]
            printf "%s: 99 of 100 took at most %s %s %s ms\n", way, ms[1], ms[2], ms[3]
            printf "%s: meanwhile / before: %.2f, / after: %.2f\n", way, rate[2] / rate[1],
                rate[2] / rate[3]
        }'
    sed "s/^/$way: then repair says: /" "$T/repair"
}

MNT=$T/mnt.a
node a mount --n 3 --w 2 --r 2 "$MNT" && node b serve --join "$(address a)" &&
    node c serve --join "$(address a)" || {
    fail three_nodes
    exit 1
}
for way in $WAYS; do one_way "$way"; done
exit "$FAILED"
