#!/usr/bin/env bash
# apps_test.sh -- real programs inside a three-node mount, with byte-identical results.
# NWR_LONG=1: more transactions, a larger repository, and this project built and its unit tests
# run in the mount.
# long: yes
. "$(dirname "$0")/../lib/mount.sh"
need_fuse
for p in git rsync tar sqlite3 make gcc; do need $p; done

LIMIT=${NWR_LONG:+1200}
LIMIT=${LIMIT:-300}
export FILES=${NWR_LONG:+1500} TRANSACTIONS=${NWR_LONG:+5000}
export FILES=${FILES:-150} TRANSACTIONS=${TRANSACTIONS:-400}
export GIT_CONFIG_GLOBAL=$T/gitconfig GIT_CONFIG_SYSTEM=/dev/null

three_nodes || {
    fail three_nodes_form_a_volume "see above"
    exit 1
}
export MA MB
export -f eventually

git config --global user.name tester
git config --global user.email tester@example.org
git config --global init.defaultBranch main
git config --global gc.auto 0
git config --global safe.directory '*'

try a_repository_and_a_tree_to_work_with_are_made <<'END'
mkdir "$T/repo" && cd "$T/repo" && git init -q
python3 - "$FILES" <<'PY'
import os, random, sys
random.seed(7)
for i in range(int(sys.argv[1])):
    d = "d%d/e%d" % (i % 7, i % 3)
    os.makedirs(d, exist_ok=True)
    size = random.choice((0, 10, 1000, 5000, 70000))
    with open("%s/f%d" % (d, i), "wb") as f:
        f.write(random.randbytes(size))
