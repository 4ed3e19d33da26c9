# mount.sh -- shell library of the tests on real nodes and real mounts; source it first.
#
#   . "$(dirname "$0")/../lib/mount.sh"
#
# Everything lives in one private directory $T, and for root in namespaces of its own: a hung mount
# hangs nobody else, and no other script takes the port of a node that is away. So scripts run
# beside each other. The exit trap ends what this script started, whatever happened: it unmounts,
# aborts the FUSE connection of a mount that does not answer, kills nodes by the pid they wrote and
# only while that pid still is one of ours.
#
# Results are lines `ok NAME`, `not ok NAME - why`, `skip NAME - why`; `# ...` is detail. Nothing
# here sets -e: a test goes on after a failed check, and the exit status says whether one failed.
#
#   node NAME serve|mount ARGS...   starts a node with --data $T/NAME; arguments are kept
#   remote NAME PEERS [ARGS...]     a mount without storage at $T/mnt.NAME
#   again NAME [ARGS...]            starts it with the arguments it had
#   kill9 NAME, halt NAME           kill -9, or `nwrfs stop`; return when the process is gone
#   address NAME                    its IP:PORT
#   small_disk NAME MIB             before it starts: its data directory is a file system (root)
#   eat NAME [MIB], feed NAME       leaves that much room on it (1), and gives all back
#   three_nodes [W R]               a and b mounted at $MA and $MB, c serving; --n 3
#   ok NAME, fail NAME why, skip NAME why
#   check NAME cmd...               ok when the command succeeds; limited by $LIMIT seconds
#   refuse NAME PATTERN cmd...      ok when it fails with one line that matches the pattern
#   equal NAME WANT GOT             ok when the two strings are the same
#   try NAME <<'END' ... END        ok when the script succeeds (bash -eu); knows `no cmd...`,
#                                   which succeeds when cmd fails, and `same WANT GOT`
#   limited SECONDS cmd...          status of the command, 124 when it took too long
#   eventually SECONDS cmd...       repeats the command until it succeeds
#   repaired [--data DIR | MOUNT]   replicas come to be equal: `nwrfs repair --wait` finds no
#                                   difference. Not always at once: a mount still removes what was
#                                   unlinked, say, and writes a directory's times
# shellcheck shell=bash

if [ -z "${NWR_PRIVATE:-}" ] && [ "$(id -u)" = 0 ]; then
    if unshare -m -n ip link set lo up 2>/dev/null; then
        NWR_PRIVATE=network exec unshare -m -n --propagation private bash "$0" "$@"
    elif unshare -m true 2>/dev/null; then
        NWR_PRIVATE=mounts exec unshare -m --propagation private bash "$0" "$@"
    fi
fi
PRIVATE=${NWR_PRIVATE:-nothing}
unset NWR_PRIVATE
[ "$PRIVATE" != network ] || ip link set lo up
set -u

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
NWRFS=$(realpath -m "${NWRFS:-$ROOT/build/release/nwrfs}")
# Programs with a sanitizer are slower, those with the one for threads many times.
case ${NWR_FLAVOR:-} in tsan) slower=4 ;; asan) slower=2 ;; *) slower=1 ;; esac
LIMIT=${LIMIT:-120}
START_LIMIT=${START_LIMIT:-30}
FAILED=0
export PYTHONDONTWRITEBYTECODE=1 # other scripts copy and compare the folders that it would write to
exec 9>&1 # what a hung command leaves is shown at once
AT_END=() # functions that the exit trap calls when no process is left
declare -A NODE_ARGS=() NODE_RUN=() NODE_DIR=() MOUNT_DIR=() STARTED=()

[ -x "$NWRFS" ] || {
    echo "not ok start - no program at $NWRFS"
    exit 1
}
T=$(mktemp -d "${TMPDIR:-/tmp}/nwr.XXXXXX") || exit 1
OUT=$T/.out
# Mounts without storage keep their files in /run/nwrfs (root) or $XDG_RUNTIME_DIR/nwrfs.
export XDG_RUNTIME_DIR=$T/run
mkdir -p "$T/run"
export T NWRFS ROOT
if [ "$(id -u)" = 0 ]; then
    mkdir -p /run/nwrfs && mount -t tmpfs -o mode=0755 tmpfs /run/nwrfs 2>/dev/null
