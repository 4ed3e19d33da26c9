#!/usr/bin/env bash
# tidy.sh -- house rules that a compiler does not know; one line a violation, exit 1 if any.
#
# Sizes, banned calls, names, the direction of includes and the folders that may see a
# third-party library. Looks at what git tracks, and at new files that it does not ignore;
# without a repository at every file outside build/.
set -u
cd "$(dirname "$0")/.." || exit 1
# Bytes are counted as bytes, whichever awk is installed.
export LC_ALL=C

FUNCTION_LINES=70 FILE_LINES=800 COLUMNS_MAX=100
bad=0

say() {
    echo "$1"
    bad=$((bad + 1))
}

if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
    files() { git ls-files -co --exclude-standard; }
else
    files() { find . -path ./build -prune -o -path ./.git -prune -o -type f -print | cut -c3-; }
fi

# tracked PATTERNS -- existing files whose whole path matches one of the shell patterns.
tracked() {
    local f p
    files | sort -u | while IFS= read -r f; do
        [ -f "$f" ] || continue
        # shellcheck disable=SC2254
        for p in "$@"; do case $f in $p) echo "$f" && break ;; esac done
    done
}

# complain TEXT FILES... -- reads FILE:LINE:... lines and reports them under TEXT.
complain() {
    local line
    while IFS= read -r line; do say "$(cut -d: -f1,2 <<<"$line"): $1"; done
}

# Without comments and string contents, so that words in prose are not taken for code.
stripped() {
    awk -v F="$1" '
    {
        line = $0; out = ""
        while (length(line)) {
            if (inside) {
                e = index(line, "*/")
                if (!e) { line = ""; break }
                line = substr(line, e + 2); inside = 0
            } else if (match(line, /\/\*|\/\/|"([^"\\]|\\.)*"|'"'([^'\\\\\\\\]|\\\\\\\\.)*'"'/)) {
                tok = substr(line, RSTART, RLENGTH)
                out = out substr(line, 1, RSTART - 1)
                line = substr(line, RSTART + RLENGTH)
                if (tok == "/*") inside = 1
                else if (tok == "//") line = ""
                else out = out "\"\""
            } else { out = out line; line = "" }
        }
        print F ":" NR ":" out
    }' "$1"
}

sizes() {
    local f n
    for f in $all; do
        n=$(wc -l <"$f")
        [ "$n" -le $FILE_LINES ] || say "$f: $n lines, at most $FILE_LINES"
        awk -v F="$f" -v M=$COLUMNS_MAX '{
            n = gsub(/[^\x80-\xbf]/, "&")
            if (n > M) print F ":" FNR ":"
        }' "$f"
    done | LC_ALL=C cat
}

functions() { # a body runs from a { to a } in the first column
    # shellcheck disable=SC2086
    LC_ALL=C awk -v M=$FUNCTION_LINES '
        FNR == 1 { start = 0 }
        /^\{/ { start = FNR }
        /^\}/ {
            if (start && FNR - start - 1 > M)
                print FILENAME ":" start ": function of " FNR - start - 1 " lines, at most " M
            start = 0
        }' $code
}

banned() {
    local names='strcpy|strcat|strncpy|strncat|sprintf|vsprintf|gets|atoi|atol|atof|rand|srand'
    names="$names|random|srandom|alloca|strtok|tmpnam|mktemp|tempnam|asctime|ctime|gmtime"
    names="$names|localtime|setjmp|longjmp|system"
    grep -E "(^|[^A-Za-z0-9_>.])($names) *\(" "$strip" | complain "banned call"
    grep -E '(^|[^A-Za-z0-9_])(malloc|calloc|realloc|free|strdup|strndup) *\(' "$strip" |
        grep -E '^(net/(core|wire|store|link)|fs/core|include)/' |
        grep -vE '^include/src/base\.c:' | grep -vE '^net/store/(store_rocks|segment\.c)' |
        complain "allocate through nwr_alloc, nwr_free and their kin"
    grep -E '(^|[^A-Za-z0-9_])(float|double)([^A-Za-z0-9_]|$)' "$strip" |
        grep -E '^(net/core|fs/core|include)/' | complain "no floating point in a core"
}

names() {
    grep -E '^[^:]+:[0-9]+:.*typedef +(struct|union|enum)' "$strip" |
        complain "no typedef of a struct"
    grep -E '^[^:]+:[0-9]+:.*typedef.*[^A-Za-z0-9_][A-Za-z0-9_]+_t *;' "$strip" |
        complain "names ending in _t belong to the system"
    grep -E '^[^:]+:[0-9]+: *(struct|union|enum) +[a-z0-9_]+_t *(\{|$)' "$strip" |
        complain "names ending in _t belong to the system"
    # shellcheck disable=SC2086
    grep -nE '\b(TO''DO|FIX''ME|XX''X)\b' $all /dev/null | complain "unfinished work is an issue"
    # shellcheck disable=SC2086
    grep -nE '^[A-Za-z_].*\b[a-z_0-9]+\(.*\);$' $headers /dev/null | grep -vE ':(static|typedef)' |
        grep -vE 'nwr_[a-z0-9_]+\(' | grep -vE '^tests/|\(\*' |
        complain "an external name starts with nwr_"
}

