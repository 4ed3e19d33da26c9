#!/usr/bin/env bash
# merge_test.sh -- nwrfs diff --base and nwrfs resolve --merge on two nodes, w=1 r=1, that were cut
# from each other and joined: the common ancestor of a conflict is kept, and merges start from it.
. "$(dirname "$0")/../lib/net.sh"
need_fuse
need git

two_nodes

on_both() { eventually 20 "$1" "$MA" "${@:2}" && eventually 20 "$1" "$MB" "${@:2}"; }
is() { [ "$(cat "$1/$2" 2>/dev/null)" = "$3" ]; }
two() { [ "$(cd "$1" && ls -d "$2" "$2".conflict.* 2>/dev/null | wc -l)" = 2 ]; }
alone() { [ "$(cd "$1" && ls -d "$2" "$2".conflict.* 2>/dev/null | wc -l)" = 1 ]; }
run() { # NAME STATUS PATTERN cmd... -- and what it says
    local name=$1 want=$2 pattern=$3 rc
    shift 3
    limited 60 "$@" >"$OUT" 2>&1
    rc=$?
    if [ $rc -eq "$want" ] && grep -q -- "$pattern" "$OUT"; then ok "$name"; else
        fail "$name" "status $rc: $(head -c 3000 "$OUT")"
    fi
}
# lines N [SED] -- numbered lines, edited
lines() { seq -f 'line %g' "$1" | sed "${2:-}"; }
# What changed a file in place, as an editor that does not rename does.
save() { cat >"$1"; }

clean="apart settled often large tail"
for f in $clean both twice; do lines 20 | save "$MA/$f"; done
lines 40000 | save "$MA/large"
lines 20 | save "$MA/tail"
for f in $clean both twice; do
    on_both is "$f" "$(cat "$MA/$f")" || fail before_the_cut "$f is not on both"
done
# What is settled, and what is not when the cut comes, are two ways to the same base.
for n in a b; do "$NWRFS" repair --data "$T/$n" --wait >/dev/null 2>&1; done
lines 20 's/ 10$/ ten/' | save "$MA/apart"
on_both is apart "$(cat "$MA/apart")"

part a
lines 20 's/ 10$/ ten/; s/ 3$/ three/' | save "$MA/apart"
lines 20 's/ 10$/ ten/; s/ 17$/ seventeen/' | save "$MB/apart"
lines 20 's/ 3$/ three/' | save "$MA/settled"
lines 20 's/ 17$/ seventeen/' | save "$MB/settled"
for i in 1 2 3 4 5; do
    lines 20 "s/ 3\$/ three $i/" | save "$MA/often"
    lines 20 "s/ 17\$/ seventeen $i/" | save "$MB/often"
done
lines 40000 's/ 5$/ five/' | save "$MA/large"
lines 40000 's/ 39990$/ many/' | save "$MB/large"
{ lines 20 && echo end; } | save "$MA/tail"
{ echo begin && lines 20; } | save "$MB/tail"
for f in both twice; do
    lines 20 's/ 3$/ three/; s/ 10$/ left/' | save "$MA/$f"
    lines 20 's/ 10$/ right/; s/ 17$/ seventeen/' | save "$MB/$f"
done
lines 5 's/ 3$/ left/' | save "$MA/new"
lines 5 's/ 3$/ right/' | save "$MB/new"
lines 5 's/ 3$/ left/' | save "$MA/renamed.t" && mv "$MA/renamed.t" "$MA/renamed"
lines 5 's/ 3$/ right/' | save "$MB/renamed.t" && mv "$MB/renamed.t" "$MB/renamed"
heal a
for f in $clean both twice new renamed; do
    on_both two "$f" || fail after_the_cut "$f: $(ls "$MA" "$MB")"
done
for n in a b; do "$NWRFS" repair --data "$T/$n" --wait >/dev/null 2>&1; done

# ---- what they come from ----

base=$(getfattr --only-values -n user.nwrfs.base "$MA"/both.conflict.* 2>&1)
equal both_mounts_name_the_same_common_ancestor "$base" \
    "$(getfattr --only-values -n user.nwrfs.base "$MB"/both.conflict.* 2>&1)"
check and_its_size_is_that_of_the_file_before_the_cut \
    grep -qE "^[0-9]+,[0-9]+ $(lines 20 | wc -c)$" <(echo "$base")
same_bytes() {
    [ "$(getfattr --only-values -n user.nwrfs.base.0 "$1"/both.conflict.*)" = "$(lines 20)" ]
}
check its_bytes_are_those_before_the_cut on_both same_bytes
equal the_head_has_none_with_itself "" \
    "$(getfattr --only-values -n user.nwrfs.base "$MA/both" 2>/dev/null)"