fi

ok() { echo "ok $1"; }

fail() {
    echo "not ok $1 - ${2:-failed}"
    FAILED=1
}

skip() { echo "skip $1 - ${2:-}"; }

# The whole script cannot run here: said loudly, counted as one skip.
skip_all() {
    skip "$(basename "$0" .sh)" "$1"
    exit 0
}

detail() { head -n "${2:-40}" "$1" 2>/dev/null | cut -c1-200 | sed 's/^/# /'; }

need_fuse() { [ -r /dev/fuse ] && [ -w /dev/fuse ] || skip_all "no access to /dev/fuse"; }
need_root() { [ "$(id -u)" = 0 ] || skip_all "needs root"; }
need() { command -v "$1" >/dev/null || skip_all "needs the program $1"; }

# limited SECONDS cmd... -- also for shell functions, which timeout(1) cannot run. The command
# has a process group of its own; variables it sets are lost.
limited() {
    local seconds=$(($1 * slower)) pid timer rc
    shift
    set -m
    ("$@") </dev/null &
    pid=$!
    sleep "$seconds" >/dev/null 2>&1 &
    timer=$!
    set +m
    wait -n "$pid" "$timer" 2>/dev/null
    if kill -0 "$timer" 2>/dev/null; then
        kill -KILL "$timer"
        wait "$timer" 2>/dev/null
        wait "$pid" 2>/dev/null
        rc=$?
    else
        hung "$pid"
        rc=124
    fi
    return $rc
}

# A command that does not return: where it and the nodes stand, then its end. A caller whose
# request the node already holds ignores SIGKILL, so what is left is to abort the connection.
hung() {
    local pid=$1 p
    {
        for p in $(pgrep -g "$pid") "${STARTED[@]}"; do
            echo "pid $p: $(tr '\0' ' ' <"/proc/$p/cmdline" 2>/dev/null | cut -c1-150)"
            cat "/proc/$p/stack" 2>/dev/null | head -n 8
            ours "$p" && command -v gdb >/dev/null &&
                timeout 20 gdb -p "$p" -batch -ex 'bt 12' </dev/null | grep '^#'
        done
    } 2>/dev/null | sed 's/^/# hung: /' >&9
    kill -KILL -- "-$pid" 2>/dev/null
    for p in 1 2 3 4 5 6 7 8 9 10; do
        pgrep -g "$pid" >/dev/null || break
        sleep 0.2
        [ "$p" -lt 5 ] || abort_all
    done
    wait "$pid" 2>/dev/null
}

check() {
    local name=$1 rc
    shift
    limited "$LIMIT" "$@" >"$OUT" 2>&1
    rc=$?
    if [ $rc -eq 0 ]; then
        ok "$name"
        return 0
    fi
    fail "$name" "status $rc: $* : $(tr '\n' ' ' <"$OUT" | cut -c1-200)"
    detail "$OUT"
    return 1
}

refuse() {
    local name=$1 pattern=$2 rc
    shift 2
    limited "$LIMIT" "$@" >"$OUT" 2>&1
    rc=$?
    if [ $rc -eq 0 ] || [ $rc -ge 124 ]; then
        fail "$name" "status $rc: $*"
    elif [ "$(wc -l <"$OUT")" -ne 1 ]; then
        fail "$name" "$(wc -l <"$OUT") lines instead of one"
    elif ! grep -qiE -- "$pattern" "$OUT"; then
        fail "$name" "says: $(head -n 1 "$OUT")"
    else
        ok "$name"
        return 0
    fi
    detail "$OUT"
    return 1
}

TRY_WORDS='
no() { if "$@"; then echo "succeeded, but must not: $*"; return 1; fi; }
same() { [ "$1" = "$2" ] || { echo "wanted <$1>, got <$2>"; return 1; }; }
'

