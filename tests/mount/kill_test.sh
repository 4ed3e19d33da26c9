#!/usr/bin/env bash
# kill_test.sh -- n=3 w=2 r=2: kill -9 of any one other node while a program writes is noticed by
# nobody; with two dead, writes fail in time and clearly. Reads heal the node that was away.
# long: yes
. "$(dirname "$0")/../lib/mount.sh"
need_fuse
for p in git rsync jq; do need $p; done
export FILES=${NWR_LONG:+2000}
export FILES=${FILES:-400}
export GIT_CONFIG_GLOBAL=$T/gitconfig GIT_CONFIG_SYSTEM=/dev/null
LIMIT=200

three_nodes || {
    fail three_nodes_form_a_volume "see above"
    exit 1
}
export MA MB

python3 - "$T/tree" "$FILES" <<'END'
import os, random, sys
random.seed(11)
for i in range(int(sys.argv[2])):
    d = "%s/d%d" % (sys.argv[1], i % 9)
    os.makedirs(d, exist_ok=True)
    with open("%s/f%d" % (d, i), "wb") as f:
        f.write(random.randbytes(random.choice((100, 3000, 20000, 200000))))
END
git config --global user.name tester
git config --global user.email tester@example.org
git config --global gc.auto 0
(cd "$T/tree" && git init -q . && git add -A && git commit -qm all)

# started DIR -- the copy is under way: something is there.
started() { [ "$(find "$1" -type f 2>/dev/null | head -n 20 | wc -l)" -ge "${2:-20}" ]; }

# under NAME VICTIM DIR cmd... -- kills the victim in the middle of the command.
under() {
    local name=$1 victim=$2 dir=$3 job rc
    shift 3
    limited "$LIMIT" "$@" >"$T/.job" 2>&1 &
    job=$!
    eventually 60 started "$dir" 20
    kill -0 $job 2>/dev/null || echo "# the command was over before the kill"
    kill9 "$victim"
    wait $job
    rc=$?
    if [ $rc -ne 0 ]; then
        fail "$name" "status $rc"
        detail "$T/.job"
        return 1
    fi
    ok "$name"
}

# Which replicas hold the newest version of everything below a directory: after a plain read of
# every file `nwrfs why` must show no replica that lacks something. $1 mount, $2 dir.
healed() {
    local f bad=0
    while IFS= read -r f; do
        "$NWRFS" why "$f" --json >"$T/.why" || return 1
        jq -e "$WHY_EQUAL" "$T/.why" >/dev/null || bad=$((bad + 1))
    done < <(find "$1/$2" -type f | head -n 60)
    [ $bad -eq 0 ] || echo "$bad files differ between replicas; the last answer: $(cat "$T/.why")"
    [ $bad -eq 0 ]
}
WHY_EQUAL='[.replicas[].versions] | length == 3 and (unique | length) == 1'

read_all() { find "$1/$2" -type f -print0 | xargs -0 cat | wc -c; }

round() { # VICTIM KIND
    local victim=$1 kind=$2 dir=$2.$1
    case $kind in
    rsync) under "kill_9_of_${victim}_is_not_noticed_by_rsync" "$victim" "$MA/$dir" \
        rsync -a --exclude .git "$T/tree/" "$MA/$dir/" ;;
    clone) under "kill_9_of_${victim}_is_not_noticed_by_git_clone" "$victim" "$MA/$dir" \
        git clone -q "$T/tree" "$MA/$dir" ;;
    esac
    check "nothing_of_${dir}_is_lost" diff -r --exclude .git "$T/tree" "$MA/$dir"
    check "${victim}_comes_back_after_$kind" again "$victim"
    check "reading_${dir}_works_with_all_nodes" read_all "$MA" "$dir"
    if eventually 30 healed "$MA" "$dir"; then
        ok "reading_heals_${victim}_after_$kind"
    else
        fail "reading_heals_${victim}_after_$kind" "$(healed "$MA" "$dir")"
    fi
}

round c rsync
round b clone
round b rsync
round c clone
check the_clones_are_whole bash -c 'for r in "$MA"/clone.*; do git -C "$r" fsck --full; done'
check the_node_that_was_killed_reads_the_same diff -r --exclude .git "$T/tree" "$MB/clone.c"

# ---- two of three are dead ----

echo before >"$MA/note"
kill9 b
kill9 c
begin=$SECONDS
limited 60 bash -c 'echo during >"$MA/other"' >"$OUT" 2>&1
rc=$?
if [ $rc -eq 0 ] || [ $rc -eq 124 ]; then
    fail a_write_with_two_dead_nodes_fails_in_time "status $rc after $((SECONDS - begin)) s"
elif grep -qiE 'timed out|host is down' "$OUT"; then
    ok a_write_with_two_dead_nodes_fails_in_time
else
    fail a_write_with_two_dead_nodes_fails_in_time "$(cat "$OUT")"
fi
echo "# it failed after $((SECONDS - begin)) s: $(cat "$OUT")"
limited 60 cat "$MA/note" >"$OUT" 2>&1
rc=$?
if [ $rc -ne 0 ] && [ $rc -ne 124 ] && grep -qiE 'timed out|host is down' "$OUT"; then
    ok a_read_with_r_2_fails_clearly_too
else
    fail a_read_with_r_2_fails_clearly_too "status $rc: $(cat "$OUT")"
fi
check status_answers_with_two_dead_nodes "$NWRFS" status --data "$T/a"
check one_of_them_comes_back again c
try and_everything_works_again <<'END'
same before "$(cat "$MA/note")"
echo after >"$MA/note"
same after "$(cat "$MA/note")"
END
kill9 c
check umount_with_two_dead_nodes_does_not_hang "$NWRFS" umount "$MA"
