#!/usr/bin/env bash
# conflict_test.sh -- two nodes, w=1 r=1, cut from each other and edited apart: every row of "What
# you can do to a conflict" in README.md on real mounts, and both mounts always list the same.
. "$(dirname "$0")/../lib/net.sh"
need_fuse
need git
export CALLS="python3 $ROOT/tests/lib/calls.py"

two_nodes

# Everything below a directory in one line: "name=content", a directory with a slash.
state() {
    (
        cd "$1" || exit
        find . -mindepth 1 | LC_ALL=C sort | while IFS= read -r f; do
            if [ -d "$f" ]; then printf '%s/ ' "${f#./}"; else
                printf '%s=%s ' "${f#./}" "$(cat "$f")"
            fi
        done
    ) 2>&1
}
is_state() { [ "$(state "$1/$2")" = "$3" ]; }
agreed() { [ "$(state "$MA/$1")" = "$(state "$MB/$1")" ]; }
conflicts_of_two() { [ "$(cd "$1/$2" && ls -d name name.conflict.* 2>/dev/null | wc -l)" = 2 ]; }

# expect NAME DIR STATE -- both mounts come to show exactly this.
expect() {
    local m
    for m in "$MA" "$MB"; do
        if ! eventually 15 is_state "$m" "$2" "$3"; then
            fail "$1" "on $(basename "$m"): wanted '$3', got '$(state "$m/$2")'"
            return 1
        fi
    done
    ok "$1"
}

# Numbered names that a walk finds (hidden ones it does not), and those that nwrfs conflicts finds
# by the index.
walked() {
    find "$1" -name '*.conflict.*' ! -path '*/hidden/*' | LC_ALL=C sort | while IFS= read -r f; do
        getfattr --only-values -n user.nwrfs.siblings "$f" >/dev/null 2>&1 && echo "$f"
    done
}
indexed() {
    "$NWRFS" conflicts "$1" --json | jq -r '.[] | select(.head | not).path' |
        grep -vE '/hidden/|/\.git/' | LC_ALL=C sort
}
found_all() { [ "$(walked "$1")" = "$(indexed "$1")" ]; }
same_as_walk() { # NAME
    on_both found_all && ok "$1" || fail "$1" "$(diff <(walked "$MA") <(indexed "$MA"))"
}

on_both() { eventually 15 "$1" "$MA" "${@:2}" && eventually 15 "$1" "$MB" "${@:2}"; }
there() { [ -e "$1/$2" ]; }
absent() { ! ls "$1/$2" 2>/dev/null; }

# ---- one cut for all rows: `name` is edited on both sides in each directory ----

rows="write truncate sibling rm_sibling promote keep_both rm_head mv_head again tmp hidden many
    linked rkeep rhead rall rmerge"
apart="create dirs unions filedir del_a del_b over ren chmod same rmdir tree links xattr twins"
mkdir "$MA"/edge
for d in $rows $apart; do
    mkdir "$MA/$d" && echo base >"$MA/$d/name"
done
mkdir "$MA/rmdir/sub" "$MA/tree/sub"
echo x >"$MA/tree/sub/f"
ln "$MA/links/name" "$MA/links/second"
for d in $rows $apart; do on_both there "$d/name" || fail before_the_cut "$d is not on both"; done
on_both there links/second

ln "$MA/linked/name" "$MA/linked/second"
on_both there linked/second

git() { command git -c user.name=t -c user.email=t@t -C "$@"; }
names=$(seq -f 'f%03g' 1 100)
mkdir "$MA/crowd" && (cd "$MA/crowd" && touch $names)
on_both there crowd/f100

try a_repository_is_there_before_the_cut <<END
command git init -q "$MA/repo"
echo 1 >"$MA/repo/file"
command git -C "$MA/repo" add file
command git -C "$MA/repo" -c user.name=t -c user.email=t@t commit -qm one
END
on_both there repo/.git/logs/HEAD

