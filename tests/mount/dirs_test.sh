#!/usr/bin/env bash
# dirs_test.sh -- two nodes, w=1 r=1, cut from each other: directories are moved, removed, filled
# and made on both sides. What is left is one tree, the same on both mounts.
. "$(dirname "$0")/../lib/net.sh"
need_fuse
eval "$TRY_WORDS"

two_nodes

# Everything below a directory in one line: "dir/ file=content link>text"; numbers are not said.
state() {
    (
        cd "$1" || exit
        find . -mindepth 1 | LC_ALL=C sort | while IFS= read -r f; do
            if [ -L "$f" ]; then
                printf '%s>%s ' "${f#./}" "$(readlink "$f")"
            elif [ -d "$f" ]; then printf '%s/ ' "${f#./}"; else
                printf '%s=%s ' "${f#./}" "$(cat "$f")"
            fi
        done | sed 's/\.conflict\.[0-9]*/.conflict.K/g'
    ) 2>&1
}
is_state() { [ "$(state "$1/$2")" = "$3" ]; }

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
later() { sleep 0.02; } # the other side's clock has moved on

rows="moved renamed loop deep union clash link links refill rmrf over hard alive shows"
for d in $rows; do mkdir "$MA/$d"; done
mkdir "$MA"/{moved,renamed}/d "$MA"/moved/{left,right}
echo f >"$MA/moved/d/f"
mkdir "$MA"/loop/{a,b}
echo f >"$MA/loop/a/f"
echo g >"$MA/loop/b/g"
mkdir -p "$MA"/deep/x/in "$MA"/deep/y/in
echo f >"$MA/deep/x/in/f"
mkdir "$MA"/refill/d "$MA"/rmrf/d "$MA"/over/{d,e} "$MA"/hard/{p,q} "$MA"/alive/{d,to}
echo seen >"$MA/rmrf/d/seen"
echo h >"$MA/hard/name"
echo f >"$MA/alive/d/f"
mkdir "$MA"/shows/{d,e} "$MA/back"
echo f >"$MA/shows/d/f"
for m in "$MA" "$MB"; do
    eventually 15 is_state "$m" alive "d/ d/f=f to/ " || fail before_the_cut "$(state "$m")"
done
state "$MB" >/dev/null

part a
mv "$MA/moved/d" "$MA/moved/left/" && later && mv "$MB/moved/d" "$MB/moved/right/"
mv "$MA/renamed/d" "$MA/renamed/one" && later && mv "$MB/renamed/d" "$MB/renamed/two"
mv "$MA/loop/a" "$MA/loop/b/" && later && mv "$MB/loop/b" "$MB/loop/a/"
mv "$MA/deep/x" "$MA/deep/y/in/" && later && mv "$MB/deep/y" "$MB/deep/x/in/"
for m in "$MA" "$MB"; do
    mkdir "$m/union/d" && echo "$(basename "$m")" >"$m/union/d/$(basename "$m")"
done
mkdir "$MA/clash/d" && echo in >"$MA/clash/d/in" && echo file >"$MB/clash/d"
mkdir "$MA/link/d" && echo in >"$MA/link/d/in" && ln -s elsewhere "$MB/link/d"
rmdir "$MA/refill/d" && echo late >"$MB/refill/d/f"
rm -rf "$MA/rmrf/d" && echo late >"$MB/rmrf/d/unseen"
mv -T "$MA/over/e" "$MA/over/d" && echo late >"$MB/over/d/f"
ln "$MA/hard/name" "$MA/hard/p/a" && echo mine >"$MA/hard/p/a"
ln "$MB/hard/name" "$MB/hard/q/b" && echo other >"$MB/hard/q/b"
mv "$MA/alive/d" "$MA/alive/to/" && echo late >"$MB/alive/d/g"
ln -s here "$MA/links/l" && ln -s there "$MB/links/l"
rm "$MA/shows/d/f" && echo late >"$MB/shows/d/f"
rmdir "$MA/back" && echo late >"$MB/back/f"
heal a

expect a_directory_moved_on_two_sides_is_where_the_later_one_put_it moved \
    "left/ left/d.conflict.K>../right/d right/ right/d/ right/d/f=f "
expect a_directory_renamed_on_two_sides_has_the_later_name renamed "one.conflict.K>two two/ "
expect of_two_moves_that_close_a_loop_the_later_is_not_made loop \
    "b/ b/a/ b/a/b.conflict.K>../../b b/a/f=f b/g=g "
expect a_loop_through_directories_that_did_not_move_is_opened_too deep \
    "y/ y/in/ y/in/x/ y/in/x/in/ y/in/x/in/f=f y/in/x/in/y.conflict.K>../../../../y "
expect directories_made_on_both_sides_are_one union "d/ d/mnt.a=mnt.a d/mnt.b=mnt.b "
expect a_directory_keeps_the_name_against_a_file clash "d/ d.conflict.K=file d/in=in "
expect a_directory_keeps_the_name_against_a_symbolic_link link \
    "d/ d.conflict.K>elsewhere d/in=in "
