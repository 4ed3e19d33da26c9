#!/usr/bin/env bash
# pure.sh -- shows by symbol table that the cores touch no I/O, no clock and no thread.
#
#   tools/pure.sh DIRECTORY-WITH-ARCHIVES     (make pure calls it for the release flavor)
#
# Every undefined symbol of an archive must be defined in itself, be one of ours (nwr_*) or stand
# in its list below. Writable data of a file (not of an object in a test) is refused as well.
set -u
lib=${1:?usage: tools/pure.sh DIRECTORY}
bad=0 seen=0

memory='mem(cpy|move|set|cmp|chr|rchr|mem|pcpy)|str(len|nlen|cmp|ncmp|chr|rchr|str|spn|cspn|pbrk)'
compiler='__stack_chk_fail|__[a-z]+_chk|_GLOBAL_OFFSET_TABLE_|__(u|)(div|mod)[td]i3'
own='nwr_[a-z0-9_]+'
# snprintf into a buffer of the caller: numbers of names, texts of `why`. No stream, no locale data.
text='snprintf|vsnprintf'
packer='msgpack_[a-z0-9_]+'

check() { # ARCHIVE PATTERN [OBJECT THAT MAY ALSO USE] [EXTRA]
    local a=$lib/libnwr_$1.a found
    [ -e "$a" ] || return 0
    seen=$((seen + 1))
    found=$(nm -u -A "$a" 2>/dev/null | awk '$(NF - 1) == "U" || NF == 2 { print $1, $NF }' |
        sed 's/:[^ ]* / /; s/.*\.a:\([^: ]*\)[: ]/\1 /' |
        grep -vE "^[^ ]+ ($2)\$" |
        if [ $# -gt 2 ]; then grep -vE "^$3 ($4)\$"; else cat; fi | sort -u)
    if [ -n "$found" ]; then
        sed "s|^|libnwr_$1: not in the list: |" <<<"$found"
        bad=1
    fi
    found=$(nm -A "$a" 2>/dev/null | awk '$(NF - 1) ~ /^[bBdDC]$/ { print $1, $NF }' |
        sed 's/.*\.a:\([^: ]*\)[: ][^ ]* */\1 /' |
        if [ $# -gt 2 ]; then grep -vE "^$3 "; else cat; fi | sort -u)
    if [ -n "$found" ]; then
        sed "s|^|libnwr_$1: writable data of the file: |" <<<"$found"
        bad=1
    fi
}

check net_core "$own|$memory|$compiler|$text"
check fs_core "$own|$memory|$compiler|$text"
check net_wire "$own|$memory|$compiler|$text|$packer" '[a-z_0-9]+\.o' 'malloc|realloc|free|calloc'
check base "$own|$memory|$compiler|$text" base.o 'malloc|calloc|realloc|free|abort|fprintf|stderr'

if [ $seen -eq 0 ]; then
    echo "pure: no archive of a core in $lib" >&2
    exit 1
fi
[ $bad -eq 0 ] || echo "pure: a core uses what only a driver may use"
exit $bad