part a
for m in "$MA" "$MB"; do git "$m/repo" commit -q --allow-empty -m "$m"; done
for d in $rows; do
    echo "a" >"$MA/$d/name"
    echo "b" >"$MB/$d/name"
done
printf 'same\na\nend\n' >"$MA/rmerge/name"
printf 'same\nb\nend\n' >"$MB/rmerge/name"
edit_crowd() { # with something new
    for m in "$MA" "$MB"; do (cd "$m/crowd" && tee $names <<<"$m $SECONDS" >/dev/null); done
}
edit_crowd
check both_sides_go_on_while_cut_off bash -c 'cat "$1/write/name" "$2/write/name"' - "$MA" "$MB"

echo "one" >"$MA/create/new" && echo "two" >"$MB/create/new"
mkdir "$MA/dirs/d" "$MB/dirs/d" && echo 1 >"$MA/dirs/d/from_a" && echo 2 >"$MB/dirs/d/from_b"
mkdir "$MA/unions/d" "$MB/unions/d" && echo 1 >"$MA/unions/d/both" && echo 2 >"$MB/unions/d/both"
mkdir "$MA/filedir/x" && echo f >"$MA/filedir/x/in" && echo file >"$MB/filedir/x"
rm "$MA/del_a/name" && echo edited >"$MB/del_a/name"
echo edited >"$MA/del_b/name" && rm "$MB/del_b/name"
echo new >"$MA/over/tmp" && mv "$MA/over/tmp" "$MA/over/name" && echo edited >"$MB/over/name"
mv "$MA/ren/name" "$MA/ren/left" && mv "$MB/ren/name" "$MB/ren/right"
chmod 600 "$MA/chmod/name" && echo written >"$MB/chmod/name"
for m in "$MA" "$MB"; do # the same tree, unpacked on both sides
    mkdir "$m/twins/d" && echo equal | tee "$m/twins/d/f" "$m/twins/g" "$m/twins/h" >/dev/null
    : >"$m/twins/empty"
done
echo equal >"$MA/same/name" && echo equal >"$MB/same/name"
rmdir "$MA/rmdir/sub" && echo late >"$MB/rmdir/sub/f"
rm -rf "$MA/tree/sub" && echo late >"$MB/tree/sub/g"
rm "$MA/links/name" && echo edited >"$MB/links/second"
setfattr -n user.a -v 1 "$MA/xattr/name" && setfattr -n user.b -v 2 "$MB/xattr/name"
heal a

# ---- both list the same head and the same sibling ----

declare -A K=() HEAD=() SIB=()
bad=
for d in $rows; do
    on_both conflicts_of_two "$d" && eventually 15 agreed "$d" || bad="$bad $d"
    K[$d]=$(cd "$MA/$d" && ls | sed -n 's/^name\.conflict\.//p' | head -n 1)
    HEAD[$d]=$(cat "$MA/$d/name")
    SIB[$d]=$(cat "$MA/$d/name.conflict.${K[$d]}")
done
equal both_mounts_list_the_same_head_and_the_same_sibling "" "$bad"
[ -z "$bad" ] || echo "# a: $(state "$MA/write")# b: $(state "$MB/write")"
both_edits=$(printf '%s\n' "${HEAD[write]}" "${SIB[write]}" | sort | paste -sd' ')
equal nothing_was_lost "a b" "$both_edits"

k=${K[write]}
export k
try attributes_tell_clock_node_time_and_siblings <<'END'
get() { getfattr --only-values -n "user.nwrfs.$1" "$2"; }
for m in "$MA" "$MB"; do
    same "$k" "$(get siblings "$m/write/name")"
    get clock "$m/write/name" | grep -qE '^([0-9]+,[0-9]+)(;[0-9]+,[0-9]+)*$'
    get time "$m/write/name" | grep -qE '^20[0-9-]+T[0-9:.]+(Z|\+00:00)$'
    same 3 "$(($(get node "$m/write/name") + $(get node "$m/write/name.conflict.$k")))"
    no test "$(get clock "$m/write/name")" = "$(get clock "$m/write/name.conflict.$k")"
    getfattr -m - "$m/write/name" | grep -q user.nwrfs.siblings