equal no_listing_shows_it "" "$(getfattr -m - "$MA"/both.conflict.* 2>/dev/null | grep base)"

run diff_shows_head_and_sibling_against_the_base 1 '^+line left$' "$NWRFS" diff --base "$MA/both"
equal each_of_them_once "1 1" \
    "$(grep -c '^+line left$' "$OUT") $(grep -c '^+line right$' "$OUT")"
equal both_from_what_was_there 2 "$(grep -c '^-line 10$' "$OUT")"
equal and_it_is_named 2 "$(grep -c '^--- common ancestor [0-9]*,[0-9]*$' "$OUT")"
k=$(cd "$MB" && ls both.conflict.* | sed 's/.*\.//')
run diff_takes_a_number_and_the_base 1 '^+line left$' "$NWRFS" diff "$MB/both" "$k" --base
run without_a_base_the_siblings_are_compared 1 '^-line \(left\|right\)$' "$NWRFS" diff "$MB/both"
run diff_of_what_was_made_on_both_sides_has_no_base 2 'no common ancestor is kept' \
    "$NWRFS" diff --base "$MA/new"

remote x 127.0.0.1:7001,127.0.0.1:7002 || fail a_mount_without_storage_mounts "see above"
run a_mount_without_storage_shows_the_same 1 '^+line right$' \
    "$NWRFS" diff --base "$T/mnt.x/both"

# ---- merging ----

# merges NAME FILE CONTENT -- without a marker, on both
merges() {
    check "$1" "$NWRFS" resolve "$MA/$2" --merge
    on_both is "$2" "$3" && on_both alone "$2" && ok "$1_on_both_mounts" ||
        fail "$1_on_both_mounts" "$(diff <(echo "$3") "$MB/$2" | head -n 20)"
}
merges edits_of_other_lines_are_both_there apart \
    "$(lines 20 's/ 3$/ three/; s/ 10$/ ten/; s/ 17$/ seventeen/')"
merges of_a_file_that_was_settled_before_the_cut_too settled \
    "$(lines 20 's/ 3$/ three/; s/ 17$/ seventeen/')"
merges however_often_each_side_saved often "$(lines 20 's/ 3$/ three 5/; s/ 17$/ seventeen 5/')"
merges in_a_file_of_many_pieces large "$(lines 40000 's/ 5$/ five/; s/ 39990$/ many/')"
merges lines_added_at_both_ends_are_there tail "$(echo begin && lines 20 && echo end)"
equal nothing_is_left_beside_them "" "$(find "$MA" "$MB" "${TMPDIR:-/tmp}" -maxdepth 1 \
    \( -name '.merge.*' -o -name 'nwrfs.base.*' \) 2>/dev/null)"

run edits_of_one_line_leave_markers 1 'markers' "$NWRFS" resolve "$MB/both" --merge
marked() {
    local f
    f=$(cat "$1/both")
    [ "$(grep -c '^<<<<<<<\|^|||||||\|^=======\|^>>>>>>>' <<<"$f")" = 4 ] &&
        [ "$(grep -c '^line left$\|^line right$\|^line 10$' <<<"$f")" = 3 ] &&
        [ "$(grep -c '^line three$\|^line seventeen$' <<<"$f")" = 2 ] && alone "$1" both
}
check with_both_and_what_was_there_between_them on_both marked

run without_an_ancestor_that_is_said 1 'no common ancestor is kept' \
    "$NWRFS" resolve "$MA/new" --merge
fell_back() {
    [ "$(grep -c '^<<<<<<<\|^>>>>>>>\|^line left$\|^line right$' "$1/new")" = 4 ] &&
        [ "$(grep -c '^line 1$' "$1/new")" = 1 ] && alone "$1" new
}
check and_all_that_differs_is_marked on_both fell_back
run so_it_is_for_what_was_saved_by_renaming 1 'no common ancestor is kept' \
    "$NWRFS" resolve "$MA/renamed" --merge

# ---- nothing is kept for longer ----

kept() { "$NWRFS" why "$1/twice" --json | jq -c '[.. | .kept? // empty | length] | max'; }
keeps() { [ "$(kept "$1")" = "$2" ]; }
check in_a_conflict_the_ancestor_is_kept on_both keeps 1
"$NWRFS" resolve "$MB/twice" --keep head
for n in a b; do "$NWRFS" repair --data "$T/$n" --wait >/dev/null 2>&1; done
check afterwards_it_is_not on_both keeps 0