PY
for c in 1 2 3 4 5; do
    for f in d"$c"/e*/*; do echo "change $c" >>"$f"; done
    chmod +x d"$c"/e0/*
    git add -A && git commit -qm "commit $c"
done
git gc -q
mkdir "$T/tree"
git archive HEAD | tar -x -C "$T/tree"
ln -s d0 "$T/tree/link"
ln "$T/tree/d1/e1/"f1 "$T/tree/hard"
mkdir "$T/tree/empty"
truncate -s 2M "$T/tree/holes"
chmod 751 "$T/tree/d2"
touch -d @1234567890.123456789 "$T/tree/d3"
END

try git_clones_checks_commits_and_is_cloned_back <<'END'
git clone -q "$T/repo" "$MA/repo"
cd "$MA/repo"
git fsck --full --strict
same "" "$(git status --porcelain)"
diff -r --exclude .git "$T/repo" "$MA/repo"
for f in d0/e0/*; do echo more >>"$f"; done
git mv d1 moved
git add -A && git commit -qm "inside the mount"
git checkout -q -b side HEAD~2
echo side >side && git add side && git commit -qm side
git merge -q -m merged main
git gc -q
git fsck --full --strict
same "" "$(git status --porcelain)"
git clone -q "$MB/repo" "$T/back"
same "$(git rev-parse HEAD)" "$(git -C "$T/back" rev-parse HEAD)"
git -C "$T/back" fsck --full --strict
same "" "$(git -C "$MB/repo" status --porcelain)"
END

export SHOW='%P %y %m %U:%G %n %s %l\n'
try tar_goes_in_and_comes_out_the_same <<'END'
mkdir "$MA/tar" "$T/out"
tar -C "$T/tree" --format=posix -cf - . | tar -C "$MA/tar" -xf -
diff -r "$T/tree" "$MB/tar"
diff <(cd "$T/tree" && find . ! -type d -printf "%T@ $SHOW" | sort) \
     <(cd "$MB/tar" && find . ! -type d -printf "%T@ $SHOW" | sort)
tar -C "$MB/tar" --format=posix -cf - . | tar -C "$T/out" -xf -
diff -r "$T/tree" "$T/out"
same 1234567890.1234567890 "$(find "$MB/tar/d3" -maxdepth 0 -printf %T@)"
END

try rsync_copies_exactly_and_then_finds_nothing_to_do <<'END'
rsync -aH --checksum "$T/tree/" "$MA/rsync/"
diff -r "$T/tree" "$MB/rsync"
same "" "$(rsync -aHn --checksum --delete --itemize-changes "$T/tree/" "$MB/rsync/")"
same "" "$(rsync -aHn --delete --itemize-changes "$MA/rsync/" "$T/tree/")"
for f in "$T"/tree/d0/e0/*; do echo changed >>"$f"; done
rm -r "$T/tree/d5"
rsync -aH --checksum --delete "$T/tree/" "$MB/rsync/"
rsync -aH --inplace "$T/tree/" "$MA/rsync/"
diff -r "$T/tree" "$MA/rsync"
END

try sqlite_commits_on_one_side_and_is_whole_on_the_other <<'END'
db=$MA/test.db
{
    echo "PRAGMA journal_mode=DELETE; CREATE TABLE t(i INTEGER PRIMARY KEY, x TEXT);"
    for i in $(seq "$TRANSACTIONS"); do
        echo "BEGIN; INSERT INTO t VALUES($i, hex(randomblob(40)));"
        echo "UPDATE t SET x = x || '$i' WHERE i = $i / 2; COMMIT;"
    done
} | sqlite3 "$db" >/dev/null
for db in "$MA/test.db" "$MB/test.db"; do
    same ok "$(sqlite3 "$db" 'PRAGMA integrity_check')"
    same "$TRANSACTIONS" "$(sqlite3 "$db" 'SELECT count(*) FROM t')"
done
same "$(sqlite3 "$MA/test.db" .dump | sha256sum)" "$(sqlite3 "$MB/test.db" .dump | sha256sum)"
sqlite3 "$MB/test.db" 'DELETE FROM t WHERE i % 3 = 0; VACUUM'
same ok "$(sqlite3 "$MA/test.db" 'PRAGMA integrity_check')"
same "" "$(ls "$MA" | grep conflict || true)"
END

try a_small_c_project_builds_in_the_mount_as_elsewhere <<'END'
mkdir "$T/proj"
for i in $(seq 12); do
    printf '#include "all.h"\nint f%d(int x) { return x * %d; }\n' "$i" "$i" >"$T/proj/f$i.c"
    echo "int f$i(int x);" >>"$T/proj/all.h"
done
{
    printf '#include <stdio.h>\n#include "all.h"\nint main(void) { int s = 0;\n'
    for i in $(seq 12); do echo "s += f$i($i);"; done
    printf 'printf("%%d\\n", s); return 0; }\n'
} >"$T/proj/main.c"
cat >"$T/proj/Makefile" <<'MK'
OBJ := $(patsubst %.c,%.o,$(sort $(wildcard *.c)))
prog: $(OBJ)
	$(CC) -o $@ $^
%.o: %.c all.h
	$(CC) -O1 -c -o $@ $<
MK
cp -r "$T/proj" "$MA/proj"
make -s -C "$T/proj" prog
(eventually 30 test -e "$MA/proj/f1.o" && kill -9 "$(cat "$T/c/pid")") &
make -s -j2 -C "$MA/proj" prog
wait $!
same 650 "$("$MB/proj/prog")"
cmp "$T/proj/prog" "$MB/proj/prog"
same "make: 'prog' is up to date." "$(make -C "$MA/proj" prog | grep up)"
touch "$MB/proj/f3.c"
same 2 "$(make -C "$MA/proj" prog | grep -c cc)"
END
check the_peer_that_died_in_the_middle_of_it_comes_back again c

if [ -n "${NWR_LONG:-}" ]; then
    try this_project_builds_in_the_mount_as_elsewhere <<'END'
for top in "$T/plain" "$MA/self"; do
    mkdir "$top"
    tar -C "$ROOT" --exclude=./build --exclude=./.git --format=posix -cf - . | tar -C "$top" -xf -
    make -s -j2 -C "$top" CFLAGS="-ffile-prefix-map=$top=." >/dev/null
done
cmp "$T/plain/build/release/nwrfs" "$MB/self/build/release/nwrfs"
"$MB/self/build/release/nwrfs" --version
(cd "$MA/self" && tests/run release:build release:unit)
END
else
    skip this_project_builds_in_the_mount_as_elsewhere "only with NWR_LONG=1"
fi

try nothing_of_all_this_was_a_conflict <<'END'
same "" "$("$NWRFS" conflicts "$MA")"
END