done
same "$(get clock "$MA/write/name")" "$(get clock "$MB/write/name")"
same "$(get label "$MA/write/name.conflict.$k")" "$(get label "$MB/write/name.conflict.$k")"
no getfattr --only-values -n user.nwrfs.siblings "$MA/xattr/name" 2>/dev/null
END
try nwrfs_conflicts_lists_head_and_sibling <<'END'
"$NWRFS" conflicts "$MA/write" --json | jq -e --arg k "$k" \
    'length == 2 and .[0].head and .[0].k == 0 and (.[1].k | tostring) == $k and (.[1].head | not)'
shown() { "$NWRFS" conflicts "$1/write" | sed "s|$1||"; }
diff <(shown "$MA") <(shown "$MB")
"$NWRFS" why "$MA/write/name" --json | jq -e .
END

same_as_walk nwrfs_conflicts_finds_by_the_index_what_a_walk_finds
check below_a_directory_made_on_both_sides_too grep -q /unions/d/both.conflict. <(indexed "$MB")
told() { [ "$(jq .conflicts <("$NWRFS" status "$1" --json))" -ge "$(indexed "$1" | wc -l)" ]; }
check status_counts_the_conflicts eventually 15 told "$MA"
# The number is of the version that arrived, which may have been replaced by the next one.
try each_node_logs_the_conflict_with_name_number_and_node <<END
grep -q 'level=warn event=conflict name="name" k=[0-9]* node=[12]$' "$T/a/log" "$T/b/log"
grep -q 'event=conflict name="new" k=[0-9]* node=' "$T/a/log"
grep -q 'event=conflict name="new" k=[0-9]* node=' "$T/b/log"
END

# ---- a checkout whose .git is in conflict ----

git_conflict() { "$NWRFS" conflicts "$1/repo/.git" | grep -q '.git/logs/HEAD.conflict.'; }
check commits_on_both_sides_are_conflicts_within_dot_git on_both git_conflict
unseen() { [ -z "$(git "$1/repo" status --porcelain)$(find "$1/repo" -name '*.conflict.*')" ]; }
check git_status_sees_no_conflict_names on_both unseen
git_works() { git "$1/repo" fsck --no-dangling && git "$1/repo" commit -q --allow-empty -m more; }
check and_git_goes_on git_works "$MA"

# ---- the rows ----

s() { echo "name.conflict.${K[$1]}"; }

echo new >"$MA/write/name"
expect writing_the_name_replaces_the_head_and_siblings_stay write \
    "name=new $(s write)=${SIB[write]} "
truncate -s 0 "$MB/truncate/name"
expect truncating_the_name_replaces_the_head_and_siblings_stay truncate \
    "name= $(s truncate)=${SIB[truncate]} "
echo changed >"$MB/sibling/$(s sibling)"
expect writing_a_sibling_replaces_it_and_keeps_its_number sibling \
    "name=${HEAD[sibling]} $(s sibling)=changed "
rm "$MA/rm_sibling/$(s rm_sibling)"
expect rm_of_the_sibling_ends_the_conflict rm_sibling "name=${HEAD[rm_sibling]} "
links=$(cd "$MA/linked" && ls second.conflict.*)
equal a_sibling_of_a_file_with_two_names_is_beside_both "second.conflict.${K[linked]}" "$links"
rm "$MB/linked/$links"
expect rm_of_the_sibling_removes_it_at_every_link linked \
    "name=${HEAD[linked]} second=${HEAD[linked]} "