headers_first_line() {
    local f
    for f in $headers; do
        head -n 1 "$f" | grep -qE "^/\* $(basename "$f") -- .*" ||
            say "$f:1: the first line is /* $(basename "$f") -- purpose. */"
    done
}

# forbid FOLDER PATTERN WHY -- no file of FOLDER includes PATTERN.
forbid() {
    grep -E "^($1)/[^:]*:[0-9]+: *# *include +[<\"]($2)" "$incl" | complain "$3"
}

# only FOLDERS PATTERN WHY -- files outside FOLDERS do not include PATTERN.
only() {
    grep -E "^[^:]*:[0-9]+: *# *include +[<\"]($2)" "$incl" | grep -vE "^($1)" | complain "$3"
}

includes() {
    local system='sys/[^st]|sys/s[^t]|sys/time|unistd|pthread|fcntl|poll|time\.h|signal|stdio'
    system="$system|stdlib|math\.h|dirent"
    forbid 'fs' 'net/' "fs never includes net"
    forbid 'net' 'fs/' "net never includes fs"
    forbid 'include' 'fs/|net/|tools/|tests/' "include stands on nothing"
    forbid 'fs|net' 'tools/|tests/' "nothing includes tools or tests"
    forbid 'tools' 'tests/' "tools never include tests"
    # store.h declares the values a store is asked for and answers with; it needs no store.
    forbid 'net/core' 'net/(wire|tls|uv|link|http)/|net/store/[^/]*[^e]\.h|net/store/store_' \
        "net/core is below every driver"
    forbid 'net/wire' 'net/(store|tls|uv|link|http)/' "net/wire knows net/core only"
    forbid 'net/(store|tls)' 'net/(uv|link|http)/' "net/store and net/tls are below the loop"
    forbid 'fs/core' 'fs/fuse/' "fs/core is below fs/fuse"
    forbid 'net/core|fs/core|net/wire' "$system" "a pure folder includes no system header"
    only 'fs/fuse/|tests/' 'fuse' "libfuse is seen by fs/fuse only"
    only 'net/(uv|link|http)/|fs/fuse/|tools/|tests/' 'uv\.h' "libuv is seen by drivers only"
    only 'net/store/|tests/' 'rocksdb' "RocksDB is seen by net/store only"
    only 'net/tls/|tests/' 'openssl' "OpenSSL is seen by net/tls only"
    only 'net/wire/|tests/' 'msgpack' "msgpack is seen by net/wire only"
    only 'net/http/' 'microhttpd' "libmicrohttpd is seen by net/http only"
    only 'net/store/|include/src/|tests/' 'xxhash' "hash through nwr_hash64"
    only 'tools/' 'jansson' "jansson is seen by tools only"
    only 'tests/' 'cmocka' "cmocka is seen by tests only"
}

top_level() {
    local e
    tracked '*' | cut -d/ -f1 | sort -u | while read -r e; do
        case $e in
        Makefile | fs | net | include | tests | tools | README.md | LICENSE | .*) ;;
        *) echo "$e: not part of the agreed top level" ;;
        esac
    done
}

scripts() {
    local f
    for f in $(tracked '*.sh' tests/run .ci/run); do
        [ -x "$f" ] || case $f in tests/lib/*) ;; *) say "$f: not executable" ;; esac
        bash -n "$f" || say "$f: does not parse"
    done
}

code=$(tracked 'fs/*.[ch]' 'net/*.[ch]' 'include/*.[ch]' 'tools/*.[ch]' 'tests/*.[ch]')
headers=$(grep -E '\.h$' <<<"$code")
[ -n "$code" ] || {
    echo "tidy: no code found"
    exit 1
}
all="$code $(tracked '*.sh' '*.py' Makefile tests/run .ci/run)"
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
strip=$tmp/stripped incl=$tmp/includes
for f in $code; do stripped "$f"; done >"$strip"
# shellcheck disable=SC2086
grep -nE '^ *# *include' $code /dev/null >"$incl"

{
    sizes | sed 's/:$/: over 100 columns/'
    functions
    banned
    names
    headers_first_line
    includes
    top_level
    scripts
} >"$tmp/found"
sort -u "$tmp/found"
bad=$(sort -u "$tmp/found" | wc -l)
if [ "$bad" -gt 0 ]; then
    echo "tidy: $bad violations"
    exit 1
fi
