#!/usr/bin/env bash
# pure.sh -- shows by symbol table that the cores touch no I/O, no clock and no thread.
#
#   tools/pure.sh DIRECTORY-WITH-ARCHIVES     (make pure calls it for the release flavor)
#
# Every undefined symbol of an archive must be defined in it or in a pure archive below it, or
# stand in its list. Writable data of a file is refused as well.
set -u
lib=${1:?usage: tools/pure.sh DIRECTORY}
bad=0 seen=0

memory='mem(cpy|move|set|cmp|chr|rchr|mem|pcpy)|str(len|nlen|cmp|ncmp|chr|rchr|str|spn|cspn|pbrk)'
compiler='__stack_chk_fail|__[a-z]+_chk|_GLOBAL_OFFSET_TABLE_|__(u|)(div|mod)[td]i3'
# snprintf into a buffer of the caller: numbers of names, texts of `why`. No stream, no locale data.
text='snprintf|vsnprintf'
packer='msgpack_[a-z0-9_]+'

defined() { # ARCHIVES -- names that these define, one a line
    local a
    for a in "$@"; do
        nm -g --defined-only "$lib/libnwr_$a.a" 2>/dev/null | awk 'NF == 3 { print $3 }'
    done
}

check() { # ARCHIVE PATTERN ARCHIVES-BELOW [OBJECT THAT MAY ALSO USE] [EXTRA]
    local a=$lib/libnwr_$1.a found
    [ -e "$a" ] || return 0
    seen=$((seen + 1))
    # shellcheck disable=SC2086
    { echo .; defined "$1" $3; } >"$names"
    found=$(nm -u -A "$a" 2>/dev/null | sed -nE 's/.*\.a:([^:]+): +U (.*)/\1 \2/p' |
        grep -vE "^[^ ]+ ($2)\$" |
        if [ $# -gt 3 ]; then grep -vE "^$4 ($5)\$"; else cat; fi |
        awk 'NR == FNR { ours[$1]; next } !($2 in ours)' "$names" - | sort -u)
    if [ -n "$found" ]; then
        sed "s|^|libnwr_$1: not in the list: |" <<<"$found"
        bad=1
    fi
    found=$(objdump -t "$a" | awk '
        / file format / { object = $1; sub(":", "", object) }
        NF > 4 && / O / && $(NF - 2) ~ /^\.(data|bss|tdata|tbss)|^\*COM\*/ &&
            $(NF - 2) !~ /^\.data\.rel\.ro/ { print object, $NF }' |
        if [ $# -gt 3 ]; then grep -vE "^$4 "; else cat; fi | sort -u)
    if [ -n "$found" ]; then
        sed "s|^|libnwr_$1: writable data of the file: |" <<<"$found"
        bad=1
    fi
}

names=$(mktemp) || exit 1
trap 'rm -f "$names"' EXIT
allowed="$memory|$compiler|$text"
check net_core "$allowed" base
check fs_core "$allowed" base
check net_wire "$allowed|$packer" "net_core base" '[a-z_0-9]+\.o' 'malloc|realloc|free|calloc'
check base "$allowed" "" base.o 'malloc|calloc|realloc|free|abort|fprintf|stderr'

if [ $seen -eq 0 ]; then
    echo "pure: no archive of a core in $lib" >&2
    exit 1
fi
[ $bad -eq 0 ] || echo "pure: a core uses what only a driver may use"
exit $bad