mv "$MB/promote/$(s promote)" "$MB/promote/name"
expect mv_of_the_sibling_to_the_name_ends_the_conflict promote "name=${SIB[promote]} "
mv "$MA/keep_both/$(s keep_both)" "$MA/keep_both/other"
expect mv_of_the_sibling_elsewhere_keeps_both keep_both \
    "name=${HEAD[keep_both]} other=${SIB[keep_both]} "
rm "$MB/rm_head/name"
expect rm_of_the_name_promotes_nothing rm_head "$(s rm_head)=${SIB[rm_head]} "
mv "$MA/mv_head/name" "$MA/mv_head/other"
expect mv_of_the_name_moves_the_head_and_siblings_stay mv_head \
    "$(s mv_head)=${SIB[mv_head]} other=${HEAD[mv_head]} "
rm "$MA/again/name"
echo third >"$MA/again/name"
expect creating_the_name_again_leaves_the_numbered_ones again \
    "name=third $(s again)=${SIB[again]} "
echo saved >"$MB/tmp/t" && mv "$MB/tmp/t" "$MB/tmp/name"
expect saving_by_rename_replaces_the_head_only tmp "name=saved $(s tmp)=${SIB[tmp]} "
equal an_ended_conflict_has_no_attributes "" \
    "$(getfattr -m - "$MA/promote/name" 2>/dev/null | grep siblings)"
equal an_ended_conflict_is_not_listed "" \
    "$(for d in rm_sibling promote keep_both; do "$NWRFS" conflicts "$MB/$d"; done)"

same_as_walk and_after_names_were_removed_moved_and_made_again_the_same

# ---- the same by nwrfs diff and nwrfs resolve ----

run() { # NAME STATUS PATTERN cmd... -- and what it says
    local name=$1 want=$2 pattern=$3 rc
    shift 3
    limited 30 "$@" >"$OUT" 2>&1
    rc=$?
    if [ $rc -eq "$want" ] && grep -q -- "$pattern" "$OUT"; then ok "$name"; else
        fail "$name" "status $rc: $(cat "$OUT")"
    fi
}
run diff_shows_head_and_sibling_and_has_the_status_of_diff 1 '^+b$\|^+a$' \
    "$NWRFS" diff "$MA/rkeep/name"
run diff_takes_a_number 1 "conflict.${K[rkeep]} (node" \
    "$NWRFS" diff "$MA/rkeep/$(s rkeep)" "${K[rkeep]}"
run diff_of_a_file_without_conflict_is_trouble 2 'not in conflict' "$NWRFS" diff "$MA/xattr/name"
run diff_with_another_number_is_trouble 2 'no sibling 7' "$NWRFS" diff "$MA/rkeep/name" 7
run diff_elsewhere_says_so 2 'not on nwrfs' "$NWRFS" diff "$T/a/log"
check resolve_keeps_a_sibling "$NWRFS" resolve "$MA/rkeep/name" --keep "${K[rkeep]}"
expect and_it_is_the_file_everywhere rkeep "name=${SIB[rkeep]} "
check resolve_keeps_the_head "$NWRFS" resolve "$MB/rhead/$(s rhead)" --keep head
expect and_the_sibling_is_gone_everywhere rhead "name=${HEAD[rhead]} "
run resolve_keeps_all 0 "name.${K[rall]}" "$NWRFS" resolve "$MA/rall/name" --keep all
expect and_the_sibling_is_an_ordinary_file rall \
    "name=${HEAD[rall]} name.${K[rall]}=${SIB[rall]} "
run resolve_merges_and_leaves_markers 1 'markers' "$NWRFS" resolve "$MB/rmerge/name" --merge
merged() {
    [ "$(ls "$1/rmerge")" = name ] &&
        [ "$(grep -c '^same$\|^end$\|^a$\|^b$\|^<<<<<<<\|^>>>>>>>' "$1/rmerge/name")" = 6 ]
}
check what_both_have_is_there_once_and_markers_stand_where_they_differ on_both merged
run resolve_of_what_is_not_in_conflict_fails 1 'not in conflict' \
    "$NWRFS" resolve "$MA/rkeep/name" --merge