expect a_removed_directory_with_something_unseen_in_it_is_back refill "d/ d/f=late "
expect rm_rf_leaves_what_its_caller_had_not_seen rmrf "d/ d/unseen=late "
expect a_file_made_in_a_directory_that_was_moved_is_in_it alive "to/ to/d/ to/d/f=f to/d/g=late "
unseen() { same "late late" "$(cat "$MA"/over/d*/f "$MB"/over/d*/f | paste -sd' ')"; }
check a_directory_that_was_replaced_keeps_what_was_unseen eventually 15 unseen
edits() {
    same "mine other" "$(cat "$1"/hard/{,p/,q/}* 2>/dev/null | LC_ALL=C sort -u | paste -sd' ')"
}
for m in "$MA" "$MB"; do
    check "edits_through_two_links_are_both_there_on_$(basename "$m")" eventually 15 edits "$m"
done
same_listing() { diff <(state "$MA") <(state "$MB"); }
check both_mounts_show_one_tree eventually 15 same_listing

# ---- what came back ----

expect a_file_edited_on_one_side_and_removed_on_the_other_is_back shows "d/ d/f=late e/ "
refuse rmdir_of_a_directory_that_shows_only_that "not empty" rmdir "$MA/shows/d"
refuse nor_is_it_replaced "not empty" mv -T "$MA/shows/e" "$MA/shows/d"
expect it_is_still_there shows "d/ d/f=late e/ "
rm "$MB/shows/d/f"
check rmdir_goes_when_it_is_removed rmdir "$MB/shows/d"
expect and_then_it_is_gone shows "e/ "
echo new >"$MA/refill/d/new"
check a_directory_that_is_back_takes_a_file sync -f "$MA/refill/d/new"
check and_a_directory mkdir "$MB/refill/d/sub"
check and_what_is_moved_there mv "$MB/rmrf/d/unseen" "$MB/refill/d/moved"
# Its file goes to two groups, and is closed twice: what it had is replaced, not kept beside it.
expect a_directory_of_the_root_is_back back "f=late "
exec 3>"$MA/back/new" 4>&3 4>&-
echo new >&3
exec 3>&-
expect what_is_made_there_shows_once back "f=late new=new "
expect and_shows_them_all refill "d/ d/f=late d/moved=late d/new=new d/sub/ "

# ---- the index of conflicts ----

# listed NAME DIR WANTED -- both mounts come to list these below it, without their numbers.
names_of() {
    "$NWRFS" conflicts "$1" --json | jq -r '.[] | select(.k > 0 and (.head | not)).path' |
        sed "s|^$1/||;s|conflict\.[0-9]*$|conflict.K|" | LC_ALL=C sort | paste -sd' '
}
is_listed() { [ "$(names_of "$1/$2")" = "$3" ]; }
listed() {
    local m
    for m in "$MA" "$MB"; do
        if ! eventually 15 is_listed "$m" "$2" "$3"; then
            fail "$1" "on $(basename "$m"): wanted '$3', got '$(names_of "$m/$2")'"
            return 1
        fi
    done
    ok "$1"
}
listed conflicts_lists_a_directory_moved_on_two_sides moved left/d.conflict.K
listed conflicts_lists_a_directory_renamed_on_two_sides renamed one.conflict.K
listed conflicts_lists_no_directory_that_moved_on_one_side alive ""
listed conflicts_lists_the_link_of_a_move_that_was_not_made loop b/a/b.conflict.K
listed and_deeper deep y/in/x/in/y.conflict.K
listed conflicts_lists_symbolic_links_of_one_name links l.conflict.K
counted() { "$NWRFS" status "$1" --json | jq .conflicts; }
# Records: clash/d, link/d, links/l, one for hard/name with its three names, the lost places of two
# directories, and union/d, which is none to who looks.
as_many() { same 7 "$(counted "$1")"; }
for m in "$MA" "$MB"; do
    check "status_counts_records_in_conflict_on_$(basename "$m")" eventually 15 as_many "$m"
done
before=$(counted "$MA")

# ---- what the symbolic link is good for ----

link=$(echo "$MA"/moved/left/d.conflict.*)
equal the_symbolic_link_leads_to_the_directory f "$(cat "$link/f")"
text=$(readlink "$link")
equal its_size_is_that_of_its_text ${#text} "$(stat -c %s "$link")"
refuse it_is_no_directory "not a directory" rmdir "$link"
mv "$MB/moved/right/d" "$MB/moved/far"
expect it_follows_when_the_directory_moves_on moved \
    "far/ far/f=f left/ left/d.conflict.K>../far right/ "
mv "$link" "$MA/moved/kept"
expect mv_makes_an_ordinary_one_of_it moved "far/ far/f=f kept>../far left/ right/ "
rm "$MB"/renamed/one.conflict.*
expect rm_of_it_leaves_the_directory renamed "two/ "
listed conflicts_forgets_a_link_that_was_removed renamed ""
listed conflicts_forgets_a_link_that_was_moved moved ""
fewer() { same $((before - 2)) "$(counted "$1")"; }
check status_counted_them_until_then eventually 15 fewer "$MA"
mv "$MB/loop/b/a/b.conflict."* "$T/gone" 2>/dev/null
expect a_loop_is_over_when_its_link_is_removed loop "b/ b/a/ b/a/f=f b/g=g "
listed conflicts_forgets_a_loop_that_is_over loop ""

rm -rf "$MA"/*
empty() { [ -z "$(ls -A "$1")" ]; }
for m in "$MA" "$MB"; do
    check "rm_rf_of_everything_listed_leaves_nothing_on_$(basename "$m")" eventually 15 empty "$m"
done