try() {
    local name=$1 rc script
    script=$TRY_WORDS$(cat)
    limited "$LIMIT" bash -euxo pipefail -c "$script" >"$OUT" 2>&1
    rc=$?
    if [ $rc -eq 0 ]; then
        ok "$name"
        return 0
    fi
    fail "$name" "status $rc"
    tail -n 12 "$OUT" | cut -c1-200 | sed 's/^/# /'
    return 1
}

equal() {
    if [ "$2" = "$3" ]; then
        ok "$1"
    else
        fail "$1" "wanted '$2', got '$3'"
        return 1
    fi
}

eventually() {
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.1
    done
}

no_difference() {
    local said
    said=$("$NWRFS" repair "$@" --wait) && [ "${said#0 differences found}" != "$said" ]
}
repaired() {
    eventually 60 no_difference "$@" && return
    "$NWRFS" repair "$@" --wait
    return 1
}
export -f eventually no_difference repaired

# ---- nodes --------------------------------------------------------------------------------------

node_pid() { cat "${NODE_DIR[$1]:-$T/$1}/pid" 2>/dev/null; }
address() { cat "${NODE_DIR[$1]:-$T/$1}/address"; }

# The process is alive and is our program started by this script.
# Also when the program was built anew since: the old file is then "PATH (deleted)".
ours() {
    local exe
    [ -n "${1:-}" ] && [ -d "/proc/$1" ] || return 1
    exe=$(readlink "/proc/$1/exe")
    [ "${exe% (deleted)}" = "$(readlink -f "$NWRFS")" ] || return 1
    tr '\0' '\n' <"/proc/$1/cmdline" 2>/dev/null | grep -qF -- "$T/"
}

gone() { ! ours "$1"; }

remember() { # NAME
    local pid
    pid=$(node_pid "$1")
    [ -n "$pid" ] && STARTED[$1]=$pid
}