run resolve_wants_to_know_how 2 'help' "$NWRFS" resolve "$MA/rkeep/name"

echo seven >"$MA/edge/x.conflict.7"
expect a_numbered_name_without_a_conflict_is_an_ordinary_file edge "x.conflict.7=seven "
mv "$MA/edge/x.conflict.7" "$MA/edge/y" && rm "$MB/edge/y" 2>/dev/null || rm "$MA/edge/y"
expect and_is_renamed_and_removed_like_one edge ""

# The editor: reads, the other side writes, then it saves, by rename or O_TRUNC: nothing is lost.
for save in reread rewrite; do
    echo v1 >"$MA/edge/name"
    expect "an_editor_has_something_to_read_before_it_does_a_$save" edge "name=v1 "
    rm -f "$T"/signal*
    $CALLS $save "$MA/edge/name" "$T/signal" $'mine\n' &
    editor=$!
    eventually 20 test -e "$T/signal.ready"
    echo theirs >"$MB/edge/name"
    on_both is_state edge "name=theirs " || fail before_the_editor_saves "$(state "$MA/edge")"
    touch "$T/signal"
    wait $editor
    on_both conflicts_of_two edge
    eventually 15 agreed edge
    equal "an_editor_that_read_an_older_version_loses_nobodys_work_by_$save" "mine theirs" \
        "$(cat "$MA"/edge/name* | sort | paste -sd' ')"
    rm "$MA"/edge/*
    expect "rm_of_everything_listed_after_a_${save}_leaves_nothing" edge ""
done

echo v1 >"$MA/edge/name"
expect a_builder_has_something_to_replace edge "name=v1 "
for i in 1 2 3; do
    echo "built $i" >"$MB/edge/t" && mv "$MB/edge/t" "$MB/edge/name"
    on_both is_state edge "name=built $i "
    echo "made $i" >"$MA/edge/name"
    on_both is_state edge "name=made $i "
done
expect processes_that_never_read_the_name_make_no_conflict edge "name=made 3 "

# ---- names on two sides ----

two_new() { [ "$(cat "$1"/create/new* | sort | paste -sd' ')" = "one two" ]; }
on_both two_new && eventually 15 agreed create
equal files_created_under_one_name_are_head_and_sibling "one two" \
    "$(cat "$MB"/create/new "$MB"/create/new.conflict.* | sort | paste -sd' ')"
expect directories_created_under_one_name_are_one dirs "d/ d/from_a=1 d/from_b=2 name=base "
echo 3 >"$MB/dirs/d/more"
expect a_merged_directory_takes_new_files dirs \
    "d/ d/from_a=1 d/from_b=2 d/more=3 name=base "
rm -r "$MA/dirs/d"
expect a_merged_directory_is_removed_whole dirs "name=base "
dir_and_file() { [ "$(cat "$1/filedir/x/in" "$1"/filedir/x.conflict.*)" = $'f\nfile' ]; }
check a_directory_keeps_the_name_against_a_file on_both dir_and_file

expect an_edit_survives_a_delete_on_the_other_side del_a "name=edited "
expect an_edit_survives_a_delete_on_this_side del_b "name=edited "
check the_restored_file_says_who_deleted_it \
    getfattr --only-values -n user.nwrfs.deleted_by "$MA/del_a/name"
over() { [ "$(cat "$1"/over/name* | sort | paste -sd' ')" = "edited new" ]; }
check an_edit_survives_a_rename_over_it on_both over
expect a_file_renamed_on_both_sides_has_both_names ren "left=base right=base "
equal and_they_are_links_of_one_file 1 "$(stat -c %i "$MA"/ren/* | sort -u | wc -l)"
expect chmod_against_write_is_no_conflict chmod "name=written "
equal and_both_apply "600 600" "$(echo $(stat -c %a "$MA/chmod/name" "$MB/chmod/name"))"
expect equal_content_on_both_sides_is_no_conflict same "name=equal "
expect equal_files_created_on_both_sides_are_one twins \
    "d/ d/f=equal empty= g=equal h=equal name=base "
echo changed >"$MB/twins/d/f"
rm "$MA/twins/g"
mv "$MB/twins/h" "$MB/twins/i"
echo full >>"$MA/twins/empty"
expect and_are_changed_removed_and_moved_as_one twins \
    "d/ d/f=changed empty=full i=equal name=base "
expect rmdir_against_create_brings_the_directory_back rmdir "name=base sub/ sub/f=late "
expect rm_rf_against_create_brings_back_what_was_not_seen tree "name=base sub/ sub/g=late "
expect rm_of_one_link_against_an_edit_through_the_other_keeps_the_edit links "second=edited "
xattrs() { [ "$(getfattr "$1/xattr/name" | grep -c 'user\.[ab]')" = 2 ]; }
check attributes_set_on_both_sides_are_both_there on_both xattrs

# ---- hide, and the end ----

"$NWRFS" set "$MA/hidden" conflicts=hide
only_name() { [ "$(ls "$1/hidden")" = name ]; }
check hidden_siblings_are_not_listed on_both only_name
equal hidden_siblings_open_by_name "${SIB[hidden]}" "$(cat "$MB/hidden/$(s hidden)")"
equal and_are_found_by_nwrfs_conflicts 2 \
    "$("$NWRFS" conflicts "$MB/hidden" --json | jq length)"

# More than two: each side writes again and again while cut off, one sibling for each line.
part a
echo a2 >"$MA/many/name"
echo b2 >"$MB/many/name"
echo b3 >"$MB/many/$(s many)"
edit_crowd
heal a
eventually 20 agreed many
many=$(cat "$MA"/many/* | sort | paste -sd' ')
case $many in *a2*b2*b3* | *a2*b3* | *b2*b3*) ok a_conflict_edited_apart_keeps_every_unseen_edit ;;
*) fail a_conflict_edited_apart_keeps_every_unseen_edit "$many" ;; esac

# What `nwrfs conflicts` reads for each version, beside the index itself.
reads() { "$NWRFS" status "$MA" --json | jq .counters.store_reads; }
cost() {
    local before
    before=$(reads)
    "$NWRFS" conflicts "$MA/$1" >/dev/null
    echo $(($(reads) - before))
}
crowd() { [ "$("$NWRFS" conflicts "$1/crowd" --json | jq length)" = "$2" ]; }
check each_of_a_hundred_conflicts_is_found on_both crowd 300
with=$((($(cost crowd) - $(cost again)) / 300))
(cd "$MB/crowd" && rm $names)
check and_their_siblings_without_a_head on_both crowd 200
without=$((($(cost crowd) - $(cost again)) / 200))
echo "# store reads for a version: $with; where the head is gone: $without"
if [ "$with" -gt 0 ] && [ "$with" -lt 20 ] && [ "$without" -lt 30 ]; then
    ok a_version_is_looked_up_once
else
    fail a_version_is_looked_up_once "$with and $without reads"
fi

same_as_walk and_in_the_end
check both_mounts_list_the_same_in_the_end diff <(cd "$MA" && ls -R) <(cd "$MB" && ls -R)
rm "$MB/hidden/name"
expect rm_of_a_name_whose_siblings_are_hidden_removes_them_too hidden ""
rm -rf "$MA"/*
empty() { [ -z "$(ls -A "$1")" ]; }
check rm_rf_of_everything_listed_leaves_nothing on_both empty
[ -z "$(ls -A "$MA")" ] || ls -lR "$MA" "$MB" | sed 's/^/# /'
