#!/usr/bin/env bash
# demo.sh -- three peers, two mounts, a lost peer, edits on both sides of a cut, resolved.
#
#   make demo              builds, then runs this; everything is below build/demo/
#   tools/demo.sh          runs it with the program at $NWRFS (build/release/nwrfs)
#   tools/demo.sh stop     unmounts and ends the nodes of the demo; the data stays
#
# Prints every command it runs: paste them after `cd build/demo` to repeat one. The mounts stay
# up at the end. Running it again replaces what an earlier demo left.
set -u
ROOT=$(cd "$(dirname "$0")/.." && pwd)
NWRFS=$(realpath -m "${NWRFS:-$ROOT/build/release/nwrfs}")
DEMO=$ROOT/build/demo
NODES="a b c" MOUNTS="left right"

bold= dim= off=
if [ -t 1 ]; then bold=$'\e[1m' dim=$'\e[2m' off=$'\e[0m'; fi

give_up() {
    echo
    echo "demo: $1" >&2
    echo "demo: logs are in $DEMO/{a,b,c}/log; \`make demo-stop\` ends what is running." >&2
    exit 1
}

mounted() { grep -qE "^nwrfs:[^ ]* $DEMO/$1 fuse" /proc/self/mounts; }

# ---- the end of a demo --------------------------------------------------------------------------

node_alive() { # NODE -- its process is one of our program
    local pid
    pid=$(cat "$DEMO/$1/pid" 2>/dev/null) || return 1
    [ -n "$pid" ] && case $(readlink "/proc/$pid/exe" 2>/dev/null) in
        */nwrfs | */nwrfs' (deleted)') tr '\0' ' ' <"/proc/$pid/cmdline" | grep -q -- '--data' ;;
        *) false ;;
        esac
}

abort_mount() { # MOUNT -- a mount that does not answer: its connection is ended in the kernel
    local minor
    minor=$(awk -v m="$DEMO/$1" '$5 == m { split($3, d, ":"); print d[2] }' \
        /proc/self/mountinfo | tail -n 1)
    [ -n "$minor" ] && [ -w "/sys/fs/fuse/connections/$minor/abort" ] &&
        echo 1 >"/sys/fs/fuse/connections/$minor/abort"
    timeout 10 umount -l "$DEMO/$1" || timeout 10 fusermount3 -uz "$DEMO/$1"
}

stop_all() {
    local m n pid
    for m in $MOUNTS; do
        mounted "$m" || continue
        timeout 60 "$NWRFS" umount "$DEMO/$m" || abort_mount "$m"
    done
    for n in $NODES; do
        node_alive "$n" || continue
        timeout 60 "$NWRFS" stop --data "$DEMO/$n" && continue
        pid=$(cat "$DEMO/$n/pid")
        echo "demo: node $n does not stop; killing process $pid" >&2
        kill -KILL "$pid"
    done
    for m in $MOUNTS; do
        if mounted "$m"; then abort_mount "$m"; fi
    done
}

# ---- showing ------------------------------------------------------------------------------------

title() { printf '\n%s== %s%s\n' "$bold" "$1" "$off"; }
say() { printf '%s# %s%s\n' "$dim" "$1" "$off"; }

# run COMMAND -- prints it, runs it; a failure ends the demo.
run() {
    printf '%s$ %s%s\n' "$bold" "$1" "$off"
    (eval "$1") || give_up "this command failed: $1"
}

# differs COMMAND -- the same for diff(1), whose status 1 is an answer.
differs() {
    printf '%s$ %s%s\n' "$bold" "$1" "$off"
    (eval "$1")
    [ $? -le 1 ] || give_up "this command failed: $1"
}

# until_true WHAT COMMAND -- a w=1 r=1 volume shows what the other side wrote once they have met.
until_true() {
    local i
    for i in $(seq 100); do
        if (eval "$2") >/dev/null 2>&1; then return; fi
        sleep 0.1
    done
    give_up "waited 10 s for this: $1"
}