# NODE_RUN[NAME] is what stands before the program, such as nsenter (net.sh).
# The mount point of a new node is the last argument when its kind is `mount`.
node() {
    local name=$1 kind=$2
    shift 2
    NODE_DIR[$name]=$T/$name
    if [ "$kind" = mount ]; then
        MOUNT_DIR[$name]=${!#}
        mkdir -p "${MOUNT_DIR[$name]}"
    fi
    NODE_ARGS[$name]=$(printf '%q ' "$kind" --data "$T/$name" "$@")
    again "$name"
}

remote() {
    local name=$1 peers=$2
    shift 2
    MOUNT_DIR[$name]=$T/mnt.$name
    mkdir -p "$T/mnt.$name"
    NODE_ARGS[$name]=$(printf '%q ' mount --peers "$peers" "$@" "$T/mnt.$name")
    again "$name"
}

again() {
    local name=$1 rc args run
    shift
    eval "args=(${NODE_ARGS[$name]}) run=(${NODE_RUN[$name]:-})"
    # The log goes to a file: a background process that kept our pipe would keep a reader waiting.
    timeout -k 5 $((START_LIMIT * slower)) "${run[@]}" "$NWRFS" "${args[@]}" "$@" \
        >"$T/.start.$name" 2>&1 </dev/null
    rc=$?
    remember "$name"
    if [ $rc -ne 0 ]; then
        echo "# start of $name: status $rc"
        detail "$T/.start.$name"
        return $rc
    fi
    if [ -n "${MOUNT_DIR[$name]:-}" ]; then
        timeout 10 stat "${MOUNT_DIR[$name]}" >/dev/null 2>&1 || return 1
    fi
}

# A mount whose process was killed answers ENOTCONN until it is unmounted.
drop_mount() {
    local dir=${MOUNT_DIR[$1]:-}
    [ -n "$dir" ] || return 0
    if grep -qF " $dir fuse" /proc/self/mounts; then
        timeout 10 fusermount3 -u "$dir" 2>/dev/null || timeout 10 umount -l "$dir" 2>/dev/null
    fi
}

kill9() {
    local pid
    pid=$(node_pid "$1")
    ours "$pid" || return 1
    kill -KILL "$pid"
    eventually 10 gone "$pid" || return 1
    drop_mount "$1"
}

halt() {
    limited "$LIMIT" "$NWRFS" stop --data "${NODE_DIR[$1]}"
}

three_nodes() {
    MA=$T/mnt.a MB=$T/mnt.b
    node a mount --n 3 --w "${1:-2}" --r "${2:-2}" "$MA" || return 1
    node b mount --join "$(address a)" "$MB" || return 1
    node c serve --join "$(address a)" || return 1
}

# ---- disks --------------------------------------------------------------------------------------

SMALL_DISKS=()

small_disk() {
    truncate -s "$2M" "$T/$1.disk" && mkfs.ext4 -q -m 0 "$T/$1.disk" && mkdir -p "$T/$1" &&
        mount -o loop "$T/$1.disk" "$T/$1" && rmdir "$T/$1/lost+found" || return 1
    SMALL_DISKS+=("$T/$1")
}

eat() {
    local room
    room=$(($(df --output=avail -B1M "$T/$1" | tail -n 1) - ${2:-1}))
    [ "$room" -le 0 ] || fallocate -l "${room}M" "$T/$1/ballast"
}

feed() { rm -f "$T/$1/ballast"; }

drop_disks() {
    local d
    for d in "${SMALL_DISKS[@]}"; do umount "$d" || umount -l "$d"; done
}
AT_END+=(drop_disks)

# ---- the end ------------------------------------------------------------------------------------

# A FUSE connection has the name of the minor of its device. Only those of what is mounted now: the
# number of a mount that has gone may be that of another script's.
abort_all() {
    local m dir=/sys/fs/fuse/connections
    for m in $(awk -v t="$T/" 'index($5, t) == 1 && / - fuse/ { sub(".*:", "", $3); print $3 }' \
        /proc/self/mountinfo); do
        [ -d "$dir/$m" ] || mount -t fusectl fusectl "$dir" 2>/dev/null
        [ ! -w "$dir/$m/abort" ] || echo 1 >"$dir/$m/abort"
    done
}

still_mounted() {
    awk -v t="$T/" '$3 ~ /^fuse/ && index($2, t) == 1 { print $2 }' /proc/self/mounts
}

# Processes of our program that name our directory, whether or not they wrote a pid file.
our_pids() {
    local p
    for p in $(pgrep -f -- "$T/"); do ours "$p" && echo "$p"; done
}

cleanup() {
    local rc=$? name dir pid
    # A child that a signal reaches before its exec still has this trap.
    [ "$BASHPID" = $$ ] || return
    trap '' INT TERM
    if [ $FAILED -ne 0 ] || [ $rc -ne 0 ]; then
        for name in "${!NODE_DIR[@]}"; do
            [ -s "${NODE_DIR[$name]}/log" ] || continue
            tail -n 15 "${NODE_DIR[$name]}/log" | cut -c1-200 | sed "s/^/# log $name: /"
        done
    fi
    cd /
    for dir in $(still_mounted); do
        timeout 15 fusermount3 -u "$dir" 2>/dev/null || timeout 15 umount "$dir" 2>/dev/null
    done
    for pid in $(our_pids); do kill -TERM "$pid"; done
    eventually 10 nothing_left || abort_all
    for pid in $(our_pids); do kill -KILL "$pid"; done
    eventually 5 nothing_left || echo "# processes of this test are still there: $(our_pids)"
    for dir in $(still_mounted); do timeout 15 umount -l "$dir"; done
    for name in "${AT_END[@]}"; do "$name"; done
    [ -z "$(still_mounted)" ] && timeout 60 rm -rf --one-file-system "$T"
    [ $rc -eq 0 ] || exit $rc
    exit $FAILED
}

nothing_left() { [ -z "$(our_pids)" ]; }

trap cleanup EXIT
trap 'exit 143' INT TERM
