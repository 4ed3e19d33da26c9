# book.sh -- two programs that keep a book of what they were told (workload.py), one on $MA and one
# on $MB; source it after mount.sh or what stands on it.
#
#   books_open      both begin, each in a directory of its own
#   books_close     both end; what they read, and what both mounts hold, must be what the books say
# shellcheck shell=bash

declare -A WORKER=()
workload() { python3 "$ROOT/tests/lib/workload.py" "$@"; }

books_open() {
    workload run "$MA/a" "$T/book.a" "$RANDOM" >"$T/said.a" 2>&1 &
    WORKER[a]=$!
    workload run "$MB/b" "$T/book.b" "$RANDOM" >"$T/said.b" 2>&1 &
    WORKER[b]=$!
}

books_close() {
    local x
    touch "$T/book.a.stop" "$T/book.b.stop"
    for x in a b; do
        if wait "${WORKER[$x]}"; then
            ok "what_${x}_reads_is_what_it_was_told"
        else
            fail "what_${x}_reads_is_what_it_was_told" "$(tail -n 5 "$T/said.$x")"
        fi
        echo "# $x: $(tail -n 1 "$T/said.$x")"
    done
    for x in a b; do
        check "mount_a_holds_what_${x}_was_told" workload verify "$MA/$x" "$T/book.$x"
        check "mount_b_holds_what_${x}_was_told" workload verify "$MB/$x" "$T/book.$x"
    done
    for x in a b; do
        check "what_only_${x}_wrote_has_no_sibling" workload siblings "$MA/$x" "$T/book.$x"
    done
    check both_mounts_show_the_same diff -r "$MA" "$MB"
}