check_machine() {
    [ -x "$NWRFS" ] || give_up "no program at $NWRFS: run \`make demo\`, which builds it"
    [ -r /dev/fuse ] && [ -w /dev/fuse ] ||
        give_up "no access to /dev/fuse: load the fuse module, or run as root"
    [ "$(id -u)" = 0 ] || command -v fusermount3 >/dev/null ||
        give_up "fusermount3 is missing: apt-get install fuse3, or run as root"
}

# ---- the acts -----------------------------------------------------------------------------------

act_start() {
    title "Three peers, two mounts: N=3 copies, W=2 to write, R=2 to read"
    run "mkdir left right"
    run "nwrfs mount --data a --n 3 --w 2 --r 2 left"
    run 'nwrfs mount --data b --join $(cat a/address) right'
    run 'nwrfs serve --data c --join $(cat a/address)'
    run "nwrfs status left"
}

act_copy() {
    title "A source tree goes in on one side and comes out on the other"
    run "cp -a ../../include ../../net ../../fs ../../tools left/"
    run "diff -r ../../net right/net && echo both sides are equal"
    run "ls -l right"
}

act_lose() {
    title "One peer dies, and nobody notices: two of three are enough"
    run 'kill -9 $(cat c/pid)'
    run "echo 'written with one peer dead' > left/note"
    run "cat right/note"
    run "rm -r right/tools && ls left"
    say "it comes back, knows its address and its peers; reading repairs it"
    run "nwrfs serve --data c"
    run "cat left/note"
    run "nwrfs why left/note"
}

act_cut() {
    title "Cut from each other, both sides go on: w=1 r=1 lets a node work alone"
    run "nwrfs set left w=1 r=1"
    run "mkdir left/shared && echo 'draft' > left/shared/plan && echo 'draft' > left/shared/menu"
    until_true "right/shared to show the drafts" \
        "[ \$(cat right/shared/plan) = draft ] && [ \$(cat right/shared/menu) = draft ]"
    run "cat right/shared/plan right/shared/menu"
    say "the left one alone ..."
    run "nwrfs stop --data c"
    run "nwrfs umount right"
    run "echo 'we meet on monday' > left/shared/plan"
    run "echo 'soup'              > left/shared/menu"
    run "nwrfs umount left"
    say "... then the right one alone, which cannot know of that"
    run "nwrfs mount --data b right"
    run "echo 'we meet on tuesday' > right/shared/plan"
    run "echo 'salad'              > right/shared/menu"
}

act_conflict() {
    title "Together again: both versions are there, under the same names on both mounts"
    run "nwrfs mount --data a left"
    run "nwrfs serve --data c"
    until_true "both mounts to list the conflicts alike" \
        "[ \$(ls left/shared | wc -l) = 4 ] && diff <(ls left/shared) <(ls right/shared)"
    run "ls left/shared right/shared"
    run "nwrfs conflicts left"
    differs "diff left/shared/plan left/shared/plan.conflict.*"
    run "nwrfs why left/shared/plan"
}

act_resolve() {
    title "Resolved by rm, and by mv"
    run "rm left/shared/plan.conflict.*"
    run "mv right/shared/menu.conflict.* right/shared/menu"
    until_true "both mounts to agree" \
        "[ \$(ls left/shared | wc -l) = 2 ] && diff -r left/shared right/shared"
    run "head left/shared/* right/shared/*"
    run "diff -r left right && echo both mounts agree"
    run "nwrfs conflicts left && echo no conflicts"
}

demo() {
    check_machine
    stop_all
    rm -rf --one-file-system "$DEMO" || give_up "cannot remove $DEMO: is something in use there?"
    mkdir -p "$DEMO" && cd "$DEMO" || give_up "cannot make $DEMO"
    export PATH=${NWRFS%/*}:$PATH
    echo "To repeat any of this by hand:"
    echo "    cd $DEMO; PATH=${NWRFS%/*}:\$PATH"
    act_start
    act_copy
    act_lose
    act_cut
    act_conflict
    act_resolve
    title "That was it"
    echo "The mounts stay up: $DEMO/left and $DEMO/right are yours to try."
    echo "\`make demo-stop\` ends them."
}

case ${1:-} in
'') demo ;;
stop) stop_all && echo "the demo is stopped; its data is in $DEMO" ;;
*)
    echo "usage: tools/demo.sh [stop]" >&2
    exit 2
    ;;
esac
